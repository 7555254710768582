"""Files that wait in the private store, between their upload and the act that takes them.

Each lies under a random name that only a signed ticket tells, good for whoever it was given to; what nobody
takes within a day is deleted.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

from .models import Adjunto

PLAZO = timedelta(days=1)
# Where each kind of file waits.
EPHYTO, PLANILLA, RESPUESTA = "ephyto", "planillas", "respuestas"
CARPETAS = (EPHYTO, PLANILLA, RESPUESTA)


@dataclass(frozen=True)
class EnEspera:
    """A file that waits: where it lies, what it is called, its bytes; of one already judged, what was found."""

    ruta: str
    nombre: str
    tipo: str
    recibido: str
    contenido: bytes = field(repr=False)


def guardar(carpeta: str, contenido: bytes, *, nombre: str, de: str, tipo: str = "", recibido: str = "") -> str:
    """Keep the file and return the ticket that finds it again, good for `de` and one day."""
    barrer(carpeta)
    ruta = storages["adjuntos"].save(f"{carpeta}/{uuid.uuid4().hex}", ContentFile(contenido))
    return signing.dumps([de, ruta, nombre, tipo, recibido], salt=carpeta, compress=True)


def recuperar(carpeta: str, ficha: str, *, de: str) -> EnEspera | None:
    """What waits under the ticket; None when it is not good any more, or was given to somebody else."""
    try:
        dueno, ruta, nombre, tipo, recibido = signing.loads(ficha, salt=carpeta, max_age=PLAZO)
        if dueno != de:
            return None
        with storages["adjuntos"].open(ruta) as archivo:
            return EnEspera(ruta, nombre, tipo, recibido, archivo.read())
    except (signing.BadSignature, FileNotFoundError):
        return None


def olvidar(ruta: str) -> None:
    storages["adjuntos"].delete(ruta)


def barrer(carpeta: str) -> None:
    """Delete what waited more than a day."""
    almacen = storages["adjuntos"]
    try:
        _carpetas, nombres = almacen.listdir(carpeta)
    except FileNotFoundError:
        return
    limite = timezone.now() - PLAZO
    for nombre in nombres:
        ruta = f"{carpeta}/{nombre}"
        try:
            if almacen.get_modified_time(ruta) < limite:
                almacen.delete(ruta)
        except FileNotFoundError:
            continue  # another upload swept it first


def barrer_sueltos() -> int:
    """Delete the bytes of attachments whose row was never in: the server was killed between the one and the other.

    Only those of the last days: started over an older database, this must not empty the store.
    """
    almacen, ahora, borrados = storages["adjuntos"], timezone.now(), 0
    for carpeta in _carpetas_de_los_casos():
        rutas = {f"{carpeta}/{nombre}" for nombre in almacen.listdir(carpeta)[1]}
        con_fila = Adjunto.objects.filter(archivo__startswith=f"{carpeta}/")
        for ruta in rutas - set(con_fila.values_list("archivo", flat=True)):
            if PLAZO < ahora - almacen.get_modified_time(ruta) < 3 * PLAZO:
                almacen.delete(ruta)
                borrados += 1
    return borrados


def _carpetas_de_los_casos() -> Iterator[str]:
    """By year and month: what waits, or is a draft's, lies elsewhere."""
    almacen = storages["adjuntos"]
    try:
        anios = [anio for anio in almacen.listdir("")[0] if re.fullmatch(r"\d{4}", anio)]
    except FileNotFoundError:
        return
    for anio in anios:
        yield from (f"{anio}/{mes}" for mes in almacen.listdir(anio)[0] if re.fullmatch(r"\d{2}", mes))

"""Files that wait in the private store, between their upload and the act that takes them.

Each lies under a random name that only a signed ticket tells, good for whoever it was given to; what nobody
takes within a day is deleted.
"""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

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

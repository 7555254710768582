"""The way back: a backup into an empty database, its files into their stores, and the proof that all is there.

Nothing is touched until the whole archive was read and everything fits: keys, versions, an empty database, no other
files in the way. Files go first and the database last, in one transaction: an attempt that breaks leaves an empty
database and files that no row mentions, so the next attempt may begin.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader

from . import paquete, respaldo, volcado
from .paquete import Manifiesto


class NoSeRestaura(Exception):
    """Nothing was changed; the message says why."""


@dataclass(frozen=True)
class Comparacion:
    """One line of the table: what was compared, what the backup says, what is here."""

    que: str
    respaldo: str
    aqui: str
    igual: bool


def restaurar(ruta: Path, *, clave: str, decir: Callable[[str], None]) -> list[Comparacion]:
    """Restore and compare; raises NoSeRestaura, or NoSeAbre, before anything was changed."""
    decir("Se lee el respaldo entero")
    manifiesto = paquete.comprobar(ruta, clave)
    _exigir_las_mismas_claves(ruta, clave)
    _exigir_que_quepa(manifiesto)
    decir(f"{len(manifiesto.archivos)} archivos")
    for nombre, contenido in paquete.recorrer(ruta, clave):
        if nombre.startswith("archivos/"):
            _guardar(nombre.removeprefix("archivos/"), contenido.read())
        elif nombre in paquete.DE_LA_FIRMA.values():
            _guardar_llave(nombre, contenido.read())
    decir("Base de datos")
    try:
        with volcado.cargar(desde=manifiesto.pg_dump) as entrada:
            for nombre, contenido in paquete.recorrer(ruta, clave):
                if nombre.startswith("base/"):
                    entrada.write(contenido.read())
    except volcado.ClienteFalla as error:
        raise NoSeRestaura(f"La base de datos no admitió el volcado y sigue vacía:\n{error}") from error
    return comparar(manifiesto, decir=decir)


def _exigir_las_mismas_claves(ruta: Path, clave: str) -> None:
    texto = paquete.leer_claves(ruta, clave)[paquete.ENV].decode()
    suyas = {nombre: valor[1:-1] for nombre, _igual, valor in (linea.partition("=") for linea in texto.splitlines())}
    otras = [nombre for nombre in respaldo.CLAVES if suyas.get(nombre) != getattr(settings, nombre)]
    if otras:
        raise NoSeRestaura(
            f"Este servidor usa otras claves ({', '.join(otras)}): la bitácora no se podría verificar y los enlaces "
            f"enviados morirían. Sáquelas con «python -m senasa.sacar_claves {ruta} CARPETA» y póngalas en su .env."
        )


def _exigir_que_quepa(manifiesto: Manifiesto) -> None:
    """An empty database of a version that fits, of this very schema, and no other files under the same names."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
            " AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'"
        )
        (ocupan,) = cursor.fetchone()
    if ocupan:
        raise NoSeRestaura(
            f"La base de datos «{connection.settings_dict['NAME']}» no está vacía ({ocupan} tablas y secuencias): "
            "cree otra y ponga su dirección en DATABASE_URL. Aquí no se borra nada."
        )
    servidor = volcado.version_del_servidor()
    if servidor < manifiesto.postgres:
        raise NoSeRestaura(
            f"Este PostgreSQL es el {servidor} y el respaldo viene del {manifiesto.postgres}: use ese o posterior."
        )
    if manifiesto.pg_dump >= 17 > servidor:  # it speaks of a setting that older servers do not know
        raise NoSeRestaura(f"El volcado lo hizo pg_dump {manifiesto.pg_dump}: use un PostgreSQL 17 o posterior.")
    try:
        volcado.cliente("pg_restore", desde=manifiesto.pg_dump)
    except volcado.SinCliente as error:
        raise NoSeRestaura(str(error)) from error
    de_este_programa = {f"{app}.{nombre}" for app, nombre in MigrationLoader(None).disk_migrations}
    if set(manifiesto.migraciones) != de_este_programa:
        raise NoSeRestaura(
            f"El respaldo es de la versión {manifiesto.version}, cuya base de datos tiene otra forma: instale esa "
            "versión, restaure y actualice después."
        )
    distintos = [nombre for nombre, suma in manifiesto.archivos.items() if _huella(nombre) not in (None, suma)]
    if distintos:
        raise NoSeRestaura(f"Ya hay otros archivos con esos nombres, por ejemplo {distintos[0]}: no se sobrescriben.")


def _huella(nombre: str) -> str | None:
    """The SHA-256 of a stored file, None when there is none."""
    almacen, _barra, ruta = nombre.partition("/")
    try:
        return hashlib.sha256(respaldo.leer(almacen, ruta)).hexdigest()
    except FileNotFoundError:
        return None


def _guardar(nombre: str, contenido: bytes) -> None:
    almacen, _barra, ruta = nombre.partition("/")
    if not storages[almacen].exists(ruta):  # an attempt before this one may have left it, and it is the same
        storages[almacen].save(ruta, ContentFile(contenido))


def _guardar_llave(nombre: str, contenido: bytes) -> None:
    """The certificate and its roots go where the settings look for them, if they can and nothing is there."""
    ajuste = next(ajuste for ajuste, miembro in paquete.DE_LA_FIRMA.items() if miembro == nombre)
    destino = getattr(settings, ajuste)
    try:
        if destino and not Path(destino).exists():
            Path(destino).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(destino, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as archivo:
                archivo.write(contenido)
    except OSError:  # a folder that is mounted read-only: the comparison says that it is missing
        return


# ── The proof ─────────────────────────────────────────────────────────────────────────────────────


def comparar(manifiesto: Manifiesto, *, decir: Callable[[str], None]) -> list[Comparacion]:
    """What is here against what the backup says: rows, guards, seals, the chain, the hash of every file."""
    decir("Se compara")
    filas = []
    with transaction.atomic():
        aqui = respaldo.tablas()
        filas.append(_de_tablas(manifiesto.tablas, aqui))
        filas.append(_de_listas("Migraciones", manifiesto.migraciones, respaldo.migraciones()))
        filas.append(_de_listas("Guardas de la base (disparadores)", manifiesto.disparadores, respaldo.disparadores()))
        for nombre, suyo in manifiesto.resumenes.items():
            nuestro = respaldo.resumenes().get(nombre, "—")
            filas.append(Comparacion(f"Cabezas de {nombre}", suyo[:16], nuestro[:16], suyo == nuestro))
    filas.append(_de_la_bitacora())
    distintos = [nombre for nombre, suma in manifiesto.archivos.items() if _huella(nombre) != suma]
    total = len(manifiesto.archivos)
    detalle = f" (primero: {distintos[0]})" if distintos else ""
    filas.append(
        Comparacion("Archivos, por su SHA-256", str(total), f"{total - len(distintos)}{detalle}", not distintos)
    )
    if manifiesto.faltan:
        primero = next(iter(manifiesto.faltan))
        faltaban = f"{len(manifiesto.faltan)} ya faltaban"
        filas.append(Comparacion("Archivos que no se respaldaron", faltaban, f"por ejemplo {primero}", False))
    for ajuste, miembro in paquete.DE_LA_FIRMA.items():
        if miembro in manifiesto.claves:
            filas.append(_de_la_firma(ajuste, manifiesto.claves[miembro]))
    return filas


def _de_tablas(suyas: dict[str, int], aqui: dict[str, int]) -> Comparacion:
    otras = [
        f"{t}: {suyas.get(t, 0)} → {aqui.get(t, 0)}" for t in sorted({*suyas, *aqui}) if suyas.get(t) != aqui.get(t)
    ]
    dicho = f"{sum(aqui.values())} en {len(aqui)} tablas" + (f" ({'; '.join(otras[:3])})" if otras else "")
    return Comparacion("Filas", f"{sum(suyas.values())} en {len(suyas)} tablas", dicho, not otras)


def _de_listas(que: str, suya: list[str], aqui: list[str]) -> Comparacion:
    otras = sorted(set(suya) ^ set(aqui))
    return Comparacion(que, str(len(suya)), f"{len(aqui)}{f' ({otras[0]})' if otras else ''}", not otras)


def _de_la_bitacora() -> Comparacion:
    try:
        dicho = StringIO()
        call_command("verificar_bitacora", stdout=dicho)
        return Comparacion("Cadena de la bitácora", "íntegra", dicho.getvalue().strip(), True)
    except (CommandError, DatabaseError) as error:
        return Comparacion("Cadena de la bitácora", "íntegra", str(error), False)


def _de_la_firma(ajuste: str, suma: str) -> Comparacion:
    """Another certificate is no fault: they are renewed. None at all is."""
    ruta = getattr(settings, ajuste)
    try:
        propia = hashlib.sha256(Path(ruta).read_bytes()).hexdigest() if ruta else ""
    except OSError:
        propia = ""
    dicho = (
        "el mismo" if propia == suma else "otro" if propia else "no hay: sáquelo con «python -m senasa.sacar_claves»"
    )
    return Comparacion(ajuste, suma[:16], dicho, bool(propia))

"""The backup: one encrypted file that carries database, files and keys together, read back before it gets its name.

Order makes it consistent. A snapshot is exported; dump, counts and the list of files all come from it; only then the
files are read, which are never deleted: whatever a row of the dump mentions is in the archive, whatever came later is
not missed. How the archive is laid out is in `paquete.py`.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.files.storage import DefaultStorage, storages
from django.db import DatabaseError, connection, models, transaction
from django.utils import timezone

from . import volcado
from .cifrado import Cifrador, NoSeAbre
from .models import Latido
from .paquete import DE_LA_FIRMA, ENV, MANIFIESTO, Manifiesto, comprobar, poner

NOMBRE = "senasa-{:%Y%m%dT%H%M%SZ}.tar.age"
PATRON = "senasa-*T*Z.tar.age"
CERROJO = 0x5E7A5A  # of all backups of one database, whoever makes them
CLAVE_MINIMA = 16
RESTO_SEGUNDOS = 60 * 60
# What the chain, the links and the sessions rest on. Without them a database is only half of itself.
CLAVES = ("SECRET_KEY", "ENLACE_CLAVE", "BITACORA_CLAVE")


class NoSeRespalda(Exception):
    """No backup was made; the message says why."""


class EnCurso(NoSeRespalda):
    """Somebody else is making one."""


@dataclass(frozen=True, slots=True)  # there may be a million of them
class ArchivoDeFila:
    """A file that a row of the database mentions. `leer` raises whatever it likes when it is not there, or not it."""

    almacen: str
    nombre: str
    sha256: str
    leer: Callable[[], bytes]


# Apps to the right add, in AppConfig.ready, files that no FileField names and what must be equal after a restore.
ARCHIVOS: list[Callable[[], Iterator[ArchivoDeFila]]] = []
RESUMENES: dict[str, Callable[[], str]] = {}


@dataclass(frozen=True)
class Hecho:
    ruta: Path
    octetos: int
    manifiesto: Manifiesto


# ── What the database says of itself ──────────────────────────────────────────────────────────────


def migraciones() -> list[str]:
    return _columna("SELECT app || '.' || name FROM django_migrations ORDER BY 1")


def disparadores() -> list[str]:
    """The guards that forbid to edit, delete or truncate."""
    return _columna(
        "SELECT format('%s.%s:%s', tgrelid::regclass, tgname, tgenabled)"
        " FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    )


def tablas() -> dict[str, int]:
    """Rows by table, but for those that a backup leaves empty."""
    nombres = _columna("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
    cuenta = {}
    with connection.cursor() as cursor:
        for tabla in nombres:
            if tabla not in volcado.SIN_FILAS:
                cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(tabla)}")  # noqa: S608
                (cuenta[tabla],) = cursor.fetchone()
    return cuenta


def resumenes() -> dict[str, str]:
    return {nombre: resumen() for nombre, resumen in sorted(RESUMENES.items())}


def _columna(consulta: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(consulta)
        return [valor for (valor,) in cursor.fetchall()]


def archivos_de_filas() -> Iterator[ArchivoDeFila]:
    """Every file that a row mentions: those of FileFields by themselves, the rest as their apps tell."""
    for modelo in apps.get_models():
        for campo in modelo._meta.concrete_fields:
            if isinstance(campo, models.FileField) and modelo._meta.managed and not modelo._meta.proxy:
                yield from _del_campo(modelo, campo)
    for fuente in ARCHIVOS:
        yield from fuente()


def _del_campo(modelo: type[models.Model], campo: models.FileField) -> Iterator[ArchivoDeFila]:
    almacen = _nombre_del_almacen(campo.storage)
    con_huella = any(otro.name == "sha256" for otro in modelo._meta.concrete_fields)
    columnas = [campo.attname, *(["sha256"] if con_huella else [])]
    filas = modelo._default_manager.exclude(**{campo.attname: ""}).exclude(**{campo.attname: None})
    for nombre, *huella in filas.order_by("pk").values_list(*columnas).iterator():
        yield ArchivoDeFila(almacen, nombre, "".join(huella), partial(leer, almacen, nombre))


def _nombre_del_almacen(almacen: Any) -> str:
    if isinstance(almacen, DefaultStorage):
        return "default"
    return next(nombre for nombre in settings.STORAGES if storages[nombre] is almacen)


def leer(almacen: str, nombre: str) -> bytes:
    with storages[almacen].open(nombre) as archivo:
        return archivo.read()


# ── Making one ────────────────────────────────────────────────────────────────────────────────────


def toca(ahora: datetime) -> bool:
    """Whether the daily backup is due: at RESPALDO_HORA, or as soon as possible when that hour was missed."""
    ultimo = Latido.objects.filter(nombre="respaldo").first()
    if ultimo is None:
        return True
    edad = ahora - ultimo.visto_en
    return edad > timedelta(hours=26) or (
        edad > timedelta(hours=20) and timezone.localtime(ahora).hour == settings.RESPALDO_HORA
    )


def respaldar(carpeta: Path, *, decir: Callable[[str], None] = lambda _texto: None) -> Hecho:
    """Make a backup, and note for the operations page how it went."""
    try:
        hecho = hacer(carpeta, decir=decir)
    except EnCurso:
        raise
    except Exception as error:
        porque = str(error) if isinstance(error, NoSeRespalda) else f"Se interrumpió ({type(error).__name__})."
        Latido.anotar("respaldo_fallido", porque=porque)
        raise
    Latido.anotar(
        "respaldo", archivo=hecho.ruta.name, octetos=hecho.octetos, archivos=len(hecho.manifiesto.archivos),
        faltan=len(hecho.manifiesto.faltan),
    )  # fmt: skip
    return hecho


def hacer(carpeta: Path, *, decir: Callable[[str], None]) -> Hecho:
    """Write a backup into `carpeta`, read it back, give it its name, and drop the oldest beyond RESPALDO_CONSERVAR."""
    clave = _clave()
    try:
        carpeta.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _solo_uno():
            return _hacer(carpeta, clave, decir)
    except (volcado.SinCliente, volcado.ClienteFalla) as error:
        raise NoSeRespalda(f"La base de datos no se pudo volcar: {error}") from error
    except DatabaseError as error:
        raise NoSeRespalda(f"La base de datos no responde como debe: {error}") from error
    except OSError as error:
        raise NoSeRespalda(f"No se puede escribir en {carpeta}: {error.strerror or error}.") from error


def _clave() -> str:
    clave: str = settings.RESPALDO_CLAVE
    if len(clave) < CLAVE_MINIMA:
        raise NoSeRespalda(
            f"Ponga RESPALDO_CLAVE, de {CLAVE_MINIMA} caracteres o más: el respaldo lleva las claves de la "
            "institución y va cifrado. Guárdela fuera de este servidor."
        )
    return clave


@contextmanager
def _solo_uno() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [CERROJO])
        if cursor.fetchone() != (True,):
            raise EnCurso("Ya hay un respaldo en curso.")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [CERROJO])


def _hacer(carpeta: Path, clave: str, decir: Callable[[str], None]) -> Hecho:
    ahora = timezone.now()
    for resto in carpeta.glob(".senasa-*.parcial"):  # of one that was killed
        if ahora.timestamp() - resto.stat().st_mtime > RESTO_SEGUNDOS:
            resto.unlink(missing_ok=True)
    ruta = carpeta / NOMBRE.format(ahora)
    provisional = carpeta / f".{ruta.name}.parcial"
    try:
        with os.fdopen(os.open(provisional, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as destino:
            with Cifrador(destino, clave) as cifrado, tarfile.open(fileobj=cifrado, mode="w|") as tar:
                manifiesto = _escribir(tar, ahora, decir)
            destino.flush()
            os.fsync(destino.fileno())
        decir("Se lee de nuevo lo escrito")
        if comprobar(provisional, clave) != manifiesto:
            raise NoSeRespalda("Lo que se lee del disco no es lo que se escribió.")
        provisional.rename(ruta)
    except NoSeAbre as error:
        raise NoSeRespalda(f"Lo que se lee del disco no es lo que se escribió: {error}") from error
    finally:
        provisional.unlink(missing_ok=True)
    descriptor = os.open(carpeta, os.O_RDONLY)  # the name is on the disk too
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for viejo in guardados(carpeta)[settings.RESPALDO_CONSERVAR :]:
        viejo.unlink(missing_ok=True)
    return Hecho(ruta, ruta.stat().st_size, manifiesto)


def guardados(carpeta: Path) -> list[Path]:
    """The whole backups in `carpeta`, the newest first: their names are their times."""
    return sorted(carpeta.glob(PATRON), reverse=True)


def _escribir(tar: tarfile.TarFile, ahora: datetime, decir: Callable[[str], None]) -> Manifiesto:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (instantanea,) = cursor.fetchone()
        servidor = volcado.version_del_servidor()
        manifiesto = Manifiesto(
            creado_en=ahora.isoformat(timespec="seconds"),
            version=settings.VERSION,
            postgres=servidor,
            pg_dump=volcado.cliente("pg_dump", desde=servidor)[1],
            migraciones=migraciones(),
            tablas=tablas(),
            disparadores=disparadores(),
            resumenes=resumenes(),
        )
        filas = list(archivos_de_filas())
        decir("Base de datos")
        suma = hashlib.sha256()
        for i, trozo in enumerate(volcado.volcar(instantanea)):
            suma.update(trozo)
            poner(tar, f"base/{i:06d}", trozo)
        manifiesto.base = suma.hexdigest()
    decir(f"{len(filas)} archivos")
    for fila in filas:
        _poner_archivo(tar, fila, manifiesto)
    decir("Claves")
    for nombre, contenido in _claves().items():
        manifiesto.claves[nombre] = poner(tar, nombre, contenido)
    poner(tar, MANIFIESTO, json.dumps(asdict(manifiesto), ensure_ascii=False, indent=1).encode())
    return manifiesto


def _poner_archivo(tar: tarfile.TarFile, fila: ArchivoDeFila, manifiesto: Manifiesto) -> None:
    """Add a file. One that is lost or altered is named, and does not keep the rest from being saved."""
    nombre = f"{fila.almacen}/{fila.nombre}"
    try:
        contenido = fila.leer()
    except Exception as error:  # whatever a store, or the app whose file it is, says of what it cannot give
        manifiesto.faltan[nombre] = "no se encuentra" if isinstance(error, FileNotFoundError) else str(error)
        return
    if fila.sha256 and hashlib.sha256(contenido).hexdigest() != fila.sha256:
        manifiesto.faltan[nombre] = "no es el que se guardó"
        return
    manifiesto.archivos[nombre] = poner(tar, f"archivos/{nombre}", contenido)


def _claves() -> dict[str, bytes]:
    valores = {nombre: getattr(settings, nombre) for nombre in (*CLAVES, "FIRMA_CLAVE")}
    if settings.SECRET_KEY_FALLBACKS:  # second factors may still lie under a key of before
        valores["SECRET_KEY_ANTERIORES"] = ",".join(settings.SECRET_KEY_FALLBACKS)
    lineas = [f"{nombre}={_entre_comillas(valor)}\n" for nombre, valor in valores.items()]
    claves = {ENV: "".join(lineas).encode()}
    for ajuste, miembro in DE_LA_FIRMA.items():
        with suppress(OSError):  # no certificate yet: the operations page says so, a backup is made all the same
            if getattr(settings, ajuste):
                claves[miembro] = Path(getattr(settings, ajuste)).read_bytes()
    return claves


def _entre_comillas(valor: str) -> str:
    """As django-environ, compose and systemd read it."""
    return f'"{valor}"' if "'" in valor else f"'{valor}'"

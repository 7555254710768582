"""How a backup is laid out, and how it is read: an encrypted tar, of which no byte may differ from what was written.

Within (`age -d RESPALDO | tar x` opens it without this program):

    base/000000…          pg_dump's custom format, in pieces
    archivos/<almacén>/…  every file that a row mentions
    claves/               the keys as an .env, the signing certificate, its roots
    manifiesto.json       what is in it, and the SHA-256 of each

Nothing here needs settings or a database: `sacar_claves.py` runs on a server that has neither yet.
"""

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .cifrado import Descifrador, NoSeAbre

FORMATO = 1
MANIFIESTO = "manifiesto.json"
ENV = "claves/claves.env"
DE_LA_FIRMA = {"FIRMA_P12": "claves/firma.p12", "FIRMA_RAICES": "claves/raices.pem"}


@dataclass
class Manifiesto:
    creado_en: str
    version: str
    postgres: int
    pg_dump: int
    migraciones: list[str]
    tablas: dict[str, int]
    disparadores: list[str]
    resumenes: dict[str, str]
    base: str = ""  # SHA-256 of the dump
    archivos: dict[str, str] = field(default_factory=dict)
    claves: dict[str, str] = field(default_factory=dict)
    faltan: dict[str, str] = field(default_factory=dict)
    formato: int = FORMATO


def poner(tar: tarfile.TarFile, nombre: str, contenido: bytes) -> str:
    """Add a member; its SHA-256."""
    ficha = tarfile.TarInfo(nombre)
    ficha.size, ficha.mode, ficha.mtime = len(contenido), 0o600, int(time.time())
    tar.addfile(ficha, io.BytesIO(contenido))
    return hashlib.sha256(contenido).hexdigest()


def recorrer(ruta: Path, clave: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Each member by name, in order. Raises NoSeAbre for what is not, to the last byte, as it was written."""
    try:
        with ruta.open("rb") as origen:
            claro = io.BufferedReader(Descifrador(origen, clave), 1024 * 1024)
            with tarfile.open(fileobj=claro, mode="r|") as tar:
                for ficha in tar:
                    contenido = tar.extractfile(ficha)
                    if contenido is None:
                        raise NoSeAbre(f"{ficha.name} no es un archivo.")
                    yield ficha.name, contenido
            while claro.read(1024 * 1024):  # the end of the stream is part of what is sealed
                pass
    except (tarfile.TarError, OSError) as error:
        raise NoSeAbre(f"El respaldo no se puede leer: {error}.") from error


def comprobar(ruta: Path, clave: str) -> Manifiesto:
    """Read all of it and compare it with its manifest; raises NoSeAbre. Nothing is written anywhere."""
    base, hallados, escrito = hashlib.sha256(), dict[str, str](), b""
    for nombre, contenido in recorrer(ruta, clave):
        if nombre == MANIFIESTO:
            escrito = contenido.read()
        elif nombre.startswith("base/"):
            base.update(contenido.read())
        else:
            hallados[nombre] = hashlib.file_digest(contenido, "sha256").hexdigest()  # type: ignore[arg-type]
    try:
        manifiesto = Manifiesto(**json.loads(escrito))
    except (ValueError, TypeError):
        raise NoSeAbre("El respaldo no trae un manifiesto que se entienda.") from None
    if manifiesto.formato != FORMATO:
        raise NoSeAbre(f"El respaldo es del formato {manifiesto.formato}; esta versión lee el {FORMATO}.")
    esperados = {f"archivos/{nombre}": suma for nombre, suma in manifiesto.archivos.items()} | manifiesto.claves
    if hallados != esperados or base.hexdigest() != manifiesto.base:
        raise NoSeAbre("El contenido del respaldo no es el que dice su manifiesto.")
    return manifiesto


def leer_claves(ruta: Path, clave: str) -> dict[str, bytes]:
    return {nombre: contenido.read() for nombre, contenido in recorrer(ruta, clave) if nombre.startswith("claves/")}

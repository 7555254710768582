"""Published documents: their code, their files, and whether a file that somebody brings is ours.

Signed bytes wait in `var/por_publicar/` until the transaction that publishes them is in, and only then move to
the store of issued files: that store holds issued signed documents and nothing else, whatever is killed when.
"""

import base64
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from senasa import reloj
from senasa.respaldo import ArchivoDeFila

from .archivos import codigo_que_lleva
from .firma import firma_integra
from .models import Documento, Expediente, Partida

SOBRANTE_SEGUNDOS = 60 * 60


@dataclass(frozen=True)
class Preparado:
    """Signed bytes that are safe on the disk and wait for their transaction."""

    sha256: str
    ruta: Path


def nuevo_cvd() -> str:
    """A verification code: 80 random bits in base32, in groups of four."""
    codigo = base64.b32encode(secrets.token_bytes(10)).decode()
    return "-".join(codigo[i : i + 4] for i in range(0, 16, 4))


def normalizar_cvd(texto: str) -> str:
    """A code as it was typed, in the form it is stored in: blanks, case and hyphens do not matter."""
    limpio = "".join(letra for letra in texto.upper() if letra.isalnum())
    return "-".join(limpio[i : i + 4] for i in range(0, len(limpio), 4))


def _por_publicar() -> Path:
    carpeta = Path(settings.VAR) / "por_publicar"
    carpeta.mkdir(parents=True, exist_ok=True, mode=0o750)
    return carpeta


def preparar(contenido: bytes) -> Preparado:
    """Put signed bytes on the disk, for sure, before the transaction that will publish them."""
    sha256 = hashlib.sha256(contenido).hexdigest()
    ruta = _por_publicar() / f"{sha256}.pdf"
    provisional = ruta.with_suffix(".parte")
    with provisional.open("wb") as archivo:
        archivo.write(contenido)
        archivo.flush()
        os.fsync(archivo.fileno())
    provisional.rename(ruta)
    carpeta = os.open(ruta.parent, os.O_RDONLY)  # the name is on the disk too, not only the bytes
    try:
        os.fsync(carpeta)
    finally:
        os.close(carpeta)
    return Preparado(sha256=sha256, ruta=ruta)


def publicar_documento(
    *,
    preparado: Preparado,
    tipo: str,
    numero: str,
    version: int,
    expediente: Expediente | None,
    cvd: str,
    firma: str,
    emitido_en: datetime,
    publicado_en: datetime | None = None,
    titular: str = "",
    partida: Partida | None = None,
    regla_version: int | None = None,
    reemplaza: Documento | None = None,
    causa: str = "",
    conclusion: str = "",
    impide_ingreso: bool = False,
    ensayado_en: datetime | None = None,
) -> Documento:
    """Publish one version, within the caller's transaction; its file moves in on commit."""
    documento = Documento.objects.create(
        tipo=tipo,
        numero=numero,
        version=version,
        expediente=expediente,
        partida=partida,
        archivo=f"{emitido_en:%Y}/{numero}{'' if version == 1 else f'-V{version}'}.pdf",
        sha256=preparado.sha256,
        cvd=cvd,
        emitido_en=emitido_en,
        publicado_en=publicado_en or reloj.ahora(),
        ensayado_en=ensayado_en,
        firma=firma,
        titular=titular[:200],
        regla_version=regla_version,
        reemplaza=reemplaza,
        causa=causa,
        conclusion=conclusion,
        impide_ingreso=impide_ingreso,
    )
    if reemplaza:
        marcar(reemplaza, Documento.Estado.REEMPLAZADO)
    transaction.on_commit(lambda: _mover(documento), robust=True)
    return documento


def marcar(documento: Documento, estado: str) -> None:
    """Write whether a document is in force, within the act that says so; its file and its code never change."""
    Documento.objects.filter(pk=documento.pk).update(estado=estado)
    documento.estado = estado


def _mover(documento: Documento) -> None:
    """Move the staged file into the store, if it still waits. Safe to repeat, and by two at once.

    What waits is what the row's SHA-256 names: it replaces whatever a lost database left under that name.
    """
    almacen = storages["informes"]
    ruta = _por_publicar() / f"{documento.sha256}.pdf"
    try:
        if isinstance(almacen, FileSystemStorage):
            destino = Path(almacen.path(documento.archivo))
            destino.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # another disk, or somebody else has just moved it: below
                ruta.replace(destino)  # one atomic step: never half a file
                return
        contenido = ruta.read_bytes()
    except FileNotFoundError:
        return
    if _guardado(documento) != contenido:
        almacen.delete(documento.archivo)
        almacen.save(documento.archivo, ContentFile(contenido))
    ruta.unlink(missing_ok=True)


def _guardado(documento: Documento) -> bytes | None:
    try:
        with storages["informes"].open(documento.archivo) as archivo:
            return archivo.read()
    except FileNotFoundError:
        return None


def barrer() -> None:
    """Finish the moves that a kill interrupted; drop staged files that no document came to claim."""
    for ruta in _por_publicar().iterdir():
        documento = Documento.objects.filter(sha256=ruta.stem).first()
        if documento:
            _mover(documento)
            continue
        with suppress(FileNotFoundError):  # another sweep, or the worker that was writing it, was here meanwhile
            if time.time() - ruta.stat().st_mtime > SOBRANTE_SEGUNDOS:
                ruta.unlink()


class ArchivoDanado(Exception):
    """The stored file is missing or is not the one that was issued."""


def pesa(documento: Documento) -> int | None:
    """Its bytes, as the store says; None while it is on its way there, or cannot be asked."""
    try:
        return storages["informes"].size(documento.archivo)
    except OSError:
        return None


def leer(documento: Documento) -> bytes:
    """The document's bytes, from the store or, just committed, from where it waits; always the issued ones."""
    contenido = None
    try:
        contenido = _guardado(documento)
        if contenido is None:
            with suppress(FileNotFoundError):
                contenido = (_por_publicar() / f"{documento.sha256}.pdf").read_bytes()
        if contenido is None:  # it moved between one look and the other
            contenido = _guardado(documento)
    except OSError as error:
        raise ArchivoDanado(f"no se puede leer el archivo de {documento}") from error
    if contenido is None:
        raise ArchivoDanado(f"falta el archivo de {documento}")
    if hashlib.sha256(contenido).hexdigest() != documento.sha256:
        raise ArchivoDanado(f"el archivo de {documento} no es el que se emitió")
    return contenido


def para_el_respaldo() -> Iterator[ArchivoDeFila]:
    """Every issued version, wherever its bytes are now; a restore puts them in the store."""
    filas = Documento.objects.order_by("pk").values_list("pk", "archivo", "sha256")
    for pk, archivo, sha256 in filas.iterator():
        yield ArchivoDeFila("informes", archivo, sha256, partial(_leer_por_pk, pk))


def _leer_por_pk(pk: int) -> bytes:
    return leer(Documento.objects.get(pk=pk))


class Veredicto(models.TextChoices):
    INTACTO = "intacto", _("Intacto y nuestro")
    ALTERADO = "alterado", _("Nuestro, pero alterado")
    AJENO = "ajeno", _("No es un documento nuestro")


def verificar_archivo(contenido: bytes) -> tuple[Veredicto, Documento | None]:
    """What a file is, and the document it is or claims to be.

    Ours and intact: its SHA-256 is that of an issued version and its signature is valid. A valid signature is
    not enough, as some bytes of a PDF can change under it.
    """
    documento = Documento.objects.filter(sha256=hashlib.sha256(contenido).hexdigest()).first()
    if documento:
        return (Veredicto.INTACTO if firma_integra(contenido) else Veredicto.ALTERADO), documento
    dicho = _documento_que_dice_ser(contenido)
    return (Veredicto.ALTERADO if dicho else Veredicto.AJENO), dicho


def _documento_que_dice_ser(contenido: bytes) -> Documento | None:
    """The document whose code stands in the file's metadata, if any."""
    cvd = codigo_que_lleva(contenido) if contenido.startswith(b"%PDF") else ""
    return Documento.objects.filter(cvd=normalizar_cvd(cvd)).first() if cvd else None

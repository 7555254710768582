"""What may be handed in: the one rule for every file of a case, whoever brings it.

A PDF, or a photo as JPEG, PNG or WebP. Its first bytes say what it is, never its name nor what the browser
declares; then it is opened whole, in another process (`examen.py`). A PDF is kept as it came; a photo is kept
upright and without what the telephone adds. Nothing refused is stored, and every refusal says what to do.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import subprocess
import sys
import threading
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from senasa.transicion import DatoInvalido

from . import examen

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

registro = logging.getLogger(__name__)

EXAMEN = Path(examen.__file__)
ESPERA = 2 * examen.SEGUNDOS  # the processor's seconds are bounded; these are the clock's
A_LA_VEZ = threading.BoundedSemaphore(2)  # in one web process: each may take its whole memory
MAX_NOMBRE = 160
MB = 1024**2

FIRMAS = {b"%PDF-": "PDF", b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
# What else people hand in, known only to tell them what to do with it.
CONOCIDOS = {
    b"PK\x03\x04": "office",
    b"\xd0\xcf\x11\xe0": "office",
    b"{\\rtf": "office",
    b"GIF8": "imagen",
    b"II*\x00": "imagen",
    b"MM\x00*": "imagen",
    b"BM": "imagen",
    b"\x00\x00\x01\x00": "imagen",
}
# What a telephone calls its photo when it is neither of the four: brands of ISO 14496-12.
HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}

EXTENSIONES = {
    "application/pdf": (".pdf",),
    "application/xml": (".xml",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
}

MOTIVOS: dict[str, StrOrPromise] = {
    "vacio": gettext_lazy("«%(nombre)s» está vacío: compruebe que se abre y súbalo otra vez."),
    "grande": gettext_lazy(
        "«%(nombre)s» pesa %(pesa)s y se admiten hasta %(tope)d MB: envíelo en partes, o escanéelo con menos calidad."
    ),
    "office": gettext_lazy("«%(nombre)s» no es un PDF ni una foto: guárdelo como PDF y súbalo otra vez."),
    "imagen": gettext_lazy("«%(nombre)s» es una imagen de un tipo que no se admite: guárdela como JPEG o PNG."),
    "heif": gettext_lazy(
        "«%(nombre)s» es una foto en formato HEIC: envíela como JPEG. "
        "En el iPhone: Ajustes, Cámara, Formatos, «El más compatible»."
    ),
    "otro": gettext_lazy("«%(nombre)s» no es un PDF ni una foto (JPEG o PNG)."),
    "danado": gettext_lazy(
        "«%(nombre)s» está dañado o incompleto: ábralo, guárdelo de nuevo como PDF y súbalo otra vez."
    ),
    "foto_danada": gettext_lazy("«%(nombre)s» está dañada o incompleta: vuelva a tomar la foto o envíe otra copia."),
    "clave": gettext_lazy("«%(nombre)s» pide una contraseña para abrirse: quítesela y súbalo otra vez."),
    "activo": gettext_lazy(
        "«%(nombre)s» lleva programas o formularios que actúan solos: "
        "imprímalo como PDF («Imprimir», «Guardar como PDF») y suba esa copia."
    ),
    "incrustado": gettext_lazy("«%(nombre)s» lleva otros archivos adentro: suba cada uno por separado, como PDF."),
    "sin_paginas": gettext_lazy("«%(nombre)s» no tiene ninguna página."),
    "paginas": gettext_lazy("«%(nombre)s» tiene más de %(paginas)d páginas: envíelo en partes."),
    "pegado": gettext_lazy("«%(nombre)s» trae otra cosa pegada al final: ábralo, guárdelo de nuevo y suba esa copia."),
    "animada": gettext_lazy("«%(nombre)s» es una animación: envíe una foto."),
    "pixeles": gettext_lazy(
        "«%(nombre)s» es demasiado grande para abrirse (más de %(megapixeles)d megapíxeles): redúzcala."
    ),
    "complejo": gettext_lazy(
        "«%(nombre)s» no se pudo abrir: es demasiado complejo. Imprímalo como PDF y suba esa copia."
    ),
}


@dataclass(frozen=True)
class ArchivoNuevo:
    """A file to attach: its name to show, its media type as found, the bytes to keep.

    `recibido`: the SHA-256 of what was handed in, which for a photo is not what is kept. Only this module makes
    one: `revisar` of what a person brings (`ya_revisado` after a wait), `del_certificado` of an XML that was read.
    """

    nombre: str
    tipo: str
    contenido: bytes = field(repr=False)
    recibido: str


def revisar(nombre: str, contenido: bytes) -> ArchivoNuevo:
    """The file, opened and good to be kept; DatoInvalido says in the person's words why it is not."""
    clase = _clase(contenido)
    if len(contenido) > settings.ARCHIVO_MAX_MB * MB:
        raise _rechazo("grande", nombre, len(contenido))
    if clase not in {*FIRMAS.values(), "WEBP"}:
        raise _rechazo(clase, nombre)
    dicho, limpio = _examinar(clase, contenido)
    if motivo := dicho.get("motivo"):
        raise _rechazo(motivo, nombre)
    return ArchivoNuevo(limpiar_nombre(nombre, dicho["tipo"]), dicho["tipo"], limpio or contenido, _sha256(contenido))


def codigo_que_lleva(contenido: bytes) -> str:
    """The verification code in a PDF's metadata, read where a hostile file does no harm; "" when it carries none."""
    dicho, _nada = _examinar("CVD", contenido)
    return dicho.get("cvd", "")


def ya_revisado(nombre: str, tipo: str, contenido: bytes, recibido: str) -> ArchivoNuevo:
    """A file that `revisar` let pass, and that has waited in our own store since."""
    return ArchivoNuevo(nombre, tipo, contenido, recibido)


def del_certificado(nombre: str, contenido: bytes) -> ArchivoNuevo:
    """The ePhyto itself: `ephyto.leer` has read it whole, under its own limits."""
    tipo = "application/xml"
    return ArchivoNuevo(limpiar_nombre(nombre, tipo), tipo, contenido, _sha256(contenido))


def limpiar_nombre(nombre: str, tipo: str = "") -> str:
    """What to call it on a page and in a download: no folders, nothing invisible or that turns the text round, and
    an extension that tells the truth, whatever else is before it."""
    visible = "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFC", nombre))
    visible = "".join(c for c in visible if unicodedata.category(c)[0] != "C")
    base = re.split(r"[\\/]", visible)[-1]
    base = " ".join(re.sub(r'[<>:"|?*]', "_", base).split()).strip(" .") or _("archivo")
    extensiones = EXTENSIONES.get(tipo, ("",))
    tallo, _punto, extension = base.rpartition(".")
    if f".{extension.lower()}" in extensiones:
        return f"{tallo[: MAX_NOMBRE - len(extension) - 1]}.{extension}"
    return base[: MAX_NOMBRE - len(extensiones[0])] + extensiones[0]


def _clase(contenido: bytes) -> str:
    """What the first bytes say: a format that is taken, or the reason why it is not."""
    if not contenido:
        return "vacio"
    if contenido[4:8] == b"ftyp" and contenido[8:12] in HEIF:
        return "heif"
    if contenido[:4] == b"RIFF" and contenido[8:12] == b"WEBP":
        return "WEBP"
    for firma, clase in (FIRMAS | CONOCIDOS).items():
        if contenido.startswith(firma):
            return clase
    return "otro"


def _examinar(clase: str, contenido: bytes) -> tuple[dict[str, Any], bytes]:
    """Without our variables: a parser that a file has taken over must not find a key there."""
    try:
        with A_LA_VEZ:
            hecho = subprocess.run(
                [sys.executable, "-IB", EXAMEN, clase],
                input=contenido,
                capture_output=True,
                timeout=ESPERA,
                env={},
                check=False,
            )
    except subprocess.TimeoutExpired:
        return {"motivo": "complejo"}, b""
    if hecho.returncode:  # out of time or memory, or the library crashed
        registro.warning("el examen de un %s terminó con %s", clase, hecho.returncode)
        return {"motivo": "complejo"}, b""
    linea, _salto, limpio = hecho.stdout.partition(b"\n")
    return json.loads(linea), limpio


def _rechazo(motivo: str, nombre: str, pesa: int = 0) -> DatoInvalido:
    datos = {
        "nombre": limpiar_nombre(nombre),
        "pesa": filesizeformat(pesa),
        "tope": settings.ARCHIVO_MAX_MB,
        "paginas": examen.MAX_PAGINAS,
        "megapixeles": examen.MAX_PIXELES // 1_000_000,
    }
    return DatoInvalido(MOTIVOS[motivo], code=motivo, params=datos)


def _sha256(contenido: bytes) -> str:
    return hashlib.sha256(contenido).hexdigest()


# ── In a form ─────────────────────────────────────────────────────────────────────────────────────


class CajaDeArchivo(forms.FileInput):
    """Offers what is taken; a telephone that is not offered HEIC hands over a JPEG by itself."""

    def __init__(self, attrs: dict[str, Any] | None = None):
        super().__init__({"accept": "application/pdf,image/jpeg,image/png,image/webp", **(attrs or {})})


class CajaDeArchivos(CajaDeArchivo):
    allow_multiple_selected = True

    def __init__(self, attrs: dict[str, Any] | None = None):
        super().__init__({"multiple": True, **(attrs or {})})


class CampoArchivo(forms.FileField):
    """One file; its cleaned value is an ArchivoNuevo, or None when there is none."""

    widget = CajaDeArchivo

    def __init__(self, **kwargs: Any):
        uno = gettext_lazy("PDF, o foto en JPEG o PNG, hasta {mb} MB.")
        kwargs.setdefault("help_text", format_lazy(uno, mb=settings.ARCHIVO_MAX_MB))
        super().__init__(allow_empty_file=True, **kwargs)  # `revisar` says it in its own words

    def clean(self, data: Any, initial: Any = None) -> ArchivoNuevo | None:
        subido = super().clean(data, None)
        return _de_un_formulario(subido) if subido else None


class CampoArchivos(forms.FileField):
    """Several files; its cleaned value is a list of ArchivoNuevo. One that is refused does not hide the others'
    faults: the person mends all of them at once."""

    widget = CajaDeArchivos

    def __init__(self, **kwargs: Any):
        varios = gettext_lazy("PDF, o fotos en JPEG o PNG: hasta {n}, de {mb} MB cada una como máximo.")
        kwargs.setdefault("help_text", format_lazy(varios, n=settings.ARCHIVOS_MAX, mb=settings.ARCHIVO_MAX_MB))
        super().__init__(allow_empty_file=True, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list[ArchivoNuevo]:
        subidos = [super(CampoArchivos, self).clean(uno, None) for uno in data or [None]]
        subidos = [subido for subido in subidos if subido]
        if len(subidos) > settings.ARCHIVOS_MAX:
            mensaje = _("Son %(son)d archivos y se admiten hasta %(tope)d cada vez: envíe los demás después.")
            raise ValidationError(mensaje % {"son": len(subidos), "tope": settings.ARCHIVOS_MAX})
        if sum(subido.size for subido in subidos) > settings.ENVIO_MAX_MB * MB:
            mensaje = _("Los archivos pesan juntos más de %(tope)d MB: envíe una parte después.")
            raise ValidationError(mensaje % {"tope": settings.ENVIO_MAX_MB})
        archivos, errores = [], []
        for subido in subidos:
            try:
                archivos.append(_de_un_formulario(subido))
            except ValidationError as error:
                errores.append(error)
                if error.code == "complejo":  # each of these may have cost its whole time
                    break
        if errores:
            raise ValidationError(errores)
        return archivos


def _de_un_formulario(subido: UploadedFile) -> ArchivoNuevo:
    pesa = subido.size or 0
    if pesa > settings.ARCHIVO_MAX_MB * MB:  # before its bytes come to memory
        raise _rechazo("grande", subido.name or "", pesa)
    return revisar(subido.name or "", subido.read())

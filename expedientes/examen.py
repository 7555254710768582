"""Opens one file that a stranger sent, in a process of its own: `python examen.py PDF|JPEG|PNG|WEBP|CVD < file`.

Parsers of PDF and images are where hostile files do their work: they loop, fill the memory, crash. So the web
process never runs them on an upload; `archivos.py` starts this file, which bounds itself first and knows neither
Django nor a key. It writes one line of JSON, then, for an image, the image to keep. `motivo` is why it was refused.
CVD asks of a PDF, whatever its health, for the code that it carries.
"""

import json
import resource
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any

MAX_PAGINAS = 500
MAX_PIXELES = 64_000_000  # a photo of the best telephones, at the setting that they come with
MAX_PIXELES_EN_PDF = 200_000_000  # A4 at 1200 dpi
MAX_NODOS = 300_000  # dictionaries, lists and streams
MAX_INFLADO = 384 * 1024**2  # all streams of a PDF together, images apart
MAX_FLUJO = 128 * 1024**2  # one stream: qpdf inflates those that hold objects as soon as it opens the file
MAX_PERFIL = 1024**2

MEMORIA = 1536 * 1024**2
SEGUNDOS = 10

# What a document does by itself, or when somebody clicks, that a paper could not.
ACCIONES = {"/JavaScript", "/Launch", "/ImportData", "/SubmitForm", "/GoToR", "/GoToE", "/RichMediaExecute",
            "/Rendition", "/Movie", "/Sound"}  # fmt: skip
AL_ABRIR = {"/GoTo", "/Named"}
MEDIOS = {"/RichMedia", "/3D", "/Movie", "/Sound", "/Screen", "/FileAttachment"}
ESQUEMAS = ("javascript:", "file:", "data:", "vbscript:")


class Rechazo(Exception):
    """Why the file is not taken: a key of `archivos.MOTIVOS`."""


def acotar() -> None:
    """Before the first byte of the file is read."""
    resource.setrlimit(resource.RLIMIT_CPU, (SEGUNDOS, SEGUNDOS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORIA, MEMORIA))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def examinar(clase: str, contenido: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        if clase == "CVD":
            return _leer_cvd(contenido), b""
        # A file that is also a ZIP: whoever unpacks it finds something that nobody looked at.
        if zipfile.is_zipfile(BytesIO(contenido)):
            raise Rechazo("pegado")
        return _examinar_pdf(contenido) if clase == "PDF" else _examinar_imagen(clase, contenido)
    except Rechazo as rechazo:
        return {"motivo": str(rechazo)}, b""
    except (MemoryError, RecursionError):
        return {"motivo": "complejo"}, b""
    except Exception:  # the libraries raise many things over a hostile file; all mean the same to the person
        return {"motivo": "danado" if clase == "PDF" else "foto_danada"}, b""


# ── PDF ───────────────────────────────────────────────────────────────────────────────────────────


def _examinar_pdf(contenido: bytes) -> tuple[dict[str, Any], bytes]:
    """Whole, without repairs: what qpdf would have to guess, every reader guesses in its own way.

    The bytes are kept as they came, as rewriting would break a digital signature. One protected against changes
    only, which opens without a password, is taken: all that follows looks at it decrypted.
    """
    pikepdf = _pikepdf_acotado()
    _cuerpo, fin, cola = contenido.rpartition(b"%%EOF")
    if not fin:
        raise Rechazo("danado")
    if cola.strip(b"\0\t\n\f\r "):
        raise Rechazo("pegado")
    try:
        with pikepdf.open(BytesIO(contenido), attempt_recovery=False, inherit_page_attributes=False) as pdf:
            inflado = 0
            for objeto in _objetos(pdf):
                _exigir_quieto(objeto)
                if isinstance(objeto, pikepdf.Stream):
                    inflado += _desinflar(objeto)
                    if inflado > MAX_INFLADO:
                        raise Rechazo("complejo")
            if pdf.get_warnings():  # something was left out or read twice, and nobody has looked at it
                raise Rechazo("danado")
            # Last, as it mends (and tells of) much that is harmless in the tree of pages.
            if not (paginas := len(pdf.pages)):
                raise Rechazo("sin_paginas")
            if paginas > MAX_PAGINAS:
                raise Rechazo("paginas")
    except pikepdf.PasswordError as error:
        raise Rechazo("clave") from error
    return {"tipo": "application/pdf"}, b""


def _pikepdf_acotado() -> Any:
    import pikepdf

    pikepdf.settings.set_qpdf_limits(
        flate_max_memory=MAX_FLUJO,
        png_max_memory=MAX_FLUJO,
        tiff_max_memory=MAX_FLUJO,
        run_length_max_memory=MAX_FLUJO,
        parser_max_nesting=100,
        max_stream_filters=4,
    )
    return pikepdf


def _leer_cvd(contenido: bytes) -> dict[str, Any]:
    """The code in the metadata of one of our documents, also of one that was changed, saved anew or cut short."""
    with _pikepdf_acotado().open(BytesIO(contenido)) as pdf:
        return {"cvd": str(pdf.docinfo.get("/Keywords", ""))[:40]}


def _objetos(pdf: Any) -> Iterator[Any]:
    """Every dictionary and stream, each once, however deep it lies; never through a reference."""
    import pikepdf

    recipientes = (pikepdf.Dictionary, pikepdf.Stream, pikepdf.Array)
    nodos = 0
    for raiz in (pdf.trailer, *pdf.objects):
        pila = [raiz] if isinstance(raiz, recipientes) else []
        while pila:
            nodo = pila.pop()
            nodos += 1
            if nodos > MAX_NODOS:
                raise Rechazo("complejo")
            if isinstance(nodo, pikepdf.Array):
                dentro: list[Any] = list(nodo)
            else:
                yield nodo
                dentro = [nodo.get(clave) for clave in nodo.keys()]  # noqa: SIM118, iterating a stream is an error
            pila += [hijo for hijo in dentro if isinstance(hijo, recipientes) and not hijo.is_indirect]


def _exigir_quieto(objeto: Any) -> None:
    """No program, no other file inside, nothing that starts by itself."""
    import pikepdf

    accion = str(objeto.get("/S", ""))
    if accion in ACCIONES or "/JS" in objeto or "/XFA" in objeto:
        raise Rechazo("activo")
    if accion == "/URI" and str(objeto.get("/URI", "")).strip().lower().startswith(ESQUEMAS):
        raise Rechazo("activo")
    if "/EF" in objeto or "/EmbeddedFiles" in objeto or str(objeto.get("/Type", "")) == "/EmbeddedFile":
        raise Rechazo("incrustado")
    if str(objeto.get("/Subtype", "")) in MEDIOS:
        raise Rechazo("incrustado")
    automaticas = [objeto.get("/OpenAction")]
    if isinstance(gatillos := objeto.get("/AA"), pikepdf.Dictionary):
        automaticas += [gatillos[clave] for clave in gatillos.keys()]  # noqa: SIM118
    for automatica in automaticas:
        if isinstance(automatica, pikepdf.Dictionary) and (
            str(automatica.get("/S", "")) not in AL_ABRIR or "/Next" in automatica
        ):
            raise Rechazo("activo")


def _desinflar(flujo: Any) -> int:
    """How many bytes come out of a stream, decoding it; of an image, only the declared size is looked at."""
    import pikepdf

    if str(flujo.get("/Subtype", "")) == "/Image":
        if int(flujo.get("/Width", 0)) * int(flujo.get("/Height", 0)) > MAX_PIXELES_EN_PDF:
            raise Rechazo("pixeles")
        return 0
    try:
        return len(flujo.read_bytes(pikepdf.StreamDecodeLevel.generalized))
    except pikepdf.PdfError as error:
        if "limit" in str(error) or "memory" in str(error):
            raise Rechazo("complejo") from error
        raise


# ── Images ────────────────────────────────────────────────────────────────────────────────────────


def _examinar_imagen(clase: str, contenido: bytes) -> tuple[dict[str, Any], bytes]:
    """The picture alone, upright, written anew: what a telephone adds (the place, the owner, a thumbnail of what was
    cut off) and what a stranger may have hidden after the picture stay out."""
    from PIL import Image, ImageOps

    if clase == "PNG" and not contenido.endswith(b"IEND\xaeB`\x82") and b"IEND\xaeB`\x82" in contenido:
        raise Rechazo("pegado")
    if clase == "WEBP" and len(contenido) > int.from_bytes(contenido[4:8], "little") + 9:
        raise Rechazo("pegado")
    Image.MAX_IMAGE_PIXELS = MAX_PIXELES
    try:
        imagen = Image.open(BytesIO(contenido), formats=[clase])
    except Image.DecompressionBombError as error:
        raise Rechazo("pixeles") from error
    with imagen:
        if imagen.width * imagen.height > MAX_PIXELES:  # as its header says, before anything is decoded
            raise Rechazo("pixeles")
        # A telephone's JPEG may carry a second picture (MPO) for depth: only the first counts.
        if clase != "JPEG" and getattr(imagen, "n_frames", 1) > 1:
            raise Rechazo("animada")
        imagen.load()
        with suppress(Exception):  # what EXIF says may be nonsense, and the picture good
            ImageOps.exif_transpose(imagen, in_place=True)
        perfil = imagen.info.get("icc_profile") or b""
        opciones: dict[str, Any] = {"icc_profile": perfil if len(perfil) <= MAX_PERFIL else None}
        imagen.info = {clave: valor for clave, valor in imagen.info.items() if clave == "transparency"}
        salida = BytesIO()
        if clase == "PNG" or imagen.has_transparency_data:
            imagen.save(salida, "PNG", compress_level=4, **opciones)
            return {"tipo": "image/png"}, salida.getvalue()
        # The tables that the camera used, where there are any: it loses next to nothing.
        imagen.save(salida, "JPEG", quality="keep" if imagen.format == "JPEG" else 92, **opciones)
        return {"tipo": "image/jpeg"}, salida.getvalue()


if __name__ == "__main__":
    acotar()
    dicho, imagen = examinar(sys.argv[1], sys.stdin.buffer.read())
    sys.stdout.buffer.write(json.dumps(dicho).encode() + b"\n" + imagen)

"""What people hand in: every hostile kind is refused in words that help, and nothing of it stays; the good is kept.

All files are made here, byte by byte where a library would refuse to write them.
"""

import functools
import hashlib
import io
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import weasyprint
from django import forms
from django.core.exceptions import ValidationError
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from expedientes import archivos, examen, services
from expedientes.archivos import CampoArchivo, CampoArchivos, limpiar_nombre, revisar
from expedientes.models import Adjunto, Evento, Expediente, Medida
from tests.builders import crear_caso, personas

MB = 1024**2
EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00" + bytes(200)


# ── Makers ────────────────────────────────────────────────────────────────────────────────────────


def pdf(*objetos: bytes, raiz: bytes = b"", version: str = "1.7", remolque: bytes = b"") -> bytes:
    """A PDF of one page written by hand; `raiz` goes into its catalog, `objetos` follow as 4, 5, 6…"""
    cuerpo = [
        b"<< /Type /Catalog /Pages 2 0 R " + raiz + b" >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        *objetos,
    ]
    return escribir(cuerpo, version=version, remolque=remolque)


def escribir(cuerpo: list[bytes], *, version: str = "1.7", remolque: bytes = b"") -> bytes:
    salida = bytearray(b"%PDF-" + version.encode() + b"\n%\xe2\xe3\xcf\xd3\n")
    lugares = []
    for n, objeto in enumerate(cuerpo, 1):
        lugares.append(len(salida))
        salida += b"%d 0 obj\n%s\nendobj\n" % (n, objeto)
    tabla = b"".join(b"%010d 00000 n \n" % lugar for lugar in lugares)
    total = len(cuerpo) + 1
    final = b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (total, remolque, len(salida))
    return bytes(salida) + b"xref\n0 %d\n0000000000 65535 f \n%s" % (total, tabla) + final


def flujo(datos: bytes, mas: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(datos), mas, datos)


def con_pikepdf(hacer: Callable[[pikepdf.Pdf], None], **guardar: Any) -> bytes:
    documento = pikepdf.new()
    documento.add_blank_page()
    hacer(documento)
    salida = io.BytesIO()
    documento.save(salida, **guardar)
    return salida.getvalue()


@functools.cache
def inflar(megas: int, delante: bytes = b"") -> bytes:
    """So many megabytes of spaces, deflated: about a thousandth of their size."""
    compresor = zlib.compressobj(9)
    pieza = b" " * MB
    piezas = [compresor.compress(delante), *(compresor.compress(pieza) for _mega in range(megas))]
    return b"".join(piezas) + compresor.flush()


def con_flujo_de_objetos(relleno: int) -> bytes:
    """Its objects lie in a compressed stream, which a reader inflates as soon as it looks for the pages."""
    cabeza = b"%PDF-1.7\n"
    paginas = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >> "
    indices = b"2 0 3 %d " % len(paginas)
    hoja = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    hinchado = inflar(relleno, indices.ljust(20) + paginas + hoja)
    objetos = (
        b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
        b"4 0 obj\n<< /Type /ObjStm /N 2 /First 20 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n"
        % (len(hinchado), hinchado),
    )
    uno, cuatro = len(cabeza), len(cabeza) + len(objetos[0])
    cinco = cuatro + len(objetos[1])
    filas = [(0, 0, 255), (1, uno, 0), (2, 4, 0), (2, 4, 1), (1, cuatro, 0), (1, cinco, 0)]
    tabla = b"".join(struct.pack(">BIB", *fila) for fila in filas)
    indice = b"<< /Type /XRef /Size 6 /W [1 4 1] /Root 1 0 R /Length %d >>\nstream\n%s\nendstream" % (len(tabla), tabla)
    return cabeza + b"".join(objetos) + b"5 0 obj\n" + indice + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % cinco


def trozo(clase: bytes, datos: bytes) -> bytes:
    return struct.pack(">I", len(datos)) + clase + datos + struct.pack(">I", zlib.crc32(clase + datos))


def png(ancho: int, alto: int, datos: bytes) -> bytes:
    cabeza = trozo(b"IHDR", struct.pack(">IIBBBBB", ancho, alto, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + cabeza + trozo(b"IDAT", datos) + trozo(b"IEND", b"")


def imagen(formato: str, modo: str = "RGB", lado: int = 64, **opciones: Any) -> bytes:
    salida = io.BytesIO()
    Image.new(modo, (lado, lado // 2), 1).save(salida, formato, **opciones)
    return salida.getvalue()


def cuadros(formato: str, cuantos: int, **opciones: Any) -> bytes:
    salida = io.BytesIO()
    primero, *resto = [Image.new("RGB", (8, 8), (n * 50 % 256, n, 0)) for n in range(cuantos)]
    primero.save(salida, formato, save_all=True, append_images=resto, duration=20, **opciones)
    return salida.getvalue()


def comprimido(nombre: str, contenido: bytes) -> bytes:
    salida = io.BytesIO()
    with zipfile.ZipFile(salida, "w") as archivo:
        archivo.writestr(nombre, contenido)
    return salida.getvalue()


def jpeg_de(ancho: int, alto: int) -> bytes:
    """A JPEG whose header promises that size."""
    real = imagen("JPEG")
    marca = real.index(b"\xff\xc0")
    return real[: marca + 5] + struct.pack(">HH", alto, ancho) + real[marca + 9 :]


def hoja_en_lo_hondo(niveles: int) -> bytes:
    """A page under so many nodes of the page tree."""
    cuerpo = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    for n in range(niveles):
        padre = b"/Parent %d 0 R" % (n + 1) if n else b""
        cuerpo.append(b"<< /Type /Pages /Kids [%d 0 R] /Count 1 %s >>" % (n + 3, padre))
    return escribir([*cuerpo, b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 9 9] >>" % (niveles + 1)])


def hojas(cuantas: int) -> bytes:
    hijas = b" ".join(b"%d 0 R" % (n + 3) for n in range(cuantas))
    return escribir(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%s] /Count %d >>" % (hijas, cuantas),
            *[b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"] * cuantas,
        ]
    )


def adjuntar(documento: pikepdf.Pdf) -> None:
    documento.attachments["virus.exe"] = EXE


def accion(nombre: bytes, mas: bytes = b"") -> bytes:
    return b"<< /Type /Action /S /%s %s >>" % (nombre, mas)


BUENO = pdf()
GUION = accion(b"JavaScript", b"/JS (app.alert\\(1\\))")
FOTO = imagen("JPEG")

# Name as it comes, why it is refused, its bytes.
HOSTILES: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    # Something else under a good name
    "exe": ("acta.pdf", "otro", lambda: EXE),
    "elf": ("foto.jpg", "otro", lambda: b"\x7fELF\x02\x01\x01" + bytes(100)),
    "guion_de_shell": ("acta.pdf", "otro", lambda: b"#!/bin/sh\nrm -rf /\n"),
    "html": ("acta.pdf", "otro", lambda: b"<!doctype html><script>alert(1)</script>"),
    "svg_con_guion": ("plano.png", "otro", lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    "xml_con_entidades": ("acta.pdf", "otro", lambda: b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    "texto": ("acta.txt", "otro", lambda: "Se cumplió el tratamiento.".encode()),
    "eicar": ("acta.pdf", "otro", lambda: b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-PRUEBA-ARCHIVO!$H+H*"),
    "php": ("foto.jpg", "otro", lambda: b"<?php system($_GET['c']); ?>"),
    "macho": ("acta.pdf", "otro", lambda: b"\xcf\xfa\xed\xfe" + bytes(64)),
    "clase_de_java": ("acta.pdf", "otro", lambda: b"\xca\xfe\xba\xbe" + bytes(64)),
    "postscript": ("acta.pdf", "otro", lambda: b"%!PS-Adobe-3.0\n(x) print\n"),
    "gzip": ("acta.pdf", "otro", lambda: b"\x1f\x8b\x08\x00" + bytes(64)),
    "solo_ceros": ("acta.pdf", "otro", lambda: bytes(4096)),
    "zip": ("acta.pdf", "office", lambda: comprimido("a.exe", EXE)),
    "docx": ("acta.docx", "office", lambda: comprimido("word/document.xml", b"<w:document/>")),
    "word_antiguo": ("acta.doc", "office", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)),
    "rtf": ("acta.rtf", "office", lambda: b"{\\rtf1 \\object}"),
    "vacio": ("acta.pdf", "vacio", lambda: b""),
    "21_mb": ("acta.pdf", "grande", lambda: BUENO + bytes(21 * MB)),
    # PDF that does something
    "pdf_javascript": ("a.pdf", "activo", lambda: pdf(GUION, raiz=b"/OpenAction 4 0 R")),
    "pdf_javascript_por_nombre": ("a.pdf", "activo", lambda: pdf(
        raiz=b"/Names << /JavaScript << /Names [(a) %s] >> >>" % GUION)),
    "pdf_javascript_sin_uso": ("a.pdf", "activo", lambda: pdf(GUION)),
    "pdf_javascript_en_lo_hondo": ("a.pdf", "activo", lambda: pdf(b"[" * 90 + GUION + b"]" * 90)),
    "pdf_javascript_escrito_en_hex": ("a.pdf", "activo", lambda: pdf(b"<< /S /J#61vaScript /J#53 (x) >>")),
    "pdf_javascript_comprimido": ("a.pdf", "activo", lambda: con_pikepdf(
        lambda p: p.Root.__setitem__("/X", p.make_indirect(pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="x"))),
        object_stream_mode=pikepdf.ObjectStreamMode.generate)),
    "pdf_enlace_con_guion": ("a.pdf", "activo", lambda: pdf(accion(b"URI", b"/URI (JavaScript:alert\\(1\\))"))),
    "pdf_launch": ("a.pdf", "activo", lambda: pdf(accion(b"Launch", b"/F (cmd.exe)"), raiz=b"/OpenAction 4 0 R")),
    "pdf_al_abrir_una_pagina_web": ("a.pdf", "activo", lambda: pdf(raiz=b"/OpenAction " + accion(b"URI", b"/URI (http://x)"))),
    "pdf_aa": ("a.pdf", "activo", lambda: pdf(raiz=b"/AA << /WC %s >>" % accion(b"URI", b"/URI (http://x)"))),
    "pdf_accion_encadenada": ("a.pdf", "activo", lambda: pdf(
        accion(b"URI", b"/URI (http://x)"), raiz=b"/OpenAction " + accion(b"GoTo", b"/Next 4 0 R"))),
    "pdf_formulario_que_envia": ("a.pdf", "activo", lambda: pdf(accion(b"SubmitForm", b"/F (http://x)"))),
    "pdf_otro_archivo_remoto": ("a.pdf", "activo", lambda: pdf(accion(b"GoToR", b"/F (\\\\\\\\mal\\\\a.pdf)"))),
    "pdf_xfa": ("a.pdf", "activo", lambda: pdf(flujo(b"<xdp/>"), raiz=b"/AcroForm << /Fields [] /XFA 4 0 R >>")),
    "pdf_archivo_incrustado": ("a.pdf", "incrustado", lambda: con_pikepdf(adjuntar)),
    "pdf_incrustado_sin_indice": ("a.pdf", "incrustado", lambda: pdf(flujo(EXE, b"/Type /EmbeddedFile"))),
    "pdf_video": ("a.pdf", "incrustado", lambda: pdf(b"<< /Type /Annot /Subtype /RichMedia >>")),
    "pdf_con_clave": ("a.pdf", "clave", lambda: con_pikepdf(
        lambda _p: None, encryption=pikepdf.Encryption(owner="d", user="u"))),
    # PDF that breaks its reader
    "pdf_solo_la_firma": ("a.pdf", "danado", lambda: b"%PDF-1.7"),
    "pdf_con_html": ("a.pdf", "danado", lambda: b"%PDF-1.4\n<script>alert(1)</script>\n%%EOF"),
    "pdf_truncado": ("a.pdf", "danado", lambda: con_pikepdf(lambda _p: None)[:-120]),
    "pdf_truncado_con_final": ("a.pdf", "danado", lambda: pdf(flujo(bytes(9000)))[:4000] + b"\n%%EOF"),
    "pdf_indice_roto": ("a.pdf", "danado", lambda: re.sub(rb"startxref\n\d+", b"startxref\n7", BUENO)),
    "pdf_indice_basura": ("a.pdf", "danado", lambda: re.sub(rb"\d{10} 00000 n", b"99\xff\x00\x01basura", BUENO)),
    "pdf_sin_raiz": ("a.pdf", "danado", lambda: BUENO.replace(b"/Root 1 0 R", b"/Root 9 0 R")),
    "pdf_sin_paginas": ("a.pdf", "sin_paginas", lambda: BUENO.replace(b"[3 0 R] /Count 1", b"[]      /Count 0")),
    "pdf_10000_paginas": ("a.pdf", "paginas", lambda: hojas(10_000)),
    "pdf_arbol_en_circulo": ("a.pdf", "danado", lambda: BUENO.replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]")),
    "pdf_arbol_de_50000_pisos": ("a.pdf", "danado", lambda: hoja_en_lo_hondo(50_000)),
    "pdf_anidado_5000_veces": ("a.pdf", "danado", lambda: pdf(b"[" * 5000 + b"]" * 5000)),
    "pdf_bomba_en_un_flujo": ("a.pdf", "complejo", lambda: pdf(flujo(inflar(200), b"/Filter /FlateDecode"))),
    "pdf_bomba_en_muchos": ("a.pdf", "complejo", lambda: pdf(*[flujo(inflar(100), b"/Filter /FlateDecode")] * 200)),
    "pdf_bomba_doble": ("a.pdf", "complejo", lambda: pdf(
        flujo(zlib.compress(inflar(200)), b"/Filter [/FlateDecode /FlateDecode]"))),
    "pdf_bomba_en_los_objetos": ("a.pdf", "danado", lambda: con_flujo_de_objetos(relleno=200)),
    "pdf_filtros_sin_fin": ("a.pdf", "danado", lambda: pdf(flujo(b"x", b"/Filter [%s]" % (b"/ASCIIHexDecode " * 900)))),
    "pdf_flujo_roto": ("a.pdf", "danado", lambda: pdf(flujo(b"esto no es zlib", b"/Filter /FlateDecode"))),
    "pdf_imagen_inmensa": ("a.pdf", "pixeles", lambda: pdf(
        flujo(b"", b"/Subtype /Image /Width 900000 /Height 900000"))),
    "pdf_imagen_absurda": ("a.pdf", "danado", lambda: pdf(flujo(b"", b"/Subtype /Image /Width /Ancho /Height [1]"))),
    "pdf_millones_de_nodos": ("a.pdf", "complejo", lambda: pdf(b"[" + b"[]" * 500_000 + b"]")),
    "pdf_dice_dos_cosas": ("a.pdf", "danado", lambda: pdf(b"<< /S /Launch /F (cmd.exe) /S /GoTo >>")),
    # Two things in one
    "pdf_y_zip": ("a.pdf", "pegado", lambda: BUENO + comprimido("a.exe", EXE)),
    "pdf_y_zip_antes_del_final": ("a.pdf", "pegado", lambda: BUENO + comprimido("a.exe", EXE) + b"\n%%EOF"),
    "pdf_y_exe": ("a.pdf", "pegado", lambda: BUENO + EXE),
    "pdf_y_html": ("a.pdf", "pegado", lambda: BUENO + b"<script>alert(1)</script>"),
    "exe_y_pdf": ("a.pdf", "otro", lambda: EXE + BUENO),
    "gif_y_javascript": ("a.gif", "imagen", lambda: b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)"),
    "png_y_exe": ("a.png", "pegado", lambda: imagen("PNG") + EXE),
    "png_y_zip": ("a.png", "pegado", lambda: imagen("PNG") + comprimido("a.exe", EXE)),
    "jpeg_y_zip": ("a.jpg", "pegado", lambda: FOTO + comprimido("a.jar", EXE)),
    "webp_y_exe": ("a.webp", "pegado", lambda: imagen("WEBP") + EXE),
    # Images
    "gif": ("a.gif", "imagen", lambda: imagen("GIF", "P")),
    "gif_con_otro_nombre": ("a.png", "imagen", lambda: imagen("GIF", "P")),
    "tiff": ("a.tif", "imagen", lambda: imagen("TIFF")),
    "bmp": ("a.bmp", "imagen", lambda: imagen("BMP")),
    "ico": ("a.ico", "imagen", lambda: imagen("ICO")),
    "heic": ("IMG_0001.HEIC", "heif", lambda: b"\x00\x00\x00\x18ftypheic" + bytes(64)),
    "avif": ("a.avif", "heif", lambda: b"\x00\x00\x00\x18ftypavif" + bytes(64)),
    "video": ("a.mp4", "otro", lambda: b"\x00\x00\x00\x18ftypisom" + bytes(64)),
    "png_bomba": ("a.png", "pixeles", lambda: png(60_000, 60_000, inflar(10))),
    "png_bomba_menor": ("a.png", "pixeles", lambda: png(9_000, 9_000, inflar(240))),
    "png_negativo": ("a.png", "foto_danada", lambda: png(0, 0, zlib.compress(b""))),
    "png_truncado": ("a.png", "foto_danada", lambda: imagen("PNG", lado=600)[:60]),
    "png_datos_rotos": ("a.png", "foto_danada", lambda: png(50, 50, b"esto no es zlib")),
    "png_solo_la_firma": ("a.png", "foto_danada", lambda: b"\x89PNG\r\n\x1a\n"),
    "png_texto_bomba": ("a.png", "foto_danada", lambda: imagen("PNG").replace(
        trozo(b"IEND", b""), trozo(b"zTXt", b"a\0\0" + inflar(100)) * 3 + trozo(b"IEND", b""))),
    "apng": ("a.png", "animada", lambda: cuadros("PNG", 200)),
    "webp_animada": ("a.webp", "animada", lambda: cuadros("WEBP", 5)),
    "webp_cortada": ("a.webp", "foto_danada", lambda: imagen("WEBP", lado=400)[:40]),
    "jpeg_truncado": ("a.jpg", "foto_danada", lambda: imagen("JPEG", lado=900)[:-400]),
    "jpeg_solo_la_firma": ("a.jpg", "foto_danada", lambda: b"\xff\xd8\xff"),
    "jpeg_con_guion": ("a.jpg", "foto_danada", lambda: b"\xff\xd8\xff<script>alert(1)</script>"),
    "jpeg_inmenso": ("a.jpg", "pixeles", lambda: jpeg_de(65_500, 65_500)),
    # Names
    "nombre_con_carpetas": ("../../../etc/passwd", "otro", lambda: b"x"),
    "nombre_con_nul": ("acta.pdf\0.exe", "otro", lambda: b"x"),
    "nombre_al_reves": ("acta\u202efdp.exe", "otro", lambda: EXE),
    "nombre_de_5000": ("a" * 5000 + ".pdf", "otro", lambda: b"x"),
    "nombre_con_salto": ("acta.pdf\r\nSet-Cookie: a=b", "otro", lambda: b"x"),
    "nombre_con_guion": ("<script>alert(1)</script>.pdf", "otro", lambda: b"x"),
    "nombre_con_formato": ("%(clave)s %s {0}.pdf", "otro", lambda: b"x"),
}  # fmt: skip


@pytest.fixture(scope="module")
def hechos() -> dict[str, bytes]:
    """Each is made once: some take a second."""
    return {}


def hacer(clase: str, hechos: dict[str, bytes]) -> bytes:
    if clase not in hechos:
        hechos[clase] = HOSTILES[clase][2]()
    return hechos[clase]


# ── Hostile ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def inspector(client: Client, certificado: Path) -> Client:
    client.force_login(personas()["inspector"])
    client.raise_request_exception = False
    return client


def url_de_cumplir(expediente: Expediente) -> str:
    return reverse("partida_cumplir_medida", args=[expediente.numero, 1])


def cumplir(navegador: Client, expediente: Expediente, nombre: str, contenido: bytes, dice_ser: str = "") -> Any:
    subido = SimpleUploadedFile(nombre, contenido, content_type=dice_ser or "application/pdf")
    return navegador.post(url_de_cumplir(expediente), {"acta": "ACTA-1", "texto": "Hecho.", "evidencia": subido})


def guardados() -> list[str]:
    almacen = storages["adjuntos"]
    return [ruta.name for ruta in Path(almacen.location).rglob("*") if ruta.is_file()]


@pytest.mark.django_db
def test_evidencia_hostil_se_rechaza_y_no_deja_nada(inspector: Client) -> None:
    """Through the real act: never a 5xx, never a row, a message in Spanish that names the file, nothing typed lost."""
    expediente = crear_caso("en_medida", valor="positivo").expediente
    antes = (Adjunto.objects.count(), Evento.objects.count(), guardados())
    mal = []
    for clase, (nombre, motivo, fabricar) in HOSTILES.items():
        comienzo = time.monotonic()
        respuesta = cumplir(inspector, expediente, nombre, fabricar())
        tardo = time.monotonic() - comienzo
        if respuesta.status_code != 422:
            mal.append((clase, respuesta.status_code))
            continue
        form = respuesta.context["form"]
        (error,) = form.errors["evidencia"].as_data()
        dicho = error.messages[0]
        bien = (
            error.code == motivo
            and dicho.startswith("«")
            and dicho.endswith(".")
            and not set(dicho) & set("\r\n\0\u202e")
            and len(dicho) < 400
            and form["acta"].value() == "ACTA-1"
            and list(form.errors) == ["evidencia"]
            and "<script>alert" not in respuesta.content.decode()
            and tardo < archivos.ESPERA + 5
        )
        if not bien:
            mal.append((clase, error.code, dicho, round(tardo, 1)))
    assert mal == []
    assert (Adjunto.objects.count(), Evento.objects.count(), guardados()) == antes
    assert Medida.objects.get().cumplida_en is None
    assert len(HOSTILES) >= 40


@pytest.mark.parametrize("clase", ["pdf_launch", "png_y_exe", "jpeg_truncado", "html"])
def test_revisar_dice_lo_mismo_fuera_de_un_formulario(clase: str) -> None:
    nombre, motivo, fabricar = HOSTILES[clase]
    with pytest.raises(ValidationError) as rechazo:
        revisar(nombre, fabricar())
    assert rechazo.value.code == motivo


def test_cada_motivo_tiene_su_prueba() -> None:
    assert {motivo for _nombre, motivo, _fabricar in HOSTILES.values()} == set(archivos.MOTIVOS)


@pytest.mark.parametrize(
    "estropear",
    ["import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "while True: pass", "x = bytes(8 * 1024**3)"],
)
def test_revisar_cuando_la_biblioteca_cae(estropear: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that crashes, never ends or wants all the memory harms nobody but its own process."""
    examen_malo = tmp_path / "examen.py"
    fuente = Path(examen.__file__).read_text().replace("SEGUNDOS = 10", "SEGUNDOS = 1")
    examen_malo.write_text(fuente.replace("    dicho, imagen = ", f"    {estropear}\n    dicho, imagen = "))
    monkeypatch.setattr(archivos, "EXAMEN", examen_malo)
    with pytest.raises(ValidationError) as rechazo:
        revisar("acta.pdf", BUENO)
    assert rechazo.value.code == "complejo"


def test_revisar_no_espera_a_un_proceso_que_duerme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dormido = tmp_path / "examen.py"
    dormido.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(archivos, "EXAMEN", dormido)
    monkeypatch.setattr(archivos, "ESPERA", 0.5)
    with pytest.raises(ValidationError, match="demasiado complejo"):
        revisar("acta.pdf", BUENO)


def test_el_examen_no_conoce_claves_ni_escribe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    espia = tmp_path / "examen.py"
    fuente = Path(examen.__file__).read_text()
    mirar = (
        "    import os\n"
        "    assert not [v for v in os.environ if 'CLAVE' in v or 'KEY' in v or 'DATABASE' in v]\n"
        f"    os.write(os.open({str(tmp_path / 'hueco')!r}, os.O_CREAT | os.O_WRONLY), b'x')\n"
        "    dicho, imagen = "
    )
    espia.write_text(fuente.replace("    dicho, imagen = ", mirar))
    monkeypatch.setattr(archivos, "EXAMEN", espia)
    with pytest.raises(ValidationError, match="demasiado complejo"):
        revisar("acta.pdf", BUENO)
    assert (tmp_path / "hueco").read_text() == ""  # the variables were not there; the write was refused


# ── Good ──────────────────────────────────────────────────────────────────────────────────────────


def escaneado(version: str) -> bytes:
    """As scanners write them: a page that is one JPEG."""
    foto = imagen("JPEG", "L", 400)
    xobjeto = flujo(foto, b"/Type /XObject /Subtype /Image /Width 400 /Height 200 /ColorSpace /DeviceGray "
                          b"/BitsPerComponent 8 /Filter /DCTDecode")  # fmt: skip
    recursos = b"/Resources << /XObject << /F 5 0 R >> >>"
    hoja = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R %s >>" % recursos
    return escribir(
        [
            b"<< /Type /Catalog /Pages 2 0 R /OpenAction [3 0 R /Fit] >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            hoja,
            flujo(zlib.compress(b"q 595 0 0 842 0 0 cm /F Do Q"), b"/Filter /FlateDecode"),
            xobjeto,
        ],
        version=version,
    )


BUENOS: dict[str, Callable[[], bytes]] = {
    **{f"pdf_{version}": functools.partial(escaneado, version) for version in ("1.4", "1.5", "1.6", "1.7", "2.0")},
    "pdf_a": lambda: weasyprint.HTML(string="<h1 lang=es>Acta</h1>").write_pdf(pdf_variant="pdf/a-2b"),
    "pdf_con_formulario": lambda: weasyprint.HTML(string="<input name=a>").write_pdf(pdf_forms=True),
    "pdf_con_enlaces": lambda: weasyprint.HTML(string="<a href='https://example.com'>x</a>").write_pdf(),
    "pdf_con_objetos_comprimidos": lambda: con_flujo_de_objetos(relleno=0),
    "pdf_linealizado": lambda: con_pikepdf(lambda _p: None, linearize=True),
    "pdf_protegido_solo_contra_cambios": lambda: con_pikepdf(
        lambda _p: None, encryption=pikepdf.Encryption(owner="dueño", user="")),
    "pdf_de_500_paginas": lambda: hojas(500),
    "pdf_con_arbol_de_tres_pisos": lambda: hoja_en_lo_hondo(3),
    "pdf_con_espacios_al_final": lambda: BUENO + b"\r\n\0\0",
    "pdf_revisado": lambda: BUENO + BUENO[BUENO.index(b"xref") :].replace(
        b"startxref\n%d" % BUENO.index(b"xref"), b"startxref\n%d" % len(BUENO)),
}  # fmt: skip


@pytest.mark.parametrize("clase", BUENOS)
def test_revisar_un_pdf_lo_deja_como_vino(clase: str) -> None:
    contenido = BUENOS[clase]()
    archivo = revisar("Acta N.º 12.PDF", contenido)
    assert (archivo.nombre, archivo.tipo) == ("Acta N.º 12.PDF", "application/pdf")
    assert archivo.contenido == contenido
    assert archivo.recibido == hashlib.sha256(contenido).hexdigest()


def con_gps(formato: str, orientacion: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientacion
    exif[0x010F] = "Telefono de Juan"
    exif.get_ifd(0x8825)[1] = "S"
    exif.get_ifd(0x8825)[2] = (12.0, 3.0, 7.0)
    mitades = Image.new("RGB", (80, 40), "red")
    mitades.paste("blue", (40, 0, 80, 40))
    salida = io.BytesIO()
    mitades.save(salida, formato, exif=exif, quality=95)
    return salida.getvalue()


def abrir(contenido: bytes) -> Image.Image:
    return Image.open(io.BytesIO(contenido))


@pytest.mark.parametrize(("formato", "tipo"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/jpeg")])
def test_revisar_una_foto_la_endereza_y_le_quita_el_lugar(formato: str, tipo: str) -> None:
    contenido = con_gps(formato, 6)  # the telephone was held upright
    archivo = revisar("foto", contenido)
    assert archivo.tipo == tipo
    guardada = abrir(archivo.contenido)
    assert guardada.size == (40, 80)
    arriba, abajo = (guardada.convert("RGB").getpixel((20, y)) for y in (10, 70))
    assert isinstance(arriba, tuple)
    assert isinstance(abajo, tuple)
    assert (arriba[0] > 200, abajo[2] > 200) == (True, True)
    assert dict(guardada.getexif()) == {}
    assert b"Telefono" not in archivo.contenido
    # What was handed in can still be told by whoever has the original.
    assert archivo.recibido == hashlib.sha256(contenido).hexdigest()


def test_revisar_una_foto_conserva_su_calidad() -> None:
    ruido = Image.effect_noise((300, 200), 60)
    salida = io.BytesIO()
    ruido.save(salida, "JPEG", quality=60)
    guardada = abrir(revisar("a.jpg", salida.getvalue()).contenido)
    assert guardada.quantization == abrir(salida.getvalue()).quantization


@pytest.mark.parametrize("modo", ["RGBA", "LA", "P", "1", "L", "I;16"])
def test_revisar_un_png_de_cualquier_modo(modo: str) -> None:
    archivo = revisar("a.png", imagen("PNG", modo, **({"transparency": 0} if modo == "P" else {})))
    guardada = abrir(archivo.contenido)
    assert (guardada.format, guardada.mode) == ("PNG", modo)
    assert ("transparency" in guardada.info) == (modo == "P")


def test_revisar_un_webp_con_transparencia_queda_en_png() -> None:
    assert revisar("a.webp", imagen("WEBP", "RGBA")).tipo == "image/png"


def test_revisar_un_jpeg_cmyk() -> None:
    assert abrir(revisar("a.jpg", imagen("JPEG", "CMYK")).contenido).mode == "CMYK"


def test_revisar_una_foto_con_otra_detras_se_queda_con_la_primera() -> None:
    """As telephones do it for depth (MPO) or a short film after the photo."""
    salida = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(salida, "MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    for contenido in (salida.getvalue(), FOTO + b"\x00\x00\x00\x18ftypmp42" + EXE):
        archivo = revisar("foto.jpg", contenido)
        assert archivo.tipo == "image/jpeg"
        assert abrir(archivo.contenido).format == "JPEG"
        assert EXE[:16] not in archivo.contenido


def test_revisar_una_foto_con_un_exif_desmedido() -> None:
    segmentos = b"".join(
        b"\xff\xe1" + struct.pack(">H", 65_535) + b"Exif\0\0II*\0" + b"\xff" * 65_523 for _ in range(150)
    )
    archivo = revisar("a.jpg", FOTO[:2] + segmentos + FOTO[2:])
    assert len(archivo.contenido) < 5_000


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("contenido", "nombre", "tipo"),
    [(escaneado("1.4"), "acta firmada.pdf", "application/pdf"), (con_gps("JPEG", 8), "foto.png.jpg", "image/jpeg")],
)
def test_evidencia_buena_se_guarda_y_se_baja(inspector: Client, contenido: bytes, nombre: str, tipo: str) -> None:
    expediente = crear_caso("en_medida", valor="positivo").expediente
    subido = nombre.replace(".png.jpg", ".png")  # called what it is not
    assert cumplir(inspector, expediente, f"C:\\fotos\\{subido}", contenido, "text/html").status_code == 302
    adjunto = Medida.objects.get().evidencia
    assert adjunto
    assert (adjunto.nombre, adjunto.tipo) == (nombre, tipo)
    assert re.fullmatch(r"\d{4}/\d\d/[0-9a-f]{32}", adjunto.archivo.name)
    guardado = adjunto.archivo.open().read()
    assert adjunto.sha256 == hashlib.sha256(guardado).hexdigest()
    evento = expediente.bitacora.get(accion="cumplir_medida")
    assert evento.datos["evidencia"] == adjunto.sha256
    assert evento.datos["evidencia_recibida"] == hashlib.sha256(contenido).hexdigest()
    bajada = inspector.get(reverse("adjunto", args=[expediente.numero, adjunto.pk]))
    assert b"".join(bajada.streaming_content) == guardado
    assert bajada["Content-Type"] == tipo
    assert bajada["Content-Disposition"] == f'attachment; filename="{nombre}"'
    assert bajada["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert bajada["Cache-Control"] == "private, no-store"
    assert bajada["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
def test_adjunto_cuyo_archivo_falta_no_es_un_error_del_servidor(inspector: Client) -> None:
    expediente = crear_caso("registrado").expediente
    fila = services.guardar_adjunto(expediente, revisar("a.pdf", BUENO), None)
    fila.archivo.storage.delete(fila.archivo.name)
    assert inspector.get(reverse("adjunto", args=[expediente.numero, fila.pk])).status_code == 503


@pytest.mark.django_db
def test_adjunto_de_un_tipo_que_ya_no_se_admite_sale_como_bytes(inspector: Client) -> None:
    expediente = crear_caso("registrado").expediente
    fila = services.guardar_adjunto(expediente, revisar("a.pdf", BUENO), None)
    Adjunto.objects.filter(pk=fila.pk).update(tipo="text/html", nombre='a"\r\nX-Mal: 1;.html')
    bajada = inspector.get(reverse("adjunto", args=[expediente.numero, fila.pk]))
    assert bajada["Content-Type"] == "application/octet-stream"
    assert bajada["Content-Disposition"].startswith("attachment")
    assert "X-Mal" not in bajada


# ── Names ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("viene", "queda"),
    [
        ("acta.pdf", "acta.pdf"),
        ("ACTA.PDF", "ACTA.PDF"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\juan\\acta.pdf", "acta.pdf"),
        ("acta.pdf\0.exe", "acta.pdf.exe.pdf"),
        ("acta\u202efdp.exe", "actafdp.exe.pdf"),
        ("acta\u200b\ufeff.pdf", "acta.pdf"),
        ("acta\r\nSet-Cookie: a.pdf", "acta Set-Cookie_ a.pdf"),
        ("  acta \t  2 .pdf ", "acta 2 .pdf"),
        ("certificado.html", "certificado.html.pdf"),
        ("inspección 🍇 nº 3.pdf", "inspección 🍇 nº 3.pdf"),
        ("N\u0303andu\u0301.pdf", "Ñandú.pdf"),
        ('a"b<c>|*?.pdf', "a_b_c____.pdf"),
        ("", "archivo.pdf"),
        ("...", "archivo.pdf"),
        ("/", "archivo.pdf"),
        ("\u202e\0\n", "archivo.pdf"),
        ("a" * 5000 + ".pdf", "a" * 156 + ".pdf"),
        ("a" * 5000, "a" * 156 + ".pdf"),
        ("." * 300 + "x" * 300 + ".pdf", "x" * 156 + ".pdf"),
    ],
)
def test_limpiar_nombre(viene: str, queda: str) -> None:
    assert limpiar_nombre(viene, "application/pdf") == queda


@pytest.mark.django_db
def test_evidencia_sin_nombre_ni_archivo_no_es_un_adjunto(inspector: Client) -> None:
    """A browser sends an empty part for a box left alone; Django takes no part without a name for a file."""
    expediente = crear_caso("en_medida", valor="positivo").expediente
    cuerpo = (
        b'--x\r\nContent-Disposition: form-data; name="acta"\r\n\r\nA-1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="evidencia"; filename=""\r\n\r\n' + EXE + b"\r\n--x--\r\n"
    )
    respuesta = inspector.post(url_de_cumplir(expediente), cuerpo, content_type="multipart/form-data; boundary=x")
    assert respuesta.status_code == 302
    assert guardados() == []


# ── Several at once, and too much ─────────────────────────────────────────────────────────────────


class Envio(forms.Form):
    documentos = CampoArchivos(label="Documentos")
    foto = CampoArchivo(label="Foto", required=False)


def enviar(*documentos: tuple[str, bytes]) -> Envio:
    from django.utils.datastructures import MultiValueDict

    subidos = [SimpleUploadedFile(nombre, contenido) for nombre, contenido in documentos]
    return Envio({}, MultiValueDict({"documentos": subidos}))


def test_campo_de_varios_archivos() -> None:
    form = enviar(("a.pdf", BUENO), ("b.jpg", FOTO))
    assert form.is_valid()
    assert [(a.nombre, a.tipo) for a in form.cleaned_data["documentos"]] == [
        ("a.pdf", "application/pdf"),
        ("b.jpg", "image/jpeg"),
    ]
    assert form.cleaned_data["foto"] is None
    assert 'accept="application/pdf,image/jpeg,image/png,image/webp"' in str(form["foto"])
    assert "multiple" in str(form["documentos"])


def test_campo_de_varios_archivos_dice_todos_los_que_no_pasan() -> None:
    form = enviar(("a.pdf", BUENO), ("b.exe", EXE), ("c.docx", b"PK\x03\x04"))
    assert not form.is_valid()
    assert [dicho.split("»")[0] for dicho in form.errors["documentos"]] == ["«b.exe", "«c.docx"]


def test_campo_de_varios_archivos_sin_ninguno() -> None:
    assert list(enviar().errors) == ["documentos"]


def test_campo_de_varios_archivos_con_demasiados(settings: Any) -> None:
    form = enviar(*[("a.pdf", BUENO)] * (settings.ARCHIVOS_MAX + 1))
    assert form.errors["documentos"] == ["Son 6 archivos y se admiten hasta 5 cada vez: envíe los demás después."]


def test_campo_de_varios_archivos_que_juntos_pesan_demasiado(settings: Any) -> None:
    settings.ENVIO_MAX_MB = 1
    form = enviar(("a.jpg", bytes(600_000)), ("b.jpg", bytes(600_000)))
    assert form.errors["documentos"] == ["Los archivos pesan juntos más de 1 MB: envíe una parte después."]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "cuerpo",
    [
        {"acta": "A-1", "relleno": "x" * (6 * MB)},  # typed
        {f"campo{n}": "x" for n in range(2000)},
        {f"archivo{n}": SimpleUploadedFile("a.pdf", b"x") for n in range(150)},
        {"evidencia": SimpleUploadedFile("a.pdf", bytes(50 * MB))},
    ],
    ids=["texto", "campos", "archivos", "peso"],
)
def test_una_peticion_desmedida_se_rechaza_con_una_pagina(inspector: Client, cuerpo: dict[str, Any]) -> None:
    expediente = crear_caso("en_medida", valor="positivo").expediente
    respuesta = inspector.post(url_de_cumplir(expediente), cuerpo)
    assert respuesta.status_code == 413
    assert "pesan juntos 40\xa0MB como máximo" in respuesta.content.decode()
    assert "data-aparte" in respuesta.content.decode()  # so that the draft of what was typed stays
    assert "default-src 'none'" in respuesta["Content-Security-Policy"]
    assert Medida.objects.get().cumplida_en is None


@pytest.mark.django_db
def test_una_peticion_sin_sentido_sigue_siendo_un_400(inspector: Client) -> None:
    respuesta = inspector.get("/", headers={"host": "otro.example"})
    assert respuesta.status_code == 400
    assert "No se entendió" in respuesta.content.decode()


# ── The house ─────────────────────────────────────────────────────────────────────────────────────


def test_nadie_mas_hace_un_archivo_nuevo() -> None:
    """One home for the rule: what is attached to a case has passed through `archivos`."""
    raiz = Path(archivos.__file__).parents[1]
    otros = [
        ruta.relative_to(raiz).as_posix()
        for app in ("senasa", "notificaciones", "expedientes", "laboratorio", "indicadores", "gestion", "dashboard")
        for ruta in (raiz / app).rglob("*.py")
        if re.search(r"(?<!class )ArchivoNuevo\(", ruta.read_text())
    ]
    assert otros == ["expedientes/archivos.py"]

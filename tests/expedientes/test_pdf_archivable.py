"""Issued documents can be kept for decades and read aloud: what PDF/A-3a (ISO 19005-3) asks, looked up in signed files.

veraPDF, the reference validator, is in none of the registries that this project may use; the rules that our
documents could break are looked at here one by one, by another library than the one that wrote them.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from expedientes import documentos
from expedientes.models import Documento
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def emitidos(certificado: Path, una_vez: None) -> dict[str, bytes]:
    suyos = Documento.objects.filter(expediente=crear_caso("con_riv").expediente)
    return {documento.tipo: documentos.leer(documento) for documento in suyos}


@pytest.fixture(params=["informe", "riv"])
def pdf(request: pytest.FixtureRequest, emitidos: dict[str, bytes]) -> Any:
    with pikepdf.open(BytesIO(emitidos[request.param])) as abierto:
        yield abierto


def diccionarios(pdf: Any) -> list[Any]:
    return [uno for uno in pdf.objects if isinstance(uno, (pikepdf.Dictionary, pikepdf.Stream))]


def estructura(pdf: Any) -> list[Any]:
    """Every element of the structure tree, in reading order."""
    pila, todos = [pdf.Root.StructTreeRoot], []
    while pila:
        elemento = pila.pop()
        hijos = elemento.get("/K", [])
        hijos = list(hijos) if isinstance(hijos, pikepdf.Array) else [hijos]
        dentro = [hijo for hijo in hijos if isinstance(hijo, pikepdf.Dictionary) and "/S" in hijo]
        todos += dentro
        pila += reversed(dentro)
    return todos


def test_dice_que_es_pdf_a_3a(pdf: Any) -> None:
    metadatos = pdf.open_metadata()
    assert (metadatos["pdfaid:part"], metadatos["pdfaid:conformance"]) == ("3", "A")
    assert metadatos["dc:title"] == str(pdf.docinfo["/Title"])
    assert len(pdf.trailer["/ID"]) == 2
    assert "/Encrypt" not in pdf.trailer


def test_los_colores_tienen_su_perfil(pdf: Any) -> None:
    (intencion,) = pdf.Root.OutputIntents
    assert str(intencion.S) == "/GTS_PDFA1"
    assert intencion.DestOutputProfile.read_bytes()[36:40] == b"acsp"
    assert int(intencion.DestOutputProfile.N) == 3


def test_las_letras_van_dentro_y_se_pueden_leer(pdf: Any) -> None:
    fuentes = [uno for uno in diccionarios(pdf) if str(uno.get("/Type", "")) == "/Font"]
    descritas = [uno for uno in fuentes if "/FontDescriptor" in uno]
    assert len(descritas) >= 2
    for fuente in descritas:
        assert {"/FontFile2", "/FontFile3"} & set(fuente.FontDescriptor.keys()), fuente.BaseFont
    de_texto = [uno for uno in fuentes if str(uno.Subtype) == "/Type0"]
    assert de_texto
    assert all("/ToUnicode" in uno for uno in de_texto)


def test_nada_se_mueve_ni_se_esconde(pdf: Any) -> None:
    assert not {"/OpenAction", "/AA", "/Collection"} & set(pdf.Root.keys())
    for uno in diccionarios(pdf):
        assert not {"/JS", "/Launch", "/AA", "/XFA", "/EF"} & set(uno.keys())
        assert str(uno.get("/Filter", "")) != "/LZWDecode"
        if str(uno.get("/Subtype", "")) in ("/Widget", "/Link"):  # printed, never hidden
            assert int(uno.F) & 4
            assert not int(uno.F) & (1 | 2 | 32)


def test_quien_escucha_lo_sigue_en_orden(pdf: Any) -> None:
    assert bool(pdf.Root.MarkInfo.Marked)
    assert str(pdf.Root.Lang) == "es"
    elementos = estructura(pdf)
    clases = [str(uno.S) for uno in elementos]
    assert clases.index("/H1") < clases.index("/Table")
    assert clases.count("/H1") == 1
    celdas = [uno for uno in elementos if str(uno.S) == "/TH"]
    assert celdas
    # Every cell of data says under which heading it stands: that of its row or that of its column.
    for uno in elementos:
        if str(uno.S) == "/TD":
            atributos = uno.A if isinstance(uno.A, pikepdf.Array) else [uno.A]
            assert any(len(a.get("/Headers", [])) for a in atributos)

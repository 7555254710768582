"""PDFs take nothing from the disk or the network, whatever a text asks for."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from expedientes import pdf


@pytest.fixture
def componer(tmp_path: Path, settings: Any) -> Any:
    """`componer` over a template written on the spot."""
    motor = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**motor, "DIRS": [tmp_path, *motor["DIRS"]]}]

    def _componer(html: str, **contexto: Any) -> bytes:
        (tmp_path / "prueba.html").write_text(html)
        return pdf.componer("prueba.html", contexto)

    return _componer


@pytest.mark.parametrize(
    "etiqueta",
    [
        "<link rel=attachment href='{url}'>",
        "<a rel=attachment href='{url}'>x</a>",
        "<img src='{url}'>",
        "<link rel=stylesheet href='{url}'>",
        "<style>@import '{url}'</style>",
        "<style>@font-face {{ font-family: x; src: url({url}) }} p {{ font-family: x }}</style><p>x",
        "<object data='{url}'></object>",
        "<svg><image href='{url}' width='9' height='9'/></svg>",
        "<p style='background: url({url})'>x",
    ],
)
def test_nada_local_entra_en_un_pdf(componer: Any, tmp_path: Path, etiqueta: str) -> None:
    secreto = tmp_path / "secreto.txt"
    secreto.write_text("p { color: red } SECRETO-DE-PRUEBA")
    salida = componer(f"<title>x</title><p>hola</p>{etiqueta.format(url=secreto.as_uri())}")
    assert salida.startswith(b"%PDF")
    with pikepdf.open(BytesIO(salida)) as abierto:
        assert dict(abierto.attachments) == {}
        for objeto in abierto.objects:
            if isinstance(objeto, pikepdf.Stream):
                assert b"SECRETO-DE-PRUEBA" not in objeto.read_bytes()


def test_lo_que_alguien_escribe_no_es_html(componer: Any) -> None:
    limpio = componer("<p>{{ texto }}", texto="hola")
    sucio = componer("<p>{{ texto }}", texto="<link rel=attachment href='file:///etc/passwd'><h1>hola</h1>")
    with pikepdf.open(BytesIO(limpio)) as uno, pikepdf.open(BytesIO(sucio)) as otro:
        assert dict(otro.attachments) == {}
        assert len(uno.pages) == len(otro.pages) == 1


def test_qr_es_un_dibujo_en_la_misma_pagina_y_escapa() -> None:
    dibujo = pdf.qr("https://senasa.example/verificar/AAAA-BBBB-CCCC-DDDD/")
    assert dibujo.startswith("<svg")
    assert "href" not in dibujo
    assert pdf.qr("otro") != dibujo
    assert "<script" not in pdf.qr("<script>alert(1)</script>")


def test_url_de_verificacion_es_la_publica(settings: Any) -> None:
    settings.SITIO_URL = "https://senasa.example"
    assert pdf.url_de_verificacion("AAAA-BBBB") == "https://senasa.example/verificar/AAAA-BBBB/"


def test_componer_pone_titulo_y_lengua(componer: Any) -> None:
    salida = componer("<html lang=es><title>Informe {{ n }}</title><p>{{ dia|date:'Y' }}", n=7, dia=datetime.now(UTC))
    with pikepdf.open(BytesIO(salida)) as abierto:
        assert str(abierto.docinfo["/Title"]) == "Informe 7"
        assert str(abierto.Root["/Lang"]) == "es"

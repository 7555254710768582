"""Tables as files: nothing that somebody typed becomes a formula, and what was typed is still there."""

import csv
import io
from datetime import UTC, datetime

import openpyxl
import pytest

from senasa.tablas import csv_de, xlsx_de

HOSTILES = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\0x",
    '=HYPERLINK("http://x","y")',
    "Ñusta; «S.A.C.»",
    "a\nb",
]
CUANDO = datetime(2026, 11, 27, 4, 30, tzinfo=UTC)  # the day before, in Lima


def test_un_csv_sale_por_partes_y_ninguna_celda_es_formula():
    pedidas = []

    def filas():
        for texto in HOSTILES:
            pedidas.append(texto)
            yield [texto, 7, CUANDO, None]

    respuesta = csv_de("casos", ["Texto", "Número", "Cuándo", "Nada"], filas())
    partes = iter(respuesta.streaming_content)
    next(partes)
    assert pedidas == []  # nothing was read before it was asked for
    texto = b"".join([respuesta.make_bytes("\ufeff"), *partes]).decode("utf-8-sig")
    leidas = list(csv.reader(io.StringIO(texto, newline=""), delimiter=";"))
    assert [fila[0] for fila in leidas] == [f"'{t}" if t[0] in "=+-@\t\r\0" else t for t in HOSTILES]
    assert leidas[0][1:] == ["7", "2026-11-26 23:30", ""]
    assert respuesta["Content-Disposition"] == 'attachment; filename="casos.csv"'


@pytest.mark.parametrize("texto", HOSTILES)
def test_en_un_xlsx_todo_texto_es_texto(texto):
    respuesta = xlsx_de("casos", ["Texto", "Número", "Cuándo"], [[texto, 7, CUANDO]])
    hoja = openpyxl.load_workbook(io.BytesIO(b"".join(respuesta.streaming_content))).active
    celda, numero, cuando = hoja[2]
    assert (celda.data_type, numero.value, f"{cuando.value:%d/%m %H:%M}") == ("s", 7, "26/11 23:30")
    assert celda.value == texto.replace("\0", "").replace("\r", "\n") or celda.value == texto.replace("\0", "")

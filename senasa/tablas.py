"""A table as a file, for whoever goes on working in a spreadsheet: CSV and XLSX that run no formula of anybody's.

What people type ends in cells; a spreadsheet takes a text that begins with `=` for a program. Source: OWASP, «CSV
Injection».
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import Any

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\0")
# What no XML may hold, and so no XLSX.
PROHIBIDOS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SEPARADOR = ";"  # as Excel in Peru reads and writes it

Celda = str | int | float | Decimal | datetime | None
Fila = Sequence[Celda]


def seguro(celda: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{celda}" if celda.startswith(FORMULAS) else celda


class _Eco:
    """What `csv.writer` writes on: it gives each line back at once."""

    def write(self, linea: str) -> str:
        return linea


def _en_csv(valor: Celda) -> Any:
    if isinstance(valor, str):
        return seguro(valor)
    return f"{timezone.localtime(valor):%Y-%m-%d %H:%M}" if isinstance(valor, datetime) else valor


def csv_de(nombre: str, columnas: Sequence[str], filas: Iterable[Fila]) -> HttpResponse:
    """`nombre`.csv, sent row by row as `filas` gives them; hours in Lima. UTF-8 with its mark: Excel asks for it."""
    escritor = csv.writer(_Eco(), delimiter=SEPARADOR)  # type: ignore[arg-type]

    def lineas() -> Iterator[str]:
        yield "\ufeff" + escritor.writerow(columnas)  # type: ignore[operator]
        for fila in filas:
            yield escritor.writerow([_en_csv(valor) for valor in fila])  # type: ignore[misc]

    respuesta = StreamingHttpResponse(lineas(), content_type="text/csv; charset=utf-8")
    respuesta["Content-Disposition"] = f'attachment; filename="{nombre}.csv"'
    return respuesta  # type: ignore[return-value]


def xlsx_de(nombre: str, columnas: Sequence[str], filas: Iterable[Fila]) -> HttpResponse:
    """`nombre`.xlsx: a workbook is a zip, so it is written to a file first, row by row, and sent from there."""
    libro = Workbook(write_only=True)
    hoja = libro.create_sheet("Datos")
    hoja.freeze_panes = "A2"
    for columna, titulo in enumerate(columnas, start=1):
        hoja.column_dimensions[get_column_letter(columna)].width = max(12, min(40, len(titulo) + 4))

    def celda(valor: Celda) -> WriteOnlyCell:
        if isinstance(valor, str):
            texto = WriteOnlyCell(hoja, PROHIBIDOS.sub("", valor))
            texto.data_type = "s"  # openpyxl would take «=…» for a formula
            return texto
        if isinstance(valor, datetime):
            fecha = WriteOnlyCell(hoja, timezone.localtime(valor).replace(tzinfo=None))
            fecha.number_format = "dd/mm/yyyy hh:mm"
            return fecha
        return WriteOnlyCell(hoja, valor)

    titulos = [celda(titulo) for titulo in columnas]
    for titulo in titulos:
        titulo.font = Font(bold=True)
    hoja.append(titulos)
    for fila in filas:
        hoja.append([celda(valor) for valor in fila])
    archivo = TemporaryFile()  # noqa: SIM115 - the response closes it
    libro.save(archivo)
    archivo.seek(0)
    return FileResponse(archivo, as_attachment=True, filename=f"{nombre}.xlsx", content_type=XLSX)  # type: ignore[return-value]


FORMATOS: dict[str, Callable[[str, Sequence[str], Iterable[Fila]], HttpResponse]] = {"csv": csv_de, "xlsx": xlsx_de}

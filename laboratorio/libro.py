"""The workbook in which an agency hands over what it has in course: its sheets and columns, reading it, the template.

XLSX, or a folder with one CSV for each sheet. What comes from outside is bounded before it is opened (size, expanded
size, rows, columns), its macros are refused, and of a formula only the value it last had is read.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from expedientes import planilla
from expedientes.models import (
    ORDEN_DE_PARTIDAS,
    Dictamen,
    Documento,
    Expediente,
    Medida,
    Motivo,
    Pais,
    Partida,
    Plaga,
    Producto,
)
from expedientes.numeros import TipoDocumento
from senasa.models import Puesto

from .models import Metodo, Muestra, Valor

MAX_BYTES = 30 * 1024 * 1024
MAX_ABIERTO = 120 * 1024 * 1024
MAX_FILAS = 20_000
MAX_COLUMNAS = 60
MAX_CELDA = 8_000

DEL_CASO = ("abierto", "observado", "cerrado", "desistido", "abandonado", "anulado")


class LibroInvalido(Exception):
    """The file as a whole cannot be taken; says what to do."""


@dataclass(frozen=True)
class Columna:
    """A column. `tipo`: how its cells are read (`en_curso.Lector`); `opciones`: the choice; `largo`: letters."""

    nombre: str
    ayuda: str
    ejemplo: str = ""
    tipo: str = "texto"
    obligatoria: bool = False
    opciones: tuple[str, ...] = ()
    largo: int = 200


@dataclass(frozen=True)
class Fila:
    """A row as it came: its sheet, its number there (the heading is 1) and its cells by column."""

    hoja: str
    n: int
    valores: dict[str, str]


@dataclass(frozen=True)
class Defecto:
    """What is wrong, where, in words. Without a column it is the row as a whole."""

    hoja: str
    fila: int
    columna: str
    clave: str
    dice: str
    error: str


@dataclass
class Libro:
    nombre: str
    filas: dict[str, list[Fila]] = field(default_factory=dict)


def _opciones(valores: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(getattr(valor, "value", valor)) for valor in valores)


C = Columna
CLAVE = C(
    "clave_de_origen",
    "El número o la clave que la fila tiene en su registro. Une las hojas; cargarla dos veces no hace dos expedientes.",
    "CAL-2026-0117",
    "clave",
    obligatoria=True,
    largo=80,
)
ORDEN = C("partida", "1, 2, 3… dentro del expediente.", "1", "orden", obligatoria=True)
HOJAS: dict[str, tuple[Columna, ...]] = {
    "expedientes": (
        CLAVE,
        C("numero_anterior", "El número de sus papeles, para encontrarlo después.", "EXP-0117-2026-CALLAO", largo=40),
        C("puesto", "Código o nombre del puesto de control.", "PCM", "puesto", obligatoria=True),
        C("estado", "abierto mientras alguna partida sigue; si no, cómo está o cómo terminó.", "abierto", "opcion",
          obligatoria=True, opciones=DEL_CASO),
        C("registrado_en", "Fecha (y hora, si se sabe) de la solicitud, como 03/11/2026 09:30.", "03/11/2026 09:30",
          "momento", obligatoria=True),
        C("importador_tipo", "ruc, dni, ce o pasaporte; vacío es ruc.", "ruc", "documento",
          opciones=_opciones(TipoDocumento)),
        C("importador_numero", "Con su dígito verificador.", "20999900012", obligatoria=True, largo=20),
        C("importador_nombre", "Nombre o razón social; hace falta si no está registrado.", "Frutos del Sur S.A.C.",
          largo=160),
        C("importador_correo", "Hace falta si no está registrado. Quien no tiene: el de la mesa de partes.",
          "importaciones@frutos.example", "correo"),
        C("importador_telefono", "Opcional.", "01 555 0100", largo=30),
        C("importador_direccion", "Opcional."),
        C("agente_tipo", "Si actúa un agente de aduana.", "", "documento", opciones=_opciones(TipoDocumento)),
        C("agente_numero", "Vacío si no hay agente.", largo=20),
        C("agente_nombre", "Nombre o razón social del agente.", largo=160),
        C("agente_correo", "Correo del agente.", "", "correo"),
        C("poder_desde", "Fecha.", "", "dia"),
        C("poder_hasta", "Fecha.", "", "dia"),
        C("pfi", "Permiso fitosanitario de importación.", "2026-118-04412", largo=40),
        C("certificado", "Certificado fitosanitario.", "CL-2026-88121", largo=40),
        C("suce", "Opcional.", "2026123456", largo=40),
        C("dam", "Opcional.", "118-2026-10-170288-01-1-00", largo=40),
        C("pais_exportacion", "Código de dos letras o nombre.", "CL", "pais", obligatoria=True),
        C("transporte", "contenedor, granel o aereo.", "contenedor", "transporte", obligatoria=True,
          opciones=_opciones(Expediente.Transporte)),
        C("guia_aerea", "Si llegó por avión: 999-12345675.", "", "guia"),
        C("nave", "Nave y viaje.", "MSC Callao 12W", largo=80),
        C("bl", "Conocimiento de embarque.", "MSCUCL123456", largo=40),
        C("llegada_en", "Fecha y hora.", "02/11/2026 18:00", "momento"),
        C("retenido_desde", "Fecha y hora.", "", "momento"),
        C("lugar", "Terminal, almacén o muelle.", "Muelle Norte", largo=120),
        C("declaraciones", "Declaraciones adicionales.", largo=MAX_CELDA),
        C("observado_en", "Si fue observado: cuándo.", "", "momento"),
        C("observacion", "Qué se observó; un punto por línea o separados con «|».", largo=MAX_CELDA),
        C("observacion_motivo", "Código o texto del catálogo de motivos.", "", "motivo:observar"),
        C("responder_hasta", "Fecha dada para responder.", "", "dia"),
        C("respondido_en", "Vacío si aún no responde.", "", "momento"),
        C("respuesta", "Qué respondió.", largo=MAX_CELDA),
        C("terminado_en", "Cuándo se cerró, desistió, abandonó o anuló.", "", "momento"),
        C("motivo", "De un desistimiento, abandono o anulación: código o texto del catálogo.", "", "motivo",
          largo=160),
        C("explicacion", "De lo mismo: qué pasó, en una o dos líneas.", largo=MAX_CELDA),
    ),
    "partidas": (
        CLAVE,
        ORDEN,
        C("estado", "Dónde está la partida.", "resultado_emitido", "opcion", obligatoria=True,
          opciones=_opciones(ORDEN_DE_PARTIDAS)),
        C("producto", "Nombre o código del catálogo.", "Uva fresca", "producto", obligatoria=True),
        C("pais_origen", "Código de dos letras o nombre.", "CL", "pais", obligatoria=True),
        C("peso_neto_kg", "En kilos: 19200,5.", "19200,5", "cantidad", obligatoria=True),
        C("envases", "Opcional.", "2 100 cajas", largo=80),
        C("bodegas", "Si es a granel.", largo=40),
        C("contenedores", "Número, espacio, precinto; varios se separan con «/».", "DEMU1000010 SL10001",
          "contenedores", largo=MAX_CELDA),
        C("cita_en", "Inspección programada: fecha y hora.", "", "momento"),
        C("terminal", "Dónde es la inspección.", largo=120),
        C("inspeccionada_en", "Cuándo se inspeccionó.", "04/11/2026 10:00", "momento"),
        C("documentaria", "conforme o no_conforme.", "conforme", "opcion", opciones=_opciones(Partida.Inspeccion)),
        C("identidad", "conforme o no_conforme.", "conforme", "opcion", opciones=_opciones(Partida.Inspeccion)),
        C("fisica", "conforme o no_conforme.", "conforme", "opcion", opciones=_opciones(Partida.Inspeccion)),
        C("inspector", "Quién inspeccionó, como firma en el papel.", "Rosa Quispe", largo=120),
        C("inspeccion_texto", "Qué se vio; hace falta si algo no fue conforme.", largo=MAX_CELDA),
    ),
    "muestras": (
        CLAVE,
        ORDEN,
        C("muestra", "El precinto o código que lleva el envase: con él la busca el laboratorio. Una fila por análisis.",
          "P-70231", obligatoria=True, largo=40),
        C("tomada_en", "Cuándo se tomó.", "04/11/2026 10:40", "momento", obligatoria=True),
        C("cantidad", "Número.", "1,5", "cantidad"),
        C("unidad", "kg, g, unidades…", "kg", largo=20),
        C("conservacion", "ambiente, refrigerada o congelada.", "refrigerada", "opcion",
          opciones=_opciones(Muestra.Conservacion)),
        C("lote", "Opcional.", largo=60),
        C("enviada_en", "Cuándo salió al laboratorio; vacío si no ha salido.", "04/11/2026 16:00", "momento"),
        C("recibida_en", "Cuándo la recibió el laboratorio; vacío si no llegó.", "05/11/2026 09:00", "momento"),
        C("metodo", "Código o nombre del catálogo.", "entomologia-morfologia", "metodo"),
        C("plaga", "Código EPPO o nombre de la plaga que se busca.", "POLYBO", "plaga"),
        C("resultado", "Si hay informe en papel: negativo, positivo o indeterminado.", "negativo", "opcion",
          opciones=_opciones(Valor)),
    ),
    "decisiones": (
        CLAVE,
        ORDEN,
        C("informe_numero", "Número del informe de ensayo en papel.", "IE-0231-2026", largo=40),
        C("informe_en", "Cuándo se emitió.", "09/11/2026 15:00", "momento"),
        C("conclusion", "negativo, positivo o indeterminado.", "negativo", "opcion",
          opciones=_opciones(Documento.Conclusion)),
        C("plaga_hallada", "De un positivo: código EPPO o nombre.", "", "plaga"),
        C("riv_numero", "Número del RIV en papel.", largo=40),
        C("decision", "ingreso, condicionado o rechazo.", "", "opcion", opciones=_opciones(Dictamen.Decision)),
        C("dictaminado_en", "Cuándo se dictaminó.", "", "momento"),
        C("dictamino", "Quién dictaminó, como firma en el papel.", largo=120),
        C("fundamento", "En qué se fundó.", largo=MAX_CELDA),
        C("motivo", "Si se dictaminó sin informe: código o texto del catálogo.", "", "motivo:dictaminar_sin_muestra"),
        C("medida", "tratamiento, reembarque, comiso, destruccion o posentrada.", "", "opcion",
          opciones=_opciones(Medida.Tipo)),
        C("medida_ordenada_en", "Cuándo se ordenó.", "", "momento"),
        C("medida_vence_en", "Hasta cuándo hay que cumplirla.", "", "dia"),
        C("indicaciones", "Qué se ordenó.", largo=MAX_CELDA),
        C("cumplida_en", "Vacío si no se ha cumplido.", "", "momento"),
        C("acta", "Número del acta de cumplimiento.", largo=60),
    ),
}  # fmt: skip
OBLIGATORIAS = ("expedientes", "partidas")
GUIA, LISTAS = "Guía", "Listas"


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def leer(ruta: Path) -> Libro:
    """The rows of the workbook, or of the CSV files of a folder. Raises LibroInvalido."""
    if not ruta.exists():
        raise LibroInvalido(f"No existe {ruta}.")
    crudas = _de_carpeta(ruta) if ruta.is_dir() else _de_excel(ruta)
    if faltan := [hoja for hoja in OBLIGATORIAS if hoja not in crudas]:
        raise LibroInvalido(f"Faltan hojas: {', '.join(faltan)}. Use la plantilla (--plantilla).")
    libro = Libro(ruta.name)
    for hoja in HOJAS:
        libro.filas[hoja] = list(_filas(hoja, crudas.get(hoja, iter(()))))
    if not libro.filas["expedientes"]:
        raise LibroInvalido("La hoja expedientes no tiene ninguna fila.")
    return libro


Crudas = Iterator[tuple[int, Sequence[str]]]


def _filas(hoja: str, crudas: Crudas) -> Iterator[Fila]:
    cabecera: list[str] | None = None
    llenas = 0
    for n, celdas in crudas:
        if not any(celda.strip() for celda in celdas):
            continue
        if cabecera is None:
            cabecera = _cabecera(hoja, celdas)
            continue
        llenas += 1
        if llenas > MAX_FILAS:
            raise LibroInvalido(f"La hoja {hoja} tiene más de {MAX_FILAS} filas: sepárela en varios archivos.")
        yield Fila(hoja, n, {nombre: celda for nombre, celda in zip(cabecera, celdas, strict=False) if nombre})


def _cabecera(hoja: str, celdas: Sequence[str]) -> list[str]:
    nombres = [re.sub(r"\W+", "_", planilla.plano(celda)).strip("_") for celda in celdas]
    conocidas = {columna.nombre for columna in HOJAS[hoja]}
    if extranas := [
        celda[:40] for celda, nombre in zip(celdas, nombres, strict=True) if nombre and nombre not in conocidas
    ]:
        dichas = ", ".join(f"«{una}»" for una in extranas[:6])
        raise LibroInvalido(f"Hoja {hoja}: no se conocen estas columnas: {dichas}. Use la plantilla (--plantilla).")
    if faltan := [c.nombre for c in HOJAS[hoja] if c.obligatoria and c.nombre not in nombres]:
        raise LibroInvalido(f"Hoja {hoja}: faltan las columnas {', '.join(faltan)}. Use la plantilla (--plantilla).")
    if len(set(filter(None, nombres))) < len([nombre for nombre in nombres if nombre]):
        raise LibroInvalido(f"Hoja {hoja}: hay una columna dos veces; deje una sola.")
    return nombres


def _de_carpeta(carpeta: Path) -> dict[str, Crudas]:
    return {hoja: _de_csv(ruta) for hoja in HOJAS if (ruta := carpeta / f"{hoja}.csv").is_file()}


def _de_csv(ruta: Path) -> Crudas:
    if ruta.stat().st_size > MAX_BYTES:
        raise LibroInvalido(f"{ruta.name} pesa más de {MAX_BYTES // 1024 // 1024} MB: sepárelo en varios.")
    contenido = ruta.read_bytes()
    if contenido[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise LibroInvalido(f"{ruta.name} es un libro de Excel: dé el libro, o guárdelo como CSV UTF-8.")
    texto = planilla.decodificar(contenido).replace("\0", "")
    primera = texto.partition("\n")[0]
    lector = csv.reader(io.StringIO(texto, newline=""), delimiter=max(";,\t", key=primera.count))
    try:
        for celdas in lector:
            yield lector.line_num, [planilla.sin_guardia(celda) for celda in celdas[:MAX_COLUMNAS]]
    except csv.Error as error:
        raise LibroInvalido(
            f"{ruta.name} no se puede leer desde la línea {lector.line_num}: revise las comillas."
        ) from error


def _de_excel(ruta: Path) -> dict[str, Crudas]:
    _exigir_libro_sano(ruta)
    try:
        libro = load_workbook(ruta, read_only=True, data_only=True, keep_links=False)
        hojas = {planilla.plano(hoja.title): hoja for hoja in libro.worksheets}
        return {nombre: _de_hoja(hojas[nombre]) for nombre in HOJAS if nombre in hojas}
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError, OSError) as error:
        raise LibroInvalido(f"{ruta.name} está dañado o no es un libro de Excel.") from error


def _exigir_libro_sano(ruta: Path) -> None:
    """Refuse, before anything is expanded, what is no workbook, carries programs or would not fit in memory."""
    if ruta.stat().st_size > MAX_BYTES:
        raise LibroInvalido(f"{ruta.name} pesa más de {MAX_BYTES // 1024 // 1024} MB: sepárelo en varios.")
    with ruta.open("rb") as archivo:
        if archivo.read(4) == b"\xd0\xcf\x11\xe0":
            raise LibroInvalido(f"{ruta.name} es de un Excel antiguo o tiene contraseña: guárdelo como .xlsx sin ella.")
    try:
        with zipfile.ZipFile(ruta) as paquete:
            partes = paquete.infolist()
    except zipfile.BadZipFile as error:
        raise LibroInvalido(f"{ruta.name} no es un libro de Excel (.xlsx) ni una carpeta con archivos CSV.") from error
    if any("vbaproject" in parte.filename.lower() for parte in partes):
        raise LibroInvalido(f"{ruta.name} tiene macros: guárdelo como «Libro de Excel (.xlsx)».")
    if sum(parte.file_size for parte in partes) > MAX_ABIERTO or len(partes) > 2000:
        raise LibroInvalido(f"{ruta.name} se expande a más de {MAX_ABIERTO // 1024 // 1024} MB: no se abre.")


def _de_hoja(hoja: Any) -> Crudas:
    try:
        # Bounded: a cell far away makes a sheet of a million rows out of a small file.
        filas = hoja.iter_rows(max_col=MAX_COLUMNAS, max_row=MAX_FILAS * 3, values_only=True)
        for n, valores in enumerate(filas, start=1):
            yield n, [_como_texto(valor) for valor in valores]
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError, OverflowError) as error:
        raise LibroInvalido(f"La hoja {hoja.title} está dañada: ábrala en Excel y guárdela de nuevo.") from error


def _como_texto(valor: Any) -> str:
    """A cell as a person would have typed it."""
    match valor:
        case None:
            return ""
        case bool():
            return "si" if valor else "no"
        case datetime():
            return f"{valor:%d/%m/%Y}" if valor.time() == time() else f"{valor:%d/%m/%Y %H:%M:%S}"
        case date():
            return f"{valor:%d/%m/%Y}"
        case float() if valor.is_integer() and abs(valor) < 1e15:
            return str(int(valor))
        case float():
            # 1.234 is a number here and no thousands: a figure more says so.
            return f"{valor}0" if re.fullmatch(r"\d{1,3}\.\d{3}", str(valor)) else str(valor)
    return str(valor).replace("\0", "").strip()


# ── What is given out ─────────────────────────────────────────────────────────────────────────────


def escribir_errores(ruta: Path, defectos: Sequence[Defecto]) -> None:
    """One line for each thing to put right, as Excel in Spanish opens it."""
    filas = [(d.hoja, str(d.fila), d.columna, d.clave, d.dice, d.error) for d in defectos]
    cabecera = ("hoja", "fila", "columna", "clave_de_origen", "dice", "error")
    ruta.write_bytes(planilla.escribir([cabecera, *filas], ";"))


def escribir_plantilla(ruta: Path) -> None:
    """The template: a workbook with its guide and lists, or, for another name than .xlsx, a folder of CSV files."""
    if ruta.suffix.lower() == ".xlsx":
        _libro_vacio().save(ruta)
        return
    ruta.mkdir(parents=True, exist_ok=True)
    for hoja, columnas in HOJAS.items():
        (ruta / f"{hoja}.csv").write_bytes(planilla.escribir([[c.nombre for c in columnas]], ";"))
    (ruta / "guia.csv").write_bytes(planilla.escribir(_guia(), ";"))


CABECERA_DE_GUIA = ("hoja", "columna", "obligatoria", "qué va", "ejemplo", "se elige de")


def _guia() -> list[Sequence[str]]:
    filas: list[Sequence[str]] = [CABECERA_DE_GUIA]
    listas = _listas()
    for hoja, columnas in HOJAS.items():
        for c in columnas:
            de = ", ".join(c.opciones) or (f"hoja {LISTAS}, columna {c.tipo}" if c.tipo in listas else "")
            filas.append((hoja, c.nombre, "sí" if c.obligatoria else "", c.ayuda, c.ejemplo, de))
    return filas


def _listas() -> dict[str, list[str]]:
    """What may be chosen from the catalogues, by the columns' type."""
    listas: dict[str, list[str]] = {
        "puesto": list(Puesto.objects.order_by("codigo").values_list("codigo", flat=True)),
        "producto": list(Producto.objects.filter(activo=True).order_by("nombre").values_list("nombre", flat=True)),
        "pais": list(Pais.objects.order_by("codigo").values_list("codigo", flat=True)),
        "plaga": list(Plaga.objects.order_by("eppo").values_list("eppo", flat=True)),
        "metodo": list(Metodo.objects.filter(activo=True).order_by("codigo").values_list("codigo", flat=True)),
    }
    for accion in ("observar", "dictaminar_sin_muestra"):
        codigos = Motivo.objects.filter(accion=accion, activo=True).order_by("codigo")
        listas[f"motivo:{accion}"] = list(codigos.values_list("codigo", flat=True))
    finales = Motivo.objects.filter(accion__in=("desistir", "abandonar", "anular"), activo=True).exclude(
        codigo="duplicado"
    )
    listas["motivo"] = list(finales.order_by("accion", "codigo").values_list("codigo", flat=True))
    return listas


def _libro_vacio() -> Workbook:
    libro = Workbook()
    guia = libro.active
    assert isinstance(guia, Worksheet)
    guia.title = GUIA
    for fila in _guia():
        guia.append(list(fila))
    _adornar(guia, [16, 22, 12, 70, 30, 60])
    for fila in guia.iter_rows(min_row=2):
        for celda in fila:
            celda.alignment = Alignment(wrap_text=True, vertical="top")
    for hoja, columnas in HOJAS.items():
        pagina = libro.create_sheet(hoja)
        pagina.append([c.nombre for c in columnas])
        _adornar(pagina, [max(14, len(c.nombre) + 3) for c in columnas], [c.obligatoria for c in columnas])
        # Text: Excel must not turn a certificate's number into a date, nor a RUC into 2.09E+10.
        for i, c in enumerate(columnas, start=1):
            pagina.column_dimensions[get_column_letter(i)].number_format = (
                "dd/mm/yyyy hh:mm" if c.tipo == "momento" else "@"
            )
    listas = libro.create_sheet(LISTAS)
    for i, (tipo, valores) in enumerate(_listas().items(), start=1):
        listas.cell(1, i, tipo)
        for j, valor in enumerate(valores, start=2):
            listas.cell(j, i, valor)
        rango = f"{LISTAS}!${get_column_letter(i)}$2:${get_column_letter(i)}${len(valores) + 1}"
        for hoja, columnas in HOJAS.items():
            for k, c in enumerate(columnas, start=1):
                if c.tipo == tipo:
                    _validar(libro[hoja], k, rango)
    for hoja, columnas in HOJAS.items():
        for k, c in enumerate(columnas, start=1):
            if c.opciones:
                _validar(libro[hoja], k, f'"{",".join(c.opciones)}"')
    _adornar(listas, [24] * listas.max_column)
    return libro


def _validar(pagina: Worksheet, columna: int, formula: str) -> None:
    """Offer a list in the column's first thousand rows. A warning, not a wall: names are taken besides codes."""
    regla = DataValidation(type="list", formula1=formula, allow_blank=True, errorStyle="warning", showErrorMessage=True)
    letra = get_column_letter(columna)
    regla.add(f"{letra}2:{letra}1001")
    pagina.add_data_validation(regla)


def _adornar(pagina: Worksheet, anchos: Sequence[int], obligatorias: Sequence[bool] = ()) -> None:
    pagina.freeze_panes = "A2"
    for i, ancho in enumerate(anchos, start=1):
        pagina.column_dimensions[get_column_letter(i)].width = ancho
        celda = pagina.cell(1, i)
        fondo = "1F5C3D" if not obligatorias or obligatorias[i - 1] else "6B7F74"
        celda.font, celda.fill = Font(bold=True, color="FFFFFF"), PatternFill("solid", fgColor=fondo)

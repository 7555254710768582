"""Many requests in one file: what a CSV says, row by row, and what each of its requests lacks.

Whatever Excel saves in Peru is taken: UTF-8 with or without its mark, Windows' Latin, UTF-16; semicolon, comma or tab;
decimal comma; or the workbook itself. Lines of one request share their `referencia`. Nothing here writes but
`importar`, one transaction a request; the same rows are the same request however often they come (`envio`).
"""

from __future__ import annotations

import csv
import io
import re
import time
import unicodedata
import uuid
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from senasa.models import Puesto, Usuario
from senasa.tablas import FORMULAS, seguro
from senasa.transicion import ActoRechazado

from . import borradores, pasos, services
from .models import Expediente, Producto
from .numeros import TipoDocumento

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAX_FILAS = 500
MAX_BYTES = 2 * 1024 * 1024
TURNO_SEGUNDOS = 20  # well inside what the web server waits for a page
MAX_ABIERTO = 30 * 1024 * 1024  # a workbook, expanded
ERRORES = "errores"  # the column that a file of rejected rows has besides
ESPACIO = uuid.UUID("6f0c1d3a-7d1e-5f0a-9a55-2f0f5a1f3c11")


@dataclass(frozen=True)
class Columna:
    """A column: its heading, whether a request needs it, what goes in it, and an example."""

    nombre: str
    obligatoria: bool
    ayuda: StrOrPromise
    ejemplo: str = ""


def _columna(nombre: str, ayuda: StrOrPromise, ejemplo: str = "", *, obligatoria: bool = False) -> Columna:
    return Columna(nombre, obligatoria, ayuda, ejemplo)


COLUMNAS = (
    _columna("referencia", gettext_lazy("Su propio número. Las filas con la misma referencia son partidas de una misma "
                                        "solicitud."), "EMB-001"),
    _columna("puesto", gettext_lazy("PCM (puerto) o PCA (aeropuerto)."), "PCM", obligatoria=True),
    _columna("importador_tipo", gettext_lazy("ruc, dni, ce o pasaporte. Vacío es ruc."), "ruc"),
    _columna("importador_numero", gettext_lazy("Número del documento de quien importa."), "20999900012",
             obligatoria=True),
    _columna("importador_nombre", gettext_lazy("Nombre o razón social."), "Frutos del Sur S.A.C."),
    _columna("importador_correo", gettext_lazy("Le llegan los avisos y su enlace."), "importaciones@frutos.example"),
    _columna("importador_telefono", gettext_lazy("Opcional."), "01 555 0100"),
    _columna("importador_direccion", gettext_lazy("Opcional.")),
    _columna("agente_tipo", gettext_lazy("Si actúa un agente de aduana: ruc, dni, ce o pasaporte."), "ruc"),
    _columna("agente_numero", gettext_lazy("Vacío si no hay agente."), "20999900021"),
    _columna("agente_nombre", gettext_lazy("Nombre o razón social del agente."), "Agencia Demo S.A.C."),
    _columna("agente_correo", gettext_lazy("En la planilla pública no hace falta: es el correo que confirmó.")),
    _columna("poder_desde", gettext_lazy("Fecha, como 31/12/2026."), "01/01/2026"),
    _columna("poder_hasta", gettext_lazy("Fecha, como 31/12/2026."), "31/12/2026"),
    _columna("pfi", gettext_lazy("Permiso fitosanitario de importación."), "2026-118-04412", obligatoria=True),
    _columna("certificado", gettext_lazy("Certificado fitosanitario."), "CL-2026-88121", obligatoria=True),
    _columna("pais_exportacion", gettext_lazy("Código de dos letras o nombre."), "CL", obligatoria=True),
    _columna("suce", gettext_lazy("10 dígitos. Opcional."), "2026123456"),
    _columna("dam", gettext_lazy("Como 118-2026-10-170288-01-1-00. Opcional."), "118-2026-10-170288-01-1-00"),
    _columna("declaraciones", gettext_lazy("Declaraciones adicionales. Opcional.")),
    _columna("transporte", gettext_lazy("contenedor, granel o aereo."), "contenedor", obligatoria=True),
    _columna("guia_aerea", gettext_lazy("Si llega por avión: 999-12345675.")),
    _columna("nave", gettext_lazy("Nave y viaje, si llega por mar."), "MSC Callao 12W"),
    _columna("bl", gettext_lazy("Conocimiento de embarque."), "MSCUCL123456"),
    _columna("llegada_en", gettext_lazy("Fecha y hora de Lima, como 22/11/2026 09:30."), "22/11/2026 09:30"),
    _columna("retenido_desde", gettext_lazy("Fecha y hora, si ya está retenida.")),
    _columna("lugar", gettext_lazy("Terminal, almacén o muelle."), "Muelle Norte"),
    _columna("producto", gettext_lazy("Nombre o código del catálogo."), "Uva fresca", obligatoria=True),
    _columna("pais_origen", gettext_lazy("Código de dos letras o nombre."), "CL", obligatoria=True),
    _columna("peso_neto_kg", gettext_lazy("En kilos, sin separador de miles: 19200,5."), "19200,5", obligatoria=True),
    _columna("envases", gettext_lazy("Opcional."), "2 100 cajas"),
    _columna("bodegas", gettext_lazy("Si es a granel.")),
    _columna("contenedores", gettext_lazy("Número, espacio, precinto; varios se separan con una barra /."),
             "DEMU1000010 SL10001"),
)  # fmt: skip
NOMBRES = tuple(columna.nombre for columna in COLUMNAS)
DE_LA_PARTIDA = ("producto", "pais_origen", "peso_neto_kg", "envases", "bodegas", "contenedores")
DEL_CASO = tuple(nombre for nombre in NOMBRES if nombre not in DE_LA_PARTIDA)


class PlanillaInvalida(Exception):
    """The file as a whole cannot be read; says what to do."""


@dataclass(frozen=True)
class Fila:
    """A row as it came: its number in the file (the heading is 1) and its cells by column."""

    n: int
    valores: dict[str, str]


@dataclass(frozen=True)
class Defecto:
    """What is wrong: in which row, in which column (or none), in words."""

    fila: int
    columna: str
    mensaje: str


@dataclass
class Pedida:
    """One request of the file. `expediente`: the case that it is already; `parecidas`: numbers of likely duplicates
    that its reader may know, `repetida` whether there is any at all."""

    referencia: str
    filas: list[Fila]
    envio: uuid.UUID
    respuestas: dict[str, Any] = field(default_factory=dict)
    revision: pasos.Revision | None = None
    defectos: list[Defecto] = field(default_factory=list)
    expediente: Expediente | None = None
    repetida: bool = False
    parecidas: list[str] = field(default_factory=list)

    @property
    def buena(self) -> bool:
        return not self.defectos and self.expediente is None


@dataclass
class Planilla:
    delimitador: str
    pedidas: list[Pedida]

    @property
    def registradas(self) -> list[Pedida]:
        return [pedida for pedida in self.pedidas if pedida.expediente]

    @property
    def listas(self) -> list[Pedida]:
        return [pedida for pedida in self.pedidas if pedida.buena and not pedida.repetida]

    @property
    def repetidas(self) -> list[Pedida]:
        return [pedida for pedida in self.pedidas if pedida.buena and pedida.repetida]

    @property
    def malas(self) -> list[Pedida]:
        return [pedida for pedida in self.pedidas if pedida.defectos]


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def filas(contenido: bytes, columnas: Sequence[Columna] = COLUMNAS) -> tuple[str, list[Fila]]:
    """The delimiter and the rows of a file of those columns; PlanillaInvalida when it is no such file."""
    if len(contenido) > MAX_BYTES:
        raise PlanillaInvalida(_("La planilla pesa más de 2 MB: sepárela en dos."))
    if contenido.startswith(b"\xd0\xcf\x11\xe0"):
        raise PlanillaInvalida(_("Es un libro de un Excel antiguo: guárdelo como .xlsx o como CSV y súbalo."))
    if contenido.startswith(b"PK\x03\x04"):
        return ";", _numeradas(_del_libro(contenido, columnas), columnas)
    texto = decodificar(contenido)
    primera, _salto, resto = texto.partition("\n")
    if primera.strip().lower().startswith("sep="):  # Excel's own way of naming the delimiter
        texto, primera = resto, resto.partition("\n")[0]
    delimitador = max(";,\t", key=primera.count)
    lector = csv.reader(io.StringIO(texto, newline=""), delimiter=delimitador)
    try:
        crudas = [(lector.line_num, celdas) for celdas in lector]
    except csv.Error as error:
        mensaje = _("No se puede leer desde la línea %(n)d: revise las comillas.") % {"n": lector.line_num}
        raise PlanillaInvalida(mensaje) from error
    return delimitador, _numeradas(crudas, columnas)


def _numeradas(crudas: Sequence[tuple[int, Sequence[str]]], columnas: Sequence[Columna]) -> list[Fila]:
    """The rows under the heading, blank ones left out."""
    if not crudas or not any(celda.strip() for celda in crudas[0][1]):
        raise PlanillaInvalida(_("La planilla está vacía: use la plantilla."))
    encabezado = _encabezado(crudas[0][1], columnas)
    llenas = [(n, celdas) for n, celdas in crudas[1:] if any(celda.strip() for celda in celdas)]
    if not llenas:
        raise PlanillaInvalida(_("La planilla solo tiene el encabezado: escriba al menos una fila."))
    if len(llenas) > MAX_FILAS:
        mensaje = _("Tiene %(son)d filas y caben %(tope)d: sepárela en varias.")
        raise PlanillaInvalida(mensaje % {"son": len(llenas), "tope": MAX_FILAS})
    return [Fila(n, _celdas(encabezado, celdas, columnas)) for n, celdas in llenas]


def _del_libro(contenido: bytes, columnas: Sequence[Columna]) -> list[tuple[int, list[str]]]:
    """The first sheet of a workbook, as its cells would read in a CSV; of a formula, the value it last had."""
    try:
        with zipfile.ZipFile(io.BytesIO(contenido)) as zip_:
            if sum(parte.file_size for parte in zip_.infolist()) > MAX_ABIERTO:
                raise PlanillaInvalida(_("La planilla pesa demasiado al abrirse: súbala como CSV."))
        libro = load_workbook(io.BytesIO(contenido), read_only=True, data_only=True)
        hoja = libro.worksheets[0]
        filas_ = hoja.iter_rows(max_row=MAX_FILAS * 4, max_col=len(columnas) + 20, values_only=True)
        return [(n, [_escrita(celda) for celda in fila]) for n, fila in enumerate(filas_, start=1)]
    except PlanillaInvalida:
        raise
    except Exception as error:  # a broken workbook fails in as many ways as there are parts in it
        raise PlanillaInvalida(_("No se pudo abrir el libro de Excel: guárdelo otra vez, o como CSV.")) from error


def _escrita(celda: Any) -> str:
    """A cell of a workbook in the words of a CSV. A number is never in doubt: three decimals get a fourth."""
    if isinstance(celda, datetime):
        return celda.strftime("%d/%m/%Y %H:%M" if celda.hour or celda.minute else "%d/%m/%Y")
    if isinstance(celda, float) and not celda.is_integer():
        return f"{celda:.6f}".rstrip("0") + "0"
    if isinstance(celda, float):
        return str(int(celda))
    return "" if celda is None else str(celda)


SOBRANTE = "\x00sobrante"  # cells beyond the heading: no column is called so


def _celdas(encabezado: Sequence[str], celdas: Sequence[str], columnas: Sequence[Columna]) -> dict[str, str]:
    valores = dict.fromkeys((columna.nombre for columna in columnas), "")
    valores |= {nombre: sin_guardia(celda) for nombre, celda in zip(encabezado, celdas, strict=False) if nombre}
    if any(celda.strip() for celda in celdas[len(encabezado) :]):
        valores[SOBRANTE] = "si"
    return valores


def decodificar(contenido: bytes) -> str:
    if contenido[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return contenido.decode("utf-16", errors="replace")
    for codificacion in ("utf-8-sig", "cp1252"):
        try:
            return contenido.decode(codificacion)
        except UnicodeDecodeError:
            continue
    return contenido.decode("latin-1")


def _encabezado(celdas: Sequence[str], columnas: Sequence[Columna]) -> list[str]:
    conocidas = [columna.nombre for columna in columnas]
    nombres = [re.sub(r"\W+", "_", plano(celda)).strip("_") for celda in celdas]
    while nombres and not nombres[-1]:
        nombres.pop()
    extranas = [celda for celda, nombre in zip(celdas, nombres, strict=False) if nombre not in (*conocidas, ERRORES)]
    faltan = [columna.nombre for columna in columnas if columna.obligatoria and columna.nombre not in nombres]
    if faltan:
        raise PlanillaInvalida(_("Faltan columnas: %(cuales)s. Use la plantilla.") % {"cuales": ", ".join(faltan)})
    if extranas:
        cuales = ", ".join(f"«{celda[:40]}»" for celda in extranas[:6])
        raise PlanillaInvalida(_("No se conocen estas columnas: %(cuales)s. Use la plantilla.") % {"cuales": cuales})
    if len(set(nombres)) < len(nombres):
        raise PlanillaInvalida(_("Hay una columna dos veces: deje una sola."))
    return ["" if nombre == ERRORES else nombre for nombre in nombres]


def plano(texto: str) -> str:
    sin_tildes = unicodedata.normalize("NFKD", texto).encode("ascii", "ignore").decode()
    return " ".join(sin_tildes.lower().split())


def sin_guardia(celda: str) -> str:
    """A cell without the quote that we put before what Excel would take for a formula."""
    limpia = celda.strip()
    return limpia[1:] if limpia.startswith("'") and limpia[1:2] in FORMULAS else limpia


# ── Understanding ─────────────────────────────────────────────────────────────────────────────────


@dataclass
class Lector:
    """Who reads the file: `correo` of the public, or `usuario` of mesa de partes; and the catalogues, read once."""

    correo: str | None = None
    usuario: Usuario | None = None

    def __post_init__(self) -> None:
        self.listas = pasos.catalogos()
        propios = self.usuario.puestos.all() if self.usuario else Puesto.objects.all()
        self.puestos = indice((p.codigo, (p.codigo, p.nombre, p.locode)) for p in propios)
        self.productos = indice(
            (pk, (p.codigo, p.nombre, p.codigo.replace("-", " "))) for pk, p in self.listas["productos"].items()
        )
        self.paises = indice((p.pk, (p.pk, p.alfa3, p.nombre)) for p in self.listas["paises"].values())

    @property
    def dueno(self) -> str:
        """Whose requests these are: a clerk's are mesa de partes', whoever uploads them again."""
        return f"correo:{self.correo}" if self.correo else "mesa"

    def leer(self, contenido: bytes) -> Planilla:
        """The file, understood and judged."""
        delimitador, todas = filas(contenido)
        grupos: dict[str, list[Fila]] = {}
        for fila in todas:
            clave = fila.valores["referencia"] or f"\x00{fila.n}"
            grupos.setdefault(clave, []).append(fila)
        planilla = Planilla(delimitador, [self._pedida(grupo) for grupo in grupos.values()])
        self._reconocer(planilla)
        return planilla

    def _pedida(self, grupo: list[Fila]) -> Pedida:
        contenido = "\x1e".join("\x1f".join(fila.valores[nombre] for nombre in NOMBRES) for fila in grupo)
        referencia = grupo[0].valores["referencia"] or _("fila %(n)d") % {"n": grupo[0].n}
        pedida = Pedida(referencia, grupo, uuid.uuid5(ESPACIO, f"{self.dueno}\x1d{contenido}".replace("\0", "\\0")))
        caso = self._del_caso(pedida)
        lineas = []
        for fila in grupo:
            if SOBRANTE in fila.valores:
                mensaje = _("Tiene más celdas que el encabezado: ¿un separador dentro de un texto sin comillas?")
                pedida.defectos.append(Defecto(fila.n, "", mensaje))
            lineas.append({nombre: self._valor(pedida, fila, nombre) for nombre in DE_LA_PARTIDA})
        pedida.respuestas = {**caso, "partidas": lineas}
        pedida.revision = pasos.revisar(pedida.respuestas, correo=self.correo, listas=self.listas)
        ya_dichos = {(defecto.fila, defecto.columna) for defecto in pedida.defectos}
        for falta in pedida.revision.faltas:
            fila = grupo[falta.partida - 1] if falta.partida else grupo[0]
            columna = falta.campo if falta.campo in NOMBRES else ""
            if (fila.n, columna) not in ya_dichos:
                pedida.defectos.append(Defecto(fila.n, columna, falta.mensaje))
        pedida.defectos.sort(key=lambda defecto: defecto.fila)
        return pedida

    def _del_caso(self, pedida: Pedida) -> dict[str, str]:
        """What the rows of one request say of it; a later row may leave it blank, not contradict it."""
        primera = pedida.filas[0]
        caso = {nombre: self._valor(pedida, primera, nombre) for nombre in DEL_CASO}
        for fila in pedida.filas[1:]:
            for nombre in DEL_CASO:
                if fila.valores[nombre] and fila.valores[nombre] != primera.valores[nombre]:
                    mensaje = _("No dice lo mismo que la fila %(n)d, y son de la misma solicitud.")
                    pedida.defectos.append(Defecto(fila.n, nombre, mensaje % {"n": primera.n}))
        caso["quien"] = pasos.AGENTE if primera.valores["agente_numero"] else pasos.IMPORTADOR
        return caso

    def _valor(self, pedida: Pedida, fila: Fila, nombre: str) -> str:
        """The cell as the form wants it; what is not understood is told, and left out."""
        celda = fila.valores[nombre]
        try:
            return self._convertir(nombre, celda)
        except ValueError as error:
            pedida.defectos.append(Defecto(fila.n, nombre, str(error)))
            return ""

    def _convertir(self, nombre: str, celda: str) -> str:
        if nombre in ("importador_tipo", "agente_tipo"):
            return tipo(celda)
        if not celda:
            return ""
        if re.fullmatch(r"\d[.,]\d+E\+\d+", celda, re.I):
            raise ValueError(_("Excel lo convirtió en «%(valor)s»: dé formato de texto a la columna.")
                             % {"valor": celda})  # fmt: skip
        match nombre:
            case "puesto":
                return uno(self.puestos, celda, _("No es un puesto suyo: escriba PCM o PCA."))
            case "producto":
                return uno(self.productos, celda, _("No está en el catálogo: escriba su nombre o su código."))
            case "pais_origen" | "pais_exportacion":
                return uno(self.paises, celda, _("No es un país: escriba su código de dos letras o su nombre."))
            case "transporte":
                return transporte(celda)
            case "peso_neto_kg":
                return peso(celda)
            case "poder_desde" | "poder_hasta":
                return momento(celda).date().isoformat()
            case "llegada_en" | "retenido_desde":
                return momento(celda).strftime("%Y-%m-%dT%H:%M")
            case "contenedores":
                return re.sub(r"\s*[/|]\s*", "\n", celda)
        return celda

    def _reconocer(self, planilla: Planilla) -> None:
        """Which requests are cases already, and which look like one: two queries for the whole file."""
        por_envio = Expediente.objects.in_bulk([pedida.envio for pedida in planilla.pedidas], field_name="envio")
        claves = {campo: _claves(planilla.pedidas, campo) for campo in ("certificado", "dam", "suce")}
        parecidas = Expediente.objects.annotate(**{f"{campo}_alto": Upper(campo) for campo in claves})
        condicion = Q()
        for campo, valores in claves.items():
            condicion |= Q(**{f"{campo}_alto__in": sorted(valores)})
        hallados = list(parecidas.filter(condicion).select_related("importador", "agente")[:2000])
        mios = self._mios(hallados)
        vistos: set[tuple[str, str]] = set()
        for pedida in planilla.pedidas:
            pedida.expediente = por_envio.get(pedida.envio)
            suyas = {(campo, pedida.respuestas[campo].upper()) for campo in claves if pedida.respuestas[campo]}
            iguales = [e for e in hallados if suyas & {(campo, getattr(e, campo).upper()) for campo in claves}]
            pedida.repetida = bool(iguales or suyas & vistos)
            pedida.parecidas = [e.numero for e in iguales if e.pk in mios][:3]
            vistos |= suyas

    def _mios(self, hallados: Iterable[Expediente]) -> set[int]:
        pks = [expediente.pk for expediente in hallados]
        if self.usuario:
            return set(Expediente.objects.visibles_para(self.usuario).filter(pk__in=pks).values_list("pk", flat=True))
        suyos = Q(importador__correo__iexact=self.correo) | Q(agente__correo__iexact=self.correo)
        return set(Expediente.objects.filter(suyos, pk__in=pks).values_list("pk", flat=True))


def _claves(pedidas: Iterable[Pedida], campo: str) -> set[str]:
    return {valor.upper() for pedida in pedidas if (valor := pedida.respuestas[campo].replace("\0", ""))}


def indice(pares: Iterable[tuple[str, Sequence[str]]]) -> dict[str, set[str]]:
    """From every way of naming a thing to the things it may be."""
    indice: dict[str, set[str]] = {}
    for clave, nombres in pares:
        for nombre in nombres:
            indice.setdefault(plano(nombre), set()).add(clave)
    return indice


def uno(indice: dict[str, set[str]], celda: str, mensaje: str) -> str:
    hallados = indice.get(plano(celda), set())
    if len(hallados) != 1:
        raise ValueError(mensaje)
    return next(iter(hallados))


def tipo(celda: str) -> str:
    dicho = plano(celda).replace(".", "")
    if not dicho:
        return TipoDocumento.RUC
    for tipo in TipoDocumento:
        if dicho in (tipo.value, plano(str(tipo.label))):
            return tipo
    raise ValueError(_("Escriba ruc, dni, ce o pasaporte."))


TRANSPORTES = {
    "contenedor": Expediente.Transporte.CONTENEDOR,
    "contenedores": Expediente.Transporte.CONTENEDOR,
    "granel": Expediente.Transporte.GRANEL,
    "aereo": Expediente.Transporte.AEREO,
    "avion": Expediente.Transporte.AEREO,
}


def transporte(celda: str) -> str:
    dicho = plano(celda).removeprefix("maritimo ").removeprefix("en ").removeprefix("a ")
    if dicho not in TRANSPORTES:
        raise ValueError(_("Escriba contenedor, granel o aereo."))
    return TRANSPORTES[dicho]


def peso(celda: str) -> str:
    """A weight with decimal comma or point; what could be thousands or decimals is asked, never guessed."""
    limpia = re.sub(r"\s|kg\.?$", "", celda, flags=re.I)
    mensaje = _("No es un peso en kilos: escríbalo como 19200,5.")
    if re.fullmatch(r"\d{1,3}([.,]\d{3})", limpia):
        raise ValueError(_("«%(valor)s» puede leerse de dos maneras: escríbalo sin separador de miles, como 1200 o "
                           "1,2.") % {"valor": celda})  # fmt: skip
    if "," in limpia and "." in limpia:
        miles = "." if limpia.rindex(",") > limpia.rindex(".") else ","
        limpia = limpia.replace(miles, "")
    elif limpia.count(",") > 1 or limpia.count(".") > 1:
        limpia = limpia.replace(",", "").replace(".", "")
    limpia = limpia.replace(",", ".")
    try:
        peso = Decimal(limpia)
    except InvalidOperation:
        raise ValueError(mensaje) from None
    if not re.fullmatch(r"\d{1,14}(\.\d+)?", limpia) or not peso.is_finite():
        raise ValueError(mensaje)
    return limpia.rstrip("0").rstrip(".") if "." in limpia else limpia


FORMAS_DE_FECHA = (
    "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y", "%d-%m-%Y %H:%M", "%d-%m-%Y", "%d/%m/%y %H:%M", "%d/%m/%y",
    "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d",
)  # fmt: skip


def momento(celda: str) -> datetime:
    """A day, maybe with its hour, of Lima."""
    for forma in FORMAS_DE_FECHA:
        try:
            momento = datetime.strptime(" ".join(celda.split()), forma)  # noqa: DTZ007, the form knows it is Lima's
        except ValueError:
            continue
        if 2000 <= momento.year <= 2100:
            return momento
    raise ValueError(_("No es una fecha: escríbala como 22/11/2026 o 22/11/2026 09:30."))


# ── Importing ─────────────────────────────────────────────────────────────────────────────────────


def importar(planilla: Planilla, lector: Lector, *, con_repetidas: bool = False) -> tuple[int, list[Defecto]]:
    """Register the good requests, each by itself, for as long as a page may take; how many are left for another
    turn, and what the services refused meanwhile."""
    refusadas: list[Defecto] = []
    por_hacer = [*planilla.listas, *(planilla.repetidas if con_repetidas else [])]
    hasta = time.monotonic() + TURNO_SEGUNDOS
    for n, pedida in enumerate(por_hacer):
        if n and time.monotonic() > hasta:
            return len(por_hacer) - n, refusadas
        assert pedida.revision
        try:
            if lector.correo:
                borradores.registrar(pedida.revision, correo=lector.correo, envio=pedida.envio)
            else:
                services.registrar(actor=lector.usuario, envio=pedida.envio, **pedida.revision.pedido)
        except ActoRechazado as error:
            refusadas.append(Defecto(pedida.filas[0].n, "", str(error.mensaje)))
        except ValidationError as error:
            refusadas.append(Defecto(pedida.filas[0].n, "", " ".join(error.messages)))
    return 0, refusadas


# ── What is given out ─────────────────────────────────────────────────────────────────────────────


def escribir(filas_: Iterable[Sequence[str]], delimitador: str) -> bytes:
    salida = io.StringIO(newline="")
    escritor = csv.writer(salida, delimiter=delimitador)
    escritor.writerows([seguro(celda) for celda in fila] for fila in filas_)
    return salida.getvalue().encode("utf-8-sig")


def libro() -> bytes:
    """The same as a workbook: cells that are text whatever is typed into them, a guide, and the catalogue."""
    nuevo = Workbook()
    hoja = nuevo.active
    assert hoja is not None
    hoja.title = "Solicitudes"
    hoja.append([*NOMBRES])
    hoja.append([columna.ejemplo for columna in COLUMNAS])
    hoja.freeze_panes = "B2"
    for n, nombre in enumerate(NOMBRES, start=1):
        hoja.column_dimensions[get_column_letter(n)].width = max(14, len(nombre) + 2)
        for fila in range(1, MAX_FILAS + 2):
            hoja.cell(fila, n).number_format = "@"
        hoja.cell(1, n).font = Font(bold=True)
    guia = nuevo.create_sheet(str(_("Guía")))
    for columna in COLUMNAS:
        obligatoria = str(_("Obligatoria.")) if columna.obligatoria else ""
        guia.append([columna.nombre, str(columna.ayuda), obligatoria, seguro(columna.ejemplo)])
    catalogo = nuevo.create_sheet(str(_("Catálogo")))
    for producto in Producto.objects.filter(activo=True):
        catalogo.append([seguro(producto.nombre), producto.codigo, seguro(producto.nombre_cientifico)])
    for otra in (guia, catalogo):
        for letra, ancho in zip("ABCD", (30, 80, 16, 40), strict=True):
            otra.column_dimensions[letra].width = ancho
    salida = io.BytesIO()
    nuevo.save(salida)
    return salida.getvalue()


def plantilla() -> bytes:
    """The heading and one example, as Excel in Spanish opens it."""
    return escribir([NOMBRES, [columna.ejemplo for columna in COLUMNAS]], ";")


def rechazadas(planilla: Planilla) -> bytes:
    """The rows of every request that is not good, as they came, and what is wrong with each in a column more."""
    filas_: list[Sequence[str]] = [(*NOMBRES, ERRORES)]
    for pedida in planilla.malas:
        for fila in pedida.filas:
            dichos = [f"{d.columna}: {d.mensaje}" if d.columna else d.mensaje for d in pedida.defectos
                      if d.fila == fila.n]  # fmt: skip
            filas_.append([*(fila.valores[nombre] for nombre in NOMBRES), " | ".join(dichos)])
    return escribir(filas_, planilla.delimitador)

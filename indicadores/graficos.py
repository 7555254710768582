"""Charts as SVG drawn on the server: attributes and classes only, since the site's policy lets no inline style in.

A chart's title states the finding, its axes bear units, and the same numbers stand in a table behind it
(`componentes/grafico.html`). A value that could not be computed leaves a gap, never a zero.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

SIN_DATOS = "sin datos"
ANCHO, ALTO = 720, 250
IZQUIERDA, DERECHA, ARRIBA, ABAJO = 46, 12, 26, 34
SEPARACION = 62  # between two labels of the axis, so that they do not touch
# What static/css/app.css gives a chart on the screen, in the ink of the PDFs.
PAPEL = """
text { fill: #3c4842; font-size: 13px; font-family: "Liberation Sans", sans-serif } .eje { text-anchor: end }
.etiqueta { text-anchor: middle } path { fill: none } .rejilla { stroke: #dde3de }
.serie { stroke: #14624a; stroke-width: 2 }
.azul { stroke: #1d5fa8; stroke-dasharray: 7 4 } .punto { fill: #14624a } .punto.azul { fill: #1d5fa8; stroke: none }
"""


@dataclass(frozen=True)
class Punto:
    """One value: what it is of (a month, a week), and the page with what it counts. `fuera`: outside its limits."""

    etiqueta: str
    valor: float | None
    url: str = ""
    nota: str = ""
    fuera: bool = False


@dataclass(frozen=True)
class Serie:
    """A line of points. `tono`: verde, azul or ambar; each also has its own dash and mark."""

    nombre: str
    puntos: Sequence[Punto]
    tono: str = "verde"


@dataclass(frozen=True)
class Grafico:
    """A drawn chart with what the table behind it shows: a row per label, a column per series."""

    titulo: str
    unidad: str
    svg: SafeString
    series: Sequence[Serie]
    columnas: Sequence[str] = ()
    filas: Sequence[tuple[str, Sequence[tuple[str, str]]]] = field(default_factory=list)

    @property
    def en_papel(self) -> SafeString:
        """The drawing for a PDF: WeasyPrint gives the SVG in a document none of the document's styles."""
        cabeza, resto = self.svg.split(">", 1)
        return mark_safe(f"{cabeza}><style>{PAPEL}</style>{resto}")  # noqa: S308 - the drawing, and a constant


def redondear(valor: float, decimales: int = 1) -> Decimal:
    """Half goes up, as people round; `number_format` alone would cut the rest off."""
    return Decimal(str(valor)).quantize(Decimal(1).scaleb(-decimales), ROUND_HALF_UP)


def numero(valor: float | None, decimales: int = 1) -> str:
    """As people here write it; «sin datos» for what could not be computed."""
    return SIN_DATOS if valor is None else number_format(redondear(valor, decimales), decimales)


def marcas(tope: float, enteras: bool = False) -> list[float]:
    """Four or five round values from zero to `tope` or a little above; fewer when half a unit means nothing."""
    if tope <= 0:
        return [0.0, 1.0]
    paso = 10 ** math.floor(math.log10(tope / 4))
    paso = next(paso * n for n in (1, 2, 2.5, 5, 10) if tope / (paso * n) <= 5)
    paso = math.ceil(paso) if enteras else paso
    return [paso * i for i in range(math.ceil(tope / paso) + 1)]


def lineas(
    titulo: str,
    unidad: str,
    series: Sequence[Serie],
    *,
    limites: Sequence[tuple[float, float] | None] = (),
    centro: float | None = None,
    centro_dice: str = "",
    decimales: int = 1,
) -> Grafico:
    """Values over time, all series over the labels of the first. `limites`: lower and upper of each label, as a
    control chart has them; `centro`: a level across the whole, named `centro_dice`."""
    valores = [p.valor for serie in series for p in serie.puntos if p.valor is not None]
    valores += [alto for par in limites if par for alto in par] + ([centro] if centro is not None else [])
    eje = marcas(max(valores, default=0), enteras=not decimales)
    n = len(series[0].puntos) if series else 0

    def x(i: int) -> float:
        util = ANCHO - IZQUIERDA - DERECHA
        return round(IZQUIERDA + (util * (i + 0.5) / n if n else 0), 1)

    def y(valor: float) -> float:
        return round(ALTO - ABAJO - (ALTO - ARRIBA - ABAJO) * valor / eje[-1], 1)

    partes = [_eje(eje, y, unidad), _etiquetas([p.etiqueta for p in series[0].puntos] if series else [], x)]
    if any(limites):
        for cual in (0, 1):
            trazo = _trazo([(x(i), y(par[cual])) if par else None for i, par in enumerate(limites)])
            partes.append(format_html('<path class="limite" d="{}"/>', trazo))
    if centro is not None:
        partes.append(
            format_html('<path class="centro" d="M{} {}H{}"/>', IZQUIERDA, y(centro), ANCHO - DERECHA)
            + format_html('<text class="nota" x="{}" y="{}">{}</text>', ANCHO - DERECHA, y(centro) - 5, centro_dice)
        )
    for serie in series:
        lugares = [(x(i), y(p.valor)) if p.valor is not None else None for i, p in enumerate(serie.puntos)]
        partes.append(format_html('<path class="serie {}" d="{}"/>', serie.tono, _trazo(lugares)))
        partes += [
            _marca(lugar, serie, punto, unidad, decimales)
            for lugar, punto in zip(lugares, serie.puntos, strict=True)
            if lugar
        ]
    filas = [
        (series[0].puntos[i].etiqueta, [(numero(s.puntos[i].valor, decimales), s.puntos[i].url) for s in series])
        for i in range(n)
    ]
    return Grafico(titulo, unidad, _svg(titulo, partes), series, [serie.nombre for serie in series], filas)


def _svg(titulo: str, partes: Sequence[SafeString]) -> SafeString:
    return format_html(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" focusable="false">{}</svg>',
        ANCHO, ALTO, titulo, mark_safe("".join(partes)),  # noqa: S308 - each part was escaped when it was made
    )  # fmt: skip


def _eje(eje: Sequence[float], y: Callable[[float], float], unidad: str) -> SafeString:
    decimales = 0 if all(float(valor).is_integer() for valor in eje) else 1
    lineas = format_html_join(
        "",
        '<path class="rejilla" d="M{} {}H{}"/><text class="eje" x="{}" y="{}">{}</text>',
        ((IZQUIERDA, y(v), ANCHO - DERECHA, IZQUIERDA - 6, y(v) + 4, number_format(v, decimales)) for v in eje),
    )
    return lineas + format_html('<text class="unidad" x="2" y="11">{}</text>', unidad)


def _etiquetas(etiquetas: Sequence[str], x: Callable[[int], float]) -> SafeString:
    """As many labels as fit, the last one always: it is the news."""
    if not etiquetas:
        return mark_safe("")
    caben = max(1, int((ANCHO - IZQUIERDA - DERECHA) / SEPARACION))
    cada = math.ceil(len(etiquetas) / caben)
    ultima = len(etiquetas) - 1
    return format_html_join(
        "",
        '<text class="etiqueta" x="{}" y="{}">{}</text>',
        ((x(i), ALTO - 12, texto) for i, texto in enumerate(etiquetas) if (ultima - i) % cada == 0),
    )


def _trazo(lugares: Sequence[tuple[float, float] | None]) -> str:
    """A path through the places; a gap where one is missing."""
    trazo, sigue = [], False
    for lugar in lugares:
        if lugar:
            trazo.append(f"{'L' if sigue else 'M'}{lugar[0]} {lugar[1]}")
        sigue = lugar is not None
    return "".join(trazo) or "M0 0"


def _marca(lugar: tuple[float, float], serie: Serie, punto: Punto, unidad: str, decimales: int) -> SafeString:
    dicho = f"{serie.nombre}, {punto.etiqueta}: {numero(punto.valor, decimales)} {unidad}".strip()
    dicho = " · ".join(filter(None, [dicho, punto.nota, "fuera de los límites" if punto.fuera else ""]))
    cx, cy = lugar
    if punto.fuera:  # another shape, not only another colour
        forma = format_html('<path class="punto fuera" d="M{} {}l7 7l-7 7l-7 -7z"/>', cx, cy - 7)
    elif serie.tono == "azul":
        forma = format_html('<rect class="punto azul" x="{}" y="{}" width="7" height="7"/>', cx - 3.5, cy - 3.5)
    else:
        forma = format_html('<circle class="punto {}" cx="{}" cy="{}" r="4"/>', serie.tono, cx, cy)
    return format_html("<g><title>{}</title>{}</g>", dicho, forma)


@dataclass(frozen=True)
class Barra:
    """A row of a Pareto: its share of the whole and the share of all down to it, 0 to 100."""

    nombre: str
    valor: float
    dicho: str
    url: str
    parte: float
    acumulado: float


def pareto(filas: Sequence[tuple[str, float, str, str]]) -> list[Barra]:
    """(name, value, how it is said, address) from the largest down, with the cumulative share."""
    total, suma, barras = sum(valor for _n, valor, _d, _u in filas), 0.0, []
    for nombre, valor, dicho, url in sorted(filas, key=lambda fila: (-fila[1], fila[0])):
        suma += valor
        barras.append(
            Barra(nombre, valor, dicho, url, 100 * valor / total if total else 0, 100 * suma / total if total else 0)
        )
    return barras


def barra(parte: float) -> SafeString:
    """The bar of one row of a Pareto, 0 to 100."""
    return format_html(
        '<svg class="barra-parte" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="fondo" width="100" height="8"/><rect class="valor" width="{}" height="8"/></svg>',
        round(max(0.0, min(100.0, parte)), 2),
    )

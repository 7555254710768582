"""How the programme's figures are said: a card a number, its n, what was left out; and charts over months."""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode

from senasa.models import Puesto

from . import cuadro, hallazgos
from .cifra import Antes, Cifra, Nota
from .graficos import Grafico, Punto, Serie, lineas, numero
from .informados import Informados
from .models import LineaBase
from .programa import EXCLUIDOS, Medida, Mes, Parte, Programa
from .reversiones import Filtro

I = LineaBase.Indicador  # noqa: E741 - the nine, read in a table

Enlace = Callable[[str, date, date], str]


def enlazar(puesto: Puesto | None) -> Enlace:
    """The address of the list behind a number."""

    def _enlace(cual: str, desde: date, hasta: date) -> str:
        consulta = {"desde": desde.isoformat(), "hasta": hasta.isoformat(), "puesto": puesto.codigo if puesto else ""}
        return f"{reverse('programa_casos', args=[cual])}?{urlencode(consulta)}"

    return _enlace


def _dias(valor: float | None) -> str:
    return "" if valor is None else f"{numero(valor)} días"


def _pct(parte: float | None) -> str:
    return "" if parte is None else f"{numero(parte)} %"


def _medidas(medida: Medida) -> str:
    if not medida.n:
        return ""
    return f"mediana {numero(medida.mediana)} · 9 de cada 10 en {numero(medida.p90)} días o menos · n = {medida.n}"


def _de(parte: Parte) -> str:
    return f"{parte.cuantos} de {parte.n}" if parte.n else ""


def _numerado(clave: str) -> str:
    """«5 · Abiertos hace más de 60 días»."""
    indicador = cuadro.POR_CLAVE[clave]
    return f"{indicador.n} · {indicador.nombre}"


def _notas(*textos: str) -> list[Nota]:
    return [(texto, "") for texto in textos if texto]


def cifras(p: Programa, inf: Informados, bases: Mapping[str, LineaBase], abre: Container[str]) -> list[Cifra]:
    """The nine indicators of one period, in the order of domain.md, each against its baseline if it has one.

    `abre`: which of «informados», «reversiones_detras» and «reversiones_informes» the reader may open; of the other
    pages the number is shown without a link.
    """
    enlace = enlazar(p.puesto)
    codigo = p.puesto.codigo if p.puesto else ""

    def ver(cual: str) -> str:
        return enlace(cual, p.desde, p.hasta)

    def fuera(*razones: str) -> list[Nota]:
        return [(f"{p.excluidos[r]} {EXCLUIDOS[r]}", ver(r)) for r in razones if p.excluidos[r]]

    def revertidas(pagina: str, **mas: str) -> str:
        return hallazgos.enlace(Filtro(p.desde, p.hasta, p.puesto), pagina, **mas) if pagina in abre else ""

    def antes(clave: str, ahora: float | None) -> Antes | None:
        if clave not in bases:
            return None
        indicador, base = cuadro.POR_CLAVE[clave], bases[clave].valor
        consulta = {"desde": f"{p.desde:%Y-%m}", "hasta": f"{p.hasta:%Y-%m}", "puesto": codigo}
        return Antes(
            cuadro.escribir(base, indicador.unidad),
            f"{reverse('linea_base')}?{urlencode(consulta)}",
            cuadro.comparar(indicador, ahora, base),
        )

    del_mes = f"{reverse('informados')}?{urlencode({'mes': f'{p.desde:%Y-%m}', 'puesto': codigo})}"
    sin_cierres = "ningún caso con muestra se cerró en el período"
    return [
        Cifra(
            _numerado(I.CICLO), _dias(p.ciclo.media), ver("ciclo"),
            _notas(_medidas(p.ciclo) or sin_cierres), fuera("sin_muestra"), antes(I.CICLO, p.ciclo.media),
        ),
        Cifra(
            _numerado(I.A_TIEMPO), _pct(p.a_tiempo.pct), ver("a_tiempo"),
            _notas(_de(p.a_tiempo) or sin_cierres), antes=antes(I.A_TIEMPO, p.a_tiempo.pct),
        ),
        Cifra(
            _numerado(I.DECISION), _dias(p.informe_a_dictamen.media), ver("decision"),
            _notas(_medidas(p.informe_a_dictamen) or "ningún caso cerrado se decidió sobre un informe"),
            fuera("sin_informe", "decision_antes_del_informe"), antes(I.DECISION, p.informe_a_dictamen.media),
        ),
        Cifra(
            _numerado(I.ENVIO), _pct(p.envio.pct), ver("envio"),
            _notas(_de(p.envio) or "nada se muestreó en el período, o aún está en plazo"),
            fuera("plazo_no_vencido"), antes(I.ENVIO, p.envio.pct),
        ),
        Cifra(
            _numerado(I.REZAGO), str(p.rezago), ver("rezago"),
            [(f"y {p.rezago_sin_muestra} sin ninguna muestra", ver("rezago_sin_muestra")),
             (f"al {date_format(timezone.localtime(p.al), 'j M Y, H:i').lower()}", "")],
            antes=antes(I.REZAGO, p.rezago),
        ),
        Cifra(
            _numerado(I.INFORMADOS), _pct(inf.pct), del_mes if "informados" in abre else "",
            _notas(f"{inf.solicitantes_informados} de {inf.solicitantes} importadores · "
                   f"{inf.informes_informados} de {inf.informes} informes" if inf.solicitantes
                   else "ningún informe se emitió en el período"),
            antes=antes(I.INFORMADOS, inf.pct),
        ),
        Cifra(
            _numerado(I.REVERSIONES), "" if p.por_100 is None else numero(p.por_100),
            revertidas("reversiones_detras"),
            [(f"{p.reversiones} sobre {p.muestras} muestras recibidas" if p.muestras
              else "ninguna muestra se recibió en el período", ""),
             *([(f"{_pct(p.pct_autoaprobadas)} autoaprobadas", revertidas("reversiones_detras", autoaprobadas="on"))]
               if p.reversiones else [])],
            antes=antes(I.REVERSIONES, p.por_100),
        ),
        Cifra(
            _numerado(I.AUTOFIRMADOS), _pct(p.autofirmados.pct),
            revertidas("reversiones_informes", firma="automatica"),
            _notas(_de(p.autofirmados) or "ningún informe negativo se emitió en el período",
                   f"del último ensayo al informe: mediana {numero((p.ensayo_a_informe.mediana or 0) * 24)} h"
                   if p.ensayo_a_informe.n else ""),
            antes=antes(I.AUTOFIRMADOS, p.autofirmados.pct),
        ),
        Cifra(_numerado(I.RECLAMOS), "", "", _notas("este sistema todavía no registra reclamos")),
    ]  # fmt: skip


def al_lado(p: Programa) -> list[tuple[str, str, str]]:
    """What is printed beside the nine: (name, number, address or "")."""
    ver = enlazar(p.puesto)("anulados", p.desde, p.hasta)
    return [
        (cuadro.AL_LADO["anulados"], str(p.anulados), ver),
        (cuadro.AL_LADO["dias_detenidos"], numero(p.dias_detenidos), ""),
        (cuadro.AL_LADO["repeticiones"], str(p.repeticiones), ""),
        (cuadro.AL_LADO["cancelaciones"], str(p.cancelaciones), ""),
        (cuadro.AL_LADO["tardios"], _pct(p.tardios.pct) or "sin datos", ""),
    ]


def mes(dia: date) -> str:
    return date_format(dia, "M Y").lower()


def graficos(todos: Sequence[Mes], enlace: Enlace | None = None) -> list[Grafico]:
    """Four charts over the months; each title says what happened between the first and the last that have a value.

    Without `enlace`, no point opens its cases: what a report froze is no longer what the lists show.
    """

    def puntos(leer: Callable[[Mes], float | None], cual: str, n: Callable[[Mes], int]) -> list[Punto]:
        return [
            Punto(mes(p.desde), leer(p), enlace(cual, p.desde, p.hasta) if enlace else "", f"n = {n(p)}") for p in todos
        ]

    ciclo = puntos(lambda p: p.ciclo.media, "ciclo", lambda p: p.ciclo.n)
    tiempo = puntos(lambda p: p.a_tiempo.pct, "a_tiempo", lambda p: p.a_tiempo.n)
    decision = puntos(lambda p: p.informe_a_dictamen.media, "decision", lambda p: p.informe_a_dictamen.n)
    envio = puntos(lambda p: p.envio.pct, "envio", lambda p: p.envio.n)
    rezago = puntos(lambda p: float(p.rezago), "rezago", lambda p: p.rezago)
    mediana = puntos(lambda p: p.ciclo.mediana, "ciclo", lambda p: p.ciclo.n)
    return [
        lineas(
            _hallazgo(I.CICLO, ciclo, "días"), "días",
            [Serie("Media", ciclo), Serie("Mediana", mediana, "azul")],
        ),
        lineas(
            _hallazgo(I.A_TIEMPO, tiempo, "%"), "%",
            [Serie(str(I.A_TIEMPO.label), tiempo),
             Serie(str(I.ENVIO.label), envio, "azul")],
        ),
        lineas(_hallazgo(I.DECISION, decision, "días"), "días", [Serie("Media", decision)]),
        lineas(
            _hallazgo(I.REZAGO, rezago, "casos", 0), "casos",
            [Serie("Abiertos a fin de mes", rezago)], decimales=0,
        ),
    ]  # fmt: skip


def _con_unidad(valor: float | None, unidad: str, decimales: int) -> str:
    return f"{numero(valor, decimales)} {'caso' if unidad == 'casos' and valor == 1 else unidad}"


def _hallazgo(clave: str, puntos: Sequence[Punto], unidad: str, decimales: int = 1) -> str:
    """The indicator by its name, and how it moved between which two months: a card compares it with its baseline."""
    que = cuadro.POR_CLAVE[clave].nombre
    dichos = [punto for punto in puntos if punto.valor is not None]
    if not dichos:
        return f"{que}: sin datos en el período"
    ultimo, primero = (_con_unidad(uno.valor, unidad, decimales) for uno in (dichos[-1], dichos[0]))
    if len(dichos) == 1:
        return f"{que}: {ultimo} en {dichos[-1].etiqueta}"
    antes, despues = dichos[0].valor or 0, dichos[-1].valor or 0
    verbo = "subió" if despues > antes else "bajó" if despues < antes else "sigue"
    if verbo == "sigue":
        return f"{que}: sigue en {ultimo}, como en {dichos[0].etiqueta}"
    return f"{que}: {verbo} de {primero} en {dichos[0].etiqueta} a {ultimo} en {dichos[-1].etiqueta}"

"""How the statistics of reversions are said: the finding of each chart, its bars, the address behind each figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from .cifra import Cifra
from .graficos import Barra, Grafico, Punto, Serie, barra, lineas, numero, pareto
from .models import LineaBase
from .reversiones import SEMANA, Ahorro, Causa, Causas, Control, Filtro, Periodo

UNIDAD = "por 100 muestras"
REVERSIONES = str(LineaBase.Indicador.REVERSIONES.label)


def enlace(filtro: Filtro, nombre: str = "reversiones_detras", **mas: str) -> str:
    """The list behind a figure of `filtro`."""
    consulta = {
        "desde": filtro.desde.isoformat(),
        "hasta": filtro.hasta.isoformat(),
        "puesto": filtro.puesto.codigo if filtro.puesto else "",
        "disciplina": str(filtro.disciplina.pk) if filtro.disciplina else "",
        **mas,
    }
    return f"{reverse(nombre)}?{urlencode({clave: valor for clave, valor in consulta.items() if valor})}"


def de_dias(filtro: Filtro, periodo: Periodo) -> Filtro:
    return Filtro(periodo.desde, periodo.hasta, filtro.puesto, filtro.disciplina)


# ── The control chart ─────────────────────────────────────────────────────────────────────────────


def nombre_de(cada: str, dia: date) -> str:
    """«marzo de 2026», «la semana del 2 de marzo de 2026»."""
    if cada == SEMANA:
        return "la semana del " + date_format(dia, r"j \d\e F \d\e Y").lower()
    return date_format(dia, r"F \d\e Y").lower()


@dataclass(frozen=True)
class Fila:
    """A period in the table behind the chart."""

    nombre: str
    tasa: str
    reversiones: int
    url: str
    muestras: int
    limites: str
    notas: Sequence[str]
    fuera: str


def filas_de(control: Control, filtro: Filtro) -> list[Fila]:
    return [
        Fila(
            nombre_de(control.cada, uno.desde),
            "sin muestras" if uno.tasa is None else numero(uno.tasa),
            uno.reversiones,
            enlace(de_dias(filtro, uno)),
            uno.muestras,
            f"{numero(uno.limites[0])} a {numero(uno.limites[1])}" if uno.limites else "sin límites",
            _notas(uno),
            uno.fuera,
        )
        for uno in control.periodos
    ]


def _notas(uno: Periodo) -> list[str]:
    notas = []
    if uno.incompleto:
        notas.append("período incompleto: no se juzga")
    if uno.racha:
        notas.append("ocho seguidos a un mismo lado del centro")
    return notas


def grafico_de(control: Control, filtro: Filtro) -> Grafico:
    etiqueta = "j M" if control.cada == SEMANA else "M Y"
    puntos = [
        Punto(
            date_format(uno.desde, etiqueta).lower(),
            uno.tasa,
            enlace(de_dias(filtro, uno)),
            " · ".join([f"{uno.reversiones} en {uno.muestras} muestras", *_notas(uno)]),
            bool(uno.fuera),
        )
        for uno in control.periodos
    ]
    return lineas(
        titulo_de(control),
        UNIDAD,
        [Serie(REVERSIONES, puntos)],
        limites=[uno.limites for uno in control.periodos],
        centro=control.centro,
        centro_dice=f"centro {numero(control.centro)}" if control.centro is not None else "",
    )


def titulo_de(control: Control) -> str:
    """The news of the chart in one sentence: what is outside first, then a run, then that nothing is."""
    fuera = [uno for uno in control.periodos if uno.fuera]
    if control.centro is None:
        if any(uno.muestras for uno in control.periodos):
            return "Aún no hay un período completo del que calcular el centro y los límites"
        return "No se puede calcular la tasa: en estos días no se recibió ninguna muestra"
    if fuera:
        ultimo = fuera[-1]
        assert ultimo.limites
        limite = ultimo.limites[1] if ultimo.fuera == "por encima" else ultimo.limites[0]
        otros = f"; y {len(fuera) - 1} más" if len(fuera) > 1 else ""
        return (
            f"{nombre_de(control.cada, ultimo.desde).capitalize()} salió de sus límites {ultimo.fuera}: "
            f"{numero(ultimo.tasa)} por 100 muestras (límite {numero(limite)}){otros}"
        )
    if any(uno.racha for uno in control.periodos):
        return f"Ocho puntos seguidos a un mismo lado del centro: la tasa se movió (centro {numero(control.centro)})"
    if not any(uno.limites for uno in control.periodos):
        return "Hay tantas reversiones como muestras: una proporción así no tiene límites"
    return f"Ningún período completo salió de sus límites: {numero(control.centro)} por 100 muestras en promedio"


# ── Paretos ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Pareto:
    nombre: str
    titulo: str
    columna: str
    barras: Sequence[tuple[Barra, SafeString, str]]
    total: str


def horas(cuantas: float) -> str:
    """«41 h», «0,5 h»: a decimal below ten."""
    return f"{numero(cuantas, 0 if cuantas >= 10 else 1)} h"


def paretos(causas: Causas, filtro: Filtro, *, por_horas: bool) -> list[Pareto]:
    return [
        _pareto("Motivo", causas.motivos, filtro, por_horas, "acto"),
        _pareto("Método", causas.metodos, filtro, por_horas, "análisis"),
        _pareto("Disciplina", causas.disciplinas, filtro, por_horas, "análisis"),
    ]


def _pareto(nombre: str, causas: Sequence[Causa], filtro: Filtro, por_horas: bool, unidad: str) -> Pareto:
    def valor(una: Causa) -> float:
        return una.horas if por_horas else una.veces

    por_url = {enlace(filtro, **una.clave): una for una in causas}
    barras = pareto([(una.nombre, valor(una), _medida(una, por_horas), url) for url, una in por_url.items()])
    total = sum(valor(una) for una in causas)
    return Pareto(
        nombre,
        _hallazgo(max(causas, key=lambda una: (valor(una), una.nombre), default=None), total, por_horas),
        "Horas que sumaron" if por_horas else "Veces",
        [(una, barra(una.parte), _al_lado(por_url[una.url], por_horas)) for una in barras],
        horas(total) if por_horas else f"{sum(una.veces for una in causas)}",
    )


def _medida(una: Causa, por_horas: bool) -> str:
    return horas(una.horas) if por_horas else str(una.veces)


def _al_lado(una: Causa, por_horas: bool) -> str:
    """The other measure, and what is still running."""
    otra = contadas(una.veces) if por_horas else horas(una.horas)
    return f"{otra}; {una.abiertas} sin volver aún, hasta ahora" if una.abiertas else otra


def contadas(n: int) -> str:
    return "1 reversión" if n == 1 else f"{n} reversiones"


def _hallazgo(mayor: Causa | None, total: float, por_horas: bool) -> str:
    if mayor is None:
        return "Ninguna reversión en estos días"
    if por_horas and not total:
        return "Ninguna sumó horas"
    if por_horas:
        return f"«{mayor.nombre}» costó más horas: {horas(mayor.horas)} en {contadas(mayor.veces)}"
    return f"«{mayor.nombre}» se repitió más: {mayor.veces} de {int(total)}"


# ── Cards ─────────────────────────────────────────────────────────────────────────────────────────


def cifras(control: Control, causas: Causas, ahorrado: Ahorro, filtro: Filtro) -> list[Cifra]:
    todas = enlace(filtro)
    cuantas = (contadas(control.reversiones), todas)
    sumadas = sum(una.horas for una in causas.motivos)
    abiertas = sum(una.abiertas for una in causas.motivos)
    return [
        Cifra(
            REVERSIONES,
            "" if control.por_100 is None else numero(control.por_100),
            todas,
            [cuantas, (f"{control.muestras} muestras recibidas", "")],
        ),
        Cifra(
            "Horas que sumaron",
            horas(sumadas) if control.reversiones else "",
            todas,
            [(f"{abiertas} sin volver aún, contadas hasta ahora", "")] if abiertas else [],
        ),
        Cifra(
            "Autoaprobadas",
            "" if control.pct_autoaprobadas is None else f"{numero(control.pct_autoaprobadas)} %",
            enlace(filtro, autoaprobadas="on"),
            [(f"{control.autoaprobadas} de {control.reversiones}", "")] if control.reversiones else [],
        ),
        _de_la_firma(ahorrado, filtro),
    ]


def _de_la_firma(a: Ahorro, filtro: Filtro) -> Cifra:
    sin_disciplina = Filtro(filtro.desde, filtro.hasta, filtro.puesto)

    def lista(cuales: str) -> str:
        return enlace(sin_disciplina, "reversiones_informes", firma=cuales)

    notas = []
    if a.mediana_automaticos is not None:
        notas.append((f"{a.automaticos} firmados solos, mediana {horas(a.mediana_automaticos)}", lista("automatica")))
    if a.mediana_de_personas is not None:
        notas.append((f"{a.de_personas} esperaron a una persona, {horas(a.mediana_de_personas)}", lista("persona")))
    if a.horas is None:
        falta = "negativos firmados solos" if a.mediana_automaticos is None else "negativos que esperaran a una persona"
        notas.append((f"No se puede calcular: en estos días no hay {falta} con qué comparar", ""))
    return Cifra("Ahorró la firma automática", "" if a.horas is None else _ahorradas(a.horas), "", notas)


def _ahorradas(cuantas: float) -> str:
    """Said as it is also when signing by hand was quicker."""
    return horas(cuantas) if cuantas >= 0 else f"−{horas(-cuantas)}"

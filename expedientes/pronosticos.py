"""When a case will end: what like cases took, from the ledger of times, and how well that foretold it.

A case stands in one of five stretches between two milestones (`TRAMOS`). Of the last cases closed before the moment
of the forecast, those count that were at least as long in the same stretch; what was then still to come for each of
them, until its closure, is spread over the future of this one: half ended by `mediana`, eight in ten by `ochenta`.
Like means: the same product, origin, tests and post; with fewer than `PRONOSTICO_MINIMO` of them the next wider group
speaks, and of too few nobody does. Only what outsiders may know enters: stretches and their hours, never what the
laboratory has found or at what it is. Cases are taken by when they ended: taken by when they began, those that take
long would be missing among the recent ones.

A page asks two index ranges of at most `MUESTRA` rows each, whatever the table holds. Nothing is precomputed: a
forecast is made of cases closed before its moment and can be made again later, the same. Each one given at the
beginning of a stretch, and after `EDADES` days in it, is kept (`Pronostico`) and later held against the truth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from senasa import reloj

from .models import TERMINADOS, Estado, Expediente, Hitos, Pronostico

MUESTRA = 1000
HASTA_HACE = timedelta(days=730)  # older cases tell how it was, not how it is
EDADES = (7, 21)
# From which milestone to which a case stands in each stretch; without a sample its decision ends the first.
TRAMOS = {
    Pronostico.Tramo.SIN_MUESTRA: ("t0", "t1"),
    Pronostico.Tramo.CON_MUESTRA: ("t1", "t2"),
    Pronostico.Tramo.LABORATORIO: ("t2", "t5"),
    Pronostico.Tramo.DECISION: ("t5", "t6"),
    Pronostico.Tramo.CIERRE: ("t6", "t7"),
}
# The groups from the narrowest to the widest, by what a like case shares, and how that is said.
GRUPOS = (
    (("producto_id", "origen_id", "metodos", "puesto_id"), _("del mismo producto, origen, análisis y puesto")),
    (("producto_id", "origen_id", "puesto_id"), _("del mismo producto, origen y puesto")),
    (("producto_id", "origen_id"), _("del mismo producto y origen")),
    (("producto_id",), _("del mismo producto")),
    (("puesto_id",), _("de este puesto")),
)
LEE = ("expediente_id", "producto_id", "origen_id", "metodos", "puesto_id", "t0", "t1", "t2", "t5", "t6", "t7")


@dataclass(frozen=True)
class Prevision:
    """Half of `n` like cases ended by `mediana`, eight in ten by `ochenta`. `grupo`: place in `GRUPOS`."""

    mediana: datetime
    ochenta: datetime
    n: int
    grupo: int

    @property
    def de_quienes(self) -> Any:
        return GRUPOS[self.grupo][1]


def donde_esta(expediente: Expediente, suyos: Hitos) -> tuple[str, datetime] | None:
    """The stretch a case stands in, and since when; None where the end depends on its importer, or it has ended."""
    desde = expediente.estado_desde
    match expediente.estado:
        case Estado.REGISTRADO | Estado.EN_INSPECCION if suyos.t1 is None:
            tramo, desde = Pronostico.Tramo.SIN_MUESTRA, suyos.t0
        case Estado.EN_INSPECCION:
            tramo = Pronostico.Tramo.CON_MUESTRA
            desde = max(filter(None, (desde, suyos.t1)))
        case Estado.EN_LABORATORIO:
            tramo = Pronostico.Tramo.LABORATORIO
        case Estado.RESULTADO_EMITIDO:
            tramo = Pronostico.Tramo.DECISION
        case Estado.DICTAMINADO:
            tramo = Pronostico.Tramo.CIERRE
        case _otro:
            return None
    return (tramo, desde) if desde else None


def prever(suyos: Hitos, *, tramo: str, desde: datetime, momento: datetime) -> Prevision | None:
    """The forecast of a case that stands in `tramo` since `desde`, as it is at `momento`; None of too few like it."""
    cerrados = Hitos.objects.filter(t7__lt=momento, t7__gte=momento - HASTA_HACE, migrado=False)
    cerrados = cerrados.exclude(expediente=suyos.expediente_id).order_by("-t7")
    del_producto = _filas(cerrados.filter(producto=suyos.producto_id))
    lleva = max(momento - desde, timedelta())
    for n, (campos, _dicho) in enumerate(GRUPOS):
        if "metodos" in campos and not suyos.metodos:
            continue
        filas = del_producto if "producto_id" in campos else _filas(cerrados.filter(puesto=suyos.puesto_id))
        iguales = [fila for fila in filas if all(getattr(fila, campo) == getattr(suyos, campo) for campo in campos)]
        restos = sorted(_restos(iguales, tramo, lleva))
        if len(restos) >= settings.PRONOSTICO_MINIMO:
            return Prevision(momento + _cuantil(restos, 0.5), momento + _cuantil(restos, 0.8), len(restos), n)
    return None


def _filas(cerrados: Any) -> list[Any]:
    return list(cerrados.values_list(*LEE, named=True)[:MUESTRA])


def _restos(filas: Iterable[Any], tramo: str, lleva: timedelta) -> Iterable[timedelta]:
    """What was still to come for each case that was at least so long in the stretch."""
    empieza, termina = TRAMOS[Pronostico.Tramo(tramo)]
    for fila in filas:
        inicio, fin = getattr(fila, empieza), getattr(fila, termina) or fila.t6
        if inicio and fin and fin - inicio >= lleva:
            yield max(fila.t7 - inicio - lleva, timedelta())


def _cuantil(restos: Sequence[timedelta], parte: float) -> timedelta:
    """The value that a next one stays under in `parte` of all times: the ceil(parte·(n+1))-th of n in order."""
    return restos[min(len(restos), math.ceil(parte * (len(restos) + 1))) - 1]


# ── Kept, and held against the truth ──────────────────────────────────────────────────────────────


def anotar(expediente: Expediente, suyos: Hitos) -> None:
    """Keep the forecast that a case begins its stretch with, within the transaction of the act that led there."""
    if expediente.migrado:
        return
    if expediente.estado in TERMINADOS or suyos.reaperturas:
        Pronostico.objects.filter(expediente=expediente).update(termino_en=suyos.fin, cerrado=suyos.t7 is not None)
    if aqui := donde_esta(expediente, suyos):
        _guardar(expediente, suyos, *aqui, dias=0)


def _guardar(expediente: Expediente, suyos: Hitos, tramo: str, desde: datetime, *, dias: int) -> bool:
    cual = {"expediente": expediente, "tramo": tramo, "desde": desde, "dias": dias}
    if Pronostico.objects.filter(**cual).exists():
        return False
    momento = desde + timedelta(days=dias)
    prevision = prever(suyos, tramo=tramo, desde=desde, momento=momento)
    if prevision is None:
        return False
    Pronostico.objects.create(
        **cual, hecho_en=momento, n=prevision.n, grupo=prevision.grupo,
        mediana_en=prevision.mediana, ochenta_en=prevision.ochenta,
    )  # fmt: skip
    return True


def repasar(lote: int = 500) -> int:
    """Keep the forecasts of those that have been in their stretch for one of `EDADES` days; how many."""
    hechos, ahora = 0, reloj.ahora()
    for dias in EDADES:
        ya = Pronostico.objects.filter(
            expediente=OuterRef("expediente"), tramo=OuterRef("tramo"), desde=OuterRef("desde"), dias=dias
        )
        primeros = Pronostico.objects.filter(dias=0, termino_en=None, desde__lte=ahora - timedelta(days=dias))
        primeros = primeros.filter(desde__gt=ahora - timedelta(days=dias + 7)).exclude(Exists(ya))
        for uno in primeros.select_related("expediente__hitos").order_by("desde")[:lote]:
            if donde_esta(uno.expediente, uno.expediente.hitos) == (uno.tramo, uno.desde):
                hechos += _guardar(uno.expediente, uno.expediente.hitos, uno.tramo, uno.desde, dias=dias)
    return hechos


@dataclass(frozen=True)
class Acierto:
    """How forecasts of one kind turned out. Only those whose 80 % date has passed are judged, ended or not."""

    tramo: str
    dias: int
    n: int
    cubiertos: float
    antes_de_la_mediana: float
    error_dias: float | None
    sin_terminar: int
    de_otro_modo: int

    @property
    def nombre(self) -> str:
        return str(Pronostico.Tramo(self.tramo).label)

    @property
    def bien(self) -> bool:
        """Eight in ten, give or take what chance does: two standard errors."""
        return abs(self.cubiertos - 80) <= 200 * math.sqrt(0.16 / self.n)


ACIERTOS = """
SELECT tramo, dias, count(*) FILTER (WHERE vale), count(*) FILTER (WHERE vale AND termino_en <= ochenta_en),
       count(*) FILTER (WHERE vale AND termino_en <= mediana_en),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(extract(epoch FROM termino_en - mediana_en)) / 86400.0)
           FILTER (WHERE vale AND termino_en IS NOT NULL),
       count(*) FILTER (WHERE termino_en IS NULL), count(*) FILTER (WHERE NOT vale)
  FROM (SELECT *, (termino_en IS NULL OR cerrado) AS vale FROM expedientes_pronostico
         WHERE ochenta_en >= %s AND ochenta_en < %s) juzgados
 GROUP BY tramo, dias"""


def aciertos(desde: datetime, hasta: datetime) -> list[Acierto]:
    """Coverage and error of the forecasts whose 80 % date fell between the two moments, by stretch and age.

    Those of cases that were withdrawn, annulled or abandoned are counted apart: no forecast is of that.
    """
    with connection.cursor() as cursor:
        cursor.execute(ACIERTOS, [desde, min(hasta, reloj.ahora())])
        filas = cursor.fetchall()
    orden = list(TRAMOS)
    juzgados = [
        Acierto(
            tramo=tramo, dias=dias, n=n, cubiertos=100 * cubiertos / n, antes_de_la_mediana=100 * antes / n,
            error_dias=error, sin_terminar=abiertos, de_otro_modo=otros,
        )
        for tramo, dias, n, cubiertos, antes, error, abiertos, otros in filas
        if n
    ]  # fmt: skip
    return sorted(juzgados, key=lambda uno: (orden.index(Pronostico.Tramo(uno.tramo)), uno.dias))

"""The old stock: how many cases are open for how long, today and at the end of each week before.

A case is as old as the days since its first sample (T1); one never sampled counts from its request (T0), apart.
What was open on a day is told exactly by the ledger of times: neither ended by then nor, when it was opened again,
between an end and its reopening. Days are calendar days, fractional. Posts are those that have the case today.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Case, CharField, Count, F, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL
from django.utils import timezone

from expedientes.models import Hitos
from expedientes.plazos import fin_del_dia
from indicadores.models import LineaBase

UMBRALES = (15, 60)
SEMANA = timedelta(days=7)
SEMANAS = 26
# (key, from, until) in days since T1: the last has no end.
TRAMOS: tuple[tuple[str, int, int | None], ...] = (
    ("0-15", 0, 15),
    ("15-30", 15, 30),
    ("30-60", 30, 60),
    ("60", 60, None),
)


def _de(puestos: list[int] | None) -> QuerySet[Hitos]:
    return Hitos.objects.all() if puestos is None else Hitos.objects.filter(puesto__in=puestos)


# ── Today ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Edades:
    """How many open cases are how old: sampled, since T1; never sampled, since T0."""

    tramo: str
    muestreados: int
    sin_muestra: int


def _tramo(desde: str, ahora: datetime) -> Case:
    cortes = [
        When(**{f"{desde}__gte": ahora - timedelta(days=hasta)}, then=Value(clave))
        for clave, _desde, hasta in TRAMOS
        if hasta is not None
    ]
    return Case(*cortes, default=Value(TRAMOS[-1][0]), output_field=CharField())


def edades(puestos: list[int] | None, ahora: datetime) -> list[Edades]:
    """The open stock by age, in two queries over the open cases alone."""
    abiertos = _de(puestos).filter(fin=None)
    cuentas = [
        dict(
            filas.annotate(tramo=_tramo(desde, ahora))
            .order_by()
            .values("tramo")
            .annotate(n=Count("pk"))
            .values_list("tramo", "n")
        )
        for filas, desde in ((abiertos.exclude(t1=None), "t1"), (abiertos.filter(t1=None), "t0"))
    ]
    return [Edades(clave, cuentas[0].get(clave, 0), cuentas[1].get(clave, 0)) for clave, _d, _h in TRAMOS]


# ── As it was ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Semana:
    """How many cases were open for more than each threshold at the end of a day; `sin_muestra`: of those over 60 days
    since T0 that had not been sampled by then."""

    dia: date
    mas_15: int
    mas_60: int
    sin_muestra_60: int


def fines_de_semana(ahora: datetime, semanas: int) -> list[date]:
    """The last `semanas` Sundays that are over, in Lima, the oldest first."""
    hoy = timezone.localdate(ahora)
    ultimo = hoy - timedelta(days=hoy.isoweekday())
    return [ultimo - n * SEMANA for n in reversed(range(semanas))]


# A case is over a threshold from T1 + so many days until it ends, less the times in which it had ended and was opened
# again. Each such stretch opens and closes at some week's end: the steps are summed, so that every case is read once.
# Weeks are of 168 hours: Lima has no summer time.
PASOS = """
WITH candidatos AS (
    SELECT t0, t1, fin, cierres, reaperturas FROM expedientes_hitos
    WHERE (fin IS NULL OR fin > %(primero)s) AND (%(puestos)s::bigint[] IS NULL OR puesto_id = ANY(%(puestos)s))
), vivos AS (
    SELECT 0 AS serie, t1 + interval '15 days' AS pasa, fin AS deja, cierres, reaperturas FROM candidatos
        WHERE t1 IS NOT NULL
    UNION ALL
    SELECT 1, t1 + interval '60 days', fin, cierres, reaperturas FROM candidatos WHERE t1 IS NOT NULL
    UNION ALL
    SELECT 2, t0 + interval '60 days', least(t1, fin), cierres, reaperturas FROM candidatos
), tramos AS (
    SELECT serie, 1 AS signo, pasa, %(primero)s AS desde, deja AS hasta FROM vivos
    UNION ALL
    SELECT serie, -1, pasa, (c->>0)::timestamptz, least(deja, (c->>1)::timestamptz)
    FROM vivos CROSS JOIN LATERAL jsonb_array_elements(cierres) c WHERE reaperturas > 0
), semanas AS (
    SELECT serie, signo,
           greatest(floor(extract(epoch FROM pasa - %(primero)s) / 604800) + 1,
                    ceil(extract(epoch FROM desde - %(primero)s) / 604800), 0)::int AS entra,
           coalesce(least(ceil(extract(epoch FROM hasta - %(primero)s) / 604800), %(n)s), %(n)s)::int AS sale
    FROM tramos
)
SELECT serie, semana, sum(paso) FROM (
    SELECT serie, entra AS semana, signo AS paso FROM semanas WHERE entra < sale
    UNION ALL
    SELECT serie, sale, -signo FROM semanas WHERE entra < sale AND sale < %(n)s
) p GROUP BY 1, 2"""


def quema(puestos: list[int] | None, ahora: datetime, semanas: int = SEMANAS) -> list[Semana]:
    """The old stock at the end of each of the last weeks, the oldest first: one query."""
    dias = fines_de_semana(ahora, semanas)
    datos: dict[str, Any] = {"primero": fin_del_dia(dias[0]), "n": len(dias), "puestos": puestos}
    pasos = [[0] * len(dias) for _serie in range(3)]
    with connection.cursor() as cursor:
        cursor.execute(PASOS, datos)
        for serie, semana, paso in cursor.fetchall():
            pasos[serie][semana] = int(paso)
    filas, acumulado = [], [0, 0, 0]
    for i, dia in enumerate(dias):
        acumulado = [total + serie[i] for total, serie in zip(acumulado, pasos, strict=True)]
        filas.append(Semana(dia, *acumulado))
    return filas


# Ended by then, and opened again after.
TERMINADO_ENTONCES = """(expedientes_hitos.reaperturas > 0 AND EXISTS (
    SELECT FROM jsonb_array_elements(expedientes_hitos.cierres) c
    WHERE (c ->> 0)::timestamptz <= %s AND (c ->> 1)::timestamptz > %s))"""


def abiertos_el(
    dia: datetime, puestos: list[int] | None, *, mas_de: int = 0, hasta: int | None = None, sin_muestra: bool = False
) -> QuerySet[Any]:
    """The cases open at that hour and over `mas_de` days old, and `hasta` at most; the oldest first.

    Since T1, or, `sin_muestra`, those not sampled by then since T0. They are what each number of `quema` and `edades`
    counts.
    """
    limite = dia - timedelta(days=mas_de)
    terminado = RawSQL(TERMINADO_ENTONCES, [dia, dia], output_field=BooleanField())  # noqa: S611 - no text of anybody's
    filas = _de(puestos).filter(Q(fin=None) | Q(fin__gt=dia)).exclude(terminado)
    if sin_muestra:
        filas = filas.filter(Q(t1=None) | Q(t1__gt=dia), t0__lt=limite).annotate(desde=F("t0"))
    else:
        filas = filas.filter(t1__lt=limite).annotate(desde=F("t1"))
    if hasta is not None:
        filas = filas.filter(desde__gte=dia - timedelta(days=hasta))
    return filas.select_related("expediente__puesto", "producto", "origen").order_by("desde", "pk")


def en_palabras(tramo: str) -> str:
    desde, _guion, hasta = tramo.partition("-")
    return f"De {desde} a {hasta} días" if hasta else f"Más de {desde} días"


def hallazgo(filas: list[Semana]) -> str:
    """What the chart shows, in one sentence: its title."""
    if not any(fila.mas_15 for fila in filas):
        return "Ningún expediente pasó de 15 días en estas semanas"
    primera, ultima = filas[0].mas_60, filas[-1].mas_60
    nombre, n = LineaBase.Indicador.REZAGO.label, len(filas) - 1
    semanas = "en 1 semana" if n == 1 else f"en {n} semanas"
    if ultima == primera:
        return f"{nombre}: sigue en {ultima} {semanas}"
    verbo = "bajó" if ultima < primera else "subió"
    return f"{nombre}: {verbo} de {primera} a {ultima} {semanas}"

"""The nine indicators of domain.md, section 6, over a period of Lima days, from `Hitos` and the laboratory's rows.

Hours are `ocurrio_en`; days are calendar days, fractional; percentages go from 0 to 100 and are not rounded. A number
that cannot be computed is None, never zero. What is left out is counted with its reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from senasa import reloj
from senasa.models import Puesto

from .guardado import Cuenta, contar, fin_de_mes, limites
from .informados import Informados

DIAS_DEL_CICLO = 15  # indicator 2: closed in under
DIAS_DE_ENVIO = 8  # indicator 4: sent in, at most
DIAS_DEL_REZAGO = 60  # indicator 5: open for more than

# Why a case is not in an indicator's numbers, in words.
EXCLUIDOS = {
    "sin_muestra": "cerrados sin muestra: no hay toma desde la cual contar",
    "sin_informe": "cerrados con muestra y decididos sin informe",
    "decision_antes_del_informe": "la decisión lleva una hora anterior a la del informe que usó",
    "plazo_no_vencido": "muestreados hace menos de 8 días: todavía pueden enviarse a tiempo",
}


@dataclass(frozen=True)
class Medida:
    """A time over `n` cases, in days; mean, median and 90th percentile are None when there is no case."""

    n: int = 0
    media: float | None = None
    mediana: float | None = None
    p90: float | None = None


@dataclass(frozen=True)
class Parte:
    """`cuantos` of `n`; no percentage of nothing."""

    cuantos: int = 0
    n: int = 0

    @property
    def pct(self) -> float | None:
        return 100 * self.cuantos / self.n if self.n else None


@dataclass(frozen=True)
class Mes:
    """Of a period what the charts over the months draw, and a monthly report freezes of the months before its own."""

    desde: date
    hasta: date
    ciclo: Medida
    a_tiempo: Parte  # 2: closed in under 15 days
    informe_a_dictamen: Medida
    envio: Parte  # 4
    rezago: int  # 5


@dataclass(frozen=True)
class Programa(Mes):
    """The figures of one period and, maybe, one post. `al`: the moment of the snapshot of indicator 5."""

    puesto: Puesto | None
    al: datetime
    rezago_sin_muestra: int
    reversiones: int  # 7
    autoaprobadas: int
    muestras: int
    autofirmados: Parte  # 8
    ensayo_a_informe: Medida  # 8: T5 − T4 of the negative reports
    excluidos: dict[str, int] = field(default_factory=dict)
    # Printed beside them: of the cohort, but for those that were annulled after a sample was taken, in the period.
    anulados: int = 0
    dias_detenidos: float = 0.0
    repeticiones: int = 0
    cancelaciones: int = 0
    tardios: Parte = Parte()

    @property
    def por_100(self) -> float | None:
        """Reversions per 100 samples received in the period."""
        return 100 * self.reversiones / self.muestras if self.muestras else None

    @property
    def pct_autoaprobadas(self) -> float | None:
        return 100 * self.autoaprobadas / self.reversiones if self.reversiones else None


def dias(n: int) -> timedelta:
    return timedelta(days=n)


def cifras(p: Programa, informados: Informados) -> dict[str, Any]:
    """The figures under the names that other programs read; None where one cannot be computed."""
    return {
        "n": p.ciclo.n,
        "media_ciclo_dias": p.ciclo.media,
        "pct_menos_15_dias": p.a_tiempo.pct,
        "media_informe_dictamen_dias": p.informe_a_dictamen.media,
        "pct_envio_hasta_8_dias": p.envio.pct,
        "abiertos_mas_60_dias": p.rezago,
        "pct_informados": informados.pct,
        "reversiones": p.reversiones,
        "reversiones_por_100_muestras": p.por_100,
        "pct_autoaprobadas": p.pct_autoaprobadas,
        "pct_autofirmados": p.autofirmados.pct,
        "excluidos": p.excluidos,
    }


# Of the cases closed in the period, the cohort is those with one sample or more. Times in seconds, by exact arithmetic.
COHORTE = """
WITH c AS (
    SELECT extract(epoch FROM t7 - t1) AS ciclo, extract(epoch FROM t6 - t5) AS decision, t1, t5, t6,
        dias_detenido, repeticiones, cancelaciones, actos, tardios
    FROM expedientes_hitos
    WHERE t7 >= p.desde AND t7 < p.hasta AND (%(puesto)s::bigint IS NULL OR puesto_id = %(puesto)s)
)
SELECT count(t1) AS n,
    sum(ciclo) AS ciclo_suma,
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY ciclo) AS ciclo_cuantiles,
    count(*) FILTER (WHERE ciclo < %(ciclo)s) AS a_tiempo,
    count(*) FILTER (WHERE t1 IS NOT NULL AND decision >= 0) AS con_decision,
    sum(decision) FILTER (WHERE t1 IS NOT NULL AND decision >= 0) AS decision_suma,
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY decision)
        FILTER (WHERE t1 IS NOT NULL AND decision >= 0) AS decision_cuantiles,
    count(*) FILTER (WHERE t1 IS NULL) AS sin_muestra,
    count(*) FILTER (WHERE t1 IS NOT NULL AND t5 IS NULL) AS sin_informe,
    count(*) FILTER (WHERE t1 IS NOT NULL AND decision < 0) AS decision_antes_del_informe,
    coalesce(sum(dias_detenido::numeric) FILTER (WHERE t1 IS NOT NULL), 0) AS dias_detenidos,
    coalesce(sum(repeticiones) FILTER (WHERE t1 IS NOT NULL), 0) AS repeticiones,
    coalesce(sum(cancelaciones) FILTER (WHERE t1 IS NOT NULL), 0) AS cancelaciones,
    coalesce(sum(actos) FILTER (WHERE t1 IS NOT NULL), 0) AS actos,
    coalesce(sum(tardios) FILTER (WHERE t1 IS NOT NULL), 0) AS tardios
FROM c
"""
# Sampled in the period, open or closed; whose eight days are not over yet may still be sent in time.
ENVIO = """
SELECT count(*) FILTER (WHERE vencido) AS vencidos,
    count(*) FILTER (WHERE vencido AND t2 - t1 <= %(envio)s) AS en_plazo,
    count(*) FILTER (WHERE NOT vencido) AS plazo_no_vencido
FROM (
    SELECT t1, t2, t1 + %(envio)s < %(ahora)s AS vencido FROM expedientes_hitos
    WHERE t1 >= p.desde AND t1 < p.hasta AND (%(puesto)s::bigint IS NULL OR puesto_id = %(puesto)s)
) m
"""
# Open at the moment `al`, as it was then: one that was closed and opened again counts by what it was.
ABIERTOS_AL = """
t0 <= p.al AND (fin IS NULL OR fin > p.al)
    AND (reaperturas = 0 OR NOT EXISTS (
        SELECT FROM jsonb_array_elements(cierres) c
        WHERE (c ->> 0)::timestamptz <= p.al AND (c ->> 1)::timestamptz > p.al
    ))
"""
REZAGO = (
    """
SELECT count(*) FILTER (WHERE t1 < p.al - %(rezago)s) AS rezago,
    count(*) FILTER (WHERE (t1 IS NULL OR t1 > p.al) AND t0 < p.al - %(rezago)s) AS rezago_sin_muestra
FROM expedientes_hitos
WHERE t0 < p.al - %(rezago)s AND (%(puesto)s::bigint IS NULL OR puesto_id = %(puesto)s) AND """
    + ABIERTOS_AL
)
ANULADOS = """
SELECT count(*) AS anulados FROM expedientes_hitos h JOIN expedientes_expediente e ON e.id = h.expediente_id
WHERE h.fin >= p.desde AND h.fin < p.hasta AND h.t1 IS NOT NULL AND e.estado IN ('anulado')
    AND (%(puesto)s::bigint IS NULL OR h.puesto_id = %(puesto)s)
"""
# An act that takes several results with it is one reversion: its parts name it. What an issued report is corrected for
# is an amendment, no reversion: those come before the signature.
REVERSIONES = """
SELECT count(*) AS reversiones, count(*) FILTER (WHERE autoaprobada) AS autoaprobadas
FROM laboratorio_reversion r
WHERE r.ocurrio_en >= p.desde AND r.ocurrio_en < p.hasta AND r.parte_de_id IS NULL AND r.accion <> 'enmendar_resultado'
    AND (%(puesto)s::bigint IS NULL OR EXISTS (
        SELECT FROM expedientes_expediente e WHERE e.id = r.expediente_id AND e.puesto_id = %(puesto)s
    ))
    AND (%(disciplina)s::bigint IS NULL OR EXISTS (
        SELECT FROM laboratorio_reversion x JOIN laboratorio_analisis a ON a.id = x.analisis_id
        JOIN laboratorio_metodo m ON m.id = a.metodo_id
        WHERE (x.id = r.id OR x.parte_de_id = r.id) AND m.disciplina_id = %(disciplina)s
    ))
"""
MUESTRAS = """
SELECT count(*) AS muestras FROM laboratorio_muestra m
WHERE m.recibida_en >= p.desde AND m.recibida_en < p.hasta
    AND (%(puesto)s::bigint IS NULL OR EXISTS (
        SELECT FROM expedientes_expediente e WHERE e.id = m.expediente_id AND e.puesto_id = %(puesto)s
    ))
    AND (%(disciplina)s::bigint IS NULL OR EXISTS (
        SELECT FROM laboratorio_analisis a JOIN laboratorio_metodo mt ON mt.id = a.metodo_id
        WHERE a.muestra_id = m.id AND mt.disciplina_id = %(disciplina)s
    ))
"""
# Negative reports by their first version: a correction is the same report. T5 − T4 of each.
INFORMES = """
WITH d AS MATERIALIZED (
    SELECT d.firma, extract(epoch FROM d.publicado_en - d.ensayado_en) AS espera
    FROM expedientes_documento d
    WHERE d.tipo = 'informe' AND d.version = 1 AND d.conclusion = 'negativo'
        AND d.publicado_en >= p.desde AND d.publicado_en < p.hasta
        AND (%(puesto)s::bigint IS NULL OR EXISTS (
            SELECT FROM expedientes_expediente e WHERE e.id = d.expediente_id AND e.puesto_id = %(puesto)s
        ))
)
SELECT count(*) AS negativos, count(*) FILTER (WHERE firma = 'automatica') AS autofirmados,
    count(espera) AS con_espera, sum(espera) AS espera_suma,
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY espera) AS espera_cuantiles
FROM d
"""


REVERTIDAS = Cuenta("reversiones", REVERSIONES)
RECIBIDAS = Cuenta("muestras", MUESTRAS)
# What each reads is what the triggers of migrations/0003 know it to read.
CUENTAS = (
    Cuenta("cohorte", COHORTE, lambda: {"ciclo": DIAS_DEL_CICLO * 86400}),
    Cuenta("envio", ENVIO, lambda: {"envio": dias(DIAS_DE_ENVIO)}),
    Cuenta("rezago", REZAGO, lambda: {"rezago": dias(DIAS_DEL_REZAGO)}),
    Cuenta("anulados", ANULADOS),
    REVERTIDAS,
    RECIBIDAS,
    Cuenta("informes", INFORMES),
)


def calcular(desde: date, hasta: date, puesto: Puesto | None = None) -> Programa:
    """The indicators of the Lima days from `desde` to `hasta`, both included, of all posts or one.

    1, 2, 3: cases closed in the period with one sample or more. A case that was opened again counts by its last
    closure; of several samples the earliest was T1; the report is the one that the last decisions rest on, and a
    decision whose hour comes before that report's is left out of 3 and counted. 4: cases sampled in the period whose
    eight days are over by now, sent or not. 5: cases open at the end of `hasta`, or now if that comes first, by what
    they were then. 7: reversions that happened in the period, and per 100 samples received in it. 8: negative
    reports first issued in the period. (6 is `informados.informados`; 9 needs complaints, which nobody records yet.)
    Raises ValueError when `hasta` comes before `desde`.
    """
    return varios([(desde, hasta)], puesto)[0]


def por_mes(desde: date, hasta: date, puesto: Puesto | None = None) -> list[Programa]:
    """The indicators of each month from that of `desde` to that of `hasta`."""
    return varios([(mes, fin_de_mes(mes)) for mes in meses(desde, hasta)], puesto)


def meses(desde: date, hasta: date) -> list[date]:
    """The first day of each month from that of `desde` to that of `hasta`."""
    todos, mes = [], desde.replace(day=1)
    while mes <= hasta:
        todos.append(mes)
        mes = fin_de_mes(mes) + timedelta(days=1)
    return todos


def varios(periodos: Sequence[tuple[date, date]], puesto: Puesto | None = None) -> list[Programa]:
    """`calcular` for several periods, in a number of queries that does not grow with them."""
    if any(hasta < desde for desde, hasta in periodos):
        raise ValueError("el período termina antes de empezar")
    ahora = reloj.ahora()
    return [
        _programa(desde, hasta, puesto, min(limites(desde, hasta)[1], ahora), cruda)
        for (desde, hasta), cruda in zip(periodos, contar(CUENTAS, periodos, puesto), strict=True)
    ]


def _programa(desde: date, hasta: date, puesto: Puesto | None, al: datetime, f: dict[str, Any]) -> Programa:
    return Programa(
        desde=desde,
        hasta=hasta,
        puesto=puesto,
        al=al,
        ciclo=medida_en_dias(f["n"], f["ciclo_suma"], f["ciclo_cuantiles"]),
        a_tiempo=Parte(f["a_tiempo"], f["n"]),
        informe_a_dictamen=medida_en_dias(f["con_decision"], f["decision_suma"], f["decision_cuantiles"]),
        envio=Parte(f["en_plazo"], f["vencidos"]),
        rezago=f["rezago"],
        rezago_sin_muestra=f["rezago_sin_muestra"],
        reversiones=f["reversiones"],
        autoaprobadas=f["autoaprobadas"],
        muestras=f["muestras"],
        autofirmados=Parte(f["autofirmados"], f["negativos"]),
        ensayo_a_informe=medida_en_dias(f["con_espera"], f["espera_suma"], f["espera_cuantiles"]),
        excluidos={razon: f[razon] for razon in EXCLUIDOS},
        anulados=f["anulados"],
        dias_detenidos=float(f["dias_detenidos"]),
        repeticiones=f["repeticiones"],
        cancelaciones=f["cancelaciones"],
        tardios=Parte(f["tardios"], f["actos"]),
    )


def medida_en_dias(n: int, suma: Any, cuantiles: Sequence[float] | None) -> Medida:
    """Days from the exact sum of `n` times in seconds: divided once and last, so that the mean is right to the last
    digit that a float has."""
    if not n or suma is None or cuantiles is None:
        return Medida()
    return Medida(n, float(Fraction(suma) / (n * 86400)), cuantiles[0] / 86400, cuantiles[1] / 86400)

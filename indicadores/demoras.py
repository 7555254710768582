"""Where the time goes: stage by stage and whose, from state to state with its waits, and what comes in and goes out.

Of the cases closed in a period of Lima days with one sample or more, as the cycle counts them; hours are `ocurrio_en`.
The stages and the shares come from `Hitos`, the steps between states from the log itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from expedientes import tiempos
from senasa import reloj
from senasa.models import Puesto

from .guardado import limites
from .programa import Medida, medida_en_dias

# From when to when, in words, and in whose hands the case is meanwhile.
ETAPAS = (
    ("t0", "t1", "De la solicitud a la primera muestra", tiempos.PUESTO),
    ("t1", "t2", "De la muestra a su envío", tiempos.PUESTO),
    ("t2", "t3", "Del envío a la última recepción", tiempos.TRASLADO),
    ("t3", "t4", "De la recepción al último ensayo", tiempos.LABORATORIO),
    ("t4", "t5", "Del último ensayo al informe", tiempos.LABORATORIO),
    ("t5", "t6", "Del informe al último dictamen", tiempos.PUESTO),
    ("t6", "t7", "Del dictamen al cierre", "Puesto e importador"),
)
QUIENES = (
    (tiempos.PUESTO, "dias_puesto"),
    (tiempos.TRASLADO, "dias_traslado"),
    (tiempos.LABORATORIO, "dias_laboratorio"),
    (tiempos.IMPORTADOR, "dias_importador"),
)
DIA_S = 86400


@dataclass(frozen=True)
class Etapa:
    """A stretch between two milestones. `al_reves`: how many are left out, whose second hour comes before the first."""

    nombre: str
    quien: str
    medida: Medida
    al_reves: int


@dataclass(frozen=True)
class Parte:
    """Whose time it was: days of all the cases together, and of each."""

    quien: str
    dias: float
    pct: float | None
    medida: Medida


@dataclass(frozen=True)
class Paso:
    """From one state of a line to another: how many times, and how long it had stood in the first."""

    de: str
    a: str
    espera: Medida


@dataclass(frozen=True)
class Semana:
    """Monday to Sunday, or what of it lies in the period. `quedan`: open when it ended, or now if that is earlier."""

    desde: date
    hasta: date
    abiertos: int
    cerrados: int
    quedan: int


COHORTE = """
WITH c AS (
    SELECT * FROM expedientes_hitos
    WHERE t7 >= %(desde)s AND t7 < %(hasta)s AND t1 IS NOT NULL
        AND (%(puesto)s::bigint IS NULL OR puesto_id = %(puesto)s)
)
"""
MEDIDAS = "count(s), sum(s), percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY s)"


def etapas(desde: date, hasta: date, puesto: Puesto | None = None) -> list[Etapa]:
    """Each stage between two milestones that the case has both of; all seven, also those that nothing passed."""
    valores = ", ".join(f"({i}, extract(epoch FROM {b} - {a}))" for i, (a, b, *_resto) in enumerate(ETAPAS))
    sql = f"""{COHORTE}
        SELECT i, count(s) FILTER (WHERE s >= 0), sum(s) FILTER (WHERE s >= 0),
            percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY s) FILTER (WHERE s >= 0),
            count(*) FILTER (WHERE s < 0)
        FROM c CROSS JOIN LATERAL (VALUES {valores}) e(i, s) GROUP BY i"""  # noqa: S608 - our own names
    filas = {fila[0]: fila[1:] for fila in _filas(sql, desde, hasta, puesto)}
    return [
        Etapa(nombre, quien, medida_en_dias(*fila[:3]), fila[3])
        for i, (_a, _b, nombre, quien) in enumerate(ETAPAS)
        for fila in [filas.get(i, (0, None, None, 0))]
    ]


def reparto(desde: date, hasta: date, puesto: Puesto | None = None) -> list[Parte]:
    """In whose hands the cases were, from the request to the closure; `pct` of all their days together."""
    valores = ", ".join(f"({i}, {columna} * {DIA_S})" for i, (_quien, columna) in enumerate(QUIENES))
    sql = f"""{COHORTE}
        SELECT i, sum(s), {MEDIDAS} FROM c CROSS JOIN LATERAL (VALUES {valores}) e(i, s) GROUP BY i"""  # noqa: S608
    filas = {fila[0]: fila[1:] for fila in _filas(sql, desde, hasta, puesto)}
    total = sum(fila[0] for fila in filas.values())
    return [
        Parte(quien, suma / DIA_S, 100 * suma / total if total else None, medida_en_dias(*fila))
        for i, (quien, _columna) in enumerate(QUIENES)
        for suma, *fila in [filas.get(i, (0.0, 0, None, None))]
    ]


def pasos(desde: date, hasta: date, puesto: Puesto | None = None) -> list[Paso]:
    """Every step of the lines of those cases from one state to another, in the order of a life without trouble.

    A line waits in its first state since the request; a case ended meanwhile keeps its lines where they stood.
    """
    sql = f"""{COHORTE}, suceso AS (
        SELECT e.de, e.a, e.ocurrio_en - coalesce(
            lag(e.ocurrio_en) OVER (PARTITION BY e.objeto_id ORDER BY e.n), c.t0
        ) AS espera
        FROM c JOIN expedientes_evento e ON e.expediente_id = c.expediente_id
        WHERE e.objeto = 'partida' AND e.a <> '' AND e.a <> e.de
    ), paso AS (SELECT de, a, greatest(extract(epoch FROM espera), 0) AS s FROM suceso)
    SELECT de, a, {MEDIDAS} FROM paso GROUP BY de, a"""  # noqa: S608
    orden = {str(estado): i for i, estado in enumerate(EN_ORDEN)}
    filas = [Paso(de, a, medida_en_dias(*resto)) for de, a, *resto in _filas(sql, desde, hasta, puesto)]
    return sorted(filas, key=lambda paso: (orden.get(paso.de, 99), orden.get(paso.a, 99)))


EN_ORDEN = ("registrado", "en_inspeccion", "en_laboratorio", "resultado_emitido", "dictaminado", "en_medida")

# A case that was closed and opened again begins and ends as many times.
MOVIMIENTO = """
WITH h AS NOT MATERIALIZED (
    SELECT t0, fin, cierres, reaperturas FROM expedientes_hitos
    WHERE t0 IS NOT NULL AND (%(puesto)s::bigint IS NULL OR puesto_id = %(puesto)s)
), vuelta AS (
    SELECT (v ->> 0)::timestamptz AS termino, (v ->> 1)::timestamptz AS abrio
    FROM h CROSS JOIN LATERAL jsonb_array_elements(cierres) v WHERE reaperturas > 0
), suceso AS (
    SELECT t0 AS en, 1 AS abre, 0 AS cierra FROM h WHERE t0 >= %(primero)s AND t0 < %(fin)s
    UNION ALL SELECT fin, 0, 1 FROM h WHERE fin >= %(primero)s AND fin < %(fin)s
    UNION ALL SELECT abrio, 1, 0 FROM vuelta WHERE abrio >= %(primero)s AND abrio < %(fin)s
    UNION ALL SELECT termino, 0, 1 FROM vuelta WHERE termino >= %(primero)s AND termino < %(fin)s
)
SELECT width_bucket(en, %(bordes)s::timestamptz[]) AS i, sum(abre), sum(cierra) FROM suceso GROUP BY i
UNION ALL
SELECT 0,
    (SELECT count(*) FROM h WHERE t0 < %(primero)s) + (SELECT count(*) FROM vuelta WHERE abrio < %(primero)s),
    (SELECT count(*) FROM h WHERE fin < %(primero)s) + (SELECT count(*) FROM vuelta WHERE termino < %(primero)s)
"""


def movimiento(desde: date, hasta: date, puesto: Puesto | None = None) -> list[Semana]:
    """By week: how many cases were opened (again too) and ended, however they ended, and how many were left open."""
    ultimo = min(hasta, timezone.localdate(reloj.ahora()))
    lunes, semanas = desde, list[tuple[date, date]]()
    while lunes <= ultimo:
        domingo = min(lunes + timedelta(days=6 - lunes.weekday()), ultimo)
        semanas.append((lunes, domingo))
        lunes = domingo + timedelta(days=1)
    if not semanas:
        return []
    bordes = [_medianoche(primero) for primero, _ultimo in semanas] + [_medianoche(lunes)]
    with connection.cursor() as cursor:
        datos: dict[str, Any] = {
            "bordes": bordes,
            "primero": bordes[0],
            "fin": bordes[-1],
            "puesto": puesto.pk if puesto else None,
        }
        cursor.execute(MOVIMIENTO, datos)
        cuenta = {i: (int(abre), int(cierra)) for i, abre, cierra in cursor.fetchall()}
    abren, cierran = cuenta.get(0, (0, 0))
    quedan, filas = abren - cierran, []
    for i, (primero, domingo) in enumerate(semanas, start=1):
        abren, cierran = cuenta.get(i, (0, 0))
        quedan += abren - cierran
        filas.append(Semana(primero, domingo, abren, cierran, quedan))
    return filas


def _medianoche(dia: date) -> datetime:
    return timezone.make_aware(datetime.combine(dia, time.min))


def _filas(sql: str, desde: date, hasta: date, puesto: Puesto | None) -> Sequence[Any]:
    inicio, fin = limites(desde, hasta)
    with connection.cursor() as cursor:
        cursor.execute(sql, {"desde": inicio, "hasta": fin, "puesto": puesto.pk if puesto else None})
        return cursor.fetchall()

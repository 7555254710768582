"""Care of what is kept of the statistics: computed ahead of who reads, compared with a recomputation, and pruned."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from senasa import reloj
from senasa.models import Puesto

from .guardado import FRESCA, PLAZO, Cuenta, abrir, computar, contar, fin_de_mes
from .informados import AVISADOS
from .programa import CUENTAS
from .reversiones import DE_VUELTA, ESPERARON

TODAS: Sequence[Cuenta] = (*CUENTAS, AVISADOS, ESPERARON, DE_VUELTA)
# The pages open on a year; and how long one run of the worker may take.
MESES = 12
TIEMPO_S = 20.0


def adelantar(tiempo_s: float = TIEMPO_S) -> None:
    """Compute what the pages open on, of all posts and of each, the last month first; what is left, the next time."""
    empieza = time.monotonic()
    mes = timezone.localdate(reloj.ahora()).replace(day=1)
    puestos: list[Puesto | None] = [None, *Puesto.objects.order_by("pk")]
    for _mes in range(MESES):
        for puesto in puestos:
            if time.monotonic() - empieza > tiempo_s:
                return
            contar(TODAS, [(mes, fin_de_mes(mes))], puesto)
        mes = (mes - timedelta(days=1)).replace(day=1)


# ── Compared ──────────────────────────────────────────────────────────────────────────────────────

GUARDADAS = f"""
SELECT g.puesto_id, g.mes, g.cifras FROM indicadores_mesguardado g
WHERE g.que = %(que)s AND g.formula = %(formula)s AND {FRESCA} ORDER BY g.puesto_id NULLS FIRST, g.mes
"""  # noqa: S608 - our own text


def comprobar() -> Iterator[tuple[str, str]]:
    """Each month that is kept and in force, by name, with what differs from a recomputation, or nothing."""
    puestos = {puesto.pk: puesto for puesto in Puesto.objects.all()}
    for cuenta in TODAS:
        de_puesto: dict[int | None, dict[date, Any]] = {}
        for (puesto_id, mes), cifras in _guardadas(cuenta).items():
            de_puesto.setdefault(puesto_id, {})[mes] = cifras
        for puesto_id, meses in de_puesto.items():
            puesto = puestos[puesto_id] if puesto_id else None
            periodos = [(mes, fin_de_mes(mes)) for mes in meses]
            for mes, cruda in zip(meses, computar(cuenta, periodos, puesto), strict=True):
                nombre = f"{cuenta.que} {mes:%Y-%m} {puesto.codigo if puesto else 'todos'}"
                yield nombre, _diferencia(cuenta, (puesto_id, mes), meses[mes], cruda)


def _diferencia(cuenta: Cuenta, clave: tuple[int | None, date], guardada: Any, cruda: Any) -> str:
    """Nothing either when an act came between and what was kept is not in force any more."""
    if guardada == cruda or clave not in _guardadas(cuenta):
        return ""
    columna = next(columna for columna in cruda if guardada.get(columna) != cruda[columna])
    return f"{columna}: guardado {guardada.get(columna)}, recalculado {cruda[columna]}"


def _guardadas(cuenta: Cuenta) -> dict[tuple[int | None, date], Any]:
    with connection.cursor() as cursor:
        cursor.execute(GUARDADAS, {"que": cuenta.que, "formula": cuenta.formula})
        return {(puesto, mes): abrir(cifras) for puesto, mes, cifras in cursor.fetchall()}


# ── Pruned ────────────────────────────────────────────────────────────────────────────────────────

# A touch that every kept row saw says nothing any more. Nor to whoever computes just now: he keeps nothing after
# PLAZO, and one of the rows is older than that, so that he saw at least as much.
SIN_TOQUES_VIEJOS = """
DELETE FROM indicadores_mestocado WHERE transaccion < (
    SELECT min(pg_snapshot_xmin(instantanea::pg_snapshot)::text::bigint) FROM indicadores_mesguardado
    HAVING min(tomada_en) < statement_timestamp() - 2 * %(plazo)s
)
"""
SIN_FILAS_VIEJAS = f"""
DELETE FROM indicadores_mesguardado g
WHERE NOT ((g.que, g.formula) IN (SELECT * FROM unnest(%(que)s::text[], %(formula)s::text[])) AND {FRESCA})
"""  # noqa: S608 - our own text
# What no touch has reached is what a recomputation of this moment would give: its snapshot may be of this moment.
AL_DIA = f"""
UPDATE indicadores_mesguardado g SET instantanea = pg_current_snapshot()::text, tomada_en = statement_timestamp()
WHERE g.tomada_en < statement_timestamp() - 24 * %(plazo)s AND {FRESCA}
"""  # noqa: S608 - our own text


def podar() -> None:
    """Drop touches that tell nobody anything and rows that are not in force; once a day, date the rest anew."""
    datos: dict[str, Any] = {
        "plazo": PLAZO,
        "que": [cuenta.que for cuenta in TODAS],
        "formula": [cuenta.formula for cuenta in TODAS],
    }
    with connection.cursor() as cursor:
        for orden in (SIN_TOQUES_VIEJOS, SIN_FILAS_VIEJAS, AL_DIA):
            cursor.execute(orden, datos)

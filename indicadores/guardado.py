"""Raw figures of the months that are over, kept so that a page over four years costs what the present month costs.

A figure has one formula, the statement of its `Cuenta`: what is kept is the row that this very statement gave, sums as
exact numbers, so a page says the same with what is kept and without it. When what is kept has to be forgotten is told
by the database itself. Triggers on the rows that the statements read note which months an act changed, and in which
transaction (`MesTocado`), but only when the hour concerned is over a week old: the acts of the day write nothing. A
kept row carries the snapshot taken before it was computed; it is stale as soon as there is a touch of its month that
this snapshot does not see. So nobody waits for anybody, and no commit can slip between reading and keeping.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any

from django.db import connection
from django.utils import timezone

from senasa import reloj
from senasa.models import Disciplina, Puesto

# What of a month may change by the mere passing of time is over so long after its end: the eight days of indicator 4,
# the 72 hours in which a notice may come back. The triggers leave out what is younger than a week.
REPOSO = timedelta(days=8)
# Who computed for longer than this keeps nothing, so that a touch older than it may be dropped.
PLAZO = timedelta(hours=1)

Periodo = tuple[date, date]
Cruda = dict[str, Any]


@dataclass(frozen=True)
class Cuenta:
    """A statement that gives one row for each period `p` (desde, hasta, al), of a post or of all.

    `que`: the name under which the triggers know it. `valores`: its constants, part of the formula. `de_uno`: what
    counts one period, where the rows are chosen elsewhere; `sql` is then what it asks, for the formula alone.
    """

    que: str
    sql: str
    valores: Callable[[], Mapping[str, Any]] = dict
    de_uno: Callable[[Periodo, Puesto | None, Disciplina | None], Cruda] | None = None

    @property
    def formula(self) -> str:
        """Another statement or another constant, and nothing kept of before is read."""
        return sha256(repr((self.sql, sorted(self.valores().items()))).encode()).hexdigest()


def limites(desde: date, hasta: date) -> tuple[datetime, datetime]:
    """The period's first instant in Lima, and the first after it; both days are in."""
    bordes = (desde, hasta + timedelta(days=1))
    inicio, fin = (timezone.make_aware(datetime.combine(dia, time.min)) for dia in bordes)
    return inicio, fin


def fin_de_mes(dia: date) -> date:
    return (dia.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def contar(
    cuentas: Sequence[Cuenta],
    periodos: Sequence[Periodo],
    puesto: Puesto | None = None,
    disciplina: Disciplina | None = None,
) -> list[Cruda]:
    """For each period the columns of all the statements: kept where it is a month that is over, else computed now, and
    then kept. The number of queries does not grow with the periods. Nothing is kept of one discipline."""
    ahora = reloj.ahora()
    cerrados = {p for p in periodos if _es_mes(*p) and limites(*p)[1] + REPOSO <= ahora}
    if disciplina:
        cerrados = set()
    hay = _leer(cuentas, cerrados, puesto)
    faltan = {cuenta: [p for p in dict.fromkeys(periodos) if (cuenta.que, p) not in hay] for cuenta in cuentas}
    mirada = _mirar() if any(cerrados.intersection(suyos) for suyos in faltan.values()) else None
    nuevas: list[tuple[Cuenta, Periodo, Cruda]] = []
    for cuenta, suyos in faltan.items():
        for periodo, fila in zip(suyos, computar(cuenta, suyos, puesto, disciplina), strict=True):
            hay[cuenta.que, periodo] = fila
            if periodo in cerrados:
                nuevas.append((cuenta, periodo, fila))
    if mirada:
        _guardar(mirada, nuevas, puesto)
    return [
        {columna: valor for cuenta in cuentas for columna, valor in hay[cuenta.que, periodo].items()}
        for periodo in periodos
    ]


def _es_mes(desde: date, hasta: date) -> bool:
    return desde.day == 1 and hasta == fin_de_mes(desde)


# ── Computed ──────────────────────────────────────────────────────────────────────────────────────

# Each for all the periods at once: an aggregate is one row, also of nothing.
DE_CADA_PERIODO = """
SELECT x.* FROM unnest(%(desdes)s::timestamptz[], %(hastas)s::timestamptz[], %(als)s::timestamptz[])
    WITH ORDINALITY AS p(desde, hasta, al, i) CROSS JOIN LATERAL (
"""


def computar(
    cuenta: Cuenta, periodos: Sequence[Periodo], puesto: Puesto | None = None, disciplina: Disciplina | None = None
) -> list[Cruda]:
    """The rows of a statement, by column, as they would come back from where they are kept: exact numbers as text."""
    if not periodos:
        return []
    if cuenta.de_uno:
        return [cuenta.de_uno(periodo, puesto, disciplina) for periodo in periodos]
    ahora = reloj.ahora()
    bordes = [limites(*periodo) for periodo in periodos]
    datos: dict[str, Any] = {
        **cuenta.valores(),
        "desdes": [inicio for inicio, _fin in bordes],
        "hastas": [fin for _inicio, fin in bordes],
        "als": [min(fin, ahora) for _inicio, fin in bordes],
        "ahora": ahora,
        "puesto": puesto.pk if puesto else None,
        "disciplina": disciplina.pk if disciplina else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"{DE_CADA_PERIODO}{cuenta.sql}) x ORDER BY p.i", datos)
        nombres = [columna.name for columna in cursor.description]
        filas = cursor.fetchall()
    return [json.loads(json.dumps(dict(zip(nombres, fila, strict=True)), default=str)) for fila in filas]


# ── Kept ──────────────────────────────────────────────────────────────────────────────────────────

# Of this server, of this formula, and untouched since. Only of the server that took it does a snapshot say anything.
FRESCA = """
g.servidor = (SELECT system_identifier FROM pg_control_system()) AND NOT EXISTS (
    SELECT FROM indicadores_mestocado t
    WHERE t.que = g.que AND t.desde <= g.mes AND (t.hasta IS NULL OR t.hasta >= g.mes)
        AND NOT pg_visible_in_snapshot(t.transaccion::text::xid8, g.instantanea::pg_snapshot)
)
"""
LEER = f"""
SELECT g.que, g.mes, g.cifras FROM indicadores_mesguardado g
JOIN unnest(%(que)s::text[], %(formula)s::text[]) AS c(que, formula) USING (que, formula)
WHERE g.mes = ANY(%(meses)s::date[]) AND g.puesto_id IS NOT DISTINCT FROM %(puesto)s::bigint AND {FRESCA}
"""  # noqa: S608 - our own text


def _leer(
    cuentas: Sequence[Cuenta], meses: Iterable[Periodo], puesto: Puesto | None
) -> dict[tuple[str, Periodo], Cruda]:
    dias = [desde for desde, _hasta in meses]
    if not dias:
        return {}
    datos: dict[str, Any] = {
        "que": [cuenta.que for cuenta in cuentas],
        "formula": [cuenta.formula for cuenta in cuentas],
        "meses": dias,
        "puesto": puesto.pk if puesto else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(LEER, datos)
        return {(que, (mes, fin_de_mes(mes))): abrir(cifras) for que, mes, cifras in cursor.fetchall()}


def abrir(cifras: Any) -> Cruda:
    return json.loads(cifras) if isinstance(cifras, str) else cifras


@dataclass(frozen=True)
class Mirada:
    """What was committed before the computing began, on which server, and when by its own clock."""

    instantanea: str
    servidor: int
    hora: datetime


def _mirar() -> Mirada | None:
    """None where nothing can be kept: in a transaction that has written, whose own rows no snapshot tells from those
    of others, and where the database is read only."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_current_snapshot()::text, system_identifier, statement_timestamp(), "
            "pg_current_xact_id_if_assigned() IS NULL AND current_setting('transaction_read_only') = 'off' "
            "FROM pg_control_system()"
        )
        instantanea, servidor, hora, se_puede = cursor.fetchone()
    return Mirada(instantanea, servidor, hora) if se_puede else None


GUARDAR = """
INSERT INTO indicadores_mesguardado (que, mes, puesto_id, formula, cifras, instantanea, servidor, tomada_en)
SELECT n.que, n.mes, %(puesto)s, n.formula, n.cifras, %(instantanea)s, %(servidor)s, %(hora)s
FROM unnest(%(que)s::text[], %(mes)s::date[], %(formula)s::text[], %(cifras)s::jsonb[]) AS n(que, mes, formula, cifras)
WHERE statement_timestamp() - %(hora)s < %(plazo)s
ORDER BY n.que, n.mes
ON CONFLICT (que, mes, puesto_id) DO UPDATE SET formula = excluded.formula, cifras = excluded.cifras,
    instantanea = excluded.instantanea, servidor = excluded.servidor, tomada_en = excluded.tomada_en
"""


def _guardar(mirada: Mirada, filas: Sequence[tuple[Cuenta, Periodo, Cruda]], puesto: Puesto | None) -> None:
    # The triggers go by the database's clock: what is not over by it either is left alone.
    suyas = [una for una in filas if limites(*una[1])[1] + REPOSO <= mirada.hora]
    if not suyas:
        return
    datos: dict[str, Any] = {
        "puesto": puesto.pk if puesto else None,
        "instantanea": mirada.instantanea,
        "servidor": mirada.servidor,
        "hora": mirada.hora,
        "plazo": PLAZO,
        "que": [cuenta.que for cuenta, _periodo, _cruda in suyas],
        "mes": [periodo[0] for _cuenta, periodo, _cruda in suyas],
        "formula": [cuenta.formula for cuenta, _periodo, _cruda in suyas],
        "cifras": [json.dumps(cruda) for _cuenta, _periodo, cruda in suyas],
    }
    with connection.cursor() as cursor:
        cursor.execute(GUARDAR, datos)

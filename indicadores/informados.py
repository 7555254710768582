"""Indicator 6, users informed: of those whose report came out, who was told of it in time, by the outbox's own rows.

N is a notice of the report that the mail server accepted, for an address registered in the case (the importer's or his
broker's: nothing that a stranger typed receives one), and that nobody sent back within 72 hours (domain.md, section 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from notificaciones.models import Notificacion
from senasa.models import Puesto
from senasa.palabras import duracion

from .guardado import Cuenta, contar, limites

# A notice that came back later than this had arrived.
SIN_REBOTE = timedelta(hours=72)
# The outbox tries for a day: a report's notices are looked for this long after it.
VIDA = timedelta(hours=25)


@dataclass(frozen=True)
class Informados:
    """Of a period. `pct`: 0 to 100, None when no report came out; `p50_s`, `p95_s`: seconds from the act to the mail
    server's yes, None when no notice was accepted. Reports count in each version, since each is news to its reader."""

    solicitantes: int
    solicitantes_informados: int
    informes: int
    informes_informados: int
    pct: float | None
    p50_s: float | None
    p95_s: float | None

    @property
    def pct_informes(self) -> float | None:
        return 100 * self.informes_informados / self.informes if self.informes else None


@dataclass(frozen=True)
class SinInformar:
    """A report whose applicant was not told of it in time, and why."""

    informe: str
    expediente: str
    publicado_en: datetime
    porque: str


# Reports of the period, and the notices that tell of them: that a line has its report (its event is the line's), or
# that a corrected version is out (its event names the version). Cases brought from another registry owed no notices.
BASE = """
WITH informe AS MATERIALIZED (
    SELECT d.id, d.numero, d.version, d.partida_id, d.publicado_en, e.id AS caso, e.numero AS expediente,
        e.importador_id
    FROM expedientes_documento d JOIN expedientes_expediente e ON e.id = d.expediente_id
    WHERE d.tipo = 'informe' AND d.publicado_en >= p.desde AND d.publicado_en < p.hasta AND NOT e.migrado
        AND (%(puesto)s::bigint IS NULL OR e.puesto_id = %(puesto)s)
), aviso AS MATERIALIZED (
    SELECT n.id, n.creada_en, n.enviada_en, n.rebotada_en, ev.objeto_id AS partida_id, ev.datos ->> 'documento' AS de,
        n.aviso
    FROM notificaciones_notificacion n JOIN expedientes_evento ev ON ev.id = n.evento_id
    WHERE n.aviso IN ('informe_emitido', 'informe_corregido')
        AND n.enviada_en >= p.desde AND n.enviada_en < p.hasta + %(vida)s
), dicho AS (
    SELECT i.id AS informe_id, a.id, a.creada_en, a.enviada_en, i.publicado_en,
        a.rebotada_en IS NULL OR a.rebotada_en > a.enviada_en + %(sin_rebote)s AS llego
    FROM informe i JOIN aviso a ON a.aviso = 'informe_emitido' AND a.partida_id = i.partida_id
    UNION ALL
    SELECT i.id, a.id, a.creada_en, a.enviada_en, i.publicado_en,
        a.rebotada_en IS NULL OR a.rebotada_en > a.enviada_en + %(sin_rebote)s
    FROM informe i JOIN aviso a ON a.aviso = 'informe_corregido' AND a.de = i.numero || '-V' || i.version
), contado AS MATERIALIZED (
    SELECT i.*, i.id IN (
        SELECT informe_id FROM dicho
        WHERE llego AND enviada_en >= publicado_en AND enviada_en <= publicado_en + %(plazo)s
    ) AS a_tiempo FROM informe i
)
"""
RESUMEN = """
SELECT count(DISTINCT importador_id) AS solicitantes,
    count(DISTINCT importador_id) FILTER (WHERE a_tiempo) AS solicitantes_informados,
    count(*) AS informes, count(*) FILTER (WHERE a_tiempo) AS informes_informados,
    (SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM u.enviada_en - u.creada_en))
     FROM (SELECT DISTINCT id, creada_en, enviada_en FROM dicho WHERE enviada_en >= publicado_en) u) AS percentiles
FROM contado
"""
DE_UNO = (
    "SELECT x.* FROM (SELECT %(desde)s::timestamptz AS desde, %(hasta)s::timestamptz AS hasta) p CROSS JOIN LATERAL ("
)
# Of those that were not told in time, the notice that came nearest to it.
SIN_INFORMAR = """
SELECT i.numero, i.version, i.expediente, i.publicado_en, n.estado, n.enviada_en, n.error
FROM contado i LEFT JOIN LATERAL (
    SELECT n.estado, n.enviada_en, n.error
    FROM notificaciones_notificacion n JOIN expedientes_evento ev ON ev.id = n.evento_id
    WHERE n.referencia = 'expediente:' || i.caso AND n.creada_en >= i.publicado_en
        AND (n.aviso = 'informe_emitido' AND ev.objeto_id = i.partida_id
            OR n.aviso = 'informe_corregido' AND ev.datos ->> 'documento' = i.numero || '-V' || i.version)
    ORDER BY n.enviada_en NULLS LAST, n.id LIMIT 1
) n ON true
WHERE NOT i.a_tiempo ORDER BY i.publicado_en DESC, i.id LIMIT %(tope)s
"""


def _valores() -> dict[str, Any]:
    return {"plazo": timedelta(minutes=settings.INFORMADO_MINUTOS), "vida": VIDA, "sin_rebote": SIN_REBOTE}


AVISADOS = Cuenta("avisados", BASE + RESUMEN, _valores)


def informados(desde: date, hasta: date, puesto: Puesto | None = None) -> Informados:
    """Indicator 6 for the Lima days from `desde` to `hasta`, both included, of the cases that `puesto` has now."""
    return varios([(desde, hasta)], puesto)[0]


def varios(periodos: Sequence[tuple[date, date]], puesto: Puesto | None = None) -> list[Informados]:
    """`informados` for several periods, in a number of queries that does not grow with them."""
    return [_informados(**cruda) for cruda in contar([AVISADOS], periodos, puesto)]


def _informados(
    solicitantes: int, solicitantes_informados: int, informes: int, informes_informados: int, percentiles: Any
) -> Informados:
    p50, p95 = percentiles or (None, None)
    return Informados(
        solicitantes=solicitantes,
        solicitantes_informados=solicitantes_informados,
        informes=informes,
        informes_informados=informes_informados,
        pct=100 * solicitantes_informados / solicitantes if solicitantes else None,
        p50_s=p50,
        p95_s=p95,
    )


def sin_informar(desde: date, hasta: date, puesto: Puesto | None = None, *, tope: int) -> list[SinInformar]:
    """The reports of the period that do not count as told in time, the last first, `tope` at most."""
    inicio, fin = limites(desde, hasta)
    datos = {"desde": inicio, "hasta": fin, "puesto": puesto.pk if puesto else None, "tope": tope, **_valores()}
    with connection.cursor() as cursor:
        cursor.execute(DE_UNO + BASE + SIN_INFORMAR + ") x", datos)
        return [
            SinInformar(numero if version == 1 else f"{numero}-V{version}", caso, emitido, _porque(emitido, *aviso))
            for numero, version, caso, emitido, *aviso in cursor.fetchall()
        ]


def _porque(emitido: datetime, estado: str | None, enviada: datetime | None, error: str | None) -> str:
    match estado:
        case None:
            return _("No se debió ningún aviso de este informe: la partida esperaba otro.")
        case Notificacion.Estado.PENDIENTE:
            return _("El aviso sigue por salir.")
        case Notificacion.Estado.CANCELADA:
            return _("El aviso se retiró antes de salir.")
        case Notificacion.Estado.FALLIDA | Notificacion.Estado.REBOTADA:
            return error or ""
    return _("Salió %(despues)s después.") % {"despues": duracion(enviada - emitido)} if enviada else ""


def meses(hasta: date, cuantos: int) -> list[tuple[date, date]]:
    """The last `cuantos` months, that of `hasta` first: first and last day of each."""
    dias, primero = [], hasta.replace(day=1)
    for _mes in range(cuantos):
        siguiente = (primero + timedelta(days=31)).replace(day=1)
        dias.append((primero, siguiente - timedelta(days=1)))
        primero = (primero - timedelta(days=1)).replace(day=1)
    return dias

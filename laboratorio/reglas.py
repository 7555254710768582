"""The rule under which a machine signs: its versions, what each covers, and what it would have done.

A version is a draft until it is switched on; then the database lets nothing of it change. None that signs is switched
on without a replay over the reports of the last twelve months with exactly its parameters. Switching off needs none.
"""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from expedientes.models import Producto
from senasa import reloj
from senasa.models import Disciplina, Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from .models import Analisis, Metodo, ReglaFirma, Reproduccion, SolicitudAnalisis

PERIODO = timedelta(days=365)
# A replay says what would have happened in the twelve months before it: after a week it is to be made again.
VALE_LA_REPRODUCCION = timedelta(days=7)


def vigente() -> ReglaFirma | None:
    """The version in force: the last that was put in force, on or off; None where there never was one."""
    return ReglaFirma.objects.exclude(desde=None).order_by("-desde", "-version").first()


def borrador() -> ReglaFirma | None:
    """The version that somebody prepares, if any: there is one at most."""
    return ReglaFirma.objects.filter(desde=None).order_by("-version").first()


def cubre(regla: ReglaFirma, solicitud: SolicitudAnalisis) -> bool:
    """Whether the product and every method and discipline of the request are among those that the rule names."""
    alcance = parametros(regla)
    de_la_solicitud = Analisis.objects.filter(solicitud=solicitud).values_list("metodo_id", "metodo__disciplina_id")
    pedidos = {
        "productos": {solicitud.partida.producto_id},
        "metodos": {metodo for metodo, _disciplina in de_la_solicitud},
        "disciplinas": {disciplina for _metodo, disciplina in de_la_solicitud},
    }
    return all(not alcance[cual] or suyos <= set(alcance[cual]) for cual, suyos in pedidos.items())


def parametros(regla: ReglaFirma) -> dict[str, Any]:
    """What decides what a version does, in one form to compare: the database's trigger builds the same."""
    return {
        "gracia_minutos": regla.gracia_minutos,
        "productos": sorted(regla.productos.values_list("pk", flat=True)),
        "metodos": sorted(regla.metodos.values_list("pk", flat=True)),
        "disciplinas": sorted(regla.disciplinas.values_list("pk", flat=True)),
    }


def reproduccion_de(regla: ReglaFirma) -> Reproduccion | None:
    """The last replay of exactly these parameters."""
    return regla.reproducciones.filter(parametros=parametros(regla)).select_related("autor").first()


# ── Acts ──────────────────────────────────────────────────────────────────────────────────────────


def _exigir_director(actor: Usuario) -> None:
    if not actor.tiene(Rol.DIRECTOR):
        raise RolImpide(_("La regla de firma automática es del director del laboratorio."))


def _bloquear_las_versiones() -> int:
    """Take the lock of every version, so that two people do not make the same one; the number of the next."""
    versiones = ReglaFirma.objects.select_for_update().order_by("version")
    return max((regla.version for regla in versiones), default=0) + 1


@transaction.atomic
def redactar(
    *,
    actor: Usuario,
    gracia_minutos: int,
    causa: str,
    productos: Sequence[Producto] = (),
    metodos: Sequence[Metodo] = (),
    disciplinas: Sequence[Disciplina] = (),
) -> ReglaFirma:
    """Write the next version, or the draft of it anew; empty lists cover everything. It signs nothing yet."""
    _exigir_director(actor)
    siguiente = _bloquear_las_versiones()
    if not causa.strip():
        raise DatoInvalido({"causa": _("Escriba por qué cambia la regla.")})
    regla = borrador() or ReglaFirma(version=siguiente)
    regla.gracia_minutos, regla.causa, regla.autor, regla.activa = gracia_minutos, causa, actor, True
    regla.save()
    regla.productos.set(productos)
    regla.metodos.set(metodos)
    regla.disciplinas.set(disciplinas)
    return regla


@transaction.atomic
def poner_en_vigor(*, regla: ReglaFirma, actor: Usuario) -> ReglaFirma:
    """Switch a version on, over its replay; the one before rules no more from this moment."""
    _exigir_director(actor)
    _bloquear_las_versiones()
    regla.refresh_from_db()
    if regla.desde is not None:
        raise EstadoImpide(_("La regla %(regla)s ya entró en vigor.") % {"regla": regla})
    hecha = reproduccion_de(regla)
    if hecha is None:
        raise EstadoImpide(_("Antes de ponerla en vigor, reprodúzcala tal como está sobre los últimos doce meses."))
    if reloj.ahora() - hecha.hecha_en > VALE_LA_REPRODUCCION:
        raise EstadoImpide(_("Su reproducción tiene más de siete días: hágala otra vez."))
    return _poner(regla, actor)


@transaction.atomic
def apagar(*, actor: Usuario, causa: str) -> ReglaFirma:
    """Stop all automatic signing at once: a version like the last one, but off. What waits goes to the director."""
    _exigir_director(actor)
    siguiente = _bloquear_las_versiones()
    ultima = vigente()
    if ultima is None or not ultima.activa:
        raise EstadoImpide(_("La firma automática ya está apagada."))
    if not causa.strip():
        raise DatoInvalido({"causa": _("Escriba por qué la apaga.")})
    regla = ReglaFirma.objects.create(
        version=siguiente, activa=False, gracia_minutos=ultima.gracia_minutos, causa=causa, autor=actor
    )
    regla.productos.set(ultima.productos.all())
    regla.metodos.set(ultima.metodos.all())
    regla.disciplinas.set(ultima.disciplinas.all())
    return _poner(regla, actor)


def _poner(regla: ReglaFirma, actor: Usuario) -> ReglaFirma:
    # Later than any other, whatever hour the clock is held at: the last one put in force is the one that rules.
    ultima = ReglaFirma.objects.aggregate(ultima=Max("desde"))["ultima"]
    ahora = reloj.ahora()
    regla.desde = ahora if ultima is None or ultima < ahora else ultima + timedelta(microseconds=1)
    regla.autor = actor
    regla.save(update_fields=["desde", "autor"])
    return regla


# ── The replay ────────────────────────────────────────────────────────────────────────────────────

# One row for each report whose first version was issued in the period, as it stood at its first cierre físico. The
# log says it: what was recorded until then (`n` orders the entries of a case), and what came after. It would have
# been signed when its grace time ended, unless somebody had held it or stepped it back before.
REPRODUCIR = """
WITH emitido AS (
    SELECT i.id, i.numero, i.solicitud_id, s.partida_id, e.numero AS expediente, d.estado
    FROM expedientes_documento d
    JOIN laboratorio_informe i ON i.numero = d.numero
    JOIN laboratorio_solicitudanalisis s ON s.id = i.solicitud_id
    JOIN expedientes_expediente e ON e.id = i.expediente_id
    WHERE d.tipo = 'informe' AND d.version = 1 AND d.publicado_en >= %(desde)s AND d.publicado_en < %(hasta)s
), cierre AS (
    SELECT DISTINCT ON (v.objeto_id) v.objeto_id AS id, v.n,
           v.registrado_en + make_interval(mins => %(gracia)s) AS firmaria_en
    FROM expedientes_evento v
    WHERE v.objeto = 'informe' AND v.accion = 'cerrar_fisico' AND v.objeto_id IN (SELECT id FROM emitido)
    ORDER BY v.objeto_id, v.n
), analisis AS (
    SELECT m.id, bool_or(v.accion = 'cancelar') AS cancelado,
           bool_or(v.accion = 'registrar' AND v.datos ->> 'valor' <> 'negativo') AS no_negativo
    FROM emitido m
    JOIN cierre c ON c.id = m.id
    JOIN laboratorio_analisis a ON a.solicitud_id = m.solicitud_id
    JOIN expedientes_evento v ON v.objeto = 'analisis' AND v.objeto_id = a.id AND v.n < c.n
    GROUP BY m.id
), alcance AS (
    SELECT m.id,
           bool_and((%(productos)s::bigint[] = '{}' OR p.producto_id = ANY(%(productos)s::bigint[]))
                    AND (%(metodos)s::bigint[] = '{}' OR a.metodo_id = ANY(%(metodos)s::bigint[]))
                    AND (%(disciplinas)s::bigint[] = '{}' OR t.disciplina_id = ANY(%(disciplinas)s::bigint[]))) AS cubre
    FROM emitido m
    JOIN expedientes_partida p ON p.id = m.partida_id
    JOIN laboratorio_analisis a ON a.solicitud_id = m.solicitud_id
    JOIN laboratorio_metodo t ON t.id = a.metodo_id
    GROUP BY m.id
), despues AS (
    SELECT c.id,
           bool_or(v.accion IN ('retener', 'reabrir') AND v.registrado_en < c.firmaria_en) AS detenido,
           bool_or(v.accion = 'reabrir' AND v.registrado_en >= c.firmaria_en) AS revertido,
           bool_or(v.accion = 'devolver') AS devuelto
    FROM cierre c
    JOIN expedientes_evento v ON v.objeto = 'informe' AND v.objeto_id = c.id AND v.n > c.n
    GROUP BY c.id
)
SELECT m.numero, m.expediente,
       array_remove(ARRAY[
           CASE WHEN c.id IS NULL OR coalesce(a.cancelado, true) THEN 'incompleto' END,
           CASE WHEN a.no_negativo THEN 'no_negativo' END,
           CASE WHEN NOT coalesce(l.cubre, false) THEN 'no_cubierto' END,
           CASE WHEN d.detenido THEN 'detenido' END], NULL),
       array_remove(ARRAY[
           CASE WHEN d.revertido THEN 'revertido' END,
           CASE WHEN d.devuelto THEN 'devuelto' END,
           CASE WHEN m.estado IN ('reemplazado', 'en_revision') OR EXISTS (
               SELECT FROM expedientes_documento o WHERE o.numero = m.numero AND o.version > 1) THEN 'enmendado' END,
           CASE WHEN m.estado IN ('anulado') THEN 'anulado' END], NULL)
FROM emitido m
LEFT JOIN cierre c ON c.id = m.id
LEFT JOIN analisis a ON a.id = m.id
LEFT JOIN alcance l ON l.id = m.id
LEFT JOIN despues d ON d.id = m.id
ORDER BY m.numero
"""
POR_QUE_NO = {
    "incompleto": _("Se canceló algún análisis"),
    "no_negativo": _("Algún resultado fue positivo o indeterminado"),
    "no_cubierto": _("El producto, un método o una disciplina no están en la regla"),
    "detenido": _("Alguien lo detuvo dentro del tiempo de gracia"),
}
QUE_PASO = {
    "revertido": _("revertido después"),
    "devuelto": _("devuelto por el director"),
    "enmendado": _("enmendado"),
    "anulado": _("anulado"),
}


def filas_de_reproducir(
    alcance: dict[str, Any], *, desde: datetime, hasta: datetime
) -> list[tuple[str, str, list[str], list[str]]]:
    """For each report issued from `desde` until before `hasta`: its number, its case, why a version of these
    parameters (`parametros`) would not have signed it (empty: it would), and what became of it afterwards.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            REPRODUCIR,
            {
                **{cual: alcance[cual] for cual in ("productos", "metodos", "disciplinas")},
                "gracia": alcance["gracia_minutos"],
                "desde": desde,
                "hasta": hasta,
            },
        )
        return cursor.fetchall()


def reproducir(*, regla: ReglaFirma, actor: Usuario) -> Reproduccion:
    """What `regla`, switched on, would have done over the reports of the last twelve months; kept with the version."""
    _exigir_director(actor)
    alcance, ahora = parametros(regla), reloj.ahora()
    empezo = time.monotonic()
    filas = filas_de_reproducir(alcance, desde=ahora - PERIODO, hasta=ahora)
    firmados = [fila for fila in filas if not fila[2]]
    return Reproduccion.objects.create(
        regla=regla,
        parametros=alcance,
        desde=ahora - PERIODO,
        hasta=ahora,
        informes=len(filas),
        firmaria=len(firmados),
        corregidos=[
            {"informe": numero, "expediente": caso, "que": que} for numero, caso, _por_que_no, que in firmados if que
        ],
        por_que_no=Counter(por_que for fila in filas for por_que in fila[2]),
        milisegundos=round((time.monotonic() - empezo) * 1000),
        hecha_en=ahora,
        autor=actor,
    )

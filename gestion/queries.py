"""What the pages of what is late read besides the breaches themselves (`atrasos.py`). Nothing here writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from expedientes.models import Documento, Estado, Expediente, Lectura, Partida
from laboratorio.models import Pregunta
from senasa.models import Rol, Usuario

from . import atrasos
from .models import Accion, Incumplimiento

# ── The reader's own ──────────────────────────────────────────────────────────────────────────────


def mis_acciones(usuario: Usuario) -> QuerySet[Accion]:
    """The open actions that `usuario` is responsible for, the first to fall due first."""
    suyas = Accion.objects.filter(responsable=usuario, cerrada_en=None)
    return suyas.select_related("expediente__puesto", "autor", "responsable").order_by("para_el", "pk")


# ── Actions ───────────────────────────────────────────────────────────────────────────────────────


def acciones_abiertas(usuario: Usuario, *, tipo: str = "", puesto: str = "") -> QuerySet[Accion]:
    """The open actions about what `usuario` answers for or oversees, and his own; the first to fall due first."""
    alcance = Q(responsable=usuario) | Q(autor=usuario)
    if usuario.tiene(Rol.DIRECCION):
        alcance = Q()
    if usuario.tiene(Rol.JEFE_DE_PUESTO):
        alcance |= Q(expediente__puesto__in=usuario.puestos.all())
    if usuario.tiene(Rol.DIRECTOR):
        en_laboratorio = Partida.objects.filter(pk=OuterRef("objeto_id"), estado=Estado.EN_LABORATORIO)
        alcance |= (
            Q(incumplimiento=Incumplimiento.MUESTRA)
            | (Q(incumplimiento=Incumplimiento.PLAZO) & Exists(en_laboratorio))
            | (
                Q(incumplimiento=Incumplimiento.PREGUNTA)
                & Exists(Pregunta.objects.filter(pk=OuterRef("objeto_id"), lado=Pregunta.Lado.LABORATORIO))
            )
        )
    abiertas = Accion.objects.filter(alcance, cerrada_en=None)
    if tipo:
        abiertas = abiertas.filter(incumplimiento=tipo)
    if puesto:
        abiertas = abiertas.filter(expediente__puesto__codigo=puesto)
    return abiertas.select_related("expediente__puesto", "autor", "responsable").order_by("para_el", "pk")


@dataclass(frozen=True)
class FilaDeAccion:
    """An open action as the list shows it. `termino`: what it is about is late no more, so it waits for its outcome."""

    accion: Accion
    termino: bool
    tarde: bool
    puede_cerrar: bool


def filas_de(acciones: list[Accion], usuario: Usuario, ahora: datetime) -> list[FilaDeAccion]:
    """In a number of queries that does not grow with the rows."""
    siguen = atrasos.siguen(acciones, ahora)
    hoy = timezone.localdate(ahora)
    suyos = set(usuario.puestos.values_list("pk", flat=True)) if usuario.tiene(Rol.JEFE_DE_PUESTO) else set()
    return [
        FilaDeAccion(
            accion=una,
            termino=(una.incumplimiento, una.objeto_id) not in siguen,
            tarde=una.para_el < hoy,
            puede_cerrar=usuario.pk in (una.responsable_id, una.autor_id) or una.expediente.puesto_id in suyos,
        )
        for una in acciones
    ]


def acciones_del_caso(expediente: Expediente, usuario: Usuario, ahora: datetime) -> list[FilaDeAccion]:
    """The open actions about one case, for whoever answers for cases."""
    if not usuario.tiene(Rol.INSPECTOR, Rol.JEFE_DE_PUESTO, Rol.DIRECTOR, Rol.DIRECCION):
        return []
    abiertas = expediente.acciones.filter(cerrada_en=None).select_related("expediente__puesto", "autor", "responsable")
    return filas_de(list(abiertas), usuario, ahora)


# ── Reports: issued, read, decided ────────────────────────────────────────────────────────────────


def con_lecturas(documentos: Iterable[Documento]) -> list[tuple[Documento, Lectura | None]]:
    """Each document with its first reading by somebody of the post, if any; one query."""
    documentos = list(documentos)
    primeras: dict[int, Lectura] = {}
    lecturas = Lectura.objects.filter(documento__in=documentos).select_related("usuario").order_by("leido_en", "pk")
    for lectura in lecturas:
        primeras.setdefault(lectura.documento_id, lectura)
    return [(documento, primeras.get(documento.pk)) for documento in documentos]


@dataclass(frozen=True)
class Tiempo:
    """How long something took, in hours; without cases there is no median."""

    que: str
    n: int
    mediana: float | None
    p90: float | None


TIEMPOS = """
SELECT count(leido_en),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY hasta_leer), percentile_cont(0.9) WITHIN GROUP (ORDER BY hasta_leer),
       count(hasta_decidir),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY hasta_decidir),
       percentile_cont(0.9) WITHIN GROUP (ORDER BY hasta_decidir),
       count(*)
FROM (
    SELECT l.leido_en,
           EXTRACT(EPOCH FROM l.leido_en - d.publicado_en) / 3600 AS hasta_leer,
           EXTRACT(EPOCH FROM f.ocurrio_en - l.leido_en) / 3600 AS hasta_decidir
    FROM expedientes_documento d
    JOIN expedientes_expediente e ON e.id = d.expediente_id
    LEFT JOIN LATERAL (
        SELECT min(leido_en) AS leido_en FROM expedientes_lectura WHERE documento_id = d.id
    ) l ON true
    LEFT JOIN LATERAL (
        SELECT min(x.ocurrio_en) AS ocurrio_en FROM expedientes_dictamen x
        JOIN expedientes_dictamen_informes i ON i.dictamen_id = x.id AND i.documento_id = d.id
    ) f ON f.ocurrio_en >= l.leido_en
    WHERE d.tipo = 'informe' AND d.publicado_en >= %(desde)s AND d.publicado_en < %(hasta)s
      AND (%(puestos)s::bigint[] IS NULL OR e.puesto_id = ANY(%(puestos)s))
) t"""


def tiempos_de_lectura(*, desde: datetime, hasta: datetime, puestos: list[int] | None) -> tuple[Tiempo, Tiempo, int]:
    """Of the report versions issued from `desde` until before `hasta`: issue to first reading, reading to decision.

    `puestos`: of those posts' cases, None for all. The third is how many were issued. A decision typed as of before
    the reading says nothing of how long it took, and is left out of the second.
    """
    with connection.cursor() as cursor:
        cursor.execute(TIEMPOS, {"desde": desde, "hasta": hasta, "puestos": puestos})
        leidos, m1, p1, decididos, m2, p2, emitidos = cursor.fetchone()
    return (
        Tiempo("De la emisión a la primera lectura", leidos, m1, p1),
        Tiempo("De la lectura al dictamen", decididos, m2, p2),
        emitidos,
    )


# ── Between post and laboratory ───────────────────────────────────────────────────────────────────


def puestos_de(usuario: Usuario) -> list[int] | None:
    """The posts whose cases `usuario` oversees; None for all of them."""
    if usuario.tiene(Rol.DIRECCION, Rol.DIRECTOR):
        return None
    return list(usuario.puestos.values_list("pk", flat=True))

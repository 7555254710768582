"""What became of the mails of a case: who may read it, and what mends one that did not arrive."""

from collections import defaultdict
from datetime import timedelta

from django.db import transaction
from django.db.models import BigIntegerField, Case, Exists, OuterRef, QuerySet, When
from django.db.models.functions import Cast, Substr
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from notificaciones import services as salida
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.models import Puesto, Rol, Usuario
from senasa.transicion import EstadoImpide, RolImpide

from . import avisos, bitacora
from .models import Expediente
from .textos import Audiencia

DE_CASO = "expediente:"
# Whoever can mend a mail, of the post; attention, for all of them.
REPARAN = (Rol.JEFE_DE_PUESTO, Rol.MESA_DE_PARTES)
# What did not arrive longer ago than this was seen, or will not be.
RECIENTE = timedelta(days=7)
HORA_DEL_RESUMEN = 7  # of Lima: read when the morning shift begins
EN_EL_RESUMEN = 20


def de_casos() -> QuerySet[Notificacion]:
    """The mails of cases, each with `caso_id`. Not those of drafts and codes, nor those to the staff."""
    # A cast that only rows of cases are asked for: PostgreSQL keeps the order of a CASE.
    caso = Case(
        When(referencia__startswith=DE_CASO, then=Cast(Substr("referencia", len(DE_CASO) + 1), BigIntegerField()))
    )
    return Notificacion.objects.filter(referencia__startswith=DE_CASO).annotate(caso_id=caso)


def visibles_para(usuario: Usuario) -> QuerySet[Notificacion]:
    """Whoever may see a case may see its mails."""
    return de_casos().filter(Exists(Expediente.objects.visibles_para(usuario).filter(pk=OuterRef("caso_id"))))


def por_reparar(notificaciones: QuerySet[Notificacion]) -> QuerySet[Notificacion]:
    """Those that did not arrive and that nobody has mended."""
    return notificaciones.filter(estado__in=Notificacion.PERDIDAS, reparada_en=None)


def recientes(notificaciones: QuerySet[Notificacion]) -> QuerySet[Notificacion]:
    return notificaciones.filter(creada_en__gte=reloj.ahora() - RECIENTE)


def exigir_quien_atiende(actor: Usuario) -> None:
    if not actor.tiene(Rol.ATENCION, Rol.MESA_DE_PARTES, Rol.INSPECTOR, Rol.JEFE_DE_PUESTO):
        raise RolImpide(_("Corregir el correo y reenviar corresponde a atención, mesa de partes o el puesto."))


@transaction.atomic
def reenviar_aviso(*, notificacion: Notificacion, actor: Usuario) -> Notificacion:
    """Send a mail of a case again; asked twice, it goes once. Returns the row of the new one.

    It goes to the same address while that one follows the case, and otherwise, since it was corrected, to the one that
    its reader, importer or broker, has now. One without a link was meant for an address that may not have it: it goes
    there or nowhere else.
    Raises RolImpide, and EstadoImpide for a mail that has not gone out yet.
    """
    exigir_quien_atiende(actor)
    caso = Expediente.objects.select_for_update().get(pk=notificacion.referencia.removeprefix(DE_CASO))
    fila = Notificacion.objects.select_for_update(of=("self",)).select_related("reenvio").get(pk=notificacion.pk)
    if hasattr(fila, "reenvio"):
        return fila.reenvio
    if fila.estado == Notificacion.Estado.PENDIENTE:
        raise EstadoImpide(_("Ese aviso todavía no ha salido: se enviará solo."))
    sigue = fila.enlace_id is None or fila.correo in avisos.destinatarios(caso)
    correo = fila.correo if sigue else _de_ahora(caso, fila)
    nueva = salida.reenviar(fila, correo=correo)
    datos = {"aviso": fila.aviso, "notificacion": nueva.pk, "de": fila.pk}
    bitacora.anotar(caso, objeto=caso, accion="reenviar_aviso", actor=actor, datos=datos)
    return nueva


def _de_ahora(caso: Expediente, fila: Notificacion) -> str:
    if caso.agente and avisos.escrito_a(fila.version_del_texto) == Audiencia.AGENTE:
        return caso.agente.correo.lower()
    return caso.importador.correo.lower()


def dar_por_reparadas(expediente: Expediente, *, correo: str) -> None:
    """The address was corrected and has a new link, which opens all that those mails told."""
    salida.reparar(Notificacion.objects.filter(referencia=expediente.referencia, correo=correo))


def avisar_perdidas() -> int:
    """Owe whoever can mend them, once a day, the list of the mails that did not arrive; how many there are.

    From HORA_DEL_RESUMEN on. Nothing is owed while nothing is to be mended.
    """
    ahora = reloj.ahora()
    perdidas = list(recientes(por_reparar(de_casos())).order_by("-creada_en"))
    if not perdidas or timezone.localtime(ahora).hour < HORA_DEL_RESUMEN:
        return 0
    casos = Expediente.objects.in_bulk({una.caso_id for una in perdidas})  # type: ignore[attr-defined]
    de_puesto: dict[int, list[tuple[Expediente, Notificacion]]] = defaultdict(list)
    for una in perdidas:
        caso = casos[una.caso_id]  # type: ignore[attr-defined]
        de_puesto[caso.puesto_id].append((caso, una))
    for puestos, quienes in _quienes_reparan().items():
        suyas = [fila for puesto in sorted(puestos) for fila in de_puesto.get(puesto, [])]
        if suyas:
            avisos.deber_al_personal(
                quienes,
                "avisos_perdidos",
                clave=f"perdidas:{timezone.localdate(ahora):%Y%m%d}",
                url=f"{reverse('avisos')}?estado=por_reparar",
                filas=suyas[:EN_EL_RESUMEN],
                cuantos=len(suyas),
                mas=len(suyas) - EN_EL_RESUMEN,
            )
    return len(perdidas)


def _quienes_reparan() -> dict[frozenset[int], list[Usuario]]:
    """People by the posts that they answer for, so that those of the same posts get the same mail."""
    todos = frozenset(Puesto.objects.values_list("pk", flat=True))
    grupos: dict[frozenset[int], list[Usuario]] = defaultdict(list)
    activos = Usuario.objects.filter(is_active=True).prefetch_related("puestos").order_by("pk")
    for usuario in activos.filter(roles__overlap=[*REPARAN, Rol.ATENCION]):
        suyos = todos if usuario.tiene(Rol.ATENCION) else frozenset(uno.pk for uno in usuario.puestos.all())
        grupos[suyos].append(usuario)
    return grupos

"""Who stands in for the director, and when. The dates alone give the role: nobody's roles are written."""

from datetime import date

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from senasa import reloj
from senasa.models import ROLES_DE_LABORATORIO, Rol, Suplencia, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide


def directores() -> list[Usuario]:
    """Who has the director's acts today: the directors, and whoever stands in for one."""
    suplentes = Suplencia.objects.vigentes().values("suplente")
    quienes = Usuario.objects.filter(Q(roles__contains=[Rol.DIRECTOR]) | Q(pk__in=suplentes), is_active=True)
    return list(quienes.order_by("pk"))


def _exigir_que_pueda(actor: Usuario, titular: Usuario) -> None:
    """A director names his own deputy, and the administrator anybody's; a deputy names none."""
    if Rol.ADMINISTRADOR in actor.roles or (Rol.DIRECTOR in actor.roles and actor.pk == titular.pk):
        return
    raise RolImpide(_("Su suplente lo nombra el director mismo, o el administrador."))


@transaction.atomic
def nombrar(*, titular: Usuario, suplente: Usuario, desde: date, hasta: date, causa: str, actor: Usuario) -> Suplencia:
    """Give `suplente` the acts of `titular`, a director, from one day to another, both included."""
    _exigir_que_pueda(actor, titular)
    Usuario.objects.select_for_update().get(pk=titular.pk)
    if Rol.DIRECTOR not in titular.roles:
        raise DatoInvalido({"titular": _("%(quien)s no es director.") % {"quien": titular}})
    if suplente.pk == titular.pk or not suplente.is_active or not ROLES_DE_LABORATORIO & set(suplente.roles):
        raise DatoInvalido({"suplente": _("Elija a otra persona del laboratorio, en actividad.")})
    if desde < timezone.localdate(reloj.ahora()):
        raise DatoInvalido({"desde": _("No puede empezar antes de hoy.")})
    if hasta < desde:
        raise DatoInvalido({"hasta": _("No puede terminar antes de empezar.")})
    otra = Suplencia.objects.filter(titular=titular, desde__lte=hasta, hasta__gte=desde, terminada_en=None).first()
    if otra:
        raise DatoInvalido(
            {"desde": _("En esos días ya lo suple %(quien)s: termine antes esa suplencia.") % {"quien": otra.suplente}}
        )
    return Suplencia.objects.create(
        titular=titular, suplente=suplente, desde=desde, hasta=hasta, causa=causa, autor=actor,
        creada_en=reloj.ahora(),
    )  # fmt: skip


@transaction.atomic
def terminar(*, suplencia: Suplencia, actor: Usuario) -> Suplencia:
    """End it before its last day, from this moment."""
    suplencia = Suplencia.objects.select_for_update(of=("self",)).select_related("titular").get(pk=suplencia.pk)
    _exigir_que_pueda(actor, suplencia.titular)
    if suplencia.terminada_en or suplencia.hasta < timezone.localdate(reloj.ahora()):
        raise EstadoImpide(_("Esa suplencia ya terminó."))
    suplencia.terminada_en = reloj.ahora()
    suplencia.save(update_fields=["terminada_en"])
    return suplencia

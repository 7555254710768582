"""The coded motives of the laboratory's acts (†): its director adds them and retires them, and edits none.

A code in use means tomorrow what it meant when it was chosen. The catalogue's history says who changed what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.text import slugify
from django.utils.translation import gettext as _
from simple_history.utils import update_change_reason

from expedientes.models import Motivo
from senasa.models import ROLES_DE_LABORATORIO, Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from .lifecycle import ANALISIS, INFORME, MUESTRA, Accion

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# The acts of people of the laboratory that need a motive, as their buttons call them.
ACTOS: dict[str, StrOrPromise] = {
    str(accion): transicion.verbo
    for tabla in (ANALISIS, MUESTRA, INFORME)
    for accion, transicion in tabla.items()
    if transicion.motivada and transicion.roles_de_personas & ROLES_DE_LABORATORIO
}
# What the system itself gives as a motive: without it, its acts would be refused.
DEL_SISTEMA = {
    (Accion.CANCELAR, "muestra-sin-efecto"), (Accion.CANCELAR, "caso-terminado"),
    (Accion.CANCELAR, "positivo-temprano"),
}  # fmt: skip


def agregar_motivo(*, actor: Usuario, accion: str, texto: str) -> Motivo:
    """Add a motive to an act; its code is made from its text and never changes."""
    _exigir_director(actor)
    if accion not in ACTOS:
        raise DatoInvalido({"accion": _("Elija un acto del laboratorio.")})
    texto = " ".join(texto.split())
    codigo = slugify(texto)[:40].strip("-")
    if not codigo:
        raise DatoInvalido({"texto": _("Escriba el motivo con palabras.")})
    if Motivo.objects.filter(accion=accion, codigo=codigo).exists():
        raise DatoInvalido({"texto": _("Ese motivo ya está en el catálogo: si se retiró, repóngalo.")})
    motivo = Motivo(accion=accion, codigo=codigo, texto=texto)
    motivo._history_user = actor  # type: ignore[attr-defined]
    motivo.save()
    update_change_reason(motivo, _("Agregado"))
    return motivo


def retirar_motivo(*, motivo: Motivo, actor: Usuario) -> None:
    """No form offers it any more; what was recorded with it keeps it."""
    _exigir_director(actor)
    if (motivo.accion, motivo.codigo) in DEL_SISTEMA:
        raise EstadoImpide(_("«%(motivo)s» lo usa el sistema por sí mismo: no se retira.") % {"motivo": motivo})
    if not Motivo.objects.filter(accion=motivo.accion, activo=True).exclude(pk=motivo.pk).exists():
        raise EstadoImpide(_("Es el único motivo de ese acto: agregue otro antes de retirarlo."))
    _poner(motivo, actor, activo=False, causa=_("Retirado"))


def reponer_motivo(*, motivo: Motivo, actor: Usuario) -> None:
    """A retired motive is offered again."""
    _exigir_director(actor)
    _poner(motivo, actor, activo=True, causa=_("Repuesto"))


def _poner(motivo: Motivo, actor: Usuario, *, activo: bool, causa: str) -> None:
    if motivo.activo == activo:
        return
    motivo.activo = activo
    motivo._history_user = actor  # type: ignore[attr-defined]
    motivo.save(update_fields=["activo"])
    update_change_reason(motivo, causa)


def _exigir_director(actor: Usuario) -> None:
    if not actor.tiene(Rol.DIRECTOR):
        raise RolImpide(_("El catálogo de motivos del laboratorio lo lleva su director."))

"""Who of its post sees to a case: assigned by the jefe, taken by an inspector, handed over, covered in an absence.

It says whose table a case lies on; it does not limit who may act: on a quay whoever is there takes the sample.
All through `lifecycle.avanzar`; all raise `ActoRechazado` or `DatoInvalido` and then store nothing.
"""

from collections.abc import Iterable
from datetime import date

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from senasa import reloj
from senasa.models import Puesto, Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from .lifecycle import EXPEDIENTE, Accion, avanzar
from .models import Ausencia, Evento, Expediente


def inspectores_de(puestos: Iterable[Puesto | int]) -> QuerySet[Usuario]:
    """The inspectors at work in any of `puestos`, by name."""
    suyos = Usuario.objects.filter(is_active=True, roles__contains=[Rol.INSPECTOR], puestos__in=puestos)
    return suyos.distinct().order_by("first_name", "last_name", "username")


def con_casos(puestos: Iterable[Puesto | int]) -> QuerySet[Usuario]:
    """Who sees to some open case of `puestos`, also one who works there no more."""
    de_quien = Expediente.objects.abiertos().filter(puesto__in=puestos, inspector__isnull=False)
    return Usuario.objects.filter(pk__in=de_quien.values("inspector")).order_by("first_name", "last_name", "username")


def a_cargo_de(usuario: Usuario) -> list[int]:
    """Whose cases are `usuario`'s today: his own and those of whom he covers."""
    return [usuario.pk, *Ausencia.objects.vigentes().filter(cubre=usuario).values_list("ausente", flat=True)]


def quienes_atienden(expediente: Expediente) -> list[Usuario]:
    """Whom news of a case concern: its inspector and whoever covers for him today, or every inspector of its post."""
    inspectores = inspectores_de([expediente.puesto_id])
    if expediente.inspector_id:
        cubren = Ausencia.objects.vigentes().filter(ausente=expediente.inspector_id).values("cubre")
        suyos = inspectores.filter(Q(pk=expediente.inspector_id) | Q(pk__in=cubren))
        if suyos:
            return list(suyos)
    return list(inspectores)


@transaction.atomic
def asignar(*, expediente: Expediente, actor: Usuario, inspector: Usuario, texto: str = "") -> Evento:
    """Give a case that nobody has to an inspector of its post."""
    caso = _bloqueado(expediente)
    if caso.inspector:
        raise EstadoImpide(_("Ya está a cargo de %(quien)s: páselo, si hace falta.") % {"quien": caso.inspector})
    return _dar(expediente, Accion.ASIGNAR, actor=actor, inspector=inspector, texto=texto)


@transaction.atomic
def tomar(*, expediente: Expediente, actor: Usuario, texto: str = "") -> Evento:
    """Take a case that nobody has."""
    caso = _bloqueado(expediente)
    if caso.inspector:
        raise EstadoImpide(_("Ya está a cargo de %(quien)s.") % {"quien": caso.inspector})
    return _dar(expediente, Accion.TOMAR, actor=actor, inspector=actor, texto=texto)


@transaction.atomic
def pasar(*, expediente: Expediente, actor: Usuario, inspector: Usuario, texto: str = "") -> Evento:
    """Hand a case over to another inspector of its post: the jefe anybody's, an inspector his own or one he covers."""
    caso = _bloqueado(expediente)
    if caso.inspector_id is None:
        raise EstadoImpide(_("No está a cargo de nadie: se toma o se asigna."))
    if not actor.tiene(Rol.JEFE_DE_PUESTO) and caso.inspector_id not in a_cargo_de(actor):
        raise RolImpide(
            _("Está a cargo de %(quien)s: lo pasa él, quien lo cubre o el jefe.") % {"quien": caso.inspector}
        )
    if caso.inspector_id == inspector.pk:
        raise EstadoImpide(_("%(quien)s ya lo tiene.") % {"quien": inspector.firma_corta})
    return _dar(expediente, Accion.PASAR, actor=actor, inspector=inspector, texto=texto, de=caso.inspector)


def _bloqueado(expediente: Expediente) -> Expediente:
    return Expediente.objects.select_for_update(of=("self",)).select_related("inspector").get(pk=expediente.pk)


def _dar(
    expediente: Expediente, accion: str, *, actor: Usuario, inspector: Usuario, texto: str, de: Usuario | None = None
) -> Evento:
    if not inspectores_de([expediente.puesto_id]).filter(pk=inspector.pk).exists():
        raise DatoInvalido({"inspector": _por_que_no(expediente.puesto, inspector)})
    return avanzar(
        expediente, accion, tabla=EXPEDIENTE, actor=actor, texto=texto,
        datos={"de": de.pk if de else None, "inspector": inspector.pk, "a_quien": inspector.firma_corta},
        cambios={"inspector": inspector},
    )  # fmt: skip


def _por_que_no(puesto: Puesto, inspector: Usuario) -> str:
    """Of many cases given at once each says its post, and where the chosen one works."""
    suyos = inspector.puestos.all() if inspector.is_active and Rol.INSPECTOR in inspector.roles else ()
    quien = {"quien": inspector.firma_corta, "puesto": puesto}
    if not suyos:
        return _("El expediente es del %(puesto)s y %(quien)s no es inspector en actividad.") % quien
    return _("El expediente es del %(puesto)s; %(quien)s es del %(suyos)s.") % {
        **quien,
        "suyos": _(" y del ").join(map(str, suyos)),
    }


# ── Absences ──────────────────────────────────────────────────────────────────────────────────────


def _exigir_que_mande(actor: Usuario, ausente: Usuario) -> None:
    """A jefe notes the absences of the inspectors of his posts."""
    de_sus_puestos = inspectores_de(actor.puestos.all()).filter(pk=ausente.pk)
    if not actor.tiene(Rol.JEFE_DE_PUESTO) or not de_sus_puestos.exists():
        raise RolImpide(_("Las ausencias de un inspector las anota el jefe de su puesto."))


@transaction.atomic
def anotar_ausencia(
    *, ausente: Usuario, cubre: Usuario, desde: date, hasta: date, causa: str, actor: Usuario
) -> Ausencia:
    """From one day to another, both included, the cases of `ausente` are also among those of `cubre`."""
    _exigir_que_mande(actor, ausente)
    Usuario.objects.select_for_update().get(pk=ausente.pk)
    if cubre.pk == ausente.pk or not inspectores_de(ausente.puestos.all()).filter(pk=cubre.pk).exists():
        raise DatoInvalido({"cubre": _("Elija a otro inspector en actividad de su puesto.")})
    if desde < timezone.localdate(reloj.ahora()):
        raise DatoInvalido({"desde": _("No puede empezar antes de hoy.")})
    if hasta < desde:
        raise DatoInvalido({"hasta": _("No puede terminar antes de empezar.")})
    otra = Ausencia.objects.filter(ausente=ausente, desde__lte=hasta, hasta__gte=desde, terminada_en=None).first()
    if otra:
        raise DatoInvalido(
            {"desde": _("En esos días ya lo cubre %(quien)s: termine antes esa ausencia.") % {"quien": otra.cubre}}
        )
    return Ausencia.objects.create(
        ausente=ausente, cubre=cubre, desde=desde, hasta=hasta, causa=causa, autor=actor, creada_en=reloj.ahora()
    )


@transaction.atomic
def terminar_ausencia(*, ausencia: Ausencia, actor: Usuario) -> Ausencia:
    """He is back before the last day."""
    ausencia = Ausencia.objects.select_for_update(of=("self",)).select_related("ausente").get(pk=ausencia.pk)
    _exigir_que_mande(actor, ausencia.ausente)
    if not ausencia.por_terminar:
        raise EstadoImpide(_("Esa ausencia ya terminó."))
    ausencia.terminada_en = reloj.ahora()
    ausencia.save(update_fields=["terminada_en"])
    return ausencia

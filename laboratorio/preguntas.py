"""Questions between a post and the laboratory about a sample: to whom, by when, and the answer."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from expedientes import avisos, bitacora
from expedientes.models import Expediente
from senasa import reloj
from senasa.models import ROLES_DE_LABORATORIO, ROLES_DE_PUESTO, Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from .models import EstadoAnalisis, Muestra, Pregunta
from .recepcion import personal_de_recepcion, personal_del_puesto

PREGUNTAR = "preguntar"
CONTESTAR = "contestar"
Lado = Pregunta.Lado


def lado_de(usuario: Usuario, muestra: Muestra) -> Pregunta.Lado | None:
    """On which side of `muestra` the user stands; None for whoever has no part in it."""
    if usuario.tiene(*ROLES_DE_LABORATORIO):
        return Lado.LABORATORIO
    if usuario.tiene(*ROLES_DE_PUESTO) and usuario.puestos.filter(pk=muestra.expediente.puesto_id).exists():
        return Lado.PUESTO
    return None


def destinatarios(muestra: Muestra, lado: str) -> list[Usuario]:
    """Who may be asked by name on that side; everybody there sees the question anyway."""
    if lado == Lado.PUESTO:
        return personal_del_puesto(muestra.expediente.puesto)
    return list(
        Usuario.objects.filter(is_active=True, roles__overlap=sorted(ROLES_DE_LABORATORIO)).order_by(
            "first_name", "last_name", "pk"
        )
    )


def al_otro_lado(usuario: Usuario, muestra: Muestra) -> list[Usuario]:
    """Whom the user may name."""
    mio = lado_de(usuario, muestra)
    return destinatarios(muestra, Lado.PUESTO if mio == Lado.LABORATORIO else Lado.LABORATORIO) if mio else []


def plazo_por_omision() -> datetime:
    """By when an answer is asked for, unless told: the same hour of the next day."""
    return reloj.ahora() + timedelta(hours=24)


@transaction.atomic
def preguntar(
    *, muestra: Muestra, actor: Usuario, texto: str, vence_en: datetime, para: Usuario | None = None
) -> Pregunta:
    """Ask the other side about a sample. `vence_en`: by when the answer is needed."""
    caso = Expediente.objects.select_for_update().get(pk=muestra.expediente_id)
    mio = lado_de(actor, muestra)
    if mio is None:
        raise RolImpide(_("Preguntan y contestan el puesto de la muestra y el laboratorio."))
    lado = Lado.PUESTO if mio == Lado.LABORATORIO else Lado.LABORATORIO
    if vence_en <= reloj.ahora():
        raise DatoInvalido({"vence_en": _("Ponga una hora que aún no haya pasado.")})
    if para and para.pk not in {uno.pk for uno in destinatarios(muestra, lado)}:
        raise DatoInvalido({"para": _("Esa persona no está del otro lado.")})
    pregunta = Pregunta.objects.create(
        expediente=caso, muestra=muestra, lado=lado, para=para, texto=texto, autor=actor, hecha_en=reloj.ahora(),
        vence_en=vence_en,
    )  # fmt: skip
    bitacora.anotar(
        caso, objeto=pregunta, accion=PREGUNTAR, actor=actor, texto=texto,
        datos={"muestra": muestra.numero, "lado": lado, "para": str(para or ""), "vence_en": vence_en.isoformat()},
    )  # fmt: skip
    _escribir("pregunta", pregunta, [para] if para else _quienes_saben(muestra, lado))
    return pregunta


@transaction.atomic
def contestar(*, pregunta: Pregunta, actor: Usuario, respuesta: str) -> Pregunta:
    """Answer, once, on behalf of the side that was asked."""
    caso = Expediente.objects.select_for_update().get(pk=pregunta.expediente_id)
    pregunta = Pregunta.objects.select_related("muestra__expediente", "autor", "para").get(pk=pregunta.pk)
    if lado_de(actor, pregunta.muestra) != pregunta.lado:
        raise RolImpide(_("Contesta el lado al que se preguntó."))
    if pregunta.respondida_en:
        raise EstadoImpide(_("Esta pregunta ya está contestada."))
    pregunta.respuesta, pregunta.respondida_por, pregunta.respondida_en = respuesta, actor, reloj.ahora()
    pregunta.save(update_fields=["respuesta", "respondida_por", "respondida_en"])
    bitacora.anotar(
        caso, objeto=pregunta, accion=CONTESTAR, actor=actor, texto=respuesta,
        datos={"muestra": pregunta.muestra.numero},
    )  # fmt: skip
    _escribir("respuesta", pregunta, [pregunta.autor])
    return pregunta


def _quienes_saben(muestra: Muestra, lado: str) -> list[Usuario]:
    """In the laboratory, whoever has the sample in hand: its analysts, or reception while it has none."""
    if lado == Lado.PUESTO:
        return personal_del_puesto(muestra.expediente.puesto)
    suyos = muestra.analisis.exclude(estado=EstadoAnalisis.CANCELADO).exclude(analista=None)
    analistas = Usuario.objects.filter(is_active=True, pk__in=suyos.values("analista"))
    return list(analistas.order_by("pk")) or personal_de_recepcion()


def _escribir(aviso: str, pregunta: Pregunta, quienes: Sequence[Usuario]) -> None:
    avisos.deber_al_personal(
        quienes,
        aviso,
        clave=f"{aviso}:{pregunta.pk}",
        url=reverse("muestra", args=[pregunta.muestra.numero]),
        pregunta=pregunta,
        muestra=pregunta.muestra,
    )


# ── Lists ─────────────────────────────────────────────────────────────────────────────────────────


def visibles(usuario: Usuario) -> QuerySet[Pregunta]:
    return Pregunta.objects.visibles_para(usuario).select_related(
        "muestra__partida__producto", "muestra__partida__pais_origen", "expediente__puesto", "autor", "para",
        "respondida_por",
    )  # fmt: skip


def _de_mi_lado(usuario: Usuario) -> Q:
    if usuario.tiene(*ROLES_DE_LABORATORIO):
        return Q(lado=Lado.LABORATORIO)
    if usuario.tiene(*ROLES_DE_PUESTO):
        return Q(lado=Lado.PUESTO, expediente__puesto__in=usuario.puestos.all())
    return Q(pk=None)


def por_contestar(usuario: Usuario) -> QuerySet[Pregunta]:
    """What waits for the user's side, the first to fall due first. An analyst's or verifier's own come with those of
    nobody in particular; reception and director see all, since somebody has to see that they are answered."""
    abiertas = visibles(usuario).filter(_de_mi_lado(usuario), respondida_en=None)
    if usuario.tiene(*ROLES_DE_LABORATORIO) and not usuario.tiene(Rol.RECEPCION, Rol.DIRECTOR):
        abiertas = abiertas.filter(Q(para=usuario) | Q(para=None, muestra__analisis__analista=usuario)).distinct()
    return abiertas.order_by("vence_en", "pk")


def sin_respuesta(usuario: Usuario) -> QuerySet[Pregunta]:
    """What the user's side asked and nobody has answered."""
    return visibles(usuario).exclude(_de_mi_lado(usuario)).filter(respondida_en=None).order_by("vence_en", "pk")


def contestadas(usuario: Usuario) -> QuerySet[Pregunta]:
    return visibles(usuario).exclude(respondida_en=None).order_by("-respondida_en")

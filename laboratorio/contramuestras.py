"""Retained duplicates: until when they are kept, what keeps them longer, and the record of their disposal."""

from collections.abc import Sequence
from datetime import date, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from expedientes import numeros
from expedientes.lifecycle import avanzar
from expedientes.models import Evento, Expediente
from expedientes.pdf import componer
from senasa import reloj
from senasa.models import Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from . import services
from .lifecycle import MUESTRA, Accion, bloquear
from .models import ActaEliminacion, EstadoMuestra, Muestra

SERIE = "AE"


def hasta_por_omision() -> date:
    """Until when a duplicate is kept, unless told."""
    return timezone.localdate(reloj.ahora()) + timedelta(days=settings.CONTRAMUESTRA_DIAS)


def guardadas(muestras: QuerySet[Muestra]) -> QuerySet[Muestra]:
    """Those kept, the first to reach its date first."""
    return (
        muestras.filter(estado=EstadoMuestra.CONTRAMUESTRA)
        .select_related("partida__producto", "partida__pais_origen", "solicitud__informe")
        .order_by("contramuestra_hasta", "pk")
    )


@transaction.atomic
def eliminar_varias(
    *, muestras: Sequence[Muestra], actor: Usuario, testigo: str, metodo: str, observaciones: str = ""
) -> ActaEliminacion:
    """Destroy duplicates past their date, all or none, under one numbered record."""
    if not actor.tiene(Rol.RECEPCION):
        raise RolImpide(_("Eliminar contramuestras corresponde a la recepción de muestras."))
    if not muestras:
        raise DatoInvalido({"muestras": _("Marque al menos una contramuestra.")})
    if metodo == ActaEliminacion.Metodo.OTRO and not observaciones.strip():
        raise DatoInvalido({"observaciones": _("Diga con qué método se eliminan.")})
    casos = sorted({muestra.expediente_id for muestra in muestras})
    list(Expediente.objects.select_for_update().filter(pk__in=casos).order_by("pk"))
    acta = ActaEliminacion.objects.create(
        numero=numeros.siguiente(SERIE), ocurrio_en=reloj.ahora(), responsable=actor, testigo=testigo, metodo=metodo,
        observaciones=observaciones,
    )  # fmt: skip
    for muestra in muestras:
        services.eliminar(muestra=muestra, actor=actor, acta=acta)
    return acta


def pdf_del_acta(acta: ActaEliminacion) -> bytes:
    """The record of a disposal, to be printed and signed by who did it and who saw it."""
    suyas = acta.muestras.select_related("partida__producto", "partida__pais_origen", "solicitud__informe")
    return componer(
        "pdf/acta_eliminacion.html",
        {
            "acta": acta,
            "muestras": suyas.order_by("pk"),
            "laboratorio": {"nombre": settings.LABORATORIO_NOMBRE, "direccion": settings.LABORATORIO_DIRECCION},
        },
    )


# ── A second opinion ──────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def pedir_dirimencia(*, muestra: Muestra, actor: Usuario, texto: str) -> Evento:
    """Keep what is left of a sample from being destroyed until the second opinion is known."""
    return _dirimencia(muestra, Accion.PEDIR_DIRIMENCIA, actor=actor, texto=texto, pendiente=True)


@transaction.atomic
def levantar_dirimencia(*, muestra: Muestra, actor: Usuario, texto: str) -> Evento:
    return _dirimencia(muestra, Accion.LEVANTAR_DIRIMENCIA, actor=actor, texto=texto, pendiente=False)


def _dirimencia(muestra: Muestra, accion: str, *, actor: Usuario, texto: str, pendiente: bool) -> Evento:
    bloquear(muestra)
    muestra.refresh_from_db()
    if bool(muestra.dirimencia_desde) == pendiente:
        ya = _("%(muestra)s ya tiene una dirimencia anotada.")
        raise EstadoImpide((ya if pendiente else _("%(muestra)s no tiene dirimencia.")) % {"muestra": muestra})
    return avanzar(
        muestra, accion, tabla=MUESTRA, actor=actor, texto=texto,
        cambios={"dirimencia_desde": reloj.ahora() if pendiente else None},
    )  # fmt: skip

"""The laboratory's door: boxes received one after the other, manifests checked off, and what does not arrive."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from expedientes import avisos, bitacora
from expedientes.models import Evento, Expediente
from senasa import reloj
from senasa.models import Puesto, Rol, Usuario
from senasa.palabras import duracion
from senasa.transicion import ActoRechazado, EstadoImpide, RolImpide

from . import services
from .despachos import cerrar, muestras_de
from .models import Conciliacion, Despacho, EstadoMuestra, Muestra, SolicitudAnalisis
from .rotulos import buscar

# What the log says of a sample that is late: no transition is there for it.
DEMORA = "avisar_demora"


def recibir_lo_leido(
    *,
    codigo: str,
    actor: Usuario,
    condicion: str,
    cantidad_recibida: Decimal | None = None,
    conservacion_al_llegar: str = "",
    observaciones: str = "",
) -> Muestra:
    """Receive the sample that was scanned or typed. What is not said came as it was sent.

    DatoInvalido on `codigo` when there is no such sample; EstadoImpide when it cannot be received now.
    """
    muestra = buscar(codigo, Muestra.objects.visibles_para(actor))
    services.recibir(
        muestra=muestra,
        actor=actor,
        condicion=condicion,
        cantidad_recibida=cantidad_recibida or muestra.cantidad,
        conservacion_al_llegar=conservacion_al_llegar,
        observaciones=observaciones,
    )
    return muestra


# ── Manifests checked off ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Llegada:
    """A sample that was in the box, and how it came."""

    muestra: Muestra
    condicion: str
    cantidad_recibida: Decimal
    conservacion_al_llegar: str
    observaciones: str = ""


@transaction.atomic
def conciliar(*, despacho: Despacho, actor: Usuario, llegadas: Sequence[Llegada]) -> list[str]:
    """Check a manifest off: receive what came, note what did not, close it with an outcome for each sample.

    Of `llegadas`, those that cannot be received any more (somebody was faster) are left out; what is returned says
    which and why. Cases are locked first, in order, then the manifest.
    """
    if not actor.tiene(Rol.RECEPCION):
        raise RolImpide(_("Conciliar un manifiesto corresponde a la recepción de muestras."))
    a_bordo = SolicitudAnalisis.objects.filter(despacho=despacho).values("expediente")
    casos = {caso.pk for caso in Expediente.objects.select_for_update().filter(pk__in=a_bordo).order_by("pk")}
    despacho = Despacho.objects.select_for_update().get(pk=despacho.pk)
    if despacho.conciliado_en:
        raise EstadoImpide(_("El manifiesto %(despacho)s ya está conciliado.") % {"despacho": despacho})
    if not {muestra.expediente_id for muestra in muestras_de(despacho)} <= casos:
        raise EstadoImpide(_("Acaban de subir otra muestra a %(despacho)s: revise la lista.") % {"despacho": despacho})
    fuera = []
    for llegada in llegadas:
        try:
            services.recibir(
                muestra=llegada.muestra,
                actor=actor,
                condicion=llegada.condicion,
                cantidad_recibida=llegada.cantidad_recibida,
                conservacion_al_llegar=llegada.conservacion_al_llegar,
                observaciones=llegada.observaciones,
            )
        except ActoRechazado as error:
            fuera.append(f"{llegada.muestra}: {error.mensaje}")
    despacho.refresh_from_db()
    if not despacho.conciliado_en:  # the last box received would have closed it
        cerrar(despacho, actor)
    return fuera


# ── What does not arrive ──────────────────────────────────────────────────────────────────────────


def barrer_demoras() -> int:
    """Tell both sides, once for each sample, of what left the post long ago and has not arrived; how many."""
    limite = reloj.ahora() - timedelta(hours=settings.DEMORA_TRASLADO_HORAS)
    demoradas = Muestra.objects.filter(
        estado=EstadoMuestra.ENVIADA, demora_avisada_en=None, solicitud__enviada_en__lte=limite
    )
    avisadas: dict[tuple[int, int | None], list[tuple[Muestra, Evento]]] = {}
    with transaction.atomic():
        casos = Expediente.objects.select_for_update().filter(pk__in=demoradas.values("expediente")).order_by("pk")
        for caso in casos:
            # Read under the lock: whoever swept at the same time has told them already.
            for muestra in demoradas.filter(expediente=caso).select_related(
                "partida__producto", "partida__pais_origen", "solicitud__despacho", "expediente__puesto"
            ):
                evento = _avisar_demora(muestra)
                clave = (muestra.expediente.puesto_id, muestra.solicitud.despacho_id if muestra.solicitud else None)
                avisadas.setdefault(clave, []).append((muestra, evento))
        for (puesto, _despacho), suyas in avisadas.items():
            _escribir_a_los_dos_lados(puesto, suyas)
    return sum(map(len, avisadas.values()))


def _avisar_demora(muestra: Muestra) -> Evento:
    assert muestra.solicitud  # a sample on the road has one
    muestra.demora_avisada_en = reloj.ahora()
    muestra.save(update_fields=["demora_avisada_en"])
    lleva = duracion(reloj.ahora() - muestra.solicitud.enviada_en)
    caso = Expediente.objects.get(pk=muestra.expediente_id)
    return bitacora.anotar(
        caso, objeto=muestra, accion=DEMORA, actor=None, texto=f"Salió hace {lleva} y no ha llegado."
    )


def _escribir_a_los_dos_lados(puesto_id: int, suyas: Sequence[tuple[Muestra, Evento]]) -> None:
    """One mail a person for all that was on one manifest: forty samples late are one car that is late."""
    puesto = Puesto.objects.get(pk=puesto_id)
    primera = suyas[0][0]
    assert primera.solicitud
    contexto: dict[str, Any] = {
        "muestras": [muestra for muestra, _evento in suyas],
        "puesto": puesto,
        "despacho": primera.solicitud.despacho,
        "salio_en": primera.solicitud.enviada_en,
        "horas": settings.DEMORA_TRASLADO_HORAS,
    }
    avisos.deber_al_personal(
        [*personal_de_recepcion(), *personal_del_puesto(puesto)],
        "demora_de_muestras",
        clave=f"demora:{suyas[0][1].pk}",
        url=primera.solicitud.despacho.get_absolute_url() if primera.solicitud.despacho else "",
        **contexto,
    )


def personal_de_recepcion() -> list[Usuario]:
    return list(Usuario.objects.filter(is_active=True, roles__contains=[Rol.RECEPCION]).order_by("pk"))


def personal_del_puesto(puesto: Puesto) -> list[Usuario]:
    """Inspectors and heads of the post."""
    return list(
        Usuario.objects.filter(is_active=True, puestos=puesto, roles__overlap=[Rol.INSPECTOR, Rol.JEFE_DE_PUESTO])
        .order_by("pk")
        .distinct()
    )


def sin_llegar(muestras: Any) -> Any:
    """Of `muestras`, those still on the road that both sides were told of or that their manifest lacked, the longest
    first."""
    falto = Q(conciliacion__desenlace=Conciliacion.Desenlace.FALTO)
    return (
        muestras.filter(Q(demora_avisada_en__isnull=False) | falto, estado=EstadoMuestra.ENVIADA)
        .select_related("partida__producto", "partida__pais_origen", "expediente__puesto", "solicitud__despacho")
        .order_by("solicitud__enviada_en", "pk")
    )

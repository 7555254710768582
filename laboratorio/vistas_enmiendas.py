"""What the director does with an issued report: amend it, take an amendment back, annul it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from expedientes.actos import atender, conflicto
from senasa.models import Rol
from senasa.permisos import con_rol
from senasa.transicion import EstadoImpide

from . import enmiendas as actos
from .forms import (
    FormularioAnularEmitido,
    FormularioEnmendar,
    FormularioEnmendarResultado,
    FormularioRetirarEnmienda,
)
from .lifecycle import INFORME, Accion
from .models import Informe
from .views import formulario, informe_visible


def _acto(
    request: HttpRequest,
    numero: str,
    accion: Accion,
    hacer: Callable,
    *,
    formulario: Callable[[Informe], Callable[..., Any]],
    que_hara: Callable[[Informe], list[str]],
    **opciones: Any,
) -> HttpResponse:
    """One page for the four; what the report is not issued for is a 409 before any of its data is read."""
    informe = informe_visible(request, numero)
    volver = reverse("informe", args=[numero])
    if informe.documento is None:
        mensaje = _("%(informe)s aún no se ha emitido.") % {"informe": informe}
        return conflicto(request, EstadoImpide(mensaje), expediente=informe.expediente, volver=volver)
    return atender(
        request,
        objeto=informe,
        accion=accion,
        tabla=INFORME,
        formulario=formulario(informe),
        hacer=partial(hacer, informe=informe, actor=request.user),
        resumen=[f"{informe.documento} · {informe.solicitud.partida.producto}"],
        titulo=f"{INFORME[accion].verbo}: {informe.documento}",
        que_hara=que_hara(informe),
        volver=volver,
        plantilla="laboratorio/acto.html",
        decide=True,
        **opciones,
    )


@formulario
@con_rol(Rol.DIRECTOR)
def informe_enmendar(request: HttpRequest, numero: str) -> HttpResponse:
    return _acto(
        request,
        numero,
        Accion.ENMENDAR,
        actos.enmendar,
        formulario=lambda informe: partial(FormularioEnmendar, informe=informe),
        que_hara=lambda informe: [
            _("Corrige lo escrito y no cambia ningún resultado: nada se reabre ni se vuelve a decidir."),
            _("Pasa a «por firmar» como versión %(n)s: la firma usted, nunca la máquina.") % {"n": informe.version + 1},
            _("%(documento)s rige hasta entonces; después su código dice cuál lo reemplaza.")
            % {"documento": informe.documento},
            _("Al emitirse se avisa a quienes recibieron la versión anterior."),
        ],
        contexto={
            "secundario": {
                "url": reverse("informe_enmendar_resultado", args=[numero]), "texto": _("Es un resultado…")
            }
        },
    )  # fmt: skip


@formulario
@con_rol(Rol.DIRECTOR)
def informe_enmendar_resultado(request: HttpRequest, numero: str) -> HttpResponse:
    return _acto(
        request,
        numero,
        Accion.ENMENDAR_RESULTADO,
        actos.enmendar_resultado,
        formulario=lambda informe: partial(FormularioEnmendarResultado, informe=informe),
        que_hara=lambda informe: [
            _("Los análisis marcados vuelven a la mesa; su resultado queda registrado, fuera de vigencia."),
            _("%(documento)s se lee «en revisión» hasta la versión %(n)s, que firma usted: no se decide nada con él.")
            % {"documento": informe.documento, "n": informe.version + 1},
            *_que_vuelve(informe),
            _("No se puede retirar: el resultado tiene que hallarse de nuevo."),
        ],
        contexto={"peligro": True},
    )


@formulario
@con_rol(Rol.DIRECTOR)
def informe_retirar_enmienda(request: HttpRequest, numero: str) -> HttpResponse:
    return _acto(
        request,
        numero,
        Accion.RETIRAR_ENMIENDA,
        actos.retirar_enmienda,
        formulario=lambda informe: FormularioRetirarEnmienda,
        que_hara=lambda informe: [
            _("%(documento)s queda como estaba, y las muestras vuelven a decir lo que decían.")
            % {"documento": informe.documento},
            _("La enmienda queda en la bitácora."),
        ],
    )


@formulario
@con_rol(Rol.DIRECTOR)
def informe_anular(request: HttpRequest, numero: str) -> HttpResponse:
    return _acto(
        request,
        numero,
        Accion.ANULAR_EMITIDO,
        actos.anular,
        formulario=lambda informe: FormularioAnularEmitido,
        que_hara=lambda informe: [
            _("%(documento)s deja de valer: su código lo dice desde ahora. No habrá otra versión.")
            % {"documento": informe.documento},
            *_que_vuelve(informe),
            _("Si no queda otro informe de la partida, el puesto toma una nueva muestra."),
        ],
        contexto={"peligro": True},
    )


def _que_vuelve(informe: Informe) -> list[str]:
    """What was decided over the version in force, and goes back with it."""
    alcance = actos.alcance(informe)
    vuelve = []
    if alcance.dictamen and alcance.reabre:
        vuelve.append(
            _("El dictamen %(riv)s (%(decision)s) se apoya en él: la partida se reabre y su RIV se lee «en revisión».")
            % {"riv": alcance.dictamen.numero, "decision": alcance.dictamen.get_decision_display().lower()}
        )
    if alcance.medida:
        vuelve.append(_("La medida ordenada (%(m)s) queda sin efecto.") % {"m": str(alcance.medida).lower()})
    if alcance.cerrado:
        vuelve.append(_("El expediente está cerrado: se reabre."))
    return vuelve or [_("Todavía no se decidió nada con él.")]

"""The signature as the director sees it: what waits, what failed, what the machine will sign by itself."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from expedientes.actos import atender
from senasa.models import Rol
from senasa.permisos import con_rol

from .firmas import ordenar_firma, retener
from .forms import FormularioRetener, FormularioSinDatos
from .lifecycle import INFORME, Accion
from .models import EstadoInforme, Informe
from .views import LARGO, RECIENTES, con_semaforo, formulario, informe_visible, poner_retencion, ver


@ver
@con_rol(Rol.DIRECTOR)
def firmas(request: HttpRequest) -> HttpResponse:
    informes = Informe.objects.visibles_para(request.user).en_cola()

    def en(*estados: str) -> list[Any]:
        filas = informes.filter(estado__in=estados)
        return con_semaforo(filas, lambda informe: informe.solicitud.partida)

    por_firmar = en(EstadoInforme.POR_FIRMAR)
    poner_retencion(por_firmar)
    contexto = {
        "por_firmar": por_firmar,
        "fallidas": en(EstadoInforme.FIRMA_FALLIDA),
        "firmando": en(EstadoInforme.FIRMANDO),
        "en_gracia": sorted(en(EstadoInforme.EN_GRACIA), key=lambda informe: informe.firmar_desde),
        "emitidos": informes.filter(estado=EstadoInforme.EMITIDO).order_by("-estado_desde")[:RECIENTES],
        "largo": LARGO,
    }
    return render(request, "laboratorio/firmas.html", contexto)


@formulario
@con_rol(Rol.DIRECTOR)
def informe_firmar(request: HttpRequest, numero: str) -> HttpResponse:
    informe = informe_visible(request, numero)
    return atender(
        request,
        objeto=informe,
        accion=Accion.FIRMAR,
        tabla=INFORME,
        formulario=FormularioSinDatos,
        hacer=partial(ordenar_firma, informe=informe, actor=request.user),
        resumen=[f"{informe.numero} · {informe.solicitud.partida.producto}"],
        volver=reverse("informe", args=[numero]),
        plantilla="laboratorio/firmar.html",
        titulo=_("Firmar %(informe)s") % {"informe": informe},
        contexto={
            "informe": informe,
            "analisis": informe.solicitud.analisis.con_historia(),
            "que_hara": [
                _("Usted autoriza el informe; el sistema compone el PDF y lo firma en segundos."),
                _("Firmado, la partida pasa al inspector y se avisa al importador."),
                _("Si el certificado no sirve, nada sale: queda en «firma fallida» con su causa."),
            ],
        },
        decide=True,
    )


@require_POST
def informe_retener(request: HttpRequest, numero: str) -> HttpResponse:
    """During the grace time, analyst or verifier keeps the machine from signing."""
    informe = informe_visible(request, numero)
    return atender(
        request,
        objeto=informe,
        accion=Accion.RETENER,
        tabla=INFORME,
        formulario=FormularioRetener,
        hacer=partial(retener, informe=informe, actor=request.user),
        resumen=[f"{informe.numero} · {informe.solicitud.partida.producto}"],
        que_hara=[_("El sistema ya no lo firmará: queda en la cola del director, con lo que usted escriba.")],
        volver=reverse("informe", args=[numero]),
        plantilla="laboratorio/acto.html",
    )

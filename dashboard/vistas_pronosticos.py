"""Whether what importers were told of the end of their cases came true: for those who answer for it."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from expedientes import pronosticos
from senasa import reloj
from senasa.models import Rol
from senasa.permisos import con_rol

OPCIONES = (30, 90, 365)


@con_rol(Rol.DIRECCION, Rol.ADMINISTRADOR)
@require_safe
def ver(request: HttpRequest) -> HttpResponse:
    """Coverage and error by stretch, of the forecasts that fell due in the last so many days."""
    pedido = request.GET.get("dias", "")
    dias = int(pedido) if pedido in {str(n) for n in OPCIONES} else 90
    hasta = reloj.ahora()
    contexto = {
        "aciertos": pronosticos.aciertos(hasta - timedelta(days=dias), hasta),
        "desde": timezone.localdate(hasta - timedelta(days=dias)),
        "dias": dias,
        "opciones": OPCIONES,
        "minimo": settings.PRONOSTICO_MINIMO,
    }
    return render(request, "dashboard/pronosticos.html", contexto)

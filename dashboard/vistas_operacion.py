"""The operations page: is everything that goes on by itself going on, and if not, what to do."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from senasa.models import Rol
from senasa.permisos import con_rol

from . import operacion


@con_rol(Rol.ADMINISTRADOR, Rol.DIRECCION)
@require_safe
@never_cache
def ver(request: HttpRequest) -> HttpResponse:
    medidas = operacion.medir()
    grupos = operacion.controles(medidas)
    return render(
        request,
        "dashboard/operacion.html",
        {
            "grupos": grupos,
            "por_atender": operacion.por_atender(grupos),
            "avisos": operacion.avisos_que_no_salieron(medidas.ahora) if medidas.avisos_fallidos else [],
            "firmas": operacion.firmas_que_no_salieron(),
            "ahora": medidas.ahora,
            "version": settings.VERSION,
        },
    )

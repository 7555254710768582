"""The proof that users are informed: month by month, and of a month each report whose reader was not told in time."""

from datetime import date

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from senasa.models import Puesto, Rol
from senasa.permisos import con_rol

from .cuadro import POR_CLAVE
from .informados import meses, sin_informar, varios
from .models import LineaBase

DIRIGEN = (Rol.DIRECCION, Rol.ADMINISTRADOR)
MESES = 12
TOPE = 200


def _hasta(mes: str) -> date:
    """The day that the year shown ends with: today, or in an older month that is asked for."""
    hoy = timezone.localdate()
    try:
        pedido = date.fromisoformat(f"{mes}-01")
    except ValueError:
        return hoy
    return pedido if pedido.year >= 2000 and pedido < meses(hoy, MESES)[-1][0] else hoy


@con_rol(*DIRIGEN)
@require_safe
def ver(request: HttpRequest) -> HttpResponse:
    """Indicator 6 of the last year, and the chosen month's reports that were not told in time."""
    puesto = Puesto.objects.filter(codigo=request.GET.get("puesto", "")).first()
    hay = meses(_hasta(request.GET.get("mes", "")), MESES)
    desde, hasta = next((mes for mes in hay if f"{mes[0]:%Y-%m}" == request.GET.get("mes")), hay[0])
    return render(
        request,
        "indicadores/informados.html",
        {
            "indicador": POR_CLAVE[LineaBase.Indicador.INFORMADOS],
            "filas": list(zip(hay, varios(hay, puesto), strict=True)),
            "elegido": desde,
            "sin_informar": sin_informar(desde, hasta, puesto, tope=TOPE),
            "tope": TOPE,
            "puesto": puesto,
            "puestos": Puesto.objects.all(),
            "minutos": settings.INFORMADO_MINUTOS,
        },
    )

"""The monthly reports: the list, the act that makes one, the page of each, and its signed file."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from django import forms
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from expedientes.actos import atender_sin_caso
from expedientes.vistas_publicas import bajar
from senasa.models import Rol
from senasa.permisos import con_rol

from . import mensuales
from .guardado import fin_de_mes
from .models import InformeMensual

# A report tells of all posts: a jefe reads the figures of his own on the programme's pages.
LEEN = (Rol.DIRECCION, Rol.DIRECTOR, Rol.ADMINISTRADOR)


class FormularioMes(forms.Form):
    mes = forms.TypedChoiceField(label=gettext_lazy("Mes"), coerce=date.fromisoformat)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        campo = self.fields["mes"]
        assert isinstance(campo, forms.TypedChoiceField)
        campo.choices = [(mes.isoformat(), date_format(mes, r"F \d\e Y").lower()) for mes in mensuales.por_hacer()]


@require_safe
@con_rol(*LEEN)
def informes(request: HttpRequest) -> HttpResponse:
    contexto = {
        "informes": InformeMensual.objects.select_related("documento", "autor")[:240],
        "faltan": mensuales.por_hacer(),
        "puede": request.user.tiene(Rol.DIRECCION),
    }
    return render(request, "indicadores/mensuales.html", contexto)


@require_http_methods(["GET", "HEAD", "POST"])
@con_rol(Rol.DIRECCION)
def informe_hacer(request: HttpRequest) -> HttpResponse:
    return atender_sin_caso(
        request,
        titulo=_("Hacer el informe de un mes"),
        verbo=_("Hacerlo"),
        formulario=FormularioMes,
        hacer=partial(mensuales.hacer, actor=request.user),
        volver=reverse("mensuales"),
        dicho=_("Informe hecho: se está firmando."),
        que_hara=[
            _("Calcula las cifras de ese mes, de todos los puestos y de cada uno, y las congela: no cambian más."),
            _("Compone el PDF con esas cifras y lo firma con el certificado de la institución."),
            _("Queda en la lista, con su código de verificación."),
        ],
    )


def _informe(anio: int, mes: int) -> InformeMensual:
    try:
        primero = date(anio, mes, 1)
    except ValueError:
        raise Http404 from None
    return get_object_or_404(InformeMensual.objects.select_related("documento", "autor"), mes=primero)


@require_safe
@con_rol(*LEEN)
def informe(request: HttpRequest, anio: int, mes: int) -> HttpResponse:
    suyo = _informe(anio, mes)
    contexto = {
        **mensuales.leido(suyo),
        "informe": suyo,
        "hasta": fin_de_mes(suyo.mes),
        "mes": date_format(suyo.mes, r"F \d\e Y").lower(),
        "cambiaron": mensuales.lo_que_cambio(suyo),
    }
    return render(request, "indicadores/mensual.html", contexto)


@require_safe
@con_rol(*LEEN)
def informe_pdf(request: HttpRequest, anio: int, mes: int) -> HttpResponse | FileResponse:
    documento = _informe(anio, mes).documento
    if documento is None:  # an unsigned one never leaves
        raise Http404
    return bajar(documento)

"""Where the time goes: stage by stage and whose, from state to state with its waits, and what comes in and goes out."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from senasa.permisos import con_rol

from . import cuadro
from .views import VEN_PROGRAMA, del_periodo, periodo


@con_rol(*VEN_PROGRAMA)
@require_safe
def tiempos(request: HttpRequest) -> HttpResponse:
    form = periodo(request)
    contexto = {
        "form": form,
        "puesto": form.cual,
        "desde": form.primer_dia,
        "hasta": form.ultimo_dia,
        **del_periodo("tiempos", form, cuadro.de_los_tiempos),
    }
    return render(request, "indicadores/tiempos.html", contexto)

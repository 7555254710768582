"""The site as it is, and beside it what its pages are measured against: an empty view, the board's rows without us,
the Django admin's list of the same table."""

from itertools import count
from typing import Any
from unittest.mock import patch

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required, login_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import include, path, resolve
from django.utils.html import escape
from django.views.decorators.cache import never_cache

from dashboard.queries import LEIDOS
from expedientes import bitacora
from expedientes.models import Expediente

from . import suelo


class ComoEsta(admin.ModelAdmin):
    """What `admin.site.register(Expediente)` gives."""


class ConLasColumnas(admin.ModelAdmin):
    """The list that somebody would write to see on it what the board shows, the most urgent first."""

    list_display = ["numero", "importador", "carga", "puesto", "estado", "estado_desde", "vence_en"]
    list_filter = ["estado", "puesto"]
    list_select_related = ["importador", "puesto"]
    list_per_page = 50
    ordering = ["vence_en"]
    search_fields = ["numero", "importador__nombre_plano"]

    @admin.display(description="carga")
    def carga(self, caso: Expediente) -> str:
        return ", ".join(f"{partida.producto} · {partida.pais_origen}" for partida in caso.partidas.all())

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("partidas__producto", "partidas__pais_origen")


tal_cual, con_columnas = admin.AdminSite("tal_cual"), admin.AdminSite("con_columnas")
tal_cual.register(Expediente, ComoEsta)
con_columnas.register(Expediente, ConLasColumnas)


@login_required
def vacia(request: HttpRequest) -> HttpResponse:
    """Nothing, for who has signed in."""
    return HttpResponse(f"{request.user.pk}")


@login_not_required
@never_cache
def vacia_publica(request: HttpRequest) -> HttpResponse:
    """Nothing, for anybody, as the tracking page is served."""
    return HttpResponse("")


@login_required
def tablero_a_mano(request: HttpRequest) -> HttpResponse:
    """The board's counts, its queues and its first rows by SQL written by hand, in bare HTML."""
    with connection.cursor() as cursor:
        cursor.execute(suelo.CUENTA, {"usuario": request.user.pk})
        cuenta = cursor.fetchall()
        cursor.execute(suelo.COLAS, {"usuario": request.user.pk})
        cuenta += cursor.fetchall()
        cursor.execute(suelo.FILAS, {"usuario": request.user.pk})
        filas = cursor.fetchall()
    cuerpo = "".join(f"<tr>{''.join(f'<td>{escape(casilla)}</td>' for casilla in fila)}</tr>" for fila in filas)
    return HttpResponse(f"<p>{escape(cuenta)}</p><table>{cuerpo}</table>")


_veces = count(1)


def de_nuevo(request: HttpRequest, ruta: str) -> HttpResponse:
    """A page as after an act, and the board as after one on every case that it shows: of what is kept under where the
    log stands, and of the rows, nothing is kept from before."""
    LEIDOS.clear()
    vez = next(_veces)
    request.GET = QueryDict(f"page={1:0{vez}d}")  # the first page, by a name that nobody has asked it by
    with patch.object(bitacora, "marca", lambda: f"acto {vez}"):
        vista = resolve(f"/{ruta}")
        return vista.func(request, *vista.args, **vista.kwargs)


urlpatterns = [
    path("bench/vacia/", vacia),
    path("bench/de-nuevo/<path:ruta>", de_nuevo),
    path("bench/vacia-publica/", vacia_publica),
    path("bench/tablero-a-mano/", tablero_a_mano),
    path("bench/admin/", tal_cual.urls),
    path("bench/admin-con-columnas/", con_columnas.urls),
    path("", include("senasa.urls")),
]

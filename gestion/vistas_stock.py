"""The old stock: by age today, week by week before, and the cases behind each number."""

from datetime import date

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from expedientes.plazos import fin_del_dia
from indicadores import graficos
from senasa import reloj
from senasa.palabras import duracion
from senasa.permisos import con_rol

from . import forms, stock
from .vistas_atrasos import POR_PAGINA, VEN, alcance_elegido


@require_safe
@con_rol(*VEN)
def stock_antiguo(request: HttpRequest) -> HttpResponse:
    ahora = reloj.ahora()
    puestos, elegido, claves = alcance_elegido(request)
    semanas = stock.quema(claves, ahora)

    def url(dia: date, mas_de: int, **mas: str) -> str:
        datos = {"dia": dia.isoformat(), "mas_de": str(mas_de), **mas}
        return reverse("stock_casos", query=datos | ({"puesto": elegido} if elegido else {}))

    series = [
        graficos.Serie(
            f"Más de {umbral} días",
            [
                graficos.Punto(f"{semana.dia:%d/%m}", getattr(semana, f"mas_{umbral}"), url(semana.dia, umbral))
                for semana in semanas
            ],
            tono,
        )
        for umbral, tono in ((15, "azul"), (60, "verde"))
    ]
    sin_muestra = graficos.Serie(
        "Más de 60 días, sin muestra",
        [
            graficos.Punto(f"{semana.dia:%d/%m}", semana.sin_muestra_60, url(semana.dia, 60, sin_muestra="1"))
            for semana in semanas
        ],
        "ambar",
    )
    hoy = timezone.localdate(ahora)
    edades = stock.edades(claves, ahora)
    contexto = {
        "grafico": graficos.lineas(stock.hallazgo(semanas), "casos", [*series, sin_muestra], decimales=0),
        "hubo": any(semana.mas_15 or semana.sin_muestra_60 for semana in semanas),
        "edades": [
            {
                "tramo": stock.en_palabras(fila.tramo),
                "muestreados": fila.muestreados,
                "sin_muestra": fila.sin_muestra,
                "url": url(hoy, desde, hasta=str(hasta or "")),
                "url_sin_muestra": url(hoy, desde, hasta=str(hasta or ""), sin_muestra="1"),
            }
            for fila, (_clave, desde, hasta) in zip(edades, stock.TRAMOS, strict=True)
        ],
        "total": sum(fila.muestreados for fila in edades),
        "total_sin_muestra": sum(fila.sin_muestra for fila in edades),
        "puestos": puestos,
        "puesto": elegido,
    }
    return render(request, "gestion/stock.html", contexto)


@require_safe
@con_rol(*VEN)
def stock_casos(request: HttpRequest) -> HttpResponse:
    """The cases behind a number of the stock: open at the end of a day, and so many days old by then."""
    ahora = reloj.ahora()
    _puestos, _elegido, claves = alcance_elegido(request)
    form = forms.FormularioDeStock(request.GET)
    if not form.is_valid():
        raise Http404
    pedido = form.cleaned_data
    momento = min(fin_del_dia(pedido["dia"]), ahora)
    filas = stock.abiertos_el(
        momento, claves, mas_de=pedido["mas_de"] or 0, hasta=pedido["hasta"], sin_muestra=pedido["sin_muestra"]
    )
    pagina = Paginator(filas, POR_PAGINA).get_page(request.GET.get("page"))
    contexto = {
        "page_obj": pagina,
        "filas": [(hitos, duracion(momento - hitos.desde)) for hitos in pagina],
        "dia": momento,
        "es_hoy": momento == ahora,
        "mas_de": pedido["mas_de"] or 0,
        "hasta": pedido["hasta"],
        "sin_muestra": pedido["sin_muestra"],
    }
    return render(request, "gestion/stock_casos.html", contexto)

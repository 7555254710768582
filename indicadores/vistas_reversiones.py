"""What was stepped back in the laboratory, for dirección and its director: rate, causes, and the rows behind them.

By analyst only for the analyst himself and for the director of the laboratory; nowhere in an order of merit.
"""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from expedientes import bitacora
from expedientes.lifecycle import TABLAS
from expedientes.models import Motivo
from laboratorio.models import Reversion
from senasa import reloj, vivo
from senasa.models import Rol, Usuario
from senasa.permisos import con_rol
from senasa.tablas import FORMATOS, Fila

from . import alertas, hallazgos
from . import reversiones as figuras
from .forms import FormularioDeDias, FormularioDeLista, FormularioDeReversiones
from .models import AlertaDeReversiones

POR_PAGINA = 50
VEN = (Rol.DIRECCION, Rol.DIRECTOR)
COLUMNAS = (
    "Cuándo", "Muestra", "Expediente", "Qué volvió atrás", "Estaba", "Método", "Motivo", "Texto", "Autoaprobada",
    "Horas que sumó", "Volvió",
)  # fmt: skip


@require_safe
@con_rol(*VEN)
def estadistica(request: HttpRequest) -> HttpResponse:
    """The control chart, what the reversions are laid to, and what they cost: composed again when there was an act, or
    after a minute."""
    form = FormularioDeReversiones(request.GET)
    consulta = [(campo, form.data.get(campo)) for campo in form.fields]
    clave = ("reversiones", request.user.pk, consulta, bool(request.GET), bitacora.marca())
    contexto = {
        "form": form,
        "contenido": vivo.pieza(clave, lambda: _estadistica(request, form)).html,
        "alertas": alertas.por_ver().count(),
        "es_director": request.user.tiene(Rol.DIRECTOR),  # type: ignore[union-attr]
    }
    return render(request, "indicadores/reversiones.html", contexto)


def _estadistica(request: HttpRequest, form: FormularioDeReversiones) -> str:
    filtro = form.filtro
    control = figuras.control(filtro, form.cleaned_data.get("cada", ""))
    causas = figuras.causas(filtro, reloj.ahora())
    contexto = {
        "form": form,
        "cifras": hallazgos.cifras(control, causas, figuras.ahorro(filtro), filtro),
        "paretos": hallazgos.paretos(causas, filtro, por_horas=form.por_horas),
        "por_horas": form.por_horas,
        "grafico": hallazgos.grafico_de(control, filtro),
        "periodos": hallazgos.filas_de(control, filtro),
    }
    return render_to_string("indicadores/reversiones_contenido.html", contexto, request)


@require_safe
@con_rol(*VEN)
def detras(request: HttpRequest) -> HttpResponse:
    """The reversions that a figure counts: as many, on the page and in the file. It names nobody."""
    form = FormularioDeLista(request.GET)
    if form.errors:
        raise Http404(_("Eso no se puede buscar."))
    del_acto = form.cleaned_data.get("cuenta") != "filas"
    return _lista(request, form.buscar(), form, "indicadores/reversiones_detras.html", del_acto=del_acto)


def _lista(
    request: HttpRequest, suyas: Any, form: FormularioDeDias, plantilla: str, *, del_acto: bool = False, **mas: Any
) -> HttpResponse:
    ahora = reloj.ahora()
    suyas = figuras.con_horas(suyas, ahora, del_acto=del_acto).select_related(
        "expediente", "muestra__partida__producto", "analisis__metodo__disciplina"
    )
    textos = {(uno.accion, uno.codigo): uno.texto for uno in Motivo.objects.all()}
    desde, hasta = form.dias
    formato = FORMATOS.get(request.GET.get("formato", ""))
    if formato:
        filas = (_celdas(_dicha(una, textos)) for una in suyas.iterator(chunk_size=2000))
        return formato(f"reversiones-{desde}-{hasta}", COLUMNAS, filas)
    pagina = Paginator(suyas, POR_PAGINA).get_page(request.GET.get("page"))
    contexto = {
        "form": form, "desde": desde, "hasta": hasta, "page_obj": pagina,
        "filas": [_dicha(una, textos) for una in pagina], **mas,
    }  # fmt: skip
    return render(request, plantilla, contexto)


def _dicha(una: Reversion, textos: dict[tuple[str, str], str]) -> dict[str, Any]:
    """A row in words."""
    tabla = TABLAS["analisis" if una.analisis_id and una.accion in TABLAS["analisis"] else "muestra"]
    campo = (una.analisis if una.analisis_id else una.muestra)._meta.get_field("estado")  # type: ignore[union-attr]
    return {
        "reversion": una,
        "que": tabla[una.accion].hecho,
        "estaba": str(dict(campo.choices or ()).get(una.desde_estado, una.desde_estado)).lower(),  # type: ignore[union-attr]
        "motivo": textos.get((una.accion, una.motivo), una.motivo),
        "horas": una.agrego.total_seconds() / 3600,  # type: ignore[attr-defined]
        "horas_dicho": hallazgos.horas(una.agrego.total_seconds() / 3600),  # type: ignore[attr-defined]
    }


def _celdas(dicha: dict[str, Any]) -> Fila:
    una = dicha["reversion"]
    return [
        una.ocurrio_en, una.muestra.numero, una.expediente.numero, str(dicha["que"]), dicha["estaba"],
        str(una.analisis.metodo) if una.analisis else "", dicha["motivo"], una.texto,
        "sí" if una.autoaprobada else "no", round(dicha["horas"], 2), una.volvio,
    ]  # fmt: skip


@require_safe
@con_rol(*VEN)
def informes(request: HttpRequest) -> HttpResponse:
    """The negative reports that the saving of the automatic signature is reckoned over."""
    form = FormularioDeReversiones(request.GET)
    if form.errors or request.GET.get("firma") not in ("automatica", "persona"):
        raise Http404(_("Eso no se puede buscar."))
    solos = request.GET["firma"] == "automatica"
    suyos = (
        figuras.negativos(form.filtro, automaticos=solos).select_related("expediente").order_by("-publicado_en", "-pk")
    )
    pagina = Paginator(suyos, POR_PAGINA).get_page(request.GET.get("page"))
    desde, hasta = form.dias
    contexto = {"page_obj": pagina, "solos": solos, "desde": desde, "hasta": hasta}
    return render(request, "indicadores/reversiones_informes.html", contexto)


# ── By analyst ────────────────────────────────────────────────────────────────────────────────────


@require_safe
@con_rol(Rol.ANALISTA)
def mias(request: HttpRequest) -> HttpResponse:
    """One's own results that were stepped back: nobody else's, whatever the address says."""
    return _de(request, request.user, "indicadores/reversiones_mias.html")  # type: ignore[arg-type]


@require_safe
@con_rol(Rol.DIRECTOR)
def por_analista(request: HttpRequest) -> HttpResponse:
    """Each analyst's results stepped back, by surname."""
    form = FormularioDeDias(request.GET)
    contexto = {"form": form, "filas": figuras.por_analista(*form.dias)}
    return render(request, "indicadores/reversiones_por_analista.html", contexto)


@require_safe
@con_rol(Rol.DIRECTOR)
def de_analista(request: HttpRequest, pk: int) -> HttpResponse:
    """One analyst's, for the director."""
    analista = get_object_or_404(Usuario, pk=pk, roles__contains=[Rol.ANALISTA])
    return _de(request, analista, "indicadores/reversiones_mias.html")


def _de(request: HttpRequest, analista: Usuario, plantilla: str) -> HttpResponse:
    form = FormularioDeDias(request.GET)
    cuentas = figuras.por_analista(*form.dias, analista)
    suyas = figuras.revertidos_de(analista, *form.dias)
    return _lista(
        request, suyas, form, plantilla, analista=analista, es_propia=analista == request.user,
        cuenta=cuentas[0] if cuentas else None,
    )  # fmt: skip


# ── Alerts ────────────────────────────────────────────────────────────────────────────────────────


@require_safe
@con_rol(*VEN)
def lista_de_alertas(request: HttpRequest) -> HttpResponse:
    """Periods that left their limits, those that nobody has seen on top."""
    pagina = Paginator(alertas.todas(), POR_PAGINA).get_page(request.GET.get("page"))
    contexto = {"page_obj": pagina, "filas": [(una, alertas.dicha(una)) for una in pagina]}
    return render(request, "indicadores/reversiones_alertas.html", contexto)


@require_POST
@con_rol(*VEN)
def alerta_ver(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that somebody has seen to an alert, and what he thinks of it."""
    alerta = get_object_or_404(AlertaDeReversiones, pk=pk)
    alertas.dar_por_vista(alerta=alerta, actor=request.user, comentario=request.POST.get("comentario", ""))
    return redirect("reversiones_alertas")

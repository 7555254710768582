"""What is done from the board with many rows at once: decide, export, print, keep a way to look at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from expedientes import services as casos
from expedientes.actos import atender_sin_caso
from expedientes.models import Documento, Estado, Partida
from gestion import queries as gestion
from gestion.vistas_atrasos import VEN as VEN_ATRASOS
from laboratorio.models import Muestra
from senasa import cuentas, escrito, reloj
from senasa.models import Rol
from senasa.permisos import con_rol
from senasa.tablas import FORMATOS
from senasa.transicion import ActoRechazado, DatoInvalido

from . import jornada, palabras, queries, services
from .forms import FormularioDeVista, FormularioDictaminarVarios
from .models import VistaGuardada
from .queries import VEN_CASOS
from .tablero import COLUMNAS, Tablero, lado_a_lado, nombre_de

formulario = require_http_methods(["GET", "HEAD", "POST"])


@con_rol(*VEN_CASOS)
@require_safe
def tablero_exportar(request: HttpRequest, formato: str) -> HttpResponse:
    """Exactly what the board shows with these filters, on all its pages and in its order."""
    pedido = Tablero(request.user, request.GET)
    nombre = f"tablero-{timezone.localtime(pedido.ahora):%Y%m%d-%H%M}"
    return FORMATOS[formato](nombre, COLUMNAS, pedido.filas_de_tabla())


# ── Many decisions at once ────────────────────────────────────────────────────────────────────────


@dataclass
class Fila:
    """A line to be decided with others: `por_que` not, in words; `hecho` once it is."""

    partida: Any
    visto: str
    semaforo: str
    urgencia: str
    marcada: bool = True
    por_que: str = ""
    hecho: bool = False


@formulario
@con_rol(Rol.INSPECTOR)
def dictaminar_varios(request: HttpRequest) -> HttpResponse:
    """Let in many lines whose reports are all negative: a look before, asked once who he is, an outcome for each.

    Each row is its own transaction: what somebody else decided meanwhile says so, and the others go on.
    """
    if cuentas.debe_confirmar(request):
        return cuentas.confirmar(request)
    datos = request.POST if request.method == "POST" else escrito.recuperar(request)
    form = FormularioDictaminarVarios(datos, usuario=request.user)
    ahora = reloj.ahora()
    if request.method == "POST" and form.is_valid():
        filas = [_fila(una, ahora) for una in _con_informes(form.cleaned_data["partida"])]
        for fila in filas:
            _dictaminar(request, fila, form.cleaned_data["fundamento"])
        terminado = True
    else:
        pedido = Tablero(request.user, QueryDict())
        juntas = jornada.para_dictaminar_juntas(pedido.elegidos, pedido.lector, ahora)
        marcadas = set(datos.getlist("partida")) if datos else None
        filas = [_fila(una, ahora) for una in _con_informes(juntas[: jornada.MAXIMO])]
        for fila in filas:
            fila.marcada = marcadas is None or str(fila.partida.pk) in marcadas
        terminado = False
    contexto = {"form": form, "filas": filas, "terminado": terminado, "hechos": sum(fila.hecho for fila in filas)}
    estado = 422 if request.method == "POST" and not terminado else 200
    return render(request, "dashboard/dictaminar_varios.html", contexto, status=estado)


def _con_informes(partidas: Any) -> Any:
    """With the reports in force that each rests on, and where its samples came from."""
    informes = Documento.objects.filter(tipo=Documento.Tipo.INFORME, estado=Documento.Estado.VIGENTE).order_by("id")
    return partidas.select_related(
        "expediente__importador", "expediente__puesto", "producto", "pais_origen"
    ).prefetch_related(
        Prefetch("documentos", informes, to_attr="vigentes"),
        Prefetch("expediente__muestras", Muestra.objects.order_by("id")),
    )


def _fila(partida: Any, ahora: Any) -> Fila:
    luz, texto = palabras.urgencia(partida.expediente.vence_en, ahora)
    return Fila(partida, "|".join(casos.huella_de_informes(partida.vigentes)), luz, texto)


def _dictaminar(request: HttpRequest, fila: Fila, fundamento: str) -> None:
    visto = request.POST.get(f"visto-{fila.partida.pk}", "").split("|")
    try:
        casos.dictaminar_negativa(partida=fila.partida, actor=request.user, fundamento=fundamento, visto=visto)
    except DatoInvalido as error:
        fila.por_que = " ".join(error.messages)
    except ActoRechazado as error:
        fila.por_que = _ya_decidida(request, fila.partida.pk) or str(error.mensaje)
    else:
        fila.hecho = True


def _ya_decidida(request: HttpRequest, pk: int) -> str:
    """Who was faster, if it was decided meanwhile: also one's own first click."""
    partida = Partida.objects.get(pk=pk)
    if partida.estado == Estado.RESULTADO_EMITIDO or (dictamen := partida.dictamen) is None:
        return ""
    quien = _("usted") if dictamen.inspector_id == request.user.pk else dictamen.inspector.firma_corta
    cuando = palabras.hace(dictamen.ocurrio_en, reloj.ahora())
    return _("Ya la dictaminó %(quien)s, %(cuando)s.") % {"quien": quien, "cuando": cuando}


# ── The daily meeting ─────────────────────────────────────────────────────────────────────────────

# What fits on the page with all else; the rest is counted.
TARDE_EN_HOJA, CITAS_EN_HOJA, ACCIONES_EN_HOJA = 10, 6, 6


@con_rol(Rol.INSPECTOR, Rol.JEFE_DE_PUESTO, Rol.DIRECCION, Rol.ADMINISTRADOR)
@require_safe
def reunion(request: HttpRequest) -> HttpResponse:
    """One page to print for the daily meeting: the stock by stage, what is late and who has it, today's inspections."""
    pedido = Tablero(request.user, request.GET)
    vencidos = queries.por_urgencia(pedido.casos.filter(queries.del_semaforo("vencido", pedido.ahora)))
    ids = list(vencidos.values_list("pk", flat=True)[:TARDE_EN_HOJA])
    citas = jornada.inspecciones(pedido.ahora).filter(expediente__in=pedido.casos).order_by("cita_en", "pk")
    cuantos = queries.cuantos(pedido.cuenta, semaforo="vencido")
    codigo = next((uno.codigo for uno in pedido.elegidos if uno.codigo == request.GET.get("puesto")), "")
    acciones = gestion.acciones_abiertas(request.user, puesto=codigo)  # type: ignore[arg-type]
    contexto = {
        "titulo": nombre_de(pedido.elegidos),
        "ahora": pedido.ahora,
        "abiertos": queries.cuantos(pedido.cuenta),
        "vencidos": cuantos,
        "etapas": [(nombre, pedido.cuenta[etapa]) for etapa, nombre in queries.ETAPAS.items()],
        "comparadas": lado_a_lado(pedido),
        "etapas_nombres": queries.ETAPAS.values(),
        "tarde": [queries.fila(caso, pedido.lector, pedido.ahora) for caso in queries.con_detalle_de(ids)],
        "mas_tarde": cuantos - len(ids),
        "citas": citas.select_related("expediente__importador", "expediente__inspector", "producto")[:CITAS_EN_HOJA],
        "mas_citas": max(0, citas.count() - CITAS_EN_HOJA),
        "acciones": gestion.filas_de(list(acciones[:ACCIONES_EN_HOJA]), request.user, pedido.ahora),  # type: ignore[arg-type]
        "mas_acciones": max(0, acciones.count() - ACCIONES_EN_HOJA),
        "ve_atrasos": request.user.tiene(*VEN_ATRASOS),
        "puestos": pedido.puestos if len(pedido.puestos) > 1 else [],
        "codigo": codigo,
    }
    return render(request, "dashboard/reunion.html", contexto)


# ── Saved views ───────────────────────────────────────────────────────────────────────────────────


@formulario
@con_rol(*VEN_CASOS)
def vista_guardar(request: HttpRequest) -> HttpResponse:
    """Keep the filters of this address under a name; what the filters' form does not understand is left out."""
    pedido = Tablero(request.user, request.GET)
    suyas = VistaGuardada.objects.filter(dueno=request.user.pk)
    return atender_sin_caso(
        request,
        titulo=_("Guardar esta vista"),
        verbo=_("Guardar"),
        formulario=partial(FormularioDeVista, usuario=request.user),
        hacer=partial(services.guardar_vista, dueno=request.user, consulta=pedido.consulta),
        volver=f"{reverse('tablero')}?{pedido.consulta}",
        dicho=_("Vista guardada."),
        que_hara=[
            _("Guarda los filtros y no los casos: al abrirla muestra lo que haya entonces."),
            _("Compartida, la ven todos los del puesto; cada uno ve los casos que le corresponden."),
        ],
        plantilla="dashboard/vista_guardar.html",
        contexto={"filtros": _en_palabras(pedido), "suyas": suyas, "consulta": pedido.consulta},
    )


def _en_palabras(pedido: Tablero) -> list[tuple[str, str]]:
    """The chosen filters as their form names them."""
    form = pedido.filtro.form
    dichos = []
    for campo, valor in pedido.elegido.items():
        opciones = dict(getattr(form.fields[campo], "choices", ())) if isinstance(valor, str) else {}
        dichos.append((str(form.fields[campo].label), str(opciones.get(valor, valor))))
    return dichos


@require_POST
@con_rol(*VEN_CASOS)
def vista_borrar(request: HttpRequest, pk: int) -> HttpResponse:
    services.borrar_vista(vista=get_object_or_404(VistaGuardada, pk=pk, dueno=request.user.pk))
    return redirect("vista_guardar")


@require_POST
@con_rol(*VEN_CASOS)
def vista_preferir(request: HttpRequest, pk: int) -> HttpResponse:
    """The view that opens when one signs in; pressed again, none."""
    vista = get_object_or_404(VistaGuardada, pk=pk, dueno=request.user.pk)
    services.preferir_vista(vista=vista, dueno=request.user)
    return redirect("vista_guardar")

"""The programme's page and the cases behind each of its numbers: read and shown, nothing written."""

from collections.abc import Callable
from datetime import date
from typing import TypeVar

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from expedientes import bitacora
from expedientes.querysets import VEN_TODO
from senasa import reloj, vivo
from senasa.models import Puesto, Rol, Usuario
from senasa.permisos import con_rol
from senasa.tablas import csv_de

from . import linea_base, tarjetas, vistas_informados, vistas_reversiones
from . import programa as figuras
from .forms import FormularioDePeriodo
from .informados import informados
from .models import LineaBase
from .querysets import LISTAS, de_la_lista

VEN_PROGRAMA = (Rol.DIRECCION, Rol.DIRECTOR, Rol.JEFE_DE_PUESTO, Rol.ADMINISTRADOR)
T = TypeVar("T")
POR_PAGINA = 50
COLUMNAS = ("Expediente", "Puesto", "Importador", "Producto", "Origen", "T0", "T1", "T2", "T3", "T4", "T5", "T6", "T7")


def _puestos(usuario: Usuario) -> tuple[list[Puesto], bool]:
    """The posts whose figures the user reads, and whether one of them must be chosen: a jefe reads those of his own."""
    todos = list(Puesto.objects.all())
    suyos = todos if usuario.tiene(*VEN_TODO) else list(usuario.puestos.all())
    return suyos, len(suyos) < len(todos)


def periodo(request: HttpRequest) -> FormularioDePeriodo:
    puestos, obligado = _puestos(request.user)  # type: ignore[arg-type]
    if not puestos:
        raise Http404
    hoy = timezone.localdate(reloj.ahora())
    return FormularioDePeriodo(request.GET.dict(), hoy=hoy, puestos=puestos, obligado=obligado)


def del_periodo(
    que: str, form: FormularioDePeriodo, contar: Callable[[date, date, Puesto | None], T], *ademas: object
) -> T:
    """What `contar` says of the months and the post that were chosen, kept while nothing happens: medians over years of
    cases take a second or two, whoever asks. `que`: what is counted; `ademas`: what else it rests on than the log."""
    clave = (que, form.primer_dia, form.ultimo_dia, form.cual, form.hoy, bitacora.marca(), ademas)
    return vivo.recordar(clave, lambda: contar(form.primer_dia, form.ultimo_dia, form.cual))


def _abre(usuario: Usuario) -> set[str]:
    """The pages behind a number that not everybody who reads the number may open."""
    abre = {"informados"} if usuario.tiene(*vistas_informados.DIRIGEN) else set()
    return abre | ({"reversiones_detras", "reversiones_informes"} if usuario.tiene(*vistas_reversiones.VEN) else set())


@con_rol(*VEN_PROGRAMA)
@require_safe
def programa(request: HttpRequest) -> HttpResponse:
    """The nine indicators by month and post, composed again when there was an act, or after a minute."""
    form = periodo(request)
    antes, abre = linea_base.vigentes(form.cual), _abre(request.user)  # type: ignore[arg-type]
    clave = (
        "programa", request.user.pk, form.primer_dia, form.ultimo_dia, list(form.puestos), form.cual, sorted(abre),
        bool(request.GET), sorted(fila.pk for fila in antes.values()), form.hoy, bitacora.marca(),
    )  # fmt: skip
    contenido = vivo.pieza(clave, lambda: _programa(request, form, antes, abre))
    return render(request, "indicadores/programa.html", {"puesto": form.cual, "contenido": contenido.html})


def _programa(request: HttpRequest, form: FormularioDePeriodo, antes: dict[str, LineaBase], abre: set[str]) -> str:
    todos = figuras.por_mes(form.primer_dia, form.ultimo_dia, form.cual)
    ultimo = todos[-1]
    contexto = {
        "form": form,
        "ultimo": ultimo,
        "en_curso": ultimo.hasta >= form.hoy,
        "cifras": tarjetas.cifras(ultimo, informados(ultimo.desde, ultimo.hasta, form.cual), antes, abre),
        "al_lado": tarjetas.al_lado(ultimo),
        "graficos": tarjetas.graficos(todos, tarjetas.enlazar(form.cual)),
    }
    return render_to_string("indicadores/programa_contenido.html", contexto, request)


@con_rol(*VEN_PROGRAMA)
@require_safe
def programa_casos(request: HttpRequest, cual: str) -> HttpResponse:
    """The cases behind a number, the slowest first, or all of them as CSV."""
    puestos, obligado = _puestos(request.user)  # type: ignore[arg-type]
    codigo = request.GET.get("puesto", "")
    puesto = next((uno for uno in puestos if uno.codigo == codigo), puestos[0] if obligado and puestos else None)
    desde, hasta = _dia(request.GET.get("desde", "")), _dia(request.GET.get("hasta", ""))
    if cual not in LISTAS or hasta < desde or (codigo and puesto is None):
        raise Http404
    filas = de_la_lista(cual, request.user, desde, hasta, puesto)  # type: ignore[arg-type]
    if request.GET.get("formato") == "csv":
        return csv_de(f"{cual}-{desde}-{hasta}", COLUMNAS, map(_fila, filas.iterator(chunk_size=2000)))
    pagina = Paginator(filas, POR_PAGINA).get_page(request.GET.get("page"))
    contexto = {"nombre": LISTAS[cual], "desde": desde, "hasta": hasta, "puesto": puesto, "page_obj": pagina}
    return render(request, "indicadores/programa_casos.html", contexto)


def _dia(texto: str) -> date:
    try:
        dia = date.fromisoformat(texto)
    except ValueError:
        dia = date.min
    if not 2000 <= dia.year < 2100:
        raise Http404(_("Ese período no existe."))
    return dia


def _fila(hitos):  # type: ignore[no-untyped-def]
    caso = hitos.expediente
    horas = [getattr(hitos, f"t{i}") for i in range(8)]
    return [caso.numero, hitos.puesto.codigo, caso.importador.nombre, str(hitos.producto), str(hitos.origen), *horas]

"""What is late, the action it takes, and what waits between post and laboratory."""

from datetime import timedelta
from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from expedientes.actos import atender_sin_caso
from expedientes.models import Expediente
from laboratorio.models import Despacho, Pregunta
from senasa import reloj
from senasa.models import Puesto, Rol
from senasa.permisos import con_rol

from . import atrasos as tardes
from . import forms, queries, services
from .models import Accion, Incumplimiento

VEN = (Rol.JEFE_DE_PUESTO, Rol.DIRECTOR, Rol.DIRECCION)
RESPONDEN = (Rol.JEFE_DE_PUESTO, Rol.DIRECTOR)
CIERRAN = (Rol.INSPECTOR, Rol.JEFE_DE_PUESTO, Rol.DIRECTOR)
POR_PAGINA = 30
LARGO = 100
DIAS_DE_LECTURA = 90


def puestos_para_elegir(request: HttpRequest) -> list[Puesto]:
    """Between which posts the reader may choose; none when there is nothing to choose."""
    puestos = queries.puestos_de(request.user)
    suyos = list(Puesto.objects.order_by("codigo") if puestos is None else Puesto.objects.filter(pk__in=puestos))
    return suyos if len(suyos) > 1 else []


def _elegido(request: HttpRequest, puestos: list[Puesto]) -> str:
    codigo = request.GET.get("puesto", "")
    return codigo if codigo in {puesto.codigo for puesto in puestos} else ""


def alcance_elegido(request: HttpRequest) -> tuple[list[Puesto], str, list[int] | None]:
    """The posts to choose from, the one chosen, and the keys to count."""
    puestos = puestos_para_elegir(request)
    elegido = _elegido(request, puestos)
    claves = [uno.pk for uno in puestos if uno.codigo == elegido] if elegido else queries.puestos_de(request.user)
    return puestos, elegido, claves


# ── What is late ──────────────────────────────────────────────────────────────────────────────────


@require_safe
@con_rol(*VEN)
def atrasos(request: HttpRequest) -> HttpResponse:
    ahora = reloj.ahora()
    puestos = puestos_para_elegir(request)
    puesto = _elegido(request, puestos)
    cuenta = tardes.recuento(request.user, ahora, puesto=puesto)
    tipo = request.GET.get("tipo", "")
    tipo = tipo if tipo in cuenta else ""
    pagina = Paginator(tardes.sin_accion(request.user, ahora, tipo=tipo, puesto=puesto), POR_PAGINA).get_page(
        request.GET.get("page")
    )
    abiertas = queries.acciones_abiertas(request.user, tipo=tipo, puesto=puesto)
    acciones = queries.filas_de(list(abiertas[:LARGO]), request.user, ahora)
    contexto = {
        "page_obj": pagina,
        "filas": tardes.en_palabras(pagina, ahora),
        "acciones": acciones,
        "mas_acciones": len(acciones) == LARGO,
        "vencidas": sum(fila.tarde for fila in acciones),
        "terminaron": sum(fila.termino for fila in acciones),
        "contadores": _contadores(cuenta, tipo, puesto),
        "toma": request.user.tiene(*RESPONDEN),
        "puestos": puestos,
        "puesto": puesto,
        "tipo": tipo,
    }
    return render(request, "gestion/atrasos.html", contexto)


def _contadores(cuenta: dict[str, int], tipo: str, puesto: str) -> list[dict[str, Any]]:
    def url(otro: str) -> str:
        elegido = {clave: valor for clave, valor in (("tipo", otro), ("puesto", puesto)) if valor}
        return reverse("atrasos", query=elegido)

    total = sum(cuenta.values())
    todos = {"texto": _("Todo"), "numero": total, "url": url(""), "activo": not tipo, "nota": _("sin acción"),
             "tono": "rojo" if total else ""}  # fmt: skip
    return [todos] + [
        {
            "texto": Incumplimiento(uno).label,
            "numero": n,
            "url": url(uno),
            "activo": tipo == uno,
            "nota": _("sin acción"),
            "tono": "rojo" if n else "",
        }
        for uno, n in cuenta.items()
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@con_rol(*RESPONDEN)
def tomar_accion(request: HttpRequest, tipo: str, pk: int) -> HttpResponse:
    if tipo not in Incumplimiento.values:
        raise Http404
    clase = tardes.CLASES[tipo]
    alcance = tardes.de_quien_ve(clase, request.user)
    suyos = clase.modelo._default_manager.all()
    objeto = get_object_or_404(suyos.none() if alcance is None else suyos.filter(alcance).distinct(), pk=pk)
    atraso = tardes.uno(tipo, pk)
    expediente = atraso.expediente if atraso else _su_caso(objeto, clase)
    if not tardes.responde(request.user, expediente, de_laboratorio=bool(atraso and atraso.de_laboratorio)):
        raise PermissionDenied(_("La acción la toma quien responde por el atraso."))
    quienes = tardes.responsables(expediente, de_laboratorio=bool(atraso and atraso.de_laboratorio))
    return atender_sin_caso(
        request,
        titulo=_("Tomar una acción"),
        verbo=_("Tomar la acción"),
        formulario=partial(forms.FormularioTomarAccion, responsables=quienes),
        hacer=partial(services.tomar_accion, expediente=expediente, tipo=tipo, objeto_id=pk, actor=request.user),
        volver=reverse("atrasos"),
        dicho=_("Acción tomada sobre %(caso)s.") % {"caso": expediente.numero},
        resumen=[f"{atraso.titulo}: {atraso.que}", atraso.porque] if atraso else [],
        que_hara=[
            _("El atraso deja de encabezar la lista y queda con su responsable y su fecha."),
            _("El responsable lo ve en su campana y en «Mis avisos»; el importador no se entera."),
            _("Se cierra con un desenlace, aunque el atraso termine antes."),
        ],
        contexto={"expediente": expediente},
    )


def _su_caso(objeto: Any, clase: tardes.Clase) -> Expediente:
    for paso in clase.caso.split("__"):
        objeto = getattr(objeto, paso)
    return objeto


@require_http_methods(["GET", "HEAD", "POST"])
@con_rol(*CIERRAN)
def cerrar_accion(request: HttpRequest, pk: int) -> HttpResponse:
    visibles = Accion.objects.filter(expediente__in=Expediente.objects.visibles_para(request.user))
    accion = get_object_or_404(visibles.select_related("expediente", "responsable", "autor"), pk=pk)
    if not services.puede_cerrar(request.user, accion):
        raise PermissionDenied(_("La cierra su responsable, quien la tomó o el jefe del puesto."))
    return atender_sin_caso(
        request,
        titulo=_("Cerrar la acción"),
        verbo=_("Cerrar con este desenlace"),
        formulario=forms.FormularioCerrarAccion,
        hacer=partial(services.cerrar_accion, accion=accion, actor=request.user),
        volver=reverse("atrasos" if request.user.tiene(*VEN) else "mis_avisos"),
        dicho=_("Acción cerrada."),
        resumen=[
            f"{accion.get_incumplimiento_display()}: {accion.que_hara}",
            _("A cargo de %(quien)s, para el %(dia)s.")
            % {"quien": accion.responsable.firma_corta, "dia": accion.para_el.strftime("%d/%m/%Y")},
        ],
        que_hara=[
            _("La acción queda cerrada con su desenlace, en la bitácora del expediente."),
            _("Si el atraso sigue, vuelve a encabezar la lista hasta que tome otra."),
        ],
        contexto={"expediente": accion.expediente},
    )


# ── Between post and laboratory ───────────────────────────────────────────────────────────────────


@require_safe
@con_rol(*VEN)
def coordinacion(request: HttpRequest) -> HttpResponse:
    ahora = reloj.ahora()
    puestos, elegido, claves = alcance_elegido(request)
    en_camino = Despacho.objects.filter(conciliado_en=None).select_related("puesto").order_by("salio_en", "pk")
    abiertas = Pregunta.objects.filter(respondida_en=None).select_related("muestra", "expediente__puesto", "autor")
    por_leer = tardes.por_leer().select_related("expediente__puesto", "partida__producto", "escalamiento")
    if claves is not None:
        en_camino = en_camino.filter(puesto__in=claves)
        abiertas = abiertas.filter(expediente__puesto__in=claves)
        por_leer = por_leer.filter(expediente__puesto__in=claves)
    leer, decidir, emitidos = queries.tiempos_de_lectura(
        desde=ahora - timedelta(days=DIAS_DE_LECTURA), hasta=ahora, puestos=claves
    )
    contexto = {
        "despachos": en_camino[:LARGO],
        "cuantos_despachos": en_camino.count(),
        "preguntas": abiertas.order_by("vence_en", "pk")[:LARGO],
        "cuantas_preguntas": abiertas.count(),
        "informes": por_leer.order_by("publicado_en", "pk")[:LARGO],
        "cuantos_informes": por_leer.count(),
        "tiempos": [leer, decidir],
        "emitidos": emitidos,
        "dias": DIAS_DE_LECTURA,
        "ve_preguntas": request.user.tiene(Rol.JEFE_DE_PUESTO, Rol.DIRECTOR),
        "puestos": puestos,
        "puesto": elegido,
        "ahora": ahora,
    }
    return render(request, "gestion/coordinacion.html", contexto)

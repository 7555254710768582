"""Boards, the case page, search, attention: read through `queries`, shown, nothing written but by services."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from expedientes import services, tiempos
from expedientes.actos import devolver
from expedientes.lifecycle import Accion
from expedientes.models import Expediente
from laboratorio import preguntas
from senasa import escrito, reloj
from senasa.models import ROLES_DE_PUESTO, Puesto, Rol
from senasa.permisos import con_rol
from senasa.transicion import DatoInvalido, RolImpide

from . import avisos, busqueda, caso, contexto, queries
from .filters import FiltroDelTablero
from .forms import FormularioDeCorreo
from .queries import ATIENDEN, EXPORTAN, VEN_CASOS, Lector
from .relato import relato

POR_PAGINA = 50


@login_required
@require_safe
def inicio(request: HttpRequest) -> HttpResponse:
    """Each one to the queue of his or her role."""
    for rol, nombre in contexto.INICIO.items():
        if request.user.tiene(rol):
            return redirect(nombre)
    raise PermissionDenied(_("Su usuario no tiene ningún rol: pídaselo al administrador."))


class PaginasContadas(Paginator):
    """A paginator that was told how many rows there are."""

    def __init__(self, *args: Any, total: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.count = total  # shadows the cached property, and its query


@con_rol(*VEN_CASOS)
@require_safe
def tablero(request: HttpRequest) -> HttpResponse:
    """Open cases, the most urgent first; the strip of stages filters. Sorted, filtered and counted in SQL."""
    ahora, lector = reloj.ahora(), Lector(request.user)
    puestos = list(Puesto.objects.all()) if request.user.tiene(*queries.VEN_TODO) else list(lector.puestos.values())
    elegidos = [puesto for puesto in puestos if puesto.codigo == request.GET.get("puesto", "")] or puestos
    casos = queries.abiertos(request.user).filter(puesto__in=[puesto.pk for puesto in elegidos])
    cuenta = queries.recuento(casos, ahora)
    filtro = FiltroDelTablero(request.GET, queryset=casos, puestos=puestos, ahora=ahora)
    # Ids first: what has to be sorted stays narrow, whatever a row then shows.
    filas = queries.por_urgencia(filtro.qs).values_list("pk", flat=True)
    elegido = filtro.form.cleaned_data  # what was not understood is left out
    contado = {clave: elegido[clave] for clave in ("etapa", "semaforo") if elegido.get(clave)}
    if any(valor for clave, valor in elegido.items() if clave not in ("etapa", "semaforo", "puesto")):
        paginas = Paginator(filas, POR_PAGINA)
    else:
        paginas = PaginasContadas(filas, POR_PAGINA, total=queries.cuantos(cuenta, **contado))
    pagina = paginas.get_page(request.GET.get("page"))
    return render(
        request,
        "dashboard/tablero.html",
        {
            "titulo": " y ".join(puesto.nombre for puesto in elegidos) if len(elegidos) < 3 else "Todos los puestos",
            "abiertos": queries.cuantos(cuenta),
            "vencidos": queries.cuantos(cuenta, semaforo="vencido"),
            "contadores": _contadores(request, cuenta, contado.get("etapa", "")),
            "filtro": filtro,
            "page_obj": pagina,
            "filas": [queries.fila(expediente, lector, ahora) for expediente in queries.con_detalle_de(pagina)],
            "url_vencidos": f"?{urlencode(_con_puesto(request, semaforo='vencido'))}",
            "rivs_fallidos": queries.rivs_fallidos(request.user),
            "ofrecidos": queries.ofrecidos(request.user),
        },
    )


def _con_puesto(request: HttpRequest, **consulta: str) -> dict[str, str]:
    """The counters count whole posts: their links keep the post and drop the other filters."""
    return {clave: valor for clave, valor in {"puesto": request.GET.get("puesto"), **consulta}.items() if valor}


def _contadores(request: HttpRequest, cuenta: dict[str, dict[str, int]], elegida: str) -> list[dict[str, Any]]:
    contadores = []
    for etapa, nombre in queries.ETAPAS.items():
        tarde = cuenta[etapa]["vencido"]
        pronto = cuenta[etapa]["por_vencer"]
        nota = f"{tarde} fuera de plazo" if tarde else f"{pronto} por vencer" if pronto else ""
        contadores.append(
            {
                "texto": nombre,
                "numero": cuenta[etapa]["total"],
                "activo": etapa == elegida,
                "url": f"?{urlencode(_con_puesto(request, etapa='' if etapa == elegida else etapa))}",
                "nota": nota or ("en plazo" if cuenta[etapa]["total"] else "ninguno"),
                "tono": "rojo" if tarde else "ambar" if pronto else "",
            }
        )
    return contadores


@con_rol(*VEN_CASOS)
@require_safe
def expediente(request: HttpRequest, numero: str) -> HttpResponse:
    """The page of a case."""
    ahora, lector = reloj.ahora(), Lector(request.user)
    suyos = caso.para_la_pagina(Expediente.objects.visibles_para(request.user))
    objeto = get_object_or_404(suyos, numero=numero)
    eventos, partidas = list(objeto.bitacora.all()), list(objeto.partidas.all())
    vida = tiempos.tramos(eventos, [partida.pk for partida in partidas], ahora)
    luz, plazo = queries.urgencia(objeto, ahora)
    fichas = [caso.ficha(partida, lector, ahora) for partida in partidas]
    return render(
        request,
        "dashboard/expediente.html",
        {
            "expediente": objeto,
            "exporta": request.user.tiene(*EXPORTAN),
            "etapa": queries.ETAPAS.get(objeto.estado, objeto.get_estado_display()),
            "semaforo": luz,
            "plazo": plazo,
            "carga": queries.carga(partidas, objeto),
            "etapas": caso.tira_de_etapas(objeto, vida, ahora),
            "reparto": caso.reparto(vida),
            "fichas": fichas,
            "primera": next((ficha for ficha in fichas if ficha.acto), None),
            "solicitante": caso.solicitante(objeto),
            "cierre": caso.acto_de_cierre(objeto, lector),
            "urgente": (urgente := queries.acto_urgente(objeto, lector, ahora)),
            "actos_del_caso": [acto for acto in queries.actos_del_caso(objeto, lector, ahora) if acto != urgente],
            "observacion": queries.observacion_abierta(objeto),
            "ofrecido": queries.traslado_ofrecido(objeto),
            "bitacora": caso.bitacora(objeto, de_laboratorio=lector.de_laboratorio),
            "avisos": avisos.de_un_caso(objeto),
            "preguntas": preguntas.visibles(request.user).filter(expediente=objeto),
            "mi_lado": preguntas.Lado.PUESTO if request.user.tiene(*ROLES_DE_PUESTO) else "",
            "atiende": request.user.tiene(*ATIENDEN),
        },
    )


@con_rol(Rol.INSPECTOR, Rol.JEFE_DE_PUESTO, Rol.DIRECCION)
@require_safe
def posentrada(request: HttpRequest) -> HttpResponse:
    """Post-entry quarantines that go on after their cases closed."""
    lector, hoy = Lector(request.user), timezone.localdate(reloj.ahora())
    pagina = Paginator(queries.en_posentrada(request.user), POR_PAGINA).get_page(request.GET.get("page"))
    filas = [
        {
            "partida": partida,
            "vence_en": partida.posentrada_vence,
            "vencida": partida.posentrada_vence < hoy,
            "acto": queries.acto(Accion.CUMPLIR_MEDIDA, partida)
            if lector.puede(Accion.CUMPLIR_MEDIDA, partida)
            else None,
        }
        for partida in pagina
    ]
    return render(request, "dashboard/posentrada.html", {"page_obj": pagina, "filas": filas})


@login_required
@require_safe
def buscar(request: HttpRequest) -> HttpResponse:
    """By any number of the papers, importer, ship. A number that names one case opens it."""
    q = busqueda.leer(request.GET.get("q", ""))
    hallados, exacto = busqueda.buscar(q, request.user)
    if exacto:
        return redirect("expediente", numero=hallados[0].numero)
    if en_el_laboratorio := busqueda.en_el_laboratorio(q, request.user):
        return redirect(en_el_laboratorio, numero=q.upper())
    contexto_de_busqueda = {"q": q, "hallados": hallados, "tope": busqueda.TOPE, "destino": "expediente"}
    return render(request, "dashboard/buscar.html", contexto_de_busqueda)


@con_rol(*ATIENDEN)
@require_safe
def atencion(request: HttpRequest) -> HttpResponse:
    """Find the case of whoever is at the counter or on the telephone, and read one paragraph aloud."""
    q = busqueda.leer(request.GET.get("q", ""))
    hallados, _exacto = busqueda.buscar(q, request.user)
    contexto_de_atencion: dict[str, Any] = {"q": q, "hallados": hallados, "tope": busqueda.TOPE}
    if len(hallados) == 1:
        objeto = queries.con_detalle(Expediente.objects.visibles_para(request.user)).get(pk=hallados[0].pk)
        contexto_de_atencion |= {
            "expediente": objeto,
            "relato": relato(objeto, reloj.ahora()),
            "avisos": avisos.de_un_caso(objeto)[:5],
            "atiende": True,
            "form": FormularioDeCorreo(),
        }
    return render(request, "dashboard/atencion.html", contexto_de_atencion)


def _volver(request: HttpRequest, objeto: Expediente) -> str:
    if request.user.tiene(Rol.ATENCION):
        return f"{reverse('atencion')}?{urlencode({'q': objeto.numero})}"
    return reverse("expediente", args=[objeto.numero])


@con_rol(*ATIENDEN)
@require_http_methods(["GET", "HEAD", "POST"])
def atencion_corregir_correo(request: HttpRequest, numero: str) -> HttpResponse:
    """Correct the importer's address: old links die, the new address gets one for each open case."""
    objeto = get_object_or_404(
        Expediente.objects.visibles_para(request.user).select_related("importador"), numero=numero
    )
    form = FormularioDeCorreo(request.POST or escrito.recuperar(request))
    if request.method == "POST" and form.is_valid():
        try:
            services.corregir_correo(expediente=objeto, actor=request.user, correo=form.cleaned_data["correo"])
        except DatoInvalido as error:
            devolver(form, error)
        except RolImpide as error:
            raise PermissionDenied(error.mensaje) from error
        else:
            messages.success(request, _("Correo corregido. Se envía un enlace nuevo a esa dirección."))
            return redirect(_volver(request, objeto))
    return render(
        request,
        "acto.html",
        {
            "titulo": _("Corregir el correo del importador"),
            "verbo": _("Corregir y enviar enlace"),
            "expediente": objeto,
            "resumen": [_("Correo registrado: %(correo)s") % {"correo": objeto.importador.correo}],
            "form": form,
            "volver": _volver(request, objeto),
            "que_hara": [
                _("Cambia el correo del importador en todos sus expedientes."),
                _("Anula los enlaces que fueron al correo anterior."),
                _("Envía al correo nuevo un enlace por cada expediente abierto."),
            ],
        },
        status=422 if request.method == "POST" else 200,
    )


@con_rol(*ATIENDEN)
@require_POST
def atencion_reenviar(request: HttpRequest, numero: str) -> HttpResponse:
    """Send the tracking link again to whoever follows the case."""
    objeto = get_object_or_404(Expediente.objects.visibles_para(request.user), numero=numero)
    try:
        cuantos = services.reenviar_enlace(expediente=objeto, actor=request.user)
    except RolImpide as error:
        raise PermissionDenied(error.mensaje) from error
    direcciones = _("una dirección") if cuantos == 1 else _("%(n)s direcciones") % {"n": cuantos}
    messages.success(request, _("Enlace reenviado a %(direcciones)s.") % {"direcciones": direcciones})
    return redirect(_volver(request, objeto))

"""Boards, the case page, search, attention: read through `queries`, shown, nothing written but by services."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from expedientes import services, tiempos
from expedientes.actos import devolver
from expedientes.lifecycle import Accion
from expedientes.models import Expediente
from expedientes.plazos import Semaforo
from expedientes.textos import Audiencia
from gestion import queries as gestion
from laboratorio import preguntas
from senasa import escrito, reloj, vivo
from senasa.models import ROLES_DE_PUESTO, Rol
from senasa.permisos import con_rol
from senasa.transicion import DatoInvalido, RolImpide

from . import avisos, busqueda, caso, contexto, jornada, queries
from .filters import DE_QUIEN
from .forms import FormularioAsignarCasos, FormularioDeCorreo
from .models import VistaGuardada
from .queries import ATIENDEN, EXPORTAN, VEN_CASOS, Lector
from .relato import relato
from .tablero import CADUCA_SEGUNDOS, Tablero, hora, lado_a_lado, nombre_de

POR_PAGINA = 50
REFRESCO_SEGUNDOS = 20
# What of the board changes with its rows and does not stand among them.
APARTE = {
    "resumen": "dashboard/tablero_resumen.html",
    "exportar": "dashboard/tablero_exportar.html",
    "arriba": "dashboard/tablero_arriba.html",
    "menu": "componentes/menu.html",
}


@login_required
@require_safe
def inicio(request: HttpRequest) -> HttpResponse:
    """Each one to the queue of his or her role."""
    for rol, nombre in contexto.INICIO.items():
        if request.user.tiene(rol):
            if nombre != "tablero":
                return redirect(nombre)
            suya = VistaGuardada.objects.filter(dueno=request.user.pk, inicial=True).first()
            return redirect(reverse(nombre, query=QueryDict(suya.consulta) if suya else None))
    raise PermissionDenied(_("Su usuario no tiene ningún rol: pídaselo al administrador."))


class PaginasContadas(Paginator):
    """A paginator that was told how many rows there are."""

    def __init__(self, *args: Any, total: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.count = total  # shadows the cached property, and its query


@con_rol(*VEN_CASOS)
@require_safe
def tablero(request: HttpRequest) -> HttpResponse:
    """What to do now, and the open cases, the most urgent first. Sorted, filtered and counted in SQL.

    It stays true by itself: whoever asks again gets what changed, or a 304.
    """
    pedido = Tablero(request.user, request.GET)
    clave = ("tablero", *pedido.sello(request.GET.get("page", "")))
    una = vivo.pieza(clave, partial(_componer, request, pedido), segundos=CADUCA_SEGUNDOS)
    if request.headers.get("HX-Request"):
        return vivo.responder(request, una, segundos=REFRESCO_SEGUNDOS)
    # Of two hundred choices most are the same for a minute.
    puestos = [puesto.pk for puesto in pedido.puestos]
    elegido = [(campo, request.GET.getlist(campo)) for campo in pedido.filtro.form.fields]
    clave = ("elecciones", request.user.pk, puestos, elegido, bool(request.GET))
    filtros = vivo.pieza(clave, partial(_elecciones, request, pedido))
    contexto_del_tablero = {
        "titulo": nombre_de(pedido.elegidos),
        "pieza": una,
        "segundos": REFRESCO_SEGUNDOS,
        "filtros": filtros.html,
        "a_quien": filtros.aparte["a_quien"],
        "filtrado": bool(pedido.elegido),
        "consulta": pedido.consulta,
        "codigo": _codigo(request, pedido),
        "vistas": [*_vistas_de_todos(pedido), *VistaGuardada.objects.visibles_para(request.user)],
        "jefe": request.user.tiene(Rol.JEFE_DE_PUESTO),
        "reunion": pedido.con_colas or request.user.roles == [Rol.DIRECCION],
        "hora": hora(pedido.ahora),
    }
    return render(request, "dashboard/tablero.html", contexto_del_tablero)


def _elecciones(request: HttpRequest, pedido: Tablero) -> tuple[str, Mapping[str, str]]:
    """What may be chosen: the filters, and for a jefe the inspector to whom the marked cases go."""
    filtros = render_to_string("componentes/filtros.html", {"form": pedido.filtro.form}, request)
    if not request.user.tiene(Rol.JEFE_DE_PUESTO):
        return filtros, {"a_quien": ""}
    asignar = FormularioAsignarCasos(usuario=request.user, auto_id="asignar-%s")
    return filtros, {"a_quien": render_to_string("componentes/campo.html", {"campo": asignar["inspector"]}, request)}


def _componer(request: HttpRequest, pedido: Tablero) -> tuple[str, Mapping[str, str]]:
    """The rows, and what stands apart from them on the page: what is late, what to do, the counts, what is exported."""
    contexto_vivo = _contexto(request, pedido)
    aparte = {nombre: render_to_string(plantilla, contexto_vivo, request) for nombre, plantilla in APARTE.items()}
    return render_to_string("dashboard/tablero_casos.html", contexto_vivo, request), aparte


def _codigo(request: HttpRequest, pedido: Tablero) -> str:
    return request.GET.get("puesto", "") if "puesto" in pedido.elegido else ""


def _contexto(request: HttpRequest, pedido: Tablero) -> dict[str, Any]:
    """What is shown of the cases, and changes while it is looked at."""
    pagina = PaginasContadas(pedido.ids, POR_PAGINA, total=pedido.cuantos).get_page(request.GET.get("page"))
    colas = pedido.colas()
    de_las_colas = [caso for cola in colas for caso, _linea in cola.ids]
    de_la_pagina = list(pagina)
    casos = {uno.pk: uno for uno in queries.con_detalle_de(dict.fromkeys([*de_la_pagina, *de_las_colas]))}
    for cola in colas:
        jornada.poner_renglones(cola, casos, pedido.lector, pedido.ahora)
    filas = [queries.fila(casos[pk], pedido.lector, pedido.ahora) for pk in de_la_pagina if pk in casos]
    return {
        "abiertos": queries.cuantos(pedido.cuenta),
        "vencidos": queries.cuantos(pedido.cuenta, semaforo="vencido"),
        "contadores": _contadores(request, pedido),
        "luces": _luces(request, pedido),
        "comparadas": lado_a_lado(pedido),
        "etapas": queries.ETAPAS.values(),
        "colas": colas,
        "siguiente": next((fila for fila in filas if fila.suyo), None) if colas and pagina.number == 1 else None,
        "page_obj": pagina,
        "filas": filas,
        "asigna": request.user.tiene(Rol.JEFE_DE_PUESTO),
        "filtrado": bool(pedido.elegido),
        "consulta": pedido.consulta,
        "codigo": _codigo(request, pedido),
        "url_vencidos": f"?{urlencode(_con_puesto(request, semaforo='vencido'))}",
        "rivs_fallidos": pedido.rivs_fallidos,
        "ofrecidos": pedido.ofrecidos,
    }


def _con_puesto(request: HttpRequest, **consulta: str) -> dict[str, str]:
    """The counters count whole posts: their links keep the post and drop the other filters."""
    return {clave: valor for clave, valor in {"puesto": request.GET.get("puesto"), **consulta}.items() if valor}


def _contadores(request: HttpRequest, pedido: Tablero) -> list[dict[str, Any]]:
    contadores, elegida, luz = [], pedido.elegido.get("etapa", ""), pedido.elegido.get("semaforo", "")
    for etapa, nombre in queries.ETAPAS.items():
        tarde = pedido.cuenta[etapa]["vencido"]
        pronto = pedido.cuenta[etapa]["por_vencer"]
        nota = f"{tarde} fuera de plazo" if tarde else f"{pronto} por vencer" if pronto else ""
        consulta = _con_puesto(request, etapa="" if etapa == elegida else etapa, semaforo=luz)
        contadores.append(
            {
                "texto": nombre,
                "numero": pedido.cuenta[etapa]["total"],
                "activo": etapa == elegida,
                "url": f"?{urlencode(consulta)}",
                "nota": nota or ("en plazo" if pedido.cuenta[etapa]["total"] else "ninguno"),
                "tono": "rojo" if tarde else "ambar" if pronto else "",
            }
        )
    return contadores


LUCES = {
    Semaforo.VENCIDO: "fuera de plazo",
    Semaforo.POR_VENCER: "por vencer",
    Semaforo.EN_PLAZO: "en plazo",
    Semaforo.SIN_PLAZO: "sin plazo",
}


def _luces(request: HttpRequest, pedido: Tablero) -> list[dict[str, Any]]:
    """The same cases by semáforo, of the chosen stage or of all."""
    etapa, elegida = pedido.elegido.get("etapa", ""), pedido.elegido.get("semaforo", "")
    return [
        {
            "clave": luz.value,
            "texto": texto,
            "numero": queries.cuantos(pedido.cuenta, etapa=etapa, semaforo=luz),
            "activo": luz == elegida,
            "url": f"?{urlencode(_con_puesto(request, etapa=etapa, semaforo='' if luz == elegida else luz))}",
        }
        for luz, texto in LUCES.items()
    ]


def _vistas_de_todos(pedido: Tablero) -> list[dict[str, str]]:
    """The ways to look that nobody has to save."""
    if not pedido.usuario.tiene(*ROLES_DE_PUESTO):
        return []
    return [{"nombre": nombre, "consulta": urlencode({"cargo": clave})} for clave, nombre in DE_QUIEN.items()]


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
            "etapa": objeto.etapa,
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
            "documentos": gestion.con_lecturas(objeto.documentos.all()),
            "acciones": gestion.acciones_del_caso(objeto, request.user, ahora),
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
            "form": FormularioDeCorreo(expediente=objeto),
        }
    return render(request, "dashboard/atencion.html", contexto_de_atencion)


def _volver(request: HttpRequest, objeto: Expediente) -> str:
    if request.user.tiene(Rol.ATENCION):
        return f"{reverse('atencion')}?{urlencode({'q': objeto.numero})}"
    return reverse("expediente", args=[objeto.numero])


@con_rol(*ATIENDEN)
@require_http_methods(["GET", "HEAD", "POST"])
def atencion_corregir_correo(request: HttpRequest, numero: str) -> HttpResponse:
    """Correct the importer's or the broker's address: old links die, the new one gets one for each open case."""
    objeto = get_object_or_404(
        Expediente.objects.visibles_para(request.user).select_related("importador", "agente"), numero=numero
    )
    inicial = {"de": request.GET.get("de", Audiencia.IMPORTADOR)}
    form = FormularioDeCorreo(request.POST or escrito.recuperar(request), expediente=objeto, initial=inicial)
    if request.method == "POST" and form.is_valid():
        try:
            services.corregir_correo(expediente=objeto, actor=request.user, **form.cleaned_data)
        except DatoInvalido as error:
            devolver(form, error)
        except RolImpide as error:
            raise PermissionDenied(error.mensaje) from error
        else:
            messages.success(request, _("Correo corregido. Se envía un enlace nuevo a esa dirección."))
            return redirect(_volver(request, objeto))
    registrados = [_("Correo del importador: %(correo)s") % {"correo": objeto.importador.correo}]
    if objeto.agente:
        registrados.append(_("Correo del agente de aduana: %(correo)s") % {"correo": objeto.agente.correo})
    return render(
        request,
        "acto.html",
        {
            "titulo": _("Corregir el correo"),
            "verbo": _("Corregir y enviar enlace"),
            "expediente": objeto,
            "resumen": registrados,
            "form": form,
            "volver": _volver(request, objeto),
            "que_hara": [
                _("Cambia el correo en todos los expedientes de esa persona."),
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

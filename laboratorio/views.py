"""What a person of the laboratory sees: five queues, the sample, the report, and their acts.

Bench staff never see whose cargo it is: their pages name the sample, the product and its origin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from expedientes.actos import atender, conflicto, hecho
from expedientes.lifecycle import PARTIDA, permite
from expedientes.lifecycle import Accion as AccionCaso
from expedientes.models import Evento, Expediente, Motivo, Partida
from expedientes.plazos import semaforo
from expedientes.vistas_publicas import bajar_adjunto
from senasa import escrito, reloj
from senasa.models import ROLES_DE_LABORATORIO, Rol, Usuario
from senasa.palabras import cantidad, duracion
from senasa.permisos import con_rol
from senasa.transicion import EstadoImpide

from . import contramuestras, despachos, preguntas, services
from . import recepcion as puerta
from .colas import filtrar
from .forms import (
    FormularioAnularMuestra,
    FormularioAsignar,
    FormularioCancelar,
    FormularioDirimencia,
    FormularioEliminar,
    FormularioEnviar,
    FormularioGuardarContramuestra,
    FormularioPerder,
    FormularioRechazar,
    FormularioRecibir,
    FormularioRegistrar,
    FormularioRepetir,
    FormularioRetener,
    FormularioSinDatos,
    FormularioTomarMuestra,
    FormularioVerificarVarios,
    analistas,
)
from .lifecycle import ANALISIS, INFORME, MUESTRA, Accion
from .models import (
    MUESTRAS_SIN_EFECTO,
    Analisis,
    Despacho,
    EstadoAnalisis,
    EstadoInforme,
    EstadoMuestra,
    Evidencia,
    HojaDeTrabajo,
    Informe,
    Muestra,
    Pregunta,
    Resultado,
    Valor,
)
from .querysets import publicado
from .salidas import contar, salida, salidas_de
from .verificacion import diferencias, impedimentos

# Samples that the laboratory holds and can work on.
EN_MANO = (EstadoMuestra.RECIBIDA, EstadoMuestra.EN_ANALISIS)
# A queue longer than this is not read to its end anyway: the most pressing come first.
LARGO = 200
RECIENTES = 15

ver = require_safe
formulario = require_http_methods(["GET", "HEAD", "POST"])


def con_semaforo(filas: QuerySet, partida: Callable[[Any], Partida]) -> list[Any]:
    """The first rows of a queue, each with how its line stands against its deadline."""
    lista, ahora = list(filas[:LARGO]), reloj.ahora()
    for fila in lista:
        vence_en = partida(fila).vence_en
        fila.semaforo = semaforo(vence_en, ahora)
        fila.plazo = duracion(abs(vence_en - ahora)) if vence_en else ""
    return lista


def de_la_muestra(fila: Any) -> Partida:
    return fila.muestra.partida


def _resumen(muestra: Muestra) -> list[str]:
    partida = muestra.partida
    return [
        f"{muestra.numero} · {partida.producto} · {partida.pais_origen}",
        _("Precinto %(precinto)s · %(cantidad)s %(unidad)s · %(conservacion)s")
        % {
            "precinto": muestra.precinto,
            "cantidad": cantidad(muestra.cantidad),
            "unidad": muestra.unidad,
            "conservacion": muestra.get_conservacion_display(),
        },
    ]


# ── At the post ───────────────────────────────────────────────────────────────────────────────────


def _partida(request: HttpRequest, numero: str, orden: int) -> Partida:
    suyas = Partida.objects.visibles_para(request.user).select_related(
        "expediente__importador", "expediente__agente", "producto", "pais_origen"
    )
    return get_object_or_404(suyas, expediente__numero=numero, orden=orden)


@formulario
def partida_tomar_muestra(request: HttpRequest, numero: str, orden: int) -> HttpResponse:
    partida = _partida(request, numero, orden)
    return atender(
        request,
        objeto=partida,
        accion=AccionCaso.TOMAR_MUESTRA,
        tabla=PARTIDA,
        formulario=partial(FormularioTomarMuestra, partida=partida),
        hacer=partial(services.tomar_muestra, partida=partida, actor=request.user),
        inicial={"rotulo": request.GET.get("rotulo", "")},
        resumen=[f"{partida.producto} · {partida.pais_origen}", *_ya_tomadas(partida)],
        que_hara=[
            _("Da un número a la muestra: imprima su rótulo, o lea aquí el preimpreso que le pegó."),
            _("El rótulo se pega una sola vez: desde entonces su QR abre la página de la muestra."),
        ],
    )


def _ya_tomadas(partida: Partida) -> list[str]:
    tomadas = [f"{m} ({m.precinto})" for m in partida.muestras.filter(estado=EstadoMuestra.TOMADA)]
    return [_("Ya tomadas, por enviar: %(muestras)s") % {"muestras": ", ".join(tomadas)}] if tomadas else []


@formulario
def partida_enviar(request: HttpRequest, numero: str, orden: int) -> HttpResponse:
    partida = _partida(request, numero, orden)
    muestras = list(partida.muestras.filter(estado=EstadoMuestra.TOMADA))
    # A form sent twice is told that it is done: led to another sample, somebody would take one.
    if request.method != "POST" and not muestras and permite(partida, AccionCaso.ENVIAR, request.user, tabla=PARTIDA):
        return redirect("partida_tomar_muestra", numero=numero, orden=orden)
    return atender(
        request,
        objeto=partida,
        accion=AccionCaso.ENVIAR,
        tabla=PARTIDA,
        formulario=partial(FormularioEnviar, partida=partida, usuario=request.user),
        hacer=partial(services.enviar, partida=partida, actor=request.user),
        resumen=[f"{partida.producto} · {partida.pais_origen}"],
        que_hara=[
            _("Envía %(n)s: %(muestras)s. Cada una va para todos los análisis marcados.")
            % {
                "n": _("1 muestra") if len(muestras) == 1 else _("%(n)s muestras") % {"n": len(muestras)},
                "muestras": ", ".join(
                    _("%(muestra)s (precinto %(precinto)s, %(cantidad)s %(unidad)s)")
                    % {
                        "muestra": m,
                        "precinto": m.precinto,
                        "cantidad": cantidad(m.cantidad),
                        "unidad": m.unidad,
                    }
                    for m in muestras
                ),
            },
            _("La partida pasa al laboratorio, que la verá venir en su manifiesto."),
            _("El manifiesto se imprime en «Muelle» y viaja con la caja."),
        ],
    )


# ── Reception ─────────────────────────────────────────────────────────────────────────────────────


@ver
@con_rol(Rol.RECEPCION)
def recepcion(request: HttpRequest) -> HttpResponse:
    por_iniciar = Analisis.objects.visibles_para(request.user).de_muestras_recibidas()
    filtrados, contadores = filtrar(
        request, por_iniciar.filter(estado__in=[EstadoAnalisis.PENDIENTE, EstadoAnalisis.ASIGNADO])
    )
    analisis = filtrados.en_cola()
    contexto = {
        "contadores": contadores,
        "muestras": con_semaforo(
            Muestra.objects.visibles_para(request.user).por_recibir(), lambda muestra: muestra.partida
        ),
        "pendientes": con_semaforo(analisis.filter(estado=EstadoAnalisis.PENDIENTE), de_la_muestra),
        "asignados": con_semaforo(analisis.filter(estado=EstadoAnalisis.ASIGNADO), de_la_muestra),
        "analistas": analistas(),
        "largo": LARGO,
        "despachos": despachos.en_camino(Despacho.objects.visibles_para(request.user))[:LARGO],
        "demoradas": puerta.sin_llegar(Muestra.objects.visibles_para(request.user))[:LARGO],
        "por_contestar": preguntas.por_contestar(request.user).count(),
    }
    return render(request, "laboratorio/recepcion.html", contexto)


@require_POST
@con_rol(Rol.RECEPCION)
def asignar_varios(request: HttpRequest) -> HttpResponse:
    form = FormularioAsignar(request.POST, usuario=request.user)
    if not form.is_valid():
        _decir_errores(request, form)
        return redirect("recepcion")
    analista = form.cleaned_data["analista"]
    salidas = salidas_de(
        form.cleaned_data["analisis"],
        lambda analisis: services.asignar(analisis=analisis, analista=analista, actor=request.user),
        detalle=lambda analisis: f"{analisis.metodo.nombre} → {analista.firma_corta}",
    )
    n = sum(not salida.por_que for salida in salidas)
    cuantos = _("1 análisis asignado") if n == 1 else _("%(n)s análisis asignados") % {"n": n}
    hecho = _("%(cuantos)s a %(quien)s.") % {"cuantos": cuantos, "quien": analista.firma_corta}
    return contar(request, salidas, titulo=_("Asignación"), hecho=hecho, volver=reverse("recepcion"))


def _decir_errores(request: HttpRequest, form: Any) -> None:
    for errores in form.errors.values():
        messages.error(request, " ".join(errores))


def muestra_visible(request: HttpRequest, numero: str) -> Muestra:
    suyas = Muestra.objects.visibles_para(request.user).select_related(
        "expediente__puesto", "partida__producto", "partida__pais_origen", "solicitud__informe"
    )
    return get_object_or_404(suyas, numero=numero)


def acto_de_muestra(request: HttpRequest, numero: str, accion: Accion, hacer: Callable, **opciones: Any):
    muestra = muestra_visible(request, numero)
    formulario_de = opciones.pop("formulario")
    return atender(
        request,
        objeto=muestra,
        accion=accion,
        tabla=MUESTRA,
        formulario=partial(formulario_de, muestra=muestra) if formulario_de is FormularioRecibir else formulario_de,
        hacer=partial(hacer, muestra=muestra, actor=request.user),
        resumen=_resumen(muestra),
        plantilla="laboratorio/acto.html",
        **{"volver": reverse("recepcion"), **opciones},
    )


@formulario
def muestra_recibir(request: HttpRequest, numero: str) -> HttpResponse:
    return acto_de_muestra(
        request,
        numero,
        Accion.RECIBIR,
        services.recibir,
        formulario=FormularioRecibir,
        que_hara=[_("Sus análisis quedan listos para asignarse.")],
        contexto={
            "secundario": {"url": reverse("muestra_rechazar", args=[numero]), "texto": _("Rechazar la muestra…")}
        },
    )


@formulario
def muestra_rechazar(request: HttpRequest, numero: str) -> HttpResponse:
    return acto_de_muestra(
        request,
        numero,
        Accion.RECHAZAR,
        services.rechazar,
        formulario=FormularioRechazar,
        que_hara=[
            _("Las fotos quedan en la página de la muestra: el inspector ve por qué."),
            _("Cancela los análisis pendientes de esta muestra."),
            _("Si no queda otra viva, la partida vuelve al puesto para una nueva toma."),
        ],
        contexto={"peligro": True},
    )


@formulario
def muestra_perder(request: HttpRequest, numero: str) -> HttpResponse:
    return acto_de_muestra(
        request,
        numero,
        Accion.PERDER,
        services.perder,
        formulario=FormularioPerder,
        que_hara=[
            _("Cancela los análisis pendientes de esta muestra."),
            _("Si no queda otra viva, la partida vuelve al puesto para una nueva toma."),
        ],
        contexto={"peligro": True},
    )


@formulario
def muestra_guardar_contramuestra(request: HttpRequest, numero: str) -> HttpResponse:
    return acto_de_muestra(
        request,
        numero,
        Accion.GUARDAR_CONTRAMUESTRA,
        services.guardar_contramuestra,
        formulario=FormularioGuardarContramuestra,
        que_hara=[
            _("Lo que queda de la muestra se guarda hasta esa fecha, por si hay dirimencia."),
            _("Después se elimina con un acta, sola o con otras, desde «Contramuestras»."),
        ],
    )


@formulario
def muestra_eliminar(request: HttpRequest, numero: str) -> HttpResponse:
    def eliminar(*, muestra: Muestra, actor: Usuario, **dicho: Any) -> None:
        contramuestras.eliminar_varias(muestras=[muestra], actor=actor, **dicho)

    return acto_de_muestra(
        request,
        numero,
        Accion.ELIMINAR,
        eliminar,
        formulario=FormularioEliminar,
        volver=reverse("contramuestras"),
        que_hara=[
            _("Emite un acta de eliminación con su número, para imprimir y firmar."),
            _("La muestra deja de existir; su historia queda."),
        ],
        contexto={"peligro": True},
    )


@formulario
@con_rol(Rol.DIRECTOR)
def muestra_pedir_dirimencia(request: HttpRequest, numero: str) -> HttpResponse:
    return acto_de_muestra(
        request,
        numero,
        Accion.PEDIR_DIRIMENCIA,
        contramuestras.pedir_dirimencia,
        formulario=FormularioDirimencia,
        volver=reverse("muestra", args=[numero]),
        que_hara=[_("Mientras dure, lo que queda de la muestra no se puede eliminar.")],
    )


@formulario
@con_rol(Rol.DIRECTOR)
def muestra_levantar_dirimencia(request: HttpRequest, numero: str) -> HttpResponse:
    return acto_de_muestra(
        request,
        numero,
        Accion.LEVANTAR_DIRIMENCIA,
        contramuestras.levantar_dirimencia,
        formulario=FormularioDirimencia,
        volver=reverse("muestra", args=[numero]),
        que_hara=[_("La contramuestra vuelve a guardarse solo hasta su fecha.")],
    )


@formulario
def muestra_anular(request: HttpRequest, numero: str) -> HttpResponse:
    """At the post, before it travels."""
    muestra = muestra_visible(request, numero)
    return atender(
        request,
        objeto=muestra,
        accion=Accion.ANULAR_MUESTRA,
        tabla=MUESTRA,
        formulario=FormularioAnularMuestra,
        hacer=partial(services.anular_muestra, muestra=muestra, actor=request.user),
        resumen=_resumen(muestra),
        que_hara=[_("La muestra ya no se envía; su número no se vuelve a usar.")],
        contexto={"peligro": True},
    )


@ver
def muestra(request: HttpRequest, numero: str) -> HttpResponse:
    """One page for a sample's life. Outside the laboratory nothing is said of results before the report."""
    muestra = muestra_visible(request, numero)
    informe = muestra.solicitud.informe if muestra.solicitud else None
    del_laboratorio = request.user.tiene(*ROLES_DE_LABORATORIO)
    con_resultados = del_laboratorio or bool(informe and informe.publicado)
    analisis = list(muestra.analisis.con_historia())
    lado = preguntas.lado_de(request.user, muestra)
    dialogo = list(preguntas.visibles(request.user).filter(muestra=muestra))
    contexto = {
        "muestra": muestra,
        "informe": informe,
        "analisis": analisis,
        "con_resultados": con_resultados,
        "silencio": _en_vez_de_resultados(muestra),
        "reversibles": _reversibles(request, analisis, informe),
        "etapas_reversibles": etapas_reversibles(request.user, analisis),
        "del_laboratorio": del_laboratorio,
        "ve_caso": Expediente.objects.visibles_para(request.user).filter(pk=muestra.expediente_id).exists(),
        "eventos": _vida(muestra, analisis, informe if con_resultados else None, dialogo),
        "evidencias": Evidencia.objects.visibles_para(request.user)
        .filter(muestra=muestra, resultado=None)
        .select_related("adjunto"),
        "preguntas": dialogo,
        "lado": lado,
        "puede_preguntar": lado is not None,
        "actos": [
            {"url": reverse(nombre, args=[numero]), "verbo": MUESTRA[accion].verbo}
            for accion, nombre in ACTOS_DE_MUESTRA
            if permite(muestra, accion, request.user, tabla=MUESTRA) and not _a_destiempo(muestra, accion, informe)
        ],
    }
    return render(request, "laboratorio/muestra.html", contexto)


# What the page of a sample offers, in this order.
ACTOS_DE_MUESTRA = (
    (Accion.RECIBIR, "muestra_recibir"),
    (Accion.RECHAZAR, "muestra_rechazar"),
    (Accion.PERDER, "muestra_perder"),
    (Accion.GUARDAR_CONTRAMUESTRA, "muestra_guardar_contramuestra"),
    (Accion.PEDIR_DIRIMENCIA, "muestra_pedir_dirimencia"),
    (Accion.LEVANTAR_DIRIMENCIA, "muestra_levantar_dirimencia"),
    (Accion.ELIMINAR, "muestra_eliminar"),
    (Accion.ANULAR_MUESTRA, "muestra_anular"),
    (Accion.REVERTIR_RECEPCION, "muestra_revertir_recepcion"),
    (Accion.REVERTIR_CONTRAMUESTRA, "muestra_revertir_contramuestra"),
    (Accion.REVERTIR_ANALISIS, "muestra_revertir_analisis"),
)


def _a_destiempo(muestra: Muestra, accion: Accion, informe: Informe | None) -> bool:
    """What the table allows and its guard would refuse: not worth a button."""
    match accion:
        case Accion.REVERTIR_ANALISIS:
            return bool(informe and informe.publicado)
        case Accion.PEDIR_DIRIMENCIA:
            return muestra.dirimencia_desde is not None
        case Accion.LEVANTAR_DIRIMENCIA:
            return muestra.dirimencia_desde is None
        case Accion.ELIMINAR:
            hasta = muestra.contramuestra_hasta
            return muestra.dirimencia_desde is not None or (
                hasta is not None and hasta >= timezone.localdate(reloj.ahora())
            )
    return False


def _reversibles(request: HttpRequest, analisis: list[Analisis], informe: Informe | None) -> set[int]:
    """Which of these analyses the user may step back now."""
    if informe is None or informe.publicado or informe.estado == EstadoInforme.ANULADO:
        return set()
    verificador = request.user.tiene(Rol.VERIFICADOR)
    return {
        uno.pk
        for uno in analisis
        if permite(uno, Accion.REVERTIR, request.user, tabla=ANALISIS)
        and (verificador or uno.analista_id == request.user.pk)
    }


def etapas_reversibles(usuario: Usuario, analisis: Iterable[Analisis]) -> dict[int, str]:
    """Of each analysis whose stage the user may step back now, the page where it is done, by the analysis' id."""
    paginas = {
        Accion.REVERTIR_INICIO: "analisis_revertir_inicio",
        Accion.REVERTIR_ASIGNACION: "analisis_revertir_asignacion",
    }
    ajenos = not usuario.tiene(Rol.RECEPCION, Rol.VERIFICADOR)
    return {
        uno.pk: reverse(pagina, args=[uno.pk])
        for uno in analisis
        for accion, pagina in paginas.items()
        if permite(uno, accion, usuario, tabla=ANALISIS) and not (ajenos and uno.analista_id != usuario.pk)
    }


def actos_tras_la_firma(informe: Informe, usuario: Usuario) -> list[dict[str, str]]:
    """What the director may do with an issued report, as buttons."""
    return [
        {"url": reverse(pagina, args=[informe.numero]), "verbo": str(INFORME[accion].verbo)}
        for accion, pagina in (
            (Accion.ENMENDAR, "informe_enmendar"),
            (Accion.ENMENDAR_RESULTADO, "informe_enmendar_resultado"),
            (Accion.RETIRAR_ENMIENDA, "informe_retirar_enmienda"),
            (Accion.ANULAR_EMITIDO, "informe_anular"),
        )
        if permite(informe, accion, usuario, tabla=INFORME)
        and (accion != Accion.RETIRAR_ENMIENDA or informe.en_enmienda_administrativa)
    ]


# What happens to a sample on the bench: outside, that it went back there tells that something was found.
DE_LA_MESA = (
    Accion.COMENZAR, Accion.DESCOMENZAR, Accion.COMPLETAR, Accion.RETOMAR,
    Accion.REVERTIR_RECEPCION, Accion.REVERTIR_ANALISIS, Accion.REVERTIR_CONTRAMUESTRA,
    Accion.PEDIR_DIRIMENCIA, Accion.LEVANTAR_DIRIMENCIA,
)  # fmt: skip


# Steps that the system takes right after somebody's act: they tell a reader nothing new.
CALLADOS = (
    Q(objeto="muestra", accion__in=[Accion.COMENZAR, Accion.DESCOMENZAR, Accion.COMPLETAR, Accion.RETOMAR])
    | Q(objeto="analisis", accion=Accion.COMPLETAR)
    | Q(objeto="informe", accion__in=[Accion.PROGRAMAR_FIRMA, Accion.DERIVAR, Accion.FIRMAR])
)


def _en_vez_de_resultados(muestra: Muestra) -> str:
    """What is read outside the laboratory before the report: the same whatever is found in the sample."""
    if muestra.estado in MUESTRAS_SIN_EFECTO:
        return _("sin análisis: muestra %(estado)s") % {"estado": muestra.get_estado_display().lower()}
    return _("en camino al laboratorio") if muestra.estado == EstadoMuestra.ENVIADA else _("informe en emisión")


def _vida(
    muestra: Muestra, analisis: list[Analisis], informe: Informe | None, dialogo: list[Pregunta]
) -> list[dict[str, Any]]:
    """The life of a sample in the order it happened, from the log: who had it in hand, what was done to it, every
    result and every step back. Without `informe`, for whoever may not know yet what was found, the bench is left out.
    """
    suyos = Q(objeto="muestra", objeto_id=muestra.pk)
    suyos |= Q(objeto="partida", accion=AccionCaso.TOMAR_MUESTRA, datos__muestra=muestra.numero)
    suyos |= Q(objeto="pregunta", objeto_id__in=[pregunta.pk for pregunta in dialogo])
    nombres: dict[int, str] = {}
    if informe:
        nombres = {uno.pk: f"{uno.metodo} · {uno.plaga.nombre}" for uno in analisis}
        suyos |= Q(objeto="analisis", objeto_id__in=list(nombres)) | Q(objeto="informe", objeto_id=informe.pk)
    else:
        suyos &= ~Q(objeto="muestra", accion__in=DE_LA_MESA)
    motivos = _motivos()
    eventos = list(
        Evento.objects.filter(suyos, expediente=muestra.expediente_id)
        .exclude(CALLADOS)
        .select_related("actor")
        .order_by("ocurrio_en", "n")
    )
    asignados = {evento.datos.get("analista") for evento in eventos} - {None}
    analistas = {uno.pk: uno.firma_corta for uno in Usuario.objects.filter(pk__in=asignados)}
    return [_linea(uno, motivos, _detalle(uno, muestra, informe, nombres, analistas)) for uno in eventos]


def _detalle(
    evento: Evento, muestra: Muestra, informe: Informe | None, nombres: dict[int, str], analistas: dict[int, str]
) -> str:
    """What an entry says besides, from what the log kept of it: a later act does not change it."""
    datos = evento.datos
    match evento.objeto, evento.accion:
        case "partida", _tomar:
            partes = [
                str(muestra.expediente.puesto),
                _("precinto %(precinto)s") % datos,
                f"{cantidad(Decimal(datos['cantidad']))} {datos['unidad']}" if "cantidad" in datos else "",
            ]
        case "muestra", Accion.ROTULAR:
            partes = [datos["rotulo"]]
        case "muestra", Accion.ENVIAR:
            partes = [datos.get("despacho", ""), muestra.solicitud.transporte if muestra.solicitud else ""]
        case "muestra", Accion.RECIBIR:
            partes = _como_llego(muestra, datos)
        case "muestra", Accion.RECHAZAR if datos.get("fotos"):
            n = len(datos["fotos"])
            partes = [_("1 foto") if n == 1 else _("%(n)s fotos") % {"n": n}]
        case "muestra", Accion.GUARDAR_CONTRAMUESTRA:
            hasta = datos.get("hasta")
            partes = [
                datos["lugar"],
                _("hasta el %(dia)s") % {"dia": f"{date.fromisoformat(hasta):%d/%m/%Y}"} if hasta else "",
            ]
        case "muestra", Accion.ELIMINAR:
            partes = [_("acta %(acta)s") % datos]
        case "muestra", _otro:
            partes = [datos.get("despacho", "")]
        case "analisis", Accion.ASIGNAR:
            partes = [nombres[evento.objeto_id], analistas.get(datos.get("analista"), "")]
        case "analisis", _otro:
            valor = datos.get("valor")
            partes = [nombres[evento.objeto_id], str(Valor(valor).label) if valor else ""]
        case "informe", _otro:
            partes = [str(informe)]
        case _:
            partes = []
    return " · ".join(filter(None, partes))


def _como_llego(muestra: Muestra, datos: dict[str, Any]) -> list[str]:
    conservacion = datos.get("conservacion_al_llegar")
    return [
        _("condición %(como)s") % {"como": Muestra.Condicion(datos["condicion"]).label},
        f"{cantidad(Decimal(datos['cantidad_recibida']))} {muestra.unidad}",
        str(Muestra.Conservacion(conservacion).label) if conservacion else "",
    ]


def _motivos() -> dict[tuple[str, str], str]:
    return {(motivo.accion, motivo.codigo): motivo.texto for motivo in Motivo.objects.all()}


def _linea(evento: Evento, motivos: dict[tuple[str, str], str], detalle: str) -> dict[str, Any]:
    a_quien = f"→ {evento.datos['a_quien']}" if "a_quien" in evento.datos else ""
    partes = [detalle, a_quien, motivos.get((evento.accion, evento.motivo), evento.motivo), evento.texto]
    return {
        "titulo": hecho(evento.objeto, evento.accion),
        "cuando": evento.ocurrio_en,
        "quien": evento.actor.firma_corta if evento.actor else evento.get_origen_display(),
        "detalle": "\n".join(str(parte) for parte in partes if parte),
    }


@ver
def evidencia(request: HttpRequest, pk: int) -> HttpResponse | FileResponse:
    suyas = Evidencia.objects.visibles_para(request.user).select_related("adjunto")
    return bajar_adjunto(get_object_or_404(suyas, pk=pk).adjunto)


# ── The bench ─────────────────────────────────────────────────────────────────────────────────────


@ver
@con_rol(Rol.ANALISTA)
def analisis_bandeja(request: HttpRequest) -> HttpResponse:
    suyos = Q(analista=request.user) | Q(estado=EstadoAnalisis.PENDIENTE, muestra__estado__in=EN_MANO)
    por_hacer = Q(estado__in=[EstadoAnalisis.PENDIENTE, EstadoAnalisis.ASIGNADO, EstadoAnalisis.EN_PROCESO])
    visibles = Analisis.objects.visibles_para(request.user)
    filtrados, contadores = filtrar(request, visibles.filter(suyos, por_hacer))
    todos = filtrados.en_cola()
    hechos = visibles.en_cola().filter(
        analista=request.user, estado__in=[EstadoAnalisis.REGISTRADO, EstadoAnalisis.VERIFICADO]
    )
    contexto = {
        "contadores": contadores,
        "en_proceso": con_semaforo(todos.filter(estado=EstadoAnalisis.EN_PROCESO), de_la_muestra),
        "asignados": con_semaforo(todos.filter(estado=EstadoAnalisis.ASIGNADO), de_la_muestra),
        "por_tomar": con_semaforo(todos.filter(estado=EstadoAnalisis.PENDIENTE), de_la_muestra),
        "sin_firma": con_semaforo(hechos.exclude(publicado("solicitud__informe__")), de_la_muestra),
        "hojas": HojaDeTrabajo.objects.filter(analistas=request.user.pk, cerrada_en=None).select_related("metodo"),
        "largo": LARGO,
    }
    return render(request, "laboratorio/analisis.html", contexto)


def analisis_visible(request: HttpRequest, pk: int) -> Analisis:
    return get_object_or_404(Analisis.objects.visibles_para(request.user).en_cola(), pk=pk)


def acto_de_analisis(
    request: HttpRequest, analisis: Analisis, accion: Accion, hacer: Callable, **opciones: Any
) -> HttpResponse:
    return atender(
        request,
        objeto=analisis,
        accion=accion,
        tabla=ANALISIS,
        hacer=partial(hacer, analisis=analisis, actor=request.user),
        resumen=[*_resumen(analisis.muestra), f"{analisis.metodo} · {analisis.plaga}"],
        plantilla="laboratorio/acto.html",
        **{"formulario": FormularioSinDatos, "volver": reverse("analisis_bandeja"), **opciones},
    )


@require_POST
@con_rol(Rol.ANALISTA)
def analisis_asignar(request: HttpRequest, pk: int) -> HttpResponse:
    """An analyst takes an analysis himself; reception assigns from its own queue."""
    hacer = partial(services.asignar, analista=request.user)
    return acto_de_analisis(request, analisis_visible(request, pk), Accion.ASIGNAR, hacer)


@require_POST
def analisis_iniciar(request: HttpRequest, pk: int) -> HttpResponse:
    return acto_de_analisis(request, analisis_visible(request, pk), Accion.INICIAR, services.iniciar)


@formulario
def analisis_registrar(request: HttpRequest, pk: int) -> HttpResponse:
    analisis = analisis_visible(request, pk)
    if request.user.tiene(Rol.ANALISTA) and analisis.analista_id != request.user.pk:
        raise PermissionDenied(_("Este análisis es de otro analista."))
    return acto_de_analisis(
        request,
        analisis,
        Accion.REGISTRAR,
        services.registrar,
        formulario=partial(FormularioRegistrar, analisis=analisis),
        que_hara=[
            _("El resultado pasa a la cola de verificación: lo verifica otra persona."),
            _("Si es positivo o indeterminado, el informe espera al director aunque luego se revierta."),
        ],
    )


# ── Verification ──────────────────────────────────────────────────────────────────────────────────


def _para_verificar(filas: list[Any], actor: Usuario) -> list[Any]:
    """Those with a result in force, each with it (`actual`), why `actor` may not (`impedimento`) and `diferencias`."""
    con_resultado = [fila for fila in filas if fila.vigentes]
    impide = impedimentos([(fila, fila.vigentes[0]) for fila in con_resultado], actor)
    distintas = diferencias(con_resultado)
    for fila in con_resultado:
        fila.actual = fila.vigentes[0]
        fila.impedimento = impide[fila.pk].mensaje if fila.pk in impide else ""
        fila.diferencias = distintas[fila.pk]
    return con_resultado


@ver
@con_rol(Rol.VERIFICADOR)
def verificacion(request: HttpRequest) -> HttpResponse:
    registrados = Analisis.objects.visibles_para(request.user).filter(estado=EstadoAnalisis.REGISTRADO)
    vigentes = Resultado.objects.filter(vigente=True, analisis__estado=EstadoAnalisis.REGISTRADO)
    hoja = request.GET.get("hoja", "")
    if hoja:
        registrados = registrados.filter(pk__in=vigentes.filter(hoja__numero=hoja).values("analisis"))
    filtrados, contadores = filtrar(request, registrados)
    filas = _para_verificar(con_semaforo(filtrados.en_cola(), de_la_muestra), request.user)
    aparte = [fila for fila in filas if fila.diferencias and not fila.impedimento]
    informes = Informe.objects.visibles_para(request.user).en_cola().filter(estado=EstadoInforme.EN_GRACIA)
    contexto = {
        "contadores": contadores,
        "hoja": hoja,
        "hojas": vigentes.exclude(hoja=None)
        .order_by("hoja")
        .values("hoja__numero", "hoja__metodo__nombre")
        .annotate(n=Count("pk"))[:LARGO],
        "aparte": sorted(aparte, key=lambda analisis: analisis.actual.valor == Valor.NEGATIVO),
        "negativos": [fila for fila in filas if not fila.diferencias and not fila.impedimento],
        "ajenos": [fila for fila in filas if fila.impedimento],
        "informes": informes.order_by("firmar_desde")[:LARGO],
        "marcar_todos": request.GET.get("marcar") == "todos",
        "largo": LARGO,
    }
    return render(request, "laboratorio/verificacion.html", contexto)


@require_POST
def analisis_verificar(request: HttpRequest, pk: int) -> HttpResponse:
    """`resultado-<pk>` says which result the verifier had before his eyes."""
    hacer = partial(services.verificar, visto=_vistos(request).get(pk))
    return acto_de_analisis(
        request, analisis_visible(request, pk), Accion.VERIFICAR, hacer, volver=reverse("verificacion")
    )


@require_POST
@con_rol(Rol.VERIFICADOR)
def verificar_varios(request: HttpRequest) -> HttpResponse:
    """Verify the marked results that are plainly negative, and tell of every row of the page what became of it.

    Each stands for the result that the verifier had before his eyes (`resultado-<pk>`): another one by now stays out.
    """
    form = FormularioVerificarVarios(request.POST, usuario=request.user)
    if not form.is_valid():
        _decir_errores(request, form)
        return redirect("verificacion")
    vistos = _vistos(request)
    marcados = {analisis.pk for analisis in form.cleaned_data["analisis"]}
    suyos = Analisis.objects.visibles_para(request.user).en_cola()
    de_la_pagina = list(suyos.filter(pk__in=marcados | set(vistos)))
    filas = {fila.pk: fila for fila in _para_verificar(de_la_pagina, request.user)}

    def verificar(analisis: Any) -> None:
        if analisis.pk not in vistos:
            raise EstadoImpide(_("No estaba en la página: véalo antes de verificarlo."))
        if fila := filas.get(analisis.pk):
            if fila.impedimento:
                raise EstadoImpide(fila.impedimento)
            if fila.actual.pk == vistos[analisis.pk] and fila.diferencias:
                raise EstadoImpide(_aparte(fila))
        services.verificar(analisis=analisis, actor=request.user, visto=vistos[analisis.pk])

    def detalle(analisis: Any) -> str:
        return f"{analisis.metodo.nombre} · {analisis.vigentes[0] if analisis.vigentes else _('sin resultado')}"

    salidas = salidas_de([uno for uno in de_la_pagina if uno.pk in marcados], verificar, detalle=detalle)
    n = sum(not una.por_que for una in salidas)
    salidas += [
        salida(fila, detalle(fila), fila.impedimento or _aparte(fila))
        for fila in filas.values()
        if fila.pk not in marcados and (fila.impedimento or fila.diferencias)
    ]
    hecho = _("1 resultado verificado.") if n == 1 else _("%(n)s resultados verificados.") % {"n": n}
    return contar(request, salidas, titulo=_("Verificación de varios"), hecho=hecho, volver=reverse("verificacion"))


def _aparte(fila: Any) -> str:
    return _("Véalo por separado: %(por_que)s.") % {"por_que": "; ".join(fila.diferencias)}


def _vistos(request: HttpRequest) -> dict[int, int]:
    """Of each row of the page, the result that it showed."""
    pares = ((clave.removeprefix("resultado-"), valor[:18]) for clave, valor in request.POST.items())
    return {int(pk): int(valor) for pk, valor in pares if pk[:18].isdecimal() and valor.isdecimal()}


# ── Signature ─────────────────────────────────────────────────────────────────────────────────────


def poner_retencion(informes: list[Any]) -> None:
    """Give each report `retencion`: the act that holds it for the director, when somebody did."""
    eventos = Evento.objects.filter(
        objeto="informe", objeto_id__in=[informe.pk for informe in informes], accion=Accion.RETENER
    ).select_related("actor")
    ultimos = {evento.objeto_id: evento for evento in eventos.order_by("id")}
    for informe in informes:
        evento = ultimos.get(informe.pk)
        informe.retencion = evento if evento and evento.ocurrio_en >= informe.estado_desde else None


def informe_visible(request: HttpRequest, numero: str) -> Any:
    return get_object_or_404(
        Informe.objects.visibles_para(request.user).en_cola().select_related("expediente__importador"), numero=numero
    )


@ver
@con_rol(*sorted(ROLES_DE_LABORATORIO))
def informe(request: HttpRequest, numero: str) -> HttpResponse:
    """The report as the laboratory sees it; everybody else knows the issued document alone."""
    informe = informe_visible(request, numero)
    poner_retencion([informe])
    partida = informe.solicitud.partida
    analisis = list(informe.solicitud.analisis.con_historia())
    contexto = {
        "informe": informe,
        "partida": partida,
        "semaforo": semaforo(partida.vence_en),
        "analisis": analisis,
        "muestras": informe.solicitud.muestras.all(),
        "ve_caso": Expediente.objects.visibles_para(request.user).filter(pk=informe.expediente_id).exists(),
        "puede_firmar": informe.estado != EstadoInforme.EN_GRACIA
        and permite(informe, Accion.FIRMAR, request.user, tabla=INFORME),
        "puede_subir": permite(informe, Accion.SUBIR_FIRMADO, request.user, tabla=INFORME),
        "puede_devolver": permite(informe, Accion.DEVOLVER, request.user, tabla=INFORME)
        and not informe.en_enmienda_administrativa,
        "enmiendas": actos_tras_la_firma(informe, request.user),
        "retener": FormularioRetener(escrito.recuperar(request, reverse("informe_retener", args=[numero])))
        if permite(informe, Accion.RETENER, request.user, tabla=INFORME)
        else None,
        "reversibles": _reversibles(request, analisis, informe),
        "etapas_reversibles": etapas_reversibles(request.user, analisis),
        "cancelables": {uno.pk for uno in analisis if permite(uno, Accion.CANCELAR, request.user, tabla=ANALISIS)}
        if informe.estado == EstadoInforme.BORRADOR
        else set(),
        "puede_ser_parcial": request.user.tiene(Rol.DIRECTOR) and services.admite_parcial(informe),
    }
    return render(request, "laboratorio/informe.html", contexto)


@formulario
@con_rol(Rol.ANALISTA)
def analisis_repetir(request: HttpRequest, pk: int) -> HttpResponse:
    analisis = analisis_visible(request, pk)
    return atender(
        request,
        objeto=analisis,
        accion=Accion.REPETIR,
        tabla=ANALISIS,
        formulario=FormularioRepetir,
        hacer=partial(services.repetir, analisis=analisis, actor=request.user),
        resumen=[str(analisis)],
        que_hara=[_("El ensayo empieza de nuevo, sin resultado todavía; el motivo queda en la bitácora.")],
        volver=reverse("analisis_bandeja"),
        plantilla="laboratorio/acto.html",
    )


@formulario
@con_rol(Rol.DIRECTOR)
def analisis_cancelar(request: HttpRequest, pk: int) -> HttpResponse:
    analisis = analisis_visible(request, pk)
    return atender(
        request,
        objeto=analisis,
        accion=Accion.CANCELAR,
        tabla=ANALISIS,
        formulario=FormularioCancelar,
        hacer=partial(services.cancelar, analisis=analisis, actor=request.user),
        resumen=[str(analisis)],
        que_hara=[
            _("El análisis no se hará o no se terminará; el informe dirá que no se ensayó."),
            _("Si era el último que faltaba, el informe se cierra y espera su firma."),
            _("Si no queda ninguno, la partida vuelve al puesto para una nueva toma."),
        ],
        volver=reverse("informe", args=[analisis.solicitud.informe.numero]),
        plantilla="laboratorio/acto.html",
        contexto={"peligro": True},
    )


@formulario
@con_rol(Rol.DIRECTOR)
def informe_parcial(request: HttpRequest, numero: str) -> HttpResponse:
    """On an early positive, the director does not wait for the rest."""
    informe = informe_visible(request, numero)
    primero = informe.solicitud.analisis.filter(estado__in=ANALISIS[Accion.CANCELAR].de).first()
    if primero is None:
        mensaje = _("%(informe)s ya no tiene análisis por cancelar.") % {"informe": informe}
        volver = reverse("informe", args=[numero])
        return conflicto(request, EstadoImpide(mensaje), expediente=informe.expediente, volver=volver)
    return atender(
        request,
        objeto=primero,
        accion=Accion.CANCELAR,
        tabla=ANALISIS,
        formulario=FormularioCancelar,
        hacer=partial(services.emitir_parcial, informe=informe, actor=request.user),
        inicial={"motivo": "positivo-temprano"},
        resumen=[f"{informe.numero} · {informe.solicitud.partida.producto}"],
        titulo=_("Informe parcial"),
        que_hara=[
            _("Cancela los análisis que faltan: el informe sale con el positivo ya verificado."),
            _("Queda por firmar: lo firma usted en el paso siguiente."),
        ],
        volver=reverse("informe", args=[numero]),
        plantilla="laboratorio/acto.html",
    )

"""Stepping back, and what everybody in the laboratory sees of it; and the motives, which the director keeps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from expedientes.actos import atender, conflicto
from expedientes.actos import devolver as poner_errores
from expedientes.lifecycle import TABLAS
from expedientes.models import Motivo
from senasa.models import ROLES_DE_LABORATORIO, Rol
from senasa.permisos import con_rol
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from . import motivos as catalogo
from . import reversiones as actos
from .forms import (
    FormularioDevolver,
    FormularioFiltroDeReversiones,
    FormularioMotivo,
    FormularioRevertir,
    FormularioRevertirEtapa,
)
from .lifecycle import INFORME, Accion
from .models import Analisis, EstadoMuestra, Reversion, Valor
from .views import (
    acto_de_analisis,
    acto_de_muestra,
    analisis_visible,
    formulario,
    informe_visible,
    muestra_visible,
    ver,
)

POR_PAGINA = 50
CAMBIOS_A_LA_VISTA = 30


# ── A result, and a report that the director gives back ───────────────────────────────────────────


@formulario
def analisis_revertir(request: HttpRequest, pk: int) -> HttpResponse:
    analisis = analisis_visible(request, pk)
    impacto = actos.impacto_de_revertir(analisis)
    assert impacto.informe  # an analysis is asked for in a dispatch, and that has its report
    volver = reverse("analisis_bandeja" if request.user.tiene(Rol.ANALISTA) else "verificacion")
    try:
        actos.exigir_reversible(analisis, impacto.informe, request.user)
    except RolImpide as error:
        raise PermissionDenied(error.mensaje) from error
    except EstadoImpide as error:
        return conflicto(request, error, expediente=analisis.expediente, volver=volver)
    return acto_de_analisis(
        request,
        analisis,
        Accion.REVERTIR,
        actos.revertir,
        formulario=FormularioRevertir,
        que_hara=_que_toca(
            impacto,
            _("El análisis vuelve a la mesa de su analista: el nuevo resultado necesita una nueva verificación."),
        ),
        volver=volver,
        contexto={"peligro": True},
    )


@formulario
@con_rol(Rol.DIRECTOR)
def informe_devolver(request: HttpRequest, numero: str) -> HttpResponse:
    informe = informe_visible(request, numero)
    return atender(
        request,
        objeto=informe,
        accion=Accion.DEVOLVER,
        tabla=INFORME,
        formulario=partial(FormularioDevolver, informe=informe),
        hacer=partial(actos.devolver, informe=informe, actor=request.user),
        resumen=[f"{informe.numero} · {informe.solicitud.partida.producto}"],
        titulo=_("Devolver %(informe)s") % {"informe": informe},
        que_hara=[
            _("Los análisis marcados vuelven a la mesa de su analista; su resultado queda registrado, sin vigencia."),
            _("El informe se cierra otra vez cuando se verifiquen de nuevo."),
        ],
        volver=reverse("informe", args=[numero]),
        plantilla="laboratorio/acto.html",
    )


# ── A stage of an analysis or of a sample ─────────────────────────────────────────────────────────


def _etapa_de_analisis(request: HttpRequest, pk: int, accion: Accion, hacer: Callable, vuelve: str) -> HttpResponse:
    analisis = analisis_visible(request, pk)
    return acto_de_analisis(
        request,
        analisis,
        accion,
        hacer,
        formulario=partial(FormularioRevertirEtapa, accion=accion),
        que_hara=_que_toca(actos.impacto_de_revertir(analisis), vuelve),
        volver=reverse("muestra", args=[analisis.muestra.numero]),
        contexto={"peligro": True},
    )


@formulario
def analisis_revertir_inicio(request: HttpRequest, pk: int) -> HttpResponse:
    vuelve = _("El análisis queda asignado a la misma persona, sin empezar.")
    return _etapa_de_analisis(request, pk, Accion.REVERTIR_INICIO, actos.revertir_inicio, vuelve)


@formulario
def analisis_revertir_asignacion(request: HttpRequest, pk: int) -> HttpResponse:
    vuelve = _("El análisis queda sin analista: recepción lo asigna, o lo toma otra persona.")
    return _etapa_de_analisis(request, pk, Accion.REVERTIR_ASIGNACION, actos.revertir_asignacion, vuelve)


def _etapa_de_muestra(request: HttpRequest, numero: str, accion: Accion, hacer: Callable, *vuelve: str) -> HttpResponse:
    muestra = muestra_visible(request, numero)
    return acto_de_muestra(
        request,
        numero,
        accion,
        hacer,
        formulario=partial(FormularioRevertirEtapa, accion=accion),
        que_hara=_que_toca(actos.impacto_de_revertir_muestra(muestra, accion), *vuelve),
        volver=reverse("muestra", args=[numero]),
        contexto={"peligro": True},
    )


@formulario
def muestra_revertir_recepcion(request: HttpRequest, numero: str) -> HttpResponse:
    return _etapa_de_muestra(
        request,
        numero,
        Accion.REVERTIR_RECEPCION,
        actos.revertir_recepcion,
        _("La muestra vuelve a estar enviada, por recibir; lo que se anotó al recibirla queda en la bitácora."),
        _("Lo que estuviera asignado queda sin analista."),
    )


@formulario
def muestra_revertir_analisis(request: HttpRequest, numero: str) -> HttpResponse:
    return _etapa_de_muestra(
        request,
        numero,
        Accion.REVERTIR_ANALISIS,
        actos.revertir_analisis,
        _("La muestra queda recibida y todos sus análisis, por asignar: se hacen de nuevo desde el principio."),
    )


@formulario
def muestra_revertir_contramuestra(request: HttpRequest, numero: str) -> HttpResponse:
    return _etapa_de_muestra(
        request,
        numero,
        Accion.REVERTIR_CONTRAMUESTRA,
        actos.revertir_contramuestra,
        _("La muestra vuelve a estar analizada, fuera de su lugar de guarda."),
    )


def _que_toca(impacto: actos.Impacto, *vuelve: str) -> list[str]:
    """The impact in sentences, for the bench: it names no importer."""
    toca = [
        _("Se aprueba por sí misma: no espera la firma de nadie; la ve todo el laboratorio y entra en la estadística.")
    ]
    for resultado in impacto.resultados:
        toca.append(
            _("El resultado «%(valor)s» queda registrado, pero fuera de vigencia, con sus verificaciones (%(n)s).")
            % {"valor": resultado, "n": len(resultado.verificaciones.all())}
        )
    toca += vuelve
    informe = impacto.informe
    if informe and impacto.retira_firma:
        toca.append(
            _("El informe %(informe)s (%(estado)s) vuelve a elaboración y se descarta lo que se estuviera firmando.")
            % {"informe": informe, "estado": informe.get_estado_display().lower()}
        )
    elif informe:
        toca.append(_("El informe %(informe)s aún no está cerrado: espera a esta muestra.") % {"informe": informe})
    if impacto.otras:
        toca.append(
            _("Espera con ella lo demás del mismo informe: %(muestras)s.")
            % {"muestras": ", ".join(str(una) for una in impacto.otras)}
        )
    if any(resultado.valor != Valor.NEGATIVO for resultado in impacto.resultados):
        toca.append(_("El informe lo firmará el director, aunque el nuevo resultado sea negativo."))
    toca.append(
        _("Ya salieron %(n)s avisos de este trámite: ninguno dice un resultado, y ninguno se corrige.")
        % {"n": impacto.avisos}
        if impacto.avisos
        else _("De este trámite aún no salió ningún aviso.")
    )
    toca.append(
        _("El dictamen %(riv)s no cambia.") % {"riv": impacto.dictamen.numero}
        if impacto.dictamen
        else _("No hay un dictamen que toque.")
    )
    if impacto.horas:
        toca.append(_("Suma unas %(horas)s horas: lo que suele tomar el método.") % {"horas": impacto.horas})
    else:
        toca.append(_("No suma horas de ensayo."))
    return toca


# ── Everybody sees every one ──────────────────────────────────────────────────────────────────────


@ver
@con_rol(*sorted(ROLES_DE_LABORATORIO))
def reversiones(request: HttpRequest) -> HttpResponse:
    """Every step back, last first; of each, what it undid, why, who, and what it cost."""
    form = FormularioFiltroDeReversiones(request.GET or None)
    filas = Reversion.objects.visibles_para(request.user).con_todo()
    if form.is_bound and form.is_valid():
        filas = form.filtrar(filas)
    pagina = Paginator(filas, POR_PAGINA).get_page(request.GET.get("page"))
    textos = {(motivo.accion, motivo.codigo): motivo.texto for motivo in Motivo.objects.all()}
    contexto = {"form": form, "page_obj": pagina, "filas": [_fila(una, textos) for una in pagina]}
    return render(request, "laboratorio/reversiones.html", contexto)


def _fila(una: Reversion, textos: dict[tuple[str, str], str]) -> dict[str, Any]:
    tabla = TABLAS["analisis" if una.analisis_id else "muestra"]
    estados: Any = Analisis if una.analisis_id else None
    desde = dict(estados._meta.get_field("estado").choices) if estados else dict(EstadoMuestra.choices)
    return {
        "reversion": una,
        "que": tabla[una.accion].hecho,
        "desde": str(desde.get(una.desde_estado, una.desde_estado)).lower(),
        "motivo": textos.get((una.accion, una.motivo), una.motivo),
        "resultados": [parte for parte in [una, *una.partes.all()] if parte.resultado],
    }


# ── The motives, which the director keeps ─────────────────────────────────────────────────────────


@formulario
@con_rol(Rol.DIRECTOR)
def motivos(request: HttpRequest) -> HttpResponse:
    form = FormularioMotivo(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            motivo = catalogo.agregar_motivo(actor=request.user, **form.cleaned_data)
        except DatoInvalido as error:
            poner_errores(form, error)
        else:
            messages.success(request, _("«%(motivo)s» ya se puede elegir.") % {"motivo": motivo})
            return redirect("motivos")
    suyos = Motivo.objects.filter(accion__in=catalogo.ACTOS).order_by("accion", "-activo", "texto")
    grupos: dict[str, list[Motivo]] = {}
    for uno in suyos:
        uno.fijo = (uno.accion, uno.codigo) in catalogo.DEL_SISTEMA  # type: ignore[attr-defined]
        grupos.setdefault(str(catalogo.ACTOS[uno.accion]), []).append(uno)
    historia = Motivo.history.filter(accion__in=catalogo.ACTOS).select_related("history_user")
    contexto = {
        "form": form,
        "grupos": sorted(grupos.items()),
        "historia": [
            {"fila": fila, "acto": catalogo.ACTOS[fila.accion]}
            for fila in historia.order_by("-history_date", "-history_id")[:CAMBIOS_A_LA_VISTA]
        ],
    }
    return render(request, "laboratorio/motivos.html", contexto, status=422 if form.errors else 200)


def _cambiar(request: HttpRequest, pk: int, hacer: Callable, dicho: str) -> HttpResponse:
    motivo = get_object_or_404(Motivo, pk=pk, accion__in=catalogo.ACTOS)
    try:
        hacer(motivo=motivo, actor=request.user)
    except EstadoImpide as error:
        messages.error(request, error.mensaje)
    else:
        messages.success(request, dicho % {"motivo": motivo})
    return redirect("motivos")


@require_POST
@con_rol(Rol.DIRECTOR)
def motivo_retirar(request: HttpRequest, pk: int) -> HttpResponse:
    return _cambiar(request, pk, catalogo.retirar_motivo, _("«%(motivo)s» ya no se ofrece."))


@require_POST
@con_rol(Rol.DIRECTOR)
def motivo_reponer(request: HttpRequest, pk: int) -> HttpResponse:
    return _cambiar(request, pk, catalogo.reponer_motivo, _("«%(motivo)s» se ofrece otra vez."))

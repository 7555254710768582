"""The door of the laboratory: boxes one after the other, manifests checked off, and the duplicates that are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from expedientes.actos import devolver
from senasa import reloj
from senasa.models import Rol
from senasa.permisos import con_rol
from senasa.transicion import ActoRechazado, DatoInvalido, EstadoImpide

from . import contramuestras as guarda
from . import despachos as manifiestos
from . import recepcion
from .forms import FormularioEliminarVarias, FormularioLlegada, FormularioRecepcionRapida
from .models import ActaEliminacion, Despacho, EstadoMuestra, Muestra
from .vistas_muelle import pdf

RECIENTES = 60
TURNO = timedelta(hours=12)
ACTAS = 12
LARGO = 400


# ── One box after the other ───────────────────────────────────────────────────────────────────────


@require_http_methods(["GET", "HEAD", "POST"])
@con_rol(Rol.RECEPCION)
def recepcion_rapida(request: HttpRequest) -> HttpResponse:
    """A field that is always ready. Without JavaScript each box is a page; with it the page stays (`escaneo.js`), asks
    with `X-Fila` and gets the row alone, or in words why there is none."""
    suelta = "X-Fila" in request.headers
    form = FormularioRecepcionRapida(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                muestra = recepcion.recibir_lo_leido(actor=request.user, **form.cleaned_data)
        except DatoInvalido as error:
            devolver(form, error)
        except ActoRechazado as error:
            form.add_error("codigo", str(error.mensaje))
        else:
            if suelta:
                contexto = {"muestra": _recibidas(request).get(pk=muestra.pk)}
                return render(request, "laboratorio/recibida.html", contexto)
            messages.success(request, _("%(muestra)s recibida.") % {"muestra": muestra})
            if muestra.cadena_rota:
                messages.warning(request, aviso_de_frio(muestra))
            return redirect("recepcion_rapida")
    if suelta and form.errors:
        contexto = {"codigo": request.POST.get("codigo", ""), "form": form}
        return render(request, "laboratorio/no_recibida.html", contexto, status=422)
    contexto = {
        "form": form,
        # What was said of the box that could not be received is still to be seen.
        "distinto": form.is_bound and bool(set(form.changed_data) - {"codigo"}),
        "recibidas": _recibidas(request).filter(recibida_en__gte=reloj.ahora() - TURNO)[:RECIENTES],
        "por_recibir": Muestra.objects.filter(estado=EstadoMuestra.ENVIADA).count(),
    }
    return render(request, "laboratorio/recepcion_rapida.html", contexto, status=422 if form.errors else 200)


def _recibidas(request: HttpRequest) -> Any:
    return (
        Muestra.objects.visibles_para(request.user)
        .exclude(recibida_en=None)
        .select_related("partida__producto", "partida__pais_origen", "expediente__puesto", "solicitud__despacho")
        .order_by("-recibida_en", "-pk")
    )


def aviso_de_frio(muestra: Muestra) -> str:
    return _("%(muestra)s se envió %(salio)s y llegó %(llego)s: mire si sirve, o rechácela.") % {
        "muestra": muestra,
        "salio": muestra.get_conservacion_display(),
        "llego": muestra.get_conservacion_al_llegar_display(),
    }


# ── Manifests ─────────────────────────────────────────────────────────────────────────────────────


@require_safe
@con_rol(Rol.RECEPCION, Rol.DIRECTOR)
def despachos(request: HttpRequest) -> HttpResponse:
    suyos = Despacho.objects.visibles_para(request.user)
    contexto = {
        "despachos": manifiestos.en_camino(suyos)[:LARGO],
        "conciliados": manifiestos.conciliados(suyos)[:RECIENTES],
        "demoradas": recepcion.sin_llegar(Muestra.objects.visibles_para(request.user))[:LARGO],
    }
    return render(request, "laboratorio/despachos.html", contexto)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def despacho(request: HttpRequest, numero: str) -> HttpResponse:
    """A manifest and its samples; reception checks it off here, all rows at once."""
    suyo = get_object_or_404(
        Despacho.objects.visibles_para(request.user).select_related("puesto", "enviado_por", "conciliado_por"),
        numero=numero,
    )
    concilia = request.user.tiene(Rol.RECEPCION)
    if request.method == "POST" and not concilia:
        raise PermissionDenied(_("Conciliar un manifiesto corresponde a la recepción de muestras."))
    muestras = manifiestos.muestras_de(suyo)
    llegan = [m for m in muestras if m.estado == EstadoMuestra.ENVIADA] if concilia and not suyo.conciliado_en else []
    forms = {m.pk: FormularioLlegada(request.POST or None, muestra=m) for m in llegan}
    status, impide = 200, ""
    if request.method == "POST":
        status = 422
        malos = [form for form in forms.values() if not form.is_valid()]
        if not malos:
            try:
                return _conciliar(request, suyo, list(forms.values()))
            except EstadoImpide as error:
                status, impide = 409, str(error.mensaje)
                suyo.refresh_from_db()
    ensayos = manifiestos.ensayos_de(muestras)
    contexto = {
        "despacho": suyo,
        "filas": [{"muestra": m, "ensayos": ensayos[m.pk], "form": forms.get(m.pk)} for m in muestras],
        "concilia": concilia and not suyo.conciliado_en,
        "por_llegar": sum(m.estado == EstadoMuestra.ENVIADA for m in muestras),
        "con_errores": [form for form in forms.values() if form.errors],
        "impide": impide,
    }
    return render(request, "laboratorio/despacho.html", contexto, status=status)


def _conciliar(request: HttpRequest, despacho: Despacho, forms: list[FormularioLlegada]) -> HttpResponse:
    llegadas = [
        recepcion.Llegada(
            muestra=form.muestra,
            condicion=form.cleaned_data["condicion"],
            cantidad_recibida=form.cleaned_data["cantidad_recibida"],
            conservacion_al_llegar=form.cleaned_data["conservacion_al_llegar"],
            observaciones=form.cleaned_data["observaciones"],
        )
        for form in forms
        if form.cleaned_data["llego"]
    ]
    fuera = recepcion.conciliar(despacho=despacho, actor=request.user, llegadas=llegadas)
    faltan = despacho.conciliaciones.filter(desenlace="falto").count()
    dicho = _("%(despacho)s conciliado: %(n)s recibidas ahora, %(faltan)s no llegaron.")
    messages.success(request, dicho % {"despacho": despacho, "n": len(llegadas) - len(fuera), "faltan": faltan})
    for linea in fuera:
        messages.warning(request, linea)
    for llegada in llegadas:
        llegada.muestra.refresh_from_db()
        if llegada.muestra.cadena_rota:
            messages.warning(request, aviso_de_frio(llegada.muestra))
    return redirect("despacho", numero=despacho.numero)


# ── Retained duplicates ───────────────────────────────────────────────────────────────────────────


@require_safe
@con_rol(Rol.RECEPCION, Rol.DIRECTOR)
def contramuestras(request: HttpRequest) -> HttpResponse:
    return _contramuestras(request, FormularioEliminarVarias(usuario=request.user))


@require_POST
@con_rol(Rol.RECEPCION)
def contramuestras_eliminar(request: HttpRequest) -> HttpResponse:
    form = FormularioEliminarVarias(request.POST, usuario=request.user)
    if not form.is_valid():
        return _contramuestras(request, form, status=422)
    try:
        with transaction.atomic():
            acta = guarda.eliminar_varias(actor=request.user, **form.cleaned_data)
    except DatoInvalido as error:
        devolver(form, error)
        return _contramuestras(request, form, status=422)
    except ActoRechazado as error:
        form.add_error(None, str(error.mensaje))
        return _contramuestras(request, form, status=409)
    n = acta.muestras.count()
    cuantas = _("1 contramuestra eliminada") if n == 1 else _("%(n)s contramuestras eliminadas") % {"n": n}
    messages.success(
        request, _("%(cuantas)s con el acta %(acta)s: imprímala y fírmenla.") % {"cuantas": cuantas, "acta": acta}
    )
    return redirect(f"{reverse('contramuestras')}#actas")


def _contramuestras(request: HttpRequest, form: FormularioEliminarVarias, *, status: int = 200) -> HttpResponse:
    hoy = timezone.localdate(reloj.ahora())
    filas: list[Any] = list(guarda.guardadas(Muestra.objects.visibles_para(request.user))[:LARGO])
    marcadas = set(form.data.getlist("muestras")) if form.is_bound else set()  # type: ignore[attr-defined]
    for fila in filas:
        fila.vencida = fila.contramuestra_hasta is None or fila.contramuestra_hasta < hoy
        fila.marcable = fila.vencida and not fila.dirimencia_desde
        fila.marcada = str(fila.pk) in marcadas
    contexto = {
        "filas": filas,
        "vencidas": sum(fila.marcable for fila in filas),
        "form": form,
        "elimina": request.user.tiene(Rol.RECEPCION),
        "actas": ActaEliminacion.objects.select_related("responsable")
        .prefetch_related("muestras")
        .order_by("-pk")[:ACTAS],
        "largo": LARGO,
    }
    return render(request, "laboratorio/contramuestras.html", contexto, status=status)


@require_safe
@con_rol(Rol.RECEPCION, Rol.DIRECTOR)
def acta_de_eliminacion(request: HttpRequest, numero: str) -> HttpResponse:
    acta = get_object_or_404(ActaEliminacion.objects.select_related("responsable"), numero=numero)
    return pdf(guarda.pdf_del_acta(acta), acta.numero)

"""Questions between post and laboratory: to ask, to answer, and what waits on each side."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from expedientes.actos import conflicto, devolver
from senasa import escrito
from senasa.models import ROLES_DE_LABORATORIO, ROLES_DE_PUESTO, Rol
from senasa.permisos import con_rol
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from . import preguntas as dialogo
from .forms import FormularioContestar, FormularioPreguntar
from .models import Muestra

PREGUNTAN = (*sorted(ROLES_DE_PUESTO), *sorted(ROLES_DE_LABORATORIO))
CONTESTADAS = 20
LARGO = 200


@require_safe
@con_rol(*map(Rol, PREGUNTAN))
def preguntas(request: HttpRequest) -> HttpResponse:
    contexto = {
        "por_contestar": dialogo.por_contestar(request.user)[:LARGO],
        "sin_respuesta": dialogo.sin_respuesta(request.user)[:LARGO],
        "contestadas": dialogo.contestadas(request.user)[:CONTESTADAS],
    }
    return render(request, "laboratorio/preguntas.html", contexto)


@require_http_methods(["GET", "HEAD", "POST"])
@con_rol(*map(Rol, PREGUNTAN))
def muestra_preguntar(request: HttpRequest, numero: str) -> HttpResponse:
    suyas = Muestra.objects.visibles_para(request.user).select_related(
        "expediente__puesto", "partida__producto", "partida__pais_origen"
    )
    muestra = get_object_or_404(suyas, numero=numero)
    lado = dialogo.lado_de(request.user, muestra)
    if lado is None:
        raise PermissionDenied(_("Preguntan y contestan el puesto de la muestra y el laboratorio."))
    opciones = {"muestra": muestra, "usuario": request.user}
    if request.method == "POST":
        form = FormularioPreguntar(request.POST, **opciones)
        if form.is_valid():
            try:
                with transaction.atomic():
                    pregunta = dialogo.preguntar(muestra=muestra, actor=request.user, **form.cleaned_data)
            except DatoInvalido as error:
                devolver(form, error)
            else:
                quien = pregunta.para or pregunta.get_lado_display()
                messages.success(request, _("Pregunta hecha a: %(quien)s. Se le avisa por correo.") % {"quien": quien})
                return redirect(f"{reverse('muestra', args=[numero])}#preguntas")
    else:
        antes = escrito.recuperar(request)
        form = FormularioPreguntar(antes, **opciones) if antes else FormularioPreguntar(**opciones)
    contexto = {
        "titulo": _("Preguntar al laboratorio") if lado == dialogo.Lado.PUESTO else _("Preguntar al puesto"),
        "verbo": _("Preguntar"),
        "form": form,
        "muestra": muestra,
        "volver": reverse("muestra", args=[numero]),
        "que_hara": [
            _("La pregunta queda en la página de la muestra y en la bitácora; se contesta una sola vez."),
            _("Avisa por correo a quien debe contestar. El importador no la ve."),
        ],
    }
    return render(request, "laboratorio/preguntar.html", contexto, status=422 if form.is_bound and form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@con_rol(*map(Rol, PREGUNTAN))
def pregunta_contestar(request: HttpRequest, pk: int) -> HttpResponse:
    suyas = dialogo.visibles(request.user).select_related("muestra__expediente__puesto")
    pregunta = get_object_or_404(suyas, pk=pk)
    if dialogo.lado_de(request.user, pregunta.muestra) != pregunta.lado:
        raise PermissionDenied(_("Contesta el lado al que se preguntó."))
    volver = f"{reverse('muestra', args=[pregunta.muestra.numero])}#preguntas"
    form = FormularioContestar(request.POST or escrito.recuperar(request) or None)
    try:
        if pregunta.respondida_en:
            raise EstadoImpide(_("Esta pregunta ya está contestada."))
        if request.method == "POST" and form.is_valid():
            with transaction.atomic():
                dialogo.contestar(pregunta=pregunta, actor=request.user, **form.cleaned_data)
            messages.success(request, _("Respuesta enviada a %(quien)s.") % {"quien": pregunta.autor.firma_corta})
            return redirect(volver)
    except RolImpide as error:
        raise PermissionDenied(error.mensaje) from error
    except EstadoImpide as error:
        return conflicto(request, error, expediente=pregunta.muestra.expediente, volver=volver)
    contexto = {
        "titulo": _("Contestar"),
        "verbo": _("Contestar"),
        "form": form,
        "muestra": pregunta.muestra,
        "pregunta": pregunta,
        "volver": volver,
        "que_hara": [
            _("La respuesta llega por correo a quien preguntó y queda en la bitácora. No se corrige después.")
        ],
    }
    estado = 422 if request.method == "POST" else 200
    return render(request, "laboratorio/preguntar.html", contexto, status=estado)

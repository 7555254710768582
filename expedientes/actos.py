"""The page of an act, once for all of them: refuse early, bind the form, call one service, say what was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from senasa import cuentas, escrito
from senasa.models import ROLES_DE_LABORATORIO
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide, Transicion

from . import avisos, textos
from .lifecycle import TABLAS, exigir
from .models import Expediente, Partida


def atender(
    request: HttpRequest,
    *,
    objeto: Any,
    accion: str,
    tabla: Mapping[str, Transicion],
    formulario: Callable[..., BaseForm],
    hacer: Callable[..., Any],
    que_hara: Sequence[str] = (),
    resumen: Sequence[str] = (),
    volver: str = "",
    titulo: str = "",
    plantilla: str = "acto.html",
    inicial: dict[str, Any] | None = None,
    contexto: dict[str, Any] | None = None,
    decide: bool = False,
) -> HttpResponse:
    """GET shows the form of `accion` on `objeto`; POST calls `hacer(**cleaned_data)` and goes back to the case.

    `formulario` is called with data and files when posted, with nothing otherwise (bind its own arguments by
    `functools.partial`); `inicial` is what it starts with. `que_hara`: what the button will do, in sentences.
    `volver`: where to go afterwards, the case unless told. `decide`: the act decides or signs, so whoever may do it
    is asked again who he is. What was typed before a sign-in comes back to be confirmed. A refused act answers 403
    (role), 409 (state, with what happened meanwhile) or the form again with everything typed and the reason beside
    its field.
    """
    transicion = tabla[accion]
    expediente = objeto if isinstance(objeto, Expediente) else objeto.expediente
    volver = volver or reverse("expediente", args=[expediente.numero])
    try:
        exigir(objeto, accion, request.user, tabla=tabla)
        if decide and cuentas.debe_confirmar(request):
            return cuentas.confirmar(request)
        if request.method == "POST":
            form = formulario(request.POST, request.FILES)
            if form.is_valid() and _hecho(form, hacer, objeto=objeto, accion=accion, repetible=transicion.a is None):
                messages.success(request, _mensaje(transicion, expediente))
                return redirect(volver)
        elif escrito_antes := escrito.recuperar(request):
            form = formulario(escrito_antes)
        else:
            form = formulario(initial={**(inicial or {}), "visto": expediente.eventos})
    except RolImpide as error:
        raise PermissionDenied(error.mensaje) from error
    except EstadoImpide as error:
        return conflicto(request, error, expediente=expediente, volver=volver)
    return render(
        request,
        plantilla,
        {
            "titulo": titulo or transicion.verbo,
            "verbo": transicion.verbo,
            "expediente": expediente,
            "partida": objeto if isinstance(objeto, Partida) else None,
            "resumen": resumen,
            "que_hara": [*que_hara, *_a_quien_avisa(transicion, expediente)],
            "form": form,
            "volver": volver,
            **(contexto or {}),
        },
        status=422 if request.method == "POST" else 200,
    )


def atender_sin_caso(
    request: HttpRequest,
    *,
    titulo: str,
    verbo: str,
    formulario: Callable[..., BaseForm],
    hacer: Callable[..., Any],
    volver: str,
    dicho: str,
    que_hara: Sequence[str] = (),
    resumen: Sequence[str] = (),
    plantilla: str = "acto.html",
    contexto: dict[str, Any] | None = None,
    decide: bool = False,
) -> HttpResponse:
    """The page of an act that is of no case: a rule, a certificate, a deputy. As `atender`, but for what a case gives.

    `dicho`: what is said once it is done. Refused by role it answers 403; by state, it goes back saying why.
    """
    if decide and cuentas.debe_confirmar(request):
        return cuentas.confirmar(request)
    try:
        if request.method == "POST":
            form = formulario(request.POST, request.FILES)
            if form.is_valid():
                try:
                    hacer(**form.cleaned_data)
                except DatoInvalido as error:
                    devolver(form, error)
                else:
                    messages.success(request, dicho)
                    return redirect(volver)
        elif escrito_antes := escrito.recuperar(request):
            form = formulario(escrito_antes)
        else:
            form = formulario()
    except RolImpide as error:
        raise PermissionDenied(error.mensaje) from error
    except EstadoImpide as error:
        return render(request, "409.html", {"mensaje": error.mensaje, "eventos": [], "volver": volver}, status=409)
    return render(
        request,
        plantilla,
        {
            "titulo": titulo,
            "verbo": verbo,
            "resumen": resumen,
            "que_hara": que_hara,
            "form": form,
            "volver": volver,
            **(contexto or {}),
        },
        status=422 if request.method == "POST" else 200,
    )


def _hecho(form: BaseForm, hacer: Callable[..., Any], *, objeto: Any, accion: str, repetible: bool) -> bool:
    datos = {campo: valor for campo, valor in form.cleaned_data.items() if campo != "visto"}
    try:
        with transaction.atomic():
            if repetible:
                _exigir_al_dia(objeto, accion, form.cleaned_data.get("visto"))
            hacer(**datos)
    except DatoInvalido as error:
        devolver(form, error)
        return False
    return True


def _exigir_al_dia(objeto: Any, accion: str, visto: int | None) -> None:
    """Refuse an act that keeps the state when somebody did the same one since the page was opened.

    Of eight who set the hour of one inspection at once, one does; the others see which hour it is.
    """
    caso = Expediente.objects.select_for_update().get(pk=objeto.expediente_id)
    suyos = caso.bitacora.filter(objeto=objeto._meta.model_name, objeto_id=objeto.pk, accion=accion)
    if visto is not None and suyos.filter(n__gt=visto).exists():
        raise EstadoImpide(_("Este mismo acto se registró mientras usted escribía. Vea si el suyo todavía hace falta."))


def devolver(form: BaseForm, error: ValidationError) -> None:
    """Put each of a service's objections beside its field, or above the form when it has none."""
    por_campo = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    for campo, errores in por_campo.items():
        form.add_error(campo if campo in form.fields else None, errores)


# What happens to a sample whatever is found in it.
DE_TODA_MUESTRA = {"rotular", "enviar", "recibir", "rechazar", "perder", "anular_muestra"}


def conflicto(request: HttpRequest, error: EstadoImpide, *, expediente: Expediente, volver: str) -> HttpResponse:
    """The 409 page: why not, and what others did since the page with the form was opened.

    Outside the laboratory nothing is said of its bench, which takes other steps when something was found.
    """
    visto = request.POST.get("visto", "")
    recientes = expediente.bitacora.select_related("actor").order_by("-n")
    if not request.user.tiene(*ROLES_DE_LABORATORIO):
        de_muestra = Q(objeto="muestra", accion__in=DE_TODA_MUESTRA)
        recientes = recientes.filter(de_muestra | Q(objeto__in=["expediente", "partida"]))
    recientes = recientes.filter(n__gt=int(visto[:9])) if visto.isdecimal() else recientes[:3]
    eventos = [
        {
            "titulo": hecho(evento.objeto, evento.accion),
            "cuando": evento.registrado_en,
            "quien": evento.actor.firma_corta if evento.actor else evento.get_origen_display(),
        }
        for evento in recientes[:10]
    ]
    contexto = {"mensaje": error.mensaje, "eventos": eventos, "volver": volver}
    return render(request, "409.html", contexto, status=409)


# What the log says of entries that no transition wrote.
OTROS_HECHOS = {
    "emitir_riv": "RIV firmado",
    "corregir_correo": "Correo corregido",
    "reenviar_enlace": "Enlace de seguimiento reenviado",
    "reenviar_aviso": "Aviso reenviado",
    "agregar_documentos": "Documentos agregados",
    "incorporar": "Incorporado desde el registro anterior",
    "exportar": "Expediente exportado",
    "recordar_observacion": "Recordatorio de la observación",
    "falto_al_conciliar": "No llegó con su manifiesto",
    "avisar_demora": "Demora del traslado, avisada a los dos lados",
    "preguntar": "Pregunta sobre una muestra",
    "contestar": "Pregunta contestada",
    "tomar_accion": "Acción tomada por un atraso",
    "cerrar_accion": "Acción por un atraso, cerrada",
}


def hecho(objeto: str, accion: str) -> str:
    """How an entry of the log reads: what its transition says was done."""
    transicion = TABLAS.get(objeto, {}).get(accion)
    return str(transicion.hecho) if transicion else OTROS_HECHOS.get(accion, accion.replace("_", " ").capitalize())


def _mensaje(transicion: Transicion, expediente: Expediente) -> str:
    partes = [f"{transicion.hecho}."]
    if transicion.avisa and not textos.apagado(transicion.avisa):
        quienes = _(" y ").join(avisos.destinatarios(expediente))
        partes.append(_("Se avisa por correo a %(quienes)s.") % {"quienes": quienes})
    return " ".join(partes)


def _a_quien_avisa(transicion: Transicion, expediente: Expediente) -> list[str]:
    if not transicion.avisa:
        return [_("No envía ningún aviso al importador.")]
    if textos.apagado(transicion.avisa):
        return [_("No envía ningún aviso al importador: el de este acto está apagado.")]
    quienes = _(" y ").join(avisos.destinatarios(expediente))
    return [_("Avisa por correo a %(quienes)s, con el enlace de seguimiento.") % {"quienes": quienes}]

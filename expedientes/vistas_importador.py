"""What the importer does himself, from the page that his link opens: a form, a page that says what will happen, a POST.

Between the two his files wait (`espera`) under tickets that only his link is good for. When somebody was faster
nothing is stored, and what he wrote comes back to him with what happened meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from notificaciones.models import Enlace
from senasa.transicion import DatoInvalido, EstadoImpide

from . import espera, forms, incidencias, seguimiento
from .actos import devolver, hecho
from .archivos import ArchivoNuevo, ya_revisado
from .lifecycle import Accion
from .limites import demasiadas
from .models import ABIERTOS, Evento, Expediente, Observacion
from .vistas_publicas import seguido, sin_enlace
from .vistas_solicitar import formulario, publica


@dataclass(frozen=True)
class Acto:
    """One act of the importer's: what its pages say, and what it calls with the cleaned data and the files."""

    accion: str
    titulo: str
    verbo: str
    que_pasara: list[str]
    listo: str
    hacer: Callable[..., Any]
    form: Callable[..., forms.DelImportador]
    peligro: bool = False
    con_archivos: bool = False
    observacion: Observacion | None = None


@publica
@formulario
def seguimiento_responder(request: HttpRequest, numero: str) -> HttpResponse:
    """Answer what the inspector objected to, with files."""

    def acto(expediente: Expediente, _enlace: Enlace) -> Acto:
        return Acto(
            accion=Accion.RESPONDER,
            titulo=_("Responder la observación"),
            verbo=_("Enviar la respuesta"),
            que_pasara=[
                _("Su respuesta y sus documentos llegan al inspector."),
                _("El trámite vuelve a donde estaba y su reloj sigue."),
                _("Se responde una sola vez: compruebe que contesta todos los puntos."),
            ],
            listo=_("Recibimos su respuesta."),
            hacer=incidencias.responder,
            form=forms.RespuestaDelImportador,
            con_archivos=True,
            observacion=expediente.observacion,
        )

    return _atender(request, numero, acto)


@publica
@formulario
def seguimiento_agregar(request: HttpRequest, numero: str) -> HttpResponse:
    """Files that nobody asked for."""

    def acto(_expediente: Expediente, _enlace: Enlace) -> Acto:
        return Acto(
            accion="agregar_documentos",
            titulo=_("Agregar documentos"),
            verbo=_("Agregarlos al expediente"),
            que_pasara=[
                _("Quedan en el expediente y el inspector los ve."),
                _("No se pueden quitar después."),
                _("No cambia la etapa ni los plazos del trámite."),
            ],
            listo=_("Los documentos están en su expediente."),
            hacer=incidencias.agregar_documentos,
            form=forms.DocumentosDelImportador,
            con_archivos=True,
        )

    return _atender(request, numero, acto)


@publica
@formulario
def seguimiento_anular(request: HttpRequest, numero: str) -> HttpResponse:
    """Annul the request, while no sample was taken."""

    def acto(expediente: Expediente, enlace: Enlace) -> Acto:
        suyos = Q(importador__correo__iexact=enlace.correo) | Q(agente__correo__iexact=enlace.correo)
        del_mismo = Expediente.objects.filter(suyos, importador=expediente.importador, estado__in=ABIERTOS)
        otros = list(del_mismo.exclude(pk=expediente.pk).order_by("-id")[:20])
        return Acto(
            accion=Accion.ANULAR,
            titulo=_("Anular la solicitud"),
            verbo=_("Anular la solicitud"),
            que_pasara=[
                _("El trámite termina: no habrá inspección ni decisión."),
                _("No se puede deshacer. Para importar la carga hará falta otra solicitud."),
            ],
            listo=_("La solicitud quedó anulada."),
            hacer=incidencias.anular,
            form=lambda *args, **mas: forms.AnulacionDelImportador(*args, otros=otros, **mas),
            peligro=True,
        )

    return _atender(request, numero, acto)


@publica
@formulario
def seguimiento_desistir(request: HttpRequest, numero: str) -> HttpResponse:
    """Withdraw: the importer gives up, or re-exports of his own will."""

    def acto(_expediente: Expediente, _enlace: Enlace) -> Acto:
        return Acto(
            accion=Accion.DESISTIR,
            titulo=_("Desistir del trámite"),
            verbo=_("Desistir del trámite"),
            que_pasara=[
                _("El trámite termina sin decisión: la carga no puede ingresar con esta solicitud."),
                _("Los análisis que estaban por hacerse se cancelan."),
                _("No se puede deshacer."),
            ],
            listo=_("Quedó registrado su desistimiento."),
            hacer=incidencias.desistir,
            form=forms.DesistimientoDelImportador,
            peligro=True,
        )

    return _atender(request, numero, acto)


# ── The one way of all four ───────────────────────────────────────────────────────────────────────


def _atender(request: HttpRequest, numero: str, de_que: Callable[[Expediente, Enlace], Acto]) -> HttpResponse:
    suyo = seguido(request, numero)
    if suyo is None:
        return sin_enlace(request)
    expediente, enlace = suyo
    if request.method == "POST" and (pare := demasiadas(request, "acto")):
        return pare
    acto = de_que(expediente, enlace)
    if acto.accion not in seguimiento.puede(expediente, enlace.correo, seguimiento.contar(expediente)):
        return _conflicto(request, expediente, enlace, acto)
    if request.method != "POST" or "cambiar" in request.POST:
        return _pedir(request, expediente, enlace, acto)
    form = acto.form(request.POST, request.FILES)
    form.is_valid()
    fichas = _fichas(request, enlace)
    if "archivos" in form.cleaned_data:  # good files are kept whatever else is wrong
        fichas = _sumar(form, fichas, enlace, exigir="respuesta" not in form.fields)
    if form.errors:
        return _pedir(request, expediente, enlace, acto, form=form, fichas=fichas)
    if "confirmado" not in request.POST:
        return _confirmar(request, expediente, acto, form, fichas)
    try:
        _hacer(expediente, acto, form, fichas)
    except DatoInvalido as error:
        devolver(form, error)
        return _pedir(request, expediente, enlace, acto, form=form, fichas=fichas)
    except EstadoImpide as error:
        return _conflicto(request, expediente, enlace, acto, error.mensaje)
    messages.success(request, acto.listo)
    return redirect("seguimiento_caso", numero)


Fichas = list[tuple[str, espera.EnEspera]]


def _dueno(enlace: Enlace) -> str:
    return f"enlace:{enlace.pk}"


def _fichas(request: HttpRequest, enlace: Enlace) -> Fichas:
    """The files chosen before, which wait; those that were left out or are gone are not among them."""
    quitar = set(request.POST.getlist("quitar"))
    guardadas = [
        (ficha, espera.recuperar(espera.RESPUESTA, ficha, de=_dueno(enlace)))
        for ficha in dict.fromkeys(request.POST.getlist("ficha"))
        if ficha not in quitar
    ]
    return [(ficha, guardada) for ficha, guardada in guardadas if guardada]


def _sumar(form: forms.DelImportador, fichas: Fichas, enlace: Enlace, *, exigir: bool) -> Fichas:
    """The files that wait and those just handed in, which wait from now on."""
    nuevos: list[ArchivoNuevo] = form.cleaned_data["archivos"]
    tope = 2 * settings.ARCHIVOS_MAX
    if len(fichas) + len(nuevos) > tope:
        form.add_error("archivos", _("Caben %(tope)d archivos cada vez: envíe los demás después.") % {"tope": tope})
        return fichas
    if exigir and not fichas and not nuevos:
        form.add_error("archivos", _("Elija al menos un archivo."))
    for archivo in nuevos:
        datos = {"nombre": archivo.nombre, "tipo": archivo.tipo, "recibido": archivo.recibido}
        ficha = espera.guardar(espera.RESPUESTA, archivo.contenido, de=_dueno(enlace), **datos)
        if guardada := espera.recuperar(espera.RESPUESTA, ficha, de=_dueno(enlace)):
            fichas = [*fichas, (ficha, guardada)]
    return fichas


@transaction.atomic
def _hacer(expediente: Expediente, acto: Acto, form: forms.DelImportador, fichas: Fichas) -> None:
    datos = {campo: valor for campo, valor in form.cleaned_data.items() if campo not in ("visto", "archivos")}
    if acto.con_archivos:
        datos["archivos"] = [ya_revisado(una.nombre, una.tipo, una.contenido, una.recibido) for _f, una in fichas]
        for _ficha, una in fichas:
            transaction.on_commit(partial(espera.olvidar, una.ruta))
    acto.hacer(expediente=expediente, actor=None, **datos)


def _pedir(
    request: HttpRequest,
    expediente: Expediente,
    enlace: Enlace,
    acto: Acto,
    *,
    form: forms.DelImportador | None = None,
    fichas: Fichas | None = None,
) -> HttpResponse:
    if form is None:
        inicial: dict[str, Any] = {**request.POST.dict()} if request.method == "POST" else {"visto": expediente.eventos}
        form = acto.form(initial=inicial)
        fichas = _fichas(request, enlace)
    contexto = {"expediente": expediente, "acto": acto, "form": form, "fichas": fichas, "titulo": acto.titulo}
    if acto.observacion:
        contexto["queda"] = seguimiento.queda(acto.observacion.vence_en)
    return render(request, "expedientes/seguimiento_acto.html", contexto, status=422 if form.errors else 200)


def _confirmar(
    request: HttpRequest, expediente: Expediente, acto: Acto, form: forms.DelImportador, fichas: Fichas
) -> HttpResponse:
    """What will happen, and nothing has happened yet."""
    ocultos = [(campo, request.POST.get(campo, "")) for campo in form.fields if campo != "archivos"]
    dicho = [(form[campo].label, _dicho(form, campo)) for campo, _valor in ocultos if campo != "visto"]
    contexto = {"expediente": expediente, "acto": acto, "ocultos": ocultos, "dicho": dicho, "fichas": fichas}
    return render(request, "expedientes/seguimiento_confirmar.html", contexto)


def _dicho(form: forms.DelImportador, campo: str) -> str:
    valor = form.cleaned_data.get(campo)
    opciones = dict(getattr(form.fields[campo], "choices", ()))
    return str(opciones.get(valor, valor) if isinstance(valor, str) else valor or "")


def _conflicto(
    request: HttpRequest, expediente: Expediente, enlace: Enlace, acto: Acto, mensaje: Any = ""
) -> HttpResponse:
    """Somebody was first, or its moment has passed: what happened, and everything that was written, given back."""
    expediente = Expediente.objects.select_related("puesto").get(pk=expediente.pk)
    vencio = seguimiento.sin_poder(expediente, enlace.correo)
    contexto = {
        "expediente": expediente,
        "acto": acto,
        "mensaje": mensaje or _por_que_no(expediente, acto, vencio),
        "eventos": _ultimos(expediente, request.POST.get("visto", "")),
        "escrito": [request.POST[campo] for campo in ("respuesta", "texto") if request.POST.get(campo)],
        "fichas": _fichas(request, enlace) if expediente.abierto and not vencio else [],
    }
    return render(request, "expedientes/seguimiento_conflicto.html", contexto, status=409)


def _por_que_no(expediente: Expediente, acto: Acto, vencio: Any) -> str:
    if vencio:
        mensaje = _("Su poder como agente venció el %(dia)s: presente uno vigente en mesa de partes.")
        return mensaje % {"dia": vencio.strftime("%d/%m/%Y")}
    if acto.accion == Accion.ANULAR and expediente.abierto:
        return _("Ya se tomó una muestra, o ya se decidió: la solicitud no se puede anular.")
    if not expediente.abierto:
        return _("El trámite ya terminó.")
    if acto.accion == Accion.RESPONDER:
        return _("Este expediente no tiene una observación por responder: puede que ya la haya respondido alguien.")
    return _("Ya se decidió el ingreso de la carga.")


def _ultimos(expediente: Expediente, visto: str) -> list[dict[str, Any]]:
    """The case's own acts since the form was opened. Who, in the words of somebody outside: no staff name."""
    recientes = expediente.bitacora.filter(objeto="expediente").order_by("-n")
    recientes = recientes.filter(n__gt=int(visto[:9])) if visto.isascii() and visto.isdigit() else recientes[:2]
    quienes = {
        Evento.Origen.IMPORTADOR: _("desde el enlace de seguimiento"),
        Evento.Origen.PERSONA: str(expediente.puesto),
        Evento.Origen.SISTEMA: _("el sistema"),
    }
    return [
        {
            "titulo": _(hecho(evento.objeto, evento.accion)),
            "cuando": evento.registrado_en,
            "quien": quienes[Evento.Origen(evento.origen)],
        }
        for evento in recientes[:10]
    ]

"""The pages of what interrupts, ends, moves or opens again a case, each the form of one act."""

from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from senasa.models import Rol
from senasa.transicion import EstadoImpide

from . import forms, incidencias
from .actos import atender, conflicto
from .lifecycle import EXPEDIENTE, Accion
from .models import Expediente
from .views import acto

DEJA_DE_TRABAJARSE = gettext_lazy("El trámite termina sin dictamen; los análisis que estaban por hacerse se cancelan.")


def expediente_visible(request: HttpRequest, numero: str) -> Expediente:
    visibles = Expediente.objects.visibles_para(request.user).select_related(
        "importador", "agente", "puesto", "inspector"
    )
    return get_object_or_404(visibles, numero=numero)


@acto
def expediente_observar(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    return atender(
        request,
        objeto=expediente,
        accion=Accion.OBSERVAR,
        tabla=EXPEDIENTE,
        titulo=_("Observar el expediente"),
        formulario=forms.FormularioObservar,
        hacer=partial(incidencias.observar, expediente=expediente, actor=request.user),
        que_hara=[
            _("El reloj del trámite se detiene hasta que el importador responda."),
            _("Mientras tanto el puesto no puede seguir con sus partidas; el laboratorio sí termina lo que tiene."),
            _("Se le recuerda dos días antes; vencido el plazo, el jefe de puesto puede declarar el abandono."),
        ],
    )


@acto
def expediente_responder(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    observacion = expediente.observacion
    return atender(
        request,
        objeto=expediente,
        accion=Accion.RESPONDER,
        tabla=EXPEDIENTE,
        formulario=forms.FormularioResponder,
        hacer=partial(incidencias.responder, expediente=expediente, actor=request.user),
        resumen=observacion.lista if observacion else [],
        que_hara=[_("El expediente vuelve a donde estaba y su reloj sigue, con los días que estuvo detenido de más.")],
    )


@acto
def expediente_abandonar(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    observacion = expediente.observacion
    vencio = _("El plazo para responder vence el %(dia)s.") if observacion else ""
    return atender(
        request,
        objeto=expediente,
        accion=Accion.ABANDONAR,
        tabla=EXPEDIENTE,
        formulario=forms.FormularioAbandonar,
        hacer=partial(incidencias.abandonar, expediente=expediente, actor=request.user),
        resumen=[vencio % {"dia": observacion.vence_en.strftime("%d/%m/%Y")}] if observacion else [],
        que_hara=[str(DEJA_DE_TRABAJARSE)],
        contexto={"peligro": True},
    )


@acto
def expediente_desistir(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    return atender(
        request,
        objeto=expediente,
        accion=Accion.DESISTIR,
        tabla=EXPEDIENTE,
        formulario=forms.FormularioDesistir,
        hacer=partial(incidencias.desistir, expediente=expediente, actor=request.user),
        que_hara=[_("Deja constancia de que el importador desiste de su solicitud."), str(DEJA_DE_TRABAJARSE)],
        contexto={"peligro": True},
    )


@acto
def expediente_anular(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    return atender(
        request,
        objeto=expediente,
        accion=Accion.ANULAR,
        tabla=EXPEDIENTE,
        titulo=_("Anular el expediente"),
        formulario=partial(forms.FormularioAnular, usuario=request.user),
        hacer=partial(incidencias.anular, expediente=expediente, actor=request.user),
        que_hara=[
            str(DEJA_DE_TRABAJARSE),
            _("Su número y su bitácora se conservan; si es un duplicado, lleva al expediente que sigue."),
        ],
        contexto={"peligro": True},
    )


@acto
def expediente_reabrir(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    return atender(
        request,
        objeto=expediente,
        accion=Accion.REABRIR,
        tabla=EXPEDIENTE,
        formulario=partial(forms.FormularioReabrir, expediente=expediente),
        hacer=partial(incidencias.reabrir, expediente=expediente, actor=request.user),
        titulo=_("Reabrir el expediente"),
        que_hara=[
            _("Las partidas elegidas vuelven atrás; las demás quedan como están."),
            _("El nuevo dictamen emitirá un RIV que reemplaza al anterior."),
        ],
        decide=True,  # it undoes a decision
    )


@acto
def expediente_trasladar(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    return atender(
        request,
        objeto=expediente,
        accion=Accion.TRASLADAR,
        tabla=EXPEDIENTE,
        titulo=_("Trasladar a otro puesto"),
        formulario=partial(forms.FormularioTrasladar, expediente=expediente),
        hacer=partial(incidencias.trasladar, expediente=expediente, actor=request.user),
        que_hara=[
            _("Lo ofrece al otro puesto, que desde ahora puede leerlo."),
            _("Hasta que su jefe lo acepte sigue siendo de este puesto."),
            _("El número no cambia."),
        ],
    )


@acto
def expediente_aceptar_traslado(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    if ya_no := _ya_no_se_ofrece(request, expediente):
        return ya_no
    return atender(
        request,
        objeto=expediente,
        accion=Accion.ACEPTAR_TRASLADO,
        tabla=EXPEDIENTE,
        formulario=forms.FormularioDeActo,
        hacer=partial(incidencias.aceptar_traslado, expediente=expediente, actor=request.user),
        resumen=_oferta(expediente),
        que_hara=[_("Desde ahora lo que falte lo hace su puesto, con los plazos de su puesto.")],
    )


@acto
def expediente_rechazar_traslado(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    if ya_no := _ya_no_se_ofrece(request, expediente):
        return ya_no
    return atender(
        request,
        objeto=expediente,
        accion=Accion.RECHAZAR_TRASLADO,
        tabla=EXPEDIENTE,
        formulario=forms.FormularioRechazarTraslado,
        hacer=partial(incidencias.rechazar_traslado, expediente=expediente, actor=request.user),
        resumen=_oferta(expediente),
        que_hara=[_("El expediente queda en el puesto que lo ofreció, que lee por qué.")],
    )


def _ya_no_se_ofrece(request: HttpRequest, expediente: Expediente) -> HttpResponse | None:
    """A chief who sends the answer again reads that it is settled, not that it is none of his business."""
    if expediente.traslado_ofrecido or not request.user.tiene(Rol.JEFE_DE_PUESTO):
        return None
    error = EstadoImpide(_("%(expediente)s ya no está ofrecido en traslado.") % {"expediente": expediente})
    volver = reverse("expediente", args=[expediente.numero])
    return conflicto(request, error, expediente=expediente, volver=volver)


def _oferta(expediente: Expediente) -> list[str]:
    traslado = expediente.traslado_ofrecido
    return [f"{traslado.de_puesto} → {traslado.a_puesto}", traslado.causa] if traslado else []


@acto
def expediente_cambiar_agente(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    actual = expediente.agente
    return atender(
        request,
        objeto=expediente,
        accion=Accion.CAMBIAR_AGENTE,
        tabla=EXPEDIENTE,
        titulo=_("Cambiar de agente de aduana"),
        formulario=forms.FormularioCambiarAgente,
        hacer=partial(incidencias.cambiar_agente, expediente=expediente, actor=request.user),
        resumen=[_("Agente actual: %(agente)s") % {"agente": actual} if actual else _("Hoy no tiene agente.")],
        que_hara=[
            _("Los enlaces del agente anterior dejan de abrir el expediente, y se le avisa."),
            _("El nuevo agente recibe el suyo."),
        ],
    )

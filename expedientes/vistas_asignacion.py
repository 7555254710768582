"""The pages of who sees to a case, each the form of one act."""

from functools import partial

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from . import asignacion, forms
from .actos import atender
from .lifecycle import EXPEDIENTE, Accion
from .views import acto
from .vistas_incidencias import expediente_visible


@acto
def expediente_asignar(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    return atender(
        request,
        objeto=expediente,
        accion=Accion.ASIGNAR,
        tabla=EXPEDIENTE,
        formulario=partial(forms.FormularioDeInspector, expediente=expediente),
        hacer=partial(asignacion.asignar, expediente=expediente, actor=request.user),
        que_hara=[_("El caso aparece entre los suyos; los demás del puesto pueden seguir actuando en él.")],
    )


@acto
def expediente_tomar(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    return atender(
        request,
        objeto=expediente,
        accion=Accion.TOMAR,
        tabla=EXPEDIENTE,
        formulario=forms.FormularioDeCargo,
        hacer=partial(asignacion.tomar, expediente=expediente, actor=request.user),
        que_hara=[_("El caso queda a su cargo y aparece entre los suyos.")],
    )


@acto
def expediente_pasar(request: HttpRequest, numero: str) -> HttpResponse:
    expediente = expediente_visible(request, numero)
    return atender(
        request,
        objeto=expediente,
        accion=Accion.PASAR,
        tabla=EXPEDIENTE,
        formulario=partial(forms.FormularioDeInspector, expediente=expediente),
        hacer=partial(asignacion.pasar, expediente=expediente, actor=request.user),
        resumen=[_("Hoy a cargo de %(quien)s") % {"quien": expediente.inspector}] if expediente.inspector else [],
        que_hara=[_("Desde ahora está a cargo de quien elija; lo hecho queda como está.")],
    )

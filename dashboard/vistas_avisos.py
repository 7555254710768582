"""The page of the notices of cases: which did not arrive, the mail as it was sent, and sending it again."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from expedientes import entregas
from indicadores import vistas_informados
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.permisos import con_rol
from senasa.transicion import EstadoImpide, RolImpide

from . import avisos
from .busqueda import leer
from .forms import FiltroDeAvisos
from .queries import ATIENDEN, VEN_CASOS

POR_PAGINA = 50


@con_rol(*VEN_CASOS)
@require_safe
def lista(request: HttpRequest) -> HttpResponse:
    """What became of every notice; the strip of states filters."""
    form = FiltroDeAvisos({"dias": 30, **request.GET.dict()})
    form.is_valid()  # what was not understood is left out
    q, dias = leer(form.cleaned_data.get("q", "")), form.dias_elegidos
    todas = avisos.hallar(entregas.visibles_para(request.user), q=q, dias=dias, ahora=reloj.ahora())
    elegido, cuenta = request.GET.get("estado", ""), avisos.contar(todas)
    pagina = Paginator(avisos.filtrar(todas, elegido), POR_PAGINA).get_page(request.GET.get("page"))
    urls = {clave: f"?{urlencode({'q': q, 'dias': str(dias), 'estado': clave if clave != elegido else ''})}"
            for clave in cuenta}  # fmt: skip
    return render(
        request,
        "dashboard/avisos_de_todos.html",
        {
            "form": form,
            "por_reparar": cuenta[avisos.POR_REPARAR],
            "contadores": avisos.contadores(cuenta, elegido, urls),
            "page_obj": pagina,
            "avisos": avisos.de_varios(pagina),
            "atiende": request.user.tiene(*ATIENDEN),
            "filtrado": bool(q or elegido),
            "dirige": request.user.tiene(*vistas_informados.DIRIGEN),
        },
    )


@con_rol(*VEN_CASOS)
@require_safe
def aviso(request: HttpRequest, pk: int) -> HttpResponse:
    """One mail as it was sent, but for its link."""
    notificacion = get_object_or_404(entregas.visibles_para(request.user).select_related("reenvio", "enlace"), pk=pk)
    (fila,) = avisos.de_varios([notificacion])
    return render(
        request,
        "dashboard/aviso.html",
        {
            "aviso": fila,
            "notificacion": notificacion,
            "texto": avisos.texto_sin_enlace(notificacion),
            "atiende": request.user.tiene(*ATIENDEN),
        },
    )


@con_rol(*ATIENDEN)
@require_POST
def reenviar(request: HttpRequest, pk: int) -> HttpResponse:
    """Send it again, once however often the button is pressed."""
    notificacion: Notificacion = get_object_or_404(entregas.visibles_para(request.user), pk=pk)
    try:
        nueva = entregas.reenviar_aviso(notificacion=notificacion, actor=request.user)
    except RolImpide as error:
        raise PermissionDenied(error.mensaje) from error
    except EstadoImpide as error:
        messages.warning(request, error.mensaje)
    else:
        messages.success(request, _("Aviso reenviado a %(correo)s.") % {"correo": nueva.correo})
    volver = request.POST.get("volver", "")
    propio = url_has_allowed_host_and_scheme(
        volver, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(volver if propio else reverse("aviso", args=[pk]))

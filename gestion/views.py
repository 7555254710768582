"""What is each one's own: the actions he is responsible for, and the bell, read or not."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from notificaciones import internos
from notificaciones.models import AvisoInterno
from senasa import reloj, vivo

from . import campana, queries

POR_PAGINA = 30
LARGO = 50


@require_safe
def mis_avisos(request: HttpRequest) -> HttpResponse:
    pagina = Paginator(internos.de(request.user), POR_PAGINA).get_page(request.GET.get("page"))
    mias = list(queries.mis_acciones(request.user)[:LARGO])
    acciones = queries.filas_de(mias, request.user, reloj.ahora())
    sin_leer = any(not aviso.leido_en for aviso in pagina)
    return render(request, "gestion/mis_avisos.html", {"page_obj": pagina, "acciones": acciones, "sin_leer": sin_leer})


@login_not_required
@require_safe
def campana_ahora(request: HttpRequest) -> HttpResponse:
    """The bell of a page that is open: a 304 while it says the same.

    When the session has ended it says nothing: nobody who still writes is led away from his page by it.
    """
    if not request.user.is_authenticated:
        return HttpResponse(status=204)
    return vivo.responder(
        request,
        campana.pieza(request.user),
        segundos=settings.CAMPANA_SEGUNDOS,
        id="sin-leer",
        novedad=_("Cambiaron sus avisos sin leer."),
    )


@require_POST
def mis_avisos_leer(request: HttpRequest) -> HttpResponse:
    n = internos.leer(internos.sin_leer(request.user))
    messages.success(request, ngettext("Un aviso leído.", "%(n)s avisos leídos.", n) % {"n": n})
    return redirect("mis_avisos")


@require_POST
def aviso_interno_leer(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark one as read and, unless asked to stay, go to what it is about."""
    aviso = get_object_or_404(AvisoInterno, usuario=request.user, pk=pk)
    internos.leer(AvisoInterno.objects.filter(pk=aviso.pk))
    return redirect(aviso.url if aviso.url and "abrir" in request.POST else "mis_avisos")

"""How an address wants its notices. The token in the address is the proof: there is neither account nor cookie.

Opening a page changes nothing, since mail scanners open it too.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from notificaciones import preferencias as acciones
from notificaciones.models import Preferencia

from .forms import FormularioPreferencias
from .limites import demasiadas
from .vistas_publicas import sin_enlace
from .vistas_solicitar import formulario, publica


@publica
@formulario
def preferencias(request: HttpRequest, token: str) -> HttpResponse:
    suya = acciones.abrir(token)
    if suya is None:
        return sin_enlace(request)
    form = FormularioPreferencias(request.POST or None, initial={"modo": suya.modo})
    if request.method == "POST":
        if pare := demasiadas(request, "preferencias", clave=str(suya.pk)):
            return pare
        if form.is_valid():
            acciones.guardar(preferencia=suya, **form.cleaned_data)
            messages.success(request, _("Guardado. Rige desde ahora."))
            return redirect("preferencias", token)
    estado = 422 if form.errors else 200
    return render(request, "expedientes/preferencias.html", {"form": form, "correo": _velado(suya)}, status=estado)


@publica
# A reader's mail program posts here by itself (RFC 8058): it has neither cookie nor CSRF token, and must be told no
# other way. The token proves as much as its page does, and what it stops is news that asks nothing.
@csrf_exempt
@formulario
def preferencias_baja(request: HttpRequest, token: str) -> HttpResponse:
    suya = acciones.abrir(token)
    if suya is None:
        return sin_enlace(request)
    if request.method == "POST":
        if pare := demasiadas(request, "preferencias", clave=str(suya.pk)):
            return pare
        suya = acciones.guardar(preferencia=suya, modo=Preferencia.Modo.MINIMO)
    contexto = {"correo": _velado(suya), "token": token, "hecho": suya.modo == Preferencia.Modo.MINIMO}
    return render(request, "expedientes/baja.html", contexto)


def _velado(preferencia: Preferencia) -> str:
    """Enough of the address for its owner to know it, too little for whoever was forwarded the mail."""
    quien, _arroba, donde = preferencia.correo.partition("@")
    return f"{quien[:2]}…@{donde}"

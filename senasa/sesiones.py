"""Who passes: signed in, for one shift, with a second factor where it is required. What was typed is not lost.

A session ends twelve hours after its sign-in, however much it is used; when its user is deactivated; and when the
password or a second factor changes (`Usuario.sesiones` is part of its seal).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.csrf import csrf_failure
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from . import cuentas, escrito

# What a person without the second factor may open: the pages that set one up, and the way out.
PARA_PONERLO = {
    "mfa_index",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "account_reauthenticate",
    "account_change_password",
    "account_logout",
}


class Ingreso(LoginRequiredMiddleware):
    """Deny by default: a public view says @login_not_required."""

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        if request.user.is_authenticated and _termino_el_turno(request):
            logout(request)
            messages.info(request, _("Su sesión terminó: dura un turno de 12 horas. Ingrese otra vez."))
        fuera = super().process_view(request, view_func, view_args, view_kwargs)
        if fuera is not None or not request.user.is_authenticated or not getattr(view_func, "login_required", True):
            return fuera
        request.sin_segundo_factor = not cuentas.pasa_con_segundo_factor(request)  # type: ignore[attr-defined]
        nombre = request.resolver_match.url_name if request.resolver_match else ""
        if not request.sin_segundo_factor or nombre in PARA_PONERLO:  # type: ignore[attr-defined]
            return None
        if request.method == "POST":
            escrito.guardar(request, request.user.pk)
        return _ir(request, reverse("mfa_index"))

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Any
    ) -> HttpResponseBase:
        if request.method == "POST":
            if escrito.guardar(request, escrito.autor(request)):
                mensaje = _("Su sesión había terminado. Ingrese otra vez: lo que escribió está guardado.")
            else:
                mensaje = _("Su sesión había terminado y no se hizo nada. Ingrese y repita el envío.")
            messages.warning(request, mensaje)
        if htmx := HtmxDetails(request):
            pagina = htmx.current_url_abs_path or "/"
            return _ir(request, reverse("account_login", query={"next": pagina}))
        return super().handle_no_permission(request, view_func)

    def process_response(self, request: HttpRequest, respuesta: HttpResponseBase) -> HttpResponseBase:
        # Back from the sign-in at an address that only takes forms: show the page where the form stands.
        if respuesta.status_code == 405 and request.method == "GET" and (pagina := escrito.pagina_de(request)):
            messages.info(request, _("Todavía no se hizo nada: hágalo otra vez en esta página."))
            return redirect(pagina)
        return respuesta


def _termino_el_turno(request: HttpRequest) -> bool:
    """Counted from the sign-in: Django's own expiry starts anew with each change to the session."""
    desde = request.session.setdefault("ingreso", int(time.time()))
    return time.time() - desde >= settings.SESSION_COOKIE_AGE


def _ir(request: HttpRequest, url: str) -> HttpResponse:
    """A page for the whole window, also when only a piece of it was asked for."""
    return HttpResponseClientRedirect(url) if HtmxDetails(request) else redirect(url)


def csrf_rechazado(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form drawn before the last sign-in has an old token: its author, and nobody else, gets it back to confirm."""
    propia = request.headers.get("Origin") == f"{request.scheme}://{request.get_host()}"
    autor = escrito.autor(request) if propia else None
    if autor is None or not escrito.guardar(request, autor):
        return csrf_failure(request, reason=reason)
    if not request.user.is_authenticated:
        return redirect(reverse("account_login", query={"next": request.get_full_path()}))
    if request.user.pk != autor:
        return csrf_failure(request, reason=reason)
    return redirect(request.get_full_path())

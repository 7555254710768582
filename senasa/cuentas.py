"""How allauth treats accounts here: an administrator gives them, and a second factor proves them.

Asked again before signing and deciding: with the second factor where there is one, else the password, else the
identity provider.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.views import password_change
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.webauthn.views import remove_webauthn
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from . import escrito, llave, oidc
from .models import Usuario

FACTORES = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]  # recovery codes only stand in for one of these
# How to show again who one is, with a second factor: allauth's ways and our words.
MANERAS = {
    "mfa_reauthenticate": _("Usar un código"),
    "mfa_reauthenticate:webauthn": _("Usar una llave de seguridad"),
}
# In the session: the identity provider already asked for a second factor.
LO_PROBO_EL_PROVEEDOR = "segundo_factor_del_proveedor"


def tiene_segundo_factor(usuario: Any) -> bool:
    return Authenticator.objects.filter(user=usuario, type__in=FACTORES).exists()


def pasa_con_segundo_factor(request: HttpRequest) -> bool:
    return (
        not settings.SEGUNDO_FACTOR
        or request.session.get(LO_PROBO_EL_PROVEEDOR, False)
        or tiene_segundo_factor(request.user)
    )


def debe_confirmar(request: HttpRequest) -> bool:
    """Whether the person must show again who it is: no proof of the strongest kind in the last quarter of an hour."""
    registros = get_authentication_records(request, request.user)
    if tiene_segundo_factor(request.user):
        pruebas = {"mfa", "socialaccount"} if request.session.get(LO_PROBO_EL_PROVEEDOR) else {"mfa"}
        registros = [registro for registro in registros if registro["method"] in pruebas]
    return not registros or time.time() - registros[-1]["at"] > settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def confirmar(request: HttpRequest) -> HttpResponse:
    """Ask who it is and come back. What was typed waits to be confirmed; allauth itself would carry the act out."""
    if request.method == "POST":
        escrito.guardar(request, request.user.pk)
    metodo = get_adapter().get_reauthentication_methods(request.user)[0]
    return redirect(f"{metodo['url']}?{urlencode({'next': request.get_full_path()})}")


class Adaptador(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_stages(self) -> list[str]:
        propia = f"{EtapaDeSegundoFactor.__module__}.{EtapaDeSegundoFactor.__name__}"
        de_allauth = f"{AuthenticateStage.__module__}.{AuthenticateStage.__name__}"
        return [propia if etapa == de_allauth else etapa for etapa in super().get_login_stages()]

    def post_login(self, request: HttpRequest, user: Any, **opciones: Any) -> HttpResponse:
        respuesta = super().post_login(request, user, **opciones)
        request.session["ingreso"] = int(time.time())
        if oidc.probo_segundo_factor(opciones.get("signal_kwargs")):
            request.session[LO_PROBO_EL_PROVEEDOR] = True
        escrito.recordar_autor(request, respuesta)
        return respuesta

    def is_reauthentication_required(self, *, app: str, **opciones: Any) -> bool:
        return debe_confirmar(context.request)

    def get_reauthentication_methods(self, user: Any) -> list[dict]:
        metodos = super().get_reauthentication_methods(user)
        if tiene_segundo_factor(user):
            metodos = [
                {**metodo, "description": MANERAS[metodo["id"]]} for metodo in metodos if metodo["id"] in MANERAS
            ]
            # The first is the one that opens: who has no app of codes would meet a page for the recovery codes.
            con_codigos = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()
            return metodos if con_codigos else metodos[::-1]
        # Without a password the same page sends the person to the identity provider.
        por_clave = {"id": "reauthenticate", "description": "", "url": reverse("account_reauthenticate")}
        return metodos or [por_clave]

    def send_password_reset_mail(self, user: Any, email: str, context: dict[str, Any]) -> None:
        # Whoever enters by the identity provider has no second door.
        if user.has_usable_password():
            super().send_password_reset_mail(user, email, context)


class EtapaDeSegundoFactor(AuthenticateStage):
    """allauth's step after the password, left out when the identity provider took it already."""

    def _should_handle(self, request: HttpRequest) -> bool:
        return super()._should_handle(request) and not oidc.probo_segundo_factor(self.login.signal_kwargs)


class AdaptadorDeSegundoFactor(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": _(
            "Es su único segundo factor y aquí es obligatorio: ponga otro antes de quitar este."
        ),
    }

    def encrypt(self, text: str) -> str:
        return llave.cifrar(text, para="segundo factor")

    def decrypt(self, encrypted_text: str) -> str:
        return llave.descifrar(encrypted_text, para="segundo factor")

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        otros = Authenticator.objects.filter(user=authenticator.user_id, type__in=FACTORES)
        return not settings.SEGUNDO_FACTOR or otros.exclude(pk=authenticator.pk).exists()


def cambiar_clave(request: HttpRequest) -> HttpResponse:
    """Whoever enters by the identity provider has no password here, and is not given one."""
    if request.user.has_usable_password():  # type: ignore[union-attr]
        return password_change(request)
    messages.info(request, _("Usted ingresa con la cuenta institucional: aquí no tiene contraseña."))
    return redirect("mfa_index")


def quitar_llave(request: HttpRequest, pk: int) -> HttpResponse:
    """allauth asks `can_delete_authenticator` for the app of codes, and forgets to for the security keys."""
    suya = get_object_or_404(Authenticator, user=request.user, type=Authenticator.Type.WEBAUTHN, pk=pk)
    adaptador = AdaptadorDeSegundoFactor()
    if adaptador.can_delete_authenticator(suya):
        return remove_webauthn(request, pk=pk)
    messages.error(request, adaptador.error_messages["cannot_delete_authenticator"])
    return redirect("mfa_list_webauthn")


def cerrar_sesiones(usuario: Usuario) -> None:
    """Every session of the user ends at its next request."""
    Usuario.objects.filter(pk=usuario.pk).update(sesiones=F("sesiones") + 1)
    usuario.refresh_from_db(fields=["sesiones"])


def al_cambiar_un_factor(*, instance: Authenticator, created: bool | None = None, **_opciones: Any) -> None:
    """Receives the rows of factors saved and deleted: one more or one less ends the other sessions, not this one."""
    if created is False:
        return  # used, or given another name
    usuario = Usuario.objects.get(pk=instance.user_id)
    cerrar_sesiones(usuario)
    request = context.request
    if request is not None and request.user.pk == usuario.pk:
        update_session_auth_hash(request, usuario)
        if created and instance.type in FACTORES:
            # Setting one up is a proof of it: do not ask for it again a second later.
            record_authentication(request, usuario, "mfa", type=instance.type, reauthenticated=True)


@transaction.atomic
def quitar_segundo_factor(*, usuario: Usuario, autor: Usuario, causa: str) -> None:
    """For whoever lost the phone or the key: the next sign-in asks to set one up again. It stays in the history."""
    Authenticator.objects.filter(user=usuario).delete()
    cerrar_sesiones(usuario)
    mensaje = _("Segundo factor quitado: %(causa)s") % {"causa": causa}
    LogEntry.objects.log_actions(autor.pk, [usuario], CHANGE, mensaje, single_object=True)

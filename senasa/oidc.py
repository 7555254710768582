"""Sign-in by an identity provider (OpenID Connect): who the person is comes from there, and so do the roles.

The first sign-in creates the user, or takes over the one with the same verified address; each sign-in brings roles,
and posts and disciplines where a map is given, from the groups. A person has one door: taking over a user takes his
password away, so that leaving the institution is told in one place.
"""

from __future__ import annotations

import logging
from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.utils import generate_unique_username
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.checks import Error, register
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from requests import RequestException

from .models import ROLES_DE_PERSONAS, Disciplina, Puesto, Usuario

registro = logging.getLogger(__name__)


def reclamos(sociallogin: Any) -> dict[str, Any]:
    """What the provider says of the person: the signed token, and over it the user's own page."""
    datos = sociallogin.account.extra_data
    return {**(datos.get("id_token") or {}), **(datos.get("userinfo") or {})}


def probo_segundo_factor(signal_kwargs: dict[str, Any] | None) -> bool:
    """Whether the signed token says one of the values that OIDC_SEGUNDO_FACTOR takes for a second factor."""
    sociallogin = (signal_kwargs or {}).get("sociallogin")
    if sociallogin is None or not settings.OIDC_SEGUNDO_FACTOR:
        return False
    token = sociallogin.account.extra_data.get("id_token") or {}
    dichos = {str(valor) for valor in [token.get("acr"), *_lista(token.get("amr"))]}
    return not dichos.isdisjoint(settings.OIDC_SEGUNDO_FACTOR)


def _lista(valor: Any) -> list[str]:
    if isinstance(valor, str):
        return [parte.strip() for parte in valor.split(",")]
    return [str(parte) for parte in valor] if isinstance(valor, list) else []


def _de_los_grupos(grupos: list[str], mapa: dict[str, list[str]]) -> list[str]:
    return sorted({destino for grupo in grupos for destino in mapa.get(grupo, [])})


class ConFirma(OpenIDConnectOAuth2Adapter):
    """allauth believes a token because it came over TLS; what stands between may not be the provider: check it."""

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        self.did_fetch_access_token = False
        return super()._decode_id_token(app, id_token)


@login_not_required
def ir(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    try:
        return openid_connect.login(request, provider_id)
    except (RequestException, KeyError) as error:
        return _no_responde(request, error)


@login_not_required
def volver(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    try:
        return OAuth2CallbackView.adapter_view(ConFirma(request, provider_id))(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except (RequestException, KeyError, TypeError, ValueError) as error:  # an answer without what it must say
        return _no_responde(request, error)


def _no_responde(request: HttpRequest, error: Exception) -> HttpResponse:
    registro.warning("El proveedor de identidad no responde bien: %s", type(error).__name__)
    return render(request, "socialaccount/authentication_error.html", status=502)


class AdaptadorDelProveedor(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False  # `pre_social_login` creates whoever may come in

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        datos = reclamos(sociallogin)
        token = sociallogin.account.extra_data.get("id_token") or {}
        if sociallogin.state.get("process") != "login" or token.get("sub") != datos.get("sub"):
            _negar(request, _("La respuesta del proveedor de identidad no es la que se pidió."))
        if sociallogin.is_existing and not sociallogin.user.is_active:
            raise ImmediateHttpResponse(redirect("account_inactive"))
        grupos = _lista(datos.get(settings.OIDC_GRUPOS))
        roles = _de_los_grupos(grupos, settings.OIDC_ROLES)
        if not roles:
            _negar(
                request,
                _(
                    "Lo reconocimos, pero ninguno de sus grupos tiene un rol en este sistema. "
                    "Pida a su jefe o al administrador que lo agregue al grupo que corresponde."
                ),
            )
        with transaction.atomic():
            if not sociallogin.is_existing:
                sociallogin.connect(request, _persona(request, datos))
            _actualizar(sociallogin.user, roles, grupos)


def _negar(request: HttpRequest, causa: str) -> NoReturn:
    pagina = render(request, "socialaccount/authentication_error.html", {"causa": causa}, status=403)
    raise ImmediateHttpResponse(pagina)


def _persona(request: HttpRequest, datos: dict[str, Any]) -> Usuario:
    """The user with the verified address, who loses his password, or a new one."""
    correo = str(datos.get("email") or "").strip()
    if not correo or datos.get("email_verified") not in (True, "true"):
        _negar(request, _("El proveedor de identidad no confirma su correo electrónico. Pida que lo verifiquen allí."))
    usuario = Usuario.objects.select_for_update().filter(email__iexact=correo).first()
    if usuario is None:
        sugeridos = [str(datos.get("preferred_username") or ""), correo]
        usuario = Usuario(username=generate_unique_username(sugeridos), email=correo.lower())
        usuario.first_name = str(datos.get("given_name") or "")[:150]
        usuario.last_name = str(datos.get("family_name") or "")[:150]
    elif not usuario.is_active:
        raise ImmediateHttpResponse(redirect("account_inactive"))
    usuario.set_unusable_password()
    usuario.save()
    return usuario


def _actualizar(usuario: Usuario, roles: list[str], grupos: list[str]) -> None:
    usuario.poner_roles(roles)
    usuario.save(update_fields=["roles", "is_staff", "is_superuser"])
    mapas: list[tuple[dict[str, list[str]], Any, Any]] = [
        (settings.OIDC_PUESTOS, Puesto, usuario.puestos),
        (settings.OIDC_DISCIPLINAS, Disciplina, usuario.disciplinas),
    ]
    for mapa, modelo, campo in mapas:
        if mapa:
            codigos = _de_los_grupos(grupos, mapa)
            hallados = modelo.objects.filter(codigo__in=codigos)
            if faltan := set(codigos) - {uno.codigo for uno in hallados}:
                registro.warning("OIDC: no existe %s", ", ".join(sorted(faltan)))
            campo.set(hallados)


@register()
def roles_conocidos(**_opciones: Any) -> list[Error]:
    """A misspelt role would silently leave people out."""
    pedidos = {rol for roles in settings.OIDC_ROLES.values() for rol in roles}
    desconocidos = sorted(pedidos - {rol.value for rol in ROLES_DE_PERSONAS})
    return [Error(f"OIDC_ROLES nombra roles que no existen: {', '.join(desconocidos)}.")] if desconocidos else []

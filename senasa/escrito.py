"""What was typed when a session ended: kept an hour for its author, and given back on the same page.

Nothing is done on anybody's behalf: the page comes back as it was typed, and its author confirms it. It waits on the
server, encrypted, under its author and its address: nobody else who signs in on that browser sees it. Files cannot
wait; the page says which to choose again.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import CSRF_TOKEN_LENGTH, _unmask_cipher_token  # type: ignore[attr-defined]
from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from . import llave

HORA = 60 * 60
MAXIMO = 256 * 1024
SECRETO = re.compile(r"passw|contrase|csrfmiddlewaretoken", re.IGNORECASE)

# Whose the open pages of a browser are. A form's CSRF token is made from the secret of the sign-in that drew the
# page, so this signed list of (user, fingerprint of that secret) tells its author after the session is gone, and
# also when another sign-in, of whomever, took its place.
AUTORES = "autores"
AUTORES_DURA = 7 * 24 * HORA
AUTORES_CUANTOS = 6


def _huella(texto: str) -> str:
    return hashlib.sha256(texto.encode()).hexdigest()[:32]


def _autores(request: HttpRequest) -> list[list[Any]]:
    try:
        return signing.loads(request.COOKIES.get(AUTORES, ""), salt=AUTORES, max_age=AUTORES_DURA)
    except signing.BadSignature:
        return []


def recordar_autor(request: HttpRequest, respuesta: HttpResponse) -> None:
    """To be called at each sign-in, once Django has renewed the CSRF secret."""
    autores = [*_autores(request), [request.user.pk, _huella(request.META["CSRF_COOKIE"])]]
    respuesta.set_cookie(
        AUTORES,
        signing.dumps(autores[-AUTORES_CUANTOS:], salt=AUTORES),
        max_age=AUTORES_DURA,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def autor(request: HttpRequest) -> int | None:
    """Who was signed in when the page that sends this form was drawn, as far as this browser knows."""
    ficha = request.POST.get("csrfmiddlewaretoken", "")
    if len(ficha) != CSRF_TOKEN_LENGTH or not ficha.isalnum() or not ficha.isascii():
        return None
    huella = _huella(_unmask_cipher_token(ficha))
    return next((quien for quien, suya in _autores(request) if suya == huella), None)


def _clave(quien: int, ruta: str) -> str:
    return f"escrito:{quien}:{_huella(ruta)}"


def guardar(request: HttpRequest, quien: int | None) -> bool:
    """Keep what this POST carries for `quien`; False when there is nobody to keep it for, or it is too much."""
    if quien is None or _es_ajena(request.path):
        return False
    datos = QueryDict(mutable=True)
    for campo, valores in request.POST.lists():
        if not SECRETO.search(campo):
            datos.setlist(campo, valores)
    texto = json.dumps(
        {
            "datos": datos.urlencode(),
            "archivos": [archivo.name for lista in request.FILES.lists() for archivo in lista[1] if archivo.name],
            "pagina": _pagina(request),
        }
    )
    if len(texto) > MAXIMO:
        return False
    cache.set(_clave(quien, request.path), llave.cifrar(texto, para="escrito"), HORA)
    return True


def _es_ajena(ruta: str) -> bool:
    """Pages of Django and allauth: their forms hold secrets, and would not take the text back."""
    try:
        modulo = resolve(ruta).func.__module__
    except Resolver404:
        return True
    return modulo.startswith(("allauth.", "django."))


def _pagina(request: HttpRequest) -> str:
    """The page where the form stood, when the form goes to another address."""
    desde = request.headers.get("Referer", "")
    seguro = url_has_allowed_host_and_scheme(desde, {request.get_host()}, require_https=request.is_secure())
    return desde if seguro else "/"


def _leer(quien: int, ruta: str) -> dict[str, Any] | None:
    cifrado = cache.get(_clave(quien, ruta))
    if cifrado is None:
        return None
    try:
        return json.loads(llave.descifrar(cifrado, para="escrito"))
    except llave.InvalidToken:
        return None  # SECRET_KEY was changed meanwhile


def recuperar(request: HttpRequest, ruta: str = "") -> QueryDict | None:
    """What the reader had typed for `ruta` (this address unless told), once, saying so; None when there is nothing."""
    if request.method != "GET" or not request.user.is_authenticated:
        return None
    ruta = ruta or request.path
    guardado = _leer(request.user.pk, ruta)
    if guardado is None:
        return None
    cache.delete(_clave(request.user.pk, ruta))
    datos = QueryDict(guardado["datos"])
    if set(datos) <= {"visto"}:
        messages.info(request, _("Todavía no se hizo nada: confirme ahora."))
    else:
        messages.info(request, _("Recuperamos lo que había escrito; revíselo y confirme."))
    if guardado["archivos"]:
        nombres = ", ".join(guardado["archivos"][:5])
        messages.warning(request, _("Los archivos no se guardan: elija otra vez %(cuales)s.") % {"cuales": nombres})
    return datos


def pagina_de(request: HttpRequest) -> str:
    """Where the form stood that was sent to this address, which shows no page of its own; "" when none waits."""
    guardado = _leer(request.user.pk, request.path) if request.user.pk else None
    return guardado["pagina"] if guardado else ""

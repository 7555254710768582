"""Spanish, unless a visitor asked for English with the switch of the public pages.

Not what the browser prefers: staff pages exist in Spanish only, and a browser left in English must
not mix two languages in one form.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def responder(request: HttpRequest) -> HttpResponse:
        elegido = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
        if elegido not in dict(settings.LANGUAGES) or request.user.is_authenticated:
            elegido = settings.LANGUAGE_CODE
        with translation.override(elegido):
            respuesta = get_response(request)
        respuesta.headers.setdefault("Content-Language", elegido)
        return respuesta

    return responder

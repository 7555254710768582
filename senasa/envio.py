"""What a browser may send in one request: bounded before a byte is read, and refused with a page that says so.

Django bounds what is typed, the number of fields and of files, but not the weight of the files; and it answers
all of them with the page for requests that make no sense.
"""

from collections.abc import Callable
from contextlib import suppress

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.template.loader import render_to_string
from django.views.defaults import bad_request

MB = 1024**2
# Read and thrown away before the answer: a connection closed on a browser that still sends shows no page at all.
TRAGO_MB = 200
EXCESOS = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    # A body without a length is no body for Django, so its length is all that counts.
    tope = settings.ENVIO_MAX_MB * MB + settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def responder(request: HttpRequest) -> HttpResponse:
        largo = request.META.get("CONTENT_LENGTH") or ""
        if largo.isdecimal() and int(largo) > tope:
            if int(largo) <= TRAGO_MB * MB:
                with suppress(UnreadablePostError):  # nobody waits for the answer any more
                    while request.read(MB):
                        pass
            raise RequestDataTooBig(f"{largo} bytes")
        return get_response(request)

    return responder


def no_se_entendio(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The 400 of every address; what was too much is a 413, with the limit."""
    if not isinstance(exception, EXCESOS):
        return bad_request(request, exception)
    return HttpResponse(render_to_string("413.html", {"tope": settings.ENVIO_MAX_MB}), status=413)

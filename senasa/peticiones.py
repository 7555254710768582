"""One line and one measurement for each request. A route is known by its name, never by its path."""

import logging
import secrets
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram
from structlog.contextvars import bind_contextvars, clear_contextvars

registro = logging.getLogger(__name__)

PETICIONES = Counter("senasa_peticiones", "Peticiones atendidas", ["ruta", "metodo", "estado"])
SEGUNDOS = Histogram(
    "senasa_peticion_segundos",
    "Lo que tardó cada petición",
    ["ruta"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
METODOS = {"GET", "HEAD", "POST", "OPTIONS"}
# Asked every few seconds by machines: worth a line only when the answer is bad.
DE_MAQUINAS = {"livez", "readyz", "metrics"}


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def atender(request: HttpRequest) -> HttpResponse:
        inicio, numero = time.perf_counter(), secrets.token_hex(8)
        clear_contextvars()
        bind_contextvars(peticion=numero)
        try:
            respuesta = get_response(request)
            _anotar(request, respuesta.status_code, time.perf_counter() - inicio)
        finally:
            clear_contextvars()
        respuesta["X-Request-ID"] = numero
        return respuesta

    return atender


def _anotar(request: HttpRequest, estado: int, segundos: float) -> None:
    resuelta = request.resolver_match
    ruta = resuelta.view_name if resuelta else "ninguna"
    metodo = request.method if request.method in METODOS else "otro"  # a client may send any word
    PETICIONES.labels(ruta, metodo, estado).inc()
    SEGUNDOS.labels(ruta).observe(segundos)
    # The user that somebody already asked for: a log line is not worth a query.
    usuario = getattr(request, "_cached_user", None)
    campos = {
        "ruta": ruta,
        "metodo": metodo,
        "estado": estado,
        "ms": round(segundos * 1000),
        "usuario": usuario and usuario.pk,
    }
    registro.log(logging.DEBUG if ruta in DE_MAQUINAS and estado < 400 else logging.INFO, "petición", extra=campos)

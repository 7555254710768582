"""How often strangers may do what costs us something: counted over all processes, by address or by whom it is for."""

from __future__ import annotations

from allauth.core.internal import ratelimit
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# Of one network address, unless a key is given: brokers share theirs with a whole office.
TASAS = {
    "publico": "60/m/ip",  # what finds nothing
    "correo": "20/h/ip",
    "codigo_a": "6/h/key,15/d/key",  # mails to one address
    "codigo": "40/h/ip",
    "enlace": "40/h/ip",  # to ask for a link again; what one address is sent has its own limit (acceso.py)
    "autoservicio": "400/h/ip",  # one machine, a whole hall of people
    "solicitud": "900/h/ip",
    "archivos": "120/h/ip",
    "verificar": "60/h/ip",  # files to be told whether they are ours
    "presentar": "120/h/ip",
    "acto": "120/h/ip",
    "planilla": "60/h/ip",
    "preferencias": "60/h/key",  # of one address: the programs of many readers post from few machines
}


def demasiadas(request: HttpRequest, que: str, *, clave: str | None = None) -> HttpResponse | None:
    """Count one more; the 429 page when it is one too many."""
    cuenta = ratelimit.consume(
        request, app="expedientes", action=que, key=clave, config={que: TASAS[que]}, limit_get=True
    )  # fmt: skip
    return None if cuenta else render(request, "429.html", status=429)

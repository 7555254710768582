"""The ways to look at a queue, in the URL: what blocks a perishable cargo, what is due, what has waited longest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from senasa import reloj

PRONTO = timedelta(hours=24)
MUCHO = timedelta(days=3)


def filtrar(request: HttpRequest, filas: QuerySet) -> tuple[Any, list[dict[str, Any]]]:
    """The analyses that `?cola=` asks for, and the counters of the strip, each the address of its own view."""
    ahora = reloj.ahora()
    colas = {
        "": (_("Todo"), Q(), "", _("en la cola")),
        "perecible": (_("Perecibles"), Q(muestra__partida__producto__perecible=True), "ambar", _("esperan la carga")),
        "vence": (_("Por vencer"), Q(muestra__partida__vence_en__lte=ahora + PRONTO), "rojo", _("hoy o ya vencido")),
        "antiguo": (_("Antiguos"), Q(estado_desde__lte=ahora - MUCHO), "", _("más de 3 días")),
    }
    elegida = request.GET.get("cola", "")
    elegida = elegida if elegida in colas else ""
    cuentas = filas.order_by().aggregate(
        **{f"n_{clave}": Count("pk", filter=cuales, distinct=True) for clave, (_t, cuales, *_r) in colas.items()}
    )
    contadores = [
        {
            "texto": texto,
            "numero": cuentas[f"n_{clave}"],
            "url": _direccion(request, clave),
            "activo": clave == elegida,
            "tono": tono if cuentas[f"n_{clave}"] else "",
            "nota": nota,
        }
        for clave, (texto, _cuales, tono, nota) in colas.items()
    ]
    return filas.filter(colas[elegida][1]), contadores


def _direccion(request: HttpRequest, cola: str) -> str:
    """This address with another queue; the other filters stay."""
    datos = request.GET.copy()
    datos.pop("marcar", None)
    datos["cola"] = cola
    if not cola:
        del datos["cola"]
    return f"?{datos.urlencode()}"

"""An act on many rows: an outcome for each, and a page that tells every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from senasa.transicion import ActoRechazado, DatoInvalido

from .models import Analisis


@dataclass(frozen=True)
class Salida:
    """What became of one row."""

    que: str
    detalle: str
    por_que: str  # "" when it was done
    url: str


def salida(analisis: Analisis, detalle: str, por_que: str = "") -> Salida:
    return Salida(str(analisis.muestra), detalle, por_que, reverse("muestra", args=[analisis.muestra.numero]))


def salidas_de(
    filas: Iterable[Any],
    hacer: Callable[[Any], Any],
    *,
    detalle: Callable[[Any], str],
    en_fila: Callable[[Any, str, str], Salida] = salida,
) -> list[Salida]:
    """Do an act on each, one after another; what became of every one, told by `en_fila`."""
    salidas = []
    for fila in filas:
        por_que = ""
        try:
            hacer(fila)
        except ActoRechazado as error:
            por_que = str(error.mensaje)
        except DatoInvalido as error:
            por_que = " ".join(error.messages)
        salidas.append(en_fila(fila, detalle(fila), por_que))
    return salidas


def contar(
    request: HttpRequest, salidas: Sequence[Salida], *, titulo: str, hecho: str, volver: str, que: str = ""
) -> HttpResponse:
    """Back to the queue when all was done; else every outcome, those left out first.

    `hecho`: what was done, in words. `que`: what a row is of, a sample unless told.
    """
    fuera = [una for una in salidas if una.por_que]
    if not fuera:
        messages.success(request, hecho)
        return redirect(volver)
    hechas = [una for una in salidas if not una.por_que]
    contexto = {
        "titulo": titulo,
        "hechas": hechas,
        "fuera": fuera,
        "hecho": hecho,
        "volver": volver,
        "que": que or _("Muestra"),
    }
    return render(request, "laboratorio/salidas.html", contexto)

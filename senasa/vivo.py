"""Pieces of pages that a browser asks for again and again: what has not changed costs a 304 and no rendering.

A page that stays true by itself wraps what may change in `componentes/vivo.html`; `static/js/vivo.js` asks for it
again every so often while somebody looks, and sends the ETag of what stands there. The view says, from one cheap
query, a `clave` that is another whenever the piece may be another (the seal of a case's log, the last id of a table,
the hour that its words depend on), and how to compose it. Composed pieces are kept in the memory of the process, a
minute unless the view says otherwise. The ETag is of the piece's own text: nothing that does not show can be told from
it.

A page whose live parts do not stand together names those that lie `aparte`: each goes into the element whose id is
`vivo-` and its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django_htmx.http import HttpResponseClientRefresh

SEGUNDOS = 60
T = TypeVar("T")


@dataclass(frozen=True)
class Pieza:
    """A composed piece and its ETag, quoted as the header wants it."""

    html: str
    etag: str
    aparte: Mapping[str, str] = field(default_factory=dict)


def recordar(clave: str | tuple[object, ...], hacer: Callable[[], T], *, segundos: int = SEGUNDOS) -> T:
    """What `hacer` gives, once for each process, `clave` and `segundos`.

    `clave` must name whoever may see it as well as all that can change it: nothing else keeps readers apart. Its parts,
    if it has any, are told apart by how they are written.
    """
    if not isinstance(clave, str):
        clave = hashlib.sha256(repr(clave).encode()).hexdigest()
    memoria = caches["cercana"]
    guardado: T | None = memoria.get(clave)
    if guardado is None:
        guardado = hacer()
        memoria.set(clave, guardado, segundos)
    return guardado


def pieza(
    clave: str | tuple[object, ...],
    componer: Callable[[], str | tuple[str, Mapping[str, str]]],
    *,
    segundos: int = SEGUNDOS,
) -> Pieza:
    """The piece that `clave` stands for, as `recordar` has it. `componer` gives its HTML, or that and what lies
    `aparte`."""
    return recordar(clave, lambda: _sellar(componer()), segundos=segundos)


def _sellar(hecha: str | tuple[str, Mapping[str, str]]) -> Pieza:
    html, aparte = hecha if isinstance(hecha, tuple) else (hecha, {})
    suma = hashlib.sha256(repr((html, sorted(aparte.items()))).encode()).hexdigest()
    return Pieza(html, f'"{suma[:40]}"', aparte)


def responder(request: HttpRequest, una: Pieza, *, segundos: int, id: str = "", novedad: str = "") -> HttpResponse:
    """What the browser asked for again: a 304 when it has it, else the piece in its wrapper. Kept nowhere on the way.

    `segundos`: when it asks next; 0, never again. `id` and `novedad`: of a piece that is not the page's own.
    """
    # Somebody else has signed in meanwhile, in another tab: nothing of his under the name of the former. What is not
    # the page's own leaves it as it is: somebody may be writing there.
    de_quien = request.headers.get("X-Usuario")
    if de_quien and de_quien != str(request.user.pk):
        return HttpResponse(status=204) if id else HttpResponseClientRefresh()
    respuesta = get_conditional_response(request, etag=una.etag)
    if respuesta is None:
        contexto = {
            "pieza": una, "segundos": segundos, "id": id, "novedad": novedad, "request": request, "de_nuevo": True,
        }  # fmt: skip
        respuesta = HttpResponse(render_to_string("componentes/vivo.html", contexto))
    respuesta["ETag"] = una.etag
    respuesta["Cache-Control"] = "private, no-store"
    return respuesta  # type: ignore[return-value]

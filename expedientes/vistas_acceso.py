"""Ways in without an account: a link asked for again, all of one's cases on one page, and the self-service machine.

Every page that asks answers the same whatever was asked, and as fast: see `acceso`. None of them shows anybody's data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from notificaciones import enlaces
from notificaciones.models import Enlace
from senasa import tablas

from . import acceso, forms, mis_expedientes
from .limites import demasiadas
from .vistas_publicas import GALLETA_DE_TODOS, con_galleta, de_la_galleta, llave_de, sin_enlace
from .vistas_solicitar import Vista, formulario, mandado, pagina, publica

POR_PAGINA = 25
# The machine in the hall forgets whoever went away: what was typed after the first, what was said after the second.
OLVIDA_LO_ESCRITO, OLVIDA_LO_DICHO = 120, 30


# ── Asking for a link again ───────────────────────────────────────────────────────────────────────


@publica
@formulario
def enlace_pedir(request: HttpRequest) -> HttpResponse:
    """By the number of the case and a document of its importer or broker."""
    form = forms.FormularioEnlace(*mandado(request), initial={"numero": request.GET.get("numero", "")[:40]})
    if request.method == "POST" and form.is_valid():
        return demasiadas(request, "enlace") or _pedido(**form.cleaned_data)
    contexto = {
        "titulo": _("Pida el enlace de su expediente"),
        "ayuda": _("Lo enviamos al correo registrado en la solicitud, y a ningún otro."),
        "verbo": _("Enviarme el enlace"),
        "otra_via": True,
    }
    return pagina(request, form, contexto)


@publica
@require_POST
def enlace_renovar(request: HttpRequest) -> HttpResponse:
    """From the page of a link that does not open any more: another, to the address that it was sent to."""
    enlace = enlaces.reconocer(request.POST.get("token", "")[:80])
    return demasiadas(request, "enlace") or _pedido(enlace=enlace)


@publica
@formulario
def seguimiento_todos(request: HttpRequest, numero: str) -> HttpResponse:
    """From the page of one case: the link to all, by mail. What opens one must not open others."""
    llave = llave_de(request, numero)
    if llave is None:
        return sin_enlace(request)
    if request.method != "POST":
        return render(request, "expedientes/seguimiento_todos.html", {"numero": numero})
    if pare := demasiadas(request, "enlace"):
        return pare
    acceso.pedir(correo=llave.correo, todos=True)
    dicho = _(
        "Le enviamos a su correo el enlace que abre todos sus expedientes. "
        "Van como máximo %(tope)d por hora: si no le llega otro, use el último."
    )
    messages.success(request, dicho % {"tope": settings.ENLACES_POR_HORA})
    return redirect("seguimiento_caso", numero)


@publica
@formulario
def mis_expedientes_pedir(request: HttpRequest) -> HttpResponse:
    """By the address alone."""
    form = forms.FormularioCorreo(*mandado(request))
    if request.method == "POST" and form.is_valid():
        return demasiadas(request, "enlace") or _pedido(correo=form.cleaned_data["correo"].lower(), todos=True)
    contexto = {
        "titulo": _("Todos sus expedientes en un enlace"),
        "ayuda": _("Escriba el correo registrado en sus solicitudes: le enviamos ahí un enlace que los abre todos."),
        "verbo": _("Enviarme el enlace"),
    }
    return pagina(request, form, contexto)


def _pedido(**que: Any) -> HttpResponse:
    acceso.pedir(**que)
    return redirect("enlace_pedido")


@publica
@require_safe
def enlace_pedido(request: HttpRequest) -> HttpResponse:
    """What is true whatever was asked."""
    return render(request, "expedientes/enlace_pedido.html", {"tope": settings.ENLACES_POR_HORA})


# ── The machine in the hall ───────────────────────────────────────────────────────────────────────


def que_olvida(segundos: int) -> Callable[[Vista], Vista]:
    """Kept nowhere, not even with its errors, and gone from the screen after a while: a header does it, no script.

    Forgetting is what the machine is for, hence essential (WCAG 2.2.1); the page says when.
    """

    def decorar(vista: Vista) -> Vista:
        @wraps(vista)
        def envuelta(request: HttpRequest) -> HttpResponse:
            respuesta = vista(request)
            respuesta["Cache-Control"] = "no-store"
            if respuesta.status_code in (200, 422):
                respuesta["Refresh"] = f"{segundos}; url={reverse('autoservicio', query={'otra': 1})}"
            return respuesta

        return envuelta

    return decorar


@que_olvida(OLVIDA_LO_ESCRITO)
@publica
@formulario
def autoservicio(request: HttpRequest) -> HttpResponse:
    """The same for whoever has no mail at hand: two big fields, and nothing left for the next in line."""
    if request.method != "POST" and "otra" in request.GET:  # whoever is next begins in Spanish
        limpia = redirect("autoservicio")
        limpia.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
        return limpia
    form = forms.FormularioEnlace(*mandado(request))
    if request.method == "POST" and form.is_valid():
        if pare := demasiadas(request, "autoservicio"):
            return pare
        acceso.pedir(**form.cleaned_data)
        return redirect("autoservicio_listo")
    contexto = {"form": form, "segundos": OLVIDA_LO_ESCRITO}
    return render(request, "expedientes/autoservicio.html", contexto, status=422 if form.errors else 200)


@que_olvida(OLVIDA_LO_DICHO)
@publica
@require_safe
def autoservicio_listo(request: HttpRequest) -> HttpResponse:
    contexto = {"segundos": OLVIDA_LO_DICHO, "tope": settings.ENLACES_POR_HORA}
    return render(request, "expedientes/autoservicio_listo.html", contexto)


# ── All of one's cases ────────────────────────────────────────────────────────────────────────────


def _enlace(request: HttpRequest) -> Enlace | None:
    cual = de_la_galleta(request, GALLETA_DE_TODOS, salt=enlaces.TODOS)
    return acceso.de_todos(*cual) if cual else None


@publica
@require_safe
def mis_expedientes_lista(request: HttpRequest) -> HttpResponse:
    """All cases of the address whose link was opened here: filtered by the URL, a page at a time."""
    enlace = _enlace(request)
    if enlace is None:
        return sin_enlace(request)
    lista = mis_expedientes.Lista(enlace.correo, request.GET)
    page_obj = Paginator(lista.casos, POR_PAGINA).get_page(request.GET.get("page"))
    contexto = {
        "correo": enlace.correo,
        "form": lista.form,
        "page_obj": page_obj,
        "fichas": list(mis_expedientes.fichas(page_obj.object_list)),  # type: ignore[arg-type]
        "columnas": mis_expedientes.columnas(),
        "hay": lista.cuenta,
        "esperan": lista.esperan,
        "consulta": request.GET.urlencode(),
    }
    return render(request, "expedientes/mis_expedientes.html", contexto)


@publica
@require_safe
def mis_expedientes_exportar(request: HttpRequest) -> HttpResponse:
    """The list as it is shown, every page of it, as CSV or XLSX."""
    enlace = _enlace(request)
    if enlace is None:
        return sin_enlace(request)
    if pare := demasiadas(request, "planilla"):
        return pare
    lista = mis_expedientes.Lista(enlace.correo, request.GET)

    def filas() -> Iterator[tablas.Fila]:
        for ficha in mis_expedientes.fichas(lista.casos[: mis_expedientes.MAX_EXPORTADOS]):
            yield ficha.fila()

    escribir = tablas.FORMATOS.get(request.GET.get("como", ""), tablas.csv_de)
    respuesta = escribir("mis-expedientes", [str(titulo) for titulo in mis_expedientes.columnas()], filas())
    respuesta["Cache-Control"] = "private, no-store"
    return respuesta


@publica
@require_safe
def mis_expedientes_caso(request: HttpRequest, numero: str) -> HttpResponse:
    """To one of the cases of the list, with the cookie of its own pages."""
    enlace = _enlace(request)
    if enlace is None or acceso.llave(numero, enlace.pk, enlace.version) is None:
        return sin_enlace(request)
    return con_galleta(numero, enlace)


@publica
@require_POST
def mis_expedientes_cerrar(request: HttpRequest) -> HttpResponse:
    """The link was lost or went to the wrong hands: it opens nothing from now on, here or elsewhere."""
    enlace = _enlace(request)
    if enlace is None:
        return sin_enlace(request)
    acceso.cerrar_todos(enlace)
    return render(request, "expedientes/enlace_cerrado.html")

"""Many requests in one file, for a confirmed address and for mesa de partes: upload, look, import the good ones.

The file waits under a signed ticket; every look reads it anew, so what is shown is what is true now. Nothing is
imported before the confirmation, and confirming twice imports once.
"""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from senasa.models import Rol

from . import espera, planilla
from .limites import demasiadas
from .vistas_solicitar import publica, solicitante

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class FormularioPlanilla(forms.Form):
    archivo = forms.FileField(
        label=gettext_lazy("Planilla (CSV o Excel)"),
        help_text=gettext_lazy("Hasta 500 filas y 2 MB: CSV, como lo guarda Excel, o el libro .xlsx."),
        max_length=200,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.xlsx,text/csv"}),
    )


@dataclass(frozen=True)
class Puerta:
    """Which of the two ways in: its pages, its frame, and who reads."""

    nombre: str
    marco: str
    lector: planilla.Lector
    de: str
    atras: str

    @property
    def url(self) -> str:
        return reverse(self.nombre)


def _puerta_publica(request: HttpRequest) -> Puerta | None:
    correo = solicitante(request)
    if not correo:
        return None
    lector = planilla.Lector(correo=correo)
    return Puerta("solicitar_csv", "publico.html", lector, lector.dueno, reverse("solicitar_mias"))


def _puerta_de_mesa(request: HttpRequest) -> Puerta:
    if not request.user.tiene(Rol.MESA_DE_PARTES):  # type: ignore[union-attr]
        raise PermissionDenied(_("Registrar solicitudes corresponde a mesa de partes."))
    lector = planilla.Lector(usuario=request.user)  # type: ignore[arg-type]
    return Puerta("expedientes_csv", "base.html", lector, f"usuario:{request.user.pk}", reverse("expediente_nuevo"))


@publica
@require_http_methods(["GET", "HEAD", "POST"])
def solicitar_csv(request: HttpRequest) -> HttpResponse:
    puerta = _puerta_publica(request)
    if puerta is None:
        return redirect(reverse("solicitar_correo", query={"para": "csv"}))
    if request.method == "POST" and (pare := demasiadas(request, "planilla")):
        return pare
    return _atender(request, puerta)


@publica
@require_safe
def solicitar_csv_rechazadas(request: HttpRequest) -> HttpResponse:
    puerta = _puerta_publica(request)
    return _rechazadas(request, puerta) if puerta else redirect(reverse("solicitar_correo", query={"para": "csv"}))


@publica
@require_safe
def solicitar_csv_plantilla(request: HttpRequest) -> HttpResponse:
    """The template, as CSV, or as a workbook when `?como=xlsx` asks for it."""
    if request.GET.get("como") == "xlsx":
        return _archivo(planilla.libro(), "plantilla-solicitudes.xlsx", XLSX)
    return _archivo(planilla.plantilla(), "plantilla-solicitudes.csv", CSV)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def expedientes_csv(request: HttpRequest) -> HttpResponse:
    return _atender(request, _puerta_de_mesa(request))


@never_cache
@require_safe
def expedientes_csv_rechazadas(request: HttpRequest) -> HttpResponse:
    return _rechazadas(request, _puerta_de_mesa(request))


def _atender(request: HttpRequest, puerta: Puerta) -> HttpResponse:
    ficha = (request.POST if request.method == "POST" else request.GET).get("ficha", "")
    if not ficha:
        return _subir(request, puerta)
    leida = _de_la_espera(puerta, ficha)
    if leida is None:
        messages.warning(request, _("Esa planilla ya no está aquí: súbala otra vez. Lo importado no se repite."))
        return redirect(puerta.url)
    if request.method == "POST":
        quedan, refusadas = planilla.importar(leida, puerta.lector, con_repetidas="con_repetidas" in request.POST)
        if quedan:
            messages.warning(request, _("Quedan %(n)d por importar: siga con «Importar».") % {"n": quedan})
        for defecto in refusadas[:10]:
            mensaje = _("Fila %(n)d: %(mensaje)s") % {"n": defecto.fila, "mensaje": defecto.mensaje}
            messages.error(request, mensaje)
        return redirect(reverse(puerta.nombre, query={"ficha": ficha}))
    contexto = {"puerta": puerta, "marco": puerta.marco, "planilla": leida, "ficha": ficha}
    return render(request, "expedientes/planilla_revision.html", {**contexto, "titulo": _titulo(leida)})


def _titulo(leida: planilla.Planilla) -> str:
    if n := len(leida.listas):
        return ngettext("%(n)d solicitud lista para importar", "%(n)d solicitudes listas para importar", n) % {"n": n}
    if n := len(leida.repetidas):
        return ngettext("%(n)d solicitud puede ser repetida", "%(n)d solicitudes pueden ser repetidas", n) % {"n": n}
    if leida.malas:
        return _("Ninguna solicitud por importar")
    return _("Todas las solicitudes están registradas")


def _subir(request: HttpRequest, puerta: Puerta) -> HttpResponse:
    form = FormularioPlanilla(request.POST, request.FILES) if request.method == "POST" else FormularioPlanilla()
    if request.method == "POST" and form.is_valid():
        subido = form.cleaned_data["archivo"]
        contenido = subido.read(planilla.MAX_BYTES + 1)
        try:
            planilla.filas(contenido)
        except planilla.PlanillaInvalida as error:
            form.add_error("archivo", str(error))
        else:
            ficha = espera.guardar(espera.PLANILLA, contenido, nombre=subido.name[:100], de=puerta.de)
            return redirect(reverse(puerta.nombre, query={"ficha": ficha}))
    contexto = {"puerta": puerta, "marco": puerta.marco, "form": form, "columnas": planilla.COLUMNAS}
    estado = 422 if request.method == "POST" else 200
    return render(request, "expedientes/planilla.html", contexto, status=estado)


def _de_la_espera(puerta: Puerta, ficha: str) -> planilla.Planilla | None:
    guardada = espera.recuperar(espera.PLANILLA, ficha, de=puerta.de)
    return puerta.lector.leer(guardada.contenido) if guardada else None


def _rechazadas(request: HttpRequest, puerta: Puerta) -> HttpResponse:
    leida = _de_la_espera(puerta, request.GET.get("ficha", ""))
    if leida is None:
        return redirect(puerta.url)
    return _archivo(planilla.rechazadas(leida), "filas-por-corregir.csv", CSV)


def _archivo(contenido: bytes, nombre: str, tipo: str) -> HttpResponse:
    respuesta = HttpResponse(contenido, content_type=tipo)
    respuesta["Content-Disposition"] = f'attachment; filename="{nombre}"'
    respuesta["Cache-Control"] = "private, no-store"
    return respuesta

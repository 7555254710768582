"""The programme before and after: the baseline against a period, all its versions, and the acts that set one."""

from __future__ import annotations

from functools import partial

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from expedientes.actos import atender_sin_caso
from expedientes.planilla import MAX_BYTES
from senasa.models import Puesto, Rol
from senasa.permisos import con_rol
from senasa.tablas import csv_de

from . import cuadro, linea_base
from .models import LineaBase
from .views import VEN_PROGRAMA, del_periodo, periodo

QUE_HARA = (
    "Agrega una versión: la anterior queda en la historia con su autor y su causa.",
    "Las páginas y los próximos informes comparan con ella; los informes ya hechos no cambian.",
)
HISTORIA = 200
formulario = require_http_methods(["GET", "HEAD", "POST"])


class FormularioLineaBase(forms.Form):
    indicador = forms.ChoiceField(label=gettext_lazy("Indicador"), choices=LineaBase.Indicador.choices)
    puesto = forms.ModelChoiceField(
        Puesto.objects.all(),
        label=gettext_lazy("Puesto"),
        required=False,
        empty_label=gettext_lazy("Todos los puestos juntos"),
    )
    valor = forms.FloatField(
        label=gettext_lazy("Cuánto era"),
        min_value=0,
        max_value=linea_base.TOPE,
        localize=True,
        help_text=gettext_lazy("En la unidad del indicador: días, expedientes, o un porcentaje de 0 a 100."),
    )
    periodo = forms.CharField(
        label=gettext_lazy("De qué período"),
        max_length=80,
        help_text=gettext_lazy("Por ejemplo: enero a junio de 2025."),
    )
    fuente = forms.CharField(
        label=gettext_lazy("Fuente"), max_length=300, help_text=gettext_lazy("De dónde sale la cifra.")
    )
    causa = forms.CharField(
        label=gettext_lazy("Por qué se fija"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )


class FormularioImportar(forms.Form):
    archivo = forms.FileField(
        label=gettext_lazy("Archivo (CSV o Excel)"),
        help_text=gettext_lazy("Columnas: indicador, puesto, valor, periodo, fuente. Sin puesto, es de todos juntos."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.xlsx,text/csv"}),
    )
    causa = forms.CharField(
        label=gettext_lazy("Por qué se fija"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def clean_archivo(self) -> bytes:
        archivo = self.cleaned_data["archivo"]
        if archivo.size > MAX_BYTES:
            raise ValidationError(_("El archivo pesa más de 2 MB."))
        return archivo.read()


@con_rol(*VEN_PROGRAMA)
@require_safe
def base(request: HttpRequest) -> HttpResponse:
    form = periodo(request)
    antes = sorted(version.pk for version in linea_base.vigentes(form.cual).values())
    foto = del_periodo("indicadores", form, cuadro.foto_de_indicadores, antes)
    contexto = {
        "form": form,
        "puesto": form.cual,
        "desde": form.primer_dia,
        "hasta": form.ultimo_dia,
        "filas": cuadro.filas(foto),
        "versiones": linea_base.historia(form.cual)[:HISTORIA],
        "puede": request.user.tiene(Rol.DIRECCION),
    }
    return render(request, "indicadores/linea_base.html", contexto)


@formulario
@con_rol(Rol.DIRECCION)
def fijar(request: HttpRequest) -> HttpResponse:
    return atender_sin_caso(
        request,
        titulo=_("Fijar la línea base de un indicador"),
        verbo=_("Fijarla"),
        formulario=FormularioLineaBase,
        hacer=partial(linea_base.fijar, actor=request.user),
        volver=reverse("linea_base"),
        dicho=_("Línea base fijada."),
        que_hara=QUE_HARA,
    )


@formulario
@con_rol(Rol.DIRECCION)
def importar(request: HttpRequest) -> HttpResponse:
    return atender_sin_caso(
        request,
        titulo=_("Importar la línea base"),
        verbo=_("Importarla"),
        formulario=FormularioImportar,
        hacer=partial(linea_base.importar, actor=request.user),
        volver=reverse("linea_base"),
        dicho=_("Línea base importada."),
        que_hara=[_("Entran todas las filas o, si una no se entiende, ninguna."), *QUE_HARA],
        contexto={"secundario": {"url": reverse("linea_base_plantilla"), "texto": _("Descargar la plantilla")}},
    )


@require_safe
@con_rol(Rol.DIRECCION)
def plantilla(request: HttpRequest) -> HttpResponse:
    """The file to fill in, with what the source programme published of before."""
    return csv_de("linea-base", [columna.nombre for columna in linea_base.COLUMNAS], linea_base.plantilla())

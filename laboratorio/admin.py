"""The laboratory's catalogues. Samples, analyses, results and reports are not here, and must never be."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from senasa.admin import CatalogoAdmin

# Importing it adds the laboratory's acts to those that MotivoAdmin offers.
from . import lifecycle  # noqa: F401
from .models import ControlEsperado, Metodo, ReglaFirma, Requisito


@admin.register(Metodo)
class MetodoAdmin(CatalogoAdmin):
    list_display = ["nombre", "disciplina", "norma", "verificaciones", "dias", "activo"]
    list_filter = ["disciplina", "activo"]
    list_select_related = ["disciplina"]
    search_fields = ["nombre", "codigo", "norma"]


@admin.register(ControlEsperado)
class ControlEsperadoAdmin(CatalogoAdmin):
    list_display = ["metodo", "tipo", "esperado", "activo"]
    list_filter = ["tipo", "metodo__disciplina", "activo"]
    list_select_related = ["metodo__disciplina"]
    search_fields = ["metodo__nombre", "metodo__codigo", "esperado"]


@admin.register(Requisito)
class RequisitoAdmin(CatalogoAdmin):
    list_display = ["producto", "pais_origen", "plaga", "metodo", "activo"]
    list_filter = ["activo", "metodo__disciplina", "producto"]
    list_select_related = ["producto", "pais_origen", "plaga", "metodo__disciplina"]
    search_fields = ["producto__nombre", "plaga__nombre", "plaga__eppo"]


@admin.register(ReglaFirma)
class ReglaFirmaAdmin(admin.ModelAdmin):
    """To be read alone: the director makes its versions, over their replay, on the laboratory's pages."""

    list_display = ["version", "activa", "gracia_minutos", "desde", "autor", "causa"]
    fields = ["version", "activa", "gracia_minutos", "productos", "metodos", "disciplinas", "desde", "causa", "autor"]
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

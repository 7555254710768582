"""The case's catalogues. Cases, lines, documents and the log are not here, and must never be."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Field
from django.http import HttpRequest

from senasa.admin import CatalogoAdmin, CatalogoBorrableAdmin

from .lifecycle import TABLAS
from .models import Motivo, Pais, Plaga, Plazo, Producto


@admin.register(Pais)
class PaisAdmin(CatalogoAdmin):
    list_display = ["codigo", "alfa3", "nombre"]
    search_fields = ["codigo", "alfa3", "nombre"]


@admin.register(Producto)
class ProductoAdmin(CatalogoAdmin):
    list_display = ["nombre", "nombre_cientifico", "nandina", "categoria", "perecible", "por_confirmar", "activo"]
    list_filter = ["categoria", "perecible", "por_confirmar", "activo"]
    search_fields = ["nombre", "nombre_cientifico", "nandina", "codigo"]


@admin.register(Plaga)
class PlagaAdmin(CatalogoAdmin):
    list_display = ["nombre", "eppo", "condicion", "norma", "desde", "por_confirmar"]
    list_filter = ["condicion", "por_confirmar"]
    search_fields = ["nombre", "eppo"]


@admin.register(Motivo)
class MotivoAdmin(CatalogoAdmin):
    list_display = ["texto", "accion", "codigo", "activo"]
    list_filter = ["accion", "activo"]
    search_fields = ["texto", "codigo"]

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "accion":
            # A motive for an act that asks for none would never be shown.
            motivados = {a: t.verbo for tabla in TABLAS.values() for a, t in tabla.items() if t.motivada}
            return forms.ChoiceField(label=db_field.verbose_name, choices=sorted(motivados.items()))
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Plazo)
class PlazoAdmin(CatalogoBorrableAdmin):
    list_display = ["etapa", "puesto", "categoria", "perecible", "cantidad", "unidad"]
    list_filter = ["etapa", "puesto", "categoria", "perecible"]

"""Pages of the case: mesa de partes, the acts of the post, files, and the public ones."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from . import views, vistas_publicas


class NumeroDeCaso(StringConverter):
    """`PCM-2026-000123`: whatever else stands there never reaches the database."""

    regex = r"[A-Z]{2,3}-[0-9]{4}-[0-9]{6,9}"


class CodigoDeVerificacion(StringConverter):
    regex = r"[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}"


register_converter(NumeroDeCaso, "caso")
register_converter(CodigoDeVerificacion, "cvd")

PARTIDA = "expedientes/<caso:numero>/partidas/<int:orden>"

urlpatterns = [
    path("expedientes/nuevo/", views.expediente_nuevo, name="expediente_nuevo"),
    path("expedientes/ephyto/", views.ephyto_leer, name="ephyto_leer"),
    path(f"{PARTIDA}/programar/", views.partida_programar, name="partida_programar"),
    path(f"{PARTIDA}/inspeccionar/", views.partida_inspeccionar, name="partida_inspeccionar"),
    path(f"{PARTIDA}/dictaminar/", views.partida_dictaminar, name="partida_dictaminar"),
    path(
        f"{PARTIDA}/dictaminar-sin-muestra/",
        views.partida_dictaminar_sin_muestra,
        name="partida_dictaminar_sin_muestra",
    ),
    path(f"{PARTIDA}/ordenar-medida/", views.partida_ordenar_medida, name="partida_ordenar_medida"),
    path(f"{PARTIDA}/cumplir-medida/", views.partida_cumplir_medida, name="partida_cumplir_medida"),
    path("expedientes/<caso:numero>/cerrar/", views.expediente_cerrar, name="expediente_cerrar"),
    path("expedientes/<caso:numero>/adjuntos/<int:pk>/", views.adjunto, name="adjunto"),
    path("documentos/<cvd:cvd>/", views.documento, name="documento"),
    # Public.
    path("seguimiento/caso/<caso:numero>/", vistas_publicas.seguimiento_caso, name="seguimiento_caso"),
    path(
        "seguimiento/caso/<caso:numero>/documentos/<cvd:cvd>/",
        vistas_publicas.seguimiento_documento,
        name="seguimiento_documento",
    ),
    path("seguimiento/<str:token>/", vistas_publicas.seguimiento_abrir, name="seguimiento"),
    path("verificar/", vistas_publicas.verificar, name="verificar"),
    path("verificar/<str:cvd>/", vistas_publicas.verificar_cvd, name="verificar_cvd"),
]

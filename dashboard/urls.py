from django.urls import path, register_converter

from . import (
    metricas,
    views,
    vistas_avisos,
    vistas_equipo,
    vistas_exportar,
    vistas_operacion,
    vistas_pronosticos,
    vistas_tablero,
)


class NumeroDeExpediente:
    """`PCM-2026-000123`: so that /expedientes/nuevo/ and its like are nobody's number."""

    regex = r"[A-Z]{2,3}-\d{4}-\d{6,}"

    def to_python(self, valor: str) -> str:
        return valor

    def to_url(self, valor: str) -> str:
        return str(valor)


register_converter(NumeroDeExpediente, "expediente")

urlpatterns = [
    path("metrics", metricas.metrics, name="metrics"),
    path("operacion/", vistas_operacion.ver, name="operacion"),
    path("pronosticos/", vistas_pronosticos.ver, name="pronosticos"),
    path("", views.inicio, name="inicio"),
    path("tablero/", views.tablero, name="tablero"),
    path("tablero/casos.csv", vistas_tablero.tablero_exportar, {"formato": "csv"}, name="tablero_csv"),
    path("tablero/casos.xlsx", vistas_tablero.tablero_exportar, {"formato": "xlsx"}, name="tablero_xlsx"),
    path("tablero/dictaminar/", vistas_tablero.dictaminar_varios, name="dictaminar_varios"),
    path("tablero/reunion/", vistas_tablero.reunion, name="reunion"),
    path("tablero/vistas/", vistas_tablero.vista_guardar, name="vista_guardar"),
    path("tablero/vistas/<int:pk>/borrar/", vistas_tablero.vista_borrar, name="vista_borrar"),
    path("tablero/vistas/<int:pk>/preferir/", vistas_tablero.vista_preferir, name="vista_preferir"),
    path("equipo/", vistas_equipo.equipo, name="equipo"),
    path("equipo/pasar/", vistas_equipo.casos_pasar, name="casos_pasar"),
    path("equipo/asignar/", vistas_equipo.casos_asignar, name="casos_asignar"),
    path("equipo/ausencia/", vistas_equipo.ausencia_nueva, name="ausencia_nueva"),
    path("equipo/ausencia/<int:pk>/terminar/", vistas_equipo.ausencia_terminar, name="ausencia_terminar"),
    path("posentrada/", views.posentrada, name="posentrada"),
    path("buscar/", views.buscar, name="buscar"),
    path("atencion/", views.atencion, name="atencion"),
    path("avisos/", vistas_avisos.lista, name="avisos"),
    path("avisos/<int:pk>/", vistas_avisos.aviso, name="aviso"),
    path("avisos/<int:pk>/reenviar/", vistas_avisos.reenviar, name="aviso_reenviar"),
    path("expedientes/<expediente:numero>/", views.expediente, name="expediente"),
    path(
        "expedientes/<expediente:numero>/corregir-correo/",
        views.atencion_corregir_correo,
        name="atencion_corregir_correo",
    ),
    path("expedientes/<expediente:numero>/exportar/", vistas_exportar.expediente_exportar, name="expediente_exportar"),
    path("expedientes/<expediente:numero>/reenviar-enlace/", views.atencion_reenviar, name="atencion_reenviar"),
]

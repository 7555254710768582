from django.urls import path, register_converter

from . import metricas, views, vistas_avisos, vistas_exportar, vistas_operacion


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
    path("", views.inicio, name="inicio"),
    path("tablero/", views.tablero, name="tablero"),
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

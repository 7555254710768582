"""Pages of the case: mesa de partes, the acts of the post, files, and the public ones."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from . import (
    views,
    vistas_acceso,
    vistas_asignacion,
    vistas_importador,
    vistas_incidencias,
    vistas_planilla,
    vistas_preferencias,
    vistas_publicas,
    vistas_solicitar,
    vistas_textos,
)


class NumeroDeCaso(StringConverter):
    """`PCM-2026-000123`: whatever else stands there never reaches the database."""

    regex = r"[A-Z]{2,3}-[0-9]{4}-[0-9]{6,9}"


class CodigoDeVerificacion(StringConverter):
    regex = r"[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}"


register_converter(NumeroDeCaso, "caso")
register_converter(CodigoDeVerificacion, "cvd")

SEGUIDO = "seguimiento/caso/<caso:numero>"
BORRADOR = "solicitar/<uuid:envio>"
PARTIDA = "expedientes/<caso:numero>/partidas/<int:orden>"
TEXTO = "textos/<slug:nombre>/<slug:audiencia>"
CASO = "expedientes/<caso:numero>"

urlpatterns = [
    # Asked for by every importer's phone every half minute: found first.
    path(f"{SEGUIDO}/", vistas_publicas.seguimiento_caso, name="seguimiento_caso"),
    path("expedientes/nuevo/", views.expediente_nuevo, name="expediente_nuevo"),
    path("expedientes/ephyto/", views.ephyto_leer, name="ephyto_leer"),
    path(f"{PARTIDA}/programar/", views.partida_programar, name="partida_programar"),
    path(f"{PARTIDA}/no-presentada/", views.partida_no_presentada, name="partida_no_presentada"),
    path(f"{PARTIDA}/inspeccionar/", views.partida_inspeccionar, name="partida_inspeccionar"),
    path(f"{PARTIDA}/dictaminar/", views.partida_dictaminar, name="partida_dictaminar"),
    path(
        f"{PARTIDA}/dictaminar-sin-muestra/",
        views.partida_dictaminar_sin_muestra,
        name="partida_dictaminar_sin_muestra",
    ),
    path(f"{PARTIDA}/ordenar-medida/", views.partida_ordenar_medida, name="partida_ordenar_medida"),
    path(f"{PARTIDA}/cumplir-medida/", views.partida_cumplir_medida, name="partida_cumplir_medida"),
    path(f"{CASO}/cerrar/", views.expediente_cerrar, name="expediente_cerrar"),
    path(f"{CASO}/observar/", vistas_incidencias.expediente_observar, name="expediente_observar"),
    path(f"{CASO}/responder/", vistas_incidencias.expediente_responder, name="expediente_responder"),
    path(f"{CASO}/abandonar/", vistas_incidencias.expediente_abandonar, name="expediente_abandonar"),
    path(f"{CASO}/desistir/", vistas_incidencias.expediente_desistir, name="expediente_desistir"),
    path(f"{CASO}/anular/", vistas_incidencias.expediente_anular, name="expediente_anular"),
    path(f"{CASO}/reabrir/", vistas_incidencias.expediente_reabrir, name="expediente_reabrir"),
    path(f"{CASO}/trasladar/", vistas_incidencias.expediente_trasladar, name="expediente_trasladar"),
    path(
        f"{CASO}/aceptar-traslado/",
        vistas_incidencias.expediente_aceptar_traslado,
        name="expediente_aceptar_traslado",
    ),
    path(
        f"{CASO}/rechazar-traslado/",
        vistas_incidencias.expediente_rechazar_traslado,
        name="expediente_rechazar_traslado",
    ),
    path(f"{CASO}/asignar/", vistas_asignacion.expediente_asignar, name="expediente_asignar"),
    path(f"{CASO}/tomar/", vistas_asignacion.expediente_tomar, name="expediente_tomar"),
    path(f"{CASO}/pasar/", vistas_asignacion.expediente_pasar, name="expediente_pasar"),
    path(f"{CASO}/cambiar-agente/", vistas_incidencias.expediente_cambiar_agente, name="expediente_cambiar_agente"),
    path(f"{CASO}/adjuntos/<int:pk>/", views.adjunto, name="adjunto"),
    path("documentos/<cvd:cvd>/", views.documento, name="documento"),
    # The public request.
    path("solicitar/", vistas_solicitar.solicitar, name="solicitar"),
    path("solicitar/correo/", vistas_solicitar.solicitar_correo, name="solicitar_correo"),
    path("solicitar/codigo/", vistas_solicitar.solicitar_codigo, name="solicitar_codigo"),
    path("solicitar/mias/", vistas_solicitar.solicitar_mias, name="solicitar_mias"),
    path("solicitar/nueva/", vistas_solicitar.solicitar_nueva, name="solicitar_nueva"),
    path("solicitar/csv/", vistas_planilla.solicitar_csv, name="solicitar_csv"),
    path("solicitar/csv/rechazadas/", vistas_planilla.solicitar_csv_rechazadas, name="solicitar_csv_rechazadas"),
    path("solicitar/csv/plantilla/", vistas_planilla.solicitar_csv_plantilla, name="solicitar_csv_plantilla"),
    path("expedientes/csv/", vistas_planilla.expedientes_csv, name="expedientes_csv"),
    path("expedientes/csv/rechazadas/", vistas_planilla.expedientes_csv_rechazadas, name="expedientes_csv_rechazadas"),
    path(f"{BORRADOR}/partidas/", vistas_solicitar.solicitar_partidas, name="solicitar_partidas"),
    path(f"{BORRADOR}/partidas/<int:n>/", vistas_solicitar.solicitar_partida, name="solicitar_partida"),
    path(
        f"{BORRADOR}/partidas/<int:n>/quitar/",
        vistas_solicitar.solicitar_partida_quitar,
        name="solicitar_partida_quitar",
    ),
    path(f"{BORRADOR}/adjuntos/", vistas_solicitar.solicitar_adjuntos, name="solicitar_adjuntos"),
    path(f"{BORRADOR}/adjuntos/quitar/", vistas_solicitar.solicitar_adjunto_quitar, name="solicitar_adjunto_quitar"),
    path(f"{BORRADOR}/revisar/", vistas_solicitar.solicitar_revisar, name="solicitar_revisar"),
    path(f"{BORRADOR}/presentada/", vistas_solicitar.solicitar_presentada, name="solicitar_presentada"),
    path(f"{BORRADOR}/guardada/", vistas_solicitar.solicitar_guardada, name="solicitar_guardada"),
    path(f"{BORRADOR}/borrar/", vistas_solicitar.solicitar_borrar, name="solicitar_borrar"),
    path(f"{BORRADOR}/<slug:paso>/", vistas_solicitar.solicitar_paso, name="solicitar_paso"),
    # What the notices say.
    path("textos/", vistas_textos.textos, name="textos"),
    path("textos/<slug:aviso>/apagar/", vistas_textos.aviso_conmutar, {"encendido": False}, name="aviso_apagar"),
    path("textos/<slug:aviso>/encender/", vistas_textos.aviso_conmutar, {"encendido": True}, name="aviso_encender"),
    path(f"{TEXTO}/", vistas_textos.texto, name="texto"),
    path(f"{TEXTO}/vista/", vistas_textos.texto_vista, name="texto_vista"),
    path(f"{TEXTO}/nueva/", vistas_textos.texto_nuevo, name="texto_nuevo"),
    path(f"{TEXTO}/v<int:version>/poner/", vistas_textos.texto_poner, name="texto_poner"),
    # Public.
    path("enlace/", vistas_acceso.enlace_pedir, name="enlace_pedir"),
    path("enlace/enviado/", vistas_acceso.enlace_pedido, name="enlace_pedido"),
    path("enlace/renovar/", vistas_acceso.enlace_renovar, name="enlace_renovar"),
    path("autoservicio/", vistas_acceso.autoservicio, name="autoservicio"),
    path("autoservicio/listo/", vistas_acceso.autoservicio_listo, name="autoservicio_listo"),
    path("mis-expedientes/", vistas_acceso.mis_expedientes_lista, name="mis_expedientes"),
    path("mis-expedientes/pedir/", vistas_acceso.mis_expedientes_pedir, name="mis_expedientes_pedir"),
    path("mis-expedientes/exportar/", vistas_acceso.mis_expedientes_exportar, name="mis_expedientes_exportar"),
    path("mis-expedientes/cerrar/", vistas_acceso.mis_expedientes_cerrar, name="mis_expedientes_cerrar"),
    path("mis-expedientes/<caso:numero>/", vistas_acceso.mis_expedientes_caso, name="mis_expedientes_caso"),
    path(f"{SEGUIDO}/todos/", vistas_acceso.seguimiento_todos, name="seguimiento_todos"),
    path(
        f"{SEGUIDO}/documentos/<cvd:cvd>/",
        vistas_publicas.seguimiento_documento,
        name="seguimiento_documento",
    ),
    path(f"{SEGUIDO}/responder/", vistas_importador.seguimiento_responder, name="seguimiento_responder"),
    path(f"{SEGUIDO}/agregar/", vistas_importador.seguimiento_agregar, name="seguimiento_agregar"),
    path(f"{SEGUIDO}/anular/", vistas_importador.seguimiento_anular, name="seguimiento_anular"),
    path(f"{SEGUIDO}/desistir/", vistas_importador.seguimiento_desistir, name="seguimiento_desistir"),
    path("seguimiento/<str:token>/", vistas_publicas.seguimiento_abrir, name="seguimiento"),
    path("preferencias/<str:token>/", vistas_preferencias.preferencias, name="preferencias"),
    path("preferencias/<str:token>/baja/", vistas_preferencias.preferencias_baja, name="preferencias_baja"),
    path("verificar/", vistas_publicas.verificar, name="verificar"),
    path("verificar/<str:cvd>/", vistas_publicas.verificar_cvd, name="verificar_cvd"),
]

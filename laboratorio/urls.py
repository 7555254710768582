"""The laboratory's pages, and those of the post on its samples' way there."""

from django.urls import path

from . import (
    views,
    vistas_enmiendas,
    vistas_firmas,
    vistas_hojas,
    vistas_muelle,
    vistas_preguntas,
    vistas_recepcion,
    vistas_reversiones,
)

partida = "expedientes/<str:numero>/partidas/<int:orden>/"
muestra = "laboratorio/muestras/<str:numero>/"
analisis = "laboratorio/analisis/<int:pk>/"
informe = "laboratorio/informes/<str:numero>/"
hoja = "laboratorio/hojas/<str:numero>/"

urlpatterns = [
    path(f"{partida}tomar-muestra/", views.partida_tomar_muestra, name="partida_tomar_muestra"),
    path(f"{partida}enviar/", views.partida_enviar, name="partida_enviar"),
    path("muelle/", vistas_muelle.muelle, name="muelle"),
    path("muelle/rotulos/", vistas_muelle.rotulos_en_blanco, name="rotulos_en_blanco"),
    path("muelle/rotulos/<int:pk>.pdf", vistas_muelle.tanda_de_rotulos, name="tanda_de_rotulos"),
    path("muelle/rotulos/muestras.pdf", vistas_muelle.rotulos_de_muestras, name="rotulos_de_muestras"),
    # Short: it is what a pre-printed label has to carry in its QR.
    path("r/<str:codigo>/", vistas_muelle.rotulo, name="rotulo"),
    path("preguntas/", vistas_preguntas.preguntas, name="preguntas"),
    path("preguntas/<int:pk>/", vistas_preguntas.pregunta_contestar, name="pregunta_contestar"),
    path(f"{muestra}preguntar/", vistas_preguntas.muestra_preguntar, name="muestra_preguntar"),
    path("laboratorio/despachos/", vistas_recepcion.despachos, name="despachos"),
    path("laboratorio/despachos/<str:numero>/", vistas_recepcion.despacho, name="despacho"),
    path("laboratorio/despachos/<str:numero>.pdf", vistas_muelle.despacho_pdf, name="despacho_pdf"),
    path("laboratorio/recepcion/", views.recepcion, name="recepcion"),
    path("laboratorio/recepcion/rapida/", vistas_recepcion.recepcion_rapida, name="recepcion_rapida"),
    path("laboratorio/recepcion/asignar/", views.asignar_varios, name="asignar_varios"),
    path(muestra, views.muestra, name="muestra"),
    path(f"{muestra}recibir/", views.muestra_recibir, name="muestra_recibir"),
    path(f"{muestra}rechazar/", views.muestra_rechazar, name="muestra_rechazar"),
    path(f"{muestra}perder/", views.muestra_perder, name="muestra_perder"),
    path(f"{muestra}anular/", views.muestra_anular, name="muestra_anular"),
    path(f"{muestra}guardar-contramuestra/", views.muestra_guardar_contramuestra, name="muestra_guardar_contramuestra"),
    path(f"{muestra}eliminar/", views.muestra_eliminar, name="muestra_eliminar"),
    path(f"{muestra}pedir-dirimencia/", views.muestra_pedir_dirimencia, name="muestra_pedir_dirimencia"),
    path(f"{muestra}levantar-dirimencia/", views.muestra_levantar_dirimencia, name="muestra_levantar_dirimencia"),
    path("laboratorio/contramuestras/", vistas_recepcion.contramuestras, name="contramuestras"),
    path(
        "laboratorio/contramuestras/eliminar/", vistas_recepcion.contramuestras_eliminar, name="contramuestras_eliminar"
    ),
    path("laboratorio/actas/<str:numero>.pdf", vistas_recepcion.acta_de_eliminacion, name="acta_de_eliminacion"),
    path("laboratorio/evidencias/<int:pk>/", views.evidencia, name="evidencia"),
    path("laboratorio/analisis/", views.analisis_bandeja, name="analisis_bandeja"),
    path(f"{analisis}asignar/", views.analisis_asignar, name="analisis_asignar"),
    path(f"{analisis}iniciar/", views.analisis_iniciar, name="analisis_iniciar"),
    path(f"{analisis}registrar/", views.analisis_registrar, name="analisis_registrar"),
    path(f"{analisis}verificar/", views.analisis_verificar, name="analisis_verificar"),
    path(f"{analisis}revertir/", vistas_reversiones.analisis_revertir, name="analisis_revertir"),
    path(f"{analisis}revertir-inicio/", vistas_reversiones.analisis_revertir_inicio, name="analisis_revertir_inicio"),
    path(
        f"{analisis}revertir-asignacion/",
        vistas_reversiones.analisis_revertir_asignacion,
        name="analisis_revertir_asignacion",
    ),
    path(
        f"{muestra}revertir-recepcion/",
        vistas_reversiones.muestra_revertir_recepcion,
        name="muestra_revertir_recepcion",
    ),
    path(
        f"{muestra}revertir-analisis/", vistas_reversiones.muestra_revertir_analisis, name="muestra_revertir_analisis"
    ),
    path(
        f"{muestra}revertir-contramuestra/",
        vistas_reversiones.muestra_revertir_contramuestra,
        name="muestra_revertir_contramuestra",
    ),
    path("laboratorio/reversiones/", vistas_reversiones.reversiones, name="reversiones"),
    path("laboratorio/motivos/", vistas_reversiones.motivos, name="motivos"),
    path("laboratorio/motivos/<int:pk>/retirar/", vistas_reversiones.motivo_retirar, name="motivo_retirar"),
    path("laboratorio/motivos/<int:pk>/reponer/", vistas_reversiones.motivo_reponer, name="motivo_reponer"),
    path(f"{analisis}repetir/", views.analisis_repetir, name="analisis_repetir"),
    path(f"{analisis}cancelar/", views.analisis_cancelar, name="analisis_cancelar"),
    path(f"{analisis}adjuntar/", vistas_hojas.analisis_adjuntar, name="analisis_adjuntar"),
    path("laboratorio/hojas/", vistas_hojas.hojas, name="hojas"),
    path("laboratorio/hojas/nueva/", vistas_hojas.hoja_nueva, name="hoja_nueva"),
    path(hoja, vistas_hojas.hoja, name="hoja"),
    path(f"{hoja}unirse/", vistas_hojas.hoja_unirse, name="hoja_unirse"),
    path(f"{hoja}cerrar/", vistas_hojas.hoja_cerrar, name="hoja_cerrar"),
    path(f"{hoja}controles/", vistas_hojas.hoja_controles, name="hoja_controles"),
    path(f"{hoja}revertir/", vistas_hojas.hoja_revertir, name="hoja_revertir"),
    path("laboratorio/", vistas_hojas.laboratorio, name="laboratorio"),
    path("laboratorio/pasar/", vistas_hojas.pasar_varios, name="pasar_varios"),
    path("laboratorio/verificacion/", views.verificacion, name="verificacion"),
    path("laboratorio/verificacion/varios/", views.verificar_varios, name="verificar_varios"),
    path("laboratorio/firmas/", vistas_firmas.firmas, name="firmas"),
    path(informe, views.informe, name="informe"),
    path(f"{informe}firmar/", vistas_firmas.informe_firmar, name="informe_firmar"),
    path(f"{informe}devolver/", vistas_reversiones.informe_devolver, name="informe_devolver"),
    path(f"{informe}enmendar/", vistas_enmiendas.informe_enmendar, name="informe_enmendar"),
    path(
        f"{informe}enmendar-resultado/",
        vistas_enmiendas.informe_enmendar_resultado,
        name="informe_enmendar_resultado",
    ),
    path(f"{informe}retirar-enmienda/", vistas_enmiendas.informe_retirar_enmienda, name="informe_retirar_enmienda"),
    path(f"{informe}anular/", vistas_enmiendas.informe_anular, name="informe_anular"),
    path(f"{informe}parcial/", views.informe_parcial, name="informe_parcial"),
    path(f"{informe}retener/", vistas_firmas.informe_retener, name="informe_retener"),
]

"""Statistics of the programme and of the reversions: boards, baseline, monthly report."""

from django.urls import path

from . import views, vistas_informados, vistas_linea_base, vistas_mensuales, vistas_reversiones, vistas_tiempos

urlpatterns = [
    path("programa/", views.programa, name="programa"),
    path("programa/casos/<slug:cual>/", views.programa_casos, name="programa_casos"),
    path("programa/informados/", vistas_informados.ver, name="informados"),
    path("reversiones/", vistas_reversiones.estadistica, name="reversiones_estadistica"),
    path("reversiones/detras/", vistas_reversiones.detras, name="reversiones_detras"),
    path("reversiones/informes/", vistas_reversiones.informes, name="reversiones_informes"),
    path("reversiones/mias/", vistas_reversiones.mias, name="reversiones_mias"),
    path("reversiones/analistas/", vistas_reversiones.por_analista, name="reversiones_por_analista"),
    path("reversiones/analistas/<int:pk>/", vistas_reversiones.de_analista, name="reversiones_de_analista"),
    path("reversiones/alertas/", vistas_reversiones.lista_de_alertas, name="reversiones_alertas"),
    path("reversiones/alertas/<int:pk>/vista/", vistas_reversiones.alerta_ver, name="reversiones_alerta_ver"),
    path("programa/tiempos/", vistas_tiempos.tiempos, name="tiempos"),
    path("programa/linea-base/", vistas_linea_base.base, name="linea_base"),
    path("programa/linea-base/fijar/", vistas_linea_base.fijar, name="linea_base_fijar"),
    path("programa/linea-base/importar/", vistas_linea_base.importar, name="linea_base_importar"),
    path("programa/linea-base/plantilla/", vistas_linea_base.plantilla, name="linea_base_plantilla"),
    path("programa/informes/", vistas_mensuales.informes, name="mensuales"),
    path("programa/informes/hacer/", vistas_mensuales.informe_hacer, name="mensual_hacer"),
    path("programa/informes/<int:anio>-<int:mes>/", vistas_mensuales.informe, name="mensual"),
    path("programa/informes/<int:anio>-<int:mes>/pdf/", vistas_mensuales.informe_pdf, name="mensual_pdf"),
]

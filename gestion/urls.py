"""What is late takes an action: owner, date, outcome; and what waits to be read or answered."""

from django.urls import path

from . import views, vistas_atrasos, vistas_stock

urlpatterns = [
    path("mis-avisos/", views.mis_avisos, name="mis_avisos"),
    path("mis-avisos/campana/", views.campana_ahora, name="campana"),
    path("mis-avisos/leer/", views.mis_avisos_leer, name="mis_avisos_leer"),
    path("mis-avisos/<int:pk>/leer/", views.aviso_interno_leer, name="aviso_interno_leer"),
    path("atrasos/", vistas_atrasos.atrasos, name="atrasos"),
    path("atrasos/coordinacion/", vistas_atrasos.coordinacion, name="coordinacion"),
    path("atrasos/stock/", vistas_stock.stock_antiguo, name="stock_antiguo"),
    path("atrasos/stock/casos/", vistas_stock.stock_casos, name="stock_casos"),
    path("atrasos/<slug:tipo>/<int:pk>/accion/", vistas_atrasos.tomar_accion, name="tomar_accion"),
    path("acciones/<int:pk>/cerrar/", vistas_atrasos.cerrar_accion, name="cerrar_accion"),
]

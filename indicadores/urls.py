"""Statistics of the programme and of the reversions: boards, baseline, monthly report."""

from django.urls import path

from . import views, vistas_informados

urlpatterns = [
    path("programa/", views.programa, name="programa"),
    path("programa/casos/<slug:cual>/", views.programa_casos, name="programa_casos"),
    path("programa/informados/", vistas_informados.ver, name="informados"),
]

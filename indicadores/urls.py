"""Statistics of the programme and of the reversions: boards, baseline, monthly report."""

from django.urls import path

from . import views

urlpatterns = [
    path("programa/", views.programa, name="programa"),
    path("programa/casos/<slug:cual>/", views.programa_casos, name="programa_casos"),
]

"""What is late takes an action: owner, date, outcome; and what waits to be read or answered."""

from django.urls import path

from . import views

urlpatterns = [
    path("mis-avisos/", views.mis_avisos, name="mis_avisos"),
    path("mis-avisos/leer/", views.mis_avisos_leer, name="mis_avisos_leer"),
    path("mis-avisos/<int:pk>/leer/", views.aviso_interno_leer, name="aviso_interno_leer"),
]

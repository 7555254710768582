"""What is late takes an action: owner, date, outcome; and what waits to be read or answered."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

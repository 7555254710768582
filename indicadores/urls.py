"""Statistics of the programme and of the reversions: boards, baseline, monthly report."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

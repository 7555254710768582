"""The project itself: settings, people, calendar, and what every other app may lean on."""

from senasa.celery import app as celery_app

__all__ = ["celery_app"]

"""What gunicorn reads by itself, under `make run` and in the container: its own lines in our format, no access log."""

import os
import shutil

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "senasa.settings")

from django.conf import settings  # noqa: E402

# It would print paths, which carry tracking tokens; `senasa.peticiones` writes a line without them.
accesslog = None
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"generic": settings.LOGGING["formatters"]["linea"]},
    "root": {"level": "WARNING", "handlers": []},
    "loggers": {
        "gunicorn.error": {
            "level": settings.LOGGING["loggers"]["senasa"]["level"],
            "handlers": ["error_console"],
            "propagate": False,
        },
        # With a dictionary gunicorn writes it whatever `accesslog` says.
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}


def on_starting(server: object) -> None:
    """Counters begin at nought with the server: the files of processes that are gone would pile up."""
    shutil.rmtree(settings.METRICAS, ignore_errors=True)
    settings.METRICAS.mkdir(parents=True, exist_ok=True)

"""What the worker does for the whole: say that it lives, make the daily backup."""

from contextlib import suppress
from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.utils import timezone

HORAS_DE_RESPALDO = 6


@shared_task(name="senasa.tasks.latir", expires=15)
def latir() -> None:
    from .models import Latido

    Latido.anotar("worker")


# Acknowledged at once and with limits of its own: a late acknowledgement would bring a second copy after five minutes,
# and the general limit of a minute would end it. One that is killed is due again at the next look.
@shared_task(
    name="senasa.tasks.respaldar_si_toca",
    acks_late=False,
    soft_time_limit=HORAS_DE_RESPALDO * 3600,
    time_limit=HORAS_DE_RESPALDO * 3600 + 60,
)
def respaldar_si_toca() -> None:
    from . import respaldo

    if settings.RESPALDO_CARPETA and respaldo.toca(timezone.now()):
        with suppress(respaldo.EnCurso):
            respaldo.respaldar(Path(settings.RESPALDO_CARPETA))

"""What the worker does for the outbox: call the service, nothing else."""

from celery import shared_task


@shared_task(name="notificaciones.tasks.despachar", expires=30)
def despachar() -> None:
    from . import services

    services.despachar()


@shared_task(name="notificaciones.tasks.leer_rebotes", expires=60)
def leer_rebotes() -> None:
    from . import rebotes

    rebotes.leer()


@shared_task(name="notificaciones.tasks.resumir", expires=60)
def resumir() -> None:
    from . import resumenes

    resumenes.resumir()

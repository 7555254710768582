"""What the worker does about what is late: fetch, call a service, nothing else."""

from celery import shared_task


@shared_task(name="gestion.tasks.escalar_informes", expires=240)
def escalar_informes() -> None:
    from . import services

    services.escalar_informes()

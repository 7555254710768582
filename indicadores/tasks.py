"""What the worker does for the statistics: fetch, call a service, nothing else."""

from celery import shared_task


@shared_task(name="indicadores.tasks.buscar_alertas", expires=600)
def buscar_alertas() -> None:
    from . import alertas

    alertas.buscar_alertas()


@shared_task(name="indicadores.tasks.anotar_regresos", expires=300)
def anotar_regresos() -> None:
    from . import reversiones

    reversiones.anotar_regresos()

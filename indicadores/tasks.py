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


@shared_task(name="indicadores.tasks.cuidar_lo_guardado", expires=600)
def cuidar_lo_guardado() -> None:
    from . import cuidado

    cuidado.podar()
    cuidado.adelantar()


@shared_task(name="indicadores.tasks.barrer_mensuales", expires=60)
def barrer_mensuales() -> None:
    from . import mensuales

    mensuales.barrer()


@shared_task(name="indicadores.tasks.hacer_mensual", expires=3000)
def hacer_mensual() -> None:
    from . import mensuales

    mensuales.hacer_el_que_toca()

"""What the worker does for cases: fetch, call a service, nothing else."""

from celery import shared_task


@shared_task(name="expedientes.tasks.barrer_documentos", expires=30)
def barrer_documentos() -> None:
    from . import documentos, services

    services.barrer_rivs()
    documentos.barrer()


@shared_task(name="expedientes.tasks.recordar_observaciones", expires=3000)
def recordar_observaciones() -> None:
    from . import incidencias

    incidencias.recordar_observaciones()


@shared_task(name="expedientes.tasks.barrer_borradores", expires=3000)
def barrer_borradores() -> None:
    from . import borradores, espera

    borradores.barrer()
    for carpeta in espera.CARPETAS:
        espera.barrer(carpeta)
    espera.barrer_sueltos()


@shared_task(name="expedientes.tasks.cerrar_listos", expires=240)
def cerrar_listos() -> None:
    from . import services

    services.cerrar_listos()


@shared_task(name="expedientes.tasks.avisar_perdidas", expires=3000)
def avisar_perdidas() -> None:
    from . import entregas

    entregas.avisar_perdidas()


@shared_task(name="expedientes.tasks.atender_pedidos", expires=10)
def atender_pedidos() -> None:
    from . import acceso

    acceso.atender()


@shared_task(name="expedientes.tasks.repasar_pronosticos", expires=3000)
def repasar_pronosticos() -> None:
    from . import pronosticos

    pronosticos.repasar()

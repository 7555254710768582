"""What the worker does for the laboratory: fetch, call a service, nothing else."""

from celery import shared_task


@shared_task(name="laboratorio.tasks.barrer_informes", expires=30)
def barrer_informes() -> None:
    from . import firmas

    firmas.barrer_informes()


@shared_task(name="laboratorio.tasks.barrer_demoras", expires=300)
def barrer_demoras() -> None:
    from . import recepcion

    recepcion.barrer_demoras()


@shared_task(name="laboratorio.tasks.avisar_certificados", expires=600)
def avisar_certificados() -> None:
    from . import certificados

    certificados.avisar_por_vencer()

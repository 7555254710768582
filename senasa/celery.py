"""The Celery application. The outbox rows are the truth; a lost message only delays the next sweep."""

import ctypes
import gc
import logging
import os
import signal
import time
from logging.config import dictConfig
from typing import Any

from celery import Celery, Task
from celery.signals import (
    after_task_publish,
    beat_init,
    before_task_publish,
    setup_logging,
    task_failure,
    task_postrun,
    task_prerun,
    worker_process_init,
)
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from senasa import cola  # noqa: F401 - gives kombu the safe folders

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "senasa.settings")

app = Celery("senasa")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

registro = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
PAUSA_DEL_LATIDO = 15


@worker_process_init.connect
def morir_con_el_padre(**kwargs: object) -> None:
    """A pool child whose worker was killed would stay for ever, waiting on a pipe."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@worker_process_init.connect
def no_volver_a_mirar_lo_cargado(**kwargs: object) -> None:
    """What the programs themselves take is never garbage: looking for it there costs a third of a report's time."""
    gc.collect()
    gc.freeze()


# Logs: ours, with the task's id and the request that rang for it


@setup_logging.connect
def usar_nuestro_registro(**kwargs: object) -> None:
    from django.conf import settings

    dictConfig(settings.LOGGING)


@before_task_publish.connect
def decir_de_que_peticion_viene(headers: dict[str, Any], **kwargs: object) -> None:
    headers["peticion"] = get_contextvars().get("peticion")


@task_prerun.connect
def empezar_linea(task_id: str, task: Task, **kwargs: object) -> None:
    clear_contextvars()
    bind_contextvars(tarea=task.name, tarea_id=task_id)
    if peticion := task.request.get("peticion"):
        bind_contextvars(peticion=peticion)


@task_postrun.connect
def acabar_linea(**kwargs: object) -> None:
    clear_contextvars()


@task_failure.connect
def anotar_falla(exception: BaseException, **kwargs: object) -> None:
    registro.error("la tarea falló", exc_info=exception)


# Heartbeat of the scheduler: it lives while it hands work to a broker that takes it

_visto = 0.0


@beat_init.connect
def latir_al_mandar(**kwargs: object) -> None:
    after_task_publish.connect(_latir)


def _latir(**kwargs: object) -> None:
    global _visto
    if time.monotonic() - _visto < PAUSA_DEL_LATIDO:
        return
    from django.db import close_old_connections

    from senasa.models import Latido

    close_old_connections()  # no request ends here to do it
    Latido.anotar("beat")
    _visto = time.monotonic()

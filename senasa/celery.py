"""The Celery application. The outbox rows are the truth; a lost message only delays the next sweep."""

import ctypes
import os
import signal

from celery import Celery
from celery.signals import worker_process_init

from senasa import cola  # noqa: F401 - gives kombu the safe folders

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "senasa.settings")

app = Celery("senasa")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

PR_SET_PDEATHSIG = 1


@worker_process_init.connect
def morir_con_el_padre(**kwargs: object) -> None:
    """A pool child whose worker was killed would stay for ever, waiting on a pipe."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

"""The doorbell: tells the worker that there is something to do, once the transaction is in.

Celery is only the doorbell: the rows are the truth, and a periodic sweep finds whatever nobody rang
for. A broker that is down must therefore never break, nor slow, what a person does.
"""

import logging
import time

from celery import Task
from django.db import transaction

registro = logging.getLogger(__name__)

# A broker that hangs makes whoever rings wait. Once it has, this process rings no more for a while.
PAUSA_SEGUNDOS = 30
_callado_hasta = 0.0


def tocar(tarea: Task) -> None:
    """Ring for `tarea` on commit; a silent bell is logged and left to the sweep."""

    def llamar() -> None:
        global _callado_hasta
        if time.monotonic() < _callado_hasta:
            return
        try:
            tarea.apply_async(retry=False)
        except Exception as error:  # whatever the broker's client raises: kombu, redis, OSError
            _callado_hasta = time.monotonic() + PAUSA_SEGUNDOS
            registro.warning("timbre sin respuesta: %s (%s)", tarea.name, type(error).__name__)

    transaction.on_commit(llamar)

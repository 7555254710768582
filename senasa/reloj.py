"""The clock of the business: what time an act is recorded at.

Everything that writes a business time asks `ahora()`. It is the machine's clock, except inside
`fijado(...)`, which only the loaders of demonstration and migrated histories use: a history that
really walked through the services a month ago is worth more than rows with invented dates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.utils import timezone

_momento: ContextVar[datetime | None] = ContextVar("momento", default=None)


def ahora() -> datetime:
    """The present moment, aware and in UTC."""
    return _momento.get() or timezone.now()


def esta_fijado() -> bool:
    """Whether the clock is held somewhere else than where the machine's stands."""
    return _momento.get() is not None


@contextmanager
def fijado(momento: datetime) -> Iterator[None]:
    """Hold the business clock at `momento` (aware) within the block."""
    ficha = _momento.set(momento)
    try:
        yield
    finally:
        _momento.reset(ficha)

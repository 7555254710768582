"""Business days (días hábiles): weekdays that are not in `DiaNoLaborable`, in Lima."""

from datetime import date, datetime, time, timedelta

from django.utils import timezone

from .models import DiaNoLaborable


def no_laborables() -> frozenset[date]:
    """Every day off on record; read once for a list and pass it on."""
    return frozenset(DiaNoLaborable.objects.values_list("fecha", flat=True))


def es_habil(dia: date, feriados: frozenset[date]) -> bool:
    return dia.weekday() < 5 and dia not in feriados


def sumar_habiles(desde: datetime, dias: int, feriados: frozenset[date]) -> datetime:
    """The end of the `dias`-th business day after `desde` (aware). The day of `desde` does not count.

    Statutory terms start the business day after the act (TUO Ley 27444, art. 144 [M]).
    """
    dia = timezone.localdate(desde)
    while dias > 0:
        dia += timedelta(days=1)
        if es_habil(dia, feriados):
            dias -= 1
    return timezone.make_aware(datetime.combine(dia, time(23, 59, 59)))


def habiles_entre(desde: datetime, hasta: datetime, feriados: frozenset[date]) -> int:
    """How many business days end after `desde` and up to `hasta`: 0 within one day."""
    dia, fin, cuenta = timezone.localdate(desde), timezone.localdate(hasta), 0
    while dia < fin:
        dia += timedelta(days=1)
        cuenta += es_habil(dia, feriados)
    return cuenta

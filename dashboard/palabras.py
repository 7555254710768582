"""How times and deadlines are said: «1 d 4 h», «Vencido hace 5 h», «el viernes 28 de noviembre»."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format

from expedientes.plazos import Semaforo, semaforo
from senasa.palabras import duracion

UN_MOMENTO = "hace un momento"


def urgencia(vence_en: datetime | None, ahora: datetime) -> tuple[str, str]:
    """The semáforo of a deadline and what it says."""
    luz = semaforo(vence_en, ahora)
    if vence_en is None:
        return luz, "Sin plazo"
    if luz == Semaforo.VENCIDO:
        return luz, f"Vencido hace {duracion(ahora - vence_en)}"
    if luz == Semaforo.POR_VENCER:
        return luz, f"Vence en {duracion(vence_en - ahora)}"
    return luz, f"En plazo · {duracion(vence_en - ahora)}"


def fecha(cuando: datetime) -> str:
    """A day as one says it aloud: «lunes 16 de noviembre»."""
    return date_format(timezone.localtime(cuando), r"l j \d\e F").lower()


def fecha_y_hora(cuando: datetime) -> str:
    return f"{fecha(cuando)} a las {timezone.localtime(cuando):%H:%M}"


def hace(cuando: datetime, ahora: datetime) -> str:
    """How long ago, in whole words: «hace 3 días», «hace 5 horas», «hace un momento»."""
    minutos = int((ahora - cuando).total_seconds() // 60)
    for cuanto, uno, varios in ((1440, "un día", "días"), (60, "una hora", "horas"), (1, "un minuto", "minutos")):
        if minutos >= cuanto:
            n = minutos // cuanto
            return f"hace {uno}" if n == 1 else f"hace {n} {varios}"
    return UN_MOMENTO


def fecha_corta(cuando: datetime) -> str:
    """For a table: «21 nov 18:53»."""
    return date_format(timezone.localtime(cuando), "j M H:i").lower()

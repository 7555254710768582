"""How long things take and how much there is of them, said short."""

from datetime import timedelta
from decimal import Decimal


def duracion(tiempo: timedelta, *, con_horas: bool = False) -> str:
    """A length of time in one or two units: «6 d», «1 d 4 h», «5 h», «12 min». `con_horas`: however many the days,
    for what a reader adds up."""
    minutos = max(0, int(tiempo.total_seconds() // 60))
    dias, horas = minutos // 1440, minutos % 1440 // 60
    if (dias >= 3 and not con_horas) or (dias and not horas):
        return f"{dias} d"
    if dias:
        return f"{dias} d {horas} h"
    return f"{horas} h" if horas else f"{minutos} min"


def cantidad(cuanto: Decimal) -> str:
    """«38 400», «0,5»: as the Spanish templates of Django write it, decimals only when there are any."""
    texto = f"{cuanto:,.3f}".rstrip("0").rstrip(".")
    return texto.translate(str.maketrans(",.", "\u00a0,"))

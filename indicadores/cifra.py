"""A number as a card shows it (`templates/indicadores/cifra.html`): of the programme and of the reversions alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from .cuadro import Comparacion

# What is said, and the page with what it counts, or "".
Nota = tuple[str, str]


@dataclass(frozen=True)
class Antes:
    """What the number was by the baseline, how it moved if that can be told, and the page that compares all of them."""

    texto: str
    url: str
    comparacion: Comparacion | None


@dataclass(frozen=True)
class Cifra:
    """`texto` is empty when the number cannot be computed, and `notas` then say why."""

    nombre: str
    texto: str
    url: str = ""
    notas: Sequence[Nota] = ()
    excluidos: Sequence[Nota] = ()
    antes: Antes | None = None

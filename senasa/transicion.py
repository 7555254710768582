"""What a transition is: one row of a life-cycle table, and how it can be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError

from .models import Rol

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


# Where an interrupted case goes back to: no state of its own, but that of its slowest line.
DONDE_ESTABA = "donde_estaba"


@dataclass(frozen=True, kw_only=True)
class Transicion:
    """One act of a life cycle.

    `de`: the states it may start from. `a`: the state it leads to; None keeps the state, DONDE_ESTABA takes a
    case back to that of its lines. `aun`: the states of a stopped or ended case in which its line may do it still.
    `rol`: who may do it (`Rol.SISTEMA` and `Rol.IMPORTADOR` stand for no user at all).
    `avisa`: the notice it owes, or "" for none. `motivada`: it needs a coded motive and a text (†).
    `verbo`: what the button says; `hecho`: what the log says.
    """

    de: frozenset[str] | set[str]
    a: str | None
    rol: frozenset[str] | set[str]
    verbo: StrOrPromise
    hecho: StrOrPromise
    avisa: str = ""
    motivada: bool = False
    aun: frozenset[str] | set[str] = frozenset()

    @property
    def roles_de_personas(self) -> set[str]:
        return set(self.rol) - {Rol.SISTEMA, Rol.IMPORTADOR}


class ActoRechazado(Exception):
    """An act that cannot be done; `mensaje` says why in the user's words."""

    def __init__(self, mensaje: StrOrPromise):
        super().__init__(mensaje)
        self.mensaje = mensaje


class EstadoImpide(ActoRechazado):
    """Somebody was faster, or the object is not in a state that allows the act: a 409."""


class RolImpide(ActoRechazado):
    """The act belongs to another role or post: a 403."""


class DatoInvalido(ValidationError):
    """What was typed cannot be recorded; goes back to the form with everything typed."""

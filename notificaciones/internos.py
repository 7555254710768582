"""The bell: what members of the staff are told inside the system, owed within the act's transaction as mails are."""

from collections.abc import Iterable

from django.db.models import F, QuerySet

from senasa import reloj
from senasa.models import Usuario

from .models import AvisoInterno


def deber(
    quienes: Iterable[Usuario],
    *,
    clave: str,
    aviso: str,
    titulo: str,
    detalle: str = "",
    url: str = "",
    referencia: str = "",
) -> None:
    """Tell each of `quienes`, within the caller's transaction. Nobody is told the same `clave` twice.

    `referencia`: what it is about; whoever attends to that reads every notice about it (`dar_por_leidos`).
    """
    AvisoInterno.objects.bulk_create(
        [
            AvisoInterno(
                usuario_id=pk, clave=clave, aviso=aviso, titulo=titulo[:200], detalle=detalle, url=url,
                referencia=referencia, creado_en=reloj.ahora(),
            )
            for pk in sorted({persona.pk for persona in quienes})
        ],
        ignore_conflicts=True,
    )  # fmt: skip


def sin_leer(usuario: Usuario) -> QuerySet[AvisoInterno]:
    """What `usuario` has been told and has not read, the newest first: a walk of a partial index."""
    return AvisoInterno.objects.filter(usuario=usuario, leido_en=None).order_by("-creado_en")


def de(usuario: Usuario) -> QuerySet[AvisoInterno]:
    """All that `usuario` was told: first what he has not read, then the rest, each the newest first."""
    return AvisoInterno.objects.filter(usuario=usuario).order_by(F("leido_en").desc(nulls_first=True), "-creado_en")


def leer(avisos: QuerySet[AvisoInterno]) -> int:
    """Mark those of `avisos` that were not read as read now; how many. What was read keeps its hour."""
    return avisos.filter(leido_en=None).update(leido_en=reloj.ahora())


def dar_por_leidos(*, referencia: str, usuario: Usuario | None = None) -> int:
    """What `referencia` names was attended to: nobody, or not `usuario` alone, needs to be told any more."""
    avisos = AvisoInterno.objects.filter(referencia=referencia)
    return leer(avisos.filter(usuario=usuario) if usuario else avisos)

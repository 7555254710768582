"""Who of the post has read a report, and since when: from its issue to its reading, and from there to the decision."""

from collections.abc import Iterable

from notificaciones import internos
from senasa import reloj
from senasa.models import ROLES_DE_PUESTO, Usuario

from .models import Documento, Lectura


def referencia(documento: Documento) -> str:
    """How the bell, which must not know documents, refers to this one."""
    return f"documento:{documento.pk}"


def anotar(documentos: Iterable[Documento], usuario: Usuario) -> None:
    """Note that `usuario` reads those reports, if he is of their case's post; the first time counts, per version.

    What the bell told him of them is read with it. The reading of anybody else is nobody's business here.
    """
    informes = [uno for uno in documentos if uno.tipo == Documento.Tipo.INFORME]
    if not informes or not usuario.tiene(*ROLES_DE_PUESTO):
        return
    suyos = set(usuario.puestos.values_list("pk", flat=True))
    informes = [uno for uno in informes if uno.expediente and uno.expediente.puesto_id in suyos]
    leidos = set(Lectura.objects.filter(documento__in=informes, usuario=usuario).values_list("documento_id", flat=True))
    nuevos = [uno for uno in informes if uno.pk not in leidos]
    ahora = reloj.ahora()
    Lectura.objects.bulk_create(
        [Lectura(documento=uno, usuario=usuario, leido_en=ahora) for uno in nuevos], ignore_conflicts=True
    )
    for uno in nuevos:
        internos.dar_por_leidos(referencia=referencia(uno), usuario=usuario)

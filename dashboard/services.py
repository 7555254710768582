"""What the boards write: how people want to look at them. Cases are written elsewhere."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from senasa.models import Puesto, Usuario
from senasa.transicion import DatoInvalido

from .models import VistaGuardada

MAXIMO = 20  # views of one person: more are a list nobody reads


@transaction.atomic
def guardar_vista(
    *, dueno: Usuario, nombre: str, consulta: str, compartida_con: Puesto | None = None, inicial: bool = False
) -> VistaGuardada:
    """Keep `consulta`, a query string that the filter's form understood; the same name is written over."""
    Usuario.objects.select_for_update().get(pk=dueno.pk)
    suyas = VistaGuardada.objects.filter(dueno=dueno)
    if suyas.exclude(nombre=nombre).count() >= MAXIMO:
        raise DatoInvalido({"nombre": _("Ya tiene %(n)s vistas: borre alguna antes.") % {"n": MAXIMO}})
    if compartida_con and not dueno.puestos.filter(pk=compartida_con.pk).exists():
        raise DatoInvalido({"compartida_con": _("Solo puede compartirla con su puesto.")})
    if inicial:
        suyas.exclude(nombre=nombre).update(inicial=False)
    datos = {"consulta": consulta, "compartida_con": compartida_con, "inicial": inicial}
    return VistaGuardada.objects.update_or_create(dueno=dueno, nombre=nombre, defaults=datos)[0]


def borrar_vista(*, vista: VistaGuardada) -> None:
    vista.delete()


@transaction.atomic
def preferir_vista(*, vista: VistaGuardada, dueno: Usuario) -> None:
    """The view that opens when its owner signs in; asked again for the same one, none."""
    era = vista.inicial
    Usuario.objects.select_for_update().get(pk=dueno.pk)
    VistaGuardada.objects.filter(dueno=dueno).update(inicial=False)
    VistaGuardada.objects.filter(pk=vista.pk).update(inicial=not era)

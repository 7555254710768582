"""A person's preferences on the boards: what is saved here is how to look, never what is looked at."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from senasa.models import Puesto, Usuario


class ConsultaVistaGuardada(models.QuerySet["VistaGuardada"]):
    def visibles_para(self, usuario: Usuario) -> ConsultaVistaGuardada:
        """His own, and those that colleagues share with a post of his; his own first."""
        suyas = self.filter(Q(dueno=usuario) | Q(compartida_con__in=usuario.puestos.all()))
        return suyas.annotate(propia=models.Case(models.When(dueno=usuario, then=0), default=1)).order_by(
            "propia", "nombre", "pk"
        )


class VistaGuardada(models.Model):
    """A way to look at the board, by name: the filters of its address, checked before they were stored."""

    dueno = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="vistas")
    nombre = models.CharField(_("nombre"), max_length=60)
    consulta = models.CharField(max_length=500)
    compartida_con = models.ForeignKey(Puesto, models.CASCADE, null=True, blank=True, related_name="+")
    # The one that opens when its owner signs in.
    inicial = models.BooleanField(default=False)

    objects = ConsultaVistaGuardada.as_manager()

    class Meta:
        ordering = ["nombre"]
        verbose_name = _("vista guardada")
        verbose_name_plural = _("vistas guardadas")
        constraints = [
            models.UniqueConstraint(fields=["dueno", "nombre"], name="vista_unica"),
            models.UniqueConstraint(fields=["dueno"], condition=Q(inicial=True), name="vista_inicial_unica"),
        ]

    def __str__(self) -> str:
        return self.nombre

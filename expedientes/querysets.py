"""Who may see what: every page gets its objects through `visibles_para`."""

from __future__ import annotations

from django.apps import apps
from django.db import models
from django.db.models import Q

from senasa.models import ROLES_DE_PUESTO, Puesto, Rol, Usuario

# Who works for every post.
VEN_TODO = (Rol.DIRECCION, Rol.ATENCION, Rol.ADMINISTRADOR, Rol.DIRECTOR)


def _alcance(usuario: Usuario, camino: str) -> Q | None:
    """The filter over the case at `camino` that `usuario` may see; None when it is nothing.

    Bench staff see samples, never the case: an analyst should not know whose cargo it is.
    """
    if usuario.tiene(*VEN_TODO):
        return Q()
    if usuario.tiene(*ROLES_DE_PUESTO, Rol.MESA_DE_PARTES):
        puestos = usuario.puestos.all()
        return Q(**{f"{camino}puesto__in": puestos}) | Q(**{f"{camino}pk__in": _trasladados(puestos)})
    return None


def _trasladados(puestos: models.QuerySet[Puesto]) -> models.QuerySet:
    """Cases that were offered by or to those posts: a transfer is read at both ends."""
    traslados = apps.get_model("expedientes", "Traslado").objects
    return traslados.filter(Q(de_puesto__in=puestos) | Q(a_puesto__in=puestos)).values("expediente")


class ConsultaDelCaso(models.QuerySet):
    """Rows that belong to a case, seen by whoever may see the case."""

    camino = "expediente__"

    def visibles_para(self, usuario: Usuario):
        alcance = _alcance(usuario, self.camino)
        return self.none() if alcance is None else self.filter(alcance)


class ConsultaExpediente(ConsultaDelCaso):
    camino = ""

    def abiertos(self):
        from .models import ABIERTOS

        return self.filter(estado__in=ABIERTOS)


class ConsultaPartida(ConsultaDelCaso):
    pass


class ConsultaAdjunto(ConsultaDelCaso):
    def visibles_para(self, usuario: Usuario):
        return super().visibles_para(usuario).filter(reservado=False)


class ConsultaDocumento(ConsultaDelCaso):
    pass


class ConsultaMedida(ConsultaDelCaso):
    camino = "dictamen__partida__expediente__"

    def pendientes(self):
        return self.filter(cumplida_en=None, sin_efecto_en=None)

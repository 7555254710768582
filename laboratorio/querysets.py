"""Who may see what of the laboratory: its staff all of it, a post what it sent. And what waits in each queue.

Queues put perishable cargo first, then what has waited longest.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from expedientes.querysets import VEN_TODO, ConsultaDelCaso
from senasa.models import ROLES_DE_LABORATORIO, ROLES_DE_PUESTO, Usuario


def publicado(camino: str = "") -> Q:
    """`Informe.publicado` of the report at `camino`, in SQL."""
    en_enmienda = Q(**{f"{camino}enmienda": "administrativa"}) & ~Q(**{f"{camino}estado": "anulado"})
    return Q(**{f"{camino}estado": "emitido"}) | en_enmienda


class ConsultaDeLaboratorio(ConsultaDelCaso):
    def visibles_para(self, usuario: Usuario):
        return self.all() if usuario.tiene(*ROLES_DE_LABORATORIO) else super().visibles_para(usuario)


class ConsultaDelPuesto(QuerySet):
    """What belongs to a post and not to one case: its manifests, the labels it prints."""

    camino = "puesto__"

    def visibles_para(self, usuario: Usuario):
        if usuario.tiene(*ROLES_DE_LABORATORIO, *VEN_TODO):
            return self.all()
        if usuario.tiene(*ROLES_DE_PUESTO):
            return self.filter(**{f"{self.camino}in": usuario.puestos.all()})
        return self.none()


class ConsultaRotulo(ConsultaDelPuesto):
    camino = "tanda__puesto__"


class ConsultaMuestra(ConsultaDeLaboratorio):
    def por_recibir(self):
        return (
            self.filter(estado="enviada")
            .select_related("partida__producto", "partida__pais_origen", "expediente__puesto", "solicitud")
            .annotate(ensayos=Count("analisis"))
            .order_by("-partida__producto__perecible", "solicitud__enviada_en", "id")
        )


class ConsultaAnalisis(ConsultaDeLaboratorio):
    def en_cola(self):
        """With all that a row says, each with its result in force in `vigentes`, most pressing first."""
        modelo = apps.get_model("laboratorio", "Resultado")
        vigentes = (
            modelo.objects.filter(vigente=True)
            .select_related("plaga", "hoja", "registrado_por", "sustituye__plaga", "sustituye__registrado_por")
            .prefetch_related("verificaciones", "evidencias__adjunto")
        )
        return (
            self.select_related(
                "muestra__partida__producto",
                "muestra__partida__pais_origen",
                "metodo__disciplina",
                "plaga",
                "analista",
                "solicitud__informe",
            )
            .prefetch_related(Prefetch("resultados", vigentes, to_attr="vigentes"))
            .annotate(reversiones_hechas=Count("reversiones"))
            .order_by("-muestra__partida__producto__perecible", "estado_desde", "id")
        )

    def con_historia(self):
        """With every result ever recorded, those reverted included, and who verified and who reverted each."""
        historia = (
            apps.get_model("laboratorio", "Resultado")
            .objects.select_related("plaga", "registrado_por")
            .prefetch_related("verificaciones__verificador", "reversion_set__autor", "evidencias__adjunto")
        )
        return self.select_related("muestra", "metodo__disciplina", "plaga", "analista").prefetch_related(
            Prefetch("resultados", historia, to_attr="historia")
        )

    def de_muestras_recibidas(self):
        return self.filter(muestra__estado__in=["recibida", "en_analisis"])


class ConsultaEvidencia(ConsultaDeLaboratorio):
    """Photos of a sample are seen by whoever sees the sample; what lies behind a result, once its report is out."""

    camino = "muestra__expediente__"

    def visibles_para(self, usuario: Usuario):
        if usuario.tiene(*ROLES_DE_LABORATORIO):
            return self.all()
        return (
            super()
            .visibles_para(usuario)
            .filter(Q(resultado=None) | publicado("muestra__solicitud__informe__") & Q(resultado__vigente=True))
        )


class ConsultaInforme(ConsultaDeLaboratorio):
    def por_salir(self):
        """Those that a line still waits for: one amended in form alone has its results out already."""
        return self.exclude(estado__in=["emitido", "anulado"]).exclude(enmienda="administrativa")

    def en_cola(self):
        """With `positivo` and `indeterminado`, of the results in force; positives first, then the oldest."""
        resultados = apps.get_model("laboratorio", "Resultado").objects.filter(
            analisis__solicitud=OuterRef("solicitud"), vigente=True
        )
        return (
            self.select_related(
                "expediente__puesto",
                "solicitud__partida__producto",
                "solicitud__partida__pais_origen",
                "autoriza",
                "documento",
                "regla",
            )
            .annotate(
                positivo=Exists(resultados.filter(valor="positivo")),
                indeterminado=Exists(resultados.filter(valor="indeterminado")),
            )
            .order_by("-positivo", "-indeterminado", "-solicitud__partida__producto__perecible", "estado_desde", "id")
        )


class ConsultaReversion(ConsultaDeLaboratorio):
    def que_tocan(self, campo: str, valor: Any):
        """Those whose analysis has `valor` in `campo`; a sample's by what it took with it."""
        partes = self.model._default_manager.filter(parte_de=OuterRef("pk"), **{f"analisis__{campo}": valor})
        return self.filter(Q(**{f"analisis__{campo}": valor}) | Exists(partes))

    def con_todo(self):
        """The acts, last first, each with all that its row says; what a sample's took with it is in `partes`."""
        return (
            self.filter(parte_de=None)
            .select_related(
                "muestra__partida__producto",
                "analisis__metodo__disciplina",
                "analisis__plaga",
                "resultado__plaga",
                "autor",
            )
            .prefetch_related("partes__analisis__metodo__disciplina", "partes__resultado__plaga")
            .order_by("-ocurrio_en", "-id")
        )

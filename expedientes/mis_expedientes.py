"""All cases of one address as its owner reads them: what each waits for, searched, filtered, taken away as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from senasa import tablas

from . import acceso, seguimiento
from .forms import FiltroMisExpedientes
from .models import ABIERTOS, TERMINADOS, Contenedor, Dictamen, Expediente, Partida
from .numeros import leer_numero, normalizar_contenedor

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAX_EXPORTADOS = 5000
POR_LOTE = 200  # their logs are read whole
DECISIONES: dict[str, StrOrPromise] = {
    Dictamen.Decision.INGRESO: gettext_lazy("Puede ingresar"),
    Dictamen.Decision.CONDICIONADO: gettext_lazy("Ingreso condicionado"),
    Dictamen.Decision.RECHAZO: gettext_lazy("Rechazado"),
}


def columnas() -> list[str]:
    return [
        _("Expediente"), _("Carga"), _("Situación"), _("En esta etapa desde"), _("Decisión"), _("Qué tiene que hacer"),
        _("Importador"), _("Certificado"), _("Puesto"),
    ]  # fmt: skip


class Lista:
    """The cases of an address that a query string asks for: what waits for its reader first, then what is open, then
    what ended; of each, the one whose stage is the most recent."""

    def __init__(self, correo: str, pedido: Any) -> None:
        self.suyos = acceso.casos_de(correo)
        productos = Partida.objects.filter(expediente__in=self.suyos).values_list("producto", "producto__nombre")
        opciones = list(productos.order_by("producto__nombre").distinct()[:200])
        self.form = FiltroMisExpedientes(pedido, productos=opciones)
        self.form.is_valid()

    @cached_property
    def casos(self) -> QuerySet[Expediente]:
        datos, casos, piden = self.form.cleaned_data, self.suyos, seguimiento.que_piden()
        situaciones = {"abiertos": Q(estado__in=ABIERTOS), "usted": piden, "terminados": Q(estado__in=TERMINADOS)}
        if que := situaciones.get(datos.get("situacion", "")):
            casos = casos.filter(que)
        if producto := datos.get("producto"):
            casos = casos.filter(Exists(Partida.objects.filter(expediente=OuterRef("pk"), producto=producto)))
        if q := datos.get("q", "").strip():
            casos = casos.filter(_que_dicen(q))
        grupo = Case(When(piden, then=0), When(estado__in=ABIERTOS, then=1), default=2)
        return casos.order_by(grupo, F("estado_desde").desc(nulls_last=True), "-id")

    @cached_property
    def esperan(self) -> int:
        """How many of all of them wait for something of whoever reads here."""
        return self.suyos.filter(seguimiento.que_piden()).count()

    @cached_property
    def cuenta(self) -> bool:
        """Whether the address has any case at all."""
        return self.suyos.exists()


def _que_dicen(q: str) -> Q:
    de_contenedor = Contenedor.objects.filter(partida__expediente=OuterRef("pk"), numero=normalizar_contenedor(q))
    condicion = Q(numero__icontains=leer_numero(q)) | Q(Exists(de_contenedor))
    for campo in ("numero_anterior", "certificado", "pfi", "suce", "dam", "bl", "guia_aerea", "nave",
                  "importador__nombre", "importador__numero_documento", "partidas__producto__nombre"):  # fmt: skip
        condicion |= Q(**{f"{campo}__icontains": q}) if "__producto" not in campo else Q(
            Exists(Partida.objects.filter(expediente=OuterRef("pk"), producto__nombre__icontains=q))
        )  # fmt: skip
    return condicion


@dataclass(frozen=True)
class Ficha:
    """One case as the list shows it, and as the file has it. `pide`: what there is to do waits for its reader."""

    expediente: Expediente
    carga: str
    situacion: str
    desde: datetime | None
    decision: str
    que_hacer: str
    pide: bool

    def fila(self) -> tablas.Fila:
        caso = self.expediente
        return (
            caso.numero, self.carga, self.situacion, self.desde, self.decision, self.que_hacer,
            caso.importador.nombre, caso.certificado, caso.puesto.codigo,
        )  # fmt: skip


def fichas(casos: QuerySet[Expediente]) -> Iterator[Ficha]:
    """Told in the words of each one's own page. A constant number of queries for every `POR_LOTE` cases."""
    pendientes = iter(casos.select_related("importador", "puesto", "duplicado_de"))
    while lote := list(islice(pendientes, POR_LOTE)):
        for caso, relato in zip(lote, seguimiento.contar_varios(lote), strict=True):
            yield _ficha(caso, relato)


def _ficha(caso: Expediente, relato: seguimiento.Relato) -> Ficha:
    cargas = dict.fromkeys(f"{uno.partida.producto} · {uno.partida.pais_origen}" for uno in relato.tramos)
    decisiones = dict.fromkeys(str(DECISIONES[uno.dictamen.decision]) for uno in relato.tramos if uno.dictamen)
    return Ficha(
        expediente=caso,
        carga=", ".join(cargas),
        situacion=relato.titular,
        desde=caso.estado_desde,
        decision=", ".join(decisiones),
        que_hacer=relato.que_hacer,
        pide=relato.pide,
    )

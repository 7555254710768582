"""All cases of one address as its owner reads them: what each waits for, searched, filtered, taken away as a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Exists, OuterRef, Prefetch, Q, QuerySet, When
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from senasa import tablas

from . import acceso
from .forms import FiltroMisExpedientes
from .models import ABIERTOS, TERMINADOS, Contenedor, Dictamen, Estado, Expediente, Partida
from .numeros import leer_numero, normalizar_contenedor

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAX_EXPORTADOS = 5000
# The stage in a few words. Between the sending and the issue there is one wording, whatever happens in the laboratory.
BREVE: dict[str, StrOrPromise] = {
    Estado.REGISTRADO: gettext_lazy("Solicitud recibida"),
    Estado.EN_INSPECCION: gettext_lazy("En inspección"),
    Estado.EN_LABORATORIO: gettext_lazy("En el laboratorio"),
    Estado.RESULTADO_EMITIDO: gettext_lazy("Informe listo, falta la decisión"),
    Estado.DICTAMINADO: gettext_lazy("Decidido"),
    Estado.EN_MEDIDA: gettext_lazy("Con una medida por cumplir"),
    Estado.OBSERVADO: gettext_lazy("Observado"),
    Estado.CERRADO: gettext_lazy("Cerrado"),
    Estado.ABANDONADO: gettext_lazy("En abandono"),
    Estado.DESISTIDO: gettext_lazy("Terminado por desistimiento"),
    Estado.ANULADO: gettext_lazy("Anulado"),
}
DECISIONES: dict[str, StrOrPromise] = {
    Dictamen.Decision.INGRESO: gettext_lazy("Puede ingresar"),
    Dictamen.Decision.CONDICIONADO: gettext_lazy("Ingreso condicionado"),
    Dictamen.Decision.RECHAZO: gettext_lazy("Rechazado"),
}
AUSENTE = Partida.objects.filter(expediente=OuterRef("pk"), estado=Estado.REGISTRADO, no_presentada_en__isnull=False)
ESPERAN = Q(estado__in=[Estado.OBSERVADO, Estado.EN_MEDIDA]) | Q(Exists(AUSENTE), estado=Estado.REGISTRADO)
SITUACIONES = {"abiertos": Q(estado__in=ABIERTOS), "usted": ESPERAN, "terminados": Q(estado__in=TERMINADOS)}


def columnas() -> list[str]:
    return [
        _("Expediente"), _("Carga"), _("Situación"), _("Desde"), _("Decisión"), _("Qué tiene que hacer"),
        _("Importador"), _("Certificado"), _("Puesto"),
    ]  # fmt: skip


class Lista:
    """The cases of an address that a query string asks for: what waits for its reader first, then the newest."""

    def __init__(self, correo: str, pedido: Any) -> None:
        self.suyos = acceso.casos_de(correo)
        productos = Partida.objects.filter(expediente__in=self.suyos).values_list("producto", "producto__nombre")
        opciones = list(productos.order_by("producto__nombre").distinct()[:200])
        self.form = FiltroMisExpedientes(pedido, productos=opciones)
        self.form.is_valid()

    @cached_property
    def casos(self) -> QuerySet[Expediente]:
        datos, casos = self.form.cleaned_data, self.suyos
        if que := SITUACIONES.get(datos.get("situacion", "")):
            casos = casos.filter(que)
        if producto := datos.get("producto"):
            casos = casos.filter(Exists(Partida.objects.filter(expediente=OuterRef("pk"), producto=producto)))
        if q := datos.get("q", "").strip():
            casos = casos.filter(_que_dicen(q))
        return casos.order_by(Case(When(ESPERAN, then=0), default=1), "-id")

    @cached_property
    def esperan(self) -> int:
        """How many of all of them wait for something of whoever reads here."""
        return self.suyos.filter(ESPERAN).count()

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
    """One case as the list shows it, and as the file has it."""

    expediente: Expediente
    carga: str
    situacion: str
    desde: datetime | None
    decision: str
    que_hacer: str

    def fila(self) -> tablas.Fila:
        caso = self.expediente
        return (
            caso.numero, self.carga, self.situacion, self.desde, self.decision, self.que_hacer,
            caso.importador.nombre, caso.certificado, caso.puesto.codigo,
        )  # fmt: skip


def fichas(casos: QuerySet[Expediente] | Sequence[Expediente]) -> Iterable[Ficha]:
    """A constant number of queries whatever the cases."""
    if isinstance(casos, QuerySet):
        partidas = Partida.objects.select_related("producto", "pais_origen").order_by("orden")
        casos = casos.select_related("importador", "puesto").prefetch_related(
            Prefetch("partidas", partidas), Prefetch("partidas__dictamenes", Dictamen.objects.order_by("id"))
        )
    return [_ficha(caso) for caso in casos]


def _ficha(caso: Expediente) -> Ficha:
    lineas = list(caso.partidas.all())
    cargas = dict.fromkeys(f"{linea.producto} · {linea.pais_origen}" for linea in lineas)
    decididas = [linea for linea in lineas if linea.estado in (Estado.DICTAMINADO, Estado.EN_MEDIDA)]
    ultimos = [list(linea.dictamenes.all())[-1:] for linea in decididas]
    decisiones = dict.fromkeys(str(DECISIONES[uno.decision]) for ultimo in ultimos for uno in ultimo)
    ausente = caso.estado == Estado.REGISTRADO and any(linea.no_presentada_en for linea in lineas)
    return Ficha(
        expediente=caso,
        carga=", ".join(cargas),
        situacion=_("No estaba para la inspección") if ausente else str(BREVE.get(caso.estado, "")),
        desde=caso.estado_desde,
        decision=", ".join(decisiones),
        que_hacer=_que_hacer(caso, ausente),
    )


def _que_hacer(caso: Expediente, ausente: bool) -> str:
    if caso.estado == Estado.OBSERVADO:
        return _("Responda la observación")
    if caso.estado == Estado.EN_MEDIDA:
        return _("Cumpla la medida")
    return _("Acuerde otra fecha de inspección") if ausente else ""

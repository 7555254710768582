"""The day's work of a post, act by act: what it has to do now, before the list of everything that is open.

Each queue is one question to the database; `en_cola` asks the same one of the board's filter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Window
from django.db.models.functions import DenseRank
from django.utils import timezone
from django.utils.http import urlencode

from expedientes.lifecycle import Accion
from expedientes.models import (
    ABIERTOS,
    Documento,
    Estado,
    Evento,
    Expediente,
    InformeEnPapel,
    Observacion,
    Partida,
)
from expedientes.plazos import fin_del_dia
from laboratorio.models import EstadoMuestra, Muestra
from senasa.models import Puesto, Rol

from . import palabras, queries
from .queries import Lector

MIOS_O_DE_NADIE = "mios_o_de_nadie"  # as the board's filter calls whose cases an inspector's queues are of
TOPE = 3  # rows of a queue on the board: the rest is one click away
MAXIMO = 50  # lines decided at once: what a person reads through before confirming
# After this an answer that nobody acted on is old news; the case itself stays on the board.
RESPONDIDA_HACE = timedelta(days=30)


# ── What waits, asked of lines ────────────────────────────────────────────────────────────────────


def _informes(**condicion: Any) -> Exists:
    tipo = Documento.Tipo.INFORME
    return Exists(Documento.objects.filter(partida=OuterRef("pk"), tipo=tipo, **condicion))


def por_dictaminar(_ahora: datetime) -> QuerySet[Partida]:
    """Lines whose reports are out and none of them is being corrected."""
    emitidas = Partida.objects.filter(estado=Estado.RESULTADO_EMITIDO)
    return emitidas.exclude(_informes(estado=Documento.Estado.EN_REVISION))


def negativas(partidas: QuerySet[Partida]) -> QuerySet[Partida]:
    """Those that rest on signed reports alone, all of them negative: the ones that may be decided together."""
    vigente = Documento.Estado.VIGENTE
    en_papel = Exists(InformeEnPapel.objects.filter(partida=OuterRef("pk")))
    otra_cosa = Exists(
        Documento.objects.filter(partida=OuterRef("pk"), tipo=Documento.Tipo.INFORME, estado=vigente).exclude(
            conclusion=Documento.Conclusion.NEGATIVO
        )
    )
    return partidas.filter(_informes(estado=vigente)).exclude(otra_cosa).exclude(en_papel)


def por_enviar(_ahora: datetime) -> QuerySet[Partida]:
    """Lines with a sample that was taken and has not left."""
    tomadas = Muestra.objects.filter(estado=EstadoMuestra.TOMADA).values("partida")
    return Partida.objects.filter(estado__in=(Estado.EN_INSPECCION, Estado.EN_LABORATORIO), pk__in=tomadas)


def inspecciones(ahora: datetime) -> QuerySet[Partida]:
    """Inspections whose hour is today, in Lima, and those of before that nobody registered."""
    fin = fin_del_dia(timezone.localdate(ahora))
    return Partida.objects.filter(estado=Estado.REGISTRADO, cita_en__lte=fin, no_presentada_en=None)


def respondidas(ahora: datetime) -> QuerySet[Observacion]:
    """Answers of importers after which nobody of the staff has done anything in the case."""
    despues = Evento.objects.filter(
        expediente=OuterRef("expediente"), registrado_en__gt=OuterRef("respondida_en"), actor__isnull=False,
        objeto__in=("expediente", "partida"),
    ).exclude(accion=Accion.RESPONDER)  # fmt: skip
    recientes = Observacion.objects.filter(respondida_en__gte=ahora - RESPONDIDA_HACE)
    return recientes.exclude(Exists(despues))


@dataclass(frozen=True)
class Clase:
    """A queue of the day: its name, what to say when it is empty (of whose cases, in the braces), and who waits."""

    titulo: str
    vacia: str
    quienes: Callable[[datetime], QuerySet[Any]]
    orden: Sequence[Any] = ()
    cosa: str = "partida"


CLASES = {
    "dictaminar": Clase("Por dictaminar", "Ningún informe{} espera su dictamen.", por_dictaminar),
    "enviar": Clase("Por enviar", "Ninguna muestra tomada{} espera su envío.", por_enviar),
    "inspeccion": Clase(
        "Inspecciones de hoy y atrasadas", "Ninguna inspección{} para hoy ni atrasada.", inspecciones, ("cita_en", "pk")
    ),
    "respondida": Clase(
        "Observaciones respondidas", "Ninguna respuesta{} por leer.", respondidas, ("respondida_en", "pk"), "respuesta"
    ),
}


def en_cola(casos: QuerySet[Expediente], cual: str, ahora: datetime) -> QuerySet[Expediente]:
    """Of `casos`, those with something in that queue."""
    suyas = CLASES[cual].quienes(ahora).filter(expediente=OuterRef("pk"))
    return casos.filter(Exists(suyas)).exclude(estado=Estado.OBSERVADO)


# ── The queues of a post ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Renglon:
    """One thing to do: where, why now, and the act, when it is the reader's."""

    expediente: Expediente
    que: str
    detalle: str
    semaforo: str
    porque: str
    acto: queries.Acto | None
    conclusion: str = ""


@dataclass
class Cola:
    clave: str
    titulo: str
    vacia: str
    consulta: str  # of the board, to see the very cases that are counted
    cuantos: int  # cases, as the board lists them
    cuantas: int  # lines or answers, in those cases
    que: str  # both in words, and whose they are
    ids: Sequence[tuple[int, int | None]] = ()  # (case, line)
    renglones: list[Renglon] = field(default_factory=list)
    negativas: int = 0  # of those to decide, how many at once

    @property
    def mas(self) -> int:
        """How many lines or answers are not among its rows."""
        return self.cuantas - len(self.renglones)


def solo_los_suyos(lector: Lector) -> bool:
    """Whether the day's work of the reader leaves out what colleagues see to."""
    return lector.usuario.tiene(Rol.INSPECTOR) and not lector.usuario.tiene(Rol.JEFE_DE_PUESTO)


def mios_o_de_nadie(lector: Lector, camino: str = "") -> Q:
    """`camino`: from what is asked for to its case."""
    return Q(**{f"{camino}inspector": None}) | Q(**{f"{camino}inspector__in": lector.a_su_cargo})


def _de(puestos: Sequence[Puesto], lector: Lector) -> Q:
    """Of those posts, open and not standing still; an inspector's own and nobody's, not his colleagues'."""
    vivos = Q(expediente__puesto__in=[puesto.pk for puesto in puestos])
    vivos &= Q(expediente__estado__in=[estado for estado in ABIERTOS if estado != Estado.OBSERVADO])
    return vivos & mios_o_de_nadie(lector, "expediente__") if solo_los_suyos(lector) else vivos


def _en_palabras(cosa: str, cuantas: int, casos: int, propios: bool) -> str:
    """«4 expedientes, suyos o de nadie», «9 partidas de 8 expedientes»."""
    dicho = f"{casos} expediente{'' if casos == 1 else 's'}"
    if cuantas != casos:
        dicho = f"{cuantas} {cosa}s de {dicho}"
    de_quien = ", suyo o de nadie" if casos == 1 else ", suyos o de nadie"
    return f"{dicho}{de_quien}" if propios else dicho


def colas(puestos: Sequence[Puesto], lector: Lector, ahora: datetime) -> list[Cola]:
    """How many wait in each, and which go first; their rows are set by `poner_renglones`, with what those need read."""
    hechas, propios = [], solo_los_suyos(lector)
    # How many different cases: of the rows sorted by case, the place of this one from either end.
    casos = Window(DenseRank(), order_by="expediente_id") + Window(DenseRank(), order_by="-expediente_id") - 1
    for clave, clase in CLASES.items():
        suyas = clase.quienes(ahora).filter(_de(puestos, lector))
        de_linea = suyas.model is Partida
        orden = clase.orden or queries.orden_de_urgencia("expediente__")
        # All of a queue is walked to be counted: its head is picked on the way.
        cabeza = suyas.annotate(cuantas=Window(Count("*")), casos=casos).order_by(*orden)
        primeras = list(cabeza.values_list("expediente_id", "pk", "cuantas", "casos")[:TOPE])
        cuantas, cuantos = primeras[0][2:] if primeras else (0, 0)
        cola = Cola(
            clave, clase.titulo, clase.vacia.format(" de casos suyos o de nadie" if propios else ""),
            urlencode({"acto": clave, **({"cargo": MIOS_O_DE_NADIE} if propios else {})}),
            cuantos, cuantas, _en_palabras(clase.cosa, cuantas, cuantos, propios),
        )  # fmt: skip
        cola.ids = [(caso, pk if de_linea else None) for caso, pk, *_cuantos in primeras]
        if clave == "dictaminar" and cola.cuantas and lector.usuario.tiene(Rol.INSPECTOR):
            cola.negativas = negativas(suyas).count()
        hechas.append(cola)
    return hechas


def poner_renglones(cola: Cola, casos: dict[int, Expediente], lector: Lector, ahora: datetime) -> None:
    """`casos`: those of `cola.ids`, as `queries.con_detalle` reads them."""
    for caso, linea in cola.ids:
        if expediente := casos.get(caso):
            cola.renglones.append(_renglon(expediente, linea, cola.clave, lector, ahora))


def _renglon(expediente: Expediente, linea: int | None, clave: str, lector: Lector, ahora: datetime) -> Renglon:
    partidas = list(expediente.partidas.all())
    partida = next((una for una in partidas if una.pk == linea), partidas[0])
    luz, urgencia = queries.urgencia(expediente, ahora)
    detalle, conclusion = urgencia, ""
    if clave == "dictaminar":
        vigentes = [uno for uno in queries.informes_de(partida) if uno.estado == Documento.Estado.VIGENTE]
        conclusion = _peor(vigentes)
    elif clave == "inspeccion" and partida.cita_en:
        cuando = timezone.localtime(partida.cita_en)
        de_hoy = cuando.date() == timezone.localdate(ahora)
        luz = luz if de_hoy and partida.cita_en > ahora else "vencido"
        detalle = f"{cuando:%H:%M}" if de_hoy else palabras.fecha_corta(partida.cita_en)
        detalle = f"{detalle} · {partida.terminal}"
    elif clave == "respondida":
        respondida = max(una.respondida_en for una in expediente.observaciones.all() if una.respondida_en)
        detalle = f"respondió {palabras.hace(respondida, ahora)}"
    return Renglon(
        expediente=expediente,
        que=queries.carga([partida], expediente),
        detalle=detalle,
        semaforo=luz,
        porque=" · ".join(queries.porque(expediente, partidas, ahora)),
        acto=queries.acto_de(partida, lector) if clave != "respondida" else None,
        conclusion=conclusion,
    )


def _peor(informes: Sequence[Documento]) -> str:
    """What of several reports rules: an indeterminate or a positive one, if there is any."""
    orden = [Documento.Conclusion.POSITIVO, Documento.Conclusion.INDETERMINADO, Documento.Conclusion.NEGATIVO]
    return next((uno.value for uno in orden if any(informe.conclusion == uno for informe in informes)), "")


def para_dictaminar_juntas(puestos: Sequence[Puesto], lector: Lector, ahora: datetime) -> QuerySet[Partida]:
    """Lines that an inspector may decide at once, most urgent first, each with its reports in `vigentes`."""
    suyas = negativas(por_dictaminar(ahora)).filter(_de(puestos, lector))
    return suyas.order_by(*queries.orden_de_urgencia("expediente__"))

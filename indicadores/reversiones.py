"""What was stepped back in the laboratory: how often, why, in which method, how many hours it added.

One choice of rows (`actos`, `filas`) makes every figure and the list behind it. An act that takes several results
with it is one act for the rate and by motive, and one row of each method it touched by method and discipline.

Definitions. **Rate**: acts that happened in a period per 100 samples received in it, as indicator 7 of domain.md; of
one discipline, acts that touch it over samples with an analysis of it. **Hours added**: from the act until what it
stepped back was again in the state that it was taken out of, or ended (cancelled, rejected, lost); until now while it
is not.
Two steps back of one thing, one within the other, count their hours each. Hours are `ocurrio_en`, from the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import chain
from math import sqrt
from statistics import median
from typing import Any

from django.db.models import (
    Case,
    Count,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from expedientes.models import Documento, Evento, Motivo
from laboratorio.lifecycle import Accion
from laboratorio.models import Analisis, EstadoAnalisis, EstadoMuestra, Metodo, Muestra, Resultado, Reversion
from laboratorio.querysets import ConsultaReversion
from senasa import reloj
from senasa.models import Disciplina, Puesto, Usuario

from .guardado import Cuenta, contar, fin_de_mes, limites
from .models import AlertaDeReversiones, Regreso
from .programa import RECIBIDAS, REVERTIDAS

SEMANA, MES = AlertaDeReversiones.Cada.SEMANA, AlertaDeReversiones.Cada.MES
# Fewer expected reversions than this in a week and its limits say nothing: then by month. (Montgomery, n·p of 5.)
ESPERADAS_POR_SEMANA = 5
SEMANAS_A_LA_VISTA = 26
SIN_METODO = "ninguno"
RACHA = 8  # points in a row on one side of the centre: Western Electric's fourth rule
# From these states nothing comes back.
FINALES = (
    EstadoAnalisis.CANCELADO, EstadoMuestra.RECHAZADA, EstadoMuestra.PERDIDA, EstadoMuestra.ANULADA,
    EstadoMuestra.ELIMINADA,
)  # fmt: skip


@dataclass(frozen=True)
class Filtro:
    """The Lima days from `desde` to `hasta`, both in; of one post or all, of one discipline or all."""

    desde: date
    hasta: date
    puesto: Puesto | None = None
    disciplina: Disciplina | None = None


# ── Which rows ────────────────────────────────────────────────────────────────────────────────────


def _del_periodo(filtro: Filtro) -> ConsultaReversion:
    inicio, fin = limites(filtro.desde, filtro.hasta)
    # Before the signature, as domain.md has it: what an issued report is corrected for is an amendment.
    suyas = Reversion.objects.filter(ocurrio_en__gte=inicio, ocurrio_en__lt=fin).exclude(
        accion=Accion.ENMENDAR_RESULTADO
    )
    return suyas.filter(expediente__puesto=filtro.puesto) if filtro.puesto else suyas


def actos(filtro: Filtro) -> ConsultaReversion:
    """Each act once, whatever it took with it; of a discipline, those that touch it."""
    suyos = _del_periodo(filtro).filter(parte_de=None)
    return suyos.que_tocan("metodo__disciplina", filtro.disciplina) if filtro.disciplina else suyos


def filas(filtro: Filtro) -> ConsultaReversion:
    """Each analysis that was stepped back once; and the acts on a sample that took none with them."""
    partes = Reversion.objects.filter(parte_de=OuterRef("pk"))
    suyas = _del_periodo(filtro).filter(Q(analisis__isnull=False) | ~Exists(partes))
    return suyas.filter(analisis__metodo__disciplina=filtro.disciplina) if filtro.disciplina else suyas


def detras(
    filtro: Filtro,
    *,
    por_filas: bool = False,
    accion: str = "",
    motivo: str = "",
    metodo: Metodo | str | None = None,
    autoaprobadas: bool = False,
) -> ConsultaReversion:
    """The rows behind a figure of `causas` or `control`, last first. `metodo` SIN_METODO: those of no analysis."""
    suyas = filas(filtro) if por_filas else actos(filtro)
    condiciones: dict[str, Any] = {"accion": accion, "motivo": motivo}
    suyas = suyas.filter(**{campo: valor for campo, valor in condiciones.items() if valor})
    if metodo == SIN_METODO:
        suyas = suyas.filter(analisis=None)
    elif metodo:
        suyas = suyas.filter(analisis__metodo=metodo)
    if autoaprobadas:
        suyas = suyas.filter(autoaprobada=True)
    return suyas.order_by("-ocurrio_en", "-id")


def muestras(filtro: Filtro) -> QuerySet[Muestra]:
    """Samples received in the period, those with an analysis of the discipline: what rates are counted over."""
    inicio, fin = limites(filtro.desde, filtro.hasta)
    suyas = Muestra.objects.filter(recibida_en__gte=inicio, recibida_en__lt=fin)
    if filtro.puesto:
        suyas = suyas.filter(expediente__puesto=filtro.puesto)
    if filtro.disciplina:
        suyas = suyas.filter(
            Exists(Analisis.objects.filter(muestra=OuterRef("pk"), metodo__disciplina=filtro.disciplina))
        )
    return suyas


def con_horas(reversiones: QuerySet[Reversion], ahora: datetime, *, del_acto: bool) -> QuerySet[Reversion]:
    """With `volvio` (None while it has not) and `agrego`, the time it added up to `ahora`.

    `del_acto`: the row stands for the whole act, which is over when the last of what it took with it is back.
    """
    suyas = _con_cosa(reversiones).annotate(suya=_volvio())
    if del_acto:
        partes = _con_cosa(Reversion.objects.filter(parte_de=OuterRef("pk"))).annotate(suya=_volvio())
        volvio: Any = Case(
            When(Q(suya=None) | Exists(partes.filter(suya=None)), then=Value(None)),
            default=Greatest(F("suya"), Subquery(partes.order_by("-suya").values("suya")[:1])),
            output_field=DateTimeField(),
        )
    else:
        volvio = F("suya")
    return suyas.annotate(
        volvio=volvio,
        agrego=ExpressionWrapper(
            Greatest(Coalesce(F("volvio"), Value(ahora)), F("ocurrio_en")) - F("ocurrio_en"),
            output_field=DurationField(),
        ),
    )


def _con_cosa(reversiones: QuerySet[Reversion]) -> QuerySet[Reversion]:
    """With what was stepped back, as the log names it."""
    return reversiones.annotate(
        cosa=Case(When(analisis=None, then=Value("muestra")), default=Value("analisis")),
        cosa_id=Coalesce("analisis_id", "muestra_id"),
    )


def _volvio() -> Coalesce:
    return Coalesce("regreso__volvio_en", _vuelta(), output_field=DateTimeField())


def _vuelta() -> Subquery:
    """When the log says that the thing of the outer reversion was back, or ended: after the act itself."""
    despues = Evento.objects.filter(
        Q(a=OuterRef("desde_estado")) | Q(a__in=FINALES),
        objeto=OuterRef("cosa"),
        objeto_id=OuterRef("cosa_id"),
        id__gt=OuterRef("evento"),
    )
    return Subquery(despues.order_by("id").values("ocurrio_en")[:1])


def anotar_regresos() -> int:
    """Keep when what is back came back, so that pages do not ask the log again; how many were added."""
    sueltas = _con_cosa(Reversion.objects.filter(regreso=None)).annotate(volvio=_vuelta()).filter(volvio__isnull=False)
    nuevos = [Regreso(reversion_id=pk, volvio_en=cuando) for pk, cuando in sueltas.values_list("pk", "volvio")]
    Regreso.objects.bulk_create(nuevos, batch_size=1000, ignore_conflicts=True)
    return len(nuevos)


# ── The rate over time ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Periodo:
    """One point of the chart, in reversions per 100 samples. No rate without samples, no limits without a centre.

    `incompleto`: not over yet, or cut by the days asked for, so never said to be outside. `racha`: it ends eight or
    more on one side of the centre.
    """

    desde: date
    hasta: date
    reversiones: int
    muestras: int
    autoaprobadas: int
    incompleto: bool = False
    centro: float | None = None
    limites: tuple[float, float] | None = None
    racha: bool = False

    @property
    def tasa(self) -> float | None:
        return 100 * self.reversiones / self.muestras if self.muestras else None

    @property
    def fuera(self) -> str:
        """«por encima», «por debajo» or nothing."""
        if self.tasa is None or self.limites is None or self.incompleto:
            return ""
        inferior, superior = self.limites
        return "por encima" if self.tasa > superior else "por debajo" if self.tasa < inferior else ""


@dataclass(frozen=True)
class Control:
    """The p-chart of a stretch of time. `centro`: its reversions over its samples, incomplete periods left out."""

    cada: str
    periodos: Sequence[Periodo]
    centro: float | None

    @property
    def reversiones(self) -> int:
        return sum(uno.reversiones for uno in self.periodos)

    @property
    def muestras(self) -> int:
        return sum(uno.muestras for uno in self.periodos)

    @property
    def autoaprobadas(self) -> int:
        return sum(uno.autoaprobadas for uno in self.periodos)

    @property
    def por_100(self) -> float | None:
        return 100 * self.reversiones / self.muestras if self.muestras else None

    @property
    def pct_autoaprobadas(self) -> float | None:
        return 100 * self.autoaprobadas / self.reversiones if self.reversiones else None


def control(filtro: Filtro, cada: str = "") -> Control:
    """The rate by `cada` («semana» or «mes»; without it, by what the volume bears), with its limits.

    By week when the stretch is of half a year at most and a week expects five reversions or more. Limits are three
    standard deviations of a proportion over each period's own samples; when there are as many reversions as samples a
    proportion has none, and neither has the chart.
    """
    if not cada:
        semanas = (filtro.hasta - filtro.desde).days / 7
        esperadas = actos(filtro).count() / semanas if 0 < semanas <= SEMANAS_A_LA_VISTA else 0
        cada = SEMANA if esperadas >= ESPERADAS_POR_SEMANA else MES
    hoy = timezone.localdate(reloj.ahora())
    tramos = list(_tramos(filtro.desde, filtro.hasta, cada))
    dias = [(max(desde, filtro.desde), min(hasta, filtro.hasta)) for desde, hasta in tramos]
    cuentas = contar([REVERTIDAS, RECIBIDAS], dias, filtro.puesto, filtro.disciplina)
    crudos = [
        Periodo(*suyos, **cuenta, incompleto=tramo[1] >= hoy or suyos != tramo)
        for tramo, suyos, cuenta in zip(tramos, dias, cuentas, strict=True)
    ]
    enteros = [uno for uno in crudos if not uno.incompleto]
    n = sum(uno.muestras for uno in enteros)
    p = sum(uno.reversiones for uno in enteros) / n if n else None
    return Control(cada, _con_limites(crudos, p), None if p is None else 100 * p)


def _con_limites(crudos: Sequence[Periodo], p: float | None) -> list[Periodo]:
    periodos: list[Periodo] = []
    lado, seguidos = 0, 0
    for uno in crudos:
        tasa, racha, par = uno.tasa, False, None
        if p is not None and tasa is not None:
            if p < 1:
                tres = 3 * sqrt(p * (1 - p) / uno.muestras)
                par = (100 * max(0.0, p - tres), 100 * min(1.0, p + tres))
            este = (tasa > 100 * p) - (tasa < 100 * p)
            seguidos = seguidos + 1 if este and este == lado else abs(este)
            lado, racha = este, seguidos >= RACHA and not uno.incompleto
        periodos.append(
            Periodo(
                uno.desde, uno.hasta, uno.reversiones, uno.muestras, uno.autoaprobadas, uno.incompleto,
                None if p is None else 100 * p, par, racha,
            )
        )  # fmt: skip
    return periodos


def _tramos(desde: date, hasta: date, cada: str) -> Iterable[tuple[date, date]]:
    """The whole weeks or months that the days from `desde` to `hasta` touch."""
    inicio = desde - timedelta(days=desde.weekday()) if cada == SEMANA else desde.replace(day=1)
    while inicio <= hasta:
        siguiente = inicio + timedelta(days=7) if cada == SEMANA else (inicio + timedelta(days=32)).replace(day=1)
        yield inicio, siguiente - timedelta(days=1)
        inicio = siguiente


# ── What costs most ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Causa:
    """A motive, a method or a discipline: how often, the hours it added, and how many are not back yet.

    `clave`: how the list behind it is asked for.
    """

    nombre: str
    clave: dict[str, str]
    veces: int
    horas: float
    abiertas: int


@dataclass(frozen=True)
class Causas:
    motivos: list[Causa]
    metodos: list[Causa]
    disciplinas: list[Causa]


ETAPA_DE_LA_MUESTRA = "Etapa de la muestra, sin método"


def _sin_anotar(*, del_acto: bool) -> Q:
    """Of which it is not noted yet that all is back."""
    falta = Q(regreso=None)
    return falta | Q(Exists(Reversion.objects.filter(falta, parte_de=OuterRef("pk")))) if del_acto else falta


# What some rows have in common, how many there are, the microseconds that they added, how many are not back yet.
Grupos = list[list[Any]]


def _por_motivo(suyas: QuerySet[Reversion]) -> Grupos:
    return _agrupar(suyas, "accion", "motivo")


def _por_metodo(suyas: QuerySet[Reversion]) -> Grupos:
    # Asked of each row's own analysis: joined, all the analyses there are would be read.
    metodo_de = Subquery(Analisis.objects.filter(pk=OuterRef("analisis_id")).values("metodo_id")[:1])
    return _agrupar(suyas.annotate(metodo_de=metodo_de), "metodo_de")


def _agrupar(suyas: QuerySet[Any], *campos: str) -> Grupos:
    """Of rows that `con_horas` gives."""
    cuentas = {"n": Count("pk"), "s": Sum("agrego"), "abiertas": Count("pk", filter=Q(volvio=None))}
    grupos = suyas.order_by(*campos).values_list(*campos).annotate(**cuentas)
    return [[*clave, n, suma // timedelta(microseconds=1), abiertas] for *clave, n, suma, abiertas in grupos]


def _de_vuelta(dias: tuple[date, date], puesto: Puesto | None, disciplina: Disciplina | None) -> dict[str, Any]:
    """What is back and noted so, by motive and by method: what it added grows no more."""
    filtro = Filtro(*dias, puesto, disciplina)

    def vueltas(suyas: ConsultaReversion, *, del_acto: bool) -> QuerySet[Reversion]:
        return con_horas(suyas.exclude(_sin_anotar(del_acto=del_acto)), reloj.ahora(), del_acto=del_acto)

    return {
        "motivos": _por_motivo(vueltas(actos(filtro), del_acto=True)),
        "metodos": _por_metodo(vueltas(filas(filtro), del_acto=False)),
    }


DE_VUELTA = Cuenta("causas", "actos y filas con regreso: cuántas, microsegundos, sin volver; 3", de_uno=_de_vuelta)


def causas(filtro: Filtro, ahora: datetime) -> Causas:
    """What the reversions of the period are laid to: by motive each act once, by method and discipline each row."""
    dias = [(filtro.desde, filtro.hasta)] if filtro.disciplina else _por_meses(filtro.desde, filtro.hasta)
    vueltas = contar([DE_VUELTA], dias, filtro.puesto, filtro.disciplina)

    def sueltas(suyas: ConsultaReversion, *, del_acto: bool) -> QuerySet[Reversion]:
        """The few that are not noted as back: the log is asked of their ids alone."""
        cuales = list(suyas.filter(_sin_anotar(del_acto=del_acto)).values_list("pk", flat=True))
        return con_horas(Reversion.objects.filter(pk__in=cuales), ahora, del_acto=del_acto)

    por_motivo = _juntar(*(una["motivos"] for una in vueltas), _por_motivo(sueltas(actos(filtro), del_acto=True)))
    por_metodo = _juntar(*(una["metodos"] for una in vueltas), _por_metodo(sueltas(filas(filtro), del_acto=False)))
    textos = {(uno.accion, uno.codigo): uno.texto for uno in Motivo.objects.all()}
    motivos = [
        Causa(textos.get((accion, motivo), motivo), {"accion": accion, "motivo": motivo}, *cuenta)
        for (accion, motivo), cuenta in por_motivo.items()
    ]
    todos = {uno.pk: uno for uno in Metodo.objects.select_related("disciplina")}
    metodos: list[Causa] = []
    sumas: dict[tuple[str, str], list[Causa]] = {}
    for (pk,), cuenta in por_metodo.items():
        metodo = todos.get(pk)
        nombre, cual = (str(metodo), str(metodo.pk)) if metodo else (ETAPA_DE_LA_MUESTRA, SIN_METODO)
        causa = Causa(nombre, {"cuenta": "filas", "metodo": cual}, *cuenta)
        metodos.append(causa)
        de = (metodo.disciplina.nombre, str(metodo.disciplina_id)) if metodo else (nombre, SIN_METODO)
        sumas.setdefault(de, []).append(causa)
    disciplinas = [
        Causa(
            nombre,
            {"cuenta": "filas", "metodo" if cual == SIN_METODO else "disciplina": cual},
            sum(una.veces for una in suyas),
            sum(una.horas for una in suyas),
            sum(una.abiertas for una in suyas),
        )
        for (nombre, cual), suyas in sumas.items()
    ]
    return Causas(motivos, metodos, disciplinas)


def _juntar(*varios: Grupos) -> dict[tuple[Any, ...], tuple[int, float, int]]:
    """By what they have in common: how many, the hours that they added, how many are not back yet."""
    sumas: dict[tuple[Any, ...], list[int]] = {}
    for *clave, n, us, abiertas in chain.from_iterable(varios):
        suma = sumas.setdefault(tuple(clave), [0, 0, 0])
        suma[:] = suma[0] + n, suma[1] + us, suma[2] + abiertas
    en_orden = sorted(sumas.items(), key=lambda par: str(par[0]))
    return {clave: (n, us / HORA_US, abiertas) for clave, (n, us, abiertas) in en_orden}


# ── What the automatic signature saved ────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Ahorro:
    """Negative reports first issued in the period: their wait from the last verification to their issue, in hours.

    `horas`: what those signed automatically did not wait, were each to have waited the median of the negative ones
    that a person signed in the same period. None without both kinds: there is nothing to compare with.
    """

    automaticos: int
    de_personas: int
    mediana_automaticos: float | None
    mediana_de_personas: float | None
    horas: float | None


# In whole microseconds, by who signed; all of them, as a median is of no sums.
ESPERAS = """
WITH e AS (
    SELECT d.firma = 'automatica' AS sola,
        (extract(epoch FROM d.publicado_en - d.ensayado_en) * 1000000)::bigint AS espera
    FROM expedientes_documento d
    WHERE d.tipo = 'informe' AND d.version = 1 AND d.conclusion = 'negativo' AND d.ensayado_en IS NOT NULL
        AND d.publicado_en >= p.desde AND d.publicado_en < p.hasta
        AND (%(puesto)s::bigint IS NULL OR EXISTS (
            SELECT FROM expedientes_expediente e WHERE e.id = d.expediente_id AND e.puesto_id = %(puesto)s
        ))
)
SELECT coalesce(array_agg(espera ORDER BY espera) FILTER (WHERE sola), '{}') AS solas,
    coalesce(array_agg(espera ORDER BY espera) FILTER (WHERE NOT sola), '{}') AS de_personas
FROM e
"""
ESPERARON = Cuenta("esperas", ESPERAS)
HORA_US = 3_600_000_000


def negativos(filtro: Filtro, *, automaticos: bool) -> QuerySet[Documento]:
    """The negative reports first issued in the period, signed automatically or by a person."""
    inicio, fin = limites(filtro.desde, filtro.hasta)
    suyos = Documento.objects.filter(
        tipo="informe", version=1, conclusion="negativo", publicado_en__gte=inicio, publicado_en__lt=fin
    )
    suyos = suyos.filter(firma="automatica") if automaticos else suyos.exclude(firma="automatica")
    return suyos.filter(expediente__puesto=filtro.puesto) if filtro.puesto else suyos


def ahorro(filtro: Filtro) -> Ahorro:
    """What signing automatically saved; of every discipline, as a report is of a case."""
    crudas = contar([ESPERARON], _por_meses(filtro.desde, filtro.hasta), filtro.puesto)
    # Each month's come in order: sorting them together is merging them.
    solas = sorted(chain.from_iterable(cruda["solas"] for cruda in crudas))
    de_personas = sorted(chain.from_iterable(cruda["de_personas"] for cruda in crudas))
    suya = Fraction(median(de_personas)) if de_personas else None
    return Ahorro(
        automaticos=len(solas),
        de_personas=len(de_personas),
        mediana_automaticos=median(solas) / HORA_US if solas else None,
        mediana_de_personas=None if suya is None else float(suya / HORA_US),
        horas=float((suya * len(solas) - sum(solas)) / HORA_US) if solas and suya is not None else None,
    )


def _por_meses(desde: date, hasta: date) -> list[tuple[date, date]]:
    """The same days by month: the first and the last may be cut."""
    tramos = []
    while desde <= hasta:
        tramos.append((desde, min(fin_de_mes(desde), hasta)))
        desde = fin_de_mes(desde) + timedelta(days=1)
    return tramos


# ── Of one analyst: for himself and for the director of the laboratory ────────────────────────────


@dataclass(frozen=True)
class DeAnalista:
    """Of the results that somebody recorded in a period, those stepped back since. No rate without results."""

    analista: Usuario
    registrados: int
    revertidos: int

    @property
    def por_100(self) -> float | None:
        return 100 * self.revertidos / self.registrados if self.registrados else None


def revertidos_de(analista: Usuario, desde: date, hasta: date) -> ConsultaReversion:
    """Results that `analista` recorded in the period and that were stepped back, by whomever, last first."""
    inicio, fin = limites(desde, hasta)
    return Reversion.objects.filter(
        resultado__registrado_por=analista, resultado__ocurrio_en__gte=inicio, resultado__ocurrio_en__lt=fin
    ).order_by("-ocurrio_en", "-id")


def por_analista(desde: date, hasta: date, analista: Usuario | None = None) -> list[DeAnalista]:
    """Whoever recorded a result in the period, by surname: no order of merit. With `analista`, that one alone."""
    inicio, fin = limites(desde, hasta)
    suyos = Resultado.objects.filter(ocurrio_en__gte=inicio, ocurrio_en__lt=fin)
    if analista:
        suyos = suyos.filter(registrado_por=analista)
    cuentas = {
        fila["registrado_por"]: (fila["n"], fila["r"])
        for fila in suyos.order_by()
        .values("registrado_por")
        .annotate(n=Count("pk"), r=Count("pk", filter=Exists(Reversion.objects.filter(resultado=OuterRef("pk")))))
    }
    gente = Usuario.objects.filter(pk__in=cuentas).order_by("last_name", "first_name", "pk")
    return [DeAnalista(uno, *cuentas[uno.pk]) for uno in gente]

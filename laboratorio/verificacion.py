"""What a verifier may verify, and what he should look at before: read for a whole queue at once.

Each function takes a list and asks the database a constant number of times, however long it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from expedientes.models import Evento
from senasa import reloj
from senasa.models import Usuario
from senasa.transicion import ActoRechazado, EstadoImpide, RolImpide

from .lifecycle import Accion
from .models import Analisis, Control, ControlEsperado, EstadoAnalisis, HojaDeTrabajo, Resultado, TipoDeControl, Valor

# How far back the usual of a product and origin is read, and from how many results on it says anything.
LO_USUAL = timedelta(days=365)
CUANTOS_PARA_LO_USUAL = 8
POCO_FRECUENTE, FRECUENTE = 0.1, 0.5


# ── The controls of a run ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Corrida:
    """One run of a sheet: the controls that it still lacks, and those that failed."""

    hoja: HojaDeTrabajo
    numero: int
    faltan: list[str]
    fallidos: list[Control]

    @property
    def impedimento(self) -> str:
        """Why no result of this run can be verified; "" when its controls stand."""
        if self.fallidos:
            return _(
                "%(control)s de la corrida %(n)s de %(hoja)s no fue conforme: "
                "el resultado no vale, hay que revertirlo y leer de nuevo."
            ) % {"control": self.fallidos[0].get_tipo_display(), "n": self.numero, "hoja": self.hoja}
        if self.faltan:
            return _("Faltan controles de la corrida %(n)s de %(hoja)s: %(cuales)s.") % {
                "n": self.numero,
                "hoja": self.hoja,
                "cuales": ", ".join(self.faltan),
            }
        return ""


def corridas_de(hojas: Iterable[HojaDeTrabajo]) -> dict[tuple[int, int], Corrida]:
    """Every run of these sheets, by sheet and number of the run."""
    por_pk = {hoja.pk: hoja for hoja in hojas}
    anotados: dict[tuple[int, int], list[Control]] = defaultdict(list)
    for control in Control.objects.filter(hoja__in=por_pk):
        anotados[control.hoja_id, control.corrida].append(control)
    corridas = {}
    for hoja in por_pk.values():
        for n in range(1, hoja.corrida + 1):
            suyos = anotados[hoja.pk, n]
            hechos = {control.tipo for control in suyos}
            corridas[hoja.pk, n] = Corrida(
                hoja=hoja,
                numero=n,
                faltan=[str(TipoDeControl(tipo).label) for tipo, _que in hoja.controles_pedidos if tipo not in hechos],
                fallidos=[control for control in suyos if not control.conforme],
            )
    return corridas


def controles_conformes(resultados: QuerySet[Resultado]) -> bool:
    """Whether no control failed, nor is missing, in the runs that these results were read in."""
    con_hoja = list(resultados.exclude(hoja=None).select_related("hoja"))
    corridas = corridas_de(resultado.hoja for resultado in con_hoja if resultado.hoja)
    return not any(corridas[resultado.hoja_id or 0, resultado.corrida or 0].impedimento for resultado in con_hoja)


# ── Who may verify ────────────────────────────────────────────────────────────────────────────────


def impedimentos(pares: Sequence[tuple[Analisis, Resultado]], actor: Usuario) -> dict[int, ActoRechazado]:
    """How `actor` would be refused each of these results, by analysis; those that he may verify are left out.

    Whoever had the analysis on his bench is its analyst, also when he handed it over before it was recorded.
    """
    manos = _quienes_lo_trabajaron([analisis.pk for analisis, _resultado in pares])
    corridas = corridas_de(resultado.hoja for _analisis, resultado in pares if resultado.hoja)
    dichos: dict[int, ActoRechazado] = {}
    for analisis, resultado in pares:
        corrida = corridas.get((resultado.hoja_id or 0, resultado.corrida or 0))
        if actor.pk in {analisis.analista_id, resultado.registrado_por_id, *manos[analisis.pk]}:
            dichos[analisis.pk] = RolImpide(_("Quien analizó no puede verificar su propio resultado."))
        elif any(verificacion.verificador_id == actor.pk for verificacion in resultado.verificaciones.all()):
            dichos[analisis.pk] = RolImpide(
                _("Usted ya verificó este resultado: la siguiente verificación es de otra persona.")
            )
        elif corrida and corrida.impedimento:
            dichos[analisis.pk] = EstadoImpide(corrida.impedimento)
    return dichos


def _quienes_lo_trabajaron(pks: list[int]) -> dict[int, set[int]]:
    """Who started, repeated or recorded each analysis, and who handed it over with the work begun."""
    manos: dict[int, set[int]] = defaultdict(set)
    eventos = Evento.objects.filter(
        objeto="analisis", objeto_id__in=pks,
        accion__in=[Accion.INICIAR, Accion.REPETIR, Accion.REGISTRAR, Accion.PASAR],
    )  # fmt: skip
    for pk, accion, de, actor, datos in eventos.values_list("objeto_id", "accion", "de", "actor_id", "datos"):
        if accion != Accion.PASAR:
            manos[pk].add(actor)
        elif de == EstadoAnalisis.EN_PROCESO:
            manos[pk].add(datos["de"])
    return manos


# ── What to look at ───────────────────────────────────────────────────────────────────────────────


def diferencias(filas: Sequence[Any]) -> dict[int, list[str]]:
    """What makes each result more than a plain negative, in words, by analysis.

    `filas`: analyses of `en_cola()`, each with its result in force in `vigentes`. An empty list is a plain negative:
    nothing in its history, its neighbours or its run asks for a look of its own.
    """
    con_resultado = [(fila, fila.vigentes[0]) for fila in filas if fila.vigentes]
    hermanos = _hermanos(con_resultado)
    usual = _lo_usual(con_resultado)
    con_controles = set(ControlEsperado.objects.filter(activo=True).values_list("metodo_id", flat=True))
    leidas = set(
        Resultado.objects.filter(hoja__in={resultado.hoja_id for _fila, resultado in con_resultado}, vigente=True)
        .exclude(lectura="")
        .values_list("hoja_id", "corrida")
    )
    return {
        fila.pk: [
            *_del_valor(resultado),
            *_de_la_historia(fila, resultado),
            *_de_los_hermanos(fila, resultado, hermanos),
            *_de_lo_usual(fila, resultado, usual),
            *_de_la_corrida(fila, resultado, con_controles, leidas),
        ]
        for fila, resultado in con_resultado
    }


def _del_valor(resultado: Resultado) -> list[str]:
    dichas = [] if resultado.valor == Valor.NEGATIVO else [str(resultado)]
    if resultado.valor != Valor.NEGATIVO and not resultado.lectura:
        dichas.append(_("sin lectura"))
    if resultado.observaciones:
        dichas.append(_("con observaciones del analista"))
    return dichas


def _de_la_historia(fila: Any, resultado: Resultado) -> list[str]:
    anterior = resultado.sustituye
    if anterior and anterior.valor != resultado.valor:
        return [_("antes dio otro resultado: %(anterior)s") % {"anterior": anterior}]
    if fila.reversiones_hechas:
        return [_("ya fue revertido")]
    return [_("el director lo devolvió")] if anterior else []


# Line and pest → what other analyses found there: sample, its number, value.
Hermanos = dict[tuple[int, int], list[tuple[int, str, str]]]


def _hermanos(pares: Sequence[tuple[Any, Resultado]]) -> Hermanos:
    vecinos = Resultado.objects.filter(
        vigente=True,
        analisis__plaga__in={fila.plaga_id for fila, _resultado in pares},
        analisis__muestra__partida__in={fila.muestra.partida_id for fila, _resultado in pares},
    ).exclude(analisis__estado=EstadoAnalisis.CANCELADO)
    hallados: Hermanos = defaultdict(list)
    for partida, plaga, analisis, numero, valor in vecinos.values_list(
        "analisis__muestra__partida", "analisis__plaga", "analisis", "analisis__muestra__numero", "valor"
    ):
        hallados[partida, plaga].append((analisis, numero, valor))
    return hallados


def _de_los_hermanos(fila: Any, resultado: Resultado, hermanos: Hermanos) -> list[str]:
    otros = {
        f"{numero}, {Valor(valor).label.lower()}"
        for analisis, numero, valor in hermanos[fila.muestra.partida_id, fila.plaga_id]
        if analisis != fila.pk and valor != resultado.valor
    }
    return [_("difiere de la misma partida: %(otros)s") % {"otros": "; ".join(sorted(otros)[:3])}] if otros else []


# Product, origin and pest → (positives, all) of the last twelve months.
Usual = dict[tuple[int, str, int], tuple[int, int]]


def _lo_usual(pares: Sequence[tuple[Any, Resultado]]) -> Usual:
    camino = "analisis__muestra__partida__"
    cuentas = (
        Resultado.objects.filter(
            vigente=True,
            analisis__estado=EstadoAnalisis.VERIFICADO,
            analisis__verificado_en__gte=reloj.ahora() - LO_USUAL,
            analisis__plaga__in={fila.plaga_id for fila, _resultado in pares},
            **{f"{camino}producto__in": {fila.muestra.partida.producto_id for fila, _resultado in pares}},
        )
        .order_by()
        .values_list(f"{camino}producto", f"{camino}pais_origen", "analisis__plaga", "valor")
        .annotate(n=Count("pk"))
    )
    usual: Usual = defaultdict(lambda: (0, 0))
    for producto, origen, plaga, valor, n in cuentas:
        positivos, todos = usual[producto, origen, plaga]
        usual[producto, origen, plaga] = (positivos + n * (valor == Valor.POSITIVO), todos + n)
    return usual


def _de_lo_usual(fila: Any, resultado: Resultado, usual: Usual) -> list[str]:
    partida = fila.muestra.partida
    positivos, todos = usual[partida.producto_id, partida.pais_origen_id, fila.plaga_id]
    if todos < CUANTOS_PARA_LO_USUAL:
        return []
    cuantos = {"positivos": positivos, "todos": todos}
    if resultado.valor == Valor.POSITIVO and positivos <= todos * POCO_FRECUENTE:
        return [_("poco frecuente en este producto y origen: %(positivos)s de %(todos)s en un año") % cuantos]
    if resultado.valor == Valor.NEGATIVO and positivos >= todos * FRECUENTE:
        return [_("este producto y origen suele ser positivo: %(positivos)s de %(todos)s en un año") % cuantos]
    return []


def _de_la_corrida(
    fila: Any, resultado: Resultado, con_controles: set[int], leidas: set[tuple[int, int | None]]
) -> list[str]:
    if resultado.hoja is None:
        return [_("sin hoja de trabajo: sus controles no constan")] if fila.metodo_id in con_controles else []
    dichas = []
    if resultado.hoja.corrida > 1:
        dichas.append(
            _("control repetido: corrida %(n)s de %(hoja)s") % {"n": resultado.corrida, "hoja": resultado.hoja}
        )
    if not resultado.lectura and resultado.valor == Valor.NEGATIVO and (resultado.hoja_id, resultado.corrida) in leidas:
        dichas.append(_("sin lectura, y otras de su hoja la tienen"))
    return dichas

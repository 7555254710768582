"""The one ledger of times: when each thing happened to a case, and whose time it was. Read from its log alone.

Indicators, forecasts, the case page and the importer's page all read this, so that they cannot say different
things. Definitions: domain.md, section 6. What is derived here is kept in `Hitos`, written anew in the transaction
of each act (`anotar_hitos`), and can be made again from nothing (`manage.py recalcular_hitos`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db.models import QuerySet

from senasa import palabras

from .models import ORDEN_DE_PARTIDAS, TERMINADOS, Estado, Evento, Expediente, Hitos, Partida

PUESTO, TRASLADO, LABORATORIO, IMPORTADOR = "Puesto", "Traslado", "Laboratorio", "Importador"
DIA = timedelta(days=1)
# An act typed later than this after it happened counts as entered late; so late it also needs a motive.
TARDANZA = timedelta(hours=24)
# Of a line: what begins its sampling anew. What was found and decided before says nothing of the goods as they are now.
OTRA_TOMA = ("volver_a_muestrear", "reinspeccionar", "reabrir_inspeccion")
# Of a line: after these its decision does not stand any more.
SIN_DECISION = (*OTRA_TOMA, "reabrir")
# The acts whose hours make an indicator: of these, how many were typed late.
DE_INDICADOR = {
    ("expediente", "registrar"), ("partida", "tomar_muestra"), ("partida", "enviar"), ("muestra", "recibir"),
    ("analisis", "verificar"), ("partida", "dictaminar"), ("partida", "dictaminar_sin_muestra"),
    ("expediente", "cerrar"),
}  # fmt: skip
EN_CAMINO = "enviada"  # of a sample: it has left the post and nobody has received it


class Entrada(Protocol):
    """What the ledger reads of an entry of the log."""

    objeto: str
    objeto_id: int
    accion: str
    a: str
    ocurrio_en: datetime
    registrado_en: datetime
    datos: dict[str, Any]


# ── Whose time it was ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Tramo:
    """A stretch of a case's life: its stage, whose turn it was, and whether its clock stood still."""

    estado: str
    quien: str
    desde: datetime
    hasta: datetime
    detenido: bool = False


def tramos(eventos: Iterable[Entrada], partidas: Sequence[int], ahora: datetime) -> list[Tramo]:
    """The life of a case in stretches, replayed from its log: the stage is that of its slowest line.

    `eventos` in the order they happened; `ahora`: until when the last stretch of an open case goes. Time with a
    sample on the road is nobody's but the road's. An ended case has no turn, whatever still happens to its lines.
    """
    vida, pendiente = _recorrer(eventos, partidas)
    if pendiente and pendiente.estado not in TERMINADOS:
        vida.append(Tramo(pendiente.estado, pendiente.quien, pendiente.desde, ahora, pendiente.detenido))
    return vida


def _recorrer(eventos: Iterable[Entrada], partidas: Sequence[int]) -> tuple[list[Tramo], Tramo | None]:
    """The stretches that are over, and the one that goes on since its `desde`."""
    estados = dict.fromkeys(partidas, str(Estado.REGISTRADO))
    en_camino: set[int] = set()
    detenidos: set[int] = set()  # lines that were not there, and 0 for the whole case
    final = ""
    vida: list[Tramo] = []
    actual: Tramo | None = None
    for evento in eventos:
        if evento.objeto == "expediente":
            if evento.a:  # a reminder or a link sent again moves nothing
                (detenidos.add if evento.a == Estado.OBSERVADO else detenidos.discard)(0)
                final = evento.a if evento.a in TERMINADOS else ""
        elif evento.objeto == "partida":
            if evento.a:
                estados[evento.objeto_id] = evento.a
            (detenidos.add if evento.accion == "no_presentada" else detenidos.discard)(evento.objeto_id)
        elif evento.objeto == "muestra" and evento.a:
            (en_camino.add if evento.a == EN_CAMINO else en_camino.discard)(evento.objeto_id)
        lenta = next((estado for estado in ORDEN_DE_PARTIDAS if estado in estados.values()), Estado.REGISTRADO)
        detenido = not final and (0 in detenidos or detenidos >= set(partidas))
        quien = IMPORTADOR if detenido else _de_quien(lenta, bool(en_camino))
        turno = Tramo(final or str(lenta), quien, evento.ocurrio_en, evento.ocurrio_en, detenido)
        if actual and (turno.estado, turno.quien) == (actual.estado, actual.quien):
            continue
        if actual and evento.ocurrio_en > actual.desde:
            vida.append(Tramo(actual.estado, actual.quien, actual.desde, evento.ocurrio_en, actual.detenido))
        actual = turno
    return vida, actual


def _de_quien(estado: str, en_camino: bool) -> str:
    if estado == Estado.EN_LABORATORIO:
        return TRASLADO if en_camino else LABORATORIO
    return IMPORTADOR if estado == Estado.EN_MEDIDA else PUESTO


def reparto(vida: Iterable[Tramo]) -> dict[str, timedelta]:
    """How long the case was in whose hands; time in which it was ended, before it was opened again, is nobody's."""
    suma = dict.fromkeys((PUESTO, TRASLADO, LABORATORIO, IMPORTADOR), timedelta())
    for tramo in vida:
        if tramo.estado not in TERMINADOS:
            suma[tramo.quien] += tramo.hasta - tramo.desde
    return suma


TONOS = {PUESTO: "verde", TRASLADO: "claro", LABORATORIO: "azul", IMPORTADOR: "ambar"}


def dibujar(por_quien: Mapping[str, timedelta], nombres: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The total, and each one's share as `componentes/reparto.html` draws it. `nombres`: how the page calls them.

    What is left of each one's last hour goes to the next: what the shares say adds up to what the total says.
    """
    total = sum(por_quien.values(), timedelta())
    unidad = timedelta(hours=1) if total >= timedelta(hours=1) else timedelta(minutes=1)
    partes, inicio, llevan = [], 0.0, timedelta()
    for quien, tono in TONOS.items():
        if suyo := por_quien[quien]:
            ancho = round(100 * suyo / total, 2)
            dicho = ((llevan + suyo) // unidad - llevan // unidad) * unidad
            llevan += suyo
            # Less than an hour that completes none is told in minutes.
            texto = f"{(nombres or {}).get(quien, quien)} {palabras.duracion(dicho or suyo, con_horas=True)}"
            partes.append({"texto": texto, "inicio": round(inicio, 2), "ancho": ancho, "tono": tono})
            inicio += ancho
    return {"total": palabras.duracion(total, con_horas=True), "partes": partes}


# ── When it happened ──────────────────────────────────────────────────────────────────────────────


@dataclass
class _Linea:
    """What the log says of a line while it is read: its round, its samples of the first one and when they left, its
    decision."""

    ronda: int = 0
    tomadas: set[str] = field(default_factory=set)
    enviadas: dict[str, datetime] = field(default_factory=dict)
    decidida_en: datetime | None = None
    fundan: list[str] = field(default_factory=list)


def hitos(eventos: Sequence[Entrada], partidas: Sequence[int]) -> dict[str, Any]:
    """The columns of `Hitos` that the log of a case gives. `eventos` in the order of the log; all hours `ocurrio_en`.

    t0 solicitud · t1 first muestra tomada · t2 last of the first round sent, whenever it left (none while one of it
    still waits) · t3 last reception that stands · t4 last test concluded that stands: the verification that completed
    it · t5 issue of the report version that the last decisions rest on, the latest of the case · t6 last decision in
    force, once every line has one · t7 last closure, none while it is open again. `cierres`: each time it ended and was
    opened again, in ISO hours.
    """
    lineas = {pk: _Linea() for pk in partidas}
    t: dict[str, datetime | None] = dict.fromkeys(("t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"))
    emitidos: dict[str, datetime] = {}
    cierres: list[list[str]] = []
    fin: datetime | None = None
    cuenta = {"muestras": 0, "actos": 0, "tardios": 0, "repeticiones": 0, "cancelaciones": 0, "reaperturas": 0}
    anuladas, anuladas_sin_nombre, metodos = set[str](), 0, set[str]()
    recibidas: dict[int, datetime] = {}
    verificados: dict[int, datetime] = {}  # the last verification of each analysis, and of those that stand completed
    concluidos: dict[int, datetime] = {}

    for evento in eventos:
        cuando, datos = evento.ocurrio_en, evento.datos
        if (evento.objeto, evento.accion) in DE_INDICADOR:
            cuenta["actos"] += 1
            cuenta["tardios"] += evento.registrado_en - cuando > TARDANZA
        linea = lineas.get(evento.objeto_id) if evento.objeto == "partida" else None
        match evento.objeto, evento.accion:
            case "expediente", "registrar":
                t["t0"] = cuando
            case "expediente", _ if evento.a in TERMINADOS and fin is None:
                fin = cuando
                t["t7"] = cuando if evento.a == Estado.CERRADO else None
            case "expediente", "reabrir" | "reabrir_inspeccion" if fin is not None:
                cierres.append([fin.isoformat(), cuando.isoformat()])
                cuenta["reaperturas"] += 1
                fin = t["t7"] = None
            case "muestra", "recibir":
                recibidas[evento.objeto_id] = cuando
            case "muestra", "revertir_recepcion":
                recibidas.pop(evento.objeto_id, None)
            case "muestra", "anular_muestra" if "muestra" in datos:
                anuladas.add(datos["muestra"])
            case "muestra", "anular_muestra":
                anuladas_sin_nombre += 1
            case "analisis", accion:
                cuenta["repeticiones"] += accion == "repetir"
                cuenta["cancelaciones"] += accion == "cancelar"
                if accion == "verificar":
                    verificados[evento.objeto_id] = cuando
                if evento.a == "verificado":
                    concluidos[evento.objeto_id] = verificados.get(evento.objeto_id, cuando)
                elif evento.a:
                    concluidos.pop(evento.objeto_id, None)
            case "informe", "emitir" | "corregir" if "documento" in datos:
                emitidos[datos["documento"]] = cuando
            case "partida", _ if linea is not None:
                if "informe_en_papel" in datos:
                    emitidos[f"{datos['informe_en_papel']} (en papel)"] = cuando
                if evento.accion == "tomar_muestra":
                    cuenta["muestras"] += 1
                    t["t1"] = cuando if t["t1"] is None else min(t["t1"], cuando)
                    if not linea.ronda:
                        linea.tomadas.add(datos.get("muestra", ""))
                elif evento.accion == "enviar":
                    metodos.update(ensayo.rpartition(" · ")[0] for ensayo in datos.get("ensayos", ()))
                    linea.enviadas.update(dict.fromkeys(linea.tomadas.intersection(datos.get("muestras", ())), cuando))
                elif evento.accion in ("dictaminar", "dictaminar_sin_muestra"):
                    linea.decidida_en, linea.fundan = cuando, datos.get("informes", [])
                elif evento.accion in SIN_DECISION:
                    linea.decidida_en, linea.fundan = None, []
                    linea.ronda += evento.accion in OTRA_TOMA
    t["t3"], t["t4"] = max(recibidas.values(), default=None), max(concluidos.values(), default=None)
    # One that was annulled before it left is not waited for. (Entries of long ago do not say which one it was.)
    esperan = sum(len(linea.tomadas - linea.enviadas.keys() - anuladas) for linea in lineas.values())
    if esperan <= anuladas_sin_nombre:
        t["t2"] = max((cuando for linea in lineas.values() for cuando in linea.enviadas.values()), default=None)
    decididas = [linea.decidida_en for linea in lineas.values() if linea.decidida_en]
    if decididas and len(decididas) == len(lineas):
        t["t6"] = max(decididas)
        usados = [emitidos[uno] for linea in lineas.values() for uno in linea.fundan if uno in emitidos]
        t["t5"] = max(usados, default=None)
    vida, pendiente = _recorrer(sorted(eventos, key=lambda uno: uno.ocurrio_en), partidas)
    suyo = reparto(vida)
    sigue = pendiente is not None and pendiente.estado not in TERMINADOS
    return {
        **t,
        **cuenta,
        "fin": fin,
        "cierres": cierres,
        "metodos": sorted(metodos),
        "dias_puesto": suyo[PUESTO] / DIA,
        "dias_traslado": suyo[TRASLADO] / DIA,
        "dias_laboratorio": suyo[LABORATORIO] / DIA,
        "dias_importador": suyo[IMPORTADOR] / DIA,
        "dias_detenido": sum((uno.hasta - uno.desde for uno in vida if uno.detenido), timedelta()) / DIA,
        "tiene": pendiente.quien if pendiente and sigue else "",
        "tiene_desde": pendiente.desde if pendiente and sigue else None,
    }


def hasta_ahora(suyos: Hitos, ahora: datetime) -> dict[str, timedelta]:
    """How long an open or ended case has been in whose hands, from its row of the ledger."""
    dias = {PUESTO: suyos.dias_puesto, TRASLADO: suyos.dias_traslado, LABORATORIO: suyos.dias_laboratorio,
            IMPORTADOR: suyos.dias_importador}  # fmt: skip
    por_quien = {quien: timedelta(days=cuantos) for quien, cuantos in dias.items()}
    if suyos.tiene and suyos.tiene_desde:
        por_quien[suyos.tiene] += max(ahora - suyos.tiene_desde, timedelta())
    return por_quien


# ── Kept ──────────────────────────────────────────────────────────────────────────────────────────

LEE = ("expediente_id", "n", "objeto", "objeto_id", "accion", "a", "ocurrio_en", "registrado_en", "datos")
# Of the laboratory's entries only these say something here.
CALLAN = {
    "analisis": (
        "verificar", "completar", "repetir", "cancelar", "revertir", "reiniciar", "devolver", "enmendar_resultado",
    ),
    "informe": ("emitir", "corregir"),
}  # fmt: skip


def dice_algo(objeto: str, accion: str) -> bool:
    """Whether an entry of the log can change what the ledger holds."""
    return objeto not in CALLAN or accion in CALLAN[objeto]


def leer(casos: QuerySet[Expediente]) -> list[Hitos]:
    """The rows of those cases as their logs say they should be, unsaved; three queries whatever the cases."""
    lineas: dict[int, list[tuple[int, int, str]]] = {}
    for caso, pk, producto, origen in (
        Partida.objects.filter(expediente__in=casos).order_by("orden")
        .values_list("expediente_id", "pk", "producto_id", "pais_origen_id")
    ):  # fmt: skip
        lineas.setdefault(caso, []).append((pk, producto, origen))
    entradas: dict[int, list[Any]] = {}
    for fila in Evento.objects.filter(expediente__in=casos).order_by("n").values_list(*LEE, named=True):
        if dice_algo(fila.objeto, fila.accion):
            entradas.setdefault(fila.expediente_id, []).append(fila)
    return [
        Hitos(
            expediente_id=pk,
            puesto_id=puesto,
            migrado=migrado,
            producto_id=lineas[pk][0][1],
            origen_id=lineas[pk][0][2],
            **hitos(entradas.get(pk, []), [linea[0] for linea in lineas[pk]]),
        )
        for pk, puesto, migrado in casos.order_by("pk").values_list("pk", "puesto_id", "migrado")
        if pk in lineas
    ]


def guardar(filas: Sequence[Hitos]) -> None:
    """Write rows of `leer` over those that stand."""
    Hitos.objects.bulk_create(
        filas, update_conflicts=True, unique_fields=["expediente"],
        update_fields=[campo.name for campo in Hitos._meta.concrete_fields if not campo.primary_key],
    )  # fmt: skip


def anotar_hitos(expediente: Expediente) -> Hitos | None:
    """Bring the case's row up to date, within the transaction of the act that was just logged; the row."""
    filas = leer(Expediente.objects.filter(pk=expediente.pk))
    guardar(filas)
    return filas[0] if filas else None

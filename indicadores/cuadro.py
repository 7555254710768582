"""The programme's figures as a person reads them: what each indicator is, how it is written, and whether it got better.

What a report freezes is `foto`; pages and PDFs write it by `filas`, so that they cannot say different things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from expedientes.models import ETAPAS_DE_PARTIDA
from senasa.models import Puesto

from . import demoras, graficos, linea_base
from .informados import informados
from .models import LineaBase
from .programa import EXCLUIDOS, Medida, Mes, Parte, calcular, cifras, por_mes

I = LineaBase.Indicador  # noqa: E741 - the nine, read in a table


@dataclass(frozen=True)
class Indicador:
    """`clave`: its name in `cifras`. `unidad` is written after the number; of some, less is better, of others more."""

    clave: str
    n: int
    unidad: str
    menos_es_mejor: bool
    formula: str

    @property
    def nombre(self) -> str:
        return str(I(self.clave).label)


INDICADORES = (
    Indicador(I.CICLO, 1, "d", True, "media de los días de la primera toma al último cierre"),
    Indicador(I.A_TIEMPO, 2, "%", False, "cerrados en menos de 15 días desde la toma, de los cerrados"),
    Indicador(I.DECISION, 3, "d", True, "media de los días de la emisión del informe al último dictamen"),
    Indicador(
        I.ENVIO, 4, "%", False, "toda su primera ronda enviada en 8 días, de los muestreados con el plazo cumplido"
    ),
    Indicador(I.REZAGO, 5, "casos", True, "abiertos al final del período, muestreados hace más de 60 días"),
    Indicador(I.INFORMADOS, 6, "%", False, "importadores con informe que recibieron su aviso a tiempo"),
    Indicador(I.REVERSIONES, 7, "por 100", True, "reversiones por cada 100 muestras recibidas"),
    Indicador(I.AUTOFIRMADOS, 8, "%", False, "informes negativos firmados automáticamente, de los negativos"),
    Indicador(I.RECLAMOS, 9, "d hábiles", True, "no se registran reclamos todavía"),
)
# What is printed beside them, by its name in `Programa`.
AL_LADO = {
    "anulados": "Anulados después de la toma",
    "dias_detenidos": "Días con el reloj detenido, de los cerrados",
    "repeticiones": "Análisis repetidos",
    "cancelaciones": "Análisis cancelados",
    "tardios": "Actos anotados más de 24 h después",
}
POR_CLAVE = {str(indicador.clave): indicador for indicador in INDICADORES}


def escribir(valor: float | None, unidad: str = "") -> str:
    """A figure with at most one decimal, by comma, and its unit; what could not be computed says so."""
    if valor is None:
        return graficos.SIN_DATOS
    texto = f"{graficos.redondear(valor):,}".removesuffix(".0").translate(str.maketrans(",.", "\u00a0,"))
    unidad = "caso" if texto == "1" and unidad == "casos" else unidad
    return f"{texto}\u00a0{unidad}" if unidad else texto


@dataclass(frozen=True)
class Comparacion:
    """After against before, in the indicator's unit. `mejora` is None when nothing changed that can be seen."""

    antes: float
    cambio: float
    mejora: bool | None
    texto: str


def comparar(indicador: Indicador, ahora: float | None, antes: float | None) -> Comparacion | None:
    """How an indicator moved from its baseline; None without either figure. In points, of percentages."""
    if ahora is None or antes is None:
        return None
    cambio = ahora - antes
    escrito = escribir(abs(cambio), "puntos" if indicador.unidad == "%" else indicador.unidad)
    if escribir(abs(cambio)) == "0":
        return Comparacion(antes, cambio, None, "igual")
    texto = f"{'+' if cambio > 0 else '−'}{escrito}"
    if antes and indicador.unidad != "%":
        texto += f" ({'+' if cambio > 0 else '−'}{escribir(abs(100 * cambio / antes), '%')})"
    return Comparacion(antes, cambio, (cambio < 0) == indicador.menos_es_mejor, texto)


# ── What is frozen ────────────────────────────────────────────────────────────────────────────────


def foto(desde: date, hasta: date, puesto: Puesto | None = None) -> dict[str, Any]:
    """Everything that is told of a period and a post, as JSON: floats with all their digits, None where unknown."""
    return foto_de_indicadores(desde, hasta, puesto) | {
        "etapas": [asdict(etapa) for etapa in demoras.etapas(desde, hasta, puesto)],
        "reparto": [asdict(parte) for parte in demoras.reparto(desde, hasta, puesto)],
        "movimiento": [
            {**asdict(semana), "desde": semana.desde.isoformat(), "hasta": semana.hasta.isoformat()}
            for semana in demoras.movimiento(desde, hasta, puesto)
        ],
    }


def foto_de_meses(mes: date) -> list[dict[str, Any]]:
    """What the charts over months draw, of all posts together: of each of the twelve months that end with `mes`."""
    primero = date(mes.year - 1 + mes.month // 12, mes.month % 12 + 1, 1)
    return [
        {
            "desde": uno.desde.isoformat(),
            "hasta": uno.hasta.isoformat(),
            **{cual: asdict(getattr(uno, cual)) for cual in ("ciclo", "a_tiempo", "informe_a_dictamen", "envio")},
            "rezago": uno.rezago,
        }
        for uno in por_mes(primero, mes)
    ]


def meses_leidos(cifras: Mapping[str, Any]) -> list[Mes]:
    """The months that `foto_de_meses` froze in the figures of a report."""
    return [
        Mes(
            desde=date.fromisoformat(uno["desde"]),
            hasta=date.fromisoformat(uno["hasta"]),
            ciclo=Medida(**uno["ciclo"]),
            a_tiempo=Parte(**uno["a_tiempo"]),
            informe_a_dictamen=Medida(**uno["informe_a_dictamen"]),
            envio=Parte(**uno["envio"]),
            rezago=uno["rezago"],
        )
        for uno in cifras.get("meses", [])
    ]


def foto_de_indicadores(desde: date, hasta: date, puesto: Puesto | None = None) -> dict[str, Any]:
    """Of a photo what `filas` and `al_lado` read."""
    programa, avisados = calcular(desde, hasta, puesto), informados(desde, hasta, puesto)
    bases = linea_base.vigentes(puesto)
    return {
        "puesto": puesto.codigo if puesto else "",
        "nombre": puesto.nombre if puesto else "Todos los puestos",
        "al": programa.al.isoformat(),
        "cifras": cifras(programa, avisados),
        "medidas": {
            I.CICLO.value: asdict(programa.ciclo),
            I.DECISION.value: asdict(programa.informe_a_dictamen),
            "informe": asdict(programa.ensayo_a_informe),
        },
        "partes": {
            I.A_TIEMPO.value: [programa.a_tiempo.cuantos, programa.a_tiempo.n],
            I.ENVIO.value: [programa.envio.cuantos, programa.envio.n],
            I.INFORMADOS.value: [avisados.solicitantes_informados, avisados.solicitantes],
            I.AUTOFIRMADOS.value: [programa.autofirmados.cuantos, programa.autofirmados.n],
            I.REVERSIONES.value: [programa.reversiones, programa.muestras],
            "tardios": [programa.tardios.cuantos, programa.tardios.n],
        },
        "rezago_sin_muestra": programa.rezago_sin_muestra,
        "anulados": programa.anulados,
        "dias_detenidos": programa.dias_detenidos,
        "repeticiones": programa.repeticiones,
        "cancelaciones": programa.cancelaciones,
        "linea_base": {
            clave: {"valor": base.valor, "periodo": base.periodo, "fuente": base.fuente, "version": base.version}
            for clave, base in bases.items()
        },
    }


# ── How it reads ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fila:
    """An indicator of a photo in words."""

    indicador: Indicador
    valor: str
    sin_datos: bool
    detalle: str
    base: str
    fuente: str
    comparacion: Comparacion | None


def filas(foto: Mapping[str, Any]) -> list[Fila]:
    """The nine indicators of a photo, each with what stands behind it and its baseline."""
    todas = []
    for indicador in INDICADORES:
        valor = foto["cifras"].get(indicador.clave)
        base = foto["linea_base"].get(indicador.clave)
        todas.append(
            Fila(
                indicador,
                escribir(valor, indicador.unidad),
                valor is None,
                _detalle(foto, indicador.clave),
                escribir(base["valor"], indicador.unidad) if base else "",
                f"{base['periodo']} · {base['fuente']}" if base else "",
                comparar(indicador, valor, base["valor"] if base else None),
            )
        )
    return todas


def _detalle(foto: Mapping[str, Any], clave: str) -> str:
    if clave == I.RECLAMOS:
        return "no se registran reclamos todavía"
    if clave == I.REZAGO:
        return f"además, {foto['rezago_sin_muestra']} sin muestra, desde su solicitud"
    if medida := foto["medidas"].get(clave):
        return medida_escrita(medida)
    cuantos, n = foto["partes"][clave]
    if clave == I.REVERSIONES:
        return f"{cuantos} en {n} muestras recibidas"
    return f"{cuantos} de {n}"


def medida_escrita(medida: Mapping[str, Any]) -> str:
    """«n = 31 · mediana 9,1 d · p90 20,3 d»."""
    if not medida["n"]:
        return "n = 0"
    return f"n = {medida['n']} · mediana {escribir(medida['mediana'], 'd')} · p90 {escribir(medida['p90'], 'd')}"


def al_lado(foto: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is printed beside the indicators, and what they leave out and why."""
    tardios, actos = foto["partes"]["tardios"]
    return [
        (AL_LADO["anulados"], str(foto["anulados"])),
        (AL_LADO["dias_detenidos"], escribir(foto["dias_detenidos"], "d")),
        (AL_LADO["repeticiones"], str(foto["repeticiones"])),
        (AL_LADO["cancelaciones"], str(foto["cancelaciones"])),
        (AL_LADO["tardios"], f"{tardios} de {actos}"),
        ("Del último ensayo al informe, de los negativos", medida_escrita(foto["medidas"]["informe"])),
        *((f"Excluidos: {EXCLUIDOS[razon]}", str(n)) for razon, n in foto["cifras"]["excluidos"].items()),
    ]


def etapas_escritas(foto: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "nombre": etapa["nombre"],
            "quien": etapa["quien"],
            "n": str(etapa["medida"]["n"]),
            **{cual: escribir(etapa["medida"][cual], "d") for cual in ("media", "mediana", "p90")},
        }
        for etapa in foto["etapas"]
    ]


def de_los_tiempos(desde: date, hasta: date, puesto: Puesto | None = None) -> dict[str, Any]:
    """What the page of times shows: the finding, the tables in words, and the stock week by week as a chart."""
    etapas, reparto = demoras.etapas(desde, hasta, puesto), demoras.reparto(desde, hasta, puesto)
    pasos, semanas = demoras.pasos(desde, hasta, puesto), demoras.movimiento(desde, hasta, puesto)
    escritas = {
        "etapas": [asdict(etapa) for etapa in etapas],
        "reparto": [asdict(parte) for parte in reparto],
    }
    return {
        "hallazgo": _hallazgo(etapas, reparto),
        "etapas": etapas_escritas(escritas),
        "reparto": reparto_escrito(escritas),
        "pasos": [_paso_escrito(paso, max(uno.espera.mediana or 0 for uno in pasos)) for paso in pasos],
        "grafico": _existencias(semanas),
    }


def _hallazgo(etapas: list[demoras.Etapa], reparto: list[demoras.Parte]) -> str:
    """Who had most of the time, and the stage that takes longest: what a director reads first."""
    con_tiempo = [parte for parte in reparto if parte.pct]
    con_casos = [etapa for etapa in etapas if etapa.medida.mediana is not None]
    if not con_tiempo or not con_casos:
        return "No se cerró ningún expediente con muestra en el período"
    mayor = max(con_tiempo, key=lambda parte: parte.pct or 0)
    larga = max(con_casos, key=lambda etapa: etapa.medida.mediana or 0)
    quien = {"Importador": "El importador", "Laboratorio": "El laboratorio", "Puesto": "El puesto"}
    return (
        f"{quien.get(mayor.quien, 'El traslado')} tuvo el {escribir(mayor.pct, '%')} del tiempo; lo que más tarda: "
        f"{larga.nombre[0].lower()}{larga.nombre[1:]}, {escribir(larga.medida.mediana, 'd')} de mediana"
    )


def _paso_escrito(paso: demoras.Paso, mas: float) -> dict[str, Any]:
    """`mas`: the longest median, which fills its bar."""
    return {
        "de": ETAPAS_DE_PARTIDA[paso.de],
        "a": ETAPAS_DE_PARTIDA[paso.a],
        "n": paso.espera.n,
        "barra": graficos.barra(100 * (paso.espera.mediana or 0) / mas if mas else 0),
        **{cual: escribir(getattr(paso.espera, cual), "d") for cual in ("media", "mediana", "p90")},
    }


def _existencias(semanas: list[demoras.Semana]) -> graficos.Grafico | None:
    if not semanas:
        return None
    primera, ultima = semanas[0].quedan, semanas[-1].quedan
    como = "suben" if ultima > primera else "bajan" if ultima < primera else "siguen igual"

    def serie(nombre: str, columna: str, tono: str) -> graficos.Serie:
        puntos = [graficos.Punto(f"{una.hasta:%d/%m}", float(getattr(una, columna))) for una in semanas]
        return graficos.Serie(nombre, puntos, tono)

    return graficos.lineas(
        f"Las existencias {como}: de {primera} a {ultima} expedientes abiertos",
        "expedientes",
        [
            serie("Quedaron abiertos", "quedan", "verde"),
            serie("Se abrieron en la semana", "abiertos", "azul"),
            serie("Terminaron en la semana", "cerrados", "ambar"),
        ],
        decimales=0,
    )


def reparto_escrito(foto: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "quien": parte["quien"],
            "pct": escribir(parte["pct"], "%"),
            "dias": escribir(parte["dias"], "d"),
            **{cual: escribir(parte["medida"][cual], "d") for cual in ("media", "mediana", "p90")},
        }
        for parte in foto["reparto"]
    ]

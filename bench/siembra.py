"""A million cases cast from a few hundred moulds, by COPY, on every core: gapless numbers, logs whose seals verify.

As PostgreSQL's manual says of filling a database (chapter 14.4): keys and indexes are dropped first and made again
afterwards, which is also what proves that every row keeps every constraint. Checks and triggers stay on, but for those
that tell what kept statistics go stale (`bases.py`): none are kept yet.
"""

import hashlib
import hmac
import os
import re
import sys
import time
from base64 import b32encode
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from multiprocessing import get_context
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from django.conf import settings
from psycopg import sql
from stdnum.pe import ruc

from . import moldes as de_moldes
from .moldes import Molde

LIMA = ZoneInfo("America/Lima")
ANIOS = 4
SEMANA = 7 * 86400
TANDA = 2500
IMPORTADORES_POR_CASO = 1 / 250
EVENTO = "expedientes_evento"


class Copia(NamedTuple):
    """Which mould, and how far back it is moved."""

    molde: int
    semanas: int
    segundos: int

    @property
    def salto(self) -> int:
        return self.semanas * SEMANA + self.segundos


@dataclass(frozen=True)
class Tanda:
    """What one worker casts at once, and where ids and numbers begin."""

    n: int
    copias: list[Copia]
    ids: dict[str, int]
    numeros: dict[tuple[str, int], int]
    importadores: tuple[int, int]  # id of the first, and how many


def sembrar(dsn: str, moldes: list[Molde], *, casos: int, abiertos: int, ahora: datetime) -> None:
    """Fill an empty database at `dsn` with `casos` copies, `abiertos` of them still open."""
    empieza = time.monotonic()
    with psycopg.connect(dsn, autocommit=True) as conexion:
        nombres = sorted({nombre for molde in moldes for nombre in molde.cuantas})
        importadores = _importadores(conexion, max(50, round(casos * IMPORTADORES_POR_CASO)))
        desde = {nombre: _ultimo(conexion, nombre) for nombre in nombres}
        restos = _quitar_llaves(conexion, nombres)
    copias = _planear(moldes, casos=casos, abiertos=abiertos, ahora=ahora)
    hechos = 0
    avance = Avance(casos)
    procesos = os.cpu_count() or 1
    libro = Libro(desde)
    tandas = _en_tandas(copias, moldes, libro, importadores)
    puesto = (dsn, moldes, settings.BITACORA_CLAVE.encode())
    with ProcessPoolExecutor(procesos, get_context("fork"), _preparar_obrero, puesto) as obreros:
        for cuantos in _con_tope(obreros, tandas, 2 * procesos):
            hechos += cuantos
            avance.decir(hechos)
    avance.paso("llaves e índices")
    _poner_llaves(dsn, restos, procesos)
    with psycopg.connect(dsn, autocommit=True) as conexion:
        _poner_contadores(conexion, libro)
        avance.paso("estadísticas")
        conexion.execute("VACUUM (ANALYZE, PARALLEL 2)")
    avance.paso(f"{casos:,} expedientes en {time.monotonic() - empieza:,.0f} s".replace(",", " "))


# ── Which copies, and when ────────────────────────────────────────────────────────────────────────


def _planear(moldes: list[Molde], *, casos: int, abiertos: int, ahora: datetime) -> list[Copia]:
    """Every case that will be, in the order in which they began.

    Closed ones lie over four years, each year a fifth more than the one before and the southern summer's fruit half as
    many again; open ones mostly in the last weeks, one in twelve older than two months.
    """
    azar = Random(f"siembra:{casos}")  # noqa: S311
    plan: list[tuple[float, Copia]] = []
    semanas = list(range(ANIOS * 52))
    peso_semana = [1.2 ** -(semana / 52) * (1.5 if _es_verano(ahora, semana) else 1.0) for semana in semanas]
    hasta_semana = list(accumulate(peso_semana))

    def elegir(destinos: dict[str, tuple[int, float]], cuantas: int) -> list[int]:
        indices = [i for i, molde in enumerate(moldes) if molde.destino in destinos]
        por_destino = Counter(moldes[i].destino for i in indices)
        pesos = [destinos[moldes[i].destino][1] / por_destino[moldes[i].destino] for i in indices]
        return azar.choices(indices, pesos, k=cuantas)

    for i in elegir({**de_moldes.CERRADOS, **de_moldes.POCOS}, casos - abiertos):
        tope = 25 if moldes[i].destino in de_moldes.POCOS else len(semanas) - 1
        semana = min(bisect_right(hasta_semana, azar.random() * hasta_semana[-1]), len(semanas) - 1)
        plan.append(_movida(moldes[i], i, semana % (tope + 1), azar))
    for i in elegir(de_moldes.ABIERTOS, abiertos):
        semana = azar.choices((0, azar.randint(1, 4), azar.randint(5, 8), azar.randint(9, 40)), (60, 25, 7, 8))[0]
        plan.append(_movida(moldes[i], i, semana, azar))
    plan.sort()
    return [copia for _inicio, copia in plan]


def _es_verano(ahora: datetime, semana: int) -> bool:
    return (ahora - timedelta(weeks=semana)).month in (11, 12, 1, 2, 3)


def _movida(molde: Molde, i: int, semanas: int, azar: Random) -> tuple[float, Copia]:
    """Whole weeks back, so that days of the week and of business stay what they were, and up to three hours."""
    copia = Copia(i, semanas, azar.randrange(3 * 3600))
    return molde.inicio.timestamp() - copia.salto, copia


class Libro:
    """Which ids and numbers are given: what the next batch begins with."""

    def __init__(self, desde: dict[str, int]):
        self.ids = dict(desde)
        self.numeros: Counter[tuple[str, int]] = Counter()
        # When each year begins in Lima, so that no hour has to be converted a million times.
        self.anios = list(range(2015, 2060))
        self.comienzos = [datetime(anio, 1, 1, tzinfo=LIMA).timestamp() for anio in self.anios]

    def anio(self, segundos: float) -> int:
        return self.anios[bisect_right(self.comienzos, segundos) - 1]

    def anotar(self, molde: Molde, copia: Copia) -> None:
        for nombre, cuantas in molde.cuantas.items():
            self.ids[nombre] += cuantas
        for serie, cuando in molde.numeros:
            self.numeros[serie, self.anio(cuando.timestamp() - copia.salto)] += 1


def _en_tandas(
    copias: list[Copia], moldes: list[Molde], libro: Libro, importadores: tuple[int, int]
) -> Iterator[Tanda]:
    for n, i in enumerate(range(0, len(copias), TANDA)):
        tanda = Tanda(n, copias[i : i + TANDA], dict(libro.ids), dict(libro.numeros), importadores)
        for copia in tanda.copias:
            libro.anotar(moldes[copia.molde], copia)
        yield tanda


def _con_tope(obreros: ProcessPoolExecutor, tandas: Iterator[Tanda], tope: int) -> Iterator[int]:
    """What each batch gives, with no more than `tope` of them waiting."""
    en_curso = []
    for tanda in tandas:
        en_curso.append(obreros.submit(_echar, tanda))
        if len(en_curso) >= tope:
            yield en_curso.pop(0).result()
    for una in en_curso:
        yield una.result()


# ── In the workers ────────────────────────────────────────────────────────────────────────────────

_obrero: dict[str, Any] = {"fabricas": {}}


def _preparar_obrero(dsn: str, moldes: list[Molde], clave: bytes) -> None:
    columnas = {nombre: tabla.columnas for nombre, tabla in de_moldes.tablas().items()}
    _obrero.update(conexion=psycopg.connect(dsn), moldes=moldes, clave=clave, columnas=columnas, libro=Libro({}))


def _echar(tanda: Tanda) -> int:
    """Cast a batch and copy it in, in one transaction."""
    moldes, clave, libro = _obrero["moldes"], _obrero["clave"], _obrero["libro"]
    ids, numeros = dict(tanda.ids), Counter(tanda.numeros)
    azar = Random(f"tanda:{tanda.n}")  # noqa: S311
    lineas: dict[str, list[str]] = {}
    eventos: list[tuple[str, str]] = []
    primero, cuantos = tanda.importadores
    for copia in tanda.copias:
        molde = moldes[copia.molde]
        propio = _propio(molde, copia, ids, numeros, libro)
        # A few importers bring most of the cargo.
        importador = primero + int(cuantos * azar.random() ** 3)
        propio["importador"], propio["correo"] = importador, correo_de(importador)
        for n, entrada in enumerate(molde.sellados, start=1):
            propio[f"s.{n}"] = hmac.digest(clave, (entrada % propio).encode(), "sha256").hex()
        for nombre, plantilla in molde.filas.items():
            lineas.setdefault(nombre, []).append(plantilla % propio)
        eventos += [(propio[f"t.{t}"], plantilla % propio) for t, plantilla in molde.eventos]
    # The log lies on the disk as it was written: of many cases at once, by hour.
    eventos.sort()
    lineas[EVENTO] = [linea for _hora, linea in eventos]
    _copiar(lineas)
    return len(tanda.copias)


def _propio(
    molde: Molde, copia: Copia, ids: dict[str, int], numeros: Counter[tuple[str, int]], libro: Libro
) -> dict[str, Any]:
    """What a copy has of its own, by place. Takes its ids and numbers."""
    lapso, semanas = timedelta(seconds=copia.salto), timedelta(weeks=copia.semanas)
    propio: dict[str, Any] = {"s.0": ""}
    for nombre, cuantas in molde.cuantas.items():
        for i in range(cuantas):
            propio[f"{nombre}.{i}"] = ids[nombre] + i + 1
        ids[nombre] += cuantas
    for i, momento in enumerate(molde.momentos):
        propio[f"t.{i}"] = (momento - lapso).isoformat(timespec="microseconds")
    for i in molde.en_json:
        propio[f"j.{i}"] = (molde.momentos[i] - lapso).isoformat()
    for i, dia in enumerate(molde.dias):
        propio[f"d.{i}"] = (dia - semanas).isoformat()
    for i, (serie, cuando) in enumerate(molde.numeros):
        anio = libro.anio(cuando.timestamp() - copia.salto)
        numeros[serie, anio] += 1
        propio[f"n.{i}"] = f"{serie}-{anio}-{numeros[serie, anio]:06d}"
    caso = propio["expedientes_expediente.0"]
    propio["papel"] = caso * 7919 % 1_000_000
    for i, forma in enumerate(molde.unicos):
        fabricas = _obrero["fabricas"]
        hacer = fabricas.get(forma) or fabricas.setdefault(forma, fabrica(forma))
        propio[f"u.{i}"] = hacer(hashlib.sha256(b"%d:%d" % (caso, i)).digest())
    return propio


def fabrica(forma: str) -> Callable[[bytes], str]:
    """What makes, of an SHA-256, a value of the same form as `forma`: an SHA-256, a CVD, a UUID or a Message-ID."""
    if re.fullmatch(r"[0-9a-f]{64}", forma):
        return bytes.hex
    if re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", forma):
        return _cvd
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", forma):
        return lambda huella: huella[:16].hex()
    if partes := re.fullmatch(r"<\w+@(.+)>", forma):
        dominio = partes[1]
        return lambda huella: f"<{huella[:16].hex()}@{dominio}>"
    raise ValueError(f"no se sabe hacer otro como «{forma}»")


def _cvd(huella: bytes) -> str:
    letras = b32encode(huella[:10]).decode()
    return f"{letras[:4]}-{letras[4:8]}-{letras[8:12]}-{letras[12:]}"


def _copiar(lineas: dict[str, list[str]]) -> None:
    conexion: psycopg.Connection = _obrero["conexion"]
    with conexion.transaction(), conexion.cursor() as cursor:
        for nombre, suyas in lineas.items():
            columnas = sql.SQL(", ").join(map(sql.Identifier, _obrero["columnas"][nombre]))
            orden = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(nombre), columnas)
            with cursor.copy(orden) as copia:
                copia.write("\n".join(suyas) + "\n")


# ── Before and after ──────────────────────────────────────────────────────────────────────────────


def correo_de(importador: int) -> str:
    return f"importador{importador}@empresa.example"


def _importadores(conexion: psycopg.Connection, cuantos: int) -> tuple[int, int]:
    """Importers of the copies, after those of the moulds: the first one's id, and how many."""
    primero = _ultimo(conexion, "expedientes_importador") + 1
    columnas = "id, tipo_documento, numero_documento, nombre, correo, telefono, direccion"
    orden = f"COPY expedientes_importador ({columnas}) FROM STDIN"
    with conexion.cursor() as cursor, cursor.copy(orden) as copia:
        for i in range(primero, primero + cuantos):
            base = str(2010000000 + i)
            copia.write_row(
                (
                    i,
                    "ruc",
                    base + ruc.calc_check_digit(base + "0"),
                    f"Importaciones Demo {i} S.A.C.",
                    correo_de(i),
                    "",
                    "",
                )
            )
    _ajustar_secuencia(conexion, "expedientes_importador")
    return primero, cuantos


def _ultimo(conexion: psycopg.Connection, nombre: str) -> int:
    columna = _columna_id(conexion, nombre)
    (ultimo,) = conexion.execute(
        sql.SQL("SELECT coalesce(max({}), 0) FROM {}").format(sql.Identifier(columna), sql.Identifier(nombre))
    ).fetchone() or (0,)
    return ultimo


def _columna_id(conexion: psycopg.Connection, nombre: str) -> str:
    fila = conexion.execute(
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] "
        "WHERE indisprimary AND indrelid = %s::regclass",
        [nombre],
    ).fetchone()
    return fila[0] if fila else "id"


def _ajustar_secuencia(conexion: psycopg.Connection, nombre: str) -> None:
    columna = _columna_id(conexion, nombre)
    conexion.execute(
        sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {} HAVING max({}) IS NOT NULL").format(
            sql.Literal(nombre),
            sql.Literal(columna),
            sql.Identifier(columna),
            sql.Identifier(nombre),
            sql.Identifier(columna),
        )
    )


def _quitar_llaves(conexion: psycopg.Connection, nombres: list[str]) -> list[tuple[int, str, str]]:
    """Drop keys and indexes of the tables; what makes each again: (0 key, 1 index, 2 foreign key; table; order)."""
    restos = []
    filas = conexion.execute(
        "SELECT contype, conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype IN ('p', 'u', 'x', 'f') AND (conrelid = ANY(%s::regclass[]) OR confrelid = ANY(%s::regclass[])) "
        "ORDER BY contype = 'f' DESC, contype",
        [nombres, nombres],
    ).fetchall()
    for tipo, tabla, nombre, hechura in filas:
        conexion.execute(f"ALTER TABLE {tabla} DROP CONSTRAINT {nombre}")
        restos.append((2 if tipo == "f" else 0, tabla, f"ALTER TABLE {tabla} ADD CONSTRAINT {nombre} {hechura}"))
    filas = conexion.execute(
        "SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = ANY(%s::regclass[])",
        [nombres],
    ).fetchall()
    for tabla, nombre, hechura in filas:
        conexion.execute(f"DROP INDEX {nombre}")
        restos.append((1, tabla, hechura))
    return sorted(restos)


def _poner_llaves(dsn: str, restos: list[tuple[int, str, str]], a_la_vez: int) -> None:
    """Keys first, then indexes, each table by itself; foreign keys, which lock two tables, one after the other."""
    por_tabla: dict[str, list[str]] = {}
    for clase, tabla, orden in restos:
        if clase < 2:
            por_tabla.setdefault(tabla, []).append(orden)

    def hacer(ordenes: list[str]) -> None:
        with psycopg.connect(dsn, autocommit=True) as conexion:
            conexion.execute("SET maintenance_work_mem = '256MB'")
            conexion.execute("SET work_mem = '256MB'")
            for orden in ordenes:
                conexion.execute(orden)

    with ThreadPoolExecutor(a_la_vez) as hilos:
        list(hilos.map(hacer, sorted(por_tabla.values(), key=len, reverse=True)))
    hacer([orden for clase, _tabla, orden in restos if clase == 2])


def _poner_contadores(conexion: psycopg.Connection, libro: Libro) -> None:
    for (serie, anio), ultimo in libro.numeros.items():
        conexion.execute(
            "INSERT INTO expedientes_contador (serie, anio, ultimo) VALUES (%s, %s, %s)", [serie, anio, ultimo]
        )
    for nombre in libro.ids:
        if nombre in de_moldes.tablas():
            _ajustar_secuencia(conexion, nombre)


class Avance:
    """Says how far it is, at most every second, on the same line of a terminal and on new ones elsewhere."""

    def __init__(self, total: int):
        self.total, self.empieza, self.dicho = total, time.monotonic(), 0.0

    def decir(self, hechos: int) -> None:
        ahora = time.monotonic()
        cada = 1 if sys.stderr.isatty() else 15
        if ahora - self.dicho < cada and hechos < self.total:
            return
        self.dicho = ahora
        ritmo = hechos / (ahora - self.empieza)
        falta = (self.total - hechos) / ritmo
        texto = f"  {hechos:>9,} de {self.total:,} · {ritmo:,.0f} por segundo · faltan {falta:,.0f} s".replace(",", " ")
        print(texto, end="\r" if sys.stderr.isatty() and hechos < self.total else "\n", file=sys.stderr, flush=True)

    def paso(self, texto: str) -> None:
        print(f"  {time.monotonic() - self.empieza:5.0f} s · {texto}", file=sys.stderr, flush=True)

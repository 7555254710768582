"""The databases of the bench, kept between runs: one for each size, made anew when the schema or its making changes."""

import ast
import hashlib
import math
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.forms.models import model_to_dict
from psycopg import sql

from expedientes import bitacora, tiempos
from expedientes.models import Expediente, Hitos
from indicadores import cuidado, reversiones
from laboratorio import demo
from laboratorio.models import ReglaFirma
from senasa import reloj
from tests import molde

from . import moldes, siembra

AQUI = Path(__file__).parent
POR_TRAMO = 5_000


def nombre_de(casos: int | str) -> str:
    return f"{connection.settings_dict['BENCH']}_{casos}"


def dsn(nombre: str) -> str:
    parametros = connection.get_connection_params()
    llevados = {
        clave: parametros[clave] for clave in ("host", "port", "user", "password", "options") if parametros.get(clave)
    }
    return psycopg.conninfo.make_conninfo(dbname=nombre, **llevados)


@contextmanager
def dentro_de(nombre: str) -> Iterator[None]:
    """Django's connection on that database within the block."""
    otra = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = nombre
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = otra


def huella(casos: int, abiertos: int, pocos: bool) -> str:
    """What the kept data depend on: the schema, how they are made, how many."""
    migraciones = sorted(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    hechura = [ast.dump(ast.parse((AQUI / fichero).read_text())) for fichero in ("moldes.py", "siembra.py")]
    suma = hashlib.sha256(repr((migraciones, hechura, casos, abiertos, pocos)).encode())
    return f"bench {suma.hexdigest()[:16]}"


def preparar(
    tamanos: dict[int, int], *, pocos: bool = False, como_esten: bool = False, entera: bool = False
) -> dict[int, str]:
    """The database of each size {cases: open ones}, made where it is missing or not of this schema; their names.

    `como_esten`: those that are there are only migrated, whatever made them: for work on a page or on an index.
    `entera`: the log of each is verified to its last entry.
    """
    faltan = {}
    for casos, abiertos in tamanos.items():
        debida = huella(casos, abiertos, pocos)
        hay = _comentario(nombre_de(casos))
        if hay != debida and not (como_esten and hay):
            faltan[casos] = (abiertos, debida)
        elif hay != debida:
            with dentro_de(nombre_de(casos)):
                call_command("migrate", verbosity=0)
    if faltan:
        _hacer(faltan, pocos)
    if entera:
        for casos in tamanos:
            verificar(nombre_de(casos), casos, entera=True)
    return {casos: nombre_de(casos) for casos in tamanos}


def _hacer(faltan: dict[int, tuple[int, str]], pocos: bool) -> None:
    base, con_moldes = nombre_de(f"base_{os.getpid()}"), nombre_de(f"moldes_{os.getpid()}")
    try:
        decir("base vacía, con sus catálogos")
        molde.copiar_en(base)
        with dentro_de(base):
            _poblar()
        decir("moldes: expedientes que pasan por los servicios de verdad")
        _crear(con_moldes, de=base)
        with dentro_de(con_moldes):
            desde = moldes.hasta_aqui()
            cuantos = sum(1 for _destino in moldes.caminar(pocos=pocos))
            hechos = moldes.leer(desde)
        decir(f"{cuantos} moldes")
        for casos, (abiertos, debida) in faltan.items():
            decir(f"{casos} expedientes, {abiertos} abiertos")
            _crear(nombre_de(casos), de=base)
            with _sin_toques(nombre_de(casos)):
                siembra.sembrar(dsn(nombre_de(casos)), hechos, casos=casos, abiertos=abiertos, ahora=reloj.ahora())
                with dentro_de(nombre_de(casos)):
                    reversiones.anotar_regresos()  # as the worker does every five minutes
            verificar(nombre_de(casos), casos)
            _ejecutar("COMMENT ON DATABASE {} IS {}", nombre_de(casos), sql.Literal(debida))
    finally:
        _borrar(con_moldes)
        _borrar(base)


@contextmanager
def _sin_toques(nombre: str) -> Iterator[None]:
    """Without the triggers that tell which months an act changes of what is kept: nothing is kept yet."""

    def poner(como: str) -> None:
        with psycopg.connect(dsn(nombre), autocommit=True) as conexion:
            tablas = conexion.execute(
                "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE 'toca_meses_%'"
            ).fetchall()
            for tabla, disparador in tablas:
                conexion.execute(f"ALTER TABLE {tabla} {como} TRIGGER {disparador}")

    poner("DISABLE")
    yield
    poner("ENABLE")


def adelantar(nombre: str) -> None:
    """What the worker does ahead of whoever reads: the months that are over, of what the pages open on."""
    empieza = time.monotonic()
    with dentro_de(nombre):
        cuidado.adelantar(math.inf)
    decir(f"{nombre}: meses guardados en {time.monotonic() - empieza:.0f} s")


def comparar(nombre: str) -> tuple[int, int, float]:
    """How many months are kept of the statistics, how many of them a full recomputation gives otherwise, and how long
    it took."""
    empieza = time.monotonic()
    with dentro_de(nombre):
        fallas = [f"{mes}: {falla}" if falla else "" for mes, falla in cuidado.comprobar()]
    for falla in filter(None, fallas):
        decir(falla)
    return len(fallas), sum(map(bool, fallas)), time.monotonic() - empieza


def verificar(nombre: str, casos: int, *, entera: bool = False) -> None:
    """Walk the chains of the log, on every core, as `manage.py verificar_bitacora` does, and make the milestones of
    each case again from its log, as `manage.py recalcular_hitos --comprobar` does. Raises RuntimeError.

    One stretch of cases in ten, the first and the last among them, unless `entera`: all are made in the same way.
    """
    connection.close()  # the workers open their own
    empieza = time.monotonic()
    tramos = [(desde, desde + POR_TRAMO - 1) for desde in range(1, casos + 1, POR_TRAMO)]
    if not entera:
        tramos = sorted({*tramos[::10], tramos[-1]})
    with ProcessPoolExecutor(os.cpu_count(), get_context("fork"), _pasar_a, (nombre,)) as obreros:
        for falla in obreros.map(_primera_falla, tramos):
            if falla:
                raise RuntimeError(f"la bitácora sembrada no está íntegra: {falla}")
    vistos = f"{len(tramos) * POR_TRAMO} de {casos}" if len(tramos) * POR_TRAMO < casos else "todos los"
    decir(f"bitácora íntegra e hitos iguales en {vistos} expedientes, recorrida en {time.monotonic() - empieza:.0f} s")


def _pasar_a(nombre: str) -> None:
    connection.settings_dict["NAME"] = nombre


def _primera_falla(tramo: tuple[int, int]) -> str:
    """The first entry that is not what its seal says, or the first case whose milestones its log does not give."""
    if falla := next(bitacora.fallas(entre=tramo), ""):
        return falla
    guardados = Hitos.objects.in_bulk(range(tramo[0], tramo[1] + 1))
    de_la_bitacora = tiempos.leer(Expediente.objects.filter(pk__range=tramo))
    difieren = (una for una in de_la_bitacora if model_to_dict(una) != model_to_dict(guardados[una.pk]))
    return next((f"hitos del expediente {una.pk}" for una in difieren), "")


def _poblar() -> None:
    call_command("crear_certificado_demo", stdout=StringIO())
    demo.crear_personas()
    demo.partes()
    assert ReglaFirma.objects.filter(activa=True).exists()  # else nothing would be signed by itself


def _comentario(nombre: str) -> str:
    with psycopg.connect(dsn("postgres")) as conexion:
        fila = conexion.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [nombre]
        ).fetchone()
    return (fila and fila[0]) or ""


def _crear(nombre: str, *, de: str) -> None:
    _borrar(nombre)
    _ejecutar("CREATE DATABASE {} TEMPLATE {}", nombre, sql.Identifier(de))


def _borrar(nombre: str) -> None:
    _ejecutar("DROP DATABASE IF EXISTS {} WITH (FORCE)", nombre)


def _ejecutar(orden: str, nombre: str, *mas: Any) -> None:
    with psycopg.connect(dsn("postgres"), autocommit=True) as conexion:
        conexion.execute(sql.SQL(orden).format(sql.Identifier(nombre), *mas))


def decir(texto: str) -> None:
    print(f"bench · {texto}", file=sys.stderr, flush=True)

"""The benchmark runs, at a small size: its data keep the rules, its table has every row, and ours is not far off."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

pytestmark = pytest.mark.servicios

RAIZ = Path(__file__).parents[1]
FILA = re.compile(r"^\| (.+?) \| (.+?) \| ([≤≥]) ([\d.]+) \| ([\d.]+) \| ([✓✗]) \|", re.MULTILINE)


def correr(*orden: str, **entorno: str) -> "subprocess.CompletedProcess[str]":
    """In a folder of its own: in the tests' queue lies what nobody heard ring."""
    with tempfile.TemporaryDirectory() as carpeta:
        hecho = subprocess.run(
            [sys.executable, *orden], cwd=RAIZ, capture_output=True, text=True, timeout=300,
            env={**os.environ, "VAR_DE_PRUEBAS": carpeta, **entorno},
        )  # fmt: skip
    assert hecho.returncode == 0, hecho.stderr
    return hecho


def test_the_report_is_measured_against_the_bare_libraries() -> None:
    filas = FILA.findall(correr("-m", "bench", "informe", "--vueltas", "5").stdout)
    medidos = [
        re.fullmatch(r"un informe de (\d+) resultados?, (\d+) hojas?: (componer|toda la emisión).+", trabajo)
        for trabajo, *_resto in filas
    ]
    tamanos = [("1", False), ("3", False), ("60", True)]
    assert [(uno[1], int(uno[2]) > 1, uno[3]) for uno in medidos if uno] == [
        (*tamano, que) for tamano in tamanos for que in ("componer", "toda la emisión")
    ]
    # The bar of 1.15 is held where nothing else runs (bench/README.md); here, that nobody made it twice as slow. The
    # whole emission waits for the database too, beside other tests.
    assert all(float(medido) < (2 if "componer" in trabajo else 3) for trabajo, *_que, medido, _pasa in filas)


def test_notices_are_measured_against_a_bare_loop() -> None:
    """It fails by itself when one of them does not come in, or came in and is not noted as sent."""
    hecho = correr("-m", "bench", "avisos", "--vueltas", "1", "--avisos", "30").stdout
    ((trabajo, contra, signo, barra, medido, _pasa),) = FILA.findall(hecho)
    assert (trabajo, contra, signo, barra) == (
        "avisos por el trabajador",
        "smtplib solo, al mismo servidor",
        "≥",
        "0.8",
    )
    ritmos = re.search(r"\| (\d+)/s / (\d+)/s, 30 por turno \|", hecho)
    assert ritmos
    nuestro, desnudo = map(int, ritmos.groups())
    # Thirty are too few to hold the bar (bench/README.md); here, that both sides sent and the ratio is theirs.
    assert nuestro > 0
    assert float(medido) == pytest.approx(nuestro / desnudo, abs=0.02)


ORDEN = ("-m", "bench", "escala", "--casos", "400", "--pocos", "--vueltas", "1")
# Of quality.md: what is measured, against what, its bar.
TABLA = [
    ("tablero, 400 expedientes, 8 abiertos", "SQL a mano y vista desnuda", "2"),
    ("el mismo, después de un acto en cada caso que muestra", "SQL a mano y vista desnuda", "2"),
    ("el mismo", "lista del admin, con las mismas columnas y orden", "10"),
    ("el mismo", "lista del admin, tal cual se registra", "10"),
    ("tablero, 400 expedientes", "con 40", "1.2"),
    ("seguimiento, peticiones por segundo", "vista vacía", "0.6"),
    ("programa, 400 expedientes", "tablero", "2"),
    ("reversiones, 400 expedientes", "tablero", "2"),
    ("programa, después de un acto", "tablero después de un acto en cada caso", "2"),
    ("reversiones, después de un acto", "tablero después de un acto en cada caso", "2"),
    ("consultas de una página, 400 expedientes", "con 40", "1"),
    ("meses guardados que difieren, 400 expedientes", "recálculo completo", "0"),
]


def numeros(conexion: psycopg.Connection, consulta: LiteralString) -> tuple[int, ...]:
    return conexion.execute(consulta).fetchone() or ()


def esquema(cursor: Any) -> list[tuple[str, ...]]:
    """Every constraint, in force, and every index, but for the casts, which PostgreSQL writes anew each time."""
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace "
        "UNION ALL SELECT tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public' "
        "ORDER BY 1, 2, 3"
    )
    return [tuple(re.sub(r"[()]|::[a-z ]+|\[\]", "", casilla) for casilla in fila) for fila in cursor.fetchall()]


@pytest.fixture
def base() -> Iterator[str]:
    """The larger of the databases that a run of 400 cases makes; both are dropped afterwards."""
    dicho = correr(
        "-c",
        "import django; django.setup(); from bench import bases;"
        "print(bases.dsn(bases.nombre_de(400)), bases.dsn('postgres'), *map(bases.nombre_de, (400, 40)), sep='\\n')",
        DJANGO_SETTINGS_MODULE="bench.settings",
    ).stdout.splitlines()
    yield dicho[0]
    with psycopg.connect(dicho[1], autocommit=True) as conexion:
        for nombre in dicho[2:]:
            conexion.execute(f'DROP DATABASE IF EXISTS "{nombre}" WITH (FORCE)')


@pytest.mark.django_db
def test_cases_cast_by_copy_keep_every_rule_and_are_measured(base: str) -> None:
    hecho = correr(*ORDEN)
    filas = [(trabajo, contra, barra) for trabajo, contra, _signo, barra, *_ in FILA.findall(hecho.stdout)]
    assert filas == TABLA
    assert "moldes" in hecho.stderr
    with psycopg.connect(base) as conexion:
        assert numeros(
            conexion,
            "SELECT count(*), count(*) FILTER (WHERE estado NOT IN ('cerrado', 'desistido', 'anulado')), "
            "count(DISTINCT numero), count(DISTINCT envio) FROM expedientes_expediente",
        ) == (400, 8, 400, 400)
        (eventos,) = numeros(conexion, "SELECT count(*) FROM expedientes_evento")
        assert 9 < eventos / 400 < 18
        # Keys and indexes are all there again, as the migrations made them.
        assert esquema(conexion.cursor()) == esquema(connection.cursor())
        assert numeros(conexion, "SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D' AND NOT tgisinternal") == (0,)
        # The next act gets the next id, the next case the next number.
        assert numeros(conexion, "SELECT nextval(pg_get_serial_sequence('expedientes_evento', 'id'))") == (eventos + 1,)
        assert numeros(
            conexion,
            "SELECT (SELECT sum(ultimo) FROM expedientes_contador WHERE serie IN ('PCM', 'PCA')), "
            "(SELECT sum(ultimo) FROM expedientes_contador WHERE serie = 'M') - "
            "(SELECT count(*) FROM laboratorio_muestra)",
        ) == (400, 0)
    verificada = correr(
        "manage.py", "verificar_bitacora",
        DJANGO_SETTINGS_MODULE="bench.settings", BENCH_BASE=str(conninfo_to_dict(base)["dbname"]),
    )  # fmt: skip
    assert verificada.stdout == f"Bitácora íntegra: {eventos} eventos de 400 expedientes.\n"

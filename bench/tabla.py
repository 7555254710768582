"""The table of quality.md as it was measured, and what it was measured on."""

import importlib.metadata
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.utils import timezone

LEEME = Path(__file__).with_name("README.md")
DESDE, HASTA = "<!-- medido: lo escribe «python -m bench --escribir» -->", "<!-- fin de lo medido -->"


@dataclass(frozen=True)
class Fila:
    """One bar: `razon` is at most `barra`, or at least, when `minimo`. `detalle`: what was divided by what."""

    trabajo: str
    contra: str
    razon: float
    barra: float
    minimo: bool = False
    detalle: str = ""

    @property
    def pasa(self) -> bool:
        return self.razon >= self.barra if self.minimo else self.razon <= self.barra


def tabla(filas: list[Fila]) -> str:
    cabeza = ["| trabajo | contra | barra | medido | | de dónde sale |", "|---|---|---:|---:|:-:|---|"]
    return "\n".join([*cabeza, *(_renglon(fila) for fila in filas)])


def _renglon(fila: Fila) -> str:
    barra = f"{'≥' if fila.minimo else '≤'} {fila.barra:g}"
    razon = f"{fila.razon:.0f}" if fila.razon >= 100 else f"{fila.razon:.2f}"
    return f"| {fila.trabajo} | {fila.contra} | {barra} | {razon} | {'✓' if fila.pasa else '✗'} | {fila.detalle} |"


def maquina() -> str:
    """Cores, memory, versions and how busy it was: what the absolute times depend on, and no name of anything."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('shared_buffers')")
        postgres, memoria_compartida = cursor.fetchone()
    memoria = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    versiones = ", ".join(
        f"{paquete} {importlib.metadata.version(paquete)}" for paquete in ("django", "psycopg", "gunicorn")
    )
    return (
        f"{timezone.localdate():%d/%m/%Y} · {os.cpu_count()} núcleos, {memoria:.0f} GiB · "
        f"PostgreSQL {postgres.split()[0]} (shared_buffers {memoria_compartida}) · "
        f"Python {platform.python_version()}, {versiones} · "
        f"carga media al terminar: {os.getloadavg()[1]:.1f}"
    )


def escribir(texto: str) -> None:
    """Put the results in bench/README.md, in the place of those of before."""
    leeme = LEEME.read_text()
    marcas = re.compile(f"{re.escape(DESDE)}.*{re.escape(HASTA)}", re.DOTALL)
    if not marcas.search(leeme):
        raise ValueError(f"{LEEME.name} no tiene dónde poner lo medido")
    LEEME.write_text(marcas.sub(lambda _hallada: f"{DESDE}\n\n{texto}\n\n{HASTA}", leeme))

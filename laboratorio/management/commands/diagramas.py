"""`manage.py diagramas [--escribir]`: the life cycles as Mermaid, from the tables, into the README."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from expedientes.lifecycle import TABLAS
from expedientes.models import ORDEN_DE_PARTIDAS, Estado
from senasa.models import Rol
from senasa.transicion import Transicion

ABRE, CIERRA = "<!-- diagramas: de aquí -->", "<!-- diagramas: hasta aquí -->"
TITULOS = {
    "expediente": "Expediente (the case)",
    "partida": "Partida (the line)",
    "muestra": "Muestra (the sample)",
    "analisis": "Análisis (the analysis)",
    "informe": "Informe de ensayo (the report)",
}


def diagrama(objeto: str) -> str:
    """The life cycle of one kind of object, as a Mermaid state diagram."""
    lineas = ["```mermaid", "stateDiagram-v2"]
    for accion, transicion in TABLAS[objeto].items():
        for de in sorted(transicion.de, key=_orden):
            hasta = transicion.a if transicion.a is not None else de
            lineas.append(f"    {de or '[*]'} --> {hasta}: {accion}{' †' if transicion.motivada else ''}")
    return "\n".join([*lineas, "```"])


def tabla(objeto: str) -> str:
    """Who may do each act and whom it tells."""
    filas = ["| Act | Who | Tells |", "|---|---|---|"]
    for accion, transicion in TABLAS[objeto].items():
        filas.append(
            f"| {accion}{' †' if transicion.motivada else ''} | {_quien(transicion)} | {transicion.avisa or '—'} |"
        )
    return "\n".join(filas)


def _quien(transicion: Transicion) -> str:
    return ", ".join(str(Rol(rol).label).lower() for rol in sorted(transicion.rol))


def _orden(estado: str) -> tuple[int, str]:
    return (ORDEN_DE_PARTIDAS.index(Estado(estado)) if estado in ORDEN_DE_PARTIDAS else -1, estado)


def todos() -> str:
    return "\n\n".join(f"### {titulo}\n\n{diagrama(objeto)}\n\n{tabla(objeto)}" for objeto, titulo in TITULOS.items())


def con_diagramas(texto: str) -> str:
    """`texto` with what stands between the two marks made anew."""
    antes, _abre, resto = texto.partition(ABRE)
    _viejo, _cierra, despues = resto.partition(CIERRA)
    return f"{antes}{ABRE}\n\n{todos()}\n\n{CIERRA}{despues}"


class Command(BaseCommand):
    help = "Dibuja los ciclos de vida a partir de las tablas; con --escribir, los pone en README.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--escribir", action="store_true")

    def handle(self, *args, **opciones) -> None:
        if not opciones["escribir"]:
            self.stdout.write(todos())
            return
        readme = Path(settings.BASE_DIR) / "README.md"
        readme.write_text(con_diagramas(readme.read_text()))

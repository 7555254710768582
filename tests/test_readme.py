"""The README tells the truth where a machine can check it."""

import re
from pathlib import Path

from django.core.management import get_commands

from laboratorio.demo import PERSONAS
from laboratorio.management.commands.diagramas import con_diagramas

README = Path("README.md").read_text()


def test_life_cycle_diagrams_are_those_of_the_tables():
    assert con_diagramas(README) == README, "ejecute «manage.py diagramas --escribir»"


def test_every_demo_user_is_named():
    assert [usuario for usuario, *_resto in PERSONAS if f"`{usuario}`" not in README] == []


def test_every_command_named_exists():
    tabla = README.partition("## Commands")[2].partition("## Configuration")[0]
    nombrados = re.findall(r"^\| `(\w+)", tabla, re.M)
    assert nombrados
    assert [nombre for nombre in nombrados if nombre not in get_commands()] == []


def test_every_link_to_a_file_works():
    assert [ruta for ruta in re.findall(r"\]\(([\w/.]+)\)", README) if not Path(ruta).exists()] == []

"""`manage.py indicadores --desde AAAA-MM-DD --hasta AAAA-MM-DD [--puesto PCM]`: the programme's numbers."""

import json
from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from indicadores.informados import informados
from indicadores.programa import calcular, cifras
from senasa.models import Puesto


def dia(texto: str) -> date:
    try:
        return date.fromisoformat(texto)
    except ValueError:
        raise ArgumentTypeError(f"«{texto}» no es un día: escríbalo AAAA-MM-DD.") from None


class Command(BaseCommand):
    help = "Los indicadores del programa en un período de días de Lima, ambos incluidos."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--desde", type=dia, required=True, metavar="AAAA-MM-DD")
        parser.add_argument("--hasta", type=dia, required=True, metavar="AAAA-MM-DD")
        parser.add_argument("--puesto", metavar="PCM", help="el código de un puesto; sin él, todos")
        parser.add_argument("--formato", choices=["texto", "json"], default="texto")

    def handle(self, *args: Any, desde: date, hasta: date, puesto: str | None, formato: str, **opciones: Any) -> None:
        if hasta < desde:
            raise CommandError("--hasta viene antes que --desde.")
        cual = Puesto.objects.filter(codigo=puesto).first() if puesto else None
        if puesto and cual is None:
            hay = ", ".join(Puesto.objects.values_list("codigo", flat=True))
            raise CommandError(f"No hay un puesto «{puesto}». Hay: {hay}.")
        numeros = cifras(calcular(desde, hasta, cual), informados(desde, hasta, cual))
        if formato == "json":
            self.stdout.write(json.dumps(numeros, ensure_ascii=False, indent=2))
            return
        for nombre, valor in numeros.items():
            self.stdout.write(f"{nombre}: {'no se puede calcular' if valor is None else valor}")

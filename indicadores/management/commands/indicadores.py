"""`manage.py indicadores --desde AAAA-MM-DD --hasta AAAA-MM-DD [--puesto PCM]`: the programme's numbers.

`--comprobar`: what is kept of them against a full recomputation."""

import json
from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from indicadores import cuidado
from indicadores.informados import informados
from indicadores.programa import calcular, cifras
from senasa.models import Puesto


def dia(texto: str) -> date:
    try:
        leido = date.fromisoformat(texto)
        if leido.isoformat() != texto:  # ISO 8601 knows weeks too
            raise ValueError(texto)
        return leido
    except ValueError:
        raise ArgumentTypeError(f"«{texto}» no es un día: escríbalo AAAA-MM-DD.") from None


class Command(BaseCommand):
    help = "Los indicadores del programa en un período de días de Lima, ambos incluidos."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--desde", type=dia, metavar="AAAA-MM-DD")
        parser.add_argument("--hasta", type=dia, metavar="AAAA-MM-DD")
        parser.add_argument("--puesto", metavar="PCM", help="el código de un puesto; sin él, todos")
        parser.add_argument("--formato", choices=["texto", "json"], default="texto")
        parser.add_argument(
            "--comprobar", action="store_true", help="compara lo guardado con un recálculo completo; falla si difiere"
        )

    def handle(
        self,
        *args: Any,
        desde: date | None,
        hasta: date | None,
        puesto: str | None,
        formato: str,
        comprobar: bool,
        **opciones: Any,
    ) -> None:
        if comprobar:
            self.comprobar()
            return
        if desde is None or hasta is None:
            raise CommandError("Diga --desde y --hasta, o --comprobar.")
        if hasta < desde:
            raise CommandError("--hasta viene antes que --desde.")
        if desde.year < 2000 or hasta.year > 2100:
            raise CommandError("Ese período no existe: diga días de los años 2000 a 2100.")
        cual = Puesto.objects.filter(codigo=puesto).first() if puesto is not None else None
        if puesto is not None and cual is None:
            hay = ", ".join(Puesto.objects.values_list("codigo", flat=True))
            raise CommandError(f"No hay un puesto «{puesto}». Hay: {hay}.")
        numeros = cifras(calcular(desde, hasta, cual), informados(desde, hasta, cual))
        if formato == "json":
            self.stdout.write(json.dumps(numeros, ensure_ascii=False, indent=2))
            return
        for nombre, valor in numeros.items():
            self.stdout.write(f"{nombre}: {'no se puede calcular' if valor is None else valor}")

    def comprobar(self) -> None:
        """Exit with 1 at the first difference."""
        iguales = 0
        for nombre, diferencia in cuidado.comprobar():
            if diferencia:
                raise CommandError(f"{nombre}: {diferencia}")
            iguales += 1
        self.stdout.write(f"Lo guardado es igual a un recálculo completo: {iguales} meses.")

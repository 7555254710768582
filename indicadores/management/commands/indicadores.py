"""`manage.py indicadores --desde AAAA-MM-DD --hasta AAAA-MM-DD [--puesto PCM]`: the programme's numbers."""

import json
from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from indicadores.informados import Informados, informados
from indicadores.programa import Programa, calcular
from senasa.models import Puesto


def dia(texto: str) -> date:
    try:
        return date.fromisoformat(texto)
    except ValueError:
        raise ArgumentTypeError(f"«{texto}» no es un día: escríbalo AAAA-MM-DD.") from None


def cifras(p: Programa, informados: Informados) -> dict[str, Any]:
    """The figures under the names that other programs read; None where one cannot be computed."""
    return {
        "n": p.ciclo.n,
        "media_ciclo_dias": p.ciclo.media,
        "pct_menos_15_dias": p.a_tiempo.pct,
        "media_informe_dictamen_dias": p.informe_a_dictamen.media,
        "pct_envio_hasta_8_dias": p.envio.pct,
        "abiertos_mas_60_dias": p.rezago,
        "pct_informados": informados.pct,
        "reversiones": p.reversiones,
        "reversiones_por_100_muestras": p.por_100,
        "pct_autoaprobadas": p.pct_autoaprobadas,
        "pct_autofirmados": p.autofirmados.pct,
        "excluidos": p.excluidos,
    }


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

"""`manage.py recalcular_hitos [--comprobar]`: the ledger of times, made again from the log alone."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.forms.models import model_to_dict

from expedientes import tiempos
from expedientes.models import Expediente, Hitos

LOTE = 500


class Command(BaseCommand):
    help = "Vuelve a calcular los hitos de todos los expedientes desde su bitácora; --comprobar solo los compara."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--comprobar", action="store_true", help="no escribe: sale con 1 si alguno difiere")

    def handle(self, *args: Any, comprobar: bool, **opciones: Any) -> None:
        hechos, desde, difieren = 0, 0, list[str]()
        while lote := list(Expediente.objects.filter(pk__gt=desde).order_by("pk").values_list("pk", flat=True)[:LOTE]):
            filas = tiempos.leer(Expediente.objects.filter(pk__in=lote))
            if comprobar:
                guardadas = Hitos.objects.in_bulk(lote)
                difieren += [
                    str(fila.pk)
                    for fila in filas
                    if fila.pk not in guardadas or model_to_dict(fila) != model_to_dict(guardadas[fila.pk])
                ]
            else:
                tiempos.guardar(filas)
            hechos, desde = hechos + len(filas), lote[-1]
        if difieren:
            numeros = Expediente.objects.filter(pk__in=difieren[:5]).values_list("numero", flat=True)
            raise CommandError(f"Difieren los hitos de {len(difieren)} de {hechos}: {', '.join(numeros)}…")
        self.stdout.write(f"{hechos} expedientes: {'todo coincide' if comprobar else 'hitos escritos'}.")

"""`manage.py cargar_demo --expedientes N --semilla S`: invented cases with true histories."""

from datetime import timedelta
from itertools import chain

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from expedientes.models import Expediente, Producto
from expedientes.plazos import fin_del_dia
from gestion.demo import completar
from indicadores.alertas import buscar_alertas
from indicadores.guardado import fin_de_mes
from laboratorio.demo import (
    crear_equipo,
    crear_expedientes,
    crear_historia,
    crear_personas,
    crear_reglas_y_suplencias,
    mes_de_reversiones,
)
from senasa import reloj


class Command(BaseCommand):
    help = "Carga usuarios y expedientes de demostración; sus historias pasan por los actos reales."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--expedientes", type=int, default=80, metavar="N")
        parser.add_argument("--semilla", type=int, default=1, metavar="S", help="la misma semilla da los mismos casos")
        parser.add_argument("--si-falta", action="store_true", help="no hace nada si ya hay tantos")

    def handle(self, *args, **opciones) -> None:
        if not settings.DEMO:
            raise CommandError("Solo con MODO=demo: los usuarios de demostración tienen una clave pública.")
        if opciones["expedientes"] < 1:
            raise CommandError("--expedientes debe ser 1 o más.")
        if not Producto.objects.exists():
            raise CommandError("Falta el catálogo: ejecute antes «manage.py cargar_catalogos».")
        crear_personas()
        cuantos = opciones["expedientes"]
        antes = cuantos * 2 // 5  # on top of them: what happened before, for the charts and for what is foretold
        # Fewer: a load that was cut short goes on where it stopped.
        if opciones["si_falta"] and Expediente.objects.count() >= cuantos + antes:
            self.stdout.write("Los datos de demostración ya están.")
            return
        semilla = opciones["semilla"]
        barra = tqdm(
            chain(crear_historia(antes, semilla), crear_expedientes(cuantos, semilla)), total=antes + cuantos,
            desc="Expedientes", unit="caso", file=self.stderr, ascii=True, mininterval=1,
        )  # fmt: skip
        for _expediente in barra:
            pass
        crear_reglas_y_suplencias()
        # As the worker would have found it, in the first days of the month after.
        with reloj.fijado(fin_del_dia(fin_de_mes(mes_de_reversiones()) + timedelta(days=2))):
            buscar_alertas()
        completar()
        crear_equipo()
        self.stdout.write(f"{Expediente.objects.count()} expedientes en la base.")

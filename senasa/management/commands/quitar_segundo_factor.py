"""For the day when the only administrator loses the phone: whoever holds the server takes his factor away."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from senasa import cuentas
from senasa.models import Usuario


class Command(BaseCommand):
    help = "Quita el segundo factor de un usuario y cierra sus sesiones; la causa queda en su historial."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("usuario")
        parser.add_argument("--causa", required=True)

    def handle(self, *args: Any, **opciones: Any) -> None:
        usuario = Usuario.objects.filter(username=opciones["usuario"]).first()
        if usuario is None:
            raise CommandError(f"No hay ningún usuario «{opciones['usuario']}».")
        causa = f"{opciones['causa']} (desde el servidor)"
        cuentas.quitar_segundo_factor(usuario=usuario, autor=usuario, causa=causa)
        self.stdout.write(f"{usuario.username}: sin segundo factor; sus sesiones terminaron.")

"""`manage.py verificar_bitacora`: walk every case's chain; exit 1 and name the first bad row."""

from django.core.management.base import BaseCommand, CommandError

from expedientes.bitacora import fallas
from expedientes.models import Evento, Expediente


class Command(BaseCommand):
    help = "Recorre la bitácora de todos los expedientes y dice si está íntegra."

    def handle(self, *args, **opciones) -> None:
        falla = next(fallas(), None)
        if falla:
            raise CommandError(f"La bitácora no está íntegra. Primera falla: {falla}.")
        self.stdout.write(
            f"Bitácora íntegra: {Evento.objects.count()} eventos de {Expediente.objects.count()} expedientes."
        )

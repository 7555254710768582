"""`manage.py crear_certificado_demo`: a signing certificate for the demonstration, if there is none."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from expedientes.firma import crear_demo


class Command(BaseCommand):
    help = "Crea el certificado de firma de demostración (sin valor legal) donde lo busca FIRMA_P12."

    def handle(self, *args, **opciones) -> None:
        if not settings.DEMO:
            raise CommandError("Solo con MODO=demo: en producción firma el certificado de la institución.")
        ruta = Path(settings.FIRMA_P12)
        if ruta.exists():
            self.stdout.write("El certificado de demostración ya está.")
            return
        crear_demo(ruta, settings.FIRMA_CLAVE)
        self.stdout.write("Certificado de demostración creado.")

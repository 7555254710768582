"""Bring the database to where the application can serve: safe to run at every start."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Aplica migraciones, carga los catálogos y, en la demostración, certificado y datos."

    def handle(self, *args: Any, **options: Any) -> None:
        self.paso("Migraciones", "migrate", verbosity=0)
        self.paso("Tabla de la memoria intermedia", "createcachetable", verbosity=0)
        self.paso("Catálogos", "cargar_catalogos")
        if settings.MODO == "demo":
            self.paso("Certificado de demostración", "crear_certificado_demo")
            self.paso(
                "Datos de demostración",
                "cargar_demo",
                expedientes=settings.DEMO_EXPEDIENTES,
                semilla=1,
                si_falta=True,
            )

    def paso(self, titulo: str, orden: str, **opciones: Any) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(titulo))
        self.stdout.flush()
        call_command(orden, stdout=self.stdout, stderr=self.stderr, **opciones)

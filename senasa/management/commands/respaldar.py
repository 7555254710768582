"""`manage.py respaldar [CARPETA]`: one encrypted file with database, files and keys."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from senasa import respaldo


class Command(BaseCommand):
    help = "Guarda base de datos, archivos y claves en un archivo cifrado con RESPALDO_CLAVE."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "carpeta", nargs="?", default=settings.RESPALDO_CARPETA, help="por omisión RESPALDO_CARPETA"
        )

    def handle(self, *args: Any, carpeta: str, **options: Any) -> None:
        if not carpeta:
            raise CommandError("Diga en qué carpeta: «manage.py respaldar CARPETA», o ponga RESPALDO_CARPETA.")
        try:
            hecho = respaldo.respaldar(Path(carpeta), decir=self.stdout.write)
        except respaldo.NoSeRespalda as error:
            raise CommandError(str(error)) from error
        manifiesto = hecho.manifiesto
        self.stdout.write(
            f"{hecho.ruta}: {hecho.octetos / 1e6:.1f} MB, {sum(manifiesto.tablas.values())} filas, "
            f"{len(manifiesto.archivos)} archivos. Leído de nuevo: está entero."
        )
        if manifiesto.faltan:
            for nombre, porque in list(manifiesto.faltan.items())[:20]:
                self.stderr.write(f"  {nombre}: {porque}")
            raise CommandError(
                f"El respaldo se hizo, pero {len(manifiesto.faltan)} archivos no estaban o no son ellos."
            )

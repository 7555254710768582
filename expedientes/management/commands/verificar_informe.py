"""`manage.py verificar_informe ARCHIVO`: exit 0 only if the file is intact and ours."""

import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from expedientes.documentos import Veredicto, verificar_archivo

CAUSAS = {FileNotFoundError: "no existe", IsADirectoryError: "es una carpeta", PermissionError: "no hay permiso"}


class Command(BaseCommand):
    help = "Dice si un PDF es un documento nuestro e intacto."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("archivo", type=Path)

    def handle(self, *args, **opciones) -> None:
        try:
            contenido = opciones["archivo"].read_bytes()
        except OSError as error:
            causa = next((dicha for tipo, dicha in CAUSAS.items() if isinstance(error, tipo)), "el disco no lo entrega")
            raise CommandError(f"No se puede leer el archivo: {causa}.") from None
        try:
            veredicto, documento = verificar_archivo(contenido)
        except DatabaseError:
            raise CommandError("No se puede consultar la base de datos: sin ella no se sabe si es nuestro.") from None
        if veredicto != Veredicto.INTACTO:
            self.stdout.write(f"{veredicto.label}{f' ({documento})' if documento else ''}.")
            sys.exit(1)
        assert documento  # what is intact was found
        self.stdout.write(f"{veredicto.label}: {documento}, {documento.get_estado_display().lower()}.")

"""`manage.py restaurar ARCHIVO`: a backup into an empty database, and the proof that all of it is there."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from senasa import paquete, restauracion
from senasa.cifrado import NoSeAbre


class Command(BaseCommand):
    help = "Restaura un respaldo en una base vacía y compara lo restaurado: filas, bitácora, SHA-256 de cada archivo."
    requires_system_checks: list[str] = []  # they may ask the database, which is empty

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("archivo", type=Path)
        modo = parser.add_mutually_exclusive_group()
        modo.add_argument("--solo-leer", action="store_true", help="abre y comprueba el archivo; no toca nada más")
        modo.add_argument(
            "--comprobar", action="store_true", help="compara lo que hay aquí con el respaldo; no escribe"
        )

    def handle(self, *args: Any, archivo: Path, solo_leer: bool, comprobar: bool, **options: Any) -> None:
        clave = settings.RESPALDO_CLAVE or os.environ.get("RESPALDO_CLAVE", "")
        try:
            if solo_leer:
                self.contar(paquete.comprobar(archivo, clave))
                return
            if comprobar:
                filas = restauracion.comparar(paquete.comprobar(archivo, clave), decir=self.stdout.write)
            else:
                filas = restauracion.restaurar(archivo, clave=clave, decir=self.stdout.write)
        except (NoSeAbre, restauracion.NoSeRestaura) as error:
            raise CommandError(f"{error} No se cambió nada.") from error
        ancho = max(len(fila.que) for fila in filas)
        for fila in filas:
            marca = "igual  " if fila.igual else "DISTINTO"
            self.stdout.write(f"{marca:8}  {fila.que:{ancho}}  {fila.respaldo} · {fila.aqui}")
        if not all(fila.igual for fila in filas):
            raise CommandError("Lo que hay aquí no es todo lo que dice el respaldo.")
        self.stdout.write("Todo es igual que en el respaldo.")

    def contar(self, manifiesto: paquete.Manifiesto) -> None:
        self.stdout.write(
            f"Entero. Del {manifiesto.creado_en}, versión {manifiesto.version}, PostgreSQL {manifiesto.postgres}: "
            f"{sum(manifiesto.tablas.values())} filas en {len(manifiesto.tablas)} tablas, "
            f"{len(manifiesto.archivos)} archivos, {len(manifiesto.claves)} de claves."
        )
        for nombre, porque in manifiesto.faltan.items():
            self.stdout.write(f"No venía {nombre}: {porque}")

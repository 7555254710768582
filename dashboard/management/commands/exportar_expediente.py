"""`manage.py exportar_expediente NUMERO`: one case as one ZIP, that anybody can check without this system."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.exportar import exportar
from expedientes.models import Expediente


class Command(BaseCommand):
    help = "Escribe un ZIP con todo un expediente. Sale con 1 si un archivo falta o está dañado: lo demás se escribe."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("numero", metavar="NUMERO", help="el número, o el que tenía en el registro anterior")
        parser.add_argument("--salida", type=Path, metavar="RUTA", help="NUMERO.zip en esta carpeta, si no se dice")
        parser.add_argument("--con-datos-personales", action="store_true", default=True, help="todo (lo que hace)")
        parser.add_argument(
            "--sin-datos-personales", action="store_false", dest="con_datos_personales",
            help="sin documentos firmados, adjuntos ni textos",
        )  # fmt: skip

    def handle(self, *args: Any, numero: str, salida: Path | None, con_datos_personales: bool, **opciones: Any) -> None:
        expediente = Expediente.objects.filter(numero=numero.strip().upper()).first()
        if expediente is None and numero:
            expediente = Expediente.objects.filter(numero_anterior=numero).first()
        if expediente is None:
            raise CommandError(f"No hay un expediente {numero}.")
        ruta = salida or Path(f"{expediente.numero}.zip")
        if ruta.is_dir():
            ruta = ruta / f"{expediente.numero}.zip"
        parte = ruta.with_name(f".{ruta.name}.parte")
        try:
            with parte.open("wb") as archivo:
                parte.chmod(0o600)
                fallas = exportar(expediente, archivo, con_datos_personales=con_datos_personales)
                archivo.flush()
                os.fsync(archivo.fileno())
            parte.replace(ruta)
        except OSError as error:
            raise CommandError(f"No se puede escribir {ruta}: {error.strerror}.") from error
        finally:
            parte.unlink(missing_ok=True)
        self.stdout.write(f"{ruta}: {ruta.stat().st_size // 1024 + 1} kB")
        if fallas:
            raise CommandError("El ZIP está escrito, y dice dentro lo que no está bien: " + "; ".join(fallas) + ".")

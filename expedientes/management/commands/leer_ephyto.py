"""manage.py leer_ephyto ARCHIVO: what the system understands of an ePhyto, as JSON alone on stdout.

It touches no database, so that a certificate can be looked at from anywhere. Exit code 1, with one
line on stderr, when the file cannot be read as a certificate.
"""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from expedientes import ephyto


def _json(peso: Decimal | None) -> int | float | None:
    if peso is None:
        return None
    return int(peso) if peso == peso.to_integral_value() else float(peso)


class Command(BaseCommand):
    help = "Muestra en JSON lo que se entiende de un certificado ePhyto (XML)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("archivo", type=Path, help="el archivo XML")

    def handle(self, *args: Any, archivo: Path, **options: Any) -> None:
        try:
            with archivo.open("rb") as abierto:
                # One byte over the limit is enough for the parser to refuse it.
                certificado = ephyto.leer(abierto.read(ephyto.MAX_BYTES + 1))
        except OSError:
            self._fallar(f"No se puede abrir el archivo {archivo}")
        except ephyto.EphytoInvalido as error:
            self._fallar(f"{archivo}: {error}")
        else:
            entendido = {
                "certificado": certificado.numero,
                "emisor": certificado.emisor,
                "pais_exportacion": certificado.pais_exportacion,
                "lineas": [
                    {
                        "nombre_comun": linea.nombre_comun,
                        "nombre_cientifico": linea.nombre_cientifico,
                        "peso_neto_kg": _json(linea.peso_neto_kg),
                        "pais_origen": linea.pais_origen,
                    }
                    for linea in certificado.lineas
                ],
                "declaraciones": list(certificado.declaraciones),
                "pendientes": [asdict(pendiente) for pendiente in certificado.pendientes],
            }
            self.stdout.write(json.dumps(entendido, ensure_ascii=False, indent=2))

    def _fallar(self, mensaje: str) -> None:
        self.stderr.write(mensaje)
        sys.exit(1)

"""`manage.py importar_en_curso`: the open and historic cases of an agency come in from its spreadsheets."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from tqdm import tqdm

from expedientes.models import Producto
from laboratorio import en_curso, libro

# One at a time: two loads of one file at once would race for the same keys.
CANDADO = 7_410_331


class Command(BaseCommand):
    help = (
        "Trae los expedientes en curso e históricos de un libro de Excel o una carpeta de CSV. Los buenos entran, los "
        "malos se quedan y se dice por qué; cargar dos veces no repite ninguno. Sale con 1 si algo se quedó."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("archivo", nargs="?", type=Path, metavar="ARCHIVO.xlsx|CARPETA")
        parser.add_argument("--simular", action="store_true", help="hace todo y lo deshace")
        parser.add_argument("--plantilla", type=Path, metavar="SALIDA.xlsx|CARPETA", help="escribe la plantilla")
        parser.add_argument("--errores", type=Path, metavar="SALIDA.csv", help="qué corregir, una línea por celda")
        parser.add_argument("--informe", action="store_true", help="además, una línea por expediente")
        parser.add_argument("--avisar", action="store_true", help="envía el enlace de seguimiento de los abiertos")

    def handle(self, *args: Any, archivo: Path | None, plantilla: Path | None, **opciones: Any) -> None:
        if not Producto.objects.exists():
            raise CommandError("Falta el catálogo: ejecute antes «manage.py cargar_catalogos».")
        if plantilla:
            libro.escribir_plantilla(plantilla)
            self.stdout.write(f"Plantilla escrita en {plantilla}.")
        if archivo is None:
            if not plantilla:
                raise CommandError("Diga qué archivo cargar, o pida la plantilla con --plantilla SALIDA.xlsx.")
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [CANDADO])
            if cursor.fetchone() == (False,):
                raise CommandError("Otra carga está en curso: espere a que termine.")
            try:
                self._cargar(archivo, **opciones)
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [CANDADO])

    def _cargar(
        self, archivo: Path, *, simular: bool, errores: Path | None, informe: bool, avisar: bool, **_otras: Any
    ) -> None:
        try:
            leido = libro.leer(archivo)
        except libro.LibroInvalido as error:
            raise CommandError(str(error)) from error
        cosecha = en_curso.entender(leido)
        buenos = [traido for traido in cosecha.traidos if not traido.ya_estaba and not traido.defectos]
        barra = tqdm(
            buenos, desc="Expedientes", unit="caso", file=self.stderr, ascii=True, mininterval=1,
            disable=not self.stderr.isatty(),
        )  # fmt: skip
        for traido in barra:
            en_curso.traer(traido, archivo=leido.nombre, avisar=avisar, simular=simular)
        self._contar(cosecha, simular=simular, informe=informe)
        defectos = cosecha.defectos
        if errores:
            libro.escribir_errores(errores, defectos)
        if defectos:
            for defecto in [] if errores else defectos[:20]:
                donde = f"{defecto.hoja}, fila {defecto.fila}" + (f", {defecto.columna}" if defecto.columna else "")
                self.stderr.write(f"{donde}: {defecto.error}" + (f" Dice «{defecto.dice}»." if defecto.dice else ""))
            donde = f"están en {errores}" if errores else "pídalas todas con --errores SALIDA.csv"
            raise CommandError(f"{len(defectos)} cosas que corregir: {donde}.", returncode=1)

    def _contar(self, cosecha: en_curso.Cosecha, *, simular: bool, informe: bool) -> None:
        traidos = [traido for traido in cosecha.traidos if traido.expediente and not traido.ya_estaba]
        ya_estaban = sum(traido.ya_estaba for traido in cosecha.traidos)
        rechazados = sum(bool(traido.defectos) for traido in cosecha.traidos)
        verbo = "entrarían (simulación: nada quedó)" if simular else "entraron"
        self.stdout.write(f"{len(traidos)} expedientes {verbo}, {ya_estaban} ya estaban, {rechazados} se quedaron.")
        por_estado = Counter(t.expediente.get_estado_display() for t in traidos if t.expediente)
        for estado, cuantos in sorted(por_estado.items()):
            self.stdout.write(f"  {estado}: {cuantos}")
        if informe:
            for traido in cosecha.traidos:
                if traido.defectos:
                    dicho = f"se queda: {traido.defectos[0].error}"
                elif traido.expediente:
                    numero = "nuevo" if simular and not traido.ya_estaba else traido.expediente.numero
                    dicho = f"{numero}, {traido.expediente.get_estado_display().lower()}"
                else:
                    dicho = "se queda"
                self.stdout.write(f"  {traido.clave or '(sin clave)'}: {dicho}")

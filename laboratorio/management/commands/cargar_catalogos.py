"""manage.py cargar_catalogos: bring the catalogue tables to what `catalogos/*.csv` say.

Safe to run at every start: a row that already says the same is left alone, and so is a row that a
person edited or deleted in the admin (`--forzar` overrules them). Every change is kept in the
history with its cause. Nothing is deleted: a row that leaves its file stays, to be made inactive by
hand. It lives in the laboratory, the rightmost app that has catalogues.
"""

import csv
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, models, transaction
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from expedientes.models import Motivo, Pais, Plaga, Plazo, Producto
from laboratorio.models import ControlEsperado, Metodo, ReglaFirma, Requisito
from senasa.models import DiaNoLaborable, Disciplina, Puesto

CARPETA = settings.BASE_DIR / "catalogos"


@dataclass(frozen=True)
class Catalogo:
    """A file, its model, and the columns that tell one row from another; `aparte` are for other readers."""

    archivo: str
    modelo: type[models.Model]
    clave: tuple[str, ...]
    aparte: frozenset[str] = field(default=frozenset())


# In an order in which every row finds the rows it names.
CATALOGOS = (
    Catalogo("puestos.csv", Puesto, ("codigo",)),
    Catalogo("disciplinas.csv", Disciplina, ("codigo",)),
    Catalogo("dias_no_laborables.csv", DiaNoLaborable, ("fecha",)),
    Catalogo("paises.csv", Pais, ("codigo",), frozenset({"numerico", "otros_nombres"})),
    Catalogo("productos.csv", Producto, ("codigo",)),
    Catalogo("plagas.csv", Plaga, ("eppo",)),
    Catalogo("motivos.csv", Motivo, ("accion", "codigo")),
    Catalogo("plazos.csv", Plazo, ("etapa", "puesto", "categoria", "perecible")),
    Catalogo("metodos.csv", Metodo, ("codigo",)),
    Catalogo("controles.csv", ControlEsperado, ("metodo", "tipo")),
    Catalogo("requisitos.csv", Requisito, ("producto", "pais_origen", "plaga", "metodo")),
    Catalogo("reglas_firma.csv", ReglaFirma, ("version",)),
)
# How a row names a row of another catalogue.
NOMBRADOS_POR = {catalogo.modelo: catalogo.clave[0] for catalogo in CATALOGOS if len(catalogo.clave) == 1}
SI_O_NO = {"si": True, "sí": True, "no": False}


class Command(BaseCommand):
    help = "Carga o actualiza los catálogos desde los archivos de catalogos/."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--carpeta", type=Path, default=CARPETA, help="donde están los archivos CSV")
        parser.add_argument("--causa", default="Carga de catalogos/", help="la causa que queda en el historial")
        parser.add_argument("--forzar", action="store_true", help="pisa también lo que una persona cambió")

    @transaction.atomic
    def handle(self, *args: Any, carpeta: Path, causa: str, forzar: bool, **options: Any) -> None:
        for catalogo in CATALOGOS:
            cuenta = _cargar(catalogo, carpeta / catalogo.archivo, causa=causa, forzar=forzar)
            dicho = ", ".join(f"{cuantos} {que}" for que, cuantos in cuenta.items() if cuantos)
            self.stdout.write(f"{catalogo.archivo}: {dicho or 'sin filas'}")


def _cargar(catalogo: Catalogo, archivo: Path, *, causa: str, forzar: bool) -> dict[str, int]:
    modelo = catalogo.modelo
    existentes = {_clave(catalogo, fila): fila for fila in modelo._default_manager.all()}
    de_personas = set() if forzar else _tocadas_por_personas(catalogo)
    nuevas: list[models.Model] = []
    cambiadas: list[models.Model] = []
    vistas: dict[tuple[Any, ...], int] = {}
    iguales = conservadas = 0
    for linea, valores in _filas(catalogo, archivo):
        fila = modelo(**valores)
        clave = _clave(catalogo, fila)
        if clave in vistas:
            raise CommandError(f"{archivo.name}, línea {linea}: repite la fila de la línea {vistas[clave]}.")
        vistas[clave] = linea
        anterior = existentes.get(clave)
        cambios = [] if anterior is None else [n for n, v in valores.items() if getattr(anterior, n) != v]
        if anterior is not None and not cambios:
            iguales += 1
        # A rule is a version that reports may rest on: it is never rewritten, not even by force.
        elif clave in de_personas or (anterior is not None and modelo is ReglaFirma):
            conservadas += 1
        else:
            for nombre in cambios:
                setattr(anterior, nombre, valores[nombre])
            _validar(anterior or fila, archivo, linea)
            (nuevas if anterior is None else cambiadas).append(anterior or fila)
    try:
        _guardar(modelo, nuevas, cambiadas, causa)
    except IntegrityError as error:
        raise CommandError(f"{archivo.name}: dos filas repiten un valor que debe ser único ({error}).") from error
    return {
        "creadas": len(nuevas), "cambiadas": len(cambiadas), "sin cambio": iguales,
        "conservadas como las dejó una persona": conservadas,
    }  # fmt: skip


def _clave(catalogo: Catalogo, fila: Any) -> tuple[Any, ...]:
    # By attname: an empty post and the post 3, not the objects.
    columnas = {c.name: c.attname for c in catalogo.modelo._meta.concrete_fields}
    return tuple(getattr(fila, columnas[nombre]) for nombre in catalogo.clave)


def _tocadas_por_personas(catalogo: Catalogo) -> set[tuple[Any, ...]]:
    """The rows whose last change has an author: no file overrules a person in silence."""
    if not hasattr(catalogo.modelo, "history"):
        return set()
    historial = catalogo.modelo.history.order_by("history_date", "history_id")
    ultimos = {_clave(catalogo, registro): registro for registro in historial}
    return {clave for clave, registro in ultimos.items() if registro.history_user_id is not None}


def _guardar(modelo: Any, nuevas: list[Any], cambiadas: list[Any], causa: str) -> None:
    if not hasattr(modelo, "history"):
        modelo.objects.bulk_create(nuevas)
        return
    campos = [c.name for c in modelo._meta.concrete_fields if not c.primary_key]
    bulk_create_with_history(nuevas, modelo, default_change_reason=causa)
    bulk_update_with_history(cambiadas, modelo, campos, default_change_reason=causa)


# ── From the file to values ───────────────────────────────────────────────────────────────────────


def _filas(catalogo: Catalogo, archivo: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row's line in the file and its values; refuses, with file and line, what does not fit."""
    try:
        texto = archivo.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CommandError(f"No se puede leer {archivo}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{archivo.name} no está en UTF-8: guárdelo como «CSV UTF-8».") from error
    # A spreadsheet in Spanish writes semicolons.
    separador = ";" if ";" in texto.partition("\n")[0] else ","
    lector = csv.reader(texto.splitlines(), delimiter=separador)
    cabecera = next(lector, [])
    campos = {c.name: c for c in catalogo.modelo._meta.concrete_fields if not c.auto_created}
    if ajenas := set(cabecera) - set(campos) - catalogo.aparte:
        raise CommandError(f"{archivo.name}, línea 1: columnas que no se conocen: {', '.join(sorted(ajenas))}.")
    if faltan := set(catalogo.clave) - set(cabecera):
        raise CommandError(f"{archivo.name}, línea 1: faltan las columnas {', '.join(sorted(faltan))}.")
    nombrables: dict[type[models.Model], dict[str, models.Model]] = {}
    for celdas in lector:
        if not any(celda.strip() for celda in celdas):
            continue
        if len(celdas) != len(cabecera):
            raise CommandError(
                f"{archivo.name}, línea {lector.line_num}: trae {len(celdas)} celdas y la cabecera {len(cabecera)}."
            )
        valores = {}
        for nombre, celda in zip(cabecera, celdas, strict=True):
            if nombre in campos:
                try:
                    valores[nombre] = _valor(campos[nombre], celda.strip(), nombrables)
                except ValidationError as error:
                    raise CommandError(
                        f"{archivo.name}, línea {lector.line_num}, {nombre}: {' '.join(error.messages)}"
                    ) from error
        yield lector.line_num, valores


def _valor(campo: Any, celda: str, nombrables: dict[type[models.Model], dict[str, models.Model]]) -> Any:
    if not celda and campo.null:
        return None
    if isinstance(campo, models.BooleanField):
        if celda.lower() not in SI_O_NO:
            raise ValidationError("se espera «si» o «no».")
        return SI_O_NO[celda.lower()]
    if isinstance(campo, models.ForeignKey):
        modelo = campo.related_model
        if modelo not in nombrables:
            filas = modelo._default_manager.all()
            nombrables[modelo] = {str(getattr(fila, NOMBRADOS_POR[modelo])): fila for fila in filas}
        if celda not in nombrables[modelo]:
            raise ValidationError(f"«{celda}» no está en {modelo._meta.verbose_name_plural}.")
        return nombrables[modelo][celda]
    return campo.clean(celda, None)


def _validar(fila: models.Model, archivo: Path, linea: int) -> None:
    try:
        fila.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        detalle = "; ".join(f"{nombre}: {' '.join(mensajes)}" for nombre, mensajes in error.message_dict.items())
        raise CommandError(f"{archivo.name}, línea {linea}: {detalle}") from error

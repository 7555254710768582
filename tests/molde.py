"""The tests' databases: migrated and with its catalogues once, copied for each process, put back after each commit.

The migrations take a minute and each process of a run wants a database of its own, so they are copies of a mould,
`test_<name>_molde`. It is kept: its comment says what it was made of, and when that has changed it is made anew.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from tests.builders import cargar_catalogos

RAIZ = Path(settings.BASE_DIR)
DE_QUE_ESTA_HECHO = (
    "*/migrations/*.py", "*/models.py", "catalogos/*", "laboratorio/management/commands/cargar_catalogos.py",
    "requirements/base.txt", "tests/molde.py",
)  # fmt: skip
CERROJO = 7_305_117


def huella() -> str:
    suma = hashlib.sha256()
    for patron in DE_QUE_ESTA_HECHO:
        for ruta in sorted(RAIZ.glob(patron)):
            suma.update(str(ruta.relative_to(RAIZ)).encode() + b"\0" + ruta.read_bytes())
    return suma.hexdigest()


@contextmanager
def en_una_copia() -> Iterator[None]:
    """Django's connection on a copy of the mould within the block; it is dropped afterwards."""
    ajustes, copia = connection.settings_dict, connection.creation._get_test_db_name()
    copiar_en(copia)
    nombre, ajustes["NAME"] = ajustes["NAME"], copia
    try:
        yield
    finally:
        connection.close()
        ajustes["NAME"] = nombre
        with connection.creation._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {connection.ops.quote_name(copia)} WITH (FORCE)")


def copiar_en(copia: str) -> None:
    """Make the database `copia` anew from the mould, which is made first where it is missing or not what it should."""
    molde = f"test_{connection.settings_dict['NAME']}_molde"
    nombrar = connection.ops.quote_name
    connection.close()
    with connection.creation._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [CERROJO])  # one process makes it, the others wait
        cursor.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [molde])
        if cursor.fetchone() != (huella(),):
            _hacer(molde)
            cursor.execute(f"COMMENT ON DATABASE {nombrar(molde)} IS '{huella()}'")
        cursor.execute(f"DROP DATABASE IF EXISTS {nombrar(copia)} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {nombrar(copia)} TEMPLATE {nombrar(molde)}")
        cursor.execute("SELECT pg_advisory_unlock(%s)", [CERROJO])


def _hacer(molde: str) -> None:
    """Migrate an empty database of that name and load the catalogues into it."""
    creacion, ajustes = connection.creation, connection.settings_dict
    nombre, de_prueba = ajustes["NAME"], ajustes["TEST"]["NAME"]
    ajustes["TEST"]["NAME"] = molde
    creacion.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    cargar_catalogos()
    connection.close()
    ajustes["NAME"], ajustes["TEST"]["NAME"] = nombre, de_prueba


class Inicio:
    """What every table held at the beginning, to be put back by whatever test commits.

    As if nobody had been there: no trigger looks on, and identities stay what they were, so that what a process keeps
    in its memory (people, content types) is still true.
    """

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            self.tablas = [tabla for (tabla,) in cursor.fetchall()]
            self.filas = {tabla: b"".join(self._copiadas(cursor, tabla)) for tabla in self._con_filas(cursor)}

    @staticmethod
    def _copiadas(cursor: Any, tabla: str) -> Iterator[bytes]:
        with cursor.copy(f"COPY {tabla} TO STDOUT") as copia:
            yield from map(bytes, copia)

    def _con_filas(self, cursor: Any) -> list[str]:
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{tabla}' WHERE EXISTS (SELECT FROM {tabla})" for tabla in self.tablas)
        )
        return [tabla for (tabla,) in cursor.fetchall()]

    def volver(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            try:
                for tabla in self._con_filas(cursor):
                    cursor.execute(f"DELETE FROM {tabla}")
                for tabla, filas in self.filas.items():
                    with cursor.copy(f"COPY {tabla} FROM STDIN") as copia:
                        copia.write(filas)
            finally:
                cursor.execute("RESET session_replication_role")


def volver_en_vez_de_vaciar() -> None:
    """From now on what a transactional test leaves is put right by `Inicio`, which takes a tenth of Django's time."""
    inicio = Inicio()
    TransactionTestCase._fixture_teardown = lambda _prueba: inicio.volver()  # type: ignore[method-assign]

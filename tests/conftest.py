"""What every test stands on: real PostgreSQL, folders of its own, a real SMTP server, a signing key.

Folders and variables are set in `tests/settings.py`, which Django reads before this file.
"""

import asyncio
import gc
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings as ajustes
from django.core.cache import cache, caches
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from laboratorio.demo import CLAVE
from senasa import settings as senasa_settings
from senasa.models import Usuario
from tests import molde
from tests.builders import personas


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that started the others
        shutil.rmtree(os.environ["VAR_DE_PRUEBAS"], ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: Any
) -> Iterator[None]:
    with ExitStack() as pila:
        with django_db_blocker.unblock():
            pila.enter_context(molde.en_una_copia())
            personas()  # once: what a test commits is undone
            molde.volver_en_vez_de_vaciar()
        # What stands by now is never garbage: the collector would walk it all, hundreds of times. And what a test
        # makes mostly goes by itself when the test ends: looking for cycles less often saves a twelfth of the run.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        yield
        with django_db_blocker.unblock():
            pila.close()


@pytest.fixture(autouse=True)
def _memoria_limpia(request: pytest.FixtureRequest) -> None:
    """Else allauth answers 429 at the thirty-first sign-in of a minute."""
    pedidas = {"db", "transactional_db", "live_server"} & set(request.fixturenames)
    if pedidas or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("transactional_db" if "live_server" in request.fixturenames else "db")
        cache.clear()


@pytest.fixture
def memoria(settings: Any) -> None:
    """Pieces of pages are kept, as they are outside the tests."""
    settings.CACHES = senasa_settings.CACHES
    caches["cercana"].clear()


@pytest.fixture(autouse=True)
def _carpetas_limpias(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "una_vez" not in request.fixturenames:
        vaciar_carpetas()


@pytest.fixture(scope="module")
def una_vez(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """For a world that a module makes once: a transaction around its tests, and files that stay as long.

    What a test does is undone to there, as `db` undoes it to nothing. Objects are not: a test fetches its own.
    Not in a module with `transaction=True`: its commits would be none.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)
    vaciar_carpetas()


def vaciar_carpetas() -> None:
    for nombre in ("correos", "informes", "adjuntos", "default"):
        shutil.rmtree(ajustes.VAR / nombre, ignore_errors=True)


@pytest.fixture
def gente(db: None) -> dict[str, Usuario]:
    return personas()


@pytest.fixture
def entrar(gente: dict[str, Usuario]) -> Callable[[str], Client]:
    """A browser for whoever of the demonstration's people: `entrar("recepcion").get(...)`.

    Signed in as a person does, with the password: signing a report asks for a recent one.
    """

    def _entrar(usuario: str) -> Client:
        navegador = Client()
        respuesta = navegador.post(reverse("account_login"), {"login": usuario, "password": CLAVE})
        assert respuesta.status_code == 302
        return navegador

    return _entrar


def url_de_la_base() -> str:
    """DATABASE_URL for a process that must work on this test's database."""
    base = connection.settings_dict
    quien = base["USER"] + (f":{quote(base['PASSWORD'], safe='')}" if base["PASSWORD"] else "")
    # As a query, since the host may be the folder of a socket.
    donde = urlencode({campo: base[clave] for campo, clave in (("host", "HOST"), ("port", "PORT")) if base[clave]})
    return f"postgres://{quien}@/{base['NAME']}?{donde}"


@pytest.fixture(scope="session")
def certificado() -> Path:
    """The PKCS#12 that the settings name, made for this session by the demo's own maker."""
    from expedientes import firma

    ruta = Path(ajustes.FIRMA_P12)
    if not ruta.exists():
        ruta.parent.mkdir(parents=True, exist_ok=True)
        firma.crear_demo(ruta, ajustes.FIRMA_CLAVE)
    return ruta


class Buzon:
    """Takes every message that comes in, unless told otherwise.

    `rechazar`: the line it answers to every message instead. `rechazar_a`: an address it does not know (550).
    `cortar`: it takes the message and hangs up without an answer. `demora`: seconds it thinks over each one.
    """

    def __init__(self) -> None:
        self.mensajes: list[EmailMessage] = []
        self.rechazar = self.rechazar_a = ""
        self.cortar = False
        self.demora = 0.0
        self.url = ""  # as EMAIL_URL wants it, for a worker in a process of its own

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if address == self.rechazar_a:
            return "550 5.1.1 No existe"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.rechazar:
            return self.rechazar
        await asyncio.sleep(self.demora)
        assert isinstance(envelope.content, bytes)
        mensaje = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mensaje, EmailMessage)
        self.mensajes.append(mensaje)
        if self.cortar and server.transport:
            server.transport.abort()  # type: ignore[attr-defined]
        return "250 OK"


class ServidorSmtp(Controller):
    """An SMTP server on a port of its own choosing; `direccion` once it has started."""

    def __init__(self, manejo: Any) -> None:
        super().__init__(manejo, hostname="127.0.0.1", port=0)

    @property
    def direccion(self) -> tuple[str, int]:
        assert self.server
        host, puerto = self.server.sockets[0].getsockname()
        return host, puerto

    def _trigger_server(self) -> None:
        # aiosmtpd knocks on port 0 to see whether it is up: here it knocks on the port that it got.
        with socket.create_connection(self.direccion) as puerta:
            puerta.recv(1024)


@pytest.fixture
def servidor_smtp(settings: Any) -> Iterator[Buzon]:
    """A real SMTP server in this process; Django's mail goes to it. `.mensajes` is what arrived."""
    buzon = Buzon()
    controlador = ServidorSmtp(buzon)
    controlador.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = controlador.direccion
    buzon.url = "smtp://{}:{}".format(*controlador.direccion)
    yield buzon
    controlador.stop()

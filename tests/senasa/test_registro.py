"""What the logs say, and that no name, address, token or query string ever reaches them, whatever goes wrong."""

import io
import json
import logging
import logging.config
import os
import re
import smtplib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as ajustes
from django.core.mail import EmailMessage
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from notificaciones import enlaces, services
from notificaciones.services import enlace_para
from notificaciones.tasks import despachar
from senasa import registro
from senasa.registro import tapar
from tests.builders import crear_caso, personas
from tests.conftest import Buzon, url_de_la_base

RAIZ = Path(__file__).resolve().parents[2]
TOKEN = "12-abcdefghijklmnopqrstuvwxyzA"


class Registro:
    """The log as production writes it."""

    def __init__(self) -> None:
        self.salida = io.StringIO()

    @property
    def texto(self) -> str:
        return self.salida.getvalue()

    @property
    def lineas(self) -> list[dict[str, Any]]:
        return [json.loads(linea) for linea in self.texto.splitlines()]

    def de(self, evento: str) -> list[dict[str, Any]]:
        return [linea for linea in self.lineas if linea["event"] == evento]


@pytest.fixture
def escrito() -> Iterator[Registro]:
    """Everything at its lowest level, through the settings' own handlers and formatter."""
    escrito = Registro()
    de_produccion = deepcopy(ajustes.LOGGING)
    de_produccion["formatters"]["linea"]["en_json"] = True
    de_produccion["handlers"]["consola"]["stream"] = escrito.salida
    for nombre in ("senasa", "notificaciones", "expedientes", "laboratorio", "indicadores", "gestion", "dashboard"):
        de_produccion["loggers"][nombre] = {"level": "DEBUG"}
    logging.config.dictConfig(de_produccion)
    yield escrito
    logging.config.dictConfig(ajustes.LOGGING)


@pytest.mark.parametrize(
    ("dicho", "queda"),
    [
        ("no llega a ana.perez+x@empresa.example", "no llega a ‹correo›"),
        ("to=<ana@b.pe>, (b@c.pe)", "to=<‹correo›>, (‹correo›)"),
        ("GET /seguimiento/12-abcdefghijklmnopqrstuvwxyzA/ 200", "GET /seguimiento/‹enlace›/ 200"),
        ("/seguimiento/cualquier-cosa", "/seguimiento/‹enlace›"),
        (f"token {TOKEN}.", "token ‹enlace›."),
        ("/buscar/?q=Juan%20P%C3%A9rez&x=1 tardó", "/buscar/?‹consulta› tardó"),
        ("/verificar/?correo=ana%40b.pe", "/verificar/?‹consulta›"),
        ("PCM-2026-000123, muestra M-2026-004567", "PCM-2026-000123, muestra M-2026-004567"),
        ("¿listo? sí", "¿listo? sí"),
        ({"a": ["x@y.pe"], "n": 3, "nada": None}, {"a": ["‹correo›"], "n": 3, "nada": None}),
    ],
)
def test_covers_addresses_tokens_and_queries_and_nothing_else(dicho: Any, queda: Any) -> None:
    assert tapar(dicho) == queda


@pytest.mark.django_db
def test_each_request_is_one_line(client: Client, escrito: Registro) -> None:
    usuario = personas()["inspector"]
    client.force_login(usuario)
    respuesta = client.get("/tablero/", {"puesto": "PCM"})
    (linea,) = escrito.de("petición")
    assert {c: linea[c] for c in ("level", "logger", "ruta", "metodo", "estado", "usuario", "peticion")} == {
        "level": "info", "logger": "senasa.peticiones", "ruta": "tablero", "metodo": "GET", "estado": 200,
        "usuario": usuario.pk, "peticion": respuesta["X-Request-ID"],
    }  # fmt: skip
    assert 0 <= linea["ms"] < 60_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", linea["hora"])
    assert set(linea) == {"event", "level", "logger", "hora", "ruta", "metodo", "estado", "usuario", "peticion", "ms"}
    client.get("/livez")
    assert [una["level"] for una in escrito.de("petición")] == ["info", "debug"]  # a machine that asks all day


@pytest.mark.django_db
def test_nothing_personal_reaches_the_log_whatever_goes_wrong(
    client: Client, escrito: Registro, servidor_smtp: Buzon, monkeypatch: pytest.MonkeyPatch, certificado: Path
) -> None:
    caso = crear_caso("con_riv")
    importador = caso.expediente.importador
    token = enlaces.token(enlace_para(referencia=caso.expediente.referencia, correo=importador.correo))
    anonimo = Client(raise_request_exception=False, headers={"User-Agent": "Navegador de Ñusta"})
    # The link, a good one and bad ones; what people type in the search; what nobody routes.
    for url in (
        f"/seguimiento/{token}/",
        f"/seguimiento/{token}x/",
        f"/seguimiento/{TOKEN}/?correo={importador.correo}",
        f"/nada/{importador.correo}/",
    ):
        anonimo.get(url, follow=True)
    anonimo.post(reverse("account_login"), {"login": importador.correo, "password": "clave-de-Ñusta"})
    Client(enforce_csrf_checks=True).post(f"/seguimiento/{token}/", {"q": importador.correo})
    client.raise_request_exception = False
    client.force_login(personas()["inspector"])
    client.get("/buscar/", {"q": importador.nombre})
    # A mail that is refused, in words that repeat the address.
    servidor_smtp.rechazar_a = importador.correo
    services.despachar()
    # Errors whose text is what somebody typed: ours, the database's, the mail server's.
    errores: list[Exception] = [
        ValueError(f"no se entiende «{importador.nombre}»"),
        smtplib.SMTPRecipientsRefused({importador.correo: (550, f"{importador.nombre}?".encode())}),
    ]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO senasa_usuario (username, email, password, is_superuser, is_staff, is_active, date_joined,"
                " first_name, last_name, roles) SELECT username, email, '', false, false, true, now(), '', '', '{}'"
                " FROM senasa_usuario LIMIT 1"
            )
    except IntegrityError as error:
        errores.append(error)
    for error in errores:

        def fallar(*args: Any, error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as parche:
            parche.setattr("dashboard.busqueda.buscar", fallar)
            assert client.get("/buscar/", {"q": importador.correo}).status_code == 500
        with monkeypatch.context() as parche:
            parche.setattr("notificaciones.services.despachar", fallar)
            assert despachar.apply().failed()
    logging.getLogger("cualquiera").warning("%s escribió", importador.correo)
    dichos = ["Ñusta", "usta 0", importador.correo, "%40", "@", importador.numero_documento, token, TOKEN, "?q=",
              "clave-de", "127.0.0.1", "Navegador"]  # fmt: skip
    assert [dicho for dicho in dichos if dicho in escrito.texto] == []
    # And yet one can find out what happened.
    assert len(errores) == 3
    fallas = escrito.de("Internal Server Error")
    assert [falla["excepcion"][0] for falla in fallas[:2]] == ["builtins.ValueError", "smtplib.SMTPRecipientsRefused"]
    assert "23" in "".join(fallas[2]["excepcion"])  # the SQLSTATE
    assert [falla["ruta"] for falla in fallas] == ["buscar"] * 3
    assert any(cuadro.startswith("dashboard/views.py:") for cuadro in fallas[0]["rastro"])
    assert fallas[0]["peticion"] in {linea["peticion"] for linea in escrito.de("petición") if linea["estado"] == 500}
    assert [falla["tarea"] for falla in escrito.de("la tarea falló")] == ["notificaciones.tasks.despachar"] * 3
    assert all(falla["tarea_id"] for falla in escrito.de("la tarea falló"))
    assert {linea["ruta"] for linea in escrito.de("petición")} >= {"seguimiento", "buscar", "ninguna", "account_login"}
    (sin_enviar,) = [linea for linea in escrito.lineas if "sin enviar" in linea["event"]][:1]
    assert "SMTPRecipientsRefused" in sin_enviar["event"]


def test_the_demonstration_is_readable() -> None:
    linea = registro.formato(en_json=False).format(
        logging.LogRecord("senasa.x", logging.WARNING, __file__, 1, "el timbre no suena: %s", ("a@b.pe",), None)
    )
    assert "\x1b" not in linea
    assert linea.endswith("[warning  ] el timbre no suena: ‹correo› [senasa.x]")


def test_a_mail_that_cannot_be_composed_says_no_address(escrito: Registro) -> None:
    try:
        EmailMessage("x\ny", "z", "a@b.pe", ["c@d.pe"]).message()
    except Exception:
        logging.getLogger("senasa").exception("sin componer")
    (linea,) = escrito.lineas
    assert linea["excepcion"] == ["django.core.mail.message.BadHeaderError"] or "BadHeader" in linea["excepcion"][0]


@pytest.mark.servicios
@pytest.mark.django_db(transaction=True)
def test_gunicorn_prints_no_path_and_serves_the_sum_of_its_processes(tmp_path: Path) -> None:
    """The real server: no access log, JSON lines, counters added up over two processes."""
    with socket.create_server(("127.0.0.1", 0)) as libre:
        puerto = libre.getsockname()[1]
    entorno = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": url_de_la_base(),
        "NIVEL_DE_REGISTRO": "INFO",
        "METRICAS_CLAVE": "una-clave-de-metricas-para-pruebas",
        "VAR_DE_PRUEBAS": str(tmp_path / "var"),
        "HOME": str(tmp_path),
    }
    entorno.pop("PROMETHEUS_MULTIPROC_DIR", None)
    dicho = tmp_path / "registro"
    orden = ["-m", "gunicorn", "senasa.wsgi", "--bind", f"127.0.0.1:{puerto}", "--workers", "2", "--threads", "2"]
    with dicho.open("wb") as salida:
        proceso = subprocess.Popen([sys.executable, *orden], cwd=RAIZ, env=entorno, stdout=salida, stderr=salida)

    def pedir(ruta: str, **cabeceras: str) -> tuple[int, str]:
        peticion = urllib.request.Request(f"http://127.0.0.1:{puerto}{ruta}", headers=cabeceras)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(peticion, timeout=30) as respuesta:
                return respuesta.status, respuesta.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""

    try:
        limite = time.monotonic() + 60
        while True:
            try:
                pedir("/livez")
                break
            except OSError:
                assert time.monotonic() < limite, dicho.read_text()
                time.sleep(0.2)
        for _vez in range(12):
            assert pedir(f"/seguimiento/{TOKEN}/?correo=ana@b.pe")[0] == 404
        estado, metricas = pedir("/metrics", Authorization="Bearer una-clave-de-metricas-para-pruebas")
        assert estado == 200
        assert 'senasa_peticiones_total{estado="404",metodo="GET",ruta="seguimiento"} 12.0' in metricas
        assert 'senasa_peticion_segundos_count{ruta="seguimiento"} 12.0' in metricas
    finally:
        proceso.terminate()
        proceso.wait(30)
    texto = dicho.read_text()
    assert texto.count("ruta=seguimiento") == 12
    assert [dicho for dicho in (TOKEN, "@", "?correo", "gunicorn.access", '"GET ') if dicho in texto] == []

"""A security key in a real Chromium: added, asked for at the door, and asked for again before deciding."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, expect, sync_playwright

from expedientes.models import Dictamen
from tests.builders import crear_caso

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CLAVE = "senasa-demo-2026"


@pytest.fixture
def url_por_dictaminar(certificado: Any, live_server: Any) -> str:
    expediente = crear_caso("resultado_emitido").expediente
    return reverse("partida_dictaminar", args=[expediente.numero, 1])


@pytest.fixture
def pagina(url_por_dictaminar: str, live_server: Any) -> Iterator[Page]:
    """With a virtual key plugged in; keys know hosts by name, so `localhost`."""
    with sync_playwright() as playwright:
        navegador = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        pagina = navegador.new_page(base_url=live_server.url.replace("127.0.0.1", "localhost"))
        cdp = pagina.context.new_cdp_session(pagina)
        cdp.send("WebAuthn.enable")
        opciones = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        cdp.send("WebAuthn.addVirtualAuthenticator", {"options": opciones})
        yield pagina
        navegador.close()


def ingresar(pagina: Page) -> None:
    pagina.get_by_label("Usuario o correo electrónico").fill("inspector")
    pagina.get_by_label("Contraseña").fill(CLAVE)
    pagina.get_by_role("button", name="Ingresar").click()


def sin_faltas(pagina: Page) -> None:
    assert Axe().run(pagina).response["violations"] == [], pagina.url


def test_key_from_the_first_day_to_a_decision(pagina: Page, url_por_dictaminar: str, settings: Any) -> None:
    settings.SEGUNDO_FACTOR = True
    quejas: list[str] = []
    pagina.on("console", lambda mensaje: quejas.append(mensaje.text) if "Content Security" in mensaje.text else None)

    pagina.goto("/tablero/")
    ingresar(pagina)
    expect(pagina.get_by_role("heading", name="Seguridad de mi cuenta")).to_be_visible()
    sin_faltas(pagina)
    pagina.get_by_role("link", name="Agregar una llave").click()
    sin_faltas(pagina)
    pagina.get_by_label("Nombre de la llave").fill("Llave azul")
    pagina.get_by_role("button", name="Agregar la llave").click()
    expect(pagina.get_by_text("Se muestran solo esta vez.")).to_be_visible()
    expect(pagina.locator(".codigos li")).to_have_count(10)
    sin_faltas(pagina)
    pagina.goto("/tablero/")
    expect(pagina.locator(".nav")).to_be_visible()

    pagina.locator(".usuario summary").click()
    pagina.get_by_role("button", name="Salir").click()
    ingresar(pagina)
    expect(pagina.get_by_role("heading", name="Falta un paso")).to_be_visible()
    sin_faltas(pagina)
    pagina.get_by_role("button", name="Usar una llave de seguridad").click()
    expect(pagina.locator(".usuario")).to_be_visible()

    pagina.goto(url_por_dictaminar)
    pagina.get_by_label("Fundamento").fill("Informe negativo, visto con la llave.")
    pagina.locator("input[name=decision][value=ingreso]").check()
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1  # the quarter of an hour went by while it was written
    pagina.get_by_role("button", name="Dictaminar").click()
    expect(pagina.get_by_role("heading", name="Confirme que es usted")).to_be_visible()
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
    expect(pagina.get_by_role("link", name="Usar un código")).to_be_visible()
    sin_faltas(pagina)
    pagina.get_by_role("button", name="Usar mi llave de seguridad").click()
    expect(pagina.get_by_text("Recuperamos lo que había escrito; revíselo y confirme.")).to_be_visible()
    expect(pagina.get_by_label("Fundamento")).to_have_value("Informe negativo, visto con la llave.")
    assert not Dictamen.objects.exists()
    pagina.get_by_role("button", name="Dictaminar").click()
    expect(pagina.locator(".mensajes .success")).to_be_visible()
    assert Dictamen.objects.get().fundamento == "Informe negativo, visto con la llave."
    assert quejas == []


def test_key_that_is_taken_away_says_so_in_words(pagina: Page) -> None:
    pagina.goto(reverse("mfa_add_webauthn"))
    ingresar(pagina)
    pagina.evaluate("() => { navigator.credentials.create = () => Promise.reject(new DOMException('no')); }")
    pagina.get_by_role("button", name="Agregar la llave").click()
    expect(pagina.get_by_text("No se pudo leer la llave")).to_be_visible()

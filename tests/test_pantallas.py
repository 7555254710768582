"""Every screen that a role can reach by its links: axe finds nothing, nothing overflows, the CSP is never broken.

Plus what the small scripts promise: typed text outlives the session, an act is sent once, the keys work.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from notificaciones import enlaces, preferencias
from notificaciones.services import enlace_para
from tests.builders import crear_caso

PLANTILLAS = Path(settings.BASE_DIR) / "templates"
CLAVE = "senasa-demo-2026"
ANCHOS = ((1440, 900), (390, 844))
ROLES = ("mesa", "inspector", "jefe", "recepcion", "analista", "verificador", "director", "direccion", "atencion",
         "admin")  # fmt: skip

navegador_de_verdad = pytest.mark.browser


def test_templates_carry_no_inline_script_nor_style() -> None:
    paginas = [
        ruta for ruta in PLANTILLAS.rglob("*.html") if ruta.parent.name not in {"pdf", "correo", "correos", "exportado"}
    ]
    prohibido = re.compile(r"""\sstyle=|\son[a-z]+=["']|<style|<script(?![^>]*(src=|type="application/json"))""")
    assert paginas
    assert [str(ruta) for ruta in paginas if prohibido.search(ruta.read_text())] == []


@pytest.fixture
def abrir(live_server: Any) -> Iterator[Callable[[], Page]]:
    """A page of a new browser context per call. Chromium starts with the first: until then the test may sign
    reports, which Playwright's event loop in this thread would forbid."""
    with ExitStack() as pila:
        navegadores: list[Browser] = []

        def pagina() -> Page:
            if not navegadores:
                playwright = pila.enter_context(sync_playwright())
                navegadores.append(
                    playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                )
                pila.callback(navegadores[0].close)
            return navegadores[0].new_page(base_url=live_server.url, viewport={"width": 1440, "height": 900})

        yield pagina


def ingresar(pagina: Page, usuario: str) -> None:
    pagina.get_by_label("Usuario o correo electrónico").fill(usuario)
    pagina.get_by_label("Contraseña").fill(CLAVE)
    pagina.get_by_role("button", name="Ingresar").click()
    expect(pagina.locator(".usuario")).to_be_visible()


def forma(url: str) -> str:
    """Addresses that show the same screen have the same shape: numbers and codes left out."""
    ruta = re.sub(r"[A-Z2-7]{4}(-[A-Z2-7]{4})+", "CVD", urlsplit(url).path)
    ruta = re.sub(r"^/textos/\w+/", "/textos/TEXTO/", ruta)  # some sixty of one screen
    return re.sub(r"\d+", "N", ruta).replace("PCA", "PCM")


def defectos(pagina: Page, anchos: tuple[tuple[int, int], ...] = ANCHOS) -> list[str]:
    """What axe and the layout say of the page at the desk and on the phone."""
    hallados = []
    for ancho, alto in anchos:
        pagina.set_viewport_size({"width": ancho, "height": alto})
        if pagina.evaluate("document.documentElement.scrollWidth") > ancho:
            hallados.append(f"{pagina.url} overflows at {ancho}")
        for falta in Axe().run(pagina).response["violations"]:
            hallados.append(f"{pagina.url} at {ancho}: {falta['id']} {falta['nodes'][0]['html'][:160]}")
    return hallados


def escuchar(pagina: Page, hallados: list[str]) -> None:
    pagina.on("pageerror", lambda error: hallados.append(f"{pagina.url}: {error}"))
    pagina.on("console", lambda m: hallados.append(f"{pagina.url}: {m.text}") if "Policy" in m.text else None)


@navegador_de_verdad
@pytest.mark.django_db(transaction=True)
def test_pages_of_every_role_are_accessible_and_fit(abrir: Callable[[], Page], certificado: Path) -> None:
    pasos = ("registrado", "programado", "en_inspeccion", "muestreado", "en_laboratorio", "recibido", "en_proceso")
    for paso in (*pasos, "con_resultado", "resultado_emitido", "con_riv", "en_medida", "cerrado"):
        crear_caso(paso, decision="rechazo" if paso == "en_medida" else None)
    crear_caso("verificado", valor="positivo")
    hallados: list[str] = []
    en_telefono: set[str] = set()  # a screen that two roles share is looked at once on the phone
    for rol in ROLES:
        pagina = abrir()
        pagina.goto("/accounts/login/")
        ingresar(pagina, rol)
        pendientes, vistas = [urlsplit(pagina.url).path], set()
        while pendientes:
            url = pendientes.pop(0)
            if forma(url) in vistas or re.search(r"^/(admin|accounts|documentos)|/adjuntos/|/plantilla/|\.pdf\b", url):
                continue
            vistas.add(forma(url))
            try:
                respuesta = pagina.goto(url)
            except Error as error:
                if "Download is starting" not in error.message:
                    raise
                continue  # a file to keep: it has its own tests
            assert respuesta
            if not respuesta.ok:
                hallados.append(f"{rol} is led to {url}: {respuesta.status}")
            enlaces_ = pagina.eval_on_selector_all("main a[href], nav a[href]", "as => as.map(a => a.href)")
            pendientes += [urlsplit(e)._replace(scheme="", netloc="", fragment="").geturl() for e in enlaces_]
            hallados += defectos(pagina, ANCHOS[:1] if forma(url) in en_telefono else ANCHOS)
            en_telefono.add(forma(url))
        assert len(vistas) > 2, rol
    assert hallados == []


@navegador_de_verdad
@pytest.mark.django_db(transaction=True)
def test_public_pages_are_accessible_and_fit(abrir: Callable[[], Page], certificado: Path) -> None:
    caso = crear_caso("con_riv")
    preferencia = preferencias.token(preferencias.de(caso.expediente.importador.correo))
    token = enlaces.token(enlace_para(referencia=caso.expediente.referencia, correo=caso.expediente.importador.correo))
    pagina, hallados = abrir(), []  # type: Page, list[str]
    escuchar(pagina, hallados)
    cvd = caso.expediente.documentos.first().cvd
    for url in (
        f"/seguimiento/{token}/",
        f"/preferencias/{preferencia}/",
        f"/preferencias/{preferencia}/baja/",
        "/verificar/",
        f"/verificar/{cvd}/",
        "/verificar/AAAA-AAAA-AAAA-AAAA/",
        "/solicitar/",
        "/solicitar/correo/",
        "/nada/",
    ):
        pagina.goto(url)
        for idioma in ("en", "es"):
            pagina.locator(f".idiomas [value={idioma}]").click()
            expect(pagina.locator("html")).to_have_attribute("lang", re.compile(f"^{idioma}"))
            hallados += defectos(pagina)
    for url in ("/accounts/login/", "/accounts/password/reset/"):
        pagina.goto(url)
        hallados += defectos(pagina)
    assert [h for h in hallados if "Applying inline style" not in h] == []  # axe's own


TAPADOS = """[...document.querySelectorAll(".filtros :is(input:not([type=hidden]), select, button)")]
.filter((campo) => {
  campo.scrollIntoView({ block: "center" });
  const { left, right, top, bottom } = campo.getBoundingClientRect();
  const sus = [left + 2, right - 2].map((x) => document.elementFromPoint(x, (top + bottom) / 2));
  return sus.some((uno) => uno !== campo);
}).map((campo) => campo.name || campo.textContent)"""


@navegador_de_verdad
@pytest.mark.django_db(transaction=True)
def test_on_a_phone_no_filter_is_covered_and_a_chart_opens_at_its_newest_end(
    abrir: Callable[[], Page], certificado: Path
) -> None:
    crear_caso("cerrado")
    for usuario, rutas in (
        ("inspector", ("/tablero/",)),
        ("direccion", ("/programa/", "/programa/tiempos/", "/reversiones/")),
    ):
        pagina = abrir()
        pagina.set_viewport_size({"width": 390, "height": 844})
        pagina.goto("/")
        ingresar(pagina, usuario)
        for ruta in rutas:
            pagina.goto(ruta)
            expect(pagina.locator(".filtros button")).to_be_visible()
            assert pagina.evaluate(TAPADOS) == [], ruta
            resto = "[...document.querySelectorAll('.lienzo')].map((l) => l.scrollWidth - l.clientWidth - l.scrollLeft)"
            assert [falta for falta in pagina.evaluate(resto) if falta > 1] == [], ruta
        assert usuario == "inspector" or pagina.locator(".lienzo").count()
        pagina.context.close()


@navegador_de_verdad
@pytest.mark.django_db(transaction=True)
def test_typed_text_outlives_the_session_and_is_sent_once(abrir: Callable[[], Page]) -> None:
    caso = crear_caso("registrado")
    url = f"/expedientes/{caso.expediente.numero}/partidas/1/programar/"
    pagina, avisos, envios = abrir(), [], []  # type: Page, list[str], list[str]
    escuchar(pagina, avisos)
    pagina.goto(f"/accounts/login/?next={url}")
    ingresar(pagina, "inspector")
    pagina.locator("[type=datetime-local]").first.fill("2030-01-02T10:00")
    pagina.locator("textarea").first.fill("Texto que no debe perderse")
    pagina.wait_for_timeout(500)  # drafts are noted a moment after the last key
    pagina.reload()  # the browser keeps what was not sent
    expect(pagina.locator("textarea").first).to_have_value("Texto que no debe perderse")
    expect(pagina.locator(".recuperado")).to_be_visible()
    pagina.context.clear_cookies(name="sessionid")
    pagina.locator("main button.primario").click()  # the server keeps what was sent too late
    ingresar(pagina, "inspector")
    expect(pagina.locator("textarea").first).to_have_value("Texto que no debe perderse")
    expect(pagina.get_by_text("Recuperamos lo que había escrito; revíselo y confirme.")).to_be_visible()
    pagina.on("request", lambda r: envios.append(r.url) if r.method == "POST" else None)
    with pagina.expect_navigation():
        pagina.evaluate("() => { const b = document.querySelector('main button.primario'); b.click(); b.click(); }")
    expect(pagina.locator(".mensajes .success")).to_be_visible()
    assert len(envios) == 1
    assert pagina.evaluate("Object.keys(sessionStorage).filter((k) => k.startsWith('borrador:'))") == []
    assert avisos == []


@navegador_de_verdad
@pytest.mark.django_db(transaction=True)
def test_keys_reach_the_search_and_the_rows(abrir: Callable[[], Page]) -> None:
    caso = crear_caso("registrado")
    pagina = abrir()
    pagina.goto("/accounts/login/")
    ingresar(pagina, "inspector")
    pagina.keyboard.press("/")
    expect(pagina.locator("#buscar-q")).to_be_focused()
    pagina.evaluate("document.activeElement.blur()")
    pagina.keyboard.press("ArrowDown")
    pagina.keyboard.press("Enter")
    expect(pagina.locator("h1")).to_contain_text(caso.expediente.numero)
    # The jefe marks a row and is at once where he says to whom.
    jefe = abrir()
    jefe.goto("/accounts/login/")
    ingresar(jefe, "jefe")
    for tecla in ("ArrowDown", "x", "m"):
        jefe.keyboard.press(tecla)
    elegir = jefe.locator("#asignar-marcados select")
    expect(elegir).to_be_focused()
    expect(elegir).to_have_value("")
    expect(jefe.locator("input[name=caso]:checked")).to_have_count(1)

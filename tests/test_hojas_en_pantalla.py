"""Forty results before lunch: a worksheet filled from the queue and typed by keyboard alone, in Chromium, timed."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from laboratorio.models import Resultado
from tests.builders import crear_cola
from tests.test_pantallas import abrir, defectos, escuchar, ingresar  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TRES_MINUTOS = 180.0


def nueva_hoja(pagina: Page) -> None:
    pagina.goto("/laboratorio/hojas/")
    pagina.get_by_role("link", name="Nueva hoja").first.press("Enter")
    pagina.get_by_role("button", name="Abrir la hoja").press("Enter")
    expect(pagina.locator("h1")).to_contain_text("HT-")


def valores() -> list[str]:
    return list(Resultado.objects.order_by("analisis").values_list("valor", flat=True))


def test_forty_results_in_three_minutes_by_keyboard(abrir: Callable[[], Page]) -> None:  # noqa: F811
    crear_cola(40)
    pagina, avisos = abrir(), []  # type: Page, list[str]
    escuchar(pagina, avisos)
    pagina.goto("/accounts/login/")
    ingresar(pagina, "analista")
    inicio = time.monotonic()
    nueva_hoja(pagina)
    teclas = pagina.keyboard
    for n in range(40):
        expect(pagina.locator("tr:focus-within td").first).to_have_text(str(n + 1))
        if n in (6, 23):
            teclas.press("p")
            teclas.press("ArrowRight")
            teclas.press("Tab")
            teclas.type("2 larvas")
        else:
            teclas.press("n")
        teclas.press("Enter")
    expect(pagina.locator("[data-avance]")).to_contain_text("40 de 40 anotadas")
    tardo = time.monotonic() - inicio
    assert tardo < TRES_MINUTOS
    assert [n for n, valor in enumerate(valores()) if valor == "positivo"] == [6, 23]
    positivo = Resultado.objects.filter(valor="positivo").first()
    assert positivo
    assert (positivo.plaga, positivo.lectura) == (positivo.analisis.plaga, "2 larvas")
    expect(pagina.locator("td.estado", has_text="guardado")).to_have_count(40)
    assert defectos(pagina) == []
    print(f"cuarenta resultados en {tardo:.1f} s")
    assert [aviso for aviso in avisos if "Applying inline style" not in aviso] == []  # axe's own


def test_all_negative_but_one_on_the_phone(abrir: Callable[[], Page]) -> None:  # noqa: F811
    caso = crear_cola(5)
    pagina = abrir()
    pagina.set_viewport_size({"width": 390, "height": 844})
    pagina.goto("/accounts/login/")
    ingresar(pagina, "analista")
    nueva_hoja(pagina)
    assert defectos(pagina) == []
    pagina.set_viewport_size({"width": 390, "height": 844})
    pagina.get_by_role("button", name="Todas negativas salvo…").click()
    expect(pagina.locator("td.estado", has_text="sin guardar")).to_have_count(5)
    assert valores() == []
    tercero = caso.analisis[2]
    pagina.locator(f"#fila-{tercero.pk} select").select_option("indeterminado")
    pagina.get_by_role("button", name="Guardar", exact=True).click()
    expect(pagina.locator("[data-avance]")).to_contain_text("5 de 5 anotadas")
    assert sorted(valores()) == ["indeterminado", *["negativo"] * 4]
    assert Resultado.objects.get(valor="indeterminado").analisis == tercero


def test_what_a_colleague_recorded_is_told_in_the_row(abrir: Callable[[], Page]) -> None:  # noqa: F811
    caso = crear_cola(2)
    ana, andres = abrir(), abrir()
    for pagina, quien in ((ana, "analista"), (andres, "analista2")):
        pagina.goto("/accounts/login/")
        ingresar(pagina, quien)
    nueva_hoja(ana)
    andres.goto(ana.url)
    andres.get_by_role("button", name="Unirme a la hoja").click()
    expect(andres.locator("tr:focus-within td").first).to_have_text("1")
    andres.keyboard.press("i")
    andres.keyboard.press("Enter")  # what was found is read before the row is left
    expect(andres.locator("input:focus")).to_have_attribute("name", re.compile("-lectura$"))
    andres.keyboard.type("bandas débiles")
    andres.keyboard.press("Enter")
    expect(andres.locator("[data-avance]")).to_contain_text("1 de 2 anotadas")
    for _fila in range(2):
        ana.keyboard.press("n")
        ana.keyboard.press("Enter")
    fila = ana.locator(f"#fila-{caso.analisis[0].pk}")
    expect(fila).to_contain_text("A. Quispe: Resultado registrado")
    expect(fila).to_contain_text("Usted había escrito: Negativo")
    expect(ana.locator("td.estado", has_text="guardado")).to_have_count(2)
    assert valores() == ["indeterminado", "negativo"]


def test_verifier_marks_every_plain_negative_by_one_gesture(abrir: Callable[[], Page]) -> None:  # noqa: F811
    caso = crear_cola(3)
    from laboratorio import hojas, services

    hojas.abrir_hoja(metodo=caso.analisis[0].metodo, analisis=caso.analisis, actor=caso.personas["analista"])
    for n, analisis in enumerate(caso.analisis):
        dicho: dict[str, Any] = {"observaciones": "Con moho."} if n == 2 else {}
        services.registrar(analisis=analisis, actor=caso.personas["analista"], valor="negativo", **dicho)
    pagina = abrir()
    pagina.goto("/accounts/login/")
    ingresar(pagina, "verificador")
    assert defectos(pagina) == []
    pagina.locator("#negativos ~ .tabla-caja tbody a").first.focus()
    pagina.keyboard.press("x")
    pagina.keyboard.press("ArrowDown")
    pagina.keyboard.press("x")
    expect(pagina.locator("input[type=checkbox]:checked")).to_have_count(2)
    pagina.get_by_role("link", name="Marcar todos").click()
    expect(pagina.locator("input[type=checkbox]:checked")).to_have_count(2)
    pagina.get_by_role("button", name="Verificar los marcados").click()
    expect(pagina.locator("h1")).to_contain_text("Verificación de varios")
    expect(pagina.locator("main")).to_contain_text("con observaciones del analista")
    assert defectos(pagina) == []
    assert sorted(a.estado for a in caso.analisis) == ["registrado", "verificado", "verificado"]

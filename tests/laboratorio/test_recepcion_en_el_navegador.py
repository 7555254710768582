"""Forty boxes with the keyboard alone, as a reader types them: one after the other, the page never leaves."""

import time

import pytest
from playwright.sync_api import expect

from laboratorio.models import Muestra
from laboratorio.recorrido import PASOS
from tests.builders import crear_caso
from tests.test_pantallas import abrir, defectos, ingresar  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CUANTAS = 40


def test_forty_in_a_row_at_the_desk_and_on_the_phone(abrir) -> None:  # noqa: F811
    caso = crear_caso("en_inspeccion", partidas=CUANTAS)
    PASOS["muestreado"](caso)
    PASOS["en_laboratorio"](caso)
    numeros = list(Muestra.objects.order_by("pk").values_list("numero", flat=True))
    pagina = abrir()
    pagina.goto("/accounts/login/?next=/laboratorio/recepcion/rapida/")
    ingresar(pagina, "recepcion")
    campo = pagina.get_by_label("Muestra, rótulo o precinto")
    expect(campo).to_be_focused()
    # Faster than the server answers, and one that does not exist in between.
    empieza = time.monotonic()
    for leido in [*numeros[:20], "M-1999-000001", *numeros[20:]]:
        pagina.keyboard.type(leido)
        pagina.keyboard.press("Enter")
        expect(campo).to_be_focused()
        expect(campo).to_have_value("")
    expect(pagina.locator("[data-recibidas] tr")).to_have_count(CUANTAS, timeout=60_000)
    assert time.monotonic() - empieza < 90
    expect(pagina.locator("[data-fallas]")).to_contain_text("No existe la muestra M-1999-000001")
    assert set(Muestra.objects.values_list("estado", flat=True)) == {"recibida"}
    assert defectos(pagina) == []

"""The importer's story on a telephone, in a real browser: from the start page to a number, and the answer to an
observation from the link of the mail; every page accessible, none wider than the screen, the CSP never broken."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Page, expect

from expedientes import incidencias
from expedientes.models import Estado, Expediente
from notificaciones.services import despachar
from tests.builders import personas
from tests.conftest import Buzon
from tests.test_pantallas import abrir, defectos, escuchar  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TELEFONO = {"width": 390, "height": 844}


@pytest.fixture
def foto(tmp_path: Path) -> Path:
    ruta = tmp_path / "certificado.jpg"
    Image.new("RGB", (300, 200), "olive").save(ruta)
    return ruta


def ultimo(buzon: Buzon) -> str:
    """What the last mail says, as plain text."""
    despachar()
    return buzon.mensajes[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]


def enlace_en(correo: str) -> str:
    return re.search(r"https?://\S+(/seguimiento/\S+)", correo).group(1)  # type: ignore[union-attr]


def test_del_telefono_al_numero_y_a_la_respuesta(
    abrir: Callable[[], Page],  # noqa: F811
    servidor_smtp: Buzon,
    foto: Path,
) -> None:
    gente = personas()
    hallados: list[str] = []
    pagina = abrir()
    pagina.set_viewport_size(TELEFONO)  # type: ignore[arg-type]
    escuchar(pagina, hallados)

    def mirar() -> None:
        hallados.extend(defectos(pagina))
        pagina.set_viewport_size(TELEFONO)  # type: ignore[arg-type]

    def seguir(boton: str = "Continuar") -> None:
        mirar()
        pagina.get_by_role("button", name=boton, exact=True).click()

    pagina.goto("/solicitar/")
    mirar()
    pagina.get_by_role("link", name="Empezar", exact=True).click()
    pagina.get_by_label("Correo electrónico").fill("ana@frutos.example")
    seguir("Enviarme el código")
    codigo = re.search(r"^(\d{6})\s*$", ultimo(servidor_smtp), re.M).group(1)  # type: ignore[union-attr]
    pagina.get_by_label("Código de seis cifras").fill(codigo)
    seguir("Confirmar")
    seguir()  # nothing chosen: the summary takes the focus
    expect(pagina.locator(".resumen-errores")).to_be_focused()
    assert pagina.title().startswith("Error: ")
    pagina.get_by_label("Como importador").check()
    seguir()
    pagina.get_by_label("Número de documento").fill("20999900013")
    pagina.get_by_label("Nombre o razón social").fill("Frutos del Sur S.A.C.")
    seguir()
    expect(pagina.locator("#id_importador_numero_error")).to_contain_text("dígito verificador")
    expect(pagina.get_by_label("Nombre o razón social")).to_have_value("Frutos del Sur S.A.C.")
    pagina.get_by_label("Número de documento").fill("20999900012")
    seguir()
    pagina.go_back()  # back always works, and what was said is there
    expect(pagina.get_by_label("Nombre o razón social")).to_have_value("Frutos del Sur S.A.C.")
    seguir()
    pagina.get_by_label("Marítimo").check()
    seguir()
    pagina.get_by_label("Marítimo en contenedores").check()
    seguir()
    pagina.get_by_label("Dónde está la carga").fill("Muelle Norte")
    seguir("Guardar y seguir después")
    mirar()
    # On another telephone, from the link of the mail.
    guardada = enlace_en(ultimo(servidor_smtp))
    pagina.context.clear_cookies()
    pagina.goto(guardada)
    mirar()
    pagina.get_by_role("link", name=re.compile("PFI.*Falta")).click()
    pagina.get_by_label("PFI").fill("2026-118-04412")
    pagina.get_by_label("Certificado fitosanitario").fill("CL-2026-1")
    pagina.get_by_label("País de exportación").select_option("CL")
    seguir()
    pagina.get_by_role("link", name=re.compile("Agregue al menos una partida")).click()
    mirar()
    pagina.get_by_role("link", name="Agregar la primera").click()
    pagina.get_by_label("Producto").select_option(label="Uva fresca · Vitis vinifera")
    pagina.get_by_label("País de origen").select_option("CL")
    pagina.get_by_label("Peso neto").fill("19200.5")
    pagina.get_by_label("Contenedores").fill("DEMU1000010 SL10001")
    seguir("Guardar la partida")
    mirar()
    pagina.get_by_role("link", name="Continuar", exact=True).click()
    pagina.get_by_label("Elija los archivos").set_input_files(foto)
    seguir("Subir y elegir más")
    seguir()
    pagina.get_by_label("Declaro que").check()
    seguir("Presentar la solicitud")
    expediente = Expediente.objects.get()
    expect(pagina.locator("main")).to_contain_text(expediente.numero)
    mirar()

    incidencias.observar(
        expediente=expediente, actor=gente["inspector"], motivo="faltan-documentos", texto="No se lee.",
        puntos="El certificado no se lee\nFalta la factura", vence_en=timezone.localdate() + timedelta(days=5),
    )  # fmt: skip
    pagina.goto(enlace_en(ultimo(servidor_smtp)))
    expect(pagina.locator("h1")).to_have_text("Su expediente fue observado: necesitamos su respuesta")
    mirar()
    pagina.get_by_role("link", name="Responder ahora").click()
    pagina.get_by_label("Documentos").set_input_files(foto)
    seguir()  # without a text: the photo is kept
    expect(pagina.locator("main")).to_contain_text("certificado.jpg")
    pagina.get_by_label("Su respuesta").fill("Aquí está otra vez.\nVa también la factura.")
    seguir()
    expect(pagina.locator("main")).to_contain_text("Todavía no se ha enviado nada")
    seguir("Enviar la respuesta")
    expect(pagina.locator(".mensajes .success")).to_contain_text("Recibimos su respuesta")
    mirar()
    expediente.refresh_from_db()
    assert expediente.estado == Estado.REGISTRADO
    observacion = expediente.observaciones.get()
    assert observacion.respuesta.splitlines() == ["Aquí está otra vez.", "Va también la factura."]
    assert observacion.adjuntos.count() == 1
    # The other pages of the link, and those in English.
    casa = pagina.url
    for que in ("agregar", "anular", "desistir", "responder"):
        pagina.goto(f"{casa}{que}/")
        mirar()
    pagina.get_by_title("English").click()
    mirar()
    pagina.goto("/solicitar/csv/")
    mirar()
    assert hallados == []

"""Boxes at the door, one after the other: scanned or typed, received with Enter, refused in words."""

from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from laboratorio import rotulos, services
from laboratorio.models import Evidencia, Muestra
from tests.builders import crear_caso
from tests.expedientes.test_archivos import imagen

pytestmark = pytest.mark.django_db

COMO_VIENE = {"condicion": "buena"}


def foto(nombre):
    return SimpleUploadedFile(nombre, imagen("JPEG"), "image/jpeg")


def en_la_puerta(**opciones):
    return Muestra.objects.get(expediente=crear_caso("en_laboratorio", **opciones).expediente)


@pytest.fixture
def leer(entrar):
    """What the door answers to a code: without JavaScript, or (`suelta`) to the script that stays on the page."""
    navegador = entrar("recepcion")

    def _leer(codigo, suelta=True, **datos):
        extra = {"headers": {"X-Fila": "1"}} if suelta else {}
        return navegador.post(reverse("recepcion_rapida"), {**COMO_VIENE, "codigo": codigo, **datos}, **extra)

    return _leer


def test_a_box_is_received_as_it_was_sent_with_enter_alone(leer):
    muestra = en_la_puerta()
    respuesta = leer(rotulos.direccion_de(muestra), suelta=False)
    assert respuesta.url == reverse("recepcion_rapida")
    muestra.refresh_from_db()
    assert (muestra.estado, muestra.condicion) == ("recibida", "buena")
    assert (muestra.cantidad_recibida, muestra.conservacion_al_llegar) == (muestra.cantidad, "refrigerada")


def test_the_script_gets_the_row_alone_and_the_page_lists_it(leer, entrar):
    muestra = en_la_puerta()
    respuesta = leer(muestra.precinto, cantidad_recibida="0.4")
    assert respuesta.status_code == 200
    assert respuesta.content.decode().lstrip().startswith("<tr")
    assert Muestra.objects.get().cantidad_recibida == Decimal("0.4")
    assert muestra.numero in entrar("recepcion").get(reverse("recepcion_rapida")).content.decode()


def test_one_that_left_cold_and_came_warm_is_said(leer):
    respuesta = leer(en_la_puerta().numero, conservacion_al_llegar="ambiente")
    assert "salió refrigerada" in respuesta.content.decode()
    assert Muestra.objects.get().cadena_rota
    assert not en_la_puerta(producto="trigo", origen="CA").cadena_rota


@pytest.mark.parametrize("suelta", [True, False])
def test_what_cannot_be_received_is_said_and_nothing_typed_is_lost(leer, suelta):
    muestra = en_la_puerta()
    leer(muestra.numero)
    for codigo, datos, dicho in (
        ("M-1999-000001", {}, "No existe la muestra"),
        (muestra.numero, {}, "está ahora en «Recibida»"),
        (en_la_puerta().numero, {"condicion": "con_observaciones"}, "Escriba qué observó"),
        (muestra.numero, {"cantidad_recibida": "-1"}, "Debe ser 0.001 o más."),
    ):
        respuesta = leer(codigo, suelta=suelta, **datos)
        assert respuesta.status_code == 422
        texto = respuesta.content.decode()
        assert dicho in texto
        assert codigo in texto


def test_only_reception_receives_and_the_importer_is_not_there(entrar):
    muestra = en_la_puerta()
    for quien in ("analista", "inspector", "director"):
        assert entrar(quien).get(reverse("recepcion_rapida")).status_code == 403
    texto = entrar("recepcion").post(
        reverse("recepcion_rapida"), {**COMO_VIENE, "codigo": muestra.numero}, follow=True
    ).content.decode()  # fmt: skip
    assert muestra.expediente.importador.nombre not in texto


def test_a_sample_is_refused_with_photos_that_the_inspector_sees(entrar):
    muestra = en_la_puerta()
    pagina = reverse("muestra_rechazar", args=[muestra.numero])
    dicho = {"motivo": "envase-roto", "texto": "Llegó abierta."}
    assert entrar("recepcion").post(pagina, {**dicho, "fotos": [foto("a.jpg"), foto("b.jpg")]}).status_code == 302
    guardadas = list(Evidencia.objects.order_by("pk"))
    evento = muestra.expediente.bitacora.get(objeto="muestra", accion="rechazar")
    assert evento.datos["fotos"] == [una.adjunto.sha256 for una in guardadas]
    inspector = entrar("inspector")
    texto = inspector.get(reverse("muestra", args=[muestra.numero])).content.decode()
    assert "a.jpg" in texto
    assert "2 fotos" in texto
    assert inspector.get(reverse("evidencia", args=[guardadas[0].pk])).status_code == 200


def test_a_sample_that_was_refused_cannot_be_received(leer, gente):
    muestra = en_la_puerta()
    services.rechazar(muestra=muestra, actor=gente["recepcion"], motivo="envase-roto", texto="Abierta.")
    assert "Rechazada" in leer(muestra.numero).content.decode()

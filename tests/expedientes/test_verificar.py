"""Anybody with a code learns whether the document is in force, and nothing else."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from expedientes.models import Documento
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db


@pytest.fixture
def informe(certificado: Any) -> Documento:
    return crear_caso("resultado_emitido").expediente.documentos.get()


def test_verificar_muestra_lo_minimo(client: Client, informe: Documento) -> None:
    pagina = client.get(reverse("verificar_cvd", args=[informe.cvd]))
    texto = pagina.content.decode()
    assert pagina.status_code == 200
    for dato in ("Documento auténtico y vigente", "Informe de ensayo", informe.numero, informe.cvd):
        assert dato in texto
    for dato in (informe.expediente.numero, informe.expediente.importador.nombre, "egativo", "Uva"):
        assert dato not in texto


def test_verificar_acepta_el_codigo_como_se_escriba(client: Client, informe: Documento) -> None:
    escrito = informe.cvd.replace("-", " ").lower()
    respuesta = client.get(reverse("verificar"), {"cvd": escrito})
    assert respuesta["Location"] == reverse("verificar_cvd", args=[informe.cvd])
    assert client.get(reverse("verificar_cvd", args=[escrito])).status_code == 200


@pytest.mark.parametrize(
    ("estado", "dice"),
    [("en_revision", "en revisión"), ("anulado", "no vale"), ("reemplazado", "reemplazado: ya no vale")],
)
def test_verificar_dice_su_estado(client: Client, informe: Documento, estado: str, dice: str) -> None:
    Documento.objects.filter(pk=informe.pk).update(estado=estado)
    pagina = client.get(reverse("verificar_cvd", args=[informe.cvd])).content.decode()
    assert dice in pagina
    assert "auténtico y vigente" not in pagina


def test_verificar_nombra_al_que_lo_reemplaza(client: Client, informe: Documento) -> None:
    Documento.objects.filter(pk=informe.pk).update(estado="reemplazado")
    nuevo = Documento.objects.get(pk=informe.pk)
    nuevo.pk, nuevo.version, nuevo.reemplaza_id = None, 2, informe.pk
    nuevo.cvd, nuevo.sha256, nuevo.archivo = "AAAA-BBBB-CCCC-DDDD", "0" * 64, "otro.pdf"
    nuevo.save(force_insert=True)
    assert (
        f"Lo reemplaza {informe.numero}-V2" in client.get(reverse("verificar_cvd", args=[informe.cvd])).content.decode()
    )


@pytest.mark.parametrize("cvd", ["AAAA-BBBB-CCCC-DDDD", "<script>", "-", "ñ" * 60])
def test_verificar_un_codigo_desconocido(client: Client, cvd: str) -> None:
    respuesta = client.get(reverse("verificar_cvd", args=[cvd]))
    assert respuesta.status_code == 404
    assert "no es de un documento nuestro" in respuesta.content.decode()
    assert "<script>" not in respuesta.content.decode().partition("<main")[2]


def test_verificar_sin_codigo_pide_uno(client: Client) -> None:
    assert client.get(reverse("verificar")).status_code == 200
    assert client.get(reverse("verificar"), {"cvd": ""}).context["form"].errors["cvd"]
    assert client.post(reverse("verificar")).status_code == 405
    assert client.post(reverse("verificar_cvd", args=["x"])).status_code == 405


def test_verificar_limita_los_intentos(client: Client, informe: Documento) -> None:
    estados = {client.get(reverse("verificar_cvd", args=["x"])).status_code for _n in range(62)}
    assert estados == {404, 429}
    assert client.get(reverse("verificar_cvd", args=[informe.cvd])).status_code == 200

"""The whole story in a browser: from an ePhyto to closure, by the hands of those who do it.

Real PostgreSQL, a real worker with its beat in a process of its own, a real SMTP server, Chromium, poppler.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from playwright.sync_api import Page, expect

from expedientes.models import Expediente
from senasa import reloj
from tests.builders import poner_regla
from tests.conftest import Buzon, url_de_la_base
from tests.test_pantallas import abrir, ingresar  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CERTIFICADO = """<?xml version="1.0" encoding="UTF-8"?>
<rsm:SPSCertificate xmlns:rsm="urn:un:unece:uncefact:data:standard:SPSCertificate:17"
  xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:21"
  xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:21">
 <rsm:SPSExchangedDocument>
  <ram:ID>CL-2026-88121</ram:ID><ram:TypeCode>851</ram:TypeCode><ram:StatusCode>70</ram:StatusCode>
  <ram:IssueDateTime><udt:DateTimeString>2026-11-10T09:00:00-03:00</udt:DateTimeString></ram:IssueDateTime>
  <ram:IssuerSPSParty><ram:Name>Servicio Agrícola y Ganadero</ram:Name></ram:IssuerSPSParty>
  <ram:IncludedSPSNote><ram:Subject>ADEDL</ram:Subject>
   <ram:Content>El envío se encuentra libre de Lobesia botrana</ram:Content></ram:IncludedSPSNote>
 </rsm:SPSExchangedDocument>
 <rsm:SPSConsignment>
  <ram:ConsigneeSPSParty><ram:Name>Frutos del Sur S.A.C.</ram:Name></ram:ConsigneeSPSParty>
  <ram:ExportSPSCountry><ram:ID>CL</ram:ID></ram:ExportSPSCountry>
  <ram:ImportSPSCountry><ram:ID>PE</ram:ID></ram:ImportSPSCountry>
  <ram:IncludedSPSConsignmentItem><ram:IncludedSPSTradeLineItem>
   <ram:SequenceNumeric>1</ram:SequenceNumeric>
   <ram:CommonName>Uva fresca</ram:CommonName><ram:ScientificName>Vitis vinifera</ram:ScientificName>
   <ram:NetWeightMeasure unitCode="KGM">19200</ram:NetWeightMeasure>
   <ram:OriginSPSCountry><ram:ID>CL</ram:ID></ram:OriginSPSCountry>
  </ram:IncludedSPSTradeLineItem></ram:IncludedSPSConsignmentItem>
 </rsm:SPSConsignment>
</rsm:SPSCertificate>
"""


@pytest.fixture
def entorno(live_server: Any, servidor_smtp: Buzon) -> dict[str, str]:
    """What a process of its own needs to work on this test's database and folders, and to mail to its server."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": url_de_la_base(),
        "PRUEBA_EMAIL_URL": servidor_smtp.url,
        "PRUEBA_SITIO_URL": live_server.url,
    }


@pytest.fixture
def obrero(entorno: dict[str, str], servidor_smtp: Buzon, certificado: Path, tmp_path: Path) -> Iterator[Buzon]:
    """A real worker with its beat; mails go to the SMTP server in this process."""
    orden = [sys.executable, "-m", "celery", "--quiet", "-A", "senasa", "worker", "-B", "--concurrency", "1",
             "--schedule", str(tmp_path / "beat"), "--without-gossip", "--without-mingle"]  # fmt: skip
    with (tmp_path / "obrero.log").open("wb") as registro:
        proceso = subprocess.Popen(orden, cwd=settings.BASE_DIR, env=entorno, stdout=registro, stderr=registro)
    yield servidor_smtp
    proceso.terminate()
    try:
        proceso.wait(20)
    except subprocess.TimeoutExpired:
        proceso.kill()
    assert "Traceback" not in (tmp_path / "obrero.log").read_text()


@pytest.fixture
def sin_gracia() -> None:
    """The rule with no grace time, so that the story need not wait half an hour."""
    poner_regla(gracia_minutos=0)


class Historia:
    def __init__(self, nueva_pagina: Callable[[], Page], buzon: Buzon, entorno: dict[str, str]):
        self.abrir, self.buzon, self.entorno, self.numero = nueva_pagina, buzon, entorno, ""

    def como(self, usuario: str) -> Page:
        """A browser of its own, signed in."""
        pagina = self.abrir()
        pagina.goto("/accounts/login/")
        ingresar(pagina, usuario)
        return pagina

    def salir(self, pagina: Page) -> None:
        pagina.locator(".usuario summary").click()
        pagina.get_by_role("button", name="Salir").click()
        expect(pagina.get_by_label("Contraseña")).to_be_visible()
        pagina.context.close()

    def correo(self, frase: str) -> str:
        """Wait for the mail whose subject says `frase`; its plain text."""
        limite = time.monotonic() + 60
        while time.monotonic() < limite:
            for mensaje in self.buzon.mensajes:
                if str(mensaje["Subject"]).strip() == f"{self.numero}: {frase}":
                    return mensaje.get_body(("plain",)).get_content()  # type: ignore[union-attr]
            time.sleep(0.3)
        raise AssertionError(f"no llegó «{frase}»: {[str(m['Subject']) for m in self.buzon.mensajes]}")

    def acto(self, pagina: Page, ruta: str, **campos: str) -> None:
        """From the case page to the act, fill what it asks, do it."""
        pagina.goto(f"/expedientes/{self.numero}/")
        pagina.locator(f"main a[href$='/{ruta}/']").first.click()
        rellenar(pagina, **campos)
        pagina.locator("form.formulario button[type=submit].primario, form.formulario button.peligro").click()
        expect(pagina).to_have_url(re.compile(rf"/expedientes/{self.numero}/$"))


def rellenar(pagina: Page, **campos: str) -> None:
    for nombre, valor in campos.items():
        campo = pagina.locator(f'[name="{nombre}"]')
        tipo = campo.first.get_attribute("type")
        if tipo == "radio":
            pagina.locator(f'[name="{nombre}"][value="{valor}"]').check()
        elif campo.first.evaluate("e => e.tagName") == "SELECT":
            campo.select_option(label=valor)
        else:
            campo.fill(valor)


def registrar_desde_ephyto(historia: Historia, tmp_path: Path) -> None:
    archivo = tmp_path / "certificado.xml"
    archivo.write_text(CERTIFICADO)
    pagina = historia.como("mesa")
    pagina.goto("/expedientes/ephyto/")
    pagina.locator("[name=archivo]").set_input_files(archivo)
    pagina.locator("form.formulario button[type=submit].primario").click()
    expect(pagina.locator("[name=certificado]")).to_have_value("CL-2026-88121")
    expect(pagina.locator("[name=partidas-0-peso_neto_kg]")).to_have_value(re.compile(r"^19200"))
    rellenar(
        pagina, puesto="Puesto de Control Marítimo del Callao", importador_numero="20999900021",
        importador_nombre="Frutos del Sur S.A.C.", importador_correo="frutos@empresa.example", pfi="2026-118-04412",
        transporte="contenedor", nave="DEMO PACIFIC V.101", bl="DEMOBL1",
        **{"partidas-0-contenedores": "DEMU1000010 SL1"},
    )  # fmt: skip
    pagina.locator("form.formulario button[type=submit].primario").click()
    expect(pagina).to_have_url(re.compile(r"/expedientes/PCM-\d{4}-\d{6}/$"))
    historia.numero = pagina.url.rstrip("/").rpartition("/")[2]
    expect(pagina.locator("main")).to_contain_text("certificado.xml")
    historia.salir(pagina)


def del_puesto_al_laboratorio(historia: Historia) -> None:
    pagina = historia.como("inspector")
    expect(pagina.locator("main")).to_contain_text(historia.numero)  # the board
    manana = (reloj.ahora() + timedelta(days=1)).strftime("%Y-%m-%dT10:00")
    historia.acto(pagina, "programar", cita_en=manana, terminal="Muelle Norte")
    historia.acto(pagina, "inspeccionar", documentaria="conforme", identidad="conforme", fisica="conforme")
    historia.acto(
        pagina, "tomar-muestra", precinto="88412", conservacion="refrigerada", cantidad="2", unidad="kg", lote="L-3"
    )
    historia.acto(pagina, "enviar", transporte="Vehículo del puesto")
    historia.salir(pagina)


def en_la_mesa(historia: Historia, *, valor: str) -> None:
    pagina = historia.como("recepcion")
    pagina.get_by_role("link", name=re.compile("^Recibir M-")).first.click()
    rellenar(pagina, condicion="buena", cantidad_recibida="2")
    pagina.locator("form.formulario button[type=submit].primario").click()
    expect(pagina).to_have_url(re.compile("/laboratorio/recepcion/"))
    for marca in pagina.locator("input[name=analisis]").all():
        marca.check()
    pagina.locator("[name=analista]").select_option(index=1)
    analista = {"A. Analista": "analista", "A. Quispe": "analista2"}[
        pagina.locator("[name=analista] option:checked").inner_text().partition(" (")[0]
    ]
    pagina.get_by_role("button", name="Asignar", exact=True).click()
    expect(pagina.locator("#por-asignar")).to_contain_text("0")
    historia.salir(pagina)

    pagina = historia.como(analista)
    pagina.get_by_role("button", name=re.compile("^Iniciar")).first.click()
    pagina.get_by_role("link", name=re.compile("^Registrar resultado")).first.click()
    assert "Frutos del Sur" not in pagina.content()
    rellenar(pagina, valor=valor)
    if valor == "positivo":
        pagina.locator("[name=plaga]").select_option(index=1)
    pagina.locator("form.formulario button[type=submit].primario").click()
    expect(pagina).to_have_url(re.compile("/laboratorio/analisis/"))
    historia.salir(pagina)

    pagina = historia.como("verificador")
    pagina.get_by_role("button", name=re.compile("^Verificar M-")).first.click()
    expect(pagina.locator("main")).to_contain_text("Nada por verificar")
    historia.salir(pagina)


def ver_como_importador(historia: Historia, texto: str) -> Page:
    """Open the link of a mail on a phone, with nothing signed in."""
    enlace = re.search(r"http\S+/seguimiento/\S+", texto)
    assert enlace, texto
    pagina = historia.abrir()
    pagina.set_viewport_size({"width": 390, "height": 844})
    pagina.goto(enlace.group())
    expect(pagina.locator("body")).to_contain_text(historia.numero)
    assert enlace.group().rstrip("/").rpartition("/")[2] not in pagina.url
    return pagina


def bajar_y_validar(historia: Historia, pagina: Page, nombre: str, tmp_path: Path) -> None:
    """Download the document whose link says `nombre`; poppler and our command find it good."""
    with pagina.expect_download() as bajada:
        pagina.get_by_role("link", name=re.compile(f"^{nombre}")).first.click()
    archivo = tmp_path / f"{nombre.split()[0]}.pdf"
    bajada.value.save_as(archivo)
    salida = subprocess.run(["pdfsig", str(archivo)], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid" in salida
    assert "Total document signed" in salida
    orden = [sys.executable, "manage.py", "verificar_informe", str(archivo)]
    assert subprocess.run(orden, cwd=settings.BASE_DIR, env=historia.entorno, check=False).returncode == 0


def dictaminar_y_esperar_riv(historia: Historia, decision: str) -> Page:
    pagina = historia.como("inspector")
    historia.acto(pagina, "dictaminar", decision=decision, fundamento="Según el informe de ensayo.")
    limite = time.monotonic() + 60
    while "RIV-" not in pagina.locator("#documentos + ul").inner_text():
        assert time.monotonic() < limite, "el RIV no se firmó"
        time.sleep(0.5)
        pagina.reload()
    return pagina


def test_from_an_ephyto_to_closure(abrir, obrero, entorno, sin_gracia, tmp_path):  # noqa: F811
    historia = Historia(abrir, obrero, entorno)
    registrar_desde_ephyto(historia, tmp_path)
    telefono = ver_como_importador(historia, historia.correo("Recibimos su solicitud de inspección"))
    telefono.context.close()
    del_puesto_al_laboratorio(historia)
    en_la_mesa(historia, valor="negativo")
    # Nobody signs: the machine does, and says so.
    telefono = ver_como_importador(historia, historia.correo("El informe de ensayo ya está emitido"))
    expect(telefono.locator("body")).to_contain_text("regla v2")
    bajar_y_validar(historia, telefono, "Informe de ensayo", tmp_path)

    pagina = dictaminar_y_esperar_riv(historia, "ingreso")
    historia.correo("Su carga puede ingresar")
    telefono.reload()
    bajar_y_validar(historia, telefono, "Reporte de inspección", tmp_path)
    historia.acto(pagina, "cerrar")
    historia.salir(pagina)
    historia.correo("Su expediente está cerrado")
    telefono.reload()
    telefono.context.close()

    pagina = historia.como("atencion")
    pagina.goto(f"/atencion/?q={historia.numero}")
    expect(pagina.locator("main")).to_contain_text(historia.numero)
    historia.salir(pagina)
    expediente = Expediente.objects.get(numero=historia.numero)
    assert expediente.estado == "cerrado"
    call_command("verificar_bitacora")


def test_a_positive_is_signed_by_the_director_and_the_cargo_refused(abrir, obrero, entorno, sin_gracia, tmp_path):  # noqa: F811
    historia = Historia(abrir, obrero, entorno)
    registrar_desde_ephyto(historia, tmp_path)
    del_puesto_al_laboratorio(historia)
    en_la_mesa(historia, valor="positivo")
    telefono = ver_como_importador(historia, historia.correo("Las muestras van camino al laboratorio"))
    expect(telefono.locator("body")).to_contain_text("en emisión")
    assert "ositiv" not in telefono.locator("body").inner_text()

    pagina = historia.como("director")
    pagina.get_by_role("link", name=re.compile(r"^(Revisar y firmar|Firmar)")).first.click()
    pagina.locator("form.formulario button[type=submit].primario").click()
    expect(pagina).not_to_have_url(re.compile("/firmar/"))
    historia.salir(pagina)
    historia.correo("El informe de ensayo ya está emitido")
    telefono.reload()
    bajar_y_validar(historia, telefono, "Informe de ensayo", tmp_path)

    pagina = historia.como("inspector")
    pagina.goto(f"/expedientes/{historia.numero}/partidas/1/dictaminar/")
    rellenar(pagina, decision="ingreso", fundamento="Sin razón.")
    pagina.locator("form.formulario button[type=submit].primario").click()
    expect(pagina.locator("main")).to_contain_text("no cabe ingreso")
    historia.salir(pagina)

    pagina = dictaminar_y_esperar_riv(historia, "rechazo")
    historia.correo("Su carga no puede ingresar")
    hasta = (reloj.ahora() + timedelta(days=10)).strftime("%Y-%m-%d")
    historia.acto(pagina, "ordenar-medida", tipo="reembarque", vence_en=hasta, indicaciones="Por el mismo terminal.")
    historia.correo("Hay una medida que cumplir")
    historia.acto(pagina, "cumplir-medida", acta="ACTA-77")
    historia.acto(pagina, "cerrar")
    historia.salir(pagina)
    historia.correo("Su expediente está cerrado")
    telefono.reload()
    telefono.context.close()
    assert Expediente.objects.get(numero=historia.numero).estado == "cerrado"
    call_command("verificar_bitacora")

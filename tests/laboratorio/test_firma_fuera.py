"""Signed outside: only the very PDF that was handed out, with one signature of who took it, ever becomes a report."""

from copy import deepcopy
from datetime import timedelta
from io import BytesIO

import pikepdf
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from pyhanko.pdf_utils.generic import NameObject, StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers

from expedientes import documentos
from expedientes.firma import abrir_certificado, hacer_demo
from expedientes.models import Documento, Estado, Evento
from laboratorio import firmas, reversiones, services
from laboratorio.models import EstadoInforme, FirmaFuera, Informe
from senasa import reloj
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db

CLAVE = "x"


@pytest.fixture(scope="module")
def suyo():
    return abrir_certificado(hacer_demo("DIRECTORA Diana 12345678", CLAVE)[0], CLAVE)


@pytest.fixture(scope="module")
def ajeno():
    return abrir_certificado(hacer_demo("Vera Verificadora", CLAVE)[0], CLAVE)


@pytest.fixture(scope="module")
def verificado(certificado, una_vez):
    return crear_caso("verificado", valor="positivo")


@pytest.fixture
def caso(verificado):
    return deepcopy(verificado)


@pytest.fixture
def informe(caso):
    return Informe.objects.get(expediente=caso.expediente)


@pytest.fixture
def original(informe, gente):
    """The PDF as the director took it."""
    firmas.firmar_fuera(informe=informe, actor=gente["director"])
    firmas.barrer_informes()
    informe.refresh_from_db()
    return bytes(firmas.fuera_de(informe).pdf)


def firmado_con(pdf, certificado, *, campo="Firma1", formato=fields.SigSeedSubFilter.PADES, antes=None, **opciones):
    escritor = IncrementalPdfFileWriter(BytesIO(pdf))
    if antes:
        antes(escritor)
    metadatos = signers.PdfSignatureMetadata(field_name=campo, md_algorithm="sha256", subfilter=formato, **opciones)
    return signers.sign_pdf(escritor, metadatos, signer=certificado.firmante).getvalue()


def subir(director, informe, contenido):
    archivo = SimpleUploadedFile("firmado.pdf", contenido, content_type="application/pdf")
    return director.post(reverse("informe_subir", args=[informe.numero]), {"archivo": archivo})


def test_de_la_cola_al_informe_emitido(informe, caso, entrar, suyo, tmp_path):
    director = entrar("director")
    assert director.post(reverse("informe_firmar_fuera", args=[informe.numero])).status_code == 302
    subida, bajada = (reverse(n, args=[informe.numero]) for n in ("informe_subir", "informe_para_firmar"))
    assert "componiendo" in director.get(subida).content.decode()
    assert director.get(bajada).status_code == 409  # the worker has not made it yet
    firmas.barrer_informes()
    assert informe.numero in director.get(reverse("firmas")).content.decode()
    assert "por-firmar.pdf" in director.get(subida).content.decode()
    pdf = director.get(bajada).content
    FirmaFuera.objects.update(emitido_en=reloj.ahora() - timedelta(hours=3))  # the director took his time
    assert documentos.verificar_archivo(pdf)[1] is None  # unsigned, it is nobody's document
    assert subir(director, informe, firmado_con(pdf, suyo, campo="Firma")).url == reverse(
        "informe", args=[informe.numero]
    )
    informe.refresh_from_db()
    documento = informe.documento
    assert (informe.estado, documento.firma, documento.titular) == (
        EstadoInforme.EMITIDO, "director", "DIRECTORA Diana 12345678",
    )  # fmt: skip
    assert documentos.verificar_archivo(documentos.leer(documento)) == (documentos.Veredicto.INTACTO, documento)
    with pikepdf.open(BytesIO(documentos.leer(documento))) as abierto:
        assert abierto.docinfo["/Keywords"] == documento.cvd
    fuera = FirmaFuera.objects.get()
    assert (fuera.final, fuera.pdf, fuera.cvd, fuera.emitido_en) == (
        "emitida", None, documento.cvd, documento.emitido_en,
    )  # fmt: skip
    # It counts from when it was out, not from the hour that it bears: nobody could be told of it before.
    emitido = Evento.objects.get(objeto="informe", accion="emitir")
    assert documento.publicado_en == emitido.ocurrio_en > documento.emitido_en + timedelta(hours=2)
    assert caso.partidas[0].estado == Estado.RESULTADO_EMITIDO
    assert subir(director, informe, firmado_con(pdf, suyo)).status_code == 409
    assert Documento.objects.count() == 1


def test_cada_pagina_dice_que_no_vale_sin_la_firma(original, tmp_path):
    import subprocess

    ruta = tmp_path / "por-firmar.pdf"
    ruta.write_bytes(original)
    texto = subprocess.run(["pdftotext", "-layout", ruta, "-"], check=True, capture_output=True, text=True).stdout
    hojas = texto.split("\f")[:-1]
    assert all("No vale sin la firma electrónica de Diana Directora" in hoja for hoja in hojas)
    assert "Documento firmado electrónicamente" not in texto


def cambiar_contenido(escritor):
    """Another conclusion painted over the first page, before signing."""
    pagina = escritor.root["/Pages"]["/Kids"][0].get_object()
    pintura = StreamObject(stream_data=b"BT /F1 40 Tf 50 500 Td (Negativo) Tj ET")
    pagina[NameObject("/Contents")] = escritor.add_object(pintura)
    escritor.update_container(pagina)


MALOS = {
    "sin firma": (lambda pdf, suyo, ajeno: pdf, "no es el PDF que se le entregó"),
    "vacío": (lambda pdf, suyo, ajeno: b"%PDF-1.7", "no es el PDF que se le entregó"),
    "otro PDF": (
        lambda pdf, suyo, ajeno: firmado_con(pdf.replace(b"%PDF-1.7", b"%PDF-1.6"), suyo),
        "no es el PDF que se le entregó",
    ),
    "añadido sin firma": (lambda pdf, suyo, ajeno: pdf + b"\n% nada", "no trae ninguna firma"),
    "basura añadida": (lambda pdf, suyo, ajeno: pdf + b"\nstartxref\n9\n%%EOF", "no se puede leer"),
    "de otra persona": (lambda pdf, suyo, ajeno: firmado_con(pdf, ajeno), "Lo firmó «Vera Verificadora»"),
    "dos firmas": (
        lambda pdf, suyo, ajeno: firmado_con(firmado_con(pdf, ajeno), suyo, campo="Firma2"),
        "más de una firma",
    ),
    "no es PAdES": (
        lambda pdf, suyo, ajeno: firmado_con(pdf, suyo, formato=fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED),
        "no es PAdES",
    ),
    "con algo más después": (lambda pdf, suyo, ajeno: firmado_con(pdf, suyo) + b"\n% algo", "no cubre"),
    "alterado después": (
        lambda pdf, suyo, ajeno: firmado_con(pdf, suyo, reason="Conforme").replace(b"(Conforme)", b"(Conformo)"),
        "",
    ),
    "contenido cambiado antes de firmar": (
        lambda pdf, suyo, ajeno: firmado_con(pdf, suyo, antes=cambiar_contenido),
        "se le cambió algo más que la firma",
    ),
}


def test_lo_que_no_es_ese_pdf_firmado_no_entra(informe, original, entrar, suyo, ajeno):
    director = entrar("director")
    for cual, (hacer, motivo) in MALOS.items():
        respuesta = subir(director, informe, hacer(original, suyo, ajeno))
        assert (respuesta.status_code, motivo in respuesta.content.decode()) == (422, True), cual
    informe.refresh_from_db()
    assert (informe.estado, Documento.objects.count()) == (EstadoInforme.FIRMANDO_FUERA, 0)
    assert subir(director, informe, firmado_con(original, suyo)).status_code == 302


@pytest.mark.parametrize(("dias", "motivo"), [(-1, "venció el"), (None, "autoridad de confianza")])
def test_ni_con_un_certificado_que_no_sirve(informe, original, entrar, suyo, settings, dias, motivo):
    import time_machine

    bytes_firmados = firmado_con(original, suyo)
    director = entrar("director")
    if dias is None:
        settings.DEMO = False  # the roots are known, and his is not of theirs
        assert motivo in subir(director, informe, bytes_firmados).content.decode()
    else:
        FirmaFuera.objects.update(vence_en=reloj.ahora() + timedelta(days=9999))
        with time_machine.travel(suyo.hasta - timedelta(days=dias), tick=False):
            assert motivo in subir(entrar("director"), informe, bytes_firmados).content.decode()
    informe.refresh_from_db()
    assert informe.estado == EstadoInforme.FIRMANDO_FUERA


def test_una_reversion_lo_deja_sin_efecto(informe, caso, original, entrar, suyo, gente):
    analisis = caso.analisis[0]
    reversiones.revertir(analisis=analisis, actor=gente["verificador"], motivo="dato-errado", texto="Otra placa.")
    director = entrar("director")
    assert subir(director, informe, firmado_con(original, suyo)).status_code == 409
    services.registrar(analisis=analisis, actor=analisis.analista, valor="negativo")
    services.verificar(analisis=analisis, actor=gente["verificador"])
    informe.refresh_from_db()
    assert informe.estado == EstadoInforme.POR_FIRMAR
    firmas.firmar_fuera(informe=informe, actor=gente["director"])
    firmas.barrer_informes()
    assert subir(director, informe, firmado_con(original, suyo)).status_code == 422  # the first PDF, said otherwise
    assert list(FirmaFuera.objects.order_by("pk").values_list("final", flat=True)) == ["sin_efecto", ""]


def test_se_puede_dejar_y_vence_solo(informe, original, entrar, suyo, gente):
    director = entrar("director")
    assert director.post(reverse("informe_dejar_fuera", args=[informe.numero])).status_code == 302
    informe.refresh_from_db()
    assert (informe.estado, informe.autoriza) == (EstadoInforme.POR_FIRMAR, None)
    assert subir(director, informe, firmado_con(original, suyo)).status_code == 409
    firmas.firmar_fuera(informe=informe, actor=gente["director"])
    with reloj.fijado(reloj.ahora() + firmas.FUERA_DURA):
        firmas.barrer_informes()
    informe.refresh_from_db()
    assert informe.estado == EstadoInforme.POR_FIRMAR
    assert list(FirmaFuera.objects.order_by("pk").values_list("final", flat=True)) == ["dejada", "vencida"]


def test_el_pdf_por_firmar_es_de_quien_lo_pidio(informe, original, entrar, gente):
    gente["verificador"].roles = ["verificador", "director"]
    gente["verificador"].save()
    otro = entrar("verificador")
    assert otro.get(reverse("informe_para_firmar", args=[informe.numero])).status_code == 403
    assert subir(otro, informe, b"%PDF").status_code == 422
    assert entrar("analista").get(reverse("informe_para_firmar", args=[informe.numero])).status_code == 403

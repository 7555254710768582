"""The certificate is checked before, the signature after: nothing leaves that poppler or pyHanko would refuse."""

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from weasyprint import HTML

from expedientes import firma
from expedientes.firma import CertificadoInutil, cargar_certificado, firma_integra, firmar

CLAVE = "clave-ñ"
AYER = datetime.now(UTC) - timedelta(days=1)


def nombre(quien: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, quien)])


def emitir(
    quien: str,
    llave: Any,
    *,
    emisor: str,
    llave_emisora: Any,
    ca: bool = False,
    desde: datetime = AYER,
    hasta: datetime = AYER + timedelta(days=30),
    no_repudio: bool = True,
    uso: bool = True,
    extendido: Any = None,
) -> x509.Certificate:
    armado = (
        x509.CertificateBuilder()
        .subject_name(nombre(quien))
        .issuer_name(nombre(emisor))
        .public_key(llave.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(desde)
        .not_valid_after(hasta)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if uso:
        banderas = dict.fromkeys(
            ["key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"], False
        )
        armado = armado.add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=no_repudio, key_cert_sign=ca, crl_sign=ca, **banderas
            ),
            critical=True,
        )
    if extendido:
        armado = armado.add_extension(x509.ExtendedKeyUsage([extendido]), critical=False)
    return armado.sign(llave_emisora, hashes.SHA256())


class Casa:
    """An institution with its authority, and the settings that name its key."""

    def __init__(self, carpeta: Path, settings: Any) -> None:
        self.carpeta, self.settings = carpeta, settings
        self.llave_raiz, self.llave = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.raiz = emitir("Raíz", self.llave_raiz, emisor="Raíz", llave_emisora=self.llave_raiz, ca=True)
        settings.FIRMA_P12, settings.FIRMA_CLAVE = str(carpeta / "institucion.p12"), CLAVE
        settings.FIRMA_RAICES = str(carpeta / "raices.pem")
        settings.DEMO = False
        self.confiar(self.raiz)

    def confiar(self, *raices: x509.Certificate) -> None:
        Path(self.settings.FIRMA_RAICES).write_bytes(b"".join(raiz.public_bytes(Encoding.PEM) for raiz in raices))

    def certificado(self, **opciones: Any) -> x509.Certificate:
        opciones = {"emisor": "Raíz", "llave_emisora": self.llave_raiz, **opciones}
        return emitir("SENASA Agente automatizado", opciones.pop("llave", self.llave), **opciones)

    def guardar(self, certificado: x509.Certificate | None, *, llave: Any = None, otros: Any = None) -> None:
        Path(self.settings.FIRMA_P12).write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"x", llave or self.llave, certificado, otros, BestAvailableEncryption(CLAVE.encode())
            )
        )


@pytest.fixture
def casa(tmp_path: Path, settings: Any) -> Casa:
    return Casa(tmp_path, settings)


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return HTML(string="<title>Informe</title><p>Uva fresca: negativo").write_pdf()


def firmado(pdf: bytes) -> bytes:
    return firmar(pdf, certificado=cargar_certificado(), motivo="Informe de ensayo", lugar="Lima, Perú")


# What is good


def test_el_certificado_de_la_institucion_firma_sin_decirse_de_demostracion(casa: Casa, pdf: bytes) -> None:
    casa.guardar(casa.certificado())
    certificado = cargar_certificado()
    assert (certificado.titular, certificado.es_demostracion) == ("SENASA Agente automatizado", False)
    assert certificado.dias_restantes == 28
    assert firma_integra(firmado(pdf))


def test_una_llave_rsa_con_autoridad_intermedia_firma(casa: Casa, pdf: bytes) -> None:
    llave, intermedia = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    autoridad = emitir("Intermedia", intermedia, emisor="Raíz", llave_emisora=casa.llave_raiz, ca=True)
    casa.guardar(
        casa.certificado(llave=llave, emisor="Intermedia", llave_emisora=intermedia), llave=llave, otros=[autoridad]
    )
    assert not cargar_certificado().es_demostracion
    assert firma_integra(firmado(pdf))


@pytest.mark.parametrize("demo", [True, False])
def test_un_certificado_hecho_en_casa_firma_y_lo_dice(casa: Casa, pdf: bytes, demo: bool) -> None:
    casa.settings.DEMO, casa.settings.FIRMA_RAICES = demo, ""
    casa.guardar(casa.certificado(), otros=[casa.raiz])
    assert cargar_certificado().es_demostracion
    assert firma_integra(firmado(pdf))


def test_la_demostracion_firma_con_otra_llave_que_le_nombren(casa: Casa, certificado: Path, pdf: bytes) -> None:
    casa.settings.DEMO = True
    casa.settings.FIRMA_RAICES = str(certificado.with_name("demo-raiz.pem"))
    sola = emitir("Prueba", casa.llave, emisor="Prueba", llave_emisora=casa.llave)
    casa.guardar(sola)
    assert cargar_certificado().es_demostracion
    assert firma_integra(firmado(pdf))


def test_crear_demo_se_dice_de_demostracion_y_guarda_la_llave_en_privado(tmp_path: Path, settings: Any) -> None:
    ruta = tmp_path / "firma" / "demo.p12"
    firma.crear_demo(ruta, CLAVE)
    settings.FIRMA_P12, settings.FIRMA_CLAVE, settings.DEMO = str(ruta), CLAVE, False
    settings.FIRMA_RAICES = str(tmp_path / "firma" / "demo-raiz.pem")
    assert cargar_certificado().es_demostracion
    assert "demostración" in cargar_certificado().titular
    assert ruta.stat().st_mode & 0o077 == 0


# What is not


def es_inutil(casa: Casa, motivo: str) -> None:
    with pytest.raises(CertificadoInutil, match=motivo):
        cargar_certificado()


def test_sin_configurar(casa: Casa) -> None:
    casa.settings.FIRMA_P12 = ""
    es_inutil(casa, "No hay certificado")


def test_el_archivo_no_esta(casa: Casa) -> None:
    es_inutil(casa, "No se encuentra")


def test_el_archivo_no_se_puede_leer(casa: Casa) -> None:
    Path(casa.settings.FIRMA_P12).mkdir()
    es_inutil(casa, "No se puede leer el archivo del certificado")


@pytest.mark.parametrize("basura", [b"", b"basura", b"-----BEGIN CERTIFICATE-----", b"\x30\x82" + b"\0" * 64])
def test_el_archivo_no_es_pkcs12(casa: Casa, basura: bytes) -> None:
    Path(casa.settings.FIRMA_P12).write_bytes(basura)
    es_inutil(casa, "no es un PKCS#12 legible")


@pytest.mark.parametrize("clave", ["otra", ""])
def test_la_clave_no_es(casa: Casa, clave: str) -> None:
    casa.guardar(casa.certificado())
    casa.settings.FIRMA_CLAVE = clave
    es_inutil(casa, "FIRMA_CLAVE")


def test_vencido(casa: Casa) -> None:
    casa.guardar(casa.certificado(desde=AYER - timedelta(days=9), hasta=AYER))
    es_inutil(casa, "venció el")


def test_todavia_no_vale(casa: Casa) -> None:
    casa.guardar(casa.certificado(desde=AYER + timedelta(days=3)))
    es_inutil(casa, "recién vale desde")


def test_las_fechas_se_miran_cada_vez_aunque_el_archivo_este_abierto(casa: Casa) -> None:
    casa.guardar(casa.certificado())
    cargar_certificado()
    with time_machine.travel(AYER + timedelta(days=31)):
        es_inutil(casa, "venció el")


def test_la_raiz_vencida_no_se_acepta(casa: Casa) -> None:
    casa.guardar(casa.certificado(hasta=AYER + timedelta(days=90)))
    cargar_certificado()
    with time_machine.travel(AYER + timedelta(days=31)):
        es_inutil(casa, "autoridad de confianza")


@pytest.mark.parametrize(
    ("opciones", "motivo"),
    [
        ({"no_repudio": False}, "no repudio"),
        ({"uso": False}, "le falta el uso"),
        ({"ca": True}, "de una autoridad"),
        ({"extendido": ExtendedKeyUsageOID.SERVER_AUTH}, "uso extendido"),
    ],
)
def test_uso_equivocado(casa: Casa, opciones: dict[str, Any], motivo: str) -> None:
    casa.guardar(casa.certificado(**opciones))
    es_inutil(casa, motivo)


def test_sin_llave_privada(casa: Casa) -> None:
    cadena = pkcs12.serialize_java_truststore(
        [pkcs12.PKCS12Certificate(casa.certificado(), b"x")], BestAvailableEncryption(CLAVE.encode())
    )
    Path(casa.settings.FIRMA_P12).write_bytes(cadena)
    es_inutil(casa, "no trae la llave privada")


def test_llave_de_otro_certificado(casa: Casa) -> None:
    ajena = ec.generate_private_key(ec.SECP256R1())
    Path(casa.settings.FIRMA_P12).write_bytes(p12_con_llave_ajena(casa, ajena))
    es_inutil(casa, "La llave privada no corresponde")


def p12_con_llave_ajena(casa: Casa, ajena: Any) -> bytes:
    """openssl makes the file that `cryptography` refuses to make: a key beside somebody else's certificate."""
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

    llave, certificado, salida = casa.carpeta / "k.pem", casa.carpeta / "c.pem", casa.carpeta / "ajeno.p12"
    llave.write_bytes(ajena.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificado.write_bytes(casa.certificado().public_bytes(Encoding.PEM))
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-nokeys", "-in", certificado, "-out", salida, "-passout", f"pass:{CLAVE}"],
        check=True,
    )
    _llave, _nada, otros = pkcs12.load_key_and_certificates(salida.read_bytes(), CLAVE.encode())
    return pkcs12.serialize_key_and_certificates(b"x", ajena, None, otros, BestAvailableEncryption(CLAVE.encode()))


def test_de_una_autoridad_que_nadie_conoce(casa: Casa) -> None:
    casa.guardar(casa.certificado(), otros=[casa.raiz])
    otra = ec.generate_private_key(ec.SECP256R1())
    casa.confiar(emitir("Raíz", otra, emisor="Raíz", llave_emisora=otra, ca=True))  # same name, another key
    es_inutil(casa, "autoridad de confianza")


def test_hecho_en_casa_no_firma_donde_hay_raices(casa: Casa) -> None:
    casa.guardar(emitir("Yo", casa.llave, emisor="Yo", llave_emisora=casa.llave))
    es_inutil(casa, "autoridad de confianza")


def test_raices_ilegibles(casa: Casa) -> None:
    casa.guardar(casa.certificado())
    Path(casa.settings.FIRMA_RAICES).write_text("nada")
    es_inutil(casa, "FIRMA_RAICES")
    Path(casa.settings.FIRMA_RAICES).unlink()
    es_inutil(casa, "FIRMA_RAICES")


def test_emitido_por_quien_no_es_autoridad_no_llega_a_firmar(casa: Casa, pdf: bytes) -> None:
    """The chain's signatures fit, but its middle is a signer, not an authority: pyHanko sees it afterwards."""
    otro = ec.generate_private_key(ec.SECP256R1())
    firmante = emitir("Firmante", otro, emisor="Raíz", llave_emisora=casa.llave_raiz)
    casa.guardar(casa.certificado(emisor="Firmante", llave_emisora=otro), otros=[firmante])
    with pytest.raises(CertificadoInutil):
        firmado(pdf)


def test_un_certificado_malo_se_cura_con_uno_bueno(casa: Casa, pdf: bytes) -> None:
    casa.guardar(casa.certificado(desde=AYER - timedelta(days=9), hasta=AYER))
    es_inutil(casa, "venció")
    casa.guardar(casa.certificado())
    assert firma_integra(firmado(pdf))


# What was signed


def test_lo_que_se_agrega_despues_se_nota(casa: Casa, pdf: bytes) -> None:
    casa.guardar(casa.certificado())
    entero = firmado(pdf)
    assert not firma_integra(pdf)
    assert not firma_integra(entero + b"\n% algo mas")
    assert not firma_integra(entero.replace(b"/Title", b"/Titel", 1))


def test_una_firma_sigue_integra_cuando_su_certificado_vence(casa: Casa, pdf: bytes) -> None:
    casa.guardar(casa.certificado())
    entero = firmado(pdf)
    with time_machine.travel(AYER + timedelta(days=400)):
        assert firma_integra(entero)


@pytest.mark.browser
def test_poppler_acepta_la_firma(casa: Casa, pdf: bytes, tmp_path: Path) -> None:
    casa.guardar(casa.certificado())
    ruta = tmp_path / "firmado.pdf"
    ruta.write_bytes(firmado(pdf))
    dice = subprocess.run(["pdfsig", "-nocert", ruta], check=True, capture_output=True, text=True).stdout
    assert "Signature Validation: Signature is Valid." in dice
    assert re.search(r"Signature Type: ETSI\.CAdES\.detached", dice)
    assert "Total document signed" in dice

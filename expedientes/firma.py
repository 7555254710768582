"""The signature: the institution's certificate, checked before; PAdES by pyHanko; validated after.

pyHanko signs with an expired certificate without an error, so everything is checked here first (dates, key
usage, password, chain). An unsigned or badly signed PDF never leaves `firmar`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, SuspiciousModification
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

MARCA_DE_DEMOSTRACION = "demostración"
# A certificate that says it is for these alone is a machine's, not a signer's.
USOS_DE_MAQUINA = {
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CODE_SIGNING,
    ExtendedKeyUsageOID.TIME_STAMPING,
    ExtendedKeyUsageOID.OCSP_SIGNING,
}


class CertificadoInutil(Exception):
    """The certificate cannot sign; the message says why in words, for the queue where reports wait."""


class ClaveEquivocada(CertificadoInutil):
    """The password does not open it."""


@dataclass(frozen=True)
class Certificado:
    """A certificate fit to sign, and the roots that its signatures must chain to.

    `huella`: its SHA-256, in hex. Without `firmante` its key is elsewhere: it signed what was brought.
    """

    firmante: signers.SimpleSigner | None
    titular: str
    huella: str
    desde: datetime
    hasta: datetime
    raices: list[x509.Certificate]
    es_demostracion: bool

    @property
    def dias_restantes(self) -> int:
        return (self.hasta - timezone.now()).days


class _Abierto(NamedTuple):
    """What a PKCS#12 holds."""

    firmante: signers.SimpleSigner
    certificado: x509.Certificate
    otros: list[x509.Certificate]


def cargar_certificado() -> Certificado:
    """The institution's certificate, fit to sign now; raises CertificadoInutil with the reason."""
    if not settings.FIRMA_P12:
        raise CertificadoInutil(_("No hay certificado de firma configurado (FIRMA_P12)."))
    ruta = Path(settings.FIRMA_P12)
    if not ruta.exists():
        raise CertificadoInutil(_("No se encuentra el archivo del certificado de firma."))
    try:
        contenido = ruta.read_bytes()
    except OSError:
        raise CertificadoInutil(_("No se puede leer el archivo del certificado de firma.")) from None
    try:
        return abrir_certificado(contenido, settings.FIRMA_CLAVE)
    except ClaveEquivocada:
        raise ClaveEquivocada(_("La clave del certificado de firma (FIRMA_CLAVE) no es la correcta.")) from None


def abrir_certificado(p12: bytes, clave: str) -> Certificado:
    """Anybody's PKCS#12, fit to sign now; raises CertificadoInutil with the reason."""
    abierto = _abrir(p12, clave)
    return _apto(abierto.certificado, abierto.otros, firmante=abierto.firmante)


def _apto(
    certificado: x509.Certificate, otros: list[x509.Certificate], *, firmante: signers.SimpleSigner | None = None
) -> Certificado:
    """The certificate and what it leads to, once its dates, its usage and its chain were looked at."""
    _revisar_fechas(certificado)
    _revisar_uso(certificado)
    raices = _raices_de_confianza()
    hecha_en_casa = not _encadena(certificado, otros, raices)
    if hecha_en_casa:
        # A trial signs with what the PKCS#12 itself carries, and says so on every page; production does when
        # nobody named the roots.
        propias = [uno for uno in (certificado, *otros) if uno.issuer == uno.subject]
        if (raices and not settings.DEMO) or not _encadena(certificado, otros, propias):
            raise CertificadoInutil(_("El certificado de firma no fue emitido por una autoridad de confianza."))
        raices = propias
    titular = certificado.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Certificado(
        firmante=firmante,
        titular=str(titular[0].value) if titular else certificado.subject.rfc4514_string(),
        huella=certificado.fingerprint(hashes.SHA256()).hex(),
        desde=certificado.not_valid_before_utc,
        hasta=certificado.not_valid_after_utc,
        raices=raices,
        es_demostracion=settings.DEMO or hecha_en_casa or _se_dice_de_demostracion(certificado),
    )


def ajeno(titular: str) -> Certificado:
    """What is known of a certificate that will sign elsewhere: whose it has to be."""
    ahora = timezone.now()
    return Certificado(
        firmante=None, titular=titular, huella="", desde=ahora, hasta=ahora, raices=[],
        es_demostracion=fuera_es_demostracion(),
    )  # fmt: skip


def fuera_es_demostracion() -> bool:
    """Whether a PDF handed out to be signed must say that its signature will be of demonstration."""
    return bool(settings.DEMO or not settings.FIRMA_RAICES)


@lru_cache(maxsize=16)
def _abrir(contenido: bytes, clave: str) -> _Abierto:
    """Opening a PKCS#12 costs 0.2 s, so the last ones are kept, in memory alone; failures are not kept."""
    try:
        llave, certificado, otros = pkcs12.load_key_and_certificates(contenido, clave.encode())
    except ValueError as error:
        if "password" in str(error).lower():
            raise ClaveEquivocada(_("La clave del certificado de firma no es la correcta.")) from None
        raise CertificadoInutil(_("El archivo del certificado de firma no es un PKCS#12 legible.")) from None
    except UnsupportedAlgorithm:
        raise CertificadoInutil(_("El archivo del certificado de firma usa un cifrado que no se conoce.")) from None
    if llave is None:
        raise CertificadoInutil(_("El archivo del certificado de firma no trae la llave privada."))
    if certificado is None:  # cryptography pairs them by key: no certificate of the key's own came with it
        raise CertificadoInutil(_("La llave privada no corresponde a ningún certificado del archivo."))
    if _publica(llave.public_key()) != _publica(certificado.public_key()):
        raise CertificadoInutil(_("La llave privada no corresponde al certificado de firma."))
    firmante = signers.SimpleSigner.load_pkcs12_data(contenido, other_certs=[], passphrase=clave.encode())
    if firmante is None:
        raise CertificadoInutil(_("El archivo del certificado no se puede usar para firmar."))
    return _Abierto(firmante, certificado, list(otros))


def _publica(llave: Any) -> bytes:
    return llave.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _revisar_fechas(certificado: x509.Certificate) -> None:
    ahora, desde, hasta = timezone.now(), certificado.not_valid_before_utc, certificado.not_valid_after_utc
    if ahora < desde:
        dia = date_format(timezone.localtime(desde), "d/m/Y")
        raise CertificadoInutil(_("El certificado de firma recién vale desde el %(dia)s.") % {"dia": dia})
    if ahora > hasta:
        dia = date_format(timezone.localtime(hasta), "d/m/Y")
        raise CertificadoInutil(_("El certificado de firma venció el %(dia)s.") % {"dia": dia})


def _revisar_uso(certificado: x509.Certificate) -> None:
    extensiones = certificado.extensions
    try:
        uso = extensiones.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise CertificadoInutil(_("El certificado no dice que sirva para firmar (le falta el uso de llave).")) from None
    if not uso.content_commitment:
        raise CertificadoInutil(_("El certificado no es para firmar documentos (uso de llave: no repudio)."))
    for extension in extensiones:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            raise CertificadoInutil(_("El certificado es de una autoridad, no de quien firma."))
        if isinstance(extension.value, x509.ExtendedKeyUsage) and set(extension.value) <= USOS_DE_MAQUINA:
            raise CertificadoInutil(_("El certificado no es para firmar documentos (uso extendido de llave)."))


def _raices_de_confianza() -> list[x509.Certificate]:
    """The roots that FIRMA_RAICES names; the demonstration's own may not be there when another key is tried."""
    if not settings.FIRMA_RAICES or (settings.DEMO and not Path(settings.FIRMA_RAICES).exists()):
        return []
    try:
        return x509.load_pem_x509_certificates(Path(settings.FIRMA_RAICES).read_bytes())
    except (OSError, ValueError):
        raise CertificadoInutil(_("No se puede leer el archivo de raíces de confianza (FIRMA_RAICES).")) from None


def _encadena(certificado: x509.Certificate, otros: list[x509.Certificate], raices: list[x509.Certificate]) -> bool:
    """Whether the issuers lead to one of `raices`; each link's signature and dates are looked at."""
    ahora, actual = timezone.now(), certificado
    for _paso in range(6):
        if actual in raices:
            return True
        for emisor in [*raices, *otros]:
            if (
                emisor.subject == actual.issuer
                and emisor != actual
                and emisor.not_valid_before_utc <= ahora <= emisor.not_valid_after_utc
                and _la_emitio(emisor, actual)
            ):
                actual = emisor
                break
        else:
            return False
    return False


def _la_emitio(emisor: x509.Certificate, certificado: x509.Certificate) -> bool:
    try:
        certificado.verify_directly_issued_by(emisor)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _se_dice_de_demostracion(certificado: x509.Certificate) -> bool:
    nombres = certificado.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return any(MARCA_DE_DEMOSTRACION in str(nombre.value).lower() for nombre in nombres)


def firmar(pdf: bytes, *, certificado: Certificado, motivo: str, lugar: str) -> bytes:
    """`pdf` signed as PAdES B-B; raises CertificadoInutil if what came out is not valid."""
    if certificado.firmante is None:
        raise CertificadoInutil(_("La llave de ese certificado no está aquí."))
    metadatos = signers.PdfSignatureMetadata(
        field_name="Firma",
        reason=motivo,
        location=lugar,
        name=certificado.titular,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
    )
    salida = signers.PdfSigner(metadatos, signer=certificado.firmante).sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)), bytes_reserved=_reserva(certificado.firmante)
    )
    firmado = salida.getvalue()
    estado = _estado(firmado, certificado.raices)
    if not (estado and estado.bottom_line):
        raise CertificadoInutil(_("La firma que se obtuvo no es válida: revise el certificado y su cadena."))
    return firmado


def _reserva(firmante: signers.SimpleSigner) -> int:
    """Room for the signature, in hexadecimal digits: its certificates, and 4 kB for what it says of itself.

    Without it pyHanko signs twice, the first time only to see how long it gets.
    """
    certificados = {uno.dump() for uno in [firmante.signing_cert, *firmante.cert_registry] if uno}
    return 2 * (sum(len(der) for der in certificados) + 4096)


def con_lugar_para_la_firma(pdf: bytes) -> bytes:
    """`pdf` with an empty signature field that shows nothing, for a program that signs elsewhere."""
    escritor = IncrementalPdfFileWriter(BytesIO(pdf))
    fields.append_signature_field(escritor, fields.SigFieldSpec("Firma"))
    # As it will be once it is signed, so that signing changes nothing else: signatures, and only added to.
    formulario = escritor.root["/AcroForm"]
    formulario[generic.NameObject("/SigFlags")] = generic.NumberObject(3)
    escritor.update_container(formulario)
    salida = BytesIO()
    escritor.write(salida)
    return salida.getvalue()


def revisar_firmado(original: bytes, firmado: bytes) -> Certificado:
    """Whose certificate signed `original` (of `con_lugar_para_la_firma`); raises CertificadoInutil with the reason.

    What came back must be those very bytes with one signature added at their end, of the whole file, PAdES, valid,
    by a certificate that could sign here now; and nothing else may have been added before signing.
    """
    if not firmado.startswith(original) or len(firmado) == len(original):
        raise CertificadoInutil(
            _("El archivo no es el PDF que se le entregó con su firma agregada: fírmelo sin imprimirlo ni convertirlo.")
        )
    try:
        lector = PdfFileReader(BytesIO(firmado))
        firmas = lector.embedded_signatures
        base = PdfFileReader(BytesIO(original)).xrefs.total_revisions - 1
        cambios = DEFAULT_DIFF_POLICY.review_file(lector, base) if firmas else None
    except Exception:
        raise CertificadoInutil(_("El archivo no se puede leer como un PDF firmado.")) from None
    if len(firmas) != 1:
        raise CertificadoInutil(
            _("El archivo no trae ninguna firma.") if not firmas else _("El archivo trae más de una firma.")
        )
    (firma,) = firmas
    if isinstance(cambios, SuspiciousModification):
        raise CertificadoInutil(_("Al PDF se le cambió algo más que la firma: vuelva a bajarlo y fírmelo tal cual."))
    if firma.sig_object.get("/SubFilter") != fields.SigSeedSubFilter.PADES.value:
        raise CertificadoInutil(_("La firma no es PAdES (ETSI.CAdES.detached): elija ese formato en su programa."))
    suyo = x509.load_der_x509_certificate(firma.signer_cert.dump())
    otros = [x509.load_der_x509_certificate(uno.dump()) for uno in firma.other_embedded_certs]
    certificado = _apto(suyo, otros)
    estado = _estado(firmado, certificado.raices)
    if estado is None or not estado.bottom_line:
        raise CertificadoInutil(_("La firma no es válida, o no cubre el archivo entero."))
    return certificado


def firma_integra(pdf: bytes) -> bool:
    """Whether the PDF carries one signature, of exactly these bytes from the first to the last.

    Whose it is was settled before it was issued: a root that is changed later alters no document. Nor is this
    enough to call a file ours, as padding inside `/Contents` can change unseen: see `documentos.verificar_archivo`.
    """
    estado = _estado(pdf, [])
    return bool(estado and estado.intact and estado.valid)


def _estado(pdf: bytes, raices: list[x509.Certificate]) -> PdfSignatureStatus | None:
    """What pyHanko says of the one signature of `pdf`; None unless there is one, over the whole file."""
    try:
        confianza = [asn1_x509.Certificate.load(raiz.public_bytes(serialization.Encoding.DER)) for raiz in raices]
        firmas = PdfFileReader(BytesIO(pdf)).embedded_signatures
        if len(firmas) != 1:
            return None
        estado = validate_pdf_signature(firmas[0], ValidationContext(trust_roots=confianza, allow_fetching=False))
    except Exception:  # whatever a parser says of bytes that strangers send
        return None
    return estado if estado.coverage == SignatureCoverageLevel.ENTIRE_FILE else None


def crear_demo(ruta: Path, clave: str, *, desde: datetime | None = None, hasta: datetime | None = None) -> None:
    """Make an authority and a signing certificate for the demonstration: `ruta` and `<ruta>-raiz.pem` beside it."""
    p12, autoridad = hacer_demo("Agente automatizado de demostración", clave, desde=desde, hasta=hasta)
    ruta.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    ruta.with_name(f"{ruta.stem}-raiz.pem").write_bytes(autoridad.public_bytes(serialization.Encoding.PEM))
    ruta.touch(mode=0o600)
    ruta.write_bytes(p12)


def hacer_demo(
    titular: str, clave: str, *, desde: datetime | None = None, hasta: datetime | None = None
) -> tuple[bytes, x509.Certificate]:
    """A signing certificate for the demonstration as a PKCS#12, and the authority made for it alone."""
    desde = desde or datetime.now(UTC) - timedelta(days=1)
    hasta = hasta or desde + timedelta(days=730)
    organizacion = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SENASA (demostración)")
    nombre_ca = x509.Name([organizacion, x509.NameAttribute(NameOID.COMMON_NAME, "Autoridad de demostración")])
    nombre = x509.Name([organizacion, x509.NameAttribute(NameOID.COMMON_NAME, titular)])
    llave_ca, llave = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def uso(*, firma: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=firma, content_commitment=firma, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=not firma, crl_sign=not firma, encipher_only=False, decipher_only=False,
        )  # fmt: skip

    def emitir(sujeto: x509.Name, publica, *, ca: bool) -> x509.Certificate:
        armado = (
            x509.CertificateBuilder()
            .subject_name(sujeto)
            .issuer_name(nombre_ca)
            .public_key(publica)
            .serial_number(x509.random_serial_number())
            .not_valid_before(desde if not ca else min(desde, datetime.now(UTC)) - timedelta(days=1))
            .not_valid_after(hasta if not ca else max(hasta, datetime.now(UTC)) + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
            .add_extension(uso(firma=not ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(publica), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(llave_ca.public_key()), critical=False)
        )
        if not ca:
            armado = armado.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        return armado.sign(llave_ca, hashes.SHA256())

    autoridad = emitir(nombre_ca, llave_ca.public_key(), ca=True)
    certificado = emitir(nombre, llave.public_key(), ca=False)
    cifrado = serialization.BestAvailableEncryption(clave.encode())
    p12 = pkcs12.serialize_key_and_certificates(b"senasa-demo", llave, certificado, [autoridad], cifrado)
    return p12, autoridad

"""All the ways in which a certificate can be bad, the institution's and a person's: nothing leaves, the queue says why,
and a good one heals it by itself."""

import threading
from base64 import b64encode
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse
from pyhanko.pdf_utils.reader import PdfFileReader

from expedientes import documentos
from expedientes.firma import cargar_certificado, hacer_demo
from expedientes.models import Documento, Evento
from laboratorio import certificados, firmas
from laboratorio.models import CertificadoPropio, EstadoInforme, Informe
from notificaciones.models import Notificacion
from senasa import llave, reloj
from tests.builders import crear_caso
from tests.expedientes.test_firma import AYER, CLAVE, Casa, emitir, p12_con_llave_ajena

pytestmark = pytest.mark.django_db


@pytest.fixture
def casa(gente, tmp_path, settings):
    """An institution of its own, once the demonstration's people and cases are there."""
    return Casa(tmp_path, settings)


@pytest.fixture
def negativo(certificado):
    return Informe.objects.get(expediente=crear_caso("verificado").expediente)


@pytest.fixture
def positivo(certificado):
    return Informe.objects.get(expediente=crear_caso("verificado", valor="positivo").expediente)


def p12(casa, certificado, *, clave=CLAVE, key=None, otros=None):
    cifrado = BestAvailableEncryption(clave.encode())
    return pkcs12.serialize_key_and_certificates(b"x", key or casa.llave, certificado, otros, cifrado)


def bueno(casa, titular="Diana Directora"):
    return p12(casa, emitir(titular, casa.llave, emisor="Raíz", llave_emisora=casa.llave_raiz))


def con_cadena(casa, **intermedia):
    """Issued by an authority in the middle, which comes in the file."""
    llave_media = ec.generate_private_key(ec.SECP256R1())
    media = emitir("Media", llave_media, emisor="Raíz", llave_emisora=casa.llave_raiz, ca=True, **intermedia)
    suyo = emitir("Diana Directora", casa.llave, emisor="Media", llave_emisora=llave_media)
    return p12(casa, suyo, otros=[media])


def suyo(casa, **opciones):
    datos = {"emisor": "Raíz", "llave_emisora": casa.llave_raiz, **opciones}
    return p12(casa, emitir("Diana Directora", datos.pop("llave", casa.llave), **datos))


def ajena(casa):
    otra = ec.generate_private_key(ec.SECP256R1())
    return p12(casa, emitir("Diana Directora", casa.llave, emisor="Raíz", llave_emisora=otra))


# What is wrong: the file, and what the queue says of it.
MALOS = {
    "vencido": (lambda casa: suyo(casa, desde=AYER - timedelta(days=9), hasta=AYER), "venció el"),
    "aun no vale": (lambda casa: suyo(casa, desde=AYER + timedelta(days=3)), "recién vale desde"),
    "otra clave": (lambda casa: p12(casa, casa.certificado(), clave="otra"), "no es la correcta"),
    "sin no repudio": (lambda casa: suyo(casa, no_repudio=False), "no repudio"),
    "sin uso": (lambda casa: suyo(casa, uso=False), "le falta el uso"),
    "de un servidor": (lambda casa: suyo(casa, extendido=ExtendedKeyUsageOID.SERVER_AUTH), "uso extendido"),
    "de una autoridad": (lambda casa: suyo(casa, ca=True), "de una autoridad"),
    "hecho en casa": (
        lambda casa: p12(casa, emitir("Diana", casa.llave, emisor="Diana", llave_emisora=casa.llave)),
        "autoridad de confianza",
    ),
    "cadena rota": (ajena, "autoridad de confianza"),
    "falta la intermedia": (
        lambda casa: p12(casa, emitir("Diana", casa.llave, emisor="Media", llave_emisora=casa.llave_raiz)),
        "autoridad de confianza",
    ),
    "emisor vencido": (
        lambda casa: con_cadena(casa, desde=AYER - timedelta(days=9), hasta=AYER),
        "autoridad de confianza",
    ),
    "llave de otro": (
        lambda casa: p12_con_llave_ajena(casa, ec.generate_private_key(ec.SECP256R1())),
        "La llave privada no corresponde",
    ),
    "cortado": (lambda casa: bueno(casa)[:-40], "no es un PKCS#12 legible"),
    "ilegible": (lambda casa: b"\x30\x82basura", "no es un PKCS#12 legible"),
    "vacio": (lambda casa: b"", "no es un PKCS#12 legible"),
}


def intentar(informe, cuando):
    with reloj.fijado(cuando):
        firmas.barrer_informes()
    informe.refresh_from_db()
    return informe.estado


class Espera:
    """A report that waits in firma_fallida: each look, a minute later, finds another certificate, as bad."""

    def __init__(self, informe, entrar, *, desde):
        self.informe, self.cuando, self.director = informe, desde, entrar("director")

    def sigue(self, motivo, cual):
        self.cuando += firmas.REINTENTO
        assert intentar(self.informe, self.cuando) == EstadoInforme.FIRMA_FALLIDA, cual
        assert (self.informe.documento_id, Documento.objects.count()) == (None, 0), cual
        assert motivo in self.informe.falla, cual
        assert self.informe.falla in self.director.get(reverse("firmas")).content.decode(), cual

    def sale(self):
        assert intentar(self.informe, self.cuando + timedelta(seconds=30)) == EstadoInforme.FIRMA_FALLIDA
        return intentar(self.informe, self.cuando + firmas.REINTENTO) == EstadoInforme.EMITIDO


def test_el_de_la_institucion_malo_no_saca_nada_y_uno_bueno_lo_cura(negativo, casa, entrar):
    ruta = Path(casa.settings.FIRMA_P12)
    assert negativo.estado == EstadoInforme.EN_GRACIA
    espera = Espera(negativo, entrar, desde=negativo.firmar_desde)
    espera.sigue("No se encuentra", "falta")
    for cual, (hacer, motivo) in MALOS.items():
        ruta.write_bytes(hacer(casa))
        espera.sigue(motivo, cual)
    ruta.unlink()
    ruta.mkdir()
    espera.sigue("No se puede leer", "no se puede leer")
    ruta.rmdir()
    casa.settings.FIRMA_P12 = ""
    espera.sigue("No hay certificado", "no configurado")
    casa.settings.FIRMA_P12 = str(ruta)
    ruta.write_bytes(bueno(casa))
    assert espera.sale()
    assert (negativo.documento.firma, Documento.objects.count()) == ("automatica", 1)


def guardar_sin_mirar(usuario, contenido):
    """As a certificate that was good when it was put and is bad now."""
    CertificadoPropio.objects.filter(usuario=usuario, retirado_en=None).update(
        p12=llave.cifrar(b64encode(contenido).decode(), para=certificados.PARA),
        clave=llave.cifrar(CLAVE, para=certificados.PARA),
    )


def test_el_propio_malo_no_saca_nada_y_uno_bueno_lo_cura(positivo, casa, gente, entrar):
    director = gente["director"]
    Path(casa.settings.FIRMA_P12).write_bytes(bueno(casa))  # the institution's stands in for nobody's
    firmas.ordenar_firma(informe=positivo, actor=director)
    espera = Espera(positivo, entrar, desde=reloj.ahora())
    for cual, (hacer, motivo) in MALOS.items():
        guardar_sin_mirar(director, hacer(casa))
        espera.sigue(motivo, cual)
        assert "Diana Directora" in positivo.falla
    CertificadoPropio.objects.update(p12="gAAAAABmala")
    espera.sigue("SECRET_KEY", "otra llave del servidor")
    certificados.retirar(usuario=director)
    espera.sigue("no tiene un certificado propio", "falta")
    certificados.poner(usuario=director, p12=bueno(casa), clave=CLAVE)
    assert espera.sale()
    assert (positivo.documento.firma, positivo.documento.titular) == ("director", "Diana Directora")


def test_quien_ya_no_trabaja_aqui_no_firma(positivo, gente):
    director = gente["director"]
    firmas.ordenar_firma(informe=positivo, actor=director)
    type(director).objects.filter(pk=director.pk).update(is_active=False)
    assert intentar(positivo, reloj.ahora()) == EstadoInforme.FIRMA_FALLIDA
    assert "ya no trabaja aquí" in positivo.falla


def test_uno_malo_ni_se_guarda(casa, gente, entrar):
    certificados.retirar(usuario=gente["director"])
    director = entrar("director")
    for cual, (hacer, motivo) in MALOS.items():
        archivo = SimpleUploadedFile("mio.p12", hacer(casa) or b"x")
        respuesta = director.post(reverse("certificado_poner"), {"archivo": archivo, "contrasena": CLAVE})
        assert (respuesta.status_code, motivo in respuesta.content.decode()) == (422, True), cual
    assert certificados.de(gente["director"]) is None


def test_ni_el_de_otra_persona(casa, gente, entrar):
    archivo = SimpleUploadedFile("mio.p12", bueno(casa, "Vera Verificadora"))
    respuesta = entrar("director").post(reverse("certificado_poner"), {"archivo": archivo, "contrasena": CLAVE})
    assert (respuesta.status_code, "Vera Verificadora" in respuesta.content.decode()) == (422, True)


# ── Held and retired ──────────────────────────────────────────────────────────────────────────────


def test_se_guarda_cifrado_y_al_retirarlo_se_borra_su_llave(casa, gente, entrar):
    contenido, director = bueno(casa), entrar("director")
    datos = {"archivo": SimpleUploadedFile("mio.p12", contenido), "contrasena": CLAVE}
    assert director.post(reverse("certificado_poner"), datos).url == reverse("certificado")
    propio = certificados.de(gente["director"])
    assert (propio.titular, propio.hasta) == ("Diana Directora", AYER.replace(microsecond=0) + timedelta(days=30))
    with connection.cursor() as cursor:
        cursor.execute("SELECT p12 || clave FROM laboratorio_certificadopropio WHERE id = %s", [propio.pk])
        (guardado,) = cursor.fetchone()
    assert b64encode(contenido).decode() not in guardado
    assert CLAVE not in guardado
    pagina = director.get(reverse("certificado")).content.decode()
    assert propio.huella in pagina
    assert propio.p12 not in pagina
    assert director.post(reverse("certificado_retirar")).url == reverse("certificado")
    propio.refresh_from_db()
    assert (propio.p12, propio.clave, propio.retirado_en is None) == ("", "", False)
    assert CertificadoPropio.objects.filter(usuario=gente["director"]).count() == 2  # and the one he had before
    assert director.post(reverse("certificado_retirar")).status_code == 409


def test_la_clave_del_certificado_no_espera_en_ninguna_parte(casa, client, gente):
    """Asked again who he is, he finds the page as it was, but neither file nor password were kept."""
    client.force_login(gente["director"])
    datos = {"archivo": SimpleUploadedFile("mio.p12", bueno(casa)), "contrasena": CLAVE}
    assert client.post(reverse("certificado_poner"), datos).url.startswith(reverse("account_reauthenticate"))
    from senasa import escrito

    guardado = escrito._leer(gente["director"].pk, reverse("certificado_poner"))
    assert CLAVE not in str(guardado)


# ── One number, one signature ─────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_dos_trabajadores_a_la_vez_firman_una_sola_vez(certificado, monkeypatch):
    informe = Informe.objects.get(expediente=crear_caso("verificado", valor="positivo").expediente)
    firmas.ordenar_firma(informe=informe, actor=crear_caso().personas["director"])
    salidas, puerta = [], threading.Barrier(3)

    def trabajar():
        puerta.wait()
        try:
            salidas.append(firmas.firmar_informe(informe_id=informe.pk))
        finally:
            connection.close()

    hilos = [threading.Thread(target=trabajar) for _n in range(3)]
    for hilo in hilos:
        hilo.start()
    for hilo in hilos:
        hilo.join()
    informe.refresh_from_db()
    (documento,) = [salida for salida in salidas if salida]
    assert (len(salidas), Documento.objects.filter(numero=informe.numero).get()) == (3, documento)
    assert Evento.objects.filter(objeto="informe", accion="emitir").count() == 1


@pytest.mark.parametrize("donde", ["preparar", "_emitir"])
def test_morir_entre_firmar_y_guardar_no_saca_nada_y_otro_lo_termina(certificado, monkeypatch, donde):
    """A kill is a BaseException here: nothing of ours catches it, as nothing would."""
    informe = Informe.objects.get(expediente=crear_caso("verificado").expediente)
    tarde = reloj.ahora() + timedelta(hours=1)

    def morir(*_nada, **_menos):
        raise KeyboardInterrupt

    with monkeypatch.context() as parche, reloj.fijado(tarde):
        parche.setattr(documentos if donde == "preparar" else firmas, donde, morir)
        with pytest.raises(KeyboardInterrupt):
            firmas.firmar_informe(informe_id=informe.pk)
    informe.refresh_from_db()
    assert (informe.estado, Documento.objects.count()) == (EstadoInforme.FIRMANDO, 0)
    with reloj.fijado(tarde + firmas.RECLAMO):
        firmas.barrer_informes()
    informe.refresh_from_db()
    assert (informe.estado, Documento.objects.get().version) == (EstadoInforme.EMITIDO, 1)
    firmado = PdfFileReader(BytesIO(documentos.leer(informe.documento)))
    assert len(firmado.embedded_signatures) == 1


# ── Before they end ───────────────────────────────────────────────────────────────────────────────


def test_se_avisa_una_vez_a_los_treinta_dias_y_otra_a_los_siete(certificado, gente, entrar, settings):
    director = gente["director"]
    certificados.retirar(usuario=director)
    hasta = reloj.ahora() + timedelta(days=40)
    contenido, _raiz = hacer_demo("Diana Directora", "x", hasta=hasta)
    certificados.poner(usuario=director, p12=contenido, clave="x")
    avisos = Notificacion.objects.filter(aviso="certificado_por_vencer")
    cuenta = []
    for dias in (35, 29, 20, 8, 6, 1):
        with time_machine.travel(hasta - timedelta(days=dias), tick=False):
            certificados.avisar_por_vencer()
            certificados.avisar_por_vencer()
            cuenta.append(avisos.count())
    assert cuenta == [0, 1, 1, 1, 2, 2]
    assert set(avisos.values_list("correo", flat=True)) == {director.email}
    assert "en 6 días" in avisos.latest("pk").asunto
    assert "formulario de solicitud" not in avisos.latest("pk").texto
    with time_machine.travel(hasta - timedelta(days=10), tick=False):
        assert "vence en 10 días" in entrar("director").get(reverse("firmas")).content.decode()


def test_el_de_la_institucion_lo_sabe_cada_director(certificado, gente):
    termina = cargar_certificado().hasta
    with time_machine.travel(termina - timedelta(days=20), tick=False):
        por_vencer = {uno.nombre: uno.quienes for uno in certificados.por_vencer()}
    assert por_vencer["la institución"] == [gente["director"]]

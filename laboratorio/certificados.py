"""The certificates of persons: held for them, encrypted, and looked at like the institution's before each use.

A certificate that stands in the database is useless without SECRET_KEY; decrypted, it is in memory alone.
"""

import unicodedata
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import ceil

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from expedientes import avisos
from expedientes.firma import Certificado, CertificadoInutil, abrir_certificado, cargar_certificado, hacer_demo
from senasa import llave, reloj
from senasa.models import Usuario
from senasa.transicion import DatoInvalido, EstadoImpide

from . import suplencias
from .models import CertificadoPropio, Informe

PARA = "certificado propio"
CLAVE_DE_DEMOSTRACION = "firma-de-demostracion"
# How long before its end somebody is told, and again.
AVISAR_A_LOS = (timedelta(days=30), timedelta(days=7))


def en_uso() -> QuerySet[CertificadoPropio]:
    return CertificadoPropio.objects.filter(retirado_en=None)


def de(usuario: Usuario) -> CertificadoPropio | None:
    """The certificate in force of `usuario`, fit or not."""
    return en_uso().filter(usuario=usuario).first()


def abrir(propio: CertificadoPropio) -> Certificado:
    """Fit to sign now; raises CertificadoInutil with the reason, and whose it is."""
    quien = propio.usuario
    try:
        p12 = b64decode(llave.descifrar(propio.p12, para=PARA), validate=True)
        return abrir_certificado(p12, llave.descifrar(propio.clave, para=PARA))
    except (llave.InvalidToken, Base64Error):
        motivo = _("No se puede descifrar con la SECRET_KEY de este servidor: vuelva a ponerlo.")
    except CertificadoInutil as error:
        motivo = str(error)
    raise CertificadoInutil(_("Certificado de %(quien)s: %(motivo)s") % {"quien": quien, "motivo": motivo})


def para_firmar(informe: Informe) -> Certificado:
    """With what a report is signed: whoever authorised it with his own, the machine with the institution's.

    Nothing stands in for a person's certificate: what he authorised waits until he has one (domain.md, section 3).
    """
    quien = informe.autoriza
    if quien is None:
        return cargar_certificado()
    if not quien.is_active:
        raise CertificadoInutil(_("%(quien)s ya no trabaja aquí: que lo autorice otra persona.") % {"quien": quien})
    if informe.suplencia and not informe.suplencia.vigente:
        raise CertificadoInutil(
            _("La suplencia de %(quien)s terminó antes de la firma: que lo autorice el director.") % {"quien": quien}
        )
    propio = de(quien)
    if propio is None:
        raise CertificadoInutil(
            _("%(quien)s no tiene un certificado propio en el sistema: póngalo, o firme fuera y suba el archivo.")
            % {"quien": quien}
        )
    return abrir(propio)


@transaction.atomic
def poner(*, usuario: Usuario, p12: bytes, clave: str) -> CertificadoPropio:
    """Keep `usuario`'s own certificate, once it is seen to be fit; the one he had is retired."""
    Usuario.objects.select_for_update().get(pk=usuario.pk)
    try:
        certificado = abrir_certificado(p12, clave)
    except CertificadoInutil as error:
        raise DatoInvalido({"archivo": str(error)}) from None
    if not es_de(usuario, certificado.titular):
        raise DatoInvalido(
            {
                "archivo": _("Está a nombre de «%(titular)s», no de %(quien)s: cada quien firma con el suyo.")
                % {"titular": certificado.titular, "quien": usuario}
            }
        )
    otros = en_uso().filter(huella=certificado.huella).exclude(usuario=usuario)
    if otros.exists():
        raise DatoInvalido({"archivo": _("Ese certificado ya lo tiene otra persona.")})
    anterior = de(usuario)
    if anterior:
        _retirar(anterior)
    return CertificadoPropio.objects.create(
        usuario=usuario,
        titular=certificado.titular[:200],
        huella=certificado.huella,
        desde=certificado.desde,
        hasta=certificado.hasta,
        p12=llave.cifrar(b64encode(p12).decode(), para=PARA),
        clave=llave.cifrar(clave, para=PARA),
        puesto_en=reloj.ahora(),
    )


@transaction.atomic
def retirar(*, usuario: Usuario) -> CertificadoPropio:
    """Take his certificate out of use, by himself: its key is wiped, what it signed stays signed."""
    Usuario.objects.select_for_update().get(pk=usuario.pk)
    propio = de(usuario)
    if propio is None:
        raise EstadoImpide(_("No tiene ningún certificado en uso."))
    _retirar(propio)
    return propio


def _retirar(propio: CertificadoPropio) -> None:
    propio.p12, propio.clave, propio.retirado_en = "", "", reloj.ahora()
    propio.save(update_fields=["p12", "clave", "retirado_en"])


def es_de(usuario: Usuario, titular: str) -> bool:
    """Whether a holder's name carries the person's first name and surname, accents and order aside."""
    palabras = set(_llano(titular).split())
    suyas = {*_llano(usuario.first_name).split()[:1], *_llano(usuario.last_name).split()[:1]}
    return bool(suyas) and suyas <= palabras


def _llano(texto: str) -> str:
    sin_tildes = unicodedata.normalize("NFKD", texto.casefold())
    return "".join(letra if letra.isalnum() else " " for letra in sin_tildes if not unicodedata.combining(letra))


# ── Before they end ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class PorVencer:
    """A certificate near its end. `quienes`: who must know. `nombre`: whose it is, in words."""

    nombre: str
    huella: str
    hasta: datetime
    quienes: list[Usuario]

    @property
    def dias(self) -> int:
        return max(0, ceil((self.hasta - reloj.ahora()) / timedelta(days=1)))


def por_vencer() -> Iterator[PorVencer]:
    """The certificates that end within thirty days, or ended: the institution's first."""
    try:
        institucion = cargar_certificado()
    except CertificadoInutil:
        pass  # what is wrong with it shows where reports wait
    else:
        if institucion.hasta <= reloj.ahora() + AVISAR_A_LOS[0]:
            yield PorVencer(_("la institución"), institucion.huella, institucion.hasta, suplencias.directores())
    yield from propios_por_vencer()


def propios_por_vencer() -> Iterator[PorVencer]:
    """Of those that persons have here, the ones that end within thirty days, or ended."""
    limite = reloj.ahora() + AVISAR_A_LOS[0]
    propios = en_uso().filter(hasta__lte=limite, usuario__is_active=True)
    for propio in propios.select_related("usuario").order_by("hasta"):
        yield PorVencer(str(propio.usuario), propio.huella, propio.hasta, [propio.usuario])


def avisar_por_vencer() -> int:
    """Owe the mail that says so, to each once at thirty days and again at seven; how many certificates there are."""
    cuantos = 0
    for uno in por_vencer():
        cuantos += 1
        aviso = min(plazo for plazo in AVISAR_A_LOS if uno.hasta - reloj.ahora() <= plazo)
        avisos.deber_al_personal(
            uno.quienes,
            "certificado_por_vencer",
            clave=f"certificado:{uno.huella}:{aviso.days}",
            url=reverse("firmas"),
            certificado=uno,
        )
    return cuantos


# ── Demonstration ─────────────────────────────────────────────────────────────────────────────────


@cache
def _p12_de_demostracion(titular: str) -> bytes:
    return hacer_demo(titular, CLAVE_DE_DEMOSTRACION)[0]


def dar_de_demostracion(usuario: Usuario) -> CertificadoPropio:
    """A person of the demonstration has a certificate of his own, worth nothing."""
    titular = _("%(quien)s (demostración)") % {"quien": usuario}
    return de(usuario) or poner(usuario=usuario, p12=_p12_de_demostracion(titular), clave=CLAVE_DE_DEMOSTRACION)

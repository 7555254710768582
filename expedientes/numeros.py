"""Numbers: ours, given without gaps, and those of others, checked by their own rules."""

import re
from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import connection, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from stdnum import iso6346
from stdnum.exceptions import InvalidChecksum
from stdnum.exceptions import ValidationError as NumeroInvalido
from stdnum.pe import ruc

from senasa import reloj


class TipoDocumento(models.TextChoices):
    RUC = "ruc", _("RUC")
    DNI = "dni", _("DNI")
    CE = "ce", _("carné de extranjería")
    PASAPORTE = "pasaporte", _("pasaporte")


def siguiente(serie: str, separador: str = "-") -> str:
    """The next number of `serie` in the current Lima year, as in `PCM-2026-000123`.

    Takes a row lock until the end of the transaction, so that no number is skipped or given twice.
    """
    anio = timezone.localdate(reloj.ahora()).year
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO expedientes_contador (serie, anio, ultimo) VALUES (%s, %s, 1) "
            "ON CONFLICT (serie, anio) DO UPDATE SET ultimo = expedientes_contador.ultimo + 1 RETURNING ultimo",
            [serie, anio],
        )
        (ultimo,) = cursor.fetchone()
    return f"{serie}{separador}{anio}{separador}{ultimo:06d}"


NUMERO_DE_CASO = re.compile(r"([A-Z]{2,3})[\s.\-]*(\d{4})[\s.\-]*(\d{1,9})", re.ASCII)


def leer_numero(texto: str) -> str:
    """A case's number as people write it («pcm 2026 123»), in its one form; what is none, as it came."""
    limpio = " ".join(texto.upper().split())
    partes = NUMERO_DE_CASO.fullmatch(limpio)
    return f"{partes[1]}-{partes[2]}-{int(partes[3]):06d}" if partes else limpio


def puede_ser_de_un_caso(numero: str, puestos: Collection[str]) -> bool:
    """Whether `numero`, as `leer_numero` gives it, is written as ours are, or may be one of the register before.

    Those are free text: at least seven signs, one of them a digit, and no e-mail address; but what begins with the code
    of one of `puestos` is meant to be ours.
    """
    if NUMERO_DE_CASO.fullmatch(numero):
        return True
    nuestro = any(re.match(rf"{re.escape(codigo)}(?![A-Z])", numero) for codigo in puestos)
    return not nuestro and "@" not in numero and len(numero) >= 7 and any(letra.isdigit() for letra in numero)


def validar_documento(tipo: str, numero: str) -> str:
    """The identity number in its canonical form, or a ValidationError on `numero_documento`.

    RUC: 11 digits with check digit (weights 5,4,3,2,7,6,5,4,3,2, mod 11). DNI: 8 digits. CE: 9 digits
    or up to 12 letters and digits. Passport: 5 to 12 letters and digits.
    """
    limpio = re.sub(r"[\s.\-]", "", numero or "").upper()
    if tipo == TipoDocumento.RUC:
        try:
            return ruc.validate(limpio)
        except InvalidChecksum:
            mensaje = _("El dígito verificador del RUC %(numero)s no corresponde: revise si hay un número cambiado.")
        except NumeroInvalido:
            mensaje = _("El RUC tiene 11 dígitos y empieza con 10, 15, 16, 17 o 20; «%(numero)s» no.")
        raise ValidationError({"numero_documento": mensaje % {"numero": numero}})
    formas = {
        TipoDocumento.DNI: (r"\d{8}", _("El DNI tiene 8 dígitos.")),
        TipoDocumento.CE: (r"[A-Z0-9]{9,12}", _("El carné de extranjería tiene de 9 a 12 letras o dígitos.")),
        TipoDocumento.PASAPORTE: (r"[A-Z0-9]{5,12}", _("El pasaporte tiene de 5 a 12 letras o dígitos.")),
    }
    if tipo not in formas:
        raise ValidationError({"tipo_documento": _("Elija el tipo de documento.")})
    forma, mensaje = formas[TipoDocumento(tipo)]
    if not re.fullmatch(forma, limpio):
        raise ValidationError({"numero_documento": mensaje})
    return limpio


def normalizar_contenedor(numero: str) -> str:
    """A container number as ISO 6346 writes it: capitals, without blanks or hyphens."""
    return re.sub(r"[\s.\-]", "", numero).upper()


def validar_contenedor(numero: str) -> None:
    """Refuse a container number that breaks ISO 6346, saying which digit was expected."""
    limpio = normalizar_contenedor(numero)
    try:
        iso6346.validate(limpio)
    except InvalidChecksum:
        esperado = iso6346.calc_check_digit(limpio[:-1])
        raise ValidationError(
            _("El dígito verificador del contenedor %(numero)s debería ser %(esperado)s: revise lo que está pintado."),
            params={"numero": limpio, "esperado": esperado},
        ) from None
    except NumeroInvalido:
        raise ValidationError(
            _("«%(numero)s» no es un número de contenedor: cuatro letras (la cuarta U, J o Z) y siete dígitos."),
            params={"numero": numero},
        ) from None


def normalizar_guia_aerea(numero: str) -> str:
    """An air waybill as `999-12345675`, when it has eleven digits; as it came otherwise."""
    digitos = re.sub(r"\D", "", numero)
    return f"{digitos[:3]}-{digitos[3:]}" if len(digitos) == 11 else numero.strip()


def validar_guia_aerea(numero: str) -> None:
    """Refuse an air waybill whose last digit is not the seven before it modulo 7 (IATA)."""
    digitos = re.sub(r"[\s\-]", "", numero)
    if not re.fullmatch(r"\d{11}", digitos):
        raise ValidationError(_("La guía aérea tiene 3 dígitos de la aerolínea y 8 más, como 999-12345675."))
    esperado = int(digitos[3:10]) % 7
    if int(digitos[10]) != esperado:
        raise ValidationError(
            _("El último dígito de la guía aérea debería ser %(esperado)s: revise si hay un número cambiado."),
            params={"esperado": esperado},
        )

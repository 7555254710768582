"""Links and codes of mails. A token is HMAC-SHA256(ENLACE_CLAVE, id‖version): derived while sending, in no table.

Opening one changes nothing, since mail scanners open them too. Revoking or renewing a link kills its token.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import timedelta
from functools import cache

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from .models import Enlace, Notificacion

HUECO = "TOKEN"
TODOS = "todos"  # the reference of a link to all that its address follows, whatever that is
TODOS_VALE = timedelta(days=30)  # it opens more than one to one thing: it lives shorter


def token(enlace: Enlace, version: int | None = None) -> str:
    """The link's secret: the row's id and 160 bits of its HMAC. `version`: of an earlier one, which opens nothing."""
    mensaje = f"enlace:{enlace.pk}:{version or enlace.version}".encode()
    firma = hmac.new(settings.ENLACE_CLAVE.encode(), mensaje, hashlib.sha256).digest()[:20]
    return f"{enlace.pk}-{urlsafe_b64encode(firma).decode().rstrip('=')}"


def abrir(texto: str) -> Enlace | None:
    """The link that `texto` opens; None when it is not one of ours, expired or revoked."""
    pk, _guion, _firma = texto.partition("-")
    if not (pk.isascii() and pk.isdigit() and len(pk) <= 18):
        return None
    enlace = vigente(int(pk))
    if enlace is None or not hmac.compare_digest(token(enlace).encode(), texto.encode()):
        return None
    return enlace


def reconocer(texto: str) -> Enlace | None:
    """The link that `texto` opens or once opened, in force or not: enough to send its address another, no more."""
    pk, _guion, _firma = texto.partition("-")
    enlace = Enlace.objects.filter(pk=int(pk)).first() if pk.isascii() and pk.isdigit() and len(pk) <= 18 else None
    if enlace is None:
        return None
    ultimas = range(max(1, enlace.version - 20), enlace.version + 1)
    suyas = [hmac.compare_digest(token(enlace, version).encode(), texto.encode()) for version in ultimas]
    return enlace if any(suyas) else None


def vigente(pk: int, version: int | None = None) -> Enlace | None:
    """The link with that id, while it is neither revoked nor expired, nor of another version than asked."""
    enlace = Enlace.objects.filter(pk=pk, revocado_en=None).filter(
        Q(vence_en=None) | Q(vence_en__gt=timezone.now())
    ).first()  # fmt: skip
    return None if enlace is None or version not in (None, enlace.version) else enlace


def codigo(referencia: str) -> str:
    """The six digits that prove an address: of `referencia`, which must be another for each mail."""
    firma = hmac.new(settings.ENLACE_CLAVE.encode(), f"codigo:{referencia}".encode(), hashlib.sha256).digest()
    return f"{int.from_bytes(firma[:8]) % 1_000_000:06d}"


def url(enlace: Enlace) -> str:
    """The absolute address that a mail carries."""
    return settings.SITIO_URL + ruta("seguimiento").replace(HUECO, token(enlace))


@cache  # the resolver takes longer than all else that makes a link
def ruta(nombre: str) -> str:
    """The path of the page that opens with a token, with HUECO where that goes."""
    return reverse(nombre, args=[HUECO])


def revocar_de(*, referencia: str, correo: str) -> None:
    """Kill the live link of an address to an object, and take back the mails that would still carry it."""
    vivos = Enlace.objects.filter(referencia=referencia, correo=correo, revocado_en=None)
    Notificacion.objects.filter(enlace__in=vivos, estado=Notificacion.Estado.PENDIENTE).update(
        estado=Notificacion.Estado.CANCELADA, para_resumen=False, error="El enlace se retiró antes de enviarlo."
    )
    vivos.update(revocado_en=timezone.now())


def vencer(*, referencia: str, dentro_de: timedelta) -> None:
    """Let the object's live links expire after a while: its story is over."""
    Enlace.objects.filter(referencia=referencia, revocado_en=None, vence_en=None).update(
        vence_en=timezone.now() + dentro_de
    )


def prolongar(*, referencia: str) -> None:
    """Let the object's live links last again without end: its story goes on."""
    Enlace.objects.filter(referencia=referencia, revocado_en=None).exclude(vence_en=None).update(vence_en=None)

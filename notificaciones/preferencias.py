"""What an address wants to receive, and the page on which it says so.

Only what its sender called `dejable` can be gathered or stopped; all else goes out at once, whatever was asked. The
token of the page is HMAC-SHA256(ENLACE_CLAVE, id): derived while sending, in no table.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from datetime import datetime, time, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from senasa import reloj

from . import enlaces
from .models import Notificacion, Preferencia

RESUMEN = "resumen"  # the notice that gathers others
# Where the links stand in the texts: one's own, and in a digest one for each case.
LUGARES = re.compile(r"%ENLACE(?::\d+)?%")
# Why a row of the outbox was never sent: staff read it on the case.
NO_QUIERE = "No se envió: quien lo recibe pidió no recibir estos avisos."


def de(correo: str) -> Preferencia:
    """What that address wants: everything at once, until it says otherwise."""
    return Preferencia.objects.get_or_create(correo=correo.lower(), defaults={"cambiada_en": reloj.ahora()})[0]


def token(preferencia: Preferencia) -> str:
    """The page's secret: the row's id and 160 bits of its HMAC."""
    firma = hmac.new(settings.ENLACE_CLAVE.encode(), f"preferencia:{preferencia.pk}".encode(), hashlib.sha256)
    return f"{preferencia.pk}-{urlsafe_b64encode(firma.digest()[:20]).decode().rstrip('=')}"


def abrir(texto: str) -> Preferencia | None:
    """The preferences that `texto` opens; None when it is no token of ours."""
    pk, _guion, _firma = texto.partition("-")
    if not (pk.isascii() and pk.isdigit() and len(pk) <= 18):
        return None
    preferencia = Preferencia.objects.filter(pk=int(pk)).first()
    if preferencia is None or not hmac.compare_digest(token(preferencia).encode(), texto.encode()):
        return None
    return preferencia


def url(preferencia: Preferencia) -> str:
    """The page that the foot of a mail leads to."""
    return settings.SITIO_URL + enlaces.ruta("preferencias").replace(enlaces.HUECO, token(preferencia))


def cabeceras(preferencia: Preferencia) -> dict[str, str]:
    """One-click unsubscribe (RFC 2369, RFC 8058): the program of the reader posts, without cookie or page."""
    direccion = settings.SITIO_URL + enlaces.ruta("preferencias_baja").replace(enlaces.HUECO, token(preferencia))
    cabeceras = {"List-Unsubscribe": f"<{direccion}>"}
    if direccion.startswith("https://"):  # RFC 8058, section 3.1
        cabeceras["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return cabeceras


@transaction.atomic
def guardar(*, preferencia: Preferencia, modo: str) -> Preferencia:
    """Note how the address wants its news, and settle those that already wait for its digest."""
    preferencia = Preferencia.objects.select_for_update().get(pk=preferencia.pk)
    if preferencia.modo == modo:
        return preferencia
    preferencia.modo, preferencia.cambiada_en = modo, reloj.ahora()
    preferencia.save(update_fields=["modo", "cambiada_en"])
    esperan = Notificacion.objects.filter(correo=preferencia.correo, para_resumen=True)
    if modo == Preferencia.Modo.MINIMO:
        esperan.update(para_resumen=False, estado=Notificacion.Estado.CANCELADA, error=NO_QUIERE)
    elif modo == Preferencia.Modo.TODO:
        esperan.update(para_resumen=False, proximo_intento_en=timezone.now())
    return preferencia


def hora_del_resumen(ahora: datetime) -> datetime:
    """When the next digest goes out: today's hour (RESUMEN_HORA, Lima), or tomorrow's once that has passed."""
    local = timezone.localtime(ahora)
    hoy = timezone.make_aware(datetime.combine(local.date(), time(settings.RESUMEN_HORA)))
    return hoy if ahora < hoy else hoy + timedelta(days=1)


def lugar_de(enlace_id: int) -> str:
    """Where a digest shows the link of one of its cases."""
    return f"%ENLACE:{enlace_id}%"

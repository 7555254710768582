"""What other mail servers report of our mails (RFC 3464): read from a box of ours, matched to the row, put away.

Anybody can write to that box. A report moves one row at most, the one whose Message-ID it knows: 160 random bits that
only whoever handled that mail has seen. It can say of it that it arrived or that it did not, and nothing else: no text
of a report is kept, only the code of its status. Whatever cannot be read is put aside, so that nothing is read twice.
"""

import imaplib
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from senasa.models import Latido

from . import services
from .models import Notificacion

registro = logging.getLogger(__name__)

# A report brings back the head of a mail, seldom all of it: ours weigh some kilobytes.
PUERTO_IMAP, PUERTO_IMAPS = 143, 993
TOPE_OCTETOS = 1_000_000
# How many are read in one turn, well inside Celery's limit.
LOTE = 200
ESPERA_SEGUNDOS = 10
LEIDOS, APARTADOS = "Leidos", "Apartados"
NUESTRO = re.compile(r"<[a-z0-9]{32}@[^<>\s@]{1,80}>")
E = Notificacion.Estado


class Que(StrEnum):
    """What a report was worth."""

    ENTREGADA = "entregada"
    REBOTADA = "rebotada"
    SIN_EFECTO = "sin_efecto"  # delayed or relayed, said already, or of a mail that was not ours
    ILEGIBLE = "ilegible"  # no report at all


@dataclass(frozen=True)
class Reporte:
    """`ids`: the Message-IDs that it may be about, the surest first. `estado`: as RFC 3463 writes it, «5.1.1»."""

    ids: tuple[str, ...]
    que: Que
    estado: str = ""


# ── Reading one ───────────────────────────────────────────────────────────────────────────────────


def interpretar(crudo: bytes) -> Reporte | None:
    """What a report says; None when it is none, or not of a mail of ours. Never raises."""
    try:
        mensaje = message_from_bytes(crudo)
        partes: Any = mensaje.get_payload()
        es_reporte = mensaje.get_content_type() == "multipart/report" and isinstance(partes, list)
        if not es_reporte or str(mensaje.get_param("report-type", "")).lower() != "delivery-status":
            return None
        grupos: Any = next(
            (una.get_payload() for una in partes if una.get_content_type() == "message/delivery-status"), []
        )
        if not isinstance(grupos, list) or len(grupos) < 2:
            return None
        ids = (_id_devuelto(partes), _id_del_sobre(grupos[0]))
        validos = tuple(dict.fromkeys(uno for uno in ids if NUESTRO.fullmatch(uno)))
        return Reporte(validos, *_que_dice(grupos[1:])) if validos else None
    except Exception as error:  # bytes from anybody: whatever the parser makes of them, the next one is read
        registro.warning("un reporte de correo no se pudo leer: %s", type(error).__name__)
        return None


def _id_devuelto(partes: list[Message]) -> str:
    """The Message-ID of the mail that the report brings back, whole or only its head."""
    for parte in partes:
        contenido: Any = parte.get_payload()
        if parte.get_content_type() == "message/rfc822" and isinstance(contenido, list) and contenido:
            return str(contenido[0].get("Message-ID", "")).strip()
        if parte.get_content_type() == "text/rfc822-headers":
            cabeceras: Any = parte.get_payload(decode=True) or b""
            return str(message_from_string(cabeceras.decode("utf-8", "replace")).get("Message-ID", "")).strip()
    return ""


def _id_del_sobre(grupo: Message) -> str:
    """The Message-ID that the envelope's id stands for: we give the first half of it (`services._por_smtp`)."""
    return f"<{str(grupo.get('Original-Envelope-Id', '')).strip()}@{services.dominio()}>"


def _que_dice(destinatarios: list[Message]) -> tuple[Que, str]:
    """Each mail of ours has one reader; where it was passed on to several, one that failed counts."""
    dichos = [(str(uno.get("Action", "")).strip().lower(), str(uno.get("Status", ""))) for uno in destinatarios]
    estados = {accion: hallado[0] if (hallado := re.search(r"[245]\.\d{1,3}\.\d{1,3}", estado)) else ""
               for accion, estado in reversed(dichos)}  # fmt: skip
    if "failed" in estados:
        return Que.REBOTADA, estados["failed"]
    if set(estados) == {"delivered"}:
        return Que.ENTREGADA, estados["delivered"]
    return Que.SIN_EFECTO, ""


def en_palabras(estado: str) -> str:
    """Why it came back, for those who can mend it: from the code of RFC 3463, never from the other server's text."""
    asunto, detalle = ([*estado.split("."), "", ""])[1:3]
    match asunto, detalle:
        case "1", "1" | "10":
            porque = _("la dirección no existe")
        case "1", "2":
            porque = _("el dominio de la dirección no existe")
        case "1", _otro:
            porque = _("la dirección no sirve")
        case "2", "2":
            porque = _("el buzón está lleno")
        case "2", _otro:
            porque = _("el buzón no recibe mensajes")
        case "3", "4":
            porque = _("el mensaje le pareció demasiado grande")
        case "4", _otro:
            porque = _("no se pudo llegar a su servidor")
        case "7", _otro:
            porque = _("su servidor no acepta nuestros mensajes")
        case _:
            porque = _("su servidor no dijo por qué")
    return _("Devuelto: %(porque)s%(codigo)s.") % {"porque": porque, "codigo": f" ({estado})" if estado else ""}


# ── Writing down what it says ─────────────────────────────────────────────────────────────────────

# What each report may change. A mail that came back stays so, whoever says later that it arrived; and of one whose
# acceptance we never heard (cut off after DATA), a report is the proof that it was taken.
DESDE = {Que.ENTREGADA: (E.PENDIENTE, E.ENVIADA), Que.REBOTADA: (E.PENDIENTE, E.ENVIADA, E.ENTREGADA)}


@transaction.atomic
def anotar(reporte: Reporte) -> Que:
    """Write on its row what became of a mail. Repeating it changes nothing."""
    por_id = Notificacion.objects.select_for_update().in_bulk(reporte.ids, field_name="message_id")
    notificacion = next((por_id[uno] for uno in reporte.ids if uno in por_id), None)
    if notificacion is None or notificacion.estado not in DESDE.get(reporte.que, ()) or not notificacion.intentos:
        return Que.SIN_EFECTO
    momento = timezone.now() - notificacion.desfase
    notificacion.enviada_en = notificacion.enviada_en or momento
    notificacion.reclamada_hasta = None
    if reporte.que == Que.REBOTADA:
        notificacion.estado, notificacion.rebotada_en = E.REBOTADA, momento
        notificacion.error = en_palabras(reporte.estado)
    else:
        notificacion.estado, notificacion.entregada_en, notificacion.error = E.ENTREGADA, momento, ""
    notificacion.save(update_fields=["estado", "enviada_en", "entregada_en", "rebotada_en", "reclamada_hasta", "error"])
    # What a digest carried shares its luck.
    notificacion.reunidas.exclude(estado=E.CANCELADA).update(
        **{
            campo: getattr(notificacion, campo)
            for campo in ("estado", "enviada_en", "entregada_en", "rebotada_en", "error")
        }
    )
    return reporte.que


def leer() -> Counter[Que]:
    """Read what waits in the box that REBOTES_URL names, `LOTE` at most; how many of each kind."""
    cuenta: Counter[Que] = Counter()
    if not settings.REBOTES_URL:
        return cuenta
    with abrir(settings.REBOTES_URL) as buzon:
        for clave, crudo in buzon.mensajes():
            reporte = interpretar(crudo) if crudo is not None else None
            que = anotar(reporte) if reporte else Que.ILEGIBLE
            cuenta[que] += 1
            # Only now: whoever dies before this reads it again, and that changes nothing.
            buzon.guardar(clave, APARTADOS if que == Que.ILEGIBLE else LEIDOS)
    Latido.anotar("rebotes", **{str(que): n for que, n in cuenta.items()})
    return cuenta


# ── The box ───────────────────────────────────────────────────────────────────────────────────────


class Maildir:
    """A folder of mails, one file each; what was read is moved into folders of its own, as Maildir++ names them."""

    def __init__(self, carpeta: Path) -> None:
        self.carpeta = carpeta

    def mensajes(self) -> Iterator[tuple[str, bytes | None]]:
        """Key and bytes of each; None for one that is too big to be a report."""
        for donde in ("new", "cur"):
            for archivo in sorted((self.carpeta / donde).iterdir())[:LOTE]:
                with suppress(FileNotFoundError):  # another reader was faster
                    tamano = archivo.stat().st_size
                    yield f"{donde}/{archivo.name}", archivo.read_bytes() if tamano <= TOPE_OCTETOS else None

    def guardar(self, clave: str, en: str) -> None:
        destino = self.carpeta / f".{en}"
        for parte in ("cur", "new", "tmp"):
            (destino / parte).mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            (self.carpeta / clave).rename(destino / "cur" / Path(clave).name)


class Imap:
    """The inbox of an account, or the folder that the address names; what was read is moved into folders beside it."""

    def __init__(self, servidor: imaplib.IMAP4, carpeta: str) -> None:
        self.servidor = servidor
        for nombre in (LEIDOS, APARTADOS):
            servidor.create(nombre)  # a NO says that it is there
        _exigir(servidor.select(f'"{carpeta}"'))

    def mensajes(self) -> Iterator[tuple[str, bytes | None]]:
        (hallados,) = _exigir(self.servidor.uid("SEARCH", "UNDELETED"))
        for uid in (hallados or b"").decode().split()[:LOTE]:
            (tamano,) = _exigir(self.servidor.uid("FETCH", uid, "(RFC822.SIZE)"))
            hallado = re.search(rb"RFC822\.SIZE (\d+)", tamano or b"")
            if hallado is None:  # gone meanwhile
                continue
            if int(hallado[1]) > TOPE_OCTETOS:
                yield uid, None
                continue
            respuesta = _exigir(self.servidor.uid("FETCH", uid, "(BODY.PEEK[])"))
            yield uid, next((parte[1] for parte in respuesta if isinstance(parte, tuple)), None)

    def guardar(self, clave: str, en: str) -> None:
        _exigir(self.servidor.uid("COPY", clave, en))
        _exigir(self.servidor.uid("STORE", clave, "+FLAGS.SILENT", r"(\Deleted)"))
        _exigir(self.servidor.expunge())


def _exigir(respuesta: tuple[str, list]) -> list:
    if respuesta[0] != "OK":
        raise imaplib.IMAP4.error("el servidor de correo se negó")
    return respuesta[1]


@contextmanager
def abrir(url: str) -> Iterator[Maildir | Imap]:
    """The box at `maildir:///folder`, `imap+ssl://user:password@host/FOLDER` or `imap://…`.

    Raises ImproperlyConfigured for any other address, and where a password would cross a network in the clear.
    """
    partes = urlsplit(url)
    if partes.scheme == "maildir":
        yield Maildir(Path(unquote(partes.path)))
        return
    if partes.scheme not in {"imap", "imap+ssl"} or not partes.hostname:
        raise ImproperlyConfigured("REBOTES_URL es maildir:///carpeta, imap+ssl://… o imap://….")
    cifrado = partes.scheme == "imap+ssl"
    clase = imaplib.IMAP4_SSL if cifrado else imaplib.IMAP4
    puerto = partes.port or (PUERTO_IMAPS if cifrado else PUERTO_IMAP)
    with clase(partes.hostname, puerto, timeout=ESPERA_SEGUNDOS) as servidor:
        if not cifrado:
            if "STARTTLS" in servidor.capabilities:
                servidor.starttls()
            elif not settings.DEMO and partes.hostname not in {"localhost", "127.0.0.1", "::1"}:
                raise ImproperlyConfigured("REBOTES_URL: ese servidor no cifra; use imap+ssl://.")
        servidor.login(unquote(partes.username or ""), unquote(partes.password or ""))
        yield Imap(servidor, unquote(partes.path.strip("/")) or "INBOX")

"""The outbox: owed within the act's transaction, sent by the worker with no transaction open.

A row is the truth; the doorbell only makes it quick. Whoever dies in the middle leaves a claim that expires,
and the same row goes out again under the same Message-ID.
"""

import logging
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.errors import MessageError
from email.utils import parseaddr
from functools import cache

import psycopg
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as Smtp
from django.core.validators import validate_email
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.html import escape

from senasa import reloj, timbre

from . import enlaces, preferencias, tasks
from .mensaje import Correo, direccion
from .models import Enlace, Notificacion, Preferencia

registro = logging.getLogger(__name__)

# Where links and codes go in the texts: none may be in any table, so they are put in while sending.
LUGAR_DEL_ENLACE = "%ENLACE%"
LUGAR_DE_PREFERENCIAS = "%PREFERENCIAS%"
LUGAR_DEL_CODIGO = "%CODIGO%"
CON_CODIGO = "codigo"  # the one notice that carries a code
# What a killed worker had in hand is sent by another after this long: longer than a server may hang (EMAIL_TIMEOUT),
# and with a sweep every five seconds well within a minute.
RECLAMO = timedelta(seconds=30)
VIDA = timedelta(hours=24)
PAUSAS = [timedelta(seconds=s) for s in (30, 60, 120, 300, 600, 1200, 2400, 3600)]
LOTE = 50
# As many of them are taken at once as go out in a moment: one from a slow server, and then one at a time. Who is killed
# had no more in hand; what cannot begin at once, when the server becomes slow, is let go.
MANO = 8
MANO_SEGUNDOS = 0.05
SOLTAR_SEGUNDOS = 1.0
# The server refuses us, not this mail: every mail waits until somebody has settled it.
DE_LA_CONEXION = (smtplib.SMTPAuthenticationError, smtplib.SMTPConnectError, smtplib.SMTPHeloError)
# A task drains for this long at most, well inside Celery's soft limit.
TURNO_SEGUNDOS = 40


def enlace_para(*, referencia: str, correo: str) -> Enlace:
    """The live link of an address to an object, made if there is none; an expired one lives again, with a new token.

    One to all that it follows lives for TODOS_VALE from when it was last given.
    """
    correo = correo.lower()
    enlace, _nuevo = Enlace.objects.get_or_create(
        referencia=referencia, correo=correo, revocado_en=None, defaults={"creado_en": reloj.ahora()}
    )
    if enlace.vence_en and enlace.vence_en <= timezone.now():
        enlace.version, enlace.vence_en = enlace.version + 1, None
        enlace.save(update_fields=["version", "vence_en"])
    if referencia == enlaces.TODOS:
        enlace.vence_en = timezone.now() + enlaces.TODOS_VALE
        enlace.save(update_fields=["vence_en"])
    return enlace


def encolar(
    *,
    clave: str,
    correo: str,
    asunto: str,
    texto: str,
    html: str,
    aviso: str,
    referencia: str,
    evento_id: int | None = None,
    enlace: Enlace | None = None,
    reenvio_de: Notificacion | None = None,
    preferencia: Preferencia | None = None,
    dejable: bool = False,
    version_del_texto: str = "",
) -> Notificacion:
    """Owe a mail, within the caller's transaction. The same `clave` owes it once. `reenvio_de`: the one it repeats.

    `preferencia`: what its reader wants, and whose page the foot leads to. `dejable`: that may hold this one back: it
    then waits for the digest of the day, or its row says that it was not sent, and why. `version_del_texto`: what it
    was written with.

    Raises ValueError for a line break in address or subject: a header must not be forged.
    """
    if len(f"{correo}{asunto}.".splitlines()) > 1:  # the form feeds and separators that the mail library breaks at too
        raise ValueError("ni el correo ni el asunto admiten saltos de línea")
    validate_email(correo)
    ahora = timezone.now()
    debida_en = reloj.ahora() if reloj.esta_fijado() else ahora
    modo = preferencia.modo if preferencia and dejable else Preferencia.Modo.TODO
    saldra_en = preferencias.hora_del_resumen(ahora) if modo == Preferencia.Modo.RESUMEN else debida_en
    notificacion, nueva = Notificacion.objects.get_or_create(
        clave=clave,
        defaults={
            "aviso": aviso,
            "correo": correo,
            "asunto": asunto[:200],
            "texto": texto,
            "html": html,
            "referencia": referencia,
            "evento_id": evento_id,
            "enlace": enlace,
            "creada_en": debida_en,
            "desfase": ahora - debida_en,
            "proximo_intento_en": saldra_en,
            "limite_en": max(ahora, saldra_en) + VIDA,
            "reenvio_de": reenvio_de,
            "preferencia": preferencia,
            "dejable": dejable,
            "version_del_texto": version_del_texto,
            "para_resumen": modo == Preferencia.Modo.RESUMEN,
            **(
                {"estado": Notificacion.Estado.CANCELADA, "error": preferencias.NO_QUIERE}
                if modo == Preferencia.Modo.MINIMO
                else {}
            ),
            "message_id": f"<{get_random_string(32).lower()}@{dominio()}>",
        },
    )
    if nueva and modo == Preferencia.Modo.TODO:
        timbre.tocar(tasks.despachar)
    return notificacion


def olvidar(*, referencia: str) -> None:
    """Delete the mails and the links of something that does not exist any more."""
    Notificacion.objects.filter(referencia=referencia).delete()
    Enlace.objects.filter(referencia=referencia).delete()


def dominio() -> str:
    """What our Message-IDs end with."""
    return remitente(settings.CORREO_REMITENTE).rpartition("@")[2] or "localhost"


@cache  # the same for every mail
def remitente(de: str) -> str:
    """The bare address of whom our mails come from."""
    return parseaddr(de)[1]


def reenviar(notificacion: Notificacion, *, correo: str) -> Notificacion:
    """Owe the same mail again, to `correo`, in a row that names the one before; asked twice, it is the same row.

    Within the caller's transaction. What carries a link gets the live one of that address.
    """
    enlace = enlace_para(referencia=notificacion.referencia, correo=correo) if notificacion.enlace_id else None
    nueva = encolar(
        clave=f"reenvio:{notificacion.pk}",
        correo=correo,
        asunto=notificacion.asunto,
        texto=notificacion.texto,
        html=notificacion.html,
        aviso=notificacion.aviso,
        referencia=notificacion.referencia,
        evento_id=notificacion.evento_id,
        enlace=enlace,
        reenvio_de=notificacion,
        preferencia=preferencias.de(correo) if notificacion.preferencia_id else None,
        version_del_texto=notificacion.version_del_texto,
    )
    reparar(Notificacion.objects.filter(pk=notificacion.pk))
    return nueva


def reparar(notificaciones: QuerySet[Notificacion]) -> int:
    """Note that somebody did what mends those of them that did not arrive; how many."""
    perdidas = notificaciones.filter(estado__in=Notificacion.PERDIDAS, reparada_en=None)
    return perdidas.update(reparada_en=timezone.now())


def despachar() -> int:
    """Send what is due until nothing is left or the turn is over; how many went out."""
    with _sin_esperar_al_disco():
        return _despachar(time.monotonic() + TURNO_SEGUNDOS)


@contextmanager
def _sin_esperar_al_disco() -> Iterator[None]:
    """Let this connection's commits return before the disk has them, within the block.

    What a worker does is seen by others at once and outlives the worker. Should the database's machine itself die,
    the last half second of «sent» may be missing, and those mails go out again under the same Message-ID.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    try:
        yield
    finally:
        try:
            with connection.cursor() as cursor:
                cursor.execute("RESET synchronous_commit")
        except DatabaseError:  # the next user of this connection must not inherit it
            connection.close_if_unusable_or_obsolete()


def _despachar(hasta: float) -> int:
    enviadas, mano = 0, 1
    conexion = get_connection()
    salidas: list[Notificacion] = []  # those that the server took, not yet noted
    try:
        while time.monotonic() < hasta and (lote := _reclamar()):
            while lote and time.monotonic() < hasta:  # a server that hangs: the rest of the claims expire by themselves
                tomadas, lote = _tomar(lote[:mano], salidas), lote[mano:]
                salidas, desde = [], time.monotonic()
                while tomadas and time.monotonic() - desde < SOLTAR_SEGUNDOS:
                    notificacion = tomadas.pop(0)
                    if _entregar(notificacion, conexion):
                        salidas.append(notificacion)
                        enviadas += 1
                if tomadas:
                    _soltar(tomadas)
                    lote = tomadas + lote
                    mano = 1
                else:
                    mano = min(2 * mano, MANO) if time.monotonic() - desde < MANO_SEGUNDOS else max(mano // 2, 1)
    finally:
        try:
            if salidas:
                _tomar([], salidas)
        finally:
            _cerrar(conexion)
    return enviadas


@transaction.atomic
def _reclamar() -> list[Notificacion]:
    """Take a few due rows for this worker alone; another worker skips them."""
    ahora = timezone.now()
    lote = list(
        Notificacion.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("enlace", "preferencia")
        .filter(Q(reclamada_hasta=None) | Q(reclamada_hasta__lte=ahora))
        .filter(estado=Notificacion.Estado.PENDIENTE, proximo_intento_en__lte=ahora)
        .filter(para_resumen=False, resumen=None)  # what a digest carries goes out with it
        .order_by("proximo_intento_en")[:LOTE]
    )
    Notificacion.objects.filter(pk__in=[notificacion.pk for notificacion in lote]).update(
        reclamada_hasta=ahora + RECLAMO
    )
    return lote


# One round to the database for a handful of mails: those before are noted as sent when the next are taken. A claim can
# expire while earlier mails of the batch hang, and an address can be corrected: who comes late leaves the row alone.
# A report may be faster than we are: what it said stays.
ENVIADAS = """
UPDATE notificaciones_notificacion SET estado = 'enviada', enviada_en = %(ahora)s - desfase, reclamada_hasta = NULL,
    error = '' WHERE id = ANY(%(enviadas)s::bigint[]) AND estado NOT IN ('entregada', 'rebotada')"""
CON_LO_REUNIDO = " OR resumen_id = ANY(%(enviadas)s::bigint[]) AND estado = 'pendiente'"
TOMADAS = """
UPDATE notificaciones_notificacion fila SET intentos = fila.intentos + 1, reclamada_hasta = %(hasta)s
    FROM unnest(%(ids)s::bigint[], %(intentos)s::smallint[]) AS mia(id, intentos)
    WHERE fila.id = mia.id AND fila.intentos = mia.intentos AND fila.estado = 'pendiente' RETURNING fila.id"""


def _tomar(notificaciones: list[Notificacion], enviadas: list[Notificacion]) -> list[Notificacion]:
    """Note `enviadas` as sent, and take `notificaciones` for one try; those that are still ours to send."""
    ahora = timezone.now()
    valores = {
        "ahora": ahora,
        "hasta": ahora + RECLAMO,
        "enviadas": [una.pk for una in enviadas],
        "ids": [una.pk for una in notificaciones],
        "intentos": [una.intentos for una in notificaciones],
    }
    con_resumen = any(una.aviso == preferencias.RESUMEN for una in enviadas)
    orden = f"WITH enviadas AS ({ENVIADAS}{CON_LO_REUNIDO if con_resumen else ''}) {TOMADAS}"
    connection.ensure_connection()
    # Django's own cursors write each value into the text, and PostgreSQL plans it anew every time.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        mias = {pk for (pk,) in cursor.execute(orden, valores, prepare=True)}
    return [una for una in notificaciones if una.pk in mias]


def _soltar(notificaciones: list[Notificacion]) -> None:
    """Take back the try of those that were taken and not begun: the server has become slow."""
    filas = Notificacion.objects.filter(pk__in=[una.pk for una in notificaciones], estado=Notificacion.Estado.PENDIENTE)
    filas.update(intentos=F("intentos") - 1)


def componer(notificacion: Notificacion) -> Correo:
    """The mail as it goes out, with its link or its code put in."""
    secretos = _secretos(notificacion)
    mensaje = Correo(
        subject=notificacion.asunto,
        body=_con(secretos, notificacion.texto),
        from_email=settings.CORREO_REMITENTE,
        to=[notificacion.correo],
        headers={
            "Message-ID": notificacion.message_id,
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            **(
                preferencias.cabeceras(notificacion.preferencia)
                if notificacion.preferencia and notificacion.dejable
                else {}
            ),
        },
    )
    html = _con({lugar: escape(valor) for lugar, valor in secretos.items()}, notificacion.html)
    mensaje.attach_alternative(html, "text/html")
    return mensaje


def _secretos(notificacion: Notificacion) -> dict[str, str]:
    """What is put in while sending, by its place in the texts."""
    secretos = {LUGAR_DEL_ENLACE: enlaces.url(notificacion.enlace) if notificacion.enlace else settings.SITIO_URL}
    if notificacion.aviso == CON_CODIGO:
        secretos[LUGAR_DEL_CODIGO] = enlaces.codigo(notificacion.referencia)
    if notificacion.preferencia:
        secretos[LUGAR_DE_PREFERENCIAS] = preferencias.url(notificacion.preferencia)
    if notificacion.aviso == preferencias.RESUMEN:
        # The links of its own rows and reader alone, whatever stands in the text; one taken back opens nothing.
        suyas = Q(notificacion__resumen=notificacion) | Q(notificacion__resumen__reenvio=notificacion)
        suyas |= Q(referencia=enlaces.TODOS)
        for enlace in Enlace.objects.filter(suyas, correo=notificacion.correo).distinct():
            secretos[preferencias.lugar_de(enlace.pk)] = enlaces.url(enlace)
    return secretos


def _con(secretos: dict[str, str], texto: str) -> str:
    for lugar, valor in secretos.items():
        texto = texto.replace(lugar, valor)
    return texto


def sin_secretos(texto: str) -> str:
    """A mail's text for whoever is not its reader: links and codes are named, not given."""
    texto = texto.replace(LUGAR_DEL_CODIGO, "[código, reservado]")
    texto = texto.replace(LUGAR_DE_PREFERENCIAS, "[enlace de preferencias, reservado]")
    return preferencias.LUGARES.sub("[enlace de seguimiento, reservado]", texto)


def _entregar(notificacion: Notificacion, conexion: BaseEmailBackend) -> bool:
    """Hand one mail to the server; whether it took it. What went wrong is noted on its row."""
    try:
        conexion.open()  # kept open for the whole turn
        if isinstance(conexion, Smtp):
            assert conexion.connection  # open by now
            _por_smtp(notificacion, conexion.connection)
        else:
            conexion.send_messages([componer(notificacion)])
    except Exception as error:  # smtplib, sockets, or a mail that cannot be composed
        _cerrar(conexion)
        _anotar_fallo(notificacion, error)
        return False
    return True


def _por_smtp(notificacion: Notificacion, servidor: smtplib.SMTP) -> None:
    """As Django does, and asking for a report of what becomes of it where the server can give one (RFC 3461).

    The envelope's id is the Message-ID's own: a report names it even when it brings nothing of the mail along.
    """
    mensaje = componer(notificacion)
    de_mail, de_rcpt = [], []
    servidor.ehlo_or_helo_if_needed()
    if servidor.has_extn("dsn"):
        de_mail = ["RET=HDRS", f"ENVID={notificacion.message_id.strip('<>').partition('@')[0]}"]
        de_rcpt = ["NOTIFY=SUCCESS,FAILURE"]
    servidor.sendmail(
        settings.REBOTES_CORREO or remitente(settings.CORREO_REMITENTE),
        [direccion(notificacion.correo)],
        mensaje.message().as_bytes(linesep="\r\n"),
        mail_options=de_mail,
        rcpt_options=de_rcpt,
    )


def _anotar_fallo(notificacion: Notificacion, error: Exception) -> None:
    """Temporary errors wait longer each time, for 24 hours; a permanent one is not tried again."""
    ahora = timezone.now()
    pausa = PAUSAS[min(notificacion.intentos, len(PAUSAS) - 1)]
    permanente = _es_permanente(error)
    perdida = permanente or ahora + pausa > notificacion.limite_en
    estado = Notificacion.Estado.FALLIDA if perdida else Notificacion.Estado.PENDIENTE
    # Only while this try is the last one: another worker may have sent the row meanwhile.
    Notificacion.objects.filter(
        pk=notificacion.pk, estado=Notificacion.Estado.PENDIENTE, intentos=notificacion.intentos + 1
    ).update(estado=estado, proximo_intento_en=ahora + pausa, reclamada_hasta=None, error=_en_palabras(error))
    if perdida:
        reunidas = notificacion.reunidas.filter(estado=Notificacion.Estado.PENDIENTE)
        reunidas.update(estado=Notificacion.Estado.FALLIDA, error=_en_palabras(error))
    registro.warning("notificación %s sin enviar: %s", notificacion.pk, type(error).__name__)


def _codigo(error: Exception) -> int | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next(iter(error.recipients.values()))[0]
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None


def _es_permanente(error: Exception) -> bool:
    codigo = _codigo(error)
    if codigo is not None:
        return 500 <= codigo < 600 and not isinstance(error, DE_LA_CONEXION)
    # A mail that cannot be composed. All else, Celery's soft limit too, may go better the next time.
    return isinstance(error, ValueError | MessageError)


def _en_palabras(error: Exception) -> str:
    codigo = _codigo(error)
    if codigo is None:
        return "No se pudo conectar con el servidor de correo." if isinstance(error, OSError) else "No se pudo enviar."
    return f"El servidor de correo respondió {codigo}."


def _cerrar(conexion: BaseEmailBackend) -> None:
    try:
        conexion.close()
    except Exception:  # a connection that is already broken says so again
        registro.debug("la conexión de correo ya estaba cerrada")

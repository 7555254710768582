"""Reports of delivery, from a real Maildir and over real IMAP: what they may change, and what nobody can make them."""

import re
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from notificaciones import rebotes, services, tasks
from notificaciones.models import Notificacion
from notificaciones.rebotes import Que
from senasa import reloj
from tests.conftest import Buzon, ServidorSmtp
from tests.notificaciones.test_salida import deber

pytestmark = pytest.mark.django_db
E = Notificacion.Estado


def reporte(de: str, accion: str = "failed", estado: str = "5.1.1", *, trae: str = "message/rfc822") -> bytes:
    """A report as Postfix writes them. `trae`: how it brings the mail back; "sobre", only the envelope's id."""
    sobre = f"Original-Envelope-Id: {de.strip('<>').partition('@')[0]}\n" if trae == "sobre" else ""
    devuelto = f"--=_x\nContent-Type: {trae}\n\nMessage-ID: {de}\nSubject: hola\n\n" if trae != "sobre" else ""
    return (
        "From: MAILER-DAEMON@correo.example\nTo: rebotes@senasa.example\nSubject: Undelivered Mail\n"
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="=_x"\n\n'
        "--=_x\nContent-Type: text/plain\n\nSorry.\n"
        f"--=_x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; correo.example\n{sobre}\n"
        f"Final-Recipient: rfc822; importador0@empresa.example\nAction: {accion}\nStatus: {estado}\n"
        f"Diagnostic-Code: smtp; 550 <script>alert(1)</script>\n\n{devuelto}--=_x--\n"
    ).encode()


@pytest.fixture
def enviada(servidor_smtp: Buzon) -> Notificacion:
    notificacion = deber()
    assert services.despachar() == 1
    notificacion.refresh_from_db()
    return notificacion


def anotar(crudo: bytes) -> Que:
    leido = rebotes.interpretar(crudo)
    assert leido
    return rebotes.anotar(leido)


# ── What a report may change ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("trae", ["message/rfc822", "text/rfc822-headers", "sobre"])
def test_un_reporte_dice_que_fue_del_correo(enviada: Notificacion, trae: str) -> None:
    salio = enviada.enviada_en
    assert anotar(reporte(enviada.message_id, "delayed", "4.4.1", trae=trae)) == Que.SIN_EFECTO
    assert anotar(reporte(enviada.message_id, "delivered", "2.0.0", trae=trae)) == Que.ENTREGADA
    enviada.refresh_from_db()
    assert (enviada.estado, enviada.enviada_en, enviada.rebotada_en) == (E.ENTREGADA, salio, None)
    assert enviada.entregada_en

    assert anotar(reporte(enviada.message_id, trae=trae)) == Que.REBOTADA
    enviada.refresh_from_db()
    assert (enviada.estado, enviada.error) == (E.REBOTADA, "Devuelto: la dirección no existe (5.1.1).")
    devuelta_en = enviada.rebotada_en
    # The same again, and whoever says now that it arrived: nothing moves.
    for accion in ("failed", "delivered", "delayed"):
        assert anotar(reporte(enviada.message_id, accion, trae=trae)) == Que.SIN_EFECTO
    enviada.refresh_from_db()
    assert (enviada.estado, enviada.rebotada_en, enviada.enviada_en) == (E.REBOTADA, devuelta_en, salio)
    assert services.despachar() == 0  # nor does it go out again by itself


def test_lo_que_nunca_salio_no_lo_mueve_nadie() -> None:
    notificacion = deber()
    for estado in (E.PENDIENTE, E.CANCELADA, E.FALLIDA):
        Notificacion.objects.update(estado=estado, intentos=0 if estado == E.PENDIENTE else 1)
        assert anotar(reporte(notificacion.message_id)) == Que.SIN_EFECTO
        notificacion.refresh_from_db()
        assert notificacion.estado == estado


def test_un_reporte_prueba_que_salio_lo_que_se_corto_tras_data(servidor_smtp: Buzon) -> None:
    notificacion = deber()
    servidor_smtp.cortar = True
    services.despachar()
    assert anotar(reporte(notificacion.message_id, "delivered", "2.0.0")) == Que.ENTREGADA
    servidor_smtp.cortar = False
    Notificacion.objects.update(proximo_intento_en=timezone.now())
    assert services.despachar() == 0
    assert len(servidor_smtp.mensajes) == 1


def test_un_reporte_mas_rapido_que_nosotros_se_queda(enviada: Notificacion) -> None:
    """The server's report can be read before the worker has noted that the mail went out."""
    Notificacion.objects.update(estado=E.PENDIENTE, enviada_en=None)
    anotar(reporte(enviada.message_id))
    services._tomar([], [enviada])
    enviada.refresh_from_db()
    assert enviada.estado == E.REBOTADA
    assert enviada.error


@pytest.mark.parametrize(
    "crudo",
    [
        b"",
        b"\xff\xfe\x00" * 100,
        b"From: yo@empresa.example\nSubject: Fuera de la oficina\n\nVuelvo el lunes.",
        reporte("<otro@senasa.example>"),  # of no mail of ours
        reporte("<" + "a" * 32 + "@senasa.example>").replace(b"delivery-status;", b"disposition-notification;"),
        reporte("<" + "a" * 32 + "@senasa.example>").replace(b"message/delivery-status", b"text/plain"),
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=a\n\n" + b"--a\n" * 5000,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000)),
    ],
    ids=["vacio", "basura", "ausente", "ajeno", "lectura", "sin_estado", "partes", "hondo"],
)
def test_lo_que_no_es_un_reporte_nuestro_no_dice_nada(crudo: bytes) -> None:
    assert rebotes.interpretar(crudo) is None


def test_un_desconocido_no_toca_mas_que_el_correo_que_conoce(enviada: Notificacion) -> None:
    """Several ids in one report, or an id that nobody was given: at most one row moves, and only the one it knows."""
    otra = deber(1)
    services.despachar()
    anotar(reporte(enviada.message_id).replace(b"Reporting-MTA", f"Message-ID: {otra.message_id}\nX".encode()))
    assert anotar(reporte("<" + "a" * 32 + "@senasa.example>")) == Que.SIN_EFECTO
    assert set(Notificacion.objects.values_list("correo", "estado")) == {
        (enviada.correo, E.REBOTADA), (otra.correo, E.ENVIADA),
    }  # fmt: skip
    assert not Notificacion.objects.filter(error__contains="script").exists()


def test_en_una_historia_de_hace_dias_lo_que_pasa_es_de_entonces(servidor_smtp: Buzon) -> None:
    """A demonstration walks through months in a minute: what its mails took is true, and lies where the story does."""
    with reloj.fijado(timezone.now() - timedelta(days=30)):
        notificacion = deber()
    services.despachar()
    notificacion.refresh_from_db()
    assert notificacion.enviada_en
    assert timedelta() < notificacion.enviada_en - notificacion.creada_en < timedelta(minutes=1)
    anotar(reporte(notificacion.message_id))
    notificacion.refresh_from_db()
    assert notificacion.rebotada_en
    assert timedelta() < notificacion.rebotada_en - notificacion.enviada_en < timedelta(minutes=1)


# ── The boxes ─────────────────────────────────────────────────────────────────────────────────────


class ImapDePrueba(socketserver.StreamRequestHandler):
    """As much of IMAP4rev1 as a reader of one box asks for. `server.carpetas`: name → uid → (flags, bytes)."""

    def handle(self) -> None:
        self.carpeta = ""
        self.decir("* OK IMAP4rev1 listo")
        while linea := self.rfile.readline().decode().strip():
            marca, orden, *resto = linea.split(" ", 2)
            orden, argumentos = orden.upper(), resto[0] if resto else ""
            if orden == "UID":
                orden, _espacio, argumentos = argumentos.partition(" ")
            respuesta = getattr(self, orden.lower())(argumentos) or "OK"
            self.decir(f"{marca} {respuesta} {orden}")
            if orden == "LOGOUT":
                return

    def decir(self, linea: str) -> None:
        self.wfile.write(f"{linea}\r\n".encode())

    @property
    def carpetas(self) -> dict[str, dict[int, tuple[set[str], bytes]]]:
        return self.server.carpetas  # type: ignore[attr-defined]

    def capability(self, _argumentos: str) -> None:
        self.decir("* CAPABILITY IMAP4rev1")

    def login(self, argumentos: str) -> str:
        return "OK" if argumentos.replace('"', "") == "rebotes s3cr:to" else "NO"

    def logout(self, _argumentos: str) -> None:
        self.decir("* BYE")

    def create(self, nombre: str) -> str:
        if nombre in self.carpetas:
            return "NO"
        self.carpetas[nombre] = {}
        return "OK"

    def select(self, argumentos: str) -> str:
        self.carpeta = argumentos.strip('"')
        if self.carpeta not in self.carpetas:
            return "NO"
        self.decir(f"* {len(self.carpetas[self.carpeta])} EXISTS")
        return "OK"

    def search(self, _argumentos: str) -> None:
        uids = [uid for uid, (marcas, _crudo) in self.carpetas[self.carpeta].items() if r"\Deleted" not in marcas]
        self.decir("* SEARCH " + " ".join(map(str, uids)))

    def fetch(self, argumentos: str) -> None:
        uid, _espacio, que = argumentos.partition(" ")
        crudo = self.carpetas[self.carpeta][int(uid)][1]
        if "SIZE" in que:
            self.decir(f"* 1 FETCH (UID {uid} RFC822.SIZE {len(crudo)})")
        else:
            self.wfile.write(f"* 1 FETCH (UID {uid} BODY[] {{{len(crudo)}}}\r\n".encode() + crudo + b")\r\n")

    def copy(self, argumentos: str) -> None:
        uid, _espacio, destino = argumentos.partition(" ")
        self.carpetas[destino][int(uid)] = self.carpetas[self.carpeta][int(uid)]

    def store(self, argumentos: str) -> None:
        self.carpetas[self.carpeta][int(argumentos.split()[0])][0].add(r"\Deleted")

    def expunge(self, _argumentos: str) -> None:
        suya = self.carpetas[self.carpeta]
        for uid in [uid for uid, (marcas, _crudo) in suya.items() if r"\Deleted" in marcas]:
            del suya[uid]

    def close(self, argumentos: str) -> None:
        self.expunge(argumentos)


class Caja:
    """A box of reports, whichever way it is read: put mails in, see where they are."""

    def __init__(self, url: str, poner: Callable[[bytes], None], donde: Callable[[str], int]) -> None:
        self.url, self.poner, self.donde = url, poner, donde


@pytest.fixture(params=["maildir", "imap"])
def caja(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Iterator[Caja]:
    if request.param == "maildir":
        for parte in ("new", "cur", "tmp"):
            (tmp_path / parte).mkdir()

        def poner(crudo: bytes) -> None:
            (tmp_path / "new" / f"m{time.monotonic_ns()}").write_bytes(crudo)

        def donde(nombre: str) -> int:
            raiz = tmp_path / f".{nombre}" if nombre else tmp_path
            return sum(len(list((raiz / parte).glob("m*"))) for parte in ("new", "cur"))

        settings.REBOTES_URL = f"maildir://{tmp_path}"
        yield Caja(settings.REBOTES_URL, poner, donde)
        return
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), ImapDePrueba) as servidor:
        servidor.carpetas = {"Rebotes": {}}  # type: ignore[attr-defined]
        carpetas: dict[str, dict[int, Any]] = servidor.carpetas  # type: ignore[attr-defined]
        threading.Thread(target=servidor.serve_forever, daemon=True).start()

        def dejar(crudo: bytes) -> None:
            carpetas["Rebotes"][sum(map(len, carpetas.values())) + 1] = (set(), crudo)

        settings.REBOTES_URL = f"imap://rebotes:s3cr%3Ato@127.0.0.1:{servidor.server_address[1]}/Rebotes"
        yield Caja(settings.REBOTES_URL, dejar, lambda nombre: len(carpetas.get(nombre or "Rebotes", {})))
        servidor.shutdown()


def test_leer_la_caja_una_vez_y_dejarla_vacia(
    enviada: Notificacion, caja: Caja, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebotes, "TOPE_OCTETOS", 5000)
    llego = deber(1)
    services.despachar()
    for crudo in (
        reporte(enviada.message_id),
        reporte(enviada.message_id),
        reporte(llego.message_id, "delivered", "2.0.0"),
        reporte(llego.message_id, "delayed", "4.4.1"),
        b"Subject: Fuera de la oficina\n\nVuelvo el lunes.",
        reporte(llego.message_id) + b"x" * 5000,  # too big to be one
    ):
        caja.poner(crudo)
    tasks.leer_rebotes()
    assert dict(Notificacion.objects.values_list("pk", "estado")) == {enviada.pk: E.REBOTADA, llego.pk: E.ENTREGADA}
    assert [caja.donde(nombre) for nombre in ("", rebotes.LEIDOS, rebotes.APARTADOS)] == [0, 4, 2]
    assert rebotes.leer() == {}


def test_quien_muere_antes_de_guardar_lo_lee_otra_vez(
    enviada: Notificacion, caja: Caja, monkeypatch: pytest.MonkeyPatch
) -> None:
    caja.poner(reporte(enviada.message_id))

    def morir(*_que: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as muriendo:
        muriendo.setattr(rebotes.Maildir, "guardar", morir)
        muriendo.setattr(rebotes.Imap, "guardar", morir)
        with pytest.raises(KeyboardInterrupt):
            rebotes.leer()
    assert caja.donde("") == 1
    assert rebotes.leer() == {Que.SIN_EFECTO: 1}
    assert caja.donde("") == 0


def test_sin_caja_no_se_lee_nada_y_una_direccion_mala_se_dice(settings: Any) -> None:
    settings.REBOTES_URL = ""
    assert rebotes.leer() == {}
    for mala in ("pop3://x", "imap:///x", "/var/mail"):
        settings.REBOTES_URL = mala
        with pytest.raises(ImproperlyConfigured, match="REBOTES_URL"):
            rebotes.leer()


# ── Asking for them ───────────────────────────────────────────────────────────────────────────────


def test_se_piden_los_reportes_a_quien_los_da(settings: Any) -> None:
    """RFC 3461, to a server that offers it; the other tests' server does not, and is asked for nothing."""
    ordenes: list[str] = []

    class ConReportes(SMTP):
        async def smtp_MAIL(self, arg: str) -> None:
            ordenes.append(arg)
            await super().smtp_MAIL(re.sub(r" (RET|ENVID)=\S+", "", arg))

        async def smtp_RCPT(self, arg: str) -> None:
            ordenes.append(arg)
            await super().smtp_RCPT(re.sub(r" NOTIFY=\S+", "", arg))

    class Manejo:
        async def handle_EHLO(self, server: SMTP, session: Any, envelope: Any, nombre: str, dichas: list[str]) -> Any:
            session.host_name = nombre
            return [*dichas[:-1], "250-DSN", dichas[-1]]

        async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
            return "250 OK"

    class Servidor(ServidorSmtp):
        def factory(self) -> SMTP:
            return ConReportes(Manejo())

    servidor = Servidor(Manejo())
    servidor.start()
    try:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = servidor.direccion
        settings.REBOTES_CORREO = "rebotes@senasa.example"
        notificacion = deber()
        assert services.despachar() == 1
    finally:
        servidor.stop()
    sobre = notificacion.message_id.strip("<>").partition("@")[0]
    de, para = ordenes
    assert de.startswith("FROM:<rebotes@senasa.example>")
    assert de.endswith(f"RET=HDRS ENVID={sobre}")
    assert para == f"TO:<{notificacion.correo}> NOTIFY=SUCCESS,FAILURE"


def test_el_mensaje_es_el_que_escribiria_la_biblioteca() -> None:
    mensaje = services.componer(deber(asunto="PCM-2026-000123: " + "ñandú largo " * 12))
    leido: Any = message_from_bytes(mensaje.message().as_bytes(linesep="\r\n"), policy=policy.default)
    assert leido.defects == []
    assert leido["Subject"] == mensaje.subject
    texto, html = leido.iter_parts()
    assert texto.get_content().replace("\r\n", "\n") == mensaje.body
    assert html.get_content().replace("\r\n", "\n") == mensaje.alternatives[0].content
    assert max(map(len, mensaje.message().splitlines())) < 998

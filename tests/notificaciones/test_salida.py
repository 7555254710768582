"""The outbox against a real SMTP server: what goes out, what waits, what is given up, and that nothing goes twice."""

import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.mail.backends.smtp import EmailBackend
from django.db import connection
from django.utils import timezone
from django.utils.html import escape

from expedientes import incidencias
from expedientes import services as casos
from expedientes.firma import cargar_certificado
from expedientes.lifecycle import TABLAS
from expedientes.models import AgenteAduana, Expediente, Medida
from expedientes.textos import TEXTOS
from laboratorio import certificados, preguntas, recepcion
from laboratorio.recorrido import anular_informe, enmendar, enmendar_resultado, firmar
from notificaciones import enlaces, services, tasks
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.models import Puesto
from tests.builders import crear_caso, crear_importador, personas
from tests.conftest import Buzon, url_de_la_base

pytestmark = pytest.mark.django_db

RAIZ = Path(__file__).parents[2]
# Those of a request that is no case yet, of a case from before, and of a link asked for are read in tests of their own.
DE_OTRAS_PRUEBAS = {"incorporado", "recibo", "enlace_pedido", "enlace_de_todos"}
AL_PERSONAL = {"certificado_por_vencer", "demora_de_muestras", "pregunta", "respuesta"}
AVISOS = sorted({texto.aviso for texto in TEXTOS.values()} - DE_OTRAS_PRUEBAS)
E = Notificacion.Estado


def deber(n: int = 0, **campos: Any) -> Notificacion:
    datos = {
        "clave": f"prueba:{n}",
        "correo": f"importador{n}@empresa.example",
        "asunto": "PCM-2026-000123: prueba de ñandú",
        "texto": f"Su enlace: {services.LUGAR_DEL_ENLACE}\n",
        "html": f'<p>Señor</p><a href="{services.LUGAR_DEL_ENLACE}">Ver</a>',
        "aviso": "registrada",
        "referencia": f"expediente:{n}",
    } | campos
    datos.setdefault("enlace", services.enlace_para(referencia=datos["referencia"], correo=datos["correo"]))
    return services.encolar(**datos)


def otra_vez() -> None:
    """As if the pause were over."""
    Notificacion.objects.filter(estado=E.PENDIENTE).update(proximo_intento_en=timezone.now(), reclamada_hasta=None)


def test_enviar_un_correo_completo(servidor_smtp: Buzon) -> None:
    notificacion = deber()
    assert services.despachar() == 1
    (mensaje,) = servidor_smtp.mensajes
    notificacion.refresh_from_db()
    assert (notificacion.estado, notificacion.intentos, notificacion.error) == (E.ENVIADA, 1, "")
    assert notificacion.enviada_en
    assert mensaje["To"] == "importador0@empresa.example"
    assert mensaje["Subject"] == "PCM-2026-000123: prueba de ñandú"
    assert mensaje["Message-ID"] == notificacion.message_id
    assert mensaje["Auto-Submitted"] == "auto-generated"
    assert mensaje.get_content_type() == "multipart/alternative"
    texto, html = mensaje.iter_parts()
    assert [texto.get_content_type(), html.get_content_type()] == ["text/plain", "text/html"]
    assert "Señor" in html.get_content()
    enlace = enlaces.url(notificacion.enlace)
    assert f"Su enlace: {enlace}" in texto.get_content()
    assert f'href="{enlace}"' in html.get_content()


def test_enviar_no_repite_lo_enviado(servidor_smtp: Buzon) -> None:
    deber()
    assert [services.despachar() for _vez in range(3)] == [1, 0, 0]
    assert len(servidor_smtp.mensajes) == 1


def test_un_421_se_reintenta_con_el_mismo_message_id(servidor_smtp: Buzon) -> None:
    notificacion = deber()
    servidor_smtp.rechazar = "421 4.3.2 Ahora no"
    assert services.despachar() == 0
    notificacion.refresh_from_db()
    assert (notificacion.estado, notificacion.intentos) == (E.PENDIENTE, 1)
    assert notificacion.proximo_intento_en > timezone.now()
    assert services.despachar() == 0  # its pause is not over
    notificacion.refresh_from_db()
    assert notificacion.intentos == 1

    servidor_smtp.rechazar = ""
    otra_vez()
    assert services.despachar() == 1
    assert [mensaje["Message-ID"] for mensaje in servidor_smtp.mensajes] == [notificacion.message_id]


def test_un_550_falla_una_vez_y_se_ve(servidor_smtp: Buzon) -> None:
    mala, buena = deber(0), deber(1)
    servidor_smtp.rechazar_a = mala.correo
    assert services.despachar() == 1
    otra_vez()
    services.despachar()
    mala.refresh_from_db()
    buena.refresh_from_db()
    assert (mala.estado, mala.intentos, mala.error) == (E.FALLIDA, 1, "El servidor de correo respondió 550.")
    assert buena.estado == E.ENVIADA
    assert [mensaje["To"] for mensaje in servidor_smtp.mensajes] == [buena.correo]


def test_sin_servidor_espera_cada_vez_mas(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as libre:
        puerto = libre.getsockname()[1]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", puerto
    notificacion = deber()
    esperas = []
    for _vez in range(len(services.PAUSAS) + 1):
        otra_vez()
        antes = timezone.now()
        assert services.despachar() == 0
        notificacion.refresh_from_db()
        assert notificacion.estado == E.PENDIENTE
        esperas.append(round((notificacion.proximo_intento_en - antes).total_seconds()))
    assert esperas == [30, 60, 120, 300, 600, 1200, 2400, 3600, 3600]
    assert notificacion.error == "No se pudo conectar con el servidor de correo."


def test_un_servidor_que_no_atiende_a_nadie_no_hace_perder_el_correo(settings: Any) -> None:
    """554 as a greeting is said of us, not of the mail."""
    notificacion = deber()
    with socket.create_server(("127.0.0.1", 0)) as servidor:

        def saludar() -> None:
            cliente, _direccion = servidor.accept()
            with cliente:
                cliente.sendall(b"554 5.3.2 Cerrado\r\n")

        hilo = threading.Thread(target=saludar)
        hilo.start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = servidor.getsockname()
        assert services.despachar() == 0
        hilo.join()
    notificacion.refresh_from_db()
    assert (notificacion.estado, notificacion.error) == (E.PENDIENTE, "El servidor de correo respondió 554.")


def test_a_las_24_horas_se_da_por_perdida(servidor_smtp: Buzon) -> None:
    notificacion = deber()
    assert notificacion.limite_en - notificacion.creada_en >= timedelta(hours=24)
    servidor_smtp.rechazar = "451 4.3.0 Luego"
    Notificacion.objects.update(intentos=30, limite_en=timezone.now() + timedelta(minutes=59))
    services.despachar()
    notificacion.refresh_from_db()
    assert (notificacion.estado, notificacion.error) == (E.FALLIDA, "El servidor de correo respondió 451.")


def test_cortado_tras_data_vuelve_con_el_mismo_message_id(servidor_smtp: Buzon) -> None:
    """The server took the mail but its answer got lost: only the Message-ID tells the reader it is the same."""
    notificacion = deber()
    servidor_smtp.cortar = True
    assert services.despachar() == 0
    notificacion.refresh_from_db()
    assert notificacion.estado == E.PENDIENTE
    servidor_smtp.cortar = False
    otra_vez()
    assert services.despachar() == 1
    assert [mensaje["Message-ID"] for mensaje in servidor_smtp.mensajes] == [notificacion.message_id] * 2


def test_muchos_correos_por_una_sola_conexion(servidor_smtp: Buzon, monkeypatch: pytest.MonkeyPatch) -> None:
    abiertas = []
    abrir = EmailBackend.open

    def contar(self: EmailBackend) -> bool | None:
        nueva = abrir(self)
        abiertas.append(bool(nueva))
        return nueva

    monkeypatch.setattr(EmailBackend, "open", contar)
    for n in range(services.LOTE + 5):
        deber(n)
    assert services.despachar() == services.LOTE + 5
    assert sum(abiertas) == 1


def test_una_fila_que_otro_ya_reclamo_no_se_envia(servidor_smtp: Buzon) -> None:
    """The claim expired while earlier mails of the batch hung, and another worker took the row."""
    deber()
    (tarde,) = services._reclamar()
    otra_vez()
    assert services.despachar() == 1
    assert services._tomar([tarde], []) == []
    assert len(servidor_smtp.mensajes) == 1


def test_una_fila_que_otro_esta_enviando_ahora_no_se_envia(servidor_smtp: Buzon) -> None:
    deber()
    (tarde,) = services._reclamar()
    Notificacion.objects.update(intentos=1)  # the other one is in the middle of it
    assert services._tomar([tarde], []) == []
    assert servidor_smtp.mensajes == []


def test_el_fallo_de_un_trabajador_tardio_no_borra_el_envio_de_otro() -> None:
    notificacion = deber()
    (tarde,) = services._reclamar()
    for ajeno in ({"intentos": 2}, {"estado": E.ENVIADA, "enviada_en": timezone.now()}):  # trying it, then done
        Notificacion.objects.update(**ajeno)
        services._anotar_fallo(tarde, ValueError())
        notificacion.refresh_from_db()
        assert notificacion.estado == ajeno.get("estado", E.PENDIENTE)
        assert notificacion.error == ""


def test_un_reclamo_vigente_no_se_toca_y_uno_vencido_si(servidor_smtp: Buzon) -> None:
    deber()
    assert len(services._reclamar()) == 1
    assert services.despachar() == 0
    Notificacion.objects.update(reclamada_hasta=timezone.now() - timedelta(seconds=1))
    assert services.despachar() == 1


# ── A scripted server: what it does at one moment of the conversation ─────────────────────────────

CALLAR, CORTAR = "callar", "cortar"


class Guion(socketserver.StreamRequestHandler):
    """A mail server that does as it should until `momento`, and there answers `accion`, says nothing, or hangs up.

    `momento`: «saludo», a command's name, or «mensaje», once it has the whole of it. `mirar` is called there, while
    whoever sends waits for the answer.
    """

    server: "ServidorDeGuion"

    def handle(self) -> None:
        with suppress(OSError):  # whoever sends hung up
            self.conversar()

    def conversar(self) -> None:
        if not self.decir("saludo", "220 hola"):
            return
        while linea := self.rfile.readline():
            orden = linea.decode().strip().partition(" ")[0].upper()
            if orden != "DATA":
                sigue = self.decir(orden, "250 bien")
            elif sigue := self.decir(orden, "354 adelante"):
                contenido = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.recibidos.append(str(message_from_bytes(contenido)["Message-ID"]))
                sigue = self.decir("mensaje", "250 bien")
            if not sigue:
                return

    def decir(self, momento: str, lo_normal: str) -> bool:
        accion = self.server.falla[1] if momento == self.server.falla[0] else lo_normal
        if accion is not lo_normal:
            self.server.vistos.append(self.server.mirar())
        if accion == CALLAR:
            self.rfile.read()  # until the other side has had enough
        if accion in (CALLAR, CORTAR):
            return False
        self.wfile.write(f"{accion}\r\n".encode())
        return True


class ServidorDeGuion(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, mirar: Callable[[], Any]) -> None:
        super().__init__(("127.0.0.1", 0), Guion)
        self.falla = ("", "")
        self.recibidos: list[str] = []
        self.mirar, self.vistos = mirar, []  # type: Callable[[], Any], list[Any]


@pytest.fixture
def a_medias(transactional_db: None) -> Iterator[Callable[[], tuple[int, int]]]:
    """Seen from outside: how many transactions are open in this database, and how many notices anybody may lock."""
    with psycopg.connect(url_de_la_base()) as otra:

        def mirar() -> tuple[int, int]:
            with otra.transaction(force_rollback=True):
                (abiertas,) = otra.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND xact_start IS NOT NULL"
                ).fetchone() or (None,)
                libres = otra.execute("SELECT id FROM notificaciones_notificacion FOR UPDATE SKIP LOCKED").fetchall()
            return abiertas, len(libres)

        yield mirar


@pytest.fixture
def de_guion(settings: Any, a_medias: Callable[[], tuple[int, int]]) -> Iterator[ServidorDeGuion]:
    with ServidorDeGuion(a_medias) as servidor:
        hilo = threading.Thread(target=servidor.serve_forever, kwargs={"poll_interval": 0.02})
        hilo.start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = servidor.server_address[:2]
        yield servidor
        servidor.shutdown()
        hilo.join()


SIN_CONEXION = "No se pudo conectar con el servidor de correo."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("momento", "accion", "dicho", "llega_ya"),
    [
        ("saludo", CALLAR, SIN_CONEXION, False),
        ("saludo", "421 4.3.2 Ahora no", "El servidor de correo respondió 421.", False),
        ("MAIL", CALLAR, SIN_CONEXION, False),
        ("MAIL", "421 4.3.2 Ahora no", "El servidor de correo respondió 421.", False),
        ("RCPT", "421 4.3.2 Ahora no", "El servidor de correo respondió 421.", False),
        ("DATA", CALLAR, SIN_CONEXION, False),
        ("mensaje", CALLAR, SIN_CONEXION, True),
        ("mensaje", CORTAR, SIN_CONEXION, True),
        ("mensaje", "421 4.3.2 Ahora no", "El servidor de correo respondió 421.", True),
    ],
)
def test_falle_donde_falle_se_reintenta_sin_perder_nada_ni_retener_una_transaccion(
    de_guion: ServidorDeGuion, settings: Any, momento: str, accion: str, dicho: str, llega_ya: bool
) -> None:
    debida = deber()
    de_guion.falla = (momento, accion)
    if accion == CALLAR:
        settings.EMAIL_TIMEOUT = 0.5
    for vez in range(3):
        otra_vez()
        antes = timezone.now()
        assert services.despachar() == 0
        debida.refresh_from_db()
        assert (debida.estado, debida.intentos, debida.error) == (E.PENDIENTE, vez + 1, dicho)
        assert services.PAUSAS[vez] <= debida.proximo_intento_en - antes <= services.PAUSAS[vez] * 1.2
    assert de_guion.vistos == [(0, 1)] * 3  # nothing open, no row held, at any of the tries
    assert de_guion.recibidos == [debida.message_id] * 3 * llega_ya

    de_guion.falla = ("", "")
    otra_vez()
    assert services.despachar() == 1
    assert de_guion.recibidos == [debida.message_id] * (1 + 3 * llega_ya)
    debida.refresh_from_db()
    assert (debida.estado, debida.error) == (E.ENVIADA, "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("momento", ["MAIL", "RCPT", "mensaje"])
def test_un_550_se_intenta_una_vez_sin_retener_una_transaccion(de_guion: ServidorDeGuion, momento: str) -> None:
    debidas = [deber(n) for n in range(2)]
    de_guion.falla = (momento, "550 5.7.1 No se admite")
    for _vez in range(2):
        otra_vez()
        assert services.despachar() == 0
    for debida in debidas:
        debida.refresh_from_db()
        assert (debida.estado, debida.intentos, debida.error) == (E.FALLIDA, 1, "El servidor de correo respondió 550.")
    assert de_guion.vistos == [(0, 2)] * 2


class Colgado:
    """A connection that never answers: each mail eats its time, then Celery's soft limit strikes."""

    def __init__(self, reloj: Callable[[float], None]) -> None:
        self.reloj = reloj

    def open(self) -> None: ...

    def close(self) -> None: ...

    def send_messages(self, mensajes: list[Any]) -> None:
        self.reloj(25)
        raise SoftTimeLimitExceeded


def test_un_servidor_colgado_no_pierde_ni_retiene_el_lote(monkeypatch: pytest.MonkeyPatch) -> None:
    hora = [0.0]
    monkeypatch.setattr(services.time, "monotonic", lambda: hora[0])
    monkeypatch.setattr(services, "get_connection", lambda: Colgado(lambda s: hora.__setitem__(0, hora[0] + s)))
    for n in range(5):
        deber(n)
    assert services.despachar() == 0
    assert (
        list(Notificacion.objects.values_list("estado", "intentos")) == [(E.PENDIENTE, 1)] * 2 + [(E.PENDIENTE, 0)] * 3
    )
    assert hora[0] <= 60


def test_de_un_servidor_lento_se_toma_de_uno_en_uno_y_lo_no_empezado_se_suelta(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful grows while mails go out at once; whoever is killed repeats no more than what he had in hand."""
    hora, tarda, manos = [0.0], [0.001], []
    monkeypatch.setattr(services.time, "monotonic", lambda: hora[0])

    class Servidor(Colgado):
        def send_messages(self, mensajes: list[Any]) -> None:
            self.reloj(tarda[0] if len(enviados) != 20 else 5)  # and once it hangs, in the middle of a handful
            enviados.append(mensajes[0].to)

    enviados: list[Any] = []
    monkeypatch.setattr(services, "get_connection", lambda: Servidor(lambda s: hora.__setitem__(0, hora[0] + s)))
    tomar = services._tomar

    def contar(suyas: list[Notificacion], salidas: list[Notificacion]) -> list[Notificacion]:
        manos.append(len(suyas))
        assert Notificacion.objects.filter(estado=E.PENDIENTE, intentos=1).count() == len(salidas)  # in hand, no more
        return tomar(suyas, salidas)

    monkeypatch.setattr(services, "_tomar", contar)
    for n in range(30):
        deber(n)
    assert services.despachar() == 30
    assert manos == [1, 2, 4, 8, 8, 1, 2, 4, 2, 0]
    assert set(Notificacion.objects.values_list("estado", "intentos")) == {(E.ENVIADA, 1)}
    tarda[0], manos[:] = 0.2, []
    for n in range(30, 34):
        deber(n)
    assert services.despachar() == 4
    assert manos == [1, 1, 1, 1, 0]


@pytest.mark.django_db(transaction=True)
def test_dos_trabajadores_a_la_vez_un_correo_por_fila(servidor_smtp: Buzon) -> None:
    for n in range(30):
        deber(n)
    salida = threading.Barrier(2)

    def trabajar() -> None:
        try:
            salida.wait()
            services.despachar()
        finally:
            connection.close()

    hilos = [threading.Thread(target=trabajar) for _hilo in range(2)]
    for hilo in hilos:
        hilo.start()
    for hilo in hilos:
        hilo.join()
    recibidos = [mensaje["Message-ID"] for mensaje in servidor_smtp.mensajes]
    assert len(recibidos) == 30
    assert set(recibidos) == set(Notificacion.objects.filter(estado=E.ENVIADA).values_list("message_id", flat=True))


def test_la_misma_clave_se_debe_una_vez() -> None:
    assert deber().pk == deber().pk
    assert Notificacion.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_el_timbre_suena_al_confirmar_y_una_vez_por_fila(monkeypatch: pytest.MonkeyPatch) -> None:
    toques: list[Any] = []
    monkeypatch.setattr(tasks.despachar, "apply_async", lambda *args, **kw: toques.append((args, kw)))
    deber()
    deber()
    assert toques == [((), {"retry": False})]  # nothing but the bell: no name, address or token goes to the broker


@pytest.mark.parametrize("salto", ["\n", "\r\n", "\r", "\x0b", "\x1c", "\u2028"])
@pytest.mark.parametrize("campo", ["asunto", "correo"])
def test_una_cabecera_no_se_falsifica(campo: str, salto: str) -> None:
    antes = {"asunto": "PCM-1: x", "correo": "uno@empresa.example"}[campo]
    for malo in (f"{antes}{salto}Bcc: otro@empresa.example", f"{antes}{salto}"):
        with pytest.raises(ValueError, match="saltos"):
            deber(enlace=None, **{campo: malo})
    assert not Notificacion.objects.exists()


def test_lo_que_no_se_puede_componer_se_ve_y_no_detiene_al_resto(servidor_smtp: Buzon) -> None:
    mala, buena = deber(0), deber(1)
    Notificacion.objects.filter(pk=mala.pk).update(asunto="PCM-1\nBcc: otro@empresa.example")
    assert services.despachar() == 1
    mala.refresh_from_db()
    buena.refresh_from_db()
    assert (mala.estado, mala.error, buena.estado) == (E.FALLIDA, "No se pudo enviar.", E.ENVIADA)


def test_corregir_el_correo_retira_lo_que_iba_al_anterior(servidor_smtp: Buzon) -> None:
    caso = crear_caso()
    casos.corregir_correo(expediente=caso.expediente, actor=caso.personas["atencion"], correo="nuevo@empresa.example")
    services.despachar()
    assert [mensaje["To"] for mensaje in servidor_smtp.mensajes] == ["nuevo@empresa.example"]
    assert set(Notificacion.objects.values_list("correo", "estado")) == {
        ("importador0@empresa.example", E.CANCELADA),
        ("nuevo@empresa.example", E.ENVIADA),
    }


# ── The texts ─────────────────────────────────────────────────────────────────────────────────────

HOSTIL = 'Ajos & "Ñusta" <b>S.A.</b> {{ x }} </p><script>alert(1)</script>'


@pytest.fixture
def avisos_debidos(certificado: Path) -> dict[str, Notificacion]:
    """Every notice, owed by a real act on cases that are full of hostile texts."""
    importador = crear_importador(1, nombre=HOSTIL)
    hoy, dicho = timezone.localdate(), {"actor": personas()["jefe"], "texto": HOSTIL}
    for terminar, motivo in (("abandonar", "sin-respuesta"), ("desistir", "otro-destino"), ("anular", "otra-entidad")):
        otro = crear_caso("programado", importador=importador)
        if terminar == "abandonar":
            casos.no_presentada(partida=otro.partidas[0], actor=otro.inspector, texto=HOSTIL)
            incidencias.observar(
                expediente=otro.expediente, actor=otro.inspector, puntos=f"{HOSTIL}\nOtra cosa", vence_en=hoy,
                motivo="faltan-documentos", texto=HOSTIL,
            )  # fmt: skip
            incidencias.recordar_observaciones()
        with reloj.fijado(timezone.now() + timedelta(days=2)):
            getattr(incidencias, terminar)(expediente=otro.expediente, motivo=motivo, **dicho)
    agente = AgenteAduana(
        tipo_documento="ruc", numero_documento="20999900012", nombre=HOSTIL, correo="despacho@aduana.example"
    )
    for corregir in (enmendar_resultado, anular_informe):
        corregir(crear_caso("resultado_emitido", importador=importador))
    corregido = crear_caso("resultado_emitido", importador=importador)
    enmendar(corregido)
    firmar(corregido)
    caso = crear_caso("con_riv", valor="positivo", importador=importador, lugar=HOSTIL)
    expediente, partida, atencion = caso.expediente, caso.partidas[0], caso.personas["atencion"]
    for nuevo in (agente, None):
        incidencias.cambiar_agente(expediente=expediente, actor=caso.personas["mesa"], agente=nuevo)
    casos.ordenar_medida(
        partida=partida, actor=caso.inspector, tipo=Medida.Tipo.REEMBARQUE, indicaciones=HOSTIL,
        vence_en=(timezone.now() + timedelta(days=9)).date(),
    )  # fmt: skip
    casos.cumplir_medida(partida=partida, actor=caso.inspector, acta=HOSTIL[:60])
    casos.cerrar(expediente=caso.expediente, actor=caso.inspector)
    incidencias.reabrir(expediente=expediente, partidas=caso.partidas, motivo="mandato", a_inspeccion=True, **dicho)
    incidencias.observar(
        expediente=expediente, actor=caso.inspector, puntos=HOSTIL, vence_en=hoy, motivo="faltan-documentos",
        texto=HOSTIL,
    )  # fmt: skip
    incidencias.responder(expediente=expediente, actor=None, respuesta=HOSTIL)
    incidencias.trasladar(expediente=expediente, a_puesto=Puesto.objects.get(codigo="PCA"), **dicho)
    incidencias.aceptar_traslado(expediente=expediente, actor=caso.personas["jefe"])
    casos.reenviar_enlace(expediente=caso.expediente, actor=atencion)
    casos.corregir_correo(expediente=caso.expediente, actor=atencion, correo="nuevo@empresa.example")
    return {debida.aviso: debida for debida in Notificacion.objects.exclude(referencia__startswith="interno:")}


def test_cada_aviso_se_lee_bien(avisos_debidos: dict[str, Notificacion]) -> None:
    assert sorted(avisos_debidos) == AVISOS
    for aviso, debida in avisos_debidos.items():
        numero = Expediente.objects.get(pk=debida.referencia.partition(":")[2]).numero
        assert re.fullmatch(rf"{numero}: [A-ZÁÉÍÓÚ][^.{{}}]+", debida.asunto), debida.asunto
        for parte in (debida.texto, debida.html):
            limpia = parte.replace("{{ x }}", "")
            assert not re.search(r"{{|{%|}}|%}|None|\(\)|\s,|\bel ,", limpia), (aviso, limpia)
            assert numero in parte
            assert (services.LUGAR_DEL_ENLACE in parte) == (aviso != "agente_retirado")
            assert "no reemplaza la notificación legal" in " ".join(parte.split())
        assert "<script" not in debida.html, aviso
        assert "&" not in " ".join(debida.texto.split()).replace("Ajos & ", ""), aviso
        assert all(len(linea) <= 120 for linea in debida.texto.splitlines()), aviso


def test_los_avisos_al_personal_se_leen_bien_y_no_dicen_de_quien_es_la_carga(certificado: Path) -> None:
    caso = crear_caso("en_laboratorio", importador=crear_importador(1, nombre=HOSTIL))
    muestra = caso.expediente.muestras.get()
    pregunta = preguntas.preguntar(
        muestra=muestra, actor=caso.personas["recepcion"], texto=HOSTIL, vence_en=timezone.now() + timedelta(hours=8)
    )
    preguntas.contestar(pregunta=pregunta, actor=caso.inspector, respuesta=HOSTIL)
    assert recepcion.barrer_demoras() == 1
    with reloj.fijado(cargar_certificado().hasta - timedelta(days=9)):
        certificados.avisar_por_vencer()
    escritos = Notificacion.objects.filter(aviso__in=AL_PERSONAL)
    assert {escrito.aviso for escrito in escritos} == AL_PERSONAL
    for escrito in escritos:
        for parte in (escrito.texto, escrito.html):
            limpia = " ".join(parte.split()).replace(HOSTIL, "").replace(escape(HOSTIL), "")
            assert not re.search(r"{{|{%|}}|%}|None|\(\)|\s,|\bel ,", limpia), (escrito.aviso, limpia)
            assert "Ajos" not in limpia
            assert caso.expediente.numero not in parte
            assert "http" in parte
        assert "<script" not in escrito.html


def test_lo_que_escribe_una_persona_va_tal_cual_en_el_texto_y_escapado_en_el_html(
    avisos_debidos: dict[str, Notificacion],
) -> None:
    for aviso in ("registrada", "programada", "medida_ordenada"):
        assert HOSTIL in " ".join(avisos_debidos[aviso].texto.split()), aviso
        assert escape(HOSTIL) in avisos_debidos[aviso].html, aviso


def test_ningun_aviso_queda_sin_usar() -> None:
    """A file that nobody owes would never be read; a notice without a file would break its act."""
    debidos = {t.avisa for tabla in TABLAS.values() for t in tabla.values() if t.avisa}
    sin_acto = {"enlace_renovado", "correo_corregido", "observacion_por_vencer", "agente_retirado"}
    assert debidos | sin_acto == set(AVISOS)
    archivos = {ruta.stem for ruta in (RAIZ / "templates" / "correos").glob("*.txt")}
    assert set(TEXTOS) - archivos == set()


@pytest.mark.parametrize(
    ("correo_del_agente", "reciben"),
    [
        ("despacho@aduana.example", ["importador0@empresa.example", "despacho@aduana.example"]),
        ("IMPORTADOR0@empresa.example", ["importador0@empresa.example"]),
    ],
)
def test_importador_y_agente_reciben_uno_por_correo(correo_del_agente: str, reciben: list[str]) -> None:
    agente = AgenteAduana.objects.create(
        tipo_documento="ruc", numero_documento="20999910018", nombre="Agencia Demo", correo=correo_del_agente
    )
    expediente = crear_caso(agente=agente).expediente
    debidas = Notificacion.objects.filter(referencia=expediente.referencia).order_by("pk")
    assert [debida.correo for debida in debidas] == reciben
    assert len({debida.enlace_id for debida in debidas}) == len(reciben)

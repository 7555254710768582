"""kill -9 of every part in mid-flow, on real processes: nothing half done, nothing lost, nothing twice.

`MUERTES=completo` runs the numbers of quality.md (half an hour); otherwise each scenario dies a few times. What is
measured is printed (`pytest -s`). Only processes that a test started are killed, each by its number.
"""

import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.core.files.storage import storages
from django.db import connection, models, transaction
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from expedientes import documentos
from expedientes.bitacora import fallas
from expedientes.models import Adjunto, Dictamen, Documento, Evento, Expediente, Producto, Puesto
from laboratorio import recorrido
from laboratorio.demo import CLAVE
from laboratorio.models import EstadoInforme, Informe
from laboratorio.recorrido import Caso
from notificaciones.models import Notificacion
from tests.builders import avanzar_hasta, crear_caso, personas
from tests.conftest import Buzon, url_de_la_base
from tests.senasa.test_servidor import Servidor, esperar_a_que, puerto_libre, servidor  # noqa: F401
from tests.test_concurrencia import ACTOS

pytestmark = pytest.mark.servicios

COMPLETO = os.environ.get("MUERTES") == "completo"
MUERTES_WEB = 50 if COMPLETO else 8
RACHAS_DE_WORKER, MUERTES_POR_RACHA = (6, 10) if COMPLETO else (1, 10)
MUERTES_DE_BEAT = 10 if COMPLETO else 2
SIN_BROKER = 600.0 if COMPLETO else 20.0
AVISOS_SIN_BROKER, CON_AVISOS_SIN_BROKER = (1000, 180.0) if COMPLETO else (60, 6.0)
MUERTES_DE_POSTGRES = 10 if COMPLETO else 2
A_LA_VEZ = 4 if COMPLETO else 3
PLAZO = 60.0
PLAZO_TRAS_EL_BROKER = 120.0
PLAZO_DE_POSTGRES = 30.0

SEMILLA = int(os.environ.get("SEMILLA") or time.time())
azar = random.Random(SEMILLA)


def medido(texto: str) -> None:
    print(f"\nmedido · {texto} · semilla {SEMILLA}", flush=True)


# ── Processes that die ────────────────────────────────────────────────────────────────────────────


def hijos_de(pid: int) -> list[int]:
    return [int(hijo) for hijo in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Proceso:
    """A process of its own session, started, killed with all its children, started again."""

    def __init__(self, orden: list[str], entorno: dict[str, str], registro: Path) -> None:
        self.orden, self.entorno, self.registro = orden, entorno, registro
        self.proceso: subprocess.Popen[bytes] | None = None

    def lanzar(self) -> None:
        with self.registro.open("ab") as registro:
            self.proceso = subprocess.Popen(
                self.orden, cwd=settings.BASE_DIR, env=self.entorno, stdin=subprocess.DEVNULL, stdout=registro,
                stderr=registro, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self.proceso
        return self.proceso.pid

    def hijos(self) -> list[int]:
        return hijos_de(self.pid)

    def matar(self) -> None:
        """kill -9 of all of it, the parent first so that it starts no child anew."""
        assert self.proceso
        if self.proceso.poll() is not None:
            return
        hijos = self.hijos()
        self.proceso.kill()
        for pid in hijos:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.proceso.wait()

    def matar_un_hijo(self) -> None:
        """Returns once it is gone: until then it would still take a connection."""
        if hijos := self.hijos():
            victima = azar.choice(hijos)
            with suppress(ProcessLookupError):
                os.kill(victima, signal.SIGKILL)
            esperar_a_que(lambda: victima not in self.hijos(), 20, "el hijo no terminó")

    def ultimo(self) -> str:
        return self.registro.read_text(errors="replace")[-3000:]


class Sitio:
    """gunicorn, worker and beat as `make run` starts them, on this test's database, folders and mail server.

    One web process, so that a kill meets everybody who is at it.
    """

    def __init__(self, entorno: dict[str, str], carpeta: Path) -> None:
        self.puerto = puerto_libre()
        self.url = f"http://127.0.0.1:{self.puerto}"
        web = f"gunicorn senasa.wsgi --bind 127.0.0.1:{self.puerto} --workers 1 --threads 4 --timeout 60"
        obrero = "celery --quiet -A senasa worker --concurrency 2 --without-gossip --without-mingle --loglevel WARNING"
        pulso = f"celery --quiet -A senasa beat --schedule {carpeta / 'beat'} --pidfile= --loglevel WARNING"
        self.pulso_en = carpeta / "beat"
        self.web, self.obrero, self.pulso = (
            Proceso([sys.executable, "-m", *orden.split()], entorno, carpeta / f"{nombre}.log")
            for nombre, orden in (("web", web), ("worker", obrero), ("beat", pulso))
        )

    def atiende(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/livez", timeout=5, proxies=SIN_APODERADO).status_code == 200
        return False

    def lanzar_web(self) -> None:
        self.web.lanzar()
        esperar_a_que(self.atiende, 60, f"la web no volvió: {self.web.ultimo()}")

    @contextmanager
    def vigilado(self) -> Iterator[None]:
        """Within the block whoever ends by himself is started again, as `make run` and the compose file do.

        Celery's worker does so now and then when Redis leaves it with an unacknowledged task in hand: kombu, closing
        what is left of the connection, asks it for its host to give the task back. Nobody may end for another reason.
        """
        fin, finales = threading.Event(), list[str]()

        def vigilar() -> None:
            while not fin.wait(0.5):
                for proceso in (self.web, self.obrero, self.pulso):
                    if proceso.proceso and proceso.proceso.poll() is not None:
                        finales.append(proceso.ultimo())
                        proceso.lanzar()

        vigia = threading.Thread(target=vigilar, daemon=True)
        vigia.start()
        try:
            yield
        finally:
            fin.set()
            vigia.join()
        assert all("restore_unacked" in final for final in finales), finales
        if finales:
            medido(f"{len(finales)} procesos se acabaron solos y se levantaron")

    def parar(self) -> None:
        for proceso in (self.web, self.pulso, self.obrero):
            if proceso.proceso:
                proceso.matar()


SIN_APODERADO = {"http": "", "https": ""}


@pytest.fixture
def entorno(transactional_db: None, servidor_smtp: Buzon, certificado: Path) -> dict[str, str]:
    personas()
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": url_de_la_base(),
        "PRUEBA_EMAIL_URL": servidor_smtp.url,
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
    }


@pytest.fixture
def sitio(entorno: dict[str, str], tmp_path: Path) -> Iterator[Sitio]:
    vaciar_la_cola()
    sitio = Sitio(entorno, tmp_path)
    yield sitio
    sitio.parar()


def vaciar_la_cola() -> None:
    """What earlier tests rang for and nobody heard."""
    for archivo in (Path(settings.VAR) / "cola" / "data_folder").glob("*.msg"):
        archivo.unlink(missing_ok=True)


def sin_otros_en_la_base() -> bool:
    """A server that was killed leaves its backends at work for an instant; then they undo what was not committed.

    The connections that a living process keeps open, and PostgreSQL's own housekeeping, hold nothing up.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND state IS DISTINCT FROM 'idle'"
        )
        return bool(cursor.fetchone() == (0,))


# ── People ────────────────────────────────────────────────────────────────────────────────────────


class Navegante(requests.Session):
    """A browser's part: cookies, the form's token, no redirect followed."""

    def __init__(self, url: str, usuario: str) -> None:
        super().__init__()
        self.trust_env = False
        self.raiz = url
        self.get(f"{url}/accounts/login/", timeout=30)
        ingreso = self.enviar("/accounts/login/", {"login": usuario, "password": CLAVE})
        assert ingreso.status_code == 302, ingreso.text[-2000:]

    def enviar(self, ruta: str, datos: dict[str, Any], archivos: Any = None) -> requests.Response:
        return self.post(
            self.raiz + ruta,
            data={**datos, "csrfmiddlewaretoken": self.cookies["csrftoken"]},
            files=archivos,
            allow_redirects=False,
            timeout=60,
        )


@dataclass
class Envio:
    """One form that somebody is about to send. `hecho` tells from the database whether it is in."""

    acto: str
    usuario: str
    ruta: str
    datos: dict[str, Any]
    hecho: Callable[[], bool]
    archivos: Any = None


def solicitud(producto: int, puesto: int) -> dict[str, Any]:
    return {
        "envio": str(uuid.uuid4()), "puesto": puesto, "importador_tipo": "dni", "importador_numero": "40000001",
        "importador_nombre": "Uno", "importador_correo": "uno@empresa.example", "pfi": "P-1",
        "certificado": f"C-{uuid.uuid4().hex[:8]}", "pais_exportacion": "CL", "transporte": "contenedor",
        "partidas-TOTAL_FORMS": "1", "partidas-INITIAL_FORMS": "0", "partidas-0-producto": producto,
        "partidas-0-pais_origen": "CL", "partidas-0-peso_neto_kg": "1000",
        "partidas-0-contenedores": "DEMU 100001-0 SL10001",
    }  # fmt: skip


def _foto_suelta() -> bytes:
    memoria = io.BytesIO()
    Image.effect_noise((300, 200), azar.randint(20, 90)).save(memoria, "PNG")
    return memoria.getvalue()


def preparar_registro() -> Envio:
    datos = solicitud(Producto.objects.get(codigo="uva-fresca").pk, Puesto.objects.get(codigo="PCM").pk)
    hecho = Expediente.objects.filter(envio=datos["envio"]).exists
    return Envio("registrar", "mesa", reverse("expediente_nuevo"), datos, hecho)


def preparar_acto(fila: tuple[Any, ...]) -> Envio:
    """A case walked as far as the act needs, and the form of the act as its page would send it."""
    nombre, hasta, quien, direccion, datos, opciones, antes = fila
    caso: Caso = crear_caso(hasta, **opciones)
    if antes:
        antes(caso)
    caso.expediente.refresh_from_db()
    vistos, pk = caso.expediente.eventos, caso.expediente.pk
    return Envio(
        acto=nombre,
        usuario=quien(caso) if callable(quien) else quien,
        ruta=reverse(nombre, args=direccion(caso)),
        datos={**(datos(caso) if callable(datos) else datos), "visto": vistos},
        hecho=lambda: Expediente.objects.get(pk=pk).eventos > vistos,
        archivos={"archivos": ("foto.png", _foto_suelta(), "image/png")} if nombre == "expediente_responder" else None,
    )


PREPARAR: list[Callable[[], Envio]] = [preparar_registro, *(lambda fila=fila: preparar_acto(fila) for fila in ACTOS)]

# ── What the database holds ───────────────────────────────────────────────────────────────────────

# Persons on record and what they want told belong to no act alone: the first case of theirs makes them.
DE_NADIE = {"Importador", "AgenteAduana", "Preferencia"}


def foto() -> Counter[tuple[str, str]]:
    """How many rows each table has, in each state; of the counters, the numbers given."""
    cuenta: Counter[tuple[str, str]] = Counter()
    for modelo in apps.get_models():
        nombre = modelo.__name__
        if modelo._meta.app_label not in {"notificaciones", "expedientes", "laboratorio"} or nombre in DE_NADIE:
            continue
        if nombre == "Contador":
            for serie, ultimo in modelo.objects.values_list("serie").annotate(n=models.Sum("ultimo")):
                cuenta[nombre, serie] = ultimo
        elif any(campo.name == "estado" for campo in modelo._meta.get_fields()):
            for estado, n in modelo.objects.order_by().values_list("estado").annotate(n=models.Count("pk")):
                cuenta[nombre, estado] = n
        else:
            cuenta[nombre, ""] = modelo.objects.count()
    return cuenta


def cambio(antes: Counter[tuple[str, str]], ahora: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
    return {clave: ahora[clave] - antes[clave] for clave in antes | ahora if ahora[clave] != antes[clave]}


def sumar(cambios: list[dict[tuple[str, str], int]]) -> dict[tuple[str, str], int]:
    total: Counter[tuple[str, str]] = Counter()
    for uno in cambios:
        total.update(uno)
    return {clave: n for clave, n in total.items() if n}


def revisar_todo() -> None:
    """What must hold whatever died: the chain, the first entry, numbers without holes, rows with their files."""
    assert list(fallas()) == []
    primeros = Evento.objects.filter(n=1, objeto="expediente", accion="registrar").values("expediente_id")
    assert not Expediente.objects.exclude(pk__in=primeros).exists()
    for modelo, campo in ((Expediente, "numero"), (Informe, "numero"), (Dictamen, "numero")):
        numeros: dict[str, list[int]] = {}
        for numero in modelo.objects.values_list(campo, flat=True):
            serie, _guion, n = numero.rpartition("-")
            numeros.setdefault(serie, []).append(int(n))
        for serie, ns in numeros.items():
            assert sorted(ns) == list(range(1, len(ns) + 1)), f"hueco o repetido en {serie}"
    for documento in Documento.objects.all():
        documentos.leer(documento)  # says what is missing, or is not what was issued
    for adjunto in Adjunto.objects.all():
        with adjunto.archivo.open() as archivo:
            assert hashlib.sha256(archivo.read()).hexdigest() == adjunto.sha256


def sueltos() -> list[str]:
    """Files handed in that no row mentions."""
    almacen = storages["adjuntos"]
    hay = [str(r.relative_to(almacen.location)) for r in Path(almacen.location).rglob("*") if r.is_file()]
    return sorted(set(hay) - set(Adjunto.objects.values_list("archivo", flat=True)))


# ── 1 · The web server, in the middle of a POST ───────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_web_muerta_a_mitad_de_un_envio(sitio: Sitio) -> None:
    """Every form cut short is in with all its rows or not at all, and sending it again makes it one, never two."""
    sitio.lanzar_web()
    navegantes: dict[str, Navegante] = {}
    ultimas: dict[str, str] = {}

    def enviar(envio: Envio) -> int:
        """0: no answer came."""
        try:
            respuesta = navegantes[envio.usuario].enviar(envio.ruta, envio.datos, envio.archivos)
        except requests.RequestException:
            return 0
        ultimas[envio.acto] = respuesta.headers.get("Location", "")
        return respuesta.status_code

    def ingresar(envios: list[Envio]) -> None:
        for usuario in {envio.usuario for envio in envios} - set(navegantes):
            cache.clear()  # the sign-in's own limit is not what is tried here
            navegantes[usuario] = Navegante(sitio.url, usuario)

    # What each act leaves when nobody dies.
    deja: dict[str, dict[tuple[str, str], int]] = {}
    actos = PREPARAR if COMPLETO else [preparar_registro, *azar.sample(PREPARAR[1:], 11)]
    for preparar in actos:
        envio = preparar()
        ingresar([envio])
        antes = foto()
        assert (envio.acto, enviar(envio)) == (envio.acto, 302)
        deja[envio.acto] = cambio(antes, foto())
        assert deja[envio.acto]["Evento", ""] >= 1

    vueltas = -(-MUERTES_WEB * A_LA_VEZ // len(actos))
    turno = [preparar for _vez in range(vueltas) for preparar in azar.sample(actos, len(actos))]
    cortados = dentro = 0
    espera, desde = 0.3, time.monotonic()
    for vez in range(MUERTES_WEB):
        if time.monotonic() - desde > 600:  # signing and deciding ask again who it is after a quarter of an hour
            navegantes.clear()
            desde = time.monotonic()
        envios = [turno.pop()() for _n in range(A_LA_VEZ) if turno]
        ingresar(envios)
        antes = foto()
        with ThreadPoolExecutor(A_LA_VEZ) as hilos:
            futuros: list[Future[int]] = [hilos.submit(enviar, envio) for envio in envios]
            time.sleep(azar.uniform(0, espera))
            if vez % 3 == 2:  # one process dies, gunicorn starts another
                sitio.web.matar_un_hijo()
            else:
                sitio.web.matar()
            respuestas = [futuro.result() for futuro in futuros]
        esperar_a_que(sin_otros_en_la_base, 20, "quedó una transacción abierta")
        hechos = [envio.hecho() for envio in envios]
        que = [(e.acto, r, h) for e, r, h in zip(envios, respuestas, hechos, strict=True)]
        assert cambio(antes, foto()) == sumar([deja[e.acto] for e, h in zip(envios, hechos, strict=True) if h]), que
        assert all(h for r, h in zip(respuestas, hechos, strict=True) if r == 302), f"respondido y perdido: {que}"
        cortados += respuestas.count(0)
        dentro += sum(h for r, h in zip(respuestas, hechos, strict=True) if r == 0)
        # Aim better: all answered is too late, nothing begun too early.
        espera = min(2.0, max(0.05, espera * (0.7 if all(respuestas) else 1.0 if any(hechos) else 1.3)))
        if vez % 3 != 2:
            sitio.lanzar_web()
        for envio, hecho in zip(envios, hechos, strict=True):
            esperado = {302} if envio.acto == "registrar" or not hecho else {409}
            respuesta = enviar(envio)
            assert respuesta in esperado, f"{envio.acto}, {hecho=}: {respuesta} a {ultimas.get(envio.acto)}"
        assert cambio(antes, foto()) == sumar([deja[envio.acto] for envio in envios]), que
    revisar_todo()
    assert cortados >= MUERTES_WEB // 3  # else the kills came before or after, and proved nothing
    medido(
        f"web: {MUERTES_WEB} muertes, {cortados} envíos sin respuesta ({dentro} ya estaban dentro), 0 a medias, "
        f"0 dobles; archivos sin fila: {len(sueltos())}"
    )


# ── 2 · The worker: a child of its pool, and all of it ────────────────────────────────────────────


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Proceso]:
    """A broker of one's own that remembers nothing."""
    puerto = puerto_libre()
    orden = f"redis-server --port {puerto} --bind 127.0.0.1 --save  --appendonly no --dir {tmp_path}".split(" ")
    proceso = Proceso(orden, dict(os.environ), tmp_path / "redis.log")
    proceso.entorno["REDIS_DE_PRUEBA"] = f"redis://127.0.0.1:{puerto}/0"
    proceso.lanzar()
    esperar_a_que(lambda: redis_vive(proceso), 20, "Redis no arranca")
    yield proceso
    proceso.matar()


def redis_cli(redis: Proceso, *orden: str) -> str:
    conexion = ["redis-cli", "-u", redis.entorno["REDIS_DE_PRUEBA"], *orden]
    return subprocess.run(conexion, capture_output=True, text=True, check=False).stdout.strip()


def redis_vive(redis: Proceso) -> bool:
    return redis_cli(redis, "ping") == "PONG"


def deber_avisos_y_documentos() -> None:
    """Two notices by themselves; a report and a RIV to sign, which owe more."""
    crear_caso("programado")
    por_firmar = crear_caso("verificado").expediente
    Informe.objects.filter(expediente=por_firmar).update(firmar_desde=timezone.now())
    # Its report may be in the hands of the worker that lives, or of the one that was killed: it is waited for.
    decidido = crear_caso("verificado")
    recorrido.firmar(decidido)
    suyos = Informe.objects.filter(expediente=decidido.expediente)
    esperar_a_que(lambda: not suyos.filter(documento=None).exists(), PLAZO, "nadie firma el informe")
    avanzar_hasta(decidido, "dictaminado")


def quedan() -> dict[str, int]:
    """What is still owed to somebody."""
    debe = {
        "avisos": Notificacion.objects.exclude(estado="enviada").count(),
        "informes": Informe.objects.filter(estado__in=[EstadoInforme.EN_GRACIA, EstadoInforme.FIRMANDO]).count(),
        "riv": Dictamen.objects.filter(riv=None).count(),
        "archivos": len(list((Path(settings.VAR) / "por_publicar").glob("*.pdf"))) - len(sin_fila()),
    }
    return {que: n for que, n in debe.items() if n}


def sin_fila() -> list[Path]:
    """Signed files whose transaction was never in: the sweep drops them after an hour."""
    hay = list((Path(settings.VAR) / "por_publicar").glob("*.pdf"))
    nuestros = set(Documento.objects.values_list("sha256", flat=True))
    return [ruta for ruta in hay if ruta.stem not in nuestros]


def segundos_hasta_acabar(desde: float, plazo: float) -> float:
    while debe := quedan():
        assert time.monotonic() - desde <= plazo, f"a los {plazo:.0f} s queda {debe}"
        time.sleep(0.3)
    return time.monotonic() - desde


def revisar_correos(buzon: Buzon, repetidos_a_lo_mas: int) -> int:
    """Every notice arrived, nothing else did, and what came twice is the same mail; how many came twice."""
    recibidos = Counter(str(mensaje["Message-ID"]) for mensaje in buzon.mensajes)
    assert set(recibidos) == set(Notificacion.objects.values_list("message_id", flat=True))
    contenidos = {(str(m["Message-ID"]), str(m["To"]), str(m["Subject"])) for m in buzon.mensajes}
    assert len(contenidos) == len(recibidos)
    dobles = sum(recibidos.values()) - len(recibidos)
    assert dobles <= repetidos_a_lo_mas
    return dobles


@pytest.mark.django_db(transaction=True)
def test_worker_muerto_mientras_firma_y_envia(
    entorno: dict[str, str], servidor_smtp: Buzon, redis: Proceso, tmp_path: Path
) -> None:
    servidor_smtp.demora = 0.05  # a mail server that takes its time is hit more often
    peor, muertes = 0.0, 0
    for racha in range(RACHAS_DE_WORKER):
        con_redis = {"PRUEBA_REDIS_URL": redis.entorno["REDIS_DE_PRUEBA"]} if racha % 2 else {}
        vaciar_la_cola()
        sitio = Sitio(entorno | con_redis, tmp_path)
        try:
            sitio.obrero.lanzar()
            sitio.pulso.lanzar()
            vuelta = time.monotonic()
            for vez in range(MUERTES_POR_RACHA):
                deber_avisos_y_documentos()
                time.sleep(azar.uniform(0, 3 if vez % 2 else 1.5))
                muertes += 1
                if vez % 2:
                    sitio.obrero.matar()
                    sitio.obrero.lanzar()
                else:
                    sitio.obrero.matar_un_hijo()
                vuelta = time.monotonic()
            peor = max(peor, segundos_hasta_acabar(vuelta, PLAZO))
        finally:
            sitio.parar()
    informes = Informe.objects.filter(documento__isnull=False)
    assert Documento.objects.filter(tipo="informe").count() == informes.count() == Informe.objects.count()
    assert Evento.objects.filter(objeto="informe", accion="emitir").count() == informes.count()
    assert Documento.objects.filter(tipo="riv").count() == Dictamen.objects.count()
    assert Evento.objects.filter(accion="emitir_riv").count() == Dictamen.objects.count()
    dobles = revisar_correos(servidor_smtp, 2 * muertes)
    revisar_todo()
    medido(
        f"worker: {muertes} muertes, {Notificacion.objects.count()} avisos y {Documento.objects.count()} documentos, "
        f"0 perdidos, {dobles} correos repetidos con el mismo Message-ID, todo hecho a los {peor:.0f} s de volver"
    )


# ── 3 · The scheduler ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_beat_muerto_y_su_agenda_a_medias(sitio: Sitio, servidor_smtp: Buzon) -> None:
    """What nobody rang for waits while the scheduler is dead, and goes out once it is back, even without its file."""
    sitio.obrero.lanzar()
    sitio.pulso.lanzar()
    peor = 0.0
    for vez in range(MUERTES_DE_BEAT):
        crear_caso("registrado")
        segundos_hasta_acabar(time.monotonic(), PLAZO)
        sitio.pulso.matar()
        time.sleep(1)  # what it had handed over is done
        with transaction.atomic():
            crear_caso("registrado")
            Notificacion.objects.filter(estado="pendiente").update(
                proximo_intento_en=timezone.now() + timezone.timedelta(seconds=2)
            )
        time.sleep(8)
        assert quedan() == {"avisos": 1}  # nobody sweeps: the bell rang too early
        if vez % 2:
            for archivo in sitio.pulso_en.parent.glob("beat*"):
                if archivo.suffix != ".log":
                    contenido = archivo.read_bytes()
                    archivo.write_bytes(contenido[: azar.randint(0, len(contenido))])
        sitio.pulso.lanzar()
        peor = max(peor, segundos_hasta_acabar(time.monotonic(), PLAZO))
    revisar_correos(servidor_smtp, 0)
    medido(f"beat: {MUERTES_DE_BEAT} muertes, barridos reanudados a los {peor:.0f} s como mucho")


# ── 4 · The broker, while people act ──────────────────────────────────────────────────────────────


@dataclass
class Gente:
    """People who register, schedule and look, without pause, until told to stop; what each page answered."""

    url: str
    producto: int
    puesto: int
    pausa: float = 0.2
    paginas: list[tuple[float, str, int, float]] = field(default_factory=list)
    registrados: list[str] = field(default_factory=list)
    programados: list[tuple[str, str]] = field(default_factory=list)
    cuerpos: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> "Gente":
        self.basta = threading.Event()
        self.mesa, self.inspector = Navegante(self.url, "mesa"), Navegante(self.url, "inspector")
        self.hilos = [threading.Thread(target=self.registrar), threading.Thread(target=self.programar)]
        for hilo in self.hilos:
            hilo.start()
        return self

    def __exit__(self, *nada: object) -> None:
        self.basta.set()
        for hilo in self.hilos:
            hilo.join(90)

    @property
    def respondidos(self) -> int:
        return len(self.registrados) + len(self.programados)

    def pedir(self, que: str, pedido: Callable[[], requests.Response]) -> requests.Response | None:
        inicio = time.monotonic()
        try:
            respuesta = pedido()
        except requests.RequestException:
            respuesta = None
        estado = respuesta.status_code if respuesta is not None else 0
        self.paginas.append((inicio, que, estado, time.monotonic() - inicio))
        if respuesta is not None and estado >= 500:
            self.cuerpos[re.sub(r"\s+", " ", respuesta.text)[-4000:]] += 1
        self.basta.wait(self.pausa)
        return respuesta

    def registrar(self) -> None:
        while not self.basta.is_set():
            datos = solicitud(self.producto, self.puesto)
            respuesta = self.pedir("registrar", lambda datos=datos: self.mesa.enviar("/expedientes/nuevo/", datos))
            if respuesta is not None and respuesta.status_code == 302:
                self.registrados.append(respuesta.headers["Location"].rstrip("/").rpartition("/")[2])
            self.pedir("tablero", lambda: self.mesa.get(f"{self.url}/tablero/", timeout=60))

    def programar(self) -> None:
        hechos: set[str] = set()
        while not self.basta.is_set():
            por_hacer = [numero for numero in self.registrados if numero not in hechos]
            if not por_hacer:
                self.pedir("tablero", lambda: self.inspector.get(f"{self.url}/tablero/", timeout=60))
                continue
            numero = por_hacer[0]
            self.pedir("caso", lambda n=numero: self.inspector.get(f"{self.url}/expedientes/{n}/", timeout=60))
            cita = (timezone.localtime() + timezone.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
            ruta = f"/expedientes/{numero}/partidas/1/programar/"
            datos = {"cita_en": cita, "terminal": f"Muelle {len(hechos)}"}
            respuesta = self.pedir("programar", lambda r=ruta, d=datos: self.inspector.enviar(r, d))
            if respuesta is not None and respuesta.status_code in (302, 409):
                hechos.add(numero)
                if respuesta.status_code == 302:
                    self.programados.append((numero, datos["terminal"]))

    def entre(self, desde: float, hasta: float) -> tuple[float, float, int]:
        """Of the pages asked for between two moments: the share that answered, the 95th percentile, how many."""
        suyas = [(estado, segundos) for cuando, _que, estado, segundos in self.paginas if desde <= cuando < hasta]
        tiempos = sorted(segundos for _estado, segundos in suyas)
        bien = sum(0 < estado < 400 for estado, _segundos in suyas)
        return bien / len(suyas), tiempos[int(0.95 * (len(tiempos) - 1))], len(suyas)


def gente_de(sitio: Sitio) -> Gente:
    cache.clear()
    return Gente(
        sitio.url,
        producto=Producto.objects.get(codigo="uva-fresca").pk,
        puesto=Puesto.objects.get(codigo="PCM").pk,
        pausa=1.0 if COMPLETO else 0.2,
    )


def revisar_sin_broker(
    gente: Gente, momentos: tuple[float, float, float], vuelta: float, buzon: Buzon, *, espera: float = 0.5
) -> str:
    """`momentos`: when people began, when the broker went, when it came back. `espera`: what a ring may cost."""
    inicio, ido, vuelto = momentos
    _bien, p95_antes, _n = gente.entre(inicio, ido)
    bien, p95, n = gente.entre(ido, vuelto)
    tardo = segundos_hasta_acabar(vuelta, PLAZO_TRAS_EL_BROKER)
    assert bien >= 0.99, Counter((que, estado) for _c, que, estado, _s in gente.paginas)
    assert p95 <= 3 * p95_antes + espera
    assert set(gente.registrados) <= set(Expediente.objects.values_list("numero", flat=True))
    revisar_correos(buzon, 0)
    revisar_todo()
    return (
        f"{n} páginas sin él, {bien:.1%} respondidas, p95 {p95 * 1000:.0f} ms (antes {p95_antes * 1000:.0f} ms), "
        f"{Notificacion.objects.count()} avisos, 0 perdidos, al día a los {tardo:.0f} s"
    )


@pytest.mark.django_db(transaction=True)
def test_redis_vaciado_ausente_y_mudo(
    entorno: dict[str, str], servidor_smtp: Buzon, redis: Proceso, tmp_path: Path
) -> None:
    """Flushed, dead, and what is worse: taking connections and saying nothing."""
    sitio = Sitio(entorno | {"PRUEBA_REDIS_URL": redis.entorno["REDIS_DE_PRUEBA"]}, tmp_path)
    try:
        sitio.obrero.lanzar()
        sitio.pulso.lanzar()
        sitio.lanzar_web()
        with sitio.vigilado():
            with gente_de(sitio) as gente:
                inicio = time.monotonic()
                time.sleep(5)
                for _vez in range(3):
                    assert redis_cli(redis, "flushall") == "OK"
                    time.sleep(1)
                redis.matar()
                ido = time.monotonic()
                time.sleep(SIN_BROKER)
                vuelto = time.monotonic()
                redis.lanzar()
                esperar_a_que(lambda: redis_vive(redis), 20, "Redis no vuelve")
                assert redis_cli(redis, "flushall") == "OK"
                time.sleep(2)
            medido("Redis: " + revisar_sin_broker(gente, (inicio, ido, vuelto), time.monotonic(), servidor_smtp))
            with gente_de(sitio) as gente:
                inicio = time.monotonic()
                time.sleep(3)
                os.kill(redis.pid, signal.SIGSTOP)
                ido = time.monotonic()
                time.sleep(SIN_BROKER / 5)
                vuelto = time.monotonic()
                os.kill(redis.pid, signal.SIGCONT)
            revisado = revisar_sin_broker(gente, (inicio, ido, vuelto), time.monotonic(), servidor_smtp, espera=2.5)
            medido("Redis mudo: " + revisado)
    finally:
        os.kill(redis.pid, signal.SIGCONT)
        sitio.parar()


def deber_por_el_timbre(entorno: dict[str, str], desde: int, hasta: int) -> None:
    """As many notices, each in a transaction of its own that rings at the broker of `entorno`, as an act would."""
    guion = f"from tests.notificaciones.test_salida import deber\nfor n in range({desde}, {hasta}): deber(n)"
    orden = [sys.executable, "manage.py", "shell", "-v", "0", "-c", guion]
    hecho = subprocess.run(orden, cwd=settings.BASE_DIR, env=entorno, capture_output=True, text=True, timeout=300)
    assert hecho.returncode == 0, hecho.stderr


def que_calle(buzon: Buzon, segundos: float = 3.0) -> None:
    """Until nothing has come in for so long: whoever had something in hand is through with it."""
    visto, desde = -1, time.monotonic()

    def callado() -> bool:
        nonlocal visto, desde
        if len(buzon.mensajes) != visto:
            visto, desde = len(buzon.mensajes), time.monotonic()
        return time.monotonic() - desde > segundos

    esperar_a_que(callado, 120, "sin Redis no dejan de salir")


@pytest.mark.django_db(transaction=True)
def test_redis_vaciado_y_muerto_con_mil_avisos_debidos(
    entorno: dict[str, str], servidor_smtp: Buzon, redis: Proceso, tmp_path: Path
) -> None:
    """Half are owed before it goes, and it goes while they are being sent; half are owed while nothing rings."""
    entorno = entorno | {"PRUEBA_REDIS_URL": redis.entorno["REDIS_DE_PRUEBA"]}
    servidor_smtp.demora = 0.05
    sitio = Sitio(entorno, tmp_path)
    mitad = AVISOS_SIN_BROKER // 2
    try:
        deber_por_el_timbre(entorno, 0, mitad)  # nobody is there yet to hear: the bell stays in the broker
        assert int(redis_cli(redis, "llen", "celery")) >= mitad
        sitio.obrero.lanzar()
        sitio.pulso.lanzar()
        with sitio.vigilado():
            esperar_a_que(lambda: servidor_smtp.mensajes, 60, f"no sale ninguno: {sitio.obrero.ultimo()}")
            assert redis_cli(redis, "flushall") == "OK"
            redis.matar()
            salidos, ido = len(servidor_smtp.mensajes), time.monotonic()
            assert salidos < mitad  # else it went too late, and proved nothing
            que_calle(servidor_smtp)  # what the worker had in hand when it went
            deber_por_el_timbre(entorno, mitad, AVISOS_SIN_BROKER)
            time.sleep(max(0.0, CON_AVISOS_SIN_BROKER - (time.monotonic() - ido)))
            debidos = quedan()["avisos"]
            assert debidos > 0  # nobody sweeps without it
            redis.lanzar()
            esperar_a_que(lambda: redis_vive(redis), 20, "Redis no vuelve")
            vuelto = time.monotonic()
            assert redis_cli(redis, "flushall") == "OK"
            tardo = segundos_hasta_acabar(vuelto, PLAZO_TRAS_EL_BROKER)
    finally:
        sitio.parar()
    assert Notificacion.objects.count() == AVISOS_SIN_BROKER
    revisar_correos(servidor_smtp, 0)
    medido(
        f"Redis con avisos debidos: {AVISOS_SIN_BROKER}, {salidos} ya enviados al vaciarlo y matarlo, ausente "
        f"{vuelto - ido:.0f} s, {debidos} debidos al volver, 0 perdidos, 0 repetidos, al día a los {tardo:.0f} s"
    )


@pytest.mark.django_db(transaction=True)
def test_carpetas_del_broker_borradas(sitio: Sitio, servidor_smtp: Buzon) -> None:
    sitio.obrero.lanzar()
    sitio.pulso.lanzar()
    sitio.lanzar_web()
    with gente_de(sitio) as gente:
        inicio = time.monotonic()
        time.sleep(4)
        ido = time.monotonic()
        for _vez in range(30 if COMPLETO else 5):
            shutil.rmtree(Path(settings.VAR) / "cola", ignore_errors=True)
            time.sleep(2)
        vuelto = time.monotonic()
    assert sitio.obrero.proceso
    assert sitio.obrero.proceso.poll() is None, sitio.obrero.ultimo()
    medido("carpetas: " + revisar_sin_broker(gente, (inicio, ido, vuelto), time.monotonic(), servidor_smtp))


# ── 5 · PostgreSQL, under its keeper, with the whole of `make run` upon it ────────────────────────


def test_postgres_muerto_con_gente_trabajando(servidor: Servidor) -> None:  # noqa: F811
    """Every 302 that somebody saw is there; our processes are the same ones afterwards."""
    servidor.arrancar(180)
    guion = "from expedientes.models import Producto as P, Puesto as U; print(P.objects.get(codigo='uva-fresca').pk, "
    producto, puesto = servidor.manage("shell", "-v", "0", "-c", guion + "U.objects.get(codigo='PCM').pk)").split()
    nuestros = {parte: servidor.procesos(parte) for parte in ("gunicorn senasa.wsgi", "-A senasa")}
    peor = 0.0
    with Gente(f"http://127.0.0.1:{servidor.puerto}", int(producto), int(puesto), pausa=0.05) as gente:
        for _vez in range(MUERTES_DE_POSTGRES):
            time.sleep(azar.uniform(3, 6))
            viejo = servidor.procesos("bin/postgres -D")[0]
            # Right after an answer, and all of it: a child left alive would still write what was only in memory.
            respondidos = gente.respondidos
            esperar_a_que(lambda n=respondidos: gente.respondidos > n, PLAZO_DE_POSTGRES, "nadie actúa")
            for pid in [viejo, *hijos_de(viejo)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            muerto = time.monotonic()
            esperar_a_que(
                lambda viejo=viejo: servidor.procesos("bin/postgres -D") not in ([], [viejo]), 30, "no volvió"
            )
            esperar_a_que(servidor.listo, PLAZO_DE_POSTGRES, "no está listo")
            antes = len(gente.registrados)
            esperar_a_que(
                lambda antes=antes: len(gente.registrados) > antes, PLAZO_DE_POSTGRES, "nadie puede registrar"
            )
            peor = max(peor, time.monotonic() - muerto)
    assert {parte: servidor.procesos(parte) for parte in nuestros} == nuestros
    guion = (
        "import json; from expedientes.models import Partida as P; "
        "print(json.dumps(list(P.objects.values_list('expediente__numero', 'terminal'))))"
    )
    hay = [tuple(fila) for fila in json.loads(servidor.manage("shell", "-v", "0", "-c", guion))]
    assert set(gente.registrados) <= {numero for numero, _terminal in hay}
    assert set(gente.programados) <= set(hay)
    assert len(gente.programados) > MUERTES_DE_POSTGRES
    servidor.manage("verificar_bitacora")
    # While it was away: a page of ours that says so, never a bare error nor a hang.
    caidas = [(estado, segundos) for _c, _q, estado, segundos in gente.paginas if not 0 < estado < 500]
    assert {estado for estado, _segundos in caidas} <= {500, 503}
    assert all("Vuelva a intentarlo" in cuerpo for cuerpo in gente.cuerpos)
    assert all(segundos < PLAZO_DE_POSTGRES for _estado, segundos in caidas)
    medido(
        f"PostgreSQL: {MUERTES_DE_POSTGRES} muertes, {gente.respondidos} actos "
        f"respondidos, 0 perdidos, {len(caidas)} de {len(gente.paginas)} páginas con disculpa, "
        f"de vuelta a los {peor:.1f} s como mucho"
    )

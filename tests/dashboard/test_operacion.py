"""The operations page: who may see it, what it says when something is wrong, and that it never breaks itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import operacion
from dashboard.operacion import ATENCION, BIEN, MAL, NO_SE_SABE, Control
from expedientes.models import Dictamen
from indicadores import mensuales
from indicadores.models import InformeMensual
from laboratorio.models import EstadoInforme, Informe
from notificaciones.models import Notificacion
from senasa.models import Latido
from senasa.tasks import latir
from tests.builders import crear_caso, crear_importador, personas
from tests.dashboard.test_metricas import _con_broker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sin_cola_de_otras_pruebas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operacion, "_en_la_cola", lambda: 0)


def control(que: str) -> Control:
    grupos = operacion.controles(operacion.medir())
    (uno,) = [c for grupo in grupos.values() for c in grupo if c.que.startswith(que)]
    return uno


def visto(nombre: str, hace: timedelta, **datos: Any) -> None:
    Latido.objects.update_or_create(nombre=nombre, defaults={"visto_en": timezone.now() - hace, "datos": datos})


def todo_en_marcha() -> None:
    for nombre in ("beat", "worker"):
        visto(nombre, timedelta(seconds=5))
    visto("respaldo", timedelta(hours=3), octetos=5_000_000, archivos=12, faltan=0)


def abrir(client: Client, quien: str = "admin"):
    client.force_login(personas()[quien])
    return client.get("/operacion/")


@pytest.mark.parametrize(
    ("quien", "estado"), [("admin", 200), ("direccion", 200), ("inspector", 403), ("director", 403)]
)
def test_for_who_runs_it_and_who_directs(client: Client, quien: str, estado: int) -> None:
    assert abrir(client, quien).status_code == estado
    assert ('href="/operacion/"' in client.get("/tablero/").content.decode()) == (quien == "admin")


def test_all_well_says_so_and_asks_for_nothing(client: Client, certificado: Any) -> None:
    todo_en_marcha()
    pagina = abrir(client)
    assert operacion.por_atender(pagina.context["grupos"]) == []
    texto = pagina.content.decode()
    assert "todo bien" in texto
    assert "Por dónde empezar" not in texto
    assert "leído de nuevo" in texto


def test_nothing_ever_ran_and_the_page_answers(client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No certificate, no backup, no heartbeat, no broker."""
    monkeypatch.undo()
    monkeypatch.setattr(operacion, "app", _con_broker("redis://127.0.0.1:1/0"))
    client.force_login(personas()["admin"])
    settings.FIRMA_P12 = ""
    settings.DEMO = False
    pagina = client.get("/operacion/")
    assert pagina.status_code == 200
    malos = {c.que: c for c in operacion.por_atender(pagina.context["grupos"])}
    assert set(malos) == {"Planificador (beat)", "Cola de mensajes", "Certificado de firma", "Respaldo"}
    assert all(c.luz == MAL and c.que_hacer.endswith(".") for c in malos.values())
    assert control("Trabajador").luz == NO_SE_SABE
    assert "Redis" in malos["Cola de mensajes"].que_hacer


def test_every_control_that_is_not_well_says_what_to_do(certificado: Any, settings: Any) -> None:
    todo_en_marcha()
    settings.RESPALDO_CARPETA = "/no/existe"
    casos = [
        ("Planificador", lambda: visto("beat", timedelta(seconds=90)), ATENCION),
        ("Planificador", lambda: visto("beat", timedelta(minutes=3)), MAL),
        ("Trabajador", lambda: visto("worker", timedelta(minutes=4)), NO_SE_SABE),
        ("Trabajador", lambda: visto("beat", timedelta(seconds=5)), MAL),
        ("Respaldo", lambda: visto("respaldo", timedelta(hours=30), octetos=1, archivos=1, faltan=0), ATENCION),
        ("Respaldo", lambda: visto("respaldo", timedelta(hours=60), octetos=1, archivos=1, faltan=0), MAL),
        ("Respaldo", lambda: visto("respaldo", timedelta(hours=1), octetos=1, archivos=1, faltan=2), MAL),
        ("Respaldo", lambda: visto("respaldo_fallido", timedelta(minutes=1), porque="No queda disco."), MAL),
    ]
    for que, romper, luz in casos:
        assert control(que).luz == BIEN or que in ("Planificador", "Trabajador", "Respaldo")
        romper()
        hallado = control(que)
        assert hallado.luz == luz, (que, hallado)
        assert hallado.que_hacer.endswith("."), hallado
    assert "No queda disco." in control("Respaldo").como
    visto("respaldo", timedelta(0), octetos=1, archivos=1, faltan=0)
    assert control("Respaldo").luz == BIEN  # a good one after a failure is good


def test_monthly_reports_not_signed_are_counted_and_a_failed_one_is_bad(certificado: Any) -> None:
    mes = mensuales.ultimo_mes()
    crear_caso("muestreado", hace=timedelta(days=45))
    assert control("Informes mensuales").como == "Todos firmados"
    mensuales.hacer(mes=mes)
    assert (control("Informes mensuales").luz, control("Informes mensuales").como) == (BIEN, "1 por firmar")
    InformeMensual.objects.update(falla="El certificado de firma venció.")
    malo = control("Informes mensuales")
    assert (malo.luz, malo.como, malo.enlace) == (MAL, "1 sin poder firmarse", "/programa/informes/")


def test_the_worker_says_that_it_lives() -> None:
    latir()
    latir()
    assert Latido.objects.filter(nombre="worker", visto_en__gt=timezone.now() - timedelta(seconds=10)).count() == 1


def test_certificate_warns_before_it_ends(certificado: Any, settings: Any, tmp_path: Any) -> None:
    from expedientes import firma

    for dias, luz in ((100, BIEN), (30, ATENCION), (3, MAL)):
        ruta = tmp_path / f"{dias}.p12"
        firma.crear_demo(ruta, "clave", hasta=timezone.now() + timedelta(days=dias, minutes=5))
        settings.FIRMA_P12, settings.FIRMA_CLAVE = str(ruta), "clave"
        settings.FIRMA_RAICES = str(tmp_path / f"{dias}-raiz.pem")
        hallado = control("Certificado")
        assert (hallado.luz, hallado.como) == (luz, f"Quedan {dias} días · es de demostración")


def test_full_disk_is_said_once_for_each_disk(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.VAR.mkdir(parents=True, exist_ok=True)
    discos = operacion.discos()
    assert discos
    assert sum("var" in disco.carpetas for disco in discos) == 1
    for libre, luz in ((200, BIEN), (100, ATENCION), (40, MAL)):
        monkeypatch.setattr(
            operacion, "discos", lambda libre=libre: [operacion.Disco(("var", "informes"), libre, 1000)]
        )
        assert control("Disco de var, informes").luz == luz


def test_mails_and_signatures_that_failed_lead_to_their_cases_and_name_nobody(client: Client, certificado: Any) -> None:
    todo_en_marcha()
    caso = crear_caso("con_riv")
    Dictamen.objects.update(riv=None, riv_falla="El certificado de firma venció el 01/11/2026.")
    en_gracia = crear_caso("verificado", importador=crear_importador(1))
    Informe.objects.filter(expediente=en_gracia.expediente).update(
        estado=EstadoInforme.FIRMA_FALLIDA, falla="La clave del certificado no es la correcta."
    )
    aviso = Notificacion.objects.filter(referencia=caso.expediente.referencia).first()
    viejo = Notificacion.objects.filter(referencia=en_gracia.expediente.referencia).first()
    Notificacion.objects.filter(pk=aviso.pk).update(
        estado="fallida", error="El servidor de correo respondió 550.", creada_en=timezone.now()
    )
    Notificacion.objects.filter(pk=viejo.pk).update(estado="fallida", creada_en=timezone.now() - timedelta(days=8))
    pagina = abrir(client)
    assert [(p.expediente, p.porque) for p in pagina.context["avisos"]] == [
        (caso.expediente.numero, "El servidor de correo respondió 550.")
    ]
    assert {p.expediente for p in pagina.context["firmas"]} == {caso.expediente.numero, en_gracia.expediente.numero}
    texto = pagina.content.decode()
    assert f'href="/expedientes/{caso.expediente.numero}/"' in texto
    assert 'href="#avisos"' in texto
    assert 'href="#firmas"' in texto
    assert caso.expediente.importador.correo not in texto
    assert caso.expediente.importador.nombre not in texto
    assert "La clave del certificado no es la correcta." not in texto  # whose it is would tell who had to sign


def test_costs_the_same_with_one_failure_and_with_thirty(client: Client, certificado: Any) -> None:
    todo_en_marcha()
    caso = crear_caso("registrado")
    modelo = Notificacion.objects.first()

    def fallar(cuantas: int) -> None:
        Notificacion.objects.bulk_create(
            Notificacion(
                clave=f"k{Notificacion.objects.count()}-{n}", aviso="registrada", correo=modelo.correo, asunto="x",
                texto="x", html="x", referencia=caso.expediente.referencia, estado="fallida", creada_en=timezone.now(),
                proximo_intento_en=timezone.now(), limite_en=timezone.now(), message_id=f"<{cuantas}-{n}@x>",
            )
            for n in range(cuantas)
        )  # fmt: skip

    def consultas() -> int:
        with CaptureQueriesContext(connection) as hechas:
            assert abrir(client).status_code == 200
        return len(hechas)

    fallar(1)
    consultas()
    una = consultas()
    fallar(29)
    assert consultas() == una
    assert len(operacion.avisos_que_no_salieron(timezone.now())) == operacion.LISTA

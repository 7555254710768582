"""The links' secret: what opens one, what does not, and that it lies nowhere."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from expedientes import services as casos
from expedientes.avisos import ENLACE_TRAS_EL_CIERRE
from notificaciones import enlaces, services
from notificaciones.models import Enlace, Notificacion
from tests.builders import crear_caso
from tests.conftest import Buzon

pytestmark = pytest.mark.django_db


@pytest.fixture
def enlace() -> Enlace:
    return services.enlace_para(referencia="expediente:1", correo="Uno@Empresa.example")


def test_abrir_el_propio(enlace: Enlace) -> None:
    assert enlaces.abrir(enlaces.token(enlace)) == enlace
    assert services.enlace_para(referencia="expediente:1", correo="uno@empresa.EXAMPLE") == enlace


def test_un_token_alterado_no_abre(enlace: Enlace) -> None:
    otro = services.enlace_para(referencia="expediente:2", correo="uno@empresa.example")
    token = enlaces.token(enlace)
    pk, _guion, firma = token.partition("-")
    assert len(firma) >= 22  # 128 bits and more, in base64
    alterados = {token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in range(len(token))}
    alterados |= {
        token[:-1],
        f"{token}A",
        f"0{token}",
        f"{otro.pk}-{firma}",
        f"{pk}-",
        pk,
        "",
        "-",
        f"{token} ",
        f"{token}=",
    }
    alterados |= {f"{'9' * 30}-{firma}", f"²-{firma}", f"{pk}-ñ", token.swapcase()}
    assert [malo for malo in alterados if enlaces.abrir(malo)] == []


def test_con_otra_clave_no_abre(enlace: Enlace, settings: Any) -> None:
    token = enlaces.token(enlace)
    settings.ENLACE_CLAVE = "otra clave, la de antes del cambio"
    assert enlaces.abrir(token) is None


def test_revocado_vencido_o_de_otra_version_no_abre(enlace: Enlace) -> None:
    token = enlaces.token(enlace)
    for campos in ({"revocado_en": timezone.now()}, {"vence_en": timezone.now()}, {"version": 2}):
        Enlace.objects.filter(pk=enlace.pk).update(**campos)
        assert enlaces.abrir(token) is None, campos
        Enlace.objects.filter(pk=enlace.pk).update(revocado_en=None, vence_en=None, version=1)
    assert enlaces.abrir(token)
    assert enlaces.vigente(enlace.pk, 1)
    assert enlaces.vigente(enlace.pk, 2) is None


def test_revocar_solo_al_corregido(enlace: Enlace) -> None:
    agente = services.enlace_para(referencia="expediente:1", correo="agente@aduana.example")
    enlaces.revocar_de(referencia="expediente:1", correo="uno@empresa.example")
    assert enlaces.abrir(enlaces.token(enlace)) is None
    assert enlaces.abrir(enlaces.token(agente)) == agente
    nuevo = services.enlace_para(referencia="expediente:1", correo="uno@empresa.example")
    assert nuevo != enlace
    assert enlaces.token(nuevo) != enlaces.token(enlace)


def test_cerrado_el_expediente_el_enlace_vence_y_pedirlo_de_nuevo_da_otro(certificado: Any) -> None:
    caso = crear_caso("cerrado")
    viejo = Enlace.objects.get(referencia=caso.expediente.referencia)
    token = enlaces.token(viejo)
    assert enlaces.abrir(token)
    with time_machine.travel(timezone.now() + ENLACE_TRAS_EL_CIERRE + timedelta(days=1)):
        assert enlaces.abrir(token) is None
        casos.reenviar_enlace(expediente=caso.expediente, actor=caso.personas["atencion"])
        nuevo = Enlace.objects.get(referencia=caso.expediente.referencia)
        assert enlaces.abrir(enlaces.token(nuevo)) == nuevo
        assert enlaces.abrir(token) is None


def test_abrir_no_escribe_nada(client: Client) -> None:
    """Mail scanners open links too: ten visits leave the database as it was."""
    expediente = crear_caso().expediente
    enlace = Enlace.objects.get(referencia=expediente.referencia)
    camino = reverse("seguimiento", args=[enlaces.token(enlace)])
    with CaptureQueriesContext(connection) as consultas:
        for _vez in range(10):
            assert client.get(camino).status_code == 302
            assert Client(headers={"user-agent": "bot"}).head(camino).status_code == 302
        assert client.get(reverse("seguimiento_caso", args=[expediente.numero])).status_code == 200
    escrituras = [c["sql"] for c in consultas if c["sql"].split()[0].upper() in ("INSERT", "UPDATE", "DELETE")]
    assert escrituras == []


def columnas_de_texto() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'bytea', 'character')"
        )
        return cursor.fetchall()


def test_el_token_no_esta_en_ninguna_columna(client: Client, certificado: Any, servidor_smtp: Buzon) -> None:
    caso = crear_caso("cerrado")
    casos.reenviar_enlace(expediente=caso.expediente, actor=caso.personas["atencion"])
    enlace = Enlace.objects.get(referencia=caso.expediente.referencia)
    assert services.despachar() > 5
    client.force_login(caso.personas["atencion"])  # a session, to be looked into too
    client.get(reverse("seguimiento", args=[enlaces.token(enlace)]))
    secreto = enlaces.token(enlace).partition("-")[2]
    for mensaje in servidor_smtp.mensajes:
        assert all(secreto in parte.get_content() for parte in mensaje.iter_parts())

    columnas = columnas_de_texto()
    assert ("notificaciones_notificacion", "texto") in columnas
    assert ("expedientes_evento", "datos") in columnas
    halladas = []
    with connection.cursor() as cursor:
        for tabla, columna in columnas:
            consulta = f'SELECT 1 FROM "{tabla}" WHERE "{columna}"::text LIKE %s LIMIT 1'  # noqa: S608
            cursor.execute(consulta, [f"%{secreto}%"])
            if cursor.fetchone():
                halladas.append((tabla, columna))
    assert halladas == []


def test_la_busqueda_del_token_encuentra_uno_guardado(enlace: Enlace) -> None:
    """The search above would see it: no text column of ours is left out."""
    columnas = set(columnas_de_texto())
    de_texto = (models.CharField, models.TextField, models.JSONField, models.BinaryField)
    nuestras = {
        (modelo._meta.db_table, campo.column)
        for modelo in apps.get_models()
        if modelo._meta.app_label in ("senasa", "notificaciones", "expedientes", "laboratorio")
        for campo in modelo._meta.concrete_fields
        if isinstance(campo, de_texto)
    }
    assert nuestras <= columnas
    assert Notificacion._meta.db_table in {tabla for tabla, _columna in nuestras}

"""The log: sealed, guarded by the database, and every kind of tampering named."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from expedientes import bitacora, services
from expedientes.models import Evento, Expediente
from senasa import reloj
from senasa.transicion import DatoInvalido
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db


def sin_disparadores(sql: str, *parametros) -> None:
    """What somebody with the database's own rights could do."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, parametros)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.fixture
def caso():
    crear_caso("en_inspeccion", puesto="PCA")
    return crear_caso("en_laboratorio")


def primera_falla() -> str:
    with pytest.raises(CommandError) as error:
        call_command("verificar_bitacora")
    assert error.value.returncode == 1
    return str(error.value)


def test_a_true_history_verifies(caso, capsys):
    call_command("verificar_bitacora")
    assert "íntegra" in capsys.readouterr().out


@pytest.mark.parametrize(
    "cambio",
    [
        "texto = 'otra cosa'", "actor_id = (SELECT max(id) FROM senasa_usuario)", "accion = 'programar'",
        "ocurrio_en = ocurrio_en - interval '1 day'", "registrado_en = registrado_en - interval '1 day'",
        "datos = '{}'", "motivo = 'x'", "a = 'cerrado'", "objeto_id = objeto_id + 1",
    ],
)  # fmt: skip
def test_an_edited_row_is_named(caso, cambio):
    evento = Evento.objects.get(expediente=caso.expediente, accion="tomar_muestra")
    sin_disparadores(f"UPDATE expedientes_evento SET {cambio} WHERE id = %s", evento.pk)
    assert f"evento {evento.n} (id {evento.pk})" in primera_falla()


def test_a_deleted_row_is_named(caso):
    evento = Evento.objects.get(expediente=caso.expediente, n=3)
    sin_disparadores("DELETE FROM expedientes_evento WHERE id = %s", evento.pk)
    assert f"{caso.expediente.numero}, evento 4" in primera_falla()


def test_a_deleted_tail_is_named(caso):
    sin_disparadores("DELETE FROM expedientes_evento WHERE expediente_id = %s AND n > 3", caso.expediente.pk)
    assert f"{caso.expediente.numero}: la bitácora termina en el evento 3" in primera_falla()


def test_swapped_rows_are_named(caso):
    pk = caso.expediente.pk
    for de, a in ((3, 9003), (4, 3), (9003, 4)):
        sin_disparadores("UPDATE expedientes_evento SET n = %s WHERE expediente_id = %s AND n = %s", a, pk, de)
    assert f"{caso.expediente.numero}, evento 3" in primera_falla()


def test_a_chain_recomputed_without_the_key_is_named(caso, settings):
    clave, settings.BITACORA_CLAVE = settings.BITACORA_CLAVE, "otra clave, la que un intruso podría inventar"
    previo = ""
    for fila in Evento.objects.filter(expediente=caso.expediente).order_by("n").values(*bitacora.CAMPOS):
        fila["previo"] = previo
        previo, anterior = bitacora.sellar(fila), previo
        sin_disparadores(
            "UPDATE expedientes_evento SET previo = %s, sello = %s WHERE id = %s", anterior, previo, fila["id"]
        )
    sin_disparadores("UPDATE expedientes_expediente SET sello = %s WHERE id = %s", previo, caso.expediente.pk)
    settings.BITACORA_CLAVE = clave
    assert f"{caso.expediente.numero}, evento 1" in primera_falla()


def test_a_case_gone_with_its_log_is_named():
    crear_caso()
    ido = crear_caso().expediente
    crear_caso()
    sin_disparadores("DELETE FROM expedientes_contenedor WHERE partida_id IN (SELECT id FROM expedientes_partida "
                     "WHERE expediente_id = %s)", ido.pk)  # fmt: skip
    for tabla in ("expedientes_evento", "expedientes_partida", "expedientes_hitos", "expedientes_pronostico"):
        sin_disparadores(f"DELETE FROM {tabla} WHERE expediente_id = %s", ido.pk)
    sin_disparadores("DELETE FROM expedientes_expediente WHERE id = %s", ido.pk)
    assert ido.numero in primera_falla()


@pytest.mark.parametrize("sql", ["UPDATE expedientes_evento SET texto = 'x'", "DELETE FROM expedientes_evento"])
def test_the_database_refuses_to_touch_the_log(caso, sql):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_the_database_refuses_to_truncate_the_log():
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE expedientes_evento CASCADE")


def test_an_act_in_the_future_or_before_the_last_one_is_refused(caso):
    caso = crear_caso("programado")
    partida = caso.partidas[0]
    conforme = {"documentaria": "conforme", "identidad": "conforme", "fisica": "conforme", "actor": caso.inspector}
    with pytest.raises(DatoInvalido) as error:
        services.inspeccionar(partida=partida, ocurrio_en=reloj.ahora() + timedelta(minutes=5), **conforme)
    assert "ocurrio_en" in error.value.message_dict
    with pytest.raises(DatoInvalido):
        services.inspeccionar(partida=partida, ocurrio_en=reloj.ahora() - timedelta(days=30), texto="tarde", **conforme)
    with pytest.raises(DatoInvalido) as error:
        services.inspeccionar(partida=partida, ocurrio_en=reloj.ahora() - timedelta(days=2), **conforme)
    assert "texto" in error.value.message_dict
    momento = reloj.ahora() - timedelta(days=2)
    services.inspeccionar(partida=partida, ocurrio_en=momento, texto="sin señal en el muelle", **conforme)
    evento = Evento.objects.get(expediente=caso.expediente, accion="inspeccionar")
    assert evento.ocurrio_en == momento
    assert evento.registrado_en - evento.ocurrio_en > timedelta(days=1)


def test_numbers_leave_no_gaps(caso):
    numeros = [crear_caso().expediente.numero for _n in range(3)]
    assert [numero[-6:] for numero in numeros] == ["000002", "000003", "000004"]
    assert Expediente.objects.filter(numero__startswith="PCA").get().numero.endswith("000001")

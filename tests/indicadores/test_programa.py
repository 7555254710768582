"""The programme's figures against a recomputation that shares nothing with them: the log's own rows, in plain SQL."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from expedientes import incidencias
from expedientes.models import Expediente, Motivo
from indicadores.programa import Parte, calcular
from laboratorio import recorrido
from laboratorio.models import Muestra
from senasa import reloj
from senasa.models import Puesto
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db

# Everything from expedientes_evento: no derived table is read.
DE_LA_BITACORA = """
WITH cierre AS (
    SELECT expediente_id, max(ocurrio_en) FILTER (WHERE accion = 'cerrar') AS t7
    FROM expedientes_evento WHERE objeto = 'expediente' GROUP BY 1
), toma AS (
    SELECT expediente_id, min(ocurrio_en) AS t1 FROM expedientes_evento WHERE accion = 'tomar_muestra' GROUP BY 1
), ultimo AS (
    SELECT DISTINCT ON (expediente_id, objeto_id) expediente_id, ocurrio_en, datos -> 'informes' AS informes
    FROM expedientes_evento WHERE objeto = 'partida' AND accion LIKE 'dictaminar%%'
    ORDER BY expediente_id, objeto_id, n DESC
), dictamen AS (
    SELECT expediente_id, max(ocurrio_en) AS t6 FROM ultimo GROUP BY 1
), informe AS (
    SELECT u.expediente_id, max(e.ocurrio_en) AS t5 FROM ultimo u
    JOIN expedientes_evento e ON e.expediente_id = u.expediente_id AND e.objeto = 'informe'
        AND e.accion IN ('emitir', 'corregir') AND u.informes ? (e.datos ->> 'documento')
    GROUP BY 1
), cohorte AS (
    SELECT t1, t5, t6, t7 FROM cierre JOIN toma USING (expediente_id) JOIN dictamen USING (expediente_id)
    LEFT JOIN informe USING (expediente_id) JOIN expedientes_expediente x ON x.id = cierre.expediente_id
    WHERE x.estado = 'cerrado' AND (t7 AT TIME ZONE 'America/Lima')::date BETWEEN %(desde)s AND %(hasta)s
        AND (%(puesto)s = '' OR x.numero LIKE %(puesto)s || '-%%')
)
SELECT json_build_object(
    'n', count(*),
    'media_ciclo_dias', avg(extract(epoch FROM t7 - t1)) / 86400,
    'pct_menos_15_dias', 100.0 * count(*) FILTER (WHERE t7 - t1 < interval '15 days') / nullif(count(*), 0),
    'media_informe_dictamen_dias', avg(extract(epoch FROM t6 - t5)) FILTER (WHERE t6 >= t5) / 86400
) FROM cohorte
"""


def de_la_bitacora(desde: date, hasta: date, puesto: str = "") -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(DE_LA_BITACORA, {"desde": desde, "hasta": hasta, "puesto": puesto})
        (fila,) = cursor.fetchone()
    return json.loads(fila) if isinstance(fila, str) else fila


def del_comando(capsys: Any, *argumentos: str) -> dict[str, Any]:
    call_command("indicadores", *argumentos, formato="json")
    return json.loads(capsys.readouterr().out)


def reabrir(caso: Any) -> None:
    motivo = Motivo.objects.filter(accion="reabrir").first()
    incidencias.reabrir(
        expediente=caso.expediente, actor=personas()["jefe"], partidas=list(caso.expediente.partidas.all()),
        motivo=motivo.codigo, texto="Otra decisión.",
    )  # fmt: skip


def test_iguales_a_lo_que_dice_la_bitacora_hasta_la_ultima_cifra(certificado, capsys):
    hoy = timezone.localdate()
    crear_caso("cerrado", hace=timedelta(days=20))
    crear_caso("cerrado", hace=timedelta(days=9), partidas=2)
    crear_caso("cerrado", hace=timedelta(days=3), puesto="PCA")
    reabierto = crear_caso("cerrado", hace=timedelta(days=30))
    reabrir(reabierto)
    with reloj.fijado(reloj.ahora() + timedelta(minutes=5)):
        recorrido.dictaminar(reabierto)
        recorrido.emitir_riv(reabierto)
        recorrido.cerrar(reabierto)
        abierto = crear_caso("cerrado", hace=timedelta(days=11))
        reabrir(abierto)  # it is open now: in no closure of any period
        corregido = crear_caso("con_riv", hace=timedelta(days=12))
        recorrido.enmendar(corregido)
        recorrido.firmar(corregido)
        recorrido.cerrar(corregido)
    for puesto in ("", "PCM", "PCA"):
        desde, hasta = hoy - timedelta(days=40), hoy + timedelta(days=1)
        argumentos = [f"--desde={desde}", f"--hasta={hasta}", *([f"--puesto={puesto}"] if puesto else [])]
        nuestros, suyos = del_comando(capsys, *argumentos), de_la_bitacora(desde, hasta, puesto)
        assert {clave: nuestros[clave] for clave in suyos} == pytest.approx(suyos, rel=1e-12)
        assert nuestros["n"] == {"": 5, "PCM": 4, "PCA": 1}[puesto]


def test_sin_casos_nada_se_puede_calcular_y_nada_es_cero(capsys):
    vacio = del_comando(capsys, "--desde=2020-01-01", "--hasta=2020-12-31")
    assert {clave for clave, valor in vacio.items() if valor is None} == {
        "media_ciclo_dias", "pct_menos_15_dias", "media_informe_dictamen_dias", "pct_envio_hasta_8_dias",
        "pct_informados", "reversiones_por_100_muestras", "pct_autoaprobadas", "pct_autofirmados",
    }  # fmt: skip
    assert (vacio["n"], vacio["reversiones"], vacio["abiertos_mas_60_dias"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("argumentos", "dice"),
    [
        (["--desde=2026-02-30", "--hasta=2026-03-01"], "no es un día"),
        (["--desde=2026-W09-1", "--hasta=2026-03-01"], "no es un día"),
        (["--desde=2026-03-01", "--hasta=9999-12-31"], "no existe"),
        (["--desde=1999-12-31", "--hasta=2026-03-01"], "no existe"),
        (["--desde=2026-03-02", "--hasta=2026-03-01"], "viene antes"),
        (["--desde=2026-03-01", "--hasta=2026-03-02", "--puesto=XXX"], "Hay: "),
        (["--desde=2026-03-01", "--hasta=2026-03-02", "--puesto="], "Hay: "),  # a script's variable without a value
    ],
)
def test_lo_mal_pedido_se_dice(argumentos, dice):
    crear_caso("registrado")
    with pytest.raises(CommandError, match=dice):
        call_command("indicadores", *argumentos)


def test_lo_excluido_se_cuenta_con_su_razon(certificado):
    hoy = timezone.localdate()
    crear_caso("cerrado", hace=timedelta(days=5))
    sin_informe = crear_caso("cerrado", hace=timedelta(days=6))
    antes = crear_caso("cerrado", hace=timedelta(days=7))
    sin_muestra = crear_caso("cerrado", hace=timedelta(days=8))
    from expedientes.models import Hitos

    Hitos.objects.filter(pk=sin_informe.expediente.pk).update(t5=None)
    fila = Hitos.objects.get(pk=antes.expediente.pk)
    Hitos.objects.filter(pk=fila.pk).update(t5=fila.t6 + timedelta(seconds=1))
    Hitos.objects.filter(pk=sin_muestra.expediente.pk).update(t1=None, t2=None, t5=None)
    p = calcular(hoy - timedelta(days=30), hoy)
    assert (p.ciclo.n, p.informe_a_dictamen.n) == (3, 1)
    assert p.excluidos == {
        "sin_muestra": 1, "sin_informe": 1, "decision_antes_del_informe": 1, "plazo_no_vencido": 3,
    }  # fmt: skip


def test_envio_a_tiempo_lo_no_enviado_falla_y_lo_reciente_espera():
    hoy = timezone.localdate()
    crear_caso("en_laboratorio", hace=timedelta(days=20))  # sent an hour later
    sin_enviar = crear_caso("muestreado", hace=timedelta(days=20))
    crear_caso("muestreado", hace=timedelta(days=2))
    p = calcular(hoy - timedelta(days=30), hoy)
    assert (p.envio, p.excluidos["plazo_no_vencido"]) == (Parte(1, 2), 1)
    recorrido.enviar(sin_enviar)  # late: it still fails
    assert calcular(hoy - timedelta(days=30), hoy).envio == Parte(1, 2)


def test_rezago_a_una_fecha_es_el_que_habia_ese_dia(certificado):
    hoy = timezone.localdate()
    viejo = crear_caso("cerrado", hace=timedelta(days=100))
    sin_muestra = crear_caso("registrado", hace=timedelta(days=90))
    assert (calcular(hoy, hoy).rezago, calcular(hoy, hoy).rezago_sin_muestra) == (0, 1)
    reabrir(viejo)
    assert (calcular(hoy, hoy).rezago, calcular(hoy, hoy).rezago_sin_muestra) == (1, 1)
    # Yesterday it was closed, and ninety-nine days ago it was young.
    ayer = hoy - timedelta(days=1)
    assert (calcular(ayer, ayer).rezago, calcular(ayer, ayer).rezago_sin_muestra) == (0, 1)
    assert sin_muestra.expediente.puesto == Puesto.objects.get(codigo="PCM")
    assert calcular(hoy, hoy, Puesto.objects.get(codigo="PCA")).rezago == 0


def test_reversiones_por_cien_muestras_y_lo_firmado_por_maquina(certificado):
    hoy = timezone.localdate()
    caso = crear_caso("con_resultado", hace=timedelta(days=3))
    recorrido.revertir(caso)
    crear_caso("resultado_emitido", hace=timedelta(days=3))
    p = calcular(hoy - timedelta(days=5), hoy)
    assert (p.reversiones, p.muestras, p.por_100, p.pct_autoaprobadas) == (1, 2, 50.0, 100.0)
    assert p.autofirmados.n == 1
    assert p.ensayo_a_informe.n == 1
    assert Expediente.objects.count() == Muestra.objects.count() == 2


def test_lo_que_se_enmienda_despues_no_cambia_lo_que_espero_el_informe(certificado):
    """8b of a month that is over: a result done again later says nothing of how long the report waited then."""
    caso = crear_caso("resultado_emitido", hace=timedelta(days=40))
    hoy = timezone.localdate()
    antes = calcular(hoy - timedelta(days=60), hoy).ensayo_a_informe
    assert antes.n == 1
    recorrido.enmendar_resultado(caso)
    assert calcular(hoy - timedelta(days=60), hoy).ensayo_a_informe == antes

"""The ledger of times: what it derives from the log is what the rows of the case say, and is always there."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from expedientes import incidencias, tiempos
from expedientes import services as casos
from expedientes.models import Dictamen, Documento, Estado, Expediente, Hitos, Motivo
from laboratorio import recorrido
from laboratorio.models import Analisis, Muestra
from laboratorio.services import anular_muestra, tomar_muestra
from senasa import reloj
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db


def de(expediente: Expediente) -> Hitos:
    return Hitos.objects.get(pk=expediente.pk)


def test_cada_hora_es_la_del_acto_que_la_hizo(certificado):
    caso = crear_caso("cerrado", hace=timedelta(days=9))
    fila, eventos = de(caso.expediente), caso.expediente.bitacora
    muestra, analisis = Muestra.objects.get(), Analisis.objects.get()
    assert (fila.t0, fila.t7) == (eventos.get(accion="registrar", objeto="expediente").ocurrio_en,
                                  eventos.get(accion="cerrar").ocurrio_en)  # fmt: skip
    assert (fila.t1, fila.t2, fila.t3) == (muestra.tomada_en, muestra.solicitud.enviada_en, muestra.recibida_en)
    assert fila.t4 == analisis.verificado_en
    assert fila.t5 == eventos.get(objeto="informe", accion="emitir").ocurrio_en
    assert fila.t6 == Dictamen.objects.get().ocurrio_en
    assert (fila.fin, fila.tiene, fila.muestras, fila.reaperturas) == (fila.t7, "", 1, 0)
    # Nobody's time is lost, and nobody's is told twice.
    repartido = fila.dias_puesto + fila.dias_traslado + fila.dias_laboratorio + fila.dias_importador
    assert repartido == pytest.approx((fila.t7 - fila.t0) / timedelta(days=1), abs=1e-6)


def test_reabierto_no_tiene_cierre_y_cerrado_otra_vez_tiene_el_ultimo(certificado):
    caso = crear_caso("cerrado", hace=timedelta(days=9))
    jefe, primero = personas()["jefe"], de(caso.expediente)
    motivo = Motivo.objects.filter(accion="reabrir").first()
    partida = caso.expediente.partidas.get()
    incidencias.reabrir(expediente=caso.expediente, actor=jefe, partidas=[partida], motivo=motivo.codigo, texto="Otra.")
    abierto = de(caso.expediente)
    assert (abierto.t5, abierto.t6, abierto.t7, abierto.fin, abierto.reaperturas) == (None, None, None, None, 1)
    assert abierto.tiene == "Puesto"
    recorrido.dictaminar(caso)
    recorrido.emitir_riv(caso)
    recorrido.cerrar(caso)
    fila = de(caso.expediente)
    assert fila.t7 > primero.t7
    assert (fila.t5, fila.cierres[0][0]) == (primero.t5, primero.t7.isoformat())
    assert fila.t6 == caso.expediente.bitacora.filter(accion="dictaminar").latest("n").ocurrio_en
    # The days in which it was closed are nobody's.
    cerrado = datetime.fromisoformat(fila.cierres[0][1]) - primero.t7
    assert fila.dias_puesto == pytest.approx(
        (fila.t7 - fila.t0 - cerrado) / timedelta(days=1)
        - fila.dias_traslado - fila.dias_laboratorio - fila.dias_importador, abs=1e-6,
    )  # fmt: skip


def test_de_varias_muestras_la_primera_toma_y_el_ultimo_envio_de_la_primera_ronda():
    caso = crear_caso("en_inspeccion")
    recorrido.tomar_muestra(caso)
    recorrido.tomar_muestra(caso)
    recorrido.enviar(caso)
    enviada = de(caso.expediente).t2
    recorrido.tomar_muestra(caso)  # one more while the others are there: the round is not out
    fila = de(caso.expediente)
    assert (fila.t1, fila.t2, fila.muestras) == (Muestra.objects.earliest("tomada_en").tomada_en, None, 3)
    recorrido.enviar(caso)
    assert de(caso.expediente).t2 > enviada
    for _vez in range(2):
        recorrido.rechazar(caso)
    assert (
        de(caso.expediente).t2
        == caso.expediente.bitacora.filter(objeto="partida", accion="enviar").latest("n").ocurrio_en
    )


def test_una_toma_nueva_no_mueve_el_envio_de_la_primera_ronda():
    caso = crear_caso("en_laboratorio")
    antes = de(caso.expediente)
    recorrido.rechazar(caso)
    recorrido.tomar_muestra(caso)
    recorrido.enviar(caso)
    assert (de(caso.expediente).t1, de(caso.expediente).t2) == (antes.t1, antes.t2)


def test_anulada_antes_de_salir_nadie_la_espera():
    caso = crear_caso("en_inspeccion")
    recorrido.tomar_muestra(caso)
    sobra = Muestra.objects.get()
    recorrido.tomar_muestra(caso)
    motivo = Motivo.objects.filter(accion="anular_muestra").first()
    anular_muestra(muestra=sobra, actor=caso.inspector, motivo=motivo.codigo, texto="Precinto roto.")
    recorrido.enviar(caso)
    assert de(caso.expediente).t2 is not None


def test_de_dos_partidas_cuenta_la_ultima_y_hasta_que_no_estan_las_dos_no_hay_t6(certificado):
    caso = crear_caso("resultado_emitido", partidas=2, hace=timedelta(days=9))
    una, otra = caso.expediente.partidas.all()
    inspector = caso.inspector
    casos.dictaminar(partida=una, actor=inspector, decision="ingreso", fundamento="Negativo.")
    assert (de(caso.expediente).t5, de(caso.expediente).t6) == (None, None)
    casos.dictaminar(partida=otra, actor=inspector, decision="ingreso", fundamento="Negativo.")
    fila = de(caso.expediente)
    assert fila.t6 == Dictamen.objects.latest("ocurrio_en").ocurrio_en
    emitidos = caso.expediente.bitacora.filter(objeto="informe", accion="emitir").values_list("ocurrio_en", flat=True)
    assert (len(emitidos), fila.t5) == (2, max(emitidos))


def test_el_dictamen_conserva_la_version_que_uso(certificado):
    caso = crear_caso("con_riv", hace=timedelta(days=9))
    antes = de(caso.expediente)
    recorrido.enmendar(caso)
    recorrido.firmar(caso)
    assert Documento.objects.filter(tipo="informe").count() == 2
    assert (de(caso.expediente).t5, de(caso.expediente).t6) == (antes.t5, antes.t6)


def test_sin_muestra_observado_y_tipeado_tarde():
    caso = crear_caso("en_inspeccion", hace=timedelta(days=6))
    recorrido.observar(caso)
    with reloj.fijado(reloj.ahora() + timedelta(days=2)):
        recorrido.responder(caso)
        motivo = Motivo.objects.filter(accion="dictaminar_sin_muestra").first()
        casos.dictaminar_sin_muestra(
            partida=caso.expediente.partidas.get(), actor=caso.inspector, decision="rechazo", motivo=motivo.codigo,
            texto="Sin certificado; se registra tarde.", ocurrio_en=reloj.ahora() - timedelta(minutes=1),
        )  # fmt: skip
    fila = de(caso.expediente)
    assert (fila.t1, fila.t5, fila.t6 is not None) == (None, None, True)
    assert fila.dias_detenido == pytest.approx(2, abs=0.01)
    assert fila.dias_importador == fila.dias_detenido
    tarde = crear_caso("en_inspeccion", hace=timedelta(days=6))
    with reloj.fijado(reloj.ahora()):
        tomar_muestra(
            partida=tarde.expediente.partidas.get(), actor=tarde.inspector, precinto="P-9", conservacion="ambiente",
            cantidad=Decimal(1), unidad="kg", texto="Se anotó en papel.",
            ocurrio_en=reloj.ahora() - timedelta(days=3),
        )  # fmt: skip
    assert (de(tarde.expediente).actos, de(tarde.expediente).tardios) == (2, 1)


def test_traslado_y_final_se_ven_y_un_cerrado_no_es_de_nadie():
    caso = crear_caso("programado")
    recorrido.desistir(caso)
    fila = de(caso.expediente)
    assert (caso.expediente.bitacora.latest("n").a, fila.t7, fila.tiene) == (Estado.DESISTIDO, None, "")
    assert fila.fin is not None


def test_se_vuelve_a_calcular_entero_y_se_nota_lo_que_difiere(capsys):
    caso = crear_caso("en_laboratorio")
    crear_caso("registrado")
    call_command("recalcular_hitos", comprobar=True)
    assert "2 expedientes: todo coincide" in capsys.readouterr().out
    Hitos.objects.filter(pk=caso.expediente.pk).update(t1=reloj.ahora())
    with pytest.raises(CommandError, match=caso.expediente.numero):
        call_command("recalcular_hitos", comprobar=True)
    call_command("recalcular_hitos")
    call_command("recalcular_hitos", comprobar=True)


def test_leer_pregunta_lo_mismo_por_uno_que_por_muchos():
    crear_caso("en_laboratorio")
    crear_caso("en_laboratorio")
    primero = Expediente.objects.filter(pk=Expediente.objects.first().pk)
    with CaptureQueriesContext(connection) as uno:
        tiempos.leer(primero)
    with CaptureQueriesContext(connection) as todos:
        assert len(tiempos.leer(Expediente.objects.all())) == 2
    assert len(uno) == len(todos) == 3


CERO = datetime(2026, 5, 10, 8, tzinfo=UTC)


def registro(*actos: tuple[Any, ...]) -> dict[str, Any]:
    """The milestones of a log of (thing, its id, act, state it led to, what the entry keeps), an hour after another."""
    entradas = [
        SimpleNamespace(
            objeto=objeto, objeto_id=pk, accion=accion, a=a, datos=datos, ocurrio_en=CERO + timedelta(hours=i),
            registrado_en=CERO + timedelta(hours=i),
        )
        for i, (objeto, pk, accion, a, datos) in enumerate([("expediente", 9, "registrar", "registrado", {}), *actos])
    ]  # fmt: skip
    return {hito: hora and (hora - CERO) // timedelta(hours=1) if hito[0] == "t" else hora
            for hito, hora in tiempos.hitos(entradas, [1, 2]).items() if hito in ("t1", "t2", "t3", "t4")}  # fmt: skip


def toma(linea: int, muestra: str) -> tuple[Any, ...]:
    return ("partida", linea, "tomar_muestra", "", {"muestra": muestra})


def envio(linea: int, *muestras: str) -> tuple[Any, ...]:
    return ("partida", linea, "enviar", "en_laboratorio", {"muestras": list(muestras)})


def otra_vez(linea: int) -> tuple[Any, ...]:
    return ("partida", linea, "volver_a_muestrear", "en_inspeccion", {})


def anulada(muestra: str) -> tuple[Any, ...]:
    return ("muestra", 5, "anular_muestra", "anulada", {"muestra": muestra})


def test_el_envio_es_el_de_las_muestras_de_la_primera_ronda_cuando_salgan():
    assert registro(toma(1, "a"), toma(1, "b"), envio(1, "a"), otra_vez(1), envio(1, "b"))["t2"] == 5
    assert registro(toma(1, "a"), toma(1, "b"), envio(1, "a"))["t2"] is None
    assert registro(toma(1, "a"), toma(1, "b"), anulada("b"), envio(1, "a"))["t2"] == 4
    # One of a second round excuses none of the first, and its own sending is no sending of the first.
    segunda = (toma(1, "a"), envio(1, "a"), otra_vez(1), toma(1, "c"), anulada("c"), toma(2, "b"))
    assert registro(*segunda)["t2"] is None
    assert registro(*segunda[:4], envio(1, "c"))["t2"] == 2


def test_llegada_y_ensayo_son_los_que_quedaron_en_pie():
    recibir = [("muestra", pk, "recibir", "recibida", {}) for pk in (5, 6)]
    assert registro(*recibir, ("muestra", 6, "revertir_recepcion", "enviada", {}))["t3"] == 1
    concluido = [("analisis", 7, "verificar", "registrado", {}), ("analisis", 7, "completar", "verificado", {})]
    a_medias = [("analisis", 8, "verificar", "registrado", {}), ("analisis", 8, "cancelar", "cancelado", {})]
    assert registro(*concluido, *a_medias)["t4"] == 1
    deshecho = [("analisis", 8, "verificar", "registrado", {}), ("analisis", 8, "completar", "verificado", {}),
                ("analisis", 8, "revertir", "en_proceso", {})]  # fmt: skip
    assert registro(*concluido, *deshecho)["t4"] == 1
    assert registro(*deshecho)["t4"] is None

"""What is kept of the statistics is what a full recomputation gives, whatever is typed, undone or moved later."""

import threading
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from expedientes import incidencias
from expedientes.models import Documento, Expediente, Hitos, Motivo
from indicadores import cuidado, guardado, reversiones
from indicadores.models import MesGuardado, MesTocado, Regreso
from indicadores.programa import DIAS_DE_ENVIO, REVERTIDAS, meses, por_mes
from laboratorio import recorrido
from laboratorio.models import Analisis, Metodo, Muestra
from notificaciones import services as avisos
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.models import Puesto
from tests import molde
from tests.builders import crear_caso, crear_importador, personas
from tests.conftest import url_de_la_base

pytestmark = pytest.mark.django_db(transaction=True)

HACE = timedelta(days=100)


def periodos() -> list[tuple[date, date]]:
    """The months from before the first case to the present one."""
    hoy = timezone.localdate()
    return [(mes, guardado.fin_de_mes(mes)) for mes in meses(hoy - timedelta(days=170), hoy)]


def mes_de(cuando: datetime) -> tuple[date, date]:
    dia = timezone.localdate(cuando).replace(day=1)
    return dia, guardado.fin_de_mes(dia)


def ambitos() -> list[Puesto | None]:
    return [None, *Puesto.objects.order_by("pk")]


def recalculado(puesto: Puesto | None, cuentas: Sequence[guardado.Cuenta] = cuidado.TODAS) -> list[dict[str, Any]]:
    filas: list[dict[str, Any]] = [{} for _periodo in periodos()]
    for cuenta in cuentas:
        for fila, suya in zip(filas, guardado.computar(cuenta, periodos(), puesto), strict=True):
            assert not fila.keys() & suya.keys()
            fila |= suya
    return filas


def exigir_iguales(tras: str) -> None:
    """What is read, by way of what is kept, of all posts and of each, is what is computed; and it is then kept."""
    cuentas = [una_vez(cuenta) for cuenta in cuidado.TODAS]
    for puesto in ambitos():
        assert guardado.contar(cuidado.TODAS, periodos(), puesto) == recalculado(puesto, cuentas), tras
    with pytest.MonkeyPatch.context() as cambiado:
        cambiado.setattr(cuidado, "TODAS", cuentas)
        fallas = [falla for _nombre, falla in cuidado.comprobar() if falla]
    assert fallas == [], tras


def una_vez(cuenta: guardado.Cuenta) -> guardado.Cuenta:
    """The statement that counts a period by itself, doing so once: for two comparisons between which nothing changes.

    What is compared with them, `contar` computes and keeps on its own.
    """
    if (de_uno := cuenta.de_uno) is None:
        return cuenta
    ya: dict[Any, dict[str, Any]] = {}

    def recordado(periodo: Any, puesto: Puesto | None, disciplina: Any) -> dict[str, Any]:
        clave = periodo, puesto, disciplina
        if clave not in ya:
            ya[clave] = de_uno(*clave)
        return ya[clave]

    return replace(cuenta, de_uno=recordado)


def en_vigor() -> int:
    """How many rows no touch has reached."""
    return sum(1 for _nombre, _falla in cuidado.comprobar())


@pytest.fixture
def historia(certificado: Any, servidor_smtp: Any) -> dict[str, Any]:
    """Cases of some months ago, at both posts, in every state that something may still happen to.

    They are walked once by each process, and put back as they were then: the walk is what took most of these tests.
    """
    casos, recien = _recorrida()
    recien.volver()
    return deepcopy(casos)


@cache
def _recorrida() -> tuple[dict[str, Any], molde.Inicio]:
    casos = {
        "cerrado": crear_caso("cerrado", hace=HACE),
        "decidido": crear_caso("con_riv", hace=HACE, puesto="PCA"),
        "en_el_laboratorio": crear_caso("recibido", hace=HACE),
        "con_resultado": crear_caso("con_resultado", hace=HACE),
        "muestreado": crear_caso("muestreado", hace=HACE, importador=crear_importador(1)),
    }
    with reloj.fijado(reloj.ahora() - HACE + timedelta(days=2)):
        avisos.despachar()
    return casos, molde.Inicio()


def hace(dias: int) -> Any:
    return reloj.fijado(reloj.ahora() - timedelta(days=dias))


def reabrir(caso: Any) -> None:
    incidencias.reabrir(
        expediente=caso.expediente, actor=personas()["jefe"], partidas=list(caso.expediente.partidas.all()),
        motivo=Motivo.objects.filter(accion="reabrir").first().codigo, texto="Otra decisión.",
    )  # fmt: skip


def trasladar(caso: Any) -> None:
    recorrido.trasladar(caso)
    caso.expediente.refresh_from_db()
    incidencias.aceptar_traslado(expediente=caso.expediente, actor=personas()["jefe"])


def test_iguales_tras_cada_acto_tardio(historia: dict[str, Any]) -> None:
    exigir_iguales("el principio")
    assert en_vigor() > 0

    def acto(tras: str, hacer: Callable[[], Any], dias: int = 0) -> None:
        antes = MesTocado.objects.count()
        with hace(dias):
            hacer()
        exigir_iguales(tras)
        # Each of these reaches months that are over: had it touched none, nothing would be proved.
        assert MesTocado.objects.count() > antes, tras

    cerrado, decidido, enviado, muestreado = (
        historia[cual] for cual in ("cerrado", "decidido", "en_el_laboratorio", "muestreado")
    )
    acto("un cierre anotado tarde", lambda: recorrido.cerrar(decidido), 70)
    acto("un caso de entonces, registrado hoy", lambda: crear_caso("cerrado", hace=timedelta(days=120)))
    acto("reabierto", lambda: reabrir(cerrado))
    acto("decidido y cerrado otra vez, anotado tarde", lambda: [
        paso(cerrado) for paso in (recorrido.dictaminar, recorrido.emitir_riv, recorrido.cerrar)
    ], 60)  # fmt: skip
    acto("trasladado", lambda: trasladar(enviado))
    acto("una recepción revertida", lambda: recorrido.revertir_recepcion(enviado))
    acto("una reversión anotada tarde", lambda: recorrido.revertir(historia["con_resultado"]), 65)
    acto("lo revertido vuelve, anotado tarde", lambda: [
        recorrido.registrar(historia["con_resultado"]), reversiones.anotar_regresos()
    ], 60)  # fmt: skip
    acto("anulado, anotado tarde", lambda: recorrido.anular(muestreado), 55)
    corregido = crear_caso("resultado_emitido", hace=timedelta(days=90))
    exigir_iguales("un informe de hace tres meses")
    recorrido.enmendar_resultado(corregido)  # what it said when it was out stays what it said
    exigir_iguales("enmendado en un resultado")
    acto("un rebote que llega tarde", lambda: Notificacion.objects.filter(aviso="informe_emitido").update(
        rebotada_en=timezone.now() - HACE + timedelta(days=2)
    ))  # fmt: skip
    # Sent in the first hours of the month after its report's, it is still of the report's month.
    aviso = Notificacion.objects.filter(aviso="informe_emitido").order_by("pk")[:1]
    cambio_de_mes = guardado.limites(
        *periodos()[periodos().index(mes_de(timezone.now() - HACE + timedelta(hours=12))) + 1]
    )[0]
    for horas in (12, 13):
        acto(f"un aviso que salió a las {horas} h del mes siguiente", lambda horas=horas: Notificacion.objects.filter(
            pk__in=aviso.values("pk")
        ).update(enviada_en=cambio_de_mes + timedelta(hours=horas)))  # fmt: skip
    acto("otro importador", lambda: Expediente.objects.filter(pk=cerrado.expediente.pk).update(
        importador=crear_importador(2)
    ))  # fmt: skip
    # And what the pages make of it.
    hoy = timezone.localdate()
    leidos = por_mes(hoy - timedelta(days=170), hoy)
    ahorrado = reversiones.ahorro(reversiones.Filtro(hoy - timedelta(days=170), hoy))
    ahora = reloj.ahora()
    costaron = reversiones.causas(reversiones.Filtro(hoy - timedelta(days=170), hoy), ahora)
    contadas = reversiones.control(reversiones.Filtro(hoy - timedelta(days=170), hoy)).reversiones
    assert sum(una.veces for una in costaron.motivos) == contadas > 0
    MesGuardado.objects.all().delete()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")  # nothing kept, and nothing to be kept
        assert [p.__dict__ | {"al": None} for p in por_mes(hoy - timedelta(days=170), hoy)] == [
            p.__dict__ | {"al": None} for p in leidos
        ]
        assert reversiones.ahorro(reversiones.Filtro(hoy - timedelta(days=170), hoy)) == ahorrado
        assert reversiones.causas(reversiones.Filtro(hoy - timedelta(days=170), hoy), ahora) == costaron
    assert not MesGuardado.objects.exists()


# Every column that a statement reads and that something may write after the row is there.
COLUMNAS: list[tuple[Any, list[str]]] = [
    (Hitos, ["t0", "t1", "t2", "t5", "t6", "t7", "fin", "dias_detenido", "actos", "tardios", "repeticiones",
             "cancelaciones", "puesto_id", "cierres"]),
    (Expediente, ["puesto_id", "importador_id", "migrado", "estado"]),
    (Muestra, ["recibida_en"]),
    (Analisis, ["metodo_id"]),
    (Documento, ["publicado_en", "ensayado_en"]),
    (Regreso, ["volvio_en"]),
    (Notificacion, ["enviada_en", "creada_en", "rebotada_en", "aviso"]),
]  # fmt: skip


def otro_valor(columna: str, azar: Random) -> Any:
    if columna.endswith("puesto_id"):
        return azar.choice(list(Puesto.objects.values_list("pk", flat=True)))
    if columna == "metodo_id":
        return azar.choice(list(Metodo.objects.values_list("pk", flat=True)))
    if columna == "importador_id":
        return crear_importador(azar.randrange(3)).pk
    cuando = reloj.ahora() - timedelta(seconds=azar.randrange(150 * 86400))
    return {
        "migrado": azar.random() < 0.5,
        "estado": azar.choice(["anulado", "cerrado"]),
        "aviso": azar.choice(["informe_emitido", "informe_corregido"]),
        "dias_detenido": azar.random() * 9,
        "cierres": [[cuando.isoformat(), (cuando + timedelta(days=azar.randrange(40))).isoformat()]],
    }.get(columna, azar.randrange(9) if columna in ("actos", "tardios", "repeticiones", "cancelaciones") else cuando)


def test_iguales_tras_cualquier_cambio_de_lo_que_se_lee(historia: dict[str, Any]) -> None:
    """Ninety-eight changes at random, of one column of one row, to an hour of any of the months or to none."""
    azar = Random(20261127)
    with hace(65):
        recorrido.revertir(historia["con_resultado"])
        recorrido.registrar(historia["con_resultado"])
    reversiones.anotar_regresos()
    exigir_iguales("el principio")
    cambiadas = set()
    for vez in range(98):
        modelo, columnas = COLUMNAS[vez % len(COLUMNAS)]
        columna = columnas[(vez // len(COLUMNAS)) % len(columnas)]
        fila = azar.choice(list(modelo._default_manager.order_by("pk").values_list("pk", flat=True)))
        valores = {columna: otro_valor(columna, azar)}
        if columna in ("t2", "t5", "t6", "t7", "fin", "rebotada_en", "recibida_en") and azar.random() < 0.2:
            valores = {columna: None}
        if columna == "cierres":
            valores["reaperturas"] = 1
        if columna == "t2":  # from in time to late
            fila = Hitos.objects.filter(t2__lte=F("t1") + timedelta(days=DIAS_DE_ENVIO)).values_list("pk", flat=True)[0]
            valores = {"t2": F("t1") + timedelta(days=DIAS_DE_ENVIO + 3)}
        modelo._default_manager.filter(pk=fila).update(**valores)
        cambiadas.add((modelo, columna))
        exigir_iguales(f"{vez}: {modelo.__name__} {fila} {valores}")
    assert cambiadas == {(modelo, columna) for modelo, columnas in COLUMNAS for columna in columnas}


def test_sin_disparadores_lo_guardado_mentiria(historia: dict[str, Any]) -> None:
    """The comparison finds what the triggers are there for, and says where."""
    exigir_iguales("el principio")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE expedientes_hitos DISABLE TRIGGER USER")
        Hitos.objects.filter(t7__isnull=False).update(repeticiones=7)
        cursor.execute("ALTER TABLE expedientes_hitos ENABLE TRIGGER USER")
    with pytest.raises(CommandError, match=r"cohorte \d{4}-\d\d todos: repeticiones: guardado 0, recalculado 7"):
        call_command("indicadores", comprobar=True)
    # Touched, it is computed again.
    Hitos.objects.filter(t7__isnull=False).update(repeticiones=8)
    exigir_iguales("tocado")
    call_command("indicadores", comprobar=True)


def test_lo_de_hoy_no_toca_nada_y_lo_guardado_se_lee_en_una_consulta(certificado: Any) -> None:
    crear_caso("cerrado", hace=timedelta(hours=20))
    assert not MesTocado.objects.exists()
    pasados = periodos()[:-2]
    assert guardado.contar(cuidado.TODAS, pasados) == guardado.contar(cuidado.TODAS, pasados)
    with CaptureQueriesContext(
        connection,
    ) as hechas:
        guardado.contar(cuidado.TODAS, pasados)
    assert len(hechas) == 1
    # The present month is not kept, nor one that may still change by itself.
    hoy = timezone.localdate()
    assert not MesGuardado.objects.filter(mes__gt=hoy - timedelta(days=DIAS_DE_ENVIO + 31)).exists()


def test_dentro_de_una_transaccion_que_escribe_no_se_guarda(historia: dict[str, Any]) -> None:
    exigir_iguales("el principio")
    with transaction.atomic():
        Hitos.objects.filter(t7__isnull=False).update(repeticiones=3)
        antes = list(MesGuardado.objects.order_by("pk").values_list("pk", "instantanea"))
        assert guardado.contar(cuidado.TODAS, periodos()) == recalculado(None)  # its own change, not yet committed
        assert list(MesGuardado.objects.order_by("pk").values_list("pk", "instantanea")) == antes
    exigir_iguales("confirmado")


@pytest.fixture
def otra() -> Iterator[psycopg.Connection]:
    """Somebody else's connection."""
    with psycopg.connect(url_de_la_base()) as conexion:
        yield conexion


def test_un_acto_que_se_confirma_mientras_se_calcula_deja_viejo_lo_guardado(
    historia: dict[str, Any], otra: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun before the reader looked, committed after he computed: what he keeps is stale from the first moment."""
    otra.execute("UPDATE expedientes_hitos SET repeticiones = 5 WHERE t7 IS NOT NULL")
    computar = guardado.computar

    def y_entretanto(*args: Any) -> Any:
        computado = computar(*args)
        otra.commit()
        return computado

    monkeypatch.setattr(guardado, "computar", y_entretanto)
    leidas = guardado.contar(cuidado.TODAS, periodos())
    monkeypatch.undo()
    assert sum(fila["repeticiones"] for fila in leidas) == 0
    assert sum(fila["repeticiones"] for fila in guardado.contar(cuidado.TODAS, periodos())) == 5
    exigir_iguales("confirmado")


def test_dos_que_leen_a_la_vez_guardan_lo_mismo(historia: dict[str, Any]) -> None:
    puerta, fallas = threading.Barrier(3), list[Exception]()

    def leer() -> None:
        try:
            puerta.wait()
            guardado.contar(cuidado.TODAS, periodos())
        except Exception as falla:  # said in the test's own thread
            fallas.append(falla)
        finally:
            connection.close()

    hilos = [threading.Thread(target=leer) for _uno in range(3)]
    for hilo in hilos:
        hilo.start()
    for hilo in hilos:
        hilo.join()
    assert fallas == []
    exigir_iguales("los tres")


def test_la_poda_solo_quita_toques_que_ya_nadie_necesita(historia: dict[str, Any], otra: psycopg.Connection) -> None:
    otra.execute("UPDATE expedientes_hitos SET repeticiones = 2 WHERE t7 IS NOT NULL")  # still to be committed
    exigir_iguales("el principio")
    viejo = MesTocado.objects.create(que="cohorte", desde=periodos()[0][0], transaccion=3)
    exigir_iguales("un toque de hace mucho")
    cuidado.podar()
    assert MesTocado.objects.filter(pk=viejo.pk).exists()  # somebody may be computing, who has not seen it
    MesGuardado.objects.update(tomada_en=timezone.now() - timedelta(days=2))
    cuidado.podar()
    assert not MesTocado.objects.filter(pk=viejo.pk).exists()
    assert MesGuardado.objects.exists()
    assert not MesGuardado.objects.filter(tomada_en__lt=timezone.now() - timedelta(hours=1)).exists()
    otra.commit()
    exigir_iguales("confirmado después de la poda")
    assert sum(fila["repeticiones"] for fila in guardado.contar(cuidado.TODAS, periodos())) == 2
    # What is not in force goes.
    Hitos.objects.filter(t7__isnull=False).update(repeticiones=4)
    vigentes = en_vigor()
    assert vigentes < MesGuardado.objects.count()
    cuidado.podar()
    assert MesGuardado.objects.count() == vigentes


def test_de_otra_formula_o_de_otro_servidor_no_se_lee(historia: dict[str, Any], settings: Any) -> None:
    exigir_iguales("el principio")
    settings.INFORMADO_MINUTOS = 1
    exigir_iguales("otro plazo")
    MesGuardado.objects.update(servidor=1, cifras={"reversiones": -1})
    assert [fila["reversiones"] for fila in guardado.contar([REVERTIDAS], periodos())] == [
        fila["reversiones"] for fila in recalculado(None)
    ]


def test_se_adelanta_lo_que_las_paginas_abren(historia: dict[str, Any]) -> None:
    cuidado.adelantar(0.0)
    assert not MesGuardado.objects.exists()
    cuidado.adelantar()
    hoy = timezone.localdate()
    for puesto in ambitos():
        with CaptureQueriesContext(connection) as hechas:
            por_mes(hoy - timedelta(days=150), hoy.replace(day=1) - timedelta(days=40), puesto)
        assert len(hechas) == 1

"""Who wins: the same act by many at once, twice in a row, delivered again. Real threads, real connections.

`RONDAS` sets how many rounds two people decide at once (200 in the figures of quality.md).
"""

import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from datetime import time as hora_del_dia
from functools import partial
from random import Random
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from expedientes import bitacora, documentos, incidencias, tasks
from expedientes import services as casos
from expedientes.bitacora import fallas
from expedientes.models import Dictamen, Documento, Evento, Expediente, Medida, Pais, Producto, Puesto
from indicadores import mensuales
from indicadores.models import InformeMensual
from laboratorio import contramuestras, enmiendas, firmas, recorrido, reversiones, rotulos
from laboratorio import services as laboratorio
from laboratorio import tasks as tareas_del_laboratorio
from laboratorio.demo import CLAVE
from laboratorio.models import Analisis, Informe, Muestra, Resultado, Rotulo, SolicitudAnalisis
from laboratorio.recorrido import Caso
from notificaciones import tasks as tareas_de_avisos
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.transicion import ActoRechazado, EstadoImpide
from tests.builders import crear_caso, otro_inspector, personas
from tests.conftest import Buzon

pytestmark = [pytest.mark.servicios, pytest.mark.django_db(transaction=True)]

OCHO = 8
RONDAS = int(os.environ.get("RONDAS", "40"))


def a_la_vez(n: int, hacer: Callable[[int], Any]) -> list[Any]:
    """What `hacer(0)` … `hacer(n-1)` answered, all let go at the same moment, each on its own connection."""
    salida = threading.Barrier(n)

    def uno(i: int) -> Any:
        try:
            salida.wait(timeout=30)
            return hacer(i)
        finally:
            connection.close()

    with ThreadPoolExecutor(n) as hilos:
        return list(hilos.map(uno, range(n)))


# ── Eight people at once on every act, by its page ────────────────────────────────────────────────


def _conforme(_caso: Caso) -> dict[str, Any]:
    return dict.fromkeys(("documentaria", "identidad", "fisica"), "conforme")


def _cita(_caso: Caso) -> dict[str, Any]:
    return {"cita_en": (timezone.localtime() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"), "terminal": "Muelle"}


def _muestra(_caso: Caso) -> dict[str, Any]:
    return {"precinto": "P-1", "conservacion": "ambiente", "cantidad": "1", "unidad": "kg"}


def _ensayos(caso: Caso) -> dict[str, Any]:
    return {"ensayos": [f"{r.metodo_id}-{r.plaga_id}" for r in laboratorio.requisitos_de(caso.partidas[0])]}


def _observado(caso: Caso) -> None:
    incidencias.observar(
        expediente=caso.expediente, actor=caso.inspector, puntos="Falta x", vence_en=date(2030, 1, 1),
        motivo="faltan-documentos", texto="x",
    )  # fmt: skip


def _vencido(caso: Caso) -> None:
    with reloj.fijado(timezone.now() - timedelta(days=4)):
        incidencias.observar(
            expediente=caso.expediente, actor=caso.inspector, puntos="Falta x",
            vence_en=timezone.localdate() - timedelta(days=3), motivo="faltan-documentos", texto="x",
        )  # fmt: skip


def _ofrecido(caso: Caso) -> None:
    incidencias.trasladar(
        expediente=caso.expediente, actor=caso.personas["jefe"], a_puesto=Puesto.objects.get(codigo="PCA"), texto="x"
    )


def _positivo_temprano(caso: Caso) -> None:
    primero = caso.analisis[0]
    laboratorio.registrar(analisis=primero, actor=primero.analista, valor="positivo", plaga=primero.plaga)
    for vez in range(primero.metodo.verificaciones):
        laboratorio.verificar(analisis=primero, actor=caso.verificadores[vez])


def _guardada(caso: Caso) -> None:
    muestra = Muestra.objects.get(expediente=caso.expediente)
    with reloj.fijado(timezone.now() - timedelta(days=2)):
        laboratorio.guardar_contramuestra(
            muestra=muestra, actor=caso.personas["recepcion"], lugar="Cámara 2",
            hasta=timezone.localdate() - timedelta(days=1),
        )  # fmt: skip


def _con_dirimencia(caso: Caso) -> None:
    muestra = Muestra.objects.get(expediente=caso.expediente)
    contramuestras.pedir_dirimencia(muestra=muestra, actor=caso.personas["director"], texto="x")


def _en_blanco(caso: Caso) -> None:
    rotulos.imprimir_en_blanco(puesto=caso.expediente.puesto, actor=caso.personas["jefe"], cuantos=1)


def _su_rotulo(_caso: Caso) -> list[Any]:
    return [Rotulo.objects.latest("pk").codigo]


def _para_rotular(caso: Caso) -> dict[str, Any]:
    return {"muestra": Muestra.objects.filter(expediente=caso.expediente).latest("pk").pk}


def _firmandose_fuera(caso: Caso) -> None:
    firmas.firmar_fuera(informe=Informe.objects.get(expediente=caso.expediente), actor=caso.personas["director"])


def _enmendado(caso: Caso) -> None:
    enmiendas.enmendar(
        informe=Informe.objects.get(expediente=caso.expediente), actor=caso.personas["director"],
        motivo="error-de-edicion", texto="x",
    )  # fmt: skip


def _en_forma(caso: Caso) -> dict[str, Any]:
    muestra = Muestra.objects.get(expediente=caso.expediente)
    suyos = {f"{campo}_{muestra.pk}": getattr(muestra, campo) for campo in enmiendas.CORREGIBLES}
    return {**suyos, f"lote_{muestra.pk}": "L-9", "motivo": "dato-de-la-muestra", "texto": "Lo que pasó."}


def _linea(caso: Caso) -> list[Any]:
    return [caso.expediente.numero, 1]


def _caso(caso: Caso) -> list[Any]:
    return [caso.expediente.numero]


def _su_muestra(caso: Caso) -> list[Any]:
    return [Muestra.objects.filter(expediente=caso.expediente).latest("pk").numero]


def _su_analisis(caso: Caso) -> list[Any]:
    return [Analisis.objects.filter(expediente=caso.expediente).latest("pk").pk]


def _su_informe(caso: Caso) -> list[Any]:
    return [Informe.objects.filter(expediente=caso.expediente).latest("pk").numero]


def _texto(motivo: str) -> Callable[[Caso], dict[str, Any]]:
    return lambda _caso: {"motivo": motivo, "texto": "Lo que pasó."}


def _analista(caso: Caso) -> str:
    suyo = Analisis.objects.filter(expediente=caso.expediente).latest("pk").analista
    return suyo.username if suyo else "analista"


MAIZ = {"producto": "semilla-de-maiz", "origen": "RS", "valor": "positivo"}
# Page, how far the case has gone, who, its address, what is sent; and what must have happened before, if more.
ACTOS: list[tuple[str, str, Any, Callable, Callable | dict, dict[str, Any], Callable | None]] = [
    ("partida_programar", "registrado", "inspector", _linea, _cita, {}, None),
    ("partida_no_presentada", "programado", "inspector", _linea, {}, {}, None),
    ("partida_inspeccionar", "programado", "inspector", _linea, _conforme, {}, None),
    ("partida_tomar_muestra", "en_inspeccion", "inspector", _linea, _muestra, {}, None),
    ("partida_enviar", "muestreado", "inspector", _linea, _ensayos, {}, None),
    ("muestra_anular", "muestreado", "inspector", _su_muestra, _texto("mal-tomada"), {}, None),
    ("muestra_recibir", "en_laboratorio", "recepcion", _su_muestra,
     {"condicion": "buena", "cantidad_recibida": "1"}, {}, None),
    ("muestra_rechazar", "en_laboratorio", "recepcion", _su_muestra, _texto("envase-roto"), {}, None),
    ("muestra_perder", "en_laboratorio", "recepcion", _su_muestra, _texto("no-llego"), {}, None),
    ("rotulo", "muestreado", "inspector", _su_rotulo, _para_rotular, {}, _en_blanco),
    ("muestra_guardar_contramuestra", "resultado_emitido", "recepcion", _su_muestra,
     {"lugar": "Cámara 2", "hasta": "2099-01-01"}, {}, None),
    ("muestra_eliminar", "resultado_emitido", "recepcion", _su_muestra,
     {"testigo": "Otra persona", "metodo": "autoclave"}, {}, _guardada),
    ("muestra_pedir_dirimencia", "resultado_emitido", "director", _su_muestra, {"texto": "x"}, {}, None),
    ("muestra_levantar_dirimencia", "resultado_emitido", "director", _su_muestra, {"texto": "x"}, {}, _con_dirimencia),
    ("analisis_repetir", "en_proceso", _analista, _su_analisis, _texto("control-fallido"), {}, None),
    ("informe_devolver", "verificado", "director", _su_informe,
     lambda caso: {"analisis": [caso.analisis[0].pk], "motivo": "resultado-dudoso", "texto": "x"},
     {"valor": "positivo"}, None),
    ("analisis_iniciar", "asignado", _analista, _su_analisis, {}, {}, None),
    ("analisis_registrar", "en_proceso", _analista, _su_analisis, {"valor": "negativo"}, {}, None),
    ("analisis_verificar", "con_resultado", "verificador", _su_analisis, {}, {}, None),
    ("analisis_revertir", "con_resultado", "verificador", _su_analisis, _texto("dato-errado"), {}, None),
    ("analisis_cancelar", "recibido", "director", _su_analisis, _texto("pedido-por-error"), {}, None),
    ("analisis_revertir_asignacion", "asignado", "recepcion", _su_analisis, _texto("otra-persona"), {}, None),
    ("analisis_revertir_inicio", "en_proceso", _analista, _su_analisis, _texto("iniciado-por-error"), {}, None),
    ("muestra_revertir_recepcion", "recibido", "recepcion", _su_muestra, _texto("recibida-por-error"), {}, None),
    ("muestra_revertir_analisis", "verificado", "verificador", _su_muestra, _texto("contaminacion"), {}, None),
    ("muestra_revertir_contramuestra", "resultado_emitido", "recepcion", _su_muestra, _texto("guardada-por-error"),
     {}, _guardada),
    ("informe_enmendar", "resultado_emitido", "director", _su_informe, _en_forma, {}, None),
    ("informe_enmendar_resultado", "con_riv", "director", _su_informe,
     lambda caso: {"analisis": [caso.analisis[0].pk], "motivo": "resultado-en-duda", "texto": "x"}, {}, None),
    ("informe_retirar_enmienda", "resultado_emitido", "director", _su_informe, {}, {}, _enmendado),
    ("informe_anular", "cerrado", "director", _su_informe, _texto("emitido-por-error"), {}, None),
    ("informe_retener", "verificado", "verificador", _su_informe, {"texto": "A ver."}, {}, None),
    ("informe_parcial", "en_proceso", "director", _su_informe, _texto("positivo-temprano"), MAIZ, _positivo_temprano),
    ("informe_firmar", "verificado", "director", _su_informe, {}, {"valor": "positivo"}, None),
    ("informe_firmar_fuera", "verificado", "director", _su_informe, {}, {"valor": "positivo"}, None),
    ("informe_dejar_fuera", "verificado", "director", _su_informe, {}, {"valor": "positivo"}, _firmandose_fuera),
    ("partida_dictaminar", "resultado_emitido", "inspector", _linea,
     {"decision": "ingreso", "fundamento": "Negativo."}, {}, None),
    ("partida_dictaminar_sin_muestra", "en_inspeccion", "inspector", _linea,
     {"decision": "ingreso", "motivo": "no-requiere-muestreo", "texto": "No lo pide."}, {}, None),
    ("partida_ordenar_medida", "con_riv", "inspector", _linea,
     {"tipo": "reembarque", "vence_en": "2030-01-01"}, {"valor": "positivo"}, None),
    ("partida_cumplir_medida", "en_medida", "inspector", _linea, {"acta": "A-1"}, {"valor": "positivo"}, None),
    ("expediente_cerrar", "con_riv", "inspector", _caso, {}, {}, None),
    ("expediente_reabrir", "cerrado", "jefe", _caso,
     lambda caso: {"partidas": [caso.partidas[0].pk], "a_inspeccion": "no", "motivo": "mandato", "texto": "x"},
     {}, None),
    ("expediente_observar", "registrado", "inspector", _caso,
     {"puntos": "Falta x", "vence_en": "2030-01-01", "motivo": "faltan-documentos", "texto": "x"}, {}, None),
    ("expediente_responder", "registrado", "mesa", _caso, {"respuesta": "Va."}, {}, _observado),
    ("expediente_abandonar", "registrado", "jefe", _caso, _texto("sin-respuesta"), {}, _vencido),
    ("expediente_desistir", "registrado", "jefe", _caso, _texto("otro-destino"), {}, None),
    ("expediente_anular", "registrado", "jefe", _caso, _texto("otra-entidad"), {}, None),
    ("expediente_trasladar", "registrado", "jefe", _caso,
     lambda _caso: {"a_puesto": Puesto.objects.get(codigo="PCA").pk, "texto": "x"}, {}, None),
    ("expediente_aceptar_traslado", "registrado", "jefe", _caso, {}, {}, _ofrecido),
    ("expediente_rechazar_traslado", "registrado", "jefe", _caso, {"texto": "No."}, {}, _ofrecido),
    ("expediente_tomar", "registrado", "inspector", _caso, {}, {}, None),
    ("expediente_asignar", "registrado", "jefe", _caso,
     lambda caso: {"inspector": caso.personas["inspector"].pk}, {}, None),
    ("expediente_cambiar_agente", "registrado", "mesa", _caso,
     {"agente_tipo": "ruc", "agente_numero": "20999900021", "agente_nombre": "Dos",
      "agente_correo": "dos@aduana.example"}, {}, None),
]  # fmt: skip


def _navegador(quien: str) -> Client:
    cache.clear()  # the sign-in's own limit is not what is tried here
    navegador = Client(raise_request_exception=False)
    assert navegador.post(reverse("account_login"), {"login": quien, "password": CLAVE}).status_code == 302
    return navegador


def test_ocho_personas_a_la_vez_en_cada_acto(certificado: Any) -> None:
    """One wins, seven read what happened meanwhile; one entry in the log, and each notice once."""
    navegadores: dict[str, list[Client]] = {}
    mal = []
    for nombre, hasta, quien, direccion, datos, opciones, antes in ACTOS:
        caso = crear_caso(hasta, **opciones)
        if antes:
            antes(caso)
        url = reverse(nombre, args=direccion(caso))
        usuario = quien(caso) if callable(quien) else quien
        if usuario not in navegadores:
            navegadores[usuario] = [_navegador(usuario) for _n in range(OCHO)]
        suyos = navegadores[usuario]
        caso.expediente.refresh_from_db()
        enviado = {**(datos(caso) if callable(datos) else datos), "visto": caso.expediente.eventos}
        actos, avisos = Evento.objects.count(), Notificacion.objects.count()
        respuestas = a_la_vez(OCHO, lambda i, suyos=suyos, url=url, datos=enviado: suyos[i].post(url, datos))
        estados = Counter(respuesta.status_code for respuesta in respuestas)
        nuevos = Counter(Evento.objects.order_by("pk")[actos:].values_list("objeto", "objeto_id", "accion"))
        dobles = {clave: veces for clave, veces in nuevos.items() if veces > 1}
        debidos = Counter(Notificacion.objects.order_by("pk")[avisos:].values_list("correo", "aviso"))
        conflicto = next((r for r in respuestas if r.status_code == 409), None)
        if estados != {302: 1, 409: OCHO - 1} or dobles or any(veces > 1 for veces in debidos.values()):
            mal.append((nombre, dict(estados), dobles, debidos))
        elif conflicto is not None and "Qué pasó mientras tanto" not in conflicto.content.decode():
            mal.append((nombre, "409 sin explicación"))
    assert not mal, "\n".join(map(str, mal))
    assert list(fallas()) == []


def test_cada_acto_enviado_dos_veces_se_hace_una(certificado: Any) -> None:
    """The answer was lost and the form is sent again: told what happened meanwhile, never that the field is wrong."""
    mal = []
    navegadores: dict[str, Client] = {}
    for nombre, hasta, quien, direccion, datos, opciones, antes in ACTOS:
        caso = crear_caso(hasta, **opciones)
        if antes:
            antes(caso)
        usuario = quien(caso) if callable(quien) else quien
        navegador = navegadores.setdefault(usuario, _navegador(usuario))
        caso.expediente.refresh_from_db()
        enviado = {**(datos(caso) if callable(datos) else datos), "visto": caso.expediente.eventos}
        url = reverse(nombre, args=direccion(caso))
        respuestas = [navegador.post(url, enviado).status_code for _vez in range(2)]
        if respuestas != [302, 409]:
            mal.append((nombre, respuestas))
    assert not mal, "\n".join(map(str, mal))


def test_la_marca_de_la_bitacora_ve_el_acto_que_tomo_numero_antes_y_se_guardo_despues() -> None:
    """Whatever is kept under it is read anew for either: the last number alone would be the same."""
    caso, otro = crear_caso("registrado").expediente, crear_caso("registrado").expediente
    anotado, seguir = threading.Event(), threading.Event()

    def primero() -> None:
        with transaction.atomic():
            bitacora.anotar(caso, objeto=caso, accion="reservado", actor=None, origen="sistema")
            anotado.set()
            seguir.wait(timeout=30)
        connection.close()

    marcas = [bitacora.marca()]
    with ThreadPoolExecutor(1) as hilo:
        lento = hilo.submit(primero)
        assert anotado.wait(timeout=30)
        with transaction.atomic():
            bitacora.anotar(otro, objeto=otro, accion="reservado", actor=None, origen="sistema")
        marcas.append(bitacora.marca())
        seguir.set()
        lento.result()
    marcas += [bitacora.marca(), bitacora.marca()]
    assert len(set(marcas)) == 3
    assert marcas[2] == marcas[3]


# ── One form sent twenty times, two who decide, tasks delivered again ─────────────────────────────


def test_veinte_solicitudes_iguales_hacen_un_caso() -> None:
    personas()
    navegadores = [_navegador("mesa") for _n in range(20)]
    datos = {
        "envio": str(uuid.uuid4()), "puesto": Puesto.objects.get(codigo="PCM").pk, "importador_tipo": "ruc",
        "importador_numero": "20999900012", "importador_nombre": "Uno", "importador_correo": "uno@empresa.example",
        "pfi": "P-1", "certificado": "C-1", "pais_exportacion": "CL", "transporte": "granel", "nave": "Demo 1",
        "partidas-TOTAL_FORMS": "1", "partidas-INITIAL_FORMS": "0",
        "partidas-0-producto": Producto.objects.get(codigo="trigo").pk, "partidas-0-pais_origen": "CA",
        "partidas-0-peso_neto_kg": "1000", "partidas-0-bodegas": "1",
    }  # fmt: skip
    assert Pais.objects.filter(codigo="CL").exists()
    url = reverse("expediente_nuevo")
    respuestas = a_la_vez(20, lambda i: navegadores[i].post(url, datos).status_code)
    assert Counter(respuestas) == {302: 20}
    assert (Expediente.objects.count(), Evento.objects.count(), Notificacion.objects.count()) == (1, 1, 1)


@pytest.mark.parametrize("con_informe", [False, True])
def test_dos_personas_deciden_a_la_vez(certificado: Any, con_informe: bool) -> None:
    """In each round one decides and the other is told; no deadlock, one decision, one RIV number."""
    otra = personas()["inspector"]
    rondas = RONDAS if not con_informe else max(RONDAS // 10, 4)
    caso = crear_caso("resultado_emitido" if con_informe else "registrado", partidas=rondas)
    for partida in caso.partidas:

        def decidir(i: int, partida: Any = partida) -> str:
            mia = type(partida).objects.get(pk=partida.pk)
            decision = ("ingreso", "condicionado")[i]
            try:
                if con_informe:
                    casos.dictaminar(partida=mia, actor=otra, decision=decision, fundamento=f"Yo, {i}.")
                else:
                    casos.dictaminar_sin_muestra(
                        partida=mia, actor=otra, decision=decision, motivo="no-requiere-muestreo", texto=f"Yo, {i}."
                    )
            except EstadoImpide:
                return "409"
            return "hecho"

        assert sorted(a_la_vez(2, decidir)) == ["409", "hecho"]
    assert Dictamen.objects.count() == rondas
    assert len(set(Dictamen.objects.values_list("numero", flat=True))) == rondas
    assert list(fallas()) == []


def _firmar_y_revertir(i: int, *, caso: Caso, ronda: int, espera: float) -> Any:
    analisis = caso.analisis[0]
    if not i:
        informe = Informe.objects.get(solicitud=analisis.solicitud)
        return firmas.barrer_informes() if ronda % 2 else firmas.firmar_informe(informe_id=informe.pk)
    time.sleep(espera)
    dicho = {"actor": caso.verificadores[0], "motivo": "contaminacion", "texto": "Ronda."}
    try:
        if ronda % 3:
            return reversiones.revertir(analisis=analisis, **dicho)
        return reversiones.revertir_analisis(muestra=analisis.muestra, **dicho)
    except EstadoImpide:
        return None


def test_dos_inspectores_dictaminan_el_mismo_lote(certificado: Any) -> None:
    """Two mark the same lines and confirm at the same moment, one of them with a double click: each line is decided
    once, and every row that somebody else was faster on says so."""
    colega = otro_inspector()
    colega.set_password(CLAVE)
    colega.save()
    lineas = [crear_caso("resultado_emitido").expediente.partidas.get() for _n in range(3)]
    url = reverse("dictaminar_varios")
    navegadores = [_navegador(quien) for quien in ("inspector", "inspector", colega.username)]
    datos = {
        "partida": [linea.pk for linea in lineas], "fundamento": "Negativo.",
        **{f"visto-{uno.pk}": "|".join(casos.huella_de_informes(casos.informes_vigentes(uno))) for uno in lineas},
    }  # fmt: skip
    respuestas = a_la_vez(3, lambda i: navegadores[i].post(url, datos))
    assert [respuesta.status_code for respuesta in respuestas] == [200] * 3
    paginas = [respuesta.content.decode() for respuesta in respuestas]  # the contexts of threads run together
    assert sum(pagina.count("✓ ingreso dictaminado") for pagina in paginas) == len(lineas) == Dictamen.objects.count()
    assert sum(pagina.count("Ya la dictaminó") for pagina in paginas) == 2 * len(lineas)
    assert list(fallas()) == []


def test_revertir_contra_firmar(certificado: Any) -> None:
    """A report whose grace time ended is signed while somebody steps its result back: the one or the other.

    Never a document over a result that is out of force, never a reversion of a report that is out.
    """
    suerte, cuenta = Random(1), Counter[str]()
    primero = crear_caso("verificado")
    empieza = time.monotonic()
    recorrido.firmar(primero)
    tarda = time.monotonic() - empieza
    for ronda in range(RONDAS):
        caso = crear_caso("verificado")
        analisis = caso.analisis[0]
        informe = Informe.objects.get(solicitud=analisis.solicitud)
        Informe.objects.filter(pk=informe.pk).update(firmar_desde=timezone.now())
        espera = suerte.uniform(0, 1.5 * tarda)  # now and then at every moment of the signing, and after it
        firmado, reversion = a_la_vez(2, partial(_firmar_y_revertir, caso=caso, ronda=ronda, espera=espera))
        informe.refresh_from_db()
        hay = Documento.objects.filter(numero=informe.numero).count()
        vigente = Resultado.objects.get(analisis=analisis).vigente
        if reversion:
            assert (informe.estado, bool(firmado), hay, vigente) == ("borrador", False, 0, False), ronda
        else:
            assert (informe.estado, bool(firmado), hay, vigente) == ("emitido", True, 1, True), ronda
        cuenta["revertidos" if reversion else "firmados"] += 1
        assert list(fallas(caso.expediente)) == []
    print(f"revertir contra firmar, {RONDAS} rondas: {dict(cuenta)}")
    assert firmas.barrer_informes() == 0


def test_dos_obreros_firman_una_vez_cada_version(certificado: Any) -> None:
    caso = crear_caso("resultado_emitido")
    for version in (2, 3, 4):
        _enmendado(caso)
        informe = Informe.objects.get(expediente=caso.expediente)
        firmas.ordenar_firma(informe=informe, actor=caso.personas["director"])
        a_la_vez(4, lambda i, pk=informe.pk: firmas.firmar_informe(informe_id=pk) if i else firmas.barrer_informes())
        versiones = Documento.objects.filter(numero=informe.numero).order_by("version")
        assert [una.version for una in versiones] == list(range(1, version + 1))
        assert [una.estado for una in versiones] == ["reemplazado"] * (version - 1) + ["vigente"]
    corregidos = Notificacion.objects.filter(aviso="informe_corregido")
    assert corregidos.count() == 3
    assert list(fallas()) == []


def test_dos_personas_piden_el_mismo_informe_mensual(certificado: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row and one PDF: both had seen that there was none, and two workers had it rendered."""
    mes = mensuales.ultimo_mes()
    crear_caso("registrado", hace=timezone.now() - timezone.make_aware(datetime.combine(mes, hora_del_dia(9))))
    navegadores = [_navegador("direccion") for _n in range(2)]
    juntos = threading.Barrier(2)

    def y_esperarse(hacer: Callable[..., Any]) -> Callable[..., Any]:
        def hacerlo(*args: Any) -> Any:
            hecho = hacer(*args)
            juntos.wait(timeout=30)
            return hecho

        return hacerlo

    monkeypatch.setattr(mensuales, "congelar", y_esperarse(mensuales.congelar))
    url, datos = reverse("mensual_hacer"), {"mes": mes.isoformat()}
    respuestas = a_la_vez(2, lambda i: navegadores[i].post(url, datos))
    assert [respuesta.headers["Location"] for respuesta in respuestas] == [reverse("mensuales")] * 2
    informe = InformeMensual.objects.get()
    monkeypatch.setattr(mensuales, "componer", y_esperarse(mensuales.componer))
    firmados = a_la_vez(2, lambda i: mensuales.firmar_informe(informe_id=informe.pk) if i else mensuales.barrer())
    informe.refresh_from_db()
    assert sorted(bool(firmado) for firmado in firmados) == [False, True]
    assert Documento.objects.get(tipo="mensual") == informe.documento
    documentos.barrer()
    assert documentos.verificar_archivo(documentos.leer(informe.documento))[0] == documentos.Veredicto.INTACTO


def test_cada_tarea_tres_veces_seguidas_y_dos_a_la_vez(certificado: Any, servidor_smtp: Buzon) -> None:
    """Deliveries repeat; rows and mails do not."""
    por_firmar = crear_caso("verificado").expediente
    por_riv = crear_caso("dictaminado").expediente
    por_cerrar = crear_caso("con_riv").expediente
    observado = crear_caso("registrado")
    incidencias.observar(
        expediente=observado.expediente, actor=observado.inspector, puntos="x", motivo="faltan-documentos", texto="x",
        vence_en=timezone.localdate() + timedelta(days=1),
    )  # fmt: skip
    Informe.objects.filter(expediente=por_firmar).update(firmar_desde=timezone.now())
    Expediente.objects.filter(pk=por_cerrar.pk).update(estado_desde=timezone.now() - timedelta(days=2))
    tareas = [
        tareas_del_laboratorio.barrer_informes, tareas_del_laboratorio.barrer_demoras,
        tareas_del_laboratorio.avisar_certificados, tasks.barrer_documentos,
        tasks.cerrar_listos, tasks.recordar_observaciones, tareas_de_avisos.despachar,
    ]  # fmt: skip
    for tarea in tareas:
        a_la_vez(2, lambda _i, tarea=tarea: tarea.apply(throw=True))
        for _vez in range(3):
            tarea.apply(throw=True)
    tareas_de_avisos.despachar.apply(throw=True)
    assert Documento.objects.filter(expediente=por_firmar, tipo="informe").count() == 1
    assert Documento.objects.filter(expediente=por_riv, tipo="riv").count() == 1
    assert Evento.objects.filter(expediente=por_cerrar, accion="cerrar").count() == 1
    assert Evento.objects.filter(accion="recordar_observacion").count() == 1
    recibidos = Counter(mensaje["Message-ID"] for mensaje in servidor_smtp.mensajes)
    assert set(recibidos.values()) == {1}
    assert len(recibidos) == Notificacion.objects.filter(estado="enviada").count() == Notificacion.objects.count()


def test_medida_y_cierre_a_la_vez_no_dejan_un_caso_cerrado_con_medida(certificado: Any) -> None:
    """Two different acts on one case: whoever comes first decides what the other may still do."""
    for _vez in range(5):
        caso = crear_caso("con_riv")

        def actuar(i: int, caso: Caso = caso) -> None:
            expediente = Expediente.objects.get(pk=caso.expediente.pk)
            try:
                if i:
                    casos.cerrar(expediente=expediente, actor=caso.inspector)
                else:
                    casos.ordenar_medida(
                        partida=expediente.partidas.get(), actor=caso.inspector, tipo=Medida.Tipo.POSENTRADA,
                        vence_en=date(2030, 1, 1),
                    )  # fmt: skip
            except ActoRechazado:
                pass

        a_la_vez(2, actuar)
        expediente = Expediente.objects.get(pk=caso.expediente.pk)
        assert expediente.estado == "cerrado" or expediente.partidas.get().estado == "en_medida"
    assert list(fallas()) == []
    assert SolicitudAnalisis.objects.count() == 5

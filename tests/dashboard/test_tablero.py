"""The board: whose cases, in which order, how many queries, what each row says."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dashboard import queries
from dashboard.queries import ETAPAS, Lector, accion_de, falta_en, fila
from expedientes import asignacion
from expedientes.lifecycle import EXPEDIENTE, PARTIDA, permite
from expedientes.models import Documento, Expediente
from expedientes.plazos import Semaforo
from laboratorio import recorrido
from senasa import reloj
from tests.builders import crear_caso, crear_expediente, otro_inspector, personas

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("certificado")]


def entrar(client: Client, quien: str) -> None:
    client.force_login(personas()[quien])


def leer(expediente: Expediente) -> Expediente:
    return queries.con_detalle(Expediente.objects.all()).get(pk=expediente.pk)


def numeros(respuesta) -> list[str]:
    return [una.expediente.numero for una in respuesta.context["filas"]]


INICIOS = {
    "mesa": "tablero", "inspector": "tablero", "inspector.aereo": "tablero", "jefe": "tablero",
    "recepcion": "recepcion", "analista": "analisis_bandeja", "verificador": "verificacion", "director": "firmas",
    "direccion": "tablero", "atencion": "atencion", "admin": "tablero",
}  # fmt: skip


@pytest.mark.parametrize(("quien", "destino"), INICIOS.items())
def test_inicio_lleva_a_la_cola_de_cada_rol(client, quien, destino):
    entrar(client, quien)
    respuesta = client.get("/")
    assert (respuesta.status_code, respuesta.url) == (302, reverse(destino))
    assert client.get(respuesta.url).status_code == 200


def test_inicio_sin_rol_es_403(client, django_user_model):
    client.force_login(django_user_model.objects.create(username="nadie", email="nadie@empresa.example"))
    assert client.get("/").status_code == 403


def test_tablero_pide_entrar_y_rol_y_get(client):
    assert client.get("/tablero/").status_code == 302
    entrar(client, "analista")
    assert client.get("/tablero/").status_code == 403
    entrar(client, "inspector")
    assert client.post("/tablero/").status_code == 405


def test_cada_inspector_ve_solo_su_puesto(client):
    maritimo, aereo = crear_expediente(), crear_expediente(puesto="PCA")
    for quien, ve in {
        "inspector": {maritimo.numero},
        "inspector.aereo": {aereo.numero},
        "jefe": {maritimo.numero, aereo.numero},
        "direccion": {maritimo.numero, aereo.numero},
    }.items():
        entrar(client, quien)
        assert set(numeros(client.get("/tablero/"))) == ve
        assert set(numeros(client.get("/tablero/?puesto=PCA"))) == ve & ({aereo.numero} if len(ve) > 1 else ve)


def test_sin_puesto_no_hay_que_elegir_ni_que_ver(client):
    crear_expediente()
    suelto = personas()["inspector"]
    suelto.puestos.clear()
    client.force_login(suelto)
    respuesta = client.get("/tablero/")
    assert (respuesta.status_code, numeros(respuesta)) == (200, [])
    assert 'name="puesto"' not in respuesta.content.decode()


def test_lo_mas_urgente_primero_y_los_cerrados_fuera(client):
    nuevo = crear_expediente("registrado", hace=timedelta(hours=1))
    viejo = crear_expediente("registrado", hace=timedelta(days=40))
    crear_expediente("cerrado")
    entrar(client, "inspector")
    respuesta = client.get("/tablero/")
    assert numeros(respuesta) == [viejo.numero, nuevo.numero]
    assert (respuesta.context["abiertos"], respuesta.context["vencidos"]) == (2, 1)
    assert respuesta.context["filas"][0].urgencia.startswith("Vencido hace")
    assert numeros(client.get("/tablero/?semaforo=vencido")) == [viejo.numero]


def test_el_orden_es_el_dia_del_plazo_despues_lo_perecible_y_lo_mas_retenido():
    ahora = reloj.ahora().replace(hour=17, minute=0)  # noon in Lima
    casos = {}
    for nombre, perecible, retenido, vence in (
        ("sin plazo", True, 90, None), ("mañana, perecible", True, 30, 24), ("hoy, retenido 9 d", False, 9, 1),
        ("hoy, perecible", True, 1, 2), ("hoy, retenido 2 d", False, 2, 0), ("ayer", False, 0, -24),
    ):  # fmt: skip
        casos[nombre] = crear_expediente().pk
        Expediente.objects.filter(pk=casos[nombre]).update(
            perecible=perecible, retenido_desde=ahora - timedelta(days=retenido),
            vence_en=None if vence is None else ahora + timedelta(hours=vence),
        )  # fmt: skip
    orden = list(queries.por_urgencia(Expediente.objects.all()).values_list("pk", flat=True))
    assert [nombre for pk in orden for nombre in casos if casos[nombre] == pk] == [
        "ayer", "hoy, perecible", "hoy, retenido 9 d", "hoy, retenido 2 d", "mañana, perecible", "sin plazo",
    ]  # fmt: skip


def test_filtros_en_la_url(client):
    uva, trigo = crear_expediente("en_inspeccion"), crear_expediente("en_laboratorio", producto="trigo", origen="CA")
    entrar(client, "inspector")
    producto = trigo.partidas.get().producto_id
    for consulta, esperados in {
        "etapa=en_inspeccion": {uva.numero},
        f"producto={producto}": {trigo.numero},
        "origen=CL": {uva.numero},
        "quien=laboratorio": {trigo.numero},
        "quien=puesto": {uva.numero},
        "q=NUSTA": {uva.numero, trigo.numero},
        "q=ñusta+sac": set(),
        f"q={uva.numero}": {uva.numero},
        "etapa=nada": {uva.numero, trigo.numero},
        "etapa=nada&quien=puesto": {uva.numero},
    }.items():
        respuesta = client.get(f"/tablero/?{consulta}")
        assert (respuesta.status_code, set(numeros(respuesta))) == (200, esperados), consulta
        assert respuesta.context["page_obj"].paginator.count == len(esperados), consulta


def test_el_semaforo_en_sql_es_el_de_plazos():
    casos = [crear_expediente(hace=timedelta(days=dias)) for dias in (0, 1, 2, 3, 30)] + [
        crear_expediente("en_medida", decision="rechazo")
    ]
    ahora = reloj.ahora()
    for caso in casos:
        caso = leer(caso)
        luces = [luz for luz in Semaforo if Expediente.objects.filter(queries.del_semaforo(luz, ahora), pk=caso.pk)]
        assert luces == [fila(caso, Lector(personas()["inspector"]), ahora).semaforo]


def test_consultas_constantes_con_1_y_con_30_filas(client):
    entrar(client, "inspector")
    crear_expediente("en_laboratorio", partidas=2)
    client.get("/tablero/")
    queries.LEIDOS.clear()
    with CaptureQueriesContext(connection) as una:
        client.get("/tablero/")
    for _n in range(29):
        crear_expediente("en_laboratorio", partidas=2)
    with CaptureQueriesContext(connection) as treinta:
        assert len(client.get("/tablero/").context["filas"]) == 30
    assert len(treinta) == len(una)
    assert len(una) <= 34


@pytest.mark.usefixtures("memoria")
def test_lo_que_no_cambio_ni_se_lee_ni_se_compone_otra_vez(client):
    """Each act shows at once, its case is read anew and the others are not; nothing of it reaches another reader."""
    caso, otro = crear_expediente("en_inspeccion"), crear_expediente("en_inspeccion")
    gente = personas()
    entrar(client, "inspector")

    def mirar() -> tuple[str, list[str]]:
        with CaptureQueriesContext(connection) as consultas:
            pagina = client.get("/tablero/").content.decode()
        return pagina, [una["sql"] for una in consultas if 'FROM "expedientes_contenedor"' in una["sql"]]

    queries.LEIDOS.clear()
    primera, leidas = mirar()
    assert leidas
    segunda, leidas = mirar()
    assert leidas == []
    assert [numero in segunda for numero in (caso.numero, otro.numero)] == [True, True]
    asignacion.asignar(expediente=caso, actor=gente["jefe"], inspector=(ajeno := otro_inspector()))
    tercera, leidas = mirar()
    assert (ajeno.firma_corta in segunda, ajeno.firma_corta in tercera) == (False, True)
    partidas = [uno.partidas.get().pk for uno in (caso, otro)]
    assert [str(pk) in leidas[0].partition(" IN (")[2] for pk in partidas] == [True, False]
    entrar(client, "inspector.aereo")
    assert caso.numero not in client.get("/tablero/").content.decode()


def test_a_row_asks_nothing_again_whatever_its_case_waits_for():
    """`con_detalle_de` reads a few columns of each table: one that a row says and was not read would be asked for."""
    for paso in (
        "registrado",
        "programado",
        "muestreado",
        "en_laboratorio",
        "en_proceso",
        "resultado_emitido",
        "con_riv",
    ):
        crear_caso(paso, partidas=2)
    crear_caso("en_medida", valor="positivo")
    for aparte in (recorrido.observar, recorrido.trasladar, recorrido.perder):
        aparte(crear_caso("en_laboratorio" if aparte is recorrido.perder else "en_inspeccion"))
    casos = queries.con_detalle_de(Expediente.objects.order_by("pk").values_list("pk", flat=True))
    assert len(casos) == 11
    lectores = [Lector(personas()[quien]) for quien in ("inspector", "jefe", "mesa", "direccion", "director")]
    with CaptureQueriesContext(connection) as hechas:
        filas = [str(fila(caso, lector, reloj.ahora())) for caso in casos for lector in lectores]
    # Who stands in for whom is asked once for each reader, of the reader.
    assert [una["sql"] for una in hechas if "suplencia" not in una["sql"]] == []
    assert filas == [str(fila(leer(caso), lector, reloj.ahora())) for caso in casos for lector in lectores]


def test_los_contadores_suman_y_enlazan_a_sus_casos(client):
    for estado in ("registrado", "en_inspeccion", "en_laboratorio", "resultado_emitido", "dictaminado"):
        crear_expediente(estado)
    crear_expediente("en_medida", decision="rechazo")
    entrar(client, "inspector")
    respuesta = client.get("/tablero/")
    contadores = respuesta.context["contadores"]
    assert [contador["texto"] for contador in contadores] == list(ETAPAS.values())
    assert sum(contador["numero"] for contador in contadores) == respuesta.context["abiertos"] == 6
    for contador in contadores:
        assert len(client.get("/tablero/" + contador["url"]).context["filas"]) == contador["numero"]


def test_las_paginas_cuentan_bien(client, monkeypatch):
    monkeypatch.setattr("dashboard.views.POR_PAGINA", 2)
    for _n in range(3):
        crear_expediente()
    entrar(client, "inspector")
    for consulta in ("", "etapa=registrado&", "quien=puesto&"):
        segunda = client.get(f"/tablero/?{consulta}page=2")
        assert (len(segunda.context["filas"]), segunda.context["page_obj"].paginator.count) == (1, 3)


PASO_A_PASO = {
    "registrado": ("Programar la inspección", "programar"),
    "programado": ("Inspección", "inspeccionar"),
    "en_inspeccion": ("Tomar la muestra", "tomar_muestra"),
    "muestreado": ("Enviar la muestra al laboratorio", "enviar"),
    "en_laboratorio": ("Recibir la muestra", ""),
    "recibido": ("Asignar analista", ""),
    "asignado": ("Análisis de entomología", ""),
    "en_proceso": ("Análisis de entomología", ""),
    "con_resultado": ("Verificación de entomología", ""),
    "verificado": ("Informe en emisión", ""),
    "resultado_emitido": ("Dictamen", "dictaminar"),
    "dictaminado": ("Firma del RIV", ""),
    "con_riv": ("Cerrar el expediente", ""),
}


@pytest.mark.parametrize(("paso", "esperado"), PASO_A_PASO.items())
def test_que_falta_en_cada_paso(paso, esperado):
    partida = leer(crear_caso(paso).expediente).partidas.all()[0]
    assert (falta_en(partida).que, accion_de(partida)) == esperado


def test_un_rechazo_pide_medida_y_la_medida_su_cumplimiento():
    caso = leer(crear_caso("con_riv", valor="positivo").expediente).partidas.all()[0]
    assert (falta_en(caso).que, accion_de(caso)) == ("Ordenar la medida", "ordenar_medida")
    caso = leer(crear_caso("en_medida", valor="positivo").expediente).partidas.all()[0]
    assert (falta_en(caso).quien, accion_de(caso)) == ("Importador", "cumplir_medida")


@pytest.mark.parametrize("valor", ["negativo", "positivo", "indeterminado"])
def test_fuera_del_laboratorio_nada_distingue_un_positivo_antes_de_emitir(client, valor):
    expediente = crear_caso("verificado", valor=valor).expediente
    entrar(client, "inspector")
    (una,) = client.get("/tablero/").context["filas"]
    assert (una.falta.que, una.falta.quien, una.falta.avance) == ("Informe en emisión", "Laboratorio", "")
    pagina = client.get(f"/expedientes/{expediente.numero}/").content.decode()
    assert not any(
        palabra in pagina.lower() for palabra in ("positivo", "negativo", "indeterminado", "director", "gracia")
    )


def test_un_informe_en_revision_detiene_el_dictamen():
    expediente = crear_caso("resultado_emitido").expediente
    expediente.documentos.update(estado=Documento.Estado.EN_REVISION)
    partida = leer(expediente).partidas.all()[0]
    assert (falta_en(partida).que, accion_de(partida)) == ("Versión corregida del informe", "")


def test_los_botones_dicen_lo_que_permite_el_ciclo():
    """`Lector.puede` is `lifecycle.permite`, without its query for each row."""
    for paso in ("registrado", "muestreado", "en_laboratorio", "resultado_emitido", "con_riv"):
        expediente = crear_caso(paso).expediente
        partida = expediente.partidas.get()
        for usuario in personas().values():
            lector = Lector(usuario)
            for tabla, objeto in ((EXPEDIENTE, expediente), (PARTIDA, partida)):
                for accion in tabla:
                    if accion != "registrar":
                        assert lector.puede(accion, objeto) == permite(objeto, accion, usuario, tabla=tabla)


def test_el_acto_de_una_partida_lista_aunque_otra_siga_en_el_laboratorio(client):
    caso = crear_caso("con_resultado", partidas=2)
    primera = caso.expediente.partidas.get(orden=1)
    from laboratorio import firmas, services
    from laboratorio.models import Analisis, Informe

    for analisis in Analisis.objects.filter(muestra__partida=primera):
        services.verificar(analisis=analisis, actor=personas()["verificador"])
    informe = Informe.objects.get(solicitud__partida=primera)
    with reloj.fijado(reloj.ahora() + timedelta(hours=1)):
        firmas.firmar_informe(informe_id=informe.pk)
    entrar(client, "inspector")
    (una,) = client.get("/tablero/").context["filas"]
    assert (una.etapa, una.acto.accion, "partida 1 de 2" in una.notas) == ("En laboratorio", "dictaminar", True)


def test_jefe_ve_los_riv_que_no_se_pudieron_firmar(client):
    expediente = crear_caso("dictaminado").expediente
    dictamen = expediente.partidas.get().dictamen
    dictamen.riv_falla = "El certificado venció."
    dictamen.save()
    entrar(client, "jefe")
    respuesta = client.get("/tablero/")
    assert respuesta.context["rivs_fallidos"] == [dictamen]
    assert "El certificado venció." in respuesta.content.decode()
    entrar(client, "inspector.aereo")
    assert client.get("/tablero/").context["rivs_fallidos"] == []


def test_el_filtro_usa_el_indice_de_los_abiertos():
    """The open cases of a post are read in the board's own order, whatever is closed: nothing is sorted."""
    inspector = personas()["inspector"]
    puesto = inspector.puestos.get()
    casos = queries.por_urgencia(queries.abiertos(inspector).filter(puesto__in=[puesto.pk]))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    plan = casos[:50].explain()
    assert ("expediente_urgente" in plan, "Sort" in plan) == (True, False)

"""The five queues: who enters, what comes first, what each row says, and that thirty rows ask no more than one."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from expedientes.models import Partida
from laboratorio.models import Analisis, EstadoAnalisis, EstadoInforme, Informe
from laboratorio.recorrido import Caso
from tests.builders import avanzar_hasta, crear_caso

pytestmark = pytest.mark.django_db

BANDEJAS = {
    "recepcion": "recepcion",
    "analisis_bandeja": "analista",
    "verificacion": "verificador",
    "firmas": "director",
}


@pytest.mark.parametrize(("bandeja", "suya"), BANDEJAS.items())
def test_queue_role_method_and_empty(entrar, bandeja, suya):
    for usuario in {"inspector", "mesa", "atencion", "direccion", *BANDEJAS.values()} - {suya}:
        assert entrar(usuario).get(reverse(bandeja)).status_code == 403, usuario
    respuesta = entrar(suya).get(reverse(bandeja))
    assert respuesta.status_code == 200
    assert 'class="vacio"' in respuesta.content.decode()
    assert entrar(suya).post(reverse(bandeja)).status_code == 405


def test_thirty_rows_ask_no_more_than_one(entrar, certificado):
    """Every queue, at the stage that fills it: a line with its analyses, then ten lines with thirty."""
    llena = {
        "en_laboratorio": ["recepcion"],
        "recibido": ["recepcion", "analisis_bandeja"],
        "asignado": ["recepcion", "analisis_bandeja"],
        "en_proceso": ["analisis_bandeja"],
        "con_resultado": ["verificacion", "analisis_bandeja"],
        "verificado": ["verificacion", "firmas"],
    }
    navegadores = {usuario: entrar(usuario) for usuario in BANDEJAS.values()}

    def recorrer(partidas: int) -> tuple[Caso, dict[tuple[str, str], int]]:
        caso = crear_caso("muestreado", partidas=partidas, producto="semilla-de-tomate", origen="NL")
        caso.personas = {**caso.personas, "analista2": caso.personas["analista"]}
        consultas = {}
        for etapa, bandejas in llena.items():
            avanzar_hasta(caso, etapa)
            for bandeja in bandejas:
                with CaptureQueriesContext(connection) as captura:
                    assert navegadores[BANDEJAS[bandeja]].get(reverse(bandeja)).status_code == 200
                consultas[etapa, bandeja] = len(captura)
        return caso, consultas

    caso, con_una = recorrer(1)
    avanzar_hasta(caso, "resultado_emitido")  # out of every queue
    caso, con_muchas = recorrer(10)
    assert len(caso.analisis) >= 30
    assert con_una == con_muchas


def test_perishable_first_then_oldest(entrar):
    grano_viejo = crear_caso("en_laboratorio", producto="trigo", origen="CA", hace=timedelta(days=9))
    fruta_nueva = crear_caso("en_laboratorio", hace=timedelta(days=2))
    fruta_vieja = crear_caso("en_laboratorio", hace=timedelta(days=4))
    filas = entrar("recepcion").get(reverse("recepcion")).context["muestras"]
    assert [m.expediente_id for m in filas] == [c.expediente.pk for c in (fruta_vieja, fruta_nueva, grano_viejo)]


def test_asignar_varios(entrar, gente):
    caso = crear_caso("recibido", partidas=2)
    pks = [a.pk for a in caso.analisis]
    assert len(pks) > 1
    datos = {"analisis": pks, "analista": gente["analista2"].pk}
    respuesta = entrar("recepcion").post(reverse("asignar_varios"), datos, follow=True)
    assert {(a.estado, a.analista) for a in caso.analisis} == {(EstadoAnalisis.ASIGNADO, gente["analista2"])}
    assert f"{len(pks)} análisis asignados a A. Quispe." in respuesta.content.decode()


def test_asignar_varios_says_which_were_left_out(entrar, gente):
    caso = crear_caso("recibido", partidas=2)
    uno = caso.analisis[0]
    uno.estado = EstadoAnalisis.EN_PROCESO
    uno.save()
    datos = {"analisis": [a.pk for a in caso.analisis], "analista": gente["analista"].pk}
    texto = entrar("recepcion").post(reverse("asignar_varios"), datos, follow=True).content.decode()
    assert "Quedó 1 fuera." in " ".join(texto.split())
    assert str(uno.muestra) in texto
    assert Analisis.objects.filter(estado=EstadoAnalisis.ASIGNADO).count() == len(caso.analisis) - 1


def test_asignar_varios_wrong_data_role_and_method(entrar, gente):
    caso = crear_caso("recibido")
    pks = [a.pk for a in caso.analisis]
    recepcion = entrar("recepcion")
    for datos in ({}, {"analisis": pks}, {"analisis": pks, "analista": gente["mesa"].pk}, {"analisis": ["x"]}):
        recepcion.post(reverse("asignar_varios"), datos)
    assert entrar("analista").post(reverse("asignar_varios"), {"analisis": pks}).status_code == 403
    assert recepcion.get(reverse("asignar_varios")).status_code == 405
    assert {a.estado for a in caso.analisis} == {EstadoAnalisis.PENDIENTE}


def test_bench_shows_mine_and_what_is_to_take(entrar, gente):
    en_camino = crear_caso("en_laboratorio")
    recibido = crear_caso("recibido")
    ajeno = crear_caso("asignado")
    Analisis.objects.filter(expediente=ajeno.expediente).update(analista=gente["analista2"])
    contexto = entrar("analista").get(reverse("analisis_bandeja")).context
    assert {a.expediente_id for a in contexto["por_tomar"]} == {recibido.expediente.pk}
    assert contexto["asignados"] == []
    assert en_camino.analisis


def test_firmas_positives_first_with_what_failed(entrar, certificado):
    indeterminado = crear_caso("verificado", valor="indeterminado", hace=timedelta(days=8))
    positivo = crear_caso("verificado", valor="positivo", hace=timedelta(days=3))
    negativo = crear_caso("verificado", hace=timedelta(minutes=1))
    respuesta = entrar("director").get(reverse("firmas"))
    assert [i.expediente_id for i in respuesta.context["por_firmar"]] == [
        positivo.expediente.pk,
        indeterminado.expediente.pk,
    ]
    assert [i.expediente_id for i in respuesta.context["en_gracia"]] == [negativo.expediente.pk]
    assert "No se cumplió «Ningún resultado fue nunca positivo ni indeterminado»" in respuesta.content.decode()
    assert Informe.objects.filter(estado=EstadoInforme.EN_GRACIA).count() == 1


@pytest.mark.parametrize(("bandeja", "quien"), [("recepcion", "recepcion"), ("analisis_bandeja", "analista")])
def test_the_strip_counts_and_filters(entrar, bandeja, quien):
    """What blocks a perishable cargo, what is due, what is old: each a number and an address."""
    fruta = crear_caso("recibido", hace=timedelta(hours=9))
    grano = crear_caso("recibido", producto="maiz-amarillo-duro", origen="US", hace=timedelta(days=6))
    Partida.objects.filter(expediente=grano.expediente).update(vence_en=timezone.now() - timedelta(hours=1))
    navegador = entrar(quien)
    cuentas = {}
    for contador in navegador.get(reverse(bandeja)).context["contadores"]:
        contexto = navegador.get(reverse(bandeja) + contador["url"]).context
        filas = contexto["pendientes"] if bandeja == "recepcion" else contexto["por_tomar"]
        assert len(filas) == contador["numero"]
        cuentas[contador["texto"]] = {a.expediente_id for a in filas}
    assert cuentas == {
        "Todo": {fruta.expediente.pk, grano.expediente.pk},
        "Perecibles": {fruta.expediente.pk},
        "Por vencer": {grano.expediente.pk},
        "Antiguos": {grano.expediente.pk},
    }

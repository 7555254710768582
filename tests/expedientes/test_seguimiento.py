"""The importer's page: who gets in, what it tells, and what it must not give away."""

import re
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.caso import NOMBRES, tira_de_etapas
from expedientes import documentos, seguimiento, services, tiempos
from expedientes.models import Evento, Expediente
from laboratorio import recorrido
from notificaciones import enlaces
from notificaciones.models import Enlace, Notificacion
from senasa import reloj
from tests.builders import avanzar_hasta, crear_caso, crear_importador
from tests.conftest import url_de_la_base

pytestmark = pytest.mark.django_db


def enlace_de(expediente: Expediente) -> Enlace:
    return Enlace.objects.get(referencia=expediente.referencia)


def abrir(client: Client, expediente: Expediente) -> str:
    """Open the link of the mail; the case's clean address."""
    respuesta = client.get(reverse("seguimiento", args=[enlaces.token(enlace_de(expediente))]))
    assert respuesta.status_code == 302
    return respuesta["Location"]


def texto(respuesta: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", respuesta.content.decode()))


def test_seguimiento_cambia_el_enlace_por_una_galleta_de_ese_caso(client: Client) -> None:
    expediente = crear_caso().expediente
    url = abrir(client, expediente)
    assert url == reverse("seguimiento_caso", args=[expediente.numero])
    galleta = client.cookies["seguimiento"]
    assert (galleta["path"], galleta["httponly"], galleta["samesite"]) == (url, True, "Lax")
    respuesta = client.get(url)
    assert expediente.numero in texto(respuesta)
    assert "no-store" in respuesta["Cache-Control"]


def test_seguimiento_no_abre_otro_expediente(client: Client) -> None:
    mio = crear_caso().expediente
    ajeno = crear_caso(importador=crear_importador(1)).expediente
    abrir(client, mio)
    client.cookies["seguimiento"]["path"] = "/"  # as a forger would send it
    for nombre, args in (("seguimiento_caso", [ajeno.numero]), ("seguimiento_caso", ["PCM-2026-999999"])):
        respuesta = client.get(reverse(nombre, args=args))
        assert respuesta.status_code == 404
        assert "Este enlace ya no abre" in texto(respuesta)


def test_seguimiento_sin_galleta_dice_lo_mismo_exista_o_no(client: Client) -> None:
    expediente = crear_caso().expediente
    existe, no_existe = (
        client.get(reverse("seguimiento_caso", args=[numero])) for numero in (expediente.numero, "PCM-2020-000001")
    )
    assert existe.status_code == no_existe.status_code == 404
    limpiar = re.compile(rb"name=.next. value=\"[^\"]*\"|csrfmiddlewaretoken\" value=\"[^\"]*\"")
    assert limpiar.sub(b"", existe.content) == limpiar.sub(b"", no_existe.content)


@pytest.mark.parametrize("token", ["x", "1-", "1-AAAA", "999999-AAAAAAAAAAAAAAAAAAAAAAAAAAA", "²-a", "1-ñ"])
def test_seguimiento_con_enlace_malo(client: Client, token: str) -> None:
    crear_caso()
    respuesta = client.get(reverse("seguimiento", args=[token]))
    assert respuesta.status_code == 404
    assert "pida otro" in texto(respuesta)


def test_seguimiento_revocado_muere_al_instante(client: Client) -> None:
    expediente = crear_caso().expediente
    url = abrir(client, expediente)
    enlaces.revocar_de(referencia=expediente.referencia, correo=expediente.importador.correo)
    assert client.get(url).status_code == 404


def test_seguimiento_de_otra_version_o_vencido_muere(client: Client) -> None:
    expediente = crear_caso().expediente
    url = abrir(client, expediente)
    enlace = enlace_de(expediente)
    Enlace.objects.update(version=2)
    assert client.get(url).status_code == 404
    Enlace.objects.update(version=1, vence_en=timezone.now() - timedelta(minutes=1))
    assert client.get(url).status_code == 404
    assert client.get(reverse("seguimiento", args=[enlaces.token(enlace)])).status_code == 404


def test_seguimiento_no_escribe_nada(client: Client, django_assert_num_queries: Any) -> None:
    expediente = crear_caso("en_laboratorio").expediente
    url = abrir(client, expediente)
    antes = (Evento.objects.count(), Notificacion.objects.count(), list(Enlace.objects.values()))
    for _n in range(10):
        client.get(reverse("seguimiento", args=[enlaces.token(enlace_de(expediente))]))
        client.get(url)
    assert antes == (Evento.objects.count(), Notificacion.objects.count(), list(Enlace.objects.values()))
    assert client.post(url).status_code == 405
    assert client.post(reverse("seguimiento", args=["x"])).status_code == 405


def test_seguimiento_hace_las_mismas_consultas_con_una_partida_que_con_seis(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for partidas in (1, 6):
        expediente = crear_caso("en_inspeccion", partidas=partidas).expediente
        url = abrir(client, expediente)
        with django_assert_max_num_queries(11):
            assert client.get(url).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_seguimiento_se_abre_tras_reiniciarse_la_base(client: Client) -> None:
    """A connection that was kept and is dead is no error of the importer's."""
    url = abrir(client, crear_caso().expediente)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with psycopg.connect(url_de_la_base(), autocommit=True) as otra:
        otra.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert client.get(url).status_code == 200


@pytest.mark.usefixtures("memoria")
def test_seguimiento_se_mantiene_al_dia_con_un_304_de_una_consulta(
    client: Client, django_assert_num_queries: Any
) -> None:
    """What is kept is of this case, link, language and moment: whatever happens to the case is there at once."""
    caso = crear_caso("programado", hace=timedelta(0))
    url = abrir(client, caso.expediente)
    primera = client.get(url)
    assert 'data-vivo="30"' in primera.content.decode()
    with django_assert_num_queries(0):  # but for the one of `acceso.llave`, prepared, which Django does not count
        otra = client.get(url)
    assert "Su carga tiene fecha de inspección" in texto(otra)
    assert "csrf" not in primera.content.decode() + str(primera.cookies)  # what is kept carries nobody's token
    pedir = {"hx-request": "true"}
    pieza = client.get(url, headers=pedir)
    assert "<html" not in pieza.content.decode()
    with django_assert_num_queries(0):
        igual = client.get(url, headers=pedir | {"if-none-match": pieza["ETag"]})
    assert (igual.status_code, igual.content) == (304, b"")
    assert "no-store" in igual["Cache-Control"]
    avanzar_hasta(caso, "en_inspeccion")
    nueva = client.get(url, headers=pedir | {"if-none-match": pieza["ETag"]})
    assert "Su carga está en inspección" in texto(nueva)
    assert "Su carga está en inspección" in texto(client.get(url))
    client.post(reverse("set_language"), {"language": "en", "next": url})
    assert "Your consignment" in texto(client.get(url))
    enlaces.revocar_de(referencia=caso.expediente.referencia, correo=caso.expediente.importador.correo)
    assert client.get(url).status_code == 404
    assert client.get(url, headers=pedir)["HX-Refresh"] == "true"


@pytest.mark.parametrize(
    ("hasta", "opciones", "respuesta"),
    [
        ("registrado", {}, "Recibimos su solicitud"),
        ("programado", {"hace": timedelta(0)}, "Su carga tiene fecha de inspección"),
        ("programado", {}, "La hora de su inspección ya pasó"),
        ("en_inspeccion", {}, "Su carga está en inspección"),
        ("en_laboratorio", {}, "Su carga espera el resultado del laboratorio"),
        ("con_resultado", {}, "Su carga espera el resultado del laboratorio"),
        ("verificado", {}, "Su informe está en emisión"),
        ("verificado", {"valor": "positivo"}, "Su informe está en emisión"),
    ],
)
def test_seguimiento_responde_en_la_primera_linea(
    client: Client, hasta: str, opciones: dict[str, Any], respuesta: str
) -> None:
    pagina = client.get(abrir(client, crear_caso(hasta, **opciones).expediente))
    assert re.search(r"<h1>\s*(.*?)\s*</h1>", pagina.content.decode()).group(1) == respuesta  # type: ignore[union-attr]


def test_seguimiento_da_a_la_cita_lo_que_queda_de_su_hora_y_despues_dice_que_paso() -> None:
    caso = crear_caso(hace=timedelta(0))
    cita = datetime(2027, 2, 4, 14, 17, tzinfo=timezone.get_default_timezone())
    services.programar(partida=caso.partidas[0], actor=caso.inspector, cita_en=cita, terminal="Nave 4")
    with reloj.fijado(cita.replace(minute=59)):
        assert seguimiento.contar(caso.expediente).titular == "Su carga tiene fecha de inspección"
    with reloj.fijado(cita.replace(hour=15, minute=0)):
        (tramo,) = seguimiento.contar(caso.expediente).tramos
    assert tramo.respuesta == "La hora de su inspección ya pasó"
    assert tramo.detalle == (
        "Era el jueves 4 de febrero, 14:17, en Nave 4. El puesto inspeccionará su carga o fijará otra hora."
    )


@pytest.mark.parametrize(
    ("hasta", "nombre", "accion"),
    [
        ("en_inspeccion", "Inspección y toma de muestra", "inspeccionar"),
        ("en_laboratorio", "Análisis en el laboratorio", "enviar"),
    ],
)
def test_seguimiento_observado_muestra_con_su_fecha_lo_que_ya_habia_empezado(
    hasta: str, nombre: str, accion: str
) -> None:
    caso = crear_caso(hasta)
    recorrido.observar(caso)
    caso.expediente.refresh_from_db()
    (tramo,) = seguimiento.contar(caso.expediente).tramos
    nombres = [etapa.nombre for etapa in tramo.etapas]
    empezada = tramo.etapas[nombres.index(nombre)]
    assert nombres.index(nombre) == nombres.index("Observado: esperamos su respuesta") - 1
    assert (empezada.situacion, empezada.fecha) == (
        "empezada", Evento.objects.get(objeto="partida", accion=accion).ocurrio_en
    )  # fmt: skip
    assert [etapa.nombre for etapa in tramo.etapas if etapa.situacion == "actual"] == [
        "Observado: esperamos su respuesta"
    ]


def test_la_inspeccion_tiene_la_misma_hora_para_el_importador_que_para_el_puesto() -> None:
    caso = crear_caso("en_laboratorio")
    (tramo,) = seguimiento.contar(caso.expediente).tramos
    suya = next(etapa.fecha for etapa in tramo.etapas if etapa.nombre == "Inspección y toma de muestra")
    vida = tiempos.tramos(list(caso.expediente.bitacora.order_by("n")), [caso.partidas[0].pk], reloj.ahora())
    del_puesto = next(
        etapa["fecha"] for etapa in tira_de_etapas(caso.expediente, vida, reloj.ahora())
        if etapa["nombre"] == NOMBRES["en_inspeccion"]
    )  # fmt: skip
    assert suya == del_puesto == Evento.objects.get(accion="inspeccionar").ocurrio_en


def test_las_partes_del_tiempo_suman_lo_que_dice_el_total() -> None:
    suyos = {
        tiempos.PUESTO: timedelta(days=4, hours=16, minutes=40),
        tiempos.TRASLADO: timedelta(minutes=15),
        tiempos.LABORATORIO: timedelta(hours=15, minutes=30),
        tiempos.IMPORTADOR: timedelta(days=5, hours=14, minutes=50),
    }
    dibujo = tiempos.dibujar(suyos, dict.fromkeys(suyos, "·"))
    assert dibujo["total"] == "10 d 23 h"
    assert [parte["texto"] for parte in dibujo["partes"]] == ["· 4 d 16 h", "· 15 min", "· 16 h", "· 5 d 15 h"]


def test_seguimiento_no_distingue_un_positivo_antes_de_emitir(client: Client) -> None:
    paginas = []
    for valor in ("negativo", "positivo", "indeterminado"):
        expediente = crear_caso("verificado", valor=valor, hace=timedelta(days=3)).expediente
        pagina = texto(client.get(abrir(client, expediente))).replace(expediente.numero, "N")
        paginas.append(re.sub(r"\d+", "0", pagina))
    assert paginas[0] == paginas[1] == paginas[2]


@pytest.mark.parametrize(
    ("valor", "respuesta"), [("negativo", "Su carga puede ingresar"), ("positivo", "Se rechazó el ingreso de su carga")]
)
def test_seguimiento_del_final_deja_bajar_informe_y_riv(
    client: Client, certificado: Any, valor: str, respuesta: str
) -> None:
    expediente = crear_caso("con_riv", valor=valor).expediente
    url = abrir(client, expediente)
    pagina = client.get(url)
    assert respuesta in texto(pagina)
    assert ("Una máquina cerró y firmó este informe (regla v1)" in texto(pagina)) == (valor == "negativo")
    assert expediente.documentos.count() == 2
    for documento in expediente.documentos.all():
        bajada = client.get(reverse("seguimiento_documento", args=[expediente.numero, documento.cvd]))
        assert b"".join(bajada.streaming_content) == documentos.leer(documento)
        assert bajada["Content-Disposition"] == f'attachment; filename="{documento}.pdf"'
        assert bajada["X-Content-Type-Options"] == "nosniff"
    client.cookies.clear()
    ajena = client.get(reverse("seguimiento_documento", args=[expediente.numero, documento.cvd]))
    assert ajena.status_code == 404


def test_seguimiento_no_da_el_documento_de_otro_caso(client: Client, certificado: Any) -> None:
    mio = crear_caso("resultado_emitido").expediente
    ajeno = crear_caso("resultado_emitido", importador=crear_importador(1)).expediente
    abrir(client, mio)
    url = reverse("seguimiento_documento", args=[mio.numero, ajeno.documentos.get().cvd])
    assert client.get(url).status_code == 404


def test_seguimiento_en_ingles(client: Client) -> None:
    url = abrir(client, crear_caso("en_laboratorio").expediente)
    client.post(reverse("set_language"), {"language": "en", "next": url})
    pagina = client.get(url)
    assert '<html lang="en">' in pagina.content.decode()
    assert "Your consignment is waiting for the laboratory" in texto(pagina)


def test_seguimiento_no_da_un_archivo_que_no_es_el_emitido(client: Client, certificado: Any) -> None:
    expediente = crear_caso("resultado_emitido").expediente
    abrir(client, expediente)
    documento = expediente.documentos.get()
    expediente.documentos.update(sha256="0" * 64)
    url = reverse("seguimiento_documento", args=[expediente.numero, documento.cvd])
    assert client.get(url).status_code == 503


def test_seguimiento_con_un_numero_imposible(client: Client) -> None:
    assert client.get("/seguimiento/caso/a%00b/").status_code == 404
    assert client.get("/seguimiento/a%00b/").status_code == 404
    assert client.get("/verificar/a%00b/").status_code == 404


def test_seguimiento_limita_los_fallos(client: Client) -> None:
    estados = [client.get(reverse("seguimiento", args=["x"])).status_code for _n in range(62)]
    assert estados == [404] * 60 + [429] * 2

"""The case page: who may open it, what it says and what it keeps to itself."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dashboard import caso as pagina
from expedientes import services, tiempos
from expedientes import services as casos
from expedientes.models import Evento, Motivo
from laboratorio import recorrido, reversiones
from laboratorio.models import Analisis
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.models import Puesto
from tests.builders import crear_caso, crear_expediente, crear_importador, partida_nueva, personas

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("certificado")]

ABREN = {"mesa", "inspector", "jefe", "director", "direccion", "atencion", "admin"}


def abrir(client, quien, expediente, **mas):
    client.force_login(personas()[quien])
    return client.get(f"/expedientes/{expediente.numero}/", **mas)


def test_quien_abre_un_expediente(client):
    expediente = crear_expediente()
    for quien in personas():
        esperado = 200 if quien in ABREN else 404 if quien == "inspector.aereo" else 403
        assert abrir(client, quien, expediente).status_code == esperado, quien
    client.force_login(personas()["inspector"])
    assert client.post(f"/expedientes/{expediente.numero}/").status_code == 405
    assert client.get("/expedientes/PCM-2026-999999/").status_code == 404
    client.logout()
    assert client.get(f"/expedientes/{expediente.numero}/").status_code == 302


def test_registrar_no_es_un_numero_de_expediente(client):
    client.force_login(personas()["mesa"])
    assert client.get("/expedientes/nuevo/").status_code == 200
    assert client.get("/expedientes/lo-que-sea/").status_code == 404


@pytest.mark.parametrize(
    ("paso", "accion"),
    {
        "registrado": "partida_programar", "programado": "partida_inspeccionar",
        "en_inspeccion": "partida_tomar_muestra", "muestreado": "partida_enviar",
        "resultado_emitido": "partida_dictaminar",
    }.items(),
)  # fmt: skip
def test_el_siguiente_acto_es_de_quien_puede_hacerlo(client, paso, accion):
    expediente = crear_expediente(paso)
    respuesta = abrir(client, "inspector", expediente)
    acto = respuesta.context["primera"].acto
    assert f"partida_{acto.accion}" == accion
    assert acto.url in respuesta.content.decode()
    # The page it leads to is there; before a decision one is asked for the password again.
    assert client.get(acto.url).status_code == (302 if accion == "partida_dictaminar" else 200)
    assert abrir(client, "direccion", expediente).context["primera"] is None


def test_el_dictamen_dice_en_que_informe_se_apoya(client):
    expediente = crear_expediente("resultado_emitido")
    informe = expediente.documentos.get()
    assert f"El dictamen usará {informe}." in abrir(client, "inspector", expediente).content.decode()


def test_cerrar_se_ofrece_cuando_nada_falta(client):
    assert abrir(client, "inspector", crear_caso("dictaminado").expediente).context["cierre"] is None
    expediente = crear_caso("con_riv").expediente
    assert abrir(client, "inspector", expediente).context["cierre"].url == f"/expedientes/{expediente.numero}/cerrar/"
    assert abrir(client, "jefe", expediente).context["cierre"] is None
    assert not services.pendientes_de_cierre(expediente)


@pytest.mark.parametrize("valor", ["negativo", "positivo", "indeterminado"])
def test_los_resultados_se_ven_al_emitirse_el_informe(client, valor):
    antes = crear_caso("verificado", valor=valor).expediente
    (fila,) = abrir(client, "inspector", antes).context["fichas"][0].analisis
    assert (fila.clase, fila.resultado, fila.verificado_por) == ("pendiente", "Informe en emisión", "")
    (fila,) = abrir(client, "director", antes).context["fichas"][0].analisis
    assert fila.clase == valor
    despues = crear_caso("resultado_emitido", valor=valor).expediente
    (fila,) = abrir(client, "inspector", despues).context["fichas"][0].analisis
    assert (fila.clase, fila.verificado_por) == (valor, "V. Verificadora")


def test_la_bitacora_antes_de_emitir_es_la_misma_salga_lo_que_salga(client):
    def titulos(valor):
        respuesta = abrir(client, "inspector", crear_caso("verificado", valor=valor).expediente)
        return [(e["titulo"], e["quien"], e["detalle"].count("\n")) for e in respuesta.context["bitacora"]]

    assert titulos("negativo") == titulos("positivo") == titulos("indeterminado")


def test_una_reversion_no_cuenta_su_porque_antes_de_emitir(client):
    expediente = crear_caso("con_resultado").expediente
    motivo = Motivo.objects.filter(accion="revertir").first()
    reversiones.revertir(
        analisis=Analisis.objects.get(), actor=personas()["verificador"], motivo=motivo.codigo, texto="salió positivo"
    )
    assert "salió positivo" not in abrir(client, "inspector", expediente).content.decode()
    assert "salió positivo" in abrir(client, "director", expediente).content.decode()


def test_documentos_con_descarga_y_verificacion(client):
    expediente = crear_caso("con_riv").expediente
    texto = abrir(client, "inspector", expediente).content.decode()
    for documento in expediente.documentos.all():
        assert f"/documentos/{documento.cvd}/" in texto
        assert f"/verificar/{documento.cvd}/" in texto
    assert "cerrado y firmado automáticamente" in texto
    assert f'<a href="{reverse("regla_publica", args=[1])}">regla v1</a>' in texto


def test_avisos_con_su_suerte(client):
    expediente = crear_expediente()
    Notificacion.objects.update(estado="fallida", error="El servidor de correo respondió 550.")
    texto = abrir(client, "inspector", expediente).content.decode()
    assert "▲ fallida" in texto
    assert "El servidor de correo respondió 550." in texto


def test_un_acto_registrado_tarde_lo_dice(client):
    expediente = crear_expediente("programado")
    services.inspeccionar(
        partida=expediente.partidas.get(), actor=personas()["inspector"], documentaria="conforme",
        identidad="conforme", fisica="conforme", ocurrio_en=reloj.ahora() - timedelta(hours=5),
    )  # fmt: skip
    assert "Registrado 5 h después" in abrir(client, "inspector", expediente).context["bitacora"][0]["detalle"]


def test_lo_que_escribe_la_gente_sale_escapado(client):
    expediente = crear_expediente(lugar="<script>alert(1)</script>")
    texto = abrir(client, "inspector", expediente).content.decode()
    assert "<script>alert" not in texto
    assert "&lt;script&gt;alert" in texto


def test_las_consultas_no_crecen_con_partidas_ni_bitacora(client):
    una, tres = crear_expediente("resultado_emitido"), crear_expediente("resultado_emitido", partidas=3)
    abrir(client, "inspector", una)
    with CaptureQueriesContext(connection) as de_una:
        client.get(f"/expedientes/{una.numero}/")
    with CaptureQueriesContext(connection) as de_tres:
        client.get(f"/expedientes/{tres.numero}/")
    assert len(de_una) == len(de_tres)


# ── Whose time ────────────────────────────────────────────────────────────────────────────────────


def evento(objeto, pk, accion, a, horas):
    cuando = timezone.now().replace(microsecond=0) + timedelta(hours=horas)
    return Evento(objeto=objeto, objeto_id=pk, accion=accion, a=a, ocurrio_en=cuando)


def test_tramos_reparte_el_tiempo_sin_perder_ni_un_minuto():
    eventos = [
        evento("expediente", 1, "registrar", "registrado", 0),
        evento("partida", 1, "inspeccionar", "en_inspeccion", 3),
        evento("partida", 1, "enviar", "en_laboratorio", 5),
        evento("muestra", 9, "enviar", "enviada", 5),
        evento("muestra", 9, "recibir", "recibida", 7),
        evento("partida", 1, "emitir", "resultado_emitido", 30),
        evento("partida", 1, "dictaminar", "dictaminado", 40),
        evento("partida", 1, "ordenar_medida", "en_medida", 41),
        evento("partida", 1, "cumplir_medida", "dictaminado", 60),
        evento("expediente", 1, "cerrar", "cerrado", 61),
    ]
    vida = tiempos.tramos(eventos, [1], timezone.now() + timedelta(days=30))
    horas = {}
    for tramo in vida:
        horas[tramo.quien] = horas.get(tramo.quien, 0) + (tramo.hasta - tramo.desde).total_seconds() / 3600
    assert horas == {"Puesto": 5 + 10 + 1 + 1, "Traslado": 2, "Laboratorio": 23, "Importador": 19}
    assert sum(horas.values()) == 61
    assert pagina.reparto(vida)["total"] == "2 d 13 h"


def test_tramos_sigue_a_la_partida_mas_lenta():
    eventos = [
        evento("expediente", 1, "registrar", "registrado", 0),
        evento("partida", 1, "inspeccionar", "en_inspeccion", 1),
        evento("partida", 2, "inspeccionar", "en_inspeccion", 4),
    ]
    vida = tiempos.tramos(eventos, [1, 2], eventos[-1].ocurrio_en + timedelta(hours=1))
    assert [(tramo.estado, (tramo.hasta - tramo.desde).seconds // 3600) for tramo in vida] == [
        ("registrado", 4), ("en_inspeccion", 1),
    ]  # fmt: skip


def test_un_enlace_reenviado_no_echa_a_andar_el_reloj_de_un_observado():
    caso = crear_caso("registrado")
    recorrido.observar(caso)
    services.reenviar_enlace(expediente=caso.expediente, actor=personas()["mesa"])
    eventos = list(caso.expediente.bitacora.order_by("ocurrio_en", "n"))
    vida = tiempos.tramos(eventos, [caso.partidas[0].pk], reloj.ahora())
    assert (eventos[-1].accion, vida[-1].quien) == ("reenviar_enlace", "Importador")


def test_la_tira_dice_que_etapas_no_hicieron_falta():
    expediente = crear_caso("en_inspeccion").expediente
    motivo = Motivo.objects.filter(accion="dictaminar_sin_muestra").first()
    services.dictaminar_sin_muestra(
        partida=expediente.partidas.get(), actor=personas()["inspector"], decision="rechazo", motivo=motivo.codigo,
        texto="Sin certificado.",
    )  # fmt: skip
    expediente.refresh_from_db()
    eventos = list(expediente.bitacora.order_by("ocurrio_en", "n"))
    ahora = reloj.ahora()
    vida = tiempos.tramos(eventos, [expediente.partidas.get().pk], ahora)
    etapas = {etapa["nombre"]: etapa for etapa in pagina.tira_de_etapas(expediente, vida, ahora)}
    assert etapas["Laboratorio"]["nota"] == "no hizo falta"
    assert (etapas["Dictamen"]["situacion"], etapas["Cierre"]["situacion"]) == ("actual", "pendiente")


@pytest.mark.parametrize(
    ("paso", "esperado"),
    {
        "registrado": ["actual", "pendiente", "pendiente", "pendiente", "pendiente", "pendiente"],
        "resultado_emitido": ["hecha", "hecha", "hecha", "actual", "pendiente", "pendiente"],
        "con_riv": ["hecha", "hecha", "hecha", "hecha", "actual", "pendiente"],
        "en_medida": ["hecha", "hecha", "hecha", "hecha", "hecha", "actual", "pendiente"],
        "medida_cumplida": ["hecha", "hecha", "hecha", "hecha", "hecha", "hecha", "actual"],
        "cerrado": ["hecha", "hecha", "hecha", "hecha", "hecha", "hecha", "hecha"],
    }.items(),
)
def test_la_tira_en_cada_paso(client, paso, esperado):
    expediente = crear_caso(paso, decision="rechazo").expediente
    etapas = abrir(client, "inspector", expediente).context["etapas"]
    assert [etapa["situacion"] for etapa in etapas] == esperado
    assert [etapa["nombre"] for etapa in etapas][4:-1] == (
        ["Dictamen"] if len(esperado) == 6 else ["Dictamen", "Medida"]
    )


@pytest.mark.parametrize(("correo", "aviso"), [("importador0@empresa.example", False), ("otro@ajeno.example", True)])
def test_una_solicitud_del_importador_dice_quien_la_presento(client: Client, correo: str, aviso: bool) -> None:
    gente = personas()
    expediente = casos.registrar(
        actor=None, solicitante=correo, puesto=Puesto.objects.get(codigo="PCM"), importador=crear_importador(),
        partidas=[partida_nueva()],
        datos={"pfi": "P-1", "certificado": "C-1", "pais_exportacion_id": "CL", "transporte": "contenedor"},
    )  # fmt: skip
    client.force_login(gente["inspector"])
    pagina = client.get(reverse("expediente", args=[expediente.numero])).content.decode()
    assert correo in pagina
    assert ("confírmela con el titular" in pagina) == aviso

"""Manifests: one car, whatever the lines; checked off with an outcome for each sample; what does not arrive alerts."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from expedientes.models import Evento
from laboratorio import recepcion, services
from laboratorio.models import Conciliacion, Despacho, Muestra
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.transicion import DatoInvalido, EstadoImpide
from tests.builders import crear_caso
from tests.laboratorio.test_muestras import url

pytestmark = pytest.mark.django_db


def enviar(caso, navegador, **datos):
    """The line sent by its page."""
    pagina = url("partida_enviar", caso)
    form = navegador.get(pagina).context["form"]
    respuesta = navegador.post(
        pagina, {"ensayos": form["ensayos"].initial, "despacho": form["despacho"].initial, **datos}
    )
    assert respuesta.status_code == 302
    return Muestra.objects.get(expediente=caso.expediente).solicitud.despacho


def en_un_manifiesto(cuantas):
    caso = crear_caso("muestreado", partidas=cuantas)
    despacho = None
    for partida in caso.partidas:
        ensayos = [(uno.metodo, uno.plaga) for uno in services.requisitos_de(partida)]
        despacho = services.enviar(partida=partida, actor=caso.inspector, ensayos=ensayos, despacho=despacho).despacho
    return despacho, list(Muestra.objects.filter(expediente=caso.expediente))


def fila(muestra, **datos):
    """What the row of `muestra` sends."""
    todo = {"llego": "on", "condicion": "buena", "cantidad_recibida": "1", **datos}
    return {f"m{muestra.pk}-{campo}": valor for campo, valor in todo.items() if valor}


def test_lines_sent_one_after_the_other_travel_on_one_manifest(entrar):
    casos = [crear_caso("muestreado") for _n in range(3)]
    inspector = entrar("inspector")
    primero = enviar(casos[0], inspector, transporte="Camioneta 3")
    assert primero.numero.startswith("DM-")
    assert enviar(casos[1], inspector) == primero  # offered by itself
    assert enviar(casos[2], inspector, despacho="") != primero  # unless another is asked for
    assert Muestra.objects.get(expediente=casos[1].expediente).solicitud.transporte == "Camioneta 3"
    enviados = Evento.objects.filter(objeto="muestra", accion="enviar")
    assert [evento.datos["despacho"] for evento in enviados.order_by("pk")][:2] == [primero.numero] * 2


def test_a_manifest_that_left_long_ago_arrived_or_is_of_another_post_takes_no_more(gente):
    caso, otro = crear_caso("en_laboratorio"), crear_caso("muestreado")
    del_aire = crear_caso("muestreado", puesto="PCA")
    despacho = Despacho.objects.get()  # five days old
    ensayos = [(uno.metodo, uno.plaga) for uno in services.requisitos_de(otro.partidas[0])]
    for partida in (otro.partidas[0], del_aire.partidas[0]):
        with pytest.raises(DatoInvalido, match="ya no admite"):
            services.enviar(partida=partida, actor=caso.inspector, ensayos=ensayos, despacho=despacho)


def test_the_manifest_travels_as_a_pdf_and_never_names_the_importer(entrar):
    caso = crear_caso("en_laboratorio")
    despacho = Despacho.objects.get()
    for quien in ("inspector", "recepcion", "director"):
        assert entrar(quien).get(reverse("despacho_pdf", args=[despacho.numero])).content.startswith(b"%PDF-")
    assert entrar("inspector.aereo").get(reverse("despacho", args=[despacho.numero])).status_code == 404
    pagina = entrar("recepcion").get(reverse("despacho", args=[despacho.numero])).content.decode()
    assert caso.expediente.importador.nombre not in pagina
    assert caso.expediente.numero not in pagina


def test_checking_off_receives_what_came_and_notes_what_did_not(entrar):
    caso = crear_caso("muestreado", partidas=2)
    primera, segunda = Muestra.objects.filter(expediente=caso.expediente)
    with reloj.fijado(reloj.ahora() - timedelta(hours=2)):
        despacho = None
        for partida in caso.partidas:
            ensayos = [(uno.metodo, uno.plaga) for uno in services.requisitos_de(partida)]
            solicitud = services.enviar(partida=partida, actor=caso.inspector, ensayos=ensayos, despacho=despacho)
            despacho = solicitud.despacho
    pagina = reverse("despacho", args=[despacho.numero])
    navegador = entrar("recepcion")
    malo = navegador.post(pagina, fila(primera, condicion="con_observaciones"))
    assert malo.status_code == 422
    assert "Escriba qué observó" in malo.content.decode()
    assert "checked" in malo.content.decode()  # nothing that was marked is lost
    assert entrar("director").post(pagina, fila(primera)).status_code == 403
    respuesta = navegador.post(pagina, fila(primera, cantidad_recibida="0.75", conservacion_al_llegar="ambiente"))
    assert respuesta.status_code == 302
    primera.refresh_from_db()
    assert (primera.estado, str(primera.cantidad_recibida), primera.cadena_rota) == ("recibida", "0.750", True)
    desenlaces = {c.muestra_id: c.desenlace for c in Conciliacion.objects.all()}
    assert desenlaces == {primera.pk: "llego", segunda.pk: "falto"}
    assert Evento.objects.get(accion="falto_al_conciliar").objeto_id == segunda.pk
    assert "no llegó" in navegador.get(pagina).content.decode()
    assert navegador.post(pagina, fila(segunda)).status_code == 409
    # What comes later is received all the same, and the manifest still says what was found.
    services.recibir(muestra=segunda, actor=caso.personas["recepcion"], condicion="buena", cantidad_recibida=1)
    assert "llegó después" in navegador.get(pagina).content.decode()
    for sentencia in (
        "UPDATE laboratorio_conciliacion SET desenlace = 'llego'",
        "DELETE FROM laboratorio_conciliacion",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sentencia)


def test_the_last_box_of_a_manifest_closes_it(gente):
    despacho, (una, otra, perdida) = en_un_manifiesto(3)
    llego = {"actor": gente["recepcion"], "condicion": "buena", "cantidad_recibida": 1}
    services.recibir(muestra=una, **llego)
    services.perder(muestra=perdida, actor=gente["recepcion"], motivo="no-llego", texto="No estaba en la caja.")
    despacho.refresh_from_db()
    assert despacho.conciliado_en is None
    services.recibir(muestra=otra, **llego)
    despacho.refresh_from_db()
    assert despacho.conciliado_por == gente["recepcion"]
    assert dict(Conciliacion.objects.values_list("muestra", "desenlace")) == {
        una.pk: "llego", otra.pk: "llego", perdida.pk: "perdida",
    }  # fmt: skip
    with pytest.raises(EstadoImpide, match="ya está conciliado"):
        recepcion.conciliar(despacho=despacho, actor=gente["recepcion"], llegadas=[])


def test_one_that_somebody_else_received_meanwhile_is_left_out_by_itself(gente):
    despacho, (muestra, falta) = en_un_manifiesto(2)
    llegada = recepcion.Llegada(muestra, "buena", muestra.cantidad, "")
    services.recibir(muestra=muestra, actor=gente["recepcion"], condicion="buena", cantidad_recibida=1)
    fuera = recepcion.conciliar(despacho=despacho, actor=gente["recepcion"], llegadas=[llegada])
    assert [linea.partition(":")[0] for linea in fuera] == [muestra.numero]
    assert dict(Conciliacion.objects.values_list("muestra", "desenlace")) == {muestra.pk: "llego", falta.pk: "falto"}


def test_what_does_not_arrive_alerts_both_sides_once(entrar):
    caso = crear_caso("en_laboratorio", partidas=2)  # five days ago
    reciente = crear_caso("en_laboratorio", hace=timedelta(hours=10))
    assert recepcion.barrer_demoras() == 2
    assert recepcion.barrer_demoras() == 0
    assert not Muestra.objects.get(expediente=reciente.expediente).demora_avisada_en
    avisos = Notificacion.objects.filter(aviso="demora_de_muestras")
    suyos = {"recepcion@senasa.example", "inspector@senasa.example", "jefe@senasa.example"}
    assert set(avisos.values_list("correo", flat=True)) == suyos
    for aviso in avisos:
        for callado in (caso.expediente.importador.nombre, caso.expediente.numero):
            assert callado not in aviso.texto + aviso.html + aviso.asunto
    primera, segunda = Muestra.objects.filter(expediente=caso.expediente)
    paginas = {quien: entrar(quien) for quien in ("inspector", "recepcion")}
    lugares = {"inspector": "muelle", "recepcion": "recepcion"}
    assert all("no han llegado" in paginas[quien].get(reverse(lugares[quien])).content.decode() for quien in paginas)
    assert (
        "no ha llegado"
        in paginas["inspector"].get(reverse("expediente", args=[caso.expediente.numero])).content.decode()
    )
    services.recibir(muestra=primera, actor=caso.personas["recepcion"], condicion="buena", cantidad_recibida=1)
    services.perder(muestra=segunda, actor=caso.personas["recepcion"], motivo="no-llego", texto="No vino.")
    assert not any(
        "no han llegado" in paginas[quien].get(reverse(lugares[quien])).content.decode() for quien in paginas
    )


def test_the_list_of_what_comes_has_perishable_first_and_a_constant_number_of_queries(
    entrar, django_assert_max_num_queries
):
    crear_caso("en_laboratorio", producto="trigo", origen="CA")
    for _n in range(3):
        crear_caso("en_laboratorio")
    navegador = entrar("recepcion")
    with django_assert_max_num_queries(25):
        respuesta = navegador.get(reverse("despachos"))
    despachos = list(respuesta.context["despachos"])
    assert [despacho.perecible for despacho in despachos] == [True, True, True, False]
    with django_assert_max_num_queries(25):
        navegador.get(reverse("despacho", args=[despachos[0].numero]))

"""The page of notices: who sees which, the mail as it was sent, sending it again, and the digest of what is lost."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from expedientes import entregas, services, tasks
from expedientes.models import AgenteAduana, Evento
from expedientes.textos import Audiencia
from notificaciones import enlaces
from notificaciones import services as salida
from notificaciones.models import Enlace, Notificacion
from senasa import reloj
from senasa.models import Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import crear_caso, crear_importador, personas
from tests.conftest import Buzon

pytestmark = pytest.mark.django_db
E = Notificacion.Estado


def perder(caso: Any, estado: str = E.REBOTADA, **campos: Any) -> Notificacion:
    """The first notice of a case, come back."""
    primera = Notificacion.objects.filter(referencia=caso.expediente.referencia).earliest("pk")
    ahora = timezone.now()
    valores = {"enviada_en": ahora, "rebotada_en": ahora, "creada_en": ahora} | campos
    Notificacion.objects.filter(pk=primera.pk).update(
        estado=estado, intentos=1, error="Devuelto: la dirección no existe (5.1.1).", **valores
    )
    primera.refresh_from_db()
    return primera


def abrir(client: Client, quien: str, url: str = "/avisos/", **consulta: Any) -> Any:
    client.force_login(personas()[quien])
    return client.get(url, consulta)


def vistos(pagina: Any) -> set[str]:
    return {fila.numero for fila in pagina.context["avisos"]}


def test_cada_quien_ve_los_de_sus_expedientes(client: Client) -> None:
    mar, aire = crear_caso(), crear_caso(puesto="PCA", importador=crear_importador(1))
    perdida = perder(aire)
    de_mar, de_aire = mar.expediente.numero, aire.expediente.numero
    for quien, ve in (
        ("inspector", {de_mar}), ("inspector.aereo", {de_aire}), ("jefe", {de_mar, de_aire}),
        ("atencion", {de_mar, de_aire}), ("direccion", {de_mar, de_aire}),
    ):  # fmt: skip
        assert vistos(abrir(client, quien)) == ve, quien
        estado = 200 if de_aire in ve else 404
        assert abrir(client, quien, reverse("aviso", args=[perdida.pk])).status_code == estado
    assert abrir(client, "inspector").context["por_reparar"] == 0
    assert abrir(client, "jefe").context["por_reparar"] == 1
    for quien in ("analista", "recepcion"):
        assert abrir(client, quien).status_code == 403
    # Neither codes nor drafts nor what goes to the staff: no case, nobody to show them to.
    salida.encolar(
        clave="x", correo="x@empresa.example", asunto="x", texto="x", html="x", aviso="codigo", referencia="borrador:1"
    )
    assert vistos(abrir(client, "admin", dias=366)) == {de_mar, de_aire}


def test_contar_y_filtrar(client: Client) -> None:
    uno, dos = crear_caso("programado"), crear_caso(importador=crear_importador(1))
    perder(uno)
    perder(dos, E.FALLIDA, reparada_en=timezone.now())
    pagina = abrir(client, "jefe", dias=30)
    tira = {c["texto"]: c["numero"] for c in pagina.context["contadores"]}
    todas = Notificacion.objects.count()
    assert tira == {
        "Por reparar": 1, "Pendientes": todas - 2, "Enviadas": 0, "Entregadas": 0, "Rebotadas": 1, "Fallidas": 1,
        "Canceladas": 0,
    }  # fmt: skip
    for contador in pagina.context["contadores"]:
        assert (
            abrir(client, "jefe", f"/avisos/{contador['url']}").context["page_obj"].paginator.count
            == contador["numero"]
        )
    assert vistos(abrir(client, "jefe", estado="por_reparar")) == {uno.expediente.numero}
    assert vistos(abrir(client, "jefe", q=dos.expediente.numero.lower())) == {dos.expediente.numero}
    assert vistos(abrir(client, "jefe", q="Importador1@empresa.example")) == {dos.expediente.numero}
    assert vistos(abrir(client, "jefe", q="importador0")) == {uno.expediente.numero}
    # Found whenever it was, by its whole number or address; by a piece, within the days.
    Notificacion.objects.update(creada_en=timezone.now() - timedelta(days=100))
    assert vistos(abrir(client, "jefe", q=dos.expediente.numero)) == {dos.expediente.numero}
    assert vistos(abrir(client, "jefe", q="importador0", dias=90)) == set()
    assert vistos(abrir(client, "jefe", q="importador0", dias=366)) == {uno.expediente.numero}
    for raro in (
        {"dias": "x"},
        {"dias": "-1"},
        {"estado": "x"},
        {"page": "x"},
        {"q": "\x00'%"},
        {"q": "PCM-2026-999999"},
    ):
        assert abrir(client, "jefe", **raro).status_code == 200


def test_las_mismas_consultas_con_uno_y_con_treinta(client: Client) -> None:
    def contar() -> int:
        client.force_login(personas()["jefe"])
        with CaptureQueriesContext(
            connection,
        ) as consultas:
            assert client.get("/avisos/").status_code == 200
        return len(consultas)

    casos = [crear_caso()]
    perder(casos[0])
    contar()
    antes = contar()
    modelo = Notificacion.objects.earliest("pk")
    otros = [crear_caso(importador=crear_importador(1)) for _n in range(3)]
    Notificacion.objects.bulk_create(
        Notificacion(
            clave=f"k{n}", aviso="registrada", correo=modelo.correo, asunto="x", texto="x", html="x", estado=E.FALLIDA,
            referencia=otros[n % 3].expediente.referencia, creada_en=timezone.now(), limite_en=timezone.now(),
            proximo_intento_en=timezone.now(), message_id=f"<k{n}@x>",
        )
        for n in range(30)
    )  # fmt: skip
    assert contar() == antes


def test_el_correo_tal_como_salio_sin_su_enlace(client: Client) -> None:
    caso = crear_caso(importador=crear_importador(nombre="Ajos <b>S.A.</b>"))
    perdida = perder(caso)
    pagina = abrir(client, "mesa", reverse("aviso", args=[perdida.pk])).content.decode()
    assert perdida.asunto in pagina
    assert "aquí va el enlace personal" in pagina
    assert "%ENLACE%" not in pagina
    assert enlaces.token(perdida.enlace) not in pagina
    assert "<b>S.A." not in pagina
    assert "la dirección no existe (5.1.1)" in pagina
    assert "Corregir correo" in pagina
    assert "Reenviar" not in abrir(client, "direccion", reverse("aviso", args=[perdida.pk])).content.decode()


def test_reenviar_una_vez_por_mas_que_se_pulse(client: Client, servidor_smtp: Buzon) -> None:
    caso = crear_caso()
    salida.despachar()
    perdida = perder(caso)
    url, volver = reverse("aviso_reenviar", args=[perdida.pk]), f"/expedientes/{caso.expediente.numero}/"
    client.force_login(personas()["mesa"])
    assert client.get(url).status_code == 405
    eventos = Evento.objects.count()
    for _vez in range(2):
        assert client.post(url, {"volver": volver}).url == volver
    assert client.post(url, {"volver": "https://otro.example/"}).url == reverse("aviso", args=[perdida.pk])
    (nueva,) = Notificacion.objects.filter(reenvio_de=perdida)
    perdida.refresh_from_db()
    assert Evento.objects.count() == eventos + 1
    assert (nueva.correo, nueva.asunto, nueva.evento_id) == (perdida.correo, perdida.asunto, perdida.evento_id)
    assert nueva.message_id != perdida.message_id
    assert perdida.reparada_en
    assert perdida.estado == E.REBOTADA  # what became of it stays told
    salida.despachar()
    assert len(servidor_smtp.mensajes) == 2
    assert enlaces.url(nueva.enlace) in servidor_smtp.mensajes[1].get_body(("plain",)).get_content()
    # The new one can be sent again in its turn; one that has not gone out cannot.
    otra = entregas.reenviar_aviso(notificacion=nueva, actor=personas()["mesa"])
    with pytest.raises(EstadoImpide):
        entregas.reenviar_aviso(notificacion=otra, actor=personas()["mesa"])
    with pytest.raises(RolImpide):
        entregas.reenviar_aviso(notificacion=otra, actor=personas()["direccion"])
    pagina = abrir(client, "mesa", reverse("expediente", args=[caso.expediente.numero]))
    assert "Atendido: se reenvió." in pagina.content.decode()


def test_corregir_y_reenviar_el_enlace_viejo_muere(client: Client, servidor_smtp: Buzon) -> None:
    agente = AgenteAduana.objects.create(
        tipo_documento="ruc", numero_documento="20999900021", nombre="Agencia", correo="agencia@aduana.example"
    )
    caso = crear_caso(agente=agente)
    salida.despachar()
    perdida = perder(caso)
    viejo = enlaces.token(perdida.enlace)
    pagina = abrir(client, "mesa", reverse("expediente", args=[caso.expediente.numero])).content.decode()
    assert reverse("aviso_reenviar", args=[perdida.pk]) in pagina
    services.corregir_correo(expediente=caso.expediente, actor=personas()["mesa"], correo="bien@empresa.example")
    perdida.refresh_from_db()
    assert perdida.reparada_en
    assert enlaces.abrir(viejo) is None
    assert not entregas.por_reparar(entregas.de_casos()).exists()
    # Sent again, it goes to the address of now, with the link of that address.
    nueva = entregas.reenviar_aviso(notificacion=perdida, actor=personas()["mesa"])
    assert nueva.correo == "bien@empresa.example"
    assert nueva.enlace == Enlace.objects.get(correo="bien@empresa.example")
    # What was told without a link goes to whom it was told, and gives nobody a link.
    suelta = Notificacion.objects.filter(correo="agencia@aduana.example").earliest("pk")
    Notificacion.objects.filter(pk=suelta.pk).update(enlace=None, correo="antes@aduana.example", estado=E.REBOTADA)
    otra = entregas.reenviar_aviso(notificacion=suelta, actor=personas()["mesa"])
    assert (otra.correo, otra.enlace) == ("antes@aduana.example", None)


def test_el_correo_del_agente_se_corrige_donde_rebota(client: Client, servidor_smtp: Buzon) -> None:
    agente = AgenteAduana.objects.create(
        tipo_documento="ruc", numero_documento="20999900021", nombre="Agencia", correo="Mal@aduana.example"
    )
    caso, otro, sin_agente = crear_caso(agente=agente), crear_caso(agente=agente), crear_caso()
    salida.despachar()
    suya = Notificacion.objects.get(correo="mal@aduana.example", referencia=caso.expediente.referencia)
    del_importador = Notificacion.objects.get(
        correo=caso.expediente.importador.correo, referencia=caso.expediente.referencia
    )
    for una in (suya, del_importador):
        Notificacion.objects.filter(pk=una.pk).update(estado=E.REBOTADA, rebotada_en=timezone.now())
    corregir = reverse("atencion_corregir_correo", args=[caso.expediente.numero])
    for una, de in ((suya, "agente"), (del_importador, "importador")):
        pagina = abrir(client, "mesa", reverse("aviso", args=[una.pk])).content.decode()
        assert f"{corregir}?de={de}" in pagina
    assert re.search(r'value="agente"[^>]*checked', client.get(corregir, {"de": "agente"}).content.decode())

    servidor_smtp.mensajes.clear()
    assert client.post(corregir, {"de": "agente", "correo": "no es"}).status_code == 422
    assert client.post(corregir, {"de": "agente", "correo": "Bien@aduana.example"}).status_code == 302
    agente.refresh_from_db()
    caso.expediente.importador.refresh_from_db()
    assert (agente.correo, caso.expediente.importador.correo) == ("bien@aduana.example", "importador0@empresa.example")
    # The old links die in all his cases; the importer's live on.
    assert enlaces.abrir(enlaces.token(suya.enlace)) is None
    vivos = Enlace.objects.filter(revocado_en=None, referencia__in=[c.expediente.referencia for c in (caso, otro)])
    assert sorted(vivos.values_list("correo", flat=True)) == 2 * ["bien@aduana.example"] + 2 * [
        "importador0@empresa.example"
    ]
    assert list(entregas.por_reparar(entregas.de_casos())) == [del_importador]
    salida.despachar()
    assert [(m["To"], m["Subject"].partition(": ")[2]) for m in servidor_smtp.mensajes] == 2 * [
        ("bien@aduana.example", "Este es ahora el correo del expediente")
    ]
    # Sent again, what was written to the broker goes to the broker.
    nueva = entregas.reenviar_aviso(notificacion=suya, actor=personas()["mesa"])
    assert (nueva.correo, nueva.enlace.correo) == ("bien@aduana.example", "bien@aduana.example")
    assert caso.expediente.importador.nombre in nueva.texto

    solo = reverse("atencion_corregir_correo", args=[sin_agente.expediente.numero])
    assert 'name="de"' not in client.get(solo).content.decode()
    with pytest.raises(DatoInvalido):
        services.corregir_correo(
            expediente=sin_agente.expediente, actor=personas()["mesa"], correo="x@y.example", de=Audiencia.AGENTE
        )


def test_resumen_diario_a_quien_puede_arreglarlo(servidor_smtp: Buzon) -> None:
    hoy = timezone.make_aware(datetime.combine(timezone.localdate(), datetime.min.time()))
    escritos = Notificacion.objects.filter(aviso="avisos_perdidos")

    def a_las(hora: float) -> dict[str, str]:
        escritos.delete() if hora < 8 else None
        with reloj.fijado(hoy + timedelta(hours=hora)):
            tasks.avisar_perdidas()
        return dict(escritos.values_list("correo", "asunto"))

    mar, aire = crear_caso(), crear_caso(puesto="PCA", importador=crear_importador(1))
    assert a_las(7.5) == {}  # nothing failed, nothing is said
    en_la_noche = {"creada_en": hoy, "enviada_en": hoy, "rebotada_en": hoy}
    perder(mar, **en_la_noche)
    perder(aire, E.FALLIDA, **en_la_noche)
    assert a_las(6.9) == {}
    solo_mar = Usuario.objects.create(username="mesa.mar", email="mesa.mar@senasa.example", roles=["mesa_de_partes"])
    solo_mar.puestos.set(mar.expediente.importador.expedientes.values_list("puesto", flat=True))
    dos, uno = "2 avisos no llegaron a sus importadores", "Un aviso no llegó a su importador"
    quienes = {f"{quien}@senasa.example": dos for quien in ("mesa", "jefe", "atencion")}
    assert a_las(7.1) == quienes | {"mesa.mar@senasa.example": uno}
    assert a_las(9) == a_las(15) == quienes | {"mesa.mar@senasa.example": uno}  # once a day
    assert escritos.count() == 4
    texto = " ".join(escritos.get(correo="mesa.mar@senasa.example").texto.split())
    assert mar.expediente.numero in texto
    assert aire.expediente.numero not in texto
    assert "la dirección no existe (5.1.1)" in texto
    assert mar.expediente.importador.correo not in texto
    assert "/avisos/?estado=por_reparar" in texto
    # The next day it is said again while nobody has seen to it, and no more once somebody has.
    with reloj.fijado(hoy + timedelta(days=1, hours=8)):
        tasks.avisar_perdidas()
    assert escritos.count() == 8
    for una in entregas.por_reparar(entregas.de_casos()):
        entregas.reenviar_aviso(notificacion=una, actor=personas()["atencion"])
    with reloj.fijado(hoy + timedelta(days=2, hours=8)):
        tasks.avisar_perdidas()
    assert escritos.count() == 8

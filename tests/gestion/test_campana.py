"""The bell: who is told of what, once, inside the system; and what reading a report leaves behind."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from expedientes import asignacion, incidencias, services
from expedientes.models import Documento, Lectura
from laboratorio import recorrido
from notificaciones import internos
from notificaciones.models import AvisoInterno, Notificacion
from senasa import reloj
from senasa.models import Usuario
from tests.builders import avanzar_hasta, crear_caso

pytestmark = pytest.mark.django_db


def campana(usuario: str) -> list[str]:
    return [aviso.aviso for aviso in internos.sin_leer(Usuario.objects.get(username=usuario))]


def otro_inspector() -> Usuario:
    uno = Usuario.objects.get(username="inspector")
    otro = Usuario.objects.create(
        username="inspector2", first_name="Ruth", last_name="Otra", email="i2@senasa.example", roles=["inspector"]
    )
    otro.puestos.set(uno.puestos.all())
    return otro


def test_a_report_tells_the_post_and_a_positive_the_director_but_never_before_it_is_out(certificado):
    otro_inspector()
    negativo = crear_caso("verificado")
    positivo = crear_caso("verificado", valor="positivo")
    assert campana("inspector") == campana("director") == []
    avanzar_hasta(negativo, "resultado_emitido")
    assert campana("inspector") == campana("inspector2") == ["informe_para_dictaminar"]
    assert campana("director") == campana("inspector.aereo") == []
    avanzar_hasta(positivo, "resultado_emitido")
    assert campana("director") == ["informe_positivo"]
    assert len(campana("inspector")) == 2
    # Of the two only the positive is also written, to the director alone.
    escritos = Notificacion.objects.filter(aviso__in=["informe_para_dictaminar", "informe_positivo"])
    assert [uno.correo for uno in escritos] == ["director@senasa.example"]
    # The same act told again tells nobody again.
    informe = Documento.objects.get(expediente=positivo.expediente, tipo="informe")
    recorrido.firmas._avisar_al_personal(informe, positivo.partidas[0])
    assert (AvisoInterno.objects.count(), escritos.count()) == (5, 1)


def test_news_of_a_case_go_to_its_inspector_and_to_whoever_covers_for_him(certificado):
    suplente = otro_inspector()
    caso = crear_caso("en_laboratorio")
    inspector, jefe = caso.inspector, caso.personas["jefe"]
    asignacion.asignar(expediente=caso.expediente, actor=jefe, inspector=inspector)
    recorrido.rechazar(caso)
    assert campana("inspector") == ["muestra_sin_efecto"]
    assert campana("inspector2") == campana("jefe") == []
    asignacion.anotar_ausencia(
        ausente=inspector, cubre=suplente, desde=reloj.ahora().date(), hasta=reloj.ahora().date() + timedelta(days=1),
        causa="Vacaciones.", actor=jefe,
    )  # fmt: skip
    caso.expediente.refresh_from_db()
    recorrido.observar(caso)
    incidencias.responder(expediente=caso.expediente, actor=None, respuesta="Aquí va.")
    assert campana("inspector2") == ["observacion_respondida"]
    assert campana("inspector") == ["observacion_respondida", "muestra_sin_efecto"]


def test_the_bell_is_read_by_post_one_or_all_and_by_nobody_else(entrar, certificado, django_assert_num_queries):
    for n in range(3):
        crear_caso("resultado_emitido", hace=timedelta(days=9 - n))
    navegador, inspector = entrar("inspector"), Usuario.objects.get(username="inspector")
    pagina = navegador.get(reverse("mis_avisos")).content.decode()
    assert '<span class="cuenta">3</span>' in pagina
    assert pagina.count("● sin leer") == 3
    primero, segundo = internos.sin_leer(inspector)[:2]
    leer = reverse("aviso_interno_leer", args=[primero.pk])
    assert navegador.get(leer).status_code == 405
    assert entrar("jefe").post(leer).status_code == 404
    assert internos.sin_leer(inspector).count() == 3
    assert navegador.post(leer, {"abrir": "1"}).url == primero.url
    assert navegador.post(leer).url == reverse("mis_avisos")  # again: its hour stays
    primero.refresh_from_db()
    assert primero.leido_en is not None
    assert internos.de(inspector)[0] == segundo  # what is unread comes first
    hora = primero.leido_en
    assert navegador.post(reverse("mis_avisos_leer")).status_code == 302
    primero.refresh_from_db()
    assert (primero.leido_en, internos.sin_leer(inspector).count()) == (hora, 0)
    internos.deber([inspector] * 2, clave="x", aviso="x", titulo="x")
    with django_assert_num_queries(1):
        assert internos.sin_leer(inspector).count() == 1


def test_the_first_reading_of_a_report_is_noted_once_and_only_of_the_post(entrar, certificado):
    caso = crear_caso("resultado_emitido")
    informe = Documento.objects.get(expediente=caso.expediente, tipo="informe")
    documento = reverse("documento", args=[informe.cvd])
    dictaminar = reverse("partida_dictaminar", args=[caso.expediente.numero, 1])
    for quien in ("direccion", "director", "mesa"):
        assert entrar(quien).get(documento).status_code == 200
    assert not Lectura.objects.exists()
    navegador, pagina = entrar("inspector"), reverse("expediente", args=[caso.expediente.numero])
    assert "nadie del puesto lo ha leído" in navegador.get(pagina).content.decode()
    assert "informe_para_dictaminar" in campana("inspector")
    assert navegador.get(dictaminar).status_code == 200
    lectura = Lectura.objects.get()
    assert (lectura.documento, lectura.usuario) == (informe, caso.inspector)
    assert campana("inspector") == []  # it was told of nothing else
    navegador.get(documento)
    assert Lectura.objects.get() == lectura
    assert "leído por R. Inspectora" in navegador.get(pagina).content.decode()
    entrar("jefe").get(documento)
    assert Lectura.objects.count() == 2


def test_who_decides_has_read(certificado):
    caso = crear_caso("resultado_emitido")
    assert not Lectura.objects.exists()
    services.dictaminar(partida=caso.partidas[0], actor=caso.inspector, decision="ingreso", fundamento="Conforme.")
    assert Lectura.objects.get().usuario == caso.inspector


def test_the_bell_of_an_open_page_costs_a_304_until_something_comes(entrar, certificado):
    caso = crear_caso("en_laboratorio")
    navegador, url = entrar("inspector"), reverse("campana")
    pagina = navegador.get(reverse("mis_avisos")).content.decode()
    etag = re.search(r'hx-get="/mis-avisos/campana/".*?If-None-Match": "(.+?)"}', pagina)[1]
    etag = etag.encode().decode("unicode_escape")
    antes = internos.sin_leer(caso.inspector).count()
    assert navegador.get(url, headers={"if-none-match": etag}).status_code == 304
    avanzar_hasta(caso, "resultado_emitido")
    nueva = navegador.get(url, headers={"if-none-match": etag})
    assert f'<span class="cuenta">{antes + 1}</span>' in nueva.content.decode()
    assert 'hx-get="/mis-avisos/campana/"' in nueva.content.decode()  # and it goes on asking
    assert nueva["ETag"] != etag
    assert nueva["Cache-Control"] == "private, no-store"
    # When the session ends, nobody who still writes is led away from his page.
    navegador.logout()
    fuera = navegador.get(url, headers={"hx-request": "true"})
    assert (fuera.status_code, fuera.content, "hx-redirect" in fuera.headers) == (204, b"", False)

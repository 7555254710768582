"""A deputy has the director's acts within his dates, signs with his own certificate, and the report says so."""

from datetime import timedelta

import pytest
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from expedientes.lifecycle import permite
from laboratorio import certificados, firmas
from laboratorio.informes import contexto_informe
from laboratorio.lifecycle import INFORME, Accion
from laboratorio.models import EstadoInforme, Informe
from laboratorio.suplencias import nombrar, terminar
from senasa import reloj
from senasa.models import Suplencia, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db

HOY = timedelta(0)


def suplir(gente, *, desde=0, hasta=5, actor="director", **quienes):
    hoy = timezone.localdate()
    datos = {"titular": gente["director"], "suplente": gente["verificador"], **quienes}
    return nombrar(
        **datos, desde=hoy + timedelta(days=desde), hasta=hoy + timedelta(days=hasta), causa="Vacaciones.",
        actor=gente[actor],
    )  # fmt: skip


def otra_vez(usuario):
    return Usuario.objects.get(pk=usuario.pk)


@pytest.fixture
def informe(certificado):
    return Informe.objects.get(expediente=crear_caso("verificado", valor="positivo").expediente)


def test_en_sus_dias_tiene_los_actos_del_director_y_fuera_de_ellos_no(informe, gente, entrar):
    suplir(gente, desde=2, hasta=3)
    hoy = reloj.ahora()
    puede = {}
    for dia in (0, 2, 3, 4):
        with reloj.fijado(hoy + timedelta(days=dia)):
            vera = otra_vez(gente["verificador"])
            puede[dia] = (vera.tiene("director"), permite(informe, Accion.FIRMAR, vera, tabla=INFORME))
    assert puede == {0: (False, False), 2: (True, True), 3: (True, True), 4: (False, False)}


def test_firma_con_su_certificado_y_el_informe_lo_dice(informe, gente, entrar, client):
    suplir(gente)
    vera = entrar("verificador")
    assert "Firmas" in vera.get(reverse("verificacion")).content.decode()
    assert "por suplencia de Diana Directora" in vera.get(reverse("firmas")).content.decode()
    assert vera.post(reverse("informe_firmar", args=[informe.numero])).status_code == 302
    firmas.barrer_informes()
    informe.refresh_from_db()
    assert (informe.estado, "Vera Verificadora" in informe.falla) == (EstadoInforme.FIRMA_FALLIDA, True)
    certificados.dar_de_demostracion(gente["verificador"])
    with reloj.fijado(reloj.ahora() + firmas.REINTENTO):
        firmas.barrer_informes()
    informe.refresh_from_db()
    documento = informe.documento
    assert (documento.firma, documento.titular) == ("suplente", "Vera Verificadora (demostración)")
    assert informe.suplencia.titular == gente["director"]
    texto = client.get(reverse("verificar_cvd", args=[documento.cvd])).content.decode()
    assert "Firmado por el suplente del director" in texto
    assert "Vera Verificadora (demostración)" in texto


def test_el_pdf_nombra_a_quien_suple_y_a_quien(informe, gente):
    from django.template.loader import render_to_string

    from expedientes.firma import cargar_certificado

    suplencia = suplir(gente)
    informe.autoriza, informe.suplencia = gente["verificador"], suplencia
    contexto = contexto_informe(
        informe, version=1, cvd="AAAA", emitido_en=reloj.ahora(), certificado=cargar_certificado()
    )
    html = render_to_string("pdf/informe.html", contexto)
    assert "<b>Autoriza:</b> Vera Verificadora, por suplencia de Diana Directora (del " in html


def test_terminada_la_suplencia_lo_que_no_salio_espera_al_director(informe, gente):
    suplencia = suplir(gente)
    certificados.dar_de_demostracion(gente["verificador"])
    firmas.ordenar_firma(informe=informe, actor=otra_vez(gente["verificador"]))
    terminar(suplencia=suplencia, actor=gente["director"])
    firmas.barrer_informes()
    informe.refresh_from_db()
    assert (informe.estado, "La suplencia de Vera" in informe.falla) == (EstadoInforme.FIRMA_FALLIDA, True)
    firmas.ordenar_firma(informe=informe, actor=gente["director"])
    firmas.barrer_informes()
    informe.refresh_from_db()
    assert (informe.estado, informe.documento.firma, informe.suplencia) == (EstadoInforme.EMITIDO, "director", None)


@pytest.mark.parametrize("actor", ["verificador", "recepcion", "jefe", "direccion"])
def test_lo_nombra_el_director_o_el_administrador(gente, actor):
    with pytest.raises(RolImpide):
        suplir(gente, actor=actor)


def test_el_administrador_tambien_y_un_suplente_a_nadie(gente):
    suplencia = suplir(gente, actor="admin")
    vera = otra_vez(gente["verificador"])
    assert vera.tiene("director")
    with pytest.raises(RolImpide):
        nombrar(
            titular=vera,
            suplente=gente["analista"],
            desde=suplencia.desde,
            hasta=suplencia.hasta,
            causa="x",
            actor=vera,
        )
    with pytest.raises(RolImpide):
        terminar(suplencia=suplencia, actor=vera)


def test_lo_que_no_se_puede_nombrar(gente):
    for opciones in ({"desde": -1}, {"desde": 3, "hasta": 2}, {"suplente": gente["director"]},
                     {"suplente": gente["inspector"]}, {"titular": gente["analista"], "actor": "admin"}):  # fmt: skip
        with pytest.raises(DatoInvalido):
            suplir(gente, **opciones)
    suplencia = suplir(gente, desde=0, hasta=5)
    with pytest.raises(DatoInvalido):
        suplir(gente, desde=5, hasta=9, suplente=gente["analista"])
    terminar(suplencia=suplencia, actor=gente["director"])
    with pytest.raises(EstadoImpide):
        terminar(suplencia=suplencia, actor=gente["director"])
    suplir(gente, desde=5, hasta=9, suplente=gente["analista"])


def test_se_lista_se_termina_y_queda_en_el_historial(gente, entrar):
    director, hoy = entrar("director"), timezone.localdate()
    datos = {"titular": gente["director"].pk, "suplente": gente["verificador"].pk, "desde": hoy, "hasta": hoy,
             "causa": "Comisión."}  # fmt: skip
    assert director.post(reverse("suplencia_nueva"), {**datos, "hasta": "ayer"}).status_code == 422
    assert director.post(reverse("suplencia_nueva"), datos).url == reverse("suplencias")
    suplencia = Suplencia.objects.get()
    assert "sin certificado propio" in director.get(reverse("suplencias")).content.decode()
    assert entrar("admin").get(reverse("suplencias")).status_code == 200
    assert director.post(reverse("suplencia_terminar", args=[suplencia.pk])).url == reverse("suplencias")
    assert Suplencia.history.filter(id=suplencia.pk).count() == 2
    assert not otra_vez(gente["verificador"]).tiene("director")
    assert director.post(reverse("suplencia_terminar", args=[suplencia.pk])).status_code == 409


def test_saberlo_cuesta_una_consulta_por_persona_y_no_una_por_fila(informe, gente):
    from django.db import connection

    vera = otra_vez(gente["verificador"])
    with CaptureQueriesContext(connection) as hechas:
        for _fila in range(30):
            permite(informe, Accion.FIRMAR, vera, tabla=INFORME)
    assert len(hechas) == 1

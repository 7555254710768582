"""Who signs: the machine only over what is and always was negative, the director otherwise; never unsigned."""

from datetime import timedelta

import pytest
from django.core.files.storage import storages
from django.urls import reverse

from expedientes.models import Documento, Estado, Evento
from laboratorio import certificados, firmas, reglas, reversiones, services
from laboratorio.models import Analisis, EstadoAnalisis, EstadoInforme, Informe
from senasa import reloj
from senasa.transicion import EstadoImpide, RolImpide
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db

NUNCA = "Ningún resultado fue nunca positivo ni indeterminado"
MOTIVO = {"motivo": "dato-errado", "texto": "Se anotó la lectura de otra placa."}


def informe_de(caso):
    return Informe.objects.get(expediente=caso.expediente)


def firmar_ahora(informe, mas=timedelta(0)):
    with reloj.fijado(reloj.ahora() + mas):
        firmas.barrer_informes()
    informe.refresh_from_db()
    return informe


def no_cumple(informe):
    return [c["condicion"] for c in informe.condiciones if not c["cumple"]]


def test_all_negative_is_signed_by_the_machine_after_the_grace_time(certificado):
    informe = informe_de(crear_caso("verificado", hace=timedelta(hours=9)))
    cierre = Evento.objects.get(objeto="informe", accion="programar_firma").ocurrio_en
    assert informe.firmar_desde == pytest.approx(cierre + timedelta(minutes=30), abs=timedelta(seconds=5))
    with reloj.fijado(informe.firmar_desde - timedelta(seconds=1)):
        assert firmas.firmar_informe(informe_id=informe.pk) is None
    with reloj.fijado(informe.firmar_desde):
        documento = firmas.firmar_informe(informe_id=informe.pk)
    assert (documento.firma, documento.regla_version, documento.conclusion) == ("automatica", 1, "negativo")
    assert no_cumple(informe) == []
    assert len(informe.condiciones) >= 5
    assert firmas.firmar_informe(informe_id=informe.pk) is None
    assert Documento.objects.count() == 1


@pytest.mark.parametrize("valor", ["positivo", "indeterminado"])
def test_not_negative_waits_for_the_director(certificado, entrar, valor):
    caso = crear_caso("verificado", valor=valor)
    informe = firmar_ahora(informe_de(caso), timedelta(days=2))
    assert informe.estado == EstadoInforme.POR_FIRMAR
    assert NUNCA in no_cumple(informe)
    director = entrar("director")
    pagina = reverse("informe_firmar", args=[informe.numero])
    assert director.get(pagina).status_code == 200
    assert director.post(pagina).url == reverse("informe", args=[informe.numero])
    assert firmar_ahora(informe).estado == EstadoInforme.EMITIDO
    assert (informe.documento.firma, informe.documento.conclusion) == ("director", valor)
    assert director.post(pagina).status_code == 409
    assert caso.partidas[0].estado == Estado.RESULTADO_EMITIDO


def test_once_positive_never_automatic_even_if_reverted(certificado, gente):
    caso = crear_caso("con_resultado", valor="positivo")
    analisis = Analisis.objects.get(resultados__valor="positivo")
    reversiones.revertir(analisis=analisis, actor=analisis.analista, **MOTIVO)
    services.registrar(analisis=analisis, actor=analisis.analista, valor="negativo")
    for uno in caso.analisis:
        services.verificar(analisis=uno, actor=gente["verificador"])
    informe = informe_de(caso)
    assert (informe.estado, no_cumple(informe)) == (EstadoInforme.POR_FIRMAR, [NUNCA])
    assert firmar_ahora(informe, timedelta(days=2)).estado == EstadoInforme.POR_FIRMAR


def test_an_incomplete_set_is_not_for_the_machine(certificado, gente):
    caso = crear_caso("con_resultado", producto="semilla-de-tomate", origen="NL")
    falta, *otros = caso.analisis
    Analisis.objects.filter(pk=falta.pk).update(estado=EstadoAnalisis.CANCELADO)
    for uno in otros:
        services.verificar(analisis=uno, actor=gente["verificador"])
    assert informe_de(caso).estado == EstadoInforme.POR_FIRMAR


def test_the_rule_switched_off_in_the_grace_time_leaves_it_to_the_director(certificado, gente):
    informe = informe_de(crear_caso("verificado"))
    reglas.apagar(actor=gente["director"], causa="Auditoría.")
    assert firmar_ahora(informe, timedelta(days=2)).estado == EstadoInforme.POR_FIRMAR
    assert no_cumple(informe) == ["La regla de firma automática está activa"]


def test_without_a_certificate_nothing_leaves_and_a_good_one_heals(
    certificado, entrar, gente, django_capture_on_commit_callbacks
):
    caso = crear_caso("verificado", valor="positivo")
    informe = informe_de(caso)
    director = entrar("director")
    certificados.retirar(usuario=gente["director"])
    director.post(reverse("informe_firmar", args=[informe.numero]))
    assert firmar_ahora(informe).estado == EstadoInforme.FIRMA_FALLIDA
    assert informe.falla
    assert informe.falla in director.get(reverse("firmas")).content.decode().replace("&#x27;", "'")
    assert Documento.objects.count() == 0
    assert caso.partidas[0].estado == Estado.EN_LABORATORIO
    certificados.dar_de_demostracion(gente["director"])
    assert director.post(reverse("informe_firmar", args=[informe.numero])).status_code == 302
    with django_capture_on_commit_callbacks(execute=True):
        assert firmar_ahora(informe).estado == EstadoInforme.EMITIDO
    with storages["informes"].open(informe.documento.archivo) as archivo:
        assert archivo.read(5) == b"%PDF-"


def test_a_failed_signature_heals_by_itself(certificado, settings):
    informe, bueno = informe_de(crear_caso("verificado")), settings.FIRMA_CLAVE
    settings.FIRMA_CLAVE = "otra"
    assert firmar_ahora(informe, timedelta(hours=1)).estado == EstadoInforme.FIRMA_FALLIDA
    settings.FIRMA_CLAVE = bueno
    assert firmar_ahora(informe, timedelta(hours=1)).estado == EstadoInforme.FIRMA_FALLIDA  # not at once: every minute
    assert firmar_ahora(informe, timedelta(hours=1, minutes=2)).estado == EstadoInforme.EMITIDO


def test_retener(certificado, entrar):
    informe = informe_de(crear_caso("verificado", hace=timedelta(minutes=1)))
    pagina = reverse("informe_retener", args=[informe.numero])
    for usuario in ("recepcion", "director", "inspector"):
        assert entrar(usuario).post(pagina).status_code == 403
    assert entrar("inspector.aereo").post(pagina).status_code == 404
    assert entrar("verificador").get(pagina).status_code == 405
    texto = entrar("verificador").get(reverse("informe", args=[informe.numero])).content.decode()
    assert "Retener" in texto
    assert reverse("analisis_revertir", args=[informe.solicitud.analisis.first().pk]) in texto
    assert entrar("verificador").post(pagina, {"texto": "Revisar el blanco."}).status_code == 302
    assert firmar_ahora(informe, timedelta(days=2)).estado == EstadoInforme.POR_FIRMAR
    assert entrar("verificador").post(pagina).status_code == 409
    texto = entrar("director").get(reverse("firmas")).content.decode()
    assert "Retenido por V. Verificadora: Revisar el blanco." in texto


def test_informe_page_and_signing_wrong_role_object_and_method(certificado, entrar):
    informe = informe_de(crear_caso("verificado", valor="positivo"))
    pagina, firma = (reverse(nombre, args=[informe.numero]) for nombre in ("informe", "informe_firmar"))
    for usuario in ("recepcion", "analista", "verificador", "director"):
        assert entrar(usuario).get(pagina).status_code == 200
    for usuario in ("inspector", "mesa", "direccion", "atencion", "admin"):
        assert entrar(usuario).get(pagina).status_code == 403
    for usuario in ("analista", "verificador", "inspector"):
        assert entrar(usuario).post(firma).status_code == 403
    assert entrar("director").get(reverse("informe", args=["IE-1999-000001"])).status_code == 404
    assert entrar("director").post(reverse("informe_firmar", args=["IE-1999-000001"])).status_code == 404
    assert entrar("director").post(pagina).status_code == 405
    assert entrar("director").delete(firma).status_code == 405
    informe.refresh_from_db()
    assert informe.estado == EstadoInforme.POR_FIRMAR


def test_signing_asks_again_who_it_is(certificado, client, gente):
    informe = informe_de(crear_caso("verificado", valor="positivo"))
    client.force_login(gente["director"])
    respuesta = client.post(reverse("informe_firmar", args=[informe.numero]))
    assert respuesta.url.startswith(reverse("account_reauthenticate"))
    informe.refresh_from_db()
    assert informe.estado == EstadoInforme.POR_FIRMAR


def test_ordenar_firma_belongs_to_the_director(certificado, gente):
    informe = informe_de(crear_caso("con_resultado"))
    with pytest.raises(EstadoImpide):
        firmas.ordenar_firma(informe=informe, actor=gente["director"])
    with pytest.raises((RolImpide, EstadoImpide)):
        firmas.ordenar_firma(informe=informe, actor=gente["verificador"])

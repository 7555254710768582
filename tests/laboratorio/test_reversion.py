"""Reversions: self-approved, before the signature, never losing what was recorded."""

import pytest
from django.urls import reverse

from laboratorio import firmas, reversiones, services
from laboratorio.models import EstadoAnalisis, EstadoInforme, EstadoMuestra, Informe, Resultado, Reversion
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import crear_caso

MOTIVO = {"motivo": "dato-errado", "texto": "Se anotó la lectura de otra placa."}


@pytest.mark.django_db
def test_revertir_page_shows_what_it_touches_then_does_it(entrar):
    caso = crear_caso("con_resultado")
    analisis = caso.analisis[0]
    original = analisis.resultado
    pagina = reverse("analisis_revertir", args=[analisis.pk])
    verificador = entrar("verificador")
    texto = verificador.get(pagina).content.decode()
    assert "El resultado «Negativo» queda registrado, pero fuera de vigencia" in texto
    assert f"Suma unas {analisis.metodo.dias * 24} horas" in texto
    assert set(verificador.post(pagina, {}).context["form"].errors) == {"motivo", "texto"}
    assert Reversion.objects.count() == 0
    assert verificador.post(pagina, MOTIVO).url == reverse("verificacion")
    analisis.refresh_from_db()
    original.refresh_from_db()
    assert (analisis.estado, analisis.resultado, original.vigente) == (EstadoAnalisis.EN_PROCESO, None, False)
    assert Reversion.objects.get().resultado == original
    assert verificador.post(pagina, MOTIVO).status_code == 409


@pytest.mark.django_db
def test_the_new_result_links_to_the_old_one_and_needs_a_new_verification(gente):
    caso = crear_caso("verificado")
    analisis = caso.analisis[0]
    original = analisis.resultado
    reversiones.revertir(analisis=analisis, actor=gente["verificador"], **MOTIVO)
    nuevo = services.registrar(analisis=analisis, actor=analisis.analista, valor="negativo")
    assert (nuevo.sustituye, nuevo.verificaciones.count(), original.verificaciones.count()) == (original, 0, 1)
    assert Resultado.objects.filter(analisis=analisis).count() == 2
    assert Informe.objects.get(solicitud=analisis.solicitud).estado == EstadoInforme.BORRADOR
    services.verificar(analisis=analisis, actor=gente["verificador"])
    assert Informe.objects.get(solicitud=analisis.solicitud).estado == EstadoInforme.EN_GRACIA


@pytest.mark.django_db
def test_revertir_in_grace_takes_the_report_back_to_borrador(gente, certificado):
    caso = crear_caso("verificado")
    analisis = caso.analisis[0]
    informe = Informe.objects.get(solicitud=analisis.solicitud)
    assert informe.estado == EstadoInforme.EN_GRACIA
    assert reversiones.impacto_de_revertir(analisis).retira_firma
    reversiones.revertir(analisis=analisis, actor=analisis.analista, **MOTIVO)
    informe.refresh_from_db()
    assert (informe.estado, informe.firmar_desde, informe.condiciones) == (EstadoInforme.BORRADOR, None, [])
    assert caso.expediente.muestras.get().estado == EstadoMuestra.EN_ANALISIS
    assert firmas.firmar_informe(informe_id=informe.pk) is None


@pytest.mark.django_db
def test_revertir_belongs_to_its_analyst_or_a_verifier(gente):
    analisis = crear_caso("con_resultado").analisis[0]
    otro = gente["analista2" if analisis.analista == gente["analista"] else "analista"]
    for actor in (otro, gente["director"], gente["recepcion"]):
        with pytest.raises(RolImpide):
            reversiones.revertir(analisis=analisis, actor=actor, **MOTIVO)
    for malo in (
        {"motivo": "", "texto": "algo"},
        {"motivo": "dato-errado", "texto": "  "},
        {"motivo": "x", "texto": "y"},
    ):
        with pytest.raises(DatoInvalido):
            reversiones.revertir(analisis=analisis, actor=gente["verificador"], **malo)
    assert Reversion.objects.count() == 0


@pytest.mark.django_db
def test_revertir_after_the_signature_is_refused(entrar, gente, certificado):
    analisis = crear_caso("resultado_emitido").analisis[0]
    with pytest.raises(EstadoImpide):
        reversiones.revertir(analisis=analisis, actor=gente["verificador"], **MOTIVO)
    pagina = reverse("analisis_revertir", args=[analisis.pk])
    assert entrar("verificador").get(pagina).status_code == 409
    assert entrar("verificador").post(pagina, MOTIVO).status_code == 409
    assert Reversion.objects.count() == 0

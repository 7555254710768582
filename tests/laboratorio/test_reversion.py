"""Reversions: self-approved, before the signature, never losing what was recorded."""

import threading

import pytest
from django.db import connection
from django.urls import reverse

from expedientes import bitacora
from expedientes.models import Documento
from laboratorio import firmas, reversiones, services
from laboratorio.models import Analisis, EstadoAnalisis, EstadoInforme, EstadoMuestra, Informe, Resultado, Reversion
from senasa import reloj
from senasa.transicion import ActoRechazado, DatoInvalido, EstadoImpide, RolImpide
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


@pytest.mark.django_db(transaction=True)
def test_revertir_against_sign_one_wins(certificado):
    """Two at once, five rounds: either the report is out and the reversion refused, or the other way round."""
    for vuelta in range(5):
        analisis = crear_caso("verificado").analisis[0]
        informe = Informe.objects.get(solicitud=analisis.solicitud)
        Informe.objects.filter(pk=informe.pk).update(firmar_desde=reloj.ahora())
        hechos: dict[str, object] = {}
        salida = threading.Barrier(2)

        def correr(nombre, acto, hechos=hechos, salida=salida):
            salida.wait()
            try:
                hechos[nombre] = acto()
            except ActoRechazado as error:
                hechos[nombre] = error
            finally:
                connection.close()

        def revertir(analisis=analisis):
            return reversiones.revertir(analisis=analisis, actor=analisis.analista, **MOTIVO)

        def firmar(informe=informe):
            return firmas.firmar_informe(informe_id=informe.pk)

        hilos = [threading.Thread(target=correr, args=par) for par in (("revertir", revertir), ("firmar", firmar))]
        for hilo in hilos:
            hilo.start()
        for hilo in hilos:
            hilo.join(60)
        informe.refresh_from_db()
        if isinstance(hechos["revertir"], Reversion):
            assert (informe.estado, hechos["firmar"]) == (EstadoInforme.BORRADOR, None), vuelta
            assert not Documento.objects.filter(numero=informe.numero).exists()
        else:
            assert isinstance(hechos["revertir"], EstadoImpide), (vuelta, hechos)
            assert informe.estado == EstadoInforme.EMITIDO
            assert Analisis.objects.get(pk=analisis.pk).estado == EstadoAnalisis.VERIFICADO
    assert list(bitacora.fallas()) == []

"""After the signature: amended in form or in a result, annulled; who is told, and what goes back."""

from datetime import date
from io import BytesIO

import pikepdf
import pytest
from django.test import Client
from django.urls import reverse

from expedientes import documentos, incidencias
from expedientes import services as casos
from expedientes.bitacora import fallas
from expedientes.models import Documento, Estado, Evento, Medida
from laboratorio import enmiendas, firmas, recorrido, reversiones, services
from laboratorio.informes import contexto_informe
from laboratorio.models import EstadoAnalisis, EstadoInforme, EstadoMuestra, Informe, Muestra, Reversion
from laboratorio.recorrido import Caso
from notificaciones.models import Notificacion
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db
FORMA = {"motivo": "dato-de-la-muestra", "texto": "El lote se copió mal."}
DUDA = {"motivo": "resultado-en-duda", "texto": "La lectura no concuerda con la foto."}
NULO = {"motivo": "emitido-por-error", "texto": "Era de otra carga."}


def director(caso: Caso):
    return caso.personas["director"]


def el_informe(caso: Caso) -> Informe:
    return Informe.objects.select_related("documento").get(expediente=caso.expediente)


def en_duda(caso: Caso) -> Informe:
    """Its first analysis is to be done again."""
    informe = el_informe(caso)
    enmiendas.enmendar_resultado(informe=informe, actor=director(caso), analisis=caso.analisis[:1], **DUDA)
    return el_informe(caso)


def rehacer(caso: Caso, valor: str = "negativo") -> None:
    for analisis in caso.por_hacer(EstadoAnalisis.EN_PROCESO):
        plaga = analisis.plaga if valor == "positivo" else None
        services.registrar(analisis=analisis, actor=analisis.analista, valor=valor, plaga=plaga)
        for vez in range(analisis.metodo.verificaciones):
            services.verificar(analisis=analisis, actor=caso.verificadores[vez])


def firmar(caso: Caso) -> Documento:
    informe = el_informe(caso)
    firmas.ordenar_firma(informe=informe, actor=director(caso))
    documento = firmas.firmar_informe(informe_id=informe.pk)
    assert documento
    return documento


def estados(caso: Caso) -> tuple[str, str]:
    caso.expediente.refresh_from_db()
    return caso.expediente.estado, caso.partidas[0].estado


def avisados(caso: Caso) -> list[str]:
    return list(
        Notificacion.objects.filter(aviso__startswith="informe_", referencia=caso.expediente.referencia)
        .order_by("id")
        .values_list("aviso", flat=True)
    )


def test_administrativa_no_reabre_nada_y_emite_otra_version(certificado):
    caso = crear_caso("cerrado")
    informe = el_informe(caso)
    viejo, muestra = informe.documento, Muestra.objects.get()
    antes = muestra.lote
    enmiendas.enmendar(informe=informe, actor=director(caso), cambios={muestra: {"lote": "L-99"}}, **FORMA)
    informe, viejo = el_informe(caso), Documento.objects.get(pk=viejo.pk)
    assert (informe.estado, informe.version, viejo.estado) == (EstadoInforme.POR_FIRMAR, 2, "vigente")
    assert estados(caso) == (Estado.CERRADO, Estado.DICTAMINADO)
    assert avisados(caso) == ["informe_emitido"]  # nobody is told of what is not out yet
    assert {c["condicion"] for c in informe.condiciones if not c["cumple"]} == {"Es la primera versión del informe"}
    nuevo = firmar(caso)
    viejo.refresh_from_db()
    assert (str(nuevo), nuevo.firma, nuevo.reemplaza, viejo.estado) == (
        f"{informe.numero}-V2", "director", viejo, "reemplazado",
    )  # fmt: skip
    assert f"lote: decía «{antes}», debe decir «L-99»" in nuevo.causa
    assert "El lote se copió mal" in nuevo.causa
    assert avisados(caso) == ["informe_emitido", "informe_corregido"]
    assert list(caso.partidas[0].dictamen.informes.all()) == [viejo]  # the version behind a decision never changes
    assert Reversion.objects.count() == 0
    assert list(fallas()) == []


def test_el_pdf_nuevo_dice_cual_reemplaza_y_por_que_y_el_codigo_viejo_lleva_al_nuevo(certificado, client: Client):
    caso = crear_caso("resultado_emitido")
    viejo = el_informe(caso).documento
    enmiendas.enmendar(informe=el_informe(caso), actor=director(caso), **FORMA)
    nuevo = firmar(caso)
    with pikepdf.open(BytesIO(documentos.leer(nuevo))) as pdf:
        assert len(pdf.pages) >= 1
    certificado_ = firmas.cargar_certificado()
    informe = el_informe(caso)
    informe.documento = viejo
    dicho = contexto_informe(informe, version=2, cvd="x", emitido_en=nuevo.emitido_en, certificado=certificado_)
    assert (dicho["reemplaza"], dicho["numero"]) == (viejo, str(nuevo))
    pagina = client.get(reverse("verificar_cvd", args=[viejo.cvd])).content.decode()
    assert f"Lo reemplaza {nuevo}." in pagina
    assert reverse("verificar_cvd", args=[nuevo.cvd]) in pagina
    assert str(viejo) in client.get(reverse("verificar_cvd", args=[nuevo.cvd])).content.decode()


def test_retirada_antes_de_la_firma_todo_dice_lo_que_decia(certificado):
    caso = crear_caso("resultado_emitido")
    muestra = Muestra.objects.get()
    antes = muestra.lote
    enmiendas.enmendar(
        informe=el_informe(caso), actor=director(caso), cambios={muestra: {"lote": "L-99", "precinto": "9"}}, **FORMA
    )
    enmiendas.retirar_enmienda(informe=el_informe(caso), actor=director(caso))
    informe = el_informe(caso)
    muestra.refresh_from_db()
    assert (informe.estado, informe.version, informe.enmienda, muestra.lote) == (EstadoInforme.EMITIDO, 1, "", antes)
    assert (informe.documento.estado, firmas.barrer_informes()) == ("vigente", 0)
    with pytest.raises(EstadoImpide):
        enmiendas.retirar_enmienda(informe=informe, actor=director(caso))


def test_bajo_una_enmienda_administrativa_ningun_resultado_se_mueve(certificado, gente):
    caso = crear_caso("resultado_emitido", valor="positivo")
    enmiendas.enmendar(informe=el_informe(caso), actor=director(caso), **FORMA)
    with pytest.raises(EstadoImpide, match="ya está firmado"):
        reversiones.revertir(
            analisis=caso.analisis[0], actor=gente["verificador"], motivo="dato-errado", texto="Otra placa."
        )
    with pytest.raises(EstadoImpide, match="enmienda administrativa"):
        reversiones.devolver(
            informe=el_informe(caso), actor=director(caso), analisis=caso.analisis, motivo="resultado-dudoso", texto="x"
        )
    # What was issued stays known, and may be decided on.
    casos.dictaminar(partida=caso.partidas[0], actor=caso.inspector, decision="rechazo", fundamento="Positivo.")


@pytest.mark.parametrize(
    ("hasta", "valor"),
    [("resultado_emitido", "negativo"), ("con_riv", "negativo"), ("en_medida", "positivo"), ("cerrado", "negativo")],
)
def test_de_resultado_la_partida_vuelve_a_donde_no_hay_nada_decidido(certificado, hasta, valor):
    caso = crear_caso(hasta, valor=valor)
    original = caso.analisis[0].resultado
    informe = en_duda(caso)
    viejo = informe.documento
    original.refresh_from_db()
    assert (informe.estado, informe.version, viejo.estado) == (EstadoInforme.BORRADOR, 2, "en_revision")
    assert (caso.analisis[0].estado, original.vigente) == (EstadoAnalisis.EN_PROCESO, False)
    assert estados(caso) == (Estado.RESULTADO_EMITIDO, Estado.RESULTADO_EMITIDO)
    assert caso.expediente.muestras.get().estado == EstadoMuestra.EN_ANALISIS
    fila = Reversion.objects.get()
    assert (fila.autoaprobada, fila.resultado, fila.accion) == (False, original, "enmendar_resultado")
    assert avisados(caso) == ["informe_emitido", "informe_en_revision"]
    assert Medida.objects.pendientes().count() == 0
    assert set(Documento.objects.filter(tipo="riv").values_list("estado", flat=True)) <= {"en_revision"}
    # Nothing is decided meanwhile, in words.
    partida = caso.partidas[0]
    with pytest.raises(EstadoImpide, match="en revisión"):
        casos.dictaminar(partida=partida, actor=caso.inspector, decision="ingreso", fundamento="x")
    with pytest.raises(EstadoImpide, match="en revisión"):
        casos.ordenar_medida(partida=partida, actor=caso.inspector, tipo="reembarque", vence_en=date(2030, 1, 1))
    with pytest.raises(EstadoImpide):
        casos.cerrar(expediente=caso.expediente, actor=caso.inspector)
    assert casos.barrer_rivs() == 0
    # Redone: signed by the director though all is negative, and decided anew over the new version.
    rehacer(caso)
    assert el_informe(caso).estado == EstadoInforme.POR_FIRMAR
    nuevo = firmar(caso)
    viejo.refresh_from_db()
    assert (nuevo.version, nuevo.firma, nuevo.reemplaza_id, viejo.estado) == (2, "director", viejo.pk, "reemplazado")
    assert avisados(caso) == ["informe_emitido", "informe_en_revision", "informe_corregido"]
    dictamen = casos.dictaminar(partida=partida, actor=caso.inspector, decision="ingreso", fundamento="Negativo.")
    assert list(dictamen.informes.all()) == [nuevo]
    assert casos.barrer_rivs() == 1
    assert Documento.objects.filter(tipo="riv", estado="vigente").count() == 1
    assert list(fallas()) == []


def test_el_resultado_que_cambia_a_positivo_ya_no_deja_ingresar(certificado):
    caso = crear_caso("cerrado")
    en_duda(caso)
    rehacer(caso, "positivo")
    nuevo = firmar(caso)
    assert (nuevo.conclusion, nuevo.impide_ingreso) == ("positivo", True)
    with pytest.raises(DatoInvalido):
        casos.dictaminar(partida=caso.partidas[0], actor=caso.inspector, decision="ingreso", fundamento="x")


def test_un_dictamen_sin_riv_todavia_no_lo_recibe_si_su_informe_entra_en_revision(certificado):
    caso = crear_caso("dictaminado")
    en_duda(caso)
    assert casos.barrer_rivs() == 0
    rehacer(caso)
    firmar(caso)
    casos.dictaminar(partida=caso.partidas[0], actor=caso.inspector, decision="ingreso", fundamento="Negativo.")
    assert casos.barrer_rivs() == 1  # of the decision that stands, not of the one that was taken back


def test_la_contramuestra_vuelve_a_la_mesa_y_la_eliminada_no(certificado, gente):
    caso = crear_caso("resultado_emitido")
    muestra = Muestra.objects.get()
    services.guardar_contramuestra(muestra=muestra, actor=gente["recepcion"], lugar="Cámara 2", hasta=date(2030, 1, 1))
    en_duda(caso)
    muestra.refresh_from_db()
    assert muestra.estado == EstadoMuestra.EN_ANALISIS
    rehacer(caso)
    firmar(caso)
    services.guardar_contramuestra(muestra=muestra, actor=gente["recepcion"], lugar="Cámara 2", hasta=date(2030, 1, 1))
    Muestra.objects.filter(pk=muestra.pk).update(estado=EstadoMuestra.ELIMINADA)
    with pytest.raises(DatoInvalido, match="ya se eliminó"):
        en_duda(caso)


@pytest.mark.parametrize("hasta", ["resultado_emitido", "con_riv", "cerrado"])
def test_anulado_sin_otro_informe_la_carga_se_vuelve_a_muestrear(certificado, client: Client, hasta):
    caso = crear_caso(hasta)
    informe = el_informe(caso)
    enmiendas.anular(informe=informe, actor=director(caso), **NULO)
    informe = el_informe(caso)
    assert (informe.estado, informe.documento.estado) == (EstadoInforme.ANULADO, "anulado")
    assert estados(caso) == (Estado.EN_INSPECCION, Estado.EN_INSPECCION)
    assert avisados(caso) == ["informe_emitido", "informe_anulado"]
    assert "no vale" in client.get(reverse("verificar_cvd", args=[informe.documento.cvd])).content.decode()
    services.tomar_muestra(
        partida=caso.partidas[0],
        actor=caso.inspector,
        precinto="P-77",
        conservacion="ambiente",
        cantidad=1,
        unidad="kg",
    )
    assert list(fallas()) == []


def test_lo_que_otro_informe_sostiene_solo_vuelve_a_decidirse(certificado):
    """Two dispatches of one line, two reports: without one the decision is taken again over the other."""
    caso = crear_caso("en_laboratorio")
    services.tomar_muestra(
        partida=caso.partidas[0],
        actor=caso.inspector,
        precinto="P-77",
        conservacion="ambiente",
        cantidad=1,
        unidad="kg",
    )
    for paso in ("enviar", "recibir", "asignar", "iniciar", "registrar", "verificar", "firmar"):
        getattr(recorrido, paso)(caso)
    recorrido.dictaminar(caso)
    primero, segundo = Informe.objects.order_by("pk")
    enmiendas.anular(informe=primero, actor=director(caso), **NULO)
    partida = caso.partidas[0]
    assert (partida.estado, casos.informes_vigentes(partida)) == (Estado.RESULTADO_EMITIDO, [segundo.documento])


def test_en_un_caso_terminado_solo_se_anula(certificado):
    caso = crear_caso("resultado_emitido")
    enmiendas.enmendar(informe=el_informe(caso), actor=director(caso), **FORMA)
    incidencias.desistir(
        expediente=caso.expediente, actor=caso.personas["jefe"], motivo="ya-no-importa", texto="Lo pidió."
    )
    informe = el_informe(caso)  # what it had issued stands
    assert (informe.estado, informe.version, informe.documento.estado) == (EstadoInforme.EMITIDO, 1, "vigente")
    for hacer in (
        lambda: enmiendas.enmendar(informe=informe, actor=director(caso), **FORMA),
        lambda: en_duda(caso),
    ):
        with pytest.raises(EstadoImpide, match="terminó sin decisión"):
            hacer()
    enmiendas.anular(informe=informe, actor=director(caso), **NULO)
    assert estados(caso) == (Estado.DESISTIDO, Estado.RESULTADO_EMITIDO)


def test_un_caso_que_termina_mientras_se_revisa_deja_el_informe_sin_valor(certificado):
    caso = crear_caso("resultado_emitido")
    en_duda(caso)
    incidencias.desistir(
        expediente=caso.expediente, actor=caso.personas["jefe"], motivo="ya-no-importa", texto="Lo pidió."
    )
    informe = el_informe(caso)
    assert (informe.estado, informe.documento.estado) == (EstadoInforme.ANULADO, "anulado")


def test_si_lo_que_se_rehace_se_cancela_el_informe_se_anula_y_se_avisa(certificado):
    caso = crear_caso("con_riv")
    en_duda(caso)
    for analisis in caso.analisis:
        services.cancelar(
            analisis=analisis, actor=director(caso), motivo="metodo-no-disponible", texto="No queda muestra."
        )
    informe = el_informe(caso)
    assert (informe.estado, informe.documento.estado) == (EstadoInforme.ANULADO, "anulado")
    assert estados(caso) == (Estado.EN_INSPECCION, Estado.EN_INSPECCION)
    assert avisados(caso)[-1] == "informe_anulado"


def test_solo_el_director_y_con_motivo(certificado, gente):
    caso = crear_caso("resultado_emitido")
    informe = el_informe(caso)
    for quien in ("verificador", "analista", "recepcion", "jefe", "inspector"):
        with pytest.raises(RolImpide):
            enmiendas.enmendar(informe=informe, actor=gente[quien], **FORMA)
        with pytest.raises(RolImpide):
            enmiendas.enmendar_resultado(informe=informe, actor=gente[quien], analisis=caso.analisis, **DUDA)
        with pytest.raises(RolImpide):
            enmiendas.anular(informe=informe, actor=gente[quien], **NULO)
    for malo in ({"motivo": "", "texto": "x"}, {"motivo": "dato-errado", "texto": "x"}, {**FORMA, "texto": " "}):
        with pytest.raises(DatoInvalido):
            enmiendas.enmendar(informe=informe, actor=gente["director"], **malo)
    with pytest.raises(DatoInvalido, match="precinto"):
        enmiendas.enmendar(
            informe=informe, actor=gente["director"], cambios={Muestra.objects.get(): {"precinto": " "}}, **FORMA
        )
    assert el_informe(caso).estado == EstadoInforme.EMITIDO


def test_las_paginas_dicen_que_tocan_y_lo_hacen(certificado, entrar):
    caso = crear_caso("en_medida", valor="positivo")
    informe, navegador = el_informe(caso), entrar("director")
    pagina = navegador.get(reverse("informe_enmendar_resultado", args=[informe.numero])).content.decode()
    dictamen = caso.partidas[0].dictamen
    for dicho in ("se lee «en revisión» hasta la versión 2", dictamen.numero, "queda sin efecto", "Avisa por correo"):
        assert dicho in pagina, dicho
    pagina = reverse("informe_enmendar", args=[informe.numero])
    muestra = Muestra.objects.get()
    datos = {f"{c}_{muestra.pk}": getattr(muestra, c) for c in enmiendas.CORREGIBLES} | {f"lote_{muestra.pk}": "L-9"}
    assert navegador.post(pagina, datos).status_code == 422  # without a motive
    assert navegador.post(pagina, {**datos, **FORMA}).status_code == 302
    assert navegador.post(pagina, {**datos, **FORMA}).status_code == 409
    suya = navegador.get(reverse("informe", args=[informe.numero])).content.decode()
    assert "Enmienda administrativa: será la versión 2" in suya
    assert "Retirar la enmienda" in suya
    assert "Devolver…" not in suya
    assert navegador.post(reverse("informe_retirar_enmienda", args=[informe.numero]), {}).status_code == 302
    assert navegador.post(reverse("informe_anular", args=[informe.numero]), NULO).status_code == 302
    assert el_informe(caso).estado == EstadoInforme.ANULADO


def test_el_inspector_ve_en_el_caso_sobre_que_version_decidio(certificado, entrar):
    caso = crear_caso("con_riv")
    pagina = reverse("expediente", args=[caso.expediente.numero])
    viejo = en_duda(caso).documento
    texto = entrar("inspector").get(pagina).content.decode()
    assert f"se apoyó en {viejo}, que el laboratorio está revisando" in texto
    assert "Versión corregida del informe" in texto
    rehacer(caso)
    nuevo = firmar(caso)
    texto = entrar("inspector").get(pagina).content.decode()
    assert f"se apoyó en {viejo}, y rige {nuevo}." in texto


def test_ningun_aviso_dice_un_resultado(certificado):
    caso = crear_caso("resultado_emitido", valor="positivo")
    en_duda(caso)
    rehacer(caso)
    firmar(caso)
    enmiendas.anular(informe=el_informe(caso), actor=director(caso), **NULO)
    for aviso in Notificacion.objects.filter(aviso__in=["informe_en_revision", "informe_corregido", "informe_anulado"]):
        for palabra in ("positiv", "negativ", "indeterminad", "plaga"):
            assert palabra not in aviso.texto.lower(), aviso.texto


def test_corregido_un_informe_de_una_ronda_anterior_no_entra_en_la_nueva(certificado):
    caso = crear_caso("en_medida", valor="positivo", decision="condicionado")
    casos.cumplir_medida(partida=caso.partidas[0], actor=caso.inspector, acta="A-1", nueva_toma=True)
    assert casos.informes_vigentes(caso.partidas[0]) == []
    enmiendas.enmendar(informe=el_informe(caso), actor=director(caso), **FORMA)
    nuevo = firmar(caso)
    assert nuevo.version == 2
    assert casos.informes_vigentes(caso.partidas[0]) == []
    with pytest.raises(EstadoImpide, match="se volvió a muestrear"):
        en_duda(caso)
    assert Evento.objects.filter(accion="corregir").count() == 1

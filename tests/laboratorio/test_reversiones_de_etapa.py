"""Stages stepped back on somebody's own authority, the page where all see them, and the director's motives."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from expedientes.bitacora import fallas
from expedientes.models import Motivo
from laboratorio import motivos, reversiones, services
from laboratorio.models import EstadoAnalisis, EstadoInforme, EstadoMuestra, Informe, Muestra, Resultado, Reversion
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import avanzar_hasta, crear_caso

pytestmark = pytest.mark.django_db
TEXTO = "Se tomó la bolsa de al lado."


def test_el_inicio_por_error_vuelve_a_asignado_y_su_muestra_a_recibida(gente):
    caso = crear_caso("en_proceso")
    analisis = caso.analisis[0]
    fila = reversiones.revertir_inicio(
        analisis=analisis, actor=analisis.analista, motivo="iniciado-por-error", texto=TEXTO
    )
    analisis.refresh_from_db()
    assert (analisis.estado, analisis.iniciado_en, Muestra.objects.get().estado) == (
        EstadoAnalisis.ASIGNADO, None, EstadoMuestra.RECIBIDA,
    )  # fmt: skip
    assert (fila.autoaprobada, fila.resultado, fila.horas) == (True, None, analisis.metodo.dias * 24)
    reversiones.revertir_asignacion(analisis=analisis, actor=gente["recepcion"], motivo="otra-persona", texto=TEXTO)
    analisis.refresh_from_db()
    assert (analisis.estado, analisis.analista) == (EstadoAnalisis.PENDIENTE, None)
    assert list(fallas()) == []


def test_con_otro_analisis_empezado_la_muestra_sigue_en_analisis(gente):
    caso = crear_caso("en_proceso", producto="durazno")
    analisis = caso.analisis[0]
    reversiones.revertir_inicio(analisis=analisis, actor=gente["verificador"], motivo="iniciado-por-error", texto=TEXTO)
    assert Muestra.objects.get().estado == EstadoMuestra.EN_ANALISIS


def test_la_recepcion_por_error_deja_la_muestra_por_recibir(gente):
    caso = crear_caso("asignado")
    muestra = Muestra.objects.get()
    reversiones.revertir_recepcion(muestra=muestra, actor=gente["recepcion"], motivo="recibida-por-error", texto=TEXTO)
    muestra.refresh_from_db()
    assert (muestra.estado, muestra.recibida_en, muestra.condicion) == (EstadoMuestra.ENVIADA, None, "")
    assert (caso.analisis[0].estado, caso.analisis[0].analista) == (EstadoAnalisis.PENDIENTE, None)
    assert Reversion.objects.get().analisis is None
    caso._dados = 4  # as it was sent
    avanzar_hasta(caso, "en_proceso")
    with pytest.raises(EstadoImpide):
        reversiones.revertir_recepcion(
            muestra=muestra, actor=gente["recepcion"], motivo="recibida-por-error", texto=TEXTO
        )


def test_los_analisis_de_una_muestra_vuelven_todos_y_sus_resultados_quedan(gente, certificado):
    caso = crear_caso("verificado", producto="durazno")
    muestra, informe = Muestra.objects.get(), Informe.objects.get()
    assert informe.estado == EstadoInforme.EN_GRACIA
    fila = reversiones.revertir_analisis(
        muestra=muestra, actor=gente["verificador"], motivo="contaminacion", texto=TEXTO
    )
    muestra.refresh_from_db()
    informe.refresh_from_db()
    assert (muestra.estado, informe.estado) == (EstadoMuestra.RECIBIDA, EstadoInforme.BORRADOR)
    assert {(uno.estado, uno.analista) for uno in caso.analisis} == {(EstadoAnalisis.PENDIENTE, None)}
    resultados = list(Resultado.objects.order_by("id"))
    assert [uno.vigente for uno in resultados] == [False] * len(caso.analisis)
    assert (fila.retiro_firma, [parte.resultado for parte in fila.partes.all()]) == (True, resultados)
    caso._dados = 5  # as it was received
    avanzar_hasta(caso, "verificado")
    assert [uno.sustituye for uno in Resultado.objects.filter(vigente=True).order_by("id")] == resultados


def test_despues_de_la_firma_nadie_la_devuelve(gente, certificado):
    crear_caso("resultado_emitido")
    with pytest.raises(EstadoImpide, match="lo corrige el director"):
        reversiones.revertir_analisis(
            muestra=Muestra.objects.get(), actor=gente["verificador"], motivo="contaminacion", texto=TEXTO
        )


def test_la_contramuestra_guardada_por_error_vuelve_a_analizada(gente, certificado):
    crear_caso("resultado_emitido")
    muestra = Muestra.objects.get()
    services.guardar_contramuestra(muestra=muestra, actor=gente["recepcion"], lugar="Cámara 2", hasta=date(2030, 1, 1))
    reversiones.revertir_contramuestra(
        muestra=muestra, actor=gente["recepcion"], motivo="guardada-por-error", texto=TEXTO
    )
    muestra.refresh_from_db()
    assert muestra.estado == EstadoMuestra.ANALIZADA


def test_un_analista_no_devuelve_lo_de_otro(gente):
    caso = crear_caso("en_proceso")
    analisis = caso.analisis[0]
    otro = gente["analista2" if analisis.analista == gente["analista"] else "analista"]
    for hacer in (
        lambda: reversiones.revertir_inicio(analisis=analisis, actor=otro, motivo="iniciado-por-error", texto=TEXTO),
        lambda: reversiones.revertir_analisis(
            muestra=Muestra.objects.get(), actor=otro, motivo="contaminacion", texto=TEXTO
        ),
        lambda: reversiones.revertir_inicio(
            analisis=analisis, actor=gente["director"], motivo="iniciado-por-error", texto=TEXTO
        ),
    ):
        with pytest.raises(RolImpide):
            hacer()
    with pytest.raises(DatoInvalido):
        reversiones.revertir_inicio(analisis=analisis, actor=analisis.analista, motivo="otra-persona", texto=TEXTO)
    assert Reversion.objects.count() == 0


def test_la_pagina_dice_lo_que_toca_sin_nombrar_al_importador(entrar, certificado):
    caso = crear_caso("verificado", valor="positivo")
    muestra = Muestra.objects.get()
    navegador = entrar("verificador")
    assert reverse("muestra_revertir_analisis", args=[muestra.numero]) in (
        navegador.get(reverse("muestra", args=[muestra.numero])).content.decode()
    )
    pagina = navegador.get(reverse("muestra_revertir_analisis", args=[muestra.numero])).content.decode()
    for dicho in (
        "no espera la firma de nadie", "El resultado «Positivo» queda registrado", "vuelve a elaboración",
        "El informe lo firmará el director", "aún no salió ningún aviso", "No hay un dictamen que toque", "Suma unas",
    ):  # fmt: skip
        assert dicho in pagina, dicho
    assert caso.expediente.importador.nombre not in pagina
    assert caso.expediente.importador.numero_documento not in pagina


def test_todo_el_laboratorio_las_ve_y_nadie_mas(entrar, gente, certificado):
    vacia = entrar("analista").get(reverse("reversiones")).content.decode()
    assert "Ninguna reversión" in vacia
    for _n in range(3):
        caso = crear_caso("verificado", producto="durazno", valor="positivo")
        reversiones.revertir(
            analisis=caso.analisis[0], actor=gente["verificador"], motivo="muestra-equivocada", texto=TEXTO
        )
        reversiones.revertir_analisis(
            muestra=caso.expediente.muestras.get(), actor=gente["verificador"], motivo="reproceso", texto="Otra vez."
        )
    for quien in ("recepcion", "analista", "verificador", "director"):
        pagina = entrar(quien).get(reverse("reversiones"))
        texto = pagina.content.decode()
        assert len(pagina.context["filas"]) == 6
        for dicho in ("Resultado de otra muestra o de otro análisis", TEXTO, "V. Verificadora", "autoaprobada"):
            assert dicho in texto, dicho
        assert caso.expediente.importador.nombre not in texto
    navegador = entrar("analista")
    metodo = caso.analisis[1].metodo
    filtradas = navegador.get(reverse("reversiones"), {"metodo": metodo.pk, "motivo": "reproceso"})
    assert len(filtradas.context["filas"]) == 3  # the sample's, by what went with it
    assert "Ninguna con esos filtros" in (
        navegador.get(reverse("reversiones"), {"hasta": "2020-01-01"}).content.decode()
    )
    assert navegador.get(reverse("reversiones"), {"metodo": "x", "desde": "ayer"}).status_code == 200


def test_las_consultas_no_crecen_con_las_filas(entrar, gente, certificado):
    navegador, cuentas = entrar("analista"), []
    for _n in range(2):
        for _m in range(3):
            caso = crear_caso("con_resultado", producto="durazno")
            reversiones.revertir_analisis(
                muestra=caso.expediente.muestras.get(), actor=gente["verificador"], motivo="reproceso", texto=TEXTO
            )
        with CaptureQueriesContext(connection) as consultas:
            navegador.get(reverse("reversiones"))
        cuentas.append(len(consultas))
    assert cuentas[0] == cuentas[1]


def test_el_director_lleva_los_motivos(entrar, gente):
    navegador = entrar("director")
    pagina = reverse("motivos")
    assert navegador.post(pagina, {"accion": "revertir", "texto": "Corte de luz  en la corrida"}).status_code == 302
    nuevo = Motivo.objects.get(accion="revertir", codigo="corte-de-luz-en-la-corrida")
    texto = navegador.get(pagina).content.decode()
    assert "Corte de luz en la corrida" in texto
    assert "D. Directora" in texto
    assert navegador.post(pagina, {"accion": "revertir", "texto": "corte de luz en la CORRIDA"}).status_code == 422
    assert navegador.post(pagina, {"accion": "abandonar", "texto": "x"}).status_code == 422  # not the laboratory's
    assert navegador.post(reverse("motivo_retirar", args=[nuevo.pk])).status_code == 302
    nuevo.refresh_from_db()
    assert not nuevo.activo
    analisis = crear_caso("con_resultado").analisis[0]
    with pytest.raises(DatoInvalido):
        reversiones.revertir(analisis=analisis, actor=analisis.analista, motivo=nuevo.codigo, texto="x")
    assert navegador.post(reverse("motivo_reponer", args=[nuevo.pk])).status_code == 302
    nuevo.refresh_from_db()
    assert nuevo.activo
    assert [uno.history_change_reason for uno in nuevo.history.all()] == ["Repuesto", "Retirado", "Agregado"]
    # What the system itself gives, and the last one of an act, stay.
    fijo = Motivo.objects.get(accion="cancelar", codigo="caso-terminado")
    with pytest.raises(EstadoImpide, match="lo usa el sistema"):
        motivos.retirar_motivo(motivo=fijo, actor=gente["director"])
    unos = list(Motivo.objects.filter(accion="revertir_asignacion"))
    for uno in unos[:-1]:
        motivos.retirar_motivo(motivo=uno, actor=gente["director"])
    with pytest.raises(EstadoImpide, match="único motivo"):
        motivos.retirar_motivo(motivo=unos[-1], actor=gente["director"])
    with pytest.raises(RolImpide):
        motivos.retirar_motivo(motivo=nuevo, actor=gente["verificador"])

"""The ways cases really go: observed, lost, treated, moved, opened again. Each story through the real services."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from expedientes import incidencias
from expedientes import services as casos
from expedientes.archivos import ArchivoNuevo
from expedientes.lifecycle import PARTIDA, permite
from expedientes.models import AgenteAduana, Dictamen, Documento, Estado, Evento, Expediente, Medida
from expedientes.plazos import suspensiones
from laboratorio import contramuestras, firmas, reversiones
from laboratorio import services as laboratorio
from laboratorio.models import Analisis, EstadoAnalisis, EstadoInforme, EstadoMuestra, Informe, Muestra
from laboratorio.recorrido import Caso
from notificaciones import enlaces
from notificaciones.models import Enlace, Notificacion
from senasa import reloj
from senasa.models import Puesto, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import avanzar_hasta, crear_caso, personas

pytestmark = pytest.mark.django_db

LUNES = datetime(2026, 8, 10, 14, tzinfo=UTC)  # 9 in the morning in Lima; no holiday that week or the next


def observar(caso: Caso, **mas: Any) -> Any:
    datos = {"puntos": "Falta el certificado original\nEl RUC no coincide", "vence_en": date(2030, 1, 1)} | mas
    return incidencias.observar(
        expediente=caso.expediente, actor=caso.inspector, motivo="faltan-documentos", texto="Se revisó.", **datos
    )


def responder(caso: Caso, actor: Usuario | None = None, **mas: Any) -> Any:
    return incidencias.responder(expediente=caso.expediente, actor=actor, respuesta="Va el original.", **mas)


def estado(caso: Caso) -> str:
    caso.expediente.refresh_from_db()
    return caso.expediente.estado


def vence(caso: Caso) -> datetime | None:
    return caso.partidas[0].vence_en


def avisos(caso: Caso) -> list[str]:
    suyos = Notificacion.objects.filter(referencia=caso.expediente.referencia)
    return list(suyos.order_by("pk").values_list("aviso", flat=True))


def jefe_de(codigo: str) -> Usuario:
    jefe = Usuario.objects.create(
        username=f"jefe.{codigo.lower()}", email=f"jefe.{codigo}@senasa.example", roles=["jefe_de_puesto"]
    )
    jefe.puestos.add(Puesto.objects.get(codigo=codigo))
    return jefe


# ── The clock that stops ──────────────────────────────────────────────────────────────────────────


def test_observar_detiene_el_reloj_y_lo_devuelve_en_dias_habiles() -> None:
    with reloj.fijado(LUNES):
        caso = crear_caso(hace=timedelta(0), producto="maiz-amarillo-duro", origen="US")
        assert timezone.localdate(vence(caso)) == date(2026, 8, 12)  # two business days
    with reloj.fijado(LUNES + timedelta(days=1)):
        observar(caso, vence_en=date(2026, 8, 18))
    assert (estado(caso), vence(caso)) == (Estado.OBSERVADO, None)
    # The case is held to the importer's own day meanwhile.
    assert timezone.localdate(caso.expediente.vence_en) == date(2026, 8, 18)
    with reloj.fijado(LUNES + timedelta(days=8)):  # from Tuesday to Tuesday: five business days
        responder(caso)
    assert estado(caso) == Estado.REGISTRADO
    assert timezone.localdate(vence(caso)) == date(2026, 8, 19)
    assert caso.expediente.vence_en == vence(caso)
    ledger = suspensiones(Evento.objects.filter(expediente=caso.expediente), caso.partidas[0].pk)
    assert [(una.causa, una.desde, una.hasta) for una in ledger] == [
        ("observar", LUNES + timedelta(days=1), LUNES + timedelta(days=8))
    ]


def test_un_plazo_en_horas_se_devuelve_en_horas() -> None:
    with reloj.fijado(LUNES):
        caso = crear_caso(hace=timedelta(0), producto="uva-fresca", puesto="PCA", transporte="aereo")
        antes = vence(caso)
    assert antes
    with reloj.fijado(LUNES + timedelta(hours=2)):
        observar(caso)
    with reloj.fijado(LUNES + timedelta(hours=32)):
        responder(caso)
    assert vence(caso) == antes + timedelta(hours=30)


def test_lo_suspendido_en_una_etapa_anterior_no_alarga_la_siguiente() -> None:
    with reloj.fijado(LUNES):
        caso = crear_caso(hace=timedelta(0), producto="maiz-amarillo-duro", origen="US")
        observar(caso)
    with reloj.fijado(LUNES + timedelta(days=7)):
        responder(caso)
        casos.inspeccionar(
            partida=caso.partidas[0], actor=caso.inspector, documentaria="conforme", identidad="conforme",
            fisica="conforme",
        )  # fmt: skip
        assert timezone.localdate(vence(caso)) == date(2026, 8, 19)


def test_observado_espera_el_puesto_y_sigue_el_laboratorio(certificado: Any) -> None:
    caso = crear_caso("verificado")
    observar(caso)
    partida = caso.partidas[0]
    assert not permite(partida, "tomar_muestra", caso.inspector, tabla=PARTIDA)
    with pytest.raises(EstadoImpide, match="Observado"):
        laboratorio.tomar_muestra(
            partida=partida, actor=caso.inspector, precinto="Z-1", conservacion="ambiente", cantidad=1, unidad="kg"
        )
    avanzar_hasta(caso, "resultado_emitido")
    assert (estado(caso), caso.partidas[0].estado) == (Estado.OBSERVADO, Estado.RESULTADO_EMITIDO)
    responder(caso)
    assert estado(caso) == Estado.RESULTADO_EMITIDO
    avanzar_hasta(caso, "dictaminado")
    assert estado(caso) == Estado.DICTAMINADO


def test_responde_el_importador_con_sus_documentos() -> None:
    caso = crear_caso()
    observar(caso)
    archivo = ArchivoNuevo("original.pdf", "application/pdf", b"%PDF-1.7", "0" * 64)
    observacion = responder(caso, archivos=[archivo])
    evento = caso.expediente.bitacora.get(accion="responder")
    assert (evento.origen, evento.actor, evento.de, evento.a) == ("importador", None, "observado", "registrado")
    assert [adjunto.nombre for adjunto in observacion.adjuntos.all()] == ["original.pdf"]
    assert avisos(caso) == ["registrada", "observada", "respondida"]
    with pytest.raises(EstadoImpide):
        responder(caso)


def test_una_respuesta_vacia_no_responde_y_mesa_responde_por_el() -> None:
    caso = crear_caso()
    observar(caso)
    with pytest.raises(DatoInvalido):
        incidencias.responder(expediente=caso.expediente, actor=None, respuesta="  ")
    responder(caso, actor=caso.personas["mesa"])
    assert caso.expediente.bitacora.get(accion="responder").actor == caso.personas["mesa"]
    with pytest.raises(RolImpide):
        incidencias.observar(
            expediente=caso.expediente, actor=caso.personas["mesa"], puntos="x", vence_en=date(2030, 1, 1),
            motivo="faltan-documentos", texto="x",
        )  # fmt: skip


def test_dos_observaciones_a_la_vez_no_caben() -> None:
    caso = crear_caso()
    observacion = observar(caso)
    with pytest.raises(EstadoImpide, match="ya está observado"):
        observar(caso)
    with pytest.raises(IntegrityError), transaction.atomic():
        type(observacion).objects.create(
            expediente=caso.expediente, puntos="otra", vence_en=date(2030, 1, 1), observada_en=timezone.now(),
            observada_por=caso.inspector,
        )  # fmt: skip


def test_el_recordatorio_llega_una_vez_y_dos_dias_antes() -> None:
    with reloj.fijado(LUNES):
        caso = crear_caso(hace=timedelta(0))
        observar(caso, vence_en=date(2026, 8, 17))
        assert incidencias.recordar_observaciones() == 0
    with reloj.fijado(LUNES + timedelta(days=5)):
        assert (incidencias.recordar_observaciones(), incidencias.recordar_observaciones()) == (1, 0)
    assert avisos(caso).count("observacion_por_vencer") == 1
    texto = Notificacion.objects.get(aviso="observacion_por_vencer").texto
    assert "1. Falta el certificado original" in texto
    assert "lunes 17 de agosto" in texto


def test_no_presentada_suspende_hasta_la_nueva_fecha() -> None:
    with reloj.fijado(LUNES):
        caso = crear_caso("programado", hace=timedelta(hours=1), producto="maiz-amarillo-duro", origen="US")
        partida = caso.partidas[0]
    with reloj.fijado(LUNES + timedelta(hours=24)):
        casos.no_presentada(partida=partida, actor=caso.inspector, texto="El contenedor seguía en la nave.")
    partida.refresh_from_db()
    assert (partida.estado, partida.cita_en, partida.vence_en) == (Estado.REGISTRADO, None, None)
    with pytest.raises(EstadoImpide, match="programada"):
        casos.no_presentada(partida=partida, actor=caso.inspector)
    with reloj.fijado(LUNES + timedelta(hours=72)):  # Thursday
        casos.programar(
            partida=partida, actor=caso.inspector, cita_en=LUNES + timedelta(hours=96), terminal="Muelle Norte"
        )
    partida.refresh_from_db()
    assert partida.no_presentada_en is None
    assert timezone.localdate(partida.vence_en) == date(2026, 8, 14)  # Wednesday, and two business days more
    assert avisos(caso)[-2:] == ["no_presentada", "programada"]


# ── The ways a case ends before its decision ──────────────────────────────────────────────────────


def test_el_abandono_espera_a_que_venza_el_plazo() -> None:
    with reloj.fijado(LUNES):
        caso = crear_caso(hace=timedelta(0))
        observar(caso, vence_en=date(2026, 8, 17))
    jefe, dicho = caso.personas["jefe"], {"motivo": "sin-respuesta", "texto": "No respondió."}
    with reloj.fijado(LUNES + timedelta(days=7)), pytest.raises(EstadoImpide, match="17/08/2026"):
        incidencias.abandonar(expediente=caso.expediente, actor=jefe, **dicho)
    with reloj.fijado(LUNES + timedelta(days=8)):
        with pytest.raises(RolImpide):
            incidencias.abandonar(expediente=caso.expediente, actor=caso.inspector, **dicho)
        incidencias.abandonar(expediente=caso.expediente, actor=jefe, **dicho)
    assert (estado(caso), caso.expediente.vence_en, caso.expediente.observacion) == (Estado.ABANDONADO, None, None)
    with pytest.raises(EstadoImpide):
        responder(caso)
    with pytest.raises(EstadoImpide, match="En abandono"):
        casos.programar(
            partida=caso.partidas[0], actor=caso.inspector, cita_en=timezone.now() + timedelta(days=1), terminal="x"
        )


def test_desistir_suelta_el_trabajo_del_laboratorio(certificado: Any) -> None:
    caso = crear_caso("verificado")  # in its grace time: about to be signed by the machine
    incidencias.desistir(
        expediente=caso.expediente, actor=None, motivo="reembarque-voluntario", texto="La carga se va a Chile."
    )
    informe = Informe.objects.get()
    assert (estado(caso), informe.estado) == (Estado.DESISTIDO, EstadoInforme.ANULADO)
    with reloj.fijado(timezone.now() + timedelta(hours=2)):
        assert (firmas.firmar_informe(informe_id=informe.pk), firmas.barrer_informes()) == (None, 0)
    assert not Documento.objects.exists()
    assert avisos(caso)[-1] == "desistido"
    assert Enlace.objects.get().vence_en is not None


def test_una_muestra_en_camino_llega_aunque_el_caso_haya_terminado() -> None:
    caso = crear_caso("en_laboratorio")
    incidencias.anular(
        expediente=caso.expediente, actor=caso.personas["jefe"], motivo="carga-no-llego", texto="Se quedó a bordo."
    )
    assert set(Analisis.objects.values_list("estado", flat=True)) == {EstadoAnalisis.CANCELADO}
    avanzar_hasta(caso, "recibido")
    muestra = Muestra.objects.get()
    assert muestra.estado == EstadoMuestra.RECIBIDA
    laboratorio.rechazar(
        muestra=muestra, actor=caso.personas["recepcion"], motivo="sin-identificacion", texto="El caso terminó."
    )
    assert (estado(caso), caso.partidas[0].estado) == (Estado.ANULADO, Estado.EN_LABORATORIO)


def test_el_importador_anula_solo_antes_de_la_primera_muestra() -> None:
    dicho = {"actor": None, "motivo": "error-de-registro", "texto": "Puse otro permiso."}
    caso = crear_caso("en_inspeccion")
    incidencias.anular(expediente=caso.expediente, **dicho)
    assert estado(caso) == Estado.ANULADO
    otro = crear_caso("muestreado")
    with pytest.raises(EstadoImpide, match="desistimiento"):
        incidencias.anular(expediente=otro.expediente, **dicho)
    jefe = otro.personas["jefe"]
    incidencias.anular(expediente=otro.expediente, actor=jefe, motivo="error-de-registro", texto="x")
    assert Muestra.objects.get().estado == EstadoMuestra.ANULADA


def test_tras_el_ultimo_dictamen_ya_no_se_anula_ni_se_desiste(certificado: Any) -> None:
    caso = crear_caso("dictaminado")
    for acto, motivo in ((incidencias.anular, "otra-entidad"), (incidencias.desistir, "otro-destino")):
        with pytest.raises(EstadoImpide):
            acto(expediente=caso.expediente, actor=caso.personas["jefe"], motivo=motivo, texto="x")


def test_duplicado_nombra_al_que_sigue() -> None:
    caso, sigue = crear_caso(), crear_caso()
    anular = {"expediente": caso.expediente, "actor": caso.personas["jefe"], "motivo": "duplicado", "texto": "x"}
    for malo in (None, caso.expediente):
        with pytest.raises(DatoInvalido):
            incidencias.anular(**anular, superviviente=malo)
    incidencias.anular(**anular, superviviente=sigue.expediente)
    assert (estado(caso), caso.expediente.duplicado_de) == (Estado.ANULADO, sigue.expediente)
    assert sigue.expediente.numero in Notificacion.objects.get(aviso="anulado").texto
    # Two that name each other would leave nobody's case.
    with pytest.raises(DatoInvalido):
        incidencias.anular(**(anular | {"expediente": sigue.expediente}), superviviente=caso.expediente)


# ── Samples that do not make it, and a report on an early positive ────────────────────────────────


def test_muestra_perdida_nueva_toma_y_hasta_el_final(certificado: Any) -> None:
    caso = crear_caso("en_laboratorio")
    laboratorio.perder(
        muestra=Muestra.objects.get(), actor=caso.personas["recepcion"], motivo="no-llego", texto="Nunca llegó."
    )
    assert (estado(caso), Informe.objects.get().estado) == (Estado.EN_INSPECCION, EstadoInforme.ANULADO)
    caso._dados = 2  # type: ignore[attr-defined]
    avanzar_hasta(caso, "cerrado")
    assert estado(caso) == Estado.CERRADO
    assert set(Muestra.objects.values_list("estado", flat=True)) == {EstadoMuestra.PERDIDA, EstadoMuestra.ANALIZADA}


def test_de_dos_envios_uno_se_pierde_y_el_otro_basta(certificado: Any) -> None:
    caso = crear_caso("en_laboratorio")
    avanzar_hasta(caso, "verificado")
    partida = caso.partidas[0]
    muestra = laboratorio.tomar_muestra(
        partida=partida, actor=caso.inspector, precinto="Z-9", conservacion="ambiente", cantidad=1, unidad="kg"
    )
    ensayos = [(uno.metodo, uno.plaga) for uno in laboratorio.requisitos_de(partida)]
    laboratorio.enviar(partida=partida, actor=caso.inspector, ensayos=ensayos)  # a second dispatch from the same line
    caso._dados = 9  # type: ignore[attr-defined]
    avanzar_hasta(caso, "resultado_emitido")
    assert estado(caso) == Estado.EN_LABORATORIO  # the second one is still out
    muestra.refresh_from_db()
    laboratorio.perder(muestra=muestra, actor=caso.personas["recepcion"], motivo="no-llego", texto="Nunca llegó.")
    assert estado(caso) == Estado.RESULTADO_EMITIDO


def test_se_anula_una_muestra_que_no_ha_salido_y_se_toma_otra() -> None:
    caso = crear_caso("muestreado")
    muestra = Muestra.objects.get()
    laboratorio.anular_muestra(muestra=muestra, actor=caso.inspector, motivo="mal-tomada", texto="Sin rótulo.")
    ensayos = [(uno.metodo, uno.plaga) for uno in laboratorio.requisitos_de(caso.partidas[0])]
    with pytest.raises(EstadoImpide, match="tome la muestra"):
        laboratorio.enviar(partida=caso.partidas[0], actor=caso.inspector, ensayos=ensayos)
    caso._dados = 2  # type: ignore[attr-defined]
    avanzar_hasta(caso, "en_laboratorio")
    assert Analisis.objects.filter(muestra=muestra).count() == 0


@pytest.fixture
def con_positivo_temprano(certificado: Any) -> Caso:
    """Two analyses of one sample: the first one positive and verified, the other on the bench."""
    caso = crear_caso("en_proceso", producto="semilla-de-maiz", origen="RS", valor="positivo")
    primero = caso.analisis[0]
    laboratorio.registrar(analisis=primero, actor=primero.analista, valor="positivo", plaga=primero.plaga)
    for vez in range(primero.metodo.verificaciones):
        laboratorio.verificar(analisis=primero, actor=caso.verificadores[vez])
    return caso


def test_informe_parcial_sobre_un_positivo_temprano(con_positivo_temprano: Caso, client: Client) -> None:
    caso, informe = con_positivo_temprano, Informe.objects.get()
    director = caso.personas["director"]
    dicho = {"motivo": "positivo-temprano", "texto": "Basta con este."}
    otro = caso.analisis[1]
    cuantos = len(caso.analisis) - 1
    assert laboratorio.emitir_parcial(informe=informe, actor=director, **dicho) == cuantos
    informe.refresh_from_db()
    assert (informe.estado, informe.parcial) == (EstadoInforme.POR_FIRMAR, True)
    otro.refresh_from_db()
    assert otro.estado == EstadoAnalisis.CANCELADO
    # Outside the laboratory nothing tells it from a negative that is about to be signed.
    client.force_login(caso.inspector)
    pagina = client.get(reverse("expediente", args=[caso.expediente.numero])).content.decode()
    assert "ancelado" not in pagina
    assert "nforme en emisión" in pagina
    firmas.ordenar_firma(informe=informe, actor=director)
    documento = firmas.firmar_informe(informe_id=informe.pk)
    assert documento is not None
    assert (documento.conclusion, estado(caso)) == ("positivo", Estado.RESULTADO_EMITIDO)


def test_sin_positivo_verificado_no_hay_informe_parcial(certificado: Any) -> None:
    caso = crear_caso("con_resultado", producto="semilla-de-maiz", origen="RS", valor="positivo")
    informe, dicho = Informe.objects.get(), {"motivo": "positivo-temprano", "texto": "x"}
    with pytest.raises(EstadoImpide, match="verificado"):
        laboratorio.emitir_parcial(informe=informe, actor=caso.personas["director"], **dicho)
    positivo = next(uno for uno in caso.analisis if uno.resultado and uno.resultado.valor == "positivo")
    with pytest.raises(EstadoImpide, match="no es negativo"):
        laboratorio.cancelar(analisis=positivo, actor=caso.personas["director"], **dicho)
    with pytest.raises(RolImpide):
        laboratorio.cancelar(analisis=caso.analisis[1], actor=caso.personas["verificador"], **dicho)


def test_devuelto_por_el_director_se_rehace_y_se_verifica_de_nuevo(certificado: Any) -> None:
    caso = crear_caso("verificado", valor="positivo")
    informe, director = Informe.objects.get(), caso.personas["director"]
    dicho = {"motivo": "plaga-por-confirmar", "texto": "La foto no alcanza."}
    with pytest.raises(DatoInvalido):
        reversiones.devolver(informe=informe, actor=director, analisis=[], **dicho)
    with pytest.raises(RolImpide):
        reversiones.devolver(informe=informe, actor=caso.verificadores[0], analisis=caso.analisis, **dicho)
    reversiones.devolver(informe=informe, actor=director, analisis=caso.analisis, **dicho)
    informe.refresh_from_db()
    assert (informe.estado, caso.analisis[0].estado) == (EstadoInforme.BORRADOR, EstadoAnalisis.EN_PROCESO)
    caso.valor = "negativo"
    caso._dados = 7  # type: ignore[attr-defined]
    avanzar_hasta(caso, "verificado")
    informe.refresh_from_db()
    assert informe.estado == EstadoInforme.POR_FIRMAR  # it was positive once: never for the machine
    assert [resultado.vigente for resultado in caso.analisis[0].resultados.order_by("pk")] == [False, True]


def test_un_ensayo_se_repite_antes_de_tener_resultado(certificado: Any) -> None:
    caso = crear_caso("en_proceso")
    analisis = caso.analisis[0]
    otro = next(gente for nombre, gente in caso.personas.items() if "analista" in nombre and gente != analisis.analista)
    dicho = {"motivo": "control-fallido", "texto": "El control positivo no amplificó."}
    with pytest.raises(RolImpide):
        laboratorio.repetir(analisis=analisis, actor=otro, **dicho)
    laboratorio.repetir(analisis=analisis, actor=analisis.analista, **dicho)
    assert Evento.objects.get(accion="repetir").motivo == "control-fallido"
    avanzar_hasta(caso, "con_resultado")
    analisis.refresh_from_db()
    with pytest.raises(EstadoImpide):
        laboratorio.repetir(analisis=analisis, actor=analisis.analista, **dicho)


def test_la_contramuestra_se_guarda_con_el_informe_fuera_y_se_elimina_con_acta(certificado: Any) -> None:
    caso = crear_caso("verificado")
    muestra, recepcion = Muestra.objects.get(), caso.personas["recepcion"]
    with pytest.raises(EstadoImpide, match="aún no sale"):
        laboratorio.guardar_contramuestra(muestra=muestra, actor=recepcion, lugar="Cámara 2", hasta=date(2099, 1, 1))
    avanzar_hasta(caso, "resultado_emitido")
    hoy = timezone.localdate()
    laboratorio.guardar_contramuestra(muestra=muestra, actor=recepcion, lugar="Cámara 2", hasta=hoy)
    como = {"muestras": [muestra], "actor": recepcion, "testigo": "Otra persona", "metodo": "autoclave"}
    with pytest.raises(EstadoImpide, match="se guarda hasta"):
        contramuestras.eliminar_varias(**como)
    with reloj.fijado(timezone.now() + timedelta(days=1)):
        acta = contramuestras.eliminar_varias(**como)
    muestra.refresh_from_db()
    assert (acta.numero[:3], muestra.acta) == ("AE-", acta)
    assert muestra.estado == EstadoMuestra.ELIMINADA


# ── Lines one by one, treatment, quarantine ───────────────────────────────────────────────────────


def test_un_motivo_de_rechazo_no_deja_ingresar() -> None:
    caso = crear_caso("registrado")
    for decision in ("ingreso", "condicionado"):
        with pytest.raises(DatoInvalido) as objecion:
            casos.dictaminar_sin_muestra(
                partida=caso.partidas[0], actor=caso.inspector, decision=decision, motivo="documentos-no-conformes",
                texto="Todo en orden.",
            )  # fmt: skip
        assert list(objecion.value.error_dict) == ["motivo"]
    assert estado(caso) == Estado.REGISTRADO


def test_las_partidas_se_deciden_una_por_una(certificado: Any) -> None:
    caso = crear_caso("registrado", partidas=2)
    primera, segunda = caso.partidas
    conforme = dict.fromkeys(("documentaria", "identidad", "fisica"), "conforme")
    casos.inspeccionar(partida=primera, actor=caso.inspector, **conforme)
    dictamen = casos.dictaminar_sin_muestra(
        partida=primera, actor=caso.inspector, decision="ingreso", motivo="no-requiere-muestreo", texto="No lo pide."
    )
    assert casos.emitir_riv(dictamen_id=dictamen.pk)
    primera.refresh_from_db()
    assert (primera.estado, estado(caso)) == (Estado.DICTAMINADO, Estado.REGISTRADO)  # the clean one is out already
    assert casos.pendientes_de_cierre(caso.expediente) == ["partida 2 (Uva fresca): dictaminar"]
    with pytest.raises(EstadoImpide):
        casos.cerrar(expediente=caso.expediente, actor=caso.inspector)
    incidencias.desistir(
        expediente=caso.expediente, actor=caso.personas["jefe"], motivo="otro-destino", texto="Solo por la segunda."
    )
    assert Dictamen.objects.get().riv is not None  # what was decided stays decided
    segunda.refresh_from_db()
    assert segunda.estado == Estado.REGISTRADO


def test_tratamiento_nueva_toma_y_dictamen_final(certificado: Any) -> None:
    caso = crear_caso("en_medida", valor="positivo", decision="condicionado")
    partida = caso.partidas[0]
    casos.cumplir_medida(partida=partida, actor=caso.inspector, acta="FUM-12", nueva_toma=True)
    assert estado(caso) == Estado.EN_INSPECCION
    caso.valor, caso.decision, caso._dados = "negativo", "ingreso", 2  # type: ignore[attr-defined]
    avanzar_hasta(caso, "resultado_emitido")
    # The first report found the pest, and stays in force as what it is: it says nothing of the treated goods.
    primero, segundo = Documento.objects.filter(tipo="informe")
    assert (primero.conclusion, primero.estado, segundo.conclusion) == ("positivo", "vigente", "negativo")
    assert casos.informes_vigentes(partida) == [segundo]
    avanzar_hasta(caso, "cerrado")
    condicionado, ingreso = Dictamen.objects.order_by("pk")
    assert (ingreso.decision, list(ingreso.informes.all())) == ("ingreso", [segundo])
    assert list(condicionado.informes.all()) == [primero]  # the version behind a decision never changes
    viejo, nuevo = Documento.objects.filter(tipo="riv")
    assert (viejo.estado, nuevo.estado, nuevo.reemplaza) == ("reemplazado", "vigente", viejo)
    assert estado(caso) == Estado.CERRADO


def test_sobre_el_primer_informe_no_cabe_el_ingreso(certificado: Any) -> None:
    caso = crear_caso("resultado_emitido", valor="positivo")
    with pytest.raises(DatoInvalido):
        casos.dictaminar(partida=caso.partidas[0], actor=caso.inspector, decision="ingreso", fundamento="x")


def test_posentrada_cierra_el_caso_y_se_sigue_aparte(certificado: Any, client: Client) -> None:
    caso = crear_caso("con_riv")
    casos.ordenar_medida(
        partida=caso.partidas[0], actor=caso.inspector, tipo=Medida.Tipo.POSENTRADA, vence_en=date(2030, 6, 30)
    )
    assert estado(caso) == Estado.EN_MEDIDA
    casos.cerrar(expediente=caso.expediente, actor=caso.inspector)
    assert (estado(caso), caso.partidas[0].estado) == (Estado.CERRADO, Estado.EN_MEDIDA)
    client.force_login(caso.inspector)
    assert caso.expediente.numero in client.get(reverse("posentrada")).content.decode()
    casos.cumplir_medida(partida=caso.partidas[0], actor=caso.inspector, acta="PE-1")
    assert (estado(caso), caso.partidas[0].estado) == (Estado.CERRADO, Estado.DICTAMINADO)
    assert caso.expediente.numero not in client.get(reverse("posentrada")).content.decode()


def test_otra_medida_pendiente_no_deja_cerrar(certificado: Any) -> None:
    caso = crear_caso("en_medida", valor="positivo")
    with pytest.raises(EstadoImpide, match="cumplir la medida"):
        casos.cerrar(expediente=caso.expediente, actor=caso.inspector)
    with reloj.fijado(timezone.now() + timedelta(days=2)):
        assert casos.cerrar_listos() == 0


# ── Opening again ─────────────────────────────────────────────────────────────────────────────────


def test_reabrir_para_dictaminar_de_nuevo(certificado: Any) -> None:
    caso = crear_caso("cerrado")
    assert Enlace.objects.get().vence_en is not None
    abrir = {"expediente": caso.expediente, "partidas": caso.partidas, "motivo": "error-en-el-dictamen", "texto": "x"}
    with pytest.raises(RolImpide):
        incidencias.reabrir(**abrir, actor=caso.inspector)
    incidencias.reabrir(**abrir, actor=caso.personas["jefe"])
    assert (estado(caso), caso.partidas[0].estado) == (Estado.RESULTADO_EMITIDO,) * 2
    assert Enlace.objects.get().vence_en is None
    caso._dados = 10  # type: ignore[attr-defined]
    avanzar_hasta(caso, "cerrado")
    assert [riv.estado for riv in Documento.objects.filter(tipo="riv")] == ["reemplazado", "vigente"]
    assert Evento.objects.filter(accion="cerrar").count() == 2


def test_reabrir_para_inspeccionar_de_nuevo(certificado: Any) -> None:
    caso = crear_caso("cerrado", partidas=2)
    incidencias.reabrir(
        expediente=caso.expediente, partidas=caso.partidas[1:], motivo="pedido-del-importador", texto="x",
        actor=caso.personas["jefe"], a_inspeccion=True,
    )  # fmt: skip
    assert [partida.estado for partida in caso.partidas] == [Estado.DICTAMINADO, Estado.EN_INSPECCION]
    assert estado(caso) == Estado.EN_INSPECCION
    assert casos.informes_vigentes(caso.partidas[1]) == []
    assert len(casos.informes_vigentes(caso.partidas[0])) == 1


def test_sin_informe_no_se_reabre_para_dictaminar(certificado: Any) -> None:
    caso = crear_caso("en_inspeccion")
    dictamen = casos.dictaminar_sin_muestra(
        partida=caso.partidas[0], actor=caso.inspector, decision="ingreso", motivo="no-requiere-muestreo", texto="x"
    )
    casos.emitir_riv(dictamen_id=dictamen.pk)
    casos.cerrar(expediente=caso.expediente, actor=caso.inspector)
    with pytest.raises(DatoInvalido):
        incidencias.reabrir(
            expediente=caso.expediente, partidas=caso.partidas, motivo="mandato", texto="x",
            actor=caso.personas["jefe"],
        )  # fmt: skip
    assert estado(caso) == Estado.CERRADO


# ── Between posts, and another broker ─────────────────────────────────────────────────────────────


def test_traslado_ofrecido_y_aceptado() -> None:
    caso = crear_caso("programado")
    aqui, alla = jefe_de("PCM"), jefe_de("PCA")
    numero, expediente = caso.expediente.numero, caso.expediente
    assert not Expediente.objects.visibles_para(alla).exists()
    incidencias.trasladar(expediente=expediente, actor=aqui, a_puesto=alla.puestos.get(), texto="Va allá.")
    assert (expediente.puesto.codigo, list(Expediente.objects.visibles_para(alla))) == ("PCM", [expediente])
    with pytest.raises(RolImpide):
        incidencias.aceptar_traslado(expediente=expediente, actor=aqui)
    with pytest.raises(EstadoImpide, match="ya está ofrecido"):
        incidencias.trasladar(expediente=expediente, actor=aqui, a_puesto=alla.puestos.get(), texto="Otra vez.")
    incidencias.aceptar_traslado(expediente=expediente, actor=alla)
    expediente.refresh_from_db()
    assert (expediente.numero, expediente.puesto.codigo) == (numero, "PCA")
    aereo = caso.personas["inspector.aereo"]
    conforme = dict.fromkeys(("documentaria", "identidad", "fisica"), "conforme")
    with pytest.raises(RolImpide):
        casos.inspeccionar(partida=caso.partidas[0], actor=caso.personas["inspector"], **conforme)
    casos.inspeccionar(partida=caso.partidas[0], actor=aereo, **conforme)
    for usuario in (aereo, caso.personas["inspector"], aqui, alla):  # both posts go on reading it
        assert list(Expediente.objects.visibles_para(usuario)) == [expediente]
    assert avisos(caso)[-2:] == ["trasladado", "inspeccionada"]


def test_un_caso_ofrecido_dice_de_quien_sigue_siendo(client: Client) -> None:
    """It is worked on where it is until the other post accepts: the row and the page say so to both."""
    caso = crear_caso("programado")
    aqui, alla = jefe_de("PCM"), jefe_de("PCA")
    incidencias.trasladar(expediente=caso.expediente, actor=aqui, a_puesto=alla.puestos.get(), texto="Va allá.")
    client.force_login(caso.personas["inspector"])
    tablero = client.get(reverse("tablero")).content.decode()
    assert "ofrecido a PCA; mientras no acepte, sigue siendo de PCM" in tablero
    url = reverse("expediente", args=[caso.expediente.numero])
    puesto = caso.expediente.puesto
    assert f"Mientras su jefe no lo acepte, sigue siendo del {puesto}" in client.get(url).content.decode()
    client.force_login(alla)
    assert f"Mientras no lo acepte sigue siendo del {puesto}, que lo ofrece" in client.get(url).content.decode()


def test_traslado_rechazado_queda_donde_estaba() -> None:
    caso = crear_caso()
    aqui, alla = jefe_de("PCM"), jefe_de("PCA")
    ofrecer = {"expediente": caso.expediente, "actor": aqui, "texto": "Va allá."}
    with pytest.raises(DatoInvalido):
        incidencias.trasladar(**ofrecer, a_puesto=aqui.puestos.get())
    incidencias.trasladar(**ofrecer, a_puesto=alla.puestos.get())
    with pytest.raises(DatoInvalido):
        incidencias.rechazar_traslado(expediente=caso.expediente, actor=alla, texto="")
    incidencias.rechazar_traslado(expediente=caso.expediente, actor=alla, texto="No tenemos frío.")
    with pytest.raises(EstadoImpide, match="ya no está ofrecido"):
        incidencias.aceptar_traslado(expediente=caso.expediente, actor=alla)
    incidencias.trasladar(**ofrecer, a_puesto=alla.puestos.get())
    assert caso.expediente.traslados.count() == 2


def test_cambio_de_agente_mata_los_enlaces_del_anterior() -> None:
    anterior = AgenteAduana.objects.create(
        tipo_documento="ruc", numero_documento="20999900039", nombre="Despachos Uno", correo="uno@aduana.example"
    )
    caso = crear_caso(agente=anterior)
    suyo = Enlace.objects.get(correo="uno@aduana.example")
    token = enlaces.token(suyo)
    nuevo = AgenteAduana(
        tipo_documento="ruc", numero_documento="20999900021", nombre="Despachos Dos", correo="dos@aduana.example"
    )
    cambiar = {
        "expediente": caso.expediente, "actor": caso.personas["mesa"], "agente": nuevo,
        "poder_desde": date(2026, 1, 1), "poder_hasta": date(2027, 1, 1),
    }  # fmt: skip
    incidencias.cambiar_agente(**cambiar)
    assert enlaces.abrir(token) is None
    caso.expediente.refresh_from_db()
    assert (caso.expediente.agente.nombre, caso.expediente.poder_hasta) == ("Despachos Dos", date(2027, 1, 1))
    debidas = {(una.aviso, una.correo): una for una in Notificacion.objects.exclude(aviso="registrada")}
    assert set(debidas) == {
        ("agente_cambiado", "importador0@empresa.example"), ("agente_cambiado", "dos@aduana.example"),
        ("agente_retirado", "uno@aduana.example"),
    }  # fmt: skip
    despedida = debidas["agente_retirado", "uno@aduana.example"]
    assert despedida.enlace is None
    assert "Ver en qué etapa" not in despedida.texto
    with pytest.raises(DatoInvalido):
        incidencias.cambiar_agente(**cambiar)
    incidencias.cambiar_agente(expediente=caso.expediente, actor=caso.personas["mesa"], agente=None)
    assert enlaces.abrir(enlaces.token(Enlace.objects.get(correo="dos@aduana.example"))) is None


# ── Typed late ────────────────────────────────────────────────────────────────────────────────────


def test_lo_registrado_tarde_pide_motivo_y_se_ve(client: Client) -> None:
    caso = crear_caso(hace=timedelta(days=6))
    hace_tres_dias = (timezone.now() - timedelta(days=3)).replace(second=0, microsecond=0)
    with pytest.raises(DatoInvalido) as sin_motivo:
        casos.programar(
            partida=caso.partidas[0], actor=caso.inspector, cita_en=timezone.now() + timedelta(hours=2),
            terminal="Muelle", ocurrio_en=hace_tres_dias,
        )  # fmt: skip
    assert set(sin_motivo.value.error_dict) == {"texto"}
    observar(caso, ocurrio_en=hace_tres_dias)
    evento = caso.expediente.bitacora.get(accion="observar")
    assert evento.ocurrio_en == hace_tres_dias
    with pytest.raises(DatoInvalido):  # an answer cannot come before what it answers
        responder(caso, actor=caso.personas["mesa"], ocurrio_en=hace_tres_dias - timedelta(days=1), texto="x")
    client.force_login(caso.inspector)
    pagina = client.get(reverse("expediente", args=[caso.expediente.numero])).content.decode()
    assert "Registrado 3 d" in pagina


# ── The pages ─────────────────────────────────────────────────────────────────────────────────────


def test_las_paginas_de_los_actos_del_caso(client: Client, certificado: Any) -> None:
    """Each act by its page: what it offers, a form sent empty, and the same one sent well."""
    gente = personas()
    caso = crear_caso("en_inspeccion")
    numero = caso.expediente.numero
    pasos: list[tuple[str, str, dict[str, Any], str]] = [
        ("inspector", "observar", {"puntos": "Falta x", "vence_en": "2030-01-01", "motivo": "faltan-documentos",
                                   "texto": "Se revisó."}, "observado"),
        ("mesa", "responder", {"respuesta": "Aquí está.",
                               "archivos": ContentFile(b"%PDF-1.4 no es", name="a.pdf")}, "observado"),
        ("mesa", "responder", {"respuesta": "Aquí está."}, "en_inspeccion"),
        ("jefe", "trasladar", {"a_puesto": Puesto.objects.get(codigo="PCA").pk, "texto": "Va allá."}, "en_inspeccion"),
        ("jefe", "aceptar_traslado", {}, "en_inspeccion"),
        ("mesa", "cambiar_agente", {"agente_tipo": "ruc", "agente_numero": "20999900021", "agente_nombre": "Dos",
                                    "agente_correo": "dos@aduana.example"}, "en_inspeccion"),
        ("jefe", "anular", {"motivo": "duplicado", "texto": "x", "superviviente": "PCM-2026-999999"}, "en_inspeccion"),
        ("jefe", "desistir", {"motivo": "otro-destino", "texto": "Se va."}, "desistido"),
    ]  # fmt: skip
    for quien, acto, datos, despues in pasos:
        client.force_login(gente[quien])
        url = reverse(f"expediente_{acto}", args=[numero])
        assert client.get(url).status_code == 200, acto
        if datos:
            assert client.post(url, {}).status_code == 422, acto
        client.post(url, datos)
        assert estado(caso) == despues, acto
    client.force_login(gente["jefe"])
    respuesta = client.post(reverse("expediente_desistir", args=[numero]), {"motivo": "otro-destino", "texto": "x"})
    assert respuesta.status_code == 409
    pagina = client.get(reverse("expediente", args=[numero])).content.decode()
    assert "Desistido" in pagina
    assert reverse("expediente_anular", args=[numero]) not in pagina


@pytest.mark.parametrize("hasta", ["observado", "abandonado", "desistido", "anulado", "no_presentada", "perdida"])
def test_todo_estado_se_lee_en_tablero_caso_atencion_y_seguimiento(client: Client, hasta: str) -> None:
    """A case in any of the new states has its pages, for staff and for its importer, and its paragraph to say aloud."""
    caso = crear_caso("en_laboratorio" if hasta == "perdida" else "programado")
    expediente, jefe = caso.expediente, caso.personas["jefe"]
    dicho = {"expediente": expediente, "actor": jefe, "texto": "Lo que pasó."}
    match hasta:
        case "observado":
            observar(caso)
        case "abandonado":
            observar(caso, vence_en=timezone.localdate())
            with reloj.fijado(timezone.now() + timedelta(days=3)):
                incidencias.abandonar(**dicho, motivo="sin-respuesta")
        case "desistido":
            incidencias.desistir(**dicho, motivo="otro-destino")
        case "anulado":
            incidencias.anular(**dicho, motivo="duplicado", superviviente=crear_caso().expediente)
        case "no_presentada":
            casos.no_presentada(partida=caso.partidas[0], actor=caso.inspector)
        case "perdida":
            laboratorio.perder(
                muestra=Muestra.objects.get(), actor=caso.personas["recepcion"], motivo="no-llego", texto="x"
            )
    expediente.refresh_from_db()
    for usuario in ("inspector", "jefe", "mesa", "direccion", "director"):
        client.force_login(caso.personas[usuario])
        for url in (reverse("tablero"), reverse("expediente", args=[expediente.numero])):
            respuesta = client.get(url)
            assert respuesta.status_code == 200
            assert expediente.abierto == (expediente.numero in respuesta.content.decode()) or url != reverse("tablero")
    client.force_login(caso.personas["atencion"])
    relato = client.get(reverse("atencion"), {"q": expediente.numero}).content.decode()
    assert f"El expediente {expediente.numero}" in relato
    seguimiento = Client()
    pagina = seguimiento.get(reverse("seguimiento", args=[enlaces.token(Enlace.objects.first())]), follow=True)
    assert pagina.status_code == 200


def test_una_partida_decidida_espera_a_las_demas_sin_plazo(certificado: Any) -> None:
    with reloj.fijado(LUNES):
        caso = crear_caso(hace=timedelta(0), partidas=2, producto="maiz-amarillo-duro", origen="US")
        primera, segunda = caso.partidas
        decidir = {"actor": caso.inspector, "decision": "ingreso", "motivo": "no-requiere-muestreo", "texto": "x"}
        casos.dictaminar_sin_muestra(partida=primera, **decidir)
    assert [partida.vence_en is None for partida in caso.partidas] == [True, False]
    with reloj.fijado(LUNES + timedelta(days=2)):
        casos.dictaminar_sin_muestra(partida=segunda, **decidir)
    # The day to close begins with the last decision, for both.
    assert {timezone.localdate(partida.vence_en) for partida in caso.partidas} == {date(2026, 8, 13)}


def test_lo_que_paso_ayer_se_programa_y_no_se_presenta_ayer() -> None:
    caso = crear_caso(hace=timedelta(days=3))
    partida, ayer = caso.partidas[0], timezone.now() - timedelta(hours=20)
    casos.programar(
        partida=partida, actor=caso.inspector, cita_en=ayer + timedelta(hours=2), terminal="Muelle", ocurrio_en=ayer
    )
    aviso = Notificacion.objects.get(aviso="programada")
    assert "estuvo programada" in aviso.texto
    assert "tener la carga accesible" not in aviso.texto
    casos.no_presentada(partida=partida, actor=caso.inspector, ocurrio_en=ayer + timedelta(hours=3))
    (una,) = suspensiones(Evento.objects.filter(expediente=caso.expediente), partida.pk)
    assert una.desde == ayer + timedelta(hours=3)


def test_tras_perder_la_muestra_se_le_dice_al_importador(client: Client) -> None:
    caso = crear_caso("en_laboratorio")
    laboratorio.perder(
        muestra=Muestra.objects.get(), actor=caso.personas["recepcion"], motivo="no-llego", texto="Nunca llegó."
    )
    pagina = client.get(reverse("seguimiento", args=[enlaces.token(Enlace.objects.get())]), follow=True)
    assert "Hay que tomar otra muestra" in pagina.content.decode()

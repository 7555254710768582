"""States × acts × roles: the expected matrix is written from domain.md, section 3, not from the table."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from expedientes.lifecycle import EXPEDIENTE, PARTIDA, TABLAS, avanzar, permite
from expedientes.models import Estado, Evento, Expediente, Partida
from laboratorio.lifecycle import ANALISIS, INFORME, MUESTRA
from laboratorio.models import Analisis, EstadoAnalisis, EstadoInforme, EstadoMuestra
from notificaciones.models import Notificacion
from senasa.models import ROLES_DE_PERSONAS, Rol
from senasa.transicion import EstadoImpide, RolImpide
from tests.builders import crear_caso, personas

SIN_DECIDIR = {"registrado", "en_inspeccion", "en_laboratorio", "resultado_emitido"}
ABIERTOS = SIN_DECIDIR | {"en_medida", "dictaminado", "observado"}
TERMINADOS = {"cerrado", "abandonado", "desistido", "anulado"}
# «Lab staff step a sample or an analysis back during processing on their own authority.»
MESA_DE_ENSAYOS = {"recepcion", "analista", "verificador"}
# act: (states it starts from, where it leads, who) — "=" keeps the state; "sistema" is nobody's button.
ESPERADO = {
    "expediente": {
        "registrar": ({""}, "registrado", {"mesa_de_partes", "importador"}),
        "observar": (SIN_DECIDIR, "observado", {"inspector"}),
        "responder": ({"observado"}, "donde_estaba", {"importador", "mesa_de_partes"}),
        "abandonar": ({"observado"}, "abandonado", {"jefe_de_puesto"}),
        "desistir": (SIN_DECIDIR | {"observado"}, "desistido", {"importador", "jefe_de_puesto"}),
        "anular": (SIN_DECIDIR | {"observado"}, "anulado", {"importador", "jefe_de_puesto"}),
        "trasladar": (ABIERTOS, "=", {"jefe_de_puesto"}),
        "aceptar_traslado": (ABIERTOS, "=", {"jefe_de_puesto"}),
        "rechazar_traslado": (ABIERTOS, "=", {"jefe_de_puesto"}),
        "cambiar_agente": (ABIERTOS | TERMINADOS, "=", {"mesa_de_partes"}),
        # Issue 6, «assign, take, hand over»: whoever holds it hands it over, or the jefe.
        "asignar": (ABIERTOS, "=", {"jefe_de_puesto"}),
        "tomar": (ABIERTOS, "=", {"inspector"}),
        "pasar": (ABIERTOS, "=", {"inspector", "jefe_de_puesto"}),
        # From en_medida only while what is left is a post-entry quarantine.
        "cerrar": ({"dictaminado", "en_medida"}, "cerrado", {"inspector", "sistema"}),
        "reabrir": ({"cerrado"}, "resultado_emitido", {"jefe_de_puesto", "sistema"}),
        "reabrir_inspeccion": ({"cerrado"}, "en_inspeccion", {"jefe_de_puesto", "sistema"}),
    },
    "partida": {
        "programar": ({"registrado"}, "=", {"inspector"}),
        "no_presentada": ({"registrado"}, "=", {"inspector"}),
        "inspeccionar": ({"registrado"}, "en_inspeccion", {"inspector"}),
        "tomar_muestra": ({"en_inspeccion", "en_laboratorio"}, "=", {"inspector"}),
        # From en_laboratorio too: a sample taken there would otherwise never travel (README, Decisions).
        "enviar": ({"en_inspeccion", "en_laboratorio"}, "en_laboratorio", {"inspector"}),
        "emitir": ({"en_laboratorio"}, "resultado_emitido", {"sistema"}),
        # From resultado_emitido when the report was annulled and no other is left.
        "volver_a_muestrear": ({"en_laboratorio", "resultado_emitido"}, "en_inspeccion", {"sistema"}),
        "dictaminar": ({"resultado_emitido"}, "dictaminado", {"inspector"}),
        "dictaminar_sin_muestra": ({"registrado", "en_inspeccion"}, "dictaminado", {"inspector"}),
        "ordenar_medida": ({"dictaminado"}, "en_medida", {"inspector"}),
        "cumplir_medida": ({"en_medida"}, "dictaminado", {"inspector"}),
        "reinspeccionar": ({"en_medida"}, "en_inspeccion", {"inspector"}),
        "reabrir": ({"dictaminado", "en_medida"}, "resultado_emitido", {"jefe_de_puesto", "sistema"}),
        "reabrir_inspeccion": ({"dictaminado", "en_medida"}, "en_inspeccion", {"jefe_de_puesto", "sistema"}),
    },
    "muestra": {
        "rotular": ({"tomada"}, "=", {"inspector"}),
        "enviar": ({"tomada"}, "enviada", {"inspector"}),
        "recibir": ({"enviada"}, "recibida", {"recepcion"}),
        "rechazar": ({"enviada", "recibida"}, "rechazada", {"recepcion"}),
        "perder": ({"enviada", "recibida"}, "perdida", {"recepcion"}),
        "anular_muestra": ({"tomada"}, "anulada", {"inspector", "sistema"}),
        "comenzar": ({"recibida"}, "en_analisis", {"sistema"}),
        "descomenzar": ({"en_analisis"}, "recibida", {"sistema"}),
        "completar": ({"en_analisis"}, "analizada", {"sistema"}),
        # From the contramuestra when a result that was issued is done again.
        "retomar": ({"analizada", "contramuestra"}, "en_analisis", {"sistema"}),
        "guardar_contramuestra": ({"analizada"}, "contramuestra", {"recepcion"}),
        "pedir_dirimencia": ({"analizada", "contramuestra"}, "=", {"director"}),
        "levantar_dirimencia": ({"analizada", "contramuestra"}, "=", {"director"}),
        "eliminar": ({"contramuestra"}, "eliminada", {"recepcion"}),
        "revertir_recepcion": ({"recibida"}, "enviada", MESA_DE_ENSAYOS),
        "revertir_analisis": ({"en_analisis", "analizada"}, "recibida", MESA_DE_ENSAYOS),
        "revertir_contramuestra": ({"contramuestra"}, "analizada", MESA_DE_ENSAYOS),
    },
    "analisis": {
        "asignar": ({"pendiente", "asignado"}, "asignado", {"recepcion", "analista"}),
        "iniciar": ({"asignado"}, "en_proceso", {"analista"}),
        # Work that changes hands: an absence is covered without losing what was begun (issue 4, queues).
        "pasar": ({"asignado", "en_proceso"}, "=", {"recepcion", "analista", "director"}),
        "repetir": ({"en_proceso"}, "=", {"analista"}),
        "registrar": ({"en_proceso"}, "registrado", {"analista"}),
        "adjuntar": ({"registrado", "verificado"}, "=", {"analista"}),
        "verificar": ({"registrado"}, "=", {"verificador"}),
        "completar": ({"registrado"}, "verificado", {"sistema"}),
        "revertir": ({"registrado", "verificado"}, "en_proceso", {"analista", "verificador"}),
        "revertir_inicio": ({"en_proceso"}, "asignado", MESA_DE_ENSAYOS),
        "revertir_asignacion": ({"asignado"}, "pendiente", MESA_DE_ENSAYOS),
        "reiniciar": ({"asignado", "en_proceso", "registrado", "verificado"}, "pendiente", {"sistema"}),
        "devolver": ({"verificado"}, "en_proceso", {"director"}),
        "enmendar_resultado": ({"verificado"}, "en_proceso", {"director"}),
        "cancelar": ({"pendiente", "asignado", "en_proceso", "registrado"}, "cancelado", {"director", "sistema"}),
    },
    "informe": {
        "cerrar_fisico": ({"borrador"}, "cerrado", {"sistema"}),
        "programar_firma": ({"cerrado"}, "en_gracia", {"sistema"}),
        "derivar": ({"cerrado", "en_gracia", "firma_fallida"}, "por_firmar", {"sistema"}),
        "retener": ({"en_gracia"}, "por_firmar", {"analista", "verificador"}),
        "firmar": ({"en_gracia", "por_firmar", "firma_fallida"}, "firmando", {"director", "sistema"}),
        # domain.md, section 3: "signed outside and uploaded, with the same checks".
        "firmar_fuera": ({"por_firmar", "firma_fallida"}, "firmando_fuera", {"director"}),
        "dejar_de_firmar_fuera": ({"firmando_fuera"}, "por_firmar", {"director", "sistema"}),
        "subir_firmado": ({"firmando_fuera"}, "firmando", {"director"}),
        "devolver": ({"por_firmar"}, "borrador", {"director"}),
        "emitir": ({"firmando"}, "emitido", {"sistema"}),
        "fallar": ({"firmando"}, "firma_fallida", {"sistema"}),
        "reabrir": (
            {"cerrado", "en_gracia", "por_firmar", "firmando", "firmando_fuera", "firma_fallida"},
            "borrador",
            {"sistema"},
        ),
        "anular": (
            {"borrador", "cerrado", "en_gracia", "por_firmar", "firmando", "firmando_fuera", "firma_fallida"},
            "anulado",
            {"sistema"},
        ),
        "enmendar": ({"emitido"}, "por_firmar", {"director"}),
        "enmendar_resultado": ({"emitido"}, "borrador", {"director"}),
        "retirar_enmienda": (
            {"por_firmar", "firmando", "firmando_fuera", "firma_fallida"},
            "emitido",
            {"director", "sistema"},
        ),
        "corregir": ({"firmando"}, "emitido", {"sistema"}),
        "anular_emitido": ({"emitido"}, "anulado", {"director"}),
    },
}
MOTIVADAS = {
    ("expediente", "observar"), ("expediente", "abandonar"), ("expediente", "desistir"), ("expediente", "anular"),
    ("expediente", "reabrir"), ("expediente", "reabrir_inspeccion"), ("partida", "dictaminar_sin_muestra"),
    ("partida", "reabrir"), ("partida", "reabrir_inspeccion"), ("muestra", "rechazar"), ("muestra", "perder"),
    ("muestra", "anular_muestra"), ("analisis", "revertir"), ("analisis", "cancelar"),
    ("analisis", "repetir"), ("analisis", "devolver"), ("informe", "devolver"),
    ("muestra", "revertir_recepcion"), ("muestra", "revertir_analisis"), ("muestra", "revertir_contramuestra"),
    ("analisis", "revertir_inicio"), ("analisis", "revertir_asignacion"), ("analisis", "enmendar_resultado"),
    ("informe", "enmendar"), ("informe", "enmendar_resultado"), ("informe", "anular_emitido"),
}  # fmt: skip
AVISAN = {
    "registrar": "registrada", "observar": "observada", "responder": "respondida", "abandonar": "abandonado",
    "desistir": "desistido", "anular": "anulado", "aceptar_traslado": "trasladado",
    "cambiar_agente": "agente_cambiado", "reabrir": "reabierto", "reabrir_inspeccion": "reabierto",
    "no_presentada": "no_presentada", "programar": "programada", "inspeccionar": "inspeccionada", "enviar": "enviada",
    "emitir": "informe_emitido", "dictaminar": "dictamen", "dictaminar_sin_muestra": "dictamen",
    "ordenar_medida": "medida_ordenada", "cumplir_medida": "medida_cumplida", "reinspeccionar": "medida_cumplida",
    "cerrar": "cerrado",
}  # fmt: skip
ESTADOS = {
    "expediente": Estado.values, "partida": Estado.values, "muestra": EstadoMuestra.values,
    "analisis": EstadoAnalisis.values, "informe": EstadoInforme.values,
}  # fmt: skip


def test_tables_are_those_of_the_domain():
    tablas = {
        "expediente": EXPEDIENTE,
        "partida": PARTIDA,
        "muestra": MUESTRA,
        "analisis": ANALISIS,
        "informe": INFORME,
    }
    assert tablas == TABLAS
    leidas = {
        objeto: {accion: (set(t.de), "=" if t.a is None else t.a, set(t.rol)) for accion, t in tabla.items()}
        for objeto, tabla in tablas.items()
    }
    assert leidas == ESPERADO


def test_motives_and_notices_are_those_of_the_domain():
    motivadas = {(objeto, accion) for objeto, tabla in TABLAS.items() for accion, t in tabla.items() if t.motivada}
    assert motivadas == MOTIVADAS
    avisan = {
        accion: t.avisa for objeto in ("expediente", "partida") for accion, t in TABLAS[objeto].items() if t.avisa
    }
    assert avisan == AVISAN
    # Of the laboratory only what happens to an issued report is told: to whoever received it.
    del_laboratorio = {
        (objeto, accion): t.avisa
        for objeto in ("muestra", "analisis", "informe")
        for accion, t in TABLAS[objeto].items()
        if t.avisa
    }
    assert del_laboratorio == {
        ("informe", "enmendar_resultado"): "informe_en_revision",
        ("informe", "corregir"): "informe_corregido",
        ("informe", "anular_emitido"): "informe_anulado",
    }


@pytest.mark.django_db
@pytest.mark.parametrize("rol", ROLES_DE_PERSONAS)
def test_every_state_act_and_role(rol):
    """Every button, for every role, in every state of every object."""
    gente = personas()
    usuario = gente["inspector"]
    usuario.roles = [rol.value]
    puesto = usuario.puestos.get()
    for objeto, actos in ESPERADO.items():
        for estado in ESTADOS[objeto]:
            for accion, (desde, _a, roles) in actos.items():
                ofrecido = SimpleNamespace(a_puesto_id=puesto.pk)
                caso = SimpleNamespace(
                    estado=estado, expediente=SimpleNamespace(puesto_id=puesto.pk), traslado_ofrecido=ofrecido
                )
                puede = permite(caso, accion, usuario, tabla=TABLAS[objeto])
                assert puede == (estado in desde and rol.value in roles), (objeto, estado, accion, rol)


@pytest.mark.django_db
def test_an_act_at_another_post_is_refused():
    caso = crear_caso()
    partida = caso.partidas[0]
    with pytest.raises(RolImpide):
        avanzar(partida, "inspeccionar", tabla=PARTIDA, actor=caso.personas["inspector.aereo"])
    assert Partida.objects.get().estado == Estado.REGISTRADO


@pytest.mark.django_db
def test_a_system_act_is_nobodys():
    caso = crear_caso("en_laboratorio")
    for persona in caso.personas.values():
        with pytest.raises(RolImpide):
            avanzar(caso.partidas[0], "emitir", tabla=PARTIDA, actor=persona)
    with pytest.raises(RolImpide):
        avanzar(crear_caso("registrado").partidas[0], "inspeccionar", tabla=PARTIDA, actor=None)


@pytest.mark.django_db
def test_a_repeated_act_changes_and_sends_nothing():
    caso = crear_caso("en_inspeccion")
    partida = caso.partidas[0]
    antes = (Evento.objects.count(), Notificacion.objects.count())
    with pytest.raises(EstadoImpide):
        avanzar(partida, "inspeccionar", tabla=PARTIDA, actor=caso.inspector)
    assert (Evento.objects.count(), Notificacion.objects.count()) == antes


@pytest.mark.django_db
def test_the_whole_chain_negative(certificado):
    caso = crear_caso("cerrado")
    actos = list(Evento.objects.filter(expediente=caso.expediente, objeto="partida").values_list("accion", flat=True))
    assert actos == [
        "programar", "inspeccionar", "tomar_muestra", "enviar", "emitir", "dictaminar", "emitir_riv",
    ]  # fmt: skip
    assert caso.expediente.estado == Estado.CERRADO
    avisos = list(Notificacion.objects.order_by("id").values_list("aviso", flat=True))
    assert avisos == [
        "registrada", "programada", "inspeccionada", "enviada", "informe_emitido", "dictamen", "cerrado",
    ]  # fmt: skip


@pytest.mark.django_db
def test_the_whole_chain_positive_and_rejected(certificado):
    caso = crear_caso("cerrado", valor="positivo")
    assert caso.expediente.estado == Estado.CERRADO
    informe = caso.expediente.documentos.get(tipo="informe")
    assert (informe.firma, informe.conclusion) == ("director", "positivo")
    assert caso.partidas[0].dictamen.medidas.get().cumplida_en is not None


@pytest.mark.django_db
def test_the_case_shows_its_slowest_line(certificado):
    caso = crear_caso("registrado", partidas=2)
    primera, segunda = caso.partidas
    avanzar(primera, "inspeccionar", tabla=PARTIDA, actor=caso.inspector)
    assert Expediente.objects.get().estado == Estado.REGISTRADO
    avanzar(segunda, "inspeccionar", tabla=PARTIDA, actor=caso.inspector)
    assert Expediente.objects.get().estado == Estado.EN_INSPECCION


@pytest.mark.django_db
def test_analyses_are_seen_through_their_case():
    caso = crear_caso("en_laboratorio")
    assert Analisis.objects.visibles_para(caso.personas["inspector"]).exists()
    assert not Analisis.objects.visibles_para(caso.personas["inspector.aereo"]).exists()
    assert not Expediente.objects.visibles_para(caso.personas["analista"]).exists()


def test_only_lifecycle_writes_the_state():
    """`avanzar` alone moves a case, a line, a sample, an analysis or a report."""
    escrituras = []
    for app in ("senasa", "expedientes", "laboratorio", "indicadores", "gestion", "dashboard"):
        for archivo in Path(app).rglob("*.py"):
            if "migrations" in archivo.parts or archivo.as_posix() == "expedientes/lifecycle.py":
                continue
            for n, linea in enumerate(archivo.read_text().splitlines(), 1):
                if re.search(r"\.estado\s*=[^=]|\.estado,.*\s=\s|update\(.*\bestado=|setattr\(.*estado", linea):
                    escrituras.append(f"{archivo}:{n}: {linea.strip()}")
    # A published document is no life cycle: publishing its replacement marks the old one.
    assert [e for e in escrituras if not e.startswith("expedientes/documentos.py")] == []


def test_roles_of_the_table_exist():
    assert {rol for tabla in TABLAS.values() for t in tabla.values() for rol in t.rol} <= set(Rol.values)

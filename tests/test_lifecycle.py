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

# act: (states it starts from, where it leads, who) — "=" keeps the state; "sistema" is nobody's button.
ESPERADO = {
    "expediente": {
        "registrar": ({""}, "registrado", {"mesa_de_partes"}),
        "cerrar": ({"dictaminado"}, "cerrado", {"inspector", "sistema"}),
    },
    "partida": {
        "programar": ({"registrado"}, "=", {"inspector"}),
        "inspeccionar": ({"registrado"}, "en_inspeccion", {"inspector"}),
        "tomar_muestra": ({"en_inspeccion", "en_laboratorio"}, "=", {"inspector"}),
        "enviar": ({"en_inspeccion"}, "en_laboratorio", {"inspector"}),
        "emitir": ({"en_laboratorio"}, "resultado_emitido", {"sistema"}),
        "volver_a_muestrear": ({"en_laboratorio"}, "en_inspeccion", {"sistema"}),
        "dictaminar": ({"resultado_emitido"}, "dictaminado", {"inspector"}),
        "dictaminar_sin_muestra": ({"registrado", "en_inspeccion"}, "dictaminado", {"inspector"}),
        "ordenar_medida": ({"dictaminado"}, "en_medida", {"inspector"}),
        "cumplir_medida": ({"en_medida"}, "dictaminado", {"inspector"}),
        "reinspeccionar": ({"en_medida"}, "en_inspeccion", {"inspector"}),
    },
    "muestra": {
        "enviar": ({"tomada"}, "enviada", {"inspector"}),
        "recibir": ({"enviada"}, "recibida", {"recepcion"}),
        "rechazar": ({"enviada", "recibida"}, "rechazada", {"recepcion"}),
        "comenzar": ({"recibida"}, "en_analisis", {"sistema"}),
        "completar": ({"en_analisis"}, "analizada", {"sistema"}),
        "retomar": ({"analizada"}, "en_analisis", {"sistema"}),
    },
    "analisis": {
        "asignar": ({"pendiente", "asignado"}, "asignado", {"recepcion", "analista"}),
        "iniciar": ({"asignado"}, "en_proceso", {"analista"}),
        "registrar": ({"en_proceso"}, "registrado", {"analista"}),
        "verificar": ({"registrado"}, "=", {"verificador"}),
        "completar": ({"registrado"}, "verificado", {"sistema"}),
        "revertir": ({"registrado", "verificado"}, "en_proceso", {"analista", "verificador"}),
        "cancelar": ({"pendiente", "asignado", "en_proceso"}, "cancelado", {"sistema"}),
    },
    "informe": {
        "cerrar_fisico": ({"borrador"}, "cerrado", {"sistema"}),
        "programar_firma": ({"cerrado"}, "en_gracia", {"sistema"}),
        "derivar": ({"cerrado", "en_gracia", "firma_fallida"}, "por_firmar", {"sistema"}),
        "retener": ({"en_gracia"}, "por_firmar", {"analista", "verificador"}),
        "firmar": ({"en_gracia", "por_firmar", "firma_fallida"}, "firmando", {"director", "sistema"}),
        "emitir": ({"firmando"}, "emitido", {"sistema"}),
        "fallar": ({"firmando"}, "firma_fallida", {"sistema"}),
        "reabrir": ({"cerrado", "en_gracia", "por_firmar", "firmando", "firma_fallida"}, "borrador", {"sistema"}),
    },
}
MOTIVADAS = {("partida", "dictaminar_sin_muestra"), ("muestra", "rechazar"), ("analisis", "revertir")}
AVISAN = {
    "registrar": "registrada", "programar": "programada", "inspeccionar": "inspeccionada", "enviar": "enviada",
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
    assert not any(t.avisa for objeto in ("muestra", "analisis", "informe") for t in TABLAS[objeto].values())


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
                caso = SimpleNamespace(estado=estado, expediente=SimpleNamespace(puesto_id=puesto.pk))
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
    for app in ("senasa", "expedientes", "laboratorio", "dashboard"):
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

"""Adoption: what an agency has in course comes in from its sheets and goes on by the normal acts; nothing is forged."""

import csv
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openpyxl import Workbook, load_workbook

from expedientes import bitacora, documentos, incidencias
from expedientes import services as casos
from expedientes.lifecycle import EXPEDIENTE, PARTIDA, Accion, avanzar, trayendo
from expedientes.models import Dictamen, Documento, Evento, Expediente, Importador, InformeEnPapel
from expedientes.seguimiento import contar
from laboratorio import firmas, libro
from laboratorio import services as lab
from laboratorio.models import Analisis, Informe, Muestra
from notificaciones.models import Enlace, Notificacion
from senasa.models import Usuario
from senasa.transicion import DatoInvalido
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db

Hojas = dict[str, list[dict[str, Any]]]
HOY = timezone.localdate()


def dia(hace: int, hora: str = "") -> str:
    return f"{HOY - timedelta(days=hace):%d/%m/%Y} {hora}".strip()


def caso(clave: str = "C-1", **campos: Any) -> dict[str, Any]:
    return {
        "clave_de_origen": clave, "numero_anterior": f"EXP-{clave}", "puesto": "PCM", "estado": "abierto",
        "registrado_en": dia(20, "09:30"), "importador_numero": "20999900012",
        "importador_nombre": "Frutos del Sur S.A.C.", "importador_correo": "importaciones@frutos.example",
        "pfi": "2026-118-04412", "certificado": f"CL-{clave}", "pais_exportacion": "Chile", "transporte": "contenedor",
        **campos,
    }  # fmt: skip


def partida(clave: str = "C-1", estado: str = "registrado", orden: int = 1, **campos: Any) -> dict[str, Any]:
    inspeccion = {} if estado == "registrado" else {
        "inspeccionada_en": dia(18, "10:00"), "documentaria": "conforme", "identidad": "conforme",
        "fisica": "conforme", "inspector": "Rosa Quispe",
    }  # fmt: skip
    return {
        "clave_de_origen": clave, "partida": orden, "estado": estado, "producto": "Uva fresca", "pais_origen": "CL",
        "peso_neto_kg": "19200,5", "contenedores": "DEMU1000010 SL10001", **inspeccion, **campos,
    }  # fmt: skip


def muestra(clave: str = "C-1", nombre: str = "P-70231", orden: int = 1, **campos: Any) -> dict[str, Any]:
    return {
        "clave_de_origen": clave, "partida": orden, "muestra": nombre, "tomada_en": dia(18, "10:40"),
        "cantidad": "1,5", "unidad": "kg", "conservacion": "refrigerada", "enviada_en": dia(18, "16:00"),
        "metodo": "entomologia-morfologia", "plaga": "POLYBO", **campos,
    }  # fmt: skip


def informe(clave: str = "C-1", orden: int = 1, **campos: Any) -> dict[str, Any]:
    return {
        "clave_de_origen": clave, "partida": orden, "informe_numero": f"IE-{clave}-26", "informe_en": dia(10, "15:00"),
        "conclusion": "negativo", **campos,
    }  # fmt: skip


def decision(clave: str = "C-1", **campos: Any) -> dict[str, Any]:
    return informe(clave, riv_numero=f"RIV {clave}/26", decision="ingreso", dictaminado_en=dia(9, "11:00"),
                   dictamino="Rosa Quispe", fundamento="Conforme, informe negativo.", **campos)  # fmt: skip


def hojas(**campos: Any) -> Hojas:
    return {"expedientes": [caso()], "partidas": [partida()], **campos}


def escribir(ruta: Path, contenido: Hojas) -> Path:
    cuaderno = Workbook()
    cuaderno.remove(cuaderno.worksheets[0])
    for hoja, columnas in libro.HOJAS.items():
        pagina = cuaderno.create_sheet(hoja)
        pagina.append([columna.nombre for columna in columnas])
        for fila in contenido.get(hoja, []):
            assert set(fila) <= {columna.nombre for columna in columnas}
            pagina.append([fila.get(columna.nombre) for columna in columnas])
    cuaderno.save(ruta)
    return ruta


def cargar(tmp_path: Path, contenido: Hojas | Path, *opciones: str) -> tuple[str, list[dict[str, str]]]:
    """What the command said, and the lines of its CSV of errors; it must answer 1 exactly when there are any."""
    ruta = contenido if isinstance(contenido, Path) else escribir(tmp_path / "planilla.xlsx", contenido)
    salida, errores = StringIO(), tmp_path / "errores.csv"
    codigo = 0
    try:
        call_command("importar_en_curso", str(ruta), "--errores", str(errores), *opciones, stdout=salida,
                     stderr=StringIO())  # fmt: skip
    except CommandError as error:
        codigo = error.returncode
    filas = list(csv.DictReader(StringIO(errores.read_text(encoding="utf-8-sig")), delimiter=";"))
    assert codigo == (1 if filas else 0)
    return salida.getvalue(), filas


def donde(errores: Sequence[dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(error["hoja"], error["fila"], error["columna"]) for error in errores]


def sano() -> None:
    """Whatever came in: the log's chain holds, nothing is sent, nothing of ours is signed."""
    assert list(bitacora.fallas()) == []
    assert not Notificacion.objects.exists()
    assert not Enlace.objects.exists()
    assert not Documento.objects.exists()


# ── What comes in ─────────────────────────────────────────────────────────────────────────────────


def test_open_cases_come_in_where_they_stand(tmp_path):
    salida, errores = cargar(tmp_path, {
        "expedientes": [caso("R"), caso("I"), caso("L"), caso("E"), caso("O", estado="observado",
                        observado_en=dia(15), observacion="Falta el PFI | No se lee el BL",
                        observacion_motivo="faltan-documentos", responder_hasta=dia(5))],
        "partidas": [partida("R"), partida("I", "en_inspeccion"), partida("L", "en_laboratorio"),
                     partida("E", "resultado_emitido"), partida("O")],
        "muestras": [muestra("L", recibida_en=dia(17, "09:00")), muestra("E", "P-1", resultado="negativo")],
        "decisiones": [informe("E")],
    })  # fmt: skip
    assert errores == []
    assert "5 expedientes entraron" in salida
    estados = dict(Expediente.objects.values_list("numero_anterior", "estado"))
    assert estados == {
        "EXP-R": "registrado", "EXP-I": "en_inspeccion", "EXP-L": "en_laboratorio", "EXP-E": "resultado_emitido",
        "EXP-O": "observado",
    }  # fmt: skip
    assert set(Expediente.objects.values_list("migrado", flat=True)) == {True}
    assert Muestra.objects.get().estado == "recibida"
    assert Analisis.objects.get().estado == "pendiente"
    assert InformeEnPapel.objects.get().numero == "IE-E-26"
    sano()


def test_the_log_says_what_the_paper_said_and_when_it_came(tmp_path):
    cargar(tmp_path, hojas(partidas=[partida(estado="en_inspeccion")]))
    eventos = list(Evento.objects.order_by("n"))
    assert [evento.accion for evento in eventos] == ["registrar", "inspeccionar", "incorporar"]
    assert [evento.origen for evento in eventos] == ["migracion", "migracion", "sistema"]
    assert all(evento.actor is None for evento in eventos)
    inspeccion = eventos[1]
    assert timezone.localtime(inspeccion.ocurrio_en).strftime("%d/%m/%Y %H:%M") == dia(18, "10:00")
    assert timezone.now() - inspeccion.registrado_en < timedelta(minutes=5)
    assert inspeccion.datos["fuente"] == {
        "archivo": "planilla.xlsx", "clave": "C-1", "hoja": "partidas", "fila": 2, "firma": "Rosa Quispe",
    }  # fmt: skip


def test_closed_and_ended_history_comes_in(tmp_path):
    fin = {"terminado_en": dia(2), "explicacion": "Así consta en el libro."}
    _salida, errores = cargar(tmp_path, {
        "expedientes": [caso("C", estado="cerrado", terminado_en=dia(3)),
                        caso("D", estado="desistido", motivo="ya-no-importa", **fin),
                        caso("N", estado="anulado", motivo="La carga no llegó", **fin),
                        caso("A", estado="abandonado", motivo="sin-respuesta", observado_en=dia(15),
                             observacion="Falta el PFI", observacion_motivo="faltan-documentos",
                             responder_hasta=dia(8), **fin)],
        "partidas": [partida("C", "dictaminado"), partida("D", "en_laboratorio"), partida("N"), partida("A")],
        "muestras": [muestra("C"), muestra("D")],
        "decisiones": [decision("C")],
    })  # fmt: skip
    assert errores == []
    estados = dict(Expediente.objects.values_list("numero_anterior", "estado"))
    assert estados == {"EXP-C": "cerrado", "EXP-D": "desistido", "EXP-N": "anulado", "EXP-A": "abandonado"}
    dictamen = Dictamen.objects.get()
    assert (dictamen.riv_en_papel, dictamen.riv, dictamen.inspector.is_active) == ("RIV C/26", None, False)
    # The open work of a case that ended is left, at the hour it ended.
    assert Analisis.objects.get().estado == "cancelado"
    fin_de_d = Evento.objects.get(accion="cancelar").ocurrio_en
    assert timezone.localtime(fin_de_d).strftime("%d/%m/%Y") == dia(2)
    assert casos.barrer_rivs() == 0
    sano()
    texto = Evento.objects.get(accion="cerrar")
    assert timezone.localtime(texto.ocurrio_en).strftime("%d/%m/%Y") == dia(3)


def test_a_measure_in_course_and_one_met(tmp_path):
    orden = {"medida": "tratamiento", "medida_ordenada_en": dia(8), "medida_vence_en": dia(-10)}
    _salida, errores = cargar(tmp_path, {
        "expedientes": [caso("M"), caso("K")],
        "partidas": [partida("M", "en_medida"), partida("K", "dictaminado")],
        "muestras": [muestra("M"), muestra("K")],
        "decisiones": [{**decision("M"), "decision": "condicionado", **orden},
                       {**decision("K"), "decision": "condicionado", **orden, "cumplida_en": dia(4), "acta": "A-9"}],
    })  # fmt: skip
    assert errores == []
    medida, cumplida = Expediente.objects.order_by("numero_anterior").values_list("estado", flat=True)[::-1]
    assert (medida, cumplida) == ("en_medida", "dictaminado")
    assert casos.pendientes_de_cierre(Expediente.objects.get(numero_anterior="EXP-K")) == []


def test_lines_of_one_case_at_different_stages_show_the_slowest_and_since_when(tmp_path):
    _salida, errores = cargar(tmp_path, hojas(partidas=[
        partida(estado="en_inspeccion", inspeccionada_en=dia(4, "08:00")),
        partida(estado="en_inspeccion", orden=2, contenedores=""),
    ]))  # fmt: skip
    assert errores == []
    expediente = Expediente.objects.get()
    assert (expediente.estado, timezone.localdate(expediente.estado_desde)) == ("en_inspeccion", HOY - timedelta(4))


# ── Going on from there ───────────────────────────────────────────────────────────────────────────


def test_from_en_inspeccion_to_closure_by_the_normal_acts(tmp_path, certificado):
    cargar(tmp_path, hojas(partidas=[partida(estado="en_inspeccion")]))
    expediente = Expediente.objects.get()
    linea = expediente.partidas.get()
    casos.dictaminar_sin_muestra(
        partida=linea,
        actor=personas()["inspector"],
        decision="ingreso",
        motivo="no-requiere-muestreo",
        texto="Conforme.",
    )
    assert casos.barrer_rivs() == 1
    casos.cerrar(expediente=expediente, actor=personas()["inspector"])
    assert Expediente.objects.get().estado == "cerrado"
    assert list(bitacora.fallas()) == []


def test_from_en_laboratorio_to_closure_by_the_normal_acts(tmp_path, certificado):
    """The sample is at the bench: it is worked on here and its report is this laboratory's, signed as any other."""
    cargar(tmp_path, hojas(partidas=[partida(estado="en_laboratorio")], muestras=[muestra()]))
    gente = personas()
    una = Muestra.objects.get(precinto="P-70231")
    lab.recibir(muestra=una, actor=gente["recepcion"], condicion="buena", cantidad_recibida=una.cantidad)
    analisis = Analisis.objects.get()
    lab.asignar(analisis=analisis, analista=gente["analista"], actor=gente["recepcion"])
    lab.iniciar(analisis=analisis, actor=gente["analista"])
    lab.registrar(analisis=analisis, actor=gente["analista"], valor="positivo", plaga=analisis.plaga)
    lab.verificar(analisis=analisis, actor=gente["verificador"])
    reporte = Informe.objects.get()
    firmas.ordenar_firma(informe=reporte, actor=gente["director"])
    assert firmas.firmar_informe(informe_id=reporte.pk) is not None
    linea = Expediente.objects.get().partidas.get()
    casos.dictaminar(partida=linea, actor=gente["inspector"], decision="rechazo", fundamento="Positivo.")
    casos.barrer_rivs()
    casos.ordenar_medida(partida=linea, actor=gente["inspector"], tipo="destruccion", vence_en=HOY)
    casos.cumplir_medida(partida=linea, actor=gente["inspector"], acta="A-1")
    casos.cerrar(expediente=Expediente.objects.get(), actor=gente["inspector"])
    assert Expediente.objects.get().estado == "cerrado"
    assert list(bitacora.fallas()) == []


@pytest.mark.parametrize(("conclusion", "plaga"), [("positivo", "POLYBO"), ("indeterminado", "")])
def test_a_report_on_paper_binds_the_decision(tmp_path, certificado, conclusion, plaga):
    cargar(tmp_path, hojas(partidas=[partida(estado="resultado_emitido")], muestras=[muestra()],
                           decisiones=[informe(conclusion=conclusion, plaga_hallada=plaga)]))  # fmt: skip
    linea, inspector = Expediente.objects.get().partidas.get(), personas()["inspector"]
    with pytest.raises(DatoInvalido, match="IE-C-1-26"):
        casos.dictaminar(partida=linea, actor=inspector, decision="ingreso", fundamento="Que pase.")
    dictamen = casos.dictaminar(partida=linea, actor=inspector, decision="rechazo", fundamento="No entra.")
    assert [str(uno) for uno in dictamen.informes_en_papel.all()] == ["IE-C-1-26 (en papel)"]
    assert Evento.objects.get(accion="dictaminar").datos["informes"] == ["IE-C-1-26 (en papel)"]


def test_from_resultado_emitido_to_closure_its_riv_names_the_paper(tmp_path, certificado):
    cargar(tmp_path, hojas(partidas=[partida(estado="resultado_emitido")], decisiones=[informe()]))
    expediente, inspector = Expediente.objects.get(), personas()["inspector"]
    casos.dictaminar(partida=expediente.partidas.get(), actor=inspector, decision="ingreso", fundamento="Negativo.")
    assert casos.barrer_rivs() == 1
    riv = Documento.objects.get()
    assert (riv.tipo, documentos.leer(riv)[:5]) == ("riv", b"%PDF-")
    from expedientes.firma import cargar_certificado
    from expedientes.riv import contexto_riv

    contexto = contexto_riv(Dictamen.objects.get(), version=1, cvd=riv.cvd, emitido_en=riv.emitido_en,
                            certificado=cargar_certificado())  # fmt: skip
    assert [uno.numero for uno in contexto["informes_en_papel"]] == ["IE-C-1-26"]
    casos.cerrar(expediente=expediente, actor=inspector)
    assert Expediente.objects.get().estado == "cerrado"


def test_a_line_decided_on_paper_closes_without_an_electronic_riv(tmp_path, certificado):
    cargar(tmp_path, hojas(partidas=[partida(estado="dictaminado")], decisiones=[decision()]))
    expediente = Expediente.objects.get()
    assert casos.barrer_rivs() == 0
    assert casos.emitir_riv(dictamen_id=Dictamen.objects.get().pk) is None
    casos.cerrar(expediente=expediente, actor=personas()["inspector"])
    assert Expediente.objects.get().estado == "cerrado"
    assert not Documento.objects.exists()


def test_a_closed_case_is_opened_again_over_its_paper_report(tmp_path, certificado):
    cargar(tmp_path, hojas(expedientes=[caso(estado="cerrado", terminado_en=dia(3))],
                           partidas=[partida(estado="dictaminado")], decisiones=[decision()]))  # fmt: skip
    expediente, gente = Expediente.objects.get(), personas()
    incidencias.reabrir(expediente=expediente, actor=gente["jefe"], partidas=list(expediente.partidas.all()),
                        motivo="error-en-el-dictamen", texto="Se revisa.")  # fmt: skip
    linea = expediente.partidas.get()
    casos.dictaminar(partida=linea, actor=gente["inspector"], decision="rechazo", fundamento="Otra vez.")
    assert casos.barrer_rivs() == 1


def test_only_a_migrated_case_can_be_told_of_by_another_registry():
    nuestro = crear_caso("registrado")
    with trayendo({}), pytest.raises(RuntimeError):
        avanzar(nuestro.partidas[0], Accion.INSPECCIONAR, tabla=PARTIDA, actor=None)
    with pytest.raises(RuntimeError), trayendo({}):
        avanzar(nuestro.expediente, Accion.CERRAR, tabla={**EXPEDIENTE, Accion.CERRAR: EXPEDIENTE[Accion.OBSERVAR]},
                actor=None)  # fmt: skip


# ── Again, dry, partly ────────────────────────────────────────────────────────────────────────────


def test_simular_does_everything_and_leaves_nothing(tmp_path):
    antes = Usuario.objects.count()
    salida, errores = cargar(tmp_path, hojas(), "--simular", "--informe")
    assert errores == []
    assert "1 expedientes entrarían" in salida
    assert "C-1: nuevo, registrado" in salida
    assert (Expediente.objects.count(), Importador.objects.count(), Evento.objects.count()) == (0, 0, 0)
    assert Usuario.objects.count() == antes
    cargar(tmp_path, hojas())
    assert Expediente.objects.get().numero.endswith("-000001")


def test_twice_makes_no_second_and_a_corrected_file_adds_what_was_missing(tmp_path):
    malo = {
        "expedientes": [caso("A"), caso("B", importador_numero="20999900013")],
        "partidas": [partida("A"), partida("B")],
    }
    salida, errores = cargar(tmp_path, malo)
    assert donde(errores) == [("expedientes", "3", "importador_numero")]
    assert "dígito verificador" in errores[0]["error"]
    assert errores[0]["dice"] == "20999900013"
    assert "1 expedientes entraron, 0 ya estaban, 1 se quedaron" in salida
    eventos = Evento.objects.count()
    malo["expedientes"][1]["importador_numero"] = "20999900012"
    salida, errores = cargar(tmp_path, malo)
    assert errores == []
    assert "1 expedientes entraron, 1 ya estaban, 0 se quedaron" in salida
    assert Evento.objects.count() == eventos + 2
    salida, errores = cargar(tmp_path, malo)
    assert "0 expedientes entraron, 2 ya estaban" in salida
    assert Expediente.objects.count() == 2


def test_one_bad_row_leaves_its_whole_case_out_and_no_other(tmp_path):
    contenido = {
        "expedientes": [caso("A"), caso("B")],
        "partidas": [partida("A"), partida("A", "en_inspeccion", 2, inspeccionada_en=dia(25)), partida("B")],
    }
    _salida, errores = cargar(tmp_path, contenido)
    assert donde(errores) == [("partidas", "3", "inspeccionada_en")]
    assert "Es antes de registrado_en" in errores[0]["error"]
    assert list(Expediente.objects.values_list("numero_anterior", flat=True)) == ["EXP-B"]


def test_a_refusal_of_a_service_is_told_at_its_row(tmp_path):
    """What only the acts themselves know: a decision that cannot be, over a positive."""
    positivo = {"conclusion": "positivo", "plaga_hallada": "POLYBO"}
    _salida, errores = cargar(tmp_path, hojas(partidas=[partida(estado="dictaminado")],
                                              decisiones=[{**decision(), **positivo}]))  # fmt: skip
    assert donde(errores) == [("decisiones", "2", "decision")]
    assert "no cabe ingreso" in errores[0]["error"]
    assert not Expediente.objects.exists()
    assert not InformeEnPapel.objects.exists()


def test_the_link_is_owed_only_when_asked_for_and_only_of_open_cases(tmp_path):
    contenido = {
        "expedientes": [caso("A"), caso("C", estado="cerrado", terminado_en=dia(3))],
        "partidas": [partida("A"), partida("C", "dictaminado")],
        "decisiones": [decision("C")],
    }
    cargar(tmp_path, contenido, "--avisar")
    aviso = Notificacion.objects.get()
    assert (aviso.aviso, aviso.correo) == ("incorporado", "importaciones@frutos.example")
    assert "EXP-A" in aviso.texto
    assert Enlace.objects.get().referencia == Expediente.objects.get(numero_anterior="EXP-A").referencia


# ── What is wrong, in words ───────────────────────────────────────────────────────────────────────

E, P, M, D = "expedientes", "partidas", "muestras", "decisiones"
SIN_INFORME = {"informe_numero": "", "informe_en": "", "conclusion": ""}
MALAS: list[tuple[str, Hojas, tuple[str, str, str], str]] = [
    ("no es fecha", hojas(expedientes=[caso(registrado_en="ayer")]), (E, "2", "registrado_en"), "fecha"),
    ("en el futuro", hojas(expedientes=[caso(registrado_en=dia(-3))]), (E, "2", "registrado_en"), "no ha llegado"),
    ("sin partidas", hojas(partidas=[]), (E, "2", ""), "ninguna partida"),
    ("producto ajeno", hojas(partidas=[partida(producto="Uvas de marte")]), (P, "2", "producto"), "catálogo"),
    ("contenedor", hojas(partidas=[partida(contenedores="DEMU1000011")]), (P, "2", "contenedores"), "verificador"),
    ("peso", hojas(partidas=[partida(peso_neto_kg="mucho")]), (P, "2", "peso_neto_kg"), "kilos"),
    ("1e308", hojas(partidas=[partida(peso_neto_kg=1e308)]), (P, "2", "peso_neto_kg"), "kilos"),
    ("peso cero", hojas(partidas=[partida(peso_neto_kg=0)]), (P, "2", "peso_neto_kg"), "mayor que cero"),
    ("correo", hojas(expedientes=[caso(importador_correo="no tengo")]), (E, "2", "importador_correo"), "correo"),
    ("sin correo", hojas(expedientes=[caso(importador_correo="")]), (E, "2", "importador_correo"), "Falta"),
    ("falta lo obligatorio", hojas(expedientes=[caso(puesto="")]), (E, "2", "puesto"), "Falta"),
    ("estado", hojas(partidas=[partida(estado="en el limbo")]), (P, "2", "estado"), "Escriba registrado"),
    ("largo", hojas(expedientes=[caso(pfi="x" * 41)]), (E, "2", "pfi"), "caben 40"),
    ("error de Excel", hojas(partidas=[partida(peso_neto_kg="#REF!")]), (P, "2", "peso_neto_kg"), "error de Excel"),
    ("saltos", hojas(partidas=[partida(orden=2)]), (P, "2", "partida"), "sin saltos"),
    ("otra clave", hojas(muestras=[muestra("Z")]), (M, "2", "clave_de_origen"), "No hay un expediente"),
    ("clave repetida", hojas(expedientes=[caso(), caso("c-1")]), (E, "3", "clave_de_origen"), "fila 2"),
    ("sin inspección", hojas(partidas=[partida(estado="en_inspeccion", inspeccionada_en="")]),
     (P, "2", "inspeccionada_en"), "Falta"),
    ("laboratorio sin muestras", hojas(partidas=[partida(estado="en_laboratorio")]), (P, "2", "estado"), "muestras"),
    ("resultado sin informe", hojas(partidas=[partida(estado="en_laboratorio")],
     muestras=[muestra(resultado="negativo")]), (M, "2", "resultado"), "analista"),
    ("informe sin hoja", hojas(partidas=[partida(estado="resultado_emitido")]), (P, "2", "estado"), "decisiones"),
    ("sin decisión", hojas(partidas=[partida(estado="dictaminado")]), (P, "2", "estado"), "decisiones"),
    ("sin informe ni motivo", hojas(partidas=[partida(estado="dictaminado")], decisiones=[decision() | SIN_INFORME]),
     (D, "2", "motivo"), "sin informe"),
    ("positivo sin plaga", hojas(partidas=[partida(estado="resultado_emitido")],
     decisiones=[informe(conclusion="positivo")]), (D, "2", "plaga_hallada"), "positivo"),
    ("cerrado y pendiente", hojas(expedientes=[caso(estado="cerrado", terminado_en=dia(1))]),
     (E, "2", "estado"), "registrado"),
    ("observado sin decir", hojas(expedientes=[caso(estado="observado")]), (E, "2", "observado_en"), "Falta"),
    ("motivo", hojas(expedientes=[caso(estado="desistido", terminado_en=dia(1), motivo="porque sí", explicacion="x")]),
     (E, "2", "motivo"), "motivo"),
    ("poder al revés", hojas(expedientes=[caso(poder_desde=dia(1), poder_hasta=dia(9))]),
     (E, "2", "poder_hasta"), "antes"),
    ("cita pasada", hojas(partidas=[partida(cita_en=dia(5))]), (P, "2", "cita_en"), "ya pasó"),
    ("sin medida", hojas(partidas=[partida(estado="en_medida")], decisiones=[decision()]), (D, "2", "medida"),
     "en_medida"),
    ("informe antes que inspección", hojas(partidas=[partida(estado="resultado_emitido")],
     decisiones=[informe(informe_en=dia(19))]), (D, "2", "informe_en"), "revise el orden"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("contenido", "lugar", "palabras"), [mala[1:] for mala in MALAS], ids=[mala[0] for mala in MALAS]
)
def test_a_bad_cell_is_told_by_row_and_column_in_words(tmp_path, contenido, lugar, palabras):
    _salida, errores = cargar(tmp_path, contenido)
    assert lugar in donde(errores)
    dicho = next(e for e in errores if (e["hoja"], e["fila"], e["columna"]) == lugar)
    assert palabras in dicho["error"]
    if lugar != ("muestras", "2", "clave_de_origen") and lugar[1] != "3":
        assert not Expediente.objects.exists()


def test_names_are_read_with_or_without_accents_and_dates_as_excel_keeps_them(tmp_path):
    contenido = hojas(
        expedientes=[caso(puesto="pcm", importador_numero=20999900012,
                          pais_exportacion="ESPAÑA", estado="Abierto")],
        partidas=[partida(producto="UVA FRESCA", pais_origen="espana", peso_neto_kg=1.234)],
    )  # fmt: skip
    contenido["expedientes"][0]["registrado_en"] = timezone.make_naive(timezone.now() - timedelta(2))
    _salida, errores = cargar(tmp_path, contenido)
    assert errores == []
    linea = Expediente.objects.get().partidas.get()
    assert (linea.pais_origen_id, str(linea.peso_neto_kg)) == ("ES", "1.234")


# ── Hostile and broken files ──────────────────────────────────────────────────────────────────────


def rechaza(ruta: Path) -> str:
    with pytest.raises(CommandError) as error:
        call_command("importar_en_curso", str(ruta), stdout=StringIO(), stderr=StringIO())
    assert not Expediente.objects.exists()
    return str(error.value)


def test_files_that_are_no_workbook_are_refused_in_words(tmp_path):
    assert "No existe" in rechaza(tmp_path / "nada.xlsx")
    (tmp_path / "viejo.xls").write_bytes(b"\xd0\xcf\x11\xe0" + b"\0" * 600)
    assert "contraseña" in rechaza(tmp_path / "viejo.xls")
    (tmp_path / "texto.xlsx").write_text("hola")
    assert "no es un libro" in rechaza(tmp_path / "texto.xlsx")
    (tmp_path / "vacia").mkdir()
    assert "Faltan hojas" in rechaza(tmp_path / "vacia")
    with zipfile.ZipFile(tmp_path / "zip.xlsx", "w") as paquete:
        paquete.writestr("hola.txt", "hola")
    assert "dañado" in rechaza(tmp_path / "zip.xlsx")


def con_parte(origen: Path, destino: Path, nombre: str, contenido: bytes) -> Path:
    with zipfile.ZipFile(origen) as de, zipfile.ZipFile(destino, "w", zipfile.ZIP_DEFLATED) as a:
        for parte in de.namelist():
            if parte != nombre:
                a.writestr(parte, de.read(parte))
        a.writestr(nombre, contenido)
    return destino


def test_macros_a_zip_bomb_and_xml_that_expands_are_refused(tmp_path):
    bueno = escribir(tmp_path / "bueno.xlsx", hojas())
    assert "macros" in rechaza(con_parte(bueno, tmp_path / "m.xlsx", "xl/vbaProject.bin", b"x"))
    bomba = con_parte(bueno, tmp_path / "b.xlsx", "xl/worksheets/sheet1.xml", b"<x>" + b" " * (libro.MAX_ABIERTO + 1))
    assert bomba.stat().st_size < 1024 * 1024
    assert "expande" in rechaza(bomba)
    risa = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><worksheet><sheetData>&b;</sheetData></worksheet>'
    assert "dañad" in rechaza(con_parte(bueno, tmp_path / "e.xlsx", "xl/worksheets/sheet1.xml", risa))
    assert "dañad" in rechaza(
        con_parte(bueno, tmp_path / "r.xlsx", "xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row")
    )


def test_wrong_sheets_and_columns_are_refused_in_words(tmp_path):
    cuaderno = Workbook()
    cuaderno.save(tmp_path / "otro.xlsx")
    assert "Faltan hojas: expedientes, partidas" in rechaza(tmp_path / "otro.xlsx")
    escribir(tmp_path / "bueno.xlsx", hojas())
    cuaderno = load_workbook(tmp_path / "bueno.xlsx")
    cuaderno["partidas"]["A1"] = "cualquier cosa"
    cuaderno.save(tmp_path / "columna.xlsx")
    assert "no se conocen estas columnas: «cualquier cosa»" in rechaza(tmp_path / "columna.xlsx")


def test_empty_rows_merged_cells_formulas_and_a_cell_far_away(tmp_path):
    ruta = escribir(
        tmp_path / "p.xlsx", {"expedientes": [caso("A"), caso("B")], "partidas": [partida("A"), partida("B")]}
    )
    cuaderno = load_workbook(ruta)
    hoja = cuaderno["expedientes"]
    for fila in range(10, 10_010):
        hoja.cell(fila, 1, " ")
    hoja["XFD1048576"] = "lejos"
    cuaderno["partidas"].merge_cells("A2:A3")  # the second row loses its key
    cuaderno["partidas"]["G2"] = '=HYPERLINK("http://mal.example")'
    cuaderno.save(ruta)
    _salida, errores = cargar(tmp_path, ruta)
    assert ("partidas", "3", "clave_de_origen") in donde(errores)
    assert "combinadas" in next(e for e in errores if e["columna"] == "clave_de_origen")["error"]
    linea = Expediente.objects.get(numero_anterior="EXP-A").partidas.get()
    assert linea.envases == ""  # a formula that was never computed has no value


def test_what_looks_like_a_formula_comes_back_as_text(tmp_path):
    _salida, errores = cargar(tmp_path, hojas(partidas=[partida(producto="'=1+1|cmd")]))
    crudo = (tmp_path / "errores.csv").read_text(encoding="utf-8-sig")
    assert errores[0]["columna"] == "producto"
    assert ";=" not in crudo


def test_the_same_from_csv_files_as_excel_in_peru_saves_them(tmp_path):
    carpeta = tmp_path / "csv"
    call_command("importar_en_curso", "--plantilla", str(carpeta), stdout=StringIO())
    assert {ruta.name for ruta in carpeta.iterdir()} == {*(f"{hoja}.csv" for hoja in libro.HOJAS), "guia.csv"}
    for hoja, filas in hojas(expedientes=[caso(importador_nombre="Ñandú S.A.C.")]).items():
        columnas = [columna.nombre for columna in libro.HOJAS[hoja]]
        with (carpeta / f"{hoja}.csv").open("w", encoding="cp1252", newline="") as archivo:
            escritor = csv.DictWriter(archivo, columnas, delimiter=";")
            escritor.writeheader()
            escritor.writerows(filas)
    _salida, errores = cargar(tmp_path, carpeta)
    assert errores == []
    assert Expediente.objects.get().importador.nombre == "Ñandú S.A.C."


def test_the_template_is_filled_in_and_loads(tmp_path):
    ruta = tmp_path / "plantilla.xlsx"
    call_command("importar_en_curso", "--plantilla", str(ruta), stdout=StringIO())
    cuaderno = load_workbook(ruta)
    assert cuaderno.sheetnames == ["Guía", *libro.HOJAS, "Listas"]
    assert {len(cuaderno[hoja].data_validations.dataValidation) > 0 for hoja in ("expedientes", "partidas")} == {True}
    explicadas = {(fila[0], fila[1]) for fila in cuaderno["Guía"].iter_rows(min_row=2, values_only=True)}
    assert explicadas == {(hoja, columna.nombre) for hoja, columnas in libro.HOJAS.items() for columna in columnas}
    for hoja, columnas in libro.HOJAS.items():  # the guide's own examples are a case
        cuaderno[hoja].append([columna.ejemplo for columna in columnas])
    cuaderno.save(ruta)
    _salida, errores = cargar(tmp_path, ruta)
    assert errores == []
    assert Expediente.objects.get().estado == "resultado_emitido"


# ── At the size of an agency, and on its pages ────────────────────────────────────────────────────


@pytest.mark.servicios  # it takes a minute
def test_three_hundred_cases(tmp_path):
    claves = [f"K-{i:03d}" for i in range(300)]
    estados = ["registrado", "en_inspeccion", "en_laboratorio", "resultado_emitido", "dictaminado"]
    contenido: Hojas = {"expedientes": [], "partidas": [], "muestras": [], "decisiones": []}
    for i, clave in enumerate(claves):
        estado = estados[i % 5]
        contenido["expedientes"].append(caso(clave))
        contenido["partidas"].append(partida(clave, estado))
        if estado == "en_laboratorio":
            contenido["muestras"].append(muestra(clave))
        if estado in ("resultado_emitido", "dictaminado"):
            contenido["decisiones"].append(decision(clave) if estado == "dictaminado" else informe(clave))
    antes = timezone.now()
    salida, errores = cargar(tmp_path, contenido)
    assert errores == []
    assert "300 expedientes entraron" in salida
    assert timezone.now() - antes < timedelta(seconds=180)
    sano()


def test_found_by_its_old_number_and_told_on_its_page(tmp_path, client: Client):
    cargar(tmp_path, hojas(partidas=[partida(estado="dictaminado")], decisiones=[decision()]))
    expediente = Expediente.objects.get()
    client.force_login(personas()["inspector"])
    hallado = client.get(reverse("buscar"), {"q": "EXP-C-1"})
    assert hallado.status_code == 302
    assert expediente.numero in hallado["Location"]
    pagina = client.get(reverse("expediente", args=[expediente.numero])).content.decode()
    for dicho in (
        "EXP-C-1",
        "antes de este sistema: RIV C-1/26",
        "Rosa Quispe, según el registro anterior",
        "informe IE-C-1-26, en papel",
        "registro anterior",
    ):
        assert dicho in pagina
    assert "El sistema está firmando el RIV" not in pagina


def test_the_importer_reads_that_the_paper_is_on_paper(tmp_path):
    cargar(tmp_path, {"expedientes": [caso("E"), caso("D")],
                      "partidas": [partida("E", "resultado_emitido"), partida("D", "dictaminado")],
                      "decisiones": [informe("E"), decision("D")]})  # fmt: skip
    dichos = {e.numero_anterior: contar(e).tramos[0].detalle for e in Expediente.objects.all()}
    assert "se emitió en papel: pídalo al puesto" in dichos["EXP-E"]
    assert dichos["EXP-D"] == "Lo acredita su reporte de inspección en papel: RIV D/26."

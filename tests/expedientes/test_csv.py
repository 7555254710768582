"""Many requests in one CSV, as Excel in Peru saves it: what is good goes in once, what is not is told cell by cell."""

import csv
import io
import re
import zipfile
from datetime import datetime
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expedientes import planilla
from expedientes.models import Confirmacion, Evento, Expediente
from notificaciones import enlaces
from notificaciones.models import Notificacion
from tests.builders import crear_caso, crear_importador, personas

pytestmark = pytest.mark.django_db

CORREO = "agencia@aduana.example"
URL = "/solicitar/csv/"
BASE = {
    "referencia": "EMB-1", "puesto": "PCM", "importador_numero": "20999900012", "importador_nombre": "Frutos S.A.C.",
    "importador_correo": "f@frutos.example", "agente_numero": "20999900021", "agente_nombre": "Agencia Ñandú S.A.C.",
    "pfi": "P-1", "certificado": "CL-1", "pais_exportacion": "CL", "transporte": "contenedor", "lugar": "Muelle",
    "producto": "Uva fresca", "pais_origen": "Chile", "peso_neto_kg": "19200,5",
    "contenedores": "DEMU1000010 SL10001",
}  # fmt: skip


def texto(respuesta: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", respuesta.content.decode()))


def fila(n: int = 1, **cambios: str) -> dict[str, str]:
    """A row of its own request, unless its `referencia` is told."""
    return {**BASE, "referencia": f"EMB-{n}", "certificado": f"CL-{n}", **cambios}


def hacer(*filas: dict[str, str], delimitador: str = ";", codificacion: str = "utf-8-sig") -> bytes:
    salida = io.StringIO(newline="")
    escritor = csv.DictWriter(salida, planilla.NOMBRES, delimiter=delimitador)
    escritor.writeheader()
    escritor.writerows(filas)
    return salida.getvalue().encode(codificacion)


@pytest.fixture
def agencia(client: Client) -> Client:
    """A broker with his address confirmed."""
    client.post(f"{reverse('solicitar_correo')}?para=csv", {"correo": CORREO})
    codigo = enlaces.codigo(Confirmacion.objects.get().referencia)
    assert client.post(reverse("solicitar_codigo"), {"codigo": codigo})["Location"] == URL
    return client


@pytest.fixture
def mesa(client: Client) -> Client:
    client.force_login(personas()["mesa"])
    return client


def subir(client: Client, contenido: bytes, url: str = URL) -> Any:
    return client.post(url, {"archivo": SimpleUploadedFile("envios.csv", contenido)})


def revisar(client: Client, contenido: bytes, url: str = URL) -> Any:
    """Upload, and look at what it holds."""
    subida = subir(client, contenido, url)
    assert subida.status_code == 302, texto(subida)
    return client.get(subida["Location"])


def importar(client: Client, pagina: Any, **mas: str) -> Any:
    datos = {"ficha": pagina.context["ficha"], **mas}
    return client.post(pagina.context["puerta"].url, datos, follow=True)


def defectos(pagina: Any) -> list[tuple[int, str]]:
    return [(d.fila, d.columna) for pedida in pagina.context["planilla"].malas for d in pedida.defectos]


# ── What Excel saves ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("delimitador", [";", ",", "\t"])
@pytest.mark.parametrize("codificacion", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_se_lee_como_la_guarde_excel(agencia: Client, delimitador: str, codificacion: str) -> None:
    pagina = revisar(agencia, hacer(fila(), delimitador=delimitador, codificacion=codificacion))
    assert len(pagina.context["planilla"].listas) == 1, defectos(pagina)
    importar(agencia, pagina)
    expediente = Expediente.objects.get()
    assert expediente.agente.nombre == "Agencia Ñandú S.A.C."
    assert float(expediente.partidas.get().peso_neto_kg) == 19200.5


def test_sep_de_excel_y_encabezados_con_tildes_y_mayusculas(agencia: Client) -> None:
    contenido = hacer(fila()).decode("utf-8-sig").replace("pais_origen", "País origen").replace("puesto", "PUESTO", 1)
    pagina = revisar(agencia, f"sep=;\r\n{contenido}\r\n;;;\r\n".encode())
    assert len(pagina.context["planilla"].listas) == 1


@pytest.mark.parametrize(
    ("escrito", "peso"),
    [("19200,5", 19200.5), ("19200.5", 19200.5), ("19.200,5", 19200.5), ("19,200.50", 19200.5), ("1.234.567", 1234567),
     ("19200 kg", 19200), ("1 200,25", 1200.25), ("0,5", 0.5)],
)  # fmt: skip
def test_pesos_como_se_escriben(agencia: Client, escrito: str, peso: float) -> None:
    importar(agencia, revisar(agencia, hacer(fila(peso_neto_kg=escrito))))
    assert float(Expediente.objects.get().partidas.get().peso_neto_kg) == peso


@pytest.mark.parametrize(
    ("columna", "valor", "dice"),
    [
        ("peso_neto_kg", "1.200", "dos maneras"),
        ("peso_neto_kg", "mucho", "No es un peso"),
        ("peso_neto_kg", "NaN", "No es un peso"),
        ("peso_neto_kg", "1e5", "No es un peso"),
        ("peso_neto_kg", "", "obligatorio"),
        ("pfi", "", "Falta este dato"),
        ("peso_neto_kg", "0", "0.001"),
        ("suce", "2,02612E+09", "formato de texto"),
        ("puesto", "Tacna", "PCM o PCA"),
        ("producto", "Marihuana", "catálogo"),
        ("pais_origen", "Atlántida", "No es un país"),
        ("transporte", "bicicleta", "contenedor, granel o aereo"),
        ("importador_tipo", "carné de socio", "ruc, dni, ce o pasaporte"),
        ("importador_numero", "20999900013", "dígito verificador"),
        ("llegada_en", "mañana", "No es una fecha"),
        ("poder_hasta", "01/01/2020", "ya venció"),
        ("contenedores", "DEMU1000011", "debería ser 0"),
        ("contenedores", "", "al menos un contenedor"),
        ("importador_correo", "no-es-correo", "correo"),
        ("certificado", "x" * 41, "40"),
        ("pfi", "a\x00b", "nulos"),
    ],
)
def test_cada_defecto_se_dice_en_su_fila_y_columna(agencia: Client, columna: str, valor: str, dice: str) -> None:
    pagina = revisar(agencia, hacer(fila(1), fila(2, **{columna: valor})))
    assert defectos(pagina) == [(3, columna)]
    assert dice in texto(pagina)
    assert len(pagina.context["planilla"].listas) == 1


def test_filas_de_la_misma_referencia_son_una_solicitud(agencia: Client) -> None:
    otra = dict.fromkeys(planilla.DEL_CASO, "") | {"referencia": "EMB-1", "pais_origen": "CL"}
    numeros = [iso("DEMU200002"), iso("DEMU300003")]
    cereza = {"producto": "cereza", "contenedores": f"{numeros[0]} / {numeros[1]} SL2"}
    pagina = revisar(agencia, hacer(fila(1), fila(2), {**BASE, **otra, **cereza, "peso_neto_kg": "10"}))
    importar(agencia, pagina)
    partidas = [[p.producto.codigo for p in e.partidas.all()] for e in Expediente.objects.order_by("id")]
    assert partidas == [["uva-fresca", "cereza"], ["uva-fresca"]]
    ultima = Expediente.objects.order_by("id")[0].partidas.last()
    assert ultima
    assert [(c.numero, c.precinto) for c in ultima.contenedores.all()] == [(numeros[0], ""), (numeros[1], "SL2")]


def iso(sin_digito: str) -> str:
    from stdnum import iso6346

    return sin_digito + iso6346.calc_check_digit(sin_digito)


def test_filas_que_se_contradicen(agencia: Client) -> None:
    pagina = revisar(agencia, hacer(fila(1), {**fila(2), "referencia": "EMB-1"}))
    assert (3, "certificado") in defectos(pagina)
    assert "la fila 2" in texto(pagina)


# ── Importing ─────────────────────────────────────────────────────────────────────────────────────


def test_nada_se_importa_antes_de_confirmar_y_confirmar_dos_veces_importa_una(agencia: Client) -> None:
    contenido = hacer(fila(1), fila(2), fila(3, producto="nada"))
    pagina = revisar(agencia, contenido)
    assert (Expediente.objects.count(), Evento.objects.count()) == (0, 0)
    hecha = importar(agencia, pagina)
    assert Expediente.objects.count() == 2
    for expediente in Expediente.objects.all():
        assert expediente.numero in texto(hecha)
        assert expediente.agente.correo == CORREO
        assert expediente.bitacora.get().datos["solicitante"] == CORREO
    importar(agencia, pagina)
    importar(agencia, revisar(agencia, contenido))
    assert Expediente.objects.count() == 2
    assert Notificacion.objects.filter(aviso="registrada").count() == 4


def test_las_rechazadas_se_bajan_se_corrigen_y_se_suben(agencia: Client) -> None:
    pagina = revisar(agencia, hacer(fila(1), fila(2, producto="nada", lugar="=HYPERLINK(1)")))
    importar(agencia, pagina)
    bajada = agencia.get(f"{URL}rechazadas/", {"ficha": pagina.context["ficha"]})
    assert "attachment" in bajada["Content-Disposition"]
    filas = list(csv.DictReader(io.StringIO(bajada.content.decode("utf-8-sig")), delimiter=";"))
    assert [una["referencia"] for una in filas] == ["EMB-2"]
    assert "catálogo" in filas[0]["errores"]
    assert filas[0]["lugar"] == "'=HYPERLINK(1)"
    corregida = bajada.content.decode("utf-8-sig").replace(";nada;", ";cereza;").encode("utf-8-sig")
    importar(agencia, revisar(agencia, corregida))
    assert Expediente.objects.count() == 2
    assert Expediente.objects.latest("id").lugar == "=HYPERLINK(1)"


@pytest.mark.parametrize("principio", planilla.FORMULAS)
def test_nada_de_lo_que_se_baja_es_una_formula(agencia: Client, principio: str) -> None:
    celdas = dict.fromkeys(planilla.NOMBRES, f"{principio}1+1")
    pagina = revisar(agencia, hacer(celdas))
    bajada = agencia.get(f"{URL}rechazadas/", {"ficha": pagina.context["ficha"]})
    filas = list(csv.reader(io.StringIO(bajada.content.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert len(filas) == 2
    assert [celda for una in filas for celda in una if celda.startswith(planilla.FORMULAS)] == []


def test_las_repetidas_se_apartan_hasta_que_se_diga(agencia: Client) -> None:
    ajeno = crear_caso(importador=crear_importador(2), certificado="cl-1").expediente
    pagina = revisar(agencia, hacer(fila(1), fila(2), fila(3, certificado="CL-2")))
    leida = pagina.context["planilla"]
    assert [[p.referencia for p in grupo] for grupo in (leida.listas, leida.repetidas)] == [
        ["EMB-2"], ["EMB-1", "EMB-3"]
    ]  # fmt: skip
    assert ajeno.numero not in pagina.content.decode()
    importar(agencia, pagina)
    assert Expediente.objects.count() == 2
    importar(agencia, pagina, con_repetidas="1")
    assert Expediente.objects.count() == 4


def test_cada_solicitud_entra_por_si_misma(agencia: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails in the middle takes nothing with it, and leaves nothing of itself."""
    from expedientes import services
    from senasa.transicion import DatoInvalido

    verdadero = services.vencimiento

    def vencimiento(partida: Any) -> Any:
        if partida.expediente.certificado == "CL-2":
            raise DatoInvalido({"certificado": "Se torció a la mitad."})
        return verdadero(partida)

    monkeypatch.setattr(services, "vencimiento", vencimiento)
    hecha = importar(agencia, revisar(agencia, hacer(fila(1), fila(2), fila(3))))
    assert "Fila 3: Se torció a la mitad." in texto(hecha)
    assert sorted(Expediente.objects.values_list("certificado", flat=True)) == ["CL-1", "CL-3"]
    numeros = sorted(Expediente.objects.values_list("numero", flat=True))
    assert int(numeros[1][-6:]) == int(numeros[0][-6:]) + 1


def test_lo_que_no_cabe_en_un_turno_sigue_en_el_siguiente(agencia: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    pagina = revisar(agencia, hacer(fila(1), fila(2), fila(3)))
    monkeypatch.setattr(planilla, "TURNO_SEGUNDOS", -1)
    hecha = importar(agencia, pagina)
    assert Expediente.objects.count() == 1
    assert "Quedan 2 por importar" in texto(hecha)
    monkeypatch.undo()
    importar(agencia, pagina)
    assert Expediente.objects.count() == 3


# ── Who, and hostile files ────────────────────────────────────────────────────────────────────────


def test_sin_correo_confirmado_no_se_sube_nada(client: Client) -> None:
    for metodo in (client.get, client.post):
        assert metodo(URL)["Location"] == f"{reverse('solicitar_correo')}?para=csv"


def test_la_planilla_de_uno_no_la_ve_ni_la_importa_otro(agencia: Client) -> None:
    ficha = revisar(agencia, hacer(fila())).context["ficha"]
    Confirmacion.objects.all().delete()
    otro = Client()
    otro.post(f"{reverse('solicitar_correo')}?para=csv", {"correo": "otro@correo.example"})
    codigo = enlaces.codigo(Confirmacion.objects.get().referencia)
    otro.post(reverse("solicitar_codigo"), {"codigo": codigo})
    for respuesta in (otro.get(URL, {"ficha": ficha}), otro.post(URL, {"ficha": ficha})):
        assert respuesta["Location"] == URL
    assert otro.get(f"{URL}rechazadas/", {"ficha": ficha})["Location"] == URL
    assert not Expediente.objects.exists()


def test_un_extrano_no_saca_el_correo_de_un_registrado(agencia: Client) -> None:
    conocido = crear_importador(0)
    pagina = revisar(agencia, hacer(fila(1, agente_numero="", agente_nombre="")))
    hecha = importar(agencia, pagina)
    for vista in (pagina, hecha):
        assert conocido.correo not in vista.content.decode()
    expediente = Expediente.objects.get()
    assert "confírmela" in expediente.bitacora.get().texto
    con_enlace = Notificacion.objects.exclude(enlace=None).values_list("correo", flat=True)
    assert list(con_enlace) == [conocido.correo]


def test_mesa_de_partes_importa_con_su_nombre(mesa: Client) -> None:
    conocido = crear_importador(0)
    url = reverse("expedientes_csv")
    datos = {"importador_nombre": "", "importador_correo": "", "agente_numero": "", "agente_nombre": ""}
    nueva = fila(2, agente_numero="", agente_nombre="", importador_numero="20999900039", importador_correo="")
    pagina = revisar(mesa, hacer(fila(1, **datos), nueva), url)
    assert defectos(pagina) == [(3, "importador_correo")]
    importar(mesa, pagina)
    expediente = Expediente.objects.get()
    evento = expediente.bitacora.get()
    assert (expediente.importador, evento.actor, evento.origen) == (conocido, personas()["mesa"], "persona")
    importar(mesa, revisar(mesa, hacer(fila(1, **datos), nueva), url))
    assert Expediente.objects.count() == 1


def test_mesa_solo_registra_en_sus_puestos(mesa: Client) -> None:
    from senasa.models import Puesto

    personas()["mesa"].puestos.set(Puesto.objects.filter(codigo="PCA"))
    pagina = revisar(mesa, hacer(fila(1, agente_numero="", agente_nombre="")), reverse("expedientes_csv"))
    assert defectos(pagina) == [(2, "puesto")]


@pytest.mark.parametrize(
    ("contenido", "dice"),
    [
        (b"", "vacía"),
        (b"\r\n\r\n", "vacía"),
        (b"PK\x03\x04resto", "No se pudo abrir"),
        (b"\xd0\xcf\x11\xe0", "Excel antiguo"),
        (b"a;b;c\r\n1;2;3", "Faltan columnas"),
        (hacer(), "solo tiene el encabezado"),
        (hacer(fila()).replace(b"referencia;", b"puesto;"), "dos veces"),
        (hacer(fila()).replace(b"referencia;", b"secreto;"), "No se conocen"),
        (hacer(*(fila(n) for n in range(501))), "501 filas"),
        (b"x" * (planilla.MAX_BYTES + 1), "2 MB"),
        (hacer(fila(lugar="y" * 200_000)), "No se puede leer"),
    ],
)
def test_un_archivo_que_no_sirve_dice_que_hacer(agencia: Client, contenido: bytes, dice: str) -> None:
    respuesta = subir(agencia, contenido)
    assert respuesta.status_code == 422
    assert dice in texto(respuesta)
    assert not Expediente.objects.exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuerpo=st.lists(st.lists(st.text(max_size=12), max_size=40), min_size=1, max_size=4), cola=st.binary(max_size=40)
)
def test_ningun_archivo_hostil_rompe_la_pagina(agencia: Client, cuerpo: list[list[str]], cola: bytes) -> None:
    salida = io.StringIO(newline="")
    csv.writer(salida, delimiter=";").writerows([planilla.NOMBRES, *cuerpo])
    respuesta = subir(agencia, salida.getvalue().encode("utf-8", "replace") + cola)
    assert respuesta.status_code in {302, 422, 429}
    if respuesta.status_code == 302 and "ficha" in respuesta["Location"]:
        assert agencia.get(respuesta["Location"]).status_code == 200


def hacer_libro(*filas: dict[str, Any]) -> bytes:
    nuevo = openpyxl.Workbook()
    hoja = nuevo.active
    hoja.append([*planilla.NOMBRES])
    for una in filas:
        hoja.append([una.get(nombre) for nombre in planilla.NOMBRES])
    salida = io.BytesIO()
    nuevo.save(salida)
    return salida.getvalue()


def test_el_libro_de_excel_se_lee_con_sus_numeros_y_sus_fechas(agencia: Client) -> None:
    suelto = {  # Excel knows no time zones
        "importador_numero": 20999900012, "suce": 2026123456, "peso_neto_kg": 1.234,
        "llegada_en": datetime(2026, 11, 22, 9, 30), "poder_hasta": datetime(2030, 1, 2),  # noqa: DTZ001
    }  # fmt: skip
    importar(agencia, revisar(agencia, hacer_libro({**fila(1), **suelto}, {**fila(2), "peso_neto_kg": 1200})))
    uno, dos = Expediente.objects.order_by("id")
    assert (uno.suce, str(uno.poder_hasta)) == ("2026123456", "2030-01-02")
    assert timezone.localtime(uno.llegada_en).strftime("%d/%m/%Y %H:%M") == "22/11/2026 09:30"
    assert [float(e.partidas.get().peso_neto_kg) for e in (uno, dos)] == [1.234, 1200]


def test_el_libro_no_es_una_bomba(agencia: Client) -> None:
    salida = io.BytesIO()
    with zipfile.ZipFile(salida, "w", zipfile.ZIP_DEFLATED) as zip_:
        zip_.writestr("xl/worksheets/sheet1.xml", b"0" * (planilla.MAX_ABIERTO + 1))
    assert "pesa demasiado" in texto(subir(agencia, salida.getvalue()))


def test_la_plantilla_de_excel_se_puede_subir_tal_cual(agencia: Client) -> None:
    bajada = agencia.get(reverse("solicitar_csv_plantilla"), {"como": "xlsx"})
    libro = openpyxl.load_workbook(io.BytesIO(bajada.content))
    assert libro.sheetnames == ["Solicitudes", "Guía", "Catálogo"]
    assert [celda.value for celda in libro["Guía"]["A"]] == [*planilla.NOMBRES]
    assert libro["Solicitudes"]["D400"].number_format == "@"
    pagina = revisar(agencia, bajada.content)
    assert (defectos(pagina), len(pagina.context["planilla"].listas)) == ([], 1)


def test_la_plantilla_se_puede_subir_tal_cual(agencia: Client) -> None:
    bajada = agencia.get(reverse("solicitar_csv_plantilla"))
    assert bajada.content.startswith(b"\xef\xbb\xbfreferencia;")
    pagina = revisar(agencia, bajada.content)
    assert defectos(pagina) == []
    assert len(pagina.context["planilla"].listas) == 1


def test_la_revision_hace_pocas_consultas_por_solicitud(agencia: Client, django_assert_max_num_queries: Any) -> None:
    contenido = hacer(*(fila(n) for n in range(40)))
    with django_assert_max_num_queries(12 + 40 * 5):
        revisar(agencia, contenido)

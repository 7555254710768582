"""Garbage in every form of every role: no error of ours, no state that the tables do not know, nothing half done.

The forms are found by walking the site as each role does, so that a new one is tried without a line here.
`BASURA` sets how many POSTs are sent: 10,000 are the figure of quality.md, fewer in `make check`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from random import Random
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from expedientes import incidencias
from expedientes.bitacora import fallas
from expedientes.models import Estado, Evento, Expediente, Partida
from laboratorio.demo import CLAVE
from laboratorio.models import Analisis, EstadoAnalisis, EstadoInforme, EstadoMuestra, Informe, Muestra
from notificaciones import enlaces
from notificaciones.models import Enlace
from tests.builders import crear_caso, personas

pytestmark = [pytest.mark.servicios, pytest.mark.django_db]

CUANTOS = int(os.environ.get("BASURA", "1500"))
ROLES = (
    "mesa", "inspector", "inspector.aereo", "jefe", "recepcion", "analista", "verificador", "director", "direccion",
    "atencion", "admin", "",
)  # fmt: skip
# Going out, and what would lock the person who walks out of the rest.
NO = (
    "/accounts/logout",
    "/accounts/password",
    "/accounts/2fa",
    "/accounts/login",
    "/admin/logout",
    "/static/",
    "/idioma",
)
PAGINAS_POR_ROL = 120

BASURA = [
    "", " ", "\x00", "a\x00b", "😀" * 50, "ñ" * 9000, "x" * 200_000, "9" * 400, "-1", "0", "1e308", "-1e400", "NaN",
    "Infinity", "0.0000000001", "2026-13-45", "0001-01-01T00:00", "9999-12-31T23:59", "2026-02-30",
    "2026-11-22T25:61",
    "2026-11-01T02:30", "<script>alert(1)</script>", "' OR 1=1 --", "../../etc/passwd", "%s%n%x", "{{ 7*7 }}",
    "\u202egnp.exe", "\r\nBcc: otro@empresa.example", "=1+1", "a@b", "a@b.c\n", "null", "[]", '{"a": 1}', "true",
    "99999999999999999999", "PCM-2026-000001", "00000000000", "20999900012", "M-2026-000001", "\ufeff", "\u0000\u0001",
    "١٢٣", "½", "Ⅷ", "\x7f", "\x1b[31m", "a" * 41, "a" * 161, "\t", "\n\n\n", "￿", "́" * 100,
]  # fmt: skip
ARCHIVOS = [
    (b"", "vacio.pdf"), (b"%PDF-1.7\nno", "falso.pdf"), (b"\x89PNG\r\n\x1a\n", "roto.png"), (b"MZ\x90", "a.exe"),
    (b"<?xml version='1.0'?><a/>", "a.xml"), (b"PK\x03\x04", "a.xlsx"), (b"a;b\n1;2\n", "../a.csv"),
    (b"\x00" * 999, ""),
]  # fmt: skip


@dataclass
class Formulario:
    url: str
    campos: dict[str, list[str]] = field(default_factory=dict)
    archivos: set[str] = field(default_factory=set)


class Lector(HTMLParser):
    """The links and the POST forms of a page; each field with the values that it offers."""

    def __init__(self, url: str):
        super().__init__()
        self.url, self.enlaces, self.formularios = url, list[str](), list[Formulario]()
        self.abierto: Formulario | None = None
        self.eleccion = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        datos = {clave: valor or "" for clave, valor in attrs}
        if tag == "a" and "href" in datos:
            self.enlaces.append(urljoin(self.url, datos["href"]).partition("#")[0])
        elif tag == "form" and datos.get("method", "").lower() == "post":
            self.abierto = Formulario(urljoin(self.url, datos.get("action", "") or self.url))
            self.formularios.append(self.abierto)
        elif self.abierto and (nombre := datos.get("name")):
            if tag == "input" and datos.get("type") == "file":
                self.abierto.archivos.add(nombre)
            elif tag in ("input", "textarea", "select", "button"):
                valores = self.abierto.campos.setdefault(nombre, [])
                if datos.get("value"):
                    valores.append(datos["value"])
                self.eleccion = nombre if tag == "select" else ""
        elif tag == "option" and self.abierto and self.eleccion and datos.get("value"):
            self.abierto.campos[self.eleccion].append(datos["value"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.abierto = None
        elif tag == "select":
            self.eleccion = ""


def _entrar(quien: str) -> Client:
    navegador = Client(raise_request_exception=False)
    cache.clear()
    if quien:
        assert navegador.post(reverse("account_login"), {"login": quien, "password": CLAVE}).status_code == 302
    return navegador


def _pasear(navegador: Client, desde: list[str]) -> Iterator[Formulario]:
    """Every form on the pages that can be reached from `desde`, by breadth; no error on the way."""
    vistas, cola, moldes = set[str](), list(desde), dict[str, int]()
    while cola and len(vistas) < PAGINAS_POR_ROL:
        url = cola.pop(0)
        ruta = urlsplit(url).path
        molde = "".join("#" if letra.isdigit() else letra for letra in ruta)  # a few of each kind of page
        if url in vistas or ruta.startswith(NO) or moldes.get(molde, 0) >= 3 or urlsplit(url).netloc:
            continue
        vistas.add(url)
        moldes[molde] = moldes.get(molde, 0) + 1
        respuesta = navegador.get(url, follow=True)
        url = respuesta.redirect_chain[-1][0] if respuesta.redirect_chain else url
        assert respuesta.status_code < 500, url
        if respuesta.streaming or "text/html" not in respuesta.get("Content-Type", ""):
            continue
        lector = Lector(url)
        lector.feed(respuesta.content.decode())
        cola += lector.enlaces
        yield from (uno for uno in lector.formularios if not urlsplit(uno.url).path.startswith(NO))


def _enviado(formulario: Formulario, azar: Random) -> dict[str, Any]:
    """A filling of the form: some of it plausible, some of it garbage, some of it missing or invented."""
    datos: dict[str, Any] = {}
    for nombre, valores in formulario.campos.items():
        suerte = azar.random()
        if nombre == "csrfmiddlewaretoken" or suerte < 0.07:
            continue
        if valores and suerte < 0.6:
            datos[nombre] = azar.choice(valores)
        elif suerte > 0.95:
            datos[nombre] = [azar.choice(BASURA), *valores[:3], azar.choice(BASURA)]
        else:
            datos[nombre] = azar.choice(BASURA)
    if azar.random() < 0.1:
        datos[azar.choice(["estado", "id", "actor", "_method", "x" * 300])] = azar.choice(BASURA)
    for nombre in formulario.archivos:
        contenido, como = azar.choice(ARCHIVOS)
        datos[nombre] = SimpleUploadedFile(como or "x", contenido, "application/pdf")
    return datos


@pytest.fixture
def mundo(certificado: Any) -> list[str]:
    """A case in each place from which something can be done, and the addresses where its importer begins."""
    for hasta, mas in (
        ("registrado", {}), ("programado", {"puesto": "PCA"}), ("en_inspeccion", {"partidas": 2}), ("muestreado", {}),
        ("en_laboratorio", {}), ("recibido", {}), ("asignado", {}), ("en_proceso", {}), ("con_resultado", {}),
        ("verificado", {}), ("verificado", {"valor": "positivo"}), ("resultado_emitido", {}),
        ("con_riv", {"valor": "positivo"}), ("en_medida", {"valor": "positivo", "decision": "condicionado"}),
        ("con_riv", {}), ("cerrado", {}),
    ):  # fmt: skip
        crear_caso(hasta, **mas)
    observado = crear_caso("en_inspeccion")
    incidencias.observar(
        expediente=observado.expediente, actor=observado.inspector, puntos="x", vence_en=date(2030, 1, 1),
        motivo="faltan-documentos", texto="x",
    )  # fmt: skip
    return [reverse("seguimiento", args=[enlaces.token(enlace)]) for enlace in Enlace.objects.order_by("-pk")[:4]]


def test_basura_en_todos_los_formularios(mundo: list[str]) -> None:
    personas()
    azar = Random(int(os.environ.get("BASURA_SEMILLA", "20261122")))
    planes: list[tuple[str, Client, Formulario]] = []
    for quien in ROLES:
        navegador = _entrar(quien)
        desde = ["/"] if quien else [*mundo, "/verificar/", "/solicitar/"]
        if not quien:
            for token in mundo:
                desde.append(navegador.get(token).headers["Location"])
        planes += [(quien, navegador, formulario) for formulario in _pasear(navegador, desde)]
    assert len({urlsplit(formulario.url).path for _q, _n, formulario in planes}) > 60
    errores = []
    for i in range(CUANTOS):
        quien, navegador, formulario = planes[i % len(planes)]
        datos = _enviado(formulario, azar)
        if i % 50 == 0:
            cache.clear()  # limits answer 429, which proves nothing here
        respuesta = navegador.post(formulario.url, datos)
        if respuesta.status_code >= 500:
            errores.append((quien, formulario.url, respuesta.status_code, {k: str(v)[:60] for k, v in datos.items()}))
    assert not errores, f"{len(errores)} errores; " + "\n".join(map(str, errores[:10]))
    _todo_sigue_en_orden()


def _todo_sigue_en_orden() -> None:
    assert list(fallas()) == []
    for modelo, estados in (
        (Expediente, set(Estado.values) - {""}), (Partida, set(Estado.values)), (Muestra, set(EstadoMuestra.values)),
        (Analisis, set(EstadoAnalisis.values)), (Informe, set(EstadoInforme.values)),
    ):  # fmt: skip
        assert set(modelo.objects.values_list("estado", flat=True)) <= estados
    for expediente in Expediente.objects.all():
        assert expediente.bitacora.filter(objeto="expediente", accion="registrar").count() == 1
        assert (expediente.estado == Estado.OBSERVADO) == (expediente.observacion is not None)
    for tabla, modelo in (("partida", Partida), ("muestra", Muestra), ("analisis", Analisis), ("informe", Informe)):
        for objeto in modelo.objects.all():
            ultimo = Evento.objects.filter(objeto=tabla, objeto_id=objeto.pk).exclude(a="").order_by("n").last()
            assert ultimo is None or ultimo.a == objeto.estado

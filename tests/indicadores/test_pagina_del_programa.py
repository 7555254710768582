"""The programme's page: each number opens as many cases as it counts, and nobody reads another post's."""

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from expedientes.models import Hitos
from indicadores import cuadro, linea_base
from indicadores.models import LineaBase
from indicadores.programa import calcular
from indicadores.querysets import LISTAS, de_la_lista
from senasa.models import Puesto, Usuario
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db


def entrar(quien: str) -> Client:
    navegador = Client()
    navegador.force_login(Usuario.objects.get(username=quien))
    return navegador


def test_cada_numero_abre_tantos_casos_como_cuenta(certificado):
    hoy = timezone.localdate()
    crear_caso("cerrado", hace=timedelta(days=20))
    otro = crear_caso("cerrado", hace=timedelta(days=9), puesto="PCA").expediente
    sin_muestra = crear_caso("cerrado", hace=timedelta(days=8)).expediente
    crear_caso("muestreado", hace=timedelta(days=20))
    crear_caso("muestreado", hace=timedelta(days=2))
    Hitos.objects.filter(pk=sin_muestra.pk).update(t1=None, t2=None, t5=None)
    Hitos.objects.filter(pk=otro.pk).update(t5=Hitos.objects.get(pk=otro.pk).t6 + timedelta(hours=1))
    viejo = crear_caso("en_laboratorio", hace=timedelta(days=90)).expediente
    crear_caso("registrado", hace=timedelta(days=90))
    Hitos.objects.filter(pk=viejo.pk).update(
        reaperturas=1, cierres=[[str(timezone.now() - timedelta(days=40)), str(timezone.now() - timedelta(days=39))]]
    )
    personas()
    direccion = Usuario.objects.get(username="direccion")
    for puesto in (None, Puesto.objects.get(codigo="PCM")):
        for desde, hasta in ((hoy - timedelta(days=30), hoy), (hoy - timedelta(days=60), hoy - timedelta(days=40))):
            p = calcular(desde, hasta, puesto)
            cuenta = {
                "ciclo": p.ciclo.n, "a_tiempo": p.a_tiempo.cuantos, "tarde": p.ciclo.n - p.a_tiempo.cuantos,
                "decision": p.informe_a_dictamen.n, "envio": p.envio.n, "envio_tarde": p.envio.n - p.envio.cuantos,
                "rezago": p.rezago, "rezago_sin_muestra": p.rezago_sin_muestra, "anulados": p.anulados, **p.excluidos,
            }  # fmt: skip
            assert {cual: de_la_lista(cual, direccion, desde, hasta, puesto).count() for cual in LISTAS} == cuenta
    assert calcular(hoy - timedelta(days=30), hoy).rezago == 1


def test_la_pagina_dice_lo_mismo_y_cuesta_lo_mismo(certificado):
    crear_caso("cerrado", hace=timedelta(hours=30))
    direccion = entrar("direccion")
    with CaptureQueriesContext(connection) as con_uno:
        pagina = direccion.get(reverse("programa"))
    texto = pagina.content.decode()
    assert pagina.status_code == 200
    assert "1 · Ciclo, de la toma al cierre" in texto
    assert "este sistema todavía no registra reclamos" in texto
    assert "style=" not in texto
    enlaces = re.findall(r'href="(/programa/casos/ciclo/[^"]+)"', texto)
    casos = direccion.get(enlaces[0].replace("&amp;", "&")).content.decode()
    assert Hitos.objects.get().expediente.numero in casos
    for _vez in range(3):
        crear_caso("cerrado", hace=timedelta(hours=30))
    with CaptureQueriesContext(connection) as con_cuatro:
        direccion.get(reverse("programa"), {"desde": "2025-01"})
    assert len(con_cuatro) <= len(con_uno)


def test_el_jefe_de_un_puesto_lee_las_cifras_del_suyo_y_de_ningun_otro(certificado):
    suyo = crear_caso("cerrado", hace=timedelta(hours=30)).expediente
    ajeno = crear_caso("cerrado", hace=timedelta(hours=30), puesto="PCA").expediente
    jefe = Usuario.objects.get(username="jefe")
    jefe.puestos.set(Puesto.objects.filter(codigo="PCM"))
    navegador, hoy = entrar("jefe"), timezone.localdate()
    for pedido in ("", "PCA", "PCM"):
        texto = navegador.get(reverse("programa"), {"puesto": pedido}).content.decode()
        assert "n = 1" in texto
        assert "puesto=PCA" not in texto.replace('value="PCA"', "")
    url = reverse("programa_casos", args=["ciclo"])
    consulta = {"desde": f"{hoy - timedelta(days=5)}", "hasta": f"{hoy}"}
    casos = navegador.get(url, consulta).content.decode()
    assert suyo.numero in casos
    assert ajeno.numero not in casos
    assert navegador.get(url, {**consulta, "puesto": "PCA"}).status_code == 200
    assert ajeno.numero not in navegador.get(url, {**consulta, "puesto": "PCA"}).content.decode()
    csv = b"".join(navegador.get(url, {**consulta, "formato": "csv"}).streaming_content).decode()
    assert (suyo.numero in csv, ajeno.numero in csv) == (True, False)


@pytest.mark.parametrize(
    "consulta",
    [{}, {"desde": "x", "hasta": "2026-01-01"}, {"desde": "2026-02-01", "hasta": "2026-01-01"},
     {"desde": "2026-01-01", "hasta": "9999-12-31"}, {"desde": "2026-01-01", "hasta": "2026-02-01", "puesto": "ZZ"}],
)  # fmt: skip
def test_un_periodo_que_no_existe_es_404(consulta):
    personas()
    assert entrar("direccion").get(reverse("programa_casos", args=["ciclo"]), consulta).status_code == 404
    assert entrar("direccion").get(reverse("programa"), {"desde": "zz", "hasta": "'", "puesto": "%"}).status_code == 200
    assert entrar("direccion").get(reverse("programa_casos", args=["otra"]), consulta).status_code == 404


def test_un_indicador_lleva_un_solo_nombre_en_todas_las_paginas(certificado):
    """Cards, charts, baseline, stock and the page of indicator 6 take it from `cuadro.INDICADORES`."""
    crear_caso("cerrado", hace=timedelta(hours=30))
    direccion = entrar("direccion")
    programa, base, informados = (
        html.unescape(direccion.get(reverse(pagina)).content.decode())
        for pagina in ("programa", "linea_base", "informados")
    )
    for indicador in cuadro.INDICADORES:
        assert f"<h3>{indicador.n} · {indicador.nombre}</h3>" in programa
        assert f"{indicador.n}. {indicador.nombre} <span" in base
    titulos = re.findall(r"<figcaption><h2>(.*?)[<:]", programa, re.DOTALL)
    nombres = {indicador.nombre for indicador in cuadro.INDICADORES}
    assert len(titulos) == 4
    assert {titulo.strip() for titulo in titulos} <= nombres
    assert f'<th scope="col">{cuadro.POR_CLAVE[LineaBase.Indicador.INFORMADOS].nombre}</th>' in informados


def _tarjeta(texto: str, numero: int) -> str:
    return re.search(rf"<h3>{numero} · .*?</div>", texto, re.DOTALL)[0].replace("&amp;", "&")


@pytest.mark.parametrize(
    ("quien", "abre"),
    [("jefe", set()), ("director", {7, 8}), ("direccion", {6, 7, 8}), ("admin", {6})],
)
def test_las_tarjetas_6_7_y_8_abren_lo_que_cuentan_a_quien_puede_verlo(certificado, quien, abre):
    crear_caso("cerrado", hace=timedelta(hours=30))
    personas()
    navegador = entrar(quien)
    texto = navegador.get(reverse("programa"), {"puesto": "PCM"}).content.decode()
    paginas = {6: "informados", 7: "reversiones_detras", 8: "reversiones_informes"}
    con_enlace = set()
    for numero, nombre in paginas.items():
        if urls := re.findall(r'href="([^"]+)"><b>', _tarjeta(texto, numero)):
            assert urls[0].startswith(reverse(nombre) + "?")
            assert navegador.get(urls[0]).status_code == 200
            con_enlace.add(numero)
    assert con_enlace == abre


def test_una_tarjeta_dice_lo_de_antes_y_si_mejora_solo_con_linea_base(certificado):
    crear_caso("cerrado", hace=timedelta(hours=30))
    personas()
    direccion = entrar("direccion")
    assert ">línea base " not in direccion.get(reverse("programa")).content.decode()
    for indicador, valor in (("media_ciclo_dias", 22.8), ("pct_menos_15_dias", 34), ("abiertos_mas_60_dias", 0)):
        linea_base.fijar(
            actor=Usuario.objects.get(username="direccion"), indicador=indicador, puesto=None, valor=valor,
            periodo="2025", fuente="Informe anual", causa="Para comparar.",
        )  # fmt: skip
    texto = direccion.get(reverse("programa")).content.decode()
    mes = f"{timezone.localdate():%Y-%m}"
    assert f"{reverse('linea_base')}?desde={mes}&hasta={mes}&puesto=" in _tarjeta(texto, 1)
    assert "línea base 22,8\xa0d</a>" in _tarjeta(texto, 1)
    assert "● mejor: −" in _tarjeta(texto, 1)
    assert "● mejor: +66\xa0puntos" in _tarjeta(texto, 2)
    assert "= igual" in _tarjeta(texto, 5)
    assert ">línea base " not in _tarjeta(texto, 3)
    assert ">línea base " not in direccion.get(reverse("programa"), {"puesto": "PCM"}).content.decode()

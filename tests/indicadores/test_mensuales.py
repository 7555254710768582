"""The monthly report: the command's own figures, frozen; signed or not there at all; kept, and checked by its code."""

import hashlib
import json
import subprocess
from datetime import date, datetime, time, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from expedientes import documentos
from expedientes.models import Documento
from indicadores import mensuales
from indicadores.graficos import numero
from indicadores.guardado import fin_de_mes
from indicadores.models import InformeMensual
from senasa import reloj
from senasa.transicion import DatoInvalido, RolImpide
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db


def a_las(dia: date, hora: int = 9) -> datetime:
    return timezone.make_aware(datetime.combine(dia, time(hora)))


def entrar(quien: str) -> Client:
    navegador = Client(raise_request_exception=False)
    navegador.force_login(personas()[quien])
    return navegador


def test_congelado_firmado_y_verificable(certificado: Any, settings: Any, tmp_path: Any) -> None:
    gente = personas()
    mes = mensuales.ultimo_mes()
    desde_el_mes = reloj.ahora() - a_las(mes.replace(day=8))
    assert mensuales.por_hacer() == []  # of before the first case there is nothing to tell
    crear_caso("cerrado", hace=desde_el_mes)
    crear_caso("en_laboratorio", puesto="PCA", hace=desde_el_mes)
    assert mensuales.por_hacer() == [mes]

    # Only dirección, and only of a month that is over.
    with pytest.raises(RolImpide):
        mensuales.hacer(mes=mes, actor=gente["jefe"])
    with pytest.raises(DatoInvalido):
        mensuales.hacer(mes=timezone.localdate().replace(day=1), actor=gente["direccion"])
    direccion = entrar("direccion")
    pagina = direccion.get(reverse("mensual_hacer"))
    assert f'value="{mes.isoformat()}"' in pagina.content.decode()
    assert direccion.post(reverse("mensual_hacer"), {"mes": mes.isoformat()}).url == reverse("mensuales")
    informe = InformeMensual.objects.get()
    assert (informe.mes, informe.autor, mensuales.por_hacer()) == (mes, gente["direccion"], [])

    # The figures of the command, to the last digit, of all posts and of each.
    for foto in informe.cifras["ambitos"]:
        salida = StringIO()
        argumentos = ["--desde", mes.isoformat(), "--hasta", fin_de_mes(mes).isoformat(), "--formato", "json"]
        call_command(
            "indicadores", *argumentos, *(["--puesto", foto["puesto"]] if foto["puesto"] else []), stdout=salida
        )
        assert foto["cifras"] == json.loads(salida.getvalue())
    assert {foto["puesto"]: foto["cifras"]["n"] for foto in informe.cifras["ambitos"]} == {"": 1, "PCM": 1, "PCA": 0}

    # Without a certificate there is no file at all, and it is told why; with one again it heals by itself.
    args = [mes.year, mes.month]
    propio, settings.FIRMA_P12 = settings.FIRMA_P12, ""
    assert mensuales.barrer() == 0
    assert entrar("director").get(reverse("mensual_pdf", args=args)).status_code == 404
    lista = direccion.get(reverse("mensuales")).content.decode()
    assert "no se pudo firmar" in lista
    assert "FIRMA_P12" in lista
    settings.FIRMA_P12 = propio
    assert mensuales.barrer() == 0  # once a minute
    with reloj.fijado(reloj.ahora() + mensuales.REINTENTO + timedelta(seconds=1)):
        assert mensuales.barrer() == 1
        assert mensuales.barrer() == 0
    documento = Documento.objects.get(tipo="mensual")
    documentos.barrer()
    respuesta = direccion.get(reverse("mensual_pdf", args=args))
    pdf = b"".join(respuesta.streaming_content)
    assert hashlib.sha256(pdf).hexdigest() == documento.sha256
    assert documentos.verificar_archivo(pdf) == (documentos.Veredicto.INTACTO, documento)
    publica = Client().get(reverse("verificar_cvd", args=[documento.cvd])).content.decode()
    assert "Informe mensual del programa" in publica
    assert "Documento auténtico y vigente" in publica

    # The PDF and the page say the same figures.
    ruta = tmp_path / "mensual.pdf"
    ruta.write_bytes(pdf)
    texto = subprocess.run(["pdftotext", "-layout", ruta, "-"], check=True, capture_output=True, text=True).stdout
    pagina = direccion.get(reverse("mensual", args=args)).content.decode()
    assert "hoy saldrían otras cifras" not in pagina
    seguido = " ".join(texto.replace("\xa0", " ").split())
    for _indicador, celdas in mensuales.leido(informe)["indicadores"]:
        assert celdas[0][1].valor in pagina
        assert celdas[0][1].valor.replace("\xa0", " ") in seguido

    # So do the charts, of twelve months that were frozen too; reports of before charts have none.
    graficos = mensuales.leido(informe)["graficos"]
    assert [len(grafico.filas) for grafico in graficos] == [12] * 4
    for grafico in graficos:
        assert grafico.titulo in pagina
        assert " ".join(grafico.titulo.replace("\xa0", " ").split()) in seguido
    assert graficos[0].filas[-1][1][0][0] == numero(informe.cifras["ambitos"][0]["cifras"]["media_ciclo_dias"])
    informe.cifras.pop("meses")
    assert mensuales.leido(informe)["graficos"] == []

    # What is typed later with an hour of that month changes neither figures nor file; the page says that it would.
    antes = InformeMensual.objects.get().cifras
    crear_caso("cerrado", hace=desde_el_mes - timedelta(days=1))
    assert mensuales.hacer(mes=mes, actor=gente["direccion"]) == informe
    assert InformeMensual.objects.get().cifras == antes
    assert "hoy saldrían otras cifras" in direccion.get(reverse("mensual", args=args)).content.decode()
    assert direccion.get(reverse("mensual", args=[mes.year, 13])).status_code == 404
    for cambio in (
        lambda: InformeMensual.objects.update(cifras={}),
        lambda: InformeMensual.objects.update(mes=date(2020, 1, 1)),
        lambda: InformeMensual.objects.all().delete(),
        lambda: Documento.objects.filter(pk=documento.pk).update(tipo="riv"),
        lambda: Documento.objects.filter(tipo="informe").update(expediente=None),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            cambio()


def test_se_hace_solo_pasados_los_dias_de_gracia(certificado: Any) -> None:
    """Three whole days after the end of the month, once; of nobody."""
    mes = mensuales.ultimo_mes()
    crear_caso("muestreado", hace=reloj.ahora() - a_las(mes.replace(day=8)))
    with reloj.fijado(a_las(fin_de_mes(mes) + timedelta(days=3), 23)):
        assert mensuales.hacer_el_que_toca() is None
    with reloj.fijado(a_las(fin_de_mes(mes) + timedelta(days=4), 0)):
        hecho = mensuales.hacer_el_que_toca()
        assert hecho is not None
        assert (hecho.mes, hecho.autor) == (mes, None)
        assert mensuales.hacer_el_que_toca() is None
    # Nothing was closed: what cannot be computed says so, in the figures and on the page.
    cifras = hecho.cifras["ambitos"][0]["cifras"]
    assert (cifras["n"], cifras["media_ciclo_dias"], cifras["pct_menos_15_dias"]) == (0, None, None)
    pagina = entrar("director").get(reverse("mensual", args=[mes.year, mes.month])).content.decode()
    assert "sin datos" in pagina
    assert "no se registran reclamos todavía" in pagina

"""The baseline: set by dirección alone, by versions; all rows of a file or none; compared in words and by direction."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import Workbook

from indicadores import cuadro, graficos, linea_base
from indicadores.models import LineaBase
from senasa.models import Puesto
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db
I = LineaBase.Indicador  # noqa: E741


def entrar(quien: str) -> Client:
    navegador = Client(raise_request_exception=False)
    navegador.force_login(personas()[quien])
    return navegador


def subir(navegador: Client, contenido: bytes, nombre: str = "base.csv") -> Any:
    archivo = SimpleUploadedFile(nombre, contenido)
    return navegador.post(reverse("linea_base_importar"), {"archivo": archivo, "causa": "Del informe anual."})


def test_se_fija_se_importa_y_guarda_sus_versiones() -> None:
    direccion = entrar("direccion")
    datos = {"indicador": I.CICLO.value, "valor": "22,8", "periodo": "2024", "fuente": "Memoria", "causa": "Primera."}
    assert direccion.post(reverse("linea_base_fijar"), datos).url == reverse("linea_base")
    assert direccion.post(reverse("linea_base_fijar"), datos | {"valor": "21.5"}).status_code == 302
    assert [(una.version, una.valor) for una in LineaBase.objects.order_by("pk")] == [(1, 22.8), (2, 21.5)]
    assert linea_base.vigentes()[I.CICLO].valor == 21.5
    for malo in ("-1", "nan", "inf", "mucho"):
        assert direccion.post(reverse("linea_base_fijar"), datos | {"valor": malo}).status_code == 422
    fuera = direccion.post(reverse("linea_base_fijar"), datos | {"indicador": I.A_TIEMPO.value, "valor": "101"})
    assert "de 0 a 100" in fuera.content.decode()

    # A file enters whole or not at all, and says which row and column.
    malas = b"indicador;puesto;valor;periodo;fuente\nmedia_ciclo_dias;;20;2024;Uno\nnada;XXX;mucho;;Dos\n"
    pagina = subir(direccion, malas).content.decode()
    for dicho in ("Fila 3, columna «indicador»", "«XXX»", "«mucho» no es un número", "columna «periodo»"):
        assert dicho in pagina
    assert LineaBase.objects.count() == 2
    dos_veces = "indicador;valor;periodo;fuente\npct_informados;73 %;2024;A\npct_informados;74;2024;B\n"
    assert "dos veces" in subir(direccion, dos_veces.encode()).content.decode()
    plantilla = b"".join(direccion.get(reverse("linea_base_plantilla")).streaming_content)
    assert subir(direccion, plantilla).status_code == 302  # the template itself is good as it comes
    assert linea_base.vigentes()[I.CICLO].version == 3
    libro, hecho = Workbook(), BytesIO()
    libro.active.append(["Indicador", "Puesto", "Valor", "Período", "Fuente"])
    libro.active.append(["Ciclo, de la toma al cierre", "pcm", 19.25, "2024", "Memoria"])
    libro.save(hecho)
    assert subir(direccion, hecho.getvalue(), "base.xlsx").status_code == 302
    del_puerto = linea_base.vigentes(Puesto.objects.get(codigo="PCM"))
    assert {clave: una.valor for clave, una in del_puerto.items()} == {I.CICLO: 19.25}

    # Nothing that was in force is ever edited, and the page of each post shows its own.
    for cambio in (LineaBase.objects.all().delete, lambda: LineaBase.objects.update(valor=1)):
        with pytest.raises(IntegrityError), transaction.atomic():
            cambio()
    pagina = entrar("jefe").get(reverse("linea_base"), {"puesto": "PCM"}).content.decode()
    assert "19,3" in pagina
    assert "sin línea base" in pagina
    assert "Fijar uno" not in pagina


@pytest.mark.usefixtures("memoria")
def test_lo_guardado_de_las_paginas_cambia_con_la_linea_base_y_con_cada_cierre(certificado: Any) -> None:
    crear_caso("cerrado", hace=timedelta(days=9))
    direccion = entrar("direccion")
    datos = {"indicador": I.CICLO.value, "periodo": "2024", "fuente": "Memoria", "causa": "Primera."}

    def mirar(pagina: str) -> tuple[str, bool]:
        with CaptureQueriesContext(connection) as consultas:
            cuerpo = direccion.get(reverse(pagina)).content.decode().partition("<main")[2]
        return cuerpo, any("expedientes_hitos" in una["sql"] for una in consultas)

    for valor in ("22,8", "21,5"):
        for pagina in ("programa", "linea_base"):
            assert valor not in mirar(pagina)[0]
        direccion.post(reverse("linea_base_fijar"), datos | {"valor": valor})
        for pagina in ("programa", "linea_base"):
            assert valor in mirar(pagina)[0]
    assert mirar("tiempos")[1]
    antes = {pagina: mirar(pagina)[0] for pagina in ("programa", "linea_base", "tiempos")}
    assert {pagina: mirar(pagina) for pagina in antes} == {pagina: (cuerpo, False) for pagina, cuerpo in antes.items()}
    crear_caso("cerrado", hace=timedelta(days=15))
    for pagina, cuerpo in antes.items():
        assert mirar(pagina)[0] != cuerpo


def test_la_comparacion_sabe_que_es_mejor() -> None:
    ciclo, a_tiempo = cuadro.POR_CLAVE[I.CICLO], cuadro.POR_CLAVE[I.A_TIEMPO]
    menos = cuadro.comparar(ciclo, 16.5, 22.0)
    assert menos is not None
    assert (menos.mejora, menos.texto) == (True, "−5,5\xa0d (−25\xa0%)")
    mas = cuadro.comparar(a_tiempo, 59.0, 34.0)
    assert mas is not None
    assert (mas.mejora, mas.texto) == (True, "+25\xa0puntos")
    assert cuadro.comparar(ciclo, 23.0, 22.0).mejora is False  # type: ignore[union-attr]
    assert cuadro.comparar(ciclo, 22.01, 22.0).mejora is None  # type: ignore[union-attr]
    assert cuadro.comparar(ciclo, None, 22.0) is None
    assert cuadro.comparar(ciclo, 22.0, None) is None
    assert cuadro.escribir(None, "d") == "sin datos"
    assert [graficos.numero(valor) for valor in (15.99, 19.25, 0.04, None)] == ["16,0", "19,3", "0,0", "sin datos"]
    assert cuadro.escribir(1234.56, "d") == "1\xa0234,6\xa0d"

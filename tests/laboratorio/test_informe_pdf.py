"""What is printed on a report and on a RIV: the fields of ISO/IEC 17025, on pages that say whose they are."""

import re
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from django.utils import timezone

from expedientes import documentos
from expedientes.firma import cargar_certificado
from expedientes.models import Dictamen, Documento, Importador, Plaga
from expedientes.riv import componer_riv, contexto_riv
from laboratorio.informes import componer_informe, contexto_informe
from laboratorio.models import Analisis, EstadoAnalisis, Informe, Metodo, Muestra, Resultado
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db

CVD = "ABCD-EFGH-JKMN-PQRS"


@pytest.fixture
def informe(certificado: Path) -> Informe:
    return crear_caso("resultado_emitido").expediente.informes.get()


def opciones(version: int = 1) -> dict[str, Any]:
    return {"version": version, "cvd": CVD, "emitido_en": timezone.now(), "certificado": cargar_certificado()}


def paginas(pdf: bytes, carpeta: Path) -> list[str]:
    """The text of each page, blanks squeezed, as poppler reads it."""
    ruta = carpeta / "documento.pdf"
    ruta.write_bytes(pdf)
    texto = subprocess.run(["pdftotext", "-layout", ruta, "-"], check=True, capture_output=True, text=True).stdout
    return [re.sub(r"\s+", " ", pagina) for pagina in texto.split("\f")[:-1]]


def con_muchos_resultados(informe: Informe, cuantos: int) -> None:
    """Rows as sixty tests would leave them; the pages are what is tried here, not the life cycle."""
    modelo = Analisis.objects.filter(solicitud=informe.solicitud).first()
    assert modelo
    resultado = modelo.resultados.get(vigente=True)
    pares = [(metodo, plaga) for metodo in Metodo.objects.all() for plaga in Plaga.objects.all()]
    for metodo, plaga in pares[: cuantos - 1]:
        if (metodo, plaga) == (modelo.metodo, modelo.plaga):
            continue
        analisis = Analisis.objects.create(
            expediente=modelo.expediente, muestra=modelo.muestra, solicitud=modelo.solicitud, metodo=metodo,
            plaga=plaga, estado=EstadoAnalisis.VERIFICADO, estado_desde=modelo.estado_desde,
        )  # fmt: skip
        Resultado.objects.create(
            analisis=analisis, valor="negativo", lectura="Ct > 40 (umbral 35)", ocurrio_en=resultado.ocurrio_en,
            registrado_por=resultado.registrado_por,
        )  # fmt: skip


def test_el_informe_reune_los_campos_de_la_norma(informe: Informe) -> None:
    contexto = contexto_informe(informe, **opciones(version=2))
    muestra = informe.solicitud.muestras.get()
    assert (contexto["numero"], contexto["version"]) == (f"{informe.numero}-V2", 2)
    assert (contexto["conclusion"], contexto["resumen"]) == ("negativo", "1 análisis: 1 negativo")
    assert contexto["muestras"] == [muestra]
    assert contexto["planes"] == [muestra.plan_de_muestreo]
    assert [fila["analisis"].muestra for fila in contexto["filas"]] == [muestra]
    assert contexto["ensayado_desde"] <= contexto["ensayado_hasta"]
    assert contexto["verificar_en"].endswith(f"/verificar/{CVD}/")
    assert contexto["demostracion"] is True


def test_el_informe_dice_lo_peor_que_hallo_y_quien_lo_autoriza(certificado: Path) -> None:
    informe = crear_caso("resultado_emitido", valor="positivo").expediente.informes.get()
    contexto = contexto_informe(informe, **opciones())
    assert (contexto["conclusion"], contexto["resumen"]) == ("positivo", "1 análisis: 1 positivo")
    assert contexto["autoriza"] == informe.autoriza is not None


def test_el_informe_no_imprime_un_resultado_sin_verificar(informe: Informe) -> None:
    Analisis.objects.filter(solicitud=informe.solicitud).update(estado=EstadoAnalisis.REGISTRADO)
    assert contexto_informe(informe, **opciones())["filas"] == []


def test_el_riv_nombra_la_version_del_informe_en_que_se_funda(certificado: Path) -> None:
    expediente = crear_caso("dictaminado").expediente
    dictamen = Dictamen.objects.get(partida__expediente=expediente)
    contexto = contexto_riv(dictamen, **opciones())
    assert contexto["informes"] == list(expediente.documentos.filter(tipo=Documento.Tipo.INFORME))
    assert ("PFI", "2026-118-04412") in contexto["papeles"]
    assert contexto["inspeccion"].actor is not None


def test_los_documentos_llevan_su_codigo_en_los_metadatos(informe: Informe) -> None:
    with pikepdf.open(BytesIO(componer_informe(informe, **opciones()))) as pdf:
        assert str(pdf.docinfo["/Title"]) == f"Informe de ensayo {informe.numero}"
        assert str(pdf.docinfo["/Keywords"]) == CVD
        assert str(pdf.Root["/Lang"]) == "es"


@pytest.mark.browser
def test_cada_pagina_dice_de_que_documento_es(informe: Informe, tmp_path: Path) -> None:
    con_muchos_resultados(informe, 60)
    hojas = paginas(componer_informe(informe, **opciones(version=2)), tmp_path)
    assert len(hojas) > 2
    for n, hoja in enumerate(hojas, 1):
        assert f"Informe de ensayo {informe.numero}-V2 · versión 2" in hoja
        assert f"Página {n} de {len(hojas)}" in hoja
        assert CVD in hoja
        assert "Firma de demostración, sin valor legal" in hoja
    fines = [n for n, hoja in enumerate(hojas, 1) if f"Fin del informe {informe.numero}-V2" in hoja]
    assert fines == [len(hojas)]
    assert "".join(hojas).count("Ct > 40") == 59


@pytest.mark.browser
def test_un_caso_corriente_cabe_en_una_hoja_y_trae_lo_que_pide_la_norma(informe: Informe, tmp_path: Path) -> None:
    (hoja,) = paginas(documentos.leer(informe.documento), tmp_path)
    muestra = informe.solicitud.muestras.get()
    for dato in (
        "Informe de ensayo", informe.numero, "UCDSV", "Lugar de los ensayos", informe.expediente.importador.nombre,
        "20999900012", informe.expediente.numero, "Uva fresca", "Vitis vinifera", muestra.numero, muestra.precinto,
        "Toma", "Recepción", "Fechas de los ensayos", "Fecha de emisión", "Plan de muestreo", "Lobesia botrana",
        "POLYBO", "Negativo", "conciernen únicamente a los objetos ensayados", "Cierre y firma automáticos",
        "versión 1 (decisión automatizada", informe.documento.cvd, "Fin del informe",
    ):  # fmt: skip
        assert dato in hoja, dato


@pytest.mark.browser
def test_sin_demostracion_no_se_dice_de_demostracion(informe: Informe, tmp_path: Path) -> None:
    from dataclasses import replace

    de_verdad = {**opciones(), "certificado": replace(cargar_certificado(), es_demostracion=False)}
    assert "demostración," not in "".join(paginas(componer_informe(informe, **de_verdad), tmp_path))


@pytest.mark.browser
def test_lo_que_alguien_escribio_se_imprime_tal_cual(informe: Informe, tmp_path: Path) -> None:
    malo = "<link rel=attachment href=file:///etc/passwd> & <b>Hijos</b>"
    Importador.objects.filter(pk=informe.expediente.importador_id).update(nombre=malo, direccion="W" * 200)
    Muestra.objects.filter(solicitud=informe.solicitud).update(observaciones=malo, lote="L" * 60)
    dictamen_de = crear_caso("dictaminado").expediente
    Dictamen.objects.filter(partida__expediente=dictamen_de).update(fundamento=malo * 80)
    informe = Informe.objects.get(pk=informe.pk)
    for pdf in (
        componer_informe(informe, **opciones()),
        componer_riv(Dictamen.objects.get(partida__expediente=dictamen_de), **opciones()),
    ):
        assert "<b>Hijos</b>" in "".join(paginas(pdf, tmp_path)).replace(" ", "")
        with pikepdf.open(BytesIO(pdf)) as abierto:
            assert dict(abierto.attachments) == {}

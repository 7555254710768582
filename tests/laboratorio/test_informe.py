"""The report on paper: long ones lose nothing, and nobody's text brings anything from the disk or the network."""

import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from django.utils import timezone
from django.utils.html import escape
from weasyprint import HTML

from expedientes.firma import cargar_certificado
from expedientes.pdf import NadaDeFuera
from laboratorio.informes import componer_informe
from laboratorio.models import Analisis, Informe, Muestra, Resultado
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db

CVD = "AAAA-BBBB-CCCC-DDDD"
HOSTIL = '<link rel=attachment href="file:///etc/hostname"><img src="{url}"> & "Ñusta" {{{{ x }}}}<script>1</script>'


@pytest.fixture
def informe(certificado: Path) -> Informe:
    return Informe.objects.get(expediente=crear_caso("verificado").expediente)


def alargar(informe: Informe, muestras: int) -> None:
    """More samples with their results, as if a ship had been sampled hold by hold."""
    modelo = Analisis.objects.filter(solicitud=informe.solicitud).select_related("muestra").latest("pk")
    for n in range(muestras):
        muestra = Muestra.objects.get(pk=modelo.muestra_id)
        muestra.pk, muestra.numero, muestra.precinto = None, f"M-2026-9{n:05d}", f"P-{n:04d}"
        muestra.observaciones = (
            "Llegó con el envase húmedo por fuera; el contenido, seco y completo." if n % 9 == 0 else ""
        )
        muestra.save(force_insert=True)
        analisis = Analisis.objects.get(pk=modelo.pk)
        analisis.pk, analisis.muestra = None, muestra
        analisis.save(force_insert=True)
        Resultado.objects.create(
            analisis=analisis, valor="negativo", registrado_por=analisis.analista, ocurrio_en=timezone.now(),
            lectura="0 de 400 bayas con larvas",
        )  # fmt: skip


def pdf_de(informe: Informe) -> bytes:
    return componer_informe(informe, version=1, cvd=CVD, emitido_en=timezone.now(), certificado=cargar_certificado())


def paginas(pdf: bytes, tmp_path: Path) -> list[str]:
    archivo = tmp_path / "informe.pdf"
    archivo.write_bytes(pdf)
    texto = subprocess.run(["pdftotext", "-layout", archivo, "-"], check=True, capture_output=True, text=True).stdout
    return [re.sub(r"\s+", " ", pagina) for pagina in texto.rstrip("\f").split("\f")]


@pytest.mark.browser
@pytest.mark.parametrize("muestras", [0, 7, 60])
def test_ninguna_pagina_queda_casi_vacia_ni_pierde_una_muestra(informe: Informe, tmp_path: Path, muestras: int) -> None:
    alargar(informe, muestras)
    hojas = paginas(pdf_de(informe), tmp_path)
    for n, hoja in enumerate(hojas, start=1):
        assert f"Código de verificación (CVD): {CVD}" in hoja
        assert len(hoja) > 450, f"la página {n} va casi vacía: {hoja}"
    todo = " ".join(hojas)
    assert todo.count("0 de 400") == muestras
    assert all(f"P-{n:04d}" in todo for n in range(muestras))


@pytest.fixture
def espia() -> Iterator[tuple[str, list[bytes]]]:
    """A server that would notice anybody who fetched something from it."""
    visitas: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as servidor:

        def escuchar() -> None:
            while True:
                try:
                    visita, _de = servidor.accept()
                except OSError:
                    return
                with visita:
                    visitas.append(visita.recv(1024))

        threading.Thread(target=escuchar, daemon=True).start()
        yield f"http://127.0.0.1:{servidor.getsockname()[1]}/x.png", visitas
        servidor.shutdown(socket.SHUT_RDWR)


def trae_algo(pdf: bytes) -> bool:
    with pikepdf.open(BytesIO(pdf)) as abierto:
        imagenes = any(isinstance(o, pikepdf.Stream) and o.get("/Subtype") == "/Image" for o in abierto.objects)
        return bool(abierto.attachments) or imagenes


def test_lo_que_escribe_la_gente_va_escapado_y_no_trae_nada(
    informe: Informe, espia: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, visitas = espia
    hostil = HOSTIL.format(url=url)
    importador, muestra = informe.expediente.importador, informe.solicitud.muestras.get()
    importador.nombre, importador.direccion = hostil[:200], hostil[:200]
    importador.save()
    Muestra.objects.filter(pk=muestra.pk).update(lote=hostil[:60], observaciones=hostil, plan_de_muestreo=hostil[:160])
    informe = Informe.objects.get(pk=informe.pk)
    htmls = []
    original = HTML.__init__

    def anotar(self: HTML, *args: object, **opciones: object) -> None:
        htmls.append(opciones["string"])
        original(self, *args, **opciones)

    monkeypatch.setattr(HTML, "__init__", anotar)
    pdf = pdf_de(informe)
    (html,) = htmls
    assert escape(hostil) in html
    assert "<script" not in html
    assert "<link" not in html
    assert not trae_algo(pdf)
    assert visitas == []


def test_aunque_algo_se_colara_sin_escapar_no_se_trae_nada(espia: tuple[str, list[bytes]], tmp_path: Path) -> None:
    url, visitas = espia
    (tmp_path / "secreto.txt").write_text("secreto")
    malo = (
        f'<link rel=attachment href="{(tmp_path / "secreto.txt").as_uri()}"><img src="{url}">'
        f'<link rel=stylesheet href="{url}"><style>@import "{url}"; p {{ background: url({url}) }}</style>'
        f'<svg><image href="{url}"/></svg><p>Hola'
    )
    assert not trae_algo(HTML(string=malo, url_fetcher=NadaDeFuera()).write_pdf())
    assert visitas == []
    assert trae_algo(HTML(string=malo).write_pdf())  # what the library would do by itself
    assert visitas != []

"""A report against bare WeasyPrint and bare pyHanko on the very same HTML.

Bar (quality.md): render, sign, validate and store in at most 1.15 times what the two libraries alone take. Beside it
the whole emission, from the order on: with its locks, log, deadlines, milestones, forecast and everybody's notices.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import pikepdf
from django.conf import settings
from django.template.loader import render_to_string
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from weasyprint import HTML

from expedientes import documentos, firma
from expedientes.models import Plaga
from laboratorio import firmas
from laboratorio.informes import contexto_informe
from laboratorio.models import Analisis, EstadoAnalisis, EstadoInforme, Informe, Metodo, Resultado
from laboratorio.recorrido import verificar
from senasa.celery import no_volver_a_mirar_lo_cargado
from tests.builders import crear_caso

from .tabla import Fila

TAMANOS = (1, 3, 60)
BARRA = 1.15


@dataclass(frozen=True)
class Medida:
    """Seconds, the median of the rounds. `desnudas`: of the libraries alone; `entera`: of the emission. The ratios are
    those of each round, since the machine changes."""

    resultados: int
    hojas: int
    desnudas: float
    nuestro: float
    entera: float
    razon: float
    razon_entera: float


def medir(*, vueltas: int) -> list[Medida]:
    """Ours and theirs by turns, so that whatever else the machine does falls on both."""
    ruta = Path(settings.FIRMA_P12)
    if not ruta.exists():
        firma.crear_demo(ruta, settings.FIRMA_CLAVE)
    firmante = signers.SimpleSigner.load_pkcs12(str(ruta), passphrase=settings.FIRMA_CLAVE.encode())
    return [_medir(cuantos, vueltas, firmante) for cuantos in TAMANOS]


def _medir(cuantos: int, vueltas: int, firmante: Any) -> Medida:
    informes = [_por_firmar(cuantos) for _vuelta in range(vueltas + 1)]
    no_volver_a_mirar_lo_cargado()  # as the worker does when it starts; it falls on both
    desnudas, nuestros, enteras, hojas = [], [], [], 0
    for informe in informes:
        with _sumando() as suyos:
            documento, entera = _cronometrar(partial(firmas.firmar_informe, informe_id=informe.pk))
        html = _html(informe, documento)
        _pdf, de_ellas = _cronometrar(partial(_desnudas, html, firmante))
        nuestros.append(sum(suyos))
        enteras.append(entera)
        desnudas.append(de_ellas)
        with pikepdf.open(BytesIO(documentos.leer(documento))) as pdf:
            hojas = len(pdf.pages)
    # The first one warms both up.
    desnudas, nuestros, enteras = desnudas[1:], nuestros[1:], enteras[1:]
    razones = [nuestro / de_ellas for nuestro, de_ellas in zip(nuestros, desnudas, strict=True)]
    de_enteras = [entera / de_ellas for entera, de_ellas in zip(enteras, desnudas, strict=True)]
    return Medida(
        cuantos, hojas, median(desnudas), median(nuestros), median(enteras), median(razones), median(de_enteras)
    )


@contextmanager
def _sumando() -> Iterator[list[float]]:
    """The seconds of each step that makes a document of a report: composed, signed and validated, stored, noted."""
    suyos: list[float] = []

    def medido(hacer: Callable[..., Any]) -> Callable[..., Any]:
        def envuelto(*args: Any, **datos: Any) -> Any:
            hecho, segundos = _cronometrar(partial(hacer, *args, **datos))
            suyos.append(segundos)
            return hecho

        return envuelto

    pasos = (
        (firmas, "componer_informe"), (firmas, "firmar"), (documentos, "preparar"), (documentos, "publicar_documento"),
    )  # fmt: skip
    with ExitStack() as pila:
        for modulo, nombre in pasos:
            pila.enter_context(patch.object(modulo, nombre, medido(getattr(modulo, nombre))))
        yield suyos
    assert len(suyos) == len(pasos)


def _cronometrar(hacer: Callable[[], Any]) -> tuple[Any, float]:
    empieza = perf_counter()
    hecho = hacer()
    return hecho, perf_counter() - empieza


def _desnudas(html: str, firmante: Any) -> bytes:
    pdf = HTML(string=html).write_pdf(pdf_variant="pdf/a-3a")
    datos = signers.PdfSignatureMetadata(
        field_name="Firma", md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES
    )
    return signers.sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), datos, signer=firmante).getvalue()


def _html(informe: Informe, documento: Any) -> str:
    """What the report's PDF was made of, with the same code and hour."""
    certificado = firma.cargar_certificado()
    contexto = contexto_informe(
        informe, version=1, cvd=documento.cvd, emitido_en=documento.emitido_en, certificado=certificado
    )
    return render_to_string("pdf/informe.html", contexto)


def _por_firmar(cuantos: int) -> Informe:
    """A report that its director has just ordered, with `cuantos` results, the first of them positive.

    The others are rows like those that the bench leaves: their own history is not what is measured here.
    """
    caso = crear_caso("con_resultado", valor="positivo")
    modelo = caso.analisis[0]
    resultado = modelo.resultados.get()
    pares = [(metodo, plaga) for metodo in Metodo.objects.all() for plaga in Plaga.objects.all()]
    otros = [par for par in pares if par != (modelo.metodo, modelo.plaga)][: cuantos - 1]
    analisis = Analisis.objects.bulk_create(
        Analisis(
            expediente=caso.expediente, muestra=modelo.muestra, solicitud=modelo.solicitud, metodo=metodo, plaga=plaga,
            estado=EstadoAnalisis.VERIFICADO, estado_desde=modelo.estado_desde, iniciado_en=modelo.iniciado_en,
        )
        for metodo, plaga in otros
    )  # fmt: skip
    Resultado.objects.bulk_create(
        Resultado(
            analisis=uno, valor="negativo", lectura="Ct > 40 (umbral 35)", ocurrio_en=resultado.ocurrio_en,
            registrado_por=resultado.registrado_por,
        )
        for uno in analisis
    )  # fmt: skip
    verificar(caso)
    informe = Informe.objects.get(expediente=caso.expediente)
    assert informe.estado == EstadoInforme.POR_FIRMAR
    firmas.ordenar_firma(informe=informe, actor=caso.personas["director"])
    return informe


def filas(medidas: list[Medida]) -> list[Fila]:
    contra = "WeasyPrint y pyHanko solos"
    suyas = []
    for uno in medidas:
        cual = f"un informe de {_cuantos(uno.resultados, 'resultado')}, {_cuantos(uno.hojas, 'hoja')}"
        en_ms = f"ms / {uno.desnudas * 1000:.0f} ms"
        suyas += [
            Fila(
                f"{cual}: componer, firmar, validar, guardar", contra, uno.razon, BARRA,
                detalle=f"{uno.nuestro * 1000:.0f} {en_ms}",
            ),
            Fila(
                f"{cual}: toda la emisión, con bitácora, plazos y avisos", contra, uno.razon_entera, BARRA,
                detalle=f"{uno.entera * 1000:.0f} {en_ms}",
            ),
        ]  # fmt: skip
    return suyas


def _cuantos(n: int, que: str) -> str:
    return f"{n} {que}{'' if n == 1 else 's'}"

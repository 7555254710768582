"""PDFs: a template becomes a printable document. Nothing is fetched, from the disk or from the network."""

import threading
from typing import Any

import segno
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse


class NadaDeFuera(URLFetcher):
    """WeasyPrint would embed local files that a text asks for: here there is nothing to fetch at all."""

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        raise ValueError("los documentos no traen nada de fuera")


def url_de_verificacion(cvd: str) -> str:
    """Where anybody checks a document by its CVD: what the QR says."""
    return settings.SITIO_URL + reverse("verificar_cvd", args=[cvd])


def qr(texto: str) -> SafeString:
    """`texto` as a QR code, an inline SVG without size of its own."""
    return mark_safe(segno.make(texto, error="m").svg_inline(omitsize=True, border=0))  # noqa: S308


def componer(plantilla: str, contexto: dict[str, Any]) -> bytes:
    """Render `plantilla` to an unsigned PDF to be kept for good: PDF/A-3a, fonts inside, tagged for a screen reader."""
    antes, _etiqueta, resto = render_to_string(plantilla, contexto).partition("<style>")
    estilo, _etiqueta, despues = resto.partition("</style>")
    html = HTML(string=antes + despues, url_fetcher=NadaDeFuera())
    return html.write_pdf(pdf_variant="pdf/a-3a", font_config=_taller.letras, stylesheets=[_taller.hoja(estilo)])


class _Taller(threading.local):
    """What one thread's documents have in common, kept: a third of the time of a short one.

    To look for the fonts anew takes a fifth of it, to read again the style sheet of its head a tenth.
    """

    def __init__(self) -> None:
        self.letras = FontConfiguration()
        self.hojas: dict[str, CSS] = {}

    def hoja(self, estilo: str) -> CSS:
        if estilo not in self.hojas:
            self.hojas[estilo] = CSS(string=estilo, url_fetcher=NadaDeFuera())
        return self.hojas[estilo]


_taller = _Taller()

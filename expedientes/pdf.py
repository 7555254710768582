"""PDFs: a template becomes a printable document. Nothing is fetched, from the disk or from the network."""

import threading
from typing import Any

import segno
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from weasyprint import HTML
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
    html = render_to_string(plantilla, contexto)
    return HTML(string=html, url_fetcher=NadaDeFuera()).write_pdf(pdf_variant="pdf/a-3a", font_config=_letras())


_del_hilo = threading.local()


def _letras() -> FontConfiguration:
    """The fonts of this thread, kept: to look for them anew takes a fifth of a report's time."""
    if not hasattr(_del_hilo, "letras"):
        _del_hilo.letras = FontConfiguration()
    return _del_hilo.letras

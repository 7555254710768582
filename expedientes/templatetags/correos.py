"""How the paragraphs of a mail are set: what they begin with, and whether they ask for something."""

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

ROTULO = re.compile(r"([^\W\d_][^:.;«»]{2,48}): (?=\S)")
NUMERO = re.compile(r"\b([A-Z]{1,3}-\d{4}-\d{6,9}(?:-V\d+)?)\b")
TAREA = "Lo que tiene que hacer: "


@register.filter
def rotulado(parrafo: str) -> SafeString:
    """The paragraph, escaped, with what it begins with («Lo que sigue:») in bold and its numbers in one piece."""
    hallado = ROTULO.match(parrafo)
    resto = parrafo[hallado.end() :] if hallado else parrafo
    trozos = NUMERO.split(resto[:1].upper() + resto[1:])  # what stands between numbers, and in odd places a number
    partes = [
        format_html('<span style="white-space:nowrap">{}</span>', t) if n % 2 else t for n, t in enumerate(trozos)
    ]
    dicho = format_html_join("", "{}", ((parte,) for parte in partes))
    return format_html("<strong>{}:</strong> {}", hallado[1], dicho) if hallado else dicho


@register.filter
def pide_algo(parrafo: str) -> bool:
    """Whether the paragraph says what its reader has to do, and that is something."""
    return parrafo.startswith(TAREA) and not parrafo.removeprefix(TAREA).lower().startswith("nada")

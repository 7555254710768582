"""How the paragraphs of a mail are set: what they begin with, and whether they ask for something."""

import re

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

ROTULO = re.compile(r"([^\W\d_][^:.;«»]{2,48}): (?=\S)")
TAREA = "Lo que tiene que hacer: "


@register.filter
def rotulado(parrafo: str) -> SafeString:
    """The paragraph, escaped, with what it begins with («Lo que sigue:») in bold."""
    hallado = ROTULO.match(parrafo)
    if hallado is None:
        return format_html("{}", parrafo)
    resto = parrafo[hallado.end() :]
    return format_html("<strong>{}:</strong> {}", hallado[1], resto[:1].upper() + resto[1:])


@register.filter
def pide_algo(parrafo: str) -> bool:
    """Whether the paragraph says what its reader has to do, and that is something."""
    return parrafo.startswith(TAREA) and not parrafo.removeprefix(TAREA).lower().startswith("nada")

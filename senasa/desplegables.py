"""A form's `<select>`, written out at once: the same text as Django's templates give, which render two for each option.

The registration page has eight hundred options and twenty-eight thousand when all its lines are asked for: it took
1.6 s of processor, and every page that offers the countries or the products paid its part.
"""

from collections.abc import Mapping
from typing import Any

from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

PLANTILLA = "django/forms/widgets/select.html"


class ConDesplegables(TemplatesSetting):
    """Django's renderer, but for `PLANTILLA`."""

    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
        if template_name == PLANTILLA:
            return desplegable(context["widget"])
        return super().render(template_name, context, request=request)


def desplegable(widget: Mapping[str, Any]) -> SafeString:
    """What `PLANTILLA` gives of `widget`, the context that a `Select` makes, to the last character."""
    partes = [f'<select name="{_texto(widget["name"])}"{_atributos(widget["attrs"])}>']
    for grupo, opciones, _indice in widget["optgroups"]:
        if grupo:
            partes.append(f'\n  <optgroup label="{_texto(grupo)}">')
        partes += [
            f'\n  <option value="{conditional_escape(str(una["value"]))}"{_atributos(una["attrs"])}>'
            f"{_texto(una['label'])}</option>\n"
            for una in opciones
        ]
        if grupo:
            partes.append("\n  </optgroup>")
    return mark_safe("".join([*partes, "\n</select>"]))  # noqa: S308 - every part is escaped above


def _texto(valor: Any) -> str:
    return conditional_escape(localize(valor))


def _atributos(attrs: Mapping[str, Any]) -> str:
    return "".join(
        f" {_texto(nombre)}" if valor is True else f' {_texto(nombre)}="{conditional_escape(str(valor))}"'
        for nombre, valor in attrs.items()
        if valor is not False
    )

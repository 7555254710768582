"""What is written out here is what Django's own templates give."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django import forms
from django.forms.renderers import TemplatesSetting
from django.utils.safestring import mark_safe

from expedientes.models import Pais, Producto
from senasa.desplegables import PLANTILLA, ConDesplegables
from tests.test_casa import FLECHA, RAIZ

SUELTAS = [("", "---------"), (1, "Uno"), (2, 2026), ("<b>", "<i>&\"'</i>"), ("s", mark_safe("<b>ya</b>"))]  # noqa: S308
GRUPOS = [("Frutas & más", [("uva", "Uva"), ("ajo", 'Ajo "morado"')]), ("otra", "Otra"), ("Vacío", [])]
ATRIBUTOS = {"id": "id_x", "required": True, "disabled": False, "data-x": 'a"<b', "size": 1234, "title": None}


class ConDetalles(forms.Select):
    """As the widgets that say more of an option than its text."""

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        opcion = super().create_option(*args, **kwargs)
        opcion["attrs"] |= {"data-n": len(str(opcion["label"])), "hidden": opcion["value"] == "uva"}
        return opcion


@pytest.mark.parametrize("clase", [forms.Select, forms.SelectMultiple, ConDetalles])
@pytest.mark.parametrize("opciones", [[], SUELTAS, GRUPOS])
def test_un_desplegable_es_el_de_django(clase: Any, opciones: Any) -> None:
    for valor in (None, "", 1, "<b>", ["uva", "otra"], True):
        for attrs in ({}, ATRIBUTOS):
            exigir_igual(clase(attrs=attrs, choices=opciones), valor)


def exigir_igual(widget: Any, valor: Any) -> None:
    assert widget.template_name == PLANTILLA
    suyo, nuestro = (widget.render('n"x', valor, renderer=uno()) for uno in (TemplatesSetting, ConDesplegables))
    assert nuestro == suyo
    assert "<select" in nuestro


@pytest.mark.django_db
def test_un_desplegable_del_catalogo_es_el_de_django() -> None:
    for modelo in (Pais, Producto):
        campo = forms.ModelChoiceField(modelo._default_manager.all())
        exigir_igual(campo.widget, modelo._default_manager.all()[0].pk)


def test_lo_demas_lo_compone_django() -> None:
    casilla = forms.CheckboxInput()
    assert casilla.render("n", True, renderer=ConDesplegables()) == casilla.render(
        "n", True, renderer=TemplatesSetting()
    )


def _de_las_paginas(clase: type[forms.BaseForm]) -> Iterator[type[forms.BaseForm]]:
    for una in clase.__subclasses__():
        yield from _de_las_paginas(una)
        if una.__module__.split(".")[0] in FLECHA:
            yield una


def test_lo_que_aun_no_se_eligio_se_dice_y_no_con_guiones() -> None:
    for app in FLECHA:
        if (RAIZ / app / "forms.py").exists():
            import_module(f"{app}.forms")
    mudos = {
        f"{clase.__name__}.{nombre}"
        for clase in _de_las_paginas(forms.BaseForm)
        for nombre, campo in clase.base_fields.items()
        if str(getattr(campo, "empty_label", "")) == "---------"
    }
    assert mudos == set()

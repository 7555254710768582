"""Which language a page speaks."""

import re
from pathlib import Path

import django
import pytest
from django import forms
from django.test import Client
from django.utils import translation

from senasa.models import Usuario

pytestmark = pytest.mark.django_db


def test_browser_in_english_still_reads_spanish(client: Client) -> None:
    respuesta = client.get("/accounts/login/", headers={"accept-language": "en-US,en;q=0.9"})
    assert respuesta["Content-Language"] == "es-pe"


def test_visitor_may_switch_to_english_and_back(client: Client) -> None:
    for idioma in ("en", "es"):
        respuesta = client.post("/idioma/", {"language": idioma, "next": "/accounts/login/"})
        assert respuesta["Location"] == "/accounts/login/"
        assert client.get("/accounts/login/")["Content-Language"] == idioma


def test_switch_leads_to_no_other_site(client: Client) -> None:
    respuesta = client.post("/idioma/", {"language": "en", "next": "https://otro.example/"})
    assert respuesta["Location"] == "/"


def test_staff_pages_stay_in_spanish(client: Client) -> None:
    client.post("/idioma/", {"language": "en"})
    client.force_login(Usuario.objects.create_user("ana", "ana@senasa.example", "una-clave-larga-26"))
    assert client.get("/accounts/password/change/")["Content-Language"] == "es-pe"


@pytest.mark.parametrize("idioma", ["es-pe", "es"])
def test_lo_que_no_cabe_en_un_campo_se_dice_con_nuestras_palabras(idioma: str) -> None:
    """Wherever the field stands: Django's own messages are translated once more, in `locale/es`."""

    class Formulario(forms.Form):
        corto = forms.CharField(max_length=3)
        largo = forms.CharField(min_length=3)
        entero = forms.IntegerField(min_value=1, max_value=9)
        otro = forms.IntegerField(max_value=9)
        decimal = forms.DecimalField(max_digits=3, decimal_places=1)

    datos = {"corto": "abcd", "largo": "a", "entero": "0", "otro": "10", "decimal": "1.25"}
    with translation.override(idioma):
        errores = {campo: list(suyos) for campo, suyos in Formulario(datos).errors.items()}
    assert errores == {
        "corto": ["Caben 3 caracteres y lleva 4: acórtelo."],
        "largo": ["Escriba al menos 3 caracteres; lleva 1."],
        "entero": ["Debe ser 1 o más."],
        "otro": ["Debe ser 9 o menos."],
        "decimal": ["Escriba 1 decimal como máximo."],
    }


def test_ningun_mensaje_de_django_dice_asegurese() -> None:
    """What its validators and fields may say to whoever fills in a form."""
    catalogo = (Path(django.__file__).parent / "conf/locale/es/LC_MESSAGES/django.po").read_text()
    de_valores = set(re.findall(r'msgid "(Ensure [^"]+)"', catalogo))
    assert len(de_valores) >= 5
    with translation.override("es-pe"):
        assert [texto for texto in de_valores if "Asegúrese" in translation.gettext(texto)] == []

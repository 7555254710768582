"""Which language a page speaks."""

import pytest
from django.test import Client

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

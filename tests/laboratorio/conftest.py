"""A browser for whoever of the demonstration's people: `entrar("recepcion").get(...)`."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from laboratorio.demo import CLAVE
from senasa.models import Usuario
from tests.builders import personas


@pytest.fixture
def gente(db: None) -> dict[str, Usuario]:
    return personas()


@pytest.fixture
def entrar(gente: dict[str, Usuario]) -> Callable[[str], Client]:
    """Signed in as a person does, with the password: signing a report asks for a recent one."""

    def _entrar(usuario: str) -> Client:
        navegador = Client()
        respuesta = navegador.post(reverse("account_login"), {"login": usuario, "password": CLAVE})
        assert respuesta.status_code == 302
        return navegador

    return _entrar

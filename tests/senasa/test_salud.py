"""/livez and /readyz."""

import pytest
from django.db import DatabaseError
from django.test import Client

from senasa import salud

# Without it the demo's check for cases would answer for an empty test database.
BASE = {nombre: salud.COMPROBACIONES[nombre] for nombre in ("base_de_datos", "migraciones")}


@pytest.fixture(autouse=True)
def _solo_la_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(salud, "COMPROBACIONES", dict(BASE))


def test_livez_asks_no_database(client: Client) -> None:
    respuesta = client.get("/livez")  # no db mark: a query would fail the test
    assert (respuesta.status_code, respuesta.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz_is_200_when_all_is_there(client: Client) -> None:
    respuesta = client.get("/readyz")
    assert (respuesta.status_code, respuesta.json()) == (
        200,
        {"listo": True, "comprobado": ["base_de_datos", "migraciones"]},
    )


@pytest.mark.django_db
def test_readyz_names_migrations_that_are_not_applied(client: Client) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="sessions").delete()
    respuesta = client.get("/readyz")
    assert (respuesta.status_code, respuesta.json()) == (503, {"listo": False, "falta": "migraciones"})


@pytest.mark.django_db
def test_readyz_names_demo_data_that_are_missing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.apps import apps

    monkeypatch.setitem(salud.COMPROBACIONES, "datos_demo", apps.get_app_config("expedientes").hay_datos_demo)
    respuesta = client.get("/readyz")
    assert (respuesta.status_code, respuesta.json()) == (503, {"listo": False, "falta": "datos_demo"})


def test_readyz_is_503_without_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def caida() -> bool:
        raise DatabaseError("connection refused")

    monkeypatch.setitem(salud.COMPROBACIONES, "base_de_datos", caida)
    respuesta = client.get("/readyz")
    assert (respuesta.status_code, respuesta.json()) == (503, {"listo": False, "falta": "base_de_datos"})


def test_livez_answers_plain_http_in_production(client: Client, settings: object) -> None:
    settings.SECURE_SSL_REDIRECT = True  # type: ignore[attr-defined]
    assert client.get("/livez").status_code == 200
    assert client.get("/accounts/login/").status_code == 301


@pytest.mark.parametrize("direccion", ["/livez", "/readyz"])
def test_health_is_read_only(client: Client, direccion: str) -> None:
    assert client.post(direccion).status_code == 405

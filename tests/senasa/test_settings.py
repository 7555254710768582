"""Settings refuse to start unsafe. Each case is a fresh interpreter, as settings are read once."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

RAIZ = Path(__file__).resolve().parents[2]
BUENA = {
    "MODO": "produccion",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "ENLACE_CLAVE": secrets.token_urlsafe(48),
    "BITACORA_CLAVE": secrets.token_urlsafe(48),
    "ALLOWED_HOSTS": "senasa.example",
    "DATABASE_URL": "postgres://nadie@127.0.0.1/nada",
    **dict.fromkeys(("REDIS_URL", "EMAIL_URL", "SITIO_URL", "FIRMA_P12", "FIRMA_CLAVE", "FIRMA_RAICES"), ""),
}


def leer(entorno: dict[str, str], *nombres: str) -> Any:
    """The named settings under `entorno`, or the error that stopped them. Empty wins over `.env`."""
    guion = f"""
import json
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
try:
    print(json.dumps({{n: getattr(settings, n) for n in {nombres!r}}}, default=str))
except ImproperlyConfigured as error:
    print(json.dumps(str(error)))
"""
    entorno = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "senasa.settings"} | entorno
    salida = subprocess.run([sys.executable, "-c", guion], cwd=RAIZ, env=entorno, capture_output=True, check=True)
    return json.loads(salida.stdout)


@pytest.mark.parametrize(
    ("cambio", "nombrado"),
    [
        *(({nombre: ""}, nombre) for nombre in ("SECRET_KEY", "ENLACE_CLAVE", "BITACORA_CLAVE", "ALLOWED_HOSTS")),
        ({"SECRET_KEY": "corta"}, "SECRET_KEY"),
        ({"SECRET_KEY": "django-insecure-" + "abcdefghijklmnop" * 4}, "SECRET_KEY"),
        ({"SECRET_KEY": "cambiame-" + "abcdefghijklmnop" * 4}, "SECRET_KEY"),
        ({"SECRET_KEY": "a" * 64}, "SECRET_KEY"),
        ({"ENLACE_CLAVE": BUENA["SECRET_KEY"]}, "distintas"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"MODO": "prueba"}, "MODO"),
        ({"DATABASE_URL": "sqlite:///x"}, "DATABASE_URL"),
        ({"OIDC_SERVIDOR": "http://id.example", "OIDC_CLIENTE": "c", "OIDC_ROLES": "g=inspector"}, "https"),
        ({"OIDC_SERVIDOR": "https://id.example", "OIDC_ROLES": "g=inspector"}, "OIDC_CLIENTE"),
        ({"OIDC_SERVIDOR": "https://id.example", "OIDC_CLIENTE": "c"}, "OIDC_ROLES"),
        ({"OIDC_ROLES": "inspectores"}, "OIDC_ROLES"),
    ],
)
def test_production_refuses(cambio: dict[str, str], nombrado: str) -> None:
    error = leer(BUENA | cambio, "DEBUG")
    assert isinstance(error, str)
    assert nombrado in error


def test_production_is_closed() -> None:
    assert leer(
        BUENA,
        "DEBUG",
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "SITIO_URL",
        "FIRMA_P12",
        "FIRMA_CLAVE",
    ) == {
        "DEBUG": False,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31536000,
        "SITIO_URL": "https://senasa.example",
        "FIRMA_P12": "",
        "FIRMA_CLAVE": "",
    }


def test_check_deploy_is_clean() -> None:
    orden = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    salida = subprocess.run(orden, cwd=RAIZ, env={"PATH": os.environ["PATH"]} | BUENA, capture_output=True)
    assert salida.returncode == 0, salida.stderr.decode()


def test_mail_goes_where_email_url_says() -> None:
    assert leer(
        BUENA | {"EMAIL_URL": "smtp+tls://u:p@mail.example:587"}, "EMAIL_HOST", "EMAIL_PORT", "EMAIL_USE_TLS"
    ) == {"EMAIL_HOST": "mail.example", "EMAIL_PORT": 587, "EMAIL_USE_TLS": True}
    assert leer(BUENA, "EMAIL_BACKEND") == {"EMAIL_BACKEND": "senasa.correo.ArchivoEml"}


def test_redis_is_the_broker_when_there_is_one() -> None:
    url = "redis://127.0.0.1:6379/0"
    ajustes = leer(BUENA | {"REDIS_URL": url}, "CELERY_BROKER_URL", "CELERY_BROKER_TRANSPORT_OPTIONS")
    assert ajustes["CELERY_BROKER_URL"] == url
    assert ajustes["CELERY_BROKER_TRANSPORT_OPTIONS"]["visibility_timeout"] == 300


def test_second_factor_is_required_in_production_and_not_in_the_demonstration() -> None:
    assert leer(BUENA, "SEGUNDO_FACTOR") == {"SEGUNDO_FACTOR": True}
    assert leer(BUENA | {"MODO": "demo"}, "SEGUNDO_FACTOR") == {"SEGUNDO_FACTOR": False}
    assert leer(BUENA | {"SEGUNDO_FACTOR": ""}, "SEGUNDO_FACTOR") == {"SEGUNDO_FACTOR": True}
    assert leer(BUENA | {"SEGUNDO_FACTOR": "no"}, "SEGUNDO_FACTOR") == {"SEGUNDO_FACTOR": False}


def test_identity_provider_is_set_by_variables() -> None:
    assert leer(BUENA, "SOCIALACCOUNT_PROVIDERS") == {"SOCIALACCOUNT_PROVIDERS": {}}
    puesto = {
        "OIDC_SERVIDOR": "https://id.example/realms/senasa/",
        "OIDC_CLIENTE": "expedientes",
        "OIDC_SECRETO": "s",
        "OIDC_ROLES": "grupo-a=inspector, grupo-b=jefe_de_puesto,grupo-b=inspector",
        "OIDC_PUESTOS": "cn=mar=PCM",
        "OIDC_SEGUNDO_FACTOR": "mfa,otp",
    }
    ajustes = leer(
        BUENA | puesto,
        "OIDC_ROLES",
        "OIDC_PUESTOS",
        "OIDC_SEGUNDO_FACTOR",
        "SOCIALACCOUNT_PROVIDERS",
        "CONTENT_SECURITY_POLICY",
    )
    assert ajustes["OIDC_ROLES"] == {"grupo-a": ["inspector"], "grupo-b": ["jefe_de_puesto", "inspector"]}
    assert ajustes["OIDC_PUESTOS"] == {"cn=mar": ["PCM"]}
    assert ajustes["OIDC_SEGUNDO_FACTOR"] == ["mfa", "otp"]
    (app,) = ajustes["SOCIALACCOUNT_PROVIDERS"]["openid_connect"]["APPS"]
    assert (app["client_id"], app["settings"]) == ("expedientes", {"server_url": "https://id.example/realms/senasa"})
    assert ajustes["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]["form-action"] == ["'self'", "https://id.example"]


def test_policy_allows_nothing_unsafe() -> None:
    directivas = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert not [valor for valores in directivas.values() for valor in valores if "unsafe" in valor or "*" in valor]
    assert directivas["default-src"] == ["'none'"]

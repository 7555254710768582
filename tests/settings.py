"""The project's settings, away from anybody's data: demo rules, files in a scratch folder.

A worker or a web server that a test starts inherits the variables set here, so it shares the folder.
"""

import os
import secrets
import tempfile
from pathlib import Path

os.environ["MODO"] = "demo"
for _clave in ("SECRET_KEY", "ENLACE_CLAVE", "BITACORA_CLAVE"):
    os.environ.setdefault(_clave, secrets.token_urlsafe(48))
for _variable in (
    "REDIS_URL", "EMAIL_URL", "FIRMA_P12", "FIRMA_CLAVE", "FIRMA_RAICES", "SITIO_URL", "ALLOWED_HOSTS",
    "SEGUNDO_FACTOR", "OIDC_SERVIDOR", "OIDC_ROLES", "OIDC_PUESTOS", "OIDC_DISCIPLINAS", "OIDC_SEGUNDO_FACTOR",
):  # fmt: skip
    os.environ[_variable] = os.environ.get(f"PRUEBA_{_variable}", "")  # what `.env` says is not for tests
if "VAR_DE_PRUEBAS" not in os.environ:
    os.environ["VAR_DE_PRUEBAS"] = tempfile.mkdtemp(prefix="senasa-pruebas-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(
    Path(os.environ["VAR_DE_PRUEBAS"]) / os.environ.get("PYTEST_XDIST_WORKER", "solo") / "metricas"
)
# Playwright runs an event loop in the test's thread, where Django would refuse the ORM.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

from senasa.settings import *  # noqa: E402, F403
from senasa.settings import (  # noqa: E402
    CACHES,
    CELERY_BROKER_TRANSPORT_OPTIONS,
    DATABASES,
    POSTGRES_PROPIO,
    STORAGES,
)
from senasa.settings import VAR as VAR_DEL_PROYECTO  # noqa: E402

VAR = Path(os.environ["VAR_DE_PRUEBAS"]) / os.environ.get("PYTEST_XDIST_WORKER", "solo")
CORREOS = VAR / "correos"
METRICAS = VAR / "metricas"
METRICAS.mkdir(parents=True, exist_ok=True)
FIRMA_P12 = str(VAR / "firma" / "demo.p12")
FIRMA_RAICES = str(VAR / "firma" / "demo-raiz.pem")
for _nombre in ("default", "adjuntos", "informes"):
    STORAGES[_nombre]["OPTIONS"]["location"] = VAR / _nombre
for _opcion in ("data_folder_in", "data_folder_out", "control_folder"):
    if _opcion in CELERY_BROKER_TRANSPORT_OPTIONS:
        CELERY_BROKER_TRANSPORT_OPTIONS[_opcion] = str(VAR / "cola" / _opcion.replace("_in", "").replace("_out", ""))
        Path(CELERY_BROKER_TRANSPORT_OPTIONS[_opcion]).mkdir(parents=True, exist_ok=True)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# A test database lives for minutes: do not wait for the disk.
DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"
DATABASES["default"]["CONN_MAX_AGE"] = 0
# Pages are looked at as composed; what is kept of them is asked for by name (`memoria`, in conftest.py).
CACHES = CACHES | {"cercana": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

if POSTGRES_PROPIO:
    from senasa import postgres

    postgres.usar(VAR_DEL_PROYECTO)

"""The tests' settings on databases of its own, which wait for the disk as production does."""

import os

# The data are kept between runs: their log has to verify with the same key. It seals nothing but the bench.
for _clave in ("SECRET_KEY", "ENLACE_CLAVE", "BITACORA_CLAVE"):
    os.environ[_clave] = f"{_clave.lower()}-de-la-prueba-de-rendimiento-y-de-nada-mas"

from tests.settings import *  # noqa: E402, F403
from tests.settings import DATABASES  # noqa: E402

_base = DATABASES["default"]
_base["OPTIONS"]["options"] = _base["OPTIONS"]["options"].replace(" -c synchronous_commit=off", "")
_base["CONN_MAX_AGE"] = 60  # as in production
_base["BENCH"] = f"{_base['NAME']}_bench"
_base["TEST"] = {"NAME": f"{_base['BENCH']}_prueba"}
_base["NAME"] = os.environ.get("BENCH_BASE", _base["NAME"])
ROOT_URLCONF = "bench.urls"

# Only now: the tests' settings say first what of the environment and of `.env` the house may read.
from senasa import settings as de_la_casa  # noqa: E402

CACHES = de_la_casa.CACHES  # pages are kept as they are in production

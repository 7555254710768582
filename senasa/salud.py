"""Is it alive, is it ready? For supervisors, load balancers and people in a hurry."""

import logging
from collections.abc import Callable

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

registro = logging.getLogger(__name__)


def responde_la_base() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone() == (1,)


def no_faltan_migraciones() -> bool:
    ejecutor = MigrationExecutor(connection)
    return not ejecutor.migration_plan(ejecutor.loader.graph.leaf_nodes())


# What /readyz asks, in this order. Apps to the right add theirs in AppConfig.ready.
COMPROBACIONES: dict[str, Callable[[], bool]] = {
    "base_de_datos": responde_la_base,
    "migraciones": no_faltan_migraciones,
}


@login_not_required
@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nobody else, so a database that is down restarts no web server."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when everything a user needs is there, else 503 naming the first part that is missing."""
    for nombre, comprobar in COMPROBACIONES.items():
        try:
            listo = comprobar()
        except DatabaseError as error:
            registro.warning("readyz: %s: %s", nombre, type(error).__name__)
            listo = False
        if not listo:
            return JsonResponse({"listo": False, "falta": nombre}, status=503)
    return JsonResponse({"listo": True, "comprobado": list(COMPROBACIONES)})

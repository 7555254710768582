"""/metrics, for Prometheus: the state of the work, read from the database at each scrape, and what the web served.

Labels are codes of ours (posts, states, route names): nothing that a person typed ever becomes one.
"""

import hmac
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from expedientes.models import TERMINADOS, Expediente

from . import operacion


class DelEstado(Collector):
    """What is open, owed, late or broken now; the same reading that the operations page shows."""

    def collect(self) -> Iterator[Metric]:
        try:
            medidas = list(self._medidas())
        except DatabaseError:
            yield _una("senasa_base_responde", "La base de datos responde", 0)
            return
        yield _una("senasa_base_responde", "La base de datos responde", 1)
        yield from medidas

    def _medidas(self) -> Iterator[Metric]:
        m = operacion.medir()
        yield from _expedientes(m)
        avisos = GaugeMetricFamily("senasa_avisos", "Avisos por enviar, y fallidos en 7 días", labels=["estado"])
        avisos.add_metric(["pendiente"], m.avisos_pendientes)
        avisos.add_metric(["fallido"], m.avisos_fallidos)
        yield avisos
        edad = (m.ahora - m.aviso_mas_antiguo).total_seconds() if m.aviso_mas_antiguo else 0
        yield _una("senasa_aviso_mas_antiguo_segundos", "Cuánto lleva esperando el aviso más antiguo", max(0, edad))
        informes = GaugeMetricFamily("senasa_informes", "Informes camino de la firma", labels=["estado"])
        for estado, cuantos in m.informes.items():
            informes.add_metric([str(estado)], cuantos)
        yield informes
        yield _una("senasa_riv_debidos", "Dictámenes cuyo RIV no está firmado", m.rivs_debidos)
        yield _una("senasa_riv_fallidos", "De ellos, los que no se pudieron firmar", m.rivs_fallidos)
        yield _una("senasa_certificado_sirve", "El certificado de la institución sirve", m.certificado_dias is not None)
        if m.certificado_dias is not None:
            yield _una("senasa_certificado_dias", "Días que le quedan", m.certificado_dias)
        yield _una("senasa_cola_responde", "La cola de mensajes responde", m.cola is not None)
        if m.cola is not None:
            yield _una("senasa_cola_mensajes", "Mensajes en espera", m.cola)
        latidos = GaugeMetricFamily("senasa_latido_timestamp_segundos", "Cuándo se le vio", labels=["de"])
        for nombre, latido in m.latidos.items():
            latidos.add_metric([nombre], latido.visto_en.timestamp())
        yield latidos
        if respaldo := m.latidos.get("respaldo"):
            yield _una("senasa_respaldo_octetos", "Tamaño del último respaldo", respaldo.datos.get("octetos", 0))
            yield _una("senasa_respaldo_faltan", "Archivos que le faltaban", respaldo.datos.get("faltan", 0))
        yield _una("senasa_base_octetos", "Tamaño de la base de datos", m.base)
        libre = GaugeMetricFamily("senasa_disco_libre_octetos", "Espacio libre", labels=["carpeta"])
        total = GaugeMetricFamily("senasa_disco_octetos", "Tamaño del disco", labels=["carpeta"])
        for disco in m.discos:
            for carpeta in disco.carpetas:
                libre.add_metric([carpeta], disco.libre)
                total.add_metric([carpeta], disco.total)
        yield libre
        yield total
        version = GaugeMetricFamily("senasa_version", "Versión en marcha", labels=["version"])
        version.add_metric([settings.VERSION], 1)
        yield version


def _una(nombre: str, texto: str, valor: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(nombre, texto, value=float(valor))


def _expedientes(m: operacion.Medidas) -> Iterator[Metric]:
    """Open cases, by a walk of the partial index of open cases."""
    abiertos = GaugeMetricFamily("senasa_expedientes_abiertos", "Expedientes abiertos", labels=["puesto", "estado"])
    tarde = GaugeMetricFamily(
        "senasa_expedientes_fuera_de_plazo", "De ellos, fuera de plazo", labels=["puesto", "estado"]
    )
    filas = (
        Expediente.objects.exclude(estado__in=TERMINADOS)
        .order_by()
        .values("puesto__codigo", "estado")
        .annotate(cuantos=Count("pk"), vencidos=Count("pk", filter=Q(vence_en__lt=m.ahora)))
        .values_list("puesto__codigo", "estado", "cuantos", "vencidos")
    )
    for puesto, estado, cuantos, vencidos in filas:
        abiertos.add_metric([puesto, estado], cuantos)
        tarde.add_metric([puesto, estado], vencidos)
    yield abiertos
    yield tarde


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever carries METRICAS_CLAVE; where none is set there is no such page."""
    if not settings.METRICAS_CLAVE:
        raise Http404
    dicha = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(dicha, f"Bearer {settings.METRICAS_CLAVE}".encode()):
        return HttpResponse("401\n", status=401, headers={"WWW-Authenticate": "Bearer"}, content_type="text/plain")
    registro = CollectorRegistry()
    registro.register(DelEstado())
    MultiProcessCollector(registro)
    return HttpResponse(generate_latest(registro), content_type=CONTENT_TYPE_LATEST)

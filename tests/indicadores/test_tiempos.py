"""Where the time goes: against the logs of walked cases, one of them closed, opened again and closed."""

import re
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from expedientes import incidencias, tiempos
from expedientes.models import ETAPAS_DE_PARTIDA, Evento, Expediente, Hitos, Motivo
from indicadores import cuadro, demoras
from senasa import reloj
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db
DIA = timedelta(days=1)


def hace(dias: int) -> timedelta:
    """Since three in the morning of a day in Lima: a case that is closed ends on that day."""
    dia = timezone.localdate(reloj.ahora()) - dias * DIA
    return reloj.ahora() - timezone.make_aware(datetime.combine(dia, time(3)))


def ver() -> Any:
    navegador = Client()
    navegador.force_login(personas()["direccion"])
    return navegador.get(reverse("tiempos"))


def test_las_etapas_los_pasos_y_las_existencias(certificado: Any) -> None:
    assert "No se cerró ningún expediente" in ver().content.decode()
    cerrado = crear_caso("cerrado", hace=hace(20))
    crear_caso("en_laboratorio", hace=hace(9))
    with CaptureQueriesContext(
        connection,
    ) as pocas:
        ver()
    # Closed, open for two days, closed again: it counts once by its last closure, and its stock as it was.
    otro = crear_caso("cerrado", hace=hace(16))
    caso = Expediente.objects.get(pk=otro.expediente.pk)
    motivo = Motivo.objects.filter(accion="reabrir", activo=True).values_list("codigo", flat=True)[0]
    with reloj.fijado(reloj.ahora() - 10 * DIA):
        incidencias.reabrir(
            expediente=caso, actor=personas()["jefe"], partidas=otro.partidas, motivo=motivo, texto="Faltó algo."
        )
    hoy = timezone.localdate(reloj.ahora())
    desde = hoy - 30 * DIA
    semanas = demoras.movimiento(desde, hoy)
    assert (sum(una.abiertos for una in semanas), sum(una.cerrados for una in semanas)) == (4, 2)
    assert semanas[-1].quedan == Expediente.objects.abiertos().count() == 2
    for dia, quedan in ((21, 0), (20, 0), (16, 0), (11, 0), (10, 1), (8, 2)):
        al = hoy - dia * DIA
        assert demoras.movimiento(al, al)[0].quedan == quedan, dia
    assert demoras.movimiento(hoy + DIA, hoy + 9 * DIA) == []

    # One closed case: each stage is its own hours, and who had it adds up to its whole life.
    hitos = Hitos.objects.get(expediente=cerrado.expediente)
    etapas = demoras.etapas(desde, hoy)
    for etapa, (a, b, nombre, _quien) in zip(etapas, demoras.ETAPAS, strict=True):
        esperado = (getattr(hitos, b) - getattr(hitos, a)) / DIA
        assert (etapa.nombre, etapa.medida.n, etapa.al_reves) == (nombre, 1, 0)
        assert etapa.medida.media == pytest.approx(esperado, abs=1e-9)
    reparto = demoras.reparto(desde, hoy)
    assert hitos.t0 is not None
    assert hitos.t7 is not None
    assert sum(parte.dias for parte in reparto) == pytest.approx((hitos.t7 - hitos.t0) / DIA, abs=1e-6)
    assert sum(parte.pct or 0 for parte in reparto) == pytest.approx(100)
    vida = tiempos.tramos(
        Evento.objects.filter(expediente=cerrado.expediente).order_by("ocurrio_en", "n"),
        [cerrado.partidas[0].pk], reloj.ahora(),
    )  # fmt: skip
    assert {parte.quien: parte.dias for parte in reparto} == pytest.approx(
        {quien: tiempo / DIA for quien, tiempo in tiempos.reparto(vida).items()}
    )
    pasos = {(paso.de, paso.a): paso.espera for paso in demoras.pasos(desde, hoy)}
    assert list(pasos) == [
        ("registrado", "en_inspeccion"), ("en_inspeccion", "en_laboratorio"), ("en_laboratorio", "resultado_emitido"),
        ("resultado_emitido", "dictaminado"),
    ]  # fmt: skip
    dictamen = Evento.objects.get(expediente=cerrado.expediente, accion="dictaminar")
    emision = Evento.objects.get(expediente=cerrado.expediente, objeto="partida", accion="emitir")
    espera = pasos["resultado_emitido", "dictaminado"]
    assert (espera.n, espera.media) == (1, pytest.approx((dictamen.ocurrio_en - emision.ocurrio_en) / DIA))

    with CaptureQueriesContext(connection) as mas:
        pagina = ver().content.decode()
    assert len(mas) == len(pocas)
    assert "Las existencias" in pagina
    # The bar is the median wait: that of the longest fills it, whatever the number of times.
    paginas = cuadro.de_los_tiempos(desde, hoy)["pasos"]
    anchos = [float(re.findall(r'valor" width="([0-9.]+)"', paso["barra"])[0]) for paso in paginas]
    medianas = [paso.espera.mediana or 0 for paso in demoras.pasos(desde, hoy)]
    assert anchos == pytest.approx([100 * mediana / max(medianas) for mediana in medianas], abs=0.01)
    assert len(set(anchos)) > 1
    # And its states are called as the board calls its stages.
    assert [paso["de"] for paso in paginas] == [ETAPAS_DE_PARTIDA[paso.de] for paso in demoras.pasos(desde, hoy)]
    assert paginas[0]["de"] == "Solicitud"
    assert "del tiempo; lo que más tarda" in pagina

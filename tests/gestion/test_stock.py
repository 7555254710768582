"""The old stock as it was on each day: exact for what was closed and opened again, and for what was never sampled."""

from datetime import datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from expedientes.models import Expediente, Hitos
from expedientes.plazos import fin_del_dia
from gestion import stock
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db


def poner(caso, *, t0, t1=None, fin=None, cierres=()) -> Hitos:
    """Its ledger, as if so many days ago each thing had happened."""
    ahora = timezone.now()

    def hace(dias):
        return None if dias is None else ahora - timedelta(days=dias)

    Hitos.objects.filter(expediente=caso.expediente).update(
        t0=hace(t0), t1=hace(t1), fin=hace(fin), reaperturas=len(cierres),
        cierres=[[hace(a).isoformat(), hace(b).isoformat()] for a, b in cierres],
    )  # fmt: skip
    return Hitos.objects.get(expediente=caso.expediente)


def a_mano(casos: list[Hitos], momento, mas_de: int, *, sin_muestra: bool = False) -> set[int]:
    """The definition, one case and one day at a time: nothing of the query under test."""
    abiertos = set()
    for uno in casos:
        muestreado = uno.t1 is not None and uno.t1 <= momento
        desde = uno.t0 if sin_muestra else uno.t1
        if muestreado == sin_muestra or desde is None or momento - desde <= timedelta(days=mas_de):
            continue
        if uno.fin is not None and uno.fin <= momento:
            continue
        tramos = [(datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in uno.cierres]
        if not any(a <= momento < b for a, b in tramos):
            abiertos.add(uno.pk)
    return abiertos


def test_the_stock_of_each_week_is_that_of_the_definition(entrar):
    casos = [
        poner(crear_caso(), t0=200, t1=195),  # open and old all along
        poner(crear_caso(), t0=200, t1=190, fin=40),
        poner(crear_caso(), t0=180, t1=170, cierres=[(120, 60)]),  # closed for sixty days, open again
        poner(crear_caso(), t0=180, t1=175, fin=20, cierres=[(150, 100), (80, 50)]),
        poner(crear_caso(), t0=90, t1=80, cierres=[(70, 30)]),  # ended before it was sixty days old
        poner(crear_caso(), t0=150),  # never sampled
        poner(crear_caso(), t0=150, t1=50),  # sampled late
        poner(crear_caso(), t0=300, t1=290, fin=250),  # long gone
        poner(crear_caso(puesto="PCA"), t0=100, t1=95),
        poner(crear_caso(), t0=3, t1=2),
    ]
    ahora = timezone.now()
    filas = stock.quema(None, ahora)
    assert len(filas) == stock.SEMANAS
    assert all(fila.dia.isoweekday() == 7 for fila in filas)
    assert timezone.localdate(ahora) - filas[-1].dia <= timedelta(days=7)
    for fila in filas:
        momento = fin_del_dia(fila.dia)
        for mas_de, sin_muestra, cuenta in ((15, False, fila.mas_15), (60, False, fila.mas_60),
                                            (60, True, fila.sin_muestra_60)):  # fmt: skip
            espera = a_mano(casos, momento, mas_de, sin_muestra=sin_muestra)
            assert cuenta == len(espera), (fila.dia, mas_de, sin_muestra)
            suyos = stock.abiertos_el(momento, None, mas_de=mas_de, sin_muestra=sin_muestra)
            assert {uno.pk for uno in suyos} == espera
    assert len({fila.mas_60 for fila in filas}) > 2  # something moves
    pca = Expediente.objects.get(pk=casos[8].pk).puesto_id
    assert [fila.mas_60 for fila in stock.quema([pca], ahora)][-1] == 1

    # Today by age, and every number opens as many cases as it says.
    edades = {uno.tramo: (uno.muestreados, uno.sin_muestra) for uno in stock.edades(None, ahora)}
    assert edades == {"0-15": (1, 0), "15-30": (0, 0), "30-60": (1, 0), "60": (4, 1)}
    navegador = entrar("direccion")
    pagina = navegador.get(reverse("stock_antiguo"))
    assert stock.hallazgo(filas) in pagina.content.decode()
    for fila in pagina.context["edades"]:
        for url, n in ((fila["url"], fila["muestreados"]), (fila["url_sin_muestra"], fila["sin_muestra"])):
            assert navegador.get(url).context["page_obj"].paginator.count == n, url
    assert navegador.get(reverse("stock_casos"), {"dia": "nunca"}).status_code == 404


def test_what_the_chart_finds_is_said(db):
    dia = timezone.localdate()
    assert stock.hallazgo([]) == "Ningún expediente pasó de 15 días en estas semanas"
    bajo = [stock.Semana(dia, 9, 5, 0), stock.Semana(dia, 8, 2, 0)]
    assert stock.hallazgo(bajo) == "Abiertos hace más de 60 días: bajó de 5 a 2 en 1 semana"
    assert stock.hallazgo(bajo[:1] * 3) == "Abiertos hace más de 60 días: sigue en 5 en 2 semanas"

"""Charts: what is drawn is what the table says, gaps are gaps, and nothing in them needs an inline style."""

import re

import pytest

from indicadores.graficos import Punto, Serie, barra, lineas, marcas, pareto


@pytest.mark.parametrize(("tope", "ultima"), [(0, 1), (0.7, 0.8), (9, 10), (16.5, 20), (100, 100), (3300, 4000)])
def test_el_eje_tiene_valores_redondos_hasta_el_mayor(tope, ultima):
    eje = marcas(tope)
    assert (eje[0], eje[-1]) == (0, pytest.approx(ultima))
    assert len(eje) <= 6


def test_lo_que_falta_es_un_hueco_y_no_un_cero():
    puntos = [Punto("ene", 10.0, "?mes=1"), Punto("feb", None), Punto("mar", 20.0, fuera=True)]
    grafico = lineas("El ciclo <sube>", "días", [Serie("Media", puntos)], limites=[(0, 15), None, (5, 18)], centro=12.0)
    assert grafico.filas == [("ene", [("10,0", "?mes=1")]), ("feb", [("sin datos", "")]), ("mar", [("20,0", "")])]
    linea = re.search(r'class="serie verde" d="([^"]+)"', grafico.svg)[1]
    assert linea.count("M") == 2
    assert "L" not in linea
    assert "fuera de los límites" in grafico.svg
    assert "&lt;sube&gt;" in grafico.svg
    assert "<sube>" not in grafico.svg
    assert "style" not in grafico.svg


def test_sin_puntos_no_se_rompe():
    assert lineas("Nada", "días", [Serie("Media", [])]).filas == []
    assert lineas("Nada", "días", []).filas == []


def test_pareto_del_mayor_al_menor_con_lo_acumulado():
    barras = pareto([("b", 1, "1 h", ""), ("a", 3, "3 h", ""), ("c", 0, "0 h", "")])
    assert [(b.nombre, b.parte, b.acumulado) for b in barras] == [("a", 75, 75), ("b", 25, 100), ("c", 0, 100)]
    assert pareto([("a", 0, "0", "")])[0].parte == 0
    assert 'width="100"' in barra(130)

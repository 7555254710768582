"""Many hands on one sheet at once: threads on real connections."""

import contextlib
from collections import Counter
from typing import Any

import pytest

from expedientes.models import Plaga
from laboratorio import hojas, services
from laboratorio.models import Analisis, Control, HojaDeTrabajo, Renglon, Resultado, Verificacion
from senasa.transicion import ActoRechazado, EstadoImpide
from tests.builders import crear_cola
from tests.test_concurrencia import a_la_vez

pytestmark = [pytest.mark.servicios, pytest.mark.django_db(transaction=True)]


def test_two_sheets_never_share_an_analysis() -> None:
    uno, dos = crear_cola(4), crear_cola(4)
    quienes = [uno.personas["analista"], uno.personas["analista2"]]
    metodo = uno.analisis[0].metodo

    def abrir(i: int) -> int:
        # Each in an order of his own: the locks of two cases must not cross.
        suyos = sorted([*uno.analisis, *dos.analisis], key=lambda a: a.pk, reverse=bool(i % 2))
        hoja = hojas.abrir_hoja(metodo=metodo, analisis=suyos, actor=quienes[i % 2]).hoja
        return hoja.renglones.count() if hoja else 0

    assert sum(a_la_vez(6, abrir)) == 8
    assert Renglon.objects.filter(abierto=True).count() == Renglon.objects.values("analisis").distinct().count() == 8
    for renglon in Renglon.objects.select_related("analisis"):
        assert list(renglon.hoja.analistas.all()) == [renglon.analisis.analista]


def test_one_row_eight_hands_one_result() -> None:
    caso = crear_cola(1)
    analisis, analista = caso.analisis[0], caso.personas["analista"]
    hoja = hojas.abrir_hoja(metodo=analisis.metodo, analisis=[analisis], actor=analista).hoja
    assert hoja
    hojas.unirse(hoja=hoja, actor=caso.personas["analista2"])
    visto = hojas.ultimos_actos([analisis.pk])[analisis.pk]

    def anotar(i: int) -> str:
        escrito = hojas.Escrito(
            Analisis.objects.get(pk=analisis.pk), valor="positivo" if i % 2 else "negativo", corrida=1, visto=visto,
            plaga=Plaga.objects.get(pk=analisis.plaga_id), lectura="", observaciones="",
        )  # fmt: skip
        try:
            hojas.anotar(hoja=hoja, escrito=escrito, actor=caso.personas["analista2" if i % 2 else "analista"])
        except EstadoImpide as error:
            return "Resultado registrado" if "Resultado registrado" in str(error.mensaje) else str(error.mensaje)
        return "hecho"

    assert Counter(a_la_vez(8, anotar)) == {"hecho": 1, "Resultado registrado": 7}
    assert Resultado.objects.count() == 1


def test_a_control_fails_while_its_result_is_verified() -> None:
    """Whoever comes first decides: a result of a run that had failed by then is never verified."""
    for _ronda in range(6):
        caso = crear_cola(1)
        analisis, analista = caso.analisis[0], caso.personas["analista"]
        hoja = hojas.abrir_hoja(metodo=analisis.metodo, analisis=[analisis], actor=analista).hoja
        services.registrar(analisis=analisis, actor=analista, valor="negativo")

        def actuar(i: int, hoja: Any = hoja, pk: int = analisis.pk, caso: Any = caso) -> None:
            if i:
                hojas.anotar_control(
                    hoja=hoja, actor=caso.personas["analista"], tipo="blanco", obtenido="x", conforme=False, corrida=1
                )
                return
            with contextlib.suppress(ActoRechazado):
                services.verificar(analisis=Analisis.objects.get(pk=pk), actor=caso.personas["verificador"])

        a_la_vez(2, actuar)
        assert HojaDeTrabajo.objects.get(pk=hoja.pk).corrida == 2
        verificado = Verificacion.objects.filter(resultado__analisis=analisis).first()
        if verificado:
            assert verificado.ocurrio_en <= Control.objects.get(hoja=hoja).ocurrio_en

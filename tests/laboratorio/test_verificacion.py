"""What the verifier is shown besides the result, and what a verification of many leaves out, telling why of each."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from laboratorio import hojas, reversiones, services, verificacion
from laboratorio.models import Analisis, Metodo, Verificacion
from laboratorio.recorrido import Caso
from tests.builders import crear_cola

pytestmark = pytest.mark.django_db


def registrar(caso: Caso, valores: Sequence[str], **dicho: Any) -> list[Analisis]:
    """Record `valores` in order, on one sheet."""
    analisis, ana = caso.analisis, caso.personas["analista"]
    hojas.abrir_hoja(metodo=analisis[0].metodo, analisis=analisis, actor=ana)
    for uno, valor in zip(analisis, valores, strict=True):
        plaga = uno.plaga if valor == "positivo" else None
        services.registrar(analisis=uno, actor=ana, valor=valor, plaga=plaga, **dicho)
    return caso.analisis


def diferencias(caso: Caso) -> list[list[str]]:
    filas = list(Analisis.objects.en_cola().filter(expediente=caso.expediente).order_by("pk"))  # type: ignore[attr-defined]
    return list(verificacion.diferencias(filas).values())


def varios(navegador: Client, analisis: Sequence[Analisis], vistos: dict[str, Any] | None = None) -> dict[str, str]:
    """Mark these and verify: what was left out, and why."""
    if vistos is None:
        vistos = {f"resultado-{uno.pk}": uno.resultado.pk for uno in analisis if uno.resultado}
    datos = {"analisis": [uno.pk for uno in analisis], **vistos}
    respuesta = navegador.post(reverse("verificar_varios"), datos)
    return {} if respuesta.status_code == 302 else {s.que: s.por_que for s in respuesta.context["fuera"]}


def test_a_plain_negative_has_no_differences() -> None:
    caso = crear_cola(2)
    registrar(caso, ["negativo", "negativo"])
    assert diferencias(caso) == [[], []]


def test_what_differs_from_its_neighbours_is_told() -> None:
    caso = crear_cola(3)
    uno, dos, tres = registrar(caso, ["negativo", "negativo", "positivo"], lectura="x")
    assert diferencias(caso) == [
        [f"difiere de la misma partida: {tres.muestra}, positivo"],
        [f"difiere de la misma partida: {tres.muestra}, positivo"],
        ["Positivo", f"difiere de la misma partida: {uno.muestra}, negativo; {dos.muestra}, negativo"],
    ]


def test_what_is_unusual_in_this_product_and_origin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verificacion, "CUANTOS_PARA_LO_USUAL", 2)
    for antes, ahora, dicho in (
        ("negativo", "positivo", "poco frecuente en este producto y origen: 0 de 2 en un año"),
        ("positivo", "negativo", "este producto y origen suele ser positivo: 2 de 4 en un año"),
    ):
        pasado = crear_cola(2)
        for uno in registrar(pasado, [antes, antes], lectura="x"):
            services.verificar(analisis=uno, actor=pasado.personas["verificador"])
        caso = crear_cola(1)
        registrar(caso, [ahora], lectura="x")
        assert dicho in diferencias(caso)[0]


def test_a_missing_reading_is_told_where_others_have_one() -> None:
    caso = crear_cola(2)
    uno, dos = caso.analisis
    registrar(caso, ["negativo", "negativo"])
    reversiones.revertir(analisis=uno, actor=caso.personas["analista"], motivo="dato-errado", texto="x")
    services.registrar(analisis=uno, actor=caso.personas["analista"], valor="negativo", lectura="0 larvas")
    assert diferencias(caso) == [["ya fue revertido"], ["sin lectura, y otras de su hoja la tienen"]]
    assert dos.pk


def test_old_and_new_stand_side_by_side(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(1)
    (uno,) = registrar(caso, ["positivo"], lectura="3 larvas")
    reversiones.revertir(analisis=uno, actor=caso.personas["analista"], motivo="dato-errado", texto="x")
    services.registrar(analisis=uno, actor=caso.personas["analista"], valor="negativo")
    assert diferencias(caso) == [["antes dio otro resultado: Positivo"]]
    html = " ".join(entrar("verificador").get(reverse("verificacion")).content.decode().split())
    assert f"<dt>Antes</dt><dd><s>Positivo · {uno.plaga} · 3 larvas</s> A. Analista</dd>" in html


def test_a_method_with_controls_recorded_without_a_sheet_is_not_plain() -> None:
    caso = crear_cola(1, producto="semilla-de-pimiento", origen="CN")
    (uno,) = caso.analisis
    services.asignar(analisis=uno, analista=caso.personas["analista"], actor=caso.personas["analista"])
    services.iniciar(analisis=uno, actor=caso.personas["analista"])
    services.registrar(analisis=uno, actor=caso.personas["analista"], valor="negativo")
    assert diferencias(caso) == [["sin hoja de trabajo: sus controles no constan"]]


def test_bulk_tells_of_every_row_it_leaves_out(entrar: Callable[[str], Client]) -> None:
    """More than a handful: each has its line."""
    caso = crear_cola(10)
    analisis = registrar(caso, ["negativo"] * 10)
    ana = caso.personas["analista"]

    def de_nuevo(uno: Analisis, valor: str, **dicho: str) -> None:
        reversiones.revertir(analisis=uno, actor=ana, motivo="dato-errado", texto="x")
        services.registrar(analisis=uno, actor=ana, valor=valor, **dicho)

    for uno in analisis[:7]:
        de_nuevo(uno, "negativo", observaciones="Con moho.")
    de_nuevo(analisis[7], "negativo")
    fuera = varios(entrar("verificador"), analisis)
    assert fuera == {
        **{
            str(uno.muestra): "Véalo por separado: con observaciones del analista; ya fue revertido."
            for uno in analisis[:7]
        },
        str(analisis[7].muestra): "Véalo por separado: ya fue revertido.",
    }
    assert sorted(a.estado for a in caso.analisis) == ["registrado"] * 8 + ["verificado"] * 2


def test_bulk_stands_for_what_the_verifier_saw(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(3)
    uno, dos, tres = registrar(caso, ["negativo"] * 3)
    ana = caso.personas["analista"]
    vistos = {f"resultado-{a.pk}": a.resultado.pk for a in (uno, dos)}
    reversiones.revertir(analisis=dos, actor=ana, motivo="dato-errado", texto="x")
    services.registrar(analisis=dos, actor=ana, valor="positivo", plaga=dos.plaga)
    assert varios(entrar("verificador"), [uno, dos, tres], vistos) == {
        # Its neighbour turned positive meanwhile.
        str(uno.muestra): f"Véalo por separado: difiere de la misma partida: {dos.muestra}, positivo.",
        str(dos.muestra): "Mientras tanto se registró otro resultado: véalo antes de verificarlo.",
        str(tres.muestra): "No estaba en la página: véalo antes de verificarlo.",
    }
    assert Verificacion.objects.count() == 0


def test_bulk_leaves_out_what_he_verified_before(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(1)
    analisis = registrar(caso, ["negativo"])
    Metodo.objects.filter(pk=analisis[0].metodo_id).update(verificaciones=2)
    verificador = entrar("verificador")
    assert varios(verificador, analisis) == {}
    assert varios(verificador, analisis) == {
        str(analisis[0].muestra): "Usted ya verificó este resultado: la siguiente verificación es de otra persona."
    }
    assert Verificacion.objects.count() == 1

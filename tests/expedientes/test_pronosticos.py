"""When a case will end: from like cases closed before, given how long it has been there; kept and held to account."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from expedientes import pronosticos, seguimiento
from expedientes.models import Expediente, Hitos, Pais, Producto, Pronostico
from laboratorio.demo import CLAVE
from notificaciones import enlaces
from notificaciones.models import Enlace
from senasa import reloj
from senasa.models import Puesto
from tests.builders import avanzar_hasta, crear_caso, crear_importador

pytestmark = pytest.mark.django_db
LAB, DECISION = Pronostico.Tramo.LABORATORIO, Pronostico.Tramo.DECISION
AHORA = datetime(2026, 3, 2, 15, tzinfo=UTC)


def cerrados(dias: list[float], *, hace: float = 1, en_laboratorio: float | None = None, **iguales: Any) -> None:
    """Closed cases in the ledger that took so many days from sending to closure, `en_laboratorio` of them there.

    Rows of the ledger alone: the forecast reads nothing else, and what it does with many is not worth many walks.
    """
    campos = {
        "producto": Producto.objects.get(codigo="uva-fresca"), "origen": Pais.objects.get(codigo="CL"),
        "puesto": Puesto.objects.get(codigo="PCM"), "metodos": [],
    } | iguales  # fmt: skip
    importador = crear_importador()
    for i, cuanto in enumerate(dias):
        caso = Expediente.objects.create(
            numero=f"PCM-2020-{Expediente.objects.count():06d}", puesto=campos["puesto"], importador=importador,
            pais_exportacion=campos["origen"], transporte="contenedor", estado="cerrado",
        )  # fmt: skip
        fin = AHORA - timedelta(days=hace, minutes=i)
        t2 = fin - timedelta(days=cuanto)
        t5 = t2 + timedelta(days=cuanto / 2 if en_laboratorio is None else en_laboratorio)
        Hitos.objects.create(
            expediente=caso, t0=t2 - timedelta(days=2), t1=t2 - timedelta(days=1), t2=t2, t5=t5, t6=fin, t7=fin,
            fin=fin, **campos,
        )  # fmt: skip


def mio(**campos: Any) -> Hitos:
    caso = crear_caso("en_laboratorio", hace=timedelta(days=1)).expediente
    for campo, valor in campos.items():
        setattr(caso.hitos, campo, valor)
    return caso.hitos


def prever(suyos: Hitos, lleva: float = 0, tramo: str = LAB, momento: datetime = AHORA) -> Any:
    return pronosticos.prever(suyos, tramo=tramo, desde=momento - timedelta(days=lleva), momento=momento)


def dias(prevision: pronosticos.Prevision) -> tuple[float, float]:
    return tuple(round((uno - AHORA) / timedelta(days=1), 3) for uno in (prevision.mediana, prevision.ochenta))  # type: ignore[return-value]


def test_mediana_y_ochenta_de_los_parecidos_y_silencio_si_son_pocos() -> None:
    suyos = mio(metodos=[])
    cerrados([*range(1, 20)])
    assert prever(suyos) is None
    cerrados([20])
    prevision = prever(suyos)
    # Of n in order, the ceil(q(n+1))-th: a next one stays under it in q of all times.
    assert (dias(prevision), prevision.n, prevision.grupo) == ((11.0, 17.0), 20, 1)


def test_cuenta_lo_que_ya_espero() -> None:
    """Thirty in the same stretch for ten days or more: what they still took then, not what they took in all."""
    cerrados([4] * 40, en_laboratorio=3)
    cerrados([30 + n for n in range(30)], en_laboratorio=20)
    suyos = mio(metodos=[])
    assert prever(suyos, lleva=0).n == 70
    despues = prever(suyos, lleva=10)
    assert (despues.n, dias(despues)) == (30, (35.0, 44.0))
    assert prever(suyos, lleva=25) is None  # nobody was ever so long there
    # Of another stretch it is that one's time that counts.
    assert prever(suyos, lleva=5, tramo=DECISION).n == 30


def test_del_grupo_mas_estrecho_al_mas_ancho() -> None:
    suyos = mio(metodos=["ELISA"])
    otra = Producto.objects.exclude(pk=suyos.producto_id).first()
    grupos = [
        (4, {"producto": otra, "metodos": ["PCR"]}),
        (3, {"origen": Pais.objects.exclude(codigo="CL").first(), "puesto": Puesto.objects.get(codigo="PCA")}),
        (2, {"puesto": Puesto.objects.get(codigo="PCA")}),
        (1, {"metodos": ["PCR"]}),
        (0, {"metodos": ["ELISA"]}),
    ]
    for n, (grupo, iguales) in enumerate(grupos, start=1):
        cerrados([n] * 20, **iguales)
        prevision = prever(suyos)
        assert prevision.grupo == grupo, (grupo, prevision)
    assert (prevision.n, dias(prevision)) == (20, (5.0, 5.0))
    assert str(prevision.de_quienes) == "del mismo producto, origen, análisis y puesto"


def test_no_mira_el_futuro() -> None:
    """Asked again later about the same moment, it says the same: what closed after it does not count."""
    suyos = mio(metodos=[])
    cerrados([10] * 25, hace=3)
    antes = prever(suyos)
    cerrados([99] * 200, hace=-1)
    assert prever(suyos) == antes
    assert prever(suyos, momento=AHORA - timedelta(days=4)) is None


def test_lo_que_espera_del_importador_no_se_pronostica(settings: Any) -> None:
    settings.PRONOSTICO_MINIMO = 1
    cerrados([10] * 3)
    caso = crear_caso("en_laboratorio")
    assert pronosticos.donde_esta(caso.expediente, caso.expediente.hitos) == (LAB, caso.expediente.estado_desde)
    for estado in ("observado", "en_medida", "cerrado", "anulado"):
        caso.expediente.estado = estado
        assert pronosticos.donde_esta(caso.expediente, caso.expediente.hitos) is None


def test_cada_pronostico_se_guarda_al_empezar_el_tramo_y_se_juzga_al_terminar(settings: Any, certificado: Any) -> None:
    settings.PRONOSTICO_MINIMO = 5
    with reloj.fijado(AHORA):
        cerrados([20 + n for n in range(10)], hace=1)
        caso = crear_caso("en_laboratorio", hace=timedelta(hours=8))
    dados = list(Pronostico.objects.filter(expediente=caso.expediente).order_by("desde"))
    assert [uno.tramo for uno in dados] == ["sin_muestra", "con_muestra", "laboratorio"]
    assert all(uno.hecho_en == uno.desde and uno.n == 10 for uno in dados)
    # After a week in the same stretch, another, given what it has waited.
    with reloj.fijado(AHORA + timedelta(days=7)):
        assert pronosticos.repasar() == 1
        assert pronosticos.repasar() == 0
    semana = Pronostico.objects.get(dias=7)
    assert (semana.tramo, semana.hecho_en) == ("laboratorio", dados[-1].desde + timedelta(days=7))
    with reloj.fijado(AHORA + timedelta(days=9)):
        avanzar_hasta(caso, "cerrado", desde=AHORA + timedelta(days=8))
    suyos = Pronostico.objects.filter(expediente=caso.expediente)
    assert set(suyos.values_list("termino_en", "cerrado")) == {(caso.expediente.hitos.t7, True)}


def test_los_aciertos_se_cuentan_de_los_que_ya_vencieron(client: Client) -> None:
    crear_caso()
    caso, otro = Expediente.objects.first(), crear_caso(importador=crear_importador(1)).expediente
    hoy = timezone.now()

    def dado(n: int, ochenta: float, termino: float | None, *, cerrado: bool = True, dueno: Any = caso) -> None:
        Pronostico.objects.create(
            expediente=dueno, tramo=LAB, desde=hoy - timedelta(days=40, minutes=n), hecho_en=hoy - timedelta(days=40),
            n=20, grupo=1, mediana_en=hoy - timedelta(days=ochenta + 2), ochenta_en=hoy - timedelta(days=ochenta),
            termino_en=None if termino is None else hoy - timedelta(days=termino),
            cerrado=cerrado and termino is not None,
        )  # fmt: skip

    dado(0, ochenta=10, termino=11)  # between the two dates: within
    dado(1, ochenta=10, termino=15)  # before both
    dado(2, ochenta=10, termino=9)  # too late
    dado(3, ochenta=10, termino=None)  # past its date and still open: a failure, not a blank
    dado(4, ochenta=10, termino=12, cerrado=False, dueno=otro)  # withdrawn
    dado(5, ochenta=-3, termino=None)  # its date is to come
    (uno,) = pronosticos.aciertos(hoy - timedelta(days=90), hoy + timedelta(days=30))
    assert (uno.tramo, uno.dias, uno.n, uno.cubiertos, uno.antes_de_la_mediana) == (LAB, 0, 4, 50.0, 25.0)
    assert (uno.sin_terminar, uno.de_otro_modo, round(uno.error_dias or 0, 2)) == (1, 1, 3.0)
    client.post(reverse("account_login"), {"login": "direccion", "password": CLAVE})
    pagina = client.get(reverse("pronosticos")).content.decode()
    assert "En el laboratorio" in pagina
    assert "50 %" in pagina


def test_la_pagina_dice_cuando_con_cuantos_y_de_quien_es_el_tiempo(client: Client, settings: Any) -> None:
    settings.PRONOSTICO_MINIMO = 5
    caso = crear_caso("en_laboratorio", hace=timedelta(days=2)).expediente
    with connection.cursor() as cursor:  # closed lately, as seen from now
        cerrados([9] * 6)
        cursor.execute(
            "UPDATE expedientes_hitos SET t0=t0+d, t1=t1+d, t2=t2+d, t5=t5+d, t6=t6+d, t7=t7+d"
            " FROM (SELECT now() - interval '1 day' - max(t7) AS d FROM expedientes_hitos) x WHERE t7 IS NOT NULL"
        )
    enlace = Enlace.objects.get(referencia=caso.referencia)
    pagina = client.get(reverse("seguimiento", args=[enlaces.token(enlace)]), follow=True).content.decode()
    assert "Fecha probable de término" in pagina
    assert "Lo dicen 6 expedientes cerrados del mismo producto, origen y puesto" in pagina
    assert "De quién es el tiempo" in pagina
    assert pagina.count("¿Qué es esto?") >= 5
    settings.PRONOSTICO_MINIMO = 7
    assert seguimiento.pronosticar(caso, seguimiento.contar(caso)) is None


def test_un_pronostico_lee_dos_tramos_de_indice_y_no_la_tabla(django_assert_max_num_queries: Any) -> None:
    suyos = mio(metodos=["ELISA"])
    with django_assert_max_num_queries(2):
        prever(suyos)

"""Figures of the reversions against a recomputation in plain SQL over the log; the lists behind them; who sees what."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from expedientes.models import Evento
from indicadores import alertas, programa
from indicadores import reversiones as figuras
from indicadores.models import AlertaDeReversiones, Regreso
from indicadores.reversiones import Filtro, Periodo, actos, ahorro, causas, control
from laboratorio import recorrido, reversiones
from laboratorio.demo import CLAVE
from laboratorio.models import Informe, Muestra, Reversion
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.models import Disciplina, Puesto
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db

# Nothing of ours: from the log alone, each act that steps back and the hours until its state came again.
DE_LA_BITACORA = """
WITH atras AS (
    SELECT e.*, row_number() OVER (ORDER BY id) AS orden FROM expedientes_evento e
    WHERE (objeto = 'analisis' AND accion IN ('revertir', 'revertir_inicio', 'revertir_asignacion', 'devolver'))
       OR (objeto = 'muestra' AND accion LIKE 'revertir%%')
)
SELECT a.accion, a.motivo, count(*) AS veces, sum(extract(epoch FROM coalesce((
    SELECT min(d.ocurrio_en) FROM expedientes_evento d
    WHERE d.objeto = a.objeto AND d.objeto_id = a.objeto_id AND d.id > a.id AND d.a IN (a.de, 'cancelado')
), %(ahora)s) - a.ocurrio_en)) / 3600 AS horas
FROM atras a JOIN expedientes_expediente x ON x.id = a.expediente_id
WHERE (a.ocurrio_en AT TIME ZONE 'America/Lima')::date BETWEEN %(desde)s AND %(hasta)s
    AND (%(puesto)s = '' OR x.numero LIKE %(puesto)s || '-%%')
GROUP BY 1, 2
"""


def entrar(quien: str) -> Client:
    navegador = Client()
    navegador.post(reverse("account_login"), {"login": quien, "password": CLAVE})
    return navegador


def de_la_bitacora(filtro: Filtro, ahora: datetime) -> dict[tuple[str, str], tuple[int, float]]:
    puesto = filtro.puesto.codigo if filtro.puesto else ""
    datos = {"desde": filtro.desde, "hasta": filtro.hasta, "ahora": ahora, "puesto": puesto}
    with connection.cursor() as cursor:
        cursor.execute(DE_LA_BITACORA, datos)
        return {(accion, motivo): (veces, float(horas)) for accion, motivo, veces, horas in cursor.fetchall()}


def paso(hacer: Callable[[Any], None], caso: Any, dias: float) -> None:
    with reloj.fijado(reloj.ahora() + timedelta(days=dias)):
        hacer(caso)


@pytest.fixture
def historia(certificado) -> Filtro:
    """Results, stages and a sample of two methods stepped back; some are back since, one is not; of two posts."""
    gente = personas()
    vuelto = crear_caso("verificado", hace=timedelta(days=60))
    en_enero = reloj.ahora() - timedelta(days=58)
    with reloj.fijado(en_enero):
        (analisis,) = vuelto.analisis
        reversiones.revertir(analisis=analisis, actor=gente["verificador"], motivo="dato-errado", texto="Otra placa.")
    paso(recorrido.registrar, vuelto, -57)
    paso(recorrido.verificar, vuelto, -56.5)
    aereo = crear_caso("en_proceso", hace=timedelta(days=40), puesto="PCA", producto="durazno")
    with reloj.fijado(reloj.ahora() - timedelta(days=39)):
        reversiones.revertir_inicio(
            analisis=aereo.analisis[0], actor=gente["verificador"], motivo="iniciado-por-error", texto="=1+1"
        )
    paso(recorrido.iniciar, aereo, -38.75)
    # Two methods at once: one act, and a row of each.
    doble = crear_caso("verificado", hace=timedelta(days=20), producto="durazno")
    with reloj.fijado(reloj.ahora() - timedelta(days=19)):
        reversiones.revertir_analisis(
            muestra=Muestra.objects.get(expediente=doble.expediente), actor=gente["verificador"],
            motivo="contaminacion", texto="Todo.",
        )  # fmt: skip
    recibido = crear_caso("recibido", hace=timedelta(days=10))
    with reloj.fijado(reloj.ahora() - timedelta(days=9)):
        reversiones.revertir_recepcion(
            muestra=Muestra.objects.get(expediente=recibido.expediente), actor=gente["recepcion"],
            motivo="recibida-por-error", texto="No era.",
        )  # fmt: skip
    hoy = timezone.localdate()
    return Filtro(hoy - timedelta(days=90), hoy)


def test_iguales_a_lo_que_dice_la_bitacora(historia):
    ahora = reloj.ahora()
    pcm = Filtro(historia.desde, historia.hasta, Puesto.objects.get(codigo="PCM"))
    recientes = Filtro(historia.hasta - timedelta(days=30), historia.hasta)
    for filtro, cuantas in ((historia, 4), (pcm, 3), (recientes, 2)):
        nuestras = {(una.clave["accion"], una.clave["motivo"]): una for una in causas(filtro, ahora).motivos}
        suyas = de_la_bitacora(filtro, ahora)
        assert {clave: una.veces for clave, una in nuestras.items()} == {clave: n for clave, (n, _h) in suyas.items()}
        assert [nuestras[clave].horas for clave in suyas] == pytest.approx([horas for _n, horas in suyas.values()])
        assert sum(una.veces for una in nuestras.values()) == cuantas
    todas = causas(historia, ahora)
    vuelta = next(una for una in todas.motivos if una.clave["accion"] == "revertir")
    assert (round(vuelta.horas), vuelta.abiertas) == (36, 0)
    # By method the act on a sample counts once for each result it took; the reception has none.
    doble = Reversion.objects.get(accion="revertir_analisis", parte_de=None)
    assert sum(una.veces for una in todas.metodos) == 3 + doble.partes.count()
    assert doble.partes.count() > 1
    assert sum(una.veces for una in todas.disciplinas) == sum(una.veces for una in todas.metodos)
    # What is written down of those that are back changes no figure.
    assert figuras.anotar_regresos() == Regreso.objects.count() == 2
    assert figuras.anotar_regresos() == 0
    assert causas(historia, ahora) == todas


def test_lo_que_la_direccion_devuelve_es_un_acto_y_lo_que_enmienda_ninguno(historia):
    """Of two analyses at once, before the signature: one act, two rows. After it, an amendment is no reversion."""
    antes, filas = programa.calcular(historia.desde, historia.hasta), figuras.filas(historia).count()
    ayer = reloj.ahora() - timedelta(days=1)
    devuelto = crear_caso("verificado", valor="positivo", hace=timedelta(days=5), producto="durazno")
    assert len(devuelto.analisis) == 2
    with reloj.fijado(ayer):
        reversiones.devolver(
            informe=Informe.objects.get(expediente=devuelto.expediente), actor=personas()["director"],
            analisis=devuelto.analisis, motivo="resultado-dudoso", texto="Los dos.",
        )  # fmt: skip
    enmendado = crear_caso("resultado_emitido", hace=timedelta(days=5))
    with reloj.fijado(ayer):
        recorrido.enmendar_resultado(enmendado)
    assert Reversion.objects.filter(accion="enmendar_resultado").count() == 1
    ahora = programa.calcular(historia.desde, historia.hasta)
    assert (ahora.reversiones, ahora.autoaprobadas) == (antes.reversiones + 1, antes.autoaprobadas)
    assert actos(historia).count() == control(historia, "mes").reversiones == ahora.reversiones
    assert figuras.filas(historia).count() == filas + 2


def test_la_tasa_es_la_del_comando_y_cada_numero_abre_otras_tantas(historia):
    de_programa = programa.calcular(historia.desde, historia.hasta)
    carta = control(historia, "mes")
    assert (carta.reversiones, carta.muestras, carta.autoaprobadas) == (
        de_programa.reversiones, de_programa.muestras, de_programa.autoaprobadas,
    )  # fmt: skip
    assert carta.por_100 == de_programa.por_100
    assert carta.pct_autoaprobadas == de_programa.pct_autoaprobadas == 100
    disciplina = Disciplina.objects.filter(metodo__analisis__reversiones__isnull=False).first()
    navegador = entrar("direccion")
    dias = {"desde": historia.desde.isoformat(), "hasta": historia.hasta.isoformat()}
    for mas in ({}, {"medida": "veces"}, {"puesto": "PCM"}, {"disciplina": disciplina.pk}, {"cada": "semana"}):
        html = navegador.get(reverse("reversiones_estadistica"), dias | mas).content.decode()
        enlaces = re.findall(r'<a href="(/reversiones/(?:detras|informes)/[^"]+)">(?:<b>)?([^<]+)<', html)
        assert len(enlaces) > 8
        for url, dicho in enlaces:
            pagina = navegador.get(url.replace("&amp;", "&"))
            cuantas = pagina.context["page_obj"].paginator.count
            if dicho.split()[0].isdecimal() and not dicho.endswith((" h", "%")):
                assert cuantas == int(dicho.split()[0]), (url, dicho)
            elif n := re.search(re.escape(url) + r'"><b>[^<]+</b></a> <span class="secundario">(\d+) reversi', html):
                assert cuantas == int(n[1]), (url, dicho)


def test_el_titulo_dice_lo_que_costo_mas(historia):
    html = entrar("direccion").get(reverse("reversiones_estadistica")).content.decode()
    # The reception is not back yet: 9 days; the sample with all its analyses neither: 19 days.
    assert "«Contaminación de la muestra en el laboratorio» costó más horas: 456 h en 1 reversión" in html
    por_veces = entrar("direccion").get(reverse("reversiones_estadistica"), {"medida": "veces"}).content.decode()
    assert "se repitió más: 1 de 4" in por_veces


def test_la_lista_no_nombra_a_nadie_y_su_archivo_no_corre_formulas(historia):
    navegador = entrar("direccion")
    for formato in ("", "csv"):
        respuesta = navegador.get(reverse("reversiones_detras"), {"formato": formato} if formato else {})
        dicho = respuesta.getvalue().decode() if formato else respuesta.content.decode()
        assert "Verificadora" not in dicho
        assert "R. Recepción" not in dicho
    filas = list(csv.reader(io.StringIO(dicho.lstrip("\ufeff")), delimiter=";"))
    assert len(filas) == 1 + actos(historia).count()
    assert {fila[7] for fila in filas} >= {"'=1+1", "Todo."}
    assert next(fila[9] for fila in filas if fila[7] == "Otra placa.") == "36.0"
    assert navegador.get(reverse("reversiones_detras"), {"formato": "xlsx"}).status_code == 200
    # Asked for by an analyst, the list is still everybody's: it knows no such question.
    por_persona = {"analista": personas()["analista"].pk, "autor": personas()["verificador"].pk}
    assert navegador.get(reverse("reversiones_detras"), por_persona).context["page_obj"].paginator.count == 4
    for malo in ({"metodo": "x"}, {"metodo": "9" * 30}, {"desde": "ayer"}, {"puesto": "XXX"}, {"hasta": "1999-01-01"}):
        assert navegador.get(reverse("reversiones_detras"), malo).status_code == 404, malo
        assert navegador.get(reverse("reversiones_estadistica"), malo).status_code == 200, malo
    assert "termina antes de empezar" in navegador.get(
        reverse("reversiones_estadistica"), {"desde": "2026-02-01", "hasta": "2026-01-01"}
    ).content.decode()  # fmt: skip


def test_por_analista_solo_el_mismo_y_el_director(historia):
    gente = personas()
    suyos = figuras.revertidos_de(gente["analista"], historia.desde, historia.hasta).count()
    (cuenta,) = figuras.por_analista(historia.desde, historia.hasta, gente["analista"])
    assert cuenta.revertidos == suyos > 0
    de_ana = reverse("reversiones_de_analista", args=[gente["analista"].pk])
    mias, tabla = reverse("reversiones_mias"), reverse("reversiones_por_analista")
    # (mine, the table, somebody's by address), files included
    espera = {
        "director": (403, 200, 200), "analista": (200, 403, 403), "analista2": (200, 403, 403),
        "direccion": (403, 403, 403), "verificador": (403, 403, 403), "jefe": (403, 403, 403),
    }  # fmt: skip
    for quien, codigos in espera.items():
        navegador = entrar(quien)
        for mas in ({}, {"formato": "csv"}, {"formato": "xlsx"}):
            assert tuple(navegador.get(url, mas).status_code for url in (mias, tabla, de_ana)) == codigos, (quien, mas)
    trampa = {"analista": gente["analista"].pk, "pk": gente["analista"].pk, "usuario": "analista", "quien": "analista"}
    for quien, cuantas in (("analista", suyos), ("analista2", 0)):
        pagina = entrar(quien).get(mias, trampa)
        assert pagina.context["page_obj"].paginator.count == cuantas
        archivo = entrar(quien).get(mias, trampa | {"formato": "csv"}).getvalue().decode()
        assert archivo.strip().count("\n") == cuantas
    html = entrar("director").get(tabla).content.decode()
    assert f'href="{de_ana}?' in html
    assert entrar("director").get(reverse("reversiones_de_analista", args=[gente["mesa"].pk])).status_code == 404
    # Without results there is no rate, and it says so.
    assert "No se puede calcular una tasa" in entrar("analista2").get(mias).content.decode()


def test_sin_datos_lo_dice_y_nada_es_cero():
    hoy = timezone.localdate()
    vacio = Filtro(hoy - timedelta(days=30), hoy)
    carta = control(vacio)
    assert (carta.por_100, carta.centro, carta.pct_autoaprobadas) == (None, None, None)
    assert ahorro(vacio).horas is None
    html = entrar("direccion").get(reverse("reversiones_estadistica")).content.decode()
    assert "No se puede calcular la tasa: en estos días no se recibió ninguna muestra" in html
    assert "sin muestras" in html
    assert "No se puede calcular: en estos días no hay negativos firmados solos" in html
    assert "Ninguna reversión en estos días" in html


def test_los_limites_son_los_de_una_proporcion():
    # Montgomery, 3-sigma limits of a proportion: p = 0,1 and n = 100 give 0,1 ± 0,09.
    crudos = [
        Periodo(date(2026, 1, 1), date(2026, 1, 31), 10, 100, 10),
        Periodo(date(2026, 2, 1), date(2026, 2, 28), 20, 100, 20),
        Periodo(date(2026, 3, 1), date(2026, 3, 31), 0, 0, 0),
        Periodo(date(2026, 4, 1), date(2026, 4, 30), 30, 100, 30, incompleto=True),
    ]
    enero, febrero, marzo, abril = figuras._con_limites(crudos, 0.1)
    assert enero.limites == pytest.approx((1, 19))
    assert (enero.fuera, febrero.fuera, marzo.fuera, abril.fuera) == ("", "por encima", "", "")
    assert (marzo.tasa, marzo.limites) == (None, None)
    seguidos = figuras._con_limites([Periodo(date(2026, 1, 1), date(2026, 1, 7), 11, 100, 0)] * 9, 0.1)
    assert [uno.racha for uno in seguidos] == [False] * 7 + [True, True]
    assert figuras._con_limites(crudos, 1.2)[0].limites is None
    pocas = figuras._con_limites([Periodo(date(2026, 1, 1), date(2026, 1, 31), 0, 400, 0)], 0.1)
    assert pocas[0].fuera == "por debajo"


def test_lo_que_ahorro_la_firma_automatica(certificado):
    for hace in (30, 25):
        crear_caso("resultado_emitido", hace=timedelta(days=hace))
    hoy = timezone.localdate()
    filtro = Filtro(hoy - timedelta(days=40), hoy)
    with connection.cursor() as cursor:  # as the log tells: from the last verification to the issue
        cursor.execute("""
            SELECT d.datos ->> 'firma', extract(epoch FROM d.ocurrio_en - (
                SELECT max(v.ocurrio_en) FROM expedientes_evento v
                WHERE v.expediente_id = d.expediente_id AND v.accion = 'verificar' AND v.id < d.id)) / 3600
            FROM expedientes_evento d WHERE d.objeto = 'informe' AND d.accion = 'emitir'""")
        esperas = [float(horas) for _firma, horas in cursor.fetchall()]
    nuestro = ahorro(filtro)
    assert nuestro.automaticos + nuestro.de_personas == len(esperas) == 2
    firmas = set(figuras.negativos(filtro, automaticos=True).values_list("firma", flat=True))
    assert firmas <= {"automatica"}
    assert nuestro.horas is None  # all of one kind: nothing to compare with
    # Had one of them waited for the director, the other saved the difference.
    from expedientes.models import Documento  # noqa: PLC0415

    uno, otro = Documento.objects.filter(tipo="informe").order_by("pk")
    Documento.objects.filter(pk=uno.pk).update(firma="automatica")
    Documento.objects.filter(pk=otro.pk).update(firma="director")
    comparado = ahorro(filtro)
    assert (comparado.automaticos, comparado.de_personas) == (1, 1)
    assert comparado.horas == pytest.approx(esperas[1] - esperas[0])


def poner_muestras(caso: Any, mes: date, cuantas: int, revertidas: int) -> None:
    """Copies of a sample of `caso` received in `mes`, and reversions of it: volume, with no history of its own."""
    base = Muestra.objects.filter(expediente=caso.expediente).first()
    cuando = timezone.make_aware(datetime.combine(mes.replace(day=10), time(10)))
    Muestra.objects.bulk_create(
        Muestra(
            numero=f"V-{mes:%Y%m}-{i}", expediente=caso.expediente, partida=base.partida, solicitud=base.solicitud,
            estado="analizada", estado_desde=cuando, tomada_en=cuando, precinto="X", conservacion="ambiente",
            cantidad=1, unidad="kg", recibida_en=cuando,
        )
        for i in range(cuantas)
    )  # fmt: skip
    Reversion.objects.bulk_create(
        Reversion(
            expediente=caso.expediente, muestra=base, accion="revertir_recepcion", autor=caso.personas["recepcion"],
            motivo="recibida-por-error", texto="x", desde_estado="recibida", ocurrio_en=cuando,
            evento=caso.expediente.bitacora.last(),
        )
        for _i in range(revertidas)
    )  # fmt: skip


def test_la_alerta_se_debe_una_vez_y_no_detiene_a_nadie():
    caso = crear_caso("recibido")
    hoy = timezone.localdate()
    meses = [hoy.replace(day=1)]
    for _n in range(7):
        meses.insert(0, (meses[0] - timedelta(days=1)).replace(day=1))
    *antes, ultimo = meses[:-1]
    for mes in antes[2:]:
        poner_muestras(caso, mes, 100, 5)
    poner_muestras(caso, ultimo, 100, 40)
    assert alertas.buscar_alertas() == 0  # five months behind it are no centre yet
    for mes in antes[:2]:
        poner_muestras(caso, mes, 100, 5)
    assert alertas.buscar_alertas() == 1
    assert alertas.buscar_alertas() == 0
    alerta = AlertaDeReversiones.objects.get()
    assert (alerta.cada, alerta.periodo, alerta.disciplina, alerta.reversiones, alerta.muestras, alerta.por_encima) == (
        "mes", ultimo, None, 40, 100, True,
    )  # fmt: skip
    assert alerta.centro == pytest.approx(100 * 70 / 700)
    correos = Notificacion.objects.filter(aviso="alerta_reversiones")
    assert set(correos.values_list("correo", flat=True)) == {"direccion@senasa.example", "director@senasa.example"}
    assert "40 reversiones en 100 muestras" in correos[0].texto
    eventos = Evento.objects.count()
    navegador = entrar("direccion")
    pagina = navegador.get(reverse("reversiones_alertas")).content.decode()
    assert "40 reversiones" in pagina
    detras = next(escape(url) for url in re.findall(r'href="(/reversiones/detras/[^"]+)"', pagina)).replace(
        "&amp;amp;", "&"
    )
    assert navegador.get(detras.replace("&amp;", "&")).context["page_obj"].paginator.count == 40
    assert ">1</span>" in navegador.get(reverse("reversiones_estadistica")).content.decode()  # in the menu
    ver = reverse("reversiones_alerta_ver", args=[alerta.pk])
    assert navegador.post(ver, {"comentario": "Lote <b>malo</b> de reactivo."}).status_code == 302
    assert entrar("director").post(ver, {"comentario": "Otra cosa."}).status_code == 302
    alerta.refresh_from_db()
    assert (alerta.vista_por, alerta.comentario) == (personas()["direccion"], "Lote <b>malo</b> de reactivo.")
    vista = navegador.get(reverse("reversiones_alertas")).content.decode()
    assert "Lote &lt;b&gt;malo&lt;/b&gt; de reactivo." in vista
    assert "Dar por vista" not in vista
    assert re.search(r"La vio [^<]+, <time[^>]+>hace un momento</time>\.", vista)
    assert Evento.objects.count() == eventos


def test_las_consultas_no_crecen_con_las_filas(certificado):
    caso = crear_caso("recibido")
    paginas = [reverse(f"reversiones_{una}") for una in ("estadistica", "detras", "alertas")]
    navegador = entrar("direccion")
    medidas = []
    for cuantas in (1, 29):
        poner_muestras(caso, timezone.localdate() - timedelta(days=31 * (cuantas > 1)), 3, cuantas)
        for n in range(cuantas):
            AlertaDeReversiones.objects.create(
                cada="semana", periodo=date(2020, 1, cuantas) + timedelta(days=n), reversiones=1, muestras=1,
                centro=1, limite_inferior=0, limite_superior=1, hallada_en=timezone.now(),
                disciplina=Disciplina.objects.first(),
            )  # fmt: skip
        for pagina in paginas:
            navegador.get(pagina)
        esta = []
        for pagina in paginas:
            with CaptureQueriesContext(
                connection,
            ) as consultas:
                navegador.get(pagina)
            esta.append(len(consultas))
        medidas.append(esta)
    assert medidas[0] == medidas[1]


@pytest.mark.usefixtures("memoria")
def test_lo_guardado_de_la_pagina_y_del_menu_cambia_con_cada_acto_y_es_de_quien_mira():
    caso = crear_caso("con_resultado")
    navegador, verificador = entrar("direccion"), entrar("verificador")
    url, bandeja = reverse("reversiones_estadistica"), reverse("verificacion")

    def mirar() -> tuple[str, int]:
        with CaptureQueriesContext(connection) as consultas:
            pagina = navegador.get(url).content.decode().partition('<div class="cifras">')[2].partition("</main>")[0]
        return pagina, sum("laboratorio_reversion" in una["sql"] for una in consultas)

    primera, leidas = mirar()
    assert leidas
    assert mirar() == (primera, 0)
    por_verificar = '<span class="cuenta">1</span>'
    assert [verificador.get(bandeja).content.decode().count(por_verificar) for _vez in range(2)] == [1, 1]
    recorrido.revertir(caso)
    segunda, leidas = mirar()
    assert (segunda == primera, bool(leidas)) == (False, True)
    assert por_verificar not in verificador.get(bandeja).content.decode()
    director = entrar("director").get(url).content.decode()
    assert ("Por analista" in director, "Por analista" in navegador.get(url).content.decode()) == (True, False)


def test_dos_reversiones_de_un_analisis_en_un_minuto_suman_cada_una_lo_suyo():
    """Typed in the same minute they share their hour: each was back when its own successor says."""
    caso = crear_caso("con_resultado", hace=timedelta(days=3))
    a_la_vez = reloj.ahora() - timedelta(days=1)
    with reloj.fijado(a_la_vez):
        recorrido.revertir(caso)
        recorrido.registrar(caso)
        recorrido.revertir(caso)
    with reloj.fijado(a_la_vez + timedelta(hours=5)):
        recorrido.registrar(caso)
    horas = [una.agrego for una in figuras.con_horas(Reversion.objects.order_by("pk"), timezone.now(), del_acto=True)]
    assert horas == [timedelta(), timedelta(hours=5)]


def test_lo_que_una_muestra_se_llevo_volvio_atras_a_su_hora():
    """Typed days after: in the rate by motive and by method it is of the same month."""
    caso = crear_caso("con_resultado", hace=timedelta(days=9))
    cuando = reloj.ahora() - timedelta(days=4)
    reversiones.revertir_analisis(
        muestra=caso.expediente.muestras.get(), actor=caso.personas["verificador"],
        motivo="contaminacion", texto="Ácaros de la muestra vecina.", ocurrio_en=cuando,
    )  # fmt: skip
    assert set(Reversion.objects.values_list("ocurrio_en", flat=True)) == {cuando}
    assert Reversion.objects.filter(parte_de__isnull=False).exists()


def test_un_acto_suma_hasta_que_vuelve_lo_ultimo_de_lo_que_devolvio():
    """By motive no act costs less than the analyses that it sent back cost by method."""
    caso = crear_caso("con_resultado", hace=timedelta(days=9))
    with reloj.fijado(reloj.ahora() - timedelta(days=4)) as _fijado:
        ahora = reloj.ahora()
        reversiones.revertir_analisis(
            muestra=caso.expediente.muestras.get(), actor=caso.personas["verificador"],
            motivo="contaminacion", texto="Ácaros de la muestra vecina.",
        )  # fmt: skip
    filtro = Filtro(timezone.localdate(ahora) - timedelta(days=9), timezone.localdate())
    # The sample is on the bench again long before its results are.
    for horas, paso in ((5, recorrido.asignar), (9, recorrido.iniciar)):
        with reloj.fijado(ahora + timedelta(hours=horas)):
            paso(caso)
    for anotados in range(3):
        if anotados == 2:
            with reloj.fijado(ahora + timedelta(hours=30)):
                recorrido.registrar(caso)
        hallado = causas(filtro, ahora + timedelta(hours=48))
        (motivo,) = hallado.motivos
        assert motivo.horas == max(una.horas for una in hallado.metodos) == (30 if anotados == 2 else 48)
        assert (motivo.abiertas, max(una.abiertas for una in hallado.metodos)) == ((0, 0) if anotados == 2 else (1, 1))
        assert [una.agrego for una in figuras.con_horas(actos(filtro), ahora + timedelta(hours=48), del_acto=True)] == [
            timedelta(hours=motivo.horas)
        ]
        figuras.anotar_regresos()
    assert causas(filtro, ahora + timedelta(hours=48)).motivos == hallado.motivos

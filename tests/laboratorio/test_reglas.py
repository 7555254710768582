"""The rule's versions: none signs before it was replayed as it is, none changes once in force, and the replay tells
what a plain look at each report, one by one, tells."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from expedientes.models import Documento, Evento, Producto
from laboratorio import firmas, reglas, reversiones, services
from laboratorio.models import Analisis, EstadoInforme, Informe, Metodo, ReglaFirma, Reproduccion
from senasa import reloj
from senasa.transicion import EstadoImpide, RolImpide
from tests.builders import avanzar_hasta, crear_caso, poner_regla

pytestmark = pytest.mark.django_db

HACE = timedelta(days=20)
MOTIVO = {"motivo": "dato-errado", "texto": "Se anotó la lectura de otra placa."}
CUBRE = "La regla cubre el producto, los métodos y las disciplinas"


def borrador(gente, **parametros):
    return reglas.redactar(actor=gente["director"], **{"gracia_minutos": 30, "causa": "Ensayo.", **parametros})


def alcance(**parametros):
    return {"gracia_minutos": 30, "productos": [], "metodos": [], "disciplinas": [], **parametros}


# ── Versions ──────────────────────────────────────────────────────────────────────────────────────


def test_un_borrador_no_rige_ni_se_enciende_sin_reproducirlo(gente):
    regla = borrador(gente, gracia_minutos=5)
    assert (regla.version, reglas.vigente().version) == (2, 1)
    with pytest.raises(EstadoImpide):
        reglas.poner_en_vigor(regla=regla, actor=gente["director"])
    reglas.reproducir(regla=regla, actor=gente["director"])
    borrador(gente, gracia_minutos=6)  # the same draft, written anew: what was replayed was another
    with pytest.raises(EstadoImpide):
        reglas.poner_en_vigor(regla=regla, actor=gente["director"])
    regla.refresh_from_db()
    reglas.reproducir(regla=regla, actor=gente["director"])
    reglas.poner_en_vigor(regla=regla, actor=gente["director"])
    assert (reglas.vigente(), reglas.borrador()) == (regla, None)
    with pytest.raises(EstadoImpide):
        reglas.poner_en_vigor(regla=regla, actor=gente["director"])


def test_la_base_misma_no_deja_encender_sin_reproducir_ni_cambiar_lo_que_rige(gente):
    regla = borrador(gente)
    regla.productos.add(Producto.objects.first())
    reglas.reproducir(regla=regla, actor=gente["director"])
    regla.productos.clear()

    def en_vano(hacer):
        with pytest.raises(DatabaseError), transaction.atomic():
            hacer()

    en_vano(lambda: ReglaFirma.objects.filter(pk=regla.pk).update(desde=reloj.ahora()))
    en_vano(lambda: ReglaFirma.objects.create(version=9, desde=reloj.ahora(), causa="x"))
    reglas.reproducir(regla=regla, actor=gente["director"])
    reglas.poner_en_vigor(regla=regla, actor=gente["director"])
    en_vano(lambda: ReglaFirma.objects.filter(pk=regla.pk).update(gracia_minutos=0))
    en_vano(lambda: regla.productos.add(Producto.objects.first()))
    en_vano(lambda: ReglaFirma.objects.filter(pk=regla.pk).delete())
    en_vano(lambda: Reproduccion.objects.update(firmaria=0))


def test_una_reproduccion_de_hace_mas_de_una_semana_no_basta(gente):
    regla = borrador(gente)
    with reloj.fijado(reloj.ahora() - timedelta(days=8)):
        reglas.reproducir(regla=regla, actor=gente["director"])
    with pytest.raises(EstadoImpide):
        reglas.poner_en_vigor(regla=regla, actor=gente["director"])


def test_apagar_es_inmediato_y_encender_pide_otra_version(gente):
    regla = reglas.apagar(actor=gente["director"], causa="Auditoría.")
    assert (regla.version, reglas.vigente().activa) == (2, False)
    with pytest.raises(EstadoImpide):
        reglas.apagar(actor=gente["director"], causa="Otra vez.")
    assert poner_regla(gracia_minutos=10).version == 3
    assert reglas.vigente().activa


@pytest.mark.parametrize("quien", ["verificador", "analista", "admin", "jefe"])
def test_la_regla_es_del_director(gente, quien):
    regla = borrador(gente)
    for acto in (
        lambda actor: reglas.redactar(actor=actor, gracia_minutos=0, causa="x"),
        lambda actor: reglas.reproducir(regla=regla, actor=actor),
        lambda actor: reglas.poner_en_vigor(regla=regla, actor=actor),
        lambda actor: reglas.apagar(actor=actor, causa="x"),
    ):
        with pytest.raises(RolImpide):
            acto(gente[quien])


# ── What it covers ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("cual", "cubierto"), [("productos", False), ("metodos", False), ("disciplinas", False),
                                                ("productos", True)])  # fmt: skip
def test_lo_que_la_regla_no_cubre_espera_al_director(certificado, cual, cubierto):
    uva = Producto.objects.get(codigo="uva-fresca")
    otros = {
        "productos": [uva] if cubierto else [Producto.objects.get(codigo="trigo")],
        "metodos": [Metodo.objects.exclude(requisito__producto=uva).first()],
        "disciplinas": [Metodo.objects.exclude(disciplina__metodo__requisito__producto=uva).first().disciplina],
    }
    poner_regla(**{cual: otros[cual]})
    informe = Informe.objects.get(expediente=crear_caso("verificado").expediente)
    no_cumple = [c["condicion"] for c in informe.condiciones if not c["cumple"]]
    esperado = (EstadoInforme.EN_GRACIA, []) if cubierto else (EstadoInforme.POR_FIRMAR, [CUBRE])
    assert (informe.estado, no_cumple) == esperado


def test_el_informe_dice_la_version_bajo_la_que_de_verdad_se_firmo(certificado):
    informe = Informe.objects.get(expediente=crear_caso("verificado").expediente)
    poner_regla(gracia_minutos=0)  # another one rules when its grace time ends
    with reloj.fijado(reloj.ahora() + timedelta(hours=1)):
        documento = firmas.firmar_informe(informe_id=informe.pk)
    informe.refresh_from_db()
    assert (documento.regla_version, informe.regla.version) == (2, 2)


# ── The replay ────────────────────────────────────────────────────────────────────────────────────


def una_por_una(alcance):
    """What `reglas.REPRODUCIR` says, without SQL: report by report, entry by entry."""
    filas = []
    ahora = reloj.ahora()
    for informe in Informe.objects.order_by("numero"):
        versiones = list(Documento.objects.filter(numero=informe.numero).order_by("version"))
        if not versiones or not ahora - reglas.PERIODO <= versiones[0].publicado_en < ahora:
            continue
        bitacora = list(Evento.objects.filter(expediente=informe.expediente).order_by("n"))
        suyos = [e for e in bitacora if e.objeto == "informe" and e.objeto_id == informe.pk]
        cierre = next(e for e in suyos if e.accion == "cerrar_fisico")
        firmaria_en = cierre.registrado_en + timedelta(minutes=alcance["gracia_minutos"])
        analisis = list(Analisis.objects.filter(solicitud=informe.solicitud).select_related("metodo"))
        de_la_mesa = [
            e for e in bitacora if e.objeto == "analisis" and e.objeto_id in {a.pk for a in analisis} and e.n < cierre.n
        ]
        no = []
        if any(e.accion == "cancelar" for e in de_la_mesa):
            no.append("incompleto")
        if any(e.accion == "registrar" and e.datos["valor"] != "negativo" for e in de_la_mesa):
            no.append("no_negativo")
        if (
            alcance["productos"] and informe.solicitud.partida.producto_id not in alcance["productos"]
            or alcance["metodos"] and not {a.metodo_id for a in analisis} <= set(alcance["metodos"])
            or alcance["disciplinas"]
            and not {a.metodo.disciplina_id for a in analisis} <= set(alcance["disciplinas"])
        ):  # fmt: skip
            no.append("no_cubierto")
        despues = [e for e in suyos if e.n > cierre.n]
        if any(e.accion in ("retener", "reabrir") and e.registrado_en < firmaria_en for e in despues):
            no.append("detenido")
        que = []
        if any(e.accion == "reabrir" and e.registrado_en >= firmaria_en for e in despues):
            que.append("revertido")
        if any(e.accion == "devolver" for e in despues):
            que.append("devuelto")
        if len(versiones) > 1 or versiones[0].estado in ("reemplazado", "en_revision"):
            que.append("enmendado")
        if versiones[0].estado == "anulado":
            que.append("anulado")
        filas.append((informe.numero, informe.expediente.numero, no, que))
    return filas


@pytest.fixture
def doce_meses(certificado, gente):
    """Reports of every kind, each with its true history."""
    verificador, director = gente["verificador"], gente["director"]

    def rehacer(analisis):
        services.registrar(analisis=analisis, actor=analisis.analista, valor="negativo")
        services.verificar(analisis=analisis, actor=verificador)

    casos = {}
    casos["limpio"] = crear_caso("resultado_emitido", hace=HACE)
    casos["viejo"] = crear_caso("resultado_emitido", hace=timedelta(days=400))
    casos["positivo"] = crear_caso("resultado_emitido", hace=HACE, valor="positivo")
    casos["trigo"] = crear_caso("resultado_emitido", hace=HACE, producto="soya-grano", origen="BO")
    # Positive at the bench, stepped back before its cierre: never for the machine.
    caso = casos["fue positivo"] = crear_caso("con_resultado", hace=HACE, valor="positivo")
    analisis = Analisis.objects.get(expediente=caso.expediente, resultados__valor="positivo")
    reversiones.revertir(analisis=analisis, actor=analisis.analista, **MOTIVO)
    services.registrar(analisis=analisis, actor=analisis.analista, valor="negativo")
    avanzar_hasta(caso, "resultado_emitido")
    # Stepped back ten minutes, and two hours, after the cierre.
    for nombre, cuando in (("dentro", timedelta(minutes=10)), ("fuera", timedelta(hours=2))):
        caso = casos[nombre] = crear_caso("verificado", hace=HACE)
        cierre = Evento.objects.get(expediente=caso.expediente, accion="cerrar_fisico").ocurrio_en
        with reloj.fijado(cierre + cuando):
            analisis = caso.analisis[0]
            reversiones.revertir(analisis=analisis, actor=verificador, **MOTIVO)
            rehacer(analisis)
        with reloj.fijado(cierre + timedelta(hours=4)):
            avanzar_hasta(caso, "resultado_emitido")
    # Held, given back by the director, and then signed.
    caso = casos["devuelto"] = crear_caso("verificado", hace=HACE)
    informe = Informe.objects.get(expediente=caso.expediente)
    with reloj.fijado(informe.firmar_desde + timedelta(hours=1)):
        firmas.retener(informe=informe, actor=verificador)
        reversiones.devolver(
            informe=informe, actor=director, analisis=caso.analisis, motivo="resultado-dudoso", texto="Otra vez."
        )
        for analisis in caso.analisis:
            rehacer(analisis)
        informe.refresh_from_db()
    with reloj.fijado(informe.firmar_desde):
        avanzar_hasta(caso, "resultado_emitido")
    # Amended and annulled afterwards.
    for nombre, estado in (("enmendado", "reemplazado"), ("anulado", "anulado")):
        casos[nombre] = crear_caso("resultado_emitido", hace=HACE)
        casos[nombre].expediente.documentos.update(estado=estado)
    caso = casos["incompleto"] = crear_caso("con_resultado", hace=HACE, producto="semilla-de-tomate", origen="NL")
    falta = caso.analisis[0]
    services.cancelar(analisis=falta, actor=director, motivo="metodo-no-disponible", texto="Sin reactivo.")
    avanzar_hasta(caso, "resultado_emitido")
    return {nombre: caso.expediente.numero for nombre, caso in casos.items()}


def test_la_reproduccion_dice_lo_mismo_que_mirar_una_por_una(doce_meses, gente, django_assert_max_num_queries):
    metodo = Metodo.objects.filter(analisis__expediente__numero=doce_meses["limpio"]).first()
    alcances = [
        alcance(),
        alcance(gracia_minutos=0),
        alcance(gracia_minutos=240),
        alcance(productos=[Producto.objects.get(codigo="uva-fresca").pk]),
        alcance(metodos=[metodo.pk]),
        alcance(disciplinas=[metodo.disciplina_id]),
    ]
    ahora = reloj.ahora()
    for uno in alcances:
        with reloj.fijado(ahora), django_assert_max_num_queries(1):
            filas = reglas.filas_de_reproducir(uno, desde=ahora - reglas.PERIODO, hasta=ahora)
        with reloj.fijado(ahora):
            assert [tuple(fila) for fila in filas] == una_por_una(uno), uno
    por_caso = {caso: (no, que) for _numero, caso, no, que in
                reglas.filas_de_reproducir(alcance(), desde=ahora - reglas.PERIODO, hasta=ahora)}  # fmt: skip
    assert {nombre: por_caso.get(numero) for nombre, numero in doce_meses.items()} == {
        "limpio": ([], []),
        "viejo": None,
        "positivo": (["no_negativo"], []),
        "trigo": ([], []),
        "fue positivo": (["no_negativo"], []),
        "dentro": (["detenido"], []),
        "fuera": ([], ["revertido"]),
        "devuelto": ([], ["devuelto"]),
        "enmendado": ([], ["enmendado"]),
        "anulado": ([], ["anulado"]),
        "incompleto": (["incompleto"], []),
    }
    hecha = reglas.reproducir(regla=borrador(gente), actor=gente["director"])
    assert (hecha.informes, hecha.firmaria, len(hecha.corregidos)) == (10, 6, 4)
    assert hecha.por_que_no == {"no_negativo": 2, "detenido": 1, "incompleto": 1}


# ── Pages ─────────────────────────────────────────────────────────────────────────────────────────


def test_de_la_version_nueva_a_ponerla_en_vigor(certificado, entrar):
    caso = crear_caso("resultado_emitido")
    caso.expediente.documentos.update(estado="anulado")
    numero = Informe.objects.get().numero
    director = entrar("director")
    uva = Producto.objects.get(codigo="uva-fresca")
    datos = {"gracia_minutos": "45", "productos": [uva.pk], "causa": "Solo uva, a prueba."}
    assert director.post(reverse("regla_nueva"), {**datos, "gracia_minutos": "x"}).status_code == 422
    assert director.post(reverse("regla_nueva"), datos).url == reverse("reglas")
    pagina = reverse("regla", args=[2])
    assert "Falta reproducirla" in director.get(pagina).content.decode()
    encender = reverse("regla_encender", args=[2])
    assert director.post(encender).status_code == 409
    assert director.post(reverse("regla_reproducir", args=[2])).url == pagina
    texto = director.get(pagina).content.decode()
    assert numero in texto
    assert "anulado" in texto
    assert director.get(reverse("regla_publica", args=[2])).status_code == 404  # a draft is nobody's business
    assert director.post(encender).url == pagina
    assert (reglas.vigente().version, reglas.vigente().gracia_minutos) == (2, 45)
    publica = entrar("director").get(reverse("regla_publica", args=[2])).content.decode()
    assert "Uva fresca" in publica
    assert numero not in publica
    assert director.post(reverse("regla_apagar"), {"causa": "Auditoría."}).url == reverse("reglas")
    assert not reglas.vigente().activa
    assert director.post(reverse("regla_apagar"), {"causa": "Auditoría."}).status_code == 409


def test_encender_y_apagar_preguntan_otra_vez_quien_es(client, gente):
    regla = borrador(gente)
    reglas.reproducir(regla=regla, actor=gente["director"])
    client.force_login(gente["director"])
    for url in (reverse("regla_encender", args=[2]), reverse("regla_apagar")):
        assert client.post(url, {"causa": "x"}).url.startswith(reverse("account_reauthenticate"))
    assert reglas.vigente().version == 1


def test_la_lista_hace_las_mismas_consultas_con_una_version_que_con_cinco(entrar, gente):
    from django.db import connection

    def consultas():
        with CaptureQueriesContext(connection) as hechas:
            assert navegador.get(reverse("reglas")).status_code == 200
        return len(hechas)

    navegador = entrar("director")
    poner_regla()
    con_dos = consultas()
    for minutos in (1, 2, 3):
        poner_regla(gracia_minutos=minutos)
    assert consultas() == con_dos

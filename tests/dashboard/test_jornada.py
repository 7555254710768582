"""The inspector's morning: the day's queues, many decisions at once, who sees to what, saved views, export, refresh."""

import csv
import io
import re
from datetime import timedelta
from urllib.parse import urlencode

import openpyxl
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dashboard import queries
from dashboard.models import VistaGuardada
from dashboard.tablero import COLUMNAS
from expedientes import asignacion, bitacora, incidencias, services
from expedientes.bitacora import fallas
from expedientes.models import Dictamen, Documento, Expediente, Partida
from gestion import services as gestion
from laboratorio.demo import CLAVE
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.models import Puesto
from tests.builders import crear_caso, crear_expediente, crear_importador, otro_inspector, personas

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("certificado")]


def entrar(quien: str) -> Client:
    """By the door, since deciding asks how long ago that was."""
    navegador = Client()
    navegador.post(reverse("account_login"), {"login": quien, "password": CLAVE})
    return navegador


def colas(navegador: Client, consulta: str = "") -> dict[str, tuple[int, list[str]]]:
    pagina = navegador.get(f"/tablero/?{consulta}")
    return {
        cola.clave: (cola.cuantos, [uno.expediente.numero for uno in cola.renglones])
        for cola in pagina.context["colas"]
    }


def observar_y_responder(caso: Expediente, responde: str) -> None:
    gente = personas()
    incidencias.observar(
        expediente=caso, actor=gente["inspector"], puntos="Falta el PFI", motivo="faltan-documentos", texto="Falta.",
        vence_en=timezone.localdate() + timedelta(days=5),
    )  # fmt: skip
    quien = gente[responde] if responde else None
    incidencias.responder(expediente=caso, actor=quien, respuesta="Aquí está.")


def test_los_actos_del_dia_y_su_filtro_dicen_lo_mismo():
    gente = personas()
    dictaminar, enviar = crear_expediente("resultado_emitido"), crear_expediente("muestreado")
    ayer, hoy, manana = (crear_expediente("registrado") for _n in range(3))
    mediodia = reloj.ahora().astimezone(timezone.get_current_timezone()).replace(hour=12, minute=30)
    for caso, dias in ((hoy, 0), (ayer, -1), (manana, 1)):
        caso.partidas.update(cita_en=mediodia + timedelta(days=dias), terminal="APM")
    respondida, ya_leida = crear_expediente("en_inspeccion"), crear_expediente("en_inspeccion")
    for caso, por in ((respondida, "mesa"), (ya_leida, "")):
        observar_y_responder(caso, por)
    asignacion.tomar(expediente=ya_leida, actor=gente["inspector"])  # somebody acted on it
    crear_expediente("resultado_emitido", puesto="PCA")
    en_revision = crear_expediente("resultado_emitido")
    en_revision.documentos.update(estado=Documento.Estado.EN_REVISION)
    inspector = entrar("inspector")
    esperadas = {
        "dictaminar": [dictaminar.numero], "enviar": [enviar.numero], "inspeccion": [ayer.numero, hoy.numero],
        "respondida": [respondida.numero],
    }  # fmt: skip
    assert colas(inspector) == {clave: (len(casos), casos) for clave, casos in esperadas.items()}
    for clave, casos in esperadas.items():
        filtrados = inspector.get(f"/tablero/?acto={clave}").context
        assert {fila.expediente.numero for fila in filtrados["filas"]} == set(casos), clave
        assert filtrados["colas"] == []
    pagina = inspector.get("/tablero/").content.decode()
    assert "12:30 · APM" in pagina
    assert 'class="resultado negativo"' in pagina
    # The jefe sees them all and the others none; what a colleague sees to is not one's own.
    assert colas(entrar("jefe"))["dictaminar"][0] == 2
    assert colas(entrar("mesa")) == colas(entrar("direccion")) == {}
    asignacion.tomar(expediente=dictaminar, actor=otro_inspector())
    assert colas(inspector)["dictaminar"] == (0, [])
    fila = next(f for f in inspector.get("/tablero/").context["filas"] if f.expediente == dictaminar)
    assert (fila.suyo, fila.quien, fila.acto.accion) == (False, "L. Colega", "dictaminar")


def test_cada_cola_abre_lo_que_cuenta_y_dice_de_que_es():
    """Lines are counted by their cases, which is what the board lists; an inspector's are his and nobody's."""
    gente, colega = personas(), otro_inspector()
    suyo, _de_nadie = crear_expediente("resultado_emitido", partidas=2), crear_expediente("resultado_emitido")
    asignacion.tomar(expediente=suyo, actor=gente["inspector"])
    del_colega = crear_expediente("resultado_emitido", partidas=2)
    for ajeno in (del_colega, crear_expediente("muestreado")):
        asignacion.tomar(expediente=ajeno, actor=colega)
    for quien, dicho, mas in (
        ("inspector", "3 partidas de 2 expedientes, suyos o de nadie", 0),
        ("jefe", "5 partidas de 3 expedientes", 2),
    ):
        navegador = entrar(quien)
        pagina = navegador.get("/tablero/")
        texto = pagina.content.decode()
        for cola in pagina.context["colas"]:
            abre = navegador.get(f"/tablero/?{cola.consulta}").context["page_obj"].paginator.count
            assert abre == cola.cuantos, (quien, cola.clave)
        cola = pagina.context["colas"][0]
        assert (cola.que, cola.mas) == (dicho, mas)
        assert f'<p class="secundario">{dicho}</p>' in texto
        assert ("Ver las demás (2)" in texto) is bool(mas)
        vacia = "Ninguna muestra tomada de casos suyos o de nadie espera su envío."
        assert (vacia in texto) is (quien == "inspector")


def test_consultas_constantes_con_las_colas_llenas():
    for paso in ("resultado_emitido", "muestreado", "registrado"):
        crear_expediente(paso)
    inspector = entrar("inspector")
    inspector.get("/tablero/")
    queries.LEIDOS.clear()
    with CaptureQueriesContext(connection) as pocas:
        inspector.get("/tablero/")
    for _n in range(6):
        for paso in ("resultado_emitido", "muestreado"):
            crear_expediente(paso)
    with CaptureQueriesContext(connection) as muchas:
        assert colas(inspector)["dictaminar"][0] == 7
    assert len(muchas) == len(pocas)
    with CaptureQueriesContext(connection) as varias:
        inspector.get(reverse("dictaminar_varios"))
    Partida.objects.filter(pk__gt=Partida.objects.order_by("pk")[2].pk).update(estado="dictaminado")
    with CaptureQueriesContext(connection) as una:
        inspector.get(reverse("dictaminar_varios"))
    assert len(varias) == len(una)


@pytest.fixture
def negativos():
    """Three plain negatives, a positive and an indeterminate, each of another importer's case."""
    buenos = [crear_expediente("resultado_emitido", importador=crear_importador(n)) for n in range(3)]
    malos = [crear_caso("resultado_emitido", valor=valor).expediente for valor in ("positivo", "indeterminado")]
    return buenos, malos


def enviados(pagina) -> dict[str, object]:
    """What the preview sends on."""
    filas = pagina.context["filas"]
    return {
        "partida": [fila.partida.pk for fila in filas], "fundamento": "Todo negativo.",
        **{f"visto-{fila.partida.pk}": fila.visto for fila in filas},
    }  # fmt: skip


def test_se_miran_antes_y_se_dictaminan_las_negativas_cada_una_por_su_cuenta(negativos):
    buenos, malos = negativos
    inspector, url = entrar("inspector"), reverse("dictaminar_varios")
    pagina = inspector.get(url)
    assert {fila.partida.expediente for fila in pagina.context["filas"]} == set(buenos)
    datos = enviados(pagina)
    # While he reads: a colleague decides one, the report of another is being corrected.
    colega = otro_inspector()
    primera, segunda, tercera = (caso.partidas.get() for caso in buenos)
    services.dictaminar(partida=primera, actor=colega, decision="ingreso", fundamento="Antes.")
    segunda.documentos.filter(tipo="informe").update(estado=Documento.Estado.EN_REVISION)
    positiva = malos[0].partidas.get()
    datos["partida"].append(positiva.pk)
    datos[f"visto-{positiva.pk}"] = "|".join(services.huella_de_informes(services.informes_vigentes(positiva)))
    avisos = Notificacion.objects.count()
    hecho = inspector.post(url, datos)
    salidas = {fila.partida.pk: fila for fila in hecho.context["filas"]}
    assert [salidas[uno.pk].hecho for uno in (primera, segunda, tercera, positiva)] == [False, False, True, False]
    assert "L. Colega" in salidas[primera.pk].por_que
    assert "por separado" in salidas[positiva.pk].por_que
    assert Notificacion.objects.count() > avisos
    dictamen = Dictamen.objects.get(partida=tercera)
    assert (dictamen.decision, dictamen.fundamento, dictamen.informes.count()) == ("ingreso", "Todo negativo.", 1)
    # A second click decides nothing again and says that it was decided.
    otra_vez = inspector.post(url, datos)
    assert [fila.hecho for fila in otra_vez.context["filas"]].count(True) == 0
    assert "Ya la dictaminó usted" in otra_vez.content.decode()
    assert Dictamen.objects.count() == 2
    assert list(fallas()) == []


def test_dictaminar_varios_pide_quien_es_y_no_pierde_lo_marcado(negativos, client):
    url = reverse("dictaminar_varios")
    client.force_login(personas()["inspector"])  # signed in long ago: who he is, is asked again
    assert client.get(url).status_code == 302
    assert Dictamen.objects.count() == 0
    inspector = entrar("inspector")
    vacio = inspector.post(url, {"fundamento": "x"})
    assert (vacio.status_code, len(vacio.context["filas"])) == (422, 3)
    assert "No marcó ninguna partida" in vacio.content.decode()
    sin_verlos = inspector.post(url, {"fundamento": "x", "partida": [f.partida.pk for f in vacio.context["filas"]]})
    assert not any(fila.hecho for fila in sin_verlos.context["filas"])
    de_otro_puesto = crear_expediente("resultado_emitido", puesto="PCA").partidas.get()
    assert inspector.post(url, {"fundamento": "x", "partida": de_otro_puesto.pk}).status_code == 422
    assert entrar("jefe").get(url).status_code == 403


def test_mis_casos_son_tambien_los_de_quien_cubro(client):
    gente, colega = personas(), otro_inspector()
    suyo, del_colega, de_nadie = (crear_expediente() for _n in range(3))
    asignacion.tomar(expediente=suyo, actor=gente["inspector"])
    asignacion.asignar(expediente=del_colega, actor=gente["jefe"], inspector=colega)
    client.force_login(gente["inspector"])

    def numeros(consulta: str) -> set[str]:
        return {fila.expediente.numero for fila in client.get(f"/tablero/?{consulta}").context["filas"]}

    assert numeros("cargo=mios") == {suyo.numero}
    assert numeros("cargo=nadie") == {de_nadie.numero}
    assert numeros(f"cargo={colega.pk}") == {del_colega.numero}
    assert numeros("cargo=99999") == numeros("cargo='--") == {suyo.numero, del_colega.numero, de_nadie.numero}
    hoy = timezone.localdate()
    asignacion.anotar_ausencia(
        ausente=colega, cubre=gente["inspector"], desde=hoy, hasta=hoy, causa="Médico.", actor=gente["jefe"]
    )
    assert numeros("cargo=mios") == {suyo.numero, del_colega.numero}


def test_el_jefe_pasa_todos_los_casos_de_un_ausente(client):
    gente, ana, eva = personas(), otro_inspector("Ana"), otro_inspector("Eva")
    puesto = Puesto.objects.get(codigo="PCM")
    casos = [crear_expediente() for _n in range(4)]
    for caso in casos[:3]:
        asignacion.tomar(expediente=caso, actor=gente["inspector"])
    client.force_login(gente["jefe"])
    equipo = client.get(reverse("equipo"))
    conteos = {fila["quien"].username: fila["todos"] for fila in equipo.context["filas"]}
    assert (conteos["inspector"], conteos["colega.ana"], equipo.context["sin_nadie"]) == (3, 0, 1)
    url = reverse("casos_pasar")
    datos = {"de": gente["inspector"].pk, "a": [ana.pk, eva.pk], "puesto": puesto.pk, "texto": "Licencia."}
    assert client.post(url, {**datos, "a": [gente["mesa"].pk]}).status_code == 422
    assert client.post(url, datos, follow=True).status_code == 200
    de_quien = list(Expediente.objects.order_by("pk").values_list("inspector__username", flat=True))
    assert sorted(map(str, de_quien)) == ["None", "colega.ana", "colega.ana", "colega.eva"]
    assert client.post(url, {"de": "", "a": eva.pk, "puesto": puesto.pk}).status_code == 302
    casos[3].refresh_from_db()
    assert (casos[3].inspector, casos[3].bitacora.order_by("n").last().accion) == (eva, "asignar")
    # To an inspector of the other post nothing goes: each case says why.
    del_aereo = Puesto.objects.get(codigo="PCA")
    fuera = client.post(url, {"de": eva.pk, "a": gente["inspector.aereo"].pk, "puesto": puesto.pk})
    assert [salida.por_que for salida in fuera.context["fuera"]] == [
        f"El expediente es del {puesto}; {gente['inspector.aereo'].firma_corta} es del {del_aereo}."
    ] * 2
    hoy = timezone.localdate()
    nota = {"ausente": ana.pk, "cubre": eva.pk, "desde": hoy, "hasta": hoy, "causa": "Médico"}
    assert client.post(reverse("ausencia_nueva"), nota).status_code == 302
    (ausencia,) = client.get(reverse("equipo")).context["ausencias"]
    assert client.post(reverse("ausencia_terminar", args=[ausencia.pk])).status_code == 302
    assert client.get(reverse("equipo")).context["ausencias"] == []
    client.force_login(gente["inspector"])
    assert client.get(reverse("equipo")).status_code == 403


def test_el_jefe_asigna_los_marcados_del_tablero_y_cada_uno_dice_como_le_fue():
    gente, ana = personas(), otro_inspector("Ana")
    libre, de_otro, ya_suyo = (crear_expediente("registrado") for _n in range(3))
    del_aereo = crear_expediente("registrado", puesto="PCA")
    asignacion.tomar(expediente=de_otro, actor=gente["inspector"])
    asignacion.asignar(expediente=ya_suyo, actor=gente["jefe"], inspector=ana)
    jefe, url = entrar("jefe"), reverse("casos_asignar")
    tablero = jefe.get("/tablero/?puesto=PCM").content.decode()
    marcas = re.findall(r'<input type="checkbox" name="caso" value="(\d+)" form="asignar-marcados"', tablero)
    assert sorted(map(int, marcas)) == [libre.pk, de_otro.pk, ya_suyo.pk]
    # The kept piece carries no token: the form outside of it does.
    assert "csrfmiddlewaretoken" not in jefe.get("/tablero/", headers={"HX-Request": "true"}).content.decode()
    assert 'name="caso"' not in entrar("inspector").get("/tablero/").content.decode()

    todos = [libre.pk, de_otro.pk, ya_suyo.pk, del_aereo.pk]
    hecho = jefe.post(url, {"caso": todos, "inspector": ana.pk, "consulta": "puesto=PCM"})
    assert {salida.que: salida.por_que for salida in hecho.context["fuera"]} == {
        ya_suyo.numero: "A. Colega ya lo tiene.",
        del_aereo.numero: f"El expediente es del {del_aereo.puesto}; A. Colega es del {libre.puesto}.",
    }
    assert {salida.que for salida in hecho.context["hechas"]} == {libre.numero, de_otro.numero}
    de_quien = dict(Expediente.objects.values_list("pk", "inspector__username"))
    assert [de_quien[pk] for pk in todos] == ["colega.ana"] * 3 + [None]
    assert [caso.bitacora.order_by("n").last().accion for caso in (libre, de_otro)] == ["asignar", "pasar"]
    bien = jefe.post(url, {"caso": [libre.pk], "inspector": gente["inspector"].pk, "consulta": "puesto=PCM&page=2"})
    assert bien.url == "/tablero/?puesto=PCM&page=2"
    for malo in ({"inspector": ana.pk}, {"caso": [libre.pk]}, {"caso": [libre.pk], "inspector": gente["mesa"].pk}):
        assert jefe.post(url, {**malo, "consulta": "page=2"}).url == "/tablero/?page=2"
    libre.refresh_from_db()
    assert libre.inspector == gente["inspector"]


HOSTIL = urlencode(
    {
        "etapa": "registrado", "semaforo": "'; DROP TABLE x;--", "cargo": "mios", "page": "7", "next": "//evil.example",
        "q": "<script>alert(1)</script>", "producto": "0 OR 1=1", "acto": "\0", "inspector__password__startswith": "p",
    }
)  # fmt: skip


def test_una_vista_guarda_solo_lo_que_el_filtro_entiende(client):
    gente, colega = personas(), otro_inspector()
    client.force_login(gente["inspector"])
    puesto = Puesto.objects.get(codigo="PCM")
    url = f"{reverse('vista_guardar')}?{HOSTIL}"
    assert client.get(url).context["consulta"] == urlencode(
        {"etapa": "registrado", "cargo": "mios", "q": "<script>alert(1)</script>"}
    )
    datos = {"nombre": "Míos <b>", "compartida_con": puesto.pk, "inicial": "on"}
    assert client.post(url, datos).status_code == 302
    vista = VistaGuardada.objects.get()
    assert vista.consulta == client.get(url).context["consulta"]
    assert client.get("/").url == f"/tablero/?{vista.consulta}"
    pagina = client.get("/tablero/").content.decode()
    assert "Míos &lt;b&gt;" in pagina
    client.post(url.replace("registrado", "en_laboratorio"), datos)  # the same name is written over
    assert VistaGuardada.objects.get().consulta.startswith("etapa=en_laboratorio")
    assert client.post(url, {"nombre": "x", "compartida_con": Puesto.objects.get(codigo="PCA").pk}).status_code == 422
    # Shared with the post: colleagues open it, and only its owner deletes it.
    client.force_login(colega)
    assert "Míos &lt;b&gt;" in client.get("/tablero/").content.decode()
    assert client.get("/").url == "/tablero/"
    for nombre in ("vista_borrar", "vista_preferir"):
        assert client.post(reverse(nombre, args=[vista.pk])).status_code == 404
        assert client.get(reverse(nombre, args=[vista.pk])).status_code == 405
    client.force_login(gente["inspector.aereo"])
    assert "Míos" not in client.get("/tablero/").content.decode()
    client.force_login(gente["inspector"])
    client.post(reverse("vista_preferir", args=[vista.pk]))
    assert client.get("/").url == "/tablero/"
    client.post(reverse("vista_borrar", args=[vista.pk]))
    assert VistaGuardada.objects.count() == 0


def test_se_exporta_lo_que_se_ve_en_su_orden_y_sin_formulas(client, monkeypatch):
    monkeypatch.setattr("dashboard.views.POR_PAGINA", 2)
    monkeypatch.setattr("dashboard.tablero.LOTE", 2)
    malo = crear_importador(0)
    type(malo).objects.filter(pk=malo.pk).update(nombre='=HYPERLINK("x")')
    for dias in (3, 9, 1, 5):
        crear_expediente("en_inspeccion", hace=timedelta(days=dias))
    crear_expediente("registrado")
    crear_expediente("en_inspeccion", puesto="PCA")
    client.force_login(personas()["inspector"])
    consulta = "etapa=en_inspeccion"
    en_pantalla = [
        fila.expediente.numero
        for pagina in (1, 2)
        for fila in client.get(f"/tablero/?{consulta}&page={pagina}").context["filas"]
    ]
    assert len(en_pantalla) == 4
    respuesta = client.get(f"{reverse('tablero_csv')}?{consulta}&page=2")
    assert respuesta.streaming
    texto = b"".join(respuesta.streaming_content).decode("utf-8-sig")
    titulos, *filas = csv.reader(io.StringIO(texto, newline=""), delimiter=";")
    assert tuple(titulos) == COLUMNAS
    assert [fila[0] for fila in filas] == en_pantalla
    assert {fila[4] for fila in filas} == {'\'=HYPERLINK("x")'}
    libro = client.get(f"{reverse('tablero_xlsx')}?{consulta}")
    hoja = openpyxl.load_workbook(io.BytesIO(b"".join(libro.streaming_content))).active
    assert [fila[0].value for fila in hoja.iter_rows(min_row=2)] == en_pantalla
    assert {(fila[4].data_type, fila[4].value) for fila in hoja.iter_rows(min_row=2)} == {("s", '=HYPERLINK("x")')}


@pytest.mark.usefixtures("memoria")
def test_mirar_si_cambio_cuesta_un_304_y_ningun_cambio_se_pierde(client):
    gente = personas()
    caso, ajeno = crear_expediente("en_inspeccion"), crear_expediente("en_inspeccion", puesto="PCA")
    client.force_login(gente["inspector"])
    ahora = reloj.ahora().replace(minute=1, second=0)

    def mirar(visto: str, momento=ahora):
        with reloj.fijado(momento):
            pedido = {"If-None-Match": visto, "HX-Request": "true"}
            return client.get(f"{reverse('tablero')}?etapa=en_inspeccion", headers=pedido)

    sello = mirar('"nada"')["ETag"]
    assert mirar('"nada"').status_code == 200
    with CaptureQueriesContext(connection) as consultas:
        assert (mirar(sello).status_code, mirar(sello, ahora + timedelta(minutes=3)).content) == (304, b"")
    assert len(consultas) / 2 <= 12
    asignacion.tomar(expediente=ajeno, actor=gente["inspector.aereo"])
    assert mirar(sello).status_code == 304  # nothing of his
    # An entry of the log that changes no word of the page: a step of the bench must not show, not even so.
    with reloj.fijado(ahora):
        bitacora.anotar(caso, objeto=caso, accion="reservado", actor=None, origen="sistema", ocurrio_en=ahora)
    assert mirar(sello).status_code == 304
    asignacion.asignar(expediente=caso, actor=gente["jefe"], inspector=otro_inspector())
    nuevo = mirar(sello)
    assert (nuevo.status_code, caso.numero in nuevo.content.decode()) == (200, True)
    # A deadline that passes.
    caso.refresh_from_db()
    Expediente.objects.filter(pk=caso.pk).update(vence_en=ahora + timedelta(minutes=2))
    with reloj.fijado(ahora):
        bitacora.anotar(caso, objeto=caso, accion="reservado", actor=None, origen="sistema", ocurrio_en=ahora)
    sello = mirar(sello)["ETag"]
    assert mirar(sello, ahora + timedelta(minutes=1)).status_code == 304
    assert mirar(sello, ahora + timedelta(minutes=3)).status_code == 200


def test_la_hoja_de_la_reunion_y_los_puestos_lado_a_lado(client):
    gente = personas()
    tarde = crear_expediente("en_inspeccion", hace=timedelta(days=40))
    otros = [crear_expediente("en_laboratorio", puesto="PCA"), hoy := crear_expediente("registrado")]
    Expediente.objects.filter(pk__in=[uno.pk for uno in otros]).update(vence_en=reloj.ahora() + timedelta(days=9))
    asignacion.tomar(expediente=tarde, actor=gente["inspector"])
    hoy.partidas.update(cita_en=reloj.ahora(), terminal="DP World")
    client.force_login(gente["jefe"])
    hoja = client.get(reverse("reunion"))
    assert [fila.expediente.numero for fila in hoja.context["tarde"]] == [tarde.numero]
    assert [una.expediente.numero for una in hoja.context["citas"]] == [hoy.numero]
    assert "R. Inspectora" in hoja.content.decode()
    # A page without an entry of its own stands under the board's.
    assert 'href="/tablero/" aria-current="true"' in hoja.content.decode()
    assert 'href="/tablero/" aria-current="page"' in client.get("/tablero/").content.decode()
    assert hoja.context["acciones"] == []
    gestion.tomar_accion(
        expediente=tarde, tipo="plazo", objeto_id=tarde.partidas.get().pk, actor=gente["jefe"],
        responsable=gente["inspector"], que_hara="Llamar al terminal.", para_el=timezone.localdate(),
    )  # fmt: skip
    for consulta, cuantas in (("", 1), ("puesto=PCM", 1), ("puesto=PCA", 0), ("puesto=x", 1)):
        hoja = client.get(f"{reverse('reunion')}?{consulta}")
        assert len(hoja.context["acciones"]) == cuantas
        assert ("Llamar al terminal." in hoja.content.decode()) == bool(cuantas)
    comparadas = client.get("/tablero/").context["comparadas"]
    assert {uno.puesto.codigo: (uno.abiertos, uno.vencidos) for uno in comparadas} == {"PCM": (2, 1), "PCA": (1, 0)}
    assert client.get("/tablero/?puesto=PCA").context["comparadas"] == []
    client.force_login(gente["inspector.aereo"])
    assert client.get(reverse("reunion")).context["tarde"] == []

"""Finding a case by what is on its papers, and telling its story aloud."""

from datetime import timedelta

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import palabras, queries
from dashboard.relato import relato
from expedientes.models import Expediente
from laboratorio import services
from laboratorio.models import Informe, Muestra
from notificaciones.models import Notificacion
from senasa import reloj
from tests.builders import crear_caso, crear_expediente, crear_importador, personas

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("certificado")]


def entrar(client, quien):
    client.force_login(personas()[quien])


DATOS = (
    "2026-118-04412", "CL-2026-88121", "cl-2026-88121", "2026123456", "118-2026-10-170288-01-1-00", "DEMU1000010",
    "demu 100001-0", "999-12345675", "99912345675", "BL-77", "  20999900012 ", "ñusta", "NUSTA importaciones",
    "demo pacific",
)  # fmt: skip


def test_se_encuentra_por_cualquier_dato_dentro_del_puesto(client):
    mas = {"guia_aerea": "999-12345675", "bl": "BL-77", "nave": "DEMO PACIFIC V.571"}
    expediente = crear_expediente(**mas)
    crear_expediente(puesto="PCA", **mas)
    entrar(client, "inspector")
    for q in DATOS:
        respuesta = client.get("/buscar/", {"q": q})
        if respuesta.status_code == 200:  # a name may be of others too: listed, not opened
            assert [caso.numero for caso in respuesta.context["hallados"]] == [expediente.numero], q
        else:
            assert respuesta.url == f"/expedientes/{expediente.numero}/", q


def test_un_numero_nuestro_abre_el_expediente(client):
    expediente = crear_caso("con_riv").expediente
    otro = crear_expediente(puesto="PCA")
    entrar(client, "inspector")
    corto = str(int(expediente.numero[-6:]))
    informe = expediente.documentos.get(tipo="informe").numero
    riv = expediente.documentos.get(tipo="riv").numero
    for q in (
        expediente.numero,
        expediente.numero.lower(),
        corto,
        Muestra.objects.get().numero,
        informe,
        f"{informe}-V1",
        riv,
    ):
        respuesta = client.get("/buscar/", {"q": q})
        assert (respuesta.status_code, respuesta.headers.get("Location")) == (
            302,
            f"/expedientes/{expediente.numero}/",
        ), q
    assert client.get("/buscar/", {"q": otro.numero}).context["hallados"] == []


def test_varios_se_listan_y_ninguno_ayuda(client):
    casos = [crear_expediente(), crear_expediente()]
    crear_expediente(importador=crear_importador(1, nombre="Otro S.A."))
    entrar(client, "inspector")
    hallados = client.get("/buscar/", {"q": "20999900012"}).context["hallados"]
    assert [caso.pk for caso in hallados] == [casos[1].pk, casos[0].pk]
    assert "Revise que el número" in client.get("/buscar/", {"q": "nada de nada"}).content.decode()
    assert client.get("/buscar/").status_code == 200
    assert client.post("/buscar/").status_code == 405
    for q in ("x' OR 1=1 --", "a\x00b", "%", "\\", "ñ" * 500):
        assert client.get("/buscar/", {"q": q}).status_code == 200, q
        assert client.get("/atencion/", {"q": q}).status_code == 200, q
        assert client.get("/tablero/", {"q": q}).status_code == 200, q


def test_un_producto_encuentra_los_casos_abiertos_del_puesto_con_las_mismas_consultas(client):
    """Also without accents and in another order; a closed case is not found by what it brought."""
    arroz = crear_expediente(producto="plantas-de-arandano", origen="ES")
    crear_expediente(producto="plantas-de-arandano", origen="ES", puesto="PCA")
    crear_caso("cerrado", producto="plantas-de-arandano", origen="ES")
    crear_expediente(producto="lenteja", origen="CA")
    entrar(client, "inspector")
    for url, clave in (("/buscar/", "hallados"), ("/tablero/", None)):
        for q in ("Plantas de arándano", "ARANDANO plantas", "arandano"):
            respuesta = client.get(url, {"q": q})
            hallados = respuesta.context[clave] if clave else [fila.expediente for fila in respuesta.context["filas"]]
            assert [caso.numero for caso in hallados] == [arroz.numero], (url, q)
    with CaptureQueriesContext(connection) as con_uno:
        client.get("/buscar/", {"q": "arandano"})
    for _vez in range(3):
        crear_expediente(producto="plantas-de-arandano", origen="ES")
    with CaptureQueriesContext(connection) as con_cuatro:
        assert len(client.get("/buscar/", {"q": "arandano"}).context["hallados"]) == 4
    assert len(con_cuatro) == len(con_uno)


def test_el_laboratorio_encuentra_muestras_e_informes_no_expedientes(client):
    expediente = crear_caso("recibido").expediente
    entrar(client, "analista")
    muestra, informe = Muestra.objects.get().numero, Informe.objects.get().numero
    assert client.get("/buscar/", {"q": muestra}).url == f"/laboratorio/muestras/{muestra}/"
    assert client.get("/buscar/", {"q": informe.lower()}).url == f"/laboratorio/informes/{informe}/"
    assert client.get("/buscar/", {"q": expediente.numero}).context["hallados"] == []


# ── Attention ─────────────────────────────────────────────────────────────────────────────────────


def decir(expediente):
    return relato(queries.con_detalle(Expediente.objects.all()).get(pk=expediente.pk), reloj.ahora())


@pytest.mark.parametrize(
    ("paso", "dice"),
    {
        "registrado": [
            "está registrada y espera la inspección",
            "Falta: programar la inspección",
            "se toma una muestra",
        ],
        "programado": ["Falta: inspección (cita", "que ya pasó)", "el puesto la hará o fijará otra hora."],
        "en_inspeccion": ["está en inspección", "Falta: tomar la muestra. Lo tiene: el Puesto de Control Marítimo"],
        "muestreado": ["Falta: enviar la muestra al laboratorio"],
        "en_laboratorio": ["está en el laboratorio", "Falta: recibir la muestra. Lo tiene: el laboratorio."],
        "asignado": ["Falta: análisis de entomología (0 de 1 análisis). Lo tiene: el laboratorio."],
        "verificado": ["El laboratorio terminó los análisis y el informe está en emisión."],
        "resultado_emitido": ["ya tiene su informe de ensayo", "Falta: dictamen."],
        "con_riv": ["El dictamen fue ingreso: la mercancía puede entrar al país (RIV-", "Falta: cerrar el expediente."],
        "cerrado": ["está cerrado desde el", "No falta nada más."],
    }.items(),
)
def test_relato_en_cada_estado(paso, dice):
    texto = decir(crear_caso(paso).expediente)
    assert texto.startswith("El expediente PCM-2026-000001, de Importaciones Ñusta 0 S.A.C.,")
    for frase in dice:
        assert frase in texto, texto


def test_relato_no_dice_que_paso_una_cita_por_venir():
    texto = decir(crear_caso("programado", hace=timedelta(0)).expediente)
    assert "Falta: inspección (cita" in texto
    assert "pasó" not in texto


def test_relato_de_una_medida_y_de_un_retraso():
    texto = decir(crear_caso("en_medida", valor="positivo", hace=timedelta(days=30)).expediente)
    assert "El dictamen fue rechazo" in texto
    assert "Lo tiene: el importador." in texto
    a_tiempo = decir(crear_expediente(hace=timedelta(hours=1)))
    assert "Esta etapa debería terminar a más tardar el " in a_tiempo, a_tiempo  # that day still counts
    assert "Va con retraso: esta etapa debía terminar el" in decir(crear_expediente(hace=timedelta(days=40)))


def test_relato_de_varias_partidas_dice_una_vez_lo_que_les_pasa_a_todas():
    caso = crear_caso("en_inspeccion", partidas=2)
    assert decir(caso.expediente).count("La carga está en inspección") == 1
    segunda = caso.expediente.partidas.get(orden=2)
    services.tomar_muestra(
        partida=segunda,
        actor=personas()["inspector"],
        precinto="77001",
        conservacion="ambiente",
        cantidad=1,
        unidad="kg",
    )
    texto = decir(caso.expediente)
    assert "tiene 2 partidas, y cada una avanza por su cuenta." in texto
    assert "Falta: tomar la muestra." in texto
    assert "Falta: enviar la muestra al laboratorio." in texto


def test_relato_no_nombra_a_nadie_del_laboratorio_ni_adelanta_resultados():
    textos = {decir(crear_caso("verificado", valor=valor).expediente)[30:] for valor in ("negativo", "positivo")}
    assert len(textos) == 1
    assert "Quispe" not in decir(crear_caso("asignado").expediente)


def test_atencion_lee_un_parrafo(client):
    expediente = crear_expediente("en_laboratorio")
    entrar(client, "atencion")
    respuesta = client.get("/atencion/", {"q": expediente.numero})
    assert decir(expediente) in respuesta.content.decode()
    assert client.get("/atencion/").status_code == 200
    assert client.get("/atencion/", {"q": "nadie"}).status_code == 200
    crear_expediente()
    assert len(client.get("/atencion/", {"q": "ñusta"}).context["hallados"]) == 2
    assert client.post("/atencion/").status_code == 405
    entrar(client, "analista")
    assert client.get("/atencion/").status_code == 403


def test_corregir_el_correo(client):
    expediente = crear_expediente()
    url = f"/expedientes/{expediente.numero}/corregir-correo/"
    entrar(client, "atencion")
    assert client.get(url).status_code == 200
    assert client.put(url).status_code == 405
    for malo in ("", "no es un correo", expediente.importador.correo, "a@b.pe\nBcc: x@y.pe"):
        assert client.post(url, {"correo": malo}).status_code == 422, malo
    respuesta = client.post(url, {"correo": "Nuevo@Empresa.example"})
    assert (respuesta.status_code, respuesta.url) == (302, f"/atencion/?q={expediente.numero}")
    expediente.importador.refresh_from_db()
    assert expediente.importador.correo == "nuevo@empresa.example"
    assert Notificacion.objects.filter(correo="nuevo@empresa.example", aviso="correo_corregido").count() == 1


def test_reenviar_el_enlace(client):
    expediente = crear_expediente()
    url = f"/expedientes/{expediente.numero}/reenviar-enlace/"
    entrar(client, "mesa")
    assert client.get(url).status_code == 405
    assert client.post(url).url == f"/expedientes/{expediente.numero}/"
    assert Notificacion.objects.filter(aviso="enlace_renovado").count() == 1


@pytest.mark.parametrize("acto", ["corregir-correo", "reenviar-enlace"])
def test_atencion_es_de_quien_atiende_y_de_su_puesto(client, acto):
    expediente = crear_expediente()
    url = f"/expedientes/{expediente.numero}/{acto}/"
    for quien in personas():
        entrar(client, quien)
        esperado = {"mesa": 302, "inspector": 302, "jefe": 302, "atencion": 302, "inspector.aereo": 404}.get(quien, 403)
        assert client.post(url, {"correo": f"{quien}@empresa.example"}).status_code == esperado, quien


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("minutos", "dice"),
    {0: "0 min", 59: "59 min", 60: "1 h", 1439: "23 h", 1440: "1 d", 1680: "1 d 4 h", 4320: "3 d", 4500: "3 d"}.items(),
)
def test_duracion(minutos, dice):
    assert palabras.duracion(timedelta(minutes=minutos)) == dice


@pytest.mark.parametrize(
    ("horas", "dice"),
    {None: "Sin plazo", -28: "Vencido hace 1 d 4 h", 6: "Vence en 6 h", 96: "En plazo · 4 d"}.items(),
)
def test_urgencia(horas, dice):
    ahora = timezone.now()
    assert palabras.urgencia(None if horas is None else ahora + timedelta(hours=horas), ahora)[1] == dice


@pytest.mark.parametrize(
    ("minutos", "dice"), {0: "hace un momento", 1: "hace un minuto", 150: "hace 2 horas", 1500: "hace un día"}.items()
)
def test_hace(minutos, dice):
    ahora = timezone.now()
    assert palabras.hace(ahora - timedelta(minutes=minutos), ahora) == dice


def test_lo_que_acaba_de_pasar_no_paso_hace_cero_minutos():
    def dicho(hace):
        return render_to_string("componentes/hace.html", {"cuando": reloj.ahora() - hace})

    assert ">hace un momento</time>" in dicho(timedelta(seconds=20))
    assert ">hace 1\xa0minuto</time>" in dicho(timedelta(seconds=70))

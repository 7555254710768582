"""What the importer does from his link: answer, add, annul, withdraw; and what the page tells when a case stands
still, ends early, moves or opens again."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from expedientes import incidencias, services
from expedientes.models import AgenteAduana, Estado, Evento, Expediente
from laboratorio.recorrido import Caso
from notificaciones import enlaces
from notificaciones.models import Enlace, Notificacion
from senasa import reloj
from senasa.models import Puesto
from tests.builders import avanzar_hasta, crear_caso, crear_importador

pytestmark = pytest.mark.django_db

PUNTOS = "El certificado no se lee\nFalta la declaración adicional"


def texto(respuesta: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", respuesta.content.decode()))


def abrir(client: Client, expediente: Expediente, correo: str = "") -> str:
    """Through the link of a mail; the case's address."""
    suyos = Enlace.objects.filter(referencia=expediente.referencia)
    enlace = suyos.get(correo=correo) if correo else suyos.get()
    return client.get(reverse("seguimiento", args=[enlaces.token(enlace)]))["Location"]


def observar(caso: Caso, dias: int = 5) -> Caso:
    incidencias.observar(
        expediente=caso.expediente, actor=caso.personas["inspector"], puntos=PUNTOS, motivo="faltan-documentos",
        texto="No se puede comprobar.", vence_en=timezone.localdate() + timedelta(days=dias),
    )  # fmt: skip
    return caso


def foto(nombre: str = "certificado.png") -> SimpleUploadedFile:
    salida = BytesIO()
    Image.new("RGB", (40, 30), "green").save(salida, "PNG")
    return SimpleUploadedFile(nombre, salida.getvalue())


def ocultos(respuesta: Any) -> dict[str, Any]:
    """The hidden fields of the page of confirmation, as a browser would send them."""
    assert respuesta.status_code == 200, texto(respuesta)
    campos: dict[str, Any] = dict(respuesta.context["ocultos"])
    return {**campos, "ficha": [ficha for ficha, _archivo in respuesta.context["fichas"]]}


def dos_pasos(client: Client, url: str, **datos: Any) -> Any:
    """The form, and then its confirmation."""
    return client.post(url, {**ocultos(client.post(url, datos)), "confirmado": "1"})


# ── Answering ─────────────────────────────────────────────────────────────────────────────────────


def test_observado_se_dice_primero_con_sus_puntos_y_su_plazo(client: Client) -> None:
    caso = observar(crear_caso("en_inspeccion"))
    pagina = client.get(abrir(client, caso.expediente))
    assert re.search(r"<h1>\s*(.*?)\s*</h1>", pagina.content.decode()).group(1) == (  # type: ignore[union-attr]
        "Su expediente fue observado: necesitamos su respuesta"
    )
    for dicho in ("El certificado no se lee", "Falta la declaración adicional", "quedan 5 días", "Lo tiene usted"):
        assert dicho in texto(pagina)
    assert 'class="aviso ambar"' in pagina.content.decode()
    assert reverse("seguimiento_responder", args=[caso.expediente.numero]) in pagina.content.decode()
    assert "Esta etapa debería terminar" not in texto(pagina)
    assert 'aria-current="step"' in pagina.content.decode()
    assert "Observado: esperamos su respuesta" in texto(pagina)


def test_responder_se_confirma_antes_de_enviar_nada(client: Client) -> None:
    caso = observar(crear_caso("en_inspeccion"))
    abrir(client, caso.expediente)
    url = reverse("seguimiento_responder", args=[caso.expediente.numero])
    assert "El certificado no se lee" in texto(client.get(url))
    eventos = Evento.objects.count()
    pagina = client.post(url, {"respuesta": "Aquí está.\nGracias.", "archivos": [foto(), foto("Hoja 2.png")]})
    assert "Todavía no se ha enviado nada" in texto(pagina)
    assert "El trámite vuelve a donde estaba" in texto(pagina)
    assert Evento.objects.count() == eventos
    assert client.post(url, {**ocultos(pagina), "confirmado": "1"})["Location"] == reverse(
        "seguimiento_caso", args=[caso.expediente.numero]
    )
    observacion = caso.expediente.observaciones.get()
    assert observacion.respuesta.split() == ["Aquí", "está.", "Gracias."]
    assert [a.nombre for a in observacion.adjuntos.all()] == ["certificado.png", "Hoja 2.png"]
    caso.expediente.refresh_from_db()
    assert caso.expediente.estado == Estado.EN_INSPECCION
    evento = caso.expediente.bitacora.get(accion="responder")
    assert (evento.origen, evento.actor) == (Evento.Origen.IMPORTADOR, None)
    seguimiento = client.get(reverse("seguimiento_caso", args=[caso.expediente.numero]))
    assert "Recibimos su respuesta" in texto(seguimiento)
    assert "Hoja 2.png" in texto(seguimiento)
    assert "Su carga está en inspección" in texto(seguimiento)
    # What was asked and what he said stay on his page.
    mas_tarde = texto(client.get(reverse("seguimiento_caso", args=[caso.expediente.numero])))
    assert "Lo que usted respondió" in mas_tarde
    assert "usted respondió: Aquí está. Gracias." in mas_tarde


def test_responder_deja_cambiar_y_guarda_los_archivos_elegidos(
    client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    caso = observar(crear_caso())
    abrir(client, caso.expediente)
    url = reverse("seguimiento_responder", args=[caso.expediente.numero])
    sin_texto = client.post(url, {"respuesta": "", "archivos": [foto("uno.png"), foto("dos.png")]})
    assert sin_texto.status_code == 422
    fichas = [ficha for ficha, _archivo in sin_texto.context["fichas"]]
    assert len(fichas) == 2
    pagina = client.post(url, {"respuesta": "Va", "ficha": fichas, "quitar": fichas[0]})
    assert "dos.png" in texto(pagina)
    assert "uno.png" not in texto(pagina)
    otra_vez = client.post(url, {**ocultos(pagina), "cambiar": "1"})
    assert "Va" in otra_vez.content.decode()
    assert "dos.png" in texto(otra_vez)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(url, {"respuesta": "Va ya", "ficha": fichas[1], "confirmado": "1"})
    assert [a.nombre for a in caso.expediente.adjuntos.all()] == ["dos.png"]
    assert len(storages["adjuntos"].listdir("respuestas")[1]) == 1  # the one that was left out; swept within a day


@pytest.mark.parametrize("contenido", [b"", b"MZ\x90", b"%PDF-1.7 no", b"<svg onload=alert(1)>"])
def test_responder_con_un_archivo_hostil_no_pierde_el_texto(client: Client, contenido: bytes) -> None:
    caso = observar(crear_caso())
    abrir(client, caso.expediente)
    url = reverse("seguimiento_responder", args=[caso.expediente.numero])
    respuesta = client.post(url, {"respuesta": "Texto que queda", "archivos": [SimpleUploadedFile("x.pdf", contenido)]})
    assert respuesta.status_code == 422
    assert "Texto que queda" in respuesta.content.decode()
    assert not caso.expediente.adjuntos.exists()


def test_responder_cuando_otro_ya_respondio_es_409_y_no_pierde_nada(client: Client) -> None:
    caso = observar(crear_caso("en_inspeccion"))
    abrir(client, caso.expediente)
    url = reverse("seguimiento_responder", args=[caso.expediente.numero])
    visto = client.get(url).context["form"]["visto"].value()
    pagina = client.post(url, {"respuesta": "La mía", "archivos": [foto("mia.png")], "visto": visto})
    incidencias.responder(expediente=caso.expediente, actor=caso.personas["mesa"], respuesta="En ventanilla")
    respuesta = client.post(url, {**ocultos(pagina), "confirmado": "1"})
    assert respuesta.status_code == 409
    dicho = texto(respuesta)
    for esperado in ("Observación respondida", "La mía", "mia.png", str(caso.expediente.puesto)):
        assert esperado in dicho
    assert "Mesa" not in dicho.replace("mesa", "")  # no name of the staff
    assert caso.expediente.observaciones.get().respuesta == "En ventanilla"
    # His file is not lost: he adds it with a POST of its own.
    agregar = reverse("seguimiento_agregar", args=[caso.expediente.numero])
    fichas = [ficha for ficha, _archivo in respuesta.context["fichas"]]
    assert dos_pasos(client, agregar, ficha=fichas).status_code == 302
    assert [a.nombre for a in caso.expediente.adjuntos.all()] == ["mia.png"]


@pytest.mark.django_db(transaction=True)
def test_responder_ocho_a_la_vez_gana_uno() -> None:
    caso = observar(crear_caso("en_inspeccion"))
    numero = caso.expediente.numero
    url = reverse("seguimiento_responder", args=[numero])

    def uno(n: int) -> int:
        try:
            navegador = Client()
            abrir(navegador, caso.expediente)
            return navegador.post(url, {"respuesta": f"Respuesta {n}", "confirmado": "1"}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as hilos:
        estados = sorted(hilos.map(uno, range(8)))
    assert estados == [302] + [409] * 7
    assert caso.expediente.bitacora.filter(accion="responder").count() == 1
    assert Notificacion.objects.filter(aviso="respondida").count() == 1


# ── Who may ───────────────────────────────────────────────────────────────────────────────────────

ACTOS = ("responder", "agregar", "anular", "desistir")


@pytest.mark.parametrize("que", ACTOS)
def test_sin_enlace_vigente_no_se_actua(client: Client, que: str) -> None:
    caso = observar(crear_caso())
    ajeno = crear_caso(importador=crear_importador(1)).expediente
    url = reverse(f"seguimiento_{que}", args=[caso.expediente.numero])
    datos = {"respuesta": "x", "motivo": "ya-no-importa", "texto": "x", "confirmado": "1"}
    assert client.post(url, datos).status_code == 404
    abrir(client, ajeno)
    client.cookies["seguimiento"]["path"] = "/"  # as a forger would send it
    assert client.post(url, datos).status_code == 404
    client.cookies.clear()
    abrir(client, caso.expediente)
    enlaces.revocar_de(referencia=caso.expediente.referencia, correo=caso.expediente.importador.correo)
    respuesta = client.post(url, datos)
    assert respuesta.status_code == 404
    assert "Este enlace ya no abre" in texto(respuesta)
    assert client.get(url).status_code == 404
    caso.expediente.refresh_from_db()
    assert caso.expediente.estado == Estado.OBSERVADO


@pytest.mark.parametrize("que", ACTOS)
def test_actuar_exige_csrf_y_post(que: str) -> None:
    caso = observar(crear_caso())
    navegador = Client(enforce_csrf_checks=True)
    abrir(navegador, caso.expediente)
    url = reverse(f"seguimiento_{que}", args=[caso.expediente.numero])
    assert navegador.post(url, {"confirmado": "1", "respuesta": "x"}).status_code == 403
    eventos = Evento.objects.count()
    for _n in range(10):
        navegador.get(url)
    galletas, navegador = navegador.cookies, Client()
    navegador.cookies = galletas
    assert navegador.put(url).status_code == 405
    assert Evento.objects.count() == eventos


def test_agente_sin_poder_mira_y_no_actua(client: Client) -> None:
    agente = AgenteAduana(
        tipo_documento="ruc", numero_documento="20999900021", nombre="Agencia", correo="a@aduana.example"
    )
    caso = observar(crear_caso(agente=agente, poder_hasta=timezone.localdate() + timedelta(days=1)))
    url = abrir(client, caso.expediente, "a@aduana.example")
    assert "Responder ahora" in texto(client.get(url))
    with reloj.fijado(reloj.ahora() + timedelta(days=2)):
        pagina = texto(client.get(url))
    assert "Responder ahora" not in pagina
    assert "Su poder como agente venció" in pagina
    Expediente.objects.update(poder_hasta=timezone.localdate() - timedelta(days=1))
    respuesta = client.post(reverse("seguimiento_responder", args=[caso.expediente.numero]), {"respuesta": "x"})
    assert respuesta.status_code == 409
    importador = Client()
    pagina = importador.get(abrir(importador, caso.expediente, caso.expediente.importador.correo))
    assert "Responder ahora" in texto(pagina)


def test_archivo_de_otro_enlace_no_se_toma(client: Client) -> None:
    mio, ajeno = observar(crear_caso()), observar(crear_caso(importador=crear_importador(1)))
    otro = Client()
    abrir(otro, ajeno.expediente)
    pagina = otro.post(
        reverse("seguimiento_responder", args=[ajeno.expediente.numero]), {"respuesta": "x", "archivos": [foto()]}
    )
    abrir(client, mio.expediente)
    client.post(
        reverse("seguimiento_responder", args=[mio.expediente.numero]),
        {**ocultos(pagina), "respuesta": "y", "confirmado": "1"},
    )
    assert mio.expediente.observaciones.get().respuesta == "y"
    assert not mio.expediente.adjuntos.exists()


# ── Adding, annulling, withdrawing ────────────────────────────────────────────────────────────────


def test_agregar_documentos_en_dos_pasos(client: Client) -> None:
    caso = crear_caso("en_laboratorio")
    abrir(client, caso.expediente)
    url = reverse("seguimiento_agregar", args=[caso.expediente.numero])
    assert "Elija al menos un archivo" in texto(client.post(url, {}))
    assert dos_pasos(client, url, archivos=[foto("poder.png")]).status_code == 302
    adjunto = caso.expediente.adjuntos.get()
    assert (adjunto.nombre, adjunto.subido_por) == ("poder.png", None)
    assert caso.expediente.bitacora.last().accion == "agregar_documentos"
    caso.expediente.refresh_from_db()
    assert caso.expediente.estado == Estado.EN_LABORATORIO


def test_anular_antes_de_la_muestra(client: Client) -> None:
    caso = crear_caso("en_inspeccion")
    url = abrir(client, caso.expediente)
    assert "Anular la solicitud" in texto(client.get(url))
    anular = reverse("seguimiento_anular", args=[caso.expediente.numero])
    formulario = client.get(anular)
    assert "Duplicado de otro" not in texto(formulario)  # he follows no other case
    assert client.post(anular, {"motivo": "duplicado", "texto": "x"}).status_code == 422
    assert client.post(anular, {"motivo": "carga-no-llego", "texto": ""}).status_code == 422
    assert dos_pasos(client, anular, motivo="carga-no-llego", texto="Se quedó en Callao, Chile").status_code == 302
    caso.expediente.refresh_from_db()
    assert caso.expediente.estado == Estado.ANULADO
    pagina = texto(client.get(url))
    assert "Su expediente fue anulado" in pagina
    assert "presente una nueva solicitud" in pagina
    assert "Anular la solicitud" not in pagina


def test_anular_despues_de_la_muestra_no_se_ofrece_y_es_409(client: Client) -> None:
    caso = crear_caso("muestreado")
    url = abrir(client, caso.expediente)
    pagina = texto(client.get(url))
    assert "Anular la solicitud" not in pagina
    assert "Desistir del trámite" in pagina
    anular = reverse("seguimiento_anular", args=[caso.expediente.numero])
    respuesta = client.post(anular, {"motivo": "carga-no-llego", "texto": "x", "confirmado": "1"})
    assert respuesta.status_code == 409
    assert "Ya se tomó una muestra" in texto(respuesta)


def test_anular_una_repetida_dice_cual_sigue(client: Client) -> None:
    caso, sigue = crear_caso(), crear_caso()
    ajeno = crear_caso(importador=crear_importador(1)).expediente
    url = abrir(client, caso.expediente)
    anular = reverse("seguimiento_anular", args=[caso.expediente.numero])
    assert ajeno.numero not in client.get(anular).content.decode()
    datos = {"motivo": "duplicado", "texto": "La presenté dos veces"}
    sin_decir = client.post(anular, {**datos, "superviviente": "", "confirmado": "1"})
    assert list(sin_decir.context["form"].errors) == ["superviviente"]
    assert client.post(anular, {**datos, "superviviente": ajeno.numero}).status_code == 422
    assert dos_pasos(client, anular, **datos, superviviente=sigue.expediente.numero).status_code == 302
    pagina = texto(client.get(url))
    assert "Este expediente era un duplicado" in pagina
    assert sigue.expediente.numero in pagina


def test_desistir_en_el_laboratorio(client: Client) -> None:
    caso = crear_caso("en_proceso")
    url = abrir(client, caso.expediente)
    desistir = reverse("seguimiento_desistir", args=[caso.expediente.numero])
    pagina = client.post(desistir, {"motivo": "reembarque-voluntario", "texto": "Vuelve a Chile"})
    assert "No se puede deshacer" in texto(pagina)
    assert "Reembarque voluntario" in texto(pagina)
    client.post(desistir, {**ocultos(pagina), "confirmado": "1"})
    caso.expediente.refresh_from_db()
    assert caso.expediente.estado == Estado.DESISTIDO
    dicho = texto(client.get(url))
    assert "El trámite terminó por desistimiento" in dicho
    assert "avise cuanto antes al Puesto" in dicho


@pytest.mark.parametrize("que", ACTOS)
def test_de_un_caso_cerrado_nada_se_hace(client: Client, certificado: Any, que: str) -> None:
    caso = crear_caso("cerrado")
    abrir(client, caso.expediente)
    url = reverse(f"seguimiento_{que}", args=[caso.expediente.numero])
    eventos = Evento.objects.count()
    datos = {"respuesta": "x", "motivo": "carga-no-llego", "texto": "x", "confirmado": "1"}
    assert client.get(url).status_code == client.post(url, datos).status_code == 409
    assert Evento.objects.count() == eventos


# ── What the page tells ───────────────────────────────────────────────────────────────────────────


def test_abandonado_en_palabras_llanas(client: Client) -> None:
    caso = observar(crear_caso("en_inspeccion"), dias=1)
    url = abrir(client, caso.expediente)
    with reloj.fijado(timezone.now() + timedelta(days=3)):
        assert "el plazo venció" in texto(client.get(url))
        incidencias.abandonar(
            expediente=caso.expediente,
            actor=caso.personas["jefe"],
            motivo=motivo_de("abandonar"),
            texto="No respondió.",
        )
    pagina = client.get(url)
    assert "Su expediente quedó en abandono" in texto(pagina)
    assert reverse("solicitar") in pagina.content.decode()
    etapas = re.findall(r'<li class="(\w+)"[^>]*>\s*<b>([^<]+)', pagina.content.decode())
    assert etapas == [("hecha", "Solicitud recibida"), ("hecha", "Inspección"), ("hecha", "En abandono")]
    assert "Responder ahora" not in texto(pagina)


def motivo_de(accion: str) -> str:
    from expedientes.models import Motivo

    return Motivo.objects.filter(accion=accion, activo=True).values_list("codigo", flat=True)[0]


def test_no_presentada_pide_otra_fecha(client: Client) -> None:
    caso = crear_caso("programado")
    partida = caso.expediente.partidas.get()
    services.no_presentada(partida=partida, actor=caso.personas["inspector"])
    pagina = texto(client.get(abrir(client, caso.expediente)))
    assert "Su carga no estaba para la inspección" in pagina
    assert "Acuerde con el puesto una nueva fecha" in pagina
    assert "Lo tiene usted" in pagina


@pytest.mark.parametrize(
    ("a_inspeccion", "dice"),
    [(False, "falta otra decisión"), (True, "su carga vuelve a inspección")],
)
def test_reabierto_se_cuenta_desde_donde_sigue(client: Client, certificado: Any, a_inspeccion: bool, dice: str) -> None:
    caso = crear_caso("cerrado")
    url = abrir(client, caso.expediente)
    incidencias.reabrir(
        expediente=caso.expediente, actor=caso.personas["jefe"], partidas=list(caso.expediente.partidas.all()),
        motivo=motivo_de("reabrir_inspeccion" if a_inspeccion else "reabrir"), texto="Se revisa.",
        a_inspeccion=a_inspeccion,
    )  # fmt: skip
    pagina = client.get(url)
    assert f"Su expediente se abrió de nuevo: {dice}" in texto(pagina)
    assert "El expediente está cerrado" not in texto(pagina)
    actual = re.search(r'class="actual"[^>]*>\s*<b>([^<]+)', pagina.content.decode()).group(1)  # type: ignore[union-attr]
    assert actual == ("Inspección y toma de muestra" if a_inspeccion else "Decisión")


def test_trasladado_dice_quien_lo_tiene_ahora(client: Client) -> None:
    caso = crear_caso()
    pca = Puesto.objects.get(codigo="PCA")
    jefe = caso.personas["jefe"]
    incidencias.trasladar(expediente=caso.expediente, actor=jefe, a_puesto=pca, texto="Llegó por aire.")
    incidencias.aceptar_traslado(expediente=caso.expediente, actor=jefe)
    pagina = texto(client.get(abrir(client, caso.expediente)))
    assert f"{pca} ( desde el" in pagina.replace("(desde", "( desde")
    assert "antes, PCM" in pagina
    assert f"Lo tiene {pca}" in pagina


def test_despues_de_responder_sigue_por_su_camino(client: Client) -> None:
    caso = observar(crear_caso("en_inspeccion"))
    url = abrir(client, caso.expediente)
    dos_pasos(client, reverse("seguimiento_responder", args=[caso.expediente.numero]), respuesta="Va")
    avanzar_hasta(caso, "en_laboratorio")
    assert "Su carga espera el resultado del laboratorio" in texto(client.get(url))


def test_varias_partidas_observadas_dicen_una_vez_que_hacer(client: Client) -> None:
    caso = observar(crear_caso("en_inspeccion", partidas=3))
    pagina = texto(client.get(abrir(client, caso.expediente)))
    assert pagina.count("Qué tiene que hacer usted") == pagina.count("Responder ahora") == 1


def test_seguimiento_observado_hace_las_mismas_consultas(client: Client, django_assert_max_num_queries: Any) -> None:
    for partidas in (1, 6):
        caso = observar(crear_caso("en_inspeccion", partidas=partidas))
        url = abrir(client, caso.expediente)
        with django_assert_max_num_queries(10):
            assert client.get(url).status_code == 200


def test_actos_en_ingles(client: Client) -> None:
    caso = observar(crear_caso())
    url = abrir(client, caso.expediente)
    client.post(reverse("set_language"), {"language": "en", "next": url})
    assert "we need your answer" in texto(client.get(url))
    assert "Answer the objection" in texto(client.get(reverse("seguimiento_responder", args=[caso.expediente.numero])))

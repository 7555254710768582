"""What the notices say: a closed vocabulary, versions that nobody edits, a switch for each stage, and no injection."""

import re
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from expedientes import acceso, textos, vista_previa
from expedientes.models import AgenteAduana, TextoDeAviso, VigenciaDeTexto
from expedientes.textos import DATOS, TEXTOS, Trato
from notificaciones import enlaces, preferencias
from notificaciones.models import Notificacion
from notificaciones.services import componer
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import avanzar_hasta, crear_caso, crear_importador, personas

pytestmark = pytest.mark.django_db

# What an importer may be called: tags, our own places, braces, line breaks, and a sign that turns what follows around.
HOSTIL = "Ñu {numero} %ENLACE% %CODIGO% <b>x</b> {{ 7*7 }}\r\nBcc: otro@empresa.example \u202egnp.exe"
LIMPIO = "Ñu {numero} ENLACE CODIGO <b>x</b> {{ 7*7 }} Bcc: otro@empresa.example gnp.exe"


def agente() -> AgenteAduana:
    return AgenteAduana.objects.create(
        tipo_documento="ruc", numero_documento="20999900039", nombre="Agencia Sur", correo="agencia@sur.example"
    )


def en_vigor(nombre: str, titulo: str, cuerpo: str, audiencia: str = "importador") -> TextoDeAviso:
    actor = personas()["direccion"]
    escrito = textos.escribir(
        texto=TEXTOS[nombre], audiencia=audiencia, actor=actor, titulo=titulo, cuerpo=cuerpo, causa="Se entendía mal."
    )
    textos.poner_en_vigor(
        texto=TEXTOS[nombre], audiencia=audiencia, version=escrito.version, actor=actor, causa="Revisado."
    )
    return escrito


def test_every_text_of_ours_obeys_the_rules_of_staff() -> None:
    for texto in TEXTOS.values():
        titulo, cuerpo = textos.de_fabrica(texto.nombre)
        assert textos.errores(texto, titulo, cuerpo) == {}, texto.nombre
        assert "Lo que tiene que hacer:" in cuerpo, texto.nombre  # every mail says what is expected of its reader
        assert "Lo que sigue:" in cuerpo or texto.trato != Trato.NOTICIA, texto.nombre
    assert set(DATOS) == {nombre for texto in TEXTOS.values() for nombre in texto.datos}


@pytest.mark.parametrize(
    ("titulo", "cuerpo", "campo", "dice"),
    [
        ("Llegó {dictamen}", "Bien.", "titulo", "«{dictamen}» no es un dato de este aviso"),
        ("Llegó", "Hola {{ numero }}", "cuerpo", "llave"),
        ("Llegó", "Hola {% include 'x' %}", "cuerpo", "llave"),
        ("Llegó", "Hola {numero.__class__}", "cuerpo", "llave"),
        ("Llegó\nBcc: x@y.example", "Hola", "titulo", "una sola línea"),
        ("Llegó\u2028Bcc: x@y.example", "Hola", "titulo", "una sola línea"),
        ("Llegó \u202egnp", "Hola", "titulo", "signos invisibles"),
        ("", "Hola", "titulo", "Escriba la noticia"),
        ("Llegó", "  ", "cuerpo", "al menos un párrafo"),
        ("Ll" * 61, "Hola", "titulo", "120 letras"),
        ("Llegó", "Entre a http://senasa.example", "cuerpo", "https://"),
        ("Llegó", "Entre a www.senasa.example", "cuerpo", "https://"),
        ("Llegó", "Entre a javascript:alert(1)", "cuerpo", "https://"),
        ("Llegó", "<a href=x>Entre</a>", "cuerpo", "etiquetas"),
        ("Llegó", "Entre a %ENLACE%", "cuerpo", "lo pone el sistema"),
    ],
)
def test_a_bad_text_is_refused_with_its_reason(titulo: str, cuerpo: str, campo: str, dice: str) -> None:
    hallados = textos.errores(TEXTOS["cerrado"], titulo, cuerpo)
    assert list(hallados) == [campo]
    assert dice in " ".join(hallados[campo])


def test_a_list_stands_alone_and_a_good_address_is_text() -> None:
    texto = TEXTOS["observada"]
    assert textos.errores(texto, "Falta {faltas}", "Falta: {faltas}") == {
        "titulo": ["«{faltas}» va solo, en un párrafo propio del mensaje."],
        "cuerpo": ["«{faltas}» va solo, en un párrafo propio del mensaje."],
    }
    assert textos.errores(texto, "Falta", "Falta:\r\n\r\n{faltas}\r\n\r\nVea https://www.gob.pe/senasa") == {}


def test_what_a_datum_holds_is_never_read_again(client: Client) -> None:
    """Braces, tags, our places, line breaks and reversed writing in an importer's name stay what they are: a name."""
    en_vigor("registrada", "Hola {importador}", "Somos {puesto}.\n\nLo suyo, {importador}, es {numero}.")
    caso = crear_caso(importador=crear_importador(nombre=HOSTIL)).expediente
    debida = Notificacion.objects.get(aviso="registrada")
    assert debida.asunto == f"{caso.numero}: Hola {LIMPIO}"
    assert f"Lo suyo, {LIMPIO}, es {caso.numero}." in " ".join(debida.texto.split())
    assert "<b>x" not in debida.html
    assert "&lt;b&gt;x" in debida.html
    correo = componer(debida)
    mensaje = correo.message().as_bytes()
    assert b"\nBcc:" not in mensaje
    html = str(correo.alternatives[0].content)
    assert correo.body.count(enlaces.token(debida.enlace)) == html.count(enlaces.token(debida.enlace)) == 1
    assert b"49" not in debida.asunto.encode()


def test_versions_rule_by_an_act_and_the_mail_remembers_which() -> None:
    gente, broker = personas(), agente()
    en_vigor("enviada", "En camino, {producto}", "Van.\n\nSu poder, {agente}.", "agente")
    caso = crear_caso("en_laboratorio", agente=broker)
    suyos = {n.correo: n for n in Notificacion.objects.filter(aviso="enviada")}
    del_agente, del_importador = suyos["agencia@sur.example"], suyos["importador0@empresa.example"]
    assert del_agente.asunto == f"{caso.expediente.numero}: En camino, Uva fresca"
    assert caso.expediente.importador.nombre in del_agente.texto.splitlines()[1]  # a broker looks for the importer
    assert (del_agente.version_del_texto, del_importador.version_del_texto) == (
        "enviada/agente/1",
        "enviada/importador/0",
    )
    assert del_importador.asunto.endswith("van camino al laboratorio")

    texto, quien = TEXTOS["enviada"], {"actor": gente["admin"], "causa": "Vuelve."}
    textos.poner_en_vigor(texto=texto, audiencia="agente", version=0, **quien)
    assert textos.vigente("enviada", "agente") is None
    with pytest.raises(EstadoImpide):
        textos.poner_en_vigor(texto=texto, audiencia="agente", version=0, **quien)
    textos.poner_en_vigor(texto=texto, audiencia="agente", version=1, **quien)
    assert [v.version_id and v.version.version for v in VigenciaDeTexto.objects.order_by("id")] == [1, None, 1]
    for mala in ({"actor": gente["inspector"]}, {"actor": gente["mesa"]}):
        with pytest.raises(RolImpide):
            textos.escribir(texto=texto, audiencia="agente", titulo="a", cuerpo="b", causa="c", **mala)
    with pytest.raises(DatoInvalido):
        textos.escribir(texto=texto, audiencia="agente", titulo="a", cuerpo="b", causa=" ", actor=gente["admin"])
    with pytest.raises(DatabaseError, match="no admite"), transaction.atomic():
        TextoDeAviso.objects.update(titulo="Otra cosa")
    with pytest.raises(DatabaseError, match="no admite"), transaction.atomic():
        VigenciaDeTexto.objects.all().delete()


def test_a_link_asked_for_says_what_staff_wrote_and_names_nothing_of_an_act() -> None:
    en_vigor("enlace_pedido", "Su enlace a {numero}", "{su_expediente}, {importador}.", "agente")
    en_vigor("enlace_de_todos", "Todo junto", "Vale {dias} días, no más.")
    caso = crear_caso(agente=agente()).expediente
    acceso.pedir(numero=caso.numero, documento="20999900039")
    acceso.pedir(correo=caso.importador.correo, todos=True)
    assert acceso.atender() == 2
    uno, todos = (Notificacion.objects.get(aviso=aviso) for aviso in ("enlace_pedido", "enlace_de_todos"))
    assert (uno.correo, uno.asunto) == ("agencia@sur.example", f"{caso.numero}: Su enlace a {caso.numero}")
    assert f"El expediente de {caso.importador.nombre}, {caso.importador.nombre}." in " ".join(uno.texto.split())
    assert uno.version_del_texto == "enlace_pedido/agente/1"
    assert (todos.correo, todos.asunto) == (caso.importador.correo, "Todo junto")
    assert "Vale 30 días, no más." in todos.texto
    assert todos.version_del_texto == "enlace_de_todos/importador/1"
    assert "Ver mis expedientes" in todos.html
    for debida in (uno, todos):  # and the foot of every mail leads to what its reader wants
        assert preferencias.token(debida.preferencia) in componer(debida).body
    for nombre, dato in (("enlace_pedido", "fecha"), ("enlace_pedido", "dias"), ("enlace_de_todos", "numero")):
        assert list(textos.errores(TEXTOS[nombre], "Su enlace", f"Es {{{dato}}}.")) == ["cuerpo"]


def test_off_is_owed_to_nobody_and_what_carries_a_right_cannot_be_off() -> None:
    direccion = personas()["direccion"]
    fijos = {texto.aviso for texto in TEXTOS.values() if texto.trato == Trato.FIJO}
    assert fijos >= {
        "registrada", "observada", "observacion_por_vencer", "informe_emitido", "informe_corregido", "informe_anulado",
        "informe_en_revision", "dictamen", "enlace_renovado", "correo_corregido", "agente_cambiado", "agente_retirado",
    }  # fmt: skip
    for aviso in fijos:
        with pytest.raises(EstadoImpide):
            textos.conmutar(aviso=aviso, encendido=False, actor=direccion, causa="No.")
    with pytest.raises(RolImpide):
        textos.conmutar(aviso="inspeccionada", encendido=False, actor=personas()["jefe"], causa="No.")
    textos.conmutar(aviso="inspeccionada", encendido=False, actor=direccion, causa="Confunde.")
    caso = crear_caso("en_inspeccion")
    textos.conmutar(aviso="inspeccionada", encendido=True, actor=direccion, causa="Hacía falta.")
    assert set(Notificacion.objects.values_list("aviso", flat=True)) == {"registrada", "programada"}
    avanzar_hasta(caso, "en_laboratorio")
    crear_caso("en_inspeccion")
    assert Notificacion.objects.filter(aviso="inspeccionada").count() == 1


def test_the_page_before_an_act_says_when_its_notice_is_off(client: Client) -> None:
    gente = personas()
    caso = crear_caso("programado")
    client.force_login(gente["inspector"])
    url = reverse("partida_inspeccionar", args=[caso.expediente.numero, 1])
    assert "Avisa por correo a" in client.get(url).content.decode()
    textos.conmutar(aviso="inspeccionada", encendido=False, actor=gente["direccion"], causa="Confunde.")
    pagina = client.get(url).content.decode()
    assert "Avisa por correo a" not in pagina
    assert "apagado" in pagina


def test_preview_on_a_real_case_owes_nothing_and_carries_no_key(client: Client, certificado: Any) -> None:
    caso = crear_caso(
        "con_riv",
        valor="positivo",
        importador=crear_importador(nombre="Ñu {numero} %ENLACE% {{ 7*7 }}"),
        agente=agente(),
    ).expediente
    client.force_login(personas()["direccion"])
    antes = Notificacion.objects.count()
    claves = [enlaces.token(n.enlace) for n in Notificacion.objects.exclude(enlace=None)]
    claves += [preferencias.token(n.preferencia) for n in Notificacion.objects.exclude(preferencia=None)]
    for texto in TEXTOS.values():
        for audiencia in texto.audiencias:
            muestra = vista_previa.elegir(texto, personas()["direccion"])
            assert muestra
            assert muestra.expediente == caso
            correo = vista_previa.componer(texto, audiencia, None, muestra)
            for parte in (correo.asunto, correo.texto, correo.html):
                assert not re.search(
                    r"\{(?!numero\}|\{ 7)[a-z_]+\}|None|%[A-Z]+%", re.sub(r"<style.*</style>", "", parte, flags=re.S)
                ), texto
                assert not [clave for clave in claves if clave in parte]
    vistos = {nombre: vista_previa.elegir(TEXTOS[nombre], personas()["direccion"]).vivido for nombre in
              ("dictamen_rechazo", "dictamen_ingreso", "informe_emitido", "observada")}  # fmt: skip
    assert vistos == {"dictamen_rechazo": True, "dictamen_ingreso": False, "informe_emitido": True, "observada": False}

    url = reverse("texto", args=["dictamen_rechazo", "agente"])
    assert client.get(url, {"caso": caso.numero}).status_code == 200
    for malo, estado in (("PCM-2026-999999", 404), ("' OR 1=1", 404), ("%00", 404)):
        assert client.get(url, {"caso": malo}).status_code == estado
    for version in ("7", "x", "99999"):
        assert client.get(url, {"version": version}).status_code == 404
    vista = client.get(reverse("texto_vista", args=["dictamen_rechazo", "agente"]), {"oscuro": ""})
    assert "sandbox" in vista["Content-Security-Policy"]
    assert "script-src 'none'" in vista["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in vista["Content-Security-Policy"]
    assert "unsafe-inline" not in client.get(url)["Content-Security-Policy"]
    assert vista["X-Frame-Options"] == "SAMEORIGIN"
    assert Notificacion.objects.count() == antes


def test_a_version_is_written_and_put_in_force_on_the_pages(client: Client) -> None:
    client.force_login(personas()["admin"])
    crear_caso()
    url = reverse("texto_nuevo", args=["cerrado", "importador"])
    malo = client.post(url, {"titulo": "Cerró {nada}", "cuerpo": "Adiós\r\n\r\nchau", "causa": "Más corto"})
    pagina = malo.content.decode()
    assert malo.status_code == 422
    assert "no es un dato de este aviso" in pagina
    assert "Cerró {nada}" in pagina  # nothing typed is lost
    bueno = client.post(url, {"titulo": "Cerró {numero}", "cuerpo": "Adiós\r\n\r\nchau", "causa": "Más corto"})
    assert bueno.status_code == 302
    assert textos.vigente("cerrado", "importador") is None
    poner = reverse("texto_poner", args=["cerrado", "importador", 1])
    assert client.get(poner).status_code == 200
    assert client.post(poner, {"causa": ""}).status_code == 422
    assert client.post(poner, {"causa": "Aprobado"}).status_code == 302
    assert client.post(poner, {"causa": "Otra vez"}).status_code == 409
    assert textos.vigente("cerrado", "importador").cuerpo == "Adiós\n\nchau"
    assert client.get(reverse("texto", args=["cerrado", "recibo"])).status_code == 404
    assert client.get(reverse("texto", args=["recibo", "agente"])).status_code == 404
    with CaptureQueriesContext(
        connection,
    ) as antes:
        lista = client.get(reverse("textos")).content.decode()
    assert "v1" in lista
    for nombre in ("observada", "enviada", "desistido"):
        en_vigor(nombre, "Otro", "Otro.", "agente" if nombre == "enviada" else "importador")
        if nombre != "observada":
            textos.conmutar(aviso=nombre, encendido=False, actor=personas()["admin"], causa="Prueba.")
    with CaptureQueriesContext(connection) as despues:
        client.get(reverse("textos"))
    assert len(despues) == len(antes)

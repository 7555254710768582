"""The pages of the acts: who may, when, and what comes back."""

import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from expedientes import services
from expedientes.models import Dictamen, Evento, Expediente, Medida
from notificaciones.models import Notificacion
from senasa.models import Usuario
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db


@pytest.fixture
def gente() -> Mapping[str, Usuario]:
    return personas()


def url_de(acto: str, expediente: Expediente, orden: int = 1) -> str:
    args: list[Any] = [expediente.numero] if acto.startswith("expediente") else [expediente.numero, orden]
    return reverse(acto, args=args)


def entrar(client: Client, usuario: str) -> None:
    """Sign in as a person does, with the password: deciding asks for a recent one."""
    datos = {"login": usuario, "password": "senasa-demo-2026"}
    assert client.post(reverse("account_login"), datos).status_code == 302


def hora(mas: timedelta) -> str:
    return timezone.localtime(timezone.now() + mas).strftime("%Y-%m-%dT%H:%M")


def datos_de(acto: str) -> dict[str, str]:
    conforme = dict.fromkeys(("documentaria", "identidad", "fisica"), "conforme")
    return {
        "partida_programar": {"cita_en": hora(timedelta(hours=3)), "terminal": "DP World, nave 4"},
        "partida_inspeccionar": conforme,
        "partida_dictaminar": {"decision": "ingreso", "fundamento": "Informe negativo."},
        "partida_dictaminar_sin_muestra": {"decision": "rechazo", "motivo": "?", "texto": "Sin certificado."},
        "partida_ordenar_medida": {"tipo": "reembarque", "vence_en": hora(timedelta(days=9))[:10]},
        "partida_cumplir_medida": {"acta": "ACTA-1"},
        "expediente_cerrar": {},
    }[acto]


# Act, where the case must stand, and what its steps need.
ACTOS: list[tuple[str, str, dict[str, Any]]] = [
    ("partida_programar", "registrado", {}),
    ("partida_inspeccionar", "registrado", {}),
    ("partida_dictaminar", "resultado_emitido", {}),
    ("partida_dictaminar_sin_muestra", "en_inspeccion", {}),
    ("partida_ordenar_medida", "con_riv", {"valor": "positivo"}),
    ("partida_cumplir_medida", "en_medida", {"valor": "positivo"}),
    ("expediente_cerrar", "con_riv", {}),
]


@pytest.mark.parametrize(("acto", "hasta", "opciones"), ACTOS, ids=[fila[0] for fila in ACTOS])
def test_acto_de_principio_a_fin(
    client: Client, gente: Any, certificado: Any, acto: str, hasta: str, opciones: dict[str, Any]
) -> None:
    expediente = crear_caso(hasta, **opciones).expediente
    url, caso = url_de(acto, expediente), reverse("expediente", args=[expediente.numero])
    for usuario, estado in (("mesa", 403), ("jefe", 403), ("atencion", 403), ("director", 403), ("analista", 404)):
        entrar(client, usuario)
        assert (client.get(url).status_code, client.post(url, datos_de(acto)).status_code) == (estado,) * 2, usuario
        client.logout()
    entrar(client, "inspector.aereo")
    assert client.get(url).status_code == 404
    assert client.post(url, datos_de(acto)).status_code == 404
    client.logout()
    assert client.get(url).status_code == 302

    entrar(client, "inspector")
    pagina = client.get(url)
    assert pagina.status_code == 200
    assert expediente.importador.correo in pagina.content.decode()
    assert client.put(url).status_code == 405
    datos = datos_de(acto)
    if "motivo" in datos:
        datos["motivo"] = pagina.context["form"].fields["motivo"].choices[1][0]
    eventos, avisos = Evento.objects.count(), Notificacion.objects.count()
    respuesta = client.post(url, datos, follow=True)
    assert respuesta.redirect_chain == [(caso, 302)]
    assert [str(mensaje) for mensaje in respuesta.context["messages"]][0].endswith(f"{expediente.importador.correo}.")
    assert Evento.objects.count() == eventos + 1
    assert Notificacion.objects.count() == avisos + 1
    if acto != "partida_programar":
        repetido = client.post(url, {**datos, "visto": expediente.eventos})
        assert repetido.status_code == 409
        assert "R. Inspectora" in repetido.content.decode()
        assert Evento.objects.count() == eventos + 1


def test_programar_conserva_lo_escrito_y_dice_el_error(client: Client, gente: Mapping[str, Usuario]) -> None:
    client.force_login(gente["inspector"])
    url = url_de("partida_programar", crear_caso().expediente)
    respuesta = client.post(url, {"cita_en": hora(-timedelta(hours=3)), "terminal": "Nave <4>"})
    assert respuesta.status_code == 422
    assert "aún no pasó" in respuesta.context["form"].errors["cita_en"][0]
    assert "Nave &lt;4&gt;" in respuesta.content.decode()


def test_inspeccionar_con_hora_de_lima(client: Client, gente: Mapping[str, Usuario]) -> None:
    client.force_login(gente["inspector"])
    expediente = crear_caso().expediente
    url, datos = url_de("partida_inspeccionar", expediente), datos_de("partida_inspeccionar")
    antier = hora(-timedelta(days=2))
    respuesta = client.post(url, {**datos, "ocurrio_en": antier})
    assert list(respuesta.context["form"].errors) == ["texto"]
    assert list(client.post(url, {**datos, "ocurrio_en": hora(timedelta(hours=1))}).context["form"].errors) == [
        "ocurrio_en"
    ]
    client.post(url, {**datos, "ocurrio_en": antier, "texto": "No había señal en el muelle."})
    evento = Evento.objects.get(accion="inspeccionar")
    assert timezone.localtime(evento.ocurrio_en).strftime("%Y-%m-%dT%H:%M") == antier


def test_inspeccionar_no_conforme_pide_texto(client: Client, gente: Mapping[str, Usuario]) -> None:
    client.force_login(gente["inspector"])
    datos = {**datos_de("partida_inspeccionar"), "fisica": "no_conforme"}
    respuesta = client.post(url_de("partida_inspeccionar", crear_caso().expediente), datos)
    assert list(respuesta.context["form"].errors) == ["texto"]


def test_dictaminar_pide_la_clave_otra_vez_sin_perder_lo_escrito(
    client: Client, gente: Mapping[str, Usuario], certificado: Any
) -> None:
    client.force_login(gente["inspector"])  # a session without a recent password
    url = url_de("partida_dictaminar", crear_caso("resultado_emitido").expediente)
    assert client.get(url)["Location"].startswith(reverse("account_reauthenticate"))
    respuesta = client.post(url, datos_de("partida_dictaminar"))
    assert respuesta["Location"].startswith(reverse("account_reauthenticate"))
    pagina = client.post(respuesta["Location"], {"password": "senasa-demo-2026"}, follow=True)
    assert not Dictamen.objects.exists()
    assert pagina.context["form"]["fundamento"].value() == "Informe negativo."
    client.post(url, pagina.context["form"].data)
    assert Dictamen.objects.get().fundamento == "Informe negativo."


def test_dictaminar_ingreso_sobre_un_positivo(client: Client, gente: Any, certificado: Any) -> None:
    entrar(client, "inspector")
    expediente = crear_caso("resultado_emitido", valor="positivo").expediente
    url = url_de("partida_dictaminar", expediente)
    assert "No cabe ingreso" in client.get(url).content.decode()
    assert list(client.post(url, datos_de("partida_dictaminar")).context["form"].errors) == ["decision"]
    assert not Dictamen.objects.exists()


def test_cerrar_dice_que_falta(client: Client, gente: Mapping[str, Usuario], certificado: Any) -> None:
    client.force_login(gente["inspector"])
    url = url_de("expediente_cerrar", crear_caso("dictaminado").expediente)
    assert "firmar el RIV" in client.get(url).content.decode()
    assert client.post(url).status_code == 409


def imagen(formato: str) -> bytes:
    salida = io.BytesIO()
    Image.new("RGB", (4, 4)).save(salida, formato)
    return salida.getvalue()


def test_cumplir_medida_guarda_la_evidencia_y_solo_la_baja_quien_ve_el_caso(
    client: Client, gente: Mapping[str, Usuario], certificado: Any
) -> None:
    client.force_login(gente["inspector"])
    expediente = crear_caso("en_medida", valor="positivo").expediente
    foto = SimpleUploadedFile("../../etc/foto.png", imagen("PNG"), content_type="text/html")
    client.post(url_de("partida_cumplir_medida", expediente), {"acta": "A-1", "evidencia": foto})
    adjunto = Medida.objects.get().evidencia
    assert adjunto
    assert (adjunto.nombre, adjunto.tipo) == ("foto.png", "image/png")
    url = reverse("adjunto", args=[expediente.numero, adjunto.pk])
    bajada = client.get(url)
    assert bajada["Content-Disposition"] == 'attachment; filename="foto.png"'
    assert bajada["X-Content-Type-Options"] == "nosniff"
    assert client.post(url).status_code == 405
    for usuario in ("inspector.aereo", "analista"):
        client.force_login(gente[usuario])
        assert client.get(url).status_code == 404


def test_documento_lo_baja_quien_ve_el_caso(client: Client, gente: Mapping[str, Usuario], certificado: Any) -> None:
    documento = crear_caso("resultado_emitido").expediente.documentos.get()
    url = reverse("documento", args=[documento.cvd])
    for usuario, estado in (("inspector", 200), ("jefe", 200), ("atencion", 200), ("inspector.aereo", 404)):
        client.force_login(gente[usuario])
        assert client.get(url).status_code == estado, usuario
    assert client.post(url).status_code == 405
    client.logout()
    assert client.get(url).status_code == 302


def test_ordenar_medida_ofrece_solo_las_que_caben(client: Client, gente: Any, certificado: Any) -> None:
    client.force_login(gente["inspector"])
    expediente = crear_caso("con_riv", valor="positivo").expediente
    pagina = client.get(url_de("partida_ordenar_medida", expediente))
    assert {valor for valor, _texto in pagina.context["form"].fields["tipo"].choices} == {
        str(tipo) for tipo in services.MEDIDAS_DE[Dictamen.Decision.RECHAZO]
    }


@pytest.mark.parametrize(
    ("acto", "dice"),
    [("partida_programar", "si la acordó hace más de 24 horas"),
     ("partida_inspeccionar", "si algo no fue conforme, diciendo qué, o si ocurrió hace más de 24 horas")],
)  # fmt: skip
def test_la_nota_dice_de_antemano_cuando_hace_falta(
    acto: str, dice: str, client: Client, gente: Mapping[str, Usuario]
) -> None:
    """Not «(opcional)» beside «obligatoria», nor an objection that nothing foretold."""
    caso = crear_caso("registrado", hace=timedelta(days=3))
    entrar(client, "inspector")
    pagina = client.get(url_de(acto, caso.expediente)).content.decode()
    assert f'Nota para la bitácora <span class="opcional">(hace falta {dice})</span>' in pagina
    tarde = client.post(url_de(acto, caso.expediente), datos_de(acto) | {"ocurrio_en": hora(-timedelta(hours=30))})
    assert tarde.context["form"].errors == {"texto": ["Pasó hace más de 24 horas: escriba por qué se registra tarde."]}


def test_programar_no_confunde_la_cita_con_cuando_se_acordo(client: Client, gente: Mapping[str, Usuario]) -> None:
    entrar(client, "inspector")
    form = client.get(url_de("partida_programar", crear_caso("registrado").expediente)).context["form"]
    assert [str(form[campo].label) for campo in ("cita_en", "ocurrio_en")] == [
        "Para cuándo es la inspección", "¿Cuándo se acordó esa cita?"
    ]  # fmt: skip
    assert "No es la hora de la inspección" in str(form["ocurrio_en"].help_text)

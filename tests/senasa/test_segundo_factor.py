"""The second factor: required by a setting, asked at the door and before deciding, and replaced when it is lost."""

import base64
import hmac
import re
import struct
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from expedientes.models import Dictamen
from laboratorio.demo import CLAVE
from senasa import llave
from senasa.models import Usuario
from senasa.sesiones import PARA_PONERLO
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def gente() -> dict[str, Usuario]:
    return dict(personas())


@pytest.fixture
def obligatorio(settings: Any) -> None:
    settings.SEGUNDO_FACTOR = True


def codigo(secreto: str) -> str:
    """What the app on the phone shows (RFC 6238), told independently of the library that checks it."""
    resumen = hmac.digest(base64.b32decode(secreto), struct.pack(">Q", int(time.time()) // 30), "sha1")
    (valor,) = struct.unpack(">I", resumen[resumen[-1] & 15 :][:4])
    return f"{(valor & 0x7FFFFFFF) % 1_000_000:06}"


def entrar(cliente: Client, quien: str) -> Any:
    return cliente.post(reverse("account_login"), {"login": quien, "password": CLAVE})


def activar(cliente: Client) -> tuple[str, list[str]]:
    """Set up the app of codes as a person does; its secret and the recovery codes, shown once."""
    url = reverse("mfa_activate_totp")
    secreto = cliente.get(url).context["form"].secret
    respuesta = cliente.post(url, {"code": codigo(secreto)})
    assert respuesta.url == reverse("mfa_view_recovery_codes")
    return secreto, re.findall(r"<li>([\d ]+)</li>", cliente.get(respuesta.url).content.decode())


def dentro(cliente: Client) -> bool:
    return not cliente.get(reverse("inicio")).url.startswith(reverse("account_login"))


# ── Required by a setting ─────────────────────────────────────────────────────────────────────────


def test_not_required_in_the_demonstration(client: Client) -> None:
    entrar(client, "inspector")
    assert client.get(reverse("tablero")).status_code == 200


def test_required_nothing_else_opens_until_there_is_one(
    obligatorio: None, client: Client, gente: dict[str, Usuario]
) -> None:
    caso = crear_caso().expediente
    entrar(client, "inspector")
    poner = reverse("mfa_index")
    paginas = [
        reverse("inicio"),
        reverse("tablero"),
        reverse("buscar"),
        reverse("expediente", args=[caso.numero]),
        reverse("mfa_list_webauthn"),
    ]
    for url in paginas:
        for respuesta in (client.get(url), client.post(url), client.head(url)):
            assert (respuesta.status_code, respuesta["Location"]) == (302, poner), url
    programar = reverse("partida_programar", args=[caso.numero, 1])
    datos = {"cita_en": "2099-01-01T10:00", "terminal": "Nave 4"}
    assert client.post(programar, datos).url == poner
    assert caso.bitacora.filter(accion="programar").count() == 0
    pieza = client.get(reverse("tablero"), headers={"HX-Request": "true"})
    assert (pieza.content, pieza["HX-Redirect"]) == (b"", poner)

    administrador = Client()
    entrar(administrador, "admin")
    for url in ("/admin/", "/admin/senasa/usuario/", "/admin/senasa/usuario/add/"):
        assert administrador.get(url).url == poner
        assert administrador.post(url).url == poner

    pagina = client.get(poner).content.decode()
    assert "todavía no tiene segundo factor" in pagina
    assert reverse("tablero") not in pagina  # no menu that leads nowhere


def test_required_opens_what_sets_one_up_and_the_way_out(obligatorio: None, client: Client) -> None:
    entrar(client, "inspector")
    for nombre in sorted(PARA_PONERLO):
        respuesta = client.get(reverse(nombre))
        assert respuesta.status_code == 200, nombre
    secreto, codigos = activar(client)
    assert len(codigos) == 10
    assert client.get(reverse("tablero")).status_code == 200
    assert "no se pueden ver otra vez" in client.get(reverse("mfa_view_recovery_codes")).content.decode()
    assert client.get(reverse("mfa_download_recovery_codes")).status_code == 403
    client.post(reverse("account_logout"))
    assert not dentro(client)


def test_public_pages_stay_public(obligatorio: None, client: Client) -> None:
    entrar(client, "inspector")
    assert client.get(reverse("verificar")).status_code == 200
    assert client.get(reverse("livez")).status_code == 200


def test_what_was_typed_when_it_became_required_comes_back(client: Client, settings: Any) -> None:
    caso = crear_caso().expediente
    entrar(client, "inspector")
    settings.SEGUNDO_FACTOR = True
    url = reverse("partida_programar", args=[caso.numero, 1])
    client.post(url, {"cita_en": "2099-01-01T10:00", "terminal": "Nave 4 bis"})
    activar(client)
    assert "Nave 4 bis" in client.get(url).content.decode()


def test_the_secret_is_not_readable_in_the_database(client: Client) -> None:
    entrar(client, "inspector")
    secreto, codigos = activar(client)
    guardado = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secreto not in guardado
    assert "seed" in guardado


def test_changing_the_secret_key_loses_no_factor_while_the_old_one_is_named(client: Client, settings: Any) -> None:
    entrar(client, "inspector")
    secreto, _codigos = activar(client)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "otra-clave" * 6, [settings.SECRET_KEY]
    guardado = Authenticator.objects.get(type="totp").data["secret"]
    assert llave.descifrar(guardado, para="segundo factor") == secreto
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(llave.InvalidToken):
        llave.descifrar(guardado, para="segundo factor")


def test_qr_and_pages_need_no_inline_script_nor_style(client: Client) -> None:
    entrar(client, "inspector")
    url = reverse("mfa_activate_totp")
    respuesta = client.get(url)
    texto = respuesta.content.decode()
    assert 'src="data:image/svg+xml;base64,' in texto
    assert "img-src 'self' data:" in respuesta["Content-Security-Policy"]
    de_llave = client.get(reverse("mfa_add_webauthn")).content.decode()
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))", texto + de_llave) == []


# ── At the door ───────────────────────────────────────────────────────────────────────────────────


def test_sign_in_asks_for_the_code(client: Client) -> None:
    entrar(client, "inspector")
    secreto, codigos = activar(client)
    client.post(reverse("account_logout"))
    respuesta = entrar(client, "inspector")
    assert respuesta.url == reverse("mfa_authenticate")
    assert not dentro(client)
    assert client.post(respuesta.url, {"code": "000000"}).status_code == 200
    assert not dentro(client)
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):  # a code that was not used yet
        assert client.post(respuesta.url, {"code": codigo(secreto)}).status_code == 302
        assert dentro(client)


def test_recovery_code_opens_once(client: Client) -> None:
    entrar(client, "inspector")
    _secreto, codigos = activar(client)
    for estado in (302, 200):
        client.post(reverse("account_logout"))
        entrar(client, "inspector")
        assert client.post(reverse("mfa_authenticate"), {"code": codigos[0]}).status_code == estado
    assert not dentro(client)


# ── Before deciding ───────────────────────────────────────────────────────────────────────────────


def test_deciding_asks_for_the_second_factor_and_not_for_the_password(client: Client, certificado: Any) -> None:
    url = reverse("partida_dictaminar", args=[crear_caso("resultado_emitido").expediente.numero, 1])
    datos = {"decision": "ingreso", "fundamento": "Informe negativo."}
    with time_machine.travel(timezone.now(), tick=False) as reloj:
        entrar(client, "inspector")
        secreto, _codigos = activar(client)
        reloj.shift(timedelta(minutes=16))
        respuesta = client.post(url, datos)
        assert respuesta.url.startswith(reverse("mfa_reauthenticate"))
        # The password's page sends on to the code's, and a password there proves nothing.
        clave = reverse("account_reauthenticate")
        assert client.post(f"{clave}?next={url}", {"password": CLAVE}).url.startswith(reverse("mfa_reauthenticate"))
        assert client.get(url).url.startswith(reverse("mfa_reauthenticate"))
        client.post(url, datos)
        pagina = client.post(respuesta.url, {"code": codigo(secreto)}, follow=True)
        assert "Informe negativo." in pagina.content.decode()
        assert not Dictamen.objects.exists()
        client.post(url, datos)
    assert Dictamen.objects.count() == 1


def test_a_recent_password_is_no_proof_for_whoever_has_a_second_factor(client: Client, certificado: Any) -> None:
    url = reverse("partida_dictaminar", args=[crear_caso("resultado_emitido").expediente.numero, 1])
    entrar(client, "inspector")
    activar(client)
    assert client.get(url).status_code == 200  # setting it up was a proof
    sesion = client.session
    registros = sesion["account_authentication_methods"]
    sesion["account_authentication_methods"] = [registro for registro in registros if registro["method"] == "password"]
    sesion.save()
    assert client.get(url).url.startswith(reverse("mfa_reauthenticate"))


# ── Changing and losing it ────────────────────────────────────────────────────────────────────────


def test_the_last_one_is_not_taken_away_while_required(obligatorio: None, client: Client) -> None:
    entrar(client, "inspector")
    activar(client)
    quitar = reverse("mfa_deactivate_totp")
    for respuesta in (client.get(quitar), client.post(quitar)):
        assert "Es su único segundo factor y aquí es obligatorio" in respuesta.content.decode()
    assert Authenticator.objects.filter(type="totp").exists()


def test_the_last_key_is_not_taken_away_while_required(obligatorio: None, client: Client, gente: Any) -> None:
    suya = Authenticator.objects.create(user=gente["inspector"], type="webauthn", data={"name": "Azul"})
    client.force_login(Usuario.objects.get(username="inspector"))
    quitar = reverse("mfa_remove_webauthn", args=[suya.pk])
    assert client.post(quitar).url == reverse("mfa_list_webauthn")
    assert Authenticator.objects.filter(pk=suya.pk).exists()
    ajena = Authenticator.objects.create(user=gente["mesa"], type="webauthn", data={"name": "Roja"})
    assert client.post(reverse("mfa_remove_webauthn", args=[ajena.pk])).status_code == 404


def test_where_it_is_not_required_it_can_be_taken_away(client: Client) -> None:
    entrar(client, "inspector")
    activar(client)
    assert client.post(reverse("mfa_deactivate_totp")).status_code == 302
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize(
    "cambio",
    [
        lambda cliente: cliente.post(reverse("mfa_deactivate_totp")),
        lambda cliente: cliente.post(reverse("mfa_generate_recovery_codes")),
    ],
    ids=["quitar", "codigos"],
)
def test_changing_a_factor_ends_the_other_sessions(client: Client, cambio: Callable[[Client], Any]) -> None:
    entrar(client, "inspector")
    secreto, codigos = activar(client)
    otra = Client()
    entrar(otra, "inspector")
    otra.post(reverse("mfa_authenticate"), {"code": codigos[0]})
    assert dentro(otra)
    assert cambio(client).status_code == 302
    assert dentro(client)
    assert not dentro(otra)


def test_setting_one_up_ends_the_other_sessions(client: Client) -> None:
    otra = Client()
    entrar(otra, "inspector")
    entrar(client, "inspector")
    activar(client)
    assert dentro(client)
    assert not dentro(otra)


def ficha(cliente: Client, usuario: Usuario) -> tuple[str, dict[str, Any]]:
    """The administration's page of a user, and what its form holds."""
    url = reverse("admin:senasa_usuario_change", args=[usuario.pk])
    campos = cliente.get(url).context["adminform"].form
    datos = {nombre: valor for nombre, valor in campos.initial.items() if isinstance(valor, str | list) and valor}
    datos |= {"is_active": "on", "puestos": [p.pk for p in usuario.puestos.all()], "disciplinas": []}
    datos.pop("password", None)
    return url, datos


def test_administrator_takes_away_a_lost_factor_with_a_cause(obligatorio: None, gente: dict[str, Usuario]) -> None:
    perdido, administrador = Client(), Client()
    entrar(perdido, "inspector")
    activar(perdido)
    entrar(administrador, "admin")
    activar(administrador)
    url, datos = ficha(administrador, gente["inspector"])
    assert "TOTP" in administrador.get(url).content.decode()

    sin_causa = administrador.post(url, {**datos, "quitar_segundo_factor": "on"})
    assert sin_causa.context["errors"] == [["Escriba la causa."]]
    assert dentro(perdido)

    causa = "Perdió el teléfono; verificado en persona por J. Jefa"
    hecho = administrador.post(url, {**datos, "quitar_segundo_factor": "on", "causa": causa})
    assert hecho.status_code == 302
    assert not Authenticator.objects.filter(user=gente["inspector"]).exists()
    assert not dentro(perdido)
    assert dentro(administrador)
    entrada = LogEntry.objects.get(object_id=str(gente["inspector"].pk), change_message__contains=causa)
    assert entrada.user == gente["admin"]
    historial = administrador.get(reverse("admin:senasa_usuario_history", args=[gente["inspector"].pk]))
    assert causa in historial.content.decode()

    entrar(perdido, "inspector")
    assert perdido.get(reverse("tablero")).url == reverse("mfa_index")


def test_whoever_holds_the_server_takes_away_the_administrators_factor(client: Client, gente: Any) -> None:
    entrar(client, "admin")
    activar(client)
    call_command("quitar_segundo_factor", "admin", causa="Se perdió la llave")
    assert not Authenticator.objects.exists()
    assert not dentro(client)
    entrada = LogEntry.objects.get()
    assert (entrada.user, entrada.object_id) == (gente["admin"], str(gente["admin"].pk))
    assert "Se perdió la llave (desde el servidor)" in entrada.change_message
    with pytest.raises(CommandError):
        call_command("quitar_segundo_factor", "nadie", causa="x")


def test_nobody_reads_secrets_in_the_administration(gente: dict[str, Usuario]) -> None:
    cliente = Client()
    cliente.force_login(gente["admin"])
    for ruta in ("mfa/authenticator", "socialaccount/socialapp", "socialaccount/socialaccount", "account/emailaddress"):
        assert cliente.get(f"/admin/{ruta}/").status_code == 404, ruta


def test_people_do_not_change_their_own_address(client: Client) -> None:
    entrar(client, "inspector")
    for ruta in ("email/", "3rdparty/", "3rdparty/signup/", "password/set/"):
        assert client.get(f"/accounts/{ruta}").status_code == 404, ruta

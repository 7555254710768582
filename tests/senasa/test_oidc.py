"""Sign-in by OpenID Connect, against a real provider in this process: code flow, PKCE, signed tokens."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core import mail
from django.test import Client
from django.urls import reverse

from expedientes.models import Dictamen
from laboratorio.demo import CLAVE
from senasa import oidc
from senasa.models import Usuario
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db
CLIENTE, SECRETO = "senasa-expedientes", "secreto-del-cliente"


class Proveedor(ThreadingHTTPServer):
    """A small OpenID provider. `persona`: what it says of whoever comes. `firma`: the key it signs with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Atiende)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.llave = self.firma = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.persona: dict[str, Any] = {}
        self.userinfo: dict[str, Any] | None = None  # the same as the token's unless told
        self.emisor = self.url
        self.audiencia = CLIENTE
        self.codigos: dict[str, dict[str, str]] = {}
        self.pedidos: list[dict[str, str]] = []
        self.caido = False

    def token(self) -> str:
        ahora = int(time.time())
        datos = {
            "iss": self.emisor,
            "aud": self.audiencia,
            "iat": ahora,
            "exp": ahora + 60,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(datos | self.persona, self.firma, "RS256", headers={"kid": "k1"})


class Atiende(BaseHTTPRequestHandler):
    server: Proveedor

    def log_message(self, *_args: Any) -> None: ...

    def responder(self, datos: Any, estado: int = 200) -> None:
        self.send_response(estado)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(datos).encode())

    def do_GET(self) -> None:
        url = self.server.url
        partes = urlsplit(self.path)
        pedido = {campo: valores[0] for campo, valores in parse_qs(partes.query).items()}
        if self.server.caido:
            self.responder({}, 503)
        elif partes.path == "/.well-known/openid-configuration":
            self.responder(
                {
                    "issuer": url,
                    "authorization_endpoint": f"{url}/authorize",
                    "token_endpoint": f"{url}/token",
                    "userinfo_endpoint": f"{url}/userinfo",
                    "jwks_uri": f"{url}/jwks",
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                }
            )
        elif partes.path == "/jwks":
            publica = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.server.llave.public_key()))
            self.responder({"keys": [publica | {"kid": "k1", "alg": "RS256", "use": "sig"}]})
        elif partes.path == "/authorize":
            assert pedido["response_type"] == "code"
            assert pedido["client_id"] == CLIENTE
            self.server.pedidos.append(pedido)
            codigo = secrets.token_urlsafe(16)
            self.server.codigos[codigo] = pedido
            vuelta = urlencode({"code": codigo, "state": pedido["state"]})
            self.send_response(302)
            self.send_header("Location", f"{pedido['redirect_uri']}?{vuelta}")
            self.end_headers()
        elif partes.path == "/userinfo":
            assert self.headers["Authorization"] == "Bearer acceso"
            self.responder(self.server.persona if self.server.userinfo is None else self.server.userinfo)

    def do_POST(self) -> None:
        cuerpo = self.rfile.read(int(self.headers["Content-Length"])).decode()
        datos = {campo: valores[0] for campo, valores in parse_qs(cuerpo).items()}
        pedido = self.server.codigos.pop(datos["code"], {})
        desafio = hashlib.sha256(datos["code_verifier"].encode()).digest()
        bien = (
            (datos["client_id"], datos["client_secret"]) == (CLIENTE, SECRETO)
            and datos["redirect_uri"] == pedido.get("redirect_uri")
            and base64.urlsafe_b64encode(desafio).decode().rstrip("=") == pedido.get("code_challenge")
        )
        if bien:
            self.responder({"access_token": "acceso", "token_type": "Bearer", "id_token": self.server.token()})
        else:
            self.responder({"error": "invalid_grant"}, 400)


@pytest.fixture
def proveedor(settings: Any) -> Iterator[Proveedor]:
    personas()
    servidor = Proveedor()
    hilo = threading.Thread(target=servidor.serve_forever, args=(0.05,))
    hilo.start()
    settings.OIDC_ROLES = {"senasa-insp": ["inspector"], "senasa-jefes": ["jefe_de_puesto", "inspector"]}
    settings.OIDC_PUESTOS = {"callao-mar": ["PCM"]}
    settings.OIDC_DISCIPLINAS = {}
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": "institucion",
                    "name": "Identidad SENASA",
                    "client_id": CLIENTE,
                    "secret": SECRETO,
                    "settings": {"server_url": servidor.url},
                }
            ],
        }
    }
    servidor.persona = {
        "sub": "u-1",
        "email": "Nueva.Inspectora@senasa.example",
        "email_verified": True,
        "preferred_username": "ninspectora",
        "given_name": "Nieves",
        "family_name": "Inspectora",
        "groups": ["todos", "senasa-insp", "callao-mar"],
    }
    yield servidor
    servidor.shutdown()
    hilo.join()
    servidor.server_close()


def entrar(cliente: Client, siguiente: str = "", **parametros: str) -> Any:
    """Press the button, go to the provider, come back."""
    consulta = {"process": "login", **({"next": siguiente} if siguiente else {}), **parametros}
    ida = cliente.post(reverse("openid_connect_login", args=["institucion"]) + "?" + urlencode(consulta))
    assert ida.status_code == 302, ida.content
    vuelta = requests.get(ida.url, allow_redirects=False, timeout=5).headers["Location"]
    return cliente.get(vuelta.removeprefix("http://testserver"))


def dentro(cliente: Client) -> bool:
    return not cliente.get(reverse("inicio")).url.startswith(reverse("account_login"))


def nueva() -> Usuario:
    return Usuario.objects.get(email="nueva.inspectora@senasa.example")


def test_without_it_there_is_no_trace(client: Client) -> None:
    pagina = client.get(reverse("account_login")).content.decode()
    assert "Ingresar con" not in pagina
    assert "oidc" not in pagina
    url = reverse("openid_connect_login", args=["institucion"])
    assert (client.get(url).status_code, client.post(url).status_code) == (404, 404)
    assert client.get(reverse("openid_connect_callback", args=["institucion"])).status_code == 404


def test_first_sign_in_creates_the_user_with_the_roles_of_his_groups(client: Client, proveedor: Proveedor) -> None:
    pagina = client.get(f"{reverse('account_login')}?next=/buscar/").content.decode()
    assert "Ingresar con Identidad SENASA" in pagina
    assert entrar(client, "/buscar/").url == "/buscar/"
    usuario = nueva()
    assert (usuario.username, usuario.first_name, usuario.last_name) == ("ninspectora", "Nieves", "Inspectora")
    assert (usuario.roles, usuario.is_staff, usuario.has_usable_password()) == (["inspector"], False, False)
    assert [puesto.codigo for puesto in usuario.puestos.all()] == ["PCM"]
    assert client.get(reverse("tablero")).status_code == 200
    assert client.get(reverse("firmas")).status_code == 403
    assert set(proveedor.pedidos[0]["scope"].split()) == {"openid", "profile", "email"}


def test_roles_are_brought_anew_at_each_sign_in(client: Client, proveedor: Proveedor) -> None:
    entrar(client)
    proveedor.persona["groups"] = ["senasa-jefes"]
    entrar(Client())
    usuario = nueva()
    assert usuario.roles == ["inspector", "jefe_de_puesto"]
    assert not usuario.puestos.exists()
    assert SocialAccount.objects.count() == 1


def test_the_group_of_administrators_opens_the_administration_and_closes_it(
    client: Client, proveedor: Proveedor, settings: Any
) -> None:
    settings.OIDC_ROLES["ti"] = ["administrador"]
    proveedor.persona["groups"] = ["ti"]
    entrar(client)
    assert client.get("/admin/").status_code == 200
    proveedor.persona["groups"] = ["senasa-insp"]
    entrar(client)
    assert client.get("/admin/").status_code in (302, 403)
    assert not nueva().is_superuser


def test_the_user_with_the_same_verified_address_is_taken_over(client: Client, proveedor: Proveedor) -> None:
    antes = personas()["inspector"]
    conocida = Client()
    conocida.post(reverse("account_login"), {"login": "inspector", "password": CLAVE})
    proveedor.persona["email"] = antes.email.upper()
    entrar(client)
    assert client.get(reverse("inicio")).wsgi_request.user == antes
    assert not dentro(conocida)  # one door from now on
    assert Client().post(reverse("account_login"), {"login": "inspector", "password": CLAVE}).status_code == 200


def test_whoever_came_by_the_provider_gets_no_password_by_mail(client: Client, proveedor: Proveedor) -> None:
    entrar(client)
    Client().post(reverse("account_reset_password"), {"email": nueva().email})
    assert mail.outbox == []
    datos = {"password1": "una-clave-larga-26", "password2": "una-clave-larga-26"}
    for respuesta in (client.get(reverse("account_change_password")), client.post("/accounts/password/change/", datos)):
        assert respuesta.url == reverse("mfa_index")
    assert not nueva().has_usable_password()


@pytest.mark.parametrize("verificado", [False, None, "false"])
def test_an_address_that_is_not_verified_is_refused(client: Client, proveedor: Proveedor, verificado: Any) -> None:
    proveedor.persona |= {"email": personas()["admin"].email, "email_verified": verificado}
    respuesta = entrar(client)
    assert respuesta.status_code == 403
    assert "no confirma su correo electrónico" in respuesta.content.decode()
    assert not dentro(client)
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize("grupos", [[], ["todos"], None])
def test_without_a_group_of_ours_nobody_comes_in(client: Client, proveedor: Proveedor, grupos: Any) -> None:
    proveedor.persona["groups"] = grupos
    respuesta = entrar(client)
    assert respuesta.status_code == 403
    assert "ninguno de sus grupos tiene un rol en este sistema" in respuesta.content.decode()
    assert not dentro(client)
    assert not Usuario.objects.filter(email="nueva.inspectora@senasa.example").exists()


def test_losing_the_groups_keeps_out_whoever_was_in(client: Client, proveedor: Proveedor) -> None:
    entrar(client)
    proveedor.persona["groups"] = ["todos"]
    otra = Client()
    assert entrar(otra).status_code == 403
    assert not dentro(otra)


def test_a_user_disabled_here_stays_out(client: Client, proveedor: Proveedor) -> None:
    entrar(client)
    Usuario.objects.filter(pk=nueva().pk).update(is_active=False, roles=[])
    assert not dentro(client)
    assert entrar(client).url == reverse("account_inactive")
    assert not dentro(client)
    assert nueva().roles == []
    # Nor is a disabled user taken over by his address.
    SocialAccount.objects.all().delete()
    assert entrar(client).url == reverse("account_inactive")
    assert not SocialAccount.objects.exists()


def test_roles_given_by_hand_stay_when_the_provider_is_not_used(client: Client, proveedor: Proveedor) -> None:
    antes = personas()["jefe"].roles
    client.post(reverse("account_login"), {"login": "jefe", "password": CLAVE})
    assert dentro(client)
    assert Usuario.objects.get(username="jefe").roles == antes


def test_forged_tokens_are_refused(client: Client, proveedor: Proveedor) -> None:
    buena = proveedor.firma
    proveedor.firma = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert entrar(client).status_code == 401
    proveedor.firma, proveedor.emisor = buena, "https://otro.example"
    assert entrar(client).status_code == 401
    proveedor.emisor, proveedor.audiencia = proveedor.url, "otra-aplicacion"
    assert entrar(client).status_code == 401
    proveedor.audiencia, proveedor.userinfo = CLIENTE, {**proveedor.persona, "sub": "otro"}
    assert entrar(client).status_code == 403
    proveedor.userinfo = {"email": "sin@sub.example"}
    assert entrar(client).status_code == 502
    assert not dentro(client)
    assert not SocialAccount.objects.exists()


def test_answer_that_nobody_asked_for_is_refused(client: Client, proveedor: Proveedor) -> None:
    vuelta = reverse("openid_connect_callback", args=["institucion"])
    assert client.get(f"{vuelta}?code=x&state=y").status_code == 401
    # A code of somebody else's browser: its state is not in this session.
    ida = Client().post(reverse("openid_connect_login", args=["institucion"]) + "?process=login")
    ajena = requests.get(ida.url, allow_redirects=False, timeout=5).headers["Location"]
    assert client.get(ajena.removeprefix("http://testserver")).status_code == 401
    assert not dentro(client)


def test_no_linking_and_no_bare_redirect(client: Client, proveedor: Proveedor) -> None:
    client.post(reverse("account_login"), {"login": "inspector", "password": CLAVE})
    for proceso in ("connect", "redirect"):
        assert entrar(client, process=proceso).status_code == 403
    assert not SocialAccount.objects.exists()


def test_provider_down_or_cancelled_says_so(client: Client, proveedor: Proveedor) -> None:
    ida = client.post(reverse("openid_connect_login", args=["institucion"]) + "?process=login")
    estado = parse_qs(urlsplit(ida.url).query)["state"][0]
    vuelta = reverse("openid_connect_callback", args=["institucion"])
    cancelado = client.get(f"{vuelta}?error=access_denied&state={estado}", follow=True)
    assert "Ingreso cancelado" in cancelado.content.decode()
    proveedor.caido = True
    caido = client.post(reverse("openid_connect_login", args=["institucion"]) + "?process=login")
    assert caido.status_code == 502
    assert "Inténtelo otra vez en unos minutos" in caido.content.decode()


# ── Second factor and deciding ────────────────────────────────────────────────────────────────────


def test_second_factor_of_the_provider_counts_when_the_token_says_so(
    client: Client, proveedor: Proveedor, settings: Any
) -> None:
    settings.SEGUNDO_FACTOR = True
    proveedor.persona["amr"] = ["pwd", "mfa"]
    entrar(client)
    assert client.get(reverse("tablero")).url == reverse("mfa_index")  # nobody said that it counts
    settings.OIDC_SEGUNDO_FACTOR = ["mfa"]
    otra = Client()
    entrar(otra)
    assert otra.get(reverse("tablero")).status_code == 200
    proveedor.persona["amr"] = ["pwd"]
    tercera = Client()
    entrar(tercera)
    assert tercera.get(reverse("tablero")).url == reverse("mfa_index")
    proveedor.persona |= {"acr": "nivel-3"}
    settings.OIDC_SEGUNDO_FACTOR = ["nivel-3"]
    cuarta = Client()
    entrar(cuarta)
    assert cuarta.get(reverse("tablero")).status_code == 200


def test_own_factor_is_asked_for_unless_the_provider_proved_one(
    client: Client, proveedor: Proveedor, settings: Any
) -> None:
    entrar(client)
    Authenticator.objects.create(user=nueva(), type="totp", data={"secret": "x"})
    assert entrar(Client()).url == reverse("mfa_authenticate")
    settings.OIDC_SEGUNDO_FACTOR = ["mfa"]
    proveedor.persona["amr"] = ["mfa"]
    otra = Client()
    entrar(otra)
    assert dentro(otra)


def test_deciding_later_asks_the_provider_again_and_gives_the_form_back(
    client: Client, proveedor: Proveedor, certificado: Any, settings: Any
) -> None:
    url = reverse("partida_dictaminar", args=[crear_caso("resultado_emitido").expediente.numero, 1])
    datos = {"decision": "ingreso", "fundamento": "Conforme a la constancia."}
    entrar(client)
    assert client.get(url).status_code == 200
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1  # the quarter of an hour is over
    respuesta = client.post(url, datos)
    pagina = client.get(respuesta.url).content.decode()
    assert "Confirmar con Identidad SENASA" in pagina
    assert "auth_params=prompt%3Dlogin" in pagina
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
    assert entrar(client, url, auth_params="prompt=login").url == url
    assert proveedor.pedidos[-1]["prompt"] == "login"
    assert "Conforme a la constancia." in client.get(url).content.decode()
    assert not Dictamen.objects.exists()


# ── Settings ──────────────────────────────────────────────────────────────────────────────────────


def test_a_role_that_does_not_exist_is_an_error_of_the_configuration(settings: Any) -> None:
    settings.OIDC_ROLES = {"grupo": ["inspector", "inspectora"]}
    (error,) = oidc.roles_conocidos()
    assert "inspectora" in error.msg
    settings.OIDC_ROLES = {"grupo": ["inspector"]}
    assert oidc.roles_conocidos() == []

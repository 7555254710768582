"""Sessions of one shift, and typed text that outlives them: for its author, and for nobody else."""

import base64
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from expedientes.models import Dictamen, Expediente
from laboratorio.demo import CLAVE
from laboratorio.models import EstadoInforme, Informe
from senasa import cuentas, escrito
from senasa.models import Usuario
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db
FUNDAMENTO = "Negativo; el importador presentó además la constancia N.º 4."


@pytest.fixture(autouse=True)
def gente() -> dict[str, Usuario]:
    return dict(personas())


def entrar(cliente: Client, quien: str, **datos: str) -> Any:
    respuesta = cliente.post(reverse("account_login"), {"login": quien, "password": CLAVE, **datos})
    assert respuesta.status_code == 302
    return respuesta


class Navegador(Client):
    """A browser that checks CSRF tokens and sends what browsers send."""

    def __init__(self) -> None:
        super().__init__(enforce_csrf_checks=True)

    def ficha(self, url: str) -> str:
        """The token of the form on the page at `url`."""
        return str(self.get(url).context["csrf_token"])

    def enviar(self, url: str, ficha: str, datos: dict[str, Any], pagina: str = "", **opciones: Any) -> Any:
        cabeceras = {"origin": "http://testserver", "referer": f"http://testserver{pagina or url}"}
        return self.post(url, {**datos, "csrfmiddlewaretoken": ficha}, headers=cabeceras, **opciones)

    def entrar(self, quien: str, siguiente: str = "/") -> Any:
        url = f"{reverse('account_login')}?next={siguiente}"
        ficha = self.ficha(url)
        return self.enviar(url, ficha, {"login": quien, "password": CLAVE})


def dentro(cliente: Client) -> bool:
    return cliente.get(reverse("inicio")).url != f"{reverse('account_login')}?next=/"


def terminar_sesion(cliente: Client) -> None:
    """As after twelve hours: the browser threw its cookie away."""
    del cliente.cookies["sessionid"]


@pytest.fixture
def por_dictaminar(certificado: Any) -> str:
    expediente = crear_caso("resultado_emitido").expediente
    return reverse("partida_dictaminar", args=[expediente.numero, 1])


DICTAMEN = {"decision": "ingreso", "fundamento": FUNDAMENTO}


# ── One shift ─────────────────────────────────────────────────────────────────────────────────────


def test_session_ends_twelve_hours_after_sign_in_however_busy(client: Client) -> None:
    ahora = timezone.now()
    with time_machine.travel(ahora, tick=False) as reloj:
        entrar(client, "inspector")
        for hora in range(11):
            reloj.shift(timedelta(hours=1))
            sesion = client.session
            sesion["algo"] = hora  # a change to the session starts Django's own twelve hours anew
            sesion.save()
            assert dentro(client)
        reloj.shift(timedelta(minutes=59))
        assert dentro(client)
        reloj.shift(timedelta(minutes=1))
        assert not dentro(client)
        assert "_auth_user_id" not in client.session


def test_reauthenticating_does_not_lengthen_the_shift(client: Client) -> None:
    with time_machine.travel(timezone.now(), tick=False) as reloj:
        entrar(client, "inspector")
        reloj.shift(timedelta(hours=11, minutes=50))
        client.post(reverse("account_reauthenticate"), {"password": CLAVE})
        assert dentro(client)
        reloj.shift(timedelta(minutes=10))
        assert not dentro(client)


def test_session_key_changes_at_sign_in(client: Client) -> None:
    client.get(reverse("account_login"))
    sesion = client.session
    sesion["antes"] = 1
    sesion.save()
    client.cookies["sessionid"] = antes = sesion.session_key
    entrar(client, "inspector")
    assert client.cookies["sessionid"].value != antes
    assert not Session.objects.filter(session_key=antes).exists()


def test_disabling_a_user_ends_his_sessions_at_the_next_request(client: Client, gente: dict[str, Usuario]) -> None:
    entrar(client, "inspector")
    assert dentro(client)
    Usuario.objects.filter(pk=gente["inspector"].pk).update(is_active=False)
    assert client.post(reverse("buscar")).url.startswith(reverse("account_login"))
    assert not dentro(client)


def test_changing_the_password_ends_the_other_sessions(client: Client) -> None:
    otra = Client()
    entrar(client, "inspector")
    entrar(otra, "inspector")
    nueva = "otra-clave-muy-larga-2026"
    datos = {"oldpassword": CLAVE, "password1": nueva, "password2": nueva}
    assert client.post(reverse("account_change_password"), datos).status_code == 302
    assert dentro(client)
    assert not dentro(otra)


def test_a_new_password_by_mail_ends_every_session(client: Client, gente: dict[str, Usuario]) -> None:
    dentro_de_antes = Client()
    entrar(dentro_de_antes, "inspector")
    client.post(reverse("account_reset_password"), {"email": gente["inspector"].email})
    (enlace,) = re.findall(r"http://testserver(/\S+)", str(mail.outbox[0].body))
    pagina = client.get(enlace, follow=True)
    nueva = "otra-clave-muy-larga-2026"
    hecho = client.post(pagina.redirect_chain[-1][0], {"password1": nueva, "password2": nueva})
    assert hecho.url == reverse("account_reset_password_from_key_done")
    assert not dentro(dentro_de_antes)
    assert client.post(reverse("account_login"), {"login": "inspector", "password": nueva}).status_code == 302
    assert dentro(client)


def test_ending_sessions_leaves_the_other_people_in(client: Client, gente: dict[str, Usuario]) -> None:
    vecino = Client()
    entrar(client, "inspector")
    entrar(vecino, "mesa")
    cuentas.cerrar_sesiones(gente["inspector"])
    assert not dentro(client)
    assert dentro(vecino)


# ── Nothing typed is lost ─────────────────────────────────────────────────────────────────────────


def test_expired_session_gives_back_what_was_typed_and_does_nothing(por_dictaminar: str) -> None:
    navegador = Navegador()
    navegador.entrar("inspector")
    ficha = navegador.ficha(por_dictaminar)
    terminar_sesion(navegador)
    respuesta = navegador.enviar(por_dictaminar, ficha, DICTAMEN)
    assert respuesta.url == f"{reverse('account_login')}?next={por_dictaminar}"
    assert "está guardado" in navegador.get(respuesta.url).content.decode()
    assert navegador.entrar("inspector", por_dictaminar).url == por_dictaminar
    assert not Dictamen.objects.exists()
    pagina = navegador.get(por_dictaminar)
    texto = pagina.content.decode()
    assert pagina.status_code == 200
    assert FUNDAMENTO in texto
    assert "Recuperamos lo que había escrito; revíselo y confirme." in texto
    assert pagina.context["form"]["decision"].value() == "ingreso"
    # Confirmed with the fresh token of this page.
    assert navegador.enviar(por_dictaminar, str(pagina.context["csrf_token"]), DICTAMEN).status_code == 302
    assert Dictamen.objects.get().fundamento == FUNDAMENTO
    # Given once.
    assert FUNDAMENTO not in navegador.get(por_dictaminar).content.decode()


def test_another_user_on_the_same_browser_does_not_see_it(por_dictaminar: str, gente: dict[str, Usuario]) -> None:
    otro = Usuario.objects.create_user("inspectora2", "i2@senasa.example", CLAVE, roles=["inspector"])
    otro.puestos.set(gente["inspector"].puestos.all())
    navegador = Navegador()
    navegador.entrar("inspector")
    ficha = navegador.ficha(por_dictaminar)
    terminar_sesion(navegador)
    navegador.enviar(por_dictaminar, ficha, DICTAMEN)
    navegador.entrar("inspectora2", por_dictaminar)
    pagina = navegador.get(por_dictaminar)
    assert pagina.status_code == 200
    assert FUNDAMENTO not in pagina.content.decode()
    # It still waits for its author.
    terminar_sesion(navegador)
    navegador.entrar("inspector", por_dictaminar)
    assert FUNDAMENTO in navegador.get(por_dictaminar).content.decode()


def test_form_drawn_before_the_sign_in_in_another_tab_comes_back(por_dictaminar: str) -> None:
    navegador = Navegador()
    navegador.entrar("inspector")
    vieja = navegador.ficha(por_dictaminar)
    terminar_sesion(navegador)
    navegador.entrar("inspector")  # the token of the open page is an old one now
    respuesta = navegador.enviar(por_dictaminar, vieja, DICTAMEN)
    assert respuesta.url == por_dictaminar
    assert not Dictamen.objects.exists()
    assert FUNDAMENTO in navegador.get(por_dictaminar).content.decode()


def test_form_of_another_user_is_not_given_to_who_signed_in_since(
    por_dictaminar: str, gente: dict[str, Usuario]
) -> None:
    otro = Usuario.objects.create_user("inspectora2", "i2@senasa.example", CLAVE, roles=["inspector"])
    otro.puestos.set(gente["inspector"].puestos.all())
    navegador = Navegador()
    navegador.entrar("inspector")
    vieja = navegador.ficha(por_dictaminar)
    terminar_sesion(navegador)
    navegador.entrar("inspectora2")
    assert navegador.enviar(por_dictaminar, vieja, DICTAMEN).status_code == 403
    assert FUNDAMENTO not in navegador.get(por_dictaminar).content.decode()


def test_forged_form_is_refused_and_not_kept(por_dictaminar: str) -> None:
    navegador = Navegador()
    navegador.entrar("inspector")
    ficha = navegador.ficha(por_dictaminar)
    datos = {**DICTAMEN, "csrfmiddlewaretoken": "a" * 64}
    assert navegador.post(por_dictaminar, datos, headers={"origin": "http://testserver"}).status_code == 403
    ajeno = {**DICTAMEN, "csrfmiddlewaretoken": ficha}
    assert navegador.post(por_dictaminar, ajeno, headers={"origin": "https://malo.example"}).status_code == 403
    assert FUNDAMENTO not in navegador.get(por_dictaminar).content.decode()


def test_it_waits_an_hour(por_dictaminar: str) -> None:
    navegador = Navegador()
    navegador.entrar("inspector")
    ficha = navegador.ficha(por_dictaminar)
    with time_machine.travel(timezone.now(), tick=False) as reloj:
        terminar_sesion(navegador)
        navegador.enviar(por_dictaminar, ficha, DICTAMEN)
        reloj.shift(timedelta(minutes=61))
        navegador.entrar("inspector", por_dictaminar)
        assert FUNDAMENTO not in navegador.get(por_dictaminar).content.decode()


def test_it_is_not_readable_in_the_database(por_dictaminar: str) -> None:
    navegador = Navegador()
    navegador.entrar("inspector")
    ficha = navegador.ficha(por_dictaminar)
    terminar_sesion(navegador)
    navegador.enviar(por_dictaminar, ficha, DICTAMEN)
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key, value FROM cache WHERE cache_key LIKE '%escrito%'")
        (fila,) = cursor.fetchall()
    assert b"constancia" not in base64.b64decode(fila[1])
    assert "constancia" not in fila[0]


def test_too_much_is_not_kept_and_says_so(por_dictaminar: str) -> None:
    navegador = Navegador()
    navegador.entrar("inspector")
    ficha = navegador.ficha(por_dictaminar)
    terminar_sesion(navegador)
    respuesta = navegador.enviar(por_dictaminar, ficha, {**DICTAMEN, "fundamento": "x" * escrito.MAXIMO})
    assert "no se hizo nada" in navegador.get(respuesta.url).content.decode()


def test_a_stranger_keeps_nothing(por_dictaminar: str) -> None:
    antes = cache_de_escritos()
    assert Client().post(por_dictaminar, DICTAMEN).status_code == 302
    assert cache_de_escritos() == antes


def cache_de_escritos() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM cache WHERE cache_key LIKE '%escrito%'")
        return int(cursor.fetchone()[0])


def test_secrets_are_not_kept(client: Client, gente: dict[str, Usuario]) -> None:
    entrar(client, "inspector")
    usuario = gente["inspector"]
    pedido = client.get("/tablero/").wsgi_request
    pedido.method, pedido.path = "POST", reverse("expediente_nuevo")
    pedido.POST = QueryDict("password1=secreta&texto=algo&csrfmiddlewaretoken=x")
    assert escrito.guardar(pedido, usuario.pk)
    pedido.method = "GET"
    datos = escrito.recuperar(pedido)
    assert datos is not None
    assert datos.dict() == {"texto": "algo"}


def test_files_must_be_chosen_again_and_the_page_says_which(certificado: Any) -> None:
    expediente = crear_caso("en_medida", valor="positivo").expediente
    url = reverse("partida_cumplir_medida", args=[expediente.numero, 1])
    navegador = Navegador()
    navegador.entrar("inspector")
    ficha = navegador.ficha(url)
    terminar_sesion(navegador)
    foto = SimpleUploadedFile("acta-firmada.pdf", b"%PDF-1.7", content_type="application/pdf")
    navegador.enviar(url, ficha, {"acta": "ACTA-77", "evidencia": foto})
    navegador.entrar("inspector", url)
    texto = navegador.get(url).content.decode()
    assert "ACTA-77" in texto
    assert "Los archivos no se guardan: elija otra vez acta-firmada.pdf." in texto


def test_the_long_registration_form_comes_back_with_its_rows(gente: dict[str, Usuario]) -> None:
    url = reverse("expediente_nuevo")
    navegador = Navegador()
    navegador.entrar("mesa")
    ficha = navegador.ficha(url)
    datos = {
        "importador_nombre": "Frutas del Sur",
        "texto": "Llegó con la carta",
        "partidas-TOTAL_FORMS": "3",
        "partidas-INITIAL_FORMS": "0",
        "partidas-0-peso_neto_kg": "1200",
        "partidas-2-peso_neto_kg": "777",
    }
    terminar_sesion(navegador)
    navegador.enviar(url, ficha, datos)
    navegador.entrar("mesa", url)
    pagina = navegador.get(url)
    texto = pagina.content.decode()
    assert pagina.status_code == 200
    assert "Frutas del Sur" in texto
    assert "Recuperamos lo que había escrito" in texto
    pesos = [fila["peso_neto_kg"].value() for fila in pagina.context["formsets"][0].forms]
    assert pesos == ["1200", "", "777"]
    assert not Expediente.objects.exists()


def test_form_that_goes_to_an_address_without_a_page_leads_back_to_its_page(certificado: Any) -> None:
    caso = crear_caso("verificado")
    informe = Informe.objects.get(expediente=caso.expediente)
    Informe.objects.filter(pk=informe.pk).update(estado=EstadoInforme.EN_GRACIA)
    pagina = reverse("informe", args=[informe.numero])
    url = reverse("informe_retener", args=[informe.numero])
    navegador = Navegador()
    navegador.entrar("verificador")
    ficha = navegador.ficha(pagina)
    terminar_sesion(navegador)
    navegador.enviar(url, ficha, {"texto": "Falta ver la placa 7"}, pagina=pagina)
    navegador.entrar("verificador", url)
    vuelta = navegador.get(url)
    assert vuelta.url == f"http://testserver{pagina}"
    texto = navegador.get(pagina).content.decode()
    assert "Falta ver la placa 7" in texto
    assert "Todavía no se hizo nada: hágalo otra vez en esta página." in texto
    assert navegador.get(url).status_code == 405


def test_a_piece_asked_for_by_htmx_sends_the_whole_page_to_the_sign_in(client: Client) -> None:
    cabeceras = {"HX-Request": "true", "HX-Current-URL": "http://testserver/laboratorio/firmas/"}
    respuesta = client.get(reverse("firmas"), headers=cabeceras)
    assert respuesta["HX-Redirect"] == f"{reverse('account_login')}?next=%2Flaboratorio%2Ffirmas%2F"


# ── Asked again before deciding ───────────────────────────────────────────────────────────────────


def test_role_comes_before_the_question_who_it_is(por_dictaminar: str, gente: dict[str, Usuario]) -> None:
    for quien, estado in (("jefe", 403), ("director", 403), ("analista", 404), ("inspector.aereo", 404)):
        cliente = Client()
        cliente.force_login(gente[quien])  # an old sign-in: no recent proof of who it is
        assert cliente.get(por_dictaminar).status_code == estado, quien
        assert cliente.post(por_dictaminar, DICTAMEN).status_code == estado, quien


def test_deciding_after_a_quarter_of_an_hour_asks_again_and_gives_the_form_back(
    client: Client, por_dictaminar: str
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as reloj:
        entrar(client, "inspector")
        assert client.get(por_dictaminar).status_code == 200
        reloj.shift(timedelta(minutes=16))
        respuesta = client.post(por_dictaminar, DICTAMEN)
        assert respuesta.url.startswith(reverse("account_reauthenticate"))
        assert client.post(respuesta.url, {"password": "otra cosa"}).status_code == 200
        pagina = client.post(respuesta.url, {"password": CLAVE}, follow=True)
        assert not Dictamen.objects.exists()
        assert FUNDAMENTO in pagina.content.decode()
        client.post(por_dictaminar, DICTAMEN)
    assert Dictamen.objects.get().fundamento == FUNDAMENTO


def test_signing_after_a_quarter_of_an_hour_does_not_sign_by_itself(client: Client, certificado: Any) -> None:
    informe = Informe.objects.get(expediente=crear_caso("verificado", valor="positivo").expediente)
    url = reverse("informe_firmar", args=[informe.numero])
    with time_machine.travel(timezone.now(), tick=False) as reloj:
        entrar(client, "director")
        reloj.shift(timedelta(minutes=16))
        respuesta = client.post(url)
        pagina = client.post(respuesta.url, {"password": CLAVE}, follow=True)
    assert "Todavía no se hizo nada: confirme ahora." in pagina.content.decode()
    informe.refresh_from_db()
    assert informe.estado == EstadoInforme.POR_FIRMAR
    assert client.post(url).status_code == 302
    informe.refresh_from_db()
    assert informe.estado == EstadoInforme.FIRMANDO

"""What an address wants: one digest a day, or nothing but what cannot be left out; by its page or by one click."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db import connection, models, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from expedientes import services as casos
from expedientes.models import AgenteAduana
from notificaciones import enlaces, preferencias, resumenes, services
from notificaciones.models import Enlace, Notificacion, Preferencia
from tests.builders import crear_caso
from tests.conftest import Buzon

pytestmark = pytest.mark.django_db

CORREO = "importador0@empresa.example"
E, Modo = Notificacion.Estado, Preferencia.Modo


def quiere(modo: str, correo: str = CORREO) -> Preferencia:
    return preferencias.guardar(preferencia=preferencias.de(correo), modo=modo)


def debidas(**campos: Any) -> set[tuple[str, str]]:
    return set(Notificacion.objects.filter(**campos).values_list("aviso", "estado"))


def test_one_click_stops_the_news_and_never_the_report(certificado: Any, servidor_smtp: Buzon, settings: Any) -> None:
    settings.SITIO_URL = "https://expedientes.example"
    crear_caso("en_inspeccion")
    services.despachar()
    llegados = {m["Subject"].partition(": ")[2]: m for m in servidor_smtp.mensajes}
    noticia = llegados["Su carga fue inspeccionada"]
    direccion = noticia["List-Unsubscribe"].strip("<>")
    assert direccion.startswith("https://expedientes.example/preferencias/")
    assert noticia["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for fijo in ("Recibimos su solicitud de inspección", "La inspección de su carga ya tiene hora"):
        assert llegados[fijo]["List-Unsubscribe"] is None
    pie = re.search(r"Elegir cómo recibo estos avisos: (\S+)", noticia.get_body(("plain",)).get_content())
    assert pie
    assert direccion == f"{pie[1]}baja/"

    # As a mail program does it: no cookie, no CSRF token, one try. Opening the page is no such thing.
    ruta = direccion.removeprefix("https://expedientes.example")
    programa = Client(enforce_csrf_checks=True)
    for _bot in range(10):
        assert programa.get(ruta).status_code == programa.head(ruta).status_code == 200
    assert preferencias.de(CORREO).modo == Modo.TODO
    for _vez in range(2):
        respuesta = programa.post(ruta, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
        assert respuesta.status_code == 200
    assert preferencias.de(CORREO).modo == Modo.MINIMO
    assert "set-cookie" not in {nombre.lower() for nombre in respuesta.headers}

    antes = Notificacion.objects.latest("pk").pk
    crear_caso("con_riv")
    assert debidas(pk__gt=antes, aviso__in=["enviada", "informe_emitido", "dictamen"]) == {
        ("enviada", E.CANCELADA), ("informe_emitido", E.PENDIENTE), ("dictamen", E.PENDIENTE),
    }  # fmt: skip
    assert Notificacion.objects.get(aviso="enviada").error == preferencias.NO_QUIERE  # staff read it on the case
    servidor_smtp.mensajes.clear()
    services.despachar()
    asuntos = [m["Subject"].partition(": ")[2] for m in servidor_smtp.mensajes]
    assert asuntos[-2:] == ["El informe de ensayo ya está emitido", "Su carga puede ingresar"]
    assert {m["List-Unsubscribe"] for m in servidor_smtp.mensajes} == {None}


def test_staff_read_on_the_case_why_a_notice_was_not_sent(client: Client) -> None:
    quiere(Modo.MINIMO)
    caso = crear_caso("en_laboratorio")
    client.force_login(caso.inspector)
    pagina = client.get(reverse("expediente", args=[caso.expediente.numero])).content.decode()
    assert "quien lo recibe pidió no recibir estos avisos" in pagina


def test_the_token_opens_its_page_alone_and_lies_nowhere(client: Client, servidor_smtp: Buzon) -> None:
    crear_caso("en_inspeccion")
    suya, otra = preferencias.de(CORREO), preferencias.de("otra@empresa.example")
    token = preferencias.token(suya)
    services.despachar()
    firma = token.partition("-")[2]
    ajenos = [
        f"{otra.pk}-{firma}",
        token[:-1],
        f"{token}A",
        f"{suya.pk}-",
        "",
        "-",
        f"²-{firma}",
        f"{'9' * 30}-{firma}",
    ]
    ajenos.append(
        enlaces.token(Notificacion.objects.exclude(enlace=None).first().enlace)
    )  # a case's link is no key here
    assert [malo for malo in ajenos if preferencias.abrir(malo)] == []
    assert enlaces.abrir(token) is None
    for nombre in ("preferencias", "preferencias_baja"):
        assert client.get(reverse(nombre, args=[f"{suya.pk}-{'A' * 27}"])).status_code == 404
        assert client.post(reverse(nombre, args=[f"{suya.pk}-{'A' * 27}"])).status_code == 404
    with connection.cursor() as cursor:
        for modelo in apps.get_models():
            campos = [c.column for c in modelo._meta.fields if isinstance(c, models.CharField | models.TextField)]
            for campo in campos:
                cursor.execute(
                    f'SELECT 1 FROM "{modelo._meta.db_table}" WHERE "{campo}"::text LIKE %s LIMIT 1', [f"%{firma}%"]
                )
                assert cursor.fetchone() is None, (modelo, campo)


def test_the_page_saves_by_post_with_csrf_and_shows_nobodys_address() -> None:
    suya = preferencias.de(CORREO)
    url = reverse("preferencias", args=[preferencias.token(suya)])
    navegador = Client(enforce_csrf_checks=True)
    pagina = navegador.get(url).content.decode()
    assert CORREO not in pagina
    assert "im…@empresa.example" in pagina
    assert navegador.post(url, {"modo": "resumen"}).status_code == 403
    ficha = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', pagina)[1]
    assert navegador.post(url, {"modo": "nada", "csrfmiddlewaretoken": ficha}).status_code == 422
    assert preferencias.de(CORREO).modo == Modo.TODO
    assert navegador.post(url, {"modo": "resumen", "csrfmiddlewaretoken": ficha}).status_code == 302
    assert preferencias.de(CORREO).modo == Modo.RESUMEN
    assert Client().put(url).status_code == 405


def test_too_many_posts_are_refused(client: Client) -> None:
    url = reverse("preferencias_baja", args=[preferencias.token(preferencias.de(CORREO))])
    respuestas = [client.post(url).status_code for _vez in range(61)]
    assert (respuestas[:60], respuestas[60]) == ([200] * 60, 429)


def test_the_digest_gathers_the_news_and_lets_the_rest_go_at_once(certificado: Any, servidor_smtp: Buzon) -> None:
    quiere(Modo.RESUMEN)
    uno, otro = crear_caso("en_laboratorio"), crear_caso("en_inspeccion")
    ajeno = crear_caso("en_inspeccion", agente=AgenteAduana.objects.create(
        tipo_documento="ruc", numero_documento="20999900039", nombre="Sur", correo="agencia@sur.example"
    ))  # fmt: skip
    services.despachar()
    llegados = [(m["To"], m["Subject"]) for m in servidor_smtp.mensajes]
    assert {asunto.partition(": ")[2] for a, asunto in llegados if a == CORREO} == {
        "Recibimos su solicitud de inspección", "La inspección de su carga ya tiene hora",
    }  # fmt: skip
    assert ("agencia@sur.example", f"{ajeno.expediente.numero}: La carga fue inspeccionada") in llegados
    assert resumenes.resumir() == 0  # not before its hour
    esperan = Notificacion.objects.filter(para_resumen=True)
    assert set(esperan.values_list("correo", "aviso")) == {(CORREO, "inspeccionada"), (CORREO, "enviada")}
    hora = timezone.localtime(esperan.first().proximo_intento_en)
    assert (hora.hour, hora.minute) == (17, 0)

    servidor_smtp.mensajes.clear()
    with time_machine.travel(timezone.now() + timedelta(days=1), tick=True):
        with transaction.atomic():  # a worker that dies in the middle
            assert resumenes.resumir() == 1
            transaction.set_rollback(True)
        assert (resumenes.resumir(), resumenes.resumir()) == (1, 0)
        services.despachar()
        assert len(servidor_smtp.mensajes) == 1
        resumen = servidor_smtp.mensajes[0]
        assert re.fullmatch(r"Resumen del \d+ de \w+: 4 novedades en 3 expedientes", resumen["Subject"])
        assert "preferencias" in resumen["List-Unsubscribe"]
        for parte in ("plain", "html"):
            cuerpo = resumen.get_body((parte,)).get_content()
            for caso in (uno, otro, ajeno):
                vivo = services.enlace_para(referencia=caso.expediente.referencia, correo=CORREO)
                assert cuerpo.count(enlaces.token(vivo)) == 1
                assert caso.expediente.numero in cuerpo
            # And one that opens all of them, for a month from this mail.
            de_todos = Enlace.objects.get(correo=CORREO, referencia=enlaces.TODOS)
            assert cuerpo.count(enlaces.token(de_todos)) == 1
            assert de_todos.vence_en - timezone.now() > timedelta(days=29)
            lista = Client().get(reverse("seguimiento", args=[enlaces.token(de_todos)]), follow=True).content.decode()
            assert {caso.expediente.numero in lista for caso in (uno, otro, ajeno)} == {True}
            assert "%" not in re.sub(r'width="100%"|100%|<style.*?</style>', "", cuerpo, flags=re.DOTALL)
    assert debidas(resumen__isnull=False) == {("inspeccionada", E.ENVIADA), ("enviada", E.ENVIADA)}
    assert not Notificacion.objects.filter(estado=E.PENDIENTE).exists()


def test_one_piece_of_news_goes_out_as_it_is_and_another_choice_settles_what_waits(servidor_smtp: Buzon) -> None:
    quiere(Modo.RESUMEN)
    crear_caso("en_inspeccion")
    with time_machine.travel(timezone.now() + timedelta(days=1), tick=True):
        assert resumenes.resumir() == 0
        services.despachar()
        assert servidor_smtp.mensajes[-1]["Subject"].endswith("Su carga fue inspeccionada")
    crear_caso("en_inspeccion")
    quiere(Modo.TODO)
    services.despachar()
    assert servidor_smtp.mensajes[-1]["Subject"].endswith("Su carga fue inspeccionada")
    quiere(Modo.RESUMEN)
    crear_caso("en_inspeccion")
    quiere(Modo.MINIMO)
    assert Notificacion.objects.filter(aviso="inspeccionada", estado=E.CANCELADA, para_resumen=False).count() == 1
    assert sum(m["Subject"].endswith("Su carga fue inspeccionada") for m in servidor_smtp.mensajes) == 2


def test_a_link_that_was_taken_back_leaves_the_digest_and_a_typed_place_opens_nothing(servidor_smtp: Buzon) -> None:
    quiere(Modo.RESUMEN)
    caso, otro = crear_caso("en_laboratorio"), crear_caso("en_laboratorio")
    ajeno = services.enlace_para(referencia="expediente:0", correo="ajeno@empresa.example")
    Notificacion.objects.filter(aviso="enviada", referencia=otro.expediente.referencia).update(
        asunto=f"{otro.expediente.numero}: {preferencias.lugar_de(ajeno.pk)}"
    )
    casos.corregir_correo(expediente=caso.expediente, actor=caso.personas["atencion"], correo="nuevo@empresa.example")
    assert Notificacion.objects.filter(para_resumen=True).count() == 0  # all of the old address is taken back
    quiere(Modo.RESUMEN, "nuevo@empresa.example")
    tercero = crear_caso("en_laboratorio", importador=type(caso.expediente.importador).objects.get())
    Notificacion.objects.filter(aviso="enviada", referencia=tercero.expediente.referencia).update(
        asunto=f"{tercero.expediente.numero}: {preferencias.lugar_de(ajeno.pk)}"
    )
    with time_machine.travel(timezone.now() + timedelta(days=1), tick=True):
        assert resumenes.resumir() == 1
        servidor_smtp.mensajes.clear()
        services.despachar()
    resumen = next(m for m in servidor_smtp.mensajes if m["Subject"].startswith("Resumen"))
    assert resumen["To"] == "nuevo@empresa.example"
    assert enlaces.token(ajeno) not in resumen.as_string()

"""Questions between post and laboratory: to whom, by when, and the answer; never whose cargo it is."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from expedientes.models import Evento
from laboratorio import preguntas
from laboratorio.models import Muestra, Pregunta
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.transicion import DatoInvalido, RolImpide
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db


def manana():
    return timezone.localtime(reloj.ahora() + timedelta(days=1))


def preguntar(navegador, muestra, **datos):
    datos = {"texto": "¿Por qué llegó sin hielo?", "vence_en": manana().strftime("%Y-%m-%dT%H:%M"), **datos}
    return navegador.post(reverse("muestra_preguntar", args=[muestra.numero]), datos)


def menu(navegador):
    return {e["texto"]: e["cuenta"] for e in navegador.get(reverse("preguntas")).context["menu"]()}


def test_a_question_goes_to_the_other_side_and_its_answer_comes_back(entrar):
    caso = crear_caso("recibido")
    muestra = Muestra.objects.get(expediente=caso.expediente)
    recepcion, inspector = entrar("recepcion"), entrar("inspector")
    assert preguntar(recepcion, muestra).status_code == 302
    pregunta = Pregunta.objects.get()
    assert pregunta.lado == "puesto"
    avisados = Notificacion.objects.filter(aviso="pregunta").values_list("correo", flat=True)
    assert set(avisados) == {"inspector@senasa.example", "jefe@senasa.example"}
    assert (menu(inspector)["Preguntas"], menu(recepcion)["Preguntas"]) == (1, 0)
    contestar = reverse("pregunta_contestar", args=[pregunta.pk])
    assert recepcion.get(contestar).status_code == 403
    assert entrar("inspector.aereo").get(contestar).status_code == 404
    assert inspector.post(contestar, {"respuesta": ""}).status_code == 422
    assert inspector.post(contestar, {"respuesta": "Se rompió la bolsa."}).status_code == 302
    assert inspector.post(contestar, {"respuesta": "Otra cosa."}).status_code == 409
    assert Notificacion.objects.get(aviso="respuesta").correo == "recepcion@senasa.example"
    for navegador in (recepcion, inspector):
        assert "Se rompió la bolsa." in navegador.get(reverse("muestra", args=[muestra.numero])).content.decode()
    assert menu(inspector)["Preguntas"] == 0
    actos = Evento.objects.filter(objeto="pregunta").order_by("n").values_list("accion", flat=True)
    assert list(actos) == ["preguntar", "contestar"]
    for texto in Notificacion.objects.filter(aviso__in=["pregunta", "respuesta"]).values_list("texto", flat=True):
        assert caso.expediente.importador.nombre not in texto
        assert caso.expediente.numero not in texto


def test_a_question_by_name_is_that_persons_and_overdue_ones_are_marked(entrar, gente):
    muestra = Muestra.objects.get(expediente=crear_caso("asignado").expediente)
    ana = gente["analista"]
    with reloj.fijado(reloj.ahora() - timedelta(days=2)):
        preguntas.preguntar(muestra=muestra, actor=gente["inspector"], texto="¿Alcanza?", vence_en=manana(), para=ana)
    assert Notificacion.objects.get(aviso="pregunta").correo == "analista@senasa.example"
    assert menu(entrar("analista"))["Preguntas"] == 1
    assert menu(entrar("analista2"))["Preguntas"] == 0
    assert "venció" in entrar("analista").get(reverse("preguntas")).content.decode()
    with pytest.raises(DatoInvalido):
        preguntas.preguntar(muestra=muestra, actor=gente["inspector"], texto="?", vence_en=manana(), para=gente["jefe"])


def test_who_has_no_part_in_a_sample_neither_asks_nor_answers(entrar, gente):
    muestra = Muestra.objects.get(expediente=crear_caso("recibido").expediente)
    for quien in ("mesa", "atencion", "direccion"):
        assert preguntar(entrar(quien), muestra).status_code == 403
        with pytest.raises(RolImpide):
            preguntas.preguntar(muestra=muestra, actor=gente[quien], texto="?", vence_en=manana())
    assert preguntar(entrar("inspector.aereo"), muestra).status_code == 404
    ayer = (manana() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    respuesta = preguntar(entrar("inspector"), muestra, vence_en=ayer)
    assert respuesta.status_code == 422
    assert "vence_en" in respuesta.context["form"].errors
    assert not Pregunta.objects.exists()


def test_what_was_asked_and_answered_stays(gente):
    muestra = Muestra.objects.get(expediente=crear_caso("recibido").expediente)
    pregunta = preguntas.preguntar(muestra=muestra, actor=gente["inspector"], texto="?", vence_en=manana())
    preguntas.contestar(pregunta=pregunta, actor=gente["recepcion"], respuesta="Sí.")
    for sentencia in ("UPDATE laboratorio_pregunta SET respuesta = 'No.'", "DELETE FROM laboratorio_pregunta"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sentencia)

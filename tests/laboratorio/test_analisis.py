"""The bench and the verification: take, start, record, verify one, verify many."""

import pytest
from django.urls import reverse

from expedientes.models import Evento, Plaga
from laboratorio import reversiones, services
from laboratorio.models import Analisis, EstadoAnalisis, EstadoMuestra, Metodo, Resultado, Valor, Verificacion
from senasa.models import Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db


def de(caso, analista="analista"):
    """The case's first analysis, given to `analista`."""
    analisis = caso.analisis[0]
    Analisis.objects.filter(pk=analisis.pk).update(analista=caso.personas[analista])
    analisis.refresh_from_db()
    return analisis


def url(acto, analisis):
    return reverse(f"analisis_{acto}", args=[analisis.pk])


def otro_verificador():
    return Usuario.objects.create(username="v2", email="v2@senasa.example", roles=[Rol.VERIFICADOR])


def test_take_start_record(entrar):
    caso = crear_caso("recibido")
    analisis = caso.analisis[0]
    analista = entrar("analista")
    bandeja = reverse("analisis_bandeja")
    assert analista.post(url("asignar", analisis)).url == bandeja
    assert analista.post(url("iniciar", analisis)).url == bandeja
    assert caso.expediente.muestras.get().estado == EstadoMuestra.EN_ANALISIS
    assert analista.get(url("registrar", analisis)).status_code == 200
    assert analista.post(url("registrar", analisis), {"valor": "negativo", "lectura": "0 larvas"}).url == bandeja
    analisis.refresh_from_db()
    assert (analisis.estado, analisis.resultado.valor, analisis.resultado.lectura) == (
        EstadoAnalisis.REGISTRADO,
        Valor.NEGATIVO,
        "0 larvas",
    )


@pytest.mark.parametrize(
    ("acto", "hasta", "impropios"),
    [
        ("asignar", "recibido", ["verificador", "director", "recepcion"]),
        ("iniciar", "asignado", ["verificador", "recepcion"]),
        ("registrar", "en_proceso", ["verificador", "recepcion", "analista2"]),
        ("verificar", "con_resultado", ["analista", "recepcion", "director"]),
        ("revertir", "con_resultado", ["recepcion", "director", "analista2"]),
    ],
)
def test_acts_wrong_role_object_and_method(entrar, acto, hasta, impropios):
    caso = crear_caso(hasta)
    analisis = de(caso) if hasta != "recibido" else caso.analisis[0]
    antes = Evento.objects.count()
    for usuario in impropios:
        assert entrar(usuario).post(url(acto, analisis), {"valor": "negativo"}).status_code == 403, usuario
    for usuario in ("inspector", "mesa"):  # they may see it, but it is not theirs to do
        assert entrar(usuario).post(url(acto, analisis)).status_code == 403
    propio = entrar("verificador" if acto == "verificar" else "analista")
    assert propio.post(reverse(f"analisis_{acto}", args=[999999])).status_code == 404
    if acto != "asignar":
        assert entrar("inspector.aereo").post(url(acto, analisis)).status_code == 404
    esperado = 200 if acto in ("registrar", "revertir") else 405
    assert propio.get(url(acto, analisis)).status_code == esperado
    assert propio.delete(url(acto, analisis)).status_code == 405
    assert Evento.objects.count() == antes


def test_registrar_a_positive_names_the_pest(entrar):
    analisis = de(crear_caso("en_proceso"))
    analista = entrar("analista")
    sin_plaga = analista.post(url("registrar", analisis), {"valor": "positivo"})
    assert (sin_plaga.status_code, list(sin_plaga.context["form"].errors)) == (422, ["plaga"])
    contradice = analista.post(url("registrar", analisis), {"valor": "negativo", "plaga": analisis.plaga_id})
    assert list(contradice.context["form"].errors) == ["plaga"]
    assert Resultado.objects.count() == 0
    assert (
        analista.post(url("registrar", analisis), {"valor": "positivo", "plaga": analisis.plaga_id}).status_code == 302
    )
    assert Resultado.objects.get().plaga == analisis.plaga


def test_registrar_twice_is_a_conflict(entrar):
    analisis = de(crear_caso("en_proceso"))
    analista = entrar("analista")
    analista.post(url("registrar", analisis), {"valor": "negativo"})
    assert analista.post(url("registrar", analisis), {"valor": "negativo"}).status_code == 409
    assert Resultado.objects.count() == 1


def test_pest_list_begins_with_the_one_looked_for(entrar):
    analisis = de(crear_caso("en_proceso"))
    form = entrar("analista").get(url("registrar", analisis)).context["form"]
    assert form.fields["plaga"].queryset.first() == analisis.plaga
    assert form.fields["plaga"].queryset.count() == Plaga.objects.count()


def test_an_analyst_assigns_to_himself_alone(gente):
    analisis = crear_caso("recibido").analisis[0]
    with pytest.raises(RolImpide):
        services.asignar(analisis=analisis, analista=gente["analista2"], actor=gente["analista"])
    with pytest.raises(DatoInvalido):
        services.asignar(analisis=analisis, analista=gente["mesa"], actor=gente["recepcion"])


def test_verificar(entrar):
    analisis = de(crear_caso("con_resultado"))
    datos = {f"resultado-{analisis.pk}": analisis.resultado.pk}
    verificador = entrar("verificador")
    assert verificador.post(url("verificar", analisis), datos).url == reverse("verificacion")
    analisis.refresh_from_db()
    assert analisis.estado == EstadoAnalisis.VERIFICADO
    assert verificador.post(url("verificar", analisis), datos).status_code == 409
    assert Verificacion.objects.count() == 1


def test_verificar_own_result_is_refused(gente):
    analisis = de(crear_caso("con_resultado"))
    persona = analisis.resultado.registrado_por
    persona.roles = [Rol.ANALISTA, Rol.VERIFICADOR]
    persona.save()
    with pytest.raises(RolImpide):
        services.verificar(analisis=analisis, actor=persona)
    assert Verificacion.objects.count() == 0


def test_own_results_are_set_aside_saying_why(entrar, gente):
    analisis = de(crear_caso("con_resultado"))
    persona = analisis.resultado.registrado_por
    persona.roles = [Rol.ANALISTA, Rol.VERIFICADOR]
    persona.save()
    respuesta = entrar(persona.username).get(reverse("verificacion"))
    assert analisis.pk in [a.pk for a in respuesta.context["ajenos"]]
    assert analisis.pk not in [a.pk for a in respuesta.context["negativos"]]
    assert "Quien analizó no puede verificar su propio resultado." in respuesta.content.decode()


def test_two_verifications_by_two_people(gente):
    analisis = de(crear_caso("con_resultado"))
    Metodo.objects.filter(pk=analisis.metodo_id).update(verificaciones=2)
    analisis = Analisis.objects.get(pk=analisis.pk)
    services.verificar(analisis=analisis, actor=gente["verificador"])
    assert Analisis.objects.get(pk=analisis.pk).estado == EstadoAnalisis.REGISTRADO
    with pytest.raises(RolImpide):
        services.verificar(analisis=analisis, actor=gente["verificador"])
    services.verificar(analisis=analisis, actor=otro_verificador())
    assert Analisis.objects.get(pk=analisis.pk).estado == EstadoAnalisis.VERIFICADO


def test_verificar_a_result_changed_meanwhile_is_refused(entrar, gente):
    """The verifier clicks on a negative that its analyst has just replaced by a positive."""
    analisis = de(crear_caso("con_resultado"))
    visto = analisis.resultado.pk
    reversiones.revertir(analisis=analisis, actor=analisis.analista, motivo="dato-errado", texto="Era otra.")
    services.registrar(analisis=analisis, actor=analisis.analista, valor="positivo", plaga=analisis.plaga)
    respuesta = entrar("verificador").post(url("verificar", analisis), {f"resultado-{analisis.pk}": visto})
    assert respuesta.status_code == 409
    assert Verificacion.objects.count() == 0
    with pytest.raises(EstadoImpide):
        services.verificar(analisis=analisis, actor=gente["verificador"], visto=visto)


def test_bulk_takes_plain_negatives_and_says_why_not_the_rest(entrar):
    limpio = crear_caso("con_resultado", producto="arroz-integral", origen="US")
    sucio = crear_caso("con_resultado", valor="positivo")
    pks = [a.pk for caso in (limpio, sucio) for a in caso.analisis]
    positivo = Analisis.objects.get(resultados__valor="positivo")
    pagina = entrar("verificador").get(reverse("verificacion"), {"marcar": "todos"})
    assert [a.pk for a in pagina.context["aparte"]] == [positivo.pk]
    assert pagina.content.decode().count(" checked") == len(pks) - 1
    vistos = {f"resultado-{a.pk}": a.resultado.pk for caso in (limpio, sucio) for a in caso.analisis}
    respuesta = entrar("verificador").post(reverse("verificar_varios"), {"analisis": pks, **vistos})
    assert [(s.que, s.por_que) for s in respuesta.context["fuera"]] == [
        (positivo.muestra.numero, "Véalo por separado: Positivo; sin lectura.")
    ]
    assert [a.pk for a in Analisis.objects.exclude(estado=EstadoAnalisis.VERIFICADO)] == [positivo.pk]


def test_bulk_wrong_data_role_and_method(entrar):
    caso = crear_caso("con_resultado")
    verificador = entrar("verificador")
    for datos in ({}, {"analisis": ["x"]}, {"analisis": [999999]}):
        assert verificador.post(reverse("verificar_varios"), datos).url == reverse("verificacion")
    datos = {"analisis": [a.pk for a in caso.analisis]}
    assert entrar("analista").post(reverse("verificar_varios"), datos).status_code == 403
    assert verificador.get(reverse("verificar_varios")).status_code == 405
    assert Verificacion.objects.count() == 0

"""A sample from the seal to the laboratory's door: taken, sent, received or refused, and its page."""

from decimal import Decimal

import pytest
from django.urls import reverse

from expedientes.models import Estado, Plaga
from laboratorio import reversiones, services
from laboratorio.models import Analisis, EstadoAnalisis, EstadoMuestra, Metodo, Muestra
from senasa.transicion import DatoInvalido, EstadoImpide
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db

TOMA = {"precinto": "88412", "conservacion": "refrigerada", "cantidad": "1.5", "unidad": "kg", "lote": "L-1"}


def url(nombre, caso):
    return reverse(nombre, args=[caso.expediente.numero, 1])


def test_tomar_muestra(entrar):
    caso = crear_caso("en_inspeccion")
    inspector = entrar("inspector")
    assert inspector.get(url("partida_tomar_muestra", caso)).status_code == 200
    respuesta = inspector.post(url("partida_tomar_muestra", caso), TOMA)
    assert respuesta.status_code == 302
    muestra = Muestra.objects.get()
    assert (muestra.precinto, muestra.cantidad, muestra.estado) == ("88412", Decimal("1.5"), EstadoMuestra.TOMADA)


def test_tomar_muestra_twice_with_one_seal_is_one_sample(entrar):
    caso = crear_caso("en_inspeccion")
    inspector = entrar("inspector")
    inspector.post(url("partida_tomar_muestra", caso), TOMA)
    respuesta = inspector.post(url("partida_tomar_muestra", caso), TOMA)
    assert respuesta.status_code == 422
    assert "precinto" in respuesta.context["form"].errors
    assert Muestra.objects.count() == 1


def test_tomar_muestra_wrong_state_role_post_and_method(entrar):
    caso = crear_caso("registrado")
    pagina = url("partida_tomar_muestra", caso)
    assert entrar("inspector").post(pagina, TOMA).status_code == 409
    assert entrar("mesa").post(pagina, TOMA).status_code == 403
    assert entrar("inspector.aereo").get(pagina).status_code == 404
    assert entrar("inspector").delete(pagina).status_code == 405
    assert Muestra.objects.count() == 0


def test_enviar_preselects_what_the_catalogue_asks_and_takes_others(entrar):
    caso = crear_caso("muestreado")
    inspector = entrar("inspector")
    form = inspector.get(url("partida_enviar", caso)).context["form"]
    pedidos = services.requisitos_de(caso.partidas[0])
    assert form["ensayos"].initial == [f"{r.metodo_id}-{r.plaga_id}" for r in pedidos]
    assert pedidos
    metodo = Metodo.objects.exclude(pk__in=[r.metodo_id for r in pedidos]).first()
    plaga = Plaga.objects.first()
    datos = {"ensayos": form["ensayos"].initial, "metodo_1": metodo.pk, "plaga_1": plaga.pk, "transporte": "Courier"}
    assert inspector.post(url("partida_enviar", caso), datos).status_code == 302
    assert Analisis.objects.count() == len(pedidos) + 1
    assert Analisis.objects.filter(metodo=metodo, plaga=plaga).exists()
    assert Muestra.objects.get().estado == EstadoMuestra.ENVIADA
    assert Muestra.objects.get().solicitud.transporte == "Courier"


def test_enviar_nothing_or_half_a_test_goes_back_to_the_form(entrar):
    caso = crear_caso("muestreado")
    inspector = entrar("inspector")
    assert "ensayos" in inspector.post(url("partida_enviar", caso), {}).context["form"].errors
    metodo = Metodo.objects.first()
    respuesta = inspector.post(url("partida_enviar", caso), {"metodo_2": metodo.pk})
    assert respuesta.status_code == 422
    assert "plaga_2" in respuesta.context["form"].errors
    assert Analisis.objects.count() == 0


def test_enviar_without_a_sample_leads_to_taking_one(entrar):
    caso = crear_caso("en_inspeccion")
    respuesta = entrar("inspector").get(url("partida_enviar", caso))
    assert respuesta.url == url("partida_tomar_muestra", caso)
    assert entrar("mesa").get(url("partida_enviar", caso)).status_code == 403
    assert entrar("inspector.aereo").get(url("partida_enviar", caso)).status_code == 404


def test_recibir(entrar):
    muestra = crear_caso("en_laboratorio").expediente.muestras.get()
    pagina = reverse("muestra_recibir", args=[muestra.numero])
    recepcion = entrar("recepcion")
    assert recepcion.get(pagina).status_code == 200
    malo = recepcion.post(pagina, {"condicion": "con_observaciones", "cantidad_recibida": "1"})
    assert malo.status_code == 422
    assert "observaciones" in malo.context["form"].errors
    bueno = recepcion.post(pagina, {"condicion": "buena", "cantidad_recibida": "1"})
    assert bueno.url == reverse("recepcion")
    muestra.refresh_from_db()
    assert (muestra.estado, muestra.condicion) == (EstadoMuestra.RECIBIDA, "buena")
    assert recepcion.post(pagina, {"condicion": "buena", "cantidad_recibida": "1"}).status_code == 409


@pytest.mark.parametrize("acto", ["muestra_recibir", "muestra_rechazar"])
def test_reception_acts_wrong_role_object_and_method(entrar, acto):
    muestra = crear_caso("en_laboratorio").expediente.muestras.get()
    pagina = reverse(acto, args=[muestra.numero])
    for usuario in ("analista", "inspector", "director"):
        assert entrar(usuario).get(pagina).status_code == 403
    assert entrar("inspector.aereo").get(pagina).status_code == 404
    assert entrar("recepcion").get(reverse(acto, args=["M-1999-000001"])).status_code == 404
    assert entrar("recepcion").delete(pagina).status_code == 405


def test_rechazar_needs_motive_and_sends_the_line_back(entrar):
    caso = crear_caso("en_laboratorio")
    muestra = caso.expediente.muestras.get()
    pagina = reverse("muestra_rechazar", args=[muestra.numero])
    recepcion = entrar("recepcion")
    assert set(recepcion.post(pagina, {}).context["form"].errors) == {"motivo", "texto"}
    respuesta = recepcion.post(pagina, {"motivo": "envase-roto", "texto": "Llegó abierto."})
    assert respuesta.url == reverse("recepcion")
    assert Muestra.objects.get().estado == EstadoMuestra.RECHAZADA
    assert {a.estado for a in Analisis.objects.all()} == {EstadoAnalisis.CANCELADO}
    assert caso.partidas[0].estado == Estado.EN_INSPECCION


def test_rechazar_with_another_taken_but_not_sent_still_sends_the_line_back(gente):
    """Else the line would wait for ever: what never left the post cannot be analysed."""
    caso = crear_caso("en_laboratorio")
    muestra = caso.expediente.muestras.get()
    services.tomar_muestra(
        partida=caso.partidas[0], actor=gente["inspector"], precinto="otro", conservacion="ambiente",
        cantidad=Decimal(1), unidad="kg",
    )  # fmt: skip
    services.rechazar(muestra=muestra, actor=gente["recepcion"], motivo="envase-roto", texto="Abierta.")
    assert caso.partidas[0].estado == Estado.EN_INSPECCION


def test_rechazar_without_text(gente):
    muestra = crear_caso("en_laboratorio").expediente.muestras.get()
    with pytest.raises(DatoInvalido):
        services.rechazar(muestra=muestra, actor=gente["recepcion"], motivo="envase-roto", texto=" ")
    muestra.refresh_from_db()
    assert muestra.estado == EstadoMuestra.ENVIADA


def test_bench_pages_never_name_the_importer(entrar):
    caso = crear_caso("con_resultado")
    expediente, muestra = caso.expediente, caso.expediente.muestras.get()
    analisis = Analisis.objects.first()
    paginas = [
        ("analista", reverse("muestra", args=[muestra.numero])),
        ("recepcion", reverse("muestra", args=[muestra.numero])),
        ("verificador", reverse("verificacion")),
        ("verificador", reverse("informe", args=[analisis.solicitud.informe.numero])),
        ("verificador", reverse("analisis_revertir", args=[analisis.pk])),
        ("recepcion", reverse("recepcion")),
        ("analista", reverse("analisis_bandeja")),
    ]
    for usuario, pagina in paginas:
        respuesta = entrar(usuario).get(pagina)
        assert respuesta.status_code == 200, pagina
        texto = respuesta.content.decode()
        for suyo in (expediente.importador.nombre, expediente.importador.numero_documento, expediente.numero):
            assert suyo not in texto, (usuario, pagina, suyo)
    director = entrar("director").get(reverse("informe", args=[analisis.solicitud.informe.numero])).content.decode()
    assert expediente.importador.nombre in director


def test_muestra_page_shows_its_life_and_every_result(entrar, gente):
    caso = crear_caso("con_resultado", valor="positivo")
    positivo = Analisis.objects.get(resultados__valor="positivo")
    reversiones.revertir(
        analisis=positivo, actor=positivo.analista, motivo="dato-errado", texto="Se leyó la placa de al lado."
    )
    texto = entrar("analista").get(reverse("muestra", args=[positivo.muestra.numero])).content.decode()
    for dicho in ("Reversión autoaprobada", "Se leyó la placa de al lado.", "Dato registrado por error",
                  "Muestra recibida", caso.expediente.muestras.get().precinto):  # fmt: skip
        assert dicho in texto
    assert "<s>Positivo" in texto


def test_muestra_page_outside_the_laboratory_keeps_quiet_until_the_report(entrar):
    """A wait must not give a positive away."""
    muestra = crear_caso("verificado", valor="positivo").expediente.muestras.get()
    pagina = reverse("muestra", args=[muestra.numero])
    for usuario in ("inspector", "atencion"):
        respuesta = entrar(usuario).get(pagina)
        assert respuesta.status_code == 200
        texto = respuesta.content.decode().lower()
        assert "informe en emisión" in texto
        for callado in ("positivo", "por firmar", "verificadora"):
            assert callado not in texto
    assert entrar("inspector.aereo").get(pagina).status_code == 404
    assert entrar("inspector").post(pagina).status_code == 405


def test_asignar_before_reception_is_refused(gente):
    analisis = Analisis.objects.filter(expediente=crear_caso("en_laboratorio").expediente).first()
    with pytest.raises(EstadoImpide):
        services.asignar(analisis=analisis, analista=gente["analista"], actor=gente["recepcion"])

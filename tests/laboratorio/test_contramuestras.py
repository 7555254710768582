"""Retained duplicates: until when, what keeps them longer, and the record under which they end."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from laboratorio import contramuestras, services
from laboratorio.models import ActaEliminacion, EstadoMuestra, Muestra
from senasa import reloj
from senasa.transicion import EstadoImpide
from tests.builders import crear_caso

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("certificado")]

ACTA = {"testigo": "Diana Directora, directora", "metodo": "autoclave"}


def guardada(gente, dias):
    """A duplicate kept until `dias` from today (may be past)."""
    muestra = Muestra.objects.get(expediente=crear_caso("resultado_emitido").expediente)
    hasta = timezone.localdate() + timedelta(days=dias)
    with reloj.fijado(timezone.now() - timedelta(days=3)):
        services.guardar_contramuestra(muestra=muestra, actor=gente["recepcion"], lugar="Cámara 2, caja 7", hasta=hasta)
    return muestra


def test_the_act_offers_a_date_and_refuses_one_that_is_past(entrar, gente, settings):
    muestra = Muestra.objects.get(expediente=crear_caso("resultado_emitido").expediente)
    pagina = reverse("muestra_guardar_contramuestra", args=[muestra.numero])
    recepcion = entrar("recepcion")
    ofrecida = recepcion.get(pagina).context["form"]["hasta"].value()
    assert ofrecida == timezone.localdate() + timedelta(days=settings.CONTRAMUESTRA_DIAS)
    ayer = timezone.localdate() - timedelta(days=1)
    assert recepcion.post(pagina, {"lugar": "Cámara 2", "hasta": ayer.isoformat()}).status_code == 422
    assert recepcion.post(pagina, {"lugar": "Cámara 2", "hasta": ofrecida.isoformat()}).status_code == 302
    muestra.refresh_from_db()
    assert (muestra.contramuestra_lugar, muestra.contramuestra_hasta) == ("Cámara 2", ofrecida)


def test_the_page_has_the_overdue_first_and_lets_mark_only_those(entrar, gente):
    futura, vencida = guardada(gente, 5), guardada(gente, -1)
    filas = entrar("recepcion").get(reverse("contramuestras")).context["filas"]
    assert [(fila.numero, fila.marcable) for fila in filas] == [(vencida.numero, True), (futura.numero, False)]


def test_many_go_under_one_record(entrar, gente):
    muestras = [guardada(gente, -1) for _n in range(2)]
    recepcion, pagina = entrar("recepcion"), reverse("contramuestras_eliminar")
    assert recepcion.post(pagina, {**ACTA}).status_code == 422
    sin_testigo = recepcion.post(pagina, {"metodo": "autoclave", "muestras": [muestras[0].pk]})
    assert sin_testigo.status_code == 422
    assert [fila.marcada for fila in sin_testigo.context["filas"]] == [True, False]
    otro = recepcion.post(pagina, {**ACTA, "metodo": "otro", "muestras": [muestras[0].pk]})
    assert "observaciones" in otro.context["form"].errors
    assert entrar("director").post(pagina, {**ACTA, "muestras": [muestras[0].pk]}).status_code == 403
    assert recepcion.post(pagina, {**ACTA, "muestras": [m.pk for m in muestras]}).status_code == 302
    acta = ActaEliminacion.objects.get()
    assert acta.numero.startswith("AE-")
    assert {m.estado for m in acta.muestras.all()} == {EstadoMuestra.ELIMINADA}
    assert recepcion.get(reverse("acta_de_eliminacion", args=[acta.numero])).content.startswith(b"%PDF-")
    texto = recepcion.get(reverse("muestra", args=[muestras[0].numero])).content.decode()
    assert acta.numero in texto
    assert "Cámara 2, caja 7" in texto
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE laboratorio_actaeliminacion SET testigo = 'Nadie'")


def test_one_before_its_date_stops_them_all(entrar, gente):
    vencida, futura = guardada(gente, -1), guardada(gente, 0)
    respuesta = entrar("recepcion").post(
        reverse("contramuestras_eliminar"), {**ACTA, "muestras": [vencida.pk, futura.pk]}
    )
    assert respuesta.status_code == 409
    assert "se guarda hasta" in respuesta.content.decode()
    assert not ActaEliminacion.objects.exists()
    vencida.refresh_from_db()
    assert vencida.estado == EstadoMuestra.CONTRAMUESTRA


def test_a_second_opinion_freezes_it_until_it_is_lifted(entrar, gente):
    muestra = guardada(gente, -1)
    director = entrar("director")
    for acto, congelada in (("muestra_pedir_dirimencia", True), ("muestra_levantar_dirimencia", False)):
        pagina = reverse(acto, args=[muestra.numero])
        assert entrar("recepcion").post(pagina, {"texto": "x"}).status_code == 403
        assert director.post(pagina, {"texto": "El importador la pidió."}).status_code == 302
        assert director.post(pagina, {"texto": "Otra vez."}).status_code == 409
        if congelada:
            with pytest.raises(EstadoImpide, match="dirimencia"):
                contramuestras.eliminar_varias(muestras=[muestra], actor=gente["recepcion"], **ACTA)
    contramuestras.eliminar_varias(muestras=[muestra], actor=gente["recepcion"], **ACTA)
    muestra.refresh_from_db()
    assert muestra.estado == EstadoMuestra.ELIMINADA

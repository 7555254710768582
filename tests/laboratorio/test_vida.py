"""One page tells the whole life of a sample, from its label to its disposal, whatever was stepped back on the way."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from laboratorio import contramuestras, preguntas, recorrido, reversiones, services
from laboratorio.models import Muestra
from senasa import reloj
from tests.builders import avanzar_hasta, crear_caso

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("certificado")]


def vida(navegador, muestra):
    """What the page says happened, in its order: title, who, details."""
    respuesta = navegador.get(reverse("muestra", args=[muestra.numero]))
    assert respuesta.status_code == 200
    return [(e["titulo"], e["quien"], e["detalle"].replace("\n", " | ")) for e in respuesta.context["eventos"]]


def test_from_its_label_to_its_disposal_reversion_included(entrar, gente):
    caso = crear_caso("muestreado")
    recorrido.rotular(caso)
    avanzar_hasta(caso, "con_resultado")
    recorrido.revertir(caso)
    recorrido.registrar(caso)
    caso._dados = list(recorrido.PASOS).index("verificado")
    avanzar_hasta(caso, "resultado_emitido")
    muestra = Muestra.objects.get(expediente=caso.expediente)
    with reloj.fijado(timezone.now() + timedelta(hours=1)):  # the machine signed after its grace time
        hoy = timezone.localdate(reloj.ahora())
        services.guardar_contramuestra(muestra=muestra, actor=gente["recepcion"], lugar="Cámara 2", hasta=hoy)
        manana = reloj.ahora() + timedelta(days=1)
        preguntas.preguntar(muestra=muestra, actor=gente["inspector"], texto="¿Queda algo?", vence_en=manana)
    with reloj.fijado(timezone.now() + timedelta(days=2)):
        acta = contramuestras.eliminar_varias(
            muestras=[muestra], actor=gente["recepcion"], testigo="Otra persona", metodo="autoclave"
        )
    contado = vida(entrar("inspector"), muestra)
    muestra.refresh_from_db()
    assert [titulo for titulo, _quien, _detalle in contado] == [
        "Muestra tomada", "Rótulo pegado a la muestra", "Muestra enviada", "Muestra recibida", "Análisis asignado",
        "Análisis iniciado", "Resultado registrado", "Reversión autoaprobada", "Resultado registrado",
        "Resultado verificado", "Cierre físico automático", "Informe firmado", "Contramuestra guardada",
        "Pregunta sobre una muestra", "Muestra eliminada",
    ]  # fmt: skip
    dicho = {titulo: detalle for titulo, _quien, detalle in contado}
    assert dicho["Rótulo pegado a la muestra"] == muestra.rotulo.codigo
    assert muestra.solicitud.despacho.numero in dicho["Muestra enviada"]
    assert "Se anotó el resultado de otra muestra" in dicho["Reversión autoaprobada"]
    assert dicho["Contramuestra guardada"] == f"Cámara 2 · hasta el {hoy:%d/%m/%Y}"
    assert dicho["Muestra eliminada"] == f"acta {acta}"
    assert next(quien for titulo, quien, _detalle in contado if titulo == "Resultado registrado").startswith("A.")


def test_one_that_was_refused_says_why(entrar, gente):
    muestra = Muestra.objects.get(expediente=crear_caso("en_laboratorio").expediente)
    services.rechazar(muestra=muestra, actor=gente["recepcion"], motivo="envase-roto", texto="Llegó abierta.")
    for quien in ("inspector", "recepcion"):
        dicho = {titulo: detalle for titulo, _quien, detalle in vida(entrar(quien), muestra)}
        assert dicho["Muestra rechazada"] == "Envase roto o abierto | Llegó abierta."


def test_outside_the_bench_is_silent_until_the_report(entrar, gente):
    """A sample that went back to the bench would tell that something was found there."""
    negativo, positivo = (crear_caso("verificado", valor=valor) for valor in ("negativo", "positivo"))
    reversiones.devolver(
        informe=positivo.expediente.informes.get(), actor=gente["director"], analisis=positivo.analisis,
        motivo="resultado-dudoso", texto="Otra vez.",
    )  # fmt: skip
    leidas = [
        [titulo for titulo, _quien, _detalle in vida(entrar("inspector"), Muestra.objects.get(expediente=c.expediente))]
        for c in (negativo, positivo)
    ]
    assert leidas[0] == leidas[1] == ["Muestra tomada", "Muestra enviada", "Muestra recibida"]

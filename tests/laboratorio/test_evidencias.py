"""Photos of samples and of results: who may open them, and when."""

import pytest
from django.urls import reverse

from expedientes.archivos import del_certificado
from laboratorio.models import Muestra, Resultado
from laboratorio.services import guardar_evidencia
from tests.builders import avanzar_hasta, crear_caso

pytestmark = pytest.mark.django_db

ARCHIVO = del_certificado("gel.xml", b"<gel/>")
# The other post's inspector sees neither the case nor its sample.
DEL_PUESTO = ("inspector", "jefe", "mesa", "atencion", "direccion")


def estado(navegador, url):
    return navegador.get(url).status_code


def test_what_lies_behind_a_result_stays_in_the_laboratory_until_its_report_is_out(entrar, certificado):
    caso = crear_caso("con_resultado")
    muestra = Muestra.objects.get(expediente=caso.expediente)
    resultado = Resultado.objects.filter(analisis__muestra=muestra).first()
    evidencia = guardar_evidencia(
        archivo=ARCHIVO, muestra=muestra, actor=caso.personas["analista"], resultado=resultado
    )
    url = reverse("evidencia", args=[evidencia.pk])
    del_caso = reverse("adjunto", args=[caso.expediente.numero, evidencia.adjunto_id])
    assert [estado(entrar(quien), url) for quien in ("recepcion", "analista", "verificador", "director")] == [200] * 4
    assert [estado(entrar(quien), url) for quien in DEL_PUESTO] == [404] * len(DEL_PUESTO)
    assert estado(entrar("inspector"), del_caso) == 404
    assert (
        "gel.xml" not in entrar("inspector").get(reverse("expediente", args=[caso.expediente.numero])).content.decode()
    )

    avanzar_hasta(caso, "resultado_emitido")
    assert [estado(entrar(quien), url) for quien in DEL_PUESTO] == [200] * len(DEL_PUESTO)
    assert estado(entrar("inspector.aereo"), url) == 404
    assert estado(entrar("inspector"), del_caso) == 404

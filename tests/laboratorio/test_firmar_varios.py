"""The director signs many plain negatives at once, each with its outcome; the others one by one."""

from datetime import timedelta

import pytest
from django.urls import reverse

from laboratorio import firmas, reglas, reversiones, services
from laboratorio.models import EstadoInforme, Informe
from senasa import reloj
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db

VARIOS = "firmar_varios"


@pytest.fixture(scope="module")
def verificados(certificado, una_vez):
    reglas.apagar(actor=personas()["director"], causa="Auditoría.")
    casos = [crear_caso("verificado") for _n in range(3)] + [crear_caso("verificado", valor="positivo")]
    return [caso.expediente.pk for caso in casos]


@pytest.fixture
def por_firmar(verificados):
    """Three negatives that a machine may not sign, and a positive."""
    return [Informe.objects.get(expediente=pk) for pk in verificados]


def vistos(pagina):
    """What the preview sends on."""
    return {
        "informe": [fila.informe.numero for fila in pagina.context["filas"] if not fila.por_que],
        **{f"visto-{fila.informe.numero}": fila.visto for fila in pagina.context["filas"]},
    }


def test_se_miran_antes_y_se_firman_los_negativos(por_firmar, entrar):
    director = entrar("director")
    cola = director.get(reverse("firmas")).content.decode()
    assert cola.index(por_firmar[3].numero) < cola.index(por_firmar[0].numero)  # the positive first
    pagina = director.get(reverse(VARIOS), {"informe": [informe.numero for informe in por_firmar]})
    assert pagina.context["firmables"] == 3
    assert "se firma por separado" in pagina.content.decode()
    hecho = director.post(reverse(VARIOS), vistos(pagina))
    assert [fila.hecho for fila in hecho.context["filas"]] == [True] * 3
    with reloj.fijado(reloj.ahora() + timedelta(seconds=1)):
        firmas.barrer_informes()
    estados = [Informe.objects.get(pk=informe.pk).estado for informe in por_firmar]
    assert estados == [EstadoInforme.EMITIDO] * 3 + [EstadoInforme.POR_FIRMAR]
    otra_vez = director.post(reverse(VARIOS), vistos(pagina))
    assert [fila.hecho for fila in otra_vez.context["filas"]] == [False] * 3
    assert "Está ahora en «Emitido»" in otra_vez.content.decode()


def test_un_positivo_no_entra_aunque_se_mande(por_firmar, entrar):
    director, positivo = entrar("director"), por_firmar[3]
    pagina = director.get(reverse(VARIOS), {"informe": positivo.numero})
    datos = {"informe": positivo.numero, **{k: v for k, v in vistos(pagina).items() if k.startswith("visto")}}
    assert not director.post(reverse(VARIOS), datos).context["filas"][0].hecho
    positivo.refresh_from_db()
    assert positivo.estado == EstadoInforme.POR_FIRMAR


def test_lo_que_cambio_desde_que_se_vio_queda_fuera_y_lo_demas_se_firma(por_firmar, entrar, gente):
    director = entrar("director")
    pagina = director.get(reverse(VARIOS), {"informe": [informe.numero for informe in por_firmar[:2]]})
    analisis = por_firmar[0].solicitud.analisis.first()
    reversiones.revertir(analisis=analisis, actor=gente["verificador"], motivo="dato-errado", texto="x")
    services.registrar(analisis=analisis, actor=analisis.analista, valor="negativo")
    services.verificar(analisis=analisis, actor=gente["verificador"])
    filas = director.post(reverse(VARIOS), vistos(pagina)).context["filas"]
    assert {fila.informe.numero: fila.hecho for fila in filas} == {
        por_firmar[0].numero: False, por_firmar[1].numero: True,
    }  # fmt: skip
    assert "cambiaron" in next(fila.por_que for fila in filas if not fila.hecho)


def test_nada_marcado_o_basura_se_dice(entrar):
    director = entrar("director")
    assert "No marcó ningún informe" in director.get(reverse(VARIOS)).content.decode()
    assert director.post(reverse(VARIOS), {"informe": "IE-1"}).status_code == 422


def test_pregunta_otra_vez_quien_es(por_firmar, client, gente):
    client.force_login(gente["director"])
    respuesta = client.post(reverse(VARIOS), {"informe": por_firmar[0].numero})
    assert respuesta.url.startswith(reverse("account_reauthenticate"))


def test_la_cola_se_gira_y_se_estrecha_en_la_direccion(por_firmar, entrar, gente):
    director = entrar("director")

    def cuales(ver):
        contexto = director.get(reverse("firmas"), {"ver": ver}).context
        return [fila.numero for parte in ("de_uno_en_uno", "negativos") for fila in contexto[parte]]

    assert set(cuales("")) == {informe.numero for informe in por_firmar} == set(cuales("perecibles"))
    assert cuales("antiguos") == [por_firmar[3].numero, *(informe.numero for informe in por_firmar[:3])]
    assert cuales("mios") == []
    firmas.firmar_fuera(informe=por_firmar[0], actor=gente["director"])
    contexto = director.get(reverse("firmas"), {"ver": "mios"}).context
    assert [fila.numero for fila in contexto["fuera"]] == [por_firmar[0].numero]
    assert director.get(reverse("firmas"), {"ver": "basura"}).status_code == 200

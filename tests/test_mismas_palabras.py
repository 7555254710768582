"""Before a report is issued everybody outside the laboratory reads the same, whatever it will say.

The same case four times, each in a transaction of its own: negative in its grace time; positive at the director's,
with a gel behind it; stepped back from a positive and at the director's; and negative with a signature that failed.
Every surface outside the laboratory is read and compared, letter by letter, but for numbers and hours.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from difflib import unified_diff
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as ajustes
from django.core.cache import cache as memoria
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.exportar import exportar
from expedientes.archivos import del_certificado
from expedientes.models import AgenteAduana
from laboratorio import firmas, reversiones, services
from laboratorio.demo import CLAVE
from laboratorio.models import EstadoInforme, Informe, Muestra
from laboratorio.recorrido import Caso
from notificaciones import enlaces
from notificaciones.models import Notificacion
from notificaciones.services import enlace_para
from senasa import reloj
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db
INICIO = datetime(2026, 3, 2, 14, tzinfo=timezone.get_default_timezone())
AJENOS = ("atencion", "inspector", "mesa", "direccion", "jefe")
VARIABLE = re.compile(
    r'name="csrfmiddlewaretoken" value="[^"]+"|nonce="[^"]+"|/seguimiento/[\w.~-]{20,}/'
    r"|[0-9a-f]{40,64}|<[\w-]+@senasa\.example>"
)


def _registrar(caso: Caso, valor: str) -> None:
    for i, analisis in enumerate(caso.analisis):
        if analisis.estado == "en_proceso":
            suyo = valor if i == 0 else "negativo"
            plaga = analisis.plaga if suyo == "positivo" else None
            resultado = services.registrar(analisis=analisis, actor=analisis.analista, valor=suyo, plaga=plaga)
            if plaga:
                gel = del_certificado("gel.xml", b"<gel/>")
                services.guardar_evidencia(
                    archivo=gel, muestra=analisis.muestra, actor=analisis.analista, resultado=resultado
                )


def _verificar(caso: Caso) -> None:
    for analisis in caso.por_hacer("registrado"):
        for vez in range(analisis.metodo.verificaciones):
            services.verificar(analisis=analisis, actor=caso.verificadores[vez])


def negativo(caso: Caso, _settings: Any) -> None:
    _registrar(caso, "negativo")
    _verificar(caso)


def positivo(caso: Caso, _settings: Any) -> None:
    _registrar(caso, "positivo")
    _verificar(caso)


def revertido(caso: Caso, _settings: Any) -> None:
    """Verified positive, stepped back by its verifier, negative at the second time: for the director all the same."""
    positivo(caso, _settings)
    reversiones.revertir(
        analisis=caso.analisis[0], actor=caso.personas["verificador"], motivo="dato-errado", texto="Era otra placa."
    )
    negativo(caso, _settings)


def muestra_revertida(caso: Caso, _settings: Any) -> None:
    """All its work gone back and done again by the same people."""
    _registrar(caso, "indeterminado")
    analistas = {analisis.pk: analisis.analista for analisis in caso.analisis}
    reversiones.revertir_analisis(
        muestra=Muestra.objects.get(), actor=caso.personas["verificador"], motivo="contaminacion", texto="Ácaros."
    )
    for analisis in caso.analisis:
        services.asignar(analisis=analisis, analista=analistas[analisis.pk], actor=caso.personas["recepcion"])
        services.iniciar(analisis=analisis, actor=analistas[analisis.pk])
    negativo(caso, _settings)


def fallido(caso: Caso, settings: Any) -> None:
    negativo(caso, settings)
    settings.FIRMA_P12 = "/no/esta.p12"
    with reloj.fijado(reloj.ahora() + timedelta(minutes=40)):
        firmas.barrer_informes()


ESTADO = {
    negativo: EstadoInforme.EN_GRACIA, positivo: EstadoInforme.POR_FIRMAR, revertido: EstadoInforme.POR_FIRMAR,
    muestra_revertida: EstadoInforme.POR_FIRMAR, fallido: EstadoInforme.FIRMA_FALLIDA,
}  # fmt: skip


def _dicho(contenido: bytes) -> str:
    """A text as it reads, but for what must differ: numbers, hours, codes."""
    return re.sub(r"\d+", "#", VARIABLE.sub("§", contenido.decode()))


def _entrar(quien: str) -> Client:
    memoria.clear()
    navegador = Client()
    assert navegador.post(reverse("account_login"), {"login": quien, "password": CLAVE}).status_code == 302
    return navegador


def superficies(caso: Caso) -> Iterator[tuple[str, str]]:
    """Everything of the case that somebody outside the laboratory may read."""
    numero = caso.expediente.numero
    muestra = Muestra.objects.get()
    for quien in AJENOS:
        navegador = _entrar(quien)
        direcciones = {
            "caso": reverse("expediente", args=[numero]),
            "tablero": reverse("tablero"),
            "tablero exportado": reverse("tablero_csv"),
            "reunión": reverse("reunion"),
            "búsqueda": f"{reverse('buscar')}?q={numero}",
            "búsqueda de la muestra": f"{reverse('buscar')}?q={muestra.numero}",
            "atención": f"{reverse('atencion')}?q={numero}",
            "muestra": reverse("muestra", args=[muestra.numero]),
            "adjunto": reverse("adjunto", args=[numero, 1]),
        }
        for evidencia in muestra.evidencias.all():
            assert navegador.get(reverse("evidencia", args=[evidencia.pk])).status_code == 404
            assert navegador.get(reverse("adjunto", args=[numero, evidencia.adjunto_id])).status_code == 404
        # An act whose moment has passed tells what others did meanwhile.
        tarde = navegador.post(reverse("partida_inspeccionar", args=[numero, 1]), {"visto": "1"})
        yield f"{quien}: llega tarde", f"{tarde.status_code} {_dicho(tarde.content)}"
        for nombre, url in direcciones.items():
            respuesta = navegador.get(url)
            contenido = b"".join(respuesta.streaming_content) if respuesta.streaming else respuesta.content
            yield f"{quien}: {nombre}", f"{respuesta.status_code} {_dicho(contenido)}"
    for correo in (caso.expediente.importador.correo, caso.expediente.agente.correo):
        enlace = enlace_para(referencia=caso.expediente.referencia, correo=correo)
        pagina = Client().get(reverse("seguimiento", args=[enlaces.token(enlace)]), follow=True)
        assert numero in pagina.content.decode()
        yield f"seguimiento de {correo}", _dicho(pagina.content)
    for con_datos in (True, False):
        destino = io.BytesIO()
        exportar(caso.expediente, destino, con_datos_personales=con_datos)
        with zipfile.ZipFile(destino) as paquete:
            for n, nombre in enumerate(sorted(paquete.namelist())):
                yield f"exportado {con_datos}, {n}: {_dicho(nombre.encode())}", _dicho(paquete.read(nombre))
    for n, aviso in enumerate(Notificacion.objects.order_by("id")):
        yield (
            f"aviso {n}, {aviso.aviso} a {aviso.correo}",
            _dicho(f"{aviso.asunto}\n{aviso.texto}\n{aviso.html}".encode()),
        )


@cache
def leido_de_un_negativo() -> dict[str, str]:
    """What the others are held against: read once by each process, the hour being fixed."""
    return leido(negativo, ajustes)


def leido(camino: Callable[[Caso, Any], None], settings: Any) -> dict[str, str]:
    p12 = settings.FIRMA_P12
    agente = AgenteAduana(tipo_documento="ruc", numero_documento="20999900039", nombre="Ag", correo="ag@aduana.example")
    with transaction.atomic():
        agente.save()
        with reloj.fijado(INICIO):
            caso = crear_caso("en_proceso", producto="durazno", agente=agente, hace=timedelta(0))
        with reloj.fijado(INICIO + timedelta(hours=30)):
            camino(caso, settings)
        settings.FIRMA_P12 = p12
        informe = Informe.objects.get()
        assert informe.estado == ESTADO[camino]
        despues = timedelta(minutes=50 if camino is fallido else 20)
        with reloj.fijado(INICIO + timedelta(hours=30) + despues):
            paginas = dict(superficies(caso))
        transaction.set_rollback(True)
    return paginas


@pytest.mark.parametrize("camino", [positivo, revertido, muestra_revertida, fallido])
def test_antes_de_la_emision_todos_leen_lo_mismo(certificado: Path, settings: Any, camino: Callable) -> None:
    esperado, hay = leido_de_un_negativo(), leido(camino, settings)
    assert len(hay) > 40
    distintas = []
    for nombre in sorted(esperado | hay):
        if esperado.get(nombre) != hay.get(nombre):
            lineas = unified_diff(
                esperado.get(nombre, "—").splitlines(), hay.get(nombre, "—").splitlines(), "negativo", camino.__name__,
                lineterm="", n=0,
            )  # fmt: skip
            distintas.append("\n".join([f"== {nombre}", *list(lineas)[:25]]))
    assert not distintas, "\n".join(distintas)

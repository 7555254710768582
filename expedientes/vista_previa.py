"""A notice as it would arrive, on a real case: nothing is owed, nothing sent, and no link in it opens anything."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.template.loader import render_to_string

from notificaciones import enlaces
from notificaciones.models import Notificacion
from notificaciones.services import LUGAR_DE_PREFERENCIAS, LUGAR_DEL_ENLACE
from senasa.models import Usuario

from . import avisos, textos
from .models import Evento, Expediente, Partida, TextoDeAviso
from .textos import Audiencia, Datos, Texto

# How many of the latest notices of the kind are looked at for one that this text would tell.
CUANTOS = 12


@dataclass(frozen=True)
class Muestra:
    """`vivido`: whether the case really was told this; else what it lacks reads «‹producto de la partida›»."""

    expediente: Expediente
    evento: Evento
    partida: Partida | None
    vivido: bool


def elegir(texto: Texto, user: Usuario, numero: str = "") -> Muestra | None:
    """The case to show the text on: the one asked for, or the last that was told it; None when `user` sees none."""
    casos = Expediente.objects.visibles_para(user).select_related("puesto", "importador", "agente", "duplicado_de")
    dichos = Notificacion.objects.filter(aviso=texto.aviso, evento_id__isnull=False).order_by("-enviada_en", "-id")
    if numero:
        caso = casos.filter(numero=numero.strip().upper()).first()
        if caso is None:
            return None
        dichos = dichos.filter(referencia=caso.referencia)
    eventos = Evento.objects.in_bulk([fila.evento_id for fila in dichos.only("evento_id")[:CUANTOS]])
    suyos = casos.in_bulk([evento.expediente_id for evento in eventos.values()])
    for evento in sorted(eventos.values(), key=lambda evento: -evento.pk):
        if (caso := suyos.get(evento.expediente_id)) and _cuenta(texto, muestra := _de(caso, evento, vivido=True)):
            return muestra
    caso = caso if numero else casos.order_by("-id").first()
    ultimo = caso and caso.bitacora.order_by("-n").first()
    return _de(caso, ultimo, vivido=not texto.de_un_acto) if caso and ultimo else None


def _de(expediente: Expediente, evento: Evento, *, vivido: bool) -> Muestra:
    partidas = expediente.partidas.select_related("producto").order_by("orden")
    suya = partidas.filter(pk=evento.objeto_id).first() if evento.objeto == "partida" else None
    return Muestra(expediente, evento, suya or partidas.first(), vivido)


def _cuenta(texto: Texto, muestra: Muestra) -> bool:
    return textos.elegir(texto.aviso, _datos(texto, muestra, Audiencia.IMPORTADOR)) == texto


def _datos(texto: Texto, muestra: Muestra, audiencia: Audiencia) -> Datos:
    return Datos(
        muestra.expediente if texto.de_un_caso else None,
        muestra.evento if texto.de_un_acto else None,
        muestra.partida if texto.de_un_acto else None,
        audiencia,
        {"observacion": muestra.expediente.observaciones.order_by("-id").first(), "dias": enlaces.TODOS_VALE.days},
        de_muestra=True,
    )


@dataclass(frozen=True)
class Correo:
    asunto: str
    texto: str
    html: str


def componer(
    texto: Texto, audiencia: Audiencia, version: TextoDeAviso | None, muestra: Muestra, *, oscuro: bool = False
) -> Correo:
    """The subject, the plain text and the HTML of that version; its links lead to the front page alone."""
    datos = _datos(texto, muestra, audiencia)
    titulo, parrafos = textos.redactar(texto, datos, version)
    con_enlace = texto.nombre not in {"recibo", "agente_retirado"}
    contexto = {**avisos.contexto_de(texto.aviso, titulo, parrafos, datos, con_enlace=con_enlace), "oscuro": oscuro}
    partes = []
    for plantilla in ("correos/base.txt", "correos/base.html"):
        parte = str(render_to_string(plantilla, contexto))
        for lugar in (LUGAR_DEL_ENLACE, LUGAR_DE_PREFERENCIAS):
            parte = parte.replace(lugar, settings.SITIO_URL)
        partes.append(parte)
    return Correo(avisos.asunto(titulo, datos.caso), *partes)

"""What each notice says and to whom: renders the texts and puts them in the outbox."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from notificaciones import internos
from notificaciones.services import LUGAR_DEL_ENLACE, encolar, enlace_para
from senasa.models import Usuario

from .models import Evento, Expediente, Partida


def destinatarios(expediente: Expediente) -> list[str]:
    """The addresses that follow the case: the importer's and the broker's, each once."""
    correos = [expediente.importador.correo]
    if expediente.agente:
        correos.append(expediente.agente.correo)
    return list(dict.fromkeys(correo.lower() for correo in correos if correo))


def deber(aviso: str, *, expediente: Expediente, evento: Evento, partida: Partida | None = None, **mas: Any) -> None:
    """Owe `aviso` to everybody who follows the case, within the act's transaction."""
    for correo in destinatarios(expediente):
        deber_a(correo, aviso, expediente=expediente, evento=evento, partida=partida, **mas)


def deber_a(
    correo: str,
    aviso: str,
    *,
    expediente: Expediente,
    evento: Evento,
    partida: Partida | None = None,
    con_enlace: bool = True,
    **mas: Any,
) -> None:
    """Owe `aviso` to one address. The same event never owes it twice. Who lost the case gets no link to it."""
    titulo, parrafos = redactar(aviso, expediente=expediente, evento=evento, partida=partida, **mas)
    contexto = {
        "titulo": titulo,
        "parrafos": parrafos,
        "expediente": expediente,
        "enlace": LUGAR_DEL_ENLACE if con_enlace else "",
    }
    encolar(
        clave=f"{aviso}:{evento.pk}:{correo}",
        correo=correo,
        asunto=f"{expediente.numero}: {titulo}",
        texto=render_to_string("correos/base.txt", contexto),
        html=render_to_string("correos/base.html", contexto),
        aviso=aviso,
        referencia=expediente.referencia,
        evento_id=evento.pk,
        enlace=enlace_para(referencia=expediente.referencia, correo=correo) if con_enlace else None,
    )


def deber_al_personal(
    quienes: Iterable[Usuario],
    aviso: str,
    *,
    clave: str,
    url: str = "",
    referencia: str = "",
    por_correo: bool = True,
    **contexto: Any,
) -> None:
    """Tell members of the staff, each once for the same `clave`: by the bell always, by mail unless told otherwise.

    `url`: the page it is about; `referencia`: what it is about, for `internos.dar_por_leidos`.
    Never put the importer in `contexto`: of those who read it some must not know whose cargo it is.
    """
    quienes = list(quienes)
    titulo, parrafos = leer(aviso, contexto)
    internos.deber(
        quienes, clave=clave, aviso=aviso, titulo=titulo, detalle="\n".join(parrafos), url=url, referencia=referencia
    )
    if not por_correo:
        return
    textos = {"titulo": titulo, "parrafos": parrafos, "interno": True, "enlace": settings.SITIO_URL + url}
    for correo in sorted({persona.email.lower() for persona in quienes if persona.email}):
        encolar(
            clave=f"{clave}:{correo}",
            correo=correo,
            asunto=titulo,
            texto=render_to_string("correos/base.txt", textos),
            html=render_to_string("correos/base.html", textos),
            aviso=aviso,
            referencia=f"interno:{clave}"[:60],
        )


def redactar(
    aviso: str, *, expediente: Expediente, evento: Evento, partida: Partida | None = None, **mas: Any
) -> tuple[str, list[str]]:
    """What `aviso` says of a case: the news in one line, then its paragraphs, as plain text."""
    dictamen = partida.dictamen if partida else None
    contexto = {
        "expediente": expediente,
        "partida": partida,
        "evento": evento,
        "dictamen": dictamen,
        "medida": dictamen.medidas.order_by("-id").first() if dictamen else None,
        "observacion": expediente.observacion,
        "varias": expediente.partidas.count() > 1,
        **mas,
    }
    return leer(aviso, contexto)


def leer(aviso: str, contexto: dict[str, Any]) -> tuple[str, list[str]]:
    """A notice is one file, `correos/<aviso>.txt`: its first line is the news, blank lines part the paragraphs."""
    titulo, _salto, cuerpo = render_to_string(f"correos/{aviso}.txt", contexto).strip().partition("\n")
    return " ".join(titulo.split()), [" ".join(parrafo.split()) for parrafo in cuerpo.split("\n\n") if parrafo.strip()]

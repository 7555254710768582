"""To whom each notice is owed: chooses its text, renders the mail and puts it in the outbox. The texts: `textos.py`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from notificaciones import enlaces, internos, preferencias
from notificaciones.models import Enlace
from notificaciones.services import LUGAR_DE_PREFERENCIAS, LUGAR_DEL_ENLACE, encolar, enlace_para
from senasa.models import Usuario

from . import textos
from .models import TERMINADOS, Evento, Expediente, Partida
from .textos import Audiencia, Datos, Trato

# How long a link still opens a case that has ended.
ENLACE_TRAS_EL_CIERRE = timedelta(days=180)


def enlace_a(expediente: Expediente, correo: str) -> Enlace:
    """The live link of an address to a case. One asked for after the end lasts no longer than one of before."""
    enlace = enlace_para(referencia=expediente.referencia, correo=correo)
    if expediente.estado in TERMINADOS and enlace.vence_en is None:
        enlaces.vencer(referencia=expediente.referencia, dentro_de=ENLACE_TRAS_EL_CIERRE)
    return enlace


def destinatarios(expediente: Expediente) -> list[str]:
    """The addresses that follow the case: the importer's and the broker's, each once."""
    correos = [expediente.importador.correo]
    if expediente.agente:
        correos.append(expediente.agente.correo)
    return list(dict.fromkeys(correo.lower() for correo in correos if correo))


def deber(aviso: str, *, expediente: Expediente, evento: Evento, partida: Partida | None = None, **mas: Any) -> None:
    """Owe `aviso` to everybody who follows the case, within the act's transaction; to nobody while it is off."""
    if textos.apagado(aviso):
        return
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
    correo = correo.lower()
    _deber(
        correo,
        aviso,
        Datos(expediente, evento, partida, audiencia_de(correo, expediente), mas),
        clave=str(evento.pk),
        referencia=expediente.referencia,
        enlace=enlace_a(expediente, correo) if con_enlace else None,
    )


def deber_enlace(
    aviso: str, *, enlace: Enlace, audiencia: Audiencia, clave: str, expediente: Expediente | None = None, **mas: Any
) -> None:
    """Owe the address of `enlace` the link that was asked for: to one case, or to all. The same `clave`: once."""
    datos = Datos(expediente, None, None, audiencia, mas)
    _deber(enlace.correo, aviso, datos, clave=clave, referencia=enlace.referencia, enlace=enlace)


def audiencia_de(correo: str, expediente: Expediente) -> Audiencia:
    """As whom that address follows the case."""
    return Audiencia.IMPORTADOR if correo == expediente.importador.correo.lower() else Audiencia.AGENTE


def _deber(correo: str, aviso: str, datos: Datos, *, clave: str, referencia: str, enlace: Enlace | None) -> None:
    with translation.override("es-pe"):  # whatever language the page has on which somebody did it
        titulo, parrafos, version = redactar(aviso, datos)
        contexto = contexto_de(aviso, titulo, parrafos, datos, con_enlace=enlace is not None)
        texto, html = render_to_string("correos/base.txt", contexto), render_to_string("correos/base.html", contexto)
    encolar(
        clave=f"{aviso}:{clave}:{correo}",
        correo=correo,
        asunto=asunto(titulo, datos.caso),
        texto=texto,
        html=html,
        aviso=aviso,
        referencia=referencia,
        evento_id=datos.acto.pk if datos.acto else None,
        enlace=enlace,
        preferencia=preferencias.de(correo) if enlace else None,
        dejable=textos.trato(aviso) == Trato.NOTICIA,
        version_del_texto=version,
    )


def asunto(titulo: str, expediente: Expediente | None) -> str:
    """The subject of a mail: whose news it is, and the news."""
    return f"{expediente.numero}: {titulo}" if expediente else titulo


def escribir(
    aviso: str,
    *,
    correo: str,
    referencia: str,
    clave: str,
    enlace: Enlace | None = None,
    **mas: Any,
) -> None:
    """Owe `aviso` to an address that has no case yet, in the language of its page. The same `clave` owes it once."""
    titulo, parrafos = leer(aviso, mas)
    contexto = {"titulo": titulo, "parrafos": parrafos, "enlace": LUGAR_DEL_ENLACE if enlace else ""}
    encolar(
        clave=f"{aviso}:{clave}",
        correo=correo,
        asunto=titulo,
        texto=render_to_string("correos/base.txt", contexto),
        html=render_to_string("correos/base.html", contexto),
        aviso=aviso,
        referencia=referencia,
        enlace=enlace,
    )


def contexto_de(
    aviso: str, titulo: str, parrafos: list[str], datos: Datos, *, con_enlace: bool = True
) -> dict[str, Any]:
    """What the templates of a mail to an importer or a broker ask for."""
    return {
        "aviso": aviso,
        "titulo": titulo,
        "parrafos": parrafos,
        "expediente": datos.caso,
        # Who clears the goods of many importers looks for the importer first.
        "de_quien": datos.caso.importador.nombre if datos.caso and datos.audiencia == Audiencia.AGENTE else "",
        "enlace": LUGAR_DEL_ENLACE if con_enlace else "",
        "preferencias": LUGAR_DE_PREFERENCIAS if con_enlace else "",
    }


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
    pagina = {"titulo": titulo, "parrafos": parrafos, "interno": True, "enlace": settings.SITIO_URL + url}
    for correo in sorted({persona.email.lower() for persona in quienes if persona.email}):
        encolar(
            clave=f"{clave}:{correo}",
            correo=correo,
            asunto=titulo,
            texto=render_to_string("correos/base.txt", pagina),
            html=render_to_string("correos/base.html", pagina),
            aviso=aviso,
            referencia=f"interno:{clave}"[:60],
        )


def redactar(aviso: str, datos: Datos) -> tuple[str, list[str], str]:
    """What `aviso` says of a case to that audience: the news in one line, its paragraphs, and which version says so."""
    texto = textos.elegir(aviso, datos)
    if texto is None:  # a notice of code alone
        titulo, parrafos = leer(
            aviso, {"expediente": datos.caso, "partida": datos.partida, "evento": datos.acto, **datos.mas}
        )
        return titulo, parrafos, ""
    audiencia = datos.audiencia if datos.audiencia in texto.audiencias else texto.audiencias[0]
    version = textos.vigente(texto.nombre, audiencia)
    titulo, parrafos = textos.redactar(texto, datos, version)
    return titulo, parrafos, f"{texto.nombre}/{audiencia}/{version.version if version else 0}"


def escrito_a(version_del_texto: str) -> str:
    """To whom a mail was written, as `redactar` noted it; nothing for one of code alone."""
    return version_del_texto.partition("/")[2].partition("/")[0]


def leer(aviso: str, contexto: dict[str, Any]) -> tuple[str, list[str]]:
    """A notice that is not about a case, or not to its owner: a template of ours, which nobody edits."""
    return textos.partir(render_to_string(f"correos/{aviso}.txt", contexto), aviso=aviso)

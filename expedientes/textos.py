"""What the notices of a case say: their texts, the few data that a text may name, and which version of it speaks.

A text is plain: its first line is the news, blank lines part its paragraphs, and `{numero}` stands for a datum out of a
closed list. It is no template: staff write it, so it can neither call anything nor read anything else, and what a datum
holds is never looked at again, whatever braces, tags or line breaks it brings along.

The file `templates/correos/<nombre>.txt` is version 0. Others are rows: never edited, put in force by an act, and back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from notificaciones.services import CON_CODIGO, LUGAR_DE_PREFERENCIAS, LUGAR_DEL_CODIGO, LUGAR_DEL_ENLACE
from senasa import reloj
from senasa.models import Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from .models import Estado, Evento, Expediente, InterruptorDeAviso, Partida, TextoDeAviso, VigenciaDeTexto

# Who decides what the institution says and when it is silent. Not the counter nor the post: one text speaks for all of
# them, and an edited one reaches every importer of the country.
DECIDEN = (Rol.DIRECCION, Rol.ADMINISTRADOR)
MAX_TITULO = 120
MAX_CUERPO = 4000


class Audiencia(StrEnum):
    IMPORTADOR = "importador"
    AGENTE = "agente"


class Trato(StrEnum):
    """How far a notice may be held back, and by whom."""

    FIJO = "fijo"  # nobody can: it carries a right, a term, a decision, or the way in
    URGENTE = "urgente"  # the institution may switch it off; no reader may put it off or stop it
    NOTICIA = "noticia"  # news that asks nothing: readers may gather it in a digest or stop it


# What is not here is FIJO. Reports, observations and decisions because a term or a right begins with them; the links,
# receipts and changes of address or broker because they are how somebody notices what was done in his name.
TRATOS = {
    "incorporado": Trato.NOTICIA,
    "respondida": Trato.NOTICIA,
    "inspeccionada": Trato.NOTICIA,
    "enviada": Trato.NOTICIA,
    "medida_cumplida": Trato.NOTICIA,
    "cerrado": Trato.NOTICIA,
    "trasladado": Trato.NOTICIA,
    "programada": Trato.URGENTE,
    "no_presentada": Trato.URGENTE,
    "medida_ordenada": Trato.URGENTE,
    "reabierto": Trato.URGENTE,
    "abandonado": Trato.URGENTE,
    "desistido": Trato.URGENTE,
    "anulado": Trato.URGENTE,
}


def trato(aviso: str) -> Trato:
    return TRATOS.get(aviso, Trato.FIJO)


# ── The data that a text may name ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Datos:
    """What a notice is about. `mas`: what its act knows besides.

    A link that was asked for is of no act, and one to all cases of no case either; their texts name nothing of those.
    """

    caso: Expediente | None
    acto: Evento | None
    partida: Partida | None = None
    audiencia: Audiencia = Audiencia.IMPORTADOR
    mas: dict[str, Any] = field(default_factory=dict)
    de_muestra: bool = False  # a preview: what the case lacks is named

    @property
    def expediente(self) -> Expediente:
        assert self.caso
        return self.caso

    @property
    def evento(self) -> Evento:
        assert self.acto
        return self.acto

    @cached_property
    def varias(self) -> bool:
        return self.expediente.partidas.count() > 1

    @cached_property
    def dictamen(self) -> Any:
        return self.partida.dictamen if self.partida else None

    @cached_property
    def medida(self) -> Any:
        return self.dictamen.medidas.order_by("-id").first() if self.dictamen else None

    @cached_property
    def observacion(self) -> Any:
        return self.mas.get("observacion") or self.expediente.observacion


@dataclass(frozen=True)
class Dato:
    """`falta`: a case may lack it, and then the paragraph that names it is left out. `lista`: a paragraph for each."""

    que: str
    leer: Callable[[Datos], Any]
    falta: bool = False
    lista: bool = False


def _dia(momento: date | datetime | None, forma: str = r"j \d\e F \d\e Y") -> str:
    if momento is None:
        return ""
    return date_format(timezone.localtime(momento) if isinstance(momento, datetime) else momento, forma)


def _hora(momento: datetime | None) -> str:
    return _dia(momento, r"j \d\e F, H:i")


def _largo(momento: date | datetime | None) -> str:
    return _dia(momento, r"l j \d\e F \d\e Y").lower()


def _la_carga(d: Datos) -> str:
    if d.varias and d.partida:
        return f"la partida {d.partida.orden}"
    return "la carga" if d.audiencia == Audiencia.AGENTE else "su carga"


def _su_expediente(d: Datos) -> str:
    return f"el expediente de {d.expediente.importador.nombre}" if d.audiencia == Audiencia.AGENTE else "su expediente"


def _linea(d: Datos) -> str:
    if d.partida is None:
        return ""
    return f"Partida {d.partida.orden}, {d.partida.producto.nombre}" if d.varias else d.partida.producto.nombre


DATOS: dict[str, Dato] = {
    "numero": Dato("número del expediente", lambda d: d.expediente.numero),
    "su_expediente": Dato("«su expediente»; al agente, «el expediente de» quien importa", _su_expediente),
    "importador": Dato("nombre de quien importa", lambda d: d.expediente.importador.nombre),
    "agente": Dato(
        "nombre del agente de aduana", lambda d: d.expediente.agente and d.expediente.agente.nombre, falta=True
    ),
    "puesto": Dato("nombre del puesto que tiene el expediente", lambda d: d.expediente.puesto.nombre),
    "lugar": Dato("dónde queda el puesto", lambda d: d.expediente.puesto.lugar),
    "fecha": Dato("día del acto", lambda d: _dia(d.evento.ocurrio_en)),
    "fecha_y_hora": Dato("día y hora del acto", lambda d: _hora(d.evento.ocurrio_en)),
    "nota": Dato("lo que escribió quien hizo el acto", lambda d: d.evento.texto, falta=True),
    "producto": Dato("producto de la partida", lambda d: d.partida and d.partida.producto.nombre),
    "linea": Dato("producto, y la partida si hay varias", _linea),
    "la_carga": Dato("«su carga», o «la partida 2» si hay varias", _la_carga),
    "de_la_partida": Dato(
        "«de la partida 2» si hay varias; si no, nada",
        lambda d: f"de la partida {d.partida.orden}" if d.varias and d.partida else "",
    ),
    "cierre": Dato(
        "cuándo se cierra el expediente",
        lambda d: (
            "el expediente se cierra cuando terminan todas sus partidas" if d.varias else "el cierre del expediente"
        ),
    ),
    "cita": Dato(
        "día y hora de la inspección",
        lambda d: _dia(d.partida.cita_en if d.partida else None, r"l j \d\e F, H:i").lower(),
    ),
    "terminal": Dato("lugar de la inspección", lambda d: d.partida and d.partida.terminal),
    "vence": Dato("último día para responder", lambda d: d.observacion and _largo(d.observacion.vence_en)),
    "faltas": Dato(
        "lista de lo que falta, un párrafo cada una",
        lambda d: [f"{n}. {punto}" for n, punto in enumerate(d.observacion.lista if d.observacion else [], 1)],
        lista=True,
    ),
    "documento": Dato("número del informe", lambda d: d.evento.datos.get("documento"), falta=True),
    "corrige": Dato("número del informe que se revisa", lambda d: d.evento.datos.get("corrige")),
    "decision": Dato("decisión del dictamen", lambda d: d.dictamen and d.dictamen.get_decision_display().lower()),
    "fundamento": Dato("fundamento del dictamen", lambda d: d.dictamen and d.dictamen.fundamento),
    "dictamen": Dato("número del RIV", lambda d: d.dictamen and d.dictamen.numero),
    "medida": Dato("medida ordenada", lambda d: d.medida and d.medida.get_tipo_display().lower()),
    "medida_hasta": Dato("último día para cumplirla", lambda d: d.medida and _dia(d.medida.vence_en)),
    "indicaciones": Dato("indicaciones de la medida", lambda d: d.medida and d.medida.indicaciones, falta=True),
    "acta": Dato("acta que la da por cumplida", lambda d: d.medida and d.medida.acta),
    "solicitante": Dato("correo de quien la presentó", lambda d: d.evento.datos.get("solicitante")),
    "numero_anterior": Dato("número en el registro anterior", lambda d: d.expediente.numero_anterior, falta=True),
    "duplicado_de": Dato(
        "expediente que sigue", lambda d: d.expediente.duplicado_de and d.expediente.duplicado_de.numero
    ),
    "poder_hasta": Dato("hasta cuándo vale el poder", lambda d: _dia(d.expediente.poder_hasta), falta=True),
    "dias": Dato("cuántos días vale el enlace", lambda d: d.mas["dias"]),
}
DEL_CASO = ("numero", "su_expediente", "importador", "agente", "puesto", "lugar")
DEL_ACTO = (*DEL_CASO, "fecha", "fecha_y_hora")
DE_PARTIDA = ("producto", "linea", "la_carga", "de_la_partida", "cierre")


# ── The texts ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Texto:
    """One text to be edited. A notice has several when what it tells differs: each decision has its own."""

    nombre: str
    aviso: str
    etapa: str
    titulo: str
    suyos: tuple[str, ...] = ()
    audiencias: tuple[Audiencia, ...] = tuple(Audiencia)
    comunes: tuple[str, ...] = DEL_ACTO

    @property
    def datos(self) -> dict[str, Dato]:
        return {nombre: DATOS[nombre] for nombre in (*self.comunes, *self.suyos)}

    @property
    def de_un_caso(self) -> bool:
        return bool(self.comunes)

    @property
    def de_un_acto(self) -> bool:
        return self.comunes == DEL_ACTO

    @property
    def trato(self) -> Trato:
        return trato(self.aviso)


_IMPORTADOR, _AGENTE = (Audiencia.IMPORTADOR,), (Audiencia.AGENTE,)
_INFORME = (*DE_PARTIDA, "documento", "corrige")
_DICTAMEN = (*DE_PARTIDA, "decision", "fundamento", "dictamen")
_MEDIDA = (*DE_PARTIDA, "medida", "medida_hasta", "indicaciones", "acta")
TEXTOS = {
    texto.nombre: texto
    for texto in (
        Texto("registrada", "registrada", "Solicitud", "Solicitud registrada"),
        Texto("registrada_por_otro", "registrada", "Solicitud", "Solicitud registrada, la presentó otro correo",
              ("solicitante",)),
        Texto("recibo", "recibo", "Solicitud", "Recibo para quien la presentó", audiencias=_IMPORTADOR),
        Texto("incorporado", "incorporado", "Solicitud", "Incorporado desde el registro anterior",
              ("numero_anterior",)),
        Texto("observada", "observada", "Observación", "Expediente observado", ("vence", "faltas", "nota")),
        Texto("observacion_por_vencer", "observacion_por_vencer", "Observación", "Recordatorio de la observación",
              ("vence", "faltas")),
        Texto("respondida", "respondida", "Observación", "Respuesta recibida"),
        Texto("programada", "programada", "Inspección", "Inspección programada", (*DE_PARTIDA, "cita", "terminal")),
        Texto("programada_tarde", "programada", "Inspección", "Inspección programada, anotada después",
              (*DE_PARTIDA, "cita", "terminal")),
        Texto("no_presentada", "no_presentada", "Inspección", "Carga no presentada", (*DE_PARTIDA, "nota")),
        Texto("inspeccionada", "inspeccionada", "Inspección", "Carga inspeccionada", DE_PARTIDA),
        Texto("enviada", "enviada", "Laboratorio", "Muestras enviadas", DE_PARTIDA),
        Texto("informe_emitido", "informe_emitido", "Laboratorio", "Informe emitido", _INFORME),
        Texto("informe_corregido", "informe_corregido", "Laboratorio", "Informe corregido", _INFORME),
        Texto("informe_en_revision", "informe_en_revision", "Laboratorio", "Informe en revisión", _INFORME),
        Texto("informe_anulado", "informe_anulado", "Laboratorio", "Informe anulado", _INFORME),
        Texto("dictamen_ingreso", "dictamen", "Decisión y medida", "Dictamen: ingreso", _DICTAMEN),
        Texto("dictamen_condicionado", "dictamen", "Decisión y medida", "Dictamen: ingreso condicionado", _DICTAMEN),
        Texto("dictamen_rechazo", "dictamen", "Decisión y medida", "Dictamen: rechazo", _DICTAMEN),
        Texto("medida_ordenada", "medida_ordenada", "Decisión y medida", "Medida ordenada", _MEDIDA),
        Texto("medida_cumplida", "medida_cumplida", "Decisión y medida", "Medida cumplida", _MEDIDA),
        Texto("medida_cumplida_toma", "medida_cumplida", "Decisión y medida", "Medida cumplida, nueva muestra",
              _MEDIDA),
        Texto("cerrado", "cerrado", "Fin del expediente", "Expediente cerrado"),
        Texto("reabierto", "reabierto", "Fin del expediente", "Reabierto para dictaminar", ("nota",)),
        Texto("reabierto_inspeccion", "reabierto", "Fin del expediente", "Reabierto para inspeccionar", ("nota",)),
        Texto("abandonado", "abandonado", "Fin del expediente", "Abandono", ("nota",)),
        Texto("desistido", "desistido", "Fin del expediente", "Desistimiento", ("nota",)),
        Texto("anulado", "anulado", "Fin del expediente", "Anulado", ("nota",)),
        Texto("anulado_duplicado", "anulado", "Fin del expediente", "Anulado por repetido", ("nota", "duplicado_de")),
        Texto("trasladado", "trasladado", "Cambios y acceso", "Pasó a otro puesto"),
        Texto("agente_cambiado", "agente_cambiado", "Cambios y acceso", "Cambió el agente", ("poder_hasta",)),
        Texto("agente_cambiado_sin", "agente_cambiado", "Cambios y acceso", "Quedó sin agente",
              audiencias=_IMPORTADOR),
        Texto("agente_retirado", "agente_retirado", "Cambios y acceso", "Retiro del agente anterior",
              audiencias=_AGENTE),
        Texto("correo_corregido", "correo_corregido", "Cambios y acceso", "Correo corregido"),
        Texto("enlace_renovado", "enlace_renovado", "Cambios y acceso", "Enlace enviado de nuevo"),
        Texto("enlace_pedido", "enlace_pedido", "Cambios y acceso", "Enlace pedido por quien lo recibe",
              comunes=DEL_CASO),
        Texto("enlace_de_todos", "enlace_de_todos", "Cambios y acceso", "Enlace a todos sus expedientes", ("dias",),
              comunes=()),
    )
}  # fmt: skip


def elegir(aviso: str, d: Datos) -> Texto | None:
    """Which text tells `aviso` of that case; None when it has no text of this kind."""
    nombre = aviso
    match aviso:
        case "dictamen" if d.dictamen:
            nombre = f"dictamen_{d.dictamen.decision}"
        case "programada" if d.partida and d.partida.cita_en and d.partida.cita_en <= d.evento.registrado_en:
            nombre = "programada_tarde"
        case "medida_cumplida" if d.partida and d.partida.estado == Estado.EN_INSPECCION:
            nombre = "medida_cumplida_toma"
        case "reabierto" if d.evento.a == Estado.EN_INSPECCION:
            nombre = "reabierto_inspeccion"
        case "anulado" if d.expediente.duplicado_de_id:
            nombre = "anulado_duplicado"
        case "agente_cambiado" if not d.expediente.agente_id:
            nombre = "agente_cambiado_sin"
        case "registrada":
            solicitante = d.evento.datos.get("solicitante")
            if solicitante and solicitante != d.expediente.importador.correo.lower():
                nombre = "registrada_por_otro"
    return TEXTOS.get(nombre)


# ── Filling in ────────────────────────────────────────────────────────────────────────────────────

HUECO = re.compile(r"( ?)\{([a-z_]+)\}")
# Signs that turn the direction of what follows, and controls: nothing that a name or a note needs.
INVISIBLES = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")


def limpiar(texto: str, *, con_codigo: bool = False) -> str:
    """One line without what could turn it around, or pass for the place of a link or a code in the mail."""
    linea = " ".join(INVISIBLES.sub(" ", texto).split())
    for lugar in (LUGAR_DEL_ENLACE, LUGAR_DE_PREFERENCIAS, *(() if con_codigo else (LUGAR_DEL_CODIGO,))):
        linea = linea.replace(lugar, lugar.strip("%"))
    return linea


def partir(texto: str, *, aviso: str = "") -> tuple[str, list[str]]:
    """The news and the paragraphs of a text: its first line, and what blank lines part."""
    titulo, _salto, cuerpo = texto.strip().partition("\n")
    con_codigo = aviso == CON_CODIGO
    parrafos = [limpiar(parrafo, con_codigo=con_codigo) for parrafo in re.split(r"\n\s*\n", cuerpo)]
    return limpiar(titulo), [parrafo for parrafo in parrafos if parrafo]


def llenar(titulo: str, parrafos: list[str], d: Datos) -> tuple[str, list[str]]:
    """The text with the case's data in it. Each place is filled once: what a datum says is not read again."""
    llenos: list[str] = []
    for parrafo in parrafos:
        dato = DATOS.get(parrafo[1:-1]) if parrafo[:1] == "{" and parrafo[-1:] == "}" else None
        if dato and dato.lista:
            llenos += [limpiar(linea) for linea in dato.leer(d)] or ([f"‹{dato.que}›"] if d.de_muestra else [])
        elif d.de_muestra or not any(
            DATOS[nombre].falta and not DATOS[nombre].leer(d) for _e, nombre in HUECO.findall(parrafo)
        ):
            llenos.append(_poner(parrafo, d))
    return _poner(titulo, d), [parrafo for parrafo in llenos if parrafo]


def _poner(linea: str, d: Datos) -> str:
    def valor(hueco: re.Match[str]) -> str:
        dato = DATOS[hueco[2]]
        leido = limpiar(str(dato.leer(d) or ""))
        if d.de_muestra and not leido and hueco[2] != "de_la_partida":
            leido = f"‹{dato.que}›"
        return hueco[1] + leido if leido else ""

    lleno = HUECO.sub(valor, linea).strip()
    return lleno[:1].upper() + lleno[1:]


# ── Versions ──────────────────────────────────────────────────────────────────────────────────────


def de_fabrica(nombre: str) -> tuple[str, str]:
    """Title and body of version 0, as the file has them."""
    titulo, _salto, cuerpo = render_to_string(f"correos/{nombre}.txt").strip().partition("\n")
    return titulo, cuerpo


def vigente(nombre: str, audiencia: str) -> TextoDeAviso | None:
    """The version in force for that audience; None while it is the file's."""
    puestas = VigenciaDeTexto.objects.filter(texto=nombre, audiencia=audiencia)
    puesta = puestas.select_related("version").order_by("-id").first()
    return puesta.version if puesta else None


def redactar(texto: Texto, d: Datos, version: TextoDeAviso | None) -> tuple[str, list[str]]:
    """What that version says of the case: the news in one line, then its paragraphs, as plain text."""
    titulo, cuerpo = (version.titulo, version.cuerpo) if version else de_fabrica(texto.nombre)
    return llenar(*partir(f"{titulo}\n{cuerpo}"), d)


def apagado(aviso: str) -> bool:
    """Whether nobody is owed `aviso` now. What is FIJO is always owed."""
    if trato(aviso) == Trato.FIJO:
        return False
    ultima = InterruptorDeAviso.objects.filter(aviso=aviso).order_by("-id").first()
    return ultima is not None and not ultima.encendido


def errores(texto: Texto, titulo: str, cuerpo: str) -> dict[str, list[str]]:
    """Why the text cannot be saved, by field; nothing when it can."""
    hallados: dict[str, list[str]] = {}

    def acusar(campo: str, mensaje: str) -> None:
        hallados.setdefault(campo, []).append(mensaje)

    titulo, cuerpo = titulo.strip(), cuerpo.strip()
    if not titulo:
        acusar("titulo", _("Escriba la noticia: es el asunto del correo."))
    if len(titulo.splitlines()) > 1:
        acusar("titulo", _("El asunto va en una sola línea."))
    if len(titulo) > MAX_TITULO:
        acusar("titulo", _("El asunto admite %(n)s letras como máximo.") % {"n": MAX_TITULO})
    if not cuerpo:
        acusar("cuerpo", _("Escriba al menos un párrafo."))
    if len(cuerpo) > MAX_CUERPO:
        acusar("cuerpo", _("El mensaje admite %(n)s letras como máximo.") % {"n": MAX_CUERPO})
    for campo, escrito in (("titulo", titulo), ("cuerpo", cuerpo.replace("\r\n", "\n"))):
        for mensaje in _errores_de(texto, escrito, en_titulo=campo == "titulo"):
            acusar(campo, mensaje)
    return hallados


def _errores_de(texto: Texto, escrito: str, *, en_titulo: bool) -> list[str]:
    hallados = []
    for nombre in dict.fromkeys(nombre for _espacio, nombre in HUECO.findall(escrito)):
        dato = texto.datos.get(nombre)
        if dato is None:
            puede = ", ".join(f"{{{uno}}}" for uno in texto.datos)
            hallados.append(
                _("«{%(nombre)s}» no es un dato de este aviso. Puede usar: %(puede)s.")
                % {"nombre": nombre, "puede": puede}
            )
        elif dato.lista and (en_titulo or not re.search(rf"(?:\A|\n\s*\n)\s*\{{{nombre}\}}\s*(?:\Z|\n\s*\n)", escrito)):
            hallados.append(_("«{%(nombre)s}» va solo, en un párrafo propio del mensaje.") % {"nombre": nombre})
    if re.search(r"[{}]", HUECO.sub("", escrito)):
        hallados.append(_("Hay una llave «{» o «}» de más: solo encierran el nombre de un dato, como {numero}."))
    if INVISIBLES.search(escrito.replace("\t", " ")):
        hallados.append(_("Hay signos invisibles que cambiarían cómo se lee. Escriba de nuevo esa parte."))
    if any(lugar in escrito for lugar in (LUGAR_DEL_ENLACE, LUGAR_DE_PREFERENCIAS, LUGAR_DEL_CODIGO)):
        hallados.append(_("El enlace personal lo pone el sistema al pie: no se escribe en el texto."))
    if re.search(r"(?i)\b(?!https://)[a-z][a-z0-9+.-]*://|\bwww\.(?<!https://www\.)|javascript:|data:", escrito):
        hallados.append(_("Las direcciones empiezan por https:// y se escriben completas."))
    if re.search(r"<[a-zA-Z/!]", escrito):
        hallados.append(_("No escriba etiquetas: el texto va sin formato."))
    return hallados


def panorama() -> list[tuple[str, list[dict[str, Any]]]]:
    """Every text by stage: whether it is owed, and which version speaks to whom, since when and by whom."""
    puestas = {
        (fila.texto, fila.audiencia): fila
        for fila in VigenciaDeTexto.objects.order_by("texto", "audiencia", "-id")
        .distinct("texto", "audiencia")
        .select_related("version", "autor")
    }
    apagados = {
        fila.aviso: fila
        for fila in InterruptorDeAviso.objects.order_by("aviso", "-id").distinct("aviso").select_related("autor")
        if not fila.encendido and trato(fila.aviso) != Trato.FIJO
    }
    etapas: dict[str, list[dict[str, Any]]] = {}
    for texto in TEXTOS.values():
        etapas.setdefault(texto.etapa, []).append(
            {
                "texto": texto,
                "apagado": apagados.get(texto.aviso),
                "versiones": [(audiencia, puestas.get((texto.nombre, audiencia))) for audiencia in texto.audiencias],
            }
        )
    return list(etapas.items())


def historia(texto: Texto, audiencia: str) -> dict[str, Any]:
    """The versions of a text, the last on top, which speaks, and what was put in force and switched."""
    cuales = {"texto": texto.nombre, "audiencia": audiencia}
    puestas = list(VigenciaDeTexto.objects.filter(**cuales).select_related("version", "autor")[:20])
    return {
        "versiones": list(TextoDeAviso.objects.filter(**cuales).select_related("autor")),
        "vigente": puestas[0].version if puestas else None,
        "puestas": puestas,
        "conmutadas": list(InterruptorDeAviso.objects.filter(aviso=texto.aviso).select_related("autor")[:20]),
    }


def _exigir_quien_decide(actor: Usuario) -> None:
    if not actor.tiene(*DECIDEN):
        raise RolImpide(_("Los textos de los avisos los deciden la dirección y el administrador."))


@transaction.atomic
def escribir(*, texto: Texto, audiencia: str, actor: Usuario, titulo: str, cuerpo: str, causa: str) -> TextoDeAviso:
    """Write the next version of a text. It says nothing to anybody until it is put in force.

    Raises DatoInvalido with every objection beside its field.
    """
    _exigir_quien_decide(actor)
    hallados = errores(texto, titulo, cuerpo)
    if not causa.strip():
        hallados["causa"] = [_("Escriba por qué cambia el texto.")]
    if hallados:
        raise DatoInvalido(hallados)
    suyas = TextoDeAviso.objects.filter(texto=texto.nombre, audiencia=audiencia)
    ultima = suyas.order_by("-version").select_for_update().first()  # the unique key settles a tie of the very first
    return TextoDeAviso.objects.create(
        texto=texto.nombre,
        audiencia=audiencia,
        version=ultima.version + 1 if ultima else 1,
        titulo=titulo.strip(),
        cuerpo=cuerpo.strip().replace("\r\n", "\n"),
        autor=actor,
        causa=causa.strip(),
        creado_en=reloj.ahora(),
    )


@transaction.atomic
def poner_en_vigor(*, texto: Texto, audiencia: str, version: int, actor: Usuario, causa: str) -> VigenciaDeTexto:
    """Let a version speak from now on: 0 is the file's. What was already owed keeps its words."""
    _exigir_quien_decide(actor)
    suyas = TextoDeAviso.objects.filter(texto=texto.nombre, audiencia=audiencia)
    cual = suyas.get(version=version) if version else None
    if vigente(texto.nombre, audiencia) == cual:
        raise EstadoImpide(_("Esa versión ya está en vigor."))
    if cual and (malos := errores(texto, cual.titulo, cual.cuerpo)):  # the list of data may have changed since
        raise EstadoImpide(" ".join(mensaje for suyos in malos.values() for mensaje in suyos))
    if not causa.strip():
        raise DatoInvalido({"causa": _("Escriba por qué.")})
    return VigenciaDeTexto.objects.create(
        texto=texto.nombre, audiencia=audiencia, version=cual, autor=actor, causa=causa.strip(), desde=reloj.ahora()
    )


@transaction.atomic
def conmutar(*, aviso: str, encendido: bool, actor: Usuario, causa: str) -> InterruptorDeAviso:
    """Switch a notice on or off for everybody, from now on."""
    _exigir_quien_decide(actor)
    if trato(aviso) == Trato.FIJO:
        raise EstadoImpide(_("Este aviso no se apaga: con él empieza un plazo, un derecho o el acceso al expediente."))
    if apagado(aviso) != encendido:
        raise EstadoImpide(_("El aviso ya está así."))
    if not causa.strip():
        raise DatoInvalido({"causa": _("Escriba por qué.")})
    return InterruptorDeAviso.objects.create(
        aviso=aviso, encendido=encendido, autor=actor, causa=causa.strip(), desde=reloj.ahora()
    )

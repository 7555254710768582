"""The public request, one thing per page; and what a whole request must be, from the pages or from a row of a file.

Answers are kept as they were typed, field by field. A field is the counter's own (`FormularioSolicitud`), so
that it is defined once. `correo` is the confirmed address of whoever asks; None at mesa de partes, which may
leave out name and address of somebody on record.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from senasa.models import Puesto

from .forms import (
    MAX_PARTIDAS,
    FormularioPartida,
    FormularioSolicitud,
    documento_escrito,
    revisar_poder,
    revisar_transporte,
)
from .models import AgenteAduana, Expediente, Importador, Pais, Producto
from .services import PartidaNueva

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

IMPORTADOR, AGENTE = "importador", "agente"
Respuestas = Mapping[str, Any]


class Paso(forms.Form):
    """One page of the request: `propios` are its fields of the counter's form, `palabras` what it says differently
    (label, help), `obligatorios` what the counter may leave out and a stranger may not."""

    titulo: StrOrPromise = ""
    ayuda: StrOrPromise = ""
    propios: Sequence[str] = ()
    obligatorios: Sequence[str] = ()
    palabras: Mapping[str, tuple[Any, Any]] = {}

    def __init__(self, *args: Any, respuestas: Respuestas, correo: str | None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.respuestas, self.correo = respuestas, correo
        for campo in self.campos():
            self.fields[campo] = copy.deepcopy(FormularioSolicitud.base_fields[campo])
            if campo in self.palabras:
                self.fields[campo].label, self.fields[campo].help_text = self.palabras[campo]
            if correo is not None and campo in self.obligatorios:
                self.fields[campo].required = True
        for pregunta in self.fields.values():
            elige = isinstance(pregunta, forms.ChoiceField)
            pregunta.error_messages["required"] = _("Elija una opción.") if elige else _("Falta este dato.")

    def campos(self) -> Sequence[str]:
        return self.propios

    def escrito(self) -> dict[str, str]:
        """What was typed, to be kept; of a valid form only."""
        return {campo: str(self.data.get(campo) or "").strip() for campo in self.fields}

    def legible(self) -> list[tuple[str, str]]:
        """Each answer in words, for the page on which they are checked."""
        return [(str(self[campo].label), _en_palabras(self, campo)) for campo in self.fields]


def _en_palabras(form: forms.Form, campo: str) -> str:
    valor = form.cleaned_data.get(campo)
    eleccion = form.fields[campo]
    if isinstance(valor, datetime):
        return date_format(timezone.localtime(valor), _(r"l j \d\e F \d\e Y, H:i"))
    if isinstance(valor, date):
        return date_format(valor, _(r"j \d\e F \d\e Y"))
    if isinstance(eleccion, forms.ChoiceField) and not isinstance(eleccion, forms.ModelChoiceField):
        opciones: Any = eleccion.choices
        return str(dict(opciones).get(valor, ""))
    if isinstance(valor, list):  # containers and their seals
        return "\n".join(" ".join(par).strip() for par in valor)
    return "" if valor is None else str(valor)


class Quien(Paso):
    titulo = gettext_lazy("¿Quién presenta la solicitud?")
    quien = forms.ChoiceField(
        label=gettext_lazy("Presento la solicitud"),
        choices=[
            (IMPORTADOR, gettext_lazy("Como importador: la carga es mía o de mi empresa")),
            (AGENTE, gettext_lazy("Como agente de aduana, por el importador")),
        ],
        widget=forms.RadioSelect,
    )


class DelImportador(Paso):
    titulo = gettext_lazy("¿Quién importa la carga?")
    propios = (
        "importador_tipo", "importador_numero", "importador_nombre", "importador_correo", "importador_telefono",
        "importador_direccion",
    )  # fmt: skip
    obligatorios = ("importador_nombre", "importador_correo")
    palabras = {
        "importador_tipo": (gettext_lazy("Tipo de documento"), ""),
        "importador_nombre": (gettext_lazy("Nombre o razón social"), ""),
        "importador_correo": (
            gettext_lazy("Correo del importador"),
            gettext_lazy("También le llegan los avisos, con su propio enlace."),
        ),
        "importador_telefono": (gettext_lazy("Teléfono"), gettext_lazy("Por si el inspector necesita llamarle.")),
    }

    def campos(self) -> Sequence[str]:
        """Whoever imports for himself has just confirmed his address."""
        suyo = self.correo is not None and self.respuestas.get("quien") != AGENTE
        return [campo for campo in self.propios if not (suyo and campo == "importador_correo")]

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        _tipo, numero = documento_escrito(self, IMPORTADOR)
        return {**datos, "importador_numero": numero}


class DelAgente(Paso):
    titulo = gettext_lazy("¿Quién es el agente de aduana?")
    ayuda = gettext_lazy("Más adelante podrá adjuntar el poder con el que actúa por el importador.")
    propios = ("agente_tipo", "agente_numero", "agente_nombre", "agente_correo", "poder_desde", "poder_hasta")
    obligatorios = ("agente_numero", "agente_nombre")
    palabras = {
        "agente_tipo": (gettext_lazy("Tipo de documento"), ""),
        "agente_numero": (gettext_lazy("Número de documento"), ""),
        "agente_nombre": (gettext_lazy("Nombre o razón social"), ""),
    }

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["agente_tipo"].required = True

    def campos(self) -> Sequence[str]:
        return [campo for campo in self.propios if not (self.correo is not None and campo == "agente_correo")]

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        _tipo, numero = documento_escrito(self, AGENTE)
        revisar_poder(self)
        return {**datos, "agente_numero": numero}


class AlPuesto(Paso):
    titulo = gettext_lazy("¿A qué puesto llega la carga?")
    propios = ("puesto",)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["puesto"] = forms.ModelChoiceField(
            Puesto.objects.all(), label=self.fields["puesto"].label, to_field_name="codigo", widget=forms.RadioSelect,
            empty_label=None, error_messages=self.fields["puesto"].error_messages,
        )  # fmt: skip


class EnQue(Paso):
    titulo = gettext_lazy("¿Cómo llega la carga?")
    propios = ("transporte",)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        eleccion = self.fields["transporte"]
        assert isinstance(eleccion, forms.ChoiceField)
        eleccion.choices = [(valor, capfirst(str(nombre))) for valor, nombre in Expediente.Transporte.choices]


class Llegada(Paso):
    titulo = gettext_lazy("Los datos de la llegada")
    propios = ("guia_aerea", "nave", "bl", "llegada_en", "retenido_desde", "lugar")
    obligatorios = ("lugar",)
    palabras = {
        "guia_aerea": (gettext_lazy("Guía aérea"), gettext_lazy("Once dígitos, como 999-12345675.")),
        "nave": (gettext_lazy("Nave y viaje"), gettext_lazy("Como «MSC Callao 12W».")),
        "bl": (gettext_lazy("Conocimiento de embarque (BL)"), ""),
        "llegada_en": (gettext_lazy("Cuándo llegó o llegará"), gettext_lazy("Hora de Lima.")),
        "retenido_desde": (
            gettext_lazy("Retenida desde"),
            gettext_lazy("Si la carga ya está detenida a la espera de la inspección."),
        ),
    }

    def campos(self) -> Sequence[str]:
        por_aire = self.respuestas.get("transporte") == Expediente.Transporte.AEREO
        ajenos = {"nave", "bl"} if por_aire else {"guia_aerea"}
        return [campo for campo in self.propios if campo not in ajenos]

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        revisar_transporte(self, self.respuestas.get("transporte", ""))
        return datos


class LosDocumentos(Paso):
    titulo = gettext_lazy("Los documentos de la carga")
    propios = ("pfi", "certificado", "pais_exportacion", "suce", "dam", "declaraciones")
    palabras = {
        "declaraciones": (
            gettext_lazy("Declaraciones adicionales"),
            gettext_lazy("Cópielas del certificado fitosanitario, si las tiene."),
        )
    }


class LineaDePartida(FormularioPartida):
    """A line, with only the fields of the way it arrives."""

    def __init__(self, *args: Any, transporte: str, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if transporte != Expediente.Transporte.GRANEL:
            del self.fields["bodegas"]
        if transporte != Expediente.Transporte.CONTENEDOR:
            del self.fields["contenedores"]

    def escrito(self) -> dict[str, str]:
        return {campo: str(self.data.get(campo) or "").strip() for campo in self.fields}

    def legible(self) -> list[tuple[str, str]]:
        return [(str(self[campo].label), _en_palabras(self, campo)) for campo in self.fields]


PASOS: dict[str, type[Paso]] = {
    "quien": Quien,
    "importador": DelImportador,
    "agente": DelAgente,
    "puesto": AlPuesto,
    "transporte": EnQue,
    "llegada": Llegada,
    "documentos": LosDocumentos,
}
PARTIDAS, ADJUNTOS, REVISAR = "partidas", "adjuntos", "revisar"


def en_orden(respuestas: Respuestas) -> list[str]:
    """The pages that this request goes through."""
    con_agente = respuestas.get("quien") == AGENTE
    return [*(paso for paso in PASOS if paso != "agente" or con_agente), PARTIDAS, ADJUNTOS, REVISAR]


def catalogos() -> dict[str, Any]:
    """What a line chooses from; read once for all lines."""
    return {
        "productos": {str(p.pk): p for p in Producto.objects.filter(activo=True)},
        "paises": {p.pk: p for p in Pais.objects.all()},
    }


@dataclass(frozen=True)
class Falta:
    """What is wrong with a request: on which page, in which field, of which line (0: of none)."""

    paso: str
    campo: str
    etiqueta: str
    mensaje: str
    partida: int = 0


@dataclass
class Revision:
    """A whole request, judged. `pedido`: what `services.registrar` wants, only when nothing is missing.
    `formularios` and `lineas`: the pages bound to their answers, to be read back."""

    faltas: list[Falta] = field(default_factory=list)
    formularios: dict[str, Paso] = field(default_factory=dict)
    lineas: list[LineaDePartida] = field(default_factory=list)
    pedido: dict[str, Any] = field(default_factory=dict)
    # Whoever asks is not who the register knows by that document: only the registered address gets the link.
    ajena: bool = False


def revisar(respuestas: Respuestas, *, correo: str | None, listas: dict[str, Any] | None = None) -> Revision:
    """Judge all the answers together, as if every page had just been sent."""
    revision = Revision()
    datos: dict[str, Any] = {}
    for paso in en_orden(respuestas):
        if paso not in PASOS:
            continue
        form = revision.formularios[paso] = PASOS[paso](dict(respuestas), respuestas=respuestas, correo=correo)
        revision.faltas += _faltas_de(form, paso)
        datos |= form.cleaned_data
    lineas = _lineas(revision, respuestas, listas or catalogos())
    personas = _personas(revision, datos, correo)
    if not revision.faltas:
        campos = {campo: datos.get(campo) for campo in FormularioSolicitud.DEL_EXPEDIENTE}
        textos = {campo: "" for campo, valor in campos.items() if valor is None and campo not in FECHAS}
        revision.pedido = {
            "puesto": datos["puesto"],
            **personas,
            "partidas": lineas,
            "datos": {**campos, **textos},
        }
    return revision


FECHAS = {"poder_desde", "poder_hasta", "llegada_en", "retenido_desde"}


def _faltas_de(form: forms.Form, paso: str, partida: int = 0) -> list[Falta]:
    return [
        Falta(paso, campo, str(form[campo].label) if campo in form.fields else "", str(mensaje), partida)
        for campo, mensajes in form.errors.items()
        for mensaje in mensajes
    ]


def _lineas(revision: Revision, respuestas: Respuestas, listas: dict[str, Any]) -> list[PartidaNueva]:
    transporte = str(respuestas.get("transporte", ""))
    escritas = respuestas.get("partidas") or []
    revision.lineas = [LineaDePartida(dict(linea), transporte=transporte, **listas) for linea in escritas]
    for n, linea in enumerate(revision.lineas, start=1):
        revision.faltas += _faltas_de(linea, PARTIDAS, n)
    buenas = [linea.pedida() for linea in revision.lineas if linea.is_valid()]
    if not escritas:
        revision.faltas.append(Falta(PARTIDAS, "", "", _("Agregue al menos una partida.")))
    elif len(escritas) > MAX_PARTIDAS:
        mensaje = _("Caben %(num)d partidas: presente las demás en otra solicitud.") % {"num": MAX_PARTIDAS}
        revision.faltas.append(Falta(PARTIDAS, "", "", mensaje))
    elif (
        transporte == Expediente.Transporte.CONTENEDOR
        and len(buenas) == len(escritas)
        and not any(linea.contenedores for linea in buenas)
    ):
        mensaje = _("Escriba al menos un contenedor: la carga viene en contenedores.")
        revision.faltas.append(Falta(PARTIDAS, "contenedores", _("Contenedores y precintos"), mensaje, 1))
    return buenas


def _personas(revision: Revision, datos: dict[str, Any], correo: str | None) -> dict[str, Any]:
    """Importer and broker, on record or new. Nothing that a stranger types changes what is on record."""
    con_agente = "agente" in revision.formularios
    importador = _persona(revision, Importador, IMPORTADOR, datos, None if con_agente else correo)
    agente = _persona(revision, AgenteAduana, AGENTE, datos, correo) if con_agente else None
    quien_pide = agente or importador
    revision.ajena = bool(correo and quien_pide and quien_pide.pk and quien_pide.correo.lower() != correo)
    return {"importador": importador, "agente": agente}


def _persona(
    revision: Revision,
    modelo: type[Importador] | type[AgenteAduana],
    quien: str,
    datos: dict[str, Any],
    confirmado: str | None,
) -> Any:
    tipo, numero = datos.get(f"{quien}_tipo"), datos.get(f"{quien}_numero")
    if not (tipo and numero):
        return None
    conocido = modelo.objects.filter(tipo_documento=tipo, numero_documento=numero).first()
    if conocido:
        return conocido
    persona = modelo(
        tipo_documento=tipo,
        numero_documento=numero,
        nombre=datos.get(f"{quien}_nombre") or "",
        correo=confirmado or datos.get(f"{quien}_correo") or "",
        telefono=datos.get(f"{quien}_telefono") or "",
        direccion=datos.get(f"{quien}_direccion") or "",
    )
    for campo in ("nombre", "correo"):
        if not getattr(persona, campo):
            form = revision.formularios[quien]
            if f"{quien}_{campo}" not in form.errors:
                mensaje = _("No está registrado todavía: escriba su nombre y su correo.")
                etiqueta = str(FormularioSolicitud.base_fields[f"{quien}_{campo}"].label)
                revision.faltas.append(Falta(quien, f"{quien}_{campo}", etiqueta, mensaje))
    return persona

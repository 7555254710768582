"""What may be typed in at the counter and at the post."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notificaciones.models import Preferencia
from senasa import reloj
from senasa.models import Puesto, Usuario

from .archivos import CampoArchivo, CampoArchivos
from .asignacion import inspectores_de
from .incidencias import MOTIVO_DUPLICADO, plazo_para_responder
from .models import AgenteAduana, Dictamen, Documento, Expediente, Importador, Medida, Motivo, Pais, Partida, Producto
from .numeros import (
    TipoDocumento,
    leer_numero,
    normalizar_contenedor,
    normalizar_guia_aerea,
    puede_ser_de_un_caso,
    validar_contenedor,
    validar_documento,
    validar_guia_aerea,
)
from .services import MEDIDAS_DE, PartidaNueva
from .textos import MAX_CUERPO, MAX_TITULO, Texto, errores

Seccion = dict[str, Any]


class HoraLocal(forms.DateTimeInput):
    """A browser's date-and-time box; what it holds is Lima time."""

    input_type = "datetime-local"

    def __init__(self, attrs: dict[str, Any] | None = None):
        super().__init__(attrs=attrs, format="%Y-%m-%dT%H:%M")


class Fecha(forms.DateInput):
    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None):
        super().__init__(attrs=attrs, format="%Y-%m-%d")


def _ofrecer(form: forms.Form, campo: str, opciones: list[Any]) -> None:
    """Choices that are only known once the form is made."""
    eleccion = form.fields[campo]
    assert isinstance(eleccion, forms.ChoiceField)
    eleccion.choices = opciones


class Nota(forms.CharField):
    """A text that may be left out but under one condition, which its label tells beforehand: «(hace falta si …)».

    The act itself insists; `hace_falta` is only how it is said.
    """

    def __init__(self, *, hace_falta: Any = "", **kwargs: Any):
        kwargs = {"required": False, "max_length": 2000, "widget": forms.Textarea(attrs={"rows": 3}), **kwargs}
        super().__init__(**kwargs)
        self.hace_falta = hace_falta


# ── Acts ──────────────────────────────────────────────────────────────────────────────────────────


class FormularioDeActo(forms.Form):
    """What every act may say besides its own data: when it happened, and a text.

    An act marked † sets `accion_motivada`, and must choose one of its coded motives and write the text.
    Pages that go without one of these fields set it to None. Own fields come first.
    """

    accion_motivada = ""

    visto = forms.IntegerField(required=False, widget=forms.HiddenInput)
    ocurrio_en = forms.DateTimeField(
        label=_("¿Cuándo ocurrió?"),
        help_text=_("Déjelo vacío si es ahora. Hora de Lima."),
        required=False,
        widget=HoraLocal,
    )
    texto: forms.CharField = Nota(label=_("Nota para la bitácora"), hace_falta=_("si ocurrió hace más de 24 horas"))

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        comunes: list[str] = [campo for campo in ("ocurrio_en", "texto", "visto") if campo in self.fields]
        if self.accion_motivada:
            motivos = Motivo.objects.filter(accion=self.accion_motivada, activo=True)
            self.fields["motivo"] = forms.ChoiceField(
                label=_("Motivo"), choices=[("", _("Elija…")), *motivos.values_list("codigo", "texto")]
            )
            comunes.insert(0, "motivo")
            self.fields["texto"].required = True
            self.fields["texto"].label = _("Qué pasó")
        if "ocurrio_en" not in self.fields:
            self._hace_falta("")
        propios = [campo for campo in self.fields if campo not in comunes]
        self.order_fields([*propios, *comunes])

    def _hace_falta(self, cuando: Any) -> None:
        nota = self.fields.get("texto")
        if isinstance(nota, Nota):
            nota.hace_falta = cuando


class FormularioProgramar(FormularioDeActo):
    cita_en = forms.DateTimeField(
        label=_("Para cuándo es la inspección"),
        help_text=_("Día y hora de la cita, en hora de Lima: es lo que recibe el importador."),
        widget=HoraLocal,
    )
    terminal = forms.CharField(label=_("Terminal o almacén"), max_length=120)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        acordada = self.fields["ocurrio_en"]
        acordada.label = _("¿Cuándo se acordó esa cita?")
        acordada.help_text = _("No es la hora de la inspección. Déjelo vacío si la acordó ahora. Hora de Lima.")
        self._hace_falta(_("si la acordó hace más de 24 horas"))


class FormularioInspeccionar(FormularioDeActo):
    documentaria = forms.ChoiceField(
        label=_("Verificación documentaria"), choices=Partida.Inspeccion, widget=forms.RadioSelect
    )
    identidad = forms.ChoiceField(
        label=_("Verificación de identidad"), choices=Partida.Inspeccion, widget=forms.RadioSelect
    )
    fisica = forms.ChoiceField(label=_("Inspección física"), choices=Partida.Inspeccion, widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._hace_falta(_("si algo no fue conforme, diciendo qué, o si ocurrió hace más de 24 horas"))


class FormularioDictaminar(FormularioDeActo):
    texto = None  # type: ignore[assignment]
    decision = forms.ChoiceField(label=_("Decisión"), choices=Dictamen.Decision, widget=forms.RadioSelect)
    fundamento = forms.CharField(
        label=_("Fundamento"),
        help_text=_("Sale impreso en el RIV que recibe el importador."),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
    )


class FormularioDictaminarSinMuestra(FormularioDeActo):
    accion_motivada = "dictaminar_sin_muestra"
    decision = forms.ChoiceField(label=_("Decisión"), choices=Dictamen.Decision, widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["texto"].label = _("Fundamento")
        self.fields["texto"].help_text = _("Sale impreso en el RIV que recibe el importador.")


class FormularioOrdenarMedida(FormularioDeActo):
    tipo = forms.ChoiceField(label=_("Medida"), widget=forms.RadioSelect)
    vence_en = forms.DateField(label=_("Cumplir hasta"), widget=Fecha)
    indicaciones = forms.CharField(
        label=_("Indicaciones para el importador"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(self, *args: Any, dictamen: Dictamen | None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        caben = MEDIDAS_DE[Dictamen.Decision(dictamen.decision)] if dictamen else set()
        _ofrecer(self, "tipo", [(tipo.value, tipo.label) for tipo in Medida.Tipo if tipo in caben])

    def clean_vence_en(self) -> date:
        vence_en: date = self.cleaned_data["vence_en"]
        if vence_en < timezone.localdate(reloj.ahora()):
            raise ValidationError(_("El día para cumplir la medida no puede haber pasado ya."))
        return vence_en


class FormularioCumplirMedida(FormularioDeActo):
    acta = forms.CharField(label=_("Número de acta"), max_length=60)
    evidencia = CampoArchivo(label=_("Evidencia"), required=False)
    nueva_toma = forms.BooleanField(
        label=_("Hay que tomar una nueva muestra"),
        help_text=_("La partida vuelve a inspección: el tratamiento se comprueba en el laboratorio."),
        required=False,
    )

    def __init__(self, *args: Any, medida: Medida | None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if medida and medida.tipo != Medida.Tipo.TRATAMIENTO:
            del self.fields["nueva_toma"]


# ── What interrupts, ends, moves or opens again ───────────────────────────────────────────────────


class FormularioObservar(FormularioDeActo):
    accion_motivada = "observar"
    puntos = forms.CharField(
        label=_("Qué falta o qué hay que corregir"),
        help_text=_("Un punto por línea, en palabras que el importador entienda: le llegan por correo."),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    vence_en = forms.DateField(label=_("Responder hasta"), widget=Fecha)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["texto"].label = _("Explicación")
        self.fields["vence_en"].initial = plazo_para_responder


class FormularioResponder(FormularioDeActo):
    respuesta = forms.CharField(
        label=_("Respuesta del importador"), max_length=4000, widget=forms.Textarea(attrs={"rows": 5})
    )
    archivos = CampoArchivos(label=_("Documentos que presenta"), required=False)


class FormularioAbandonar(FormularioDeActo):
    accion_motivada = "abandonar"


class FormularioDesistir(FormularioDeActo):
    accion_motivada = "desistir"


class FormularioAnular(FormularioDeActo):
    accion_motivada = "anular"
    superviviente = forms.CharField(
        label=_("Si es un duplicado: el expediente que sigue"),
        help_text=_("Su número, como PCM-2026-000123."),
        max_length=20,
        required=False,
    )

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.usuario = usuario
        self.order_fields(["motivo", "superviviente"])

    def clean_superviviente(self) -> Expediente | None:
        numero = self.cleaned_data["superviviente"].strip().upper()
        if not numero:
            return None
        hallado: Expediente | None = Expediente.objects.visibles_para(self.usuario).filter(numero=numero).first()
        if hallado is None:
            raise ValidationError(_("No hay un expediente con ese número en su puesto."))
        return hallado


class FormularioReabrir(FormularioDeActo):
    accion_motivada = "reabrir"
    partidas = forms.MultipleChoiceField(label=_("Qué partidas"), widget=forms.CheckboxSelectMultiple)
    a_inspeccion = forms.TypedChoiceField(
        label=_("Para qué"),
        choices=[("no", _("Dictaminar de nuevo, sobre sus informes vigentes")),
                 ("si", _("Inspeccionar y muestrear de nuevo"))],
        coerce=lambda valor: valor == "si",
        widget=forms.RadioSelect,
    )  # fmt: skip

    def __init__(self, *args: Any, expediente: Expediente, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.lineas = {str(una.pk): una for una in expediente.partidas.select_related("producto")}
        _ofrecer(self, "partidas", [(pk, f"{una.orden} · {una.producto}") for pk, una in self.lineas.items()])
        if len(self.lineas) == 1:
            self.fields["partidas"].initial = list(self.lineas)

    def clean_partidas(self) -> list[Partida]:
        return [self.lineas[pk] for pk in self.cleaned_data["partidas"]]


class FormularioTrasladar(FormularioDeActo):
    a_puesto = forms.ModelChoiceField(Puesto.objects.none(), label=_("A qué puesto"), empty_label=_("Elija…"))

    def __init__(self, *args: Any, expediente: Expediente, **kwargs: Any):
        super().__init__(*args, **kwargs)
        destino = self.fields["a_puesto"]
        assert isinstance(destino, forms.ModelChoiceField)
        destino.queryset = Puesto.objects.exclude(pk=expediente.puesto_id)
        self.fields["texto"].required = True
        self.fields["texto"].label = _("Por qué se traslada")


class FormularioRechazarTraslado(FormularioDeActo):
    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["texto"].required = True
        self.fields["texto"].label = _("Por qué lo rechaza")


class FormularioDeCargo(FormularioDeActo):
    """Who sees to a case: it happens when it is said."""

    ocurrio_en = None  # type: ignore[assignment]


class FormularioDeInspector(FormularioDeCargo):
    inspector = forms.ModelChoiceField(Usuario.objects.none(), label=_("Inspector"), empty_label=_("Elija…"))

    def __init__(self, *args: Any, expediente: Expediente, **kwargs: Any):
        super().__init__(*args, **kwargs)
        campo = self.fields["inspector"]
        assert isinstance(campo, forms.ModelChoiceField)
        campo.queryset = inspectores_de([expediente.puesto_id])
        if not self.is_bound:  # that he has it already is for the act to say: a form sent twice is no slip of the pen
            campo.queryset = campo.queryset.exclude(pk=expediente.inspector_id or 0)


class FormularioCambiarAgente(FormularioDeActo):
    agente_tipo = forms.ChoiceField(label=_("Documento del nuevo agente"), choices=TipoDocumento)
    agente_numero = forms.CharField(
        label=_("Número de documento"),
        help_text=_("Déjelo vacío si desde ahora no hay agente."),
        max_length=20,
        required=False,
    )
    agente_nombre = forms.CharField(
        label=_("Nombre"), help_text=_("Si ya está registrado basta con el número."), max_length=160, required=False
    )
    agente_correo = forms.EmailField(label=_("Correo"), required=False)
    poder_desde = forms.DateField(label=_("Poder desde"), required=False, widget=Fecha)
    poder_hasta = forms.DateField(label=_("Poder hasta"), required=False, widget=Fecha)

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        agente = persona_escrita(self, AgenteAduana, "agente")
        revisar_poder(self)
        if not datos.get("agente_numero") and any(datos.get(campo) for campo in ("agente_nombre", "agente_correo")):
            self.add_error("agente_numero", _("Escriba el número de documento del agente, o vacíe sus datos."))
        return {
            "agente": agente,
            **{campo: datos.get(campo) for campo in ("poder_desde", "poder_hasta", "ocurrio_en", "visto")},
            "texto": datos.get("texto", ""),
        }


# ── The request ───────────────────────────────────────────────────────────────────────────────────


def documento_escrito(form: forms.Form, quien: str) -> tuple[str, str]:
    """The kind and the number of somebody's document, in its canonical form; no number when it is not good."""
    tipo, escrito = (
        form.cleaned_data.get(f"{quien}_tipo") or TipoDocumento.RUC,
        form.cleaned_data.get(f"{quien}_numero"),
    )
    if not escrito:
        return tipo, ""
    try:
        return tipo, validar_documento(tipo, escrito)
    except ValidationError as error:
        for errores in error.error_dict.values():
            form.add_error(f"{quien}_numero", errores)
        return tipo, ""


def persona_escrita(form: forms.Form, modelo: type[Importador] | type[AgenteAduana], quien: str) -> Any:
    """The registered person with that document, or a new one not yet saved; errors go beside their fields.

    An address that differs from the registered one is not taken: correcting it is an act of its own, which kills
    the old links.
    """
    datos = form.cleaned_data
    tipo, numero = documento_escrito(form, quien)
    if not numero:
        return None
    nombre, correo = datos.get(f"{quien}_nombre", ""), datos.get(f"{quien}_correo", "")
    conocido = modelo.objects.filter(tipo_documento=tipo, numero_documento=numero).first()
    if conocido:
        if correo and correo.lower() != conocido.correo.lower():
            form.add_error(
                f"{quien}_correo",
                _("Ya está registrado con %(correo)s. Deje este campo vacío para usarlo; para cambiarlo, "
                  "use «Corregir el correo» en un expediente suyo.") % {"correo": conocido.correo},
            )  # fmt: skip
        return conocido
    if not nombre:
        form.add_error(f"{quien}_nombre", _("No está registrado todavía: escriba su nombre."))
    if not correo and f"{quien}_correo" not in form.errors:
        form.add_error(f"{quien}_correo", _("No está registrado todavía: escriba su correo."))
    mas = {campo: datos.get(f"{quien}_{campo}", "") for campo in ("telefono", "direccion")}
    return modelo(tipo_documento=tipo, numero_documento=numero, nombre=nombre, correo=correo, **mas)


def revisar_poder(form: forms.Form) -> None:
    """The broker's power must hold on the day of the act."""
    desde, hasta = form.cleaned_data.get("poder_desde"), form.cleaned_data.get("poder_hasta")
    dia = timezone.localdate(form.cleaned_data.get("ocurrio_en") or reloj.ahora())
    if desde and hasta and hasta < desde:
        form.add_error("poder_hasta", _("El poder termina antes de empezar: revise las dos fechas."))
    elif hasta and hasta < dia:
        form.add_error("poder_hasta", _("El poder ya venció: el agente no puede actuar con él."))
    elif desde and desde > dia:
        form.add_error("poder_desde", _("El poder todavía no rige: el agente no puede actuar con él."))


def revisar_transporte(form: forms.Form, transporte: str) -> None:
    """What each way of arriving needs to be found by: the air waybill, or the ship."""
    datos = form.cleaned_data
    if transporte == Expediente.Transporte.AEREO:
        if not datos.get("guia_aerea"):
            form.add_error("guia_aerea", _("Escriba la guía aérea: es el número por el que se la buscará."))
        else:
            try:
                validar_guia_aerea(datos["guia_aerea"])
                datos["guia_aerea"] = normalizar_guia_aerea(datos["guia_aerea"])
            except ValidationError as error:
                form.add_error("guia_aerea", error)
    elif datos.get("guia_aerea"):
        form.add_error("guia_aerea", _("La guía aérea es de un envío por avión: revise el transporte."))
    if transporte == Expediente.Transporte.GRANEL and not datos.get("nave"):
        form.add_error("nave", _("Escriba la nave: la carga a granel se ubica por ella."))


class FormularioSolicitud(forms.Form):
    """The inspection request at mesa de partes, all but its lines. Importer and broker are found by their
    document number, or made."""

    envio = forms.UUIDField(widget=forms.HiddenInput)
    ephyto = forms.CharField(required=False, widget=forms.HiddenInput)

    puesto = forms.ModelChoiceField(Puesto.objects.none(), label=_("Puesto de control"), empty_label=_("Elija…"))

    importador_tipo = forms.ChoiceField(label=_("Documento del importador"), choices=TipoDocumento)
    importador_numero = forms.CharField(label=_("Número de documento"), max_length=20)
    importador_nombre = forms.CharField(
        label=_("Nombre o razón social"),
        help_text=_("Si ya está registrado basta con el número."),
        max_length=160,
        required=False,
    )
    importador_correo = forms.EmailField(
        label=_("Correo del importador"),
        help_text=_("Aquí llegan los avisos y el enlace de seguimiento."),
        required=False,
    )
    importador_telefono = forms.CharField(label=_("Teléfono"), max_length=30, required=False)
    importador_direccion = forms.CharField(label=_("Dirección"), max_length=200, required=False)

    agente_tipo = forms.ChoiceField(label=_("Documento del agente"), choices=TipoDocumento, required=False)
    agente_numero = forms.CharField(label=_("Número del agente"), max_length=20, required=False)
    agente_nombre = forms.CharField(label=_("Nombre del agente"), max_length=160, required=False)
    agente_correo = forms.EmailField(label=_("Correo del agente"), required=False)
    poder_desde = forms.DateField(label=_("Poder desde"), required=False, widget=Fecha)
    poder_hasta = forms.DateField(label=_("Poder hasta"), required=False, widget=Fecha)

    pfi = forms.CharField(label=_("PFI"), help_text=_("Permiso fitosanitario de importación."), max_length=40)
    certificado = forms.CharField(label=_("Certificado fitosanitario"), max_length=40)
    pais_exportacion = forms.ModelChoiceField(
        Pais.objects.all(), label=_("País de exportación"), empty_label=_("Elija…")
    )
    suce = forms.CharField(label=_("SUCE"), help_text=_("10 dígitos."), max_length=40, required=False)
    dam = forms.CharField(
        label=_("DAM"), help_text=_("Como 118-2026-10-170288-01-1-00."), max_length=40, required=False
    )
    declaraciones = forms.CharField(
        label=_("Declaraciones adicionales"), required=False, max_length=8000, widget=forms.Textarea(attrs={"rows": 4})
    )

    transporte = forms.ChoiceField(label=_("Cómo llega"), choices=Expediente.Transporte, widget=forms.RadioSelect)
    guia_aerea = forms.CharField(
        label=_("Guía aérea"), help_text=_("Si llega por avión: 999-12345675."), max_length=20, required=False
    )
    nave = forms.CharField(label=_("Nave y viaje"), help_text=_("Si llega por mar."), max_length=80, required=False)
    bl = forms.CharField(
        label=_("Conocimiento de embarque (BL)"), help_text=_("Si llega por mar."), max_length=40, required=False
    )
    llegada_en = forms.DateTimeField(label=_("Llegada"), required=False, widget=HoraLocal)
    retenido_desde = forms.DateTimeField(label=_("Retenido desde"), required=False, widget=HoraLocal)
    lugar = forms.CharField(
        label=_("Dónde está la carga"), help_text=_("Terminal, almacén o muelle."), max_length=120, required=False
    )

    ocurrio_en = forms.DateTimeField(
        label=_("¿Cuándo se recibió la solicitud?"),
        help_text=_("Déjelo vacío si es ahora. Hora de Lima."),
        required=False,
        widget=HoraLocal,
    )
    texto = Nota(
        label=_("Nota para la bitácora"),
        hace_falta=_("si se recibió hace más de 24 horas"),
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    GRUPOS: Sequence[tuple[Any, Any, Sequence[str]]] = (
        ("", "", ("puesto",)),
        (
            _("Importador"),
            "",
            ("importador_tipo", "importador_numero", "importador_nombre", "importador_correo",
             "importador_telefono", "importador_direccion"),
        ),
        (
            _("Agente de aduana"),
            _("Solo si actúa por el importador."),
            ("agente_tipo", "agente_numero", "agente_nombre", "agente_correo", "poder_desde", "poder_hasta"),
        ),
        (_("Documentos"), "", ("pfi", "certificado", "pais_exportacion", "suce", "dam", "declaraciones")),
        (
            _("Transporte"),
            "",
            ("transporte", "guia_aerea", "nave", "bl", "llegada_en", "retenido_desde", "lugar"),
        ),
        (_("Registro"), "", ("ocurrio_en", "texto")),
    )  # fmt: skip
    DEL_EXPEDIENTE = (
        "poder_desde", "poder_hasta", "pfi", "certificado", "pais_exportacion", "suce", "dam", "declaraciones",
        "transporte", "guia_aerea", "nave", "bl", "llegada_en", "retenido_desde", "lugar",
    )  # fmt: skip

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.usuario = usuario
        puesto = self.fields["puesto"]
        assert isinstance(puesto, forms.ModelChoiceField)
        puesto.queryset = usuario.puestos.all()
        self.initial.setdefault("envio", uuid.uuid4())
        if "puesto" not in self.initial and len(suyos := list(usuario.puestos.all()[:2])) == 1:
            self.initial["puesto"] = suyos[0].pk
        self.importador: Importador | None = None
        self.agente: AgenteAduana | None = None

    def secciones(self) -> list[Seccion]:
        return [
            {"titulo": titulo, "ayuda": ayuda, "campos": [self[campo] for campo in campos]}
            for titulo, ayuda, campos in self.GRUPOS
        ]

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        self.importador = persona_escrita(self, Importador, "importador")
        if datos.get("agente_numero"):
            self.agente = persona_escrita(self, AgenteAduana, "agente")
            revisar_poder(self)
        elif any(datos.get(campo) for campo in ("agente_nombre", "agente_correo", "poder_desde", "poder_hasta")):
            self.add_error("agente_numero", _("Escriba el número de documento del agente, o vacíe sus datos."))
        revisar_transporte(self, datos.get("transporte", ""))
        return datos

    def datos_del_expediente(self) -> dict[str, Any]:
        return {campo: self.cleaned_data[campo] for campo in self.DEL_EXPEDIENTE}


class FormularioPartida(forms.Form):
    producto = forms.ChoiceField(label=_("Producto"))
    pais_origen = forms.ChoiceField(label=_("País de origen"))
    peso_neto_kg = forms.DecimalField(
        label=_("Peso neto (kg)"), min_value=Decimal("0.001"), max_digits=14, decimal_places=3
    )
    envases = forms.CharField(label=_("Envases"), help_text=_("Como «2 100 cajas»."), max_length=80, required=False)
    bodegas = forms.CharField(label=_("Bodegas"), help_text=_("Si es a granel."), max_length=40, required=False)
    contenedores = forms.CharField(
        label=_("Contenedores y precintos"),
        help_text=_("Uno por línea: el contenedor, un espacio y su precinto. DEMU1000010 SL10001"),
        max_length=8000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "autocapitalize": "characters", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, productos: dict[str, Producto], paises: dict[str, Pais], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.productos, self.paises = productos, paises
        vacio = [("", _("Elija…"))]
        nombres = {
            pk: f"{p.nombre} · {p.nombre_cientifico}" if p.nombre_cientifico else p.nombre
            for pk, p in productos.items()
        }  # fmt: skip
        _ofrecer(self, "producto", [*vacio, *nombres.items()])
        _ofrecer(self, "pais_origen", [*vacio, *((pk, pais.nombre) for pk, pais in paises.items())])

    def clean_contenedores(self) -> list[tuple[str, str]]:
        """Pairs of number and seal, each checked by ISO 6346; every bad line is named."""
        pares: dict[str, str] = {}
        errores: list[ValidationError] = []
        for linea in self.cleaned_data["contenedores"].replace(",", "\n").replace(";", "\n").splitlines():
            if not linea.strip():
                continue
            numero, precinto = _numero_y_precinto(linea)
            try:
                validar_contenedor(numero)
            except ValidationError as error:
                errores.append(error)
                continue
            if len(precinto) > 40:
                errores.append(ValidationError(_("El precinto de %(n)s pasa de 40 letras."), params={"n": numero}))
            elif numero in pares:
                errores.append(ValidationError(_("El contenedor %(n)s está dos veces."), params={"n": numero}))
            pares[numero] = precinto
        if errores:
            raise ValidationError(errores)
        return list(pares.items())

    def pedida(self) -> PartidaNueva:
        datos = self.cleaned_data
        return PartidaNueva(
            producto=self.productos[datos["producto"]],
            pais_origen=self.paises[datos["pais_origen"]],
            peso_neto_kg=datos["peso_neto_kg"],
            envases=datos["envases"],
            bodegas=datos.get("bodegas", ""),
            contenedores=datos.get("contenedores", ()),
        )


def _numero_y_precinto(linea: str) -> tuple[str, str]:
    """`DEMU 100001-0 SL10001` as well as `DEMU1000010 SL10001`: a number may be painted with blanks."""
    palabras = linea.split()
    for n in range(1, len(palabras) + 1):
        numero = normalizar_contenedor("".join(palabras[:n]))
        if len(numero) >= 11:
            return numero, " ".join(palabras[n:])
    return normalizar_contenedor(palabras[0]), " ".join(palabras[1:])


class PartidasBase(forms.BaseFormSet):
    """The lines of a request. The catalogues are read once for all rows."""

    titulo, singular = _("Partidas"), _("Partida")
    default_error_messages = {
        **forms.BaseFormSet.default_error_messages,
        "too_few_forms": _("Agregue al menos una partida."),
        "too_many_forms": _("Caben %(num)d partidas: registre las demás en otro expediente."),
    }
    ayuda = _("Una por producto y origen. Cada una se muestrea, se decide y sale por separado.")

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs["prefix"] = "partidas"
        kwargs["form_kwargs"] = {
            "productos": {str(p.pk): p for p in Producto.objects.filter(activo=True)},
            "paises": {p.pk: p for p in Pais.objects.all()},
        }
        super().__init__(*args, **kwargs)

    def add_fields(self, form: forms.Form, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["DELETE"].label = _("Quitar esta partida")

    def pedidas(self) -> list[PartidaNueva]:
        return [form.pedida() for form in self.forms if form.cleaned_data and form not in self.deleted_forms]

    def revisar_transporte(self, transporte: str) -> None:
        """What the case's transport asks of its lines; errors go beside the first line."""
        suyas = [form for form in self.forms if form not in self.deleted_forms and form.has_changed()]
        if transporte == Expediente.Transporte.CONTENEDOR:
            if not any(form.cleaned_data.get("contenedores") for form in suyas):
                suyas[0].add_error("contenedores", _("Escriba al menos un contenedor: la carga viene en contenedores."))
        else:
            for form in suyas:
                if form.cleaned_data.get("contenedores"):
                    form.add_error("contenedores", _("La carga no viene en contenedores: revise el transporte."))


MAX_PARTIDAS = 100
Partidas = cast(
    type[PartidasBase],
    forms.formset_factory(
        FormularioPartida,
        formset=PartidasBase,
        extra=0,
        min_num=1,
        validate_min=True,
        max_num=MAX_PARTIDAS,
        absolute_max=MAX_PARTIDAS,
        validate_max=True,
        can_delete=True,
    ),
)


class FormularioEphyto(forms.Form):
    archivo = forms.FileField(
        label=_("Certificado ePhyto (XML)"), help_text=_("El archivo tal como llegó, hasta 20 MB."), max_length=200
    )


class DelImportador(FormularioDeActo):
    """An act that the importer does himself: it happens now."""

    ocurrio_en = None  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.accion_motivada:
            self.sin_motivo("")
            self.fields["texto"].label = _("Cuéntenos por qué")

    def sin_motivo(self, codigo: str) -> None:
        """Offer the motives of the act, in the reader's language, but that one."""
        motivos = Motivo.objects.filter(accion=self.accion_motivada, activo=True).exclude(codigo=codigo)
        _ofrecer(self, "motivo", [("", _("Elija…")), *((m.codigo, _(m.texto)) for m in motivos)])


class RespuestaDelImportador(DelImportador):
    texto = None  # type: ignore[assignment]
    respuesta = forms.CharField(label=_("Su respuesta"), max_length=4000, widget=forms.Textarea(attrs={"rows": 6}))
    archivos = CampoArchivos(label=_("Documentos"), required=False)


class DocumentosDelImportador(DelImportador):
    texto = None  # type: ignore[assignment]
    archivos = CampoArchivos(label=_("Elija los archivos"), required=False)


class DesistimientoDelImportador(DelImportador):
    accion_motivada = "desistir"


class AnulacionDelImportador(DelImportador):
    """`otros`: the open cases that the same address follows, one of which may be the one that goes on."""

    accion_motivada = "anular"

    def __init__(self, *args: Any, otros: Sequence[Expediente], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.otros = {otro.numero: otro for otro in otros}
        if not otros:
            self.sin_motivo(MOTIVO_DUPLICADO)
            return
        self.fields["superviviente"] = forms.ChoiceField(
            label=_("Si es un duplicado: el expediente que sigue"),
            choices=[("", _("Elija…")), *((numero, numero) for numero in self.otros)],
            required=False,
        )
        self.order_fields(["motivo", "superviviente"])

    def clean_superviviente(self) -> Expediente | None:
        return self.otros.get(self.cleaned_data["superviviente"])

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        repetida, otro = datos.get("motivo") == MOTIVO_DUPLICADO, datos.get("superviviente")
        if repetida and not otro and "superviviente" not in self.errors:
            self.add_error("superviviente", _("Diga de qué expediente es duplicado."))
        elif otro and not repetida and "motivo" not in self.errors:
            self.add_error("motivo", _("Si es un duplicado, elija ese motivo."))
        return datos


class FormularioCorreo(forms.Form):
    correo = forms.EmailField(
        label=_("Correo electrónico"), widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"})
    )


class FormularioEnlace(forms.Form):
    """By what the link of a case is asked for. Only how it is written is judged here, never whether it exists."""

    numero = forms.CharField(
        label=_("Número de expediente"),
        help_text=_("Está en sus correos y en el cargo de la solicitud, como PCM-2026-000123."),
        max_length=40,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off", "spellcheck": "false"}),
    )
    documento = forms.CharField(
        label=_("RUC o documento del importador o del agente"),
        help_text=_("El que figura en la solicitud."),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "text", "spellcheck": "false"}),
    )

    def clean_numero(self) -> str:
        numero = leer_numero(self.cleaned_data["numero"])
        if not puede_ser_de_un_caso(numero, set(Puesto.objects.values_list("codigo", flat=True))):
            raise ValidationError(
                _("No es un número de expediente: lleva código de puesto, año y número, como PCM-2026-000123.")
            )
        return numero

    def clean_documento(self) -> str:
        limpio = re.sub(r"[\s.\-]", "", self.cleaned_data["documento"]).upper()
        if not re.fullmatch(r"[A-Z0-9]{5,12}", limpio):
            raise ValidationError(_("Escriba el RUC o el documento con sus letras y números, sin otros signos."))
        if len(limpio) == 11 and limpio.isdigit():
            try:
                return validar_documento(TipoDocumento.RUC, limpio)
            except ValidationError as error:
                raise ValidationError(error.messages) from error
        return limpio


class FiltroMisExpedientes(forms.Form):
    """Which of one's cases to see. What cannot be understood filters nothing."""

    SITUACIONES = [
        ("", _("Todos")),
        ("abiertos", _("En trámite")),
        ("usted", _("Esperan algo de usted")),
        ("terminados", _("Terminados")),
    ]

    q = forms.CharField(
        label=_("Buscar"), required=False, max_length=80,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Número, certificado, BL, contenedor…")}),
    )  # fmt: skip
    situacion = forms.ChoiceField(label=_("Situación"), required=False, choices=SITUACIONES)
    producto = forms.ChoiceField(label=_("Producto"), required=False)

    def __init__(self, *args: Any, productos: Sequence[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["producto"].choices = [("", _("Todos")), *productos]  # type: ignore[attr-defined]


class FormularioCodigo(forms.Form):
    codigo = forms.CharField(
        label=_("Código de seis cifras"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": "corto"}),
    )

    def clean_codigo(self) -> str:
        cifras = "".join(self.cleaned_data["codigo"].split())
        if not (cifras.isascii() and cifras.isdigit() and len(cifras) == 6):
            raise ValidationError(_("El código tiene seis cifras, como 012345."))
        return cifras


class FormularioAdjuntos(forms.Form):
    archivos = CampoArchivos(label=_("Elija los archivos"), required=False)


class FormularioDeclaracion(forms.Form):
    """What is declared on handing in; with likely duplicates, also that it is not one."""

    declaro = forms.BooleanField(
        label=_("Declaro que los datos son ciertos y que tengo los documentos originales."),
        error_messages={"required": _("Marque la declaración para presentar la solicitud.")},
    )
    no_es_la_misma = forms.BooleanField(
        label=_("No es la misma carga: presentar de todos modos."),
        error_messages={"required": _("Diga que no es la misma carga, o no la presente otra vez.")},
    )

    def __init__(self, *args: Any, repetida: bool, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if not repetida:
            del self.fields["no_es_la_misma"]


class FormularioVerificar(forms.Form):
    cvd = forms.CharField(
        label=_("Código de verificación (CVD)"),
        help_text=_("Está en todas las páginas del documento, junto al código QR."),
        max_length=40,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off", "spellcheck": "false"}),
    )


class FormularioVerificarArchivo(forms.Form):
    """Any file at all: what is not a PDF is simply not ours."""

    archivo = forms.FileField(
        label=_("Archivo PDF"),
        help_text=_("El que le entregaron o descargó. Se compara y no se guarda."),
        widget=forms.FileInput(attrs={"accept": "application/pdf"}),
        error_messages={"required": _("Elija el archivo."), "empty": _("El archivo está vacío.")},
    )

    def clean_archivo(self) -> UploadedFile:
        archivo: UploadedFile = self.cleaned_data["archivo"]
        if (archivo.size or 0) > settings.ARCHIVO_MAX_MB * 1024**2:
            raise ValidationError(
                _("El archivo pesa más de %(tope)s MB: ninguno de nuestros documentos pesa tanto.")
                % {"tope": settings.ARCHIVO_MAX_MB}
            )
        return archivo


def impiden_ingreso(informes: Sequence[Documento]) -> list[Documento]:
    """The reports over which no ingreso is possible."""
    return [i for i in informes if i.impide_ingreso or i.conclusion == Documento.Conclusion.INDETERMINADO]


# ── What the notices say ──────────────────────────────────────────────────────────────────────────


class FormularioCausa(forms.Form):
    causa = forms.CharField(label=_("Por qué"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


class FormularioTexto(FormularioCausa):
    """A version of a notice's text; what it may name is said beside each field that names something else."""

    titulo = forms.CharField(
        label=_("Asunto"),
        max_length=MAX_TITULO,
        help_text=_("La noticia, en una línea. El número del expediente va delante y lo pone el sistema."),
    )
    cuerpo = forms.CharField(
        label=_("Mensaje"),
        max_length=MAX_CUERPO,
        widget=forms.Textarea(attrs={"rows": 16}),
        help_text=_("Párrafos separados por una línea en blanco. El botón con el enlace lo pone el sistema."),
    )
    field_order = ["titulo", "cuerpo", "causa"]

    def __init__(self, *args: Any, texto: Texto, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.texto = texto

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or {}
        escrito = {campo: datos.get(campo, "") for campo in ("titulo", "cuerpo")}
        for campo, mensajes in errores(self.texto, **escrito).items():
            if campo in datos:  # what a field itself objects to is said already
                for mensaje in mensajes:
                    self.add_error(campo, mensaje)
        return datos


class FormularioPreferencias(forms.Form):
    modo = forms.ChoiceField(
        label=_("¿Cómo quiere recibir las novedades?"), choices=Preferencia.Modo.choices, widget=forms.RadioSelect
    )

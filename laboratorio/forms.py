"""What may be typed in about samples, analyses and reports."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Case, Count, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from expedientes.archivos import CampoArchivos
from expedientes.firma import CertificadoInutil
from expedientes.forms import Fecha, FormularioDeActo, HoraLocal, Nota
from expedientes.models import Motivo, Partida, Plaga, Producto
from senasa.models import ROLES_DE_LABORATORIO, Disciplina, Puesto, Rol, Usuario
from senasa.palabras import cantidad

from . import despachos, preguntas, rotulos
from .contramuestras import hasta_por_omision
from .enmiendas import CORREGIBLES, rehacibles
from .firmas import Subido, revisar_subido
from .lifecycle import Accion
from .models import (
    ActaEliminacion,
    Analisis,
    Despacho,
    EstadoAnalisis,
    EstadoMuestra,
    Informe,
    Metodo,
    Muestra,
    ReglaFirma,
    Reversion,
    Rotulo,
    TipoDeControl,
    Valor,
)
from .motivos import ACTOS
from .querysets import ConsultaReversion
from .services import requisitos_de


class FormularioSinDatos(FormularioDeActo):
    """An act of a single button: it happened now."""

    ocurrio_en = None  # type: ignore[assignment]
    texto = None  # type: ignore[assignment]


class FormularioTomarMuestra(FormularioDeActo):
    precinto = forms.CharField(label=_("Precinto"), max_length=40, strip=True)
    conservacion = forms.ChoiceField(
        label=_("Conservación"), choices=Muestra.Conservacion.choices, widget=forms.RadioSelect
    )
    cantidad = forms.DecimalField(label=_("Cantidad"), min_value=Decimal("0.001"), max_digits=10, decimal_places=3)
    unidad = forms.CharField(label=_("Unidad"), max_length=20, help_text=_("kg, g, unidades, plantas…"))
    lote = forms.CharField(label=_("Lote"), max_length=60, required=False)
    plan_de_muestreo = forms.CharField(
        label=_("Plan de muestreo"),
        max_length=160,
        required=False,
        help_text=_("Cómo se tomó: cuántos envases y de dónde. Sale en el informe de ensayo."),
    )
    rotulo = forms.CharField(
        label=_("Rótulo preimpreso"),
        max_length=200,
        required=False,
        help_text=_("Si le pegó uno: lea su QR o escriba sus ocho letras, como ABCD-2345."),
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, partida: Partida, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.puesto = partida.expediente.puesto
        frio = Muestra.Conservacion.REFRIGERADA if partida.producto.perecible else Muestra.Conservacion.AMBIENTE
        self.fields["conservacion"].initial = frio
        self.fields["unidad"].initial = "kg"

    def clean_rotulo(self) -> Rotulo | None:
        texto = self.cleaned_data["rotulo"]
        try:
            return rotulos.libre(texto, self.puesto) if texto else None
        except ValidationError as error:
            raise ValidationError(error.messages) from error


OTROS_ENSAYOS = 3


class FormularioEnviar(FormularioDeActo):
    """The tests that the catalogue asks for come marked; others are a method and a pest."""

    ensayos = forms.MultipleChoiceField(
        label=_("Análisis que pide el catálogo"), required=False, widget=forms.CheckboxSelectMultiple
    )
    transporte = forms.CharField(
        label=_("Cómo va"), max_length=120, required=False, help_text=_("Vehículo del puesto, courier y guía…")
    )
    despacho = forms.TypedChoiceField(
        label=_("Manifiesto"),
        required=False,
        empty_value=None,
        help_text=_("Lo que va en el mismo vehículo va en un solo manifiesto."),
    )

    def __init__(self, *args: Any, partida: Partida, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        suyos = list(despachos.abiertos(partida.expediente.puesto).select_related("enviado_por")[:10])
        despacho = self.fields["despacho"]
        assert isinstance(despacho, forms.TypedChoiceField)
        despacho.choices = [("", _("Un manifiesto nuevo")), *((str(uno.pk), _manifiesto(uno)) for uno in suyos)]
        despacho.coerce = {str(uno.pk): uno for uno in suyos}.get
        # Whoever has just sent one line sends the next in the same car.
        despacho.initial = next((str(uno.pk) for uno in suyos if uno.enviado_por_id == usuario.pk), "")
        self.requisitos = {f"{r.metodo_id}-{r.plaga_id}": (r.metodo, r.plaga) for r in requisitos_de(partida)}
        ensayos = self.fields["ensayos"]
        assert isinstance(ensayos, forms.MultipleChoiceField)
        ensayos.choices = [(clave, f"{metodo} · {plaga}") for clave, (metodo, plaga) in self.requisitos.items()]
        ensayos.initial = list(self.requisitos)
        if not self.requisitos:
            del self.fields["ensayos"]
        metodos = list(Metodo.objects.filter(activo=True).select_related("disciplina"))
        plagas = list(Plaga.objects.all())
        for n in range(1, OTROS_ENSAYOS + 1):
            self.fields[f"metodo_{n}"] = _eleccion(_("Método %(n)s") % {"n": n}, Metodo, metodos)
            self.fields[f"plaga_{n}"] = _eleccion(_("Plaga %(n)s") % {"n": n}, Plaga, plagas)

    def secciones(self) -> list[dict[str, Any]]:
        grupos = (
            (_("Qué se busca"), "", ["ensayos"]),
            (_("Otros análisis"), _("Elija el método y la plaga de cada uno."), ["metodo_1", "plaga_1"]),
            *(("", "", [f"metodo_{n}", f"plaga_{n}"]) for n in range(2, OTROS_ENSAYOS + 1)),
            (_("El envío"), "", ["despacho", "transporte", "ocurrio_en", "texto"]),
        )
        return [
            {"titulo": titulo, "ayuda": ayuda, "campos": [self[campo] for campo in campos if campo in self.fields]}
            for titulo, ayuda, campos in grupos
            if any(campo in self.fields for campo in campos)
        ]

    def clean(self) -> dict[str, Any]:
        """Leave in `ensayos` the pairs (method, pest) asked for, each once, and drop the rest."""
        datos = super().clean() or self.cleaned_data
        ensayos = [self.requisitos[clave] for clave in datos.get("ensayos", [])]
        for n in range(1, OTROS_ENSAYOS + 1):
            metodo, plaga = datos.pop(f"metodo_{n}", None), datos.pop(f"plaga_{n}", None)
            if metodo and plaga:
                ensayos.append((metodo, plaga))
            elif metodo:
                self.add_error(f"plaga_{n}", _("Diga qué plaga se busca con este método."))
            elif plaga:
                self.add_error(f"metodo_{n}", _("Diga con qué método se busca esta plaga."))
        if not ensayos and not self.errors:
            self.add_error(
                "ensayos" if self.requisitos else "metodo_1", _("Marque al menos un análisis: sin eso no hay informe.")
            )
        datos["ensayos"] = list(dict.fromkeys(ensayos))
        return datos


def _eleccion(etiqueta: str, modelo: Any, objetos: list[Any]) -> forms.TypedChoiceField:
    """A select over objects already read: six of them must not ask the database six times."""
    por_clave = {str(objeto.pk): objeto for objeto in objetos}
    return forms.TypedChoiceField(
        label=etiqueta,
        required=False,
        choices=[("", _("Ninguno")), *((clave, str(objeto)) for clave, objeto in por_clave.items())],
        coerce=por_clave.get,
        empty_value=None,
    )


def _manifiesto(despacho: Despacho) -> str:
    partes = [
        despacho.numero,
        despacho.transporte,
        _("salió a las %(hora)s") % {"hora": f"{timezone.localtime(despacho.salio_en):%H:%M}"},
    ]
    return " · ".join(str(parte) for parte in partes if parte)


def _conservacion_al_llegar() -> forms.ChoiceField:
    return forms.ChoiceField(
        label=_("Conservación al llegar"),
        required=False,
        choices=[("", _("Como se envió")), *Muestra.Conservacion.choices],
    )


class FormularioRecibir(FormularioDeActo):
    condicion = forms.ChoiceField(
        label=_("Condición al llegar"), choices=Muestra.Condicion.choices, widget=forms.RadioSelect
    )
    cantidad_recibida = forms.DecimalField(
        label=_("Cantidad recibida"), min_value=Decimal("0.001"), max_digits=10, decimal_places=3
    )
    conservacion_al_llegar = _conservacion_al_llegar()
    observaciones = Nota(
        label=_("Observaciones"),
        hace_falta=_("si llegó con observaciones"),
        help_text=_("Temperatura, envase, rótulo: lo que el informe deba decir."),
    )

    def __init__(self, *args: Any, muestra: Muestra, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["cantidad_recibida"].help_text = _("Enviaron %(cantidad)s %(unidad)s.") % {
            "cantidad": cantidad(muestra.cantidad),
            "unidad": muestra.unidad,
        }
        self.fields["conservacion_al_llegar"].help_text = _("Se envió %(como)s.") % {
            "como": muestra.get_conservacion_display()
        }


class FormularioRechazar(FormularioDeActo):
    accion_motivada = Accion.RECHAZAR
    fotos = CampoArchivos(label=_("Fotos"), required=False)


class EleccionDeAnalista(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.firma_corta} ({obj.en_curso} en curso)"


def analistas() -> Any:
    """The active analysts, each with how much is on the bench (`en_curso`)."""
    en_curso = Q(analisis_propios__estado__in=[EstadoAnalisis.ASIGNADO, EstadoAnalisis.EN_PROCESO])
    return (
        Usuario.objects.filter(is_active=True, roles__contains=[Rol.ANALISTA])
        .annotate(en_curso=Count("analisis_propios", filter=en_curso))
        .order_by("first_name", "last_name")
    )


class FormularioAsignar(forms.Form):
    """Several analyses to one analyst, from the queue of reception."""

    analisis = forms.ModelMultipleChoiceField(
        queryset=Analisis.objects.none(), error_messages={"required": _("Marque al menos un análisis.")}
    )
    analista = EleccionDeAnalista(
        label=_("Asignar a"),
        queryset=Usuario.objects.none(),
        empty_label=_("Elija al analista…"),
        error_messages={"required": _("Elija al analista.")},
    )

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["analisis"].queryset = Analisis.objects.visibles_para(usuario).select_related("muestra")  # type: ignore[attr-defined]
        self.fields["analista"].queryset = analistas()  # type: ignore[attr-defined]


class FormularioPasarVarios(forms.Form):
    """Several analyses to one analyst, or dealt out evenly among several."""

    analisis = forms.ModelMultipleChoiceField(
        queryset=Analisis.objects.none(), error_messages={"required": _("Marque al menos un análisis.")}
    )
    analistas = forms.ModelMultipleChoiceField(
        queryset=Usuario.objects.none(), error_messages={"required": _("Elija a quién pasan.")}
    )
    texto = forms.CharField(label=_("Por qué"), max_length=300, required=False)

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["analisis"].queryset = Analisis.objects.visibles_para(usuario).en_cola()  # type: ignore[attr-defined]
        self.fields["analistas"].queryset = analistas()  # type: ignore[attr-defined]


class FormularioVerificarVarios(forms.Form):
    analisis = forms.ModelMultipleChoiceField(
        queryset=Analisis.objects.none(), error_messages={"required": _("Marque al menos un resultado.")}
    )

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["analisis"].queryset = Analisis.objects.visibles_para(usuario).en_cola()  # type: ignore[attr-defined]


class FormularioRegistrar(FormularioDeActo):
    valor = forms.ChoiceField(label=_("Resultado"), choices=Valor.choices, widget=forms.RadioSelect)
    plaga = forms.ModelChoiceField(
        label=_("Plaga hallada"),
        queryset=Plaga.objects.none(),
        required=False,
        empty_label=_("Ninguna"),
        help_text=_("Solo si es positivo."),
    )
    lectura = forms.CharField(
        label=_("Lectura"), max_length=160, required=False, help_text=_("Con su unidad: Ct 24.1, 3 larvas, 12 UFC/g…")
    )
    observaciones = forms.CharField(
        label=_("Observaciones del ensayo"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Desviaciones del método, controles: sale en el informe."),
    )

    def __init__(self, *args: Any, analisis: Analisis, **kwargs: Any):
        super().__init__(*args, **kwargs)
        buscada = Case(When(pk=analisis.plaga_id, then=Value(0)), default=Value(1))
        self.fields["plaga"].queryset = Plaga.objects.order_by(buscada, "nombre")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        if datos.get("plaga") and datos.get("valor") in (Valor.NEGATIVO, Valor.INDETERMINADO):
            raise ValidationError(
                {"plaga": _("Nombró una plaga, pero el resultado no es positivo: corrija uno de los dos.")}
            )
        return datos


# ── Worksheets ────────────────────────────────────────────────────────────────────────────────────

FILAS_DE_UNA_HOJA = 40
MAX_FILAS = 200


class FormularioNuevaHoja(forms.Form):
    """Which rows of the queue of a method go on a sheet."""

    analisis = forms.ModelMultipleChoiceField(
        queryset=Analisis.objects.none(), error_messages={"required": _("Marque al menos un análisis.")}
    )

    def __init__(self, *args: Any, cola: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["analisis"].queryset = cola  # type: ignore[attr-defined]


class FormularioDeRenglon(forms.Form):
    """One row of a sheet: a letter gives the value, and a positive is of the pest looked for unless told otherwise."""

    valor = forms.ChoiceField(label=_("Resultado"), choices=[("", "—"), *Valor.choices], required=False)
    plaga = forms.CharField(label=_("Plaga hallada"), max_length=160, required=False)
    lectura = forms.CharField(label=_("Lectura"), max_length=160, required=False)
    observaciones = forms.CharField(label=_("Nota"), max_length=2000, required=False)
    visto = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, analisis: Analisis, plagas: Mapping[str, Plaga], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.analisis, self.plagas = analisis, plagas
        for nombre, campo in self.fields.items():
            if nombre != "visto":
                campo.widget.attrs |= {"aria-label": f"{campo.label}, {analisis.muestra}", "autocomplete": "off"}
        self.fields["plaga"].widget.attrs |= {"list": "plagas", "data-buscada": analisis.plaga.eppo, "maxlength": 160}

    @property
    def escrito(self) -> list[str]:
        """What was typed in the row, in words, to be given back when the row can no longer take it."""
        valor = dict(Valor.choices).get(self["valor"].value() or "", "")
        otros = [self[nombre].value() or "" for nombre in ("plaga", "lectura", "observaciones")]
        return [str(texto) for texto in (valor, *otros) if texto]

    def clean_plaga(self) -> Plaga | None:
        texto = self.cleaned_data["plaga"].strip()
        plaga = self.plagas.get(texto.partition(" ")[0].upper()) or self.plagas.get(texto.lower())
        if texto and plaga is None:
            raise ValidationError(_("No hay una plaga «%(texto)s»: elija una de la lista."), params={"texto": texto})
        return plaga

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        valor = datos.get("valor")
        if not valor and self.escrito:
            self.add_error("valor", _("Falta el resultado."))
        elif datos.get("plaga") and valor in (Valor.NEGATIVO, Valor.INDETERMINADO):
            self.add_error("plaga", _("Nombró una plaga, pero el resultado no es positivo: corrija uno de los dos."))
        elif valor == Valor.POSITIVO and "plaga" not in self.errors:
            datos["plaga"] = datos["plaga"] or self.analisis.plaga
        return datos


class FormularioDeControl(forms.Form):
    """What a control of the run gave; a row that is left blank is not recorded yet.

    With `tipo` among its initial values it is the row of that control; without, that of any other.
    """

    tipo = forms.ChoiceField(
        label=_("Otro control"), choices=[("", _("Otro control…")), *TipoDeControl.choices], required=False
    )
    obtenido = forms.CharField(label=_("Qué dio"), max_length=120, required=False)
    conforme = forms.ChoiceField(
        label=_("Conforme"), choices=[("", "—"), ("si", _("Conforme")), ("no", _("No conforme"))], required=False
    )

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.nombre = dict(TipoDeControl.choices).get(self.initial.get("tipo", ""), "")
        if self.nombre:
            self.fields["tipo"].widget = forms.HiddenInput()
        for campo in self.fields.values():
            campo.widget.attrs |= {"aria-label": f"{campo.label}: {self.nombre}" if self.nombre else str(campo.label)}

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        if datos.get("conforme") and not datos.get("obtenido"):
            self.add_error("obtenido", _("Escriba qué dio el control."))
        elif datos.get("obtenido") and not datos.get("conforme"):
            self.add_error("conforme", _("Diga si es conforme."))
        elif datos.get("conforme") and not datos.get("tipo"):
            self.add_error("tipo", _("Elija qué control es."))
        return datos


class FormularioAdjuntar(FormularioDeActo):
    ocurrio_en = None  # type: ignore[assignment]
    texto = None  # type: ignore[assignment]
    archivos = CampoArchivos(label=_("Fotos o documentos"))
    # Which result was on the page: another one by now does not get the files of this one.
    resultado = forms.IntegerField(widget=forms.HiddenInput)


class FormularioPerder(FormularioDeActo):
    accion_motivada = Accion.PERDER


class FormularioAnularMuestra(FormularioDeActo):
    accion_motivada = Accion.ANULAR_MUESTRA


class FormularioCancelar(FormularioDeActo):
    accion_motivada = Accion.CANCELAR


class FormularioRepetir(FormularioDeActo):
    accion_motivada = Accion.REPETIR


class FormularioDevolver(FormularioDeActo):
    accion_motivada = Accion.DEVOLVER
    analisis = forms.ModelMultipleChoiceField(
        Analisis.objects.none(), label=_("Qué hay que volver a hacer"), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, informe: Informe, **kwargs: Any):
        super().__init__(*args, **kwargs)
        suyos = Analisis.objects.filter(solicitud=informe.solicitud_id, estado=EstadoAnalisis.VERIFICADO)
        eleccion = self.fields["analisis"]
        assert isinstance(eleccion, forms.ModelMultipleChoiceField)
        eleccion.queryset = suyos.select_related("muestra", "metodo__disciplina", "plaga")


class FormularioGuardarContramuestra(FormularioDeActo):
    lugar = forms.CharField(label=_("Dónde queda"), help_text=_("Cámara, estante, caja…"), max_length=120)
    hasta = forms.DateField(
        label=_("Se guarda hasta"),
        widget=Fecha,
        initial=hasta_por_omision,
        help_text=_("Después se puede eliminar con su acta."),
    )


class FormularioEliminar(forms.Form):
    """The disposal of one retained duplicate, or of many: who saw it, and how."""

    testigo = forms.CharField(
        label=_("Testigo"), max_length=120, help_text=_("Nombre y cargo de quien lo presencia y firma el acta.")
    )
    metodo = forms.ChoiceField(label=_("Método"), choices=[("", _("Elija…")), *ActaEliminacion.Metodo.choices])
    observaciones = forms.CharField(
        label=_("Observaciones"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


class FormularioEliminarVarias(FormularioEliminar):
    muestras = forms.ModelMultipleChoiceField(
        queryset=Muestra.objects.none(), error_messages={"required": _("Marque al menos una contramuestra.")}
    )

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["muestras"].queryset = Muestra.objects.visibles_para(usuario)  # type: ignore[attr-defined]


class FormularioDirimencia(FormularioDeActo):
    ocurrio_en = None  # type: ignore[assignment]
    texto = forms.CharField(label=_("Por qué"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


class FormularioRevertir(FormularioDeActo):
    accion_motivada = Accion.REVERTIR


# ── Reversions and amendments ─────────────────────────────────────────────────────────────────────


class FormularioRevertirEtapa(FormularioDeActo):
    """A stage stepped back: each act has its own motives."""

    def __init__(self, *args: Any, accion: str, **kwargs: Any):
        self.accion_motivada = accion
        super().__init__(*args, **kwargs)


class FormularioEnmendarResultado(FormularioDevolver):
    accion_motivada = Accion.ENMENDAR_RESULTADO

    def __init__(self, *args: Any, informe: Informe, **kwargs: Any):
        super().__init__(*args, informe=informe, **kwargs)
        eleccion = self.fields["analisis"]
        assert isinstance(eleccion, forms.ModelMultipleChoiceField)
        eleccion.queryset = rehacibles(informe)


class FormularioRetirarEnmienda(FormularioDeActo):
    ocurrio_en = None  # type: ignore[assignment]


class FormularioAnularEmitido(FormularioDeActo):
    accion_motivada = Accion.ANULAR_EMITIDO


class FormularioEnmendar(FormularioDeActo):
    """What a report prints of its samples and no result rests on: as it should read."""

    accion_motivada = Accion.ENMENDAR

    def __init__(self, *args: Any, informe: Informe, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.muestras = list(informe.solicitud.muestras.order_by("numero"))
        for muestra in self.muestras:
            for campo in CORREGIBLES:
                modelo = Muestra._meta.get_field(campo)
                self.fields[f"{campo}_{muestra.pk}"] = forms.CharField(
                    label=str(modelo.verbose_name).capitalize(),  # type: ignore[union-attr]
                    max_length=getattr(modelo, "max_length", None) or 2000,
                    required=campo == "precinto",
                    initial=getattr(muestra, campo),
                    widget=forms.Textarea(attrs={"rows": 2}) if campo == "observaciones" else forms.TextInput,
                )

    def secciones(self) -> list[dict[str, Any]]:
        suyas = [
            {
                "titulo": _("Muestra %(muestra)s") % {"muestra": muestra},
                "ayuda": _("Como deba leerse; lo que está bien, déjelo."),
                "campos": [self[f"{campo}_{muestra.pk}"] for campo in CORREGIBLES],
            }
            for muestra in self.muestras
        ]
        enmienda = {
            "titulo": _("Por qué"),
            "ayuda": _("Lo dice el informe nuevo. Si el dato del cliente ya se corrigió en su ficha, basta esto."),
            "campos": [self[campo] for campo in ("motivo", "texto", "ocurrio_en")],
        }
        return [*suyas, enmienda]

    def clean(self) -> dict[str, Any]:
        """Leave in `cambios` the fields of each sample, and drop the rest."""
        datos = super().clean() or self.cleaned_data
        datos["cambios"] = {
            muestra: {
                campo: datos.pop(f"{campo}_{muestra.pk}") for campo in CORREGIBLES if f"{campo}_{muestra.pk}" in datos
            }
            for muestra in self.muestras
        }
        return datos


class FormularioFiltroDeReversiones(forms.Form):
    disciplina = forms.ModelChoiceField(
        Disciplina.objects.all(), label=_("Disciplina"), required=False, empty_label=_("Todas")
    )
    metodo = forms.ModelChoiceField(
        Metodo.objects.select_related("disciplina"), label=_("Método"), required=False, empty_label=_("Todos")
    )
    motivo = forms.ChoiceField(label=_("Motivo"), required=False)
    desde = forms.DateField(label=_("Desde"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    hasta = forms.DateField(label=_("Hasta"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        usados = Motivo.objects.filter(codigo__in=Reversion.objects.order_by().values("motivo"))
        textos = dict(usados.filter(accion__in=ACTOS).order_by("texto").values_list("codigo", "texto"))
        motivo = self.fields["motivo"]
        assert isinstance(motivo, forms.ChoiceField)
        motivo.choices = [("", _("Todos")), *textos.items()]

    def filtrar(self, filas: ConsultaReversion) -> ConsultaReversion:
        """Those of the period, in Lima's days with both ends, and of what was chosen; a sample's by what it took."""
        datos = self.cleaned_data
        if datos["disciplina"]:
            filas = filas.que_tocan("metodo__disciplina", datos["disciplina"])
        if datos["metodo"]:
            filas = filas.que_tocan("metodo", datos["metodo"])
        if datos["motivo"]:
            filas = filas.filter(motivo=datos["motivo"])
        if datos["desde"]:
            filas = filas.filter(ocurrio_en__date__gte=datos["desde"])
        if datos["hasta"]:
            filas = filas.filter(ocurrio_en__date__lte=datos["hasta"])
        return filas


class FormularioMotivo(forms.Form):
    accion = forms.ChoiceField(
        label=_("Acto"), choices=lambda: [("", _("Elija…")), *sorted(ACTOS.items(), key=lambda par: str(par[1]))]
    )
    texto = forms.CharField(
        label=_("Motivo"), max_length=160, help_text=_("Como deba leerse al elegirlo. No se edita después.")
    )


class FormularioRetener(FormularioDeActo):
    ocurrio_en = None  # type: ignore[assignment]
    texto = forms.CharField(
        label=_("Por qué se retiene"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


# ── The door of the laboratory ────────────────────────────────────────────────────────────────────


class FormularioRecepcionRapida(forms.Form):
    """One box after the other: all but the code has an answer already."""

    codigo = forms.CharField(
        label=_("Muestra, rótulo o precinto"),
        max_length=200,
        widget=forms.TextInput(
            attrs={
                "autofocus": True,
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "enterkeyhint": "send",
            }
        ),
    )
    condicion = forms.ChoiceField(
        label=_("Condición"), choices=Muestra.Condicion.choices, initial=Muestra.Condicion.BUENA
    )
    cantidad_recibida = forms.DecimalField(
        label=_("Cantidad"),
        required=False,
        min_value=Decimal("0.001"),
        max_digits=10,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"placeholder": _("la enviada"), "step": "any"}),
    )
    conservacion_al_llegar = _conservacion_al_llegar()
    observaciones = forms.CharField(
        label=_("Observaciones"),
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"placeholder": _("obligatorias si llegó con observaciones")}),
    )


class FormularioLlegada(forms.Form):
    """One row of a manifest: whether it came, and how."""

    llego = forms.BooleanField(required=False)
    condicion = forms.ChoiceField(choices=Muestra.Condicion.choices, initial=Muestra.Condicion.BUENA)
    cantidad_recibida = forms.DecimalField(
        min_value=Decimal("0.001"),
        max_digits=10,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    conservacion_al_llegar = _conservacion_al_llegar()
    observaciones = forms.CharField(
        required=False, max_length=2000, widget=forms.TextInput(attrs={"placeholder": _("observaciones")})
    )

    def __init__(self, datos: Any = None, *, muestra: Muestra):
        inicial = {"cantidad_recibida": muestra.cantidad.normalize()}
        super().__init__(datos, prefix=f"m{muestra.pk}", initial=inicial)
        self.muestra = muestra
        nombres = {
            "llego": _("%(muestra)s llegó"),
            "condicion": _("Condición de %(muestra)s"),
            "cantidad_recibida": _("Cantidad recibida de %(muestra)s, en %(unidad)s"),
            "conservacion_al_llegar": _("Conservación al llegar de %(muestra)s"),
            "observaciones": _("Observaciones de %(muestra)s"),
        }
        for campo, nombre in nombres.items():
            texto = nombre % {"muestra": muestra, "unidad": muestra.unidad}
            self.fields[campo].widget.attrs["aria-label"] = texto
            self.fields[campo].label = texto

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or self.cleaned_data
        if not datos.get("llego"):
            self.errors.clear()  # what did not come has no quantity
        elif datos.get("condicion") == Muestra.Condicion.CON_OBSERVACIONES and not datos.get("observaciones"):
            self.add_error("observaciones", _("Escriba qué observó al recibirla."))
        return datos


# ── Labels ────────────────────────────────────────────────────────────────────────────────────────


class FormularioRotulosEnBlanco(forms.Form):
    puesto = forms.ModelChoiceField(label=_("Puesto"), queryset=Puesto.objects.none(), empty_label=None)
    cuantos = forms.IntegerField(
        label=_("Cuántos"),
        min_value=1,
        max_value=rotulos.MAXIMO,
        initial=rotulos.POR_HOJA,
        help_text=_("Una hoja trae %(n)s.") % {"n": rotulos.POR_HOJA},
    )

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["puesto"].queryset = usuario.puestos.all()  # type: ignore[attr-defined]


class FormularioImprimirRotulos(forms.Form):
    """Which labels to print, and on what paper: the address of the PDF says it all."""

    FORMATOS = (("hoja", _("hoja A4, 24 rótulos")), ("rollo", _("rollo de 62 × 29 mm")))

    formato = forms.ChoiceField(label=_("Papel"), choices=FORMATOS)
    saltar = forms.IntegerField(
        label=_("Rótulos ya usados de la primera hoja"),
        required=False,
        min_value=0,
        max_value=rotulos.POR_HOJA - 1,
    )


class EleccionDeMuestra(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.numero} · {obj.partida.producto} · {_('precinto %(precinto)s') % {'precinto': obj.precinto}}"


class FormularioRotular(forms.Form):
    muestra = EleccionDeMuestra(
        label=_("¿En qué muestra lo pegó?"),
        queryset=Muestra.objects.none(),
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages={"required": _("Elija la muestra."), "invalid_choice": _("Esa muestra ya no espera rótulo.")},
    )

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        tomadas = Muestra.objects.visibles_para(usuario).filter(
            estado=EstadoMuestra.TOMADA, expediente__puesto__in=usuario.puestos.all()
        )
        eleccion = self.fields["muestra"]
        assert isinstance(eleccion, forms.ModelChoiceField)
        eleccion.queryset = tomadas.select_related("partida__producto", "expediente").order_by("-pk")
        if not self.is_bound:  # one labelled meanwhile is refused in words, not as something unknown
            eleccion.queryset = eleccion.queryset.filter(rotulo=None)


# ── Questions ─────────────────────────────────────────────────────────────────────────────────────


class EleccionDePersona(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj} ({', '.join(str(Rol(rol).label) for rol in obj.roles)})"


class FormularioPreguntar(forms.Form):
    texto = forms.CharField(
        label=_("Pregunta"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("La leen el puesto y el laboratorio. No escriba de quién es la carga ni adelante resultados."),
    )
    para = EleccionDePersona(
        label=_("Para"), queryset=Usuario.objects.none(), required=False, empty_label=_("Quien tenga la muestra")
    )
    vence_en = forms.DateTimeField(
        label=_("Responder antes de"),
        help_text=_("Hora de Lima."),
        widget=HoraLocal,
        initial=preguntas.plazo_por_omision,
    )

    def __init__(self, *args: Any, muestra: Muestra, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        quienes = [uno.pk for uno in preguntas.al_otro_lado(usuario, muestra)]
        self.fields["para"].queryset = Usuario.objects.filter(pk__in=quienes)  # type: ignore[attr-defined]


class FormularioContestar(forms.Form):
    respuesta = forms.CharField(label=_("Respuesta"), max_length=2000, widget=forms.Textarea(attrs={"rows": 4}))


# ── The signature: the rule, certificates, deputies, files signed outside ─────────────────────────


class FormularioRegla(forms.ModelForm):
    """A version of the rule; what is left without a mark covers everything."""

    gracia_minutos = forms.IntegerField(
        label=_("Tiempo de gracia (minutos)"),
        min_value=0,
        max_value=24 * 60,
        help_text=_("Lo que espera antes de firmar: en él, analista o verificador pueden retener o revertir."),
    )
    causa = forms.CharField(
        label=_("Por qué cambia la regla"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )

    class Meta:
        model = ReglaFirma
        fields = ["gracia_minutos", "disciplinas", "metodos", "productos", "causa"]
        widgets = dict.fromkeys(["disciplinas", "metodos", "productos"], forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for campo in ("disciplinas", "metodos", "productos"):
            self.fields[campo].help_text = _("Sin marcar ninguno, los cubre todos.")
        self.fields["metodos"].queryset = Metodo.objects.filter(activo=True).select_related("disciplina")  # type: ignore[attr-defined]
        self.fields["productos"].queryset = Producto.objects.filter(activo=True)  # type: ignore[attr-defined]


class FormularioApagarRegla(forms.Form):
    causa = forms.CharField(label=_("Por qué se apaga"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


class FormularioConfirmar(forms.Form):
    """A single button."""


class FormularioCertificado(forms.Form):
    archivo = forms.FileField(label=_("Archivo del certificado (.p12 o .pfx)"))
    # Named so that `senasa.escrito` never keeps it.
    contrasena = forms.CharField(
        label=_("Clave del archivo"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Los dos se guardan cifrados, y solo se usan para firmar lo que usted autorice."),
    )

    def clean_archivo(self) -> bytes:
        archivo = self.cleaned_data["archivo"]
        if archivo.size > 100_000:
            raise ValidationError(_("Es demasiado grande para ser un certificado."))
        return archivo.read()


class FormularioSubirFirmado(FormularioDeActo):
    ocurrio_en = None  # type: ignore[assignment]
    texto = None  # type: ignore[assignment]
    archivo = forms.FileField(label=_("El PDF, ya firmado"))

    def __init__(self, *args: Any, informe: Informe, actor: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.informe, self.actor = informe, actor

    def clean_archivo(self) -> Subido:
        archivo = self.cleaned_data["archivo"]
        if archivo.size > 20 * 1024 * 1024:
            raise ValidationError(_("Pesa más de 20 MB: no es el PDF que se le entregó."))
        try:
            return revisar_subido(informe=self.informe, actor=self.actor, contenido=archivo.read())
        except CertificadoInutil as error:
            raise ValidationError(str(error)) from None


class FormularioSuplencia(forms.Form):
    titular = forms.ModelChoiceField(Usuario.objects.none(), label=_("A quién suple"), empty_label=_("Elija…"))
    suplente = forms.ModelChoiceField(Usuario.objects.none(), label=_("Quién suple"), empty_label=_("Elija…"))
    desde = forms.DateField(label=_("Desde"), widget=Fecha)
    hasta = forms.DateField(
        label=_("Hasta"),
        help_text=_("Ese día también."),
        widget=Fecha,
    )
    causa = forms.CharField(label=_("Causa"), max_length=200, help_text=_("Vacaciones, licencia, comisión…"))

    def __init__(self, *args: Any, actor: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        activos = Usuario.objects.filter(is_active=True).order_by("first_name", "last_name")
        titulares = activos.filter(roles__contains=[Rol.DIRECTOR])
        if Rol.ADMINISTRADOR not in actor.roles:
            titulares = titulares.filter(pk=actor.pk)
            self.fields["titular"].initial = actor.pk
        self.fields["titular"].queryset = titulares  # type: ignore[attr-defined]
        suplentes = activos.filter(roles__overlap=sorted(ROLES_DE_LABORATORIO))
        self.fields["suplente"].queryset = suplentes  # type: ignore[attr-defined]


class FormularioFirmarVarios(forms.Form):
    """The reports that the director marked, by number."""

    informe = forms.ModelMultipleChoiceField(
        Informe.objects.none(),
        to_field_name="numero",
        error_messages={"required": _("No marcó ningún informe.")},
    )

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        campo = self.fields["informe"]
        assert isinstance(campo, forms.ModelMultipleChoiceField)
        campo.queryset = Informe.objects.visibles_para(usuario).en_cola()

"""What may be typed in on these pages: by attention, and by whoever exports a case."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from expedientes.asignacion import con_casos, inspectores_de
from expedientes.forms import Fecha
from expedientes.models import Expediente, Partida
from expedientes.textos import Audiencia
from senasa.models import Puesto, Usuario


class FormularioDeCorreo(forms.Form):
    """The right address of the importer, or of the broker where the case has one."""

    de = forms.ChoiceField(
        label=_("De quién es"),
        choices=[(Audiencia.IMPORTADOR, _("Del importador")), (Audiencia.AGENTE, _("Del agente de aduana"))],
        initial=Audiencia.IMPORTADOR,
        widget=forms.RadioSelect,
    )
    correo = forms.EmailField(
        label=_("Correo electrónico correcto"),
        help_text=_("Pídalo letra por letra. Los enlaces que fueron al correo anterior dejan de servir."),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "inputmode": "email"}),
    )

    def __init__(self, *args: Any, expediente: Expediente, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if expediente.agente_id is None:
            del self.fields["de"]

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or {}
        return {**datos, "de": Audiencia(datos.get("de") or Audiencia.IMPORTADOR)}


class FormularioDeExportacion(forms.Form):
    sin_datos_personales = forms.BooleanField(
        label=_("Sin datos personales"),
        help_text=_("Quedan fuera los documentos firmados, los adjuntos y los textos; están sus números y huellas."),
        required=False,
    )


class FiltroDeAvisos(forms.Form):
    """What is looked for among the notices; a case's number or a whole address are found whenever they were sent."""

    DIAS = ((7, _("7 días")), (30, _("30 días")), (90, _("90 días")), (366, _("Un año")))

    q = forms.CharField(label=_("Expediente o correo"), max_length=80, required=False)
    dias = forms.TypedChoiceField(label=_("De los últimos"), choices=DIAS, coerce=int, required=False)
    estado = forms.CharField(required=False, widget=forms.HiddenInput)

    @property
    def dias_elegidos(self) -> int:
        return self.cleaned_data.get("dias") or 30


class FormularioDeVista(forms.Form):
    nombre = forms.CharField(label=_("Nombre"), max_length=60, help_text=_("Con el mismo nombre se reemplaza."))
    compartida_con = forms.ModelChoiceField(
        Puesto.objects.none(), label=_("Compartirla con el puesto"), required=False, empty_label=_("Solo para mí")
    )
    inicial = forms.BooleanField(label=_("Abrirla al entrar"), required=False)

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        campo = self.fields["compartida_con"]
        assert isinstance(campo, forms.ModelChoiceField)
        campo.queryset = usuario.puestos.all()
        if not campo.queryset.exists():
            del self.fields["compartida_con"]


class FormularioDictaminarVarios(forms.Form):
    """The lines that an inspector marked, to decide them at once."""

    partida = forms.ModelMultipleChoiceField(
        Partida.objects.none(), error_messages={"required": _("No marcó ninguna partida.")}
    )
    fundamento = forms.CharField(
        label=_("Fundamento"),
        help_text=_("Sale impreso en el RIV de cada una."),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2}),
        initial=_("Los informes de ensayo son negativos: no se detectaron plagas cuarentenarias."),
    )

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        campo = self.fields["partida"]
        assert isinstance(campo, forms.ModelMultipleChoiceField)
        campo.queryset = Partida.objects.visibles_para(usuario)


class FormularioPasarCasos(forms.Form):
    """All the open cases of an inspector, or those that nobody has, dealt out evenly among the chosen."""

    de = forms.ModelChoiceField(
        Usuario.objects.none(), label=_("Casos de"), required=False, empty_label=_("Nadie: los que están sin asignar")
    )
    a = forms.ModelMultipleChoiceField(
        Usuario.objects.none(), label=_("A quién"), widget=forms.CheckboxSelectMultiple,
        help_text=_("Si marca varios, se reparten por igual, lo más urgente primero."),
    )  # fmt: skip
    puesto = forms.ModelChoiceField(Puesto.objects.none(), label=_("Puesto"), empty_label=None)
    texto = forms.CharField(label=_("Por qué"), required=False, max_length=2000)

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        puestos = usuario.puestos.all()
        de_sus_puestos = inspectores_de(puestos)
        for campo, cuales in (("de", con_casos(puestos)), ("a", de_sus_puestos), ("puesto", puestos)):
            self.fields[campo].queryset = cuales  # type: ignore[attr-defined]


class FormularioAsignarCasos(forms.Form):
    """The cases that a jefe marked on the board, to one inspector."""

    caso = forms.ModelMultipleChoiceField(
        Expediente.objects.none(), error_messages={"required": _("No marcó ningún expediente.")}
    )
    inspector = forms.ModelChoiceField(
        Usuario.objects.none(), label=_("Asignar los marcados a"), empty_label=_("Elija al inspector…"),
        error_messages={"required": _("No eligió al inspector.")},
        widget=forms.Select(attrs={"aria-keyshortcuts": "m"}),
    )  # fmt: skip

    def __init__(self, *args: Any, usuario: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        puestos = usuario.puestos.all()
        self.fields["caso"].queryset = Expediente.objects.filter(puesto__in=puestos)  # type: ignore[attr-defined]
        self.fields["inspector"].queryset = inspectores_de(puestos)  # type: ignore[attr-defined]


class FormularioDeAusencia(forms.Form):
    ausente = forms.ModelChoiceField(Usuario.objects.none(), label=_("Quién se ausenta"), empty_label=_("Elija…"))
    cubre = forms.ModelChoiceField(Usuario.objects.none(), label=_("Quién lo cubre"), empty_label=_("Elija…"))
    desde = forms.DateField(label=_("Desde"), widget=Fecha)
    hasta = forms.DateField(label=_("Hasta"), help_text=_("Ese día también."), widget=Fecha)
    causa = forms.CharField(label=_("Causa"), max_length=200, help_text=_("Vacaciones, licencia, comisión…"))

    def __init__(self, *args: Any, actor: Usuario, **kwargs: Any):
        super().__init__(*args, **kwargs)
        inspectores = inspectores_de(actor.puestos.all())
        self.fields["ausente"].queryset = inspectores  # type: ignore[attr-defined]
        self.fields["cubre"].queryset = inspectores  # type: ignore[attr-defined]

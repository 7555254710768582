"""What may be typed in on these pages: by attention, and by whoever exports a case."""

from django import forms
from django.utils.translation import gettext_lazy as _


class FormularioDeCorreo(forms.Form):
    correo = forms.EmailField(
        label=_("Correo electrónico correcto del importador"),
        help_text=_("Pídalo letra por letra. Los enlaces que fueron al correo anterior dejan de servir."),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "inputmode": "email"}),
    )


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

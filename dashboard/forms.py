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

"""What attention may type in."""

from django import forms
from django.utils.translation import gettext_lazy as _


class FormularioDeCorreo(forms.Form):
    correo = forms.EmailField(
        label=_("Correo electrónico correcto del importador"),
        help_text=_("Pídalo letra por letra. Los enlaces que fueron al correo anterior dejan de servir."),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "inputmode": "email"}),
    )

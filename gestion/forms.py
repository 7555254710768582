"""What may be typed in about what is late."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from expedientes.forms import Fecha
from senasa.models import Usuario


class FormularioTomarAccion(forms.Form):
    que_hara = forms.CharField(
        label=_("Qué se hará"), max_length=1000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("En una o dos frases: qué, con quién, qué falta."),
    )  # fmt: skip
    responsable = forms.ModelChoiceField(
        label=_("Responsable"), queryset=Usuario.objects.none(), empty_label=_("Elija…")
    )
    para_el = forms.DateField(label=_("Para el"), widget=Fecha, help_text=_("El último día para hacerlo."))

    def __init__(self, *args: Any, responsables: QuerySet[Usuario], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["responsable"].queryset = responsables  # type: ignore[attr-defined]


class FormularioCerrarAccion(forms.Form):
    desenlace = forms.CharField(
        label=_("Desenlace"), max_length=1000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("En qué terminó: qué se hizo y qué se logró."),
    )  # fmt: skip


class FormularioDeStock(forms.Form):
    """Which cases of the stock a link asks for."""

    dia = forms.DateField()
    mas_de = forms.IntegerField(required=False, min_value=0, max_value=9999)
    hasta = forms.IntegerField(required=False, min_value=1, max_value=9999)
    sin_muestra = forms.BooleanField(required=False)

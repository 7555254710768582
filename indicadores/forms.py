"""What directors may ask for: a stretch of months and a post."""

from datetime import date

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from senasa.models import Puesto

from .programa import fin_de_mes, meses

MESES_ATRAS = 48


class FormularioDePeriodo(forms.Form):
    """Months from the oldest of `primero` on, and a post of `puestos`; what is not understood falls back to a year."""

    desde = forms.ChoiceField(label=_("Desde"))
    hasta = forms.ChoiceField(label=_("Hasta"))
    puesto = forms.ChoiceField(label=_("Puesto"), required=False)

    def __init__(self, datos: dict[str, str], *, hoy: date, puestos: list[Puesto], obligado: bool) -> None:
        self.hoy, self.puestos = hoy, {puesto.codigo: puesto for puesto in puestos}
        atras = date(hoy.year - MESES_ATRAS // 12, hoy.month, 1)
        self.hay = {f"{mes:%Y-%m}": mes for mes in meses(atras, hoy)}
        claves = list(self.hay)
        porque_si = {"desde": claves[-12], "hasta": claves[-1], "puesto": puestos[0].codigo if obligado else ""}
        validos = {
            "desde": self.hay, "hasta": self.hay, "puesto": self.puestos if obligado else {"": None, **self.puestos},
        }  # fmt: skip
        elegido = {
            clave: datos[clave] if datos.get(clave) in validos[clave] else valor for clave, valor in porque_si.items()
        }
        if elegido["hasta"] < elegido["desde"]:
            elegido["desde"], elegido["hasta"] = elegido["hasta"], elegido["desde"]
        super().__init__(elegido)
        dichos = [(clave, date_format(mes, "F Y").lower()) for clave, mes in reversed(self.hay.items())]
        self._ofrecer("desde", dichos)
        self._ofrecer("hasta", dichos)
        nombres = [(uno.codigo, uno.nombre) for uno in puestos]
        self._ofrecer("puesto", nombres if obligado else [("", str(_("Todos"))), *nombres])
        self.is_valid()

    def _ofrecer(self, cual: str, opciones: list[tuple[str, str]]) -> None:
        campo = self.fields[cual]
        assert isinstance(campo, forms.ChoiceField)
        campo.choices = opciones

    @property
    def primer_dia(self) -> date:
        return self.hay[self.cleaned_data["desde"]]

    @property
    def ultimo_dia(self) -> date:
        return fin_de_mes(self.hay[self.cleaned_data["hasta"]])

    @property
    def cual(self) -> Puesto | None:
        return self.puestos.get(self.cleaned_data["puesto"])

"""What directors may ask for: a stretch of months and a post; of the reversions, days, a discipline and a motive."""

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from laboratorio.models import Metodo
from laboratorio.querysets import ConsultaReversion
from senasa import reloj
from senasa.models import Disciplina, Puesto

from .guardado import fin_de_mes
from .programa import meses
from .reversiones import MES, SEMANA, SIN_METODO, Filtro, detras

MESES_ATRAS = 48
MESES_POR_OMISION = 12
HORAS, VECES = "horas", "veces"


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


# ── Reversions ─────────────────────────────────────────────────────────────────────────────────────


class FormularioDeDias(forms.Form):
    """Days, both in: without them, the last twelve months. What is asked badly is said, and the rest still shown."""

    desde = forms.DateField(label=_("Desde"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    hasta = forms.DateField(label=_("Hasta"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))

    def __init__(self, datos: Any) -> None:
        hoy = timezone.localdate(reloj.ahora())
        meses = hoy.year * 12 + hoy.month - MESES_POR_OMISION
        self.porque_si = {"desde": date(meses // 12, meses % 12 + 1, 1), "hasta": hoy}
        datos = datos.copy()
        for campo, dia in self.porque_si.items():
            datos[campo] = datos.get(campo) or dia.isoformat()
        super().__init__(datos)
        self.is_valid()

    def clean(self) -> dict[str, Any]:
        datos = super().clean() or {}
        desde, hasta = datos.get("desde"), datos.get("hasta")
        if desde and hasta and hasta < desde:
            self.add_error("hasta", _("El período termina antes de empezar."))
        elif (desde and desde.year < 2000) or (hasta and hasta.year > 2100):
            self.add_error("desde", _("Ese período no existe."))
        return datos

    @property
    def dias(self) -> tuple[date, date]:
        """The days asked for; the last twelve months when they make no period."""
        if {"desde", "hasta"} & set(self.errors):
            return self.porque_si["desde"], self.porque_si["hasta"]
        return self.cleaned_data["desde"], self.cleaned_data["hasta"]


class FormularioDeReversiones(FormularioDeDias):
    puesto = forms.ModelChoiceField(
        Puesto.objects.all(), label=_("Puesto"), required=False, empty_label=_("Todos"), to_field_name="codigo"
    )
    disciplina = forms.ModelChoiceField(
        Disciplina.objects.all(), label=_("Disciplina"), required=False, empty_label=_("Todas")
    )
    medida = forms.ChoiceField(
        label=_("Ordenar por"), required=False, choices=[(HORAS, _("horas que sumaron")), (VECES, _("veces"))]
    )
    cada = forms.ChoiceField(
        label=_("Un punto por"), required=False,
        choices=[("", _("lo que dé el volumen")), (SEMANA, _("semana")), (MES, _("mes"))],
    )  # fmt: skip

    @property
    def filtro(self) -> Filtro:
        return Filtro(*self.dias, self.cleaned_data.get("puesto"), self.cleaned_data.get("disciplina"))

    @property
    def por_horas(self) -> bool:
        return self.cleaned_data.get("medida") != VECES


class FormularioDeLista(FormularioDeReversiones):
    """Which reversions stand behind a figure. `cuenta` filas: each analysis once, instead of each act."""

    cuenta = forms.ChoiceField(required=False, choices=[("actos", ""), ("filas", "")])
    accion = forms.CharField(required=False, max_length=30)
    motivo = forms.CharField(required=False, max_length=40)
    metodo = forms.CharField(required=False, max_length=20)
    autoaprobadas = forms.BooleanField(required=False)

    def clean_metodo(self) -> Metodo | str | None:
        cual = self.cleaned_data["metodo"]
        if cual in ("", SIN_METODO):
            return cual or None
        metodo = Metodo.objects.filter(pk=cual).first() if cual.isdecimal() and len(cual) < 10 else None
        if metodo is None:
            raise forms.ValidationError(_("Ese método no existe."))
        return metodo

    def buscar(self) -> ConsultaReversion:
        pedido = {campo: self.cleaned_data[campo] for campo in ("accion", "motivo", "metodo", "autoaprobadas")}
        return detras(self.filtro, por_filas=self.cleaned_data["cuenta"] == "filas", **pedido)

"""The baseline: what each indicator was before, typed or imported by dirección, by versions that nobody edits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from expedientes import planilla
from expedientes.planilla import Columna, Defecto
from senasa import reloj
from senasa.models import Puesto, Rol, Usuario
from senasa.transicion import DatoInvalido, RolImpide

from .models import LineaBase

# What the source programme published of before it began: what the template is filled with, to be kept or written over.
PUBLICADO = (
    (LineaBase.Indicador.CICLO, "22,8"),
    (LineaBase.Indicador.A_TIEMPO, "34"),
    (LineaBase.Indicador.DECISION, "11,5"),
    (LineaBase.Indicador.INFORMADOS, "73"),
)
TOPE = 1e9
COLUMNAS = (
    Columna("indicador", True, ""),
    Columna("puesto", False, ""),
    Columna("valor", True, ""),
    Columna("periodo", True, ""),
    Columna("fuente", True, ""),
)


@dataclass(frozen=True)
class Leida:
    """A row of the file, understood."""

    indicador: str
    puesto: Puesto | None
    valor: float
    periodo: str
    fuente: str


def vigentes(puesto: Puesto | None = None) -> dict[str, LineaBase]:
    """The baseline in force of a post, or of all posts together, by indicator; one query."""
    filas = LineaBase.objects.filter(puesto=puesto).order_by("indicador", "-version").distinct("indicador")
    return {fila.indicador: fila for fila in filas}


def historia(puesto: Puesto | None = None) -> QuerySet[LineaBase]:
    """Every version that ever was of a post, or of all posts together, the last on top."""
    return LineaBase.objects.filter(puesto=puesto).select_related("autor")


@transaction.atomic
def fijar(
    *, actor: Usuario, indicador: str, puesto: Puesto | None, valor: float, periodo: str, fuente: str, causa: str
) -> LineaBase:
    """A new version of what an indicator was before. `valor` in its unit; raises DatoInvalido, RolImpide."""
    return _poner(actor, [Leida(indicador, puesto, valor, periodo, fuente)], causa)[0]


@transaction.atomic
def importar(*, actor: Usuario, archivo: bytes, causa: str) -> list[LineaBase]:
    """Each row of a CSV or XLSX as a new version; all of them or, when one is wrong, none (DatoInvalido says which)."""
    try:
        _delimitador, filas = planilla.filas(archivo, COLUMNAS)
    except planilla.PlanillaInvalida as error:
        raise DatoInvalido({"archivo": str(error)}) from error
    puestos = {puesto.codigo: puesto for puesto in Puesto.objects.all()}
    defectos: list[Defecto] = []
    leidas = [leida for fila in filas if (leida := _entender(fila, puestos, defectos))]
    repetidas = [una for i, una in enumerate(leidas) if (una.indicador, una.puesto) in _claves(leidas[:i])]
    if repetidas:
        defectos.append(Defecto(0, "indicador", _("Hay un indicador dos veces para el mismo puesto.")))
    if defectos:
        raise DatoInvalido({"archivo": [_dicho(defecto) for defecto in defectos[:20]]})
    return _poner(actor, leidas, causa)


def _claves(leidas: Iterable[Leida]) -> set[tuple[str, Puesto | None]]:
    return {(una.indicador, una.puesto) for una in leidas}


def _dicho(defecto: Defecto) -> str:
    donde = _("Fila %(n)s, columna «%(columna)s»: ") % {"n": defecto.fila, "columna": defecto.columna}
    return (donde if defecto.fila else "") + defecto.mensaje


def _entender(fila: planilla.Fila, puestos: dict[str, Puesto], defectos: list[Defecto]) -> Leida | None:
    de = fila.valores
    malos = len(defectos)
    nombres = {str(clave): clave for clave in LineaBase.Indicador.values}
    nombres |= {planilla.plano(str(rotulo)): clave for clave, rotulo in LineaBase.Indicador.choices}
    indicador = nombres.get(planilla.plano(de["indicador"]))
    if indicador is None:
        defectos.append(
            Defecto(fila.n, "indicador", _("«%(que)s» no es un indicador.") % {"que": de["indicador"][:60]})
        )
    codigo = de["puesto"].strip().upper()
    if codigo and codigo not in puestos:
        defectos.append(Defecto(fila.n, "puesto", _("No hay un puesto «%(que)s».") % {"que": codigo[:20]}))
    valor = _numero(de["valor"])
    if valor is None:
        defectos.append(Defecto(fila.n, "valor", _("«%(que)s» no es un número.") % {"que": de["valor"][:20]}))
    for columna, tope in (("periodo", 80), ("fuente", 300)):
        if not de[columna].strip() or len(de[columna]) > tope:
            defectos.append(Defecto(fila.n, columna, _("Falta, o pasa de %(n)d letras.") % {"n": tope}))
    if len(defectos) > malos or indicador is None or valor is None:
        return None
    if malo := _fuera(indicador, valor):
        defectos.append(Defecto(fila.n, "valor", malo))
        return None
    return Leida(indicador, puestos.get(codigo), valor, de["periodo"].strip(), de["fuente"].strip())


def _numero(texto: str) -> float | None:
    """«22,8», «22.8», «73 %»."""
    limpio = texto.strip().removesuffix("%").strip().replace(",", ".")
    try:
        valor = float(limpio)
    except ValueError:
        return None
    return valor if abs(valor) < TOPE else None  # neither NaN nor infinity


def _fuera(indicador: str, valor: float) -> str:
    """Why a value cannot be that indicator's, or nothing."""
    if not 0 <= valor <= TOPE:
        return _("No puede ser negativo, ni tan grande.")
    if indicador.startswith("pct_") and valor > 100:
        return _("Es un porcentaje: de 0 a 100.")
    return ""


def _poner(actor: Usuario, leidas: Iterable[Leida], causa: str) -> list[LineaBase]:
    if not actor.tiene(Rol.DIRECCION):
        raise RolImpide(_("La línea base la fija dirección."))
    puestas = []
    for una in leidas:
        if malo := _fuera(una.indicador, una.valor):
            raise DatoInvalido({"valor": malo})
        suyas = LineaBase.objects.filter(indicador=una.indicador, puesto=una.puesto)
        anterior = suyas.order_by("-version").first()
        puestas.append(
            LineaBase.objects.create(
                indicador=una.indicador,
                puesto=una.puesto,
                version=anterior.version + 1 if anterior else 1,
                valor=una.valor,
                periodo=una.periodo,
                fuente=una.fuente,
                causa=causa,
                autor=actor,
                puesta_en=reloj.ahora(),
            )
        )
    return puestas


def plantilla() -> list[tuple[str, ...]]:
    """The rows of the template: what was published of before, of all posts."""
    fuente = "Viva Perú Productiva: publicado por el programa"
    return [
        (str(LineaBase.Indicador(clave).label), "", valor, "Antes del programa", fuente) for clave, valor in PUBLICADO
    ]

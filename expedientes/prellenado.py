"""From a certificate read to a request form filled in: what our catalogues know, and what a person must settle.

The file itself waits in `espera` until the registration takes it.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from stdnum import iso6346

from senasa.models import Puesto
from senasa.transicion import DatoInvalido

from .archivos import ArchivoNuevo, limpiar_nombre, revisar
from .ephyto import Certificado, Linea, Parte, Pendiente
from .forms import MAX_PARTIDAS
from .models import Expediente, Importador, Pais, Producto
from .numeros import TipoDocumento

MAX_ADJUNTOS = 10
PUESTO_DE = {"PECLL": "PCM", "PELIM": "PCA"}


# ── What came inside the certificate ──────────────────────────────────────────────────────────────


def _revisar_adjuntos(certificado: Certificado, pendientes: list[Pendiente]) -> list[ArchivoNuevo]:
    """What came inside it, to be kept with the case under the rule of any other file. What does not pass is
    named, and is not lost: the certificate that carries it is kept whole."""
    buenos: list[ArchivoNuevo] = []
    por_ver = list(certificado.adjuntos)
    while por_ver and len(certificado.adjuntos) - len(por_ver) < MAX_ADJUNTOS:
        adjunto = por_ver.pop(0)
        try:
            buenos.append(revisar(adjunto.nombre, adjunto.contenido))
        except DatoInvalido as error:
            mensaje = _("%(motivo)s No se guarda aparte, pero sigue dentro del certificado.")
            pendientes.append(Pendiente("adjuntos", "", mensaje % {"motivo": error.messages[0]}))
            if error.code == "complejo":  # each of these may cost its whole time
                break
    if por_ver:
        nombres = ", ".join(limpiar_nombre(adjunto.nombre) for adjunto in por_ver[:MAX_ADJUNTOS])
        mensaje = _("Quedan adjuntos sin abrir (%(n)d): siguen dentro del certificado.") % {"n": len(por_ver)}
        pendientes.append(Pendiente("adjuntos", nombres, mensaje))
    return buenos


# ── What the form starts with ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Prellenado:
    """`inicial` and `lineas`: initial data of the form and of its rows. `dice`: the certificate's own words
    for a field, by its name (`lineas.2.producto` for a row's), already escaped. `pendientes`: what a
    person must settle. `adjuntos`: the files inside it that can be kept with the case."""

    inicial: dict[str, Any]
    lineas: list[dict[str, Any]]
    dice: dict[str, SafeString] = field(default_factory=dict)
    pendientes: list[Pendiente] = field(default_factory=list)
    adjuntos: list[ArchivoNuevo] = field(default_factory=list)

    def por_resolver(self) -> list[tuple[str, Pendiente]]:
        """Each thing to settle, with the number of its line or nothing."""
        partes = [(pendiente.campo.split("."), pendiente) for pendiente in self.pendientes]
        return [(campo[1] if campo[0] == "lineas" and len(campo) > 1 else "", p) for campo, p in partes]


def prellenar(certificado: Certificado) -> Prellenado:
    """Match a certificate with our catalogues. Whatever rests on one evidence alone is filled and named;
    whatever has none, or contradicts itself, is left empty and named."""
    pendientes = list(certificado.pendientes)
    inicial: dict[str, Any] = {
        "certificado": certificado.numero or "",
        "declaraciones": "\n".join(certificado.declaraciones),
    }
    dice: dict[str, SafeString] = {}
    if len(certificado.permisos) == 1:
        inicial["pfi"] = certificado.permisos[0]
    paises = {pais.pk: pais for pais in Pais.objects.all()}
    if certificado.pais_exportacion in paises:
        inicial["pais_exportacion"] = certificado.pais_exportacion
    _puesto(certificado, inicial)
    _importador(certificado.importador, inicial, dice, pendientes)
    _transporte(certificado, inicial, dice, pendientes)
    productos = list(Producto.objects.filter(activo=True))
    lineas = []
    for n, linea in enumerate(certificado.lineas[:MAX_PARTIDAS], start=1):
        dice[f"lineas.{n}.producto"] = _palabras(linea)
        lineas.append(
            {
                "producto": _producto(n, linea, productos, pendientes),
                "pais_origen": linea.pais_origen if linea.pais_origen in paises else "",
                "peso_neto_kg": linea.peso_neto_kg.quantize(Decimal("0.001")) if linea.peso_neto_kg else None,
                "envases": linea.envases[:80],
            }
        )
    if len(certificado.lineas) > MAX_PARTIDAS:
        mensaje = _("Trae más de %(n)d líneas: aquí están las primeras; registre las demás en otro expediente.")
        pendientes.append(Pendiente("lineas", str(len(certificado.lineas)), mensaje % {"n": MAX_PARTIDAS}))
    _contenedores(certificado, lineas, inicial, pendientes)
    adjuntos = _revisar_adjuntos(certificado, pendientes)
    return Prellenado(inicial, lineas or [{}], dice, pendientes, adjuntos)


def _puesto(certificado: Certificado, inicial: dict[str, Any]) -> None:
    codigo = PUESTO_DE.get(certificado.punto_ingreso.codigo.replace(" ", "").upper())
    if puesto := Puesto.objects.filter(codigo=codigo).first():
        inicial["puesto"] = puesto.pk


def _importador(
    parte: Parte, inicial: dict[str, Any], dice: dict[str, SafeString], pendientes: list[Pendiente]
) -> None:
    escrito = " · ".join(filter(None, (parte.nombre, parte.direccion)))
    if escrito:
        dice["importador_numero"] = _dice(escrito)
    inicial |= {"importador_nombre": parte.nombre[:160], "importador_direccion": parte.direccion[:200]}
    conocido = None
    if parte.ruc:
        inicial |= {"importador_tipo": TipoDocumento.RUC, "importador_numero": parte.ruc}
        conocido = Importador.objects.filter(tipo_documento=TipoDocumento.RUC, numero_documento=parte.ruc).first()
        if conocido is None:
            mensaje = _("El importador no está registrado: complete su correo y compruebe su nombre.")
            pendientes.append(Pendiente("importador", escrito, mensaje))
    elif parte.nombre:
        iguales = list(Importador.objects.filter(nombre__iexact=parte.nombre)[:2])
        if len(iguales) == 1:
            conocido = iguales[0]
            mensaje = _(
                "El certificado no trae su RUC: se tomó el importador registrado con el mismo nombre. Compruébelo."
            )
        else:
            mensaje = _("El certificado no trae el RUC del importador: escriba su documento y su correo.")
        pendientes.append(Pendiente("importador", escrito, mensaje))
    else:
        pendientes.append(Pendiente("importador", "", _("El certificado no dice quién es el importador.")))
    if conocido:
        inicial |= {
            "importador_tipo": conocido.tipo_documento,
            "importador_numero": conocido.numero_documento,
            "importador_nombre": conocido.nombre,
            "importador_correo": conocido.correo,
            "importador_direccion": conocido.direccion,
        }


def _transporte(
    certificado: Certificado, inicial: dict[str, Any], dice: dict[str, SafeString], pendientes: list[Pendiente]
) -> None:
    tramos = " / ".join(" ".join(filter(None, (t.modo, t.medio, t.viaje))) for t in certificado.traslados)
    if tramos:
        dice["transporte"] = _dice(tramos)
    modo = certificado.modo_transporte
    if modo == "aereo":
        inicial["transporte"] = Expediente.Transporte.AEREO
    elif modo == "maritimo" and certificado.equipos:
        inicial["transporte"] = Expediente.Transporte.CONTENEDOR
    elif len({traslado.modo for traslado in certificado.traslados}) < 2:
        pendientes.append(Pendiente("transporte", tramos, _("No dice si viene en contenedores, a granel o por aire.")))
    maritimos = [t for t in certificado.traslados if t.modo == "maritimo"]
    if maritimos:
        inicial["nave"] = " ".join(filter(None, (maritimos[-1].medio, maritimos[-1].viaje)))[:80]


def _contenedores(
    certificado: Certificado, lineas: list[dict[str, Any]], inicial: dict[str, Any], pendientes: list[Pendiente]
) -> None:
    """With one line they are its own; with several only a person knows which holds what."""
    if not certificado.equipos:
        return
    escritos = [" ".join(filter(None, (e.numero, *e.precintos))) for e in certificado.equipos]
    malos = [e.numero or ", ".join(e.precintos) for e in certificado.equipos if not iso6346.is_valid(e.numero)]
    if malos:
        mensaje = _("No son números de contenedor ISO 6346 válidos: compruébelos con lo que está pintado.")
        pendientes.append(Pendiente("contenedores", " · ".join(malos), mensaje))
    if len(lineas) == 1 and inicial.get("transporte") == Expediente.Transporte.CONTENEDOR:
        lineas[0]["contenedores"] = "\n".join(escritos)
        return
    mensaje = _("Escriba cada contenedor en la partida que lleva.")
    pendientes.append(Pendiente("contenedores", " · ".join(escritos), mensaje))


# ── Products ──────────────────────────────────────────────────────────────────────────────────────


def _producto(n: int, linea: Linea, productos: Sequence[Producto], pendientes: list[Pendiente]) -> Any:
    """The catalogue's product when scientific name, common name and tariff code leave only one and none
    of them speaks against it. The same plant may be grain or seed: the code tells them apart."""
    cientifico, comun, codigo = _especie(linea.nombre_cientifico), _plano(linea.nombre_comun), _hs(linea)
    posibles = [
        p
        for p in productos
        if not _contradice(cientifico, _especie(p.nombre_cientifico)) and not _contradice_codigo(codigo, p.nandina)
    ]
    evidencias = {
        p: sum(
            (
                bool(cientifico) and _especie(p.nombre_cientifico) == cientifico,
                bool(comun) and comun in (_plano(p.nombre), _plano(p.codigo)),
                bool(codigo),
            )
        )
        for p in posibles
    }
    hallados = [p for p in posibles if evidencias[p]]
    mejores = [p for p in hallados if evidencias[p] == max(evidencias.values())]
    campo, escrito = f"lineas.{n}.producto", " · ".join(filter(None, (comun, cientifico, codigo)))
    if len(mejores) != 1:
        if mejores:
            nombres = ", ".join(p.nombre for p in mejores[:6])
            mensaje = _("Puede ser más de un producto del catálogo (%(nombres)s): elija.") % {"nombres": nombres}
        else:
            mensaje = _("Ningún producto del catálogo corresponde: elija el producto.")
        pendientes.append(Pendiente(campo, _escrito(linea), mensaje))
        return ""
    if evidencias[mejores[0]] < 2:
        mensaje = _("Se tomó «%(producto)s» por un solo dato: compruebe que sea ese producto.")
        pendientes.append(Pendiente(campo, _escrito(linea) or escrito, mensaje % {"producto": mejores[0].nombre}))
    return mejores[0].pk


def _contradice(uno: str, otro: str) -> bool:
    return bool(uno and otro) and uno != otro


def _contradice_codigo(codigo: str, nandina: str) -> bool:
    suya = re.sub(r"\D", "", nandina)[:6]
    largo = min(len(codigo), len(suya))
    return bool(largo) and codigo[:largo] != suya[:largo]


def _hs(linea: Linea) -> str:
    """The six digits that every country shares, when the certificate gives one code of four digits or more."""
    codigos = {re.sub(r"\D", "", codigo)[:6] for codigo in linea.codigo_arancelario.split(",")}
    codigos = {codigo for codigo in codigos if len(codigo) >= 4}
    return codigos.pop() if len(codigos) == 1 else ""


def _plano(texto: str | None) -> str:
    sin_tildes = unicodedata.normalize("NFKD", texto or "").encode("ascii", "ignore").decode()
    return " ".join(re.sub(r"[\W_]+", " ", sin_tildes.lower()).split())


def _especie(nombre: str | None) -> str:
    """Genus and species, without author nor variety; a hybrid's × is not a species."""
    palabras = [palabra for palabra in _plano(nombre).split() if palabra != "x"]
    return " ".join(palabras[:2])


# ── The certificate's own words ───────────────────────────────────────────────────────────────────


def _escrito(linea: Linea) -> str:
    nombres = [linea.nombre_comun, linea.nombre_cientifico]
    if not any(nombres) or linea.nombre_comun == linea.nombre_cientifico:
        nombres.append(linea.descripcion[:120])
    codigo = f"HS {linea.codigo_arancelario}" if linea.codigo_arancelario else ""
    return " · ".join(dict.fromkeys(parte for parte in (*nombres, linea.parte[:60], linea.uso[:60], codigo) if parte))


def _dice(texto: str) -> SafeString:
    """Escaped here: help texts are printed as they are, and this one comes from a stranger's file."""
    return format_html(_("El certificado dice: «{}»."), texto[:300])


def _palabras(linea: Linea) -> SafeString:
    return _dice(_escrito(linea))

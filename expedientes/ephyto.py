"""Reads an electronic phytosanitary certificate (IPPC ePhyto, UN/CEFACT SPS certificate in XML).

The file comes from another country's system through somebody else's hands, so it is hostile until
read: no DTD, no entities, nothing fetched, bounded in size, depth and elements. And it is never
quite what the standard says: elements are found by their local name, whatever the prefix and the
version of the namespace, wherever the certificate stands (a SOAP envelope, the hub's).

Nothing is guessed silently. What cannot be read for certain is left empty and named as a
`Pendiente`, for a person to settle; what had to be taken from a second-best place is filled *and*
named.

Note subjects (IPPC mapping of the schema): ADEDL and ADTLIL are the additional declarations of the
document and of a line; ADIPEDL/ADIPTLIL the import permit; ADAOEDL/ADAOTLIL other official
information; ADDIEDL/ADDITLIL the date of inspection; ADRP* the certificate replaced; DMCL/DMTLIL
distinguishing marks; RPC* the statements of a re-export, RPCCO its country of origin; OQV/OQU a
quantity in other units; OPTND the packages in words; SPSFL the financial-liability clause.
"""

import base64
import binascii
import csv
import logging
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser
from django.utils.translation import gettext as _
from stdnum.pe import ruc as stdnum_ruc

registro = logging.getLogger(__name__)

PAISES = Path(__file__).resolve().parent.parent / "catalogos" / "paises.csv"
MAX_BYTES = 20 * 1024 * 1024
MAX_PROFUNDIDAD = 64
MAX_ELEMENTOS = 100_000
MAX_LINEAS = 2_000
MAX_TEXTO = 100_000
MAX_KG = Decimal(1_000_000_000)  # a million tonnes: more than any ship holds


class EphytoInvalido(Exception):
    """The file cannot be read as a certificate; the message is for the person who sent it."""


@dataclass(frozen=True)
class Pendiente:
    """Something a person must settle. `campo` is a path such as `lineas.2.peso_neto_kg` (lines from 1);
    `valor` what the file says, if it says something."""

    campo: str
    valor: str
    mensaje: str


@dataclass(frozen=True)
class Identificador:
    tipo: str
    numero: str


@dataclass(frozen=True)
class Parte:
    """The exporter or the consignee."""

    nombre: str = ""
    direccion: str = ""
    pais: str | None = None
    identificadores: tuple[Identificador, ...] = ()

    @property
    def ruc(self) -> str:
        """The only valid Peruvian RUC found in its identifiers, name or address; otherwise empty."""
        textos = [i.numero for i in self.identificadores] + [self.nombre, self.direccion]
        hallados = {n for texto in textos for n in re.findall(r"(?<!\d)\d{11}(?!\d)", texto) if stdnum_ruc.is_valid(n)}
        return hallados.pop() if len(hallados) == 1 else ""


@dataclass(frozen=True)
class Equipo:
    """A container, or any other transport equipment, and its seals."""

    numero: str
    precintos: tuple[str, ...] = ()


@dataclass(frozen=True)
class Traslado:
    """One leg of the journey: `modo` is maritimo, ferroviario, terrestre, aereo, postal, multimodal or fluvial."""

    modo: str
    medio: str = ""
    viaje: str = ""


@dataclass(frozen=True)
class Lugar:
    codigo: str = ""
    nombre: str = ""


@dataclass(frozen=True)
class Adjunto:
    """A file inside the certificate, as it came: `archivos.revisar` says what it is and whether it is kept apart."""

    nombre: str
    contenido: bytes


@dataclass(frozen=True)
class Linea:
    """`peso_neto_kg` is exact, in kilograms; `codigo_arancelario` as printed by the exporting country."""

    nombre_comun: str | None
    nombre_cientifico: str | None
    peso_neto_kg: Decimal | None
    pais_origen: str | None
    descripcion: str = ""
    codigo_arancelario: str = ""
    parte: str = ""
    condicion: str = ""
    uso: str = ""
    envases: str = ""


@dataclass(frozen=True)
class Certificado:
    numero: str | None
    tipo: str
    estado: str
    emitido_en: date | None
    emisor: str | None
    pais_exportacion: str | None
    pais_importacion: str | None
    exportador: Parte
    importador: Parte
    traslados: tuple[Traslado, ...]
    equipos: tuple[Equipo, ...]
    punto_ingreso: Lugar
    lineas: tuple[Linea, ...]
    declaraciones: tuple[str, ...]
    informacion_oficial: tuple[str, ...]
    permisos: tuple[str, ...]
    tratamientos: tuple[str, ...]
    adjuntos: tuple[Adjunto, ...]
    pendientes: tuple[Pendiente, ...]

    @property
    def modo_transporte(self) -> str:
        """The mode, when every leg has the same one; otherwise empty."""
        modos = {traslado.modo for traslado in self.traslados}
        return modos.pop() if len(modos) == 1 else ""


def leer(contenido: bytes) -> Certificado:
    """Read a certificate. Raises `EphytoInvalido`, and nothing else, whatever the bytes are."""
    try:
        return _interpretar(contenido)
    except EphytoInvalido:
        raise
    except Exception as error:
        # The trust boundary: a file that finds a hole here gets a refusal, not a server error.
        # The tests call _interpretar, so that a hole is found there.
        registro.exception("ephyto_sin_leer")
        raise EphytoInvalido(_("El archivo no se pudo leer como certificado ePhyto.")) from error


def _interpretar(contenido: bytes) -> Certificado:
    if len(contenido) > MAX_BYTES:
        raise EphytoInvalido(_("El archivo pesa más de %d MB.") % (MAX_BYTES // 1024 // 1024))
    texto, aviso = _decodificar(contenido)
    certificado = _buscar_certificado(_arbol(texto))
    return _Lectura(certificado, aviso).certificado()


# ── From bytes to a tree ──────────────────────────────────────────────────────────────────────────

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_DECLARACION = re.compile(r"^\s*<\?xml\b[^>]*?\?>")
# Encodings that systems do declare; the rest of Python's codecs (utf_7, unicode_escape…) are traps.
_CODIFICACIONES = re.compile(
    r"utf-?8|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|windows-\d{3,4}|cp\d{3,4}|koi8-[ru]|"
    r"gb2312|gbk|gb18030|big5|shift_jis|euc-(jp|kr|cn)|iso-2022-(jp|kr)|tis-620",
    re.IGNORECASE,
)


def _decodificar(contenido: bytes) -> tuple[str, str]:
    """The text, and a warning when its encoding had to be supposed."""
    if not contenido.strip():
        raise EphytoInvalido(_("El archivo está vacío."))
    for bom, codificacion in _BOMS:
        if contenido.startswith(bom):
            return _texto(contenido[len(bom) :], codificacion), ""
    inicio = contenido[:4]
    if inicio[:2] == b"<\x00":
        return _texto(contenido, "utf-32-le" if inicio == b"<\x00\x00\x00" else "utf-16-le"), ""
    if inicio == b"\x00\x00\x00<":
        return _texto(contenido, "utf-32-be"), ""
    if inicio[:2] == b"\x00<":
        return _texto(contenido, "utf-16-be"), ""
    if b"\x00" in contenido or b"<" not in contenido:
        raise EphytoInvalido(_("El archivo no es XML: parece un archivo de otro tipo (un PDF, una imagen…)."))
    declarada = re.match(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]{1,40})["']""", contenido[:400])
    nombre = declarada.group(1).decode("ascii", "replace") if declarada else "utf-8"
    if _CODIFICACIONES.fullmatch(nombre):
        try:
            return contenido.decode(nombre), ""
        except (UnicodeDecodeError, LookupError):
            pass
    # Files saved over a declaration that no longer holds: UTF-8 under any other name, or Latin letters.
    try:
        return contenido.decode("utf-8"), ""
    except UnicodeDecodeError:
        return contenido.decode("latin-1"), _(
            "El archivo no respeta la codificación que declara; revise las tildes y los nombres."
        )


def _texto(contenido: bytes, codificacion: str) -> str:
    try:
        return contenido.decode(codificacion)
    except UnicodeDecodeError as error:
        raise EphytoInvalido(_("El archivo está cortado o dañado: su codificación no se puede leer.")) from error


class _Constructor(TreeBuilder):
    """A tree builder that stops before a bomb: too deep, or too many elements."""

    def __init__(self) -> None:
        super().__init__()
        self.profundidad = self.elementos = 0

    def start(self, tag, attrs):
        self.profundidad += 1
        self.elementos += 1
        if self.profundidad > MAX_PROFUNDIDAD or self.elementos > MAX_ELEMENTOS:
            raise EphytoInvalido(
                _("El archivo tiene demasiados elementos, o demasiado anidados, para ser un certificado.")
            )
        return super().start(tag, attrs)

    def end(self, tag):
        self.profundidad -= 1
        return super().end(tag)


def _arbol(texto: str) -> Element:
    analizador = DefusedXMLParser(target=_Constructor(), encoding="utf-8", forbid_dtd=True)
    try:
        # Already decoded: what the declaration says no longer counts, nor what stands before it.
        analizador.feed(_DECLARACION.sub("", texto.lstrip("\ufeff"), count=1).strip().encode("utf-8"))
        return analizador.close()
    except DefusedXmlException as error:
        raise EphytoInvalido(
            _("Por seguridad no se acepta: trae una declaración DTD o entidades, que un certificado no lleva.")
        ) from error
    except ParseError as error:
        linea, columna = error.position
        raise EphytoInvalido(
            _("El archivo no es XML bien formado, o está cortado (línea %(linea)d, columna %(columna)d).")
            % {"linea": linea, "columna": columna}
        ) from error
    except (UnicodeError, ValueError) as error:
        raise EphytoInvalido(_("El archivo no es XML bien formado.")) from error


def _buscar_certificado(raiz: Element, anidado: bool = False) -> Element:
    """The element that holds the exchanged document: SPSCertificate, under whatever stands around it."""
    hallados = [e for e in raiz.iter() if _hijo(e, "SPSExchangedDocument") is not None]
    if len(hallados) > 1:
        raise EphytoInvalido(_("El archivo trae %d certificados: súbalos de uno en uno.") % len(hallados))
    if hallados:
        return hallados[0]
    if not anidado:
        # The hub's own envelope carries the certificate as text inside an element.
        for elemento in raiz.iter():
            interior = (elemento.text or "").strip()
            if interior.startswith("<") and "SPSExchangedDocument" in interior:
                return _buscar_certificado(_arbol(interior), anidado=True)
    raise EphytoInvalido(
        _("El archivo es XML, pero no es un certificado fitosanitario ePhyto (UN/CEFACT SPSCertificate).")
    )


# ── Reading elements ──────────────────────────────────────────────────────────────────────────────


def _local(elemento: Element) -> str:
    return str(elemento.tag).rpartition("}")[2]


def _hijos(elemento: Element | None, nombre: str) -> list[Element]:
    return [] if elemento is None else [hijo for hijo in elemento if _local(hijo) == nombre]


def _hijo(elemento: Element | None, *ruta: str) -> Element | None:
    for nombre in ruta:
        elemento = next(iter(_hijos(elemento, nombre)), None)
    return elemento


def _descendientes(elemento: Element, nombre: str) -> Iterator[Element]:
    return (e for e in elemento.iter() if _local(e) == nombre)


# What systems write where they have nothing to say.
_NADA = re.compile(
    r"null|nil|none|ningun[oa]?|n/?\.?a\.?|no aplica|not applicable|sin informaci[oó]n|x{3,}|[\W_]*", re.I
)


def _visible(texto: str | None) -> str:
    """One line of visible text in NFC."""
    if texto and len(texto) > MAX_TEXTO:
        raise EphytoInvalido(_("El archivo trae un texto demasiado largo para ser un certificado."))
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in texto or "")
    visible = " ".join("".join(c for c in visible if unicodedata.category(c) != "Cf").split())
    return unicodedata.normalize("NFC", visible)


def _limpio(texto: str | None) -> str:
    """Visible text, or nothing if it only says that there is nothing."""
    visible = _visible(texto)
    return "" if _NADA.fullmatch(visible) else visible


def _valor(elemento: Element | None) -> str:
    return "" if elemento is None else _limpio("".join(elemento.itertext()))


def _codigo(elemento: Element | None) -> str:
    """A country's code: NA is Namibia, not «not applicable»."""
    return "" if elemento is None else _visible("".join(elemento.itertext()))


def _atributo(elemento: Element, *nombres: str) -> str:
    for clave, valor in elemento.attrib.items():
        if clave.rpartition("}")[2] in nombres:
            return _limpio(valor)
    return ""


def _elegir(elementos: list[Element], *idiomas: str) -> str:
    """The text in the first of `idiomas` (es, en unless told) that there is; otherwise the first text."""
    textos = [(_atributo(e, "languageID", "lang", "languageLocaleID").lower()[:3], _valor(e)) for e in elementos]
    textos = [({"spa": "es", "lat": "la"}.get(idioma, idioma[:2]), texto) for idioma, texto in textos]
    textos = [(idioma, texto) for idioma, texto in textos if texto]
    for preferido in idiomas or ("es", "en"):
        for idioma, texto in textos:
            if idioma == preferido:
                return texto
    return textos[0][1] if textos else ""


def _sin_repetir(valores: list) -> tuple:
    return tuple(dict.fromkeys(valores))


# ── Countries ─────────────────────────────────────────────────────────────────────────────────────


def _plano(nombre: str) -> str:
    sin_tildes = "".join(c for c in unicodedata.normalize("NFKD", nombre) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[\W_]+", " ", sin_tildes.casefold()).split()).removeprefix("the ")


@cache
def _paises() -> dict[str, str]:
    """alpha-2, alpha-3, numeric codes and names, in Spanish and English → alpha-2."""
    indice: dict[str, str] = {}
    with PAISES.open(encoding="utf-8", newline="") as archivo:
        for fila in csv.DictReader(archivo):
            nombres = [fila["nombre"], *filter(None, fila["otros_nombres"].split("|"))]
            for clave in (fila["codigo"], fila["alfa3"], fila["numerico"], *nombres):
                indice.setdefault(_plano(clave), fila["codigo"])
    # The European Union's own codes; XI is Northern Ireland in TRACES.
    return indice | {"el": "GR", "uk": "GB", "xi": "GB"}


def pais(texto: str) -> str | None:
    """ISO alpha-2 of a code (alpha-2, alpha-3, numeric, ISO 3166-2) or a name in Spanish or English."""
    codigo = _paises().get(_plano(texto)) if texto else None
    if codigo is None and re.fullmatch(r"[A-Z]{2}-[A-Z0-9]{1,3}", texto):
        codigo = _paises().get(texto[:2].lower())
    return codigo


# ── Weights and dates ─────────────────────────────────────────────────────────────────────────────

# UN/ECE Recommendation 20, in kilograms; then what systems write instead of a code.
_KILOS = {
    "KGM": "1", "GRM": "0.001", "MGM": "0.000001", "HGM": "0.1", "DTN": "100", "TNE": "1000", "KTN": "1000000",
    "LBR": "0.45359237", "ONZ": "0.028349523125", "CWA": "45.359237", "CWI": "50.80234544",
    "STN": "907.18474", "LTN": "1016.0469088",
    "KG": "1", "KGS": "1", "KILO": "1", "KILOS": "1", "KILOGRAM": "1", "KILOGRAMS": "1", "KILOGRAMO": "1",
    "KILOGRAMOS": "1", "G": "0.001", "GRAM": "0.001", "GRAMS": "0.001", "GRAMO": "0.001", "GRAMOS": "0.001",
    "T": "1000", "TONNE": "1000", "TONNES": "1000", "TONELADA": "1000", "TONELADAS": "1000", "METRIC TON": "1000",
    "METRIC TONS": "1000", "LB": "0.45359237", "LBS": "0.45359237", "POUND": "0.45359237", "POUNDS": "0.45359237",
}  # fmt: skip


def _numero(texto: str) -> Decimal | None:
    """A number written beyond doubt: `1234.5`, `1234,5`, `1,234.5`, `1.234,5`; but `1,234` may be two."""
    texto = texto.replace("\u00a0", " ")
    if len(texto) > 40:
        return None
    if re.fullmatch(r"[+-]?\d{1,3}( \d{3})+([.,]\d+)?", texto):
        texto = texto.replace(" ", "")
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d+|[+-]?\d{1,3}(,\d{3}){2,}", texto):
        texto = texto.replace(",", "")
    elif re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d+|[+-]?\d{1,3}(\.\d{3}){2,}", texto):
        texto = texto.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"[+-]?\d+,\d+", texto) and not re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", texto):
        texto = texto.replace(",", ".")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", texto, re.ASCII):
        return None
    return Decimal(texto)


def _kilos(medida: Element) -> tuple[Decimal | None, str]:
    """The measure in kilograms, or None and why not."""
    texto, unidad = _valor(medida), _atributo(medida, "unitCode", "unit", "unitcode")
    if not unidad and len(texto) <= 60 and (partes := re.fullmatch(r"([\d.,+\- ]+?)\s*([A-Za-z][A-Za-z ]*)\.?", texto)):
        texto, unidad = partes.groups()
    for hijo in medida:
        unidad = unidad or _atributo(hijo, "unitCode")
    numero = _numero(texto)
    if numero is None:
        return None, _("no se entiende la cantidad")
    if not unidad:
        return None, _("no dice la unidad de medida")
    factor = _KILOS.get(unidad.upper().rstrip("."))
    if factor is None:
        return None, _("la unidad «%s» no es de peso, o tiene más de un significado") % unidad
    kilos = numero * Decimal(factor)
    if kilos <= 0:
        return None, _("el peso no es mayor que cero")
    if kilos < Decimal("0.001"):
        return None, _("es menos de un gramo")
    if kilos > MAX_KG:
        return None, _("el peso es imposible")
    return kilos.normalize() + 0 if kilos != kilos.to_integral_value() else Decimal(int(kilos)), ""


def _medida(medida: Element) -> str:
    """How a measure reads: `60 KGM`."""
    return f"{_valor(medida)} {_atributo(medida, 'unitCode')}".strip()


def _fecha(texto: str) -> date | None:
    """ISO 8601, or the digits of UN/EDIFACT formats 102, 203, 204, 205, 304; the day where it was issued."""
    if digitos := re.fullmatch(r"(\d{8})(\d{4}|\d{6})?([+-]?\d{4}|[A-Z]{3,4})?", texto, re.ASCII):
        texto = digitos.group(1)
    try:
        return datetime.fromisoformat(texto).date()
    except ValueError:
        pass
    if partes := re.fullmatch(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T].*)?", texto, re.ASCII):
        dia, mes, anio = (int(parte) for parte in partes.groups())
        if dia > 12 or dia == mes:  # otherwise it may be month/day
            try:
                return date(anio, mes, dia)
            except ValueError:
                return None
    # A fraction of a second or an offset that fromisoformat does not take: the day is still plain.
    if partes := re.match(r"(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}", texto, re.ASCII):
        try:
            return date.fromisoformat(partes.group(1))
        except ValueError:
            return None
    return None


# ── The certificate ───────────────────────────────────────────────────────────────────────────────

_MODOS = {
    "1": "maritimo", "2": "ferroviario", "3": "terrestre", "4": "aereo",
    "5": "postal", "6": "multimodal", "8": "fluvial",
}  # fmt: skip
_DECLARACIONES = re.compile(
    r"ADEDL|ADTLIL|AD|ADDITIONAL[ _-]?DECLARATIONS?|DECLARACI[OÓ]N(ES)?[ _-]ADICIONAL(ES)?", re.I
)
# Subjects read elsewhere, or that say nothing about the goods.
_CONOCIDOS = re.compile(r"SPSFL|ADDIEDL|ADDITLIL|ADRP|ADRPN|ADRPR|ADRD|DMCL|DMTLIL|OPTND|OQV|OQU|RPC..", re.I)
_RESUMEN = re.compile(r"\b(total|totals|totales|summary|resumen)\b", re.I)
_ARANCELES = {"HS", "CN", "HSCODE", "NANDINA", "NCM", "HTS", "TARIC", "HTSUS", "AHECC"}


class _Lectura:
    """One reading: the certificate element and what is left for a person to settle."""

    def __init__(self, raiz: Element, aviso: str) -> None:
        self.raiz = raiz
        self.documento = _hijo(raiz, "SPSExchangedDocument")
        self.envio = next(_descendientes(raiz, "SPSConsignment"), None)
        self.items = {
            partida: item
            for item in _descendientes(raiz, "IncludedSPSConsignmentItem")
            for partida in _hijos(item, "IncludedSPSTradeLineItem")
        }
        self.pendientes: list[Pendiente] = []
        if aviso:
            self.pendiente("archivo", "", aviso)

    def pendiente(self, campo: str, valor: str, mensaje: str) -> None:
        self.pendientes.append(Pendiente(campo, valor[:400], mensaje))

    def certificado(self) -> Certificado:
        numero = next((v for e in _hijos(self.documento, "ID") if (v := _valor(e))), None)
        if not numero:
            self.pendiente("certificado", "", _("El certificado no trae número."))
        tipo = self.tipo()
        estado = self.estado()
        emitido_en = self.emitido_en()
        emisor = self.emisor()
        exportacion = self.pais_de(
            _hijo(self.envio, "ExportSPSCountry"), "pais_exportacion", _("el país de exportación")
        )
        importacion = self.pais_de(_hijo(self.envio, "ImportSPSCountry"), "pais_importacion", _("el país de destino"))
        if importacion and importacion != "PE":
            self.pendiente("pais_importacion", importacion, _("El certificado no está dirigido al Perú."))
        notas = self.notas()
        return Certificado(
            numero=numero,
            tipo=tipo,
            estado=estado,
            emitido_en=emitido_en,
            emisor=emisor,
            pais_exportacion=exportacion,
            pais_importacion=importacion,
            exportador=self.parte(_hijo(self.envio, "ConsignorSPSParty")),
            importador=self.parte(_hijo(self.envio, "ConsigneeSPSParty")),
            traslados=self.traslados(),
            equipos=self.equipos(),
            punto_ingreso=self.punto_ingreso(),
            lineas=self.lineas(tipo, exportacion),
            declaraciones=notas["declaraciones"],
            informacion_oficial=notas["oficial"],
            permisos=notas["permisos"],
            tratamientos=self.tratamientos(),
            adjuntos=self.adjuntos(),
            pendientes=tuple(self.pendientes),
        )

    # The document

    def tipo(self) -> str:
        tipo = _valor(_hijo(self.documento, "TypeCode"))
        if tipo not in ("851", "657"):
            self.pendiente("tipo", tipo, _("No es un certificado fitosanitario (851) ni de reexportación (657)."))
        return tipo

    def estado(self) -> str:
        estado = _valor(_hijo(self.documento, "StatusCode"))
        if not estado:
            self.pendiente("estado", "", _("El certificado no dice si está emitido."))
        elif estado != "70":
            mensaje = _("El certificado no figura como emitido (70): puede estar retirado, reemplazado o rechazado.")
            self.pendiente("estado", estado, mensaje)
        return estado

    def emitido_en(self) -> date | None:
        elemento = _hijo(self.documento, "IssueDateTime")
        texto = next((v for e in (elemento if elemento is not None else ()) if (v := _valor(e))), _valor(elemento))
        fecha = _fecha(texto)
        if fecha is None:
            self.pendiente(
                "emitido_en",
                texto,
                _("No se entiende la fecha de emisión.") if texto else _("No trae fecha de emisión."),
            )
        return fecha

    def emisor(self) -> str | None:
        if emisor := _elegir(_hijos(_hijo(self.documento, "IssuerSPSParty"), "Name")):
            return emisor
        firma = _hijo(self.documento, "SignatorySPSAuthentication", "ProviderSPSParty")
        if emisor := _elegir(_hijos(firma, "Name")):
            self.pendiente("emisor", emisor, _("No dice quién lo emite; se tomó la organización que firma."))
            return emisor
        self.pendiente("emisor", "", _("El certificado no dice qué organización lo emite."))
        return None

    def pais_de(self, elemento: Element | None, campo: str, que: str) -> str | None:
        """The country of an SPSCountry: by its code, by its name, and named when they disagree."""
        codigo, nombre = _codigo(_hijo(elemento, "ID")), _elegir(_hijos(elemento, "Name"))
        escrito = " · ".join(filter(None, (codigo, nombre)))
        por_codigo, por_nombre = pais(codigo), pais(nombre)
        if por_codigo and por_nombre and por_codigo != por_nombre:
            self.pendiente(
                campo, escrito, _("El código y el nombre de %s no son del mismo país; se tomó el código.") % que
            )
        hallado = por_codigo or por_nombre
        if not hallado:
            self.pendiente(campo, escrito, (_("No se reconoce %s.") if escrito else _("No dice %s.")) % que)
        return hallado

    def notas(self) -> dict[str, tuple[str, ...]]:
        """Notes of the document, the consignment and the lines, once each. Of a note written in several
        languages, the one that serves; several texts in one language are several notes."""
        grupos: dict[str, list[str]] = {"declaraciones": [], "oficial": [], "permisos": []}
        reemplazo: list[str] = []
        ajenos: dict[str, list[str]] = {}
        ajenas = {n for proceso in _descendientes(self.raiz, "AppliedSPSProcess") for n in proceso.iter()}
        for nota in self.raiz.iter():
            if not _local(nota).endswith("SPSNote") or nota in ajenas:
                continue
            asunto = _elegir(_hijos(nota, "Subject") + _hijos(nota, "SubjectCode"))
            contenidos = [c for c in _hijos(nota, "Content") + _hijos(nota, "ContentCode") if _valor(c)]
            idiomas = {_atributo(c, "languageID", "lang").lower() for c in contenidos}
            if len(idiomas) == len(contenidos) > 1:
                textos = [_elegir(contenidos)]
            else:
                textos = [_valor(c) for c in contenidos]
            if not textos:
                continue
            if _DECLARACIONES.fullmatch(asunto):
                grupos["declaraciones"] += textos
            elif asunto.upper() in ("ADAOEDL", "ADAOTLIL"):
                grupos["oficial"] += textos
            elif asunto.upper() in ("ADIPEDL", "ADIPTLIL"):
                grupos["permisos"] += textos
            elif asunto.upper() in ("ADRPN", "ADRPR"):
                reemplazo += textos
            elif not _CONOCIDOS.fullmatch(asunto):
                ajenos.setdefault(asunto, []).extend(textos)
        for asunto, textos in list(ajenos.items())[:20]:
            mensaje = _("Nota de tipo «%s», que no se reconoce: vea si es una declaración adicional.")
            self.pendiente("notas", " / ".join(_sin_repetir(textos)), mensaje % (asunto[:60] or _("sin tipo")))
        if len(ajenos) > 20:
            self.pendiente("notas", "", _("Trae %d tipos de nota más que no se reconocen.") % (len(ajenos) - 20))
        if reemplazo:
            self.pendiente(
                "reemplaza", " · ".join(reemplazo), _("Este certificado reemplaza a otro: compruebe cuál vale.")
            )
        permisos = _sin_repetir(grupos["permisos"])
        if len(permisos) > 1:
            self.pendiente("pfi", " · ".join(permisos), _("Trae más de un permiso de importación: elija el PFI."))
        return {clave: _sin_repetir(textos) for clave, textos in grupos.items()}

    # The consignment

    def parte(self, elemento: Element | None) -> Parte:
        direccion = _hijo(elemento, "SpecifiedSPSAddress")
        lineas = [_valor(_hijo(direccion, f"Line{n}")) for n in ("One", "Two", "Three", "Four", "Five")]
        lineas += [_valor(_hijo(direccion, n)) for n in ("PostcodeCode", "CityName", "CountrySubDivisionName")]
        codigo, nombre = _codigo(_hijo(direccion, "CountryID")), _elegir(_hijos(direccion, "CountryName"))
        identificadores = [
            Identificador(_atributo(e, "schemeName", "schemeID", "listName", "listID"), numero)
            for e in _hijos(elemento, "ID") + _hijos(elemento, "TypeCode")
            if (numero := _valor(e)) and any(c.isdigit() for c in numero)
        ]
        return Parte(
            nombre=_elegir(_hijos(elemento, "Name")),
            direccion=", ".join(_sin_repetir([parte for parte in [*lineas, nombre] if parte])),
            pais=pais(codigo) or pais(nombre),
            identificadores=_sin_repetir(identificadores),
        )

    def traslados(self) -> tuple[Traslado, ...]:
        traslados = []
        for elemento in _hijos(self.envio, "MainCarriageSPSTransportMovement"):
            codigo = _valor(_hijo(elemento, "ModeCode"))
            medio = _elegir(_hijos(_hijo(elemento, "UsedSPSTransportMeans"), "Name"))
            viaje = _valor(_hijo(elemento, "ID"))
            if codigo not in _MODOS:
                if codigo or medio or viaje:
                    escrito = " · ".join(filter(None, (codigo, medio, viaje)))
                    self.pendiente("transporte", escrito, _("No se reconoce el modo de transporte."))
                continue
            traslados.append(Traslado(_MODOS[codigo], medio, viaje))
        if len({t.modo for t in traslados}) > 1:
            modos = " · ".join(_sin_repetir([t.modo for t in traslados]))
            self.pendiente("transporte", modos, _("Viaja por más de un modo: elija con cuál llega."))
        return tuple(traslados)

    def equipos(self) -> tuple[Equipo, ...]:
        equipos: dict[str, list[str]] = {}
        for elemento in self.raiz.iter():
            if not _local(elemento).endswith("SPSTransportEquipment"):
                continue
            precintos = [v for p in _descendientes(elemento, "AffixedSPSSeal") if (v := _valor(_hijo(p, "ID")))]
            numero = _valor(_hijo(elemento, "ID")).upper()
            # Some systems write every container in one ID.
            numeros = [n for n in re.split(r"\s*[,;/]\s*", numero) if n]
            for pieza in numeros:
                compacto = re.sub(r"[\s.-]", "", pieza)
                clave = compacto if re.fullmatch(r"[A-Z]{4}\d{7}", compacto) else pieza
                equipos.setdefault(clave, []).extend(precintos if len(numeros) == 1 else [])
            if precintos and len(numeros) != 1:
                equipos.setdefault("", []).extend(precintos)
        return tuple(Equipo(numero, _sin_repetir(precintos)) for numero, precintos in equipos.items())

    def punto_ingreso(self) -> Lugar:
        elemento = _hijo(self.envio, "UnloadingBaseportSPSLocation")
        return Lugar(_valor(_hijo(elemento, "ID")), _elegir(_hijos(elemento, "Name")))

    def tratamientos(self) -> tuple[str, ...]:
        """Each treatment as a sentence: its full text (TTFT) if there is one, otherwise its pieces."""
        textos = []
        for proceso in _descendientes(self.raiz, "AppliedSPSProcess"):
            completos: list[str] = []
            piezas: list[str] = []
            for rasgo in _hijos(proceso, "ApplicableSPSProcessCharacteristic"):
                descripciones = _hijos(rasgo, "Description")
                clave = _valor(descripciones[0]) if descripciones else ""
                texto = _elegir(descripciones[1:]) or " ".join(_medida(m) for m in _hijos(rasgo, "ValueMeasure"))
                if not re.fullmatch(r"TT[A-Z0-9]{2}", clave):
                    texto = " ".join(filter(None, (_elegir(descripciones), texto)))
                if texto:
                    (completos if clave == "TTFT" else piezas).append(texto)
            periodo = _hijo(proceso, "CompletionSPSPeriod")
            piezas += [v for e in (periodo if periodo is not None else ()) if (v := _medida(e))]
            if texto := "; ".join(completos or _sin_repetir(piezas)):
                textos.append(texto)
        return _sin_repetir(textos)

    def adjuntos(self) -> tuple[Adjunto, ...]:
        adjuntos = []
        for n, elemento in enumerate(_descendientes(self.raiz, "AttachmentBinaryObject"), 1):
            escrito = _atributo(elemento, "filename", "fileName", "uri")
            codificado = "".join((elemento.text or "").split())
            if not codificado:
                self.pendiente(f"adjuntos.{n}", escrito, _("El adjunto se menciona pero no viene en el archivo."))
                continue
            try:
                contenido = base64.b64decode(codificado + "=" * (-len(codificado) % 4), validate=True)
            except (binascii.Error, ValueError):
                self.pendiente(f"adjuntos.{n}", escrito, _("El adjunto está dañado y no se pudo extraer."))
                continue
            adjuntos.append(Adjunto(escrito or f"adjunto-{n}", contenido))
        return tuple(adjuntos)

    # The lines

    def lineas(self, tipo: str, exportacion: str | None) -> tuple[Linea, ...]:
        partidas = list(_descendientes(self.raiz, "IncludedSPSTradeLineItem"))
        # A totals line (TRACES sends one, numbered 0) or an empty heading is not goods.
        bienes: list[Element] = []
        resumenes: list[Element] = []
        for partida in partidas:
            (bienes if self.es_bien(partida) else resumenes).append(partida)
        if not bienes:
            bienes, resumenes = [e for e in resumenes if _elegir(_hijos(e, "Description"))], []
        for partida in resumenes:
            descripcion = _elegir(_hijos(partida, "Description"))
            if descripcion and not _RESUMEN.search(descripcion):
                self.pendiente("lineas", descripcion, _("Se tomó como encabezado y no como producto: compruébelo."))
        if not bienes:
            self.pendiente("lineas", "", _("El certificado no trae ninguna línea de producto."))
        if len(bienes) > MAX_LINEAS:
            raise EphytoInvalido(_("El certificado trae más de %d líneas.") % MAX_LINEAS)
        totales = [m for e in resumenes for m in _hijos(e, "NetWeightMeasure")]
        totales += _hijos(self.envio, "NetWeightMeasure")
        totales += [
            m
            for e in self.raiz.iter()
            if _local(e).endswith("SPSConsignmentItem")
            for m in _hijos(e, "NetWeightMeasure")
        ]
        return tuple(self.linea(n, e, totales, len(bienes), tipo, exportacion) for n, e in enumerate(bienes, 1))

    @staticmethod
    def es_bien(partida: Element) -> bool:
        nombres = _hijos(partida, "CommonName") + _hijos(partida, "ScientificName")
        clases = [v for e in _hijos(partida, "ApplicableSPSClassification") for c in e if (v := _valor(c))]
        origenes = [_codigo(e) for e in _hijos(partida, "OriginSPSCountry")]
        if any(map(_valor, nombres)):
            return True
        descripcion = _elegir(_hijos(partida, "Description"))
        if _RESUMEN.search(descripcion):
            return False
        if clases or any(origenes):
            return True
        cero = _numero(_valor(_hijo(partida, "SequenceNumeric"))) == 0
        pesa = any(map(_valor, _hijos(partida, "NetWeightMeasure") + _hijos(partida, "GrossWeightMeasure")))
        return bool(descripcion) and pesa and not cero

    def linea(
        self, n: int, partida: Element, totales: list[Element], cuantas: int, tipo: str, exportacion: str | None
    ) -> Linea:
        descripcion = _elegir(_hijos(partida, "Description"))
        comun = _elegir(_hijos(partida, "CommonName")) or None
        if comun is None:
            self.pendiente(f"lineas.{n}.nombre_comun", descripcion, _("La línea no trae nombre común."))
        clases = self.clases(partida)
        return Linea(
            nombre_comun=comun,
            nombre_cientifico=self.nombre_cientifico(n, partida, descripcion),
            peso_neto_kg=self.peso(n, partida, totales, cuantas),
            pais_origen=self.origen(n, partida, tipo, exportacion),
            descripcion=descripcion,
            codigo_arancelario=clases.get("arancel", ""),
            parte=clases.get("IPPCPCVP", ""),
            condicion=clases.get("IPPCPCC", ""),
            uso=_elegir(_hijos(partida, "IntendedUse")),
            envases=self.envases(partida),
        )

    @staticmethod
    def clases(partida: Element) -> dict[str, str]:
        clases: dict[str, list[str]] = {}
        for elemento in _hijos(partida, "ApplicableSPSClassification"):
            sistema = (_valor(_hijo(elemento, "SystemID")) or _valor(_hijo(elemento, "SystemName"))).upper()
            codigo, nombre = _valor(_hijo(elemento, "ClassCode")), _elegir(_hijos(elemento, "ClassName"))
            if sistema in _ARANCELES:
                sistema, nombre = "arancel", codigo
            clases.setdefault(sistema, []).append(nombre or codigo)
        return {sistema: ", ".join(filter(None, textos)) for sistema, textos in clases.items()}

    def nombre_cientifico(self, n: int, partida: Element, descripcion: str) -> str | None:
        campo = f"lineas.{n}.nombre_cientifico"
        nombres = _hijos(partida, "ScientificName")
        distintos = _sin_repetir([v for e in nombres if (v := _valor(e))])
        if len(distintos) > 1:
            self.pendiente(campo, " · ".join(distintos), _("La línea trae más de un nombre científico."))
        if distintos:
            return _elegir(nombres, "la", "es", "en")
        for elemento in _hijos(partida, "ApplicableSPSClassification"):
            sistema = f"{_valor(_hijo(elemento, 'SystemID'))} {_valor(_hijo(elemento, 'SystemName'))}"
            nombre = _elegir(_hijos(elemento, "ClassName"), "la", "es", "en")
            if "EPPO" in sistema.upper() and nombre:
                self.pendiente(campo, nombre, _("No trae nombre científico; se tomó el de la clasificación EPPO."))
                return nombre
        # A name in the description is offered, not taken.
        entre_parentesis = re.search(r"\(([A-Z][a-z-]+ (?:x )?[a-z-]+)\b[^)]*\)", descripcion[:1000])
        self.pendiente(
            campo,
            entre_parentesis.group(1) if entre_parentesis else descripcion,
            _("La línea no trae nombre científico."),
        )
        return None

    def peso(self, n: int, partida: Element, totales: list[Element], cuantas: int) -> Decimal | None:
        campo = f"lineas.{n}.peso_neto_kg"
        medidas = _hijos(partida, "NetWeightMeasure") or list(_descendientes(partida, "NetWeightMeasure"))
        medidas = [m for m in medidas if _valor(m)]
        if medidas:
            leidas = [_kilos(m) for m in medidas]
            escrito = " · ".join(_medida(m) for m in medidas)
            if motivo := next((motivo for _kg, motivo in leidas if motivo), ""):
                self.pendiente(campo, escrito, _("No se puede usar el peso neto: %s.") % motivo)
                return None
            if len({kilos for kilos, _motivo in leidas}) > 1:
                self.pendiente(campo, escrito, _("La línea trae pesos netos distintos."))
                return None
            kilos = leidas[0][0]
            bruto = [_kilos(m)[0] for m in _hijos(partida, "GrossWeightMeasure")]
            if kilos and any(b and b < kilos for b in bruto):
                self.pendiente(campo, escrito, _("El peso neto es mayor que el bruto."))
            return kilos
        if cuantas == 1 and len({_kilos(m)[0] for m in totales} - {None}) == 1:
            total = next(m for m in totales if _kilos(m)[0])
            self.pendiente(
                campo, _medida(total), _("La línea no trae peso neto; se tomó el del envío, que es su única línea.")
            )
            return _kilos(total)[0]
        otros = [
            f"{rotulo}: {_medida(m)}"
            for etiqueta, rotulo in (
                ("GrossWeightMeasure", _("bruto")),
                ("NetVolumeMeasure", _("volumen neto")),
                ("GrossVolumeMeasure", _("volumen bruto")),
            )
            for m in _hijos(partida, etiqueta)
            if _valor(m)
        ]
        otros += [f"{_('total del envío')}: {_medida(m)}" for m in totales[:3] if _valor(m)]
        notas = {
            _valor(_hijo(e, "Subject")): _valor(_hijo(e, "Content"))
            for e in _hijos(partida, "AdditionalInformationSPSNote")
        }
        if notas.get("OQV"):
            otros.append(f"{notas['OQV']} {notas.get('OQU', '')}".strip())
        self.pendiente(campo, " · ".join(otros), _("La línea no trae peso neto."))
        return None

    def origen(self, n: int, partida: Element, tipo: str, exportacion: str | None) -> str | None:
        campo = f"lineas.{n}.pais_origen"
        declarados = [e for e in _hijos(partida, "OriginSPSCountry") if _codigo(e)]
        if declarados:
            hallados = [self.pais_de(e, campo, _("el país de origen")) for e in declarados]
            reconocidos = _sin_repetir([h for h in hallados if h])
            if len(reconocidos) > 1:
                self.pendiente(
                    campo, " · ".join(reconocidos), _("La línea trae más de un país de origen; se tomó el primero.")
                )
            return hallados[0]
        if tipo == "657":
            # A re-export names the countries of origin in a note.
            notas = _hijos(partida, "AdditionalInformationSPSNote")
            origenes = [_valor(_hijo(e, "Content")) for e in notas if _valor(_hijo(e, "Subject")).upper() == "RPCCO"]
            if len(origenes) == 1 and (hallado := pais(origenes[0])):
                return hallado
        for comun in (self.items.get(partida), self.envio):
            del_grupo = _sin_repetir([pais(_codigo(_hijo(e, "ID"))) for e in _hijos(comun, "OriginSPSCountry")])
            if len(del_grupo) == 1 and del_grupo[0]:
                self.pendiente(campo, del_grupo[0], _("La línea no dice el país de origen; se tomó el de su grupo."))
                return del_grupo[0]
        for lugar in _hijos(partida, "OriginSPSLocation"):
            codigo = _valor(_hijo(lugar, "ID"))
            if re.fullmatch(r"[A-Z]{2}[A-Z2-9]{3}|[A-Z]{2}-[A-Z0-9]{1,3}", codigo) and (hallado := pais(codigo[:2])):
                self.pendiente(campo, codigo, _("No dice el país de origen; se tomó el del lugar de origen."))
                return hallado
        self.pendiente(
            campo, exportacion or "", _("La línea no dice el país de origen; compruebe si es el de exportación.")
        )
        return None

    @staticmethod
    def envases(partida: Element) -> str:
        bultos = []
        for elemento in _hijos(partida, "PhysicalSPSPackage"):
            cantidad, clase = _valor(_hijo(elemento, "ItemQuantity")), _hijo(elemento, "TypeCode")
            nombre = "" if clase is None else _atributo(clase, "name") or _valor(clase)
            numero = _numero(cantidad)
            if numero:
                entero = numero == numero.to_integral_value()
                bultos.append(f"{int(numero) if entero and numero < MAX_KG else cantidad} {nombre}".strip())
        return ", ".join(bultos)

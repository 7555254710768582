"""Certificates as other countries' systems write them, and files that are not certificates."""

import base64
import json
from contextlib import suppress
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from expedientes import ephyto
from expedientes.ephyto import EphytoInvalido, Equipo, _interpretar

SPS = "urn:un:unece:uncefact:data:standard:SPSCertificate:17"
RAM = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:21"
UDT = "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:21"

LINEA = """
  <ram:SequenceNumeric>1</ram:SequenceNumeric>
  <ram:Description languageID="en">Maize seed (Zea mays) in bags</ram:Description>
  <ram:CommonName languageID="en">Maize</ram:CommonName>
  <ram:CommonName languageID="es">Maíz</ram:CommonName>
  <ram:ScientificName languageID="la">Zea mays</ram:ScientificName>
  <ram:NetWeightMeasure unitCode="KGM">1250.5</ram:NetWeightMeasure>
  <ram:GrossWeightMeasure unitCode="KGM">1300</ram:GrossWeightMeasure>
  <ram:OriginSPSCountry><ram:ID>AR</ram:ID><ram:Name/></ram:OriginSPSCountry>
"""
DECLARACION = "El envío está libre de Trogoderma granarium."
NOTAS = f"""
  <ram:IncludedSPSNote><ram:Subject>ADEDL</ram:Subject><ram:Content>{DECLARACION}</ram:Content></ram:IncludedSPSNote>
"""


def nota(asunto: str, texto: str, etiqueta: str = "AdditionalInformationSPSNote") -> str:
    return f"<ram:{etiqueta}><ram:Subject>{asunto}</ram:Subject><ram:Content>{texto}</ram:Content></ram:{etiqueta}>"


def xml(
    *lineas: str,
    documento: str = NOTAS,
    envio: str = "",
    tipo: str = "851",
    estado: str = "70",
    fecha: str = "<udt:DateTimeString>2026-04-22T13:53:08-03:00</udt:DateTimeString>",
    exporta: str = "<ram:ID>AR</ram:ID><ram:Name/>",
) -> str:
    cuerpo = "".join(f"<ram:IncludedSPSTradeLineItem>{linea}</ram:IncludedSPSTradeLineItem>" for linea in lineas)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rsm:SPSCertificate xmlns:rsm="{SPS}" xmlns:ram="{RAM}" xmlns:udt="{UDT}">
 <rsm:SPSExchangedDocument>
  <ram:ID>AR-0001/2026</ram:ID><ram:TypeCode>{tipo}</ram:TypeCode><ram:StatusCode>{estado}</ram:StatusCode>
  <ram:IssueDateTime>{fecha}</ram:IssueDateTime>
  <ram:IssuerSPSParty><ram:Name>SENASA Argentina</ram:Name></ram:IssuerSPSParty>{documento}
 </rsm:SPSExchangedDocument>
 <rsm:SPSConsignment>
  <ram:ConsignorSPSParty><ram:Name>Semillas del Plata SA</ram:Name></ram:ConsignorSPSParty>
  <ram:ConsigneeSPSParty><ram:Name>Agro Demo SAC</ram:Name><ram:SpecifiedSPSAddress>
   <ram:LineOne>Av. La Marina 1, RUC 20999900012</ram:LineOne><ram:CityName>Lima</ram:CityName>
   <ram:CountryID>PE</ram:CountryID></ram:SpecifiedSPSAddress></ram:ConsigneeSPSParty>
  <ram:ExportSPSCountry>{exporta}</ram:ExportSPSCountry>
  <ram:ImportSPSCountry><ram:ID>PE</ram:ID></ram:ImportSPSCountry>
  <ram:UnloadingBaseportSPSLocation><ram:ID>PECLL</ram:ID><ram:Name>Callao</ram:Name></ram:UnloadingBaseportSPSLocation>
  <ram:MainCarriageSPSTransportMovement><ram:ModeCode>1</ram:ModeCode></ram:MainCarriageSPSTransportMovement>{envio}
  <ram:IncludedSPSConsignmentItem>{cuerpo}</ram:IncludedSPSConsignmentItem>
 </rsm:SPSConsignment>
</rsm:SPSCertificate>"""


def leer(*lineas: str, **cambios: str) -> ephyto.Certificado:
    return _interpretar(xml(*(lineas or (LINEA,)), **cambios).encode())


def campos(certificado: ephyto.Certificado) -> list[str]:
    return [pendiente.campo for pendiente in certificado.pendientes]


def con_peso(medida: str) -> ephyto.Certificado:
    return leer(LINEA.replace('<ram:NetWeightMeasure unitCode="KGM">1250.5</ram:NetWeightMeasure>', medida))


def con_origen(origen: str, **cambios: str) -> ephyto.Certificado:
    return leer(
        LINEA.replace("<ram:OriginSPSCountry><ram:ID>AR</ram:ID><ram:Name/></ram:OriginSPSCountry>", origen), **cambios
    )


# ── What is understood ────────────────────────────────────────────────────────────────────────────


def test_leer_certificado_completo_sin_pendientes():
    certificado = leer()
    linea = certificado.lineas[0]
    assert certificado.pendientes == ()
    assert (certificado.numero, certificado.emisor) == ("AR-0001/2026", "SENASA Argentina")
    assert (certificado.pais_exportacion, certificado.pais_importacion) == ("AR", "PE")
    assert certificado.emitido_en == date(2026, 4, 22)
    assert certificado.importador.ruc == "20999900012"
    assert certificado.punto_ingreso == ephyto.Lugar("PECLL", "Callao")
    assert certificado.modo_transporte == "maritimo"
    assert certificado.declaraciones == (DECLARACION,)
    assert (linea.nombre_comun, linea.nombre_cientifico) == ("Maíz", "Zea mays")
    assert (linea.peso_neto_kg, linea.pais_origen) == (Decimal("1250.5"), "AR")


@pytest.mark.parametrize(
    "transformar",
    [
        lambda texto: texto.replace("rsm:", "ns0:").replace("xmlns:rsm", "xmlns:ns0"),
        lambda texto: texto.replace(":17", ":5").replace(":21", ":18"),
        lambda texto: texto.replace("rsm:", "").replace("xmlns:rsm", "xmlns"),
        lambda texto: texto.replace("AR-0001/2026", "<![CDATA[AR-0001/2026]]>"),
        lambda texto: texto.replace("SENASA Arg", "SENASA<!-- nota --> Arg"),
        lambda texto: "\n\n" + texto,
        lambda texto: (
            f"<s:Envelope xmlns:s='urn:x'><s:Body><Entrega>{texto.partition('?>')[2]}</Entrega></s:Body></s:Envelope>"
        ),
        lambda texto: f"<EnvelopeForwarding><From>AR</From><Content>{escape(texto)}</Content></EnvelopeForwarding>",
    ],
    ids=[
        "prefijos",
        "versiones",
        "sin_prefijo",
        "cdata",
        "comentario",
        "espacio_inicial",
        "sobre_soap",
        "sobre_del_hub",
    ],
)
def test_leer_da_lo_mismo_se_escriba_como_se_escriba(transformar):
    assert _interpretar(transformar(xml(LINEA)).encode()) == leer()


@pytest.mark.parametrize(
    ("declarada", "real"),
    [
        ("UTF-8", "utf-8-sig"),
        ("UTF-16", "utf-16"),
        ("UTF-16", "utf-16-le"),
        ("UTF-16BE", "utf-16-be"),
        ("UTF-16", "utf-8"),  # what .NET writes when it saves a string
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("UTF-32", "utf-32"),
        ("inventada-9", "utf-8"),
        ("utf_7", "utf-8"),
    ],
)
def test_leer_entiende_la_codificacion(declarada: str, real: str):
    texto = xml(LINEA).replace('encoding="UTF-8"', f'encoding="{declarada}"')
    assert _interpretar(texto.encode(real)) == leer()


def test_leer_avisa_si_la_codificacion_no_es_la_que_declara():
    certificado = _interpretar(xml(LINEA).encode("latin-1"))
    assert certificado.lineas[0].nombre_comun == "Maíz"
    assert campos(certificado) == ["archivo"]


@pytest.mark.parametrize(
    ("exporta", "codigo"),
    [
        ("<ram:ID>CHL</ram:ID>", "CL"),
        ("<ram:ID>cl</ram:ID>", "CL"),
        ("<ram:ID>152</ram:ID>", "CL"),
        ("<ram:ID/><ram:Name>Chile</ram:Name>", "CL"),
        ("<ram:ID/><ram:Name languageID='en'>United States of America</ram:Name>", "US"),
        ("<ram:ID/><ram:Name>Estados Unidos de América</ram:Name>", "US"),
        ("<ram:ID/><ram:Name>The Netherlands</ram:Name>", "NL"),
        ("<ram:Name>Corea del Sur</ram:Name>", "KR"),
        ("<ram:ID>NA</ram:ID>", "NA"),
        ("<ram:ID>UK</ram:ID>", "GB"),
        ("<ram:ID>US-CA</ram:ID>", "US"),
        ("<ram:ID>BO</ram:ID><ram:Name>Estado Plurinacional de Bolvia</ram:Name>", "BO"),
    ],
)
def test_leer_reconoce_el_pais(exporta: str, codigo: str):
    certificado = leer(exporta=exporta)
    assert (certificado.pais_exportacion, campos(certificado)) == (codigo, [])


@pytest.mark.parametrize("exporta", ["", "<ram:ID/><ram:Name/>", "<ram:ID>ZZ</ram:ID>", "<ram:Name>Corea</ram:Name>"])
def test_leer_no_inventa_el_pais(exporta: str):
    certificado = leer(exporta=exporta)
    assert (certificado.pais_exportacion, campos(certificado)) == (None, ["pais_exportacion"])


def test_leer_nombra_el_pais_que_se_contradice():
    assert campos(leer(exporta="<ram:ID>AR</ram:ID><ram:Name>Chile</ram:Name>")) == ["pais_exportacion"]


def test_todos_los_paises_tienen_nombres_que_no_se_confunden():
    filas = ephyto.PAISES.read_text(encoding="utf-8").splitlines()
    vistos: dict[str, str] = {}
    for fila in filas[1:]:
        codigo = fila[:2]
        assert ephyto.pais(codigo) == codigo
        for nombre in fila.split(",", 3)[3].replace('"', "").split("|"):
            assert vistos.setdefault(ephyto._plano(nombre), codigo) == codigo
    assert len(filas) == 250


@pytest.mark.parametrize(
    ("medida", "kilos"),
    [
        ('<ram:NetWeightMeasure unitCode="KGM">10</ram:NetWeightMeasure>', "10"),
        ('<ram:NetWeightMeasure unitCode="kg"> 10.50 </ram:NetWeightMeasure>', "10.5"),
        ('<ram:NetWeightMeasure unitCode="GRM">2500</ram:NetWeightMeasure>', "2.5"),
        ('<ram:NetWeightMeasure unitCode="TNE">1.25</ram:NetWeightMeasure>', "1250"),
        ('<ram:NetWeightMeasure unitCode="LBR">100</ram:NetWeightMeasure>', "45.359237"),
        ('<ram:NetWeightMeasure unitCode="KGM">1,250.50</ram:NetWeightMeasure>', "1250.5"),
        ('<ram:NetWeightMeasure unitCode="KGM">1.250,50</ram:NetWeightMeasure>', "1250.5"),
        ('<ram:NetWeightMeasure unitCode="KGM">12,5</ram:NetWeightMeasure>', "12.5"),
        ('<ram:NetWeightMeasure unitCode="KGM">1.234</ram:NetWeightMeasure>', "1.234"),  # xsd:decimal
        ('<ram:NetWeightMeasure unitCode="KGM">1 250.5</ram:NetWeightMeasure>', "1250.5"),
        ('<ram:NetWeightMeasure unitCode="KGM">1.2E2</ram:NetWeightMeasure>', "120"),
        ("<ram:NetWeightMeasure>10 KGM</ram:NetWeightMeasure>", "10"),
        ('<ram:Caja><ram:NetWeightMeasure unitCode="KGM">9</ram:NetWeightMeasure></ram:Caja>', "9"),
    ],
)
def test_leer_convierte_el_peso_a_kilos(medida: str, kilos: str):
    certificado = con_peso(medida)
    assert (certificado.lineas[0].peso_neto_kg, campos(certificado)) == (Decimal(kilos), [])


@pytest.mark.parametrize(
    "medida",
    [
        "",
        "<ram:NetWeightMeasure>10</ram:NetWeightMeasure>",
        '<ram:NetWeightMeasure unitCode="KGM"/>',
        *(
            f'<ram:NetWeightMeasure unitCode="{unidad}">{valor}</ram:NetWeightMeasure>'
            for unidad, valor in [
                ("TON", "1"),
                ("MTQ", "1"),
                ("KGM", "1,234"),
                ("KGM", "NaN"),
                ("KGM", "INF"),
                ("KGM", "-5"),
                ("KGM", "0"),
                ("KGM", "1E99"),
                ("KGM", "9" * 400),
                ("KGM", "diez"),
                ("KGM", "0.0000001"),
            ]
        ),
        '<ram:NetWeightMeasure unitCode="KGM">1</ram:NetWeightMeasure>'
        '<ram:NetWeightMeasure unitCode="KGM">2</ram:NetWeightMeasure>',
    ],
)
def test_leer_no_inventa_el_peso(medida: str):
    certificado = con_peso(medida)
    assert (certificado.lineas[0].peso_neto_kg, campos(certificado)) == (None, ["lineas.1.peso_neto_kg"])


def test_leer_no_toma_el_bruto_por_neto():
    certificado = con_peso("")
    assert certificado.lineas[0].peso_neto_kg is None
    assert certificado.pendientes[0].valor == "bruto: 1300 KGM"


TOTALES = """<ram:SequenceNumeric>0</ram:SequenceNumeric>
 <ram:Description>Consignment totals and summary</ram:Description>
 <ram:NetWeightMeasure unitCode="KGM">900</ram:NetWeightMeasure>"""
SIN_PESO = LINEA.replace('<ram:NetWeightMeasure unitCode="KGM">1250.5</ram:NetWeightMeasure>', "").replace(
    "1300", "999"
)


def test_leer_no_cuenta_la_linea_de_totales_ni_la_vacia():
    certificado = leer(TOTALES, "<ram:SequenceNumeric>9</ram:SequenceNumeric><ram:Description/>", LINEA, LINEA)
    assert [linea.peso_neto_kg for linea in certificado.lineas] == [Decimal("1250.5")] * 2
    assert certificado.pendientes == ()


def test_leer_toma_el_peso_del_envio_si_hay_una_sola_linea_y_lo_dice():
    certificado = leer(TOTALES, SIN_PESO)
    assert [linea.peso_neto_kg for linea in certificado.lineas] == [Decimal(900)]
    assert campos(certificado) == ["lineas.1.peso_neto_kg"]


def test_leer_no_reparte_el_peso_del_envio():
    certificado = leer(TOTALES, SIN_PESO, SIN_PESO)
    assert [linea.peso_neto_kg for linea in certificado.lineas] == [None, None]


def test_leer_varias_lineas_en_varios_items():
    texto = xml(LINEA, LINEA).replace(
        "</ram:IncludedSPSTradeLineItem><ram:IncludedSPSTradeLineItem>",
        "</ram:IncludedSPSTradeLineItem></ram:IncludedSPSConsignmentItem>"
        "<ram:IncludedSPSConsignmentItem><ram:IncludedSPSTradeLineItem>",
    )
    assert len(_interpretar(texto.encode()).lineas) == 2


def test_leer_nombra_el_encabezado_que_no_cuenta():
    certificado = leer("<ram:Description>Flores cortadas:</ram:Description>", LINEA)
    assert [linea.nombre_comun for linea in certificado.lineas] == ["Maíz"]
    assert [(p.campo, p.valor) for p in certificado.pendientes] == [("lineas", "Flores cortadas:")]


def test_leer_nombra_el_neto_mayor_que_el_bruto():
    certificado = con_peso('<ram:NetWeightMeasure unitCode="TNE">2</ram:NetWeightMeasure>')
    assert (certificado.lineas[0].peso_neto_kg, campos(certificado)) == (Decimal(2000), ["lineas.1.peso_neto_kg"])


def test_leer_conserva_una_linea_con_solo_descripcion_y_peso():
    suelta = '<ram:Description>Embalaje</ram:Description><ram:NetWeightMeasure unitCode="KGM">5</ram:NetWeightMeasure>'
    certificado = leer(LINEA, suelta)
    assert [linea.descripcion for linea in certificado.lineas][1] == "Embalaje"
    assert campos(certificado) == [f"lineas.2.{c}" for c in ("nombre_comun", "nombre_cientifico", "pais_origen")]


def test_leer_certificado_sin_lineas():
    certificado = _interpretar(xml().encode())
    assert (certificado.lineas, campos(certificado)) == ((), ["lineas"])


@pytest.mark.parametrize(
    ("origen", "cambios", "codigo", "pendientes"),
    [
        ("", {}, None, ["lineas.1.pais_origen"]),
        ("<ram:OriginSPSCountry><ram:Name>Uruguay</ram:Name></ram:OriginSPSCountry>", {}, "UY", []),
        (
            "<ram:OriginSPSCountry><ram:ID>UY</ram:ID></ram:OriginSPSCountry>"
            "<ram:OriginSPSCountry><ram:ID>BR</ram:ID></ram:OriginSPSCountry>",
            {},
            "UY",
            ["lineas.1.pais_origen"],
        ),
        ("<ram:OriginSPSLocation><ram:ID>UYMVD</ram:ID></ram:OriginSPSLocation>", {}, "UY", ["lineas.1.pais_origen"]),
        (nota("RPCCO", "UY"), {"tipo": "657"}, "UY", []),
        (nota("RPCCO", "UY"), {}, None, ["lineas.1.pais_origen"]),
    ],
    ids=["ninguno", "nombre", "varios", "lugar", "reexportacion", "nota_sin_reexportacion"],
)
def test_leer_el_pais_de_origen(origen: str, cambios: dict[str, str], codigo: str | None, pendientes: list[str]):
    certificado = con_origen(origen, **cambios)
    assert (certificado.lineas[0].pais_origen, campos(certificado)) == (codigo, pendientes)


def test_leer_toma_el_origen_del_grupo_y_lo_dice():
    texto = xml(LINEA.replace("OriginSPSCountry", "Nada")).replace(
        "<ram:IncludedSPSConsignmentItem>",
        "<ram:IncludedSPSConsignmentItem><ram:OriginSPSCountry><ram:ID>UY</ram:ID></ram:OriginSPSCountry>",
    )
    certificado = _interpretar(texto.encode())
    assert (certificado.lineas[0].pais_origen, campos(certificado)) == ("UY", ["lineas.1.pais_origen"])


def test_leer_ofrece_el_nombre_cientifico_de_la_descripcion_sin_tomarlo():
    certificado = leer(LINEA.replace('<ram:ScientificName languageID="la">Zea mays</ram:ScientificName>', ""))
    pendiente = certificado.pendientes[0]
    assert certificado.lineas[0].nombre_cientifico is None
    assert (pendiente.campo, pendiente.valor) == ("lineas.1.nombre_cientifico", "Zea mays")


def test_leer_nombra_varios_nombres_cientificos():
    certificado = leer(LINEA + "<ram:ScientificName>Zea diploperennis</ram:ScientificName>")
    assert certificado.lineas[0].nombre_cientifico == "Zea mays"
    assert campos(certificado) == ["lineas.1.nombre_cientifico"]


def test_leer_declaraciones_del_documento_y_de_la_linea():
    documento = NOTAS + "".join(
        nota(asunto, texto, "IncludedSPSNote")
        for asunto, texto in [
            ("ADEDL", "None"),
            ("ADEDL", DECLARACION),
            ("SPSFL", "5"),
            ("ADAOEDL", "Analizado en origen."),
            ("ADIPEDL", "PFI-1"),
            ("XYZ", "Algo nuevo"),
        ]
    )
    idiomas = """<ram:AdditionalInformationSPSNote><ram:SubjectCode>ADTLIL</ram:SubjectCode>
      <ram:Content languageID="en">Free of weeds</ram:Content>
      <ram:Content languageID="es">Libre de malezas</ram:Content>
    </ram:AdditionalInformationSPSNote>"""
    certificado = leer(LINEA + idiomas + nota("ADIPTLIL", "PFI-1"), documento=documento)
    assert certificado.declaraciones == (DECLARACION, "Libre de malezas")
    assert certificado.informacion_oficial == ("Analizado en origen.",)
    assert certificado.permisos == ("PFI-1",)
    assert [(p.campo, p.valor) for p in certificado.pendientes] == [("notas", "Algo nuevo")]


@pytest.mark.parametrize(
    ("cambios", "campo"),
    [
        ({"estado": "40"}, "estado"),
        ({"estado": ""}, "estado"),
        ({"tipo": "636"}, "tipo"),
        ({"fecha": ""}, "emitido_en"),
        ({"fecha": "<udt:DateTimeString>03/04/2026</udt:DateTimeString>"}, "emitido_en"),
        ({"documento": nota("ADRPN", "AR-9", "IncludedSPSNote")}, "reemplaza"),
        ({"documento": nota("ADIPEDL", "P-1") + nota("ADIPTLIL", "P-2")}, "pfi"),
    ],
)
def test_leer_nombra_lo_que_debe_resolver_una_persona(cambios: dict[str, str], campo: str):
    assert campos(leer(**cambios)) == [campo]


@pytest.mark.parametrize(
    "fecha",
    [
        "<udt:DateTime>2026-04-22T13:53:08Z</udt:DateTime>",
        "<udt:DateTimeString/><udt:DateTime>2026-04-22</udt:DateTime><udt:DateTime>2026-04-22</udt:DateTime>",
        '<udt:DateTimeString format="102">20260422</udt:DateTimeString>',
        '<udt:DateTimeString format="205">202604221353-0300</udt:DateTimeString>',
        '<udt:DateTimeString format="204">20260422135308</udt:DateTimeString>',
        "2026-04-22",
        "<udt:DateTimeString>22/04/2026</udt:DateTimeString>",
        "<udt:DateTimeString>2026-04-22T13:53:08.1234567-03:00</udt:DateTimeString>",
    ],
)
def test_leer_entiende_la_fecha(fecha: str):
    assert leer(fecha=fecha).emitido_en == date(2026, 4, 22)


def test_leer_contenedores_y_precintos():
    certificado = leer(
        envio="""<ram:UtilizedSPSTransportEquipment><ram:ID>demu 100001-0</ram:ID>
        <ram:AffixedSPSSeal><ram:ID>S1</ram:ID></ram:AffixedSPSSeal></ram:UtilizedSPSTransportEquipment>
        <ram:UtilizedSPSTransportEquipment><ram:ID>MSKU1234565, MSKU7654321</ram:ID>
        </ram:UtilizedSPSTransportEquipment>"""
    )
    assert certificado.equipos == (Equipo("DEMU1000010", ("S1",)), Equipo("MSKU1234565"), Equipo("MSKU7654321"))


def adjunto(nombre: str, contenido: str) -> str:
    return (
        "<ram:ReferenceSPSReferencedDocument><ram:ID>1</ram:ID>"
        f'<ram:AttachmentBinaryObject filename="{nombre}">{contenido}</ram:AttachmentBinaryObject>'
        "</ram:ReferenceSPSReferencedDocument>"
    )


def test_leer_conserva_los_adjuntos():
    pdf = base64.encodebytes(b"%PDF-1.4\n" + bytes(200)).decode()
    contenidos = {"../../etc/permiso.pdf": pdf, "": pdf, "malo.pdf": "A", "falta": "", "raro.exe": "TVqQAA"}
    documento = "".join(adjunto(nombre, contenido) for nombre, contenido in contenidos.items())
    certificado = leer(documento=documento)
    assert [(a.nombre, len(a.contenido)) for a in certificado.adjuntos] == [
        ("../../etc/permiso.pdf", 209),
        ("adjunto-2", 209),
        ("raro.exe", 4),
    ]
    assert campos(certificado) == ["adjuntos.3", "adjuntos.4"]


# ── What is refused ───────────────────────────────────────────────────────────────────────────────

BOMBA = '<!DOCTYPE r [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;">]>'
XXE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
HOSTILES = {
    "vacio": b"",
    "espacios": b" \n ",
    "texto": b"hola",
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj << >> stream\x00\x01",
    "zip": b"PK\x03\x04\x00\x00<",
    "truncado": xml(LINEA).encode()[:900],
    "utf16_cortado": xml(LINEA).encode("utf-16")[:-1],
    "bomba": xml(LINEA).replace("?>", "?>" + BOMBA, 1).replace("SENASA Arg", "&b;").encode(),
    "xxe": xml(LINEA).replace("?>", "?>" + XXE, 1).replace("SENASA Arg", "&x;").encode(),
    "dtd_externo": xml(LINEA).replace("?>", '?><!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd">', 1).encode(),
    "xxe_utf16": xml(LINEA).replace("?>", "?>" + XXE, 1).encode("utf-16"),
    "xxe_en_el_sobre": f"<Sobre><Content>{escape(XXE + xml(LINEA).partition('?>')[2])}</Content></Sobre>".encode(),
    "entidad_sin_definir": xml(LINEA).replace("SENASA Arg", "&nada;").encode(),
    "otro_xml": b"<factura><ID>1</ID></factura>",
    "hondo": b"<a>" * 100 + b"</a>" * 100,
    "muchos": b"<a>" + b"<b/>" * 200_000 + b"</a>",
    "pesado": b"<a>" + b" " * ephyto.MAX_BYTES + b"</a>",
    "largo": xml(LINEA.replace("Maize seed", "Maize " * 100_000)).encode(),
    "dos_certificados": f"<L>{xml(LINEA).partition('?>')[2] * 2}</L>".encode(),
    "control": xml(LINEA).replace("SENASA Arg", "\x01").encode(),
    "prefijo_sin_declarar": b"<x:SPSCertificate><x:SPSExchangedDocument/></x:SPSCertificate>",
}


@pytest.mark.parametrize("nombre", HOSTILES)
def test_leer_rechaza_con_un_mensaje(nombre: str):
    with pytest.raises(EphytoInvalido) as rechazo:
        _interpretar(HOSTILES[nombre])
    assert str(rechazo.value)[0].isupper()
    assert str(rechazo.value).endswith((".", ")."))


@pytest.mark.parametrize(
    ("nombre", "dice"),
    [
        ("vacio", "está vacío"),
        ("pdf", "no es XML"),
        ("truncado", "está cortado"),
        ("xxe", "Por seguridad"),
        ("bomba", "Por seguridad"),
        ("hondo", "demasiado anidados"),
        ("muchos", "demasiados elementos"),
        ("pesado", "más de 20 MB"),
        ("largo", "texto demasiado largo"),
        ("otro_xml", "no es un certificado"),
        ("dos_certificados", "2 certificados"),
    ],
)
def test_leer_dice_por_que_rechaza(nombre: str, dice: str):
    with pytest.raises(EphytoInvalido, match=dice):
        ephyto.leer(HOSTILES[nombre])


@given(st.binary(max_size=300))
def test_leer_bytes_cualesquiera(contenido: bytes):
    with pytest.raises(EphytoInvalido):
        _interpretar(contenido)


ENTERO = xml(TOTALES, LINEA + nota("ADTLIL", "x"), envio=adjunto("a.pdf", "JVBERi0x")).encode()


@given(
    posicion=st.integers(0, len(ENTERO)),
    quitar=st.integers(0, 60),
    poner=st.one_of(st.binary(max_size=20), st.text(max_size=20).map(lambda t: t.encode("utf-8", "ignore"))),
)
@settings(max_examples=300)
def test_leer_un_certificado_estropeado(posicion: int, quitar: int, poner: bytes):
    with suppress(EphytoInvalido):
        _interpretar(ENTERO[:posicion] + poner + ENTERO[posicion + quitar :])


texto_xml = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30).map(escape)


@given(texto_xml, texto_xml, texto_xml, texto_xml)
@settings(max_examples=300)
def test_leer_valores_cualesquiera(peso: str, pais: str, fecha: str, asunto: str):
    linea = (
        f'<ram:CommonName>{pais}</ram:CommonName><ram:NetWeightMeasure unitCode="KGM">{peso}</ram:NetWeightMeasure>'
        f"<ram:OriginSPSCountry><ram:ID>{pais}</ram:ID><ram:Name>{fecha}</ram:Name></ram:OriginSPSCountry>"
        + nota(asunto, peso)
    )
    certificado = leer(linea, fecha=fecha, exporta=f"<ram:Name>{pais}</ram:Name>", documento=adjunto("x", asunto))
    json.dumps([float(li.peso_neto_kg) for li in certificado.lineas if li.peso_neto_kg], allow_nan=False)


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def test_leer_ephyto_imprime_solo_json(tmp_path: Path):
    archivo = tmp_path / "certificado.xml"
    archivo.write_bytes(xml(LINEA, SIN_PESO).encode())
    salida = StringIO()
    call_command("leer_ephyto", str(archivo), stdout=salida)
    entendido = json.loads(salida.getvalue())
    assert list(entendido) == ["certificado", "emisor", "pais_exportacion", "lineas", "declaraciones", "pendientes"]
    assert entendido["lineas"] == [
        {"nombre_comun": "Maíz", "nombre_cientifico": "Zea mays", "peso_neto_kg": 1250.5, "pais_origen": "AR"},
        {"nombre_comun": "Maíz", "nombre_cientifico": "Zea mays", "peso_neto_kg": None, "pais_origen": "AR"},
    ]
    assert entendido["pendientes"][0]["campo"] == "lineas.2.peso_neto_kg"


@pytest.mark.parametrize("nombre", ["otro_xml", "no_existe"])
def test_leer_ephyto_falla_con_una_linea(nombre: str, tmp_path: Path):
    archivo = tmp_path / nombre
    if nombre in HOSTILES:
        archivo.write_bytes(HOSTILES[nombre])
    salida, errores = StringIO(), StringIO()
    with pytest.raises(SystemExit) as fin:
        call_command("leer_ephyto", str(archivo), stdout=salida, stderr=errores)
    assert (fin.value.code, salida.getvalue(), errores.getvalue().count("\n")) == (1, "", 1)

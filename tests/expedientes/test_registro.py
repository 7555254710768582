"""Mesa de partes enters a request, by hand and from an ePhyto."""

import base64
import io
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from expedientes import espera, prellenado
from expedientes.ephyto import leer
from expedientes.models import Expediente, Importador, Producto
from notificaciones.models import Notificacion
from senasa.models import Puesto, Usuario
from tests.builders import crear_caso, crear_importador, personas

pytestmark = pytest.mark.django_db


@pytest.fixture
def gente() -> Mapping[str, Usuario]:
    return personas()


@pytest.fixture
def mesa(client: Client, gente: Mapping[str, Usuario]) -> Client:
    client.force_login(gente["mesa"])
    return client


def solicitud(**cambios: Any) -> dict[str, Any]:
    datos = {
        "envio": str(uuid.uuid4()),
        "puesto": Puesto.objects.get(codigo="PCM").pk,
        "importador_tipo": "ruc",
        "importador_numero": "20999900012",
        "importador_nombre": "Frutos del Sur S.A.C.",
        "importador_correo": "importaciones@frutos.example",
        "pfi": "2026-118-04412",
        "certificado": "CL-2026-1",
        "pais_exportacion": "CL",
        "transporte": "contenedor",
        "partidas-TOTAL_FORMS": 1,
        "partidas-INITIAL_FORMS": 0,
        "partidas-0-producto": Producto.objects.get(codigo="uva-fresca").pk,
        "partidas-0-pais_origen": "CL",
        "partidas-0-peso_neto_kg": "19200.5",
        "partidas-0-contenedores": "DEMU 100001-0 SL10001",
    }
    return {**datos, **cambios}


def errores(respuesta: Any) -> dict[str, list[str]]:
    assert respuesta.status_code == 422
    hallados = dict(respuesta.context["form"].errors)
    for n, fila in enumerate(respuesta.context["formsets"][0].forms):
        hallados |= {f"partidas-{n}-{campo}": lista for campo, lista in fila.errors.items()}
    return hallados


def test_registrar_crea_el_expediente_y_debe_el_aviso(mesa: Client) -> None:
    respuesta = mesa.post(reverse("expediente_nuevo"), solicitud())
    expediente = Expediente.objects.get()
    assert respuesta["Location"] == reverse("expediente", args=[expediente.numero])
    assert expediente.numero.startswith("PCM-")
    assert [(c.numero, c.precinto) for c in expediente.partidas.get().contenedores.all()] == [
        ("DEMU1000010", "SL10001")
    ]
    assert list(Notificacion.objects.values_list("aviso", "correo")) == [("registrada", "importaciones@frutos.example")]


def test_registrar_dos_veces_el_mismo_envio_hace_un_expediente(mesa: Client) -> None:
    datos = solicitud()
    primera, segunda = (mesa.post(reverse("expediente_nuevo"), datos) for _n in range(2))
    assert primera["Location"] == segunda["Location"]
    assert Expediente.objects.count() == 1


def test_registrar_con_errores_no_pierde_nada_de_lo_escrito(mesa: Client) -> None:
    cambios = {
        "importador_numero": "20999900013",
        "partidas-0-contenedores": "DEMU1000011 SL10001\nHOLA",
        "lugar": "Muelle Norte",
        "partidas-0-envases": "2 100 cajas",
    }
    respuesta = mesa.post(reverse("expediente_nuevo"), solicitud(**cambios))
    hallados = errores(respuesta)
    assert set(hallados) == {"importador_numero", "partidas-0-contenedores"}
    assert "dígito verificador del RUC" in hallados["importador_numero"][0]
    assert "debería ser 0" in hallados["partidas-0-contenedores"][0]
    assert len(hallados["partidas-0-contenedores"]) == 2
    pagina = respuesta.content.decode()
    for escrito in ("20999900013", "DEMU1000011 SL10001", "Muelle Norte", "2 100 cajas"):
        assert escrito in pagina
    assert not Expediente.objects.exists()
    assert not Importador.objects.exists()


@pytest.mark.parametrize(
    ("cambios", "campo"),
    [
        ({"transporte": "aereo", "partidas-0-contenedores": ""}, "guia_aerea"),
        ({"transporte": "aereo", "guia_aerea": "999-12345674", "partidas-0-contenedores": ""}, "guia_aerea"),
        ({"transporte": "granel", "partidas-0-contenedores": ""}, "nave"),
        ({"partidas-0-contenedores": ""}, "partidas-0-contenedores"),
        ({"transporte": "granel", "nave": "Andes 12"}, "partidas-0-contenedores"),
        ({"partidas-0-peso_neto_kg": "0"}, "partidas-0-peso_neto_kg"),
        ({"importador_correo": ""}, "importador_correo"),
        ({"agente_nombre": "Aduanas SAC"}, "agente_numero"),
        ({"agente_numero": "20999900021"}, "agente_nombre"),
        ({"envio": "no-es-uuid"}, "envio"),
    ],
)
def test_registrar_dice_que_falta(mesa: Client, cambios: dict[str, str], campo: str) -> None:
    assert campo in errores(mesa.post(reverse("expediente_nuevo"), solicitud(**cambios)))
    assert not Expediente.objects.exists()


def test_registrar_con_agente_cuyo_poder_vencio(mesa: Client) -> None:
    ayer = timezone.localdate() - timedelta(days=1)
    agente = {
        "agente_tipo": "ruc",
        "agente_numero": "20999900021",
        "agente_nombre": "A",
        "agente_correo": "a@b.example",
    }
    respuesta = mesa.post(reverse("expediente_nuevo"), solicitud(**agente, poder_hasta=ayer.isoformat()))
    assert list(errores(respuesta)) == ["poder_hasta"]


def test_registrar_por_aire_normaliza_la_guia(mesa: Client) -> None:
    cambios = {"transporte": "aereo", "guia_aerea": "99912345675", "partidas-0-contenedores": ""}
    mesa.post(reverse("expediente_nuevo"), solicitud(**cambios))
    assert Expediente.objects.get().guia_aerea == "999-12345675"


def test_registrar_con_importador_conocido_no_cambia_su_correo(mesa: Client) -> None:
    conocido = crear_importador()
    hallados = errores(mesa.post(reverse("expediente_nuevo"), solicitud()))
    assert list(hallados) == ["importador_correo"]
    assert conocido.correo in hallados["importador_correo"][0]
    respuesta = mesa.post(reverse("expediente_nuevo"), solicitud(importador_correo=""), follow=True)
    assert conocido.nombre in str(list(respuesta.context["messages"])[1])
    assert Expediente.objects.get().importador == conocido


def test_registrar_un_posible_duplicado_pide_confirmarlo(mesa: Client) -> None:
    otro = crear_caso().expediente
    datos = solicitud(certificado=otro.certificado, importador_correo="", importador_nombre="")
    respuesta = mesa.post(reverse("expediente_nuevo"), datos)
    assert respuesta.status_code == 422
    assert otro.numero in respuesta.content.decode()
    mesa.post(reverse("expediente_nuevo"), {**datos, "aunque_este": "1"})
    assert Expediente.objects.count() == 2


def test_agregar_partida_sin_javascript_conserva_lo_escrito(mesa: Client) -> None:
    respuesta = mesa.post(reverse("expediente_nuevo"), solicitud(agregar="1", lugar="Muelle Norte"))
    assert len(respuesta.context["formsets"][0].forms) == 2
    pagina = respuesta.content.decode()
    assert "Muelle Norte" in pagina
    assert "DEMU 100001-0 SL10001" in pagina
    assert "resumen-errores" not in pagina


@pytest.mark.parametrize("total", ["", "x", "-1", "²", "99999999999"])
@pytest.mark.parametrize("agregar", [{}, {"agregar": "1"}])
def test_registrar_con_un_formulario_manipulado(mesa: Client, total: str, agregar: dict[str, str]) -> None:
    respuesta = mesa.post(reverse("expediente_nuevo"), solicitud(**{"partidas-TOTAL_FORMS": total}, **agregar))
    assert respuesta.status_code == (200 if agregar else 422)
    assert mesa.post(reverse("expediente_nuevo"), {"texto": "\x00"}).status_code == 422


def test_registrar_dos_partidas_y_quitar_otra(mesa: Client) -> None:
    fila = {"producto": Producto.objects.get(codigo="cereza").pk, "pais_origen": "CL", "peso_neto_kg": "10"}
    cambios = {f"partidas-{n}-{campo}": valor for n in (1, 2) for campo, valor in fila.items()}
    datos = solicitud(**cambios, **{"partidas-TOTAL_FORMS": 4, "partidas-2-DELETE": "on"})
    mesa.post(reverse("expediente_nuevo"), datos)
    assert [p.producto.codigo for p in Expediente.objects.get().partidas.all()] == ["uva-fresca", "cereza"]


@pytest.mark.parametrize("url", ["expediente_nuevo", "ephyto_leer"])
def test_registrar_es_de_mesa_de_partes(client: Client, gente: Mapping[str, Usuario], url: str) -> None:
    for usuario in ("inspector", "jefe", "analista", "atencion", "admin"):
        client.force_login(gente[usuario])
        assert client.get(reverse(url)).status_code == 403, usuario
        assert client.post(reverse(url), solicitud()).status_code == 403, usuario
    client.logout()
    assert client.get(reverse(url)).status_code == 302
    client.force_login(gente["mesa"])
    assert client.put(reverse(url)).status_code == 405


# ── ePhyto ────────────────────────────────────────────────────────────────────────────────────────

NS = "urn:un:unece:uncefact:data:standard:SPSCertificate:17"
RAM = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:21"


def ephyto(
    nombre: str = "Fresh grapes",
    especie: str = "Vitis vinifera L.",
    hs: str = "0806100000",
    consignatario: str = "20999900012",
    extra: str = "",
) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<x:SPSCertificate xmlns:x="{NS}" xmlns:r="{RAM}"><x:SPSExchangedDocument>
<r:ID>CL-2026-777</r:ID><r:TypeCode>851</r:TypeCode><r:StatusCode>70</r:StatusCode>
<r:IssueDateTime>2026-11-01T10:00:00Z</r:IssueDateTime><r:IssuerSPSParty><r:Name>SAG</r:Name></r:IssuerSPSParty>
{extra}</x:SPSExchangedDocument><x:SPSConsignment>
<r:ConsigneeSPSParty><r:ID schemeName="RUC">{consignatario}</r:ID>
<r:Name>Frutos &lt;b&gt;del Sur</r:Name></r:ConsigneeSPSParty>
<r:ExportSPSCountry><r:ID>CL</r:ID></r:ExportSPSCountry><r:ImportSPSCountry><r:ID>PE</r:ID></r:ImportSPSCountry>
<r:UnloadingBaseportSPSLocation><r:ID>PECLL</r:ID></r:UnloadingBaseportSPSLocation>
<r:MainCarriageSPSTransportMovement><r:ID>12W</r:ID><r:ModeCode>1</r:ModeCode>
<r:UsedSPSTransportMeans><r:Name>Andes</r:Name></r:UsedSPSTransportMeans></r:MainCarriageSPSTransportMovement>
<r:UtilizedSPSTransportEquipment><r:ID>DEMU1000010</r:ID>
<r:AffixedSPSSeal><r:ID>SL9</r:ID></r:AffixedSPSSeal></r:UtilizedSPSTransportEquipment>
<r:IncludedSPSConsignmentItem><r:IncludedSPSTradeLineItem><r:SequenceNumeric>1</r:SequenceNumeric>
<r:CommonName>{nombre}</r:CommonName><r:ScientificName>{especie}</r:ScientificName>
<r:NetWeightMeasure unitCode="TNE">19.2</r:NetWeightMeasure>
<r:ApplicableSPSClassification><r:SystemName>HS</r:SystemName>
<r:ClassCode>{hs}</r:ClassCode></r:ApplicableSPSClassification>
<r:OriginSPSCountry><r:ID>CL</r:ID></r:OriginSPSCountry>
</r:IncludedSPSTradeLineItem></r:IncludedSPSConsignmentItem></x:SPSConsignment></x:SPSCertificate>""".encode()


def subir(mesa: Client, contenido: bytes, nombre: str = "cert.xml") -> Any:
    return mesa.post(reverse("ephyto_leer"), {"archivo": SimpleUploadedFile(nombre, contenido)})


def test_ephyto_llena_la_solicitud_y_se_guarda_con_el_expediente(mesa: Client) -> None:
    pagina = mesa.get(subir(mesa, ephyto())["Location"])
    form, fila = pagina.context["form"], pagina.context["formsets"][0].forms[0]
    assert form["certificado"].value() == "CL-2026-777"
    assert form["importador_numero"].value() == "20999900012"
    assert form["transporte"].value() == "contenedor"
    assert Producto.objects.get(pk=fila["producto"].value()).codigo == "uva-fresca"
    assert fila["contenedores"].value() == "DEMU1000010 SL9"
    datos = {campo: form[campo].value() or "" for campo in form.fields}
    datos |= {f"partidas-0-{campo}": fila[campo].value() or "" for campo in fila.fields if campo != "DELETE"}
    datos |= {"partidas-TOTAL_FORMS": 1, "partidas-INITIAL_FORMS": 1, "pfi": "P-1", "importador_correo": "a@b.example"}
    respuesta = mesa.post(reverse("expediente_nuevo"), datos)
    expediente = Expediente.objects.get()
    assert respuesta["Location"] == reverse("expediente", args=[expediente.numero])
    adjunto = expediente.adjuntos.get()
    assert (adjunto.nombre, adjunto.tipo, adjunto.archivo.open().read()) == ("cert.xml", "application/xml", ephyto())
    # The same form again finds its case, although its file is with the case now.
    assert mesa.post(reverse("expediente_nuevo"), datos)["Location"] == respuesta["Location"]


def test_ephyto_guarda_los_adjuntos_que_pasan_y_nombra_los_demas(mesa: Client) -> None:
    salida = io.BytesIO()
    Image.new("RGB", (4, 4)).save(salida, "PNG")
    dentro = {"C:\\actas\\foto.bin": salida.getvalue(), "virus.pdf": b"MZ" + bytes(90), "acta.docx": b"PK\x03\x04"}
    nodos = "".join(
        f'<r:ReferenceSPSReferencedDocument><r:AttachmentBinaryObject filename="{nombre}">'
        f"{base64.b64encode(contenido).decode()}"
        "</r:AttachmentBinaryObject></r:ReferenceSPSReferencedDocument>"
        for nombre, contenido in dentro.items()
    )
    certificado = ephyto(extra=nodos)
    pagina = mesa.get(subir(mesa, certificado, "../cert\u202e.xml")["Location"])
    texto = pagina.content.decode()
    for dicho in ("«virus.pdf» no es un PDF ni una foto", "«acta.docx» no es un PDF ni una foto", "sigue dentro"):
        assert dicho in texto, dicho
    form, fila = pagina.context["form"], pagina.context["formsets"][0].forms[0]
    datos = {campo: form[campo].value() or "" for campo in form.fields}
    datos |= {f"partidas-0-{campo}": fila[campo].value() or "" for campo in fila.fields if campo != "DELETE"}
    datos |= {"partidas-TOTAL_FORMS": 1, "partidas-INITIAL_FORMS": 1, "pfi": "P-1", "importador_correo": "a@b.example"}
    assert mesa.post(reverse("expediente_nuevo"), datos).status_code == 302
    el_xml, foto = Expediente.objects.get().adjuntos.order_by("pk")
    assert (el_xml.nombre, el_xml.tipo, el_xml.archivo.open().read()) == ("cert.xml", "application/xml", certificado)
    assert (foto.nombre, foto.tipo) == ("foto.bin.png", "image/png")


def test_ephyto_con_muchos_adjuntos_no_los_abre_todos(mesa: Client) -> None:
    nodo = (
        '<r:ReferenceSPSReferencedDocument><r:AttachmentBinaryObject filename="a{}.exe">TVqQAA=='
        "</r:AttachmentBinaryObject></r:ReferenceSPSReferencedDocument>"
    )
    certificado = ephyto(extra="".join(map(nodo.format, range(30))))
    texto = mesa.get(subir(mesa, certificado)["Location"]).content.decode()
    assert texto.count("no es un PDF ni una foto") == prellenado.MAX_ADJUNTOS
    assert "Quedan adjuntos sin abrir (20)" in texto


def test_ephyto_temporal_se_borra_al_registrar(mesa: Client, django_capture_on_commit_callbacks: Any) -> None:
    ficha = subir(mesa, ephyto())["Location"].partition("ephyto=")[2].replace("%3A", ":")
    assert len(storages["adjuntos"].listdir(espera.EPHYTO)[1]) == 1
    with django_capture_on_commit_callbacks(execute=True):
        assert mesa.post(reverse("expediente_nuevo"), solicitud(ephyto=ficha)).status_code == 302
    assert storages["adjuntos"].listdir(espera.EPHYTO)[1] == []


def test_ephyto_de_otro_usuario_no_se_abre(mesa: Client, gente: Mapping[str, Usuario]) -> None:
    de = f"usuario:{gente['inspector'].pk}"
    ficha = espera.guardar(espera.EPHYTO, ephyto(), nombre="x.xml", de=de)
    assert mesa.get(reverse("expediente_nuevo"), {"ephyto": ficha}).context["leido"] is None
    hallados = errores(mesa.post(reverse("expediente_nuevo"), solicitud(ephyto=ficha)))
    assert list(hallados) == ["__all__"]


def test_ephyto_escapa_lo_que_dice_el_certificado(mesa: Client) -> None:
    malo = ephyto(nombre="&lt;script&gt;alert(1)&lt;/script&gt;")
    pagina = mesa.get(subir(mesa, malo)["Location"]).content.decode()
    assert "&lt;script&gt;alert(1)" in pagina
    assert "<script>alert(1)" not in pagina
    assert "<b>del Sur" not in pagina


@pytest.mark.parametrize(
    "contenido",
    [b"", b"%PDF-1.4", b"<a/>", b"<a", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
)
def test_ephyto_hostil_se_rechaza_con_amabilidad(mesa: Client, contenido: bytes) -> None:
    respuesta = subir(mesa, contenido)
    assert respuesta.status_code == 422
    assert respuesta.context["form"].errors["archivo"]


@pytest.mark.parametrize(
    ("nombre", "especie", "hs", "codigo", "pendiente"),
    [
        ("Fresh grapes", "Vitis vinifera", "0806.10", "uva-fresca", False),
        ("Uva fresca", "Vitis vinifera", "", "uva-fresca", False),
        # The species alone may be fruit or plants; when the catalogue has one product of it: filled, and named.
        ("Grapes", "Vitis vinifera", "", None, True),
        ("Sweet fruit", "Prunus avium", "", "cereza", True),
        # Vine plants are not grapes, whatever the species says.
        ("Vine plants", "Vitis vinifera", "060220", "estacas-enraizadas-de-vid", False),
        ("Seed corn", "Zea mays", "100510", "semilla-de-maiz", False),
        ("Corn", "Zea mays", "", None, True),
        ("Apples", "Malus domestica", "080810", None, True),
        ("Apples", "Malus domestica", "080830", None, True),
    ],
)
def test_producto_se_empareja_sin_adivinar(
    gente: Any, nombre: str, especie: str, hs: str, codigo: str | None, pendiente: bool
) -> None:
    leido = prellenado.prellenar(leer(ephyto(nombre=nombre, especie=especie, hs=hs)))
    hallado = leido.lineas[0]["producto"]
    assert (Producto.objects.get(pk=hallado).codigo if hallado else None) == codigo
    assert any(p.campo == "lineas.1.producto" for p in leido.pendientes) == pendiente

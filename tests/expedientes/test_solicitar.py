"""The public request: an address is confirmed by mail, one thing per page, and it becomes a case like any other."""

import re
import uuid
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from expedientes import borradores
from expedientes.models import AgenteAduana, Borrador, Confirmacion, Estado, Evento, Expediente, Importador, Producto
from notificaciones import enlaces
from notificaciones.models import Enlace, Notificacion
from notificaciones.services import despachar
from tests.builders import cargar_catalogos, crear_caso, crear_importador
from tests.conftest import Buzon

pytestmark = pytest.mark.django_db

CORREO = "importaciones@frutos.example"
RUC, OTRO_RUC = "20999900012", "20999900021"


def texto(respuesta: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", respuesta.content.decode()))


def confirmar(client: Client, correo: str = CORREO, para: str = "solicitud") -> str:
    """Through the address and its code; where it leads to."""
    client.post(reverse("solicitar_correo", query={"para": para}), {"correo": correo})
    codigo = enlaces.codigo(Confirmacion.objects.latest("id").referencia)
    respuesta = client.post(reverse("solicitar_codigo"), {"codigo": codigo})
    assert respuesta.status_code == 302, texto(respuesta)
    return respuesta["Location"]


def linea(**cambios: Any) -> dict[str, Any]:
    uva = str(Producto.objects.get(codigo="uva-fresca").pk)
    datos = {"producto": uva, "pais_origen": "CL", "peso_neto_kg": "19200.5", "envases": "2 100 cajas"}
    return {**datos, "contenedores": "DEMU 100001-0 SL10001", **cambios}


PAGINAS: dict[str, dict[str, str]] = {
    "quien": {"quien": "importador"},
    "importador": {"importador_tipo": "ruc", "importador_numero": RUC, "importador_nombre": "Frutos del Sur S.A.C."},
    "puesto": {"puesto": "PCM"},
    "transporte": {"transporte": "contenedor"},
    "llegada": {"nave": "Andes 12W", "lugar": "Muelle Norte", "llegada_en": "2026-11-22T09:30"},
    "documentos": {"pfi": "2026-118-04412", "certificado": "CL-2026-1", "pais_exportacion": "CL"},
}
AGENTE = {
    "quien": {"quien": "agente"},
    "agente": {"agente_tipo": "ruc", "agente_numero": OTRO_RUC, "agente_nombre": "Agencia Demo S.A.C."},
}


def llenar(client: Client, envio: uuid.UUID, **cambios: dict[str, str]) -> None:
    """Every page but the last, as a person would go through them."""
    paginas = {**PAGINAS, **cambios}
    orden = [paso for paso in ("quien", "importador", "agente", "puesto", "transporte", "llegada", "documentos")
             if paso in paginas]  # fmt: skip
    for paso in orden:
        respuesta = client.post(reverse("solicitar_paso", args=[envio, paso]), paginas[paso])
        assert respuesta.status_code == 302, (paso, texto(respuesta))
    respuesta = client.post(reverse("solicitar_partida", args=[envio, 1]), linea())
    assert respuesta.status_code == 302, texto(respuesta)


@pytest.fixture
def borrador(client: Client) -> Borrador:
    confirmar(client)
    return Borrador.objects.get()


def presentar(client: Client, envio: uuid.UUID, **mas: str) -> Any:
    return client.post(reverse("solicitar_revisar", args=[envio]), {"declaro": "on", **mas})


# ── The address ───────────────────────────────────────────────────────────────────────────────────


def test_correo_se_confirma_con_el_codigo_del_mensaje(client: Client, servidor_smtp: Buzon) -> None:
    client.post(reverse("solicitar_correo"), {"correo": " Importaciones@Frutos.example "})
    despachar()
    mensaje = servidor_smtp.mensajes[-1]
    assert mensaje["To"] == CORREO
    cuerpo = mensaje.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    codigo = re.search(r"^(\d{6})\s*$", cuerpo, re.M).group(1)  # type: ignore[union-attr]
    assert codigo in mensaje.get_body(("html",)).get_content()  # type: ignore[union-attr]
    respuesta = client.post(reverse("solicitar_codigo"), {"codigo": f"{codigo[:3]} {codigo[3:]}"})
    assert respuesta["Location"] == reverse("solicitar_paso", args=[Borrador.objects.get().envio, "quien"])
    assert Borrador.objects.get().correo == CORREO
    galleta = client.cookies["solicitante"]
    assert (galleta["path"], galleta["httponly"], galleta["samesite"]) == ("/solicitar/", True, "Lax")


def test_codigo_no_esta_en_ninguna_tabla(client: Client) -> None:
    client.post(reverse("solicitar_correo"), {"correo": CORREO})
    codigo = enlaces.codigo(Confirmacion.objects.get().referencia)
    guardado = str(list(Notificacion.objects.values())) + str(list(Confirmacion.objects.values()))
    assert codigo not in guardado
    assert "%CODIGO%" in Notificacion.objects.get().texto


def test_correo_dice_lo_mismo_de_uno_conocido_que_de_otro(client: Client) -> None:
    conocido = crear_importador()
    limpiar = re.compile(r"csrfmiddlewaretoken\" value=\"[^\"]*\"")
    paginas = []
    for correo in (conocido.correo, "nadie@nada.example"):
        respuesta = client.post(reverse("solicitar_correo"), {"correo": correo}, follow=True)
        paginas.append(limpiar.sub("", respuesta.content.decode()))
    assert paginas[0] == paginas[1]


@pytest.mark.parametrize("codigo", ["", "12345", "abcdef", "١٢٣٤٥٦", "1234567", "\x00"])
def test_codigo_mal_escrito_no_cuenta_como_intento(client: Client, codigo: str) -> None:
    client.post(reverse("solicitar_correo"), {"correo": CORREO})
    assert client.post(reverse("solicitar_codigo"), {"codigo": codigo}).status_code == 422
    assert Confirmacion.objects.get().intentos == 0


def test_codigo_se_gasta_a_los_cinco_intentos(client: Client) -> None:
    client.post(reverse("solicitar_correo"), {"correo": CORREO})
    bueno = enlaces.codigo(Confirmacion.objects.get().referencia)
    malo = f"{(int(bueno) + 1) % 1_000_000:06d}"
    dichos = [texto(client.post(reverse("solicitar_codigo"), {"codigo": malo})) for _n in range(5)]
    assert "No es el código" in dichos[0]
    assert "ya no vale" in dichos[4]
    assert "ya no vale" in texto(client.post(reverse("solicitar_codigo"), {"codigo": bueno}))
    assert not Borrador.objects.exists()


def test_codigo_vence_y_se_usa_una_vez(client: Client) -> None:
    confirmar(client)
    codigo = enlaces.codigo(Confirmacion.objects.get().referencia)
    assert borradores.confirmar(Confirmacion.objects.get().pk, codigo) == borradores.Fallo.GASTADO
    Confirmacion.objects.update(usada_en=None, vence_en=timezone.now() - timedelta(seconds=1))
    assert borradores.confirmar(Confirmacion.objects.get().pk, codigo) == borradores.Fallo.GASTADO


def test_correo_tiene_limite_por_direccion_y_no_admite_inyeccion(client: Client) -> None:
    for malo in ("a@b.example\nBcc: c@d.example", "a@b.example,c@d.example", "no", ""):
        assert client.post(reverse("solicitar_correo"), {"correo": malo}).status_code == 422
    assert not Notificacion.objects.exists()
    estados = [client.post(reverse("solicitar_correo"), {"correo": CORREO}).status_code for _n in range(8)]
    assert estados == [302] * 6 + [429] * 2
    assert Notificacion.objects.count() == 6


def test_sin_confirmar_no_se_llega_a_ningun_borrador(client: Client, borrador: Borrador) -> None:
    extrano = Client()
    for nombre in ("revisar", "partidas", "adjuntos", "presentada", "guardada", "borrar"):
        url = reverse(f"solicitar_{nombre}", args=[borrador.envio])
        ajena, ninguna = extrano.get(url), extrano.get(url.replace(str(borrador.envio), str(uuid.uuid4())))
        assert ajena.status_code == ninguna.status_code == 404
        assert "confirme su correo" in texto(ajena)
    assert extrano.post(reverse("solicitar_paso", args=[borrador.envio, "quien"]), PAGINAS["quien"]).status_code == 404
    confirmar(extrano, "otro@correo.example")
    assert extrano.get(reverse("solicitar_revisar", args=[borrador.envio])).status_code == 404
    assert extrano.post(reverse("solicitar_borrar", args=[borrador.envio])).status_code == 404
    assert Borrador.objects.filter(pk=borrador.pk).exists()


# ── The whole way ─────────────────────────────────────────────────────────────────────────────────


def test_solicitar_hasta_el_numero(client: Client, borrador: Borrador, servidor_smtp: Buzon) -> None:
    llenar(client, borrador.envio)
    pagina = client.get(reverse("solicitar_revisar", args=[borrador.envio]))
    for escrito in ("Frutos del Sur S.A.C.", "CL-2026-1", "DEMU1000010 SL10001", "Uva fresca", "Muelle Norte"):
        assert escrito in texto(pagina)
    assert "resumen-errores" not in pagina.content.decode()
    respuesta = presentar(client, borrador.envio)
    expediente = Expediente.objects.get()
    assert respuesta["Location"] == reverse("solicitar_presentada", args=[borrador.envio])
    assert expediente.numero in texto(client.get(respuesta["Location"]))
    assert (expediente.estado, expediente.envio, expediente.puesto.codigo) == (
        Estado.REGISTRADO,
        borrador.envio,
        "PCM",
    )
    evento = Evento.objects.get()
    assert (evento.accion, evento.origen, evento.actor, evento.datos["solicitante"]) == (
        "registrar",
        Evento.Origen.IMPORTADOR,
        None,
        CORREO,
    )
    assert timezone.localtime(expediente.llegada_en).strftime("%d/%m %H:%M") == "22/11 09:30"
    partida = expediente.partidas.get()
    assert [(c.numero, c.precinto) for c in partida.contenedores.all()] == [("DEMU1000010", "SL10001")]
    despachar()
    registrada = servidor_smtp.mensajes[-1]
    assert (registrada["To"], expediente.numero in registrada["Subject"]) == (CORREO, True)
    assert "/seguimiento/" in registrada.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_presentar_dos_veces_hace_un_expediente(client: Client, borrador: Borrador) -> None:
    llenar(client, borrador.envio)
    primera, segunda = (presentar(client, borrador.envio) for _n in range(2))
    assert primera["Location"] == segunda["Location"]
    assert Expediente.objects.count() == 1
    assert Notificacion.objects.filter(aviso="registrada").count() == 1
    for paso in ("quien", "importador"):
        url = reverse("solicitar_paso", args=[borrador.envio, paso])
        assert client.post(url, PAGINAS[paso])["Location"] == primera["Location"]


@pytest.mark.django_db(transaction=True)
def test_presentar_ocho_a_la_vez_hace_un_expediente(client: Client) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    cargar_catalogos()  # a transactional test before this one took them away
    confirmar(client)
    borrador = Borrador.objects.get()
    llenar(client, borrador.envio)

    def uno(_n: int) -> str:
        try:
            return str(borradores.presentar(Borrador.objects.get(pk=borrador.pk)))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as hilos:
        assert len(set(hilos.map(uno, range(8)))) == 1
    assert Expediente.objects.count() == Evento.objects.count() == 1


def test_presentar_pide_la_declaracion(client: Client, borrador: Borrador) -> None:
    llenar(client, borrador.envio)
    respuesta = client.post(reverse("solicitar_revisar", args=[borrador.envio]))
    assert respuesta.status_code == 422
    assert "Marque la declaración" in texto(respuesta)
    assert not Expediente.objects.exists()


def test_revisar_dice_que_falta_y_lleva_ahi(client: Client, borrador: Borrador) -> None:
    respuesta = presentar(client, borrador.envio)
    assert respuesta.status_code == 422
    pagina = respuesta.content.decode()
    for paso in ("quien", "importador", "puesto", "transporte", "documentos"):
        assert f'{reverse("solicitar_paso", args=[borrador.envio, paso])}?vuelve=1"' in pagina
    assert "Agregue al menos una partida" in pagina
    assert not Expediente.objects.exists()


@pytest.mark.parametrize(
    ("paso", "cambios", "campo"),
    [
        ("quien", {"quien": "otro"}, "quien"),
        ("importador", {"importador_numero": "20999900013"}, "importador_numero"),
        ("importador", {"importador_nombre": ""}, "importador_nombre"),
        ("importador", {"importador_nombre": "a\x00b"}, "importador_nombre"),
        ("puesto", {"puesto": "XXX"}, "puesto"),
        ("transporte", {"transporte": "bote"}, "transporte"),
        ("llegada", {"lugar": ""}, "lugar"),
        ("llegada", {"llegada_en": "ayer"}, "llegada_en"),
        ("documentos", {"pfi": ""}, "pfi"),
        ("documentos", {"certificado": "x" * 41}, "certificado"),
    ],
)
def test_pagina_con_error_no_pierde_nada(
    client: Client, borrador: Borrador, paso: str, cambios: dict[str, str], campo: str
) -> None:
    if paso == "llegada":
        client.post(reverse("solicitar_paso", args=[borrador.envio, "transporte"]), PAGINAS["transporte"])
    respuesta = client.post(reverse("solicitar_paso", args=[borrador.envio, paso]), {**PAGINAS[paso], **cambios})
    assert respuesta.status_code == 422
    assert list(respuesta.context["form"].errors) == [campo]
    pagina = respuesta.content.decode()
    assert "<title>Error: " in re.sub(r"\s+", " ", pagina)
    assert 'class="resumen-errores"' in pagina
    for nombre, valor in PAGINAS[paso].items():
        if nombre not in cambios:
            assert valor in pagina


def test_llegada_pide_lo_de_cada_transporte(client: Client, borrador: Borrador) -> None:
    def errores(transporte: str, **datos: str) -> list[str]:
        client.post(reverse("solicitar_paso", args=[borrador.envio, "transporte"]), {"transporte": transporte})
        url = reverse("solicitar_paso", args=[borrador.envio, "llegada"])
        respuesta = client.post(url, {"lugar": "Almacén", **datos})
        return list(respuesta.context["form"].errors) if respuesta.status_code == 422 else []

    assert errores("aereo") == ["guia_aerea"]
    assert errores("aereo", guia_aerea="999-12345674") == ["guia_aerea"]
    assert errores("aereo", guia_aerea="99912345675") == []
    assert errores("granel") == ["nave"]
    assert errores("granel", nave="Andes") == []
    assert errores("contenedor") == []


def test_cambiar_una_respuesta_vuelve_a_la_revision_y_pide_lo_que_arrastra(client: Client, borrador: Borrador) -> None:
    llenar(client, borrador.envio)
    revisar = reverse("solicitar_revisar", args=[borrador.envio])

    def cambiar(paso: str, **datos: str) -> str:
        url = reverse("solicitar_paso", args=[borrador.envio, paso])
        return client.post(url, {**datos, "vuelve": "1"})["Location"]

    assert cambiar("puesto", puesto="PCA") == revisar
    # By air it needs its waybill, and its line has no containers any more.
    llegada = reverse("solicitar_paso", args=[borrador.envio, "llegada"])
    assert cambiar("transporte", transporte="aereo") == f"{llegada}?vuelve=1"
    assert cambiar("llegada", guia_aerea="999-12345675", lugar="Almacén") == revisar
    assert presentar(client, borrador.envio).status_code == 302
    expediente = Expediente.objects.get()
    assert (expediente.guia_aerea, expediente.nave, expediente.puesto.codigo) == ("999-12345675", "", "PCA")
    assert not expediente.partidas.get().contenedores.exists()


def test_partidas_se_agregan_cambian_y_quitan(client: Client, borrador: Borrador) -> None:
    llenar(client, borrador.envio)
    cereza = str(Producto.objects.get(codigo="cereza").pk)
    client.post(reverse("solicitar_partida", args=[borrador.envio, 2]), linea(producto=cereza, contenedores=""))
    client.post(reverse("solicitar_partida", args=[borrador.envio, 1]), linea(peso_neto_kg="7"))
    client.post(reverse("solicitar_partida", args=[borrador.envio, 3]), linea(contenedores=""))
    assert "Partida 3" in texto(client.get(reverse("solicitar_partidas", args=[borrador.envio])))
    client.post(reverse("solicitar_partida_quitar", args=[borrador.envio, 3]))
    assert client.get(reverse("solicitar_partida", args=[borrador.envio, 9])).status_code == 302
    mal = client.post(reverse("solicitar_partida", args=[borrador.envio, 1]), linea(contenedores="DEMU1000011"))
    assert mal.status_code == 422
    assert "debería ser 0" in texto(mal)
    presentar(client, borrador.envio)
    lineas = Expediente.objects.get().partidas.all()
    assert [(p.producto.codigo, float(p.peso_neto_kg)) for p in lineas] == [("uva-fresca", 7), ("cereza", 19200.5)]


def test_en_contenedores_alguna_partida_los_tiene(client: Client, borrador: Borrador) -> None:
    llenar(client, borrador.envio)
    client.post(reverse("solicitar_partida", args=[borrador.envio, 1]), linea(contenedores=""))
    respuesta = presentar(client, borrador.envio)
    assert "Escriba al menos un contenedor" in texto(respuesta)
    assert reverse("solicitar_partida", args=[borrador.envio, 1]) in respuesta.content.decode()


# ── Who may ask for whom ──────────────────────────────────────────────────────────────────────────


def test_quien_ya_esta_registrado_con_su_correo_sigue_siendo_el(client: Client) -> None:
    conocido = crear_importador(correo=CORREO)
    confirmar(client)
    envio = Borrador.objects.get().envio
    llenar(client, envio)
    presentar(client, envio)
    assert Expediente.objects.get().importador == conocido
    assert Importador.objects.count() == 1
    assert Evento.objects.get().texto == ""


def test_un_extrano_no_ve_ni_cambia_ni_sigue_al_registrado(client: Client) -> None:
    conocido = crear_importador()
    confirmar(client, "extrano@correo.example")
    envio = Borrador.objects.get().envio
    paginas: list[Any] = []
    llenar(client, envio)
    paginas.append(client.get(reverse("solicitar_revisar", args=[envio])))
    paginas.append(presentar(client, envio))
    paginas.append(client.get(reverse("solicitar_presentada", args=[envio])))
    for pagina in paginas:
        assert conocido.correo not in pagina.content.decode()
        assert conocido.nombre not in pagina.content.decode()
    assert "van a ese correo" in texto(paginas[-1])
    conocido.refresh_from_db()
    assert conocido.correo == "importador0@empresa.example"
    expediente = Expediente.objects.get()
    assert expediente.importador == conocido
    assert Enlace.objects.get(referencia=expediente.referencia).correo == conocido.correo
    avisos = {n.correo: n for n in Notificacion.objects.filter(referencia=expediente.referencia)}
    assert set(avisos) == {conocido.correo, "extrano@correo.example"}
    assert avisos["extrano@correo.example"].enlace is None
    assert "extrano@correo.example" in avisos[conocido.correo].texto
    assert "anúlela" in avisos[conocido.correo].texto
    assert conocido.correo not in avisos["extrano@correo.example"].texto
    evento = Evento.objects.get()
    assert "extrano@correo.example" in evento.texto
    assert "confírmela" in evento.texto


def test_agente_presenta_por_un_importador_registrado(client: Client) -> None:
    conocido = crear_importador()
    confirmar(client, "agencia@aduana.example")
    envio = Borrador.objects.get().envio
    importador = {**PAGINAS["importador"], "importador_correo": "supuesto@correo.example"}
    llenar(client, envio, **AGENTE, importador=importador)
    assert presentar(client, envio).status_code == 302
    expediente = Expediente.objects.get()
    assert (expediente.importador, expediente.agente.correo) == (conocido, "agencia@aduana.example")
    assert AgenteAduana.objects.get().numero_documento == OTRO_RUC
    seguidores = set(Enlace.objects.filter(referencia=expediente.referencia).values_list("correo", flat=True))
    assert seguidores == {conocido.correo, "agencia@aduana.example"}


def test_agente_con_poder_vencido_no_presenta(client: Client, borrador: Borrador) -> None:
    url = reverse("solicitar_paso", args=[borrador.envio, "agente"])
    client.post(reverse("solicitar_paso", args=[borrador.envio, "quien"]), AGENTE["quien"])
    ayer = (timezone.localdate() - timedelta(days=1)).isoformat()
    respuesta = client.post(url, {**AGENTE["agente"], "poder_hasta": ayer})
    assert list(respuesta.context["form"].errors) == ["poder_hasta"]


def test_posible_repetida_se_dice_sin_contar_de_otros(client: Client, borrador: Borrador) -> None:
    ajeno = crear_caso(importador=crear_importador(1), certificado="CL-2026-1").expediente
    llenar(client, borrador.envio)
    respuesta = presentar(client, borrador.envio)
    assert respuesta.status_code == 422
    assert "Puede ser una solicitud repetida" in texto(respuesta)
    assert ajeno.numero not in respuesta.content.decode()
    assert Expediente.objects.count() == 1
    suyo = crear_caso(importador=crear_importador(correo=CORREO), certificado="cl-2026-1").expediente
    assert suyo.numero in presentar(client, borrador.envio).content.decode()
    presentar(client, borrador.envio, no_es_la_misma="on")
    assert Expediente.objects.count() == 3


# ── The draft ─────────────────────────────────────────────────────────────────────────────────────


def foto(nombre: str = "certificado.png") -> SimpleUploadedFile:
    salida = BytesIO()
    Image.new("RGB", (40, 30), "green").save(salida, "PNG")
    return SimpleUploadedFile(nombre, salida.getvalue())


def test_seguir_despues_manda_un_enlace_de_ese_borrador_solo(
    client: Client, borrador: Borrador, servidor_smtp: Buzon
) -> None:
    url = reverse("solicitar_paso", args=[borrador.envio, "quien"])
    respuesta = client.post(url, {**PAGINAS["quien"], "despues": "1"})
    assert respuesta["Location"] == reverse("solicitar_guardada", args=[borrador.envio])
    despachar()
    cuerpo = servidor_smtp.mensajes[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    enlace = re.search(r"/seguimiento/\S+", cuerpo).group(0)  # type: ignore[union-attr]
    assert enlace not in str(list(Notificacion.objects.values()))
    otro_aparato = Client()
    abierto = otro_aparato.get(enlace)
    assert abierto["Location"] == reverse("solicitar_revisar", args=[borrador.envio])
    assert "importador" in texto(otro_aparato.get(abierto["Location"]))
    assert otro_aparato.get(reverse("solicitar_mias")).status_code == 302
    otro = borradores.crear(CORREO)
    assert otro_aparato.get(reverse("solicitar_revisar", args=[otro.envio])).status_code == 404
    # An expired link opens nothing, on either side of its cookie.
    Enlace.objects.update(vence_en=timezone.now() - timedelta(minutes=1))
    assert otro_aparato.get(abierto["Location"]).status_code == 404
    assert Client().get(enlace).status_code == 404


def test_confirmar_otra_vez_lleva_a_lo_que_quedo(client: Client, borrador: Borrador) -> None:
    client.post(reverse("solicitar_paso", args=[borrador.envio, "documentos"]), PAGINAS["documentos"])
    otro = Client()
    assert confirmar(otro) == reverse("solicitar_mias")
    pagina = otro.get(reverse("solicitar_mias"))
    assert "CL-2026-1" in texto(pagina)
    assert otro.post(reverse("solicitar_nueva")).status_code == 302
    assert Borrador.objects.count() == 2


def test_adjuntos_esperan_con_el_borrador_y_van_con_el_expediente(
    client: Client, borrador: Borrador, django_capture_on_commit_callbacks: Any
) -> None:
    url = reverse("solicitar_adjuntos", args=[borrador.envio])
    client.post(url, {"archivos": [foto(), foto("Poder.PNG")], "agregar": "1"})
    mala = client.post(url, {"archivos": [SimpleUploadedFile("virus.exe", b"MZ\x90")]})
    assert mala.status_code == 422
    guardados = Borrador.objects.get().respuestas["adjuntos"]
    assert [uno["nombre"] for uno in guardados] == ["certificado.png", "Poder.PNG"]
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("solicitar_adjunto_quitar", args=[borrador.envio]), {"ruta": guardados[0]["ruta"]})
    assert not storages["adjuntos"].exists(guardados[0]["ruta"])
    llenar(client, borrador.envio)
    with django_capture_on_commit_callbacks(execute=True):
        presentar(client, borrador.envio)
    adjunto = Expediente.objects.get().adjuntos.get()
    assert (adjunto.nombre, adjunto.tipo, adjunto.subido_por) == ("Poder.PNG", "image/png", None)
    assert Image.open(adjunto.archivo.open()).size == (40, 30)
    assert not storages["adjuntos"].exists(guardados[1]["ruta"])


def test_adjunto_ajeno_no_se_quita(client: Client, borrador: Borrador) -> None:
    client.post(reverse("solicitar_adjuntos", args=[borrador.envio]), {"archivos": [foto()]})
    caso = crear_caso().expediente
    ruta = storages["adjuntos"].save("2026/11/x", foto())
    client.post(reverse("solicitar_adjunto_quitar", args=[borrador.envio]), {"ruta": ruta})
    assert storages["adjuntos"].exists(ruta)
    assert len(Borrador.objects.get().respuestas["adjuntos"]) == 1
    assert caso.numero


def test_adjunto_que_ya_no_esta_se_dice_al_presentar(client: Client, borrador: Borrador) -> None:
    client.post(reverse("solicitar_adjuntos", args=[borrador.envio]), {"archivos": [foto()]})
    storages["adjuntos"].delete(Borrador.objects.get().respuestas["adjuntos"][0]["ruta"])
    llenar(client, borrador.envio)
    respuesta = presentar(client, borrador.envio)
    assert "ya no está aquí" in texto(respuesta)
    assert not Expediente.objects.exists()


def test_borrar_no_deja_nada(client: Client, borrador: Borrador, django_capture_on_commit_callbacks: Any) -> None:
    client.post(reverse("solicitar_adjuntos", args=[borrador.envio]), {"archivos": [foto()], "despues": "1"})
    ruta = Borrador.objects.get().respuestas["adjuntos"][0]["ruta"]
    assert client.get(reverse("solicitar_borrar", args=[borrador.envio])).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("solicitar_borrar", args=[borrador.envio]))
    assert not Borrador.objects.exists()
    assert not storages["adjuntos"].exists(ruta)
    assert not Notificacion.objects.filter(referencia=borrador.referencia).exists()
    assert not Enlace.objects.exists()


def test_barrer_olvida_lo_vencido_y_nada_mas(
    client: Client, borrador: Borrador, django_capture_on_commit_callbacks: Any
) -> None:
    client.post(reverse("solicitar_adjuntos", args=[borrador.envio]), {"archivos": [foto()]})
    ruta = Borrador.objects.get().respuestas["adjuntos"][0]["ruta"]
    assert borradores.barrer() == 0
    Borrador.objects.update(vence_en=timezone.now() - timedelta(minutes=1))
    Confirmacion.objects.update(vence_en=timezone.now() - timedelta(days=2))
    nuevo = borradores.crear(CORREO)
    with django_capture_on_commit_callbacks(execute=True):
        assert borradores.barrer() == 1
    assert list(Borrador.objects.all()) == [nuevo]
    assert not storages["adjuntos"].exists(ruta)
    assert not Confirmacion.objects.exists()
    assert not Notificacion.objects.exists()


def test_escribir_da_treinta_dias_mas(client: Client, borrador: Borrador) -> None:
    Borrador.objects.update(vence_en=timezone.now() + timedelta(days=1))
    client.post(reverse("solicitar_paso", args=[borrador.envio, "quien"]), PAGINAS["quien"])
    assert Borrador.objects.get().vence_en > timezone.now() + timedelta(days=29)


def test_solicitar_en_ingles(client: Client) -> None:
    client.post(reverse("set_language"), {"language": "en", "next": "/solicitar/"})
    confirmar(client)
    envio = Borrador.objects.get().envio
    assert "Request a phytosanitary inspection" in texto(client.get(reverse("solicitar")))
    assert "Who is making the request?" in texto(client.get(reverse("solicitar_paso", args=[envio, "quien"])))
    assert Notificacion.objects.get().asunto == "Your code to request an inspection"
    llenar(client, envio)
    presentar(client, envio)
    # The post and the mails of the case go on in Spanish.
    assert "Recibimos su solicitud" in Notificacion.objects.get(aviso="registrada").asunto

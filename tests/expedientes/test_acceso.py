"""Ways in without a password: what each link opens, who is sent one, what asking tells, and what it leaves behind."""

import csv
import io
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from expedientes import acceso, incidencias, mis_expedientes, services
from expedientes.models import AgenteAduana, Motivo, PedidoDeEnlace
from laboratorio import recorrido
from laboratorio.recorrido import Caso
from notificaciones import enlaces
from notificaciones.models import Enlace, Notificacion
from notificaciones.services import despachar
from senasa import registro, timbre
from tests.builders import RUCS, crear_caso, crear_importador
from tests.conftest import Buzon

pytestmark = pytest.mark.django_db


def agente(**campos: Any) -> AgenteAduana:
    datos = {"nombre": "Agencia del Puerto", "correo": "Agente@Aduana.example", **campos}
    return AgenteAduana.objects.get_or_create(tipo_documento="ruc", numero_documento=RUCS[2], defaults=datos)[0]


def todos(correo: str) -> Enlace:
    """The link to all cases of an address, asked for and sent."""
    acceso.pedir(correo=correo, todos=True)
    acceso.atender()
    return Enlace.objects.get(referencia=enlaces.TODOS, correo=correo.lower(), revocado_en=None)


def abrir(enlace: Enlace) -> Client:
    cliente = Client()
    assert cliente.get(reverse("seguimiento", args=[enlaces.token(enlace)])).status_code == 302
    for galleta in cliente.cookies.values():
        galleta["path"] = "/"  # as a forger would send it
    return cliente


def texto(respuesta: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", respuesta.content.decode()))


def _sin_claves(respuesta: Any) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", respuesta.content.decode())


def test_pedir_el_enlace_responde_lo_mismo_y_trabaja_lo_mismo_exista_o_no(servidor_smtp: Buzon) -> None:
    caso = crear_caso(agente=agente()).expediente
    Notificacion.objects.all().delete()
    importador, agencia = caso.importador, agente()
    pedidos = [
        ("enlace_pedir", {"numero": caso.numero.lower().replace("-", " "), "documento": importador.numero_documento}),
        ("enlace_pedir", {"numero": caso.numero, "documento": agencia.numero_documento}),
        ("enlace_pedir", {"numero": caso.numero, "documento": RUCS[1]}),  # not of this case
        ("enlace_pedir", {"numero": "PCM-2020-000001", "documento": importador.numero_documento}),
        ("autoservicio", {"numero": caso.numero, "documento": importador.numero_documento}),
        ("autoservicio", {"numero": "EXP-0117-2026-CALLAO", "documento": "12345678"}),
        ("mis_expedientes_pedir", {"correo": importador.correo.upper()}),
        ("mis_expedientes_pedir", {"correo": "nadie@nada.example"}),
    ]
    respuestas: dict[str, list[Any]] = {}
    for nombre, datos in pedidos:
        with CaptureQueriesContext(connection) as consultas:
            respuesta = Client().post(reverse(nombre), datos)
        # But for the count of the network address, which begins with an INSERT.
        ordenes = [re.sub(r"\d+|'[^']*'", "#", una["sql"]) for una in consultas if '"cache"' not in una["sql"]]
        pagina = _sin_claves(Client().get(respuesta["Location"]))
        respuestas.setdefault(nombre, []).append((respuesta.status_code, respuesta["Location"], pagina, ordenes))
    for nombre, dadas in respuestas.items():
        assert all(una == dadas[0] for una in dadas), nombre
    assert acceso.atender() == 4
    assert PedidoDeEnlace.objects.count() == 0
    assert despachar() == 4
    assert sorted(mensaje["To"] for mensaje in servidor_smtp.mensajes) == [
        "agente@aduana.example", *[importador.correo] * 3
    ]  # fmt: skip
    assert caso.numero in str(servidor_smtp.mensajes[0]["Subject"])


@pytest.mark.parametrize("nombre", ["enlace_pedir", "autoservicio"])
def test_lo_mal_escrito_vuelve_con_lo_que_falta(nombre: str) -> None:
    respuesta = Client().post(reverse(nombre), {"numero": "PCM-2026-1", "documento": "20999900013"})
    assert respuesta.status_code == 422
    assert "dígito verificador" in texto(respuesta)
    assert 'value="PCM-2026-1"' in respuesta.content.decode()
    assert Client().post(reverse(nombre), {"numero": "PCM-2026-1", "documento": "<x>"}).status_code == 422
    assert PedidoDeEnlace.objects.count() == 0


@pytest.mark.parametrize("nombre", ["enlace_pedir", "autoservicio"])
def test_un_numero_sin_forma_de_expediente_se_dice_y_queda_escrito(nombre: str) -> None:
    """It tells nothing of which cases exist: a well-written one that does not is taken as any other."""
    crear_caso()
    for malo in ("PCM-2026", "PCM-26-12", "PCA 2026 123 X", "123", "mi expediente", "importador5@empresa.example"):
        respuesta = Client().post(reverse(nombre), {"numero": malo, "documento": RUCS[0]})
        assert respuesta.status_code == 422, malo
        assert "No es un número de expediente: lleva" in texto(respuesta)
        assert f'value="{malo}"' in respuesta.content.decode()
    assert PedidoDeEnlace.objects.count() == 0
    buenos = ("PCM-2020-999999", "pcm 2026 7", "EXP-0117-2026-CALLAO", "0117-2026")  # the last two, of the old register
    for bueno in buenos:
        assert Client().post(reverse(nombre), {"numero": bueno, "documento": RUCS[0]}).status_code == 302, bueno
    assert PedidoDeEnlace.objects.count() == len(buenos)


def test_despues_de_pedir_el_enlace_hay_adonde_ir() -> None:
    pagina = Client().get(reverse("enlace_pedido")).content.decode()
    for adonde in ("enlace_pedir", "mis_expedientes_pedir", "verificar", "solicitar"):
        assert f'href="{reverse(adonde)}"' in pagina


def test_nadie_recibe_mas_enlaces_de_los_que_caben_en_una_hora(settings: Any) -> None:
    """Silently: whoever asks in another's name learns nothing, and cannot fill his box."""
    casos = [crear_caso().expediente for _n in range(3)]
    Notificacion.objects.all().delete()
    for caso in casos:
        for _vez in range(settings.ENLACES_POR_HORA + 2):
            acceso.pedir(numero=caso.numero, documento=caso.importador.numero_documento)
    acceso.atender()
    debidas = list(Notificacion.objects.values_list("referencia", flat=True))
    assert [debidas.count(caso.referencia) for caso in casos] == [3, 3, 0]
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        acceso.pedir(numero=casos[2].numero, documento=RUCS[0])
        assert acceso.atender() == 1


def test_un_salon_entero_pide_desde_una_maquina_y_a_nadie_le_llueve() -> None:
    caso = crear_caso().expediente
    for n in range(60):
        datos = {"numero": f"PCM-2026-{n:06d}", "documento": RUCS[0]}
        assert Client().post(reverse("autoservicio"), datos).status_code == 302
    assert Client().post(reverse("enlace_pedir"), {"numero": caso.numero, "documento": RUCS[0]}).status_code == 302
    cache.clear()
    estados = [
        Client().post(reverse("enlace_pedir"), {"numero": caso.numero, "documento": RUCS[0]}).status_code
        for _n in range(42)
    ]
    assert estados == [302] * 40 + [429] * 2


def test_el_autoservicio_se_olvida_de_quien_estuvo() -> None:
    cliente = Client()
    cliente.post(reverse("set_language"), {"language": "en", "next": "/"})
    malo = cliente.post(reverse("autoservicio"), {"numero": "PCM-2026-000001", "documento": "20999900013"})
    listo = cliente.get(reverse("autoservicio_listo"))
    for pagina in (cliente.get(reverse("autoservicio")), malo, listo):
        assert "no-store" in pagina["Cache-Control"]
        segundos, _punto, destino = pagina["Refresh"].partition("; url=")
        assert int(segundos) <= 120
        assert segundos in texto(pagina)
    assert "Check your e-mail" in texto(listo)
    limpia = cliente.get(destino, follow=True)
    assert limpia.redirect_chain == [(reverse("autoservicio"), 302)]
    assert limpia["Content-Language"] == "es-pe"
    assert "000001" not in limpia.content.decode()


def test_un_enlace_vencido_se_renueva_solo_a_su_correo(certificado: Any) -> None:
    caso = crear_caso("cerrado")
    enlace = Enlace.objects.get(referencia=caso.expediente.referencia)
    viejo = enlaces.token(enlace)
    with time_machine.travel(timezone.now() + timedelta(days=200)):
        pagina = Client().get(reverse("seguimiento", args=[viejo]))
        assert pagina.status_code == 404
        assert f'value="{viejo}"' in pagina.content.decode()
        Notificacion.objects.all().delete()
        ajeno = viejo[:-2] + ("A" if viejo[-2] != "A" else "B") + viejo[-1]
        for token in (viejo, ajeno, "x", f"{enlace.pk}-"):
            respuesta = Client().post(reverse("enlace_renovar"), {"token": token})
            assert respuesta["Location"] == reverse("enlace_pedido")
        acceso.atender()
        enlace.refresh_from_db()
        assert [una.correo for una in Notificacion.objects.all()] == [caso.expediente.importador.correo]
        assert (enlaces.abrir(viejo), enlaces.abrir(enlaces.token(enlace))) == (None, enlace)
        # One more is as mortal as the first; and the mail before the last still gets its reader a new one.
        assert enlace.vence_en
        assert enlace.vence_en < timezone.now() + timedelta(days=181)
        Client().post(reverse("enlace_renovar"), {"token": viejo})
        assert acceso.atender() == 1
    enlaces.revocar_de(referencia=caso.expediente.referencia, correo=enlace.correo)
    acceso.pedir(enlace=enlace)
    assert acceso.atender() == 0


def test_el_enlace_no_va_a_quien_ya_no_sigue_el_caso() -> None:
    caso = crear_caso(agente=agente())
    suyo = Enlace.objects.get(correo="agente@aduana.example")
    incidencias.cambiar_agente(expediente=caso.expediente, actor=caso.personas["mesa"], agente=None, texto="Renunció.")
    acceso.pedir(enlace=suyo)
    acceso.pedir(numero=caso.expediente.numero, documento=RUCS[2])
    acceso.pedir(correo="agente@aduana.example", todos=True)
    assert acceso.atender() == 0


def test_un_enlace_abre_todos_los_casos_de_su_correo_y_ninguno_mas() -> None:
    hoy = timezone.localdate()
    mios = [crear_caso(agente=agente()).expediente, crear_caso("en_inspeccion").expediente]
    con_poder = crear_caso(importador=crear_importador(1), agente=agente(), poder_hasta=hoy).expediente
    sin_poder = crear_caso(importador=crear_importador(1), agente=agente(), poder_hasta=hoy - timedelta(1)).expediente
    por_venir = crear_caso(importador=crear_importador(1), agente=agente(), poder_desde=hoy + timedelta(1)).expediente
    ajeno = crear_caso(importador=crear_importador(1)).expediente
    casos = [*mios, con_poder, sin_poder, por_venir, ajeno]
    de_mi, del_agente = todos(crear_importador().correo), todos("AGENTE@aduana.example")
    abren = {de_mi: {*mios}, del_agente: {mios[0], con_poder}}
    for enlace, suyos in abren.items():
        cliente = abrir(enlace)
        lista = texto(cliente.get(reverse("mis_expedientes")))
        assert {caso for caso in casos if caso.numero in lista} == suyos
        baja = b"".join(cliente.get(reverse("mis_expedientes_exportar")).streaming_content).decode()  # type: ignore[attr-defined]
        assert {caso for caso in casos if caso.numero in baja} == suyos
        for caso in casos:
            url = reverse("mis_expedientes_caso", args=[caso.numero])
            respuesta = cliente.get(url)
            assert respuesta.status_code == (302 if caso in suyos else 404), caso
            if caso in suyos:
                assert caso.numero in texto(cliente.get(respuesta["Location"]))


def test_a_no_ve_a_b_con_ningun_enlace_ni_galleta(certificado: Any) -> None:
    """Each cookie against each other's pages: of a case, of all, of a request that is being written."""
    a = crear_caso("con_riv").expediente
    b = crear_caso("con_riv", importador=crear_importador(1)).expediente
    cvd = b.documentos.first().cvd  # type: ignore[union-attr]
    de_b = [
        reverse("seguimiento_caso", args=[b.numero]),
        reverse("seguimiento_documento", args=[b.numero, cvd]),
        reverse("seguimiento_documento", args=[a.numero, cvd]),
        reverse("seguimiento_responder", args=[b.numero]),
        reverse("mis_expedientes_caso", args=[b.numero]),
    ]
    de_un_caso = Enlace.objects.get(referencia=a.referencia)
    de_todos = todos(a.importador.correo)
    for enlace in (de_un_caso, de_todos):
        cliente = abrir(enlace)
        # A cookie under another's name is no key either.
        for nombre in ("seguimiento", "mis_expedientes", "borrador", "solicitante"):
            if nombre not in cliente.cookies:
                cliente.cookies[nombre] = next(iter(cliente.cookies.values())).value
        estados = {url: cliente.get(url).status_code for url in de_b}
        assert set(estados.values()) == {404}, estados
        assert cliente.post(reverse("seguimiento_todos", args=[b.numero])).status_code == 404
    solo_uno = abrir(de_un_caso)
    assert solo_uno.get(reverse("mis_expedientes")).status_code == 404
    assert solo_uno.get(reverse("mis_expedientes_exportar")).status_code == 404
    assert solo_uno.post(reverse("mis_expedientes_cerrar")).status_code == 404
    # From one case, the link to all goes by mail.
    antes = Notificacion.objects.count()
    pedirlo = reverse("seguimiento_todos", args=[a.numero])
    assert pedirlo in solo_uno.get(de_b[0].replace(b.numero, a.numero)).content.decode()
    assert "Enviarme el enlace" in solo_uno.get(pedirlo).content.decode()
    assert Notificacion.objects.count() == antes
    dicho = solo_uno.post(pedirlo, follow=True)
    assert (dicho.request["PATH_INFO"], "Le enviamos a su correo el enlace" in dicho.content.decode()) == (
        reverse("seguimiento_caso", args=[a.numero]), True,
    )  # fmt: skip
    acceso.atender()
    ultima = Notificacion.objects.latest("id")
    assert (Notificacion.objects.count(), ultima.correo, ultima.enlace) == (antes + 1, a.importador.correo, de_todos)


def test_el_enlace_a_todos_muere_cerrado_vencido_y_al_cambiar_el_correo() -> None:
    caso = crear_caso()
    correo = caso.expediente.importador.correo
    cliente = abrir(todos(correo))
    lista = reverse("mis_expedientes")
    assert cliente.post(reverse("mis_expedientes_cerrar")).status_code == 200
    assert cliente.get(lista).status_code == 404
    otro = abrir(todos(correo))
    services.corregir_correo(
        expediente=caso.expediente, actor=caso.personas["atencion"], correo="nuevo@empresa.example"
    )
    assert caso.expediente.numero not in otro.get(lista).content.decode()
    assert otro.get(reverse("mis_expedientes_caso", args=[caso.expediente.numero])).status_code == 404
    nuevo = todos("nuevo@empresa.example")
    with time_machine.travel(timezone.now() + enlaces.TODOS_VALE + timedelta(minutes=1)):
        assert enlaces.abrir(enlaces.token(nuevo)) is None


def test_mis_expedientes_filtra_y_baja_lo_que_muestra_sin_formulas(certificado: Any) -> None:
    importador = crear_importador()
    importador.nombre = '=HYPERLINK("http://x")'
    importador.save()
    abierto = crear_caso("en_laboratorio", certificado="+51 1").expediente
    observado = crear_caso("en_inspeccion", producto="lenteja")
    recorrido.observar(observado)
    cerrado = crear_caso("cerrado", valor="positivo").expediente
    cliente = abrir(todos(importador.correo))
    lista = texto(cliente.get(reverse("mis_expedientes")))
    assert "1 expediente espera algo de usted" in lista
    assert lista.index(observado.expediente.numero) < lista.index(cerrado.numero)

    def numeros(**consulta: Any) -> list[str]:
        pagina = cliente.get(reverse("mis_expedientes"), consulta)
        filas = re.findall(r'class="numero"[^>]*>([^<]+)<', pagina.content.decode())
        bajada = cliente.get(reverse("mis_expedientes_exportar"), consulta)
        contenido = b"".join(bajada.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
        assert [fila[0] for fila in csv.reader(io.StringIO(contenido), delimiter=";")][1:] == filas
        return filas

    de_lentejas = observado.expediente.numero
    assert numeros() == [de_lentejas, abierto.numero, cerrado.numero]
    assert numeros(situacion="abiertos") == [de_lentejas, abierto.numero]
    assert numeros(situacion="terminados") == [cerrado.numero]
    assert numeros(situacion="usted") == [de_lentejas]
    producto = observado.expediente.partidas.get().producto_id
    assert numeros(producto=producto) == numeros(q="lentej") == [de_lentejas]
    assert numeros(q=abierto.numero.lower()) == numeros(q="+51") == [abierto.numero]
    assert numeros(q="DEMU 1000010") == numeros()
    assert numeros(q="nada de nada") == numeros(producto="x", q="zzz") == []
    assert "Rechazado" in texto(cliente.get(reverse("mis_expedientes")))

    hoja = openpyxl.load_workbook(
        io.BytesIO(b"".join(cliente.get(reverse("mis_expedientes_exportar"), {"como": "xlsx"}).streaming_content))  # type: ignore[attr-defined]
    ).active
    assert hoja is not None
    assert {celda.data_type for fila in hoja.iter_rows() for celda in fila} <= {"s", "inlineStr", "d", "n"}
    assert hoja["G2"].value == importador.nombre
    csv_ = b"".join(cliente.get(reverse("mis_expedientes_exportar")).streaming_content).decode()  # type: ignore[attr-defined]
    assert not re.search(r'(^|;|")[=+\-@]', csv_, re.MULTILINE)


def test_mis_expedientes_hace_las_mismas_consultas_con_uno_que_con_treinta() -> None:
    importador = crear_importador()
    cuentas = []
    for cuantos in (1, 29):
        for _n in range(cuantos):
            crear_caso(importador=importador)
        cliente = abrir(todos(importador.correo))
        with CaptureQueriesContext(connection) as consultas:
            pagina = cliente.get(reverse("mis_expedientes"))
        cuentas.append(len(consultas))
    assert cuentas[0] == cuentas[1] <= 12
    assert "1–25 de 30" in texto(pagina)
    assert "26–30 de 30" in texto(cliente.get(reverse("mis_expedientes"), {"page": 2}))


def _reabierto() -> Caso:
    caso = crear_caso("cerrado")
    motivo = Motivo.objects.filter(accion="reabrir_inspeccion").values_list("codigo", flat=True)[0]
    incidencias.reabrir(
        expediente=caso.expediente, actor=caso.personas["jefe"], partidas=caso.partidas, motivo=motivo, texto="Otra.",
        a_inspeccion=True,
    )  # fmt: skip
    return caso


def _con_hora_una_de_dos() -> Caso:
    caso = crear_caso(partidas=2, hace=timedelta(0))
    primera, cita = caso.expediente.partidas.get(orden=1), timezone.now() + timedelta(hours=3)
    services.programar(partida=primera, actor=caso.inspector, cita_en=cita, terminal="Nave 4")
    return caso


def _con(hasta: str, *pasos: Callable[[Caso], None], **opciones: Any) -> Callable[[], Caso]:
    def hacer() -> Caso:
        caso = crear_caso(hasta, **opciones)
        for paso in pasos:
            paso(caso)
        return caso

    return hacer


HISTORIAS: dict[str, tuple[Callable[[], Caso], bool]] = {
    "por programar": (_con("registrado"), False),
    "con hora": (_con("programado", hace=timedelta(0)), True),
    "con la hora pasada": (_con("programado"), True),
    "no estaba": (_con("programado", recorrido.no_presentada), True),
    "en inspección": (_con("en_inspeccion"), False),
    "otra muestra": (_con("en_laboratorio", recorrido.rechazar), True),
    "otra muestra ya tomada": (_con("en_laboratorio", recorrido.rechazar, recorrido.tomar_muestra), False),
    "en el laboratorio": (_con("en_laboratorio"), False),
    "informe listo": (_con("resultado_emitido"), False),
    "en emisión": (_con("verificado"), False),
    "observado": (_con("en_inspeccion", recorrido.observar), True),
    "respondido": (_con("en_inspeccion", recorrido.observar, recorrido.responder), False),
    "con medida": (_con("en_medida", valor="positivo"), True),
    "decidido": (_con("con_riv"), False),
    "cerrado": (_con("cerrado"), False),
    "cerrado con posentrada": (
        _con("con_riv", recorrido.ordenar_posentrada, recorrido.cerrar, decision="condicionado"), True
    ),
    "reabierto a inspección": (_reabierto, True),
    "desistido con hora": (_con("programado", recorrido.desistir, hace=timedelta(0)), False),
    "anulado": (_con("registrado", recorrido.anular), False),
    "dos partidas iguales": (_con("registrado", partidas=2), False),
    "dos partidas, una con hora": (_con_hora_una_de_dos, True),
}  # fmt: skip


def test_mis_expedientes_dice_de_cada_uno_lo_que_dice_su_pagina(certificado: Any) -> None:
    """The same headline and the same thing to do; and the filter has those of which something is asked, no others."""
    casos = {nombre: hacer().expediente for nombre, (hacer, _pide) in HISTORIAS.items()}
    correo = crear_importador().correo
    cliente = abrir(todos(correo))
    fichas = {ficha.expediente.numero: ficha for ficha in mis_expedientes.fichas(acceso.casos_de(correo))}
    for nombre, caso in casos.items():
        de_uno = abrir(Enlace.objects.get(referencia=caso.referencia))
        pagina = de_uno.get(reverse("seguimiento_caso", args=[caso.numero])).content.decode()
        ficha = fichas[caso.numero]
        assert ficha.situacion == re.search(r"<h1>(.*?)</h1>", pagina).group(1), nombre  # type: ignore[union-attr]
        assert re.findall(r"<strong>(.*?)</strong>", pagina).count(ficha.que_hacer) >= 1, (nombre, ficha.que_hacer)
        assert ficha.pide == HISTORIAS[nombre][1], nombre
    piden = {caso.numero for nombre, caso in casos.items() if HISTORIAS[nombre][1]}
    pagina = cliente.get(reverse("mis_expedientes"), {"situacion": "usted"})
    assert set(re.findall(r'class="numero"[^>]*>([^<]+)<', pagina.content.decode())) == piden
    assert f"{len(piden)} expedientes esperan algo de usted" in texto(pagina)


def test_mis_expedientes_van_por_quien_espera_y_luego_por_la_fecha_que_muestran(certificado: Any) -> None:
    def uno(hasta: str, dias: int, *pasos: Callable[[Caso], None]) -> str:
        return _con(hasta, *pasos, hace=timedelta(days=dias))().expediente.numero

    abierto_nuevo, cerrado_nuevo = uno("en_inspeccion", 2), uno("cerrado", 3)
    pide_viejo, pide_nuevo = uno("programado", 9), uno("programado", 1)
    cerrado_viejo, abierto_viejo = uno("cerrado", 20), uno("en_inspeccion", 30)
    pagina = abrir(todos(crear_importador().correo)).get(reverse("mis_expedientes"))
    assert re.findall(r'class="numero"[^>]*>([^<]+)<', pagina.content.decode()) == [
        pide_nuevo, pide_viejo, abierto_nuevo, abierto_viejo, cerrado_nuevo, cerrado_viejo
    ]  # fmt: skip
    assert "después los que siguen en trámite y al final los terminados" in texto(pagina)


def _tablas() -> dict[str, str]:
    """A digest of every row of every table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        sumas = {}
        for (tabla,) in cursor.fetchall():
            cursor.execute(
                f"SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM \"{tabla}\" t"
            )  # noqa: S608
            sumas[tabla] = cursor.fetchone()[0]
    return sumas


def test_diez_aperturas_de_un_robot_no_cambian_ninguna_fila() -> None:
    caso = crear_caso("en_laboratorio").expediente
    de_todos = todos(caso.importador.correo)
    de_un_caso = Enlace.objects.get(referencia=caso.referencia)
    antes = _tablas()
    assert len(antes) > 40
    robot = {"user-agent": "Mozilla/5.0 (compatible; SafeLinks)"}
    for enlace in (de_un_caso, de_todos):
        for _vez in range(5):
            for metodo in ("get", "head"):
                cliente = Client(headers=robot)
                primera = getattr(cliente, metodo)(reverse("seguimiento", args=[enlaces.token(enlace)]))
                assert primera.status_code == 302
                assert getattr(cliente, metodo)(primera["Location"]).status_code == 200
    assert _tablas() == antes


def test_ningun_secreto_queda_en_tablas_registros_ni_mensajes(
    client: Client, caplog: Any, monkeypatch: Any, servidor_smtp: Buzon
) -> None:
    """Asked for, sent, opened, renewed: the tokens are in the mails and nowhere else."""
    mensajes: list[Any] = []
    monkeypatch.setattr(timbre, "tocar", lambda tarea: mensajes.append((tarea.name, getattr(tarea, "request", None))))
    caso = crear_caso().expediente
    formato = registro.formato(en_json=True)
    logging.getLogger("mail.log").propagate = False  # the test's own server tells the mails
    for quien in ("senasa", "notificaciones", "expedientes"):
        caplog.set_level(logging.DEBUG, quien)
    with caplog.at_level(logging.INFO):
        de_todos = todos(caso.importador.correo)
        client.post(reverse("enlace_pedir"), {"numero": caso.numero, "documento": caso.importador.numero_documento})
        acceso.atender()
        uno = Enlace.objects.get(referencia=caso.referencia)
        for enlace in (uno, de_todos):
            token = enlaces.token(enlace)
            url = client.get(reverse("seguimiento", args=[token]))["Location"]
            client.get(url)
            client.post(reverse("enlace_renovar"), {"token": token})
            client.get(reverse("seguimiento", args=[f"{token}x"]))
        despachar()
    secretos = [enlaces.token(enlace).partition("-")[2] for enlace in (uno, de_todos)]
    enviados = "".join(str(mensaje) for mensaje in servidor_smtp.mensajes).replace("=\n", "")
    assert all(secreto in enviados for secreto in secretos)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (tabla,) in cursor.fetchall():
            for secreto in secretos:
                cursor.execute(f'SELECT 1 FROM "{tabla}" t WHERE strpos(t::text, %s) > 0 LIMIT 1', [secreto])  # noqa: S608
                assert cursor.fetchone() is None, tabla
    lineas = "".join(formato.format(linea) for linea in caplog.records)
    assert "petición" in lineas
    assert not any(secreto in lineas or secreto in str(mensajes) for secreto in secretos)
    assert caso.importador.correo not in lineas


def test_las_columnas_del_archivo_son_las_de_la_pagina() -> None:
    caso = crear_caso().expediente
    (ficha,) = mis_expedientes.fichas(acceso.casos_de(caso.importador.correo))
    assert len(ficha.fila()) == len(mis_expedientes.columnas())

"""URLs × roles × methods. A URL without a row here fails; the rows come from issue and domain, not from code.

Of a row: who may open the page (GET), who may act on it (POST), and its arguments. Whoever may not gets 403, or 404
when even the object is none of theirs. An act whose moment has passed answers 409 to whoever may do it.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from dashboard.services import guardar_vista
from expedientes import asignacion, borradores
from expedientes.archivos import del_certificado
from expedientes.models import Expediente, Motivo, Partida
from expedientes.services import guardar_adjunto
from gestion.services import tomar_accion
from indicadores import mensuales
from indicadores.models import AlertaDeReversiones, InformeMensual
from laboratorio import contramuestras, preguntas, rotulos
from laboratorio.demo import CLAVE
from laboratorio.hojas import abrir_hoja
from laboratorio.models import Analisis, Muestra
from laboratorio.services import guardar_contramuestra, guardar_evidencia
from laboratorio.suplencias import nombrar
from notificaciones import enlaces, preferencias
from notificaciones.models import AvisoInterno, Notificacion
from notificaciones.services import enlace_para
from senasa import reloj
from tests.builders import crear_caso, crear_importador, otro_inspector

pytestmark = pytest.mark.django_db

PERSONAL = {
    "mesa", "inspector", "jefe", "recepcion", "analista", "verificador", "director", "direccion", "atencion", "admin",
}  # fmt: skip
VEN_CASOS = PERSONAL - {"recepcion", "analista", "verificador"}
LABORATORIO = {"recepcion", "analista", "verificador", "director"}
MESA_DE_ENSAYOS = LABORATORIO - {"director"}
PREGUNTAN = LABORATORIO | {"inspector", "jefe"}
VEN_DESPACHOS = PERSONAL - {"mesa"}
ATIENDEN = {"mesa", "inspector", "jefe", "atencion"}
PUBLICA = PERSONAL | {"anonimo"}
DIRIGEN = {"director", "direccion"}
NADIE: set[str] = set()


@dataclass
class Fila:
    get: set[str]
    post: set[str] = field(default_factory=set)
    args: str = ""
    consulta: str = ""  # what the address asks for besides, by its name in the world


ACTO = Fila({"inspector"}, {"inspector"}, "linea")
MATRIZ = {
    "livez": Fila(PUBLICA),
    "readyz": Fila(PUBLICA),
    "metrics": Fila(PUBLICA),  # with its key alone: tests/dashboard/test_metricas.py
    "operacion": Fila({"admin", "direccion"}),
    "pronosticos": Fila({"admin", "direccion"}),
    "set_language": Fila(NADIE, PUBLICA),
    "inicio": Fila(PERSONAL),
    "tablero": Fila(VEN_CASOS),
    "tablero_csv": Fila(VEN_CASOS),
    "tablero_xlsx": Fila(VEN_CASOS),
    "dictaminar_varios": Fila({"inspector"}, {"inspector"}),
    "reunion": Fila({"inspector", "jefe", "direccion", "admin"}),
    "vista_guardar": Fila(VEN_CASOS, VEN_CASOS),
    # Another's, which nobody else may touch; one's own: tests/dashboard/test_jornada.py.
    "vista_borrar": Fila(NADIE, NADIE, "vista"),
    "vista_preferir": Fila(NADIE, NADIE, "vista"),
    "equipo": Fila({"jefe"}),
    "casos_asignar": Fila(NADIE, {"jefe"}),
    "casos_pasar": Fila({"jefe"}, {"jefe"}),
    "ausencia_nueva": Fila({"jefe"}, {"jefe"}),
    "ausencia_terminar": Fila({"jefe"}, {"jefe"}, "ausencia"),
    "programa": Fila({"direccion", "director", "jefe", "admin"}),
    "programa_casos": Fila({"direccion", "director", "jefe", "admin"}, args="lista", consulta="periodo"),
    "tiempos": Fila({"direccion", "director", "jefe", "admin"}),
    "linea_base": Fila({"direccion", "director", "jefe", "admin"}),
    "linea_base_fijar": Fila({"direccion"}, {"direccion"}),
    "linea_base_importar": Fila({"direccion"}, {"direccion"}),
    "linea_base_plantilla": Fila({"direccion"}),
    "mensuales": Fila({"direccion", "director", "admin"}),
    "mensual": Fila({"direccion", "director", "admin"}, args="mes"),
    "mensual_pdf": Fila({"direccion", "director", "admin"}, args="mes"),
    "mensual_hacer": Fila({"direccion"}, {"direccion"}),
    "buscar": Fila(PERSONAL),
    "expediente": Fila(VEN_CASOS, args="caso"),
    # Everybody's own notices; somebody else's are not there: tests/gestion/test_campana.py.
    "mis_avisos": Fila(PERSONAL),
    "campana": Fila(PUBLICA),  # who is nobody is told nothing
    "mis_avisos_leer": Fila(NADIE, PERSONAL),
    "aviso_interno_leer": Fila(NADIE, {"inspector"}, "aviso_interno"),
    # Who answers for it; of a case on time a 409 to whoever could: tests/gestion/test_atrasos.py.
    "atrasos": Fila({"jefe", "director", "direccion"}),
    "coordinacion": Fila({"jefe", "director", "direccion"}),
    "stock_antiguo": Fila({"jefe", "director", "direccion"}),
    "stock_casos": Fila({"jefe", "director", "direccion"}, consulta="dia"),
    "tomar_accion": Fila({"jefe", "director"}, {"jefe", "director"}, "atraso"),
    "cerrar_accion": Fila({"jefe", "inspector"}, {"jefe", "inspector"}, "accion"),
    "atencion": Fila(ATIENDEN),
    "avisos": Fila(VEN_CASOS),
    "aviso": Fila(VEN_CASOS, args="aviso"),
    "informados": Fila({"direccion", "admin"}),
    "aviso_reenviar": Fila(NADIE, ATIENDEN, "aviso"),
    "atencion_corregir_correo": Fila(ATIENDEN, ATIENDEN, "caso"),
    "atencion_reenviar": Fila(NADIE, ATIENDEN, "caso"),
    "expediente_exportar": Fila({"jefe", "direccion", "admin"}, {"jefe", "direccion", "admin"}, "caso"),
    "expediente_nuevo": Fila({"mesa"}, {"mesa"}),
    "ephyto_leer": Fila({"mesa"}, {"mesa"}),
    "partida_programar": ACTO,
    "partida_no_presentada": ACTO,
    "partida_inspeccionar": ACTO,
    "partida_tomar_muestra": ACTO,
    "partida_enviar": ACTO,
    "partida_dictaminar": ACTO,
    "partida_dictaminar_sin_muestra": ACTO,
    "partida_ordenar_medida": ACTO,
    "partida_cumplir_medida": ACTO,
    "expediente_cerrar": Fila({"inspector"}, {"inspector"}, "caso"),
    "expediente_observar": Fila({"inspector"}, {"inspector"}, "caso"),
    "expediente_responder": Fila({"mesa"}, {"mesa"}, "caso"),
    "expediente_abandonar": Fila({"jefe"}, {"jefe"}, "caso"),
    "expediente_desistir": Fila({"jefe"}, {"jefe"}, "caso"),
    "expediente_anular": Fila({"jefe"}, {"jefe"}, "caso"),
    "expediente_reabrir": Fila({"jefe"}, {"jefe"}, "caso"),
    "expediente_trasladar": Fila({"jefe"}, {"jefe"}, "caso"),
    # Until it is offered a 409, and then the other post's: tests/expedientes/test_incidencias.py.
    "expediente_aceptar_traslado": Fila({"jefe"}, {"jefe"}, "caso"),
    "expediente_rechazar_traslado": Fila({"jefe"}, {"jefe"}, "caso"),
    "expediente_asignar": Fila({"jefe"}, {"jefe"}, "caso"),
    "expediente_tomar": Fila({"inspector"}, {"inspector"}, "caso"),
    "expediente_pasar": Fila({"inspector", "jefe"}, {"inspector", "jefe"}, "caso"),
    "expediente_cambiar_agente": Fila({"mesa"}, {"mesa"}, "caso"),
    "posentrada": Fila({"inspector", "jefe", "direccion"}),
    "adjunto": Fila(VEN_CASOS, args="adjunto"),
    "documento": Fila(VEN_CASOS, args="documento"),
    "recepcion": Fila({"recepcion"}),
    "asignar_varios": Fila(NADIE, {"recepcion"}),
    "muestra": Fila(PERSONAL, args="muestra"),
    "muestra_recibir": Fila({"recepcion"}, {"recepcion"}, "muestra"),
    "muestra_rechazar": Fila({"recepcion"}, {"recepcion"}, "muestra"),
    "muestra_perder": Fila({"recepcion"}, {"recepcion"}, "muestra"),
    "muestra_guardar_contramuestra": Fila({"recepcion"}, {"recepcion"}, "muestra"),
    "muestra_eliminar": Fila({"recepcion"}, {"recepcion"}, "muestra"),
    "muestra_revertir_recepcion": Fila(MESA_DE_ENSAYOS, MESA_DE_ENSAYOS, "muestra"),
    "muestra_revertir_analisis": Fila(MESA_DE_ENSAYOS, MESA_DE_ENSAYOS, "muestra"),
    "muestra_revertir_contramuestra": Fila(MESA_DE_ENSAYOS, MESA_DE_ENSAYOS, "muestra"),
    "analisis_revertir_inicio": Fila(MESA_DE_ENSAYOS, MESA_DE_ENSAYOS, "analisis"),
    "analisis_revertir_asignacion": Fila(MESA_DE_ENSAYOS, MESA_DE_ENSAYOS, "analisis"),
    "reversiones": Fila(LABORATORIO),
    "reversiones_estadistica": Fila(DIRIGEN),
    "reversiones_detras": Fila(DIRIGEN),
    "reversiones_informes": Fila(DIRIGEN, consulta="firma"),
    "reversiones_alertas": Fila(DIRIGEN),
    "reversiones_alerta_ver": Fila(NADIE, DIRIGEN, "alerta"),
    "reversiones_mias": Fila({"analista"}),
    "reversiones_por_analista": Fila({"director"}),
    "reversiones_de_analista": Fila({"director"}, args="analista"),
    "motivos": Fila({"director"}, {"director"}),
    "motivo_retirar": Fila(NADIE, {"director"}, "motivo"),
    "motivo_reponer": Fila(NADIE, {"director"}, "motivo"),
    "informe_enmendar": Fila({"director"}, {"director"}, "informe"),
    "informe_enmendar_resultado": Fila({"director"}, {"director"}, "informe"),
    "informe_retirar_enmienda": Fila({"director"}, {"director"}, "informe"),
    "informe_anular": Fila({"director"}, {"director"}, "informe"),
    "muestra_pedir_dirimencia": Fila({"director"}, {"director"}, "muestra"),
    "muestra_levantar_dirimencia": Fila({"director"}, {"director"}, "muestra"),
    "muestra_anular": Fila({"inspector"}, {"inspector"}, "muestra"),
    "contramuestras": Fila({"recepcion", "director"}),
    "contramuestras_eliminar": Fila(NADIE, {"recepcion"}),
    "acta_de_eliminacion": Fila({"recepcion", "director"}, args="acta"),
    # The way from the quay; a label that is bound already: tests/laboratorio/test_rotulos.py.
    "muelle": Fila({"inspector", "jefe"}),
    "rotulos_en_blanco": Fila(NADIE, {"inspector", "jefe"}),
    "tanda_de_rotulos": Fila({"inspector", "jefe"}, args="tanda"),
    "rotulos_de_muestras": Fila(PERSONAL, args=""),
    "rotulo": Fila({"inspector"}, {"inspector"}, "rotulo"),
    "despachos": Fila({"recepcion", "director"}),
    "despacho": Fila(VEN_DESPACHOS, {"recepcion"}, "despacho"),
    "despacho_pdf": Fila(VEN_DESPACHOS, args="despacho"),
    "recepcion_rapida": Fila({"recepcion"}, {"recepcion"}),
    "preguntas": Fila(PREGUNTAN),
    "muestra_preguntar": Fila(PREGUNTAN, PREGUNTAN, "muestra"),
    "pregunta_contestar": Fila(LABORATORIO, LABORATORIO, "pregunta"),
    # A photo of the sample; what lies behind a result: tests/laboratorio/test_evidencias.py.
    "evidencia": Fila(PERSONAL, args="evidencia"),
    "analisis_bandeja": Fila({"analista"}),
    "analisis_asignar": Fila(NADIE, {"analista"}, "analisis"),
    "analisis_iniciar": Fila(NADIE, {"analista"}, "analisis"),
    "analisis_registrar": Fila({"analista"}, {"analista"}, "analisis"),
    "analisis_revertir": Fila({"analista", "verificador"}, {"analista", "verificador"}, "analisis"),
    "analisis_repetir": Fila({"analista"}, {"analista"}, "analisis"),
    "analisis_adjuntar": Fila({"analista"}, {"analista"}, "analisis"),
    "hojas": Fila({"analista", "verificador", "director"}),
    "hoja_nueva": Fila({"analista"}, {"analista"}, consulta="metodo"),
    "hoja": Fila({"analista", "verificador", "director"}, {"analista"}, "hoja"),
    "hoja_unirse": Fila(NADIE, {"analista"}, "hoja"),
    "hoja_cerrar": Fila(NADIE, {"analista"}, "hoja"),
    "hoja_controles": Fila(NADIE, {"analista"}, "hoja"),
    "hoja_revertir": Fila({"analista"}, {"analista"}, "hoja"),
    "laboratorio": Fila(LABORATORIO),
    "pasar_varios": Fila(NADIE, {"recepcion", "analista", "director"}),
    "analisis_cancelar": Fila({"director"}, {"director"}, "analisis"),
    "analisis_verificar": Fila(NADIE, {"verificador"}, "analisis"),
    "verificacion": Fila({"verificador"}),
    "verificar_varios": Fila(NADIE, {"verificador"}),
    "firmas": Fila({"director"}),
    "informe": Fila(LABORATORIO, args="informe"),
    "informe_firmar": Fila({"director"}, {"director"}, "informe"),
    "informe_devolver": Fila({"director"}, {"director"}, "informe"),
    "informe_parcial": Fila({"director"}, {"director"}, "informe"),
    "informe_retener": Fila(NADIE, {"analista", "verificador"}, "informe"),
    "informe_firmar_fuera": Fila({"director"}, {"director"}, "informe"),
    "informe_para_firmar": Fila({"director"}, args="informe"),
    "informe_subir": Fila({"director"}, {"director"}, "informe"),
    "informe_dejar_fuera": Fila(NADIE, {"director"}, "informe"),
    "firmar_varios": Fila({"director"}, {"director"}),
    "certificado": Fila(LABORATORIO),
    "certificado_poner": Fila(LABORATORIO, LABORATORIO),
    "certificado_retirar": Fila(LABORATORIO, LABORATORIO),
    "suplencias": Fila({"director", "admin"}),
    "suplencia_nueva": Fila({"director", "admin"}, {"director", "admin"}),
    "suplencia_terminar": Fila({"director", "admin"}, {"director", "admin"}, "suplencia"),
    "reglas": Fila(LABORATORIO | {"direccion", "admin"}),
    "regla": Fila(LABORATORIO | {"direccion", "admin"}, args="regla"),
    "regla_nueva": Fila({"director"}, {"director"}),
    "regla_reproducir": Fila(NADIE, {"director"}, "regla"),
    "regla_encender": Fila({"director"}, {"director"}, "regla"),
    "regla_apagar": Fila({"director"}, {"director"}),
    "regla_publica": Fila(PUBLICA, args="regla"),
    "textos": Fila({"direccion", "admin"}),
    "texto": Fila({"direccion", "admin"}, args="texto"),
    "texto_vista": Fila({"direccion", "admin"}, args="texto"),
    "texto_nuevo": Fila({"direccion", "admin"}, {"direccion", "admin"}, "texto"),
    "texto_poner": Fila({"direccion", "admin"}, {"direccion", "admin"}, "texto_y_version"),
    "aviso_apagar": Fila({"direccion", "admin"}, {"direccion", "admin"}, "aviso_con_texto"),
    "aviso_encender": Fila({"direccion", "admin"}, {"direccion", "admin"}, "aviso_con_texto"),
    "preferencias": Fila(PUBLICA, PUBLICA, "preferencias"),
    "preferencias_baja": Fila(PUBLICA, PUBLICA, "preferencias"),
    "verificar": Fila(PUBLICA, PUBLICA),
    "verificar_cvd": Fila(PUBLICA, args="documento"),
    "seguimiento": Fila(PUBLICA, args="token"),
    "seguimiento_caso": Fila(PUBLICA, args="caso"),
    "seguimiento_documento": Fila(PUBLICA, args="caso_y_documento"),
    "seguimiento_todos": Fila(PUBLICA, PUBLICA, "caso"),
    # What each opens and sends: tests/expedientes/test_acceso.py.
    "enlace_pedir": Fila(PUBLICA, PUBLICA),
    "enlace_pedido": Fila(PUBLICA),
    "enlace_renovar": Fila(NADIE, PUBLICA),
    "autoservicio": Fila(PUBLICA, PUBLICA),
    "autoservicio_listo": Fila(PUBLICA),
    "mis_expedientes": Fila(PUBLICA),
    "mis_expedientes_pedir": Fila(PUBLICA, PUBLICA),
    "mis_expedientes_exportar": Fila(PUBLICA),
    "mis_expedientes_caso": Fila(PUBLICA, args="caso"),
    "mis_expedientes_cerrar": Fila(NADIE, PUBLICA),
    "seguimiento_responder": Fila(PUBLICA, PUBLICA, "caso"),
    "seguimiento_agregar": Fila(PUBLICA, PUBLICA, "caso"),
    "seguimiento_anular": Fila(PUBLICA, PUBLICA, "caso"),
    "seguimiento_desistir": Fila(PUBLICA, PUBLICA, "caso"),
    "solicitar": Fila(PUBLICA),
    "solicitar_correo": Fila(PUBLICA, PUBLICA),
    "solicitar_codigo": Fila(PUBLICA, PUBLICA),
    "solicitar_mias": Fila(PUBLICA),
    "solicitar_nueva": Fila(NADIE, PUBLICA),
    "solicitar_paso": Fila(PUBLICA, PUBLICA, "borrador_y_paso"),
    "solicitar_partidas": Fila(PUBLICA, args="borrador"),
    "solicitar_partida": Fila(PUBLICA, PUBLICA, "borrador_y_partida"),
    "solicitar_partida_quitar": Fila(NADIE, PUBLICA, "borrador_y_partida"),
    "solicitar_adjuntos": Fila(PUBLICA, PUBLICA, "borrador"),
    "solicitar_adjunto_quitar": Fila(NADIE, PUBLICA, "borrador"),
    "solicitar_revisar": Fila(PUBLICA, PUBLICA, "borrador"),
    "solicitar_presentada": Fila(PUBLICA, args="borrador"),
    "solicitar_guardada": Fila(PUBLICA, args="borrador"),
    "solicitar_borrar": Fila(PUBLICA, PUBLICA, "borrador"),
    "solicitar_csv": Fila(PUBLICA, PUBLICA),
    "solicitar_csv_plantilla": Fila(PUBLICA),
    "solicitar_csv_rechazadas": Fila(PUBLICA),
    "expedientes_csv": Fila({"mesa"}, {"mesa"}),
    "expedientes_csv_rechazadas": Fila({"mesa"}),
}
# Of allauth, the pages we use: what GET answers to whoever has not signed in. Every other role has the same rights
# here; what their forms do is in tests/senasa.
AJENAS = ("account_", "mfa_", "socialaccount_", "openid_connect_")
CUENTAS: dict[str, tuple[int | str, list[Any]]] = {
    "account_login": (200, []),
    "account_logout": ("ingresar", []),
    "account_inactive": (200, []),
    "account_signup": (200, []),
    "account_reauthenticate": ("ingresar", []),
    "account_change_password": ("ingresar", []),
    "account_reset_password": (200, []),
    "account_reset_password_done": (200, []),
    "account_reset_password_from_key": (200, ["1", "nada-nada"]),
    "account_reset_password_from_key_done": (200, []),
    "mfa_index": ("ingresar", []),
    "mfa_authenticate": ("ingresar", []),
    "mfa_reauthenticate": ("ingresar", []),
    "mfa_reauthenticate_webauthn": ("ingresar", []),
    "mfa_activate_totp": ("ingresar", []),
    "mfa_deactivate_totp": ("ingresar", []),
    "mfa_view_recovery_codes": ("ingresar", []),
    "mfa_generate_recovery_codes": ("ingresar", []),
    "mfa_download_recovery_codes": ("ingresar", []),
    "mfa_list_webauthn": ("ingresar", []),
    "mfa_add_webauthn": ("ingresar", []),
    "mfa_edit_webauthn": ("ingresar", [1]),
    "mfa_remove_webauthn": ("ingresar", [1]),
    "socialaccount_login_cancelled": (200, []),
    # Without an identity provider there is nothing here (with one: tests/senasa/test_oidc.py).
    "openid_connect_login": (404, ["institucion"]),
    "openid_connect_callback": (404, ["institucion"]),
}
# A page that says «not found» to the public says nothing at all: 404 there is an answer.
CON_404 = ("metrics", "seguimiento_", "mis_expedientes", "solicitar_", "rotulos_de_muestras")


def nombres() -> set[str]:
    return {nombre for nombre in get_resolver().reverse_dict if isinstance(nombre, str)}


def test_every_url_has_a_row():
    propias = {nombre for nombre in nombres() if not nombre.startswith(AJENAS)}
    assert propias == set(MATRIZ)
    assert nombres() - propias == set(CUENTAS)


@pytest.mark.parametrize("nombre", CUENTAS)
def test_pages_of_accounts_open_only_what_needs_no_sign_in(nombre):
    espera, args = CUENTAS[nombre]
    url = reverse(nombre, args=args)
    if espera == "ingresar":
        espera = reverse("account_login")
        assert Client().post(url).url.startswith(espera)
    respuesta = Client().get(url)
    if isinstance(espera, int):
        assert respuesta.status_code == espera
    else:
        assert urlsplit(respuesta.url).path == espera
    for metodo in ("put", "patch", "delete"):
        assert getattr(Client(), metodo)(url).status_code < 500


@pytest.fixture(scope="module")
def mundo(certificado: Any, una_vez: None) -> dict[str, Any]:
    """One case at the bench and one that is closed, with everything a URL may name."""
    abierto = crear_caso("con_resultado")
    analisis = Analisis.objects.get(expediente=abierto.expediente)
    analisis.analista = abierto.personas["analista"]
    analisis.save()
    cerrado = crear_caso("cerrado", importador=crear_importador(1))
    documento = cerrado.expediente.documentos.get(tipo="informe")
    archivo = del_certificado("cert.xml", b"<x/>")
    adjunto = guardar_adjunto(abierto.expediente, archivo, None)
    evidencia = guardar_evidencia(archivo=archivo, muestra=analisis.muestra, actor=abierto.personas["recepcion"])
    puesto, inspector = abierto.expediente.puesto, abierto.inspector
    tanda = rotulos.imprimir_en_blanco(puesto=puesto, actor=inspector, cuantos=1)
    pregunta = preguntas.preguntar(
        muestra=analisis.muestra, actor=inspector, texto="¿Llegó fría?", vence_en=reloj.ahora() + timedelta(days=1)
    )
    with reloj.fijado(reloj.ahora() - timedelta(days=2)):
        guardada = Muestra.objects.get(expediente=cerrado.expediente)
        hoy = timezone.localdate(reloj.ahora())
        guardar_contramuestra(muestra=guardada, actor=abierto.personas["recepcion"], lugar="Cámara 2", hasta=hoy)
    acta = contramuestras.eliminar_varias(
        muestras=[guardada], actor=abierto.personas["recepcion"], testigo="Otro", metodo="autoclave"
    )
    en_hoja = crear_caso("recibido", importador=crear_importador(1))
    hoja = abrir_hoja(metodo=analisis.metodo, analisis=en_hoja.analisis, actor=abierto.personas["analista"]).hoja
    enlace = enlace_para(referencia=abierto.expediente.referencia, correo="a@example.com")
    borrador = borradores.crear("a@example.com")
    hoy = timezone.localdate()
    suplencia = nombrar(
        titular=abierto.personas["director"], suplente=abierto.personas["verificador"], causa="Vacaciones.",
        desde=hoy + timedelta(days=30), hasta=hoy + timedelta(days=40), actor=abierto.personas["director"],
    )  # fmt: skip
    colega = otro_inspector()
    vista = guardar_vista(dueno=colega, nombre="Suya", consulta="cargo=mios")
    ausencia = asignacion.anotar_ausencia(
        ausente=colega, cubre=inspector, desde=hoy, hasta=hoy, causa="Médico.", actor=abierto.personas["jefe"]
    )
    tarde = timezone.now() - timedelta(days=1)
    for caso in (abierto, en_hoja):  # both in the laboratory, past their time there
        Partida.objects.filter(expediente=caso.expediente).update(vence_en=tarde)
        Expediente.objects.filter(pk=caso.expediente.pk).update(vence_en=tarde)
    accion = tomar_accion(
        expediente=en_hoja.expediente, tipo="plazo", objeto_id=en_hoja.partidas[0].pk, actor=abierto.personas["jefe"],
        que_hara="Llamar al laboratorio.", responsable=inspector, para_el=timezone.localdate(),
    )  # fmt: skip
    alerta = AlertaDeReversiones.objects.create(
        cada="mes", periodo=hoy.replace(day=1), reversiones=9, muestras=20, centro=10, limite_inferior=0,
        limite_superior=30, hallada_en=timezone.now(),
    )  # fmt: skip
    mes = mensuales.ultimo_mes()
    mensual = InformeMensual.objects.create(mes=mes, cifras=mensuales.congelar(mes), hecho_en=reloj.ahora())
    mensuales.firmar_informe(informe_id=mensual.pk)
    return {
        "": [],
        "caso": [abierto.expediente.numero],
        "aviso": [Notificacion.objects.filter(referencia=abierto.expediente.referencia).earliest("pk").pk],
        "linea": [abierto.expediente.numero, 1],
        "adjunto": [abierto.expediente.numero, adjunto.pk],
        "documento": [documento.cvd],
        "muestra": [analisis.muestra.numero],
        "evidencia": [evidencia.pk],
        "motivo": [Motivo.objects.get(accion="revertir", codigo="contaminacion").pk],
        "alerta": [alerta.pk],
        "analista": [abierto.personas["analista"].pk],
        "firma": {"firma": "automatica"},
        "acta": [acta.numero],
        "tanda": [tanda.pk],
        "rotulo": [tanda.rotulos.get().codigo],
        "despacho": [analisis.solicitud.despacho.numero],
        "atraso": ["plazo", abierto.partidas[0].pk],
        "accion": [accion.pk],
        "dia": {"dia": timezone.localdate().isoformat(), "mas_de": "15"},
        "aviso_interno": [AvisoInterno.objects.filter(usuario=inspector)[0].pk],
        "pregunta": [pregunta.pk],
        "analisis": [analisis.pk],
        "informe": [analisis.solicitud.informe.numero],
        "hoja": [hoja.numero],
        "metodo": {"metodo": analisis.metodo.codigo},
        "token": [enlaces.token(enlace)],
        "borrador": [borrador.envio],
        "borrador_y_paso": [borrador.envio, "quien"],
        "borrador_y_partida": [borrador.envio, 1],
        "caso_y_documento": [cerrado.expediente.numero, documento.cvd],
        "suplencia": [suplencia.pk],
        "vista": [vista.pk],
        "ausencia": [ausencia.pk],
        "regla": [1],
        "lista": ["ciclo"],
        "periodo": {"desde": "2026-01-01", "hasta": "2026-12-31"},
        "texto": ["informe_emitido", "importador"],
        "texto_y_version": ["informe_emitido", "importador", 0],
        "aviso_con_texto": ["cerrado"],
        "preferencias": [preferencias.token(preferencias.de("a@example.com"))],
        "mes": [mes.year, mes.month],
    }


def cliente(quien: str) -> Client:
    navegador = Client(raise_request_exception=False)
    if quien != "anonimo":  # by the door, since deciding asks how long ago that was
        navegador.post(reverse("account_login"), {"login": quien, "password": CLAVE})
    return navegador


def eventos_y_casos() -> tuple[int, int]:
    """How many entries the log has, and how many cases there are: one question, since it is asked after every call."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM expedientes_evento), (SELECT count(*) FROM expedientes_expediente)"
        )
        return cursor.fetchone()


@pytest.mark.parametrize("quien", sorted(PUBLICA))
def test_every_url_every_method(mundo, memoria, quien):
    navegador = cliente(quien)
    errores = []
    antes = eventos_y_casos()
    for nombre, fila in MATRIZ.items():
        url = reverse(nombre, args=mundo[fila.args], query=mundo.get(fila.consulta))
        publica = "anonimo" in fila.get | fila.post
        for metodos in (("get",), ("post",), ("put", "patch", "delete")):
            quienes = {"get": fila.get, "post": fila.post}.get(metodos[0], NADIE)
            estados = {getattr(navegador, metodo)(url).status_code for metodo in metodos}
            ahora = eventos_y_casos()
            cambio, antes = ahora != antes, ahora
            if quien == "anonimo" and not publica:
                bien = estados == {302}
            elif quien in quienes:
                bien = estados <= {200, 204, 302, 409, 422} or (estados == {404} and nombre.startswith(CON_404))
            else:
                bien = estados <= {403, 404, 405}
            if not bien or (cambio and (metodos != ("post",) or quien not in quienes)):
                errores.append((nombre, metodos, estados, "cambió" if cambio else ""))
    assert not errores, "\n".join(map(str, errores))


def test_the_other_posts_inspector_sees_nothing(mundo):
    navegador = cliente("inspector.aereo")
    for nombre in ("expediente", "partida_inspeccionar", "partida_enviar", "expediente_cerrar", "adjunto", "documento",
                   "muestra", "aviso"):  # fmt: skip
        assert navegador.get(reverse(nombre, args=mundo[MATRIZ[nombre].args])).status_code == 404, nombre
    assert mundo["caso"][0] not in navegador.get(reverse("tablero")).content.decode()
    assert mundo["caso"][0] not in navegador.get(reverse("buscar"), {"q": mundo["caso"][0]}).content.decode().replace(
        f'value="{mundo["caso"][0]}"', ""
    ).replace(f"«{mundo['caso'][0]}»", "")


def test_importer_a_never_sees_importer_b(mundo):
    """A's link opens A's case alone, whatever else A asks for with its cookie."""
    navegador = cliente("anonimo")
    pagina = navegador.get(reverse("seguimiento", args=mundo["token"]), follow=True)
    assert mundo["caso"][0] in pagina.content.decode()
    ajeno, cvd = mundo["caso_y_documento"]
    for url in (
        reverse("seguimiento_caso", args=[ajeno]),
        reverse("seguimiento_documento", args=[ajeno, cvd]),
        reverse("seguimiento_documento", args=[mundo["caso"][0], cvd]),
    ):
        respuesta = navegador.get(url)
        assert respuesta.status_code == 404, url
        assert crear_importador(1).nombre not in respuesta.content.decode()

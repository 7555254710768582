"""What every staff page shows: the menu of the role, with what waits in each queue."""

from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from expedientes import bitacora, entregas
from gestion import campana
from indicadores import alertas
from laboratorio import preguntas
from laboratorio.models import Analisis, EstadoAnalisis, EstadoInforme, EstadoMuestra, Informe, Muestra
from senasa import reloj, vivo
from senasa.models import ROLES_DE_LABORATORIO, ROLES_DE_PUESTO, Rol, Usuario

from . import queries

# Where each role begins its day; of several roles, the first.
INICIO = {
    Rol.INSPECTOR: "tablero",
    Rol.JEFE_DE_PUESTO: "tablero",
    Rol.RECEPCION: "recepcion",
    Rol.ANALISTA: "analisis_bandeja",
    Rol.VERIFICADOR: "verificacion",
    Rol.DIRECTOR: "firmas",
    Rol.MESA_DE_PARTES: "tablero",
    Rol.ATENCION: "atencion",
    Rol.DIRECCION: "tablero",
    Rol.ADMINISTRADOR: "tablero",
}
# Menu entries: text, URL name, who sees it, and what to count beside it.
ENTRADAS = (
    ("Tablero", "tablero", set(queries.VEN_CASOS), "vencidos"),
    ("Muelle", "muelle", {Rol.INSPECTOR, Rol.JEFE_DE_PUESTO}, "sin_llegar"),
    ("Atrasos", "atrasos", {Rol.JEFE_DE_PUESTO, Rol.DIRECTOR, Rol.DIRECCION}, ""),
    ("Posentrada", "posentrada", {Rol.INSPECTOR, Rol.JEFE_DE_PUESTO}, "posentrada"),
    ("Nueva solicitud", "expediente_nuevo", {Rol.MESA_DE_PARTES}, ""),
    ("Muchas solicitudes", "expedientes_csv", {Rol.MESA_DE_PARTES}, ""),
    ("Atención", "atencion", {Rol.ATENCION, Rol.MESA_DE_PARTES}, ""),
    ("Avisos", "avisos", {Rol.ATENCION, Rol.MESA_DE_PARTES, Rol.JEFE_DE_PUESTO, Rol.DIRECCION}, "avisos_perdidos"),
    ("Recepción", "recepcion", {Rol.RECEPCION}, "por_recibir"),
    ("Manifiestos", "despachos", {Rol.RECEPCION}, "sin_llegar"),
    ("Contramuestras", "contramuestras", {Rol.RECEPCION}, ""),
    ("Análisis", "analisis_bandeja", {Rol.ANALISTA}, "por_analizar"),
    ("Hojas", "hojas", {Rol.ANALISTA}, ""),
    ("Verificación", "verificacion", {Rol.VERIFICADOR}, "por_verificar"),
    ("Firmas", "firmas", {Rol.DIRECTOR}, "por_firmar"),
    ("Laboratorio", "laboratorio", {Rol.RECEPCION, Rol.DIRECTOR}, ""),
    ("Reversiones", "reversiones", ROLES_DE_LABORATORIO - {Rol.DIRECTOR}, ""),
    ("Reversiones", "reversiones_estadistica", {Rol.DIRECCION, Rol.DIRECTOR}, "alertas_de_reversiones"),
    ("Preguntas", "preguntas", ROLES_DE_PUESTO | ROLES_DE_LABORATORIO, "por_contestar"),
    ("Programa", "programa", {Rol.DIRECCION, Rol.DIRECTOR, Rol.JEFE_DE_PUESTO}, ""),
    ("Textos", "textos", {Rol.DIRECCION, Rol.ADMINISTRADOR}, ""),
    ("Operación", "operacion", {Rol.ADMINISTRADOR}, ""),
    ("Administración", "admin:index", {Rol.ADMINISTRADOR}, ""),
)
# What waits there goes without any entry in the log: counted each time.
SIN_BITACORA = {"alertas_de_reversiones", "avisos_perdidos"}


def menu(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Menu and bell are built when a template asks for it, never for a redirect or a download."""
    return {
        "menu": partial(_menu, request),
        "campana": partial(_campana, request),
        "campana_segundos": settings.CAMPANA_SEGUNDOS,
        "MODO": settings.MODO,
    }


def _campana(request: HttpRequest) -> vivo.Pieza | None:
    usuario = getattr(request, "user", None)
    return campana.pieza(usuario) if isinstance(usuario, Usuario) else None


def _menu(request: HttpRequest) -> list[dict[str, Any]]:
    """The entries, once for a request: a live page has them in its piece too."""
    if not hasattr(request, "menu_hecho"):
        request.menu_hecho = _entradas(request)  # type: ignore[attr-defined]
    hecho: list[dict[str, Any]] = request.menu_hecho  # type: ignore[attr-defined]
    return hecho


def _entradas(request: HttpRequest) -> list[dict[str, Any]]:
    usuario = getattr(request, "user", None)
    if not isinstance(usuario, Usuario):
        return []
    suyas = [
        (texto, nombre, cuenta)
        for texto, nombre, roles, cuenta in ENTRADAS
        if usuario.tiene(*roles) and (nombre != "admin:index" or usuario.is_staff)
    ]
    cuentas = _contadas(usuario, {cuenta for _texto, _nombre, cuenta in suyas if cuenta})
    entradas: list[dict[str, Any]] = [
        {"texto": texto, "url": reverse(nombre), "activo": "", "cuenta": cuentas.get(cuenta, 0)}
        for texto, nombre, cuenta in suyas
    ]
    # A page that has no entry of its own stands under the one whose address its own begins with.
    sobre = [una for una in entradas if request.path.startswith(str(una["url"]))]
    if sobre:
        cual = max(sobre, key=lambda una: len(str(una["url"])))
        cual["activo"] = "page" if cual["url"] == request.path else "true"
    return entradas


def _contadas(usuario: Usuario, cuales: set[str]) -> dict[str, int]:
    """What waits in each queue: counted again when there was an act, or after a minute."""
    del_caso = sorted(cuales - SIN_BITACORA)
    contadas = {que: _contar(que, usuario) for que in cuales & SIN_BITACORA}
    if del_caso:
        clave = ("menu", usuario.pk, del_caso, bitacora.marca())
        contadas |= vivo.recordar(clave, lambda: {que: _contar(que, usuario) for que in del_caso})
    return contadas


def _contar(que: str, usuario: Usuario) -> int:
    """How many wait; each a short walk of a partial index."""
    match que:
        case "vencidos":
            return queries.abiertos(usuario).filter(vence_en__lt=reloj.ahora()).count()
        case "avisos_perdidos":
            return entregas.recientes(entregas.por_reparar(entregas.visibles_para(usuario))).count()
        case "posentrada":
            return queries.posentrada_vencida(usuario).count()
        case "sin_llegar":
            suyas = Muestra.objects.filter(estado=EstadoMuestra.ENVIADA, demora_avisada_en__isnull=False)
            return suyas.visibles_para(usuario).count()
        case "por_contestar":
            return preguntas.por_contestar(usuario).count()
        case "alertas_de_reversiones":
            return alertas.por_ver().count()
        case "por_recibir":
            return Muestra.objects.filter(estado=EstadoMuestra.ENVIADA).count()
        case "por_analizar":
            suyos = Analisis.objects.filter(analista=usuario)
            return suyos.filter(estado__in=[EstadoAnalisis.ASIGNADO, EstadoAnalisis.EN_PROCESO]).count()
        case "por_verificar":
            return Analisis.objects.filter(estado=EstadoAnalisis.REGISTRADO).count()
        case "por_firmar":
            estados = [EstadoInforme.POR_FIRMAR, EstadoInforme.FIRMA_FALLIDA]
            return Informe.objects.filter(estado__in=estados).count()
    return 0

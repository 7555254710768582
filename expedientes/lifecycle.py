"""What can happen next, who may do it, and whom it tells: the one table of a case and its lines.

`avanzar` is the only writer of `estado`, here and for the laboratory, which passes its own tables
(`laboratorio/lifecycle.py`). Buttons, permission matrix, the README's diagram and the tests read these
tables. Source of the life cycles: domain.md, section 3.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from senasa import reloj
from senasa.models import ROLES_DE_PUESTO, Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide, Transicion

from . import avisos, bitacora
from .models import ORDEN_DE_PARTIDAS, Estado, Evento, Expediente, Motivo, Partida
from .plazos import vencimiento


class Accion(models.TextChoices):
    REGISTRAR = "registrar"
    PROGRAMAR = "programar"
    INSPECCIONAR = "inspeccionar"
    TOMAR_MUESTRA = "tomar_muestra"
    ENVIAR = "enviar"
    EMITIR = "emitir"
    VOLVER_A_MUESTREAR = "volver_a_muestrear"
    DICTAMINAR = "dictaminar"
    DICTAMINAR_SIN_MUESTRA = "dictaminar_sin_muestra"
    ORDENAR_MEDIDA = "ordenar_medida"
    CUMPLIR_MEDIDA = "cumplir_medida"
    REINSPECCIONAR = "reinspeccionar"
    CERRAR = "cerrar"


E, A = Estado, Accion

EXPEDIENTE: Mapping[str, Transicion] = {
    A.REGISTRAR: Transicion(de={E.NUEVO}, a=E.REGISTRADO, rol={Rol.MESA_DE_PARTES}, avisa="registrada",
                            verbo=_("Registrar solicitud"), hecho=_("Solicitud registrada")),
    A.CERRAR: Transicion(de={E.DICTAMINADO}, a=E.CERRADO, rol={Rol.INSPECTOR, Rol.SISTEMA}, avisa="cerrado",
                         verbo=_("Cerrar expediente"), hecho=_("Expediente cerrado")),
}  # fmt: skip

PARTIDA: Mapping[str, Transicion] = {
    A.PROGRAMAR: Transicion(de={E.REGISTRADO}, a=None, rol={Rol.INSPECTOR}, avisa="programada",
                            verbo=_("Programar inspección"), hecho=_("Inspección programada")),
    A.INSPECCIONAR: Transicion(de={E.REGISTRADO}, a=E.EN_INSPECCION, rol={Rol.INSPECTOR}, avisa="inspeccionada",
                               verbo=_("Registrar inspección"), hecho=_("Inspección realizada")),
    A.TOMAR_MUESTRA: Transicion(de={E.EN_INSPECCION, E.EN_LABORATORIO}, a=None, rol={Rol.INSPECTOR},
                                verbo=_("Tomar muestra"), hecho=_("Muestra tomada")),
    A.ENVIAR: Transicion(de={E.EN_INSPECCION}, a=E.EN_LABORATORIO, rol={Rol.INSPECTOR}, avisa="enviada",
                         verbo=_("Enviar al laboratorio"), hecho=_("Muestras enviadas al laboratorio")),
    A.EMITIR: Transicion(de={E.EN_LABORATORIO}, a=E.RESULTADO_EMITIDO, rol={Rol.SISTEMA}, avisa="informe_emitido",
                         verbo=_("Emitir resultado"), hecho=_("Informe de ensayo emitido")),
    A.VOLVER_A_MUESTREAR: Transicion(de={E.EN_LABORATORIO}, a=E.EN_INSPECCION, rol={Rol.SISTEMA},
                                     verbo=_("Volver a muestrear"), hecho=_("Falta una nueva toma de muestra")),
    A.DICTAMINAR: Transicion(de={E.RESULTADO_EMITIDO}, a=E.DICTAMINADO, rol={Rol.INSPECTOR}, avisa="dictamen",
                             verbo=_("Dictaminar"), hecho=_("Dictamen emitido")),
    A.DICTAMINAR_SIN_MUESTRA: Transicion(de={E.REGISTRADO, E.EN_INSPECCION}, a=E.DICTAMINADO, rol={Rol.INSPECTOR},
                                         avisa="dictamen", motivada=True, verbo=_("Dictaminar sin muestra"),
                                         hecho=_("Dictamen emitido sin muestra")),
    A.ORDENAR_MEDIDA: Transicion(de={E.DICTAMINADO}, a=E.EN_MEDIDA, rol={Rol.INSPECTOR}, avisa="medida_ordenada",
                                 verbo=_("Ordenar medida"), hecho=_("Medida ordenada")),
    A.CUMPLIR_MEDIDA: Transicion(de={E.EN_MEDIDA}, a=E.DICTAMINADO, rol={Rol.INSPECTOR}, avisa="medida_cumplida",
                                 verbo=_("Registrar cumplimiento"), hecho=_("Medida cumplida")),
    A.REINSPECCIONAR: Transicion(de={E.EN_MEDIDA}, a=E.EN_INSPECCION, rol={Rol.INSPECTOR}, avisa="medida_cumplida",
                                 verbo=_("Cumplida: tomar nueva muestra"),
                                 hecho=_("Medida cumplida, con nueva toma")),
}  # fmt: skip

TABLAS: dict[str, Mapping[str, Transicion]] = {"expediente": EXPEDIENTE, "partida": PARTIDA}

TARDANZA_SIN_MOTIVO = timedelta(hours=24)


def permite(objeto: Any, accion: str, usuario: Usuario, *, tabla: Mapping[str, Transicion]) -> bool:
    """Whether `usuario` could do `accion` on `objeto` now: what the buttons ask."""
    transicion = tabla[accion]
    return objeto.estado in transicion.de and _rol_alcanza(transicion, usuario, objeto)


def exigir(objeto: Any, accion: str, usuario: Usuario, *, tabla: Mapping[str, Transicion]) -> None:
    """Refuse, before a form is even shown, what `permite` denies: RolImpide first, then EstadoImpide."""
    transicion = tabla[accion]
    if not _rol_alcanza(transicion, usuario, objeto):
        raise RolImpide(_("«%(verbo)s» no corresponde a su rol o a su puesto.") % {"verbo": transicion.verbo})
    if objeto.estado not in transicion.de:
        raise _fuera_de_estado(transicion, objeto)


def _fuera_de_estado(transicion: Transicion, objeto: Any) -> EstadoImpide:
    return EstadoImpide(
        _("No se puede «%(verbo)s»: %(objeto)s está ahora en «%(estado)s».")
        % {"verbo": transicion.verbo, "objeto": objeto, "estado": objeto.get_estado_display()}
    )


def _rol_alcanza(transicion: Transicion, usuario: Usuario, objeto: Any) -> bool:
    suyos = transicion.roles_de_personas & set(usuario.roles)
    if not usuario.is_active or not suyos:
        return False
    if suyos <= ROLES_DE_PUESTO | {Rol.MESA_DE_PARTES}:
        puesto = objeto.puesto_id if isinstance(objeto, Expediente) else objeto.expediente.puesto_id
        return usuario.puestos.filter(pk=puesto).exists()
    return True


@transaction.atomic
def avanzar(
    objeto: Any,
    accion: str,
    *,
    tabla: Mapping[str, Transicion],
    actor: Usuario | None,
    origen: str = "",
    ocurrio_en: datetime | None = None,
    motivo: str = "",
    texto: str = "",
    datos: dict[str, Any] | None = None,
    cambios: dict[str, Any] | None = None,
    partida: Partida | None = None,
) -> Evento:
    """The only way anything moves: lock, check state, role and hour, write, log, owe the notices.

    `objeto`: an Expediente, or anything with `expediente` and `estado`; it is read anew under the lock,
    and `cambios` are the fields to write with the state. `ocurrio_en`: what the person says, never in the
    future nor before the object's previous act; more than 24 h back needs a motive. `datos`: what the
    log keeps besides. Raises EstadoImpide (409), RolImpide (403), DatoInvalido (back to the form).
    After any of them the Python object may hold what was not stored: do not reuse it.
    """
    transicion = tabla[accion]
    # Everything of a case waits on its case's row: one order of locks, no deadlock.
    expediente = Expediente.objects.select_for_update().get(pk=objeto.expediente_id)
    if isinstance(objeto, Expediente):
        objeto.refresh_from_db()
        expediente = objeto
    else:
        objeto.refresh_from_db()
        objeto.expediente = expediente
    if objeto.estado not in transicion.de:
        raise _fuera_de_estado(transicion, objeto)
    if actor is None:
        if Rol.SISTEMA not in transicion.rol:
            raise RolImpide(_("Este acto necesita a una persona."))
    elif not _rol_alcanza(transicion, actor, objeto):
        raise RolImpide(_("«%(verbo)s» no corresponde a su rol o a su puesto.") % {"verbo": transicion.verbo})
    momento = _hora_valida(objeto, ocurrio_en, tabla=tabla, motivo=motivo, texto=texto)
    if transicion.motivada:
        exigir_motivo(accion, motivo, texto)

    antes, despues = objeto.estado, transicion.a if transicion.a is not None else objeto.estado
    for campo, valor in (cambios or {}).items():
        setattr(objeto, campo, valor)
    campos = set(cambios or {})
    if despues != antes or objeto.estado_desde is None:
        objeto.estado, objeto.estado_desde = despues, momento
        campos |= {"estado", "estado_desde"}
        if isinstance(objeto, Partida):
            objeto.vence_en = vencimiento(objeto)
            campos.add("vence_en")
    if campos:
        objeto.save(update_fields=campos)
    evento = bitacora.anotar(
        expediente,
        objeto=objeto,
        accion=accion,
        actor=actor,
        origen=origen,
        de=antes,
        a=despues,
        ocurrio_en=momento,
        motivo=motivo,
        texto=texto,
        datos=datos,
    )
    if isinstance(objeto, Expediente | Partida) and despues != Estado.CERRADO:
        _mostrar_la_mas_lenta(expediente, momento)
    if transicion.avisa:
        suya = objeto if isinstance(objeto, Partida) else partida
        avisos.deber(transicion.avisa, expediente=expediente, evento=evento, partida=suya)
    return evento


def _mostrar_la_mas_lenta(expediente: Expediente, momento: datetime) -> None:
    """Give the case the state of its slowest line and the nearest of its lines' deadlines."""
    partidas = list(expediente.partidas.values_list("estado", "vence_en"))
    estados = {estado for estado, _vence in partidas}
    plazos = [vence for _estado, vence in partidas if vence]
    lenta = next((estado for estado in ORDEN_DE_PARTIDAS if estado in estados), expediente.estado)
    if lenta != expediente.estado:
        expediente.estado, expediente.estado_desde = lenta, momento
    expediente.vence_en = min(plazos, default=None)
    expediente.save(update_fields=["estado", "estado_desde", "vence_en"])


def _hora_valida(
    objeto: Any, ocurrio_en: datetime | None, *, tabla: Mapping[str, Transicion], motivo: str, texto: str
) -> datetime:
    """The act's own time, held against the clock and against the act before it."""
    ahora = reloj.ahora()
    if ocurrio_en is None:
        return ahora
    if ocurrio_en > ahora:
        raise DatoInvalido({"ocurrio_en": _("La hora del acto no puede estar en el futuro.")})
    # Only acts count: a note in the log, such as a link sent again, orders nothing.
    condicion = models.Q(objeto=objeto._meta.model_name, objeto_id=objeto.pk, accion__in=list(tabla))
    if isinstance(objeto, Partida):
        condicion |= models.Q(objeto="expediente", accion=Accion.REGISTRAR)
    elif isinstance(objeto, Expediente):
        condicion |= models.Q(objeto="partida", accion__in=list(PARTIDA))
    ultimo = Evento.objects.filter(condicion, expediente_id=objeto.expediente_id).aggregate(
        ultimo=models.Max("ocurrio_en")
    )["ultimo"]
    # Forms know minutes, the log microseconds: within the same minute nothing is out of order.
    if ultimo and ocurrio_en < ultimo.replace(second=0, microsecond=0):
        raise DatoInvalido(
            {
                "ocurrio_en": _("El acto anterior fue el %(cuando)s: este no puede ser antes.")
                % {"cuando": timezone.localtime(ultimo).strftime("%d/%m/%Y %H:%M")}
            }
        )
    if ahora - ocurrio_en > TARDANZA_SIN_MOTIVO and not (motivo or texto.strip()):
        raise DatoInvalido({"texto": _("Pasó hace más de 24 horas: escriba por qué se registra tarde.")})
    return max(ocurrio_en, ultimo) if ultimo else ocurrio_en


def exigir_motivo(accion: str, motivo: str, texto: str) -> None:
    """Refuse an act marked † without a motive of its catalogue and a text."""
    if not Motivo.objects.filter(accion=accion, codigo=motivo, activo=True).exists():
        raise DatoInvalido({"motivo": _("Elija un motivo de la lista.")})
    if not texto.strip():
        raise DatoInvalido({"texto": _("Escriba en una o dos líneas qué pasó.")})

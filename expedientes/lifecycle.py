"""What can happen next, who may do it, and whom it tells: the one table of a case and its lines.

`avanzar` is the only writer of `estado`, here and for the laboratory, which passes its own tables
(`laboratorio/lifecycle.py`). Buttons, permission matrix, the README's diagram and the tests read these
tables. Source of the life cycles: domain.md, section 3.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from senasa import reloj
from senasa.models import ROLES_DE_PUESTO, Rol, Usuario
from senasa.transicion import DONDE_ESTABA, DatoInvalido, EstadoImpide, RolImpide, Transicion

from . import avisos, bitacora, pronosticos, tiempos
from .models import (
    ABIERTOS,
    ORDEN_DE_PARTIDAS,
    SIN_DECIDIR,
    TERMINADOS,
    Estado,
    Evento,
    Expediente,
    Motivo,
    Partida,
)
from .plazos import fin_del_dia, vencimiento


class Accion(models.TextChoices):
    REGISTRAR = "registrar"
    OBSERVAR = "observar"
    RESPONDER = "responder"
    ABANDONAR = "abandonar"
    DESISTIR = "desistir"
    ANULAR = "anular"
    TRASLADAR = "trasladar"
    ACEPTAR_TRASLADO = "aceptar_traslado"
    RECHAZAR_TRASLADO = "rechazar_traslado"
    CAMBIAR_AGENTE = "cambiar_agente"
    ASIGNAR = "asignar"
    TOMAR = "tomar"
    PASAR = "pasar"
    REABRIR = "reabrir"
    REABRIR_INSPECCION = "reabrir_inspeccion"
    PROGRAMAR = "programar"
    NO_PRESENTADA = "no_presentada"
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
    A.REGISTRAR: Transicion(de={E.NUEVO}, a=E.REGISTRADO, rol={Rol.MESA_DE_PARTES, Rol.IMPORTADOR},
                            avisa="registrada", verbo=_("Registrar solicitud"), hecho=_("Solicitud registrada")),
    A.OBSERVAR: Transicion(de={*SIN_DECIDIR}, a=E.OBSERVADO, rol={Rol.INSPECTOR}, avisa="observada", motivada=True,
                           verbo=_("Observar"), hecho=_("Expediente observado")),
    A.RESPONDER: Transicion(de={E.OBSERVADO}, a=DONDE_ESTABA, rol={Rol.IMPORTADOR, Rol.MESA_DE_PARTES},
                            avisa="respondida", verbo=_("Responder la observación"),
                            hecho=_("Observación respondida")),
    A.ABANDONAR: Transicion(de={E.OBSERVADO}, a=E.ABANDONADO, rol={Rol.JEFE_DE_PUESTO}, avisa="abandonado",
                            motivada=True, verbo=_("Declarar el abandono"), hecho=_("Expediente en abandono")),
    A.DESISTIR: Transicion(de={*SIN_DECIDIR, E.OBSERVADO}, a=E.DESISTIDO, rol={Rol.IMPORTADOR, Rol.JEFE_DE_PUESTO},
                           avisa="desistido", motivada=True, verbo=_("Registrar el desistimiento"),
                           hecho=_("Desistimiento")),
    A.ANULAR: Transicion(de={*SIN_DECIDIR, E.OBSERVADO}, a=E.ANULADO, rol={Rol.IMPORTADOR, Rol.JEFE_DE_PUESTO},
                         avisa="anulado", motivada=True, verbo=_("Anular"), hecho=_("Expediente anulado")),
    A.TRASLADAR: Transicion(de={*ABIERTOS}, a=None, rol={Rol.JEFE_DE_PUESTO}, verbo=_("Ofrecer el traslado"),
                            hecho=_("Traslado ofrecido a otro puesto")),
    A.ACEPTAR_TRASLADO: Transicion(de={*ABIERTOS}, a=None, rol={Rol.JEFE_DE_PUESTO}, avisa="trasladado",
                                   verbo=_("Aceptar el traslado"), hecho=_("Traslado aceptado")),
    A.RECHAZAR_TRASLADO: Transicion(de={*ABIERTOS}, a=None, rol={Rol.JEFE_DE_PUESTO},
                                    verbo=_("Rechazar el traslado"), hecho=_("Traslado rechazado")),
    A.CAMBIAR_AGENTE: Transicion(de={*ABIERTOS, *TERMINADOS}, a=None, rol={Rol.MESA_DE_PARTES}, avisa="agente_cambiado",
                                 verbo=_("Cambiar de agente"), hecho=_("Agente de aduana cambiado")),
    A.ASIGNAR: Transicion(de={*ABIERTOS}, a=None, rol={Rol.JEFE_DE_PUESTO}, verbo=_("Asignar a un inspector"),
                          hecho=_("Asignado a un inspector")),
    A.TOMAR: Transicion(de={*ABIERTOS}, a=None, rol={Rol.INSPECTOR}, verbo=_("Tomar el caso"),
                        hecho=_("Un inspector tomó el caso")),
    A.PASAR: Transicion(de={*ABIERTOS}, a=None, rol={Rol.INSPECTOR, Rol.JEFE_DE_PUESTO},
                        verbo=_("Pasar a otro inspector"), hecho=_("Pasó a otro inspector")),
    A.CERRAR: Transicion(de={E.DICTAMINADO, E.EN_MEDIDA}, a=E.CERRADO, rol={Rol.INSPECTOR, Rol.SISTEMA},
                         avisa="cerrado", verbo=_("Cerrar expediente"), hecho=_("Expediente cerrado")),
    A.REABRIR: Transicion(de={E.CERRADO}, a=E.RESULTADO_EMITIDO, rol={Rol.JEFE_DE_PUESTO, Rol.SISTEMA},
                          avisa="reabierto", motivada=True, verbo=_("Reabrir para dictaminar"),
                          hecho=_("Expediente reabierto para dictaminar de nuevo")),
    A.REABRIR_INSPECCION: Transicion(de={E.CERRADO}, a=E.EN_INSPECCION, rol={Rol.JEFE_DE_PUESTO, Rol.SISTEMA},
                                     avisa="reabierto", motivada=True, verbo=_("Reabrir para inspeccionar"),
                                     hecho=_("Expediente reabierto para inspeccionar de nuevo")),
}  # fmt: skip

PARTIDA: Mapping[str, Transicion] = {
    A.PROGRAMAR: Transicion(de={E.REGISTRADO}, a=None, rol={Rol.INSPECTOR}, avisa="programada",
                            verbo=_("Programar inspección"), hecho=_("Inspección programada")),
    A.NO_PRESENTADA: Transicion(de={E.REGISTRADO}, a=None, rol={Rol.INSPECTOR}, avisa="no_presentada",
                                verbo=_("No se presentó"), hecho=_("Carga no presentada a la inspección")),
    A.INSPECCIONAR: Transicion(de={E.REGISTRADO}, a=E.EN_INSPECCION, rol={Rol.INSPECTOR}, avisa="inspeccionada",
                               verbo=_("Registrar inspección"), hecho=_("Inspección realizada")),
    A.TOMAR_MUESTRA: Transicion(de={E.EN_INSPECCION, E.EN_LABORATORIO}, a=None, rol={Rol.INSPECTOR},
                                verbo=_("Tomar muestra"), hecho=_("Muestra tomada")),
    # From the laboratory too: a sample taken while others are there goes to join them.
    A.ENVIAR: Transicion(de={E.EN_INSPECCION, E.EN_LABORATORIO}, a=E.EN_LABORATORIO, rol={Rol.INSPECTOR},
                         avisa="enviada", verbo=_("Enviar al laboratorio"),
                         hecho=_("Muestras enviadas al laboratorio")),
    A.EMITIR: Transicion(de={E.EN_LABORATORIO}, a=E.RESULTADO_EMITIDO, rol={Rol.SISTEMA}, avisa="informe_emitido",
                         aun={E.OBSERVADO}, verbo=_("Emitir resultado"), hecho=_("Informe de ensayo emitido")),
    # From resultado_emitido when its only report was annulled.
    A.VOLVER_A_MUESTREAR: Transicion(de={E.EN_LABORATORIO, E.RESULTADO_EMITIDO}, a=E.EN_INSPECCION, rol={Rol.SISTEMA},
                                     aun={E.OBSERVADO}, verbo=_("Volver a muestrear"),
                                     hecho=_("Falta una nueva toma de muestra")),
    A.DICTAMINAR: Transicion(de={E.RESULTADO_EMITIDO}, a=E.DICTAMINADO, rol={Rol.INSPECTOR}, avisa="dictamen",
                             verbo=_("Dictaminar"), hecho=_("Dictamen emitido")),
    A.DICTAMINAR_SIN_MUESTRA: Transicion(de={E.REGISTRADO, E.EN_INSPECCION}, a=E.DICTAMINADO, rol={Rol.INSPECTOR},
                                         avisa="dictamen", motivada=True, verbo=_("Dictaminar sin muestra"),
                                         hecho=_("Dictamen emitido sin muestra")),
    A.ORDENAR_MEDIDA: Transicion(de={E.DICTAMINADO}, a=E.EN_MEDIDA, rol={Rol.INSPECTOR}, avisa="medida_ordenada",
                                 verbo=_("Ordenar medida"), hecho=_("Medida ordenada")),
    A.CUMPLIR_MEDIDA: Transicion(de={E.EN_MEDIDA}, a=E.DICTAMINADO, rol={Rol.INSPECTOR}, avisa="medida_cumplida",
                                 aun={E.CERRADO}, verbo=_("Registrar cumplimiento"), hecho=_("Medida cumplida")),
    A.REINSPECCIONAR: Transicion(de={E.EN_MEDIDA}, a=E.EN_INSPECCION, rol={Rol.INSPECTOR}, avisa="medida_cumplida",
                                 verbo=_("Cumplida: tomar nueva muestra"),
                                 hecho=_("Medida cumplida, con nueva toma")),
    # In an observed case too: a report is corrected whatever the importer still owes.
    A.REABRIR: Transicion(de={E.DICTAMINADO, E.EN_MEDIDA}, a=E.RESULTADO_EMITIDO, rol={Rol.JEFE_DE_PUESTO, Rol.SISTEMA},
                          motivada=True, aun={E.OBSERVADO}, verbo=_("Reabrir para dictaminar"),
                          hecho=_("Partida reabierta para dictaminar de nuevo")),
    A.REABRIR_INSPECCION: Transicion(de={E.DICTAMINADO, E.EN_MEDIDA}, a=E.EN_INSPECCION,
                                     rol={Rol.JEFE_DE_PUESTO, Rol.SISTEMA}, motivada=True, aun={E.OBSERVADO},
                                     verbo=_("Reabrir para inspeccionar"),
                                     hecho=_("Partida reabierta para inspeccionar de nuevo")),
}  # fmt: skip

TABLAS: dict[str, Mapping[str, Transicion]] = {"expediente": EXPEDIENTE, "partida": PARTIDA}

# Who sees to a case orders nothing that happens to it: an inspection of nine o'clock is typed after the case was taken
# at ten.
DE_QUIEN_ES = {A.ASIGNAR, A.TOMAR, A.PASAR}

TARDANZA_SIN_MOTIVO = timedelta(hours=24)

_fuente: ContextVar[dict[str, Any] | None] = ContextVar("fuente", default=None)


@contextmanager
def trayendo(fuente: dict[str, Any]) -> Iterator[None]:
    """Within it, acts are what another registry says was done: only `importar_en_curso` uses it.

    They go through the same tables, states and order of hours, but nobody here did them: the log gives them the
    origin `migracion` and where they were read (`fuente`), no role is asked for and no notice is owed.
    """
    ficha = _fuente.set(fuente)
    try:
        yield
    finally:
        _fuente.reset(ficha)


def trae_otro_registro() -> bool:
    """Whether what is being done now is what another registry says was done (`trayendo`)."""
    return _fuente.get() is not None


def permite(objeto: Any, accion: str, usuario: Usuario, *, tabla: Mapping[str, Transicion]) -> bool:
    """Whether `usuario` could do `accion` on `objeto` now: what the buttons ask."""
    transicion = tabla[accion]
    return (
        objeto.estado in transicion.de
        and not caso_detiene(transicion, objeto)
        and rol_alcanza(transicion, usuario, objeto, accion)
    )


def exigir(objeto: Any, accion: str, usuario: Usuario, *, tabla: Mapping[str, Transicion]) -> None:
    """Refuse, before a form is even shown, what `permite` denies: RolImpide first, then EstadoImpide."""
    transicion = tabla[accion]
    if not rol_alcanza(transicion, usuario, objeto, accion):
        raise RolImpide(_("«%(verbo)s» no corresponde a su rol o a su puesto.") % {"verbo": transicion.verbo})
    _exigir_estado(transicion, objeto)


def _exigir_estado(transicion: Transicion, objeto: Any) -> None:
    if objeto.estado not in transicion.de:
        raise _fuera_de_estado(transicion, objeto)
    if caso_detiene(transicion, objeto):
        raise _fuera_de_estado(transicion, objeto.expediente)


def caso_detiene(transicion: Transicion, objeto: Any) -> bool:
    """Whether the case stops its line: observed, it waits for the importer; ended, nothing more happens to it.

    The laboratory's objects go on: a sample on the road arrives whatever became of the case.
    """
    if not isinstance(objeto, Partida):
        return False
    return objeto.expediente.estado in {Estado.OBSERVADO, *TERMINADOS} - set(transicion.aun)


def _fuera_de_estado(transicion: Transicion, objeto: Any) -> EstadoImpide:
    return EstadoImpide(
        _("No se puede «%(verbo)s»: %(objeto)s está ahora en «%(estado)s».")
        % {"verbo": transicion.verbo, "objeto": objeto, "estado": objeto.get_estado_display()}
    )


def rol_alcanza(transicion: Transicion, usuario: Usuario, objeto: Any, accion: str) -> bool:
    suyos = usuario.roles_entre(transicion.roles_de_personas)
    if not usuario.is_active or not suyos:
        return False
    if suyos <= ROLES_DE_PUESTO | {Rol.MESA_DE_PARTES}:
        puesto = objeto.puesto_id if isinstance(objeto, Expediente) else objeto.expediente.puesto_id
        if accion in (Accion.ACEPTAR_TRASLADO, Accion.RECHAZAR_TRASLADO):
            # The one act on a case that belongs to another post: the one it was offered to.
            ofrecido = objeto.traslado_ofrecido
            puesto = ofrecido.a_puesto_id if ofrecido else None
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
    sigue: bool = False,
) -> Evento:
    """The only way anything moves: lock, check state, role and hour, write, log, owe the notices.

    `objeto`: an Expediente, or anything with `expediente` and `estado`; it is read anew under the lock,
    and `cambios` are the fields to write with the state. Without `actor`, `origen` says whether the importer
    acts or the system. `ocurrio_en`: what the person says, never in the future nor before the object's
    previous act; more than 24 h back needs a motive. `datos`: what the log keeps besides. `sigue`: another act
    follows at once in the same transaction, which brings the case's milestones up to date.
    Raises EstadoImpide (409), RolImpide (403), DatoInvalido (back to the form).
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
    _exigir_estado(transicion, objeto)
    fuente = _fuente.get()
    if fuente is not None:
        if not expediente.migrado:
            raise RuntimeError(f"{expediente} nació aquí: de otro registro no se le trae nada.")
        actor, origen, datos = None, Evento.Origen.MIGRACION, {**(datos or {}), "fuente": fuente}
    elif actor is None:
        if (Rol.IMPORTADOR if origen == Evento.Origen.IMPORTADOR else Rol.SISTEMA) not in transicion.rol:
            raise RolImpide(_("Este acto necesita a una persona."))
    elif not rol_alcanza(transicion, actor, objeto, accion):
        raise RolImpide(_("«%(verbo)s» no corresponde a su rol o a su puesto.") % {"verbo": transicion.verbo})
    momento = _hora_valida(objeto, ocurrio_en, tabla=tabla, explicado=bool(motivo or texto.strip() or fuente))
    if transicion.motivada:
        exigir_motivo(accion, motivo, texto)

    antes, despues = objeto.estado, transicion.a if transicion.a is not None else objeto.estado
    if despues == DONDE_ESTABA:
        despues = _la_mas_lenta(expediente, set(expediente.partidas.values_list("estado", flat=True)))
    for campo, valor in (cambios or {}).items():
        setattr(objeto, campo, valor)
    campos = set(cambios or {})
    if despues != antes or objeto.estado_desde is None:
        objeto.estado, objeto.estado_desde = despues, momento
        campos |= {"estado", "estado_desde"}
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
    # Deadlines come after the entry: the log says when the clock stood still.
    if isinstance(objeto, Partida):
        objeto.vence_en = vencimiento(objeto)
        objeto.save(update_fields=["vence_en"])
        if despues != antes:  # a decided line waits for the others, and its time begins with the last of them
            _recalcular_plazos(expediente, estado=Estado.DICTAMINADO)
        _mostrar_la_mas_lenta(expediente, momento)
    elif isinstance(objeto, Expediente):
        if Estado.OBSERVADO in (antes, despues) or accion == Accion.ACEPTAR_TRASLADO:
            _recalcular_plazos(expediente)
        _mostrar_la_mas_lenta(expediente, momento)
    if tiempos.dice_algo(evento.objeto, accion) and not sigue:
        suyos = tiempos.anotar_hitos(expediente)
        if suyos and fuente is None and evento.objeto in ("expediente", "partida"):
            pronosticos.anotar(expediente, suyos)
    if transicion.avisa and fuente is None:
        suya = objeto if isinstance(objeto, Partida) else partida
        avisos.deber(transicion.avisa, expediente=expediente, evento=evento, partida=suya)
    return evento


def _la_mas_lenta(expediente: Expediente, estados: Collection[str]) -> str:
    """Of the states of its lines, the one that comes first."""
    return next((estado for estado in ORDEN_DE_PARTIDAS if estado in estados), expediente.estado)


def _mostrar_la_mas_lenta(expediente: Expediente, momento: datetime) -> None:
    """Give the case the state of its slowest line, the nearest of its lines' deadlines and whether it perishes.

    A case that stands still or has ended keeps its own state: its lines speak again when it goes on.
    """
    lineas = list(expediente.partidas.values_list("estado", "vence_en", "producto__perecible"))
    if expediente.estado in ORDEN_DE_PARTIDAS:
        lenta = _la_mas_lenta(expediente, {estado for estado, _vence, _perecible in lineas})
        if lenta != expediente.estado:
            expediente.estado, expediente.estado_desde = lenta, momento
        expediente.vence_en = min((vence for _estado, vence, _perecible in lineas if vence), default=None)
    elif expediente.estado == Estado.OBSERVADO and (observacion := expediente.observacion):
        expediente.vence_en = fin_del_dia(observacion.vence_en)
    else:
        expediente.vence_en = None
    decididas = (Estado.DICTAMINADO, Estado.EN_MEDIDA)
    expediente.perecible = any(perecible for estado, _vence, perecible in lineas if estado not in decididas)
    expediente.save(update_fields=["estado", "estado_desde", "vence_en", "perecible"])


def _recalcular_plazos(expediente: Expediente, **cuales: str) -> None:
    """Set the deadlines of its lines anew: the clock stopped or went on, or another post's terms rule now."""
    for partida in expediente.partidas.filter(**cuales).select_related("producto"):
        partida.expediente = expediente
        partida.vence_en = vencimiento(partida)
        partida.save(update_fields=["vence_en"])


def _hora_valida(
    objeto: Any, ocurrio_en: datetime | None, *, tabla: Mapping[str, Transicion], explicado: bool
) -> datetime:
    """The act's own time, held against the clock and against the act before it. `explicado`: it says why so late."""
    ahora = reloj.ahora()
    if ocurrio_en is None:
        return ahora
    if ocurrio_en > ahora:
        raise DatoInvalido({"ocurrio_en": _("La hora del acto no puede estar en el futuro.")})
    # Only acts count: a note in the log, such as a link sent again, orders nothing.
    condicion = models.Q(objeto=objeto._meta.model_name, objeto_id=objeto.pk, accion__in=set(tabla) - DE_QUIEN_ES)
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
    if ahora - ocurrio_en > TARDANZA_SIN_MOTIVO and not explicado:
        raise DatoInvalido({"texto": _("Pasó hace más de 24 horas: escriba por qué se registra tarde.")})
    return max(ocurrio_en, ultimo) if ultimo else ocurrio_en


def exigir_motivo(accion: str, motivo: str, texto: str) -> None:
    """Refuse an act marked † without a motive of its catalogue and a text."""
    if not Motivo.objects.filter(accion=accion, codigo=motivo, activo=True).exists():
        raise DatoInvalido({"motivo": _("Elija un motivo de la lista.")})
    if not texto.strip():
        raise DatoInvalido({"texto": _("Escriba en una o dos líneas qué pasó.")})

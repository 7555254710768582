"""What interrupts a case, ends it before its decision, moves it or opens it again: one function per act.

As in `services`: keyword-only, one transaction, through `lifecycle.avanzar`; all raise `ActoRechazado` or
`DatoInvalido` and then store nothing. `actor` is None when the importer acts, from the tracking page.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notificaciones import enlaces
from senasa import reloj
from senasa.calendario import no_laborables, sumar_habiles
from senasa.models import Puesto, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide

from . import asignacion, avisos, bitacora, documentos
from .lifecycle import EXPEDIENTE, PARTIDA, Accion, avanzar, trae_otro_registro
from .models import AgenteAduana, Documento, Estado, Evento, Expediente, Medida, Observacion, Partida, Traslado
from .services import (
    ArchivoNuevo,
    guardar_adjunto,
    guardar_persona,
    informes_de_la_ronda,
    informes_en_papel,
    informes_vigentes,
)

# What an importer usually gets to answer (TUO Ley 27444, art. 136 gives two; the post may give more [M]).
DIAS_PARA_RESPONDER = 5
RECORDAR_ANTES = timedelta(days=2)

# What the laboratory does with its open work when a case ends before its decision; it signs up in its `apps.py`.
AL_TERMINAR: list[Callable[[Expediente, Evento], None]] = []


def _bloqueado(expediente: Expediente) -> Expediente:
    return Expediente.objects.select_for_update().get(pk=expediente.pk)


def _origen(actor: Usuario | None) -> str:
    return Evento.Origen.PERSONA if actor else Evento.Origen.IMPORTADOR


# ── Observation and answer: the clock stops ───────────────────────────────────────────────────────


def plazo_para_responder() -> date:
    """The day that the form of an observation proposes."""
    return timezone.localdate(sumar_habiles(reloj.ahora(), DIAS_PARA_RESPONDER, no_laborables()))


@transaction.atomic
def observar(
    *,
    expediente: Expediente,
    actor: Usuario,
    puntos: str,
    vence_en: date,
    motivo: str,
    texto: str,
    ocurrio_en: datetime | None = None,
) -> Observacion:
    """Object to the case. † `puntos`: what is missing, one point a line. Its clock stands still until the answer."""
    _bloqueado(expediente)
    if vence_en < timezone.localdate(reloj.ahora()):
        raise DatoInvalido({"vence_en": _("El día para responder no puede haber pasado ya.")})
    expediente.refresh_from_db()
    if expediente.estado == Estado.OBSERVADO:
        raise EstadoImpide(_("%(expediente)s ya está observado.") % {"expediente": expediente})
    observacion = Observacion.objects.create(
        expediente=expediente, puntos=puntos, vence_en=vence_en, observada_en=ocurrio_en or reloj.ahora(),
        observada_por=actor,
    )  # fmt: skip
    avanzar(
        expediente, Accion.OBSERVAR, tabla=EXPEDIENTE, actor=actor, ocurrio_en=ocurrio_en, motivo=motivo, texto=texto,
        datos={"puntos": observacion.lista, "vence_en": vence_en.isoformat()},
    )  # fmt: skip
    return observacion


@transaction.atomic
def responder(
    *,
    expediente: Expediente,
    actor: Usuario | None,
    respuesta: str,
    archivos: Sequence[ArchivoNuevo] = (),
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Observacion:
    """Answer the observation, by the importer or for him at the counter; the case goes back to where it was."""
    _bloqueado(expediente)
    observacion = expediente.observacion
    if observacion is None:
        raise EstadoImpide(_("%(expediente)s no tiene una observación por responder.") % {"expediente": expediente})
    if not respuesta.strip():
        raise DatoInvalido({"respuesta": _("Escriba la respuesta a lo que se observó.")})
    guardados = [guardar_adjunto(expediente, archivo, actor) for archivo in archivos]
    observacion.respuesta, observacion.respondida_en = respuesta, ocurrio_en or reloj.ahora()
    observacion.save(update_fields=["respuesta", "respondida_en"])
    observacion.adjuntos.set(guardados)
    avanzar(
        expediente, Accion.RESPONDER, tabla=EXPEDIENTE, actor=actor, origen=_origen(actor), ocurrio_en=ocurrio_en,
        texto=texto, datos={"respuesta": respuesta, "adjuntos": [adjunto.sha256 for adjunto in guardados]},
    )  # fmt: skip
    if not trae_otro_registro():
        _avisar_respuesta(observacion)
    return observacion


def _avisar_respuesta(observacion: Observacion) -> None:
    expediente = observacion.expediente
    avisos.deber_al_personal(
        asignacion.quienes_atienden(expediente),
        "observacion_respondida",
        clave=f"observacion:{observacion.pk}",
        url=reverse("expediente", args=[expediente.numero]),
        por_correo=False,
        expediente=expediente,
        observacion=observacion,
    )


@transaction.atomic
def agregar_documentos(*, expediente: Expediente, actor: Usuario | None, archivos: Sequence[ArchivoNuevo]) -> Evento:
    """Add files to an open case without being asked. It moves nothing and sends nothing."""
    caso = _bloqueado(expediente)
    if not caso.abierto:
        raise EstadoImpide(_("%(expediente)s ya terminó: no recibe más documentos.") % {"expediente": caso})
    if not archivos:
        raise DatoInvalido({"archivos": _("Elija al menos un archivo.")})
    guardados = [guardar_adjunto(caso, archivo, actor) for archivo in archivos]
    return bitacora.anotar(
        caso, objeto=caso, accion="agregar_documentos", actor=actor, origen=_origen(actor),
        datos={"adjuntos": [adjunto.sha256 for adjunto in guardados], "nombres": [a.nombre for a in guardados]},
    )  # fmt: skip


def recordar_observaciones() -> int:
    """Remind the importer, once, two days before the answer is due; how many were reminded."""
    limite = timezone.localdate(reloj.ahora() + RECORDAR_ANTES)
    debidas = Observacion.objects.filter(
        respondida_en=None, sin_efecto_en=None, recordada_en=None, vence_en__lte=limite
    )
    recordadas = 0
    for pk in debidas.order_by("id").values_list("pk", flat=True)[:200]:
        with transaction.atomic():
            caso = _bloqueado(Observacion.objects.select_related("expediente").get(pk=pk).expediente)
            observacion = caso.observacion
            if observacion is None or observacion.recordada_en:
                continue
            observacion.recordada_en = reloj.ahora()
            observacion.save(update_fields=["recordada_en"])
            evento = bitacora.anotar(caso, objeto=caso, accion="recordar_observacion", actor=None)
            avisos.deber("observacion_por_vencer", expediente=caso, evento=evento)
            recordadas += 1
    return recordadas


# ── The ways a case ends before its decision ──────────────────────────────────────────────────────


@transaction.atomic
def abandonar(
    *, expediente: Expediente, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Declare abandoned a case whose observation was not answered in time. †"""
    _bloqueado(expediente)
    observacion = expediente.observacion
    if observacion and timezone.localdate(reloj.ahora()) <= observacion.vence_en:
        raise EstadoImpide(
            _("El importador puede responder hasta el %(dia)s: antes no hay abandono.")
            % {"dia": observacion.vence_en.strftime("%d/%m/%Y")}
        )
    return _terminar(expediente, Accion.ABANDONAR, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en)


@transaction.atomic
def desistir(
    *, expediente: Expediente, actor: Usuario | None, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Withdraw the request before the last decision: the importer gives up or re-exports of his own will. †"""
    return _terminar(expediente, Accion.DESISTIR, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en)


@transaction.atomic
def anular(
    *,
    expediente: Expediente,
    actor: Usuario | None,
    motivo: str,
    texto: str,
    superviviente: Expediente | None = None,
    ocurrio_en: datetime | None = None,
) -> Evento:
    """Annul a case. † The importer, before the first sample; the jefe, before the last decision.

    `superviviente`: the case that stands for the same consignment, when this one is its duplicate.
    """
    caso = _bloqueado(expediente)
    if actor is None and caso.bitacora.filter(accion=Accion.TOMAR_MUESTRA).exists():
        raise EstadoImpide(_("Ya se tomó una muestra: pida el desistimiento, o hable con el puesto."))
    if motivo == MOTIVO_DUPLICADO:
        if superviviente is None:
            raise DatoInvalido({"superviviente": _("Diga de qué expediente es duplicado.")})
        if superviviente.pk == caso.pk:
            raise DatoInvalido({"superviviente": _("Un expediente no es duplicado de sí mismo.")})
        if superviviente.duplicado_de_id or superviviente.estado == Estado.ANULADO:
            raise DatoInvalido({"superviviente": _("Ese expediente está anulado: no puede ser el que sigue.")})
    elif superviviente:
        raise DatoInvalido({"motivo": _("Si es un duplicado, elija ese motivo.")})
    return _terminar(
        expediente, Accion.ANULAR, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en,
        datos={"superviviente": superviviente.numero} if superviviente else None,
        cambios={"duplicado_de": superviviente} if superviviente else None,
    )  # fmt: skip


MOTIVO_DUPLICADO = "duplicado"


def _terminar(
    expediente: Expediente,
    accion: str,
    *,
    actor: Usuario | None,
    motivo: str,
    texto: str,
    ocurrio_en: datetime | None,
    datos: dict[str, Any] | None = None,
    cambios: dict[str, Any] | None = None,
) -> Evento:
    evento = avanzar(
        expediente, accion, tabla=EXPEDIENTE, actor=actor, origen=_origen(actor), ocurrio_en=ocurrio_en,
        motivo=motivo, texto=texto, datos=datos, cambios=cambios,
    )  # fmt: skip
    ahora = reloj.ahora()
    expediente.observaciones.filter(respondida_en=None, sin_efecto_en=None).update(sin_efecto_en=ahora)
    expediente.traslados.filter(resuelto_en=None).update(resuelto_en=ahora, aceptado=False)
    for soltar in AL_TERMINAR:
        soltar(expediente, evento)
    enlaces.vencer(referencia=expediente.referencia, dentro_de=avisos.ENLACE_TRAS_EL_CIERRE)
    return evento


# ── Opening again ─────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def reabrir(
    *,
    expediente: Expediente,
    actor: Usuario | None,
    partidas: Sequence[Partida],
    motivo: str,
    texto: str,
    a_inspeccion: bool = False,
    ocurrio_en: datetime | None = None,
) -> Evento:
    """Open a closed case again for some of its lines. † To decide anew over its reports, or to inspect anew."""
    _bloqueado(expediente)
    if not partidas:
        raise DatoInvalido({"partidas": _("Elija al menos una partida.")})
    if not a_inspeccion:
        for partida in partidas:
            if not (informes_vigentes(partida) or informes_en_papel(partida)):
                raise DatoInvalido(
                    {"partidas": _("%(partida)s no tiene un informe vigente: reábrala para inspeccionar.")
                     % {"partida": partida}}
                )  # fmt: skip
    accion = Accion.REABRIR_INSPECCION if a_inspeccion else Accion.REABRIR
    evento = avanzar(
        expediente, accion, tabla=EXPEDIENTE, actor=actor, ocurrio_en=ocurrio_en, motivo=motivo, texto=texto,
        datos={"partidas": [partida.orden for partida in partidas]},
    )  # fmt: skip
    for partida in partidas:
        if partida.medida_pendiente:
            raise EstadoImpide(_("%(partida)s tiene una medida en curso: regístrela antes.") % {"partida": partida})
        avanzar(
            partida, accion, tabla=PARTIDA, actor=actor, ocurrio_en=ocurrio_en, motivo=motivo, texto=texto,
            cambios={"cita_en": None} if a_inspeccion else None,
        )  # fmt: skip
    enlaces.prolongar(referencia=expediente.referencia)
    return evento


def reabrir_por_informe(*, partida: Partida, informe: Documento, anulado: bool) -> None:
    """Take back, as the system, what was decided over a report that is being corrected, or that was annulled.

    Within the caller's transaction. The line goes to be decided anew, or to be sampled anew when no report is
    left to decide on; its closed case is opened; a measure not yet carried out has no effect any more, and the RIV
    reads «en revisión» until the next one replaces it: cargo must not leave on it. A line that nobody decided, or
    that is in another round by now, stays where it is.
    """
    caso = _bloqueado(partida.expediente)
    partida.refresh_from_db()
    de_la_ronda = informes_de_la_ronda(partida)
    if not de_la_ronda.filter(pk=informe.pk).exists() or not (caso.abierto or caso.estado == Estado.CERRADO):
        return
    quedan = de_la_ronda.exclude(estado__in=[Documento.Estado.REEMPLAZADO, Documento.Estado.ANULADO])
    a_inspeccion = anulado and not quedan.exists() and not informes_en_papel(partida)
    if partida.estado == Estado.RESULTADO_EMITIDO:
        if a_inspeccion:
            avanzar(
                partida, Accion.VOLVER_A_MUESTREAR, tabla=PARTIDA, actor=None, datos={"informe_anulado": str(informe)}
            )
        return
    if partida.estado not in PARTIDA[Accion.REABRIR].de:
        return
    accion = Accion.REABRIR_INSPECCION if a_inspeccion else Accion.REABRIR
    frase = (
        _("El laboratorio anuló el informe %(informe)s.") if anulado else _("El laboratorio corrige el %(informe)s.")
    )
    dicho: dict[str, Any] = {
        "actor": None,
        "motivo": "informe-anulado" if anulado else "informe-corregido",
        "texto": str(frase % {"informe": informe}),
    }
    if caso.estado == Estado.CERRADO:
        avanzar(caso, accion, tabla=EXPEDIENTE, datos={"partidas": [partida.orden]}, **dicho)
        enlaces.prolongar(referencia=caso.referencia)
    Medida.objects.pendientes().filter(dictamen__partida=partida).update(sin_efecto_en=reloj.ahora())
    for riv in partida.documentos.filter(tipo=Documento.Tipo.RIV, estado=Documento.Estado.VIGENTE):
        documentos.marcar(riv, Documento.Estado.EN_REVISION)
    avanzar(partida, accion, tabla=PARTIDA, cambios={"cita_en": None} if a_inspeccion else None, **dicho)


# ── Between posts ─────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def trasladar(
    *, expediente: Expediente, actor: Usuario, a_puesto: Puesto, texto: str, ocurrio_en: datetime | None = None
) -> Traslado:
    """Offer the case to another post. It stays with this one until the other accepts; its number never changes."""
    caso = _bloqueado(expediente)
    if a_puesto.pk == caso.puesto_id:
        raise DatoInvalido({"a_puesto": _("El expediente ya está en ese puesto.")})
    if caso.traslado_ofrecido:
        raise EstadoImpide(_("%(expediente)s ya está ofrecido a otro puesto.") % {"expediente": caso})
    if not texto.strip():
        raise DatoInvalido({"texto": _("Escriba por qué se traslada: lo lee el jefe del otro puesto.")})
    traslado = Traslado.objects.create(
        expediente=caso, de_puesto=caso.puesto, a_puesto=a_puesto, ofrecido_en=ocurrio_en or reloj.ahora(),
        ofrecido_por=actor, causa=texto,
    )  # fmt: skip
    avanzar(
        expediente, Accion.TRASLADAR, tabla=EXPEDIENTE, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
        datos={"de_puesto": traslado.de_puesto.codigo, "a_puesto": a_puesto.codigo},
    )  # fmt: skip
    return traslado


@transaction.atomic
def aceptar_traslado(
    *, expediente: Expediente, actor: Usuario, ocurrio_en: datetime | None = None, texto: str = ""
) -> Evento:
    """Take the offered case: from now on its acts are of this post, and its deadlines are this post's."""
    return _resolver_traslado(expediente, Accion.ACEPTAR_TRASLADO, actor=actor, ocurrio_en=ocurrio_en, texto=texto)


@transaction.atomic
def rechazar_traslado(
    *, expediente: Expediente, actor: Usuario, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Refuse the offered case, saying why; it stays where it is."""
    if not texto.strip():
        raise DatoInvalido({"texto": _("Escriba por qué lo rechaza: lo lee el jefe que lo ofreció.")})
    return _resolver_traslado(expediente, Accion.RECHAZAR_TRASLADO, actor=actor, ocurrio_en=ocurrio_en, texto=texto)


def _resolver_traslado(
    expediente: Expediente, accion: str, *, actor: Usuario, ocurrio_en: datetime | None, texto: str
) -> Evento:
    traslado = _bloqueado(expediente).traslado_ofrecido
    if traslado is None:
        raise EstadoImpide(_("%(expediente)s ya no está ofrecido en traslado.") % {"expediente": expediente})
    acepta = accion == Accion.ACEPTAR_TRASLADO
    evento = avanzar(
        expediente, accion, tabla=EXPEDIENTE, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
        datos={"de_puesto": traslado.de_puesto.codigo, "a_puesto": traslado.a_puesto.codigo},
        cambios={"puesto": traslado.a_puesto, "inspector": None} if acepta else None,
    )  # fmt: skip
    traslado.resuelto_en, traslado.aceptado = evento.ocurrio_en, acepta
    traslado.save(update_fields=["resuelto_en", "aceptado"])
    return evento


# ── The broker ────────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def cambiar_agente(
    *,
    expediente: Expediente,
    actor: Usuario,
    agente: AgenteAduana | None,
    poder_desde: date | None = None,
    poder_hasta: date | None = None,
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Evento:
    """Put another broker, or none, in the place of the present one; the old one's links die and both are told."""
    caso = _bloqueado(expediente)
    anterior = caso.agente
    nuevo = guardar_persona(agente) if agente else None
    if (anterior.pk if anterior else None) == (nuevo.pk if nuevo else None) and (
        (caso.poder_desde, caso.poder_hasta) == (poder_desde, poder_hasta)
    ):
        raise DatoInvalido({"agente_numero": _("Es el agente que ya está registrado, con el mismo poder.")})
    evento = avanzar(
        expediente, Accion.CAMBIAR_AGENTE, tabla=EXPEDIENTE, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
        datos={
            "agente_anterior": anterior.numero_documento if anterior else "",
            "agente": nuevo.numero_documento if nuevo else "",
            "poder_desde": poder_desde.isoformat() if poder_desde else "",
            "poder_hasta": poder_hasta.isoformat() if poder_hasta else "",
        },
        cambios={"agente": nuevo, "poder_desde": poder_desde, "poder_hasta": poder_hasta},
    )  # fmt: skip
    if anterior and anterior.correo.lower() not in avisos.destinatarios(expediente):
        enlaces.revocar_de(referencia=expediente.referencia, correo=anterior.correo.lower())
        avisos.deber_a(
            anterior.correo.lower(), "agente_retirado", expediente=expediente, evento=evento, con_enlace=False
        )
    return evento

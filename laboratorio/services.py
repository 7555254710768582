"""The acts of the laboratory: one function each, keyword-only, one transaction, through `avanzar`.

All raise `ActoRechazado` (409 or 403) or `DatoInvalido` (back to the form) and then store nothing.
`ocurrio_en` is what the person says; None means now.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from expedientes import documentos, numeros
from expedientes.archivos import ArchivoNuevo
from expedientes.firma import CertificadoInutil, cargar_certificado, firmar
from expedientes.lifecycle import PARTIDA, avanzar
from expedientes.lifecycle import Accion as AccionCaso
from expedientes.models import Documento, Estado, Evento, Expediente, Partida, Plaga
from expedientes.services import guardar_adjunto, ronda_desde
from senasa import reloj, timbre
from senasa.models import Rol, Usuario
from senasa.transicion import ActoRechazado, DatoInvalido, EstadoImpide, RolImpide

from . import tasks
from .informes import componer_informe
from .lifecycle import ANALISIS, INFORME, MUESTRA, Accion
from .models import (
    Analisis,
    EstadoAnalisis,
    EstadoInforme,
    EstadoMuestra,
    Evidencia,
    Informe,
    Metodo,
    Muestra,
    ReglaFirma,
    Requisito,
    Resultado,
    Reversion,
    SolicitudAnalisis,
    Valor,
    Verificacion,
)

registro = logging.getLogger(__name__)

# A worker that dies while it signs loses its claim after this long; rendering and signing take about 0.2 s, and
# of two who sign after all only the one whose claim still stands may publish.
RECLAMO = timedelta(seconds=20)
# How often a failed signature is tried again by itself, for when the certificate has been put right.
REINTENTO = timedelta(seconds=60)
CERTIFICADO_SIRVE = "El certificado de la institución sirve"


# ── At the post: sample and dispatch ──────────────────────────────────────────────────────────────


@transaction.atomic
def tomar_muestra(
    *,
    partida: Partida,
    actor: Usuario,
    precinto: str,
    conservacion: str,
    cantidad: Decimal,
    unidad: str,
    lote: str = "",
    plan_de_muestreo: str = "",
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Muestra:
    """Take a sample of the line. `cantidad` in `unidad` (kg, g, unidades…). A seal closes one sample only."""
    _bloquear(partida)
    if partida.muestras.filter(precinto=precinto).exists():
        raise DatoInvalido({"precinto": _("Ya hay una muestra de esta partida con ese precinto.")})
    momento = ocurrio_en or reloj.ahora()
    muestra = Muestra.objects.create(
        numero=numeros.siguiente("M"),
        expediente=partida.expediente,
        partida=partida,
        estado_desde=momento,
        tomada_en=momento,
        lote=lote,
        precinto=precinto,
        conservacion=conservacion,
        cantidad=cantidad,
        unidad=unidad,
        plan_de_muestreo=plan_de_muestreo,
    )
    avanzar(
        partida,
        AccionCaso.TOMAR_MUESTRA,
        tabla=PARTIDA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={"muestra": muestra.numero, "precinto": precinto, "cantidad": str(cantidad), "unidad": unidad},
    )
    return muestra


def requisitos_de(partida: Partida) -> list[Requisito]:
    """What the catalogue asks to look for in the line's product and origin."""
    return list(
        Requisito.objects.filter(producto_id=partida.producto_id, activo=True)
        .filter(Q(pais_origen=None) | Q(pais_origen=partida.pais_origen_id))
        .select_related("plaga", "metodo__disciplina")
    )


@transaction.atomic
def enviar(
    *,
    partida: Partida,
    actor: Usuario,
    ensayos: Sequence[tuple[Metodo, Plaga]],
    transporte: str = "",
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> SolicitudAnalisis:
    """Send the line's taken samples to the laboratory, each for all of `ensayos` (method, pest)."""
    _bloquear(partida)
    muestras = list(partida.muestras.filter(estado=EstadoMuestra.TOMADA))
    partida.refresh_from_db()
    if partida.estado in PARTIDA[AccionCaso.ENVIAR].de and not muestras:
        raise EstadoImpide(_("Primero tome la muestra: no hay ninguna por enviar."))
    if not ensayos:
        raise DatoInvalido({"ensayos": _("Marque al menos un análisis.")})
    momento = ocurrio_en or reloj.ahora()
    solicitud = SolicitudAnalisis.objects.create(
        expediente=partida.expediente, partida=partida, enviada_en=momento, transporte=transporte
    )
    Analisis.objects.bulk_create(
        Analisis(
            expediente=partida.expediente, muestra=muestra, solicitud=solicitud, metodo=metodo, plaga=plaga,
            estado_desde=momento,
        )
        for muestra in muestras
        for metodo, plaga in dict.fromkeys(ensayos)
    )  # fmt: skip
    Informe.objects.create(
        numero=numeros.siguiente("IE"), expediente=partida.expediente, solicitud=solicitud, estado_desde=momento
    )
    avanzar(
        partida,
        AccionCaso.ENVIAR,
        tabla=PARTIDA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={
            "muestras": [muestra.numero for muestra in muestras],
            "ensayos": [f"{metodo} · {plaga.eppo}" for metodo, plaga in dict.fromkeys(ensayos)],
            "informe": solicitud.informe.numero,
        },
    )
    for muestra in muestras:
        avanzar(
            muestra, Accion.ENVIAR, tabla=MUESTRA, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
            cambios={"solicitud": solicitud},
        )  # fmt: skip
    return solicitud


def guardar_evidencia(
    *, archivo: ArchivoNuevo, muestra: Muestra, actor: Usuario, resultado: Resultado | None = None
) -> Evidencia:
    """Keep a file of the laboratory's own within the caller's transaction; its act's `datos` name its sha256."""
    adjunto = guardar_adjunto(muestra.expediente, archivo, actor, reservado=resultado is not None)
    return Evidencia.objects.create(adjunto=adjunto, muestra=muestra, resultado=resultado)


def _bloquear(objeto: Any) -> None:
    """Take the case's lock before anything else, so that all take their locks in one order."""
    Expediente.objects.select_for_update().get(pk=objeto.expediente_id)


# ── Reception ─────────────────────────────────────────────────────────────────────────────────────


def recibir(
    *,
    muestra: Muestra,
    actor: Usuario,
    condicion: str,
    cantidad_recibida: Decimal,
    observaciones: str = "",
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Evento:
    """Receive a sample at the laboratory, with the condition and the quantity it arrived in."""
    if condicion == Muestra.Condicion.CON_OBSERVACIONES and not observaciones.strip():
        raise DatoInvalido({"observaciones": _("Escriba qué observó al recibirla.")})
    return avanzar(
        muestra,
        Accion.RECIBIR,
        tabla=MUESTRA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={"condicion": condicion, "cantidad_recibida": str(cantidad_recibida)},
        cambios={
            "recibida_en": ocurrio_en or reloj.ahora(),
            "condicion": condicion,
            "cantidad_recibida": cantidad_recibida,
            "observaciones": observaciones,
        },
    )


@transaction.atomic
def rechazar(
    *, muestra: Muestra, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Refuse a sample. † Its analyses are cancelled; with no live sample left, the line goes back to the post."""
    _bloquear(muestra)
    return _dejar_sin_efecto(muestra, Accion.RECHAZAR, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en)


@transaction.atomic
def perder(*, muestra: Muestra, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None) -> Evento:
    """Give up a sample that was lost. † As with a refused one, the line may have to be sampled again."""
    _bloquear(muestra)
    return _dejar_sin_efecto(muestra, Accion.PERDER, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en)


def _dejar_sin_efecto(
    muestra: Muestra, accion: str, *, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None
) -> Evento:
    evento = avanzar(muestra, accion, tabla=MUESTRA, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en)
    for analisis in muestra.analisis.filter(estado__in=ANALISIS[Accion.CANCELAR].de):
        avanzar(analisis, Accion.CANCELAR, tabla=ANALISIS, actor=None, motivo="muestra-sin-efecto", texto=texto)
    if muestra.solicitud:
        _seguir(muestra.solicitud, por=muestra.numero)
    return evento


@transaction.atomic
def anular_muestra(
    *, muestra: Muestra, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Annul a sample that has not left the post. †"""
    return avanzar(
        muestra, Accion.ANULAR_MUESTRA, tabla=MUESTRA, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en
    )


def _seguir(solicitud: SolicitudAnalisis, *, por: str) -> None:
    """What follows when analyses of `solicitud` fell away: its report is complete, or has nothing left to say.

    The line goes back to the post when no sample of its round is left, or on when the reports that remain are
    all out. `por`: what it happened through, for the log.
    """
    informe = Informe.objects.get(solicitud=solicitud)
    if solicitud.analisis.exclude(estado=EstadoAnalisis.CANCELADO).exists():
        _cerrar_si_completo(informe)
        return
    if informe.estado in INFORME[Accion.ANULAR].de:
        avanzar(informe, Accion.ANULAR, tabla=INFORME, actor=None)
    partida = Partida.objects.select_related("expediente").get(pk=solicitud.partida_id)
    if partida.estado != Estado.EN_LABORATORIO or not partida.expediente.abierto:
        return
    desde = ronda_desde(partida)
    informes = Informe.objects.filter(solicitud__partida=partida).exclude(estado=EstadoInforme.ANULADO)
    if desde:
        informes = informes.filter(solicitud__enviada_en__gte=desde)
    if not informes.exists():
        avanzar(partida, AccionCaso.VOLVER_A_MUESTREAR, tabla=PARTIDA, actor=None, datos={"muestra": por})
    elif not informes.exclude(estado=EstadoInforme.EMITIDO).exists():
        avanzar(partida, AccionCaso.EMITIR, tabla=PARTIDA, actor=None, datos={})


def soltar(expediente: Expediente, evento: Evento) -> None:
    """Leave the open work of a case that ended before its decision: nobody tests for nothing, nothing is signed."""
    sin_efecto: dict[str, Any] = {"actor": None, "motivo": "caso-terminado", "texto": str(evento)}
    for analisis in Analisis.objects.filter(expediente=expediente, estado__in=ANALISIS[Accion.CANCELAR].de):
        avanzar(analisis, Accion.CANCELAR, tabla=ANALISIS, **sin_efecto)
    for informe in Informe.objects.filter(expediente=expediente, estado__in=INFORME[Accion.ANULAR].de):
        avanzar(informe, Accion.ANULAR, tabla=INFORME, actor=None)
    for muestra in Muestra.objects.filter(expediente=expediente, estado=EstadoMuestra.TOMADA):
        avanzar(muestra, Accion.ANULAR_MUESTRA, tabla=MUESTRA, **sin_efecto)


# ── Cancelling, and the report on an early positive ───────────────────────────────────────────────


@transaction.atomic
def cancelar(
    *, analisis: Analisis, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Cancel an analysis that will not be finished. † Never one whose result says there is something."""
    _bloquear(analisis)
    analisis.refresh_from_db()
    resultado = analisis.resultado
    if resultado and resultado.valor != Valor.NEGATIVO:
        raise EstadoImpide(_("%(analisis)s no es negativo: verifíquelo o reviértalo.") % {"analisis": analisis})
    evento = avanzar(
        analisis, Accion.CANCELAR, tabla=ANALISIS, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en
    )
    _completar_muestra(analisis)
    _seguir(SolicitudAnalisis.objects.get(pk=analisis.solicitud_id), por=str(analisis.muestra))
    return evento


def admite_parcial(informe: Informe) -> bool:
    """Whether a verified positive is there while other analyses are still to be done."""
    suyos = Analisis.objects.filter(solicitud=informe.solicitud_id)
    hallados = suyos.filter(
        estado=EstadoAnalisis.VERIFICADO, resultados__vigente=True, resultados__valor=Valor.POSITIVO
    )
    return (
        informe.estado == EstadoInforme.BORRADOR
        and suyos.filter(estado__in=ANALISIS[Accion.CANCELAR].de).exists()
        and hallados.exists()
    )


@transaction.atomic
def emitir_parcial(
    *, informe: Informe, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> int:
    """Let the report go out on a verified positive: the rest of its analyses is cancelled. † How many were.

    It still waits for the director's signature, as everything that is not plainly negative.
    """
    _bloquear(informe)
    informe.refresh_from_db()
    if informe.estado != EstadoInforme.BORRADOR:
        raise EstadoImpide(_("El informe %(informe)s ya no está en elaboración.") % {"informe": informe})
    suyos = Analisis.objects.filter(solicitud=informe.solicitud_id)
    if not admite_parcial(informe):
        raise EstadoImpide(_("Un informe parcial se apoya en un positivo ya verificado, y todavía no hay ninguno."))
    informe.parcial = True
    informe.save(update_fields=["parcial"])
    abiertos = list(suyos.filter(estado__in=ANALISIS[Accion.CANCELAR].de))
    for analisis in abiertos:
        cancelar(analisis=analisis, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en)
    return len(abiertos)


@transaction.atomic
def guardar_contramuestra(
    *, muestra: Muestra, actor: Usuario, lugar: str, ocurrio_en: datetime | None = None, texto: str = ""
) -> Evento:
    """Keep what is left of a sample whose report is out. `lugar`: where it lies."""
    _bloquear(muestra)
    if Informe.objects.filter(solicitud=muestra.solicitud_id).exclude(estado=EstadoInforme.EMITIDO).exists():
        raise EstadoImpide(_("El informe de %(muestra)s aún no sale: puede hacer falta.") % {"muestra": muestra})
    return avanzar(
        muestra, Accion.GUARDAR_CONTRAMUESTRA, tabla=MUESTRA, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
        datos={"lugar": lugar},
    )  # fmt: skip


def eliminar(
    *, muestra: Muestra, actor: Usuario, acta: str, ocurrio_en: datetime | None = None, texto: str = ""
) -> Evento:
    """Dispose of a retained duplicate, under its acta."""
    return avanzar(
        muestra, Accion.ELIMINAR, tabla=MUESTRA, actor=actor, ocurrio_en=ocurrio_en, texto=texto, datos={"acta": acta}
    )


# ── The bench ─────────────────────────────────────────────────────────────────────────────────────


def asignar(*, analisis: Analisis, analista: Usuario, actor: Usuario) -> Evento:
    """Give an analysis to an analyst: reception to anybody, an analyst to himself alone."""
    if not analista.tiene(Rol.ANALISTA) or not analista.is_active:
        raise DatoInvalido({"analista": _("Elija a un analista en actividad.")})
    if not actor.tiene(Rol.RECEPCION) and actor != analista:
        raise RolImpide(_("Un analista solo puede asignarse análisis a sí mismo."))
    if analisis.muestra.estado not in (EstadoMuestra.RECIBIDA, EstadoMuestra.EN_ANALISIS):
        raise EstadoImpide(_("La muestra %(muestra)s aún no fue recibida.") % {"muestra": analisis.muestra})
    return avanzar(
        analisis, Accion.ASIGNAR, tabla=ANALISIS, actor=actor, datos={"analista": analista.pk},
        cambios={"analista": analista},
    )  # fmt: skip


@transaction.atomic
def iniciar(*, analisis: Analisis, actor: Usuario, ocurrio_en: datetime | None = None) -> Evento:
    """Start the bench work; its first start starts the sample's too."""
    _bloquear(analisis)
    _exigir_su_analista(analisis, actor)
    muestra = Muestra.objects.get(pk=analisis.muestra_id)
    if ocurrio_en and muestra.recibida_en and ocurrio_en < muestra.recibida_en.replace(second=0, microsecond=0):
        raise DatoInvalido({"ocurrio_en": _("El análisis no pudo comenzar antes de recibirse la muestra.")})
    evento = avanzar(
        analisis, Accion.INICIAR, tabla=ANALISIS, actor=actor, ocurrio_en=ocurrio_en,
        cambios={"iniciado_en": ocurrio_en or reloj.ahora()},
    )  # fmt: skip
    if muestra.estado == EstadoMuestra.RECIBIDA:
        avanzar(muestra, Accion.COMENZAR, tabla=MUESTRA, actor=None)
    return evento


@transaction.atomic
def registrar(
    *,
    analisis: Analisis,
    actor: Usuario,
    valor: str,
    plaga: Plaga | None = None,
    lectura: str = "",
    observaciones: str = "",
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Resultado:
    """Record a result. A positive names the pest found; `lectura` is the reading with its unit (Ct 24.1…)."""
    _bloquear(analisis)
    _exigir_su_analista(analisis, actor)
    if valor == Valor.POSITIVO and plaga is None:
        raise DatoInvalido({"plaga": _("Un resultado positivo dice qué plaga se halló.")})
    if valor not in Valor.values:
        raise DatoInvalido({"valor": _("Elija negativo, positivo o indeterminado.")})
    evento = avanzar(
        analisis,
        Accion.REGISTRAR,
        tabla=ANALISIS,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={"valor": valor, "plaga": plaga.eppo if plaga else "", "lectura": lectura},
    )
    return Resultado.objects.create(
        analisis=analisis,
        valor=valor,
        plaga=plaga if valor == Valor.POSITIVO else None,
        lectura=lectura,
        observaciones=observaciones,
        registrado_por=actor,
        ocurrio_en=evento.ocurrio_en,
        sustituye=analisis.resultados.order_by("-id").first(),
    )


@transaction.atomic
def repetir(
    *, analisis: Analisis, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Begin the test anew before there is a result: a control failed, the run was lost. †"""
    _bloquear(analisis)
    _exigir_su_analista(analisis, actor)
    return avanzar(
        analisis, Accion.REPETIR, tabla=ANALISIS, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en,
        cambios={"iniciado_en": ocurrio_en or reloj.ahora()},
    )  # fmt: skip


@transaction.atomic
def verificar(
    *,
    analisis: Analisis,
    actor: Usuario,
    visto: int | None = None,
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Evento:
    """Verify the result in force: by neither its analyst nor an earlier verifier, as often as the method asks.

    `visto`: the id of the result that the verifier had before his eyes; another in force by now is refused.
    """
    _bloquear(analisis)
    evento = avanzar(analisis, Accion.VERIFICAR, tabla=ANALISIS, actor=actor, ocurrio_en=ocurrio_en, texto=texto)
    resultado = analisis.resultado
    if resultado is None:
        raise EstadoImpide(_("El análisis no tiene un resultado vigente."))
    if visto is not None and visto != resultado.pk:
        raise EstadoImpide(_("Mientras tanto se registró otro resultado: véalo antes de verificarlo."))
    impedimento = impedimento_de_verificar(analisis, resultado, actor)
    if impedimento:
        raise RolImpide(impedimento)
    Verificacion.objects.create(resultado=resultado, verificador=actor, ocurrio_en=evento.ocurrio_en)
    if resultado.verificaciones.count() >= analisis.metodo.verificaciones:
        avanzar(analisis, Accion.COMPLETAR, tabla=ANALISIS, actor=None, cambios={"verificado_en": evento.ocurrio_en})
        _completar_muestra(analisis)
        _cerrar_si_completo(Informe.objects.get(solicitud=analisis.solicitud_id))
    return evento


def _completar_muestra(analisis: Analisis) -> None:
    """Its sample is analysed when nothing of it is left on the bench."""
    muestra = Muestra.objects.get(pk=analisis.muestra_id)
    quedan = muestra.analisis.exclude(estado__in=[EstadoAnalisis.VERIFICADO, EstadoAnalisis.CANCELADO])
    if not quedan.exists() and muestra.estado == EstadoMuestra.EN_ANALISIS:
        avanzar(muestra, Accion.COMPLETAR, tabla=MUESTRA, actor=None)


def impedimento_de_verificar(analisis: Analisis, resultado: Resultado, actor: Usuario) -> str:
    """Why `actor` may not verify this result, in words; "" when nothing keeps him from it."""
    if actor.pk in (analisis.analista_id, resultado.registrado_por_id):
        return str(_("Quien analizó no puede verificar su propio resultado."))
    if any(verificacion.verificador_id == actor.pk for verificacion in resultado.verificaciones.all()):
        return str(_("Usted ya verificó este resultado: la siguiente verificación es de otra persona."))
    return ""


@dataclass(frozen=True)
class Impacto:
    """What a reversion would touch; shown before it is confirmed."""

    informe: Informe
    retira_firma: bool
    horas: int


def impacto_de_revertir(analisis: Analisis) -> Impacto:
    """What reverting `analisis` touches: its report, a signature on its way, the hours it will add.

    The hours are what the method usually takes (catalogue), as the work has to be done again.
    """
    informe = Informe.objects.get(solicitud=analisis.solicitud_id)
    return Impacto(
        informe=informe,
        retira_firma=informe.estado in INFORME[Accion.REABRIR].de,
        horas=analisis.metodo.dias * 24,
    )


def exigir_reversible(analisis: Analisis, informe: Informe, actor: Usuario) -> None:
    """Refuse a reversion by somebody else's hand, or of a result whose report is already signed."""
    if not actor.tiene(Rol.VERIFICADOR) and actor.pk != analisis.analista_id:
        raise RolImpide(_("Revertir corresponde al analista de este análisis o a un verificador."))
    if informe.estado == EstadoInforme.EMITIDO:
        raise EstadoImpide(_("El informe %(informe)s ya está firmado: lo corrige el director.") % {"informe": informe})


@transaction.atomic
def revertir(
    *, analisis: Analisis, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Reversion:
    """Step an analysis back to the bench, self-approved. † Before the signature only.

    The result stays on record out of force; the new one will link to it and need a new verification. A
    report on its way to the signature goes back to borrador, whatever a worker is doing with it.
    """
    _bloquear(analisis)
    informe = Informe.objects.get(solicitud=analisis.solicitud_id)
    analisis.refresh_from_db()
    exigir_reversible(analisis, informe, actor)
    estado_previo = analisis.estado
    evento, resultado = _volver_a_la_mesa(
        analisis, Accion.REVERTIR, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en
    )
    if informe.estado in INFORME[Accion.REABRIR].de:
        avanzar(
            informe, Accion.REABRIR, tabla=INFORME, actor=None,
            datos={"reversion_de": analisis.pk, "partida": informe.solicitud.partida_id},
            cambios=EN_BORRADOR,
        )  # fmt: skip
    return Reversion.objects.create(
        expediente=analisis.expediente,
        analisis=analisis,
        resultado=resultado,
        autor=actor,
        motivo=motivo,
        texto=texto,
        desde_estado=estado_previo,
        ocurrio_en=evento.ocurrio_en,
    )


# What a report that goes back to the bench knew of its signature.
EN_BORRADOR: dict[str, Any] = {
    "condiciones": [], "firmar_desde": None, "huella": "", "reclamo_hasta": None, "autoriza": None, "falla": "",
}  # fmt: skip


def _volver_a_la_mesa(analisis: Analisis, accion: str, **dicho: Any) -> tuple[Evento, Resultado | None]:
    """Step an analysis back: its result stays on record, out of force, and the sample is on the bench again."""
    resultado = analisis.resultado
    evento = avanzar(
        analisis, accion, tabla=ANALISIS, datos={"valor": resultado.valor if resultado else ""},
        cambios={"verificado_en": None}, **dicho,
    )  # fmt: skip
    if resultado:
        resultado.vigente = False
        resultado.save(update_fields=["vigente"])
    muestra = Muestra.objects.get(pk=analisis.muestra_id)
    if muestra.estado == EstadoMuestra.ANALIZADA:
        avanzar(muestra, Accion.RETOMAR, tabla=MUESTRA, actor=None)
    return evento, resultado


def _exigir_su_analista(analisis: Analisis, actor: Usuario) -> None:
    if Analisis.objects.only("analista_id").get(pk=analisis.pk).analista_id != actor.pk:
        raise RolImpide(_("Este análisis es de otro analista."))


# ── Physical closing and signature ────────────────────────────────────────────────────────────────


def _cerrar_si_completo(informe: Informe) -> None:
    """Cierre físico: by the system, always, when the last analysis is verified."""
    analisis = Analisis.objects.filter(solicitud=informe.solicitud_id).exclude(estado=EstadoAnalisis.CANCELADO)
    if informe.estado != EstadoInforme.BORRADOR or not analisis.exists():
        return
    if analisis.exclude(estado=EstadoAnalisis.VERIFICADO).exists():
        return
    avanzar(informe, Accion.CERRAR_FISICO, tabla=INFORME, actor=None, datos={"partida": informe.solicitud.partida_id})
    regla = ReglaFirma.objects.order_by("-version").first()
    condiciones = condiciones_de_firma_automatica(informe, regla)
    if regla and _puede_la_maquina(condiciones):
        avanzar(
            informe, Accion.PROGRAMAR_FIRMA, tabla=INFORME, actor=None,
            cambios={
                "condiciones": condiciones,
                "regla": regla,
                "firmar_desde": reloj.ahora() + timedelta(minutes=regla.gracia_minutos),
            },
        )  # fmt: skip
        timbre.tocar(tasks.barrer_informes)
    else:
        avanzar(
            informe, Accion.DERIVAR, tabla=INFORME, actor=None, cambios={"condiciones": condiciones, "regla": regla}
        )


def condiciones_de_firma_automatica(informe: Informe, regla: ReglaFirma | None) -> list[dict[str, Any]]:
    """Everything that must hold for the machine to sign, each with its answer (domain.md, section 3).

    «Ever» looks at every result on record, those reverted included.
    """
    suyos = Analisis.objects.filter(solicitud=informe.solicitud_id)
    resultados = Resultado.objects.filter(analisis__in=suyos)
    vigentes = resultados.filter(vigente=True)
    sin_verificar = suyos.exclude(estado=EstadoAnalisis.VERIFICADO).exists()
    try:
        certificado_sirve = bool(cargar_certificado())
    except CertificadoInutil:
        certificado_sirve = False
    condiciones = (
        ("Todos los análisis pedidos están verificados", suyos.exists() and not sin_verificar),
        ("Todos los resultados son negativos", not vigentes.exclude(valor=Valor.NEGATIVO).exists()),
        ("Ningún resultado fue nunca positivo ni indeterminado", not resultados.exclude(valor=Valor.NEGATIVO).exists()),
        (CERTIFICADO_SIRVE, certificado_sirve),
        ("La regla de firma automática está activa", bool(regla and regla.activa)),
    )
    return [{"condicion": texto, "cumple": bool(cumple)} for texto, cumple in condiciones]


def _puede_la_maquina(condiciones: list[dict[str, Any]]) -> bool:
    """Whether the machine may sign. A bad certificate alone does not send a report to the director: it waits in
    firma_fallida, and the machine signs as soon as the certificate is good."""
    return all(condicion["cumple"] for condicion in condiciones if condicion["condicion"] != CERTIFICADO_SIRVE)


def retener(*, informe: Informe, actor: Usuario, texto: str = "") -> Evento:
    """Keep the machine from signing during the grace time: the director will see to it."""
    return avanzar(informe, Accion.RETENER, tabla=INFORME, actor=actor, texto=texto, cambios={"firmar_desde": None})


@transaction.atomic
def ordenar_firma(*, informe: Informe, actor: Usuario) -> None:
    """The director authorises a report, or tries a failed signature again; a worker signs at once."""
    _reclamar(informe, actor=actor)
    timbre.tocar(tasks.barrer_informes)


def _huella(informe: Informe) -> str:
    """Fingerprint of what the report would say: every analysis, its result in force, its verifications."""
    filas = [
        [
            analisis.pk,
            analisis.estado,
            [
                [resultado.pk, resultado.valor, sorted(resultado.verificaciones.values_list("pk", flat=True))]
                for resultado in analisis.resultados.filter(vigente=True)
            ],
        ]
        for analisis in Analisis.objects.filter(solicitud=informe.solicitud_id).order_by("pk")
    ]
    return hashlib.sha256(json.dumps(filas).encode()).hexdigest()


@transaction.atomic
def devolver(
    *,
    informe: Informe,
    actor: Usuario,
    analisis: Sequence[Analisis],
    motivo: str,
    texto: str,
    ocurrio_en: datetime | None = None,
) -> Evento:
    """Give a report back instead of signing it. † `analisis`: those to be done again, each verified anew."""
    _bloquear(informe)
    if not analisis:
        raise DatoInvalido({"analisis": _("Marque qué análisis hay que volver a hacer.")})
    dicho: dict[str, Any] = {"actor": actor, "motivo": motivo, "texto": texto, "ocurrio_en": ocurrio_en}
    evento = avanzar(informe, Accion.DEVOLVER, tabla=INFORME, cambios=EN_BORRADOR, **dicho)
    for uno in analisis:
        _volver_a_la_mesa(uno, Accion.DEVOLVER, **dicho)
    return evento


def _reclamar(informe: Informe, *, actor: Usuario | None) -> None:
    _bloquear(informe)
    avanzar(
        informe, Accion.FIRMAR, tabla=INFORME, actor=actor,
        cambios={
            "autoriza": actor or informe.autoriza,
            "huella": _huella(informe),
            "reclamo_hasta": None,
            "falla": "",
        },
    )  # fmt: skip


def firmar_informe(*, informe_id: int) -> Documento | None:
    """Render, sign and publish one report that is ready for it; None when it was not, or could not be.

    Three steps: a short transaction claims it; the PDF is made and signed outside any transaction; a second
    short transaction checks that nothing moved meanwhile, stores it and emits. An unsigned report never leaves.
    """
    with transaction.atomic():
        informe = Informe.objects.select_related("solicitud").get(pk=informe_id)
        _bloquear(informe)
        informe.refresh_from_db()
        ahora = reloj.ahora()
        espera = {
            EstadoInforme.EN_GRACIA: informe.firmar_desde is None or informe.firmar_desde > ahora,
            EstadoInforme.FIRMA_FALLIDA: ahora - informe.estado_desde < REINTENTO,
            EstadoInforme.FIRMANDO: informe.reclamo_hasta is not None and informe.reclamo_hasta > ahora,
        }
        if espera.get(EstadoInforme(informe.estado), True):
            return None
        if informe.estado != EstadoInforme.FIRMANDO:
            condiciones = condiciones_de_firma_automatica(informe, ReglaFirma.objects.order_by("-version").first())
            # What a person authorised needs no rule; what a machine would sign is looked at anew each time.
            if informe.autoriza_id is None and not _puede_la_maquina(condiciones):
                avanzar(informe, Accion.DERIVAR, tabla=INFORME, actor=None, cambios={"condiciones": condiciones})
                return None
            _reclamar(informe, actor=None)
        informe.reclamo_hasta = ahora + RECLAMO
        informe.save(update_fields=["reclamo_hasta"])
        huella, reclamo = informe.huella, informe.reclamo_hasta

    cvd, emitido_en = documentos.nuevo_cvd(), reloj.ahora()
    try:
        certificado = cargar_certificado()
        pdf = componer_informe(
            informe, version=informe.version, cvd=cvd, emitido_en=emitido_en, certificado=certificado
        )
        pdf = firmar(pdf, certificado=certificado, motivo=f"Informe de ensayo {informe.numero}", lugar="Lima, Perú")
    except CertificadoInutil as error:
        _fallar(informe_id, reclamo, str(error))
        return None
    except Exception:
        registro.exception("no se pudo componer el informe %s", informe.numero)
        _fallar(informe_id, reclamo, str(_("No se pudo componer el PDF del informe: avise al administrador.")))
        return None
    preparado = documentos.preparar(pdf)
    with transaction.atomic():
        _bloquear(informe)
        informe = Informe.objects.select_related("solicitud__partida", "expediente").get(pk=informe_id)
        mio = informe.estado == EstadoInforme.FIRMANDO and informe.reclamo_hasta == reclamo
        if not mio or informe.huella != huella or _huella(informe) != huella:
            registro.info("el informe %s cambió mientras se firmaba: se descarta el PDF", informe.numero)
            return None
        return _emitir(informe, preparado=preparado, cvd=cvd, emitido_en=emitido_en)


def _emitir(informe: Informe, *, preparado: documentos.Preparado, cvd: str, emitido_en: datetime) -> Documento:
    partida = informe.solicitud.partida
    vigentes = Resultado.objects.filter(analisis__solicitud=informe.solicitud_id, vigente=True).select_related("plaga")
    valores = {resultado.valor for resultado in vigentes}
    documento = documentos.publicar_documento(
        preparado=preparado,
        tipo=Documento.Tipo.INFORME,
        numero=informe.numero,
        version=informe.version,
        expediente=informe.expediente,
        partida=partida,
        cvd=cvd,
        firma=Documento.Firma.DIRECTOR if informe.autoriza_id else Documento.Firma.AUTOMATICA,
        regla_version=None if informe.autoriza_id or not informe.regla else informe.regla.version,
        emitido_en=emitido_en,
        conclusion=next(v for v in (Valor.POSITIVO, Valor.INDETERMINADO, Valor.NEGATIVO) if v in valores),
        impide_ingreso=any(
            resultado.valor == Valor.POSITIVO and resultado.plaga and resultado.plaga.cuarentenaria
            for resultado in vigentes
        ),
    )
    avanzar(
        informe, Accion.EMITIR, tabla=INFORME, actor=None, datos={"sha256": preparado.sha256, "firma": documento.firma},
        cambios={"documento": documento, "reclamo_hasta": None},
    )  # fmt: skip
    abiertos = Informe.objects.filter(solicitud__partida=partida)
    abiertos = abiertos.exclude(estado__in=[EstadoInforme.EMITIDO, EstadoInforme.ANULADO])
    if not abiertos.exists() and partida.estado == Estado.EN_LABORATORIO:
        avanzar(
            partida, AccionCaso.EMITIR, tabla=PARTIDA, actor=None,
            datos={"informe": informe.numero, "firma": documento.firma},
        )  # fmt: skip
    return documento


@transaction.atomic
def _fallar(informe_id: int, reclamo: datetime, falla: str) -> None:
    informe = Informe.objects.get(pk=informe_id)
    _bloquear(informe)
    informe.refresh_from_db()
    if informe.estado == EstadoInforme.FIRMANDO and informe.reclamo_hasta == reclamo:
        avanzar(
            informe, Accion.FALLAR, tabla=INFORME, actor=None, texto=falla,
            cambios={"falla": falla, "reclamo_hasta": None},
        )  # fmt: skip


def barrer_informes() -> int:
    """Sign whatever is ready: grace times that ended, orders of the director, claims of dead workers, failures."""
    ahora = reloj.ahora()
    listos = Informe.objects.filter(
        Q(estado=EstadoInforme.EN_GRACIA, firmar_desde__lte=ahora)
        | Q(estado=EstadoInforme.FIRMANDO) & (Q(reclamo_hasta=None) | Q(reclamo_hasta__lte=ahora))
        | Q(estado=EstadoInforme.FIRMA_FALLIDA, estado_desde__lte=ahora - REINTENTO)
    )
    firmados = 0
    for pk in listos.order_by("estado_desde").values_list("pk", flat=True)[:50]:
        try:
            firmados += firmar_informe(informe_id=pk) is not None
        except ActoRechazado:
            registro.info("otro acto se adelantó a la firma del informe %s", pk)
    return firmados

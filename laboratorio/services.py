"""The acts of the laboratory: one function each, keyword-only, one transaction, through `avanzar`.

All raise `ActoRechazado` (409 or 403) or `DatoInvalido` (back to the form) and then store nothing.
`ocurrio_en` is what the person says; None means now.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from expedientes import avisos, numeros
from expedientes.archivos import ArchivoNuevo
from expedientes.asignacion import quienes_atienden
from expedientes.lifecycle import PARTIDA, avanzar, trae_otro_registro
from expedientes.lifecycle import Accion as AccionCaso
from expedientes.models import Estado, Evento, Expediente, Partida, Plaga
from expedientes.services import guardar_adjunto, ronda_desde
from senasa import reloj
from senasa.models import Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from . import despachos, rotulos
from .enmiendas import retirar_documento, soltar_enmiendas
from .firmas import cerrar_si_completo
from .lifecycle import ANALISIS, INFORME, MUESTRA, Accion, bloquear
from .models import (
    ActaEliminacion,
    Analisis,
    Despacho,
    EstadoAnalisis,
    EstadoInforme,
    EstadoMuestra,
    Evidencia,
    HojaDeTrabajo,
    Informe,
    Metodo,
    Muestra,
    Requisito,
    Resultado,
    Rotulo,
    SolicitudAnalisis,
    Valor,
    Verificacion,
)
from .verificacion import impedimentos

registro = logging.getLogger(__name__)


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
    rotulo: Rotulo | None = None,
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Muestra:
    """Take a sample of the line. `cantidad` in `unidad` (kg, g, unidades…). A seal closes one sample only.

    `rotulo`: the blank label that was stuck on it, bound in the same act.
    """
    bloquear(partida)
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
    evento = avanzar(
        partida,
        AccionCaso.TOMAR_MUESTRA,
        tabla=PARTIDA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={"muestra": muestra.numero, "precinto": precinto, "cantidad": str(cantidad), "unidad": unidad},
    )
    muestra.tomada_en = evento.ocurrio_en  # one hour for the sample and for its entry
    muestra.save(update_fields=["tomada_en"])
    if rotulo:
        rotulos.rotular(muestra=muestra, rotulo=rotulo, actor=actor, ocurrio_en=ocurrio_en, texto=texto)
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
    despacho: Despacho | None = None,
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> SolicitudAnalisis:
    """Send the line's taken samples to the laboratory, each for all of `ensayos` (method, pest).

    They travel on a manifest: `despacho`, which left a short while ago and goes in the same car, or a new one.
    """
    bloquear(partida)
    muestras = list(partida.muestras.filter(estado=EstadoMuestra.TOMADA))
    partida.refresh_from_db()
    if partida.estado in PARTIDA[AccionCaso.ENVIAR].de and not muestras:
        raise EstadoImpide(_("Primero tome la muestra: no hay ninguna por enviar."))
    if not ensayos:
        raise DatoInvalido({"ensayos": _("Marque al menos un análisis.")})
    momento = ocurrio_en or reloj.ahora()
    # What another registry says was sent travelled without our manifests.
    if not trae_otro_registro():
        despacho = despachos.subir_a(
            despacho, puesto=partida.expediente.puesto, actor=actor, momento=momento, transporte=transporte
        )
        transporte = transporte or despacho.transporte
    solicitud = SolicitudAnalisis.objects.create(
        expediente=partida.expediente, partida=partida, enviada_en=momento, transporte=transporte, despacho=despacho
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
    evento = avanzar(
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
            "despacho": despacho.numero if despacho else "",
        },
    )
    solicitud.enviada_en = evento.ocurrio_en
    solicitud.save(update_fields=["enviada_en"])
    for muestra in muestras:
        avanzar(
            muestra, Accion.ENVIAR, tabla=MUESTRA, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
            datos={"despacho": despacho.numero if despacho else ""}, cambios={"solicitud": solicitud},
        )  # fmt: skip
    return solicitud


def guardar_evidencia(
    *, archivo: ArchivoNuevo, muestra: Muestra, actor: Usuario, resultado: Resultado | None = None
) -> Evidencia:
    """Keep a file of the laboratory's own within the caller's transaction; its act's `datos` name its sha256."""
    adjunto = guardar_adjunto(muestra.expediente, archivo, actor, reservado=resultado is not None)
    return Evidencia.objects.create(adjunto=adjunto, muestra=muestra, resultado=resultado)


# ── Reception ─────────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def recibir(
    *,
    muestra: Muestra,
    actor: Usuario,
    condicion: str,
    cantidad_recibida: Decimal,
    conservacion_al_llegar: str = "",
    observaciones: str = "",
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Evento:
    """Receive a sample at the laboratory, with the condition and the quantity it arrived in.

    `conservacion_al_llegar`: how it came; as it was sent, unless told. The last box of a manifest closes it.
    """
    conservacion_al_llegar = conservacion_al_llegar or muestra.conservacion
    if condicion == Muestra.Condicion.CON_OBSERVACIONES and not observaciones.strip():
        raise DatoInvalido({"observaciones": _("Escriba qué observó al recibirla.")})
    evento = avanzar(
        muestra,
        Accion.RECIBIR,
        tabla=MUESTRA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={
            "condicion": condicion,
            "cantidad_recibida": str(cantidad_recibida),
            "conservacion_al_llegar": conservacion_al_llegar,
        },
        cambios={
            "recibida_en": ocurrio_en or reloj.ahora(),
            "condicion": condicion,
            "conservacion_al_llegar": conservacion_al_llegar,
            "cantidad_recibida": cantidad_recibida,
            "observaciones": observaciones,
        },
    )
    muestra.recibida_en = evento.ocurrio_en
    muestra.save(update_fields=["recibida_en"])
    despachos.cerrar_si_llego_todo(muestra, actor)
    return evento


@transaction.atomic
def rechazar(
    *,
    muestra: Muestra,
    actor: Usuario,
    motivo: str,
    texto: str,
    fotos: Sequence[ArchivoNuevo] = (),
    ocurrio_en: datetime | None = None,
) -> Evento:
    """Refuse a sample. † Its analyses are cancelled; with no live sample left, the line goes back to the post.

    `fotos`: what shows why; the log keeps their fingerprints.
    """
    bloquear(muestra)
    guardadas = [guardar_evidencia(archivo=foto, muestra=muestra, actor=actor) for foto in fotos]
    datos = {"fotos": [una.adjunto.sha256 for una in guardadas]} if guardadas else {}
    return _dejar_sin_efecto(
        muestra, Accion.RECHAZAR, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en, datos=datos
    )


@transaction.atomic
def perder(*, muestra: Muestra, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None) -> Evento:
    """Give up a sample that was lost. † As with a refused one, the line may have to be sampled again."""
    bloquear(muestra)
    return _dejar_sin_efecto(muestra, Accion.PERDER, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en)


def _dejar_sin_efecto(muestra: Muestra, accion: str, *, actor: Usuario, texto: str, **dicho: Any) -> Evento:
    evento = avanzar(muestra, accion, tabla=MUESTRA, actor=actor, texto=texto, **dicho)
    despachos.cerrar_si_llego_todo(muestra, actor)
    for analisis in muestra.analisis.filter(estado__in=ANALISIS[Accion.CANCELAR].de):
        avanzar(analisis, Accion.CANCELAR, tabla=ANALISIS, actor=None, motivo="muestra-sin-efecto", texto=texto)
    if muestra.solicitud:
        _seguir(muestra.solicitud, por=muestra.numero)
    if trae_otro_registro():
        return evento
    avisos.deber_al_personal(
        quienes_atienden(muestra.expediente),
        "muestra_sin_efecto",
        clave=f"muestra_sin_efecto:{muestra.pk}",
        url=reverse("expediente", args=[muestra.expediente.numero]),
        por_correo=False,
        muestra=muestra,
        expediente=muestra.expediente,
        texto=texto,
    )
    return evento


@transaction.atomic
def anular_muestra(
    *, muestra: Muestra, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Annul a sample that has not left the post. †"""
    return avanzar(
        muestra, Accion.ANULAR_MUESTRA, tabla=MUESTRA, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en,
        datos={"muestra": muestra.numero},
    )  # fmt: skip


def _seguir(solicitud: SolicitudAnalisis, *, por: str) -> None:
    """What follows when analyses of `solicitud` fell away: its report is complete, or has nothing left to say.

    The line goes back to the post when no sample of its round is left, or on when the reports that remain are
    all out. `por`: what it happened through, for the log.
    """
    informe = Informe.objects.get(solicitud=solicitud)
    if solicitud.analisis.exclude(estado=EstadoAnalisis.CANCELADO).exists():
        cerrar_si_completo(informe)
        return
    if informe.estado in INFORME[Accion.ANULAR].de:
        evento = avanzar(informe, Accion.ANULAR, tabla=INFORME, actor=None)
        retirar_documento(informe, evento)
    partida = Partida.objects.select_related("expediente").get(pk=solicitud.partida_id)
    if partida.estado != Estado.EN_LABORATORIO or not partida.expediente.abierto:
        return
    desde = ronda_desde(partida)
    informes = Informe.objects.filter(solicitud__partida=partida).exclude(estado=EstadoInforme.ANULADO)
    if desde:
        informes = informes.filter(solicitud__enviada_en__gte=desde)
    if not informes.exists():
        avanzar(partida, AccionCaso.VOLVER_A_MUESTREAR, tabla=PARTIDA, actor=None, datos={"muestra": por})
    elif not informes.por_salir().exists():
        avanzar(partida, AccionCaso.EMITIR, tabla=PARTIDA, actor=None, datos={})


def soltar(expediente: Expediente, evento: Evento) -> None:
    """Leave the open work of a case that ended before its decision: nobody tests for nothing, nothing is signed."""
    soltar_enmiendas(expediente)
    sin_efecto: dict[str, Any] = {"actor": None, "motivo": "caso-terminado", "texto": str(evento)}
    for analisis in Analisis.objects.filter(expediente=expediente, estado__in=ANALISIS[Accion.CANCELAR].de):
        avanzar(analisis, Accion.CANCELAR, tabla=ANALISIS, **sin_efecto)
    for informe in Informe.objects.filter(expediente=expediente, estado__in=INFORME[Accion.ANULAR].de):
        avanzar(informe, Accion.ANULAR, tabla=INFORME, actor=None)
        retirar_documento(informe)
    for muestra in Muestra.objects.filter(expediente=expediente, estado=EstadoMuestra.TOMADA):
        avanzar(muestra, Accion.ANULAR_MUESTRA, tabla=MUESTRA, datos={"muestra": muestra.numero}, **sin_efecto)


# ── Cancelling, and the report on an early positive ───────────────────────────────────────────────


@transaction.atomic
def cancelar(
    *, analisis: Analisis, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Cancel an analysis that will not be finished. † Never one whose result says there is something."""
    bloquear(analisis)
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
    bloquear(informe)
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
    *,
    muestra: Muestra,
    actor: Usuario,
    lugar: str,
    hasta: date,
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Evento:
    """Keep what is left of a sample whose report is out. `lugar`: where it lies; `hasta`: the last day it is kept."""
    bloquear(muestra)
    if hasta < timezone.localdate(reloj.ahora()):
        raise DatoInvalido({"hasta": _("Esa fecha ya pasó: la contramuestra se guarda al menos hoy.")})
    if Informe.objects.filter(solicitud=muestra.solicitud_id).exclude(estado=EstadoInforme.EMITIDO).exists():
        raise EstadoImpide(_("El informe de %(muestra)s aún no sale: puede hacer falta.") % {"muestra": muestra})
    return avanzar(
        muestra, Accion.GUARDAR_CONTRAMUESTRA, tabla=MUESTRA, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
        datos={"lugar": lugar, "hasta": hasta.isoformat()},
        cambios={"contramuestra_lugar": lugar, "contramuestra_hasta": hasta},
    )  # fmt: skip


@transaction.atomic
def eliminar(*, muestra: Muestra, actor: Usuario, acta: ActaEliminacion) -> Evento:
    """Dispose of a retained duplicate that is past its date, under its record."""
    bloquear(muestra)
    muestra.refresh_from_db()
    if muestra.dirimencia_desde:
        raise EstadoImpide(_("%(muestra)s espera una dirimencia: no se toca.") % {"muestra": muestra})
    hasta = muestra.contramuestra_hasta
    if hasta and hasta >= timezone.localdate(acta.ocurrio_en):
        raise EstadoImpide(
            _("%(muestra)s se guarda hasta el %(hasta)s.") % {"muestra": muestra, "hasta": f"{hasta:%d/%m/%Y}"}
        )
    return avanzar(
        muestra, Accion.ELIMINAR, tabla=MUESTRA, actor=actor, datos={"acta": acta.numero}, cambios={"acta": acta}
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
    bloquear(analisis)
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
    bloquear(analisis)
    _exigir_su_analista(analisis, actor)
    if valor == Valor.POSITIVO and plaga is None:
        raise DatoInvalido({"plaga": _("Un resultado positivo dice qué plaga se halló.")})
    if valor not in Valor.values:
        raise DatoInvalido({"valor": _("Elija negativo, positivo o indeterminado.")})
    # On a sheet the controls of its run answer for what was read, whatever page it was typed on.
    hoja = HojaDeTrabajo.objects.select_for_update(of=["self"]).filter(
        renglones__analisis=analisis, renglones__abierto=True
    ).first()  # fmt: skip
    corrida: dict[str, Any] = {"hoja": hoja.numero, "corrida": hoja.corrida} if hoja else {}
    evento = avanzar(
        analisis,
        Accion.REGISTRAR,
        tabla=ANALISIS,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={"valor": valor, "plaga": plaga.eppo if plaga else "", "lectura": lectura, **corrida},
    )
    return Resultado.objects.create(
        analisis=analisis,
        valor=valor,
        plaga=plaga if valor == Valor.POSITIVO else None,
        lectura=lectura,
        observaciones=observaciones,
        registrado_por=actor,
        ocurrio_en=evento.ocurrio_en,
        hoja=hoja,
        corrida=hoja.corrida if hoja else None,
        sustituye=analisis.resultados.order_by("-id").first(),
    )


@transaction.atomic
def repetir(
    *, analisis: Analisis, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Evento:
    """Begin the test anew before there is a result: a control failed, the run was lost. †"""
    bloquear(analisis)
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
    bloquear(analisis)
    resultado = analisis.resultado
    completa = resultado is not None and resultado.verificaciones.count() + 1 >= analisis.metodo.verificaciones
    evento = avanzar(
        analisis, Accion.VERIFICAR, tabla=ANALISIS, actor=actor, ocurrio_en=ocurrio_en, texto=texto, sigue=completa
    )
    if resultado is None:
        raise EstadoImpide(_("El análisis no tiene un resultado vigente."))
    if visto is not None and visto != resultado.pk:
        raise EstadoImpide(_("Mientras tanto se registró otro resultado: véalo antes de verificarlo."))
    if resultado.hoja_id:  # no control fails while its results are being verified
        HojaDeTrabajo.objects.select_for_update().get(pk=resultado.hoja_id)
    if impedimento := impedimentos([(analisis, resultado)], actor).get(analisis.pk):
        raise impedimento
    Verificacion.objects.create(resultado=resultado, verificador=actor, ocurrio_en=evento.ocurrio_en)
    if completa:
        avanzar(analisis, Accion.COMPLETAR, tabla=ANALISIS, actor=None, cambios={"verificado_en": evento.ocurrio_en})
        _completar_muestra(analisis)
        cerrar_si_completo(Informe.objects.get(solicitud=analisis.solicitud_id))
    return evento


def _completar_muestra(analisis: Analisis) -> None:
    """Its sample is analysed when nothing of it is left on the bench."""
    muestra = Muestra.objects.get(pk=analisis.muestra_id)
    quedan = muestra.analisis.exclude(estado__in=[EstadoAnalisis.VERIFICADO, EstadoAnalisis.CANCELADO])
    if not quedan.exists() and muestra.estado == EstadoMuestra.EN_ANALISIS:
        avanzar(muestra, Accion.COMPLETAR, tabla=MUESTRA, actor=None)


def _exigir_su_analista(analisis: Analisis, actor: Usuario) -> None:
    if Analisis.objects.only("analista_id").get(pk=analisis.pk).analista_id != actor.pk:
        raise RolImpide(_("Este análisis es de otro analista."))

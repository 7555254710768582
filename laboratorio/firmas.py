"""Physical closing and signature: who signs a report, and how it leaves signed or not at all.

Rendering and signing stand outside any transaction; a short one before claims the report and a short one after
checks that nothing moved meanwhile. All raise what `services` raises.
"""

import hashlib
import json
import logging
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from expedientes import documentos
from expedientes.firma import CertificadoInutil, cargar_certificado, firmar
from expedientes.lifecycle import PARTIDA, avanzar
from expedientes.lifecycle import Accion as AccionCaso
from expedientes.models import Documento, Estado, Evento
from senasa import reloj, timbre
from senasa.models import Usuario
from senasa.transicion import ActoRechazado

from . import tasks
from .informes import componer_informe
from .lifecycle import INFORME, Accion, bloquear
from .models import Analisis, EstadoAnalisis, EstadoInforme, Informe, ReglaFirma, Resultado, Valor
from .verificacion import controles_conformes

registro = logging.getLogger(__name__)

# A worker that dies while it signs loses its claim after this long; rendering and signing take about 0.2 s, and
# of two who sign after all only the one whose claim still stands may publish.
RECLAMO = timedelta(seconds=20)
# How often a failed signature is tried again by itself, for when the certificate has been put right.
REINTENTO = timedelta(seconds=60)
CERTIFICADO_SIRVE = "El certificado de la institución sirve"


def cerrar_si_completo(informe: Informe) -> None:
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
        ("Los controles de cada corrida son conformes", controles_conformes(vigentes)),
        (CERTIFICADO_SIRVE, certificado_sirve),
        ("La regla de firma automática está activa", bool(regla and regla.activa)),
        ("Es la primera versión del informe", informe.version == 1),
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
    vigentes = (
        Resultado.objects.filter(analisis__solicitud=informe.solicitud_id, vigente=True)
        .order_by("pk")
        .annotate(
            por=ArrayAgg("verificaciones__pk", filter=Q(verificaciones__isnull=False), order_by="verificaciones__pk")
        )
    )
    filas = [
        list(Analisis.objects.filter(solicitud=informe.solicitud_id).order_by("pk").values_list("pk", "estado")),
        list(vigentes.values_list("pk", "analisis", "valor", "por")),
    ]
    return hashlib.sha256(json.dumps(filas).encode()).hexdigest()


def _reclamar(informe: Informe, *, actor: Usuario | None) -> None:
    bloquear(informe)
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
        bloquear(informe)
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
        bloquear(informe)
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
        reemplaza=informe.documento,
        causa=informe.causa,
    )
    avanzar(
        informe, Accion.CORREGIR if informe.documento else Accion.EMITIR, tabla=INFORME, actor=None,
        datos={"sha256": preparado.sha256, "firma": documento.firma, "documento": str(documento)},
        cambios={"documento": documento, "reclamo_hasta": None}, partida=partida,
    )  # fmt: skip
    abiertos = Informe.objects.filter(solicitud__partida=partida).por_salir()
    if not abiertos.exists() and partida.estado == Estado.EN_LABORATORIO:
        avanzar(
            partida, AccionCaso.EMITIR, tabla=PARTIDA, actor=None,
            datos={"informe": informe.numero, "firma": documento.firma},
        )  # fmt: skip
    return documento


@transaction.atomic
def _fallar(informe_id: int, reclamo: datetime, falla: str) -> None:
    informe = Informe.objects.get(pk=informe_id)
    bloquear(informe)
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

"""Physical closing and signature: who signs a report, and how it leaves signed or not at all.

Rendering and signing stand outside any transaction; a short one before claims the report and a short one after
checks that nothing moved meanwhile. All raise what `services` raises.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import transaction
from django.db.models import Max, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from expedientes import avisos, documentos, lectura
from expedientes.asignacion import quienes_atienden
from expedientes.firma import (
    CertificadoInutil,
    ajeno,
    cargar_certificado,
    con_lugar_para_la_firma,
    firmar,
    fuera_es_demostracion,
    revisar_firmado,
)
from expedientes.lifecycle import PARTIDA, avanzar
from expedientes.lifecycle import Accion as AccionCaso
from expedientes.models import Documento, Estado, Evento, Expediente, Partida
from senasa import reloj, timbre
from senasa.models import Rol, Usuario
from senasa.transicion import ActoRechazado, EstadoImpide

from . import certificados, reglas, suplencias, tasks
from .informes import componer_informe
from .lifecycle import INFORME, Accion, bloquear
from .models import Analisis, EstadoAnalisis, EstadoInforme, FirmaFuera, Informe, ReglaFirma, Resultado, Valor
from .verificacion import controles_conformes

registro = logging.getLogger(__name__)

# A worker that dies while it signs loses its claim after this long; rendering and signing take about 0.2 s, and
# of two who sign after all only the one whose claim still stands may publish.
RECLAMO = timedelta(seconds=20)
# How often a failed signature is tried again by itself, for when the certificate has been put right.
REINTENTO = timedelta(seconds=60)
# How long a report that is being signed outside waits for its file.
FUERA_DURA = timedelta(hours=24)
# What a report says besides results and samples.
DICE = (
    "expediente__importador", "expediente__puesto", "solicitud__partida__producto", "solicitud__partida__pais_origen",
    "autoriza", "suplencia", "regla", "documento",
)  # fmt: skip
CERTIFICADO_SIRVE = "El certificado de la institución sirve"


def cerrar_si_completo(informe: Informe) -> None:
    """Cierre físico: by the system, always, when the last analysis is verified."""
    analisis = Analisis.objects.filter(solicitud=informe.solicitud_id).exclude(estado=EstadoAnalisis.CANCELADO)
    if informe.estado != EstadoInforme.BORRADOR or not analisis.exists():
        return
    if analisis.exclude(estado=EstadoAnalisis.VERIFICADO).exists():
        return
    avanzar(informe, Accion.CERRAR_FISICO, tabla=INFORME, actor=None, datos={"partida": informe.solicitud.partida_id})
    regla = reglas.vigente()
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
        (
            "La regla cubre el producto, los métodos y las disciplinas",
            bool(regla and reglas.cubre(regla, informe.solicitud)),
        ),
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
def ordenar_firma(*, informe: Informe, actor: Usuario, visto: str = "") -> None:
    """The director authorises a report, or tries a failed signature again; a worker signs at once.

    `visto`: the fingerprint of the results that he had before his eyes; others by now are refused.
    """
    _reclamar(informe, actor=actor)
    if visto and informe.huella != visto:
        raise EstadoImpide(_("Sus resultados cambiaron desde que los vio."))
    timbre.tocar(tasks.barrer_informes)


def huella(informe: Informe) -> str:
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


def _reclamar(informe: Informe, *, actor: Usuario | None, **cambios: Any) -> None:
    bloquear(informe)
    avanzar(
        informe, Accion.FIRMAR, tabla=INFORME, actor=actor,
        cambios={
            **(_de_quien_autoriza(actor) if actor else {}),
            "huella": huella(informe),
            "reclamo_hasta": None,
            "falla": "",
            **cambios,
        },
    )  # fmt: skip


def _de_quien_autoriza(actor: Usuario) -> dict[str, Any]:
    """Who answers for the report, and in whose stead."""
    return {"autoriza": actor, "suplencia": None if Rol.DIRECTOR in actor.roles else actor.suplencia}


def firmar_informe(*, informe_id: int) -> Documento | None:
    """Render, sign and publish one report that is ready for it; None when it was not, or could not be.

    Three steps: a short transaction claims it; the PDF is made and signed outside any transaction; a second
    short transaction checks that nothing moved meanwhile, stores it and emits. An unsigned report never leaves.
    """
    with transaction.atomic():
        informe = _bloqueado(informe_id, *DICE)
        ahora = reloj.ahora()
        espera = {
            EstadoInforme.EN_GRACIA: informe.firmar_desde is None or informe.firmar_desde > ahora,
            EstadoInforme.FIRMA_FALLIDA: ahora - informe.estado_desde < REINTENTO,
            EstadoInforme.FIRMANDO: informe.reclamo_hasta is not None and informe.reclamo_hasta > ahora,
        }
        if espera.get(EstadoInforme(informe.estado), True):
            return None
        if informe.estado != EstadoInforme.FIRMANDO:
            if informe.autoriza_id is not None:  # what a person authorised needs no rule
                _reclamar(informe, actor=None)
            else:  # what a machine would sign is looked at anew each time, under the rule of that moment
                regla = reglas.vigente()
                condiciones = condiciones_de_firma_automatica(informe, regla)
                if not _puede_la_maquina(condiciones):
                    avanzar(informe, Accion.DERIVAR, tabla=INFORME, actor=None, cambios={"condiciones": condiciones})
                    return None
                _reclamar(informe, actor=None, regla=regla, condiciones=condiciones)
        informe.reclamo_hasta = ahora + RECLAMO
        informe.save(update_fields=["reclamo_hasta"])
        lo_visto, reclamo = informe.huella, informe.reclamo_hasta

    cvd, emitido_en = documentos.nuevo_cvd(), reloj.ahora()
    try:
        certificado = certificados.para_firmar(informe)
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
        informe = _bloqueado(informe_id, "solicitud__partida", "expediente")
        mio = informe.estado == EstadoInforme.FIRMANDO and informe.reclamo_hasta == reclamo
        if not mio or informe.huella != lo_visto or huella(informe) != lo_visto:
            registro.info("el informe %s cambió mientras se firmaba: se descarta el PDF", informe.numero)
            return None
        return _emitir(informe, preparado=preparado, cvd=cvd, emitido_en=emitido_en, titular=certificado.titular)


def _bloqueado(informe_id: int, *con: str) -> Informe:
    """The report as it is under its case's lock, read together with what hangs from it."""
    Expediente.objects.select_for_update(of=("self",)).get(informes=informe_id)
    return Informe.objects.select_related(*con).get(pk=informe_id)


def _emitir(
    informe: Informe, *, preparado: documentos.Preparado, cvd: str, emitido_en: datetime, titular: str
) -> Documento:
    partida = informe.solicitud.partida
    otros = Informe.objects.filter(solicitud__partida=partida).por_salir().exclude(pk=informe.pk)
    sale_la_partida = partida.estado == Estado.EN_LABORATORIO and not otros.exists()
    vigentes = Resultado.objects.filter(analisis__solicitud=informe.solicitud_id, vigente=True).select_related("plaga")
    valores = {resultado.valor for resultado in vigentes}
    suyos = Analisis.objects.filter(solicitud=informe.solicitud_id, estado=EstadoAnalisis.VERIFICADO)
    ahora = reloj.ahora()
    documento = documentos.publicar_documento(
        preparado=preparado,
        tipo=Documento.Tipo.INFORME,
        numero=informe.numero,
        version=informe.version,
        expediente=informe.expediente,
        partida=partida,
        cvd=cvd,
        firma=_como_se_firma(informe),
        titular=titular,
        regla_version=None if informe.autoriza_id or not informe.regla else informe.regla.version,
        emitido_en=emitido_en,
        publicado_en=ahora,
        ensayado_en=suyos.aggregate(ultimo=Max("verificado_en"))["ultimo"],
        conclusion=next(v for v in (Valor.POSITIVO, Valor.INDETERMINADO, Valor.NEGATIVO) if v in valores),
        impide_ingreso=any(
            resultado.valor == Valor.POSITIVO and resultado.plaga and resultado.plaga.cuarentenaria
            for resultado in vigentes
        ),
        reemplaza=informe.documento,
        causa=informe.causa,
    )
    avanzar(
        informe, Accion.CORREGIR if informe.documento else Accion.EMITIR, tabla=INFORME, actor=None, ocurrio_en=ahora,
        datos={"sha256": preparado.sha256, "firma": documento.firma, "documento": str(documento)},
        cambios={"documento": documento, "reclamo_hasta": None}, partida=partida, sigue=sale_la_partida,
    )  # fmt: skip
    if sale_la_partida:
        avanzar(
            partida, AccionCaso.EMITIR, tabla=PARTIDA, actor=None,
            datos={"informe": informe.numero, "firma": documento.firma},
        )  # fmt: skip
    _avisar_al_personal(documento, partida)
    return documento


def _avisar_al_personal(documento: Documento, partida: Partida) -> None:
    """The bell of whoever decides on it; of a positive, also that of the director, who is written to as well."""
    datos: dict[str, Any] = {"documento": documento, "partida": partida, "expediente": partida.expediente}
    ficha: dict[str, Any] = {
        "url": reverse("expediente", args=[partida.expediente.numero]),
        "referencia": lectura.referencia(documento),
    }
    quienes = quienes_atienden(partida.expediente)
    avisos.deber_al_personal(
        quienes, "informe_para_dictaminar", clave=f"informe:{documento.pk}", por_correo=False, **ficha, **datos
    )
    if documento.conclusion == Documento.Conclusion.POSITIVO:
        avisos.deber_al_personal(
            suplencias.directores(), "informe_positivo", clave=f"positivo:{documento.pk}", **ficha, **datos
        )


def _como_se_firma(informe: Informe) -> str:
    if informe.autoriza_id is None:
        return Documento.Firma.AUTOMATICA
    return Documento.Firma.SUPLENTE if informe.suplencia_id else Documento.Firma.DIRECTOR


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


# ── Signed outside ────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def firmar_fuera(*, informe: Informe, actor: Usuario) -> FirmaFuera:
    """The director takes the report to sign it with a certificate that is not here; a worker makes its PDF at once.

    Number, version, code and hour are fixed from then on. It waits for the signed file for FUERA_DURA.
    """
    bloquear(informe)
    informe.firmas_fuera.filter(terminada_en=None).update(  # of before the report went back to the bench
        terminada_en=reloj.ahora(), final=FirmaFuera.Final.SIN_EFECTO, pdf=None
    )
    vista = huella(informe)
    avanzar(
        informe, Accion.FIRMAR_FUERA, tabla=INFORME, actor=actor,
        cambios={**_de_quien_autoriza(actor), "huella": vista, "reclamo_hasta": None, "falla": ""},
    )  # fmt: skip
    fuera = FirmaFuera.objects.create(
        informe=informe,
        firmante=actor,
        version=informe.version,
        cvd=documentos.nuevo_cvd(),
        huella=vista,
        pedida_en=reloj.ahora(),
        vence_en=reloj.ahora() + FUERA_DURA,
    )
    timbre.tocar(tasks.barrer_informes)
    return fuera


def fuera_de(informe: Informe) -> FirmaFuera | None:
    """The signature that `informe` waits for from outside, if it does."""
    if informe.estado != EstadoInforme.FIRMANDO_FUERA:
        return None
    return informe.firmas_fuera.filter(terminada_en=None).select_related("firmante").first()


@transaction.atomic
def dejar_de_firmar_fuera(
    *, informe: Informe, actor: Usuario | None, final: str = FirmaFuera.Final.DEJADA, texto: str = ""
) -> Evento:
    """Give it up: the report waits for the director again, and the PDF that was handed out is worth nothing."""
    bloquear(informe)
    evento = avanzar(
        informe, Accion.DEJAR_DE_FIRMAR_FUERA, tabla=INFORME, actor=actor, texto=texto,
        cambios={"autoriza": None, "suplencia": None, "huella": ""},
    )  # fmt: skip
    informe.firmas_fuera.filter(terminada_en=None).update(terminada_en=reloj.ahora(), final=final, pdf=None)
    return evento


@dataclass(frozen=True)
class Subido:
    """A signed file that was looked at, safe on the disk, and what it answers."""

    fuera: FirmaFuera
    preparado: documentos.Preparado
    titular: str


def revisar_subido(*, informe: Informe, actor: Usuario, contenido: bytes) -> Subido:
    """Look at the file that came back, outside any transaction; raises CertificadoInutil with the reason."""
    fuera = fuera_de(informe)
    if fuera is None or fuera.pdf is None:
        raise CertificadoInutil(_("Este informe no espera ningún archivo firmado."))
    if fuera.firmante_id != actor.pk:
        raise CertificadoInutil(_("Lo pidió %(quien)s: lo sube quien lo firma.") % {"quien": fuera.firmante})
    certificado = revisar_firmado(bytes(fuera.pdf), contenido)
    if not certificados.es_de(actor, certificado.titular):
        raise CertificadoInutil(
            _("Lo firmó «%(titular)s», no %(quien)s.") % {"titular": certificado.titular, "quien": actor}
        )
    if certificado.es_demostracion and not fuera_es_demostracion():
        raise CertificadoInutil(_("El certificado es de demostración, y el informe no lo dice."))
    return Subido(fuera, documentos.preparar(contenido), certificado.titular)


@transaction.atomic
def subir_firmado(*, informe: Informe, actor: Usuario, subido: Subido) -> Documento:
    """Publish what was signed outside, unless the report moved since it was handed out."""
    bloquear(informe)
    avanzar(informe, Accion.SUBIR_FIRMADO, tabla=INFORME, actor=actor)
    informe = Informe.objects.select_related("solicitud__partida", "expediente").get(pk=informe.pk)
    fuera = informe.firmas_fuera.filter(pk=subido.fuera.pk, terminada_en=None, version=informe.version).first()
    if fuera is None or fuera.emitido_en is None or fuera.huella != huella(informe):
        raise EstadoImpide(_("El informe cambió desde que se le entregó: pídalo otra vez para firmarlo."))
    documento = _emitir(
        informe, preparado=subido.preparado, cvd=fuera.cvd, emitido_en=fuera.emitido_en, titular=subido.titular
    )
    FirmaFuera.objects.filter(pk=fuera.pk).update(terminada_en=reloj.ahora(), final=FirmaFuera.Final.EMITIDA, pdf=None)
    return documento


def _atender_fuera(fuera: FirmaFuera) -> None:
    """Make the PDF to be signed outside, or close what nobody waits for any more."""
    informe = Informe.objects.select_related("solicitud").get(pk=fuera.informe_id)
    if informe.estado != EstadoInforme.FIRMANDO_FUERA:
        FirmaFuera.objects.filter(pk=fuera.pk, terminada_en=None).update(
            terminada_en=reloj.ahora(), final=FirmaFuera.Final.SIN_EFECTO, pdf=None
        )
        return
    if fuera.vence_en <= reloj.ahora():
        dejar_de_firmar_fuera(informe=informe, actor=None, final=FirmaFuera.Final.VENCIDA)
        return
    emitido_en = reloj.ahora()
    try:
        pdf = componer_informe(
            informe, version=fuera.version, cvd=fuera.cvd, emitido_en=emitido_en, fuera=True,
            certificado=ajeno(str(fuera.firmante)),
        )  # fmt: skip
        pdf = con_lugar_para_la_firma(pdf)
    except Exception:
        registro.exception("no se pudo componer el informe %s", informe.numero)
        falla = str(_("No se pudo componer el PDF del informe: avise al administrador."))
        dejar_de_firmar_fuera(informe=informe, actor=None, texto=falla)
        return
    # Of two who made it, the first one's is handed out.
    FirmaFuera.objects.filter(pk=fuera.pk, terminada_en=None, pdf=None).update(pdf=pdf, emitido_en=emitido_en)


def barrer_informes() -> int:
    """Sign whatever is ready: grace times that ended, orders of the director, claims of dead workers, failures.

    And make the PDFs that somebody signs outside.
    """
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
    abiertas = FirmaFuera.objects.filter(terminada_en=None).select_related("firmante")
    por_atender = Q(pdf=None) | Q(vence_en__lte=ahora) | ~Q(informe__estado=EstadoInforme.FIRMANDO_FUERA)
    for fuera in abiertas.filter(por_atender).defer("pdf").order_by("pk")[:50]:
        try:
            _atender_fuera(fuera)
        except ActoRechazado:
            registro.info("otro acto se adelantó a la firma fuera del informe %s", fuera.informe_id)
    return firmados

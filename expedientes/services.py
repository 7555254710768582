"""The acts of a case: one function each, keyword-only, one transaction, through `lifecycle.avanzar`.

All raise `ActoRechazado` (409 or 403) or `DatoInvalido` (back to the form) and then store nothing.
`ocurrio_en` is what the person says; None means now.
"""

import hashlib
import logging
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from notificaciones import enlaces
from senasa import reloj, timbre
from senasa.models import Puesto, Usuario
from senasa.transicion import ActoRechazado, DatoInvalido, EstadoImpide

from . import avisos, bitacora, documentos, entregas, lectura, numeros, tasks
from .archivos import ArchivoNuevo
from .firma import CertificadoInutil, cargar_certificado, firmar
from .lifecycle import EXPEDIENTE, PARTIDA, Accion, avanzar, exigir, exigir_motivo
from .models import (
    ABIERTOS,
    Adjunto,
    AgenteAduana,
    Contenedor,
    Dictamen,
    Documento,
    Estado,
    Evento,
    Expediente,
    Importador,
    InformeEnPapel,
    Medida,
    Pais,
    Partida,
    Producto,
)
from .plazos import vencimiento
from .riv import componer_riv
from .textos import Audiencia

registro = logging.getLogger(__name__)

REINTENTO_DE_RIV = timedelta(seconds=60)


@dataclass(frozen=True)
class PartidaNueva:
    """A line as it is asked for. `contenedores`: (number, seal) pairs, ISO 6346 numbers."""

    producto: Producto
    pais_origen: Pais
    peso_neto_kg: Decimal
    envases: str = ""
    bodegas: str = ""
    contenedores: Sequence[tuple[str, str]] = ()


# ── Registration ──────────────────────────────────────────────────────────────────────────────────


def posibles_duplicados(*, certificado: str, dam: str, suce: str) -> list[Expediente]:
    """Open or closed cases that carry the same certificate, DAM or SUCE."""
    iguales = Q()
    for campo, valor in (("certificado", certificado), ("dam", dam), ("suce", suce)):
        if valor:
            iguales |= Q(**{f"{campo}__iexact": valor})
    return list(Expediente.objects.filter(iguales).order_by("-id")[:5]) if iguales else []


@transaction.atomic
def registrar(
    *,
    actor: Usuario | None,
    puesto: Puesto,
    importador: Importador,
    partidas: Sequence[PartidaNueva],
    datos: dict[str, Any],
    agente: AgenteAduana | None = None,
    adjuntos: Sequence[ArchivoNuevo] = (),
    envio: uuid.UUID | None = None,
    ocurrio_en: datetime | None = None,
    texto: str = "",
    solicitante: str = "",
) -> Expediente:
    """Register an inspection request and owe the importer the link. The same `envio` makes one case.

    Without `actor` it is the importer's own, from the public form, and `solicitante` the address that sent
    it. `importador` and `agente` may be new, not yet saved. `datos`: the other fields of Expediente (pfi,
    certificado, transporte, pais_exportacion, …).
    """
    if not partidas:
        raise DatoInvalido({"partidas": _("Agregue al menos una partida.")})
    envio = envio or uuid.uuid4()
    momento = ocurrio_en or reloj.ahora()
    expediente, nuevo = Expediente.objects.get_or_create(
        envio=envio,
        defaults={
            **datos,
            "numero": f"{puesto.codigo}-{envio.hex[:12]}",
            "puesto": puesto,
            "importador": guardar_persona(importador),
            "agente": guardar_persona(agente) if agente else None,
        },
    )
    if not nuevo:
        return expediente
    # The number is taken once the row is ours: twenty equal posts at once take one number.
    expediente.numero = numeros.siguiente(puesto.codigo)
    expediente.save(update_fields=["numero"])
    for orden, pedida in enumerate(partidas, start=1):
        partida = Partida(
            expediente=expediente,
            orden=orden,
            producto=pedida.producto,
            pais_origen=pedida.pais_origen,
            peso_neto_kg=pedida.peso_neto_kg,
            envases=pedida.envases,
            bodegas=pedida.bodegas,
            estado_desde=momento,
        )
        partida.vence_en = vencimiento(partida)
        partida.save()
        Contenedor.objects.bulk_create(
            Contenedor(partida=partida, numero=numero, precinto=precinto) for numero, precinto in pedida.contenedores
        )
    guardados = [guardar_adjunto(expediente, archivo, actor) for archivo in adjuntos]
    avanzar(
        expediente,
        Accion.REGISTRAR,
        tabla=EXPEDIENTE,
        actor=actor,
        origen="" if actor else Evento.Origen.IMPORTADOR,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={
            "partidas": len(partidas),
            "adjuntos": [adjunto.sha256 for adjunto in guardados],
            **({"solicitante": solicitante} if solicitante else {}),
        },
    )
    return expediente


def guardar_persona(persona: Importador | AgenteAduana) -> Any:
    """The person on record with that document; two clerks who enter the same new one at once make one."""
    if persona.pk:
        return persona
    campos = ("nombre", "correo", "telefono", "direccion")
    return type(persona).objects.get_or_create(
        tipo_documento=persona.tipo_documento,
        numero_documento=persona.numero_documento,
        defaults={campo: getattr(persona, campo) for campo in campos},
    )[0]


def guardar_adjunto(
    expediente: Expediente, archivo: ArchivoNuevo, actor: Usuario | None, *, reservado: bool = False
) -> Adjunto:
    adjunto = Adjunto(
        expediente=expediente,
        nombre=archivo.nombre,
        tipo=archivo.tipo,
        sha256=hashlib.sha256(archivo.contenido).hexdigest(),
        subido_en=reloj.ahora(),
        subido_por=actor,
        reservado=reservado,
    )
    # Renamed: what the uploader calls a file never reaches the disk.
    adjunto.archivo.save(uuid.uuid4().hex, ContentFile(archivo.contenido), save=False)
    adjunto.save()
    return adjunto


# ── At the post ───────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def programar(
    *,
    partida: Partida,
    actor: Usuario,
    cita_en: datetime,
    terminal: str,
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Evento:
    """Set the hour and the terminal of the inspection; again, to change them."""
    if cita_en < (ocurrio_en or reloj.ahora()) - timedelta(minutes=1):
        raise DatoInvalido({"cita_en": _("La inspección se programa para una hora que aún no pasó.")})
    _bloquear(partida)
    partida.refresh_from_db()
    if (partida.cita_en, partida.terminal) == (cita_en, terminal):
        raise EstadoImpide(_("%(partida)s ya está programada para esa hora y ese lugar.") % {"partida": partida})
    return avanzar(
        partida,
        Accion.PROGRAMAR,
        tabla=PARTIDA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={"cita_en": cita_en.isoformat(), "terminal": terminal},
        cambios={"cita_en": cita_en, "terminal": terminal, "no_presentada_en": None},
    )


def no_presentada(*, partida: Partida, actor: Usuario, texto: str = "", ocurrio_en: datetime | None = None) -> Evento:
    """The cargo was not there to be inspected: its clock stands still until a new hour is set."""
    if partida.cita_en is None:
        raise EstadoImpide(_("%(partida)s no tiene una inspección programada.") % {"partida": partida})
    return avanzar(
        partida,
        Accion.NO_PRESENTADA,
        tabla=PARTIDA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos={"cita": partida.cita_en.isoformat()},
        cambios={"cita_en": None, "no_presentada_en": ocurrio_en or reloj.ahora()},
    )


def inspeccionar(
    *,
    partida: Partida,
    actor: Usuario,
    documentaria: str,
    identidad: str,
    fisica: str,
    texto: str = "",
    ocurrio_en: datetime | None = None,
) -> Evento:
    """Record the documentary, identity and physical checks. A failed one needs a text."""
    revisiones = {"documentaria": documentaria, "identidad": identidad, "fisica": fisica}
    if Partida.Inspeccion.NO_CONFORME in revisiones.values() and not texto.strip():
        raise DatoInvalido({"texto": _("Escriba qué no fue conforme.")})
    return avanzar(
        partida,
        Accion.INSPECCIONAR,
        tabla=PARTIDA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos=revisiones,
        cambios={**revisiones, "no_presentada_en": None},
    )


# ── The decision ──────────────────────────────────────────────────────────────────────────────────


# The acts after which the line is sampled anew, and what was found before says nothing of the goods as they are now.
NUEVA_RONDA = (Accion.REINSPECCIONAR, Accion.REABRIR_INSPECCION)


def ronda_desde(partida: Partida) -> datetime | None:
    """When the line's present round of sampling began; None for the first one."""
    vueltas = Evento.objects.filter(
        expediente=partida.expediente_id, objeto="partida", objeto_id=partida.pk,
        accion__in=NUEVA_RONDA,
    )  # fmt: skip
    return vueltas.order_by("n").values_list("registrado_en", flat=True).last()


def informes_vigentes(partida: Partida) -> list[Documento]:
    """The reports in force that a decision on the line would rest on: those of its present round."""
    return list(informes_de_la_ronda(partida).filter(estado=Documento.Estado.VIGENTE))


def informes_de_la_ronda(partida: Partida) -> QuerySet[Documento]:
    """Every version of the reports of its present round. A version is of the round that its first one was of: a
    report on goods as they were before a treatment stays so, however late it is corrected."""
    informes = partida.documentos.filter(tipo=Documento.Tipo.INFORME)
    desde = ronda_desde(partida)
    if desde is None:
        return informes
    return informes.exclude(numero__in=informes.filter(version=1, publicado_en__lte=desde).values("numero"))


def exigir_sin_revision(partida: Partida) -> None:
    """Refuse to decide on a line, or to order anything of it, while a report that it rests on is being corrected."""
    informe = informes_de_la_ronda(partida).filter(estado=Documento.Estado.EN_REVISION).first()
    if informe:
        raise EstadoImpide(
            _("El informe %(informe)s está en revisión: espere la versión corregida.") % {"informe": informe}
        )


def informes_en_papel(partida: Partida) -> list[InformeEnPapel]:
    """The reports on paper that a decision on the line would rest on: those of its first round."""
    return [] if ronda_desde(partida) else list(partida.informes_en_papel.all())


def exigir_que_quepa(partida: Partida, decision: str) -> None:
    """Refuse ingreso over a positive for an A1/A2 pest or an indeterminate result, signed here or on paper."""
    if decision != Dictamen.Decision.INGRESO:
        return
    fundan: list[Documento | InformeEnPapel] = [*informes_vigentes(partida), *informes_en_papel(partida)]
    for informe in fundan:
        if informe.impide_ingreso or informe.conclusion == Documento.Conclusion.INDETERMINADO:
            raise DatoInvalido(
                {
                    "decision": _("El informe %(informe)s no es negativo para plagas cuarentenarias: no cabe ingreso.")
                    % {"informe": informe}
                }
            )


@transaction.atomic
def dictaminar(
    *, partida: Partida, actor: Usuario, decision: str, fundamento: str, ocurrio_en: datetime | None = None
) -> Dictamen:
    """Decide on a line over its reports in force; the RIV is signed by the worker at once.

    No ingreso over a positive for an A1/A2 pest nor over an indeterminate result (domain.md, section 3).
    """
    _bloquear(partida)
    exigir_sin_revision(partida)
    exigir_que_quepa(partida, decision)
    return _decidir(
        partida, Accion.DICTAMINAR, actor=actor, decision=decision, fundamento=fundamento,
        informes=informes_vigentes(partida), en_papel=informes_en_papel(partida), ocurrio_en=ocurrio_en,
    )  # fmt: skip


@transaction.atomic
def dictaminar_negativa(*, partida: Partida, actor: Usuario, fundamento: str, visto: Collection[str]) -> Dictamen:
    """Ingreso for a line among many, over reports that are all negative and all of them in `visto`.

    `visto`: the versions whose conclusion the inspector read (`huella_de_informes`). A report that came meanwhile,
    or that is anything but negative, is decided on by itself: EstadoImpide.
    """
    _bloquear(partida)
    partida.refresh_from_db()
    exigir(partida, Accion.DICTAMINAR, actor, tabla=PARTIDA)
    informes = informes_vigentes(partida)
    if not informes or not set(huella_de_informes(informes)) <= set(visto):
        raise EstadoImpide(_("Sus informes cambiaron desde que los vio."))
    if informes_en_papel(partida) or any(uno.conclusion != Documento.Conclusion.NEGATIVO for uno in informes):
        raise EstadoImpide(_("No todo es negativo: se dictamina por separado, viendo sus informes."))
    return dictaminar(partida=partida, actor=actor, decision=Dictamen.Decision.INGRESO, fundamento=fundamento)


def huella_de_informes(informes: Iterable[Documento]) -> list[str]:
    return [f"{uno.numero}-V{uno.version}" for uno in informes]


# What the coded motives that object to the cargo allow to decide; a motive that is not here allows anything.
DECISIONES_CON_MOTIVO: dict[str, Sequence[str]] = {
    "documentos-no-conformes": [Dictamen.Decision.RECHAZO],
    "producto-no-autorizado": [Dictamen.Decision.RECHAZO],
    "sin-permiso": [Dictamen.Decision.RECHAZO],
    "plaga-a-la-vista": [Dictamen.Decision.RECHAZO, Dictamen.Decision.CONDICIONADO],
}


@transaction.atomic
def dictaminar_sin_muestra(
    *,
    partida: Partida,
    actor: Usuario,
    decision: str,
    motivo: str,
    texto: str,
    ocurrio_en: datetime | None = None,
) -> Dictamen:
    """Decide without the laboratory: a documentary rejection, or no sampling needed. † motive and text."""
    if decision not in DECISIONES_CON_MOTIVO.get(motivo, Dictamen.Decision.values):
        raise DatoInvalido({"motivo": _("Ese motivo es de rechazo: revise el motivo o la decisión.")})
    _bloquear(partida)
    return _decidir(
        partida, Accion.DICTAMINAR_SIN_MUESTRA, actor=actor, decision=decision, fundamento=texto, informes=[],
        motivo=motivo, ocurrio_en=ocurrio_en,
    )  # fmt: skip


def _bloquear(partida: Partida) -> None:
    """Take the case's lock before a number is taken, so that all take their locks in one order."""
    Expediente.objects.select_for_update().get(pk=partida.expediente_id)


def _decidir(
    partida: Partida,
    accion: str,
    *,
    actor: Usuario,
    decision: str,
    fundamento: str,
    informes: list[Documento],
    en_papel: Sequence[InformeEnPapel] = (),
    motivo: str = "",
    ocurrio_en: datetime | None,
) -> Dictamen:
    if motivo or accion == Accion.DICTAMINAR_SIN_MUESTRA:
        exigir_motivo(accion, motivo, fundamento)
    dictamen = Dictamen.objects.create(
        partida=partida,
        numero=numeros.siguiente("RIV"),
        decision=decision,
        fundamento=fundamento,
        inspector=actor,
        ocurrio_en=ocurrio_en or reloj.ahora(),
    )
    dictamen.informes.set(informes)
    dictamen.informes_en_papel.set(en_papel)
    evento = avanzar(
        partida,
        accion,
        tabla=PARTIDA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        motivo=motivo,
        texto=fundamento,
        datos={"riv": dictamen.numero, "decision": decision, "informes": [str(uno) for uno in [*informes, *en_papel]]},
    )
    # Whoever decides over a report has read it, wherever he read it.
    lectura.anotar(informes, actor)
    # One hour for the decision and for its entry.
    dictamen.ocurrio_en = evento.ocurrio_en
    dictamen.save(update_fields=["ocurrio_en"])
    timbre.tocar(tasks.barrer_documentos)
    return dictamen


def emitir_riv(*, dictamen_id: int) -> Documento | None:
    """Render, sign and publish the RIV of a decision; None when it is there already or cannot be signed.

    Rendering and signing happen outside any transaction. A bad certificate leaves the reason on the
    decision, where staff see it, and the sweep tries again.
    """
    dictamen = Dictamen.objects.select_related("partida__expediente", "inspector").get(pk=dictamen_id)
    if not dictamen.debe_riv or not rivs_debidos().filter(pk=dictamen_id).exists():
        return None
    cvd, emitido_en = documentos.nuevo_cvd(), reloj.ahora()
    try:
        certificado = cargar_certificado()
        pdf = componer_riv(dictamen, version=1, cvd=cvd, emitido_en=emitido_en, certificado=certificado)
        pdf = firmar(pdf, certificado=certificado, motivo=f"RIV {dictamen.numero}", lugar="Callao, Perú")
    except CertificadoInutil as error:
        _anotar_falla_de_riv(dictamen_id, str(error))
        return None
    except Exception:
        registro.exception("no se pudo componer el RIV %s", dictamen.numero)
        _anotar_falla_de_riv(dictamen_id, str(_("No se pudo componer el PDF del RIV: avise al administrador.")))
        return None
    preparado = documentos.preparar(pdf)
    with transaction.atomic():
        expediente = Expediente.objects.select_for_update().get(pk=dictamen.partida.expediente_id)
        dictamen = Dictamen.objects.select_related("partida").get(pk=dictamen_id)
        if not rivs_debidos().filter(pk=dictamen_id).exists():  # signed meanwhile, or its report is being corrected
            return None
        anteriores = dictamen.partida.documentos.filter(tipo=Documento.Tipo.RIV, reemplazado_por=None)
        dictamen.riv = documentos.publicar_documento(
            preparado=preparado,
            tipo=Documento.Tipo.RIV,
            numero=dictamen.numero,
            version=1,
            expediente=expediente,
            partida=dictamen.partida,
            cvd=cvd,
            firma=Documento.Firma.INSTITUCION,
            titular=certificado.titular,
            emitido_en=emitido_en,
            reemplaza=anteriores.order_by("-id").first(),
            causa=str(_("Nuevo dictamen de la misma partida.")) if anteriores else "",
        )
        dictamen.riv_falla = ""
        dictamen.save(update_fields=["riv", "riv_falla"])
        bitacora.anotar(
            expediente,
            objeto=dictamen.partida,
            accion="emitir_riv",
            actor=None,
            datos={"riv": dictamen.numero, "sha256": preparado.sha256},
        )
    return dictamen.riv


def _anotar_falla_de_riv(dictamen_id: int, falla: str) -> None:
    Dictamen.objects.filter(pk=dictamen_id).update(riv_falla=falla, riv_intento_en=reloj.ahora())


def rivs_debidos() -> QuerySet[Dictamen]:
    """Decisions that stand and have no RIV yet; one taken back before it was signed gets none."""
    posteriores = Dictamen.objects.filter(partida=OuterRef("partida"), pk__gt=OuterRef("pk"))
    return Dictamen.objects.filter(
        ~Exists(posteriores), riv=None, riv_en_papel="", partida__estado__in=[Estado.DICTAMINADO, Estado.EN_MEDIDA]
    )


def barrer_rivs() -> int:
    """Emit what is owed: every decision without its RIV, the failed ones once a minute."""
    pausa = reloj.ahora() - REINTENTO_DE_RIV
    debidos = rivs_debidos().filter(Q(riv_intento_en=None) | Q(riv_intento_en__lt=pausa))
    return sum(emitir_riv(dictamen_id=pk) is not None for pk in debidos.values_list("pk", flat=True)[:50])


# ── Measures and closure ──────────────────────────────────────────────────────────────────────────

MEDIDAS_DE = {
    Dictamen.Decision.INGRESO: {Medida.Tipo.POSENTRADA},
    Dictamen.Decision.CONDICIONADO: {Medida.Tipo.TRATAMIENTO, Medida.Tipo.POSENTRADA},
    Dictamen.Decision.RECHAZO: {Medida.Tipo.REEMBARQUE, Medida.Tipo.COMISO, Medida.Tipo.DESTRUCCION},
}


@transaction.atomic
def ordenar_medida(
    *,
    partida: Partida,
    actor: Usuario,
    tipo: str,
    vence_en: date,
    indicaciones: str = "",
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Medida:
    """Order what a rejection or a condition calls for, with the day it is due."""
    _bloquear(partida)
    exigir_sin_revision(partida)
    dictamen = partida.dictamen
    if dictamen is None:
        raise EstadoImpide(_("Esta partida aún no tiene dictamen."))
    if tipo not in MEDIDAS_DE[Dictamen.Decision(dictamen.decision)]:
        raise DatoInvalido(
            {"tipo": _("Esa medida no corresponde a un dictamen de %(decision)s.")
             % {"decision": dictamen.get_decision_display().lower()}}
        )  # fmt: skip
    if partida.medida_pendiente:
        raise EstadoImpide(_("Esta partida ya tiene una medida en curso."))
    medida = Medida.objects.create(
        dictamen=dictamen, tipo=tipo, vence_en=vence_en, indicaciones=indicaciones,
        ordenada_en=ocurrio_en or reloj.ahora(),
    )  # fmt: skip
    avanzar(
        partida,
        Accion.ORDENAR_MEDIDA,
        tabla=PARTIDA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto or indicaciones,
        datos={"medida": tipo, "vence_en": vence_en.isoformat()},
    )
    return medida


@transaction.atomic
def cumplir_medida(
    *,
    partida: Partida,
    actor: Usuario,
    acta: str,
    texto: str = "",
    evidencia: ArchivoNuevo | None = None,
    nueva_toma: bool = False,
    ocurrio_en: datetime | None = None,
) -> Medida:
    """Record that the measure was carried out. `nueva_toma`: after a treatment, sample the line again."""
    _bloquear(partida)
    medida = partida.medida_pendiente
    if medida is None:
        raise EstadoImpide(_("Esta partida no tiene una medida pendiente."))
    if nueva_toma and medida.tipo != Medida.Tipo.TRATAMIENTO:
        raise DatoInvalido({"nueva_toma": _("Solo un tratamiento lleva a una nueva toma de muestra.")})
    medida.cumplida_en = ocurrio_en or reloj.ahora()
    medida.acta = acta
    datos = {"medida": medida.tipo, "acta": acta}
    if evidencia:
        medida.evidencia = guardar_adjunto(partida.expediente, evidencia, actor)
        # Of a photo both: whoever has the original can show that this was it.
        datos |= {"evidencia": medida.evidencia.sha256, "evidencia_recibida": evidencia.recibido}
    medida.save()
    avanzar(
        partida,
        Accion.REINSPECCIONAR if nueva_toma else Accion.CUMPLIR_MEDIDA,
        tabla=PARTIDA,
        actor=actor,
        ocurrio_en=ocurrio_en,
        texto=texto,
        datos=datos,
    )
    return medida


def pendientes_de_cierre(expediente: Expediente) -> list[str]:
    """What still keeps the case open, in words; empty when it can be closed."""
    faltan = []
    for partida in expediente.partidas.select_related("producto"):
        nombre = _("partida %(orden)s (%(producto)s)") % {"orden": partida.orden, "producto": partida.producto}
        dictamen = partida.dictamen
        medida = partida.medida_pendiente
        if medida and medida.tipo == Medida.Tipo.POSENTRADA and dictamen and not dictamen.debe_riv:
            continue  # it goes on for months: the case closes and the quarantine is followed by itself
        if partida.estado == Estado.EN_MEDIDA:
            faltan.append(_("%(partida)s: cumplir la medida ordenada") % {"partida": nombre})
        elif partida.estado != Estado.DICTAMINADO or dictamen is None:
            faltan.append(_("%(partida)s: dictaminar") % {"partida": nombre})
        elif dictamen.debe_riv:
            faltan.append(_("%(partida)s: firmar el RIV (lo hace el sistema)") % {"partida": nombre})
        elif dictamen.decision != Dictamen.Decision.INGRESO and not dictamen.medidas.exists():
            faltan.append(_("%(partida)s: ordenar la medida") % {"partida": nombre})
    return [str(falta) for falta in faltan]


@transaction.atomic
def cerrar(
    *, expediente: Expediente, actor: Usuario | None, ocurrio_en: datetime | None = None, texto: str = ""
) -> Evento:
    """Close a case whose lines are all decided and which owes nothing."""
    Expediente.objects.select_for_update().get(pk=expediente.pk)
    faltan = pendientes_de_cierre(expediente)
    if faltan and Expediente.objects.get(pk=expediente.pk).estado in EXPEDIENTE[Accion.CERRAR].de:
        raise EstadoImpide(_("Todavía no se puede cerrar. Falta: %(faltan)s.") % {"faltan": "; ".join(faltan)})
    evento = avanzar(
        expediente, Accion.CERRAR, tabla=EXPEDIENTE, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
        cambios={"vence_en": None},
    )  # fmt: skip
    enlaces.vencer(referencia=expediente.referencia, dentro_de=avisos.ENLACE_TRAS_EL_CIERRE)
    return evento


def cerrar_listos() -> int:
    """Close, as the system, the cases that have owed nothing for `CIERRE_AUTOMATICO_HORAS`."""
    limite = reloj.ahora() - timedelta(hours=settings.CIERRE_AUTOMATICO_HORAS)
    sin_riv = rivs_debidos().filter(partida__expediente=OuterRef("pk"))
    en_curso = Medida.objects.pendientes().filter(dictamen__partida__expediente=OuterRef("pk"))
    listos = (
        Expediente.objects.filter(estado__in=EXPEDIENTE[Accion.CERRAR].de, estado_desde__lt=limite)
        .exclude(Exists(sin_riv))
        .exclude(Exists(en_curso.exclude(tipo=Medida.Tipo.POSENTRADA)))
        .order_by("estado_desde")
    )
    cerrados = 0
    for expediente in listos[:200]:
        if pendientes_de_cierre(expediente):
            continue
        try:
            cerrar(expediente=expediente, actor=None)
            cerrados += 1
        except ActoRechazado:
            registro.info("otro acto se adelantó al cierre automático de %s", expediente.numero)
    return cerrados


# ── Addresses ─────────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def corregir_correo(
    *, expediente: Expediente, actor: Usuario, correo: str, de: Audiencia = Audiencia.IMPORTADOR
) -> None:
    """Correct the importer's or the broker's address: the links that went to the one before die.

    The new address gets one for each case that is open; the mails that did not arrive there count as mended.
    """
    entregas.exigir_quien_atiende(actor)
    correo = correo.strip().lower()
    validate_email(correo)
    persona: Importador | AgenteAduana
    if de == Audiencia.IMPORTADOR:
        persona = Importador.objects.select_for_update().get(pk=expediente.importador_id)
    elif expediente.agente_id:
        persona = AgenteAduana.objects.select_for_update().get(pk=expediente.agente_id)
    else:
        raise DatoInvalido({"correo": _("Este expediente no tiene agente de aduana.")})
    anterior = persona.correo.lower()
    if correo == anterior:
        raise DatoInvalido({"correo": _("Es el correo que ya está registrado.")})
    todos = Expediente.objects.filter(**{de: persona}).order_by("id")
    casos = list(todos.filter(Q(pk=expediente.pk) | Q(estado__in=ABIERTOS)).select_for_update())
    persona.correo = correo
    persona.save(update_fields=["correo"])
    for caso in todos.select_related("importador", "agente"):
        if anterior not in avisos.destinatarios(caso):  # who is both importer and broker is told as the other still
            enlaces.revocar_de(referencia=caso.referencia, correo=anterior)
    for caso in casos:
        datos = {} if de == Audiencia.IMPORTADOR else {"de": str(de)}
        evento = bitacora.anotar(caso, objeto=caso, accion="corregir_correo", actor=actor, datos=datos)
        avisos.deber_a(correo, "correo_corregido", expediente=caso, evento=evento)
        entregas.dar_por_reparadas(caso, correo=anterior)


@transaction.atomic
def reenviar_enlace(*, expediente: Expediente, actor: Usuario) -> int:
    """Send the link again to everybody who follows the case; how many addresses."""
    entregas.exigir_quien_atiende(actor)
    caso = Expediente.objects.select_for_update().get(pk=expediente.pk)
    evento = bitacora.anotar(caso, objeto=caso, accion="reenviar_enlace", actor=actor)
    avisos.deber("enlace_renovado", expediente=caso, evento=evento)
    return len(avisos.destinatarios(caso))


@transaction.atomic
def anotar_exportacion(*, expediente: Expediente, actor: Usuario, con_datos_personales: bool) -> Evento:
    """Write down who took the whole case out of the system: it leaves with everything that it says of people."""
    caso = Expediente.objects.select_for_update().get(pk=expediente.pk)
    datos = {"con_datos_personales": con_datos_personales}
    return bitacora.anotar(caso, objeto=caso, accion="exportar", actor=actor, datos=datos)

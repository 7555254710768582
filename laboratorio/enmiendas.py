"""After the signature: the director corrects an issued report, or annuls it. One function per act.

An amendment makes the next version, which names the one it replaces and why, and which a director signs, never the
machine. *Administrativa*: something was written wrong that changes no result; the version in force stays so until
the next one is out, and nothing is reopened. *De resultado*: analyses are done again; until the next version is out
the one before reads «en revisión», nothing is decided on it, and what was decided goes back. All raise what
`services` raises. Source: domain.md, section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from expedientes import avisos, documentos
from expedientes.incidencias import reabrir_por_informe
from expedientes.lifecycle import PARTIDA, avanzar
from expedientes.lifecycle import Accion as AccionCaso
from expedientes.models import Dictamen, Documento, Estado, Evento, Expediente, Medida, Motivo, Partida
from expedientes.services import informes_de_la_ronda
from senasa.models import Usuario
from senasa.transicion import DatoInvalido, EstadoImpide

from . import reglas
from .firmas import condiciones_de_firma_automatica
from .lifecycle import INFORME, Accion, bloquear
from .models import Analisis, Enmienda, EstadoAnalisis, EstadoInforme, EstadoMuestra, Informe, Muestra
from .reversiones import EN_BORRADOR, rehacer

# What an administrative amendment may correct of a sample: what its report prints and no result rests on.
CORREGIBLES = ("lote", "precinto", "plan_de_muestreo", "observaciones")


@dataclass(frozen=True)
class Alcance:
    """What an amendment or an annulment would touch, shown before it is confirmed."""

    documento: Documento
    dictamen: Dictamen | None
    medida: Medida | None
    cerrado: bool
    reabre: bool


def alcance(informe: Informe) -> Alcance:
    """What rests on the version in force: the decision of its line, a measure in course, the closed case."""
    assert informe.documento
    partida = informe.solicitud.partida
    caso = partida.expediente
    rige = informes_de_la_ronda(partida).filter(pk=informe.documento.pk).exists()
    vive = caso.abierto or caso.estado == Estado.CERRADO
    return Alcance(
        documento=informe.documento,
        dictamen=partida.dictamen if rige else None,
        medida=partida.medida_pendiente if rige else None,
        cerrado=rige and caso.estado == Estado.CERRADO,
        reabre=rige and vive and partida.estado in PARTIDA[AccionCaso.REABRIR].de,
    )


@transaction.atomic
def enmendar(
    *,
    informe: Informe,
    actor: Usuario,
    motivo: str,
    texto: str,
    cambios: Mapping[Muestra, Mapping[str, str]] | None = None,
    ocurrio_en: datetime | None = None,
) -> Evento:
    """Correct what was written wrong and changes no result. † The next version waits for the director's signature.

    `cambios`: of each sample, its fields of CORREGIBLES as they should read. None, when what was wrong is
    corrected elsewhere (the client's name) and the report has only to be issued anew.
    """
    bloquear(informe)
    informe.refresh_from_db()
    if informe.estado in INFORME[Accion.ENMENDAR].de:
        _exigir_caso_vivo(informe)
    hechos = _corregir(informe, cambios or {})
    version = informe.version + 1
    dicho = [_("%(muestra)s, %(campo)s: decía «%(antes)s», debe decir «%(ahora)s»") % hecho for hecho in hechos]
    regla = reglas.vigente()
    informe.version = version  # what the conditions look at
    return avanzar(
        informe, Accion.ENMENDAR, tabla=INFORME, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en,
        datos={"version": version, "corrige": str(informe.documento), "cambios": hechos},
        cambios={
            **EN_BORRADOR,
            "version": version,
            "enmienda": Enmienda.ADMINISTRATIVA,
            "causa": ". ".join([_causa(Accion.ENMENDAR, motivo, texto), *dicho]),
            "condiciones": condiciones_de_firma_automatica(informe, regla),
            "regla": regla,
        },
    )  # fmt: skip


def _corregir(informe: Informe, cambios: Mapping[Muestra, Mapping[str, str]]) -> list[dict[str, str]]:
    """Write the corrections into the samples; what each read before and reads now, for the log."""
    hechos = []
    for muestra, campos in cambios.items():
        if muestra.solicitud_id != informe.solicitud_id:
            raise DatoInvalido(_("%(muestra)s no es de este informe.") % {"muestra": muestra})
        distintos = {
            campo: valor.strip() for campo, valor in campos.items()
            if campo in CORREGIBLES and valor.strip() != getattr(muestra, campo)
        }  # fmt: skip
        precinto = distintos.get("precinto", muestra.precinto)
        if not precinto:
            raise DatoInvalido(_("%(muestra)s no puede quedar sin precinto.") % {"muestra": muestra})
        if muestra.partida.muestras.filter(precinto=precinto).exclude(pk=muestra.pk).exists():
            raise DatoInvalido(_("Ya hay una muestra de esta partida con el precinto %(p)s.") % {"p": precinto})
        for campo, valor in distintos.items():
            hechos.append(
                {
                    "muestra": muestra.numero,
                    "dato": campo,
                    "campo": str(Muestra._meta.get_field(campo).verbose_name),  # type: ignore[union-attr]
                    "antes": getattr(muestra, campo),
                    "ahora": valor,
                }
            )
            setattr(muestra, campo, valor)
        muestra.save(update_fields=list(distintos))
    return hechos


def _causa(accion: str, motivo: str, texto: str) -> str:
    dicho = Motivo.objects.filter(accion=accion, codigo=motivo).values_list("texto", flat=True).first()
    return f"{dicho or motivo}: {texto.strip().rstrip('.')}"


def _exigir_caso_vivo(informe: Informe) -> None:
    caso = Expediente.objects.get(pk=informe.expediente_id)
    if not caso.abierto and caso.estado != Estado.CERRADO:
        raise EstadoImpide(
            _("%(caso)s terminó sin decisión: su informe ya no se corrige. Si no debe valer, anúlelo.") % {"caso": caso}
        )


@transaction.atomic
def retirar_enmienda(
    *, informe: Informe, actor: Usuario | None, texto: str = "", ocurrio_en: datetime | None = None
) -> Evento:
    """Leave an administrative amendment that is not signed yet: the issued version stands, and says what it said.

    One of a result cannot be left: its results went out of force and have to be found again.
    """
    bloquear(informe)
    informe.refresh_from_db()
    if informe.estado in INFORME[Accion.RETIRAR_ENMIENDA].de and not informe.en_enmienda_administrativa:
        raise EstadoImpide(_("%(informe)s no espera por una enmienda administrativa.") % {"informe": informe})
    documento = informe.documento
    if documento:
        enmienda = Evento.objects.filter(
            expediente=informe.expediente_id, objeto="informe", objeto_id=informe.pk, accion=Accion.ENMENDAR
        ).latest("n")
        for hecho in enmienda.datos["cambios"]:
            muestra = Muestra.objects.get(numero=hecho["muestra"])
            setattr(muestra, hecho["dato"], hecho["antes"])
            muestra.save(update_fields=[hecho["dato"]])
    return avanzar(
        informe, Accion.RETIRAR_ENMIENDA, tabla=INFORME, actor=actor, texto=texto, ocurrio_en=ocurrio_en,
        cambios={
            **EN_BORRADOR,
            "version": documento.version if documento else informe.version,
            "causa": documento.causa if documento else "",
            "enmienda": "",
        },
    )  # fmt: skip


@transaction.atomic
def enmendar_resultado(
    *,
    informe: Informe,
    actor: Usuario,
    analisis: Sequence[Analisis],
    motivo: str,
    texto: str,
    ocurrio_en: datetime | None = None,
) -> Evento:
    """Have analyses of an issued report done again. † Its line goes back to where nothing is decided."""
    bloquear(informe)
    informe.refresh_from_db()
    partida = informe.solicitud.partida
    if informe.estado in INFORME[Accion.ENMENDAR_RESULTADO].de:
        _exigir_caso_vivo(informe)
        assert informe.documento
        if not informes_de_la_ronda(partida).filter(pk=informe.documento.pk).exists():
            raise EstadoImpide(
                _("La carga se volvió a muestrear después de %(informe)s: sus análisis ya no se rehacen.")
                % {"informe": informe}
            )
    if not analisis:
        raise DatoInvalido({"analisis": _("Marque qué análisis hay que volver a hacer.")})
    for uno in analisis:
        if uno.muestra.estado == EstadoMuestra.ELIMINADA:
            raise DatoInvalido(
                {"analisis": _("%(muestra)s ya se eliminó: para tomar otra, anule el informe.")
                 % {"muestra": uno.muestra}}
            )  # fmt: skip
        if uno.muestra.dirimencia_desde:
            raise DatoInvalido(
                {"analisis": _("%(muestra)s espera una dirimencia: no se toca.") % {"muestra": uno.muestra}}
            )
    dicho: dict[str, Any] = {"actor": actor, "motivo": motivo, "texto": texto, "ocurrio_en": ocurrio_en}
    version = informe.version + 1
    rehechos = _("Se volvieron a hacer: %(cuales)s") % {"cuales": "; ".join(str(uno) for uno in analisis)}
    evento = avanzar(
        informe, Accion.ENMENDAR_RESULTADO, tabla=INFORME, partida=partida,
        datos={"version": version, "corrige": str(informe.documento), "partida": partida.pk},
        cambios={
            **EN_BORRADOR,
            "version": version,
            "enmienda": Enmienda.DE_RESULTADO,
            "causa": f"{_causa(Accion.ENMENDAR_RESULTADO, motivo, texto)}. {rehechos}",
            "parcial": False,
        },
        **dicho,
    )  # fmt: skip
    assert informe.documento
    documentos.marcar(informe.documento, Documento.Estado.EN_REVISION)
    rehacer(analisis, Accion.ENMENDAR_RESULTADO, retiro_firma=False, **dicho)
    reabrir_por_informe(partida=partida, informe=informe.documento, anulado=False)
    return evento


@transaction.atomic
def anular(*, informe: Informe, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None) -> Evento:
    """Annul an issued report. † Its line is sampled anew when no report is left, else decided anew over the rest."""
    bloquear(informe)
    informe.refresh_from_db()
    evento = avanzar(
        informe, Accion.ANULAR_EMITIDO, tabla=INFORME, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en,
        datos={"documento": str(informe.documento)}, partida=informe.solicitud.partida,
    )  # fmt: skip
    retirar_documento(informe)
    return evento


def retirar_documento(informe: Informe, evento: Evento | None = None) -> None:
    """What follows, within the caller's transaction, when a report that had been issued says nothing any more.

    `evento`: the system's entry that left it so, of which its earlier recipients are still to be told.
    """
    if informe.documento is None:
        return
    if evento:
        avisos.deber("informe_anulado", expediente=evento.expediente, evento=evento, partida=informe.solicitud.partida)
    documentos.marcar(informe.documento, Documento.Estado.ANULADO)
    partida = Partida.objects.select_related("expediente").get(pk=informe.solicitud.partida_id)
    reabrir_por_informe(partida=partida, informe=informe.documento, anulado=True)


def soltar_enmiendas(expediente: Expediente) -> None:
    """Leave the administrative amendments of a case that ended: what it had issued stands."""
    en_camino = Informe.objects.filter(expediente=expediente, enmienda=Enmienda.ADMINISTRATIVA)
    for informe in en_camino.exclude(estado__in=[EstadoInforme.EMITIDO, EstadoInforme.ANULADO]):
        retirar_enmienda(informe=informe, actor=None)


def rehacibles(informe: Informe) -> Any:
    """The analyses of an issued report that may be done again: verified, and something of their sample is left."""
    suyos = Analisis.objects.filter(solicitud=informe.solicitud_id, estado=EstadoAnalisis.VERIFICADO)
    return suyos.exclude(muestra__estado=EstadoMuestra.ELIMINADA).select_related(
        "muestra", "metodo__disciplina", "plaga"
    )

"""Stepping back during processing: a result, an analysis, a stage of a sample. One function per act.

On the authority of whoever works there: nobody approves a reversion, everybody in the laboratory sees it, and every
one is a row of `Reversion`. Nothing is deleted: a result goes out of force, and the next one links to it and needs a
verification of its own. Only before the signature; what was issued is corrected by the director (`enmiendas`).
All raise what `services` raises. Source: domain.md, sections 2 and 3.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from expedientes.lifecycle import avanzar
from expedientes.models import Dictamen, Evento
from notificaciones.models import Notificacion
from senasa.models import Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from .lifecycle import ANALISIS, INFORME, MUESTRA, Accion, bloquear
from .models import Analisis, EstadoAnalisis, EstadoInforme, EstadoMuestra, Informe, Muestra, Resultado, Reversion

# What a report that goes back to the bench knew of its signature.
EN_BORRADOR: dict[str, Any] = {
    "condiciones": [], "firmar_desde": None, "huella": "", "reclamo_hasta": None, "autoriza": None, "suplencia": None,
    "falla": "",
}  # fmt: skip
# What an analysis that waits for somebody again knew of who had it.
SIN_ANALISTA: dict[str, Any] = {"analista": None, "iniciado_en": None, "verificado_en": None}
COMENZADOS = (EstadoAnalisis.EN_PROCESO, EstadoAnalisis.REGISTRADO, EstadoAnalisis.VERIFICADO)


# ── What it would touch ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Impacto:
    """What a reversion would touch, shown before it is confirmed.

    `horas`: what the work done again usually takes (catalogue). `avisos`: how many notices of the case were sent, and
    `dictamen` the decision that its line has, if any: neither changes. `otras`: the samples whose report waits too.
    """

    informe: Informe | None
    retira_firma: bool
    horas: int
    resultados: Sequence[Resultado] = field(default_factory=list)
    avisos: int = 0
    dictamen: Dictamen | None = None
    otras: Sequence[Muestra] = field(default_factory=list)


def impacto_de_revertir(analisis: Analisis) -> Impacto:
    """What stepping back a result, or the stage of an analysis, touches."""
    return _impacto(analisis.muestra, [analisis], horas=_horas([analisis]))


def impacto_de_revertir_muestra(muestra: Muestra, accion: str) -> Impacto:
    """What stepping back a stage of a sample touches: of one whose analyses go back, all of them."""
    suyos: list[Analisis] = []
    if accion == Accion.REVERTIR_ANALISIS:
        suyos = list(muestra.analisis.filter(estado__in=COMENZADOS).select_related("metodo"))
    return _impacto(muestra, suyos, horas=_horas(suyos))


def _horas(analisis: Iterable[Analisis]) -> int:
    """The hours that doing them again adds; those of one sample are done side by side."""
    comenzados = [uno for uno in analisis if uno.estado in COMENZADOS]
    return max((uno.metodo.dias * 24 for uno in comenzados), default=0)


def _impacto(muestra: Muestra, analisis: Sequence[Analisis], *, horas: int) -> Impacto:
    informe = Informe.objects.filter(solicitud=muestra.solicitud_id).first()
    enviados = Notificacion.objects.filter(referencia=muestra.expediente.referencia, enviada_en__isnull=False)
    return Impacto(
        informe=informe,
        retira_firma=informe is not None and informe.estado in INFORME[Accion.REABRIR].de,
        horas=horas,
        resultados=list(
            Resultado.objects.filter(analisis__in=analisis, vigente=True).prefetch_related("verificaciones")
        ),
        avisos=enviados.count(),
        dictamen=muestra.partida.dictamen,
        otras=list(Muestra.objects.filter(solicitud=muestra.solicitud_id).exclude(pk=muestra.pk).order_by("numero")),
    )


# ── Who may, and until when ───────────────────────────────────────────────────────────────────────


def exigir_reversible(analisis: Analisis, informe: Informe, actor: Usuario) -> None:
    """Refuse a reversion by somebody else's hand, or of a result whose report is already signed."""
    if not actor.tiene(Rol.VERIFICADOR) and actor.pk != analisis.analista_id:
        raise RolImpide(_("Revertir corresponde al analista de este análisis o a un verificador."))
    exigir_antes_de_la_firma(informe)


def exigir_antes_de_la_firma(informe: Informe) -> None:
    """Refuse to step back what an issued report says, or what no report will ever say."""
    if informe.publicado:
        raise EstadoImpide(_("El informe %(informe)s ya está firmado: lo corrige el director.") % {"informe": informe})
    if informe.estado == EstadoInforme.ANULADO:
        raise EstadoImpide(_("El informe %(informe)s quedó sin efecto: nada se revierte.") % {"informe": informe})


def _exigir_suyos(analisis: Iterable[Analisis], actor: Usuario) -> None:
    """An analyst steps back his own work; reception and verifiers, anybody's."""
    if actor.tiene(Rol.RECEPCION, Rol.VERIFICADOR):
        return
    if any(uno.analista_id not in (None, actor.pk) for uno in analisis):
        raise RolImpide(_("Hay análisis de otra persona: lo revierte ella, recepción o un verificador."))


# ── A result ──────────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def revertir(
    *, analisis: Analisis, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Reversion:
    """Step a result back to the bench, self-approved. † Before the signature only.

    A report on its way to the signature goes back to borrador, whatever a worker is doing with it.
    """
    bloquear(analisis)
    informe = Informe.objects.get(solicitud=analisis.solicitud_id)
    analisis.refresh_from_db()
    exigir_reversible(analisis, informe, actor)
    estado_previo, horas = analisis.estado, _horas([analisis])
    evento, resultado = volver_a_la_mesa(
        analisis, Accion.REVERTIR, actor=actor, motivo=motivo, texto=texto, ocurrio_en=ocurrio_en
    )
    return _anotar(
        evento, analisis.muestra, analisis, resultado, desde=estado_previo, horas=horas,
        retiro_firma=_retirar_de_la_firma(informe, analisis),
    )  # fmt: skip


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
    bloquear(informe)
    informe.refresh_from_db()
    if informe.en_enmienda_administrativa:
        raise EstadoImpide(
            _("%(informe)s espera por una enmienda administrativa: retírela, y enmiende el resultado.")
            % {"informe": informe}
        )
    if not analisis:
        raise DatoInvalido({"analisis": _("Marque qué análisis hay que volver a hacer.")})
    dicho: dict[str, Any] = {"actor": actor, "motivo": motivo, "texto": texto, "ocurrio_en": ocurrio_en}
    evento = avanzar(informe, Accion.DEVOLVER, tabla=INFORME, cambios=EN_BORRADOR, **dicho)
    rehacer(analisis, Accion.DEVOLVER, retiro_firma=True, **dicho)
    return evento


def rehacer(analisis: Sequence[Analisis], accion: str, *, retiro_firma: bool, **dicho: Any) -> None:
    """Step verified results back because the director ordered it, within the caller's transaction: one act, whose first
    row the others name."""
    primera: Reversion | None = None
    for uno in analisis:
        horas, desde = _horas([uno]), uno.estado
        evento, resultado = volver_a_la_mesa(uno, accion, **dicho)
        fila = _anotar(
            evento, uno.muestra, uno, resultado, desde=desde, horas=horas, retiro_firma=retiro_firma,
            autoaprobada=False, parte_de=primera,
        )  # fmt: skip
        primera = primera or fila


def volver_a_la_mesa(analisis: Analisis, accion: str, **dicho: Any) -> tuple[Evento, Resultado | None]:
    """Step an analysis back: its result stays on record, out of force, and the sample is on the bench again."""
    resultado = analisis.resultado
    evento = avanzar(
        analisis, accion, tabla=ANALISIS, datos={"valor": resultado.valor if resultado else ""},
        cambios={"verificado_en": None}, **dicho,
    )  # fmt: skip
    _quitar_vigencia(resultado)
    muestra = Muestra.objects.get(pk=analisis.muestra_id)
    if muestra.estado in MUESTRA[Accion.RETOMAR].de:
        avanzar(muestra, Accion.RETOMAR, tabla=MUESTRA, actor=None)
    return evento, resultado


def _quitar_vigencia(resultado: Resultado | None) -> None:
    if resultado:
        resultado.vigente = False
        resultado.save(update_fields=["vigente"])


def _retirar_de_la_firma(informe: Informe, por: Analisis | Muestra) -> bool:
    """Take back a report that was on its way to the signature; whether it was."""
    if informe.estado not in INFORME[Accion.REABRIR].de:
        return False
    avanzar(
        informe, Accion.REABRIR, tabla=INFORME, actor=None,
        datos={"reversion_de": str(por), "partida": informe.solicitud.partida_id}, cambios=EN_BORRADOR,
    )  # fmt: skip
    return True


def _anotar(
    evento: Evento,
    muestra: Muestra,
    analisis: Analisis | None,
    resultado: Resultado | None,
    *,
    desde: str,
    horas: int,
    retiro_firma: bool = False,
    autoaprobada: bool = True,
    parte_de: Reversion | None = None,
) -> Reversion:
    """The row of an act that the log has just told; a part of another tells what that one tells."""
    acto = parte_de or evento
    autor = parte_de.autor_id if parte_de else evento.actor_id
    assert autor  # the system steps nothing back by itself
    return Reversion.objects.create(
        expediente_id=muestra.expediente_id,
        muestra=muestra,
        analisis=analisis,
        resultado=resultado,
        parte_de=parte_de,
        evento=evento,
        accion=acto.accion,
        autor_id=autor,
        autoaprobada=autoaprobada,
        motivo=acto.motivo,
        texto=acto.texto,
        desde_estado=desde,
        horas=horas,
        retiro_firma=retiro_firma,
        ocurrio_en=evento.ocurrio_en,
    )


# ── The stage of an analysis ──────────────────────────────────────────────────────────────────────


@transaction.atomic
def revertir_inicio(
    *, analisis: Analisis, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Reversion:
    """An analysis that was begun by mistake is assigned again, not begun. † Its sample too, when nothing else was."""
    bloquear(analisis)
    analisis.refresh_from_db()
    _exigir_suyos([analisis], actor)
    estado_previo, horas = analisis.estado, _horas([analisis])
    evento = avanzar(
        analisis, Accion.REVERTIR_INICIO, tabla=ANALISIS, actor=actor, motivo=motivo, texto=texto,
        ocurrio_en=ocurrio_en, cambios={"iniciado_en": None},
    )  # fmt: skip
    muestra = Muestra.objects.get(pk=analisis.muestra_id)
    otros = muestra.analisis.filter(estado__in=COMENZADOS)
    if muestra.estado == EstadoMuestra.EN_ANALISIS and not otros.exists():
        avanzar(muestra, Accion.DESCOMENZAR, tabla=MUESTRA, actor=None)
    return _anotar(evento, muestra, analisis, None, desde=estado_previo, horas=horas)


@transaction.atomic
def revertir_asignacion(
    *, analisis: Analisis, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Reversion:
    """An analysis given to the wrong person waits to be assigned again. †"""
    bloquear(analisis)
    analisis.refresh_from_db()
    _exigir_suyos([analisis], actor)
    estado_previo = analisis.estado
    evento = avanzar(
        analisis, Accion.REVERTIR_ASIGNACION, tabla=ANALISIS, actor=actor, motivo=motivo, texto=texto,
        ocurrio_en=ocurrio_en, datos={"analista": analisis.analista_id}, cambios=SIN_ANALISTA,
    )  # fmt: skip
    return _anotar(evento, analisis.muestra, analisis, None, desde=estado_previo, horas=0)


# ── The stage of a sample ─────────────────────────────────────────────────────────────────────────


@transaction.atomic
def revertir_recepcion(
    *, muestra: Muestra, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Reversion:
    """A sample that was received by mistake is on its way again. † While nothing of it was begun."""
    bloquear(muestra)
    muestra.refresh_from_db()
    informe = Informe.objects.filter(solicitud=muestra.solicitud_id).first()
    if muestra.estado in MUESTRA[Accion.REVERTIR_RECEPCION].de:
        if muestra.analisis.filter(estado__in=COMENZADOS).exists():
            raise EstadoImpide(_("Ya se empezó a analizar %(muestra)s.") % {"muestra": muestra})
        if informe is None or informe.estado != EstadoInforme.BORRADOR:
            raise EstadoImpide(_("El informe de %(muestra)s ya no está en elaboración.") % {"muestra": muestra})
    evento = avanzar(
        muestra, Accion.REVERTIR_RECEPCION, tabla=MUESTRA, actor=actor, motivo=motivo, texto=texto,
        ocurrio_en=ocurrio_en,
        datos={"condicion": muestra.condicion, "cantidad_recibida": str(muestra.cantidad_recibida or "")},
        cambios={
            "recibida_en": None, "condicion": "", "cantidad_recibida": None, "conservacion_al_llegar": "",
            "observaciones": "",
        },
    )  # fmt: skip
    for analisis in muestra.analisis.filter(estado=EstadoAnalisis.ASIGNADO):
        avanzar(analisis, Accion.REINICIAR, tabla=ANALISIS, actor=None, cambios=SIN_ANALISTA)
    return _anotar(evento, muestra, None, None, desde=EstadoMuestra.RECIBIDA, horas=0)


@transaction.atomic
def revertir_analisis(
    *, muestra: Muestra, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Reversion:
    """All the work on a sample goes back to its beginning: another sample was tested, or all of it went bad. †

    Its results stay on record out of force, and its analyses wait to be assigned. Before the signature only.
    """
    bloquear(muestra)
    muestra.refresh_from_db()
    informe = Informe.objects.filter(solicitud=muestra.solicitud_id).first()
    estado_previo = muestra.estado
    suyos = list(
        muestra.analisis.filter(estado__in=ANALISIS[Accion.REINICIAR].de).select_related("metodo").order_by("pk")
    )
    if estado_previo in MUESTRA[Accion.REVERTIR_ANALISIS].de:
        assert informe  # nothing is tested that nobody asked for
        exigir_antes_de_la_firma(informe)
        if not suyos:
            raise EstadoImpide(_("Los análisis de %(muestra)s se cancelaron: nada vuelve.") % {"muestra": muestra})
        _exigir_suyos(suyos, actor)
    evento = avanzar(
        muestra, Accion.REVERTIR_ANALISIS, tabla=MUESTRA, actor=actor, motivo=motivo, texto=texto,
        ocurrio_en=ocurrio_en,
    )  # fmt: skip
    reversion = _anotar(
        evento, muestra, None, None, desde=estado_previo, horas=_horas(suyos),
        retiro_firma=informe is not None and _retirar_de_la_firma(informe, muestra),
    )  # fmt: skip
    for analisis in suyos:
        desde, resultado, horas = analisis.estado, analisis.resultado, _horas([analisis])
        suyo = avanzar(
            analisis, Accion.REINICIAR, tabla=ANALISIS, actor=None, cambios=SIN_ANALISTA, motivo=motivo,
            ocurrio_en=evento.ocurrio_en, datos={"valor": resultado.valor if resultado else ""},
        )  # fmt: skip
        _quitar_vigencia(resultado)
        if resultado:
            _anotar(suyo, muestra, analisis, resultado, desde=desde, horas=horas, parte_de=reversion)
    return reversion


@transaction.atomic
def revertir_contramuestra(
    *, muestra: Muestra, actor: Usuario, motivo: str, texto: str, ocurrio_en: datetime | None = None
) -> Reversion:
    """A sample that was put away by mistake is an analysed one again. † Not while a second opinion keeps it."""
    bloquear(muestra)
    muestra.refresh_from_db()
    if muestra.dirimencia_desde:
        raise EstadoImpide(_("%(muestra)s espera una dirimencia: no se toca.") % {"muestra": muestra})
    evento = avanzar(
        muestra, Accion.REVERTIR_CONTRAMUESTRA, tabla=MUESTRA, actor=actor, motivo=motivo, texto=texto,
        ocurrio_en=ocurrio_en, cambios={"contramuestra_lugar": "", "contramuestra_hasta": None},
    )  # fmt: skip
    return _anotar(evento, muestra, None, None, desde=EstadoMuestra.CONTRAMUESTRA, horas=0)

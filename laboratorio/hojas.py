"""The acts of the bench around many analyses: worksheets, the controls of their runs, and work that changes hands.

A sheet holds many cases: each of its rows is recorded in a transaction of its own, and one that is refused leaves
the others done. Locks come in one order, the row's case and then its sheet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from expedientes import numeros
from expedientes.actos import hecho
from expedientes.archivos import ArchivoNuevo
from expedientes.lifecycle import avanzar
from expedientes.models import Evento, Plaga
from senasa import reloj
from senasa.models import Rol, Usuario
from senasa.transicion import ActoRechazado, DatoInvalido, EstadoImpide, RolImpide

from . import services
from .lifecycle import ANALISIS, Accion, bloquear
from .models import (
    Analisis,
    Control,
    EstadoAnalisis,
    HojaDeTrabajo,
    Informe,
    Metodo,
    Renglon,
    Resultado,
    TipoDeControl,
)
from .verificacion import corridas_de

# What can still be put on a sheet: nobody's, or one's own that waits or was reverted.
SIN_RESULTADO = (EstadoAnalisis.PENDIENTE, EstadoAnalisis.ASIGNADO, EstadoAnalisis.EN_PROCESO)


# ── Work that changes hands ───────────────────────────────────────────────────────────────────────


@transaction.atomic
def pasar(
    *,
    analisis: Analisis,
    analista: Usuario,
    actor: Usuario,
    ocurrio_en: datetime | None = None,
    texto: str = "",
) -> Evento:
    """Hand work over to another analyst, begun or not: reception and director anybody's, an analyst his own.

    Of those who share a sheet each may take a row of it to himself: that is how two people work on one.
    """
    if not analista.tiene(Rol.ANALISTA) or not analista.is_active:
        raise DatoInvalido({"analista": _("Elija a un analista en actividad.")})
    bloquear(analisis)
    analisis.refresh_from_db()
    suyo = actor.tiene(Rol.RECEPCION, Rol.DIRECTOR) or analisis.analista_id == actor.pk
    renglon = Renglon.objects.filter(analisis=analisis, abierto=True).select_related("hoja").first()
    comparten = analista == actor and renglon and renglon.hoja.analistas.filter(pk=actor.pk).exists()
    if actor.tiene(Rol.ANALISTA) and not suyo and not comparten:
        raise RolImpide(_("Este análisis es de otro analista: lo pasa él, recepción o el director."))
    if analisis.analista_id == analista.pk and analisis.estado in ANALISIS[Accion.PASAR].de:
        raise EstadoImpide(_("%(quien)s ya lo tiene.") % {"quien": analista.firma_corta})
    evento = avanzar(
        analisis, Accion.PASAR, tabla=ANALISIS, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
        datos={"de": analisis.analista_id, "analista": analista.pk, "a_quien": analista.firma_corta},
        cambios={"analista": analista},
    )  # fmt: skip
    if renglon:
        renglon.hoja.analistas.add(analista)
    return evento


# ── Opening, sharing and closing a sheet ──────────────────────────────────────────────────────────


def por_poner_en_hoja(metodo: Metodo, actor: Usuario) -> QuerySet[Analisis]:
    """What waits for `metodo` and `actor` may put on a sheet: perishable cargo first, then by deadline and age."""
    de_nadie_o_suyos = Q(estado=EstadoAnalisis.PENDIENTE) | Q(analista=actor, estado__in=SIN_RESULTADO)
    cola = Analisis.objects.visibles_para(actor).de_muestras_recibidas().en_cola()
    return (
        cola.filter(de_nadie_o_suyos, metodo=metodo)
        .exclude(pk__in=en_una_hoja())
        .order_by(
            "-muestra__partida__producto__perecible",
            F("muestra__partida__vence_en").asc(nulls_last=True),
            "muestra__recibida_en",
            "pk",
        )
    )


def en_una_hoja() -> QuerySet[Renglon, Any]:
    """The analyses that a sheet holds; one that was stepped back to before its start is held by none."""
    sueltos = (EstadoAnalisis.PENDIENTE, EstadoAnalisis.ASIGNADO)
    return Renglon.objects.filter(abierto=True).exclude(analisis__estado__in=sueltos).values("analisis")


@dataclass(frozen=True)
class Apertura:
    """A sheet that was opened, None when no row was left for it; what stayed out, and why."""

    hoja: HojaDeTrabajo | None
    fuera: list[tuple[Analisis, str]]


def abrir_hoja(*, metodo: Metodo, analisis: Sequence[Analisis], actor: Usuario) -> Apertura:
    """Open a sheet with `analisis` in this order; each is assigned to `actor` and started, one transaction a row.

    One that somebody took meanwhile is left out. The sheet is made with its first row: none stands empty.
    """
    hoja: HojaDeTrabajo | None = None
    orden, fuera = 0, []
    for uno in analisis:
        try:
            with transaction.atomic():
                bloquear(uno)
                suya = hoja or _nueva_hoja(metodo, actor)
                _poner(uno, suya, actor, orden=orden + 1)
            hoja, orden = suya, orden + 1
        except (ActoRechazado, DatoInvalido) as error:
            fuera.append((uno, _por_que(error)))
    return Apertura(hoja, fuera)


def _nueva_hoja(metodo: Metodo, actor: Usuario) -> HojaDeTrabajo:
    hoja = HojaDeTrabajo.objects.create(
        numero=numeros.siguiente("HT"),
        metodo=metodo,
        abierta_por=actor,
        abierta_en=reloj.ahora(),
        controles_pedidos=list(metodo.controles.filter(activo=True).values_list("tipo", "esperado")),
    )
    hoja.analistas.add(actor)
    return hoja


def _poner(analisis: Analisis, hoja: HojaDeTrabajo, actor: Usuario, *, orden: int) -> None:
    analisis.refresh_from_db()
    if analisis.metodo_id != hoja.metodo_id:
        raise EstadoImpide(_("es de otro método"))
    if analisis.estado not in SIN_RESULTADO:
        raise EstadoImpide(_("ya no espera: %(estado)s") % {"estado": analisis.get_estado_display().lower()})
    if analisis.analista and analisis.analista_id != actor.pk:
        raise EstadoImpide(_("lo tomó %(quien)s") % {"quien": analisis.analista.firma_corta})
    otras = Renglon.objects.filter(analisis=analisis, abierto=True)
    if analisis.estado == EstadoAnalisis.EN_PROCESO and (otra := otras.select_related("hoja").first()):
        raise EstadoImpide(_("ya está en %(hoja)s") % {"hoja": otra.hoja})
    otras.update(abierto=False)
    if analisis.estado == EstadoAnalisis.PENDIENTE:
        services.asignar(analisis=analisis, analista=actor, actor=actor)
    if analisis.estado == EstadoAnalisis.ASIGNADO:
        services.iniciar(analisis=analisis, actor=actor)
    Renglon.objects.create(hoja=hoja, analisis=analisis, orden=orden)


@transaction.atomic
def unirse(*, hoja: HojaDeTrabajo, actor: Usuario) -> None:
    """Work on a colleague's sheet too."""
    _abierta(hoja).analistas.add(actor)


@transaction.atomic
def cerrar_hoja(*, hoja: HojaDeTrabajo, actor: Usuario) -> int:
    """Close a sheet; how many rows without a result it lets go, which may then stand on another.

    Refused while its run lacks a control: nobody would record it afterwards, and its results could not be verified.
    """
    hoja = _abierta(hoja)
    _exigir_en_la_hoja(hoja, actor)
    corrida = corridas_de([hoja])[hoja.pk, hoja.corrida]
    de_esta_corrida = hoja.resultados.filter(corrida=hoja.corrida, vigente=True)
    if corrida.faltan and de_esta_corrida.exists():
        raise EstadoImpide(corrida.impedimento)
    suyos = Renglon.objects.filter(hoja=hoja)
    sin_resultado = suyos.filter(analisis__estado__in=SIN_RESULTADO).count()
    suyos.update(abierto=False)
    hoja.cerrada_por, hoja.cerrada_en = actor, reloj.ahora()
    hoja.save(update_fields=["cerrada_por", "cerrada_en"])
    return sin_resultado


def _abierta(hoja: HojaDeTrabajo) -> HojaDeTrabajo:
    hoja = HojaDeTrabajo.objects.select_for_update().get(pk=hoja.pk)
    if hoja.cerrada_en:
        raise EstadoImpide(_("%(hoja)s ya está cerrada.") % {"hoja": hoja})
    return hoja


def _exigir_en_la_hoja(hoja: HojaDeTrabajo, actor: Usuario) -> None:
    if not hoja.analistas.filter(pk=actor.pk).exists():
        raise RolImpide(_("Únase primero a la hoja %(hoja)s.") % {"hoja": hoja})


# ── Recording on a sheet ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Escrito:
    """What the analyst typed in a row, over what he had before his eyes.

    `visto`: the last entry of the analysis in the log when the page was drawn; `corrida`: the sheet's run then.
    """

    analisis: Analisis
    valor: str
    plaga: Plaga | None
    lectura: str
    observaciones: str
    visto: int
    corrida: int


@transaction.atomic
def anotar(*, hoja: HojaDeTrabajo, escrito: Escrito, actor: Usuario) -> Resultado:
    """Record one row. A row that changed since the page was opened is refused, saying who did what.

    A colleague's row passes first to whoever records it (`pasar`, logged): the analysis is of whoever read it.
    """
    analisis = escrito.analisis
    bloquear(analisis)
    analisis.refresh_from_db()
    _exigir_sin_cambios(analisis, escrito.visto)
    hoja = _abierta(hoja)
    _exigir_en_la_hoja(hoja, actor)
    if hoja.corrida != escrito.corrida:
        raise EstadoImpide(_cambio_de_corrida(hoja, escrito.corrida))
    if analisis.analista_id != actor.pk and analisis.estado in ANALISIS[Accion.REGISTRAR].de:
        pasar(analisis=analisis, analista=actor, actor=actor)
    return services.registrar(
        analisis=analisis,
        actor=actor,
        valor=escrito.valor,
        plaga=escrito.plaga,
        lectura=escrito.lectura,
        observaciones=escrito.observaciones,
    )


def ultimos_actos(analisis: Iterable[int]) -> dict[int, int]:
    """The last entry of each analysis in the log: what `visto` is held against."""
    propios = Evento.objects.filter(objeto="analisis", objeto_id__in=list(analisis))
    return dict(propios.values_list("objeto_id").annotate(Max("pk")).order_by())


def _exigir_sin_cambios(analisis: Analisis, visto: int) -> None:
    nuevos = Evento.objects.filter(objeto="analisis", objeto_id=analisis.pk, pk__gt=visto).select_related("actor")
    dichos = [
        f"{evento.actor.firma_corta if evento.actor else evento.get_origen_display()}: "
        f"{hecho('analisis', evento.accion)}, {timezone.localtime(evento.registrado_en):%H:%M}"
        for evento in nuevos.order_by("pk")
    ]
    if dichos:
        raise EstadoImpide(_("Cambió mientras usted escribía. %(que)s.") % {"que": "; ".join(dichos)})


def _cambio_de_corrida(hoja: HojaDeTrabajo, corrida: int) -> str:
    fallido = hoja.controles.filter(corrida=corrida, conforme=False).select_related("autor").first()
    quien = f" ({fallido.autor.firma_corta})" if fallido else ""
    return _(
        "Un control de la corrida %(n)s no fue conforme%(quien)s: esta lectura no vale. Recargue la página y anote "
        "la de la corrida %(nueva)s."
    ) % {"n": corrida, "quien": quien, "nueva": hoja.corrida}


@transaction.atomic
def anotar_control(
    *, hoja: HojaDeTrabajo, actor: Usuario, tipo: str, obtenido: str, conforme: bool, corrida: int
) -> Control:
    """Record what a control gave, in the run that the analyst had before his eyes.

    One that failed ends the run: nothing read in it can be verified any more, what is read from now on belongs to
    the next run, and that one needs all its controls anew. So is it done at the bench: the whole run is repeated.
    """
    hoja = HojaDeTrabajo.objects.select_for_update().get(pk=hoja.pk)
    _exigir_en_la_hoja(hoja, actor)
    if corrida != hoja.corrida:
        raise EstadoImpide(_cambio_de_corrida(hoja, corrida))
    if tipo not in TipoDeControl.values:
        raise DatoInvalido({"tipo": _("Elija qué control es.")})
    if conforme and hoja.controles.filter(corrida=corrida, tipo=tipo).exists():
        raise EstadoImpide(_("%(control)s ya está anotado en esta corrida.") % {"control": TipoDeControl(tipo).label})
    if not obtenido.strip():
        raise DatoInvalido({"obtenido": _("Escriba qué dio el control.")})
    control = Control.objects.create(
        hoja=hoja,
        corrida=corrida,
        tipo=tipo,
        esperado=dict(hoja.controles_pedidos).get(tipo, ""),
        obtenido=obtenido.strip(),
        conforme=conforme,
        autor=actor,
        ocurrio_en=reloj.ahora(),
        repite=hoja.controles.filter(tipo=tipo, conforme=False).last(),
    )
    if not conforme:
        hoja.corrida += 1
        hoja.save(update_fields=["corrida"])
    return control


# ── Files behind a result ─────────────────────────────────────────────────────────────────────────


@transaction.atomic
def adjuntar(*, analisis: Analisis, actor: Usuario, archivos: Sequence[ArchivoNuevo], resultado: int) -> Evento:
    """Keep photos or gels behind `resultado` (its id), while it is in force and its report is not out."""
    bloquear(analisis)
    analisis.refresh_from_db()
    if analisis.analista_id != actor.pk:
        raise RolImpide(_("Este análisis es de otro analista."))
    if Informe.objects.get(solicitud=analisis.solicitud_id).publicado:
        raise EstadoImpide(_("El informe ya está firmado: no se le agrega nada."))
    vigente = analisis.resultado
    if vigente is None or vigente.pk != resultado:
        raise EstadoImpide(_("Mientras tanto el resultado cambió: véalo antes de adjuntar."))
    if not archivos:
        raise DatoInvalido({"archivos": _("Elija al menos un archivo.")})
    hechas = [
        services.guardar_evidencia(archivo=archivo, muestra=analisis.muestra, actor=actor, resultado=vigente)
        for archivo in archivos
    ]
    return avanzar(
        analisis, Accion.ADJUNTAR, tabla=ANALISIS, actor=actor,
        datos={"resultado": vigente.pk, "sha256": [evidencia.adjunto.sha256 for evidencia in hechas]},
    )  # fmt: skip


def _por_que(error: Any) -> str:
    return str(error.mensaje) if isinstance(error, ActoRechazado) else " ".join(error.messages)

"""Deadlines: which row of `Plazo` rules a line's stage, when it ends, and how the case stands against it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from senasa import reloj
from senasa.calendario import habiles_entre, no_laborables, sumar_habiles

from .models import Estado, Evento, Partida, Plazo

PRONTO = timedelta(hours=24)
FIN_DEL_DIA = time(23, 59, 59)


class Semaforo(models.TextChoices):
    VENCIDO = "vencido", _("Fuera de plazo")
    POR_VENCER = "por_vencer", _("Por vencer")
    EN_PLAZO = "en_plazo", _("En plazo")
    SIN_PLAZO = "sin_plazo", _("Sin plazo")


def semaforo(vence_en: datetime | None, ahora: datetime | None = None) -> Semaforo:
    """How a deadline stands: past, within 24 hours, further, or none at all."""
    if vence_en is None:
        return Semaforo.SIN_PLAZO
    resta = vence_en - (ahora or reloj.ahora())
    if resta < timedelta(0):
        return Semaforo.VENCIDO
    return Semaforo.POR_VENCER if resta <= PRONTO else Semaforo.EN_PLAZO


def fin_del_dia(dia: date) -> datetime:
    """Its last second in Lima: what is due on a day may be done until then."""
    return timezone.make_aware(datetime.combine(dia, FIN_DEL_DIA))


def cita_paso(cita_en: datetime) -> bool:
    """Whether the hour fixed for an inspection is over: it may begin until that hour ends."""
    return reloj.ahora() >= cita_en.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


# ── The clock that stops ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Suspension:
    """A time in which the clock of a line stood still; `hasta` is None while it still does."""

    causa: str
    desde: datetime
    hasta: datetime | None


def suspensiones(eventos: Iterable[Evento], partida: int) -> list[Suspension]:
    """The ledger of a line's suspensions, read from its case's log: never a counter that somebody keeps.

    `eventos` in the order of the log. An observation stops every line until it is answered; cargo that was not
    there stops its own until a new hour is set, or it is inspected or decided after all.
    """
    abiertas: dict[str, datetime] = {}
    ledger: list[Suspension] = []

    def seguir(causa: str, cuando: datetime) -> None:
        if causa in abiertas:
            ledger.append(Suspension(causa, abiertas.pop(causa), cuando))

    for evento in eventos:
        if evento.objeto == "expediente" and evento.accion == "observar":
            abiertas["observar"] = evento.ocurrio_en
        elif evento.objeto == "expediente" and evento.de == Estado.OBSERVADO and evento.a != Estado.OBSERVADO:
            seguir("observar", evento.ocurrio_en)
        elif evento.objeto == "partida" and evento.objeto_id == partida:
            if evento.accion == "no_presentada":
                abiertas.setdefault("no_presentada", evento.ocurrio_en)
            elif evento.accion == "programar" or evento.a != Estado.REGISTRADO:
                seguir("no_presentada", evento.ocurrio_en)
    ledger += [Suspension(causa, desde, None) for causa, desde in abiertas.items()]
    return sorted(ledger, key=lambda una: una.desde)


def _del_caso(partida: Partida) -> list[Suspension]:
    eventos = Evento.objects.filter(expediente=partida.expediente_id, objeto__in=["expediente", "partida"])
    return suspensiones(eventos.order_by("n"), partida.pk)


def _debe_medida(partida: Partida) -> bool:
    dictamen = partida.dictamen
    return bool(dictamen and dictamen.decision != "ingreso" and not dictamen.medidas.exists())


def vencimiento(partida: Partida) -> datetime | None:
    """When the line's present stage should end; None where no plazo says so, or while the clock stands still.

    The most particular row wins: post before any post, then category, then perishables. A line with a
    measure in course is held to the measure's own date, not to a plazo. What was suspended is given back: in
    hours to a term in hours, in business days to one in business days.
    """
    if partida.estado == Estado.EN_MEDIDA:
        medida = partida.medida_pendiente
        return fin_del_dia(medida.vence_en) if medida else None
    desde = partida.estado_desde
    if partida.estado == Estado.DICTAMINADO and not _debe_medida(partida):
        # It waits for its sisters: the case can only be closed once the last of them is decided.
        otras = list(partida.expediente.partidas.exclude(pk=partida.pk).values_list("estado", "estado_desde"))
        if any(estado not in (Estado.DICTAMINADO, Estado.EN_MEDIDA) for estado, _cuando in otras):
            return None
        desde = max([cuando for _estado, cuando in otras if cuando] + [desde]) if desde else desde
    producto = partida.producto
    fila = (
        Plazo.objects.filter(etapa=partida.estado)
        .filter(Q(puesto=None) | Q(puesto_id=partida.expediente.puesto_id))
        .filter(Q(categoria=None) | Q(categoria=producto.categoria))
        .filter(perecible__in=[False, producto.perecible])
        .order_by(F("puesto").asc(nulls_last=True), F("categoria").asc(nulls_last=True), "-perecible")
        .first()
    )
    if fila is None or desde is None:
        return None
    feriados = no_laborables()
    if fila.unidad == Plazo.Unidad.HORAS:
        vence = desde + timedelta(hours=fila.cantidad)
    else:
        vence = sumar_habiles(desde, fila.cantidad, feriados)
    for una in _del_caso(partida):
        if una.hasta is None:
            return None
        detenido = max(una.desde, desde)
        if una.hasta <= detenido or detenido >= vence:
            continue
        if fila.unidad == Plazo.Unidad.HORAS:
            vence += una.hasta - detenido
        else:
            vence = sumar_habiles(vence, habiles_entre(detenido, una.hasta, feriados), feriados)
    return vence

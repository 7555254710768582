"""Deadlines: which row of `Plazo` rules a line's stage, when it ends, and how the case stands against it."""

from datetime import datetime, time, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from senasa import reloj
from senasa.calendario import no_laborables, sumar_habiles

from .models import Estado, Partida, Plazo

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


def vencimiento(partida: Partida) -> datetime | None:
    """When the line's present stage should end; None where no plazo says so.

    The most particular row wins: post before any post, then category, then perishables. A line with a
    measure in course is held to the measure's own date, not to a plazo.
    """
    if partida.estado == Estado.EN_MEDIDA:
        medida = partida.medida_pendiente
        return timezone.make_aware(datetime.combine(medida.vence_en, FIN_DEL_DIA)) if medida else None
    producto = partida.producto
    fila = (
        Plazo.objects.filter(etapa=partida.estado)
        .filter(Q(puesto=None) | Q(puesto_id=partida.expediente.puesto_id))
        .filter(Q(categoria=None) | Q(categoria=producto.categoria))
        .filter(perecible__in=[False, producto.perecible])
        .order_by(F("puesto").asc(nulls_last=True), F("categoria").asc(nulls_last=True), "-perecible")
        .first()
    )
    if fila is None or partida.estado_desde is None:
        return None
    if fila.unidad == Plazo.Unidad.HORAS:
        return partida.estado_desde + timedelta(hours=fila.cantidad)
    return sumar_habiles(partida.estado_desde, fila.cantidad, no_laborables())

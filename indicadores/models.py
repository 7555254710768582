"""What is kept of the statistics: when what was stepped back was again where it had been, and alerts of the rate."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from laboratorio.models import Reversion
from senasa.models import Disciplina


class Regreso(models.Model):
    """When what a reversion stepped back was again in that state, or ended. Derived from the log, which never changes.

    Without a row the log is asked; a row only saves asking again (`reversiones.anotar_regresos`).
    """

    reversion = models.OneToOneField(Reversion, models.CASCADE, primary_key=True, related_name="regreso")
    volvio_en = models.DateTimeField()

    class Meta:
        verbose_name = _("regreso de una reversión")
        verbose_name_plural = _("regresos de reversiones")

    def __str__(self) -> str:
        return f"{self.reversion} · {self.volvio_en:%d/%m/%Y %H:%M}"


class AlertaDeReversiones(models.Model):
    """A period whose rate of reversions left its limits, of the whole laboratory or of one discipline; said once.

    Rates and limits are reversions per 100 samples, as they were when it was found; it stops nobody's work.
    """

    class Cada(models.TextChoices):
        SEMANA = "semana", _("semana")
        MES = "mes", _("mes")

    cada = models.CharField(max_length=6, choices=Cada)
    # Its first day, in Lima.
    periodo = models.DateField(_("período"))
    disciplina = models.ForeignKey(Disciplina, models.PROTECT, null=True, blank=True, related_name="+")
    reversiones = models.PositiveIntegerField()
    muestras = models.PositiveIntegerField()
    centro = models.FloatField()
    limite_inferior = models.FloatField()
    limite_superior = models.FloatField()
    hallada_en = models.DateTimeField()
    vista_por = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    vista_en = models.DateTimeField(null=True, blank=True)
    comentario = models.TextField(_("comentario"), blank=True)

    class Meta:
        ordering = ["-periodo", "-id"]
        verbose_name = _("alerta de reversiones")
        verbose_name_plural = _("alertas de reversiones")
        constraints = [
            models.UniqueConstraint(
                fields=["cada", "periodo", "disciplina"], nulls_distinct=False, name="alerta_una_por_periodo"
            ),
            models.CheckConstraint(
                condition=Q(vista_en=None, vista_por=None) | Q(vista_en__isnull=False, vista_por__isnull=False),
                name="alerta_vista_por_alguien",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_cada_display()} {self.periodo:%d/%m/%Y} · {self.disciplina or _('todo el laboratorio')}"

    @property
    def tasa(self) -> float:
        return 100 * self.reversiones / self.muestras

    @property
    def por_encima(self) -> bool:
        return self.tasa > self.limite_superior

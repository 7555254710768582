"""What is kept of the statistics: returns of what was stepped back, alerts, the baseline, the monthly reports."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from expedientes.models import Documento
from laboratorio.models import Reversion
from senasa.models import Disciplina, Puesto


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


class LineaBase(models.Model):
    """What an indicator was before, of all posts or of one: a version, never edited. The last one is in force.

    `valor` in the indicator's own unit (days, cases, or a percentage from 0 to 100).
    """

    class Indicador(models.TextChoices):
        """By the names under which `manage.py indicadores` prints them."""

        CICLO = "media_ciclo_dias", _("Ciclo, de la toma al cierre")
        A_TIEMPO = "pct_menos_15_dias", _("Cerrados en menos de 15 días")
        DECISION = "media_informe_dictamen_dias", _("Del informe al dictamen")
        ENVIO = "pct_envio_hasta_8_dias", _("Enviados al laboratorio en 8 días o menos")
        REZAGO = "abiertos_mas_60_dias", _("Abiertos hace más de 60 días")
        INFORMADOS = "pct_informados", _("Usuarios informados")
        REVERSIONES = "reversiones_por_100_muestras", _("Reversiones por 100 muestras")
        AUTOFIRMADOS = "pct_autofirmados", _("Negativos firmados automáticamente")
        RECLAMOS = "dias_habiles_reclamo", _("Respuesta de un reclamo")

    indicador = models.CharField(_("indicador"), max_length=30, choices=Indicador)
    puesto = models.ForeignKey(Puesto, models.PROTECT, null=True, blank=True, related_name="+")
    version = models.PositiveSmallIntegerField(_("versión"))
    valor = models.FloatField(_("valor"))
    periodo = models.CharField(_("período"), max_length=80)
    fuente = models.CharField(_("fuente"), max_length=300)
    causa = models.TextField(_("por qué"))
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    puesta_en = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("línea base")
        verbose_name_plural = _("líneas base")
        constraints = [
            models.UniqueConstraint(
                fields=["indicador", "puesto", "version"], nulls_distinct=False, name="linea_base_unica"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_indicador_display()} v{self.version}"


class InformeMensual(models.Model):
    """The report of a month: its figures are written once, with the row, and its signed PDF says those and no others.

    Triggers refuse any other figures, and that the row goes. `falla`: why it could not be signed yet.
    """

    mes = models.DateField(_("mes"), unique=True)  # its first day
    cifras = models.JSONField()
    hecho_en = models.DateTimeField()
    # Nobody when it was made by itself, after the end of the month.
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    documento = models.OneToOneField(Documento, models.PROTECT, null=True, related_name="+")
    falla = models.TextField(blank=True)
    intento_en = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-mes"]
        verbose_name = _("informe mensual")
        verbose_name_plural = _("informes mensuales")
        constraints = [models.CheckConstraint(condition=Q(mes__day=1), name="mensual_desde_el_primero")]

    def __str__(self) -> str:
        return self.numero

    @property
    def numero(self) -> str:
        return f"IM-{self.mes:%Y-%m}"


class MesGuardado(models.Model):
    """The raw figures that one statement gave of a month that is over, of all posts or of one (`guardado.py`).

    A cache: without a row the statement is asked. `instantanea`: the database's own, taken before it was computed.
    """

    que = models.CharField(max_length=20)
    mes = models.DateField()  # its first day
    puesto = models.ForeignKey(Puesto, models.CASCADE, null=True, blank=True, related_name="+")
    formula = models.CharField(max_length=64)
    cifras = models.JSONField()
    instantanea = models.TextField()
    servidor = models.BigIntegerField()
    tomada_en = models.DateTimeField()

    class Meta:
        verbose_name = _("mes guardado")
        verbose_name_plural = _("meses guardados")
        constraints = [
            models.UniqueConstraint(fields=["que", "mes", "puesto"], nulls_distinct=False, name="mes_guardado_unico"),
            models.CheckConstraint(condition=Q(mes__day=1), name="mes_guardado_desde_el_primero"),
        ]

    def __str__(self) -> str:
        return f"{self.que} {self.mes:%Y-%m}"


class MesTocado(models.Model):
    """That a transaction changed what a statement reads of some months: written by triggers alone, never changed.

    From the month `desde` to `hasta`, or of all since when that is empty; first days.
    """

    que = models.CharField(max_length=20)
    desde = models.DateField()
    hasta = models.DateField(null=True)
    transaccion = models.BigIntegerField()

    class Meta:
        verbose_name = _("mes tocado")
        verbose_name_plural = _("meses tocados")
        constraints = [
            models.UniqueConstraint(
                fields=["transaccion", "que", "desde", "hasta"], nulls_distinct=False, name="mes_tocado_unico"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.que} {self.desde:%Y-%m}"

"""What answers for what is late: the action that a breach takes, and the reports that were brought to the jefe."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from expedientes.models import Documento, Expediente


class Incumplimiento(models.TextChoices):
    """What can be late. Each names one kind of object, whose key an action keeps as `objeto_id`."""

    PLAZO = "plazo", _("Etapa fuera de plazo")
    MEDIDA = "medida", _("Medida sin cumplir")
    OBSERVACION = "observacion", _("Observación sin respuesta")
    MUESTRA = "muestra", _("Muestra que no llega")
    PREGUNTA = "pregunta", _("Pregunta sin respuesta")
    INFORME = "informe", _("Informe sin leer")


class Accion(models.Model):
    """What somebody will do, and by when, about something that is late. Closed with an outcome, never deleted."""

    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="acciones")
    incumplimiento = models.CharField(_("atraso"), max_length=12, choices=Incumplimiento)
    # Of the line, the measure, the observation, the sample, the question or the document, as `incumplimiento` says.
    objeto_id = models.BigIntegerField()
    # Since when it was late, as it stood when the action was taken.
    vencio_en = models.DateTimeField(_("fuera de plazo desde"))
    que_hara = models.TextField(_("qué se hará"))
    responsable = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="acciones", verbose_name=_("responsable")
    )
    para_el = models.DateField(_("para el"))
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    abierta_en = models.DateTimeField(_("abierta"))
    desenlace = models.TextField(_("desenlace"), blank=True)
    cerrada_por = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    cerrada_en = models.DateTimeField(_("cerrada"), null=True, blank=True)

    class Meta:
        ordering = ["para_el", "id"]
        verbose_name = _("acción")
        verbose_name_plural = _("acciones")
        constraints = [
            models.UniqueConstraint(
                fields=["incumplimiento", "objeto_id"],
                condition=Q(cerrada_en__isnull=True),
                name="accion_una_abierta",
            ),
            models.CheckConstraint(
                condition=Q(cerrada_en=None, cerrada_por=None, desenlace="")
                | (Q(cerrada_en__isnull=False, cerrada_por__isnull=False) & ~Q(desenlace="")),
                name="accion_cerrada_entera",
            ),
        ]
        indexes = [
            models.Index(
                fields=["responsable", "para_el"], name="accion_abierta_de", condition=Q(cerrada_en__isnull=True)
            ),
            models.Index(fields=["para_el"], name="accion_abierta", condition=Q(cerrada_en__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.expediente}: {self.get_incumplimiento_display()}"


class Escalamiento(models.Model):
    """A report that nobody of its post had read in time, and when its jefe was told. Once for each version."""

    documento = models.OneToOneField(Documento, models.PROTECT, related_name="escalamiento")
    escalado_en = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        verbose_name = _("informe escalado al jefe")
        verbose_name_plural = _("informes escalados al jefe")

    def __str__(self) -> str:
        return str(self.documento)

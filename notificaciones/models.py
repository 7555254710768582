"""The outbox, the links its mails carry, and the bell. None knows what a case is: `referencia` is opaque here."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Enlace(models.Model):
    """One address's way to one object. The token is derived from this row, never stored (`enlaces.py`)."""

    referencia = models.CharField(max_length=60)
    correo = models.EmailField()
    version = models.PositiveSmallIntegerField(default=1)
    creado_en = models.DateTimeField()
    vence_en = models.DateTimeField(null=True, blank=True)
    revocado_en = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("enlace de seguimiento")
        verbose_name_plural = _("enlaces de seguimiento")
        constraints = [
            models.UniqueConstraint(
                fields=["referencia", "correo"], condition=Q(revocado_en__isnull=True), name="enlace_uno_vivo"
            )
        ]

    def __str__(self) -> str:
        return f"{self.referencia} v{self.version}"


class Preferencia(models.Model):
    """How an address wants the news that may wait. The token of its page is derived, never stored."""

    class Modo(models.TextChoices):
        TODO = "todo", _("Cada aviso, en cuanto ocurre")
        RESUMEN = "resumen", _("Un resumen al día con las novedades de todos mis expedientes")
        MINIMO = "minimo", _("Solo los avisos indispensables")

    correo = models.EmailField(_("correo"), unique=True)
    modo = models.CharField(_("cómo recibe las novedades"), max_length=10, choices=Modo, default=Modo.TODO)
    cambiada_en = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        verbose_name = _("preferencia de avisos")
        verbose_name_plural = _("preferencias de avisos")
        constraints = [
            models.CheckConstraint(
                condition=Q(modo__in=["todo", "resumen", "minimo"]), name="preferencia_modo_conocido"
            )
        ]

    def __str__(self) -> str:
        return self.get_modo_display()


class Notificacion(models.Model):
    """One mail that is owed, and what became of it."""

    class Estado(models.TextChoices):
        PENDIENTE = "pendiente", _("pendiente")
        ENVIADA = "enviada", _("enviada")
        ENTREGADA = "entregada", _("entregada")
        REBOTADA = "rebotada", _("rebotada")
        FALLIDA = "fallida", _("fallida")
        CANCELADA = "cancelada", _("cancelada")

    # What did not arrive: given up by us, or sent back by the reader's server.
    PERDIDAS = (Estado.FALLIDA, Estado.REBOTADA)
    # What the mail server took and nobody has sent back.
    ACEPTADAS = (Estado.ENVIADA, Estado.ENTREGADA)

    clave = models.CharField(max_length=400)
    aviso = models.CharField(_("aviso"), max_length=40)
    correo = models.EmailField(_("correo"))
    asunto = models.CharField(_("asunto"), max_length=200)
    texto = models.TextField()
    html = models.TextField()
    referencia = models.CharField(max_length=60)
    evento_id = models.BigIntegerField(null=True, blank=True)
    enlace = models.ForeignKey(Enlace, models.PROTECT, null=True, blank=True)
    estado = models.CharField(_("estado"), max_length=10, choices=Estado, default=Estado.PENDIENTE)
    creada_en = models.DateTimeField(_("debida desde"))
    intentos = models.PositiveSmallIntegerField(default=0)
    proximo_intento_en = models.DateTimeField()
    limite_en = models.DateTimeField(help_text="Hasta cuándo se reintenta.")
    reclamada_hasta = models.DateTimeField(null=True, blank=True)
    enviada_en = models.DateTimeField(_("enviada"), null=True, blank=True)
    entregada_en = models.DateTimeField(_("entregada"), null=True, blank=True)
    rebotada_en = models.DateTimeField(_("rebotada"), null=True, blank=True)
    # How far the clock of the business stood behind the machine's when it was owed: nothing, unless a history of
    # long ago was being walked. What becomes of it is written on the clock that it was owed on.
    desfase = models.DurationField(default=timedelta, db_default=timedelta())
    error = models.CharField(max_length=300, blank=True)
    # The one before, which this one sends again. Each is sent again once: then the new one is.
    reenvio_de = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="reenvio")
    # Somebody did what mends one that did not arrive: sent it again, or corrected the address.
    reparada_en = models.DateTimeField(null=True, blank=True)
    message_id = models.CharField(max_length=120)
    # Which version of which text it was written with; empty where there are no versions.
    version_del_texto = models.CharField(max_length=60, blank=True, db_default="")
    # Whose page its foot leads to, and whether that reader may stop mails like it.
    preferencia = models.ForeignKey(Preferencia, models.PROTECT, null=True, blank=True, db_index=False)
    dejable = models.BooleanField(default=False, db_default=False)
    # It waits for the digest of the day; then `resumen` is the mail that carries it, and tells what became of it.
    para_resumen = models.BooleanField(default=False, db_default=False)
    resumen = models.ForeignKey("self", models.PROTECT, null=True, blank=True, db_index=False, related_name="reunidas")

    class Meta:
        ordering = ["id"]
        verbose_name = _("notificación")
        verbose_name_plural = _("notificaciones")
        # Each mail is noted three times while it is sent, each time in every index that its row is in, unless the page
        # has room left for the row's next shape (the table's fillfactor): a third of what sending costs PostgreSQL.
        constraints = [
            models.UniqueConstraint(fields=["clave"], name="notificacion_unica"),
            models.UniqueConstraint(fields=["message_id"], name="notificacion_message_id"),
            models.CheckConstraint(
                condition=Q(estado__in=["pendiente", "enviada", "entregada", "rebotada", "fallida", "cancelada"]),
                name="notificacion_estado_conocido",
            ),
            models.CheckConstraint(
                condition=~Q(estado__in=["enviada", "entregada", "rebotada"]) | Q(enviada_en__isnull=False),
                name="notificacion_enviada_con_hora",
            ),
            models.CheckConstraint(
                condition=Q(para_resumen=False) | Q(resumen__isnull=True, dejable=True),
                name="notificacion_espera_resumen",
            ),
        ]
        indexes = [
            models.Index(fields=["referencia"], name="notificacion_de", opclasses=["varchar_pattern_ops"]),
            models.Index(
                fields=["preferencia"], name="notificacion_de_preferencia", condition=Q(preferencia__isnull=False)
            ),
            models.Index(fields=["resumen"], name="notificacion_reunida", condition=Q(resumen__isnull=False)),
            models.Index(
                fields=["proximo_intento_en"], name="notificacion_por_enviar", condition=Q(estado="pendiente")
            ),
            models.Index(
                fields=["creada_en"],
                name="notificacion_por_reparar",
                condition=Q(estado__in=["fallida", "rebotada"], reparada_en__isnull=True),
            ),
            models.Index(fields=["correo"], name="notificacion_para_resumen", condition=Q(para_resumen=True)),
            models.Index(fields=["creada_en", "estado"], name="notificacion_por_fecha"),
            models.Index(fields=["correo"], name="notificacion_por_correo"),
            # Who was told of a report, and when: indicator 6 reads a month of these without the mails themselves.
            models.Index(
                fields=["aviso", "enviada_en"],
                include=["evento_id", "creada_en", "rebotada_en", "id"],
                name="notificacion_por_aviso",
                condition=Q(aviso__in=["informe_emitido", "informe_corregido"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.aviso} · {self.get_estado_display()}"


class AvisoInterno(models.Model):
    """One thing that one member of the staff is told by the bell, and when he read it (`internos.py`)."""

    usuario = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="avisos_internos")
    # What it is about, so that the same act, repeated, tells nobody twice.
    clave = models.CharField(max_length=120)
    aviso = models.CharField(_("aviso"), max_length=40)
    titulo = models.CharField(_("novedad"), max_length=200)
    detalle = models.TextField(blank=True)
    # The page of this site where it is attended to; "" where there is none.
    url = models.CharField(max_length=200, blank=True)
    referencia = models.CharField(max_length=60, blank=True)
    creado_en = models.DateTimeField(_("desde"))
    leido_en = models.DateTimeField(_("leído"), null=True, blank=True)

    class Meta:
        ordering = ["-creado_en", "-id"]
        verbose_name = _("aviso interno")
        verbose_name_plural = _("avisos internos")
        constraints = [models.UniqueConstraint(fields=["usuario", "clave"], name="aviso_interno_unico")]
        indexes = [
            models.Index(
                fields=["usuario", "-creado_en"], name="aviso_interno_sin_leer", condition=Q(leido_en__isnull=True)
            ),
            models.Index(fields=["usuario", "-creado_en"], name="aviso_interno_de"),
            models.Index(
                fields=["referencia"],
                name="aviso_interno_ref_sin_leer",
                condition=Q(leido_en__isnull=True) & ~Q(referencia=""),
            ),
        ]

    def __str__(self) -> str:
        return self.titulo

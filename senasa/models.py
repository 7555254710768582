"""People and places: users and their roles, border posts, disciplines, days without work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from . import reloj


class Rol(models.TextChoices):
    MESA_DE_PARTES = "mesa_de_partes", _("Mesa de partes")
    INSPECTOR = "inspector", _("Inspector")
    JEFE_DE_PUESTO = "jefe_de_puesto", _("Jefe de puesto")
    RECEPCION = "recepcion", _("Recepción de muestras")
    ANALISTA = "analista", _("Analista")
    VERIFICADOR = "verificador", _("Verificador")
    DIRECTOR = "director", _("Director de laboratorio")
    DIRECCION = "direccion", _("Dirección")
    ATENCION = "atencion", _("Atención al público")
    ADMINISTRADOR = "administrador", _("Administrador")
    # No user holds these two: they name who acts when no member of staff does.
    SISTEMA = "sistema", _("Sistema")
    IMPORTADOR = "importador", _("Importador")


ROLES_DE_PERSONAS = [rol for rol in Rol if rol not in (Rol.SISTEMA, Rol.IMPORTADOR)]
ROLES_DE_LABORATORIO = {Rol.RECEPCION, Rol.ANALISTA, Rol.VERIFICADOR, Rol.DIRECTOR}
ROLES_DE_PUESTO = {Rol.INSPECTOR, Rol.JEFE_DE_PUESTO}


class Disciplina(models.Model):
    codigo = models.SlugField(_("código"), max_length=30, unique=True)
    nombre = models.CharField(_("nombre"), max_length=80)
    history = HistoricalRecords()

    class Meta:
        ordering = ["nombre"]
        verbose_name = _("disciplina")
        verbose_name_plural = _("disciplinas")

    def __str__(self) -> str:
        return self.nombre


class Puesto(models.Model):
    """A border post (puesto de control); its code opens the numbers of its cases."""

    codigo = models.CharField(_("código"), max_length=3, unique=True)
    nombre = models.CharField(_("nombre"), max_length=120)
    lugar = models.CharField(_("lugar"), max_length=80)
    locode = models.CharField(_("UN/LOCODE"), max_length=5)
    history = HistoricalRecords()

    class Meta:
        ordering = ["nombre"]
        verbose_name = _("puesto de control")
        verbose_name_plural = _("puestos de control")

    def __str__(self) -> str:
        return self.nombre


class Usuario(AbstractUser):
    email = models.EmailField(_("correo electrónico"), unique=True)
    roles = ArrayField(
        models.CharField(max_length=20, choices=[(rol.value, rol.label) for rol in ROLES_DE_PERSONAS]),
        verbose_name=_("roles"),
        default=list,
        blank=True,
    )
    puestos = models.ManyToManyField(Puesto, verbose_name=_("puestos"), blank=True)
    disciplinas = models.ManyToManyField(Disciplina, verbose_name=_("disciplinas"), blank=True)
    # Part of the seal of every session of the user: a new number ends them all.
    sesiones = models.PositiveIntegerField(default=0, editable=False)

    class Meta(AbstractUser.Meta):
        verbose_name = _("usuario")  # type: ignore[assignment]
        verbose_name_plural = _("usuarios")  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    def tiene(self, *roles: str) -> bool:
        """Whether the user holds any of `roles`, or stands in for who does."""
        return bool(self.roles_entre(roles))

    def roles_entre(self, roles: Iterable[str]) -> set[str]:
        """Which of `roles` the user holds now: the director's also as his deputy, within the dates."""
        suyos = set(roles) & set(self.roles)
        if Rol.DIRECTOR in roles and Rol.DIRECTOR not in suyos and self.suplencia:
            suyos.add(Rol.DIRECTOR)
        return suyos

    @cached_property
    def suplencia(self) -> Suplencia | None:
        """Under which the user stands in for the director today; asked once for each request, as users are."""
        return Suplencia.objects.vigentes().filter(suplente=self).select_related("titular").first()

    def poner_roles(self, roles: list[str]) -> None:
        """The role opens the administration site; no other switch does."""
        self.roles = roles
        self.is_staff = self.is_superuser = self.tiene(Rol.ADMINISTRADOR)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's seal is made of the password alone."""
        sello = salted_hmac("senasa.Usuario.sesion", f"{self.sesiones}:{self.password}", secret, algorithm="sha256")
        return sello.hexdigest()

    @property
    def firma_corta(self) -> str:
        """How lists name the person: «R. Inspectora»."""
        if self.first_name and self.last_name:
            return f"{self.first_name[0]}. {self.last_name}"
        return self.username


class ConsultaSuplencia(models.QuerySet["Suplencia"]):
    def vigentes(self) -> ConsultaSuplencia:
        """In force today, in Lima."""
        hoy = timezone.localdate(reloj.ahora())
        return self.filter(desde__lte=hoy, hasta__gte=hoy, terminada_en=None)


class Suplencia(models.Model):
    """Who has the director's acts while the director is away; both days included. Ended early, the row stays."""

    titular = models.ForeignKey(Usuario, models.PROTECT, verbose_name=_("a quién suple"), related_name="suplencias")
    suplente = models.ForeignKey(Usuario, models.PROTECT, verbose_name=_("quién suple"), related_name="suple")
    desde = models.DateField(_("desde"))
    hasta = models.DateField(_("hasta"))
    causa = models.CharField(_("causa"), max_length=200)
    autor = models.ForeignKey(Usuario, models.PROTECT, related_name="+")
    creada_en = models.DateTimeField()
    terminada_en = models.DateTimeField(_("terminada antes"), null=True, blank=True)
    history = HistoricalRecords()

    objects = ConsultaSuplencia.as_manager()

    class Meta:
        ordering = ["-desde", "-id"]
        verbose_name = _("suplencia")
        verbose_name_plural = _("suplencias")
        constraints = [
            models.CheckConstraint(condition=Q(hasta__gte=F("desde")), name="suplencia_en_orden"),
            models.CheckConstraint(condition=~Q(titular=F("suplente")), name="suplencia_de_otro"),
        ]

    def __str__(self) -> str:
        return f"{self.suplente} por {self.titular}"

    @property
    def vigente(self) -> bool:
        return self.terminada_en is None and self.desde <= timezone.localdate(reloj.ahora()) <= self.hasta


class Latido(models.Model):
    """When something that must go on was last seen: scheduler, worker, backup. One row each, written over."""

    nombre = models.CharField(max_length=40, primary_key=True)
    visto_en = models.DateTimeField()
    datos = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("latido")
        verbose_name_plural = _("latidos")

    def __str__(self) -> str:
        return f"{self.nombre} {self.visto_en:%d/%m/%Y %H:%M}"

    @classmethod
    def anotar(cls, nombre: str, **datos: Any) -> None:
        cls.objects.update_or_create(nombre=nombre, defaults={"visto_en": timezone.now(), "datos": datos})


class DiaNoLaborable(models.Model):
    """A day that is not a día hábil, with the norm that made it one.

    Copied from the library `holidays` once and edited from then on: an upgrade of a library
    must not move a legal deadline.
    """

    fecha = models.DateField(_("fecha"), unique=True)
    nombre = models.CharField(_("nombre"), max_length=120)
    norma = models.CharField(_("norma"), max_length=200, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["fecha"]
        verbose_name = _("día no laborable")
        verbose_name_plural = _("días no laborables")

    def __str__(self) -> str:
        return f"{self.fecha:%d/%m/%Y} {self.nombre}"

"""People and places: users and their roles, border posts, disciplines, days without work."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords


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
        """Whether the user holds any of `roles`."""
        return not set(roles).isdisjoint(self.roles)

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

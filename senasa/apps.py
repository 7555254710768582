from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SenasaConfig(AppConfig):
    name = "senasa"
    verbose_name = _("Personas y puestos")

    def ready(self) -> None:
        from allauth.mfa.models import Authenticator
        from django.db.models.signals import post_delete, post_save

        from . import cuentas

        post_save.connect(cuentas.al_cambiar_un_factor, sender=Authenticator)
        post_delete.connect(cuentas.al_cambiar_un_factor, sender=Authenticator)

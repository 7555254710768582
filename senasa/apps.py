from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SenasaConfig(AppConfig):
    name = "senasa"
    verbose_name = _("Personas y puestos")

    def ready(self) -> None:
        from allauth.mfa import signals

        from . import cuentas

        for senal in (signals.authenticator_added, signals.authenticator_removed, signals.authenticator_reset):
            senal.connect(cuentas.al_cambiar_un_factor)

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SenasaConfig(AppConfig):
    name = "senasa"
    verbose_name = _("Personas y puestos")

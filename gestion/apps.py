from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GestionConfig(AppConfig):
    name = "gestion"
    verbose_name = _("Gestión")

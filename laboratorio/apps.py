from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LaboratorioConfig(AppConfig):
    name = "laboratorio"
    verbose_name = _("Laboratorio")

    def ready(self) -> None:
        # Its tables join those of the case: the log reads its verbs from them, and so do the buttons.
        from expedientes.incidencias import AL_TERMINAR

        from . import lifecycle, services  # noqa: F401

        AL_TERMINAR.append(services.soltar)

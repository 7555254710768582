from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from senasa import salud


class ExpedientesConfig(AppConfig):
    name = "expedientes"
    verbose_name = _("Expedientes")

    def ready(self) -> None:
        from senasa import respaldo

        from . import bitacora, documentos

        respaldo.ARCHIVOS.append(documentos.para_el_respaldo)
        respaldo.RESUMENES["la bitácora"] = bitacora.cabezas
        if settings.MODO == "demo":
            salud.COMPROBACIONES["datos_demo"] = self.hay_datos_demo

    def hay_datos_demo(self) -> bool:
        return self.get_model("Expediente")._default_manager.exists()

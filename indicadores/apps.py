from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IndicadoresConfig(AppConfig):
    name = "indicadores"
    verbose_name = _("Indicadores")

    def ready(self) -> None:
        from senasa import volcado

        # Kept figures rest on the transactions of this very server: another one computes them again.
        volcado.SIN_FILAS += ["indicadores_mesguardado", "indicadores_mestocado"]

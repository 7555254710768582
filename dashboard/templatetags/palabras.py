"""Times in words for templates."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboard import palabras
from senasa import reloj

register = template.Library()


@register.simple_tag
def hace(cuando: datetime) -> SafeString:
    """`<time>` with how long ago; the exact moment on hover."""
    local = timezone.localtime(cuando)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        date_format(local, r"l j \d\e F \d\e Y, H:i").lower(),
        palabras.hace(cuando, reloj.ahora()),
    )


@register.filter
def kilos(peso: object) -> str:
    """«38 400 kg», decimals only when there are any."""
    texto = f"{peso:,.3f}".rstrip("0").rstrip(".")
    return texto.replace(",", "\u00a0") + "\u00a0kg"

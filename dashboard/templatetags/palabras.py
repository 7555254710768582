"""Times in words for templates."""

from datetime import datetime
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboard import palabras
from senasa import reloj
from senasa.palabras import cantidad

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
def recien(cuando: datetime) -> bool:
    """Less than a minute ago: «hace 0 minutos» is nothing that anybody says."""
    return palabras.hace(cuando, reloj.ahora()) == palabras.UN_MOMENTO


@register.filter
def kilos(peso: Decimal) -> str:
    """«38 400 kg»."""
    return f"{cantidad(peso)}\u00a0kg"

"""The digest of the day: the news of many cases in one mail, for the addresses that asked for it."""

from __future__ import annotations

from collections import defaultdict

from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.formats import date_format

from senasa import reloj

from . import enlaces, preferencias
from .models import Notificacion, Preferencia
from .services import LUGAR_DE_PREFERENCIAS, encolar, enlace_para


def resumir() -> int:
    """Make the digests whose hour has come, one for each address; how many.

    A row waits for a digest, or stands in one, or goes out alone: each is changed under its lock, in the transaction
    that owes the digest. Who dies in the middle leaves all as it was.
    """
    debidas = Notificacion.objects.filter(para_resumen=True, proximo_intento_en__lte=timezone.now())
    return sum(_resumir(correo) for correo in sorted(set(debidas.values_list("correo", flat=True)[:1000])))


@transaction.atomic
def _resumir(correo: str) -> bool:
    # The address first, as `guardar` does; then its rows.
    preferencia = Preferencia.objects.select_for_update(skip_locked=True).filter(correo=correo).first()
    filas = Notificacion.objects.filter(correo=correo, para_resumen=True, proximo_intento_en__lte=timezone.now())
    reunidas = list(filas.select_for_update().order_by("id")) if preferencia else []
    if preferencia is None or not reunidas:
        return False
    suyas = Notificacion.objects.filter(pk__in=[fila.pk for fila in reunidas])
    if len(reunidas) == 1:
        suyas.update(para_resumen=False)  # one piece of news is no digest: it goes out as it is
        return False
    grupos = defaultdict(list)
    for fila in reunidas:
        numero, _dos_puntos, noticia = fila.asunto.partition(": ")
        grupos[fila.referencia, fila.enlace_id, numero].append(noticia)
    with translation.override("es-pe"):
        dia = date_format(timezone.localtime(reloj.ahora()), r"j \d\e F")
        contexto = {
            "titulo": f"{len(reunidas)} novedades en {len(grupos)} expediente{'s' if len(grupos) > 1 else ''}",
            "dia": dia,
            "preferencias": LUGAR_DE_PREFERENCIAS,
            "enlace": preferencias.lugar_de(enlace_para(referencia=enlaces.TODOS, correo=correo).pk),
            "casos": [
                {"numero": numero, "noticias": noticias, "enlace": preferencias.lugar_de(enlace) if enlace else ""}
                for (_referencia, enlace, numero), noticias in grupos.items()
            ],
        }
        resumen = encolar(
            clave=f"resumen:{reunidas[-1].pk}",
            correo=correo,
            asunto=f"Resumen del {dia}: {contexto['titulo']}",
            texto=render_to_string("correos/resumen.txt", contexto),
            html=render_to_string("correos/resumen.html", contexto),
            aviso=preferencias.RESUMEN,
            referencia=f"resumen:{preferencia.pk}",
            preferencia=preferencia,
        )
    # It may be stopped, but neither gathered nor cancelled by the choice that made it.
    Notificacion.objects.filter(pk=resumen.pk).update(dejable=True)
    suyas.update(para_resumen=False, resumen=resumen)
    return True

"""What a RIV (Reporte de Inspección y Verificación) says, gathered for its template."""

from datetime import datetime
from typing import Any

from .firma import Certificado
from .models import Dictamen, Evento
from .pdf import componer, qr, url_de_verificacion


def contexto_riv(
    dictamen: Dictamen, *, version: int, cvd: str, emitido_en: datetime, certificado: Certificado
) -> dict[str, Any]:
    """The RIV's data as its template shows them; times are aware."""
    partida = dictamen.partida
    inspeccion = (
        Evento.objects.filter(objeto="partida", objeto_id=partida.pk, accion="inspeccionar")
        .select_related("actor")
        .order_by("-n")
        .first()
    )
    expediente = partida.expediente
    papeles = (
        ("PFI", expediente.pfi),
        ("certificado fitosanitario", expediente.certificado),
        ("SUCE", expediente.suce),
        ("DAM", expediente.dam),
    )
    return {
        "dictamen": dictamen,
        "numero": dictamen.numero if version == 1 else f"{dictamen.numero}-V{version}",
        "version": version,
        "titulo_corto": "RIV",
        "titulo": "Reporte de inspección y verificación (RIV)",
        "expediente": expediente,
        "partida": partida,
        "papeles": [(nombre, valor) for nombre, valor in papeles if valor],
        "inspeccion": inspeccion,
        "informes": list(dictamen.informes.all()),
        "informes_en_papel": list(dictamen.informes_en_papel.all()),
        "emitido_en": emitido_en,
        "cvd": cvd,
        "qr": qr(url_de_verificacion(cvd)),
        "verificar_en": url_de_verificacion(cvd),
        "demostracion": certificado.es_demostracion,
        "titular": certificado.titular,
        "fin": "Fin del reporte",
    }


def componer_riv(
    dictamen: Dictamen, *, version: int, cvd: str, emitido_en: datetime, certificado: Certificado
) -> bytes:
    """The RIV as an unsigned PDF."""
    contexto = contexto_riv(dictamen, version=version, cvd=cvd, emitido_en=emitido_en, certificado=certificado)
    return componer("pdf/riv.html", contexto)

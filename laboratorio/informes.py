"""What a test report says: the fields of ISO/IEC 17025:2017, §7.8.2, gathered for its template."""

from collections import Counter
from datetime import datetime
from typing import Any

from django.conf import settings

from expedientes.firma import Certificado
from expedientes.pdf import componer, qr, url_de_verificacion

from .models import Analisis, EstadoAnalisis, Informe, Resultado, Valor

DEL_PEOR_AL_MEJOR = (Valor.POSITIVO, Valor.INDETERMINADO, Valor.NEGATIVO)


def contexto_informe(
    informe: Informe, *, version: int, cvd: str, emitido_en: datetime, certificado: Certificado, fuera: bool = False
) -> dict[str, Any]:
    """The report's data as its template shows them; times are aware. `fuera`: it will be signed elsewhere."""
    solicitud = informe.solicitud
    muestras = list(solicitud.muestras.order_by("numero"))
    analisis = (
        Analisis.objects.filter(solicitud=solicitud, estado=EstadoAnalisis.VERIFICADO)
        .select_related("metodo__disciplina", "plaga", "muestra")
        .order_by("muestra__numero", "metodo__disciplina__nombre", "id")
    )
    resultados = {
        resultado.analisis_id: resultado
        for resultado in Resultado.objects.filter(analisis__in=analisis, vigente=True).select_related("plaga")
    }
    filas: list[dict[str, Any]] = [{"analisis": uno, "resultado": resultados[uno.pk]} for uno in analisis]
    valores = Counter(fila["resultado"].valor for fila in filas)
    conclusion = next((valor for valor in DEL_PEOR_AL_MEJOR if valores[valor]), Valor.INDETERMINADO)
    cancelados = Analisis.objects.filter(solicitud=solicitud, estado=EstadoAnalisis.CANCELADO)
    fechas_de_ensayo = [fila["analisis"].iniciado_en for fila in filas if fila["analisis"].iniciado_en]
    return {
        "informe": informe,
        "numero": informe.numero if version == 1 else f"{informe.numero}-V{version}",
        "version": version,
        # The version that this one replaces, and why (ISO/IEC 17025:2017, §7.8.8).
        "reemplaza": informe.documento if version > 1 else None,
        "causa": informe.causa,
        "titulo": "Informe de ensayo",
        "conclusion": conclusion,
        "conclusion_dicha": conclusion.label,
        "resumen": f"{len(filas)} análisis: "
        + ", ".join(_cuantos(valores[v], v) for v in DEL_PEOR_AL_MEJOR if valores[v]),
        "expediente": informe.expediente,
        "partida": solicitud.partida,
        "solicitud": solicitud,
        "muestras": muestras,
        "planes": list(dict.fromkeys(muestra.plan_de_muestreo for muestra in muestras if muestra.plan_de_muestreo)),
        "filas": filas,
        "cancelados": cancelados.select_related("metodo__disciplina", "plaga", "muestra").order_by("id"),
        "ensayado_desde": min(fechas_de_ensayo, default=None),
        "ensayado_hasta": max((fila["resultado"].ocurrio_en for fila in filas), default=None),
        "observaciones": [muestra for muestra in muestras if muestra.observaciones],
        "autoriza": informe.autoriza,
        "suplencia": informe.suplencia,
        "fuera": fuera,
        "regla": informe.regla,
        "laboratorio": {"nombre": settings.LABORATORIO_NOMBRE, "direccion": settings.LABORATORIO_DIRECCION},
        "emitido_en": emitido_en,
        "cvd": cvd,
        "qr": qr(url_de_verificacion(cvd)),
        "verificar_en": url_de_verificacion(cvd),
        "demostracion": certificado.es_demostracion,
        "titular": certificado.titular,
        "fin": "Fin del informe",
    }


def _cuantos(n: int, valor: Valor) -> str:
    return f"{n} {valor.label.lower()}{'' if n == 1 else 's'}"


def componer_informe(
    informe: Informe, *, version: int, cvd: str, emitido_en: datetime, certificado: Certificado, fuera: bool = False
) -> bytes:
    """The report as an unsigned PDF."""
    contexto = contexto_informe(
        informe, version=version, cvd=cvd, emitido_en=emitido_en, certificado=certificado, fuera=fuera
    )
    return componer("pdf/informe.html", contexto)

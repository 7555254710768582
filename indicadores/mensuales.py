"""The monthly report: figures frozen once, a PDF of those very figures, signed by the institution and kept.

Computing and freezing is one short act; rendering and signing come after, by the worker, outside any transaction. An
unsigned report never leaves: until it is signed there is no file at all, and the reason why stands on the list.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from expedientes import documentos
from expedientes.firma import Certificado, CertificadoInutil, cargar_certificado, firmar
from expedientes.models import Documento, Hitos
from expedientes.pdf import componer, qr, url_de_verificacion
from senasa import reloj, timbre
from senasa.models import Puesto, Rol, Usuario
from senasa.transicion import DatoInvalido, RolImpide

from . import cuadro, tarjetas, tasks
from .guardado import fin_de_mes
from .models import InformeMensual
from .programa import meses

registro = logging.getLogger(__name__)

# A month's report is made by itself so many days after its end: what was done in its last days may be typed late.
GRACIA_DIAS = 3
REINTENTO = timedelta(seconds=60)


def ultimo_mes() -> date:
    """The first day of the last month that is over, in Lima."""
    hoy = timezone.localdate(reloj.ahora())
    return (hoy.replace(day=1) - timedelta(days=1)).replace(day=1)


def por_hacer() -> list[date]:
    """The months that are over, since the first case there is, and have no report; the last on top."""
    primero = Hitos.objects.aggregate(de=Min("t0"))["de"]
    if primero is None or timezone.localdate(primero) > fin_de_mes(ultimo_mes()):
        return []
    hechos = set(InformeMensual.objects.values_list("mes", flat=True))
    return [mes for mes in reversed(meses(timezone.localdate(primero), ultimo_mes())) if mes not in hechos]


def hacer(*, mes: date, actor: Usuario | None = None) -> InformeMensual:
    """Freeze the figures of a month that is over, and ring for its signature; the one that is there, if there is one.

    `mes`: its first day. `actor`: dirección, or nobody for the system. Raises DatoInvalido for a month that is not
    over, or of before the first case; RolImpide.
    """
    if actor is not None and not actor.tiene(Rol.DIRECCION):
        raise RolImpide(_("El informe mensual lo pide dirección."))
    if hecho := InformeMensual.objects.filter(mes=mes).first():
        return hecho
    if mes not in por_hacer():
        raise DatoInvalido({"mes": _("Se informa de un mes ya terminado y con expedientes.")})
    cifras = congelar(mes)
    try:
        with transaction.atomic():
            informe = InformeMensual.objects.create(mes=mes, cifras=cifras, hecho_en=reloj.ahora(), autor=actor)
            timbre.tocar(tasks.barrer_mensuales)
    except IntegrityError:  # somebody else made it at the same moment: that one stands
        return InformeMensual.objects.get(mes=mes)
    return informe


@transaction.atomic
def congelar(mes: date) -> dict[str, Any]:
    """The figures of a month, of all posts together and of each, all of one moment."""
    ambitos: list[Puesto | None] = [None, *Puesto.objects.order_by("pk")]
    return {
        "mes": mes.isoformat(),
        "calculado_en": reloj.ahora().isoformat(),
        "ambitos": [cuadro.foto(mes, fin_de_mes(mes), puesto) for puesto in ambitos],
        "meses": cuadro.foto_de_meses(mes),
    }


def hacer_el_que_toca() -> InformeMensual | None:
    """Make the last month's report when its days of grace are over; None when it is there, or not yet due."""
    mes = ultimo_mes()
    hoy = timezone.localdate(reloj.ahora())
    if hoy <= fin_de_mes(mes) + timedelta(days=GRACIA_DIAS) or mes not in por_hacer():
        return None
    return hacer(mes=mes)


def sin_firmar() -> QuerySet[InformeMensual]:
    """Reports that are owed their signature."""
    return InformeMensual.objects.filter(documento=None)


def firmar_informe(*, informe_id: int) -> Documento | None:
    """Render, sign and publish a month's report; None when it is there already or cannot be signed.

    A bad certificate leaves the reason on the report, where dirección sees it, and the sweep tries again.
    """
    informe = sin_firmar().filter(pk=informe_id).first()
    if informe is None:
        return None
    cvd, emitido_en = documentos.nuevo_cvd(), reloj.ahora()
    try:
        certificado = cargar_certificado()
        pdf = componer("pdf/mensual.html", contexto(informe, cvd=cvd, emitido_en=emitido_en, certificado=certificado))
        pdf = firmar(pdf, certificado=certificado, motivo=f"Informe mensual {informe}", lugar="Callao, Perú")
    except CertificadoInutil as error:
        _anotar_falla(informe_id, str(error))
        return None
    except Exception:
        registro.exception("no se pudo componer el informe mensual %s", informe)
        _anotar_falla(informe_id, _("No se pudo componer el PDF: avise al administrador."))
        return None
    preparado = documentos.preparar(pdf)
    with transaction.atomic():
        informe = sin_firmar().select_for_update().filter(pk=informe_id).first()
        if informe is None:  # signed meanwhile
            return None
        informe.documento = documentos.publicar_documento(
            preparado=preparado,
            tipo=Documento.Tipo.MENSUAL,
            numero=informe.numero,
            version=1,
            expediente=None,
            cvd=cvd,
            firma=Documento.Firma.INSTITUCION,
            titular=certificado.titular,
            emitido_en=emitido_en,
        )
        informe.falla = ""
        informe.save(update_fields=["documento", "falla"])
    return informe.documento


def _anotar_falla(informe_id: int, falla: str) -> None:
    InformeMensual.objects.filter(pk=informe_id).update(falla=falla, intento_en=reloj.ahora())


def barrer() -> int:
    """Sign what is owed: every report without its document, the failed ones once a minute."""
    pausa = reloj.ahora() - REINTENTO
    debidos = sin_firmar().filter(Q(intento_en=None) | Q(intento_en__lt=pausa))
    return sum(firmar_informe(informe_id=pk) is not None for pk in debidos.values_list("pk", flat=True)[:12])


def contexto(informe: InformeMensual, *, cvd: str, emitido_en: Any, certificado: Certificado) -> dict[str, Any]:
    """What the PDF shows: the frozen figures, and whose signature they carry."""
    return {
        **leido(informe),
        "informe": informe,
        "numero": informe.numero,
        "version": 1,
        "titulo_corto": "Informe mensual",
        "titulo": "Informe mensual del programa",
        "emitido_en": emitido_en,
        "cvd": cvd,
        "qr": qr(url_de_verificacion(cvd)),
        "verificar_en": url_de_verificacion(cvd),
        "demostracion": certificado.es_demostracion,
        "titular": certificado.titular,
        "fin": "Fin del informe",
    }


def leido(informe: InformeMensual) -> dict[str, Any]:
    """The frozen figures in words, for the page and for the PDF alike."""
    fotos = informe.cifras["ambitos"]
    columnas = [foto["puesto"] or "Todos" for foto in fotos]
    por_indicador = zip(*(cuadro.filas(foto) for foto in fotos), strict=True)
    return {
        "fotos": fotos,
        "columnas": columnas,
        "indicadores": [
            (indicador, list(zip(columnas, celdas, strict=True)))
            for indicador, celdas in zip(cuadro.INDICADORES, por_indicador, strict=True)
        ],
        "al_lado": [
            (de_todas[0][0], [(columna, valor) for columna, (_n, valor) in zip(columnas, de_todas, strict=True)])
            for de_todas in zip(*(cuadro.al_lado(foto) for foto in fotos), strict=True)
        ],
        # Reports made before charts were frozen with them have none.
        "graficos": tarjetas.graficos(doce) if (doce := cuadro.meses_leidos(informe.cifras)) else [],
        "etapas": cuadro.etapas_escritas(fotos[0]),
        "reparto": cuadro.reparto_escrito(fotos[0]),
        "movimiento": [
            {**semana, "desde": date.fromisoformat(semana["desde"]), "hasta": date.fromisoformat(semana["hasta"])}
            for semana in fotos[0]["movimiento"]
        ],
    }


def lo_que_cambio(informe: InformeMensual) -> list[tuple[str, str, str]]:
    """Indicators that would come out otherwise today, as acts were typed late or cases opened again since: (which,
    as reported, as it would be). The report stays as it is."""
    hoy = cuadro.filas(cuadro.foto_de_indicadores(informe.mes, fin_de_mes(informe.mes)))
    de_entonces = cuadro.filas(informe.cifras["ambitos"][0])
    return [
        (antes.indicador.nombre, f"{antes.valor} ({antes.detalle})", f"{ahora.valor} ({ahora.detalle})")
        for antes, ahora in zip(de_entonces, hoy, strict=True)
        if (antes.valor, antes.detalle) != (ahora.valor, ahora.detalle)
    ]

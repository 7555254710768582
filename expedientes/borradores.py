"""The public request before it is a case: an address is confirmed, answers are kept, the whole is handed in.

Whoever shows that he reads an address's mail may go on with the drafts of that address, and with nothing else.
Nothing here says whether we know an address or a document.
"""

import hmac
import logging
import uuid
from collections.abc import Iterable
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from notificaciones import enlaces
from notificaciones.services import enlace_para, olvidar
from senasa.transicion import DatoInvalido

from . import avisos, pasos, services
from .archivos import ArchivoNuevo, ya_revisado
from .models import Borrador, Confirmacion, Expediente

registro = logging.getLogger(__name__)

CODIGO_VALE = timedelta(minutes=30)
INTENTOS = 5
BORRADOR_VIVE = timedelta(days=30)
MAX_BORRADORES = 60  # of one address at once
MAX_ADJUNTOS = 10
CARPETA = "borradores"


# ── The address ───────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def pedir_codigo(correo: str) -> Confirmacion:
    """Send a code to the address. It says the same to all of them."""
    correo = correo.strip().lower()
    validate_email(correo)
    ahora = timezone.now()
    confirmacion = Confirmacion.objects.create(correo=correo, creada_en=ahora, vence_en=ahora + CODIGO_VALE)
    contexto: dict[str, Any] = {"minutos": int(CODIGO_VALE.total_seconds() // 60)}
    referencia = confirmacion.referencia
    avisos.escribir("codigo", correo=correo, referencia=referencia, clave=referencia, **contexto)
    return confirmacion


class Fallo(Enum):
    """Why a code does not open: it is another one, or this one is of no use any more."""

    OTRO = "otro"
    GASTADO = "gastado"


@transaction.atomic
def confirmar(pk: int, codigo: str) -> str | Fallo:
    """The address that the code proves. Every try counts, the right one too: a code opens once."""
    confirmacion = Confirmacion.objects.select_for_update().filter(pk=pk).first()
    if confirmacion is None or confirmacion.usada_en or confirmacion.vence_en <= timezone.now():
        return Fallo.GASTADO
    if confirmacion.intentos >= INTENTOS:
        return Fallo.GASTADO
    confirmacion.intentos += 1
    acierto = hmac.compare_digest(enlaces.codigo(confirmacion.referencia).encode(), codigo.encode())
    if acierto:
        confirmacion.usada_en = timezone.now()
    confirmacion.save(update_fields=["intentos", "usada_en"])
    if acierto:
        return confirmacion.correo
    return Fallo.GASTADO if confirmacion.intentos >= INTENTOS else Fallo.OTRO


# ── The draft ─────────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def crear(correo: str) -> Borrador:
    """A new, empty draft. An address that leaves too many behind loses its oldest."""
    viejos = Borrador.objects.filter(correo=correo, expediente=None).order_by("-id")[MAX_BORRADORES - 1 :]
    for viejo in viejos:
        borrar(viejo)
    ahora = timezone.now()
    return Borrador.objects.create(correo=correo, creado_en=ahora, vence_en=ahora + BORRADOR_VIVE)


@transaction.atomic
def anotar(borrador: Borrador, **cambios: Any) -> Borrador:
    """Keep answers, on the row as it is now; whoever goes on writing has time again."""
    actual = _bloqueado(borrador)
    if actual.expediente_id is None:
        actual.respuestas |= cambios
        actual.vence_en = timezone.now() + BORRADOR_VIVE
        actual.save(update_fields=["respuestas", "vence_en"])
        enlaces.prolongar(referencia=actual.referencia)
        enlaces.vencer(referencia=actual.referencia, dentro_de=BORRADOR_VIVE)
    return actual


def _bloqueado(borrador: Borrador) -> Borrador:
    # Without its case joined: whoever waited for the row would get the join as it was before.
    return Borrador.objects.select_for_update().get(pk=borrador.pk)


@transaction.atomic
def anotar_partida(borrador: Borrador, n: int, linea: dict[str, str] | None) -> None:
    """Put a line in place `n` (from 1), or at the end; None takes it away."""
    actual = _bloqueado(borrador)
    lineas = list(actual.respuestas.get("partidas") or [])
    if linea is None:
        del lineas[n - 1 : n]
    elif n <= len(lineas):
        lineas[n - 1] = linea
    else:
        lineas.append(linea)
    anotar(actual, partidas=lineas)


@transaction.atomic
def adjuntar(borrador: Borrador, archivos: Iterable[ArchivoNuevo]) -> None:
    """Keep files with the draft, until they go with the case."""
    actual = _bloqueado(borrador)
    puestos = list(actual.respuestas.get("adjuntos") or [])
    nuevos = list(archivos)
    if len(puestos) + len(nuevos) > MAX_ADJUNTOS:
        raise DatoInvalido(
            {"archivos": _("Caben %(tope)d archivos: quite alguno, o agréguelos después desde su enlace.")
             % {"tope": MAX_ADJUNTOS}}
        )  # fmt: skip
    for archivo in nuevos:
        ruta = storages["adjuntos"].save(
            f"{CARPETA}/{actual.envio.hex}/{uuid.uuid4().hex}", ContentFile(archivo.contenido)
        )
        puestos.append(
            {
                "ruta": ruta,
                "nombre": archivo.nombre,
                "tipo": archivo.tipo,
                "recibido": archivo.recibido,
                "pesa": len(archivo.contenido),
            }
        )
    anotar(actual, adjuntos=puestos)


@transaction.atomic
def quitar_adjunto(borrador: Borrador, ruta: str) -> None:
    actual = _bloqueado(borrador)
    puestos = list(actual.respuestas.get("adjuntos") or [])
    quedan = [uno for uno in puestos if uno["ruta"] != ruta]
    if len(quedan) < len(puestos):
        anotar(actual, adjuntos=quedan)
        transaction.on_commit(lambda: storages["adjuntos"].delete(ruta))


@transaction.atomic
def enviar_enlace(borrador: Borrador) -> None:
    """Mail the link with which this one draft, and no other, is taken up again."""
    enlace = enlace_para(referencia=borrador.referencia, correo=borrador.correo)
    enlaces.vencer(referencia=borrador.referencia, dentro_de=borrador.vence_en - timezone.now())
    clave = f"{borrador.pk}:{timezone.now():%Y%m%d%H%M}"  # asked for twice within a minute, sent once
    avisos.escribir(
        "borrador", correo=borrador.correo, referencia=borrador.referencia, clave=clave, enlace=enlace,
        hasta=borrador.vence_en,
    )  # fmt: skip


@transaction.atomic
def borrar(borrador: Borrador) -> None:
    """Forget the draft, its files, its mails and its links."""
    _soltar_archivos(borrador)
    olvidar(referencia=borrador.referencia)
    borrador.delete()


def _soltar_archivos(borrador: Borrador) -> None:
    for uno in borrador.respuestas.get("adjuntos") or []:
        transaction.on_commit(partial(storages["adjuntos"].delete, uno["ruta"]))


def barrer() -> int:
    """Forget the drafts whose time is over and the codes of other days; how many drafts."""
    ahora = timezone.now()
    for confirmacion in Confirmacion.objects.filter(vence_en__lt=ahora - timedelta(days=1))[:1000]:
        with transaction.atomic():
            olvidar(referencia=confirmacion.referencia)
            confirmacion.delete()
    vencidos = list(Borrador.objects.filter(vence_en__lt=ahora).order_by("vence_en")[:500])
    for borrador in vencidos:
        borrar(borrador)
    return len(vencidos)


# ── From draft to case ────────────────────────────────────────────────────────────────────────────


def repetidas(revision: pasos.Revision, correo: str, envio: uuid.UUID) -> tuple[list[Expediente], bool]:
    """Likely duplicates: those that this address follows already, and whether there are others' too."""
    datos = revision.pedido["datos"]
    halladas = services.posibles_duplicados(certificado=datos["certificado"], dam=datos["dam"], suce=datos["suce"])
    halladas = [expediente for expediente in halladas if expediente.envio != envio]
    suyas = [expediente for expediente in halladas if correo in avisos.destinatarios(expediente)]
    return suyas, len(suyas) < len(halladas)


@transaction.atomic
def presentar(borrador: Borrador) -> Expediente | pasos.Revision:
    """Hand the draft in: the case that it became, or what it still lacks. Twice at once makes one case."""
    actual = _bloqueado(borrador)
    if actual.expediente:
        return actual.expediente
    revision = pasos.revisar(actual.respuestas, correo=actual.correo)
    adjuntos = _recogidos(actual, revision)
    if revision.faltas:
        return revision
    expediente = registrar(revision, correo=actual.correo, envio=actual.envio, adjuntos=adjuntos)
    _soltar_archivos(actual)
    actual.expediente, actual.respuestas = expediente, {"ajena": revision.ajena}
    actual.save(update_fields=["expediente", "respuestas"])
    return expediente


def _recogidos(borrador: Borrador, revision: pasos.Revision) -> list[ArchivoNuevo]:
    archivos = []
    for uno in borrador.respuestas.get("adjuntos") or []:
        try:
            with storages["adjuntos"].open(uno["ruta"]) as abierto:
                archivos.append(ya_revisado(uno["nombre"], uno["tipo"], abierto.read(), uno["recibido"]))
        except FileNotFoundError:
            registro.warning("falta un archivo del %s", borrador)
            mensaje = _("«%(nombre)s» ya no está aquí: quítelo y súbalo otra vez.") % {"nombre": uno["nombre"]}
            revision.faltas.append(pasos.Falta(pasos.ADJUNTOS, "", "", mensaje))
    return archivos


@transaction.atomic
def registrar(
    revision: pasos.Revision, *, correo: str, envio: uuid.UUID, adjuntos: Iterable[ArchivoNuevo] = ()
) -> Expediente:
    """Register what an address asks for, as the importer's own act.

    When the register knows its importer or broker by another address, only that one gets the link, told who asked:
    it can annul what it did not ask for. Whoever asked gets a receipt, with the number and no link.
    """
    with translation.override("es-pe"):  # the log and the post read Spanish
        texto = ""
        if revision.ajena:
            texto = _("La presentó %(correo)s, que no es el correo registrado: confírmela con el titular.")
        expediente = services.registrar(
            actor=None,
            envio=envio,
            adjuntos=list(adjuntos),
            solicitante=correo,
            texto=texto % {"correo": correo} if texto else "",
            **revision.pedido,
        )
        if correo not in avisos.destinatarios(expediente):
            evento = expediente.bitacora.get(accion="registrar")
            avisos.deber_a(correo, "recibo", expediente=expediente, evento=evento, con_enlace=False)
    return expediente

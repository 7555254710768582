"""Pages without an account: the importer's tracking page and the verification of documents.

A tracking token is exchanged for a signed cookie that only this case's pages receive, and the address loses
the secret. The cookie names a link and its version, checked against the row at every request: a revoked link
dies at once. No GET here writes a row.
"""

from __future__ import annotations

import logging
from functools import partial
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.messages.storage.cookie import CookieStorage
from django.forms import Form
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from notificaciones import enlaces
from notificaciones.models import Enlace
from senasa import reloj, vivo

from . import acceso, documentos, forms, seguimiento
from .archivos import EXTENSIONES, limpiar_nombre
from .limites import demasiadas
from .models import ABIERTOS, Adjunto, Borrador, Documento, Expediente
from .vistas_solicitar import abrir_borrador

registro = logging.getLogger(__name__)

GALLETA, GALLETA_DE_TODOS = "seguimiento", "mis_expedientes"
VIDA_SEGUNDOS = 12 * 60 * 60
BYTES = "application/octet-stream"


@login_not_required
@require_safe
@never_cache
def seguimiento_abrir(request: HttpRequest, token: str) -> HttpResponse:
    """Exchange the link of a mail for the cookie of its case, or of the request that is still being written."""
    enlace = enlaces.abrir(token)
    if enlace and enlace.referencia == enlaces.TODOS:
        destino = reverse("mis_expedientes")
        return dar_galleta(redirect(destino), GALLETA_DE_TODOS, enlace, salt=enlaces.TODOS, path=destino)
    if enlace and (borrador := _borrador_de(enlace.referencia)):
        return abrir_borrador(enlace, borrador)
    expediente = _de_referencia(enlace.referencia) if enlace else None
    if enlace is None or expediente is None:
        return sin_enlace(request, token)
    return con_galleta(expediente.numero, enlace)


def con_galleta(numero: str, enlace: Enlace) -> HttpResponse:
    """To the case's own address, with the cookie that only its pages receive."""
    destino = reverse("seguimiento_caso", args=[numero])
    return dar_galleta(redirect(destino), GALLETA, enlace, salt=f"caso:{numero}", path=destino)


def dar_galleta(respuesta: HttpResponse, nombre: str, enlace: Enlace, *, salt: str, path: str) -> HttpResponse:
    """The signed cookie that stands for a link: its id and version, for the pages under `path`, for half a day."""
    respuesta.set_signed_cookie(
        nombre,
        f"{enlace.pk}.{enlace.version}",
        salt=salt,
        max_age=VIDA_SEGUNDOS,
        path=path,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return respuesta


def de_la_galleta(request: HttpRequest, nombre: str, *, salt: str) -> tuple[int, int] | None:
    """The id and version of the link that the browser's cookie stands for."""
    valor = request.get_signed_cookie(nombre, default="", salt=salt, max_age=VIDA_SEGUNDOS)
    pk, _punto, version = (valor or "").partition(".")
    return (int(pk), int(version)) if pk.isdecimal() and version.isdecimal() else None


# Its words count hours and days, and a day ends: what is kept of it is of these ten minutes.
_RATO_SEGUNDOS = 600
# What no act changes, the name of a product or a text of ours, may be this old.
_SE_GUARDA_SEGUNDOS = 300


@login_not_required
@require_safe
@never_cache
def seguimiento_caso(request: HttpRequest, numero: str) -> HttpResponse:
    """The case, told. It stays true by itself: what asks again for it gets the piece that changed, or a 304.

    One query says whether the link lives, what it opens and whether anything happened since; the composed page is
    kept for some minutes, under the seal of the case's log, for this link and language alone. It has no form, hence no
    token of its own for each opening: what is asked for has its own page.
    """
    llave = llave_de(request, numero)
    if llave is None:
        return HttpResponseClientRefresh() if request.headers.get("HX-Request") else sin_enlace(request)
    rato = int(reloj.ahora().timestamp()) // _RATO_SEGUNDOS
    clave = f"seguimiento:{llave.expediente}:{llave.sello}:{llave.enlace}.{llave.version}:{get_language()}:{rato}"
    segundos = settings.SEGUIMIENTO_SEGUNDOS if llave.estado in ABIERTOS else 0

    def una() -> vivo.Pieza:
        return vivo.pieza(clave, partial(_contar, llave), segundos=_SE_GUARDA_SEGUNDOS)

    def entera() -> str:
        contexto = {"pieza": una(), "segundos": segundos, "numero": numero}
        return render_to_string("expedientes/seguimiento.html", contexto, request)

    if request.headers.get("HX-Request"):
        return vivo.responder(request, una(), segundos=segundos)
    if request.GET or request.COOKIES.keys() & {CookieStorage.cookie_name, settings.SESSION_COOKIE_NAME}:
        return HttpResponse(entera())
    return HttpResponse(vivo.recordar(f"{clave}:pagina", entera, segundos=_SE_GUARDA_SEGUNDOS))


def _contar(llave: acceso.Llave) -> str:
    casos = Expediente.objects.select_related("puesto", "importador", "agente", "duplicado_de", "hitos")
    expediente = casos.get(pk=llave.expediente)
    relato = seguimiento.contar(expediente)
    contexto = {
        "expediente": expediente,
        "relato": relato,
        "respondidas": expediente.observaciones.filter(respondida_en__isnull=False),
        "entregados": expediente.adjuntos.filter(subido_por=None),
        "puede": seguimiento.puede(expediente, llave.correo, relato),
        "sin_poder": seguimiento.sin_poder(expediente, llave.correo),
        "prevision": seguimiento.pronosticar(expediente, relato),
        "reparto": seguimiento.reparto(expediente),
    }
    return render_to_string("expedientes/seguimiento_pieza.html", contexto)


@login_not_required
@require_safe
@never_cache
def seguimiento_documento(request: HttpRequest, numero: str, cvd: str) -> HttpResponse | FileResponse:
    suyo = seguido(request, numero)
    documento = suyo and suyo[0].documentos.filter(cvd=cvd).first()
    return bajar(documento) if documento else sin_enlace(request)


def bajar(documento: Documento) -> HttpResponse | FileResponse:
    """The issued bytes, as a download that nobody keeps on the way; never a file that is not the issued one."""
    try:
        contenido = documentos.leer(documento)
    except documentos.ArchivoDanado:
        registro.exception("documento %s sin su archivo", documento.pk)
        return HttpResponse(render_to_string("500.html"), status=503)
    return _descarga(BytesIO(contenido), f"{documento}.pdf", "application/pdf")


def bajar_adjunto(adjunto: Adjunto) -> HttpResponse | FileResponse:
    """A file that somebody handed in, under the type that we found in it."""
    try:
        archivo = adjunto.archivo.open("rb")
    except OSError:
        registro.exception("adjunto %s sin su archivo", adjunto.pk)
        return HttpResponse(render_to_string("500.html"), status=503)
    return _descarga(archivo, adjunto.nombre, adjunto.tipo if adjunto.tipo in EXTENSIONES else BYTES)


def _descarga(archivo: IO[bytes], nombre: str, tipo: str) -> FileResponse:
    """Saved, never opened by the browser on this site; and if one did, it could do nothing there."""
    respuesta = FileResponse(archivo, as_attachment=True, filename=nombre, content_type=tipo)
    respuesta["Cache-Control"] = "private, no-store"
    respuesta["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return respuesta


def _de_referencia(referencia: str) -> Expediente | None:
    tipo, _dos_puntos, pk = referencia.partition(":")
    return Expediente.objects.filter(pk=int(pk)).first() if tipo == "expediente" and pk.isdecimal() else None


def _borrador_de(referencia: str) -> Borrador | None:
    tipo, _dos_puntos, pk = referencia.partition(":")
    return Borrador.objects.filter(pk=int(pk)).first() if tipo == "borrador" and pk.isdecimal() else None


def llave_de(request: HttpRequest, numero: str) -> acceso.Llave | None:
    """What the browser's cookie opens, when it stands for a link in force that opens this case."""
    cual = de_la_galleta(request, GALLETA, salt=f"caso:{numero}")
    return acceso.llave(numero, *cual) if cual else None


def seguido(request: HttpRequest, numero: str) -> tuple[Expediente, Enlace] | None:
    """The case and the link, when the browser carries the cookie of a link that is in force and opens it."""
    llave = llave_de(request, numero)
    if llave is None:
        return None
    casos = Expediente.objects.select_related("puesto", "importador", "agente", "duplicado_de")
    return casos.get(pk=llave.expediente), Enlace.objects.get(pk=llave.enlace)


def sin_enlace(request: HttpRequest, token: str = "") -> HttpResponse:
    """One answer for every link that opens nothing, whether its case exists or not; then 429.

    `token`: the one that was tried. Its page offers to send another, whatever it was.
    """
    # Only what finds nothing is counted: a page that works costs no write.
    contexto = {"token": token[:80]}
    return demasiadas(request, "publico") or render(request, "expedientes/enlace_vencido.html", contexto, status=404)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def verificar(request: HttpRequest) -> HttpResponse:
    """Ask for a code, whose answer has its own address, as the QR of the document says; or take the file itself."""
    if request.method == "POST":
        return demasiadas(request, "verificar") or _verificar_archivo(request)
    form = forms.FormularioVerificar(request.GET if "cvd" in request.GET else None)
    if form.is_bound and form.is_valid():
        cvd = documentos.normalizar_cvd(form.cleaned_data["cvd"])
        return redirect("verificar_cvd", cvd or "-")
    return _pedir_documento(request, form)


def _pedir_documento(request: HttpRequest, form: Form, *, estado: int = 200, **contexto: Any) -> HttpResponse:
    contexto = {"form": form, "form_archivo": forms.FormularioVerificarArchivo(), **contexto}
    return render(request, "expedientes/verificar.html", contexto, status=estado)


def _verificar_archivo(request: HttpRequest) -> HttpResponse:
    """Whether the file is ours and as it was issued. It is looked at and forgotten: nothing of it is kept."""
    form = forms.FormularioVerificarArchivo(request.POST, request.FILES)
    if not form.is_valid():
        return _pedir_documento(request, forms.FormularioVerificar(), estado=422, form_archivo=form)
    archivo = form.cleaned_data["archivo"]
    veredicto, documento = documentos.verificar_archivo(archivo.read())
    contexto = {"veredicto": veredicto, "documento": documento, "archivo": limpiar_nombre(archivo.name)}
    return render(request, "expedientes/verificado.html", contexto)


@login_not_required
@require_safe
def verificar_cvd(request: HttpRequest, cvd: str) -> HttpResponse:
    """The minimum about a document: what it is, when it was issued, whether it is in force."""
    normal = documentos.normalizar_cvd(cvd)
    documento = Documento.objects.select_related("reemplazado_por", "reemplaza").filter(cvd=normal).first()
    if documento is None:
        form = forms.FormularioVerificar(initial={"cvd": cvd[:40]})
        return demasiadas(request, "publico") or _pedir_documento(request, form, estado=404, desconocido=cvd[:40])
    return render(request, "expedientes/verificado.html", {"documento": documento})

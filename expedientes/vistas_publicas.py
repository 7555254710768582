"""Pages without an account: the importer's tracking page and the verification of documents.

A tracking token is exchanged for a signed cookie that only this case's pages receive, and the address loses
the secret. The cookie names a link and its version, checked against the row at every request: a revoked link
dies at once. No GET here writes a row.
"""

from __future__ import annotations

import logging
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.forms import Form
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from notificaciones import enlaces
from notificaciones.models import Enlace

from . import documentos, forms, seguimiento
from .archivos import EXTENSIONES, limpiar_nombre
from .limites import demasiadas
from .models import Adjunto, Borrador, Documento, Expediente
from .vistas_solicitar import abrir_borrador

registro = logging.getLogger(__name__)

GALLETA = "seguimiento"
VIDA_SEGUNDOS = 12 * 60 * 60
BYTES = "application/octet-stream"


@login_not_required
@require_safe
@never_cache
def seguimiento_abrir(request: HttpRequest, token: str) -> HttpResponse:
    """Exchange the link of a mail for the cookie of its case, or of the request that is still being written."""
    enlace = enlaces.abrir(token)
    if enlace and (borrador := _borrador_de(enlace.referencia)):
        return abrir_borrador(enlace, borrador)
    expediente = _de_referencia(enlace.referencia) if enlace else None
    if enlace is None or expediente is None:
        return sin_enlace(request)
    destino = reverse("seguimiento_caso", args=[expediente.numero])
    respuesta = redirect(destino)
    respuesta.set_signed_cookie(
        GALLETA,
        f"{enlace.pk}.{enlace.version}",
        salt=expediente.referencia,
        max_age=VIDA_SEGUNDOS,
        path=destino,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return respuesta


@login_not_required
@require_safe
@never_cache
def seguimiento_caso(request: HttpRequest, numero: str) -> HttpResponse:
    suyo = seguido(request, numero)
    if suyo is None:
        return sin_enlace(request)
    expediente, enlace = suyo
    relato = seguimiento.contar(expediente)
    contexto = {
        "expediente": expediente,
        "relato": relato,
        "entregados": expediente.adjuntos.filter(subido_por=None),
        "puede": seguimiento.puede(expediente, enlace.correo, relato),
        "sin_poder": seguimiento.sin_poder(expediente, enlace.correo),
    }
    return render(request, "expedientes/seguimiento.html", contexto)


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


def seguido(request: HttpRequest, numero: str) -> tuple[Expediente, Enlace] | None:
    """The case and the link, when the browser carries the cookie of a link to it that is still in force."""
    casos = Expediente.objects.select_related("puesto", "importador", "agente", "duplicado_de")
    expediente = casos.filter(numero=numero).first()
    if expediente is None:
        return None
    valor = request.get_signed_cookie(GALLETA, default="", salt=expediente.referencia, max_age=VIDA_SEGUNDOS)
    pk, _punto, version = (valor or "").partition(".")
    if not (pk.isdecimal() and version.isdecimal()):
        return None
    enlace = enlaces.vigente(int(pk), int(version))
    return (expediente, enlace) if enlace and enlace.referencia == expediente.referencia else None


def sin_enlace(request: HttpRequest) -> HttpResponse:
    """One answer for every link that opens nothing, whether its case exists or not; then 429."""
    # Only what finds nothing is counted: a page that works costs no write.
    return demasiadas(request, "publico") or render(request, "expedientes/enlace_vencido.html", status=404)


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

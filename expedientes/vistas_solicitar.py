"""The public request: without an account, one thing per page, by whoever reads the mail of an address.

`solicitante`, a signed cookie of twelve hours, says which address was confirmed in this browser; the mailed link of
one draft gives a cookie that only that draft's pages receive. A page of a draft answers the same 404 whether
the draft is somebody else's or nobody's.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from notificaciones import enlaces
from senasa.transicion import DatoInvalido

from . import avisos, borradores, forms, pasos
from .actos import devolver
from .limites import demasiadas
from .models import Borrador, Expediente

SOLICITANTE, POR_CONFIRMAR, DE_UN_BORRADOR = "solicitante", "por_confirmar", "borrador"
VIDA_SEGUNDOS = 12 * 60 * 60
PARA_SOLICITAR, PARA_CSV = "solicitud", "csv"

Vista = Callable[..., HttpResponse]
formulario = require_http_methods(["GET", "HEAD", "POST"])


def publica(vista: Vista) -> Vista:
    """Of nobody's account; never kept on the way. Only a form that came back with its errors may be kept by the
    browser that sent it: else the back button would lead to a page that cannot be shown again."""

    @wraps(vista)
    def envuelta(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        respuesta = vista(request, *args, **kwargs)
        if respuesta.status_code == 422:
            respuesta["Cache-Control"] = "private, max-age=0"
        else:
            add_never_cache_headers(respuesta)
        return respuesta

    return login_not_required(envuelta)


# ── Who asks ──────────────────────────────────────────────────────────────────────────────────────


def _dar_galleta(respuesta: HttpResponse, nombre: str, valor: str, *, salt: str, path: str) -> None:
    respuesta.set_signed_cookie(
        nombre, valor, salt=salt, max_age=VIDA_SEGUNDOS, path=path, httponly=True, samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip


def solicitante(request: HttpRequest) -> str:
    """The address confirmed in this browser, or nothing."""
    valor = request.get_signed_cookie(SOLICITANTE, default="", salt=SOLICITANTE, max_age=VIDA_SEGUNDOS)
    return valor or ""


def _abierto(request: HttpRequest, envio: uuid.UUID) -> Borrador | None:
    """The draft, when it belongs to the address confirmed here, or its own link was opened here."""
    borrador = Borrador.objects.select_related("expediente__puesto").filter(envio=envio).first()
    if borrador is None or solicitante(request) == borrador.correo:
        return borrador
    valor = request.get_signed_cookie(
        DE_UN_BORRADOR, default="", salt=borrador.referencia, max_age=VIDA_SEGUNDOS
    )  # fmt: skip
    pk, _punto, version = (valor or "").partition(".")
    enlace = enlaces.vigente(int(pk), int(version)) if pk.isdecimal() and version.isdecimal() else None
    return borrador if enlace and enlace.referencia == borrador.referencia else None


def de_un_borrador(vista: Vista) -> Vista:
    """Give the view its draft. One that was handed in shows its number, whatever page is asked for."""

    @wraps(vista)
    def envuelta(request: HttpRequest, envio: uuid.UUID, *args: Any, **kwargs: Any) -> HttpResponse:
        borrador = _abierto(request, envio)
        if borrador is None:
            return demasiadas(request, "publico") or render(request, "expedientes/solicitar_no_esta.html", status=404)
        if borrador.expediente and vista.__name__ != "solicitar_presentada":
            return redirect("solicitar_presentada", envio)
        if request.method == "POST" and (pare := demasiadas(request, "solicitud")):
            return pare
        return vista(request, borrador, *args, **kwargs)

    return publica(envuelta)


def abrir_borrador(enlace: Any, borrador: Borrador) -> HttpResponse:
    """The mailed link: a cookie for this draft alone, and an address without the secret."""
    respuesta = redirect("solicitar_revisar", borrador.envio)
    ruta = reverse("solicitar_revisar", args=[borrador.envio]).removesuffix("revisar/")
    valor = f"{enlace.pk}.{enlace.version}"
    _dar_galleta(respuesta, DE_UN_BORRADOR, valor, salt=borrador.referencia, path=ruta)
    return respuesta


@publica
@require_safe
def solicitar(request: HttpRequest) -> HttpResponse:
    """What one needs at hand, how long it takes, what comes afterwards."""
    return render(request, "expedientes/solicitar.html", {"seguir": bool(solicitante(request))})


@publica
@formulario
def solicitar_correo(request: HttpRequest) -> HttpResponse:
    """The address, to which a code goes; the answer is the same for every address."""
    para = PARA_CSV if request.GET.get("para") == PARA_CSV else PARA_SOLICITAR
    form = forms.FormularioCorreo(*mandado(request))
    if request.method == "POST" and form.is_valid():
        correo = form.cleaned_data["correo"].lower()
        if pare := demasiadas(request, "correo") or demasiadas(request, "codigo_a", clave=correo):
            return pare
        confirmacion = borradores.pedir_codigo(correo)
        respuesta = redirect("solicitar_codigo")
        _dar_galleta(
            respuesta, POR_CONFIRMAR, f"{confirmacion.pk}.{para}", salt=POR_CONFIRMAR, path=reverse("solicitar")
        )
        return respuesta
    contexto = {
        "titulo": _("¿Cuál es su correo?"),
        "ayuda": _("Le enviaremos un código para comprobarlo. Ahí llegarán los avisos de su solicitud."),
        "verbo": _("Enviarme el código"),
        "atras": reverse("solicitar"),
    }
    return pagina(request, form, contexto)


@publica
@formulario
def solicitar_codigo(request: HttpRequest) -> HttpResponse:
    """The six digits of the mail; then on with what one came for."""
    valor = request.get_signed_cookie(POR_CONFIRMAR, default="", salt=POR_CONFIRMAR, max_age=VIDA_SEGUNDOS)
    pk, _punto, para = (valor or "").partition(".")
    if not pk:
        return redirect("solicitar_correo")
    form = forms.FormularioCodigo(*mandado(request))
    if request.method == "POST" and (pare := demasiadas(request, "codigo")):
        return pare
    if request.method == "POST" and form.is_valid():
        correo = borradores.confirmar(int(pk), form.cleaned_data["codigo"])
        if isinstance(correo, str):
            return _confirmado(correo, para)
        gastado = correo == borradores.Fallo.GASTADO
        form.add_error(
            "codigo",
            _("Ese código ya no vale: venció, se usó o se probó demasiadas veces. Pida otro.")
            if gastado
            else _("No es el código que le enviamos. Use el del último correo que recibió."),
        )
    contexto = {
        "titulo": _("Escriba el código de su correo"),
        "ayuda": _("Le enviamos un mensaje con seis cifras. Suele tardar menos de un minuto."),
        "verbo": _("Confirmar"),
        "atras": reverse("solicitar_correo", query={"para": para}),
        "otro_codigo": True,
    }
    return pagina(request, form, contexto)


def _confirmado(correo: str, para: str) -> HttpResponse:
    if para == PARA_CSV:
        respuesta = redirect("solicitar_csv")
    elif Borrador.objects.filter(correo=correo, expediente=None).exists():
        respuesta = redirect("solicitar_mias")
    else:
        respuesta = redirect("solicitar_paso", borradores.crear(correo).envio, "quien")
    _dar_galleta(respuesta, SOLICITANTE, correo, salt=SOLICITANTE, path=reverse("solicitar"))
    respuesta.delete_cookie(POR_CONFIRMAR, path=reverse("solicitar"))
    return respuesta


@publica
@require_safe
def solicitar_mias(request: HttpRequest) -> HttpResponse:
    """What this address has begun and not handed in, and what it handed in lately."""
    correo = solicitante(request)
    if not correo:
        return redirect("solicitar_correo")
    suyos = list(Borrador.objects.filter(correo=correo).select_related("expediente")[:80])
    contexto = {
        "correo": correo,
        "pendientes": [(uno, _resumen(uno)) for uno in suyos if not uno.expediente],
        "presentadas": [uno for uno in suyos if uno.expediente],
    }
    return render(request, "expedientes/solicitar_mias.html", contexto)


def _resumen(borrador: Borrador) -> str:
    """By what its author will know it."""
    conocidos = (borrador.respuestas.get(campo) for campo in ("certificado", "pfi", "importador_nombre"))
    return next(filter(None, conocidos), _("sin datos todavía"))


@publica
@require_POST
def solicitar_nueva(request: HttpRequest) -> HttpResponse:
    correo = solicitante(request)
    if not correo:
        return redirect("solicitar_correo")
    if pare := demasiadas(request, "solicitud"):
        return pare
    return redirect("solicitar_paso", borradores.crear(correo).envio, "quien")


# ── The pages ─────────────────────────────────────────────────────────────────────────────────────


def mandado(request: HttpRequest) -> tuple[Any, Any]:
    """What a form is bound to: an empty POST is one too."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


def pagina(request: HttpRequest, form: Any, contexto: dict[str, Any], plantilla: str = "") -> HttpResponse:
    """One page with one form; 422 when it comes back with its errors."""
    plantilla = plantilla or "expedientes/solicitar_paso.html"
    return render(request, plantilla, {"form": form, **contexto}, status=422 if form.errors else 200)


def _del_borrador(borrador: Borrador, paso: str, vuelve: str) -> dict[str, Any]:
    """Where a page stands on the way: the step before, its place, and where saving leads back to."""
    orden = pasos.en_orden(borrador.respuestas)
    n = orden.index(paso)
    antes = _url(borrador, orden[n - 1]) if n else reverse("solicitar_mias")
    return {
        "borrador": borrador,
        "n": n + 1,
        "de": len(orden),
        "vuelve": vuelve,
        "atras": _url(borrador, pasos.REVISAR) if vuelve else antes,
    }


def _url(borrador: Borrador, paso: str) -> str:
    if paso in pasos.PASOS:
        return reverse("solicitar_paso", args=[borrador.envio, paso])
    return reverse(f"solicitar_{paso}", args=[borrador.envio])


def _siguiente(borrador: Borrador, paso: str, vuelve: str) -> str:
    """The next page; back to the answers when one of them was being changed and nothing else has come loose."""
    orden = pasos.en_orden(borrador.respuestas)
    if not vuelve:
        return _url(borrador, orden[orden.index(paso) + 1])
    faltas = pasos.revisar(borrador.respuestas, correo=borrador.correo).faltas
    sueltos = [falta.paso for falta in faltas if falta.paso in pasos.PASOS]
    return f"{_url(borrador, sueltos[0])}?vuelve=1" if sueltos else _url(borrador, pasos.REVISAR)


@de_un_borrador
@formulario
def solicitar_paso(request: HttpRequest, borrador: Borrador, paso: str) -> HttpResponse:
    """One page of plain questions; what is good is kept at once."""
    if paso not in pasos.en_orden(borrador.respuestas)[:-3]:
        return redirect("solicitar_revisar", borrador.envio)
    if paso == "llegada" and not borrador.respuestas.get("transporte"):
        return redirect("solicitar_paso", borrador.envio, "transporte")
    clase, escrito = pasos.PASOS[paso], borrador.respuestas
    vuelve = (request.POST if request.method == "POST" else request.GET).get("vuelve", "")
    if request.method == "POST":
        form = clase(request.POST, respuestas=escrito, correo=borrador.correo)
        valido = form.is_valid()
        if valido:
            borrador = borradores.anotar(borrador, **form.escrito())
        if "despues" in request.POST:
            return _seguir_despues(request, borrador)
        if valido:
            return redirect(_siguiente(borrador, paso, vuelve))
    else:
        form = clase(initial=escrito, respuestas=escrito, correo=borrador.correo)
    contexto = {"titulo": form.titulo, "ayuda": form.ayuda, "verbo": _("Continuar")}
    return pagina(request, form, {**_del_borrador(borrador, paso, vuelve), **contexto})


@de_un_borrador
@require_safe
def solicitar_partidas(request: HttpRequest, borrador: Borrador) -> HttpResponse:
    """The lines so far: add another, change, take away."""
    revision = pasos.revisar(borrador.respuestas, correo=borrador.correo)
    lineas = [(n, linea, linea.is_valid()) for n, linea in enumerate(revision.lineas, start=1)]
    contexto = {"lineas": lineas, "otra": len(lineas) + 1, "tope": forms.MAX_PARTIDAS}
    vuelve = request.GET.get("vuelve", "")
    contexto |= {**_del_borrador(borrador, pasos.PARTIDAS, vuelve), "sigue": _url(borrador, pasos.ADJUNTOS)}
    if vuelve:
        contexto["sigue"] = _url(borrador, pasos.REVISAR)
    return render(request, "expedientes/solicitar_partidas.html", contexto)


@de_un_borrador
@formulario
def solicitar_partida(request: HttpRequest, borrador: Borrador, n: int) -> HttpResponse:
    """One line: product, origin, weight, and what it comes in."""
    lineas = borrador.respuestas.get("partidas") or []
    transporte = borrador.respuestas.get("transporte", "")
    if not transporte:
        return redirect("solicitar_paso", borrador.envio, "transporte")
    if not 1 <= n <= min(len(lineas) + 1, forms.MAX_PARTIDAS):
        return redirect("solicitar_partidas", borrador.envio)
    listas = pasos.catalogos()
    if request.method == "POST":
        form = pasos.LineaDePartida(request.POST, transporte=transporte, **listas)
        valido = form.is_valid()
        if valido:
            borradores.anotar_partida(borrador, n, form.escrito())
        if "despues" in request.POST:
            return _seguir_despues(request, borrador)
        if valido:
            return redirect("solicitar_partidas", borrador.envio)
    else:
        inicial = lineas[n - 1] if n <= len(lineas) else {"pais_origen": borrador.respuestas.get("pais_exportacion")}
        form = pasos.LineaDePartida(initial=inicial, transporte=transporte, **listas)
    contexto = {
        **_del_borrador(borrador, pasos.PARTIDAS, ""),
        "titulo": _("Partida %(n)d") % {"n": n},
        "ayuda": _("Una por producto y origen: cada una se muestrea, se decide y sale por separado."),
        "verbo": _("Guardar la partida"),
        "atras": _url(borrador, pasos.PARTIDAS) if lineas else _url(borrador, "documentos"),
    }
    return pagina(request, form, contexto)


@de_un_borrador
@require_POST
def solicitar_partida_quitar(request: HttpRequest, borrador: Borrador, n: int) -> HttpResponse:
    borradores.anotar_partida(borrador, n, None)
    return redirect("solicitar_partidas", borrador.envio)


@de_un_borrador
@formulario
def solicitar_adjuntos(request: HttpRequest, borrador: Borrador) -> HttpResponse:
    """Files, as many times as one likes; none is asked for."""
    form = forms.FormularioAdjuntos(*mandado(request))
    vuelve = (request.POST if request.method == "POST" else request.GET).get("vuelve", "")
    if request.method == "POST" and (pare := demasiadas(request, "archivos")):
        return pare
    if request.method == "POST" and form.is_valid():
        try:
            borradores.adjuntar(borrador, form.cleaned_data["archivos"])
        except DatoInvalido as error:
            devolver(form, error)
        else:
            if "despues" in request.POST:
                return _seguir_despues(request, borrador)
            if "agregar" in request.POST:
                return redirect("solicitar_adjuntos", borrador.envio)
            return redirect("solicitar_revisar", borrador.envio)
    contexto = {
        **_del_borrador(borrador, pasos.ADJUNTOS, vuelve),
        "adjuntos": borrador.respuestas.get("adjuntos") or [],
        "con_agente": borrador.respuestas.get("quien") == pasos.AGENTE,
    }
    return pagina(request, form, contexto, "expedientes/solicitar_adjuntos.html")


@de_un_borrador
@require_POST
def solicitar_adjunto_quitar(request: HttpRequest, borrador: Borrador) -> HttpResponse:
    borradores.quitar_adjunto(borrador, request.POST.get("ruta", ""))
    return redirect("solicitar_adjuntos", borrador.envio)


@de_un_borrador
@formulario
def solicitar_revisar(request: HttpRequest, borrador: Borrador) -> HttpResponse:
    """All the answers, each to be changed; then the declaration, and it is handed in."""
    revision = pasos.revisar(borrador.respuestas, correo=borrador.correo)
    envio, correo = borrador.envio, borrador.correo
    suyas, hay_ajenas = borradores.repetidas(revision, correo, envio) if revision.pedido else ([], False)
    form = forms.FormularioDeclaracion(*mandado(request), repetida=bool(suyas or hay_ajenas))
    if request.method == "POST" and not revision.faltas and form.is_valid():
        if pare := demasiadas(request, "presentar"):
            return pare
        hecho = borradores.presentar(borrador)
        if isinstance(hecho, Expediente):
            return redirect("solicitar_presentada", envio)
        revision = hecho
    contexto = {
        **_del_borrador(borrador, pasos.REVISAR, ""),
        "form": form,
        "faltas": [(falta, _donde(borrador, falta)) for falta in revision.faltas],
        "secciones": [
            (paso, pasos.PASOS[paso].titulo, _url(borrador, paso), uno.legible() if uno.is_valid() else None)
            for paso, uno in revision.formularios.items()
        ],
        "lineas": [(n, uno.legible() if uno.is_valid() else None) for n, uno in enumerate(revision.lineas, start=1)],
        "adjuntos": borrador.respuestas.get("adjuntos") or [],
        "suyas": suyas,
        "hay_ajenas": hay_ajenas,
    }
    estado = 422 if request.method == "POST" else 200
    return render(request, "expedientes/solicitar_revisar.html", contexto, status=estado)


def _donde(borrador: Borrador, falta: pasos.Falta) -> str:
    if falta.partida:
        return reverse("solicitar_partida", args=[borrador.envio, falta.partida])
    return f"{_url(borrador, falta.paso)}?vuelve=1"


@de_un_borrador
@require_safe
def solicitar_presentada(request: HttpRequest, borrador: Borrador) -> HttpResponse:
    """The number, and what comes next."""
    if borrador.expediente is None:
        return redirect("solicitar_revisar", borrador.envio)
    contexto = {
        "expediente": borrador.expediente,
        "correo": borrador.correo,
        "le_llega": borrador.correo in avisos.destinatarios(borrador.expediente),
    }
    return render(request, "expedientes/solicitar_presentada.html", contexto)


def _seguir_despues(request: HttpRequest, borrador: Borrador) -> HttpResponse:
    if pare := demasiadas(request, "codigo_a", clave=borrador.correo):
        return pare
    borradores.enviar_enlace(borrador)
    return redirect("solicitar_guardada", borrador.envio)


@de_un_borrador
@require_safe
def solicitar_guardada(request: HttpRequest, borrador: Borrador) -> HttpResponse:
    """It is kept; the link is on its way."""
    return render(request, "expedientes/solicitar_guardada.html", {"borrador": borrador})


@de_un_borrador
@formulario
def solicitar_borrar(request: HttpRequest, borrador: Borrador) -> HttpResponse:
    """Forget what was written, files and all."""
    if request.method == "POST":
        borradores.borrar(borrador)
        return redirect("solicitar_mias" if solicitante(request) else "solicitar")
    return render(request, "expedientes/solicitar_borrar.html", {"borrador": borrador, "que": _resumen(borrador)})

"""What the notices say, for those who decide it: texts by stage and audience, their versions, and a switch for each."""

from __future__ import annotations

from functools import partial
from typing import Any

from csp.decorators import csp_replace, csp_update
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_safe

from senasa.permisos import con_rol

from . import textos as acciones
from . import vista_previa
from .actos import atender_sin_caso
from .forms import FormularioCausa, FormularioTexto
from .models import TextoDeAviso
from .textos import DECIDEN, TEXTOS, Audiencia, Texto

formulario = require_http_methods(["GET", "HEAD", "POST"])


def _texto(nombre: str, audiencia: str) -> tuple[Texto, Audiencia]:
    texto = TEXTOS.get(nombre)
    if texto is None or audiencia not in texto.audiencias:
        raise Http404
    return texto, Audiencia(audiencia)


def _version(texto: Texto, audiencia: str, numero: str | int | None) -> TextoDeAviso | None:
    """The version asked for: 0 is the file's, nothing the one in force."""
    if numero in (None, ""):
        return acciones.vigente(texto.nombre, audiencia)
    if not str(numero).isdecimal() or len(str(numero)) > 4:
        raise Http404
    if int(numero) == 0:
        return None
    suyas = TextoDeAviso.objects.filter(texto=texto.nombre, audiencia=audiencia)
    hallada = suyas.filter(version=int(numero)).first()
    if hallada is None:
        raise Http404
    return hallada


@require_safe
@con_rol(*DECIDEN)
def textos(request: HttpRequest) -> HttpResponse:
    return render(request, "expedientes/textos.html", {"etapas": acciones.panorama()})


@csp_update({"frame-src": ["'self'"]})
@require_safe
@con_rol(*DECIDEN)
def texto(request: HttpRequest, nombre: str, audiencia: str) -> HttpResponse:
    texto, para = _texto(nombre, audiencia)
    vista = _version(texto, para, request.GET.get("version"))
    numero = request.GET.get("caso", "")[:20]
    muestra = vista_previa.elegir(texto, request.user, numero)
    contexto = {
        "texto": texto,
        "audiencia": para,
        "vista": vista,
        "caso": numero,
        "muestra": muestra,
        "correo": vista_previa.componer(texto, para, vista, muestra) if muestra else None,
        "historia": acciones.historia(texto, para),
        "apagado": acciones.apagado(texto.aviso),
    }
    return render(request, "expedientes/texto.html", contexto, status=200 if muestra or not numero else 404)


# The mail carries its style as mails do, so this answer alone allows it: in a frame of ours, without scripts or links.
@csp_replace({
    "default-src": ["'none'"], "script-src": ["'none'"], "style-src": ["'unsafe-inline'"], "form-action": ["'none'"],
    "frame-ancestors": ["'self'"], "sandbox": [True],
})  # fmt: skip
@xframe_options_sameorigin
@require_safe
@con_rol(*DECIDEN)
def texto_vista(request: HttpRequest, nombre: str, audiencia: str) -> HttpResponse:
    texto, para = _texto(nombre, audiencia)
    muestra = vista_previa.elegir(texto, request.user, request.GET.get("caso", "")[:20])
    if muestra is None:
        raise Http404
    vista = _version(texto, para, request.GET.get("version"))
    correo = vista_previa.componer(texto, para, vista, muestra, oscuro="oscuro" in request.GET)
    return HttpResponse(correo.html)


@formulario
@con_rol(*DECIDEN)
def texto_nuevo(request: HttpRequest, nombre: str, audiencia: str) -> HttpResponse:
    texto, para = _texto(nombre, audiencia)
    desde = _version(texto, para, request.GET.get("desde"))
    titulo, cuerpo = (desde.titulo, desde.cuerpo) if desde else acciones.de_fabrica(nombre)
    return atender_sin_caso(
        request,
        titulo=_("Nueva versión: %(texto)s") % {"texto": texto.titulo},
        verbo=_("Guardar la versión"),
        formulario=partial(FormularioTexto, texto=texto, initial={"titulo": titulo, "cuerpo": cuerpo}),
        hacer=partial(acciones.escribir, texto=texto, audiencia=para, actor=request.user),
        volver=reverse("texto", args=[nombre, audiencia]),
        dicho=_("Versión guardada: todavía no rige. Mírela sobre un caso y póngala en vigor."),
        que_hara=[
            _("Guarda una versión nueva; nadie la recibe hasta que se ponga en vigor."),
            _("Ninguna versión se edita ni se borra: cada correo enviado dice con cuál se escribió."),
        ],
        plantilla="expedientes/texto_nuevo.html",
        contexto={"texto": texto, "audiencia": para},
    )


@formulario
@con_rol(*DECIDEN)
def texto_poner(request: HttpRequest, nombre: str, audiencia: str, version: int) -> HttpResponse:
    texto, para = _texto(nombre, audiencia)
    cual = _version(texto, para, version)
    dicha = f"v{cual.version}" if cual else _("de fábrica")
    titulo, cuerpo = (cual.titulo, cual.cuerpo) if cual else acciones.de_fabrica(nombre)
    return atender_sin_caso(
        request,
        titulo=_("Poner en vigor la versión %(version)s: %(texto)s") % {"version": dicha, "texto": texto.titulo},
        verbo=_("Ponerla en vigor"),
        formulario=FormularioCausa,
        hacer=partial(acciones.poner_en_vigor, texto=texto, audiencia=para, version=version, actor=request.user),
        volver=reverse("texto", args=[nombre, audiencia]),
        dicho=_("Desde ahora los avisos salen con la versión %(version)s.") % {"version": dicha},
        resumen=[titulo, *acciones.partir(f"{titulo}\n{cuerpo}")[1]],
        que_hara=[
            _("Los avisos que se deban desde ahora dirán esto (%(para)s).") % {"para": para},
            _("Lo que ya está por salir conserva sus palabras."),
        ],
    )


@formulario
@con_rol(*DECIDEN)
def aviso_conmutar(request: HttpRequest, aviso: str, *, encendido: bool) -> HttpResponse:
    suyos = [texto for texto in TEXTOS.values() if texto.aviso == aviso]
    if not suyos:
        raise Http404
    que_hara = (
        [_("Desde ahora este aviso vuelve a enviarse. Lo que ocurrió mientras estuvo apagado no se envía.")]
        if encendido
        else [
            _("Desde ahora nadie recibe este aviso, ni el importador ni su agente."),
            _("Los actos siguen igual, y la página de seguimiento los muestra."),
        ]
    )
    contexto: dict[str, Any] = {"peligro": not encendido}
    return atender_sin_caso(
        request,
        titulo=(_("Encender: %(aviso)s") if encendido else _("Apagar: %(aviso)s")) % {"aviso": suyos[0].titulo},
        verbo=_("Encender el aviso") if encendido else _("Apagar el aviso"),
        formulario=FormularioCausa,
        hacer=partial(acciones.conmutar, aviso=aviso, encendido=encendido, actor=request.user),
        volver=reverse("textos"),
        dicho=_("El aviso está encendido.") if encendido else _("El aviso está apagado: no se debe a nadie."),
        resumen=[texto.titulo for texto in suyos],
        que_hara=que_hara,
        contexto=contexto,
    )

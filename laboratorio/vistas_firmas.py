"""The signature as the director sees it: what waits, what failed, what the machine will sign by itself.

And with what he signs: his own certificate, here or elsewhere, and who stands in for him.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from expedientes.actos import atender, atender_sin_caso
from expedientes.firma import CertificadoInutil
from senasa import cuentas, reloj
from senasa.models import ROLES_DE_LABORATORIO, Rol, Suplencia
from senasa.permisos import con_rol
from senasa.transicion import ActoRechazado

from . import certificados
from . import suplencias as acciones_de_suplencia
from .firmas import dejar_de_firmar_fuera, firmar_fuera, fuera_de, huella, ordenar_firma, retener, subir_firmado
from .forms import (
    FormularioCertificado,
    FormularioConfirmar,
    FormularioFirmarVarios,
    FormularioRetener,
    FormularioSinDatos,
    FormularioSubirFirmado,
    FormularioSuplencia,
)
from .lifecycle import INFORME, Accion
from .models import EstadoInforme, Informe
from .reglas import vigente
from .views import LARGO, RECIENTES, con_semaforo, formulario, informe_visible, poner_retencion, ver

# How the queue may be narrowed or turned, by what the address says after `?ver=`.
FILTROS = {
    "": gettext_lazy("Lo que urge primero"),
    "antiguos": gettext_lazy("Lo más antiguo primero"),
    "perecibles": gettext_lazy("Solo lo que perece"),
    "mios": gettext_lazy("Lo que autoricé yo"),
}


@ver
@con_rol(Rol.DIRECTOR)
def firmas(request: HttpRequest) -> HttpResponse:
    cual = request.GET.get("ver", "")
    informes = Informe.objects.visibles_para(request.user).en_cola().select_related("suplencia__titular")
    de_la_cola = {
        "antiguos": informes.order_by("estado_desde", "id"),
        "perecibles": informes.filter(solicitud__partida__producto__perecible=True),
        "mios": informes.filter(autoriza=request.user),
    }.get(cual, informes)

    def en(*estados: str) -> list[Any]:
        return con_semaforo(de_la_cola.filter(estado__in=estados), lambda informe: informe.solicitud.partida)

    por_firmar = en(EstadoInforme.POR_FIRMAR)
    poner_retencion(por_firmar)
    contexto = {
        "por_firmar": por_firmar,
        "de_uno_en_uno": [informe for informe in por_firmar if informe.positivo or informe.indeterminado],
        "negativos": [informe for informe in por_firmar if not (informe.positivo or informe.indeterminado)],
        "fallidas": en(EstadoInforme.FIRMA_FALLIDA),
        "firmando": en(EstadoInforme.FIRMANDO),
        "fuera": en(EstadoInforme.FIRMANDO_FUERA),
        "en_gracia": sorted(en(EstadoInforme.EN_GRACIA), key=lambda informe: informe.firmar_desde),
        "emitidos": informes.filter(estado=EstadoInforme.EMITIDO).order_by("-estado_desde")[:RECIENTES],
        "largo": LARGO,
        "filtros": [(clave, texto, clave == cual) for clave, texto in FILTROS.items()],
        "ver": cual if cual in FILTROS else "",
        "marcar_todos": request.GET.get("marcar") == "todos",
        "certificado": _como_esta(request),
        "por_vencer": [uno for uno in certificados.por_vencer() if request.user in uno.quienes],
        "regla": vigente(),
    }
    return render(request, "laboratorio/firmas.html", contexto)


def _como_esta(request: HttpRequest) -> dict[str, Any]:
    """The reader's own certificate: fit, or why not."""
    propio = certificados.de(request.user)
    if propio is None:
        return {"propio": None, "falla": _("No tiene un certificado propio: lo que autorice no saldrá hasta ponerlo.")}
    try:
        certificados.abrir(propio)
    except CertificadoInutil as error:
        return {"propio": propio, "falla": str(error)}
    return {"propio": propio, "falla": ""}


@dataclass
class Fila:
    """A report marked to be signed with others: `por_que` not, in words; `hecho` once it is."""

    informe: Any
    visto: str
    por_que: str = ""
    hecho: bool = False


@formulario
@con_rol(Rol.DIRECTOR)
def firmar_varios(request: HttpRequest) -> HttpResponse:
    """Sign many plain negatives at once: a look before, who he is asked once, and an outcome for each.

    What is positive or inconclusive is signed one by one, on its own page, whatever is marked.
    """
    if cuentas.debe_confirmar(request):
        return cuentas.confirmar(request)
    datos = request.POST if request.method == "POST" else request.GET
    form = FormularioFirmarVarios(datos, usuario=request.user)
    filas = [_fila_de(informe) for informe in form.cleaned_data["informe"]] if form.is_valid() else []
    if request.method == "POST":
        for fila in filas:
            _firmar_fila(request, fila)
    contexto = {
        "form": form,
        "filas": filas,
        "firmables": sum(not fila.por_que for fila in filas),
        "hechos": sum(fila.hecho for fila in filas),
        "terminado": request.method == "POST" and bool(filas),
    }
    return render(request, "laboratorio/firmar_varios.html", contexto, status=200 if form.is_valid() else 422)


def _fila_de(informe: Any) -> Fila:
    fila = Fila(informe, huella(informe))
    if informe.estado != EstadoInforme.POR_FIRMAR:
        fila.por_que = _("Está ahora en «%(estado)s».") % {"estado": informe.get_estado_display()}
    elif informe.positivo or informe.indeterminado:
        fila.por_que = _("No todo es negativo: se firma por separado, viendo sus resultados.")
    return fila


def _firmar_fila(request: HttpRequest, fila: Fila) -> None:
    if not fila.por_que and request.POST.get(f"visto-{fila.informe.numero}") != fila.visto:
        fila.por_que = _("Sus resultados cambiaron desde que los vio.")
    if fila.por_que:
        return
    try:
        ordenar_firma(informe=fila.informe, actor=request.user, visto=fila.visto)
    except ActoRechazado as error:
        fila.por_que = str(error.mensaje)
    else:
        fila.hecho = True


@formulario
@con_rol(Rol.DIRECTOR)
def informe_firmar(request: HttpRequest, numero: str) -> HttpResponse:
    informe = informe_visible(request, numero)
    return atender(
        request,
        objeto=informe,
        accion=Accion.FIRMAR,
        tabla=INFORME,
        formulario=FormularioSinDatos,
        hacer=partial(ordenar_firma, informe=informe, actor=request.user),
        resumen=[f"{informe.numero} · {informe.solicitud.partida.producto}"],
        volver=reverse("informe", args=[numero]),
        plantilla="laboratorio/firmar.html",
        titulo=_("Firmar %(informe)s") % {"informe": informe},
        contexto={
            "informe": informe,
            "analisis": informe.solicitud.analisis.con_historia(),
            "certificado": _como_esta(request),
            "secundario": {"url": reverse("informe_firmar_fuera", args=[numero]), "texto": _("Firmar fuera…")},
            "que_hara": [
                _("Usted autoriza el informe; el sistema compone el PDF y lo firma con el certificado de usted."),
                _("Firmado, la partida pasa al inspector y se avisa al importador."),
                _("Si el certificado no sirve, nada sale: queda en «firma fallida» con su causa."),
            ],
        },
        decide=True,
    )


@require_POST
def informe_retener(request: HttpRequest, numero: str) -> HttpResponse:
    """During the grace time, analyst or verifier keeps the machine from signing."""
    informe = informe_visible(request, numero)
    return atender(
        request,
        objeto=informe,
        accion=Accion.RETENER,
        tabla=INFORME,
        formulario=FormularioRetener,
        hacer=partial(retener, informe=informe, actor=request.user),
        resumen=[f"{informe.numero} · {informe.solicitud.partida.producto}"],
        que_hara=[_("El sistema ya no lo firmará: queda en la cola del director, con lo que usted escriba.")],
        volver=reverse("informe", args=[numero]),
        plantilla="laboratorio/acto.html",
    )


# ── Signed outside ────────────────────────────────────────────────────────────────────────────────


@formulario
@con_rol(Rol.DIRECTOR)
def informe_firmar_fuera(request: HttpRequest, numero: str) -> HttpResponse:
    informe = informe_visible(request, numero)
    return atender(
        request,
        objeto=informe,
        accion=Accion.FIRMAR_FUERA,
        tabla=INFORME,
        formulario=FormularioSinDatos,
        hacer=partial(firmar_fuera, informe=informe, actor=request.user),
        resumen=[f"{informe.numero} · {informe.solicitud.partida.producto}"],
        volver=reverse("informe", args=[numero]),
        plantilla="laboratorio/firmar.html",
        titulo=_("Firmar %(informe)s fuera") % {"informe": informe},
        contexto={
            "informe": informe,
            "analisis": informe.solicitud.analisis.con_historia(),
            "que_hara": [
                _("El sistema fija el número, la versión, el código y la hora, y le entrega el PDF."),
                _("Usted lo firma con su programa (PAdES) y sube el mismo archivo, con la firma agregada."),
                _("Se comprueba todo: que sea ese PDF, que la firma sea suya y valga. Hasta entonces nada sale."),
                _("Tiene 24 horas; después el informe vuelve a su cola."),
            ],
        },
        decide=True,
    )


@formulario
@con_rol(Rol.DIRECTOR)
def informe_subir(request: HttpRequest, numero: str) -> HttpResponse:
    """Take the PDF, bring it back signed."""
    informe = informe_visible(request, numero)
    return atender(
        request,
        objeto=informe,
        accion=Accion.SUBIR_FIRMADO,
        tabla=INFORME,
        formulario=partial(FormularioSubirFirmado, informe=informe, actor=request.user),
        hacer=lambda archivo: subir_firmado(informe=informe, actor=request.user, subido=archivo),
        resumen=[f"{informe.numero} · {informe.solicitud.partida.producto}"],
        volver=reverse("informe", args=[numero]),
        plantilla="laboratorio/subir_firmado.html",
        titulo=_("%(informe)s: firma fuera del sistema") % {"informe": informe},
        contexto={
            "informe": informe,
            "fuera": fuera_de(informe),
            "que_hara": [
                _("El archivo es el PDF que bajó, con una sola firma agregada al final, de todo el archivo."),
                _("La firma, PAdES, con un certificado a nombre de usted, vigente y de una autoridad de confianza."),
                _("Si algo no cumple se le dice qué, y el informe sigue esperando."),
                _("Si todo cumple el informe sale: la partida pasa al inspector y se avisa al importador."),
            ],
        },
    )


@ver
@con_rol(Rol.DIRECTOR)
def informe_para_firmar(request: HttpRequest, numero: str) -> HttpResponse:
    """The very bytes to be signed, for whoever signs them alone."""
    fuera = fuera_de(informe_visible(request, numero))
    if fuera is None or fuera.pdf is None:
        return render(
            request,
            "409.html",
            {"mensaje": _("No hay ningún PDF por firmar fuera."), "volver": reverse("informe", args=[numero])},
            status=409,
        )
    if fuera.firmante_id != request.user.pk:
        raise PermissionDenied(_("Lo firma otra persona."))
    respuesta = HttpResponse(bytes(fuera.pdf), content_type="application/pdf")
    respuesta["Content-Disposition"] = f'attachment; filename="{numero}-por-firmar.pdf"'
    respuesta["Cache-Control"] = "private, no-store"
    return respuesta


@require_POST
@con_rol(Rol.DIRECTOR)
def informe_dejar_fuera(request: HttpRequest, numero: str) -> HttpResponse:
    informe = informe_visible(request, numero)
    return atender(
        request,
        objeto=informe,
        accion=Accion.DEJAR_DE_FIRMAR_FUERA,
        tabla=INFORME,
        formulario=FormularioSinDatos,
        hacer=partial(dejar_de_firmar_fuera, informe=informe, actor=request.user),
        volver=reverse("informe", args=[numero]),
        plantilla="laboratorio/acto.html",
    )


# ── One's own certificate ─────────────────────────────────────────────────────────────────────────


@ver
@con_rol(*sorted(ROLES_DE_LABORATORIO))
def certificado(request: HttpRequest) -> HttpResponse:
    """With what the reader signs: whose it says it is, until when, and those of before."""
    contexto = {
        **_como_esta(request),
        "anteriores": request.user.certificados.exclude(retirado_en=None),
        "por_vencer": timezone.now() + certificados.AVISAR_A_LOS[0],
    }
    return render(request, "laboratorio/certificado.html", contexto)


@formulario
@con_rol(*sorted(ROLES_DE_LABORATORIO))
def certificado_poner(request: HttpRequest) -> HttpResponse:
    return atender_sin_caso(
        request,
        titulo=_("Poner mi certificado de firma"),
        verbo=_("Comprobar y guardar"),
        formulario=FormularioCertificado,
        hacer=lambda archivo, contrasena: certificados.poner(usuario=request.user, p12=archivo, clave=contrasena),
        volver=reverse("certificado"),
        dicho=_("Certificado guardado: con él se firma lo que usted autorice."),
        que_hara=[
            _("Comprueba las fechas, el uso, la clave y la cadena; si no sirve, dice por qué y no guarda nada."),
            _("Lo guarda cifrado. El que tenía se retira: su llave se borra, lo que firmó sigue valiendo."),
            _("Lo que espera en «firma fallida» por su certificado sale solo en un minuto."),
        ],
        decide=True,
    )


@formulario
@con_rol(*sorted(ROLES_DE_LABORATORIO))
def certificado_retirar(request: HttpRequest) -> HttpResponse:
    return atender_sin_caso(
        request,
        titulo=_("Retirar mi certificado"),
        verbo=_("Retirarlo"),
        formulario=FormularioConfirmar,
        hacer=partial(certificados.retirar, usuario=request.user),
        volver=reverse("certificado"),
        dicho=_("Certificado retirado; su llave se borró."),
        que_hara=[
            _("Borra su llave del sistema. Lo que firmó sigue valiendo."),
            _("Lo que autorice después no sale hasta que ponga otro, o lo firme fuera."),
        ],
        contexto={"peligro": True},
        decide=True,
    )


# ── Deputies ──────────────────────────────────────────────────────────────────────────────────────


NOMBRAN = (Rol.DIRECTOR, Rol.ADMINISTRADOR)


@ver
@con_rol(*NOMBRAN)
def suplencias(request: HttpRequest) -> HttpResponse:
    filas = Suplencia.objects.select_related("titular", "suplente", "autor")[:LARGO]
    con_certificado = set(certificados.en_uso().values_list("usuario_id", flat=True))
    hoy = timezone.localdate(reloj.ahora())
    contexto = {
        "filas": [
            {
                "suplencia": una,
                "por_terminar": una.terminada_en is None and una.hasta >= hoy,
                "sin_certificado": una.suplente_id not in con_certificado,
            }
            for una in filas
        ],
        "nombra": any(rol in request.user.roles for rol in NOMBRAN),
    }
    return render(request, "laboratorio/suplencias.html", contexto)


@formulario
@con_rol(*NOMBRAN)
def suplencia_nueva(request: HttpRequest) -> HttpResponse:
    return atender_sin_caso(
        request,
        titulo=_("Nombrar un suplente"),
        verbo=_("Nombrarlo"),
        formulario=partial(FormularioSuplencia, actor=request.user),
        hacer=partial(acciones_de_suplencia.nombrar, actor=request.user),
        volver=reverse("suplencias"),
        dicho=_("Suplencia registrada."),
        que_hara=[
            _("En esos días tiene los actos del director, y firma con su propio certificado."),
            _("Cada informe dice que se firmó por suplencia, y de quién."),
            _("Se puede terminar antes; queda en el historial."),
        ],
        decide=True,
    )


@formulario
@con_rol(*NOMBRAN)
def suplencia_terminar(request: HttpRequest, pk: int) -> HttpResponse:
    suplencia = get_object_or_404(Suplencia.objects.select_related("titular", "suplente"), pk=pk)
    return atender_sin_caso(
        request,
        titulo=_("Terminar la suplencia"),
        verbo=_("Terminarla ahora"),
        formulario=FormularioConfirmar,
        hacer=partial(acciones_de_suplencia.terminar, suplencia=suplencia, actor=request.user),
        volver=reverse("suplencias"),
        dicho=_("La suplencia terminó."),
        resumen=[str(suplencia)],
        que_hara=[
            _("Deja de tener los actos del director desde este momento."),
            _("Lo que autorizó y no ha salido espera al director."),
        ],
        contexto={"peligro": True},
    )

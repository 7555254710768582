"""What the post sees of its samples: those to send, the manifests on the road, its labels; and a label that is read."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from expedientes.actos import conflicto, devolver
from expedientes.models import Estado, Partida
from senasa.models import Rol
from senasa.permisos import con_rol
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from . import despachos, preguntas, recepcion, rotulos
from .forms import FormularioImprimirRotulos, FormularioRotular, FormularioRotulosEnBlanco
from .models import Despacho, EstadoMuestra, Muestra, Rotulo, TandaRotulos

POSTS = (Rol.INSPECTOR, Rol.JEFE_DE_PUESTO)
TANDAS = 8
CONCILIADOS = 10


def pdf(contenido: bytes, nombre: str) -> HttpResponse:
    """A PDF to print, opened where it was asked for: a phone hands it to its printer."""
    respuesta = HttpResponse(contenido, content_type="application/pdf")
    respuesta["Content-Disposition"] = f'inline; filename="{nombre}.pdf"'
    respuesta["Cache-Control"] = "private, no-store"
    return respuesta


@require_safe
@con_rol(*POSTS)
def muelle(request: HttpRequest) -> HttpResponse:
    """Everything of the post's samples until the laboratory has them."""
    return _muelle(request, FormularioRotulosEnBlanco(usuario=request.user))


def _muelle(request: HttpRequest, en_blanco: FormularioRotulosEnBlanco, *, status: int = 200) -> HttpResponse:
    puestos = list(request.user.puestos.all())
    suyas = Muestra.objects.visibles_para(request.user).filter(expediente__puesto__in=puestos)
    suyos = Despacho.objects.filter(puesto__in=puestos)
    tandas = TandaRotulos.objects.filter(puesto__in=puestos).select_related("puesto", "impresa_por")
    contexto = {
        "puestos": puestos,
        "tomadas": suyas.filter(estado=EstadoMuestra.TOMADA)
        .select_related("partida__producto", "partida__pais_origen", "partida__expediente", "rotulo")
        .order_by("tomada_en", "pk"),
        "envia": request.user.tiene(Rol.INSPECTOR),
        "demoradas": recepcion.sin_llegar(suyas),
        "despachos": despachos.en_camino(suyos),
        "conciliados": despachos.conciliados(suyos)[:CONCILIADOS],
        "tandas": tandas.annotate(libres=Count("rotulos", filter=Q(rotulos__muestra=None)))[:TANDAS],
        "en_blanco": en_blanco,
        "papel": FormularioImprimirRotulos(),
        "por_contestar": preguntas.por_contestar(request.user).count(),
    }
    return render(request, "laboratorio/muelle.html", contexto, status=status)


# ── Labels ────────────────────────────────────────────────────────────────────────────────────────


@require_safe
@login_required
def rotulos_de_muestras(request: HttpRequest) -> HttpResponse:
    """`?m=M-2026-000001&m=…&formato=rollo`: the labels of those samples, of whoever may see them."""
    numeros = request.GET.getlist("m")[: rotulos.MAXIMO]
    suyas = Muestra.objects.visibles_para(request.user).filter(numero__in=numeros)
    muestras = list(suyas.select_related("partida__producto", "partida__pais_origen").order_by("pk"))
    if not muestras:
        raise Http404(_("Marque las muestras cuyos rótulos quiere imprimir."))
    return _imprimir(request, muestras, f"rotulos-{muestras[0].numero}")


@require_POST
@con_rol(*POSTS)
def rotulos_en_blanco(request: HttpRequest) -> HttpResponse:
    form = FormularioRotulosEnBlanco(request.POST, usuario=request.user)
    if not form.is_valid():
        return _muelle(request, form, status=422)
    tanda = rotulos.imprimir_en_blanco(actor=request.user, **form.cleaned_data)
    messages.success(request, _("%(n)s rótulos nuevos del %(puesto)s.") % {"n": tanda.cuantos, "puesto": tanda.puesto})
    return redirect(f"{reverse('muelle')}#rotulos")


@require_safe
@con_rol(*POSTS)
def tanda_de_rotulos(request: HttpRequest, pk: int) -> HttpResponse:
    """The labels of a batch that are still blank."""
    suyas = TandaRotulos.objects.visibles_para(request.user)
    libres = get_object_or_404(suyas, pk=pk).rotulos.filter(muestra=None).select_related("tanda__puesto")
    if not libres:
        raise Http404(_("Todos los rótulos de esa tanda están ya en su muestra."))
    return _imprimir(request, libres, f"rotulos-en-blanco-{pk}")


def _imprimir(request: HttpRequest, algunos: Iterable[Muestra | Rotulo], nombre: str) -> HttpResponse:
    form = FormularioImprimirRotulos(request.GET)
    rollo = request.GET.get("formato") == "rollo"
    saltar = (form.cleaned_data.get("saltar") or 0) if form.is_valid() else 0
    return pdf(rotulos.pdf_de_rotulos(algunos, rollo=rollo, saltar=saltar), nombre)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rotulo(request: HttpRequest, codigo: str) -> HttpResponse:
    """What the QR of a pre-printed label opens: its sample, or, while it has none, the choice of one."""
    leido = get_object_or_404(
        Rotulo.objects.select_related("muestra__expediente", "tanda__puesto"), codigo=rotulos.codigo_en(codigo)
    )
    if leido.muestra and request.method != "POST":
        return redirect("muestra", numero=leido.muestra.numero)
    puesto = leido.tanda.puesto
    if not request.user.tiene(Rol.INSPECTOR) or not request.user.puestos.filter(pk=puesto.pk).exists():
        mensaje = _("El rótulo %(rotulo)s está en blanco y es del %(puesto)s: lo pega un inspector de ese puesto.")
        contexto = {"rotulo": leido, "impide": mensaje % {"rotulo": leido, "puesto": puesto}}
        return render(request, "laboratorio/rotulo.html", contexto, status=403)
    form = FormularioRotular(request.POST or None, usuario=request.user)
    if leido.muestra:
        error = EstadoImpide(
            _("El rótulo %(rotulo)s ya está en la muestra %(muestra)s: no se mueve a otra.")
            % {"rotulo": leido, "muestra": leido.muestra}
        )
        volver = reverse("muestra", args=[leido.muestra.numero])
        return conflicto(request, error, expediente=leido.muestra.expediente, volver=volver)
    if request.method == "POST" and form.is_valid():
        muestra = form.cleaned_data["muestra"]
        try:
            with transaction.atomic():
                rotulos.rotular(muestra=muestra, rotulo=leido, actor=request.user)
        except RolImpide as error:
            raise PermissionDenied(error.mensaje) from error
        except EstadoImpide as error:
            return conflicto(request, error, expediente=muestra.expediente, volver=request.path)
        except DatoInvalido as error:
            devolver(form, error)
        else:
            messages.success(
                request, _("Rótulo %(rotulo)s en la muestra %(muestra)s.") % {"rotulo": leido, "muestra": muestra}
            )
            return redirect("muestra", numero=muestra.numero)
    lineas = Partida.objects.visibles_para(request.user).filter(
        estado=Estado.EN_INSPECCION, expediente__puesto=puesto, expediente__estado=Estado.EN_INSPECCION
    )
    contexto = {
        "rotulo": leido,
        "form": form,
        "hay_muestras": form.fields["muestra"].queryset.exists(),  # type: ignore[attr-defined]
        "lineas": lineas.select_related("expediente", "producto", "pais_origen").order_by("-estado_desde")[:20],
    }
    return render(request, "laboratorio/rotulo.html", contexto, status=422 if request.method == "POST" else 200)


# ── Manifests ─────────────────────────────────────────────────────────────────────────────────────


@require_safe
@login_required
def despacho_pdf(request: HttpRequest, numero: str) -> HttpResponse:
    suyo = get_object_or_404(Despacho.objects.visibles_para(request.user).select_related("puesto", "enviado_por"),
                             numero=numero)  # fmt: skip
    return pdf(despachos.pdf_del_manifiesto(suyo), suyo.numero)

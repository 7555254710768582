"""The jefe's inspectors: what each has on his table, who is away, and work that changes hands."""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from expedientes import asignacion
from expedientes.actos import atender_sin_caso
from expedientes.models import Ausencia, Expediente
from laboratorio.forms import FormularioConfirmar
from laboratorio.salidas import Salida, contar, salidas_de
from senasa import reloj
from senasa.models import Rol
from senasa.permisos import con_rol

from . import queries
from .forms import FormularioAsignarCasos, FormularioDeAusencia, FormularioPasarCasos

formulario = require_http_methods(["GET", "HEAD", "POST"])


def _ausencias(request: HttpRequest) -> Any:
    """Of the inspectors of the reader's posts, those that go on or are to come."""
    de_sus_puestos = asignacion.inspectores_de(request.user.puestos.all())
    por_terminar = Ausencia.objects.filter(terminada_en=None, hasta__gte=timezone.localdate(reloj.ahora()))
    return por_terminar.filter(ausente__in=de_sus_puestos).select_related("ausente", "cubre", "autor")


@con_rol(Rol.JEFE_DE_PUESTO)
@require_safe
def equipo(request: HttpRequest) -> HttpResponse:
    """Who has how much and how late, in one query; who is away and who covers."""
    puestos, ahora = list(request.user.puestos.all()), reloj.ahora()
    abiertos = Expediente.objects.abiertos().filter(puesto__in=puestos).order_by()
    tarde = Count("pk", filter=queries.del_semaforo("vencido", ahora))
    conteos = abiertos.values_list("inspector").annotate(todos=Count("pk"), tarde=tarde)
    de_cada_uno = {pk: (todos, tarde) for pk, todos, tarde in conteos}
    ausencias = list(_ausencias(request))
    hoy = timezone.localdate(ahora)
    fuera = {una.ausente_id: una for una in ausencias if una.desde <= hoy}
    gente = {uno.pk: uno for uno in [*asignacion.inspectores_de(puestos), *asignacion.con_casos(puestos)]}
    filas = [
        {"quien": uno, "todos": todos, "tarde": tarde, "ausencia": fuera.get(pk)}
        for pk, uno in gente.items()
        for todos, tarde in [de_cada_uno.get(pk, (0, 0))]
    ]
    sin_nadie, sin_nadie_tarde = de_cada_uno.get(None, (0, 0))
    contexto = {
        "filas": filas, "sin_nadie": sin_nadie, "sin_nadie_tarde": sin_nadie_tarde, "ausencias": ausencias, "hoy": hoy,
    }  # fmt: skip
    return render(request, "dashboard/equipo.html", contexto)


@formulario
@con_rol(Rol.JEFE_DE_PUESTO)
def casos_pasar(request: HttpRequest) -> HttpResponse:
    """All the open cases of an inspector, or those of nobody, to others: an outcome for each case."""
    datos = request.POST if request.method == "POST" else None
    form = FormularioPasarCasos(datos, usuario=request.user, initial={"de": request.GET.get("de")})
    if datos is not None and form.is_valid():
        return _repartir(request, **form.cleaned_data)
    contexto = {
        "titulo": _("Pasar los casos de un inspector"),
        "verbo": _("Pasarlos"),
        "form": form,
        "volver": reverse("equipo"),
        "que_hara": [
            _("Pasa todos sus casos abiertos del puesto, cada uno con su anotación en la bitácora."),
            _("Si alguien movió uno mientras tanto, ese queda fuera y se dice por qué."),
            _("No avisa al importador."),
        ],
    }
    return render(request, "acto.html", contexto, status=200 if datos is None else 422)


@require_POST
@con_rol(Rol.JEFE_DE_PUESTO)
def casos_asignar(request: HttpRequest) -> HttpResponse:
    """The cases marked on the board to one inspector, whoever has them now: an outcome for each."""
    tablero = reverse("tablero", query=QueryDict(request.POST.get("consulta", "")))
    form = FormularioAsignarCasos(request.POST, usuario=request.user)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for errores in form.errors.values() for error in errores))
        return redirect(tablero)
    quien = form.cleaned_data["inspector"]

    def dar(caso: Expediente) -> None:
        acto = asignacion.pasar if caso.inspector_id else asignacion.asignar
        acto(expediente=caso, inspector=quien, actor=request.user)

    salidas = salidas_de(
        queries.por_urgencia(form.cleaned_data["caso"]),
        dar,
        detalle=lambda caso: f"→ {quien.firma_corta}",
        en_fila=_salida,
    )
    hechas = sum(not salida.por_que for salida in salidas)
    return contar(
        request, salidas, volver=tablero, titulo=_("Asignar los marcados"), que=_("Expediente"),
        hecho=_("A cargo de %(quien)s: %(n)s.") % {"quien": quien.firma_corta, "n": hechas},
    )  # fmt: skip


def _salida(caso: Expediente, detalle: str, por_que: str) -> Salida:
    return Salida(caso.numero, detalle, por_que, reverse("expediente", args=[caso.numero]))


def _repartir(request: HttpRequest, *, de: Any, a: Any, puesto: Any, texto: str) -> HttpResponse:
    suyos = queries.por_urgencia(Expediente.objects.abiertos().filter(puesto=puesto, inspector=de))
    turno, receptor = cycle(uno for uno in a if uno != de), {}

    def dar(caso: Expediente) -> None:
        receptor[caso.pk] = quien = next(turno)
        acto = asignacion.asignar if de is None else asignacion.pasar
        acto(expediente=caso, inspector=quien, actor=request.user, texto=texto)

    if a.count() == 1 and de == a[0]:
        return redirect(f"{reverse('casos_pasar')}?de={de.pk}")
    salidas = salidas_de(suyos, dar, detalle=lambda caso: f"→ {receptor[caso.pk].firma_corta}", en_fila=_salida)
    hechas = sum(not salida.por_que for salida in salidas)
    return contar(
        request, salidas, volver=reverse("equipo"), titulo=_("Reparto de los casos"), que=_("Expediente"),
        hecho=_("Casos pasados: %(n)s.") % {"n": hechas},
    )  # fmt: skip


@formulario
@con_rol(Rol.JEFE_DE_PUESTO)
def ausencia_nueva(request: HttpRequest) -> HttpResponse:
    return atender_sin_caso(
        request,
        titulo=_("Anotar una ausencia"),
        verbo=_("Anotarla"),
        formulario=partial(FormularioDeAusencia, actor=request.user),
        hacer=partial(asignacion.anotar_ausencia, actor=request.user),
        volver=reverse("equipo"),
        dicho=_("Ausencia anotada."),
        que_hara=[
            _("En esos días sus casos aparecen también entre los de quien lo cubre."),
            _("Los casos siguen a su nombre: al volver los encuentra donde estaban."),
            _("Se puede terminar antes."),
        ],
    )


@formulario
@con_rol(Rol.JEFE_DE_PUESTO)
def ausencia_terminar(request: HttpRequest, pk: int) -> HttpResponse:
    de_sus_puestos = asignacion.inspectores_de(request.user.puestos.all())
    ausencia = get_object_or_404(
        Ausencia.objects.select_related("ausente", "cubre"), Q(ausente__in=de_sus_puestos), pk=pk
    )
    return atender_sin_caso(
        request,
        titulo=_("Terminar la ausencia"),
        verbo=_("Terminarla ahora"),
        formulario=FormularioConfirmar,
        hacer=partial(asignacion.terminar_ausencia, ausencia=ausencia, actor=request.user),
        volver=reverse("equipo"),
        dicho=_("La ausencia terminó."),
        resumen=[str(ausencia)],
        que_hara=[_("Sus casos dejan de aparecer entre los de quien lo cubría.")],
    )

"""The rule of automatic signature: its versions, the replay of each, and the page that tells anybody what it says."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from expedientes.actos import atender_sin_caso
from senasa.models import ROLES_DE_LABORATORIO, Rol
from senasa.permisos import con_rol
from senasa.transicion import RolImpide

from . import reglas as acciones
from .forms import FormularioApagarRegla, FormularioConfirmar, FormularioRegla
from .models import ReglaFirma
from .views import formulario, ver

LAS_LEEN = (*sorted(ROLES_DE_LABORATORIO), Rol.DIRECCION, Rol.ADMINISTRADOR)


@ver
@con_rol(*LAS_LEEN)
def reglas(request: HttpRequest) -> HttpResponse:
    versiones = list(
        ReglaFirma.objects.select_related("autor").prefetch_related(
            "productos", "metodos__disciplina", "disciplinas", "reproducciones"
        )
    )
    vigente = acciones.vigente()
    contexto = {
        "versiones": versiones,
        "vigente": vigente,
        "borrador": next((regla for regla in versiones if regla.desde is None), None),
        "es_director": request.user.tiene(Rol.DIRECTOR),
    }
    return render(request, "laboratorio/reglas.html", contexto)


def _version(version: int) -> ReglaFirma:
    return get_object_or_404(ReglaFirma.objects.select_related("autor"), version=version)


@ver
@con_rol(*LAS_LEEN)
def regla(request: HttpRequest, version: int) -> HttpResponse:
    regla = _version(version)
    hecha = acciones.reproduccion_de(regla) if regla.desde is None else regla.reproducciones.first()
    contexto = {
        "regla": regla,
        "vigente": acciones.vigente(),
        "reproduccion": hecha,
        "corregidos": [
            {**fila, "que": ", ".join(str(acciones.QUE_PASO[que]) for que in fila["que"])}
            for fila in (hecha.corregidos if hecha else [])
        ],
        "por_que_no": [
            (acciones.POR_QUE_NO[que], cuantos) for que, cuantos in (hecha.por_que_no.items() if hecha else [])
        ],
        "es_director": request.user.tiene(Rol.DIRECTOR),
    }
    return render(request, "laboratorio/regla.html", contexto)


@formulario
@con_rol(Rol.DIRECTOR)
def regla_nueva(request: HttpRequest) -> HttpResponse:
    """The draft of the next version: as somebody left it, or like the one in force."""
    modelo = acciones.borrador() or acciones.vigente()
    inicial: dict[str, Any] = {}
    if modelo:
        inicial = {"gracia_minutos": modelo.gracia_minutos, "causa": modelo.causa if modelo.desde is None else ""}
        for campo in ("productos", "metodos", "disciplinas"):
            inicial[campo] = getattr(modelo, campo).all()

    return atender_sin_caso(
        request,
        titulo=_("Nueva versión de la regla"),
        verbo=_("Guardar el borrador"),
        formulario=partial(FormularioRegla, initial=inicial),
        hacer=partial(acciones.redactar, actor=request.user),
        volver=reverse("reglas"),
        dicho=_("Borrador guardado: todavía no rige. Reprodúzcalo sobre los últimos doce meses."),
        que_hara=[
            _("Guarda un borrador; la versión en vigor sigue rigiendo."),
            _("Antes de ponerlo en vigor se reproduce: qué informes de los últimos doce meses habría firmado."),
            _("En ninguna versión firma la máquina algo que no sea, o no haya sido siempre, negativo."),
        ],
    )


@require_POST
@con_rol(Rol.DIRECTOR)
def regla_reproducir(request: HttpRequest, version: int) -> HttpResponse:
    regla = _version(version)
    if regla.desde is not None:
        messages.warning(request, _("Ya entró en vigor: se conserva la reproducción con la que entró."))
        return redirect("regla", version)
    try:
        hecha = acciones.reproducir(regla=regla, actor=request.user)
    except RolImpide as error:
        raise PermissionDenied(error.mensaje) from error
    messages.success(
        request,
        _("Reproducida: habría firmado %(firmaria)s de %(informes)s informes.")
        % {"firmaria": hecha.firmaria, "informes": hecha.informes},
    )
    return redirect("regla", version)


@formulario
@con_rol(Rol.DIRECTOR)
def regla_encender(request: HttpRequest, version: int) -> HttpResponse:
    regla = _version(version)
    hecha = acciones.reproduccion_de(regla)
    return atender_sin_caso(
        request,
        titulo=_("Poner en vigor la regla v%(version)s") % {"version": version},
        verbo=_("Ponerla en vigor"),
        formulario=FormularioConfirmar,
        hacer=partial(acciones.poner_en_vigor, regla=regla, actor=request.user),
        volver=reverse("regla", args=[version]),
        dicho=_("La regla v%(version)s está en vigor.") % {"version": version},
        resumen=[
            _("En los últimos doce meses habría firmado %(firmaria)s de %(informes)s; de esos se corrigieron %(n)s.")
            % {"firmaria": hecha.firmaria, "informes": hecha.informes, "n": len(hecha.corregidos)}
        ]
        if hecha
        else [_("Falta reproducirla tal como está.")],
        que_hara=[
            _("Desde este momento el sistema cierra y firma bajo esta versión, y cada informe lo dice."),
            _("Lo que ya espera su tiempo de gracia se vuelve a mirar con ella antes de firmarse."),
            _("No se puede cambiar después: se hace otra versión, o se apaga."),
        ],
        decide=True,
    )


@formulario
@con_rol(Rol.DIRECTOR)
def regla_apagar(request: HttpRequest) -> HttpResponse:
    return atender_sin_caso(
        request,
        titulo=_("Apagar la firma automática"),
        verbo=_("Apagarla ahora"),
        formulario=FormularioApagarRegla,
        hacer=partial(acciones.apagar, actor=request.user),
        volver=reverse("reglas"),
        dicho=_("La firma automática está apagada: todo informe espera al director."),
        que_hara=[
            _("Nada más se firma solo, desde este momento; lo que esperaba su gracia pasa a su cola."),
            _("Lo ya firmado sigue valiendo. Para encenderla hace falta otra versión, reproducida."),
        ],
        contexto={"peligro": True},
        decide=True,
    )


@login_not_required
@ver
def regla_publica(request: HttpRequest, version: int) -> HttpResponse:
    """What the law on automated decisions wants told (DS 016-2024-JUS): under which rule a machine signed."""
    regla = _version(version)
    if regla.desde is None:
        raise Http404
    return render(request, "laboratorio/regla_publica.html", {"regla": regla, "vigente": acciones.vigente() == regla})

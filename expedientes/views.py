"""The pages of mesa de partes and of the post: register, and every act on a line or on the case."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import Form
from django.http import FileResponse, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from senasa import escrito
from senasa.models import Rol
from senasa.palabras import cantidad
from senasa.transicion import ActoRechazado, DatoInvalido

from . import avisos, espera, forms, lectura, prellenado, services
from .actos import atender, devolver
from .archivos import ArchivoNuevo, del_certificado, limpiar_nombre
from .ephyto import EphytoInvalido, leer
from .lifecycle import EXPEDIENTE, PARTIDA, Accion
from .models import Adjunto, Documento, Estado, Expediente, Partida
from .vistas_publicas import bajar, bajar_adjunto

acto = require_http_methods(["GET", "HEAD", "POST"])


def _partida(request: HttpRequest, numero: str, orden: int) -> Partida:
    visibles = Partida.objects.visibles_para(request.user)
    visibles = visibles.select_related("expediente__importador", "expediente__agente", "producto", "pais_origen")
    return get_object_or_404(visibles, expediente__numero=numero, orden=orden)


def _resumen(partida: Partida) -> list[str]:
    contenedores = ", ".join(contenedor.numero for contenedor in partida.contenedores.all()[:6])
    return [
        f"{partida.producto} · {partida.pais_origen} · {cantidad(partida.peso_neto_kg)} kg",
        *filter(None, [contenedores, partida.expediente.lugar]),
    ]


# ── Registration ──────────────────────────────────────────────────────────────────────────────────


def _dueno(request: HttpRequest) -> str:
    return f"usuario:{request.user.pk}"


@acto
@never_cache
def expediente_nuevo(request: HttpRequest) -> HttpResponse:
    """Mesa de partes enters a request, from nothing or from an ePhyto already read."""
    if not request.user.tiene(Rol.MESA_DE_PARTES):
        raise PermissionDenied(_("Registrar solicitudes corresponde a mesa de partes."))
    antes = escrito.recuperar(request)
    ficha = (antes or request.POST).get("ephyto") or request.GET.get("ephyto", "")
    origen = espera.recuperar(espera.EPHYTO, ficha, de=_dueno(request)) if ficha else None
    leido = prellenado.prellenar(leer(origen.contenido)) if origen else None
    if antes is not None:
        return _tal_como_estaba(request, antes, leido)
    if request.method != "POST":
        form, partidas = _formularios_vacios(request, leido, ficha if origen else "")
        if ficha and not origen:
            messages.warning(request, _("El archivo ePhyto ya no está aquí: súbalo otra vez."))
        return _pagina_de_registro(request, form, partidas, leido)
    form = forms.FormularioSolicitud(request.POST, usuario=request.user)
    partidas = forms.Partidas(request.POST)
    if "agregar" in request.POST:
        return _tal_como_estaba(request, request.POST, leido, mas=1)
    valido = form.is_valid() & partidas.is_valid()
    if ficha and not origen:
        # The same form sent twice: the first one registered the case and took the file.
        if ya := Expediente.objects.visibles_para(request.user).filter(envio=form.cleaned_data.get("envio")).first():
            return redirect("expediente", ya.numero)
        form.data = {**request.POST.dict(), "ephyto": ""}
        form.add_error(None, _("El archivo ePhyto ya no está aquí: si lo necesita, súbalo otra vez."))
        valido = False
    if valido:
        partidas.revisar_transporte(form.cleaned_data["transporte"])
        valido = partidas.is_valid()
    repetidos = _repetidos(form) if valido else []
    if valido and (not repetidos or "aunque_este" in request.POST):
        try:
            return _registrado(request, form, partidas, origen, leido.adjuntos if leido else [])
        except DatoInvalido as error:
            devolver(form, error)
    return _pagina_de_registro(request, form, partidas, leido, repetidos=repetidos)


def _registrado(
    request: HttpRequest,
    form: forms.FormularioSolicitud,
    partidas: Any,
    origen: espera.EnEspera | None,
    adjuntos: list[ArchivoNuevo],
) -> HttpResponse:
    datos = form.cleaned_data
    try:
        expediente = services.registrar(
            actor=request.user,
            puesto=datos["puesto"],
            importador=form.importador,
            agente=form.agente,
            partidas=partidas.pedidas(),
            datos=form.datos_del_expediente(),
            adjuntos=[del_certificado(origen.nombre, origen.contenido), *adjuntos] if origen else (),
            envio=datos["envio"],
            ocurrio_en=datos["ocurrio_en"],
            texto=datos["texto"],
        )
    except ActoRechazado as error:
        raise PermissionDenied(error.mensaje) from error
    if origen:
        transaction.on_commit(lambda: espera.olvidar(origen.ruta))
    quienes = _(" y ").join(avisos.destinatarios(expediente))
    mensaje = _("Solicitud registrada con el número %(numero)s. Se avisa por correo a %(quienes)s.")
    messages.success(request, mensaje % {"numero": expediente.numero, "quienes": quienes})
    nombre = expediente.importador.nombre
    if datos["importador_nombre"] and datos["importador_nombre"].casefold() != nombre.casefold():
        mensaje = _("Ese documento ya figura a nombre de «%(nombre)s»: se usó el importador registrado.")
        messages.warning(request, mensaje % {"nombre": nombre})
    return redirect("expediente", expediente.numero)


def _repetidos(form: forms.FormularioSolicitud) -> list[tuple[Expediente, bool]]:
    """Likely duplicates, each with whether the clerk may open it: of another post's, only the number is told."""
    datos = form.cleaned_data
    hallados = services.posibles_duplicados(certificado=datos["certificado"], dam=datos["dam"], suce=datos["suce"])
    hallados = [expediente for expediente in hallados if expediente.envio != datos["envio"]]
    visibles = Expediente.objects.visibles_para(form.usuario).filter(pk__in=[e.pk for e in hallados])
    mios = set(visibles.values_list("pk", flat=True))
    return [(expediente, expediente.pk in mios) for expediente in hallados]


def _formularios_vacios(
    request: HttpRequest, leido: prellenado.Prellenado | None, ficha: str
) -> tuple[forms.FormularioSolicitud, Any]:
    inicial = {**leido.inicial, "ephyto": ficha} if leido else {}
    if "puesto" in inicial and not request.user.puestos.filter(pk=inicial["puesto"]).exists():
        del inicial["puesto"]
    return forms.FormularioSolicitud(initial=inicial, usuario=request.user), forms.Partidas(
        initial=leido.lineas if leido else None
    )


def _tal_como_estaba(
    request: HttpRequest, datos: QueryDict, leido: prellenado.Prellenado | None, *, mas: int = 0
) -> HttpResponse:
    """Everything typed comes back, unjudged, with `mas` empty rows: for browsers without JavaScript."""
    habia = datos.get("partidas-TOTAL_FORMS", "")
    total = min(int(habia[:4]) + mas if habia.isdecimal() else 1, forms.MAX_PARTIDAS)
    campos = [*forms.FormularioPartida.base_fields, "DELETE"]
    filas = [{campo: datos.get(f"partidas-{n}-{campo}", "") for campo in campos} for n in range(total)]
    form = forms.FormularioSolicitud(initial=datos.dict(), usuario=request.user)
    return _pagina_de_registro(request, form, forms.Partidas(initial=filas), leido)


def _pagina_de_registro(
    request: HttpRequest,
    form: forms.FormularioSolicitud,
    partidas: Any,
    leido: prellenado.Prellenado | None,
    repetidos: list[tuple[Expediente, bool]] | None = None,
) -> HttpResponse:
    if leido:
        _poner_al_lado(form, partidas, leido)
    contexto = {
        "titulo": _("Registrar solicitud"),
        "verbo": EXPEDIENTE[Accion.REGISTRAR].verbo,
        "form": form,
        "formsets": [partidas],
        "leido": leido,
        "repetidos": repetidos or [],
        "volver": "/",
        "que_hara": [
            _("Da número al expediente y abre su bitácora."),
            _("Avisa por correo al importador y a su agente, con el enlace de seguimiento."),
            _("La solicitud aparece en el tablero del puesto para programar la inspección."),
        ],
    }
    return render(request, "expedientes/nuevo.html", contexto, status=422 if form.is_bound else 200)


def _poner_al_lado(form: forms.FormularioSolicitud, partidas: Any, leido: prellenado.Prellenado) -> None:
    """The certificate's own words beside what was understood of them."""
    for campo, dice in leido.dice.items():
        if campo in form.fields:
            _sumar_ayuda(form, campo, dice)
    for n, fila in enumerate(partidas.forms, start=1):
        if producto := leido.dice.get(f"lineas.{n}.producto"):
            _sumar_ayuda(fila, "producto", producto)


def _sumar_ayuda(form: Form, campo: str, dice: str) -> None:
    form.fields[campo].help_text = format_html("{} {}", form.fields[campo].help_text, dice)


@acto
def ephyto_leer(request: HttpRequest) -> HttpResponse:
    """Upload a certificate; the request form comes filled in with what it says."""
    if not request.user.tiene(Rol.MESA_DE_PARTES):
        raise PermissionDenied(_("Registrar solicitudes corresponde a mesa de partes."))
    form = forms.FormularioEphyto(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        subido = form.cleaned_data["archivo"]
        contenido = subido.read(20 * 1024 * 1024 + 1)
        try:
            leer(contenido)
        except EphytoInvalido as error:
            form.add_error("archivo", str(error))
        else:
            nombre = limpiar_nombre(subido.name)
            ficha = espera.guardar(espera.EPHYTO, contenido, nombre=nombre, de=_dueno(request))
            return redirect(reverse("expediente_nuevo", query={"ephyto": ficha}))
    contexto = {
        "titulo": _("Leer un certificado ePhyto"),
        "verbo": _("Leer el archivo"),
        "form": form,
        "volver": reverse("expediente_nuevo"),
        "que_hara": [
            _("Llena la solicitud con lo que dice el certificado; usted la revisa antes de registrarla."),
            _("Lo que no se reconozca queda señalado, con las palabras del certificado al lado."),
            _("El archivo y sus adjuntos se guardan con el expediente al registrarlo."),
        ],
    }
    return render(request, "acto.html", contexto, status=422 if form.is_bound else 200)


# ── At the post ───────────────────────────────────────────────────────────────────────────────────


@acto
def partida_programar(request: HttpRequest, numero: str, orden: int) -> HttpResponse:
    partida = _partida(request, numero, orden)
    return atender(
        request,
        objeto=partida,
        accion=Accion.PROGRAMAR,
        tabla=PARTIDA,
        formulario=forms.FormularioProgramar,
        hacer=partial(services.programar, partida=partida, actor=request.user),
        inicial={"cita_en": partida.cita_en, "terminal": partida.terminal or partida.expediente.lugar},
        resumen=_resumen(partida),
        que_hara=[_("Fija la hora y el lugar de la inspección; se puede cambiar hasta que se inspeccione.")],
    )


@acto
def partida_no_presentada(request: HttpRequest, numero: str, orden: int) -> HttpResponse:
    partida = _partida(request, numero, orden)
    cita = partida.cita_en and timezone.localtime(partida.cita_en).strftime("%d/%m/%Y %H:%M")
    return atender(
        request,
        objeto=partida,
        accion=Accion.NO_PRESENTADA,
        tabla=PARTIDA,
        formulario=forms.FormularioDeActo,
        hacer=partial(services.no_presentada, partida=partida, actor=request.user),
        resumen=[*_resumen(partida), *([_("Cita: %(cita)s") % {"cita": cita}] if cita else [])],
        que_hara=[_("El reloj de la partida se detiene hasta que se programe una nueva hora.")],
    )


@acto
def partida_inspeccionar(request: HttpRequest, numero: str, orden: int) -> HttpResponse:
    partida = _partida(request, numero, orden)
    return atender(
        request,
        objeto=partida,
        accion=Accion.INSPECCIONAR,
        tabla=PARTIDA,
        formulario=forms.FormularioInspeccionar,
        hacer=partial(services.inspeccionar, partida=partida, actor=request.user),
        resumen=_resumen(partida),
        que_hara=[_("La partida pasa a «En inspección»: después se toma la muestra, o se dictamina sin muestra.")],
    )


@acto
def partida_dictaminar(request: HttpRequest, numero: str, orden: int) -> HttpResponse:
    partida = _partida(request, numero, orden)
    informes = services.informes_vigentes(partida)
    if partida.estado == Estado.RESULTADO_EMITIDO:
        lectura.anotar(informes, request.user)
    nombres = ", ".join(f"{informe.numero} v{informe.version}" for informe in informes)
    return atender(
        request,
        objeto=partida,
        accion=Accion.DICTAMINAR,
        tabla=PARTIDA,
        formulario=forms.FormularioDictaminar,
        hacer=partial(services.dictaminar, partida=partida, actor=request.user),
        inicial={"decision": request.GET.get("decision", "")},
        resumen=_resumen(partida),
        que_hara=[
            _("El dictamen queda apoyado en %(nombres)s.") % {"nombres": nombres},
            _("El sistema emite y firma el RIV."),
        ],
        plantilla="expedientes/dictaminar.html",
        contexto={"informes": informes, "impiden": forms.impiden_ingreso(informes)},
        decide=True,
    )


@acto
def partida_dictaminar_sin_muestra(request: HttpRequest, numero: str, orden: int) -> HttpResponse:
    partida = _partida(request, numero, orden)
    return atender(
        request,
        objeto=partida,
        accion=Accion.DICTAMINAR_SIN_MUESTRA,
        tabla=PARTIDA,
        formulario=forms.FormularioDictaminarSinMuestra,
        hacer=partial(services.dictaminar_sin_muestra, partida=partida, actor=request.user),
        resumen=_resumen(partida),
        que_hara=[
            _("La partida se decide sin pasar por el laboratorio; el motivo queda en la bitácora."),
            _("El sistema emite y firma el RIV."),
        ],
        decide=True,
    )


@acto
def partida_ordenar_medida(request: HttpRequest, numero: str, orden: int) -> HttpResponse:
    partida = _partida(request, numero, orden)
    dictamen = partida.dictamen
    return atender(
        request,
        objeto=partida,
        accion=Accion.ORDENAR_MEDIDA,
        tabla=PARTIDA,
        formulario=partial(forms.FormularioOrdenarMedida, dictamen=dictamen),
        hacer=partial(services.ordenar_medida, partida=partida, actor=request.user),
        resumen=[*_resumen(partida), *([str(dictamen)] if dictamen else [])],
        que_hara=[_("La partida queda en «Medida en curso» hasta que se registre su cumplimiento.")],
    )


@acto
def partida_cumplir_medida(request: HttpRequest, numero: str, orden: int) -> HttpResponse:
    partida = _partida(request, numero, orden)
    medida = partida.medida_pendiente
    hasta = [f"{medida}, {_('hasta el')} {medida.vence_en:%d/%m/%Y}"] if medida else []
    return atender(
        request,
        objeto=partida,
        accion=Accion.CUMPLIR_MEDIDA,
        tabla=PARTIDA,
        formulario=partial(forms.FormularioCumplirMedida, medida=medida),
        hacer=partial(services.cumplir_medida, partida=partida, actor=request.user),
        resumen=[*_resumen(partida), *hasta],
        que_hara=[_("La medida queda cumplida y la partida, lista para el cierre.")],
    )


@acto
def expediente_cerrar(request: HttpRequest, numero: str) -> HttpResponse:
    visibles = Expediente.objects.visibles_para(request.user).select_related("importador", "agente")
    expediente = get_object_or_404(visibles, numero=numero)
    faltan = services.pendientes_de_cierre(expediente)
    return atender(
        request,
        objeto=expediente,
        accion=Accion.CERRAR,
        tabla=EXPEDIENTE,
        formulario=forms.FormularioDeActo,
        hacer=partial(services.cerrar, expediente=expediente, actor=request.user),
        que_hara=[_("El expediente termina: ya no admite más actos.")],
        plantilla="expedientes/cerrar.html",
        contexto={"faltan": faltan},
    )


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


@require_GET
def adjunto(request: HttpRequest, numero: str, pk: int) -> HttpResponse | FileResponse:
    """A file of the case, for staff who may see it."""
    fila = get_object_or_404(Adjunto.objects.visibles_para(request.user), expediente__numero=numero, pk=pk)
    return bajar_adjunto(fila)


@require_GET
def documento(request: HttpRequest, cvd: str) -> HttpResponse | FileResponse:
    """An issued document, for staff who may see its case. Of a report, the post's first reading is noted."""
    visibles = Documento.objects.visibles_para(request.user).select_related("expediente")
    fila = get_object_or_404(visibles, cvd=cvd)
    lectura.anotar([fila], request.user)
    return bajar(fila)

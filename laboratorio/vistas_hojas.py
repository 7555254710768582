"""The bench by many: worksheets, what is typed on them, the controls of their runs, work that changes hands.

Where many rows are at stake each has an outcome of its own, told on the page that answers: nothing is cut short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Min, Q, Value
from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from django_htmx.middleware import HtmxDetails

from expedientes.actos import atender, conflicto, devolver
from expedientes.models import Plaga
from senasa import escrito, reloj
from senasa.models import Rol, Usuario
from senasa.permisos import con_rol
from senasa.transicion import ActoRechazado, DatoInvalido, EstadoImpide, RolImpide

from . import hojas as actos
from . import reversiones, services
from .colas import filtrar
from .forms import (
    FILAS_DE_UNA_HOJA,
    MAX_FILAS,
    FormularioAdjuntar,
    FormularioDeControl,
    FormularioDeRenglon,
    FormularioNuevaHoja,
    FormularioPasarVarios,
    FormularioRevertir,
    analistas,
)
from .lifecycle import ANALISIS, Accion
from .models import (
    Analisis,
    EstadoAnalisis,
    HojaDeTrabajo,
    Metodo,
    Renglon,
    Resultado,
    TipoDeControl,
    Valor,
)
from .salidas import contar, salidas_de
from .verificacion import corridas_de
from .views import LARGO, con_semaforo, de_la_muestra, formulario, ver

EN_LA_MESA = (Rol.ANALISTA, Rol.VERIFICADOR, Rol.DIRECTOR)


# ── The sheets, and a new one ─────────────────────────────────────────────────────────────────────


@ver
@con_rol(*EN_LA_MESA)
def hojas(request: HttpRequest) -> HttpResponse:
    """The open sheets, one's own first, and what waits for each method, one's own disciplines first."""
    pendientes = Q(renglones__analisis__estado__in=actos.SIN_RESULTADO)
    abiertas = (
        HojaDeTrabajo.objects.select_related("metodo__disciplina")
        .prefetch_related("analistas")
        .annotate(filas=Count("renglones"), por_anotar=Count("renglones", filter=pendientes))
    )
    lista = list(abiertas.filter(cerrada_en=None).order_by("abierta_en")[:LARGO])
    corridas = corridas_de(lista)
    for hoja in lista:
        hoja.mia = request.user in hoja.analistas.all()  # type: ignore[attr-defined]
        hoja.estado_de_sus_controles = corridas[hoja.pk, hoja.corrida]  # type: ignore[attr-defined]
    contexto = {
        "mias": [hoja for hoja in lista if hoja.mia],  # type: ignore[attr-defined]
        "ajenas": [hoja for hoja in lista if not hoja.mia],  # type: ignore[attr-defined]
        "cerradas": abiertas.exclude(cerrada_en=None).order_by("-cerrada_en")[:10],
        "metodos": _metodos_con_cola(request.user) if request.user.tiene(Rol.ANALISTA) else [],
        "largo": LARGO,
    }
    return render(request, "laboratorio/hojas.html", contexto)


def _metodos_con_cola(usuario: Usuario) -> list[Any]:
    """The methods for which something waits that `usuario` may take, those of his disciplines first."""
    espera = Q(analisis__estado=EstadoAnalisis.PENDIENTE, analisis__muestra__estado__in=["recibida", "en_analisis"])
    espera |= Q(analisis__analista=usuario, analisis__estado__in=actos.SIN_RESULTADO)
    libres = espera & ~Q(analisis__in=actos.en_una_hoja())
    metodos = (
        Metodo.objects.select_related("disciplina")
        .annotate(
            esperan=Count("analisis", filter=libres),
            perecibles=Count("analisis", filter=libres & Q(analisis__muestra__partida__producto__perecible=True)),
            desde=Min("analisis__muestra__recibida_en", filter=libres),
        )
        .filter(esperan__gt=0)
    )
    suyas = set(usuario.disciplinas.values_list("pk", flat=True))
    return sorted(metodos, key=lambda m: (m.disciplina_id not in suyas, -m.perecibles, m.desde or reloj.ahora()))


@formulario
@con_rol(Rol.ANALISTA)
def hoja_nueva(request: HttpRequest) -> HttpResponse:
    """Choose what goes on the sheet: `?metodo=` its code, `?filas=` how many of the most pressing."""
    metodo = get_object_or_404(Metodo.objects.select_related("disciplina"), codigo=request.GET.get("metodo", ""))
    cola = actos.por_poner_en_hoja(metodo, request.user)
    if request.method == "POST":
        form = FormularioNuevaHoja(request.POST, cola=Analisis.objects.visibles_para(request.user).en_cola())
        if form.is_valid():
            return _abrir(request, metodo, form.cleaned_data["analisis"])
    else:
        form = FormularioNuevaHoja(cola=cola)
    cuantas = _cuantas(request)
    filas = con_semaforo(cola[:cuantas], de_la_muestra)
    enviadas = set(request.POST.getlist("analisis"))
    marcadas = {fila.pk for fila in filas if not form.is_bound or str(fila.pk) in enviadas}
    contexto = {
        "metodo": metodo,
        "form": form,
        "filas": filas,
        "marcadas": marcadas,
        "cuantas": cuantas,
        "esperan": cola.count(),
        "controles": metodo.controles.filter(activo=True),
    }
    return render(request, "laboratorio/hoja_nueva.html", contexto, status=422 if form.is_bound else 200)


def _cuantas(request: HttpRequest) -> int:
    dichas = request.GET.get("filas", "")[:4]
    return min(max(int(dichas), 1), MAX_FILAS) if dichas.isdecimal() else FILAS_DE_UNA_HOJA


def _abrir(request: HttpRequest, metodo: Metodo, elegidos: Iterable[Analisis]) -> HttpResponse:
    cola = actos.por_poner_en_hoja(metodo, request.user).values_list("pk", flat=True)
    urgencia = {pk: n for n, pk in enumerate(cola)}
    apertura = actos.abrir_hoja(
        metodo=metodo,
        actor=request.user,
        analisis=sorted(elegidos, key=lambda uno: urgencia.get(uno.pk, len(urgencia))),
    )
    for analisis, por_que in apertura.fuera:
        dicho = {"muestra": analisis.muestra, "por_que": por_que}
        messages.warning(request, _("%(muestra)s quedó fuera: %(por_que)s.") % dicho)
    if apertura.hoja is None:
        messages.error(request, _("No se abrió la hoja: no quedó ninguna fila."))
        return redirect(f"{reverse('hoja_nueva')}?metodo={metodo.codigo}")
    messages.success(request, _("Hoja %(hoja)s abierta.") % {"hoja": apertura.hoja})
    return redirect("hoja", numero=apertura.hoja.numero)


# ── One sheet ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Fila:
    """A row as the page shows it."""

    analisis: Any
    orden: int
    form: FormularioDeRenglon | None = None  # None when there is nothing to type
    error: str = ""
    anulada: bool = False  # its result belongs to a run whose control failed
    reversible: bool = False

    @property
    def resultado(self) -> Resultado | None:
        return next(iter(self.analisis.vigentes), None)


@dataclass
class Pagina:
    """Everything the page of a sheet shows, read once."""

    hoja: HojaDeTrabajo
    filas: list[Fila]
    en_la_hoja: bool
    controles: list[Any] = field(default_factory=list)

    @property
    def con_resultado(self) -> int:
        return sum(fila.resultado is not None for fila in self.filas)

    @property
    def anuladas(self) -> list[Fila]:
        return [fila for fila in self.filas if fila.anulada]


def _hoja(numero: str) -> HojaDeTrabajo:
    todas = HojaDeTrabajo.objects.select_related("metodo__disciplina", "abierta_por", "cerrada_por")
    return get_object_or_404(todas.prefetch_related("analistas"), numero=numero)


def _leer(hoja: HojaDeTrabajo, usuario: Usuario, datos: Mapping[str, Any] | None = None) -> Pagina:
    """The sheet as `usuario` may work on it. `datos`: what was typed before a sign-in, given back in its rows."""
    orden = dict(Renglon.objects.filter(hoja=hoja).values_list("analisis", "orden"))
    suyos = sorted(Analisis.objects.visibles_para(usuario).en_cola().filter(pk__in=orden), key=lambda a: orden[a.pk])
    en_la_hoja = usuario in hoja.analistas.all()
    vistos = actos.ultimos_actos(orden)
    plagas = _plagas()
    corridas = corridas_de([hoja])
    filas = []
    for analisis in suyos:
        fila = Fila(analisis, orden[analisis.pk])
        resultado = fila.resultado
        editable = en_la_hoja and not hoja.cerrada_en and analisis.estado == EstadoAnalisis.EN_PROCESO
        if editable:
            inicial = {"visto": vistos.get(analisis.pk, 0), **_escrito_de(analisis, datos)}
            fila.form = FormularioDeRenglon(initial=inicial, prefix=str(analisis.pk), analisis=analisis, plagas=plagas)
        elif datos and (perdido := _escrito_de(analisis, datos)) and perdido.get("valor"):
            fila.error = _("Ya no se anota aquí. Usted había escrito: %(que)s.") % {
                "que": ", ".join(str(perdido[nombre]) for nombre in ("valor", "lectura") if perdido.get(nombre))
            }
        if resultado and resultado.hoja_id == hoja.pk:
            corrida = corridas.get((hoja.pk, resultado.corrida or 0))
            fila.anulada = bool(corrida and corrida.fallidos)
        fila.reversible = (
            resultado is not None
            and analisis.estado in ANALISIS[Accion.REVERTIR].de
            and (analisis.analista_id == usuario.pk or usuario.tiene(Rol.VERIFICADOR))
            and not analisis.solicitud.informe.publicado
        )
        filas.append(fila)
    return Pagina(hoja, filas, en_la_hoja)


def _escrito_de(analisis: Analisis, datos: Mapping[str, Any] | None) -> dict[str, Any]:
    campos = ("valor", "plaga", "lectura", "observaciones", "visto")
    dichos = {campo: (datos or {}).get(f"{analisis.pk}-{campo}", "") for campo in campos}
    return {campo: valor for campo, valor in dichos.items() if valor}


def _plagas() -> dict[str, Plaga]:
    """Every pest, by its EPPO code and by its name."""
    todas = list(Plaga.objects.all())
    return {plaga.nombre.lower(): plaga for plaga in todas} | {plaga.eppo.upper(): plaga for plaga in todas}


@formulario
@con_rol(*EN_LA_MESA)
def hoja(request: HttpRequest, numero: str) -> HttpResponse:
    """The sheet: what is typed in its rows is recorded one by one; a row that is refused keeps what it says."""
    hoja = _hoja(numero)
    if request.method != "POST":
        return _mostrar(request, _leer(hoja, request.user, escrito.recuperar(request)))
    if not request.user.tiene(Rol.ANALISTA):
        raise PermissionDenied(_("Los resultados los anota un analista."))
    pagina = _leer(hoja, request.user)
    enviadas = [fila for fila in pagina.filas if f"{fila.analisis.pk}-visto" in request.POST]
    if request.POST.get("llenar") == Valor.NEGATIVO:
        return _llenar(request, pagina, enviadas)
    resueltas = [_anotar(request, hoja, fila) for fila in enviadas]
    return _responder(request, hoja, [fila for fila in resueltas if fila])


def _llenar(request: HttpRequest, pagina: Pagina, enviadas: list[Fila]) -> HttpResponse:
    """«Todas negativas salvo…»: shown in every row still empty, recorded in none."""
    datos = request.POST.copy()
    for fila in enviadas:
        if fila.form and not datos.get(f"{fila.analisis.pk}-valor"):
            datos[f"{fila.analisis.pk}-valor"] = Valor.NEGATIVO
    messages.info(request, _("Todavía no se guardó nada: marque las excepciones y guarde."))
    return _mostrar(request, _leer(pagina.hoja, request.user, datos))


def _anotar(request: HttpRequest, hoja: HojaDeTrabajo, fila: Fila) -> Fila | None:
    """Record what was typed in a row; None when nothing was."""
    analisis, plagas = fila.analisis, _de_la_peticion(request)
    form = FormularioDeRenglon(request.POST, prefix=str(analisis.pk), analisis=analisis, plagas=plagas)
    if not form.escrito:
        return None
    fila.form = form
    if not form.is_valid():
        return fila
    datos = {campo: form.cleaned_data[campo] for campo in ("valor", "plaga", "lectura", "observaciones", "visto")}
    try:
        actos.anotar(
            hoja=hoja,
            actor=request.user,
            escrito=actos.Escrito(fila.analisis, corrida=_corrida_vista(request), **datos),
        )
        fila.form = None
    except ActoRechazado as error:
        fila.error = str(error.mensaje)
    except DatoInvalido as error:
        devolver(form, error)
    return fila


def _de_la_peticion(request: HttpRequest) -> dict[str, Plaga]:
    """The pests, read once for all the rows of a request."""
    if not hasattr(request, "plagas_de_la_hoja"):
        request.plagas_de_la_hoja = _plagas()  # type: ignore[attr-defined]
    return request.plagas_de_la_hoja  # type: ignore[attr-defined]


def _responder(request: HttpRequest, hoja: HojaDeTrabajo, resueltas: list[Fila]) -> HttpResponse:
    """The rows that were recorded as they stand now, the refused ones with what was typed and why."""
    mal = {fila.analisis.pk: fila for fila in resueltas if fila.error or fila.form}
    if not mal and not HtmxDetails(request):
        if resueltas:
            messages.success(request, _guardados(len(resueltas)))
        return redirect("hoja", numero=hoja.numero)
    pagina = _leer(_hoja(hoja.numero), request.user)
    for fila in pagina.filas:
        if anterior := mal.get(fila.analisis.pk):
            fila.error = anterior.error
            if fila.form is None and anterior.form is not None:
                fila.error += " " + _("Usted había escrito: %(que)s.") % {"que": ", ".join(anterior.form.escrito)}
            elif anterior.form is not None:
                fila.form = anterior.form
    estado = 422 if mal else 200
    if HtmxDetails(request):
        tocadas = {fila.analisis.pk for fila in resueltas}
        contexto = {"pagina": pagina, "filas": [fila for fila in pagina.filas if fila.analisis.pk in tocadas]}
        return render(request, "laboratorio/hoja_filas.html", contexto, status=estado)
    if guardadas := len(resueltas) - len(mal):
        messages.success(request, _guardados(guardadas))
    messages.error(request, _("Filas sin guardar: %(n)s. Vea por qué en cada una.") % {"n": len(mal)})
    return _mostrar(request, pagina, estado=estado)


def _guardados(n: int) -> str:
    return _("1 resultado guardado.") if n == 1 else _("%(n)s resultados guardados.") % {"n": n}


def _mostrar(
    request: HttpRequest, pagina: Pagina, *, controles: list[FormularioDeControl] | None = None, estado: int = 200
) -> HttpResponse:
    hoja = pagina.hoja
    corrida = corridas_de([hoja])[hoja.pk, hoja.corrida]
    anotados = list(hoja.controles.select_related("autor", "repite"))
    de_ahora = {control.tipo for control in anotados if control.corrida == hoja.corrida}
    puede = pagina.en_la_hoja and request.user.tiene(Rol.ANALISTA)
    contexto = {
        "pagina": pagina,
        "hoja": hoja,
        "filas": pagina.filas,
        "plagas": sorted(set(_de_la_peticion(request).values()), key=lambda plaga: plaga.nombre),
        "corrida": corrida,
        "controles": anotados,
        "por_anotar": controles or (_controles_por_anotar(hoja, de_ahora) if puede else []),
        "editable": any(fila.form for fila in pagina.filas),
        "puede_unirse": request.user.tiene(Rol.ANALISTA) and not pagina.en_la_hoja and not hoja.cerrada_en,
        "puede_cerrar": puede and not hoja.cerrada_en,
    }
    return render(request, "laboratorio/hoja.html", contexto, status=estado)


def _controles_por_anotar(hoja: HojaDeTrabajo, de_ahora: set[str]) -> list[FormularioDeControl]:
    """A row for each control that the run still lacks, and one for any other, such as one that was found to fail."""
    pedidos = [tipo for tipo, _esperado in hoja.controles_pedidos if tipo not in de_ahora]
    return [FormularioDeControl(prefix=tipo, initial={"tipo": tipo}) for tipo in pedidos] + [
        FormularioDeControl(prefix=OTRO)
    ]


# The row of a control that the run does not lack.
OTRO = "otro"


@require_POST
@con_rol(Rol.ANALISTA)
def hoja_unirse(request: HttpRequest, numero: str) -> HttpResponse:
    hoja = _hoja(numero)
    unirse = partial(actos.unirse, hoja=hoja, actor=request.user)
    return _acto_de_hoja(request, hoja, unirse, _("Ya trabaja en esta hoja."))


@require_POST
@con_rol(Rol.ANALISTA)
def hoja_cerrar(request: HttpRequest, numero: str) -> HttpResponse:
    hoja = _hoja(numero)
    return _acto_de_hoja(request, hoja, partial(actos.cerrar_hoja, hoja=hoja, actor=request.user), _("Hoja cerrada."))


def _acto_de_hoja(request: HttpRequest, hoja: HojaDeTrabajo, hacer: Callable[[], Any], hecho: str) -> HttpResponse:
    """An act of one button on a sheet; refused, it says why on the sheet, which shows how things stand."""
    try:
        hacer()
        messages.success(request, hecho)
    except RolImpide as error:
        raise PermissionDenied(error.mensaje) from error
    except EstadoImpide as error:
        messages.error(request, error.mensaje)
        return _mostrar(request, _leer(_hoja(hoja.numero), request.user), estado=409)
    return redirect("hoja", numero=hoja.numero)


@require_POST
@con_rol(Rol.ANALISTA)
def hoja_controles(request: HttpRequest, numero: str) -> HttpResponse:
    """Record the controls that were filled in; the others may still wait."""
    hoja = _hoja(numero)
    forms = [
        FormularioDeControl(request.POST, prefix=prefijo, initial={"tipo": "" if prefijo == OTRO else prefijo})
        for prefijo in (*TipoDeControl.values, OTRO)
        if f"{prefijo}-tipo" in request.POST
    ]
    try:
        # With a row that is wrong none is recorded: a failed control closes the run to the others.
        malos = [form for form in forms if not form.is_valid()]
        anotados = 0 if malos else _anotar_controles(request, hoja, forms)
    except RolImpide as error:
        raise PermissionDenied(error.mensaje) from error
    if anotados:
        messages.success(request, _("Controles anotados: %(n)s.") % {"n": anotados})
    if any(form.errors for form in forms):
        por_anotar = [form for form in forms if form.errors or not anotados]
        return _mostrar(request, _leer(_hoja(numero), request.user), controles=por_anotar, estado=422)
    return redirect(f"{reverse('hoja', args=[numero])}#controles")


def _anotar_controles(request: HttpRequest, hoja: HojaDeTrabajo, forms: list[FormularioDeControl]) -> int:
    """How many were recorded; a refused one says why in its row."""
    dichos = [form for form in forms if form.cleaned_data["conforme"]]
    # A failed one ends the run: what the same run gave besides comes before it.
    dichos.sort(key=lambda form: form.cleaned_data["conforme"] == "no")
    corrida, anotados = _corrida_vista(request), 0
    for form in dichos:
        datos = form.cleaned_data
        try:
            actos.anotar_control(
                hoja=hoja, actor=request.user, tipo=datos["tipo"], obtenido=datos["obtenido"],
                conforme=datos["conforme"] == "si", corrida=corrida,
            )  # fmt: skip
            anotados += 1
        except EstadoImpide as error:
            form.add_error(None, str(error.mensaje))
        except DatoInvalido as error:
            devolver(form, error)
    return anotados


def _corrida_vista(request: HttpRequest) -> int:
    """The run that the page showed."""
    corrida = request.POST.get("corrida", "")[:4]
    return int(corrida) if corrida.isdecimal() else 0


@formulario
@con_rol(Rol.ANALISTA)
def hoja_revertir(request: HttpRequest, numero: str) -> HttpResponse:
    """Step back every result of a run whose control failed, each by a reversion of its own."""
    hoja = _hoja(numero)
    anuladas = _leer(hoja, request.user).anuladas
    volver = reverse("hoja", args=[numero])
    if not anuladas:
        messages.info(request, _("No hay resultados de una corrida fallida por revertir."))
        return redirect(volver)
    form = FormularioRevertir(request.POST or None, initial={"motivo": "reproceso"})
    if request.method == "POST" and form.is_valid():
        datos = {campo: form.cleaned_data[campo] for campo in ("motivo", "texto", "ocurrio_en")}
        salidas = salidas_de(
            [fila.analisis for fila in anuladas],
            lambda uno: reversiones.revertir(analisis=uno, actor=request.user, **datos),
            detalle=lambda uno: str(uno.vigentes[0]),
        )
        hechas = sum(not salida.por_que for salida in salidas)
        return contar(
            request, salidas, volver=volver, titulo=_("Reversión de la corrida"),
            hecho=_("Resultados revertidos: %(n)s.") % {"n": hechas},
        )  # fmt: skip
    contexto = {
        "titulo": _("Revertir los resultados de la corrida fallida"),
        "verbo": _("Revertir"),
        "form": form,
        "resumen": [f"{hoja} · {hoja.metodo}", ", ".join(str(fila.analisis.muestra) for fila in anuladas)],
        "que_hara": [
            _("Vuelven a la mesa %(n)s análisis: cada resultado queda registrado, sin vigencia.")
            % {"n": len(anuladas)},
            _("La nueva lectura es de la corrida %(n)s, que necesita sus propios controles.") % {"n": hoja.corrida},
            _("Es una reversión autoaprobada por cada uno, con el mismo motivo."),
        ],
        "volver": volver,
        "peligro": True,
    }
    return render(request, "laboratorio/acto.html", contexto, status=422 if form.is_bound else 200)


# ── Files behind a result ─────────────────────────────────────────────────────────────────────────


@formulario
@con_rol(Rol.ANALISTA)
def analisis_adjuntar(request: HttpRequest, pk: int) -> HttpResponse:
    analisis = get_object_or_404(Analisis.objects.visibles_para(request.user).en_cola(), pk=pk)
    if analisis.analista_id != request.user.pk:
        raise PermissionDenied(_("Este análisis es de otro analista."))
    renglon = Renglon.objects.filter(analisis=analisis).select_related("hoja").last()
    volver = reverse("hoja", args=[renglon.hoja.numero]) if renglon else reverse("analisis_bandeja")
    resultado = next(iter(analisis.vigentes), None)
    if analisis.solicitud.informe.publicado:
        mensaje = _("El informe ya está firmado: no se le agrega nada.")
        return conflicto(request, EstadoImpide(mensaje), expediente=analisis.expediente, volver=volver)
    return atender(
        request,
        objeto=analisis,
        accion=Accion.ADJUNTAR,
        tabla=ANALISIS,
        formulario=FormularioAdjuntar,
        hacer=partial(actos.adjuntar, analisis=analisis, actor=request.user),
        inicial={"resultado": resultado.pk if resultado else None},
        resumen=[f"{analisis.muestra} · {analisis.metodo} · {analisis.plaga}", str(resultado or "")],
        que_hara=[
            _("Los archivos quedan con el resultado: los ve quien lo verifica y quien firma."),
            _("Fuera del laboratorio no los ve nadie hasta que salga el informe."),
        ],
        volver=volver,
        plantilla="laboratorio/acto.html",
    )


# ── The whole laboratory's stock, and work that changes hands ─────────────────────────────────────

ABIERTOS = (*actos.SIN_RESULTADO, EstadoAnalisis.REGISTRADO)


@ver
@con_rol(Rol.RECEPCION, Rol.ANALISTA, Rol.VERIFICADOR, Rol.DIRECTOR)
def laboratorio(request: HttpRequest) -> HttpResponse:
    """What is on every bench: by discipline, by analyst, and row by row; the filters are in the address."""
    en_mesa: Any = Analisis.objects.visibles_para(request.user).de_muestras_recibidas().filter(estado__in=ABIERTOS)
    filtrados = _filtrados(request, en_mesa)
    filas, contadores = filtrar(request, filtrados)
    reparte = request.user.tiene(Rol.RECEPCION, Rol.DIRECTOR)
    lista = con_semaforo(filas.en_cola(), de_la_muestra)
    for fila in lista:
        suyo = reparte or fila.analista_id == request.user.pk
        fila.se_pasa = fila.estado in ANALISIS[Accion.PASAR].de and suyo
        # What nobody has is assigned, by reception.
        fila.se_pasa |= fila.estado == EstadoAnalisis.PENDIENTE and request.user.tiene(Rol.RECEPCION)
    contexto = {
        "disciplinas": _existencias(en_mesa, "metodo__disciplina__nombre", "metodo__disciplina__codigo"),
        "por_analista": _existencias(
            en_mesa.exclude(analista=None).annotate(
                quien=Concat("analista__first_name", Value(" "), "analista__last_name")
            ),
            "quien",
            "analista__username",
        )
        if reparte
        else [],
        "filas": lista,
        "contadores": contadores,
        "analistas": list(analistas()),
        "elegido": request.GET.get("analista", ""),
        "marcar_todos": request.GET.get("marcar") == "todos",
        "filtrado": any(request.GET.get(clave) for clave in FILTROS),
        "reparte": reparte,
        "dirige": request.user.tiene(Rol.DIRECTOR),
        "pasa": reparte or request.user.tiene(Rol.ANALISTA),
        "largo": LARGO,
    }
    return render(request, "laboratorio/laboratorio.html", contexto)


FILTROS = {
    "disciplina": "metodo__disciplina__codigo",
    "metodo": "metodo__codigo",
    "analista": "analista__username",
    "estado": "estado",
}


def _filtrados(request: HttpRequest, filas: Any) -> Any:
    for clave, campo in FILTROS.items():
        if valor := request.GET.get(clave, ""):
            filas = filas.filter(**{campo: valor})
    return filas


def _existencias(filas: Any, nombre: str, clave: str) -> list[dict[str, Any]]:
    """How much is on the benches, by state, with what spoils, what is late and since when the oldest waits."""
    por_estado = {f"n_{estado}": Count("pk", filter=Q(estado=estado)) for estado in ABIERTOS}
    return [
        {"nombre": fila[nombre], "clave": fila[clave], **fila}
        for fila in filas.order_by()
        .values(nombre, clave)
        .annotate(
            n=Count("pk"),
            perecibles=Count("pk", filter=Q(muestra__partida__producto__perecible=True)),
            vencidos=Count("pk", filter=Q(muestra__partida__vence_en__lt=reloj.ahora())),
            desde=Min("estado_desde"),
            **por_estado,
        )
        .order_by(nombre)
    ]


@require_POST
@con_rol(Rol.RECEPCION, Rol.ANALISTA, Rol.DIRECTOR)
def pasar_varios(request: HttpRequest) -> HttpResponse:
    """Hand the marked analyses over, dealt out evenly among the chosen: what nobody has yet is assigned to them."""
    form = FormularioPasarVarios(request.POST, usuario=request.user)
    volver = reverse("laboratorio")
    if not form.is_valid():
        for errores in form.errors.values():
            messages.error(request, " ".join(errores))
        return redirect(volver)
    turno = cycle(form.cleaned_data["analistas"])
    receptor: dict[int, Usuario] = {}

    def dar(uno: Analisis) -> None:
        analista = receptor[uno.pk] = next(turno)
        if uno.estado == EstadoAnalisis.PENDIENTE:
            services.asignar(analisis=uno, analista=analista, actor=request.user)
        else:
            actos.pasar(analisis=uno, analista=analista, actor=request.user, texto=form.cleaned_data["texto"])

    salidas = salidas_de(
        form.cleaned_data["analisis"], dar, detalle=lambda uno: f"{uno.metodo.nombre} → {receptor[uno.pk].firma_corta}"
    )
    hechas = sum(not salida.por_que for salida in salidas)
    return contar(
        request, salidas, volver=volver, titulo=_("Reparto del trabajo"),
        hecho=_("Análisis repartidos: %(n)s.") % {"n": hechas},
    )  # fmt: skip

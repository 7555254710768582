"""What is late, of every kind, the worst first. Read in the database: bounded by what is open, whatever has ended.

The worst is what has been late longest, and of perishable goods each late hour counts twice: they lose their worth
while they wait.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import (
    BooleanField,
    Case,
    DateTimeField,
    Exists,
    F,
    FloatField,
    Func,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils import timezone

from expedientes.models import (
    TERMINADOS,
    Documento,
    Estado,
    Expediente,
    Lectura,
    Medida,
    Observacion,
    Partida,
)
from laboratorio.models import EstadoMuestra, Muestra, Pregunta
from senasa import reloj
from senasa.models import Rol, Usuario
from senasa.palabras import duracion

from .models import Accion, Incumplimiento

PERECIBLE_PESA = 2.0


class Segundos(Func):
    """From the second hour to the first, in seconds."""

    template = "EXTRACT(EPOCH FROM (%(expressions)s))"
    arg_joiner = " - "
    output_field = FloatField()


class FinDelDia(Func):
    """`plazos.fin_del_dia`, in SQL: the last second of a day in Lima."""

    template = "((%(expressions)s + 1)::timestamp AT TIME ZONE 'America/Lima' - INTERVAL '1 second')"
    output_field = DateTimeField()


# ── What each kind of breach is ───────────────────────────────────────────────────────────────────


def por_leer() -> QuerySet[Documento]:
    """Reports in force that nobody of the post has read, of lines that wait for their decision."""
    return Documento.objects.filter(
        ~Exists(Lectura.objects.filter(documento=OuterRef("pk"))),
        tipo=Documento.Tipo.INFORME, estado=Documento.Estado.VIGENTE, partida__estado=Estado.RESULTADO_EMITIDO,
        dictamenes=None,
    ).exclude(expediente__estado__in=TERMINADOS)  # fmt: skip


def informes_sin_leer(ahora: datetime) -> QuerySet[Documento]:
    """Those of `por_leer` that have waited for LECTURA_HORAS.

    Hours of the clock, not of an office: the posts work in shifts, and the cargo pays every one of them.
    """
    return por_leer().filter(publicado_en__lte=ahora - timedelta(hours=settings.LECTURA_HORAS))


def _plazos(ahora: datetime) -> QuerySet[Any]:
    # The case has the nearest of its lines' terms, and its partial index finds them: hence both conditions.
    tarde = Partida.objects.filter(vence_en__lt=ahora, expediente__vence_en__lt=ahora)
    # An observation and a measure have dates of their own.
    andando = tarde.exclude(expediente__estado=Estado.OBSERVADO).exclude(estado=Estado.EN_MEDIDA)
    return andando.exclude(expediente__estado__in=TERMINADOS)


def _medidas(ahora: datetime) -> QuerySet[Any]:
    vencidas = Medida.objects.pendientes().filter(vence_en__lt=timezone.localdate(ahora))
    # A post-entry quarantine goes on after its case was closed.
    sin_efecto = [estado for estado in TERMINADOS if estado != Estado.CERRADO]
    return vencidas.exclude(dictamen__partida__expediente__estado__in=sin_efecto)


def _observaciones(ahora: datetime) -> QuerySet[Any]:
    return Observacion.objects.filter(
        respondida_en=None, sin_efecto_en=None, vence_en__lt=timezone.localdate(ahora)
    ).exclude(expediente__estado__in=TERMINADOS)


def _muestras(ahora: datetime) -> QuerySet[Any]:
    limite = ahora - timedelta(hours=settings.DEMORA_TRASLADO_HORAS)
    en_camino = Muestra.objects.filter(estado=EstadoMuestra.ENVIADA, solicitud__enviada_en__lte=limite)
    return en_camino.exclude(expediente__estado__in=TERMINADOS)


def _preguntas(ahora: datetime) -> QuerySet[Any]:
    abiertas = Pregunta.objects.filter(respondida_en=None, vence_en__lt=ahora)
    return abiertas.exclude(expediente__estado__in=TERMINADOS)


def _informes(ahora: datetime) -> QuerySet[Any]:
    # Once the line itself is late, that says more than its report's being unread.
    return informes_sin_leer(ahora).filter(Q(partida__vence_en=None) | Q(partida__vence_en__gte=ahora))


@dataclass(frozen=True)
class Clase:
    """A kind of breach: which rows are in it, since when, where their case and line are, which the laboratory owes."""

    modelo: type[Model]
    tarde: Callable[[datetime], QuerySet[Any]]
    vencio: Any
    caso: str = "expediente"
    partida: str = "partida"
    de_laboratorio: Q | None = None


CLASES: dict[str, Clase] = {
    Incumplimiento.PLAZO: Clase(
        Partida, _plazos, F("vence_en"), partida="", de_laboratorio=Q(estado=Estado.EN_LABORATORIO)
    ),
    Incumplimiento.MEDIDA: Clase(
        Medida, _medidas, FinDelDia("vence_en"), caso="dictamen__partida__expediente", partida="dictamen__partida"
    ),
    Incumplimiento.OBSERVACION: Clase(Observacion, _observaciones, FinDelDia("vence_en"), partida="expediente"),
    Incumplimiento.MUESTRA: Clase(
        Muestra, _muestras, F("solicitud__enviada_en") + timedelta(hours=settings.DEMORA_TRASLADO_HORAS),
        de_laboratorio=Q(estado=EstadoMuestra.ENVIADA),
    ),
    Incumplimiento.PREGUNTA: Clase(
        Pregunta, _preguntas, F("vence_en"), partida="muestra__partida",
        de_laboratorio=Q(lado=Pregunta.Lado.LABORATORIO),
    ),
    Incumplimiento.INFORME: Clase(
        Documento, _informes, F("publicado_en") + timedelta(hours=settings.LECTURA_HORAS)
    ),
}  # fmt: skip


def perecible(clase: Clase) -> Any:
    """Whether what is late keeps perishable goods waiting."""
    if clase.modelo is Observacion:
        return Exists(Partida.objects.filter(expediente=OuterRef("expediente"), producto__perecible=True))
    camino = f"{clase.partida}__" if clase.partida else ""
    return F(f"{camino}producto__perecible")


# ── Who answers for it ────────────────────────────────────────────────────────────────────────────


def de_quien_ve(clase: Clase, usuario: Usuario) -> Q | None:
    """Which rows of a kind `usuario` answers for or oversees: a jefe those of his posts, the director those of the
    laboratory, dirección all; None when none."""
    if usuario.tiene(Rol.DIRECCION):
        return Q()
    alcance = None
    if usuario.tiene(Rol.JEFE_DE_PUESTO):
        alcance = Q(**{f"{clase.caso}__puesto__in": usuario.puestos.all()})
    if usuario.tiene(Rol.DIRECTOR) and clase.de_laboratorio is not None:
        alcance = clase.de_laboratorio if alcance is None else alcance | clase.de_laboratorio
    return alcance


def responde(usuario: Usuario, expediente: Expediente, *, de_laboratorio: bool) -> bool:
    """Whether `usuario` answers for a breach of that case, and so may take an action about it."""
    if de_laboratorio and usuario.tiene(Rol.DIRECTOR):
        return True
    return usuario.tiene(Rol.JEFE_DE_PUESTO) and usuario.puestos.filter(pk=expediente.puesto_id).exists()


def responsables(expediente: Expediente, *, de_laboratorio: bool) -> QuerySet[Usuario]:
    """Who may be made responsible: who works at the post and, for what the laboratory owes, its director.

    Never the bench: an action names its case, and they should not know whose cargo they hold.
    """
    suyos = Q(puestos=expediente.puesto_id, roles__overlap=[Rol.INSPECTOR, Rol.JEFE_DE_PUESTO])
    if de_laboratorio:
        suyos |= Q(roles__contains=[Rol.DIRECTOR])
    return Usuario.objects.filter(suyos, is_active=True).distinct().order_by("first_name", "last_name", "pk")


# ── The list ──────────────────────────────────────────────────────────────────────────────────────


def _sin_accion(tipo: str) -> Any:
    return ~Exists(Accion.objects.filter(incumplimiento=tipo, objeto_id=OuterRef("pk"), cerrada_en=None))


def de_la_clase(tipo: str, usuario: Usuario, ahora: datetime, *, puesto: str = "") -> QuerySet[Any]:
    """The breaches of a kind without an open action that `usuario` answers for or oversees."""
    clase = CLASES[tipo]
    alcance = de_quien_ve(clase, usuario)
    if alcance is None:
        return clase.modelo._default_manager.none()
    filas = clase.tarde(ahora).filter(alcance, _sin_accion(tipo))
    return filas.filter(**{f"{clase.caso}__puesto__codigo": puesto}) if puesto else filas


def sin_accion(usuario: Usuario, ahora: datetime, *, tipo: str = "", puesto: str = "") -> QuerySet[Any]:
    """(kind, object, case, since, weight) of every breach without an action, the worst first, in one query."""
    partes = []
    for uno in [tipo] if tipo else Incumplimiento.values:
        clase = CLASES[uno]
        if de_quien_ve(clase, usuario) is None:
            continue
        pesa = Case(When(es_perecible=True, then=Value(PERECIBLE_PESA)), default=Value(1.0))
        partes.append(
            de_la_clase(uno, usuario, ahora, puesto=puesto)
            .order_by()
            .annotate(atraso=Value(uno), objeto=F("pk"), caso=F(f"{clase.caso}__pk"), vencio=clase.vencio)
            .annotate(es_perecible=Cast(perecible(clase), BooleanField()))
            .annotate(peso=Cast(Segundos(Value(ahora), F("vencio")), FloatField()) * pesa)
            .values_list("atraso", "objeto", "caso", "vencio", "peso")
        )
    if not partes:
        return Accion.objects.none().values_list("incumplimiento", "objeto_id", "expediente_id", "vencio_en", "pk")
    primera, *otras = partes
    return (primera.union(*otras, all=True) if otras else primera).order_by("-peso", "atraso", "objeto")


def recuento(usuario: Usuario, ahora: datetime, *, puesto: str = "") -> dict[str, int]:
    """How many without an action of each kind that `usuario` answers for."""
    return {
        tipo: de_la_clase(tipo, usuario, ahora, puesto=puesto).count()
        for tipo in Incumplimiento.values
        if de_quien_ve(CLASES[tipo], usuario) is not None
    }


def siguen(acciones: Iterable[Accion], ahora: datetime) -> set[tuple[str, int]]:
    """(kind, object) of what is late still, of that about which those actions are; a query for each kind."""
    por_tipo: dict[str, list[int]] = {}
    for accion in acciones:
        por_tipo.setdefault(accion.incumplimiento, []).append(accion.objeto_id)
    return {
        (tipo, pk)
        for tipo, claves in por_tipo.items()
        # The report's own condition: that its line became late does not end its being unread.
        for pk in _tarde(tipo, ahora).filter(pk__in=claves).values_list("pk", flat=True)
    }


def _tarde(tipo: str, ahora: datetime) -> QuerySet[Any]:
    return informes_sin_leer(ahora) if tipo == Incumplimiento.INFORME else CLASES[tipo].tarde(ahora)


# ── A row in words ────────────────────────────────────────────────────────────────────────────────

CON = {
    Incumplimiento.PLAZO: ["producto"],
    Incumplimiento.MEDIDA: ["dictamen__partida__producto"],
    Incumplimiento.OBSERVACION: [],
    Incumplimiento.MUESTRA: ["partida__producto", "solicitud"],
    Incumplimiento.PREGUNTA: ["muestra__partida__producto"],
    Incumplimiento.INFORME: ["partida__producto"],
}


@dataclass(frozen=True)
class Atraso:
    """One thing that is late: what it is, of which case, since when and why it is where it is in the list."""

    tipo: str
    objeto: Any
    expediente: Expediente
    vencio_en: datetime
    que: str
    porque: str
    de_laboratorio: bool

    @property
    def titulo(self) -> str:
        return str(Incumplimiento(self.tipo).label)

    @property
    def url(self) -> str:
        return reverse("expediente", args=[self.expediente.numero])


def en_palabras(filas: Iterable[tuple[str, int, int, datetime, float]], ahora: datetime) -> list[Atraso]:
    """Rows of `sin_accion` with their objects, in a number of queries that does not grow with them."""
    filas = list(filas)
    casos = Expediente.objects.select_related("puesto").prefetch_related("partidas__producto")
    de_casos = casos.in_bulk({fila[2] for fila in filas})
    claves: dict[str, list[int]] = {}
    for tipo, pk, *_resto in filas:
        claves.setdefault(tipo, []).append(pk)
    objetos = {
        tipo: CLASES[tipo].modelo._default_manager.select_related(*CON[Incumplimiento(tipo)]).in_bulk(suyas)
        for tipo, suyas in claves.items()
    }
    return [_atraso(tipo, objetos[tipo][pk], de_casos[caso], vencio, ahora) for tipo, pk, caso, vencio, _peso in filas]


def _atraso(tipo: str, objeto: Any, expediente: Expediente, vencio: datetime, ahora: datetime) -> Atraso:
    partida = _partida(tipo, objeto)
    lineas = [partida] if partida else list(expediente.partidas.all())
    razones = [f"fuera de plazo por {duracion(ahora - vencio)}"]
    if any(linea.producto.perecible for linea in lineas):
        razones.append("perecible")
    if expediente.retenido_desde and expediente.retenido_desde < ahora and expediente.abierto:
        razones.append(f"retenido {duracion(ahora - expediente.retenido_desde)}")
    que, laboratorio = _que(tipo, objeto)
    carga = ", ".join(dict.fromkeys(linea.producto.nombre for linea in lineas))
    return Atraso(tipo, objeto, expediente, vencio, f"{que} · {carga}", " · ".join(razones), laboratorio)


def _partida(tipo: str, objeto: Any) -> Partida | None:
    match tipo:
        case Incumplimiento.PLAZO:
            return objeto
        case Incumplimiento.MEDIDA:
            return objeto.dictamen.partida
        case Incumplimiento.PREGUNTA:
            return objeto.muestra.partida
        case Incumplimiento.OBSERVACION:
            return None
    return objeto.partida


def _que(tipo: str, objeto: Any) -> tuple[str, bool]:
    """What it is, and whether the laboratory owes it."""
    match tipo:
        case Incumplimiento.PLAZO:
            return objeto.etapa, objeto.estado == Estado.EN_LABORATORIO
        case Incumplimiento.MEDIDA:
            return objeto.get_tipo_display(), False
        case Incumplimiento.OBSERVACION:
            return "Responde el importador", False
        case Incumplimiento.MUESTRA:
            return objeto.numero, True
        case Incumplimiento.PREGUNTA:
            return f"{objeto.muestra.numero}, al {objeto.get_lado_display()}", objeto.lado == Pregunta.Lado.LABORATORIO
    return str(objeto), False


def uno(tipo: str, pk: int, ahora: datetime | None = None) -> Atraso | None:
    """One breach as it stands now; None when it is not late (any more) or never was."""
    ahora = ahora or reloj.ahora()
    clase = CLASES[tipo]
    fila = (
        clase.tarde(ahora)
        .filter(pk=pk)
        .annotate(caso=F(f"{clase.caso}__pk"), vencio=clase.vencio)
        .values_list("caso", "vencio")
        .first()
    )
    if fila is None:
        return None
    return en_palabras([(tipo, pk, fila[0], fila[1], 0.0)], ahora)[0]

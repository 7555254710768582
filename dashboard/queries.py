"""What the boards, the case page and the attention desk read, across apps. Nothing here writes.

Outside the laboratory nobody may tell a positive from a negative before the report is issued: from the last
verification to the issue there is one wording, `EN_EMISION`, and results are read through `Vista.se_ve`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from cachetools import TTLCache
from django.contrib.postgres.aggregates import BitXor
from django.db.models import BigIntegerField, Count, Exists, F, Func, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone

from expedientes.asignacion import a_cargo_de
from expedientes.lifecycle import EXPEDIENTE, PARTIDA, Accion, caso_detiene
from expedientes.models import (
    ETAPAS,
    TERMINADOS,
    Contenedor,
    DiaEnLima,
    Dictamen,
    Documento,
    Estado,
    Expediente,
    Medida,
    Observacion,
    Partida,
    Traslado,
)
from expedientes.plazos import PRONTO, Semaforo, cita_paso
from expedientes.querysets import VEN_TODO  # noqa: F401
from laboratorio.models import (
    MUESTRAS_SIN_EFECTO,
    Analisis,
    EstadoAnalisis,
    EstadoMuestra,
    Muestra,
)
from senasa import reloj
from senasa.models import ROLES_DE_PUESTO, Rol, Usuario

from . import palabras

EN_EMISION = "Informe en emisión"
LABORATORIO = "Laboratorio"
SISTEMA = "Sistema"

# Who may open a case; the bench sees samples, never the case.
VEN_CASOS = (
    Rol.INSPECTOR, Rol.JEFE_DE_PUESTO, Rol.MESA_DE_PARTES, Rol.DIRECCION, Rol.ATENCION, Rol.ADMINISTRADOR, Rol.DIRECTOR,
)  # fmt: skip
ATIENDEN = (Rol.ATENCION, Rol.MESA_DE_PARTES, Rol.INSPECTOR, Rol.JEFE_DE_PUESTO)
EXPORTAN = (Rol.JEFE_DE_PUESTO, Rol.DIRECCION, Rol.ADMINISTRADOR)


class Lector:
    """The user who looks, with posts read once: a list must not ask the database for each row's buttons."""

    def __init__(self, usuario: Usuario):
        self.usuario = usuario
        self.puestos = {puesto.pk: puesto for puesto in usuario.puestos.all()}
        self.de_laboratorio = usuario.tiene(Rol.DIRECTOR)
        self.a_su_cargo = set(a_cargo_de(usuario))

    def es_de_otro(self, expediente: Expediente) -> bool:
        """Whether somebody else sees to the case, whom the reader does not cover today."""
        return expediente.inspector_id is not None and expediente.inspector_id not in self.a_su_cargo

    def puede_pasar(self, expediente: Expediente) -> bool:
        return self.usuario.tiene(Rol.JEFE_DE_PUESTO) or not self.es_de_otro(expediente)

    def puede(self, accion: str, objeto: Expediente | Partida) -> bool:
        """What `lifecycle.permite` answers for an act of the post, from the same table and without a query."""
        tabla, expediente = (EXPEDIENTE, objeto) if isinstance(objeto, Expediente) else (PARTIDA, objeto.expediente)
        transicion = tabla[accion]
        if objeto.estado not in transicion.de or not self.usuario.tiene(*transicion.roles_de_personas):
            return False
        if caso_detiene(transicion, objeto):
            return False
        suyos = self.usuario.roles_entre(transicion.roles_de_personas)
        puesto = expediente.puesto_id
        if accion in (Accion.ACEPTAR_TRASLADO, Accion.RECHAZAR_TRASLADO):
            ofrecido = traslado_ofrecido(expediente)
            puesto = ofrecido.a_puesto_id if ofrecido else 0
        return puesto in self.puestos if suyos <= ROLES_DE_PUESTO | {Rol.MESA_DE_PARTES} else True


# ── The board ─────────────────────────────────────────────────────────────────────────────────────


def abiertos(usuario: Usuario) -> QuerySet[Expediente]:
    """Open cases that `usuario` may see. The condition is, word for word, that of the index `expediente_abierto`."""
    return Expediente.objects.visibles_para(usuario).exclude(estado__in=TERMINADOS)


def orden_de_urgencia(camino: str = "") -> list[Any]:
    """The day (in Lima) on which the time runs out, those without one last; within a day what perishes first, then
    what is retained longest. As the index `expediente_urgente` has it: the first page of a post is read, not sorted.

    `camino`: from what is sorted to its case.
    """
    return [
        DiaEnLima(f"{camino}vence_en").asc(nulls_last=True),
        f"-{camino}perecible",
        F(f"{camino}retenido_desde").asc(nulls_last=True),
        F(f"{camino}vence_en").asc(nulls_last=True),
        *([f"{camino}pk"] if camino else []),
        "pk",
    ]


def por_urgencia(casos: QuerySet[Expediente]) -> QuerySet[Expediente]:
    return casos.order_by(*orden_de_urgencia())


def del_semaforo(luz: str, ahora: datetime) -> Q:
    """`plazos.semaforo`, in SQL."""
    return {
        Semaforo.VENCIDO: Q(vence_en__lt=ahora),
        Semaforo.POR_VENCER: Q(vence_en__gte=ahora, vence_en__lte=ahora + PRONTO),
        Semaforo.EN_PLAZO: Q(vence_en__gt=ahora + PRONTO),
        Semaforo.SIN_PLAZO: Q(vence_en__isnull=True),
    }[Semaforo(luz)]


Cuenta = dict[str, dict[str, int]]


NUMEROS = ("total", *Semaforo.values)
# Beside those, of a stage of a post: another number whenever there was an act on any of its cases. Each act adds to its
# case's log, so the number of entries of each tells it. The largest id would not: a transaction that took its number
# first may be stored last.
HUELLA = "huella"


def recuento_por_puesto(casos: QuerySet[Expediente], ahora: datetime) -> dict[int, Cuenta]:
    """Open cases by post, stage and semáforo, in one query: {puesto: {estado: {"total": n, "vencido": n, …}}}."""
    claves = (*NUMEROS, HUELLA)
    luces = {luz.value: Count("pk", filter=del_semaforo(luz, ahora)) for luz in Semaforo}
    huella = BitXor(Func("pk", "eventos", function="hashint8extended", output_field=BigIntegerField()))
    filas = casos.order_by().values("puesto", "estado").annotate(total=Count("pk"), **luces, **{HUELLA: huella})
    por_puesto: dict[int, Cuenta] = {}
    for puesto, etapa, *numeros in filas.values_list("puesto", "estado", *claves):
        cuenta = por_puesto.setdefault(puesto, {etapa: dict.fromkeys(claves, 0) for etapa in ETAPAS})
        cuenta[etapa] = dict(zip(claves, numeros, strict=True))
    return por_puesto


def sumar(cuentas: Iterable[Cuenta]) -> Cuenta:
    total: Cuenta = {etapa: dict.fromkeys(NUMEROS, 0) for etapa in ETAPAS}
    for cuenta in cuentas:
        for etapa, numeros in cuenta.items():
            for clave in NUMEROS:
                total[etapa][clave] += numeros[clave]
    return total


def cuantos(cuenta: Cuenta, *, etapa: str = "", semaforo: str = "") -> int:
    filas = [cuenta[etapa]] if etapa else cuenta.values()
    return sum(fila[semaforo or "total"] for fila in filas)


def con_detalle(casos: QuerySet[Expediente]) -> QuerySet[Expediente]:
    """Everything a row or a page says of its case, in a number of queries that does not grow with the rows."""
    return casos.select_related("puesto", "importador", "agente", "pais_exportacion", "inspector").prefetch_related(
        Prefetch("partidas", Partida.objects.select_related("producto", "pais_origen").order_by("orden")),
        "partidas__contenedores",
        Prefetch("partidas__dictamenes", Dictamen.objects.select_related("riv", "inspector").order_by("id")),
        "partidas__dictamenes__medidas",
        Prefetch("muestras", Muestra.objects.order_by("id")),
        Prefetch(
            "analisis",
            Analisis.objects.select_related(
                "muestra", "metodo__disciplina", "plaga", "analista", "solicitud__informe__documento"
            ).order_by("id"),
        ),
        Prefetch("documentos", Documento.objects.order_by("id")),
        Prefetch("observaciones", Observacion.objects.select_related("observada_por").order_by("id")),
        Prefetch("traslados", Traslado.objects.select_related("de_puesto", "a_puesto").order_by("id")),
    )


# What was read for rows of the board, kept in the memory of the process for as long as it is true.
LEIDOS: TTLCache[tuple[Any, ...], Expediente] = TTLCache(maxsize=500, ttl=60)
_UNO_A_LA_VEZ = Lock()
# Another of these is another row: every act adds to its case's log, and what is no act of anybody is its own column.
# (A RIV that could not be signed is said on the decision, which no act changes.)
_QUE_FUE = ("pk", "sello", "estado", "estado_desde", "vence_en", "retenido_desde", "perecible", "inspector", "puesto")


def con_detalle_de(ids: Iterable[int]) -> list[Expediente]:
    """Those cases, in that order, with what a row says of them and not a column more. Not to be changed: others read
    the same objects.

    A row of the board needs a tenth of what `con_detalle` reads for a page; the rest, read fifty times over, is most of
    what the board would cost. Whatever a row is made to say besides is added here: a test sees that nothing is asked
    again for each row. A case to which nothing happened since it was read is not read again, for a minute at most: that
    is how late the name of a product, of an importer or of an inspector may be.
    """
    ids = list(ids)
    falla = Exists(Dictamen.objects.filter(partida__expediente=OuterRef("pk"), riv=None).exclude(riv_falla=""))
    ahora = {fila[0]: fila for fila in Expediente.objects.filter(pk__in=ids).values_list(*_QUE_FUE, falla)}
    with _UNO_A_LA_VEZ:
        casos = {pk: LEIDOS[clave] for pk, clave in ahora.items() if clave in LEIDOS}
    nuevos = _para_una_fila(Expediente.objects.all()).in_bulk([pk for pk in ahora if pk not in casos])
    with _UNO_A_LA_VEZ:
        LEIDOS.update((ahora[pk], caso) for pk, caso in nuevos.items())
    casos |= nuevos
    return [casos[pk] for pk in ids if pk in casos]


def _para_una_fila(casos: QuerySet[Expediente]) -> QuerySet[Expediente]:
    partidas = Partida.objects.select_related("producto", "pais_origen").order_by("orden")
    analisis = Analisis.objects.select_related("muestra", "metodo__disciplina", "analista", "solicitud__informe")
    return (
        casos.select_related("puesto", "importador", "inspector")
        .only(
            "numero", "estado", "estado_desde", "vence_en", "retenido_desde", "guia_aerea", "perecible",
            "puesto__nombre", "puesto__codigo", "importador__nombre", "importador__numero_documento",
            "inspector__first_name", "inspector__last_name", "inspector__username",
        )
        .prefetch_related(
            Prefetch(
                "partidas",
                partidas.only(
                    "expediente", "orden", "estado", "estado_desde", "vence_en", "bodegas", "cita_en", "terminal",
                    "no_presentada_en", "producto__nombre", "producto__perecible", "pais_origen__nombre",
                ),
            ),
            Prefetch("partidas__contenedores", Contenedor.objects.order_by("numero").only("partida", "numero")),
            Prefetch(
                "partidas__dictamenes",
                Dictamen.objects.order_by("id").only("partida", "decision", "riv", "riv_en_papel", "riv_falla"),
            ),
            Prefetch(
                "partidas__dictamenes__medidas",
                Medida.objects.order_by("id").only("dictamen", "tipo", "vence_en", "cumplida_en", "sin_efecto_en"),
            ),
            Prefetch(
                "muestras",
                Muestra.objects.order_by("id").only(
                    "expediente", "partida", "numero", "estado", "demora_avisada_en"
                ),
            ),
            Prefetch(
                "analisis",
                analisis.order_by("id").only(
                    "expediente", "estado", "muestra__partida", "metodo__disciplina__nombre", "analista__first_name",
                    "analista__last_name", "analista__username", "solicitud__informe__estado",
                    "solicitud__informe__enmienda", "solicitud__informe__solicitud",
                ),
            ),
            Prefetch(
                "documentos",
                Documento.objects.order_by("id").only(
                    "expediente", "partida", "tipo", "numero", "version", "estado", "conclusion", "firma", "titular"
                ),
            ),
            Prefetch(
                "observaciones",
                Observacion.objects.order_by("id").only("expediente", "vence_en", "respondida_en", "sin_efecto_en"),
            ),
            Prefetch(
                "traslados",
                Traslado.objects.select_related("a_puesto").order_by("id").only(
                    "expediente", "resuelto_en", "de_puesto", "a_puesto__codigo"
                ),
            ),
        )
    )  # fmt: skip


# ── What is missing, and who has it ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Falta:
    """The next thing that has to happen to a line, who has it, and how it is going."""

    que: str
    quien: str
    avance: str = ""


@dataclass(frozen=True)
class Acto:
    """An act as a button: its address, its verb, what it will do."""

    accion: str
    verbo: str
    url: str
    que_hara: str = ""


QUE_HARA = {
    Accion.PROGRAMAR: "Fija la hora y el terminal de la inspección y se los avisa al importador.",
    Accion.INSPECCIONAR: "Deja constancia de las verificaciones documentaria, de identidad y física, y avisa al "
    "importador. Después corresponde tomar la muestra.",
    Accion.TOMAR_MUESTRA: "Registra la muestra con su precinto y le da un número. Todavía no la envía.",
    Accion.ENVIAR: "Envía al laboratorio las muestras tomadas, con los análisis que marque, y avisa al importador.",
    Accion.DICTAMINAR: "Emite el RIV firmado y avisa al importador.",
    Accion.ORDENAR_MEDIDA: "Ordena la medida que pide el dictamen, con su fecha límite, y avisa al importador.",
    Accion.CUMPLIR_MEDIDA: "Registra el acta de la medida cumplida y avisa al importador.",
    Accion.CERRAR: "Cierra el expediente y avisa al importador. Si nadie lo hace, lo cierra el sistema.",
    Accion.DICTAMINAR_SIN_MUESTRA: "Decide sin laboratorio, con un motivo. Emite el RIV firmado y avisa al importador.",
    Accion.ABANDONAR: "Venció el plazo para responder: declara el abandono y termina el trámite.",
    Accion.RESPONDER: "Registra lo que el importador trae en persona o por escrito; el reloj vuelve a correr.",
    Accion.ACEPTAR_TRASLADO: "Otro puesto le ofrece este expediente: si lo acepta, lo que falte lo hace el suyo.",
}
VERBOS_CORTOS = {
    Accion.PROGRAMAR: "Programar", Accion.INSPECCIONAR: "Inspeccionar", Accion.TOMAR_MUESTRA: "Tomar muestra",
    Accion.ENVIAR: "Enviar", Accion.DICTAMINAR: "Dictaminar", Accion.ORDENAR_MEDIDA: "Ordenar medida",
    Accion.CUMPLIR_MEDIDA: "Registrar medida", Accion.CERRAR: "Cerrar", Accion.NO_PRESENTADA: "No se presentó",
    Accion.RESPONDER: "Responder", Accion.TOMAR: "Tomar", Accion.ASIGNAR: "Asignar", Accion.PASAR: "Pasar a otro",
    Accion.ABANDONAR: "Declarar abandono", Accion.ACEPTAR_TRASLADO: "Ver la oferta",
}  # fmt: skip


def muestras_de(partida: Partida) -> list[Muestra]:
    return [muestra for muestra in partida.expediente.muestras.all() if muestra.partida_id == partida.pk]


def analisis_de(partida: Partida) -> list[Analisis]:
    return [uno for uno in partida.expediente.analisis.all() if uno.muestra.partida_id == partida.pk]


def _dictamen(partida: Partida) -> Dictamen | None:
    return next(reversed(partida.dictamenes.all()), None)


def informes_de(partida: Partida) -> list[Documento]:
    return [
        documento
        for documento in partida.expediente.documentos.all()
        if documento.partida_id == partida.pk and documento.tipo == Documento.Tipo.INFORME
    ]


def informe_en_revision(partida: Partida) -> Documento | None:
    """The report that is being corrected, if any: until it is out again nothing is decided on the line."""
    return next((uno for uno in informes_de(partida) if uno.estado == Documento.Estado.EN_REVISION), None)


def accion_de(partida: Partida) -> str:
    """The act of the post that the line is waiting for; "" when it waits for somebody else.

    Expects what `con_detalle` prefetched.
    """
    if observacion_abierta(partida.expediente):
        return ""
    match partida.estado:
        case Estado.REGISTRADO:
            return Accion.INSPECCIONAR if partida.cita_en else Accion.PROGRAMAR
        case Estado.EN_INSPECCION:
            tomadas = any(muestra.estado == EstadoMuestra.TOMADA for muestra in muestras_de(partida))
            return Accion.ENVIAR if tomadas else Accion.TOMAR_MUESTRA
        case Estado.RESULTADO_EMITIDO:
            return "" if informe_en_revision(partida) else Accion.DICTAMINAR
        case Estado.EN_MEDIDA:
            return Accion.CUMPLIR_MEDIDA
        case Estado.DICTAMINADO if _debe_medida(partida):
            return Accion.ORDENAR_MEDIDA
    return ""


def _debe_medida(partida: Partida) -> bool:
    dictamen = _dictamen(partida)
    return bool(dictamen and dictamen.decision != Dictamen.Decision.INGRESO and not dictamen.medidas.all())


def listo_para_cerrar(expediente: Expediente) -> bool:
    """`services.pendientes_de_cierre` is empty, read from what `con_detalle` prefetched."""
    return expediente.estado in EXPEDIENTE[Accion.CERRAR].de and all(
        (dictamen := _dictamen(partida)) is not None
        and not dictamen.debe_riv
        and (
            (partida.estado == Estado.DICTAMINADO and not _debe_medida(partida))
            or (partida.estado == Estado.EN_MEDIDA and _pendiente_es_posentrada(dictamen))
        )
        for partida in expediente.partidas.all()
    )


def _pendiente_es_posentrada(dictamen: Dictamen) -> bool:
    return all(not medida.pendiente or medida.tipo == Medida.Tipo.POSENTRADA for medida in dictamen.medidas.all())


def observacion_abierta(expediente: Expediente) -> Observacion | None:
    """`Expediente.observacion`, read from what `con_detalle` prefetched."""
    abiertas = (una for una in expediente.observaciones.all() if not una.respondida_en and not una.sin_efecto_en)
    return next(abiertas, None)


def traslado_ofrecido(expediente: Expediente) -> Traslado | None:
    """`Expediente.traslado_ofrecido`, read from what `con_detalle` prefetched."""
    return next((uno for uno in expediente.traslados.all() if not uno.resuelto_en), None)


def ofrecidos(usuario: Usuario) -> list[Traslado]:
    """Cases that other posts offer to those of `usuario`, the oldest first."""
    if not usuario.tiene(Rol.JEFE_DE_PUESTO):
        return []
    suyos = Traslado.objects.filter(resuelto_en=None, a_puesto__in=usuario.puestos.all())
    return list(suyos.select_related("expediente", "de_puesto", "a_puesto").order_by("ofrecido_en"))


def en_posentrada(usuario: Usuario) -> QuerySet[Any]:
    """Lines of closed cases whose post-entry quarantine still runs, the first to end first."""
    vence = Medida.objects.pendientes().filter(dictamen__partida=OuterRef("pk")).order_by("-id")
    lineas = Partida.objects.visibles_para(usuario).filter(estado=Estado.EN_MEDIDA, expediente__estado=Estado.CERRADO)
    return (
        lineas.annotate(posentrada_vence=Subquery(vence.values("vence_en")[:1]))
        .select_related("expediente__importador", "expediente__puesto", "producto", "pais_origen")
        .order_by("posentrada_vence", "pk")
    )


def posentrada_vencida(usuario: Usuario) -> QuerySet[Medida]:
    """The measures of `en_posentrada` whose date has passed: of a closed case no other waits."""
    vencidas = Medida.objects.pendientes().filter(vence_en__lt=timezone.localdate(reloj.ahora()))
    return vencidas.filter(dictamen__partida__expediente__estado=Estado.CERRADO).visibles_para(usuario)


# What may be done to the case as a whole, in the order in which the page offers it.
ACTOS_DEL_CASO = (
    Accion.ACEPTAR_TRASLADO, Accion.RECHAZAR_TRASLADO, Accion.RESPONDER, Accion.TOMAR, Accion.ASIGNAR, Accion.PASAR,
    Accion.OBSERVAR, Accion.ABANDONAR,
    Accion.CAMBIAR_AGENTE, Accion.TRASLADAR, Accion.DESISTIR, Accion.ANULAR, Accion.REABRIR,
)  # fmt: skip


def actos_del_caso(expediente: Expediente, lector: Lector, ahora: datetime) -> list[Acto]:
    """The acts on the case that `lector` may do now; what cannot be done yet is not offered."""
    ocultos = set()
    if traslado_ofrecido(expediente):
        ocultos.add(Accion.TRASLADAR)
    if not _vencida(expediente, ahora):
        ocultos.add(Accion.ABANDONAR)
    if expediente.inspector_id:
        ocultos |= {Accion.TOMAR, Accion.ASIGNAR}
    if not (expediente.inspector_id and lector.puede_pasar(expediente)):
        ocultos.add(Accion.PASAR)
    return [
        acto(accion, expediente)
        for accion in ACTOS_DEL_CASO
        if accion not in ocultos and lector.puede(accion, expediente)
    ]


def _vencida(expediente: Expediente, ahora: datetime) -> bool:
    observacion = observacion_abierta(expediente)
    return bool(observacion and observacion.vence_en < timezone.localdate(ahora))


PENDIENTE_DEL_CASO = {
    Accion.ACEPTAR_TRASLADO: "Decidir el traslado ofrecido",
    Accion.ABANDONAR: "Declarar el abandono, o esperar la respuesta",
}


def urgencia(expediente: Expediente, ahora: datetime) -> tuple[str, str]:
    """`palabras.urgencia` of the case, saying so when its clock stands still."""
    luz, texto = palabras.urgencia(expediente.vence_en, ahora)
    if expediente.estado == Estado.OBSERVADO:
        return luz, f"Detenido · {texto[0].lower()}{texto[1:]}"
    if expediente.vence_en is None and any(partida.no_presentada_en for partida in expediente.partidas.all()):
        return luz, "Reloj detenido"
    return luz, texto


def acto_urgente(expediente: Expediente, lector: Lector, ahora: datetime) -> Acto | None:
    """The act on the whole case that waits for `lector`, before any of its lines can go on."""
    espera = [Accion.ACEPTAR_TRASLADO, *([Accion.ABANDONAR] if _vencida(expediente, ahora) else [])]
    return next((acto(accion, expediente) for accion in espera if lector.puede(accion, expediente)), None)


def acto_de(partida: Partida, lector: Lector) -> Acto | None:
    """The next act on the line, if it is for `lector` to do."""
    accion = accion_de(partida)
    if accion and lector.puede(accion, partida):
        return acto(accion, partida)
    expediente = partida.expediente
    if listo_para_cerrar(expediente) and lector.puede(Accion.CERRAR, expediente):
        return acto(Accion.CERRAR, expediente)
    return None


def acto(accion: str, objeto: Expediente | Partida) -> Acto:
    tabla = EXPEDIENTE if isinstance(objeto, Expediente) else PARTIDA
    if isinstance(objeto, Expediente):
        url = reverse(f"expediente_{accion}", kwargs={"numero": objeto.numero})
    else:
        url = reverse(f"partida_{accion}", kwargs={"numero": objeto.expediente.numero, "orden": objeto.orden})
    verbo = VERBOS_CORTOS.get(Accion(accion), str(tabla[accion].verbo))
    return Acto(accion, verbo, url, QUE_HARA.get(Accion(accion), ""))


def falta_en(partida: Partida) -> Falta:
    """What the line lacks and who has it, from its state and, in the laboratory, from the work in hand."""
    puesto = partida.expediente.puesto.nombre
    dictamen = _dictamen(partida)
    if observacion := observacion_abierta(partida.expediente):
        return Falta("Responder la observación", "Importador", f"hasta el {observacion.vence_en:%d/%m}")
    match partida.estado:
        case Estado.REGISTRADO if partida.no_presentada_en:
            return Falta("Programar otra fecha", puesto, "la carga no se presentó")
        case Estado.REGISTRADO if partida.cita_en:
            pasada = ", que ya pasó" if cita_paso(partida.cita_en) else ""
            return Falta("Inspección", puesto, f"cita {palabras.fecha_corta(partida.cita_en)}{pasada}")
        case Estado.REGISTRADO:
            return Falta("Programar la inspección", puesto)
        case Estado.EN_INSPECCION:
            return _falta_en_inspeccion(partida, puesto)
        case Estado.EN_LABORATORIO:
            return _falta_en_laboratorio(partida)
        case Estado.RESULTADO_EMITIDO if not accion_de(partida):
            return Falta("Versión corregida del informe", LABORATORIO)
        case Estado.RESULTADO_EMITIDO:
            return Falta("Dictamen", puesto)
        case Estado.EN_MEDIDA:
            medida = next((m for m in reversed(dictamen.medidas.all()) if m.pendiente), None) if dictamen else None
            if medida is None:
                return Falta("Cumplir la medida", "Importador")
            return Falta(
                f"Cumplir {medida.get_tipo_display().lower()}", "Importador", f"hasta el {medida.vence_en:%d/%m}"
            )
        case _ if _debe_medida(partida):
            return Falta("Ordenar la medida", puesto)
        case _ if dictamen and dictamen.debe_riv:
            return Falta("Firma del RIV", SISTEMA, "el sistema reintenta" if dictamen.riv_falla else "")
    otras = any(otra.estado != Estado.DICTAMINADO for otra in partida.expediente.partidas.all())
    espera = otras and not listo_para_cerrar(partida.expediente)
    return Falta("Cerrar el expediente", puesto, "cuando terminen las demás partidas" if espera else "")


def _falta_en_inspeccion(partida: Partida, puesto: str) -> Falta:
    muestras = muestras_de(partida)
    if any(muestra.estado == EstadoMuestra.TOMADA for muestra in muestras):
        return Falta("Enviar la muestra al laboratorio", puesto)
    if partida.dictamenes.all():
        return Falta("Nueva toma, tras la medida", puesto)
    perdidas = [muestra for muestra in muestras if muestra.estado in MUESTRAS_SIN_EFECTO]
    if perdidas:
        ultima = perdidas[-1]
        return Falta("Nueva toma de muestra", puesto, f"{ultima.numero} {ultima.get_estado_display().lower()}")
    return Falta("Tomar la muestra", puesto)


def _falta_en_laboratorio(partida: Partida) -> Falta:
    en_camino = [muestra for muestra in muestras_de(partida) if muestra.estado == EstadoMuestra.ENVIADA]
    if en_camino:
        tarde = [muestra.numero for muestra in en_camino if muestra.demora_avisada_en]
        return Falta("Recibir la muestra", f"{LABORATORIO} · recepción", f"{tarde[0]} no ha llegado" if tarde else "")
    trabajo = [
        uno
        for uno in analisis_de(partida)
        if uno.estado != EstadoAnalisis.CANCELADO and not uno.solicitud.informe.publicado
    ]
    if not trabajo:
        return Falta(EN_EMISION, LABORATORIO)
    listos = sum(uno.estado == EstadoAnalisis.VERIFICADO for uno in trabajo)
    if listos == len(trabajo):
        return Falta(EN_EMISION, LABORATORIO)
    avance = f"{listos} de {len(trabajo)} análisis"
    lento = min(trabajo, key=lambda uno: (list(EstadoAnalisis).index(EstadoAnalisis(uno.estado)), uno.pk))
    disciplina = lento.metodo.disciplina.nombre.lower()
    if lento.estado == EstadoAnalisis.PENDIENTE:
        return Falta("Asignar analista", f"{LABORATORIO} · recepción", avance)
    if lento.estado == EstadoAnalisis.REGISTRADO:
        return Falta(f"Verificación de {disciplina}", f"{LABORATORIO} · verificación", avance)
    quien = lento.analista.firma_corta if lento.analista else "análisis"
    return Falta(f"Análisis de {disciplina}", f"{LABORATORIO} · {quien}", avance)


# ── A row of the board ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fila:
    expediente: Expediente
    semaforo: str
    urgencia: str
    porque: str
    carga: str
    etapa: str
    falta: Falta
    suyo: bool
    acto: Acto | None
    notas: Sequence[str] = field(default_factory=list)

    @property
    def quien(self) -> str:
        """Who has what is missing: the reader, the inspector who sees to the case, or whoever the stage says."""
        caso = self.expediente
        if self.suyo:
            return "Usted"
        return (
            caso.inspector.firma_corta
            if caso.inspector and self.falta.quien == caso.puesto.nombre
            else self.falta.quien
        )


def fila(expediente: Expediente, lector: Lector, ahora: datetime) -> Fila:
    """A case as the board shows it: of several lines, the one that waits for the reader, else the slowest."""
    partidas = list(expediente.partidas.all())
    lentas = [partida for partida in partidas if partida.estado == expediente.estado] or partidas
    suyas = [(partida, acto) for partida in partidas if (acto := acto_de(partida, lector))]
    suyas.sort(key=lambda par: (par[0].vence_en is None, par[0].vence_en, par[0].orden))
    foco, suyo = suyas[0] if suyas else (lentas[0], None)
    luz, texto = urgencia(expediente, ahora)
    falta = falta_en(foco)
    if urgente := acto_urgente(expediente, lector, ahora):
        suyo, falta = urgente, Falta(PENDIENTE_DEL_CASO[Accion(urgente.accion)], expediente.puesto.nombre)
    de_otro = lector.es_de_otro(expediente)
    return Fila(
        expediente=expediente,
        semaforo=luz,
        urgencia=texto,
        porque=" · ".join(porque(expediente, partidas, ahora)),
        carga=carga(partidas, expediente),
        etapa=expediente.etapa,
        falta=falta,
        suyo=suyo is not None and not de_otro,
        acto=suyo,
        notas=_notas(expediente, foco, partidas),
    )


def porque(expediente: Expediente, partidas: Sequence[Partida], ahora: datetime) -> list[str]:
    """Why the case is where it is in the order of the board, besides its time."""
    razones = []
    if any(partida.producto.perecible for partida in partidas):
        razones.append("perecible")
    if expediente.retenido_desde and expediente.retenido_desde < ahora:
        razones.append(f"retenido {palabras.duracion(ahora - expediente.retenido_desde)}")
    for muestra in expediente.muestras.all():
        if muestra.estado in (EstadoMuestra.RECHAZADA, EstadoMuestra.PERDIDA):
            razones.append(f"muestra {muestra.get_estado_display().lower()}")
            break
        if muestra.estado == EstadoMuestra.ENVIADA and muestra.demora_avisada_en:
            razones.append("la muestra no llega")
            break
    return razones


def _notas(expediente: Expediente, foco: Partida, partidas: Sequence[Partida]) -> list[str]:
    notas = []
    respondidas = [una.respondida_en for una in expediente.observaciones.all() if una.respondida_en]
    sin_actos = respondidas and (foco.estado_desde is None or respondidas[-1] >= foco.estado_desde)
    if sin_actos and expediente.estado != Estado.OBSERVADO:
        notas.append(f"observación respondida el {palabras.fecha_corta(respondidas[-1])}")
    if ofrecido := traslado_ofrecido(expediente):
        notas.append(
            f"ofrecido a {ofrecido.a_puesto.codigo}; mientras no acepte, sigue siendo de {expediente.puesto.codigo}"
        )
    if len(partidas) > 1:
        notas.append(f"partida {foco.orden} de {len(partidas)}")
    vigentes = [uno for uno in informes_de(foco) if uno.estado == Documento.Estado.VIGENTE]
    if foco.estado == Estado.RESULTADO_EMITIDO and vigentes:
        notas.append(f"{vigentes[-1].get_conclusion_display().lower()}, {vigentes[-1].firma_dicha}")
    return notas


def carga(partidas: Sequence[Partida], expediente: Expediente) -> str:
    """What came, on one line: «Uva fresca · Chile · 2 contenedores»."""
    primera = partidas[0]
    partes = [str(primera.producto), str(primera.pais_origen)]
    if len(partidas) > 1:
        partes.append(f"y {len(partidas) - 1} más")
    contenedores = sum(len(partida.contenedores.all()) for partida in partidas)
    if contenedores:
        partes.append("1 contenedor" if contenedores == 1 else f"{contenedores} contenedores")
    elif primera.bodegas:
        partes.append(f"bodegas {primera.bodegas}")
    elif expediente.guia_aerea:
        partes.append(f"guía {expediente.guia_aerea}")
    return " · ".join(partes)


def rivs_fallidos(usuario: Usuario) -> list[Dictamen]:
    """Decisions whose RIV could not be signed, of the posts of `usuario`; the newest 20."""
    casos = Expediente.objects.visibles_para(usuario)
    fallidos = Dictamen.objects.filter(riv=None, partida__expediente__in=casos).exclude(riv_falla="")
    return list(fallidos.select_related("partida__expediente").order_by("-id")[:20])

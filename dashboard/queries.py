"""What the boards, the case page and the attention desk read, across apps. Nothing here writes.

Outside the laboratory nobody may tell a positive from a negative before the report is issued: from the last
verification to the issue there is one wording, `EN_EMISION`, and results are read through `Vista.se_ve`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, F, Prefetch, Q, QuerySet
from django.urls import reverse

from expedientes.lifecycle import EXPEDIENTE, PARTIDA, Accion
from expedientes.models import (
    Dictamen,
    Documento,
    Estado,
    Expediente,
    Partida,
)
from expedientes.plazos import PRONTO, Semaforo
from expedientes.querysets import VEN_TODO  # noqa: F401
from laboratorio.models import Analisis, EstadoAnalisis, EstadoInforme, EstadoMuestra, Muestra
from senasa.models import ROLES_DE_PUESTO, Rol, Usuario

from . import palabras

# How the board calls the stages, in order.
ETAPAS: dict[str, str] = {
    Estado.REGISTRADO: "Solicitud",
    Estado.EN_INSPECCION: "Inspección y muestra",
    Estado.EN_LABORATORIO: "En laboratorio",
    Estado.RESULTADO_EMITIDO: "Informe emitido",
    Estado.EN_MEDIDA: "Medida en curso",
    Estado.DICTAMINADO: "Por cerrar",
}
EN_EMISION = "Informe en emisión"
LABORATORIO = "Laboratorio"
SISTEMA = "Sistema"

# Who may open a case; the bench sees samples, never the case.
VEN_CASOS = (
    Rol.INSPECTOR, Rol.JEFE_DE_PUESTO, Rol.MESA_DE_PARTES, Rol.DIRECCION, Rol.ATENCION, Rol.ADMINISTRADOR, Rol.DIRECTOR,
)  # fmt: skip
ATIENDEN = (Rol.ATENCION, Rol.MESA_DE_PARTES, Rol.INSPECTOR, Rol.JEFE_DE_PUESTO)


class Lector:
    """The user who looks, with posts read once: a list must not ask the database for each row's buttons."""

    def __init__(self, usuario: Usuario):
        self.usuario = usuario
        self.puestos = {puesto.pk: puesto for puesto in usuario.puestos.all()}
        self.de_laboratorio = usuario.tiene(Rol.DIRECTOR)

    def puede(self, accion: str, objeto: Expediente | Partida) -> bool:
        """What `lifecycle.permite` answers for an act of the post, from the same table and without a query."""
        tabla, expediente = (EXPEDIENTE, objeto) if isinstance(objeto, Expediente) else (PARTIDA, objeto.expediente)
        transicion = tabla[accion]
        if objeto.estado not in transicion.de or not self.usuario.tiene(*transicion.roles_de_personas):
            return False
        suyos = transicion.roles_de_personas & set(self.usuario.roles)
        return expediente.puesto_id in self.puestos if suyos <= ROLES_DE_PUESTO | {Rol.MESA_DE_PARTES} else True


# ── The board ─────────────────────────────────────────────────────────────────────────────────────


def abiertos(usuario: Usuario) -> QuerySet[Expediente]:
    """Open cases that `usuario` may see. The condition is, word for word, that of the index `expediente_abierto`."""
    return Expediente.objects.visibles_para(usuario).exclude(estado=Estado.CERRADO)


def por_urgencia(casos: QuerySet[Expediente]) -> QuerySet[Expediente]:
    return casos.order_by(F("vence_en").asc(nulls_last=True), "pk")


def del_semaforo(luz: str, ahora: datetime) -> Q:
    """`plazos.semaforo`, in SQL."""
    return {
        Semaforo.VENCIDO: Q(vence_en__lt=ahora),
        Semaforo.POR_VENCER: Q(vence_en__gte=ahora, vence_en__lte=ahora + PRONTO),
        Semaforo.EN_PLAZO: Q(vence_en__gt=ahora + PRONTO),
        Semaforo.SIN_PLAZO: Q(vence_en__isnull=True),
    }[Semaforo(luz)]


def recuento(casos: QuerySet[Expediente], ahora: datetime) -> dict[str, dict[str, int]]:
    """Open cases by stage and semáforo, in one query: {estado: {"total": n, "vencido": n, …}}."""
    claves = ["total", *Semaforo.values]
    luces = {luz.value: Count("pk", filter=del_semaforo(luz, ahora)) for luz in Semaforo}
    filas = casos.order_by().values("estado").annotate(total=Count("pk"), **luces).values_list("estado", *claves)
    por_etapa = {etapa: dict(zip(claves, numeros, strict=True)) for etapa, *numeros in filas}
    return {etapa: por_etapa.get(etapa, dict.fromkeys(claves, 0)) for etapa in ETAPAS}


def cuantos(cuenta: dict[str, dict[str, int]], *, etapa: str = "", semaforo: str = "") -> int:
    filas = [cuenta[etapa]] if etapa else cuenta.values()
    return sum(fila[semaforo or "total"] for fila in filas)


def con_detalle(casos: QuerySet[Expediente]) -> QuerySet[Expediente]:
    """Everything a row or a page says of its case, in a number of queries that does not grow with the rows."""
    return casos.select_related("puesto", "importador", "agente", "pais_exportacion").prefetch_related(
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
    )


def con_detalle_de(ids: Iterable[int]) -> list[Expediente]:
    """Those cases, in that order."""
    ids = list(ids)
    casos = con_detalle(Expediente.objects.all()).in_bulk(ids)
    return [casos[pk] for pk in ids if pk in casos]


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
}
VERBOS_CORTOS = {
    Accion.PROGRAMAR: "Programar", Accion.INSPECCIONAR: "Inspeccionar", Accion.TOMAR_MUESTRA: "Tomar muestra",
    Accion.ENVIAR: "Enviar", Accion.DICTAMINAR: "Dictaminar", Accion.ORDENAR_MEDIDA: "Ordenar medida",
    Accion.CUMPLIR_MEDIDA: "Registrar medida", Accion.CERRAR: "Cerrar",
}  # fmt: skip


def _muestras(partida: Partida) -> list[Muestra]:
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


def accion_de(partida: Partida) -> str:
    """The act of the post that the line is waiting for; "" when it waits for somebody else.

    Expects what `con_detalle` prefetched.
    """
    match partida.estado:
        case Estado.REGISTRADO:
            return Accion.INSPECCIONAR if partida.cita_en else Accion.PROGRAMAR
        case Estado.EN_INSPECCION:
            tomadas = any(muestra.estado == EstadoMuestra.TOMADA for muestra in _muestras(partida))
            return Accion.ENVIAR if tomadas else Accion.TOMAR_MUESTRA
        case Estado.RESULTADO_EMITIDO:
            en_revision = any(informe.estado == Documento.Estado.EN_REVISION for informe in informes_de(partida))
            return "" if en_revision else Accion.DICTAMINAR
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
    return expediente.estado == Estado.DICTAMINADO and all(
        partida.estado == Estado.DICTAMINADO
        and (dictamen := _dictamen(partida)) is not None
        and dictamen.riv_id is not None
        and not _debe_medida(partida)
        for partida in expediente.partidas.all()
    )


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
    if isinstance(objeto, Expediente):
        url = reverse("expediente_cerrar", kwargs={"numero": objeto.numero})
        return Acto(accion, VERBOS_CORTOS[Accion.CERRAR], url, QUE_HARA[Accion.CERRAR])
    url = reverse(f"partida_{accion}", kwargs={"numero": objeto.expediente.numero, "orden": objeto.orden})
    return Acto(accion, VERBOS_CORTOS.get(Accion(accion), str(PARTIDA[accion].verbo)), url, QUE_HARA[Accion(accion)])


def falta_en(partida: Partida) -> Falta:
    """What the line lacks and who has it, from its state and, in the laboratory, from the work in hand."""
    puesto = partida.expediente.puesto.nombre
    dictamen = _dictamen(partida)
    match partida.estado:
        case Estado.REGISTRADO if partida.cita_en:
            return Falta("Inspección", puesto, f"cita {palabras.fecha_corta(partida.cita_en)}")
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
            medida = (
                next((m for m in reversed(dictamen.medidas.all()) if not m.cumplida_en), None) if dictamen else None
            )
            if medida is None:
                return Falta("Cumplir la medida", "Importador")
            return Falta(
                f"Cumplir {medida.get_tipo_display().lower()}", "Importador", f"hasta el {medida.vence_en:%d/%m}"
            )
        case _ if _debe_medida(partida):
            return Falta("Ordenar la medida", puesto)
        case _ if dictamen and dictamen.riv_id is None:
            return Falta("Firma del RIV", SISTEMA, "el sistema reintenta" if dictamen.riv_falla else "")
    return Falta("Cerrar el expediente", puesto)


def _falta_en_inspeccion(partida: Partida, puesto: str) -> Falta:
    muestras = _muestras(partida)
    if any(muestra.estado == EstadoMuestra.TOMADA for muestra in muestras):
        return Falta("Enviar la muestra al laboratorio", puesto)
    if partida.dictamenes.all():
        return Falta("Nueva toma, tras la medida", puesto)
    rechazadas = [muestra.numero for muestra in muestras if muestra.estado == EstadoMuestra.RECHAZADA]
    if rechazadas:
        return Falta("Nueva toma de muestra", puesto, f"{rechazadas[-1]} rechazada")
    return Falta("Tomar la muestra", puesto)


def _falta_en_laboratorio(partida: Partida) -> Falta:
    if any(muestra.estado == EstadoMuestra.ENVIADA for muestra in _muestras(partida)):
        return Falta("Recibir la muestra", f"{LABORATORIO} · recepción")
    trabajo = [
        uno
        for uno in analisis_de(partida)
        if uno.estado != EstadoAnalisis.CANCELADO and uno.solicitud.informe.estado != EstadoInforme.EMITIDO
    ]
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


def fila(expediente: Expediente, lector: Lector, ahora: datetime) -> Fila:
    """A case as the board shows it: of several lines, the one that waits for the reader, else the slowest."""
    partidas = list(expediente.partidas.all())
    lentas = [partida for partida in partidas if partida.estado == expediente.estado] or partidas
    suyas = [(partida, acto) for partida in partidas if (acto := acto_de(partida, lector))]
    suyas.sort(key=lambda par: (par[0].vence_en is None, par[0].vence_en, par[0].orden))
    foco, suyo = suyas[0] if suyas else (lentas[0], None)
    luz, texto = palabras.urgencia(expediente.vence_en, ahora)
    return Fila(
        expediente=expediente,
        semaforo=luz,
        urgencia=texto,
        porque=" · ".join(_porque(expediente, partidas, ahora)),
        carga=carga(partidas, expediente),
        etapa=ETAPAS.get(expediente.estado, expediente.get_estado_display()),
        falta=falta_en(foco),
        suyo=suyo is not None,
        acto=suyo,
        notas=_notas(expediente, foco, partidas),
    )


def _porque(expediente: Expediente, partidas: Sequence[Partida], ahora: datetime) -> list[str]:
    razones = []
    if any(partida.producto.perecible for partida in partidas):
        razones.append("perecible")
    if expediente.retenido_desde and expediente.retenido_desde < ahora:
        razones.append(f"retenido {palabras.duracion(ahora - expediente.retenido_desde)}")
    if any(muestra.estado == EstadoMuestra.RECHAZADA for muestra in expediente.muestras.all()):
        razones.append("muestra rechazada")
    return razones


def _notas(expediente: Expediente, foco: Partida, partidas: Sequence[Partida]) -> list[str]:
    notas = []
    if len(partidas) > 1:
        notas.append(f"partida {foco.orden} de {len(partidas)}")
    vigentes = [uno for uno in informes_de(foco) if uno.estado == Documento.Estado.VIGENTE]
    if foco.estado == Estado.RESULTADO_EMITIDO and vigentes:
        notas.append(f"{vigentes[-1].get_conclusion_display().lower()}, {vigentes[-1].get_firma_display()}")
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

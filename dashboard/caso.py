"""The case page: where it stands, whose time it was, its lines with samples and results, its log in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet

from expedientes import tiempos
from expedientes.actos import DE_TODA_MUESTRA, hecho
from expedientes.avisos import destinatarios
from expedientes.lifecycle import Accion
from expedientes.models import (
    ETAPAS,
    ORDEN_DE_PARTIDAS,
    TERMINADOS,
    Adjunto,
    Dictamen,
    Documento,
    Estado,
    Evento,
    Expediente,
    InformeEnPapel,
    Medida,
    Motivo,
    Partida,
)
from expedientes.services import NUEVA_RONDA
from expedientes.tiempos import Tramo
from laboratorio.models import (
    MUESTRAS_SIN_EFECTO,
    Analisis,
    EstadoAnalisis,
    EstadoInforme,
    EstadoMuestra,
    Informe,
    Resultado,
    Valor,
)

from . import palabras
from .queries import (
    EN_EMISION,
    Acto,
    Falta,
    Lector,
    acto,
    acto_de,
    analisis_de,
    con_detalle,
    falta_en,
    informes_de,
    listo_para_cerrar,
    muestras_de,
)

TARDANZA = timedelta(hours=1)
# Steps that the system takes by itself right after somebody's act: they tell a reader nothing new.
RUIDO = {
    ("muestra", "comenzar"), ("muestra", "completar"), ("muestra", "retomar"), ("muestra", "enviar"),
    ("analisis", "completar"), ("informe", "firmar"), ("informe", "emitir"),
}  # fmt: skip


def para_la_pagina(casos: QuerySet[Expediente]) -> QuerySet[Expediente]:
    return con_detalle(casos).prefetch_related(
        Prefetch("analisis__resultados", Resultado.objects.select_related("plaga").order_by("id")),
        "analisis__resultados__verificaciones__verificador",
        "analisis__reversiones",
        "partidas__dictamenes__informes",
        Prefetch("bitacora", Evento.objects.select_related("actor").order_by("ocurrio_en", "n")),
        Prefetch("adjuntos", Adjunto.objects.filter(reservado=False).select_related("subido_por")),
        Prefetch("partidas__informes_en_papel", InformeEnPapel.objects.select_related("plaga").order_by("id")),
    )


# ── Where it stands, and whose time it was ────────────────────────────────────────────────────────


def tira_de_etapas(expediente: Expediente, vida: Sequence[Tramo], ahora: datetime) -> list[dict[str, Any]]:
    """The stages of the case as `componentes/etapas.html` draws them, with the time each one took.

    Here the measure comes where it comes in the story, after the decision; only its fulfilment is left to close.
    """
    pasadas = {tramo.estado for tramo in vida}
    estado = expediente.estado
    if estado == Estado.OBSERVADO and vida:
        estado = vida[-1].estado  # it stands still where its lines are
    final = estado if estado in TERMINADOS else Estado.CERRADO
    # One that ended before its decision has no more stages than it went through.
    orden = [una for una in ORDEN_DE_PARTIDAS if final == Estado.CERRADO or una in pasadas] + [Estado(final)]
    if Estado.EN_MEDIDA in orden:
        orden.remove(Estado.EN_MEDIDA)
    if Estado.EN_MEDIDA in pasadas:
        orden.insert(-1, Estado.EN_MEDIDA)
    por_cerrar = estado == Estado.DICTAMINADO and Estado.EN_MEDIDA in pasadas
    donde = orden.index(Estado.CERRADO if por_cerrar else Estado(estado))
    return [_etapa(estado, i - donde, expediente, vida, ahora) for i, estado in enumerate(orden)]


NOMBRES = ETAPAS | {
    Estado.EN_LABORATORIO: "Laboratorio",
    Estado.DICTAMINADO: "Dictamen",
    Estado.EN_MEDIDA: "Medida",
    Estado.CERRADO: "Cierre",
    Estado.ABANDONADO: "Abandono",
    Estado.DESISTIDO: "Desistimiento",
    Estado.ANULADO: "Anulado",
}


def _etapa(estado: str, lugar: int, expediente: Expediente, vida: Sequence[Tramo], ahora: datetime) -> dict[str, Any]:
    """One stage; `lugar` is how far it lies from where the case is: before (< 0), there, or ahead."""
    suyos = [tramo for tramo in vida if tramo.estado == estado]
    etapa: dict[str, Any] = {
        "nombre": NOMBRES[estado],
        "fecha": suyos[0].desde if suyos else None,
        "situacion": "hecha",
    }
    if lugar > 0:
        return etapa | {"fecha": "—", "situacion": "pendiente"}
    if suyos:
        etapa["duracion"] = palabras.duracion(sum((t.hasta - t.desde for t in suyos), timedelta()))
    if expediente.estado in TERMINADOS and lugar == 0:
        etapa["fecha"] = expediente.estado_desde
    elif lugar == 0:
        lleva = etapa.get("duracion") or palabras.duracion(ahora - (expediente.estado_desde or ahora))
        tarde = bool(expediente.vence_en and expediente.vence_en < ahora)
        etapa |= {"situacion": "actual", "duracion": f"lleva {lleva}", "tarde": tarde}
        if expediente.estado == Estado.OBSERVADO:
            etapa["nota"] = "reloj detenido"
    elif not suyos and estado != Estado.DICTAMINADO:
        # Sheets may give two acts one hour: that it took no time does not say that it was not done.
        etapa["nota"] = "no consta" if expediente.migrado else "no hizo falta"
    return etapa


def reparto(vida: Sequence[Tramo]) -> dict[str, Any]:
    """Whose time it was: the total, and each one's share as `componentes/reparto.html` draws it."""
    return tiempos.dibujar(tiempos.reparto(vida))


# ── Lines ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class FilaDeAnalisis:
    analisis: Analisis
    clase: str
    resultado: str
    verificado_por: str
    verificado_en: datetime | None
    nota: str


@dataclass(frozen=True)
class FichaDePartida:
    """A line as its box shows it. `acto` and `otros` are for the reader to do; `falta`, whoever has it."""

    partida: Partida
    etapa: str
    semaforo: str
    plazo: str
    falta: Falta
    acto: Acto | None
    otros: list[Acto]
    que_hara: str
    analisis: list[FilaDeAnalisis]
    muestras_sin_enviar: list[Any]
    dictamenes: list[Dictamen]
    medidas: list[Medida]
    informes_en_papel: list[InformeEnPapel]


def se_ve(analisis: Analisis, *, de_laboratorio: bool) -> bool:
    """Results are for the laboratory until the report that carries them is issued."""
    return de_laboratorio or analisis.solicitud.informe.publicado


def ficha(partida: Partida, lector: Lector, ahora: datetime) -> FichaDePartida:
    siguiente = acto_de(partida, lector)
    if siguiente and siguiente.accion == Accion.CERRAR:
        siguiente = None  # the case's own act, shown once
    luz, plazo = palabras.urgencia(partida.vence_en, ahora)
    dictamenes = list(partida.dictamenes.all())
    for dictamen in dictamenes:
        dictamen.cambios = _que_cambio(dictamen, informes_de(partida))  # type: ignore[attr-defined]
    return FichaDePartida(
        partida=partida,
        etapa=partida.etapa,
        semaforo=luz,
        plazo=plazo,
        falta=falta_en(partida),
        acto=siguiente,
        otros=_otros_actos(partida, siguiente, lector),
        que_hara=_que_hara(partida, siguiente),
        analisis=[_fila_de_analisis(uno, lector) for uno in analisis_de(partida)],
        muestras_sin_enviar=[
            muestra
            for muestra in partida.expediente.muestras.all()
            if muestra.partida_id == partida.pk and muestra.solicitud_id is None
        ],
        dictamenes=dictamenes,
        medidas=[medida for dictamen in dictamenes for medida in dictamen.medidas.all()],
        informes_en_papel=list(partida.informes_en_papel.all()),
    )


def _que_cambio(dictamen: Dictamen, informes: Sequence[Documento]) -> list[str]:
    """What became since of the reports that a decision rests on: the version behind it never changes."""
    dicho = []
    for fundo in dictamen.informes.all():
        if fundo.estado == Documento.Estado.VIGENTE:
            continue
        ultimo = max((uno for uno in informes if uno.numero == fundo.numero), key=lambda uno: uno.version)
        if ultimo.estado == Documento.Estado.VIGENTE:
            que = f"y rige {ultimo}. {ultimo.causa}."
        elif ultimo.estado == Documento.Estado.EN_REVISION:
            que = "que el laboratorio está revisando: falta la versión corregida."
        else:
            que = "que el laboratorio anuló."
        dicho.append(f"{dictamen.numero} se apoyó en {fundo}, {que}")
    return dicho


def _otros_actos(partida: Partida, siguiente: Acto | None, lector: Lector) -> list[Acto]:
    """What else the reader may do to the line, after the act that comes next."""
    otras = [Accion.PROGRAMAR, Accion.INSPECCIONAR, Accion.TOMAR_MUESTRA, Accion.DICTAMINAR_SIN_MUESTRA]
    if partida.cita_en:
        otras.insert(2, Accion.NO_PRESENTADA)
    if any(muestra.estado == EstadoMuestra.TOMADA for muestra in muestras_de(partida)):
        otras.append(Accion.ENVIAR)
    if partida.estado == Estado.DICTAMINADO and partida.dictamenes.all():
        otras.append(Accion.ORDENAR_MEDIDA)
    return [
        acto(accion, partida)
        for accion in otras
        if lector.puede(accion, partida) and not (siguiente and siguiente.accion == accion)
    ]


def _que_hara(partida: Partida, siguiente: Acto | None) -> str:
    if siguiente is None:
        return ""
    if siguiente.accion == Accion.DICTAMINAR:
        vigentes = [str(uno) for uno in [*_informes_de_la_ronda(partida), *_en_papel_de_la_ronda(partida)]]
        return f"El dictamen usará {' y '.join(vigentes)}. {siguiente.que_hara}"
    return siguiente.que_hara


def _vueltas(partida: Partida) -> list[datetime]:
    return [
        evento.registrado_en
        for evento in partida.expediente.bitacora.all()
        if evento.objeto == "partida" and evento.objeto_id == partida.pk and evento.accion in NUEVA_RONDA
    ]


def _en_papel_de_la_ronda(partida: Partida) -> list[InformeEnPapel]:
    """`services.informes_en_papel`, read from what `para_la_pagina` prefetched."""
    return [] if _vueltas(partida) else list(partida.informes_en_papel.all())


def _informes_de_la_ronda(partida: Partida) -> list[Documento]:
    """`services.informes_vigentes`, read from what `para_la_pagina` prefetched."""
    vueltas = _vueltas(partida)
    vigentes = [uno for uno in informes_de(partida) if uno.estado == Documento.Estado.VIGENTE]
    return [uno for uno in vigentes if not vueltas or uno.publicado_en > max(vueltas)]


TRABAJO = {
    EstadoAnalisis.PENDIENTE: "Pendiente",
    EstadoAnalisis.ASIGNADO: "Asignado",
    EstadoAnalisis.EN_PROCESO: "En proceso",
    EstadoAnalisis.REGISTRADO: "Por verificar",
    EstadoAnalisis.VERIFICADO: "Terminado",
    EstadoAnalisis.CANCELADO: "Cancelado",
}


def _fila_de_analisis(analisis: Analisis, lector: Lector) -> FilaDeAnalisis:
    visto = se_ve(analisis, de_laboratorio=lector.de_laboratorio)
    if analisis.estado == EstadoAnalisis.CANCELADO or not visto:
        en_emision = analisis.solicitud.informe.estado not in (
            EstadoInforme.BORRADOR, EstadoInforme.EMITIDO, EstadoInforme.ANULADO
        )  # fmt: skip
        # Cancelled on an early positive, it must not tell so before the report does.
        cancelado = analisis.estado == EstadoAnalisis.CANCELADO and (
            analisis.muestra.estado in MUESTRAS_SIN_EFECTO
            or not en_emision
            or se_ve(analisis, de_laboratorio=lector.de_laboratorio)
        )
        texto = EN_EMISION if en_emision and not cancelado else TRABAJO[EstadoAnalisis(analisis.estado)]
        return FilaDeAnalisis(analisis, "pendiente", texto, "", None, "")
    vigente = next((uno for uno in analisis.resultados.all() if uno.vigente), None)
    if vigente is None:
        return FilaDeAnalisis(analisis, "pendiente", TRABAJO[EstadoAnalisis(analisis.estado)], "", None, "")
    texto = vigente.get_valor_display()
    if vigente.valor == Valor.POSITIVO and vigente.plaga:
        texto += f": {vigente.plaga}"
    verificaciones = list(vigente.verificaciones.all())
    reversiones = sum(una.autoaprobada for una in analisis.reversiones.all())
    nota = f"{reversiones} reversión autoaprobada" if reversiones == 1 else f"{reversiones} reversiones autoaprobadas"
    return FilaDeAnalisis(
        analisis,
        vigente.valor,
        texto,
        ", ".join(dict.fromkeys(una.verificador.firma_corta for una in verificaciones)),
        verificaciones[-1].ocurrio_en if verificaciones else None,
        nota if reversiones else "",
    )


def solicitante(expediente: Expediente) -> dict[str, Any] | None:
    """Who sent the request by himself, and whether he is still to be confirmed: his address follows the case or not."""
    registro = next((uno for uno in expediente.bitacora.all() if uno.accion == "registrar"), None)
    if registro is None or registro.origen != Evento.Origen.IMPORTADOR:
        return None
    correo = registro.datos.get("solicitante", "")
    return {"correo": correo, "por_confirmar": bool(correo) and correo.lower() not in destinatarios(expediente)}


def acto_de_cierre(expediente: Expediente, lector: Lector) -> Acto | None:
    if listo_para_cerrar(expediente) and lector.puede(Accion.CERRAR, expediente):
        return acto(Accion.CERRAR, expediente)
    return None


# ── The log ───────────────────────────────────────────────────────────────────────────────────────


def bitacora(expediente: Expediente, *, de_laboratorio: bool) -> list[dict[str, Any]]:
    """The log in words, newest first, without what would give a result away before its report is issued."""
    analisis = {uno.pk: uno for uno in expediente.analisis.all()}
    muestras = {una.pk: una for una in expediente.muestras.all()}
    partidas = {una.pk: una for una in expediente.partidas.all()}
    informes = Informe.objects.filter(expediente=expediente).in_bulk()
    motivos = {(m.accion, m.codigo): m.texto for m in Motivo.objects.all()}
    entradas = []
    callados = set() if de_laboratorio else _callados(expediente)
    for evento in reversed(expediente.bitacora.all()):
        if (evento.objeto, evento.accion) in RUIDO or evento.pk in callados:
            continue
        reservado = (
            not de_laboratorio
            and evento.objeto == "analisis"
            and not se_ve(analisis[evento.objeto_id], de_laboratorio=False)
        )
        sujeto = _sujeto(evento, partidas, {"muestra": muestras, "analisis": analisis, "informe": informes})
        detalle = [] if reservado else _detalle(evento, motivos)
        entradas.append(
            {
                "titulo": hecho(evento.objeto, evento.accion),
                "cuando": evento.ocurrio_en,
                "quien": _quien(evento),
                "detalle": "\n".join(filter(None, [sujeto, *detalle, _tardanza(evento)])),
            }
        )
    return entradas


# What every analysis goes through, whatever it finds.
DE_TODO_ANALISIS = {"asignar", "iniciar", "registrar", "verificar"}


def _callados(expediente: Expediente) -> set[int]:
    """The entries that nobody outside the laboratory may read before the report is out, not even that they are there.

    A report on its way takes other steps when it is positive, and so does an analysis: it is stepped back, done
    again, cancelled, photographed. What is told of one is the first of each of the steps that all take.
    """
    suyos, dichos, callados = reservados(expediente), set[tuple[int, str]](), set[int]()
    for evento in expediente.bitacora.all():
        paso = (evento.objeto_id, evento.accion)
        de_todos = evento.objeto == "analisis" and evento.accion in DE_TODO_ANALISIS
        if evento.pk in suyos and (not de_todos or paso in dichos):
            callados.add(evento.pk)
        elif de_todos:
            dichos.add(paso)
    return callados


def reservados(expediente: Expediente) -> set[int]:
    """The entries of the log whose content stays in the laboratory until the report is out."""
    analisis = {uno.pk: uno for uno in expediente.analisis.all()}
    sin_salir = {uno.muestra_id for uno in analisis.values() if not uno.solicitud.informe.publicado}
    informes = Informe.objects.filter(expediente=expediente).in_bulk()
    return {
        evento.pk
        for evento in expediente.bitacora.all()
        if (evento.objeto == "informe" and not informes[evento.objeto_id].publicado)
        or (evento.objeto == "analisis" and not se_ve(analisis[evento.objeto_id], de_laboratorio=False))
        or (evento.objeto == "muestra" and evento.objeto_id in sin_salir and evento.accion not in DE_TODA_MUESTRA)
    }


def _quien(evento: Evento) -> str:
    if evento.actor:
        return evento.actor.firma_corta
    firma = evento.datos.get("fuente", {}).get("firma")
    return f"{firma}, según el {evento.get_origen_display()}" if firma else evento.get_origen_display()


def _sujeto(evento: Evento, partidas: dict[int, Partida], otros: dict[str, dict[int, Any]]) -> str:
    if evento.objeto == "partida" and len(partidas) > 1:
        partida = partidas[evento.objeto_id]
        return f"Partida {partida.orden}, {partida.producto}"
    return str(otros[evento.objeto][evento.objeto_id]) if evento.objeto in otros else ""


def _detalle(evento: Evento, motivos: dict[tuple[str, str], str]) -> list[str]:
    datos, partes = evento.datos, []
    if "cita_en" in datos:
        cita = datetime.fromisoformat(datos["cita_en"])
        partes.append(f"Para el {palabras.fecha_y_hora(cita)}, {datos['terminal']}".rstrip(", "))
    if "fisica" in datos:
        campos = (("documentaria", "documentos"), ("identidad", "identidad"), ("fisica", "física"))
        partes.append(", ".join(f"{nombre}: {Partida.Inspeccion(datos[c]).label}" for c, nombre in campos))
    if evento.objeto == "partida" and "muestra" in datos:
        precinto = f" · precinto {datos['precinto']}" if datos.get("precinto") else ""
        partes.append(f"{datos['muestra']}{precinto}")
    if "muestras" in datos:
        partes.append(", ".join(datos["muestras"]))
    if "decision" in datos:
        partes.append(f"{Dictamen.Decision(datos['decision']).label} · {datos['riv']}")
    elif "riv" in datos:
        partes.append(datos["riv"])
    if "medida" in datos:
        acta = f" · acta {datos['acta']}" if datos.get("acta") else ""
        partes.append(f"{Medida.Tipo(datos['medida']).label}{acta}")
    if evento.objeto == "partida" and evento.accion == Accion.EMITIR and "informe" in datos:
        partes.append(f"{datos['informe']} · {Documento.Firma(datos['firma']).label}")
    if "informe_en_papel" in datos:
        conclusion = Documento.Conclusion(datos["conclusion"]).label
        partes.append(f"{datos['informe_en_papel']}, en papel · {conclusion}")
    if "puntos" in datos:
        partes += [f"· {punto}" for punto in datos["puntos"]]
        partes.append(f"Responder hasta el {datetime.fromisoformat(datos['vence_en']):%d/%m/%Y}")
    if datos.get("respuesta"):
        partes.append(datos["respuesta"])
    if datos.get("nombres"):
        partes.append(", ".join(datos["nombres"]))
    if "a_puesto" in datos:
        partes.append(f"{datos['de_puesto']} → {datos['a_puesto']}")
    if evento.objeto == "expediente" and "a_quien" in datos:
        partes.append(f"A cargo de {datos['a_quien']}")
    if "responsable" in datos:
        partes.append(f"A cargo de {datos['responsable']}, para el {datetime.fromisoformat(datos['para_el']):%d/%m/%Y}")
    if "agente_anterior" in datos:
        partes.append(f"{datos['agente_anterior'] or 'sin agente'} → {datos['agente'] or 'sin agente'}")
    if datos.get("superviviente"):
        partes.append(f"Duplicado de {datos['superviviente']}")
    if evento.objeto == "analisis" and datos.get("valor"):
        partes.append(f"{Valor(datos['valor']).label}")
    motivo = motivos.get((evento.accion, evento.motivo), evento.motivo)
    return [*partes, ": ".join(filter(None, [motivo, evento.texto]))]


def _tardanza(evento: Evento) -> str:
    tarde = evento.registrado_en - evento.ocurrio_en
    return f"Registrado {palabras.duracion(tarde)} después" if tarde > TARDANZA else ""

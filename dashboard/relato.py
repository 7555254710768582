"""What attention says aloud: one paragraph with the state, since when, what is missing and what comes next.

It says nothing of a result before the report is issued, and it speaks to somebody who knows no jargon.
"""

from collections.abc import Sequence
from datetime import datetime

from expedientes.models import Dictamen, Estado, Expediente, Partida
from expedientes.plazos import cita_paso, fin_del_dia

from . import palabras
from .queries import EN_EMISION, Falta, falta_en, informe_en_revision, observacion_abierta

DONDE = {
    Estado.REGISTRADO: "está registrada y espera la inspección",
    Estado.EN_INSPECCION: "está en inspección en el puesto",
    Estado.EN_LABORATORIO: "está en el laboratorio",
    Estado.RESULTADO_EMITIDO: "ya tiene su informe de ensayo y espera el dictamen del inspector",
    Estado.EN_MEDIDA: "tiene una medida ordenada, que está por cumplirse",
    Estado.DICTAMINADO: "ya tiene dictamen",
}
EN_REVISION = "tiene su informe de ensayo en revisión: con él no se decide nada hasta la versión corregida,"
TERMINO = {
    Estado.ABANDONADO: "terminó en abandono, porque la observación no se respondió a tiempo",
    Estado.DESISTIDO: "terminó por desistimiento",
    Estado.ANULADO: "está anulado",
}
DESPUES = {
    Estado.REGISTRADO: "Después de la inspección se toma una muestra, que va al laboratorio.",
    Estado.EN_INSPECCION: "Después la muestra va al laboratorio, que la analiza y emite un informe.",
    Estado.EN_LABORATORIO: "Cuando salga el informe de ensayo le llegará por correo, y el inspector decidirá con él.",
    Estado.RESULTADO_EMITIDO: "El dictamen le llegará por correo apenas se emita, con el reporte firmado.",
    Estado.EN_MEDIDA: "Cumplida la medida, el inspector lo registra y el expediente puede cerrarse.",
    Estado.DICTAMINADO: "Lo que sigue es el cierre del expediente, que también se le avisa por correo.",
}


def relato(expediente: Expediente, ahora: datetime) -> str:
    """The paragraph. Expects a case read with `queries.con_detalle`."""
    partidas = list(expediente.partidas.all())
    inicio = f"El expediente {expediente.numero}, de {expediente.importador.nombre},"
    if expediente.estado == Estado.CERRADO:
        desde = expediente.estado_desde
        return f"{inicio} está cerrado{_desde(desde, ahora)}. {_decisiones(partidas)} No falta nada más."
    if expediente.estado in TERMINO:
        duplicado = expediente.duplicado_de
        sigue = f" Era un duplicado: el trámite sigue en el expediente {duplicado.numero}." if duplicado else ""
        return f"{inicio} {TERMINO[Estado(expediente.estado)]}{_desde(expediente.estado_desde, ahora)}.{sigue}"
    if observacion := observacion_abierta(expediente):
        return (
            f"{inicio} está observado{_desde(expediente.estado_desde, ahora)}. El inspector pidió: "
            f"{_y([punto.rstrip('.') for punto in observacion.lista])}. Lo tiene el importador, que puede responder "
            f"desde su enlace hasta el {palabras.fecha(fin_del_dia(observacion.vence_en))}. Mientras tanto el reloj "
            "del trámite está detenido; con la respuesta vuelve a donde estaba."
        )
    cargas = _y([_carga(partida) for partida in partidas])
    dichos: dict[str, list[Partida]] = {}
    for partida in partidas:
        dichos.setdefault(_de_una(partida, ahora), []).append(partida)
    if len(dichos) == 1:
        return f"{inicio} es de {cargas}. {next(iter(dichos))}"
    frases = [
        f"En cuanto a {_y([_carga(una) for una in suyas])}: {dicho[0].lower()}{dicho[1:]}"
        for dicho, suyas in dichos.items()
    ]
    return " ".join([f"{inicio} tiene {len(partidas)} partidas, y cada una avanza por su cuenta.", *frases])


def _y(cosas: Sequence[str]) -> str:
    return " y ".join([", ".join(cosas[:-1]), cosas[-1]] if len(cosas) > 1 else cosas)


def _carga(partida: Partida) -> str:
    return f"{partida.producto.nombre.lower()} de {partida.pais_origen.nombre}"


def _desde(cuando: datetime | None, ahora: datetime) -> str:
    return f" desde el {palabras.fecha(cuando)}, {palabras.hace(cuando, ahora)}" if cuando else ""


def _de_una(partida: Partida, ahora: datetime) -> str:
    estado = Estado(partida.estado)
    falta = falta_en(partida)
    donde = EN_REVISION if informe_en_revision(partida) else DONDE[estado]
    frases = [f"La carga {donde}{_desde(partida.estado_desde, ahora)}."]
    if estado in (Estado.EN_MEDIDA, Estado.DICTAMINADO):
        frases.append(_decisiones([partida]))
    frases.append(_que_falta(falta))
    if estado == Estado.REGISTRADO and partida.cita_en and cita_paso(partida.cita_en):
        frases.append("La hora fijada pasó sin que conste la inspección: el puesto la hará o fijará otra hora.")
    frases += [_plazo(partida, ahora), DESPUES[estado]]
    return " ".join(filter(None, frases))


def _que_falta(falta: Falta) -> str:
    if falta.que == EN_EMISION:
        return "El laboratorio terminó los análisis y el informe está en emisión."
    avance = f" ({falta.avance})" if falta.avance else ""
    return f"Falta: {falta.que[0].lower()}{falta.que[1:]}{avance}. Lo tiene: {_quien(falta.quien)}."


def _quien(quien: str) -> str:
    """Who has it, without naming bench staff to the public."""
    if quien.startswith("Laboratorio"):
        return "el laboratorio"
    return {"Importador": "el importador", "Sistema": "el sistema"}.get(quien, f"el {quien}")


def _plazo(partida: Partida, ahora: datetime) -> str:
    if partida.vence_en is None:
        return ""
    if partida.vence_en < ahora:
        return f"Va con retraso: esta etapa debía terminar el {palabras.fecha(partida.vence_en)}."
    return f"Esta etapa debería terminar a más tardar el {palabras.fecha(partida.vence_en)}."


def _decisiones(partidas: Sequence[Partida]) -> str:
    """What was decided on each line, in a sentence."""
    frases = []
    for partida in partidas:
        dictamen = next(reversed(partida.dictamenes.all()), None)
        if dictamen:
            cual = f" para {partida.producto.nombre.lower()}" if len(partidas) > 1 else ""
            frases.append(f"{QUE_SE_DECIDIO[Dictamen.Decision(dictamen.decision)]}{cual} ({dictamen.numero})")
    return f"El dictamen fue {'; '.join(frases)}." if frases else ""


QUE_SE_DECIDIO = {
    Dictamen.Decision.INGRESO: "ingreso: la mercancía puede entrar al país",
    Dictamen.Decision.CONDICIONADO: "ingreso condicionado a una medida",
    Dictamen.Decision.RECHAZO: "rechazo",
}

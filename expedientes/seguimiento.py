"""What the importer's page tells of a case: where each line stands, since when, what comes next, what to do.

Told from the lines and the log alone. Between the last verification and the issue of a report the page has one
wording, "informe en emisión", whoever holds it: a wait must not give a positive away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from senasa import reloj

from .models import Dictamen, Documento, Estado, Evento, Expediente, Medida, Partida

LABORATORIO = "UCDSV"


@dataclass(frozen=True)
class Etapa:
    """One step of the story. `situacion`: hecha, actual or pendiente."""

    nombre: str
    situacion: str
    fecha: datetime | None = None
    nota: str = ""
    texto: str = ""


@dataclass
class Tramo:
    """A line as its importer reads it: the answer, the rest of it, and its story. `documentos`: each with who
    signed it."""

    partida: Partida
    respuesta: str
    detalle: str
    que_hacer: str
    quien: str
    sigue: str
    desde: datetime | None
    vence_en: datetime | None
    tarde: bool
    tono: str
    etapas: list[Etapa] = field(default_factory=list)
    documentos: list[tuple[Documento, str]] = field(default_factory=list)


def fecha_y_hora(cuando: datetime) -> str:
    """A moment in words, in the reader's language and in Lima: «viernes 20 de noviembre, 09:12»."""
    return date_format(timezone.localtime(cuando), _(r"l j \d\e F, H:i"))


def contar(expediente: Expediente) -> list[Tramo]:
    """The lines of the case, told. A constant number of queries whatever the lines."""
    partidas = list(
        expediente.partidas.select_related("producto", "pais_origen").prefetch_related("documentos", "contenedores")
    )
    dictamenes: dict[int, Dictamen] = {}
    for dictamen in Dictamen.objects.filter(partida__in=partidas).prefetch_related("medidas").order_by("id"):
        dictamenes[dictamen.partida_id] = dictamen
    eventos = list(
        Evento.objects.filter(expediente=expediente, objeto__in=["expediente", "partida", "informe"]).order_by("n")
    )
    return [_tramo(expediente, partida, dictamenes.get(partida.pk), eventos) for partida in partidas]


def _momentos(partida: Partida, eventos: Sequence[Evento]) -> dict[str, datetime]:
    """When each act last began to count for the line: a new round of sampling begins the story again."""
    cuando: dict[str, datetime] = {}
    for evento in eventos:
        suyo = evento.objeto == "expediente" or evento.objeto_id == partida.pk
        if evento.objeto == "informe":
            suyo = evento.datos.get("partida") == partida.pk
        if not suyo:
            continue
        if evento.accion in ("volver_a_muestrear", "reinspeccionar"):
            cuando = {clave: momento for clave, momento in cuando.items() if clave in ("registrar", "inspeccionar")}
        elif evento.accion == "reabrir":
            cuando.pop("cerrar_fisico", None)
        elif evento.accion == "tomar_muestra":
            cuando.setdefault(evento.accion, evento.ocurrio_en)
        elif evento.accion == "dictaminar_sin_muestra":
            cuando["dictaminar"] = evento.ocurrio_en
        else:
            cuando[evento.accion] = evento.ocurrio_en
    return cuando


def _tramo(expediente: Expediente, partida: Partida, dictamen: Dictamen | None, eventos: Sequence[Evento]) -> Tramo:
    cuando = _momentos(partida, eventos)
    if partida.estado not in (Estado.DICTAMINADO, Estado.EN_MEDIDA):
        dictamen = None  # one of an earlier round does not speak for this one
    medida = max(dictamen.medidas.all(), key=lambda medida: medida.pk, default=None) if dictamen else None
    en_emision = partida.estado == Estado.EN_LABORATORIO and "cerrar_fisico" in cuando
    cerrado = expediente.estado == Estado.CERRADO
    puesto = str(expediente.puesto)
    tono = "verde"
    que_hacer = _("No tiene que hacer nada por ahora.")
    match partida.estado:
        case Estado.REGISTRADO if partida.cita_en:
            respuesta = _("Su carga tiene fecha de inspección")
            detalle = _("%(cuando)s, en %(lugar)s.") % {
                "cuando": fecha_y_hora(partida.cita_en), "lugar": partida.terminal
            }  # fmt: skip
            que_hacer = _("Tenga la carga accesible y los documentos originales a mano a esa hora.")
            quien, sigue, tono = puesto, _("Inspección y toma de muestra"), "azul"
        case Estado.REGISTRADO:
            respuesta = _("Recibimos su solicitud")
            detalle = _("Falta que el puesto fije la hora de la inspección.")
            quien, sigue = puesto, _("Programar la inspección")
        case Estado.EN_INSPECCION:
            respuesta = _("Su carga está en inspección")
            detalle = _("Falta enviar la muestra al laboratorio, si hace falta una.")
            quien, sigue = puesto, _("Análisis en el laboratorio")
        case Estado.EN_LABORATORIO if en_emision:
            respuesta = _("Su informe está en emisión")
            detalle = _("Los análisis terminaron; el informe de ensayo se revisa y se firma.")
            quien, sigue = _("el laboratorio (%(sigla)s)") % {"sigla": LABORATORIO}, _("Informe de ensayo")
        case Estado.EN_LABORATORIO:
            respuesta = _("Su carga espera el resultado del laboratorio")
            detalle = _("Buscamos plagas que no existen en el Perú o que están bajo control.")
            quien, sigue = _("el laboratorio (%(sigla)s)") % {"sigla": LABORATORIO}, _("Informe de ensayo")
        case Estado.RESULTADO_EMITIDO:
            respuesta = _("Su informe de ensayo está listo")
            detalle = _("Falta la decisión del inspector. Puede bajar el informe más abajo.")
            quien, sigue = puesto, _("Decisión de ingreso")
        case Estado.EN_MEDIDA:
            assert medida  # the state stands for one that is pending
            respuesta = _("Debe cumplir una medida: %(medida)s") % {"medida": medida.get_tipo_display().lower()}
            detalle = medida.indicaciones
            que_hacer = _("Cúmplala hasta el %(dia)s y avise al puesto.") % {"dia": date_format(medida.vence_en)}
            quien, sigue, tono = _("usted"), _("Comprobar la medida"), "ambar"
        case _estado:
            respuesta, detalle, que_hacer, tono = _decidida(dictamen, medida)
            quien = puesto
            sigue = _("Cierre") if _lista_para_cerrar(dictamen, medida) else _("Ordenar la medida")
    if cerrado:
        quien, sigue, detalle = "", "", _("El expediente está cerrado. ") + detalle
        que_hacer = _("No tiene nada pendiente.")
    # A measure's own date is what counts while it is being carried out.
    vence_en = None if cerrado or partida.estado == Estado.EN_MEDIDA else partida.vence_en
    tarde = bool(vence_en and vence_en < reloj.ahora())
    return Tramo(
        partida=partida,
        respuesta=respuesta,
        detalle=detalle,
        que_hacer=que_hacer,
        quien=quien,
        sigue=sigue,
        desde=cuando.get("cerrar_fisico") if en_emision else partida.estado_desde,
        vence_en=vence_en,
        tarde=tarde,
        tono=tono,
        etapas=_etapas(expediente, partida, cuando, medida, en_emision),
        documentos=[(documento, como_se_firmo(documento)) for documento in partida.documentos.all()],
    )


def _decidida(dictamen: Dictamen | None, medida: Medida | None) -> tuple[str, str, str, str]:
    nada = _("No tiene que hacer nada por ahora.")
    if dictamen is None or dictamen.decision == Dictamen.Decision.INGRESO:
        return _("Su carga puede ingresar"), _("El RIV lo acredita: puede bajarlo más abajo."), nada, "verde"
    if dictamen.decision == Dictamen.Decision.CONDICIONADO:
        if medida:
            return _("Su carga puede ingresar: la condición está cumplida"), "", nada, "verde"
        detalle = _("El puesto le indicará la medida que debe cumplir.")
        return _("Su carga puede ingresar con condiciones"), detalle, nada, "ambar"
    if medida:
        texto = _("Medida cumplida: %(medida)s.") % {"medida": medida.get_tipo_display().lower()}
        return _("Se rechazó el ingreso de su carga"), texto, nada, "rojo"
    detalle = _("El puesto le indicará la medida que debe cumplir. El RIV dice por qué.")
    return _("Se rechazó el ingreso de su carga"), detalle, nada, "rojo"


def _lista_para_cerrar(dictamen: Dictamen | None, medida: Medida | None) -> bool:
    return dictamen is None or dictamen.decision == Dictamen.Decision.INGRESO or medida is not None


def _etapas(
    expediente: Expediente,
    partida: Partida,
    cuando: dict[str, datetime],
    medida: Medida | None,
    en_emision: bool,
) -> list[Etapa]:
    decidida = partida.estado in (Estado.DICTAMINADO, Estado.EN_MEDIDA)
    con_laboratorio = "enviar" in cuando or not decidida
    # Name, the act that ends it, and the moment it is told by.
    pasos: list[tuple[str, bool, datetime | None, str]] = [
        (_("Solicitud recibida"), True, cuando.get("registrar"), ""),
        (
            _("Inspección y toma de muestra") if con_laboratorio else _("Inspección"),
            "enviar" in cuando or decidida,
            cuando.get("tomar_muestra") or cuando.get("inspeccionar"),
            partida.terminal,
        ),
    ]
    if con_laboratorio:
        emitido = "emitir" in cuando
        nota = _("en emisión") if en_emision else ""
        pasos += [
            (_("Análisis en el laboratorio"), emitido or en_emision, cuando.get("enviar"), ""),
            (_("Informe de ensayo"), emitido, cuando.get("emitir") or cuando.get("cerrar_fisico"), nota),
        ]
    pasos.append((_("Decisión"), decidida, cuando.get("dictaminar") if decidida else None, ""))
    if medida:
        nombre = _("Medida: %(medida)s") % {"medida": medida.get_tipo_display().lower()}
        pasos.append((nombre, medida.cumplida_en is not None, medida.cumplida_en or medida.ordenada_en, ""))
    pasos.append((_("Cierre"), expediente.estado == Estado.CERRADO, cuando.get("cerrar"), ""))
    etapas, actual_puesta = [], False
    for nombre, hecha, momento, nota in pasos:
        situacion = "hecha" if hecha else "pendiente" if actual_puesta else "actual"
        actual_puesta |= situacion == "actual"
        etapas.append(Etapa(nombre, situacion, momento if situacion != "pendiente" else None, nota))
    return etapas


def como_se_firmo(documento: Documento) -> str:
    """Who closed and signed a report, as the law on automated decisions wants it told (DS 016-2024-JUS)."""
    if documento.tipo != Documento.Tipo.INFORME:
        return ""
    if documento.firma == Documento.Firma.AUTOMATICA:
        return _(
            "Una máquina cerró y firmó este informe (regla v%(regla)s): todos los resultados fueron negativos. "
            "Puede pedir al puesto que lo revise una persona."
        ) % {"regla": documento.regla_version}
    return _("Autorizó este informe el director del laboratorio.")

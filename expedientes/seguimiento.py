"""What the importer's page tells of a case: where each line stands, since when, what comes next, what to do.

Told from the lines and the log alone. Between the last verification and the issue of a report the page has one
wording, "informe en emisión", whoever holds it: a wait must not give a positive away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from senasa import reloj

from . import documentos, pronosticos, tiempos
from .lifecycle import EXPEDIENTE, Accion
from .models import (
    TERMINADOS,
    Dictamen,
    Documento,
    Estado,
    Evento,
    Expediente,
    Hitos,
    Medida,
    Observacion,
    Partida,
)
from .plazos import cita_paso

LABORATORIO = "UCDSV"
# How the story ends when it ends before the decision.
FINALES = {
    Estado.ABANDONADO: gettext_lazy("En abandono"),
    Estado.DESISTIDO: gettext_lazy("Desistimiento"),
    Estado.ANULADO: gettext_lazy("Anulación"),
}


@dataclass(frozen=True)
class Etapa:
    """One step of the story. `situacion`: hecha, empezada (before the case was observed), actual or pendiente."""

    nombre: str
    situacion: str
    fecha: datetime | None = None
    nota: str = ""
    texto: str = ""
    ayuda: str = ""


@dataclass(frozen=True)
class Situacion:
    """What is true of the whole case, and then of every line: it was objected to, or it ended."""

    respuesta: str
    detalle: str
    que_hacer: str
    quien: str
    sigue: str
    desde: datetime | None
    tono: str


@dataclass
class Tramo:
    """A line as its importer reads it: the answer, the rest of it, and its story. `pide`: something is asked of him
    now; what he may do if he wishes, once the case ended, is not."""

    partida: Partida
    respuesta: str
    detalle: str
    que_hacer: str
    pide: bool
    quien: str
    sigue: str
    desde: datetime | None
    vence_en: datetime | None
    tarde: bool
    tono: str
    dictamen: Dictamen | None = None
    medida: Medida | None = None
    etapas: list[Etapa] = field(default_factory=list)

    @cached_property
    def documentos(self) -> list[tuple[Documento, str, int | None]]:
        """Each with who signed it and its bytes, which are asked of the disk: the list of cases shows none."""
        return [(uno, como_se_firmo(uno), documentos.pesa(uno)) for uno in self.partida.documentos.all()]

    @property
    def recien(self) -> bool:
        return self.desde is not None and reloj.ahora() - self.desde < timedelta(minutes=1)


def fecha_y_hora(cuando: datetime) -> str:
    """A moment in words, in the reader's language and in Lima: «viernes 20 de noviembre, 09:12»."""
    return date_format(timezone.localtime(cuando), _(r"l j \d\e F, H:i"))


@dataclass
class Relato:
    """The whole page. `unico`: the tramo that speaks for all, when they all say the same. `traslado`: when the case
    came from another post, and from which. `muestreado`: a sample was taken once. `del_caso`: what is told is of the
    whole case."""

    tramos: list[Tramo]
    observacion: Observacion | None = None
    traslado: tuple[datetime, str] | None = None
    muestreado: bool = False
    del_caso: bool = False

    @property
    def unico(self) -> Tramo | None:
        iguales = len({(tramo.respuesta, tramo.detalle, tramo.que_hacer) for tramo in self.tramos}) == 1
        return self.tramos[0] if iguales else None

    @property
    def titular(self) -> str:
        if self.unico:
            return self.unico.respuesta
        return _("Sus %(n)s partidas van cada una por su lado") % {"n": len(self.tramos)}

    @property
    def pide(self) -> bool:
        return any(tramo.pide for tramo in self.tramos)

    @property
    def que_hacer(self) -> str:
        """What the page asks, of all lines together: what some of them do not ask is left out."""
        piden = [tramo for tramo in self.tramos if tramo.pide] or self.tramos
        return " ".join(dict.fromkeys(tramo.que_hacer for tramo in piden))


def contar(expediente: Expediente) -> Relato:
    """The case, told. A constant number of queries whatever the lines."""
    return contar_varios([expediente])[0]


def contar_varios(casos: Sequence[Expediente]) -> list[Relato]:
    """Each case, told. A constant number of queries whatever the cases; read them with `puesto` and `duplicado_de`."""
    partidas: dict[int, list[Partida]] = {caso.pk: [] for caso in casos}
    lineas = Partida.objects.filter(expediente__in=casos).select_related("producto", "pais_origen")
    for partida in lineas.prefetch_related("documentos").order_by("expediente_id", "orden"):
        partidas[partida.expediente_id].append(partida)
    dictamenes: dict[int, Dictamen] = {}
    de_ellos = Dictamen.objects.filter(partida__expediente__in=casos)
    for dictamen in de_ellos.prefetch_related("medidas").order_by("id"):
        dictamenes[dictamen.partida_id] = dictamen
    eventos: dict[int, list[Evento]] = {caso.pk: [] for caso in casos}
    bitacora = Evento.objects.filter(expediente__in=casos, objeto__in=["expediente", "partida", "informe"])
    columnas = ("expediente", "objeto", "objeto_id", "accion", "de", "a", "ocurrio_en", "datos")
    for evento in bitacora.only(*columnas).order_by("expediente_id", "n"):
        eventos[evento.expediente_id].append(evento)
    observados = [caso for caso in casos if caso.estado == Estado.OBSERVADO]
    abiertas = Observacion.objects.filter(expediente__in=observados, respondida_en=None, sin_efecto_en=None)
    observaciones = {una.expediente_id: una for una in abiertas}
    return [
        _contar(caso, partidas[caso.pk], dictamenes, eventos[caso.pk], observaciones.get(caso.pk)) for caso in casos
    ]


def _contar(
    expediente: Expediente,
    partidas: Sequence[Partida],
    dictamenes: Mapping[int, Dictamen],
    eventos: Sequence[Evento],
    observacion: Observacion | None,
) -> Relato:
    situacion = _del_caso(expediente, observacion, eventos)
    return Relato(
        [_tramo(expediente, partida, dictamenes.get(partida.pk), eventos, situacion) for partida in partidas],
        observacion,
        _ultimo_traslado(eventos),
        any(evento.accion == "tomar_muestra" for evento in eventos),
        situacion is not None,
    )


def que_piden() -> Q:
    """The cases whose `Relato.pide` is true, for the database: the list of cases is filtered, ordered and counted by
    it."""
    suyos = Evento.objects.filter(expediente=OuterRef("expediente"), objeto="partida", objeto_id=OuterRef("pk"))
    cambio = ~Q(a="") & ~Q(a=F("de"))
    lineas = Partida.objects.filter(expediente=OuterRef("pk"))
    en_inspeccion = lineas.filter(estado=Estado.EN_INSPECCION)
    piden = (
        lineas.filter(estado=Estado.REGISTRADO).exclude(cita_en=None, no_presentada_en=None),
        lineas.filter(estado=Estado.EN_MEDIDA),
        en_inspeccion.alias(ultimo=_ultimo(suyos.filter(cambio))).filter(ultimo=Accion.REABRIR_INSPECCION),
        en_inspeccion.alias(ultimo=_ultimo(suyos.filter(cambio | Q(accion=Accion.TOMAR_MUESTRA)))).filter(
            ultimo=Accion.VOLVER_A_MUESTREAR
        ),
    )
    condicion = Q()
    for cuales in piden:
        condicion |= Q(Exists(cuales))
    terminados_sin_decidir = set(TERMINADOS) - {Estado.CERRADO}
    return Q(estado=Estado.OBSERVADO) | (~Q(estado__in=terminados_sin_decidir) & condicion)


def _ultimo(eventos: QuerySet[Evento]) -> Subquery:
    return Subquery(eventos.order_by("-n").values("accion")[:1])


def sin_poder(expediente: Expediente, correo: str) -> date | None:
    """The day on which the broker's power ended, when it is he who reads: he may look, not act."""
    agente, hasta = expediente.agente, expediente.poder_hasta
    if agente is None or hasta is None or correo == expediente.importador.correo.lower():
        return None
    return hasta if correo == agente.correo.lower() and hasta < timezone.localdate(reloj.ahora()) else None


def puede(expediente: Expediente, correo: str, relato: Relato) -> set[str]:
    """What whoever reads at that address may do now, by the names of the acts."""
    if sin_poder(expediente, correo):
        return set()
    suyos = {
        accion for accion in (Accion.RESPONDER, Accion.DESISTIR, Accion.ANULAR)
        if expediente.estado in EXPEDIENTE[accion].de
    }  # fmt: skip
    if relato.muestreado:
        suyos.discard(Accion.ANULAR)
    return {*map(str, suyos), *(["agregar_documentos"] if expediente.abierto else [])}


def _ultimo_traslado(eventos: Sequence[Evento]) -> tuple[datetime, str] | None:
    for evento in reversed(eventos):
        if evento.accion == "aceptar_traslado":
            return evento.ocurrio_en, evento.datos["de_puesto"]
    return None


def queda(dia: date) -> str:
    """How long there is until the end of a day, as a person says it."""
    dias = (dia - timezone.localdate(reloj.ahora())).days
    if dias < 0:
        return _("el plazo venció")
    if dias == 0:
        return _("vence hoy")
    return ngettext("queda %(n)d día", "quedan %(n)d días", dias) % {"n": dias}


def _del_caso(expediente: Expediente, observacion: Observacion | None, eventos: Sequence[Evento]) -> Situacion | None:
    """The case's own word, when it stands above that of its lines."""
    puesto, desde = str(expediente.puesto), expediente.estado_desde
    otra = _("Si todavía desea importar la carga, presente una nueva solicitud.")
    match expediente.estado:
        case Estado.OBSERVADO if observacion:
            plazo = {"dia": date_format(observacion.vence_en, _(r"l j \d\e F")), "queda": queda(observacion.vence_en)}
            return Situacion(
                _("Su expediente fue observado: necesitamos su respuesta"),
                _("El inspector no puede continuar hasta que usted responda. El reloj del trámite está detenido."),
                _("Responda hasta el %(dia)s: %(queda)s.") % plazo,
                _("usted"),
                _("El inspector revisa su respuesta y el trámite vuelve a donde estaba"),
                observacion.observada_en,
                "ambar",
            )
        case Estado.ABANDONADO:
            detalle = _("Venció el plazo para responder la observación. El trámite terminó sin decisión.")
            return Situacion(_("Su expediente quedó en abandono"), detalle, otra, "", "", desde, "ambar")
        case Estado.DESISTIDO:
            detalle = _("El trámite terminó sin decisión: no habrá más inspecciones ni análisis.")
            hacer = _("Si usted no lo pidió, avise cuanto antes al %(puesto)s.") % {"puesto": puesto}
            return Situacion(_("El trámite terminó por desistimiento"), detalle, hacer, "", "", desde, "azul")
        case Estado.ANULADO if expediente.duplicado_de:
            sigue = {"numero": expediente.duplicado_de.numero}
            return Situacion(
                _("Este expediente era un duplicado y se anuló"),
                _("El trámite de su carga sigue en el expediente %(numero)s.") % sigue,
                _("Siga el expediente %(numero)s, con el enlace de su propio correo.") % sigue,
                "", "", desde, "azul",
            )  # fmt: skip
        case Estado.ANULADO:
            detalle = _("El trámite terminó sin decisión.")
            return Situacion(_("Su expediente fue anulado"), detalle, otra, "", "", desde, "ambar")
    return None


def _momentos(partida: Partida, eventos: Sequence[Evento]) -> dict[str, datetime]:
    """When each act last began to count for the line: a new round of sampling begins the story again."""
    cuando: dict[str, datetime] = {}
    for evento in eventos:
        suyo = evento.objeto == "expediente" or evento.objeto_id == partida.pk
        if evento.objeto == "informe":
            suyo = evento.datos.get("partida") == partida.pk
        if not suyo:
            continue
        if evento.accion in ("volver_a_muestrear", "reinspeccionar", "reabrir_inspeccion"):
            cuando = {clave: momento for clave, momento in cuando.items() if clave in ("registrar", "inspeccionar")}
            cuando[evento.accion] = evento.ocurrio_en
        elif evento.accion == "reabrir":  # of a report that goes back to the bench, or of a case to be decided anew
            for clave in ("cerrar_fisico",) if evento.objeto == "informe" else ("dictaminar", "cerrar"):
                cuando.pop(clave, None)
        elif evento.accion == "tomar_muestra":
            cuando.setdefault(evento.accion, evento.ocurrio_en)
        elif evento.accion == "dictaminar_sin_muestra":
            cuando["dictaminar"] = evento.ocurrio_en
        else:
            cuando[evento.accion] = evento.ocurrio_en
    return cuando


def _tramo(
    expediente: Expediente,
    partida: Partida,
    dictamen: Dictamen | None,
    eventos: Sequence[Evento],
    situacion: Situacion | None,
) -> Tramo:
    cuando = _momentos(partida, eventos)
    reabierta = _se_reabrio(partida, eventos)
    if partida.estado not in (Estado.DICTAMINADO, Estado.EN_MEDIDA):
        dictamen = None  # one of an earlier round does not speak for this one
    medida = max(dictamen.medidas.all(), key=lambda medida: medida.pk, default=None) if dictamen else None
    en_emision = partida.estado == Estado.EN_LABORATORIO and "cerrar_fisico" in cuando
    en_revision = partida.estado == Estado.RESULTADO_EMITIDO and any(
        uno.tipo == Documento.Tipo.INFORME and uno.estado == Documento.Estado.EN_REVISION
        for uno in partida.documentos.all()
    )
    cerrado = expediente.estado == Estado.CERRADO
    puesto = str(expediente.puesto)
    tono = "verde"
    que_hacer = nada = _("No tiene que hacer nada por ahora.")
    match partida.estado:
        case Estado.REGISTRADO if partida.cita_en and cita_paso(partida.cita_en):
            respuesta = _("La hora de su inspección ya pasó")
            detalle = _("Era el %(cuando)s, en %(lugar)s. El puesto inspeccionará su carga o fijará otra hora.") % {
                "cuando": fecha_y_hora(partida.cita_en), "lugar": partida.terminal
            }  # fmt: skip
            que_hacer = _("Tenga la carga accesible y los documentos originales a mano: el puesto le avisará.")
            quien, sigue, tono = puesto, _("Inspección y toma de muestra"), "azul"
        case Estado.REGISTRADO if partida.cita_en:
            respuesta = _("Su carga tiene fecha de inspección")
            detalle = _("%(cuando)s, en %(lugar)s.") % {
                "cuando": fecha_y_hora(partida.cita_en), "lugar": partida.terminal
            }  # fmt: skip
            que_hacer = _("Tenga la carga accesible y los documentos originales a mano a esa hora.")
            quien, sigue, tono = puesto, _("Inspección y toma de muestra"), "azul"
        case Estado.REGISTRADO if partida.no_presentada_en:
            respuesta = _("Su carga no estaba para la inspección")
            detalle = _("El inspector fue a la hora fijada y no la encontró. El reloj del trámite está detenido.")
            que_hacer = _("Acuerde con el puesto una nueva fecha de inspección.")
            quien, sigue, tono = _("usted"), _("Programar la inspección"), "ambar"
        case Estado.REGISTRADO:
            respuesta = _("Recibimos su solicitud")
            detalle = _("Falta que el puesto fije la hora de la inspección.")
            quien, sigue = puesto, _("Programar la inspección")
        case Estado.EN_INSPECCION if reabierta:
            respuesta = _("Su expediente se abrió de nuevo: su carga vuelve a inspección")
            detalle = _("Lo decidido antes sobre esta partida ya no vale.")
            que_hacer = _("Tenga la carga accesible: el puesto le avisará.")
            quien, sigue, tono = puesto, _("Inspección y toma de muestra"), "azul"
        case Estado.EN_INSPECCION if "volver_a_muestrear" in cuando and "tomar_muestra" not in cuando:
            respuesta = _("Hay que tomar otra muestra de su carga")
            detalle = _("La anterior no sirvió para el análisis: el puesto tomará una nueva.")
            que_hacer = _("Tenga la carga accesible: el puesto le avisará.")
            quien, sigue = puesto, _("Nueva toma de muestra")
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
        case Estado.RESULTADO_EMITIDO if en_revision:
            respuesta = _("Su informe de ensayo está en revisión")
            detalle = _(
                "El laboratorio emitirá una versión corregida. Mientras tanto no se decide nada con el anterior."
            )
            quien = _("el laboratorio (%(sigla)s)") % {"sigla": LABORATORIO}
            sigue, tono = _("Versión corregida del informe"), "azul"
        case Estado.RESULTADO_EMITIDO if reabierta:
            respuesta = _("Su expediente se abrió de nuevo: falta otra decisión")
            detalle = _("Lo decidido antes sobre esta partida ya no vale.")
            quien, sigue, tono = puesto, _("Decisión de ingreso"), "azul"
        case Estado.RESULTADO_EMITIDO:
            respuesta = _("Su informe de ensayo está listo")
            detalle = _("Falta la decisión del inspector. Puede bajar el informe más abajo.")
            if not partida.documentos.all():  # issued before this system
                detalle = _("Falta la decisión del inspector. El informe se emitió en papel: pídalo al puesto.")
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
        que_hacer = nada = _("No tiene nada pendiente.")
        if medida and medida.cumplida_en is None:  # a post-entry quarantine goes on for months
            que_hacer = _("Mantenga la cuarentena posentrada hasta el %(dia)s.") % {"dia": date_format(medida.vence_en)}
    # A measure's own date is what counts while it is being carried out.
    vence_en = None if cerrado or partida.estado == Estado.EN_MEDIDA else partida.vence_en
    tarde = bool(vence_en and vence_en < reloj.ahora())
    desde = cuando.get("cerrar_fisico") if en_emision else partida.no_presentada_en or partida.estado_desde
    pide = que_hacer != nada
    if situacion:
        pide = expediente.estado == Estado.OBSERVADO
        respuesta, detalle, que_hacer = situacion.respuesta, situacion.detalle, situacion.que_hacer
        quien, sigue, desde, tono = situacion.quien, situacion.sigue, situacion.desde, situacion.tono
        vence_en, tarde = None, False
    return Tramo(
        partida=partida,
        respuesta=respuesta,
        detalle=detalle,
        que_hacer=que_hacer,
        pide=pide,
        quien=quien,
        sigue=sigue,
        desde=desde,
        vence_en=vence_en,
        tarde=tarde,
        tono=tono,
        etapas=_etapas(expediente, partida, cuando, medida, en_emision, en_revision),
        dictamen=dictamen,
        medida=medida,
    )


def _decidida(dictamen: Dictamen | None, medida: Medida | None) -> tuple[str, str, str, str]:
    nada = _("No tiene que hacer nada por ahora.")
    if dictamen and dictamen.riv_en_papel and dictamen.decision == Dictamen.Decision.INGRESO:
        papel = _("Lo acredita su reporte de inspección en papel: %(numero)s.") % {"numero": dictamen.riv_en_papel}
        return _("Su carga puede ingresar"), papel, nada, "verde"
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
    en_revision: bool,
) -> list[Etapa]:
    decidida = partida.estado in (Estado.DICTAMINADO, Estado.EN_MEDIDA)
    terminado = expediente.estado in FINALES
    con_laboratorio = "enviar" in cuando or not (decidida or terminado)
    sin_inspeccion = decidida and not {"inspeccionar", "tomar_muestra"} & set(cuando)
    # Name, the act that ends it, and the moment it is told by.
    pasos: list[tuple[str, bool, datetime | None, str]] = [
        (_("Solicitud recibida"), True, cuando.get("registrar"), ""),
        (
            _("Inspección y toma de muestra") if con_laboratorio else _("Inspección"),
            "enviar" in cuando or decidida or (terminado and "inspeccionar" in cuando),
            # What the staff's page dates the stage by; sheets of before may have the sample alone.
            cuando.get("inspeccionar") or cuando.get("tomar_muestra"),
            partida.terminal,
        ),
    ]
    if sin_inspeccion:  # decided on its papers
        del pasos[1]
    if con_laboratorio:
        emitido = "emitir" in cuando and not en_revision
        nota = _("en emisión") if en_emision else _("en revisión") if en_revision else ""
        pasos += [
            (_("Análisis en el laboratorio"), emitido or en_emision or en_revision, cuando.get("enviar"), ""),
            (_("Informe de ensayo"), emitido, cuando.get("emitir") or cuando.get("cerrar_fisico"), nota),
        ]
    pasos.append((_("Decisión"), decidida, cuando.get("dictaminar") if decidida else None, ""))
    if medida:
        nombre = _("Medida: %(medida)s") % {"medida": medida.get_tipo_display().lower()}
        pasos.append((nombre, medida.cumplida_en is not None, medida.cumplida_en or medida.ordenada_en, ""))
    if terminado:
        # What was not done will not be: the story ends here.
        hechos = [paso for paso in pasos if paso[1]]
        pasos = [*hechos, (str(FINALES[Estado(expediente.estado)]), True, expediente.estado_desde, "")]
    else:
        pasos.append((_("Cierre"), expediente.estado == Estado.CERRADO, cuando.get("cerrar"), ""))
    dados = 0
    if expediente.estado == Estado.OBSERVADO:
        # What had begun before the observation stands before it, with its hour.
        dados = next((n for n, paso in enumerate(pasos) if not (paso[1] or paso[2])), len(pasos))
        pasos.insert(dados, (_("Observado: esperamos su respuesta"), False, expediente.estado_desde, ""))
    etapas, actual_puesta = [], False
    for n, (nombre, hecha, momento, nota) in enumerate(pasos):
        situacion = "hecha" if hecha else "empezada" if n < dados else "pendiente" if actual_puesta else "actual"
        actual_puesta |= situacion == "actual"
        fecha = momento if situacion != "pendiente" else None
        etapas.append(Etapa(nombre, situacion, fecha, nota, ayuda=_ayuda(nombre, medida)))
    return etapas


def _ayuda(nombre: str, medida: Medida | None) -> str:
    """What a stage is, to somebody who has never imported anything."""
    de_la_muestra = _(
        "El inspector revisa los documentos y la carga. Si el producto lo pide, toma una muestra y la envía al "
        "laboratorio. La carga sigue retenida mientras tanto."
    )
    ayudas = {
        _("Solicitud recibida"): _(
            "Registramos su solicitud y le dimos un número. El puesto revisa los documentos y fija la hora de la "
            "inspección."
        ),
        _("Inspección y toma de muestra"): de_la_muestra,
        _("Inspección"): de_la_muestra,
        _("Análisis en el laboratorio"): _(
            "El laboratorio busca en la muestra insectos, hongos, bacterias, virus, nematodos y semillas de malezas. "
            "Algunos ensayos necesitan que algo crezca, y eso lleva días."
        ),
        _("Informe de ensayo"): _(
            "Es el documento firmado con los resultados. Puede bajarlo aquí y cualquiera puede comprobar que es "
            "auténtico con su código."
        ),
        _("Decisión"): _(
            "El inspector decide con el informe: la carga ingresa, ingresa con condiciones o se rechaza. Lo escribe en "
            "un reporte (RIV) que usted puede bajar."
        ),
        _("Cierre"): _("No queda nada pendiente de nadie. Sus documentos siguen en esta página seis meses más."),
        _("Observado: esperamos su respuesta"): _(
            "Falta algo para continuar. El plazo del trámite no corre mientras usted prepara su respuesta."
        ),
    }
    if medida and nombre not in ayudas:
        return _(
            "Lo que debe hacerse con la carga antes de terminar: tratarla, devolverla, entregarla o vigilarla. El "
            "puesto comprueba que se cumplió."
        )
    return ayudas.get(nombre, "")


# ── When it will end, and whose time it was ───────────────────────────────────────────────────────


def pronosticar(expediente: Expediente, relato: Relato) -> pronosticos.Prevision | None:
    """When the case should end, as it stands now; None when too few were like it, or it depends on its importer."""
    suyos: Hitos | None = getattr(expediente, "hitos", None)
    ausente = any(uno.partida.estado == Estado.REGISTRADO and uno.partida.no_presentada_en for uno in relato.tramos)
    aqui = pronosticos.donde_esta(expediente, suyos) if suyos and not ausente else None
    if suyos is None or aqui is None:
        return None
    return pronosticos.prever(suyos, tramo=aqui[0], desde=aqui[1], momento=reloj.ahora())


def reparto(expediente: Expediente) -> dict[str, Any] | None:
    """Whose time it was, from the ledger that the directors read too."""
    suyos: Hitos | None = getattr(expediente, "hitos", None)
    if suyos is None:
        return None
    nombres = {
        tiempos.PUESTO: _("El puesto"),
        tiempos.TRASLADO: _("El traslado"),
        tiempos.LABORATORIO: _("El laboratorio"),
        tiempos.IMPORTADOR: _("Usted"),
    }
    return tiempos.dibujar(tiempos.hasta_ahora(suyos, reloj.ahora()), nombres)


def _se_reabrio(partida: Partida, eventos: Sequence[Evento]) -> bool:
    """Whether the line stands where a reopening left it."""
    suyos = [evento for evento in eventos if evento.objeto == "partida" and evento.objeto_id == partida.pk]
    cambios = [evento for evento in suyos if evento.de != evento.a]
    return bool(cambios) and cambios[-1].accion in ("reabrir", "reabrir_inspeccion")


def como_se_firmo(documento: Documento) -> str:
    """Who closed and signed a report, as the law on automated decisions wants it told (DS 016-2024-JUS)."""
    if documento.tipo != Documento.Tipo.INFORME:
        return ""
    if documento.firma == Documento.Firma.AUTOMATICA:
        return _(
            "Una máquina cerró y firmó este informe (regla v%(regla)s): todos los resultados fueron negativos. "
            "Puede pedir al puesto que lo revise una persona."
        ) % {"regla": documento.regla_version}
    if not documento.titular:  # of before directors had a certificate of their own
        return _("Autorizó este informe el director del laboratorio.")
    if documento.firma == Documento.Firma.SUPLENTE:
        return _("Firmó este informe quien suplía al director del laboratorio.")
    return _("Firmó este informe el director del laboratorio.")

"""Walks cases through the real services: true histories for the demonstration and for the tests.

Nothing here writes a row by itself. Each step is what a person or the system would do, at the hour that
`senasa.reloj` says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random

from expedientes import incidencias, lectura
from expedientes import services as casos
from expedientes.models import Dictamen, Expediente, Medida, Motivo, Partida
from senasa import reloj
from senasa.models import Puesto, Usuario

from . import contramuestras, despachos, enmiendas, firmas, hojas, preguntas, reversiones, rotulos
from . import services as laboratorio
from .models import (
    Analisis,
    EstadoAnalisis,
    EstadoInforme,
    EstadoMuestra,
    HojaDeTrabajo,
    Informe,
    Muestra,
    Renglon,
    Rotulo,
    TandaRotulos,
    TipoDeControl,
    Valor,
)


@dataclass
class Caso:
    """A case on its way. `personas`: who acts for each role, by demo user name."""

    expediente: Expediente
    personas: Mapping[str, Usuario]
    azar: Random = field(default_factory=lambda: Random(1))  # noqa: S311
    valor: str = Valor.NEGATIVO
    decision: str = Dictamen.Decision.INGRESO
    comparte: bool = False

    @property
    def inspector(self) -> Usuario:
        return self.personas["inspector.aereo" if self.expediente.puesto.codigo == "PCA" else "inspector"]

    @property
    def verificadores(self) -> list[Usuario]:
        return [persona for usuario, persona in self.personas.items() if usuario.startswith("verificador")]

    @property
    def partidas(self) -> list[Partida]:
        return list(self.expediente.partidas.all())

    @property
    def analisis(self) -> list[Analisis]:
        return list(Analisis.objects.filter(expediente=self.expediente).exclude(estado=EstadoAnalisis.CANCELADO))

    def por_hacer(self, *estados: str) -> list[Analisis]:
        """The analyses that a step of the bench finds; those of an earlier round are done."""
        return [uno for uno in self.analisis if uno.estado in estados]


def programar(caso: Caso) -> None:
    for partida in caso.partidas:
        casos.programar(
            partida=partida,
            actor=caso.inspector,
            cita_en=reloj.ahora() + timedelta(hours=caso.azar.randint(2, 20)),
            terminal=caso.expediente.lugar or "Almacén del puesto",
        )


def inspeccionar(caso: Caso) -> None:
    for partida in caso.partidas:
        casos.inspeccionar(
            partida=partida, actor=caso.inspector, documentaria="conforme", identidad="conforme", fisica="conforme"
        )


def tomar_muestra(caso: Caso) -> None:
    for partida in caso.partidas:
        laboratorio.tomar_muestra(
            partida=partida,
            actor=caso.inspector,
            precinto=str(caso.azar.randint(700000, 999999)),
            conservacion=Muestra.Conservacion.REFRIGERADA
            if partida.producto.perecible
            else Muestra.Conservacion.AMBIENTE,
            cantidad=Decimal(caso.azar.choice(["0.5", "1", "2", "3"])),
            unidad="kg",
            lote=f"L-{caso.azar.randint(100, 999)}",
            plan_de_muestreo="Muestra compuesta del 2 % de los envases",
        )


def rotular(caso: Caso) -> None:
    """Blank labels of the post on what was taken, as on a quay without a printer."""
    tomadas = caso.expediente.muestras.filter(estado=EstadoMuestra.TOMADA, rotulo=None)
    for muestra in tomadas:
        libres = Rotulo.objects.filter(tanda__puesto=caso.expediente.puesto, muestra=None)
        rotulo = libres.first() or _tanda(caso).rotulos.first()
        assert rotulo  # a batch has labels
        rotulos.rotular(muestra=muestra, rotulo=rotulo, actor=caso.inspector)


def _tanda(caso: Caso) -> TandaRotulos:
    return rotulos.imprimir_en_blanco(puesto=caso.expediente.puesto, actor=caso.inspector, cuantos=rotulos.POR_HOJA)


def enviar(caso: Caso) -> None:
    """Its lines in one car; with `comparte`, in the one that another case's samples have just left in."""
    despacho = despachos.abiertos(caso.expediente.puesto).first() if caso.comparte else None
    for partida in caso.partidas:
        solicitud = laboratorio.enviar(
            despacho=despacho,
            partida=partida,
            actor=caso.inspector,
            ensayos=[(requisito.metodo, requisito.plaga) for requisito in laboratorio.requisitos_de(partida)],
            transporte="" if despacho else "Vehículo del puesto",
        )
        despacho = solicitud.despacho


def recibir(caso: Caso) -> None:
    for muestra in caso.expediente.muestras.filter(estado=EstadoMuestra.ENVIADA):
        laboratorio.recibir(
            muestra=muestra,
            actor=caso.personas["recepcion"],
            condicion=Muestra.Condicion.BUENA,
            cantidad_recibida=muestra.cantidad,
        )


def preguntar(caso: Caso) -> None:
    """Reception asks the post about what it has just received."""
    muestra = caso.expediente.muestras.filter(estado=EstadoMuestra.RECIBIDA).first()
    assert muestra
    preguntas.preguntar(
        muestra=muestra,
        actor=caso.personas["recepcion"],
        texto="El lote del rótulo no es el de la solicitud: ¿cuál de los dos vale?",
        vence_en=reloj.ahora() + timedelta(hours=caso.azar.choice([8, 24, 48])),
    )


def contestar(caso: Caso) -> None:
    for pregunta in caso.expediente.preguntas.filter(respondida_en=None):
        preguntas.contestar(
            pregunta=pregunta, actor=caso.inspector, respuesta="Vale el del rótulo; en la solicitud se escribió otro."
        )


def guardar_contramuestra(caso: Caso) -> None:
    for muestra in caso.expediente.muestras.filter(estado=EstadoMuestra.ANALIZADA):
        laboratorio.guardar_contramuestra(
            muestra=muestra,
            actor=caso.personas["recepcion"],
            lugar=f"Cámara {caso.azar.randint(1, 3)}, caja {caso.azar.randint(1, 40)}",
            hasta=contramuestras.hasta_por_omision(),
        )


def rechazar(caso: Caso) -> None:
    for muestra in caso.expediente.muestras.filter(estado=EstadoMuestra.ENVIADA):
        laboratorio.rechazar(
            muestra=muestra,
            actor=caso.personas["recepcion"],
            motivo=_motivo(caso, "rechazar"),
            texto="El envase llegó abierto y la muestra no alcanza para los análisis pedidos.",
        )


def perder(caso: Caso) -> None:
    for muestra in caso.expediente.muestras.filter(estado=EstadoMuestra.ENVIADA):
        laboratorio.perder(
            muestra=muestra,
            actor=caso.personas["recepcion"],
            motivo="no-llego",
            texto="El vehículo llegó sin ella; el conductor no recuerda haberla cargado.",
        )


def asignar(caso: Caso) -> None:
    for analisis in caso.por_hacer(EstadoAnalisis.PENDIENTE):
        laboratorio.asignar(
            analisis=analisis,
            analista=caso.personas[caso.azar.choice(["analista", "analista2"])],
            actor=caso.personas["recepcion"],
        )


def iniciar(caso: Caso) -> None:
    for analisis in caso.por_hacer(EstadoAnalisis.ASIGNADO):
        laboratorio.iniciar(analisis=analisis, actor=_analista(analisis))


def registrar(caso: Caso) -> None:
    """Record what is on the bench: the case's value on the first analysis, negative on the others."""
    for i, analisis in enumerate(caso.analisis):
        if analisis.estado != EstadoAnalisis.EN_PROCESO:
            continue
        valor = caso.valor if i == 0 else Valor.NEGATIVO
        laboratorio.registrar(
            analisis=analisis,
            actor=_analista(analisis),
            valor=valor,
            plaga=analisis.plaga if valor == Valor.POSITIVO else None,
        )


def revertir(caso: Caso) -> None:
    """Its analyst steps the first analysis back, before anybody verified it."""
    analisis = caso.analisis[0]
    reversiones.revertir(
        analisis=analisis,
        actor=_analista(analisis),
        motivo=_motivo(caso, "revertir"),
        texto="Se anotó el resultado de otra muestra de la misma bandeja.",
    )


def revertir_inicio(caso: Caso) -> None:
    for analisis in caso.por_hacer(EstadoAnalisis.EN_PROCESO)[:1]:
        reversiones.revertir_inicio(
            analisis=analisis,
            actor=_analista(analisis),
            motivo=_motivo(caso, "revertir_inicio"),
            texto="Faltaba el reactivo: se empieza de nuevo cuando llegue.",
        )


def revertir_asignacion(caso: Caso) -> None:
    for analisis in caso.por_hacer(EstadoAnalisis.ASIGNADO)[:1]:
        reversiones.revertir_asignacion(
            analisis=analisis,
            actor=caso.personas["recepcion"],
            motivo=_motivo(caso, "revertir_asignacion"),
            texto="Ese día está de descanso.",
        )


def revertir_recepcion(caso: Caso) -> None:
    for muestra in caso.expediente.muestras.filter(estado=EstadoMuestra.RECIBIDA):
        reversiones.revertir_recepcion(
            muestra=muestra,
            actor=caso.personas["recepcion"],
            motivo=_motivo(caso, "revertir_recepcion"),
            texto="Se marcó la bolsa siguiente; esta llegó con el vehículo de la tarde.",
        )


def revertir_analisis(caso: Caso) -> None:
    """A verifier takes all the work on its samples back to its beginning."""
    for muestra in caso.expediente.muestras.filter(estado=EstadoMuestra.EN_ANALISIS):
        reversiones.revertir_analisis(
            muestra=muestra,
            actor=caso.verificadores[0],
            motivo=_motivo(caso, "revertir_analisis"),
            texto="Aparecieron ácaros de la muestra vecina: se rehace con lo que queda.",
        )


def verificar(caso: Caso) -> None:
    for analisis in caso.por_hacer(EstadoAnalisis.REGISTRADO):
        for vez in range(analisis.metodo.verificaciones):
            laboratorio.verificar(analisis=analisis, actor=caso.verificadores[vez])


def firmar(caso: Caso) -> None:
    """The system signs after the grace time; what it may not sign, the director orders."""
    for informe in Informe.objects.filter(expediente=caso.expediente):
        with reloj.fijado(max(reloj.ahora(), informe.firmar_desde or reloj.ahora())):
            if informe.estado == EstadoInforme.POR_FIRMAR:
                firmas.ordenar_firma(informe=informe, actor=caso.personas["director"])
            firmas.firmar_informe(informe_id=informe.pk)


def enmendar(caso: Caso) -> None:
    """The director corrects the lot in its reports, which wait for his signature again."""
    for informe in Informe.objects.filter(expediente=caso.expediente, estado=EstadoInforme.EMITIDO):
        enmiendas.enmendar(
            informe=informe,
            actor=caso.personas["director"],
            motivo="dato-de-la-muestra",
            texto="El lote se copió mal del rótulo.",
            cambios={muestra: {"lote": f"{muestra.lote}-B"} for muestra in informe.solicitud.muestras.all()},
        )


def enmendar_resultado(caso: Caso) -> None:
    """The director has the first analysis of each of its reports done again."""
    for informe in Informe.objects.filter(expediente=caso.expediente, estado=EstadoInforme.EMITIDO):
        enmiendas.enmendar_resultado(
            informe=informe,
            actor=caso.personas["director"],
            analisis=list(enmiendas.rehacibles(informe)[:1]),
            motivo="falla-del-metodo",
            texto="La revisión del control mostró una deriva del equipo ese día.",
        )


def anular_informe(caso: Caso) -> None:
    for informe in Informe.objects.filter(expediente=caso.expediente, estado=EstadoInforme.EMITIDO):
        enmiendas.anular(
            informe=informe,
            actor=caso.personas["director"],
            motivo="muestra-equivocada",
            texto="La muestra era de otro lote del mismo importador.",
        )


def dictaminar(caso: Caso) -> None:
    fundamento = {
        Dictamen.Decision.INGRESO: "Documentación e inspección conformes; informe de ensayo negativo.",
        Dictamen.Decision.CONDICIONADO: "Ingreso condicionado a tratamiento en destino.",
        Dictamen.Decision.RECHAZO: "El informe de ensayo halló una plaga que impide el ingreso.",
    }[Dictamen.Decision(caso.decision)]
    for partida in caso.partidas:
        for informe in casos.informes_vigentes(partida):
            # Read some time between its issue and now.
            espera = (reloj.ahora() - informe.emitido_en) * Random(informe.pk).uniform(0.1, 0.9)  # noqa: S311
            with reloj.fijado(informe.emitido_en + max(espera, timedelta())):
                lectura.anotar([informe], caso.inspector)
        casos.dictaminar(partida=partida, actor=caso.inspector, decision=caso.decision, fundamento=fundamento)


def dictaminar_sin_muestra(caso: Caso) -> None:
    for partida in caso.partidas:
        casos.dictaminar_sin_muestra(
            partida=partida,
            actor=caso.inspector,
            decision=Dictamen.Decision.INGRESO,
            motivo="no-requiere-muestreo",
            texto="Documentación e inspección conformes; el producto no requiere muestreo.",
        )


def emitir_riv(caso: Caso) -> None:
    for dictamen in Dictamen.objects.filter(partida__expediente=caso.expediente, riv=None):
        casos.emitir_riv(dictamen_id=dictamen.pk)


def ordenar_medida(caso: Caso) -> None:
    tipo = {
        Dictamen.Decision.CONDICIONADO: Medida.Tipo.TRATAMIENTO,
        Dictamen.Decision.RECHAZO: caso.azar.choice([Medida.Tipo.REEMBARQUE, Medida.Tipo.DESTRUCCION]),
    }.get(Dictamen.Decision(caso.decision))
    if tipo is None:
        return
    for partida in caso.partidas:
        casos.ordenar_medida(
            partida=partida,
            actor=caso.inspector,
            tipo=tipo,
            vence_en=(reloj.ahora() + timedelta(days=20)).date(),
            indicaciones="Coordinar fecha y lugar con el puesto de control.",
        )


def cumplir_medida(caso: Caso) -> None:
    for partida in caso.partidas:
        if partida.medida_pendiente:
            casos.cumplir_medida(
                partida=partida, actor=caso.inspector, acta=f"ACTA-{caso.azar.randint(1000, 9999)}-{partida.orden}"
            )


def cerrar(caso: Caso) -> None:
    caso.expediente.refresh_from_db()
    casos.cerrar(expediente=caso.expediente, actor=caso.inspector)


def no_presentada(caso: Caso) -> None:
    for partida in caso.partidas:
        casos.no_presentada(partida=partida, actor=caso.inspector, texto="El contenedor seguía en la nave.")


def observar(caso: Caso) -> None:
    incidencias.observar(
        expediente=caso.expediente,
        actor=caso.inspector,
        puntos="Presentar el certificado fitosanitario original.\nAclarar el peso neto: no coincide con la DAM.",
        vence_en=incidencias.plazo_para_responder(),
        motivo=_motivo(caso, "observar"),
        texto="Se revisaron los documentos al inspeccionar la carga.",
    )


def responder(caso: Caso) -> None:
    incidencias.responder(
        expediente=caso.expediente,
        actor=None,
        respuesta="Se presenta el certificado original y la DAM corregida: el peso correcto es el de la solicitud.",
    )


def trasladar(caso: Caso) -> None:
    incidencias.trasladar(
        expediente=caso.expediente,
        actor=caso.personas["jefe"],
        a_puesto=Puesto.objects.exclude(pk=caso.expediente.puesto_id).order_by("codigo")[0],
        texto="La carga se movió al otro recinto y allí se va a inspeccionar.",
    )


def desistir(caso: Caso) -> None:
    incidencias.desistir(
        expediente=caso.expediente,
        actor=caso.personas["jefe"],
        motivo="reembarque-voluntario",
        texto="El importador pidió por escrito reembarcar la carga.",
    )


def anular(caso: Caso) -> None:
    incidencias.anular(
        expediente=caso.expediente,
        actor=caso.personas["jefe"],
        motivo="carga-no-llego",
        texto="La carga no salió de origen; se presentará otra solicitud.",
    )


def ordenar_posentrada(caso: Caso) -> None:
    for partida in caso.partidas:
        casos.ordenar_medida(
            partida=partida,
            actor=caso.inspector,
            tipo=Medida.Tipo.POSENTRADA,
            vence_en=(reloj.ahora() + timedelta(days=180)).date(),
            indicaciones="Mantener las plantas en el lugar autorizado, a disposición del inspector.",
        )


def tomar_muchas(caso: Caso) -> None:
    """Fifteen samples of each line: a lot that fills a sheet."""
    for _vez in range(15):
        tomar_muestra(caso)


def abrir_hoja(caso: Caso) -> None:
    """Its analyst puts the analyses of one method on a worksheet."""
    por_hacer = caso.por_hacer(EstadoAnalisis.PENDIENTE)
    metodo = por_hacer[0].metodo
    hojas.abrir_hoja(
        metodo=metodo,
        analisis=[uno for uno in por_hacer if uno.metodo_id == metodo.pk],
        actor=caso.personas["analista"],
    )


def anotar_la_mitad(caso: Caso) -> None:
    renglones = list(_su_hoja(caso).renglones.select_related("analisis"))
    _anotar(caso, renglones[: len(renglones) // 2])


def anotar_todas(caso: Caso) -> None:
    _anotar(caso, list(_su_hoja(caso).renglones.select_related("analisis")))


def _anotar(caso: Caso, renglones: list[Renglon]) -> None:
    for renglon in renglones:
        laboratorio.registrar(
            analisis=renglon.analisis, actor=caso.personas["analista"], valor=Valor.NEGATIVO, lectura="0 individuos"
        )


def fallar_control(caso: Caso) -> None:
    """The positive control gives nothing: what was read in the run does not count."""
    hoja = _su_hoja(caso)
    hojas.anotar_control(
        hoja=hoja,
        actor=caso.personas["analista"],
        tipo=TipoDeControl.POSITIVO,
        obtenido="No se detectó",
        conforme=False,
        corrida=hoja.corrida,
    )


def _su_hoja(caso: Caso) -> HojaDeTrabajo:
    return HojaDeTrabajo.objects.filter(renglones__analisis__expediente=caso.expediente).latest("pk")


def _motivo(caso: Caso, accion: str) -> str:
    return caso.azar.choice(
        list(Motivo.objects.filter(accion=accion, activo=True).order_by("codigo").values_list("codigo", flat=True))
    )


def _analista(analisis: Analisis) -> Usuario:
    assert analisis.analista  # the chain assigns before it starts
    return analisis.analista


# The chain in order: the name of where a case stands after each step.
PASOS: dict[str, Callable[[Caso], None]] = {
    "programado": programar,
    "en_inspeccion": inspeccionar,
    "muestreado": tomar_muestra,
    "en_laboratorio": enviar,
    "recibido": recibir,
    "asignado": asignar,
    "en_proceso": iniciar,
    "con_resultado": registrar,
    "verificado": verificar,
    "resultado_emitido": firmar,
    "dictaminado": dictaminar,
    "con_riv": emitir_riv,
    "en_medida": ordenar_medida,
    "medida_cumplida": cumplir_medida,
    "cerrado": cerrar,
}

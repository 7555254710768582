"""The life cycles of case, line, sample, analysis and report together, walked at random against the expected matrix.

Every step is an act by somebody, rightly or wrongly, on some object, at an hour that only goes on. What the matrix
(written from domain.md, `test_lifecycle.ESPERADO`) forbids must be refused and change nothing; what it allows must
lead where it says, or be refused by a guard that domain.md names. After every step the invariants of domain.md hold.

`MODELO_EJEMPLOS` and `MODELO_PASOS` set the size: the nightly one is 1000 × 50.
"""

import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from expedientes import asignacion, incidencias
from expedientes import services as casos
from expedientes.archivos import del_certificado
from expedientes.bitacora import fallas
from expedientes.models import ORDEN_DE_PARTIDAS, TERMINADOS, Dictamen, Documento, Estado, Evento, Medida, Partida
from expedientes.plazos import suspensiones
from laboratorio import contramuestras, enmiendas, firmas, hojas, recepcion, reversiones, rotulos
from laboratorio import services as laboratorio
from laboratorio.models import (
    Analisis,
    Control,
    EstadoAnalisis,
    EstadoInforme,
    EstadoMuestra,
    HojaDeTrabajo,
    Informe,
    Muestra,
    Resultado,
    Reversion,
    TipoDeControl,
)
from laboratorio.recorrido import Caso
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.models import Puesto, Usuario
from senasa.transicion import ActoRechazado, DatoInvalido
from tests.builders import crear_caso, personas
from tests.test_lifecycle import ESPERADO

pytestmark = [pytest.mark.servicios, pytest.mark.django_db]

EJEMPLOS = int(os.environ.get("MODELO_EJEMPLOS", "12"))
PASOS = int(os.environ.get("MODELO_PASOS", "40"))

# Who holds each role in the demonstration; the importer is nobody's user.
DE_ROL = {
    "mesa_de_partes": "mesa", "inspector": "inspector", "jefe_de_puesto": "jefe", "recepcion": "recepcion",
    "analista": "analista", "verificador": "verificador", "director": "director", "direccion": "direccion",
    "atencion": "atencion",
}  # fmt: skip
# What the matrix allows and a guard of domain.md may still refuse.
CON_GUARDA = {
    ("expediente", "abandonar"),  # not before the answer is due
    ("expediente", "anular"),  # the importer, only before the first sample
    ("expediente", "aceptar_traslado"), ("expediente", "rechazar_traslado"), ("expediente", "trasladar"),
    ("expediente", "cambiar_agente"),  # the same one is no change
    ("expediente", "asignar"), ("expediente", "tomar"),  # what nobody has
    ("expediente", "pasar"),  # what somebody has, by whoever has it, to another
    ("expediente", "cerrar"),  # nothing may be pending
    ("expediente", "reabrir"), ("expediente", "reabrir_inspeccion"),
    ("partida", "programar"),  # the same hour is no act
    ("partida", "no_presentada"),  # there was no hour to come to
    ("partida", "enviar"),  # there is a sample to send
    ("partida", "dictaminar"),  # no ingreso over a positive A1/A2 or an indeterminado
    ("partida", "ordenar_medida"),  # the measure belongs to the decision
    ("partida", "reinspeccionar"),  # only after a treatment
    ("partida", "cumplir_medida"), ("partida", "tomar_muestra"),
    ("analisis", "asignar"),  # what was received, and to oneself
    ("analisis", "iniciar"), ("analisis", "registrar"),  # its own analyst
    ("analisis", "verificar"),  # neither its analyst nor an earlier verifier
    ("analisis", "revertir"),  # before the signature, its analyst or a verifier
    ("analisis", "cancelar"),  # never what is not negative
    ("analisis", "repetir"),  # its own analyst
    ("analisis", "pasar"),  # an analyst his own, and not to whom has it
    ("analisis", "adjuntar"),  # its own analyst, before the signature
    ("muestra", "guardar_contramuestra"),  # once its report is out
    ("muestra", "revertir_recepcion"),  # while nothing of it was begun
    ("muestra", "revertir_contramuestra"),  # not while a second opinion keeps it
    ("muestra", "revertir_analisis"),  # before the signature; an analyst, his own
    ("analisis", "revertir_inicio"), ("analisis", "revertir_asignacion"),  # an analyst, his own
    ("informe", "devolver"),  # an administrative amendment is taken back instead
    ("informe", "enmendar"), ("informe", "enmendar_resultado"),  # not of a case that ended undecided
    ("informe", "retirar_enmienda"),  # only an administrative one
    ("muestra", "rotular"),  # one label each
    ("muestra", "pedir_dirimencia"), ("muestra", "levantar_dirimencia"),
    ("muestra", "eliminar"),  # past its date, and no second opinion pending
}  # fmt: skip
MOTIVO = {
    "observar": "faltan-documentos", "abandonar": "sin-respuesta", "desistir": "otro-destino",
    "anular": "otra-entidad", "reabrir": "mandato", "dictaminar_sin_muestra": "no-requiere-muestreo",
    "rechazar": "envase-roto", "perder": "no-llego", "anular_muestra": "mal-tomada", "revertir": "dato-errado",
    "cancelar": "pedido-por-error", "repetir": "control-fallido", "devolver": "resultado-dudoso",
    "revertir_recepcion": "recibida-por-error", "revertir_analisis": "contaminacion",
    "revertir_contramuestra": "guardada-por-error", "revertir_inicio": "iniciado-por-error",
    "revertir_asignacion": "otra-persona", "enmendar": "dato-de-la-muestra",
    "enmendar_resultado": "resultado-en-duda", "anular_emitido": "emitido-por-error",
}  # fmt: skip


# By whom there is somebody to do them. A case is registered once, a sample travels with its line's dispatch, and a
# line is opened again with its case.
APARTE = {
    ("expediente", "registrar"), ("muestra", "enviar"), ("partida", "reabrir"), ("partida", "reabrir_inspeccion"),
    ("analisis", "devolver"), ("analisis", "enmendar_resultado"),
    ("informe", "subir_firmado"),  # with a signed file: tests/laboratorio/test_firma_fuera.py
}  # fmt: skip
ACTOS = [
    (tabla, accion)
    for tabla, actos in ESPERADO.items()
    for accion, (_desde, _a, roles) in actos.items()
    if roles - {"sistema"} and (tabla, accion) not in APARTE
]


class Vidas(RuleBasedStateMachine):
    """One case with its lines, and everybody who may touch it."""

    def __init__(self) -> None:
        super().__init__()
        self.transaccion = transaction.atomic()
        self.transaccion.__enter__()
        self.gente = personas()
        self.ahora = datetime(2026, 3, 2, 14, tzinfo=timezone.get_default_timezone())
        self.n = 0
        self.fundado: dict[int, list[int]] = {}
        self.habia: dict[str, int] = {}
        self.examinados: set[int] = set()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.transaccion.__exit__(None, None, None)

    @initialize(
        producto=st.sampled_from([("uva-fresca", "CL"), ("semilla-de-maiz", "RS"), ("durazno", "CL")]),
        partidas=st.integers(1, 2),
    )
    def empezar(self, producto: tuple[str, str], partidas: int) -> None:
        with reloj.fijado(self.ahora):
            caso: Caso = crear_caso(hace=timedelta(0), partidas=partidas, producto=producto[0], origen=producto[1])
        self.expediente = caso.expediente

    # ── What can be done ──────────────────────────────────────────────────────────────────────────

    def objetos(self, tabla: str) -> list[Any]:
        modelo = {"partida": Partida, "muestra": Muestra, "analisis": Analisis, "informe": Informe}
        if tabla == "expediente":
            self.expediente.refresh_from_db()
            return [self.expediente]
        return list(modelo[tabla].objects.filter(expediente=self.expediente).order_by("pk"))

    def permitido(self, tabla: str, accion: str, objeto: Any, rol: str) -> bool:
        """What domain.md says, in so many words."""
        desde, _a, roles = ESPERADO[tabla][accion]
        if objeto.estado not in desde or rol not in roles:
            return False
        if tabla == "partida":
            caso = self.objetos("expediente")[0].estado
            if caso == "observado":
                return False  # the post waits for the importer; only the system's steps go on
            if caso in ("abandonado", "desistido", "anulado"):
                return False
            if caso == "cerrado":
                return accion == "cumplir_medida"
        return True

    @rule(
        cual=st.sampled_from(ACTOS),
        azar=st.integers(0, 2**32 - 1),
        minutos=st.integers(5, 2000),
    )  # fmt: skip
    def actuar(self, cual: tuple[str, str], azar: int, minutos: int) -> None:
        tabla, accion = cual
        suerte = Random(azar)
        objetos = self.objetos(tabla)
        if not objetos:
            return
        if (tabla == "expediente" and accion in ("desistir", "anular")) and suerte.random() < 0.7:
            return  # else few walks would get past them
        # Mostly what can be done, so that the walk gets far; sometimes anything by anybody.
        buenos = [uno for uno in objetos if uno.estado in ESPERADO[tabla][accion][0]]
        objeto = suerte.choice(buenos if buenos and suerte.random() < 0.85 else objetos)
        roles = sorted(ESPERADO[tabla][accion][2] - {"sistema"})
        rol = suerte.choice(roles if suerte.random() < 0.85 else sorted(DE_ROL))
        if tabla == "analisis" and rol == "analista" and objeto.analista_id:
            actor: Usuario | None = objeto.analista
        else:
            actor = None if rol == "importador" else self.gente[DE_ROL[rol]]
        self.ahora += timedelta(minutes=minutos)
        hacer = getattr(self, f"hacer_{accion}", None) or getattr(self, f"hacer_{tabla}_{accion}")
        self.n += 1
        antes, permitido, rechazo = self.foto(), self.permitido(tabla, accion, objeto, rol), ""
        try:
            with transaction.atomic(), reloj.fijado(self.ahora):
                hacer(objeto, actor, suerte)
        except (ActoRechazado, DatoInvalido) as error:
            rechazo = str(error)
        if rechazo:
            assert self.foto() == antes, f"{accion} se rechazó y cambió algo"
            guardado = not permitido or (tabla, accion) in CON_GUARDA
            assert guardado, f"{tabla}.{accion} desde {antes} por {rol} se rechazó: {rechazo}"
            return
        assert permitido, f"{tabla}.{accion} desde {objeto.estado} por {rol} no debía poder hacerse"
        self.comprobar(tabla, accion, objeto, antes)

    def comprobar(self, tabla: str, accion: str, objeto: Any, antes: dict[str, Any]) -> None:
        """It went where the matrix says, and the log says so once."""
        escrito = accion
        if accion == "reabrir":
            escrito = Evento.objects.filter(objeto="expediente").latest("n").accion
        evento = Evento.objects.filter(
            expediente=self.expediente, objeto=tabla, objeto_id=objeto.pk, accion=escrito, n__gt=antes["eventos"]
        ).get()
        a = ESPERADO[tabla][escrito][1]
        if a == "=":
            assert evento.a == evento.de
        elif a != "donde_estaba":
            assert evento.a == a
        else:
            assert evento.a in ORDEN_DE_PARTIDAS

    @rule(horas=st.integers(1, 60))
    def pasa_el_tiempo(self, horas: int) -> None:
        """The machine does what is due."""
        self.ahora += timedelta(hours=horas)
        with reloj.fijado(self.ahora):
            firmas.barrer_informes()
            recepcion.barrer_demoras()
            casos.barrer_rivs()
            incidencias.recordar_observaciones()
            casos.cerrar_listos()

    @rule(azar=st.integers(0, 2**32 - 1))
    def siguiente(self, azar: int) -> None:
        """The next act of somebody's day: without it a random walk seldom reaches a report."""
        estados = {
            "partida": {"registrado": "inspeccionar", "en_inspeccion": "tomar_muestra",
                        "resultado_emitido": "dictaminar", "dictaminado": "ordenar_medida",
                        "en_medida": "cumplir_medida"},
            "muestra": {"enviada": "recibir"},
            "analisis": {"pendiente": "asignar", "asignado": "iniciar", "en_proceso": "registrar",
                         "registrado": "verificar"},
            "informe": {"por_firmar": "firmar", **({"emitido": "enmendar_resultado"} if azar % 11 == 0 else {})},
        }  # fmt: skip
        suerte = Random(azar)
        pasos = [
            (tabla, acciones[objeto.estado])
            for tabla, acciones in estados.items()
            for objeto in self.objetos(tabla)
            if objeto.estado in acciones
        ]
        if Muestra.objects.filter(expediente=self.expediente, estado="tomada").exists():
            pasos.append(("partida", "enviar"))
        if pasos:
            self.actuar(suerte.choice(pasos), azar, suerte.randint(5, 300))

    # ── How each is done ──────────────────────────────────────────────────────────────────────────

    def hacer_programar(self, partida: Any, actor: Any, suerte: Random) -> None:
        cita = reloj.ahora() + timedelta(hours=suerte.randint(1, 3))
        casos.programar(partida=partida, actor=actor, cita_en=cita, terminal="Muelle")

    def hacer_no_presentada(self, partida: Any, actor: Any, _suerte: Random) -> None:
        casos.no_presentada(partida=partida, actor=actor)

    def hacer_inspeccionar(self, partida: Any, actor: Any, _suerte: Random) -> None:
        conforme = dict.fromkeys(("documentaria", "identidad", "fisica"), "conforme")
        casos.inspeccionar(partida=partida, actor=actor, **conforme)

    def hacer_tomar_muestra(self, partida: Any, actor: Any, _suerte: Random) -> None:
        laboratorio.tomar_muestra(
            partida=partida, actor=actor, precinto=f"P-{self.n}", conservacion="ambiente", cantidad=1, unidad="kg"
        )

    def hacer_partida_enviar(self, partida: Any, actor: Any, _suerte: Random) -> None:
        ensayos = [(uno.metodo, uno.plaga) for uno in laboratorio.requisitos_de(partida)]
        laboratorio.enviar(partida=partida, actor=actor, ensayos=ensayos)

    def hacer_dictaminar(self, partida: Any, actor: Any, suerte: Random) -> None:
        casos.dictaminar(
            partida=partida, actor=actor, decision=suerte.choice(Dictamen.Decision.values), fundamento="Lo visto."
        )

    def hacer_dictaminar_sin_muestra(self, partida: Any, actor: Any, suerte: Random) -> None:
        casos.dictaminar_sin_muestra(
            partida=partida, actor=actor, decision=suerte.choice(Dictamen.Decision.values),
            motivo=MOTIVO["dictaminar_sin_muestra"], texto="x",
        )  # fmt: skip

    def hacer_ordenar_medida(self, partida: Any, actor: Any, suerte: Random) -> None:
        casos.ordenar_medida(
            partida=partida, actor=actor, tipo=suerte.choice(Medida.Tipo.values), vence_en=date(2030, 1, 1)
        )

    def hacer_cumplir_medida(self, partida: Any, actor: Any, _suerte: Random) -> None:
        casos.cumplir_medida(partida=partida, actor=actor, acta="A-1")

    def hacer_reinspeccionar(self, partida: Any, actor: Any, _suerte: Random) -> None:
        casos.cumplir_medida(partida=partida, actor=actor, acta="A-1", nueva_toma=True)

    def hacer_cerrar(self, expediente: Any, actor: Any, _suerte: Random) -> None:
        casos.cerrar(expediente=expediente, actor=actor)

    def hacer_observar(self, expediente: Any, actor: Any, suerte: Random) -> None:
        incidencias.observar(
            expediente=expediente, actor=actor, puntos="Falta x", motivo=MOTIVO["observar"], texto="x",
            vence_en=timezone.localdate(reloj.ahora()) + timedelta(days=suerte.randint(0, 5)),
        )  # fmt: skip

    def hacer_responder(self, expediente: Any, actor: Any, _suerte: Random) -> None:
        incidencias.responder(expediente=expediente, actor=actor, respuesta="Va.")

    def _terminar(self, acto: Callable, expediente: Any, actor: Any) -> None:
        acto(expediente=expediente, actor=actor, motivo=MOTIVO[acto.__name__], texto="x")

    def hacer_abandonar(self, expediente: Any, actor: Any, _suerte: Random) -> None:
        self._terminar(incidencias.abandonar, expediente, actor)

    def hacer_desistir(self, expediente: Any, actor: Any, _suerte: Random) -> None:
        self._terminar(incidencias.desistir, expediente, actor)

    def hacer_expediente_anular(self, expediente: Any, actor: Any, _suerte: Random) -> None:
        self._terminar(incidencias.anular, expediente, actor)

    def hacer_expediente_reabrir(
        self, expediente: Any, actor: Any, suerte: Random, *, inspeccion: bool = False
    ) -> None:
        incidencias.reabrir(
            expediente=expediente, actor=actor, partidas=[suerte.choice(self.objetos("partida"))],
            motivo=MOTIVO["reabrir"], texto="x", a_inspeccion=inspeccion,
        )  # fmt: skip

    def hacer_expediente_reabrir_inspeccion(self, expediente: Any, actor: Any, suerte: Random) -> None:
        self.hacer_expediente_reabrir(expediente, actor, suerte, inspeccion=True)

    def hacer_trasladar(self, expediente: Any, actor: Any, suerte: Random) -> None:
        puesto = Puesto.objects.get(codigo=suerte.choice(["PCM", "PCA"]))
        incidencias.trasladar(expediente=expediente, actor=actor, a_puesto=puesto, texto="x")

    def hacer_aceptar_traslado(self, expediente: Any, actor: Any, _suerte: Random) -> None:
        incidencias.aceptar_traslado(expediente=expediente, actor=actor)
        # The walk goes on with people of the port: whoever took it gives it back.
        incidencias.trasladar(
            expediente=expediente, actor=actor, texto="x",
            a_puesto=Puesto.objects.exclude(pk=expediente.puesto_id).get(),
        )  # fmt: skip
        Usuario.objects.get(username="inspector").puestos.set(Puesto.objects.all())
        Usuario.objects.get(username="mesa").puestos.set(Puesto.objects.all())

    def hacer_rechazar_traslado(self, expediente: Any, actor: Any, _suerte: Random) -> None:
        incidencias.rechazar_traslado(expediente=expediente, actor=actor, texto="x")

    def hacer_cambiar_agente(self, expediente: Any, actor: Any, suerte: Random) -> None:
        from expedientes.models import AgenteAduana

        agente = AgenteAduana(
            tipo_documento="ruc", numero_documento="20999900021", nombre="Dos", correo="dos@aduana.example"
        )
        incidencias.cambiar_agente(expediente=expediente, actor=actor, agente=suerte.choice([agente, None]))

    def hacer_expediente_asignar(self, expediente: Any, actor: Any, _suerte: Random) -> None:
        asignacion.asignar(expediente=expediente, actor=actor, inspector=self.gente["inspector"])

    def hacer_tomar(self, expediente: Any, actor: Any, _suerte: Random) -> None:
        asignacion.tomar(expediente=expediente, actor=actor)

    def hacer_expediente_pasar(self, expediente: Any, actor: Any, suerte: Random) -> None:
        a_quien = self.gente[suerte.choice(["inspector", "inspector.aereo"])]
        a_quien.puestos.add(*Puesto.objects.all())
        asignacion.pasar(expediente=expediente, actor=actor, inspector=a_quien)

    def hacer_recibir(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        laboratorio.recibir(muestra=muestra, actor=actor, condicion="buena", cantidad_recibida=1)

    def hacer_rechazar(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        laboratorio.rechazar(muestra=muestra, actor=actor, motivo=MOTIVO["rechazar"], texto="x")

    def hacer_perder(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        laboratorio.perder(muestra=muestra, actor=actor, motivo=MOTIVO["perder"], texto="x")

    def hacer_anular_muestra(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        laboratorio.anular_muestra(muestra=muestra, actor=actor, motivo=MOTIVO["anular_muestra"], texto="x")

    def hacer_analisis_asignar(self, analisis: Any, actor: Any, suerte: Random) -> None:
        analista = self.gente[suerte.choice(["analista", "analista2"])]
        laboratorio.asignar(analisis=analisis, analista=analista, actor=actor)

    def hacer_iniciar(self, analisis: Any, actor: Any, _suerte: Random) -> None:
        laboratorio.iniciar(analisis=analisis, actor=actor)

    def hacer_analisis_registrar(self, analisis: Any, actor: Any, suerte: Random) -> None:
        valor = suerte.choice(["negativo"] * 5 + ["positivo", "indeterminado"])
        plaga = analisis.plaga if valor == "positivo" else None
        laboratorio.registrar(analisis=analisis, actor=actor, valor=valor, plaga=plaga)

    def hacer_verificar(self, analisis: Any, actor: Any, _suerte: Random) -> None:
        laboratorio.verificar(analisis=analisis, actor=actor)

    def hacer_revertir(self, analisis: Any, actor: Any, _suerte: Random) -> None:
        reversiones.revertir(analisis=analisis, actor=actor, motivo=MOTIVO["revertir"], texto="x")

    def hacer_cancelar(self, analisis: Any, actor: Any, _suerte: Random) -> None:
        laboratorio.cancelar(analisis=analisis, actor=actor, motivo=MOTIVO["cancelar"], texto="x")

    def hacer_repetir(self, analisis: Any, actor: Any, _suerte: Random) -> None:
        laboratorio.repetir(analisis=analisis, actor=actor, motivo=MOTIVO["repetir"], texto="x")

    def hacer_analisis_pasar(self, analisis: Any, actor: Any, suerte: Random) -> None:
        analista = self.gente[suerte.choice(["analista", "analista2"])]
        hojas.pasar(analisis=analisis, analista=analista, actor=actor)

    def hacer_adjuntar(self, analisis: Any, actor: Any, _suerte: Random) -> None:
        resultado = analisis.resultado
        hojas.adjuntar(
            analisis=analisis, actor=actor, archivos=[del_certificado("gel.xml", b"<gel/>")],
            resultado=resultado.pk if resultado else 0,
        )  # fmt: skip

    @rule(azar=st.integers(0, 2**32 - 1))
    def llevar_hoja(self, azar: int) -> None:
        """What is done around a worksheet: nothing of it may let a result of a failed run be verified."""
        suerte = Random(azar)
        analista = self.gente[suerte.choice(["analista", "analista2"])]
        suyos = self.objetos("analisis")
        if not suyos:
            return
        self.ahora += timedelta(minutes=suerte.randint(5, 60))
        abiertas = list(HojaDeTrabajo.objects.filter(cerrada_en=None).order_by("pk"))
        with reloj.fijado(self.ahora):
            if not abiertas or suerte.random() < 0.2:
                hojas.abrir_hoja(metodo=suerte.choice(suyos).metodo, analisis=suyos, actor=analista)
                return
            hoja = suerte.choice(abiertas)
            try:
                with transaction.atomic():
                    if suerte.random() < 0.2:
                        hojas.cerrar_hoja(hoja=hoja, actor=analista)
                    elif suerte.random() < 0.2:
                        hojas.unirse(hoja=hoja, actor=analista)
                    else:
                        hojas.anotar_control(
                            hoja=hoja, actor=analista, tipo=suerte.choice(TipoDeControl.values), obtenido="x",
                            conforme=suerte.random() < 0.8, corrida=hoja.corrida,
                        )  # fmt: skip
            except (ActoRechazado, DatoInvalido):
                pass

    def hacer_guardar_contramuestra(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        hoy = timezone.localdate(reloj.ahora())
        laboratorio.guardar_contramuestra(muestra=muestra, actor=actor, lugar="Cámara 2", hasta=hoy)

    def hacer_rotular(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        puesto = muestra.expediente.puesto
        jefe = self.gente["jefe"]
        tanda = rotulos.imprimir_en_blanco(puesto=puesto, actor=jefe, cuantos=1)
        rotulos.rotular(muestra=muestra, rotulo=tanda.rotulos.get(), actor=actor)

    def hacer_pedir_dirimencia(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        contramuestras.pedir_dirimencia(muestra=muestra, actor=actor, texto="x")

    def hacer_levantar_dirimencia(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        contramuestras.levantar_dirimencia(muestra=muestra, actor=actor, texto="x")

    def hacer_eliminar(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        contramuestras.eliminar_varias(muestras=[muestra], actor=actor, testigo="Otro", metodo="autoclave")

    def hacer_informe_devolver(self, informe: Any, actor: Any, suerte: Random) -> None:
        verificados = list(Analisis.objects.filter(solicitud=informe.solicitud_id, estado="verificado"))
        reversiones.devolver(
            informe=informe, actor=actor, analisis=[suerte.choice(verificados)] if verificados else [],
            motivo=MOTIVO["devolver"], texto="x",
        )  # fmt: skip

    def _revertir(self, acto: Callable, **objeto: Any) -> None:
        acto(motivo=MOTIVO[acto.__name__], texto="x", **objeto)

    def hacer_revertir_recepcion(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        self._revertir(reversiones.revertir_recepcion, muestra=muestra, actor=actor)

    def hacer_revertir_analisis(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        self._revertir(reversiones.revertir_analisis, muestra=muestra, actor=actor)

    def hacer_revertir_contramuestra(self, muestra: Any, actor: Any, _suerte: Random) -> None:
        self._revertir(reversiones.revertir_contramuestra, muestra=muestra, actor=actor)

    def hacer_revertir_inicio(self, analisis: Any, actor: Any, _suerte: Random) -> None:
        self._revertir(reversiones.revertir_inicio, analisis=analisis, actor=actor)

    def hacer_revertir_asignacion(self, analisis: Any, actor: Any, _suerte: Random) -> None:
        self._revertir(reversiones.revertir_asignacion, analisis=analisis, actor=actor)

    def hacer_enmendar(self, informe: Any, actor: Any, suerte: Random) -> None:
        muestra = informe.solicitud.muestras.first()
        cambios = suerte.choice([None, {muestra: {"lote": f"L-{self.n}"}}])
        enmiendas.enmendar(informe=informe, actor=actor, motivo=MOTIVO["enmendar"], texto="x", cambios=cambios)

    def hacer_informe_enmendar_resultado(self, informe: Any, actor: Any, suerte: Random) -> None:
        suyos = list(enmiendas.rehacibles(informe))
        enmiendas.enmendar_resultado(
            informe=informe, actor=actor, analisis=[suerte.choice(suyos)] if suyos else [],
            motivo=MOTIVO["enmendar_resultado"], texto="x",
        )  # fmt: skip

    def hacer_retirar_enmienda(self, informe: Any, actor: Any, _suerte: Random) -> None:
        enmiendas.retirar_enmienda(informe=informe, actor=actor)

    def hacer_anular_emitido(self, informe: Any, actor: Any, _suerte: Random) -> None:
        enmiendas.anular(informe=informe, actor=actor, motivo=MOTIVO["anular_emitido"], texto="x")

    def hacer_retener(self, informe: Any, actor: Any, _suerte: Random) -> None:
        firmas.retener(informe=informe, actor=actor, texto="x")

    def hacer_firmar(self, informe: Any, actor: Any, _suerte: Random) -> None:
        firmas.ordenar_firma(informe=informe, actor=actor)

    def hacer_firmar_fuera(self, informe: Any, actor: Any, _suerte: Random) -> None:
        firmas.firmar_fuera(informe=informe, actor=actor)

    def hacer_dejar_de_firmar_fuera(self, informe: Any, actor: Any, _suerte: Random) -> None:
        firmas.dejar_de_firmar_fuera(informe=informe, actor=actor)

    # ── What must hold after every step ───────────────────────────────────────────────────────────

    def foto(self) -> dict[str, Any]:
        """Everything that a refused act must leave as it was."""
        caso = self.objetos("expediente")[0]
        return {
            "eventos": caso.eventos,
            "caso": (caso.estado, caso.estado_desde, caso.vence_en, caso.puesto_id, caso.agente_id, caso.sello),
            **{
                tabla: [(uno.pk, uno.estado, uno.estado_desde) for uno in self.objetos(tabla)]
                for tabla in ("partida", "muestra", "analisis", "informe")
            },
            **{
                modelo.__name__: modelo.objects.count()
                for modelo in (Notificacion, Dictamen, Medida, Documento, Resultado, Reversion)
            },
            "documentos": list(Documento.objects.order_by("pk").values_list("pk", "estado")),
            "lotes": list(Muestra.objects.order_by("pk").values_list("pk", "lote")),
            "observaciones": list(caso.observaciones.values_list("pk", "respondida_en", "sin_efecto_en")),
            "traslados": list(caso.traslados.values_list("pk", "resuelto_en", "aceptado")),
        }

    @invariant()
    def la_bitacora_esta_entera_y_dice_los_estados(self) -> None:
        if not hasattr(self, "expediente"):
            return
        assert list(fallas()) == []
        for tabla in ("partida", "muestra", "analisis", "informe"):
            for objeto in self.objetos(tabla):
                eventos = Evento.objects.filter(expediente=self.expediente, objeto=tabla, objeto_id=objeto.pk)
                ultimo = eventos.exclude(a="").order_by("n").last()
                if ultimo:
                    assert ultimo.a == objeto.estado, (tabla, objeto, ultimo)

    @invariant()
    def el_caso_muestra_su_partida_mas_lenta(self) -> None:
        if not hasattr(self, "expediente"):
            return
        caso = self.objetos("expediente")[0]
        estados = {partida.estado for partida in self.objetos("partida")}
        if caso.estado in ORDEN_DE_PARTIDAS:
            assert caso.estado == next(estado for estado in ORDEN_DE_PARTIDAS if estado in estados)
        else:
            assert caso.estado in {Estado.OBSERVADO, *TERMINADOS}
        assert (caso.estado == Estado.OBSERVADO) == (caso.observacion is not None)
        if caso.estado == Estado.CERRADO:
            assert casos.pendientes_de_cierre(caso) == []
        if caso.estado in TERMINADOS:
            assert caso.vence_en is None
            if caso.estado != Estado.CERRADO:
                vivos = Analisis.objects.filter(expediente=caso).exclude(
                    estado__in=[EstadoAnalisis.VERIFICADO, EstadoAnalisis.CANCELADO]
                )
                abiertos = Informe.objects.filter(expediente=caso).exclude(
                    estado__in=[EstadoInforme.EMITIDO, EstadoInforme.ANULADO]
                )
                assert not vivos.exists()
                assert not abiertos.exists()

    @invariant()
    def el_reloj_detenido_no_vence(self) -> None:
        if not hasattr(self, "expediente"):
            return
        eventos = list(Evento.objects.filter(expediente=self.expediente).order_by("n"))
        for partida in self.objetos("partida"):
            detenida = any(una.hasta is None for una in suspensiones(eventos, partida.pk))
            if detenida and partida.estado != Estado.EN_MEDIDA:
                assert partida.vence_en is None

    @invariant()
    def los_informes_dicen_la_verdad(self) -> None:
        if not hasattr(self, "expediente"):
            return
        for informe in Informe.objects.filter(expediente=self.expediente).select_related("documento", "solicitud"):
            documento = informe.documento
            assert documento is not None or informe.estado != EstadoInforme.EMITIDO
            if documento is None:
                assert informe.version == 1
                continue
            # One version in force at most, the last; one more on its way, or none.
            versiones = list(Documento.objects.filter(numero=informe.numero).order_by("version"))
            assert [una.version for una in versiones] == list(range(1, documento.version + 1))
            assert {una.estado for una in versiones[:-1]} <= {Documento.Estado.REEMPLAZADO}
            assert [una.reemplaza_id for una in versiones[1:]] == [una.pk for una in versiones[:-1]]
            rige = {
                EstadoInforme.ANULADO: Documento.Estado.ANULADO,
                EstadoInforme.EMITIDO: Documento.Estado.VIGENTE,
            }.get(
                EstadoInforme(informe.estado),
                Documento.Estado.VIGENTE if informe.en_enmienda_administrativa else Documento.Estado.EN_REVISION,
            )
            assert documento.estado == rige
            assert (
                informe.version
                == documento.version + (informe.estado not in (EstadoInforme.EMITIDO, EstadoInforme.ANULADO))
                or informe.estado == EstadoInforme.ANULADO
            )
            if not informe.publicado:
                continue
            suyos = Analisis.objects.filter(solicitud=informe.solicitud)
            vigentes = Resultado.objects.filter(analisis__in=suyos, vigente=True).exclude(
                analisis__estado=EstadoAnalisis.CANCELADO
            )
            for resultado in vigentes.select_related("analisis__metodo"):
                quienes = set(resultado.verificaciones.values_list("verificador", flat=True))
                assert len(quienes) >= resultado.analisis.metodo.verificaciones
                assert resultado.registrado_por_id not in quienes
                assert not quienes & self.iniciaron(resultado.analisis_id)
            alguna_vez = set(Resultado.objects.filter(analisis__in=suyos).values_list("valor", flat=True))
            if documento.firma == Documento.Firma.AUTOMATICA:
                assert alguna_vez == {"negativo"}
                assert set(suyos.values_list("estado", flat=True)) == {EstadoAnalisis.VERIFICADO}
                fallidos = Control.objects.filter(conforme=False, ocurrio_en__lt=documento.emitido_en)
                corridas = set(fallidos.values_list("hoja", "corrida"))
                assert not corridas & set(vigentes.values_list("hoja", "corrida"))

    def iniciaron(self, analisis: int) -> set[int]:
        eventos = Evento.objects.filter(objeto="analisis", objeto_id=analisis, accion__in=["iniciar", "registrar"])
        return set(eventos.values_list("actor", flat=True))

    @invariant()
    def la_maquina_firmo_solo_lo_que_podia(self) -> None:
        """Told from the log alone, as it stood when each report was issued: the rule is not asked what it thinks."""
        if not hasattr(self, "expediente"):
            return
        automaticos = Documento.objects.filter(expediente=self.expediente, firma=Documento.Firma.AUTOMATICA)
        for documento in automaticos.order_by("pk"):
            if documento.pk in self.examinados:
                continue
            self.examinados.add(documento.pk)
            assert documento.version == 1, documento
            informe = Informe.objects.get(numero=documento.numero)
            eventos = Evento.objects.filter(expediente=self.expediente)
            emision = eventos.get(objeto="informe", objeto_id=informe.pk, accion="emitir")
            for analisis in Analisis.objects.filter(solicitud=informe.solicitud_id).select_related("metodo"):
                vida = list(eventos.filter(objeto="analisis", objeto_id=analisis.pk, n__lt=emision.n).order_by("n"))
                hallado = [uno.datos["valor"] for uno in vida if uno.accion == "registrar"]
                assert set(hallado) == {"negativo"}, (documento, analisis, hallado)
                ultimo = max(i for i, uno in enumerate(vida) if uno.accion == "registrar")
                despues = [uno.accion for uno in vida[ultimo + 1 :] if uno.accion != "adjuntar"]
                assert despues == ["verificar"] * analisis.metodo.verificaciones + ["completar"], (documento, despues)
                quienes = {uno.actor_id for uno in vida[ultimo:] if uno.actor_id}
                assert len(quienes) == analisis.metodo.verificaciones + 1, (documento, quienes)

    @invariant()
    def las_decisiones_descansan_donde_descansaban(self) -> None:
        if not hasattr(self, "expediente"):
            return
        for dictamen in Dictamen.objects.filter(partida__expediente=self.expediente):
            informes = sorted(dictamen.informes.values_list("pk", flat=True))
            assert self.fundado.setdefault(dictamen.pk, informes) == informes
            if dictamen.decision == Dictamen.Decision.INGRESO:
                assert not dictamen.informes.filter(impide_ingreso=True).exists()
                assert not dictamen.informes.filter(conclusion="indeterminado").exists()
        for partida in self.objetos("partida"):  # over what is being corrected, or was annulled, nothing stays decided
            if partida.estado in (Estado.DICTAMINADO, Estado.EN_MEDIDA) and partida.dictamen.informes.exists():
                de_la_ronda = casos.informes_de_la_ronda(partida)
                assert not de_la_ronda.filter(estado=Documento.Estado.EN_REVISION).exists()
                fundan = set(partida.dictamen.informes.values_list("numero", flat=True))
                anulados = de_la_ronda.filter(estado=Documento.Estado.ANULADO)
                assert not fundan & set(anulados.values_list("numero", flat=True))
        hay = {
            modelo.__name__: modelo.objects.count()
            for modelo in (Evento, Resultado, Documento, Dictamen, Reversion, Notificacion)
        }
        assert all(hay[nombre] >= habia for nombre, habia in self.habia.items()), "algo se borró"
        self.habia = hay

    @invariant()
    def una_partida_espera_al_laboratorio_mientras_tenga_que_esperar(self) -> None:
        """Nobody is forgotten: a line in the laboratory has a sample alive there, or a report on its way."""
        if not hasattr(self, "expediente"):
            return
        caso = self.objetos("expediente")[0]
        for partida in self.objetos("partida"):
            if partida.estado == Estado.EN_LABORATORIO and caso.abierto:
                en_curso = Informe.objects.filter(solicitud__partida=partida).exclude(
                    estado__in=[EstadoInforme.EMITIDO, EstadoInforme.ANULADO]
                )
                vivas = Muestra.objects.filter(
                    partida=partida,
                    estado__in=[EstadoMuestra.ENVIADA, EstadoMuestra.RECIBIDA, EstadoMuestra.EN_ANALISIS,
                                EstadoMuestra.ANALIZADA],
                )  # fmt: skip
                assert en_curso.exists(), partida
                assert vivas.exists(), partida


def test_las_vidas_de_un_caso(certificado: Any) -> None:
    run_state_machine_as_test(
        Vidas,
        settings=settings(
            max_examples=EJEMPLOS,
            stateful_step_count=PASOS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # a walk is read from its end: shrinking one takes longer than finding it
            print_blob=True,
            database=None,
        ),
    )

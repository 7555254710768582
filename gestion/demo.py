"""What the demonstration shows of what is late: some breaches with an action and some without, one past its day, one
closed, what was read and what nobody reads; and two mails that came back, and what the indicators were before. Through
the services, at the hours that they happened."""

from datetime import timedelta

from django.utils import timezone

from expedientes.models import Estado, Expediente
from indicadores import linea_base
from laboratorio.demo import crear_personas
from notificaciones import internos, rebotes
from notificaciones import services as salida
from notificaciones.models import AvisoInterno, Notificacion
from senasa import reloj
from senasa.models import Usuario

from . import atrasos, services
from .models import Accion

CADA = 3  # one of so many breaches has an action
LEIDO_TRAS = timedelta(days=2)
# What a jefe would write, by where the case stands.
QUE_HARA = {
    Estado.REGISTRADO: "Llamar al terminal y fijar la hora de la inspección para mañana.",
    Estado.EN_INSPECCION: "Tomar o enviar hoy la muestra que falta, con el primer despacho.",
    Estado.EN_LABORATORIO: "Pedir al laboratorio la fecha del informe y anotarla en el caso.",
    Estado.RESULTADO_EMITIDO: "Dictaminar hoy, con el informe que ya está.",
}
LO_DEMAS = "Coordinar con el importador la entrega de lo que falta."


def completar() -> None:
    """Actions, readings of the bell and reports brought to the jefe; once."""
    if Accion.objects.exists():
        return
    jefe = crear_personas()["jefe"]
    ahora = reloj.ahora()
    with reloj.fijado(ahora - timedelta(hours=20)):
        internos.leer(AvisoInterno.objects.filter(creado_en__lt=ahora - LEIDO_TRAS))
    filas = list(atrasos.sin_accion(jefe, ahora))
    for n, fila in enumerate(filas[::CADA]):
        hace = timedelta(days=2) if n == 1 else timedelta()
        accion = _tomar(fila, jefe, ahora - hace, n)
        if accion and n == 2:
            services.cerrar_accion(accion=accion, actor=accion.responsable, desenlace="Se coordinó; se espera el acto.")
    services.escalar_informes()
    _devolver_dos_correos()
    _fijar_linea_base()


def _devolver_dos_correos() -> None:
    """What was owed goes out; of the last mails of open cases one to an importer and one to a broker come back."""
    salida.despachar()
    de_abiertos = [caso.referencia for caso in Expediente.objects.abiertos().exclude(agente=None)]
    ultimos = Notificacion.objects.filter(referencia__in=de_abiertos, estado=Notificacion.Estado.ENVIADA)
    for es_de in ("importador", "agente"):
        suyo = ultimos.filter(correo__startswith=es_de).order_by("-creada_en").first()
        if suyo:
            rebotes.anotar(rebotes.Reporte((suyo.message_id,), rebotes.Que.REBOTADA, "5.1.1"))


def _fijar_linea_base() -> None:
    """What the source programme published of before it began, as dirección would type it."""
    for indicador, valor in linea_base.PUBLICADO:
        linea_base.fijar(
            actor=Usuario.objects.get(username="direccion"), indicador=indicador, puesto=None,
            valor=float(valor.replace(",", ".")), periodo="Antes del programa",
            fuente="Viva Perú Productiva: publicado por el programa", causa="Para comparar con lo de ahora.",
        )  # fmt: skip


def _tomar(fila: tuple, jefe: Usuario, cuando, n: int) -> Accion | None:
    """An action of the jefe about that breach, as of `cuando` if it was late by then and nothing happened since."""
    tipo, pk, caso, vencio, _peso = fila
    expediente = Expediente.objects.get(pk=caso)
    ultimo = expediente.bitacora.latest("n").ocurrio_en
    with reloj.fijado(max(cuando, vencio + timedelta(minutes=1), ultimo)):
        quienes = list(atrasos.responsables(expediente, de_laboratorio=False))
        inspectores = [uno for uno in quienes if uno != jefe] or quienes
        return services.tomar_accion(
            expediente=expediente, tipo=tipo, objeto_id=pk, actor=jefe,
            que_hara=QUE_HARA.get(Estado(expediente.estado), LO_DEMAS),
            responsable=inspectores[n % len(inspectores)],
            para_el=timezone.localdate(reloj.ahora()) + timedelta(days=1 if n == 1 else n % 4),
        )  # fmt: skip

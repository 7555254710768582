"""Whether everything that must go on by itself goes on: measured once, for the operations page and for /metrics.

A handful of short queries whatever the size of the tables, one look at the broker, one at the disks. Nothing here
raises because a part is down: that is what it is asked about.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection
from django.db.models import Count, Min, Q
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from expedientes import entregas
from expedientes.firma import CertificadoInutil, cargar_certificado
from expedientes.models import Dictamen, Expediente
from expedientes.plazos import Semaforo
from indicadores.mensuales import sin_firmar
from laboratorio.certificados import propios_por_vencer
from laboratorio.models import EstadoInforme, Informe
from notificaciones.models import Notificacion
from senasa import salud
from senasa.celery import app
from senasa.models import Latido
from senasa.palabras import duracion

from . import palabras

EN_CAMINO = [
    EstadoInforme.EN_GRACIA,
    EstadoInforme.POR_FIRMAR,
    EstadoInforme.FIRMANDO,
    EstadoInforme.FIRMANDO_FUERA,
    EstadoInforme.FIRMA_FALLIDA,
]
LISTA = 20


@dataclass(frozen=True)
class Disco:
    """One file system, and which of our folders lie on it."""

    carpetas: tuple[str, ...]
    libre: int
    total: int


@dataclass(frozen=True)
class Medidas:
    ahora: datetime
    avisos_pendientes: int
    aviso_mas_antiguo: datetime | None
    avisos_fallidos: int
    informes: dict[str, int]
    rivs_debidos: int
    rivs_fallidos: int
    mensuales_debidos: int
    mensuales_fallidos: int
    latidos: dict[str, Latido]
    cola: int | None  # messages that wait; None when the broker does not answer
    certificado_dias: int | None
    certificado_falla: str
    certificado_de_demostracion: bool
    propios_por_vencer: list[tuple[str, int]]
    base: int
    discos: list[Disco]

    def edad(self, latido: str) -> timedelta | None:
        visto = self.latidos.get(latido)
        return self.ahora - visto.visto_en if visto else None


def medir() -> Medidas:
    ahora = timezone.now()
    # What failed and waits for its next try counts from when it was owed.
    por_salir = Notificacion.objects.filter(estado=Notificacion.Estado.PENDIENTE).aggregate(
        cuantas=Count("pk"), desde=Min("creada_en")
    )
    rivs = Dictamen.objects.filter(riv=None, riv_en_papel="").aggregate(
        debidos=Count("pk"), fallidos=Count("pk", filter=~Q(riv_falla=""))
    )
    informes = Informe.objects.filter(estado__in=EN_CAMINO).order_by().values_list("estado").annotate(Count("pk"))
    mensuales = sin_firmar().aggregate(debidos=Count("pk"), fallidos=Count("pk", filter=~Q(falla="")))
    dias, falla, de_demostracion = _certificado()
    return Medidas(
        ahora=ahora,
        avisos_pendientes=por_salir["cuantas"],
        aviso_mas_antiguo=por_salir["desde"],
        avisos_fallidos=avisos_fallidos(ahora).count(),
        informes={estado.value: 0 for estado in EN_CAMINO} | dict(informes),
        rivs_debidos=rivs["debidos"],
        rivs_fallidos=rivs["fallidos"],
        mensuales_debidos=mensuales["debidos"],
        mensuales_fallidos=mensuales["fallidos"],
        latidos=Latido.objects.in_bulk(),
        cola=_en_la_cola(),
        certificado_dias=dias,
        certificado_falla=falla,
        certificado_de_demostracion=de_demostracion,
        propios_por_vencer=[(uno.nombre, uno.dias) for uno in propios_por_vencer()],
        base=_octetos_de_la_base(),
        discos=discos(),
    )


def avisos_fallidos(ahora: datetime):
    """Mails that did not arrive, of late, and that nobody has mended; the newest first."""
    return entregas.por_reparar(Notificacion.objects.filter(creada_en__gte=ahora - entregas.RECIENTE)).order_by(
        "-creada_en"
    )


def _certificado() -> tuple[int | None, str, bool]:
    try:
        certificado = cargar_certificado()
    except CertificadoInutil as error:
        return None, str(error), False
    return certificado.dias_restantes, "", certificado.es_demostracion


def _en_la_cola() -> int | None:
    try:
        with app.connection_for_read() as conexion:
            conexion.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=1)
            return int(conexion.default_channel._size(app.conf.task_default_queue))
    except Exception:  # whatever the broker's client raises: kombu, redis, OSError
        return None


def _octetos_de_la_base() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def discos() -> list[Disco]:
    """The file systems that our folders lie on; stores that are not on a disk have no end that we know of."""
    carpetas = {"var": Path(settings.VAR)}
    for nombre in settings.STORAGES:
        almacen = storages[nombre]
        if isinstance(almacen, FileSystemStorage) and nombre != "staticfiles":
            carpetas[nombre] = Path(almacen.location)
    if settings.RESPALDO_CARPETA:
        carpetas["respaldos"] = Path(settings.RESPALDO_CARPETA)
    por_aparato: dict[int, list[tuple[str, Path]]] = {}
    for nombre, carpeta in carpetas.items():
        if carpeta.exists():
            por_aparato.setdefault(carpeta.stat().st_dev, []).append((nombre, carpeta))
    hallados = []
    for juntas in por_aparato.values():
        uso = shutil.disk_usage(juntas[0][1])
        hallados.append(Disco(tuple(nombre for nombre, _carpeta in juntas), uso.free, uso.total))
    return hallados


# ── The page ──────────────────────────────────────────────────────────────────────────────────────

BIEN, ATENCION, MAL, NO_SE_SABE = Semaforo.EN_PLAZO, Semaforo.POR_VENCER, Semaforo.VENCIDO, Semaforo.SIN_PLAZO
DICHO = {BIEN: "Bien", ATENCION: "Atención", MAL: "Mal", NO_SE_SABE: "No se sabe"}


@dataclass(frozen=True)
class Control:
    """One line of the page: what is looked at, how it is, and, unless it is well, what to do."""

    que: str
    luz: Semaforo
    como: str
    que_hacer: str = ""
    enlace: str = ""

    @property
    def dicho(self) -> str:
        return DICHO[self.luz]


def controles(m: Medidas) -> dict[str, list[Control]]:
    """Everything that is watched, by group, in the order in which one would look for a fault."""
    return {
        "Trabajo de fondo": [_beat(m), _worker(m), _cola(m)],
        "Lo que se debe": [_avisos(m), _avisos_fallidos(m), _rebotes(m), _informes(m), _rivs(m), _mensuales(m)],
        "Certificado y datos": [_firma(m), _propios(m), _respaldo(m), *map(_disco, m.discos), _base(m), _migraciones()],
    }


def por_atender(grupos: dict[str, list[Control]]) -> list[Control]:
    """What is not well, the worst first."""
    todos: Iterable[Control] = (control for grupo in grupos.values() for control in grupo)
    return sorted((c for c in todos if c.luz in (MAL, ATENCION)), key=lambda c: c.luz != MAL)


def _hace(cuando: datetime, m: Medidas) -> str:
    return palabras.hace(cuando, m.ahora)


def _de_edad(edad: timedelta | None, atencion: timedelta, mal: timedelta) -> Semaforo:
    if edad is None or edad > mal:
        return MAL
    return ATENCION if edad > atencion else BIEN


def _beat(m: Medidas) -> Control:
    luz = _de_edad(m.edad("beat"), timedelta(seconds=60), timedelta(minutes=2))
    como = (
        f"Mandó trabajo {_hace(m.latidos['beat'].visto_en, m)}" if "beat" in m.latidos else "Nunca ha mandado trabajo"
    )
    return Control(
        "Planificador (beat)",
        luz,
        como,
        "Reinicie el servicio «beat»; si sigue igual, mire la cola." if luz != BIEN else "",
    )


def _worker(m: Medidas) -> Control:
    como = f"Trabajó {_hace(m.latidos['worker'].visto_en, m)}" if "worker" in m.latidos else "Nunca ha trabajado"
    luz = _de_edad(m.edad("worker"), timedelta(seconds=60), timedelta(minutes=3))
    if luz != BIEN and _beat(m).luz == MAL:
        return Control(
            "Trabajador (worker)", NO_SE_SABE, como, "Arregle antes el planificador, que es quien le manda trabajo."
        )
    return Control(
        "Trabajador (worker)",
        luz,
        como,
        "Reinicie el servicio «worker»: nada se pierde, lo debido sale después." if luz != BIEN else "",
    )


def _cola(m: Medidas) -> Control:
    if m.cola is None:
        return Control(
            "Cola de mensajes",
            MAL,
            "No responde",
            "Levante Redis: los avisos y las firmas esperan en la base de datos y saldrán después.",
        )
    if m.cola > 500:
        return Control(
            "Cola de mensajes",
            ATENCION,
            f"{m.cola} mensajes en espera",
            "Mire si el trabajador está vivo; ponga otro si no da abasto.",
        )
    return Control("Cola de mensajes", BIEN, "Vacía" if not m.cola else f"{m.cola} en espera")


def _avisos(m: Medidas) -> Control:
    if m.aviso_mas_antiguo is None:
        return Control("Avisos por enviar", BIEN, "Ninguno espera")
    edad = max(timedelta(0), m.ahora - m.aviso_mas_antiguo)
    luz = _de_edad(edad, timedelta(minutes=5), timedelta(minutes=30))
    esperan = "1 espera" if m.avisos_pendientes == 1 else f"{m.avisos_pendientes} esperan"
    hacer = "Mire si el trabajador vive y si el servidor de correo (EMAIL_URL) atiende; se reintenta durante 24 horas."
    return Control(
        "Avisos por enviar", luz, f"{esperan}; el más antiguo, {duracion(edad)}", hacer if luz != BIEN else ""
    )


def _avisos_fallidos(m: Medidas) -> Control:
    que = "Avisos que no llegaron"
    if not m.avisos_fallidos:
        return Control(que, BIEN, "Ninguno por reparar en 7 días")
    return Control(
        que, ATENCION, f"{m.avisos_fallidos} por reparar en 7 días",
        "El puesto o Atención corrige el correo del importador, o reenvía el aviso, en la página de avisos.", "#avisos",
    )  # fmt: skip


def _rebotes(m: Medidas) -> Control:
    que = "Reportes de entrega"
    if not settings.REBOTES_URL:
        return Control(que, NO_SE_SABE, "No se leen: sin REBOTES_URL, lo que rebota no se sabe")
    luz = _de_edad(m.edad("rebotes"), timedelta(minutes=5), timedelta(minutes=30))
    hacer = "Mire si REBOTES_URL abre ese buzón y si el trabajador vive." if luz != BIEN else ""
    visto = m.latidos.get("rebotes")
    return Control(que, luz, f"Leídos {_hace(visto.visto_en, m)}" if visto else "Nunca se han leído", hacer)


def _informes(m: Medidas) -> Control:
    fallidas = m.informes[EstadoInforme.FIRMA_FALLIDA]
    por_firmar = m.informes[EstadoInforme.POR_FIRMAR]
    if fallidas:
        return Control(
            "Firma de informes",
            MAL,
            f"{fallidas} con firma fallida",
            "La causa la dice la cola de firmas del laboratorio: arreglada, sale solo en un minuto.",
            "#firmas",
        )
    return Control(
        "Firma de informes", BIEN, f"{por_firmar} por firmar por el director" if por_firmar else "Ninguna fallida"
    )


def _rivs(m: Medidas) -> Control:
    if m.rivs_fallidos:
        return Control(
            "Firma de RIV",
            MAL,
            f"{m.rivs_fallidos} sin poder firmarse",
            "Lea la causa y arréglela: se reintenta solo.",
            "#firmas",
        )
    return Control("Firma de RIV", BIEN, f"{m.rivs_debidos} en camino" if m.rivs_debidos else "Ninguno espera")


def _mensuales(m: Medidas) -> Control:
    if m.mensuales_fallidos:
        return Control(
            "Informes mensuales",
            MAL,
            f"{m.mensuales_fallidos} sin poder firmarse",
            "La causa está en la lista de informes mensuales: arreglada, sale solo en un minuto.",
            reverse("mensuales"),
        )
    return Control(
        "Informes mensuales", BIEN, f"{m.mensuales_debidos} por firmar" if m.mensuales_debidos else "Todos firmados"
    )


def _firma(m: Medidas) -> Control:
    que = "Certificado de firma"
    if m.certificado_dias is None:
        return Control(
            que,
            MAL,
            m.certificado_falla,
            "Ponga un certificado que sirva en FIRMA_P12: ningún documento sale sin firma.",
        )
    luz = MAL if m.certificado_dias <= 7 else ATENCION if m.certificado_dias <= 45 else BIEN
    como = f"Quedan {m.certificado_dias} días" + (" · es de demostración" if m.certificado_de_demostracion else "")
    return Control(
        que,
        luz,
        como,
        "Pida ya el nuevo certificado y póngalo en FIRMA_P12 antes de que este venza." if luz != BIEN else "",
    )


def _propios(m: Medidas) -> Control:
    que = "Firma de las personas"
    if not m.propios_por_vencer:
        return Control(que, BIEN, "Ninguno vence en 30 días")
    return Control(
        que,
        MAL if min(dias for _quien, dias in m.propios_por_vencer) <= 7 else ATENCION,
        "; ".join(f"{quien}: {dias} días" if dias else f"{quien}: vencido" for quien, dias in m.propios_por_vencer),
        "Que cada quien pida el suyo y lo ponga en «Mi certificado»: se le avisó por correo.",
    )


def _respaldo(m: Medidas) -> Control:
    que, ultimo, fallido = "Respaldo", m.latidos.get("respaldo"), m.latidos.get("respaldo_fallido")
    if fallido and (ultimo is None or fallido.visto_en > ultimo.visto_en):
        return Control(
            que,
            MAL,
            f"Falló {_hace(fallido.visto_en, m)}: {fallido.datos.get('porque', '')}",
            "Arregle la causa y ejecute «manage.py respaldar».",
        )
    if ultimo is None:
        programado = bool(settings.RESPALDO_CARPETA)
        hacer = (
            "Ejecute «manage.py respaldar»."
            if programado
            else "Ponga RESPALDO_CARPETA y RESPALDO_CLAVE: se hará solo cada noche."
        )
        return Control(que, ATENCION if settings.DEMO else MAL, "Nunca se ha hecho uno", hacer)
    datos = ultimo.datos
    como = (
        f"{_hace(ultimo.visto_en, m).capitalize()}, {filesizeformat(datos.get('octetos', 0))}, "
        f"{datos.get('archivos', 0)} archivos, leído de nuevo"
    )
    if datos.get("faltan"):
        return Control(
            que,
            MAL,
            f"{como}; faltaban {datos['faltan']} archivos",
            "Ejecute «manage.py respaldar», que los nombra, y recupérelos de un respaldo anterior.",
        )
    luz = _de_edad(m.edad("respaldo"), timedelta(hours=27), timedelta(hours=51))
    hacer = (
        ""
        if luz == BIEN
        else "Mire si el trabajador vive y si RESPALDO_CARPETA existe; o ejecute «manage.py respaldar»."
    )
    return Control(que, luz, como, hacer)


def _disco(disco: Disco) -> Control:
    parte = disco.libre / disco.total
    luz = MAL if parte < 0.05 else ATENCION if parte < 0.15 else BIEN
    como = f"{filesizeformat(disco.libre)} libres de {filesizeformat(disco.total)} ({parte:.0%})"
    hacer = (
        "Amplíe el disco o lleve los respaldos a otro: al llenarse no se podrá firmar ni adjuntar."
        if luz != BIEN
        else ""
    )
    return Control(f"Disco de {', '.join(disco.carpetas)}", luz, como, hacer)


def _base(m: Medidas) -> Control:
    return Control("Base de datos", BIEN, f"{filesizeformat(m.base)}")


def _migraciones() -> Control:
    if salud.no_faltan_migraciones():
        return Control("Migraciones", BIEN, "Todas aplicadas")
    return Control("Migraciones", MAL, "Faltan migraciones", "Ejecute «manage.py preparar» y reinicie los servicios.")


# ── What is behind the numbers ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Pendiente:
    """Something that did not work out, and the case where it is told in full."""

    que: str
    expediente: str
    desde: datetime
    porque: str

    @property
    def url(self) -> str:
        return reverse("expediente", args=[self.expediente]) if self.expediente else ""


def avisos_que_no_salieron(ahora: datetime) -> list[Pendiente]:
    """By case, never by address: whom it was for is on the page of the case, for those who may see it."""
    fallidos = list(avisos_fallidos(ahora)[:LISTA])
    de_casos = {f.referencia: f.referencia.removeprefix("expediente:") for f in fallidos}
    numeros = dict(
        Expediente.objects.filter(pk__in=[pk for pk in de_casos.values() if pk.isdigit()]).values_list("pk", "numero")
    )
    return [
        Pendiente(
            fallido.asunto.partition(": ")[2] or fallido.asunto,
            numeros.get(int(de_casos[fallido.referencia]), "") if de_casos[fallido.referencia].isdigit() else "",
            fallido.creada_en,
            fallido.error,
        )
        for fallido in fallidos
    ]


# Whose certificate failed would tell, outside the laboratory, that a person had to sign: that not all was negative.
EN_SU_COLA = "La causa está en la cola de firmas del laboratorio; la del certificado de la institución, también arriba."


def firmas_que_no_salieron() -> list[Pendiente]:
    informes = Informe.objects.filter(estado=EstadoInforme.FIRMA_FALLIDA).select_related("expediente")
    rivs = Dictamen.objects.filter(riv=None).exclude(riv_falla="").select_related("partida__expediente")
    return [
        *(
            Pendiente(i.numero, i.expediente.numero, i.estado_desde, EN_SU_COLA)
            for i in informes.order_by("id")[:LISTA]
        ),
        *(
            Pendiente(f"RIV {d.numero}", d.partida.expediente.numero, d.ocurrio_en, d.riv_falla)
            for d in rivs.order_by("id")[:LISTA]
        ),
    ]

"""The mails of cases, as staff see them: what is owed, what arrived, what did not, and the act that mends it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from expedientes import entregas
from expedientes.lifecycle import EXPEDIENTE, PARTIDA
from expedientes.models import Expediente
from expedientes.textos import TEXTOS
from notificaciones.models import Notificacion
from notificaciones.services import LUGAR_DEL_ENLACE, sin_secretos

TITULOS = {
    "informe_en_revision": "Informe en revisión",
    "informe_corregido": "Versión corregida del informe",
    "informe_anulado": "Informe anulado",
    "registrada": "Solicitud registrada",
    "enlace_renovado": "Enlace de seguimiento",
    "correo_corregido": "Correo corregido",
    "observacion_por_vencer": "Recordatorio de la observación",
    "agente_retirado": "Retiro del agente anterior",
    "incorporado": "Incorporado desde el registro anterior",
} | {str(t.avisa): str(t.hecho) for tabla in (EXPEDIENTE, PARTIDA) for t in tabla.values() if t.avisa} | {
    "dictamen": "Dictamen emitido", "medida_cumplida": "Medida cumplida", "reabierto": "Expediente reabierto",
}  # fmt: skip
MARCAS = {
    Notificacion.Estado.PENDIENTE: ("○", "gris"),
    Notificacion.Estado.ENVIADA: ("✓", "verde"),
    Notificacion.Estado.ENTREGADA: ("✓", "verde"),
    Notificacion.Estado.REBOTADA: ("▲", "rojo"),
    Notificacion.Estado.FALLIDA: ("▲", "rojo"),
    Notificacion.Estado.CANCELADA: ("○", "gris"),
}
# What each state means, under its number: nobody is born knowing an outbox.
QUE_ES = {
    Notificacion.Estado.PENDIENTE: "saldrán solos",
    Notificacion.Estado.ENVIADA: "los aceptó el servidor",
    Notificacion.Estado.ENTREGADA: "llegaron al buzón",
    Notificacion.Estado.REBOTADA: "volvieron",
    Notificacion.Estado.FALLIDA: "no se pudo enviar",
    Notificacion.Estado.CANCELADA: "ya no hacían falta, o no los quieren",
}
POR_REPARAR = "por_reparar"
EL_ENLACE = "[aquí va el enlace personal: no se guarda ni se muestra]"
CAMPOS = (
    "aviso", "correo", "asunto", "estado", "referencia", "creada_en", "enviada_en", "entregada_en", "rebotada_en",
    "reparada_en", "error", "intentos", "reenvio_de", "reenvio__id",
)  # fmt: skip


@dataclass(frozen=True)
class Aviso:
    """One mail as a list shows it. `cuando`: of the last thing that became of it."""

    notificacion: Notificacion
    numero: str
    titulo: str
    marca: str
    tono: str
    cuando: datetime
    por_reparar: bool
    # The one that repeats it, when there is one.
    reenvio: int | None
    # Whose address of now it went to, which can be corrected; nobody's once it was.
    de_quien: str

    @property
    def texto(self) -> str:
        """Which text it was written with, in words; nothing where texts have no versions."""
        nombre, _barra, resto = self.notificacion.version_del_texto.partition("/")
        para, _barra, version = resto.partition("/")
        if nombre not in TEXTOS:
            return ""
        return f"{TEXTOS[nombre].titulo}, para el {para}: {f'v{version}' if version != '0' else 'de fábrica'}"

    @property
    def nota(self) -> str:
        """Why it did not arrive, and whether somebody saw to it."""
        if not self.notificacion.reparada_en:
            return self.notificacion.error
        como = "se reenvió" if self.reenvio else "se corrigió la dirección"
        return f"{self.notificacion.error} Atendido: {como}."


def _aviso(notificacion: Notificacion, numero: str, importador: str, agente: str | None) -> Aviso:
    estado = Notificacion.Estado(notificacion.estado)
    marca, tono = MARCAS[estado]
    perdida = estado in Notificacion.PERDIDAS
    if perdida and notificacion.reparada_en:
        tono = "gris"
    cuando = notificacion.rebotada_en or notificacion.entregada_en or notificacion.enviada_en
    return Aviso(
        notificacion,
        numero,
        TITULOS.get(notificacion.aviso, notificacion.aviso.replace("_", " ").capitalize()),
        marca,
        tono,
        cuando or notificacion.creada_en,
        perdida and not notificacion.reparada_en,
        notificacion.reenvio.pk if hasattr(notificacion, "reenvio") else None,
        {(agente or "").lower(): "agente", importador.lower(): "importador"}.get(notificacion.correo, ""),
    )


def _para_listar(notificaciones: QuerySet[Notificacion]) -> QuerySet[Notificacion]:
    return notificaciones.select_related("reenvio").only(*CAMPOS).order_by("-creada_en", "-pk")


def de_un_caso(expediente: Expediente) -> list[Aviso]:
    """The notices of a case, newest first."""
    suyas = Notificacion.objects.filter(referencia=expediente.referencia)
    importador, agente = expediente.importador.correo, expediente.agente.correo if expediente.agente else None
    return [_aviso(una, expediente.numero, importador, agente) for una in _para_listar(suyas).order_by("-pk")]


def de_varios(notificaciones: Iterable[Notificacion]) -> list[Aviso]:
    """Those of a page; the numbers of their cases by one query."""
    filas = list(notificaciones)
    ids = {fila.caso_id for fila in filas}  # type: ignore[attr-defined]
    casos = Expediente.objects.filter(pk__in=ids).values_list("pk", "numero", "importador__correo", "agente__correo")
    de_cada_uno = {pk: datos for pk, *datos in casos}
    return [_aviso(fila, *de_cada_uno[fila.caso_id]) for fila in filas]  # type: ignore[attr-defined]


def hallar(notificaciones: QuerySet[Notificacion], *, q: str, dias: int, ahora: datetime) -> QuerySet[Notificacion]:
    """Those of a case or of a whole address, whenever; else those of the last `dias`, whose address has `q` in it."""
    numero = q.upper()
    if re.fullmatch(r"[A-Z]{2,3}-\d{4}-\d{6,}", numero):
        caso = Expediente.objects.filter(numero=numero).first()
        return notificaciones.filter(referencia=caso.referencia) if caso else notificaciones.none()
    if "@" in q.strip("@"):
        return notificaciones.filter(correo=q.lower())
    de_entonces = notificaciones.filter(creada_en__gte=ahora - timedelta(days=dias))
    return de_entonces.filter(correo__contains=q.lower()) if q else de_entonces


def contar(notificaciones: QuerySet[Notificacion]) -> dict[str, int]:
    """How many there are in each state, and how many wait for somebody to mend them."""
    sin_reparar = Count("pk", filter=Q(estado__in=Notificacion.PERDIDAS, reparada_en=None))
    por_estado = notificaciones.order_by().values("estado")
    filas = por_estado.annotate(n=Count("pk"), sin_reparar=sin_reparar).values_list("estado", "n", "sin_reparar")
    cuenta: dict[str, int] = dict.fromkeys(Notificacion.Estado.values, 0) | {POR_REPARAR: 0}
    for estado, cuantas, por_reparar in filas:
        cuenta[estado] = cuantas
        cuenta[POR_REPARAR] += por_reparar
    return cuenta


def filtrar(notificaciones: QuerySet[Notificacion], estado: str) -> QuerySet[Notificacion]:
    if estado == POR_REPARAR:
        notificaciones = entregas.por_reparar(notificaciones)
    elif estado in Notificacion.Estado.values:
        notificaciones = notificaciones.filter(estado=estado)
    return _para_listar(notificaciones)


def contadores(cuenta: dict[str, int], elegido: str, url: dict[str, str]) -> list[dict[str, object]]:
    """The strip of states; `url` gives each one's address."""
    tira: list[dict[str, object]] = [
        {"texto": "Por reparar", "numero": cuenta[POR_REPARAR], "nota": "no llegaron",
         "tono": "rojo" if cuenta[POR_REPARAR] else "", "activo": elegido == POR_REPARAR, "url": url[POR_REPARAR]}
    ]  # fmt: skip
    for estado in Notificacion.Estado:
        tira.append(
            {"texto": f"{estado.label.capitalize()}s", "numero": cuenta[estado], "nota": QUE_ES[estado], "tono": "",
             "activo": elegido == estado, "url": url[estado]}
        )  # fmt: skip
    return tira


def texto_sin_enlace(notificacion: Notificacion) -> str:
    """The text as it was sent, but for the link: it is in no table, and whoever reads this page needs none."""
    return sin_secretos(notificacion.texto.replace(LUGAR_DEL_ENLACE, EL_ENLACE))

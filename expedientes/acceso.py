"""Who gets in from outside, without a password: links of one case or of all, asked for again, and what each opens.

A link goes only to an address on record, whoever asks for it. Asking writes one row (`PedidoDeEnlace`) and nothing
else: what it named is looked for by the worker, so that neither the answer nor its time tells whether it exists.
A link to all cases opens those of whoever reads at its address *now*: the importer's, and of a broker those that
he has in hand with a power in force. Nothing is copied, so nothing outlives a change of address or of broker.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from weakref import WeakSet

import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from psycopg.pq import ExecStatus

from notificaciones import enlaces
from notificaciones.models import Enlace, Notificacion
from notificaciones.services import enlace_para
from senasa import reloj, timbre

from . import avisos, tasks
from .models import AgenteAduana, Expediente, Importador, PedidoDeEnlace
from .textos import Audiencia

registro = logging.getLogger(__name__)

PEDIDO_VIVE = timedelta(days=1)
DE_UNO, DE_TODOS = "enlace_pedido", "enlace_de_todos"
LOTE = 200


# ── What opens ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Llave:
    """A link in force that opens a case: enough to know both without reading them whole."""

    expediente: int
    sello: str
    estado: str
    enlace: int
    version: int
    correo: str


# One round to the database for what every opening of a page asks: whether the link lives, and which case it is of.
LLAVE = """
SELECT caso.id, caso.sello, caso.estado, enlace.referencia, enlace.correo
  FROM expedientes_expediente caso, notificaciones_enlace enlace
 WHERE caso.numero = {} AND enlace.id = {} AND enlace.version = {} AND enlace.revocado_en IS NULL
   AND (enlace.vence_en IS NULL OR enlace.vence_en > {})"""
LLAVE_DE_LIBPQ = LLAVE.format("$1", "$2", "$3", "$4").encode()
_CON_LLAVE: WeakSet[psycopg.Connection] = WeakSet()


def llave(numero: str, pk: int, version: int) -> Llave | None:
    """The link with that id and version, while it lives and opens the case of that number."""
    fila = _preguntar([numero, pk, version, timezone.now()])
    if fila is None:
        return None
    caso, sello, estado, referencia, correo = fila
    if referencia != f"expediente:{caso}" and not (
        referencia == enlaces.TODOS and casos_de(correo).filter(pk=caso).exists()
    ):
        return None
    return Llave(caso, sello, estado, pk, version, correo)


def _preguntar(valores: Sequence[Any]) -> tuple[Any, ...] | None:
    """`LLAVE`, planned once for each connection and asked of libpq itself: half of what a cursor costs, on the page
    that is opened most.

    Django's cursors would ask first whether the connection still lives; here the answer says it, and whatever went
    wrong is asked once more by them, on a connection of its own where that may be.
    """
    connection.ensure_connection()
    psql = connection.connection.pgconn
    with suppress(psycopg.Error):
        if connection.connection not in _CON_LLAVE:
            psql.prepare(b"llave", LLAVE_DE_LIBPQ)
            _CON_LLAVE.add(connection.connection)
        respuesta = psql.exec_prepared(b"llave", [str(valor).encode() for valor in valores])
        if respuesta.status == ExecStatus.TUPLES_OK:
            if not respuesta.ntuples:
                return None
            caso, *textos = (bytes(respuesta.get_value(0, columna) or b"").decode() for columna in range(5))
            return int(caso), *textos
    if not connection.in_atomic_block:
        connection.close()
    with connection.cursor() as cursor:
        cursor.execute(LLAVE.format("%s", "%s", "%s", "%s"), valores)
        return cursor.fetchone()


def _hay_poder(desde: date | None, hasta: date | None) -> bool:
    hoy = timezone.localdate(reloj.ahora())
    return (desde is None or desde <= hoy) and (hasta is None or hoy <= hasta)


def casos_de(correo: str) -> QuerySet[Expediente]:
    """All the cases of whoever reads at that address: as importer, and as their present broker with power."""
    hoy = timezone.localdate(reloj.ahora())
    con_poder = (Q(poder_desde=None) | Q(poder_desde__lte=hoy)) & (Q(poder_hasta=None) | Q(poder_hasta__gte=hoy))
    importadores = list(Importador.objects.filter(correo__iexact=correo).values_list("pk", flat=True))
    agentes = list(AgenteAduana.objects.filter(correo__iexact=correo).values_list("pk", flat=True))
    return Expediente.objects.filter(Q(importador__in=importadores) | (Q(agente__in=agentes) & con_poder))


def de_todos(pk: int, version: int) -> Enlace | None:
    """The link to all cases with that id and version, while it lives."""
    enlace = enlaces.vigente(pk, version)
    return enlace if enlace and enlace.referencia == enlaces.TODOS else None


@transaction.atomic
def cerrar_todos(enlace: Enlace) -> None:
    """Kill the link to all cases, wherever it is open: its owner asks for it."""
    enlaces.revocar_de(referencia=enlaces.TODOS, correo=enlace.correo)


# ── Asking for one ────────────────────────────────────────────────────────────────────────────────


def pedir(**que: Any) -> None:
    """Keep what somebody asks for (the fields of `PedidoDeEnlace`); the worker finds out whether there is one."""
    PedidoDeEnlace.objects.create(creado_en=timezone.now(), **que)
    timbre.tocar(tasks.atender_pedidos)


def atender() -> int:
    """Send what was asked for and exists; forget what was asked. How many mails are owed."""
    debidos = 0
    for pk in PedidoDeEnlace.objects.order_by("id").values_list("pk", flat=True)[:LOTE]:
        try:
            debidos += _atender(pk)
        except Exception:
            registro.exception("no se pudo atender el pedido de enlace %s", pk)
    PedidoDeEnlace.objects.filter(creado_en__lt=timezone.now() - PEDIDO_VIVE).delete()
    return debidos


@transaction.atomic
def _atender(pk: int) -> bool:
    pedido = PedidoDeEnlace.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if pedido is None:  # another worker's
        return False
    expediente, correo = _de_quien_es(pedido)
    debido = False
    if correo and expediente:
        debido = _enviar_uno(expediente, correo, clave=str(pk))
    elif correo:
        debido = _enviar_todos(correo, clave=str(pk))
    pedido.delete()
    return debido


def _de_quien_es(pedido: PedidoDeEnlace) -> tuple[Expediente | None, str]:
    """The case, or none when it is about all, and the address on record; no address when nothing is to be sent."""
    if pedido.todos:
        return None, pedido.correo.lower()
    if pedido.enlace:
        return _del_enlace(pedido.enlace)
    casos = Expediente.objects.select_related("importador", "agente")
    expediente = casos.filter(Q(numero=pedido.numero) | Q(numero_anterior=pedido.numero)).first()
    if expediente is None or not pedido.documento:
        return None, ""
    if expediente.importador.numero_documento == pedido.documento:
        return expediente, expediente.importador.correo.lower()
    agente = expediente.agente
    if agente and agente.numero_documento == pedido.documento and _hay_poder(
        expediente.poder_desde, expediente.poder_hasta
    ):  # fmt: skip
        return expediente, agente.correo.lower()
    return expediente, ""


def _del_enlace(enlace: Enlace) -> tuple[Expediente | None, str]:
    """Of a link that does not open any more: a new one to the same address, while it still follows the case."""
    tipo, _dos_puntos, pk = enlace.referencia.partition(":")
    if enlace.revocado_en or tipo not in ("expediente", enlaces.TODOS):
        return None, ""
    if tipo == enlaces.TODOS:
        return None, enlace.correo
    expediente = Expediente.objects.select_related("importador", "agente").get(pk=int(pk))
    return expediente, enlace.correo if enlace.correo in avisos.destinatarios(expediente) else ""


def _enviar_uno(expediente: Expediente, correo: str, *, clave: str) -> bool:
    if _basta(correo, expediente.referencia):
        return False
    enlace = avisos.enlace_a(expediente, correo)
    audiencia = avisos.audiencia_de(correo, expediente)
    avisos.deber_enlace(DE_UNO, enlace=enlace, audiencia=audiencia, clave=clave, expediente=expediente)
    return True


def _enviar_todos(correo: str, *, clave: str) -> bool:
    if _basta(correo, enlaces.TODOS) or not casos_de(correo).exists():
        return False
    enlace = enlace_para(referencia=enlaces.TODOS, correo=correo)
    importa = Importador.objects.filter(correo__iexact=correo).exists()
    audiencia = Audiencia.IMPORTADOR if importa else Audiencia.AGENTE
    avisos.deber_enlace(DE_TODOS, enlace=enlace, audiencia=audiencia, clave=clave, dias=enlaces.TODOS_VALE.days)
    return True


def _basta(correo: str, referencia: str) -> bool:
    """Whether the address was sent enough of these lately. Told to nobody: strangers ask in other people's names."""
    ahora = timezone.now()
    pedidos = Notificacion.objects.filter(correo=correo, aviso__in=(DE_UNO, DE_TODOS))
    ultimos = list(pedidos.filter(creada_en__gt=ahora - timedelta(days=1)).values_list("referencia", "creada_en"))
    en_la_hora = [de for de, cuando in ultimos if cuando > ahora - timedelta(hours=1)]
    return (
        en_la_hora.count(referencia) >= settings.ENLACES_POR_HORA
        or len(en_la_hora) >= 2 * settings.ENLACES_POR_HORA
        or len(ultimos) >= 8 * settings.ENLACES_POR_HORA
    )

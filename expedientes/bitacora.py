"""The log's chain: how an entry is sealed, and how the whole is verified.

Each entry carries HMAC-SHA256 of its own columns and of the seal before it in its case. The key
(`BITACORA_CLAVE`) is not in the database: whoever can write there still cannot recompute the chain.
The case keeps the number and the seal of its last entry, so that a deleted tail shows too.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from senasa import reloj
from senasa.models import Usuario

from .models import Contador, Evento, Expediente

CAMPOS = (
    "id", "expediente_id", "n", "objeto", "objeto_id", "accion", "de", "a", "actor_id", "origen",
    "ocurrio_en", "registrado_en", "motivo", "texto", "datos", "previo",
)  # fmt: skip


# How many of the last entries are looked at to tell whether one of them came in late.
VENTANA = 500


def marca() -> str:
    """Where the log stands: another whenever an entry came in, of any case. What rests on cases and is kept under it is
    true of the log, for the cost of one short walk of an index.

    Not the last number alone: of two acts at once the one that took the lower number may be stored last. Only an act
    that goes on while `VENTANA` others begin is missed; so nothing is kept under it for long.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT concat_ws('.', max(id), min(id), count(*))"
            " FROM (SELECT id FROM expedientes_evento ORDER BY id DESC LIMIT %s) ultimas",
            [VENTANA],
        )
        (marca,) = cursor.fetchone()
    return str(marca)


def canonico(valores: dict[str, Any]) -> str:
    """What of an entry is sealed: its columns as JSON with sorted keys, hours in UTC to the microsecond."""
    return json.dumps(
        {
            campo: valores[campo].astimezone(UTC).isoformat(timespec="microseconds")
            if isinstance(valores[campo], datetime)
            else valores[campo]
            for campo in CAMPOS
        },
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )


def sellar(valores: dict[str, Any]) -> str:
    """The seal of an entry: HMAC-SHA256 of its canonical form, in hex."""
    return sello_de(canonico(valores))


def sello_de(entrada: str) -> str:
    return hmac.digest(settings.BITACORA_CLAVE.encode(), entrada.encode(), "sha256").hex()


def anotar(
    expediente: Expediente,
    *,
    objeto: Any,
    accion: str,
    actor: Usuario | None,
    origen: str = "",
    de: str = "",
    a: str = "",
    ocurrio_en: datetime | None = None,
    motivo: str = "",
    texto: str = "",
    datos: dict[str, Any] | None = None,
) -> Evento:
    """Append one entry. `expediente` must be locked by the caller's transaction."""
    ahora = reloj.ahora()
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('expedientes_evento', 'id'))")
        (pk,) = cursor.fetchone()
    evento = Evento(
        id=pk,
        expediente=expediente,
        n=expediente.eventos + 1,
        objeto=objeto._meta.model_name,
        objeto_id=objeto.pk,
        accion=accion,
        de=de,
        a=a,
        actor=actor,
        origen=origen or (Evento.Origen.PERSONA if actor else Evento.Origen.SISTEMA),
        ocurrio_en=ocurrio_en or ahora,
        # What is brought from another registry was recorded here today, whatever hour the clock is held at.
        registrado_en=timezone.now() if origen == Evento.Origen.MIGRACION else ahora,
        motivo=motivo,
        texto=texto,
        datos=datos or {},
        previo=expediente.sello,
    )
    evento.sello = sellar({campo: getattr(evento, campo) for campo in CAMPOS})
    evento.save(force_insert=True)
    expediente.eventos, expediente.sello = evento.n, evento.sello
    expediente.save(update_fields=["eventos", "sello"])
    return evento


def cabezas() -> str:
    """One seal over the head of every case's chain: equal only where all the chains are."""
    suma = hashlib.sha256()
    for cabeza in Expediente.objects.order_by("id").values_list("id", "eventos", "sello").iterator():
        suma.update(repr(cabeza).encode())
    return suma.hexdigest()


def fallas(expediente: Expediente | None = None, *, entre: tuple[int, int] | None = None) -> Iterator[str]:
    """What is wrong with the log of a case, or of all, in the order of cases and entries; nothing when it is whole.

    `entre`: only of the cases with those ids, both included, for several to share the work.
    """
    casos, entradas = Expediente.objects.order_by("id"), Evento.objects.order_by("expediente_id", "n")
    entre = (expediente.pk, expediente.pk) if expediente else entre
    if entre:
        casos, entradas = (
            casos.filter(pk__range=entre),
            entradas.filter(expediente__gte=entre[0], expediente__lte=entre[1]),
        )
    cabezas = dict[int, tuple[str, int, str]]()
    for pk, numero, eventos, sello in casos.values_list("id", "numero", "eventos", "sello"):
        cabezas[pk] = (numero, eventos, sello)
    ultimo: dict[int, tuple[int, str]] = {}
    filas = entradas.values(*CAMPOS, "sello")
    for fila in filas.iterator(chunk_size=2000):
        caso = fila["expediente_id"]
        numero = cabezas[caso][0] if caso in cabezas else f"expediente {caso}"
        n, previo = ultimo.get(caso, (0, ""))
        quien = f"{numero}, evento {fila['n']} (id {fila['id']})"
        if fila["n"] != n + 1:
            yield f"{quien}: falta el evento {n + 1} anterior a esta fila"
        elif fila["previo"] != previo:
            yield f"{quien}: no sigue a la fila anterior"
        elif not hmac.compare_digest(sellar(fila), fila["sello"]):
            yield f"{quien}: el contenido no corresponde a su sello"
        ultimo[caso] = (fila["n"], fila["sello"])
    for pk, (numero, eventos, sello) in cabezas.items():
        if ultimo.get(pk, (0, "")) != (eventos, sello):
            yield f"{numero}: la bitácora termina en el evento {ultimo.get(pk, (0, ''))[0]} y debería en el {eventos}"
    if entre is None:
        yield from _expedientes_que_faltan()


def _expedientes_que_faltan() -> Iterator[str]:
    """Case numbers are gapless: a case deleted with its whole log leaves a hole."""
    series = set(Expediente.objects.values_list("puesto__codigo", flat=True).distinct())
    for contador in Contador.objects.filter(serie__in=series | {"PCM", "PCA"}).order_by("serie", "anio"):
        prefijo = f"{contador.serie}-{contador.anio}-"
        hay = set(Expediente.objects.filter(numero__startswith=prefijo).values_list("numero", flat=True))
        for i in range(1, contador.ultimo + 1):
            if f"{prefijo}{i:06d}" not in hay:
                yield f"{prefijo}{i:06d}: el expediente y su bitácora ya no están"
                break

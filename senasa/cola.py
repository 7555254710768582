"""The broker for when there is none: kombu's folders, made safe for more than one process.

kombu writes messages and its table of queues in place, so whoever looks at the wrong moment reads half a
file and dies of it. Here a file appears whole, under its name, or not at all.
"""

from fcntl import LOCK_EX, flock
from pathlib import Path
from queue import Empty
from time import monotonic_ns
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps


def _escribir_entero(archivo: Path, contenido: Any) -> None:
    # kombu takes what ends in `.<queue>.msg` or `.exchange`: until the rename this is neither.
    provisional = archivo.with_name(f"{uuid4()}.parte")
    provisional.write_text(dumps(contenido), encoding="utf-8")
    provisional.rename(archivo)


class Canal(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        carpeta = Path(self.data_folder_out)
        try:
            carpeta.mkdir(parents=True, exist_ok=True)
            _escribir_entero(carpeta / f"{monotonic_ns() // 1_000_000}_{uuid4()}.{queue}.msg", payload)
        except OSError as error:
            raise ChannelError(f"no se puede dejar el mensaje en {carpeta}") from error

    def _get(self, queue: str, timeout: Any = None) -> Any:
        try:
            return super()._get(queue)
        except FileNotFoundError:  # somebody deleted the folder: no reason for the worker to die
            Path(self.data_folder_in).mkdir(parents=True, exist_ok=True)
            raise Empty from None

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        tabla = self._exchange_file(exchange)
        fila = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        try:
            tabla.parent.mkdir(parents=True, exist_ok=True)
            with (tabla.parent / "cerrojo").open("a") as cerrojo:
                flock(cerrojo, LOCK_EX)
                filas = self.get_table(exchange)
                if fila not in filas:
                    _escribir_entero(tabla, [fila, *filas])
        except OSError as error:
            raise ChannelError(f"no se puede anotar la cola en {tabla}") from error


class Transporte(filesystem.Transport):
    Channel = Canal


TRANSPORT_ALIASES["filesystem"] = "senasa.cola:Transporte"

"""The folder broker: a reader never sees half a file, however many processes write."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from kombu import Connection

import senasa.celery  # noqa: F401 - registers the transport

RELLENO = 1_000_000
PROCESOS = multiprocessing.get_context("fork")


def _conexion(carpeta: Path) -> Connection:
    opciones = {
        "data_folder_in": str(carpeta),
        "data_folder_out": str(carpeta),
        "control_folder": str(carpeta / "c"),
        "polling_interval": 0.001,  # a reader faster than the writers meets the message being written
    }
    return Connection("filesystem://", transport_options=opciones)


def _escribir(carpeta: Path, cuantos: int) -> None:
    with _conexion(carpeta) as conexion, conexion.SimpleQueue("q") as cola:
        for n in range(cuantos):
            cola.put({"n": n, "relleno": "x" * RELLENO})


def _declarar(carpeta: Path, vueltas: int) -> None:
    for vuelta in range(vueltas):
        PUERTA.wait(timeout=20)
        with _conexion(carpeta) as conexion:
            conexion.SimpleQueue(f"q{vuelta}").put({"vuelta": vuelta})


PUERTA = PROCESOS.Barrier(4)


def test_a_message_appears_whole_or_not_at_all(tmp_path: Path):
    escritores, cada_uno = 4, 50
    # The reader declares the queue before anybody writes: what is put into no queue is nobody's, as on any broker.
    with (
        _conexion(tmp_path) as conexion,
        conexion.SimpleQueue("q") as cola,
        ProcessPoolExecutor(escritores, PROCESOS) as procesos,
    ):
        trabajos = [procesos.submit(_escribir, tmp_path, cada_uno) for _ in range(escritores)]
        for _ in range(escritores * cada_uno):
            mensaje = cola.get(timeout=20)  # a half message would raise here
            assert len(mensaje.payload["relleno"]) == RELLENO
            mensaje.ack()
        for trabajo in trabajos:
            trabajo.result()
    assert not list(tmp_path.rglob("*.parte"))


def test_everybody_may_declare_the_same_queue_at_once(tmp_path: Path):
    """Web, worker and beat start together: each binds its queue in one table that none may read half written."""
    with ProcessPoolExecutor(4, PROCESOS) as procesos:
        for trabajo in [procesos.submit(_declarar, tmp_path, 30) for _ in range(4)]:
            trabajo.result()
    assert len(list(tmp_path.rglob("*.msg"))) == 4 * 30

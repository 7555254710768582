"""How a log line is written: one JSON object in production, one readable line in the demonstration.

Lines say which request or task, which route, which user by number, how it ended and how long it took. They carry no
name, e-mail, token, query string, IP address or browser: what a person did is in the case log, which is sealed; who
knocks at the door is in the proxy's. An exception is told by its type and by where it passed, never by its message,
where databases and mail servers quote what people typed.
"""

import logging
import re
import traceback
from pathlib import Path
from typing import Any

import structlog

# What our own lines may add beside their text.
CAMPOS = {"ruta", "metodo", "estado", "ms", "usuario"}
# Where the program and its libraries lie is the same for every line.
CARPETAS = re.compile(rf"^.*/site-packages/|^{re.escape(str(Path(__file__).parents[1]))}/")
# The last defence, for whatever text others write: a path keeps its head, a secret and an address nothing.
QUE_SE_TAPA = (
    (re.compile(r"(/seguimiento/)[^/\s\"'?#]+"), r"\1‹enlace›"),
    (re.compile(r"\b\d{1,18}-[A-Za-z0-9_-]{27}(?![A-Za-z0-9_-])"), "‹enlace›"),
    (re.compile(r"[^\s<>\"'(),:;=/]+(?:@|%40)[^\s<>\"'(),:;=/?&]+"), "‹correo›"),
    (re.compile(r"(?<=[\w/-])\?[^\s\"'>]+"), "?‹consulta›"),
)


def tapar(valor: Any) -> Any:
    """`valor` without addresses, links' tokens or query strings, however deep they are."""
    match valor:
        case str():
            for patron, por in QUE_SE_TAPA:
                valor = patron.sub(por, valor)
            return valor
        case dict():
            return {clave: tapar(uno) for clave, uno in valor.items()}
        case list() | tuple() | set():
            return [tapar(uno) for uno in valor]
        case bool() | int() | float() | None:
            return valor
    return tapar(str(valor))


def _tapar(logger: Any, metodo: str, linea: structlog.types.EventDict) -> structlog.types.EventDict:
    return {clave: tapar(valor) for clave, valor in linea.items()}


def _sin_ruta(logger: Any, metodo: str, linea: structlog.types.EventDict) -> structlog.types.EventDict:
    """Django ends some lines with the path, where a person may have typed anything: the route's name says enough."""
    peticion = getattr(linea["_record"], "request", None)
    if peticion is not None:
        linea["event"] = linea["event"].partition(": /")[0]
        resuelta = getattr(peticion, "resolver_match", None)
        linea["ruta"] = resuelta.view_name if resuelta else ""
    return linea


def _rastro(logger: Any, metodo: str, linea: structlog.types.EventDict) -> structlog.types.EventDict:
    """Put type and path of the exception, and of what caused it, in the place of its text."""
    info = linea.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else info
    linea.pop("stack_info", None)
    tipos = []
    rastro: list[str] = []
    while isinstance(error, BaseException):
        estado = getattr(error, "sqlstate", None)
        tipos.append(f"{type(error).__module__}.{type(error).__qualname__}{f' {estado}' if estado else ''}")
        cuadros = traceback.extract_tb(error.__traceback__)
        rastro += [f"{CARPETAS.sub('', cuadro.filename)}:{cuadro.lineno} {cuadro.name}" for cuadro in cuadros]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if tipos:
        linea["excepcion"], linea["rastro"] = tipos, rastro[:60]
    return linea


def formato(en_json: bool) -> logging.Formatter:
    """The formatter that LOGGING names."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow=CAMPOS),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="hora"),
            _sin_ruta,
            _rastro,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _tapar,
            structlog.processors.JSONRenderer(ensure_ascii=False)
            if en_json
            else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, timestamp_key="hora"),
        ],
    )

"""The board that a person asked for: whose cases, through which filters, in which order. The URL is the view.

The page, its refresh, the export, the daily meeting and the saved views all read this, so they all mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils import timezone

from expedientes import bitacora
from expedientes.models import Dictamen, Expediente, Traslado
from expedientes.plazos import Semaforo
from senasa import reloj, vivo
from senasa.models import Puesto, Rol, Usuario
from senasa.tablas import Fila as FilaDeTabla

from . import jornada, queries
from .filters import FiltroDelTablero
from .queries import Lector

# Who has the day's queues on top: those whose work they are, and who sees to it that it is done.
CON_JORNADA = (Rol.INSPECTOR, Rol.JEFE_DE_PUESTO)
LOTE = 200  # cases read at a time for an export
# What a row says with words of time may be this old on a screen that is only looked at.
CADUCA_SEGUNDOS = 300

COLUMNAS = (
    "Expediente", "Urgencia", "Plazo", "Por qué", "Importador", "Documento", "Carga", "Puesto", "Dónde está", "Desde",
    "Qué falta", "Quién lo tiene", "Avance", "A cargo de", "Notas",
)  # fmt: skip


class Tablero:
    """`consulta`: the query string as it came; what is not understood of it is left out."""

    def __init__(self, usuario: Usuario, consulta: Mapping[str, Any]):
        self.usuario, self.ahora, self.lector = usuario, reloj.ahora(), Lector(usuario)
        todos = usuario.tiene(*queries.VEN_TODO)
        self.puestos: list[Puesto] = list(Puesto.objects.all()) if todos else list(self.lector.puestos.values())
        codigo = consulta.get("puesto", "")
        self.elegidos = [puesto for puesto in self.puestos if puesto.codigo == codigo] or self.puestos
        self.casos: QuerySet[Expediente] = queries.abiertos(usuario).filter(
            puesto__in=[puesto.pk for puesto in self.elegidos]
        )
        self.filtro = FiltroDelTablero(
            consulta, queryset=self.casos, puestos=self.puestos, lector=self.lector, ahora=self.ahora
        )

    @cached_property
    def elegido(self) -> dict[str, Any]:
        """The filters that were understood, by name, with what was chosen."""
        self.filtro.qs  # noqa: B018 - it reads the form
        return {campo: valor for campo, valor in self.filtro.form.cleaned_data.items() if valor}

    @cached_property
    def consulta(self) -> str:
        """The same filters as a query string, and nothing else of what came."""
        datos = self.filtro.form.data
        return urlencode({campo: datos[campo] for campo in self.filtro.form.fields if campo in self.elegido})

    @cached_property
    def ids(self) -> QuerySet[Any]:
        """What is shown, most urgent first. Ids alone: what is sorted stays narrow, whatever a row then shows."""
        return queries.por_urgencia(self.filtro.qs).values_list("pk", flat=True)

    @cached_property
    def cuentas(self) -> dict[int, queries.Cuenta]:
        """All that is open in the chosen posts, whatever is filtered: {post: {stage: {semáforo: n}}}.

        Counted again when there was an act, or another minute began: of twenty thousand rows it costs 20 ms.
        """
        puestos = [puesto.pk for puesto in self.elegidos]
        minuto = int(self.ahora.timestamp()) // vivo.SEGUNDOS
        return vivo.recordar(
            ("recuento", self.usuario.pk, puestos, bitacora.marca(), minuto),
            lambda: queries.recuento_por_puesto(self.casos, self.ahora),
        )

    @cached_property
    def cuenta(self) -> queries.Cuenta:
        return queries.sumar(self.cuentas.values())

    @cached_property
    def cuantos(self) -> int:
        """How many cases are shown, on all pages."""
        contado = {clave: self.elegido[clave] for clave in ("etapa", "semaforo") if clave in self.elegido}
        if set(self.elegido) <= {"etapa", "semaforo", "puesto"}:
            return queries.cuantos(self.cuenta, **contado)
        return self.ids.count()

    @cached_property
    def rivs_fallidos(self) -> list[Dictamen]:
        return queries.rivs_fallidos(self.usuario)

    @cached_property
    def ofrecidos(self) -> list[Traslado]:
        return queries.ofrecidos(self.usuario)

    @cached_property
    def con_colas(self) -> bool:
        """Whether the queues of the day are shown: to whose work they are, when nothing but a post was chosen."""
        return self.usuario.tiene(*CON_JORNADA) and not set(self.elegido) - {"puesto"}

    def colas(self) -> list[jornada.Cola]:
        return jornada.colas(self.elegidos, self.lector, self.ahora) if self.con_colas else []

    def sello(self, pagina: str = "") -> tuple[object, ...]:
        """What changes whenever the page may, from the counts that it shows anyway: no act goes unseen.

        Deadlines that pass are counted within a minute, and times in words are never older than `CADUCA_SEGUNDOS`. It
        stays on the server: it moves with the bench too.
        """
        return (
            self.usuario.pk,
            sorted(self.usuario.roles),
            [puesto.pk for puesto in self.elegidos],
            sorted(self.lector.a_su_cargo),
            self.consulta,
            pagina,
            self.cuentas,
            [(dictamen.pk, dictamen.riv_falla) for dictamen in self.rivs_fallidos],
            [traslado.pk for traslado in self.ofrecidos],
            timezone.localdate(self.ahora),
            int(self.ahora.timestamp()) // CADUCA_SEGUNDOS,
        )

    def filas_de_tabla(self) -> Iterator[FilaDeTabla]:
        """Every row shown, on all pages and in their order, for a file with `COLUMNAS`."""
        ids = list(self.ids)
        for desde in range(0, len(ids), LOTE):
            for caso in queries.con_detalle_de(ids[desde : desde + LOTE]):
                yield self._fila_de_tabla(queries.fila(caso, self.lector, self.ahora))

    def _fila_de_tabla(self, fila: queries.Fila) -> FilaDeTabla:
        caso = fila.expediente
        return [
            caso.numero, fila.urgencia, caso.vence_en, fila.porque, caso.importador.nombre,
            caso.importador.numero_documento, fila.carga, caso.puesto.codigo, fila.etapa, caso.estado_desde,
            fila.falta.que, fila.quien, fila.falta.avance, str(caso.inspector or ""), " · ".join(fila.notas),
        ]  # fmt: skip


@dataclass(frozen=True)
class Comparada:
    """A post beside the others: how much of each stage, and how much of it is late."""

    puesto: Puesto
    abiertos: int
    vencidos: int
    etapas: list[tuple[str, str, int, int]]  # stage, its name, cases, late


def lado_a_lado(tablero: Tablero) -> list[Comparada]:
    """The chosen posts, each with its counts; nothing to compare when there is one."""
    if len(tablero.elegidos) < 2:
        return []
    vacia = queries.sumar([])
    comparadas = []
    for puesto in tablero.elegidos:
        cuenta = tablero.cuentas.get(puesto.pk, vacia)
        etapas = [
            (etapa, nombre, cuenta[etapa]["total"], cuenta[etapa]["vencido"])
            for etapa, nombre in queries.ETAPAS.items()
        ]
        vencidos = queries.cuantos(cuenta, semaforo=Semaforo.VENCIDO)
        comparadas.append(Comparada(puesto, queries.cuantos(cuenta), vencidos, etapas))
    return comparadas


def nombre_de(puestos: list[Puesto]) -> str:
    return " y ".join(puesto.nombre for puesto in puestos) if len(puestos) < 3 else "Todos los puestos"


def hora(ahora: datetime) -> str:
    return f"{timezone.localtime(ahora):%H:%M:%S}"

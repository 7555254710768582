"""The cases that the bench casts: each one walked once through the real services, then read as moulds.

A million cases cannot walk; a few hundred can. What a walked case left in every table becomes lines of COPY with
places for what a copy has of its own: ids, numbers, hours, seals, addresses. Which tables those are is read from the
models, so that what a later act writes is cast too. All hours of a copy move by the same span, in whole weeks and a few
minutes: every duration, and whatever is derived from durations, stays exact.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, models

from expedientes import bitacora
from expedientes.models import TERMINADOS, AgenteAduana, Contador, Evento, Expediente, Importador
from laboratorio import demo
from notificaciones.models import Notificacion
from senasa import reloj

# Where cases are left, and how many of each are walked. Of the closed, most were never sampled: a case that goes
# through the laboratory leaves some 25 entries in its log, one that does not 6, and the mean has to be about 12.
CERRADOS = {
    "sin_muestra": (40, 0.695), "cerrado": (90, 0.255), "contramuestra": (8, 0.015), "corregido": (4, 0.005),
    "desistido": (4, 0.01), "anulado": (4, 0.02),
}  # fmt: skip
ABIERTOS = {
    "registrado": (8, 6), "programado": (8, 6), "en_inspeccion": (8, 8), "muestreado": (6, 6), "en_laboratorio": (8, 8),
    "recibido": (8, 8), "asignado": (6, 6), "en_proceso": (10, 10), "con_resultado": (8, 8), "verificado": (4, 4),
    "por_firmar": (6, 6), "resultado_emitido": (12, 12), "con_riv": (4, 4), "en_medida": (6, 6), "observado": (4, 4),
    "respondido": (2, 1), "no_presentada": (2, 1), "rechazada": (2, 1), "perdida": (2, 1), "demorado": (2, 1),
    "preguntado": (2, 1), "contestado": (2, 1), "en_revision": (2, 1), "por_enmendar": (2, 0.5),
    "informe_anulado": (2, 0.5),
}  # fmt: skip
# A post-entry quarantine outlives its case by half a year: closed, and few.
POCOS = {"posentrada": (4, 0.002)}
DESTINOS = {**CERRADOS, **POCOS, **ABIERTOS}
# What belongs to an address, not to a case: the copies do without.
DE_LAS_PERSONAS = {"notificaciones_preferencia"}
# For the tests: one of each of these shows every table.
UNOS_POCOS = (
    "sin_muestra", "cerrado", "desistido", "registrado", "en_proceso", "resultado_emitido", "en_medida", "observado",
)  # fmt: skip
ESPERA = {destino: dias for destino, _peso, dias in demo.DESTINOS} | {"sin_muestra": (1, 60)}

NUMERO = re.compile(r"^([A-Z]{1,4})-(\d{4})-(\d{6})$")
REFERENCIA = re.compile(r"^expediente:(\d+)$")
CLAVE = re.compile(r"^(\w+):(\d+):(.+)$")
HORA = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d")
DIA = re.compile(r"^\d{4}-\d\d-\d\d$")
# The papers of a case: of each copy, another number.
PAPELES = ("pfi", "certificado", "suce", "dam", "bl")
NUMERO_DE_PAPEL = re.compile(r"\d{5,6}$|\d{6}(?=-)")
# What the log's data call by its id.
IDS_EN_DATOS = {"partida": "expedientes_partida", "resultado": "laboratorio_resultado"}


@dataclass
class Molde:
    """One walked case. Places read `%(tabla.3)s` (an id), `t.4`, `j.4`, `d.1` (an hour, the same in JSON, a day),
    `n.0` (a number), `u.2` (a value that no two rows share), `s.5` (a seal), `papel` (six digits), `importador`,
    `correo`."""

    destino: str
    abierto: bool
    inicio: datetime
    fin: datetime
    filas: dict[str, str] = field(default_factory=dict)
    eventos: list[tuple[int, str]] = field(default_factory=list)  # which hour it was recorded at, its line
    sellados: list[str] = field(default_factory=list)  # what each seal is of
    cuantas: dict[str, int] = field(default_factory=dict)
    momentos: list[datetime] = field(default_factory=list)
    en_json: set[int] = field(default_factory=set)  # which of them are told in JSON too
    dias: list[date] = field(default_factory=list)
    numeros: list[tuple[str, datetime]] = field(default_factory=list)  # the series, and when it was given
    unicos: list[str] = field(default_factory=list)  # as they are in the mould


@dataclass(frozen=True)
class Tabla:
    nombre: str
    columnas: list[str]
    campos: dict[str, models.Field]
    padres: dict[str, str]  # column → table it points to
    unicas: set[str]
    de_relacion: bool


def tablas() -> dict[str, Tabla]:
    """The tables that may hold something of a case: those of ours that are numbered by an integer."""
    halladas = {}
    for modelo in apps.get_models(include_auto_created=True):
        meta = modelo._meta
        entero = isinstance(meta.pk, (models.AutoField, models.BigAutoField, models.IntegerField, models.OneToOneField))
        if (
            meta.app_label in ("senasa", "sessions", "contenttypes", "auth", "admin")
            or modelo is Contador
            or not entero
        ):
            continue
        campos = {str(campo.column): campo for campo in meta.local_concrete_fields if not campo.generated}
        halladas[meta.db_table] = Tabla(
            nombre=meta.db_table,
            columnas=list(campos),
            campos=campos,
            padres={c: f.remote_field.model._meta.db_table for c, f in campos.items() if f.remote_field},
            unicas=_unicas(modelo, campos),
            de_relacion=bool(meta.auto_created),
        )
    return halladas


def _unicas(modelo: type[models.Model], campos: dict[str, Any]) -> set[str]:
    """The columns in which no two rows say the same, by the field's own word or by a constraint of it alone."""
    solas = {una.fields[0] for una in modelo._meta.total_unique_constraints if len(una.fields) == 1}
    return {
        columna
        for columna, campo in campos.items()
        if (campo.unique or campo.name in solas) and not campo.remote_field and not campo.primary_key
    }


def hasta_aqui() -> dict[str, int]:
    """The last id of each table: what comes after belongs to the cases."""
    with connection.cursor() as cursor:
        return {
            nombre: _uno(cursor, f'SELECT coalesce(max("{_pk(t)}"), 0) FROM "{nombre}"')  # noqa: S608
            for nombre, t in tablas().items()
        }


def _uno(cursor: Any, sql: str) -> Any:
    cursor.execute(sql)
    return cursor.fetchone()[0]


def _pk(tabla: Tabla) -> str:
    return next(columna for columna, campo in tabla.campos.items() if campo.primary_key)


def caminar(*, pocos: bool = False, semilla: int = 1) -> Iterator[str]:
    """Walk the moulds, or with `pocos` one of a few destinations; yields each destination as it is reached."""
    personas = demo.crear_personas()
    importadores, agentes = list(Importador.objects.order_by("id")), list(AgenteAduana.objects.order_by("id"))
    cuantos_de = dict.fromkeys(UNOS_POCOS, 1) if pocos else {uno: cuantos for uno, (cuantos, _peso) in DESTINOS.items()}
    for destino, cuantos in cuantos_de.items():
        for i in range(cuantos):
            azar = Random(f"{semilla}:{destino}:{i}")  # noqa: S311
            caso = demo.recorrer(
                envio=UUID(int=azar.getrandbits(128)), destino=destino, espera=azar.uniform(*ESPERA[destino]),
                azar=azar, ahora=reloj.ahora(), personas=personas, importador=azar.choice(importadores),
                agente=azar.choice([None, None, None, *agentes]), solo=True,
            )  # fmt: skip
            # What tells a mould its kind; nothing of the case itself says where it was led to.
            Expediente.objects.filter(pk=caso.pk).update(declaraciones=destino)
            yield destino
    _dar_por_enviados()


def _dar_por_enviados() -> None:
    """The mails went out at once. Their texts, ten times as large as all the rest, are not carried along."""
    Notificacion.objects.update(
        estado=Notificacion.Estado.ENVIADA,
        enviada_en=models.F("creada_en") + timedelta(seconds=4),
        intentos=1,
        texto=models.F("asunto"),
        html="",
    )


def leer(desde: dict[str, int]) -> list[Molde]:
    """The moulds of what was written after `desde`."""
    ficheros = tablas()
    filas = {nombre: _filas(tabla, desde[nombre]) for nombre, tabla in ficheros.items()}
    duenos = _duenos(ficheros, filas)
    moldes = []
    for pk in sorted(filas[Expediente._meta.db_table]):
        suyas = {
            nombre: {clave: fila for clave, fila in de_tabla.items() if duenos.get((nombre, clave)) == pk}
            for nombre, de_tabla in filas.items()
        }
        moldes.append(_Colada(ficheros, suyas).molde())
    return moldes


def _filas(tabla: Tabla, desde: int) -> dict[int, dict[str, str | None]]:
    """Every row as PostgreSQL writes it in text."""
    with connection.cursor() as cursor:
        columnas = ", ".join(f'"{columna}"::text' for columna in tabla.columnas)
        cursor.execute(f'SELECT {columnas} FROM "{tabla.nombre}" WHERE "{_pk(tabla)}" > %s ORDER BY 1', [desde])  # noqa: S608
        todas = [dict(zip(tabla.columnas, fila, strict=True)) for fila in cursor.fetchall()]
    return dict(sorted((int(fila[_pk(tabla)]), fila) for fila in todas))


def _duenos(
    ficheros: dict[str, Tabla], filas: dict[str, dict[int, dict[str, str | None]]]
) -> dict[tuple[str, int], int]:
    """To which case each row belongs: what points to it, and what its rows point to (its car, its sheet)."""
    duenos = {(Expediente._meta.db_table, pk): pk for pk in filas[Expediente._meta.db_table]}

    def heredar(nombre: str, fila: dict[str, str | None]) -> int | None:
        for columna, padre in ficheros[nombre].padres.items():
            if (valor := fila[columna]) and (dueno := duenos.get((padre, int(valor)) if valor.isdigit() else ("", 0))):
                return dueno
        suya = REFERENCIA.match(fila.get("referencia") or "")
        return int(suya[1]) if suya else None

    def repartir(nombres: Iterable[str]) -> bool:
        nuevos = {
            (nombre, pk): dueno
            for nombre in nombres
            for pk, fila in filas[nombre].items()
            if (nombre, pk) not in duenos and (dueno := heredar(nombre, fila))
        }
        duenos.update(nuevos)
        return bool(nuevos)

    while repartir(ficheros):
        pass
    for (nombre, pk), dueno in list(duenos.items()):
        for columna, padre in ficheros[nombre].padres.items():
            valor = filas[nombre][pk][columna]
            if (
                padre in filas
                and padre not in DE_LAS_PERSONAS
                and valor
                and valor.isdigit()
                and int(valor) in filas[padre]
            ):
                otro = duenos.setdefault((padre, int(valor)), dueno)
                if otro != dueno:
                    raise RuntimeError(
                        f"{nombre} {pk}: su {columna} es de otro expediente; los moldes no comparten nada."
                    )
    repartir(nombre for nombre, tabla in ficheros.items() if tabla.de_relacion)
    return duenos


class _Colada:
    """Turns the rows of one case into its mould."""

    def __init__(self, ficheros: dict[str, Tabla], filas: dict[str, dict[int, dict[str, str | None]]]):
        self.ficheros, self.filas = ficheros, {nombre: suyas for nombre, suyas in filas.items() if suyas}
        self.lugares = {
            (nombre, pk): f"{nombre}.{i}" for nombre, suyas in self.filas.items() for i, pk in enumerate(suyas)
        }
        self.caso = next(iter(self.filas[Expediente._meta.db_table].values()))
        self.eventos = sorted(self.filas[Evento._meta.db_table].values(), key=lambda fila: int(fila["n"] or 0))
        horas = [_hora(evento["ocurrio_en"]) for evento in self.eventos]
        importador = Importador.objects.get(pk=int(self.caso["importador_id"] or 0))
        self.hecho = Molde(
            destino=self.caso["declaraciones"] or "",
            abierto=self.caso["estado"] not in TERMINADOS,
            inicio=min(horas),
            fin=max(_hora(evento["registrado_en"]) for evento in self.eventos),
        )
        self.caso["declaraciones"] = ""
        # What stands in texts too, and has to change there with it: the longest first.
        self.senas: dict[str, str] = {importador.correo: "correo"}
        self._anotar_senas()
        self.patron = re.compile("|".join(re.escape(s) for s in sorted(self.senas, key=len, reverse=True)))

    def _anotar_senas(self) -> None:
        for nombre, suyas in self.filas.items():
            for fila in suyas.values():
                for columna in self.ficheros[nombre].unicas:
                    valor = fila[columna]
                    if valor and (partes := NUMERO.match(valor)):
                        self.senas[valor] = f"n.{len(self.hecho.numeros)}"
                        horas = [_hora(fila[c]) for c, f in self._horas(nombre) if fila[c]]
                        self.hecho.numeros.append((partes[1], min(horas, default=self.hecho.inicio)))
        numeros = [sena for sena in self.senas if NUMERO.match(sena)]
        for nombre, suyas in self.filas.items():
            for fila in suyas.values():
                for columna in self.ficheros[nombre].unicas - {"clave"}:
                    valor = fila[columna]
                    if valor and not any(numero in valor for numero in numeros):
                        self.senas[valor] = f"u.{len(self.hecho.unicos)}"
                        self.hecho.unicos.append(valor)

    def _horas(self, nombre: str) -> list[tuple[str, models.Field]]:
        return [(c, f) for c, f in self.ficheros[nombre].campos.items() if isinstance(f, models.DateTimeField)]

    def molde(self) -> Molde:
        for nombre, suyas in self.filas.items():
            self.hecho.cuantas[nombre] = len(suyas)
            if nombre != Evento._meta.db_table:
                self.hecho.filas[nombre] = "\n".join(self._linea(nombre, fila) for fila in suyas.values())
        for fila in self.eventos:
            self.hecho.sellados.append(self._canonico(fila))
            self.hecho.eventos.append((self._momento(fila["registrado_en"]), self._linea(Evento._meta.db_table, fila)))
        return self.hecho

    def _linea(self, nombre: str, fila: dict[str, str | None]) -> str:
        return "\t".join(self._casilla(nombre, columna, fila) for columna in self.ficheros[nombre].columnas)

    def _casilla(self, nombre: str, columna: str, fila: dict[str, str | None]) -> str:
        valor, campo = fila[columna], self.ficheros[nombre].campos[columna]
        if valor is None or self.ficheros[nombre].padres.get(columna) in DE_LAS_PERSONAS:
            return r"\N"
        if lugar := self._lugar(nombre, columna, fila):
            return f"%({lugar})s"
        if isinstance(campo, models.DateTimeField):
            return f"%(t.{self._momento(valor)})s"
        if isinstance(campo, models.DateField):
            return f"%(d.{self._dia(valor)})s"
        if isinstance(campo, models.JSONField):
            return self._con_senas(_escapar(self._json(json.loads(valor))))
        if columna == "clave":
            return self._clave(valor)
        if suya := REFERENCIA.match(valor):
            return f"expediente:%({self.lugares[Expediente._meta.db_table, int(suya[1])]})s"
        if columna in PAPELES:
            return NUMERO_DE_PAPEL.sub("%(papel)06d", valor)
        return self._texto(valor)

    def _texto(self, valor: str) -> str:
        return self._con_senas(_escapar(valor.replace("%", "%%")))

    def _lugar(self, nombre: str, columna: str, fila: dict[str, str | None]) -> str | None:
        """Which place an id or a seal goes to; None for anything else."""
        valor, tabla = fila[columna] or "", self.ficheros[nombre]
        if columna == "sello" and nombre in (Evento._meta.db_table, Expediente._meta.db_table):
            return f"s.{fila['n'] if 'n' in fila else len(self.eventos)}"
        if columna == "previo" and nombre == Evento._meta.db_table:
            return f"s.{int(fila['n'] or 0) - 1}"
        if not valor.isdigit():
            return None
        if nombre == Expediente._meta.db_table and columna == "importador_id":
            return "importador"
        if columna == "objeto_id" and "objeto" in fila:
            return self.lugares.get((_tabla_de(fila["objeto"] or ""), int(valor)))
        if columna == "evento_id" and columna not in tabla.padres:
            return self.lugares.get((Evento._meta.db_table, int(valor)))
        propia = columna == _pk(tabla) and columna not in tabla.padres
        return self.lugares.get((nombre if propia else tabla.padres.get(columna, ""), int(valor)))

    def _momento(self, valor: str | None) -> int:
        return _indice(self.hecho.momentos, _hora(valor))

    def _dia(self, valor: str) -> int:
        return _indice(self.hecho.dias, date.fromisoformat(valor))

    def _clave(self, valor: str) -> str:
        """The key under which a mail is owed once: of an event, or of the case."""
        partes = CLAVE.match(valor)
        evento = self.lugares.get((Evento._meta.db_table, int(partes[2]))) if partes else None
        if partes and evento:
            return f"{partes[1]}:%({evento})s:{self._texto(partes[3])}"
        return f"{self._texto(valor)}:%({Expediente._meta.db_table}.0)s"

    def _con_senas(self, texto: str) -> str:
        return self.patron.sub(lambda hallada: f"%({self.senas[hallada[0]]})s", texto)

    def _json(self, valor: Any) -> str:
        """JSON with its places put in."""
        return _poner(json.dumps(self._marcar(valor), ensure_ascii=False))

    def _marcar(self, valor: Any, clave: str = "") -> Any:
        if isinstance(valor, dict):
            return {uno: self._marcar(otro, uno) for uno, otro in valor.items()}
        if isinstance(valor, list):
            return [self._marcar(uno, clave) for uno in valor]
        if isinstance(valor, int) and (lugar := self.lugares.get((IDS_EN_DATOS.get(clave, ""), valor))):
            return f"«#{lugar}»"
        if isinstance(valor, str) and HORA.match(valor):
            momento = self._momento(valor)
            self.hecho.en_json.add(momento)
            return f"«j.{momento}»"
        if isinstance(valor, str) and DIA.match(valor):
            return f"«d.{self._dia(valor)}»"
        return valor

    def _canonico(self, fila: dict[str, str | None]) -> str:
        """What the seal of a copy is of: the canonical form of the log itself, with marks for what is the copy's."""
        valores: dict[str, Any] = {}
        for columna in bitacora.CAMPOS:
            campo, valor = self.ficheros[Evento._meta.db_table].campos[columna], fila[columna]
            lugar = self._lugar(Evento._meta.db_table, columna, fila)
            if lugar:
                valores[columna] = f"«{lugar}»" if columna == "previo" else f"«#{lugar}»"
            elif isinstance(campo, models.DateTimeField):
                valores[columna] = f"«t.{self._momento(valor)}»"
            elif isinstance(campo, models.JSONField):
                valores[columna] = self._marcar(json.loads(valor or "{}"))
            elif isinstance(campo, (models.IntegerField, models.ForeignKey)):
                valores[columna] = None if valor is None else int(valor)
            else:
                valores[columna] = valor
        return self._con_senas(_poner(bitacora.canonico(valores)))


def _poner(texto: str) -> str:
    """Places for the marks; an id loses the quotes that its mark had."""
    return re.sub(r'"«#([^»]+)»"', r"%(\1)s", re.sub(r"«([^#»]+)»", r"%(\1)s", texto.replace("%", "%%")))


def _escapar(texto: str) -> str:
    """As COPY reads text. What `_json` has already put places in keeps them."""
    for uno, otro in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        texto = texto.replace(uno, otro)
    return texto


def _hora(valor: str | None) -> datetime:
    return datetime.fromisoformat(valor or "").astimezone(UTC)


def _indice(lista: list[Any], valor: Any) -> int:
    if valor not in lista:
        lista.append(valor)
    return lista.index(valor)


def _tabla_de(objeto: str) -> str:
    for app in ("expedientes", "laboratorio"):
        if objeto in apps.all_models[app]:
            return apps.get_model(app, objeto)._meta.db_table
    return ""

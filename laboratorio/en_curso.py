"""Bringing in what an agency has in course, and what it had: rows become cases that walked through the real services.

First every row is understood and judged (`Lector`), then each good case is walked, one transaction each, in the order
of its dates (`traer`). Nothing is guessed: what a sheet does not say is asked for, row and column in words.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from expedientes import incidencias, migracion, planilla
from expedientes import services as casos
from expedientes.forms import MAX_PARTIDAS
from expedientes.lifecycle import PARTIDA, Accion, avanzar, trayendo
from expedientes.models import AgenteAduana, Estado, Expediente, Importador, Motivo, Pais, Partida, Plaga, Producto
from expedientes.numeros import (
    normalizar_contenedor,
    normalizar_guia_aerea,
    validar_contenedor,
    validar_documento,
    validar_guia_aerea,
)
from senasa import reloj
from senasa.models import Puesto
from senasa.transicion import ActoRechazado

from . import services as laboratorio
from .libro import HOJAS, Columna, Defecto, Fila, Libro
from .models import Metodo, Muestra
from .services import requisitos_de

# The same key of the same agency is the same case, however often its row comes.
ESPACIO = uuid.UUID("b8a0c5d2-6a40-5f0e-8f67-3c1f5f0b9e21")
CON_INFORME = (Estado.RESULTADO_EMITIDO, Estado.DICTAMINADO, Estado.EN_MEDIDA)
DECIDIDOS = (Estado.DICTAMINADO, Estado.EN_MEDIDA)
ACCION_DE = {"desistido": Accion.DESISTIR, "abandonado": Accion.ABANDONAR, "anulado": Accion.ANULAR}
MAX_PESO = Decimal(10) ** 11


@dataclass(frozen=True)
class Cuando:
    """A moment of the sheet; without its hour it is some moment of that day."""

    momento: datetime
    con_hora: bool

    def tras(self, otro: datetime | None) -> datetime:
        """Its moment; of a day without an hour, not before what that same day had seen."""
        if otro is None or self.con_hora or timezone.localdate(self.momento) != timezone.localdate(otro):
            return self.momento
        return max(self.momento, otro)


@dataclass
class Leida:
    """A row understood: its cells as values, None where they are empty or were not understood."""

    fila: Fila
    valores: dict[str, Any]

    def __getitem__(self, columna: str) -> Any:
        return self.valores.get(columna)

    def texto(self, columna: str) -> str:
        return self.valores.get(columna) or ""


@dataclass(frozen=True)
class Paso:
    """One act of the history: when, what to call, and which row and columns answer for it. `firma`: who did it."""

    momento: datetime
    fila: Fila
    columnas: dict[str, str]
    hacer: Callable[[Expediente, datetime], Any]
    firma: str = ""


@dataclass
class Traido:
    """One case of the workbook, and what became of it. `expediente` is set when it is a case already, or was made."""

    clave: str
    fila: Leida
    envio: uuid.UUID
    partidas: list[Leida] = field(default_factory=list)
    muestras: list[Leida] = field(default_factory=list)
    decisiones: list[Leida] = field(default_factory=list)
    defectos: list[Defecto] = field(default_factory=list)
    pasos: list[Paso] = field(default_factory=list)
    pedido: dict[str, Any] = field(default_factory=dict)
    expediente: Expediente | None = None
    ya_estaba: bool = False

    def acusar(self, fila: Fila, columna: str, error: str) -> None:
        self.defectos.append(
            Defecto(fila.hoja, fila.n, columna, self.clave, fila.valores.get(columna, "")[:120], error)
        )


# ── Cells ─────────────────────────────────────────────────────────────────────────────────────────


class Lector:
    """Reads cells with the catalogues at hand, read once."""

    def __init__(self) -> None:
        self.puestos = {p.codigo: p for p in Puesto.objects.all()}
        self.productos = {p.codigo: p for p in Producto.objects.all()}
        self.paises = {p.codigo: p for p in Pais.objects.all()}
        self.plagas = {p.eppo: p for p in Plaga.objects.all()}
        self.metodos = {m.codigo: m for m in Metodo.objects.select_related("disciplina")}
        indice = planilla.indice
        self.indices = {
            "puesto": indice((k, (k, p.nombre, p.locode)) for k, p in self.puestos.items()),
            "producto": indice((k, (k, p.nombre, k.replace("-", " "))) for k, p in self.productos.items()),
            "pais": indice((k, (k, p.alfa3, p.nombre)) for k, p in self.paises.items()),
            "plaga": indice((k, (k, p.nombre)) for k, p in self.plagas.items()),
            "metodo": indice((k, (k, m.nombre, str(m))) for k, m in self.metodos.items()),
        }
        self.motivos: dict[str, dict[str, set[str]]] = {}
        for m in Motivo.objects.filter(activo=True):
            for nombre in (m.codigo, m.texto):
                self.motivos.setdefault(m.accion, {}).setdefault(planilla.plano(nombre), set()).add(m.codigo)

    def leer(self, fila: Fila, acusar: Callable[[Fila, str, str], None]) -> Leida:
        valores: dict[str, Any] = {}
        for columna in HOJAS[fila.hoja]:
            celda = fila.valores.get(columna.nombre, "").strip()
            if not celda and columna.tipo != "documento":
                if columna.obligatoria:
                    acusar(fila, columna.nombre, "Falta.")
                continue
            try:
                valores[columna.nombre] = self._valor(columna, celda)
            except ValueError as error:
                acusar(fila, columna.nombre, str(error))
            except ValidationError as error:
                acusar(fila, columna.nombre, " ".join(error.messages))
        return Leida(fila, valores)

    def _valor(self, columna: Columna, celda: str) -> Any:
        if celda.startswith("#") and celda.rstrip("!?").isupper() and columna.tipo != "texto":
            raise ValueError(f"La celda tiene un error de Excel ({celda}).")
        match columna.tipo:
            case "documento":
                return planilla.tipo(celda)
            case "momento":
                return _cuando(celda)
            case "dia":
                return planilla.momento(celda).date()
            case "cantidad":
                return _cantidad(celda)
            case "orden":
                if not celda.isascii() or not celda.isdigit() or not 1 <= int(celda[:4]) <= MAX_PARTIDAS:
                    raise ValueError(f"Es un número de 1 a {MAX_PARTIDAS}.")
                return int(celda)
            case "correo":
                validate_email(celda)
                return celda.lower()
            case "guia":
                validar_guia_aerea(celda)
                return normalizar_guia_aerea(celda)
            case "contenedores":
                return _contenedores(celda)
            case "transporte":
                return planilla.transporte(celda)
            case "opcion":
                return _opcion(celda, columna.opciones)
            case "puesto":
                return self.puestos[self._uno(columna.tipo, celda, "los puestos")]
            case "producto":
                return self.productos[self._uno(columna.tipo, celda, "el catálogo de productos")]
            case "pais":
                return self.paises[self._uno(columna.tipo, celda, "la lista de países")]
            case "plaga":
                return self.plagas[self._uno(columna.tipo, celda, "el catálogo de plagas")]
            case "metodo":
                return self.metodos[self._uno(columna.tipo, celda, "el catálogo de métodos")]
            case "motivo:observar" | "motivo:dictaminar_sin_muestra":
                return self.motivo(columna.tipo.partition(":")[2], celda)
        if len(celda) > columna.largo:
            raise ValueError(f"Tiene {len(celda)} letras y caben {columna.largo}.")
        return celda

    def _uno(self, tipo: str, celda: str, donde: str) -> str:
        return planilla.uno(
            self.indices[tipo], celda, f"No está en {donde}: escriba su código o su nombre (hoja Listas)."
        )

    def motivo(self, accion: str, celda: str) -> str:
        hallados = self.motivos.get(accion, {}).get(planilla.plano(celda), set())
        if len(hallados) != 1:
            raise ValueError("No es un motivo de ese acto: escriba su código (hoja Listas).")
        return next(iter(hallados))


def _cuando(celda: str) -> Cuando:
    return Cuando(timezone.make_aware(planilla.momento(celda)), con_hora=":" in celda)


def _cantidad(celda: str) -> Decimal:
    valor = Decimal(planilla.peso(celda)).quantize(Decimal("0.001"))
    if not 0 < valor < MAX_PESO:
        raise ValueError("Debe ser mayor que cero y menor que cien mil millones.")
    return valor


def _opcion(celda: str, opciones: Sequence[str]) -> str:
    dicho = planilla.plano(celda).replace(" ", "_").replace("-", "_")
    if dicho not in opciones:
        raise ValueError(f"Escriba {', '.join(opciones[:-1])} o {opciones[-1]}.")
    return dicho


def _contenedores(celda: str) -> list[tuple[str, str]]:
    """Pairs of number and seal, parted by «/» or lines; a number may be written with blanks as painted."""
    pares: list[tuple[str, str]] = []
    for uno in celda.replace("\n", "/").replace("|", "/").split("/"):
        if not (palabras := uno.split()):
            continue
        numero, precinto = palabras[0], " ".join(palabras[1:])
        if len(numero) == 4 and len(palabras) > 1:  # «DEMU 1000010 SL1»
            numero, precinto = palabras[0] + palabras[1], " ".join(palabras[2:])
        validar_contenedor(numero)
        if len(precinto) > 40:
            raise ValueError("El precinto tiene más de 40 letras.")
        pares.append((normalizar_contenedor(numero), precinto))
    if len(dict(pares)) < len(pares):
        raise ValueError("Hay un contenedor dos veces.")
    return pares


# ── Rows into cases ───────────────────────────────────────────────────────────────────────────────


@dataclass
class Cosecha:
    """What a workbook has: its cases, and what is wrong with rows that belong to none."""

    traidos: list[Traido]
    sueltos: list[Defecto]

    @property
    def defectos(self) -> list[Defecto]:
        orden = list(HOJAS)
        todos = [*self.sueltos, *(defecto for traido in self.traidos for defecto in traido.defectos)]
        return sorted(todos, key=lambda d: (orden.index(d.hoja), d.fila))


def entender(libro: Libro) -> Cosecha:
    """Every case of the workbook, understood and judged, and those that are cases already marked so."""
    lector = Lector()
    sueltos: list[Defecto] = []
    por_clave: dict[str, Traido] = {}
    for fila in libro.filas["expedientes"]:
        clave = fila.valores.get("clave_de_origen", "").strip()
        traido = Traido(clave, Leida(fila, {}), uuid.uuid5(ESPACIO, planilla.plano(clave)))
        traido.fila = lector.leer(fila, traido.acusar)
        anterior = por_clave.get(planilla.plano(clave))
        if anterior and clave:
            error = f"La clave ya está en la fila {anterior.fila.fila.n}: cada expediente tiene la suya."
            sueltos.append(Defecto(fila.hoja, fila.n, "clave_de_origen", clave, clave, error))
            continue
        por_clave[planilla.plano(clave) or f"\x00{fila.n}"] = traido
    for hoja in ("partidas", "muestras", "decisiones"):
        for fila in libro.filas[hoja]:
            clave = fila.valores.get("clave_de_origen", "").strip()
            suyo = por_clave.get(planilla.plano(clave))
            if suyo is None:
                error = "Falta (¿celdas combinadas?)." if not clave else "No hay un expediente con esa clave."
                sueltos.append(Defecto(hoja, fila.n, "clave_de_origen", clave, clave, error))
                continue
            getattr(suyo, hoja).append(lector.leer(fila, suyo.acusar))
    cosecha = Cosecha(list(por_clave.values()), sueltos)
    _reconocer(cosecha)
    for traido in cosecha.traidos:
        if not traido.ya_estaba:
            Juez(traido, lector).juzgar()
    return cosecha


def _reconocer(cosecha: Cosecha) -> None:
    """Mark the cases that were brought before, and refuse an old number that belongs to two."""
    hechos = Expediente.objects.in_bulk([traido.envio for traido in cosecha.traidos], field_name="envio")
    numeros = [traido.fila.texto("numero_anterior") for traido in cosecha.traidos]
    tomados = dict(
        Expediente.objects.filter(numero_anterior__in=filter(None, numeros)).values_list("numero_anterior", "numero")
    )
    for traido in cosecha.traidos:
        anterior = traido.fila.texto("numero_anterior")
        if traido.envio in hechos:
            # What was brought is this system's now: its row is not looked at again.
            traido.expediente, traido.ya_estaba, traido.defectos = hechos[traido.envio], True, []
        elif anterior and anterior in tomados:
            traido.acusar(traido.fila.fila, "numero_anterior", f"Ya es el número anterior de {tomados[anterior]}.")
        elif anterior and numeros.count(anterior) > 1:
            traido.acusar(traido.fila.fila, "numero_anterior", "Está en dos expedientes de este archivo.")


class Juez:
    """Judges one case of the workbook and, when it is good, leaves its history as steps."""

    def __init__(self, traido: Traido, lector: Lector):
        self.traido, self.lector = traido, lector
        self.ultimo: tuple[datetime, str] | None = None

    def juzgar(self) -> None:
        traido, caso = self.traido, self.traido.fila
        self._pedido(caso)
        registro = self._hora(caso, "registrado_en")
        inicio = self.ultimo
        if not traido.partidas:
            traido.acusar(caso.fila, "", "No tiene ninguna partida en la hoja partidas.")
        ordenes = [partida["partida"] for partida in traido.partidas]
        if None not in ordenes and sorted(ordenes) != list(range(1, len(ordenes) + 1)):
            traido.acusar(
                traido.partidas[-1].fila, "partida", "Las partidas se numeran 1, 2, 3… sin saltos ni repetidas."
            )
        for hoja in (traido.muestras, traido.decisiones):
            for leida in hoja:
                if leida["partida"] is not None and leida["partida"] not in ordenes:
                    traido.acusar(leida.fila, "partida", "El expediente no tiene esa partida.")
        finales: list[tuple[datetime, str]] = [inicio] if inicio else []
        for partida in sorted(traido.partidas, key=lambda una: una["partida"] or 0):
            self.ultimo = inicio
            self._partida(partida, registro)
            if self.ultimo:
                finales.append(self.ultimo)
        self.ultimo = max(finales, default=None)
        self._caso(caso)
        # Only a whole story is told: what is wrong in one row leaves the case out.
        traido.pasos.sort(key=lambda paso: paso.momento)

    # ── The case ──────────────────────────────────────────────────────────────────────────────────

    def _pedido(self, caso: Leida) -> None:
        importador = self._persona(Importador, caso, "importador")
        agente = self._persona(AgenteAduana, caso, "agente") if caso.texto("agente_numero") else None
        if caso["poder_desde"] and caso["poder_hasta"] and caso["poder_hasta"] < caso["poder_desde"]:
            self.traido.acusar(caso.fila, "poder_hasta", "El poder termina antes de empezar.")
        copiados = ("numero_anterior", "pfi", "certificado", "suce", "dam", "guia_aerea", "nave", "bl", "lugar",
                    "declaraciones")  # fmt: skip
        datos: dict[str, Any] = {campo: caso.texto(campo) for campo in copiados}
        for campo in ("llegada_en", "retenido_desde"):
            datos[campo] = caso[campo].momento if caso[campo] else None
        datos |= {campo: caso[campo] for campo in ("poder_desde", "poder_hasta", "pais_exportacion", "transporte")}
        self.traido.pedido = {
            "puesto": caso["puesto"],
            "importador": importador,
            "agente": agente,
            "datos": {**datos, "migrado": True},
            "partidas": [
                casos.PartidaNueva(
                    producto=partida["producto"],
                    pais_origen=partida["pais_origen"],
                    peso_neto_kg=partida["peso_neto_kg"],
                    envases=partida.texto("envases"),
                    bodegas=partida.texto("bodegas"),
                    contenedores=partida["contenedores"] or (),
                )
                for partida in sorted(self.traido.partidas, key=lambda una: una["partida"] or 0)
            ],
        }

    def _persona(self, modelo: type[Importador] | type[AgenteAduana], caso: Leida, quien: str) -> Any:
        tipo, numero = caso[f"{quien}_tipo"], caso.texto(f"{quien}_numero")
        if not tipo or not numero:
            return None
        try:
            numero = validar_documento(tipo, numero)
        except ValidationError as error:
            self.traido.acusar(caso.fila, f"{quien}_numero", " ".join(error.messages))
            return None
        # On record it stays as it is: an old sheet does not correct an address that staff keep.
        if conocida := modelo.objects.filter(tipo_documento=tipo, numero_documento=numero).first():
            return conocida
        for campo in ("nombre", "correo"):
            if not caso.texto(f"{quien}_{campo}"):
                columna = f"{quien}_{campo}"
                if not any(d.columna == columna for d in self.traido.defectos):
                    self.traido.acusar(caso.fila, columna, "Falta: no está registrado con ese documento.")
        campos = {campo: caso.texto(f"{quien}_{campo}") for campo in ("nombre", "correo", "telefono", "direccion")
                  if f"{quien}_{campo}" in caso.valores}  # fmt: skip
        return modelo(tipo_documento=tipo, numero_documento=numero, **campos)

    def _caso(self, caso: Leida) -> None:
        estado = caso["estado"]
        observado = self._observacion(caso)
        lineas = {partida["estado"] for partida in self.traido.partidas}
        if estado == "abierto" and observado and not caso["respondido_en"]:
            self._falta(caso, "respondido_en", "está abierto y fue observado; si no respondió, su estado es observado")
        elif estado in ("observado", "abandonado") and not observado:
            self._falta(caso, "observado_en", f"está {estado}")
        elif estado in ("observado", "abandonado") and caso["respondido_en"]:
            self.traido.acusar(caso.fila, "respondido_en", f"Si respondió, no está {estado}.")
        if estado in ("abierto", "observado"):
            if caso["terminado_en"]:
                self.traido.acusar(caso.fila, "terminado_en", f"Está {estado}: aún no terminó.")
            return
        if not estado or not caso["terminado_en"]:
            if estado:
                self._falta(caso, "terminado_en", f"está {estado}")
            return
        if estado == "cerrado":
            if pendientes := lineas - {*DECIDIDOS, None}:
                self.traido.acusar(
                    caso.fila, "estado", f"Está cerrado y tiene partidas en {', '.join(sorted(pendientes))}."
                )
            momento = self._hora(caso, "terminado_en")
            self._paso(momento, caso, "terminado_en", self._cerrar)
            return
        self._final(caso, estado)

    @staticmethod
    def _cerrar(expediente: Expediente, momento: datetime) -> None:
        casos.cerrar(expediente=expediente, actor=migracion.quien(), ocurrio_en=momento)

    def _final(self, caso: Leida, estado: str) -> None:
        accion = ACCION_DE[estado]
        motivo = ""
        if not caso.texto("motivo"):
            self._falta(caso, "motivo", f"está {estado}")
        else:
            try:
                motivo = self.lector.motivo(accion, caso["motivo"])
            except ValueError as error:
                self.traido.acusar(caso.fila, "motivo", str(error))
        if not caso.texto("explicacion"):
            self._falta(caso, "explicacion", f"está {estado}")
        momento = self._hora(caso, "terminado_en")
        acto = {"desistido": incidencias.desistir, "abandonado": incidencias.abandonar, "anulado": incidencias.anular}
        texto = caso.texto("explicacion")

        def terminar(expediente: Expediente, momento: datetime) -> None:
            with reloj.fijado(momento):  # what the system does with it, such as leaving the open work, is of that hour
                acto[estado](
                    expediente=expediente, actor=migracion.quien(), motivo=motivo, texto=texto, ocurrio_en=momento
                )

        self._paso(
            momento, caso, "terminado_en", terminar, motivo="motivo", superviviente="motivo", texto="explicacion"
        )

    def _observacion(self, caso: Leida) -> bool:
        if not caso["observado_en"]:
            return False
        for columna in ("observacion", "observacion_motivo", "responder_hasta"):
            if not caso[columna]:
                self._falta(caso, columna, "fue observado")
        # Its own hours, apart from the lines': an observation may fall between any two of their acts.
        ultimo, self.ultimo = self.ultimo, None
        momento = self._hora(caso, "observado_en")
        respondido = self._hora(caso, "respondido_en") if caso["respondido_en"] else None
        self.ultimo = max(filter(None, [ultimo, self.ultimo]), default=None)
        puntos, vence_en, motivo = caso.texto("observacion"), caso["responder_hasta"], caso.texto("observacion_motivo")
        puntos = puntos.replace("|", "\n")

        def observar(expediente: Expediente, momento: datetime) -> None:
            # On that day the term to answer had not passed.
            with reloj.fijado(momento):
                incidencias.observar(
                    expediente=expediente, actor=migracion.quien(), puntos=puntos, vence_en=vence_en, motivo=motivo,
                    texto=puntos, ocurrio_en=momento,
                )  # fmt: skip

        self._paso(momento, caso, "observado_en", observar, vence_en="responder_hasta", motivo="observacion_motivo")
        if respondido:
            respuesta = caso.texto("respuesta")
            if not respuesta:
                self._falta(caso, "respuesta", "respondió")
            self._paso(
                respondido, caso, "respondido_en",
                lambda expediente, momento: incidencias.responder(
                    expediente=expediente, actor=migracion.quien(), respuesta=respuesta, ocurrio_en=momento
                ),
                respuesta="respuesta",
            )  # fmt: skip
        return True

    # ── A line ────────────────────────────────────────────────────────────────────────────────────

    def _partida(self, partida: Leida, registro: datetime | None) -> None:
        estado = partida["estado"]
        muestras = [una for una in self.traido.muestras if una["partida"] == partida["partida"]]
        decisiones = [una for una in self.traido.decisiones if una["partida"] == partida["partida"]]
        if not estado or registro is None or partida["partida"] is None:
            return
        informes = [una for una in decisiones if una.texto("informe_numero")]
        self._cita(partida, estado, registro)
        if estado == Estado.REGISTRADO and partida["inspeccionada_en"]:
            self.traido.acusar(
                partida.fila, "inspeccionada_en", "Ya se inspeccionó: su estado es en_inspeccion o uno posterior."
            )
        elif partida["inspeccionada_en"]:
            self._inspeccion(partida)
        elif estado != Estado.REGISTRADO and not (estado in DECIDIDOS and not informes):
            self._falta(partida, "inspeccionada_en", f"está en {estado}")
        if estado in CON_INFORME and informes:
            self._laboratorio_en_papel(partida, muestras, informes)
        elif estado == Estado.RESULTADO_EMITIDO:
            self.traido.acusar(partida.fila, "estado", "Tiene el informe emitido: escríbalo en la hoja decisiones.")
        else:
            self._muestras(partida, estado, muestras)
            for informe in informes:
                if estado == Estado.EN_LABORATORIO:
                    self._informe(informe, partida, completa=False)
                else:
                    self.traido.acusar(informe.fila, "informe_numero", f"Hay informe y la partida está en {estado}.")
        self._decision(partida, estado, decisiones)

    def _linea(self, partida: Leida) -> Callable[[Expediente], Partida]:
        orden = partida["partida"]
        return lambda expediente: expediente.partidas.select_related("expediente").get(orden=orden)

    def _cita(self, partida: Leida, estado: str, registro: datetime) -> None:
        cita = partida["cita_en"]
        if cita is None:
            if partida.texto("terminal"):
                self._falta(partida, "cita_en", "dice el terminal de la inspección")
            return
        if estado == Estado.REGISTRADO and cita.momento < reloj.ahora():
            self.traido.acusar(
                partida.fila, "cita_en", "Esa hora ya pasó y no se inspeccionó: escriba la nueva o déjela vacía."
            )
        if cita.tras(registro) < registro:
            self.traido.acusar(partida.fila, "cita_en", "Es antes del registro del expediente.")
            return
        linea, terminal = self._linea(partida), partida.texto("terminal")

        def programar(expediente: Expediente, momento: datetime) -> None:
            with reloj.fijado(momento):
                casos.programar(
                    partida=linea(expediente), actor=migracion.quien(), cita_en=cita.tras(registro), terminal=terminal,
                    ocurrio_en=momento,
                )  # fmt: skip

        self._paso(registro, partida, "cita_en", programar)

    def _inspeccion(self, partida: Leida) -> None:
        revisiones = {campo: partida.texto(campo) for campo in ("documentaria", "identidad", "fisica")}
        for campo, valor in revisiones.items():
            if not valor:
                self._falta(partida, campo, "se inspeccionó")
        momento, linea, texto = (
            self._hora(partida, "inspeccionada_en"),
            self._linea(partida),
            partida.texto("inspeccion_texto"),
        )

        def inspeccionar(expediente: Expediente, momento: datetime) -> None:
            casos.inspeccionar(
                partida=linea(expediente), actor=migracion.quien(), texto=texto, ocurrio_en=momento, **revisiones
            )

        firma = partida.texto("inspector")
        self._paso(momento, partida, "inspeccionada_en", inspeccionar, firma, texto="inspeccion_texto")

    def _muestras(self, partida: Leida, estado: str, filas: list[Leida]) -> None:
        """Samples that go on here: those taken, sent or at the laboratory. `filas`: one for each analysis."""
        if not filas:
            if estado == Estado.EN_LABORATORIO:
                self.traido.acusar(
                    partida.fila, "estado", "Está en el laboratorio: escriba sus muestras en la hoja muestras."
                )
            return
        if estado not in (Estado.EN_INSPECCION, Estado.EN_LABORATORIO):
            for fila in filas:
                self.traido.acusar(
                    fila.fila, "muestra", f"La partida está en {estado} y no tiene informe: no lleva muestras."
                )
            return
        por_muestra: dict[str, list[Leida]] = {}
        for fila in filas:
            if fila["resultado"]:
                self.traido.acusar(
                    fila.fila, "resultado", "Sin informe en papel, lo registra aquí su analista: déjelo vacío."
                )
            por_muestra.setdefault(fila.texto("muestra"), []).append(fila)
        inicio = self.ultimo
        horas = []
        enviadas: list[Leida] = []
        for grupo in por_muestra.values():
            primera = grupo[0]
            self.ultimo = inicio
            self._toma(partida, primera)
            if primera["enviada_en"] and estado == Estado.EN_INSPECCION:
                self.traido.acusar(primera.fila, "enviada_en", "Ya salió: la partida está en en_laboratorio.")
            elif primera["enviada_en"]:
                enviadas.append(primera)
            elif estado == Estado.EN_LABORATORIO:
                self._falta(primera, "enviada_en", "la partida está en el laboratorio; tómela después si aún no salió")
            if self.ultimo:
                horas.append(self.ultimo)
        self.ultimo = max(horas, default=inicio)
        if enviadas:
            self._envio(partida, enviadas, por_muestra)

    def _toma(self, partida: Leida, muestra: Leida) -> None:
        for columna in ("cantidad", "unidad", "conservacion"):
            if not muestra[columna]:
                self._falta(muestra, columna, "la muestra sigue en curso")
        momento, linea = self._hora(muestra, "tomada_en"), self._linea(partida)

        def tomar(expediente: Expediente, momento: datetime) -> None:
            laboratorio.tomar_muestra(
                partida=linea(expediente), actor=migracion.quien(), precinto=muestra["muestra"],
                conservacion=muestra["conservacion"], cantidad=muestra["cantidad"], unidad=muestra["unidad"],
                lote=muestra.texto("lote"), ocurrio_en=momento,
            )  # fmt: skip

        self._paso(momento, muestra, "tomada_en", tomar, precinto="muestra")

    def _envio(self, partida: Leida, enviadas: list[Leida], por_muestra: dict[str, list[Leida]]) -> None:
        """One dispatch for the samples of a line: it asks the same tests of each, and left at one time."""
        primera = enviadas[0]
        ensayos = {
            una["muestra"]: {
                (f["metodo"], f["plaga"]) for f in por_muestra[una["muestra"]] if f["metodo"] or f["plaga"]
            }
            for una in enviadas
        }
        for una in enviadas[1:]:
            if una["enviada_en"].momento != primera["enviada_en"].momento:
                self.traido.acusar(
                    una.fila, "enviada_en", "Las muestras de una partida salieron juntas: la misma fecha y hora."
                )
            if ensayos[una["muestra"]] != ensayos[primera["muestra"]]:
                self.traido.acusar(una.fila, "metodo", "Las muestras de un envío llevan todas los mismos análisis.")
        for fila in (f for una in enviadas for f in por_muestra[una["muestra"]]):
            if bool(fila["metodo"]) != bool(fila["plaga"]):
                self._falta(fila, "plaga" if fila["metodo"] else "metodo", "van juntos método y plaga")
        momento, linea = self._hora(primera, "enviada_en"), self._linea(partida)
        pares = sorted(ensayos[primera["muestra"]], key=lambda par: (str(par[0]), str(par[1])))

        def enviar(expediente: Expediente, momento: datetime) -> None:
            suya = linea(expediente)
            pedidos = pares or [(requisito.metodo, requisito.plaga) for requisito in requisitos_de(suya)]
            laboratorio.enviar(partida=suya, actor=migracion.quien(), ensayos=pedidos, ocurrio_en=momento)

        self._paso(momento, primera, "enviada_en", enviar, ensayos="metodo")
        envio = self.ultimo
        horas = [envio] if envio else []
        for una in enviadas:
            if una["recibida_en"]:
                self.ultimo = envio
                self._recepcion(una)
                horas += [self.ultimo] if self.ultimo else []
        self.ultimo = max(horas, default=envio)

    def _recepcion(self, muestra: Leida) -> None:
        momento = self._hora(muestra, "recibida_en")

        def recibir(expediente: Expediente, momento: datetime) -> None:
            laboratorio.recibir(
                muestra=Muestra.objects.get(
                    expediente=expediente, precinto=muestra["muestra"], partida__orden=muestra["partida"]
                ),
                actor=migracion.quien(), condicion=Muestra.Condicion.BUENA, cantidad_recibida=muestra["cantidad"],
                ocurrio_en=momento,
            )  # fmt: skip

        self._paso(momento, muestra, "recibida_en", recibir)

    # ── What is on paper ──────────────────────────────────────────────────────────────────────────

    def _laboratorio_en_papel(self, partida: Leida, muestras: list[Leida], informes: list[Leida]) -> None:
        """The laboratory's round as its report on paper ended it: no sample of it is still to be worked on here."""
        linea = self._linea(partida)
        nombres = list(dict.fromkeys(una.texto("muestra") for una in muestras))
        primeras = {una.texto("muestra"): una for una in reversed(muestras)}
        horas = []
        inicio = self.ultimo
        for nombre in nombres:
            self.ultimo = inicio
            momento = self._hora(primeras[nombre], "tomada_en")
            toma = {"muestra": nombre, "cantidad": str(primeras[nombre]["cantidad"] or ""),
                    "unidad": primeras[nombre].texto("unidad")}  # fmt: skip
            self._paso(
                momento, primeras[nombre], "tomada_en",
                lambda expediente, momento, toma=toma: avanzar(
                    linea(expediente), Accion.TOMAR_MUESTRA, tabla=PARTIDA, actor=None, ocurrio_en=momento, datos=toma
                ),
            )  # fmt: skip
            horas += [self.ultimo] if self.ultimo else []
        self.ultimo = max(horas, default=inicio)
        sin_fecha = not any(una["enviada_en"] for una in muestras)
        momento = self.ultimo[0] if self.ultimo else None
        fila = partida
        if not sin_fecha:
            fila = max((una for una in muestras if una["enviada_en"]), key=lambda una: una["enviada_en"].momento)
            momento = self._hora(fila, "enviada_en")
        datos: dict[str, Any] = {
            "muestras": nombres,
            "ensayos": [f"{una['metodo']} · {una['plaga'].eppo}" for una in muestras if una["metodo"] and una["plaga"]],
            "resultados": [f"{una['muestra']}: {una['resultado']}" for una in muestras if una["resultado"]],
            # The transition must stand somewhere: the log says that its hour is not known.
            **({"sin_fecha": True} if sin_fecha else {}),
        }
        self._paso(
            momento, fila, "inspeccionada_en" if sin_fecha else "enviada_en",
            lambda expediente, momento: avanzar(
                linea(expediente), Accion.ENVIAR, tabla=PARTIDA, actor=None, ocurrio_en=momento, datos=datos
            ),
        )  # fmt: skip
        informes = sorted(informes, key=lambda uno: uno["informe_en"].momento if uno["informe_en"] else reloj.ahora())
        for informe in informes:
            self._informe(informe, partida, completa=informe is informes[-1])

    def _informe(self, informe: Leida, partida: Leida, *, completa: bool) -> None:
        for columna in ("informe_en", "conclusion"):
            if not informe[columna]:
                self._falta(informe, columna, "hay un informe")
        if informe["conclusion"] == "positivo" and not informe["plaga_hallada"]:
            self._falta(informe, "plaga_hallada", "el informe es positivo")
        momento, linea = self._hora(informe, "informe_en"), self._linea(partida)

        def informar(expediente: Expediente, momento: datetime) -> None:
            migracion.informar_en_papel(
                partida=linea(expediente), numero=informe["informe_numero"], emitido_en=momento,
                conclusion=informe["conclusion"], plaga=informe["plaga_hallada"], completa=completa,
            )  # fmt: skip

        self._paso(momento, informe, "informe_en", informar)

    def _decision(self, partida: Leida, estado: str, decisiones: list[Leida]) -> None:
        suyas = [una for una in decisiones if una["decision"] or una.texto("riv_numero")]
        if estado not in DECIDIDOS:
            for una in suyas:
                self.traido.acusar(una.fila, "decision", f"Hay una decisión y la partida está en {estado}.")
            return
        if len(suyas) != 1:
            fila, hoja = (suyas[1], "decision") if suyas else (partida, "estado")
            error = (
                "Una partida tiene una decisión: deje la vigente."
                if suyas
                else "Está decidida: escríbala en la hoja decisiones."
            )
            self.traido.acusar(fila.fila, hoja, error)
            return
        una = suyas[0]
        con_informe = any(otra.texto("informe_numero") for otra in decisiones)
        faltan = ["riv_numero", "decision", "dictaminado_en", "fundamento", *([] if con_informe else ["motivo"])]
        for columna in faltan:
            if not una[columna]:
                porque = "se dictaminó sin informe" if columna == "motivo" else "se dictaminó"
                self._falta(una, columna, porque)
        momento, linea = self._hora(una, "dictaminado_en"), self._linea(partida)

        def dictaminar(expediente: Expediente, momento: datetime) -> None:
            migracion.dictaminar_en_papel(
                partida=linea(expediente), riv=una["riv_numero"], decision=una["decision"],
                fundamento=una["fundamento"], motivo=una.texto("motivo"), ocurrio_en=momento,
            )  # fmt: skip

        columnas = {"decision": "decision", "motivo": "motivo", "texto": "fundamento"}
        self._paso(momento, una, "dictaminado_en", dictaminar, una.texto("dictamino"), **columnas)
        self._medida(partida, estado, una)

    def _medida(self, partida: Leida, estado: str, una: Leida) -> None:
        if not una["medida"]:
            if estado == Estado.EN_MEDIDA:
                self._falta(una, "medida", "la partida está en en_medida")
            elif una["cumplida_en"] or una.texto("acta"):
                self._falta(una, "medida", "dice que se cumplió")
            return
        for columna in ("medida_ordenada_en", "medida_vence_en"):
            if not una[columna]:
                self._falta(una, columna, "se ordenó una medida")
        if estado == Estado.EN_MEDIDA and una["cumplida_en"]:
            self.traido.acusar(una.fila, "cumplida_en", "Ya se cumplió: la partida está en dictaminado.")
        if estado == Estado.DICTAMINADO:
            for columna in ("cumplida_en", "acta"):
                if not una[columna]:
                    self._falta(
                        una,
                        columna,
                        "hay una medida y la partida está en dictaminado; si no se ha cumplido, está en en_medida",
                    )
        linea, vence_en = self._linea(partida), una["medida_vence_en"]

        def ordenar(expediente: Expediente, momento: datetime) -> None:
            casos.ordenar_medida(
                partida=linea(expediente), actor=migracion.quien(), tipo=una["medida"], vence_en=vence_en,
                indicaciones=una.texto("indicaciones"), ocurrio_en=momento,
            )  # fmt: skip

        self._paso(self._hora(una, "medida_ordenada_en"), una, "medida_ordenada_en", ordenar, tipo="medida")
        if una["cumplida_en"] and estado == Estado.DICTAMINADO:

            def cumplir(expediente: Expediente, momento: datetime) -> None:
                casos.cumplir_medida(
                    partida=linea(expediente), actor=migracion.quien(), acta=una.texto("acta"), ocurrio_en=momento
                )

            self._paso(self._hora(una, "cumplida_en"), una, "cumplida_en", cumplir)

    # ── Hours, steps, objections ──────────────────────────────────────────────────────────────────

    def _falta(self, leida: Leida, columna: str, porque: str) -> None:
        # A cell that was not understood has its own objection already.
        if not any(
            d.hoja == leida.fila.hoja and d.fila == leida.fila.n and d.columna == columna for d in self.traido.defectos
        ):
            self.traido.acusar(leida.fila, columna, f"Falta: {porque}.")

    def _hora(self, leida: Leida, columna: str) -> datetime | None:
        """The moment of an act, in its order: not before the one before it, nor ahead of now."""
        cuando: Cuando | None = leida[columna]
        if cuando is None:
            return None
        momento = cuando.tras(self.ultimo[0] if self.ultimo else None)
        if momento > reloj.ahora():
            self.traido.acusar(leida.fila, columna, "Todavía no ha llegado esa fecha.")
            return None
        if self.ultimo and momento < self.ultimo[0]:
            antes, cual = self.ultimo
            dicho = timezone.localtime(antes).strftime("%d/%m/%Y %H:%M")
            self.traido.acusar(leida.fila, columna, f"Es antes de {cual} ({dicho}): revise el orden de las fechas.")
            return None
        self.ultimo = (momento, columna)
        return momento

    def _paso(
        self,
        momento: datetime | None,
        leida: Leida,
        columna: str,
        hacer: Callable[..., Any],
        firma: str = "",
        **columnas: str,
    ) -> None:
        """Leave a step. `columnas`: the service's name of a datum → the column it came from."""
        if momento is not None:
            mapa = {"ocurrio_en": columna, NON_FIELD_ERRORS: columna, **columnas}
            self.traido.pasos.append(Paso(momento, leida.fila, mapa, hacer, firma))


# ── Walking ───────────────────────────────────────────────────────────────────────────────────────


class Rechazado(Exception):
    """A service refused a step: the whole case stays out."""


def traer(traido: Traido, *, archivo: str, avisar: bool, simular: bool) -> None:
    """Walk one good case, all or nothing. What a service refuses becomes an objection to the row it came from."""
    fuente = {"archivo": archivo, "clave": traido.clave}
    try:
        with transaction.atomic():
            _recorrer(traido, fuente, avisar)
            if simular:
                transaction.set_rollback(True)
    except Rechazado:
        traido.expediente = None


def _recorrer(traido: Traido, fuente: dict[str, Any], avisar: bool) -> None:
    registrado = traido.fila["registrado_en"].momento
    with trayendo(fuente | _lugar(traido.fila.fila)), _culpando(traido, traido.fila.fila, {}):
        expediente = casos.registrar(
            actor=migracion.quien(), envio=traido.envio, ocurrio_en=registrado, **traido.pedido
        )
    for paso in traido.pasos:
        firma = {"firma": paso.firma} if paso.firma else {}
        with trayendo(fuente | _lugar(paso.fila) | firma), _culpando(traido, paso.fila, paso.columnas):
            # Read anew: each act leaves the Python object behind the row.
            paso.hacer(Expediente.objects.get(pk=expediente.pk), paso.momento)
    traido.expediente = Expediente.objects.get(pk=expediente.pk)
    _exigir_lo_dicho(traido)
    migracion.incorporar(expediente=traido.expediente, fuente=fuente, avisar=avisar)


def _lugar(fila: Fila) -> dict[str, Any]:
    return {"hoja": fila.hoja, "fila": fila.n}


def _exigir_lo_dicho(traido: Traido) -> None:
    """The walk must end where the sheet says that the case and its lines are."""
    assert traido.expediente
    hechos = dict(traido.expediente.partidas.values_list("orden", "estado"))
    for partida in traido.partidas:
        if hechos[partida["partida"]] != partida["estado"]:
            traido.acusar(partida.fila, "estado", f"Con lo que dice la planilla llega a {hechos[partida['partida']]}.")
    dicho = traido.fila["estado"]
    if traido.expediente.abierto != (dicho in ("abierto", "observado")) or (
        dicho != "abierto" and traido.expediente.estado != dicho
    ):
        traido.acusar(traido.fila.fila, "estado", f"Con lo que dice la planilla llega a {traido.expediente.estado}.")
    if traido.defectos:
        raise Rechazado


@contextmanager
def _culpando(traido: Traido, fila: Fila, columnas: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except ActoRechazado as error:
        traido.acusar(fila, columnas.get(NON_FIELD_ERRORS, ""), str(error.mensaje))
        raise Rechazado from error
    except ValidationError as error:
        por_campo = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
        for campo, errores in por_campo.items():
            mensaje = " ".join(m for uno in errores for m in uno.messages)
            traido.acusar(fila, columnas.get(campo, columnas.get(NON_FIELD_ERRORS, "")), mensaje)
        raise Rechazado from error

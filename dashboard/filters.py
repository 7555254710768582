"""The board's filters: the URL is the view."""

from datetime import datetime
from typing import Any

import django_filters as filtros
from django.db.models import Exists, OuterRef, Q, QuerySet

from expedientes.asignacion import inspectores_de
from expedientes.models import ETAPAS, Estado, Expediente, Pais, Partida, Producto
from expedientes.plazos import Semaforo
from senasa import vivo
from senasa.models import Puesto

from .busqueda import con_producto, plano
from .jornada import CLASES, MIOS_O_DE_NADIE, en_cola, mios_o_de_nadie
from .queries import Lector, del_semaforo

QUIEN = {
    "puesto": "El puesto",
    "laboratorio": "El laboratorio",
    "importador": "El importador",
}
DE_QUIEN = {"mios": "Mis casos", "nadie": "Sin asignar"}  # and each inspector, by his id
ESTADOS_DE_QUIEN = {
    "puesto": [Estado.REGISTRADO, Estado.EN_INSPECCION, Estado.RESULTADO_EMITIDO, Estado.DICTAMINADO],
    "laboratorio": [Estado.EN_LABORATORIO],
    "importador": [Estado.EN_MEDIDA],  # and the observed ones, below
}


def con_partida(casos: QuerySet[Expediente], **condicion: Any) -> QuerySet[Expediente]:
    return casos.filter(Exists(Partida.objects.filter(expediente=OuterRef("pk"), **condicion)))


def opciones_de(puestos: list[Puesto]) -> dict[str, list[tuple[str, str]]]:
    """What may be chosen of catalogues and people, read once a minute: what some line has, who works at the posts."""
    clave = ("opciones", sorted(puesto.codigo for puesto in puestos))
    return vivo.recordar(clave, lambda: _opciones_de(puestos))


def _opciones_de(puestos: list[Puesto]) -> dict[str, list[tuple[str, str]]]:
    # An index probe for each row of a short catalogue.
    usadas = Partida.objects.order_by()
    productos = Producto.objects.filter(Exists(usadas.filter(producto=OuterRef("pk"))))
    origenes = Pais.objects.filter(Exists(usadas.filter(pais_origen=OuterRef("pk"))))
    return {
        "producto": [(str(uno.pk), str(uno)) for uno in productos],
        "origen": [(uno.pk, str(uno)) for uno in origenes],
        "puesto": [(uno.codigo, str(uno)) for uno in puestos],
        "cargo": [
            *DE_QUIEN.items(),
            (MIOS_O_DE_NADIE, "Mis casos y sin asignar"),
            *((str(uno.pk), str(uno)) for uno in inspectores_de(puestos)),
        ],
    }


class FiltroDelTablero(filtros.FilterSet):
    etapa = filtros.ChoiceFilter(label="Etapa", field_name="estado", choices=list(ETAPAS.items()), empty_label="Todas")
    semaforo = filtros.ChoiceFilter(
        label="Plazo", choices=Semaforo.choices, empty_label="Todos", method="filtrar_semaforo"
    )
    quien = filtros.ChoiceFilter(
        label="Quién lo tiene", choices=list(QUIEN.items()), empty_label="Cualquiera", method="filtrar_quien"
    )
    producto = filtros.ChoiceFilter(label="Producto", empty_label="Todos", method="filtrar_producto")
    origen = filtros.ChoiceFilter(label="Origen", empty_label="Todos", method="filtrar_origen")
    puesto = filtros.ChoiceFilter(label="Puesto", empty_label="Todos", field_name="puesto__codigo")
    cargo = filtros.ChoiceFilter(label="A cargo de", empty_label="Cualquiera", method="filtrar_cargo")
    acto = filtros.ChoiceFilter(
        label="Qué hacer", choices=[(clave, clase.titulo) for clave, clase in CLASES.items()], empty_label="Todo",
        method="filtrar_acto",
    )  # fmt: skip
    q = filtros.CharFilter(label="Importador, producto o número", method="filtrar_q", max_length=80)

    class Meta:
        model = Expediente
        fields: list[str] = []

    def __init__(self, *args: Any, puestos: list[Puesto], lector: Lector, ahora: datetime, **kwargs: Any):
        self.ahora, self.lector = ahora, lector
        super().__init__(*args, **kwargs)
        for campo, opciones in opciones_de(puestos).items():
            self.filters[campo].extra["choices"] = opciones
        if len(puestos) < 2:
            del self.filters["puesto"]

    def filtrar_semaforo(self, casos: QuerySet[Expediente], _campo: str, luz: str) -> QuerySet[Expediente]:
        return casos.filter(del_semaforo(luz, self.ahora))

    def filtrar_quien(self, casos: QuerySet[Expediente], _campo: str, quien: str) -> QuerySet[Expediente]:
        observados = Q(estado=Estado.OBSERVADO)
        suyas = Q(Exists(Partida.objects.filter(expediente=OuterRef("pk"), estado__in=ESTADOS_DE_QUIEN[quien])))
        return casos.filter(observados | suyas if quien == "importador" else suyas & ~observados)

    def filtrar_producto(self, casos: QuerySet[Expediente], _campo: str, cual: str) -> QuerySet[Expediente]:
        return con_partida(casos, producto=cual)

    def filtrar_origen(self, casos: QuerySet[Expediente], _campo: str, cual: str) -> QuerySet[Expediente]:
        return con_partida(casos, pais_origen=cual)

    def filtrar_cargo(self, casos: QuerySet[Expediente], _campo: str, quien: str) -> QuerySet[Expediente]:
        if quien == "mios":
            return casos.filter(inspector__in=self.lector.a_su_cargo)
        if quien == MIOS_O_DE_NADIE:
            return casos.filter(mios_o_de_nadie(self.lector))
        return casos.filter(inspector=None) if quien == "nadie" else casos.filter(inspector=int(quien))

    def filtrar_acto(self, casos: QuerySet[Expediente], _campo: str, cual: str) -> QuerySet[Expediente]:
        return en_cola(casos, cual, self.ahora)

    def filtrar_q(self, casos: QuerySet[Expediente], _campo: str, q: str) -> QuerySet[Expediente]:
        for palabra in plano(q).split():
            casos = casos.filter(
                Q(importador__nombre_plano__contains=palabra) | Q(numero__icontains=palabra) | Q(con_producto(palabra))
            )
        return casos

"""Cases for tests, walked through the real services: every one has a true history."""

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.core.management import call_command

from expedientes import services as casos
from expedientes.models import AgenteAduana, Dictamen, Expediente, Importador, Pais, Producto
from laboratorio import recorrido, reglas
from laboratorio.demo import crear_personas
from laboratorio.models import ReglaFirma
from laboratorio.recorrido import PASOS, Caso
from senasa import reloj
from senasa.models import Puesto, Rol, Usuario

RUCS = ("20999900012", "20999900021", "20999900039")


def cargar_catalogos() -> None:
    """The catalogues, once per test database state."""
    if not Producto.objects.exists():
        call_command("cargar_catalogos", verbosity=0)


def personas() -> dict[str, Usuario]:
    """The demo users by user name (catalogues first: their posts come from there)."""
    cargar_catalogos()
    return crear_personas()


def otro_inspector(nombre: str = "Luis", *puestos: str) -> Usuario:
    """A colleague of the port's inspector, or of other `puestos`."""
    colega = Usuario.objects.create(
        username=f"colega.{nombre.lower()}", email=f"{nombre.lower()}@senasa.example", first_name=nombre,
        last_name="Colega", roles=[Rol.INSPECTOR],
    )  # fmt: skip
    colega.puestos.set(Puesto.objects.filter(codigo__in=puestos or ["PCM"]))
    return colega


def crear_importador(n: int = 0, **campos: Any) -> Importador:
    datos = {"nombre": f"Importaciones Ñusta {n} S.A.C.", "correo": f"importador{n}@empresa.example", **campos}
    return Importador.objects.get_or_create(tipo_documento="ruc", numero_documento=RUCS[n], defaults=datos)[0]


def partida_nueva(producto: str = "uva-fresca", origen: str = "CL", **campos: Any) -> casos.PartidaNueva:
    return casos.PartidaNueva(
        producto=Producto.objects.get(codigo=producto),
        pais_origen=Pais.objects.get(codigo=origen),
        **{"peso_neto_kg": Decimal("1200.5"), "contenedores": [("DEMU1000010", "SL10001")], **campos},
    )


def crear_caso(
    hasta: str = "registrado",
    *,
    valor: str = "negativo",
    decision: str | None = None,
    puesto: str = "PCM",
    importador: Importador | None = None,
    agente: AgenteAduana | None = None,
    partidas: int = 1,
    producto: str = "uva-fresca",
    origen: str = "CL",
    hace: timedelta = timedelta(days=5),
    **datos: Any,
) -> Caso:
    """A case walked as far as `hasta` (see `laboratorio.recorrido.PASOS`), starting `hace` ago.

    The steps are an hour apart and end before now, so that a test can go on with the real clock.
    """
    gente = personas()
    momento = reloj.ahora() - hace
    with reloj.fijado(momento):
        expediente = casos.registrar(
            actor=gente["mesa"],
            puesto=Puesto.objects.get(codigo=puesto),
            importador=importador or crear_importador(),
            agente=agente,
            partidas=[partida_nueva(producto, origen) for _n in range(partidas)],
            datos={
                "pfi": "2026-118-04412",
                "certificado": f"{origen}-2026-88121",
                "suce": "2026123456",
                "dam": "118-2026-10-170288-01-1-00",
                "pais_exportacion": Pais.objects.get(codigo=origen),
                "transporte": Expediente.Transporte.CONTENEDOR,
                "lugar": "Muelle Norte",
                **datos,
            },
        )
    if decision is None:
        decision = Dictamen.Decision.INGRESO if valor == "negativo" else Dictamen.Decision.RECHAZO
    caso = Caso(expediente=expediente, personas=gente, azar=Random(7), valor=valor, decision=decision)
    return avanzar_hasta(caso, hasta, desde=momento)


def crear_cola(cuantas: int, *, producto: str = "uva-fresca", origen: str = "CL") -> Caso:
    """A case whose line sent `cuantas` samples, received and waiting for an analyst."""
    caso = crear_caso("en_inspeccion", producto=producto, origen=origen)
    for _vez in range(cuantas):
        recorrido.tomar_muestra(caso)
    recorrido.enviar(caso)
    recorrido.recibir(caso)
    return caso


def avanzar_hasta(caso: Caso, hasta: str, *, desde: Any = None) -> Caso:
    """Walk the steps that `caso` has not taken yet, as far as `hasta`."""
    if hasta == "registrado":
        return caso
    dados = getattr(caso, "_dados", 0)
    momento = desde or reloj.ahora()
    for i, (nombre, paso) in enumerate(PASOS.items()):
        momento += timedelta(hours=1) if desde else timedelta(0)
        if i >= dados and not (nombre in ("en_medida", "medida_cumplida") and caso.decision == "ingreso"):
            with reloj.fijado(momento):
                paso(caso)
        if nombre == hasta:
            caso._dados = i + 1  # type: ignore[attr-defined]
            break
    else:
        raise ValueError(f"No hay un paso «{hasta}».")
    caso.expediente.refresh_from_db()
    return caso


def crear_expediente(estado: str = "registrado", **opciones: Any) -> Expediente:
    """A case whose state is `estado`, with a true history."""
    hasta = {"dictaminado": "con_riv"}.get(estado, estado)
    return crear_caso(hasta, **opciones).expediente


def poner_regla(**parametros: Any) -> ReglaFirma:
    """A version of the rule of automatic signature, replayed and switched on as the director does."""
    director = personas()["director"]
    regla = reglas.redactar(actor=director, **{"gracia_minutos": 30, "causa": "Prueba.", **parametros})
    reglas.reproducir(regla=regla, actor=director)
    return reglas.poner_en_vigor(regla=regla, actor=director)

"""The demonstration: its people, its importers and its cases, all invented, walked through the services."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.utils import timezone
from stdnum import iso6346
from stdnum.pe import ruc

from expedientes import asignacion
from expedientes import services as casos
from expedientes.models import AgenteAduana, Dictamen, Expediente, Importador, Pais, Producto
from senasa import reloj
from senasa.models import Disciplina, Puesto, Rol, Suplencia, Usuario

from . import recorrido, reglas, suplencias
from .certificados import dar_de_demostracion
from .models import ReglaFirma, Requisito, Valor
from .recorrido import PASOS, Caso

CLAVE = "senasa-demo-2026"

# user name, first name, last name, roles, posts
PERSONAS: tuple[tuple[str, str, str, list[Rol], list[str]], ...] = (
    ("mesa", "María", "Mesa", [Rol.MESA_DE_PARTES], ["PCM", "PCA"]),
    ("inspector", "Rosa", "Inspectora", [Rol.INSPECTOR], ["PCM"]),
    ("inspector.aereo", "Iván", "Aéreo", [Rol.INSPECTOR], ["PCA"]),
    ("jefe", "Julia", "Jefa", [Rol.JEFE_DE_PUESTO], ["PCM", "PCA"]),
    ("recepcion", "Raúl", "Recepción", [Rol.RECEPCION], []),
    ("analista", "Ana", "Analista", [Rol.ANALISTA], []),
    ("analista2", "Andrés", "Quispe", [Rol.ANALISTA], []),
    ("verificador", "Vera", "Verificadora", [Rol.VERIFICADOR], []),
    ("director", "Diana", "Directora", [Rol.DIRECTOR], []),
    ("direccion", "Darío", "Dirección", [Rol.DIRECCION], []),
    ("atencion", "Alba", "Atención", [Rol.ATENCION], []),
    ("admin", "Aldo", "Administrador", [Rol.ADMINISTRADOR], []),
)
IMPORTADORES = (
    "Importaciones Ñusta S.A.C.",
    "Frutos del Sur S.A.C.",
    "Semillas Andinas E.I.R.L.",
    "Granos del Pacífico S.A.",
    "Comercial Ajos Perú S.A.C.",
    "Hortus Semillas Demo S.A.",
    "Molinos Rímac Demo S.A.",
    "Agro Costa Verde S.R.L.",
)
AGENTES = ("Agencia de Aduana Callao Demo S.A.C.", "Despachos Chucuito Demo S.A.")
AEREOS = {"esquejes-de-gypsophila", "papa-in-vitro"}

# Where a case is left, how often, and the days it may have waited there.
DESTINOS = (
    ("registrado", 5, (0.1, 3)),
    ("programado", 5, (0.1, 1.5)),
    ("en_inspeccion", 6, (0.2, 4)),
    ("muestreado", 5, (0.2, 3)),
    ("en_laboratorio", 6, (0.2, 2)),
    ("rechazada", 3, (0.2, 2)),
    ("recibido", 6, (0.1, 2)),
    ("asignado", 4, (0.1, 2)),
    ("en_proceso", 8, (0.3, 6)),
    ("con_resultado", 6, (0.1, 2)),
    ("verificado", 5, (0.005, 0.015)),
    ("por_firmar", 4, (0.2, 2)),
    ("resultado_emitido", 10, (0.1, 4)),
    ("con_riv", 4, (0.02, 0.1)),
    ("en_medida", 5, (1, 10)),
    ("cerrado", 22, (1, 60)),
    ("observado", 3, (0.2, 4)),
    ("respondido", 1, (0.1, 1)),
    ("no_presentada", 2, (0.2, 2)),
    ("perdida", 1, (0.2, 1)),
    ("trasladado", 1, (0.1, 1)),
    ("posentrada", 2, (5, 40)),
    ("demorado", 1, (1.2, 2.5)),
    ("preguntado", 2, (0.05, 1)),
    ("contestado", 1, (0.1, 1)),
    ("contramuestra", 4, (1, 45)),
    ("desistido", 1, (1, 30)),
    ("anulado", 1, (1, 30)),
    ("en_cola", 1, (0.1, 1)),
    ("hoja_a_medias", 1, (0.01, 0.05)),
    ("control_fallido", 1, (0.01, 0.1)),
    ("enmendado", 1, (0.2, 3)),
    ("por_enmendar", 1, (0.1, 1)),
    ("en_revision", 1, (0.2, 2)),
    ("corregido", 1, (1, 20)),
    ("informe_anulado", 1, (0.2, 2)),
)
# The ways that leave the chain: the step that they leave it after, and what happens then.
APARTE: dict[str, tuple[str, list[str]]] = {
    "rechazada": ("en_laboratorio", ["rechazar"]),
    "perdida": ("en_laboratorio", ["perder"]),
    "demorado": ("en_laboratorio", []),
    "preguntado": ("recibido", ["preguntar"]),
    "contestado": ("recibido", ["preguntar", "contestar"]),
    "contramuestra": ("cerrado", ["guardar_contramuestra"]),
    "observado": ("en_inspeccion", ["observar"]),
    "respondido": ("en_inspeccion", ["observar", "responder"]),
    "no_presentada": ("programado", ["no_presentada"]),
    "trasladado": ("programado", ["trasladar"]),
    "desistido": ("recibido", ["desistir"]),
    "anulado": ("programado", ["anular"]),
    "enmendado": ("con_riv", ["enmendar", "firmar"]),
    "por_enmendar": ("con_riv", ["enmendar"]),
    "en_revision": ("con_riv", ["enmendar_resultado"]),
    "corregido": (
        "con_riv",
        ["enmendar_resultado", "con_resultado", "verificado", "firmar", "dictaminar", "emitir_riv", "cerrar"],
    ),
    "informe_anulado": ("con_riv", ["anular_informe"]),
    "sin_muestra": ("en_inspeccion", ["dictaminar_sin_muestra", "emitir_riv", "cerrar"]),
    "posentrada": ("con_riv", ["ordenar_posentrada", "cerrar"]),
    "en_cola": ("en_inspeccion", ["tomar_muchas", "enviar", "recibir"]),
    "hoja_a_medias": ("en_inspeccion", ["tomar_muchas", "enviar", "recibir", "abrir_hoja", "anotar_la_mitad"]),
    "control_fallido": (
        "en_inspeccion",
        ["tomar_muchas", "enviar", "recibir", "abrir_hoja", "anotar_todas", "fallar_control"],
    ),
}
# What goes back on the bench, and is done again: the step before which it happens, and how it goes on.
REVERSIONES: tuple[tuple[str, list[str]], ...] = (
    ("verificado", ["revertir", "con_resultado"]),
    ("verificado", ["revertir", "con_resultado"]),
    ("verificado", ["revertir_analisis", "asignado", "en_proceso", "con_resultado"]),
    ("con_resultado", ["revertir_inicio", "en_proceso"]),
    ("en_proceso", ["revertir_asignacion", "asignado"]),
    ("asignado", ["revertir_recepcion", "recibido"]),
)
# Days that each step usually takes.
DEMORA = {
    "programado": (0.05, 0.5), "en_inspeccion": (0.2, 2), "muestreado": (0.02, 0.3), "en_laboratorio": (0.1, 3),
    "rechazada": (0.3, 1.2), "recibido": (0.2, 1.2), "asignado": (0.02, 0.6), "en_proceso": (0.05, 0.8),
    "con_resultado": (1, 7), "revertido": (0.1, 0.8), "verificado": (0.05, 1), "resultado_emitido": (0.03, 0.4),
    "dictaminado": (0.1, 4), "con_riv": (0.001, 0.002), "en_medida": (0.05, 1), "medida_cumplida": (3, 15),
    "cerrado": (0.05, 1), "observar": (0.05, 0.5), "responder": (1, 4), "no_presentada": (0.3, 1.5), "perder": (1, 3),
    "rotular": (0.001, 0.005), "preguntar": (0.01, 0.1), "contestar": (0.1, 0.5), "guardar_contramuestra": (0.1, 2),
    "ordenar_posentrada": (0.01, 0.1), "cerrar": (0.05, 0.5),
    "tomar_muchas": (0.02, 0.2), "enviar": (0.1, 1), "recibir": (0.2, 1), "abrir_hoja": (0.02, 0.3),
    "anotar_la_mitad": (0.02, 0.1), "anotar_todas": (0.02, 0.1), "fallar_control": (0.01, 0.05),
}  # fmt: skip


def crear_personas() -> dict[str, Usuario]:
    """The demo users, once; their password is public, so never outside MODO=demo."""
    if not settings.DEMO:
        raise RuntimeError("Los usuarios de demostración solo existen con MODO=demo.")
    ya = {uno.username: uno for uno in Usuario.objects.filter(username__in=[persona[0] for persona in PERSONAS])}
    personas = {}
    for usuario, nombre, apellido, roles, puestos in PERSONAS:
        persona = ya.get(usuario)
        if persona is None:
            persona = Usuario.objects.create(
                username=usuario, first_name=nombre, last_name=apellido, email=f"{usuario}@senasa.example",
                roles=[rol.value for rol in roles], is_staff=Rol.ADMINISTRADOR in roles,
                is_superuser=Rol.ADMINISTRADOR in roles,
            )  # fmt: skip
            persona.set_password(CLAVE)
            persona.save(update_fields=["password"])
            persona.puestos.set(Puesto.objects.filter(codigo__in=puestos))
            if persona.tiene(Rol.ANALISTA, Rol.VERIFICADOR):
                persona.disciplinas.set(Disciplina.objects.all())
        personas[usuario] = persona
    # Nothing that a director authorises leaves without a certificate of his own.
    dar_de_demostracion(personas["director"])
    return personas


def crear_reglas_y_suplencias() -> None:
    """Versions of the rule, each with its replay over what is there, and who stood and will stand in; once."""
    personas = crear_personas()
    director, verificador = personas["director"], personas["verificador"]
    if ReglaFirma.objects.count() == 1:
        reglas.reproducir(
            regla=reglas.redactar(
                actor=director, gracia_minutos=20, causa="En un año nadie usó los últimos diez minutos de la gracia."
            ),
            actor=director,
        )
        reglas.poner_en_vigor(regla=ReglaFirma.objects.get(version=2), actor=director)
        siguiente = reglas.redactar(
            actor=director,
            gracia_minutos=15,
            causa="Propuesta: menos espera, solo en entomología.",
            disciplinas=list(Disciplina.objects.filter(codigo="entomologia")),
        )
        reglas.reproducir(regla=siguiente, actor=director)
    if not Suplencia.objects.exists():
        dar_de_demostracion(verificador)
        for cuando, causa in ((-60, "Vacaciones."), (25, "Comisión de servicio en Piura.")):
            with reloj.fijado(reloj.ahora() + timedelta(days=min(cuando, 0))):
                desde = timezone.localdate(reloj.ahora()) + timedelta(days=max(cuando, 0))
                suplencias.nombrar(
                    titular=director, suplente=verificador, desde=desde, hasta=desde + timedelta(days=9), causa=causa,
                    actor=director,
                )  # fmt: skip


def crear_equipo() -> None:
    """A second inspector at the port, what each of the two has on his table, and an absence to come; once."""
    personas, puerto = crear_personas(), Puesto.objects.get(codigo="PCM")
    colega, nuevo = Usuario.objects.get_or_create(
        username="inspector2",
        defaults={
            "first_name": "Luis", "last_name": "Huamán", "email": "inspector2@senasa.example",
            "roles": [Rol.INSPECTOR.value], "password": make_password(CLAVE),
        },
    )  # fmt: skip
    if not nuevo:
        return
    colega.puestos.add(puerto)
    for i, caso in enumerate(Expediente.objects.abiertos().filter(puesto=puerto, inspector=None).order_by("pk")):
        if i % 3 == 0:
            asignacion.tomar(expediente=caso, actor=personas["inspector"])
        elif i % 3 == 1:
            asignacion.asignar(expediente=caso, actor=personas["jefe"], inspector=colega)
    desde = timezone.localdate(reloj.ahora()) + timedelta(days=10)
    asignacion.anotar_ausencia(
        ausente=colega, cubre=personas["inspector"], desde=desde, hasta=desde + timedelta(days=6), causa="Vacaciones.",
        actor=personas["jefe"],
    )  # fmt: skip


def crear_expedientes(cuantos: int, semilla: int) -> Iterator[Expediente]:
    """Make `cuantos` cases, the same for the same `semilla`; those made before are left as they are."""
    personas = crear_personas()
    importadores, agentes = partes()
    azar = Random(semilla)  # noqa: S311
    ahora = reloj.ahora()
    destinos = _repartir(cuantos, azar)
    for i, (destino, espera) in enumerate(destinos):
        suerte = Random(f"{semilla}:{i}")  # noqa: S311
        envio = uuid5(NAMESPACE_URL, f"senasa-demo:{semilla}:{i}")
        hecho = Expediente.objects.filter(envio=envio).first()
        yield hecho or recorrer(
            envio=envio, destino=destino, espera=suerte.uniform(*espera), azar=suerte, ahora=ahora, personas=personas,
            importador=suerte.choice(importadores), agente=suerte.choice([None, *agentes]),
        )  # fmt: skip


def crear_historia(cuantos: int, semilla: int) -> Iterator[Expediente]:
    """What the charts over months are drawn of, by turns: see `_del_pasado`."""
    personas = crear_personas()
    importadores, _agentes = partes()
    for i in range(cuantos):
        suerte = Random(f"{semilla}:historia:{i}")  # noqa: S311
        envio = uuid5(NAMESPACE_URL, f"senasa-demo:{semilla}:historia:{i}")
        hecho = Expediente.objects.filter(envio=envio).first()
        yield hecho or recorrer(
            envio=envio, azar=suerte, ahora=reloj.ahora(), personas=personas, importador=suerte.choice(importadores),
            agente=None, solo=True, **_del_pasado(i, suerte),
        )  # fmt: skip


def mes_de_reversiones() -> date:
    """The first day of the month whose rate leaves its limits: over, and before most of the other cases."""
    return (timezone.localdate(reloj.ahora()) - timedelta(days=45)).replace(day=1)


def _del_pasado(i: int, suerte: Random) -> dict[str, Any]:
    """How the `i`-th case of the past went.

    Of every ten seven are like one another and ended in the last half year, since of too few like it no end is
    foretold to an importer; two of these were stepped back twice in `mes_de_reversiones`, which leaves the limits of
    the rate by that. One is a lot of several samples of a month before, withdrawn when they were received. One stayed
    long in the laboratory, and one is there still: the old stock.
    """
    vuelta, turno = divmod(i, 10)
    hasta_ese_mes = (timezone.localdate(reloj.ahora()) - mes_de_reversiones().replace(day=15)).days
    if turno in (0, 5):
        camino = _camino("cerrado", con_medida=False, reversion=("verificado", ["revertir", "con_resultado"] * 2))
        espera = hasta_ese_mes - 4 + suerte.uniform(-5, 5)
        return {"destino": "cerrado", "camino": camino, "espera": espera, "producto": _productos()[0]}
    if turno == 1:
        camino = _camino("desistido", con_medida=False, reversion=None)
        donde = camino.index("muestreado")
        camino[donde:donde] = ["muestreado"] * 3
        return {
            "destino": "desistido",
            "camino": camino,
            "espera": hasta_ese_mes + (215, 60, 160, 110)[vuelta % 4],
        }
    if turno == 2:
        return {"destino": "recibido", "espera": suerte.uniform(18, 95)}
    if turno == 3:
        return {"destino": "cerrado", "espera": suerte.uniform(1, 70), "demora": {"con_resultado": (25, 75)}}
    return {"destino": "cerrado", "espera": suerte.uniform(20, 180), "producto": _productos()[0]}


def _repartir(cuantos: int, azar: Random) -> list[tuple[str, tuple[float, float]]]:
    """Where each case is left: every destination by its share, and each at least once when they fit."""
    destinos = [(destino, espera) for destino, _peso, espera in DESTINOS][:cuantos]
    pesos = [peso for _destino, peso, _espera in DESTINOS]
    otros = azar.choices([(destino, espera) for destino, _peso, espera in DESTINOS], pesos, k=cuantos - len(destinos))
    azar.shuffle(otros)
    return destinos + otros


def partes() -> tuple[list[Importador], list[AgenteAduana]]:
    def ruc_inventado(base: int) -> str:
        return f"{base}{ruc.calc_check_digit(str(base) + '0')}"

    importadores = [
        Importador.objects.get_or_create(
            tipo_documento="ruc",
            numero_documento=ruc_inventado(2099990001 + i),
            defaults={"nombre": nombre, "correo": f"importador{i + 1}@empresa.example", "telefono": f"01 555 010{i}"},
        )[0]
        for i, nombre in enumerate(IMPORTADORES)
    ]
    agentes = [
        AgenteAduana.objects.get_or_create(
            tipo_documento="ruc",
            numero_documento=ruc_inventado(2099991001 + i),
            defaults={"nombre": nombre, "correo": f"agente{i + 1}@aduana.example"},
        )[0]
        for i, nombre in enumerate(AGENTES)
    ]
    return importadores, agentes


def recorrer(
    *,
    envio: UUID,
    destino: str,
    espera: float,
    azar: Random,
    ahora: datetime,
    personas: Mapping[str, Usuario],
    importador: Importador,
    agente: AgenteAduana | None,
    solo: bool = False,
    producto: Producto | None = None,
    camino: list[str] | None = None,
    demora: Mapping[str, tuple[float, float]] | None = None,
) -> Expediente:
    """A case walked to `destino`, its last step `espera` days before `ahora`.

    `solo`: it shares no car with another case and takes no label from a printed batch. `producto`: its one line is of
    that, by sea, from the first origin that has requirements of its own. `camino`: the steps, all negative, instead of
    those by chance. `demora`: days of some steps that are not as usual.
    """
    positivo = destino in ("por_firmar", "en_medida") or (destino == "cerrado" and azar.random() < 0.2)
    positivo = positivo and camino is None
    valor = Valor.POSITIVO if positivo else Valor.NEGATIVO
    if destino == "por_firmar" and azar.random() < 0.4:
        valor = Valor.INDETERMINADO
    decision = Dictamen.Decision.INGRESO
    if positivo:
        decision = azar.choice([Dictamen.Decision.RECHAZO, Dictamen.Decision.CONDICIONADO])
    reversion = azar.choice(REVERSIONES) if azar.random() < 0.25 else None
    camino = camino or _camino(destino, con_medida=positivo, reversion=reversion)
    if "muestreado" in camino and azar.random() < 0.5 and not solo:
        camino.insert(camino.index("muestreado") + 1, "rotular")
    momentos = _momentos(camino, espera=espera, azar=azar, ahora=ahora, demora=DEMORA | dict(demora or {}))
    with reloj.fijado(momentos[0]):
        expediente = _registrar(
            envio, azar=azar, personas=personas, importador=importador, agente=agente, unico=producto
        )
    caso = Caso(expediente=expediente, personas=personas, azar=azar, valor=valor, decision=decision, comparte=not solo)
    for paso, momento in zip(camino, momentos[1:], strict=True):
        # A signature waits for its grace time, which may end after the hour that was chosen for the next step.
        with reloj.fijado(max(momento, expediente.bitacora.latest("n").registrado_en)):
            (PASOS.get(paso) or getattr(recorrido, paso))(caso)
    return expediente


def _camino(destino: str, *, con_medida: bool, reversion: tuple[str, list[str]] | None) -> list[str]:
    """The steps that lead to `destino`."""
    if destino == "registrado":
        return []
    hasta, despues = APARTE.get(destino, (destino, []))
    hasta = "verificado" if destino == "por_firmar" else hasta
    camino = [*list(PASOS)[: list(PASOS).index(hasta) + 1], *despues]
    if not con_medida:
        camino = [paso for paso in camino if paso not in ("en_medida", "medida_cumplida")]
    if reversion and reversion[0] in camino:
        donde = camino.index(reversion[0])
        camino[donde:donde] = reversion[1]
    return camino


def _momentos(
    camino: list[str], *, espera: float, azar: Random, ahora: datetime, demora: Mapping[str, tuple[float, float]]
) -> list[datetime]:
    """When each step happened: office hours, in order, the last one `espera` days ago."""
    pausas = [timedelta(days=azar.uniform(*demora.get(paso, (0.1, 0.8)))) for paso in camino]
    momento = ahora - timedelta(days=espera) - sum(pausas, timedelta())
    momentos = [momento]
    for i, pausa in enumerate(pausas):
        tope = ahora - timedelta(days=espera) - sum(pausas[i + 1 :], timedelta()) * 0.5
        if i + 1 < len(pausas):  # the last step is as long ago as its stage may wait, whatever the hour
            tope = _antes_de_la_noche(tope)
        momento = min(_en_horario(momento + pausa), tope)
        momentos.append(max(momento, momentos[-1] + timedelta(minutes=1)))
    return momentos


def _en_horario(momento: datetime) -> datetime:
    """The same moment if somebody would be at work in Lima, else the next morning."""
    hora = timezone.localtime(momento).hour
    if hora < 7:
        return momento + timedelta(hours=8 - hora)
    return momento + timedelta(hours=32 - hora) if hora > 19 else momento


def _antes_de_la_noche(momento: datetime) -> datetime:
    """The same moment if somebody would be at work in Lima, else the afternoon before."""
    hora = timezone.localtime(momento).hour
    if hora < 7:
        return momento - timedelta(hours=hora + 7)
    return momento - timedelta(hours=hora - 17) if hora > 19 else momento


def _productos() -> list[Producto]:
    # The demo has one verifier: only products whose methods all ask for a single verification.
    requisitos = Requisito.objects.filter(activo=True)
    dobles = requisitos.filter(metodo__verificaciones__gt=1).values("producto")
    de_una = Producto.objects.filter(pk__in=requisitos.values("producto"), activo=True).exclude(pk__in=dobles)
    return list(de_una.order_by("codigo"))


def _registrar(
    envio, *, azar: Random, personas, importador: Importador, agente: AgenteAduana | None, unico: Producto | None
) -> Expediente:
    productos = _productos()
    producto = unico or azar.choice(productos)
    por_aire = not unico and (producto.codigo in AEREOS or azar.random() < 0.15)
    granel = not por_aire and producto.codigo in {"maiz-amarillo-duro", "trigo", "soya-grano", "torta-de-soya"}
    origen = _origen(producto, Random(0) if unico else azar)  # noqa: S311
    ahora = reloj.ahora()
    datos = {
        "pfi": f"{ahora:%Y}-118-{azar.randint(1000, 9999):05d}",
        "certificado": f"{origen.codigo}-{ahora:%Y}-{azar.randint(10000, 99999)}",
        "suce": f"{ahora:%Y}{azar.randint(100000, 999999)}",
        "dam": f"{235 if por_aire else 118}-{ahora:%Y}-10-{azar.randint(100000, 299999)}-01-1-00",
        "pais_exportacion": origen,
        "transporte": Expediente.Transporte.AEREO
        if por_aire
        else Expediente.Transporte.GRANEL
        if granel
        else Expediente.Transporte.CONTENEDOR,
        "llegada_en": ahora - timedelta(hours=azar.randint(3, 30)),
        "retenido_desde": ahora - timedelta(hours=azar.randint(1, 3)),
        "lugar": "Terminal de carga aérea"
        if por_aire
        else azar.choice(["Muelle Norte", "Muelle Sur", "Depósito DT-4"]),
    }
    if por_aire:
        serie = f"{azar.randint(1000000, 9999999)}"
        datos["guia_aerea"] = f"999-{serie}{int(serie) % 7}"
    else:
        datos["nave"] = f"{azar.choice(['DEMO PACIFIC', 'DEMO ANDES', 'DEMO ATLANTIC'])} V.{azar.randint(100, 699)}"
        datos["bl"] = f"DEMOBL{azar.randint(100000, 999999)}"
    partidas = [_partida(producto, origen, azar, con_contenedores=not por_aire and not granel, granel=granel)]
    if not granel and not unico and azar.random() < 0.15:
        otro = azar.choice(productos)
        partidas.append(_partida(otro, _origen(otro, azar), azar, con_contenedores=not por_aire, granel=False))
    if agente:
        datos |= {
            "poder_desde": (ahora - timedelta(days=200)).date(),
            "poder_hasta": (ahora + timedelta(days=160)).date(),
        }
    return casos.registrar(
        actor=personas["mesa"],
        puesto=Puesto.objects.get(codigo="PCA" if por_aire else "PCM"),
        importador=importador,
        agente=agente,
        partidas=partidas,
        datos=datos,
        envio=envio,
    )


def _origen(producto: Producto, azar: Random) -> Pais:
    requisitos = Requisito.objects.filter(producto=producto).select_related("pais_origen").order_by("pais_origen")
    origenes = [requisito.pais_origen for requisito in requisitos if requisito.pais_origen]
    return azar.choice(origenes) if origenes else Pais.objects.get(codigo="CL")


def _partida(
    producto: Producto, origen: Pais, azar: Random, *, con_contenedores: bool, granel: bool
) -> casos.PartidaNueva:
    contenedores = []
    for _n in range(azar.randint(1, 3) if con_contenedores else 0):
        base = f"DEMU{azar.randint(0, 999999):06d}"
        contenedores.append((f"{base}{iso6346.calc_check_digit(base)}", f"SL{azar.randint(10000, 99999)}"))
    return casos.PartidaNueva(
        producto=producto,
        pais_origen=origen,
        peso_neto_kg=Decimal(azar.randint(2_000_000, 9_000_000) if granel else azar.randint(120, 42_000)),
        envases="a granel" if granel else f"{azar.randint(20, 1800)} {azar.choice(['cajas', 'sacos', 'bultos'])}",
        bodegas="1 y 3" if granel else "",
        contenedores=contenedores,
    )

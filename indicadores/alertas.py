"""When the rate of reversions leaves its limits somebody is told, once; nobody's work waits for it."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone

from expedientes import avisos
from senasa import reloj
from senasa.models import Disciplina, Rol, Usuario

from . import hallazgos
from .graficos import numero
from .models import AlertaDeReversiones
from .reversiones import ESPERADAS_POR_SEMANA, MES, SEMANA, SEMANAS_A_LA_VISTA, Control, Filtro, Periodo, control

MESES_A_LA_VISTA = 12
# With fewer whole periods with samples behind it, a centre is no centre yet.
PERIODOS_MINIMOS = 6
COMENTARIO_MAXIMO = 2000


def buscar_alertas() -> int:
    """Look at the last whole month and week, of the laboratory and of each discipline; how many alerts are new.

    The limits are those of the page: of the twelve months, or the 26 weeks, that end with it. Weeks are looked at only
    where one expects five reversions or more. The same period never alerts twice.
    """
    hoy = timezone.localdate(reloj.ahora())
    nuevas = 0
    for disciplina in [None, *Disciplina.objects.all()]:
        for cada, desde, hasta in (_meses(hoy), _semanas(hoy)):
            filtro = Filtro(desde, hasta, disciplina=disciplina)
            nuevas += _mirar(control(filtro, cada), filtro)
    return nuevas


def _meses(hoy: date) -> tuple[str, date, date]:
    hasta = hoy.replace(day=1) - timedelta(days=1)
    meses = hasta.year * 12 + hasta.month - MESES_A_LA_VISTA
    return MES, date(meses // 12, meses % 12 + 1, 1), hasta


def _semanas(hoy: date) -> tuple[str, date, date]:
    hasta = hoy - timedelta(days=hoy.weekday() + 1)
    return SEMANA, hasta - timedelta(days=7 * SEMANAS_A_LA_VISTA - 1), hasta


def _mirar(carta: Control, filtro: Filtro) -> bool:
    ultimo = carta.periodos[-1]
    con_muestras = sum(1 for uno in carta.periodos if uno.muestras)
    pocas = carta.cada == SEMANA and carta.reversiones < ESPERADAS_POR_SEMANA * len(carta.periodos)
    if not ultimo.fuera or con_muestras < PERIODOS_MINIMOS or pocas:
        return False
    return _alertar(carta, ultimo, filtro.disciplina)


@transaction.atomic
def _alertar(carta: Control, periodo: Periodo, disciplina: Disciplina | None) -> bool:
    assert periodo.limites
    assert carta.centro is not None
    alerta, nueva = AlertaDeReversiones.objects.get_or_create(
        cada=carta.cada,
        periodo=periodo.desde,
        disciplina=disciplina,
        defaults={
            "reversiones": periodo.reversiones,
            "muestras": periodo.muestras,
            "centro": carta.centro,
            "limite_inferior": periodo.limites[0],
            "limite_superior": periodo.limites[1],
            "hallada_en": reloj.ahora(),
        },
    )
    if nueva:
        avisos.deber_al_personal(
            Usuario.objects.filter(is_active=True, roles__overlap=[Rol.DIRECCION, Rol.DIRECTOR]),
            "alerta_reversiones",
            clave=f"alerta-reversiones:{alerta.pk}",
            url=reverse("reversiones_alertas"),
            dicha=dicha(alerta),
            alerta=alerta,
        )
    return nueva


def dicha(alerta: AlertaDeReversiones) -> dict[str, str]:
    """An alert in words, and the list of what it counted."""
    fin = alerta.periodo + timedelta(days=6)
    if alerta.cada == MES:
        fin = (alerta.periodo + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    filtro = Filtro(alerta.periodo, fin, disciplina=alerta.disciplina)
    limite = alerta.limite_superior if alerta.por_encima else alerta.limite_inferior
    return {
        "periodo": hallazgos.nombre_de(alerta.cada, alerta.periodo),
        "de_que": str(alerta.disciplina or "todo el laboratorio"),
        "lado": "por encima" if alerta.por_encima else "por debajo",
        "tasa": numero(alerta.tasa),
        "limite": numero(limite),
        "centro": numero(alerta.centro),
        "cuantas": hallazgos.contadas(alerta.reversiones),
        "url": hallazgos.enlace(filtro),
    }


def todas() -> QuerySet[AlertaDeReversiones]:
    """Those that nobody has seen on top, then the last."""
    return AlertaDeReversiones.objects.select_related("disciplina", "vista_por").order_by(
        F("vista_en").desc(nulls_first=True), "-periodo", "-id"
    )


def por_ver() -> QuerySet[AlertaDeReversiones]:
    return AlertaDeReversiones.objects.filter(vista_en=None)


@transaction.atomic
def dar_por_vista(*, alerta: AlertaDeReversiones, actor: Usuario, comentario: str) -> AlertaDeReversiones:
    """Note who saw to an alert. The first to say so stays; saying it again changes nothing."""
    alerta = AlertaDeReversiones.objects.select_for_update().get(pk=alerta.pk)
    if alerta.vista_en is None:
        alerta.vista_por, alerta.vista_en = actor, reloj.ahora()
        alerta.comentario = comentario.strip()[:COMENTARIO_MAXIMO]
        alerta.save(update_fields=["vista_por", "vista_en", "comentario"])
    return alerta

"""Who sees to a case: assigned, taken, handed over, covered; it limits nobody's acts."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from dashboard.queries import Lector, actos_del_caso, con_detalle
from expedientes import asignacion, incidencias, services
from expedientes.bitacora import fallas
from expedientes.models import Expediente, Motivo
from notificaciones.models import Notificacion
from senasa import reloj
from senasa.models import Puesto
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import crear_expediente, otro_inspector, personas

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("certificado")]


def ofrece(expediente: Expediente, quien) -> set[str]:
    leido = con_detalle(Expediente.objects.all()).get(pk=expediente.pk)
    actos = actos_del_caso(leido, Lector(quien), reloj.ahora())
    return {uno.accion for uno in actos} & {"tomar", "asignar", "pasar"}


def test_tomar_asignar_y_pasar_una_vez_cada_uno_y_sin_avisar_al_importador():
    gente, colega, aereo = personas(), otro_inspector(), otro_inspector("Ada", "PCA")
    caso = crear_expediente("en_inspeccion")
    avisos = Notificacion.objects.count()
    inspector, jefe = gente["inspector"], gente["jefe"]
    assert (ofrece(caso, inspector), ofrece(caso, jefe), ofrece(caso, gente["mesa"])) == ({"tomar"}, {"asignar"}, set())
    with pytest.raises(EstadoImpide):
        asignacion.pasar(expediente=caso, actor=jefe, inspector=colega)
    asignacion.tomar(expediente=caso, actor=inspector)
    for acto in (
        lambda: asignacion.tomar(expediente=caso, actor=colega),
        lambda: asignacion.asignar(expediente=caso, actor=jefe, inspector=colega),
        lambda: asignacion.pasar(expediente=caso, actor=inspector, inspector=inspector),
    ):
        with pytest.raises(EstadoImpide):
            acto()
    with pytest.raises(RolImpide, match="Rosa Inspectora"):  # it is not his to give
        asignacion.pasar(expediente=caso, actor=colega, inspector=colega)
    for quien in (aereo, gente["mesa"]):
        with pytest.raises(DatoInvalido):
            asignacion.pasar(expediente=caso, actor=inspector, inspector=quien)
    assert (ofrece(caso, inspector), ofrece(caso, colega), ofrece(caso, jefe)) == ({"pasar"}, set(), {"pasar"})
    asignacion.pasar(expediente=caso, actor=jefe, inspector=colega, texto="De turno.")
    caso.refresh_from_db()
    ultimos = list(caso.bitacora.order_by("n").values_list("accion", "datos__a_quien"))[-2:]
    assert (caso.inspector, caso.estado, ultimos) == (
        colega, "en_inspeccion", [("tomar", "R. Inspectora"), ("pasar", "L. Colega")],
    )  # fmt: skip
    assert Notificacion.objects.count() == avisos
    assert list(fallas()) == []


def test_tomar_un_caso_no_ordena_lo_que_paso_en_el():
    """What happened at nine is typed after the case was taken at ten, and anybody of the post may type it."""
    gente = personas()
    caso = crear_expediente("registrado")
    asignacion.tomar(expediente=caso, actor=otro_inspector())
    Motivo.objects.get_or_create(accion="observar", codigo="faltan-documentos", defaults={"texto": "Faltan"})
    incidencias.observar(
        expediente=caso, actor=gente["inspector"], puntos="Falta el PFI", motivo="faltan-documentos",
        texto="Falta.", vence_en=timezone.localdate() + timedelta(days=5),
        ocurrio_en=reloj.ahora() - timedelta(hours=2),
    )  # fmt: skip
    caso.refresh_from_db()
    assert caso.estado == "observado"


def test_el_traslado_deja_el_caso_sin_inspector():
    gente = personas()
    caso = crear_expediente("registrado")
    asignacion.tomar(expediente=caso, actor=gente["inspector"])
    incidencias.trasladar(
        expediente=caso, actor=gente["jefe"], a_puesto=Puesto.objects.get(codigo="PCA"), texto="Va al aéreo."
    )
    incidencias.aceptar_traslado(expediente=caso, actor=gente["jefe"])
    caso.refresh_from_db()
    assert (caso.puesto.codigo, caso.inspector) == ("PCA", None)


def test_una_ausencia_pone_sus_casos_entre_los_de_quien_lo_cubre():
    gente, colega = personas(), otro_inspector()
    jefe, inspector, hoy = gente["jefe"], gente["inspector"], timezone.localdate()
    nota = {"ausente": inspector, "desde": hoy, "hasta": hoy + timedelta(days=3), "causa": "Vacaciones."}
    for mal in (
        {"cubre": inspector}, {"cubre": gente["inspector.aereo"]}, {"cubre": colega, "hasta": hoy - timedelta(days=1)},
        {"cubre": colega, "desde": hoy - timedelta(days=1)},
    ):  # fmt: skip
        with pytest.raises(DatoInvalido):
            asignacion.anotar_ausencia(actor=jefe, **{**nota, **mal})
    with pytest.raises(RolImpide):
        asignacion.anotar_ausencia(actor=inspector, cubre=colega, **nota)
    caso = crear_expediente("registrado")
    asignacion.tomar(expediente=caso, actor=inspector)
    ausencia = asignacion.anotar_ausencia(actor=jefe, cubre=colega, **nota)
    with pytest.raises(DatoInvalido):  # those days are covered
        asignacion.anotar_ausencia(actor=jefe, cubre=otro_inspector("Eva"), **nota)
    assert set(asignacion.a_cargo_de(colega)) == {colega.pk, inspector.pk}
    with reloj.fijado(reloj.ahora() + timedelta(days=4)):
        assert asignacion.a_cargo_de(colega) == [colega.pk]
    asignacion.pasar(expediente=caso, actor=colega, inspector=colega)  # who covers may take it to himself
    asignacion.terminar_ausencia(ausencia=ausencia, actor=jefe)
    with pytest.raises(EstadoImpide):
        asignacion.terminar_ausencia(ausencia=ausencia, actor=jefe)
    assert asignacion.a_cargo_de(colega) == [colega.pk]


def test_las_paginas_de_quien_lo_tiene(client):
    gente, colega = personas(), otro_inspector()
    caso = crear_expediente("registrado")
    client.force_login(gente["inspector"])
    tomar = reverse("expediente_tomar", args=[caso.numero])
    assert client.post(tomar, {"visto": caso.bitacora.count()}).status_code == 302
    assert client.get(reverse("expediente", args=[caso.numero])).content.decode().count("R. Inspectora") >= 2
    assert client.post(tomar, {}).status_code == 409
    pasar = reverse("expediente_pasar", args=[caso.numero])
    opciones = list(client.get(pasar).context["form"].fields["inspector"].queryset)
    assert opciones == [colega]
    assert client.post(pasar, {"inspector": gente["inspector.aereo"].pk}).status_code == 422
    assert client.post(pasar, {"inspector": colega.pk, "texto": "Guardia"}).status_code == 302
    client.force_login(gente["inspector.aereo"])
    assert client.get(pasar).status_code == 404
    caso.refresh_from_db()
    assert caso.inspector == colega


def test_perecible_dice_si_algo_que_perece_espera_su_decision():
    uva, trigo = crear_expediente("en_laboratorio"), crear_expediente("en_laboratorio", producto="trigo", origen="CA")
    assert (uva.perecible, trigo.perecible) == (True, False)
    decidido = crear_expediente("resultado_emitido")
    services.dictaminar(
        partida=decidido.partidas.get(), actor=personas()["inspector"], decision="ingreso", fundamento="Negativo."
    )
    decidido.refresh_from_db()
    assert decidido.perecible is False

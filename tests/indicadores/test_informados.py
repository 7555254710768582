"""Indicator 6: of those whose report came out, who was told in time; from the outbox's own rows."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from expedientes.models import Documento, Expediente
from indicadores.informados import informados
from laboratorio.recorrido import enmendar, firmar
from notificaciones import services
from notificaciones.models import Notificacion
from senasa.models import Puesto
from tests.builders import crear_caso, crear_importador, personas
from tests.conftest import Buzon

pytestmark = pytest.mark.django_db


def avisos(caso: Any) -> Any:
    return Notificacion.objects.filter(referencia=caso.expediente.referencia, aviso="informe_emitido")


def test_informados_de_un_mes(certificado: Any, servidor_smtp: Buzon) -> None:
    """Two importers, three reports and a corrected one; what each delay, bounce and post does to the numbers."""
    uno, dos = crear_importador(0), crear_importador(1)
    casos = [crear_caso("resultado_emitido", importador=de, puesto=en)
             for de, en in ((uno, "PCM"), (uno, "PCA"), (dos, "PCM"))]  # fmt: skip
    a, b, c = casos
    emitidos = [Documento.objects.get(expediente=caso.expediente).publicado_en for caso in casos]
    desde, hasta = timezone.localdate(min(emitidos)), timezone.localdate(max(emitidos))

    def mes(puesto: str = "") -> tuple[Any, ...]:
        hay = informados(desde, hasta, Puesto.objects.get(codigo=puesto) if puesto else None)
        return hay.solicitantes, hay.solicitantes_informados, hay.informes, hay.informes_informados, hay.pct

    assert mes() == (2, 0, 3, 0, 0.0)  # owed is not accepted
    assert informados(desde, hasta).p50_s is None
    services.despachar()
    assert mes() == (2, 2, 3, 3, 100.0)
    assert mes("PCA") == (1, 1, 1, 1, 100.0)
    hay = informados(desde, hasta)
    assert hay.p50_s is not None
    assert hay.p95_s is not None
    assert 0 < hay.p50_s <= hay.p95_s < 120

    # One of two reports late: its applicant was told of the other.
    emitido = Documento.objects.get(expediente=a.expediente).publicado_en
    avisos(a).update(enviada_en=emitido + timedelta(minutes=15, seconds=1))
    assert mes() == (2, 2, 3, 2, 100.0)
    avisos(a).update(enviada_en=emitido + timedelta(minutes=15))
    assert mes() == (2, 2, 3, 3, 100.0)
    avisos(a).update(enviada_en=emitido + timedelta(minutes=16))

    # Bounced within 72 hours it does not count, nor does one that never went out; later, it had arrived.
    E = Notificacion.Estado
    avisos(b).update(estado=E.REBOTADA, rebotada_en=F("enviada_en") + timedelta(hours=71))
    assert mes() == (2, 1, 3, 1, 50.0)
    assert mes("PCA") == (1, 0, 1, 0, 0.0)
    avisos(b).update(rebotada_en=F("enviada_en") + timedelta(hours=72, seconds=1))
    assert mes() == (2, 2, 3, 2, 100.0)
    avisos(c).update(estado=E.FALLIDA, enviada_en=None)
    assert mes() == (2, 1, 3, 1, 50.0)

    # A corrected version is another report, told by a notice of its own. It says nothing of the first.
    enmendar(c)
    firmar(c)
    hasta = timezone.localdate()
    assert mes() == (2, 1, 4, 1, 50.0)
    services.despachar()
    assert mes() == (2, 2, 4, 2, 100.0)

    # What came from the registry before us owed nobody a notice; no report, no percentage.
    Expediente.objects.filter(importador=dos).update(migrado=True)
    assert mes() == (1, 1, 2, 1, 100.0)
    antes = desde - timedelta(days=400)
    vacio = informados(antes, antes)
    assert (vacio.informes, vacio.pct, vacio.pct_informes, vacio.p50_s, vacio.p95_s) == (0, None, None, None, None)


def test_los_dias_son_de_lima(certificado: Any) -> None:
    caso = crear_caso("resultado_emitido")
    dia = timezone.localdate() - timedelta(days=3)
    medianoche = timezone.make_aware(datetime.combine(dia, datetime.min.time()))
    for momento, cuenta in (
        (timedelta(), 1),
        (timedelta(hours=24) - timedelta.resolution, 1),
        (timedelta(hours=24), 0),
    ):
        Documento.objects.filter(expediente=caso.expediente).update(publicado_en=medianoche + momento)
        assert informados(dia, dia).informes == cuenta
    Documento.objects.filter(expediente=caso.expediente).update(publicado_en=medianoche - timedelta.resolution)
    assert informados(dia, dia).informes == 0


def test_la_pagina_dice_quien_no_se_entero_y_por_que(client: Client, certificado: Any, servidor_smtp: Buzon) -> None:
    uno, dos = crear_caso("resultado_emitido"), crear_caso("resultado_emitido", importador=crear_importador(1))
    mes = timezone.localdate(Documento.objects.get(expediente=uno.expediente).publicado_en)
    client.force_login(personas()["direccion"])

    def dicho(**consulta: str) -> dict[str, str]:
        pagina = client.get("/programa/informados/", {"mes": f"{mes:%Y-%m}", **consulta})
        assert pagina.status_code == 200
        return {fila.expediente: fila.porque for fila in pagina.context["sin_informar"]}

    assert set(dicho().values()) == {"El aviso sigue por salir."}
    services.despachar()
    assert dicho() == {}
    E = Notificacion.Estado
    avisos(uno).update(estado=E.REBOTADA, rebotada_en=F("enviada_en"), error="Devuelto: el buzón está lleno (5.2.2).")
    avisos(dos).update(enviada_en=F("creada_en") + timedelta(minutes=20))
    assert dicho() == {
        uno.expediente.numero: "Devuelto: el buzón está lleno (5.2.2).", dos.expediente.numero: "Salió 20 min después.",
    }  # fmt: skip
    assert dicho(puesto="PCA") == {}
    assert (
        f"/avisos/?q={uno.expediente.numero}"
        in client.get("/programa/informados/", {"mes": f"{mes:%Y-%m}"}).content.decode()
    )
    avisos(dos).delete()
    assert dicho()[dos.expediente.numero].startswith("No se debió ningún aviso")
    assert client.get("/programa/informados/", {"mes": "2019-03"}).context["elegido"] == date(2019, 3, 1)
    for raro in ({"mes": "x"}, {"puesto": "x"}, {"mes": "1900-01"}):
        assert client.get("/programa/informados/", raro).status_code == 200
    client.force_login(personas()["inspector"])
    assert client.get("/programa/informados/").status_code == 403

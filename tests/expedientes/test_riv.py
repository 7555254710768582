"""The RIV is owed from the decision on: what keeps it from being signed is seen, and heals by itself."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from expedientes import services as casos
from expedientes.models import Dictamen, Documento, Evento
from senasa import reloj
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db


@pytest.fixture
def dictamen(certificado: Path) -> Dictamen:
    return Dictamen.objects.get(partida__expediente=crear_caso("dictaminado").expediente)


def archivos() -> list[Path]:
    return [ruta for ruta in Path(storages["informes"].location).rglob("*") if ruta.is_file()]


def rivs() -> int:
    return Documento.objects.filter(tipo=Documento.Tipo.RIV).count()


def test_sin_certificado_no_sale_se_ve_y_se_cura_solo(dictamen: Dictamen, settings: Any, tmp_path: Path) -> None:
    antes, bueno = archivos(), settings.FIRMA_P12
    settings.FIRMA_P12 = str(tmp_path / "no-esta.p12")
    assert casos.barrer_rivs() == 0
    dictamen.refresh_from_db()
    assert (dictamen.riv, dictamen.riv_falla) == (None, "No se encuentra el archivo del certificado de firma.")
    assert (archivos(), rivs()) == (antes, 0)
    assert any("firmar el RIV" in falta for falta in casos.pendientes_de_cierre(dictamen.partida.expediente))

    settings.FIRMA_P12 = bueno
    assert casos.barrer_rivs() == 0  # it was tried a moment ago
    with reloj.fijado(timezone.now() + casos.REINTENTO_DE_RIV + timedelta(seconds=1)):
        assert casos.barrer_rivs() == 1
    dictamen.refresh_from_db()
    assert dictamen.riv
    assert dictamen.riv_falla == ""


def test_uno_que_no_se_puede_componer_no_detiene_a_los_demas(
    dictamen: Dictamen, monkeypatch: pytest.MonkeyPatch
) -> None:
    otro = Dictamen.objects.get(partida__expediente=crear_caso("dictaminado").expediente)
    componer = casos.componer_riv

    def componer_salvo_uno(uno: Dictamen, **datos: Any) -> bytes:
        if uno.pk == dictamen.pk:
            raise ZeroDivisionError
        return componer(uno, **datos)

    monkeypatch.setattr(casos, "componer_riv", componer_salvo_uno)
    assert casos.barrer_rivs() == 1
    dictamen.refresh_from_db()
    otro.refresh_from_db()
    assert (dictamen.riv, bool(otro.riv)) == (None, True)
    assert "avise al administrador" in dictamen.riv_falla


def test_emitir_dos_veces_da_un_solo_riv(dictamen: Dictamen) -> None:
    emitido = casos.emitir_riv(dictamen_id=dictamen.pk)
    assert casos.emitir_riv(dictamen_id=dictamen.pk) is None
    assert rivs() == 1
    evento = Evento.objects.get(accion="emitir_riv")
    assert emitido
    assert evento.datos == {"riv": dictamen.numero, "sha256": emitido.sha256}

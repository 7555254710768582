"""What a killed upload leaves on the disk goes; what a row mentions, or what still waits, stays."""

import os
import time
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from expedientes import espera
from expedientes.archivos import del_certificado
from expedientes.models import Adjunto
from expedientes.services import guardar_adjunto
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db


def envejecer(ruta: str, dias: int = 2) -> None:
    entonces = time.time() - dias * 24 * 60 * 60
    os.utime(Path(storages["adjuntos"].path(ruta)), (entonces, entonces))


def test_barrer_sueltos_borra_solo_lo_que_no_tiene_fila() -> None:
    assert espera.barrer_sueltos() == 0  # no folder yet
    caso = crear_caso("registrado")
    guardado = guardar_adjunto(caso.expediente, del_certificado("c.xml", b"<a/>"), caso.inspector)
    perdido, reciente, antiguo = (
        guardar_adjunto(caso.expediente, del_certificado("d.xml", contenido), caso.inspector)
        for contenido in (b"<b/>", b"<c/>", b"<d/>")
    )
    # As if their transactions had never been in: one for sure, one maybe on its way, one of another database's time.
    Adjunto.objects.filter(pk__in=[perdido.pk, reciente.pk, antiguo.pk]).delete()
    borrador = storages["adjuntos"].save("borradores/x", ContentFile(b"x"))
    for ruta in (guardado.archivo.name, perdido.archivo.name, borrador):
        envejecer(ruta)
    envejecer(antiguo.archivo.name, dias=30)
    assert espera.barrer_sueltos() == 1
    hay = storages["adjuntos"].exists
    assert [hay(a.archivo.name) for a in (guardado, perdido, reciente, antiguo)] == [True, False, True, True]
    assert hay(borrador)

"""Pieces asked for again and again: composed once, told apart by their own text."""

import pytest
from django.test import RequestFactory

from senasa import vivo


@pytest.mark.usefixtures("memoria")
def test_lo_que_no_cambio_cuesta_un_304_y_no_se_compone() -> None:
    compuestas: list[str] = []

    def componer() -> str:
        compuestas.append("x")
        return "<p>Ñandú</p>"

    primera = vivo.pieza("prueba:1", componer)
    assert vivo.pieza("prueba:1", componer) == primera
    assert compuestas == ["x"]
    otra = vivo.pieza("prueba:2", componer)  # another state that reads the same cannot be told from the first
    assert otra.etag == primera.etag

    pedir = RequestFactory().get
    igual = vivo.responder(pedir("/a/", headers={"if-none-match": primera.etag}), primera, segundos=30)
    assert (igual.status_code, igual.content, igual["Cache-Control"]) == (304, b"", "private, no-store")
    nueva = vivo.responder(pedir("/a/", headers={"if-none-match": '"vieja"'}), primera, segundos=30)
    assert nueva.status_code == 200
    assert nueva["ETag"] == primera.etag
    assert 'hx-get="/a/"' in nueva.content.decode()
    assert "<p>Ñandú</p>" in nueva.content.decode()
    assert "hx-get" not in vivo.responder(pedir("/a/"), primera, segundos=0).content.decode()

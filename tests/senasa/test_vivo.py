"""Pieces asked for again and again: composed once, told apart by their own text."""

import pytest
from django.test import RequestFactory

from senasa import vivo
from senasa.models import Usuario


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


def test_quien_entro_despues_en_otra_pestana_no_aparece_bajo_el_nombre_del_anterior() -> None:
    una = vivo.Pieza("<p>Lo de otro</p>", '"x"')
    pedido = RequestFactory().get("/a/", headers={"x-usuario": "1"})
    for pk, propia, ajena in ((1, 200, 200), (2, 200, 204), (None, 200, 204)):
        pedido.user = Usuario(pk=pk)
        pagina, campana = vivo.responder(pedido, una, segundos=20), vivo.responder(pedido, una, segundos=20, id="x")
        assert (pagina.status_code, campana.status_code) == (propia, ajena)
        assert (pagina.headers.get("HX-Refresh"), b"Lo de otro" in pagina.content + campana.content) == (
            (None, True) if pk == 1 else ("true", False)
        )

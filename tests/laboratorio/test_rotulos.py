"""Labels: what a reader may bring back, the one sample each is for, and the sheets they are printed on."""

from io import BytesIO

import pikepdf
import pytest
import segno
from django.db import IntegrityError, connection, transaction
from django.template.loader import render_to_string
from django.urls import reverse

from expedientes.models import Evento
from laboratorio import rotulos
from laboratorio.models import Muestra, Rotulo
from senasa.models import Puesto
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide
from tests.builders import crear_caso
from tests.laboratorio.test_muestras import TOMA, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def en_blanco(gente):
    """A blank label of the port."""

    def _en_blanco(puesto="PCM", quien="jefe"):
        tanda = rotulos.imprimir_en_blanco(puesto=Puesto.objects.get(codigo=puesto), actor=gente[quien], cuantos=1)
        return tanda.rotulos.get()

    return _en_blanco


def muestra_de(caso):
    return Muestra.objects.get(expediente=caso.expediente)


@pytest.mark.parametrize(
    "leido",
    [
        "M-2026-004567",
        " m-2026-004567 ",
        "http://senasa.example/laboratorio/muestras/M-2026-004567/",
        # A reader set to a keyboard of the United States on a machine with a Spanish one.
        "httpÑ--senasa.example-laboratorio-muestras-M'2026'004567-",
    ],
)
def test_a_sample_number_is_read_in_whatever_shape_it_comes(leido):
    assert rotulos.numero_en(leido) == "M-2026-004567"


@pytest.mark.parametrize(
    ("leido", "codigo"),
    [
        ("ABCD-2345", "ABCD-2345"),
        ("abcd2345", "ABCD-2345"),
        ("https://senasa.example/r/ABCD-2345/", "ABCD-2345"),
        ("httpsÑ--senasa.example-r-ABCD'2345-", "ABCD-2345"),
        ("A0CD-1345", "AOCD-I345"),
        ("88412", ""),
        ("", ""),
    ],
)
def test_a_label_code_is_read_typed_scanned_or_mangled(leido, codigo):
    assert rotulos.codigo_en(leido) == codigo


def test_a_sample_is_found_by_number_label_address_and_seal(en_blanco):
    caso = crear_caso("muestreado")
    muestra, rotulo = muestra_de(caso), en_blanco()
    rotulos.rotular(muestra=muestra, rotulo=rotulo, actor=caso.inspector)
    for leido in (muestra.numero, rotulo.codigo, rotulos.direccion_de(rotulo), muestra.precinto):
        assert rotulos.buscar(leido, Muestra.objects.all()) == muestra


def test_a_seal_that_two_samples_carry_is_no_answer():
    primera, segunda = (crear_caso("en_laboratorio").expediente.muestras.get() for _n in range(2))
    assert primera.precinto == segunda.precinto
    with pytest.raises(DatoInvalido, match="varias muestras"):
        rotulos.buscar(primera.precinto, Muestra.objects.all())


def test_what_is_unknown_is_said_in_words(en_blanco):
    for leido, dicho in (
        ("M-1999-000001", "No existe la muestra M-1999-000001"),
        (en_blanco().codigo, "no está pegado a ninguna muestra"),
        ("hola", "No hay ninguna muestra con «hola»"),
    ):
        with pytest.raises(DatoInvalido, match=dicho):
            rotulos.buscar(leido, Muestra.objects.all())


def test_a_label_is_bound_once_and_never_moves(en_blanco):
    caso = crear_caso("muestreado", partidas=2)
    primera, segunda = Muestra.objects.filter(expediente=caso.expediente)
    rotulo, otro = en_blanco(), en_blanco()
    rotulos.rotular(muestra=primera, rotulo=rotulo, actor=caso.inspector)
    with pytest.raises(EstadoImpide, match="no se mueve"):
        rotulos.rotular(muestra=segunda, rotulo=rotulo, actor=caso.inspector)
    with pytest.raises(EstadoImpide, match="ya lleva el rótulo"):
        rotulos.rotular(muestra=primera, rotulo=otro, actor=caso.inspector)
    assert Evento.objects.get(accion="rotular").datos == {"rotulo": rotulo.codigo}
    for cambio in (f"muestra_id = {segunda.pk}", "muestra_id = NULL", "codigo = 'AAAA-AAAA'"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE laboratorio_rotulo SET {cambio} WHERE id = {rotulo.pk}")


def test_a_label_of_another_post_or_on_a_sample_that_left_is_refused(en_blanco, gente):
    caso = crear_caso("muestreado")
    with pytest.raises(DatoInvalido, match="es del Puesto de Control Aéreo"):
        rotulos.rotular(muestra=muestra_de(caso), rotulo=en_blanco("PCA"), actor=caso.inspector)
    with pytest.raises(RolImpide):
        rotulos.rotular(muestra=muestra_de(caso), rotulo=en_blanco(), actor=gente["recepcion"])
    enviada = muestra_de(crear_caso("en_laboratorio"))
    with pytest.raises(EstadoImpide):
        rotulos.rotular(muestra=enviada, rotulo=en_blanco(), actor=gente["inspector"])
    assert not Rotulo.objects.exclude(muestra=None).exists()
    with pytest.raises(RolImpide):
        rotulos.imprimir_en_blanco(puesto=caso.expediente.puesto, actor=gente["inspector.aereo"], cuantos=1)


def test_the_page_of_taking_a_sample_binds_its_label_in_the_same_act(entrar, en_blanco):
    caso, rotulo = crear_caso("en_inspeccion"), en_blanco()
    inspector, pagina = entrar("inspector"), url("partida_tomar_muestra", caso)
    assert inspector.get(pagina, {"rotulo": rotulo.codigo}).context["form"]["rotulo"].value() == rotulo.codigo
    for malo, dicho in (("ZZZZ-ZZZZ", "No conocemos"), (en_blanco("PCA").codigo, "es del")):
        respuesta = inspector.post(pagina, {**TOMA, "rotulo": malo})
        assert respuesta.status_code == 422
        assert dicho in str(respuesta.context["form"].errors["rotulo"])
    assert not Muestra.objects.exists()
    assert inspector.post(pagina, {**TOMA, "rotulo": rotulos.direccion_de(rotulo)}).status_code == 302
    rotulo.refresh_from_db()
    assert rotulo.muestra == Muestra.objects.get()
    # A second sample cannot take the same one.
    assert inspector.post(pagina, {**TOMA, "precinto": "2", "rotulo": rotulo.codigo}).status_code == 422


def test_the_qr_of_a_blank_label_asks_for_its_sample_and_then_leads_to_it(entrar, en_blanco):
    caso, rotulo = crear_caso("muestreado"), en_blanco()
    muestra, pagina = muestra_de(caso), reverse("rotulo", args=[rotulo.codigo])
    inspector = entrar("inspector")
    assert muestra.numero in inspector.get(pagina).content.decode()
    for ajeno in ("inspector.aereo", "recepcion"):
        respuesta = entrar(ajeno).get(pagina)
        assert respuesta.status_code == 403
        assert "es del Puesto de Control Marítimo" in respuesta.content.decode()
    assert inspector.post(pagina, {}).status_code == 422
    assert inspector.post(pagina, {"muestra": muestra.pk}).url == reverse("muestra", args=[muestra.numero])
    for quien in ("inspector", "recepcion"):
        assert entrar(quien).get(pagina).url == reverse("muestra", args=[muestra.numero])
    assert inspector.post(pagina, {"muestra": muestra.pk}).status_code == 409
    assert inspector.get(reverse("rotulo", args=["ZZZZ-ZZZZ"])).status_code == 404


def test_labels_are_printed_for_samples_and_for_what_is_left_of_a_batch(entrar, en_blanco):
    caso, rotulo = crear_caso("muestreado"), en_blanco()
    inspector = entrar("inspector")
    assert (
        inspector.post(reverse("rotulos_en_blanco"), {"puesto": caso.expediente.puesto_id, "cuantos": 30}).status_code
        == 302
    )
    assert Rotulo.objects.count() == 31
    assert len(set(Rotulo.objects.values_list("codigo", flat=True))) == 31
    malo = inspector.post(reverse("rotulos_en_blanco"), {"puesto": caso.expediente.puesto_id, "cuantos": 0})
    assert malo.status_code == 422
    assert malo.context["en_blanco"].errors
    tanda = reverse("tanda_de_rotulos", args=[rotulo.tanda_id])
    for quien, direccion in ((inspector, tanda), (inspector, f"{reverse('rotulos_de_muestras')}?m={muestra_de(caso)}")):
        assert quien.get(direccion).content.startswith(b"%PDF-")
    assert entrar("inspector.aereo").get(tanda).status_code == 404
    rotulos.rotular(muestra=muestra_de(caso), rotulo=rotulo, actor=caso.inspector)
    assert inspector.get(tanda).status_code == 404  # nothing left to print


def test_a_label_says_what_is_in_the_box_and_its_qr_is_the_address():
    muestra = muestra_de(crear_caso("muestreado"))
    direccion = rotulos.direccion_de(muestra)
    assert direccion.endswith(f"/laboratorio/muestras/{muestra.numero}/")
    hoja = render_to_string("pdf/rotulos.html", {"paginas": [[[{"muestra": muestra, "qr": rotulos.qr(direccion)}]]]})
    for dicho in (muestra.numero, muestra.precinto, "Uva fresca", "Chile", "Refrigerada"):
        assert dicho in hoja
    assert segno.make(direccion, error="m").svg_inline(omitsize=True, border=0) in hoja
    assert "Importaciones" not in hoja


def test_a_sheet_that_was_begun_goes_on_where_it_was_left(gente):
    puesto = Puesto.objects.get(codigo="PCM")
    tanda = rotulos.imprimir_en_blanco(puesto=puesto, actor=gente["jefe"], cuantos=24)
    suyos = list(tanda.rotulos.select_related("tanda__puesto"))
    paginas = [
        len(pikepdf.open(BytesIO(rotulos.pdf_de_rotulos(suyos, rollo=rollo, saltar=saltar))).pages)
        for rollo, saltar in ((False, 0), (False, 3), (True, 3))
    ]
    assert paginas == [1, 2, 24]

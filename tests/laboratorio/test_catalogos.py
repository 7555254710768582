"""cargar_catalogos: what it loads, what it leaves alone, and how it refuses a bad file."""

import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from expedientes.lifecycle import EXPEDIENTE, PARTIDA
from expedientes.models import Motivo, Pais, Plaga, Plazo, Producto
from laboratorio.lifecycle import ANALISIS, INFORME, MUESTRA
from laboratorio.management.commands.cargar_catalogos import CARPETA, CATALOGOS
from laboratorio.models import ReglaFirma, Requisito
from senasa.models import DiaNoLaborable, Puesto, Usuario

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sin_catalogos(db: None) -> None:
    """The test database comes with catalogues and people: here they are loaded."""
    with transaction.atomic(), connection.cursor() as cursor:  # behind the guards of the log, of rules, of certificates
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("TRUNCATE senasa_usuario, laboratorio_reglafirma CASCADE")
        cursor.execute("SET LOCAL session_replication_role = origin")
    for catalogo in reversed(CATALOGOS):
        catalogo.modelo._default_manager.all().delete()
        if hasattr(catalogo.modelo, "history"):
            catalogo.modelo.history.all().delete()


def cargar(carpeta: Path = CARPETA, **opciones: object) -> str:
    salida = StringIO()
    call_command("cargar_catalogos", carpeta=carpeta, stdout=salida, **opciones)
    return salida.getvalue()


@pytest.fixture
def carpeta(tmp_path: Path) -> Path:
    """The files, to be edited."""
    return Path(shutil.copytree(CARPETA, tmp_path / "catalogos"))


def editar(archivo: Path, antes: str, despues: str) -> None:
    texto = archivo.read_text(encoding="utf-8")
    assert antes in texto
    archivo.write_text(texto.replace(antes, despues, 1), encoding="utf-8")


def test_cargar_todo_y_otra_vez_sin_cambios():
    assert "249 creadas" in cargar()
    historias = {c.modelo: c.modelo.history.count() for c in CATALOGOS if hasattr(c.modelo, "history")}
    assert all(linea.endswith(" sin cambio") for linea in cargar().splitlines())
    assert historias == {modelo: modelo.history.count() for modelo in historias}


def test_cargar_deja_historia_con_causa_y_sin_autor():
    cargar(causa="Carga inicial")
    registro = Producto.history.get(codigo="trigo")
    assert (registro.history_type, registro.history_change_reason, registro.history_user) == (
        "+",
        "Carga inicial",
        None,
    )


def test_cargar_lo_que_la_demo_y_el_ciclo_de_vida_necesitan():
    cargar()
    assert set(Puesto.objects.values_list("codigo", "locode")) == {("PCM", "PECLL"), ("PCA", "PELIM")}
    tablas = (EXPEDIENTE, PARTIDA, MUESTRA, ANALISIS, INFORME)
    motivadas = {a for tabla in tablas for a, t in tabla.items() if t.motivada}
    assert motivadas == set(Motivo.objects.values_list("accion", flat=True))
    assert set(Producto.objects.values_list("pk", flat=True)) == set(
        Requisito.objects.values_list("producto", flat=True)
    )
    assert set(Plaga.objects.values_list("pk", flat=True)) == set(Requisito.objects.values_list("plaga", flat=True))
    # Every stage that has no date of its own has a plazo for any line of any post.
    assert set(Plazo.objects.filter(puesto=None, categoria=None, perecible=False).values_list("etapa", flat=True)) == {
        "registrado",
        "en_inspeccion",
        "en_laboratorio",
        "resultado_emitido",
        "dictaminado",
    }
    assert ReglaFirma.objects.get().version == 1
    assert not DiaNoLaborable.objects.filter(fecha="2026-04-05").exists()  # Easter Sunday is nobody's holiday
    assert DiaNoLaborable.objects.filter(fecha="2026-07-28").exists()


def test_cargar_marca_por_confirmar_lo_que_se_recuerda():
    cargar()
    assert set(Producto.objects.filter(por_confirmar=False).values_list("nombre", flat=True)) == {
        "Maíz amarillo duro",
        "Torta de soya",
    }
    assert Plaga.objects.get(eppo="CALSCH").por_confirmar
    assert not Plaga.objects.get(eppo="CERTCA").por_confirmar


def test_cargar_actualiza_solo_lo_que_cambio(carpeta: Path):
    cargar()
    editar(carpeta / "plagas.csv", "Ceratitis capitata,a2", "Ceratitis capitata,a1")
    assert "plagas.csv: 1 cambiadas, 26 sin cambio" in cargar(carpeta, causa="RD nueva")
    registro = Plaga.objects.get(eppo="CERTCA").history.first()
    assert (registro.condicion, registro.history_type, registro.history_change_reason) == ("a1", "~", "RD nueva")


def test_cargar_no_pisa_lo_que_cambio_o_borro_una_persona():
    cargar()
    persona = Usuario.objects.create_user("admin", "admin@senasa.example")
    trigo = Producto.objects.get(codigo="trigo")
    trigo.nombre, trigo._history_user = "Trigo duro", persona
    trigo.save()
    feriado = DiaNoLaborable.objects.get(fecha="2026-07-23")
    feriado._history_user = persona
    feriado.delete()
    salida = cargar()
    assert salida.count("1 conservadas como las dejó una persona") == 2
    assert Producto.objects.get(codigo="trigo").nombre == "Trigo duro"
    assert not DiaNoLaborable.objects.filter(fecha="2026-07-23").exists()

    cargar(forzar=True)
    assert Producto.objects.get(codigo="trigo").nombre == "Trigo"
    assert DiaNoLaborable.objects.filter(fecha="2026-07-23").exists()


def test_cargar_no_reescribe_una_regla_de_firma(carpeta: Path):
    cargar()
    editar(carpeta / "reglas_firma.csv", "1,si,30", "1,si,5")
    cargar(carpeta, forzar=True)
    assert ReglaFirma.objects.get(version=1).gracia_minutos == 30


def test_cargar_lee_lo_que_guarda_una_hoja_de_calculo(carpeta: Path):
    archivo = carpeta / "puestos.csv"
    texto = archivo.read_text(encoding="utf-8").replace(",", ";").replace("; ", ", ").replace("\n", "\r\n")
    archivo.write_bytes(
        b"\xef\xbb\xbf" + texto.replace("Aeropuerto Jorge Chávez;", "Aeropuerto Jorge Chávez,").encode()
    )
    cargar(carpeta)
    assert Puesto.objects.get(codigo="PCM").locode == "PECLL"


@pytest.mark.parametrize(
    ("archivo", "antes", "despues", "dice"),
    [
        ("productos.csv", "Trigo,", "Trigo", "productos.csv, línea 3: trae 7 celdas y la cabecera 8."),
        ("productos.csv", "1001.99.10.00,3,", "1001.99.10.00,9,", "productos.csv, línea 3, categoria:"),
        (
            "productos.csv",
            "1001.99.10.00,3,no",
            "1001.99.10.00,3,quizá",
            "productos.csv, línea 3, perecible: se espera",
        ),
        ("productos.csv", "nandina", "nandino", "productos.csv, línea 1: columnas que no se conocen: nandino."),
        ("productos.csv", "\ntrigo,", "\nmaiz-amarillo-duro,", "productos.csv, línea 3: repite la fila de la línea 2."),
        (
            "requisitos.csv",
            "trigo,CA,NEOVIN",
            "trigo,CA,NADA",
            "requisitos.csv, línea 3, plaga: «NADA» no está en plagas.",
        ),
        ("plazos.csv", "registrado,,,no,2,", "registrado,,,no,0,", "plazos.csv, línea 2, cantidad:"),
        ("paises.csv", "AE,ARE", "AE,AND", "paises.csv: dos filas repiten"),
    ],
)
def test_cargar_rechaza_con_archivo_y_linea(carpeta: Path, archivo: str, antes: str, despues: str, dice: str):
    editar(carpeta / archivo, antes, despues)
    with pytest.raises(CommandError) as rechazo:
        cargar(carpeta)
    assert str(rechazo.value).startswith(dice)


@pytest.mark.django_db(transaction=True)
def test_cargar_es_una_sola_transaccion(carpeta: Path):
    (carpeta / "reglas_firma.csv").unlink()
    with pytest.raises(CommandError, match=r"reglas_firma\.csv"):
        cargar(carpeta)
    assert not Pais.objects.exists()

"""A backup is whole or is none; restored on another server, everything is equal; a bad one changes nothing."""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as ajustes
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from expedientes import documentos
from expedientes.models import Adjunto, Documento, Evento, Expediente
from indicadores import mensuales
from laboratorio.demo import crear_expedientes
from senasa import cifrado, paquete, postgres, respaldo, volcado
from senasa.models import Latido
from senasa.tasks import respaldar_si_toca
from tests.builders import crear_caso, personas

RAIZ = Path(__file__).resolve().parents[2]
CLAVE = "frase de paso de las pruebas"
ORDEN = "manage.py"


@pytest.fixture(autouse=True)
def carpeta(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cifrado, "COSTE", 4)  # tests/senasa/test_cifrado.py sees to it that it is dear
    settings.RESPALDO_CLAVE = CLAVE
    settings.RESPALDO_CARPETA = str(tmp_path / "respaldos")
    return tmp_path / "respaldos"


def con_archivos() -> Documento:
    """A closed case with its two signed documents, and an attachment; the document returned is one of them."""
    expediente = crear_caso("cerrado").expediente
    contenido = b"%PDF-1.7 evidencia"
    Adjunto.objects.create(
        expediente=expediente, nombre="acta.pdf", tipo="application/pdf", subido_en=timezone.now(),
        archivo=ContentFile(contenido, "acta.pdf"), sha256=hashlib.sha256(contenido).hexdigest(),
    )  # fmt: skip
    documento = expediente.documentos.first()
    assert documento
    return documento


def respaldado(carpeta: Path) -> respaldo.Hecho:
    return respaldo.respaldar(carpeta)


def miembros(ruta: Path) -> dict[str, bytes]:
    return {nombre: contenido.read() for nombre, contenido in paquete.recorrer(ruta, CLAVE)}


def reempaquetar(ruta: Path, destino: Path, *, archivos: bool = False, **manifiesto: Any) -> None:
    """The same backup under the same passphrase, its manifest or its first file changed."""
    with (
        destino.open("wb") as abierto,
        cifrado.Cifrador(abierto, CLAVE) as cifrador,
        tarfile.open(fileobj=cifrador, mode="w|") as tar,
    ):
        for nombre, contenido in miembros(ruta).items():
            if nombre == paquete.MANIFIESTO:
                contenido = json.dumps(json.loads(contenido) | manifiesto).encode()
            elif archivos and nombre.startswith("archivos/"):
                contenido, archivos = contenido + b"x", False
            paquete.poner(tar, nombre, contenido)


# ── Making one ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_carries_database_files_and_keys_together(carpeta: Path, certificado: Path, settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = ["la-de-antes"]
    documento = con_archivos()
    hecho = respaldado(carpeta)
    assert hecho.ruta.stat().st_mode & 0o777 == 0o600
    assert [ruta.name for ruta in carpeta.iterdir()] == [hecho.ruta.name]
    dentro = miembros(hecho.ruta)
    assert dentro["base/000000"].startswith(b"PGDMP")
    assert dentro[f"archivos/informes/{documento.archivo}"] == documentos.leer(documento)
    assert sorted(hecho.manifiesto.archivos) == sorted(
        [f"informes/{d.archivo}" for d in Documento.objects.all()]
        + [f"adjuntos/{a.archivo.name}" for a in Adjunto.objects.all()]
    )
    assert dentro["claves/firma.p12"] == certificado.read_bytes()
    assert f"BITACORA_CLAVE='{ajustes.BITACORA_CLAVE}'" in dentro["claves/claves.env"].decode()
    assert "SECRET_KEY_ANTERIORES='la-de-antes'" in dentro["claves/claves.env"].decode()
    assert hecho.manifiesto.tablas["expedientes_evento"] == Evento.objects.count()
    # Nor what holds on this server alone: figures kept by its own transactions.
    de_aqui = {"cache", "django_session", "senasa_latido", "indicadores_mesguardado", "indicadores_mestocado"}
    assert not de_aqui & set(hecho.manifiesto.tablas)
    nota = Latido.objects.get(nombre="respaldo")
    assert nota.datos == {"archivo": hecho.ruta.name, "octetos": hecho.octetos, "archivos": 3, "faltan": 0}
    # Nothing of it can be read without the passphrase.
    cifra = hecho.ruta.read_bytes()
    assert not [secreto for secreto in (b"PGDMP", b"BITACORA", b"manifiesto", b"%PDF") if secreto in cifra]


@pytest.mark.django_db(transaction=True)
def test_a_document_that_still_waits_for_its_store_is_in(carpeta: Path, certificado: Path) -> None:
    documento = con_archivos()
    almacen = storages["informes"]
    contenido = documentos.leer(documento)
    almacen.delete(documento.archivo)
    documentos.preparar(contenido)
    hecho = respaldado(carpeta)
    assert hecho.manifiesto.archivos[f"informes/{documento.archivo}"] == documento.sha256
    assert hecho.manifiesto.faltan == {}


@pytest.mark.django_db(transaction=True)
def test_what_comes_after_the_snapshot_is_left_out_and_harms_nothing(
    carpeta: Path, certificado: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    con_archivos()
    antes = (Expediente.objects.count(), Evento.objects.count(), len(list(respaldo.archivos_de_filas())))
    volcar = volcado.volcar

    def entretanto(instantanea: str) -> Iterator[bytes]:
        with psycopg.connect(**_conexion(), autocommit=True) as otra:  # other people do not stand still
            otra.execute("INSERT INTO expedientes_contador (serie, anio, ultimo) VALUES ('XXX', 2026, 1)")
        yield from volcar(instantanea)

    monkeypatch.setattr(volcado, "volcar", entretanto)
    hecho = respaldado(carpeta)
    manifiesto = hecho.manifiesto
    assert (
        manifiesto.tablas["expedientes_expediente"],
        manifiesto.tablas["expedientes_evento"],
        len(manifiesto.archivos),
    ) == antes
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM expedientes_contador")
        assert cursor.fetchone()[0] == manifiesto.tablas["expedientes_contador"] + 1
        filas = _filas_del_volcado(hecho.ruta, "expedientes_contador")
        assert len(filas) == manifiesto.tablas["expedientes_contador"]
        assert not [fila for fila in filas if "XXX" in fila]
        cursor.execute("DELETE FROM expedientes_contador WHERE serie = 'XXX'")


def _filas_del_volcado(ruta: Path, tabla: str) -> list[str]:
    base = b"".join(contenido for nombre, contenido in miembros(ruta).items() if nombre.startswith("base/"))
    programa, _version = volcado.cliente("pg_restore", desde=15)
    orden = [str(programa), "--data-only", f"--table={tabla}", "--file=-"]
    guion = subprocess.run(orden, input=base, capture_output=True, check=True).stdout.decode()
    return guion.partition("FROM stdin;\n")[2].partition("\n\\.")[0].splitlines()


def _conexion() -> dict[str, Any]:
    datos = connection.get_connection_params()
    return {nombre: datos[nombre] for nombre in ("dbname", "user", "password", "host", "port") if nombre in datos}


@pytest.mark.django_db(transaction=True)
def test_a_lost_file_and_an_altered_one_are_named_and_the_rest_is_saved(carpeta: Path, certificado: Path) -> None:
    documento = con_archivos()
    otro = Documento.objects.exclude(pk=documento.pk).get()
    adjunto = Adjunto.objects.get()
    Path(storages["informes"].path(documento.archivo)).unlink()
    Path(storages["informes"].path(otro.archivo)).write_bytes(b"%PDF-1.7 otro")
    Path(adjunto.archivo.path).write_bytes(b"otro")
    with pytest.raises(CommandError, match="3 archivos"):
        call_command("respaldar", str(carpeta))
    (ruta,) = respaldo.guardados(carpeta)
    manifiesto = paquete.comprobar(ruta, CLAVE)
    assert manifiesto.archivos == {}
    assert set(manifiesto.faltan) == {
        f"informes/{documento.archivo}", f"informes/{otro.archivo}", f"adjuntos/{adjunto.archivo.name}",
    }  # fmt: skip
    assert Latido.objects.get(nombre="respaldo").datos["faltan"] == 3


@pytest.mark.django_db(transaction=True)
def test_only_the_last_ones_are_kept_and_nothing_else_is_touched(carpeta: Path, settings: Any) -> None:
    settings.RESPALDO_CONSERVAR = 2
    carpeta.mkdir(parents=True)
    ajeno = carpeta / "no-es-un-respaldo.txt"
    viejos = [carpeta / f"senasa-2026010{n}T000000Z.tar.age" for n in (1, 2, 3)]
    resto, reciente = carpeta / ".senasa-a.parcial", carpeta / ".senasa-b.parcial"
    for archivo in (ajeno, resto, reciente, *viejos):
        archivo.write_text("x")
    os.utime(resto, (0, 0))
    nuevo = respaldado(carpeta).ruta
    assert sorted(carpeta.iterdir()) == sorted([ajeno, reciente, viejos[-1], nuevo])


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_made_says_why_and_leaves_nothing(
    carpeta: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RESPALDO_CLAVE = "corta"
    with pytest.raises(CommandError, match="RESPALDO_CLAVE"):
        call_command("respaldar", str(carpeta))
    settings.RESPALDO_CLAVE = CLAVE
    with pytest.raises(CommandError, match="en qué carpeta"):
        call_command("respaldar", "")
    carpeta.parent.joinpath("archivo").write_text("x")
    with pytest.raises(CommandError, match="No se puede escribir"):
        call_command("respaldar", str(carpeta.parent / "archivo"))
    with psycopg.connect(**_conexion()) as otra:
        otra.execute("SELECT pg_advisory_lock(%s)", [respaldo.CERROJO])
        with pytest.raises(CommandError, match="en curso"):
            call_command("respaldar", str(carpeta))
        # Closing would let it go too, but only once the server has noticed.
        otra.execute("SELECT pg_advisory_unlock(%s)", [respaldo.CERROJO])
    monkeypatch.setattr(volcado, "cliente", lambda nombre, desde: (Path("/bin/false"), desde))
    with pytest.raises(CommandError, match="no se pudo volcar"):
        call_command("respaldar", str(carpeta))
    monkeypatch.undo()
    with pytest.raises(volcado.SinCliente, match="postgresql-client-99"):
        volcado.cliente("pg_dump", desde=99)
    assert list(carpeta.iterdir()) == []
    assert "volcar" in Latido.objects.get(nombre="respaldo_fallido").datos["porque"]


@pytest.mark.django_db(transaction=True)
def test_the_worker_makes_it_once_a_day_at_its_hour_or_late_rather_than_never(carpeta: Path, settings: Any) -> None:
    settings.RESPALDO_HORA = 2
    ahora = timezone.localtime().replace(hour=2, minute=20)
    assert respaldo.toca(ahora)  # never yet
    for horas, hora, toca in ((1, 2, False), (19, 2, False), (24, 2, True), (24, 15, False), (27, 15, True)):
        momento = ahora.replace(hour=hora)
        Latido.objects.update_or_create(
            nombre="respaldo", defaults={"visto_en": momento - timedelta(hours=horas), "datos": {}}
        )
        assert respaldo.toca(momento) == toca, (horas, hora)
    Latido.objects.all().delete()
    settings.RESPALDO_CARPETA = ""
    respaldar_si_toca()
    assert not carpeta.exists()
    settings.RESPALDO_CARPETA = str(carpeta)
    respaldar_si_toca()
    respaldar_si_toca()
    assert len(respaldo.guardados(carpeta)) == 1


# ── The way back ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_not_empty_is_refused_and_untouched(carpeta: Path) -> None:
    ruta = respaldado(carpeta).ruta
    antes = respaldo.tablas()
    with pytest.raises(CommandError, match="no está vacía.*No se cambió nada"):
        call_command("restaurar", str(ruta))
    assert respaldo.tablas() == antes


@pytest.mark.django_db(transaction=True)
def test_comparing_sees_a_row_a_file_and_a_guard_that_changed(
    carpeta: Path, certificado: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documento = con_archivos()
    ruta = respaldado(carpeta).ruta
    call_command("restaurar", str(ruta), comprobar=True)
    assert "DISTINTO" not in capsys.readouterr().out
    archivo = Path(storages["informes"].path(documento.archivo))
    entero = archivo.read_bytes()
    archivo.write_bytes(entero[:-1] + b"x")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE expedientes_evento DISABLE TRIGGER evento_solo_crece")
        cursor.execute(
            "UPDATE expedientes_evento SET texto = 'otro' WHERE id = (SELECT min(id) FROM expedientes_evento)"
        )
        cursor.execute("UPDATE expedientes_expediente SET eventos = eventos + 1")
        cursor.execute("INSERT INTO expedientes_contador (serie, anio, ultimo) VALUES ('XXX', 2026, 1)")
    try:
        with pytest.raises(CommandError):
            call_command("restaurar", str(ruta), comprobar=True)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE expedientes_evento ENABLE TRIGGER evento_solo_crece")
    distintos = [linea for linea in capsys.readouterr().out.splitlines() if linea.startswith("DISTINTO")]
    assert [linea.split("  ")[1].strip() for linea in distintos] == [
        "Filas", "Guardas de la base (disparadores)", "Cabezas de la bitácora", "Cadena de la bitácora",
        "Archivos, por su SHA-256",
    ]  # fmt: skip


class OtroServidor:
    """A copy of the project with a folder, a PostgreSQL server and an .env of its own, and no variable of ours."""

    def __init__(self, carpeta: Path) -> None:
        self.carpeta = carpeta
        self.var = carpeta / "var"

    def ejecutar(self, *orden: str, clave: str = CLAVE) -> "subprocess.CompletedProcess[str]":
        entorno = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "RESPALDO_CLAVE": clave}
        return subprocess.run(
            [sys.executable, *orden], cwd=self.carpeta, env=entorno, capture_output=True, text=True, timeout=180
        )

    def preguntar(self, guion: str) -> Any:
        dicho = self.ejecutar(ORDEN, "shell", "-v", "0", "-c", f"import json; {guion}")
        assert dicho.returncode == 0, dicho.stderr
        return json.loads(dicho.stdout)

    def archivos(self) -> list[str]:
        carpetas = [self.var / nombre for nombre in ("archivos", "adjuntos", "informes", "firma")]
        return sorted(str(a.relative_to(self.var)) for c in carpetas for a in c.rglob("*") if a.is_file())


@pytest.fixture
def otro() -> Iterator[OtroServidor]:
    # Not tmp_path: pytest closes its folders to others, and as root PostgreSQL's user must pass.
    with tempfile.TemporaryDirectory(prefix="senasa-prueba-") as base:
        Path(base).chmod(0o711)
        copia = Path(base) / "copia"
        shutil.copytree(RAIZ, copia, ignore=shutil.ignore_patterns(".git", ".venv", "var", ".env", "tests", ".*_cache"))
        servidor = OtroServidor(copia)
        postgres.usar(servidor.var)  # held, so that each command need not start it
        yield servidor
        postgres.soltar(servidor.var, esperar=True)


CUENTAS = """
from django.db import connection as c
from senasa import respaldo
print(json.dumps([respaldo.tablas(), respaldo.disparadores(), respaldo.resumenes()]))
"""
EDITAR = """
from django.db import connection as c, Error
cursor = c.cursor()
def intentar(orden):
    try:
        cursor.execute(orden)
    except Error as error:
        return type(error).__name__
    return "admitido"
ordenes = ["UPDATE expedientes_evento SET texto = 'x'", "DELETE FROM expedientes_evento",
           "TRUNCATE expedientes_evento CASCADE", "DELETE FROM expedientes_documento",
           "DELETE FROM laboratorio_resultado", "UPDATE indicadores_informemensual SET cifras = '{}'"]
print(json.dumps([intentar(orden) for orden in ordenes]))
"""
MENSUAL = """
from expedientes import documentos
from indicadores.models import InformeMensual
informe = InformeMensual.objects.get()
pdf = documentos.leer(informe.documento)
veredicto, documento = documentos.verificar_archivo(pdf)
print(json.dumps([informe.cifras, veredicto, documento.cvd]))
"""
VACIA = """
from django.db import connection as c
cursor = c.cursor()
cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
print(json.dumps(cursor.fetchone()[0]))
"""


@pytest.mark.servicios
@pytest.mark.django_db(transaction=True)
def test_restored_on_another_server_everything_is_equal(carpeta: Path, certificado: Path, otro: OtroServidor) -> None:
    """One story: bad archives change nothing, the good one brings everything, and a second time is refused."""
    personas()
    list(crear_expedientes(12, semilla=3))
    con_archivos()
    crear_caso("registrado", hace=timedelta(days=62))
    mensual = mensuales.hacer(mes=mensuales.ultimo_mes(), actor=personas()["direccion"])
    mensual_firmado = mensuales.firmar_informe(informe_id=mensual.pk)
    assert mensual_firmado
    hecho = respaldado(carpeta)
    ruta = str(hecho.ruta)
    assert len(hecho.manifiesto.archivos) >= 4
    assert hecho.manifiesto.archivos[f"informes/{mensual_firmado.archivo}"] == mensual_firmado.sha256

    # A server without keys takes them from the backup.
    assert otro.ejecutar("-m", "senasa.sacar_claves", ruta, "claves", clave="otra clave, que no es").returncode == 1
    sacadas = otro.ejecutar("-m", "senasa.sacar_claves", ruta, "claves")
    assert sacadas.returncode == 0, sacadas.stderr
    claves = (otro.carpeta / "claves" / "claves.env").read_text()
    assert (otro.carpeta / "claves" / "claves.env").stat().st_mode & 0o777 == 0o600
    sin_firma = "\n".join(linea for linea in claves.splitlines() if not linea.startswith("FIRMA_"))
    otras = claves.replace(ajustes.ENLACE_CLAVE, secrets.token_urlsafe(48))

    # What is not right, whatever it is, is refused in words and leaves an empty server.
    contenido = hecho.ruta.read_bytes()
    roto = bytearray(contenido)
    roto[len(roto) // 2] ^= 1
    malos = {"roto": bytes(roto), "cortado": contenido[:-5000], "ajeno": b"PK\3\4" + contenido}
    for nombre, octetos in malos.items():
        (carpeta / nombre).write_bytes(octetos)
    reempaquetar(hecho.ruta, carpeta / "otro-archivo", archivos=True)
    reempaquetar(hecho.ruta, carpeta / "otro-formato", formato=2)
    reempaquetar(hecho.ruta, carpeta / "mas-nuevo", postgres=99)
    reempaquetar(hecho.ruta, carpeta / "otra-forma", migraciones=hecho.manifiesto.migraciones[:-1])
    (otro.carpeta / ".env").write_text(f"MODO=demo\n{sin_firma}\n")
    for archivo, clave, dicho in (
        (str(carpeta / "roto"), CLAVE, "dañado"),
        (str(carpeta / "cortado"), CLAVE, "dañado o incompleto"),
        (str(carpeta / "ajeno"), CLAVE, "no es un respaldo"),
        (str(carpeta / "no-existe"), CLAVE, "no se puede leer"),
        (str(carpeta / "otro-archivo"), CLAVE, "no es el que dice su manifiesto"),
        (str(carpeta / "otro-formato"), CLAVE, "del formato 2"),
        (str(carpeta / "mas-nuevo"), CLAVE, "use ese o posterior"),
        (str(carpeta / "otra-forma"), CLAVE, "tiene otra forma"),
        (ruta, "otra clave, que no es", "RESPALDO_CLAVE"),
    ):
        negado = otro.ejecutar(ORDEN, "restaurar", archivo, clave=clave)
        assert (negado.returncode, dicho in negado.stderr) == (1, True), negado.stderr
    (otro.carpeta / ".env").write_text(f"MODO=demo\n{otras}\n")
    negado = otro.ejecutar(ORDEN, "restaurar", ruta)
    assert (negado.returncode, "otras claves (ENLACE_CLAVE)" in negado.stderr) == (1, True), negado.stderr
    (otro.carpeta / ".env").write_text(f"MODO=demo\n{sin_firma}\n")
    documento = Documento.objects.first()
    assert documento
    estorbo = otro.var / "informes" / documento.archivo
    estorbo.parent.mkdir(parents=True)
    estorbo.write_bytes(b"otro archivo")
    negado = otro.ejecutar(ORDEN, "restaurar", ruta)
    assert (negado.returncode, "no se sobrescriben" in negado.stderr) == (1, True), negado.stderr
    assert estorbo.read_bytes() == b"otro archivo"
    estorbo.unlink()
    assert otro.archivos() == []
    assert otro.preguntar(VACIA) == 0

    # The good one.
    assert otro.ejecutar(ORDEN, "restaurar", ruta, "--solo-leer").returncode == 0
    assert otro.preguntar(VACIA) == 0
    restaurado = otro.ejecutar(ORDEN, "restaurar", ruta)
    assert restaurado.returncode == 0, restaurado.stdout + restaurado.stderr
    assert "Todo es igual que en el respaldo." in restaurado.stdout
    assert otro.preguntar(CUENTAS) == [
        hecho.manifiesto.tablas, hecho.manifiesto.disparadores, hecho.manifiesto.resumenes,
    ]  # fmt: skip
    hay = {nombre: hashlib.sha256((otro.var / nombre).read_bytes()).hexdigest() for nombre in hecho.manifiesto.archivos}
    assert hay == hecho.manifiesto.archivos
    assert (otro.var / "firma" / "demo.p12").read_bytes() == certificado.read_bytes()
    assert otro.ejecutar(ORDEN, "verificar_bitacora").returncode == 0
    assert otro.ejecutar(ORDEN, "verificar_informe", str(otro.var / "informes" / documento.archivo)).returncode == 0
    # The report of the month says there what it said here.
    assert otro.preguntar(MENSUAL) == [mensual.cifras, "intacto", mensual_firmado.cvd]
    # The guards came along and work; numbers go on where they were.
    assert otro.preguntar(EDITAR) == ["IntegrityError"] * 6
    assert otro.ejecutar(ORDEN, "restaurar", ruta, "--comprobar").returncode == 0
    otra_vez = otro.ejecutar(ORDEN, "restaurar", ruta)
    assert (otra_vez.returncode, "no está vacía" in otra_vez.stderr) == (1, True)
    assert otro.preguntar(CUENTAS)[0] == hecho.manifiesto.tablas

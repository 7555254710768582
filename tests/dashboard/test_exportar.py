"""One case in one ZIP: whole, checkable without us, safe to unpack, and honest about what is not there."""

import hashlib
import io
import json
import subprocess
import zipfile
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from dashboard.exportar import exportar
from expedientes import documentos
from expedientes.archivos import del_certificado
from expedientes.models import Adjunto, Documento, Evento, Expediente
from expedientes.services import guardar_adjunto
from notificaciones import enlaces
from notificaciones.models import Enlace
from tests.builders import crear_caso, personas

pytestmark = pytest.mark.django_db


def exportado(expediente: Expediente, **opciones: Any) -> tuple[dict[str, bytes], list[str]]:
    """The files of the ZIP by their path within the case's folder, and what was said to be wrong."""
    destino = io.BytesIO()
    fallas = exportar(expediente, destino, **opciones)
    with zipfile.ZipFile(destino) as paquete:
        assert paquete.testzip() is None
        prefijo = f"{expediente.numero}/"
        assert all(nombre.startswith(prefijo) for nombre in paquete.namelist())
        return {nombre.removeprefix(prefijo): paquete.read(nombre) for nombre in paquete.namelist()}, fallas


def con_adjunto(expediente: Expediente, nombre: str, contenido: bytes = b"<x/>") -> Adjunto:
    adjunto = guardar_adjunto(expediente, del_certificado("cert.xml", contenido), None)
    Adjunto.objects.filter(pk=adjunto.pk).update(nombre=nombre)
    return adjunto


def test_everything_is_in_and_the_signed_files_are_the_issued_bytes(certificado, tmp_path):
    expediente = crear_caso("cerrado", valor="positivo").expediente
    adjunto = con_adjunto(expediente, "cert.xml")
    salida = StringIO()
    call_command("exportar_expediente", expediente.numero, "--salida", str(tmp_path), stdout=salida)
    ruta = tmp_path / f"{expediente.numero}.zip"
    assert str(ruta) in salida.getvalue()
    assert [uno.name for uno in tmp_path.iterdir()] == [ruta.name]
    subprocess.run(["unzip", "-q", ruta], cwd=tmp_path, check=True)
    carpeta = tmp_path / expediente.numero
    comprobado = subprocess.run(
        ["sha256sum", "-c", "--strict", "hashes.sha256"], cwd=carpeta, capture_output=True, check=True
    )
    assert comprobado.stdout.count(b": OK") == len([uno for uno in carpeta.rglob("*") if uno.is_file()]) - 1
    suyos = Documento.objects.filter(expediente=expediente)
    assert {uno.name for uno in (carpeta / "documentos").iterdir()} == {f"{uno}.pdf" for uno in suyos}
    for documento in suyos:
        guardado = (carpeta / "documentos" / f"{documento}.pdf").read_bytes()
        assert hashlib.sha256(guardado).hexdigest() == documento.sha256
        assert documentos.verificar_archivo(guardado)[0] == "intacto"
    assert (carpeta / "adjuntos" / f"{adjunto.pk}-cert.xml").read_bytes() == b"<x/>"
    datos = json.loads((carpeta / "expediente.json").read_text())
    assert datos["importador"]["correo"] == expediente.importador.correo
    assert datos["partidas"][0]["dictamenes"][0]["decision"] == "rechazo"
    assert datos["analisis"][0]["resultados"][0]["valor"] == "positivo"
    entradas = json.loads((carpeta / "bitacora.json").read_text())
    assert [(una["n"], una["sello"]) for una in entradas] == list(
        expediente.bitacora.order_by("n").values_list("n", "sello")
    )
    assert len(list((carpeta / "avisos").iterdir())) == 9
    assert "íntegra" in (carpeta / "verificacion.txt").read_text()
    assert "Dictamen emitido" in (carpeta / "bitacora.html").read_text()
    assert "sha256sum -c hashes.sha256" in (carpeta / "LEEME.txt").read_text()


def test_the_same_case_gives_the_same_bytes(certificado):
    expediente = crear_caso("cerrado").expediente
    uno, otro = io.BytesIO(), io.BytesIO()
    exportar(expediente, uno)
    exportar(expediente, otro)
    assert uno.getvalue() == otro.getvalue()


def test_no_key_to_the_case_leaves_with_it(certificado):
    expediente = crear_caso("cerrado").expediente
    archivos, _fallas = exportado(expediente)
    token = enlaces.token(Enlace.objects.get(referencia=expediente.referencia)).encode()
    assert not [nombre for nombre, contenido in archivos.items() if token in contenido]
    assert b"[enlace de seguimiento, reservado]" in archivos["avisos/001-registrada.txt"]


def test_a_result_stays_reserved_until_its_report_is_out(certificado):
    """Whoever exports is no laboratory: a positive must not get out by this door first."""
    expediente = crear_caso("con_resultado", valor="positivo").expediente
    archivos, _fallas = exportado(expediente)
    todo = b"".join(archivos.values())
    assert b"positivo" not in todo.lower()
    assert "reservado" in json.loads(archivos["expediente.json"])["analisis"][0]
    entradas = json.loads(archivos["bitacora.json"])
    assert [set(una) for una in entradas if una.get("reservado")] == [{"reservado", "sello", "previo"}]
    assert all(esta["previo"] == la_de_antes["sello"] for la_de_antes, esta in pairwise(entradas))


def test_without_personal_data_nobody_is_named(certificado):
    expediente = crear_caso("cerrado").expediente
    con_adjunto(expediente, "DNI de Juana.xml")
    archivos, fallas = exportado(expediente, con_datos_personales=False)
    assert fallas == []
    todo = b"".join(archivos.values())
    persona = expediente.importador
    for dicho in (persona.nombre, persona.numero_documento, persona.correo, "Juana"):
        assert dicho.encode() not in todo
    assert not [nombre for nombre in archivos if nombre.startswith(("documentos/", "adjuntos/"))]
    documento = expediente.documentos.first()
    assert documento is not None
    assert documento.cvd.encode() in archivos["verificacion.txt"]


@pytest.mark.parametrize(
    ("nombre", "queda"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/absoluta.pdf", "absoluta.pdf"),
        ("C:\\a.pdf", "a.pdf"),
        ("CON.txt", "_CON.txt"),
        ("..", "archivo"),
        (".oculto", "oculto"),
        ("a\u202efdp.exe", "afdp.exe"),
        ("año nuevo.pdf", "año_nuevo.pdf"),
        ('x<>:"|?*.pdf', "x_.pdf"),
        ("n" * 150 + ".pdf", "n" * 90 + ".pdf"),
    ],
)
def test_names_that_would_leave_the_folder_stay_in_it(nombre, queda):
    expediente = crear_caso().expediente
    adjunto = con_adjunto(expediente, nombre)
    archivos, _fallas = exportado(expediente)
    assert f"adjuntos/{adjunto.pk}-{queda}" in archivos


def test_two_of_one_name_are_two_files():
    expediente = crear_caso().expediente
    con_adjunto(expediente, "foto.xml", b"<a/>")
    con_adjunto(expediente, "foto.xml", b"<b/>")
    archivos, _fallas = exportado(expediente)
    assert sorted(c for nombre, c in archivos.items() if nombre.startswith("adjuntos/")) == [b"<a/>", b"<b/>"]


def test_what_is_missing_or_damaged_is_said_and_the_rest_goes_out(certificado, tmp_path):
    expediente = crear_caso("cerrado").expediente
    bueno, falta, danado = (con_adjunto(expediente, f"{n}.xml", f"<x{n}/>".encode()) for n in ("b", "f", "d"))
    Path(falta.archivo.path).unlink()
    Path(danado.archivo.path).write_bytes(b"otra cosa")
    informe = Documento.objects.get(tipo="informe")
    (settings.VAR / "por_publicar" / f"{informe.sha256}.pdf").unlink()  # where it waits for the commit
    archivos, fallas = exportado(expediente)
    assert len(fallas) == 3
    assert archivos[f"adjuntos/{bueno.pk}-b.xml"] == b"<xb/>"
    assert b"otra cosa" not in b"".join(archivos.values())
    for nombre in (f"adjuntos/{falta.pk}-f.xml", f"adjuntos/{danado.pk}-d.xml", f"documentos/{informe}.pdf"):
        assert nombre not in archivos
        assert f"{nombre}.FALTA.txt" in archivos
        assert nombre.encode() in archivos["verificacion.txt"]
        assert nombre.encode() in archivos["LEEME.txt"]
    with pytest.raises(CommandError, match="no es el que se guardó") as error:
        call_command("exportar_expediente", expediente.numero, "--salida", str(tmp_path / "x.zip"), stdout=StringIO())
    assert error.value.returncode == 1
    assert zipfile.is_zipfile(tmp_path / "x.zip")


def test_a_log_that_was_touched_is_told(certificado):
    from django.db import connection

    expediente = crear_caso("en_inspeccion").expediente
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE expedientes_evento DISABLE TRIGGER evento_solo_crece")
        cursor.execute("UPDATE expedientes_evento SET texto = 'otra cosa' WHERE accion = 'inspeccionar'")
        cursor.execute("ALTER TABLE expedientes_evento ENABLE TRIGGER evento_solo_crece")
    archivos, fallas = exportado(expediente)
    assert len(fallas) == 1
    assert "NO es íntegra" in archivos["verificacion.txt"].decode()


def test_an_unknown_number_is_said(tmp_path):
    with pytest.raises(CommandError, match="No hay un expediente PCM-2026-999999"):
        call_command("exportar_expediente", "PCM-2026-999999", "--salida", str(tmp_path), stdout=StringIO())
    assert list(tmp_path.iterdir()) == []
    crear_caso()  # it has no number of before: an empty name must not find it
    with pytest.raises(CommandError, match="No hay un expediente"):
        call_command("exportar_expediente", "", "--salida", str(tmp_path), stdout=StringIO())


def test_a_place_where_nothing_can_be_written_is_said():
    expediente = crear_caso().expediente
    with pytest.raises(CommandError, match="No se puede escribir"):
        call_command("exportar_expediente", expediente.numero, "--salida", "/no/existe/x.zip", stdout=StringIO())


@pytest.mark.parametrize("quien", ["jefe", "direccion", "admin"])
def test_the_page_gives_the_zip_and_writes_down_who_took_it(client: Client, quien):
    expediente = crear_caso().expediente
    client.force_login(personas()[quien])
    url = reverse("expediente_exportar", args=[expediente.numero])
    assert url in client.get(reverse("expediente", args=[expediente.numero])).content.decode()
    antes = Evento.objects.count()
    assert client.get(url).status_code == 200
    assert Evento.objects.count() == antes
    respuesta = client.post(url, {"sin_datos_personales": "on"})
    assert respuesta["Content-Disposition"] == f'attachment; filename="{expediente.numero}.zip"'
    contenido = b"".join(respuesta.streaming_content)  # type: ignore[attr-defined]
    with zipfile.ZipFile(io.BytesIO(contenido)) as paquete:
        entradas = json.loads(paquete.read(f"{expediente.numero}/bitacora.json"))
    assert (entradas[-1]["accion"], entradas[-1]["actor"]) == ("exportar", str(personas()[quien]))
    assert Evento.objects.get(accion="exportar").datos == {"con_datos_personales": False}


def test_others_have_neither_button_nor_page(client: Client):
    expediente = crear_caso().expediente
    url = reverse("expediente_exportar", args=[expediente.numero])
    client.force_login(personas()["inspector"])
    assert url not in client.get(reverse("expediente", args=[expediente.numero])).content.decode()
    assert client.get(url).status_code == 403
    jefe = personas()["jefe"]
    jefe.puestos.set(jefe.puestos.filter(codigo="PCA"))
    client.force_login(jefe)
    assert client.post(url).status_code == 404
    assert not Evento.objects.filter(accion="exportar").exists()

"""Anybody with a code learns whether the document is in force, and nothing else."""

from io import BytesIO, StringIO
from random import Random
from typing import Any

import pikepdf
import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers
from weasyprint import HTML

from expedientes import documentos
from expedientes.firma import cargar_certificado, firma_integra, firmar
from expedientes.models import Adjunto, Documento
from tests.builders import crear_caso

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def emitido(certificado: Any, una_vez: None) -> int:
    return crear_caso("resultado_emitido").expediente.documentos.get().pk


@pytest.fixture
def informe(emitido: int) -> Documento:
    return Documento.objects.get(pk=emitido)


def test_verificar_muestra_lo_minimo(client: Client, informe: Documento) -> None:
    pagina = client.get(reverse("verificar_cvd", args=[informe.cvd]))
    texto = pagina.content.decode()
    assert pagina.status_code == 200
    for dato in ("Documento auténtico y vigente", "Informe de ensayo", informe.numero, informe.cvd):
        assert dato in texto
    for dato in (informe.expediente.numero, informe.expediente.importador.nombre, "egativo", "Uva"):
        assert dato not in texto


def test_verificar_acepta_el_codigo_como_se_escriba(client: Client, informe: Documento) -> None:
    escrito = informe.cvd.replace("-", " ").lower()
    respuesta = client.get(reverse("verificar"), {"cvd": escrito})
    assert respuesta["Location"] == reverse("verificar_cvd", args=[informe.cvd])
    assert client.get(reverse("verificar_cvd", args=[escrito])).status_code == 200


@pytest.mark.parametrize(
    ("estado", "dice"),
    [("en_revision", "en revisión"), ("anulado", "no vale"), ("reemplazado", "reemplazado: ya no vale")],
)
def test_verificar_dice_su_estado(client: Client, informe: Documento, estado: str, dice: str) -> None:
    Documento.objects.filter(pk=informe.pk).update(estado=estado)
    pagina = client.get(reverse("verificar_cvd", args=[informe.cvd])).content.decode()
    assert dice in pagina
    assert "auténtico y vigente" not in pagina


def test_verificar_nombra_al_que_lo_reemplaza(client: Client, informe: Documento) -> None:
    Documento.objects.filter(pk=informe.pk).update(estado="reemplazado")
    nuevo = Documento.objects.get(pk=informe.pk)
    nuevo.pk, nuevo.version, nuevo.reemplaza_id = None, 2, informe.pk
    nuevo.cvd, nuevo.sha256, nuevo.archivo = "AAAA-BBBB-CCCC-DDDD", "0" * 64, "otro.pdf"
    nuevo.save(force_insert=True)
    assert (
        f"Lo reemplaza {informe.numero}-V2" in client.get(reverse("verificar_cvd", args=[informe.cvd])).content.decode()
    )


@pytest.mark.parametrize("cvd", ["AAAA-BBBB-CCCC-DDDD", "<script>", "-", "ñ" * 60])
def test_verificar_un_codigo_desconocido(client: Client, cvd: str) -> None:
    respuesta = client.get(reverse("verificar_cvd", args=[cvd]))
    assert respuesta.status_code == 404
    assert "no es de un documento nuestro" in respuesta.content.decode()
    assert "<script>" not in respuesta.content.decode().partition("<main")[2]


def test_verificar_sin_codigo_pide_uno(client: Client) -> None:
    assert client.get(reverse("verificar")).status_code == 200
    assert client.get(reverse("verificar"), {"cvd": ""}).context["form"].errors["cvd"]
    assert client.post(reverse("verificar_cvd", args=["x"])).status_code == 405


def test_verificar_limita_los_intentos(client: Client, informe: Documento) -> None:
    estados = {client.get(reverse("verificar_cvd", args=["x"])).status_code for _n in range(62)}
    assert estados == {404, 429}
    assert client.get(reverse("verificar_cvd", args=[informe.cvd])).status_code == 200


# The file itself


def subir(client: Client, contenido: bytes, nombre: str = "informe.pdf") -> Any:
    return client.post(reverse("verificar"), {"archivo": SimpleUploadedFile(nombre, contenido)})


def titulo(respuesta: Any) -> str:
    assert respuesta.status_code == 200
    return respuesta.content.decode().partition("<h1>")[2].partition("</h1>")[0].strip()


def test_verificar_el_archivo_emitido_dice_que_es_el_mismo_y_no_guarda_nada(client: Client, informe: Documento) -> None:
    antes = Adjunto.objects.count()
    respuesta = subir(client, documentos.leer(informe))
    pagina = respuesta.content.decode()
    assert titulo(respuesta) == "Documento auténtico y vigente"
    assert "byte por byte" in pagina
    assert informe.numero in pagina
    for dato in (informe.expediente.numero, informe.expediente.importador.nombre, "egativo", "Uva"):
        assert dato not in pagina
    assert Adjunto.objects.count() == antes


def test_verificar_el_archivo_reemplazado_dice_que_ya_no_vale(client: Client, informe: Documento) -> None:
    Documento.objects.filter(pk=informe.pk).update(estado="reemplazado")
    respuesta = subir(client, documentos.leer(informe))
    assert titulo(respuesta) == "Documento reemplazado: ya no vale"
    assert "byte por byte" in respuesta.content.decode()


def test_verificar_un_archivo_nuestro_que_alguien_guardo_de_nuevo(client: Client, informe: Documento) -> None:
    with pikepdf.open(BytesIO(documentos.leer(informe))) as pdf:
        pdf.pages[0].rotate(90, relative=True)
        otro = BytesIO()
        pdf.save(otro)
    respuesta = subir(client, otro.getvalue())
    assert titulo(respuesta) == "Archivo alterado: no vale"
    assert reverse("verificar_cvd", args=[informe.cvd]) in respuesta.content.decode()


@pytest.mark.parametrize(
    "contenido", [b"%PDF-1.7", b"\0" * 5000, b"PK\3\4", "ñandú".encode(), b"%PDF-1.4\n" + b"[" * 99999]
)
def test_verificar_un_archivo_ajeno(client: Client, informe: Documento, contenido: bytes) -> None:
    assert titulo(subir(client, contenido, "<b>x.pdf")) == "Este archivo no es un documento nuestro"


def test_verificar_nuestra_firma_en_lo_que_no_emitimos(client: Client, informe: Documento) -> None:
    pdf = HTML(string="<p>Todo negativo.").write_pdf()
    ajeno = firmar(pdf, certificado=cargar_certificado(), motivo="Informe", lugar="Lima")
    assert firma_integra(ajeno)
    assert titulo(subir(client, ajeno)) == "Este archivo no es un documento nuestro"


def test_verificar_sin_archivo_o_con_uno_vacio_o_enorme_lo_dice(client: Client, settings: Any) -> None:
    sin_nada = client.post(reverse("verificar"))
    assert (sin_nada.status_code, "Elija el archivo." in sin_nada.content.decode()) == (422, True)
    assert "El archivo está vacío." in subir(client, b"").content.decode()
    settings.ARCHIVO_MAX_MB = 0
    assert "ninguno de nuestros documentos pesa tanto" in subir(client, b"%PDF").content.decode()


def test_verificar_limita_los_archivos_de_una_direccion(client: Client) -> None:
    assert {subir(client, b"x").status_code for _n in range(62)} == {200, 429}


def mutantes(original: bytes, cuantos: int) -> list[bytes]:
    """Changed in as many ways as a forger or a bad disk would; each differs from the original."""
    azar = Random(4)
    inicio = original.index(b"/Contents <") + len(b"/Contents <")
    fin = original.index(b">", inicio)
    hexadecimales = [i for i in range(inicio, fin) if chr(original[i]) in "abcdefABCDEF"]
    relleno = next(i for i in range(fin, inicio, -1) if original[i - 1 : i] != b"0")
    rango = original.index(b"/ByteRange")
    hechos = []
    for n in range(cuantos):
        mutante = bytearray(original)
        match n % 8:
            case 0:
                mutante[azar.randrange(len(mutante))] ^= 1 << azar.randrange(8)
            case 1:  # the case of a digit of the signature, which changes nothing that it says
                mutante[azar.choice(hexadecimales)] ^= 0x20
            case 2:  # a byte of its padding
                mutante[azar.randrange(relleno, fin)] = ord("7")
            case 3:
                mutante += azar.randbytes(azar.randrange(1, 60))
            case 4:
                del mutante[-azar.randrange(1, 4000) :]
            case 5:  # which bytes the signature says that it covers
                cifra = next(
                    i for i in range(rango + 12 + azar.randrange(20), len(mutante)) if mutante[i : i + 1].isdigit()
                )
                mutante[cifra] = ord("0") + (mutante[cifra] - ord("0") + 1) % 10
            case 6:  # a revision on top, as any editor writes
                editor = IncrementalPdfFileWriter(BytesIO(original))
                editor.root["/Editado"] = editor.root["/Lang"]
                editor.update_root()
                salida = BytesIO()
                editor.write(salida)
                mutante = bytearray(salida.getvalue() + b"%" * (n // 8))
            case 7:  # a second signature, ours too
                otra = BytesIO(original)
                mutante = bytearray(_firmado_otra_vez(otra) + b"\n" * (n // 8))
        hechos.append(bytes(mutante))
    assert original not in hechos
    return hechos


def _firmado_otra_vez(pdf: BytesIO) -> bytes:
    datos = signers.PdfSignatureMetadata(field_name="Otra", md_algorithm="sha256")
    return signers.sign_pdf(IncrementalPdfFileWriter(pdf), datos, signer=cargar_certificado().firmante).getvalue()


@pytest.mark.servicios
@pytest.mark.parametrize("valor", ["negativo", "positivo"])
def test_doscientos_mutantes_de_un_informe_y_ninguno_pasa(
    client: Client, settings: Any, certificado: Any, tmp_path: Any, valor: str
) -> None:
    """By the page and by the command; the original passes both, and pyHanko."""
    informe = crear_caso("resultado_emitido", valor=valor).expediente.documentos.get()
    original = documentos.leer(informe)
    assert titulo(subir(client, original)) == "Documento auténtico y vigente"
    assert len(PdfFileReader(BytesIO(original)).embedded_signatures) == 1
    assert firma_integra(original)
    veredictos = []
    for n, mutante in enumerate(mutantes(original, 100)):
        if n % 50 == 0:
            cache.clear()  # the limit of an address is not what is tried here
        veredictos.append(titulo(subir(client, mutante)))
        ruta = tmp_path / f"{n}.pdf"
        ruta.write_bytes(mutante)
        with pytest.raises(SystemExit) as salida:
            call_command("verificar_informe", str(ruta), stdout=StringIO())
        assert salida.value.code == 1, n
    assert set(veredictos) <= {"Archivo alterado: no vale", "Este archivo no es un documento nuestro"}

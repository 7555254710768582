"""Issued files: published with their transaction or not at all, and told apart from whatever resembles them."""

import os
import re
import subprocess
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import TestCase
from weasyprint import HTML

from expedientes import documentos
from expedientes.documentos import ArchivoDanado, Veredicto, verificar_archivo
from expedientes.firma import cargar_certificado, firmar
from expedientes.models import Documento, Expediente
from senasa import reloj
from tests.builders import crear_expediente

pytestmark = pytest.mark.django_db


@pytest.fixture
def expediente(certificado: Path) -> Expediente:
    return crear_expediente()


@pytest.fixture
def publicar(expediente: Expediente) -> Callable[..., Documento]:
    """Sign and publish one made-up report; within a test's transaction, so nothing moves by itself."""

    def _publicar(numero: str = "IE-2026-900001", version: int = 1, **opciones: Any) -> Documento:
        cvd = documentos.nuevo_cvd()
        pdf = HTML(string=f"<title>Informe {numero}</title><meta name=keywords content={cvd}><p>Uva").write_pdf()
        firmado = firmar(pdf, certificado=cargar_certificado(), motivo="Prueba", lugar="Lima")
        return documentos.publicar_documento(
            preparado=documentos.preparar(firmado),
            tipo=Documento.Tipo.INFORME,
            numero=numero,
            version=version,
            expediente=expediente,
            cvd=cvd,
            firma=Documento.Firma.AUTOMATICA,
            emitido_en=reloj.ahora(),
            **opciones,
        )

    return _publicar


def publicados() -> list[str]:
    raiz = Path(storages["informes"].location)  # type: ignore[attr-defined]
    return sorted(str(ruta.relative_to(raiz)) for ruta in raiz.rglob("*") if ruta.is_file())


def en_espera(documento: Documento) -> Path:
    return documentos._por_publicar() / f"{documento.sha256}.pdf"


# The code


def test_cvd_son_80_bits_al_azar_en_grupos_faciles_de_leer() -> None:
    codigos = {documentos.nuevo_cvd() for _n in range(1000)}
    assert len(codigos) == 1000
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", codigo) for codigo in codigos)
    codigo = codigos.pop()
    assert documentos.normalizar_cvd(f" {codigo.replace('-', ' ').lower()} ") == codigo


# The file follows its transaction


def test_publicar_mueve_el_archivo_al_confirmar(publicar: Callable[..., Documento]) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        documento = publicar()
        assert publicados() == []
        antes = documentos.leer(documento)  # readable at once, from where it waits
    assert publicados() == [documento.archivo]
    assert documentos.leer(documento) == antes
    assert not en_espera(documento).exists()


def test_publicar_en_una_transaccion_que_no_se_confirma_no_deja_archivo(publicar: Callable[..., Documento]) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True), transaction.atomic():
        documento = publicar()
        transaction.set_rollback(True)
    documentos.barrer()
    assert publicados() == []
    assert en_espera(documento).exists()  # it may still be somebody's: an hour of patience
    os.utime(en_espera(documento), (1, 1))
    documentos.barrer()
    assert not en_espera(documento).exists()


def test_barrer_termina_lo_que_una_caida_interrumpio(publicar: Callable[..., Documento]) -> None:
    documento = publicar()
    os.utime(en_espera(documento), (1, 1))
    documentos.barrer()
    documentos.barrer()
    assert publicados() == [documento.archivo]
    assert not en_espera(documento).exists()


def test_un_archivo_de_una_base_perdida_no_estorba(publicar: Callable[..., Documento]) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        documento = publicar()
        viejo = Path(storages["informes"].path(documento.archivo))
        viejo.parent.mkdir(parents=True, exist_ok=True)
        viejo.write_bytes(b"de otra vida")
    assert documentos.leer(documento).startswith(b"%PDF")


def test_en_otro_disco_se_copia(publicar: Callable[..., Documento], monkeypatch: pytest.MonkeyPatch) -> None:
    def otro_disco(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "replace", otro_disco)
    with TestCase.captureOnCommitCallbacks(execute=True):
        documento = publicar()
    assert publicados() == [documento.archivo]
    assert documentos.leer(documento).startswith(b"%PDF")
    assert not en_espera(documento).exists()


def test_leer_no_entrega_lo_que_no_se_emitio(publicar: Callable[..., Documento]) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        documento = publicar()
    ruta = Path(storages["informes"].path(documento.archivo))
    ruta.write_bytes(ruta.read_bytes() + b"\n")
    with pytest.raises(ArchivoDanado, match="no es el que se emitió"):
        documentos.leer(documento)
    ruta.unlink()
    with pytest.raises(ArchivoDanado, match="falta"):
        documentos.leer(documento)


def test_una_version_nueva_reemplaza_a_la_anterior(publicar: Callable[..., Documento]) -> None:
    primera = publicar()
    segunda = publicar(version=2, reemplaza=primera, causa="Se corrigió el lote")
    primera.refresh_from_db()
    assert (primera.estado, segunda.estado) == ("reemplazado", "vigente")
    assert segunda.archivo.endswith("/IE-2026-900001-V2.pdf")
    with pytest.raises(IntegrityError), transaction.atomic():
        publicar(version=2)


# What a file is


def verificar(ruta: Path) -> tuple[int, str]:
    salida = StringIO()
    try:
        call_command("verificar_informe", str(ruta), stdout=salida)
    except CommandError as error:
        return error.returncode, str(error)
    except SystemExit as salir:
        return int(salir.code or 0), salida.getvalue()
    return 0, salida.getvalue()


def test_el_nuestro_alterado_se_nombra_y_el_ajeno_no(publicar: Callable[..., Documento]) -> None:
    documento = publicar()
    original = documentos.leer(documento)
    assert verificar_archivo(original + b"\n") == (Veredicto.ALTERADO, documento)
    ajeno = firmar(HTML(string="<p>x").write_pdf(), certificado=cargar_certificado(), motivo="x", lugar="x")
    assert verificar_archivo(ajeno) == (Veredicto.AJENO, None)  # our key, but never issued
    for basura in (b"", b"%PDF-1.7", b"\0" * 5000, b"PK\3\4", "ñandú".encode()):
        assert verificar_archivo(basura) == (Veredicto.AJENO, None)


def test_verificar_informe_dice_cero_solo_si_es_nuestro_e_intacto(
    publicar: Callable[..., Documento], tmp_path: Path
) -> None:
    documento = publicar()
    ruta = tmp_path / "bajado.pdf"
    ruta.write_bytes(documentos.leer(documento))
    assert verificar(ruta) == (0, "Intacto y nuestro: IE-2026-900001, vigente.\n")
    ruta.write_bytes(documentos.leer(documento) + b" ")
    assert verificar(ruta) == (1, "Nuestro, pero alterado (IE-2026-900001).\n")
    assert verificar(Path(__file__)) == (1, "No es un documento nuestro.\n")
    assert verificar(tmp_path) == (1, "No se puede leer el archivo: es una carpeta.")
    assert verificar(tmp_path / "nada.pdf") == (1, "No se puede leer el archivo: no existe.")


def test_un_documento_emitido_sigue_intacto_cuando_la_institucion_cambia_de_llave(
    publicar: Callable[..., Documento], settings: Any, tmp_path: Path
) -> None:
    documento = publicar()
    settings.FIRMA_P12, settings.FIRMA_RAICES = str(tmp_path / "no-hay.p12"), str(tmp_path / "no-hay.pem")
    assert verificar_archivo(documentos.leer(documento)) == (Veredicto.INTACTO, documento)


@pytest.mark.browser
def test_poppler_acepta_el_informe_y_el_riv_de_un_caso(certificado: Path, tmp_path: Path) -> None:
    emitidos = crear_expediente("dictaminado").documentos.all()
    assert {documento.tipo for documento in emitidos} == {"informe", "riv"}
    for documento in emitidos:
        ruta = tmp_path / "emitido.pdf"
        ruta.write_bytes(documentos.leer(documento))
        dice = subprocess.run(["pdfsig", "-nocert", ruta], check=True, capture_output=True, text=True).stdout
        assert "Signature is Valid." in dice
        assert "Total document signed" in dice

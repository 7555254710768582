"""Mails as files, for a demonstration without a mail server."""

from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection


@pytest.fixture
def correos(settings: Any, tmp_path: Path) -> Path:
    settings.EMAIL_BACKEND = "senasa.correo.ArchivoEml"
    settings.CORREOS = tmp_path / "correos"
    return tmp_path / "correos"


def mensaje(asunto: str) -> EmailMultiAlternatives:
    correo = EmailMultiAlternatives(asunto, "Su muestra llegó.", to=["ñandú@importador.example"])
    correo.attach_alternative("<p>Su muestra llegó.</p>", "text/html")
    return correo


def test_each_mail_is_one_whole_file_in_order(correos: Path) -> None:
    asuntos = [f"Expediente {n} · recepción" for n in range(12)]
    assert get_connection("senasa.correo.ArchivoEml").send_messages([mensaje(a) for a in asuntos]) == 12
    archivos = sorted(correos.iterdir())
    assert {archivo.suffix for archivo in archivos} == {".eml"}
    leidos = [message_from_bytes(archivo.read_bytes(), policy=policy.default) for archivo in archivos]
    assert [leido["Subject"] for leido in leidos] == asuntos
    assert [parte.get_content_type() for parte in leidos[0].iter_parts()] == ["text/plain", "text/html"]


def test_subject_cannot_add_headers(correos: Path) -> None:
    with pytest.raises(ValueError, match="newline"):
        mensaje("hola\nBcc: otra@persona.example").send()
    assert list(correos.glob("*.eml")) == []

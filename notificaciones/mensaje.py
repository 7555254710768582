"""A mail as bytes, quickly: the standard library takes longer to write one than a mail server to accept it.

Only what our mails are made of: some headers, a text, and the same in HTML. Its text lies in quoted-printable, in
which a boundary that begins with «=_» can never occur (RFC 2045, 6.7).
"""

import re
from binascii import b2a_qp
from email.utils import formatdate
from functools import lru_cache

from django.core.mail import EmailMultiAlternatives
from django.core.mail.message import forbid_multi_line_headers, sanitize_address

LIMITE = "=_senasa"
# What needs no encoding, nor the standard library's long look at it: a line of plain signs, an address of them.
LLANO = re.compile(r"[ -~]*")
LLANA = re.compile(r"[A-Za-z0-9.+_-]+@[A-Za-z0-9.-]+")


class Escrito(bytes):
    """The bytes of a mail, given as Django's own messages give theirs."""

    def as_bytes(self, unixfrom: bool = False, policy: object = None, linesep: str = "\n") -> bytes:
        return bytes(self) if linesep == "\n" else self.replace(b"\n", linesep.encode())


class Correo(EmailMultiAlternatives):
    """A text with its HTML. Raises ValueError (BadHeaderError) for a line break in a header."""

    def message(self, **_opciones: object) -> Escrito:  # type: ignore[override]
        cabeceras = {
            "From": self.from_email,
            "To": ", ".join(direccion(str(uno)) for uno in self.to),
            "Subject": self.subject,
            "Date": formatdate(localtime=False),
            **self.extra_headers,
        }
        partes = [
            "\n".join(f"{nombre}: {_cabecera(nombre, str(valor))}" for nombre, valor in cabeceras.items()),
            f'MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="{LIMITE}"\n',
            _parte("plain", str(self.body)),
            *(_parte("html", str(uno[0])) for uno in self.alternatives),
            f"--{LIMITE}--\n",
        ]
        return Escrito("\n".join(partes).encode("ascii"))


def direccion(correo: str) -> str:
    """An address as it goes into a header or an envelope: a plain one is what it is."""
    return correo if LLANA.fullmatch(correo) else str(sanitize_address(correo, "utf-8"))


def _cabecera(nombre: str, valor: str) -> str:
    return valor if LLANO.fullmatch(valor) else _codificada(nombre, valor)


@lru_cache(maxsize=64)  # most are the same in every mail
def _codificada(nombre: str, valor: str) -> str:
    return str(forbid_multi_line_headers(nombre, valor, "utf-8")[1])


def _parte(tipo: str, texto: str) -> str:
    lineas = texto.replace("\r\n", "\n").replace("\r", "\n")
    escrito = b2a_qp(lineas.encode(), istext=True).decode("ascii")
    cabeceras = f'Content-Type: text/{tipo}; charset="utf-8"\nContent-Transfer-Encoding: quoted-printable'
    return f"--{LIMITE}\n{cabeceras}\n\n{escrito}"

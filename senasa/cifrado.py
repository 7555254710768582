"""The age format (c2sp.org/age), with a passphrase, as a stream: no backup ever lies on a disk in the clear.

A standard format because a backup may outlive this program: `age -d` opens it anywhere. Written here, in few lines
over `cryptography`, because no Python library encrypts a stream with a passphrase; a test reads and writes with age's
own implementation.
"""

import hashlib
import hmac
import io
import os
from base64 import b64decode, b64encode
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

VERSION = b"age-encryption.org/v1\n"
TROZO = 64 * 1024
ETIQUETA = 16  # what ChaCha20-Poly1305 adds to each piece
COSTE = 17  # log2 of scrypt's N: about half a second and 128 MiB
COSTE_MAXIMO = 20  # a hostile file must not ask for more memory than a server has


class NoSeAbre(Exception):
    """The file cannot be read: another passphrase, another kind of file, damaged or cut short."""


def _base64(octetos: bytes) -> bytes:
    return b64encode(octetos).rstrip(b"=")


def _de_base64(texto: bytes) -> bytes:
    """One spelling only, as the format demands: raises ValueError for any other."""
    octetos = b64decode(texto + b"=" * (-len(texto) % 4), validate=True)
    if _base64(octetos) != texto:
        raise ValueError
    return octetos


def _derivar(llave: bytes, sal: bytes, para: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=sal or None, info=para).derive(llave)


def _envoltura(clave: str, sal: bytes, coste: int) -> ChaCha20Poly1305:
    """What wraps the file's key: the passphrase, made slow to guess."""
    kdf = Scrypt(salt=b"age-encryption.org/v1/scrypt" + sal, length=32, n=2**coste, r=8, p=1)
    return ChaCha20Poly1305(kdf.derive(clave.encode()))


def _sello(llave: bytes, cabecera: bytes) -> bytes:
    return hmac.new(_derivar(llave, b"", b"header"), cabecera, hashlib.sha256).digest()


class _Trozos:
    """One cipher and the number of the next piece. The last piece says so: a file cut short does not open."""

    def __init__(self, llave: bytes, sal: bytes) -> None:
        self.cifra = ChaCha20Poly1305(_derivar(llave, sal, b"payload"))
        self.numero = 0

    def siguiente(self, ultimo: bool) -> bytes:
        nonce = self.numero.to_bytes(11, "big") + bytes([ultimo])
        self.numero += 1
        return nonce


class Cifrador(io.RawIOBase):
    """Writes what it is given to `destino`, encrypted. `close` ends the stream and leaves `destino` open."""

    def __init__(self, destino: BinaryIO, clave: str) -> None:
        llave, sal, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
        cabecera = VERSION + b"-> scrypt %s %d\n" % (_base64(sal), COSTE)
        cabecera += _base64(_envoltura(clave, sal, COSTE).encrypt(bytes(12), llave, None)) + b"\n---"
        destino.write(cabecera + b" " + _base64(_sello(llave, cabecera)) + b"\n" + nonce)
        self.destino, self.trozos, self.resto = destino, _Trozos(llave, nonce), bytearray()

    def writable(self) -> bool:
        return True

    def write(self, datos) -> int:  # type: ignore[no-untyped-def, override]
        self.resto += datos
        while len(self.resto) > TROZO:  # the last piece is never empty, so a full one waits
            self._escribir(bytes(self.resto[:TROZO]), ultimo=False)
            del self.resto[:TROZO]
        return len(datos)

    def _escribir(self, trozo: bytes, *, ultimo: bool) -> None:
        self.destino.write(self.trozos.cifra.encrypt(self.trozos.siguiente(ultimo), trozo, None))

    def close(self) -> None:
        if not self.closed:
            self._escribir(bytes(self.resto), ultimo=True)
        super().close()


class Descifrador(io.RawIOBase):
    """Reads `origen`, which `Cifrador` or age wrote; raises NoSeAbre at the first byte that is not as it was."""

    def __init__(self, origen: BinaryIO, clave: str) -> None:
        self.origen = origen
        self.listo, self.acabado = b"", False
        self.trozos = _Trozos(*self._cabecera(clave))
        self.proximo = origen.read(TROZO + ETIQUETA)

    def _cabecera(self, clave: str) -> tuple[bytes, bytes]:
        version, receptor, cuerpo, final = (self.origen.readline(256) for _linea in range(4))
        partes = receptor.split()
        if version != VERSION or partes[:2] != [b"->", b"scrypt"] or len(partes) != 4 or not final.startswith(b"--- "):
            raise NoSeAbre("El archivo no es un respaldo cifrado con una clave (formato age).")
        try:
            sal, coste = _de_base64(partes[2]), int(partes[3])
            envuelta, sello = _de_base64(cuerpo.removesuffix(b"\n")), _de_base64(final[4:].removesuffix(b"\n"))
        except ValueError:
            raise NoSeAbre("La cabecera del respaldo está dañada.") from None
        if not 0 < coste <= COSTE_MAXIMO or len(sal) != 16:
            raise NoSeAbre("La cabecera del respaldo está dañada.")
        try:
            llave = _envoltura(clave, sal, coste).decrypt(bytes(12), envuelta, None)
        except InvalidTag:
            raise NoSeAbre("La clave no abre este respaldo (RESPALDO_CLAVE), o su cabecera está dañada.") from None
        if not hmac.compare_digest(_sello(llave, version + receptor + cuerpo + b"---"), sello):
            raise NoSeAbre("La cabecera del respaldo está dañada.")
        return llave, self.origen.read(16)

    def readable(self) -> bool:
        return True

    def readinto(self, destino) -> int:  # type: ignore[no-untyped-def, override]
        if not self.listo and not self.acabado:
            actual, self.proximo = self.proximo, self.origen.read(TROZO + ETIQUETA)
            self.acabado = not self.proximo
            try:
                self.listo = self.trozos.cifra.decrypt(self.trozos.siguiente(self.acabado), actual, None)
            except InvalidTag:
                raise NoSeAbre("El respaldo está dañado o incompleto: no es el que se escribió.") from None
        dado = self.listo[: len(destino)]
        destino[: len(dado)] = dado
        self.listo = self.listo[len(dado) :]
        return len(dado)

"""The age format: the real implementation reads ours and we read its, and no byte may change nor be missing."""

import io
import os
from random import Random

import pyrage
import pytest

from senasa import cifrado
from senasa.cifrado import TROZO, Cifrador, Descifrador, NoSeAbre

CLAVE = "una frase de paso, con ñ"


@pytest.fixture
def _barato(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrase is slow to guess on purpose; here it is opened hundreds of times."""
    monkeypatch.setattr(cifrado, "COSTE", 4)


def cifrar(claro: bytes, clave: str = CLAVE) -> bytes:
    destino = io.BytesIO()
    with Cifrador(destino, clave) as cifrador:
        for i in range(0, len(claro), 10_007):  # pieces that match no border
            cifrador.write(claro[i : i + 10_007])
    return destino.getvalue()


def descifrar(cifrado_: bytes, clave: str = CLAVE) -> bytes:
    return io.BufferedReader(Descifrador(io.BytesIO(cifrado_), clave)).read()


@pytest.mark.usefixtures("_barato")
@pytest.mark.parametrize("largo", [0, 1, TROZO - 1, TROZO, TROZO + 1, 3 * TROZO, 3 * TROZO + 5])
def test_age_opens_what_we_write_and_so_do_we(largo: int) -> None:
    claro = os.urandom(largo)
    escrito = cifrar(claro)
    assert pyrage.passphrase.decrypt(escrito, CLAVE) == claro
    assert descifrar(escrito) == claro


def test_we_open_what_age_writes() -> None:
    claro = os.urandom(2 * TROZO + 7)
    assert descifrar(pyrage.passphrase.encrypt(claro, CLAVE)) == claro


def test_guessing_is_made_slow() -> None:
    assert b" 17\n" in cifrar(b"x")[:120]


@pytest.mark.usefixtures("_barato")
def test_any_flipped_bit_and_any_cut_is_seen() -> None:
    claro, azar = os.urandom(2 * TROZO + 100), Random(5)
    escrito = cifrar(claro)
    cabecera = escrito.index(b"---") + 48
    lugares = [(lugar, bit) for lugar in range(cabecera) for bit in range(8)]
    lugares += [(azar.randrange(cabecera, len(escrito)), azar.randrange(8)) for _vez in range(60)]
    for lugar, bit in lugares:
        roto = bytearray(escrito)
        roto[lugar] ^= 1 << bit
        with pytest.raises(NoSeAbre):
            descifrar(bytes(roto))
    trozo = TROZO + 16
    principio = len(escrito) - 100 - 16 - 2 * trozo
    for largo in (
        0,
        10,
        cabecera,
        principio,
        principio + 5,
        principio + trozo,
        principio + 2 * trozo,
        len(escrito) - 1,
    ):
        with pytest.raises(NoSeAbre):
            descifrar(escrito[:largo])
    with pytest.raises(NoSeAbre):
        descifrar(escrito + b"x")


@pytest.mark.usefixtures("_barato")
def test_another_passphrase_another_file_and_a_greedy_one_are_refused_in_words() -> None:
    with pytest.raises(NoSeAbre, match="RESPALDO_CLAVE"):
        descifrar(cifrar(b"x"), "otra clave")
    with pytest.raises(NoSeAbre, match="no es un respaldo"):
        descifrar(b"PK\3\4 esto es un zip")
    with pytest.raises(NoSeAbre, match="dañada"):  # 2**40 of memory
        descifrar(cifrar(b"x").replace(b" 4\n", b" 40\n", 1))

"""What the database keeps but must not show: encrypted with a key derived from SECRET_KEY, which it never holds."""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac

__all__ = ["InvalidToken", "cifrar", "descifrar"]


def _cifra(para: str) -> MultiFernet:
    """`para` gives each use a key of its own; fallback keys still open what they closed."""
    claves = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    derivadas = (salted_hmac(f"senasa.llave.{para}", "", secret=c, algorithm="sha256").digest() for c in claves)
    return MultiFernet([Fernet(urlsafe_b64encode(clave)) for clave in derivadas])


def cifrar(texto: str, *, para: str) -> str:
    return _cifra(para).encrypt(texto.encode()).decode()


def descifrar(cifrado: str, *, para: str) -> str:
    """Raises InvalidToken for what was not closed here."""
    return _cifra(para).decrypt(cifrado.encode()).decode()

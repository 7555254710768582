"""`python -m senasa.sacar_claves RESPALDO CARPETA`: take the keys out of a backup, for a server that has none yet.

Needs no settings, which refuse to load without keys. RESPALDO_CLAVE comes from the environment, or is asked for.
"""

import os
import sys
from getpass import getpass
from pathlib import Path

from .cifrado import NoSeAbre
from .paquete import DE_LA_FIRMA, ENV, leer_claves


def sacar(ruta: Path, carpeta: Path, clave: str) -> Path:
    """Write `claves.env` and the certificate into `carpeta`, for its owner alone; nothing there is overwritten."""
    claves = leer_claves(ruta, clave)
    carpeta.mkdir(parents=True, exist_ok=True, mode=0o700)
    for ajuste, miembro in DE_LA_FIRMA.items():
        if miembro in claves:
            destino = carpeta.resolve() / Path(miembro).name
            claves[ENV] += f"{ajuste}='{destino}'\n".encode()
    for miembro, contenido in claves.items():
        destino = carpeta / Path(miembro).name
        with os.fdopen(os.open(destino, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as archivo:
            archivo.write(contenido)
    return carpeta / Path(ENV).name


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    clave = os.environ.get("RESPALDO_CLAVE") or getpass("RESPALDO_CLAVE: ")
    try:
        hecho = sacar(Path(sys.argv[1]), Path(sys.argv[2]), clave)
    except (NoSeAbre, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Claves en {hecho}: póngalas en el .env de este servidor y borre esa carpeta.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m bench [informe]`: what we cost over the libraries that we stand on, as ratios measured in one run."""

import argparse
import os

import django
from django.test.utils import setup_databases, teardown_databases

PARTES = ("informe",)


def main() -> None:
    partes = argparse.ArgumentParser(description=__doc__)
    partes.add_argument("partes", nargs="*", choices=[*PARTES, []], help="todas, si no se dice")
    partes.add_argument("--vueltas", type=int, default=20, help="veces que se mide cada cosa")
    opciones = partes.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.settings"
    django.setup()
    from bench import informe

    bases = setup_databases(verbosity=0, interactive=False)
    try:
        print(informe.tabla(informe.medir(vueltas=opciones.vueltas)))
    finally:
        teardown_databases(bases, verbosity=0)


if __name__ == "__main__":
    main()

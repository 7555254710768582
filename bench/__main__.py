"""`python -m bench [informe] [avisos] [escala]`: what we cost over what we stand on, as ratios measured in one run."""

import argparse
import os
import sys

import django

PARTES = ("informe", "avisos", "escala")


def main() -> int:
    partes = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    partes.add_argument("partes", nargs="*", choices=[*PARTES, []], help="todas, si no se dice")
    partes.add_argument("--vueltas", type=int, default=20, help="turnos en que se mide cada cosa")
    partes.add_argument("--casos", type=int, default=1_000_000, help="expedientes de la base grande")
    partes.add_argument("--avisos", type=int, default=1000, help="avisos por turno")
    partes.add_argument("--pocos", action="store_true", help="pocos moldes: para las pruebas")
    partes.add_argument("--como-esten", action="store_true", help="no rehace las bases guardadas: solo las migra")
    partes.add_argument("--verificar", action="store_true", help="recorre la bitácora de todos los expedientes")
    partes.add_argument("--escribir", action="store_true", help="pone los resultados en bench/README.md")
    opciones = partes.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.settings"
    django.setup()
    from bench import avisos, escala, informe, tabla
    from tests import molde

    filas, elegidas = [], opciones.partes or PARTES
    if {"informe", "avisos"} & {*elegidas}:
        with molde.en_una_copia():
            if "informe" in elegidas:
                filas += informe.filas(informe.medir(vueltas=opciones.vueltas))
            if "avisos" in elegidas:
                filas += avisos.filas(avisos.medir(vueltas=min(opciones.vueltas, 5), cuantos=opciones.avisos))
    if "escala" in elegidas:
        filas += escala.medir(
            casos=opciones.casos,
            vueltas=opciones.vueltas,
            pocos=opciones.pocos,
            como_esten=opciones.como_esten,
            entera=opciones.verificar,
        )
    texto = f"{tabla.tabla(filas)}\n\n{tabla.maquina()}"
    print(texto)
    if opciones.escribir:
        tabla.escribir(texto)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the bell of the bar says, and goes on saying while a page stays open."""

from functools import partial

from django.template.loader import render_to_string

from notificaciones import internos
from senasa import vivo
from senasa.models import Usuario


def pieza(usuario: Usuario) -> vivo.Pieza:
    """How many notices `usuario` has not read: one count, and a piece that whoever has as many shares."""
    n = internos.sin_leer(usuario).count()
    return vivo.pieza(f"campana:{n}", partial(render_to_string, "componentes/campana.html", {"n": n}))

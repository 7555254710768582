"""The house rules a machine can check: nothing left lying about, the arrow between apps, nobody's machine named."""

import ast
import re
import subprocess
from pathlib import Path

import allauth
import django
import pytest
from django.apps import apps

RAIZ = Path(__file__).parents[1]
FLECHA = ["senasa", "notificaciones", "expedientes", "laboratorio", "indicadores", "gestion", "dashboard"]
CODIGO = [py for app in FLECHA for py in sorted((RAIZ / app).rglob("*.py"))]
# The project's own wiring stands in the first app and must name them all.
CABLEADO = {"senasa/settings.py", "senasa/urls.py"}
PAQUETES = [Path(allauth.__file__).parent / "templates", *Path(django.__file__).parent.glob("contrib/*/templates")]
DE_DJANGO = {"400.html", "403.html", "403_csrf.html", "404.html", "500.html"}


def ruta(archivo: Path) -> str:
    return archivo.relative_to(RAIZ).as_posix()


def en(carpeta: str) -> dict[str, Path]:
    base = RAIZ / carpeta
    return {a.relative_to(base).as_posix(): a for a in sorted(base.rglob("*")) if a.is_file()}


def nombrados() -> set[str]:
    """Every quoted word in the code, the templates and the style sheet."""
    textos = [*CODIGO, *en("templates").values(), *(RAIZ / "static").rglob("*.css")]
    return {palabra for t in textos for palabra in re.findall(r"""["']([\w./-]+)["']""", t.read_text())}


def test_every_template_is_used():
    usados = nombrados()
    sobran = [
        nombre
        for nombre in en("templates")
        if nombre not in usados | DE_DJANGO
        and not any((paquete / nombre).exists() for paquete in PAQUETES)
        # A notice's mail is found by the notice's name.
        and not (nombre.startswith("correos/") and Path(nombre).stem in usados)
    ]
    assert sobran == []


def test_every_static_file_is_used():
    usados = {Path(nombre).name for nombre in nombrados()}
    assert [nombre for nombre in en("static") if Path(nombre).name not in usados] == []


def test_no_foreign_key_points_right():
    modelos = [modelo for modelo in apps.get_models() if modelo._meta.app_label in FLECHA]
    al_reves = [
        str(campo)
        for modelo in modelos
        for campo in [*modelo._meta.fields, *modelo._meta.many_to_many]
        if campo.related_model and campo.related_model._meta.app_label in FLECHA
        and FLECHA.index(campo.related_model._meta.app_label) > FLECHA.index(modelo._meta.app_label)
    ]  # fmt: skip
    assert al_reves == []


@pytest.mark.parametrize("app", FLECHA[:-1])
def test_no_import_and_no_name_in_a_string_points_right(app):
    derecha = FLECHA[FLECHA.index(app) + 1 :]
    apunta = re.compile(rf"({'|'.join(derecha)})(\.\w+)*")
    al_reves = []
    for archivo in CODIGO:
        if not ruta(archivo).startswith(f"{app}/") or ruta(archivo) in CABLEADO:
            continue
        for nodo in ast.walk(ast.parse(archivo.read_text())):
            match nodo:
                case ast.Import(names=nombres):
                    dichos = [nombre.name for nombre in nombres]
                case ast.ImportFrom(module=str(modulo), level=0):
                    dichos = [modulo]
                case ast.Call(
                    func=ast.Attribute(attr="get_model" | "get_app_config"), args=[ast.Constant(str(uno)), *_]
                ):
                    dichos = [uno]
                case ast.Constant(value=str(texto)) if "." in texto:
                    dichos = [texto]
                case _:
                    continue
            al_reves += [f"{ruta(archivo)}:{nodo.lineno} {dicho}" for dicho in dichos if apunta.fullmatch(dicho)]
    assert al_reves == []


def test_no_module_is_a_drawer():
    cajones = {"utils", "helpers", "mixins", "managers", "signals"}
    assert [ruta(py) for py in CODIGO if cajones & {py.stem, *py.parent.parts[len(RAIZ.parts) :]}] == []


def test_nobodys_machine_and_no_registry_is_named():
    git = subprocess.run(["git", "ls-files", "-z"], cwd=RAIZ, capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("not a git checkout")
    carpeta = re.compile(r"(?<![\w.}])/(?:home|root|Users|work|mnt|opt)/[\w.]")
    registro = re.compile(
        r"(?m)^\s*(?:-i|-f|--(?:extra-)?index-url|--find-links|--trusted-host)\b|://[^/\s]*pypi|/[s]imple\b"
    )
    hallados = []
    for nombre in filter(None, git.stdout.split("\0")):
        try:
            texto = (RAIZ / nombre).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        hallados += [f"{nombre}: {h[0].strip()}" for patron in (carpeta, registro) for h in patron.finditer(texto)]
    assert hallados == []


def test_a_month_said_short_is_written_small():
    """«16 nov», not «16 Nov»: Django's M, alone of its letters, comes with a capital in Spanish."""
    corta = re.compile(r"""date:(["'])(?!DATE)(?:(?!\1).)*M(?:(?!\1).)*\1(?!\|lower)""")
    paginas = [t for nombre, t in en("templates").items() if nombre.endswith(".html")]
    assert [ruta(t) for t in paginas if corta.search(t.read_text())] == []

"""Finding a case by anything that is written on its papers."""

import re

from django.db.models import Exists, Func, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Lower
from django.utils import timezone

from expedientes.models import TERMINADOS, Dictamen, Documento, Expediente, Partida, Producto
from expedientes.numeros import normalizar_contenedor, normalizar_guia_aerea
from laboratorio.models import Informe, Muestra
from senasa.models import ROLES_DE_LABORATORIO, Puesto, Usuario

TOPE = 50
CON_TILDE, LLANAS = "áéíóúüñ", "aeiouun"


def leer(q: str) -> str:
    """What was typed, on one line; PostgreSQL takes no NUL."""
    return " ".join(q.replace("\x00", " ").split())[:80]


def plano(texto: str) -> str:
    """As the stored column `nombre_plano` writes names."""
    return texto.lower().translate(str.maketrans(CON_TILDE, LLANAS))


def exactos(q: str, casos: QuerySet[Expediente]) -> list[int]:
    """Ids of the cases of which `q` is a whole number or name of a paper, newest first."""
    variantes = {q, q.upper()}
    claves = Q()
    for campo in ("numero", "numero_anterior", "pfi", "certificado", "suce", "dam", "bl"):
        claves |= Q(**{f"{campo}__in": variantes})
    claves |= Q(guia_aerea=normalizar_guia_aerea(q))
    if re.fullmatch(r"\d{1,6}", q):
        claves |= Q(numero__in=_numeros_cortos(int(q)))
    mayusculas = re.sub(r"-V\d+$", "", q.upper())
    consultas = [
        casos.filter(claves),
        casos.filter(partidas__contenedores__numero=normalizar_contenedor(q)),
        casos.filter(pk__in=Muestra.objects.filter(numero=mayusculas).values("expediente")),
        casos.filter(pk__in=Informe.objects.filter(numero=mayusculas).values("expediente")),
        casos.filter(pk__in=Documento.objects.filter(numero=mayusculas).values("expediente")),
        casos.filter(pk__in=Dictamen.objects.filter(numero=mayusculas).values("partida__expediente")),
        casos.filter(importador__numero_documento=q.upper()),
    ]
    # One query for each key, each on its index: a single OR across tables would read them all.
    return _ids(consultas)


def con_producto(*palabras: str) -> Exists:
    """Whether some line of the case is of a product named by all of `palabras`, plain. The catalogue is short."""
    sin_tildes = Func(Lower("nombre"), Value(CON_TILDE), Value(LLANAS), function="translate", output_field=TextField())
    productos = Producto.objects.order_by().alias(sin_tildes=sin_tildes)
    for palabra in palabras:
        productos = productos.filter(sin_tildes__contains=palabra)
    return Exists(Partida.objects.filter(expediente=OuterRef("pk"), producto__in=productos))


def parecidos(q: str, casos: QuerySet[Expediente]) -> list[int]:
    """Ids of the cases whose importer's name has every word of `q`, or of the open ones, their ship's or the name of a
    product of theirs; newest first."""
    if len(q) < 3:
        return []
    por_nombre, por_nave = Q(), Q()
    for palabra in plano(q).split():
        por_nombre &= Q(importador__nombre_plano__contains=palabra)
    for palabra in q.split():
        por_nave &= Q(nave__icontains=palabra)
    abiertos = casos.exclude(estado__in=TERMINADOS)
    return _ids([casos.filter(por_nombre), abiertos.filter(por_nave), abiertos.filter(con_producto(*plano(q).split()))])


def buscar(q: str, usuario: Usuario) -> tuple[list[Expediente], bool]:
    """Cases that `usuario` may see and `q` names, the newest first, `TOPE` at most; and whether it names just one."""
    casos = Expediente.objects.visibles_para(usuario)
    if not q:
        return [], False
    ids = exactos(q, casos)
    exacto = len(ids) == 1
    ids = ids or parecidos(q, casos)
    return list(casos.filter(pk__in=ids[:TOPE]).select_related("importador", "puesto").order_by("-pk")), exacto


def en_el_laboratorio(q: str, usuario: Usuario) -> str:
    """For bench staff, who see no cases: the URL name of the page of the sample or report that `q` numbers."""
    for nombre, modelo in (("muestra", Muestra), ("informe", Informe)):
        if usuario.tiene(*ROLES_DE_LABORATORIO) and modelo.objects.filter(numero=q.upper()).exists():
            return nombre
    return ""


def _ids(consultas: list[QuerySet[Expediente]]) -> list[int]:
    hallados: set[int] = set()
    for consulta in consultas:
        hallados.update(consulta.order_by("-pk").values_list("pk", flat=True)[:TOPE])
    return sorted(hallados, reverse=True)


def _numeros_cortos(n: int) -> list[str]:
    """«123», said over the telephone, is case 000123 of this year or the last, of any post."""
    este = timezone.localdate().year
    codigos = Puesto.objects.values_list("codigo", flat=True)
    return [f"{codigo}-{anio}-{n:06d}" for codigo in codigos for anio in (este, este - 1)]

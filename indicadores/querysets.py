"""The cases behind each number of the programme: the same conditions, as a list that whoever asks may see."""

from datetime import date

from django.db.models import F, Q, QuerySet
from django.db.models.expressions import RawSQL

from expedientes.models import Estado, Expediente, Hitos
from senasa import reloj
from senasa.models import Puesto, Usuario

from .guardado import limites
from .programa import ABIERTOS_AL, DIAS_DE_ENVIO, DIAS_DEL_CICLO, DIAS_DEL_REZAGO, dias

# Each number that opens its cases, and what the list is called.
LISTAS = {
    "ciclo": "Cerrados en el período, con muestra",
    "a_tiempo": f"Cerrados en menos de {DIAS_DEL_CICLO} días",
    "tarde": f"Cerrados en {DIAS_DEL_CICLO} días o más",
    "decision": "Decididos sobre un informe y cerrados en el período",
    "sin_muestra": "Cerrados sin muestra",
    "sin_informe": "Cerrados con muestra y decididos sin informe",
    "decision_antes_del_informe": "Con la decisión anotada antes que el informe",
    "envio": f"Muestreados en el período, con sus {DIAS_DE_ENVIO} días ya cumplidos",
    "envio_tarde": f"Muestreados y no enviados en {DIAS_DE_ENVIO} días",
    "plazo_no_vencido": f"Muestreados hace menos de {DIAS_DE_ENVIO} días",
    "rezago": f"Abiertos hace más de {DIAS_DEL_REZAGO} días, desde su primera muestra",
    "rezago_sin_muestra": f"Abiertos sin muestra hace más de {DIAS_DEL_REZAGO} días, desde su solicitud",
    "anulados": "Anulados después de la toma",
}


def de_la_lista(cual: str, usuario: Usuario, desde: date, hasta: date, puesto: Puesto | None = None) -> QuerySet[Hitos]:
    """The rows behind the number `cual` of `LISTAS`, of the cases that `usuario` may see, the slowest first."""
    inicio, fin = limites(desde, hasta)
    ahora = reloj.ahora()
    al = min(fin, ahora)
    cerrados = Q(t7__gte=inicio, t7__lt=fin)
    muestreados = Q(t1__gte=inicio, t1__lt=fin)
    vencidos = muestreados & Q(t1__lt=ahora - dias(DIAS_DE_ENVIO))
    a_tiempo = Q(t2__lte=F("t1") + dias(DIAS_DE_ENVIO))
    viejos, sin_tomar = al - dias(DIAS_DEL_REZAGO), Q(t1=None) | Q(t1__gt=al)
    condicion = {
        "ciclo": cerrados & Q(t1__isnull=False),
        "a_tiempo": cerrados & Q(t7__lt=F("t1") + dias(DIAS_DEL_CICLO)),
        "tarde": cerrados & Q(t7__gte=F("t1") + dias(DIAS_DEL_CICLO)),
        "decision": cerrados & Q(t1__isnull=False, t6__gte=F("t5")),
        "sin_muestra": cerrados & Q(t1=None),
        "sin_informe": cerrados & Q(t1__isnull=False, t5=None),
        "decision_antes_del_informe": cerrados & Q(t1__isnull=False, t6__lt=F("t5")),
        "envio": vencidos,
        "envio_tarde": vencidos & (Q(t2=None) | ~a_tiempo),
        "plazo_no_vencido": muestreados & Q(t1__gte=ahora - dias(DIAS_DE_ENVIO)),
        "rezago": Q(t1__lt=viejos),
        "rezago_sin_muestra": sin_tomar & Q(t0__lt=viejos),
        "anulados": Q(fin__gte=inicio, fin__lt=fin, t1__isnull=False, expediente__estado=Estado.ANULADO),
    }[cual]
    filas = Hitos.objects.filter(condicion, expediente__in=Expediente.objects.visibles_para(usuario))
    if cual.startswith("rezago"):
        abiertos = RawSQL(  # noqa: S611 - our own text
            f"SELECT expediente_id FROM expedientes_hitos, (SELECT %s::timestamptz AS al) p WHERE {ABIERTOS_AL}",  # noqa: S608
            [al],
        )
        filas = filas.filter(pk__in=abiertos)
    if puesto:
        filas = filas.filter(puesto=puesto)
    orden = {
        "decision": F("t6") - F("t5"),
        "envio": F("t2") - F("t1"),
        "envio_tarde": F("t2") - F("t1"),
    }.get(cual, F("t7") - F("t1"))
    if cual.startswith("rezago") or cual == "plazo_no_vencido":
        filas = filas.order_by("t0", "pk")
    else:
        filas = filas.order_by(orden.desc(nulls_first=True), "pk")
    return filas.select_related("expediente__importador", "producto", "origen", "puesto")

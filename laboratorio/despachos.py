"""Manifests: what leaves a post in one car, whatever the cases and lines it belongs to."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from expedientes import bitacora, numeros
from expedientes.models import Expediente
from expedientes.pdf import componer, qr
from senasa import reloj
from senasa.models import Puesto, Usuario
from senasa.transicion import DatoInvalido

from .models import Analisis, Conciliacion, Despacho, EstadoMuestra, Muestra

SERIE = "DM"
# How the log calls it, of a sample that was not in the box.
FALTO = "falto_al_conciliar"
DESENLACES = {
    EstadoMuestra.ENVIADA: Conciliacion.Desenlace.FALTO,
    EstadoMuestra.RECHAZADA: Conciliacion.Desenlace.RECHAZADA,
    EstadoMuestra.PERDIDA: Conciliacion.Desenlace.PERDIDA,
}


def abiertos(puesto: Puesto, *, en: datetime | None = None) -> QuerySet[Despacho]:
    """The manifests of `puesto` that one more box can still join: left about then, not checked off yet. Newest first.

    About: whoever writes down in the evening what left in the morning may begin with either line.
    """
    momento, horas = en or reloj.ahora(), timedelta(hours=settings.DESPACHO_ABIERTO_HORAS)
    hace_poco = Despacho.objects.filter(salio_en__range=(momento - horas, momento + horas))
    return hace_poco.filter(puesto=puesto, conciliado_en=None).order_by("-pk")


def subir_a(
    despacho: Despacho | None, *, puesto: Puesto, actor: Usuario, momento: datetime, transporte: str
) -> Despacho:
    """The manifest on which what leaves at `momento` travels: `despacho` if it may still take it, else a new one.

    Within the caller's transaction, which holds the case: cases are locked before manifests, always.
    """
    if despacho is None:
        return Despacho.objects.create(
            numero=numeros.siguiente(SERIE), puesto=puesto, transporte=transporte, salio_en=momento, enviado_por=actor
        )
    despacho = Despacho.objects.select_for_update().get(pk=despacho.pk)
    if not abiertos(puesto, en=momento).filter(pk=despacho.pk).exists():
        raise DatoInvalido(
            {
                "despacho": _("El manifiesto %(despacho)s ya no admite más muestras: llegó, o salió hace demasiado. "
                              "Elija «un manifiesto nuevo».") % {"despacho": despacho}
            }
        )  # fmt: skip
    return despacho


def cerrar(despacho: Despacho, actor: Usuario) -> None:
    """Close a manifest with an outcome for each sample, within the caller's transaction, which holds its row."""
    despacho.conciliado_en, despacho.conciliado_por = reloj.ahora(), actor
    despacho.save(update_fields=["conciliado_en", "conciliado_por"])
    for muestra in muestras_de(despacho):
        desenlace = DESENLACES.get(EstadoMuestra(muestra.estado), Conciliacion.Desenlace.LLEGO)
        Conciliacion.objects.create(despacho=despacho, muestra=muestra, desenlace=desenlace)
        if desenlace == Conciliacion.Desenlace.FALTO:
            caso = Expediente.objects.get(pk=muestra.expediente_id)  # the log's head moved with what was received
            bitacora.anotar(caso, objeto=muestra, accion=FALTO, actor=actor, datos={"despacho": despacho.numero})


def cerrar_si_llego_todo(muestra: Muestra, actor: Usuario) -> None:
    """Close the manifest of `muestra` when nothing of it is on the road any more: box by box, it has been checked off.

    Within the transaction of the act that received the sample or gave it up. Of two who receive the last two boxes
    at once, the second waits for the manifest's row and sees that all is there.
    """
    if muestra.solicitud is None or muestra.solicitud.despacho_id is None:
        return
    despacho = Despacho.objects.select_for_update().get(pk=muestra.solicitud.despacho_id)
    por_llegar = Muestra.objects.filter(solicitud__despacho=despacho, estado=EstadoMuestra.ENVIADA)
    if despacho.conciliado_en is None and not por_llegar.exists():
        cerrar(despacho, actor)


def en_camino(despachos: QuerySet[Despacho]) -> QuerySet[Despacho]:
    """Those not checked off, each with how much it carries: perishable first, then what left longest ago.

    Annotates `cuantas`, `por_llegar`, `demoradas`, `perecible`.
    """
    suya = Q(solicitudes__muestras__estado=EstadoMuestra.ENVIADA)
    perecible = Muestra.objects.filter(solicitud__despacho=OuterRef("pk"), partida__producto__perecible=True)
    return (
        despachos.filter(conciliado_en=None)
        .select_related("puesto", "enviado_por")
        .annotate(
            cuantas=Count("solicitudes__muestras"),
            por_llegar=Count("solicitudes__muestras", filter=suya),
            demoradas=Count(
                "solicitudes__muestras", filter=suya & Q(solicitudes__muestras__demora_avisada_en__isnull=False)
            ),
            perecible=Exists(perecible),
        )
        .order_by("-perecible", "salio_en", "pk")
    )


def conciliados(despachos: QuerySet[Despacho]) -> QuerySet[Despacho]:
    """Those checked off, the last first, with how many of how many had come (`llegaron`, `cuantas`)."""
    return (
        despachos.exclude(conciliado_en=None)
        .select_related("puesto", "conciliado_por")
        .annotate(
            cuantas=Count("conciliaciones"),
            llegaron=Count("conciliaciones", filter=Q(conciliaciones__desenlace__in=["llego", "rechazada"])),
        )
        .order_by("-conciliado_en")
    )


def muestras_de(despacho: Despacho) -> list[Muestra]:
    """What a manifest lists, in the order of the boxes: each with its tests and, if any, its label."""
    return list(
        Muestra.objects.filter(solicitud__despacho=despacho)
        .select_related(
            "partida__producto", "partida__pais_origen", "expediente__puesto", "solicitud", "rotulo", "conciliacion"
        )
        .order_by("pk")
    )


def ensayos_de(muestras: list[Muestra]) -> dict[int, list[str]]:
    """The tests asked for each sample, by its id, in one query."""
    pedidos: dict[int, list[str]] = {muestra.pk: [] for muestra in muestras}
    for analisis in Analisis.objects.filter(muestra__in=pedidos).select_related("metodo__disciplina", "plaga"):
        pedidos[analisis.muestra_id].append(f"{analisis.metodo} ({analisis.plaga.nombre})")
    return pedidos


def pdf_del_manifiesto(despacho: Despacho) -> bytes:
    """What travels with the box: every sample with its seal and its tests, lines to sign, a QR to its page."""
    muestras = muestras_de(despacho)
    ensayos = ensayos_de(muestras)
    direccion = settings.SITIO_URL + despacho.get_absolute_url()
    contexto = {
        "despacho": despacho,
        "filas": [(muestra, ensayos[muestra.pk]) for muestra in muestras],
        "laboratorio": {"nombre": settings.LABORATORIO_NOMBRE, "direccion": settings.LABORATORIO_DIRECCION},
        "direccion": direccion,
        "qr": qr(direccion),
    }
    return componer("pdf/manifiesto.html", contexto)

"""Taking an action about what is late, closing it with its outcome, and telling the jefe of what nobody reads.

Keyword-only, one transaction; all raise `ActoRechazado` or `DatoInvalido` and then store nothing.
"""

from datetime import date

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from expedientes import avisos, bitacora, lectura
from expedientes.models import Documento, Expediente
from notificaciones import internos
from senasa import reloj
from senasa.models import Puesto, Rol, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from . import atrasos
from .models import Accion, Escalamiento

TOMAR, CERRAR = "tomar_accion", "cerrar_accion"
# Of those that are due, how many one sweep brings up.
LOTE = 200


@transaction.atomic
def tomar_accion(
    *, expediente: Expediente, tipo: str, objeto_id: int, actor: Usuario, que_hara: str, responsable: Usuario,
    para_el: date,
) -> Accion:  # fmt: skip
    """Answer a breach of `expediente` with what will be done, by whom and until which day (of Lima, included)."""
    caso = Expediente.objects.select_for_update().get(pk=expediente.pk)
    atraso = atrasos.uno(tipo, objeto_id)
    if atraso is None:
        raise EstadoImpide(_("Esto ya no está atrasado: no hace falta una acción."))
    if not atrasos.responde(actor, caso, de_laboratorio=atraso.de_laboratorio):
        raise RolImpide(_("La acción la toma el jefe del puesto o, si lo debe el laboratorio, su director."))
    if Accion.objects.filter(incumplimiento=tipo, objeto_id=objeto_id, cerrada_en=None).exists():
        raise EstadoImpide(_("Este atraso ya tiene una acción abierta."))
    if not que_hara.strip():
        raise DatoInvalido({"que_hara": _("Escriba qué se hará.")})
    if not atrasos.responsables(caso, de_laboratorio=atraso.de_laboratorio).filter(pk=responsable.pk).exists():
        raise DatoInvalido({"responsable": _("Elija a alguien en actividad del lado que lo debe.")})
    if para_el < timezone.localdate(reloj.ahora()):
        raise DatoInvalido({"para_el": _("La fecha no puede haber pasado ya.")})
    accion = Accion.objects.create(
        expediente=caso, incumplimiento=tipo, objeto_id=objeto_id, vencio_en=atraso.vencio_en, que_hara=que_hara,
        responsable=responsable, para_el=para_el, autor=actor, abierta_en=reloj.ahora(),
    )  # fmt: skip
    bitacora.anotar(
        caso, objeto=accion, accion=TOMAR, actor=actor, texto=que_hara,
        datos={"atraso": tipo, "responsable": responsable.firma_corta, "para_el": para_el.isoformat()},
    )  # fmt: skip
    if responsable != actor:
        _avisar("accion_encargada", accion, responsable)
    return accion


def puede_cerrar(usuario: Usuario, accion: Accion) -> bool:
    """Whoever is responsible for it or took it, and the jefe of the case's post."""
    if usuario.pk in (accion.responsable_id, accion.autor_id):
        return True
    return atrasos.responde(usuario, accion.expediente, de_laboratorio=False)


@transaction.atomic
def cerrar_accion(*, accion: Accion, actor: Usuario, desenlace: str) -> Accion:
    """Close it, once, saying what came of it; what it was about may be late still, and then wants another."""
    caso = Expediente.objects.select_for_update().get(pk=accion.expediente_id)
    accion = Accion.objects.select_related("expediente", "autor", "responsable").get(pk=accion.pk)
    if not puede_cerrar(actor, accion):
        raise RolImpide(_("La cierra su responsable, quien la tomó o el jefe del puesto."))
    if accion.cerrada_en:
        raise EstadoImpide(_("Esta acción ya está cerrada."))
    if not desenlace.strip():
        raise DatoInvalido({"desenlace": _("Escriba en qué terminó.")})
    accion.desenlace, accion.cerrada_por, accion.cerrada_en = desenlace, actor, reloj.ahora()
    accion.save(update_fields=["desenlace", "cerrada_por", "cerrada_en"])
    bitacora.anotar(
        caso, objeto=accion, accion=CERRAR, actor=actor, texto=desenlace, datos={"atraso": accion.incumplimiento}
    )
    internos.dar_por_leidos(referencia=referencia(accion))
    for otro in {accion.autor, accion.responsable} - {actor}:
        _avisar("accion_cerrada", accion, otro)
    return accion


def referencia(accion: Accion) -> str:
    return f"accion:{accion.pk}"


def _avisar(aviso: str, accion: Accion, quien: Usuario) -> None:
    avisos.deber_al_personal(
        [quien], aviso, clave=f"{aviso}:{accion.pk}", url=reverse("expediente", args=[accion.expediente.numero]),
        referencia=referencia(accion), por_correo=False, accion=accion, expediente=accion.expediente,
    )  # fmt: skip


def jefes_de(puesto: Puesto) -> list[Usuario]:
    jefes = Usuario.objects.filter(is_active=True, puestos=puesto, roles__contains=[Rol.JEFE_DE_PUESTO])
    return list(jefes.order_by("pk"))


def escalar_informes() -> int:
    """Tell the jefe, by bell and mail, once for each version, of the reports that nobody reads; how many."""
    debidos = atrasos.informes_sin_leer(reloj.ahora()).filter(
        ~Exists(Escalamiento.objects.filter(documento=OuterRef("pk")))
    )
    escalados = 0
    for pk in debidos.order_by("publicado_en").values_list("pk", flat=True)[:LOTE]:
        with transaction.atomic():
            documento = Documento.objects.select_related("expediente__puesto", "partida__producto").get(pk=pk)
            assert documento.expediente  # a test report is always of a case
            _fila, nueva = Escalamiento.objects.get_or_create(
                documento=documento, defaults={"escalado_en": reloj.ahora()}
            )
            if not nueva:  # another worker was faster
                continue
            avisos.deber_al_personal(
                jefes_de(documento.expediente.puesto), "informe_sin_leer", clave=f"sin_leer:{pk}",
                url=reverse("expediente", args=[documento.expediente.numero]),
                referencia=lectura.referencia(documento), documento=documento, partida=documento.partida,
                expediente=documento.expediente,
            )  # fmt: skip
            escalados += 1
    return escalados

"""What another registry says was done, where here it would have left a signed document: nothing is issued or signed.

Called within `lifecycle.trayendo`, by `laboratorio/en_curso.py` alone. A report or a RIV on paper stays what it is, a
number and a date on paper: it is named, it binds the decisions that follow, and no Documento stands for it.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction

from senasa.models import Usuario

from . import avisos, bitacora, numeros
from .lifecycle import PARTIDA, Accion, avanzar, exigir_motivo
from .models import Dictamen, Documento, Evento, Expediente, InformeEnPapel, Partida, Plaga
from .services import exigir_que_quepa, informes_en_papel


def quien() -> Usuario:
    """Who stands where a row must name a user: nobody who can sign in, without any role."""
    return Usuario.objects.get_or_create(
        username="registro-anterior",
        defaults={
            "first_name": "Registro anterior",
            "email": "registro-anterior@migracion.invalid",
            "is_active": False,
            "password": make_password(None),
        },
    )[0]


@transaction.atomic
def informar_en_papel(
    *,
    partida: Partida,
    numero: str,
    emitido_en: datetime,
    conclusion: str,
    plaga: Plaga | None,
    completa: bool,
) -> InformeEnPapel:
    """Note a report on paper; with `completa` it was the last one that the line waited for in the laboratory."""
    informe = InformeEnPapel.objects.create(
        partida=partida,
        numero=numero,
        emitido_en=emitido_en,
        conclusion=conclusion,
        plaga=plaga,
        impide_ingreso=conclusion == Documento.Conclusion.POSITIVO and bool(plaga and plaga.cuarentenaria),
    )
    if completa:
        avanzar(
            partida, Accion.EMITIR, tabla=PARTIDA, actor=None, ocurrio_en=emitido_en,
            datos={"informe_en_papel": numero, "conclusion": conclusion, "plaga": plaga.eppo if plaga else ""},
        )  # fmt: skip
    return informe


@transaction.atomic
def dictaminar_en_papel(
    *, partida: Partida, riv: str, decision: str, fundamento: str, motivo: str = "", ocurrio_en: datetime
) -> Dictamen:
    """Note a decision whose RIV, number `riv`, was signed on paper. Without a report it needs the motive (†)."""
    exigir_que_quepa(partida, decision)
    en_papel = informes_en_papel(partida)
    accion = Accion.DICTAMINAR if en_papel else Accion.DICTAMINAR_SIN_MUESTRA
    if not en_papel:
        exigir_motivo(accion, motivo, fundamento)
    dictamen = Dictamen.objects.create(
        partida=partida,
        numero=numeros.siguiente("DP"),
        riv_en_papel=riv,
        decision=decision,
        fundamento=fundamento,
        inspector=quien(),
        ocurrio_en=ocurrio_en,
    )
    dictamen.informes_en_papel.set(en_papel)
    avanzar(
        partida, accion, tabla=PARTIDA, actor=None, ocurrio_en=ocurrio_en, motivo=motivo, texto=fundamento,
        datos={"riv": riv, "decision": decision, "informes": [str(informe) for informe in en_papel]},
    )  # fmt: skip
    return dictamen


@transaction.atomic
def incorporar(*, expediente: Expediente, fuente: dict[str, Any], avisar: bool) -> Evento:
    """Close the history that was brought: from here on the case is this system's. `avisar`: send the link, if open."""
    caso = Expediente.objects.select_for_update().get(pk=expediente.pk)
    evento = bitacora.anotar(caso, objeto=caso, accion="incorporar", actor=None, datos={"fuente": fuente})
    if avisar and caso.abierto:
        avisos.deber("incorporado", expediente=caso, evento=evento)
    return evento

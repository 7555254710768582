"""Labels: printed with a sample's data, or printed blank and bound to it on the quay; and what a reader of them reads.

The QR of a label is an address: any phone's camera opens it. A blank label carries a code of forty random bits,
short enough to be typed; whoever guesses one still has to sign in, at the post that printed it.
"""

import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from expedientes.lifecycle import avanzar
from expedientes.models import Evento, Expediente
from expedientes.pdf import componer, qr
from senasa import reloj
from senasa.models import ROLES_DE_PUESTO, Puesto, Usuario
from senasa.transicion import DatoInvalido, EstadoImpide, RolImpide

from .lifecycle import MUESTRA, Accion
from .models import EstadoMuestra, Muestra, Rotulo, TandaRotulos
from .querysets import ConsultaMuestra

# Base 32 (RFC 4648): no digit that looks like one of its letters.
ALFABETO = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
PARECIDOS = str.maketrans("0189", "OIBG")
LARGO = 8
POR_FILA, POR_HOJA = 3, 24  # A4, three by eight of 70 × 37 mm, as sold
MAXIMO = 240
NUMERO = re.compile(r"M\W?(\d{4})\W?(\d{6})(?!\d)")


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def numero_en(texto: str) -> str:
    """The sample number that `texto` is or contains, "" when there is none.

    A reader set to another keyboard writes other signs for «-», «/» and «:», so only letters and digits count.
    """
    hallado = NUMERO.search(texto.upper())
    return f"M-{hallado[1]}-{hallado[2]}" if hallado else ""


def codigo_en(texto: str) -> str:
    """The label code that `texto` is or, an address, ends with; "" when it cannot be one."""
    limpio = re.sub(r"[^A-Z0-9]", "", texto.upper())[-LARGO:].translate(PARECIDOS)
    return f"{limpio[:4]}-{limpio[4:]}" if len(limpio) == LARGO and set(limpio) <= set(ALFABETO) else ""


def buscar(texto: str, muestras: ConsultaMuestra) -> Muestra:
    """The one of `muestras` that was scanned or typed: its number, the address of its label, its label's code or,
    if no other on the road has the same, its seal. DatoInvalido on `codigo` says why there is none."""
    texto = texto.strip()
    if numero := numero_en(texto):
        if muestra := muestras.filter(numero=numero).first():
            return muestra
        raise DatoInvalido({"codigo": _("No existe la muestra %(numero)s.") % {"numero": numero}})
    rotulo = Rotulo.objects.filter(codigo=codigo_en(texto)).select_related("tanda__puesto").first()
    if rotulo and rotulo.muestra_id and (muestra := muestras.filter(pk=rotulo.muestra_id).first()):
        return muestra
    if rotulo and not rotulo.muestra_id:
        raise DatoInvalido(
            {
                "codigo": _("El rótulo %(rotulo)s, del %(puesto)s, no está pegado a ninguna muestra: búsquela por su "
                            "número o su precinto, y pregunte al puesto.")
                % {"rotulo": rotulo, "puesto": rotulo.tanda.puesto}
            }
        )  # fmt: skip
    con_precinto = muestras.filter(precinto__iexact=texto) if texto else muestras.none()
    hallados = list(con_precinto.filter(estado=EstadoMuestra.ENVIADA)[:4]) or list(con_precinto.order_by("-pk")[:4])
    if len(hallados) == 1:
        return hallados[0]
    if hallados:
        cuales = ", ".join(map(str, hallados))
        mensaje = _("El precinto «%(texto)s» lo llevan varias muestras (%(cuales)s): use el número.")
        raise DatoInvalido({"codigo": mensaje % {"texto": texto, "cuales": cuales}})
    mensaje = _("No hay ninguna muestra con «%(texto)s»: revise el número, el rótulo o el precinto.")
    raise DatoInvalido({"codigo": mensaje % {"texto": texto[:80]}})


# ── Binding ───────────────────────────────────────────────────────────────────────────────────────


def libre(texto: str, puesto: Puesto) -> Rotulo:
    """The blank label that was typed or scanned, fit for a sample of `puesto`, or why not (DatoInvalido: `rotulo`)."""
    rotulo = Rotulo.objects.filter(codigo=codigo_en(texto)).select_related("tanda__puesto", "muestra").first()
    if rotulo is None:
        raise DatoInvalido({"rotulo": _("No conocemos el rótulo «%(texto)s»: son ocho letras o cifras, como "
                                        "ABCD-2345.") % {"texto": texto[:40]}})  # fmt: skip
    if rotulo.muestra:
        raise DatoInvalido({"rotulo": _("El rótulo %(rotulo)s ya está en la muestra %(muestra)s: use otro.")
                            % {"rotulo": rotulo, "muestra": rotulo.muestra}})  # fmt: skip
    if rotulo.tanda.puesto_id != puesto.pk:
        raise DatoInvalido({"rotulo": _("El rótulo %(rotulo)s es del %(suyo)s y esta muestra, del %(puesto)s: use uno "
                                        "de su puesto.")
                            % {"rotulo": rotulo, "suyo": rotulo.tanda.puesto, "puesto": puesto}})  # fmt: skip
    return rotulo


@transaction.atomic
def rotular(
    *, muestra: Muestra, rotulo: Rotulo, actor: Usuario, ocurrio_en: datetime | None = None, texto: str = ""
) -> Evento:
    """Bind a blank label of the post to a sample that has none. It is never moved."""
    expediente = Expediente.objects.select_for_update().get(pk=muestra.expediente_id)
    rotulo = Rotulo.objects.select_for_update().get(pk=rotulo.pk)
    if rotulo.muestra_id:
        raise EstadoImpide(_("El rótulo %(rotulo)s ya está en una muestra: no se mueve a otra.") % {"rotulo": rotulo})
    libre(rotulo.codigo, expediente.puesto)
    if previo := Rotulo.objects.filter(muestra=muestra).first():
        raise EstadoImpide(
            _("La muestra %(muestra)s ya lleva el rótulo %(rotulo)s.") % {"muestra": muestra, "rotulo": previo}
        )
    evento = avanzar(
        muestra, Accion.ROTULAR, tabla=MUESTRA, actor=actor, ocurrio_en=ocurrio_en, texto=texto,
        datos={"rotulo": rotulo.codigo},
    )  # fmt: skip
    rotulo.muestra, rotulo.vinculado_en = muestra, evento.ocurrio_en
    rotulo.save(update_fields=["muestra", "vinculado_en"])
    return evento


# ── Printing ──────────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def imprimir_en_blanco(*, puesto: Puesto, actor: Usuario, cuantos: int) -> TandaRotulos:
    """Make `cuantos` new blank labels for `puesto`, each with its own code."""
    if not actor.tiene(*ROLES_DE_PUESTO) or not actor.puestos.filter(pk=puesto.pk).exists():
        raise RolImpide(_("Los rótulos de un puesto los imprime su personal."))
    tanda = TandaRotulos.objects.create(puesto=puesto, impresa_por=actor, impresa_en=reloj.ahora(), cuantos=cuantos)
    Rotulo.objects.bulk_create(Rotulo(tanda=tanda, codigo=_nuevo_codigo()) for _n in range(cuantos))
    return tanda


def _nuevo_codigo() -> str:
    """Forty random bits; two alike would be refused by the database, once in a million million."""
    letras = "".join(secrets.choice(ALFABETO) for _n in range(LARGO))
    return f"{letras[:4]}-{letras[4:]}"


def direccion_de(algo: Muestra | Rotulo) -> str:
    """Where the QR leads: the sample's page, or the blank label's own."""
    if isinstance(algo, Muestra):
        return settings.SITIO_URL + reverse("muestra", args=[algo.numero])
    return settings.SITIO_URL + reverse("rotulo", args=[algo.codigo])


def pdf_de_rotulos(algunos: Iterable[Muestra | Rotulo], *, rollo: bool, saltar: int = 0) -> bytes:
    """Labels as a PDF: sheets of 24, or a roll of 62 × 29 mm with one on each page.

    `saltar`: how many of the first sheet are used up already; a roll has none. Samples need their line's product
    and origin.
    """
    fichas: list[dict[str, Any] | None] = [
        {"muestra" if isinstance(uno, Muestra) else "rotulo": uno, "qr": qr(direccion_de(uno))} for uno in algunos
    ]
    if not rollo:
        fichas[:0] = [None] * (saltar % POR_HOJA)
    por_fila, por_pagina = (1, 1) if rollo else (POR_FILA, POR_HOJA)
    fichas += [None] * (-len(fichas) % por_fila)
    filas = [fichas[i : i + por_fila] for i in range(0, len(fichas), por_fila)]
    de_pagina = por_pagina // por_fila
    paginas = [filas[i : i + de_pagina] for i in range(0, len(filas), de_pagina)]
    return componer("pdf/rotulos.html", {"rollo": rollo, "paginas": paginas})

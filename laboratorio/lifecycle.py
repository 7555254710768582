"""What can happen next to a sample, an analysis and a report: the laboratory's three tables.

`expedientes.lifecycle.avanzar` moves all of them. Source: domain.md, section 3.
"""

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from expedientes.lifecycle import TABLAS
from expedientes.models import Expediente
from senasa.models import Rol
from senasa.transicion import Transicion

from .models import EstadoAnalisis, EstadoInforme, EstadoMuestra


class Accion(models.TextChoices):
    ENVIAR = "enviar"
    RECIBIR = "recibir"
    RECHAZAR = "rechazar"
    PERDER = "perder"
    ANULAR_MUESTRA = "anular_muestra"
    COMENZAR = "comenzar"
    COMPLETAR = "completar"
    RETOMAR = "retomar"
    GUARDAR_CONTRAMUESTRA = "guardar_contramuestra"
    ELIMINAR = "eliminar"
    ASIGNAR = "asignar"
    INICIAR = "iniciar"
    REGISTRAR = "registrar"
    VERIFICAR = "verificar"
    REPETIR = "repetir"
    REVERTIR = "revertir"
    CANCELAR = "cancelar"
    DEVOLVER = "devolver"
    CERRAR_FISICO = "cerrar_fisico"
    PROGRAMAR_FIRMA = "programar_firma"
    DERIVAR = "derivar"
    RETENER = "retener"
    FIRMAR = "firmar"
    EMITIR = "emitir"
    FALLAR = "fallar"
    REABRIR = "reabrir"
    ANULAR = "anular"


A, M, N, I = Accion, EstadoMuestra, EstadoAnalisis, EstadoInforme  # noqa: E741

MUESTRA: Mapping[str, Transicion] = {
    A.ENVIAR: Transicion(de={M.TOMADA}, a=M.ENVIADA, rol={Rol.INSPECTOR},
                         verbo=_("Enviar"), hecho=_("Muestra enviada")),
    A.RECIBIR: Transicion(de={M.ENVIADA}, a=M.RECIBIDA, rol={Rol.RECEPCION},
                          verbo=_("Recibir"), hecho=_("Muestra recibida")),
    A.RECHAZAR: Transicion(de={M.ENVIADA, M.RECIBIDA}, a=M.RECHAZADA, rol={Rol.RECEPCION}, motivada=True,
                           verbo=_("Rechazar"), hecho=_("Muestra rechazada")),
    A.PERDER: Transicion(de={M.ENVIADA, M.RECIBIDA}, a=M.PERDIDA, rol={Rol.RECEPCION}, motivada=True,
                         verbo=_("Dar por perdida"), hecho=_("Muestra perdida")),
    A.ANULAR_MUESTRA: Transicion(de={M.TOMADA}, a=M.ANULADA, rol={Rol.INSPECTOR, Rol.SISTEMA}, motivada=True,
                                 verbo=_("Anular la muestra"), hecho=_("Muestra anulada")),
    A.COMENZAR: Transicion(de={M.RECIBIDA}, a=M.EN_ANALISIS, rol={Rol.SISTEMA},
                           verbo=_("Comenzar análisis"), hecho=_("Análisis de la muestra comenzado")),
    A.COMPLETAR: Transicion(de={M.EN_ANALISIS}, a=M.ANALIZADA, rol={Rol.SISTEMA},
                            verbo=_("Completar"), hecho=_("Muestra analizada")),
    A.RETOMAR: Transicion(de={M.ANALIZADA}, a=M.EN_ANALISIS, rol={Rol.SISTEMA},
                          verbo=_("Retomar"), hecho=_("Muestra de nuevo en análisis")),
    A.GUARDAR_CONTRAMUESTRA: Transicion(de={M.ANALIZADA}, a=M.CONTRAMUESTRA, rol={Rol.RECEPCION},
                                        verbo=_("Guardar contramuestra"), hecho=_("Contramuestra guardada")),
    A.ELIMINAR: Transicion(de={M.CONTRAMUESTRA}, a=M.ELIMINADA, rol={Rol.RECEPCION},
                           verbo=_("Eliminar"), hecho=_("Muestra eliminada")),
}  # fmt: skip

ANALISIS: Mapping[str, Transicion] = {
    A.ASIGNAR: Transicion(de={N.PENDIENTE, N.ASIGNADO}, a=N.ASIGNADO, rol={Rol.RECEPCION, Rol.ANALISTA},
                          verbo=_("Asignar"), hecho=_("Análisis asignado")),
    A.INICIAR: Transicion(de={N.ASIGNADO}, a=N.EN_PROCESO, rol={Rol.ANALISTA},
                          verbo=_("Iniciar"), hecho=_("Análisis iniciado")),
    A.REGISTRAR: Transicion(de={N.EN_PROCESO}, a=N.REGISTRADO, rol={Rol.ANALISTA},
                            verbo=_("Registrar resultado"), hecho=_("Resultado registrado")),
    A.REPETIR: Transicion(de={N.EN_PROCESO}, a=None, rol={Rol.ANALISTA}, motivada=True,
                          verbo=_("Repetir"), hecho=_("Ensayo repetido")),
    A.VERIFICAR: Transicion(de={N.REGISTRADO}, a=None, rol={Rol.VERIFICADOR},
                            verbo=_("Verificar"), hecho=_("Resultado verificado")),
    A.COMPLETAR: Transicion(de={N.REGISTRADO}, a=N.VERIFICADO, rol={Rol.SISTEMA},
                            verbo=_("Completar"), hecho=_("Verificación completa")),
    A.REVERTIR: Transicion(de={N.REGISTRADO, N.VERIFICADO}, a=N.EN_PROCESO, rol={Rol.ANALISTA, Rol.VERIFICADOR},
                           motivada=True, verbo=_("Revertir"), hecho=_("Reversión autoaprobada")),
    A.DEVOLVER: Transicion(de={N.VERIFICADO}, a=N.EN_PROCESO, rol={Rol.DIRECTOR}, motivada=True,
                           verbo=_("Devolver"), hecho=_("Devuelto por el director")),
    A.CANCELAR: Transicion(de={N.PENDIENTE, N.ASIGNADO, N.EN_PROCESO, N.REGISTRADO}, a=N.CANCELADO,
                           rol={Rol.DIRECTOR, Rol.SISTEMA}, motivada=True,
                           verbo=_("Cancelar"), hecho=_("Análisis cancelado")),
}  # fmt: skip

INFORME: Mapping[str, Transicion] = {
    A.CERRAR_FISICO: Transicion(de={I.BORRADOR}, a=I.CERRADO, rol={Rol.SISTEMA},
                                verbo=_("Cierre físico"), hecho=_("Cierre físico automático")),
    A.PROGRAMAR_FIRMA: Transicion(de={I.CERRADO}, a=I.EN_GRACIA, rol={Rol.SISTEMA},
                                  verbo=_("Programar firma"), hecho=_("Informe en emisión")),
    A.DERIVAR: Transicion(de={I.CERRADO, I.EN_GRACIA, I.FIRMA_FALLIDA}, a=I.POR_FIRMAR, rol={Rol.SISTEMA},
                          verbo=_("Derivar al director"), hecho=_("Informe en emisión")),
    A.RETENER: Transicion(de={I.EN_GRACIA}, a=I.POR_FIRMAR, rol={Rol.ANALISTA, Rol.VERIFICADOR},
                          verbo=_("Retener"), hecho=_("Firma automática retenida")),
    A.FIRMAR: Transicion(de={I.EN_GRACIA, I.POR_FIRMAR, I.FIRMA_FALLIDA}, a=I.FIRMANDO,
                         rol={Rol.DIRECTOR, Rol.SISTEMA}, verbo=_("Firmar"), hecho=_("Firma en curso")),
    A.DEVOLVER: Transicion(de={I.POR_FIRMAR}, a=I.BORRADOR, rol={Rol.DIRECTOR}, motivada=True,
                           verbo=_("Devolver"), hecho=_("Informe devuelto a la mesa")),
    A.EMITIR: Transicion(de={I.FIRMANDO}, a=I.EMITIDO, rol={Rol.SISTEMA},
                         verbo=_("Emitir"), hecho=_("Informe firmado")),
    A.FALLAR: Transicion(de={I.FIRMANDO}, a=I.FIRMA_FALLIDA, rol={Rol.SISTEMA},
                         verbo=_("Fallar"), hecho=_("Firma fallida")),
    A.REABRIR: Transicion(de={I.CERRADO, I.EN_GRACIA, I.POR_FIRMAR, I.FIRMANDO, I.FIRMA_FALLIDA}, a=I.BORRADOR,
                          rol={Rol.SISTEMA}, verbo=_("Reabrir"), hecho=_("Informe de nuevo en elaboración")),
    A.ANULAR: Transicion(de={I.BORRADOR, I.CERRADO, I.EN_GRACIA, I.POR_FIRMAR, I.FIRMANDO, I.FIRMA_FALLIDA},
                         a=I.ANULADO, rol={Rol.SISTEMA},
                         verbo=_("Dejar sin efecto"), hecho=_("Informe sin efecto: no queda nada que informar")),
}  # fmt: skip

TABLAS.update({"muestra": MUESTRA, "analisis": ANALISIS, "informe": INFORME})


def bloquear(objeto: Any) -> None:
    """Take the case's lock before anything else, so that all take their locks in one order."""
    Expediente.objects.select_for_update().get(pk=objeto.expediente_id)

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
    ROTULAR = "rotular"
    ENVIAR = "enviar"
    RECIBIR = "recibir"
    RECHAZAR = "rechazar"
    PERDER = "perder"
    ANULAR_MUESTRA = "anular_muestra"
    COMENZAR = "comenzar"
    DESCOMENZAR = "descomenzar"
    COMPLETAR = "completar"
    RETOMAR = "retomar"
    GUARDAR_CONTRAMUESTRA = "guardar_contramuestra"
    PEDIR_DIRIMENCIA = "pedir_dirimencia"
    LEVANTAR_DIRIMENCIA = "levantar_dirimencia"
    ELIMINAR = "eliminar"
    REVERTIR_RECEPCION = "revertir_recepcion"
    REVERTIR_ANALISIS = "revertir_analisis"
    REVERTIR_CONTRAMUESTRA = "revertir_contramuestra"
    ASIGNAR = "asignar"
    INICIAR = "iniciar"
    PASAR = "pasar"
    REGISTRAR = "registrar"
    ADJUNTAR = "adjuntar"
    VERIFICAR = "verificar"
    REPETIR = "repetir"
    REVERTIR = "revertir"
    REVERTIR_INICIO = "revertir_inicio"
    REVERTIR_ASIGNACION = "revertir_asignacion"
    REINICIAR = "reiniciar"
    CANCELAR = "cancelar"
    DEVOLVER = "devolver"
    CERRAR_FISICO = "cerrar_fisico"
    PROGRAMAR_FIRMA = "programar_firma"
    DERIVAR = "derivar"
    RETENER = "retener"
    FIRMAR = "firmar"
    FIRMAR_FUERA = "firmar_fuera"
    DEJAR_DE_FIRMAR_FUERA = "dejar_de_firmar_fuera"
    SUBIR_FIRMADO = "subir_firmado"
    EMITIR = "emitir"
    FALLAR = "fallar"
    REABRIR = "reabrir"
    ANULAR = "anular"
    ENMENDAR = "enmendar"
    ENMENDAR_RESULTADO = "enmendar_resultado"
    RETIRAR_ENMIENDA = "retirar_enmienda"
    CORREGIR = "corregir"
    ANULAR_EMITIDO = "anular_emitido"


# Who may step back a stage of a sample or of an analysis, on their own authority and without anybody's approval.
SUBSANAN: set[str] = {Rol.RECEPCION, Rol.ANALISTA, Rol.VERIFICADOR}

A, M, N, I = Accion, EstadoMuestra, EstadoAnalisis, EstadoInforme  # noqa: E741

MUESTRA: Mapping[str, Transicion] = {
    A.ROTULAR: Transicion(de={M.TOMADA}, a=None, rol={Rol.INSPECTOR},
                          verbo=_("Pegar un rótulo"), hecho=_("Rótulo pegado a la muestra")),
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
    # When the one analysis that had begun is stepped back.
    A.DESCOMENZAR: Transicion(de={M.EN_ANALISIS}, a=M.RECIBIDA, rol={Rol.SISTEMA},
                              verbo=_("Dejar de analizar"), hecho=_("Muestra de nuevo sin analizar")),
    A.COMPLETAR: Transicion(de={M.EN_ANALISIS}, a=M.ANALIZADA, rol={Rol.SISTEMA},
                            verbo=_("Completar"), hecho=_("Muestra analizada")),
    # From the contramuestra when an issued result is to be done again: it is what is left to test.
    A.RETOMAR: Transicion(de={M.ANALIZADA, M.CONTRAMUESTRA}, a=M.EN_ANALISIS, rol={Rol.SISTEMA},
                          verbo=_("Retomar"), hecho=_("Muestra de nuevo en análisis")),
    A.GUARDAR_CONTRAMUESTRA: Transicion(de={M.ANALIZADA}, a=M.CONTRAMUESTRA, rol={Rol.RECEPCION},
                                        verbo=_("Guardar contramuestra"), hecho=_("Contramuestra guardada")),
    A.PEDIR_DIRIMENCIA: Transicion(de={M.ANALIZADA, M.CONTRAMUESTRA}, a=None, rol={Rol.DIRECTOR},
                                   verbo=_("Anotar una dirimencia"), hecho=_("Dirimencia anotada: nada se elimina")),
    A.LEVANTAR_DIRIMENCIA: Transicion(de={M.ANALIZADA, M.CONTRAMUESTRA}, a=None, rol={Rol.DIRECTOR},
                                      verbo=_("Levantar la dirimencia"), hecho=_("Dirimencia levantada")),
    A.ELIMINAR: Transicion(de={M.CONTRAMUESTRA}, a=M.ELIMINADA, rol={Rol.RECEPCION},
                           verbo=_("Eliminar"), hecho=_("Muestra eliminada")),
    A.REVERTIR_RECEPCION: Transicion(de={M.RECIBIDA}, a=M.ENVIADA, rol=SUBSANAN, motivada=True,
                                     verbo=_("Revertir la recepción"), hecho=_("Recepción revertida")),
    A.REVERTIR_ANALISIS: Transicion(de={M.EN_ANALISIS, M.ANALIZADA}, a=M.RECIBIDA, rol=SUBSANAN, motivada=True,
                                    verbo=_("Revertir los análisis"), hecho=_("Muestra revertida a recibida")),
    A.REVERTIR_CONTRAMUESTRA: Transicion(de={M.CONTRAMUESTRA}, a=M.ANALIZADA, rol=SUBSANAN, motivada=True,
                                         verbo=_("Revertir la contramuestra"), hecho=_("Contramuestra revertida")),
}  # fmt: skip

ANALISIS: Mapping[str, Transicion] = {
    A.ASIGNAR: Transicion(de={N.PENDIENTE, N.ASIGNADO}, a=N.ASIGNADO, rol={Rol.RECEPCION, Rol.ANALISTA},
                          verbo=_("Asignar"), hecho=_("Análisis asignado")),
    A.INICIAR: Transicion(de={N.ASIGNADO}, a=N.EN_PROCESO, rol={Rol.ANALISTA},
                          verbo=_("Iniciar"), hecho=_("Análisis iniciado")),
    A.PASAR: Transicion(de={N.ASIGNADO, N.EN_PROCESO}, a=None, rol={Rol.RECEPCION, Rol.ANALISTA, Rol.DIRECTOR},
                        verbo=_("Pasar a otra persona"), hecho=_("Análisis pasado a otro analista")),
    A.REGISTRAR: Transicion(de={N.EN_PROCESO}, a=N.REGISTRADO, rol={Rol.ANALISTA},
                            verbo=_("Registrar resultado"), hecho=_("Resultado registrado")),
    A.ADJUNTAR: Transicion(de={N.REGISTRADO, N.VERIFICADO}, a=None, rol={Rol.ANALISTA},
                           verbo=_("Adjuntar"), hecho=_("Archivos del resultado agregados")),
    A.REPETIR: Transicion(de={N.EN_PROCESO}, a=None, rol={Rol.ANALISTA}, motivada=True,
                          verbo=_("Repetir"), hecho=_("Ensayo repetido")),
    A.VERIFICAR: Transicion(de={N.REGISTRADO}, a=None, rol={Rol.VERIFICADOR},
                            verbo=_("Verificar"), hecho=_("Resultado verificado")),
    A.COMPLETAR: Transicion(de={N.REGISTRADO}, a=N.VERIFICADO, rol={Rol.SISTEMA},
                            verbo=_("Completar"), hecho=_("Verificación completa")),
    A.REVERTIR: Transicion(de={N.REGISTRADO, N.VERIFICADO}, a=N.EN_PROCESO, rol={Rol.ANALISTA, Rol.VERIFICADOR},
                           motivada=True, verbo=_("Revertir"), hecho=_("Reversión autoaprobada")),
    A.REVERTIR_INICIO: Transicion(de={N.EN_PROCESO}, a=N.ASIGNADO, rol=SUBSANAN, motivada=True,
                                  verbo=_("Revertir el inicio"), hecho=_("Inicio revertido")),
    A.REVERTIR_ASIGNACION: Transicion(de={N.ASIGNADO}, a=N.PENDIENTE, rol=SUBSANAN, motivada=True,
                                      verbo=_("Revertir la asignación"), hecho=_("Asignación revertida")),
    A.REINICIAR: Transicion(de={N.ASIGNADO, N.EN_PROCESO, N.REGISTRADO, N.VERIFICADO}, a=N.PENDIENTE,
                            rol={Rol.SISTEMA}, verbo=_("Reiniciar"), hecho=_("Análisis de nuevo por asignar")),
    A.DEVOLVER: Transicion(de={N.VERIFICADO}, a=N.EN_PROCESO, rol={Rol.DIRECTOR}, motivada=True,
                           verbo=_("Devolver"), hecho=_("Devuelto por el director")),
    A.ENMENDAR_RESULTADO: Transicion(de={N.VERIFICADO}, a=N.EN_PROCESO, rol={Rol.DIRECTOR}, motivada=True,
                                     verbo=_("Volver a hacer"), hecho=_("Resultado emitido, por volver a hacer")),
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
    A.FIRMAR_FUERA: Transicion(de={I.POR_FIRMAR, I.FIRMA_FALLIDA}, a=I.FIRMANDO_FUERA, rol={Rol.DIRECTOR},
                               verbo=_("Firmar fuera"), hecho=_("Informe dado para firmar fuera")),
    A.DEJAR_DE_FIRMAR_FUERA: Transicion(de={I.FIRMANDO_FUERA}, a=I.POR_FIRMAR, rol={Rol.DIRECTOR, Rol.SISTEMA},
                                        verbo=_("Dejar de firmar fuera"), hecho=_("Firma fuera dejada")),
    A.SUBIR_FIRMADO: Transicion(de={I.FIRMANDO_FUERA}, a=I.FIRMANDO, rol={Rol.DIRECTOR},
                                verbo=_("Subir el PDF firmado"), hecho=_("Informe firmado fuera y subido")),
    A.DEVOLVER: Transicion(de={I.POR_FIRMAR}, a=I.BORRADOR, rol={Rol.DIRECTOR}, motivada=True,
                           verbo=_("Devolver"), hecho=_("Informe devuelto a la mesa")),
    A.EMITIR: Transicion(de={I.FIRMANDO}, a=I.EMITIDO, rol={Rol.SISTEMA},
                         verbo=_("Emitir"), hecho=_("Informe firmado")),
    A.FALLAR: Transicion(de={I.FIRMANDO}, a=I.FIRMA_FALLIDA, rol={Rol.SISTEMA},
                         verbo=_("Fallar"), hecho=_("Firma fallida")),
    A.REABRIR: Transicion(de={I.CERRADO, I.EN_GRACIA, I.POR_FIRMAR, I.FIRMANDO, I.FIRMANDO_FUERA,
                              I.FIRMA_FALLIDA}, a=I.BORRADOR,
                          rol={Rol.SISTEMA}, verbo=_("Reabrir"), hecho=_("Informe de nuevo en elaboración")),
    A.ANULAR: Transicion(de={I.BORRADOR, I.CERRADO, I.EN_GRACIA, I.POR_FIRMAR, I.FIRMANDO, I.FIRMANDO_FUERA,
                             I.FIRMA_FALLIDA}, a=I.ANULADO, rol={Rol.SISTEMA},
                         verbo=_("Dejar sin efecto"), hecho=_("Informe sin efecto: no queda nada que informar")),
    A.ENMENDAR: Transicion(de={I.EMITIDO}, a=I.POR_FIRMAR, rol={Rol.DIRECTOR}, motivada=True,
                           verbo=_("Enmendar"), hecho=_("Enmienda administrativa del informe")),
    A.ENMENDAR_RESULTADO: Transicion(de={I.EMITIDO}, a=I.BORRADOR, rol={Rol.DIRECTOR}, motivada=True,
                                     avisa="informe_en_revision", verbo=_("Enmendar el resultado"),
                                     hecho=_("Informe en revisión")),
    A.RETIRAR_ENMIENDA: Transicion(de={I.POR_FIRMAR, I.FIRMANDO, I.FIRMANDO_FUERA, I.FIRMA_FALLIDA}, a=I.EMITIDO,
                                   rol={Rol.DIRECTOR, Rol.SISTEMA}, verbo=_("Retirar la enmienda"),
                                   hecho=_("Enmienda retirada")),
    A.CORREGIR: Transicion(de={I.FIRMANDO}, a=I.EMITIDO, rol={Rol.SISTEMA}, avisa="informe_corregido",
                           verbo=_("Emitir la versión corregida"), hecho=_("Versión corregida del informe")),
    A.ANULAR_EMITIDO: Transicion(de={I.EMITIDO}, a=I.ANULADO, rol={Rol.DIRECTOR}, motivada=True,
                                 avisa="informe_anulado", verbo=_("Anular el informe"),
                                 hecho=_("Informe anulado por el director")),
}  # fmt: skip

TABLAS.update({"muestra": MUESTRA, "analisis": ANALISIS, "informe": INFORME})


def bloquear(objeto: Any) -> None:
    """Take the case's lock before anything else, so that all take their locks in one order."""
    Expediente.objects.select_for_update().get(pk=objeto.expediente_id)

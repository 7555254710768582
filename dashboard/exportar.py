"""One case as one ZIP, for whoever asks by law for the whole of it: documents, attachments, log, notices, data, hashes.

What does not need our software to be read or checked: `sha256sum -c hashes.sha256`, any PDF reader, any browser. The
same case gives the same bytes. A stored file that is missing or is not the one that was kept is said, never replaced.
"""

import hashlib
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.template.loader import render_to_string
from django.utils import timezone

from expedientes import bitacora, documentos
from expedientes.models import Adjunto, Evento, Expediente, Partida
from laboratorio.models import Analisis
from notificaciones.models import Notificacion
from notificaciones.services import sin_secretos

from . import caso

TROZO = 256 * 1024
RESERVADO = "reservado hasta que se emita el informe de ensayo"
# Names that Windows keeps for itself, whatever their extension.
DE_WINDOWS = {"con", "prn", "aux", "nul", *(f"{puerto}{n}" for puerto in ("com", "lpt") for n in range(1, 10))}


def exportar(expediente: Expediente, destino: IO[bytes], *, con_datos_personales: bool = True) -> list[str]:
    """Write the ZIP into `destino`; what could not be included or does not hold, in words.

    Without personal data, signed documents, attachments and texts stay out (they cannot be crossed out without
    breaking their signature): their numbers, codes and hashes are there.
    """
    return _Carpeta(expediente, destino, con_datos_personales).escribir()


class _Carpeta:
    """The ZIP on its way: one folder with the case's number; the hash of each file as it passes."""

    def __init__(self, expediente: Expediente, destino: IO[bytes], con_datos_personales: bool):
        leidos = caso.para_la_pagina(Expediente.objects.all()).select_related("duplicado_de")
        self.expediente = leidos.get(pk=expediente.pk)
        self.con_datos = con_datos_personales
        self.eventos = sorted(self.expediente.bitacora.all(), key=lambda evento: evento.n)
        # Time of the last entry and not of the clock: exporting twice gives the same file.
        self.hasta = timezone.localtime(self.eventos[-1].registrado_en)
        self.zip = zipfile.ZipFile(destino, "w", zipfile.ZIP_DEFLATED)
        self.hashes: list[tuple[str, str]] = []
        self.fallas: list[str] = []

    def escribir(self) -> list[str]:
        with self.zip:
            if self.con_datos:
                self._documentos()
                self._adjuntos()
            self._avisos()
            self._texto("expediente.json", _json(self._datos()))
            self._texto("bitacora.json", _json(self._entradas()))
            self._texto("bitacora.html", self._bitacora_en_palabras())
            self._texto("verificacion.txt", self._verificacion())
            self._texto("LEEME.txt", self._leeme())
            suma = "".join(f"{sha256}  {nombre}\n" for sha256, nombre in sorted(self.hashes, key=lambda par: par[1]))
            self._abrir("hashes.sha256", [suma.encode()])
        return self.fallas

    # ── Files ─────────────────────────────────────────────────────────────────────────────────────

    def _abrir(self, nombre: str, trozos: Iterable[bytes]) -> str:
        """Write one file, chunk by chunk; its SHA-256."""
        ficha = zipfile.ZipInfo(f"{self.expediente.numero}/{nombre}", self.hasta.timetuple()[:6])
        ficha.compress_type, ficha.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        suma = hashlib.sha256()
        with self.zip.open(ficha, "w", force_zip64=True) as archivo:
            for trozo in trozos:
                suma.update(trozo)
                archivo.write(trozo)
        return suma.hexdigest()

    def _texto(self, nombre: str, texto: str) -> None:
        self.hashes.append((self._abrir(nombre, [texto.encode()]), nombre))

    def _documentos(self) -> None:
        for documento in self.expediente.documentos.all():
            nombre = f"documentos/{documento}.pdf"
            try:
                contenido = documentos.leer(documento)
            except documentos.ArchivoDanado as error:
                self._no_esta(nombre, str(error))
                continue
            self.hashes.append((self._abrir(nombre, [contenido]), nombre))

    def _adjuntos(self) -> None:
        for adjunto in sorted(self.expediente.adjuntos.all(), key=lambda uno: uno.pk):
            nombre = nombre_en_la_carpeta(adjunto)
            try:
                # Read twice: a file that is not the one kept must not go in as if it were.
                if _sha256(_trozos(adjunto)) != adjunto.sha256:
                    self._no_esta(nombre, f"el archivo del adjunto «{adjunto.nombre}» no es el que se guardó")
                    continue
                self.hashes.append((self._abrir(nombre, _trozos(adjunto)), nombre))
            except OSError:
                self._no_esta(nombre, f"falta el archivo del adjunto «{adjunto.nombre}»")

    def _no_esta(self, nombre: str, causa: str) -> None:
        self.fallas.append(f"{nombre}: {causa}")
        self._texto(f"{nombre}.FALTA.txt", f"Este archivo no va en la carpeta: {causa}.\n")

    # ── Notices ───────────────────────────────────────────────────────────────────────────────────

    def _avisos(self) -> None:
        """Each notice as it was written, with what became of it. The link is a key: it never leaves in a copy."""
        avisos = Notificacion.objects.filter(referencia=self.expediente.referencia).order_by("id")
        for n, aviso in enumerate(avisos.iterator(), start=1):
            texto = sin_secretos(aviso.texto)
            cabeza = [
                ("Para", aviso.correo if self.con_datos else "[reservado]"),
                ("Asunto", aviso.asunto),
                ("Aviso", aviso.aviso),
                ("Debido", _hora(aviso.creada_en)),
                ("Estado", aviso.get_estado_display()),
                ("Enviado", _hora(aviso.enviada_en) if aviso.enviada_en else ""),
                ("Message-ID", aviso.message_id),
                ("Evento de la bitácora", str(self._n_de(aviso.evento_id) or "")),
            ]
            cuerpo = texto if self.con_datos else "[texto reservado]"
            lineas = "\n".join(f"{nombre}: {valor}" for nombre, valor in cabeza if valor)
            self._texto(f"avisos/{n:03d}-{_limpio(aviso.aviso)}.txt", f"{lineas}\n\n{cuerpo.strip()}\n")

    def _n_de(self, evento_id: int | None) -> int | None:
        return next((evento.n for evento in self.eventos if evento.pk == evento_id), None)

    # ── The log: what is told outside is what the post reads, no result before its report ─────────

    def _entrada(self, evento: Evento) -> dict[str, Any]:
        fila: dict[str, Any] = {"n": evento.n, "sello": evento.sello, "previo": evento.previo}
        fila |= {campo: getattr(evento, campo) for campo in bitacora.CAMPOS if campo not in ("expediente_id", "previo")}
        fila["actor"] = str(evento.actor) if evento.actor else ""
        if not self.con_datos:
            fila = {campo: valor for campo, valor in fila.items() if campo not in ("texto", "datos")}
        return fila

    def _entradas(self) -> list[dict[str, Any]]:
        """The log, entry by entry. What is reserved is one line from seal to seal: how many entries it takes would
        tell a report that waits for somebody from one that does not."""
        reservados = caso.reservados(self.expediente)
        filas: list[dict[str, Any]] = []
        for evento in self.eventos:
            if evento.pk not in reservados:
                filas.append(self._entrada(evento))
            elif filas and "reservado" in filas[-1]:
                filas[-1]["sello"] = evento.sello
            else:
                filas.append({"reservado": RESERVADO, "sello": evento.sello, "previo": evento.previo})
        return filas

    def _bitacora_en_palabras(self) -> str:
        entradas = caso.bitacora(self.expediente, de_laboratorio=False)
        if not self.con_datos:
            entradas = [entrada | {"detalle": ""} for entrada in entradas]
        contexto = {"expediente": self.expediente, "entradas": entradas[::-1], "con_datos": self.con_datos}
        return render_to_string("exportado/bitacora.html", contexto)

    # ── Data ──────────────────────────────────────────────────────────────────────────────────────

    def _datos(self) -> dict[str, Any]:
        e = self.expediente
        datos = _fila(e, "numero numero_anterior estado estado_desde pfi certificado suce dam transporte guia_aerea "
                         "nave bl llegada_en retenido_desde lugar migrado poder_desde poder_hasta")  # fmt: skip
        datos |= {
            "puesto": e.puesto.codigo,
            "pais_exportacion": e.pais_exportacion_id,
            "duplicado_de": e.duplicado_de.numero if e.duplicado_de else "",
            "importador": self._persona(e.importador),
            "agente": self._persona(e.agente) if e.agente else None,
            "partidas": [self._partida(partida) for partida in e.partidas.all()],
            "muestras": [_fila(una, "numero precinto lote estado tomada_en recibida_en condicion conservacion cantidad "
                                    "unidad") | {"partida": self._orden(una.partida_id)} for una in e.muestras.all()],
            "analisis": [self._analisis(uno) for uno in e.analisis.all()],
            "documentos": [_fila(uno, "tipo numero version estado cvd sha256 emitido_en firma regla_version conclusion "
                                      "causa") | {"partida": self._orden(uno.partida_id)}
                           for uno in e.documentos.all()],
            "observaciones": [_fila(una, "vence_en observada_en respondida_en sin_efecto_en" +
                                    (" puntos respuesta" if self.con_datos else "")) for una in e.observaciones.all()],
            "traslados": [_fila(uno, "ofrecido_en resuelto_en aceptado") |
                          {"de": uno.de_puesto.codigo, "a": uno.a_puesto.codigo} for uno in e.traslados.all()],
            "adjuntos": [{"sha256": uno.sha256, "tipo": uno.tipo, "subido_en": uno.subido_en} |
                         ({"nombre": uno.nombre, "archivo": nombre_en_la_carpeta(uno)} if self.con_datos else {})
                         for uno in e.adjuntos.all()],
        }  # fmt: skip
        return datos | ({"declaraciones": e.declaraciones} if self.con_datos else {})

    def _persona(self, persona: Any) -> dict[str, Any]:
        if not self.con_datos:
            return {"reservado": "datos personales"}
        return _fila(persona, "tipo_documento numero_documento nombre correo telefono direccion")

    def _orden(self, partida_id: int | None) -> int | None:
        return next((una.orden for una in self.expediente.partidas.all() if una.pk == partida_id), None)

    def _partida(self, partida: Partida) -> dict[str, Any]:
        dictamenes = []
        for dictamen in partida.dictamenes.all():
            uno = _fila(dictamen, "numero riv_en_papel decision ocurrio_en" + (" fundamento" if self.con_datos else ""))
            uno["inspector"] = str(dictamen.inspector)
            uno["riv"] = str(dictamen.riv) if dictamen.riv else ""
            campos = "tipo vence_en ordenada_en cumplida_en sin_efecto_en acta" + (
                " indicaciones" if self.con_datos else ""
            )
            uno["medidas"] = [_fila(medida, campos) for medida in dictamen.medidas.all()]
            dictamenes.append(uno)
        return _fila(partida, "orden estado estado_desde peso_neto_kg envases bodegas cita_en terminal documentaria "
                              "identidad fisica no_presentada_en") | {
            "producto": partida.producto.nombre,
            "nandina": partida.producto.nandina,
            "pais_origen": partida.pais_origen_id,
            "contenedores": [_fila(uno, "numero precinto") for uno in partida.contenedores.all()],
            "informes_en_papel": [_fila(uno, "numero emitido_en conclusion") | {"plaga": str(uno.plaga or "")}
                                  for uno in partida.informes_en_papel.all()],
            "dictamenes": dictamenes,
        }  # fmt: skip

    def _analisis(self, analisis: Analisis) -> dict[str, Any]:
        datos = {"muestra": analisis.muestra.numero, "metodo": str(analisis.metodo), "plaga": str(analisis.plaga)}
        if not caso.se_ve(analisis, de_laboratorio=False):
            return datos | {"reservado": RESERVADO}
        return datos | {
            "estado": analisis.estado,
            "informe": analisis.solicitud.informe.numero,
            "iniciado_en": analisis.iniciado_en,
            "verificado_en": analisis.verificado_en,
            "reversiones": [_fila(una, "motivo ocurrio_en" + (" texto" if self.con_datos else ""))
                            for una in analisis.reversiones.all()],
            "resultados": [_fila(uno, "valor lectura vigente ocurrio_en") | {"plaga": str(uno.plaga or "")}
                           for uno in analisis.resultados.all()],
        }  # fmt: skip

    # ── What it says of itself ────────────────────────────────────────────────────────────────────

    def _verificacion(self) -> str:
        de_la_cadena = list(bitacora.fallas(self.expediente))
        self.fallas += de_la_cadena
        lineas = [
            f"Expediente {self.expediente.numero}, hasta el evento {self.eventos[-1].n} ({_hora(self.hasta)})",
            "",
        ]
        lineas.append("Cadena de la bitácora: " + ("íntegra" if not de_la_cadena else "NO es íntegra"))
        lineas += [f"  - {falla}" for falla in de_la_cadena]
        de_archivos = [falla for falla in self.fallas if falla not in de_la_cadena]
        if self.con_datos:
            lineas.append("Archivos guardados: " + ("completos y sin alteración" if not de_archivos else "FALTAN"))
            lineas += [f"  - {falla}" for falla in de_archivos]
        lineas += ["", "Documentos emitidos (se comprueban en la página de verificación con su CVD):"]
        lineas += [f"  {d.get_tipo_display()} {d}  CVD {d.cvd}  {d.get_estado_display().lower()}  SHA-256 {d.sha256}"
                   for d in self.expediente.documentos.all()] or ["  ninguno"]  # fmt: skip
        return "\n".join(lineas) + "\n"

    def _leeme(self) -> str:
        contexto = {"expediente": self.expediente, "con_datos": self.con_datos, "fallas": self.fallas,
                    "hasta": self.hasta, "n": self.eventos[-1].n}  # fmt: skip
        return render_to_string("exportado/leeme.txt", contexto).strip() + "\n"


def nombre_en_la_carpeta(adjunto: Adjunto) -> str:
    """Where an attachment lies in the ZIP: numbered, so that two of one name are two files."""
    return f"adjuntos/{adjunto.pk}-{_limpio(adjunto.nombre)}"


def _limpio(nombre: str) -> str:
    """A file name that no system takes for a folder, a device or a hidden file."""
    base = re.split(r"[\\/]", unicodedata.normalize("NFC", nombre))[-1]
    base = "".join(c for c in base if unicodedata.category(c)[0] not in "CZ" or c == " ")
    base = re.sub(r'[<>:"|?*\s]+', "_", base).strip("._ ") or "archivo"
    tallo, punto, extension = base.rpartition(".")
    tallo = tallo or extension
    if tallo.split(".")[0].lower() in DE_WINDOWS:
        base = f"_{base}"
    return base if len(base) <= 100 else f"{tallo[:90]}{punto}{extension[:9]}"


def _trozos(adjunto: Adjunto) -> Iterator[bytes]:
    # Of the storage and not of the field, which would keep it open.
    with adjunto.archivo.storage.open(str(adjunto.archivo.name), "rb") as archivo:
        while trozo := archivo.read(TROZO):
            yield trozo


def _sha256(trozos: Iterable[bytes]) -> str:
    suma = hashlib.sha256()
    for trozo in trozos:
        suma.update(trozo)
    return suma.hexdigest()


def _fila(objeto: Model, campos: str) -> dict[str, Any]:
    return {campo: getattr(objeto, campo) for campo in campos.split()}


def _hora(cuando: datetime) -> str:
    return timezone.localtime(cuando).strftime("%d/%m/%Y %H:%M:%S")


def _json(datos: Any) -> str:
    return json.dumps(datos, ensure_ascii=False, indent=2, cls=DjangoJSONEncoder) + "\n"

"""The case and what hangs from it: catalogues, parties, lines, log, decisions, published documents."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.files.storage import storages
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Lower, Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from senasa import reloj
from senasa.models import Puesto

from .numeros import TipoDocumento, validar_contenedor, validar_documento, validar_guia_aerea
from .querysets import ConsultaAdjunto, ConsultaDocumento, ConsultaExpediente, ConsultaMedida, ConsultaPartida


class Categoria(models.IntegerChoices):
    """Phytosanitary risk categories (RJ 0162-2017)."""

    PROCESADO = 1, _("1 · procesado, sin control")
    INDUSTRIALIZADO = 2, _("2 · industrializado, puede infestarse")
    CONSUMO = 3, _("3 · semiprocesado o natural, para consumo")
    PROPAGACION = 4, _("4 · semillas y plantas para propagar")
    OTROS = 5, _("5 · otros")


class Estado(models.TextChoices):
    """States of a case and of its lines; the case shows that of its slowest line."""

    NUEVO = "", _("sin registrar")
    REGISTRADO = "registrado", _("Registrado")
    EN_INSPECCION = "en_inspeccion", _("En inspección")
    EN_LABORATORIO = "en_laboratorio", _("En laboratorio")
    RESULTADO_EMITIDO = "resultado_emitido", _("Informe emitido")
    EN_MEDIDA = "en_medida", _("Medida en curso")
    DICTAMINADO = "dictaminado", _("Dictaminado")
    CERRADO = "cerrado", _("Cerrado")
    OBSERVADO = "observado", _("Observado")
    ABANDONADO = "abandonado", _("En abandono")
    DESISTIDO = "desistido", _("Desistido")
    ANULADO = "anulado", _("Anulado")


# From slowest to fastest: the case shows the first of these that one of its lines is in.
ORDEN_DE_PARTIDAS = (
    Estado.REGISTRADO,
    Estado.EN_INSPECCION,
    Estado.EN_LABORATORIO,
    Estado.RESULTADO_EMITIDO,
    Estado.EN_MEDIDA,
    Estado.DICTAMINADO,
)
# How the staff calls where an open case is, in order: on the board, in what is late, in the statistics. A decided line
# may still have to wait for the others of its case.
ETAPAS: dict[str, str] = {
    Estado.REGISTRADO: "Solicitud",
    Estado.EN_INSPECCION: "Inspección y muestra",
    Estado.EN_LABORATORIO: "En laboratorio",
    Estado.RESULTADO_EMITIDO: "Informe emitido",
    Estado.EN_MEDIDA: "Medida en curso",
    Estado.DICTAMINADO: "Por cerrar",
    Estado.OBSERVADO: "Observado",
}
ETAPAS_DE_PARTIDA = ETAPAS | {Estado.DICTAMINADO: "Dictaminada"}
# Before the last decision: while some line is still to be decided.
SIN_DECIDIR = (Estado.REGISTRADO, Estado.EN_INSPECCION, Estado.EN_LABORATORIO, Estado.RESULTADO_EMITIDO)
ABIERTOS = (*ORDEN_DE_PARTIDAS, Estado.OBSERVADO)
TERMINADOS = (Estado.CERRADO, Estado.ABANDONADO, Estado.DESISTIDO, Estado.ANULADO)


class DiaEnLima(Func):
    """The day in Lima of a moment: immutable in PostgreSQL, so that an index may keep it."""

    template = "((%(expressions)s AT TIME ZONE 'America/Lima')::date)"
    output_field = models.DateField()


# ── Catalogues ────────────────────────────────────────────────────────────────────────────────────


class Pais(models.Model):
    codigo = models.CharField(_("código ISO 3166-1 alfa-2"), max_length=2, primary_key=True)
    alfa3 = models.CharField(_("código alfa-3"), max_length=3, unique=True)
    nombre = models.CharField(_("nombre"), max_length=80)
    history = HistoricalRecords()

    class Meta:
        ordering = ["nombre"]
        verbose_name = _("país")
        verbose_name_plural = _("países")

    def __str__(self) -> str:
        return self.nombre


class Producto(models.Model):
    codigo = models.SlugField(_("código"), max_length=60, unique=True)
    nombre = models.CharField(_("nombre"), max_length=120)
    nombre_cientifico = models.CharField(_("nombre científico"), max_length=120, blank=True)
    nandina = models.CharField(_("NANDINA"), max_length=13)
    categoria = models.PositiveSmallIntegerField(_("categoría de riesgo"), choices=Categoria)
    perecible = models.BooleanField(_("perecible"), default=False)
    por_confirmar = models.BooleanField(
        _("código por confirmar"), default=False, help_text=_("La partida arancelaria no se ha cotejado con la norma.")
    )
    activo = models.BooleanField(_("activo"), default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["nombre"]
        verbose_name = _("producto")
        verbose_name_plural = _("productos")

    def __str__(self) -> str:
        return self.nombre


class Plaga(models.Model):
    class Condicion(models.TextChoices):
        A1 = "a1", _("A1 · ausente")
        A2 = "a2", _("A2 · presente bajo control oficial")
        REGLAMENTADA = "pnc_reglamentada", _("no cuarentenaria reglamentada")
        NO_REGLAMENTADA = "no_cuarentenaria", _("no cuarentenaria")

    eppo = models.CharField(_("código EPPO"), max_length=6, unique=True)
    nombre = models.CharField(_("nombre científico"), max_length=120)
    condicion = models.CharField(_("condición"), max_length=20, choices=Condicion)
    norma = models.CharField(_("norma"), max_length=200, blank=True)
    desde = models.DateField(_("vigente desde"), null=True, blank=True)
    por_confirmar = models.BooleanField(_("código por confirmar"), default=False)
    history = HistoricalRecords()

    class Meta:
        ordering = ["nombre"]
        verbose_name = _("plaga")
        verbose_name_plural = _("plagas")

    def __str__(self) -> str:
        return f"{self.nombre} ({self.eppo})"

    @property
    def cuarentenaria(self) -> bool:
        """Whether its presence forbids entry: A1 or A2."""
        return self.condicion in (self.Condicion.A1, self.Condicion.A2)


class Motivo(models.Model):
    """A coded motive for the acts that need one (†), kept by staff."""

    accion = models.CharField(_("acto"), max_length=40)
    codigo = models.SlugField(_("código"), max_length=40)
    texto = models.CharField(_("texto"), max_length=160)
    activo = models.BooleanField(_("activo"), default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["accion", "texto"]
        verbose_name = _("motivo")
        verbose_name_plural = _("motivos")
        constraints = [models.UniqueConstraint(fields=["accion", "codigo"], name="motivo_unico")]

    def __str__(self) -> str:
        return self.texto


class Plazo(models.Model):
    """How long a stage may take; the most particular row that fits a line rules."""

    class Unidad(models.TextChoices):
        HORAS = "horas", _("horas")
        DIAS_HABILES = "dias_habiles", _("días hábiles")

    etapa = models.CharField(_("etapa"), max_length=20, choices=[(e.value, e.label) for e in ORDEN_DE_PARTIDAS])
    puesto = models.ForeignKey(Puesto, models.PROTECT, verbose_name=_("puesto"), null=True, blank=True)
    categoria = models.PositiveSmallIntegerField(_("categoría"), choices=Categoria, null=True, blank=True)
    perecible = models.BooleanField(_("solo perecibles"), default=False)
    cantidad = models.PositiveSmallIntegerField(_("cantidad"), validators=[MinValueValidator(1)])
    unidad = models.CharField(_("unidad"), max_length=15, choices=Unidad)
    history = HistoricalRecords()

    class Meta:
        ordering = ["etapa"]
        verbose_name = _("plazo")
        verbose_name_plural = _("plazos")
        constraints = [
            models.UniqueConstraint(
                fields=["etapa", "puesto", "categoria", "perecible"], nulls_distinct=False, name="plazo_unico"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_etapa_display()}: {self.cantidad} {self.get_unidad_display()}"


class Contador(models.Model):
    """The last number given in a series and year; a row lock makes the numbers gapless."""

    serie = models.CharField(max_length=10)
    anio = models.PositiveSmallIntegerField()
    ultimo = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["serie", "anio"], name="contador_unico")]

    def __str__(self) -> str:
        return f"{self.serie}-{self.anio}: {self.ultimo}"


# ── Parties ───────────────────────────────────────────────────────────────────────────────────────


class Persona(models.Model):
    """What an importer and a customs broker have in common."""

    tipo_documento = models.CharField(_("tipo de documento"), max_length=10, choices=TipoDocumento)
    numero_documento = models.CharField(_("número de documento"), max_length=20)
    nombre = models.CharField(_("nombre o razón social"), max_length=160)
    correo = models.EmailField(_("correo electrónico"))
    telefono = models.CharField(_("teléfono"), max_length=30, blank=True)
    direccion = models.CharField(_("dirección"), max_length=200, blank=True)
    # PostgreSQL without contrib has no unaccent: names are sorted and searched through this column.
    nombre_plano = models.GeneratedField(
        expression=Func(
            Lower("nombre"), Value("áéíóúüñ"), Value("aeiouun"), function="translate", output_field=models.CharField()
        ),
        output_field=models.CharField(max_length=160),
        db_persist=True,
    )

    class Meta:
        abstract = True
        ordering = ["nombre_plano"]

    def __str__(self) -> str:
        return f"{self.nombre} ({self.numero_documento})"

    def clean(self) -> None:
        self.numero_documento = validar_documento(self.tipo_documento, self.numero_documento)


class Importador(Persona):
    class Meta(Persona.Meta):
        verbose_name = _("importador")
        verbose_name_plural = _("importadores")
        constraints = [models.UniqueConstraint(fields=["tipo_documento", "numero_documento"], name="importador_unico")]
        # Whose all the cases of an address are.
        indexes = [models.Index(Upper("correo"), name="importador_por_correo")]


class AgenteAduana(Persona):
    class Meta(Persona.Meta):
        verbose_name = _("agente de aduana")
        verbose_name_plural = _("agentes de aduana")
        constraints = [models.UniqueConstraint(fields=["tipo_documento", "numero_documento"], name="agente_unico")]
        indexes = [models.Index(Upper("correo"), name="agente_por_correo")]


# ── The case ──────────────────────────────────────────────────────────────────────────────────────


class Expediente(models.Model):
    class Transporte(models.TextChoices):
        CONTENEDOR = "contenedor", _("marítimo en contenedores")
        GRANEL = "granel", _("marítimo a granel")
        AEREO = "aereo", _("aéreo")

    numero = models.CharField(_("número"), max_length=20, unique=True)
    # What its papers call a case that was brought from the registry before this one.
    numero_anterior = models.CharField(_("número anterior"), max_length=40, blank=True)
    puesto = models.ForeignKey(Puesto, models.PROTECT, verbose_name=_("puesto de control"))
    estado = models.CharField(_("estado"), max_length=20, choices=Estado, default=Estado.NUEVO, blank=True)
    estado_desde = models.DateTimeField(_("en este estado desde"), null=True)
    vence_en = models.DateTimeField(_("plazo de la etapa"), null=True, blank=True)
    # Whether goods that perish still wait for a decision: written with `vence_en`, as the order of the board needs it.
    perecible = models.BooleanField(default=False, db_default=False, editable=False)
    # Who of its post sees to it; it does not limit who may act.
    inspector = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("a cargo de"), related_name="+", null=True, blank=True,
        db_index=False,
    )  # fmt: skip

    importador = models.ForeignKey(Importador, models.PROTECT, related_name="expedientes")
    agente = models.ForeignKey(AgenteAduana, models.PROTECT, null=True, blank=True, related_name="expedientes")
    poder_desde = models.DateField(_("poder del agente desde"), null=True, blank=True)
    poder_hasta = models.DateField(_("poder del agente hasta"), null=True, blank=True)

    pfi = models.CharField(_("PFI (permiso fitosanitario de importación)"), max_length=40, blank=True)
    certificado = models.CharField(_("certificado fitosanitario"), max_length=40, blank=True)
    suce = models.CharField(_("SUCE"), max_length=40, blank=True)
    dam = models.CharField(_("DAM"), max_length=40, blank=True)
    pais_exportacion = models.ForeignKey(Pais, models.PROTECT, verbose_name=_("país de exportación"))

    transporte = models.CharField(_("transporte"), max_length=12, choices=Transporte)
    guia_aerea = models.CharField(_("guía aérea"), max_length=12, blank=True, validators=[validar_guia_aerea])
    nave = models.CharField(_("nave y viaje"), max_length=80, blank=True)
    bl = models.CharField(_("conocimiento de embarque (BL)"), max_length=40, blank=True)
    llegada_en = models.DateTimeField(_("llegada"), null=True, blank=True)
    retenido_desde = models.DateTimeField(_("retenido desde"), null=True, blank=True)
    lugar = models.CharField(_("lugar donde está la carga"), max_length=120, blank=True)
    declaraciones = models.TextField(_("declaraciones adicionales"), blank=True)

    # Annulled because another case, which goes on, stands for the same consignment.
    duplicado_de = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="duplicados")
    # Loaded from the spreadsheets of before: its times are what they said, so indicators may leave it out.
    migrado = models.BooleanField(_("migrado"), default=False, editable=False)

    # The form's own key: a double click or a retry of the same form makes one case.
    envio = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    # Head of the log's chain: what a deleted tail would contradict.
    eventos = models.PositiveIntegerField(default=0, editable=False)
    sello = models.CharField(max_length=64, blank=True, editable=False)

    objects = ConsultaExpediente.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("expediente")
        verbose_name_plural = _("expedientes")
        constraints = [
            models.CheckConstraint(condition=Q(estado__in=Estado.values), name="expediente_estado_conocido"),
            models.CheckConstraint(
                condition=Q(poder_desde__isnull=True)
                | Q(poder_hasta__isnull=True)
                | Q(poder_hasta__gte=F("poder_desde")),
                name="expediente_poder_en_orden",
            ),
            # Its index is also what finds a case by the number on its papers.
            models.UniqueConstraint(
                fields=["numero_anterior"], condition=~Q(numero_anterior=""), name="expediente_numero_anterior_unico"
            ),
        ]
        indexes = [
            models.Index(
                fields=["puesto", "vence_en"],
                name="expediente_abierto",
                include=["estado", "id", "eventos"],
                condition=~Q(estado__in=TERMINADOS),
            ),
            # The order of the board, column by column: `dashboard.queries.por_urgencia`.
            models.Index(
                F("puesto"),
                DiaEnLima("vence_en"),
                F("perecible").desc(),
                F("retenido_desde"),
                F("vence_en"),
                F("id"),
                name="expediente_urgente",
                condition=~Q(estado__in=TERMINADOS),
            ),
            models.Index(
                fields=["inspector", "vence_en"],
                name="expediente_a_cargo",
                condition=~Q(estado__in=TERMINADOS) & Q(inspector__isnull=False),
            ),
            models.Index(fields=["pfi"], name="expediente_pfi"),
            models.Index(fields=["suce"], name="expediente_suce"),
            models.Index(fields=["bl"], name="expediente_bl"),
            models.Index(fields=["guia_aerea"], name="expediente_guia_aerea"),
            models.Index(fields=["certificado"], name="expediente_certificado"),
            models.Index(fields=["dam"], name="expediente_dam"),
        ]

    def __str__(self) -> str:
        return self.numero

    @property
    def expediente_id(self) -> int:
        """A case is its own case: `avanzar` asks every object for this."""
        return self.pk

    @property
    def referencia(self) -> str:
        """How `notificaciones`, which must not know cases, refers to this one."""
        return f"expediente:{self.pk}"

    @property
    def abierto(self) -> bool:
        return self.estado in ABIERTOS

    @property
    def etapa(self) -> str:
        return ETAPAS.get(self.estado, self.get_estado_display())

    @property
    def observacion(self) -> Observacion | None:
        """The observation that waits for its answer, if any."""
        return self.observaciones.filter(respondida_en=None, sin_efecto_en=None).first()

    @property
    def traslado_ofrecido(self) -> Traslado | None:
        return self.traslados.filter(resuelto_en=None).select_related("a_puesto", "de_puesto").first()


class ConsultaAusencia(models.QuerySet["Ausencia"]):
    def vigentes(self) -> ConsultaAusencia:
        """In force today, in Lima."""
        hoy = timezone.localdate(reloj.ahora())
        return self.filter(desde__lte=hoy, hasta__gte=hoy, terminada_en=None)


class Ausencia(models.Model):
    """Days on which an inspector is away and who covers for him; both included. Ended early, the row stays.

    The dates alone put his cases among those of who covers: nothing of the cases is written.
    """

    ausente = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="ausencias")
    cubre = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="cubre")
    desde = models.DateField(_("desde"))
    hasta = models.DateField(_("hasta"))
    causa = models.CharField(_("causa"), max_length=200)
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    creada_en = models.DateTimeField()
    terminada_en = models.DateTimeField(_("terminada antes"), null=True, blank=True)

    objects = ConsultaAusencia.as_manager()

    class Meta:
        ordering = ["-desde", "-id"]
        verbose_name = _("ausencia")
        verbose_name_plural = _("ausencias")
        constraints = [
            models.CheckConstraint(condition=Q(hasta__gte=F("desde")), name="ausencia_en_orden"),
            models.CheckConstraint(condition=~Q(ausente=F("cubre")), name="ausencia_cubierta_por_otro"),
        ]

    def __str__(self) -> str:
        return f"{self.ausente}, {self.desde:%d/%m/%Y} a {self.hasta:%d/%m/%Y}: cubre {self.cubre}"

    @property
    def por_terminar(self) -> bool:
        return self.terminada_en is None and self.hasta >= timezone.localdate(reloj.ahora())


class Partida(models.Model):
    """A line: one product in its containers, holds or air waybill. It is what is sampled and decided."""

    class Inspeccion(models.TextChoices):
        CONFORME = "conforme", _("conforme")
        NO_CONFORME = "no_conforme", _("no conforme")

    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="partidas")
    orden = models.PositiveSmallIntegerField(_("partida"))
    estado = models.CharField(_("estado"), max_length=20, choices=Estado, default=Estado.REGISTRADO)
    estado_desde = models.DateTimeField(_("en este estado desde"), null=True)
    vence_en = models.DateTimeField(_("plazo de la etapa"), null=True, blank=True)

    producto = models.ForeignKey(Producto, models.PROTECT, verbose_name=_("producto"))
    pais_origen = models.ForeignKey(Pais, models.PROTECT, verbose_name=_("país de origen"))
    peso_neto_kg = models.DecimalField(
        _("peso neto (kg)"), max_digits=14, decimal_places=3, validators=[MinValueValidator(0.001)]
    )
    envases = models.CharField(_("cantidad y tipo de envases"), max_length=80, blank=True)
    bodegas = models.CharField(_("bodegas"), max_length=40, blank=True)

    cita_en = models.DateTimeField(_("inspección programada"), null=True, blank=True)
    terminal = models.CharField(_("terminal o almacén"), max_length=120, blank=True)
    documentaria = models.CharField(_("verificación documentaria"), max_length=12, choices=Inspeccion, blank=True)
    identidad = models.CharField(_("verificación de identidad"), max_length=12, choices=Inspeccion, blank=True)
    fisica = models.CharField(_("inspección física"), max_length=12, choices=Inspeccion, blank=True)
    # The cargo was not there when the inspector came: the clock waits until a new hour is set.
    no_presentada_en = models.DateTimeField(_("no presentada"), null=True, blank=True)

    objects = ConsultaPartida.as_manager()

    class Meta:
        ordering = ["expediente_id", "orden"]
        verbose_name = _("partida")
        verbose_name_plural = _("partidas")
        constraints = [
            models.UniqueConstraint(fields=["expediente", "orden"], name="partida_unica"),
            models.CheckConstraint(condition=Q(estado__in=ORDEN_DE_PARTIDAS), name="partida_estado_conocido"),
            models.CheckConstraint(condition=Q(peso_neto_kg__gt=0), name="partida_con_peso"),
        ]
        indexes = [
            # What waits for its decision, and the inspections of a day: a short walk, whatever is closed.
            models.Index(
                fields=["vence_en"],
                include=["expediente"],
                name="partida_por_dictaminar",
                condition=Q(estado=Estado.RESULTADO_EMITIDO),
            ),
            models.Index(
                fields=["cita_en"],
                include=["expediente"],
                name="partida_con_cita",
                condition=Q(estado=Estado.REGISTRADO),
            ),
            # What the menu counts and «Posentrada» lists: measures that run on after their cases closed.
            models.Index(fields=["expediente"], name="partida_en_medida", condition=Q(estado=Estado.EN_MEDIDA)),
        ]

    def __str__(self) -> str:
        return f"{self.expediente.numero} · partida {self.orden}"

    @property
    def etapa(self) -> str:
        return ETAPAS_DE_PARTIDA[self.estado]

    @property
    def dictamen(self) -> Dictamen | None:
        """The decision in force, if any (the last one: a treatment may lead to another)."""
        return self.dictamenes.order_by("-id").first()

    @property
    def medida_pendiente(self) -> Medida | None:
        return Medida.objects.pendientes().filter(dictamen__partida=self).order_by("-id").first()


class Contenedor(models.Model):
    partida = models.ForeignKey(Partida, models.PROTECT, related_name="contenedores")
    numero = models.CharField(_("contenedor"), max_length=11, validators=[validar_contenedor], db_index=True)
    precinto = models.CharField(_("precinto"), max_length=40, blank=True)

    class Meta:
        ordering = ["numero"]
        verbose_name = _("contenedor")
        verbose_name_plural = _("contenedores")
        constraints = [models.UniqueConstraint(fields=["partida", "numero"], name="contenedor_unico")]

    def __str__(self) -> str:
        return self.numero


def almacen_de_adjuntos():
    return storages["adjuntos"]


class Adjunto(models.Model):
    """A file that came with a case: the ePhyto itself, its attachments, the evidence of a measure."""

    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="adjuntos")
    nombre = models.CharField(_("nombre"), max_length=160)
    tipo = models.CharField(_("tipo"), max_length=100)
    archivo = models.FileField(upload_to="%Y/%m", storage=almacen_de_adjuntos)
    sha256 = models.CharField(max_length=64)
    subido_en = models.DateTimeField()
    subido_por = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)
    # What lies behind a result is the laboratory's: shown with the case, it would tell the result before the report.
    reservado = models.BooleanField(default=False, editable=False)

    objects = ConsultaAdjunto.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("adjunto")
        verbose_name_plural = _("adjuntos")

    def __str__(self) -> str:
        return self.nombre


class Observacion(models.Model):
    """What the inspector objects to, and the importer's answer. While it is open the clock stands still."""

    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="observaciones")
    puntos = models.TextField(_("qué falta o qué hay que corregir"), help_text=_("Un punto por línea."))
    vence_en = models.DateField(_("responder hasta"))
    observada_en = models.DateTimeField()
    observada_por = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    recordada_en = models.DateTimeField(null=True, blank=True)
    respondida_en = models.DateTimeField(null=True, blank=True)
    respuesta = models.TextField(_("respuesta"), blank=True)
    adjuntos = models.ManyToManyField(Adjunto, blank=True, related_name="observaciones")
    # Ended without an answer: the case was abandoned, withdrawn or annulled.
    sin_efecto_en = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("observación")
        verbose_name_plural = _("observaciones")
        constraints = [
            models.UniqueConstraint(
                fields=["expediente"],
                condition=Q(respondida_en__isnull=True, sin_efecto_en__isnull=True),
                name="observacion_una_abierta",
            )
        ]
        indexes = [
            models.Index(
                fields=["respondida_en"], name="observacion_respondida", condition=Q(respondida_en__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.expediente}: {self.puntos.splitlines()[0] if self.puntos else ''}"

    @property
    def lista(self) -> list[str]:
        return [punto.strip() for punto in self.puntos.splitlines() if punto.strip()]


class Traslado(models.Model):
    """A case offered by a post to another; accepted, the other one has it. Both go on reading it."""

    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="traslados")
    de_puesto = models.ForeignKey(Puesto, models.PROTECT, related_name="+")
    a_puesto = models.ForeignKey(Puesto, models.PROTECT, related_name="+", verbose_name=_("puesto de destino"))
    ofrecido_en = models.DateTimeField()
    ofrecido_por = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    causa = models.TextField(_("por qué"), blank=True)
    resuelto_en = models.DateTimeField(null=True, blank=True)
    aceptado = models.BooleanField(null=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("traslado")
        verbose_name_plural = _("traslados")
        constraints = [
            models.UniqueConstraint(
                fields=["expediente"], condition=Q(resuelto_en__isnull=True), name="traslado_uno_ofrecido"
            ),
            models.CheckConstraint(condition=~Q(de_puesto=F("a_puesto")), name="traslado_a_otro_puesto"),
        ]

    def __str__(self) -> str:
        return f"{self.expediente}: {self.de_puesto.codigo} → {self.a_puesto.codigo}"


# ── The log ───────────────────────────────────────────────────────────────────────────────────────


class Evento(models.Model):
    """One entry of the log (bitácora). Append-only: database triggers refuse anything else.

    Each row carries the HMAC of itself and of the row before it in its case; see `bitacora.py`.
    """

    class Origen(models.TextChoices):
        PERSONA = "persona", _("personal")
        SISTEMA = "sistema", _("sistema")
        IMPORTADOR = "importador", _("importador")
        MIGRACION = "migracion", _("registro anterior")

    id = models.BigAutoField(primary_key=True)
    # Its index is that of `evento_unico`.
    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="bitacora", db_index=False)
    n = models.PositiveIntegerField()
    objeto = models.CharField(max_length=20)
    objeto_id = models.BigIntegerField()
    accion = models.CharField(max_length=40)
    de = models.CharField(max_length=20, blank=True)
    a = models.CharField(max_length=20, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)
    origen = models.CharField(max_length=12, choices=Origen)
    ocurrio_en = models.DateTimeField()
    registrado_en = models.DateTimeField()
    motivo = models.CharField(max_length=40, blank=True)
    texto = models.TextField(blank=True)
    datos = models.JSONField(default=dict)
    previo = models.CharField(max_length=64, blank=True)
    sello = models.CharField(max_length=64)

    class Meta:
        ordering = ["expediente_id", "n"]
        verbose_name = _("evento")
        verbose_name_plural = _("bitácora")
        constraints = [
            models.UniqueConstraint(fields=["expediente", "n"], name="evento_unico"),
            models.CheckConstraint(
                condition=Q(origen="persona", actor__isnull=False) | (~Q(origen="persona") & Q(actor__isnull=True)),
                name="evento_con_autor",
            ),
        ]
        indexes = [
            models.Index(fields=["objeto", "objeto_id"], name="evento_objeto"),
            # How long lines stood in which state: read over the cases of a year without the rest of their entries.
            models.Index(
                fields=["expediente", "n"],
                include=["objeto_id", "de", "a", "ocurrio_en"],
                name="evento_pasos",
                condition=Q(objeto="partida") & ~Q(a="") & ~Q(a=F("de")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.expediente_id}/{self.n} {self.accion}"


# ── The ledger of times ───────────────────────────────────────────────────────────────────────────


class Hitos(models.Model):
    """When each thing happened to a case and whose time it was: derived from its log (`tiempos.py`), never typed.

    Hours are `ocurrio_en`; days are fractional calendar days up to the last act that moved the case. While it is
    open, `tiene` has had it since `tiene_desde`, which those days leave out. Definitions: domain.md, section 6.
    """

    expediente = models.OneToOneField(Expediente, models.CASCADE, primary_key=True, related_name="hitos")
    puesto = models.ForeignKey(Puesto, models.PROTECT, related_name="+")
    # Of its first line: what like cases are looked for by.
    producto = models.ForeignKey(Producto, models.PROTECT, related_name="+")
    origen = models.ForeignKey(Pais, models.PROTECT, related_name="+")
    metodos = ArrayField(models.CharField(max_length=120), default=list)
    migrado = models.BooleanField(default=False)
    t0 = models.DateTimeField(_("solicitud"), null=True)
    t1 = models.DateTimeField(_("primera muestra tomada"), null=True)
    t2 = models.DateTimeField(_("última muestra de la primera ronda enviada"), null=True)
    t3 = models.DateTimeField(_("recibida"), null=True)
    t4 = models.DateTimeField(_("último ensayo concluido"), null=True)
    t5 = models.DateTimeField(_("emisión del informe que usó el dictamen"), null=True)
    t6 = models.DateTimeField(_("último dictamen"), null=True)
    t7 = models.DateTimeField(_("último cierre"), null=True)
    # However it ended; and each time it had ended and was opened again: [ended, opened], in ISO hours.
    fin = models.DateTimeField(null=True)
    cierres = models.JSONField(default=list)
    dias_puesto = models.FloatField(default=0)
    dias_traslado = models.FloatField(default=0)
    dias_laboratorio = models.FloatField(default=0)
    dias_importador = models.FloatField(default=0)
    dias_detenido = models.FloatField(default=0)
    tiene = models.CharField(max_length=12, blank=True)
    tiene_desde = models.DateTimeField(null=True)
    muestras = models.PositiveIntegerField(default=0)
    reaperturas = models.PositiveSmallIntegerField(default=0)
    repeticiones = models.PositiveIntegerField(default=0)
    cancelaciones = models.PositiveIntegerField(default=0)
    # Of the acts whose hours make an indicator, how many there were and how many were typed late.
    actos = models.PositiveIntegerField(default=0)
    tardios = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("hitos del expediente")
        verbose_name_plural = _("hitos de los expedientes")
        indexes = [
            # What was closed, sampled or ended in a period, of all posts or of one: the programme's indicators.
            models.Index(fields=["t7"], include=["puesto"], name="hitos_cerrados", condition=Q(t7__isnull=False)),
            models.Index(
                fields=["t1"], include=["puesto", "t2"], name="hitos_muestreados", condition=Q(t1__isnull=False)
            ),
            # Of those, the cohort of where the time goes: two in three were never sampled.
            models.Index(fields=["t7"], name="hitos_ciclos", condition=Q(t1__isnull=False, t7__isnull=False)),
            models.Index(fields=["fin"], include=["puesto"], name="hitos_terminados", condition=Q(fin__isnull=False)),
            models.Index(fields=["producto", "t7"], name="hitos_parecidos", condition=Q(t7__isnull=False)),
            models.Index(fields=["puesto", "t0"], name="hitos_sin_fin", condition=Q(fin__isnull=True)),
            models.Index(fields=["t0"], name="hitos_reabiertos", condition=Q(reaperturas__gt=0)),
        ]

    def __str__(self) -> str:
        return str(self.expediente_id)


class Pronostico(models.Model):
    """When a case was expected to end, as it was said at `hecho_en`, and when it did (`pronosticos.py`)."""

    class Tramo(models.TextChoices):
        SIN_MUESTRA = "sin_muestra", _("Antes de la muestra")
        CON_MUESTRA = "con_muestra", _("Muestra tomada, sin enviar")
        LABORATORIO = "laboratorio", _("En el laboratorio")
        DECISION = "decision", _("Con informe, sin decisión")
        CIERRE = "cierre", _("Decidido, sin cerrar")

    expediente = models.ForeignKey(Expediente, models.CASCADE, related_name="pronosticos")
    tramo = models.CharField(_("tramo"), max_length=12, choices=Tramo)
    desde = models.DateTimeField()
    # How long the case had been in the stretch: 0 at its beginning.
    dias = models.PositiveSmallIntegerField(default=0)
    hecho_en = models.DateTimeField()
    n = models.PositiveIntegerField()
    grupo = models.PositiveSmallIntegerField()
    mediana_en = models.DateTimeField()
    ochenta_en = models.DateTimeField()
    termino_en = models.DateTimeField(null=True, blank=True)
    cerrado = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("pronóstico")
        verbose_name_plural = _("pronósticos")
        constraints = [
            models.UniqueConstraint(fields=["expediente", "tramo", "desde", "dias"], name="pronostico_unico"),
        ]
        indexes = [
            models.Index(fields=["ochenta_en"], name="pronostico_por_juzgar"),
            models.Index(fields=["desde"], name="pronostico_en_curso", condition=Q(termino_en__isnull=True, dias=0)),
        ]

    def __str__(self) -> str:
        return f"{self.expediente_id} {self.tramo}"


# ── Documents, decisions, measures ────────────────────────────────────────────────────────────────


class Documento(models.Model):
    """One version of a signed file that was issued: a report, a RIV, or a monthly report. Never deleted.

    The monthly report alone is of no case.
    """

    class Tipo(models.TextChoices):
        INFORME = "informe", _("Informe de ensayo")
        RIV = "riv", _("Reporte de inspección y verificación")
        MENSUAL = "mensual", _("Informe mensual del programa")

    class Estado(models.TextChoices):
        VIGENTE = "vigente", _("Vigente")
        EN_REVISION = "en_revision", _("En revisión")
        REEMPLAZADO = "reemplazado", _("Reemplazado")
        ANULADO = "anulado", _("Anulado")

    class Firma(models.TextChoices):
        AUTOMATICA = "automatica", _("firma automática")
        DIRECTOR = "director", _("firmado por el director con su certificado")
        SUPLENTE = "suplente", _("firmado por el suplente del director")
        INSTITUCION = "institucion", _("sello de la institución")

    class Conclusion(models.TextChoices):
        NEGATIVO = "negativo", _("Negativo")
        POSITIVO = "positivo", _("Positivo")
        INDETERMINADO = "indeterminado", _("Indeterminado")

    tipo = models.CharField(_("tipo"), max_length=10, choices=Tipo)
    numero = models.CharField(_("número"), max_length=20)
    version = models.PositiveSmallIntegerField(_("versión"), default=1)
    expediente = models.ForeignKey(Expediente, models.PROTECT, null=True, blank=True, related_name="documentos")
    partida = models.ForeignKey(Partida, models.PROTECT, null=True, blank=True, related_name="documentos")
    estado = models.CharField(_("estado"), max_length=12, choices=Estado, default=Estado.VIGENTE)
    archivo = models.CharField(max_length=120, unique=True)
    sha256 = models.CharField(max_length=64, unique=True)
    cvd = models.CharField(_("código de verificación (CVD)"), max_length=24, unique=True)
    # The hour that it bears, and since when it has been out: a report signed elsewhere waits for its signature.
    emitido_en = models.DateTimeField(_("emitido"))
    publicado_en = models.DateTimeField(_("publicado"))
    # Of a report, when the last test that it rests on was concluded.
    ensayado_en = models.DateTimeField(null=True, blank=True)
    firma = models.CharField(_("firma"), max_length=12, choices=Firma)
    # Whom the certificate that signed it names; empty for those of before it was kept, all signed by the institution's.
    titular = models.CharField(_("titular del certificado"), max_length=200, blank=True)
    regla_version = models.PositiveSmallIntegerField(null=True, blank=True)
    reemplaza = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="reemplazado_por")
    causa = models.TextField(blank=True)
    # What a decision needs to know of a report, so that it never has to look into the laboratory.
    conclusion = models.CharField(_("conclusión"), max_length=15, choices=Conclusion, blank=True)
    impide_ingreso = models.BooleanField(default=False)

    objects = ConsultaDocumento.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("documento")
        verbose_name_plural = _("documentos")
        constraints = [
            models.UniqueConstraint(fields=["numero", "version"], name="documento_unico"),
            models.CheckConstraint(
                condition=Q(estado__in=["vigente", "en_revision", "reemplazado", "anulado"]),
                name="documento_estado_conocido",
            ),
            models.CheckConstraint(
                condition=Q(tipo="mensual", expediente=None) | (~Q(tipo="mensual") & Q(expediente__isnull=False)),
                name="documento_de_un_expediente",
            ),
        ]
        # The reports of a month: indicators 6 and 8.
        indexes = [models.Index(fields=["tipo", "publicado_en"], name="documento_por_publicacion")]

    def __str__(self) -> str:
        return self.numero if self.version == 1 else f"{self.numero}-V{self.version}"

    @property
    def firma_dicha(self) -> str:
        """Who signed it, in words. What a director authorised before he had a certificate, the institution's signed."""
        if self.firma == self.Firma.DIRECTOR and not self.titular:
            return str(_("autorizado por el director"))
        return self.get_firma_display()


class Lectura(models.Model):
    """Who of the post read a report, and when he first did: its document, or the page that decides on it.

    A fact like that of an access log, written by a GET: it moves nothing and sends nothing.
    """

    documento = models.ForeignKey(Documento, models.PROTECT, related_name="lecturas")
    usuario = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    leido_en = models.DateTimeField(_("leído"))

    class Meta:
        ordering = ["leido_en", "id"]
        verbose_name = _("lectura de un informe")
        verbose_name_plural = _("lecturas de informes")
        constraints = [models.UniqueConstraint(fields=["documento", "usuario"], name="lectura_una_por_persona")]

    def __str__(self) -> str:
        return f"{self.documento} · {self.usuario}"


class InformeEnPapel(models.Model):
    """A test report issued on paper before the adoption: only what it says of itself, never a Documento of ours."""

    partida = models.ForeignKey(Partida, models.PROTECT, related_name="informes_en_papel")
    numero = models.CharField(_("número"), max_length=40)
    emitido_en = models.DateTimeField(_("emitido"))
    conclusion = models.CharField(_("conclusión"), max_length=15, choices=Documento.Conclusion)
    plaga = models.ForeignKey(Plaga, models.PROTECT, null=True, blank=True, verbose_name=_("plaga hallada"))
    # As the catalogue stood on the day it was brought in.
    impide_ingreso = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        verbose_name = _("informe en papel")
        verbose_name_plural = _("informes en papel")
        constraints = [models.UniqueConstraint(fields=["partida", "numero"], name="informe_en_papel_unico")]

    def __str__(self) -> str:
        return _("%(numero)s (en papel)") % {"numero": self.numero}


class Dictamen(models.Model):
    class Decision(models.TextChoices):
        INGRESO = "ingreso", _("Ingreso")
        CONDICIONADO = "condicionado", _("Ingreso condicionado")
        RECHAZO = "rechazo", _("Rechazo")

    partida = models.ForeignKey(Partida, models.PROTECT, related_name="dictamenes")
    numero = models.CharField(_("número de RIV"), max_length=20, unique=True)
    decision = models.CharField(_("decisión"), max_length=12, choices=Decision)
    fundamento = models.TextField(_("fundamento"))
    informes = models.ManyToManyField(Documento, related_name="dictamenes", blank=True)
    informes_en_papel = models.ManyToManyField(InformeEnPapel, related_name="dictamenes", blank=True)
    # Decided and signed on paper before the adoption: that RIV's number. This system signs none in its place.
    riv_en_papel = models.CharField(_("RIV en papel"), max_length=40, blank=True)
    inspector = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    ocurrio_en = models.DateTimeField()
    riv = models.OneToOneField(Documento, models.PROTECT, null=True, blank=True, related_name="dictamen_emitido")
    riv_falla = models.TextField(blank=True)
    riv_intento_en = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("dictamen")
        verbose_name_plural = _("dictámenes")
        indexes = [models.Index(fields=["id"], name="dictamen_sin_riv", condition=Q(riv__isnull=True))]

    def __str__(self) -> str:
        return f"{self.numero}: {self.get_decision_display()}"

    @property
    def debe_riv(self) -> bool:
        """Whether its RIV is still to be signed: one signed on paper owes none."""
        return self.riv_id is None and not self.riv_en_papel


class Medida(models.Model):
    class Tipo(models.TextChoices):
        TRATAMIENTO = "tratamiento", _("Tratamiento")
        REEMBARQUE = "reembarque", _("Reembarque")
        COMISO = "comiso", _("Comiso")
        DESTRUCCION = "destruccion", _("Destrucción")
        POSENTRADA = "posentrada", _("Cuarentena posentrada")

    dictamen = models.ForeignKey(Dictamen, models.PROTECT, related_name="medidas")
    tipo = models.CharField(_("medida"), max_length=12, choices=Tipo)
    indicaciones = models.TextField(_("indicaciones"), blank=True)
    vence_en = models.DateField(_("cumplir hasta"))
    ordenada_en = models.DateTimeField()
    cumplida_en = models.DateTimeField(null=True, blank=True)
    # The report behind its decision was corrected or annulled before it was carried out.
    sin_efecto_en = models.DateTimeField(null=True, blank=True)
    acta = models.CharField(_("número de acta"), max_length=60, blank=True)
    evidencia = models.ForeignKey(Adjunto, models.PROTECT, null=True, blank=True)

    objects = ConsultaMedida.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("medida")
        verbose_name_plural = _("medidas")
        constraints = [
            models.UniqueConstraint(
                fields=["dictamen"], condition=Q(cumplida_en__isnull=True), name="medida_una_pendiente"
            )
        ]
        indexes = [
            models.Index(
                fields=["vence_en"], name="medida_por_vencer", condition=Q(cumplida_en=None, sin_efecto_en=None)
            )
        ]

    def __str__(self) -> str:
        return self.get_tipo_display()

    @property
    def pendiente(self) -> bool:
        return self.cumplida_en is None and self.sin_efecto_en is None


# ── What the notices say ──────────────────────────────────────────────────────────────────────────


class TextoDeAviso(models.Model):
    """One version of what a notice says to an audience; the database lets nothing of it change (`textos.py`)."""

    texto = models.CharField(max_length=40)
    audiencia = models.CharField(max_length=12)
    version = models.PositiveSmallIntegerField(_("versión"))
    titulo = models.CharField(_("asunto"), max_length=120)
    cuerpo = models.TextField(_("mensaje"))
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    causa = models.TextField(_("por qué"))
    creado_en = models.DateTimeField()

    class Meta:
        ordering = ["texto", "audiencia", "-version"]
        verbose_name = _("texto de aviso")
        verbose_name_plural = _("textos de avisos")
        constraints = [
            models.UniqueConstraint(fields=["texto", "audiencia", "version"], name="texto_de_aviso_version_unica")
        ]

    def __str__(self) -> str:
        return f"{self.texto} · {self.audiencia} · v{self.version}"


class VigenciaDeTexto(models.Model):
    """From when which version speaks: the last row of a text and audience. Without a version it is the file's."""

    texto = models.CharField(max_length=40)
    audiencia = models.CharField(max_length=12)
    version = models.ForeignKey(TextoDeAviso, models.PROTECT, null=True, blank=True)
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    causa = models.TextField(_("por qué"))
    desde = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("texto en vigor")
        verbose_name_plural = _("textos en vigor")
        indexes = [models.Index(fields=["texto", "audiencia", "-id"], name="vigencia_de_texto")]

    def __str__(self) -> str:
        return f"{self.texto} · {self.audiencia} · {self.version or _('de fábrica')}"


class InterruptorDeAviso(models.Model):
    """From when a notice is owed or not: the last row of it; without one it is."""

    aviso = models.CharField(max_length=40)
    encendido = models.BooleanField()
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    causa = models.TextField(_("por qué"))
    desde = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("interruptor de aviso")
        verbose_name_plural = _("interruptores de avisos")
        indexes = [models.Index(fields=["aviso", "-id"], name="interruptor_de_aviso")]

    def __str__(self) -> str:
        return f"{self.aviso} · {_('encendido') if self.encendido else _('apagado')}"


# ── The request before it is one ──────────────────────────────────────────────────────────────────


class Confirmacion(models.Model):
    """A code sent to an address that somebody typed. The code is in no table (`enlaces.codigo`)."""

    correo = models.EmailField()
    creada_en = models.DateTimeField()
    vence_en = models.DateTimeField(db_index=True)
    intentos = models.PositiveSmallIntegerField(default=0)
    usada_en = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("confirmación de correo")
        verbose_name_plural = _("confirmaciones de correo")

    def __str__(self) -> str:
        return self.referencia

    @property
    def referencia(self) -> str:
        return f"confirmacion:{self.pk}"


class Borrador(models.Model):
    """A request that an importer is still writing, kept at each step. It belongs to a confirmed address.

    `respuestas`: what was typed, field by field as in the form, plus `partidas` (a list of the same) and
    `adjuntos` (where each file waits). Emptied once it has become a case.
    """

    correo = models.EmailField(db_index=True)
    respuestas = models.JSONField(default=dict)
    # The key that the case will have: the same draft makes one case.
    envio = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    creado_en = models.DateTimeField()
    vence_en = models.DateTimeField(db_index=True)
    expediente = models.OneToOneField(Expediente, models.PROTECT, null=True, blank=True, related_name="borrador")

    class Meta:
        ordering = ["-id"]
        verbose_name = _("solicitud en borrador")
        verbose_name_plural = _("solicitudes en borrador")

    def __str__(self) -> str:
        return self.referencia

    @property
    def referencia(self) -> str:
        return f"borrador:{self.pk}"


class PedidoDeEnlace(models.Model):
    """Somebody asks for a link again. Whether there is one to send the worker finds out, and forgets the row.

    Whoever asks waits for one row to be written, and reads one answer, whether what he names exists or not.
    """

    # What was asked by: a case and a document of identity, an address, or a link that does not open any more.
    numero = models.CharField(max_length=40, blank=True)
    documento = models.CharField(max_length=20, blank=True)
    correo = models.EmailField(blank=True)
    enlace = models.ForeignKey("notificaciones.Enlace", models.CASCADE, null=True, blank=True, related_name="+")
    # All cases of whoever reads at the address, not one.
    todos = models.BooleanField(default=False)
    creado_en = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        verbose_name = _("pedido de enlace")
        verbose_name_plural = _("pedidos de enlace")

    def __str__(self) -> str:
        return str(self.pk)

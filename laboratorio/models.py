"""Samples, analyses, results, reversions and reports, and the catalogues that say what to look for."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from expedientes.models import Adjunto, Documento, Evento, Expediente, Pais, Partida, Plaga, Producto
from senasa.models import Disciplina, Puesto, Suplencia

from .querysets import (
    ConsultaAnalisis,
    ConsultaDeLaboratorio,
    ConsultaDelPuesto,
    ConsultaEvidencia,
    ConsultaInforme,
    ConsultaMuestra,
    ConsultaReversion,
    ConsultaRotulo,
)


class EstadoMuestra(models.TextChoices):
    TOMADA = "tomada", _("Tomada")
    ENVIADA = "enviada", _("Enviada")
    RECIBIDA = "recibida", _("Recibida")
    EN_ANALISIS = "en_analisis", _("En análisis")
    ANALIZADA = "analizada", _("Analizada")
    CONTRAMUESTRA = "contramuestra", _("Contramuestra guardada")
    ELIMINADA = "eliminada", _("Eliminada")
    RECHAZADA = "rechazada", _("Rechazada")
    PERDIDA = "perdida", _("Perdida")
    ANULADA = "anulada", _("Anulada")


# Of these nothing is left to analyse.
MUESTRAS_SIN_EFECTO = (EstadoMuestra.RECHAZADA, EstadoMuestra.PERDIDA, EstadoMuestra.ANULADA)


class EstadoAnalisis(models.TextChoices):
    PENDIENTE = "pendiente", _("Pendiente")
    ASIGNADO = "asignado", _("Asignado")
    EN_PROCESO = "en_proceso", _("En proceso")
    REGISTRADO = "registrado", _("Resultado registrado")
    VERIFICADO = "verificado", _("Verificado")
    CANCELADO = "cancelado", _("Cancelado")


class EstadoInforme(models.TextChoices):
    BORRADOR = "borrador", _("En elaboración")
    CERRADO = "cerrado", _("Cierre físico")
    EN_GRACIA = "en_gracia", _("Firma automática en espera")
    POR_FIRMAR = "por_firmar", _("Por firmar")
    FIRMANDO = "firmando", _("Firmando")
    FIRMANDO_FUERA = "firmando_fuera", _("Firmándose fuera")
    FIRMA_FALLIDA = "firma_fallida", _("Firma fallida")
    EMITIDO = "emitido", _("Emitido")
    ANULADO = "anulado", _("Sin efecto")


class Enmienda(models.TextChoices):
    ADMINISTRATIVA = "administrativa", _("Enmienda administrativa")
    DE_RESULTADO = "de_resultado", _("Enmienda de resultado")


class Valor(models.TextChoices):
    NEGATIVO = "negativo", _("Negativo")
    POSITIVO = "positivo", _("Positivo")
    INDETERMINADO = "indeterminado", _("Indeterminado")


# ── Catalogues ────────────────────────────────────────────────────────────────────────────────────


class Metodo(models.Model):
    codigo = models.SlugField(_("código"), max_length=60, unique=True)
    nombre = models.CharField(_("nombre"), max_length=120)
    disciplina = models.ForeignKey(Disciplina, models.PROTECT, verbose_name=_("disciplina"))
    norma = models.CharField(_("norma o procedimiento"), max_length=160, blank=True)
    verificaciones = models.PositiveSmallIntegerField(
        _("verificaciones que pide"), default=1, validators=[MinValueValidator(1)]
    )
    dias = models.PositiveSmallIntegerField(_("días que suele tomar"), default=1)
    activo = models.BooleanField(_("activo"), default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["disciplina__nombre", "nombre"]
        verbose_name = _("método")
        verbose_name_plural = _("métodos")

    def __str__(self) -> str:
        return f"{self.disciplina} · {self.nombre}"


class Requisito(models.Model):
    """What to look for, and how, in a product of an origin; no origin means any."""

    producto = models.ForeignKey(Producto, models.PROTECT, related_name="requisitos")
    pais_origen = models.ForeignKey(Pais, models.PROTECT, null=True, blank=True)
    plaga = models.ForeignKey(Plaga, models.PROTECT)
    metodo = models.ForeignKey(Metodo, models.PROTECT)
    activo = models.BooleanField(_("activo"), default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["producto__nombre", "plaga__nombre"]
        verbose_name = _("requisito de análisis")
        verbose_name_plural = _("requisitos de análisis")
        constraints = [
            models.UniqueConstraint(
                fields=["producto", "pais_origen", "plaga", "metodo"], nulls_distinct=False, name="requisito_unico"
            )
        ]

    def __str__(self) -> str:
        return f"{self.producto}: {self.plaga} · {self.metodo}"


class TipoDeControl(models.TextChoices):
    POSITIVO = "positivo", _("Control positivo")
    NEGATIVO = "negativo", _("Control negativo")
    BLANCO = "blanco", _("Blanco de reactivos")
    EXTRACCION = "extraccion", _("Control de extracción")
    REFERENCIA = "referencia", _("Material de referencia")


class ControlEsperado(models.Model):
    """A control that every run of a method carries, and what it has to give for the run to stand."""

    metodo = models.ForeignKey(Metodo, models.PROTECT, related_name="controles", verbose_name=_("método"))
    tipo = models.CharField(_("control"), max_length=12, choices=TipoDeControl)
    esperado = models.CharField(_("qué debe dar"), max_length=120)
    activo = models.BooleanField(_("activo"), default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["metodo", "id"]
        verbose_name = _("control del método")
        verbose_name_plural = _("controles del método")
        constraints = [models.UniqueConstraint(fields=["metodo", "tipo"], name="control_esperado_unico")]

    def __str__(self) -> str:
        return f"{self.metodo}: {self.get_tipo_display()}"


class ReglaFirma(models.Model):
    """Under which rule a machine may sign. Versions are added; once in force the database lets none be changed.

    Without `desde` it is a draft. What it covers is what its lists name; an empty list covers everything.
    The one in force is `reglas.vigente()`.
    """

    version = models.PositiveSmallIntegerField(_("versión"), unique=True)
    activa = models.BooleanField(_("activa"), default=True)
    gracia_minutos = models.PositiveSmallIntegerField(_("tiempo de gracia (minutos)"), default=30)
    productos = models.ManyToManyField(Producto, verbose_name=_("productos"), blank=True)
    metodos = models.ManyToManyField(Metodo, verbose_name=_("métodos"), blank=True)
    disciplinas = models.ManyToManyField(Disciplina, verbose_name=_("disciplinas"), blank=True)
    desde = models.DateTimeField(_("rige desde"), null=True, blank=True)
    causa = models.TextField(_("causa"))
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)

    class Meta:
        ordering = ["-version"]
        verbose_name = _("regla de firma automática")
        verbose_name_plural = _("reglas de firma automática")

    def __str__(self) -> str:
        return f"v{self.version} ({'activa' if self.activa else 'inactiva'})"


class Reproduccion(models.Model):
    """What a version of the rule would have done over the reports of twelve months. Never edited nor deleted."""

    regla = models.ForeignKey(ReglaFirma, models.PROTECT, related_name="reproducciones")
    # As `reglas.parametros` gives them: a version is switched on only over a replay of exactly its own.
    parametros = models.JSONField()
    desde = models.DateTimeField()
    hasta = models.DateTimeField()
    informes = models.PositiveIntegerField()
    firmaria = models.PositiveIntegerField()
    # Of those it would have signed, what became of each that did not stay as it was.
    corregidos = models.JSONField(default=list)
    # Of the others, how many failed each condition (one report may fail several).
    por_que_no = models.JSONField(default=dict)
    milisegundos = models.PositiveIntegerField()
    hecha_en = models.DateTimeField()
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("reproducción de una regla")
        verbose_name_plural = _("reproducciones de reglas")

    def __str__(self) -> str:
        return f"{self.regla}: {self.firmaria} de {self.informes}"


class CertificadoPropio(models.Model):
    """A person's own signing certificate, held for him. Retired, its row stays and its key is wiped.

    `p12` and `clave` are encrypted with `senasa.llave`; the rest is what the certificate says of itself.
    """

    usuario = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="certificados")
    titular = models.CharField(_("titular"), max_length=200)
    huella = models.CharField(max_length=64)
    desde = models.DateTimeField(_("vale desde"))
    hasta = models.DateTimeField(_("vale hasta"))
    p12 = models.TextField(blank=True, editable=False)
    clave = models.TextField(blank=True, editable=False)
    puesto_en = models.DateTimeField()
    retirado_en = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("certificado propio")
        verbose_name_plural = _("certificados propios")
        constraints = [
            models.UniqueConstraint(
                fields=["usuario"], condition=Q(retirado_en__isnull=True), name="certificado_uno_por_persona"
            ),
            models.UniqueConstraint(
                fields=["huella"], condition=Q(retirado_en__isnull=True), name="certificado_de_una_persona"
            ),
            models.CheckConstraint(
                condition=Q(retirado_en__isnull=True) | Q(p12="", clave=""), name="certificado_retirado_sin_llave"
            ),
        ]

    def __str__(self) -> str:
        return self.titular


# ── Work ──────────────────────────────────────────────────────────────────────────────────────────


class Despacho(models.Model):
    """A manifest: what left a post for the laboratory in one car, and when the laboratory checked it off."""

    numero = models.CharField(_("número"), max_length=20, unique=True)
    puesto = models.ForeignKey(Puesto, models.PROTECT, related_name="despachos")
    transporte = models.CharField(_("cómo va"), max_length=120, blank=True)
    salio_en = models.DateTimeField()
    enviado_por = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    conciliado_en = models.DateTimeField(null=True, blank=True)
    conciliado_por = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = ConsultaDelPuesto.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("manifiesto de despacho")
        verbose_name_plural = _("manifiestos de despacho")
        constraints = [
            models.CheckConstraint(
                condition=Q(conciliado_en=None, conciliado_por=None) | Q(conciliado_en__isnull=False),
                name="despacho_conciliado_con_hora",
            )
        ]
        indexes = [
            models.Index(fields=["salio_en"], name="despacho_en_camino", condition=Q(conciliado_en__isnull=True))
        ]

    def __str__(self) -> str:
        return self.numero

    def get_absolute_url(self) -> str:
        return reverse("despacho", args=[self.numero])


class SolicitudAnalisis(models.Model):
    """What a post asks of the laboratory in one dispatch: the samples of a line and the tests."""

    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="solicitudes")
    partida = models.ForeignKey(Partida, models.PROTECT, related_name="solicitudes")
    enviada_en = models.DateTimeField()
    transporte = models.CharField(_("cómo va"), max_length=120, blank=True)
    # Empty only for what another registry says was sent.
    despacho = models.ForeignKey(Despacho, models.PROTECT, null=True, blank=True, related_name="solicitudes")

    class Meta:
        ordering = ["id"]
        verbose_name = _("solicitud de análisis")
        verbose_name_plural = _("solicitudes de análisis")

    def __str__(self) -> str:
        return f"{self.partida} · {self.enviada_en:%d/%m/%Y}"


class ActaEliminacion(models.Model):
    """The record under which retained duplicates past their date were destroyed together."""

    class Metodo(models.TextChoices):
        AUTOCLAVE = "autoclave", _("autoclave (121 °C, 30 min)")
        INCINERACION = "incineracion", _("incineración")
        QUIMICO = "quimico", _("inactivación química")
        OTRO = "otro", _("otro, descrito en las observaciones")

    numero = models.CharField(_("número"), max_length=20, unique=True)
    ocurrio_en = models.DateTimeField()
    responsable = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    testigo = models.CharField(_("testigo"), max_length=120)
    metodo = models.CharField(_("método"), max_length=12, choices=Metodo)
    observaciones = models.TextField(_("observaciones"), blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("acta de eliminación")
        verbose_name_plural = _("actas de eliminación")

    def __str__(self) -> str:
        return self.numero


class Muestra(models.Model):
    class Conservacion(models.TextChoices):
        AMBIENTE = "ambiente", _("ambiente")
        REFRIGERADA = "refrigerada", _("refrigerada (2 a 8 °C)")
        CONGELADA = "congelada", _("congelada")

    class Condicion(models.TextChoices):
        BUENA = "buena", _("buena")
        CON_OBSERVACIONES = "con_observaciones", _("con observaciones")

    numero = models.CharField(_("número"), max_length=20, unique=True)
    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="muestras")
    partida = models.ForeignKey(Partida, models.PROTECT, related_name="muestras")
    solicitud = models.ForeignKey(SolicitudAnalisis, models.PROTECT, null=True, blank=True, related_name="muestras")
    estado = models.CharField(_("estado"), max_length=15, choices=EstadoMuestra, default=EstadoMuestra.TOMADA)
    estado_desde = models.DateTimeField()
    tomada_en = models.DateTimeField()
    lote = models.CharField(_("lote"), max_length=60, blank=True)
    precinto = models.CharField(_("precinto"), max_length=40)
    conservacion = models.CharField(_("conservación"), max_length=12, choices=Conservacion)
    cantidad = models.DecimalField(
        _("cantidad"), max_digits=10, decimal_places=3, validators=[MinValueValidator(0.001)]
    )
    unidad = models.CharField(_("unidad"), max_length=20)
    plan_de_muestreo = models.CharField(_("plan de muestreo"), max_length=160, blank=True)
    recibida_en = models.DateTimeField(null=True, blank=True)
    condicion = models.CharField(_("condición al llegar"), max_length=20, choices=Condicion, blank=True)
    cantidad_recibida = models.DecimalField(
        _("cantidad recibida"), max_digits=10, decimal_places=3, null=True, blank=True,
        validators=[MinValueValidator(0.001)],
    )  # fmt: skip
    conservacion_al_llegar = models.CharField(
        _("conservación al llegar"), max_length=12, choices=Conservacion, blank=True
    )
    observaciones = models.TextField(_("observaciones"), blank=True)
    # When both sides were told that it had not arrived; it counts while the sample is on the road.
    demora_avisada_en = models.DateTimeField(null=True, blank=True)
    contramuestra_lugar = models.CharField(_("dónde queda"), max_length=120, blank=True)
    contramuestra_hasta = models.DateField(_("se guarda hasta"), null=True, blank=True)
    # While a second opinion is pending nothing of the sample is destroyed.
    dirimencia_desde = models.DateTimeField(null=True, blank=True)
    acta = models.ForeignKey(ActaEliminacion, models.PROTECT, null=True, blank=True, related_name="muestras")

    objects = ConsultaMuestra.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("muestra")
        verbose_name_plural = _("muestras")
        constraints = [
            models.CheckConstraint(condition=Q(estado__in=EstadoMuestra.values), name="muestra_estado_conocido"),
            models.CheckConstraint(condition=Q(cantidad__gt=0), name="muestra_con_cantidad"),
        ]
        indexes = [
            models.Index(fields=["estado", "estado_desde"], name="muestra_bandeja"),
            # Samples received in a period, by post: what rates are counted over.
            models.Index(fields=["recibida_en"], include=["expediente"], name="muestra_recibidas"),
        ]

    def __str__(self) -> str:
        return self.numero

    @property
    def cadena_rota(self) -> bool:
        """Whether it left the post cold and arrived warmer than it left."""
        frio = [self.Conservacion.CONGELADA, self.Conservacion.REFRIGERADA, self.Conservacion.AMBIENTE]
        llego = self.conservacion_al_llegar
        return bool(llego) and frio.index(self.Conservacion(llego)) > frio.index(self.Conservacion(self.conservacion))


class Conciliacion(models.Model):
    """What became of one sample of a manifest when the laboratory checked it off; never changed afterwards."""

    class Desenlace(models.TextChoices):
        LLEGO = "llego", _("llegó")
        FALTO = "falto", _("no llegó")
        RECHAZADA = "rechazada", _("llegó y se rechazó")
        PERDIDA = "perdida", _("dada por perdida")

    despacho = models.ForeignKey(Despacho, models.PROTECT, related_name="conciliaciones")
    muestra = models.OneToOneField(Muestra, models.PROTECT, related_name="conciliacion")
    desenlace = models.CharField(max_length=10, choices=Desenlace)

    class Meta:
        ordering = ["muestra_id"]
        verbose_name = _("conciliación")
        verbose_name_plural = _("conciliaciones")

    def __str__(self) -> str:
        return f"{self.despacho} · {self.muestra}: {self.get_desenlace_display()}"


class TandaRotulos(models.Model):
    """Labels printed blank, at one time, for the samples that a post will take."""

    puesto = models.ForeignKey(Puesto, models.PROTECT, related_name="tandas_de_rotulos")
    impresa_por = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    impresa_en = models.DateTimeField()
    cuantos = models.PositiveSmallIntegerField()

    objects = ConsultaDelPuesto.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("tanda de rótulos")
        verbose_name_plural = _("tandas de rótulos")

    def __str__(self) -> str:
        return f"{self.puesto} · {self.impresa_en:%d/%m/%Y} · {self.cuantos}"


class Rotulo(models.Model):
    """A label printed blank. It is bound to one sample, once, and never to another."""

    codigo = models.CharField(_("código"), max_length=9, unique=True)
    tanda = models.ForeignKey(TandaRotulos, models.PROTECT, related_name="rotulos")
    muestra = models.OneToOneField(Muestra, models.PROTECT, null=True, blank=True, related_name="rotulo")
    vinculado_en = models.DateTimeField(null=True, blank=True)

    objects = ConsultaRotulo.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("rótulo")
        verbose_name_plural = _("rótulos")

    def __str__(self) -> str:
        return self.codigo


class Pregunta(models.Model):
    """What one side asks the other about a sample, by when, and what was answered. Answered once, never edited."""

    class Lado(models.TextChoices):
        PUESTO = "puesto", _("puesto de control")
        LABORATORIO = "laboratorio", _("laboratorio")

    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="preguntas")
    muestra = models.ForeignKey(Muestra, models.PROTECT, related_name="preguntas")
    # Who has to answer.
    lado = models.CharField(_("a quién"), max_length=12, choices=Lado)
    para = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="preguntas_recibidas"
    )
    texto = models.TextField(_("pregunta"))
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="preguntas_hechas")
    hecha_en = models.DateTimeField()
    vence_en = models.DateTimeField()
    respuesta = models.TextField(_("respuesta"), blank=True)
    respondida_por = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    respondida_en = models.DateTimeField(null=True, blank=True)

    objects = ConsultaDeLaboratorio.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("pregunta")
        verbose_name_plural = _("preguntas")
        constraints = [
            models.CheckConstraint(
                condition=Q(respondida_en=None, respondida_por=None, respuesta="")
                | (Q(respondida_en__isnull=False, respondida_por__isnull=False) & ~Q(respuesta="")),
                name="pregunta_respondida_entera",
            )
        ]
        indexes = [
            models.Index(fields=["lado", "vence_en"], name="pregunta_abierta", condition=Q(respondida_en__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.muestra} · {self.texto[:40]}"


class Informe(models.Model):
    """The test report of one SolicitudAnalisis on its way to the signature; issued, it is a Documento."""

    numero = models.CharField(_("número"), max_length=20, unique=True)
    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="informes")
    solicitud = models.OneToOneField(SolicitudAnalisis, models.PROTECT, related_name="informe")
    estado = models.CharField(_("estado"), max_length=15, choices=EstadoInforme, default=EstadoInforme.BORRADOR)
    estado_desde = models.DateTimeField()
    # Why it was, or was not, for the machine to sign: every condition that was checked.
    condiciones = models.JSONField(default=list, blank=True)
    regla = models.ForeignKey(ReglaFirma, models.PROTECT, null=True, blank=True)
    firmar_desde = models.DateTimeField(null=True, blank=True)
    autoriza = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)
    # Whoever authorised it stood in for the director.
    suplencia = models.ForeignKey(Suplencia, models.PROTECT, null=True, blank=True)
    # Fingerprint of the verified results at the moment a worker claimed the signature.
    huella = models.CharField(max_length=64, blank=True)
    reclamo_hasta = models.DateTimeField(null=True, blank=True)
    falla = models.TextField(blank=True)
    # The one on its way, or issued; an amendment makes the next.
    version = models.PositiveSmallIntegerField(_("versión"), default=1)
    # Of a version past the first: how it differs from the one it replaces, and why, as its PDF says.
    enmienda = models.CharField(_("enmienda"), max_length=15, choices=Enmienda, blank=True)
    causa = models.TextField(_("causa de la enmienda"), blank=True)
    # Issued on an early positive, the rest of its analyses cancelled.
    parcial = models.BooleanField(default=False)
    # The version that was issued last; while an amendment is on its way, the one that it will replace.
    documento = models.OneToOneField(Documento, models.PROTECT, null=True, blank=True)

    objects = ConsultaInforme.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("informe de ensayo")
        verbose_name_plural = _("informes de ensayo")
        constraints = [
            models.CheckConstraint(condition=Q(estado__in=EstadoInforme.values), name="informe_estado_conocido"),
            models.CheckConstraint(
                condition=~Q(estado="emitido") | Q(documento__isnull=False), name="informe_emitido_con_documento"
            ),
        ]
        indexes = [models.Index(fields=["estado", "firmar_desde"], name="informe_bandeja")]

    def __str__(self) -> str:
        return self.numero

    @property
    def automatico(self) -> bool:
        return bool(self.condiciones) and all(condicion["cumple"] for condicion in self.condiciones)

    @property
    def publicado(self) -> bool:
        """Whether the results in force are those of an issued version, which everybody may read."""
        return self.estado == EstadoInforme.EMITIDO or self.en_enmienda_administrativa

    @property
    def en_enmienda_administrativa(self) -> bool:
        """Whether a version that changes no result is on its way to the signature."""
        en_camino = self.estado not in (EstadoInforme.EMITIDO, EstadoInforme.ANULADO)
        return en_camino and self.enmienda == Enmienda.ADMINISTRATIVA


class FirmaFuera(models.Model):
    """One try at having a report signed outside: what was fixed for it, and the very bytes that were handed out."""

    class Final(models.TextChoices):
        EMITIDA = "emitida", _("emitida")
        DEJADA = "dejada", _("dejada")
        VENCIDA = "vencida", _("venció el tiempo")
        SIN_EFECTO = "sin_efecto", _("quedó sin efecto")

    informe = models.ForeignKey(Informe, models.PROTECT, related_name="firmas_fuera")
    firmante = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    version = models.PositiveSmallIntegerField()
    cvd = models.CharField(max_length=24, unique=True)
    huella = models.CharField(max_length=64)
    pedida_en = models.DateTimeField()
    vence_en = models.DateTimeField()
    # The hour that the report bears: when its PDF was made. Its bytes are dropped at the end.
    emitido_en = models.DateTimeField(null=True, blank=True)
    pdf = models.BinaryField(null=True, blank=True, editable=False)
    terminada_en = models.DateTimeField(null=True, blank=True)
    final = models.CharField(max_length=10, choices=Final, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("firma fuera del sistema")
        verbose_name_plural = _("firmas fuera del sistema")
        constraints = [
            models.UniqueConstraint(
                fields=["informe"], condition=Q(terminada_en__isnull=True), name="firma_fuera_una_abierta"
            ),
            models.CheckConstraint(
                condition=Q(terminada_en__isnull=True, final="") | Q(terminada_en__isnull=False, pdf__isnull=True),
                name="firma_fuera_terminada_sin_pdf",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.informe} · {self.get_final_display() or _('en curso')}"


class Analisis(models.Model):
    """One test of one sample, by one method, for one pest."""

    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="analisis")
    muestra = models.ForeignKey(Muestra, models.PROTECT, related_name="analisis")
    solicitud = models.ForeignKey(SolicitudAnalisis, models.PROTECT, related_name="analisis")
    metodo = models.ForeignKey(Metodo, models.PROTECT)
    plaga = models.ForeignKey(Plaga, models.PROTECT)
    estado = models.CharField(_("estado"), max_length=12, choices=EstadoAnalisis, default=EstadoAnalisis.PENDIENTE)
    estado_desde = models.DateTimeField()
    analista = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="analisis_propios"
    )
    iniciado_en = models.DateTimeField(null=True, blank=True)
    verificado_en = models.DateTimeField(null=True, blank=True)

    objects = ConsultaAnalisis.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("análisis")
        verbose_name_plural = _("análisis")
        constraints = [
            models.CheckConstraint(condition=Q(estado__in=EstadoAnalisis.values), name="analisis_estado_conocido"),
            models.UniqueConstraint(fields=["muestra", "metodo", "plaga"], name="analisis_unico"),
        ]
        indexes = [models.Index(fields=["estado", "estado_desde"], name="analisis_bandeja")]

    def __str__(self) -> str:
        return f"{self.muestra} · {self.metodo} · {self.plaga.nombre}"

    @property
    def resultado(self) -> Resultado | None:
        """The result in force, if any."""
        return self.resultados.filter(vigente=True).first()


class HojaDeTrabajo(models.Model):
    """Samples worked through together by one method, with the controls of the run."""

    numero = models.CharField(_("número"), max_length=20, unique=True)
    metodo = models.ForeignKey(Metodo, models.PROTECT)
    abierta_por = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="hojas_abiertas")
    abierta_en = models.DateTimeField()
    # Who works on it: each may record any of its rows.
    analistas = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="hojas")
    # What the method asked for the day it was opened, [tipo, esperado]: the catalogue may change, the run does not.
    controles_pedidos = models.JSONField(default=list, blank=True)
    # A failed control ends a run; what is read from then on belongs to the next one.
    corrida = models.PositiveSmallIntegerField(_("corrida"), default=1)
    cerrada_por = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="hojas_cerradas"
    )
    cerrada_en = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("hoja de trabajo")
        verbose_name_plural = _("hojas de trabajo")

    def __str__(self) -> str:
        return self.numero


class Renglon(models.Model):
    """An analysis on a sheet; after a reversion it may stand on a later one, but on one open sheet only."""

    hoja = models.ForeignKey(HojaDeTrabajo, models.PROTECT, related_name="renglones")
    analisis = models.ForeignKey(Analisis, models.PROTECT, related_name="renglones")
    orden = models.PositiveSmallIntegerField()
    # False once its sheet is closed.
    abierto = models.BooleanField(default=True)

    class Meta:
        ordering = ["hoja", "orden"]
        verbose_name = _("renglón")
        verbose_name_plural = _("renglones")
        constraints = [
            models.UniqueConstraint(fields=["analisis"], condition=Q(abierto=True), name="renglon_en_una_hoja_abierta"),
            models.UniqueConstraint(fields=["hoja", "analisis"], name="renglon_una_vez_por_hoja"),
        ]

    def __str__(self) -> str:
        return f"{self.hoja} · {self.orden}"


class Control(models.Model):
    """What a control of a run gave. Never edited: one that failed is repeated, in the next run."""

    hoja = models.ForeignKey(HojaDeTrabajo, models.PROTECT, related_name="controles")
    corrida = models.PositiveSmallIntegerField(_("corrida"))
    tipo = models.CharField(_("control"), max_length=12, choices=TipoDeControl)
    esperado = models.CharField(_("qué debía dar"), max_length=120, blank=True)
    obtenido = models.CharField(_("qué dio"), max_length=120)
    conforme = models.BooleanField(_("conforme"))
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    ocurrio_en = models.DateTimeField()
    repite = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="repeticiones")

    class Meta:
        ordering = ["id"]
        verbose_name = _("control de la corrida")
        verbose_name_plural = _("controles de la corrida")

    def __str__(self) -> str:
        return f"{self.hoja} · {self.get_tipo_display()}"


class Resultado(models.Model):
    """What an analyst found. Never edited nor deleted: a reversion takes it out of force."""

    analisis = models.ForeignKey(Analisis, models.PROTECT, related_name="resultados")
    valor = models.CharField(_("resultado"), max_length=15, choices=Valor)
    plaga = models.ForeignKey(Plaga, models.PROTECT, null=True, blank=True, verbose_name=_("plaga hallada"))
    lectura = models.CharField(_("lectura"), max_length=160, blank=True)
    observaciones = models.TextField(_("observaciones"), blank=True)
    registrado_por = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    ocurrio_en = models.DateTimeField()
    # The sheet it was read on and the run of that sheet: its controls answer for it.
    hoja = models.ForeignKey("HojaDeTrabajo", models.PROTECT, null=True, blank=True, related_name="resultados")
    corrida = models.PositiveSmallIntegerField(null=True, blank=True)
    vigente = models.BooleanField(default=True)
    sustituye = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="sustituido_por")

    class Meta:
        ordering = ["id"]
        verbose_name = _("resultado")
        verbose_name_plural = _("resultados")
        constraints = [
            models.UniqueConstraint(fields=["analisis"], condition=Q(vigente=True), name="resultado_uno_vigente"),
            models.CheckConstraint(condition=Q(valor__in=Valor.values), name="resultado_conocido"),
        ]

    def __str__(self) -> str:
        return self.get_valor_display()


class Verificacion(models.Model):
    resultado = models.ForeignKey(Resultado, models.PROTECT, related_name="verificaciones")
    verificador = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    ocurrio_en = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        verbose_name = _("verificación")
        verbose_name_plural = _("verificaciones")
        constraints = [models.UniqueConstraint(fields=["resultado", "verificador"], name="verificacion_de_otro")]

    def __str__(self) -> str:
        return f"{self.resultado} · {self.verificador}"


class Reversion(models.Model):
    """A step back of a sample, of an analysis or of its result: what it undid, why, by whom, and what it cost.

    Self-approved unless a director ordered it. `resultado` is what went out of force; without one it was a stage of
    `analisis`, and without `analisis` a stage of the sample. One act is one row that names no other: a sample's takes
    its results with it, and a director's may take several, each in a row that names the act's in `parte_de`.
    """

    expediente = models.ForeignKey(Expediente, models.PROTECT, related_name="reversiones")
    muestra = models.ForeignKey(Muestra, models.PROTECT, related_name="reversiones")
    analisis = models.ForeignKey(Analisis, models.PROTECT, null=True, blank=True, related_name="reversiones")
    resultado = models.ForeignKey(Resultado, models.PROTECT, null=True, blank=True)
    parte_de = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="partes")
    # Its entry of the log: what happened to the same thing afterwards says when it was back.
    evento = models.ForeignKey(Evento, models.PROTECT, db_index=False, related_name="+")
    accion = models.CharField(_("acto"), max_length=30)
    autor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    autoaprobada = models.BooleanField(_("autoaprobada"), default=True)
    motivo = models.CharField(max_length=40)
    texto = models.TextField()
    desde_estado = models.CharField(max_length=15)
    # What the work done again usually takes, in hours, as the person read it before confirming.
    horas = models.PositiveIntegerField(_("horas que suma"), default=0)
    # Whether it took a report back that was on its way to the signature.
    retiro_firma = models.BooleanField(_("retiró una firma"), default=False)
    ocurrio_en = models.DateTimeField()

    objects = ConsultaReversion.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("reversión")
        verbose_name_plural = _("reversiones")
        constraints = [
            models.CheckConstraint(
                condition=Q(resultado__isnull=True) | Q(analisis__isnull=False), name="reversion_resultado_de_analisis"
            )
        ]
        indexes = [models.Index(fields=["-ocurrio_en", "-id"], name="reversion_ultimas")]

    def __str__(self) -> str:
        return f"{self.analisis or self.muestra} · {self.motivo}"


class Evidencia(models.Model):
    """A file of the laboratory's own: the photo of a sample as it came, the gel or the plate behind a result."""

    adjunto = models.OneToOneField(Adjunto, models.PROTECT, related_name="evidencia")
    muestra = models.ForeignKey(Muestra, models.PROTECT, related_name="evidencias")
    # Empty when it shows the sample itself.
    resultado = models.ForeignKey(Resultado, models.PROTECT, null=True, blank=True, related_name="evidencias")

    objects = ConsultaEvidencia.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("evidencia")
        verbose_name_plural = _("evidencias")

    def __str__(self) -> str:
        return f"{self.muestra} · {self.adjunto}"

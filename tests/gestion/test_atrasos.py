"""Late means an action: what heads the list and why, who answers, and an action that ends with its outcome."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from expedientes import lectura
from expedientes import services as casos
from expedientes.models import Documento, Evento, Expediente, Medida, Partida
from gestion import atrasos, demo, queries, services
from gestion.models import Accion, Escalamiento
from laboratorio import preguntas, recorrido
from laboratorio.models import Muestra
from notificaciones.models import AvisoInterno, Notificacion
from senasa import reloj
from senasa.models import Usuario
from senasa.transicion import EstadoImpide, RolImpide
from tests.builders import avanzar_hasta, crear_caso

pytestmark = pytest.mark.django_db


def quien(nombre: str) -> Usuario:
    return Usuario.objects.get(username=nombre)


def vencer(caso, hace: timedelta) -> Partida:
    """Its present stage should have ended `hace` ago."""
    cuando = timezone.now() - hace
    Partida.objects.filter(expediente=caso.expediente).update(vence_en=cuando)
    Expediente.objects.filter(pk=caso.expediente.pk).update(vence_en=cuando)
    return caso.partidas[0]


def lista(nombre: str) -> list[tuple[str, int]]:
    return [fila[:2] for fila in atrasos.sin_accion(quien(nombre), reloj.ahora())]


def tomar(caso, partida: Partida, *, actor: str = "jefe", responsable: str = "inspector", **datos) -> Accion:
    return services.tomar_accion(
        expediente=caso.expediente, tipo="plazo", objeto_id=partida.pk, actor=quien(actor),
        responsable=quien(responsable),
        **{"que_hara": "Llamar al terminal.", "para_el": timezone.localdate() + timedelta(days=1), **datos},
    )  # fmt: skip


def test_every_kind_of_breach_heads_the_list_the_worst_first_and_each_sees_his_own(certificado, settings):
    ayer = timezone.localdate() - timedelta(days=1)
    en_plazo = crear_caso("registrado")
    Expediente.objects.filter(pk=en_plazo.expediente.pk).update(vence_en=timezone.now() + timedelta(days=1))
    # Grapes perish, each late hour twice: 30 h of theirs weigh more than 50 h of maize.
    uvas = vencer(crear_caso("registrado", producto="uva-fresca"), timedelta(hours=30))
    maiz = vencer(crear_caso("en_inspeccion", producto="maiz-amarillo-duro", origen="US"), timedelta(hours=50))
    en_laboratorio = vencer(crear_caso("recibido", puesto="PCA", producto="trigo", origen="CA"), timedelta(hours=2))
    medida_de = crear_caso("en_medida", valor="positivo")
    medida = Medida.objects.get(dictamen__partida__expediente=medida_de.expediente)
    Medida.objects.filter(pk=medida.pk).update(vence_en=ayer)
    observado = crear_caso("en_inspeccion", producto="lenteja", origen="CA")
    recorrido.observar(observado)
    observacion = observado.expediente.observaciones.get()
    observado.expediente.observaciones.update(vence_en=ayer)
    enviado = crear_caso("en_laboratorio")
    muestra = Muestra.objects.get(expediente=enviado.expediente)
    muestra.solicitud.enviada_en = reloj.ahora() - timedelta(hours=settings.DEMORA_TRASLADO_HORAS + 1)
    muestra.solicitud.save()
    preguntado = crear_caso("recibido", producto="lenteja", origen="CA")
    suya = Muestra.objects.get(expediente=preguntado.expediente)
    with reloj.fijado(reloj.ahora() - timedelta(minutes=65)):
        pregunta = preguntas.preguntar(
            muestra=suya, actor=preguntado.inspector, texto="¿Llegó?", vence_en=reloj.ahora() + timedelta(hours=1)
        )
    emitido = crear_caso("resultado_emitido", producto="lenteja", origen="CA")
    informe = Documento.objects.get(expediente=emitido.expediente)
    Documento.objects.filter(pk=informe.pk).update(publicado_en=reloj.ahora() - timedelta(hours=5))
    # Everything else of those cases is on time.
    propios = [uvas.expediente_id, maiz.expediente_id, en_laboratorio.expediente_id]
    for modelo, campo in ((Partida, "expediente"), (Expediente, "pk")):
        modelo.objects.exclude(**{f"{campo}__in": propios}).update(vence_en=timezone.now() + timedelta(days=9))

    todo = [("plazo", uvas.pk), ("plazo", maiz.pk), ("plazo", en_laboratorio.pk), ("medida", medida.pk),
            ("observacion", observacion.pk), ("muestra", muestra.pk), ("pregunta", pregunta.pk),
            ("informe", informe.pk)]  # fmt: skip
    # The jefe has both posts here; dirección reads all; the director answers for what the laboratory owes.
    assert sorted(lista("jefe")) == sorted(lista("direccion")) == sorted(todo)
    assert [fila for fila in lista("jefe") if fila[0] == "plazo"] == todo[:3]
    assert sorted(lista("director")) == sorted([todo[2], todo[5], todo[6]])
    assert lista("inspector") == lista("mesa") == []
    quien("jefe").puestos.remove(en_laboratorio.expediente.puesto)
    assert todo[2] not in lista("jefe")
    # Why each is where it is.
    primero = atrasos.uno("plazo", uvas.pk)
    assert primero is not None
    assert primero.porque.startswith("fuera de plazo por 1 d 6 h · perecible")
    assert atrasos.recuento(quien("director"), reloj.ahora()) == {"plazo": 1, "muestra": 1, "pregunta": 1}


def test_an_action_is_taken_once_by_who_answers_and_closed_with_an_outcome(entrar, certificado):
    caso = crear_caso("registrado")
    partida = vencer(caso, timedelta(days=2))
    url = reverse("tomar_accion", args=["plazo", partida.pk])
    hoy = timezone.localdate()
    datos = {"que_hara": "Llamar al terminal.", "responsable": caso.inspector.pk, "para_el": hoy.isoformat()}
    jefe, inspector = entrar("jefe"), entrar("inspector")
    assert inspector.get(url).status_code == 403
    assert entrar("director").get(url).status_code == 404  # the post owes it, not the laboratory
    assert jefe.get(reverse("tomar_accion", args=["nada", partida.pk])).status_code == 404
    assert "Tomar acción" in jefe.get(reverse("atrasos")).content.decode()
    for mal in ({"que_hara": " "}, {"para_el": (hoy - timedelta(days=1)).isoformat()},
                {"responsable": caso.personas["inspector.aereo"].pk}, {"responsable": ""}):  # fmt: skip
        respuesta = jefe.post(url, {**datos, **mal})
        assert respuesta.status_code == 422
        assert "Llamar al terminal." in respuesta.content.decode() or "que_hara" in mal
    assert not Accion.objects.exists()
    assert jefe.post(url, datos).status_code == 302
    assert jefe.post(url, datos).status_code == 409
    accion = Accion.objects.get()
    assert (lista("jefe"), accion.responsable, accion.autor) == ([], caso.inspector, caso.personas["jefe"])
    assert AvisoInterno.objects.filter(usuario=caso.inspector, aviso="accion_encargada").count() == 1
    assert "Llamar al terminal." in inspector.get(reverse("mis_avisos")).content.decode()
    with pytest.raises(IntegrityError), transaction.atomic():
        Accion.objects.create(
            expediente=caso.expediente, incumplimiento="plazo", objeto_id=partida.pk, vencio_en=reloj.ahora(),
            que_hara="x", responsable=caso.inspector, para_el=hoy, autor=caso.inspector, abierta_en=reloj.ahora(),
        )  # fmt: skip

    # The breach ends by itself: the action waits for its outcome.
    avanzar_hasta(caso, "programado")
    Partida.objects.filter(pk=partida.pk).update(vence_en=reloj.ahora() + timedelta(days=3))
    (fila,) = queries.filas_de(list(queries.acciones_abiertas(quien("jefe"))), quien("jefe"), reloj.ahora())
    assert (fila.termino, fila.tarde, fila.puede_cerrar) == (True, False, True)
    assert "falta el desenlace" in jefe.get(reverse("atrasos")).content.decode()
    cerrar = reverse("cerrar_accion", args=[accion.pk])
    assert entrar("inspector.aereo").get(cerrar).status_code == 404
    assert entrar("direccion").get(cerrar).status_code == 403
    assert inspector.post(cerrar, {"desenlace": ""}).status_code == 422
    assert inspector.post(cerrar, {"desenlace": "Se programó."}).status_code == 302
    assert inspector.post(cerrar, {"desenlace": "Otra vez."}).status_code == 409
    accion.refresh_from_db()
    assert (accion.desenlace, accion.cerrada_por) == ("Se programó.", caso.inspector)
    actos = Evento.objects.filter(objeto="accion").order_by("n").values_list("accion", flat=True)
    assert list(actos) == ["tomar_accion", "cerrar_accion"]
    assert AvisoInterno.objects.filter(usuario=caso.personas["jefe"], aviso="accion_cerrada").count() == 1
    # Nothing of it leaves for the importer.
    assert not Notificacion.objects.filter(aviso__startswith="accion_").exists()
    # Late again, it wants another; past its own day it says so.
    vencer(caso, timedelta(hours=1))
    otra = tomar(caso, partida)
    Accion.objects.filter(pk=otra.pk).update(para_el=hoy - timedelta(days=1))
    (fila,) = queries.filas_de(list(queries.mis_acciones(caso.inspector)), caso.inspector, reloj.ahora())
    assert (fila.termino, fila.tarde) == (False, True)


def test_who_may_take_and_when(certificado):
    caso = crear_caso("recibido")
    partida = vencer(caso, timedelta(hours=3))
    with pytest.raises(RolImpide):
        tomar(caso, partida, actor="inspector")
    with pytest.raises(ValidationError):
        tomar(caso, partida, responsable="analista")  # the bench must not know whose cargo it is
    assert tomar(caso, partida, actor="director", responsable="director").autor == quien("director")
    a_tiempo = crear_caso("registrado")
    with pytest.raises(EstadoImpide):
        tomar(a_tiempo, vencer(a_tiempo, timedelta(hours=-3)))


def test_the_list_costs_the_same_with_one_row_and_with_many(entrar, certificado):
    navegador = entrar("jefe")

    def consultas() -> int:
        with CaptureQueriesContext(connection) as contexto:
            assert navegador.get(reverse("atrasos")).status_code == 200
        return len(contexto)

    primero, segundo = crear_caso("registrado"), crear_caso("registrado")
    vencer(primero, timedelta(days=1))
    tomar(segundo, vencer(segundo, timedelta(days=1)))
    navegador.get(reverse("atrasos"))
    una = consultas()
    for n in range(4):
        caso = crear_caso("registrado")
        partida = vencer(caso, timedelta(days=2 + n))
        if n % 2:
            tomar(caso, partida)
    assert consultas() == una


def test_what_nobody_reads_is_brought_to_the_jefe_once(certificado, settings):
    leido, sin_leer, reciente = (crear_caso("resultado_emitido") for _n in range(3))
    informes = {uno.expediente_id: uno for uno in Documento.objects.filter(tipo="informe")}
    Documento.objects.exclude(expediente=reciente.expediente).update(
        publicado_en=reloj.ahora() - timedelta(hours=settings.LECTURA_HORAS, minutes=1)
    )
    Documento.objects.filter(expediente=reciente.expediente).update(publicado_en=reloj.ahora())
    lectura.anotar([Documento.objects.get(expediente=leido.expediente)], leido.inspector)
    assert (services.escalar_informes(), services.escalar_informes()) == (1, 0)
    escalado = Escalamiento.objects.get()
    assert escalado.documento == informes[sin_leer.expediente.pk]
    assert [uno.correo for uno in Notificacion.objects.filter(aviso="informe_sin_leer")] == ["jefe@senasa.example"]
    aviso = AvisoInterno.objects.get(aviso="informe_sin_leer")
    assert aviso.usuario == quien("jefe")
    assert "Negativo" not in aviso.detalle + aviso.titulo
    # Read by then, it is nobody's news any more, and does not come back.
    lectura.anotar([escalado.documento], quien("jefe"))
    aviso.refresh_from_db()
    assert aviso.leido_en is not None
    assert services.escalar_informes() == 0


def test_the_demonstration_shows_both_sides_of_it_once(certificado):
    for n in range(4):
        vencer(crear_caso("registrado"), timedelta(days=3 + n))
    demo.completar()
    acciones = Accion.objects.count()
    assert (acciones, len(lista("jefe"))) == (2, 2)
    assert Accion.objects.filter(para_el__lt=timezone.localdate()).count() == 1
    demo.completar()
    assert Accion.objects.count() == acciones


def test_from_issue_to_reading_and_from_there_to_the_decision(entrar, certificado):
    emitido = reloj.ahora() - timedelta(hours=10)
    for horas in (1, 3):
        caso = crear_caso("resultado_emitido")
        documento = Documento.objects.get(expediente=caso.expediente)
        Documento.objects.filter(pk=documento.pk).update(publicado_en=emitido)
        for persona, despues in (("inspector", 0), ("jefe", 2)):  # the first of the post counts
            with reloj.fijado(emitido + timedelta(hours=horas + despues)):
                lectura.anotar([documento], quien(persona))
        if horas == 1:
            with reloj.fijado(emitido + timedelta(hours=5)):
                casos.dictaminar(partida=caso.partidas[0], actor=caso.inspector, decision="ingreso", fundamento="x")
    crear_caso("resultado_emitido")  # unread
    leer, decidir, emitidos = queries.tiempos_de_lectura(
        desde=reloj.ahora() - timedelta(days=30), hasta=reloj.ahora(), puestos=None
    )
    assert (emitidos, leer.n, float(leer.mediana or 0)) == (3, 2, 2.0)
    assert float(leer.p90 or 0) == pytest.approx(2.8)
    assert (decidir.n, float(decidir.mediana or 0)) == (1, 4.0)
    nadie = queries.tiempos_de_lectura(desde=emitido, hasta=reloj.ahora(), puestos=[0])
    assert (nadie[2], nadie[0].n, nadie[0].mediana) == (0, 0, None)
    pagina = entrar("jefe").get(reverse("coordinacion")).content.decode()
    assert "Informes emitidos sin leer</span> <b>1</b>" in pagina

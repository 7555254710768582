"""Worksheets: filled from the queue, typed by two people, blocked by a failed control, files behind a result."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from expedientes.models import Evento
from laboratorio import hojas, services
from laboratorio.models import (
    Analisis,
    Control,
    EstadoAnalisis,
    EstadoInforme,
    Evidencia,
    HojaDeTrabajo,
    Informe,
    Metodo,
    Renglon,
    Resultado,
)
from laboratorio.recorrido import Caso
from senasa.models import Disciplina, Rol
from senasa.transicion import EstadoImpide, RolImpide
from tests.builders import crear_cola

pytestmark = pytest.mark.django_db

PIMIENTO = {"producto": "semilla-de-pimiento", "origen": "CN"}  # RT-qPCR, whose runs carry four controls


def abrir(caso: Caso, quien: str = "analista", **opciones: Any) -> HojaDeTrabajo:
    analisis = opciones.get("analisis") or caso.analisis
    hoja = hojas.abrir_hoja(metodo=analisis[0].metodo, analisis=analisis, actor=caso.personas[quien]).hoja
    assert hoja
    return hoja


def pagina(hoja: HojaDeTrabajo) -> str:
    return reverse("hoja", args=[hoja.numero])


def escrito(navegador: Client, hoja: HojaDeTrabajo, valor: str = "negativo", **otros: str) -> dict[str, Any]:
    """What the page of a sheet would send with `valor` in every row it offers."""
    respuesta = navegador.get(pagina(hoja))
    datos: dict[str, Any] = {"corrida": respuesta.context["hoja"].corrida}
    for fila in respuesta.context["filas"]:
        if fila.form:
            datos |= {
                f"{fila.analisis.pk}-{campo}": valor_de
                for campo, valor_de in {"valor": valor, "visto": fila.form.initial["visto"], **otros}.items()
            }
    return datos


def controles(hoja: HojaDeTrabajo, navegador: Client, **dicho: str) -> Any:
    """Record the controls of a sheet: kind=si|no."""
    datos: dict[str, Any] = {"corrida": HojaDeTrabajo.objects.get(pk=hoja.pk).corrida}
    for tipo, conforme in dicho.items():
        datos |= {f"{tipo}-tipo": tipo, f"{tipo}-obtenido": "Ct 24", f"{tipo}-conforme": conforme}
    return navegador.post(reverse("hoja_controles", args=[hoja.numero]), datos)


TODOS = {"positivo": "si", "negativo": "si", "blanco": "si", "extraccion": "si"}


# ── Opening ───────────────────────────────────────────────────────────────────────────────────────


def test_a_new_sheet_takes_the_most_pressing_and_starts_them(entrar: Callable[[str], Client]) -> None:
    seco = crear_cola(2, producto="maiz-amarillo-duro", origen="US")
    fresco = crear_cola(2)
    metodo = fresco.analisis[0].metodo
    assert metodo == seco.analisis[0].metodo
    analista = entrar("analista")
    url = reverse("hoja_nueva", query={"metodo": metodo.codigo, "filas": 3})
    propuestas = analista.get(url).context["filas"]
    assert [a.expediente_id for a in propuestas] == [fresco.expediente.pk] * 2 + [seco.expediente.pk]
    respuesta = analista.post(url, {"analisis": [a.pk for a in propuestas]})
    hoja = HojaDeTrabajo.objects.get()
    assert respuesta.url == pagina(hoja)
    assert hoja.numero.startswith("HT-")
    assert list(hoja.renglones.values_list("analisis", flat=True)) == [a.pk for a in propuestas]
    assert {(a.estado, a.analista) for a in fresco.analisis} == {
        (EstadoAnalisis.EN_PROCESO, fresco.personas["analista"])
    }
    assert [a.estado for a in seco.analisis].count(EstadoAnalisis.PENDIENTE) == 1


def test_methods_of_his_disciplines_come_first(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(1)
    crear_cola(1, **PIMIENTO)
    caso.personas["analista"].disciplinas.set(Disciplina.objects.filter(codigo="biologia-molecular"))
    metodos = entrar("analista").get(reverse("hojas")).context["metodos"]
    assert [(m.codigo, m.esperan, m.perecibles) for m in metodos] == [
        ("molecular-rt-qpcr", 1, 0),
        ("entomologia-morfologia", 1, 1),
    ]


def test_what_somebody_took_meanwhile_is_left_out_and_said(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(3)
    uno, dos, _tres = caso.analisis
    services.asignar(analisis=uno, analista=caso.personas["analista2"], actor=caso.personas["recepcion"])
    abrir(caso, "analista", analisis=[dos])
    url = reverse("hoja_nueva", query={"metodo": uno.metodo.codigo})
    respuesta = entrar("analista").post(url, {"analisis": [a.pk for a in caso.analisis]}, follow=True)
    texto = respuesta.content.decode()
    assert f"{uno.muestra} quedó fuera: lo tomó A. Quispe." in texto
    assert f"{dos.muestra} quedó fuera: ya está en HT-" in texto
    assert HojaDeTrabajo.objects.latest("pk").renglones.count() == 1


def test_no_row_no_sheet_no_number(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(1)
    otra = abrir(caso, "analista2")
    url = reverse("hoja_nueva", query={"metodo": otra.metodo.codigo})
    assert entrar("analista").post(url, {"analisis": [caso.analisis[0].pk]}).status_code == 302
    assert entrar("analista").post(url, {}).status_code == 422
    assert HojaDeTrabajo.objects.get() == otra
    siguiente = abrir(crear_cola(1))
    assert int(siguiente.numero[-6:]) == int(otra.numero[-6:]) + 1


def test_an_analysis_stands_on_one_open_sheet_only() -> None:
    caso = crear_cola(1)
    hoja = abrir(caso)
    otra = HojaDeTrabajo.objects.create(
        numero="HT-2026-999999", metodo=hoja.metodo, abierta_por=hoja.abierta_por, abierta_en=hoja.abierta_en
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Renglon.objects.create(hoja=otra, analisis=caso.analisis[0], orden=1)
    hojas.cerrar_hoja(hoja=hoja, actor=caso.personas["analista"])
    assert abrir(caso).renglones.get().analisis == caso.analisis[0]


# ── Typing ────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_saved_as_it_is_typed_comes_back_alone(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(3)
    hoja, analista = abrir(caso), entrar("analista")
    uno = caso.analisis[0]
    datos = {k: v for k, v in escrito(analista, hoja, "positivo").items() if k.startswith((f"{uno.pk}-", "corrida"))}
    respuesta = analista.post(pagina(hoja), {**datos, f"{uno.pk}-lectura": "Ct 24.1"}, headers={"HX-Request": "true"})
    assert respuesta.status_code == 200
    html = respuesta.content.decode()
    assert html.count("<tr ") == 1
    assert "guardado" in html
    assert "1 de 3 anotadas" in html
    resultado = Resultado.objects.get()
    # A positive is of the pest that was looked for unless the analyst says otherwise.
    assert (resultado.valor, resultado.plaga, resultado.lectura) == ("positivo", uno.plaga, "Ct 24.1")
    assert (resultado.hoja, resultado.corrida) == (hoja, 1)


def test_all_negative_but_is_shown_and_not_recorded(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(3)
    hoja, analista = abrir(caso), entrar("analista")
    datos = escrito(analista, hoja, "")
    uno = caso.analisis[0]
    datos[f"{uno.pk}-valor"] = "indeterminado"
    respuesta = analista.post(pagina(hoja), {**datos, "llenar": "negativo"})
    assert respuesta.status_code == 200
    assert [fila.form["valor"].value() for fila in respuesta.context["filas"]] == [
        "indeterminado", "negativo", "negativo",
    ]  # fmt: skip
    assert Resultado.objects.count() == 0
    datos |= {f"{a.pk}-valor": "negativo" for a in caso.analisis[1:]}
    assert analista.post(pagina(hoja), datos).url == pagina(hoja)
    assert sorted(Resultado.objects.values_list("valor", flat=True)) == ["indeterminado", "negativo", "negativo"]


def test_what_is_wrong_stays_typed_and_the_rest_is_saved(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(3)
    hoja, analista = abrir(caso), entrar("analista")
    uno, dos, _tres = caso.analisis
    datos = escrito(analista, hoja)
    datos |= {f"{uno.pk}-plaga": "NOEXISTE", f"{dos.pk}-valor": "", f"{dos.pk}-lectura": "3 larvas"}
    respuesta = analista.post(pagina(hoja), datos)
    assert respuesta.status_code == 422
    html = respuesta.content.decode()
    assert "No hay una plaga «NOEXISTE»" in html
    assert "Falta el resultado." in html
    assert 'value="NOEXISTE"' in html
    assert 'value="3 larvas"' in html
    assert Resultado.objects.count() == 1


def test_typed_rows_outlive_the_session(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(2)
    hoja, analista = abrir(caso), entrar("analista")
    datos = escrito(analista, hoja, "positivo", lectura="Ct 30")
    analista.get(pagina(hoja))  # its form's token tells whose it is
    datos["csrfmiddlewaretoken"] = analista.get(pagina(hoja)).context["csrf_token"]
    del analista.cookies["sessionid"]
    respuesta = analista.post(pagina(hoja), datos, headers={"HX-Request": "true"})
    assert "HX-Redirect" in respuesta.headers
    analista.post(reverse("account_login"), {"login": "analista", "password": "senasa-demo-2026"})
    filas = analista.get(pagina(hoja)).context["filas"]
    assert [(f.form["valor"].value(), f.form["lectura"].value()) for f in filas] == [("positivo", "Ct 30")] * 2


# ── Two people on one sheet ───────────────────────────────────────────────────────────────────────


def test_a_stale_row_is_refused_by_itself_and_the_others_are_saved(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(3)
    hoja, ana, andres = abrir(caso), entrar("analista"), entrar("analista2")
    assert [f.form for f in andres.get(pagina(hoja)).context["filas"]] == [None] * 3
    andres.post(reverse("hoja_unirse", args=[hoja.numero]))
    uno = caso.analisis[0]
    de_ana, de_andres = escrito(ana, hoja, "positivo"), escrito(andres, hoja)
    andres.post(pagina(hoja), {k: v for k, v in de_andres.items() if k.startswith((f"{uno.pk}-", "corrida"))})
    respuesta = ana.post(pagina(hoja), de_ana)
    assert respuesta.status_code == 422
    html = respuesta.content.decode()
    assert "A. Quispe: Análisis pasado a otro analista" in html
    assert "A. Quispe: Resultado registrado" in html
    assert "Usted había escrito: Positivo" in html
    assert {a.pk: (a.resultado.valor, a.analista.username) for a in caso.analisis} == {
        uno.pk: ("negativo", "analista2"),
        **{a.pk: ("positivo", "analista") for a in caso.analisis[1:]},
    }
    # What changed hands is in the log.
    assert Evento.objects.get(accion="pasar").datos == {
        "de": caso.personas["analista"].pk,
        "analista": caso.personas["analista2"].pk,
        "a_quien": "A. Quispe",
    }
    vida = ana.get(reverse("muestra", args=[uno.muestra.numero])).content.decode()
    assert "→ A. Quispe" in vida


def test_only_who_joined_the_sheet_records_on_it(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(1)
    hoja = abrir(caso)
    datos = escrito(entrar("analista"), hoja)
    assert entrar("analista2").post(pagina(hoja), datos).status_code == 422
    assert entrar("verificador").post(pagina(hoja), datos).status_code == 403
    assert controles(hoja, entrar("analista2"), positivo="si").status_code == 403
    assert Resultado.objects.count() == 0


def test_forty_rows_ask_no_more_than_two(entrar: Callable[[str], Client]) -> None:
    analista = entrar("analista")

    def consultas(cuantas: int) -> int:
        hoja = abrir(crear_cola(cuantas))
        analista.post(pagina(hoja), escrito(analista, hoja))
        with CaptureQueriesContext(connection) as captura:
            assert analista.get(pagina(hoja)).status_code == 200
            assert analista.get(reverse("hojas")).status_code == 200
            assert analista.get(reverse("laboratorio")).status_code == 200
            assert entrar_verificador.get(reverse("verificacion")).status_code == 200
        return len(captura)

    entrar_verificador = entrar("verificador")
    assert consultas(2) == consultas(12)


# ── Controls ──────────────────────────────────────────────────────────────────────────────────────


def test_without_its_controls_nothing_of_a_run_is_verified(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(1, **PIMIENTO)
    hoja, analista = abrir(caso), entrar("analista")
    analista.post(pagina(hoja), escrito(analista, hoja))
    analisis = caso.analisis[0]
    verificar = reverse("analisis_verificar", args=[analisis.pk])
    visto = {f"resultado-{analisis.pk}": analisis.resultado.pk}
    respuesta = entrar("verificador").post(verificar, visto)
    assert respuesta.status_code == 409
    assert "Faltan controles de la corrida 1" in respuesta.content.decode()
    assert analista.post(reverse("hoja_cerrar", args=[hoja.numero])).status_code == 409
    controles(hoja, analista, **TODOS)
    assert entrar("verificador").post(verificar, visto).status_code == 302
    assert caso.analisis[0].estado == EstadoAnalisis.VERIFICADO
    assert analista.post(reverse("hoja_cerrar", args=[hoja.numero])).status_code == 302


def test_a_failed_control_ends_the_run_and_its_results_are_read_again(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(2, **PIMIENTO)
    hoja, analista, verificador = abrir(caso), entrar("analista"), entrar("verificador")
    datos = escrito(analista, hoja)
    uno, dos = caso.analisis
    analista.post(pagina(hoja), {k: v for k, v in datos.items() if not k.startswith(f"{dos.pk}-")})
    controles(hoja, analista, **{**TODOS, "positivo": "no"})
    assert Control.objects.count() == 4
    # What was typed before the control failed does not slip into the next run.
    respuesta = analista.post(pagina(hoja), datos)
    assert respuesta.status_code == 422
    assert "Un control de la corrida 1 no fue conforme" in respuesta.content.decode()
    controles(hoja, analista, **TODOS)
    repetido = Control.objects.get(corrida=2, tipo="positivo")
    assert (repetido.repite.corrida, repetido.repite.conforme) == (1, False)
    # The repeated control does not save what was read in the failed run.
    marcados = {"analisis": [uno.pk], f"resultado-{uno.pk}": uno.resultado.pk}
    fuera = verificador.post(reverse("verificar_varios"), marcados).context["fuera"]
    assert "Control positivo de la corrida 1" in fuera[0].por_que
    assert "corrida 1, control no conforme" in analista.get(pagina(hoja)).content.decode()
    revertir = reverse("hoja_revertir", args=[hoja.numero])
    assert analista.get(revertir).status_code == 200
    assert analista.post(revertir, {"motivo": "reproceso", "texto": "Falló el control."}).status_code == 302
    analista.post(pagina(hoja), escrito(analista, hoja))
    fila = next(f for f in verificador.get(reverse("verificacion")).context["aparte"] if f.pk == uno.pk)
    assert f"control repetido: corrida 2 de {hoja}" in fila.diferencias
    services.verificar(analisis=caso.analisis[0], actor=caso.personas["verificador"])
    assert caso.analisis[0].estado == EstadoAnalisis.VERIFICADO


def test_a_control_that_fails_after_the_verification_keeps_the_machine_from_signing(
    entrar: Callable[[str], Client], certificado: Any
) -> None:
    caso = crear_cola(1, **PIMIENTO)
    hoja, analista = abrir(caso), entrar("analista")
    analista.post(pagina(hoja), escrito(analista, hoja))
    controles(hoja, analista, **TODOS)
    services.verificar(analisis=caso.analisis[0], actor=caso.personas["verificador"])
    informe = Informe.objects.get(expediente=caso.expediente)
    assert informe.estado == EstadoInforme.EN_GRACIA
    controles(hoja, analista, blanco="no")
    from laboratorio.firmas import condiciones_de_firma_automatica

    fallan = [c["condicion"] for c in condiciones_de_firma_automatica(informe, informe.regla) if not c["cumple"]]
    assert fallan == ["Los controles de cada corrida son conformes"]


def test_what_a_control_gave_is_never_edited() -> None:
    caso = crear_cola(1, **PIMIENTO)
    hoja, analista = abrir(caso), caso.personas["analista"]
    datos: dict[str, Any] = {"hoja": hoja, "actor": analista, "tipo": "blanco", "obtenido": "Nada", "corrida": 1}
    hojas.anotar_control(conforme=True, **datos)
    with pytest.raises(EstadoImpide):
        hojas.anotar_control(conforme=True, **datos)
    for intento in (
        lambda: Control.objects.update(conforme=False),
        lambda: Control.objects.all().delete(),
        lambda: Renglon.objects.all().delete(),
        lambda: HojaDeTrabajo.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            intento()


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


def test_photos_of_a_result_reach_the_verifier_and_nobody_outside(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(1)
    hoja, analista = abrir(caso), entrar("analista")
    analista.post(pagina(hoja), escrito(analista, hoja, "positivo", lectura="2 larvas"))
    analisis = caso.analisis[0]
    url = reverse("analisis_adjuntar", args=[analisis.pk])
    assert analista.get(url).status_code == 200
    foto = BytesIO()
    Image.new("RGB", (40, 30), "green").save(foto, "PNG")
    archivo = SimpleUploadedFile("placa.png", foto.getvalue(), "image/png")
    respuesta = analista.post(url, {"archivos": [archivo], "resultado": analisis.resultado.pk})
    assert respuesta.url == pagina(hoja)
    evidencia = Evidencia.objects.get()
    assert evidencia.resultado == analisis.resultado
    for quien, donde in (
        ("verificador", reverse("verificacion")),
        ("verificador", pagina(hoja)),
        ("director", reverse("muestra", args=[analisis.muestra.numero])),
    ):
        assert reverse("evidencia", args=[evidencia.pk]) in entrar(quien).get(donde).content.decode(), donde
    # Mostly positives are photographed: that somebody did must not be told outside before the report is.
    caso_de_fuera = entrar("inspector").get(reverse("expediente", args=[caso.expediente.numero])).content.decode()
    assert "Archivos del resultado" not in caso_de_fuera
    assert "placa.png" not in caso_de_fuera
    assert entrar("analista2").get(url).status_code == 403
    assert analista.post(url, {"archivos": [], "resultado": analisis.resultado.pk}).status_code == 422


# ── Work that changes hands ───────────────────────────────────────────────────────────────────────


def test_an_absence_is_covered_by_several(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(4)
    hoja = abrir(caso)
    otro = caso.personas["analista2"]
    tercero = type(otro).objects.create(username="a3", email="a3@senasa.example", roles=[Rol.ANALISTA])
    pagina_ = entrar("director").get(reverse("laboratorio", query={"analista": "analista", "marcar": "todos"}))
    assert pagina_.content.decode().count(" checked") == 4
    datos = {"analisis": [a.pk for a in caso.analisis], "analistas": [otro.pk, tercero.pk], "texto": "Vacaciones"}
    assert entrar("director").post(reverse("pasar_varios"), datos).url == reverse("laboratorio")
    assert sorted(a.analista.username for a in caso.analisis) == ["a3", "a3", "analista2", "analista2"]
    assert {a.estado for a in caso.analisis} == {EstadoAnalisis.EN_PROCESO}
    assert set(hoja.analistas.all()) == {caso.personas["analista"], otro, tercero}
    assert set(Evento.objects.filter(accion="pasar").values_list("texto", flat=True)) == {"Vacaciones"}


def test_an_analyst_hands_over_his_own_alone(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(2)
    abrir(caso, analisis=caso.analisis[:1])
    datos = {"analisis": [a.pk for a in caso.analisis], "analistas": [caso.personas["analista2"].pk]}
    fuera = entrar("analista2").post(reverse("pasar_varios"), datos).context["fuera"]
    assert [(s.que, s.por_que) for s in fuera] == [
        (str(caso.analisis[0].muestra), "Este análisis es de otro analista: lo pasa él, recepción o el director.")
    ]
    datos["analistas"] = [caso.personas["analista"].pk]
    assert caso.analisis[1].analista == caso.personas["analista2"]  # nobody's: he took it
    assert entrar("verificador").post(reverse("pasar_varios"), datos).status_code == 403
    with pytest.raises(EstadoImpide):
        hojas.pasar(analisis=caso.analisis[0], analista=caso.personas["analista"], actor=caso.personas["recepcion"])


def test_who_began_it_does_not_verify_it_though_he_handed_it_over(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(1)
    ana, andres = caso.personas["analista"], caso.personas["analista2"]
    abrir(caso)
    hojas.pasar(analisis=caso.analisis[0], analista=andres, actor=ana)
    services.registrar(analisis=caso.analisis[0], actor=andres, valor="negativo")
    ana.roles = [Rol.ANALISTA, Rol.VERIFICADOR]
    ana.save()
    with pytest.raises(RolImpide):
        services.verificar(analisis=caso.analisis[0], actor=ana)
    assert [a.pk for a in entrar("analista").get(reverse("verificacion")).context["ajenos"]] == [caso.analisis[0].pk]


# ── Never whose cargo it is ───────────────────────────────────────────────────────────────────────


def test_bench_pages_never_name_the_importer(entrar: Callable[[str], Client]) -> None:
    caso = crear_cola(2, **PIMIENTO)
    hoja, analista = abrir(caso, analisis=caso.analisis[:1]), entrar("analista")
    analista.post(pagina(hoja), escrito(analista, hoja))
    importador = caso.expediente.importador
    nueva = reverse("hoja_nueva", query={"metodo": "molecular-rt-qpcr"})
    marcados = {"analisis": [caso.analisis[0].pk], f"resultado-{caso.analisis[0].pk}": 1}
    paginas = [
        *(analista.get(url) for url in (pagina(hoja), reverse("hojas"), nueva, reverse("analisis_bandeja"))),
        analista.get(reverse("analisis_adjuntar", args=[caso.analisis[0].pk])),
        *(entrar(quien).get(reverse("laboratorio")) for quien in ("recepcion", "analista", "verificador")),
        entrar("verificador").get(reverse("verificacion")),
        entrar("verificador").post(reverse("verificar_varios"), marcados),
        entrar("verificador").get(pagina(hoja)),
    ]
    for respuesta in paginas:
        assert respuesta.status_code == 200
        html = respuesta.content.decode()
        for dicho in (importador.nombre, importador.numero_documento, importador.correo, caso.expediente.numero):
            assert dicho not in html, respuesta.request["PATH_INFO"]


def test_an_unknown_method_or_sheet_is_not_found(entrar: Callable[[str], Client]) -> None:
    assert Metodo.objects.exists()
    assert Analisis.objects.count() == 0
    assert entrar("analista").get(reverse("hoja_nueva", query={"metodo": "nada"})).status_code == 404
    assert entrar("analista").get(reverse("hoja", args=["HT-2026-000001"])).status_code == 404

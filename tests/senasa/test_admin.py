"""The administration site: who enters, what is in it, and that a catalogue's change says why."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from expedientes.models import Plaga
from laboratorio.models import ReglaFirma
from senasa.models import DiaNoLaborable, Rol, Usuario
from tests.builders import personas
from tests.test_lifecycle import MOTIVADAS

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrador(client: Client) -> Usuario:
    usuario = personas()["admin"]
    client.force_login(usuario)
    return usuario


@pytest.fixture
def plaga() -> Plaga:
    return Plaga.objects.create(eppo="PRUEBA", nombre="Plaga de prueba", condicion="a2")


def datos(plaga: Plaga, **cambios: str) -> dict[str, str]:
    return {
        "eppo": plaga.eppo,
        "nombre": plaga.nombre,
        "condicion": plaga.condicion,
        "norma": "",
        "desde": "",
    } | cambios


def test_admin_solo_tiene_personas_y_catalogos():
    registrados = {modelo._meta.label for modelo in admin.site._registry}
    nuestros = {r for r in registrados if r.split(".")[0] in ("senasa", "notificaciones", "expedientes", "laboratorio")}
    assert nuestros == {
        *("senasa.Usuario", "senasa.Puesto", "senasa.Disciplina", "senasa.DiaNoLaborable"),
        *(f"expedientes.{m}" for m in ("Pais", "Producto", "Plaga", "Motivo", "Plazo")),
        *(f"laboratorio.{m}" for m in ("Metodo", "ControlEsperado", "Requisito", "ReglaFirma")),
    }


@pytest.mark.parametrize("modelo", admin.site._registry, ids=lambda m: m._meta.label)
def test_admin_cada_pagina_abre(client: Client, administrador: Usuario, modelo):
    ruta = f"admin:{modelo._meta.app_label}_{modelo._meta.model_name}"
    assert client.get(reverse(f"{ruta}_changelist")).status_code == 200
    if admin.site._registry[modelo].has_add_permission(client.get("/admin/").wsgi_request):
        assert client.get(reverse(f"{ruta}_add")).status_code == 200


def test_admin_no_abre_a_quien_no_es_administrador(client: Client):
    client.force_login(personas()["inspector"])
    assert client.get("/admin/expedientes/plaga/").status_code in (302, 403)


def test_cambiar_un_catalogo_guarda_autor_y_causa(client: Client, administrador: Usuario, plaga: Plaga):
    pagina = reverse("admin:expedientes_plaga_change", args=[plaga.pk])
    respuesta = client.post(pagina, datos(plaga, condicion="a1", causa="RD 12-2026"))
    assert respuesta.status_code == 302
    registro = plaga.history.first()
    assert (registro.condicion, registro.history_user, registro.history_change_reason) == (
        "a1",
        administrador,
        "RD 12-2026",
    )
    historial = client.get(reverse("admin:expedientes_plaga_history", args=[plaga.pk]))
    assert "RD 12-2026" in historial.content.decode()


def test_cambiar_un_catalogo_sin_causa(client: Client, administrador: Usuario, plaga: Plaga):
    pagina = reverse("admin:expedientes_plaga_change", args=[plaga.pk])
    assert client.post(pagina, datos(plaga, condicion="a1")).context["errors"]
    plaga.refresh_from_db()
    assert plaga.condicion == "a2"


def test_borrar_un_catalogo_no_se_puede_pero_un_feriado_si(client: Client, administrador: Usuario, plaga: Plaga):
    assert client.post(reverse("admin:expedientes_plaga_delete", args=[plaga.pk]), {"post": "yes"}).status_code == 403
    feriado = DiaNoLaborable.objects.create(fecha="2031-02-14", nombre="Feriado")
    client.post(reverse("admin:senasa_dianolaborable_delete", args=[feriado.pk]), {"post": "yes"})
    registro = DiaNoLaborable.history.first()
    assert (registro.history_type, registro.history_user) == ("-", administrador)
    assert registro.history_change_reason == "Borrado en la administración"


def test_la_regla_de_firma_aqui_solo_se_lee(client: Client, administrador: Usuario):
    regla = ReglaFirma.objects.get()
    ver = reverse("admin:laboratorio_reglafirma_change", args=[regla.pk])
    assert client.get(ver).status_code == 200
    assert client.post(ver, {"gracia_minutos": "1", "causa": "x"}).status_code == 403
    assert client.post(reverse("admin:laboratorio_reglafirma_add"), {"causa": "x"}).status_code == 403


def test_motivo_solo_de_un_acto_que_lo_pide(client: Client, administrador: Usuario):
    agregar = reverse("admin:expedientes_motivo_add")
    formulario = client.get(agregar).context["adminform"].form
    motivadas = {accion for _objeto, accion in MOTIVADAS}  # as domain.md marks them
    assert {accion for accion, _verbo in formulario.fields["accion"].choices} == motivadas


def test_el_rol_de_administrador_abre_la_administracion(client: Client, administrador: Usuario):
    alta = {
        "username": "nueva",
        "email": "nueva@senasa.example",
        "first_name": "Nueva",
        "last_name": "Persona",
        "usable_password": "true",
        "password1": "clave-larga-91",
        "password2": "clave-larga-91",
        "roles": [Rol.INSPECTOR.value],
    }
    assert client.post(reverse("admin:senasa_usuario_add"), alta).status_code == 302
    nueva = Usuario.objects.get(username="nueva")
    assert (nueva.roles, nueva.is_staff, nueva.is_superuser) == ([Rol.INSPECTOR], False, False)

    cambiar = reverse("admin:senasa_usuario_change", args=[nueva.pk])
    cambio = alta | {"roles": [Rol.INSPECTOR.value, Rol.ADMINISTRADOR.value], "is_active": "on"}
    assert client.post(cambiar, cambio).status_code == 302
    nueva.refresh_from_db()
    assert (nueva.is_staff, nueva.is_superuser) == (True, True)
    assert client.post(reverse("admin:senasa_usuario_delete", args=[nueva.pk]), {"post": "yes"}).status_code == 403


def test_desactivar_a_una_persona_termina_su_sesion(client: Client, administrador: Usuario):
    assert client.get("/admin/").status_code == 200
    Usuario.objects.filter(pk=administrador.pk).update(is_active=False)
    assert client.get("/admin/").status_code == 302


def test_producto_se_busca_por_nandina(client: Client, administrador: Usuario):
    pagina = client.get("/admin/expedientes/producto/", {"q": "1001.99.10"})
    assert pagina.context["cl"].result_count == 1

"""The administration site: people and catalogues, and nothing else.

Cases, samples, reports, documents and the log are never registered: they move by their acts alone.
Every change to a catalogue says why, and the history keeps it beside its author.
"""

from typing import Any

import allauth.account.admin
import allauth.mfa.admin
import allauth.socialaccount.admin  # noqa: F401
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin

from . import cuentas
from .models import ROLES_DE_PERSONAS, DiaNoLaborable, Disciplina, Puesto, Rol, Usuario

admin.site.site_header = admin.site.site_title = _("Administración: personas y catálogos")
admin.site.index_title = _("Personas y catálogos")
# Roles say what a person may do; a second system of permissions would say it otherwise.
admin.site.unregister(Group)
# Their secrets are nobody's to read, and the identity provider is set by variables.
admin.site.unregister([Authenticator, EmailAddress, SocialAccount, SocialApp, SocialToken])


class FormularioDeCatalogo(forms.ModelForm):
    causa = forms.CharField(
        label=_("Causa del cambio"),
        max_length=100,
        help_text=_("Queda en el historial con su nombre: la norma, el pedido o el error que se corrige."),
        widget=forms.TextInput(attrs={"size": 80}),
    )


class CatalogoAdmin(SimpleHistoryAdmin):
    """A catalogue: each change needs a cause. What stops being used is made inactive, not deleted."""

    form = FormularioDeCatalogo
    history_list_display = ["history_change_reason"]
    actions = None
    list_per_page = 50

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        obj._change_reason = form.cleaned_data["causa"]
        super().save_model(request, obj, form, change)


class CatalogoBorrableAdmin(CatalogoAdmin):
    """A catalogue without an «activo»: a wrong row can only be taken away, and the history keeps it."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        obj._change_reason = "Borrado en la administración"
        obj._history_user = request.user
        super().delete_model(request, obj)


@admin.register(Puesto)
class PuestoAdmin(CatalogoAdmin):
    list_display = ["codigo", "nombre", "lugar", "locode"]
    search_fields = ["codigo", "nombre"]


@admin.register(Disciplina)
class DisciplinaAdmin(CatalogoAdmin):
    list_display = ["nombre", "codigo"]
    search_fields = ["nombre"]


@admin.register(DiaNoLaborable)
class DiaNoLaborableAdmin(CatalogoBorrableAdmin):
    list_display = ["fecha", "nombre", "norma"]
    date_hierarchy = "fecha"
    search_fields = ["nombre", "norma"]


# ── People ────────────────────────────────────────────────────────────────────────────────────────


def _campo_de_roles() -> forms.TypedMultipleChoiceField:
    return forms.TypedMultipleChoiceField(
        label=_("Roles"),
        choices=[(rol.value, rol.label) for rol in ROLES_DE_PERSONAS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )


class FormularioDeAlta(AdminUserCreationForm):
    roles = _campo_de_roles()

    class Meta:
        model = Usuario
        fields = ["username", "email"]


class FormularioDeUsuario(UserChangeForm):
    roles = _campo_de_roles()
    quitar_segundo_factor = forms.BooleanField(
        label=_("Quitar su segundo factor"),
        required=False,
        help_text=_("Si perdió el teléfono o la llave. Se cierran todas sus sesiones; al ingresar pondrá otro."),
    )
    causa = forms.CharField(
        label=_("Causa"),
        required=False,
        max_length=200,
        help_text=_("Cómo comprobó que quien lo pide es esa persona. Queda en el historial con su nombre."),
        widget=forms.TextInput(attrs={"size": 80}),
    )

    class Meta:
        model = Usuario
        fields = "__all__"

    def clean(self) -> dict[str, Any] | None:
        datos = super().clean()
        if self.cleaned_data.get("quitar_segundo_factor") and not self.cleaned_data.get("causa", "").strip():
            self.add_error("causa", _("Escriba la causa."))
        return datos


@admin.register(Usuario)
class UsuarioAdmin(UserAdmin):
    """People are deactivated, never deleted: the log names them. Deactivating ends their sessions."""

    form = FormularioDeUsuario
    add_form = FormularioDeAlta
    list_display = ["username", "first_name", "last_name", "email", "ver_roles", "is_active"]
    list_filter = ["is_active", "puestos"]
    filter_horizontal = ["puestos", "disciplinas"]
    readonly_fields = ["last_login", "date_joined", "ver_segundo_factor"]
    actions = None
    fieldsets = [
        (None, {"fields": ["username", "password", "is_active"]}),
        (_("Persona"), {"fields": ["first_name", "last_name", "email"]}),
        (_("Qué hace"), {"fields": ["roles", "puestos", "disciplinas"]}),
        (_("Segundo factor"), {"fields": ["ver_segundo_factor", "quitar_segundo_factor", "causa"]}),
        (_("Fechas"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "email", "first_name", "last_name"]}),
        (_("Clave"), {"fields": ["usable_password", "password1", "password2"]}),
        (_("Qué hace"), {"fields": ["roles", "puestos", "disciplinas"]}),
    ]

    @admin.display(description=_("roles"))
    def ver_roles(self, usuario: Usuario) -> str:
        return ", ".join(str(Rol(rol).label) for rol in usuario.roles)

    @admin.display(description=_("tiene"))
    def ver_segundo_factor(self, usuario: Usuario) -> str:
        suyos = Authenticator.objects.filter(user=usuario).exclude(type=Authenticator.Type.RECOVERY_CODES)
        return ", ".join(str(uno.get_type_display()) for uno in suyos) or str(_("Ninguno"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Usuario]:
        return super().get_queryset(request).order_by("username")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Usuario, form: Any, change: bool) -> None:
        obj.poner_roles(obj.roles)
        super().save_model(request, obj, form, change)
        if change and form.cleaned_data.get("quitar_segundo_factor"):
            cuentas.quitar_segundo_factor(usuario=obj, autor=request.user, causa=form.cleaned_data["causa"])  # type: ignore[arg-type]

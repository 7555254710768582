"""Every address begins here. Who may open which is in tests/test_urls.py's matrix."""

from allauth.account import views as account
from allauth.account.decorators import secure_admin_login
from allauth.socialaccount import views as socialaccount
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from senasa import cuentas, oidc, salud

# The admin's own sign-in page knows no rate limit and no second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400 = "senasa.envio.no_se_entendio"

# Of allauth, only what we use: no sign-up, no addresses that people change themselves, no linking of accounts.
CUENTAS = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("signup/", account.signup, name="account_signup"),  # says that it is closed
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", cuentas.cambiar_clave, name="account_change_password"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("2fa/webauthn/keys/<int:pk>/remove/", cuentas.quitar_llave, name="mfa_remove_webauthn"),
    path("2fa/", include("allauth.mfa.urls")),
    path("3rdparty/login/cancelled/", socialaccount.login_cancelled, name="socialaccount_login_cancelled"),
    path("oidc/<str:provider_id>/login/", oidc.ir, name="openid_connect_login"),
    path("oidc/<str:provider_id>/login/callback/", oidc.volver, name="openid_connect_callback"),
]

urlpatterns = [
    path("livez", salud.livez, name="livez"),
    path("readyz", salud.readyz, name="readyz"),
    # Another site can make a visitor read English, and no more: so public pages without another form need no token,
    # which would cost each opening of the importer's page a fifth of its time.
    path("idioma/", csrf_exempt(login_not_required(require_POST(set_language))), name="set_language"),
    path("accounts/", include(CUENTAS)),
    path("admin/", admin.site.urls),
    path("", include("expedientes.urls")),
    path("", include("dashboard.urls")),
    path("", include("laboratorio.urls")),
    path("", include("indicadores.urls")),
    path("", include("gestion.urls")),
]

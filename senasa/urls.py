"""Every address begins here. Who may open which is in tests/test_urls.py's matrix."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from senasa import salud

# The admin's own sign-in page knows no rate limit and no second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400 = "senasa.envio.no_se_entendio"

urlpatterns = [
    path("livez", salud.livez, name="livez"),
    path("readyz", salud.readyz, name="readyz"),
    path("idioma/", login_not_required(require_POST(set_language)), name="set_language"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("dashboard.urls")),
    path("", include("expedientes.urls")),
    path("", include("laboratorio.urls")),
]

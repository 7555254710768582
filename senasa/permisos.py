"""Who may open a page by role alone; which rows are then shown is for `.visibles_para(user)`."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from .models import Rol

Vista = Callable[..., HttpResponse]


def con_rol(*roles: Rol) -> Callable[[Vista], Vista]:
    """Let in whoever holds any of `roles`; others get a 403, and whoever has not signed in, the sign-in page."""

    def decorar(vista: Vista) -> Vista:
        @wraps(vista)
        @login_required
        def envuelta(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.tiene(*roles):  # type: ignore[union-attr]
                raise PermissionDenied(_("Esta página no corresponde a su rol."))
            return vista(request, *args, **kwargs)

        return envuelta

    return decorar

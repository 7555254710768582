"""Settings: one file, every value from the environment or `.env`, safe when nothing is said.

Without `MODO=demo` production rules hold, and a missing or weak secret stops the start.
"""

import os
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from celery.schedules import schedule as cada
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from senasa import postgres

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = BASE_DIR / "var"

env = environ.Env()
env.read_env(BASE_DIR / ".env")

MODO = env("MODO", default="produccion")
if MODO not in {"produccion", "demo"}:
    raise ImproperlyConfigured(f"MODO es «produccion» o «demo», no «{MODO}».")
DEMO = MODO == "demo"
DEBUG = False


def secreto(nombre: str) -> str:
    """A key of at least 50 characters that nobody published; the demo's are written to `.env` once."""
    valor = env(nombre, default="")
    if len(valor) < 50 or len(set(valor)) < 10 or valor.lower().startswith(("django-insecure", "cambi")):
        raise ImproperlyConfigured(
            f"{nombre} falta, es corta o es la de ejemplo: ponga 50 caracteres al azar o más "
            "(«make run» las genera en .env para la demostración)."
        )
    return valor


SECRET_KEY = secreto("SECRET_KEY")
# Keys of before, which still open sessions and the secrets of second factors.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_ANTERIORES", default=[])
ENLACE_CLAVE = secreto("ENLACE_CLAVE")  # derives the tracking tokens
BITACORA_CLAVE = secreto("BITACORA_CLAVE")  # chains the case log
if len({SECRET_KEY, ENLACE_CLAVE, BITACORA_CLAVE}) < 3:
    raise ImproperlyConfigured("SECRET_KEY, ENLACE_CLAVE y BITACORA_CLAVE deben ser distintas.")

# Where the site lives

LOCALES = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[]) or (LOCALES if DEMO else [])
if not DEMO and (not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS):
    raise ImproperlyConfigured("ALLOWED_HOSTS debe nombrar los anfitriones del sitio, sin «*».")
PORT = env.int("PORT", default=8000)
# The absolute base of the links in mails and in QR codes.
SITIO_URL = env("SITIO_URL", default="").rstrip("/") or (
    f"http://127.0.0.1:{PORT}" if DEMO else f"https://{ALLOWED_HOSTS[0].lstrip('.')}"
)
CSRF_TRUSTED_ORIGINS = ["{0.scheme}://{0.netloc}".format(urlsplit(SITIO_URL))]
ROOT_URLCONF = "senasa.urls"
WSGI_APPLICATION = "senasa.wsgi.application"

# What it is made of

INSTALLED_APPS = [
    "dashboard",
    "gestion",
    "indicadores",
    "laboratorio",
    "expedientes",
    "notificaciones",
    "senasa",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "django_filters",
    "django_htmx",
    "simple_history",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "senasa.peticiones.middleware",
    "csp.middleware.CSPMiddleware",
    "senasa.envio.middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "senasa.idioma.middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "senasa.sesiones.Ingreso",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

FORM_RENDERER = "senasa.desplegables.ConDesplegables"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "dashboard.contexto.menu",
            ],
        },
    }
]

# Where the data lies

POSTGRES_PROPIO = not env("DATABASE_URL", default="")
DATABASES: dict[str, dict[str, Any]] = {
    "default": postgres.base_de_datos(VAR) if POSTGRES_PROPIO else env.db("DATABASE_URL")
}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL debe ser postgres://…: no hay segundo motor.")
# The permission sub-queries cost PostgreSQL's JIT more than they ever gain from it.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", "-c jit=off")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# In the database, because rate limits must count over all processes and outlive a broker.
# Django's 300 entries would soon throw out somebody's limits, or the text that waits for a sign-in.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 50_000},
    },
    # In the memory of each process, for pieces of pages that cost more to make than to keep (senasa/vivo.py).
    "cercana": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 2000}},
}

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# The demo serves what is in the folder; production serves hashed, compressed, immutable files.
WHITENOISE_USE_FINDERS = DEMO
if DEMO:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": VAR / "archivos", "base_url": None},
    },
    # What people hand in: private, renamed, sent as attachments only.
    "adjuntos": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": VAR / "adjuntos", "base_url": None, "file_permissions_mode": 0o640},
    },
    # Issued signed documents and nothing else; served only by views that check who asks.
    "informes": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": VAR / "informes", "base_url": None, "file_permissions_mode": 0o640},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
# What people hand in: one file, how many at once, and all that one request may weigh.
ARCHIVO_MAX_MB = env.int("ARCHIVO_MAX_MB", default=20)
ARCHIVOS_MAX = 5
ENVIO_MAX_MB = 2 * ARCHIVO_MAX_MB

# Who may come in

AUTH_USER_MODEL = "senasa.Usuario"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "senasa.cuentas.Adaptador"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # an administrator writes the address
ACCOUNT_LOGOUT_REDIRECT_URL = LOGOUT_REDIRECT_URL
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("PROXIES", default=0 if DEMO else 1)
# Whoever has no second factor must set one up first. An empty variable is one that nobody set.
SEGUNDO_FACTOR = env.bool("SEGUNDO_FACTOR") if env("SEGUNDO_FACTOR", default="") else not DEMO
MFA_ADAPTER = "senasa.cuentas.AdaptadorDeSegundoFactor"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "SENASA"
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # an administrator wrote the address


def por_grupo(nombre: str) -> dict[str, list[str]]:
    """`grupo-a=inspector,grupo-b=jefe_de_puesto`: what each group of the identity provider gives, maybe several."""
    mapa: dict[str, list[str]] = {}
    for par in env.list(nombre, default=[]):
        grupo, igual, destino = (parte.strip() for parte in par.rpartition("="))
        if not grupo or not destino:
            raise ImproperlyConfigured(f"{nombre} es una lista «grupo=valor,grupo=valor»; no se entiende «{par}».")
        mapa.setdefault(grupo, []).append(destino)
    return mapa


# An identity provider (OpenID Connect); without OIDC_SERVIDOR nobody sees a trace of it.
OIDC_SERVIDOR = env("OIDC_SERVIDOR", default="").rstrip("/")
OIDC_NOMBRE = env("OIDC_NOMBRE", default="") or "la cuenta institucional"
OIDC_GRUPOS = env("OIDC_GRUPOS", default="") or "groups"
OIDC_ROLES = por_grupo("OIDC_ROLES")
OIDC_PUESTOS = por_grupo("OIDC_PUESTOS")
OIDC_DISCIPLINAS = por_grupo("OIDC_DISCIPLINAS")
# The `amr` or `acr` values of the provider that count as a second factor; with none, our own is asked for.
OIDC_SEGUNDO_FACTOR = env.list("OIDC_SEGUNDO_FACTOR", default=[])
if OIDC_SERVIDOR and not DEMO and not OIDC_SERVIDOR.startswith("https://"):
    # allauth trusts the token because it came over TLS from the provider itself (OpenID Connect Core 3.1.3.7).
    raise ImproperlyConfigured("OIDC_SERVIDOR debe ser https://.")
if OIDC_SERVIDOR and not (env("OIDC_CLIENTE", default="") and OIDC_ROLES):
    raise ImproperlyConfigured("Con OIDC_SERVIDOR hacen falta OIDC_CLIENTE y OIDC_ROLES.")
SOCIALACCOUNT_ADAPTER = "senasa.oidc.AdaptadorDelProveedor"
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = (
    {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "SCOPE": (env("OIDC_ALCANCES", default="") or "openid profile email").split(),
            "APPS": [
                {
                    "provider_id": "institucion",
                    "name": OIDC_NOMBRE,
                    "client_id": env("OIDC_CLIENTE"),
                    "secret": env("OIDC_SECRETO", default=""),
                    "settings": {"server_url": OIDC_SERVIDOR},
                }
            ],
        }
    }
    if OIDC_SERVIDOR
    else {}
)

SESSION_COOKIE_AGE = 12 * 60 * 60  # a shift, counted from the sign-in (senasa/sesiones.py)
CSRF_FAILURE_VIEW = "senasa.sesiones.csrf_rechazado"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# What browsers are told

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not DEMO
SECURE_HSTS_SECONDS = 0 if DEMO else 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEMO
# TLS ends at the proxy, which must set this header on every request and drop the client's.
SECURE_PROXY_SSL_HEADER = None if DEMO else ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
_proveedor = urlsplit(OIDC_SERVIDOR)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        # The sign-in's form is sent on to the identity provider, and browsers judge that too.
        "form-action": ["'self'", *([f"{_proveedor.scheme}://{_proveedor.netloc}"] if _proveedor.netloc else [])],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# Language and time

LANGUAGE_CODE = "es-pe"
LANGUAGES = [("es", _("Español")), ("en", _("Inglés"))]
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = not DEMO
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "America/Lima"
USE_I18N = USE_TZ = True

# Mail

CORREOS = VAR / "correos"
CORREO_REMITENTE = DEFAULT_FROM_EMAIL = SERVER_EMAIL = (
    env("CORREO_REMITENTE", default="") or "SENASA Cuarentena Vegetal <no-responder@senasa.example>"
)
EMAIL_BACKEND = "senasa.correo.ArchivoEml"
EMAIL_TIMEOUT = 20
if env("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
# Where mail servers send their reports: an address of ours, and the box that is read for it (unset: none is).
REBOTES_CORREO = env("REBOTES_CORREO", default="")
REBOTES_URL = env("REBOTES_URL", default="")
# How often an hour an address is sent the same link again because somebody asks for it.
ENLACES_POR_HORA = env.int("ENLACES_POR_HORA", default=3)
# How often the importer's open page asks whether anything happened.
SEGUIMIENTO_SEGUNDOS = env.int("SEGUIMIENTO_SEGUNDOS", default=30)
# How often an open page of the staff asks whether the bell says something else.
CAMPANA_SEGUNDOS = env.int("CAMPANA_SEGUNDOS", default=20)
# Fewer like cases than this foretell nothing.
PRONOSTICO_MINIMO = env.int("PRONOSTICO_MINIMO", default=20)
# Whoever has his report's notice within this long was informed in time (indicator 6).
INFORMADO_MINUTOS = env.int("INFORMADO_MINUTOS", default=15)
# The hour of Lima at which those who want one digest a day get it.
RESUMEN_HORA = env.int("RESUMEN_HORA", default=17)

# Signature

# In production nothing stands in for a missing certificate: the reports wait in a visible queue.
FIRMA_P12 = env("FIRMA_P12", default="") or (str(VAR / "firma" / "demo.p12") if DEMO else "")
FIRMA_CLAVE = env("FIRMA_CLAVE", default="") or ("firma-de-demostracion" if DEMO else "")
FIRMA_RAICES = env("FIRMA_RAICES", default="") or (str(VAR / "firma" / "demo-raiz.pem") if DEMO else "")

# What the head of a report says.
LABORATORIO_NOMBRE = env("LABORATORIO_NOMBRE", default="Unidad del Centro de Diagnóstico de Sanidad Vegetal (UCDSV)")
LABORATORIO_DIRECCION = env("LABORATORIO_DIRECCION", default="La Molina, Lima, Perú")

# How many histories `make run` loads into an empty demonstration.
DEMO_EXPEDIENTES = env.int("DEMO_EXPEDIENTES", default=80)
# A box may still join a car that left less than this ago; a sample that has not arrived after this long alerts both
# sides; a retained duplicate is kept this long unless the act says otherwise.
DESPACHO_ABIERTO_HORAS = env.int("DESPACHO_ABIERTO_HORAS", default=6)
DEMORA_TRASLADO_HORAS = env.int("DEMORA_TRASLADO_HORAS", default=24)
# A report that nobody of its post has read after this long is brought to the jefe.
LECTURA_HORAS = env.int("LECTURA_HORAS", default=4)
CONTRAMUESTRA_DIAS = env.int("CONTRAMUESTRA_DIAS", default=30)
CIERRE_AUTOMATICO_HORAS = env.int("CIERRE_AUTOMATICO_HORAS", default=4)

# Watching over it

VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
# Daily backups go there when it is named; the key encrypts them and is kept elsewhere.
RESPALDO_CARPETA = env("RESPALDO_CARPETA", default="")
RESPALDO_CLAVE = env("RESPALDO_CLAVE", default="")
RESPALDO_CONSERVAR = max(1, env.int("RESPALDO_CONSERVAR", default=14))
RESPALDO_HORA = env.int("RESPALDO_HORA", default=2)
# Who may read /metrics says it as «Authorization: Bearer …»; without one there is no such page.
METRICAS_CLAVE = env("METRICAS_CLAVE", default="")
if METRICAS_CLAVE and len(METRICAS_CLAVE) < 20:
    raise ImproperlyConfigured("METRICAS_CLAVE es corta: ponga 20 caracteres al azar o más.")
# Where the web server's processes add up what they count; prometheus-client reads the variable, not the setting.
METRICAS = VAR / "metricas"
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(METRICAS))
METRICAS.mkdir(parents=True, exist_ok=True)

# Background work

REDIS_URL = env("REDIS_URL", default="")
COLA = VAR / "cola"
CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost/"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {
        "visibility_timeout": 300,
        "socket_connect_timeout": 1,
        "socket_timeout": 2,  # what a page waits for a broker that hangs; a worker asks for one second at a time
        "socket_keepalive": True,
        # What a publisher waits for a broker that refuses: one more try, at once.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
    }
    if REDIS_URL
    else {
        "data_folder_in": str(COLA / "mensajes"),
        "data_folder_out": str(COLA / "mensajes"),
        "control_folder": str(COLA / "control"),
        "polling_interval": 0.02,
    }
)
if not REDIS_URL:
    for _carpeta in (COLA / "mensajes", COLA / "control"):
        _carpeta.mkdir(parents=True, exist_ok=True)
# A publisher must not wait for a broker that is down: the sweep finds what nobody rang for.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_TASK_TIME_LIMIT = 90
CELERY_TIMEZONE = TIME_ZONE
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A sweep that could not run before the next one is due is of no use any more.
CELERY_BEAT_SCHEDULE = {
    tarea: {"task": tarea, "schedule": cada(segundos), "options": {"expires": segundos}}
    for tarea, segundos in {
        "notificaciones.tasks.despachar": 5,
        "notificaciones.tasks.resumir": 60,
        "notificaciones.tasks.leer_rebotes": 60,
        "laboratorio.tasks.barrer_informes": 5,
        "laboratorio.tasks.avisar_certificados": 3600,
        "expedientes.tasks.barrer_documentos": 5,
        "expedientes.tasks.atender_pedidos": 10,
        "expedientes.tasks.cerrar_listos": 300,
        "laboratorio.tasks.barrer_demoras": 300,
        "gestion.tasks.escalar_informes": 300,
        "senasa.tasks.latir": 15,
        "senasa.tasks.respaldar_si_toca": 900,
        "expedientes.tasks.recordar_observaciones": 3600,
        "expedientes.tasks.repasar_pronosticos": 3600,
        "expedientes.tasks.avisar_perdidas": 3600,
        "expedientes.tasks.barrer_borradores": 3600,
        "indicadores.tasks.anotar_regresos": 300,
        "indicadores.tasks.buscar_alertas": 3600,
        "indicadores.tasks.cuidar_lo_guardado": 600,
        "indicadores.tasks.barrer_mensuales": 60,
        "indicadores.tasks.hacer_mensual": 3600,
    }.items()
}

# How lines are written, and what they never carry: senasa/registro.py.
_NUESTRAS = {"level": env("NIVEL_DE_REGISTRO", default="") or ("WARNING" if DEMO else "INFO")}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"linea": {"()": "senasa.registro.formato", "en_json": not DEMO}},
    "handlers": {"consola": {"class": "logging.StreamHandler", "formatter": "linea"}},
    "root": {"handlers": ["consola"], "level": "WARNING"},
    "loggers": {
        "senasa": _NUESTRAS,
        "notificaciones": _NUESTRAS,
        "expedientes": _NUESTRAS,
        "laboratorio": _NUESTRAS,
        "indicadores": _NUESTRAS,
        "gestion": _NUESTRAS,
        "dashboard": _NUESTRAS,
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
        # What was refused is in our own line of the request; what broke is told once, with where.
        "django.request": {"level": "ERROR"},
        # Repeats an exception's message; senasa/celery.py tells it without.
        "celery.app.trace": {"level": "CRITICAL"},
        # WeasyPrint and fontTools tell their whole life at INFO.
        "fontTools": {"level": "ERROR"},
        "weasyprint": {"level": "ERROR"},
        # Its warnings name the holders of certificates.
        "pyhanko": {"level": "ERROR"},
        "pyhanko_certvalidator": {"level": "ERROR"},
    },
}

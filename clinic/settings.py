"""Steady's settings: one file, values from the environment, nonsense refused at start with a sentence.

| variable | meaning |
|---|---|
| STEADY_ENV | development (default), test or production |
| STEADY_SECRET_KEY | required in production, at least 50 characters |
| STEADY_SECRET_KEY_FALLBACKS | the keys before it, comma-separated, until manage.py rotate_secret_key has been run |
| STEADY_ALLOWED_HOSTS | comma-separated host names; required in production |
| STEADY_TRUSTED_ORIGINS | comma-separated https origins, when a proxy changes the host |
| STEADY_DEMO | 1 = demo data and demo log-ins; refused in production |
| STEADY_REQUIRE_SECOND_FACTOR | 1 or 0; default 1, and 0 in the demo |
| STEADY_LOCK_MINUTES | minutes without a touch until a session locks, 1 to 60, default 15 |
| STEADY_TIME_ZONE | the clinic's time zone, default America/New_York |
| STEADY_EMAIL_URL | where password-reset mail goes, e.g. smtp://user:pass@host:587; required in production |
| STEADY_AUDIT_KEY | the file of the key that seals the record; for seal_audit alone, never in the web server's environment |
| STEADY_SEAL_COPY | the file outside the database that each seal is added to; its public key lies beside it as .pub |
| DATABASE_URL / DATABASE_OWNER_URL | the web role's and the owner's connection (see clinic/database.py) |
"""

import os
import secrets
from pathlib import Path
from urllib.parse import unquote

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from clinic.cleaning import Unclean, clean_text
from clinic.database import EXAMPLE, home

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

ENVIRONMENTS = ("development", "test", "production")
STEADY_ENV = env.str("STEADY_ENV", default="development")
if STEADY_ENV not in ENVIRONMENTS:
    raise ImproperlyConfigured(f"STEADY_ENV is {STEADY_ENV!r}; it must be one of {', '.join(ENVIRONMENTS)}.")
PRODUCTION = STEADY_ENV == "production"
DEBUG = False


def _refuse_unclean() -> None:
    """Every variable of ours is text: what cannot be stored or sent is refused by name, its value unsaid."""
    for name in sorted(name for name in os.environ if name.startswith(("STEADY_", "DATABASE_"))):
        try:
            clean_text(os.environ[name])
        except Unclean as problem:
            raise ImproperlyConfigured(f"{name}: {problem}") from None


_refuse_unclean()


def _flag(name: str, default: bool) -> bool:
    """A yes/no variable; anything but 0/1/true/false/yes/no is refused by name."""
    value = env.str(name, default=str(int(default))).strip().lower()
    if value not in {"0", "1", "true", "false", "yes", "no"}:
        raise ImproperlyConfigured(f"{name} is {value!r}; write 1 or 0.")
    return value in {"1", "true", "yes"}


def _minutes(name: str, default: int, most: int) -> int:
    """A whole number of minutes from 1 to `most`; anything else is refused by name."""
    value = env.str(name, default=str(default)).strip()
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= most):
        raise ImproperlyConfigured(f"{name} is {value!r}; write a number of minutes from 1 to {most}.")
    return int(value)


def _secret_key() -> str:
    """The signing key. Production refuses to start without a strong one; elsewhere a missing one is made up per start."""
    key = env.str("STEADY_SECRET_KEY", default="")
    if not PRODUCTION:
        return key or secrets.token_urlsafe(64)
    if not key:
        raise ImproperlyConfigured("STEADY_SECRET_KEY is not set. Production needs one of at least 50 random characters.")
    if len(key) < 50 or len(set(key)) < 10 or key.startswith("django-insecure"):
        raise ImproperlyConfigured("STEADY_SECRET_KEY is too weak: use at least 50 random characters.")
    return key


# Whoever asks for a page reads within 3 seconds that the records do not answer (docs/adr/0022). Commands may take their time.
SERVES = os.environ.get("STEADY_SERVES") == "1"  # set by clinic/wsgi.py
WEB_TIMEOUTS = {"lock_timeout": "2s", "statement_timeout": "2s"} if SERVES else {"lock_timeout": "30s"}
# A worker that stopped in mid-request gives back what it had locked.
WEB_TIMEOUTS["idle_in_transaction_session_timeout"] = "10s" if SERVES else "60s"
# How long a server that hangs is listened to; None is for ever.
ANSWER_SECONDS = 2.5 if SERVES else None
# Milliseconds and seconds until a server that vanished from the network counts as gone; sockets know nothing of it.
NETWORK_TIMEOUTS = {"tcp_user_timeout": 15_000, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


def _database() -> dict:
    """The connection of this process: the web role's, or the owner's for commands that change the schema."""
    as_owner = os.environ.get("STEADY_DATABASE_ROLE") == "owner"
    name = "DATABASE_OWNER_URL" if as_owner and os.environ.get("DATABASE_OWNER_URL") else "DATABASE_URL"
    if not os.environ.get(name):
        raise ImproperlyConfigured(
            "DATABASE_URL is not set. Start with bin/run or python manage.py, which bring a database along, "
            f"or set it to your server: {EXAMPLE}"
        )
    refused = ImproperlyConfigured(f"{name} must be an address like {EXAMPLE}; Steady runs on PostgreSQL only.")
    if not os.environ[name].startswith(("postgres://", "postgresql://")):
        raise refused
    try:
        config = env.db_url(name)
    except ValueError:  # its own words would print the address, password and all
        raise refused from None
    config["HOST"] = unquote(config["HOST"])  # a socket folder is percent-encoded
    options = config.setdefault("OPTIONS", {})
    for option, value in {"connect_timeout": 2, **NETWORK_TIMEOUTS}.items():
        options.setdefault(option, value)
    # A temporary table, looked up first by default, could catch what is written into the record of accesses.
    session = {"search_path": "public,pg_temp"} | ({} if as_owner else WEB_TIMEOUTS)
    flags = " ".join(f"-c {setting}={value}" for setting, value in session.items())
    options["options"] = f"{options.get('options', '')} {flags}".strip()
    # Values travel apart from the statement, so that a statement in the server's log holds none.
    options["server_side_binding"] = True
    # A statement that a connection sends for the third time is planned for good: planning was half of the database's work.
    options["prepare_threshold"] = 3
    if not as_owner:
        config["ENGINE"] = "clinic.postgres"
    config |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}
    return config


def _mail() -> dict:
    """Where mail goes. Production needs a mail server: the console would print every password-reset link into the log."""
    url = env.str("STEADY_EMAIL_URL", default="")
    if not url and not PRODUCTION:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    example = "smtp://user:password@host:587"
    if not url:
        raise ImproperlyConfigured(f"STEADY_EMAIL_URL is not set. Production needs a mail server for password resets: {example}")
    try:
        config = env.email_url_config(url)
    except ImproperlyConfigured:  # its own words would print the address, password and all
        raise ImproperlyConfigured(f"STEADY_EMAIL_URL is no address of a mail server. Write one like {example}") from None
    if PRODUCTION and not config["EMAIL_BACKEND"].endswith(".smtp.EmailBackend"):
        raise ImproperlyConfigured(f"STEADY_EMAIL_URL must name a mail server in production: {example}")
    return config


# Files; for `seal_audit` and `verify_audit` (clinic/seal/places.py), not for the web server.
AUDIT_KEY = env.str("STEADY_AUDIT_KEY", default="")
SEAL_COPY = env.str("STEADY_SEAL_COPY", default="")

DEMO = _flag("STEADY_DEMO", default=False)
if DEMO and PRODUCTION:
    raise ImproperlyConfigured("STEADY_DEMO=1 is refused in production: demo log-ins have public passwords.")
REQUIRE_SECOND_FACTOR = _flag("STEADY_REQUIRE_SECOND_FACTOR", default=not DEMO and STEADY_ENV != "test")

SECRET_KEY = _secret_key()
# The keys before this one: what they encrypted (authenticator secrets) still opens, and whoever is logged in stays so.
SECRET_KEY_FALLBACKS = env.list("STEADY_SECRET_KEY_FALLBACKS", default=[])
if SECRET_KEY in SECRET_KEY_FALLBACKS:
    raise ImproperlyConfigured("STEADY_SECRET_KEY_FALLBACKS names the key in use; write only the keys before it.")
ALLOWED_HOSTS = env.list("STEADY_ALLOWED_HOSTS", default=[] if PRODUCTION else ["127.0.0.1", "localhost", "testserver"])
if PRODUCTION and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("STEADY_ALLOWED_HOSTS is not set: name the hosts this clinic is served under.")
CSRF_TRUSTED_ORIGINS = env.list("STEADY_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "clinic",
    "intake",
    "plans",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_include_bootstrap",
    "django_htmx",
    "heroicons",
]

MIDDLEWARE = [
    "clinic.logs.RequestLogMiddleware",
    "clinic.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "clinic.door.NoStoreMiddleware",
    "clinic.health.DatabaseFaultMiddleware",
    "clinic.plain.PlainMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "clinic.lock.LockMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "clinic.permissions.AccessMiddleware",
    "clinic.transaction.TransactionMiddleware",
]

ROOT_URLCONF = "clinic.urls"
WSGI_APPLICATION = "clinic.wsgi.application"
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
                "clinic.views.context.steady",
                "intake.views.context.escalations",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# The same database twice: counters of failed attempts are kept outside the request's transaction (clinic/counters.py).
DATABASES = {"default": _database(), "counters": _database() | {"CONN_MAX_AGE": 0}}
DATABASE_ROUTERS = ["clinic.counters.CountersApart"]
# A plain test lives in one transaction that is rolled back, and its counters with it.
COUNTERS_DATABASE = "default" if STEADY_ENV == "test" else "counters"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Rate limits must hold across workers, so the cache is a table and not each worker's memory.
CACHES = {
    "default": {
        "BACKEND": "clinic.counters.Counters",
        "LOCATION": "clinic_cache",
        # The default is 300: whoever tries many names would push the counters of others out.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

AUTH_USER_MODEL = "clinic.User"
AUTHENTICATION_BACKENDS = ["clinic.backends.Backend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
if STEADY_ENV == "test":
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "front_door"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "clinic.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_CHANGE_EMAIL = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Steady] "
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key", "reset_password": "20/m/ip,5/m/key"}
MFA_ADAPTER = "clinic.accounts.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Steady"
MFA_ALLOW_UNVERIFIED_EMAIL = True
ACCOUNT_FORMS = {
    "login": "clinic.account_forms.LogIn",
    "change_password": "clinic.account_forms.ChangePassword",
    "reset_password": "clinic.account_forms.ResetPassword",
    "reset_password_from_key": "clinic.account_forms.ResetPasswordFromKey",
    "user_token": "clinic.account_forms.UserToken",
    "reauthenticate": "clinic.account_forms.Reauthenticate",
}
MFA_FORMS = {
    "authenticate": "clinic.account_forms.SecondFactor",
    "reauthenticate": "clinic.account_forms.SecondFactorAgain",
    "generate_recovery_codes": "clinic.account_forms.GenerateRecoveryCodes",
    "activate_totp": "clinic.account_forms.ActivateTOTP",
    "deactivate_totp": "clinic.account_forms.DeactivateTOTP",
}

# In the session's row: the default writes them into a cookie that anybody at the machine can read.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
# Hours from the log-in, whatever is done meanwhile; minutes without a touch (clinic/lock.py).
SESSION_HOURS = 12
LOCK_MINUTES = _minutes("STEADY_LOCK_MINUTES", default=15, most=60)
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_NAME = "steady_session"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "clinic.views.errors.csrf_failure"

# Guesses are counted by address. Behind a proxy that is the last one the proxy wrote down, and not the proxy's own.
ALLAUTH_TRUSTED_PROXY_COUNT = int(PRODUCTION)

if PRODUCTION:
    SECURE_SSL_REDIRECT = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-steady_session", "__Host-csrftoken"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = env.str("STEADY_TIME_ZONE", default="America/New_York")
USE_TZ = True
USE_I18N = True
# Unambiguous dates everywhere (23 Nov 2026): clinic/formats/ holds them.
FORMAT_MODULE_PATH = ["clinic.formats"]

STATIC_URL = "/static/"
STATIC_ROOT = home() / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if STEADY_ENV == "test"
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

if STEADY_ENV == "test":  # nothing is collected for tests
    WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True

CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

globals().update(_mail())
DEFAULT_FROM_EMAIL = env.str("STEADY_EMAIL_FROM", default="steady@localhost")

# A log line must not say who is a patient: clinic/logs.py takes addresses and values out.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "clinic.logs.JsonLines"},
    },
    "filters": {"without_values": {"()": "clinic.logs.WithoutValues", "words": not PRODUCTION}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if PRODUCTION else "plain",
            "filters": ["without_values"],
        }
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "steady": {"level": "INFO"},
        "steady.request": {"level": "INFO" if PRODUCTION else "CRITICAL"},  # the line of every request
        "django.request": {"level": "ERROR"},
    },
}

"""Settings of the shop; what is Mailnod's stands at the end."""

import os
from pathlib import Path

import django

BASE_DIR = Path(__file__).resolve().parent.parent

# A project in service keeps its key elsewhere.
SECRET_KEY = os.environ.get("SECRET_KEY", "a key for an example on one's own machine")
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [BASE_DIR / "shop" / "templates"]}]
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = ["mailnod_django"]

DEFAULT_FROM_EMAIL = "Shop <news@shop.example>"
#: Mail is written into this folder instead of being sent, so that the first page can show it.
SENT = Path(os.environ.get("SENT_MAIL", BASE_DIR / "sent"))
FILES = "django.core.mail.backends.filebased.EmailBackend"

if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {"BACKEND": "mailnod_django.EmailBackend", "OPTIONS": {"mailer": "files"}},
        "files": {"BACKEND": FILES, "OPTIONS": {"file_path": SENT}},
    }
else:
    EMAIL_BACKEND = "mailnod_django.EmailBackend"
    EMAIL_FILE_PATH = SENT

MAILNOD = {
    "BACKEND": FILES,
    "BASE_URL": "http://127.0.0.1:8000/t",
    "ROUTES": {"news": {"track_opens": True, "track_clicks": True, "consent": "required"}},
    # So that events show soon; ten seconds tell people from scanners better.
    "SETTLE_S": 1,
}

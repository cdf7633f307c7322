"""A mail server on the loopback interface, and Django settings that send through it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import django
import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core import mail
from django.test.utils import override_settings

from contracts.mail_server import MailServer
from mailnod import Tracker
from mailnod.testing import FrozenClock

#: Whether this Django has MAILERS.
HAS_MAILERS = django.VERSION >= (6, 1)

if not django_settings.configured:
    installed = [
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "anymail",
        "djcelery_email",
        "mailer",
        "post_office",
    ]
    django_settings.configure(
        SECRET_KEY="a secret of Django's own tests",
        INSTALLED_APPS=[*(name for name in installed if find_spec(name.partition(".")[0])), "mailnod_django"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="mailnod_django.urls",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        USE_TZ=True,
        MAILNOD={"SECRET_KEYS": "a secret of the tests, long enough not to be guessed", "WORKER": "none"},
        **({"MAILERS": {}} if HAS_MAILERS else {}),
    )
    django.setup()
    if find_spec("djcelery_email"):
        # It sets its defaults when it is first imported, which must not happen while a test overrides settings.
        import_module("djcelery_email.conf")


class Setup(Protocol):
    """Sets Django up for one test."""

    def __call__(self, *, inner: str = ..., settings: dict[str, Any] | None = ..., **mailnod: Any) -> Tracker:
        """Set Django up, with these keys of ``settings.MAILNOD`` and these other settings."""
        ...


@pytest.fixture
def server() -> Iterator[MailServer]:
    """Give a mail server that keeps what it is given."""
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def clock() -> FrozenClock:
    """Give a clock that stands still."""
    return FrozenClock(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))


@pytest.fixture
def set_up(server: MailServer, clock: FrozenClock, tmp_path: Path) -> Iterator[Setup]:
    """Give a function that sets Django up; its only route tracks everything and assumes consent."""
    app: Any = apps.get_app_config("mailnod_django")
    app.clock, app.load_entry_points = clock, False
    with ExitStack() as stack:

        def set_up(
            *,
            inner: str = "django.core.mail.backends.smtp.EmailBackend",
            settings: dict[str, Any] | None = None,
            **mailnod: Any,
        ) -> Tracker:
            given = {
                "DATABASE": tmp_path / "mailnod.db",
                "SECRET_KEYS": "a secret of the tests, long enough not to be guessed",
                "BASE_URL": "https://track.example.com/t",
                "WORKER": "none",
                "ROUTES": {"default": {"track_opens": True, "track_clicks": True, "consent": "assumed"}},
                "BACKEND": inner,
                **mailnod,
            }
            overridden = {"MAILNOD": given, **name_backend(inner, server.port), **(settings or {})}
            stack.enter_context(override_settings(**overridden))
            mail.outbox = []
            tracker: Tracker = app.tracker
            stack.callback(tracker.close)
            return tracker

        yield set_up
    app.clock, app.load_entry_points = None, True


def name_backend(inner: str, port: int) -> dict[str, Any]:
    """Return the settings by which Django sends through our backend, and that through another one."""
    if HAS_MAILERS:
        options = {"host": "127.0.0.1", "port": port} if inner.endswith(("smtp.EmailBackend", "SMTPBackend")) else {}
        ours = {"BACKEND": "mailnod_django.EmailBackend", "OPTIONS": {"mailer": "inner"}}
        return {"MAILERS": {"default": ours, "inner": {"BACKEND": inner, "OPTIONS": options}}}
    return {"EMAIL_BACKEND": "mailnod_django.EmailBackend", "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port}


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Give a function that returns what Mailnod has warned of so far."""
    caplog.set_level(logging.WARNING, logger="mailnod")
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("mailnod")]

"""Django with Mailnod keeps the contract of mail adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import MIMEPart
from email.mime.image import MIMEImage
from typing import Any

import django
import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core import mail as django_mail
from django.core.mail import EmailMultiAlternatives
from django.test.utils import override_settings

from contracts.mail_adapter import Attached, Draft, MailAdapter, MailAdapterContract
from mailnod import Tracker
from mailnod.testing import FrozenClock
from mailnod_django import TrackedEmail
from mailnod_django.message import BadHeaderError

SMTP = "django.core.mail.backends.smtp.EmailBackend"
OURS = "mailnod_django.EmailBackend"


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoAdapter:
    """Django's mail with our backend, and messages that are sent through their own ``send``."""

    tracker: Tracker
    #: Whether settings name backends by MAILERS.
    mailers: bool

    def build(self, draft: Draft) -> EmailMultiAlternatives:
        """Return a message with a fixed date and Message-ID."""
        message = self.make(
            subject=draft.subject,
            body=read_text(draft.text),
            from_email="weekly@example.com",
            to=list(draft.to),
            cc=list(draft.cc),
            bcc=list(draft.bcc),
            reply_to=[draft.reply_to] if draft.reply_to else None,
            headers={"Date": "Sun, 01 Mar 2026 09:30:00 +0000", "Message-ID": "<fixed@example.com>", **draft.headers},
        )
        if draft.html is not None:
            message.attach_alternative(draft.html, "text/html")
        for subtype, text in draft.alternatives.items():
            message.attach_alternative(text, f"text/{subtype}")
        for name, value in draft.attributes.items():
            setattr(message, name, value)
        for file in draft.attached:
            if file.content_id:
                message.attach(make_inline(file))
            else:
                message.attach(file.name, file.data, file.type)
        return message

    def make(self, **keywords: Any) -> EmailMultiAlternatives:
        """Return a message of ours."""
        return TrackedEmail(**keywords)

    def send(self, message: Any, **keywords: Any) -> None:
        """Send as apps do."""
        message.send(**keywords)

    def send_many(self, messages: Sequence[Any], **keywords: Any) -> None:
        """Send over one connection."""
        connection: Any = django_mail.mailers.default if self.mailers else django_mail.get_connection()
        connection.send_messages(messages, **keywords)

    def send_plainly(self, message: EmailMultiAlternatives) -> None:
        """Send with Django's own backend."""
        connection = django_mail.mailers["inner"] if self.mailers else django_mail.get_connection(SMTP)
        connection.send_messages([message])

    def snapshot(self, message: EmailMultiAlternatives) -> object:
        """Return all of a message's attributes but the connection, which Django itself sets when it sends."""
        return repr(sorted(item for item in vars(message).items() if item[0] != "connection"))


class PlainAdapter(DjangoAdapter):
    """Django's own messages, sent in bulk over a connection."""

    def make(self, **keywords: Any) -> EmailMultiAlternatives:
        """Return a message of Django's."""
        return EmailMultiAlternatives(**keywords)

    def send(self, message: Any, **keywords: Any) -> None:
        """Send over a connection."""
        self.send_many([message], **keywords)


def read_text(text: Any) -> str:
    """Return a text as each Django takes it: before 6.0 its own backends fail on bytes."""
    decoded: str = text.decode() if isinstance(text, bytes) and django.VERSION < (6, 0) else text
    return decoded


def make_inline(file: Attached) -> Any:
    """Return a picture that stands in the text, as each Django wants it."""
    maintype, _, subtype = file.type.partition("/")
    if django.VERSION < (6, 0):
        picture = MIMEImage(file.data, subtype)
        picture.add_header("Content-Disposition", "inline", filename=file.name)
        picture.add_header("Content-ID", str(file.content_id))
        return picture
    part = MIMEPart()
    part.set_content(file.data, maintype, subtype, disposition="inline", filename=file.name, cid=file.content_id)
    return part


class TestDjango(MailAdapterContract):
    """Every rule of the contract, with our messages."""

    header_error = BadHeaderError
    adapter_class: type[DjangoAdapter] = DjangoAdapter
    mailers = django.VERSION >= (6, 1)

    @contextmanager
    def make_adapter(
        self, *, settings: Mapping[str, Any], plugins: Sequence[object], port: int, clock: FrozenClock
    ) -> Iterator[MailAdapter]:
        """Set Django up for the time of a test."""
        app: Any = apps.get_app_config("mailnod_django")
        given = {name.upper(): value for name, value in settings.items()}
        mailnod = {"SECRET_KEYS": "a secret of the tests, long enough not to be guessed", "PLUGINS": plugins, **given}
        with override_settings(MAILNOD=mailnod, **self.name_backends(port)):
            if not self.mailers and hasattr(django_settings, "MAILERS"):
                del django_settings.MAILERS
            app.clock, app.load_entry_points = clock, False
            with closing(app.tracker) as tracker:
                yield self.adapter_class(tracker=tracker, mailers=self.mailers)
            app.clock, app.load_entry_points = None, True

    def name_backends(self, port: int) -> dict[str, Any]:
        """Return the settings that name our backend and the one that sends."""
        if not self.mailers:
            return {"EMAIL_BACKEND": OURS, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port}
        smtp = {"BACKEND": SMTP, "OPTIONS": {"host": "127.0.0.1", "port": port}}
        return {"MAILERS": {"default": {"BACKEND": OURS, "OPTIONS": {"mailer": "inner"}}, "inner": smtp}}


class TestDjangoWithPlainMessages(TestDjango):
    """Every rule of the contract, with Django's own messages."""

    adapter_class = PlainAdapter


if django.VERSION >= (6, 1):

    @pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
    class TestDjangoWithoutMailers(TestDjango):
        """Every rule of the contract, with the settings that MAILERS replaces."""

        mailers = False

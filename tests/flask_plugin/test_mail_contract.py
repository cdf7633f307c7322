"""Flask-Mail with Mailnod keeps the contract of mail adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import flask
import flask_mail

from contracts.mail_adapter import Draft, MailAdapter, MailAdapterContract
from mailnod.testing import FrozenClock
from mailnod.tracker import Tracker
from mailnod_flask import Mail, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaskAdapter:
    """A Flask app with our ``Mail``."""

    app: flask.Flask
    mail: Any
    message_class: type[flask_mail.Message]

    @property
    def tracker(self) -> Tracker:
        """The app's tracker."""
        tracker: Tracker = self.app.extensions["mailnod"]
        return tracker

    def build(self, draft: Draft) -> flask_mail.Message:
        """Return a Flask-Mail message with a fixed date and Message-ID."""
        message = self.message_class(
            draft.subject,
            recipients=list(draft.to),
            cc=list(draft.cc),
            bcc=list(draft.bcc),
            body=draft.text,
            html=draft.html,
            alts=draft.alternatives.items(),
            reply_to=draft.reply_to,
            extra_headers=dict(draft.headers),
            date=1772357400.0,
        )
        message.msgId = "<fixed@example.com>"
        for name, value in draft.attributes.items():
            setattr(message, name, value)
        for file in draft.attached:
            inline = {"Content-ID": file.content_id} if file.content_id else {}
            message.attach(file.name, file.type, file.data, "inline" if inline else None, headers=inline)
        return message

    def send(self, message: flask_mail.Message, **keywords: Any) -> None:
        """Send through our ``Mail``."""
        self.mail.send(message, **keywords)

    def send_many(self, messages: Sequence[flask_mail.Message], **keywords: Any) -> None:
        """Send over one connection."""
        self.mail.send_all(messages, **keywords)

    def send_plainly(self, message: flask_mail.Message) -> None:
        """Send with Flask-Mail alone."""
        with flask_mail.Connection(self.app.extensions["mail"]) as connection:
            connection.send(message)

    def snapshot(self, message: flask_mail.Message) -> object:
        """Return all of a message's attributes."""
        return repr(sorted(vars(message).items()))


class TestFlask(MailAdapterContract):
    """Every rule of the contract, with our ``Message``."""

    header_error = flask_mail.BadHeaderError
    message_class: type[flask_mail.Message] = Message

    @contextmanager
    def make_adapter(
        self, *, settings: Mapping[str, Any], plugins: Sequence[object], port: int, clock: FrozenClock
    ) -> Iterator[MailAdapter]:
        """Set up an app, within its context."""
        app = flask.Flask("contract")
        app.config.update(
            MAIL_SERVER="127.0.0.1",
            MAIL_PORT=port,
            MAIL_DEFAULT_SENDER="weekly@example.com",
            MAILNOD_SECRET_KEYS="a secret of the tests, of 32 characters and more",
            **{f"MAILNOD_{name.upper()}": value for name, value in settings.items()},
        )
        mail = Mail(app, plugins=plugins, clock=clock, load_entry_points=False)
        with closing(app.extensions["mailnod"]), app.app_context():
            yield FlaskAdapter(app=app, mail=mail, message_class=self.message_class)


class TestFlaskWithPlainMessages(TestFlask):
    """Every rule of the contract, with messages of Flask-Mail itself."""

    message_class = flask_mail.Message


class TestFlaskThroughTheAppsState(TestFlask):
    """Every rule of the contract, sent as third-party code sends: through ``app.extensions["mail"]``."""

    @contextmanager
    def make_adapter(
        self, *, settings: Mapping[str, Any], plugins: Sequence[object], port: int, clock: FrozenClock
    ) -> Iterator[MailAdapter]:
        """Set up an app whose state is used in place of our ``Mail``."""
        with super().make_adapter(settings=settings, plugins=plugins, port=port, clock=clock) as adapter:
            assert isinstance(adapter, FlaskAdapter)
            state = adapter.app.extensions["mail"]
            yield FlaskAdapter(app=adapter.app, mail=state, message_class=self.message_class)

"""The extension: Flask-Mail's ``Mail`` with tracking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import flask_mail
from flask import Flask, current_app

from mailnod import Clock, ConfigurationError, Override, make_override
from mailnod.tracker import Tracker
from mailnod_flask.commands import mailnod
from mailnod_flask.config import read_keyring, read_settings, warn
from mailnod_flask.connection import NOTHING, Connection, split_overrides
from mailnod_flask.message import Message

__all__ = ["Mail", "MailState"]


class _Sending:
    """What :class:`Mail` and the app's mail state share: every way of sending goes through our connection."""

    def send(self, message: flask_mail.Message, **overrides: Any) -> None:
        """Send a message.

        :param overrides: ``track_opens``, ``track_clicks``, ``route``, ``campaign``, ``tags``, ``metadata``,
            ``recipient_mode``, ``test``; they go
            before everything but a denied consent.
        :raises TypeError: an override keyword is unknown or has the wrong type.
        """
        with _connect(self, make_override(**overrides)) as connection:
            # Messages of other libraries may override their own send(), as Flask-Mail allows.
            message.send(connection)

    def send_all(self, messages: Iterable[flask_mail.Message], **overrides: Any) -> None:
        """Send many messages over one connection; see :meth:`Connection.send_all`.

        :param overrides: override keywords for all of them, as for :meth:`send`.
        """
        with _connect(self, make_override(**overrides)) as connection:
            connection.send_all(messages)

    def send_message(self, *args: Any, **kwargs: Any) -> None:
        """Send a message made from these arguments; override keywords may stand among them."""
        overrides = split_overrides(kwargs)
        self.send(Message(*args, **kwargs), **overrides)

    def connect(self) -> Connection:
        """Open a connection for several messages; its ``send`` takes override keywords too."""
        return _connect(self, NOTHING)


class MailState(_Sending, flask_mail._Mail):
    """An app's mail settings, at ``app.extensions["mail"]``; other extensions send through it, and so are tracked."""

    def __init__(self, settings: flask_mail._Mail) -> None:
        vars(self).update(vars(settings))


class Mail(_Sending, flask_mail.Mail):
    """Flask-Mail's ``Mail``, with tracking.

    ``app.extensions["mailnod"]`` is the app's :class:`~mailnod.tracker.Tracker`. One object serves several apps.

    :param app: the app to set up now; None leaves it to :meth:`init_app`.
    :param plugins: objects with Mailnod hooks, such as your own source of consent.
    :param clock: another clock, for tests.
    :param load_entry_points: whether installed plugins take part; tests may want their own alone.
    :raises ConfigurationError: as :meth:`init_app` does.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        plugins: Sequence[object] = (),
        clock: Clock | None = None,
        load_entry_points: bool = True,
    ) -> None:
        self._plugins = tuple(plugins)
        self._clock = clock
        self._load_entry_points = load_entry_points
        super().__init__(app)

    def init_app(self, app: Flask) -> flask_mail._Mail:
        """Set up an app: its mail settings, its tracker, its collector and the ``flask mailnod`` commands.

        Tracking paths are answered by a wrapper around ``app.wsgi_app``, before anything of the app runs. Where
        something replaces ``app.wsgi_app`` afterwards, register :data:`mailnod_flask.views.blueprint` as well.

        :returns: the app's mail settings, as Flask-Mail does.
        :raises ConfigurationError: a ``MAILNOD_*`` setting is unknown or wrong, there is no secret, or the app was set
            up before with other settings.
        """
        settings = read_settings(app)
        state = MailState(self.init_mail(app.config, app.debug, app.testing))
        known = app.extensions.get("mailnod")
        if known is None:
            tracker = Tracker(
                settings,
                keyring=read_keyring(app, settings),
                clock=self._clock,
                plugins=self._plugins,
                load_entry_points=self._load_entry_points,
            )
            app.extensions["mailnod"] = tracker
            app.wsgi_app = tracker.wrap_wsgi(app.wsgi_app)  # type: ignore[assignment, method-assign]
            app.cli.add_command(mailnod)
            warn(app, tracker)
        elif known.settings != settings:
            raise ConfigurationError("this app is already set up with other MAILNOD_* settings: call init_app once")
        elif self._plugins or self._clock is not None:
            raise ConfigurationError("this app is already set up: give plugins and clock to its first Mail")
        app.extensions["mail"] = state
        return state


def _connect(mail: object, keyword: Override) -> Connection:
    # Flask-Mail's Mail answers None for a name that it does not have; the state has no app of its own.
    app = getattr(mail, "app", None) or current_app
    try:
        state = app.extensions["mail"]
    except KeyError:
        raise RuntimeError("the current app is not set up: call Mail(app) or mail.init_app(app)") from None
    return Connection(state, app.extensions.get("mailnod"), keyword=keyword)

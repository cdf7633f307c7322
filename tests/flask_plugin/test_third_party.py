"""Other extensions that send mail through ``app.extensions["mail"]``; Flask-Security 5.9.2 is one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import flask_security
import pytest

from contracts.mail_server import MailServer
from mailnod_flask import Mail

MakeApp = Callable[..., flask.Flask]
NEWS_ROUTE = {"news": {"track_opens": True, "track_clicks": True, "consent": "assumed"}}


class User(flask_security.UserMixin):
    """Someone with an account."""

    fs_uniquifier = ""

    def __init__(self, **values: Any) -> None:
        self.roles = []
        self.__dict__.update(values)


class Users(flask_security.UserDatastore):
    """Accounts in memory."""

    def __init__(self) -> None:
        super().__init__(User, flask_security.RoleMixin)
        self.kept: list[User] = []

    def find_user(self, case_insensitive: bool = False, **wanted: Any) -> User | None:
        """Return the account with these values."""
        matches = (user for user in self.kept if wanted.items() <= vars(user).items())
        return next(matches, None)

    def put(self, model: User) -> User:
        """Keep an account."""
        self.kept.append(model)
        return model

    def commit(self) -> None:
        """Do nothing: memory is written at once."""


def set_up(app: flask.Flask) -> flask.Flask:
    """Set Mailnod and Flask-Security up, with one account."""
    Mail(app, load_entry_points=False)
    users = Users()
    flask_security.Security(app, users)
    with app.app_context():
        users.create_user(email="one@example.com", password=flask_security.hash_password("a long password"))
    return app


@pytest.fixture
def make_secured(make_app: MakeApp) -> MakeApp:
    """Give a function that makes an app with Flask-Security in it."""

    def make_secured(**config: Any) -> flask.Flask:
        return set_up(
            make_app(
                SECRET_KEY="for sessions",
                SECURITY_PASSWORD_SALT="salt",
                SECURITY_PASSWORD_HASH="plaintext",
                SECURITY_PASSWORD_SCHEMES=["plaintext"],
                SECURITY_RECOVERABLE=True,
                SECURITY_EMAIL_VALIDATOR_ARGS={"test_environment": True},
                WTF_CSRF_ENABLED=False,
                **config,
            )
        )

    return make_secured


def test_a_password_reset_is_not_tracked_by_default(make_secured: MakeApp, server: MailServer) -> None:
    """A reset mail of Flask-Security keeps its link, though another route of the app tracks."""
    app = make_secured(MAILNOD_ROUTES=NEWS_ROUTE)
    app.test_client().post("/reset", data={"email": "one@example.com"})
    (mail,) = server.received
    assert "http://localhost/reset/" in mail.html
    assert "track.example.com" not in mail.raw.decode()


def test_mail_of_another_extension_is_tracked_where_its_route_says_so(
    make_secured: MakeApp, server: MailServer
) -> None:
    """What Flask-Security sends past our Mail object still goes through our connection."""
    app = make_secured()
    with app.app_context():
        flask_security.MailUtil(app).send_mail(
            "welcome",
            "Welcome",
            "one@example.com",
            "desk@example.com",
            "text",
            '<body><a href="https://shop.example/">Shop</a></body>',
        )
    (mail,) = server.received
    assert "https://track.example.com/t/o/" in mail.html
    assert "https://track.example.com/t/c/" in mail.html

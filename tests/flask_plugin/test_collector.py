"""Hits on an app: nothing of the app runs for them, and no cookie is ever set."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import flask
import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from contracts.mail_server import MailServer
from mailnod.testing import FrozenClock
from mailnod_flask import Mail, Message, blueprint

MakeApp = Callable[..., flask.Flask]


class BrokenError(Exception):
    """Stands for whatever is wrong with the app today."""


@pytest.fixture
def app(make_app: MakeApp, clock: FrozenClock) -> flask.Flask:
    """Give an app that is set up and has sent nothing yet."""
    app = make_app(SECRET_KEY="for sessions")
    Mail(app, clock=clock, load_entry_points=False)
    return app


@pytest.fixture
def paths(app: flask.Flask, server: MailServer) -> tuple[str, str]:
    """Send one mail, and give the paths of its pixel and of its link."""
    with app.app_context():
        html = '<body><a href="https://shop.example/a?b=1&amp;c=2">Shop</a></body>'
        app.extensions["mail"].send(Message("Weekly", recipients=["one@example.com"], html=html))
    return find_paths(server.received[0].html)


def find_paths(html: str) -> tuple[str, str]:
    """Return path and query of a mail's pixel and of its link."""
    urls = (re.search(rf'"(https://[^"]*/t/{kind}/[^"]*)"', html) for kind in "oc")
    parts = (urlsplit(url[1].replace("&amp;", "&")) for url in urls if url)
    pixel, link = (f"{part.path}?{part.query}" for part in parts)
    return pixel, link


def break_before(app: flask.Flask) -> None:
    """Let every request fail before its view runs."""

    @app.before_request
    def fail() -> None:
        raise BrokenError


def break_after(app: flask.Flask) -> None:
    """Let every request fail when the app's database is closed."""

    @app.teardown_appcontext
    def fail(error: BaseException | None) -> None:
        raise BrokenError


def redirect_all(app: flask.Flask) -> None:
    """Send everybody to the login page, with a session that leaves a cookie."""

    @app.before_request
    def login() -> Any:
        flask.session["seen"] = True
        return flask.redirect("/login")


@pytest.mark.parametrize("trouble", [break_before, break_after, redirect_all])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_hits_are_answered_whatever_the_app_does(
    app: flask.Flask, paths: tuple[str, str], trouble: Callable[[flask.Flask], None], method: str
) -> None:
    """The pixel and the redirect come though the app raises, its database is dead or people must log in; no cookie."""
    trouble(app)
    client = app.test_client()
    pixel, link = (client.open(path, method=method) for path in paths)
    assert (pixel.status_code, pixel.content_type) == (200, "image/gif")
    assert (link.status_code, link.location) == (302, "https://shop.example/a?b=1&c=2")
    assert "Set-Cookie" not in pixel.headers
    assert "Set-Cookie" not in link.headers
    assert bool(pixel.data) is (method == "GET")


def test_hits_become_events(app: flask.Flask, paths: tuple[str, str], clock: FrozenClock) -> None:
    """What the app answered is in the store after one pass of work."""
    for path in paths:
        app.test_client().get(path)
    clock.advance(60)
    done = app.extensions["mailnod"].work_once()
    assert (done.drained, done.published) == (2, 2)


def test_everything_else_is_the_apps_own(app: flask.Flask, paths: tuple[str, str]) -> None:
    """Paths that are not tracking paths reach the app, a near miss included."""

    @app.route("/t/<path:rest>")
    def show(rest: str) -> str:
        return f"the app's {rest}"

    client = app.test_client()
    assert client.get("/t/other").text == "the app's other"
    assert client.get("/o/x.gif").status_code == 404
    assert client.get("/t/c/forged").status_code == 404


def test_an_app_below_a_prefix_answers_there(make_app: MakeApp, server: MailServer) -> None:
    """Where the app is mounted below a path, the base URL holds that path."""
    app = make_app(MAILNOD_BASE_URL="https://track.example.com/shop/t")
    Mail(app, load_entry_points=False)
    with app.app_context():
        html = '<body><a href="https://shop.example/">Shop</a></body>'
        app.extensions["mail"].send(Message("Weekly", recipients=["one@example.com"], html=html))
    client = Client(DispatcherMiddleware(flask.Flask("outer").wsgi_app, {"/shop": app.wsgi_app}))
    pixel, link = find_paths(server.received[0].html)
    assert client.get(pixel).status_code == 200
    assert client.get(link).status_code == 302


def test_the_blueprint_answers_where_the_wrapper_was_replaced(app: flask.Flask, paths: tuple[str, str]) -> None:
    """Registered at the path of the base URL it gives the same answers, and no cookie though the session is marked."""

    @app.before_request
    def mark() -> None:
        flask.session.permanent = True
        flask.session["seen"] = True

    app.register_blueprint(blueprint, url_prefix="/t")
    with_wrapper = [app.test_client().get(path) for path in paths]
    app.wsgi_app = flask.Flask.wsgi_app.__get__(app)  # type: ignore[method-assign]
    without = [app.test_client().get(path) for path in paths]
    for first, second in zip(with_wrapper, without, strict=True):
        assert (first.status_code, first.data, first.location) == (second.status_code, second.data, second.location)
        assert "Set-Cookie" not in second.headers
        assert second.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert app.test_client().head(paths[0]).headers["Content-Length"] == with_wrapper[0].headers["Content-Length"]
    assert app.test_client().post(paths[1]).status_code == 405


def test_a_canary_in_the_request_reaches_no_file(
    app: flask.Flask, paths: tuple[str, str], clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Cookies, credentials and the Referer's path are found in no file of the store and in no log."""
    secrets = {"Cookie": "s=canary-cookie", "Authorization": "Bearer canary-token"}
    caplog.set_level(0)
    for path in paths:
        app.test_client().get(path, headers={**secrets, "Referer": "https://mail.example/canary-path"})
    clock.advance(60)
    app.extensions["mailnod"].work_once()
    folder = app.extensions["mailnod"].settings.database.parent
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"canary" in file.read_bytes()]
    assert "canary" not in caplog.text

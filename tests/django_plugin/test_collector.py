"""Hits on a project: nothing of Django runs for them, under WSGI and ASGI, and no cookie is ever set."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.test.utils import override_settings
from django.urls import include, path
from django.utils.module_loading import import_string

from contracts.mail_server import MailServer
from mailnod import Tracker
from mailnod.testing import FrozenClock
from mailnod_django import TrackedEmail, asgi, wsgi

SetUp = Callable[..., Tracker]
HTML = '<body><a href="https://shop.example/a?b=1&amp;c=2">Shop</a></body>'
DESTINATION = "https://shop.example/a?b=1&c=2"


class BrokenError(Exception):
    """Stands for whatever is wrong with the project today."""


def fail(get_response: Any) -> Callable[[HttpRequest], HttpResponse]:
    """Let every request fail before its view runs."""

    def middleware(request: HttpRequest) -> HttpResponse:
        raise BrokenError

    return middleware


def mark(get_response: Any) -> Callable[[HttpRequest], HttpResponse]:
    """Leave something in the session of everybody, and a cookie of its own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.session["seen"] = True
        response: HttpResponse = get_response(request)
        response.set_cookie("seen", "1")
        return response

    return middleware


def show(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer with the path."""
    return HttpResponse(f"the project's {request.path}")


urlpatterns = [path("t/other", show), path("o/<rest>", show), path("included/t/", include("mailnod_django.urls"))]

FAILING = {"MIDDLEWARE": [f"{__name__}.fail"]}
SESSIONS = {
    "MIDDLEWARE": [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
        f"{__name__}.mark",
    ],
    "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
    "LOGIN_URL": "/login",
}


@pytest.fixture
def project(set_up: SetUp) -> Tracker:
    """Set a project up whose urls are this module's."""
    return set_up(settings={"ROOT_URLCONF": __name__, "ALLOWED_HOSTS": ["testserver"]})


@pytest.fixture
def paths(project: Tracker, server: MailServer) -> tuple[str, str]:
    """Send one mail, and give the paths of its pixel and of its link."""
    message = TrackedEmail("Weekly", "text", "weekly@example.com", ["one@example.com"])
    message.attach_alternative(HTML, "text/html")
    message.send()
    urls = (re.search(rf'"(https://[^"]*/t/{kind}/[^"]*)"', server.received[0].html) for kind in "oc")
    parts = (urlsplit(url[1].replace("&amp;", "&")) for url in urls if url)
    pixel, link = (f"{part.path}?{part.query}" for part in parts)
    return pixel, link


def ask_wsgi(target: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of a request to the wrapped WSGI application."""
    application = wsgi.wrap(get_wsgi_application())
    where, _, query = target.partition("?")
    extra = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    environ: dict[str, Any] = {"PATH_INFO": where, "QUERY_STRING": query, "REQUEST_METHOD": method, **extra}
    setup_testing_defaults(environ)
    environ["HTTP_HOST"] = "testserver"
    started: list[Any] = []
    body = b"".join(application(environ, lambda *given: started.extend(given[:2]) or (lambda data: None)))  # type: ignore[func-returns-value]
    return int(started[0].split()[0]), {name.lower(): value for name, value in started[1]}, body


def ask_asgi(target: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of a request to the wrapped ASGI application."""
    application = asgi.wrap(get_asgi_application())
    where, _, query = target.partition("?")
    raw = [(b"host", b"testserver"), *((name.encode(), value.encode()) for name, value in headers.items())]
    scope = {
        "type": "http",
        "method": method,
        "path": where,
        "query_string": query.encode(),
        "headers": raw,
        "client": ["203.0.113.9", 4711],
        "asgi": {"version": "3.0"},
    }
    sent: list[Any] = []
    requests = [{"type": "http.request", "body": b""}]

    async def receive() -> Any:
        if requests:
            return requests.pop()
        await asyncio.Event().wait()
        return None

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    names = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], names, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("ask", [ask_wsgi, ask_asgi])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("trouble", [FAILING, SESSIONS])
def test_hits_are_answered_whatever_the_project_does(
    paths: tuple[str, str], ask: Any, method: str, trouble: dict[str, Any]
) -> None:
    """The pixel and the redirect come though Django fails or people must log in; no cookie is set."""
    with override_settings(**trouble):
        pixel, link = (ask(path, method) for path in paths)
    assert (pixel[0], pixel[1]["content-type"]) == (200, "image/gif")
    assert (link[0], link[1]["location"]) == (302, DESTINATION)
    assert "set-cookie" not in pixel[1].keys() | link[1].keys()
    assert bool(pixel[2]) is (method == "GET")


@pytest.mark.parametrize("ask", [ask_wsgi, ask_asgi])
def test_everything_else_is_the_projects_own(paths: tuple[str, str], ask: Any) -> None:
    """Paths that are not tracking paths reach Django, a near miss included."""
    assert ask("/t/other")[2] == b"the project's /t/other"
    assert ask("/o/x.gif")[2] == b"the project's /o/x.gif"
    assert ask("/t/c/forged")[0] == 404


@pytest.mark.parametrize("ask", [ask_wsgi, ask_asgi])
def test_hits_become_events(project: Tracker, paths: tuple[str, str], clock: FrozenClock, ask: Any) -> None:
    """What was answered is in the store after one pass of work."""
    for path_ in paths:
        ask(path_)
    clock.advance(60)
    done = project.work_once()
    assert done is not None
    assert (done.drained, done.published) == (2, 2)


def test_the_urls_answer_where_no_wrapper_stands(paths: tuple[str, str], project: Tracker, clock: FrozenClock) -> None:
    """Included at the path of the base URL they give the same answers, to everybody, without a cookie."""
    with override_settings(**SESSIONS):
        client = Client(enforce_csrf_checks=True)
        for path_ in paths:
            with_wrapper, without = ask_wsgi(path_), client.get(f"/included{path_}")
            assert (without.status_code, without.content) == (with_wrapper[0], with_wrapper[2])
            assert without.headers.get("Location") == with_wrapper[1].get("location")
            assert without.headers["Cache-Control"] == with_wrapper[1]["cache-control"]
            assert not without.cookies
            assert client.head(f"/included{path_}").content == b""
        assert client.post(f"/included{paths[1]}").status_code == 405
        assert client.get("/included/t/c/forged").status_code == 404
        assert client.get("/included/t/x/forged").status_code in (302, 404)
    clock.advance(60)
    done = project.work_once()
    assert done is not None
    assert done.drained == 6


def test_the_urls_log_no_token(paths: tuple[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Django logs the paths of requests that are refused, and those of the view hold tokens."""
    caplog.set_level(0)
    for path_ in paths:
        assert Client().post(f"/included{path_}").status_code == 405
    assert Client().get(f"/included{paths[1]}&u=changed".replace("u=https", "u=http")).status_code == 404
    assert "/t/" not in caplog.text


def test_the_urls_answer_under_an_asynchronous_server(paths: tuple[str, str]) -> None:
    """The view works through Django's asynchronous handler too."""
    with override_settings(**SESSIONS):
        response = asyncio.run(get_asynchronously(f"/included{paths[1]}"))
    assert (response.status_code, response.headers["Location"]) == (302, DESTINATION)


async def get_asynchronously(target: str) -> Any:
    """Return the response of Django's asynchronous handler."""
    return await AsyncClient().get(target)


def test_a_canary_in_the_request_reaches_no_file(
    project: Tracker, paths: tuple[str, str], clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Cookies, credentials and the Referer's path are found in no file of the store and in no log."""
    caplog.set_level(0)
    secrets = {
        "cookie": "s=canary-cookie",
        "authorization": "Bearer canary-token",
        "referer": "https://m.example/canary",
    }
    for path_ in paths:
        ask_asgi(path_, **secrets)
        ask_wsgi(path_, **secrets)
        Client().get(f"/included{path_}", headers=secrets)
    clock.advance(60)
    project.work_once()
    files = [file for file in project.settings.local_path.parent.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"canary" in file.read_bytes()]
    assert "canary" not in caplog.text


def test_the_module_names_are_importable() -> None:
    """A project's settings name the wrappers by their dotted paths."""
    assert import_string("mailnod_django.wsgi.wrap") is wsgi.wrap
    assert import_string("mailnod_django.asgi.wrap") is asgi.wrap

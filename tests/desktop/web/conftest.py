"""What the tests of the preview share: an engine prepared in time, a server that nobody may ask, and panes."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from mailnod.html.urls import parse_base
from mailnod.model import Route
from mailnod.settings import Settings
from mailnod_desktop.services.model import Inspection, Mail, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.theme import LIGHT, apply_theme
from mailnod_desktop.views.preview import PreviewView
from mailnod_desktop.views.preview_surface import PreviewDocument
from mailnod_desktop.web.flags import prepare_engine

HERE = Path(__file__).parent
#: What Qt and Chromium log where there is no graphics card, and no screen.
NO_SCREEN = (
    "QRhiGles2",
    "Failed to create RHI",
    "[Vv]ulkan",
    "Unable to detect GPU vendor",
    "GBM is not supported",
    "GPUInfo not initialized",
    "This plugin does not support",
)
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP8AACwAAAAAAQABAAACAkQBADs=")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40" fill="red"/></svg>'

if (PROBLEM := prepare_engine()) is not None:
    pytest.skip(f"Qt WebEngine: {PROBLEM}", allow_module_level=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pass what is logged where there is no graphics card."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.qt_log_ignore(*NO_SCREEN, extend=True))


class Canary(ThreadingHTTPServer):
    """A server on the loopback interface that counts who connects, and what is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.connections = 0
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        #: Status, type and body by path; other paths get a GIF.
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}

    @property
    def url(self) -> str:
        """Where it is, without a trailing slash."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, Any]:
        """Count a connection."""
        self.connections += 1
        return super().get_request()

    def count(self) -> tuple[int, int]:
        """Return how many connections and requests there were, without the one that this makes to be sure.

        Connections are accepted in order, so none is still on its way after this one.
        """
        before = len(self.requests)
        with socket.create_connection(("127.0.0.1", self.server_address[1]), timeout=5) as fence:
            fence.sendall(b"GET /fence HTTP/1.0\r\n\r\n")
            while fence.recv(4096):
                pass
        self.requests.remove("/fence")
        self.connections -= 1
        return self.connections, max(before, len(self.requests))


class _Handler(BaseHTTPRequestHandler):
    server: Canary

    def answer(self) -> None:
        self.server.requests.append(self.path)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        status, headers, body = self.server.answers.get(self.path, (200, {"Content-Type": "image/gif"}, GIF))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Set-Cookie", "seen=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_OPTIONS(self) -> None:
        self.answer()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def canary() -> Iterator[Canary]:
    """Give a server that says who asked it."""
    server = Canary()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Pane:
    """One surface in a window, and what it takes to look at it."""

    def __init__(self, qtbot: QtBot) -> None:
        from mailnod_desktop.web.surface import WebBackend, WebSurface

        self._qtbot = qtbot
        self.backend = WebBackend()
        surface = self.backend.make_surface("original", None)  # type: ignore[arg-type]
        assert isinstance(surface, WebSurface)
        self.surface = surface
        self.surface.resize(800, 600)
        self.surface.show()
        self._number = 0

    def begin(
        self, *, allowed: bool = False, base: str = "", inline: dict[str, tuple[str, bytes]] | None = None
    ) -> None:
        """Say what goes with the next mail."""
        self.backend.begin(inline=inline or {}, base=parse_base(base) if base else None, allowed=allowed)

    def show(self, html: str, **more: Any) -> None:
        """Show HTML, and wait until it is on the screen."""
        self._number += 1
        document = PreviewDocument(**{"key": str(self._number), "html": html, **more})
        with self._qtbot.waitSignal(self.surface.settled, timeout=60_000):
            assert self.surface.show_document(document)

    def ask(self, expression: str) -> Any:
        """Return what an expression is beside the shown mail: a number or text."""
        answers: list[object] = []
        assert self.surface.page is not None
        self.surface.page.runJavaScript(expression, 1, answers.append)
        self._qtbot.waitUntil(lambda: bool(answers), timeout=10_000)
        return answers[0]

    def wait_for(self, expression: str, value: object) -> None:
        """Wait until an expression has a value."""
        self._qtbot.waitUntil(lambda: self.ask(expression) == value, timeout=10_000)

    def colour(self, x: int, y: int) -> str:
        """Return the colour of a pixel, as ``#rrggbb``."""
        return self.surface.view.grab().toImage().pixelColor(x, y).name()

    def wait_for_colour(self, colour: str) -> None:
        """Wait until the middle of the page has a colour."""
        self._qtbot.waitUntil(lambda: self.colour(400, 300) == colour, timeout=10_000)

    @property
    def refused(self) -> list[tuple[str, str]]:
        """Kind and URL of what was not loaded."""
        return [(each.kind, each.url) for each in self.backend.find_blocked()]

    def close(self) -> None:
        """Take everything down, in the order that the window does."""
        self.surface.close_page()
        self.backend.close()
        self.surface.close()
        self.surface.deleteLater()


@pytest.fixture
def pane(qtbot: QtBot) -> Iterator[Pane]:
    """Give a pane that shows nothing yet."""
    pane = Pane(qtbot)
    yield pane
    pane.close()


@pytest.fixture(autouse=True)
def light(qapp: QApplication) -> None:
    """Begin each test in the light theme."""
    apply_theme(qapp, LIGHT)


#: Inspects HTML as the window does.
InspectHtml = Callable[..., Inspection]


@pytest.fixture
def inspect_html(canary: Canary) -> InspectHtml:
    """Return a function that rewrites HTML for a collector at the canary, where nothing must ever arrive."""
    route = Route(name="news", track_opens=True, track_clicks=True)
    settings = Settings(base_url=f"{canary.url}/t", routes={"news": route}, default_route="news")
    rewriter = Rewriter(settings, None)

    def inspect(html: str, wishes: Wishes | None = None, *, key: str = "mail") -> Inspection:
        mail = Mail(key=key, name=key, origin="file", form="html", data=html.encode())
        inspection = rewriter.inspect(parse(mail), wishes or Wishes())
        assert not inspection.error
        return inspection

    return inspect


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[PreviewView]:
    """Give a preview on the screen."""
    view = PreviewView()
    view.resize(1000, 600)
    view.show()
    yield view
    view.close_pages()
    view.close()
    view.deleteLater()

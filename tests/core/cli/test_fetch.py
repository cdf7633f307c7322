"""Fetching a list: limits on size and time, and where a redirect may lead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic

import pytest

from mailnod.cli.fetch import fetch
from mailnod.errors import NetworksError


class Publisher(BaseHTTPRequestHandler):
    """Answers well, too long, cut, or with a way elsewhere."""

    stop = threading.Event()

    def do_GET(self) -> None:
        """Answer by the path."""
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        content = {"/long": b"x" * 100_000, "/bytes": b"\xff\xfe", "/bom": b"\xef\xbb\xbf8.8.8.0/24"}.get(
            self.path, b"8.8.8.0/24"
        )
        self.send_response(404 if self.path == "/none" else 200)
        if self.path != "/endless":
            more = {"/cut": 5, "/silent": 5, "/drops": 10_000}.get(self.path, 0)
            length = "9" * 5000 if self.path == "/number" else len(content) + more
            self.send_header("Content-Length", str(length))
        while self.path == "/header" and not self.stop.wait(0.02):
            try:
                self.wfile.write(b"x")
            except OSError:
                return
        self.end_headers()
        self.wfile.write(content)
        while self.path in ("/endless", "/drops") and not self.stop.wait(0.02):
            try:
                self.wfile.write(b"x")
            except OSError:
                return
        self.stop.wait(30 if self.path == "/silent" else 0)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture(scope="module")
def publisher() -> Iterator[str]:
    """Run a publisher on this machine; return its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Publisher.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/list", "/bom", "/to//list"])
def test_text_is_fetched(publisher: str, path: str) -> None:
    """A mark of byte order is taken off, and a redirect within the publisher's domain is followed."""
    assert fetch(publisher + path, most_bytes=100) == "8.8.8.0/24"


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/long", "larger than 1,000 bytes"),
        ("/cut", "broke off after 10 of 15 bytes"),
        ("/number", "broke off"),
        ("/bytes", "no UTF-8 text"),
        ("/none", "answered 404"),
        ("/to/http://127.0.0.2:1/list", "not the publisher's"),
        ("/to/https://127.0.0.1/list", "not the publisher's"),
        ("/to/ftp://127.0.0.1/list", "not the publisher's"),
        ("/to/file:///etc/passwd", "answered 302"),
    ],
)
def test_bad_answer_is_an_error(publisher: str, path: str, complaint: str) -> None:
    """Too long, cut, no text, an error, and every way out of the publisher's domain: said in words."""
    with pytest.raises(NetworksError, match=complaint):
        fetch(publisher + path, most_bytes=1000)


@pytest.mark.parametrize("path", ["/endless", "/drops", "/header"])
def test_slow_answer_is_given_up(publisher: str, path: str) -> None:
    """A server that sends a byte now and then, in its headers or its body, is left at the limit of time."""
    began_at = monotonic()
    with pytest.raises(NetworksError, match="takes (too long|longer)"):
        fetch(publisher + path, most_bytes=1 << 40, limit_s=0.3)
    assert monotonic() - began_at < 10


def test_silent_server_is_given_up(publisher: str) -> None:
    """A server that falls silent is left at the limit of silence."""
    with pytest.raises(NetworksError, match="broke off"):
        fetch(f"{publisher}/silent", most_bytes=1 << 20, silence_s=0.2, limit_s=20)

"""Personas: programs that ask as they really do, and are judged to be what they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mailnod import personas
from mailnod.judge.classify import Judge
from mailnod.model import Classification, Hit, Kind, Observation, Window
from mailnod.personas import Client
from mailnod.testing import FrozenClock

SEEN = (
    (personas.IPHONE_MAIL, "open", Classification.GENUINE),
    (personas.IPHONE_BROWSER, "click", Classification.GENUINE),
    (personas.DESKTOP, "click", Classification.GENUINE),
    (personas.OFFICE_BROWSER, "click", Classification.GENUINE),
    (personas.ANDROID, "click", Classification.GENUINE),
    (personas.OUTLOOK, "open", Classification.GENUINE),
    (personas.PRIVATE_RELAY, "click", Classification.GENUINE),
    (personas.GMAIL_PROXY, "open", Classification.IMAGE_PROXY),
    (personas.YAHOO_PROXY, "open", Classification.IMAGE_PROXY),
    (personas.GMAIL_PREFETCH, "open", Classification.PRIVACY_PROXY),
    (personas.APPLE_MPP, "open", Classification.PRIVACY_PROXY),
    (personas.PROBE, "click", Classification.SECURITY_SCANNER),
    (personas.GATEWAY, "click", Classification.SECURITY_SCANNER),
    (personas.SAFE_LINKS, "click", Classification.SECURITY_SCANNER),
    (personas.SLACK, "click", Classification.LINK_PREVIEW_BOT),
    (personas.CURL, "click", Classification.GENERIC_BOT),
    (personas.OFFICE_DISCOVERY, "click", Classification.GENERIC_BOT),
)


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Give the judge with what is installed."""
    return Judge()


@pytest.mark.parametrize(("client", "kind", "expected"), SEEN, ids=[client.name for client, _, _ in SEEN])
def test_each_program_is_judged_to_be_what_it_is(
    judge: Judge, client: Client, kind: Kind, expected: Classification
) -> None:
    """Alone, without any other hit, each is told by its headers and its address."""
    headers = {name.lower(): value for name, value in client.headers.items()}
    hit = Hit(
        kind=kind,
        method="GET",
        ip=client.address,
        user_agent=headers.pop("user-agent"),
        headers=headers,
        received_at=FrozenClock().now(),
        link_index=0 if kind == "click" else None,
        url="https://example.com/" if kind == "click" else None,
    )
    observation = Observation(id=bytes(16), hit=hit, delivery_id=bytes(8))
    verdict = judge.classify(observation, Window(delivery=None, observations=(observation,)))
    assert verdict.classification is expected


@pytest.fixture
def requests() -> Iterator[tuple[str, list[tuple[str, str, dict[str, str]]]]]:
    """Give host and port of a server that redirects everything, and what it was asked."""
    seen: list[tuple[str, str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.command, self.path, dict(self.headers.items())))
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/never")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def test_a_program_sends_its_headers_and_follows_nothing(
    requests: tuple[str, list[tuple[str, str, dict[str, str]]]],
) -> None:
    """Its address goes into X-Forwarded-For, no header is added, and the redirect is handed back."""
    at, seen = requests
    response = personas.CURL.request("https://app.example/t/c/x.1?u=https%3A%2F%2Fexample.com", method="HEAD", at=at)
    assert (response.status, response.headers["location"]) == (302, "http://192.0.2.1/never")
    assert seen == [
        (
            "HEAD",
            "/t/c/x.1?u=https%3A%2F%2Fexample.com",
            {
                "Host": "app.example",
                "User-Agent": "curl/8.14.1",
                "Accept": "*/*",
                "X-Forwarded-For": "198.51.100.200",
            },
        )
    ]

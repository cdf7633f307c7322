"""Weighs the headers of a request against what its user agent claims to be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mailnod.judge.evidence import Request
from mailnod.model import Signal

__all__ = ["find_prefetch", "is_prefetch", "weigh_headers"]

_PREFETCH = Signal(code="header.prefetch", weight=97, source="Fetch Standard, Sec-Purpose; older Purpose and X-Moz")
_NO_LANGUAGE = Signal(code="header.no_language", weight=15, source="every desktop and phone browser sends a language")
_NO_FETCH = Signal(code="header.no_fetch_metadata", weight=10, source="W3C Fetch Metadata: Chromium 76, Firefox 90")
_NO_HINTS = Signal(code="header.no_client_hints", weight=8, source="UA Client Hints: Chromium 89")
_ANY_ACCEPT = Signal(code="header.any_accept", weight=40, source="browsers ask for HTML by name when they navigate")
_CLOSE = Signal(code="header.connection_close", weight=15, source="browsers keep connections open")
_NO_BROTLI = Signal(code="header.no_brotli", weight=15, source="Chromium 50, Firefox 44 and Safari 11 take br over TLS")
_NONE = Signal(code="header.none", weight=60, source="every browser sends an Accept header (Fetch Standard)")
_OTHER_SYSTEM = Signal(code="header.other_system", weight=60, source="UA Client Hints: platform contradicts the agent")
_OTHER_VERSION = Signal(code="header.other_version", weight=50, source="UA Client Hints: version contradicts the agent")
_HEADLESS = Signal(code="header.headless", weight=90, source="UA Client Hints: the brand of headless Chrome")
_FOREIGN_HINTS = Signal(code="header.foreign_hints", weight=60, source="Firefox and Safari send no UA Client Hints")
_COMPLETE = Signal(code="header.complete", weight=-30, source="all that this browser sends is there")

_SYSTEMS = {
    "windows": "Windows",
    "macos": "Macintosh",
    "android": "Android",
    "chrome os": "CrOS",
    "chromium os": "CrOS",
    "linux": "Linux",
    "ios": "iP",
}
#: What scripts send too.
_OF_EVERY_CLIENT = frozenset(("host", "referer", "user-agent"))
_CHROMIUM_BRAND = re.compile(r'"Chromium";v="(\d{1,4})')


def find_prefetch(request: Request) -> Signal | None:
    """Find that a browser asked ahead of a person."""
    return _PREFETCH if is_prefetch(request.headers) else None


def is_prefetch(headers: Mapping[str, str] | None) -> bool:
    """Say whether a browser asked ahead of a person: a prefetch or prerender is no click.

    :param headers: names in lower case; None where they were not captured.
    """
    if not headers:
        return False
    values = [headers[name].lower() for name in ("sec-purpose", "purpose", "x-purpose", "x-moz") if name in headers]
    return any(word in value for value in values for word in ("prefetch", "prerender", "preview"))


def weigh_headers(request: Request) -> list[Signal]:
    """Weigh the headers of a request that claims to come from a browser.

    :param request: the hit; nothing is said where headers were not captured or the agent is no browser.
    """
    if request.headers is None or request.agent is None or request.agent.engine is None:
        return []
    if not {"accept", "accept-encoding", "accept-language"} & request.headers.keys():
        # Where hints are there and these are not, whoever captured the request kept hints alone: nothing to compare.
        return [] if request.headers.keys() - _OF_EVERY_CLIENT else [_NONE]
    signals = [*_weigh_negotiation(request), *_weigh_metadata(request), *_weigh_hints(request)]
    if not signals and "accept-language" in request.headers:
        signals.append(_COMPLETE)
    return signals


def _weigh_negotiation(request: Request) -> Iterator[Signal]:
    headers, mail_client = request.headers or {}, _mail_client(request)
    accept = headers.get("accept", "")
    if "accept-language" not in headers and not mail_client:
        yield _NO_LANGUAGE
    if request.kind == "click" and "xhtml" not in accept:
        yield _ANY_ACCEPT
    if request.kind == "open" and not mail_client and "image/" not in accept and "xhtml" not in accept:
        yield _ANY_ACCEPT
    if headers.get("connection", "").lower() == "close":
        yield _CLOSE
    if _modern(request) and not mail_client and "br" not in headers.get("accept-encoding", ""):
        yield _NO_BROTLI


def _weigh_metadata(request: Request) -> Iterator[Signal]:
    headers = request.headers or {}
    if _modern(request) and "sec-fetch-mode" not in headers and not _mail_client(request):
        yield _NO_FETCH


def _weigh_hints(request: Request) -> Iterator[Signal]:
    headers, agent = request.headers or {}, request.agent
    if agent is None:
        return
    brands = headers.get("sec-ch-ua")
    if brands is None:
        webview = "; wv)" in agent.text or _mail_client(request)
        if agent.engine == "chromium" and agent.version >= 89 and not webview and "sec-fetch-mode" not in headers:
            yield _NO_HINTS
        return
    if agent.engine != "chromium":
        yield _FOREIGN_HINTS
        return
    if "HeadlessChrome" in brands:
        yield _HEADLESS
    found = _CHROMIUM_BRAND.search(brands)
    if found and agent.version and abs(int(found[1]) - agent.version) > 1 and request.kind == "click":
        yield _OTHER_VERSION
    system = _SYSTEMS.get(headers.get("sec-ch-ua-platform", "").strip('"').lower())
    if system and system not in agent.text:
        yield _OTHER_SYSTEM


def _modern(request: Request) -> bool:
    """Whether the browser is one that sends fetch metadata."""
    agent = request.agent
    if agent is None:
        return False
    return (agent.engine == "chromium" and agent.version >= 80) or (agent.engine == "firefox" and agent.version >= 90)


def _mail_client(request: Request) -> bool:
    """Whether a mail client or an app shows the page: these send fewer headers than the browser they build on."""
    return request.agent is not None and request.agent.client.client_type in ("email_client", "app")

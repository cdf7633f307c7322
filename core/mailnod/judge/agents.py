"""Reads user agents: who sends them, with what, and what is odd about them."""

from __future__ import annotations

import re
from functools import lru_cache

from mailnod.judge.bots import Bots, names_system
from mailnod.judge.clients import Clients
from mailnod.judge.evidence import Agent, Client, Engine, Finding, Request
from mailnod.judge.hints import Hints
from mailnod.model import Classification, Signal

__all__ = ["Agents"]

#: Real user agents stay below this length; the rest of a longer one is not read.
_MAX_LENGTH = 1024

#: Engines by what stands before their version, in order of precedence.
_ENGINES: tuple[tuple[Engine, re.Pattern[str]], ...] = (
    ("trident", re.compile(r"MSIE (\d{1,4})")),
    ("trident", re.compile(r"Trident/.*rv:(\d{1,4})")),
    ("firefox", re.compile(r"Firefox/(\d{1,4})")),
    ("firefox", re.compile(r"Thunderbird/(\d{1,4})")),
    ("chromium", re.compile(r"Chrome/(\d{1,4})")),
    ("chromium", re.compile(r"Chromium/(\d{1,4})")),
    ("safari", re.compile(r"AppleWebKit/(\d{1,4})")),
)

_EMPTY = Finding(
    signal=Signal(code="ua.empty", weight=95, source="every browser and mail client sends one"),
    classification=Classification.GENERIC_BOT,
)
_NO_SYSTEM = Finding(
    signal=Signal(code="ua.no_system", weight=93, source="browsers and mail clients name the system they run on"),
    classification=Classification.GENERIC_BOT,
)
_IMPOSSIBLE = Signal(code="ua.impossible", weight=60, source="an engine that never ran on that system")
_SIGNED = Signal(code="ua.signed", weight=60, source="browsers name the system first; tools put their own name there")
_UNFINISHED = Signal(code="ua.unfinished", weight=45, source="browsers name their system, engine and version")

#: Pairs that no maker ever shipped.
_IMPOSSIBLE_PAIRS = re.compile(
    r"Mac OS X[^)]*Trident/|Linux[^)]*Trident/|Android[^)]*Trident/(?!.*IEMobile)|Macintosh[^)]*Windows NT"
    r"|\(Windows NT (?:[789]\.|1[1-9]|[2-9]\d)|Chrome/\d+[^ ]* .*Firefox/\d"
)
#: Browsers begin with the system; what stands before Windows or the Macintosh was put there.
_BEFORE_SYSTEM = re.compile(
    r"Mozilla/5\.0 \((?!compatible|Windows|Macintosh|N;|U;|X11|Unknown)[\w.-]+; (?:Windows NT|Macintosh)"
)
_BROWSER_LIKE = re.compile(r"Mozilla/[45]\.0 \(")


class Agents:
    """Reads user agents and remembers the last few thousand.

    :param capacity: how many are remembered.
    """

    def __init__(self, *, capacity: int = 4096) -> None:
        self._bots = Bots()
        self._clients = Clients()
        self._hints = Hints()
        self._read = lru_cache(maxsize=capacity)(self._read_new)

    def read(self, agent: str) -> Agent:
        """Read a user agent.

        :param agent: what the client sent; "" where it sent none. It may be hostile.
        """
        return self._read(agent[:_MAX_LENGTH])

    def read_client(self, request: Request) -> Client:
        """Name the client of a request by its agent and by what the other headers add.

        :param request: the hit, with its agent already read.
        """
        return self._hints.read_client(request)

    def _read_new(self, agent: str) -> Agent:
        # Lone surrogates come from bytes that are no UTF-8; the engine cannot take them.
        text = agent if agent.isascii() else agent.encode("utf-8", "replace").decode("utf-8")
        text = text.strip()
        if not text or text == "-":
            return Agent(text="", client=Client(), finding=_EMPTY, signals=(), engine=None, version=0)
        finding, library = self._bots.find(text)
        client = self._clients.read(text, library=library)
        known = finding is not None or (client.listed and client.client_type != "library")
        if not known and not names_system(text):
            finding = _NO_SYSTEM
        engine, version = _read_engine(text)
        return Agent(
            text=text,
            client=client,
            finding=finding,
            signals=() if finding else tuple(_find_oddities(text)),
            engine=engine,
            version=version,
        )


def _read_engine(text: str) -> tuple[Engine | None, int]:
    """Name the engine and its major version; (None, 0) for what is no browser."""
    if not _BROWSER_LIKE.match(text):
        return None, 0
    for engine, pattern in _ENGINES:
        found = pattern.search(text)
        if found:
            return engine, int(found[1])
    return None, 0


def _find_oddities(text: str) -> list[Signal]:
    """Find what no honest browser writes."""
    oddities = []
    if _IMPOSSIBLE_PAIRS.search(text):
        oddities.append(_IMPOSSIBLE)
    if _BEFORE_SYSTEM.match(text):
        oddities.append(_SIGNED)
    if text.startswith("Mozilla/") and len(text) < 28:
        oddities.append(_UNFINISHED)
    return oddities

"""Names the client that a user agent speaks of: our table first, then ua-parser, then the agent's own products."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from mailnod.judge.devices import Devices
from mailnod.judge.evidence import Client
from mailnod.judge.knowledge import PatternSet, make_search, read_table

__all__ = ["Clients"]

#: Families of ua-parser that name the engine or the system, not the product.
_GENERIC = frozenset(
    (
        "Android",
        "Apple Watch App",
        "CFNetwork",
        "Chrome",
        "Chrome Mobile",
        "Chrome Mobile WebView",
        "Electron",
        "Firefox",
        "Firefox Mobile",
        "HbbTV",
        "Mobile Safari",
        "Mobile Safari UI/WKWebView",
        "Safari",
    )
)

_COMMENT = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
#: Up to three words before a version, as in "Quick Search TV/22.01".
_PRODUCT = re.compile(r"(?:^|[\s;,])((?:[A-Z][\w.+!&'-]{0,20} ){0,2}[A-Za-z][\w.+!&'-]{1,40})/[vV]?\d")
_LEADING = re.compile(
    r"([A-Za-z0-9\u0080-\uffff][^/;()\[\],]{1,60}?)(?:\.(?:iOS|Android))?(?: ?/|[ -]v?\d+\.|\s*[;(\[]|$)"
)
_VERSION_TAIL = re.compile(r"[\d.]+ CFNetwork$| CFNetwork$")
#: Where a name written in one word is written in two by its maker.
_SECOND_WORD = re.compile(r"(?<=[a-z0-9])(Browser|Music|Radio|News|Podcasts|Player|Reader)$")
_AFFIX = re.compile(r"^IOS(?=[A-Z])|[ _-]?(?:App|app|iOS|iPhone|Android|Mobile)$")
_DESKTOP = re.compile(r"(?i)[ _-]?(?:desktop|electron)(?:[ _-]?(?:app|platform))*$|[ _-]app$")
#: What a name says of the kind of client; a newspaper and answering machines are called mail too.
_KINDS = (
    ("email_client", re.compile(r"(?i)(?<!daily)(?<!daily )(?<!voice)(?<!voice )mail(?!online|chimp|ing|.*browser)")),
    ("feed_reader", re.compile(r"(?i)rss|feed(?!back)|news ?reader")),
)


class Clients:
    """The tables and the engine that know clients."""

    def __init__(self) -> None:
        from ua_parser import load_lazy_builtins

        table = read_table("clients")
        self._devices = Devices()
        entries: list[dict[str, Any]] = table["client"]
        self._entries = [entry for entry in entries for _ in entry["patterns"]]
        self._patterns = PatternSet(pattern for entry in entries for pattern in entry["patterns"])
        self._renamed: dict[str, str] = table["rename"]
        self._types: dict[str, str] = {name: kind for kind, names in table["families"].items() for name in names}
        self._browsers = frozenset(table["families"]["browser"])
        self._common = frozenset(table["common"]["products"])
        self._find_family = make_search(load_lazy_builtins()[0])

    def read(self, agent: str, *, library: bool) -> Client:
        """Name the device and the client.

        :param agent: the user agent, not empty, without lone surrogates.
        :param library: whether the tables of machines call it a programming library.
        """
        device = self._devices.read(agent)
        found = self._patterns.find(agent)
        if found is not None:
            entry = self._entries[found]
            return Client(
                device_type=entry.get("device", device),
                client_type=entry["type"],
                client_name=entry["name"],
                listed=True,
            )
        name, kind = self._read_family(agent)
        if library:
            kind = "library"
        return Client(device_type=device, client_type=kind, client_name=name)

    def _read_family(self, agent: str) -> tuple[str | None, str | None]:
        """Name a client that our table does not hold, and its type."""
        family = self._find_family(agent)
        name = self._renamed.get(family, family) if family else None
        if agent.startswith(("Mozilla/", "Opera/", "mozilla/", "Dalvik/")):
            own = self._read_product(agent) if name is None or name in _GENERIC else None
            if own is None:
                return name, self._tell_kind(name, "browser")
            browser = own in self._browsers or "browser" in own.lower() or not _is_within_app(agent)
            return own, self._tell_kind(own, "browser" if browser else "app")
        if name is not None and name not in _GENERIC and "CFNetwork/" not in agent:
            return name, self._tell_kind(name, "browser")
        own = self._read_leading(agent) or name
        browser = own is not None and (own in self._browsers or "browser" in own.lower())
        return own, "browser" if browser else self._tell_kind(own, "app")

    def _tell_kind(self, name: str | None, usual: str) -> str:
        """Tell the type of a client by its name; the usual one of such agents where the name says nothing."""
        if name is None or name in self._types:
            return self._types.get(name or "", usual)
        return next((kind for kind, words in _KINDS if words.search(name)), usual)

    def _read_product(self, agent: str) -> str | None:
        """Find the product that not every browser writes: one that calls itself a browser, or the last."""
        bare = _COMMENT.sub(" ", _COMMENT.sub(" ", agent))
        own = [name for name in map(self._drop_common, _PRODUCT.findall(bare)) if name]
        if not own:
            return None
        if " Electron/" in agent:
            # The app stands before the engine's names, whatever it adds behind them.
            return self._spell(_DESKTOP.sub("", own[0]) or own[0])
        browsers = [name for name in own if "browser" in name.lower()]
        return self._spell((browsers or own)[-1])

    def _drop_common(self, product: str) -> str:
        """Take away leading words that every browser writes; "" where the last word is one of them too."""
        words = product.split(" ")
        while words and words[0].lower() in self._common:
            words.pop(0)
        return " ".join(words) if words and words[-1].lower() not in self._common else ""

    def _read_leading(self, agent: str) -> str | None:
        """Take the name that an app puts first, as RFC 9110, section 10.1.5, orders products."""
        found = _LEADING.match(unquote(agent))
        return self._spell(_AFFIX.sub("", _VERSION_TAIL.sub("", found[1].strip()))) if found else None

    def _spell(self, name: str) -> str | None:
        """Write a name as its maker does."""
        return self._renamed.get(name) or _SECOND_WORD.sub(r" \1", name) or None


def _is_within_app(agent: str) -> bool:
    """Say whether an app shows the page: Android's and Apple's web views, and Electron."""
    apple = "Mobile/" in agent and "AppleWebKit/" in agent and "Safari/" not in agent
    return apple or "; wv)" in agent or " Electron/" in agent

"""What a shown mail may load: nothing at first, and never what would tell a tracker that it was seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal
from urllib.parse import unquote, urlsplit

from mailnod.html.urls import TrackingBase, find_destination

__all__ = ["Blocked", "Gate", "Kind", "is_nearby", "is_tracking"]

#: What asked for a URL.
Kind = Literal[
    "image",
    "stylesheet",
    "font",
    "frame",
    "script",
    "media",
    "object",
    "prefetch",
    "ping",
    "icon",
    "form",
    "page",
    "other",
]

#: Kinds that are loaded where a person allowed it.
_FETCHED: frozenset[Kind] = frozenset({"image", "stylesheet", "font"})
# Pixels and links of any tracker like ours, wherever its collector is.
_TRACKED_PATH = re.compile(r"/(?:o/[\w\-]{32}\.gif|c/[\w\-]{32})", re.ASCII | re.IGNORECASE)
# Names that no public name server knows (RFC 6761, RFC 6762, and ICANN for the last one).
_NEARBY = ("localhost", "local", "internal")
_PORTS = {"http": 80, "https": 443}
_DECODINGS = 3
_NAT64 = ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Something that a shown mail asked for and did not get."""

    kind: Kind
    url: str
    #: Why, in words.
    reason: str
    #: Which pane asked: "original" or "rewritten"; other names elsewhere.
    page: str


def is_tracking(url: str, base: TrackingBase | None) -> bool:
    """Tell whether loading a URL could record an open or a click.

    :param url: absolute.
    :param base: where our own collector is reached, if that is known.
    :returns: True for what has the form of a pixel or a tracked link on any host, and for whatever the collector has
        below its base URL.
    """
    destination = find_destination(url)
    try:
        parts = urlsplit(destination.url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return True
    path = _decode(parts.path)
    if _TRACKED_PATH.search(path):
        return True
    if base is None:
        return False
    if base.owns_pixel(url) or base.owns_link(url):
        return True
    ours = (parts.scheme, destination.host.rstrip("."), port) == base.origin
    below = f"{base.path}/" if base.path else ""
    return ours and (path.startswith(below) if below else path.startswith(("/o/", "/c/")))


def is_nearby(url: str) -> bool:
    """Tell whether a URL names this machine or one of its own network, by an address or by a name of that kind.

    :param url: absolute; one without a host that can be read counts as nearby.
    """
    host = find_destination(url).host.rstrip(".").strip("[]")
    try:
        address = ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        # Browsers read "127.1" and "0x7f.1" as addresses too.
        return "." not in host or last in _NEARBY or last[0].isdigit()
    if isinstance(address, IPv6Address):
        # What stands for an IPv4 address is where that one is; the last form is that of NAT64 (RFC 6052).
        within = address.ipv4_mapped or address.sixtofour
        return not (within or address).is_global or address in _NAT64
    return not address.is_global


def _decode(path: str) -> str:
    """Undo percent-encoding, also where it was applied twice: some servers do that as well."""
    for _ in range(_DECODINGS):
        path = unquote(path)
    return path.replace("\\", "/")


@dataclass(slots=True, kw_only=True)
class Gate:
    """Decides about every request of the shown pages, and remembers what it refused."""

    #: Whether a person allowed remote images, stylesheets and fonts for the mail that is shown.
    allowed: bool = False
    #: Where our own collector is reached.
    base: TrackingBase | None = None
    #: Each refused URL once per kind and page, in the order of the requests.
    blocked: dict[tuple[str, Kind, str], Blocked] = field(default_factory=dict)
    #: Called when something was added to ``blocked``.
    on_blocked: Callable[[], None] = lambda: None

    def judge(self, kind: Kind, url: str) -> str:
        """Say why a remote URL is not loaded.

        :returns: the reason in words, or "" where it may be fetched.
        """
        scheme = url.partition(":")[0].lower()
        if scheme not in _PORTS:
            return "not a web address"
        if is_tracking(url, self.base):
            return "would record an open or a click; never loaded"
        if kind not in _FETCHED:
            return f"a preview loads no {kind}" if kind != "other" else "a preview does not load it"
        return "" if self.allowed else "remote; not allowed for this mail"

    def refuse(self, kind: Kind, url: str, reason: str, page: str) -> None:
        """Remember something that was not loaded."""
        key = (url, kind, page)
        if key not in self.blocked:
            self.blocked[key] = Blocked(kind=kind, url=url, reason=reason, page=page)
            self.on_blocked()

    def forget(self, page: str) -> None:
        """Forget what one page was refused, because another mail is shown there."""
        kept = {key: value for key, value in self.blocked.items() if value.page != page}
        if len(kept) != len(self.blocked):
            self.blocked = kept
            self.on_blocked()

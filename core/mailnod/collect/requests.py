"""A request for a pixel or a link, and what of it is kept: the client's address, and some of the headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from socket import AF_INET, inet_pton
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from mailnod.collect.paths import MAX_TARGET_CHARS

__all__ = ["Headers", "Request", "find_client", "keep_headers", "read_headers"]

#: What is kept of one header's value, and of all headers together, in characters.
MAX_HEADER_CHARS = 512
MAX_HEADERS_CHARS = 4096

_KEPT = frozenset({"user-agent", "accept", "accept-charset", "accept-encoding", "accept-language"})
_KEPT |= {"purpose", "x-purpose", "x-moz", "via"}
_KEPT_SEC = re.compile(r"sec-(ch-ua(-[a-z-]{1,24})?|fetch-[a-z]{1,8}|purpose|gpc)", re.ASCII)
#: The origin in a Referer that needs no parser, because it has neither credentials nor a port.
_PLAIN_ORIGIN = re.compile(r"(?:https?|android-app)://[a-z0-9.-]+(?=[/?#]|\Z)", re.ASCII)
_LENGTH_CHARS = len("content-length")
_CODING_CHARS = len("transfer-encoding")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

#: How many sets of headers are remembered: a few programs, each with a few sets, send nearly all that comes.
_REMEMBERED = 256


# Not frozen, because one is made of each hit, and to freeze it takes longer than to make it.
@dataclass(slots=True)
class Request:
    """An HTTP request for a tracking path, free of any framework; nobody changes it."""

    #: Upper case.
    method: str
    #: From "/o/" or "/c/" on, as it came in.
    path: str
    #: Without the "?", as it came in.
    query: str
    #: Names in any case, with values.
    headers: Iterable[tuple[str, str]]
    #: Address of the other end of the connection; None where there is none.
    peer: str | None
    #: The values of ``X-Forwarded-For``, joined by commas, where they were taken out of the headers; None where not.
    forwarded: str | None = None
    #: What :func:`read_headers` says of the headers, where it was asked before; None where not.
    known: Headers | None = None


class Headers(NamedTuple):
    """What is of interest in the headers of a request."""

    #: Characters in all names and values.
    size: int
    #: Whether a body follows.
    has_body: bool
    #: "" where there is none.
    user_agent: str
    #: What :func:`keep_headers` keeps beside it.
    kept: Mapping[str, str]


@lru_cache(maxsize=_REMEMBERED)
def read_headers(headers: tuple[tuple[str, str], ...]) -> Headers:
    """Read the headers of a request; the same headers are read once."""
    size = 0
    has_body = False
    for name, value in headers:
        size += len(name) + len(value)
        if len(name) == _LENGTH_CHARS:
            has_body |= name.lower() == "content-length" and value.strip() not in ("", "0")
        elif len(name) == _CODING_CHARS:
            has_body |= name.lower() == "transfer-encoding"
    kept = keep_headers(headers)
    user_agent = kept.pop("user-agent", "")
    return Headers(size, has_body, user_agent, MappingProxyType(kept))


def find_client(request: Request, trusted_proxies: Sequence[IPv4Network | IPv6Network]) -> str | None:
    """Return the client's address: the rightmost one that is not a trusted proxy's.

    ``X-Forwarded-For`` is believed only as far as the proxies that wrote it are trusted; an entry that is no address
    ends the search at the proxy that passed it on. IPv4 addresses mapped into IPv6 are unwrapped. Behind a Unix socket
    the peer counts as 127.0.0.1.
    """
    peer = request.peer or ""
    if not trusted_proxies and _is_plain_ipv4(peer):
        return peer
    # A Unix socket has no address; whoever may open it is on this machine.
    client = _read_address(peer or "127.0.0.1") if trusted_proxies or peer else None
    named = bool(peer)
    forwarded = request.forwarded
    if forwarded is None:
        forwarded = ",".join(value for name, value in request.headers if name.lower() == "x-forwarded-for")
    for entry in reversed(forwarded[-MAX_TARGET_CHARS:].split(",") if forwarded else ()):
        if client is None or not any(client in network for network in trusted_proxies):
            break
        earlier = _read_address(entry.strip())
        if earlier is None:
            break
        client, named = earlier, True
    return str(client) if client is not None and named else None


def keep_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers that may be kept, in lower case: an allow-list without cookies, credentials and addresses.

    Of the Referer only the origin is kept, because its path may name a person. All together have at most 4,096
    characters; what comes after those is dropped.
    """
    kept: dict[str, str] = {}
    room = MAX_HEADERS_CHARS
    for raw_name, raw_value in headers:
        name = raw_name.lower()
        if name in _KEPT or (name[:4] == "sec-" and _KEPT_SEC.fullmatch(name)):
            value: str | None = raw_value[:MAX_HEADER_CHARS]
        elif name == "referer":
            value = _read_origin(raw_value)
        else:
            continue
        if value and len(name) + len(value) <= room:
            room -= len(name) + len(value)
            kept[name] = value
    return kept


@lru_cache(maxsize=_REMEMBERED)
def _is_plain_ipv4(text: str) -> bool:
    """Return whether a text is an IPv4 address as it would be written here, without the time that parsing takes."""
    try:
        inet_pton(AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


@lru_cache(maxsize=_REMEMBERED)
def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    # The zone of an IPv6 address (RFC 4007) means something on one host alone, and may be any text.
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _read_origin(referer: str) -> str | None:
    plain = _PLAIN_ORIGIN.match(referer[:MAX_TARGET_CHARS])
    if plain is not None:
        return plain[0]
    try:
        parts = urlsplit(referer[:MAX_TARGET_CHARS])
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "android-app") or not host or _CONTROL.search(host):
        return None
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")

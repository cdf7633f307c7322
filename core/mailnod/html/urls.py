"""Which URLs are tracked, how a browser reads them, and where it is safe to redirect to.

The rules are those of the URL Standard's parser (https://url.spec.whatwg.org/#concept-basic-url-parser) as far as they
decide whether a destination is http(s) and has a host; the rest of a URL is kept as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from mailnod.errors import ConfigurationError

__all__ = [
    "MAX_TRACKED_URL",
    "Destination",
    "TrackingBase",
    "check_destination",
    "find_destination",
    "is_excluded",
    "is_plain",
    "parse_base",
    "quote_destination",
]

#: A tracked URL with more characters is not made: some clients and gateways cut longer ones.
MAX_TRACKED_URL: Final = 2000

# By far the most destinations look like this and need no repair; what it lets through is valid and has no placeholder.
_PLAIN = re.compile(r"https?://((?:[a-z0-9\-]{1,63}\.){1,9}[a-z][a-z0-9\-]{0,62})(?:[/?#][!-;=?-Z\]-z~]*)?")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Stays as it is in the parameter ``u``; "%" because what it stands for was encoded before.
_QUOTED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/:?@,%"
# A short link ends with its number.
_LINK_PATH = re.compile(r"/c/[\w\-]{32}\.\d{1,9}(?:\.[\w\-]{16})?", re.ASCII)
_EDGE = "".join(map(chr, range(0x21)))
_AUTHORITY_END = re.compile(r"[/\\?#]")
_TAIL_START = re.compile(r"[?#]")
# URL Standard, section 3.5: forbidden domain code points, less the controls.
_FORBIDDEN_HOST = frozenset(" #/<>?@[\\]^|%:\x7f")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_PLACEHOLDER_START = re.compile(r"\{[{%]|<%|\*\||\[link:|-[A-Za-z]")
_PLACEHOLDERS = (("{{", "}}"), ("{%", "%}"), ("<%", "%>"), ("*|", "|*"), ("[link:", "]"))
_SUBSTITUTION = re.compile(r"-[A-Za-z][\w.]*-")


class Destination(NamedTuple):
    """What a browser makes of an ``href``."""

    #: The absolute http(s) URL with slashes repaired, or the stripped value where it cannot be tracked.
    url: str
    #: Host in lower case and ASCII or Unicode as written, without port; "" where the link cannot be tracked.
    host: str = ""
    #: Why it cannot be tracked, in words; None where it can.
    obstacle: str | None = None


def is_plain(value: str) -> bool:
    """Tell whether a decoded ``href`` is, as it stands, an absolute http(s) URL of the most common form.

    :returns: False where :func:`find_destination` has to be asked.
    """
    return _PLAIN.fullmatch(value) is not None


def find_destination(value: str) -> Destination:
    """Read a decoded ``href`` as a browser would that shows a mail, where nothing is relative to anything.

    :param value: the attribute's value with its character references decoded.
    :returns: the destination, or the obstacle in words.
    """
    if plain := _PLAIN.fullmatch(value):
        return Destination(value, plain[1])
    url = value.strip(_EDGE).replace("\t", "").replace("\n", "").replace("\r", "")
    if obstacle := _find_placeholder(url):
        return Destination(url=url, obstacle=obstacle)
    match = _SCHEME.match(url)
    if match is None and url[:2].replace("\\", "/") != "//":
        return Destination(url=url, obstacle=_describe_relative(url))
    scheme = match[1].lower() if match else "https"
    if scheme not in ("http", "https"):
        return Destination(url=url, obstacle="scheme not http(s)")
    if _CONTROL.search(url):
        return Destination(url=url, obstacle="control character in the URL")
    return _repair(url, scheme, url[match.end() if match else 0 :].lstrip("/\\"))


def _repair(url: str, scheme: str, rest: str) -> Destination:
    found = _AUTHORITY_END.search(rest)
    authority, tail = (rest[: found.start()], rest[found.start() :]) if found else (rest, "")
    host = _read_host(authority)
    if host is None:
        return Destination(url=url, obstacle="not a valid URL")
    cut = _TAIL_START.search(tail)
    path, query = (tail[: cut.start()], tail[cut.start() :]) if cut else (tail, "")
    path = path.replace("\\", "/")
    return Destination(url=f"{scheme}://{authority}{path}{query}", host=host)


def _find_placeholder(url: str) -> str | None:
    if not _PLACEHOLDER_START.search(url):
        return None
    if any(opening in url and closing in url for opening, closing in _PLACEHOLDERS) or _SUBSTITUTION.fullmatch(url):
        return "placeholder"
    return None


def _describe_relative(url: str) -> str:
    if not url:
        return "empty"
    if url.startswith("#"):
        return "leads to a place within the mail"
    return "relative, no destination in mail"


def _read_host(authority: str) -> str | None:
    """Return the host of an authority in lower case, or None where the URL Standard refuses it."""
    host, port = authority.rpartition("@")[2], ""
    bracket = host.rfind("]")
    if (colon := host.rfind(":")) > bracket:
        host, port = host[:colon], host[colon + 1 :]
    if port and not (port.isascii() and port.isdigit() and int(port[-6:]) <= 0xFFFF and not port[:-6].strip("0")):
        return None
    if host.startswith("["):
        return host.lower() if host.endswith("]") and _is_ipv6(host[1:-1]) else None
    return _read_domain(host)


def _is_ipv6(address: str) -> bool:
    try:
        return "%" not in address and bool(IPv6Address(address))
    except AddressValueError:
        return False


def _read_domain(host: str) -> str | None:
    if "%" in host:
        try:
            host = unquote(host, errors="strict")
        except UnicodeDecodeError:
            return None
    if not host.isascii():
        host = unicodedata.normalize("NFKC", host.replace("\N{SOFT HYPHEN}", "")).replace(
            "\N{IDEOGRAPHIC FULL STOP}", "."
        )
    host = host.lower()
    if not host.strip(".") or _CONTROL.search(host) or not _FORBIDDEN_HOST.isdisjoint(host):
        return None
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]) and not _is_ipv4(labels):
        return None
    return host


def _is_ipv4(labels: list[str]) -> bool:
    """Tell whether a host that ends in a number is an IPv4 address (URL Standard, section 3.5)."""
    if len(labels) > 4 or not all(_NUMBER.fullmatch(label) and len(label) <= 16 for label in labels):
        return False
    try:
        numbers = [_ipv4_number(label) for label in labels]
    except ValueError:
        return False
    return all(number < 256 for number in numbers[:-1]) and numbers[-1] < 256 ** (5 - len(numbers))


def _ipv4_number(label: str) -> int:
    if label[:2] in ("0x", "0X"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if len(label) > 1 and label[0] == "0" else 10)


def check_destination(url: str) -> bool:
    """Tell whether it is safe to redirect to a URL: absolute, http or https, with a host, without control characters.

    :param url: the exact destination.
    :returns: True where a redirect leads to that http(s) host and nowhere else.
    """
    destination = find_destination(url)
    return destination.obstacle is None and destination.url == url


def quote_destination(url: str) -> str:
    """Encode a destination for the parameter ``u``.

    What stays readable is safe in HTML attributes of every quoting, also within a conditional comment, in a
    form-encoded query, and in plain text.

    :param url: the exact destination.
    :returns: ASCII without quotes, white space, ``&``, ``+``, ``#``, ``=``, ``<`` or ``>``, and without two dashes at
        the end.
    """
    # Hardly a URL has other characters to be encoded than these three.
    quoted = url.replace("%", "%25").replace("&", "%26").replace("=", "%3D")
    if quoted.encode().translate(None, _QUOTED):
        quoted = quote(quoted, safe=_QUOTED)
    # With the ">" behind an unquoted value they would end a comment that surrounds it.
    return f"{quoted[:-1]}%2D" if quoted.endswith("--") else quoted


def is_excluded(host: str, excluded_hosts: Sequence[str]) -> str | None:
    """Find the entry that excludes a host.

    :param host: lower case.
    :param excluded_hosts: lower case; ``.example.com`` means that host and every host below it.
    :returns: the entry, or None.
    """
    host = host.rstrip(".")
    for entry in excluded_hosts:
        if host == entry.lstrip(".") or (entry.startswith(".") and host.endswith(entry)):
            return entry
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingBase:
    """Where the collector is reached, and which URLs lead there."""

    #: Without a trailing slash.
    url: str
    #: Scheme, host and port, normalised.
    origin: tuple[str, str, int]
    #: Without a trailing slash.
    path: str

    def owns_link(self, url: str) -> bool:
        """Tell whether a URL is a tracked link of ours, by origin and path."""
        return "/c/" in url and bool(_LINK_PATH.fullmatch(self._below(url)))

    def owns_pixel(self, url: str) -> bool:
        """Tell whether a URL is a pixel of ours, by origin and path."""
        return "/o/" in url and bool(re.fullmatch(r"/o/[\w\-]+\.gif", self._below(url), re.ASCII))

    def _below(self, url: str) -> str:
        """Return the path below the base, or "" where the URL leads elsewhere."""
        split = _split(url)
        if split is None or split[0] != self.origin or not split[1].startswith(self.path):
            return ""
        return split[1][len(self.path) :]


def _split(url: str) -> tuple[tuple[str, str, int], str] | None:
    destination = find_destination(url)
    if destination.obstacle is not None:
        return None
    try:
        parts = urlsplit(destination.url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        return None
    return (parts.scheme, destination.host, port), parts.path


@lru_cache(maxsize=64)
def parse_base(base_url: str) -> TrackingBase:
    """Check and split the URL at which the collector is reached.

    :param base_url: absolute http(s) URL; a trailing slash does not count.
    :returns: the parsed base.
    :raises ConfigurationError: where it is not such a URL, or cannot stand in an attribute without quotes.
    """
    url = base_url.rstrip("/")
    split = _split(url) if check_destination(url) and url.isascii() else None
    if split is None or re.search(r"[\s\"'`<>=&?#{}|*]", url):
        raise ConfigurationError(
            f"base_url must be an absolute http(s) URL without query or fragment, not {base_url!r}; "
            "write it like 'https://track.example.com'"
        )
    return TrackingBase(url=url, origin=split[0], path=split[1])

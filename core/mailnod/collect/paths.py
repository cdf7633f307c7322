"""Tell tracking paths from an app's own, the same way for every server interface."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

__all__ = [
    "MAX_TARGET_CHARS",
    "OURS",
    "SHORT_LINK",
    "cut_any",
    "cut_prefix",
    "is_plain",
    "quote_path",
    "read_prefixes",
]

#: The longest path and query that is looked at, in characters; links that we make have at most 2,000.
MAX_TARGET_CHARS = 8192

_KINDS = ("/o/", "/c/")
#: The path of a link without its destination, which the store knows: token and number.
SHORT_LINK = re.compile(r"/c/([^/.]+)\.([0-9]{1,6})", re.ASCII)
#: What our own paths look like; beside an app that has the whole host, nothing else is taken from it.
OURS = re.compile(r"/o/[\w-]{32}\.gif|/c/[\w-]{32}\.[0-9]{1,6}(\.[\w-]{16})?", re.ASCII)

#: A path that quoting leaves as it is.
_PLAIN = re.compile(r"[\w./~-]*", re.ASCII)


def read_prefixes(base_urls: Sequence[str]) -> tuple[str, ...]:
    """Return the path of each base URL, without a trailing slash, each once and the longest first."""
    paths = {urlsplit(url).path.rstrip("/") for url in base_urls}
    return tuple(sorted(paths, key=lambda path: (-len(path), path)))


def cut_prefix(path: str, prefixes: Sequence[str]) -> str | None:
    """Return a tracking path from its ``/o/`` or ``/c/`` on; None where it is the app's own.

    Below a prefix everything under ``/o/`` and ``/c/`` is ours. Where a base URL has no path, only what has the form of
    our links is, because the app may have such paths too.
    """
    for prefix in prefixes:
        rest = path[len(prefix) :]
        if path.startswith(prefix) and rest.startswith(_KINDS) and (prefix or OURS.fullmatch(rest)):
            return rest
    return None


def cut_any(path: str) -> str | None:
    """Return a tracking path below any prefix from its ``/o/`` or ``/c/`` on; None where there is none."""
    # A token holds no slash, so the last one is ours, whatever stands before it.
    cut = max(path.rfind("/o/"), path.rfind("/c/"))
    return path[cut:] if cut >= 0 else None


def is_plain(path: str) -> bool:
    """Return whether :func:`quote_path` would leave a path as it is, which takes longer to do than to see."""
    return len(path) <= MAX_TARGET_CHARS and _PLAIN.fullmatch(path) is not None


def quote_path(decoded: bytes) -> str:
    """Return the path that a server has percent-decoded as it came in, as far as our own characters are concerned.

    A decoded "?" or "%" must not be read as one, so all but the characters of our own paths is quoted again.
    """
    # Enough is kept to see that there was too much, whatever prefix is cut off.
    decoded = decoded[: 2 * MAX_TARGET_CHARS + 1]
    return quote(decoded, safe="/~")

"""Write a destination as the value of a ``Location`` header, changing no more than a browser would."""

from __future__ import annotations

import re
from urllib.parse import quote

import idna

__all__ = ["to_location"]

#: Everything that may stand in a URL as it is (RFC 3986, sections 2.2 and 2.3), and what browsers let stand.
_SAFE = ":/?#[]@!$&'()*+,;=%|{}^`~\\"
_AUTHORITY = re.compile(r"(https?://)([^/?#]*)", re.IGNORECASE)


def to_location(url: str) -> str:
    """Return an absolute http(s) URL in ASCII.

    Characters outside ASCII, spaces and quotes become UTF-8 percent escapes and a host becomes its IDNA form (UTS 46),
    as the URL Standard's parser does; all else stays as the sender wrote it.

    :raises ValueError: the host is no valid international name, or the text no valid Unicode.
    """
    if url.isascii():
        return quote(url, safe=_SAFE)
    match = _AUTHORITY.match(url)
    if match is None:
        raise ValueError("not an absolute http(s) URL")
    userinfo, at, host = match[2].rpartition("@")
    name, colon, port = host.partition(":")
    if not host.isascii():
        name = idna.encode(name, uts46=True, transitional=False).decode("ascii")
    return quote(match[1] + userinfo + at + name + colon + port + url[match.end() :], safe=_SAFE)

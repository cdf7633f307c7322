"""What a reader sees where a link stands."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from mailnod.html.entities import decode_attribute
from mailnod.html.scan import Anchor
from mailnod.html.syntax import TAG, find_first, read_attributes
from mailnod_desktop.services.text import shorten

__all__ = ["find_label"]

_MAX_INNER: Final = 4000
_MAX_LABEL: Final = 120
_CLOSE = re.compile(r"</[aA](?=[\t\n\f\r />])")
_MARKUP = re.compile(r"<!--.*?(?:-->|\Z)|<[^<>]*>", re.DOTALL)


def find_label(html: str, anchor: Anchor, *, chars: int = _MAX_LABEL) -> str:
    """Return what is to be read where a link stands, or what its first image says; "" where nothing is."""
    if anchor.element == "area":
        return _read_attribute(html, anchor.start, "alt", chars)
    window = html[anchor.end : anchor.end + _MAX_INNER]
    close = _CLOSE.search(window)
    inner = window[: close.start()] if close else window.partition("<")[0]
    text = shorten(unescape(_MARKUP.sub(" ", inner)), chars)
    if text:
        return text
    image = re.search(r"<img(?=[\t\n\f\r />])", inner, re.IGNORECASE)
    return _read_attribute(html, anchor.end + image.start(), "alt", chars) if image else ""


def _read_attribute(html: str, start: int, name: str, chars: int) -> str:
    tag = TAG.match(html, start)
    found = find_first(read_attributes(html, *tag.span(3)), name) if tag else None
    return shorten(decode_attribute(html[found.value_start : found.value_end]), chars) if found else ""

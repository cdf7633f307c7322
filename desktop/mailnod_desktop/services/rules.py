"""What a rule about a mail is, and what rules look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Final, Literal

from mailnod_desktop.services.model import Inspection, LinkRow, Severity
from mailnod_desktop.services.text import shorten

__all__ = ["Hit", "Rule", "find_fault", "quote", "read_text", "walk_links"]

_EXCERPT_CHARS: Final = 120
_UNSEEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(style|script|title|head|template)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
_MARKUP = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing that a rule found."""

    #: What is the matter and where, in a sentence.
    message: str
    #: What to do about it, in a sentence.
    advice: str
    #: Number of the HTML body, from 0, and place in its original, in characters; None where it is the whole mail.
    body: int | None = None
    offset: int | None = None
    excerpt: str = ""
    #: Where one hit is worse or better than what the rule finds usually.
    severity: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the table."""

    #: As ``--fail-on`` takes it.
    name: str
    severity: Severity
    #: What it finds and why that matters, for the documentation.
    doc: str
    find: Callable[[Inspection], Iterator[Hit]]
    #: Whether it is about the rewriting, or about the mail as it came.
    about: Literal["mail", "tracking"] = "mail"


def walk_links(inspection: Inspection) -> Iterator[LinkRow]:
    """Yield the rows of links, without the pixel and the hidden link."""
    return (row for row in inspection.links if row.kind == "click" and row.link is not None)


def find_fault(row: LinkRow, *, message: str, advice: str) -> Hit:
    """Return what a rule found wrong with a link, at its place."""
    return Hit(message=message, advice=advice, body=row.body, offset=row.offset, excerpt=excerpt(row.url))


def quote(row: LinkRow) -> str:
    """Name a link in a sentence: by its number, and by what is to be read there."""
    number = row.link.index + 1 if row.link else 0
    return f'link {number} ("{shorten(row.label, 40)}")' if row.label else f"link {number}"


def excerpt(text: str) -> str:
    """Return what stands at a place, shortened."""
    return shorten(text, _EXCERPT_CHARS)


def read_text(html: str, *, chars: int = 2000) -> str:
    """Return about what a reader sees of an HTML text, for rules that ask whether there is any."""
    text = unescape(_MARKUP.sub(" ", _UNSEEN.sub(" ", html)))
    return shorten(text, chars)

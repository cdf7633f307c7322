"""Text from strangers in a form that is safe to show: nothing in it steers, hides or turns what stands around it."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from typing import Final

__all__ = ["clean_text", "decode_words", "shorten"]

#: Between letters of some scripts, and within emoji, these two join or part them.
_JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_INVISIBLE: Final = "\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}\N{SOFT HYPHEN}\N{WORD JOINER}"
_FOLD = re.compile(r"[\r\n]+[ \t]*")


def clean_text(text: str) -> str:
    """Return text on one line, with every character that steers (controls, overrides of direction) made visible."""
    if text.isprintable():
        return text
    return "".join(map(_clean, text))


def _clean(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if character.isspace():
        return " "
    return "" if character in _INVISIBLE else "\N{REPLACEMENT CHARACTER}"


def shorten(text: str, chars: int) -> str:
    """Return text on one line with at most so many characters, the last one a mark where some are left out."""
    # Most of a very long text is not even looked at.
    text = " ".join(clean_text(text[: chars * 20]).split())
    return text if len(text) <= chars else f"{text[: chars - 1].rstrip()}…"


def decode_words(value: str) -> str:
    """Return a field's value as a person reads it, with its encoded words (RFC 2047) decoded and its folds taken out.

    What cannot be decoded stays as it is.
    """
    value = _FOLD.sub(" ", value).strip()
    if "=?" not in value:
        return clean_text(value)
    try:
        return clean_text("".join(_decode(chunk, charset) for chunk, charset in decode_header(value)) or value)
    except (HeaderParseError, ValueError):
        return clean_text(value)


def _decode(chunk: str | bytes, charset: str | None) -> str:
    if isinstance(chunk, str):
        return chunk
    if charset is None:
        # decode_header() encodes what stands between encoded words in this way.
        return chunk.decode("raw-unicode-escape", "replace")
    try:
        return chunk.decode(charset, "replace")
    except (LookupError, ValueError):
        return chunk.decode("utf-8", "replace")

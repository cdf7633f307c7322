"""Show what strangers wrote as what it is: never as markup, never reordered, never longer than a person can read."""

from __future__ import annotations

import re
from html import escape

__all__ = ["capitalise", "format_bytes", "make_tooltip", "make_visible", "shorten"]

#: Longer values are not drawn whole; who wants them copies them.
_SHOWN_CHARS = 600
_TOOLTIP_CHARS = 1500
_TOOLTIP_LINE_CHARS = 96

# Control characters (C0, C1), and those that reorder, join or hide what stands around them (Unicode TR 36).
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_HALVES = re.compile("[\ud800-\udfff]")


def make_visible(text: str, *, keep_lines: bool = False) -> str:
    """Replace what is not seen, or would reorder what is, by its code point in brackets.

    :param keep_lines: whether line feeds and tabs stay, and what is merely not seen.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = (_LINES if keep_lines else _UNSEEN).sub(_write_out, text)
    return _HALVES.sub("\N{REPLACEMENT CHARACTER}", shown)


def shorten(text: str, chars: int = _SHOWN_CHARS) -> str:
    """Cut the middle out of a long text, so that its beginning and its end remain."""
    if len(text) <= chars:
        return text
    half = chars // 2
    return f"{text[:half]}…{text[-half:]}"


def make_tooltip(*lines: str) -> str:
    """Return a tooltip that shows lines of text as they are, although Qt reads tooltips as HTML.

    :param lines: those that are empty are left out.
    """
    shown = [_break(shorten(make_visible(line), _TOOLTIP_CHARS)) for line in lines if line]
    return "<qt>" + "<br>".join(shown) + "</qt>" if shown else ""


def capitalise(text: str) -> str:
    """Return a reason as a sentence: with a capital, and a full stop."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")


def format_bytes(size: int) -> str:
    """Return a size in bytes up to 1,023, then in KB or MB of 1,024 each."""
    if size < 1024:
        return f"{size} B"
    if size < 1024 * 1024:
        return f"{size / 1024:.1f} KB"
    return f"{size / (1024 * 1024):.1f} MB"


def _write_out(match: re.Match[str]) -> str:
    character = match[0]
    if character in "\r\n\t":
        return {"\r": "␍", "\n": "␊", "\t": "␉"}[character]
    return f"[U+{ord(character):04X}]"


def _break(text: str) -> str:
    """Escape a text and let it wrap anywhere, because URLs have no spaces."""
    words = (
        "\N{ZERO WIDTH SPACE}".join(word[i : i + 24] for i in range(0, len(word), 24))
        if len(word) > _TOOLTIP_LINE_CHARS
        else word
        for word in text.split(" ")
    )
    return escape(" ".join(words))

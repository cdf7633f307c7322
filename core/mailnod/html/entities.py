"""Character references as the HTML Standard decodes them inside attribute values."""

from __future__ import annotations

import re
from html.entities import html5

__all__ = ["decode_attribute"]

_REFERENCE = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]++)|([0-9]++));?+|([a-zA-Z][a-zA-Z0-9]*+)(;?+))")

# HTML Standard, section 13.2.5.84: numbers that mean windows-1252 bytes to browsers.
_WINDOWS_1252 = {
    number: character for number in range(0x80, 0xA0) if (character := bytes([number]).decode("cp1252", "ignore"))
}

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_MAX_CODE_POINT = 0x10FFFF


def decode_attribute(raw: str) -> str:
    """Decode the character references of an attribute value.

    In an attribute a named reference without its semicolon stays as it is when a letter, a digit or ``=`` follows
    (HTML Standard, section 13.2.5.73), so ``?a=1&copy=2`` keeps its parameter.

    :param raw: the value as it stands in the source, without its quotes.
    :returns: the value that a browser sees, with NUL turned into U+FFFD.
    """
    value = raw.replace("\0", _REPLACEMENT) if "\0" in raw else raw
    if "&" not in value:
        return value
    if value.count("&") == value.count("&amp;"):
        return value.replace("&amp;", "&")
    return _REFERENCE.sub(_decode, value)


def _decode(match: re.Match[str]) -> str:
    hexadecimal, decimal, name, semicolon = match.groups()
    if hexadecimal is not None:
        return _character(hexadecimal, 16)
    if decimal is not None:
        return _character(decimal, 10)
    if semicolon:
        return html5.get(f"{name};", match[0])
    if match.string.startswith("=", match.end()):
        return match[0]
    return html5.get(name, match[0])


def _character(digits: str, base: int) -> str:
    significant = digits.lstrip("0")
    # int() refuses very long numbers; seven digits already exceed the last code point in either base.
    number = int(significant or "0", base) if len(significant) <= 7 else _MAX_CODE_POINT + 1
    if number in _WINDOWS_1252:
        return _WINDOWS_1252[number]
    if number == 0 or number > _MAX_CODE_POINT or 0xD800 <= number <= 0xDFFF:
        return _REPLACEMENT
    return chr(number)

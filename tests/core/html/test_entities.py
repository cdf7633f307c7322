"""Character references in attribute values."""

from __future__ import annotations

import pytest

from mailnod.html.entities import decode_attribute


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("?a=1&amp;b=2", "?a=1&b=2"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copyright", "?a=1&copyright"),
        ("?a=1&copy2", "?a=1&copy2"),
        ("?a=1&copy", "?a=1©"),
        ("?a=1&copy;=2", "?a=1©=2"),
        ("&notit;", "&notit;"),
        ("&notin;", "∉"),
        ("&not;it", "¬it"),
        ("&NotEqualTilde;", "≂̸"),
        ("&nosuch;", "&nosuch;"),
        ("&", "&"),
        ("&;", "&;"),
        ("&#;", "&#;"),
        ("&#x;", "&#x;"),
        ("&#xg", "&#xg"),
        ("&#106;&#x6A&#X6a;", "jjj"),
        ("&#106x", "jx"),
        ("&#128;&#x9f;&#x81;", "€Ÿ\x81"),
        ("&#0;&#xD800;&#x110000;&#99999999999999999999;", "\ufffd" * 4),
        ("&#0000000000000065;", "A"),
        ("a\0b", "a\ufffdb"),
        ("&amp;amp;", "&amp;"),
    ],
)
def test_decodes_as_in_attributes(raw: str, value: str) -> None:
    """References are decoded as the HTML Standard does inside attributes."""
    assert decode_attribute(raw) == value


def test_very_long_numbers_are_no_error() -> None:
    """A reference with a million digits is the replacement character."""
    assert decode_attribute("&#" + "9" * 1_000_000 + ";") == "\ufffd"

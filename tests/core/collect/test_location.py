"""Writing Location headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.collect.location import to_location


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://e.example/a?b=%20c&d[]=1#f", "https://e.example/a?b=%20c&d[]=1#f"),
        ("https://e.example/caf\u00e9?q=\u00fc", "https://e.example/caf%C3%A9?q=%C3%BC"),
        ("https://b\u00fccher.example/\u00e9", "https://xn--bcher-kva.example/%C3%A9"),
        ("https://B\u00dcCHER.example:8443/", "https://xn--bcher-kva.example:8443/"),
        ("https://us\u00e9r:p%40@b\u00fccher.example/", "https://us%C3%A9r:p%40@xn--bcher-kva.example/"),
        ('https://e.example/a b"c<d>', "https://e.example/a%20b%22c%3Cd%3E"),
        ("https://e.example/a!b$c*d,e@f|g~h", "https://e.example/a!b$c*d,e@f|g~h"),
        ("https://[2001:db8::1]:8080/v6", "https://[2001:db8::1]:8080/v6"),
    ],
)
def test_location_is_ascii_and_changes_no_more_than_a_browser(url: str, expected: str) -> None:
    """What is ASCII stays; the rest becomes percent escapes and IDNA, as the URL Standard does."""
    assert to_location(url) == expected


@given(st.text(max_size=80))
def test_any_text_gives_ascii_or_a_value_error(text: str) -> None:
    """No text makes a Location that is not ASCII."""
    try:
        assert to_location("https://e.example/" + text).isascii()
        assert to_location("https://" + text).isascii()
    except ValueError:
        pass

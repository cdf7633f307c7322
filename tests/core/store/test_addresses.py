"""Addresses: one spelling and one hash for each person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.store.addresses import get_domain, hash_address, normalise_address

KEY = bytes(32)


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("  ann@example.com\n", "ann@example.com"),
        ("Ann <ann@example.com>", "ann@example.com"),
        ('"Doe <x@y.z>, Ann" <ann@example.com>', "ann@example.com"),
        ("<ann@example.com>", "ann@example.com"),
        ("ann@example.com.", "ann@example.com"),
        ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
        ("ann@straße.example", "ann@xn--strae-oqa.example"),
        ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
        ('"a@b"@example.com', '"a@b"@example.com'),
        ("ann+news@example.com", "ann+news@example.com"),
        ("GROẞ@example.com", "gross@example.com"),
        ("root", "root"),
        ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
        ("ann@no such döm@in", "ann@no such döm@in"),
        ("ann@in valid.ü\N{SNOWMAN WITHOUT SNOW}", "ann@in valid.ü\N{SNOWMAN WITHOUT SNOW}"),
        ("", ""),
    ],
)
def test_address_has_one_spelling(address: str, normal: str) -> None:
    """Display names go, domains take their ASCII form, case is folded, and nothing raises."""
    assert normalise_address(address) == normal


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_has_a_hash_and_normalising_is_stable(address: str) -> None:
    """Whatever stands in a header is hashed, and its normal form is its own normal form."""
    assert len(hash_address(address, key=KEY)) == 16
    if "<" not in address:
        normal = normalise_address(address)
        assert normalise_address(normal) == normal


def test_hash_depends_on_the_key() -> None:
    """Two stores know the same person under different hashes."""
    assert hash_address("ann@example.com", key=KEY) != hash_address("ann@example.com", key=b"k" * 32)


def test_domain_is_what_stands_behind_the_last_at() -> None:
    """The domain is normalised, and empty where there is none."""
    assert get_domain('"a@b"@BÜCHER.example') == "xn--bcher-kva.example"
    assert get_domain("root") == ""

"""The query language: what it reads, and where it says that something is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.errors import QueryError
from mailnod.model import EventFilter, Term, TermField
from mailnod.query import FIELDS, parse_query

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def parse(text: str) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
    """Return the terms of a query."""
    return tuple((term.field, term.values, term.negated) for term in parse_query(text, now=NOW).terms)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("  ", ()),
        ("kind:click", (("kind", ("click",), False),)),
        ("class:!generic_bot", (("class", ("generic_bot",), True),)),
        ("-class:generic_bot", (("class", ("generic_bot",), True),)),
        ("!class:!generic_bot", (("class", ("generic_bot",), False),)),
        ("class:Generic_Bot,suspicious", (("class", ("generic_bot", "suspicious"), False),)),
        ('campaign:"spring sale"', (("campaign", ("spring sale",), False),)),
        ('tag:"a,b",c', (("tag", ("a,b", "c"), False),)),
        ('campaign:"say \\"hi\\" \\\\"', (("campaign", ('say "hi" \\',), False),)),
        ('campaign:""', (("campaign", ("",), False),)),
        ("link:https://example.com/a?b=c:d", (("link", ("https://example.com/a?b=c:d",), False),)),
        ("message:<a@b.example>", (("message", ("<a@b.example>",), False),)),
        ("RCPT:Example.com", (("rcpt", ("Example.com",), False),)),
        (
            'offer -"of the week" !x',
            (("text", ("offer",), False), ("text", ("of the week",), True), ("text", ("x",), True)),
        ),
        ("kind:open is:machine", (("kind", ("open",), False), ("is", ("machine",), False))),
        ("a,b", (("text", ("a,b",), False),)),
    ],
)
def test_query_is_read(text: str, terms: tuple[object, ...]) -> None:
    """Fields, lists, quotes, negations and words become terms."""
    assert parse(text) == terms


def test_times_are_bounds() -> None:
    """Times are counted back from now or stand as they are, and the narrowest of several holds."""
    found = parse_query("since:24h since:2026-02-01 until:2026-03-01T11:00 until:30m", now=NOW)
    assert (found.since, found.until) == (NOW - timedelta(hours=24), NOW - timedelta(hours=1))
    assert found.terms == ()


def test_what_must_hold_besides_stays() -> None:
    """A query adds to a filter and takes nothing away."""
    base = EventFilter(route="news", since=NOW, limit=7, terms=(Term(field="tag", values=("a",)),))
    found = parse_query("since:1h kind:open", now=NOW, base=base)
    assert (found.route, found.since, found.limit) == ("news", NOW, 7)
    assert [term.field for term in found.terms] == ["tag", "kind"]


@pytest.mark.parametrize(
    ("text", "part", "hint"),
    [
        ("kind:open campain:x", "campain", "did you mean campaign?"),
        ("class:generic_bott", "generic_bott", "did you mean generic_bot?"),
        ("kind:open,klick", "klick", "did you mean click?"),
        ("is:zzz", "zzz", "it takes person, machine, first, test, revised"),
        ("see https://example.com", "https", "a destination is found by link: or url:"),
        ("zzzz:1", "zzzz", "fields are kind, is,"),
        ('campaign:"spring', '"spring', "close it"),
        ("since:yesterday", "yesterday", "30m, 24h"),
        ("since:999999w", "999999w", "30m, 24h"),
        ("until:1h,2h", "until:1h,2h", ""),
        ("-since:1h", "-since:1h", ""),
    ],
)
def test_error_points_to_the_place(text: str, part: str, hint: str) -> None:
    """What cannot be read is named by its place, with what was meant perhaps."""
    with pytest.raises(QueryError) as caught:
        parse_query(text, now=NOW)
    assert text[caught.value.start : caught.value.end] == part
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["kind:", "kind:open,", "-", "kind:open - x", "tag:,a"])
def test_missing_value_is_an_error(text: str) -> None:
    """A field, a comma or a negation wants something behind it."""
    with pytest.raises(QueryError, match="a value is missing here"):
        parse_query(text, now=NOW)


@given(text=st.text(alphabet=st.sampled_from('abk:,"\\!- \tkindclass'), max_size=40))
def test_every_text_is_a_query_or_an_error_within_it(text: str) -> None:
    """Whatever is typed, there is an answer, and an error's place lies in the text or at its end."""
    place = range(1)
    try:
        parse_query(text, now=NOW)
    except QueryError as error:
        place = range(error.start, error.end)
    assert len(place) > 0
    assert 0 <= place.start <= len(text)


@given(value=st.text(min_size=1))
def test_quoted_value_comes_through(value: str) -> None:
    """Any text can be asked for in quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'campaign:"{escaped}"') == (("campaign", (value,), False),)


def test_every_field_is_in_the_table_and_its_example_is_read() -> None:
    """The table has each field of a filter, with an example that parses."""
    assert set(FIELDS) == {*get_args(TermField), "since", "until"} - {"text"}
    for name, field in FIELDS.items():
        assert name == field.name
        assert field.example.startswith(f"{name}:")
        parse_query(field.example, now=NOW)

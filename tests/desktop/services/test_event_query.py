"""What a person types to find events is completed, quoted and added to as the query language reads it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailnod.errors import QueryError
from mailnod.model import Classification, EventFilter, Term
from mailnod.query import FIELDS, parse_query
from mailnod_desktop.services.event_query import Looking, add_term, complete, quote

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def list_options(text: str, cursor: int | None = None) -> list[str]:
    """Return what is offered at a cursor, or at the end."""
    return [option.text for option in complete(text, len(text) if cursor is None else cursor).options]


def test_every_field_is_offered_where_nothing_is_typed() -> None:
    """An empty word can become any field."""
    assert list_options("") == [f"{name}:" for name in FIELDS]
    assert list_options("kind:open ") == [f"{name}:" for name in FIELDS]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("cl", ["class:", "client:"]),
        ("-CL", ["class:", "client:"]),
        ("kind:", ["open", "click"]),
        ("kind:cl", ["click"]),
        ("class:!gen", ["genuine", "generic_bot"]),
        ("class:genuine,gen", ["generic_bot"]),
        ("since:2", ["24h"]),
        ("campaign:", []),
        ("nofield:x", []),
        ('campaign:"spring sa', []),
        ("zzz", []),
    ],
)
def test_what_was_typed_narrows_what_is_offered(text: str, options: list[str]) -> None:
    """Only what begins as it was typed is offered, and no value twice."""
    assert list_options(text) == options


@pytest.mark.parametrize("text", ["kind:open -class:gen", "class:!gen", "class:genuine,gen", "kind:", "since:2"])
def test_an_option_replaces_the_word_that_was_begun(text: str) -> None:
    """What is offered, put in its place, gives a query that can be read."""
    found = complete(text, len(text))
    assert found.options
    for option in found.options:
        parse_query(text[: found.start] + option.text + text[found.end :], now=NOW)


def test_the_word_before_the_cursor_is_completed() -> None:
    """What stands behind the cursor stays."""
    found = complete("ki is:first", 2)
    assert (found.start, found.end, [one.text for one in found.options]) == (0, 2, ["kind:"])


@pytest.mark.parametrize("value", ["plain", "spring sale", 'a "b" c', "a\\b", "a,b", "-x", "!x", "", "ä b", "a:b"])
def test_a_quoted_value_is_read_as_it_was(value: str) -> None:
    """Whatever a campaign is called, a filter for it finds it."""
    assert parse_query(add_term("", "campaign", value), now=NOW).terms == (Term(field="campaign", values=(value,)),)
    assert quote("plain") == "plain"


def test_a_wish_is_added_once() -> None:
    """What stands there already is not added again; a longer value is another one."""
    text = add_term("word", "class", "genuine")
    assert text == "word class:genuine"
    assert add_term(text, "class", "genuine") == text
    assert add_term("campaign:spring", "campaign", "spr") == "campaign:spring campaign:spr"
    assert parse_query(add_term("", "-class", "genuine"), now=NOW).terms[0].negated


def test_switches_and_marks_narrow_what_is_looked_at() -> None:
    """The list is narrowed by all of it, and the timeline shows what is marked or switched off all the same."""
    looking = Looking(
        text="kind:click", humans_only=True, hidden=frozenset({Classification.SUSPICIOUS}), since=NOW, until=NOW
    )
    click = Term(field="kind", values=("click",))
    hidden = Term(field="class", values=("suspicious",), negated=True)
    assert looking.make_filter(NOW) == EventFilter(machine=False, since=NOW, until=NOW, terms=(hidden, click))
    assert looking.make_filter(NOW, whole=True) == EventFilter(machine=False, terms=(click,))
    with pytest.raises(QueryError):
        Looking(text="nofield:x").make_filter(NOW)

"""What a person types to find events: completion, quoting, and adding or replacing one wish."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from mailnod.model import Classification, EventFilter, Term
from mailnod.query import FIELDS, parse_query

__all__ = ["Completion", "Looking", "Option", "add_term", "complete", "quote"]

_BEFORE = re.compile(r'(?P<sign>[-!]?)(?:(?P<field>[A-Za-z_]+):)?(?P<rest>(?:"(?:[^"\\]|\\.)*"?|[^\s"])*)$')
_TIMES = ("1h", "24h", "7d", "30d")


@dataclass(frozen=True, slots=True)
class Option:
    """One way to go on."""

    #: What is written for it.
    text: str
    #: What it means, in words; "" where the text says it.
    doc: str


@dataclass(frozen=True, slots=True)
class Completion:
    """How the word before the cursor can go on."""

    #: The part of the text that an option replaces, in characters.
    start: int
    end: int
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What somebody looks at: a query and what the switches beside it say."""

    text: str = ""
    humans_only: bool = False
    #: Classes that are switched off.
    hidden: frozenset[Classification] = frozenset()
    #: The marked stretch of time; None where there is none.
    since: datetime | None = None
    until: datetime | None = None

    def make_filter(self, now: datetime, *, whole: bool = False) -> EventFilter:
        """Return what is looked at as a filter.

        :param whole: leave out what the timeline must show all the same: the marked time and switched-off classes.
        :raises QueryError: the text cannot be read.
        """
        base = EventFilter(machine=False if self.humans_only else None)
        if not whole:
            terms = (Term(field="class", values=tuple(sorted(self.hidden)), negated=True),) if self.hidden else ()
            base = replace(base, since=self.since, until=self.until, terms=terms)
        return parse_query(self.text, now=now, base=base)


def complete(text: str, cursor: int) -> Completion:
    """Return how the word before a cursor can go on: fields by name, and the values of fields that take a few.

    :param cursor: its place, in characters from the beginning.
    """
    before = text[:cursor]
    match = _BEFORE.search(before)
    if match is None or before.count('"') % 2:
        return Completion(cursor, cursor, ())
    field, rest = match["field"], match["rest"]
    if field is None:
        start = match.start("rest")
        found = tuple(
            Option(f"{one.name}:", f"{one.doc} {one.example}")
            for one in FIELDS.values()
            if one.name.startswith(rest.lower())
        )
        return Completion(start, cursor, found)
    known = FIELDS.get(field.lower())
    if known is None:
        return Completion(cursor, cursor, ())
    values = known.values or (_TIMES if known.name in ("since", "until") else ())
    taken = rest.lstrip("!").split(",")
    typed = taken[-1].lower()
    start = cursor - len(taken[-1])
    options = tuple(Option(one, "") for one in values if one.startswith(typed) and one not in taken[:-1])
    return Completion(start, cursor, options)


def quote(value: str) -> str:
    """Return a value as the query language writes it, in quotation marks where it needs them."""
    if value and not re.search(r'[\s,"\\]', value) and value[0] not in "!-":
        return value
    escaped = re.sub(r'(["\\])', r"\\\1", value)
    return f'"{escaped}"'


def add_term(text: str, field: str, value: str) -> str:
    """Return a query that asks besides for a value of a field, once."""
    term = f"{field}:{quote(value)}"
    if re.search(rf"(?<!\S){re.escape(term)}(?!\S)", text):
        return text
    return f"{text.rstrip()} {term}".lstrip()

"""The query language for events: text in, a filter out; what each field means stands in one table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import cast, get_args

from mailnod.errors import QueryError
from mailnod.model import Classification, EventFilter, Kind, ProxyType, Term, TermField

__all__ = ["FIELDS", "Field", "parse_query", "read_time"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What may stand before a colon."""

    name: str
    #: What it finds, in words.
    doc: str
    #: An example of its use.
    example: str
    #: The only values that it takes; empty where it takes any.
    values: tuple[str, ...] = ()


def _index(*fields: Field) -> Mapping[str, Field]:
    return {field.name: field for field in fields}


#: Every field, by name, in the order in which people want them.
FIELDS: Mapping[str, Field] = _index(
    Field(name="kind", doc="Opens or clicks.", example="kind:click", values=get_args(Kind)),
    Field(
        name="is",
        doc="By a person, or by a machine; the delivery's first of its kind; a test; judged anew since.",
        example="is:person",
        values=("person", "machine", "first", "test", "revised"),
    ),
    Field(
        name="class",
        doc="The class of the verdict.",
        example="class:!generic_bot,suspicious",
        values=tuple(one.value for one in Classification),
    ),
    Field(
        name="rcpt",
        doc="Mail to an address, alone or with others, or to anybody at a domain.",
        example="rcpt:example.com",
    ),
    Field(name="campaign", doc="Mail of a campaign.", example='campaign:"spring sale"'),
    Field(name="route", doc="Mail of a route.", example="route:news"),
    Field(name="tag", doc="Mail that bears a tag.", example="tag:welcome"),
    Field(name="message", doc="One message, by its Message-ID.", example="message:<a1@example.com>"),
    Field(name="subject", doc="Part of the mail's subject, in whatever case.", example="subject:invoice"),
    Field(
        name="link",
        doc="Clicks on a destination, whatever query and fragment it had.",
        example="link:https://example.com/offers",
    ),
    Field(name="url", doc="Part of a click's whole destination, in whatever case.", example="url:utm_source=mail"),
    Field(
        name="since",
        doc="Hits from this time on: 30m, 24h, 7d, 2w ago, or an ISO 8601 time, in UTC.",
        example="since:24h",
    ),
    Field(name="until", doc="Hits before this time, written likewise.", example="until:2026-03-01T12:00"),
    Field(
        name="device",
        doc="The kind of device, where it is known.",
        example="device:mobile",
        values=("desktop", "mobile", "tablet", "tv", "other"),
    ),
    Field(name="client", doc="The client's name, in whatever case.", example='client:"apple mail"'),
    Field(
        name="proxy",
        doc="The family of proxies that it came through.",
        example="proxy:gmail,yahoo",
        values=get_args(ProxyType),
    ),
    Field(name="reason", doc="A reason code of the verdict.", example="reason:method.head"),
    Field(name="ruleset", doc="The version of the rules that judged last.", example="ruleset:1"),
)

_ITEM = re.compile(r"\s*(?P<negation>[-!]?)(?:(?P<field>[A-Za-z_]+):(?P<inner>!?))?")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r'[^\s,"]+')
_WORD = re.compile(r'[^\s"]+')


@dataclass(frozen=True, slots=True)
class _Item:
    """A field with its values, or a word, and where they stand."""

    field: str | None
    values: tuple[tuple[str, int, int], ...]
    negated: bool
    start: int
    end: int


def parse_query(text: str, *, now: datetime, base: EventFilter | None = None) -> EventFilter:
    """Return the filter that a query describes.

    Conditions stand side by side, and all must hold: ``field:value``, ``field:a,b`` for any of several,
    ``field:!value`` or ``-field:value`` for none of them, and words that the subject, the recipient, the destination or
    the client's name contains. A value with blanks stands in double quotes, in which a backslash keeps the next
    character as it is.

    :param now: what times such as ``24h`` are counted back from.
    :param base: what must hold besides; None asks for nothing else.
    :raises QueryError: it says where, and what was meant perhaps.
    """
    base = base or EventFilter()
    since, until = base.since, base.until
    terms = list(base.terms)
    for item in _scan(text):
        if item.field in ("since", "until"):
            moment = _read_moment(item, now)
            if item.field == "since":
                since = moment if since is None else max(since, moment)
            else:
                until = moment if until is None else min(until, moment)
        else:
            terms.append(_read_term(item))
    return replace(base, since=since, until=until, terms=tuple(terms))


def read_time(value: str, *, now: datetime) -> datetime:
    """Return the time that a text names, in UTC.

    :param value: a number with s, m, h, d or w, which is so long before ``now``; or an ISO 8601 time, in UTC where it
        names no zone.
    :raises ValueError: it is neither.
    """
    if match := re.fullmatch(r"(\d{1,6})([smhdw])", value):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _scan(text: str) -> Iterator[_Item]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _ITEM.match(text, position)
        assert match is not None, "every part of it may be empty"  # noqa: S101
        start = match.start("negation")
        field = match["field"]
        negated = bool(match["negation"]) != bool(match["inner"])
        if field is None:
            value = _scan_value(text, match.end(), _WORD)
            values: tuple[tuple[str, int, int], ...] = (value,)
        else:
            _check_field(field, text, match.start("field"), match.end("field"))
            values = tuple(_scan_values(text, match.end()))
        position = values[-1][2]
        yield _Item(field.lower() if field else None, values, negated, start, position)


def _scan_values(text: str, position: int) -> Iterator[tuple[str, int, int]]:
    """Yield the values of a list, each with where it begins and ends."""
    while True:
        value = _scan_value(text, position, _BARE)
        yield value
        position = value[2]
        if text[position : position + 1] != ",":
            return
        position += 1


def _scan_value(text: str, position: int, bare: re.Pattern[str]) -> tuple[str, int, int]:
    if text[position : position + 1] == '"':
        quoted = _QUOTED.match(text, position)
        if quoted is None:
            raise QueryError("this quote has no end", start=position, end=len(text), hint='close it with "')
        return re.sub(r"\\(.)", r"\1", quoted[1]), position, quoted.end()
    match = bare.match(text, position)
    if match is None:
        raise QueryError("a value is missing here", start=position, end=position + 1, hint='an empty one is ""')
    return match[0], position, match.end()


def _check_field(field: str, text: str, start: int, end: int) -> None:
    if field.lower() in FIELDS:
        return
    hint = _suggest(field.lower(), list(FIELDS))
    if text[end:].startswith("://"):
        hint = "a destination is found by link: or url:"
    raise QueryError(
        f"there is no field {field!r}", start=start, end=end, hint=hint or f"fields are {', '.join(FIELDS)}"
    )


def _read_term(item: _Item) -> Term:
    if item.field is None:
        return Term(field="text", values=(item.values[0][0],), negated=item.negated)
    allowed = FIELDS[item.field].values
    values = []
    for value, start, end in item.values:
        # What is chosen from a list is never told apart by its case.
        known = value.lower() if allowed else value
        if allowed and known not in allowed:
            hint = _suggest(known, allowed) or f"it takes {', '.join(allowed)}"
            raise QueryError(f"{item.field}: does not take {value!r}", start=start, end=end, hint=hint)
        values.append(known)
    return Term(field=cast("TermField", item.field), values=tuple(values), negated=item.negated)


def _read_moment(item: _Item, now: datetime) -> datetime:
    value, start, end = item.values[0]
    if len(item.values) > 1 or item.negated:
        raise QueryError(
            f"{item.field}: takes one time, and no negation", start=item.start, end=item.end, hint="since: and until:"
        )
    try:
        return read_time(value, now=now)
    except (ValueError, OverflowError):
        raise QueryError(
            f"{value!r} is neither like 24h nor an ISO 8601 time", start=start, end=end, hint="30m, 24h, 7d, 2026-03-01"
        ) from None


def _suggest(value: str, known: list[str] | tuple[str, ...]) -> str:
    near = get_close_matches(value, known, n=1)
    return f"did you mean {near[0]}?" if near else ""

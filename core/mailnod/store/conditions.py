"""What each wish of a filter means in SQL, and which index can narrow it."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from mailnod.model import EventFilter, Term, TermField
from mailnod.store import consents
from mailnod.store.addresses import get_domain
from mailnod.store.deliveries import WENT_TO
from mailnod.store.observations import KINDS
from mailnod.store.rows import to_text

__all__ = [
    "Condition",
    "Narrowing",
    "find_deliveries",
    "find_links",
    "find_mailings",
    "fold",
    "list_conditions",
    "list_terms",
    "part_recipients",
]

#: The numbers that an index can narrow a filter to, and the terms that hold of all that they lead to.
Narrowing = tuple[Sequence[int], Collection[Term]]

#: Up to so many deliveries, mailings or links of a filter are looked at one by one; beyond them, events by their time.
MOST_DELIVERIES = 200
MOST_ARMS = 64
#: So many mailings are looked through for those that a filter names; nobody has more but who tags each mail anew.
MOST_MAILINGS = 5_000

_LIST = "(SELECT value FROM json_each(?))"
_COLUMNS: dict[TermField, str] = {
    "class": "v.classification",
    "client": "lower(v.client_name)",
    "device": "v.device_type",
    "message": "d.message_id",
    "proxy": "v.proxy_type",
    "ruleset": "v.ruleset",
}
_IDS: dict[TermField, str] = {
    "campaign": f"m.campaign_id IN (SELECT id FROM names WHERE name IN {_LIST})",
    "route": f"m.route_id IN (SELECT id FROM names WHERE name IN {_LIST})",
    "link": f"o.link_id IN (SELECT id FROM links WHERE value IN {_LIST})",
}
#: Lists as JSON, which are compared as they stand there: SQLite ends a value at a NUL. Within a value, a quotation mark
#: stands behind a backslash, and never behind a bracket or a comma.
_ITEM = "EXISTS (SELECT 1 FROM json_each(?) AS w WHERE instr({0}, '[' || w.value) OR instr({0}, ',' || w.value))"
_ITEMS: dict[TermField, str] = {"tag": _ITEM.format("m.tags"), "reason": _ITEM.format("v.reason_codes")}
_STATES = {
    "machine": "v.machine",
    "person": "NOT v.machine",
    "first": "e.first",
    "revised": "e.revision > 0",
    "test": "m.test",
}
_URL = "l.value || coalesce(o.rest, '')"
_RECIPIENTS = (
    "FROM delivery_recipients AS dr JOIN recipients AS r ON r.id = dr.recipient_id WHERE dr.delivery = o.delivery"
)
_DOMAIN = f"EXISTS (SELECT 1 {_RECIPIENTS} AND r.domain_id IN (SELECT id FROM domains WHERE name IN {_LIST}))"
_WORDS = " || char(10) || ".join(
    f"coalesce({column}, '')"
    for column in ("d.subject", _URL, "v.client_name", f"(SELECT group_concat(r.address) {_RECIPIENTS})")
)
_TEXTS: dict[TermField, str] = {
    "subject": "lower(d.subject)",
    "url": f"lower({_URL})",
    "text": f"lower({_WORDS})",
}
#: What is asked only where all else holds: it reads rows that lie all over the store, or puts texts together.
_DEAR: dict[TermField, int] = {"rcpt": 1, "text": 2}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a row, and the values that are bound to it."""

    sql: str
    values: tuple[object, ...] = ()


def list_conditions(
    connection: sqlite3.Connection, filter: EventFilter, *, known: Collection[Term] = ()
) -> list[Condition]:
    """Return what must hold of an event, the dearest last; each condition is true or false, never NULL.

    It speaks of a row of events ``e``, observations ``o``, verdicts ``v``, deliveries ``d``, mailings ``m`` and links
    ``l``.

    :param known: terms that hold already.
    """
    terms = [term for term in list_terms(filter) if term not in known]
    return [_translate(connection, term) for term in sorted(terms, key=lambda term: _DEAR.get(term.field, 0))]


def find_deliveries(connection: sqlite3.Connection, filter: EventFilter) -> Narrowing | None:
    """Return the deliveries that a filter names; None where it names none, or too many."""
    for term in list_terms(filter):
        if term.negated or term.field not in ("message", "rcpt"):
            continue
        found: set[int] = set()
        for condition in _select_deliveries(connection, term):
            rows = connection.execute(f"{condition.sql} LIMIT ?", (*condition.values, MOST_DELIVERIES + 1))
            found.update(seq for (seq,) in rows)
        if len(found) <= MOST_DELIVERIES:
            return sorted(found), [term]
    return None


def find_links(connection: sqlite3.Connection, filter: EventFilter) -> Narrowing | None:
    """Return the links that a filter names; None where it names none, or too many."""
    for term in list_terms(filter):
        if term.field == "link" and not term.negated and len(term.values) <= MOST_ARMS:
            rows = connection.execute(f"SELECT id FROM links WHERE value IN {_LIST}", (_dump(term),))
            return [link for (link,) in rows], [term]
    return None


def find_mailings(connection: sqlite3.Connection, filter: EventFilter) -> Narrowing | None:
    """Return the mailings that a filter names by campaign, route or tag; None where it names none, or too many."""
    named = [t for t in list_terms(filter) if not t.negated and t.field in ("campaign", "route", "tag")]
    conditions = [_translate(connection, term) for term in named]
    ((newest,),) = connection.execute("SELECT coalesce(max(id), 0) FROM mailings").fetchall()
    if not conditions or newest > MOST_MAILINGS:
        return None
    where = " AND ".join(condition.sql for condition in conditions)
    values = [value for condition in conditions for value in condition.values]
    found = connection.execute(f"SELECT m.id FROM mailings AS m WHERE {where} LIMIT ?", (*values, MOST_ARMS + 1))
    mailings = [mailing for (mailing,) in found]
    return (mailings, named) if len(mailings) <= MOST_ARMS else None


def list_terms(filter: EventFilter) -> Iterator[Term]:
    """Yield every wish of a filter but those for a time, in the one form that the query language has."""
    named: dict[TermField, str | None] = {
        "kind": filter.kind,
        "class": None if filter.classification is None else filter.classification.value,
        "route": filter.route,
        "campaign": filter.campaign,
        "message": filter.message_id,
        "rcpt": filter.recipient,
    }
    for field, value in named.items():
        if value is not None:
            yield Term(field=field, values=(value,))
    for state, wish in (("machine", filter.machine), ("test", filter.test)):
        if wish is not None:
            yield Term(field="is", values=(state,), negated=not wish)
    yield from filter.terms


def _translate(connection: sqlite3.Connection, term: Term) -> Condition:
    if term.field == "is":
        condition = Condition(" OR ".join(_STATES[value] for value in term.values))
    elif term.field == "kind":
        kinds = json.dumps([KINDS.index(kind) for kind in KINDS if kind in term.values])
        condition = Condition(f"o.kind IN {_LIST}", (kinds,))
    elif term.field == "rcpt":
        condition = _match_recipients(connection, term)
    elif term.field in _ITEMS:
        condition = Condition(_ITEMS[term.field], (json.dumps([json.dumps(value) for value in term.values]),))
    elif term.field in _TEXTS:
        text = _TEXTS[term.field]
        condition = Condition(" OR ".join(f"instr({text}, ?)" for _ in term.values), tuple(map(fold, term.values)))
    elif term.field in _IDS:
        condition = Condition(_IDS[term.field], (_dump(term),))
    else:
        values = map(fold, term.values) if term.field == "client" else map(to_text, term.values)
        condition = Condition(f"{_COLUMNS[term.field]} IN {_LIST}", (json.dumps(list(values)),))
    # What is not known matches nothing.
    return Condition(f"{'NOT ' if term.negated else ''}coalesce(({condition.sql}) <> 0, FALSE)", condition.values)


def _match_recipients(connection: sqlite3.Connection, term: Term) -> Condition:
    addresses, domains = part_recipients(term)
    hashes = [consents.find_recipient(connection, address) for address in addresses]
    marks = ", ".join("?" * len(hashes))
    parts = [Condition(f"EXISTS (SELECT 1 {_RECIPIENTS} AND r.hash IN ({marks}))", tuple(hashes))] if hashes else []
    if domains:
        parts.append(Condition(_DOMAIN, (json.dumps(domains),)))
    return Condition(" OR ".join(part.sql for part in parts), tuple(value for part in parts for value in part.values))


def _select_deliveries(connection: sqlite3.Connection, term: Term) -> Iterator[Condition]:
    if term.field == "message":
        yield Condition(f"SELECT seq FROM deliveries WHERE message_id IN {_LIST}", (_dump(term),))
        return
    addresses, domains = part_recipients(term)
    for address in addresses:
        yield Condition(WENT_TO, (consents.find_recipient(connection, address),))
    if domains:
        # The order of the joins is fixed, so that a large domain costs no more than the limit.
        yield Condition(
            "SELECT dr.delivery FROM domains AS n CROSS JOIN recipients AS r ON r.domain_id = n.id "
            f"CROSS JOIN delivery_recipients AS dr ON dr.recipient_id = r.id WHERE n.name IN {_LIST}",
            (json.dumps(domains),),
        )


def part_recipients(term: Term) -> tuple[list[str], list[str]]:
    """Return the addresses and the domains that a term names: a domain stands alone, or after an @."""
    addresses = [value for value in term.values if "@" in value.strip("@")]
    domains = [get_domain(f"x@{value.lstrip('@')}") for value in term.values if value not in addresses]
    return addresses, [to_text(domain) for domain in domains]


def _dump(term: Term) -> str:
    return json.dumps([to_text(value) for value in term.values])


def fold(value: str) -> str:
    """Return text as ``lower()`` of SQLite does, which knows ASCII alone."""
    return "".join(c.lower() if c.isascii() else c for c in to_text(value))

"""What each wish of a filter means in SQL."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import json
from collections.abc import Iterator

from mailnod.model import EventFilter, Term, TermField
from mailnod.store.addresses import hash_address
from mailnod.store.conditions import Condition, fold, list_terms, part_recipients
from mailnod.store.rows import to_micros, to_text
from mailnod.store.slots import read_micros

__all__ = ["list_bounds", "list_conditions"]

_COLUMNS: dict[TermField, str] = {
    "kind": "o.kind",
    "campaign": "d.campaign",
    "route": "d.route",
    "message": "d.message_id",
    "class": "v.classification",
    "device": "v.device_type",
    "proxy": "v.proxy_type",
    "ruleset": "v.ruleset",
    "client": 'lower(v.client_name COLLATE "C")',
    "link": "regexp_replace(url_text.value, '[?#].*', '')",
}
_LISTS: dict[TermField, str] = {"tag": "d.tags", "reason": "v.reason_codes"}
_STATES = {
    "machine": "v.machine",
    "person": "NOT v.machine",
    "first": "e.first",
    "revised": "e.seq > 0",
    "test": "d.test",
}
_RECIPIENTS = """
    FROM mailnod.delivery_recipients AS dr JOIN mailnod.recipients AS r ON r.id = dr.recipient_id
    WHERE dr.delivery_id = d.id
"""
_WORDS = "concat_ws(chr(10), d.subject, url_text.value, v.client_name, (SELECT string_agg(r.address, ',') {}))"
_TEXTS: dict[TermField, str] = {
    "subject": 'lower(d.subject COLLATE "C")',
    "url": 'lower(url_text.value COLLATE "C")',
    "text": f'lower({_WORDS.format(_RECIPIENTS)} COLLATE "C")',
}


def list_conditions(filter: EventFilter, *, key: bytes) -> Iterator[Condition]:
    """Yield what must hold of an event; each condition is true or false, never NULL.

    It speaks of a row of events ``e``, observations ``o`` and their texts, verdicts ``v`` and deliveries ``d``.

    :param key: the key under which the store hashes addresses.
    """
    for term in list_terms(filter):
        yield _translate(term, key)
    yield from list_bounds(filter)


def list_bounds(filter: EventFilter) -> Iterator[Condition]:
    """Yield what must hold of the place of an event ``e`` in the order of time."""
    if filter.since is not None:
        yield Condition("e.occurred_at >= %s", (to_micros(filter.since),))
    if filter.until is not None:
        yield Condition("e.occurred_at < %s", (to_micros(filter.until),))
    if filter.before_id is not None:
        # One that has moved to an archive since says by its id when it was.
        at = "coalesce((SELECT occurred_at FROM mailnod.events WHERE observation_id = %s), %s)"
        values = (filter.before_id, read_micros(filter.before_id), filter.before_id)
        yield Condition(f"(e.occurred_at, e.observation_id) < ({at}, %s)", values)


def _translate(term: Term, key: bytes) -> Condition:
    if term.field == "is":
        condition = Condition(" OR ".join(_STATES[value] for value in term.values))
    elif term.field == "rcpt":
        condition = _match_recipients(term, key)
    elif term.field in _TEXTS:
        found = " OR ".join(f"strpos({_TEXTS[term.field]}, %s) > 0" for _ in term.values)
        condition = Condition(found, tuple(map(fold, term.values)))
    elif term.field in _LISTS:
        condition = _match_list(_LISTS[term.field], term)
    else:
        values = list(map(fold if term.field == "client" else to_text, term.values))
        condition = Condition(f"{_COLUMNS[term.field]} = ANY(%s)", (values,))
    if not term.negated:
        return condition
    # What is not known matches nothing.
    return Condition(f"NOT coalesce(({condition.sql}), FALSE)", condition.values)


def _match_list(column: str, term: Term) -> Condition:
    """Look for whole values in a list as JSON, which is no jsonb because that knows no lone surrogates."""
    values = [json.dumps(value) for value in term.values]
    found = " OR ".join(f"strpos({column}, %s) > 0" for _ in range(2 * len(values)))
    # Within a value, a quotation mark stands behind a backslash, and never behind these.
    return Condition(found, tuple(before + value for value in values for before in ("[", ",")))


def _match_recipients(term: Term, key: bytes) -> Condition:
    addresses, domains = part_recipients(term)
    people = "SELECT id FROM mailnod.recipients WHERE hash = ANY(%s) OR domain = ANY(%s)"
    return Condition(
        f"e.delivery_id IN (SELECT delivery_id FROM mailnod.delivery_recipients WHERE recipient_id IN ({people}))",
        ([hash_address(address, key=key) for address in addresses], domains),
    )

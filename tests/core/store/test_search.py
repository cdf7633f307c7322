"""Every query finds what a plain look at each event finds, in every engine."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.store_contract import after, make_delivery, make_observation, make_verdict
from mailnod.model import Classification, EventFilter, EventRecord, Term, TermField
from mailnod.store.arms import join_tables
from mailnod.store.base import Store
from mailnod.store.sqlite import SQLiteStore

ODD = [
    "", "%", "_", "a_b", "A%B", "'", '"', "\\", '["x"]', '","', "é", "É", "ß", "İ", "\udc80", "\0", "a\nb", "?", "#",
    ",",    "💥", "x" * 5000, "$1", "%s", "%(a)s", "{}", "null", "1",
]  # fmt: skip
PEOPLE = ("ann@example.com", "bob@example.org", "Éve@Bücher.example", "o'neil@sub.example.com")
STATES = ("person", "machine", "first", "test", "revised")


def fold(text: str) -> str:
    """Return a text in lower case as far as ASCII goes, and as every engine can hold it."""
    held = text.encode("utf-8", "replace").decode().replace("\0", "?")
    return "".join(c.lower() if c.isascii() else c for c in held)


def holds(term: Term, record: EventRecord) -> bool:
    """Look at one event in the plainest way."""
    event, delivery, verdict = record.event, record.delivery, record.event.verdict
    envelope = None if delivery is None else delivery.envelope
    url, people = event.url or "", envelope.recipients if envelope else ()
    texts = (envelope.subject if envelope else "", url, verdict.client_name or "", ",".join(people))
    found: dict[str, list[str | None]] = {
        "campaign": [envelope.campaign if envelope else None],
        "route": [delivery.decision.route if delivery else None],
        "message": [envelope.message_id if envelope else None],
        "class": [verdict.classification.value],
        "kind": ["open" if event.type == "message.opened" else "click"],
        "tag": list(envelope.tags) if envelope else [],
        "reason": list(verdict.reason_codes),
        "device": [verdict.device_type],
        "ruleset": [verdict.ruleset],
        "link": [event.url and url.partition("#")[0].partition("?")[0]],
        "client": [verdict.client_name and fold(verdict.client_name)],
        "rcpt": [one for a in people for one in (a.casefold(), a.casefold().partition("@")[2])],
        "is": [
            name
            for name, state in zip(
                STATES,
                (not verdict.machine, verdict.machine, event.first, bool(delivery and delivery.test), event.seq > 0),
                strict=True,
            )
            if state
        ],
    }
    if term.field in ("subject", "url", "text"):
        known = {"subject": envelope is not None, "url": event.url is not None, "text": True}[term.field]
        where = {"subject": texts[0], "url": url, "text": "\n".join(texts)}[term.field]
        answer = known and any(fold(value) in fold(where) for value in term.values)
    else:
        answer = any(write(value, term.field) in found[term.field] for value in term.values)
    return answer != term.negated


def write(value: str, field: TermField) -> str:
    """Return a value as events have it: lists keep theirs as they are, all others as every engine can hold them."""
    if field in ("tag", "reason"):
        return value
    if field == "rcpt":
        return value.lstrip("@").casefold()
    return fold(value) if field == "client" else value.encode("utf-8", "replace").decode().replace("\0", "?")


def fill(store: Store, pick: random.Random) -> None:
    """Write mails and hits with all that is odd, some of mail that is not known."""
    for number in range(45):
        delivery = make_delivery(
            *pick.sample(PEOPLE, pick.randint(1, 2)),
            campaign=pick.choice([None, *ODD]),
            route=pick.choice(ODD),
            subject=pick.choice(ODD) + pick.choice(ODD),
            tags=tuple(pick.sample(ODD, 2)),
            message_id=pick.choice(ODD),
            test=pick.random() < 0.2,
        )
        if number % 10:
            store.add_deliveries([delivery])
        url = f"https://example.com/{pick.choice(ODD)}?{pick.choice(ODD)}"
        kind: dict[str, Any] = {"kind": "click", "url": url} if pick.random() < 0.5 else {}
        hit = make_observation(delivery.id, at=after(number // 3), **kind)
        store.add_observations([hit], settle_s=0)
        for _ in range(pick.randint(1, 2)):
            class_ = pick.choice(list(Classification))
            verdict = make_verdict(machine=class_.machine, classification=class_, client_name=pick.choice([None, *ODD]))
            reasons = tuple(pick.sample(["ua.bot", "a", "a.b", 'q"u'], 2))
            store.publish([(hit, replace(verdict, reason_codes=reasons))], now=after(9999))


def check(store: Store, pick: random.Random) -> None:
    """Ask every field for every odd value, alone and in pairs, and its opposite."""
    fill(store, pick)
    records = store.get_events(EventFilter(limit=10_000))
    assert len(records) == 45
    fields: dict[TermField, list[str]] = {
        "campaign": ODD, "route": ODD, "message": ODD, "tag": ODD, "subject": ODD, "url": ODD, "text": ODD,
        "client": ODD, "kind": ["open", "click"], "class": [c.value for c in Classification], "is": list(STATES),
        "reason": ["ua.bot", "a", 'q"u', "b"], "device": ["mobile", "tv"], "ruleset": ["1", "2"],
        "rcpt": [*PEOPLE, "example.com", "@bücher.example", "nobody@example.com", "com"],
        "link": [record.event.url.partition("?")[0] for record in records if record.event.url][:20],
    }  # fmt: skip
    for field, values in fields.items():
        asked = [(value,) for value in values] + [tuple(pick.sample(values, 2)) for _ in range(1)]
        for some in asked:
            for negated in (False, True):
                term = Term(field=field, values=some, negated=negated)
                expected = [record.event.id for record in records if holds(term, record)]
                wanted = EventFilter(terms=(term,), limit=25)
                assert store.count_events(wanted) == len(expected), term
                assert turn_pages(store, wanted) == expected, term
    for _ in range(200):
        terms = tuple(
            Term(
                field=field,
                values=tuple(pick.sample(fields[field], 3)[: pick.randint(1, 3)]),
                negated=pick.random() < 0.3,
            )
            for field in pick.sample([field for field, values in fields.items() if len(values) > 2], 2)
        )
        expected = [record.event.id for record in records if all(holds(term, record) for term in terms)]
        assert turn_pages(store, EventFilter(terms=terms, limit=5)) == expected, terms


def turn_pages(store: Store, wanted: EventFilter) -> list[bytes]:
    """Return the ids of what all pages of a search show."""
    found: list[bytes] = []
    page = store.search_events(wanted)
    while True:
        found += [record.event.id for record in page.records]
        if page.next_id is None:
            return found
        page = store.search_events(replace(wanted, before_id=page.next_id))


def test_sqlite_finds_what_a_plain_look_finds(tmp_path: Path) -> None:
    """Each field, each odd value and each opposite is found as written, page by page, in a file."""
    store = SQLiteStore(tmp_path / "mailnod.db")
    check(store, random.Random(3))
    store.close()


def test_postgres_finds_what_a_plain_look_finds(postgres_url: str) -> None:
    """Each field, each odd value and each opposite is found as written, page by page, on a server."""
    from mailnod.store.postgres.store import PostgresStore

    store = PostgresStore(postgres_url)
    check(store, random.Random(3))
    store.close()


def test_runs_of_many_mails_join_without_gap_or_overlap(tmp_path: Path) -> None:
    """Pages through the events of many mails, at the same time or one after another, show each match once, in order."""
    store = SQLiteStore(tmp_path / "mailnod.db")
    mails = [make_delivery(f"reader{n}@example.com", campaign=f"campaign {n}", subject="Spring") for n in range(40)]
    store.add_deliveries(mails)
    pick = random.Random(5)
    made = []
    for number, mail in enumerate(mails):
        # Every second mail is read at one time with the others, and the rest each on a day of its own.
        begin = number * 86_400 if number % 2 else 0
        times = sorted(pick.sample(range(begin, begin + 5_000), 60 if number % 3 else 6))
        url = f"https://example.com/{number}"
        made += [make_observation(mail.id, at=after(at), ip=None, kind="click", url=url) for at in times]
    store.add_observations(made, settle_s=0)
    rare = set(pick.sample(range(len(made)), 30))
    judgements = [(hit, make_verdict(machine=n in rare)) for n, hit in enumerate(made)]
    store.publish(judgements, now=after(10**7))
    by_time = sorted(range(len(made)), key=lambda n: (made[n].hit.received_at, made[n].id), reverse=True)
    machines = [made[n].id for n in by_time if n in rare]
    everything = [made[n].id for n in by_time]
    runs = (
        Term(field="message", values=tuple(mail.envelope.message_id for mail in mails)),
        Term(field="campaign", values=tuple(f"campaign {n}" for n in range(40))),
        Term(field="link", values=tuple(f"https://example.com/{n}" for n in range(40))),
    )
    others: dict[Term, list[bytes]] = {
        Term(field="kind", values=("click",)): everything,
        Term(field="is", values=("machine",)): machines,
        Term(field="is", values=("revised",)): [],
        Term(field="text", values=("spring",)): everything,
        Term(field="text", values=("reader",), negated=True): [],
        Term(field="rcpt", values=("example.com",), negated=True): [],
    }
    for run in runs:
        assert turn_pages(store, EventFilter(terms=(run,), limit=7)) == everything
        for other, expected in others.items():
            assert turn_pages(store, EventFilter(terms=(run, other), limit=20)) == expected, (run.field, other)
    store.close()


def test_search_asks_no_table_that_its_filter_does_not_speak_of() -> None:
    """Of a campaign's or a link's events that are of a class, neither mail nor what else came with a hit is read."""
    assert join_tables("e", "TRUE") == "FROM events AS e"
    for run in ("e", "o"):
        asked = join_tables(run, "v.classification")
        assert "verdicts" in asked
        assert "deliveries" not in asked
        assert "links" not in asked
    assert "observations" not in join_tables("e", "v.classification AND m.test")
    assert "observations" in join_tables("e", "d.subject")

"""The SQLite store when it is full: bytes for each event, the time of every query, and whether it slows down.

``python -m benchmarks.bench_store 10000000`` fills it with ten million events (a few minutes and 3 GB).
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, thread_time

from benchmarks.bench_collect import measure_hits, write_inputs
from benchmarks.store_world import BEGIN, CAMPAIGNS, YEAR_S, World, fill_by_store, fill_in_bulk

from mailnod.model import Classification, EventFilter, Term, TermField
from mailnod.report.shortcuts import read_rollups
from mailnod.store.base import GroupBy
from mailnod.store.messages import pack_messages
from mailnod.store.rollups import MEASURES
from mailnod.store.sqlite import SQLiteStore
from mailnod.store.tables import FILL_BREAKDOWNS

EVENTS = 1_000_000
#: How many events the real writers put into a store whose bytes are counted.
WEIGHED = 100_000
CALLS = 60
BYTES_ASKED = 130
STATS_MS, LISTS_MS = 2.0, 10.0
GROWTH_ASKED = 0.9
GROWTH_EVENTS, GROWTH_ROUNDS = 40_000, 3
#: What belongs to events; raw signals are told apart, and what belongs to mail is no matter of how often it is opened.
RAW = {"signals", "user_agents", "header_sets", "queue", "arrivals"}
#: What there is of hours, campaigns, links, agents and verdicts does not grow with events.
FIXED = {"rollups", "breakdowns", "features", "links", "verdicts"}
MAIL = {"deliveries", "delivery_recipients", "recipients", "domains", "names", "mailings", "short_links", "link_sets"}


def main(events: int = EVENTS) -> None:
    """Print all of it."""
    with tempfile.TemporaryDirectory(prefix="mailnod-bench-") as folder:
        weighed = SQLiteStore(Path(folder) / "weighed.db")
        for _ in fill_by_store(World(WEIGHED), weighed):
            pass
        _print_bytes(weighed, Path(folder) / "weighed.db", WEIGHED)
        weighed.close()
        path = Path(folder) / "full.db"
        store = SQLiteStore(path)
        _fill(store, path, events)
        _print_queries(store)
        _print_growth(store, path, events)
        store.close()


def _print_growth(store: SQLiteStore, path: Path, events: int) -> None:
    """Print how fast hits are answered, and taken in and published, beside what is stored and into an empty store."""
    empty, full = [], []
    for number in range(1, GROWTH_ROUNDS + 1):
        # Hits are newer than all that is there.
        begin = BEGIN + number * timedelta(seconds=YEAR_S)
        fresh = SQLiteStore(path.with_name(f"empty-{number}.db"))
        empty.append(_measure_rate(fresh, World(GROWTH_EVENTS, seed=number, begin=begin)))
        fresh.close()
        full.append(_measure_rate(store, World(GROWTH_EVENTS, seed=number, begin=begin)))
    print()
    _print_ratio("taken in and published", "events/s", empty, full, events)
    if shutil.which("wrk") is None:
        print("  how fast hits are answered is not measured: wrk is not installed")
        return
    hits: tuple[list[float], list[float]] = ([], [])
    write_inputs(path.parent)
    for _ in range(GROWTH_ROUNDS):
        for database, rates in zip((path.with_name("fresh.db"), path), hits, strict=True):
            rates.append(measure_hits(path.parent, database=database))
    _print_ratio("answered", "hits/s", *hits, events)


def _print_ratio(what: str, unit: str, empty: Sequence[float], full: Sequence[float], events: int) -> None:
    before, after = median(empty), median(full)
    print(
        f"  {what}: {before:,.0f} {unit} with an empty store, {after:,.0f} beside {events:,}: "
        f"{after / before:.2f}x (asked: {GROWTH_ASKED}x)"
    )


def _measure_rate(store: SQLiteStore, world: World) -> float:
    # The time of the processor again: waits for the disk and for other processes are not the store's.
    started = thread_time()
    *_, done = fill_by_store(world, store)
    return done / (thread_time() - started)


def _fill(store: SQLiteStore, path: Path, events: int) -> None:
    store.get_deliveries(limit=1)
    started = perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for done in fill_in_bulk(World(events), connection):
            if done * 10 % events == 0:
                print(f"  {done:,} events after {perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        _count(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(f"\n  {events:,} events, {path.stat().st_size / events:.0f} bytes of file for each, raw signals of 28 days")


def _count(connection: sqlite3.Connection) -> None:
    """Write the rollups as publishing would have left them, as far as their number and size go."""
    classes = {
        "human": "NOT v.machine",
        "machine": "v.machine",
        "privacy": "v.classification = 'privacy_proxy'",
        "scanner": "v.classification = 'security_scanner'",
        "bot": "v.classification IN ('generic_bot', 'link_preview_bot')",
        "observed": "TRUE",
    }
    counts = {
        f"{who}_{kind}": f"sum({c} AND o.kind = {n})"
        for who, c in classes.items()
        for n, kind in enumerate(("opens", "clicks"))
    }
    columns = [counts[m] if m in counts else f"min({counts[m.removesuffix('_unique')]}, 1)" for m in MEASURES[3:]]
    source = "FROM events AS e JOIN observations AS o USING (slot) JOIN verdicts AS v ON v.id = e.verdict_id"
    connection.execute(
        f"INSERT INTO rollups SELECT 1, o.delivery, 1, 1, 1, {', '.join(columns)} {source} GROUP BY o.delivery"
    )
    sums = ", ".join(f"sum(r.{name})" for name in MEASURES)
    joins = "JOIN deliveries AS d ON d.seq = r.key JOIN mailings AS m ON m.id = d.mailing_id"
    mails = f"FROM rollups AS r {joins} WHERE r.scope = 1"
    for scope, key in ((0, "m.id - m.id"), (2, "m.campaign_id"), (3, "m.route_id")):
        connection.execute(f"INSERT INTO rollups SELECT {scope}, {key}, {sums} {mails} GROUP BY {key}")
    for scope, key, where in (
        (4, "o.link_id", "o.link_id IS NOT NULL"),
        (5, "((o.slot >> 12) / 3600000000 + 438288)", "TRUE"),
    ):
        connection.execute(
            f"INSERT INTO rollups SELECT {scope}, {key}, 0, 0, 0, {', '.join(columns)} {source} "
            f"WHERE {where} GROUP BY {key}"
        )
    connection.executescript(FILL_BREAKDOWNS)
    pack_messages(connection)


def _print_bytes(store: SQLiteStore, path: Path, events: int) -> None:
    """Weigh what the store's own writers took in: raw signals while they are there, the rest when they are erased."""
    raw = sum(size for _, of, size in _weigh(path) if of in RAW)
    cursor: int | None = 0
    while cursor is not None:
        _, cursor = store.minimise(
            datetime.max.replace(tzinfo=UTC), cutoffs={}, name_network=lambda _: "cloud", after=cursor, limit=5_000
        )
    kinds = {"events": 0, "mail": 0}
    fixed = 0
    print(f"  bytes for each of {events:,} events that the store's own writers took in, once they are minimised")
    for name, of, size in _weigh(path):
        if of in RAW:
            continue
        kind = "mail" if of in MAIL else "events"
        kinds[kind] += size
        fixed += size if of in FIXED else 0
        if size / events >= 0.5:
            print(f"    {name:<38}{size / events:8.1f}  {kind}")
    growing = (kinds["events"] - fixed) / events
    print(f"    {'of events, indexes and rollups included':<40}{kinds['events'] / events:6.1f}")
    print(f"    {'of that, what does not grow with events':<40}{fixed / events:6.1f}")
    asked = f"(asked: at most {BYTES_ASKED})"
    print(f"    {'so with ten million events':<40}{growing + fixed / 10_000_000:6.1f}  {asked}")
    print(f"    {'of raw signals, until they are erased':<40}{raw / events:6.1f}")
    print(f"    {'of mail: deliveries and recipients':<40}{kinds['mail'] / events:6.1f}")


def _weigh(path: Path) -> list[tuple[str, str, int]]:
    """Return the bytes of every table and index, the largest first, with the table that it belongs to."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC").fetchall()
        tables = dict(connection.execute("SELECT name, tbl_name FROM sqlite_schema").fetchall())
    return [(name, tables.get(name, name), size) for name, size in sizes]


def _print_queries(store: SQLiteStore) -> None:
    print(f"\n  {'query':<44}{'p50 ms':>9}{'p99 ms':>9}{'asked':>8}")
    pick = random.Random(3)
    scopes: tuple[GroupBy, ...] = ("all", "message", "campaign", "route", "link", "hour")
    for by in scopes:
        _time(f"stats by {by}", lambda by=by: store.get_metrics(by=by, limit=50), STATS_MS)  # type: ignore[misc]
    for field, value in (("campaign", "campaign 7"), ("route", "news"), ("link", "https://shop.example/offers/7/3")):
        wanted = EventFilter(test=False, terms=(Term(field=field, values=(value,)),))  # type: ignore[arg-type]
        for by in ("all", "hour", "link") if field != "link" else ("all",):
            ask = partial(read_rollups, store, wanted, by=by, limit=50)
            assert ask()
            _time(f"stats {field}:... by {by}", ask, STATS_MS)
    keys = {by: [line.key for line in store.get_metrics(by=by, limit=1_000)] for by in scopes[1:]}
    for by in scopes[1:]:
        later = lambda by=by: store.get_metrics(by=by, limit=50, before=pick.choice(keys[by]))  # noqa: E731
        _time(f"stats by {by}, a later page", later, STATS_MS)
    for name, make in _list_filters(store, pick).items():
        _time(f"events {name}", lambda make=make: store.search_events(make()), LISTS_MS)  # type: ignore[misc]


def _list_filters(store: SQLiteStore, pick: random.Random) -> dict[str, Callable[[], EventFilter]]:
    mails = store.get_deliveries(limit=2_000)
    ids = [record.event.id for record in store.get_events(EventFilter(limit=5_000))]

    def moment() -> timedelta:
        return timedelta(seconds=pick.randrange(YEAR_S))

    def term(field: str, *values: str, negated: bool = False) -> EventFilter:
        return EventFilter(limit=50, terms=(Term(field=field, values=values, negated=negated),))  # type: ignore[arg-type]

    return {
        "newest": lambda: EventFilter(limit=50),
        "before:": lambda: EventFilter(limit=50, before_id=pick.choice(ids)),
        "since: until:": lambda: EventFilter(limit=50, since=BEGIN, until=BEGIN + moment()),
        "kind:click": lambda: EventFilter(limit=50, kind="click"),
        "is:machine": lambda: EventFilter(limit=50, machine=True),
        "is:first": lambda: term("is", "first"),
        "class:link_preview_bot": lambda: EventFilter(limit=50, classification=Classification.LINK_PREVIEW_BOT),
        "class:!generic_bot": lambda: term("class", "generic_bot", negated=True),
        "class:suspicious (none)": lambda: EventFilter(limit=50, classification=Classification.SUSPICIOUS),
        "campaign:": lambda: EventFilter(limit=50, campaign=f"campaign {pick.randrange(CAMPAIGNS)}"),
        "route:": lambda: EventFilter(limit=50, route="bills"),
        "tag:": lambda: term("tag", "weekly"),
        "message:": lambda: EventFilter(limit=50, message_id=pick.choice(mails).envelope.message_id),
        "rcpt: (address)": lambda: term("rcpt", pick.choice(mails).envelope.recipients[0]),
        "rcpt: (small domain)": lambda: term("rcpt", f"firm{pick.randrange(1_000) * 2}.example"),
        "rcpt: (large domain)": lambda: term("rcpt", "big1.example"),
        "rcpt: (unknown)": lambda: term("rcpt", "nobody@nowhere.example"),
        "link:": lambda: term("link", _name_link(pick.randrange(CAMPAIGNS), 3)),
        "url: (none)": lambda: term("url", "nothing-of-that-name"),
        "client: device:": lambda: EventFilter(
            limit=50,
            terms=(Term(field="client", values=("client 7",)), Term(field="device", values=("mobile",))),
        ),
        "proxy:gmail": lambda: term("proxy", "gmail"),
        "ruleset: (none)": lambda: term("ruleset", "2020-01-01"),
        "word": lambda: term("text", "person.77"),
        "word (none)": lambda: term("text", "nothing-of-that-name"),
    } | _list_pairs(store, pick)


def _list_pairs(store: SQLiteStore, pick: random.Random) -> dict[str, Callable[[], EventFilter]]:
    """Return filters of two terms that hardly any event meets, or none, looked for from any time on."""
    ids = [record.envelope.message_id for record in store.get_deliveries(limit=10_000)]
    rare = Term(field="class", values=(Classification.SUSPICIOUS.value,))

    def pair(field: TermField, *values: str, and_: Term = rare, campaign: int = CAMPAIGNS) -> EventFilter:
        until = BEGIN + timedelta(seconds=campaign * YEAR_S // CAMPAIGNS, hours=pick.randrange(40))
        return EventFilter(limit=50, until=until, terms=(Term(field=field, values=values), and_))

    def pair_campaign(and_: Term) -> EventFilter:
        campaign = pick.randrange(CAMPAIGNS)
        return pair("campaign", f"campaign {campaign}", and_=and_, campaign=campaign)

    def pair_link(and_: Term) -> EventFilter:
        campaign = pick.randrange(CAMPAIGNS)
        return pair("link", _name_link(campaign, 3), and_=and_, campaign=campaign)

    wide: dict[str, tuple[TermField, str]] = {
        "route:": ("route", "bills"),
        "tag:": ("tag", "weekly"),
        "rcpt: (large domain)": ("rcpt", "big1.example"),
    }
    partners = {
        "class: (rare)": rare,
        "is:revised (none)": Term(field="is", values=("revised",)),
        "is:test (none)": Term(field="is", values=("test",)),
        "subject: (none)": Term(field="subject", values=("nothing-of-that-name",)),
        "word (none)": Term(field="text", values=("nothing-of-that-name",)),
    }
    pairs: dict[str, Callable[[], EventFilter]] = {}
    for name, partner in partners.items():
        pairs[f"campaign: {name}"] = partial(pair_campaign, partner)
        pairs[f"link: {name}"] = partial(pair_link, partner)
    for name, (field, value) in wide.items():
        pairs[f"{name} class: (rare)"] = lambda f=field, v=value: pair(f, v, campaign=pick.randrange(1, CAMPAIGNS))  # type: ignore[misc]
    return pairs | {
        "campaign: link: (of another)": lambda: pair(
            "link", _name_link(7, 3), and_=Term(field="campaign", values=(f"campaign {8 + pick.randrange(90)}",))
        ),
        "link: (64) class: (rare)": lambda: pair("link", *(_name_link(n % CAMPAIGNS, n % 12) for n in range(64))),
        "message: (200) class: (rare)": lambda: pair("message", *pick.sample(ids, 200)),
    }


def _name_link(campaign: int, link: int) -> str:
    return f"https://shop.example/offers/{campaign}/{link}"


def _time(name: str, call: Callable[[], object], asked_ms: float) -> None:
    call()
    taken = []
    for _ in range(CALLS):
        # The time of the processor, because what else the machine does says nothing of the query.
        started = thread_time()
        call()
        taken.append((thread_time() - started) * 1000)
    cuts = quantiles(taken, n=100, method="inclusive")
    over = "" if cuts[98] <= asked_ms else "  over"
    print(f"  {name:<44}{cuts[49]:9.2f}{cuts[98]:9.2f}{asked_ms:8.0f}{over}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

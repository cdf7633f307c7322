"""What ``mailnod-desktop --demo`` opens: example mails, and a store with a week of events.

The store is filled by the real tracker: it prepares the mails, its collector reads the requests, and its worker judges
them. Only the clock is moved by hand, and chance is the same every time.
"""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from ipaddress import IPv4Address
from itertools import groupby
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from mailnod.collect.collector import Request
from mailnod.errors import ConfigurationError
from mailnod.model import ConsentRecord, ConsentState, Envelope
from mailnod.personas import Client
from mailnod.send.override import make_override
from mailnod.send.prepare import Draft, Prepared
from mailnod.settings import Settings
from mailnod.testing import FrozenClock
from mailnod.tokens import new_secret
from mailnod.tracker import Tracker
from mailnod_desktop.services.clients import Move, Persona, get_persona
from mailnod_desktop.services.demo_mails import (
    make_catalogue_html,
    make_example_mails,
    make_newsletter_html,
    make_receipt_html,
    make_tides_html,
)
from mailnod_desktop.services.model import Mail

__all__ = ["Demo", "make_demo"]

Step = TypeVar("Step")

_BASE_URL = "https://tidewater.example/t"
_ROUTES = {
    "newsletter": {"track_opens": True, "track_clicks": True, "honeypot": True},
    "catalogue": {"track_opens": True, "track_clicks": True},
    "receipt": {"track_opens": False, "track_clicks": True, "consent": "assumed"},
}
#: How readers are spread over mailboxes: the personas that act for one of them, and how many of a hundred have it.
_MAILBOXES = (
    (("gmail",), 30),
    (("apple_mpp",), 16),
    (("apple_mpp", "phone"), 8),
    (("phone",), 10),
    (("desktop",), 10),
    (("safe_links", "office"), 8),
    (("gateway", "outlook"), 6),
    (("outlook",), 4),
    (("yahoo",), 4),
    (("gmail_prefetch", "gmail"), 1),
    (("private_relay",), 1),
    (("desktop", "slack"), 1),
    (("script",), 1),
)
#: How many of a hundred readers ever open a mail, and how many of those click.
_READ, _CLICKED = 58, 34
_READERS = 150
_ORDERS = 70
#: Subjects of the newsletters, and how many days ago they went out.
_WEEKLIES = (("A ferry that runs on its own wake", 7), ("The lamps along the north pier are lit again", 1))
#: Scanners take a sample of the links, here.
_MOST_FOLLOWED = 4
_TURN = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What there is to open."""

    mails: tuple[Mail, ...]
    database: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issue:
    """One mail to many, or one of many single mails."""

    name: str
    route: str
    campaign: str
    subject: str
    html: str
    recipients: tuple[str, ...]
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    """A request that a program will make."""

    at: datetime
    client: Client
    method: str
    url: str


def make_demo(folder: Path, *, now: datetime | None = None, stop: threading.Event | None = None) -> Demo:
    """Make the example mails and fill the store for them.

    :param folder: the store is made in it.
    :param now: the last moment of it; None is the present.
    :param stop: set where nobody wants it any more.
    :raises ConfigurationError: there is a demo in the folder already.
    :raises StoreError: the store cannot be written.
    :raises InterruptedError: it was told to stop.
    """
    database = folder / "tidewater.db"
    if database.exists():
        raise ConfigurationError(f"there is a demo at {str(database)!r} already; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    now = now or datetime.now(UTC)
    stop = stop or threading.Event()
    settings = Settings.from_mapping(
        {
            "MAILNOD_BASE_URL": _BASE_URL,
            "MAILNOD_DATABASE": database,
            "MAILNOD_ROUTES": _ROUTES,
            "MAILNOD_SECRET_KEYS": new_secret(),
            "MAILNOD_SPOOL": folder / "spool",
            "MAILNOD_WORKER": "none",
        }
    )
    chance = random.Random(20_261_130)  # noqa: S311  # Nothing is secret about it.
    clock = FrozenClock(now - timedelta(days=8))
    with closing(Tracker(settings, clock=clock, load_entry_points=False)) as tracker:
        _ask_readers(tracker, chance)
        sent = [copy for issue in _watch(_list_issues(now), stop) for copy in _send(tracker, clock, issue)]
        hits = sorted((hit for copy in sent for hit in _act(copy, chance, now)), key=lambda hit: hit.at)
        _collect(tracker, clock, hits, now, stop)
    # What is left of it is empty, and would be taken for a host's that has stopped.
    for left in (settings.journal_folder, folder / "spool"):
        shutil.rmtree(left, ignore_errors=True)
    tracked = next(copy for copy in reversed(sent) if copy.delivery and copy.delivery.envelope.campaign == "weekly")
    return Demo(mails=tuple(make_example_mails(now, tracked_html=tracked.parts[0])), database=database)


def _watch(steps: Iterable[Step], stop: threading.Event) -> Iterator[Step]:
    """Yield steps as long as they are wanted."""
    for step in steps:
        if stop.is_set():
            raise InterruptedError("the demo was not wanted any more")
        yield step


def _list_issues(now: datetime) -> Iterator[_Issue]:
    """Yield what was sent in the week before, oldest first."""
    readers = tuple(f"reader-{number:03}@example.com" for number in range(1, _READERS + 1))
    news, things = make_newsletter_html(reader="one"), make_catalogue_html()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    issues = [
        _Issue(
            name=f"weekly-{number}",
            route="newsletter",
            campaign="weekly",
            subject=subject,
            html=news,
            recipients=readers,
            sent_at=today - timedelta(days=days) + timedelta(hours=8, minutes=30),
        )
        for number, (subject, days) in enumerate(_WEEKLIES, 1)
    ]
    issues.append(
        _Issue(
            name="catalogue",
            route="catalogue",
            campaign="dark-season",
            subject="120 things for the dark season",
            html=things,
            recipients=readers[::2],
            sent_at=today - timedelta(days=3) + timedelta(hours=10),
        )
    )
    for days in range(7, -1, -1):
        day = today - timedelta(days=days)
        issues.append(
            _Issue(
                name=f"tides-{day:%d}",
                route="newsletter",
                campaign="tides",
                subject=f"Tides of {day:%A}",
                html=make_tides_html(day),
                recipients=readers[1::3],
                sent_at=day + timedelta(hours=6),
            )
        )
    issues.extend(
        _Issue(
            name=f"order-{2000 + number}",
            route="receipt",
            campaign="receipts",
            subject=f"Receipt for order {2000 + number}",
            html=make_receipt_html(2000 + number),
            recipients=(f"customer-{number:03}@example.org",),
            sent_at=now - timedelta(days=6.5 * (1 - number / _ORDERS), hours=2),
        )
        for number in range(_ORDERS)
    )
    yield from sorted((issue for issue in issues if issue.sent_at < now), key=lambda issue: issue.sent_at)


def _ask_readers(tracker: Tracker, chance: random.Random) -> None:
    """Record what readers said when they joined: most allow both, some neither, and some were never asked."""
    for number in range(1, _READERS + 1):
        answer = chance.choices([ConsentState.GRANTED, ConsentState.DENIED, None], [90, 6, 4])[0]
        if answer is not None:
            record = ConsentRecord(
                recorded_at=tracker.clock.now() - timedelta(days=20),
                purpose="statistics",
                opens=answer,
                clicks=answer,
                source="sign-up form",
            )
            tracker.store.record_consent(f"reader-{number:03}@example.com", record)


def _send(tracker: Tracker, clock: FrozenClock, issue: _Issue) -> list[Prepared]:
    """Prepare a copy for each recipient, as an adapter does, and note it as accepted."""
    clock.advance((issue.sent_at - clock.now()).total_seconds())
    layers = [("call", make_override(route=issue.route, campaign=issue.campaign))]
    drafts = [
        Draft(
            envelope=Envelope(
                message_id=f"<{issue.name}.{issue.sent_at:%Y%m%d}@tidewater.example>",
                recipients=(recipient,),
                subject=issue.subject,
                sent_at=issue.sent_at,
            ),
            parts=(issue.html,),
        )
        for recipient in issue.recipients
    ]
    copies = [copy for (copy,) in tracker.prepare_batch([(draft, layers) for draft in drafts], split=False)]
    tracker.accepted(*copies)
    return [copy for copy in copies if copy.changed]


def _act(copy: Prepared, chance: random.Random, now: datetime) -> Iterator[_Hit]:
    """Yield what the programs of one recipient ask for, until the present."""
    delivery = copy.delivery
    assert delivery is not None and copy.token is not None  # noqa: S101, PT018  # Only tracked copies are acted on.
    (keys,) = chance.choices([keys for keys, _ in _MAILBOXES], [share for _, share in _MAILBOXES])
    place = chance.randrange(1, 255)
    for key in keys:
        persona = get_persona(key)
        if persona is None:
            continue
        at = delivery.envelope.sent_at
        for move in _choose(persona, chance):
            slow = 1.0 if persona.machine or move.after_s < 120 else chance.expovariate(1 / 20)
            at = _wake(at + timedelta(seconds=move.after_s * (0.7 + 0.6 * chance.random()) * slow), persona, chance)
            for url in _find_urls(copy, move, chance):
                if at <= now:
                    yield _Hit(at=at, client=_settle(move, place), method=move.method, url=url)
                at += timedelta(seconds=move.pause_s)


def _choose(persona: Persona, chance: random.Random) -> Sequence[Move]:
    """Return what a persona does this time: people do not read everything, and follow few links."""
    if persona.machine:
        return persona.moves
    if chance.randrange(100) >= _READ:
        return ()
    opens = [move for move in persona.moves if move.action == "open"]
    times = chance.choices((0, 1, 2, 4), (50, 28, 15, 7))[0] if opens else 0
    again = [replace(opens[0], after_s=3600.0 * chance.randrange(2, 20)) for _ in range(times)]
    if chance.randrange(100) >= _CLICKED:
        return opens + again
    return (*persona.moves, *again)


def _wake(at: datetime, persona: Persona, chance: random.Random) -> datetime:
    """Put off until morning what a person would do at night."""
    if persona.machine or 6 <= at.hour < 23:
        return at
    morning = at.replace(hour=6, minute=0) + timedelta(days=at.hour >= 23)
    return morning + timedelta(minutes=chance.randrange(20, 200))


def _settle(move: Move, place: int) -> Client:
    """Return the program at an address of its own in the same network."""
    client = move.client
    if move.addresses or client.address.startswith(("66.", "108.", "20.", "64.")):
        return client
    return replace(client, address=str(IPv4Address(int(IPv4Address(client.address)) & ~0xFF | place)))


def _find_urls(copy: Prepared, move: Move, chance: random.Random) -> list[str]:
    """Return what of a mail one move asks for."""
    token = copy.token
    assert token is not None  # noqa: S101  # Only tracked copies are acted on.
    if move.action == "open":
        return [f"{_BASE_URL}/o/{token}.gif"] if f"/o/{token}" in copy.parts[0] else []
    marker = f"{_BASE_URL}/c/{token}."
    links = [marker + unescape(rest.partition('"')[0]) for rest in copy.parts[0].split(marker)[1:]]
    if move.action == "click_all":
        return links[:_MOST_FOLLOWED]
    real = [link for link in links if f"{token}.999999." not in link] or links
    # The first link is the one that most people want.
    return [real[min(int(chance.expovariate(0.7)), len(real) - 1)]] if real else []


def _collect(tracker: Tracker, clock: FrozenClock, hits: Sequence[_Hit], now: datetime, stop: threading.Event) -> None:
    """Let the collector read the requests in order, and judge what has settled every few hours."""
    start = clock.now()
    for _, turn in _watch(groupby(hits, key=lambda hit: (hit.at - start) // _TURN), stop):
        found = []
        for hit in turn:
            clock.advance((hit.at - clock.now()).total_seconds())
            parts = urlsplit(hit.url)
            path = parts.path.removeprefix("/t")
            headers = tuple(hit.client.headers.items())
            request = Request(method=hit.method, path=path, query=parts.query, headers=headers, peer=hit.client.address)
            _, recorded = tracker.read(request)
            if recorded is not None:
                found.append(recorded)
        tracker.record(found)
        clock.advance(tracker.settings.settle_s)
        tracker.work_once()
    clock.advance((now - clock.now()).total_seconds())
    # A hit is answered although a busy disk has not written it yet; to close waits for that.
    tracker.close()
    while tracker.work_once():
        pass

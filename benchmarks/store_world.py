"""A world of mail to measure a store by: campaigns over a year, four events for each mail, people and machines."""

from __future__ import annotations

import json
import random
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailnod.model import (
    Classification,
    Decision,
    Delivery,
    DeliveryState,
    Envelope,
    Hit,
    Mode,
    Observation,
    Verdict,
)
from mailnod.store import names, slots
from mailnod.store.consents import get_key
from mailnod.store.ids import new_id
from mailnod.store.rows import to_micros
from mailnod.store.sqlite import SQLiteStore
from mailnod.store.traces import hash_ip

CAMPAIGNS = 100
EVENTS_EACH = 4
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
YEAR_S = 360 * 86_400
#: For so long raw signals are kept, at most.
RAW_DAYS = 28
AGENTS = [f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}) Gecko/20100101 Firefox/{n}.0" for n in range(2_000)]
HEADERS = [
    {"accept": "image/*", "accept-language": f"de-{n},de;q=0.9", "sec-fetch-mode": "no-cors"} for n in range(300)
]
ROUTES = ("news", "offers", "bills")
LINKS_EACH = 12

_MACHINES = (
    (Classification.GENUINE, 55),
    (Classification.IMAGE_PROXY, 15),
    (Classification.PRIVACY_PROXY, 15),
    (Classification.SECURITY_SCANNER, 10),
    (Classification.GENERIC_BOT, 4),
    (Classification.LINK_PREVIEW_BOT, 1),
)


def make_verdicts(random_: random.Random, *, count: int = 1_000) -> list[Verdict]:
    """Return verdicts as a year of judging leaves them: some thousand different ones."""
    classes, weights = zip(*_MACHINES, strict=True)
    made = []
    for number, class_ in enumerate(random_.choices(classes, weights, k=count)):
        machine = class_ not in (Classification.GENUINE, Classification.IMAGE_PROXY)
        made.append(
            Verdict(
                detected=machine,
                probability=random_.randrange(50, 100) if machine else random_.randrange(50),
                classification=class_,
                proxy_type="gmail" if class_ is Classification.IMAGE_PROXY else None,
                reason_codes=(f"ua.{number % 90}", f"header.{number % 7}"),
                machine=machine,
                counts_for_metrics=not machine,
                device_type=random_.choice(("desktop", "mobile", None)),
                client_type="email_client",
                client_name=f"Client {number % 60}",
                ruleset="2026-11-01",
            )
        )
    return made


@dataclass
class World:
    """Mail to so many people, and what comes back.

    :param events: how many events, a multiple of 400.
    :param begin: when the first campaign is sent.
    """

    events: int
    seed: int = 1
    begin: datetime = BEGIN

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.verdicts = make_verdicts(self.random)
        self.mails = self.events // EVENTS_EACH // CAMPAIGNS
        self.people = max(self.events // 20, 1_000)

    def make_deliveries(self, campaign: int) -> list[Delivery]:
        """Return the mails of one campaign, one for each of its readers."""
        sent_at = self.get_start(campaign)
        return [
            Delivery(
                id=secrets.token_bytes(8),
                envelope=Envelope(
                    message_id=f"<{secrets.token_hex(12)}@shop.example>",
                    recipients=(self.pick_address(),),
                    subject=f"Offers of the week {campaign}",
                    sent_at=sent_at,
                    campaign=f"campaign {campaign}",
                    tags=("weekly",),
                ),
                decision=Decision(
                    opens=Mode.INDIVIDUAL,
                    clicks=Mode.INDIVIDUAL,
                    route=ROUTES[campaign % len(ROUTES)],
                    reasons=(f"route {ROUTES[campaign % len(ROUTES)]!r}: opens on, clicks on", "consent: granted"),
                ),
                link_count=LINKS_EACH,
                state=DeliveryState.ACCEPTED,
                accepted_at=sent_at,
                expires_at=sent_at + timedelta(days=30),
            )
            for _ in range(self.mails)
        ]

    def pick_address(self) -> str:
        """Return one of the people; half of them have their mailbox with one of five providers."""
        person = self.random.randrange(self.people)
        domain = f"big{person % 5}.example" if person % 2 else f"firm{person % 2_000}.example"
        return f"person.{person}@{domain}"

    def get_start(self, campaign: int) -> datetime:
        """Return when a campaign is sent."""
        return self.begin + timedelta(seconds=campaign * YEAR_S // CAMPAIGNS)

    def list_hits(self, campaign: int) -> list[tuple[int, int]]:
        """Return microsecond and number of the mail of each hit of a campaign, by time."""
        start = to_micros(self.get_start(campaign))
        last = YEAR_S // CAMPAIGNS * 1_000_000
        count = self.mails * EVENTS_EACH
        return sorted(
            (
                start + min(round(self.random.expovariate(1 / (20 * 3_600_000_000))), last),
                self.random.randrange(self.mails),
            )
            for _ in range(count)
        )

    def make_observation(self, delivery: Delivery, micros: int, campaign: int) -> Observation:
        """Return a hit: three of ten are clicks."""
        at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
        link = self.random.randrange(LINKS_EACH) if self.random.random() < 0.3 else None
        hit = Hit(
            kind="open" if link is None else "click",
            method="GET",
            ip=f"198.51.{self.random.randrange(256)}.{self.random.randrange(256)}",
            user_agent=self.random.choice(AGENTS),
            headers=self.random.choice(HEADERS),
            received_at=at,
            link_index=link,
            url=None if link is None else f"https://shop.example/offers/{campaign}/{link}?utm_source=mail",
        )
        return Observation(id=new_id(at), hit=hit, delivery_id=delivery.id)


def fill_by_store(world: World, store: SQLiteStore, *, batch: int = 500) -> Iterator[int]:
    """Send, collect and publish as the app and the worker do, and yield how many events there are so far."""
    done = 0
    for campaign in range(CAMPAIGNS):
        mails = world.make_deliveries(campaign)
        for start in range(0, len(mails), batch):
            store.add_deliveries(mails[start : start + batch])
        hits = world.list_hits(campaign)
        for start in range(0, len(hits), batch):
            part = [world.make_observation(mails[mail], at, campaign) for at, mail in hits[start : start + batch]]
            store.add_observations(part, settle_s=10)
            now = part[-1].hit.received_at + timedelta(seconds=11)
            store.publish([(one, world.random.choice(world.verdicts)) for one in part], now=now)
            done += len(part)
        yield done


def fill_in_bulk(world: World, connection: sqlite3.Connection) -> Iterator[int]:
    """Write the same rows straight into the tables, and yield how many events there are so far."""
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -800000")
    verdicts = [names.intern_verdict(connection, verdict) for verdict in world.verdicts]
    key = get_key(connection)
    agents = [names.intern_raw(connection, "user_agents", agent, key=key) for agent in AGENTS]
    headers = [names.intern_raw(connection, "header_sets", json.dumps(headers), key=key) for headers in HEADERS]
    _add_people(world, connection)
    done = 0
    for campaign in range(CAMPAIGNS):
        connection.execute("BEGIN")
        mailing, first = _add_mails(world, connection, campaign)
        urls = [f"https://shop.example/offers/{campaign}/{link}" for link in range(LINKS_EACH)]
        links = [names.intern_text(connection, "links", url) for url in urls]
        observations, signals, events = [], [], []
        raw = campaign >= CAMPAIGNS * (1 - RAW_DAYS / 360)
        last, pick = 0, world.random
        for micros, mail in world.list_hits(campaign):
            last = max(last + 1, micros)
            slot = slots.to_slot(last)
            link = pick.randrange(LINKS_EACH) if pick.random() < 0.3 else None
            click = (1, link, links[link], "?utm_source=mail") if link is not None else (0, None, None, None)
            observations.append((slot, pick.getrandbits(62) - 2**63, first + mail, click[0], *click[1:]))
            events.append((slot, pick.choice(verdicts), pick.random() < 0.4, mailing, 11_000 + pick.randrange(1000)))
            if raw:
                address = f"198.51.{pick.randrange(256)}.{pick.randrange(256)}"
                signals.append((slot, address, hash_ip(address, key=key), pick.choice(agents), pick.choice(headers)))
        connection.executemany(
            "INSERT INTO observations (slot, id, delivery, kind, link_index, link_id, rest, method, checked) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 1)",
            observations,
        )
        connection.executemany("INSERT INTO signals VALUES (?, ?, ?, ?, ?)", signals)
        connection.executemany(
            "INSERT INTO events (slot, verdict_id, first, mailing_id, delay, revision) VALUES (?, ?, ?, ?, ?, 0)",
            events,
        )
        connection.execute("COMMIT")
        done += len(events)
        yield done


def _add_people(world: World, connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    rows = []
    for person in range(world.people):
        domain = f"big{person % 5}.example" if person % 2 else f"firm{person % 2_000}.example"
        address = f"person.{person}@{domain}"
        key = secrets.token_bytes(16)
        rows.append((person + 1, key, domain, address))
    domains = {name: names.intern_text(connection, "domains", name) for name in {row[2] for row in rows}}
    connection.executemany(
        "INSERT INTO recipients VALUES (?, ?, ?, ?)",
        ((number, key, domains[name], address) for number, key, name, address in rows),
    )
    connection.execute("COMMIT")


def _add_mails(world: World, connection: sqlite3.Connection, campaign: int) -> tuple[int, int]:
    """Write the mails of a campaign, and return its mailing and the number of its first mail."""
    route = ROUTES[campaign % len(ROUTES)]
    mailing = names.intern_mailing(
        connection, campaign=f"campaign {campaign}", route=route, tags='["weekly"]', test=False
    )
    first = campaign * world.mails + 1
    at = to_micros(world.get_start(campaign))
    connection.executemany(
        "INSERT INTO deliveries (seq, id, message, message_id, subject, sent_at, mailing_id, metadata, opens, clicks, "
        "reasons, link_count, state, accepted_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, '{}', 1, 1, ?, 12, 1, ?, ?)",
        (
            (
                seq,
                secrets.token_bytes(8),
                seq,
                f"<{secrets.token_hex(12)}@shop.example>",
                f"Offers of the week {campaign}",
                at,
                mailing,
                f'["route \'{route}\': opens on, clicks on","consent: granted"]',
                at,
                at + 30 * 86_400_000_000,
            )
            for seq in range(first, first + world.mails)
        ),
    )
    connection.executemany(
        "INSERT INTO delivery_recipients VALUES (?, 0, ?)",
        ((seq, 1 + world.random.randrange(world.people)) for seq in range(first, first + world.mails)),
    )
    return mailing, first

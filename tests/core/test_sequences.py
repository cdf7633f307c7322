"""Sequences of hits through the real collector and worker: what is published, revised and counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import pytest

from mailnod import Envelope, Event, Settings, Tracker, hookimpl
from mailnod.collect.collector import Request
from mailnod.model import EventFilter
from mailnod.rejudge import Rejudger
from mailnod.testing import FrozenClock

HOME, PHONE_NET, CLOUD, OFFICE = "84.10.20.30", "77.20.1.1", "52.1.2.3", "91.50.60.70"
FIREFOX = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-User": "?1",
}
IMAGE = {**FIREFOX, "Accept": "image/avif,image/webp,image/png,*/*;q=0.8", "Sec-Fetch-Dest": "image"}
GMAIL_PREFETCH = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
}
GMAIL_PROXY = {
    "User-Agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
}
GOOGLE = "66.249.84.1"


class Listener:
    """Remembers what plugins are told."""

    def __init__(self) -> None:
        self.created: list[Event] = []
        self.revised: list[tuple[Event, Event]] = []

    @hookimpl
    def event_created(self, event: Event) -> None:
        self.created.append(event)

    @hookimpl
    def event_revised(self, event: Event, previous: Event) -> None:
        self.revised.append((event, previous))


class Scene:
    """A tracker, mails that it sent at the start of the clock, and clients that fetch what is in them."""

    def __init__(self, folder: Path, *, settle_s: float) -> None:
        self.clock = FrozenClock()
        self.start = self.clock.now()
        self.listener = Listener()
        route = {"track_opens": True, "track_clicks": True, "consent": "assumed", "honeypot": True}
        settings = Settings.from_mapping(
            {
                "MAILNOD_DATABASE": str(folder / "mailnod.db"),
                "MAILNOD_SECRET_KEYS": "k" * 40,
                "MAILNOD_BASE_URL": "https://app.example/t",
                "MAILNOD_ROUTES": {"default": route},
                "MAILNOD_WORKER": "none",
                "MAILNOD_SETTLE_S": settle_s,
            }
        )
        self.tracker = Tracker(settings, clock=self.clock, plugins=[self.listener], load_entry_points=False)
        self.bodies: list[str] = []

    def send(self, *, links: int = 5, mails: int = 1) -> None:
        """Send mails with so many links, each to a recipient of its own."""
        html = "".join(f'<a href="https://shop.example/{number}">{number}</a>' for number in range(links))
        for _ in range(mails):
            envelope = Envelope(
                message_id=f"<{len(self.bodies)}@app.example>",
                recipients=(f"r{len(self.bodies)}@example.com",),
                sent_at=self.clock.now(),
            )
            prepared = self.tracker.prepare(envelope, [f"<body>{html}</body>"], layers=[])
            self.tracker.accepted(prepared)
            self.bodies += prepared.parts

    def fetch(
        self,
        at_s: float,
        what: int | str,
        *,
        ip: str = HOME,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        mail: int = 0,
    ) -> None:
        """Fetch a link by its number, the hidden one ("trap"), or the pixel ("open"), so long after sending."""
        self.clock.advance(at_s - (self.clock.now() - self.start).total_seconds())
        index = 999_999 if what == "trap" else what
        pattern = r'/t(/o/[^"]+)' if what == "open" else rf'/t(/c/[\w-]+\.{index}\.[^"]+)'
        found = re.search(pattern, self.bodies[mail])
        assert found is not None, self.bodies[mail]
        path, _, query = found[1].partition("?")
        sent = headers or (IMAGE if what == "open" else FIREFOX)
        self.tracker.reply(Request(method=method, path=path, query=query, headers=tuple(sent.items()), peer=ip))

    def settle(self) -> None:
        """Let everything become due, and judge it."""
        self.clock.advance(60)
        while self.tracker.work_once():
            pass

    def who(self) -> list[str | None]:
        """Return as whose each hit counts, oldest first."""
        return [record.event.verdict.counted_as for record in self.tracker.store.get_judged(EventFilter(limit=1000))]

    def count(self) -> dict[str, int]:
        """Return the counts of hits that are not zero."""
        (line,) = self.tracker.store.get_metrics()
        return {name: count for name, count in asdict(line).items() if count and name.startswith(("human", "machine"))}


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Return a function that makes a scene."""
    made: list[Scene] = []

    def make(settle_s: float = 10.0) -> Scene:
        made.append(Scene(tmp_path / str(len(made)), settle_s=settle_s))
        return made[-1]

    yield make
    for scene in made:
        scene.tracker.close()


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """Give a scene with one mail of five links, and the usual settle time."""
    scene = make_scene()
    scene.send()
    return scene


def test_burst_over_all_links(scene: Scene) -> None:
    """A gateway that follows every link at once is one machine, the first click included, and published as one."""
    for link in range(5):
        scene.fetch(3 + link / 4, link)
    scene.settle()
    assert scene.who() == ["machine"] * 5
    assert scene.count() == {"machine_clicks": 5, "machine_clicks_unique": 1}
    assert scene.listener.revised == []


def test_two_networks_on_one_ticket(scene: Scene) -> None:
    """A server that repeats a person's click seconds later is told from the person."""
    scene.fetch(300, "open")
    scene.fetch(320, 2)
    scene.fetch(332, 2, ip=CLOUD)
    scene.settle()
    assert scene.who() == ["human", "human", "machine"]


def test_scanner_then_person(scene: Scene) -> None:
    """A gateway's burst on delivery leaves the person who reads later a person, and the first one."""
    for link in range(5):
        scene.fetch(2 + link / 4, link, ip=CLOUD)
    scene.fetch(500, "open")
    scene.fetch(520, 1)
    scene.settle()
    assert scene.who() == ["machine"] * 5 + ["human"] * 2
    last = scene.tracker.store.get_events(EventFilter(limit=1))[0].event
    assert last.first


def test_person_then_scanner(scene: Scene) -> None:
    """A burst that comes after a person's click, from elsewhere, does not taint it."""
    scene.fetch(100, "open")
    scene.fetch(110, 0)
    for link in range(5):
        scene.fetch(140 + link / 4, link, ip=CLOUD)
    scene.settle()
    assert scene.who() == ["human"] * 2 + ["machine"] * 5


def test_click_without_open(scene: Scene) -> None:
    """One click of somebody who loads no images is a person's."""
    scene.fetch(900, 3)
    scene.settle()
    assert scene.count() == {"human_clicks": 1, "human_clicks_unique": 1}


def test_head_then_get(scene: Scene) -> None:
    """The probe is a machine's, and the GET that follows it a person's."""
    scene.fetch(300, 1, method="HEAD")
    scene.fetch(301, 1)
    scene.settle()
    assert scene.who() == ["machine", "human"]


def test_hidden_link(scene: Scene) -> None:
    """It condemns what the same client does around it; a person elsewhere stays one."""
    scene.fetch(20, "trap")
    scene.fetch(25, 0)
    scene.fetch(3000, 0, ip=PHONE_NET)
    scene.settle()
    assert scene.who() == ["machine", "machine", "human"]
    assert scene.count() == {
        "human_clicks": 1,
        "human_clicks_unique": 1,
        "machine_clicks": 2,
        "machine_clicks_unique": 1,
    }
    links = {line.key: line.machine_clicks for line in scene.tracker.store.get_metrics(by="link")}
    assert links == {"https://shop.example/0": 1}


def test_hidden_link_of_a_screen_reader_is_never_a_persons_click(scene: Scene) -> None:
    """It is published as nobody's, moves no count, and the click behind it is the first."""
    scene.fetch(400, "open")
    scene.fetch(430, "trap")
    scene.fetch(450, 0)
    scene.settle()
    assert scene.who() == ["human", None, "human"]
    assert scene.count() == {
        "human_opens": 1,
        "human_opens_unique": 1,
        "human_clicks": 1,
        "human_clicks_unique": 1,
    }
    first = [record.event.first for record in scene.tracker.store.get_judged(EventFilter())]
    assert first == [True, False, True]


def test_reading_on_frees_who_came_upon_the_hidden_link(make_scene: Callable[..., Scene]) -> None:
    """Without images the hidden link looks a scanner's, until its reader goes on; then the verdict is revised."""
    scene = make_scene(settle_s=0)
    scene.send()
    scene.fetch(430, "trap")
    assert scene.tracker.work_once()
    assert scene.count() == {"machine_clicks": 1, "machine_clicks_unique": 1}
    scene.fetch(445, 0)
    assert scene.tracker.work_once()
    assert scene.who() == [None, "human"]
    assert scene.count() == {"human_clicks": 1, "human_clicks_unique": 1}


def test_one_address_across_many_recipients(make_scene: Callable[..., Scene]) -> None:
    """An appliance acts for many unread; colleagues behind one office's address have opened their mails."""
    appliance, office = make_scene(), make_scene()
    for scene in (appliance, office):
        scene.send(mails=5)
    for mail in range(5):
        appliance.fetch(4 + mail / 3, 0, mail=mail, ip=OFFICE)
        office.fetch(3600 + mail * 2, "open", mail=mail, ip=OFFICE)
    for mail in range(5):
        office.fetch(3630 + mail, 0, mail=mail, ip=OFFICE)
    appliance.settle()
    office.settle()
    assert set(appliance.who()) == {"machine"}
    assert set(office.who()) == {"human"}


def test_person_upgrades_an_earlier_machine_open(scene: Scene) -> None:
    """A mail that a provider fetched unasked counts as opened once its reader opens it, which is the first open."""
    scene.fetch(1, "open", ip=GOOGLE, headers=GMAIL_PREFETCH)
    scene.settle()
    assert scene.count() == {"machine_opens": 1, "machine_opens_unique": 1}
    scene.fetch(900, "open", ip=GOOGLE, headers=GMAIL_PROXY)
    scene.fetch(990, "open", ip=GOOGLE, headers=GMAIL_PROXY)
    scene.settle()
    assert scene.who() == ["machine", "human", "human"]
    assert scene.count() == {
        "human_opens": 2,
        "human_opens_unique": 1,
        "machine_opens": 1,
        "machine_opens_unique": 1,
    }
    assert [record.event.first for record in scene.tracker.store.get_judged(EventFilter())] == [True, True, False]


def test_settle_time_of_nothing_publishes_at_once_and_revises(make_scene: Callable[..., Scene]) -> None:
    """A click is published when it comes; the burst that it began revises it, plugins hear both, and counts follow."""
    scene = make_scene(settle_s=0)
    scene.send()
    scene.fetch(20, 0)
    assert scene.tracker.work_once()
    assert scene.count() == {"human_clicks": 1, "human_clicks_unique": 1}
    for link in range(1, 5):
        scene.fetch(20 + link / 4, link)
    assert scene.tracker.work_once()
    assert scene.count() == {"machine_clicks": 5, "machine_clicks_unique": 1}
    assert len(scene.listener.created) == 5
    ((event, previous),) = scene.listener.revised
    assert (event.id, event.seq, previous.seq) == (scene.listener.created[0].id, 1, 0)
    assert (previous.verdict.machine, event.verdict.machine) == (False, True)
    assert [verdict for _, verdict in scene.tracker.store.get_verdicts(event.id)] == [previous.verdict, event.verdict]
    lines = scene.tracker.store.get_metrics(by="link")
    assert {line.key: (line.human_clicks, line.machine_clicks) for line in lines} == {
        f"https://shop.example/{link}": (0, 1) for link in range(5)
    }


def test_nothing_is_published_before_it_has_settled(scene: Scene) -> None:
    """Until the settle time has passed there is no event, and a late hit of a burst finds none to revise."""
    scene.fetch(20, 0)
    scene.tracker.work_once()
    assert scene.who() == []
    for link in range(1, 5):
        scene.fetch(20 + link / 4, link)
    scene.settle()
    assert scene.listener.revised == []
    assert scene.who() == ["machine"] * 5


def test_what_is_half_erased_is_not_judged_again(scene: Scene) -> None:
    """A scanner's second click stays a scanner's when the first, which gave it away, has lost its raw facts."""
    scene.fetch(3, 0)
    scene.fetch(3.5, 1)
    scene.settle()
    scene.clock.advance(28 * 86_400 + 3.2 - (scene.clock.now() - scene.start).total_seconds())
    worker = scene.tracker.worker
    worker.sweep()
    worker.release_lease()
    records = scene.tracker.store.get_judged(EventFilter())
    assert [record.observation.purged for record in records] == [True, False]
    rejudger = Rejudger(
        store=scene.tracker.store, assessor=worker.assessor, plugins=scene.tracker.plugins, clock=scene.clock
    )
    (batch,) = rejudger.run(EventFilter())
    assert [one.verdict for one in batch.judged] == [None, None]
    assert scene.who() == ["machine"] * 2

"""The tracker: all stages together, on a real store and real journals."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailnod import ConfigurationError, Envelope, Override, Settings, Tracker, hookimpl, tracking
from mailnod.collect.collector import Request
from mailnod.model import (
    Classification,
    ConsentRecord,
    ConsentState,
    DeliveryState,
    Event,
    EventFilter,
    Metrics,
    Mode,
    Observation,
    Reply,
)
from mailnod.send.prepare import Prepared
from mailnod.testing import FrozenClock

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
HTML = '<html><body><a href="https://shop.example/a">A</a> <a href="https://shop.example/b">B</a></body></html>'
PHONE = (
    (
        "User-Agent",
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1"
        ),
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "de-DE,de;q=0.9"),
    ("Accept-Encoding", "gzip, deflate, br"),
)
GRANT = ConsentState.GRANTED
CONFIG = {
    "MAILNOD_SECRET_KEYS": "0:signing:secret",
    "MAILNOD_BASE_URL": "https://track.example/t",
    "MAILNOD_ROUTES": {"news": {"track_opens": True, "track_clicks": True}},
    "MAILNOD_DEFAULT_ROUTE": "news",
    "MAILNOD_WORKER": "none",
}


class House:
    """A tracker, its clock, and a reader."""

    def __init__(self, folder: Path, *plugins: object, **config: Any) -> None:
        self.clock = FrozenClock(START)
        settings = Settings.from_mapping({**CONFIG, "MAILNOD_DATABASE": folder / "mailnod.db", **config})
        self.tracker = Tracker(settings, clock=self.clock, plugins=plugins, load_entry_points=False)

    def record(self, address: str, state: ConsentState) -> None:
        record = ConsentRecord(
            recorded_at=self.clock.now(), purpose="statistics", opens=state, clicks=state, source="test"
        )
        self.tracker.store.record_consent(address, record)

    def send(self, *recipients: str, **keywords: Any) -> Prepared:
        envelope = Envelope(message_id="<1@example.com>", recipients=recipients, sent_at=self.clock.now())
        prepared = self.tracker.prepare(envelope, [HTML], layers=[("keyword", Override(**keywords))])
        self.tracker.accepted(prepared)
        return prepared

    def open(self, prepared: Prepared, peer: str = "203.0.113.9", method: str = "GET") -> Reply:
        path = re.findall(r'/t(/o/[^"]*)"', prepared.parts[0])[0]
        return self.tracker.reply(Request(method=method, path=path, query="", headers=PHONE, peer=peer))

    def click(self, prepared: Prepared, index: int = 0, peer: str = "203.0.113.9") -> Reply:
        path, query = re.findall(r'/t(/c/[^"?]*)\?([^"]*)"', prepared.parts[0])[index]
        return self.tracker.reply(Request(method="GET", path=path, query=query, headers=PHONE, peer=peer))

    def settle(self) -> None:
        self.tracker.work_once()
        self.clock.advance(11)
        self.tracker.work_once()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.record("r@example.com", GRANT)
    yield house
    house.tracker.close()


def test_mail_is_followed_from_sending_to_the_numbers(house: House) -> None:
    """A person opens and clicks: two events, first of their kind, in the events and in the metrics."""
    prepared = house.send("r@example.com", campaign="spring")
    house.open(prepared)
    assert house.click(prepared, 1).status == 302
    house.settle()
    records = house.tracker.store.get_events(EventFilter())
    assert {record.event.type for record in records} == {"message.opened", "message.clicked"}
    assert all(record.event.first and not record.event.verdict.machine for record in records)
    (metrics,) = house.tracker.store.get_metrics(by="campaign")
    assert (metrics.key, metrics.deliveries, metrics.deliveries_with_pixel) == ("spring", 1, 1)
    assert (metrics.human_opens_unique, metrics.human_clicks_unique, metrics.machine_opens) == (1, 1, 0)
    (delivery,) = house.tracker.store.get_deliveries()
    assert delivery.state is DeliveryState.ACCEPTED


def test_nothing_is_published_before_it_has_settled(house: House) -> None:
    """An observation waits for its settle time, and is judged then."""
    prepared = house.send("r@example.com")
    house.open(prepared)
    done = house.tracker.work_once()
    assert done is not None
    assert (done.drained, done.published) == (1, 0)
    house.clock.advance(9)
    assert not house.tracker.work_once()
    house.clock.advance(1)
    done = house.tracker.work_once()
    assert done is not None
    assert done.published == 1


def test_settle_time_of_zero_publishes_at_once(tmp_path: Path) -> None:
    """Who does not want to wait need not."""
    house = House(tmp_path, MAILNOD_SETTLE_S=0)
    house.record("r@example.com", GRANT)
    house.open(house.send("r@example.com"))
    done = house.tracker.work_once()
    assert done is not None
    assert (done.drained, done.published) == (1, 1)
    house.tracker.close()


def test_later_evidence_revises_what_was_published(tmp_path: Path) -> None:
    """A click that looked like a person's is revised when the same address then walks over every link."""
    created: list[Event] = []
    revised: list[tuple[Event, Event]] = []

    class Listener:
        @hookimpl
        def event_created(self, event: Event) -> None:
            created.append(event)

        @hookimpl
        def event_revised(self, event: Event, previous: Event) -> None:
            revised.append((event, previous))

    house = House(tmp_path, Listener(), MAILNOD_SETTLE_S=0)
    house.record("r@example.com", GRANT)
    links = "".join(f'<a href="https://shop.example/{n}">{n}</a>' for n in range(8))
    envelope = Envelope(message_id="<1@example.com>", recipients=("r@example.com",), sent_at=START)
    prepared = house.tracker.prepare(envelope, [f"<body>{links}</body>"], layers=[])
    house.tracker.accepted(prepared)
    house.clock.advance(2)
    house.click(prepared, 0)
    house.tracker.work_once()
    assert [event.verdict.machine for event in created] == [False]
    for index in range(1, 8):
        house.clock.advance(0.2)
        house.click(prepared, index)
    house.tracker.work_once()
    assert [(event.seq, event.verdict.machine) for event, _ in revised] == [(1, True)]
    assert revised[0][1] == created[0]
    verdicts = house.tracker.store.get_verdicts(created[0].id)
    assert [verdict.machine for _, verdict in verdicts] == [False, True]
    (metrics,) = house.tracker.store.get_metrics()
    assert (metrics.human_clicks, metrics.human_clicks_unique) == (0, 0)
    assert (metrics.machine_clicks, metrics.machine_clicks_unique) == (8, 1)
    house.tracker.close()


def test_head_is_a_machine(house: House) -> None:
    """A HEAD probe is answered, recorded and never counted as a person."""
    prepared = house.send("r@example.com")
    house.open(prepared, method="HEAD")
    house.settle()
    (record,) = house.tracker.store.get_events(EventFilter())
    assert record.event.verdict.machine
    assert record.event.verdict.classification is not Classification.GENUINE


def test_withdrawal_reaches_mail_already_sent(house: House) -> None:
    """After a withdrawal pixel and links still work, and nothing more is stored, hits in journals included."""
    prepared = house.send("r@example.com")
    house.open(prepared)
    house.record("R@EXAMPLE.com", ConsentState.DENIED)
    assert house.open(prepared).status == 200
    assert house.click(prepared).status == 302
    house.settle()
    assert house.tracker.store.get_events(EventFilter()) == []
    assert not house.send("r@example.com").changed


def test_withdrawal_while_the_mail_is_prepared_is_not_lost(tmp_path: Path) -> None:
    """Who withdraws after consent was read and before the delivery is written is not tracked, whatever time it is."""

    class Meanwhile:
        house: House

        @hookimpl
        def change_url(self, url: str) -> str:
            self.house.record("r@example.com", ConsentState.DENIED)
            return url

    plugin = Meanwhile()
    plugin.house = house = House(tmp_path, plugin)
    house.record("r@example.com", GRANT)
    prepared = house.send("r@example.com")
    assert prepared.changed
    house.open(prepared)
    house.settle()
    assert house.tracker.store.get_events(EventFilter()) == []
    house.tracker.close()


def test_withdrawal_of_one_ends_the_tracking_of_a_shared_body(house: House) -> None:
    """Where one of several recipients withdraws, nobody's hits on the shared body are stored any more."""
    house.record("s@example.com", GRANT)
    prepared = house.send("r@example.com", "s@example.com")
    assert prepared.changed
    house.record("s@example.com", ConsentState.DENIED)
    house.open(prepared)
    house.settle()
    assert house.tracker.store.get_events(EventFilter()) == []


def test_context_manager_is_the_lowest_layer(house: House) -> None:
    """A context override holds where nothing above it speaks."""
    with tracking(track_opens=False, track_clicks=False):
        assert not house.send("r@example.com").changed
        assert house.send("r@example.com", track_opens=True).decision.opens is Mode.INDIVIDUAL


def test_store_that_cannot_be_opened_sends_untracked_and_logs_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Mail goes out as it came, one line in the log says so, and redirects go on working."""
    (tmp_path / "mailnod.db").mkdir()

    class Grants:
        @hookimpl
        def get_consent(self) -> Any:
            from mailnod import Consent

            return Consent(opens=GRANT, clicks=GRANT)

    broken = House(tmp_path, Grants(), MAILNOD_ROUTES={"news": {"track_opens": True, "consent": "assumed"}})
    for _ in range(5):
        prepared = broken.send("r@example.com")
        assert prepared.parts == (HTML,)
        assert prepared.delivery is None
    assert len([r for r in caplog.records if r.levelno >= logging.ERROR and r.name == "mailnod"]) <= 1
    (tmp_path / "sound").mkdir()
    sound = House(tmp_path / "sound")
    sound.record("r@example.com", GRANT)
    prepared = sound.send("r@example.com")
    assert broken.click(prepared).status == 302
    assert broken.open(prepared).status == 200
    broken.tracker.close()
    sound.tracker.close()


def test_defect_in_a_plugin_argument_sends_untracked(house: House) -> None:
    """Whatever goes wrong while preparing, the original goes out."""
    envelope = Envelope(message_id="<1@example.com>", recipients=("r@example.com",), sent_at=START)
    prepared = house.tracker.prepare(envelope, [None], layers=[])  # type: ignore[list-item]
    assert prepared.delivery is None


def test_tests_are_shown_and_not_counted(house: House) -> None:
    """Events of a test are events, and no number moves."""
    prepared = house.send("r@example.com", test=True, campaign="spring")
    house.open(prepared)
    house.click(prepared)
    house.settle()
    assert len(house.tracker.store.get_events(EventFilter(test=True))) == 2
    assert house.tracker.store.get_events(EventFilter(test=False)) == []
    (metrics,) = house.tracker.store.get_metrics()
    assert metrics == Metrics(key="")
    assert house.tracker.store.get_metrics(by="campaign") == []


def test_split_is_asked_for_by_any_layer(house: House) -> None:
    """Where a layer says so, each recipient gets a copy; prepare() keeps one body, for backends that cannot split."""
    house.record("s@example.com", GRANT)
    recipients = ("r@example.com", "s@example.com")
    envelope = Envelope(message_id="<1@example.com>", recipients=recipients, sent_at=START)
    with tracking(recipient_mode="split"):
        assert len(house.tracker.prepare_each(envelope, [HTML], layers=[])) == 2
        assert house.tracker.prepare(envelope, [HTML], layers=[]).recipients == recipients
    assert len(house.tracker.prepare_each(envelope, [HTML], layers=[])) == 1


def test_plan_shows_what_would_be_done(house: House, tmp_path: Path) -> None:
    """A plan can be looked at and filled without anything being stored; an unknown route is named."""
    plan = house.tracker.plan(HTML)
    assert [link.tracked for link in plan.links] == [True, True]
    assert plan.restore(plan.fill("A" * 32)) == HTML
    assert house.tracker.store.get_deliveries() == []
    with pytest.raises(ConfigurationError, match="'news'"):
        house.tracker.plan(HTML, route="nwes")


def test_missing_keys_are_a_wrong_setup(tmp_path: Path) -> None:
    """Without keys the tracker does not start, even where no route tracks, and says how to make one."""
    with pytest.raises(ConfigurationError, match="mailnod keys new"):
        Tracker(Settings(database=tmp_path / "mailnod.db"))


def test_start_opens_nothing(tmp_path: Path) -> None:
    """Building a tracker writes no file."""
    House(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_recorded_hook_hears_every_stored_hit_once(tmp_path: Path) -> None:
    """observation_recorded is called for each hit that came into the store."""
    heard: list[bytes] = []

    class Listener:
        @hookimpl
        def observation_recorded(self, observation: Observation) -> None:
            heard.append(observation.id)

    house = House(tmp_path, Listener())
    house.record("r@example.com", GRANT)
    prepared = house.send("r@example.com")
    house.open(prepared)
    house.open(prepared)
    house.settle()
    assert len(set(heard)) == len(heard) == 2
    house.tracker.close()


def test_only_one_worker_works(tmp_path: Path) -> None:
    """While one process holds the lease another does nothing, and takes over when it has expired."""
    first, second = House(tmp_path), House(tmp_path)
    assert first.tracker.work_once() is not None
    assert second.tracker.work_once() is None
    second.clock.advance(11)
    assert second.tracker.work_once() is not None
    first.tracker.close()
    second.tracker.close()


def test_canaries_are_in_no_file_and_no_log(house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A cookie, credentials and an address that come with a hit are found nowhere afterwards."""
    prepared = house.send("r@example.com")
    path = re.findall(r'/t(/o/[^"]*)"', prepared.parts[0])[0]
    headers = [
        *PHONE,
        ("Cookie", "session=canary-cookie"),
        ("Authorization", "Bearer canary-token"),
        ("From", "canary-address@example.com"),
        ("Referer", "https://mail.example/?user=canary-address@example.com"),
        ("X-Forwarded-For", "canary-forwarded"),
    ]
    request = Request(method="GET", path=path, query="email=canary-query", headers=headers, peer="203.0.113.9")
    with caplog.at_level(logging.DEBUG):
        house.tracker.reply(request)
        house.settle()
    assert len(house.tracker.store.get_events(EventFilter())) == 1
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"canary" not in file.read_bytes(), file.name
    assert "canary" not in caplog.text

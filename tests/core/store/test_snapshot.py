"""A snapshot is one state of the store, whole, and minimised where that is asked."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.store_contract import GRANTED, T0, after, make_consent, make_delivery, make_observation, make_verdict
from mailnod.errors import StoreUnavailableError
from mailnod.model import EventFilter, KeptBody
from mailnod.store.bodies import pack
from mailnod.store.snapshot import write_snapshot
from mailnod.store.sqlite import SQLiteStore

AGENT = "Canary/1.0"


@pytest.fixture
def filled(store: SQLiteStore) -> SQLiteStore:
    """Give a store with a mail, and a click that was judged."""
    delivery = make_delivery("ada@example.com", subject="Dear Ada", metadata={"order": "order-77"})
    store.add_deliveries([delivery])
    click = make_observation(
        delivery.id, kind="click", link_index=0, url="https://shop.example/a?user=ada-77", ip="198.51.100.9",
        user_agent=AGENT, headers={"accept": "x-canary"},
    )  # fmt: skip
    store.add_observations([click], settle_s=0)
    store.publish([(click, make_verdict())], now=T0)
    return store


def test_snapshot_reads_like_the_store(filled: SQLiteStore, database: Path, tmp_path: Path) -> None:
    """Every question has the same answer in the copy, which belongs to its owner alone."""
    target = tmp_path / "copy.db"
    write_snapshot(database, target)
    copy = SQLiteStore(target, read_only=True)
    assert copy.get_events(EventFilter()) == filled.get_events(EventFilter())
    assert copy.get_metrics(by="campaign") == filled.get_metrics(by="campaign")
    assert copy.check() == []
    copy.close()
    assert target.stat().st_mode & 0o077 == 0


def test_minimised_snapshot_names_nobody(filled: SQLiteStore, database: Path, tmp_path: Path) -> None:
    """No byte of addresses, subjects, metadata, raw facts or personal links is in a minimised copy; counts are."""
    target = tmp_path / "copy.db"
    write_snapshot(database, target, minimised=True)
    content = target.read_bytes()
    for word in (b"ada@example.com", b"Dear Ada", b"order-77", b"ada-77", b"198.51.100.9", AGENT.encode(), b"x-canary"):
        assert word not in content, word
    copy = SQLiteStore(target, read_only=True)
    assert copy.get_metrics(by="campaign") == filled.get_metrics(by="campaign")
    (record,) = copy.get_events(EventFilter())
    assert record.observation.purged
    assert record.event.verdict == filled.get_events(EventFilter())[0].event.verdict
    copy.close()


def test_minimised_snapshot_leaves_out_what_names_people_elsewhere(
    store: SQLiteStore, database: Path, tmp_path: Path
) -> None:
    """Consents, short links, leases, links with an address in their path and domains of few people are left out too."""
    crowd = [make_delivery(f"{number}@crowd.example") for number in range(5)]
    mail = make_delivery("ada@lovelace.example", destinations={0: "https://shop.example/a?user=ada-77"})
    store.add_deliveries([mail, *crowd])
    store.record_consent("ada@lovelace.example", replace(make_consent(GRANTED), actor="clerk-77", source="form-77"))
    store.acquire_lease("worker", holder="host-77", now=T0, ttl_s=10)
    for url in ("https://shop.example/of/ada-77@mail.example/x", "https://shop.example/of/ada-77%40mail.example"):
        click = make_observation(mail.id, kind="click", url=url)
        store.add_observations([click], settle_s=0)
        store.publish([(click, make_verdict())], now=T0)
    target = tmp_path / "copy.db"
    write_snapshot(database, target, minimised=True)
    content = target.read_bytes()
    for word in (b"lovelace", b"ada-77", b"clerk-77", b"form-77", b"host-77"):
        assert word not in content, word
    assert b"crowd.example" in content
    copy = SQLiteStore(target, read_only=True)
    assert copy.check() == []
    assert [line.human_clicks for line in copy.get_metrics(by="link")] == [1, 1]
    copy.close()


def test_bodies_are_in_a_whole_snapshot_and_in_no_minimised_one(
    filled: SQLiteStore, database: Path, tmp_path: Path
) -> None:
    """A whole copy has the HTML that is kept, and a minimised one has no piece of it."""
    (mail,) = filled.get_deliveries()
    body = KeptBody(mail.id, (f"<p>{secrets.token_hex(400)}</p>",), after(60))
    filled.keep_bodies([body])
    whole, minimised = tmp_path / "whole.db", tmp_path / "minimised.db"
    write_snapshot(database, whole)
    write_snapshot(database, minimised, minimised=True)
    for path, parts in ((whole, body.parts), (minimised, None)):
        copy = SQLiteStore(path, read_only=True)
        assert copy.get_body(mail.id, now=T0) == parts
        copy.close()
    (packed,) = pack([body]).values()
    assert packed[20:60] in whole.read_bytes()
    content = minimised.read_bytes()
    assert not any(packed[at : at + 16] in content for at in range(8, len(packed) - 16, 8))


def test_snapshot_is_one_state_while_others_write(filled: SQLiteStore, database: Path, tmp_path: Path) -> None:
    """Deliveries that are written while the copy is made are in it whole or not at all."""
    stop = threading.Event()

    def write() -> None:
        seconds = 0
        while not stop.is_set():
            seconds += 1
            filled.add_deliveries([make_delivery("bob@example.com", at=after(seconds))])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            write_snapshot(database, tmp_path / f"{number}.db")
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        copy = SQLiteStore(tmp_path / f"{number}.db", read_only=True)
        assert copy.check() == []
        assert all(delivery.envelope.recipients for delivery in copy.get_deliveries())
        copy.close()


def test_failed_snapshot_leaves_no_file(database: Path, tmp_path: Path) -> None:
    """Where there is no store, no file is made."""
    with pytest.raises(StoreUnavailableError, match="no database"):
        write_snapshot(database, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []

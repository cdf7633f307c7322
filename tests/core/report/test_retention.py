"""Raw facts are erased in time, and no copy of them is left."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from mailnod import Settings
from mailnod.errors import ConfigurationError
from mailnod.model import EventFilter, Route
from mailnod.report.retention import Retention

if TYPE_CHECKING:
    Site = Any

DAY_S = 86_400.0


def test_nothing_is_erased_before_its_time(site: Site) -> None:
    """After 27 days all raw facts are there."""
    site.open_mail()
    site.tracker.work_once()
    site.clock.advance(27 * DAY_S)
    assert site.tracker.work_once().minimised == 0
    (record,) = site.tracker.store.get_events(EventFilter())
    assert record.observation.hit.user_agent == site.agent


def test_worker_leaves_no_byte_of_raw_facts(site: Site) -> None:
    """After 28 days, no file of store or journals holds an address, agent or header, and the verdict stands."""
    site.open_mail(times=3)
    site.tracker.work_once()
    before = site.tracker.store.get_events(EventFilter())
    assert site.find_raw_facts() != []
    site.clock.advance(29 * DAY_S)
    assert site.tracker.work_once().minimised == 3
    assert site.find_raw_facts() == []
    assert [r.event for r in site.tracker.store.get_events(EventFilter())] == [r.event for r in before]


def test_reader_delays_the_last_copy_and_not_the_erasing(site: Site) -> None:
    """While somebody reads, the sweep says that a copy is left; the next one after that leaves none."""
    site.open_mail()
    site.tracker.work_once()
    site.clock.advance(29 * DAY_S)
    with contextlib.closing(sqlite3.connect(site.folder / "mailnod.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchall()
        swept = site.tracker.worker.sweep()
        assert (swept.minimised, swept.clean) == (1, False)
        reader.execute("COMMIT")
    swept = site.tracker.worker.sweep()
    assert (swept.minimised, swept.clean) == (0, True)
    assert site.find_raw_facts() == []


def test_interrupted_sweep_is_finished_by_the_next(site: Site) -> None:
    """A sweep that ends after any batch leaves the rest to the next one, and nothing twice."""
    site.open_mail(times=5)
    site.tracker.work_once()
    site.clock.advance(29 * DAY_S)
    assert site.tracker.worker.sweep(go_on=lambda: False).minimised == 0
    assert site.tracker.worker.sweep().minimised == 5
    assert site.tracker.worker.sweep().minimised == 0


def test_route_without_retention_forgets_when_it_has_judged(site: Site) -> None:
    """Where a route keeps raw facts for 0 days, the pass that judges a hit erases them."""
    site.open_mail(route="secret")
    done = site.tracker.work_once()
    assert (done.judged, done.minimised) == (1, 1)
    assert site.find_raw_facts() == []


def test_route_goes_before_the_setting() -> None:
    """Each route's days count, and where it names none, the setting's."""
    routes = {"a": Route(name="a", retention_days=7), "b": Route(name="b")}
    retention = Retention.of(routes, days=28)
    assert (retention.days, retention.days_by_route, retention.immediate) == (28, {"a": 7}, False)
    assert Retention.of(routes, days=0).immediate


@pytest.mark.parametrize("days", ["29", "-1", "soon"])
def test_longer_than_28_days_is_refused(days: str) -> None:
    """No setting keeps raw facts for more than 28 days."""
    with pytest.raises(ConfigurationError, match="MAILNOD_RETENTION_DAYS"):
        Settings.from_mapping({"MAILNOD_RETENTION_DAYS": days})

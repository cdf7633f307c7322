"""``mailnod rejudge``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result

from mailnod import Tracker
from mailnod.errors import StoreUnavailableError
from mailnod.model import EventFilter, EventRecord
from mailnod.rejudge import Rejudger
from mailnod.store.base import REJUDGE_LEASE
from mailnod.testing import FrozenClock

Run = Callable[..., Result]


@pytest.fixture
def outdated(tracker: Tracker, clock: FrozenClock, campaign: None) -> EventRecord:
    """Let the script that opened Bob's mail have been taken for a person by rules of long ago."""
    (record,) = tracker.store.get_events(EventFilter(recipient="bob@example.com"))
    machine = record.event.verdict
    person = replace(
        machine,
        detected=False,
        probability=5,
        classification=type(machine.classification).GENUINE,
        machine=False,
        counts_for_metrics=True,
        reason_codes=("ua.unheard_of",),
        ruleset="2020.01",
    )
    tracker.store.publish([(record.observation, person)], now=clock.now())
    tracker.worker.release_lease()
    return record


def test_dry_run_lists_flips_with_their_reasons(run: Run, tracker: Tracker, outdated: EventRecord) -> None:
    """Old class, new class, evidence gained and lost, and totals per class; nothing is written."""
    result = run("rejudge", "--dry-run")
    assert result.exit_code == 0, result.output
    for text in (
        "Would change their class",
        outdated.event.id.hex()[:18],
        "genuine",
        "generic_bot",
        "human to machine",
        "+ ua.library (+98)",
        "- ua.unheard_of",
        "3 events judged again: 1 would change their class.",
    ):
        assert text in result.output
    assert len(tracker.store.get_verdicts(outdated.event.id)) == 2


def test_run_appends_what_changed(run: Run, tracker: Tracker, outdated: EventRecord) -> None:
    """The real run appends one verdict for each event that changed, and a second one has nothing to do."""
    result = run("rejudge")
    assert result.exit_code == 0, result.output
    assert "1 changed their class, 1 verdict appended." in result.output
    assert [verdict.machine for _, verdict in tracker.store.get_verdicts(outdated.event.id)] == [True, False, True]
    assert "0 changed their class, 0 verdicts appended." in run("rejudge").output


def test_json_has_everything(run: Run, outdated: EventRecord) -> None:
    """Programs get both verdicts whole, and the counts before and after."""
    found = json.loads(run("rejudge", "--dry-run", "--json").stdout)
    assert (found["seen"], found["judged"], found["flipped"], found["revised"]) == (3, 3, 1, 0)
    assert (found["dry_run"], found["finished"], found["resume_since"]) == (True, True, None)
    assert found["kept"] == {"evidence purged": 0}
    assert found["classes"]["generic_bot"] == {"before": 0, "after": 1}
    (flip,) = found["flips"]
    assert flip["id"] == outdated.event.id.hex()
    assert (flip["old"]["ruleset"], flip["old"]["machine"], flip["new"]["machine"]) == ("2020.01", False, True)
    assert flip["gained"][0]["code"] == "ua.library"
    assert flip["lost"] == ["ua.unheard_of"]


@pytest.mark.parametrize(
    ("options", "seen", "flipped"),
    [
        (["--ruleset", "2020.01"], 3, 1),
        (["--ruleset", "2019.01"], 3, 0),
        (["--campaign", "spring"], 3, 1),
        (["--campaign", "autumn"], 0, 0),
        (["--since", "2099-01-01"], 0, 0),
        (["--until", "7d"], 0, 0),
    ],
)
@pytest.mark.usefixtures("outdated")
def test_options_narrow_it(run: Run, options: list[str], seen: int, flipped: int) -> None:
    """Each option leaves only what it names; what another version judged is gone through and left out."""
    found = json.loads(run("rejudge", "--dry-run", "--json", *options).stdout)
    assert (found["seen"], found["flipped"]) == (seen, flipped)


@pytest.mark.usefixtures("outdated")
def test_flips_beyond_the_limit_are_counted(run: Run) -> None:
    """A short list still says how many there are."""
    found = json.loads(run("rejudge", "--dry-run", "--json", "--limit-flips", "0").stdout)
    assert (found["flipped"], found["flips"]) == (1, [])


@pytest.mark.usefixtures("outdated")
def test_erased_evidence_is_named(run: Run, tracker: Tracker) -> None:
    """A verdict that stands because its evidence is gone is counted with that reason."""
    after = datetime(2100, 1, 1, tzinfo=UTC)
    assert tracker.store.minimise(after, cutoffs={}, name_network=lambda _: None)[0] == 3
    assert "3 events keep their verdicts: evidence purged." in run("rejudge", "--dry-run").output


def test_broken_off_it_says_where_to_go_on(run: Run, outdated: EventRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends it after a batch with status 1 and the time from which to go on."""
    preview = Rejudger.preview

    def interrupt(self: Rejudger, *arguments: object, **options: object) -> object:
        yield next(preview(self, *arguments, **options))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(Rejudger, "preview", interrupt)
    result = run("rejudge", "--dry-run")
    assert result.exit_code == 1
    assert "Broken off; go on with --since 20" in result.output
    found = json.loads(run("rejudge", "--dry-run", "--json").stdout)
    assert found["finished"] is False
    assert found["resume_since"] in result.output.replace("+00:00", "Z")


@pytest.mark.usefixtures("outdated")
def test_store_that_fails_midway_loses_nothing_that_was_done(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is shown, with what went wrong and where to go on."""
    real = Rejudger.run

    def fail(self: Rejudger, *arguments: object, **options: object) -> object:
        yield next(real(self, *arguments, **options))  # type: ignore[arg-type]
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(Rejudger, "run", fail)
    result = run("rejudge")
    assert result.exit_code == 1
    assert "1 verdict appended." in result.output
    assert "Error: the disk is full; go on with --since 20" in result.output


@pytest.mark.usefixtures("outdated")
def test_another_run_is_refused(run: Run, tracker: Tracker, clock: FrozenClock) -> None:
    """While somebody else judges everything again, it says so and ends with 1."""
    now = clock.now() + timedelta(seconds=1)
    tracker.store.acquire_lease(REJUDGE_LEASE, holder="other", now=now, ttl_s=10)
    result = run("rejudge")
    assert result.exit_code == 1
    assert "somebody else judges this store again" in result.output


@pytest.mark.usefixtures("outdated")
def test_busy_worker_is_not_waited_for_for_ever(run: Run, tracker: Tracker) -> None:
    """Where a worker lets nobody in, it says so and ends with 1."""
    assert tracker.work_once() is not None
    result = run("rejudge", "--wait", "0")
    assert result.exit_code == 1
    assert "a worker has held the store for 0 s without a pause" in result.output


def test_missing_store_is_refused(run: Run) -> None:
    """Without a store there is nothing to judge, and none is made."""
    result = run("rejudge")
    assert result.exit_code == 2
    assert "there is no database" in result.output

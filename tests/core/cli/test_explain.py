"""``mailnod explain``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from click.testing import Result

from mailnod import Tracker
from mailnod.model import EventFilter, EventRecord
from mailnod.store.ids import new_id
from mailnod.testing import FrozenClock

Run = Callable[..., Result]


@pytest.fixture
def script(tracker: Tracker, campaign: None) -> EventRecord:
    """Return the event of the script that opened Bob's mail."""
    (record,) = tracker.store.get_events(EventFilter(recipient="bob@example.com"))
    return record


def test_evidence_is_told_in_order(run: Run, script: EventRecord) -> None:
    """What came in, what was around it, the signs with weight, sentence and source, the verdict, its history, today."""
    result = run("explain", script.event.id.hex())
    assert result.exit_code == 0, result.output
    texts = (
        f"Event {script.event.id.hex()}: open in 'News for ",
        "sent to bob@example.com",
        "20.0 s after the mail",
        "GET from 198.51.100.7",
        "python-requests/2.32.3",
        "accept-language  en",
        "route news, campaign spring, 1 tracked link",
        "Around it: 2 other hits in its window",
        "-20.0 s  open in another mail, same address, another user agent",
        "The signs, strongest first",
        "+98  ua.library: The user agent is that of a programming library. [",
        "generic_bot, 98 % likely a machine: a machine, is not counted among people",
        "How it came about: 1 verdict",
        "1. ",
        "The rules of today",
        "say the same",
    )
    positions = [result.output.find(text) for text in texts]
    assert -1 not in positions, texts[positions.index(-1)]
    assert positions == sorted(positions)
    assert "\x1b" not in result.output


def test_history_says_what_changed_and_why(run: Run, tracker: Tracker, script: EventRecord, clock: FrozenClock) -> None:
    """Each verdict stands with its time and rules, what it gained and lost, and the cause; today's rules speak too."""
    verdict = script.event.verdict
    older = replace(
        verdict,
        classification=type(verdict.classification).SUSPICIOUS,
        probability=60,
        reason_codes=("ua.empty", "plugin.gone"),
        ruleset="2020.01",
    )
    clock.advance(30)
    tracker.store.publish([(script.observation, older)], now=clock.now())
    output = run("explain", script.event.id.hex()).output
    for text in (
        "How it came about: 2 verdicts",
        f"because the rules went from {verdict.ruleset} to 2020.01",
        "gained ua.empty: It sent no user agent, and every browser and mail program does.",
        "gained plugin.gone: No rule of today knows this sign.",
        "lost ua.library:",
        "?  plugin.gone",
        f"would say (version {verdict.ruleset}): generic_bot, 98 % likely a machine",
        "'mailnod rejudge' would make it so.",
    ):
        assert text in output, text


def test_hits_that_came_in_between_are_a_cause(
    run: Run, tracker: Tracker, script: EventRecord, clock: FrozenClock
) -> None:
    """A revision that later hits brought says how many there were."""
    clock.advance(30)
    hit = script.observation.hit._replace(received_at=clock.now())
    later = script.observation._replace(id=new_id(clock.now()), hit=hit)
    tracker.store.add_observations([later], settle_s=0)
    clock.advance(10)
    changed = replace(script.event.verdict, probability=97)
    tracker.store.publish([(script.observation, changed)], now=clock.now())
    output = run("explain", script.event.id.hex()).output
    assert "because 1 more hit came into its window" in output
    assert "the same signs, weighed otherwise" in output


def test_json_has_everything(run: Run, script: EventRecord) -> None:
    """Programs get the raw facts, the window, the reasons with sentences, the history and today's verdict."""
    found = json.loads(run("explain", script.event.id.hex(), "--json").stdout)
    assert found["event"]["id"] == script.event.id.hex()
    assert found["observation"]["hit"]["user_agent"] == "python-requests/2.32.3"
    assert (found["evidence"], found["seconds_after_acceptance"]) == ("whole", 20.0)
    assert found["delivery"]["envelope"]["campaign"] == "spring"
    assert sorted(one["offset_s"] for one in found["window"]) == [-20.0, 0.0]
    assert (found["window"][0]["same_mail"], found["window"][0]["same_address"]) == (False, True)
    assert found["reasons"][0]["code"] == "ua.library"
    assert found["reasons"][0]["sentence"] == "The user agent is that of a programming library."
    assert [(step["seq"], step["gained"][0]["code"]) for step in found["history"]] == [(0, "ua.library")]
    assert found["today"]["differs"] is False
    assert found["today"]["verdict"] == found["event"]["verdict"]


def test_beginning_of_an_id_is_enough(run: Run, tracker: Tracker, script: EventRecord) -> None:
    """A beginning that one id has finds it, with hyphens and capitals too; one that several have lists them."""
    whole = script.event.id.hex()
    others = [record.event.id.hex() for record in tracker.store.get_events(EventFilter())]
    assert whole in run("explain", whole[:31].upper()).output
    assert whole in run("explain", f"{whole[:8]}-{whole[8:12]}-{whole[12:]}").output
    result = run("explain", whole[:8])
    assert result.exit_code == 1
    assert "several events' ids begin with" in result.output
    assert all(other in result.output for other in others)


@pytest.mark.parametrize("wrong", ["abc", "xyz!", "0" * 33, ""])
@pytest.mark.usefixtures("script")
def test_what_is_no_id_is_refused(run: Run, wrong: str) -> None:
    """It says what an id looks like."""
    result = run("explain", wrong)
    assert result.exit_code == 2
    assert "is not the id of an event: 4 to 32 hexadecimal digits" in result.output


def test_unknown_id_says_where_ids_are(run: Run, waiting: None) -> None:
    """Nothing of that id: it says where ids are shown, and that hits wait where they do."""
    result = run("work", "--once")
    assert result.exit_code == 0, result.output
    result = run("explain", "ffff")
    assert result.exit_code == 1
    assert "no event's id begins with 'ffff'; 'mailnod events --ids' shows them" in result.output


def test_purged_evidence_is_said(run: Run, tracker: Tracker, script: EventRecord) -> None:
    """Where evidence was erased, the verdict stands and nothing new is said."""
    with tracker.store._database.write() as connection:  # type: ignore[attr-defined]
        connection.execute("DELETE FROM signals")
    output = run("explain", script.event.id.hex()).output
    for text in (
        "from an address that was not kept",
        "user agent  not kept",
        "Its evidence was purged, so its verdict stands as it is.",
        "can say nothing: evidence purged. The verdict stands.",
        "ua.library",
    ):
        assert text in output, text
    found = json.loads(run("explain", script.event.id.hex(), "--json").stdout)
    assert (found["evidence"], found["today"]["verdict"]) == ("evidence purged", None)


def test_ids_are_shown_where_they_are_asked_for(run: Run, script: EventRecord) -> None:
    """The table of events shows as much of each id as explain needs."""
    short = script.event.id.hex()[:18]
    assert short in run("events", "--ids").output
    assert short not in run("events").output
    assert run("explain", short).exit_code == 0

"""``mailnod stats``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from mailnod import Envelope, Tracker, make_override
from mailnod.testing import FrozenClock

Run = Callable[..., Result]


def test_all_counts_people_and_machines_apart(run: Run, campaign: None) -> None:
    """One line counts mails, and the hits of people and machines on their own."""
    (found,) = json.loads(run("stats", "--json").stdout)
    assert (found["deliveries"], found["deliveries_with_pixel"], found["deliveries_with_links"]) == (2, 2, 2)
    assert found["human_opens"] + found["machine_opens"] == 2
    assert found["machine_opens_unique"] >= 1


@pytest.mark.parametrize(
    ("by", "key"), [("campaign", "spring"), ("route", "news"), ("message", "<ada@app.example>"), ("hour", "2026-01-01")]
)
def test_groups_have_their_key(run: Run, campaign: None, by: str, key: str) -> None:
    """Each grouping names its groups, in JSON and in the table."""
    found = json.loads(run("stats", "--by", by, "--json").stdout)
    assert any(key in metrics["key"] for metrics in found)
    assert key in run("stats", "--by", by).stdout


def test_rate_of_nothing_is_a_dash(run: Run) -> None:
    """An empty store shows no rate instead of dividing by zero."""
    run("consent", "grant", "ada@example.com")
    assert " - " in run("stats").stdout


@pytest.mark.parametrize("by", ["all", "message", "campaign", "route", "link", "hour"])
def test_tables_fit_eighty_columns(run: Run, campaign: None, by: str) -> None:
    """No line is wider than the narrowest terminal, and no heading is cut."""
    lines = run("stats", "--by", by, width=80).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    headings = " ".join(lines[1:3])
    words = ("mails clicked", "by people", "machines") if by == "link" else ("mails", "with pixel", "or links", "rate")
    assert [word for word in words if word not in headings] == []


def test_links_have_no_columns_of_mails(run: Run, campaign: None) -> None:
    """Which mails carried a link is not kept, so nothing is said of it."""
    shown = run("stats", "--by", "link").stdout
    assert "https://example.com/spring" in shown
    assert "rate" not in shown


def test_mail_without_campaign_is_counted(run: Run, campaign: None, tracker: Tracker, clock: FrozenClock) -> None:
    """Groups by campaign leave out mail that has none, and say how much of it there is."""
    assert "no campaign" not in run("stats", "--by", "campaign").stdout
    envelope = Envelope(message_id="<c@app.example>", recipients=("cy@example.com",), sent_at=clock.now())
    prepared = tracker.prepare(envelope, ["<p>Hello"], layers=[("call", make_override(route="news"))])
    tracker.accepted(prepared)
    assert "1 mail has no campaign." in run("stats", "--by", "campaign").stdout


@pytest.mark.parametrize("by", ["all", "link", "message"])
def test_wide_tables_show_every_kind_of_machine(run: Run, campaign: None, by: str) -> None:
    """All counts have a place at 80 columns, and the name of a group has a line of its own, whole."""
    shown = run("stats", "--wide", "--by", by, width=80).stdout
    for heading in ("people", "machines", "scanners", "all"):
        assert f"{heading} " in shown
    keys = [line["key"] for line in json.loads(run("stats", "--by", by, "--json").stdout)]
    assert by == "all" or set(keys) <= set(shown.splitlines())


def test_groups_are_exported_and_paged(run: Run, campaign: None) -> None:
    """CSV has a line for each group with every count; a page goes on after the group that it is told."""
    header, *lines = run("stats", "--by", "message", "--csv", "-").stdout.splitlines()
    assert header.startswith("key,deliveries,deliveries_with_pixel,deliveries_with_links,human_opens,")
    assert len(lines) == 2
    first, second = (json.loads(run("stats", "--by", "message", "--json").stdout)[i]["key"] for i in range(2))
    rest = json.loads(run("stats", "--by", "message", "--before", first, "--json").stdout)
    assert [line["key"] for line in rest] == [second]


@pytest.mark.usefixtures("campaign")
def test_query_counts_the_events_that_match(run: Run) -> None:
    """With a query the events themselves are counted, and without conditions that leave any out, as ever."""
    (everything,) = json.loads(run("stats", "--json").stdout)
    (counted,) = json.loads(run("stats", "kind:open,click", "--json").stdout)
    assert counted.pop("source") == "events"
    assert counted.items() <= everything.items()
    (opens,) = json.loads(run("stats", "kind:open", "--by", "campaign", "--json").stdout)
    assert (opens["key"], opens["human_clicks"], opens["machine_clicks"]) == ("spring", 0, 0)
    assert opens["human_opens"] + opens["machine_opens"] == everything["observed_opens"]
    assert json.loads(run("stats", "campaign:autumn", "--json").stdout) == []
    hours = json.loads(run("stats", "campaign:spring", "--by", "hour", "--json").stdout)
    assert sum(hour["human_clicks"] for hour in hours) == everything["human_clicks"]
    assert "genuine" in run("stats", "is:person", "--by", "class").stdout


@pytest.mark.usefixtures("campaign")
def test_query_says_where_its_counts_come_from(run: Run) -> None:
    """What rollups know is answered from them, with the counts that the events have one by one."""
    for by in ("all", "campaign", "hour", "link"):
        found = json.loads(run("stats", "campaign:spring", "--by", by, "--json").stdout)
        counted = json.loads(run("stats", "campaign:spring", "kind:open,click", "--by", by, "--json").stdout)
        assert found != []
        assert {line.pop("source") for line in found} == {"rollups"}
        assert {line.pop("source") for line in counted} == {"events"}
        assert found == counted
    assert "from the rollups" in run("stats", "campaign:spring", "--by", "hour").stdout
    assert "from the rollups" not in run("stats", "campaign:spring", "since:30d", "--by", "hour").stdout


@pytest.mark.usefixtures("campaign")
def test_query_of_statistics_says_what_is_wrong(run: Run) -> None:
    """A mistake is shown at its place, and options that ask for something else are refused."""
    assert "campain" in run("stats", "campain:x").output
    assert "QUERY goes with" in run("stats", "campaign:x", "--wide").output
    assert "--by class needs a QUERY" in run("stats", "--by", "class").output

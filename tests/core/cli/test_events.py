"""``mailnod events``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from mailnod import Tracker
from mailnod.testing import FrozenClock

Run = Callable[..., Result]


def show(run: Run, *arguments: str) -> list[dict[str, Any]]:
    result = run("events", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_json_has_events_newest_first(run: Run, campaign: None) -> None:
    """JSON holds each event with its verdict and its mail, newest first."""
    found = show(run)
    assert len(found) == 3
    assert found == sorted(found, key=lambda event: event["occurred_at"], reverse=True)
    (click,) = [event for event in found if event["type"] == "message.clicked"]
    assert click["url"] == "https://example.com/spring"
    assert click["recipient"] == "ada@example.com"
    assert (click["campaign"], click["route"]) == ("spring", "news")


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--kind", "click"], 1),
        (["--recipient", "bob@example.com"], 1),
        (["--campaign", "spring"], 3),
        (["--campaign", "autumn"], 0),
        (["--route", "shop"], 0),
        (["--message", "<ada@app.example>"], 2),
        (["--since", "61s"], 2),
        (["--since", "1h"], 3),
        (["--since", "2030-01-01"], 0),
        (["--until", "2026-01-01T12:00:10"], 1),
        (["--limit", "2"], 2),
        (["--tests"], 0),
        (["--class", "generic_bot", "--message-id", "<bob@app.example>"], 1),
        (["--no-tests"], 3),
        (["kind:click"], 1),
        (["rcpt:bob@example.com"], 1),
        (["kind:open", "is:machine"], 2),
        (["kind:open -is:machine"], 0),
        (["since:61s", "until:2030-01-01", "campaign:spring"], 2),
        (["class:!generic_bot", "--kind", "open"], 1),
        (["/spring"], 1),
    ],
)
def test_filters_restrict(run: Run, campaign: None, arguments: list[str], count: int) -> None:
    """Each filter leaves the events that it names."""
    assert len(show(run, *arguments)) == count


def test_people_and_machines_part_the_events(run: Run, campaign: None) -> None:
    """Every event is of people or of machines, and the script is a machine."""
    people, machines = show(run, "--people"), show(run, "--machines")
    assert len(people) + len(machines) == 3
    assert "bob@example.com" in {event["recipient"] for event in machines}


def test_people_and_machines_together_are_refused(run: Run, campaign: None) -> None:
    """Two filters that exclude each other are a wrong call."""
    result = run("events", "--people", "--machines")
    assert result.exit_code == 2
    assert "exclude each other" in result.output


def test_json_says_what_the_mail_was_given_and_why_it_was_tracked(run: Run, campaign: None) -> None:
    """Tags, metadata and the reasons of the decision stand beside the verdict."""
    event = show(run, "--kind", "click")[0]
    assert (event["tags"], event["metadata"], event["test"]) == (["spring", "shoes"], {"order": "7"}, False)
    assert "route 'news': opens on, clicks on" in event["reasons"]


@pytest.mark.parametrize("width", [80, 120])
def test_an_event_takes_two_lines_of_the_terminal(run: Run, campaign: None, width: int) -> None:
    """Each event has two lines that fit the terminal, with the recipient and the class whole."""
    lines = run("events", width=width).stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == 3 + 2 * 3
    assert lines[0].startswith("3 events, newest first")
    assert sum("@example.com" in line for line in lines) == 3
    assert any("/spring" in line for line in lines)


def test_one_event_is_one(run: Run, campaign: None) -> None:
    """The title counts as people do."""
    assert run("events", "--kind", "click").stdout.startswith("1 event, newest first")


def test_waiting_hits_are_counted(run: Run, waiting: None, tracker: Tracker, clock: FrozenClock) -> None:
    """Right after a hit the answer says that it is there, wherever it waits, and says so no more once it is judged."""
    assert run("events").stdout == "No events yet; 3 hits wait to be judged.\n"
    clock.advance(-60)
    tracker.work_once()
    assert "2 hits wait to be judged." in run("events").stdout
    clock.advance(60)
    tracker.work_once()
    assert "to be judged" not in run("events").stdout
    assert run("events", "--route", "shop").stdout == "No events.\n"


def test_before_gives_the_next_page(run: Run, campaign: None) -> None:
    """The id of the last event leads to the older ones."""
    first = show(run, "--limit", "2")
    rest = show(run, "--before", str(first[-1]["id"]))
    assert [*first, *rest] == show(run)


def test_table_shows_no_control_character(run: Run, campaign: None) -> None:
    """An escape sequence in a subject reaches no terminal."""
    result = run("events")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "ada@example.com" in result.stdout


def test_full_page_names_the_next(run: Run, campaign: None) -> None:
    """A table that was cut off says how to see more."""
    assert "--before " in run("events", "--limit", "1").stdout


@pytest.mark.parametrize(("option", "value"), [("--since", "yesterday"), ("--before", "xyz"), ("--class", "human")])
def test_unreadable_values_are_refused(run: Run, campaign: None, option: str, value: str) -> None:
    """A value that cannot be read ends with 2 and is shown."""
    result = run("events", option, value)
    assert result.exit_code == 2
    assert value in result.output


def test_missing_database_is_not_made(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    """Looking at events never makes a store; the message names the path and the option."""
    result = run("events")
    assert result.exit_code == 2
    assert environ["MAILNOD_DATABASE"] in result.output
    assert "--database" in result.output
    assert list(tmp_path.iterdir()) == []


def test_foreign_file_is_one_clear_line(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    """A file that is no database ends with 1 and no traceback."""
    (tmp_path / "mailnod.db").write_bytes(b"not a database " * 100)
    result = run("events")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


def test_option_goes_before_environment(run: Run, campaign: None, tmp_path: Path) -> None:
    """``--database`` names another store than MAILNOD_DATABASE."""
    assert "other.db" in run("events", "--database", str(tmp_path / "other.db")).output


def test_query_that_cannot_be_read_is_shown_with_its_place(run: Run, campaign: None) -> None:
    """The message repeats the query, points to the part, and suggests."""
    result = run("events", "kind:click", "campain:x")
    assert result.exit_code == 2
    assert "did you mean campaign?" in result.output
    lines = result.output.splitlines()
    line = next(index for index, text in enumerate(lines) if "kind:click campain:x" in text)
    assert lines[line + 1].rstrip() == " " * lines[line].index("campain") + "^" * len("campain")

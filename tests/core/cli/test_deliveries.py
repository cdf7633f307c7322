"""``mailnod deliveries``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

Run = Callable[..., Result]


def test_json_says_who_was_tracked_and_why(run: Run, mail: list[str]) -> None:
    """Each delivery shows its recipients, what was decided, with which reasons, and what the mail was given."""
    newest, oldest = json.loads(run("deliveries", "--json").stdout)
    assert (newest["recipients"], oldest["recipients"]) == (["bob@example.com"], ["ada@example.com"])
    assert (newest["opens"], newest["clicks"], newest["state"]) == ("individual", "individual", "accepted")
    assert newest["reasons"][0] == "route 'news': opens on, clicks on"
    assert (newest["campaign"], newest["tags"], newest["metadata"]) == ("spring", ["spring", "shoes"], {"order": "7"})
    assert newest["sent_at"] == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "recipients"),
    [
        (["--recipient", "Ada@example.com"], ["ada@example.com"]),
        (["--message-id", "<bob@app.example>"], ["bob@example.com"]),
        (["--limit", "1"], ["bob@example.com"]),
        (["--recipient", "cy@example.com"], []),
    ],
)
def test_filters_restrict(run: Run, mail: list[str], arguments: list[str], recipients: list[str]) -> None:
    """Each filter leaves the deliveries that it names."""
    found = json.loads(run("deliveries", "--json", *arguments).stdout)
    assert [one["recipients"][0] for one in found] == recipients


def test_table_fits_eighty_columns(run: Run, mail: list[str]) -> None:
    """A person sees recipient, reasons, tags and campaign without a line that is too wide or a steered terminal."""
    shown = run("deliveries", width=80).stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    for piece in ("2 deliveries", "ada@example.com", "route news", "campaign spring", "tags spring, shoes", "order=7"):
        assert piece in shown


def test_none_is_an_answer(run: Run, mail: list[str]) -> None:
    """Who was never tracked is told that such mail leaves no trace."""
    result = run("deliveries", "--recipient", "cy@example.com")
    assert result.exit_code == 0
    assert "no trace" in result.stdout


def test_full_page_names_the_next(run: Run, mail: list[str]) -> None:
    """A table that was cut off says how to see more, and that leads to the rest."""
    shown = run("deliveries", "--limit", "1").stdout
    last = shown.rpartition("--before ")[2].strip()
    rest = json.loads(run("deliveries", "--before", last, "--json").stdout)
    assert len(rest) == len(json.loads(run("deliveries", "--json").stdout)) - 1
    assert run("deliveries", "--before", "xyz").exit_code == 2

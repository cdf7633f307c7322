"""``mailnod stats``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

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

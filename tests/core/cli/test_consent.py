"""``mailnod consent``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from mailnod import Tracker

Run = Callable[..., Result]


def state(run: Run, *arguments: str) -> tuple[str, str]:
    shown = json.loads(run("consent", "show", "ada@example.com", "--json", *arguments).stdout)
    return shown["opens"], shown["clicks"]


def test_grant_and_withdraw_change_both_axes(run: Run) -> None:
    """Without --opens and --clicks both axes change."""
    assert run("consent", "grant", "ada@example.com").exit_code == 0
    assert state(run) == ("granted", "granted")
    assert run("consent", "withdraw", "ada@example.com").exit_code == 0
    assert state(run) == ("denied", "denied")


def test_one_axis_leaves_the_other(run: Run) -> None:
    """--clicks changes clicks alone, and an axis that was never asked stays unknown."""
    run("consent", "grant", "ada@example.com", "--opens")
    assert state(run) == ("granted", "unknown")
    run("consent", "withdraw", "ada@example.com", "--clicks")
    assert state(run) == ("granted", "denied")


def test_purposes_are_apart(run: Run) -> None:
    """Consent for one purpose says nothing about another."""
    run("consent", "grant", "ada@example.com", "--purpose", "offers")
    assert state(run, "--purpose", "offers") == ("granted", "granted")
    assert state(run) == ("unknown", "unknown")


def test_history_keeps_proof(run: Run) -> None:
    """Source, actor and text version are kept, oldest first."""
    run("consent", "grant", "ada@example.com", "--source", "form", "--actor", "ann", "--text-version", "v3")
    run("consent", "withdraw", "ada@example.com")
    first, second = json.loads(run("consent", "show", "ada@example.com", "--json").stdout)["history"]
    assert (first["source"], first["actor"], first["text_version"]) == ("form", "ann", "v3")
    assert second["source"] == "command line"
    assert "form" in run("consent", "show", "ada@example.com").stdout


def test_withdrawal_silences_sent_mail(run: Run, campaign: None, tracker: Tracker) -> None:
    """What was sent before stops recording, and nothing else does."""
    run("consent", "withdraw", "ada@example.com")
    suppressed, _ = tracker.store.get_suppressed()
    assert len(suppressed) == 1


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "Ada <ada@example.com>",
        "a@b, c@d",
        "@example.com",
        "ada@",
        "mailto:ada@example.com",
        "ada@@example.com",
        '"ada"@example.com',
        "ada@example.com (Ada)",
    ],
)
def test_only_bare_addresses_are_taken(run: Run, address: str) -> None:
    """What is not one bare address is refused and nothing is written."""
    assert run("consent", "grant", address).exit_code == 2


def test_json_is_all_there_is(run: Run) -> None:
    """With --json standard output is one JSON value."""
    assert json.loads(run("consent", "grant", "ada@example.com", "--json").stdout)["opens"] == "granted"


def test_purpose_that_no_route_has_is_said(run: Run) -> None:
    """A consent that lets nothing be tracked is recorded as it was given, with a warning beside it."""
    result = run("consent", "grant", "ada@example.com", "--purpose", "newsletters")
    assert result.exit_code == 0
    assert "no route that tracks asks for 'newsletters'; --purpose takes 'statistics'" in result.output
    assert state(run, "--purpose", "newsletters") == ("granted", "granted")
    assert "no route that tracks" not in run("consent", "grant", "ada@example.com").output

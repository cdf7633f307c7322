"""The same commands on an app's own tracker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailnod import Keyring, Settings, Tracker
from mailnod.cli.context import CliContext
from mailnod.cli.main import cli
from mailnod.testing import FrozenClock
from mailnod.tokens import KeyState

Run = Callable[..., Result]


@pytest.fixture
def tracker(environ: dict[str, str], clock: FrozenClock) -> Iterator[Tracker]:
    """Return an app's tracker, with keys that were derived from the app's secret."""
    settings = Settings.from_environ({**environ, "MAILNOD_SECRET_KEYS": ""}, worker="none")
    tracker = Tracker(settings, keyring=Keyring.derive("app's secret"), clock=clock, load_entry_points=False)
    yield tracker
    tracker.close()


@pytest.fixture
def run_in_app(tracker: Tracker) -> Run:
    """Return a function that runs ``flask mailnod`` with arguments, as an adapter does."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments, obj=CliContext(tracker=tracker), env={"COLUMNS": "200"})

    return run


def test_app_s_store_is_used_and_stays_open(run_in_app: Run, campaign: None, tracker: Tracker) -> None:
    """Commands show the app's events, and leave its store to it."""
    assert len(json.loads(run_in_app("events", "--json").output)) == 3
    assert tracker.work_once() is not None


def test_database_of_an_app_is_the_app_s(run_in_app: Run, tmp_path: Path) -> None:
    """--database beside an app's configuration is a contradiction, and refused."""
    result = run_in_app("events", "--database", str(tmp_path / "other.db"))
    assert result.exit_code == 2
    assert "the app's own configuration" in result.output


def test_app_collects_for_itself(run_in_app: Run) -> None:
    """``serve`` has no place beside an app."""
    assert run_in_app("serve").exit_code == 2


def test_derived_keys_are_carried_over(run_in_app: Run, tracker: Tracker) -> None:
    """A first key of one's own keeps the links alive that derived keys have signed."""
    derived = tracker.keyring.keys[0]
    value = run_in_app("keys", "new", "--json").output
    keys = {key.id: key for key in Keyring.parse(json.loads(value)["secret_keys"]).keys}
    assert keys[derived.id].state is KeyState.VERIFYING
    assert keys[derived.id].secret == derived.secret
    assert "derived" in run_in_app("keys", "list").output


def test_doctor_warns_of_derived_keys(run_in_app: Run, campaign: None) -> None:
    """Derived keys are allowed, and a new SECRET_KEY would kill links."""
    result = run_in_app("doctor", "--json")
    found = {one["subject"]: one for one in json.loads(result.output) if one["level"] != "ok"}
    assert result.exit_code == 0
    assert "SECRET_KEY_FALLBACKS" in found["keys"]["detail"]


def test_app_s_plugins_are_listed(run_in_app: Run) -> None:
    """The plugins are those of the app's tracker."""
    assert "ConsentStore" in run_in_app("plugins").output


def test_hints_name_commands_as_they_were_called(tracker: Tracker) -> None:
    """A hint that left "flask" out would lead past the app's settings."""
    obj = CliContext(tracker=tracker)
    shown = CliRunner().invoke(cli, ["networks", "show"], obj=obj, prog_name="flask mailnod").stdout
    assert "'flask mailnod networks update'" in shown

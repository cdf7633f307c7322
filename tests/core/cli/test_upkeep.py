"""``mailnod sweep``, ``mailnod archive`` and ``mailnod snapshot``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mailnod import Tracker
from mailnod.testing import FrozenClock

Run = Callable[..., Result]

DAY_S = 86_400.0


@pytest.mark.usefixtures("campaign")
def test_sweep_erases_what_is_over(run: Run, clock: FrozenClock, tracker: Tracker) -> None:
    """Nothing goes before its time; after it the sweep says how much went."""
    assert json.loads(run("sweep", "--json").stdout) == {"minimised": 0, "bodies": 0, "clean": True}
    clock.advance(29 * DAY_S)
    assert "The raw facts of 3 hits were erased." in run("sweep").stdout
    assert json.loads(run("events", "--json").stdout)[0]["user_agent"] is None


def test_sweep_makes_no_store(run: Run, tmp_path: Path) -> None:
    """A misspelt path is refused and not made."""
    assert run("sweep").exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("campaign")
def test_archive_moves_what_is_old(run: Run, clock: FrozenClock, tmp_path: Path) -> None:
    """A dry run only counts; the real one moves, and statistics go on to count what was moved."""
    pytest.importorskip("duckdb", reason="duckdb: the extra 'archive' is not installed")
    clock.advance(60 * DAY_S)
    before = run("stats", "--json").stdout
    folder = str(tmp_path / "old")
    assert json.loads(run("archive", folder, "--older-than", "20", "--dry-run", "--json").stdout) == {"old_enough": 3}
    assert not (tmp_path / "old").exists()
    assert "3 events moved into 1 file" in run("archive", folder, "--older-than", "20").stdout
    assert json.loads(run("events", "--json").stdout) == []
    assert run("stats", "--json").stdout == before


@pytest.mark.usefixtures("campaign")
def test_statistics_span_archive_and_store(run: Run, clock: FrozenClock, tmp_path: Path) -> None:
    """Events of the archive and of the store are counted together; a question that nobody can answer is refused."""
    pytest.importorskip("duckdb", reason="duckdb: the extra 'archive' is not installed")
    clock.advance(60 * DAY_S)
    folder = str(tmp_path / "old")
    assert "holds no archive" in run("stats", "--archive", folder, "--by", "class").stderr
    run("archive", folder, "--older-than", "20")
    (month,) = json.loads(run("stats", "--archive", folder, "--by", "month", "--json").stdout)
    (counted,) = json.loads(run("stats", "--json").stdout)
    assert month["key"] in run("stats", "--archive", folder).stdout
    assert month.pop("source") == "archive"
    assert month.items() - {("key", month["key"])} <= counted.items()
    assert "genuine" in run("stats", "--archive", folder, "--by", "class").stdout
    assert "--by month needs a QUERY" in run("stats", "--by", "month").stderr
    assert "--archive goes with --by" in run("stats", "--archive", folder, "--by", "hour").stderr


@pytest.mark.usefixtures("campaign")
def test_snapshot_is_read_like_the_store(run: Run, tmp_path: Path) -> None:
    """Every command reads the copy, and a minimised one names nobody."""
    target = str(tmp_path / "copy.db")
    assert "with addresses" in run("snapshot", target).stdout
    assert run("events", "--json", "--database", target).stdout == run("events", "--json").stdout
    refused = run("snapshot", target, "--minimised")
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert json.loads(run("snapshot", target, "--minimised", "--force", "--json").stdout)["minimised"] is True
    assert {e["recipient"] for e in json.loads(run("events", "--json", "--database", target).stdout)} <= {"", None}
    assert "erased" in run("events", "--database", target).stdout


def test_snapshot_of_itself_is_refused(run: Run, campaign: None, environ: dict[str, str]) -> None:
    """The store is never replaced by its own copy."""
    result = run("snapshot", environ["MAILNOD_DATABASE"], "--force")
    assert result.exit_code == 1
    assert "the store itself" in result.stderr


@pytest.mark.usefixtures("campaign")
def test_copy_without_the_driver_names_the_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the message says what to install."""
    monkeypatch.setitem(sys.modules, "mailnod.store.postgres.copying", None)
    result = run("copy", "postgresql://mailnod@db.example/mail")
    assert result.exit_code == 2
    assert "pip install 'mailnod[postgres]'" in result.stderr

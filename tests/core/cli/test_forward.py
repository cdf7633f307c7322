"""``mailnod forward``: what a host has written down comes into the store, and nothing is judged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from mailnod import Tracker

Run = Callable[..., Result]


def test_once_takes_in_and_judges_nothing(run: Run, waiting: None, tracker: Tracker) -> None:
    """One pass moves what lies in the journals, says how much, and leaves the judging to a worker."""
    done = json.loads(run("forward", "--once", "--json").output)
    assert (done["forwarded"], done["pending"]) == (3, 0)
    assert tracker.store.count_waiting() == 3
    assert "0 hits forwarded, 0 pending" in run("forward", "--once").output
    assert tracker.work_once()


def test_misspelt_database_is_refused(run: Run, tmp_path: Path) -> None:
    """Where there is neither a database nor a journal, nothing is made."""
    result = run("forward", "--once", "--database", str(tmp_path / "nowhere.db"))
    assert result.exit_code == 2
    assert "there is no database" in result.output
    assert list(tmp_path.iterdir()) == []


def test_signal_ends_it_in_good_order(environ: dict[str, str], waiting: None, tracker: Tracker) -> None:
    """It forwards until SIGTERM, ends with code 0, and leaves the lease to the next."""
    with subprocess.Popen(
        [sys.executable, "-c", "from mailnod.cli.main import cli; cli()", "forward", "--json"],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["forwarded"] == 3
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.endswith("Stopped.\n")
    assert tracker.work_once() is not None

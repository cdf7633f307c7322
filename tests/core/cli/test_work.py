"""``mailnod work``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mailnod import Tracker

Run = Callable[..., Result]

CODE = "from mailnod.cli.main import cli; cli(prog_name='mailnod')"


def test_once_reports_one_pass(run: Run, waiting: None) -> None:
    """One pass takes in what waits and says so; the next finds nothing."""
    assert json.loads(run("work", "--once", "--json").stdout)["drained"] == 3
    assert "0 drained" in run("work", "--once").stdout


def test_once_makes_no_store(run: Run, tmp_path: Path) -> None:
    """A misspelt path is refused and not made."""
    result = run("work", "--once", "--database", str(tmp_path / "typo.db"))
    assert result.exit_code == 2
    assert "typo.db" in result.output
    assert list(tmp_path.iterdir()) == []


def test_keys_are_not_needed(run: Run, environ: dict[str, str], waiting: None) -> None:
    """Judging signs nothing, so it runs beside an app that derives its keys."""
    del environ["MAILNOD_SECRET_KEYS"]
    assert "3 drained" in run("work", "--once").stdout


def test_two_do_not_work_at_once(run: Run, waiting: None, tracker: Tracker) -> None:
    """While another process is at work, --once says so and ends with 1."""
    assert tracker.work_once() is not None
    result = run("work", "--once")
    assert result.exit_code == 1
    assert "another process" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_loop(environ: dict[str, str], waiting: None, number: signal.Signals) -> None:
    """The loop works until it is told to stop, then ends with 0."""
    arguments = [sys.executable, "-c", CODE, "work", "--json"]
    env = {**os.environ, **environ}
    with subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["drained"] == 3
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert errors.endswith("Stopped.\n")

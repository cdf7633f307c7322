"""Exports: CSV that no spreadsheet runs, JSON lines, and files for their owner alone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mailnod.report.rows import COLUMNS

Run = Callable[..., Result]


def test_csv_has_all_events_in_stable_columns(run: Run, campaign: None, tmp_path: Path) -> None:
    """A file has the documented columns and every event, and is readable by its owner alone."""
    path = tmp_path / "events.csv"
    assert run("events", "--csv", str(path)).exit_code == 0
    header, *rows = csv.reader(io.StringIO(path.read_text()))
    assert header == list(COLUMNS)
    assert len(rows) == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_jsonl_has_one_object_a_line(run: Run, campaign: None) -> None:
    """Standard output takes JSON lines, newest first, and nothing else."""
    result = run("events", "--jsonl", "-", "kind:open")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["type"] for event in found] == ["message.opened"] * 2
    assert list(found[0]) == list(COLUMNS)
    assert found[0]["occurred_at"] > found[1]["occurred_at"]


def test_export_is_limited_and_begins_where_it_is_told(run: Run, campaign: None) -> None:
    """The limit and the cursor of lists hold for exports too."""
    ids = [json.loads(line)["id"] for line in run("events", "--jsonl", "-").stdout.splitlines()]
    rest = run("events", "--jsonl", "-", "--before", ids[0], "--limit", "1").stdout.splitlines()
    assert [json.loads(line)["id"] for line in rest] == ids[1:2]


@pytest.mark.parametrize("options", [("--csv", "-", "--json"), ("--csv", "-", "--jsonl", "-")])
def test_forms_exclude_each_other(run: Run, campaign: None, options: tuple[str, ...]) -> None:
    """Two forms at once are a wrong call."""
    result = run("events", *options)
    assert result.exit_code == 2
    assert "exclude each other" in result.output


def test_file_that_cannot_be_written_is_named(run: Run, campaign: None, tmp_path: Path) -> None:
    """A folder that is not there is one clear line."""
    result = run("events", "--csv", str(tmp_path / "no" / "events.csv"))
    assert result.exit_code == 1
    assert "cannot be written" in result.output

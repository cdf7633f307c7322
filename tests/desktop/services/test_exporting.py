"""Exports from the window: byte for byte those of the command, whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from contracts.judged_store import PHONE, JudgedStore
from mailnod.cli.context import CliContext
from mailnod.cli.main import cli
from mailnod.model import EventFilter, Term
from mailnod_desktop.services.exporting import Form, Written, count_events, export_events, look_at


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[JudgedStore]:
    """Give a store with four events, one of them of a mail whose subject is a formula."""
    judged = JudgedStore(tmp_path)
    judged.hit(judged.send("eve", subject="=cmd|' /C calc'!A0"), "o", PHONE)
    judged.clock.advance(60)
    judged.tracker.work_once()
    yield judged
    judged.close()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_file_is_that_of_the_command(judged: JudgedStore, tmp_path: Path, form: Form) -> None:
    """Columns, order and cells are those of ``mailnod events``, and the file is its owner's alone."""
    ours, theirs = tmp_path / f"ours.{form}", tmp_path / f"theirs.{form}"
    arguments = ["events", "--database", str(judged.path), f"--{form}", str(theirs)]
    assert CliRunner().invoke(cli, arguments, obj=CliContext(environ={}, clock=judged.clock)).exit_code == 0
    assert export_events(judged.path, EventFilter(), ours, form, on_progress=lambda _: None) == 4
    assert ours.read_bytes() == theirs.read_bytes()
    assert ours.stat().st_mode & 0o777 == 0o600
    assert ("'=cmd" in ours.read_text()) == (form == "csv")


def test_filter_and_count_agree(judged: JudgedStore, tmp_path: Path) -> None:
    """As many rows are written as were counted before."""
    wanted = EventFilter(terms=(Term(field="rcpt", values=("ada@example.com",)),), limit=1)
    assert count_events(judged.path, wanted) == 2
    assert export_events(judged.path, wanted, tmp_path / "ada.csv", "csv", on_progress=lambda _: None) == 2


def test_stopped_export_leaves_nothing(judged: JudgedStore, tmp_path: Path) -> None:
    """Whoever is told of the progress may end it, at the last moment too; the file of before stays."""
    folder = tmp_path / "exports"
    folder.mkdir()
    target = folder / "events.csv"
    target.write_text("before")

    def stop(written: Written) -> None:
        if written.rows == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_events(judged.path, EventFilter(), target, "csv", on_progress=stop)
    assert target.read_text() == "before"
    assert list(folder.iterdir()) == [target]


def test_store_itself_is_never_replaced(judged: JudgedStore, tmp_path: Path) -> None:
    """Neither its name nor a link to it can be exported to."""
    link = tmp_path / "link.csv"
    link.symlink_to(judged.path)
    for target in (judged.path, link):
        with pytest.raises(FileExistsError, match="the store itself"):
            export_events(judged.path, EventFilter(), target, "csv", on_progress=lambda _: None)
    assert count_events(judged.path, EventFilter()) == 4


def test_names_of_files_are_looked_at(tmp_path: Path) -> None:
    """Whatever somebody types, it is said what is there."""
    (tmp_path / "there.csv").touch()
    names = {
        "  ": "none",
        str(tmp_path): "folder",
        str(tmp_path / "there.csv"): "file",
        str(tmp_path / "new.csv"): "new",
        str(tmp_path / ("x" * 300)): "unusable",
        "~nobody.of.that.name/x.csv": "unusable",
    }
    assert {name: look_at(name)[1] for name in names} == names

"""Rows in files: CSV that no spreadsheet runs, and files that are whole or not there."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnod.report.writing import Form, clean_cell, open_export, write_rows


@pytest.mark.parametrize("sign", list("=+-@\t\r\n＝＋－＠"))  # noqa: RUF001
def test_cell_that_would_be_a_formula_is_text(sign: str) -> None:
    """An apostrophe goes before every sign that begins a formula, full-width ones included."""
    assert clean_cell(f"{sign}cmd|' /C calc'!A0") == f"'{sign}cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("a=b", "a=b"),
        (3, "3"),
        (True, "yes"),
        (False, "no"),
        (("a", "b"), "a b"),
        (b"\x01", "01"),
        ("", ""),
    ],
)
def test_values_have_one_form(value: object, cell: str) -> None:
    """Everything else is written plainly."""
    assert clean_cell(value) == cell


@pytest.mark.parametrize(
    ("form", "text"), [("csv", "number\r\n0\r\n1\r\n2\r\n"), ("jsonl", '{"number": 0}\n{"number": 1}\n{"number": 2}\n')]
)
def test_each_row_is_reported_behind_it(form: Form, text: str) -> None:
    """Who counts the rows is told of each, and ends the writing by what they raise."""
    file = io.StringIO()
    left = iter(range(2))

    def count() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    rows: Iterator[dict[str, object]] = ({"number": number} for number in range(1_000))
    with pytest.raises(KeyboardInterrupt):
        write_rows(file, form, ("number",), rows, on_row=count)
    assert file.getvalue() == text


def test_file_is_whole_and_its_owners_alone(tmp_path: Path) -> None:
    """It bears its name once all is written, and replaces one that others could read."""
    path = tmp_path / "events.csv"
    path.write_text("before")
    path.chmod(0o644)
    with open_export(path) as file:
        file.write("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_broken_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """The file of before stays as it was, and no part of the new one is left."""
    path = tmp_path / "events.csv"
    path.write_text("before")

    def break_off() -> None:
        with open_export(path) as file:
            file.write("half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_link_stays_a_link(tmp_path: Path) -> None:
    """The file that it leads to is replaced."""
    path, link = tmp_path / "events.csv", tmp_path / "latest.csv"
    path.write_text("before")
    link.symlink_to(path)
    with open_export(link) as file:
        file.write("after")
    assert link.is_symlink()
    assert path.read_text() == "after"


def test_pipe_is_written_to(tmp_path: Path) -> None:
    """What is no file is not replaced by one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with open_export(pipe) as file:
        file.write("all of it")
    reader.join(10)
    assert read == ["all of it"]
    assert pipe.is_fifo()

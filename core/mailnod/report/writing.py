"""Write what may be millions of rows as CSV or JSON lines, as they come."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO

from mailnod.report.plain import to_plain

__all__ = ["Form", "clean_cell", "open_export", "write_rows"]

Form = Literal["csv", "jsonl"]

#: With these a cell would be a formula to a spreadsheet; the full-width signs too, which some take for the same.
_FORMULAS = "=+-@\t\r\n＝＋－＠"  # noqa: RUF001


def clean_cell(value: object) -> str:
    """Return a value as a cell of CSV that no spreadsheet takes for a formula: an apostrophe goes before one.

    :param value: None gives an empty cell; lists are joined with blanks.
    """
    plain = to_plain(value)
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(plain, list):
        plain = " ".join(map(str, plain))
    text = "" if plain is None else json.dumps(plain) if isinstance(plain, dict) else str(plain)
    return f"'{text}" if text.startswith(tuple(_FORMULAS)) else text


def write_rows(
    file: TextIO,
    form: Form,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, object]],
    *,
    on_row: Callable[[], object] | None = None,
) -> None:
    """Write rows as they come.

    :param columns: the keys of each row, in the order of the columns.
    :param on_row: is called behind each row; what it raises ends the writing.
    """
    write = _write_csv(file, columns) if form == "csv" else _write_jsonl(file, columns)
    for row in rows:
        write(row)
        if on_row is not None:
            on_row()


@contextlib.contextmanager
def open_export(path: Path) -> Iterator[TextIO]:
    """Open a file for an export; it bears its name once it is whole, and is for its owner alone, as it names people.

    Where anything raises before, what was written is removed, and a file of that name is left as it was. What is no
    file, such as a pipe, is written to as it is.

    :raises OSError: it cannot be written.
    """
    # Behind a link, so that the link stays one.
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _write_csv(file: TextIO, columns: Sequence[str]) -> Callable[[Mapping[str, object]], object]:
    writer = csv.writer(file)
    writer.writerow(columns)
    return lambda row: writer.writerow([clean_cell(row[name]) for name in columns])


def _write_jsonl(file: TextIO, columns: Sequence[str]) -> Callable[[Mapping[str, object]], object]:
    return lambda row: file.write(json.dumps({name: to_plain(row[name]) for name in columns}) + "\n")

"""Write what may be millions of rows as CSV or JSON lines, page by page, with progress on a terminal."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import click

from mailnod.cli.output import count, make_console, to_plain

__all__ = ["Export", "clean_cell", "export_options", "read_export", "write_rows"]

#: With these a cell would be a formula to a spreadsheet; the full-width signs too, which some take for the same.
_FORMULAS = "=+-@\t\r\n＝＋－＠"  # noqa: RUF001

#: Where to write and in which form.
Export = tuple[str, str]


def export_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--csv`` and ``--jsonl`` to a command; :func:`read_export` reads them."""
    for form, doc in (("jsonl", "JSON lines"), ("csv", "CSV")):
        command = click.option(
            f"--{form}",
            f"{form}_path",
            metavar="FILE",
            type=click.Path(dir_okay=False, allow_dash=True),
            help=f"Write all of it as {doc} into a file, or to standard output (-).",
        )(command)
    return command


def read_export(csv_path: str | None, jsonl_path: str | None, *, as_json: bool) -> Export | None:
    """Return form and path of what is to be written; None where nothing is.

    :raises click.UsageError: more than one form is asked for.
    """
    asked = [(form, path) for form, path in (("csv", csv_path), ("jsonl", jsonl_path)) if path is not None]
    if len(asked) + as_json > 1:
        raise click.UsageError("--csv, --jsonl and --json exclude each other.")
    return asked[0] if asked else None


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


def write_rows(export: Export, columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, what: str) -> None:
    """Write rows as they come.

    :param columns: the keys of each row, in the order of the columns.
    :param what: what a row is, for the progress: "event".
    """
    form, path = export
    with _open(path) as file, _progress(what) as advance:
        write = _write_csv(file, columns) if form == "csv" else _write_jsonl(file, columns)
        for row in rows:
            write(row)
            advance()


def _write_csv(file: TextIO, columns: Sequence[str]) -> Callable[[Mapping[str, object]], object]:
    writer = csv.writer(file)
    writer.writerow(columns)
    return lambda row: writer.writerow([clean_cell(row[name]) for name in columns])


def _write_jsonl(file: TextIO, columns: Sequence[str]) -> Callable[[Mapping[str, object]], object]:
    return lambda row: file.write(json.dumps({name: to_plain(row[name]) for name in columns}) + "\n")


@contextlib.contextmanager
def _open(path: str) -> Iterator[TextIO]:
    if path == "-":
        yield sys.stdout
        return
    try:
        # It names people, so it is for its owner alone.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise click.ClickException(f"{path!r} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        yield file


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[], object]]:
    """Show on a terminal how many rows there are so far."""
    console = make_console(stderr=True)
    written = 0

    def advance() -> None:
        nonlocal written
        written += 1
        if written % 1_000 == 0:
            status.update(f"{count(written, what)} so far")

    with console.status("Reading") if console.is_terminal else _NoStatus() as status:
        yield advance
    if console.is_terminal:
        console.print(f"{count(written, what)} written.")


class _NoStatus:
    """What stands for a progress where nobody looks."""

    def __enter__(self) -> _NoStatus:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, _: str) -> None:
        """Show nothing."""

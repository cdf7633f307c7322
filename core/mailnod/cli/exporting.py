"""The options of commands that export what may be millions of rows, and their progress on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from mailnod.cli.output import count, make_console
from mailnod.report.writing import Form, open_export, write_rows

__all__ = ["Export", "export_options", "read_export", "write_export"]

#: Where to write and in which form.
Export = tuple[Form, str]


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
    forms: tuple[tuple[Form, str | None], ...] = (("csv", csv_path), ("jsonl", jsonl_path))
    asked = [(form, path) for form, path in forms if path is not None]
    if len(asked) + as_json > 1:
        raise click.UsageError("--csv, --jsonl and --json exclude each other.")
    return asked[0] if asked else None


def write_export(export: Export, columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, what: str) -> None:
    """Write rows as they come, with progress on a terminal.

    :param columns: the keys of each row, in the order of the columns.
    :param what: what a row is, for the progress: "event".
    """
    form, path = export
    with _open(path) as file, _progress(what) as advance:
        write_rows(file, form, columns, rows, on_row=advance)


@contextlib.contextmanager
def _open(path: str) -> Iterator[TextIO]:
    if path == "-":
        yield sys.stdout
        return
    try:
        with open_export(Path(path)) as file:
            yield file
    except OSError as error:
        raise click.ClickException(f"{path!r} cannot be written: {error.strerror}") from None


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

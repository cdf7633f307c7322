"""How results are shown: rich tables for people, JSON for programs; hostile text can move no cursor."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from pathlib import PurePath
from typing import Any

import click

__all__ = ["clean", "format_time", "print_json", "print_table", "to_plain"]

#: How wide tables are where nothing says so, as in a pipe.
PIPE_COLUMNS = 160


def clean(text: str) -> str:
    """Return text with every character that could steer a terminal made visible.

    Subjects, links and clients' names come from strangers.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def format_time(moment: datetime) -> str:
    """Return a time as people read it, in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def to_plain(value: Any) -> Any:
    """Return a value as JSON knows it: bytes in hexadecimal, times in ISO 8601 UTC, dataclasses as objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value if isinstance(value, StrEnum) else value.name.lower()
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, PurePath) else value


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    click.echo(json.dumps(to_plain(value), indent=2))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: int = 0) -> None:
    """Print a table on standard output.

    :param numbers: how many columns, counted from the right, hold numbers.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    table = Table(title=title, title_justify="left")
    for position, column in enumerate(columns):
        number = position >= len(columns) - numbers
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(str(cell))) for cell in row))
    Console(width=width, highlight=False).print(table)

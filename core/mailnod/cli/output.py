"""How results are shown: rich tables for people, JSON for programs; hostile text can move no cursor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mailnod.report.plain import to_plain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = [
    "clean",
    "count",
    "format_time",
    "make_console",
    "make_table",
    "print_json",
    "print_table",
    "stack",
]


def clean(text: str) -> str:
    """Return text with every character that could steer a terminal made visible.

    Subjects, links and clients' names come from strangers.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def format_time(moment: datetime) -> str:
    """Return a time as people read it, in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def count(number: int, what: str, *, many: str | None = None) -> str:
    """Return a number with its word: "1 event", "2 events".

    :param many: the word for all other numbers; None puts an "s" behind it.
    """
    return f"{number:,} {what if number == 1 else many or f'{what}s'}"


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    click.echo(json.dumps(to_plain(value), indent=2))


def make_console(*, stderr: bool = False) -> Console:
    """Return the console for people: as wide as the terminal, or as COLUMNS says, or 80 columns where neither is."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def make_table(title: str) -> Table:
    """Return an empty table in the one form that all of ours have.

    :param title: taken as it is: paths and names in it may hold what would be markup.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    return Table(
        title=Text(clean(title)),
        title_style="bold",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def stack(first: str, *others: str, style: str = "", cut: bool = False) -> RenderableType:
    """Return a cell of a table with lines one below the other, all but the first one dimmed.

    :param style: of the first line.
    :param cut: cut the other lines off at the column's width; else they are folded, as the first line always is.
    """
    from rich.console import Group
    from rich.text import Text

    below = (
        Text(clean(text), style="dim", overflow="ellipsis" if cut else "fold", no_wrap=cut)
        for text in filter(None, others)
    )
    return Group(Text(clean(first), style=style, overflow="fold"), *below)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: int = 0) -> None:
    """Print a table on standard output.

    :param numbers: how many columns, counted from the right, hold numbers.
    """
    from rich.text import Text

    table = make_table(title)
    for position, column in enumerate(columns):
        number = position >= len(columns) - numbers
        table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in rows:
        table.add_row(*(Text(clean(str(cell))) for cell in row))
    make_console().print(table)

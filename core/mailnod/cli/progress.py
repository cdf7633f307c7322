"""Bars on standard error for commands that people wait for; nothing is drawn where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailnod.cli.output import make_console

__all__ = ["show_progress"]


@contextmanager
def show_progress(description: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs, and give what moves it on by so many steps.

    :param total: how many steps there are; None shows that it goes on and not how far it is.
    """
    from rich.progress import Progress

    console = make_console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total)
        yield lambda steps: progress.advance(task, steps)

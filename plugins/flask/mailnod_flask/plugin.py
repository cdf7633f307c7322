"""The plugin that every Mailnod process loads: it adds the demo, and imports nothing of Flask before that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailnod import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["register_commands"]


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Add ``mailnod demo``."""
    from mailnod_flask.demo import demo

    cli.add_command(demo)

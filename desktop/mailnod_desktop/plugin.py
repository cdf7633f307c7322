"""The plugin by which the ``mailnod`` command learns ``inspect``."""

from __future__ import annotations

import click

from mailnod import hookimpl

__all__ = ["register_commands"]


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Add ``mailnod inspect``."""
    from mailnod_desktop.commands.inspect import inspect

    cli.add_command(inspect)

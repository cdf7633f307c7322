"""``mailnod inspect``: what tracking would do to a mail, without a window."""

from __future__ import annotations

import click

__all__ = ["inspect"]


@click.command()
def inspect() -> None:
    """Show what tracking would do to a mail, and what is to be looked at in it."""
    raise click.ClickException("not built yet")

"""``flask mailnod``: the commands of ``mailnod``, on the app's own settings, keys and store."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from mailnod.cli.context import CliContext
from mailnod.cli.main import CommandGroup

__all__ = ["mailnod"]


# The app collects its own hits.
@click.group("mailnod", cls=CommandGroup, unlisted=("serve",))
@with_appcontext
@click.pass_context
def mailnod(ctx: click.Context) -> None:
    """Open and click tracking, with this app's settings."""
    ctx.obj = CliContext(tracker=current_app.extensions["mailnod"])

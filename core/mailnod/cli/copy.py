"""``mailnod copy``: bring what a file holds into PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import count, print_json
from mailnod.cli.progress import show_progress
from mailnod.errors import ConfigurationError
from mailnod.settings import Settings

__all__ = ["copy"]


@click.command()
@click.argument("target", envvar="MAILNOD_COPY_TARGET")
@database_option
@json_option
@pass_cli
def copy(cli: CliContext, *, target: str, as_json: bool) -> None:
    """Copy the store, an SQLite file, into the empty PostgreSQL database that the URL TARGET names.

    Consents, withdrawals, short links, deliveries, and judged hits with their latest verdicts. Stop the app and work
    off what waits before, and switch MAILNOD_DATABASE after. What was interrupted goes on when it is called again. A
    password need not stand in TARGET: PGPASSWORD and ~/.pgpass are read too.
    """
    source, settings = cli.settings.database, Settings.from_mapping({"MAILNOD_DATABASE": target})
    if not isinstance(source, Path) or isinstance(settings.database, Path):
        raise click.UsageError("copies go from a file (--database, MAILNOD_DATABASE) to a PostgreSQL URL (TARGET)")
    if not source.exists():
        raise ConfigurationError(f"there is no database at {str(source)!r}")
    try:
        from mailnod.store.postgres.copying import copy_store
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{str(settings.database)!r} needs {error.name}, which is not installed: pip install 'mailnod[postgres]'"
        ) from error
    with show_progress("Copying") as advance:
        deliveries, events = copy_store(source, settings.database.url, report=advance)
    if as_json:
        print_json({"target": str(settings.database), "deliveries": deliveries, "events": events})
        return
    click.echo(
        f"{count(deliveries, 'delivery', many='deliveries')} and {count(events, 'event')} copied "
        f"to {settings.database}."
    )

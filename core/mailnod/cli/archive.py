"""``mailnod archive``: move old events into Parquet files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import count, print_json
from mailnod.cli.progress import show_progress
from mailnod.model import EventFilter

__all__ = ["archive"]


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--older-than", "days", type=click.IntRange(1), required=True, metavar="DAYS", help="Days since the hit.")
@click.option("--dry-run", is_flag=True, help="Only say how many events are old enough.")
@database_option
@json_option
@pass_cli
def archive(cli: CliContext, *, folder: Path, days: int, dry_run: bool, as_json: bool) -> None:
    """Move events older than so many days into FOLDER, as Parquet files without identity, one folder for each month.

    Counts stay in the store, so 'mailnod stats' goes on to count what was moved. Events stay where the links of their
    mail recorded within these days, or where the mail is not known. A run that was interrupted is finished by the next
    one.
    """
    cli.require_store()
    now = cli.clock.now()
    before = now - timedelta(days=days)
    old = cli.reader.count_events(EventFilter(until=before))
    if dry_run:
        print_json({"old_enough": old}) if as_json else click.echo(
            f"{count(old, 'event is', many='events are')} old enough."
        )
        return
    from mailnod.report.archive import archive as move

    with show_progress("Moving", total=old) as advance:
        moved = move(cli.writer, folder, before=before, clock=cli.clock, report=advance)
    if as_json:
        print_json(moved)
        return
    files = count(len(moved.parts), "file")
    click.echo(f"{count(moved.moved, 'event')} moved into {files} in {folder}.")
    if moved.kept:
        click.echo(f"{count(moved.kept, 'event stays', many='events stay')}: the links of their mail recorded later.")

"""``mailnod sweep``: erase raw addresses, user agents, headers and bodies whose time is over, now."""

from __future__ import annotations

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import count, print_json
from mailnod.cli.progress import show_progress

__all__ = ["sweep"]

#: Exit code where a copy of what was erased is still held by somebody who reads.
NOT_CLEAN = 3


@click.command()
@database_option
@json_option
@click.pass_context
@pass_cli
def sweep(cli: CliContext, context: click.Context, *, as_json: bool) -> None:
    """Erase raw addresses, user agents and headers of hits, and bodies of mails, whose time is over.

    Workers do this by themselves each hour. MAILNOD_RETENTION_DAYS and the options retention_days and
    store_bodies_days of a route say when it is time. Verdicts and counts stay, and so do keyed hashes, the class of
    the network and the names of the headers.

    Exit code 3: all is erased from the tables, and somebody who is reading still holds a copy in the log; run it again.
    """
    cli.require_store()
    with show_progress("Erasing") as advance:
        swept = cli.tracker.worker.sweep(report=advance)
    if as_json:
        print_json(swept)
    else:
        click.echo(f"The raw facts of {count(swept.minimised, 'hit')} were erased.")
        if swept.bodies:
            click.echo(f"The HTML of {count(swept.bodies, 'mail')} was erased.")
        if not swept.clean:
            click.echo("Somebody who is reading the store still holds copies in its log; run this again.", err=True)
    if not swept.clean:
        context.exit(NOT_CLEAN)

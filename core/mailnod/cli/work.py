"""``mailnod work``: drain journals and judge in the foreground."""

from __future__ import annotations

import json
import logging
import signal
import threading
from typing import TYPE_CHECKING

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import format_time

if TYPE_CHECKING:
    from mailnod.worker import WorkDone

__all__ = ["work"]


@click.command()
@click.option("--once", is_flag=True, help="One pass with a line about it, then end.")
@database_option
@json_option
@pass_cli
def work(cli: CliContext, *, once: bool, as_json: bool) -> None:
    """Take in and judge hits until SIGTERM or Ctrl-C; a line for each pass that did something.

    With --once there is a line in any case, and nothing is made: a store that is not there is refused.

    Any number may run at once, beside the worker threads of apps: one of them works, the others stand by.
    """
    if once:
        cli.require_store()
        done = cli.tracker.work_once()
        if done is None:
            raise click.ClickException("another process is at work on this store")
        cli.tracker.worker.release_lease()
        _show(cli, done, as_json=as_json)
        return
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    worker = cli.tracker.worker
    click.echo(f"Working on {cli.tracker.settings.database}; stop with Ctrl-C.", err=True)
    worker.run(stop, report=lambda done: _show(cli, done, as_json=as_json))
    click.echo("Stopped.", err=True)


def _show(cli: CliContext, done: WorkDone, *, as_json: bool) -> None:
    now = cli.clock.now()
    counts = {name: getattr(done, name) for name in ("drained", "judged", "published", "revised", "minimised")}
    if as_json:
        click.echo(json.dumps({"at": now.isoformat(), **counts}))
    else:
        click.echo(f"{format_time(now)}  " + ", ".join(f"{count} {what}" for what, count in counts.items()))

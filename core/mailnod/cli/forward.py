"""``mailnod forward``: take this host's hits into the store, and leave the judging to others."""

from __future__ import annotations

import json
import logging
import signal
import threading

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import count, format_time

__all__ = ["forward"]


@click.command()
@click.option("--once", is_flag=True, help="One pass with a line about it, then end.")
@database_option
@json_option
@pass_cli
def forward(cli: CliContext, *, once: bool, as_json: bool) -> None:
    """Take this host's hits into the store until SIGTERM or Ctrl-C; a line for each pass that moved some.

    Run it on each app server where several share a store and none of its processes should do it (MAILNOD_WORKER=none),
    with 'mailnod work' on one or more of them. Beside others on the same host it stands by. While the store cannot be
    used, hits wait in their journals, and it tries again each ten seconds at least.
    """
    forwarder = cli.tracker.worker.forwarder
    if once:
        cli.require_store()
        moved = forwarder.forward_once()
        if moved is None:
            raise click.ClickException("another process of this host is at it")
        forwarder.release()
        _show(cli, moved, 0.0, as_json=as_json)
        return
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = cli.tracker.settings
    click.echo(f"Forwarding {settings.journal_folder} to {settings.database}; stop with Ctrl-C.", err=True)
    forwarder.run(stop, report=lambda moved, took_s: _show(cli, moved, took_s, as_json=as_json))
    click.echo("Stopped.", err=True)


def _show(cli: CliContext, moved: int, took_s: float, *, as_json: bool) -> None:
    now = cli.clock.now()
    pending = cli.count_pending()
    if as_json:
        click.echo(json.dumps({"at": now.isoformat(), "forwarded": moved, "pending": pending, "took_s": took_s}))
        return
    speed = f" in {took_s:.1f} s" if took_s else ""
    click.echo(f"{format_time(now)}  {count(moved, 'hit')} forwarded{speed}, {pending:,} pending")

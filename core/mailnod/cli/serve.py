"""``mailnod serve``: the collector alone, behind granian."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import threading
from dataclasses import replace
from functools import partial
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

import click

from mailnod.cli.context import CliContext, database_option, pass_cli
from mailnod.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["serve"]

#: Threads that answer hits; each waits for its journal's disk, together with the others, and not for a processor.
THREADS = 4


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8025, show_default=True, help="The port to listen on.")
@database_option
@pass_cli
def serve(cli: CliContext, *, host: str, port: int) -> None:
    """Run the collector alone, until SIGTERM or Ctrl-C.

    It needs MAILNOD_SECRET_KEYS as the app that sends has them. Put a reverse proxy with TLS in front of it and name
    that proxy in MAILNOD_TRUSTED_PROXIES.
    """
    if importlib.util.find_spec("granian") is None:
        raise ConfigurationError(
            "'mailnod serve' needs the granian server: install it with pip install 'mailnod[serve]', "
            "or with pip install '../mailnod[serve]' where the clone lies beside this folder"
        )
    from granian.constants import Interfaces
    from granian.server import Server

    # Whatever is wrong with the set-up is said here, once, and not by a server process that dies again and again.
    if cli.belongs_to_app:
        raise click.UsageError("the app collects its own hits; run 'mailnod serve' where no app does")
    settings = cli.settings
    if cli.keyring is None:
        raise ConfigurationError(
            "MAILNOD_SECRET_KEYS is not set, and no link could be verified: take the value that the sending app has"
        )
    _check_port(host, port)
    click.echo(f"Collecting on http://{host}:{port} into {settings.database}; stop with Ctrl-C.", err=True)
    server = Server(
        "mailnod",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        websockets=False,
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )
    server.serve(target_loader=partial(make_app, str(settings.database)), wrap_loader=False)
    click.echo("Stopped.", err=True)


def make_app(database: str) -> WSGIApplication:
    """Make the collector in the process that serves; settings are read from the environment there.

    :param database: path of the store.
    """
    from mailnod.settings import Settings
    from mailnod.tracker import Tracker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings.from_environ(os.environ, database=database)
    # The worker is started here and not by the first hit, because journals of an earlier run may wait.
    tracker = Tracker(replace(settings, worker="none"))
    Finalize(None, tracker.close, exitpriority=1)
    if settings.worker == "thread":
        stop = threading.Event()
        worker = threading.Thread(target=tracker.worker.run, args=(stop,), name="mailnod-worker", daemon=True)
        worker.start()
        Finalize(None, _stop_worker, args=(stop, worker), exitpriority=2)
    return tracker.wsgi_app()


def _stop_worker(stop: threading.Event, worker: threading.Thread) -> None:
    stop.set()
    worker.join(5)


def _check_port(host: str, port: int) -> None:
    """Say that an address cannot be had before the server says it in its own words."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error

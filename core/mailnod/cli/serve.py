"""``mailnod serve``: the collector alone, behind granian."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import logging
import multiprocessing
import os
import resource
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailnod.cli.context import CliContext, database_option, name_command, pass_cli
from mailnod.errors import ConfigurationError

if TYPE_CHECKING:
    from granian.server.common import AbstractServer

    from mailnod.collect.asgi import ASGIApp
    from mailnod.worker import Worker

__all__ = ["serve"]

#: How long a process may take to answer what it has begun, before it is killed.
END_S = 10
#: What a request's line and headers may have together: a path of 8 KiB and headers of 16.
MAX_HEAD_BYTES = 24 * 1024
#: Connections that wait to be accepted, and those that one process holds open; idle ones cost some kilobytes each.
BACKLOG = 4096
MAX_CONNECTIONS = 16_384
#: Judging waits where hits need the processor.
WORKER_NICENESS = 10
#: After how many objects more than before a process that answers looks for garbage; Python's own number is 700.
GARBAGE_THRESHOLD = 20_000


def _read_address(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, int] | None:
    if value is None:
        return None
    host, colon, port = value.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{value!r} is not HOST:PORT, such as 127.0.0.1:9125")
    return host.strip("[]"), int(port)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8025, show_default=True, help="The port to listen on.")
@click.option("--uds", type=click.Path(dir_okay=False, path_type=Path), help="A Unix socket instead of a port.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that answer.")
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="NETWORK",
    help="A proxy whose X-Forwarded-For is believed, instead of MAILNOD_TRUSTED_PROXIES; may be given again.",
)
@click.option(
    "--metrics/--no-metrics", default=False, show_default=True, help="Answer /-/metrics where the pixel is answered."
)
@click.option(
    "--metrics-address",
    callback=_read_address,
    metavar="HOST:PORT",
    help="Answer /-/metrics at an address of its own, which need not be public.",
)
@database_option
@pass_cli
def serve(
    cli: CliContext,
    *,
    host: str,
    port: int,
    uds: Path | None,
    workers: int,
    proxies: Sequence[str],
    metrics: bool,
    metrics_address: tuple[str, int] | None,
) -> None:
    """Run the collector alone, until SIGTERM or Ctrl-C.

    It needs MAILNOD_SECRET_KEYS as the app that sends has them. Put a reverse proxy with TLS in front of it and name
    that proxy in MAILNOD_TRUSTED_PROXIES. Requests are not logged, because their paths hold tokens.
    """
    if importlib.util.find_spec("granian") is None:
        raise ConfigurationError(
            "'mailnod serve' needs the granian server: install it with pip install 'mailnod[serve]', "
            "or with pip install '../mailnod[serve]' where the clone lies beside this folder"
        )
    # Whatever is wrong with the set-up is said here, once, and not by a server process that dies again and again.
    if cli.belongs_to_app:
        raise click.UsageError("the app collects its own hits; run 'mailnod serve' where no app does")
    if cli.keyring is None:
        raise ConfigurationError(
            "MAILNOD_SECRET_KEYS is not set, and no link could be verified: take the value that the sending app has"
        )
    given = {"database": cli.settings.database, "trusted_proxies": list(proxies) or None}
    load = partial(_load_app, given, metrics=metrics)
    _read_settings(given)
    if uds is None:
        _check_port(host, port)
    _allow_many_files()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailnod-serve-")))
        if metrics_address is not None:
            stack.enter_context(_metrics_at(*metrics_address, folder))
        if cli.settings.worker == "thread":
            stack.enter_context(_working(cli.tracker.worker))
        where = f"unix:{uds}" if uds else f"http://{host}:{port}"
        click.echo(f"Collecting on {where} into {cli.settings.database}; stop with Ctrl-C.", err=True)
        server = _make_server(host=host, port=port, uds=uds, workers=workers)
        try:
            server.serve(target_loader=partial(load, folder=str(folder)), wrap_loader=False)
        except SystemExit as ended:
            # The server ends so, and in silence, where a process that answers dies again as soon as it was started.
            raise click.ClickException(
                f"a process that answers ended by itself: see what it said above, and '{name_command('doctor')}'"
            ) from ended
    click.echo("Stopped.", err=True)


def _make_server(*, host: str, port: int, uds: Path | None, workers: int) -> AbstractServer[Any]:
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server import Server

    # A fork would copy the locks of this process's threads as they stand.
    multiprocessing.set_start_method("spawn", force=True)
    server: AbstractServer[Any] = Server(
        "mailnod",
        address=host,
        port=port,
        uds=uds,
        workers=workers,
        # Its own interface, RSGI, takes a little less time and drops headers that are not ASCII.
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(max_buffer_size=MAX_HEAD_BYTES),
        backlog=BACKLOG,
        backpressure=MAX_CONNECTIONS,
        websockets=False,
        log_enabled=False,
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=END_S,
    )
    return server


def _load_app(given: dict[str, Any], *, metrics: bool, folder: str) -> ASGIApp:
    """Make the collector in a process that serves; what is not given is read from the environment there."""
    from mailnod.asgi import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app = create_app(_read_settings({**given, "worker": "none"}), metrics=metrics, metrics_folder=Path(folder))
    # What is there now stays, and requests leave no cycles: garbage need not be looked for so often, nor everywhere.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    return app


def _read_settings(given: dict[str, Any]) -> Any:
    from mailnod.settings import Settings

    return Settings.from_environ(os.environ, **given)


@contextlib.contextmanager
def _working(worker: Worker) -> Iterator[None]:
    """Drain and judge in a thread of this process, which answers no hits."""
    stop = threading.Event()

    def work() -> None:
        with contextlib.suppress(OSError, AttributeError):
            # On Linux a thread has a niceness of its own.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), WORKER_NICENESS)
        worker.run(stop)

    thread = threading.Thread(target=work, name="mailnod-worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(END_S)


@contextlib.contextmanager
def _metrics_at(host: str, port: int, folder: Path) -> Iterator[None]:
    """Answer ``/-/metrics`` at an address of its own."""
    from mailnod.collect.counters import Counters
    from mailnod.collect.metrics import CONTENT_TYPE, write_metrics

    counters = Counters(folder)

    class Page(BaseHTTPRequestHandler):
        """The one page."""

        timeout = END_S

        def do_GET(self) -> None:
            known = self.path == "/-/metrics"
            body = write_metrics(counters.read()) if known else b"Not found: the metrics are at /-/metrics.\n"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", CONTENT_TYPE if known else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: a scrape each few seconds is no news."""

    try:
        server = ThreadingHTTPServer((host, port), Page)
    except OSError as error:
        raise _refuse_address(host, port, error) from error
    with server:
        thread = threading.Thread(target=server.serve_forever, name="mailnod-metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()


def _allow_many_files() -> None:
    """Let this process and its children hold as many connections as the system grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _check_port(host: str, port: int) -> None:
    """Say that an address cannot be had before the server says it in its own words."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise _refuse_address(host, port, error) from error


def _refuse_address(host: str, port: int, error: OSError) -> click.ClickException:
    return click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}")

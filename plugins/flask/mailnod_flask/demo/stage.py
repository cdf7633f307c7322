"""The demo's stage: a mail server and the app's own server on the loopback interface, and a store of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from mailnod.tokens import new_secret
from mailnod.tracker import Tracker
from mailnod_flask.demo.app import create_app
from mailnod_flask.demo.mailbox import MailServer
from mailnod_flask.demo.scene import DemoClock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["Stage", "open_stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that is up while the demo runs."""

    app: Flask
    #: The app's address, without a trailing slash.
    site: str
    mail_server: MailServer
    clock: DemoClock
    database: Path

    @property
    def tracker(self) -> Tracker:
        """The app's tracker."""
        tracker: Tracker = self.app.extensions["mailnod"]
        return tracker


@contextmanager
def open_stage(database: Path, clock: DemoClock) -> Iterator[Stage]:
    """Start both servers at free ports, and stop them at the end."""
    mail_server = MailServer()
    web_server = make_server("127.0.0.1", 0, _not_yet, threaded=True, request_handler=_QuietHandler)
    site = f"http://127.0.0.1:{web_server.server_port}"
    config = {
        "MAIL_SERVER": "127.0.0.1",
        "MAILNOD_BASE_URL": f"{site}/t",
        "MAILNOD_DATABASE": database,
        "MAILNOD_SECRET_KEYS": new_secret(),
        # The clients' addresses come through a proxy on this machine, as they do behind nginx.
        "MAILNOD_TRUSTED_PROXIES": "127.0.0.1/32",
        # Nothing is judged behind the scene's back: it moves the clock, then asks for the work to be done.
        "MAILNOD_WORKER": "none",
    }
    mail_server.start()
    try:
        app = create_app({**config, "MAIL_PORT": mail_server.port}, clock=clock, mailbox=mail_server.mails)
        web_server.app = app
        with closing(app.extensions["mailnod"]), _serving(web_server):
            yield Stage(app=app, site=site, mail_server=mail_server, clock=clock, database=database)
    finally:
        web_server.server_close()
        mail_server.stop()


@contextmanager
def _serving(server: BaseWSGIServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, name="mailnod-demo-web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class _QuietHandler(WSGIRequestHandler):
    """Werkzeug's handler, without a log line for each request."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Write nothing: the demo has its own account of what happens."""


def _not_yet(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:  # noqa: ARG001
    start_response("503 Service Unavailable", [])
    return []

"""What tracking adds to sending one mail: Flask-Mail over a real SMTP conversation on the loopback interface.

The mail server is a process of its own, so that its work is not counted; the store is on disk and synced.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

import flask_mail
from flask import Flask

import mailnod_flask
from mailnod import Consent, ConsentState, hookimpl

MAILS = 150
START_LIMIT_S = 20
SERVER = """
import sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
controller = Controller(Sink(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
print("ready", flush=True)
sys.stdin.read()
controller.stop()
"""
PARAGRAPH = (
    "<p>Offers of the week, with some text around each of them so that the mail has its usual length.</p>\n" * 12
)
LINKS = "".join(f'{PARAGRAPH}<a href="https://shop.example/{n}?a=1&amp;b=2">Offer {n}</a>\n' for n in range(15))
HTML = f"<!DOCTYPE html><html><body>\n{LINKS}</body></html>"


class Everyone:
    """A consent source that says yes."""

    @hookimpl
    def get_consent(self) -> Consent:
        """Grant."""
        return Consent(opens=ConsentState.GRANTED, clicks=ConsentState.GRANTED)


def main() -> None:
    """Print the time of one send, plain and tracked, and what tracking adds."""
    with tempfile.TemporaryDirectory() as folder, _mail_server() as port:
        app = Flask("bench")
        app.config.update(
            SECRET_KEY="bench",
            MAIL_SERVER="127.0.0.1",
            MAIL_PORT=port,
            MAIL_DEFAULT_SENDER="news@shop.example",
            MAILNOD_DATABASE=str(Path(folder) / "mailnod.db"),
            MAILNOD_BASE_URL="https://shop.example/t",
            MAILNOD_ROUTES={"news": {"track_opens": True, "track_clicks": True, "consent": "required"}},
            MAILNOD_DEFAULT_ROUTE="news",
            MAILNOD_WORKER="none",
        )
        plain = flask_mail.Mail()
        plain_state = plain.init_app(app)
        mailnod_flask.Mail(app, plugins=[Everyone()], load_entry_points=False)
        tracked_state = app.extensions["mail"]
        with app.app_context():
            plain_connection = flask_mail.Connection(plain_state)  # type: ignore[arg-type]  # It names Mail for its state.
            # Rounds alternate, so that whatever else the machine does falls on all of them.
            ways: dict[str, Callable[[int], None]] = {
                "Flask-Mail alone": lambda n: plain_connection.send(_make(n)),
                "untracked route": lambda n: connection.send(_make(n), track_opens=False, track_clicks=False),
                "one body again": lambda _: connection.send(_make(0)),
                "a new body each": lambda n: connection.send(_make(n)),
            }
            connection = mailnod_flask.Connection(tracked_state, app.extensions["mailnod"])
            with plain_connection, connection:
                times = _measure(ways)
        app.extensions["mailnod"].close()
    _print(times)


def _measure(ways: dict[str, Callable[[int], None]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1, MAILS + 1):
        for name, send in ways.items():
            started = perf_counter()
            send(number)
            times[name].append((perf_counter() - started) * 1000)
    return times


def _print(times: dict[str, list[float]]) -> None:
    alone = median(times["Flask-Mail alone"])
    for name, taken in times.items():
        took = median(taken)
        print(f"  {name:<20}{took:8.2f} ms a mail{(took / alone - 1) * 100:+9.1f} % over Flask-Mail alone")


def _make(number: int) -> flask_mail.Message:
    return flask_mail.Message(
        "Offers", recipients=["reader@example.com"], html=HTML.replace("Offers of", f"{number} of")
    )


@contextmanager
def _mail_server() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield port
    finally:
        process.communicate(timeout=START_LIMIT_S)


if __name__ == "__main__":
    main()

"""What tracking adds to sending mail: Flask-Mail and Django over a real SMTP conversation on the loopback interface.

The mail server is a process of its own, so that its work is not counted; the store is on disk and synced. Each round
sends the same mail plainly and tracked, in turns, so that whatever else the machine does falls on both.

The first few hundred commits of a new store make its log longer, which a file system writes down with each sync, at
many times the cost of a commit into a log that has its size. The line of a new store shows that, and the others what
comes after. Beside the time that passes stands the processor time of the sender alone, which tells more on a machine
that has other work.
"""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import django
import flask_mail
from django.conf import settings
from django.core import mail as django_mail
from django.core.mail import EmailMultiAlternatives
from flask import Flask

import mailnod_flask
from mailnod import Consent, ConsentState, Envelope, Tracker, hookimpl

#: Rounds of single mails, rounds of campaigns, and mails in each of these.
ROUNDS, CAMPAIGNS, CAMPAIGN = 60, 8, 50
#: How much tracking may add, in percent.
BUDGETS = {"in a new store": None, "a new body each": 10, "one body again": 5, "campaign": 1}
#: Deliveries after which the store's log has its size.
WARM = 600
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
TEXT = "Offers of the week, in words alone.\n" * 20
HTML = f"<!DOCTYPE html><html><body>\n{LINKS}</body></html>"


class Everyone:
    """A consent source that says yes."""

    @hookimpl
    def get_consent(self) -> Consent:
        """Grant."""
        return Consent(opens=ConsentState.GRANTED, clicks=ConsentState.GRANTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """How one framework makes messages and sends them, without and with Mailnod, over connections that stay open."""

    name: str
    make: Callable[[int], Any]
    plain: Callable[[Sequence[Any]], object]
    tracked: Callable[[Sequence[Any]], object]
    tracker: Tracker


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of each mail, as they pass and of the processor."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def main() -> None:
    """Print, for each framework, what tracking adds to one mail."""
    with tempfile.TemporaryDirectory() as folder, _mail_server() as port, ExitStack() as stack:
        for framework in (_open_flask(Path(folder), port, stack), _open_django(Path(folder), port, stack)):
            print(framework.name)
            for way, budget in BUDGETS.items():
                if budget == 10:
                    _warm(framework.tracker)
                plain, tracked = _measure(framework, way)
                print(
                    f"  {way:<17}{median(plain.wall):7.2f} ms plain {_compare(plain.wall, tracked.wall)} tracked, "
                    f"of processor time {_compare(plain.processor, tracked.processor)}"
                    f"{f'   (at most {budget} %)' if budget else ''}",
                    flush=True,
                )


def _compare(plain: Sequence[float], tracked: Sequence[float]) -> str:
    added = median(ours / theirs for ours, theirs in zip(tracked, plain, strict=True)) - 1
    return f"{added * 100:+6.1f} %"


def _measure(framework: Framework, way: str) -> tuple[Times, Times]:
    """Return the milliseconds of each mail, plain and tracked, round by round."""
    size, rounds = (CAMPAIGN, CAMPAIGNS) if way == "campaign" else (1, ROUNDS)
    plain, tracked = Times(), Times()
    ways = [(framework.plain, plain), (framework.tracked, tracked)]
    # The first mails of a body are what a campaign has once.
    for _ in range(3):
        framework.tracked([framework.make(0)])
    for number in range(rounds):
        for send, times in random.sample(ways, 2):
            messages = [framework.make(number + 1 if way == "a new body each" else 0) for _ in range(size)]
            wall, processor = perf_counter(), process_time()
            send(messages)
            times.wall.append((perf_counter() - wall) * 1000 / size)
            times.processor.append((process_time() - processor) * 1000 / size)
    return plain, tracked


def _warm(tracker: Tracker) -> None:
    """Let the store's log reach its size."""
    for number in range(WARM):
        sent_at = tracker.clock.now()
        envelope = Envelope(message_id=f"<{number}@bench>", recipients=("reader@example.com",), sent_at=sent_at)
        tracker.accepted(tracker.prepare(envelope, [HTML], layers=[]))


def _open_flask(folder: Path, port: int, stack: ExitStack) -> Framework:
    app = Flask("bench")
    app.config.update(
        SECRET_KEY="bench",
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=port,
        MAIL_DEFAULT_SENDER="news@shop.example",
        **{f"MAILNOD_{name}": value for name, value in _settings(folder / "flask.db").items()},
    )
    plain_state = flask_mail.Mail().init_app(app)
    mail = mailnod_flask.Mail(app, plugins=[Everyone()], load_entry_points=False)
    stack.callback(app.extensions["mailnod"].close)
    stack.enter_context(app.app_context())
    # It names Mail for its state, and its type hints make no context manager of it.
    theirs: Any = flask_mail.Connection(plain_state)  # type: ignore[arg-type]
    ours: Any = mail.connect()
    plain, tracked = stack.enter_context(theirs), stack.enter_context(ours)

    def send_plainly(messages: Sequence[Any]) -> None:
        for message in messages:
            plain.send(message)

    def make(number: int) -> flask_mail.Message:
        return flask_mail.Message("Offers", recipients=["reader@example.com"], body=TEXT, html=_make_html(number))

    return Framework(
        name="Flask-Mail", make=make, plain=send_plainly, tracked=tracked.send_all, tracker=app.extensions["mailnod"]
    )


def _open_django(folder: Path, port: int, stack: ExitStack) -> Framework:
    ours, smtp = "mailnod_django.EmailBackend", "django.core.mail.backends.smtp.EmailBackend"
    options = {"host": "127.0.0.1", "port": port}
    mailers = {
        "default": {"BACKEND": ours, "OPTIONS": {"mailer": "smtp"}},
        "smtp": {"BACKEND": smtp, "OPTIONS": options},
        "plain": {"BACKEND": smtp, "OPTIONS": options},
    }
    named: dict[str, Any] = (
        {"MAILERS": mailers}
        if django.VERSION >= (6, 1)
        else {"EMAIL_BACKEND": ours, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port}
    )
    own = {
        **_settings(folder / "django.db"),
        "PLUGINS": [Everyone()],
        "SECRET_KEYS": "a secret of the benchmark alone, no other",
    }
    settings.configure(SECRET_KEY="bench", INSTALLED_APPS=["mailnod_django"], USE_TZ=True, MAILNOD=own, **named)
    django.setup()
    # It reads the settings when it is imported.
    from mailnod_django.apps import get_app

    if "MAILERS" in named:
        connections = [django_mail.mailers["plain"], django_mail.mailers.default]
    else:
        connections = [django_mail.get_connection(smtp), django_mail.get_connection()]
    for connection in connections:
        connection.open()
        stack.callback(connection.close)

    def make(number: int) -> EmailMultiAlternatives:
        message = EmailMultiAlternatives("Offers", TEXT, "news@shop.example", ["reader@example.com"])
        message.attach_alternative(_make_html(number), "text/html")
        return message

    return Framework(
        name=f"Django {django.get_version()}",
        make=make,
        plain=connections[0].send_messages,
        tracked=connections[1].send_messages,
        tracker=get_app().tracker,
    )


def _settings(database: Path) -> dict[str, Any]:
    return {
        "DATABASE": str(database),
        "BASE_URL": "https://shop.example/t",
        "ROUTES": {"news": {"track_opens": True, "track_clicks": True, "consent": "required"}},
        "DEFAULT_ROUTE": "news",
        "WORKER": "none",
    }


def _make_html(number: int) -> str:
    return HTML.replace("Offers of", f"{number} of")


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

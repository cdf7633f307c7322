"""The quick start of the README, done word for word with other ports."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

EVENTS = ("flask", "mailnod", "events")
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


class Mailbox:
    """Keeps what a mail server is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a message."""
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content))
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    """Run a mail server, and return its mailbox and its port."""
    mailbox, port = Mailbox(), find_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield mailbox, port
    controller.stop()


def read_block(name: str) -> str:
    """Return the code block of the README that bears a mark."""
    found = re.search(rf"<!-- quickstart: {re.escape(name)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def read_command(start: str) -> list[str]:
    """Return the words of a command of the README that begins so."""
    lines = [line.removeprefix("$ ") for line in read_block("commands").splitlines()]
    (line,) = [line for line in lines if line.startswith(start)]
    return shlex.split(line.removesuffix(" &"))


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


class Shell:
    """Runs ``flask`` in a folder with the quick start's app."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The settle time is the only thing that a reader waits for and a test does not.
        self.env = {**os.environ, "MAILNOD_SETTLE_S": "0"}

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serve(self, port: int) -> Iterator[None]:
        arguments = [sys.executable, "-m", *read_command("flask run"), "--port", str(port)]
        process = subprocess.Popen(
            arguments, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(lambda: is_listening(port))
            yield
        finally:
            process.terminate()
            process.wait(30)


def wait_for(attempt: Callable[[], Any], *, guard_s: float = 60.0) -> Any:
    """Try until something comes of it; the guard only ends a run that hangs."""
    end = time.monotonic() + guard_s
    while time.monotonic() < end:
        try:
            if found := attempt():
                return found
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail("gave up waiting")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Lets a redirect be seen instead of followed."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def fetch(url: str, *, method: str = "GET") -> tuple[int, str | None]:
    """Return the status and where a redirect leads."""
    request = urllib.request.Request(url, method=method, headers={"User-Agent": "Mozilla/5.0"})
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=30) as response:
            return response.status, None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Location"]


def read_html(message: Message) -> str:
    (part,) = [part for part in message.walk() if part.get_content_type() == "text/html"]
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_quick_start_works_as_written(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    """Consent, send, open, click and look, with the README's own code and commands."""
    box, smtp_port = mailbox
    web_port = find_port()
    code = read_block("app.py").replace("2525", str(smtp_port)).replace(":5000", f":{web_port}")
    (tmp_path / "app.py").write_text(code, encoding="utf-8")
    shell = Shell(tmp_path)
    shell.run(*read_command("flask mailnod consent grant"))
    url = read_command("curl")[-1].replace(":5000", f":{web_port}")
    with shell.serve(web_port):
        assert fetch(url, method="POST") == (200, None)
        html = read_html(box.messages[0])
        pixel, link = re.search(r'src="([^"]+)"', html), re.search(r'href="([^"]+)"', html)
        assert pixel is not None
        assert link is not None
        assert fetch(pixel[1]) == (200, None)
        assert fetch(link[1].replace("&amp;", "&")) == (302, "https://example.com/spring")
        events = wait_for(lambda: found if len(found := json.loads(shell.run(*EVENTS, "--json"))) == 2 else None)
    assert {event["type"] for event in events} == {"message.opened", "message.clicked"}
    assert {event["recipient"] for event in events} == {"ada@example.com"}
    assert "news" in shell.run("flask", "mailnod", "stats", "--by", "route")


def test_quick_start_without_consent_sends_the_original(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    """As the README says: without consent the mail leaves as it was written."""
    box, smtp_port = mailbox
    code = read_block("app.py").replace("2525", str(smtp_port))
    (tmp_path / "app.py").write_text(f"{code}\n\napp.test_client().post('/newsletter')\n", encoding="utf-8")
    Shell(tmp_path).run("app")
    assert 'href="https://example.com/spring"' in read_html(box.messages[0])
    assert "<img" not in read_html(box.messages[0])

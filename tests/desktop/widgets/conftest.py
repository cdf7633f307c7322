"""What the tests of widgets share: preferences of their own, and a pool of threads that ends with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from mailnod.model import Route
from mailnod.settings import Settings
from mailnod_desktop.preferences import Preferences
from mailnod_desktop.services.model import Form, Inspection, Mail, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import LIGHT, apply_theme


@pytest.fixture
def preferences(tmp_path: Path) -> Preferences:
    """Return preferences in a file of the test's own."""
    return Preferences(QSettings(str(tmp_path / "preferences.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def tasks(qapp: QApplication) -> Iterator[Tasks]:
    """Give a pool of threads, and wait for what still runs in it."""
    tasks = Tasks()
    yield tasks
    tasks.close()


@pytest.fixture(autouse=True)
def light(qapp: QApplication) -> None:
    """Begin each test in the light theme."""
    apply_theme(qapp, LIGHT)


#: Rewrites a raw message as the window does.
InspectMail = Callable[..., Inspection]

MAIL = b"""\
From: shop@example.com
To: Anna <anna@example.com>, ben@example.com
Cc: cleo@example.com
Subject: Your order
List-Unsubscribe: <https://example.com/unsubscribe>
X-Mailnod-Track-Opens: on
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=utf-8

See https://example.com/order and https://example.com/help.
--a
Content-Type: text/html; charset=utf-8

<html><body>
<p>Hello <b>you</b></p>
<a href="https://example.com/order">Your order</a>
<a href="mailto:help@example.com">Write to us</a>
<a href="https://example.com/help">Help</a>
<img src="https://example.com/logo.png" width="120" height="40">
<a href="https://example.com/unsubscribe">Unsubscribe</a>
</body></html>
--a--
--m
Content-Type: application/octet-stream; name="invoice.pdf.exe"
Content-Disposition: attachment; filename="invoice.pdf.exe"
Content-Transfer-Encoding: base64

TVqQAAMAAAA=
--m--
"""


@pytest.fixture(scope="session")
def rewriter() -> Rewriter:
    """Return what rewrites mail by one route that tracks everything and one that tracks nothing."""
    routes = {
        "news": Route(name="news", track_opens=True, track_clicks=True, text_clicks=True),
        "plain": Route(name="plain"),
    }
    return Rewriter(Settings(base_url="https://track.example.com/t", routes=routes, default_route="news"), None)


@pytest.fixture
def inspect_mail(rewriter: Rewriter) -> InspectMail:
    """Return a function that takes raw bytes and wishes, and inspects them."""

    def inspect(
        data: bytes = MAIL,
        wishes: Wishes | None = None,
        *,
        key: str = "mail",
        form: Form = "message",
        envelope: tuple[str, ...] = (),
    ) -> Inspection:
        mail = Mail(key=key, name=key, origin="smtp", form=form, data=data, envelope_recipients=envelope)
        return rewriter.inspect(parse(mail), wishes or Wishes())

    return inspect

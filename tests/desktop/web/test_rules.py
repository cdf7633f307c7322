"""What may be loaded, which links a browser sees, and how the engine is prepared."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mailnod.html.urls import parse_base
from mailnod.model import Link
from mailnod_desktop.services.model import LinkRow
from mailnod_desktop.web.links import find_hrefs
from mailnod_desktop.web.rules import Gate, is_nearby, is_tracking

TOKEN = "Ab-_" * 8
BASE = parse_base("https://track.example.com/t")
AT_ROOT = parse_base("https://www.example.com")


@pytest.mark.parametrize(
    "url",
    [
        f"https://track.example.com/t/o/{TOKEN}.gif",
        f"https://TRACK.example.com:443/t/o/{TOKEN}.gif?x=1#y",
        "https://track.example.com/t/whatever",
        f"http://other.example.com/mail/o/{TOKEN}.gif",
        f"http://other.example.com/c/{TOKEN}",
        f"http://other.example.com/c/{TOKEN}.12.{'x' * 16}?u=https://example.com/logo.png",
        f"http://other.example.com/%2Fo%2F{TOKEN}.gif",
        f"http://other.example.com\\o\\{TOKEN}.gif",
        "http://[not a host/",
    ],
)
def test_whatever_could_record_is_tracking(url: str) -> None:
    """Pixels and links of any host, and everything below the collector's own base."""
    assert is_tracking(url, BASE)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/logo.png",
        "https://example.com/t/logo.png",
        "https://track.example.com/logo.png",
        "https://example.com/o/banner.gif",
        "https://example.com/c/campaign.png",
    ],
)
def test_ordinary_images_are_not(url: str) -> None:
    """Words that look a little like it are left alone."""
    assert not is_tracking(url, BASE)


def test_a_collector_at_the_root_owns_its_two_folders_alone() -> None:
    """An app that has its collector beside its images may still show these."""
    assert is_tracking("https://www.example.com/o/x.gif", AT_ROOT)
    assert is_tracking("https://www.example.com/c/x", AT_ROOT)
    assert not is_tracking("https://www.example.com/static/logo.png", AT_ROOT)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST.:8000/",
        "http://a.localhost/",
        "http://printer.local/",
        "http://metadata.google.internal/",
        "http://intranet/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0/",
        "http://10.1.2.3/",
        "http://192.168.1.1:631/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[64:ff9b::7f00:1]/",
        "http:///x",
    ],
)
def test_addresses_of_this_network_are_nearby(url: str) -> None:
    """However an address is written, what is not of the public internet is known."""
    assert is_nearby(url)


@pytest.mark.parametrize(
    "url",
    ["https://example.com/127.0.0.1", "https://192.0.0.9/", "https://8.8.8.8/", "https://[2606:4700::1111]/a.png"],
)
def test_public_addresses_are_not(url: str) -> None:
    """What anybody can reach is outside."""
    assert not is_nearby(url)


def test_a_permission_is_for_three_kinds() -> None:
    """Images, style sheets and fonts over http and https, and nothing else."""
    gate = Gate(allowed=True)
    assert [gate.judge(kind, "https://example.com/x") for kind in ("image", "stylesheet", "font")] == ["", "", ""]
    for kind in ("frame", "script", "media", "object", "prefetch", "ping", "icon", "form", "page", "other"):
        assert gate.judge(kind, "https://example.com/x")
    assert gate.judge("image", "ftp://example.com/x") == "not a web address"
    assert Gate().judge("image", "https://example.com/x") == "remote; not allowed for this mail"


def make_row(html: str, raw: str, *, nth: int = 0, tracked_url: str = "") -> LinkRow:
    """Make the row of a link by what stands in the source."""
    start = -1
    for _ in range(nth + 1):
        start = html.index(raw, start + 1)
    link = Link(0, start, start + len(raw), raw, raw, bool(tracked_url), "")
    return LinkRow(
        body=0,
        kind="click",
        link=link,
        tracked=bool(tracked_url),
        reason="",
        url=raw,
        tracked_url=tracked_url,
        offset=start,
        switchable=True,
    )


def test_links_in_comments_are_no_elements() -> None:
    """Outlook's links are passed over; those that a revealed conditional comment surrounds are not."""
    html = '<!--[if mso]><a href="/1"></a><![endif]--><!--[if !mso]><!--><a href="/2"></a><!--<![endif]-->'
    html += '<!--><a href="/3">'
    rows = [make_row(html, raw) for raw in ("/1", "/2", "/3")]
    assert find_hrefs(html, rows, rewritten=False) == [(1, "/2"), (2, "/3")]


def test_hrefs_are_those_of_the_pane() -> None:
    """The rewritten pane has tracked addresses, the original one decoded ones."""
    html = '<a href="https://example.com/?a=1&amp;b=2">'
    row = make_row(html, "https://example.com/?a=1&amp;b=2", tracked_url="https://track.example.com/t/c/x")
    assert find_hrefs(html, [row], rewritten=False) == [(0, "https://example.com/?a=1&b=2")]
    assert find_hrefs(html, [row], rewritten=True) == [(0, "https://track.example.com/t/c/x")]


def run(program: str, **environment: str) -> str:
    """Return what a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_flags_of_the_environment_are_kept() -> None:
    """Ours stand behind what somebody set, once."""
    program = """
import os
from mailnod_desktop.web.flags import prepare_engine
prepare_engine(), prepare_engine()
print(os.environ["QTWEBENGINE_CHROMIUM_FLAGS"])
"""
    flags = run(program, QTWEBENGINE_CHROMIUM_FLAGS="--mine --no-pings")
    assert flags.startswith('--log-level=3 --mine --no-pings --host-resolver-rules="MAP * ~NOTFOUND" ')
    assert flags.count("--host-resolver-rules") == flags.count("--no-pings") == 1


MISSING = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("PySide6.QtWebEngine"):
            raise {error}
sys.meta_path.insert(0, Finder())
from mailnod_desktop.web.flags import prepare_engine
print(prepare_engine())
from PySide6.QtWidgets import QApplication
application = QApplication([])
from mailnod_desktop.views.preview_fallback import make_backend
print(make_backend().problem)
"""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ('ModuleNotFoundError("No module named it")', "pip install 'mailnod[desktop-web]'"),
        ('ImportError("libnss3.so: cannot open shared object file: No such file")', "apt-get install libnss3"),
        ('ImportError("libXcomposite.so.1: cannot open shared object file")', "apt-get install libxcomposite1"),
        ('ImportError("libunheard.so.9: cannot open shared object file")', "the library libunheard is missing"),
        ('ImportError("broken")', "Qt WebEngine cannot be loaded: broken"),
    ],
)
def test_what_is_missing_is_named_with_how_to_get_it(error: str, words: str) -> None:
    """A missing extra and a missing library are told apart, and the preview says so too."""
    told, shown = run(MISSING.format(error=error)).splitlines()[-2:]
    assert words in told
    assert shown == told


def test_an_application_that_began_too_early_is_told() -> None:
    """Without the preparation there is no preview, and no crash."""
    program = """
from PySide6.QtWidgets import QApplication
application = QApplication([])
from mailnod_desktop.views.preview import PreviewView
view = PreviewView()
print(view.problem)
"""
    assert run(program).endswith("Qt WebEngine was not prepared before the application began.")

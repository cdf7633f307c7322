"""The example plugins, in a real tracker."""

from __future__ import annotations

import configparser
import importlib
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mailnod_example.networks import KnownNetworks
from mailnod_example.subscribers import Subscribers
from mailnod_example.utm import UtmPlugin

from mailnod import ConfigurationError, Envelope, Prepared, Settings, Tracker
from mailnod.collect.collector import Request
from mailnod.model import Classification, EventFilter, Mode
from mailnod.plugins import Plugins
from mailnod.testing import FrozenClock

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin_example"
HTML = (
    '<a href="https://example.com/a?x=1#part">a</a> <a href="https://example.com/reset/42">b</a> '
    '<a href="https://example.com/c?utm_source=other">c</a>'
)
#: What Firefox sends with a click.
BROWSER = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-User", "?1"),
]


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands still."""
    return FrozenClock()


def make_tracker(folder: Path, clock: FrozenClock, *plugins: object, load_entry_points: bool = False) -> Tracker:
    route = {"track_opens": True, "track_clicks": True, "consent": "assumed"}
    settings = Settings.from_mapping(
        {
            "MAILNOD_DATABASE": str(folder / "mailnod.db"),
            "MAILNOD_SECRET_KEYS": "k" * 40,
            "MAILNOD_BASE_URL": "https://app.example/t",
            "MAILNOD_ROUTES": {
                "news": route,
                "orders": {**route, "track_opens": False},
                "letters": {**route, "consent": "required", "purpose": "letters"},
            },
            "MAILNOD_WORKER": "none",
            "MAILNOD_SETTLE_S": 0,
        }
    )
    return Tracker(settings, clock=clock, plugins=plugins, load_entry_points=load_entry_points)


@pytest.fixture
def tracker(tmp_path: Path, clock: FrozenClock) -> Iterator[Tracker]:
    """Return a tracker with the plugin that tags links."""
    tracker = make_tracker(tmp_path, clock, UtmPlugin(routes={"Your order": "orders"}))
    yield tracker
    tracker.close()


@pytest.fixture
def consents(tmp_path: Path) -> Path:
    """Return an app's own table: Ada agreed to both, Bob to clicks alone, and Eve has not been asked about opens."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE consents (address TEXT, purpose TEXT, opens INTEGER, clicks INTEGER)")
        rows = [("ada", 1, 1), ("bob", 0, 1), ("eve", None, 1), ("mallory", 7, 1)]
        values = [(f"{name}@example.com", "letters", opens, clicks) for name, opens, clicks in rows]
        connection.executemany("INSERT INTO consents VALUES (?, ?, ?, ?)", values)
    return path


def prepare(
    tracker: Tracker, html: str = HTML, *, subject: str = "", campaign: str | None = None, to: str = "ada@example.com"
) -> Prepared:
    envelope = Envelope(
        message_id="<1@app.example>",
        recipients=(to,),
        subject=subject,
        sent_at=tracker.clock.now(),
        campaign=campaign,
    )
    return tracker.prepare(envelope, [html], layers=[])


def test_route_comes_from_campaign_then_subject(tracker: Tracker) -> None:
    """A campaign is news, an order's subject is an order, and everything else stays on the default route."""
    assert prepare(tracker, campaign="spring").decision.route == "news"
    assert prepare(tracker, subject="Your order 42").decision.route == "orders"
    assert not prepare(tracker, subject="Hello").decision.tracked


def test_links_are_tagged_once_and_private_ones_left_alone(tracker: Tracker) -> None:
    """Parameters stand before the fragment, tagged links stay, and a link that lets its holder in is not tracked."""
    (plan,) = prepare(tracker, campaign="spring sale").plans
    tagged, private, already = plan.links
    assert (
        tagged.url == "https://example.com/a?x=1&utm_source=newsletter&utm_medium=email&utm_campaign=spring%20sale#part"
    )
    assert (private.tracked, private.reason) == (False, "refused by a plugin")
    assert (already.tracked, already.url) == (True, "https://example.com/c?utm_source=other")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://bank.example/", False),
        ("https://BANK.example:8443/a", False),
        ("https://bank.example./", False),
        ("https://www.bank.example/", True),
        ("https://shop.example/", False),
        ("https://www.shop.example/", False),
        ("https://myshop.example/", True),
        ("https://example.com/account/Login?next=1", False),
        ("https://example.com/?page=/login", True),
    ],
)
def test_deny_list_comes_from_settings(tmp_path: Path, clock: FrozenClock, url: str, allowed: bool) -> None:
    """A host is one host, a host with a dot in front is all below it too, and a path is a part of the path."""
    plugin = UtmPlugin.from_environ({"EXAMPLE_DENIED_LINKS": "bank.example, .shop.example,/login,"})
    tracker = make_tracker(tmp_path, clock, plugin)
    (plan,) = prepare(tracker, f'<a href="{url}">x</a>', campaign="spring").plans
    assert plan.links[0].tracked is allowed
    tracker.close()


@pytest.mark.parametrize("entry", ["https://bank.example", "bank.example/login", "a b"])
def test_unreadable_deny_list_is_refused(entry: str) -> None:
    """An entry that would match nothing is named when the plugin is made."""
    with pytest.raises(ConfigurationError, match=re.escape(repr(entry))):
        UtmPlugin.from_environ({"EXAMPLE_DENIED_LINKS": entry})


@pytest.mark.parametrize(
    ("address", "modes"),
    [
        ("ada@example.com", (Mode.INDIVIDUAL, Mode.INDIVIDUAL)),
        ("ADA@example.com", (Mode.INDIVIDUAL, Mode.INDIVIDUAL)),
        ("bob@example.com", (Mode.NONE, Mode.INDIVIDUAL)),
        ("eve@example.com", (Mode.NONE, Mode.INDIVIDUAL)),
        ("mallory@example.com", (Mode.NONE, Mode.NONE)),
        ("nobody@example.com", (Mode.NONE, Mode.NONE)),
    ],
)
def test_consent_comes_from_the_table(
    tmp_path: Path, clock: FrozenClock, consents: Path, address: str, modes: tuple[Mode, Mode]
) -> None:
    """Each axis is tracked where the app's table grants it; who is missing, or has a wrong value, is not tracked."""
    tracker = make_tracker(tmp_path, clock, Subscribers(consents), UtmPlugin(routes={"Letter": "letters"}))
    decision = prepare(tracker, subject="Letter 1", to=address).decision
    assert (decision.opens, decision.clicks) == modes
    tracker.close()


def test_missing_table_denies(tmp_path: Path, clock: FrozenClock) -> None:
    """A file that is not there grants nothing, on a route that assumes consent too, and is not made."""
    missing = tmp_path / "missing.db"
    tracker = make_tracker(tmp_path, clock, Subscribers(missing), UtmPlugin())
    assert not prepare(tracker, campaign="spring").decision.tracked
    assert not missing.exists()
    tracker.close()


def test_plugin_without_a_table_knows_nobody(tmp_path: Path, clock: FrozenClock) -> None:
    """Installed and not set up, the source of consent stands in nobody's way."""
    tracker = make_tracker(tmp_path, clock, Subscribers(None), UtmPlugin())
    assert prepare(tracker, campaign="spring").decision.tracked
    tracker.close()


def test_what_happens_is_logged(tracker: Tracker, clock: FrozenClock, caplog: pytest.LogCaptureFixture) -> None:
    """Preparing, recording, judging and a change of judgement each leave a line, and none names an address."""
    caplog.set_level(logging.INFO, "mailnod_example")
    more = "".join(f'<a href="https://example.com/{name}">{name}</a> ' for name in "def")
    prepared = prepare(tracker, HTML + more, campaign="spring")
    tracker.accepted(prepared)
    links = re.findall(r'href="https://app\.example/t(/c/[^"]+)"', prepared.parts[0])
    pixel = re.search(r'src="https://app\.example/t(/o/[^"]+)"', prepared.parts[0])
    assert pixel is not None
    # A click that looks like a person's is judged at once, then a burst over the whole mail shows what it was.
    clock.advance(30)
    hit(tracker, links[0])
    assert tracker.work_once()
    assert "security_scanner" not in caplog.text
    for target in [*links, pixel[1]]:
        clock.advance(0.2)
        hit(tracker, target)
    assert tracker.work_once()
    text = caplog.text
    for word in ("prepared: 5 of 6 links", "recorded: click", "created: message.clicked", "revised: message.clicked"):
        assert word in text
    assert "ada@example.com" not in text


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the example's metadata where those of installed packages stand."""
    config = configparser.ConfigParser()
    config.read(EXAMPLE / "setup.cfg")
    folder = tmp_path / "site" / "mailnod_example-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: mailnod-example\nVersion: 1.0\n")
    lines = config["options.entry_points"]["mailnod"].strip()
    (folder / "entry_points.txt").write_text(f"[mailnod]\n{lines}\n")
    monkeypatch.syspath_prepend(str(folder.parent))


@pytest.mark.usefixtures("installed")
def test_networks_are_known_through_the_entry_point(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed, the plugin calls its monitor a machine and its gateway a scanner, and everybody else what they are."""
    monkeypatch.setenv("EXAMPLE_MONITORS", "192.0.2.0/24, 2001:db8::/32")
    monkeypatch.setenv("EXAMPLE_GATEWAYS", "203.0.113.0/24")
    importlib.reload(importlib.import_module("mailnod_example.networks"))
    assert "networks" in [name for name, _ in Plugins()]
    tracker = make_tracker(tmp_path, clock, load_entry_points=True)
    bodies = {
        peer: prepare(tracker, campaign="spring").parts[0] for peer in ("192.0.2.7", "203.0.113.7", "198.51.100.7")
    }
    for peer, body in bodies.items():
        found = re.search(r'href="https://app\.example/t(/c/[^"]+)"', body)
        assert found is not None
        hit(tracker, found[1], peer=peer)
    assert tracker.work_once()
    events = {record.observation.hit.ip: record.event.verdict for record in tracker.store.get_events(EventFilter())}
    assert {peer: verdict.machine for peer, verdict in events.items()} == dict(
        zip(bodies, (True, True, False), strict=True)
    )
    assert "example.monitor" in events["192.0.2.7"].reason_codes
    assert events["203.0.113.7"].reason_codes[0] == "override.networks"
    assert events["203.0.113.7"].classification is Classification.SECURITY_SCANNER
    tracker.close()


def test_unreadable_network_is_refused() -> None:
    """An entry that is no network is named when the plugin is made."""
    with pytest.raises(ConfigurationError, match=re.escape("'192.0.2.1/24'")):
        KnownNetworks(monitors=["192.0.2.1/24"])


def hit(tracker: Tracker, target: str, *, peer: str = "198.51.100.7") -> None:
    path, _, query = target.replace("&amp;", "&").partition("?")
    tracker.reply(Request(method="GET", path=path, query=query, headers=BROWSER, peer=peer))

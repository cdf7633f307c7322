"""Tests of the reading of user agents: named machines, shapes of names, devices and clients."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import ua_parser

import mailnod
from mailnod.judge.agents import Agents
from mailnod.model import Classification, Verdict

#: How browsers of phones begin.
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"


@pytest.fixture(scope="module")
def agents() -> Agents:
    """Load the tables once."""
    return Agents()


@pytest.mark.parametrize(
    ("agent", "classification", "code"),
    [
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "link_preview_bot", "ua.link_preview"),
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
                "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0"
            ),
            "link_preview_bot",
            "ua.apple_preview",
        ),
        ("Barracuda Sentinel (EE)", "security_scanner", "ua.scanner"),
        (
            "Mozilla/5.0 (Apple Mac OS X v10.9.3; Trident/7.0; rv:11.0) like Gecko",
            "security_scanner",
            "ua.old_scanner",
        ),
        ("Microsoft Office Existence Discovery", "generic_bot", "ua.office_probe"),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/140.0.0.0 Safari/537.36", "generic_bot", "ua.automation"),
        ("python-httpx/0.28.1", "generic_bot", "ua.library"),
        ("Composer/2.8.1 (Linux; 6.1; PHP 8.3.1)", "generic_bot", "ua.library"),
        ("ESET Example", "security_scanner", "ua.scanner"),
        ("Vade Secure Example (Windows)", "security_scanner", "ua.scanner"),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "generic_bot", "ua.crawler_list"),
        ("Mozilla/5.0 (compatible; Examplebot/1.0)", "generic_bot", "ua.bot_word"),
        ("Mozilla/5.0 (compatible; ExamplePentest/1.0)", "security_scanner", "ua.security_word"),
        ("Mozilla/5.0 (compatible; Example/1.0; +https://example.com/)", "generic_bot", "ua.contact"),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 abuse.example.com",
            "generic_bot",
            "ua.contact",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 (A, http://b.example)",
            "generic_bot",
            "ua.contact",
        ),
        (f"{PHONE} abuse.example.com", "generic_bot", "ua.contact"),
        (f"{PHONE} (compatible; ExampleScanner/1.0)", "security_scanner", "ua.security_word"),
        ("Mozilla/5.0 (compatible; Sophos Example)", "security_scanner", "ua.scanner"),
        ("ask example.com of it", "generic_bot", "ua.bare_contact"),
        ("Quaxolot/3.1", "generic_bot", "ua.no_system"),
        ("", "generic_bot", "ua.empty"),
    ],
)
def test_a_machine_that_names_itself_is_found(agents: Agents, agent: str, classification: str, code: str) -> None:
    """Each kind of name leads to its class, by its own rule."""
    finding = agents.read(agent).finding
    assert finding is not None
    assert (finding.classification, finding.signal.code) == (Classification(classification), code)
    assert finding.signal.source


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (Linux; Android 10; CUBOT P40) AppleWebKit/537.36 Chrome/120.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS;FBAV/500.0]",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [LinkedInApp]/9.1",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.9; Pro)",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.1.0",
        "The Bat! 10.5",
        "Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/3.0.13",
        "w3m/0.5.4",
        "Dillo/3.1.0",
        "Emacs/30.1 (w3m)",
        f"{IPHONE} Mobile/15E148 Viber/21.0",
        f"{IPHONE} Mobile/15E148 shop.example.com/5.4",
        f"{IPHONE} shop.com/20.0 Mobile/15E148",
        f"{IPHONE} Mobile/15E148 Sophos Secure Workspace",
        f"{PHONE} de.example.shop",
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
            "Chrome/140.0.0.0 Mobile Safari/537.36 QRScanner/3.0"
        ),
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Bitdefender/140",
    ],
)
def test_names_that_only_look_like_machines_are_people(agents: Agents, agent: str) -> None:
    """Phones, apps' browsers, browsers of text and mail clients whose names read like machines' are people's."""
    assert agents.read(agent).finding is None


def test_an_engine_on_a_system_it_never_ran_on_is_odd(agents: Agents) -> None:
    """No maker shipped Trident on Linux."""
    signals = agents.read("Mozilla/5.0 (X11; Linux x86_64; Trident/7.0; rv:11.0) like Gecko").signals
    assert [signal.code for signal in signals] == ["ua.impossible"]


def test_an_unfinished_agent_is_odd(agents: Agents) -> None:
    """No browser stops after its system."""
    signals = agents.read("Mozilla/5.0 (Windows NT)").signals
    assert [signal.code for signal in signals] == ["ua.unfinished"]


@pytest.mark.parametrize(
    ("agent", "device", "kind", "name"),
    [
        (
            (
                "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
                "Mobile/15E148 Safari/604.1"
            ),
            "tablet",
            "browser",
            "Mobile Safari",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36",
            "tablet",
            "browser",
            "Chrome",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.1.0",
            "desktop",
            "email_client",
            "Thunderbird",
        ),
        (
            "Mozilla/5.0 (Linux; Android 9; AFTKA) AppleWebKit/537.36 Silk/120.1 like Chrome/120.0 Safari/537.36",
            "tv",
            "browser",
            "Amazon Silk",
        ),
        ("Quaxolot%20Music/3.1 CFNetwork/1408 Darwin/22.5.0", "desktop", "app", "Quaxolot Music"),
        (
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
                "Chrome/140.0.0.0 Mobile Safari/537.36 Quaxolot/3.1"
            ),
            "mobile",
            "app",
            "Quaxolot",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
                "Safari/537.36 QuaxolotBrowser/2.0"
            ),
            "desktop",
            "browser",
            "Quaxolot Browser",
        ),
        ("okhttp/4.12.0", None, "library", "OkHttp"),
    ],
)
def test_device_and_client_are_named(agents: Agents, agent: str, device: str | None, kind: str, name: str) -> None:
    """What a person holds and reads with is read from the table, the engine or the agent's own products."""
    client = agents.read(agent).client
    assert (client.device_type, client.client_type, client.client_name) == (device, kind, name)


def test_apple_mail_is_known_by_its_opens_alone(judge_one: Callable[..., Verdict]) -> None:
    """Web views of apps send the agent of Apple Mail too, so that only an open is the mail client's."""
    agent = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
    )
    assert judge_one(agent, kind="open").client_name == "Apple Mail"
    assert judge_one(agent, kind="click").client_name != "Apple Mail"


def test_a_brand_in_the_hints_names_the_browser(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """Browsers that hide behind Chrome's agent name themselves in the hints."""
    hints = {**chrome_headers, "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24", "Brave";v="140"'}
    assert judge_one(chrome, headers=hints).client_name == "Brave"


def test_an_android_web_view_names_its_app(judge_one: Callable[..., Verdict]) -> None:
    """A known package is named; of an unknown one it is said that it is an app."""
    agent = (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
        "Chrome/140.0.0.0 Mobile Safari/537.36"
    )
    known = judge_one(agent, headers={"x-requested-with": "com.google.android.gm"})
    assert (known.client_type, known.client_name) == ("email_client", "Gmail")
    assert judge_one(agent, headers={"x-requested-with": "org.example.reader"}).client_type == "app"


#: What Electron's apps send, with the app's products to be put in.
ELECTRON = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) {} Safari/537.36"


@pytest.mark.parametrize(
    ("products", "kind", "name"),
    [
        ("Slack/4.41.0 Chrome/130.0.0.0 Electron/33.0.0", "app", "Slack"),
        ("Notion/4.1.0 Chrome/130.0.0.0 Electron/33.0.0", "app", "Notion"),
        ("some-notes-desktop/1.2.3 Chrome/130.0.0.0 Electron/33.0.0", "app", "some-notes"),
        ("Example Mail/1.1.0 Chrome/130.0.0.0 Electron/33.0.0", "email_client", "Example Mail"),
        ("ExampleBrowser/1.1.0 Chrome/130.0.0.0 Electron/33.0.0", "browser", "Example Browser"),
        ("tutanota-desktop/250.1 Chrome/130.0.0.0 Electron/33.0.0", "email_client", "Tuta Mail"),
    ],
)
def test_desktop_apps_are_people(judge_one: Callable[..., Verdict], products: str, kind: str, name: str) -> None:
    """What stands before the engine's names is the app, and no list of crawlers is asked about it."""
    verdict = judge_one(ELECTRON.format(products))
    assert (verdict.machine, verdict.client_type, verdict.client_name) == (False, kind, name)


@pytest.mark.parametrize(
    ("agent", "kind", "name"),
    [
        ("Claws Mail 4.3.0 (GTK 3.24.43; x86_64-pc-linux-gnu)", "email_client", "Claws Mail"),
        ("Mimestream/1.4 CFNetwork/1568 Darwin/24.0.0", "email_client", "Mimestream"),
        ("Any%20Mail/2.0 CFNetwork/1568 Darwin/24.0.0", "email_client", "Any Mail"),
        ("AnyEmailer/2.0 (iPhone; iOS 18.0; Scale/3.00)", "email_client", "AnyEmailer"),
        ("DailyMail/2.0 (iPhone; iOS 18.0; Scale/3.00)", "app", "DailyMail"),
        ("AnyFeeds/2.0 (iPhone; iOS 18.0; Scale/3.00)", "feed_reader", "AnyFeeds"),
        ("AnyFeedback/2.0 (iPhone; iOS 18.0; Scale/3.00)", "app", "AnyFeedback"),
        ("Clementine 1.4", "media_player", "Clementine"),
    ],
)
def test_kind_of_client_is_told_by_its_name(
    judge_one: Callable[..., Verdict], agent: str, kind: str, name: str
) -> None:
    """A program that nobody listed and that is called mail is a mail program; a newspaper's app is none."""
    verdict = judge_one(agent)
    assert (verdict.machine, verdict.client_type, verdict.client_name) == (False, kind, name)


def test_word_within_a_word_is_no_phone(agents: Agents) -> None:
    """The word "brew" within another word says nothing of old phones."""
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 LibreWolf"
    assert agents.read(agent).client.device_type == "desktop"


def test_missing_engine_falls_back(tmp_path: Path) -> None:
    """Without ua-parser's own engine the same tables are searched by another one, and the answers are the same."""
    packages = Path(ua_parser.__file__).parents[1]
    for path in packages.iterdir():
        if not path.name.startswith(("ua_parser_rs", "__editable__", "re2", "google_re2")):
            (tmp_path / path.name).symlink_to(path)
    code = (
        "from mailnod.judge.agents import Agents; from mailnod.judge.knowledge import name_engine\n"
        "agents = Agents(); print(name_engine())\n"
        "for agent in ('Mozilla/5.0 (compatible; Examplebot/1.0)', 'Thunderbird/140.0 (X11; Linux x86_64)'):\n"
        "    read = agents.read(agent); print(read.finding and read.finding.signal.code, read.client.client_name)"
    )
    source = Path(mailnod.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": f"{source}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["basic", "ua.bot_word Examplebot", "None Thunderbird"]

"""The demo: the main job from end to end, over real SMTP and real HTTP."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mailnod.store.sqlite import SQLiteStore
from mailnod_flask.demo import demo
from mailnod_flask.demo.app import create_app, make_newsletter
from mailnod_flask.demo.scene import READERS


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the path of the demo's store."""
    return tmp_path_factory.mktemp("demo") / "mailnod.db"


@pytest.fixture(scope="module")
def shown(database: Path) -> dict[str, Any]:
    """Run the demo once and give what it prints as JSON."""
    done = CliRunner().invoke(demo, ["--database", str(database), "--json"], catch_exceptions=False)
    found: dict[str, Any] = json.loads(done.output)
    return found


def test_mail_is_tracked_by_consent_and_override(shown: dict[str, Any]) -> None:
    """Who consented is tracked, an override turns opens off, and doubt leaves the mail alone."""
    tracked = {mail["recipient"].partition("@")[0]: (mail["opens"], mail["clicks"]) for mail in shown["mails"]}
    assert tracked == {
        "phone": ("individual", "individual"),
        "gmail": ("individual", "individual"),
        "apple": ("individual", "individual"),
        "office": ("individual", "individual"),
        "quiet": ("none", "individual"),
        "denied": ("none", "none"),
        "unasked": ("none", "none"),
    }
    assert all(mail["reasons"] for mail in shown["mails"])


def test_events_are_those_of_people_and_machines(shown: dict[str, Any]) -> None:
    """Each client is judged to be what it is, with reasons."""
    seen = {
        (event["recipient"].partition("@")[0], event["type"].partition(".")[2], event["classification"])
        for event in shown["events"]
    }
    assert seen == {
        ("office", "clicked", "security_scanner"),
        ("apple", "opened", "privacy_proxy"),
        ("phone", "opened", "genuine"),
        ("phone", "clicked", "genuine"),
        ("gmail", "opened", "image_proxy"),
        ("gmail", "clicked", "genuine"),
        ("quiet", "clicked", "genuine"),
        ("office", "clicked", "genuine"),
    }
    assert [event["method"] for event in shown["events"]].count("HEAD") == 1
    assert all(event["reason_codes"] for event in shown["events"])


def test_people_and_machines_are_counted_apart(shown: dict[str, Any]) -> None:
    """A scanner's clicks and a prefetch are not people's, and denominators are what was tracked."""
    metrics = shown["metrics"]
    assert (metrics["human_opens"], metrics["human_clicks"]) == (2, 4)
    assert (metrics["machine_opens"], metrics["machine_clicks"]) == (1, 5)
    assert (metrics["deliveries_with_pixel"], metrics["deliveries_with_links"]) == (4, 5)


def test_the_store_is_where_it_says(shown: dict[str, Any], database: Path) -> None:
    """The database opens afterwards, and the commands to type next name it."""
    store = SQLiteStore(database)
    assert len(store.get_deliveries()) == 5
    store.close()
    assert all(str(database) in command for command in shown["next"])


def test_a_database_that_exists_is_refused(shown: dict[str, Any], database: Path) -> None:
    """The demo mixes with nobody's data."""
    done = CliRunner().invoke(demo, ["--database", str(database)])
    assert "something at" in str(done.exception)


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """No line is wider than the terminal and nothing is cut off, but for the path of the database."""
    monkeypatch.setenv("COLUMNS", str(width))
    done = CliRunner().invoke(demo, ["--database", str(tmp_path / "mailnod.db")], catch_exceptions=False)
    lines = done.output.splitlines()
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= width
    assert "…" not in done.output
    assert "by a clock that the demo moves" in done.output
    for heading in ("What is tracked, and why", "Every event, and how it was judged", "Opens and clicks"):
        assert heading in lines[[line.strip() for line in lines].index(heading)]


def test_the_newsletter_is_what_real_newsletters_are(tmp_path: Path) -> None:
    """It has a text part, MSO conditionals, a VML button, an inline picture, entities in URLs and List-Unsubscribe."""
    app = create_app(
        {"MAILNOD_SECRET_KEYS": "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "MAILNOD_DATABASE": tmp_path / "mailnod.db"}
    )
    clock = app.extensions["mailnod"].clock
    with app.app_context():
        message = make_newsletter(READERS[0].address, site="http://127.0.0.1:1", date=clock.now())
    html = message.html or ""
    for piece in ("<!--[if mso]>", "<v:roundrect href=", 'src="cid:header"', "&amp;", "&#38;", "Unsubscribe</a>"):
        assert piece in html
    assert re.search(r"Read the story: http://127\.0\.0\.1:1/articles/north-pier", message.body or "")
    assert "List-Unsubscribe" in (message.extra_headers or {})
    assert message.attachments[0].disposition == "inline"


def test_the_app_stands_by_itself(tmp_path: Path) -> None:
    """The first page, the pages that links lead to and the form work without the demo's scene."""
    config = {
        "MAILNOD_SECRET_KEYS": "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
        "MAILNOD_DATABASE": tmp_path / "mailnod.db",
        "TESTING": True,
    }
    app = create_app(config)
    client = app.test_client()
    posted = client.post("/newsletter", data={"address": "one@example.com", "consent": "on"})
    assert posted.status_code == 302
    assert "Opens and clicks" in client.get("/").text
    refused = client.post("/newsletter", data={"address": "no address", "consent": "on"})
    assert refused.status_code == 400
    assert "is no address" in refused.text
    assert client.get("/articles/soup").status_code == 200
    assert client.get("/articles/none").status_code == 404
    assert client.get("/mails/0").status_code == 404
    assert client.post("/unsubscribe").status_code == 200
    assert app.extensions["mailnod"].store.get_consent("one@example.com", purpose="statistics").clicks == "granted"
    app.extensions["mailnod"].close()

"""Tests of ``mailnod inspect``."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contracts.desktop_mails import CASES, HTML, inspect_mail, make_html_mail, make_message
from mailnod.cli.context import CliContext
from mailnod.cli.main import cli
from mailnod.model import ConsentRecord, ConsentState
from mailnod.settings import Settings
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.services.describing import FIELDS, describe_inspection
from mailnod_desktop.services.findings import RULES
from mailnod_desktop.services.inspecting import inspect_all, read_lean
from mailnod_desktop.services.model import Wishes
from mailnod_desktop.services.reading import ReadingError
from mailnod_desktop.services.rewriting import Rewriter

ROOT = Path(__file__).parents[3]
KEYS = {"MAILNOD_SECRET_KEYS": "k" * 40}


def run(*arguments: str | Path, data: str | bytes = "", environ: dict[str, str] | None = None) -> Result:
    """Run the command as a person or a program would."""
    context = CliContext(environ=KEYS if environ is None else environ)
    return CliRunner().invoke(cli, ["inspect", *map(str, arguments)], input=data, obj=context)


def read(*arguments: str | Path, **options: Any) -> Any:
    """Return what the command says as JSON."""
    return json.loads(run("--json", *arguments, **options).stdout)


@pytest.fixture
def message(tmp_path: Path) -> Path:
    """Write a message and return its file."""
    path = tmp_path / "news.eml"
    path.write_bytes(make_message().data)
    return path


def test_one_mail_is_laid_open(message: Path) -> None:
    """A person reads how it is tracked and why, its size, its links, and what is to be looked at."""
    result = run(message)
    assert result.exit_code == 0
    for text in ("Spring sale", "Opens on, clicks on", "consent granted by the inspector", "Links", "unsubscribe link"):
        assert text in result.stdout
    assert "no-list-unsubscribe" in result.stdout


def test_json_has_every_field_and_nothing_else(message: Path) -> None:
    """A program reads the documented fields, with the values that the window shows."""
    answer = read(message)
    assert list(answer) == ["mails", "unreadable", "failures"]
    (mail,) = answer["mails"]
    assert list(mail) == list(FIELDS)
    assert (mail["name"], mail["subject"], mail["opens"], mail["route"]) == ("news.eml", "Spring sale", True, "preview")
    assert mail["recipients"] == ["a@example.com", "b@example.com"]
    assert mail["sent_at"] == "2026-11-02T09:00:00Z"
    assert [link["tracked"] for link in mail["links"]] == [True, True, False, False, True]


def test_mailbox_and_files_have_a_line_each(tmp_path: Path, message: Path) -> None:
    """Of several mails each has a row, and what is found in each is listed once for each rule."""
    mailbox = tmp_path / "archive.mbox"
    one = b"Subject: %d\nContent-Type: text/html\n\n<a href=/x>x</a><a href=/y>y</a>\n\n"
    mailbox.write_bytes(b"".join(b"From a@example.com\n" + one % number for number in range(3)))
    result = run(mailbox, message)
    assert result.exit_code == 0
    assert "Inspected 4 mails" in result.stdout
    assert result.stdout.count("archive.mbox #2") >= 2
    assert "1 more of the same kind." in result.stdout
    assert len(read(mailbox, message)["mails"]) == 4


def test_standard_input_is_read() -> None:
    """A dash stands for what another program writes, a message or HTML."""
    assert read("-", data=make_message().data)["mails"][0]["subject"] == "Spring sale"
    assert read("-", data=HTML)["mails"][0]["name"] == "standard input"


def test_unreadable_files_end_with_one_and_hold_nothing_up(tmp_path: Path, message: Path) -> None:
    """Whoever names a file that is no mail is told so; the others are inspected."""
    (tmp_path / "empty.eml").touch()
    result = run(tmp_path / "missing.eml", message, tmp_path / "empty.eml", tmp_path)
    assert result.exit_code == 1
    assert "missing.eml: there is no such file. Check the path." in result.stderr
    answer = read(tmp_path / "missing.eml", message, tmp_path / "empty.eml")
    assert [one["name"] for one in answer["unreadable"]] == ["missing.eml", "empty.eml"]
    assert len(answer["mails"]) == 1


def test_mail_that_cannot_be_rewritten_ends_with_one(tmp_path: Path) -> None:
    """What would leave untracked against the sender's wish is a failure."""
    path = tmp_path / "page.html"
    path.write_text("<a href=x>" * 10_001)
    assert run(path).exit_code == 1


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ((), 0),
        (("--fail-on", "any"), 3),
        (("--fail-on", "error"), 0),
        (("--fail-on", "warning"), 0),
        (("--fail-on", "relative-link, no-list-unsubscribe"), 3),
        (("--fail-on", "relative-link", "--fail-on", "no-list-unsubscribe"), 3),
        (("--fail-on", "relativ-link"), 2),
    ],
)
def test_rules_that_are_named_fail(message: Path, rules: tuple[str, ...], code: int) -> None:
    """A finding is a failure where somebody asked for it, and a rule that does not exist is a wrong call."""
    result = run(message, *rules)
    assert result.exit_code == code
    if code == 3:
        assert "no-list-unsubscribe (1)" in result.stderr
    if code == 2:
        assert "did you mean 'relative-link'?" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--route", "nws"),
        ("--base-url", "not a url"),
        ("--consent", "perhaps"),
        ("--width", "10"),
        ("--consent", "stored", "--database", "/nonexistent/mailnod.db"),
    ],
)
def test_wrong_calls_end_with_two(message: Path, arguments: tuple[str, ...]) -> None:
    """What cannot be meant is refused before anything is read."""
    result = run(message, *arguments) if arguments else run()
    assert result.exit_code == 2
    assert result.stdout == ""


def test_switches_change_what_is_shown(message: Path) -> None:
    """Axes, base URL, recipient and consent are those of the call."""
    assert read(message, "--no-opens")["mails"][0]["opens"] is False
    assert read(message, "--no-clicks")["mails"][0]["clicks"] is False
    assert read(message, "--consent", "denied")["mails"][0]["token"] is None
    (mail,) = read(message, "--base-url", "https://other.example/t")["mails"]
    assert mail["links"][0]["tracked_url"].startswith("https://other.example/t/c/")
    own = read(message, "--recipient", "b@example.com")["mails"][0]["token"]
    assert own != mail["token"]


def test_base_url_goes_before_that_of_a_route(message: Path) -> None:
    """The call is nearer than the settings."""
    routes = json.dumps({"news": {"track_clicks": True, "base_url": "https://news.example/t"}})
    environ = {**KEYS, "MAILNOD_ROUTES": routes, "MAILNOD_DEFAULT_ROUTE": "news"}
    (mail,) = read(message, environ=environ)["mails"]
    assert (mail["route"], mail["links"][0]["tracked_url"][:22]) == ("news", "https://news.example/t")
    (mail,) = read(message, "--base-url", "https://other.example/t", environ=environ)["mails"]
    assert mail["links"][0]["tracked_url"].startswith("https://other.example/t/c/")


def test_stored_consent_is_asked(tmp_path: Path, message: Path) -> None:
    """With 'stored' the store answers for each recipient, and where it knows nothing the mail leaves as it came."""
    path = tmp_path / "mailnod.db"
    record = ConsentRecord(
        recorded_at=datetime.now(UTC), purpose="statistics", opens=ConsentState.GRANTED, clicks=None, source="form"
    )
    with closing(SQLiteStore(path)) as store:
        for address in ("a@example.com", "b@example.com"):
            store.record_consent(address, record)
    (mail,) = read(message, "--consent", "stored", "--database", path)["mails"]
    assert (mail["opens"], mail["clicks"]) == (True, False)


def test_key_for_one_run_is_said(message: Path) -> None:
    """Who has no keys set up is told that the links are signed by none of theirs."""
    assert "a key for this run alone" in run(message, environ={}).stderr


def test_report_is_written(tmp_path: Path, message: Path) -> None:
    """The page names every mail and every file that could not be read."""
    target = tmp_path / "report.html"
    result = run(message, tmp_path / "missing.eml", "--html-report", target)
    assert result.exit_code == 1
    page = target.read_text()
    assert "Spring sale" in page
    assert "missing.eml" in page


def test_file_that_vanishes_meanwhile_is_said(message: Path) -> None:
    """What was there when the command began, and is not when its turn comes, is named."""
    reading = read_lean([message])
    message.unlink()
    errors: list[ReadingError] = []
    assert list(inspect_all(reading, Rewriter(Settings(), None), Wishes(), failed=errors.append)) == []
    assert [error.problem for error in errors] == ["there is no such file"]


def test_mailbox_that_vanishes_meanwhile_is_said(tmp_path: Path) -> None:
    """A mailbox is opened for each message, and may be gone."""
    path = tmp_path / "a.mbox"
    path.write_bytes(b"From a@example.com\nSubject: x\n\nHello\n")
    reading = read_lean([path])
    path.unlink()
    errors: list[ReadingError] = []
    assert list(inspect_all(reading, Rewriter(Settings(), None), Wishes(), failed=errors.append)) == []
    assert [error.name for error in errors] == ["a.mbox"]


def test_report_that_cannot_be_written_ends_with_one(tmp_path: Path, message: Path) -> None:
    """A full or foreign disk is said in one line."""
    result = run(message, "--html-report", tmp_path / "missing" / "report.html")
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr


def test_picture_without_the_extra_says_how_to_get_it(message: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed what draws is told what to install, and nothing is read."""
    monkeypatch.setitem(sys.modules, "mailnod_desktop.web.snapshot", None)
    monkeypatch.delattr("mailnod_desktop.web.snapshot", raising=False)
    result = run(message, "--png", "x.png")
    assert result.exit_code == 2
    assert "pip install 'mailnod[desktop-web]'" in result.stderr


def test_hostile_text_moves_no_cursor(tmp_path: Path) -> None:
    """Whatever stands in a mail, nothing but text comes to the terminal."""
    path = tmp_path / "evil.eml"
    path.write_bytes(b"Subject: \x1b[2J\x07x\nContent-Type: text/html\n\n<a href='/\x1b[31m'>\x1b[31m\x9b</a>")
    result = run(path)
    assert result.exit_code == 0
    assert not set(result.stdout) & set("\x1b\x07\x9b")
    unreadable = tmp_path / "evil\x1b]0;x\x07\udcff.bin"
    unreadable.write_bytes(b"\0")
    result = run(path, unreadable)
    assert result.exit_code == 1
    assert "evil\N{REPLACEMENT CHARACTER}]0;x" in result.stderr
    assert not set(result.stdout + result.stderr) & set("\x1b\x07\x9b")


def test_cases_are_described_as_json() -> None:
    """What is said of every case can be read by any reader of JSON."""
    for case in CASES:
        if "html" in case:
            text = json.dumps(describe_inspection(inspect_mail(make_html_mail(case["html"]))), allow_nan=False)
            assert json.loads(text)["error"] == ""


def test_every_rule_and_field_is_documented() -> None:
    """The page lists each rule with its severity, each field and each exit code."""
    page = (ROOT / "docs" / "inspect.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (error|warning|notice) \|", page, re.MULTILINE))
    assert rows == {rule.name: rule.severity for rule in RULES.values()}
    for rule in RULES.values():
        assert rule.doc.replace("``", "`").replace("|", "\\|") in page
    fields = dict(re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", page, re.MULTILINE))
    assert {name: fields.get(name) for name in FIELDS} == FIELDS

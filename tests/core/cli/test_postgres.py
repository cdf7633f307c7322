"""The commands, and two hosts that share one store in PostgreSQL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailnod import Envelope, Settings, Tracker, make_override
from mailnod.cli.context import CliContext
from mailnod.cli.main import cli
from mailnod.collect.collector import Request
from mailnod.model import ConsentRecord, ConsentState, EventFilter, KeptBody
from mailnod.testing import FrozenClock

Run = Callable[..., Result]


@pytest.fixture
def mail_file(environ: dict[str, str], clock: FrozenClock, tmp_path: Path) -> Iterator[Tracker]:
    """Give a tracker on a file with two mails, two judged hits on the first, and a withdrawal of the other's reader."""
    given = {"worker": "none", "database": tmp_path / "old.db", "journals": tmp_path / "old.journals"}
    tracker = Tracker(Settings.from_environ(environ, **given), clock=clock, load_entry_points=False)
    for name in ("ada", "bob"):
        recipient = f"{name}@example.com"
        envelope = Envelope(
            message_id=f"<{name}@app.example>", recipients=(recipient,), sent_at=clock.now(), campaign="spring"
        )
        html = '<p>Hello, <a href="https://example.com/spring">spring</a></p>'
        prepared = tracker.prepare(envelope, [html], layers=[("call", make_override(route="news"))])
        tracker.accepted(prepared)
        for kind in ("o", "c") if name == "ada" else ():
            found = re.search(rf"https://app\.example/t(/{kind}/[^\"]+)", prepared.parts[0])
            assert found is not None
            path, _, query = found[1].replace("&amp;", "&").partition("?")
            headers = [("User-Agent", "Mail/1.0"), ("Accept", "*/*")]
            tracker.reply(Request(method="GET", path=path, query=query, headers=headers, peer="192.0.2.7"))
    denied = ConsentState.DENIED
    record = ConsentRecord(recorded_at=clock.now(), purpose="statistics", opens=denied, clicks=denied, source="form")
    tracker.store.record_consent("bob@example.com", record)
    clock.advance(60)
    assert tracker.work_once()
    yield tracker
    tracker.close()


@pytest.fixture
def environ(environ: dict[str, str], postgres_url: str, tmp_path: Path) -> dict[str, str]:
    """Return an environment that names the server, with a password that nobody asks for."""
    url = postgres_url + "&password=hush"
    return {**environ, "MAILNOD_DATABASE": url, "MAILNOD_JOURNALS": str(tmp_path / "journals")}


def test_each_command_works_on_a_server(run: Run, campaign: None, clock: FrozenClock) -> None:
    """What the file answers the server answers too, and no command shows what is secret in its URL."""
    clock.advance(60)
    done = {
        command: run(*command.split())
        for command in (
            "stats --json",
            "events --json",
            "deliveries --json",
            "consent show ada@example.com",
            "work --once",
            "forward --once",
            "doctor",
        )
    }
    for command, result in done.items():
        assert result.exit_code == 0, (command, result.output)
        assert "hush" not in result.output
    assert json.loads(done["stats --json"].output)
    assert "postgresql:///" in done["doctor"].output


def test_option_names_a_server_too(environ: dict[str, str], clock: FrozenClock, campaign: None) -> None:
    """--database takes a URL where it takes a path."""
    url = environ.pop("MAILNOD_DATABASE")
    obj = CliContext(environ=environ, clock=clock)
    result = CliRunner().invoke(cli, ["events", "--json", "--database", url], obj=obj)
    assert (result.exit_code, len(json.loads(result.output))) == (0, 3)


def test_server_that_is_gone_is_said_in_a_line(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    """Commands end with a reason, and the set-up is named broken."""
    environ["MAILNOD_DATABASE"] = f"postgresql:///mail?host={tmp_path}&password=hush"
    for command in ("stats", "doctor"):
        result = run(command)
        assert result.exit_code == 1
        assert "PostgreSQL cannot be reached" in " ".join(result.output.split())
        assert "hush" not in result.output


def test_each_host_forwards_and_one_judges(environ: dict[str, str], clock: FrozenClock, tmp_path: Path) -> None:
    """Hits that two hosts took come into one store, whoever holds the lease, and each is judged once."""
    hosts = [
        Tracker(
            Settings.from_environ(environ, worker="none", journals=tmp_path / f"host{number}"),
            clock=clock,
            load_entry_points=False,
        )
        for number in range(2)
    ]
    envelope = Envelope(message_id="<a@app.example>", recipients=("ada@example.com",), sent_at=clock.now())
    html = '<p>Hello, <a href="https://example.com/spring">spring</a></p>'
    prepared = hosts[0].prepare(envelope, [html], layers=[("call", make_override(route="news"))])
    hosts[0].accepted(prepared)
    found = re.search(r"https://app\.example/t(/o/[^\"]+)", prepared.parts[0])
    assert found is not None
    for host in hosts:
        request = Request(method="GET", path=found[1], query="", headers=[("User-Agent", "Mail/1.0")], peer="192.0.2.7")
        assert host.reply(request).status == 200
    clock.advance(60)
    first = hosts[0].work_once()
    second = hosts[1].work_once()
    assert first is not None
    assert second is not None
    assert (first.drained, first.judged) == (1, 1)
    # The lease is the first host's: the second one brings its hit, and leaves the judging.
    assert (second.drained, second.judged) == (1, 0)
    third = hosts[0].work_once()
    assert third is not None
    assert third.judged == 2
    assert hosts[1].store.get_metrics()[0].observed_opens == 2
    for host in hosts:
        host.close()


def test_copy_brings_a_file_into_an_empty_database(
    environ: dict[str, str], clock: FrozenClock, tmp_path: Path, mail_file: Tracker
) -> None:
    """Deliveries, events, counts, consents and withdrawals are the same afterwards, also when it is called twice."""
    url = environ["MAILNOD_DATABASE"]
    mails = {delivery.recipient: delivery.id for delivery in mail_file.store.get_deliveries()}
    kept = [KeptBody(id_, ("<p>kept</p>",), clock.now() + timedelta(days=1)) for id_ in mails.values()]
    mail_file.store.keep_bodies(kept)
    arguments = ["copy", "--json", "--database", str(tmp_path / "old.db"), url]
    for _ in range(2):
        result = CliRunner().invoke(cli, arguments, obj=CliContext(environ=environ, clock=clock))
        assert result.exit_code == 0, result.output
        assert json.loads(result.output) == {"target": url.partition("?")[0], "deliveries": 2, "events": 2}
    new = Tracker(Settings.from_environ(environ, worker="none"), clock=clock, load_entry_points=False).store
    old = mail_file.store
    assert new.get_deliveries() == old.get_deliveries()
    assert new.get_events(EventFilter()) == old.get_events(EventFilter())
    bodies = [[store.get_body(id_, now=clock.now()) for id_ in mails.values()] for store in (new, old)]
    assert bodies[0] == bodies[1]
    assert new.get_body(mails["ada@example.com"], now=clock.now()) == ("<p>kept</p>",)
    assert new.get_metrics(by="campaign") == old.get_metrics(by="campaign")
    assert new.get_suppressed()[0] == old.get_suppressed()[0] != frozenset()
    for address in ("ada@example.com", "bob@example.com"):
        assert new.get_consent_history(address) == old.get_consent_history(address)
    denied = ConsentState.DENIED
    record = ConsentRecord(recorded_at=clock.now(), purpose="statistics", opens=denied, clicks=denied, source="form")
    new.record_consent("ada@example.com", record)
    assert len(new.get_suppressed()[0]) == 2
    new.close()
    result = CliRunner().invoke(cli, ["copy", url, "--database", url], obj=CliContext(environ=environ, clock=clock))
    assert result.exit_code == 2

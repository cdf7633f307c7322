"""The commands, and two hosts that share one store in PostgreSQL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailnod import Envelope, Settings, Tracker, make_override
from mailnod.cli.context import CliContext
from mailnod.cli.main import cli
from mailnod.collect.collector import Request
from mailnod.testing import FrozenClock

Run = Callable[..., Result]


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

"""One event laid open: the same as the command says, in words and as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from contracts.judged_store import SCRIPT, JudgedStore
from mailnod.cli.context import CliContext
from mailnod.cli.main import cli
from mailnod.errors import StoreUnavailableError
from mailnod_desktop.services.explaining import EventMissingError, Explainer, make_assessor, to_plain_details
from mailnod_desktop.services.explaining_text import to_text


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[JudgedStore]:
    """Give a store with three events."""
    judged = JudgedStore(tmp_path)
    yield judged
    judged.close()


@pytest.fixture
def explainer() -> Iterator[Explainer]:
    """Give what lays events open."""
    explainer = Explainer()
    yield explainer
    explainer.close()


def test_text_tells_everything_in_order(judged: JudgedStore, explainer: Explainer) -> None:
    """Verdict, evidence, request, mail, window, history and today's rules stand below each other."""
    (script,) = judged.find("bob")
    judged.mistake(script)
    text = to_text(explainer.explain(judged.path, script.event.id))
    parts = (
        f"Event {script.event.id.hex()}: Open, 20.0 s after the mail",
        "Verdict: suspicious, 60 % likely a machine",
        "A machine: it counts among machines, and not among people.",
        "?  plugin.gone: No rule of today knows this sign.",
        f"User agent: {SCRIPT}",
        "accept-language: en",
        "To: bob@example.com",
        "Campaign: spring",
        "route 'news': opens on, clicks on",
        "Around it: 2 other hits in its window",
        "+0.0 s  Click in another mail, same address, another user agent",
        "the rules went from",
        "gained plugin.gone",
        "lost ua.library",
        "They would say something else",
    )
    positions = [text.find(part) for part in parts]
    assert -1 not in positions, parts[positions.index(-1)]
    assert positions == sorted(positions)
    assert "gained ua.library: The user agent is that of a programming library." in text[positions[-1] :]
    assert "lost plugin.gone" in text[positions[-1] :]


def test_json_is_that_of_the_command(judged: JudgedStore, explainer: Explainer) -> None:
    """What is copied from the window is what ``mailnod explain --json`` prints."""
    (script,) = judged.find("bob")
    arguments = ["explain", "--database", str(judged.path), script.event.id.hex(), "--json"]
    printed = CliRunner().invoke(cli, arguments, obj=CliContext(environ={}, clock=judged.clock))
    assert printed.exit_code == 0, printed.output
    plain = to_plain_details(explainer.explain(judged.path, script.event.id))
    assert json.loads(json.dumps(plain)) == json.loads(printed.stdout)


def test_erased_evidence_is_said_in_words(judged: JudgedStore, explainer: Explainer) -> None:
    """Where address, agent and headers are gone it says so, and what stayed of them."""
    (script,) = judged.find("bob")
    judged.purge()
    details = explainer.explain(judged.path, script.event.id)
    text = to_text(details)
    assert "were erased when their time was over" in text
    assert "What stayed: network: hosting; names of headers: accept, accept-language." in text
    assert "They can say nothing" in text
    assert to_plain_details(details)["traces"]


def test_event_that_is_gone_is_named(judged: JudgedStore, explainer: Explainer) -> None:
    """An id that the store does not hold is no crash."""
    with pytest.raises(EventMissingError, match="not in the store any more"):
        explainer.explain(judged.path, bytes(16))


def test_other_stores_are_read_one_after_the_other(judged: JudgedStore, explainer: Explainer, tmp_path: Path) -> None:
    """Going from one store to another and back, and on after closing, reads the one that was asked for."""
    folder = tmp_path / "other"
    folder.mkdir()
    other = JudgedStore(folder, campaign="autumn")
    try:
        for judged_ in (judged, other, judged):
            (script,) = judged_.find("bob")
            delivery = explainer.explain(judged_.path, script.event.id).explanation.record.delivery
            assert delivery is not None
            assert delivery.envelope.campaign == ("autumn" if judged_ is other else "spring")
            explainer.close()
    finally:
        other.close()


def test_foreign_database_is_refused(explainer: Explainer, tmp_path: Path) -> None:
    """A database of another program, a file that is none, and one that is missing are errors that say so."""
    foreign, text, missing = (tmp_path / name for name in ("foreign.db", "text.db", "missing.db"))
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE events (id INTEGER)")
    text.write_text("no database at all, " * 100)
    for path, message in ((foreign, "belongs to another program"), (text, "not an SQLite"), (missing, "no database")):
        with pytest.raises(StoreUnavailableError, match=message):
            explainer.explain(path, bytes(16))
    assert not missing.exists()


def test_other_lists_of_networks_are_taken_from_the_environment(judged: JudgedStore, tmp_path: Path) -> None:
    """As the commands do, the window judges by the lists that MAILNOD_NETWORKS names."""
    from mailnod.plugins import Plugins

    broken = tmp_path / "networks"
    broken.write_bytes(b"not packed")
    (script,) = judged.find("bob")
    (window,) = judged.tracker.store.get_windows([script.observation])
    plugins = Plugins(load_entry_points=False)
    usual = make_assessor(judged.path, plugins, environ={}).explain(script.observation, window)
    named = make_assessor(judged.path, plugins, environ={"MAILNOD_NETWORKS": str(broken)})
    assert usual[0].classification == script.event.verdict.classification
    # Lists that cannot be read are passed over, and the blocks that are installed with the rules hold.
    assert named.explain(script.observation, window)[0].classification == script.event.verdict.classification

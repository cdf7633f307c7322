"""The details of an event as they are shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QTextEdit
from pytestqt.qtbot import QtBot

from contracts.judged_store import SCRIPT, JudgedStore
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import DARK, apply_theme
from mailnod_desktop.views.event_details import EventDetails
from mailnod_desktop.views.event_details_parts import NeighbourLine, Pill, ProbabilityBar, WeightBar


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[JudgedStore]:
    """Give a store with three events."""
    judged = JudgedStore(tmp_path)
    yield judged
    judged.close()


@pytest.fixture
def view(qtbot: QtBot, tasks: Tasks) -> EventDetails:
    """Return the view, shown and empty."""
    view = EventDetails(tasks)
    qtbot.addWidget(view)
    view.resize(420, 700)
    view.show()
    return view


def show(qtbot: QtBot, view: EventDetails, judged: JudgedStore, recipient: str) -> None:
    """Show the newest event of somebody's mail, and wait for it."""
    event_id = judged.find(recipient)[0].event.id
    view.show_event(judged.path, event_id)
    qtbot.waitUntil(lambda: view.details is not None and view.details.explanation.record.event.id == event_id)


def read(view: EventDetails) -> str:
    """Return every text that is to be read."""
    labels = [label.text() for label in view.findChildren(QLabel) if label.isVisibleTo(view)]
    texts = [text.toPlainText() for text in view.findChildren(QTextEdit)]
    return "\n".join([*labels, *texts])


def test_everything_that_is_known_is_shown(qtbot: QtBot, view: EventDetails, judged: JudgedStore) -> None:
    """Verdict, evidence, request, mail, neighbours, history and today's rules are to be read."""
    judged.mistake(judged.find("bob")[0])
    show(qtbot, view, judged, "bob")
    shown = read(view)
    for text in (
        "A machine: it counts among machines, and not among people.",
        "plugin.gone",
        "No rule of today knows this sign.",
        SCRIPT,
        "accept-language",
        "bob@example.com",
        "1. route 'news': opens on, clicks on",
        "Around it: 2 other hits in its window",
        "How it came about: 2 verdicts",
        "the rules went from",
        "They would say something else",
        "+ ua.library (+98): The user agent is that of a programming library.",
    ):
        assert text in shown, text
    pills = [pill.text for pill in view.findChildren(Pill)]
    assert pills == ["suspicious", "generic bot", "suspicious", "suspicious", "generic bot"]
    (probability,) = view.findChildren(ProbabilityBar)
    assert probability.accessibleName() == "60 % likely a machine"
    assert {bar.accessibleName() for bar in view.findChildren(WeightBar)} == {"what it weighed is not kept"}
    (line,) = view.findChildren(NeighbourLine)
    assert line.accessibleName() == "3 hits on a line of time"


def test_evidence_has_a_side_and_a_number(qtbot: QtBot, view: EventDetails, judged: JudgedStore) -> None:
    """What a sign weighs is said in words as well as drawn."""
    show(qtbot, view, judged, "bob")
    assert [bar.accessibleName() for bar in view.findChildren(WeightBar)] == ["weighs +98"]


def test_erased_evidence_is_said_in_words(qtbot: QtBot, view: EventDetails, judged: JudgedStore) -> None:
    """Nobody wonders where the address went."""
    judged.purge()
    show(qtbot, view, judged, "bob")
    shown = read(view)
    assert "were erased when their time was over" in shown
    assert "What stayed: network: hosting" in shown
    assert "They can say nothing" in shown


def test_what_strangers_wrote_is_text(qtbot: QtBot, view: EventDetails, judged: JudgedStore) -> None:
    """Markup in a user agent and a subject is shown as it is, and what cannot be seen is made visible."""
    agent, subject = "<b>bold</b>\u202egnp", "<img src=x onerror=1> " + "long" * 5_000
    judged.hit(judged.send("eve", subject=subject), "o", agent)
    judged.clock.advance(60)
    judged.tracker.work_once()
    show(qtbot, view, judged, "eve")
    shown = read(view)
    assert "<b>bold</b>" in shown
    assert "\u202e" not in shown
    assert "<img src=x onerror=1> longlong" in shown
    assert view.grab().width() == 420


def test_copies_hold_all_of_it(qtbot: QtBot, view: EventDetails, judged: JudgedStore) -> None:
    """The buttons put text and JSON on the clipboard, and wait for an event."""
    text, data = (view.findChild(QPushButton, f"event-details-copy-{name}") for name in ("text", "json"))
    assert isinstance(text, QPushButton)
    assert isinstance(data, QPushButton)
    assert not text.isEnabled()
    show(qtbot, view, judged, "bob")
    text.click()
    assert QGuiApplication.clipboard().text().startswith("Event ")
    data.click()
    plain = json.loads(QGuiApplication.clipboard().text())
    assert plain["observation"]["hit"]["user_agent"] == SCRIPT


def test_newest_choice_is_shown(qtbot: QtBot, view: EventDetails, judged: JudgedStore) -> None:
    """Going down a list fast shows the event that one stopped at."""
    for record in (*judged.find("ada"), *judged.find("bob")) * 3:
        view.show_event(judged.path, record.event.id)
    qtbot.waitUntil(lambda: view.details is not None)
    assert view.details is not None
    assert view.details.explanation.record.event.id == judged.find("bob")[0].event.id


def test_clear_shows_nothing_and_reads_again(qtbot: QtBot, view: EventDetails, judged: JudgedStore) -> None:
    """After it was cleared the view says what to do, and shows the next event."""
    show(qtbot, view, judged, "bob")
    view.clear()
    assert view.details is None
    assert "Choose an event" in read(view)
    show(qtbot, view, judged, "ada")


def test_event_that_cannot_be_read_is_a_sentence(qtbot: QtBot, view: EventDetails, judged: JudgedStore) -> None:
    """A removed event, and a store that is none, are said in place."""
    message = view.findChild(QLabel, "event-details-message")
    assert isinstance(message, QLabel)
    view.show_event(judged.path, bytes(16))
    qtbot.waitUntil(lambda: "not in the store any more" in message.text())
    foreign = judged.path.with_name("text.db")
    foreign.write_text("no database at all, " * 100)
    view.show_event(foreign, bytes(16))
    qtbot.waitUntil(lambda: "not an SQLite database" in message.text())
    show(qtbot, view, judged, "bob")


def test_theme_may_change_while_it_is_shown(
    qtbot: QtBot, qapp: QApplication, view: EventDetails, judged: JudgedStore
) -> None:
    """The same event is drawn in the other colours, at the same place."""
    show(qtbot, view, judged, "bob")
    before = view.findChildren(Pill)[0]
    apply_theme(qapp, DARK)
    qtbot.waitUntil(lambda: view.findChildren(Pill)[0] is not before)
    assert SCRIPT in read(view)

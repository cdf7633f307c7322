"""The simulator's panel: who is chosen acts on the shown mail, and what comes of it is laid open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from mailnod.model import ConsentState
from mailnod.settings import Settings
from mailnod_desktop.preferences import Preferences
from mailnod_desktop.services.clients import Persona, get_persona
from mailnod_desktop.services.model import Inspection, LinkRow, Mail, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.services.scenarios import SCENARIOS, Scenario
from mailnod_desktop.services.simulation import SimulationResult
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import DARK, LIGHT, apply_theme
from mailnod_desktop.views.simulate import SimulatePanel
from mailnod_desktop.views.verdict_panel import VerdictCard, describe_delay

HTML = "".join(f'<p><a href="https://example.com/{number}">Number {number}</a></p>' for number in range(4))
DATA = b"Subject: News\r\nTo: one@example.com, two@example.com\r\nContent-Type: text/html\r\n\r\n" + HTML.encode()


@pytest.fixture(scope="module")
def rewriter() -> Rewriter:
    """Rewrite as the window does without settings."""
    return Rewriter(Settings.from_mapping({}), None)


@pytest.fixture
def panel(
    qtbot: QtBot, tasks: Tasks, tmp_path: Path, preferences: Preferences, rewriter: Rewriter
) -> Iterator[SimulatePanel]:
    """Give the panel with a mail in it."""
    panel = SimulatePanel(tasks, tmp_path, preferences.settings)
    qtbot.addWidget(panel)
    panel.resize(320, 900)
    panel.show()
    panel.set_rewriter(rewriter)
    panel.set_inspection(inspect(rewriter))
    yield panel
    panel.start_over()
    tasks.close()


def inspect(rewriter: Rewriter, key: str = "news", **wishes: object) -> Inspection:
    """Rewrite the mail."""
    mail = Mail(key=key, name="news.eml", origin="file", data=DATA)
    return rewriter.inspect(parse(mail), Wishes(**wishes))  # type: ignore[arg-type]


def find_link(inspection: Inspection, number: int) -> LinkRow:
    """Return a link by its number, from 0."""
    return next(row for row in inspection.links if row.link is not None and row.link.index == number)


def persona(key: str) -> Persona:
    """Return a persona that is there."""
    found = get_persona(key)
    assert found is not None
    return found


def play(qtbot: QtBot, panel: SimulatePanel, who: Persona | Scenario) -> SimulationResult:
    """Choose who acts, press the button, and wait for what comes."""
    panel.form.choose(who)
    button = panel.findChild(QPushButton, "simulate-play")
    assert button is not None
    with qtbot.waitSignal(panel.played, timeout=30_000) as told:
        button.click()
    result: SimulationResult = told.args[0]
    return result


def read_texts(panel: SimulatePanel) -> str:
    """Return everything that the labels of the result say."""
    content = panel.verdicts.widget()
    assert content is not None
    return "\n".join(label.text() for label in content.findChildren(QLabel))


def test_a_play_shows_verdicts_reasons_and_counts(qtbot: QtBot, panel: SimulatePanel) -> None:
    """Each hit has a card with its sentences, and the counts that moved are named."""
    result = play(qtbot, panel, persona("phone"))
    assert [card.hit for card in panel.verdicts.cards] == list(result.hits)
    texts = read_texts(panel)
    assert "2 hits: 2 of people" in texts
    assert "opens of people 0 → 1, clicks of people 0 → 1" in texts
    for hit in result.hits:
        assert hit.explanation is not None
        assert all(reason.sentence in texts for reason in hit.explanation.reasons)
    assert panel.port is not None
    assert panel.database == result.database


def test_reasons_of_many_hits_open_one_by_one(qtbot: QtBot, panel: SimulatePanel) -> None:
    """Where a scanner follows every link, a click on a card's head shows why."""
    play(qtbot, panel, persona("gateway"))
    card = panel.verdicts.cards[2]
    assert not card.opened
    head = card.findChild(QToolButton, "verdict-head")
    assert head is not None
    head.click()
    assert card.opened
    assert "Gateways" in read_texts(panel) or "links" in read_texts(panel)


def test_a_link_of_the_preview_is_chosen(qtbot: QtBot, panel: SimulatePanel, rewriter: Rewriter) -> None:
    """What was offered is what is clicked next, also after the mail was rewritten."""
    inspection = inspect(rewriter)
    panel.offer(find_link(inspection, 2), "https://example.com/2")
    panel.set_inspection(inspect(rewriter, refused=frozenset({(0, 0)})))
    assert panel.form.target.row is not None
    result = play(qtbot, panel, persona("desktop"))
    assert [hit.location for hit in result.hits] == ["https://example.com/2"]


def test_a_link_that_is_not_tracked_is_refused_in_words(panel: SimulatePanel, rewriter: Rewriter) -> None:
    """Nobody would hear of such a click, and the panel says why."""
    inspection = inspect(rewriter, refused=frozenset({(0, 1)}))
    panel.set_inspection(inspection)
    row = find_link(inspection, 1)
    panel.offer(row, row.url)
    assert row.reason in read_texts(panel)
    panel.offer(None, "https://elsewhere.example/")
    assert "https://elsewhere.example/" in read_texts(panel)


def choose(panel: SimulatePanel, name: str, text: str) -> None:
    """Choose the first entry of a combo box in which a text stands."""
    combo = panel.findChild(QComboBox, name)
    assert combo is not None
    row = next(row for row in range(combo.count()) if text in combo.itemText(row))
    combo.setCurrentIndex(row)


def test_pixel_links_recipients_and_conditions_can_be_chosen(qtbot: QtBot, panel: SimulatePanel) -> None:
    """Each chooser does what it says."""
    choose(panel, "simulate-target", "pixel")
    choose(panel, "simulate-recipient", "two@example.com")
    result = play(qtbot, panel, persona("desktop"))
    assert ([hit.what for hit in result.hits], result.recipient) == (["pixel"], "two@example.com")
    choose(panel, "simulate-target", "every link")
    assert len(play(qtbot, panel, persona("script")).hits) == 4
    choose(panel, "simulate-target", "link 3")
    choose(panel, "simulate-condition", "withdrawn")
    result = play(qtbot, panel, persona("slack"))
    assert [hit.event_id for hit in result.hits] == [None]
    assert "consent was withdrawn" in read_texts(panel)


def test_a_mail_that_is_not_tracked_says_so(qtbot: QtBot, panel: SimulatePanel, rewriter: Rewriter) -> None:
    """Where there is nothing to ask for, the reason stands in place of a verdict."""
    panel.set_inspection(inspect(rewriter, consent_opens=ConsentState.DENIED, consent_clicks=ConsentState.DENIED))
    panel.play()
    qtbot.waitUntil(lambda: "leaves as it came" in read_texts(panel))
    button = panel.findChild(QPushButton, "simulate-play")
    assert button is not None
    assert button.isEnabled()
    panel.set_inspection(None)
    assert not button.isEnabled()


def test_what_was_played_is_saved_and_offered_again(qtbot: QtBot, panel: SimulatePanel) -> None:
    """A recorded scenario is chosen at once, plays the same, and can be removed."""
    play(qtbot, panel, persona("apple_mpp"))
    first = play(qtbot, panel, persona("phone"))
    panel.save_scenario("Mine")
    combo = panel.findChild(QComboBox, "simulate-who")
    assert combo is not None
    qtbot.waitUntil(lambda: combo.currentText() == "Mine")
    scenario = panel.form.who
    assert isinstance(scenario, Scenario)
    assert [step.persona for step in scenario.steps] == ["apple_mpp", "phone"]
    again = play(qtbot, panel, scenario)
    assert [hit.what for hit in again.hits][1:] == [hit.what for hit in first.hits]
    panel.remove_scenario(scenario)
    qtbot.waitUntil(lambda: combo.findText("Mine") < 0)
    assert panel.form.who is not scenario


def test_hostile_scenarios_are_said_and_left_out(qtbot: QtBot, panel: SimulatePanel, preferences: Preferences) -> None:
    """A broken file is named, and the good ones are offered."""
    folder = Path(preferences.settings.fileName()).parent / "scenarios"
    folder.mkdir()
    good = {"form": 1, "name": "<b>Good</b>", "about": "<img src=x>", "steps": [{"persona": "phone"}]}
    (folder / "good.json").write_text(json.dumps(good))
    (folder / "bad.json").write_text("{")
    with qtbot.waitSignal(panel.problem) as said:
        panel.load_scenarios()
    assert "bad.json" in said.args[0]
    combo = panel.findChild(QComboBox, "simulate-who")
    assert combo is not None
    assert combo.findText("<b>Good</b>") >= 0


def test_events_are_shown_once_there_are_some(qtbot: QtBot, panel: SimulatePanel) -> None:
    """The scratch store is handed on, and before the first play nothing is."""
    with qtbot.assertNotEmitted(panel.open_events_requested):
        panel.show_events()
    result = play(qtbot, panel, SCENARIOS[0])
    with qtbot.waitSignal(panel.open_events_requested) as told:
        panel.show_events()
    assert told.args == [result.database]


def test_starting_over_forgets_everything(qtbot: QtBot, panel: SimulatePanel) -> None:
    """The store goes, the next play begins with an empty one, and other keys do the same."""
    first = play(qtbot, panel, persona("phone"))
    panel.start_over()
    qtbot.waitUntil(lambda: not first.database.exists(), timeout=20_000)
    assert panel.database is None
    assert play(qtbot, panel, persona("phone")).before.human_opens == 0
    other = Rewriter(Settings.from_mapping({}), None)
    panel.set_rewriter(other)
    panel.set_inspection(inspect(other))
    assert play(qtbot, panel, persona("phone")).people == 2


def test_a_result_is_not_shown_beside_another_mail(qtbot: QtBot, panel: SimulatePanel, rewriter: Rewriter) -> None:
    """Who has chosen another mail meanwhile sees nothing of the old one, and the events are there."""
    with qtbot.waitSignal(panel.played, timeout=30_000) as told:
        panel.play()
        panel.set_inspection(inspect(rewriter, key="other"))
    assert panel.verdicts.result is None
    assert told.args[0].people == 2


def test_the_theme_can_change_while_a_result_is_shown(qtbot: QtBot, panel: SimulatePanel) -> None:
    """Cards are drawn anew in the other colours, and those that were open stay so."""
    play(qtbot, panel, persona("gateway"))
    panel.verdicts.cards[1].toggle()
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    for theme in (DARK, LIGHT):
        before = list(panel.verdicts.cards)
        apply_theme(application, theme)
        qtbot.waitUntil(partial(is_drawn_anew, panel, before))
        assert [card.opened for card in panel.verdicts.cards][:3] == [False, True, False]
        assert not panel.grab().isNull()


def is_drawn_anew(panel: SimulatePanel, before: list[VerdictCard]) -> bool:
    """Tell whether there are other cards than before."""
    return bool(panel.verdicts.cards) and panel.verdicts.cards[0] is not before[0]


def test_a_hostile_destination_is_shown_as_it_is(qtbot: QtBot, panel: SimulatePanel) -> None:
    """What a reply says is no markup, and long addresses do not push the panel wider."""
    result = play(qtbot, panel, persona("phone"))
    location = "https://example.com/<b>\u202e" + "x" * 5000
    panel.verdicts.show_result(replace(result, hits=(replace(result.hits[1], location=location),)))
    qtbot.waitUntil(lambda: panel.verdicts.cards[0].width() <= panel.width())
    assert "\u202e" not in read_texts(panel)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "+0.2 s"), (401, "+6 min 41.0 s"), (10_809, "+3 h 00 min"), (31 * 86_400.0, "+31 d")],
)
def test_delays_are_said_in_the_unit_that_says_most(seconds: float, words: str) -> None:
    """Tenths of seconds matter in a burst, and days after the end of a token."""
    assert describe_delay(seconds) == words

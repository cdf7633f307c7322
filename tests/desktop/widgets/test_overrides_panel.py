"""The switches for one mail, and how they are taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from mailnod.model import ConsentState, Decision, Mode
from mailnod_desktop.services.model import Inspection, Mail, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.views.overrides import OverridesPanel
from mailnod_desktop.views.wishes_stack import WishesStack, describe_change

InspectMail = Callable[..., Inspection]


@pytest.fixture
def panel(qtbot: QtBot, rewriter: Rewriter, inspect_mail: InspectMail) -> OverridesPanel:
    """Return a panel for a mail whose header turns opens on."""
    panel = OverridesPanel()
    qtbot.addWidget(panel)
    panel.set_routes(rewriter.routes, rewriter.default_route, ephemeral_keys=rewriter.ephemeral_keys)
    panel.set_inspection(inspect_mail(envelope=("audit@example.com",)))
    panel.resize(300, 640)
    panel.show()
    return panel


def _choose(panel: OverridesPanel, field: str, text: str) -> None:
    combo = panel.get_combo(field)
    combo.setCurrentIndex(combo.findText(text))
    combo.activated.emit(combo.currentIndex())


@pytest.mark.parametrize(
    ("field", "text", "wishes", "said"),
    [
        ("route", "plain", Wishes(route="plain"), "Take the route “plain”"),
        ("track_opens", "Off", Wishes(track_opens=False), "Turn opens off"),
        ("track_clicks", "On", Wishes(track_clicks=True), "Turn clicks on"),
        ("consent_opens", "As recorded", Wishes(consent_opens=None), "Take consent for opens as recorded"),
        (
            "consent_clicks",
            "Denied",
            Wishes(consent_clicks=ConsentState.DENIED),
            "Take consent for clicks as denied",
        ),
        (
            "recipient",
            "audit@example.com",
            Wishes(recipient="audit@example.com"),
            "Show the copy of audit@example.com",
        ),
    ],
)
def test_switch_tells_the_new_wishes_and_what_was_done(
    panel: OverridesPanel, qtbot: QtBot, field: str, text: str, wishes: Wishes, said: str
) -> None:
    """Each switch changes one wish, and says in words what it did."""
    with qtbot.waitSignal(panel.wishes_changed) as told:
        _choose(panel, field, text)
    assert told.args == [wishes, said]


def test_wheel_in_passing_changes_nothing(panel: OverridesPanel, qtbot: QtBot) -> None:
    """Who scrolls through the panel does not change a switch that comes under the pointer."""
    combo = panel.get_combo("track_opens")
    combo.setFocus()
    turn = QWheelEvent(
        QPointF(5, 5), combo.mapToGlobal(QPointF(5, 5)), QPoint(0, 0), QPoint(0, -120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    with qtbot.assertNotEmitted(panel.wishes_changed):
        QApplication.sendEvent(combo, turn)
    assert combo.currentIndex() == 0


def test_inherit_says_what_is_inherited(panel: OverridesPanel, inspect_mail: InspectMail) -> None:
    """What a route or a header says stands in the switch that inherits it."""
    assert panel.get_combo("route").currentText() == "Inherit (news)"
    assert panel.get_combo("track_clicks").currentText() == "Inherit (on)"
    panel.set_inspection(inspect_mail(wishes=Wishes(route="plain")))
    assert panel.get_combo("track_clicks").currentText() == "Inherit (off)"
    # The mail's own header says so, whatever its route.
    assert panel.get_combo("track_opens").currentText() == "Inherit (on)"


def test_reset_returns_to_no_overrides(panel: OverridesPanel, qtbot: QtBot, inspect_mail: InspectMail) -> None:
    """One button takes all overrides back, and rests where there are none."""
    button = panel.findChild(QPushButton, "overrides_reset")
    assert isinstance(button, QPushButton)
    assert not button.isEnabled()
    panel.set_inspection(inspect_mail(wishes=Wishes(track_opens=False, route="plain")))
    with qtbot.waitSignal(panel.wishes_changed) as told:
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert told.args == [Wishes(), "Reset overrides"]


def test_outcome_gives_the_reasons_in_order(panel: OverridesPanel, inspect_mail: InspectMail) -> None:
    """The decision is explained in the order in which it was weighed, the pixel's place too."""
    panel.set_inspection(inspect_mail(wishes=Wishes(consent_clicks=ConsentState.DENIED)))
    sentences = panel.outcome.sentences
    assert sentences[0] == "Route 'news': opens on, clicks on."
    assert any("denied" in sentence for sentence in sentences)
    assert panel.outcome.pixel_text.startswith("before </body>")
    panel.set_inspection(None)
    assert panel.outcome.sentences == []


def test_undo_goes_back_to_the_mail_that_was_changed() -> None:
    """The stack holds all mails, and an undo names the one that it is about."""
    stack, told = WishesStack(), []
    stack.wishes_applied.connect(lambda key, wishes: told.append((key, wishes)))
    off = Wishes(track_opens=False)
    stack.push_wishes("one", Wishes(), off)
    stack.push_wishes("two", Wishes(), off)
    stack.undo()
    stack.undo()
    stack.redo()
    assert told == [("one", off), ("two", off), ("two", Wishes()), ("one", Wishes()), ("one", off)]
    assert stack.undoText() == "Turn opens off"


def test_repeated_changes_of_one_switch_are_one_step() -> None:
    """Going through the values of a switch leaves one step, and none where it ends as it began."""
    stack = WishesStack()
    steps = [Wishes(), Wishes(track_opens=False), Wishes(track_opens=True), Wishes()]
    stack.push_wishes("one", steps[0], steps[1])
    stack.push_wishes("one", steps[1], steps[2])
    assert (stack.count(), stack.undoText()) == (1, "Turn opens on")
    stack.push_wishes("one", steps[2], steps[3])
    assert not stack.canUndo()


def test_two_links_are_two_steps() -> None:
    """Each link that is left alone can be taken back by itself."""
    stack = WishesStack()
    one, two = Wishes(refused=frozenset({(0, 0)})), Wishes(refused=frozenset({(0, 0), (0, 4)}))
    stack.push_wishes("one", Wishes(), one)
    stack.push_wishes("one", one, two)
    assert [stack.text(row) for row in range(stack.count())] == ["Leave link 1 alone", "Leave link 5 alone"]


def test_nothing_changed_is_no_step() -> None:
    """Wishes that are the same leave no trace."""
    stack = WishesStack()
    stack.push_wishes("one", Wishes(), Wishes())
    assert (stack.count(), describe_change(Wishes(), Wishes())) == (0, "")


def test_recorded_mail_cannot_be_rewritten(panel: OverridesPanel, rewriter: Rewriter) -> None:
    """Of a delivery whose text nobody has kept, the panel says what was decided, and offers nothing to change."""
    recorded = Decision(opens=Mode.INDIVIDUAL, clicks=Mode.NONE, route="news", reasons=("route 'news': opens on",))
    mail = Mail(key="one", name="one", origin="store", data=b"Subject: One\r\n\r\n", recorded=recorded)
    panel.set_inspection(rewriter.inspect(parse(mail), Wishes()))
    assert panel.outcome.sentences[1] == "Route 'news': opens on."
    assert panel.outcome.pixel_text == "not recorded"
    assert not panel.get_combo("route").isEnabled()


def test_mail_that_was_sent_says_what_cannot_be_known(panel: OverridesPanel, inspect_mail: InspectMail) -> None:
    """A mail that had been rewritten before it came is shown as it was sent, with the doubts that leaves."""
    sent = inspect_mail(inspect_mail().data, key="sent")
    assert sent.as_sent
    panel.set_inspection(sent)
    assert panel.outcome.sentences[0].startswith("As it was sent")
    texts = [label.text() for label in panel.outcome.findChildren(QLabel)]
    assert not any("made for this run" in text for text in texts)

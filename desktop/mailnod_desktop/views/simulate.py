"""Simulate an open or a click of the shown mail, and see what the collector and the judge make of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QSettings, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QInputDialog, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from mailnod_desktop.services.model import Inspection, LinkRow
from mailnod_desktop.services.rewriting import Rewriter
from mailnod_desktop.services.scenarios import Scenario, ScenarioError, ScenarioFolder, Step, record
from mailnod_desktop.services.simulation import SimulationResult
from mailnod_desktop.services.simulator import Simulator
from mailnod_desktop.tasks import Tasks
from mailnod_desktop.theme import get_theme, icon
from mailnod_desktop.views.simulate_form import SimulateForm
from mailnod_desktop.views.verdict_panel import VerdictPanel

__all__ = ["SimulatePanel"]


class SimulatePanel(QWidget):
    """Plays personas and scenarios against the mail that is shown; nothing leaves this machine.

    :param scratch: a folder in which scratch stores are made.
    :param remembered: beside its file the saved scenarios lie.
    """

    #: A :class:`~mailnod_desktop.services.simulation.SimulationResult`.
    played = Signal(object)
    #: The events of a scratch store are to be shown; its path.
    open_events_requested = Signal(object)
    #: What was played is forgotten, and the scratch store with it; its path.
    forgotten = Signal(object)
    #: What went wrong with the saved scenarios, in words.
    problem = Signal(str)

    def __init__(self, tasks: Tasks, scratch: Path, remembered: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("simulate")
        self._tasks = tasks
        self._scratch = scratch
        self._folder = ScenarioFolder(Path(remembered.fileName()).parent / "scenarios")
        self._rewriter: Rewriter | None = None
        self._simulator: Simulator | None = None
        self._inspection: Inspection | None = None
        self._steps: list[Step] = []
        self._saved: list[Scenario] = []
        self.form = SimulateForm()
        self.verdicts = VerdictPanel()
        self._play = QPushButton(self.tr("Play"))
        self._play.setObjectName("simulate-play")
        self._play.setDefault(True)
        self._play.setToolTip(self.tr("Send real requests to a collector on this machine (Ctrl+Return)"))
        self._play.clicked.connect(self.play)
        self._more = QToolButton()
        self._more.setObjectName("simulate-more")
        self._more.setAutoRaise(True)
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._more.setAccessibleName(self.tr("More"))
        self._more.setToolTip(self.tr("Save as a scenario, show the events, start over"))
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        self._more.setMenu(self._menu)
        self._more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self._lay_out()
        self._redraw()
        self._enable()
        self.load_scenarios()

    # -- what others call ---------------------------------------------------------------------------------------------

    @property
    def port(self) -> int | None:
        """Where the collector listens; None before the first play."""
        return None if self._simulator is None else self._simulator.port

    @property
    def database(self) -> Path | None:
        """The scratch store; None before the first play."""
        return None if self._simulator is None else self._simulator.database

    def set_rewriter(self, rewriter: Rewriter) -> None:
        """Simulate mails that were rewritten with these keys and settings; plays so far are forgotten."""
        if rewriter is not self._rewriter:
            self._rewriter = rewriter
            self.start_over()

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Simulate another mail, or the same one as it is rewritten now."""
        before = None if self._inspection is None else self._inspection.parsed.mail.key
        self._inspection = inspection
        self.form.set_inspection(inspection)
        if before != (None if inspection is None else inspection.parsed.mail.key):
            self._steps.clear()
            self.verdicts.say(self.tr("Play a client to see what the collector would make of it."))
        self._enable()

    def offer(self, row: LinkRow | None, url: str) -> None:
        """Choose a link that was clicked elsewhere, to be played next."""
        if row is None or not self.form.choose_link(row):
            why = self.tr("Nobody would hear of a click on {url}: that link is not tracked.").format(url=url)
            self.verdicts.say(why if row is None else f"{why} ({row.reason})", trouble=True)
        else:
            self._play.setFocus()

    def play(self) -> None:
        """Let who is chosen act on the mail."""
        inspection, simulator = self._inspection, self._get_simulator()
        if inspection is None or simulator is None or not self._play.isEnabled():
            return
        who, target, form = self.form.who, self.form.target, self.form
        recipient, condition = form.recipient, form.condition
        self._play.setEnabled(False)
        self._play.setText(self.tr("Playing…"))
        self._tasks.start(
            "simulate",
            lambda _: simulator.play(inspection, who, target.row, recipient, action=target.action, condition=condition),
            partial(self._take, inspection.parsed.mail.key),
            partial(self._fail, inspection.parsed.mail.key),
        )

    def show_events(self) -> None:
        """Ask for the events of the scratch store."""
        if self.database is not None:
            self.open_events_requested.emit(self.database)
        else:
            self.verdicts.say(self.tr("Nothing was played yet, so there are no simulated events."))

    def start_over(self) -> None:
        """Forget what was played, and begin with an empty store."""
        self._tasks.cancel("simulate")
        old, path, self._simulator = self._simulator, self.database, None
        self._steps.clear()
        self.verdicts.say(self.tr("Play a client to see what the collector would make of it."))
        self._enable()
        if old is not None:
            # A play may be under way, and nobody waits for its end here.
            self._tasks.let_go(old.close)
            self.forgotten.emit(path)

    def load_scenarios(self) -> None:
        """Read the saved scenarios again."""
        self._tasks.start("simulate.scenarios", lambda _: self._folder.load(), self._take_scenarios)

    def save_scenario(self, name: str) -> None:
        """Save what was played since the mail was chosen under a name."""
        folder, steps = self._folder, tuple(self._steps)
        about = self.tr("Recorded with the mail “{subject}”.").format(subject=self._get_subject())

        def save(_: object) -> tuple[list[Scenario], list[str]]:
            folder.save(record(steps, name=name, about=about))
            return folder.load()

        self._tasks.start("simulate.scenarios", save, partial(self._take_saved, name), self._complain)

    def remove_scenario(self, scenario: Scenario) -> None:
        """Remove a saved scenario."""
        folder = self._folder

        def remove(_: object) -> tuple[list[Scenario], list[str]]:
            folder.remove(scenario)
            return folder.load()

        self._tasks.start("simulate.scenarios", remove, self._take_scenarios, self._complain)

    # -- events of Qt -------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Draw pictures anew after the theme has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_more"):
            self._redraw()

    # -- how it works -------------------------------------------------------------------------------------------------

    def _get_simulator(self) -> Simulator | None:
        if self._simulator is None and self._rewriter is not None:
            self._simulator = Simulator(self._rewriter.keyring, self._rewriter.settings, folder=self._scratch)
        return self._simulator

    def _take(self, key: str, result: SimulationResult) -> None:
        self._enable()
        # Another mail may have been chosen meanwhile; what was played has happened all the same.
        if self._is_shown(key):
            self._steps.extend(result.steps)
            self.verdicts.show_result(result)
        self.played.emit(result)

    def _fail(self, key: str, error: Exception) -> None:
        self._enable()
        if self._is_shown(key):
            self.verdicts.say(str(error), trouble=True)

    def _is_shown(self, key: str) -> bool:
        return self._inspection is not None and self._inspection.parsed.mail.key == key

    def _take_scenarios(self, found: tuple[list[Scenario], list[str]]) -> None:
        self._saved, problems = found
        self.form.set_scenarios(self._saved)
        if problems:
            self.problem.emit(self.tr("Some saved scenarios cannot be read:") + "\n" + "\n".join(problems))

    def _take_saved(self, name: str, found: tuple[list[Scenario], list[str]]) -> None:
        """Choose what was saved, which also says that it was."""
        self._take_scenarios(found)
        for scenario in self._saved:
            if scenario.name == name:
                self.form.choose(scenario)

    def _complain(self, error: Exception) -> None:
        self.problem.emit(str(error) if isinstance(error, ScenarioError) else repr(error))

    def _get_subject(self) -> str:
        subject = "" if self._inspection is None else self._inspection.parsed.summary.subject
        return "".join(one for one in subject if one.isprintable())[:80]

    def _enable(self) -> None:
        self._play.setText(self.tr("Play"))
        self._play.setEnabled(self._inspection is not None and self._rewriter is not None)

    def _fill_menu(self) -> None:
        self._menu.clear()
        save = self._menu.addAction(icon("content-save-outline"), self.tr("Save as scenario…"), self._ask_for_name)
        save.setEnabled(bool(self._steps))
        who = self.form.who
        remove = self._menu.addAction(icon("delete-outline"), self.tr("Remove this scenario"))
        remove.setEnabled(False)
        if isinstance(who, Scenario) and who in self._saved:
            remove.setEnabled(True)
            remove.triggered.connect(partial(self.remove_scenario, who))
        self._menu.addSeparator()
        events = self._menu.addAction(icon("format-list-bulleted"), self.tr("Show simulated events"), self.show_events)
        events.setEnabled(self.database is not None)
        over = self._menu.addAction(icon("restart"), self.tr("Start over"), self.start_over)
        over.setEnabled(self._simulator is not None)

    def _ask_for_name(self) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle(self.tr("Save as scenario"))
        steps = self.tr("1 step") if len(self._steps) == 1 else self.tr("{n} steps").format(n=len(self._steps))
        dialog.setLabelText(self.tr("Name of the scenario ({steps}):").format(steps=steps))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.textValueSelected.connect(self.save_scenario)
        dialog.open()

    def _redraw(self) -> None:
        theme = get_theme()
        self._play.setIcon(icon("play", theme.on_accent))
        self._more.setIcon(icon("dots-horizontal", theme.text))

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self._play, 1)
        buttons.addWidget(self._more)
        upper = QVBoxLayout()
        upper.setContentsMargins(12, 10, 12, 8)
        upper.setSpacing(9)
        upper.addWidget(self.form)
        upper.addLayout(buttons)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.StyledPanel)
        line.setFixedHeight(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(upper)
        column.addWidget(line)
        column.addWidget(self.verdicts, 1)

"""Who is simulated, what it asks for, and whose copy it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from mailnod_desktop.models.plain import make_tooltip, make_visible, shorten
from mailnod_desktop.services.clients import PERSONAS, Action, Persona
from mailnod_desktop.services.model import Inspection, LinkRow
from mailnod_desktop.services.scenarios import SCENARIOS, Scenario
from mailnod_desktop.services.simulation import Condition
from mailnod_desktop.views.controls import make_label

__all__ = ["SimulateForm", "Target"]

_LABEL_CHARS = 44
#: More links than this are not offered one by one.
_MOST_LINKS = 300


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for."""

    action: Action
    row: LinkRow | None = None


class SimulateForm(QWidget):
    """The choosers above the Play button."""

    #: Something else was chosen.
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._who = self._make_combo("simulate-who", self.tr("Client or scenario"), self.tr("Who opens and clicks"))
        self._about = make_label(muted=True, wrap=True)
        self._target = self._make_combo("simulate-target", self.tr("Asks for"), self.tr("What is opened or clicked"))
        self._recipient = self._make_combo("simulate-recipient", self.tr("Copy of"), self.tr("Whose copy it has"))
        self._condition = self._make_combo(
            "simulate-condition", self.tr("Provided that"), self.tr("What stands in the way of recording")
        )
        for name, condition in (
            (self.tr("all is as sent"), "usual"),
            (self.tr("the token has expired"), "expired"),
            (self.tr("consent was withdrawn"), "withdrawn"),
        ):
            self._condition.addItem(name, condition)
        form = QFormLayout()
        form.setHorizontalSpacing(10)
        form.setVerticalSpacing(7)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for name, combo in (
            (self.tr("Asks for"), self._target),
            (self.tr("Copy of"), self._recipient),
            (self.tr("Provided"), self._condition),
        ):
            form.addRow(QLabel(name), combo)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(7)
        column.addWidget(self._who)
        column.addWidget(self._about)
        column.addLayout(form)
        self.set_scenarios(())
        self.set_inspection(None)
        self._who.currentIndexChanged.connect(self._explain)

    @property
    def who(self) -> Persona | Scenario:
        """Who is simulated."""
        chosen: Persona | Scenario = self._who.currentData()
        return chosen

    @property
    def target(self) -> Target:
        """What is asked for."""
        target: Target = self._target.currentData() or Target("usual")
        return target

    @property
    def recipient(self) -> str | None:
        """Whose copy it has; None means the shared one."""
        recipient: str | None = self._recipient.currentData()
        return recipient

    @property
    def condition(self) -> Condition:
        """What stands in the way of recording."""
        condition: Condition = self._condition.currentData()
        return condition

    def set_scenarios(self, saved: Sequence[Scenario]) -> None:
        """Offer personas, our scenarios, and those that were saved."""
        chosen = self._who.currentData()
        model = QStandardItemModel(self._who)
        groups: list[tuple[str, Sequence[Persona | Scenario]]] = [
            (self.tr("People"), [one for one in PERSONAS if not one.machine]),
            (self.tr("Machines"), [one for one in PERSONAS if one.machine]),
            (self.tr("Scenarios"), SCENARIOS),
            (self.tr("Saved scenarios"), saved),
        ]
        for name, members in groups:
            if members:
                model.appendRow(_make_heading(name))
            for one in members:
                item = QStandardItem(make_visible(shorten(one.name, 80)))
                item.setData(one, Qt.ItemDataRole.UserRole)
                item.setData(make_tooltip(one.about), Qt.ItemDataRole.ToolTipRole)
                model.appendRow(item)
        with QSignalBlocker(self._who):
            self._who.setModel(model)
        self.choose(chosen if chosen is not None and self._find(chosen) >= 0 else PERSONAS[0])

    def choose(self, who: Persona | Scenario) -> None:
        """Choose who is simulated."""
        row = self._find(who)
        if row >= 0:
            self._who.setCurrentIndex(row)
        self._explain()

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Offer what a mail has, and keep what was chosen where it is still there."""
        self._show_targets(inspection)
        self._show_recipients(inspection)

    def choose_link(self, row: LinkRow) -> bool:
        """Choose what is clicked; False where it is not among the links of the mail."""
        for number in range(self._target.count()):
            target = self._target.itemData(number)
            if isinstance(target, Target) and target.row is not None and _name(target.row) == _name(row):
                self._target.setCurrentIndex(number)
                return True
        return False

    def _show_targets(self, inspection: Inspection | None) -> None:
        chosen = self._target.currentData()
        rows = [] if inspection is None else [row for row in inspection.links if row.tracked and row.tracked_url]
        with QSignalBlocker(self._target):
            self._target.clear()
            self._target.addItem(self.tr("what it usually does"), Target("usual"))
            pixel = next((row for row in rows if row.kind == "pixel"), None)
            if pixel is not None:
                self._target.addItem(self.tr("the pixel alone"), Target("open", pixel))
            links = [row for row in rows if row.kind in ("click", "text")]
            if links:
                self._target.addItem(self.tr("every link"), Target("click_all"))
                self._target.insertSeparator(self._target.count())
            for row in links[:_MOST_LINKS]:
                self._target.addItem(self._describe(row), Target("click", row))
            if chosen is not None:
                self._restore_target(chosen)

    def _restore_target(self, chosen: Target) -> None:
        if chosen.row is not None:
            self.choose_link(chosen.row)
            return
        for number in range(self._target.count()):
            if self._target.itemData(number) == chosen:
                self._target.setCurrentIndex(number)

    def _show_recipients(self, inspection: Inspection | None) -> None:
        chosen = self.recipient
        with QSignalBlocker(self._recipient):
            self._recipient.clear()
            if inspection is None or inspection.token is None:
                return
            shown = inspection.wishes.recipient
            if shown is None:
                self._recipient.addItem(self.tr("all, one body"), None)
            for address in inspection.tokens:
                self._recipient.addItem(make_visible(shorten(address, 60)), address)
            wanted = chosen if chosen in inspection.tokens else shown
            if wanted is None and len(inspection.tokens) == 1:
                wanted = next(iter(inspection.tokens))
            self._recipient.setCurrentIndex(max(self._recipient.findData(wanted), 0))

    def _describe(self, row: LinkRow) -> str:
        number = 0 if row.link is None else row.link.index + 1
        what = make_visible(shorten(" ".join(row.label.split()) or row.url, _LABEL_CHARS))
        return self.tr("link {number}: {what}").format(number=number, what=what)

    def _explain(self) -> None:
        who = self.who
        scenario = isinstance(who, Scenario)
        self._about.setText(make_visible(who.about))
        self._about.setToolTip("" if isinstance(who, Scenario) else make_tooltip(who.source))
        self._about.setVisible(bool(who.about))
        self._target.setToolTip(
            self.tr("Steps that name no link take this one") if scenario else self.tr("What is opened or clicked")
        )
        self.changed.emit()

    def _find(self, who: Persona | Scenario) -> int:
        for row in range(self._who.count()):
            if self._who.itemData(row) == who:
                return row
        return -1

    def _make_combo(self, name: str, accessible: str, tip: str) -> QComboBox:
        combo = QComboBox()
        combo.setObjectName(name)
        combo.setAccessibleName(accessible)
        combo.setToolTip(tip)
        combo.setMaxVisibleItems(28)
        # Long addresses must not push the panel wider.
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(8)
        return combo


def _make_heading(name: str) -> QStandardItem:
    item = QStandardItem(name)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    font = item.font()
    font.setBold(True)
    item.setFont(font)
    return item


def _name(row: LinkRow) -> tuple[int, str, int]:
    return row.body, row.kind, -1 if row.link is None else row.link.index

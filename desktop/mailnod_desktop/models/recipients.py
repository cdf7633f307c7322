"""The recipients of a mail as rows of a table: how each is reached, and what tracking makes of their copy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import getaddresses
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from mailnod.model import ConsentState
from mailnod_desktop.models.plain import make_tooltip, make_visible, shorten
from mailnod_desktop.models.words import SORT_ROLE
from mailnod_desktop.services.model import Inspection, Parsed
from mailnod_desktop.theme import get_theme
from mailnod_desktop.views.pills import COLOUR_ROLE

__all__ = ["RecipientColumn", "RecipientRow", "RecipientsModel", "list_ways"]

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_WAYS = ("to", "cc", "bcc")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRow:
    """One recipient."""

    address: str
    #: "to", "cc", "bcc", or "envelope" where only the SMTP envelope names them.
    way: str
    #: The token of their own copy; None where that is not tracked.
    token: str | None
    #: Whether their copy is the one that is shown.
    shown: bool


class RecipientColumn(IntEnum):
    """What the columns show."""

    ADDRESS = 0
    WAY = 1
    STATE = 2
    CONSENT = 3
    TOKEN = 4
    WHY = 5


def list_ways(parsed: Parsed) -> dict[str, str]:
    """Return how each recipient is reached: "to", "cc", "bcc", or "envelope" where no header names them."""
    ways: dict[str, str] = {}
    for way in _WAYS:
        values = [value for name, value in parsed.headers if name.strip().lower() == way]
        for address in _read_addresses(values):
            ways.setdefault(address, way)
    return {each: ways.get(each.casefold(), "envelope") for each in parsed.summary.recipients}


class RecipientsModel(QAbstractTableModel):
    """Shows each recipient of a mail once."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[RecipientRow] = []
        self._inspection: Inspection | None = None

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show the recipients of another inspection, or none; rows of the same recipients stay."""
        rows: list[RecipientRow] = []
        if inspection is not None:
            for address, way in list_ways(inspection.parsed).items():
                shown = inspection.wishes.recipient == address
                token = inspection.tokens.get(address)
                rows.append(RecipientRow(address=address, way=way, token=token, shown=shown))
        same = [row.address for row in rows] == [row.address for row in self._rows]
        if not same:
            self.beginResetModel()
        self._rows, self._inspection = rows, inspection
        if not same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(RecipientColumn) - 1))

    def get_row(self, row: int) -> RecipientRow:
        """Return the recipient in a row."""
        return self._rows[row]

    @property
    def rows(self) -> list[RecipientRow]:
        """The recipients, in order."""
        return self._rows

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many recipients there are."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(RecipientColumn)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | None:
        """Return the name of a column."""
        if orientation is not Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return (
            self.tr("Recipient"),
            self.tr("Reached by"),
            self.tr("State"),
            self.tr("Consent"),
            self.tr("Token of their own copy"),
            self.tr("Why"),
        )[section]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows, says, or is sorted by."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], RecipientColumn(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._show(row, column)
            case Qt.ItemDataRole.ToolTipRole:
                full = {RecipientColumn.ADDRESS: row.address, RecipientColumn.TOKEN: row.token or ""}
                return make_tooltip(full.get(column, self._show(row, column)))
            case _ if role == COLOUR_ROLE:
                return self._choose_colour(row, column)
            case _ if role == SORT_ROLE:
                return self._show(row, column).lower()
        return None

    def _show(self, row: RecipientRow, column: RecipientColumn) -> str:
        match column:
            case RecipientColumn.ADDRESS:
                address = shorten(make_visible(row.address), 200)
                return self.tr("{address} (shown)").format(address=address) if row.shown else address
            case RecipientColumn.WAY:
                names = {"to": "To", "cc": "Cc", "bcc": "Bcc", "envelope": self.tr("envelope only (Bcc)")}
                return names[row.way]
            case RecipientColumn.STATE:
                return self.tr("not tracked") if row.token is None else self.tr("tracked")
            case RecipientColumn.CONSENT:
                return self._describe_consent()
            case RecipientColumn.TOKEN:
                return row.token or "—"
            case RecipientColumn.WHY:
                return self._explain(row)

    def _explain(self, row: RecipientRow) -> str:
        """Return why a copy is tracked or not, as far as the copy that is shown tells."""
        if self._inspection is None:
            return ""
        decision = self._inspection.decision
        if decision.tracked != (row.token is not None):
            return self.tr("decided otherwise than the copy that is shown; show theirs to see why")
        return make_visible("; ".join(decision.reasons))

    def _describe_consent(self) -> str:
        """Return what recipients are taken to have said."""
        if self._inspection is None:
            return ""
        wishes = self._inspection.wishes
        opens, clicks = self._name(wishes.consent_opens), self._name(wishes.consent_clicks)
        if opens == clicks:
            return opens
        return self.tr("opens {opens}, clicks {clicks}").format(opens=opens, clicks=clicks)

    def _name(self, state: ConsentState | None) -> str:
        return self.tr("as recorded") if state is None else str(state)

    def _choose_colour(self, row: RecipientRow, column: RecipientColumn) -> str | None:
        theme = get_theme()
        if column is RecipientColumn.STATE:
            return theme.warn if row.token is None else theme.good
        if column is RecipientColumn.WAY and row.way == "envelope":
            return theme.info
        return None


def _read_addresses(values: Iterable[str]) -> list[str]:
    try:
        return [address.casefold() for _, address in getaddresses(list(values)) if address]
    except (ValueError, IndexError, RecursionError):
        return []

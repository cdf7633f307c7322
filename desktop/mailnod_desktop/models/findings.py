"""The findings of a mail as a list, the gravest first."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from mailnod_desktop.models.plain import make_visible, shorten
from mailnod_desktop.models.words import SEARCH_ROLE
from mailnod_desktop.services.model import Finding, Severity

__all__ = ["FINDING_ROLE", "SEVERITIES", "FindingsModel"]

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()

#: In which order findings stand.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "notice")


#: Answers the :class:`Finding` itself.
FINDING_ROLE = Qt.ItemDataRole.UserRole + 1


class FindingsModel(QAbstractListModel):
    """Shows what somebody should look at, the gravest first, else in the order of the source."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Finding] = []

    @property
    def rows(self) -> list[Finding]:
        """The findings, in the order in which they are shown."""
        return self._rows

    def set_findings(self, findings: tuple[Finding, ...]) -> None:
        """Show other findings; where they are the same, nothing moves."""
        rows = sorted(findings, key=_rank)
        if rows == self._rows:
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def describe_severity(self, severity: Severity) -> str:
        """Return how much a finding matters, in a word."""
        names = {"error": self.tr("error"), "warning": self.tr("warning"), "notice": self.tr("notice")}
        return names[severity]

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many findings there are."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a finding, or what is said of it."""
        if not index.isValid():
            return None
        finding = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return shorten(make_visible(finding.message))
            case Qt.ItemDataRole.AccessibleTextRole:
                said = (self.describe_severity(finding.severity), finding.message, finding.advice)
                return ": ".join(make_visible(text) for text in said if text)
            case _ if role == SEARCH_ROLE:
                severity = self.describe_severity(finding.severity)
                return "\n".join((severity, finding.rule, finding.message, finding.advice, finding.excerpt))
            case _ if role == FINDING_ROLE:
                return finding
        return None


def _rank(finding: Finding) -> tuple[int, int, int]:
    body = -1 if finding.body is None else finding.body
    return SEVERITIES.index(finding.severity), body, finding.offset or 0

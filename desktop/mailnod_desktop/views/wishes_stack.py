"""What a person switched, mail by mail, so that it can be taken back."""

from __future__ import annotations

from dataclasses import fields

from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from mailnod.model import ConsentState
from mailnod_desktop.services.model import Wishes

__all__ = ["WishesStack", "describe_change"]

#: Any number but -1 lets Qt ask whether two changes are one.
_MERGED = 1


def describe_change(before: Wishes, after: Wishes) -> str:
    """Return what was changed, in words for the list of what can be undone; "" where nothing was."""
    changed = _find_changed(before, after)
    if not changed:
        return ""
    if len(changed) > 1:
        return _tr("Reset overrides") if after == Wishes() else _tr("Change overrides")
    match changed[0]:
        case "route":
            return _tr("Take the route “{name}”").format(name=after.route) if after.route else _tr("Inherit the route")
        case "track_opens":
            return _describe_axis(_tr("opens"), after.track_opens)
        case "track_clicks":
            return _describe_axis(_tr("clicks"), after.track_clicks)
        case "consent_opens":
            return _describe_consent(_tr("opens"), after.consent_opens)
        case "consent_clicks":
            return _describe_consent(_tr("clicks"), after.consent_clicks)
        case "recipient":
            if after.recipient is None:
                return _tr("Show the copy that all share")
            return _tr("Show the copy of {recipient}").format(recipient=after.recipient)
        case _:
            return _describe_refused(before.refused, after.refused)


class WishesStack(QUndoStack):
    """Remembers changes of wishes over all mails; to undo one goes back to its mail.

    Changes of one switch that follow each other are one step, and none at all where the last takes back the first.
    """

    #: Key of a mail, and the :class:`Wishes` that it has now.
    wishes_applied = Signal(str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setUndoLimit(500)

    def push_wishes(self, key: str, before: Wishes, after: Wishes, text: str = "") -> None:
        """Apply other wishes to a mail, and remember how it was; nothing happens where they are the same.

        :param text: what is done, in words; "" lets :func:`describe_change` say it.
        """
        if before != after:
            self.push(_Change(self, key, before, after, text or describe_change(before, after)))


class _Change(QUndoCommand):
    """One step."""

    def __init__(self, stack: WishesStack, key: str, before: Wishes, after: Wishes, text: str) -> None:
        super().__init__(text)
        self._stack = stack
        self.key, self.before, self.after = key, before, after

    def id(self) -> int:
        """Let Qt ask :meth:`mergeWith`."""
        return _MERGED

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take in a later change of the same switch of the same mail."""
        if not isinstance(other, _Change) or other.key != self.key or other.before != self.after:
            return False
        changed = _find_changed(self.before, self.after)
        if len(changed) > 1 or changed != _find_changed(other.before, other.after):
            return False
        # Two links are two switches.
        if self.before.refused ^ self.after.refused != other.before.refused ^ other.after.refused:
            return False
        self.after = other.after
        self.setText(other.text())
        self.setObsolete(self.before == self.after)
        return True

    def undo(self) -> None:
        """Apply what was before."""
        self._stack.wishes_applied.emit(self.key, self.before)

    def redo(self) -> None:
        """Apply what came after."""
        self._stack.wishes_applied.emit(self.key, self.after)


def _find_changed(before: Wishes, after: Wishes) -> list[str]:
    return [each.name for each in fields(Wishes) if getattr(before, each.name) != getattr(after, each.name)]


def _describe_axis(axis: str, value: bool | None) -> str:
    if value is None:
        return _tr("Inherit {axis}").format(axis=axis)
    return (_tr("Turn {axis} on") if value else _tr("Turn {axis} off")).format(axis=axis)


def _describe_consent(axis: str, state: ConsentState | None) -> str:
    if state is None:
        return _tr("Take consent for {axis} as recorded").format(axis=axis)
    return _tr("Take consent for {axis} as {state}").format(axis=axis, state=state)


def _describe_refused(before: frozenset[tuple[int, int]], after: frozenset[tuple[int, int]]) -> str:
    added, gone = after - before, before - after
    if added and gone:
        return _tr("Change which links are left alone")
    if len(added) == 1:
        return _tr("Leave link {number} alone").format(number=next(iter(added))[1] + 1)
    if len(gone) == 1:
        return _tr("Track link {number}").format(number=next(iter(gone))[1] + 1)
    if added:
        return _tr("Leave {count} links alone").format(count=len(added))
    return _tr("Track {count} links").format(count=len(gone))


def _tr(text: str) -> str:
    return QCoreApplication.translate("WishesStack", text)

"""What each cell of the table of events shows, says and looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QColor

from mailnod.model import Classification
from mailnod_desktop.services.event_reader import Row, say_reasons
from mailnod_desktop.theme import get_theme, make_mono_font
from mailnod_desktop.views.pills import COLOUR_ROLE

__all__ = [
    "CLASS",
    "COLUMNS",
    "ID_ROLE",
    "ROW_ROLE",
    "ROW_ROLES",
    "Cells",
    "Column",
    "describe_class",
    "describe_header",
    "write_texts",
]

#: The id of an event, as bytes.
ID_ROLE = Qt.ItemDataRole.UserRole + 1
#: The whole :class:`Row` of an event; None where it is not read yet.
ROW_ROLE = Qt.ItemDataRole.UserRole + 2

# Numbers, because Qt asks with numbers, and comparing them with its enumerations takes longer than answering.
_DISPLAY, _TIP = int(Qt.ItemDataRole.DisplayRole), int(Qt.ItemDataRole.ToolTipRole)
_FONT, _ALIGNMENT = int(Qt.ItemDataRole.FontRole), int(Qt.ItemDataRole.TextAlignmentRole)
_FOREGROUND = int(Qt.ItemDataRole.ForegroundRole)
#: Roles that rows answer differently.
ROW_ROLES = frozenset((_DISPLAY, _TIP, _FOREGROUND, int(COLOUR_ROLE), int(ID_ROLE), int(ROW_ROLE)))
#: The column that holds a pill.
CLASS = 2
_MAY_BE_UNKNOWN = frozenset((3, 9))
_ALIGN_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def _tr(text: str) -> str:
    return QCoreApplication.translate("EventTable", text)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    #: What it means, in a sentence.
    doc: str
    #: What it shows of an event.
    read: Callable[[Row], str]
    #: Its width in characters, where nothing else is known.
    width: int
    mono: bool = False
    right: bool = False


def describe_class(one: Classification) -> str:
    """Return what a class of verdicts means, in a sentence."""
    return _tr(_CLASSES[one])


def describe_header(section: int, role: int) -> Any:
    """Return what a column's header shows in a role."""
    column = COLUMNS[section]
    if role == Qt.ItemDataRole.DisplayRole:
        return _tr(column.name)
    if role == Qt.ItemDataRole.ToolTipRole:
        return _tr(column.doc)
    if role == Qt.ItemDataRole.TextAlignmentRole:
        return _ALIGN_RIGHT if column.right else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    return None


class Cells:
    """What is the same in every row, made once: a frame asks for thousands of answers.

    It is made anew for another theme.
    """

    def __init__(self) -> None:
        mono = make_mono_font()
        #: What each column answers to a role, whatever the row.
        self.fixed: dict[int, tuple[Any, ...]] = {
            _FONT: tuple(mono if column.mono else None for column in COLUMNS),
            _ALIGNMENT: tuple(_ALIGN_RIGHT if column.right else None for column in COLUMNS),
        }
        self._muted = QColor(get_theme().muted)
        self._colours = get_theme().classes

    def show_unread(self, at: datetime, section: int, role: int, *, removed: bool) -> Any:
        """Return what a cell shows of an event that is not read yet, or was removed."""
        if role == _DISPLAY:
            return _write_time(at) if section == 0 else _tr("removed") if removed and section == CLASS else "…"
        return self._muted if role == _FOREGROUND else None

    def show(self, row: Row, texts: Sequence[str], section: int, role: int) -> Any:
        """Return what a cell shows of an event.

        :param texts: what :func:`write_texts` returned for it.
        """
        if role == _DISPLAY:
            return texts[section]
        if role == _FOREGROUND:
            return self._muted if section in _MAY_BE_UNKNOWN and _is_unknown(row, section) else None
        if role == COLOUR_ROLE:
            return self._colours[row.classification] if section == CLASS else None
        if role == _TIP:
            return _tips[section](row) if section in _tips else texts[section] or None
        if role == ID_ROLE:
            return row.id
        return row if role == ROW_ROLE else None


def write_texts(row: Row) -> tuple[str, ...]:
    """Return what each column shows of an event."""
    return tuple(column.read(row) for column in COLUMNS)


def _write_time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"


def _write_recipient(row: Row) -> str:
    if row.recipients > 1:
        return _tr("one of {count}").format(count=row.recipients)
    return _tr("unknown mail") if row.recipient is None else row.recipient or _tr("erased")


def _is_unknown(row: Row, section: int) -> bool:
    if section == 3:
        return not row.recipient or row.recipients > 1
    return row.url is None and not row.subject


def _write_subject(row: Row) -> str:
    return row.url if row.url is not None else row.subject or ""


def _tip_time(row: Row) -> str:
    parts = [f"{row.at.isoformat(sep=' ', timespec='microseconds')}", row.id.hex()]
    if row.first:
        parts.append(_tr("The first of its kind for this mail"))
    return "\n".join(parts)


def _tip_class(row: Row) -> str:
    parts = [f"{row.classification.value}: {describe_class(row.classification)}"]
    parts.append(_tr("Made by a machine") if row.machine else _tr("Made by a person"))
    if row.revision:
        parts.append(_tr("Judged anew {count} times; this is the latest verdict").format(count=row.revision))
    return "\n".join(parts)


def _tip_recipient(row: Row) -> str:
    if row.recipients > 1:
        text = _tr("{count} people share this copy, and nobody can tell which of them it was. The first is {first}.")
        return text.format(count=row.recipients, first=row.recipient or _tr("erased"))
    if row.recipient is None:
        return _tr("The store does not know the mail that this belongs to.")
    return row.recipient or _tr("The address was erased.")


def _tip_reasons(row: Row) -> str:
    return "\n".join(f"{code}: {said}" for code, said in zip(row.reasons, say_reasons(row.reasons), strict=True))


def _tip_subject(row: Row) -> str:
    lines = [(_tr("Subject"), row.subject), (_tr("Campaign"), row.campaign), (_tr("Destination"), row.url)]
    return "\n".join(f"{name}: {value}" for name, value in lines if value)


def _write_kind(row: Row) -> str:
    return _tr("{kind}, test").format(kind=row.kind) if row.test else row.kind


_CLASSES = {
    Classification.GENUINE: "Nothing speaks for a machine.",
    Classification.IMAGE_PROXY: "The reader's mail provider fetched the image when the mail was opened.",
    Classification.PRIVACY_PROXY: "A privacy service loaded the image, whether or not anybody read the mail.",
    Classification.SECURITY_SCANNER: "A security gateway looked at the mail or followed its links.",
    Classification.LINK_PREVIEW_BOT: "An app fetched the link to show a preview of it.",
    Classification.GENERIC_BOT: "A program that says what it is, or plainly is one.",
    Classification.SUSPICIOUS: "Behaves like a machine, and nothing says which.",
    Classification.UNVERIFIED_CLICK: "A click of which too little is known to tell.",
}

#: The columns in their order.
COLUMNS: tuple[Column, ...] = (
    Column("Time (UTC)", "When the hit was; the newest is on top, and nothing else can be sorted by.",
           lambda row: _write_time(row.at), 24, mono=True),
    Column("Kind", "Whether a mail was opened or a link clicked; tests are marked.", _write_kind, 9),
    Column("Class", "The class of the latest verdict.", lambda row: row.classification.value, 19),
    Column("Recipient", "Whom the copy went to.", _write_recipient, 24),
    Column("Client", "The program that was used, as far as it can be told.", lambda row: row.client or "", 13),
    Column("Proxy", "The family of proxies that it came through.", lambda row: row.proxy or "", 11),
    Column("Prob.", "How probable it is that a machine did it, 0 to 100.", lambda row: str(row.probability), 6,
           right=True),
    Column("Address", "Where it came from; empty once raw signals are erased.", lambda row: row.ip or "", 16,
           mono=True),
    Column("Reasons", "What the verdict rests on; the tooltip says it in words.",
           lambda row: ", ".join(row.reasons), 28),
    Column("Subject or destination", "The subject of an opened mail, or where a clicked link leads.",
           _write_subject, 40),
)  # fmt: skip

_tips: dict[int, Callable[[Row], str]] = {
    0: _tip_time,
    2: _tip_class,
    3: _tip_recipient,
    8: _tip_reasons,
    9: _tip_subject,
}

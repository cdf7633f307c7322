"""The parts of a message as a tree, with what a person should know before saving one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from mimetypes import guess_extension
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QCoreApplication, QModelIndex, QObject, QPersistentModelIndex, Qt

from mailnod_desktop.models.plain import format_bytes, make_tooltip, make_visible, shorten
from mailnod_desktop.services.model import MimeNode
from mailnod_desktop.theme import get_theme, icon
from mailnod_desktop.views.pills import COLOUR_ROLE

__all__ = ["MimeColumn", "MimeModel", "find_danger", "suggest_filename"]

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()

_PROGRAMS = re.compile(
    "apk|app|bat|chm|cmd|com|cpl|deb|desktop|dll|dmg|exe|gadget|hta|img|iso|jar|js|jse|lnk|msc|msi|msp|pif|ps1|psm1|py"
    "|reg|rpm|scf|scr|sh|url|vb|vbe|vbs|vhd|ws|wsf|wsh|xll"
)
_MACROS = re.compile("(doc|dot|xls|xlt|pot|ppt|pps)m|xlam|ppam")
_PAGES = re.compile("[sx]?html?|mht|mhtml|svg")
#: How programs begin: for Windows, Linux and macOS, and scripts.
_PROGRAM_STARTS = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!")
_HARMLESS = re.compile(r"\.(pdf|docx?|xlsx?|pptx?|txt|jpe?g|png|gif|zip)\s*\.\w{1,8}$", re.IGNORECASE)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069\ufffd]")
_NAME_CHARS = 120


class MimeColumn(IntEnum):
    """What the columns show."""

    TYPE = 0
    ROLE = 1
    SIZE = 2
    FILENAME = 3
    CHARSET = 4
    ENCODING = 5


def suggest_filename(node: MimeNode) -> str:
    """Return a name under which a part can be saved anywhere, whatever its sender calls it."""
    name = _UNSAFE.sub("_", node.filename.replace("\\", "/").rsplit("/", 1)[-1]).strip(" .")
    if not name or _RESERVED.fullmatch(name):
        name = f"part-{node.path}{guess_extension(node.content_type) or '.bin'}"
    stem, dot, ending = name.rpartition(".")
    return name if len(name) <= _NAME_CHARS else f"{(stem or ending)[: _NAME_CHARS - 20]}{dot}{ending[:15]}"


def find_danger(node: MimeNode) -> str:
    """Return why a part may do harm when it is opened, in a sentence; "" where nothing speaks for it."""
    if node.role in ("container", "html body", "text body"):
        return ""
    ending = node.filename.rpartition(".")[2].strip().lower() if "." in node.filename else ""
    if _TURNING.search(node.filename):
        return _tr("Its name holds characters that turn the direction of writing, and may hide what it is.")
    if _PROGRAMS.fullmatch(ending) and _HARMLESS.search(node.filename):
        return _tr("It is a program (.{ending}) with a name that looks like a document.").format(ending=ending)
    if node.content.startswith(_PROGRAM_STARTS) or node.content_type == "application/x-msdownload":
        return _tr("It is a program; to open it is to run it.")
    if _PAGES.fullmatch(ending) or node.content_type in ("text/html", "image/svg+xml"):
        return _tr("It is a page that may run scripts when a browser opens it.")
    if _PROGRAMS.fullmatch(ending):
        return _tr("It is a program or a script (.{ending}); to open it is to run it.").format(ending=ending)
    if _MACROS.fullmatch(ending):
        return _tr("It is a document that may hold macros (.{ending}).").format(ending=ending)
    return ""


class MimeModel(QAbstractItemModel):
    """Shows the parts of a message below the part that holds them."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._nodes: tuple[MimeNode, ...] = ()
        self._parents: list[int] = []
        self._rows: list[int] = []
        self._children: dict[int, list[int]] = {}

    def set_nodes(self, nodes: tuple[MimeNode, ...]) -> bool:
        """Show the parts of another message.

        :param nodes: each behind the part that holds it.
        :returns: whether they are other ones than before.
        """
        if nodes is self._nodes:
            return False
        self.beginResetModel()
        self._nodes = nodes
        self._parents, self._rows, self._children = _arrange(nodes)
        self.endResetModel()
        return True

    def get_node(self, index: Index) -> MimeNode:
        """Return the part that stands somewhere."""
        return self._nodes[int(index.internalId())]

    def find(self, path: str) -> QModelIndex:
        """Return where a part stands, by its path; an invalid index where it does not."""
        for number, node in enumerate(self._nodes):
            if node.path == path:
                return self.createIndex(self._rows[number], 0, number)
        return QModelIndex()

    def index(self, row: int, column: int, parent: Index = _NOWHERE) -> QModelIndex:
        """Return where a part stands below another."""
        children = self._get_children(parent)
        if not (0 <= row < len(children) and 0 <= column < len(MimeColumn)):
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: Index = _NOWHERE) -> Any:
        """Return where the part stands that holds another."""
        if not index.isValid():
            return QModelIndex()
        above = self._parents[int(index.internalId())]
        return QModelIndex() if above < 0 else self.createIndex(self._rows[above], 0, above)

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many parts a part holds."""
        return len(self._get_children(parent))

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() and parent.column() > 0 else len(MimeColumn)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name of a column."""
        if role == Qt.ItemDataRole.TextAlignmentRole and section == MimeColumn.SIZE:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if orientation is not Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return (
            self.tr("Type"),
            self.tr("Role"),
            self.tr("Size"),
            self.tr("Filename"),
            self.tr("Charset"),
            self.tr("Encoding"),
        )[section]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows or says."""
        if not index.isValid():
            return None
        node, column = self.get_node(index), MimeColumn(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._show(node, column)
            case Qt.ItemDataRole.ToolTipRole:
                return make_tooltip(node.filename if column is MimeColumn.FILENAME else "", find_danger(node))
            case Qt.ItemDataRole.TextAlignmentRole if column is MimeColumn.SIZE:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case Qt.ItemDataRole.DecorationRole if column is MimeColumn.TYPE:
                return icon(_choose_icon(node), get_theme().warn if find_danger(node) else get_theme().muted)
            case _ if role == COLOUR_ROLE and column is MimeColumn.ROLE:
                return self._choose_colour(node)
        return None

    def _get_children(self, parent: Index) -> Sequence[int]:
        if parent.isValid() and parent.column() > 0:
            return ()
        return self._children.get(int(parent.internalId()) if parent.isValid() else -1, ())

    def _show(self, node: MimeNode, column: MimeColumn) -> str:
        match column:
            case MimeColumn.TYPE:
                return shorten(make_visible(node.content_type), 100)
            case MimeColumn.ROLE:
                return self.tr("{role}: take care").format(role=node.role) if find_danger(node) else node.role
            case MimeColumn.SIZE:
                return format_bytes(node.size_bytes)
            case MimeColumn.CHARSET:
                return make_visible(node.charset)
            case MimeColumn.ENCODING:
                return make_visible(node.transfer_encoding)
            case MimeColumn.FILENAME:
                return shorten(
                    make_visible(node.filename or (f"cid:{node.content_id}" if node.content_id else "")), 200
                )

    def _choose_colour(self, node: MimeNode) -> str | None:
        theme = get_theme()
        if find_danger(node):
            return theme.bad
        return {"html body": theme.good, "text body": theme.good, "attachment": theme.warn, "inline": theme.info}.get(
            node.role
        )


def _arrange(nodes: Sequence[MimeNode]) -> tuple[list[int], list[int], dict[int, list[int]]]:
    """Return for each node which one holds it and its row there, and the nodes that each holds; -1 is the root."""
    numbers: dict[str, int] = {}
    parents: list[int] = []
    rows: list[int] = []
    children: dict[int, list[int]] = {}
    for number, node in enumerate(nodes):
        above = numbers.get(node.path.rpartition(".")[0], -1)
        below = children.setdefault(above, [])
        parents.append(above)
        rows.append(len(below))
        below.append(number)
        numbers.setdefault(node.path, number)
    return parents, rows, children


def _choose_icon(node: MimeNode) -> str:
    if find_danger(node):
        return "alert-outline"
    if node.role == "container":
        return "file-tree-outline"
    if node.role == "html body":
        return "language-html5"
    kind = node.content_type.partition("/")[0]
    return {"text": "text-box-outline", "image": "image-outline"}.get(kind, "paperclip")


def _tr(text: str) -> str:
    return QCoreApplication.translate("MimeModel", text)

"""The parts of a message: their tree, what stands in each, and a way to save one."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSettings, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QSplitter, QWidget

from mailnod_desktop.models.mime import MimeColumn, MimeModel, suggest_filename
from mailnod_desktop.models.plain import format_bytes
from mailnod_desktop.services.model import Inspection, MimeNode
from mailnod_desktop.views.controls import IconButton, lay_out_below_bar, make_label
from mailnod_desktop.views.mime_part import PartPreview
from mailnod_desktop.views.tables import HintTree, StateDelegate, remember_columns, set_widths

__all__ = ["MimeView"]


class MimeView(QWidget):
    """Shows the tree of a message's parts; it opens nothing by itself.

    :param settings: where the widths of the columns are remembered.
    """

    #: The :class:`MimeNode` that a person wants to save, and a safe name for it.
    save_requested = Signal(object, str)

    def __init__(self, settings: QSettings | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("mime")
        self._model = MimeModel(self)
        self._tree = HintTree("mime_tree", self.tr("Parts of the message"))
        self._tree.setModel(self._model)
        self._tree.setItemDelegateForColumn(MimeColumn.ROLE, StateDelegate(self._tree))
        set_widths(self._tree, (32, 20, 9, 30, 10, 12))
        remember_columns(settings, self._tree)
        self._counts = make_label(muted=True)
        self._save = IconButton("content-save-outline", self.tr("Save part as…"))
        self._save.setToolTip(self.tr("Write the decoded content of the selected part to a file"))
        self._preview = PartPreview()
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._tree)
        splitter.addWidget(self._preview)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        lay_out_below_bar(self, splitter, wide=(self._counts,), narrow=(self._save,))
        self._tree.selectionModel().currentRowChanged.connect(self._show_part)
        self._tree.copy_requested.connect(self._copy)
        self._save.clicked.connect(self._ask_to_save)
        self.set_inspection(None)

    @property
    def tree(self) -> HintTree:
        """The tree itself."""
        return self._tree

    @property
    def preview(self) -> PartPreview:
        """What stands in the selected part."""
        return self._preview

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show the parts of another mail, or nothing."""
        nodes = () if inspection is None else inspection.parsed.nodes
        if inspection is None:
            hint = self.tr("Open a mail to see its parts.")
        elif inspection.parsed.mail.form == "html":
            hint = self.tr("A bare HTML file has no parts.")
        else:
            hint = self.tr("No parts could be read.")
        self._tree.set_hint(hint)
        if self._model.set_nodes(nodes):
            self._tree.expandAll()
            self._describe(nodes)
        self._show_part()

    def select_part(self, path: str) -> None:
        """Go to a part by its path, such as "1.2"."""
        index = self._model.find(path)
        if index.isValid():
            self._tree.setCurrentIndex(index)

    def get_selected(self) -> MimeNode | None:
        """Return the part that is selected."""
        index = self._tree.currentIndex()
        return self._model.get_node(index) if index.isValid() else None

    def _describe(self, nodes: tuple[MimeNode, ...]) -> None:
        parts = [node for node in nodes if node.role != "container"]
        attached = [node for node in parts if node.role == "attachment"]
        said = [self.tr("1 part") if len(parts) == 1 else self.tr("{n} parts").format(n=len(parts))]
        if attached:
            size = format_bytes(sum(node.size_bytes for node in attached))
            said.append(
                self.tr("1 attachment, {size}").format(size=size)
                if len(attached) == 1
                else self.tr("{n} attachments, {size}").format(n=len(attached), size=size)
            )
        self._counts.setText(" · ".join(said) if nodes else "")

    def _show_part(self, *_: QModelIndex) -> None:
        node = self.get_selected()
        self._save.setEnabled(node is not None and node.role != "container")
        self._preview.show_node(node)

    def _ask_to_save(self) -> None:
        node = self.get_selected()
        if node is not None:
            self.save_requested.emit(node, suggest_filename(node))

    def _copy(self) -> None:
        index = self._tree.currentIndex()
        if index.isValid():
            QGuiApplication.clipboard().setText(str(index.data() or ""))

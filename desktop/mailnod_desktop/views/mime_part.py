"""What stands in one part of a message: as text, as a picture, or why it is neither."""

from __future__ import annotations

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSize, Qt
from PySide6.QtGui import QImage, QImageReader, QPixmap, QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QPlainTextEdit, QStackedWidget, QVBoxLayout, QWidget

from mailnod_desktop.models.mime import find_danger
from mailnod_desktop.models.plain import format_bytes, make_visible
from mailnod_desktop.services.model import MimeNode
from mailnod_desktop.services.tree import decode_text
from mailnod_desktop.views.controls import WarningLabel, make_label
from mailnod_desktop.views.tables import make_source_font

__all__ = ["PartPreview"]

#: Beyond that, text is cut and pictures are not decoded, which would take long and much memory.
_TEXT_BYTES = 256 * 1024
_IMAGE_PIXELS = 40_000_000
#: Others run code or load what they refer to.
_IMAGE_FORMATS = frozenset((b"png", b"jpeg", b"jpg", b"gif", b"webp", b"bmp", b"ico"))


class PartPreview(QWidget):
    """Shows a part without opening it in any other program."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("mime_part")
        self._facts = make_label(muted=True, wrap=True)
        self._danger = WarningLabel()
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setFrameShape(QFrame.Shape.NoFrame)
        self._text.setFont(make_source_font())
        self._text.setAccessibleName(self.tr("Content of the part"))
        self._picture = _Picture()
        self._picture.setAccessibleName(self.tr("Picture in the part"))
        self._words = make_label(muted=True, wrap=True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedWidget()
        for page in (self._words, self._text, self._picture):
            self._pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.addWidget(self._facts)
        layout.addWidget(self._danger)
        layout.addWidget(self._pages, 1)
        self.show_node(None)

    @property
    def shown_text(self) -> str:
        """The text that is shown, or why nothing is."""
        page = self._pages.currentWidget()
        return self._text.toPlainText() if page is self._text else self._words.text()

    @property
    def shows_picture(self) -> bool:
        """Whether a picture is shown."""
        return self._pages.currentWidget() is self._picture

    @property
    def danger_text(self) -> str:
        """Why the part may do harm, or ""."""
        return self._danger.text()

    def show_node(self, node: MimeNode | None) -> None:
        """Show a part, or ask for one."""
        self._danger.show_text("" if node is None else find_danger(node))
        self._facts.setVisible(node is not None)
        if node is None:
            self._say(self.tr("Select a part to see what is in it."))
            return
        facts = [self.tr("Part {path}").format(path=node.path), node.content_type, format_bytes(node.size_bytes)]
        self._facts.setText(" · ".join([*facts, *([node.filename] if node.filename else [])]))
        if node.role == "container":
            self._say(self.tr("This part only holds others."))
        elif not node.content:
            self._say(self.tr("This part is empty."))
        elif node.content_type.startswith("image/") and node.content_type != "image/svg+xml":
            self._show_picture(node.content)
        elif _is_text(node):
            self._show_text(node)
        else:
            self._say(self.tr("This kind of content is not shown here. Save it to look at it elsewhere."))

    def _say(self, text: str) -> None:
        self._words.setText(text)
        self._pages.setCurrentWidget(self._words)

    def _show_text(self, node: MimeNode) -> None:
        text = decode_text(node)
        cut = text[:_TEXT_BYTES]
        more = len(text) - len(cut)
        end = self.tr("\n… {n} more characters").format(n=f"{more:,}") if more else ""
        self._text.setPlainText(make_visible(cut.replace("\r\n", "\n"), keep_lines=True) + end)
        self._pages.setCurrentWidget(self._text)

    def _show_picture(self, content: bytes) -> None:
        buffer = QBuffer()
        buffer.setData(QByteArray(content))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        reader = QImageReader(buffer)
        reader.setDecideFormatFromContent(True)
        if bytes(reader.format().data()).lower() not in _IMAGE_FORMATS:
            self._say(self.tr("This is no picture that can be shown here."))
            return
        size = reader.size()
        if size.width() * size.height() > _IMAGE_PIXELS:
            text = self.tr("This picture has {width} by {height} pixels, and is too large to be shown here.")
            self._say(text.format(width=size.width(), height=size.height()))
            return
        image = reader.read()
        if image.isNull():
            self._say(self.tr("This picture is damaged."))
            return
        self._picture.show_image(image)
        text = self.tr("{facts} · {width} by {height} pixels")
        self._facts.setText(text.format(facts=self._facts.text(), width=image.width(), height=image.height()))
        self._pages.setCurrentWidget(self._picture)


class _Picture(QLabel):
    """A picture that is made smaller where it would not fit, and never larger."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumSize(40, 40)

    def show_image(self, image: QImage) -> None:
        """Show a picture."""
        self._image = image
        self._fit()

    def sizeHint(self) -> QSize:
        """Take what room there is."""
        return QSize(200, 200)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the picture again."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._image.isNull():
            return
        image = self._image
        if image.width() > self.width() or image.height() > self.height():
            image = image.scaled(
                self.size(), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
        self.setPixmap(QPixmap.fromImage(image))


def _is_text(node: MimeNode) -> bool:
    if node.content_type.startswith(("text/", "message/")) or node.content_type in (
        "application/json",
        "application/xml",
        "image/svg+xml",
    ):
        return True
    return b"\0" not in node.content[:1024] and node.content_type == "application/octet-stream" and _is_readable(node)


def _is_readable(node: MimeNode) -> bool:
    try:
        node.content[:_TEXT_BYTES].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

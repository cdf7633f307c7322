"""One shown mail: it navigates nowhere, and says what a person did with it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QUrl, Signal
from PySide6.QtWebEngineCore import QWebEnginePage, QWebEngineScript, QWebEngineSettings

from mailnod_desktop.web.flags import PAGE_SCHEME
from mailnod_desktop.web.profile import PreviewProfile
from mailnod_desktop.web.rules import Kind

__all__ = ["MailPage", "PageState"]

_WORLD = QWebEngineScript.ScriptWorldId.ApplicationWorld.value
_Navigation = QWebEnginePage.NavigationType


@dataclass(slots=True, kw_only=True)
class PageState:
    """What the script beside the mail begins with."""

    #: Row and decoded ``href`` of each link that a browser sees, in document order.
    links: Sequence[tuple[int, str]] = ()
    #: Rows of the tracked ones.
    tracked: Sequence[int] = ()
    #: What marks write beside a link, by row.
    names: dict[int, str] = field(default_factory=dict)
    #: Row and URL of the pixel; "" where there is none.
    pixel_row: int = -1
    pixel: str = ""
    #: Whether the client prefers dark colours, as mails with dark styles of their own see it.
    dark: bool = False
    marks: bool = False
    #: How far it is scrolled, from 0 to 1.
    fraction: float = 0.0
    #: Whether remote resources were allowed, and images at all.
    fetches: bool = False
    images: bool = True


@cache
def _read_script() -> str:
    return Path(__file__).with_name("injected.js").read_text(encoding="utf-8")


class MailPage(QWebEnginePage):
    """A page of a preview.

    :param name: what the gate knows it by; letters only.
    """

    #: A link was clicked: its row, or None where no row is known, and where it leads.
    link_clicked = Signal(object, str)
    #: How far a person scrolled, from 0 to 1.
    scrolled = Signal(float)
    #: The document stands; number of dark rules that it has.
    ready = Signal(int)
    #: It is on the screen.
    painted = Signal()

    def __init__(self, name: str, profile: PreviewProfile, parent: QObject | None = None) -> None:
        super().__init__(profile, parent)
        self.name = name
        self.state = PageState()
        self._profile = profile
        self._secret = secrets.token_hex(16)
        self._expected = QUrl()
        self.setBackgroundColor(Qt.GlobalColor.white)
        self.permissionRequested.connect(lambda permission: permission.deny())
        self.fullScreenRequested.connect(lambda request: request.reject())
        self.fileSystemAccessRequested.connect(lambda request: request.reject())
        self.registerProtocolHandlerRequested.connect(lambda request: request.reject())
        self.certificateError.connect(lambda error: error.rejectCertificate())

    def show_html(self, html: str, state: PageState) -> None:
        """Replace what is shown.

        :param state: links and wishes that go with it.
        """
        self.state = state
        self._profile.gate.forget(self.name)
        script = QWebEngineScript()
        script.setInjectionPoint(QWebEngineScript.InjectionPoint.DocumentReady)
        script.setWorldId(_WORLD)
        script.setRunsOnSubFrames(False)
        script.setSourceCode(f"globalThis.mailnodPreview = {_read_script()}({self._make_config()});")
        self.scripts().clear()
        self.scripts().insert(script)
        self._expected = self._profile.pages.put(self.name, html)
        self.load(self._expected)

    def swap_html(self, html: str, state: PageState) -> None:
        """Replace what is shown by nearly the same, in one step and at the same place: nothing flickers.

        :param state: where it begins is of no account.
        """
        self.state = state
        self._profile.gate.forget(self.name)

        def take(swapped: object) -> None:
            if swapped is False and self.state is state:
                self.show_html(html, state)

        self.ask(f"swap({json.dumps(html)}, {self._make_config()})", take)

    def set_images(self, on: bool) -> None:
        """Let images be drawn, or leave them to their alternative texts."""
        self.settings().setAttribute(QWebEngineSettings.WebAttribute.AutoLoadImages, on)

    def set_inverted(self, on: bool) -> None:
        """Let Chromium darken the mail by itself, as inverting clients do."""
        self.settings().setAttribute(QWebEngineSettings.WebAttribute.ForceDarkMode, on)

    def set_dark(self, on: bool) -> None:
        """Let the mail's own dark styles count."""
        self.state.dark = on
        self.run(f"setDark({json.dumps(on)})")

    def set_marks(self, on: bool) -> None:
        """Outline links, and show where the pixel is."""
        self.state.marks = on
        self.run(f"setMarks({json.dumps(on)})")

    def rebind(self, links: Sequence[tuple[int, str]], tracked: Sequence[int], names: Mapping[int, str]) -> None:
        """Say anew which links there are, of a document that stays."""
        self.run(f"rebind({json.dumps(list(links))}, {json.dumps(list(tracked))}, {json.dumps(dict(names))})")

    def scroll_to(self, fraction: float) -> None:
        """Scroll without reporting it."""
        self.state.fraction = fraction
        self.run(f"scrollToFraction({fraction:.6f})")

    def reveal(self, row: int) -> None:
        """Scroll to a link or to the pixel, and let it flash."""
        self.run(f"reveal({row})")

    def tidy(self) -> None:
        """Give back the memory of what was shown before."""
        self.run("tidy()")

    def run(self, call: str) -> None:
        """Call something of the script beside the mail; nothing happens where it is not there yet."""
        self.runJavaScript(f"globalThis.mailnodPreview && mailnodPreview.{call}; 0", _WORLD)

    def ask(self, call: str, answer: Callable[[object], object]) -> None:
        """Call something of the script beside the mail, and hand its answer over: a number, text or None."""
        self.runJavaScript(f"globalThis.mailnodPreview ? mailnodPreview.{call} : null", _WORLD, answer)

    def _make_config(self) -> str:
        state = self.state
        return json.dumps(
            {
                "secret": self._secret,
                "links": list(state.links),
                "tracked": list(state.tracked),
                "names": state.names,
                "pixel": state.pixel,
                "pixelRow": state.pixel_row,
                "dark": state.dark,
                "marks": state.marks,
                "fraction": state.fraction,
                "fetches": state.fetches,
                "words": {"pixel": self.tr("pixel"), "hiddenPixel": self.tr("pixel (not displayed)")},
            }
        )

    def acceptNavigationRequest(
        self, url: QUrl | str, kind: QWebEnginePage.NavigationType, is_main_frame: bool
    ) -> bool:
        """Refuse whatever was not asked for by :meth:`show_html`, and that but once."""
        target = QUrl(url)
        if is_main_frame and kind == _Navigation.NavigationTypeTyped and target == self._expected:
            self._expected = QUrl()
            return True
        address = target.toDisplayString()
        if kind == _Navigation.NavigationTypeLinkClicked:
            # The script beside the mail takes clicks; this is one that came before it.
            self.link_clicked.emit(None, address)
        elif target.scheme() != PAGE_SCHEME:
            form = kind == _Navigation.NavigationTypeFormSubmitted
            what: Kind = "form" if form else "page" if is_main_frame else "frame"
            self._profile.gate.refuse(what, address, self.tr("a preview navigates nowhere"), self.name)
        return False

    def createWindow(self, _kind: QWebEnginePage.WebWindowType) -> QWebEnginePage | None:  # type: ignore[override]
        """Open no window."""
        return None

    def chooseFiles(
        self, _mode: QWebEnginePage.FileSelectionMode, _old: Sequence[str], _accepted: Sequence[str]
    ) -> list[str]:
        """Choose no file."""
        return []

    def javaScriptConsoleMessage(
        self, _level: QWebEnginePage.JavaScriptConsoleMessageLevel, message: str, _line: int, _source: str
    ) -> None:
        """Take reports of our script; what else is written there is nobody's business."""
        if not message.startswith(self._secret):
            return
        data = json.loads(message[len(self._secret) :])
        match data["kind"]:
            case "click":
                self.link_clicked.emit(data["row"], data["url"])
            case "scroll":
                self.state.fraction = float(data["fraction"])
                self.scrolled.emit(self.state.fraction)
            case "ready":
                self.ready.emit(int(data["darkRules"]))
            case "painted":
                self.painted.emit()

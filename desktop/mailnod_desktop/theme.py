"""How the inspector looks: one set of colours for light and one for dark, fonts, and icons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path

from PySide6.QtGui import QAction, QColor, QFont, QFontDatabase, QIcon, QPalette
from PySide6.QtWidgets import QAbstractButton, QApplication

from mailnod.model import Classification

__all__ = ["DARK", "LIGHT", "Theme", "apply_theme", "get_theme", "icon", "make_mono_font", "make_window_icon"]

_UI_FONTS = ("Inter", "Inter Variable", "Segoe UI Variable", "Cantarell", "Noto Sans", "DejaVu Sans")
_MONO_FONTS = ("JetBrains Mono", "Cascadia Mono", "Noto Sans Mono", "DejaVu Sans Mono")


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of one appearance, as ``#rrggbb``; text on its ground has a contrast of 4.5 at least (WCAG 2.2)."""

    name: str
    dark: bool
    #: Grounds, from the outermost to what holds text.
    window: str
    panel: str
    base: str
    alternate: str
    text: str
    muted: str
    border: str
    accent: str
    on_accent: str
    #: What is selected where the focus is elsewhere.
    selected: str
    good: str
    warn: str
    bad: str
    info: str
    #: Grounds of lines in a diff.
    added: str
    removed: str
    #: One colour for each class of verdict.
    classes: Mapping[Classification, str]

    def tint(self, colour: str, *, alpha: float = 0.16) -> QColor:
        """Return a colour mixed with the ground of texts, for pills and badges."""
        front, ground = QColor(colour), QColor(self.base)
        return QColor(
            round(alpha * front.red() + (1 - alpha) * ground.red()),
            round(alpha * front.green() + (1 - alpha) * ground.green()),
            round(alpha * front.blue() + (1 - alpha) * ground.blue()),
        )


LIGHT = Theme(
    name="light",
    dark=False,
    window="#eef0f3",
    panel="#f7f8fa",
    base="#ffffff",
    alternate="#f6f8fa",
    text="#1c2128",
    muted="#5b6470",
    border="#d3d8df",
    accent="#1f5fc4",
    on_accent="#ffffff",
    selected="#d6e4fb",
    good="#1a7f43",
    warn="#9a5b00",
    bad="#b42332",
    info="#2563c0",
    added="#dcf5e3",
    removed="#fde2e2",
    classes={
        Classification.GENUINE: "#146b38",
        Classification.IMAGE_PROXY: "#2563c0",
        Classification.PRIVACY_PROXY: "#7440b8",
        Classification.SECURITY_SCANNER: "#934700",
        Classification.LINK_PREVIEW_BOT: "#b0286e",
        Classification.GENERIC_BOT: "#5b6470",
        Classification.SUSPICIOUS: "#b42332",
        Classification.UNVERIFIED_CLICK: "#07636d",
    },
)

DARK = Theme(
    name="dark",
    dark=True,
    window="#16181c",
    panel="#1d2025",
    base="#121417",
    alternate="#181b1f",
    text="#e4e7eb",
    muted="#9aa3ae",
    border="#343a42",
    accent="#5b9cf6",
    on_accent="#0b1220",
    selected="#24406b",
    good="#57c785",
    warn="#e3a04a",
    bad="#f07c84",
    info="#74aef7",
    added="#143a22",
    removed="#4a1d22",
    classes={
        Classification.GENUINE: "#57c785",
        Classification.IMAGE_PROXY: "#74aef7",
        Classification.PRIVACY_PROXY: "#b794f6",
        Classification.SECURITY_SCANNER: "#f0a04b",
        Classification.LINK_PREVIEW_BOT: "#f08abf",
        Classification.GENERIC_BOT: "#a8b0ba",
        Classification.SUSPICIOUS: "#f07c84",
        Classification.UNVERIFIED_CLICK: "#4fc3cf",
    },
)


def get_theme() -> Theme:
    """Return what the application looks like at present."""
    application = QApplication.instance()
    name = None if application is None else application.property("mailnod_theme")
    return DARK if name == DARK.name else LIGHT


def apply_theme(application: QApplication, theme: Theme) -> None:
    """Give the application a theme's palette, fonts and style sheet."""
    before = get_theme()
    application.setProperty("mailnod_theme", theme.name)
    application.setStyle("Fusion")
    application.setFont(_make_font(_UI_FONTS, QFont.StyleHint.SansSerif, 9.5))
    application.setPalette(_make_palette(theme))
    application.setStyleSheet(_STYLE.format(theme=theme))
    if before is not theme:
        _redraw_icons(before, theme)


def make_mono_font(size: float = 9.0) -> QFont:
    """Return the font for URLs, tokens, source and times."""
    return _make_font(_MONO_FONTS, QFont.StyleHint.Monospace, size)


def icon(name: str, colour: str | None = None) -> QIcon:
    """Return an icon of Material Design in the theme's colours.

    :param name: as https://pictogrammers.com/library/mdi/ has it, such as "email-open-outline".
    :param colour: ``#rrggbb``; None takes the colour of text.
    """
    theme = get_theme()
    drawn = _draw_icon(name, colour or theme.text, theme.muted)
    _drawings()[drawn.cacheKey()] = (name, colour or theme.text)
    return drawn


def make_window_icon() -> QIcon:
    """Return the program's own icon."""
    return QIcon(str(Path(__file__).with_name("mailnod-desktop.svg")))


@lru_cache(maxsize=1)
def _drawings() -> dict[int, tuple[str, str]]:
    """Return what each icon that was drawn shows, and in which colour, by the key that all its copies share."""
    return {}


def _redraw_icons(before: Theme, after: Theme) -> None:
    """Draw the icons of all buttons and actions in the colours that take the place of those they have."""
    colours = {getattr(before, field.name): getattr(after, field.name) for field in fields(Theme)[2:-1]}
    for widget in QApplication.allWidgets():
        for target in (widget, *widget.actions()):
            if isinstance(target, QAbstractButton | QAction):
                name, colour = _drawings().get(target.icon().cacheKey(), ("", ""))
                # What has the new colours already was drawn by its owner.
                if colour in colours:
                    target.setIcon(icon(name, colours[colour]))


@cache
def _draw_icon(name: str, colour: str, disabled: str) -> QIcon:
    # It takes a tenth of a second to import, and some windows have no icon.
    import qtawesome

    drawn: QIcon = qtawesome.icon(f"mdi6.{name}", color=colour, color_disabled=disabled)
    return drawn


def _make_font(families: tuple[str, ...], hint: QFont.StyleHint, size: float) -> QFont:
    known = set(QFontDatabase.families())
    font = QFont([name for name in families if name in known] or [families[-1]])
    font.setStyleHint(hint)
    font.setPointSizeF(size)
    return font


def _make_palette(theme: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.base,
        role.AlternateBase: theme.alternate,
        role.ToolTipBase: theme.panel,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.muted,
        role.Text: theme.text,
        role.Button: theme.panel,
        role.ButtonText: theme.text,
        role.BrightText: theme.bad,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Light: theme.panel,
        role.Midlight: theme.border,
        role.Mid: theme.border,
        role.Dark: theme.border,
        role.Shadow: theme.border,
        role.Accent: theme.accent,
    }
    for each, colour in colours.items():
        palette.setColor(each, QColor(colour))
    for each in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, each, QColor(theme.muted))
    # A list that has not the focus must not look as if it had.
    palette.setColor(QPalette.ColorGroup.Inactive, role.Highlight, QColor(theme.selected))
    palette.setColor(QPalette.ColorGroup.Inactive, role.HighlightedText, QColor(theme.text))
    return palette


_STYLE = """
QToolTip {{ color: {theme.text}; background: {theme.panel}; border: 1px solid {theme.border}; padding: 3px 5px; }}
QToolBar {{ border: 0; border-bottom: 1px solid {theme.border}; padding: 1px 6px; spacing: 2px; }}
QStatusBar {{ border-top: 1px solid {theme.border}; }}
QStatusBar::item {{ border: 0; }}
QMainWindow::separator {{ background: {theme.border}; width: 1px; height: 1px; }}
QMainWindow::separator:hover {{ background: {theme.accent}; }}
QHeaderView::section {{ background: {theme.panel}; color: {theme.muted}; border: 0;
    border-bottom: 1px solid {theme.border}; padding: 4px 8px; }}
QTableView, QTreeView, QListView, QPlainTextEdit, QTextEdit {{ border: 0; background: {theme.base}; }}
QTabBar::tab {{ padding: 5px 12px; border: 0; border-bottom: 2px solid transparent; color: {theme.muted}; }}
QTabBar::tab:selected {{ color: {theme.text}; border-bottom: 2px solid {theme.accent}; }}
QTabBar::tab:hover {{ color: {theme.text}; }}
QTabBar QToolButton {{ padding: 0; border: 0; border-radius: 0; background: {theme.window}; }}
QTabWidget::pane {{ border: 0; border-top: 1px solid {theme.border}; }}
QDockWidget::title {{ padding: 4px 8px; background: {theme.window}; }}
QLineEdit {{ padding: 3px 6px; border: 1px solid {theme.border}; border-radius: 5px;
    background: {theme.base}; color: {theme.text}; min-height: 18px; }}
QLineEdit:focus {{ border: 1px solid {theme.accent}; }}
QComboBox QAbstractItemView {{ background: {theme.base}; border: 1px solid {theme.border}; }}
QPushButton, QToolButton {{ padding: 4px 9px; border: 1px solid transparent; border-radius: 5px; }}
QPushButton {{ border: 1px solid {theme.border}; background: {theme.base}; }}
QPushButton:hover, QToolButton:hover {{ background: {theme.selected}; }}
QPushButton:default {{ background: {theme.accent}; color: {theme.on_accent}; border-color: {theme.accent}; }}
QPushButton:disabled {{ color: {theme.muted}; background: {theme.window}; border-color: {theme.border}; }}
QToolButton:checked {{ background: {theme.selected}; border: 1px solid {theme.accent}; }}
QPushButton:focus, QToolButton:focus {{ border: 1px solid {theme.accent}; }}
QMenu {{ border: 1px solid {theme.border}; background: {theme.panel}; padding: 4px; }}
QMenu::item {{ padding: 4px 22px; border-radius: 4px; }}
QMenu::item:selected {{ background: {theme.selected}; color: {theme.text}; }}
QMenu::icon {{ margin-left: 5px; padding: 1px; }}
QMenu::icon:checked {{ background: {theme.selected}; border: 1px solid {theme.accent}; border-radius: 4px; }}
QListView#completions {{ border: 1px solid {theme.border}; background: {theme.panel}; }}
QListView#completions::item {{ padding: 3px 6px; min-height: 17px; }}
QMenu::separator {{ height: 1px; background: {theme.border}; margin: 4px 6px; }}
QScrollBar:vertical {{ width: 11px; background: transparent; margin: 0; }}
QScrollBar:horizontal {{ height: 11px; background: transparent; margin: 0; }}
QScrollBar::handle {{ background: {theme.border}; border-radius: 4px; min-height: 24px; min-width: 24px; margin: 2px; }}
QScrollBar::handle:hover {{ background: {theme.muted}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QGroupBox {{ border: 0; border-top: 1px solid {theme.border}; margin-top: 14px; padding-top: 8px; font-weight: 600; }}
QGroupBox::title {{ subcontrol-origin: margin; left: 0; padding: 0 6px 0 0; }}
QLabel[muted="true"] {{ color: {theme.muted}; }}
QLabel[heading="true"] {{ font-weight: 600; }}
"""

"""Both themes can be read."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor

from mailnod.model import Classification
from mailnod_desktop.theme import DARK, LIGHT, Theme


def measure_contrast(front: QColor, ground: QColor) -> float:
    """Return the contrast of two colours (WCAG 2.2, "contrast ratio")."""

    def get_luminance(colour: QColor) -> float:
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.getRgbF()[:3]]  # type: ignore[index]
        return float(0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2])

    bright, dark = sorted((get_luminance(front), get_luminance(ground)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: str(theme.name))
def test_texts_stand_out_from_their_grounds(theme: Theme) -> None:
    """Every colour of text has a contrast of 4.5 at least to every ground that it stands on (WCAG 2.2, 1.4.3)."""
    grounds = (theme.window, theme.panel, theme.base, theme.alternate)
    for front in (theme.text, theme.muted):
        for ground in grounds:
            assert measure_contrast(QColor(front), QColor(ground)) >= 4.5, (front, ground)
    for front in (theme.good, theme.warn, theme.bad, theme.info):
        assert measure_contrast(QColor(front), QColor(theme.base)) >= 4.5, front
    assert measure_contrast(QColor(theme.on_accent), QColor(theme.accent)) >= 4.5
    assert measure_contrast(QColor(theme.text), QColor(theme.selected)) >= 4.5
    for ground in (theme.added, theme.removed):
        assert measure_contrast(QColor(theme.text), QColor(ground)) >= 4.5, ground


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: str(theme.name))
@pytest.mark.parametrize("classification", Classification)
def test_each_class_has_a_pill_that_can_be_read(theme: Theme, classification: Classification) -> None:
    """A pill's text stands out from its ground, whose colour no row behind it changes."""
    colour = theme.classes[classification]
    assert measure_contrast(QColor(colour), theme.tint(colour)) >= 4.5

"""Pictures of whole mails are made without a window and without a connection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from mailnod_desktop.web.snapshot import MAX_HEIGHT, SnapshotError, render_png

from .conftest import SVG, Canary

STRIPES = "".join(f'<div style="height:500px;background:#0000{number:02x}">x</div>' for number in range(10, 20))


def test_a_picture_has_the_whole_mail(tmp_path: Path) -> None:
    """The last line of a long mail is in the picture, and nothing that was used to make it."""
    path = tmp_path / "mail.png"
    render_png(f'<body style="margin:0">{STRIPES}', width=320, path=path, inline={})
    image = QImage(str(path))
    assert (image.width(), image.height()) == (320, 5000)
    assert [image.pixelColor(300, 250 + 500 * number).blue() for number in range(10)] == list(range(10, 20))
    assert image.pixelColor(1, 4998).name() == "#000013"


def test_a_picture_has_the_parts_of_the_mail_and_nothing_remote(tmp_path: Path, canary: Canary) -> None:
    """Inline images are drawn; nobody is asked for others."""
    path = tmp_path / "mail.png"
    html = f'<body style="margin:0"><img src="cid:logo" style="display:block"><img src="{canary.url}/i.png">'
    render_png(html, width=200, path=path, inline={"logo": ("image/svg+xml", SVG)})
    assert QImage(str(path)).pixelColor(20, 20).name() == "#ff0000"
    assert canary.count() == (0, 0)


def test_a_picture_is_no_higher_than_it_may_be(tmp_path: Path) -> None:
    """An endless mail is cut off."""
    path = tmp_path / "mail.png"
    render_png('<p style="height:90000px">x', width=50, path=path, inline={})
    assert QImage(str(path)).height() == MAX_HEIGHT


def test_an_empty_mail_has_a_picture(tmp_path: Path) -> None:
    """Nothing is drawn as white."""
    path = tmp_path / "mail.png"
    render_png("", width=60, path=path, inline={})
    assert QImage(str(path)).pixelColor(1, 0).name() == "#ffffff"


def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    """A mail that keeps the engine busy ends with an error, and the next one is drawn."""
    with pytest.raises(SnapshotError, match="took too long"):
        render_png("<div>" * 100_000, width=100, path=tmp_path / "never.png", inline={}, time_limit_s=1.5)
    render_png("<p>x", width=100, path=tmp_path / "next.png", inline={})
    assert (tmp_path / "next.png").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error says which file."""
    with pytest.raises(SnapshotError, match="missing"):
        render_png("x", width=100, path=tmp_path / "missing" / "x.png", inline={})
    with pytest.raises(SnapshotError, match="1 to 4000 pixels wide, not 0"):
        render_png("x", width=0, path=tmp_path / "x.png", inline={})


@pytest.mark.parametrize(
    "program",
    [
        """
from pathlib import Path
from mailnod_desktop.web.snapshot import render_png
render_png("<p>x", width=100, path=Path(PATH), inline={})
render_png("<p>y", width=100, path=Path(PATH), inline={})
""",
        """
from mailnod_desktop.web.flags import prepare_engine
assert prepare_engine() is None
from PySide6.QtWidgets import QApplication
application = QApplication([])
from mailnod_desktop.views.preview import PreviewView
view = PreviewView()
view.show()
for _ in range(20):
    application.processEvents()
view.close_pages()
view.close()
open(PATH, "w").close()
""",
    ],
    ids=["snapshot", "preview"],
)
def test_a_program_ends_without_a_complaint(program: str, tmp_path: Path) -> None:
    """Pages go before their profile, and the process ends by itself."""
    path = tmp_path / "x.png"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1"}
    command = [sys.executable, "-c", f"PATH = {str(path)!r}\n{program}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert path.exists()
    assert "Release of profile requested" not in done.stderr
    assert "Traceback" not in done.stderr

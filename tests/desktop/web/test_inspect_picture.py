"""``mailnod inspect`` draws mails where Qt WebEngine is installed."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from PySide6.QtGui import QImage

from contracts.desktop_mails import make_message
from mailnod.cli.context import CliContext
from mailnod.cli.main import cli

GREEN = '<body style="margin:0"><div style="height:300px;background:#00ff00">{}</div>'


def run(*arguments: str | Path) -> Result:
    """Run the command as a person would."""
    context = CliContext(environ={"MAILNOD_SECRET_KEYS": "k" * 40})
    return CliRunner().invoke(cli, ["inspect", *map(str, arguments)], obj=context)


def test_mail_is_drawn_as_it_leaves(tmp_path: Path) -> None:
    """The picture is as wide as was asked for, and stands in the report too."""
    mail, picture, report = tmp_path / "a.eml", tmp_path / "a.png", tmp_path / "report.html"
    mail.write_bytes(make_message(GREEN.format("x")).data)
    assert run(mail, "--png", picture, "--width", "400", "--html-report", report).exit_code == 0
    image = QImage(str(picture))
    assert (image.width(), image.pixelColor(200, 200).name()) == (400, "#00ff00")
    assert "data:image/png;base64," in report.read_text()


def test_several_mails_have_numbered_pictures(tmp_path: Path) -> None:
    """Each mail has a file of its own, and one without HTML is named and holds nothing up."""
    for number in (1, 2):
        (tmp_path / f"{number}.html").write_text(GREEN.format(number))
    (tmp_path / "text.eml").write_text("Subject: x\n\nHello")
    files = [tmp_path / name for name in ("1.html", "text.eml", "2.html")]
    result = run(*files, "--png", tmp_path / "mail.png", "--width", "200")
    assert result.exit_code == 1
    assert "text.eml: it has no HTML that could be drawn" in result.stderr
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["mail-1.png", "mail-3.png"]


def test_picture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A folder that does not exist ends with one line and not with a traceback."""
    mail = tmp_path / "a.html"
    mail.write_text(GREEN.format("x"))
    result = run(mail, "--png", tmp_path / "missing" / "a.png")
    assert result.exit_code == 1
    assert "a.html: it cannot be drawn" in result.stderr

"""What the program remembers."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from mailnod_desktop.preferences import Preferences


def reopen(preferences: Preferences) -> Preferences:
    """Read the same file as the next run of the program does."""
    preferences.settings.sync()
    return Preferences(QSettings(preferences.settings.fileName(), QSettings.Format.IniFormat))


def test_recent_files_are_kept_newest_first(preferences: Preferences, tmp_path: Path) -> None:
    """A file that was opened again comes first, once, and one that is gone is left out."""
    paths = [tmp_path / name for name in ("a.eml", "b.eml", "c.eml")]
    for path in paths:
        path.touch()
    for path in [*paths, paths[0]]:
        preferences.add_recent(path)
    paths[1].unlink()
    assert reopen(preferences).list_recent() == [paths[0], paths[2]]


def test_one_recent_file_is_kept(preferences: Preferences, tmp_path: Path) -> None:
    """A list of one comes back as one, and can be forgotten."""
    path = tmp_path / "mail, with a comma.eml"
    path.touch()
    preferences.add_recent(path)
    later = reopen(preferences)
    assert later.list_recent() == [path]
    later.forget_recent()
    assert reopen(later).list_recent() == []


def test_damaged_preferences_are_as_none(tmp_path: Path) -> None:
    """A file that somebody else has written stands in nobody's way."""
    path = tmp_path / "preferences.ini"
    path.write_bytes(b"[General]\nappearance=purple\nrecent=@Invalid()\n[window]\ngeometry=7\nstate=\x00\xff\n")
    preferences = Preferences(QSettings(str(path), QSettings.Format.IniFormat))
    assert preferences.appearance == "system"
    assert preferences.list_recent() == []
    assert preferences.get_layout() is None


def test_layout_and_switches_come_back(preferences: Preferences) -> None:
    """Geometry, panels, theme and switches are those of the last run."""
    preferences.set_layout(QByteArray(b"geometry"), QByteArray(b"state"))
    preferences.appearance = "dark"
    preferences.set_flag("linked", False)
    later = reopen(preferences)
    assert later.get_layout() == (QByteArray(b"geometry"), QByteArray(b"state"))
    assert later.appearance == "dark"
    assert later.get_flag("linked", default=True) is False
    later.forget_layout()
    assert later.get_layout() is None

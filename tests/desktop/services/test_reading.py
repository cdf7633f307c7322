"""Tests of reading files."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.desktop_mails import make_message
from mailnod_desktop.services.mailbox import Mailbox
from mailnod_desktop.services.model import Form
from mailnod_desktop.services.reading import MAX_FILE_BYTES, ReadingError, make_mail, read_file, read_files


@pytest.mark.parametrize(
    ("name", "data", "form"),
    [
        ("a.eml", b"Subject: x\n\nHello", "message"),
        ("a.EML", b"no head at all", "message"),
        ("a.html", b"<p>Hello", "html"),
        ("a.htm", b"Subject: x", "html"),
        ("a", b"Subject: x\n\nHello", "message"),
        ("a.txt", b"<p>Hello</p>", "html"),
        ("a", "<p>Grüße".encode("utf-16"), "html"),
    ],
)
def test_name_tells_the_form_before_the_content(tmp_path: Path, name: str, data: bytes, form: Form) -> None:
    """A known ending decides, and of any other file its content."""
    path = tmp_path / name
    path.write_bytes(data)
    (mail,) = read_file(path)
    assert (mail.form, mail.name, mail.data, mail.origin) == (form, name, data, "file")


@pytest.mark.parametrize("name", ["archive.mbox", "archive"])
def test_mailbox_is_told_by_name_or_first_line(tmp_path: Path, name: str) -> None:
    """A file that begins with a separator line is a mailbox, whatever it is called."""
    path = tmp_path / name
    path.write_bytes(b"From a@example.com Mon Nov  2 10:00:00 2026\nSubject: x\n\nHello\n")
    mails = read_file(path)
    assert isinstance(mails, Mailbox)
    assert [mail.origin for mail in mails] == ["mailbox"]


def test_every_refusal_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    """Missing files, folders, empty, foreign and over-large files are named with an advice, and hold nothing up."""
    (tmp_path / "empty.eml").touch()
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "none.mbox").write_bytes(b"no separator")
    with (tmp_path / "large.eml").open("wb") as large:
        large.truncate(MAX_FILE_BYTES + 1)
    (tmp_path / "good.eml").write_bytes(make_message().data)
    names = ["missing.eml", ".", "empty.eml", "binary", "none.mbox", "large.eml", "good.eml"]
    reading = read_files([tmp_path / name for name in names])
    assert [source[0].name for source in reading.sources] == ["good.eml"]
    assert [error.problem for error in reading.errors] == [
        "there is no such file",
        "this is a folder",
        "the file is empty",
        "this is neither a message nor HTML",
        "no message begins in this mailbox file",
        "the file has 100 MB, and a mail at most 100",
    ]
    assert all(error.advice.endswith(".") for error in reading.errors)
    assert str(reading.errors[0]) == "missing.eml: there is no such file. Check the path."


def test_device_is_no_mail() -> None:
    """What is no regular file is not read, because it may never end."""
    with pytest.raises(ReadingError, match="no regular file"):
        read_file(Path("/dev/zero"))


def test_name_with_a_null_character_is_refused() -> None:
    """A path that no file can have is said to be one."""
    with pytest.raises(ReadingError):
        read_file(Path("a\0b.eml"))


def test_bytes_without_content_are_refused() -> None:
    """White space alone is no mail."""
    with pytest.raises(ReadingError, match="empty"):
        make_mail(b" \n", name="standard input", key="stdin")

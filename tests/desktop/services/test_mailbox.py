"""Tests of mailbox files."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailnod_desktop.services import mailbox as module
from mailnod_desktop.services.mailbox import Mailbox
from mailnod_desktop.services.parsing import summarise

FROM = b"From a@example.com Mon Nov  2 10:00:00 2026"


def write(path: Path, data: bytes) -> Mailbox:
    """Return a mailbox with that content."""
    path.write_bytes(data)
    return Mailbox(path)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_messages_come_back_byte_for_byte(tmp_path: Path, newline: bytes) -> None:
    """A message is what stands between its separator line and the empty line before the next one."""
    first = newline.join([b"Subject: one", b"", b"Hello", b""])
    second = newline.join([b"Subject: two", b"", b"Hello", b"From me to you", b"", b"", b"end", b""])
    data = newline.join([FROM, first, FROM, second, b""])
    mailbox = write(tmp_path / "a.mbox", data)
    assert [mail.data for mail in mailbox] == [first, second]
    assert [mail.name for mail in mailbox] == ["a.mbox #1", "a.mbox #2"]
    assert mailbox.get(0).received_at == datetime(2026, 11, 2, 10, tzinfo=UTC)


def test_quoted_lines_lose_one_bracket(tmp_path: Path) -> None:
    """The mboxrd form is undone once."""
    mailbox = write(tmp_path / "a.mbox", FROM + b"\nSubject: x\n\n>From me\n>>From you\n> From nobody\n")
    assert mailbox.get(0).data == b"Subject: x\n\nFrom me\n>From you\n> From nobody\n"


def test_line_in_a_text_separates_nothing(tmp_path: Path) -> None:
    """A line that begins so within a paragraph is text."""
    assert len(write(tmp_path / "a.mbox", FROM + b"\nSubject: x\n\nHello\nFrom me\n")) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_separators_are_found_across_chunks(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a chunk of the file ends, every separator line is found once."""
    monkeypatch.setattr(module, "_CHUNK_BYTES", size)
    data = b"\n".join([FROM, b"Subject: x", b"", b"Hello", b"", b"", b"From x", b"", b"From", b""]) * 3
    separators = [0] + [i + 1 for i in range(len(data)) if data.startswith(b"\nFrom ", i) and data[i - 1 : i] == b"\n"]
    mailbox = write(tmp_path / "a.mbox", data)
    assert mailbox._starts == separators


def test_indexes_behave_as_those_of_a_list(tmp_path: Path) -> None:
    """Negative indexes and slices work, and one beyond the end is refused."""
    mailbox = write(tmp_path / "a.mbox", b"".join(FROM + b"\nSubject: %d\n\nx\n\n" % n for n in range(4)))
    assert mailbox[-1].name == "a.mbox #4"
    assert [mail.name for mail in mailbox[1:3]] == ["a.mbox #2", "a.mbox #3"]
    with pytest.raises(IndexError):
        mailbox.get(4)


def test_summaries_are_those_of_the_mails(tmp_path: Path) -> None:
    """What a list shows does not depend on whether the whole mail was read."""
    heads = [b"Subject: =?utf-8?q?caf=C3=A9?=\nTo: a@example.com\nDate: Mon, 2 Nov 2026 09:00:00 +0000", b"Subject: x"]
    mailbox = write(tmp_path / "a.mbox", b"".join(FROM + b"\n" + head + b"\n\nHello\n\n" for head in heads))
    assert list(mailbox.summaries()) == [summarise(mail) for mail in mailbox]


def test_ten_thousand_messages_are_listed_within_two_seconds(tmp_path: Path) -> None:
    """Nobody waits for a large mailbox; it takes half a second here, and the bound leaves room for slow machines."""
    one = FROM + b"\nFrom: News <n@example.com>\nTo: a@example.com\nSubject: =?utf-8?b?SGFsbG8=?= %d\n"
    one += b"Date: Mon, 2 Nov 2026 10:00:00 +0100\nX-Filler: " + b"x" * 2000 + b"\n\n" + b"Hello\n" * 300 + b"\n"
    path = tmp_path / "a.mbox"
    path.write_bytes(b"".join(one.replace(b"%d", b"%d" % number) for number in range(10_000)))
    started = time.process_time()
    mailbox = Mailbox(path)
    subjects = [summary.subject for summary in mailbox.summaries()]
    assert time.process_time() - started < 2
    assert subjects[::9_999] == ["Hallo 0", "Hallo 9999"]

"""Tests of telling messages and mailbox files by their bytes."""

from __future__ import annotations

import pytest

from mailnod.send.files import find_messages, is_message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Subject: x", True),
        (b"X-A-1:\tx", True),
        (b"From a@example.com", True),
        (b"From ", False),
        (b"<p>Subject: x", False),
        (b"https://e.example/", False),
        (b"", False),
    ],
)
def test_message_begins_with_a_field_or_a_separator(data: bytes, message: bool) -> None:
    """What begins otherwise is taken for HTML."""
    assert is_message(data) is message


def test_messages_begin_behind_empty_lines() -> None:
    """A separator stands first or behind an empty line, with either line end, and is whole."""
    data = b"From a\nx\n\nFrom b\r\nx\r\n\r\nFrom c\nFrom d\n\nFrom e"
    assert [data[start:end] for start, end in find_messages(data)] == [b"From a\n", b"From b\r\n", b"From c\n"]


def test_file_without_a_separator_has_no_message() -> None:
    """An empty file and a plain text hold none."""
    assert list(find_messages(b"")) == []
    assert list(find_messages(b"Hello\nFrom me\n")) == []

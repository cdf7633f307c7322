"""Tell messages, mailbox files and HTML apart by their bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["find_messages", "is_message"]

# A message begins with a field of RFC 5322, section 2.2, or with the "From " line of a mailbox file.
_MESSAGE_START = re.compile(rb"From \S|[A-Za-z][A-Za-z0-9\-]*:[ \t]")
_SEPARATOR = re.compile(rb"From [^\n]*\n")


def is_message(data: bytes) -> bool:
    """Tell whether data begins as a message or a mailbox file does."""
    return _MESSAGE_START.match(data) is not None


def find_messages(data: bytes) -> Iterator[tuple[int, int]]:
    """Find the messages of a mailbox file (RFC 4155, appendix A).

    :returns: where each begins with its separator line, which stands at the start of the file or behind an empty line,
        and where that line ends.
    """
    position = 0
    while position >= 0:
        behind_empty = position == 0 or data.startswith(b"\n", position - 2) or data.startswith(b"\n\r", position - 3)
        if behind_empty and (line := _SEPARATOR.match(data, position)):
            yield line.span()
        position = data.find(b"\nFrom ", position) + 1 or -1

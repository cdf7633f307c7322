"""Mailbox files (RFC 4155) by the places of their messages; a message is read when somebody asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Final, overload

from mailnod_desktop.services.model import Mail, MailSummary
from mailnod_desktop.services.summary import HEAD_BYTES, summarise_head

__all__ = ["Mailbox"]

_CHUNK_BYTES: Final = 4 * 1024 * 1024
_SEPARATOR: Final = b"\nFrom "
# What stands before a separator line that follows an empty one, and the most that has to be kept of a chunk.
_EMPTY_LINES: Final = (b"\n\n", b"\n\r\n")
_OVERLAP_BYTES: Final = len(_SEPARATOR) + 2
# The "mboxrd" form puts one more ">" before each line that begins so.
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)


class Mailbox(Sequence[Mail]):
    """The messages of one mailbox file, which is looked through once and stays closed in between.

    It is not mapped into memory, because a file that another program shortens would end the process then.

    :param path: of the file.
    :raises OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self._starts = list(_find_starts(file))
            self._end = file.seek(0, 2)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Mail: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Mail]: ...

    def __getitem__(self, index: int | slice) -> Mail | Sequence[Mail]:
        if isinstance(index, slice):
            return [self.get(number) for number in range(*index.indices(len(self)))]
        return self.get(index + len(self) if index < 0 else index)

    def get_key(self, index: int) -> str:
        """Return what names a message within one run of the program."""
        return f"mailbox:{self.path}:{index}"

    def get(self, index: int) -> Mail:
        """Read one message.

        :param index: from 0.
        :raises OSError: the file cannot be read any more.
        :raises IndexError: it has not so many messages.
        """
        start, end = self._find_span(index)
        with self.path.open("rb") as file:
            file.seek(start)
            separator, _, data = file.read(end - start).partition(b"\n")
        if data.endswith(b"\n\r\n"):
            data = data[:-2]
        elif data.endswith(b"\n\n"):
            data = data[:-1]
        if b"\n>" in data:
            data = _QUOTED.sub(rb"\1", data)
        return Mail(
            key=self.get_key(index),
            name=f"{self.path.name} #{index + 1}",
            origin="mailbox",
            data=data,
            received_at=_read_date(separator),
        )

    def summaries(self) -> Iterator[MailSummary]:
        """Yield what a list shows of each message, by the beginning of each alone.

        :raises OSError: the file cannot be read any more.
        """
        with self.path.open("rb") as file:
            for index in range(len(self)):
                start, end = self._find_span(index)
                file.seek(start)
                separator, _, head = file.read(min(end - start, HEAD_BYTES)).partition(b"\n")
                size = max(end - start - len(separator) - 2, 0)
                yield summarise_head(head, size_bytes=size, received_at=partial(_read_date, separator))

    def _find_span(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self._starts):
            raise IndexError(f"{self.path.name} has {len(self)} messages, and no number {index + 1}")
        last = index + 1 == len(self._starts)
        return self._starts[index], self._end if last else self._starts[index + 1]


def _find_starts(file: IO[bytes]) -> Iterator[int]:
    """Yield where each separator line begins: at the start of the file, or behind an empty line."""
    # The beginning is treated as if an empty line stood before it.
    buffer, offset = b"\n\n", -2
    while chunk := file.read(_CHUNK_BYTES):
        buffer += chunk
        position = buffer.find(_SEPARATOR)
        while position >= 0:
            if buffer.endswith(_EMPTY_LINES, max(position - 2, 0), position + 1):
                yield offset + position + 1
            position = buffer.find(_SEPARATOR, position + 1)
        kept = buffer[-_OVERLAP_BYTES:]
        # A separator that is whole in what is kept was found already, unless what is before it is needed too.
        found = kept.find(_SEPARATOR)
        kept = kept[found + 1 :] if found >= 0 else kept
        offset += len(buffer) - len(kept)
        buffer = kept


def _read_date(separator: bytes) -> datetime | None:
    """Return when a separator line says that the message came, which is in UTC (RFC 4155, appendix A)."""
    words = separator.decode("ascii", "replace").split()
    try:
        return datetime.strptime(" ".join(words[-5:]), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None

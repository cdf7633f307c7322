"""The rows of a source diff as lines on the screen: gaps that open, and long rows that wrap."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple
from unicodedata import east_asian_width

from mailnod_desktop.services.diff import DiffRow

__all__ = ["DiffLines", "EditPlace", "Match", "Side", "show_source", "wrap"]

Side = Literal["old", "new"]

_LINE_END = re.compile(r"\r\n|\r|\n")
_MAX_MATCHES = 5000
#: Only texts with one of these need to be looked at character by character (Unicode, EastAsianWidth).
_WIDE = re.compile(
    "[\u1100-\u115f\u231a-\u2b55\u2e80-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe6f\uff01-\uff60\uffe0-\uffe6\U00016fe0-\U0003fffd]"
)
# One character for each, so that places within a line stay where they are.
_VISIBLE = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x09: ord("→"),
    0x7F: 0x2421,
    **dict.fromkeys(
        (*range(0x80, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)), 0xFFFD
    ),
    **dict.fromkeys((0xAD, *range(0x200B, 0x200E), *range(0x2060, 0x2065), 0xFEFF), ord("·")),
    **dict.fromkeys(range(0xD800, 0xE000), 0xFFFD),
}


class EditPlace(NamedTuple):
    """Where an edit is shown."""

    #: Position of the edit among those of the plan.
    number: int
    #: The row in which it is shown first.
    row: int
    #: Index of the link that was edited; None for what was added or taken out.
    link: int | None
    #: What the edit is, in words.
    reason: str


class Match(NamedTuple):
    """Where the words of a search stand."""

    row: int
    side: Side
    start: int
    end: int


def show_source(text: str) -> str:
    """Return source with each character visible that is not seen or would turn others; its length stays."""
    return text if text.isascii() and text.isprintable() else text.translate(_VISIBLE)


def wrap(text: str, columns: int) -> Sequence[int]:
    """Return where each line of a wrapped text begins; wide characters take two columns."""
    if text.isascii() or not _WIDE.search(text):
        return range(0, max(len(text), 1), columns)
    starts, used = [0], 0
    for position, character in enumerate(text):
        width = 2 if east_asian_width(character) in "WF" else 1
        if used + width > columns and used:
            starts.append(position)
            used = 0
        used += width
    return starts


class DiffLines:
    """Rows and the lines on the screen that they take.

    :param rows: what :func:`~mailnod_desktop.services.diff.make_diff` returned; none shows the whole text.
    :param old: the text before the edits.
    :param new: the text after them.
    """

    def __init__(self, rows: Sequence[DiffRow], old: str, new: str) -> None:
        self._old_lines = _LINE_END.split(old)
        self._new_lines = _LINE_END.split(new)
        whole = DiffRow(kind="gap", old_number=1, new_number=1, hidden=len(self._old_lines))
        #: The rows as they are shown now.
        self.rows: list[DiffRow] = list(rows) or [whole]
        self._columns = 80
        self._ends: list[int] = []
        self._edits: list[EditPlace] | None = None

    @property
    def edits(self) -> list[EditPlace]:
        """The edits, in the order of the source."""
        if self._edits is None:
            self._edits = list(self._find_edits())
        return self._edits

    @property
    def digits(self) -> int:
        """How many digits the largest number of a line has."""
        return len(str(max(len(self._old_lines), len(self._new_lines))))

    def expand(self, row: int) -> int:
        """Open a gap.

        :returns: how many rows stand in its place now.
        """
        gap = self.rows[row]
        if gap.kind != "gap" or gap.old_number is None or gap.new_number is None:
            return 1
        shift = gap.new_number - gap.old_number
        lines = self._old_lines[gap.old_number - 1 : gap.old_number - 1 + gap.hidden]
        self.rows[row : row + 1] = [
            DiffRow(kind="same", old_number=number, new_number=number + shift, old=line, new=line)
            for number, line in enumerate(lines, start=gap.old_number)
        ]
        self._forget()
        return len(lines)

    def expand_all(self) -> None:
        """Open every gap."""
        for row in range(len(self.rows) - 1, -1, -1):
            self.expand(row)

    def lay_out(self, columns: int) -> None:
        """Wrap rows at so many columns."""
        if columns != self._columns or not self._ends:
            self._columns = max(columns, 8)
            self._ends = list(accumulate(self._count(row) for row in self.rows))

    @property
    def columns(self) -> int:
        """At how many columns rows wrap."""
        return self._columns

    @property
    def height(self) -> int:
        """How many lines all rows take."""
        return self._ends[-1] if self._ends else 0

    def find_row(self, line: int) -> tuple[int, int]:
        """Return which row takes a line on the screen, and which line of that row it is."""
        row = min(bisect_right(self._ends, line), len(self.rows) - 1)
        return row, line - self.find_line(row)

    def find_line(self, row: int) -> int:
        """Return the first line that a row takes."""
        return self._ends[row - 1] if row else 0

    def find_number(self, number: int) -> int:
        """Return the row that shows or hides a line of the old text."""
        for position, row in enumerate(self.rows):
            if row.old_number is not None and row.old_number + max(row.hidden - 1, 0) >= number:
                return position
        return len(self.rows) - 1

    def search(self, text: str) -> list[Match]:
        """Return where a text stands, in any case, and open the gaps in which it does.

        :returns: some thousands at most. What both texts have in common is found once.
        """
        words = text.casefold()
        if not words:
            return []
        for position in range(len(self.rows) - 1, -1, -1):
            row = self.rows[position]
            if row.kind == "gap" and row.old_number is not None:
                hidden = self._old_lines[row.old_number - 1 : row.old_number - 1 + row.hidden]
                if any(words in line.casefold() for line in hidden):
                    self.expand(position)
        matches: list[Match] = []
        for position, row in enumerate(self.rows):
            sides: tuple[tuple[Side, str], ...] = (("old", row.old),)
            if row.kind == "changed":
                sides += (("new", row.new),)
            for side, line in sides:
                matches += (Match(position, side, start, start + len(text)) for start in _find_all(line, words))
            if len(matches) >= _MAX_MATCHES:
                break
        return matches[:_MAX_MATCHES]

    def get_text(self, first: int, last: int, side: Side) -> str:
        """Return the text of some rows on one side, hidden lines too."""
        lines: list[str] = []
        for row in self.rows[first : last + 1]:
            if row.kind == "gap" and row.old_number is not None:
                lines += self._old_lines[row.old_number - 1 : row.old_number - 1 + row.hidden]
            elif (row.old_number if side == "old" else row.new_number) is not None:
                lines.append(row.old if side == "old" else row.new)
        return "\n".join(lines)

    def _count(self, row: DiffRow) -> int:
        if row.kind == "gap":
            return 1
        old = len(wrap(row.old, self._columns))
        return old if row.kind == "same" else max(old, len(wrap(row.new, self._columns)))

    def _find_edits(self) -> Iterator[EditPlace]:
        seen: set[int] = set()
        for position, row in enumerate(self.rows):
            for span in sorted({*row.old_spans, *row.new_spans}, key=lambda span: span.edit):
                if span.edit not in seen:
                    seen.add(span.edit)
                    yield EditPlace(span.edit, position, span.link, span.reason)

    def _forget(self) -> None:
        self._ends = []
        self._edits = None


def _find_all(line: str, words: str) -> Iterator[int]:
    folded = line.casefold()
    if len(folded) != len(line):
        # Some letters fold to two, and places would shift.
        folded = line.lower() if len(line.lower()) == len(line) else line
    start = folded.find(words)
    while start >= 0:
        yield start
        start = folded.find(words, start + len(words))

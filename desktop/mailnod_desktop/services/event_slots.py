"""A long list of slots, newest first, which grows at both ends and gives or takes some in between."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

__all__ = ["SlotList"]


class SlotList:
    """Slots in descending order, eight bytes each, by their rows."""

    def __init__(self) -> None:
        #: What came in on top, ascending, so that an end of it grows; and what was found below, descending.
        self._newer = array("q")
        self._older = array("q")

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def __iter__(self) -> Iterator[int]:
        yield from reversed(self._newer)
        yield from self._older

    def __contains__(self, slot: int) -> bool:
        row = self.find(slot)
        return row < len(self) and self[row] == slot

    def __getitem__(self, row: int) -> int:
        newer = len(self._newer)
        return self._newer[newer - 1 - row] if row < newer else self._older[row - newer]

    @property
    def base(self) -> int:
        """How many rows came in on top, which is where the others begin."""
        return len(self._newer)

    def find(self, slot: int) -> int:
        """Return the row of a slot, or the one that it would come in at."""
        newer = len(self._newer)
        if newer and slot >= self._newer[0]:
            place = bisect_left(self._newer, slot)
            return newer - 1 - place if place < newer and self._newer[place] == slot else newer - place
        return newer + bisect_left(self._older, -slot, key=lambda one: -one)

    def take(self, count: int) -> array[int]:
        """Return so many of the newest."""
        return array("q", islice(self, count))

    def extend(self, slots: Iterable[int]) -> None:
        """Add slots below all others, the newest first."""
        self._older.extend(slots)

    def list_insertions(self, slots: Iterable[int]) -> list[tuple[int, list[int]]]:
        """Return where slots that are not in the list come in: a row, and ascending slots that come in there.

        The oldest come first, so that inserting one after the other leaves the rows of the others as they are.
        """
        runs: list[tuple[int, list[int]]] = []
        for slot in sorted({slot for slot in slots if slot not in self}):
            row = self.find(slot)
            if runs and runs[-1][0] == row:
                runs[-1][1].append(slot)
            else:
                runs.append((row, [slot]))
        return runs

    def insert(self, row: int, run: Sequence[int]) -> None:
        """Insert ascending slots so that the last of them stands at a row."""
        newer = len(self._newer)
        if row <= newer:
            self._newer[newer - row : newer - row] = array("q", run)
        else:
            self._older[row - newer : row - newer] = array("q", reversed(run))

    def list_removals(self, slots: Iterable[int]) -> list[tuple[int, int]]:
        """Return the first and the last row of each run of slots that are in the list.

        The last rows come first, so that removing one after the other leaves the others as they are.
        """
        rows = sorted((self.find(slot) for slot in slots if slot in self), reverse=True)
        runs: list[tuple[int, int]] = []
        for row in rows:
            if runs and runs[-1][0] == row + 1:
                runs[-1] = (row, runs[-1][1])
            else:
                runs.append((row, row))
        return runs

    def remove(self, first: int, last: int) -> None:
        """Remove the rows from one to another, both included."""
        newer = len(self._newer)
        older_first, older_last = max(first - newer, 0), last - newer
        if older_last >= older_first:
            del self._older[older_first : older_last + 1]
        if first < newer:
            del self._newer[max(newer - 1 - last, 0) : newer - first]

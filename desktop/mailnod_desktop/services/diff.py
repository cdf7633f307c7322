"""Rows of source lines, before and after, made from the rewriter's own edits and not by comparing texts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Literal, NamedTuple

from mailnod.html.plan import Edit, Plan
from mailnod.tokens import TOKEN_CHARS
from mailnod_desktop.services.model import Body

__all__ = ["DiffRow", "Span", "make_diff"]

#: A line with more characters is shown in pieces around its edits, with so many characters on either side of them.
_LONG_CHARS: Final = 400
_MARGIN_CHARS: Final = 100
_CUT: Final = "…"
_LINE_END = re.compile(r"\r\n|\r|\n")


class Span(NamedTuple):
    """Characters of a shown line that an edit replaced, or put there; empty where one side has nothing."""

    start: int
    end: int
    #: Position of the edit in :attr:`~mailnod.html.plan.Plan.edits`.
    edit: int
    #: Index of the link that was edited; None for the pixel, the hidden link and what was taken out.
    link: int | None
    #: What the edit is, in words.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRow:
    """One line of both texts, side by side."""

    kind: Literal["same", "changed", "gap"]
    #: Numbers of the lines, from 1; None where one text has no such line. Of a gap, the first line that is left out.
    old_number: int | None
    new_number: int | None
    old: str = ""
    new: str = ""
    old_spans: tuple[Span, ...] = ()
    new_spans: tuple[Span, ...] = ()
    #: How many lines a gap leaves out.
    hidden: int = 0
    #: Whether this is a piece of a line that is too long to be shown whole.
    partial: bool = False


def make_diff(body: Body, *, context: int = 3) -> tuple[DiffRow, ...]:
    """Return the rows of one body.

    :param context: how many unchanged lines are shown before and behind each changed one.
    :returns: no rows where the body leaves as it came.
    """
    if body.plan is None or not body.plan.edits:
        return ()
    return tuple(_Differ(body, body.plan).make_rows(context))


class _Place(NamedTuple):
    """An edit, and where it stands in both texts."""

    number: int
    old_start: int
    old_end: int
    new_start: int
    new_end: int
    link: int | None
    reason: str

    def span(self, start: int, end: int, *, new: bool) -> Span | None:
        """Return what of it stands in a piece of one text, in characters of that piece; None where nothing does."""
        own_start, own_end = (self.new_start, self.new_end) if new else (self.old_start, self.old_end)
        if own_end < start or own_start > end:
            return None
        return Span(max(own_start, start) - start, min(own_end, end) - start, self.number, self.link, self.reason)


class _Lines:
    """A text by its lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        ends = [match.span() for match in _LINE_END.finditer(text)]
        self.starts = [0, *(end for _, end in ends)]
        self.ends = [*(start for start, _ in ends), len(text)]

    def find(self, offset: int) -> int:
        """Return the number of the line, from 0, in which a place stands."""
        return bisect_right(self.starts, offset) - 1

    def span(self, line: int) -> tuple[int, int]:
        return self.starts[line], self.ends[line]


class _Differ:
    def __init__(self, body: Body, plan: Plan) -> None:
        self._old = _Lines(body.original)
        self._new = _Lines(body.rewritten)
        start = len(plan.pieces[0])
        token = body.rewritten[start : start + TOKEN_CHARS] if len(plan.pieces) > 1 else ""
        self._places = list(_find_places(plan, token))

    def make_rows(self, context: int) -> Iterator[DiffRow]:
        shown = 0
        for first, last, places in self._group():
            yield from self._make_same(shown, first, context, places[0])
            yield from self._make_changed(first, last, places)
            shown = last + 1
            after = min(shown + context, len(self._old.starts), self._find_next(places))
            shift = self._new.find(places[-1].new_end) - self._old.find(places[-1].old_end)
            for line in range(shown, after):
                yield self._make_context(line, shift)
            shown = after
        if shown < len(self._old.starts):
            shift = len(self._new.starts) - len(self._old.starts)
            yield self._make_gap(shown, len(self._old.starts), shift)

    def _group(self) -> Iterator[tuple[int, int, list[_Place]]]:
        """Yield the edits that share lines, with the first and the last of these in the old text."""
        group: list[_Place] = []
        first = last = -1
        for place in self._places:
            begins, ends = self._old.find(place.old_start), self._old.find(place.old_end)
            if group and begins > last:
                yield first, last, group
                group = []
            if not group:
                first = begins
            last = max(ends, last)
            group.append(place)
        yield first, last, group

    def _find_next(self, places: Sequence[_Place]) -> int:
        """Return the line of the first edit behind some others, or the number of lines."""
        number = places[-1].number + 1
        return self._old.find(self._places[number].old_start) if number < len(self._places) else len(self._old.starts)

    def _make_same(self, shown: int, first: int, context: int, place: _Place) -> Iterator[DiffRow]:
        """Yield the lines before a change, and what stands for those that are left out."""
        shift = self._new.find(place.new_start) - self._old.find(place.old_start)
        start = max(first - context, shown)
        # A gap of one line would take the place of that line.
        start = shown if start - shown == 1 else start
        if start > shown:
            yield self._make_gap(shown, start, shift)
        for line in range(start, first):
            yield self._make_context(line, shift)

    def _make_gap(self, start: int, end: int, shift: int) -> DiffRow:
        return DiffRow(kind="gap", old_number=start + 1, new_number=start + shift + 1, hidden=end - start)

    def _make_context(self, line: int, shift: int) -> DiffRow:
        start, end = self._old.span(line)
        cut = end - start > _LONG_CHARS
        text = self._old.text[start : min(end, start + _LONG_CHARS)] + (_CUT if cut else "")
        return DiffRow(kind="same", old_number=line + 1, new_number=line + shift + 1, old=text, new=text, partial=cut)

    def _make_changed(self, first: int, last: int, places: Sequence[_Place]) -> Iterator[DiffRow]:
        new_first, new_last = self._new.find(places[0].new_start), self._new.find(places[-1].new_end)
        if (first, new_first) == (last, new_last):
            old, new = self._old.span(first), self._new.span(new_first)
            if max(old[1] - old[0], new[1] - new[0]) <= _LONG_CHARS:
                yield self._make_row(first, new_first, old, new, places)
                return
            for group in _group_near(places):
                yield self._make_row(first, new_first, *_cut_out(group, old, new), group, line=(old, new))
            return
        for old_line, new_line in zip_longest(range(first, last + 1), range(new_first, new_last + 1)):
            yield self._make_row(
                old_line,
                new_line,
                None if old_line is None else _limit(self._old.span(old_line)),
                None if new_line is None else _limit(self._new.span(new_line)),
                places,
            )

    def _make_row(
        self,
        old_line: int | None,
        new_line: int | None,
        old: tuple[int, int] | None,
        new: tuple[int, int] | None,
        places: Sequence[_Place],
        *,
        line: tuple[tuple[int, int], tuple[int, int]] | None = None,
    ) -> DiffRow:
        """Return one row of pieces of both texts.

        :param line: where the whole lines stand of which these are pieces.
        """
        old_text, old_spans = _show(self._old.text, old, line and line[0], places, new=False)
        new_text, new_spans = _show(self._new.text, new, line and line[1], places, new=True)
        return DiffRow(
            kind="changed",
            old_number=None if old_line is None else old_line + 1,
            new_number=None if new_line is None else new_line + 1,
            old=old_text,
            new=new_text,
            old_spans=old_spans,
            new_spans=new_spans,
            partial=line is not None,
        )


def _find_places(plan: Plan, token: str) -> Iterator[_Place]:
    links = {(link.start, link.end): link for link in plan.links if link.tracked}
    shift = 0
    for number, edit in enumerate(plan.edits):
        filled = len(edit.fill(token))
        link = links.get((edit.start, edit.end))
        start = edit.start + shift
        reason = f"link {link.index}: {link.reason}" if link else _describe(edit, plan)
        yield _Place(number, edit.start, edit.end, start, start + filled, link and link.index, reason)
        shift += filled - (edit.end - edit.start)


def _describe(edit: Edit, plan: Plan) -> str:
    if not edit.before:
        return "our own attribute, taken out"
    return "hidden link" if edit == plan.honeypot else f"pixel, {plan.pixel}"


def _group_near(places: Sequence[_Place]) -> Iterator[list[_Place]]:
    """Yield edits of one line that stand so near to each other that one piece of it shows them."""
    group: list[_Place] = []
    for place in places:
        far = group and place.old_start - group[-1].old_end > 2 * _MARGIN_CHARS
        if far or (group and place.new_end - group[0].new_start > 2 * _LONG_CHARS):
            yield group
            group = []
        group.append(place)
    yield group


def _cut_out(
    places: Sequence[_Place], old: tuple[int, int], new: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the pieces of both lines that show some edits."""
    before = min(_MARGIN_CHARS, places[0].old_start - old[0])
    after = min(_MARGIN_CHARS, old[1] - places[-1].old_end)
    new_after = min(after, new[1] - places[-1].new_end)
    return (
        (places[0].old_start - before, places[-1].old_end + after),
        (max(places[0].new_start - before, new[0]), places[-1].new_end + new_after),
    )


def _limit(span: tuple[int, int]) -> tuple[int, int]:
    return span[0], min(span[1], span[0] + 4 * _LONG_CHARS)


def _show(
    text: str,
    piece: tuple[int, int] | None,
    line: tuple[int, int] | None,
    places: Sequence[_Place],
    *,
    new: bool,
) -> tuple[str, tuple[Span, ...]]:
    """Return a piece of a text with marks where its line goes on, and the edits in it."""
    if piece is None:
        return "", ()
    start, end = piece
    spans = [span for place in places if (span := place.span(start, end, new=new)) is not None]
    if line is None:
        return text[start:end], tuple(spans)
    before = _CUT if start > line[0] else ""
    after = _CUT if end < line[1] else ""
    moved = (span._replace(start=span.start + len(before), end=span.end + len(before)) for span in spans)
    return f"{before}{text[start:end]}{after}", tuple(moved)

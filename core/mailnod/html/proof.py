"""Prove that the edits of a plan lead no tokenizer astray, without reading the filled text afresh.

In each of its three states for the value of an attribute, a tokenizer takes every character that cannot end the value
for a part of it (HTML Standard, sections 13.2.5.36 to 13.2.5.38). So where others of such characters take the place of
a value, all tokens but that one stay as they are; so do the ends of comments and of text elements, which need a ``<``
or a ``>``. At the places for a pixel that a scan names, the tokenizer is between two tokens, and a whole ``<img>``
leaves it there.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mailnod.html.scan import Scan
from mailnod.tokens import TAG_CHARS

if TYPE_CHECKING:
    from mailnod.html.plan import Plan

__all__ = ["is_proven"]

# What follows the token in new values, each on a line: none of it ends a value in any state or begins a character
# reference. A token and what is taken for a base have no such character either.
_SUFFIXES = re.compile(rf"(?:\.[0-9]++\.[\w\-]{{{TAG_CHARS}}}\?u=[\w.\-~/:?@,%]++\n)*+", re.ASCII)
_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


def is_proven(plan: Plan, found: Scan) -> bool:
    """Tell whether a plan gives new values to links, adds its pixel where one may stand, and does nothing more.

    :param plan: with edits that are to be proven.
    :param found: what a scan found in the plan's source.
    :returns: False where more would have to be known, and the filled text must be scanned afresh.
    """
    values = [edit for edit in plan.edits if edit.start < edit.end]
    pixels = [edit.start for edit in plan.edits if edit.start == edit.end]
    return (
        [edit[:2] for edit in values] == [(link.start, link.end) for link in plan.links if link.tracked]
        and [(link.start, link.end) for link in plan.links] == [anchor[3:5] for anchor in found.anchors]
        and {edit.before for edit in values} <= {f"{plan.base.url}/c/"}
        and bool(_SUFFIXES.fullmatch("".join([f"{edit.after}\n" for edit in values])))
        and len(pixels) == (plan.pixel != "none")
        and all(_may_stand(plan.source, found, offset) for offset in pixels)
        and _keeps_the_rest(plan)
    )


def _may_stand(html: str, found: Scan, offset: int) -> bool:
    """Tell whether an image at a place of the source is seen, and nothing that follows is read otherwise for it."""
    places = (found.body_start, found.body_end, found.html_end, found.head_end, found.safe_end)
    return offset in places or html[:offset] in ("", _BYTE_ORDER_MARK)


def _keeps_the_rest(plan: Plan) -> bool:
    """Tell whether the pieces are the source with what the edits put in the place of their spans."""
    ends = [0, *[place for edit in plan.edits for place in edit[:2]], len(plan.source)]
    gaps = [plan.source[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True)]
    befores = [*[edit.before for edit in plan.edits], ""]
    afters = ["", *[edit.after for edit in plan.edits]]
    in_order = all(start <= end for start, end in pairwise(ends))
    return in_order and plan.pieces == tuple(map("".join, zip(afters, gaps, befores, strict=True)))

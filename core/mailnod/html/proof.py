"""Prove that the edits of a plan lead no tokenizer astray, without reading the filled text afresh.

In each of its three states for the value of an attribute, a tokenizer takes every character that cannot end the value
for a part of it (HTML Standard, sections 13.2.5.36 to 13.2.5.38). So where others of such characters take the place of
a value, all tokens but that one stay as they are. So do the ends of text elements, which need a ``<``, and the ends of
conditional comments with links in them, as long as no new value ends with two dashes, behind which a ``>`` may stand.
At the places for a pixel that a scan names, the tokenizer is between two tokens, and a whole ``<img>`` leaves it there.
"""

from __future__ import annotations

import re
from operator import le
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Final

from mailnod.html.scan import Scan
from mailnod.html.syntax import TAG
from mailnod.tokens import TAG_CHARS

if TYPE_CHECKING:
    from mailnod.html.plan import Edit, Plan

__all__ = ["is_proven"]

# None of these, which follow the token in a new value, ends a value in any state or begins a character reference; a
# token and what is taken for a base have no others either.
_HARMLESS: Final = f"{ascii_letters}{digits}_.-~/:?@,%=".encode()
# The index and, in links that say where they lead, the tag.
_BEGINNING = re.compile(rf"\.[0-9]++(?:\.[\w\-]{{{TAG_CHARS}}}\?u=.|$)", re.ASCII)
_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


def is_proven(plan: Plan, found: Scan) -> bool:
    """Tell whether a plan gives new values to links, adds its pixel where one may stand, and does nothing more.

    :param plan: with edits that are to be proven.
    :param found: what a scan found in the plan's source.
    :returns: False where more would have to be known, and the filled text must be scanned afresh.
    """
    values = [edit for edit in plan.edits if edit.start < edit.end]
    pixels = [edit for edit in plan.edits if edit.start >= edit.end]
    befores, afters = [edit.before for edit in values], [edit.after for edit in values]
    new = "\n".join((*afters, ""))
    return (
        [edit[:2] for edit in values] == [link[1:3] for link in plan.links if link.tracked]
        and [link[1:3] for link in plan.links] == [anchor[3:5] for anchor in found.anchors]
        and befores.count(f"{plan.base.url}/c/") == len(values)
        and all(map(_BEGINNING.match, afters))
        and new.encode("utf-8", "surrogatepass").translate(None, _HARMLESS) == b"\n" * len(values)
        and "--\n" not in new
        and len(pixels) == (plan.pixel != "none")
        and all(_is_image(plan, pixel) and _may_stand(plan.source, found, pixel.start) for pixel in pixels)
        and _keeps_the_rest(plan)
    )


def _is_image(plan: Plan, pixel: Edit) -> bool:
    """Tell whether an edit adds a whole image of ours."""
    tag = TAG.fullmatch(f"{pixel.before}{pixel.after}")
    return tag is not None and pixel.before == f'<img src="{plan.base.url}/o/'


def _may_stand(html: str, found: Scan, offset: int) -> bool:
    """Tell whether an image at a place of the source is seen, and nothing that follows is read otherwise for it."""
    places = (found.body_start, found.body_end, found.html_end, found.head_end, found.safe_end)
    return offset in places or html[:offset] in ("", _BYTE_ORDER_MARK)


def _keeps_the_rest(plan: Plan) -> bool:
    """Tell whether the pieces are the source with what the edits put in the place of their spans."""
    starts, ends, befores, afters = zip(*plan.edits, (len(plan.source), None, "", None), strict=True)
    ends = (0, *ends[:-1])
    gaps = [plan.source[start:end] for start, end in zip(ends, starts, strict=True)]
    pieces = tuple(map("".join, zip(("", *afters[:-1]), gaps, befores, strict=True)))
    return all(map(le, ends, starts)) and plan.pieces == pieces

"""What the two panes show of an inspected mail, and what is said of it; no widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailnod.errors import ConfigurationError
from mailnod.html.urls import TrackingBase, parse_base
from mailnod_desktop.services.model import Body, Inspection, LinkRow
from mailnod_desktop.views.preview_surface import PreviewDocument, Side
from mailnod_desktop.web.links import find_hrefs

__all__ = ["Shown", "find_base", "find_shown", "format_bytes", "make_document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The body that is shown, with its rows."""

    #: Names mail and body.
    key: str
    body: Body
    rows: tuple[LinkRow, ...]
    text: str
    #: Where the pixel ends in the rewritten body, in bytes of UTF-8; None where there is none.
    pixel_end_bytes: int | None


def find_shown(inspection: Inspection, number: int) -> Shown | None:
    """Pick a body of an inspection.

    :param number: of the HTML body, from 0.
    :returns: None where the mail has no such body.
    """
    if not 0 <= number < len(inspection.bodies):
        return None
    body = inspection.bodies[number]
    rows = tuple(row for row in inspection.links if row.body == number)
    return Shown(
        key=f"{inspection.parsed.mail.key}/{number}",
        body=body,
        rows=rows,
        text=inspection.parsed.text,
        pixel_end_bytes=_find_pixel_end(body, rows),
    )


def find_base(inspection: Inspection) -> TrackingBase | None:
    """Return where the collector of a mail's links is reached."""
    for body in inspection.bodies:
        if body.plan is not None:
            return body.plan.base
    try:
        return parse_base(inspection.parsed.tracked_by) if inspection.parsed.tracked_by else None
    except ConfigurationError:
        return None


def make_document(shown: Shown, side: Side, html: str) -> PreviewDocument:
    """Put together what one pane shows.

    :param html: what is drawn; the body itself, or what was made of it.
    """
    rewritten = side == "rewritten"
    pixel_row, pixel = -1, ""
    for number, row in enumerate(shown.rows if rewritten else ()):
        if row.kind == "pixel" and row.tracked_url:
            pixel_row, pixel = number, row.tracked_url
    return PreviewDocument(
        key=shown.key,
        html=html,
        links=tuple(find_hrefs(shown.body.original, shown.rows, rewritten=rewritten)),
        tracked=tuple(number for number, row in enumerate(shown.rows) if row.tracked),
        names=_name_links(shown.rows),
        pixel_row=pixel_row,
        pixel=pixel,
        text=shown.text,
    )


def format_bytes(count: int) -> str:
    """Write a number of bytes as the headers have it: ``24 158 bytes``."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") + (" byte" if abs(count) == 1 else " bytes")


def _name_links(rows: Sequence[LinkRow]) -> dict[int, str]:
    return {number: str(row.link.index + 1) for number, row in enumerate(rows) if row.link is not None}


def _find_pixel_end(body: Body, rows: Sequence[LinkRow]) -> int | None:
    pixel = next((row.tracked_url for row in rows if row.kind == "pixel" and row.tracked_url), "")
    place = body.rewritten.rfind(pixel) if pixel else -1
    if place < 0:
        return None
    end = body.rewritten.find(">", place) + 1
    return len(body.rewritten[:end].encode("utf-8", "replace"))

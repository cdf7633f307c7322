"""The table of what becomes of each link, of the pixel and of the hidden link."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailnod.errors import RewriteError
from mailnod.html.plain import TextPlan
from mailnod.html.plan import Plan
from mailnod.html.scan import Anchor, scan
from mailnod.model import Decision, Link, Mode
from mailnod_desktop.services.labels import find_label
from mailnod_desktop.services.model import Body, LinkRow

__all__ = ["REFUSED", "list_links", "list_text_links"]

#: The reason of a link that a person switched off.
REFUSED = "switched off here"

_PLACES = {
    "before </body>": "before </body>",
    "end": "at the end",
    "top": "at the top, because Gmail would clip the mail before its end",
    "none": "no place for it, or one of this tracker is there already",
}


def list_links(
    bodies: Sequence[Body], links: Sequence[Sequence[Link]], decision: Decision, token: str | None
) -> tuple[LinkRow, ...]:
    """Return a row for each link, for the pixel and for the hidden link of each body, in the order of the text.

    :param links: those of each body, decided.
    :param token: what the bodies were filled with; None where nothing is tracked.
    """
    rows: list[LinkRow] = []
    for number, (body, decided) in enumerate(zip(bodies, links, strict=True)):
        own = [*_list_body(number, body, decided, token), _make_pixel_row(number, body, decision, token)]
        rows += sorted(own, key=lambda row: row.offset)
    return tuple(rows)


def list_text_links(plans: Sequence[TextPlan], token: str, *, first_body: int) -> tuple[LinkRow, ...]:
    """Return a row for each link of the plain texts, in the order of the text.

    :param token: what the texts were filled with.
    :param first_body: number of the first of them.
    """
    return tuple(
        LinkRow(
            body=number,
            kind="text",
            link=link,
            tracked=link.tracked,
            reason=link.reason,
            url=link.url,
            tracked_url=tracked.get(link.index, ""),
            offset=link.start,
            switchable=False,
        )
        for number, plan in enumerate(plans, first_body)
        for tracked in [_list_tracked_urls(plan, token)]
        for link in plan.links
    )


def _list_tracked_urls(plan: TextPlan, token: str) -> dict[int, str]:
    """Return what stands in the place of each tracked link: a plan keeps it in one piece with the text behind it."""
    tracked = [link for link in plan.links if link.tracked]
    if not tracked:
        return {}
    prefix = plan.pieces[0][tracked[0].start :]
    starts = [link.start for link in tracked[1:]]
    lengths = [start - link.end + len(prefix) for link, start in zip(tracked, starts, strict=False)]
    lengths.append(len(plan.source) - tracked[-1].end)
    return {
        link.index: f"{prefix}{token}{piece[: len(piece) - length]}"
        for link, piece, length in zip(tracked, plan.pieces[1:], lengths, strict=True)
    }


def _list_body(number: int, body: Body, links: Sequence[Link], token: str | None) -> Iterator[LinkRow]:
    filled = {} if body.plan is None or token is None else {edit.start: edit.fill(token) for edit in body.plan.edits}
    for link, anchor in zip(links, _find_anchors(body.original, len(links)), strict=True):
        yield LinkRow(
            body=number,
            kind="click",
            link=link,
            tracked=link.tracked,
            reason=link.reason,
            url=link.url,
            tracked_url=filled.get(link.start, "") if link.tracked else "",
            offset=link.start,
            switchable=link.tracked or link.reason == REFUSED,
            label=find_label(body.original, anchor) if anchor else "",
        )
    if body.plan is not None and body.plan.honeypot is not None and token is not None:
        hidden = body.plan.honeypot
        url = hidden.fill(token).split('"')[1]
        yield LinkRow(
            body=number,
            kind="honeypot",
            link=None,
            tracked=True,
            reason="hidden from people: who follows it reads markup",
            url=url,
            tracked_url=url,
            offset=hidden.start,
            switchable=False,
        )


def _find_anchors(html: str, links: int) -> Sequence[Anchor | None]:
    """Return the anchor of each link; None for each where the HTML is not looked at."""
    try:
        anchors = scan(html).anchors
    except RewriteError:
        anchors = ()
    return anchors if len(anchors) == links else [None] * links


def _make_pixel_row(number: int, body: Body, decision: Decision, token: str | None) -> LinkRow:
    wanted = decision.opens is not Mode.NONE and body.plan is not None
    pixel = _find_pixel(body.plan, token)
    said = [reason for reason in decision.reasons if "opens" in reason and "opens on" not in reason]
    return LinkRow(
        body=number,
        kind="pixel",
        link=None,
        tracked=pixel is not None,
        reason=_PLACES[body.plan.pixel] if wanted and body.plan else (said[-1] if said else "opens off"),
        url="",
        tracked_url=pixel[1] if pixel else "",
        offset=pixel[0] if pixel else len(body.original),
        switchable=False,
    )


def _find_pixel(plan: Plan | None, token: str | None) -> tuple[int, str] | None:
    """Return where the pixel is added, and its URL."""
    if plan is None or token is None or plan.pixel == "none":
        return None
    edit = next(edit for edit in plan.edits if edit.before.startswith("<img"))
    return edit.start, edit.fill(token).split('"')[1]

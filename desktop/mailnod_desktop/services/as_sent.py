"""Mails that a tracker of ours had rewritten before they came: shown as they were sent, or given their text back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from mailnod.html.encoded import decode_html
from mailnod.html.entities import decode_attribute
from mailnod.html.scan import scan
from mailnod.model import Decision, Link, Mode
from mailnod.send.mime import read_message
from mailnod_desktop.services.link_rows import list_links
from mailnod_desktop.services.model import Body, Inspection, Parsed, Wishes
from mailnod_desktop.services.restoring import Restored
from mailnod_desktop.services.source import Source, measure

__all__ = ["list_unknown", "show_as_recorded", "show_as_sent", "take_back"]


def list_unknown(restored: Sequence[Restored | None]) -> tuple[str, ...]:
    """Return what cannot be known of the bodies, each sentence once."""
    return tuple(dict.fromkeys(line for one in restored if one is not None for line in one.unknown))


def show_as_sent(
    parsed: Parsed, wishes: Wishes, source: Source, restored: Sequence[Restored | None], *, route: str
) -> Inspection:
    """Return what tracking made of a mail before it came.

    :param restored: for each body of the source what it was made from; None where it had not been rewritten.
    :param route: the name that the decision bears, because a sent mail does not say its own.
    """
    found = [one for one in restored if one is not None]
    token = found[0].token
    bodies = tuple(map(_make_body, source.htmls, restored))
    links = [body.plan.links if body.plan else _list_plain(body) for body in bodies]
    opens = any(one.plan.pixel != "none" for one in found)
    clicks = any(link.tracked for one in found for link in one.plan.links) or any(
        one.plan.link_style == "short" for one in found
    )
    decision = Decision(
        opens=Mode.INDIVIDUAL if opens else Mode.NONE,
        clicks=Mode.INDIVIDUAL if clicks else Mode.NONE,
        route=route,
        reasons=(f"as it was sent: rewritten for {found[0].base_url} before it came",),
    )
    return Inspection(
        parsed=parsed,
        wishes=wishes,
        decision=decision,
        bodies=bodies,
        links=list_links(bodies, links, decision, token),
        findings=(),
        data=parsed.mail.data,
        token=token,
        tokens=MappingProxyType(dict.fromkeys(parsed.summary.recipients, token)),
        as_sent=True,
        unknown=list_unknown(restored),
        text=parsed.text,
    )


def show_as_recorded(parsed: Parsed, wishes: Wishes, recorded: Decision) -> Inspection:
    """Return what a store knows of a mail whose text it has not kept: what was decided when it was sent."""
    known = dict.fromkeys(parsed.summary.recipients, "") if recorded.tracked else {}
    return Inspection(
        parsed=parsed,
        wishes=wishes,
        decision=replace(recorded, reasons=("as the database recorded it when it was sent", *recorded.reasons)),
        bodies=(),
        links=(),
        findings=(),
        data=parsed.mail.data,
        token=None,
        tokens=MappingProxyType(known),
        as_sent=True,
        unknown=("The database keeps no text of mails, so links and pixel are not shown and nothing can be changed.",),
    )


def take_back(source: Source, restored: Sequence[Restored | None]) -> Source:
    """Return a source with the text that its bodies had before they were rewritten.

    :raises RewriteError: a restored text cannot be written in its charset.
    """
    texts = [html if one is None else one.html for html, one in zip(source.htmls, restored, strict=True)]
    if source.page is not None:
        page = source.page
        return Source(message=None, page=decode_html(texts[0].encode(page.codec, page.errors), page.codec))
    if source.message is None:
        return source
    return Source(message=read_message(source.message.replace_texts(texts)), page=None)


def _make_body(html: str, restored: Restored | None) -> Body:
    original = html if restored is None else restored.html
    return Body(
        original=original,
        rewritten=html,
        plan=None if restored is None else restored.plan,
        original_bytes=measure(original),
        rewritten_bytes=measure(html),
    )


def _list_plain(body: Body) -> tuple[Link, ...]:
    """Return the links of a body that had not been rewritten."""
    html = body.original
    return tuple(
        Link(
            index,
            anchor.href_start,
            anchor.href_end,
            html[anchor.href_start : anchor.href_end],
            decode_attribute(html[anchor.href_start : anchor.href_end]),
            False,
            "not tracked when it was sent",
        )
        for index, anchor in enumerate(scan(html).anchors)
    )

"""Take mails apart: their fields, the tree of their parts, and the HTML that the sender would rewrite."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Final

from mailnod.errors import RewriteError
from mailnod.html.scan import scan
from mailnod_desktop.services.model import Mail, MailSummary, MimeNode, Parsed
from mailnod_desktop.services.restoring import restore
from mailnod_desktop.services.source import Source, check_size, open_source
from mailnod_desktop.services.summary import find_head, read_fields, summarise_head
from mailnod_desktop.services.text import clean_text
from mailnod_desktop.services.tree import find_inline, find_text, read_tree

__all__ = ["parse", "summarise"]

_MAX_FIELDS: Final = 2000


def summarise(mail: Mail) -> MailSummary:
    """Return what a list shows of a mail, by its head alone."""
    if mail.form == "html":
        size = len(mail.data)
        return MailSummary(
            subject=clean_text(mail.name),
            sender="",
            recipients=_join_recipients((), mail),
            sent_at=mail.received_at,
            size_bytes=size,
            html_bytes=size,
        )
    summary = summarise_head(mail.data, size_bytes=len(mail.data), received_at=lambda: mail.received_at)
    return replace(summary, recipients=_join_recipients(summary.recipients, mail))


def parse(mail: Mail) -> Parsed:
    """Take a mail apart; it never raises: what cannot be read is said in the summary's ``problem``."""
    nodes: tuple[MimeNode, ...] = ()
    source = Source(message=None, page=None)
    links, tracked_by = 0, None
    problem = "" if mail.data or mail.form == "html" else "its content is not known here"
    try:
        check_size(mail)
        nodes = read_tree(mail.data) if mail.form == "message" else ()
        source = open_source(mail)
        for html in source.htmls:
            links += len(scan(html).anchors)
            restored = restore(html)
            tracked_by = tracked_by or (restored.base_url if restored else None)
    except RewriteError as error:
        problem = problem or str(error)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # The standard library stumbles over heads that nobody thought of.
        problem = f"its head cannot be read ({type(error).__name__})"
    summary = replace(
        summarise(mail),
        html_bytes=max((len(html.data) for html in source.encoded), default=0),
        links=links,
        tracked=tracked_by is not None,
        attachments=sum(node.role == "attachment" for node in nodes),
        problem=problem,
    )
    return Parsed(
        mail=mail,
        summary=summary,
        headers=tuple(islice(read_fields(find_head(mail.data)), _MAX_FIELDS)) if mail.form == "message" else (),
        nodes=nodes,
        htmls=source.htmls,
        text=find_text(nodes),
        inline=find_inline(nodes),
        list_unsubscribe=source.list_unsubscribe,
        tracked_by=tracked_by,
    )


def _join_recipients(recipients: tuple[str, ...], mail: Mail) -> tuple[str, ...]:
    """Return the recipients of the head and of the envelope, each once; addresses differ in case alone as one."""
    joined: dict[str, str] = {}
    for address in (*recipients, *map(clean_text, mail.envelope_recipients)):
        joined.setdefault(address.lower(), address)
    return tuple(joined.values())

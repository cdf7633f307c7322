"""Rules about links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mailnod.html.urls import MAX_TRACKED_URL, find_destination
from mailnod_desktop.services.model import Inspection
from mailnod_desktop.services.rules import Hit, Rule, excerpt, find_fault, quote, walk_links

__all__ = ["LINK_RULES"]

_SCHEME = re.compile(r"[\x00-\x20]*([a-zA-Z][a-zA-Z0-9+.\-]*):")
_DANGEROUS: Final = frozenset({"javascript", "vbscript", "file", "data", "blob"})
# A whole text that a reader takes for an address on the web.
_VISIBLE_URL = re.compile(
    r"(?:https?://)?((?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.)+[a-z]{2,24})(?::\d{1,5})?(?:[/?#]\S*)?", re.IGNORECASE
)
# Endings of files that look like the ends of host names.
_FILE_ENDINGS: Final = (".pdf", ".doc", ".docx", ".xls", ".xlsx", ".zip", ".png", ".jpg", ".gif", ".txt", ".csv")
_UNSUBSCRIBE = re.compile(
    r"unsubscri|opt[_\-]?out|abmeld|abbestell|d[eé]sabon|d[eé]sinscri|dar(?:se)?[_\- ]de[_\- ]baja|afmeld|uitschrijv",
    re.IGNORECASE,
)
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")


def _find_relative(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        if find_destination(row.url).obstacle == "relative, no destination in mail":
            yield find_fault(
                row,
                message=f"{_start(quote(row))} leads to {excerpt(row.url)!r}, which is relative to nothing in a mail.",
                advice="Write the whole URL, with https:// and the host.",
            )


def _find_empty(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        if row.url.strip() in ("", "#"):
            yield find_fault(
                row,
                message=f"{_start(quote(row))} leads nowhere: its href is {row.url.strip()!r}.",
                advice="Give it a destination, or take the link out.",
            )


def _find_dangerous(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        match = _SCHEME.match(row.url)
        if match and match[1].lower() in _DANGEROUS:
            yield find_fault(
                row,
                message=f"{_start(quote(row))} has the scheme {match[1].lower()!r}, which clients and filters refuse.",
                advice="Link to an https page instead.",
            )


def _find_placeholders(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        if find_destination(row.url).obstacle == "placeholder":
            yield find_fault(
                row,
                message=f"{_start(quote(row))} still holds a placeholder of a template, so it is not tracked.",
                advice="Render the template before the mail is sent, or check the name of the variable.",
            )


def _find_invalid(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        obstacle = find_destination(row.url).obstacle
        if obstacle in ("not a valid URL", "control character in the URL"):
            yield find_fault(
                row,
                message=f"No browser opens {quote(row)}: {obstacle}.",
                advice="Check host, port and the characters of the URL.",
            )


def _find_http(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        found = find_destination(row.url)
        if found.obstacle is None and found.url.startswith("http:") and found.host not in _LOCAL:
            yield find_fault(
                row,
                message=f"{_start(quote(row))} leads to {found.host} without encryption.",
                advice="Link to https:// where the site has it.",
            )


def _find_long(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        too_long = row.link is not None and row.link.reason == "too long"
        if too_long or len(row.url) > MAX_TRACKED_URL:
            yield find_fault(
                row,
                message=f"{_start(quote(row))} has {len(row.url):,} characters"
                + (", and would be too long when tracked, so it is left alone." if too_long else "."),
                advice="Shorten the URL: some clients and gateways cut off what is longer than 2,000 characters.",
            )


def _find_deceiving(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        shown = _VISIBLE_URL.fullmatch(row.label.strip())
        if shown is None or row.label.strip().lower().endswith(_FILE_ENDINGS):
            continue
        seen, leads = shown[1].lower(), find_destination(row.url).host
        leaves = find_destination(row.tracked_url).host if row.tracked else leads
        if leads and not _belong_together(seen, leads):
            yield Hit(
                message=f"The text of {quote(row)} shows {seen}, and the link leads to {leads}.",
                advice="Show the host that the link leads to, or words: filters take this for phishing.",
                body=row.body,
                offset=row.offset,
                excerpt=excerpt(row.label),
            )
        elif leaves and not _belong_together(seen, leaves):
            yield Hit(
                message=f"The text of {quote(row)} shows {seen}, and the tracked link leads to {leaves} first.",
                advice=f"Show words instead, track with a base URL below {seen}, or leave this link untracked.",
                body=row.body,
                offset=row.offset,
                excerpt=excerpt(row.label),
            )


def _find_tracked_unsubscribe(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        if row.tracked and (_UNSUBSCRIBE.search(row.url[:MAX_TRACKED_URL]) or _UNSUBSCRIBE.search(row.label)):
            yield find_fault(
                row,
                message=f"{_start(quote(row))} looks like a way to unsubscribe, and is tracked.",
                advice='Put data-mailnod="off" on it, name it in List-Unsubscribe, or give it rel="unsubscribe".',
            )


def _find_unnamed(inspection: Inspection) -> Iterator[Hit]:
    for row in walk_links(inspection):
        if not row.label and row.url.strip() not in ("", "#"):
            yield find_fault(
                row,
                message=f"Nothing is to be read at {quote(row)}: it has no text, and no image with an alt text.",
                advice="Give the link a text, or its image an alt text: screen readers have nothing else to say.",
            )


def _belong_together(one: str, other: str) -> bool:
    """Tell whether two hosts are the same one, or one is below the other."""
    one, other = one.rstrip(".").removeprefix("www."), other.rstrip(".").removeprefix("www.")
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _start(phrase: str) -> str:
    """Return a phrase as the beginning of a sentence."""
    return phrase[:1].upper() + phrase[1:]


LINK_RULES: Final = (
    Rule(
        name="relative-link",
        severity="error",
        doc="A link without a host. A mail has no address that it could be relative to, so it leads nowhere.",
        find=_find_relative,
    ),
    Rule(
        name="javascript-or-file-link",
        severity="error",
        doc="A link with ``javascript:``, ``vbscript:``, ``file:``, ``data:`` or ``blob:``. Clients take it out, and "
        "filters refuse the mail.",
        find=_find_dangerous,
    ),
    Rule(
        name="unfilled-placeholder",
        severity="error",
        doc="A link that still holds ``{{ ... }}``, ``{% ... %}``, ``<% ... %>`` or ``*|...|*``: its template was not "
        "rendered.",
        find=_find_placeholders,
    ),
    Rule(
        name="invalid-url",
        severity="error",
        doc="A link that no browser opens: a bad host or port, or a control character in it.",
        find=_find_invalid,
    ),
    Rule(
        name="empty-href",
        severity="warning",
        doc="A link whose ``href`` is empty or ``#``: left over from a draft, in most cases.",
        find=_find_empty,
    ),
    Rule(
        name="visible-url-differs",
        severity="warning",
        doc="A link whose text is a URL of one host, and which leads to another, by itself or because it is tracked. "
        "Mail programs and filters warn of phishing then. Hosts below one another count as one.",
        find=_find_deceiving,
        about="tracking",
    ),
    Rule(
        name="unsubscribe-tracked",
        severity="warning",
        doc="A tracked link whose URL or text speaks of unsubscribing. To unsubscribe must work whatever becomes of "
        "the collector, and says nothing of anybody's interest.",
        find=_find_tracked_unsubscribe,
        about="tracking",
    ),
    Rule(
        name="too-long-url",
        severity="notice",
        doc="A link of more than 2,000 characters, or one that would have more if it were tracked, and is left alone.",
        find=_find_long,
        about="tracking",
    ),
    Rule(
        name="http-link",
        severity="notice",
        doc="A link to ``http://``. Everybody on the way can read and change what is fetched; some clients warn.",
        find=_find_http,
    ),
    Rule(
        name="link-without-text",
        severity="notice",
        doc="A link at which nothing is to be read, neither text nor an image's ``alt``.",
        find=_find_unnamed,
    ),
)

"""Edit the links of plain text, where a sender asks for it; every other character stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mailnod.errors import RewriteError
from mailnod.html.links import is_too_long, make_suffix
from mailnod.html.scan import MAX_LINKS
from mailnod.html.unsubscribe import find_targets
from mailnod.html.urls import Destination, TrackingBase, find_destination, is_excluded, parse_base
from mailnod.model import Link, LinkStyle

__all__ = ["TextPlan", "compile_text"]

#: Mail programs make links of what begins so and runs to the next white space, quote or angle bracket.
_URL = re.compile(r"\bhttps?://[^\s<>\"'`]+", re.IGNORECASE)
#: They leave closing punctuation out, and a bracket that was opened before the link.
_CLOSING = ".,;:!?"
#: What opens a placeholder of a template; white space inside it may have ended the link too early.
_PLACEHOLDERS = ("{{", "{%", "<%", "*|")
_BRACKETS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPlan:
    """The edits of one plain text, ready to be filled with a token."""

    source: str
    #: Every web link of the text, in order.
    links: tuple[Link, ...]
    #: The edited text, cut at each place where the token stands.
    pieces: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether filling gives another text than the source."""
        return len(self.pieces) > 1

    def fill(self, token: str) -> str:
        """Return the edited text for one delivery."""
        return token.join(self.pieces)


def compile_text(
    text: str,
    *,
    base_url: str,
    tag_link: Callable[[int, str], str],
    first_index: int,
    link_style: LinkStyle = "portable",
    excluded_hosts: Sequence[str] = (),
    list_unsubscribe: str | None = None,
    allow_link: Callable[[Link], bool] | None = None,
    change_url: Callable[[str, Link], str] | None = None,
) -> TextPlan:
    """Plan the edits of one plain text.

    :param base_url: where the collector is reached.
    :param tag_link: returns the tag that seals a link's position and destination.
    :param first_index: position of the first link; those of the HTML come before.
    :param link_style: what the links hold.
    :param excluded_hosts: lower case; ``.example.com`` means that host and every host below it.
    :param list_unsubscribe: the mail's ``List-Unsubscribe`` header; its targets are not tracked.
    :param allow_link: whether a link that all rules let through is tracked.
    :param change_url: returns another destination for a tracked link; one that is no good URL is ignored.
    :raises RewriteError: where the text has more than :data:`~mailnod.html.scan.MAX_LINKS` links.
    """
    base, targets = parse_base(base_url), find_targets(list_unsubscribe)
    links: list[Link] = []
    pieces: list[str] = []
    current, position = "", 0
    for index, (start, end) in enumerate(_find_urls(text), start=first_index):
        if len(links) == MAX_LINKS:
            raise RewriteError("the text has too many links to be edited", offset=start)
        found = find_destination(text[start:end])
        obstacle = found.obstacle or _find_exemption(found, base, targets, excluded_hosts)
        link = Link(
            index=index,
            start=start,
            end=end,
            raw=text[start:end],
            url=found.url,
            tracked=obstacle is None,
            reason=obstacle or "tracked",
        )
        if link.tracked and allow_link is not None and not allow_link(link):
            link = link._replace(tracked=False, reason="refused by a plugin")
        if link.tracked and change_url is not None:
            changed = find_destination(change_url(link.url, link))
            link = link if changed.obstacle else link._replace(url=changed.url)
        suffix = make_suffix(link, link_style, tag_link) if link.tracked else ""
        if link.tracked and is_too_long(link.url, suffix, base):
            link = link._replace(tracked=False, reason="too long")
        links.append(link)
        if link.tracked:
            pieces.append(f"{current}{text[position:start]}{base.url}/c/")
            current, position = suffix, end
    return TextPlan(source=text, links=tuple(links), pieces=(*pieces, current + text[position:]))


def _find_exemption(
    found: Destination, base: TrackingBase, targets: frozenset[str], excluded_hosts: Sequence[str]
) -> str | None:
    if any(opening in found.url for opening in _PLACEHOLDERS):
        return "placeholder"
    if base.owns_link(found.url):
        return "already tracked"
    if found.url in targets:
        return "unsubscribe link"
    entry = is_excluded(found.host, excluded_hosts)
    return f"excluded host {entry!r}" if entry else None


def _find_urls(text: str) -> Iterator[tuple[int, int]]:
    for match in _URL.finditer(text):
        url = match[0]
        yield match.start(), match.start() + (len(url) if url[-1].isalnum() else _trim(url))


def _trim(url: str) -> int:
    """Return the length of a link without the characters at its end that belong to the sentence around it."""
    excess = {closing: url.count(closing) - url.count(opening) for closing, opening in _BRACKETS.items()}
    for length in range(len(url), 0, -1):
        last = url[length - 1]
        if excess.get(last, 0) > 0:
            excess[last] -= 1
        elif last not in _CLOSING:
            return length
    return 0

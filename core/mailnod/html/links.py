"""Decide for each link of a mail whether it is tracked, where it leads, and why."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mailnod.html.entities import decode_attribute
from mailnod.html.scan import Anchor
from mailnod.html.syntax import Attribute
from mailnod.html.unsubscribe import find_targets, is_unsubscribe_text
from mailnod.html.urls import MAX_TRACKED_URL, TrackingBase, find_destination, is_excluded, is_plain, quote_destination
from mailnod.model import Link, LinkStyle
from mailnod.tokens import TOKEN_CHARS

__all__ = ["OWN_ATTRIBUTE", "Decided", "LinkRules", "decide_links", "is_too_long", "make_suffix"]

#: Our own per-link attribute; it never leaves with the mail.
OWN_ATTRIBUTE: Final = "data-mailnod"

#: Opt-outs of other senders and relays and the value that means off; None where the attribute alone does.
_FOREIGN_OPT_OUTS: Final[dict[str, str | None]] = {
    "data-pm-no-track": None,
    "data-no-track": None,
    "data-skip-click": None,
    "ses:no-track": None,
    "disable-tracking": "true",
    "clicktracking": "off",
    "data-msys-clicktrack": "0",
}
_OPT_OUTS: Final = frozenset({OWN_ATTRIBUTE, *_FOREIGN_OPT_OUTS})
_REL: Final = frozenset({"rel"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRules:
    """What links are decided by."""

    base: TrackingBase
    #: Returns the tag of 16 characters that seals a position and its destination.
    tag_link: Callable[[int, str], str]
    track_clicks: bool
    link_style: LinkStyle = "portable"
    excluded_hosts: Sequence[str] = ()
    #: Value of the mail's ``List-Unsubscribe`` header.
    list_unsubscribe: str | None = None
    #: Whether a plugin lets a link be tracked; asked last.
    allow_link: Callable[[Link], bool] | None = None
    #: A plugin's other destination for a link that is tracked.
    change_url: Callable[[str, Link], str] | None = None


class Decided(NamedTuple):
    """The links of a mail and what is to be edited in their tags."""

    #: One for each anchor, in their order.
    links: tuple[Link, ...]
    #: What :func:`make_suffix` says of each link, which follows the token in the new URL; "" where it stays as it is.
    suffixes: tuple[str, ...]
    #: Each of our own attributes, in the order of the source.
    own_attributes: tuple[Attribute, ...]


def decide_links(html: str, anchors: Sequence[Anchor], rules: LinkRules) -> Decided:
    """Decide each link of a mail.

    :param html: the source.
    :param anchors: its live links, in document order.
    :param rules: what is asked for.
    :returns: one decided link for each anchor.
    """
    targets = find_targets(rules.list_unsubscribe)
    links: list[Link] = []
    suffixes: list[str] = []
    own: list[Attribute] = []
    for index, (element, tag_start, tag_end, start, end) in enumerate(anchors):
        raw = html[start:end]
        attributes: list[Attribute] = []
        if _may_tell(html[tag_start + len(element) : start], html[end:tag_end]):
            attributes = anchors[index].read_attributes(html)
            own += [attribute for attribute in attributes if attribute.name == OWN_ATTRIBUTE]
        url = decode_attribute(raw)
        reason = None
        if not is_plain(url):
            url, _, reason = find_destination(url)
        if reason is None:
            reason = _find_exemption(html, tag_end, attributes, url, rules, targets)
        link, suffix = Link(index, start, end, raw, url, reason is None, reason or "tracked"), ""
        if reason is None:
            link, suffix = _track(link, rules)
        links.append(link)
        suffixes.append(suffix)
    return Decided(tuple(links), tuple(suffixes), tuple(own))


def _track(link: Link, rules: LinkRules) -> tuple[Link, str]:
    if rules.allow_link is not None and not rules.allow_link(link):
        return link._replace(tracked=False, reason="refused by a plugin"), ""
    if rules.change_url is not None:
        link = _change(link, rules.change_url)
    suffix = make_suffix(link, rules.link_style, rules.tag_link)
    if is_too_long(link.url, suffix, rules.base):
        return link._replace(tracked=False, reason="too long"), ""
    return link, suffix


def make_suffix(link: Link, style: LinkStyle, tag_link: Callable[[int, str], str]) -> str:
    """Return what follows the token in a tracked URL: ``.index`` in a short link, else ``.index.tag?u=destination``."""
    if style == "short":
        return f".{link.index}"
    return f".{link.index}.{tag_link(link.index, link.url)}?u={quote_destination(link.url)}"


def is_too_long(url: str, suffix: str, base: TrackingBase) -> bool:
    """Tell whether a tracked URL, or the destination to which a short one redirects, would be cut by some clients."""
    if len(base.url) + len("/c/") + TOKEN_CHARS + len(suffix) > MAX_TRACKED_URL:
        return True
    # A destination within the URL is shorter than that; a redirect writes it in ASCII.
    return len(url) > len(suffix) and len(quote_destination(url)) > MAX_TRACKED_URL


def _change(link: Link, change_url: Callable[[str, Link], str]) -> Link:
    """Let a plugin change the destination; one that no rule lets through is ignored."""
    changed = find_destination(change_url(link.url, link))
    return link if changed.obstacle is not None else link._replace(url=changed.url)


def _may_tell(before: str, after: str) -> bool:
    """Tell whether an attribute before or behind the ``href`` may say something about tracking."""
    # None that counts is shorter than ours, a "rel" with the word included.
    if len(before) + len(after) < len(OWN_ATTRIBUTE):
        return False
    around = f"{before} {after}".lower()
    # Each name that counts has one of these in it.
    return "data-" in around or "track" in around or "rel" in around


def _find_exemption(
    html: str,
    content: int,
    attributes: Sequence[Attribute],
    url: str,
    rules: LinkRules,
    targets: frozenset[str],
) -> str | None:
    """Say why a link with a good destination, whose content begins at a place, stays as it is, or None."""
    if not rules.track_clicks:
        return "clicks off"
    if attributes and (opt_out := _find_opt_out(html, attributes)):
        return f"opted out by {opt_out}"
    if rules.base.owns_link(url):
        return "already tracked"
    if url in targets or (attributes and _has_unsubscribe_rel(html, attributes)) or is_unsubscribe_text(html, content):
        return "unsubscribe link"
    if rules.excluded_hosts and (entry := is_excluded(find_destination(url).host, rules.excluded_hosts)):
        return f"excluded host {entry!r}"
    return None


def _find_opt_out(html: str, attributes: Sequence[Attribute]) -> str | None:
    """Return the name of the attribute that opts a link out, or None; doubt means no tracking."""
    for name, first in _first_of_each(attributes, _OPT_OUTS).items():
        if name == OWN_ATTRIBUTE:
            opted_out = _value(html, first) != "on"
        else:
            opted_out = _FOREIGN_OPT_OUTS[name] in (None, _value(html, first))
        if opted_out:
            return name
    return None


def _has_unsubscribe_rel(html: str, attributes: Sequence[Attribute]) -> bool:
    return any("unsubscribe" in _value(html, rel).split() for rel in _first_of_each(attributes, _REL).values())


def _first_of_each(attributes: Sequence[Attribute], names: Container[str]) -> dict[str, Attribute]:
    """Return the first attribute of each name that is looked for; later ones of the same name do not count."""
    return {attribute.name: attribute for attribute in reversed(attributes) if attribute.name in names}


def _value(html: str, attribute: Attribute) -> str:
    if attribute.value_start < 0:
        return ""
    return decode_attribute(html[attribute.value_start : attribute.value_end]).strip().lower()

"""Decide for each link of a mail whether it is tracked, where it leads, and why."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from mailnod.html.entities import decode_attribute
from mailnod.html.scan import Anchor
from mailnod.html.syntax import Attribute
from mailnod.html.unsubscribe import find_targets, is_unsubscribe_text
from mailnod.html.urls import MAX_TRACKED_URL, TrackingBase, find_destination, is_excluded, quote_destination
from mailnod.model import Link, LinkStyle
from mailnod.tokens import TOKEN_CHARS

__all__ = ["OWN_ATTRIBUTE", "LinkRules", "TrackedLink", "decide_links", "make_suffix"]

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


class TrackedLink(NamedTuple):
    """A decided link and what is to be edited in its tag."""

    link: Link
    #: What :func:`make_suffix` says, which follows the token in the new URL; "" where the link stays as it is.
    suffix: str
    #: Each of our own attributes.
    own_attributes: Sequence[Attribute]


def decide_links(html: str, anchors: Sequence[Anchor], rules: LinkRules) -> tuple[TrackedLink, ...]:
    """Decide each link of a mail.

    :param html: the source.
    :param anchors: its live links, in document order.
    :param rules: what is asked for.
    :returns: one decided link for each anchor.
    """
    targets = find_targets(rules.list_unsubscribe)
    return tuple(_decide(html, index, anchor, rules, targets) for index, anchor in enumerate(anchors))


def _decide(html: str, index: int, anchor: Anchor, rules: LinkRules, targets: frozenset[str]) -> TrackedLink:
    raw = html[anchor.href_start : anchor.href_end]
    attributes = _read_telling_attributes(html, anchor)
    own = [attribute for attribute in attributes if attribute.name == OWN_ATTRIBUTE] if attributes else ()
    url, host, obstacle = find_destination(decode_attribute(raw))
    reason = obstacle or _find_exemption(html, anchor, attributes, url, host, rules, targets)
    link = Link(
        index=index,
        start=anchor.href_start,
        end=anchor.href_end,
        raw=raw,
        url=url,
        tracked=reason is None,
        reason=reason or "tracked",
    )
    if reason is not None:
        return TrackedLink(link, "", own)
    return TrackedLink(*_track(link, rules), own)


def _track(link: Link, rules: LinkRules) -> tuple[Link, str]:
    if rules.allow_link is not None and not rules.allow_link(link):
        return replace(link, tracked=False, reason="refused by a plugin"), ""
    link = _change(link, rules)
    suffix = make_suffix(link, rules.link_style, rules.tag_link)
    if len(rules.base.url) + len("/c/") + TOKEN_CHARS + len(suffix) > MAX_TRACKED_URL:
        return replace(link, tracked=False, reason="too long"), ""
    return link, suffix


def make_suffix(link: Link, style: LinkStyle, tag_link: Callable[[int, str], str]) -> str:
    """Return what follows the token in a tracked URL: ``.index`` in a short link, else ``.index.tag?u=destination``."""
    if style == "short":
        return f".{link.index}"
    return f".{link.index}.{tag_link(link.index, link.url)}?u={quote_destination(link.url)}"


def _change(link: Link, rules: LinkRules) -> Link:
    """Let a plugin change the destination; one that no rule lets through is ignored."""
    if rules.change_url is None:
        return link
    changed = find_destination(rules.change_url(link.url, link))
    return link if changed.obstacle is not None else replace(link, url=changed.url)


def _read_telling_attributes(html: str, anchor: Anchor) -> Sequence[Attribute]:
    """Return the attributes of a link where one of them may say something about tracking, else none of them."""
    around = (html[anchor.start : anchor.href_start] + html[anchor.href_end : anchor.end]).lower()
    # Each name that counts has one of these in it.
    if "data-" in around or "track" in around or "rel" in around:
        return anchor.read_attributes(html)
    return ()


def _find_exemption(
    html: str,
    anchor: Anchor,
    attributes: Sequence[Attribute],
    url: str,
    host: str,
    rules: LinkRules,
    targets: frozenset[str],
) -> str | None:
    """Say why a link with a good destination stays as it is, or None."""
    if not rules.track_clicks:
        return "clicks off"
    if attributes and (opt_out := _find_opt_out(html, attributes)):
        return f"opted out by {opt_out}"
    if rules.base.owns_link(url):
        return "already tracked"
    if (
        url in targets
        or (attributes and _has_unsubscribe_rel(html, attributes))
        or is_unsubscribe_text(html, anchor.end)
    ):
        return "unsubscribe link"
    if rules.excluded_hosts and (entry := is_excluded(host, rules.excluded_hosts)):
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

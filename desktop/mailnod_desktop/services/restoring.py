"""Take the tracking of ours out of HTML that was sent: no key is needed, because links say where they lead."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote

from mailnod.errors import ConfigurationError
from mailnod.html.entities import decode_attribute
from mailnod.html.links import OWN_ATTRIBUTE
from mailnod.html.plan import CLIP_BYTES, Edit, PixelPlace, Plan
from mailnod.html.scan import Anchor, Scan, scan
from mailnod.html.urls import TrackingBase, parse_base
from mailnod.model import HONEYPOT_INDEX, Link

__all__ = ["Restored", "restore"]

_BASE: Final = r"https?://[^\s\"'`<>=&?#{}|*]+?"
_LINK = re.compile(rf"({_BASE})/c/([A-Za-z0-9_\-]{{32}})\.(\d{{1,9}})(?:\.([A-Za-z0-9_\-]{{16}})(?:\?u=([!-~]+))?)?")
_PIXEL = re.compile(
    rf'<img src="({_BASE})/o/([A-Za-z0-9_\-]{{32}})'
    r'(\.gif" width="1" height="1" alt="" style="border:0;width:1px;height:1px">)'
)
# What cannot stand in an attribute's value without quotes.
_UNQUOTED = re.compile(r"[\t\n\f\r >]")
_HONEYPOT_TAIL: Final = '" style="display:none;mso-hide:all" aria-hidden="true" tabindex="-1"></a>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """HTML as it was before it was rewritten, as far as that can be known."""

    html: str
    #: Where its collector is reached, and what it was filled with.
    base_url: str
    token: str
    #: The edits that were made, over the restored text; filled with the token it gives what was sent.
    plan: Plan
    #: What cannot be known, in sentences.
    unknown: tuple[str, ...]


class _Written(NamedTuple):
    """A span of the sent text that the rewriter wrote, and what stood there."""

    start: int
    end: int
    original: str
    #: What stands there now, before and after the token.
    before: str
    after: str


def restore(html: str) -> Restored | None:
    """Give the text back that was rewritten.

    :param html: a body as it was sent, decoded.
    :returns: None where nothing in it was written by a tracker of ours.
    :raises RewriteError: it has more markup than is looked at.
    """
    if "/o/" not in html and "/c/" not in html:
        return None
    found = scan(html, images="/o/")
    links = [_LINK.fullmatch(html, anchor.href_start, anchor.href_end) for anchor in found.anchors]
    pixels = [match for image in found.images if (match := _PIXEL.fullmatch(html, image.start, image.end))]
    made_by = _find_maker(pixels, [match for match in links if match])
    if made_by is None:
        return None
    base, token = made_by
    return _Restoration(html, found, base, token).restore(links, pixels)


def _find_maker(pixels: Sequence[re.Match[str]], links: Sequence[re.Match[str]]) -> tuple[TrackingBase, str] | None:
    """Return base URL and token by which most of it was written: a body may quote another one that was rewritten."""
    # Only links with their destination are told by their form alone.
    makers = [match.group(1, 2) for match in (*pixels, *(link for link in links if link[5] is not None))]
    for (url, token), _ in Counter(makers).most_common():
        with suppress(ConfigurationError):
            base = parse_base(url)
            if base.url == url:
                return base, token
    return None


class _Restoration:
    """One body that is restored."""

    def __init__(self, html: str, found: Scan, base: TrackingBase, token: str) -> None:
        self._html = html
        self._scan = found
        self._base = base
        self._token = token
        #: What was written, and whether a person sees it as a link; in the order of the text.
        self._written: list[_Written] = []
        self._honeypot: _Written | None = None
        #: The links of the sender's own, with what was written into them.
        self._anchors: list[tuple[Anchor, _Written | None]] = []
        self._short = 0

    def restore(self, links: Sequence[re.Match[str] | None], pixels: Sequence[re.Match[str]]) -> Restored:
        """Return the outcome.

        :param links: for each link of the text whether it may be one of ours.
        :param pixels: images that may be ours.
        """
        for anchor, match in zip(self._scan.anchors, links, strict=True):
            self._read_link(anchor, match if match and self._is_ours(match) else None)
        for pixel in filter(self._is_ours, pixels):
            self._written.append(_Written(*pixel.span(), "", f'<img src="{self._base.url}/o/', pixel[3]))
        self._written.sort()
        plan = self._make_plan()
        return Restored(
            html=plan.source,
            base_url=self._base.url,
            token=self._token,
            plan=plan,
            unknown=tuple(self._say_unknown()),
        )

    def _is_ours(self, match: re.Match[str]) -> bool:
        return match.group(1, 2) == (self._base.url, self._token)

    def _read_link(self, anchor: Anchor, match: re.Match[str] | None) -> None:
        written = None
        if match is not None and match[5] is not None:
            original = _escape(unquote(match[5]), self._html[anchor.href_start - 1])
            after = self._html[match.end(2) : match.end()]
            written = _Written(anchor.href_start, anchor.href_end, original, f"{self._base.url}/c/", after)
            self._written.append(written)
        elif match is not None and int(match[3]) == HONEYPOT_INDEX and (hidden := self._read_honeypot(anchor, match)):
            self._honeypot = hidden
            self._written.append(hidden)
            return
        elif match is not None:
            self._short += 1
        self._anchors.append((anchor, written))

    def _read_honeypot(self, anchor: Anchor, match: re.Match[str]) -> _Written | None:
        before = f'<a href="{self._base.url}/c/'
        after = f"{self._html[match.end(2) : match.end()]}{_HONEYPOT_TAIL}"
        whole = f"{before}{self._token}{after}"
        if not self._html.startswith(whole, anchor.start):
            return None
        return _Written(anchor.start, anchor.start + len(whole), "", before, after)

    def _make_plan(self) -> Plan:
        kept: list[str] = []
        pieces: list[str] = []
        edits: dict[_Written, Edit] = {}
        position = size = cut = 0
        for written in self._written:
            kept += (self._html[position : written.start], written.original)
            size += written.start - position
            edits[written] = Edit(size, size + len(written.original), written.before, written.after)
            size += len(written.original)
            position = written.end
            slot = written.start + len(written.before)
            pieces.append(self._html[cut:slot])
            cut = slot + len(self._token)
        source = "".join((*kept, self._html[position:]))
        return Plan(
            source=source,
            links=tuple(self._make_links(source, edits)),
            pieces=(*pieces, self._html[cut:]),
            pixel=self._name_place(source, [edit for edit in edits.values() if edit.before.startswith("<img")]),
            edits=tuple(edits.values()),
            base=self._base,
            link_style="short" if self._short else "portable",
            honeypot=edits[self._honeypot] if self._honeypot else None,
        )

    def _make_links(self, source: str, edits: Mapping[_Written, Edit]) -> Iterator[Link]:
        # By how much a place behind each edit moves.
        ends = [written.end for written in edits]
        moves = [0, *(edit.end - written.end for written, edit in edits.items())]
        for index, (anchor, written) in enumerate(self._anchors):
            move = moves[bisect_right(ends, anchor.href_start)]
            start = anchor.href_start + move
            end = edits[written].end if written else anchor.href_end + move
            raw = source[start:end]
            reason = "tracked when it was sent" if written else "not tracked when it was sent"
            yield Link(index, start, end, raw, decode_attribute(raw), written is not None, reason)

    def _name_place(self, source: str, pixels: Sequence[Edit]) -> PixelPlace:
        if not pixels:
            return "none"
        found, offset = scan(source), pixels[0].start
        size = len(self._html.encode("utf-8", "surrogatepass"))
        if size > CLIP_BYTES and offset in (found.body_start, found.head_end, 0):
            return "top"
        return "before </body>" if offset == found.body_end else "end"

    def _say_unknown(self) -> Iterator[str]:
        if self._short:
            links = "1 short link" if self._short == 1 else f"{self._short} short links"
            yield f"Where {links} led is known to the sender's store alone."
        if any("&amp;" in written.original for written in self._written):
            yield 'Whether "&" was written as "&amp;" in links is not known; it is taken to have been.'
        yield f"Attributes {OWN_ATTRIBUTE!r} were taken out when the mail was sent, if there were any."


def _escape(url: str, quote: str) -> str:
    """Write a URL as the value of an attribute whose opening quote is given; any other character means none."""
    escaped = url.replace("&", "&amp;")
    if quote in "\"'":
        return escaped.replace(quote, "&quot;" if quote == '"' else "&#39;")
    return _UNQUOTED.sub(lambda match: f"&#{ord(match[0])};", escaped)

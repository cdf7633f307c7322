"""Edit the HTML of a mail: links lead to the collector, a pixel is added, and every other byte stays.

A plan is compiled once per template; filling it with a recipient's token is a join.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from mailnod.errors import RewriteError
from mailnod.html.entities import decode_attribute
from mailnod.html.honeypot import holds_honeypot, write_honeypot
from mailnod.html.links import LinkRules, decide_links
from mailnod.html.proof import is_proven
from mailnod.html.scan import Anchor, Scan, scan
from mailnod.html.syntax import Attribute
from mailnod.html.urls import TrackingBase, parse_base, quote_destination
from mailnod.model import HONEYPOT_INDEX, Link, LinkStyle
from mailnod.tokens import TAG_CHARS, TOKEN_CHARS

__all__ = ["CLIP_BYTES", "Edit", "PixelPlace", "Plan", "compile_plan"]

#: Gmail shows no more of a body than this, and so no pixel behind it (mautic/mautic#13522).
CLIP_BYTES: Final = 102 * 1024

PixelPlace = Literal["before </body>", "end", "top", "none"]

_TOKEN = re.compile(r"[A-Za-z0-9_\-]{32}")
_DUMMY_TOKEN = "A" * TOKEN_CHARS
_PIXEL_TAIL = '.gif" width="1" height="1" alt="" style="border:0;width:1px;height:1px">'
_WHITE_SPACE = "\t\n\f\r "


class Edit(NamedTuple):
    """Replace a span of the source by ``before`` + token + ``after``, or by nothing where ``before`` is empty."""

    start: int
    end: int
    before: str = ""
    after: str = ""

    def fill(self, token: str) -> str:
        """Return what stands in the span's place."""
        return f"{self.before}{token}{self.after}" if self.before else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The edits of one HTML text, ready to be filled with a token."""

    #: The text as it came.
    source: str
    #: Every live link of the source, in document order.
    links: tuple[Link, ...]
    #: The edited text, cut at each place where the token stands.
    pieces: tuple[str, ...]
    #: Where the pixel stands.
    pixel: PixelPlace
    #: In the order of the source; they do not overlap.
    edits: tuple[Edit, ...]
    #: Where the collector is reached.
    base: TrackingBase
    #: What its links hold.
    link_style: LinkStyle = "portable"
    #: The edit that adds the hidden link; None where there is none.
    honeypot: Edit | None = None

    @property
    def changed(self) -> bool:
        """Whether filling gives another text than the source."""
        return self.pieces != (self.source,)

    def fill(self, token: str) -> str:
        """Return the edited text for one delivery.

        :param token: 32 characters of the URL-safe base64 alphabet, the same for every slot.
        :raises RewriteError: where it is anything else.
        """
        if not _TOKEN.fullmatch(token):
            raise RewriteError("a token has 32 characters of A-Z, a-z, 0-9, '-' and '_'; this one has other ones")
        return token.join(self.pieces)

    def restore(self, filled: str) -> str:
        """Take the edits back.

        :param filled: a text that this plan filled, with any token.
        :returns: the source, exactly.
        :raises RewriteError: where the text was not made by this plan.
        """
        start = len(self.pieces[0])
        token = filled[start : start + TOKEN_CHARS] if len(self.pieces) > 1 else ""
        if token.join(self.pieces) != filled or (token and not _TOKEN.fullmatch(token)):
            raise RewriteError("this text cannot be restored: it was not filled by this plan, or edited since")
        return self.source

    def verify(self) -> None:
        """Read the filled text afresh and check that it is the source but for the edits.

        :raises RewriteError: where a browser would see other links, not exactly one pixel, or other text.
        """
        filled = self.fill(_DUMMY_TOKEN)
        found = scan(filled, images=f"{self.base.url}/o/" if self.pixel != "none" else "")
        anchors, added = self._set_honeypot_apart(filled, found.anchors)
        if len(anchors) != len(self.links):
            raise RewriteError(f"the edited HTML has {len(anchors)} live links, not {len(self.links)}")
        for link, anchor in zip(self.links, anchors, strict=True):
            if not self._leads_on(link, filled[anchor.href_start : anchor.href_end]):
                raise RewriteError(f"link {link.index} was not edited as planned", offset=link.start)
        if self.pixel != "none":
            own = [(image.start, image.end) for image in found.images if _is_own_image(filled, image.src, self.base)]
            if len(own) != 1:
                raise RewriteError(f"the edited HTML has {len(own)} live pixels, not one")
            added += own
        untouched = _mask(self.source, self._edited_spans())
        if untouched != _mask(filled, [(anchor.href_start, anchor.href_end) for anchor in anchors] + added):
            raise RewriteError("the edited HTML differs from the source outside its links and what was added")

    def _set_honeypot_apart(
        self, filled: str, anchors: Sequence[Anchor]
    ) -> tuple[Sequence[Anchor], list[tuple[int, int]]]:
        """Return the links without the hidden one, and the span of that, which stands there whole."""
        if self.honeypot is None:
            return anchors, []
        whole = self.honeypot.fill(_DUMMY_TOKEN)
        hidden = [anchor for anchor in anchors if filled.startswith(whole, anchor.start)]
        if len(hidden) != 1:
            raise RewriteError(f"the edited HTML has {len(hidden)} hidden links, not one")
        start = hidden[0].start
        return [anchor for anchor in anchors if anchor is not hidden[0]], [(start, start + len(whole))]

    def _edited_spans(self) -> list[tuple[int, int]]:
        """Return the spans of the source that the text may differ in; links that are not tracked were checked."""
        kept = [(link.start, link.end) for link in self.links if not link.tracked]
        return kept + [(edit.start, edit.end) for edit in self.edits]

    def _leads_on(self, link: Link, raw: str) -> bool:
        """Tell whether an edited ``href`` is what was planned for the link."""
        if not link.tracked:
            return raw == link.raw
        if self.link_style == "short":
            return raw == f"{self.base.url}/c/{_DUMMY_TOKEN}.{link.index}"
        start, end = f"{self.base.url}/c/{_DUMMY_TOKEN}.{link.index}.", f"?u={quote_destination(link.url)}"
        return raw.startswith(start) and raw.endswith(end) and len(raw) == len(start) + TAG_CHARS + len(end)


def compile_plan(
    html: str,
    *,
    base_url: str,
    tag_link: Callable[[int, str], str],
    track_opens: bool,
    track_clicks: bool,
    link_style: LinkStyle = "portable",
    honeypot: bool = False,
    excluded_hosts: Sequence[str] = (),
    list_unsubscribe: str | None = None,
    allow_link: Callable[[Link], bool] | None = None,
    change_url: Callable[[str, Link], str] | None = None,
) -> Plan:
    """Plan the edits of one HTML text and verify them.

    :param html: the decoded text.
    :param base_url: where the collector is reached; a trailing slash does not count.
    :param tag_link: returns the tag of 16 URL-safe characters that seals a link's position and destination.
    :param track_opens: whether a pixel is added.
    :param track_clicks: whether links lead to the collector. With both off the text stays as it is.
    :param link_style: what the links hold; where short ones lead must be in the store before the mail leaves.
    :param honeypot: whether a hidden link is added where one link at least is tracked, unless the mail would then be
        so long that Gmail cuts it off.
    :param excluded_hosts: lower case; ``.example.com`` means that host and every host below it.
    :param list_unsubscribe: the mail's ``List-Unsubscribe`` header; its targets are not tracked.
    :param allow_link: whether a link that all rules let through is tracked.
    :param change_url: returns another destination for a tracked link; one that is no good URL is ignored.
    :returns: the verified plan.
    :raises RewriteError: where the edits cannot be made with the promise that all else stays.
    :raises ConfigurationError: where ``base_url`` is not an absolute http(s) URL.
    """
    base = parse_base(base_url)
    found = scan(html, images="/o/" if track_opens else "")
    rules = LinkRules(
        base=base,
        tag_link=tag_link,
        track_clicks=track_clicks,
        link_style=link_style,
        excluded_hosts=excluded_hosts,
        list_unsubscribe=list_unsubscribe,
        allow_link=allow_link,
        change_url=change_url,
    )
    decided = decide_links(html, found.anchors, rules)
    links = decided.links
    if not (track_opens or track_clicks):
        return Plan(source=html, links=links, pieces=(html,), pixel="none", edits=(), base=base)
    edits = list(_remove(html, decided.own_attributes))
    before = f"{base.url}/c/"
    edits += [Edit(link.start, link.end, before, suffix) for link, suffix in zip(*decided[:2], strict=True) if suffix]
    hidden = _place_honeypot(html, found, links, base, edits, tag_link) if honeypot else None
    if hidden is not None:
        edits.append(hidden)
    pixel: PixelPlace = "none"
    if track_opens:
        pixel, offset = _place_pixel(html, found, base, edits)
        if pixel != "none":
            edits.append(Edit(offset, offset, f'<img src="{base.url}/o/', _PIXEL_TAIL))
    edits.sort()
    plan = Plan(
        source=html,
        links=links,
        pieces=_cut(html, edits),
        pixel=pixel,
        edits=tuple(edits),
        base=base,
        link_style=link_style,
        honeypot=hidden,
    )
    if plan.changed and not is_proven(plan, found):
        plan.verify()
    return plan


def _remove(html: str, attributes: Sequence[Attribute]) -> Iterator[Edit]:
    """Take out attributes, with the white space before each where no two others need it."""
    for one in attributes:
        parted = html[one.start - 1] in _WHITE_SPACE and html[one.end] in f"{_WHITE_SPACE}>"
        yield Edit(one.start - parted, one.end)


def _place_pixel(html: str, found: Scan, base: TrackingBase, edits: Sequence[Edit]) -> tuple[PixelPlace, int]:
    if not html or found.frameset or any(_is_own_image(html, image.src, base) for image in found.images):
        return "none", 0
    if _rewritten_bytes(html, base, edits) > CLIP_BYTES and (top := _find_top(html, found)) is not None:
        return "top", top
    return _find_end(found)


def _place_honeypot(
    html: str,
    found: Scan,
    links: Sequence[Link],
    base: TrackingBase,
    edits: Sequence[Edit],
    tag_link: Callable[[int, str], str],
) -> Edit | None:
    """Return the edit that adds the hidden link at the end; None where it has no place or there is one already."""
    if found.frameset or not any(link.tracked for link in links):
        return None
    if any(holds_honeypot(link, base) for link in links):
        return None
    _, offset = _find_end(found)
    edit = Edit(offset, offset, *write_honeypot(base, tag_link(HONEYPOT_INDEX, "")))
    return None if _rewritten_bytes(html, base, [*edits, edit]) > CLIP_BYTES else edit


def _find_end(found: Scan) -> tuple[PixelPlace, int]:
    """Return the last place at which something added is a part of the body."""
    if found.body_end is not None:
        return "before </body>", found.body_end
    if found.html_end is not None:
        return "end", found.html_end
    return "end", found.safe_end


def _find_top(html: str, found: Scan) -> int | None:
    """Return the earliest place at which a pixel is part of the body, or None where that is not clear."""
    if found.body_start is not None or found.head_end is not None:
        return found.body_start if found.body_start is not None else found.head_end
    start = 1 if html.startswith("\N{ZERO WIDTH NO-BREAK SPACE}") else 0
    begins = html[start : start + 200].lstrip(_WHITE_SPACE).lower()
    return None if begins.startswith(("<!doctype", "<html", "<head", "<?xml", "<!--")) else start


def _is_own_image(html: str, src: Attribute, base: TrackingBase) -> bool:
    return base.owns_pixel(decode_attribute(html[src.value_start : src.value_end]))


def _rewritten_bytes(html: str, base: TrackingBase, edits: Sequence[Edit]) -> int:
    """Return the size of the edited text with its pixel, in UTF-8."""
    size = len(html) if html.isascii() else len(html.encode("utf-8", "surrogatepass"))
    size += len('<img src="/o/') + len(base.url) + TOKEN_CHARS + len(_PIXEL_TAIL)
    # What is taken out is a URL or an attribute, which hardly ever is longer in bytes than in characters.
    size -= sum([edit.end - edit.start for edit in edits])
    return size + sum([len(edit.before) + TOKEN_CHARS + len(edit.after) for edit in edits if edit.before])


def _cut(html: str, edits: Sequence[Edit]) -> tuple[str, ...]:
    """Apply sorted edits that do not overlap, and cut the result at each slot for the token."""
    pieces: list[str] = []
    current: list[str] = []
    position = 0
    for start, end, before, after in edits:
        current.append(html[position:start])
        if before:
            current.append(before)
            pieces.append("".join(current))
            current = [after]
        position = end
    current.append(html[position:])
    return (*pieces, "".join(current))


def _mask(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Cut the spans out of a text."""
    kept: list[str] = []
    position = 0
    for start, end in sorted(spans):
        kept.append(text[position:start])
        position = end
    kept.append(text[position:])
    return "".join(kept)

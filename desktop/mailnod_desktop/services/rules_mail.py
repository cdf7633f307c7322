"""Rules about a mail as a whole, its bodies and its images."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from mailnod_desktop.services.images import find_own_pixels, list_images
from mailnod_desktop.services.model import CLIP_BYTES, Body, Inspection
from mailnod_desktop.services.rules import Hit, Rule, excerpt, read_text
from mailnod_desktop.services.source import measure

__all__ = ["MAIL_RULES"]

# Bytes that do not decode are lone surrogates in our texts.
_UNDECODED = re.compile("[\ud800-\udfff\N{REPLACEMENT CHARACTER}]")
# UTF-8 that was read as Windows-1252 at some time, and encoded again.
_TWICE = re.compile("\u00c3[\u0080-\u00bf\u0152-\u2122]|\u00e2\u20ac[\u0080-\u00bf\u0152-\u2122]")
_BULK: Final = frozenset({"list-id", "precedence", "feedback-id", "x-campaign-id"})
_FEW_CHARS: Final = 40
_LOCAL: Final = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$)")


def _find_failure(inspection: Inspection) -> Iterator[Hit]:
    if inspection.error:
        yield Hit(
            message=f"The mail leaves as it came: {inspection.error.rstrip('.?')}.",
            advice="Mend what is named; until then the mail goes out untracked.",
        )


def _find_clipped(inspection: Inspection) -> Iterator[Hit]:
    for number, body in enumerate(inspection.bodies):
        if body.rewritten_bytes <= CLIP_BYTES:
            continue
        grown = body.original_bytes <= CLIP_BYTES
        size = f"{body.rewritten_bytes / 1024:.0f} KB"
        pixel = _find_pixel_byte(body)
        where = ""
        if pixel is not None:
            where = (
                " The pixel stands behind that." if pixel > CLIP_BYTES else " The pixel stands before that, and loads."
            )
        yield Hit(
            message=f"The HTML has {size}{' with its tracked links' if grown else ''}, and Gmail shows 102 KB.{where}",
            advice="Take out comments, unused CSS and white space"
            + (", or use short links on the route." if grown else ", or send less."),
            body=number,
            severity="error" if pixel is not None and pixel > CLIP_BYTES else None,
        )


def _find_pixel_byte(body: Body) -> int | None:
    """Return how many bytes stand before the pixel in what leaves; None where there is no pixel."""
    pixels = find_own_pixels(body.rewritten)
    return measure(body.rewritten[: pixels[0].start]) if pixels else None


def _find_second_pixel(inspection: Inspection) -> Iterator[Hit]:
    for number, body in enumerate(inspection.bodies):
        pixels = find_own_pixels(body.rewritten)
        if len(pixels) > 1:
            yield Hit(
                message=f"The HTML holds {len(pixels)} open pixels, so one open may count several times.",
                advice="Take pixels of earlier mails out of quoted text, and track a mail once.",
                body=number,
                excerpt=excerpt(pixels[1].src),
            )


def _find_insecure_base(inspection: Inspection) -> Iterator[Hit]:
    urls = {body.plan.base.url for body in inspection.bodies if body.plan is not None}
    for url in sorted(url for url in urls if url.startswith("http:") and not _LOCAL.match(url)):
        yield Hit(
            message=f"Tracked links lead to {url}, which is not encrypted.",
            advice="Reach the collector by https, and set MAILNOD_BASE_URL to that.",
            excerpt=excerpt(url),
        )


def _find_missing_alt(inspection: Inspection) -> Iterator[Hit]:
    for number, body in enumerate(inspection.bodies):
        for image in list_images(body.original):
            if image.alt is None and not image.is_tiny:
                yield Hit(
                    message=f"The image {excerpt(image.src)!r} has no alt text.",
                    advice='Say what it shows, or write alt="" where it is decoration.',
                    body=number,
                    offset=image.start,
                    excerpt=excerpt(body.original[image.start : image.end]),
                )


def _find_image_only(inspection: Inspection) -> Iterator[Hit]:
    for number, body in enumerate(inspection.bodies):
        if not any(not image.is_tiny for image in list_images(body.original)):
            continue
        text = read_text(body.original)
        if len(text) < _FEW_CHARS:
            yield Hit(
                message=f"The HTML shows images and {len(text)} characters of text.",
                advice="Write what matters as text: half of the clients load no images at first, and filters are wary.",
                body=number,
                excerpt=excerpt(text),
            )


def _find_no_plain_text(inspection: Inspection) -> Iterator[Hit]:
    parsed = inspection.parsed
    if parsed.mail.form == "message" and parsed.htmls and not parsed.text.strip():
        yield Hit(
            message="The message has HTML and no plain text.",
            advice="Add a text/plain alternative: some people read nothing else, and filters count it.",
        )


def _find_broken_charset(inspection: Inspection) -> Iterator[Hit]:
    for node in inspection.parsed.nodes:
        if node.charset and node.content_type.startswith("text/") and not _is_charset(node.charset):
            yield Hit(
                message=f"Part {node.path} names the charset {excerpt(node.charset)!r}, which nobody knows.",
                advice="Write UTF-8, and say so.",
                excerpt=excerpt(node.charset),
            )
    for number, body in enumerate(inspection.bodies):
        broken = _UNDECODED.search(body.original)
        twice = _TWICE.search(body.original)
        found = broken or twice
        if found is not None:
            why = "a byte that is no character of its charset" if broken else "UTF-8 that was encoded twice"
            yield Hit(
                message=f"The HTML holds {why}, at character {found.start():,}.",
                advice="Write UTF-8, and name that charset in the part's Content-Type.",
                body=number,
                offset=found.start(),
                excerpt=excerpt(body.original[max(found.start() - 30, 0) : found.end() + 30]),
            )


def _is_charset(label: str) -> bool:
    try:
        codecs.lookup(label.strip("\"'"))
    except (LookupError, ValueError):
        return False
    return True


def _find_no_list_unsubscribe(inspection: Inspection) -> Iterator[Hit]:
    parsed = inspection.parsed
    names = {name.lower() for name, _ in parsed.headers}
    if parsed.mail.form != "message" or "list-unsubscribe" in names:
        return
    ways_out = any(row.link is not None and row.link.reason == "unsubscribe link" for row in inspection.links)
    signs = sorted(names & _BULK)
    if ways_out or signs:
        sign = f"the header {signs[0]!r}" if signs else "a link to unsubscribe"
        yield Hit(
            message=f"The message looks like bulk mail, by {sign}, and has no List-Unsubscribe header.",
            advice="Add List-Unsubscribe and List-Unsubscribe-Post (RFC 8058): large receivers ask for both.",
        )


MAIL_RULES: Final = (
    Rule(
        name="not-rewritten",
        severity="error",
        doc="The mail cannot be read or rewritten, and leaves as it came although tracking was wished.",
        find=_find_failure,
        about="tracking",
    ),
    Rule(
        name="over-clip",
        severity="warning",
        doc="HTML of more than 102 KB as it leaves. Gmail cuts it off there; that is an error where the pixel stands "
        "behind.",
        find=_find_clipped,
        about="tracking",
    ),
    Rule(
        name="duplicate-pixel",
        severity="warning",
        doc="More than one open pixel in one body, for example in the text of an earlier mail that is quoted.",
        find=_find_second_pixel,
        about="tracking",
    ),
    Rule(
        name="insecure-base-url",
        severity="warning",
        doc="A base URL with ``http://``. Everybody on the way sees who reads what, and clients do not load the pixel.",
        find=_find_insecure_base,
        about="tracking",
    ),
    Rule(
        name="broken-charset",
        severity="warning",
        doc="A charset that nobody knows, bytes that are no characters of theirs, or UTF-8 that was encoded twice.",
        find=_find_broken_charset,
    ),
    Rule(
        name="image-only",
        severity="warning",
        doc="Images and hardly any text. Nothing is left of such a mail where images are off.",
        find=_find_image_only,
    ),
    Rule(
        name="missing-alt",
        severity="notice",
        doc="A visible image without ``alt``. Where images are off, nothing stands in its place.",
        find=_find_missing_alt,
    ),
    Rule(
        name="no-plain-text",
        severity="notice",
        doc="A message with HTML and without a plain-text alternative.",
        find=_find_no_plain_text,
    ),
    Rule(
        name="no-list-unsubscribe",
        severity="notice",
        doc="What looks like bulk mail, by its headers or by a link to unsubscribe, without ``List-Unsubscribe`` "
        "(RFC 2369).",
        find=_find_no_list_unsubscribe,
    ),
)

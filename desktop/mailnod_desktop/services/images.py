"""The images of a mail, what is left of it where a client shows none, and how well their texts stand in for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Final, Literal

from mailnod.errors import RewriteError
from mailnod.html.entities import decode_attribute
from mailnod.html.scan import Image, scan
from mailnod.html.syntax import Attribute, find_first, read_attributes
from mailnod_desktop.services.text import shorten

__all__ = ["ImageRow", "find_own_pixels", "list_images", "score_alt", "without_images"]

#: Whence an image comes: a part of the mail (RFC 2392), its own URL (RFC 2397), a server, or nowhere.
ImageSource = Literal["cid", "data", "remote", "other"]

_PIXEL_PATH = re.compile(r"/o/[A-Za-z0-9_\-]{32}\.gif")
_NUMBER = re.compile(r"\s*(\d{1,6})(?:\.\d+)?\s*(?:px)?\s*")
_STYLE_SIZE = re.compile(r"(?:^|[;\s])(width|height)\s*:\s*(\d{1,6})(?:\.\d+)?(?:px)?\s*(?:!important\s*)?(?:;|$)")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)")
# Names of files, and words that say no more than that there is an image.
_FILE_NAME = re.compile(r"[\w\-. %]+\.(?:png|jpe?g|gif|webp|svg|bmp|avif)", re.IGNORECASE)
_EMPTY_WORDS: Final = frozenset(
    {"image", "img", "picture", "photo", "graphic", "logo image", "banner", "untitled", "alt"}
)
_MAX_ALT_CHARS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow:
    """One live ``<img>`` with a ``src``."""

    #: Where its tag begins and ends, in characters.
    start: int
    end: int
    #: Decoded.
    src: str
    #: None where the attribute is absent; "" says that the image is decoration.
    alt: str | None
    #: In CSS pixels, by attribute or inline style; None where nothing is said.
    width: int | None
    height: int | None
    source: ImageSource
    #: Whether it is too small to be seen, as the pixels of trackers are.
    is_tiny: bool
    #: Whether it has the form of a pixel of ours.
    is_ours: bool

    @property
    def says_something(self) -> bool:
        """Whether its text tells a person what the image shows."""
        words = (self.alt or "").strip()
        return bool(words) and not _FILE_NAME.fullmatch(words) and words.casefold() not in _EMPTY_WORDS


@lru_cache(maxsize=8)
def list_images(html: str) -> tuple[ImageRow, ...]:
    """Return the live images of an HTML text in order; none where it has more markup than is looked at."""
    try:
        # Every image with a source has this character in its tag.
        found = scan(html, images="=").images
    except RewriteError:
        return ()
    return tuple(_read_image(html, image) for image in found)


def find_own_pixels(html: str) -> tuple[ImageRow, ...]:
    """Return the images that have the form of a pixel of ours, in order."""
    try:
        found = scan(html, images="/o/").images
    except RewriteError:
        return ()
    return tuple(row for row in (_read_image(html, image) for image in found) if row.is_ours)


def score_alt(html: str) -> tuple[int, str]:
    """Say how much of a mail's images a reader gets who sees none.

    :returns: a number from 0 to 100, and why, in words. Images that nobody sees do not count, and an empty ``alt``,
        which says that an image is decoration, counts as half.
    """
    images = [image for image in list_images(html) if not image.is_tiny]
    if not images:
        return 100, "there is no image that a reader would miss"
    told = sum(image.says_something for image in images)
    decoration = sum(image.alt is not None and not image.alt.strip() for image in images)
    missing = sum(image.alt is None for image in images)
    poor = len(images) - told - decoration - missing
    score = round(100 * (told + decoration / 2) / len(images))
    of = f"{len(images)} images" if len(images) > 1 else "1 image"
    parts = [f"{told} of {of} {'says' if told == 1 or len(images) == 1 else 'say'} what is shown"]
    parts += [f"{decoration} marked as decoration"] * (decoration > 0)
    parts += [f"{missing} without alt text"] * (missing > 0)
    parts += [f"{poor} named by a file or an empty word"] * (poor > 0)
    return score, ", ".join(parts)


def without_images(html: str) -> str:
    """Return the HTML as a client shows it that loads no image: each one's text stands in its place.

    Pixels of ours become a small mark, so that their place is seen. Backgrounds and remote loads elsewhere are left to
    whatever shows it.
    """
    kept: list[str] = []
    position = 0
    for image in list_images(html):
        kept += (html[position : image.start], _stand_in(image))
        position = image.end
    return "".join((*kept, html[position:]))


def _stand_in(image: ImageRow) -> str:
    if image.is_ours:
        return (
            '<span title="open pixel" style="display:inline-block;width:14px;height:14px;border-radius:7px;'
            'background:#2f6fed;color:#ffffff;font:bold 9px/14px sans-serif;text-align:center">o</span>'
        )
    if image.is_tiny:
        return ""
    width = f"width:{min(image.width, 2000)}px;max-width:100%;" if image.width else ""
    height = f"min-height:{min(image.height, 2000)}px;" if image.height else ""
    text = escape(shorten(image.alt or "", _MAX_ALT_CHARS))
    return (
        f'<span style="display:inline-block;box-sizing:border-box;{width}{height}border:1px solid #b9bec7;padding:2px;'
        f'font-family:sans-serif;overflow:hidden;vertical-align:top">{text}</span>'
    )


def _read_image(html: str, image: Image) -> ImageRow:
    attributes = read_attributes(html, image.start + len("<img"), image.end - 1)
    src = decode_attribute(html[image.src.value_start : image.src.value_end]).strip()
    style = (_value(html, attributes, "style") or "").lower()
    sizes: dict[str, int] = {name: int(size) for name, size in _STYLE_SIZE.findall(style)}
    for name in ("width", "height"):
        if name not in sizes and (match := _NUMBER.fullmatch(_value(html, attributes, name) or "")):
            sizes[name] = int(match[1])
    width, height = sizes.get("width"), sizes.get("height")
    small = width is not None and height is not None and width <= 2 and height <= 2
    return ImageRow(
        start=image.start,
        end=image.end,
        src=src,
        alt=_read_alt(html, attributes),
        width=width,
        height=height,
        source=_find_source(src),
        is_tiny=small or _HIDDEN.search(style) is not None,
        is_ours=_PIXEL_PATH.search(src) is not None and src.endswith(".gif"),
    )


def _read_alt(html: str, attributes: list[Attribute]) -> str | None:
    named = any(attribute.name == "alt" for attribute in attributes)
    return (_value(html, attributes, "alt") or "") if named else None


def _value(html: str, attributes: list[Attribute], name: str) -> str | None:
    found = find_first(attributes, name)
    return None if found is None else decode_attribute(html[found.value_start : found.value_end])


def _find_source(src: str) -> ImageSource:
    scheme = src[:8].lower()
    if scheme.startswith("cid:"):
        return "cid"
    if scheme.startswith("data:"):
        return "data"
    return "remote" if scheme.startswith(("http:", "https:", "//")) else "other"

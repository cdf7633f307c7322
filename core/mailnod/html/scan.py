"""Find the live links of an HTML mail and the places where a pixel may stand, in one pass and without a DOM.

The lexer follows the tokenizer of the HTML Standard (section 13.2.5) and as much of the tree construction as decides
whether markup is live: raw text, templates, foreign content and its CDATA, conditional comments. Offsets count
characters of the string that was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from mailnod.errors import RewriteError
from mailnod.html.syntax import (
    ATTRIBUTES,
    HREF,
    NAME_END,
    TAG,
    WHITE_SPACE,
    Attribute,
    any_case,
    find_first,
    other_names,
    read_attributes,
)

__all__ = ["MAX_LINKS", "MAX_STEPS", "Anchor", "Image", "Scan", "scan"]

#: HTML with more links, or more comments, text elements and foreign tags together, is refused: no honest mail has
#: them, and editing one takes time.
MAX_LINKS: Final = 10_000
MAX_STEPS: Final = 50_000

_SHAPES = ("roundrect", "rect", "shape", "oval", "line", "polyline", "curve", "arc", "image", "group")
_VML = tuple(f"v:{shape}" for shape in _SHAPES)
_RAW = ("style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
_TEXT_ELEMENTS = (*_RAW, "script", "plaintext")
_LINKING = frozenset({"a", "area", *_VML})
# The commonest letters come first.
_START = ("title", "textarea", "template", "a", "area", "style", "script", "svg", "body", "plaintext", "iframe", *_VML)
_START += ("xmp", "noembed", "noframes", "math", "frameset")
_END = ("template", "body", "html", "head")

_REST = rf"[^{WHITE_SPACE}/>]*+(?:>|{ATTRIBUTES}>)"
# Of the conditional comments only those matter in which an "href" may stand. The repeats here and below are bounded
# because a backtracking one keeps a record of each round.
_COMMENT = r"!--(?:(?!-?>|\[)(?s:.*?)|\[(?:[^\-hH]++|[hH](?![rR])|-(?!-!?>)){0,99})--!?>"
# What matters to nobody: text, such comments, most start tags and end tags.
_SKIP = (
    rf"[^<]*+(?:<(?:/{other_names(*_END)}{_REST}|{other_names(*_START)}{_REST}|{_COMMENT}"
    r"|(?![a-zA-Z/!?]))[^<]*+){0,400}"
)
_TEXT = re.compile(r"[^<]*+(?:<(?![a-zA-Z/!?])[^<]*+){0,400}")
_COMMENT_END = re.compile(r"--!?+>")
_CONDITIONAL = re.compile(rf"<!--\[{any_case('if')}[{WHITE_SPACE}(!][^\]>]*+\]>")
_SCRIPT_MARK = re.compile(rf"<!(?=--)|-->|<(/?+){any_case('script')}(?={NAME_END})")
_TAG_OPEN = re.compile("/?+[a-zA-Z]")

# HTML Standard, section 13.2.6.5: start tags that end foreign content.
_BREAKOUT = re.compile(
    "b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|embed|h[1-6]|head|hr|i|img|li|listing|menu|meta|nobr|ol|p|pre"
    "|ruby|s|small|span|strong|strike|sub|sup|table|tt|u|ul|var"
)
_BREAKOUT_FONT = frozenset({"color", "face", "size"})
_INTEGRATION = {
    "svg": frozenset({"foreignobject", "desc", "title"}),
    "math": frozenset({"mi", "mo", "mn", "ms", "mtext"}),
}
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)


class Anchor(NamedTuple):
    """A live element with an ``href`` that a reader can click."""

    #: Lower case: ``a``, ``area``, ``v:roundrect`` ...
    element: str
    #: Where its start tag begins and ends.
    start: int
    end: int
    #: Where the value of its ``href`` begins and ends, without quotes.
    href_start: int
    href_end: int

    def read_attributes(self, html: str) -> list[Attribute]:
        """Return all attributes in order, later duplicates included."""
        return read_attributes(html, self.start + 1 + len(self.element), self.end - 1)


class Image(NamedTuple):
    """A live ``<img>`` with a ``src``."""

    start: int
    end: int
    src: Attribute


class Scan(NamedTuple):
    """What was found in one HTML text."""

    anchors: tuple[Anchor, ...]
    #: Those that were asked for.
    images: tuple[Image, ...]
    #: Behind the first real ``<body ...>``; None where there is none.
    body_start: int | None
    #: Before the last real ``</body>``, ``</html>`` and behind the last ``</head>``; None where there is none.
    body_end: int | None
    html_end: int | None
    head_end: int | None
    #: The last place at which an added tag is still read as a tag.
    safe_end: int
    #: Whether a frameset stands in place of a body.
    frameset: bool


def scan(html: str, *, images: str = "") -> Scan:
    """Find the live links of an HTML text, in linear time whatever the text is.

    :param html: the decoded text.
    :param images: live images with this text in their tag, or between that and the next, are listed too; "" lists none.
    :returns: links in document order, and the places for a pixel.
    :raises RewriteError: where the text has more markup than :data:`MAX_LINKS` and :data:`MAX_STEPS` allow.
    """
    lexer = _Lexer(html, images=images)
    lexer.read(0, len(html))
    return lexer.result()


class _Open(NamedTuple):
    """An open element at or below an ``svg`` or ``math``."""

    name: str
    #: "svg", "math", or "html" inside an integration point.
    space: str
    integration: bool
    start: int

    @property
    def holds_html(self) -> bool:
        return self.integration or self.space == "html"


class _Lexer:
    """The state of one pass."""

    def __init__(self, html: str, *, images: str = "", conditional: bool = False) -> None:
        self.html = html
        self.images_wanted = images
        #: Whether the text is the inside of a conditional comment, which holds no comment of its own.
        self.conditional = conditional
        self.anchors: list[Anchor] = []
        self.images: list[Image] = []
        self.body_start: int | None = None
        self.body_end: int | None = None
        self.html_end: int | None = None
        self.head_end: int | None = None
        self.frameset = False
        #: How many constructs were looked at one by one.
        self.steps = 0
        #: Where a construct begins that the input never ends.
        self.cut: int | None = None
        #: Where each open template begins.
        self.templates: list[int] = []
        #: Open elements from the outermost svg or math on; empty in plain HTML.
        self.stack: list[_Open] = []
        self.open_names: dict[str, int] = {}

    def result(self) -> Scan:
        ends = [len(self.html), *self.templates[:1], *(element.start for element in self.stack[:1])]
        if self.cut is not None:
            ends.append(self.cut)
        return Scan(
            anchors=tuple(self.anchors),
            images=tuple(self.images),
            body_start=self.body_start,
            body_end=self.body_end,
            html_end=self.html_end,
            head_end=self.head_end,
            safe_end=min(ends),
            frameset=self.frameset,
        )

    def read(self, position: int, end: int) -> None:
        marks = _find_image_tags(self.html, self.images_wanted)
        mark = next(marks, end)
        step = _step()
        while position < end:
            while mark < position:
                mark = next(marks, end)
            match = (_TEXT if self.stack else step).match(self.html, position, mark)
            position = match.end() if match else end
            if match and match.lastindex:
                self.add_link(match, match.lastindex)
            elif position < end:
                self.steps += 1
                position = self.read_markup(position, end)
            if self.steps > MAX_STEPS or len(self.anchors) > MAX_LINKS:
                raise RewriteError("the HTML has too many links or too much markup to be edited", offset=position)

    def read_markup(self, position: int, end: int) -> int:
        """Read what begins with the ``<`` at ``position``.

        :returns: where to go on.
        """
        if self.html.startswith("<!--", position, end):
            return self.read_comment(position, end)
        if tag := TAG.match(self.html, position, end):
            return self.read_tag(tag, end)
        follower = self.html[position + 1 : min(position + 3, end)]
        if self.html.startswith("<![CDATA[", position, end) and self.stack and self.stack[-1].space != "html":
            return self.after(self.html.find("]]>", position, end), 3, position, end)
        if _TAG_OPEN.match(follower) or follower == "/":
            return self.after(-1, 0, position, end)
        if follower[:1] in ("!", "?", "/"):
            return self.after(self.html.find(">", position, end), 1, position, end)
        return position + 1

    def after(self, found: int, length: int, start: int, end: int) -> int:
        """Go on behind what was found, or mark the text as cut at ``start`` where nothing was."""
        if found >= 0:
            return found + length
        self.cut = start
        return end

    def read_comment(self, position: int, end: int) -> int:
        if self.html.startswith((">", "->"), position + 4, end):
            return self.html.index(">", position) + 1
        close = _COMMENT_END.search(self.html, position + 4, end)
        if close is None:
            return self.after(-1, 0, position, end)
        if not self.conditional and not self.templates and self.html.startswith("[", position + 4):
            opening = _CONDITIONAL.match(self.html, position, close.start())
            if opening and "href" in self.html[opening.end() : close.start()].lower():
                self.read_conditional(opening.end(), close.start())
        return close.end()

    def read_conditional(self, start: int, end: int) -> None:
        """Read the inside of ``<!--[if mso]>``: a comment to browsers, live markup to Outlook."""
        inner = _Lexer(self.html, conditional=True)
        inner.steps = self.steps
        inner.read(start, end)
        self.steps = inner.steps
        self.anchors += inner.anchors

    def read_tag(self, tag: re.Match[str], end: int) -> int:
        closing, name = tag[1], tag[2].lower()
        if closing:
            self.close_element(name, tag)
            return tag.end()
        if self.stack and not self.enters_html(name, tag):
            return tag.end()
        return self.open_element(name, tag, end)

    def open_element(self, name: str, tag: re.Match[str], end: int) -> int:
        """Deal with a start tag of the HTML namespace (or of an outermost svg or math)."""
        if name in _LINKING:
            self.add_anchor(name, tag)
        elif name == "img":
            self.add_image(tag)
        elif name in _TEXT_ELEMENTS:
            return self.read_text(name, tag, end)
        elif name == "template":
            self.templates.append(tag.start())
        elif name in ("svg", "math"):
            self.push(name, name, tag)
            return tag.end()
        elif self.in_document:
            self.note_body(name, tag)
        if self.stack and name not in _VOID:
            self.push(name, "html", tag)
        return tag.end()

    def note_body(self, name: str, tag: re.Match[str]) -> None:
        if name == "body" and self.body_start is None:
            self.body_start = tag.end()
        elif name == "frameset" and self.body_start is None:
            self.frameset = True

    def read_text(self, name: str, tag: re.Match[str], end: int) -> int:
        """Read an element that holds text whatever it looks like, up to and with its end tag."""
        if name == "plaintext":
            return self.after(-1, 0, tag.start(), end)
        if name == "script":
            return self.read_raw_end(self.find_script_end(tag.end(), end), tag.start(), end)
        close = _raw_end(name).search(self.html, tag.end(), end)
        return self.read_raw_end(close.start() if close else -1, tag.start(), end)

    def read_raw_end(self, close: int, start: int, end: int) -> int:
        """Read the end tag at ``close`` of the raw text that ``start`` begins; -1 where there is none."""
        tag = TAG.match(self.html, close, end) if close >= 0 else None
        return tag.end() if tag else self.after(-1, 0, start, end)

    def find_script_end(self, position: int, end: int) -> int:
        """Find ``</script`` by the script data states, in which ``<!--<script>`` hides the next end tag."""
        escaped = doubly = False
        for mark in _SCRIPT_MARK.finditer(self.html, position, end):
            if mark[1] is None:
                escaped = mark[0] == "<!"
                doubly = doubly and escaped
            elif mark[1] and not doubly:
                return mark.start()
            else:
                doubly = escaped and not mark[1]
        return -1

    @property
    def in_document(self) -> bool:
        """Whether neither foreign content nor a template nor a conditional comment surrounds the place."""
        return not (self.stack or self.templates or self.conditional)

    def close_element(self, name: str, tag: re.Match[str]) -> None:
        if name == "template":
            self.close_template()
        elif self.open_names.get(name):
            while self.pop().name != name:
                pass
        elif name in ("p", "br"):
            self.break_out()
        elif self.in_document and name == "body":
            self.body_end = tag.start()
        elif self.in_document and name == "html":
            self.html_end = tag.start()
        elif self.in_document and name == "head":
            self.head_end = tag.end()

    def close_template(self) -> None:
        """Close the innermost template and whatever is still open in it."""
        start = self.templates.pop() if self.templates else len(self.html)
        while self.stack and self.stack[-1].start >= start:
            self.pop()

    def enters_html(self, name: str, tag: re.Match[str]) -> bool:
        """Deal with a start tag below svg or math, or say that it belongs to the HTML namespace."""
        top = self.stack[-1]
        if top.holds_html:
            return not (top.space == "math" and name in ("mglyph", "malignmark"))
        if top.name == "annotation-xml" and name == "svg":
            return True
        if _BREAKOUT.fullmatch(name) or (name == "font" and self.has_any(tag, _BREAKOUT_FONT)):
            self.break_out()
            return True
        if name == "a" and top.space == "svg":
            self.add_anchor(name, tag)
        self.push(name, top.space, tag)
        return False

    def break_out(self) -> None:
        while self.stack and not self.stack[-1].holds_html:
            self.pop()

    def push(self, name: str, space: str, tag: re.Match[str]) -> None:
        if space != "html" and self.closes_itself(tag):
            return
        integration = name in _INTEGRATION.get(space, ())
        if name == "annotation-xml" and space == "math":
            integration = self.html_annotation(tag)
        self.stack.append(_Open(name, space, integration, tag.start()))
        self.open_names[name] = self.open_names.get(name, 0) + 1

    def pop(self) -> _Open:
        element = self.stack.pop()
        self.open_names[element.name] -= 1
        return element

    def closes_itself(self, tag: re.Match[str]) -> bool:
        if self.html[tag.end() - 2] != "/":
            return False
        attributes = self.attributes(tag)
        return not attributes or attributes[-1].value_end != tag.end() - 1

    def html_annotation(self, tag: re.Match[str]) -> bool:
        encoding = find_first(self.attributes(tag), "encoding")
        if encoding is None:
            return False
        value = self.html[encoding.value_start : encoding.value_end].lower()
        return value in ("text/html", "application/xhtml+xml")

    def has_any(self, tag: re.Match[str], names: frozenset[str]) -> bool:
        return any(attribute.name in names for attribute in self.attributes(tag))

    def attributes(self, tag: re.Match[str]) -> list[Attribute]:
        found = read_attributes(self.html, *tag.span(3))
        # To read a few attributes takes about as long as a step.
        self.steps += len(found) // 8
        return found

    def add_link(self, step: re.Match[str], href: int) -> None:
        """Add the link that a step over what does not matter ended with, whose ``href`` is in a group."""
        if not self.templates:
            start, end = step.span(href)
            self.anchors.append(Anchor(step[1].lower(), step.start(1) - 1, step.end(), start, end))

    def add_anchor(self, name: str, tag: re.Match[str]) -> None:
        href = find_first(self.attributes(tag), "href")
        if href is not None and not self.templates:
            self.anchors.append(Anchor(name, tag.start(), tag.end(), href.value_start, href.value_end))

    def add_image(self, tag: re.Match[str]) -> None:
        src = find_first(self.attributes(tag), "src")
        if src is not None and self.images_wanted and not self.templates and not self.conditional:
            self.images.append(Image(tag.start(), tag.end(), src))


@cache
def _step() -> re.Pattern[str]:
    """Compile what leads up to the next thing that matters, and the link if it is one; few processes need it."""
    return re.compile(rf"{_SKIP}(?:<([aA](?:[rR][eE][aA])?+|{any_case(*_VML)})(?={NAME_END}){HREF}|)")


@cache
def _raw_end(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{any_case(name)}(?={NAME_END})")


def _find_image_tags(html: str, text: str) -> Iterator[int]:
    """Yield where image tags that may have a text in them begin; most have it not, and need not be looked at."""
    position = 0
    while text and (found := html.find(text, position)) >= 0:
        start = html.rfind("<", position, found)
        if start >= 0 and html[start + 1 : start + 4].lower() == "img":
            yield start
        position = found + len(text)

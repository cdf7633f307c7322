"""Find the live links of an HTML mail and the places where a pixel may stand, in one pass and without a DOM.

The lexer follows the tokenizer of the HTML Standard (section 13.2.5) and as much of the tree construction as decides
whether markup is live: raw text, templates, foreign content and its CDATA, conditional comments. Offsets count
characters of the string that was given.

No repeated group below can fail after it has consumed something: Python 3.11.2 restores the position wrongly after
such a failure when the repeat is possessive (fixed in 3.11.5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from mailnod.errors import RewriteError

__all__ = ["MAX_LINKS", "MAX_STEPS", "Anchor", "Attribute", "Image", "Scan", "scan"]

#: HTML with more links, or more comments, text elements and foreign tags together, is refused: no honest mail has
#: them, and editing one takes time.
MAX_LINKS: Final = 10_000
MAX_STEPS: Final = 50_000

_WS = r"\t\n\f\r "
_NAME = rf"[a-zA-Z][^{_WS}/>]*+"
# A value whose quote never closes runs to the end of the input, where the missing ">" voids the tag.
_VALUE = rf"""(?:"[^"]*+"?+|'[^']*+'?+|[^{_WS}>"'][^{_WS}>]*+|)"""
_ATTRIBUTES = rf"(?:[{_WS}/]++|[^{_WS}/>][^{_WS}/>=]*+[{_WS}]*+(?:=[{_WS}]*+{_VALUE})?+)*+"

_SHAPES = ("roundrect", "rect", "shape", "oval", "line", "polyline", "curve", "arc", "image", "group")
_VML = tuple(f"v:{shape}" for shape in _SHAPES)
_RAW = ("style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
_TEXT_ELEMENTS = (*_RAW, "script", "plaintext")
_LINKING = frozenset({"a", "area", *_VML})
_START = (*_LINKING, *_TEXT_ELEMENTS, "template", "svg", "math", "body", "frameset")
_END = ("head", "body", "html", "template")


def _any_case(*names: str) -> str:
    """Write a pattern for names in any case; the engine passes over alternatives that begin with a class quickly."""
    spelt = ("".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in name) for name in names)
    return f"(?:{'|'.join(spelt)})"


_TAG = re.compile(rf"<(/?+)({_NAME})({_ATTRIBUTES})>")
_TAG_OPEN = re.compile("/?+[a-zA-Z]")
_ATTRIBUTE = re.compile(
    rf"""([^{_WS}/>][^{_WS}/>=]*+)[{_WS}]*+(?:=[{_WS}]*+(?:"([^"]*+)"?+|'([^']*+)'?+|([^{_WS}>"'][^{_WS}>]*+)|))?+"""
)


def _skipper(start: str) -> re.Pattern[str]:
    """Compile what matters to nobody: text, plain comments, start tags that do not begin with ``start``, most end tags.

    The repeat is bounded because a backtracking one keeps a record of each round.
    """
    rest = f"{_NAME}{_ATTRIBUTES}>"
    tags = f"(?!{start}){rest}|/(?!{_any_case(*_END)}[{_WS}/>]){rest}"
    comment = r"!--(?!-?>|\[)(?s:.*?)--!?>"
    return re.compile(rf"[^<]*+(?:<(?:{tags}|{comment}|(?![a-zA-Z/!?]))[^<]*+){{0,400}}")


_SKIP = _skipper(f"{_any_case(*_START)}[{_WS}/>]")
# Of the images only those matter that may be pixels of ours; most mails have many others.
_SKIP_TO_IMAGES = _skipper(f"(?:{_any_case(*_START)}[{_WS}/>]|{_any_case('img')}[{_WS}/][^<]*?/o/)")

_TEXT = re.compile(r"[^<]*+(?:<(?![a-zA-Z/!?])[^<]*+){0,400}")
_COMMENT_END = re.compile(r"--!?+>")
_CONDITIONAL = re.compile(rf"<!--\[{_any_case('if')}[{_WS}(!][^\]>]*+\]>")
_HREF = re.compile(_any_case("href"))
_RAW_END = {name: re.compile(rf"</{_any_case(name)}(?=[{_WS}/>])") for name in _RAW}
_SCRIPT_MARK = re.compile(rf"<!(?=--)|-->|<(/?+){_any_case('script')}(?=[{_WS}/>])")

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


class Attribute(NamedTuple):
    """One attribute of a tag; positions are offsets into the source."""

    #: Lower case.
    name: str
    start: int
    #: Behind the closing quote, if there is one.
    end: int
    #: Where the value begins and ends, without quotes; both -1 where there is no value.
    value_start: int
    value_end: int


class Anchor(NamedTuple):
    """A live element with an ``href`` that a reader can click."""

    #: Lower case: ``a``, ``area``, ``v:roundrect`` ...
    element: str
    #: Where its start tag begins and ends.
    start: int
    end: int
    href: Attribute
    #: All attributes in order, later duplicates included.
    attributes: tuple[Attribute, ...]


class Image(NamedTuple):
    """A live ``<img>`` with a ``src``."""

    start: int
    end: int
    src: Attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What was found in one HTML text."""

    anchors: tuple[Anchor, ...]
    #: Those that may be pixels of ours, and only when they were asked for.
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


def scan(html: str, *, images: bool = False) -> Scan:
    """Find the live links of an HTML text, in linear time whatever the text is.

    :param html: the decoded text.
    :param images: whether live images that may be pixels are listed too; only a mail that was edited needs them.
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

    def __init__(self, html: str, *, images: bool, conditional: bool = False) -> None:
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
        skip = (_SKIP_TO_IMAGES if self.images_wanted else _SKIP).match
        while True:
            match = _TEXT.match(self.html, position, end) if self.stack else skip(self.html, position, end)
            position = match.end() if match else end
            if position >= end:
                return
            self.steps += 1
            if self.steps > MAX_STEPS or len(self.anchors) > MAX_LINKS:
                raise RewriteError("the HTML has too many links or too much markup to be edited", offset=position)
            position = self.read_markup(position, end)

    def read_markup(self, position: int, end: int) -> int:
        """Read what begins with the ``<`` at ``position``.

        :returns: where to go on.
        """
        if self.html.startswith("<!--", position, end):
            return self.read_comment(position, end)
        if tag := _TAG.match(self.html, position, end):
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
        for abrupt in ("<!-->", "<!--->"):
            if self.html.startswith(abrupt, position, end):
                return position + len(abrupt)
        close = _COMMENT_END.search(self.html, position + 4, end)
        if close is None:
            return self.after(-1, 0, position, end)
        if not self.conditional and not self.templates and self.html.startswith("[", position + 4):
            opening = _CONDITIONAL.match(self.html, position, close.start())
            if opening and _HREF.search(self.html, opening.end(), close.start()):
                self.read_conditional(opening.end(), close.start())
        return close.end()

    def read_conditional(self, start: int, end: int) -> None:
        """Read the inside of ``<!--[if mso]>``: a comment to browsers, live markup to Outlook."""
        inner = _Lexer(self.html, images=False, conditional=True)
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
        close = _RAW_END[name].search(self.html, tag.end(), end)
        return self.read_raw_end(close.start() if close else -1, tag.start(), end)

    def read_raw_end(self, close: int, start: int, end: int) -> int:
        """Read the end tag at ``close`` of the raw text that ``start`` begins; -1 where there is none."""
        tag = _TAG.match(self.html, close, end) if close >= 0 else None
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
        encoding = _first(self.attributes(tag), "encoding")
        if encoding is None:
            return False
        value = self.html[encoding.value_start : encoding.value_end].lower()
        return value in ("text/html", "application/xhtml+xml")

    def has_any(self, tag: re.Match[str], names: frozenset[str]) -> bool:
        return any(attribute.name in names for attribute in self.attributes(tag))

    def attributes(self, tag: re.Match[str]) -> tuple[Attribute, ...]:
        return tuple(map(_attribute, _ATTRIBUTE.finditer(self.html, tag.start(3), tag.end(3))))

    def add_anchor(self, name: str, tag: re.Match[str]) -> None:
        attributes = self.attributes(tag)
        href = _first(attributes, "href")
        if href is not None and not self.templates:
            self.anchors.append(Anchor(name, tag.start(), tag.end(), href, attributes))

    def add_image(self, tag: re.Match[str]) -> None:
        src = _first(self.attributes(tag), "src")
        if src is not None and self.images_wanted and not self.templates and not self.conditional:
            self.images.append(Image(tag.start(), tag.end(), src))


def _attribute(match: re.Match[str]) -> Attribute:
    group = match.lastindex or 1
    value_start, value_end = match.span(group) if group > 1 else (-1, -1)
    return Attribute(match[1].lower(), match.start(), match.end(), value_start, value_end)


def _first(attributes: tuple[Attribute, ...], name: str) -> Attribute | None:
    """Return the first attribute of that name that has a value; a valueless first one hides the later ones."""
    for attribute in attributes:
        if attribute.name == name:
            return attribute if attribute.value_start >= 0 else None
    return None

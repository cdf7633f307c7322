"""Random documents for the fuzz tests: tag soup in which every kind of markup meets every other."""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis import strategies as st

__all__ = ["EXAMPLES", "any_document", "comparable_document"]

#: How many documents each test tries.
EXAMPLES = int(os.environ.get("MAILNOD_FUZZ_EXAMPLES", "400"))

#: Random documents take as long as they take; how many there are is what bounds a test.
settings.register_profile("fuzz", max_examples=EXAMPLES, deadline=None, print_blob=True)

_TEXTS: tuple[str, ...] = (
    "x",
    "é",
    "😀",
    " ",
    "\r\n",
    "\r",
    "&amp;",
    "&copy=",
    "{{ x }}",
    ">",
    '"',
    "'",
    "=",
    "/",
    "< ",
    "<3",
    "]]>",
    "-->",
)
_COMMENTS: tuple[str, ...] = (
    "<!-- c -->",
    "<!-->",
    "<!--->",
    "<!-- <a href=dead> -->",
    "<!-- x --!>",
    "<!DOCTYPE html>",
    "<?php ?>",
    "</ x>",
    "</>",
)
_CONDITIONALS: tuple[str, ...] = (
    "<!--[if mso]><td><![endif]-->",
    "<!--[if mso]><a href=https://mso.example/>m</a><![endif]-->",
    "<!--[if mso]><a href=https://mso.example/&#45;&#45;>m</a><![endif]-->",
    "<![if !mso]>",
)
_CONDITIONALS += (
    "<!--[if !mso]><!-->",
    "<!--<![endif]-->",
    "<!--[if mso]><v:rect href='https://vml.example/'><![endif]-->",
)
_RAW: tuple[str, ...] = (
    "<style>a>b{}</style>",
    "<style></styles>'</style >",
    "<title><a href=dead></title>",
    "<textarea><!--</textarea>",
)
_RAW += ("<script>'<a href=dead>'</script>", "<script><!--<script></script>--></script>", "<xmp><a href=dead></xmp>")
_NAMES: tuple[str, ...] = (
    "p",
    "P",
    "b",
    "td",
    "table",
    "tr",
    "div",
    "span",
    "strong",
    "br",
    "ul",
    "li",
    "h1",
    "font",
    "center",
    "abbr",
    "titles",
)
_TAGS: tuple[str, ...] = tuple(f"<{name}>" for name in _NAMES) + tuple(f"</{name}>" for name in _NAMES)
_TAGS += (
    '<p title="a>b">',
    "<p title='<a href=dead>'>",
    '<td a=b"c d>',
    '<td ="x>',
    "<p/>",
    "<div x = y\n>",
    "<img src=x />",
)
_LINKS: tuple[str, ...] = (
    "<a href={}>",
    '<a href="{}">',
    "<A HREF = '{}'>",
    '<a class="x"href="{}" id=y>',
    "<a title='>' href={} />",
)
_LINKS += (
    '<a class="x"href="{}" id=y>',
    "<area href={}>",
    '<a href="{}" href=dead>',
    "<a\n\thref\n=\n{}\n>",
    "<a/href={}>",
    '<a style="x" target=y href="{}">',
)
_FOREIGN: tuple[str, ...] = (
    "<svg>",
    "</svg>",
    "<svg/>",
    "<g>",
    "</g>",
    "<desc>",
    "</desc>",
    "<foreignObject>",
    "</foreignObject>",
    "<math>",
)
_FOREIGN += (
    "</math>",
    "<mi>",
    "</mi>",
    "<annotation-xml encoding=text/html>",
    "<![CDATA[",
    "<![CDATA[>]]>",
    "<style>",
    "</style>",
)
_OPEN: tuple[str, ...] = (
    "<",
    "</",
    "<!",
    "<!--",
    "<a href=",
    "<a href='",
    "<style",
    "</body",
    "<script>",
    "<plaintext>",
    "<template>",
    "</template>",
)
_OPEN += (
    "<body>",
    "</body>",
    "</html>",
    "</head>",
    "<frameset>",
    "<select>",
    "<noscript>",
    "\0",
    "\ufeff",
    "</a>",
    "<!--[if mso]>",
)

_URLS: tuple[str, ...] = (
    "https://e.example/{}",
    "https://e.example/{}?a=1&amp;b=2",
    "//e.example/{}",
    "mailto:{}@e.example",
    "#{}",
    "x{}&copy=1",
    "https://e.example/{}&#x2d;-&Tab;",
)


@st.composite
def _soup(draw: st.DrawFn, pieces: tuple[str, ...]) -> str:
    """Join pieces at random; every link has a destination of its own."""
    chosen = draw(st.lists(st.sampled_from(pieces) | st.sampled_from(_LINKS), max_size=20))
    urls = draw(st.lists(st.sampled_from(_URLS), min_size=len(chosen), max_size=len(chosen)))
    return "".join(
        piece.replace("{}", urls[place].replace("{}", str(place))) if piece in _LINKS else piece
        for place, piece in enumerate(chosen)
    )


def any_document() -> st.SearchStrategy[str]:
    """Return a strategy for documents of any markup whatever."""
    pieces = (*_TEXTS, *_COMMENTS, *_CONDITIONALS, *_RAW, *_TAGS, *_FOREIGN, *_OPEN)
    return _soup(pieces) | st.text(alphabet="<>/aAhref='\"=-![]&;:?\t\n \0é", max_size=80)


def comparable_document() -> st.SearchStrategy[str]:
    """Return a strategy for documents in which little of what the parsers are known to differ on stands."""
    return _soup(
        (*_TEXTS, *_COMMENTS, *_CONDITIONALS, *_RAW, *_TAGS, "</a>", "</body>", "<body>", "</html>", *_FOREIGN)
    )

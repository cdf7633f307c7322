"""Two parsers of the HTML Standard as references for the set of live links, and where they are known to differ."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, NamedTuple

from mailnod.html.entities import decode_attribute
from mailnod.html.scan import scan

__all__ = ["KNOWN", "Difference", "find_known", "links_of_html5lib", "links_of_lexbor", "links_of_mailnod"]

_XHTML, _SVG = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/2000/svg}"
_LINKING = frozenset({f"{_XHTML}a", f"{_XHTML}area", f"{_SVG}a"})


class Difference(NamedTuple):
    """A kind of document on which a reference need not agree."""

    name: str
    #: Found in the document, in any case.
    pattern: str
    #: Which references it is about.
    references: frozenset[str]
    reason: str


_BOTH, _LEXBOR, _HTML5LIB = frozenset({"lexbor", "html5lib"}), frozenset({"lexbor"}), frozenset({"html5lib"})

KNOWN = (
    Difference("select", "<select", _BOTH, "Parsers drop links inside a select; mail programs remove forms instead."),
    Difference(
        "frameset", "<frameset", _BOTH, "A frameset replaces the body; such mail gets no pixel, its links stay."
    ),
    Difference("template", "<template", _HTML5LIB, "html5lib does not know the element."),
    Difference(
        "links of other namespaces",
        r"<math(?s:.)*<a(?:rea)?[\s/]|<svg(?s:.)*<area[\s/]",
        _LEXBOR,
        "Its selectors do not tell MathML's a and SVG's area, which lead nowhere, from HTML's.",
    ),
    Difference(
        "</p> in foreign content",
        r"<(?:svg|math)(?s:.)*</(?:p|br)[\s/>]",
        _HTML5LIB,
        "html5lib is older than the rule that these end tags end foreign content.",
    ),
    Difference(
        "foreign content left open",
        r"<(?:svg|math)(?s:.)*</(?!svg|math|p>|br>|g>|desc>|foreignobject>|mi>)[a-z]"
        r"|<(g|desc|foreignobject|mi)>(?s:.)*<(?:svg|math)(?s:.)*</\1>",
        _BOTH,
        "The end tag of an HTML element around an svg or math ends that too; the lexer does not know which are open.",
    ),
)


def find_known(html: str, reference: str) -> str | None:
    """Return the name of the known difference that a document may show, or None."""
    for known in KNOWN:
        if reference in known.references and re.search(known.pattern, html, re.IGNORECASE):
            return known.name
    return None


def links_of_mailnod(html: str) -> set[str]:
    """Return each destination that the lexer finds live in a browser, so without those that Outlook alone shows."""
    plain = re.sub(r"<!--\[if", "<!--[of", html, flags=re.IGNORECASE)
    found = (plain[link.href_start : link.href_end] for link in scan(plain).anchors if ":" not in link.element)
    return _normalise(decode_attribute(raw) for raw in found)


def links_of_html5lib(html: str) -> set[str]:
    """Return each destination in html5lib's tree."""
    html5lib: Any = import_module("html5lib")
    tree = html5lib.parse(html, treebuilder="etree", namespaceHTMLElements=True)
    return _normalise(element.get("href") for element in tree.iter() if element.tag in _LINKING)


def links_of_lexbor(html: str) -> set[str]:
    """Return each destination in lexbor's tree."""
    parser: Any = import_module("selectolax.lexbor").LexborHTMLParser(html)
    return _normalise(node.attributes.get("href") for node in parser.css("a, area"))


def _normalise(hrefs: Any) -> set[str]:
    """Drop empty destinations and write line ends as parsers do, which change them before they read anything."""
    return {href.replace("\r\n", "\n").replace("\r", "\n") for href in hrefs if href}

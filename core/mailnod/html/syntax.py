"""The tags and attributes of HTML as the tokenizer of the HTML Standard (section 13.2.5) reads them, in patterns.

No repeated group below can fail after it has consumed something: Python 3.11.2 restores the position wrongly after
such a failure when the repeat is possessive (fixed in 3.11.5).
"""

from __future__ import annotations

import re
from itertools import islice
from string import ascii_lowercase
from typing import Final, NamedTuple

from mailnod.errors import RewriteError

__all__ = [
    "ATTRIBUTES",
    "HREF",
    "MAX_ATTRIBUTES",
    "NAME_END",
    "TAG",
    "WHITE_SPACE",
    "Attribute",
    "any_case",
    "find_first",
    "other_names",
    "read_attributes",
]

#: What parts attributes, inside a character class; HTML knows five such characters, ``\s`` many more.
WHITE_SPACE: Final = r"\t\n\f\r "
#: Tags of real pages have a few dozen.
MAX_ATTRIBUTES: Final = 10_000
#: What follows a name.
NAME_END: Final = rf"[{WHITE_SPACE}/>]"

# A value whose quote never closes runs to the end of the input, where the missing ">" voids the tag.
_VALUE = rf"""(?:"[^"]*+"?+|'[^']*+'?+|[^{WHITE_SPACE}>"'][^{WHITE_SPACE}>]*+|)"""
_ATTRIBUTE_NAME = rf"[^{WHITE_SPACE}/>][^{WHITE_SPACE}/>=]*+"
_BEHIND_NAME = rf"""(?:="[^"]*+"|[{WHITE_SPACE}]*+(?:=[{WHITE_SPACE}]*+{_VALUE})?+)"""
_ONE = rf"{_ATTRIBUTE_NAME}{_BEHIND_NAME}"
# Nearly every attribute is of the first form, and its first alternative is the quickest to be taken.
_USUAL = rf' [a-z\-]++(?:="[^"]*+"|[^{WHITE_SPACE}/>=]*+{_BEHIND_NAME})'
#: Everything between the name of a tag and its ``>``.
ATTRIBUTES: Final = rf"(?:{_USUAL}|[{WHITE_SPACE}/]++|{_ONE})*+"

_READ = re.compile(
    rf"({_ATTRIBUTE_NAME})[{WHITE_SPACE}]*+"
    rf"""(?:=[{WHITE_SPACE}]*+(?:"([^"]*+)"?+|'([^']*+)'?+|([^{WHITE_SPACE}>"'][^{WHITE_SPACE}>]*+)|))?+"""
)


def any_case(*names: str) -> str:
    """Write a pattern for names in any case; the engine passes over alternatives that begin with a class quickly."""
    return f"(?:{'|'.join(map(_spell, names))})"


def other_names(*names: str) -> str:
    """Write a pattern for the first letter of any name but these, so that most tags are told by that letter alone."""
    by_letter: dict[str, list[str]] = {}
    for name in names:
        by_letter.setdefault(name[0], []).append(name[1:])
    free = "".join(letter for letter in ascii_lowercase if letter not in by_letter)
    tails = (f"{_spell(letter)}(?!{any_case(*rests)}{NAME_END})" for letter, rests in by_letter.items())
    return f"(?:[{free}{free.upper()}]|{'|'.join(tails)})"


def _spell(name: str) -> str:
    return "".join(f"[{letter.upper()}{letter}]" if letter.isalpha() else letter for letter in name)


#: A whole tag: its slash, its name and its attributes.
TAG: Final = re.compile(rf"<(/?+)([a-zA-Z][^{WHITE_SPACE}/>]*+)({ATTRIBUTES})>")

_OTHER = rf"(?!{any_case('href')}[{WHITE_SPACE}/>=])(?>{_ONE})"
#: What follows an element's name up to the end of the tag, with the value of its ``href`` in the last group.
HREF: Final = (
    rf"(?:[{WHITE_SPACE}/]++|{_OTHER}){{0,100}}{any_case('href')}[{WHITE_SPACE}]*+=[{WHITE_SPACE}]*+"
    rf"""(?:"([^"]*+)"|'([^']*+)'|([^{WHITE_SPACE}>"'][^{WHITE_SPACE}>]*+)){ATTRIBUTES}>"""
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


def read_attributes(html: str, start: int, end: int) -> list[Attribute]:
    """Read the attributes of a tag.

    :param html: the source.
    :param start: where the name of the element ends.
    :param end: where the ``>`` stands.
    :returns: all attributes in order, later duplicates included.
    :raises RewriteError: there are more than :data:`MAX_ATTRIBUTES`.
    """
    found = list(map(_attribute, islice(_READ.finditer(html, start, end), MAX_ATTRIBUTES + 1)))
    if len(found) > MAX_ATTRIBUTES:
        raise RewriteError("a tag of the HTML has too many attributes to be read", offset=start)
    return found


def find_first(attributes: list[Attribute], name: str) -> Attribute | None:
    """Return the first attribute of that name if it has a value; a valueless first one hides the later ones."""
    for attribute in attributes:
        if attribute.name == name:
            return attribute if attribute.value_start >= 0 else None
    return None


def _attribute(match: re.Match[str]) -> Attribute:
    group = match.lastindex or 1
    value_start, value_end = match.span(group) if group > 1 else (-1, -1)
    return Attribute(match[1].lower(), match.start(), match.end(), value_start, value_end)

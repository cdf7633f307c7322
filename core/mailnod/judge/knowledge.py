"""Reads the tables of facts that the rules stand on; nothing is kept between calls."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ua_parser import UserAgent
    from ua_parser.core import Matcher

__all__ = ["PatternSet", "make_search", "name_engine", "read_table"]


def read_table(name: str) -> dict[str, Any]:
    """Read one table that is installed beside the rules.

    :param name: the file's name without its ending, such as "networks".
    :returns: the table as TOML gives it.
    """
    file = resources.files("mailnod.judge") / "tables" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def name_engine() -> Literal["regex", "re2", "basic"]:
    """Name the engine that ua-parser searches with: its own, "regex", or what it falls back to without that."""
    import ua_parser

    best = ua_parser.BestAvailableResolver
    return "regex" if best is ua_parser.RegexResolver else "re2" if best is ua_parser.Re2Resolver else "basic"


def make_search(matchers: list[Matcher[UserAgent]]) -> Callable[[str], str | None]:
    """Make a function that searches a text for many expressions and gives the family of the first that occurs.

    :param matchers: expressions with the families that they stand for, in order of precedence.
    """
    import ua_parser

    resolver: Any = ua_parser.BestAvailableResolver((matchers, [], []))
    if name_engine() != "regex":
        user_agent = ua_parser.Domain.USER_AGENT

        def resolve(text: str) -> str | None:
            found: UserAgent | None = resolver(text, user_agent).user_agent
            return found.family if found else None

        return resolve

    # The resolver's own way takes longer than the search: it makes three objects and asks a set of flags.
    extract: Callable[[str], UserAgent | None] = resolver.ua.extract

    def search(text: str) -> str | None:
        found = extract(text)
        return found.family if found else None

    return search


class PatternSet:
    """Many regular expressions that are searched for at once, the first of the list winning.

    It runs on the engine of ua-parser, which is written in Rust and linear in the text; without that engine ua-parser
    falls back to Python's own, which is correct and slow.

    :param patterns: the expressions in order of precedence, in the syntax that Rust and Python share.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        from ua_parser.lazy import UserAgentMatcher

        # The engine answers with the family of the expression that matched: here, its position.
        self._search = make_search([UserAgentMatcher(pattern, str(number)) for number, pattern in enumerate(patterns)])

    def find(self, text: str) -> int | None:
        """Search the text for every expression.

        :param text: what is searched; it must have no lone surrogates.
        :returns: the position of the first expression of the list that occurs, None where none does.
        """
        found = self._search(text)
        return None if found is None else int(found)

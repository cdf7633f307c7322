"""Reads the tables of facts that the rules stand on; nothing is kept between calls."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import Any, Literal

__all__ = ["PatternSet", "name_engine", "read_table"]


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


class PatternSet:
    """Many regular expressions that are searched for at once, the first of the list winning.

    It runs on the engine of ua-parser, which is written in Rust and linear in the text; without that engine ua-parser
    falls back to Python's own, which is correct and slow.

    :param patterns: the expressions in order of precedence, in the syntax that Rust and Python share.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        from ua_parser import BestAvailableResolver, UserAgent
        from ua_parser.core import Matcher
        from ua_parser.lazy import UserAgentMatcher

        # The engine answers with the family of the expression that matched: here, its position.
        matchers: list[Matcher[UserAgent]] = [
            UserAgentMatcher(pattern, str(number)) for number, pattern in enumerate(patterns)
        ]
        self._resolve = BestAvailableResolver((matchers, [], []))

    def find(self, text: str) -> int | None:
        """Search the text for every expression.

        :param text: what is searched; it must have no lone surrogates.
        :returns: the position of the first expression of the list that occurs, None where none does.
        """
        from ua_parser import Domain

        found = self._resolve(text, Domain.USER_AGENT).user_agent
        return int(found.family) if found else None

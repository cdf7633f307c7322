"""Writes the table of the judge's rules in classification.md from the rules themselves: ``python docs/rules.py``."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import mailnod.judge
from mailnod.judge.classify import RULESET
from mailnod.judge.evidence import Finding
from mailnod.judge.knowledge import read_table
from mailnod.model import Signal

PAGE = Path(__file__).parent / "classification.md"
BEGIN, END = "<!-- rules: written by docs/rules.py -->\n", "<!-- end of rules -->\n"
_HEAD = "| code | class | weight | where the rule comes from | as of |\n|---|---|---|---|---|\n"


def list_rules() -> list[tuple[str, str, int, str, str]]:
    """Return code, class, weight, source and date of every rule; "" for the class where it is not the rule's alone."""
    found = {(signal, kind, RULESET) for signal, kind in _find_in_code()} | set(_find_in_tables())
    return sorted((one.code, kind, one.weight, one.source, date) for one, kind, date in found)


def write_page(page: str) -> str:
    """Return the page with its table of rules made anew."""
    before, _, rest = page.partition(BEGIN)
    rows = "".join(
        f"| `{code}` | {kind} | {weight:+d} | {source} | {date} |\n"
        for code, kind, weight, source, date in list_rules()
    )
    return before + BEGIN + "\n" + _HEAD + rows + "\n" + END + rest.partition(END)[2]


def _find_in_code() -> Iterator[tuple[Signal, str]]:
    for module in pkgutil.iter_modules(mailnod.judge.__path__):
        for value in vars(import_module(f"mailnod.judge.{module.name}")).values():
            yield from _find_in_value(value)


def _find_in_value(value: object) -> Iterator[tuple[Signal, str]]:
    if isinstance(value, Signal):
        yield value, ""
    elif isinstance(value, Finding):
        yield value.signal, str(value.classification)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _find_in_value(one)


def _find_in_tables() -> Iterator[tuple[Signal, str, str]]:
    table = read_table("machines")
    for block in (*table["machine"], *table["shape"]):
        if block["class"] == "person":
            yield (
                Signal(code=block["code"], weight=0, source=block["source"]),
                "never a machine by its name",
                str(block["date"]),
            )
        else:
            signal = Signal(code=block["code"], weight=block.get("weight", 98), source=block["source"])
            yield signal, block["class"], str(block["date"])


if __name__ == "__main__":
    PAGE.write_text(write_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

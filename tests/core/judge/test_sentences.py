"""Every reason has a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import mailnod.judge
from mailnod.judge.knowledge import read_table
from mailnod.judge.sentences import say

FOLDER = Path(mailnod.judge.__file__).parent
CODE = re.compile(r'\b(?:code ?= ?|_proxy\()"([a-z]+\.[a-z_]+)"')


def find_codes() -> set[str]:
    """Return every code that a rule or a table gives."""
    files = [*FOLDER.glob("*.py"), *FOLDER.glob("tables/*.toml")]
    return {code for file in files for code in CODE.findall(file.read_text(encoding="utf-8"))}


def test_each_code_has_a_sentence_and_none_is_left_over() -> None:
    """A rule without a sentence, and a sentence without a rule, are found here."""
    assert set(read_table("sentences")) == find_codes()


def test_sentences_are_sentences() -> None:
    """Each begins with a capital, ends with a full stop, and fits a line or two."""
    for sentence in read_table("sentences").values():
        assert re.fullmatch(r"[A-Z].{10,110}\.", sentence), sentence


def test_what_is_not_known_has_none() -> None:
    """A plugin's code says what its source says; an override names its plugin."""
    assert say("example.monitor") is None
    assert say("override.networks") == "The plugin 'networks' set the verdict, whatever the rules say."

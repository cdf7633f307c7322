"""The page on judging lists every rule, and every rule has its test."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    """Load the script that writes the table."""
    spec = importlib.util.spec_from_file_location("rules", ROOT / "docs" / "rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_lists_every_rule_as_it_is(rules: ModuleType) -> None:
    """A rule that was changed changes its line: ``python docs/rules.py`` writes the table anew."""
    page = rules.PAGE.read_text(encoding="utf-8")
    assert page == rules.write_page(page)
    assert rules.BEGIN in page


def test_every_rule_has_a_source(rules: ModuleType) -> None:
    """What nobody can look up is no rule."""
    assert [code for code, _, _, source, _ in rules.list_rules() if len(source) < 5] == []


def test_every_rule_has_a_test(rules: ModuleType) -> None:
    """Each code stands in a test of the judge, but that of people, whose names give no signal."""
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "core" / "judge").glob("test_*.py"))
    codes = {code for code, *_ in rules.list_rules()} - {"ua.person"}
    assert len(codes) > 40
    assert sorted(code for code in codes if f'"{code}"' not in tests) == []

"""The chapter on hooks says what the code says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from mailnod import hookspecs

ROOT = Path(__file__).parents[2]
HOOKS = {name: spec for name, spec in vars(hookspecs).items() if hasattr(spec, "mailnod_spec")}
TEXT = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")


def format_signature(name: str) -> str:
    """Return the line that stands in the chapter."""
    return f"def {name}{inspect.signature(HOOKS[name])}".replace("'", "")


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_has_a_section_with_its_signature(name: str) -> None:
    """Below each hook's heading stands its exact signature."""
    assert f"## {name}\n\n```python\n{format_signature(name)}\n```\n" in TEXT


def test_no_section_is_left_over() -> None:
    """A hook that was removed leaves the chapter too."""
    assert re.findall(r"^```python\ndef (\w+)", TEXT, re.MULTILINE) == list(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_has_a_user(name: str) -> None:
    """No hook is without a plugin of ours, in the packages or in the examples, that implements it."""
    folders = [ROOT / "core", ROOT / "plugins", ROOT / "examples"]
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")]
    assert any(re.search(rf"@hookimpl\s+def {name}\(", source) for source in sources)
